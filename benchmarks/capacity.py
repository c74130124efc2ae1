"""What one key carries, on a clock that jumps from wait to wait: the limiters of both vendors as
the services use them, vendors that answer in `ANSWER_S`, and no other cost.

How long a first backfill of many records takes, by the calls that each costs, and what edits beside
it do to it and wait; at which interval
the tenants of one subscription key of Go are polled when there are many, with what an edit waits
meanwhile; and how long an edit in Go waits for the poll that shows it where one tenant is polled
as often as its key allows, as in the demo.
"""

import asyncio
import itertools
import random
import selectors
import statistics
from collections.abc import AsyncIterator, Callable, Coroutine
from functools import partial
from typing import Any

from contracts.settings.vendors import PowerOfficeSettings
from runtime.rate_limiter import BULK, LIVE, READ, RateLimiter
from services.chargebee_adapter.client import BURST

ANSWER_S = 0.15
CONCURRENT = 8  # connections of a key
TENANTS = (1, 50, 300)
# Customers, products, sales orders, invoices by sending, invoices by balance: one call each when
# idle. The last two are asked for by one loop.
LISTS = 5
EAGER_S, SWEEP_S, SWEPT = 0.5, 5.0, 4  # between polls and sweeps of the demo, calls of a sweep
EAGER_FOR_S, SIMULATOR_S = 1200.0, 0.02  # a simulator answers sooner than a vendor
HOURS = 2
EDIT_EVERY_S = 20.0
BESIDE = (
    ("one edit only", 1e9),
    ("an edit in 20 s", 20.0),
    ("an edit in 3 s", 3.0),
    ("an edit in 0.6 s", 0.6),
)
BESIDE_FOR_S = 600.0
EDITS = (("nobody edits in Chargebee", 1e9), ("an edit of Chargebee each 1.5 s", 1.5))
CHARGEBEE_PER_MINUTE = 1000  # of a production site; a test site allows 150
# The calls to Go and to Chargebee for one record that does not exist on the other side.
BACKFILLS = (
    ("customers, Chargebee to Go", 1, 0),
    ("customers, Go to Chargebee", 0, 1),
    ("products, Chargebee to Go", 1, 1),
)


class _Jumping(asyncio.SelectorEventLoop):
    """A loop whose clock jumps to the next timer instead of waiting for it."""

    def __init__(self) -> None:
        self._now_s = 0.0
        loop = self

        class Selector(selectors.SelectSelector):
            def select(self, timeout: float | None = None) -> Any:
                loop._now_s += timeout or 0.0
                return super().select(0)

        super().__init__(Selector())

    def time(self) -> float:
        return self._now_s


def jumping(work: Callable[[Callable[[], float]], Coroutine[Any, Any, str]]) -> str:
    """The result of `work`, which gets the clock and is run on it."""
    loop = _Jumping()
    try:
        return loop.run_until_complete(work(loop.time))
    finally:
        loop.close()


async def measure(count: int) -> AsyncIterator[str]:
    """Two tables: backfills of `count` records, and tenants of one key."""
    yield f"| backfill of {count:,} records | to Go | to Chargebee | hours |"
    yield "|---|---|---|---|"
    for name, go, chargebee in BACKFILLS:
        work = partial(_backfill, count=count, name=name, go=go, chargebee=chargebee)
        yield await asyncio.to_thread(jumping, work)
    yield ""
    yield "| backfill of Go beside | creations/s | an edit waits, p50 | p99 |"
    yield "|---|---|---|---|"
    for name, edit_every_s in BESIDE:
        work = partial(_beside, name=name, edit_every_s=edit_every_s)
        yield await asyncio.to_thread(jumping, work)
    yield ""
    yield "| tenants of a key of Go | each list is polled every | an edit waits, p99 | requests/s |"
    yield "|---|---|---|---|"
    for tenants in TENANTS:
        yield await asyncio.to_thread(jumping, partial(_tenants, tenants=tenants))
    yield ""
    yield "| one tenant, polls of the demo | each list is polled every | Go's edit is seen, p50 |"
    yield "|---|---|---|"
    for name, edit_every_s in EDITS:
        work = partial(_eager, name=name, edit_every_s=edit_every_s)
        yield await asyncio.to_thread(jumping, work)


async def _backfill(
    clock: Callable[[], float], count: int, name: str, go: int, chargebee: int
) -> str:
    ours = RateLimiter.counted(10, clock=clock)
    theirs = RateLimiter(CHARGEBEE_PER_MINUTE, 60.0, BURST, clock=clock)
    await asyncio.gather(_sent(ours, count * go), _sent(theirs, count * chargebee))
    return f"| {name} | {count * go:,} | {count * chargebee:,} | {clock() / 3600:.1f} |"


async def _sent(limiter: RateLimiter, calls: int) -> None:
    left = iter(range(calls))

    async def one() -> None:
        for _ in left:
            await limiter.acquire(BULK)
            await asyncio.sleep(ANSWER_S)

    await asyncio.gather(*(one() for _ in range(CONCURRENT)))


async def _beside(clock: Callable[[], float], name: str, edit_every_s: float) -> str:
    """Creations that take all they may, and edits at uneven intervals."""
    limiter, waits, chance = RateLimiter.counted(10, clock=clock), [], random.Random(1)

    async def editing() -> None:
        while clock() < BESIDE_FOR_S:
            await asyncio.sleep(min(BESIDE_FOR_S, edit_every_s * chance.uniform(0.5, 1.5)))
            asked_s = clock()
            await limiter.acquire(LIVE)
            waits.append(clock() - asked_s)

    edits = asyncio.create_task(editing())
    made = 0

    async def creating() -> None:
        nonlocal made
        while clock() < BESIDE_FOR_S:
            await limiter.acquire(BULK)
            made += 1
            await asyncio.sleep(ANSWER_S)

    await asyncio.gather(edits, *(creating() for _ in range(CONCURRENT)))
    ordered = sorted(waits)
    cells = [1000 * ordered[int(len(ordered) * part)] for part in (0.5, 0.99)]
    return f"| {name} | {made / BESIDE_FOR_S:.1f} | {cells[0]:.0f} ms | {cells[1]:.0f} ms |"


async def _tenants(clock: Callable[[], float], tenants: int) -> str:
    limiter = RateLimiter.counted(10, clock=clock)
    idle_s = PowerOfficeSettings.model_fields["poll_max_s"].default
    end_s, gaps, waits = HOURS * 3600, [], []

    async def polling(number: int) -> None:
        await asyncio.sleep(number * idle_s / (tenants * LISTS))
        before_s = None
        while clock() < end_s:
            await limiter.acquire(READ)
            await asyncio.sleep(ANSWER_S)
            if before_s is not None:
                gaps.append(clock() - before_s)
            before_s = clock()
            await asyncio.sleep(idle_s)

    async def editing() -> None:
        while clock() < end_s:
            await asyncio.sleep(EDIT_EVERY_S)
            asked_s = clock()
            await limiter.acquire(LIVE)
            waits.append(clock() - asked_s)

    await asyncio.gather(editing(), *(polling(number) for number in range(tenants * LISTS)))
    worst_ms = 1000 * sorted(waits)[int(len(waits) * 0.99)]
    rate = limiter.taken / clock()
    return f"| {tenants} | {statistics.median(gaps):.0f} s | {worst_ms:.0f} ms | {rate:.1f} |"


async def _eager(clock: Callable[[], float], name: str, edit_every_s: float) -> str:
    """How often the lists that show edits are asked, with sweeps and edits of Chargebee beside."""
    limiter = RateLimiter.counted(10, clock=clock)
    asked: dict[int, list[float]] = {}

    async def polling(*numbers: int) -> None:
        while clock() < EAGER_FOR_S:
            for number in numbers:
                await limiter.acquire(READ)
                asked.setdefault(number, []).append(clock())
                await asyncio.sleep(SIMULATOR_S)
            await asyncio.sleep(EAGER_S)

    async def sweeping() -> None:
        while clock() < EAGER_FOR_S:
            await asyncio.sleep(SWEEP_S)
            for _ in range(SWEPT):
                await limiter.acquire(BULK)
                await asyncio.sleep(SIMULATOR_S)

    async def editing() -> None:
        while clock() + edit_every_s < EAGER_FOR_S:
            await asyncio.sleep(edit_every_s)
            await limiter.acquire(LIVE)

    await asyncio.gather(polling(0), polling(1), polling(2), polling(3, 4), sweeping(), editing())
    gaps = [
        later - before
        for number in (0, 1, 2)
        for before, later in itertools.pairwise(asked[number])
    ]
    # Of a moment taken at random: how long until the next asking, and its answer.
    moments = [
        gap * part / 20 for gap in gaps for part in range(20) for _ in range(round(gap * 10))
    ]
    shown_ms = 1000 * (statistics.median(moments) + SIMULATOR_S)
    return f"| {name} | {1000 * statistics.median(gaps):.0f} ms | {shown_ms:.0f} ms |"
