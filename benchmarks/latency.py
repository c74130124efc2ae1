"""How long an edit takes from one vendor's answer to the other's, how many calls it costs, and how
much of the allowed rate a backfill uses: the real services between the simulators, which answer at
once and count requests as the vendors do.

Edits of one field, one after another, at uneven intervals. A scene begins with `CUSTOMERS` linked
customers; in the last one as many new ones as are asked for are being created in Go meanwhile.
"""

import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import NamedTuple

from contracts.entities import System
from tests.system.rig import Rig
from tests.waiting import wait_for

CUSTOMERS = 20
TOLD_LIVE = 150  # what webhooks and a page of events tell of is live, also during a first reading
EDITS = 40
GAP_S = (0.3, 0.9)
RATE = 10  # requests a second that Go allows a key
_PREFIX = "TANDEM_TENANTS__DEMO__POWEROFFICE__"
USUAL = {f"{_PREFIX}POLL_MIN_S": "5", f"{_PREFIX}POLL_MAX_S": "60"}  # the delivered settings
EAGER = {f"{_PREFIX}POLL_MIN_S": "0.5", f"{_PREFIX}POLL_MAX_S": "0.5"}  # those of the demo


class Figures(NamedTuple):
    """Milliseconds from edit to write, and calls of both kinds for each edit."""

    ms: list[float]
    calls: dict[str, float]
    refused: int

    def line(self, name: str) -> str:
        ordered = sorted(self.ms)
        last = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
        calls = ", ".join(f"{each} {count:.1f}" for each, count in sorted(self.calls.items()))
        return (
            f"| {name} | {statistics.median(ordered):.0f} | {last:.0f} | {calls} | {self.refused} |"
        )


async def measure(bootstrap: str, count: int) -> AsyncIterator[str]:
    """A table of three scenes; then what the backfill of the last one used."""
    lines = _scenes(bootstrap, count)
    while (line := await asyncio.to_thread(next, lines, None)) is not None:
        yield line


def _scenes(bootstrap: str, count: int) -> Iterator[str]:
    yield "| edits of Chargebee | p50 ms | p99 ms | calls to Go for each | 429 |"
    yield "|---|---|---|---|---|"
    for name, settings in (("delivered settings", USUAL), ("polls of the demo", EAGER)):
        with _Scene(bootstrap, settings, CUSTOMERS) as rig:
            yield _edited(rig).line(name)
    with _Scene(bootstrap, USUAL, TOLD_LIVE + count, linked=TOLD_LIVE) as rig:
        begun_s = time.time()
        yield _edited(rig).line("during a backfill")
        yield _backfill(rig, begun_s)


class _Scene(Rig):
    """Services with `customers` in Chargebee of which `linked` are in Go once it is entered."""

    def __init__(
        self,
        bootstrap: str,
        settings: dict[str, str],
        customers: int,
        linked: int | None = None,
    ) -> None:
        self._directory = tempfile.TemporaryDirectory()
        super().__init__(bootstrap, Path(self._directory.name))
        self.sweep_s = 600
        self.variables = {
            **settings,
            f"{_PREFIX}REQUESTS_PER_SECOND": str(RATE),
            "TANDEM_TENANTS__DEMO__BREAKER__CHANGES__AT_LEAST": "1000000",
        }
        self._customers, self._linked = customers, linked or customers

    def __enter__(self) -> "_Scene":
        super().__enter__()
        self.settings("poweroffice", rate_limit_per_s=RATE)
        for number in range(self._customers):
            facts = {"id": f"c{number}", "first_name": "Kari", "last_name": f"Nordmann {number}"}
            self.add_customer(**facts, email=f"kari{number}@nordmann.example")
        self.start()
        wait_for("customers are linked", self._made, lambda made: made >= self._linked)
        return self

    def __exit__(self, *trouble: object) -> None:
        super().__exit__(*trouble)
        self._directory.cleanup()

    def _made(self) -> int:
        return sum(each["method"] == "POST" and each["status"] == 201 for each in log(self))


def log(rig: Rig, system: System = "poweroffice") -> list[dict[str, object]]:
    """The newest requests of the sync to a simulator."""
    return list(rig.requests(system)["log"])


def _edited(rig: Rig) -> Figures:
    chance, edited_s = random.Random(1), []
    linked = [str(each["ExternalImportReference"])[3:] for each in rig.go_customers()[:CUSTOMERS]]
    rig.control.post(rig.url("poweroffice") + "/_sim/requests/clear")
    for number in range(EDITS):
        time.sleep(chance.uniform(*GAP_S))
        answer = rig.chargebee.post(
            f"/customers/{linked[number % len(linked)]}", data={"phone": f"+47 {number:08}"}
        )
        assert answer.status_code == 200, answer.text
        edited_s.append(time.time())

    def patched() -> list[float]:
        return [
            float(str(each["at"]))
            for each in log(rig)
            if each["method"] == "PATCH" and each["status"] == 200
        ]

    written_s = wait_for("edits arrive", patched, lambda found: len(found) >= EDITS)
    requests = [each for each in log(rig) if str(each["path"]).startswith("/Customers/")]
    calls: dict[str, float] = {}
    for each in requests:
        name = str(each["method"])
        calls[name] = calls.get(name, 0) + 1 / EDITS
    refused = sum(each["status"] == 429 for each in log(rig))
    ms = [1000 * (there - here) for here, there in zip(edited_s, written_s, strict=False)]
    return Figures(ms, calls, refused)


def _backfill(rig: Rig, begun_s: float) -> str:
    """How much of the rate the creations and everything used while edits went on beside them."""
    ended_s = time.time()
    during = [each for each in log(rig) if begun_s < float(str(each["at"])) < ended_s]
    spent_s = ended_s - begun_s
    made = sum(each["method"] == "POST" and each["status"] == 201 for each in during)
    return (
        f"backfill beside these edits: {len(during) / spent_s:.1f} requests/s of {RATE}, "
        f"{made / spent_s:.1f} of them creations"
    )
