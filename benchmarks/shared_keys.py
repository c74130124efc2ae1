"""What N customers a side on one e-mail cost the linker's decisions: each size against half of it,
in one run.

No Kafka: `decide` on a store in memory, in the order of the first backfill. All are read, the
barrier opens and every record is planned; then one phone is edited. Names differ, so that each is
left to a person. Work for each record that does not grow with N has ratios of 1.
"""

import statistics
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any, NamedTuple

from benchmarks.linker import customer
from contracts.entities import SYSTEMS, System
from contracts.messages import Observed, Signal, SnapshotCompleted
from services.linker.decide import Message, decide
from services.linker.state import Policy
from services.linker.store import Overlay, Store

SMALLEST = 250
ENOUGH_S = 120.0  # a size that would take more CPU than this is left out
EDITS = 5
NOW = "2026-11-23T12:00:00.000000Z"
COLUMNS = ("CPU us/record", "largest link B", "one edit us")


class Cost(NamedTuple):
    """Of one size: CPU per record read and planned, size of the largest link, CPU of one edit
    (median)."""

    cpu_us: float
    largest_bytes: float
    edit_us: float


async def measure(most: int) -> AsyncIterator[str]:
    """A row for each size from SMALLEST to `most` customers a side, doubling; each figure with its
    ratio to the row before."""
    yield "customers a side" + "".join(f"{name:>18}{'ratio':>7}" for name in COLUMNS)
    size, before, spent_s, growth = min(SMALLEST, most), None, 0.0, 8.0
    while size <= most:
        if (expected_s := spent_s * growth) > ENOUGH_S:
            yield f"{size:>16,}  left out: it would take about {expected_s:,.0f} s of CPU"
            return
        cost = cost_of(size)
        yield f"{size:>16,}" + "".join(
            f"{figure:>18,.0f}{f'{figure / before[number]:.1f}' if before else '':>7}"
            for number, figure in enumerate(cost)
        )
        now_s = cost.cpu_us * 2 * size / 1e6
        size, before, spent_s, growth = (
            2 * size,
            cost,
            now_s,
            now_s / spent_s if spent_s else growth,
        )


def cost_of(size: int) -> Cost:
    """Measure one size in a store of its own."""
    store = Store("bench", Policy(mode="sync", start_orders="2026-01-01"))

    def arrive() -> None:
        for number in range(size):
            for system in SYSTEMS:
                say(store, _observed(system, number, 1))
        for system in SYSTEMS:
            say(
                store,
                SnapshotCompleted(
                    tenant="bench",
                    system=system,
                    entity="customer",
                    snapshot="s",
                    records=size,
                    completed_at=NOW,
                ),
            )

    cpu_s = _cpu_s(arrive)
    edits = [
        _cpu_s(lambda number=number: say(store, _observed("chargebee", number, 2)))  # type: ignore[misc]
        for number in range(EDITS)
    ]
    return Cost(
        cpu_s / (2 * size) * 1e6,
        max(map(len, store.links.values())),
        statistics.median(edits) * 1e6,
    )


def say(store: Store, message: Message) -> None:
    """Decide a message and the signals that it sends to the linker itself."""
    waiting = deque([message])
    while waiting:
        state, outputs = decide(store.child(), waiting.popleft(), NOW)
        assert isinstance(state, Overlay)
        store.absorb(state)
        waiting.extend(each for each in outputs if isinstance(each, Signal))


def _observed(system: System, number: int, version: int) -> Observed:
    name = "Nordmann" if system == "chargebee" else "Hansen"
    data: dict[str, Any] = {
        **customer(number, version),
        "last_name": f"{name}-{number}",
        "email": "post@eksempel.no",
    }
    return Observed(
        tenant="bench",
        system=system,
        entity="customer",
        mapping=1,
        version=f"{version:013d}",
        observed_at=NOW,
        id=f"kari-{number}" if system == "chargebee" else str(1_000_000 + number),
        data=data,
    )


def _cpu_s(work: Callable[[], None]) -> float:
    begun_s = time.process_time()
    work()
    return time.process_time() - begun_s
