"""Pauses that double."""

import asyncio

import pytest

from runtime.backoff import Backoff


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr("runtime.backoff.asyncio.sleep", sleep)
    return pauses


def test_pauses_double_to_the_longest_and_begin_again(slept: list[float]) -> None:
    async def scenario() -> None:
        backoff = Backoff(0.5, 3.0)
        for _ in range(5):
            await backoff.pause()
        assert backoff.next_s == 3.0
        backoff.begin_again()
        await backoff.pause(at_least_s=2.0)
        await backoff.pause(at_least_s=0.1)

    asyncio.run(scenario())
    assert slept == [0.5, 1.0, 2.0, 3.0, 3.0, 2.0, 1.0]


def test_a_jitter_moves_a_pause_by_its_share(slept: list[float]) -> None:
    async def scenario() -> None:
        for _ in range(200):
            await Backoff(10.0, 10.0).pause(jitter=0.3)

    asyncio.run(scenario())
    assert 7.0 <= min(slept) < 9.0 < 11.0 < max(slept) <= 13.0
