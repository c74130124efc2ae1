"""How tests wait: for a fact, until it holds. A verdict says what happened and never how long it
took.

TANDEM_PATIENCE (a number, 1 by default) multiplies every wait, so a slow or busy machine needs one
variable only. All limits here are nets against hanging for ever, far above what a test takes.
"""

import asyncio
import inspect
import os
import time
from collections.abc import Awaitable, Callable
from typing import Any, Literal, TypeVar, overload

PATIENCE = float(os.environ.get("TANDEM_PATIENCE", "1"))
PATIENCE_S = 300.0 * PATIENCE  # of one wait
CAP_S = 6 * PATIENCE_S  # of one test, however many waits it has
NEVER_S = 100 * CAP_S  # a delay that something else ends
FIRST_PAUSE_S, MAX_PAUSE_S = 0.05, 1.0
MAX_SEEN_CHARS = 2000
_T = TypeVar("_T")


@overload
def wait_for(
    what: str, see: Callable[[], _T | Literal[False] | None], *, patience_s: float = ...
) -> _T: ...


@overload
def wait_for(
    what: str, see: Callable[[], _T], holds: Callable[[_T], object], patience_s: float = ...
) -> _T: ...


def wait_for(
    what: str,
    see: Callable[[], Any],
    holds: Callable[[Any], object] = bool,
    patience_s: float = PATIENCE_S,
) -> Any:
    """Ask `see` until its answer holds (is true, unless `holds` judges it), and return that answer.

    Raises AssertionError that names `what` and shows the last answer, when none holds within
    `patience_s`.
    """
    began_s = asked_s = time.monotonic()
    while not holds(seen := see()):
        now_s = time.monotonic()
        if now_s - began_s > patience_s:
            raise AssertionError(_gave_up(what, seen, patience_s))
        time.sleep(_pause_s(now_s - asked_s))
        asked_s = time.monotonic()
    return seen


@overload
async def until(
    what: str,
    see: Callable[[], Awaitable[_T]],
    holds: Callable[[_T], object] = ...,
    patience_s: float = ...,
) -> _T: ...


@overload
async def until(
    what: str, see: Callable[[], _T], holds: Callable[[_T], object] = ..., patience_s: float = ...
) -> _T: ...


async def until(
    what: str,
    see: Callable[[], Any],
    holds: Callable[[Any], object] = bool,
    patience_s: float = PATIENCE_S,
) -> Any:
    """`wait_for` in an event loop, which goes on meanwhile; `see` may be a coroutine function."""
    began_s = asked_s = time.monotonic()
    while not holds(seen := await _answer(see())):
        now_s = time.monotonic()
        if now_s - began_s > patience_s:
            raise AssertionError(_gave_up(what, seen, patience_s))
        await asyncio.sleep(_pause_s(now_s - asked_s))
        asked_s = time.monotonic()
    return seen


async def _answer(seen: Any) -> Any:
    return await seen if inspect.isawaitable(seen) else seen


def _pause_s(took_s: float) -> float:
    """As long as the question took: asking costs at most half a core, which others may need to make
    it true."""
    return min(MAX_PAUSE_S, max(FIRST_PAUSE_S, took_s))


def _gave_up(what: str, seen: object, patience_s: float) -> str:
    shown = repr(seen)
    shown = shown if len(shown) <= MAX_SEEN_CHARS else shown[:MAX_SEEN_CHARS] + "…"
    return (
        f"did not happen within {patience_s:.0f} s: {what}; seen last: {shown} (TANDEM_PATIENCE "
        f"multiplies the wait)"
    )
