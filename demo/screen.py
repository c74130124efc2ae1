"""One screen: a live table on a terminal, plain lines elsewhere."""

import asyncio
import time
from types import TracebackType
from typing import Self

import httpx
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from contracts.entities import ENTITIES
from demo.progress import Figures, Progress

EVERY_S = 1.0
_COLUMNS = (
    "Chargebee", "Go", "snapshots C G", "matched", "made in Go", "made in Chargebee", "linked", "waiting",
    "ambiguous", "rejected", "in flight",
)  # fmt: skip
ABSORBED = 'tandem_linker_events_total{result="absorbed"}'


class Screen:
    """Shows progress and says lines above it. `progress` is set once there is some."""

    def __init__(self) -> None:
        self.console = Console()
        self.progress: Progress | None = None
        self.phase = "Starting"
        self.absorbed: int | None = None
        self._began_s = time.monotonic()
        self._printed = ""
        self._live: Live | None = None

    def __enter__(self) -> Self:
        if self.console.is_terminal:
            self._live = Live(get_renderable=self._rendered, console=self.console, refresh_per_second=4)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def say(self, line: str) -> None:
        """One line above the table."""
        self.console.print(line, markup=False, highlight=False, soft_wrap=True)

    async def run(self, metrics_url: str) -> None:
        """Keep the figures fresh for ever; `metrics_url` is the linker's."""
        async with httpx.AsyncClient(trust_env=False, timeout=2.0) as http:
            while True:
                self.absorbed = await _absorbed(http, metrics_url)
                if self._live is None:
                    self._print_plain()
                await asyncio.sleep(EVERY_S)

    def _print_plain(self) -> None:
        if self.progress is None:
            return
        parts = [f"{entity} {_plain(self.progress.figures(entity))}" for entity in ENTITIES]
        line = f"{' | '.join(parts)} | echoes absorbed {_number(self.absorbed)}"
        if line != self._printed:
            self._printed = line
            self.say(f"{time.monotonic() - self._began_s:5.1f} s  {line}")

    def _rendered(self) -> RenderableType:
        elapsed_s = time.monotonic() - self._began_s
        head = Text(f"{self.phase}  ({elapsed_s:.0f} s, echoes absorbed: {_number(self.absorbed)})", style="bold")
        if self.progress is None:
            return head
        table = Table("", *_COLUMNS)
        for entity in ENTITIES:
            table.add_row(entity, *_cells(self.progress.figures(entity)))
        return Group(head, table)


def _number(value: int | None) -> str:
    return "-" if value is None else str(value)


def _marks(held: Figures) -> str:
    return " ".join("✓" if done else "…" for done in held.snapshots.values())


def _cells(held: Figures) -> list[str]:
    figures = (
        held.records["chargebee"], held.records["poweroffice"], _marks(held), held.matched,
        held.created["poweroffice"], held.created["chargebee"], held.linked, held.waiting, held.ambiguous,
        held.rejected, held.in_flight,
    )  # fmt: skip
    return [str(figure) for figure in figures]


def _plain(held: Figures) -> str:
    return (
        f"{held.records['chargebee']}/{held.records['poweroffice']} snapshots {_marks(held)} matched {held.matched}"
        f" made {held.created['poweroffice']}>go {held.created['chargebee']}>cb linked {held.linked}"
        f" waiting {held.waiting} ambiguous {held.ambiguous} rejected {held.rejected} in flight {held.in_flight}"
    )


async def _absorbed(http: httpx.AsyncClient, url: str) -> int | None:
    """The linker's count of messages that led to nothing, None while it does not answer."""
    try:
        answer = await http.get(url)
    except httpx.TransportError:
        return None
    lines = (line for line in answer.text.splitlines() if line.startswith(ABSORBED))
    return next((int(float(line.rsplit(" ", 1)[1])) for line in lines), 0)
