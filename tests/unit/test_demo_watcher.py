"""When the demo holds that all has come to rest, and when it gives up; on a clock that the test
turns."""

import asyncio
import itertools
from typing import Any

import msgspec
import pytest

from contracts.messages import Cursor
from contracts.settings import KafkaSettings, Settings, Tenant
from demo import watcher
from demo.watcher import ENDLESS_S, STUCK_S, Watcher
from tests.flow.memory import PREFIX, consumer_record

BEFORE, AFTER = "2026-11-20T10:00:00.000000Z", "2026-11-20T10:00:05.000000Z"


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Watcher:
    """A tenant with nothing left to do; each look at the clock is a second later."""
    tenant = Tenant.model_validate(
        {
            "chargebee": {"site": "x", "api_key": "k", "prices": "net"},
            "poweroffice": {
                "environment": "demo",
                "application_key": "a",
                "client_key": "c",
                "subscription_key": "s",
            },
        }
    )
    settings = Settings(
        kafka=KafkaSettings(topic_prefix=PREFIX, partitions=1), tenants={"demo": tenant}
    )
    seconds = itertools.count()
    held = Watcher(settings, "demo", clock=lambda: float(next(seconds)))
    monkeypatch.setattr(watcher, "LOOK_S", 0)
    monkeypatch.setattr(held.progress, "unfinished", list)
    return held


def swept(held: Watcher, at: str | None) -> None:
    cursor = Cursor(
        tenant="demo", system="poweroffice", entity="health", at=AFTER, value={"last_sweep_at": at}
    )
    held._take(consumer_record("cursors", msgspec.json.encode(cursor)))


def test_a_sweep_that_is_late_is_waited_for(watched: Watcher) -> None:
    """However long it takes: what was swept before the last edit says nothing about it."""
    swept(watched, None)
    swept(watched, BEFORE)
    looks: Any = itertools.count()

    def unfinished() -> list[str]:
        if next(looks) == STUCK_S / 2:
            swept(watched, AFTER)
        return []

    watched.progress.unfinished = unfinished  # type: ignore[method-assign]
    assert asyncio.run(watched.until_quiet(1.5, swept_since=AFTER)) == []
    assert next(looks) > STUCK_S / 2


def test_what_moves_is_not_given_up_and_what_stands_still_is(watched: Watcher) -> None:
    """The reasons are told; a busy machine moves slowly, but it moves."""
    left = iter(range(300))

    def unfinished() -> list[str]:
        if next(left, None) is None:
            return ["order 7 is waiting"]
        watched._take(consumer_record("links", None, key=b"demo/customer/kari"))
        return ["customer kari is pending"]

    watched.progress.unfinished = unfinished  # type: ignore[method-assign]
    assert asyncio.run(watched.until_quiet(1.5)) == ["order 7 is waiting"]
    assert next(left, None) is None


def test_what_never_comes_to_rest_is_given_up_too(watched: Watcher) -> None:
    """An echo that goes to and fro for ever would be a fault of the sync."""
    looks = itertools.count()

    def unfinished() -> list[str]:
        next(looks)
        watched._take(consumer_record("links", None, key=b"demo/customer/kari"))
        return []

    watched.progress.unfinished = unfinished  # type: ignore[method-assign]
    assert asyncio.run(watched.until_quiet(5)) == ["something still moves"]
    assert next(looks) > ENDLESS_S / 3
