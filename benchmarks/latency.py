"""How long an edit takes from one vendor's answer to the other's, how many calls it costs, and how
much of the allowed rate a backfill uses: the real services between the simulators, which answer at
once and count requests as the vendors do.

Edits of one field, one after another, at uneven intervals. A scene begins with `CUSTOMERS` linked
customers; in the last one as many new ones as are asked for are being created in Go meanwhile,
beside edits as a script makes them, beside edits as a person makes them, and alone.
"""

import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import NamedTuple

from contracts.entities import SYSTEMS, System, other
from runtime.rate_limiter import LIVE_LATELY_S
from services.chargebee_adapter.source import CLOCK_SKEW_S
from tests.system.rig import Rig
from tests.waiting import wait_for

CUSTOMERS = 20
# What the events of the last minute tell of is live, also during a first reading.
EVENTS_ARE_OLD_S = CLOCK_SKEW_S + 2
EDITS, SLOW_EDITS = 40, 15
GAP_S, SLOW_GAP_S = (0.3, 0.9), (2.0, 4.0)
ALONE_S = 20.0  # so long a backfill is looked at while nobody edits
RATE = 10  # requests a second that Go allows a key
_PREFIX = "TANDEM_TENANTS__DEMO__POWEROFFICE__"
USUAL = {f"{_PREFIX}POLL_MIN_S": "5", f"{_PREFIX}POLL_MAX_S": "60"}  # the delivered settings
EAGER = {f"{_PREFIX}POLL_MIN_S": "0.5", f"{_PREFIX}POLL_MAX_S": "0.5"}  # those of the demo


class Figures(NamedTuple):
    """Milliseconds from edit to write, and calls to the other vendor for each edit."""

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
    """A table of the scenes; then what the backfill of the last one used."""
    lines = _scenes(bootstrap, count)
    while (line := await asyncio.to_thread(next, lines, None)) is not None:
        yield line


def _scenes(bootstrap: str, count: int) -> Iterator[str]:
    yield "| edits | p50 ms | p99 ms | calls to the other vendor for each | 429 |"
    yield "|---|---|---|---|---|"
    with _Scene(bootstrap, USUAL, CUSTOMERS) as rig:
        yield _edited(rig, "chargebee").line("in Chargebee, delivered settings")
    with _Scene(bootstrap, EAGER, CUSTOMERS) as rig:
        yield _edited(rig, "chargebee").line("in Chargebee, polls of the demo")
        yield _edited(rig, "poweroffice").line("in Go, polls of the demo")
    used = []
    with _Scene(bootstrap, USUAL, CUSTOMERS + count, linked=CUSTOMERS) as rig:
        begun_s = time.time()
        yield _edited(rig, "chargebee").line("in Chargebee, during a backfill")
        used.append(_backfill(rig, begun_s, "beside these edits"))
        begun_s = time.time()
        slowly = _edited(rig, "chargebee", SLOW_EDITS, SLOW_GAP_S)
        yield slowly.line("in Chargebee, one in three seconds, during a backfill")
        used.append(_backfill(rig, begun_s, "beside one edit in three seconds"))
        time.sleep(LIVE_LATELY_S)
        begun_s = time.time()
        time.sleep(ALONE_S)
        used.append(_backfill(rig, begun_s, "a minute after the last edit"))
    yield from used


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
        if self._linked < self._customers:
            time.sleep(EVENTS_ARE_OLD_S)
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
    return list(rig.requests(system, log=True)["log"])


def _edited(
    rig: Rig, begins_in: System, count: int = EDITS, gap_s: tuple[float, float] = GAP_S
) -> Figures:
    chance, edited_s, target = random.Random(1), [], other(begins_in)
    pairs = [
        (str(each["ExternalImportReference"])[3:], each["Id"])
        for each in rig.go_customers()[:CUSTOMERS]
    ]
    for system in SYSTEMS:
        rig.control.post(f"{rig.url(system)}/_sim/requests/clear")
    for number in range(count):
        time.sleep(chance.uniform(*gap_s))
        ours, theirs = pairs[number % len(pairs)]
        if begins_in == "chargebee":
            rig.act(f"/customers/{ours}", "customer", phone=f"+47 {count}{number:06}")
        else:
            rig.go_edit(f"/Customers/{theirs}", PhoneNumber=f"+47 {count}{number:06}")
        edited_s.append(time.time())

    def written() -> list[float]:
        return [float(str(each["at"])) for each in _of_record(rig, target) if _is_update(each)]

    written_s = wait_for("edits arrive", written, lambda found: len(found) >= count)
    calls: dict[str, float] = {}
    for each in _of_record(rig, target):
        name = str(each["method"])
        calls[name] = calls.get(name, 0) + 1 / count
    refused = sum(each["status"] == 429 for each in log(rig, target))
    ms = [1000 * (there - here) for here, there in zip(edited_s, written_s, strict=False)]
    return Figures(ms, calls, refused)


def _of_record(rig: Rig, system: System) -> list[dict[str, object]]:
    """The requests to a vendor that name one customer."""
    start = "/customers/{" if system == "chargebee" else "/Customers/{"
    return [each for each in log(rig, system) if str(each["path"]).startswith(start)]


def _is_update(entry: dict[str, object]) -> bool:
    return entry["method"] in ("PATCH", "POST") and entry["status"] == 200


def _backfill(rig: Rig, begun_s: float, when: str) -> str:
    """How much of the rate the creations and everything used since."""
    ended_s = time.time()
    during = [each for each in log(rig) if begun_s < float(str(each["at"])) < ended_s]
    spent_s = ended_s - begun_s
    made = sum(each["method"] == "POST" and each["status"] == 201 for each in during)
    return (
        f"backfill {when}: {len(during) / spent_s:.1f} requests/s of {RATE}, "
        f"{made / spent_s:.1f} of them creations"
    )
