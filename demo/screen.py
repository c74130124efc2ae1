"""One screen: a live table on a terminal, plain lines elsewhere. Nothing is drawn by another
thread."""

import asyncio
import textwrap
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import httpx
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Column, Table
from rich.text import Text

from contracts.entities import ENTITIES, EntityName
from demo.progress import Figures, Progress
from runtime.harmless import harmless

DRAW_EVERY_S, ASK_EVERY_S = 0.25, 1.0
WIDE = 79  # the columns that a row for each entity needs
ECHOES = "tandem_linker_echoes_total{"
# `>go` counts the records that were made in Go, `…` stands behind a side whose first snapshot is
# not complete.
_COLUMNS = (
    "Chargebee",
    "Go",
    "matched",
    ">cb",
    ">go",
    "linked",
    "waiting",
    "ambiguous",
    "rejected",
    "open",
)


@dataclass(frozen=True)
class Picture:
    """What is drawn: made whole in the event loop, and never changed. `echoes` is None while nobody
    counts them, `figures` is empty before there are any."""

    phase: str
    elapsed_s: float
    echoes: int | None
    figures: tuple[tuple[EntityName, Figures], ...]


class Screen:
    """Shows progress and says lines above it. `progress` is set once there is some. For the event
    loop's thread."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console()
        self.progress: Progress | None = None
        self.phase = "Starting"
        self.echoes: int | None = None
        self._began_s = time.monotonic()
        self._printed = ""
        self._live: Live | None = None

    def __enter__(self) -> Self:
        if self.console.is_terminal:
            self._live = Live(self._drawn(), console=self.console, auto_refresh=False)
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.update(self._drawn(), refresh=True)
            self._live.stop()

    def say(self, line: str) -> None:
        """One line above the table; on a terminal it is broken between words where it does not
        fit."""
        if self.console.is_terminal and len(line) > self.console.width:
            begin = line[: len(line) - len(line.lstrip())]
            line = textwrap.fill(
                line, self.console.width, subsequent_indent=f"{begin}  ", break_long_words=False
            )
        self.show(line)

    def show(self, text: str) -> None:
        """Lines as they are, to be copied: none is broken."""
        self.console.print(harmless(text, keep="\n"), markup=False, highlight=False, soft_wrap=True)

    async def run(self, metrics_url: str) -> None:
        """Keep the figures fresh for ever; `metrics_url` is the linker's."""
        asked_s = 0.0
        async with httpx.AsyncClient(trust_env=False, timeout=2.0) as http:
            while True:
                if self.progress is not None and time.monotonic() - asked_s >= ASK_EVERY_S:
                    asked_s = time.monotonic()
                    self.echoes = await _echoes(http, metrics_url, self.echoes)
                    if self._live is None:
                        self._print_plain()
                if self._live is not None:
                    self._live.update(self._drawn(), refresh=True)
                await asyncio.sleep(DRAW_EVERY_S)

    def picture(self) -> Picture:
        """The figures as they are now."""
        held = self.progress
        figures = (
            () if held is None else tuple((entity, held.figures(entity)) for entity in ENTITIES)
        )
        return Picture(self.phase, time.monotonic() - self._began_s, self.echoes, figures)

    def _drawn(self) -> RenderableType:
        return draw(self.picture(), self.console.width)

    def _print_plain(self) -> None:
        picture = self.picture()
        if (line := plain(picture)) != self._printed:
            self._printed = line
            self.say(f"{picture.elapsed_s:5.1f} s  {line}")


def draw(picture: Picture, width: int) -> RenderableType:
    """The phase, what is counted, and the table: a row for each entity where the screen has WIDE
    columns."""
    echoes = (
        "" if picture.echoes is None else f"   own writes read back and absorbed: {picture.echoes}"
    )
    parts: list[RenderableType] = [
        Text(picture.phase, style="bold"),
        Text(f"{picture.elapsed_s:.0f} s{echoes}"),
    ]
    if picture.figures:
        parts.append(_wide(picture) if width >= WIDE else _narrow(picture))
    return Group(*parts)


def _empty(*headers: str) -> Table:
    first, *others = (Text(header) for header in headers)
    columns = [
        Column(first, no_wrap=True),
        *(Column(each, justify="right", no_wrap=True) for each in others),
    ]
    return Table(*columns, box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")


def _wide(picture: Picture) -> Table:
    table = _empty("", *_COLUMNS)
    for entity, held in picture.figures:
        table.add_row(entity, *_cells(held))
    return table


def _narrow(picture: Picture) -> Table:
    table = _empty("", *(entity for entity, _ in picture.figures))
    cells = [_cells(held) for _, held in picture.figures]
    for number, name in enumerate(_COLUMNS):
        table.add_row(name, *(each[number] for each in cells))
    return table


def _cells(held: Figures) -> list[str]:
    known = [
        f"{held.records[system]}{'' if done else ' …'}" for system, done in held.snapshots.items()
    ]
    made = [held.created["chargebee"], held.created["poweroffice"]]
    counted = [
        held.matched,
        *made,
        held.linked,
        held.waiting,
        held.ambiguous,
        held.rejected,
        held.in_flight,
    ]
    return [*known, *map(str, counted)]


def plain(picture: Picture) -> str:
    """The same as one line: snapshots read until all are, links of customers, products and orders,
    then sums."""
    held = [figures for _, figures in picture.figures]
    snapshots = [done for figures in held for done in figures.snapshots.values()]
    read = "" if all(snapshots) else f"read {sum(snapshots)}/{len(snapshots)}  "
    sums = {
        "open": sum(each.in_flight for each in held),
        "waiting": sum(each.waiting for each in held),
        "ambiguous": sum(each.ambiguous for each in held),
        "echoes": "-" if picture.echoes is None else picture.echoes,
    }
    counted = "  ".join(f"{name} {count}" for name, count in sums.items())
    return f"{read}linked {'/'.join(str(each.linked) for each in held)}  {counted}"


async def _echoes(http: httpx.AsyncClient, url: str, before: int | None) -> int | None:
    """The linker's count of our own writes that were read back and absorbed; `before` while it does
    not answer."""
    try:
        answer = await http.get(url)
    except httpx.TransportError:
        return before
    lines = (line for line in answer.text.splitlines() if line.startswith(ECHOES))
    return sum(int(float(line.rsplit(" ", 1)[1])) for line in lines)
