"""Background tasks: one that ends unexpectedly is restarted, and the log and the health page say
so."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import structlog

from runtime.backoff import Backoff
from runtime.dead_letters import reason_of
from runtime.metrics import RESTARTS

log = structlog.get_logger()
FIRST_BACKOFF_S, MAX_BACKOFF_S = 1.0, 60.0
SETTLED_S = 60.0  # a task that has run so long since it was begun again is told of no more


class EndedUnasked(Exception):
    """Work that goes on for ever came to an end, or somebody else's cancellation reached it."""


async def unasked(work: Awaitable[None], *, lasts: bool = True) -> None:
    """Await work, and let nothing end it in silence. Raises EndedUnasked where it is cancelled
    although this task is not (a TaskGroup would take that for a wish), and where work that `lasts`
    returns."""
    try:
        await work
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise EndedUnasked("cancelled from within") from error
    if lasts:
        raise EndedUnasked("it came to an end")


def first_of(error: BaseException) -> BaseException:
    """A single error of a group, however deep; an error that is none itself."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


@dataclass
class _Trouble:
    words: str
    tenant: str | None
    times: int = 0
    waits: bool = True  # for its next beginning
    begun_s: float = 0.0


class Background:
    """The background tasks of one service. What ends unasked is begun again after a pause that
    doubles from FIRST_BACKOFF_S to MAX_BACKOFF_S, for as long as it does not run for SETTLED_S.
    `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._tasks: set[asyncio.Task[None]] = set()
        self._troubles: dict[str, _Trouble] = {}

    def begin(
        self,
        what: str,
        work: Callable[[], Awaitable[None]],
        *,
        tenant: str | None = None,
        lasts: bool = True,
        counted_as: str | None = None,
    ) -> asyncio.Task[None]:
        """Keep work going under a name, which says whose it is where it is a tenant's. Work that
        does not last has done its task when it returns. `counted_as` names it in the metrics where
        its name holds an id."""
        task = asyncio.create_task(
            self._keep(what, work, tenant, lasts, counted_as or what), name=what
        )
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def cancel(self) -> None:
        """End all tasks, without waiting for them."""
        for task in self._tasks:
            task.cancel()

    async def stop(self) -> None:
        """End all tasks."""
        self.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def troubles(self, tenant: str | None = None) -> dict[str, str]:
        """By the names of tasks, why they ended and how often; those of a tenant with those of
        none, or all."""
        now_s = self._clock()
        return {
            what: f"ended unasked and is begun again, {_times(held.times)}: {held.words}"
            for what, held in sorted(self._troubles.items())
            if (held.waits or now_s - held.begun_s < SETTLED_S)
            and tenant in (None, held.tenant or tenant)
        }

    def problem(self) -> str | None:
        """All of it in one line, or None."""
        return "; ".join(f"{what} {words}" for what, words in self.troubles().items()) or None

    async def _keep(
        self,
        what: str,
        work: Callable[[], Awaitable[None]],
        tenant: str | None,
        lasts: bool,
        counted_as: str,
    ) -> None:
        backoff = Backoff(FIRST_BACKOFF_S, MAX_BACKOFF_S)
        try:
            while True:
                begun_s = self._clock()
                try:
                    await unasked(work(), lasts=lasts)
                except Exception as error:
                    if self._clock() - begun_s >= SETTLED_S:
                        backoff.begin_again()
                    RESTARTS.labels(counted_as).inc()
                    trouble = self._ended(what, tenant, error, backoff.next_s)
                else:
                    return
                await backoff.pause()
                trouble.waits, trouble.begun_s = False, self._clock()
        finally:
            self._troubles.pop(what, None)

    def _ended(
        self, what: str, tenant: str | None, error: Exception, again_in_s: float
    ) -> _Trouble:
        trouble = self._troubles.setdefault(what, _Trouble("", tenant))
        trouble.words, trouble.waits = " ".join(reason_of(error).split()), True
        trouble.times += 1
        log.critical(
            "task.again",
            task=what,
            times=trouble.times,
            reason=trouble.words,
            again_in_s=again_in_s,
            exc_info=error,
        )
        return trouble


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def background(
    work: Coroutine[Any, Any, None], what: str, died: Callable[[str], None] = lambda _words: None
) -> asyncio.Task[None]:
    """Start work that is done once and not again. `died(words)` is called where an error ends it;
    who cancels it knows."""
    task = asyncio.create_task(work, name=what)

    def ended(done: asyncio.Task[None]) -> None:
        if not done.cancelled() and (error := done.exception()) is not None:
            words = f"{what} has ended: {reason_of(error)}"
            log.critical("background.died", what=what, reason=reason_of(error))
            died(words)

    task.add_done_callback(ended)
    return task
