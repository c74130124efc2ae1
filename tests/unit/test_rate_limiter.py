"""Who may call next, on a clock that the test turns."""

import asyncio

import pytest

from runtime.rate_limiter import BULK, LIVE, READ, RateLimiter
from tests.waiting import PATIENCE_S


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    held, real = Clock(), asyncio.sleep

    async def sleep(seconds: float) -> None:
        held.now += seconds
        await real(0)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    return held


async def _served(limiter: RateLimiter, wanted: list[int]) -> list[int]:
    served: list[int] = []

    async def one(priority: int) -> None:
        await limiter.acquire(priority)
        served.append(priority)

    await asyncio.gather(*(one(priority) for priority in wanted))
    return served


def test_tokens_come_at_the_rate(clock: Clock) -> None:
    """Ten a second without a burst: twenty calls take 1.9 s of the clock."""
    asyncio.run(_served(RateLimiter(10, 1.0, 1.0, clock=clock), [READ] * 20))
    assert clock.now == pytest.approx(1.9)


def test_live_first_and_reads_keep_a_share_beside_a_backfill(clock: Clock) -> None:
    """An edit never waits behind a backfill; polling gets one token in five meanwhile."""
    wanted = [BULK] * 8 + [READ] * 3 + [LIVE]
    served = asyncio.run(_served(RateLimiter(10, 1.0, 1.0, clock=clock), wanted))
    assert served == [LIVE, BULK, BULK, BULK, BULK, READ, BULK, BULK, BULK, BULK, READ, READ]


def test_a_pause_stops_everybody(clock: Clock) -> None:
    """A 429 pauses the whole bucket, and the bucket begins empty."""
    limiter = RateLimiter(10, 1.0, 5.0, clock=clock)
    limiter.pause(3.0)
    asyncio.run(_served(limiter, [LIVE, LIVE]))
    assert clock.now == pytest.approx(3.2)


def test_no_rate_is_no_limit(clock: Clock) -> None:
    """A rate of 0 lets everything through."""
    limiter = RateLimiter(0, 1.0, 1.0, clock=clock)
    assert len(asyncio.run(_served(limiter, [READ] * 50))) == 50
    assert (clock.now, limiter.taken) == (0.0, 50)


def test_a_live_call_waits_for_no_token_while_others_are_spread(clock: Clock) -> None:
    """What a vendor counts by the second may go out at once; the debt falls on the others."""
    limiter = RateLimiter.counted(10, clock=clock)
    asyncio.run(_served(limiter, [BULK] * 2))
    before = clock.now
    asyncio.run(_served(limiter, [LIVE] * 3))
    assert clock.now == before
    asyncio.run(_served(limiter, [BULK]))
    assert clock.now - before == pytest.approx(4 * 0.105)


@pytest.mark.parametrize("priority", [LIVE, READ, BULK])
def test_no_second_holds_more_calls_than_the_vendor_counts(clock: Clock, priority: int) -> None:
    """Ten of any second at the most, whoever calls, and while many do."""

    async def scene() -> list[float]:
        limiter, sent = RateLimiter.counted(10, clock=clock), []

        async def one(priority: int) -> None:
            await limiter.acquire(priority)
            sent.append(clock.now)

        await asyncio.gather(*(one(each) for each in [priority] * 60 + [LIVE] * 25 + [BULK] * 30))
        return sent

    sent = asyncio.run(scene())
    for begin in sent:
        assert sum(begin <= at < begin + 1.0 for at in sent) <= 10


def test_a_backfill_uses_the_rate_and_reading_all_but_a_place(clock: Clock) -> None:
    """95 % of a counted rate, less what the margin of a window costs; polls leave the last place
    of it."""
    limiter = RateLimiter.counted(10, clock=clock)
    asyncio.run(_served(limiter, [BULK] * 100))
    assert 99 / clock.now >= 9.5
    before = clock.now
    asyncio.run(_served(limiter, [READ] * 100))
    assert 8.4 <= 99 / (clock.now - before) <= 8.6


@pytest.mark.parametrize("other", [READ, BULK])
def test_an_edit_finds_a_place_as_soon_as_the_one_before_has_made_room(
    clock: Clock, other: int
) -> None:
    """Two at once, again and again, beside polls or a backfill that take all they may: the first
    waits for nothing, the second for the next place, which is there after a token's time."""
    limiter = RateLimiter.counted(10, clock=clock)
    firsts: list[float] = []
    seconds: list[float] = []

    async def scene() -> None:
        others = [asyncio.create_task(limiter.acquire(other)) for _ in range(400)]
        await limiter.acquire(LIVE)
        for done in range(3, 63, 3):
            await others[done]  # some three tenths of a second later
            for waits in (firsts, seconds):
                before = clock.now
                await limiter.acquire(LIVE)
                waits.append(clock.now - before)
        for task in others:
            task.cancel()

    asyncio.run(scene())
    assert max(firsts[1:]) <= 0.01
    assert max(seconds) <= 0.14


def test_a_place_is_kept_for_edits_while_there_are_some(clock: Clock) -> None:
    """Beside a backfill, an edit that follows another finds a place of the window free."""
    limiter = RateLimiter.counted(10, clock=clock)
    waits = []

    async def scene() -> None:
        bulk = [asyncio.create_task(limiter.acquire(BULK)) for _ in range(200)]
        for _ in range(10):
            for _ in range(20):
                await asyncio.sleep(0)
            before = clock.now
            await limiter.acquire(LIVE)
            waits.append(clock.now - before)
        for task in bulk:
            task.cancel()

    asyncio.run(scene())
    assert max(waits[1:]) == 0


def test_a_live_call_does_not_sleep_behind_the_turn_of_another(clock: Clock) -> None:
    """Whoever is waiting, a live call that may go now goes now."""

    async def scene() -> float:
        limiter = RateLimiter.counted(10, clock=clock)
        slept = asyncio.Event()

        async def sleep(_: float) -> None:
            await slept.wait()

        await limiter.acquire(BULK)
        waiting = asyncio.create_task(limiter.acquire(BULK))
        real, asyncio.sleep = asyncio.sleep, sleep  # type: ignore[assignment]
        try:
            await real(0)
            await real(0)
            await asyncio.wait_for(limiter.acquire(LIVE), PATIENCE_S)
        finally:
            asyncio.sleep = real
            waiting.cancel()
        return clock.now

    assert asyncio.run(scene()) == 0
