"""Who may call next, on a clock that the test turns."""

import asyncio

import pytest

from runtime.vendor import BULK, LIVE, READ, RateLimiter


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
