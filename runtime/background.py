"""Work beside the stream: a task that ends by an error says so, in the log and to whoever asks how the process is."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

from runtime.dead_letters import reason_of

log = structlog.get_logger()


def background(
    work: Coroutine[Any, Any, None], what: str, died: Callable[[str], None] = lambda _words: None
) -> asyncio.Task[None]:
    """Start work under a name. `died(words)` is called where an error ends it; who cancels it knows."""
    task = asyncio.create_task(work, name=what)

    def ended(done: asyncio.Task[None]) -> None:
        if not done.cancelled() and (error := done.exception()) is not None:
            words = f"{what} has ended: {reason_of(error)}"
            log.critical("background.died", what=what, reason=reason_of(error))
            died(words)

    task.add_done_callback(ended)
    return task
