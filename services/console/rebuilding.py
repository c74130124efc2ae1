"""Comparing maps of ids, and waiting for the linker to have read its map anew."""

import asyncio
import time
from collections.abc import Callable
from typing import Any, TypeVar

from services.console.base import FAILED, Meant, run, stop
from services.console.mirror import mirror
from services.console.model import ReadModel

WAIT_S, LOOK_S = 600.0, 0.3
Pairs = list[dict[str, str]]
_T = TypeVar("_T")


def compare_pairs(before: Pairs, after: Pairs) -> tuple[Pairs, Pairs]:
    """The pairs that are no longer linked, and those that newly are."""
    held, found = ({tuple(pair.values()) for pair in pairs} for pairs in (before, after))
    return (
        [pair for pair in before if tuple(pair.values()) not in found],
        [pair for pair in after if tuple(pair.values()) not in held],
    )


def until_reloaded(about: Meant, signal_id: str) -> dict[str, Any]:
    """What the linker found when it read its map anew; ends the command when it does not."""

    def found(model: ReadModel) -> dict[str, Any] | None:
        fact = model.fact(about.tenant, "reload", "~") or {}
        return fact if (fact.get("signal"), fact.get("state")) == (signal_id, "done") else None

    return _until(
        about, found, "the linker has not read its map anew yet; tandem status shows how it fares"
    )


def until_planned(about: Meant) -> None:
    """Return once no link waits for its first look any more; ends the command when that does not
    come."""

    def found(model: ReadModel) -> bool:
        return next(model.links(about.tenant, state="pending"), None) is None

    _until(about, found, "links are still pending; tandem status shows how they fare")


def _until(about: Meant, look: Callable[[ReadModel], _T | None], words: str) -> _T:
    async def work() -> _T | None:
        until_s = time.monotonic() + WAIT_S
        async with mirror(about.settings) as held:
            while time.monotonic() < until_s:
                await held.to_the_end()
                if found := look(held.model):
                    return found
                await asyncio.sleep(LOOK_S)
        return None

    answer = run(about.settings, work())
    if not answer:
        stop(words, FAILED)
    return answer
