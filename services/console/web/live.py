"""Tells the browser when what it shows has changed, as server-sent events."""

import asyncio
from collections.abc import AsyncIterator

from starlette.responses import Response, StreamingResponse

from services.console.web.asked import Asked

LOOK_S, LASTS_S = 1.0, 60.0


async def stream(asked: Asked) -> Response:
    """An event for each change of the read model; ends after a minute, and the browser asks
    again."""

    async def events() -> AsyncIterator[str]:
        loop = asyncio.get_running_loop()
        until_s, seen = loop.time() + LASTS_S, asked.model.changes
        yield "retry: 2000\n\n"
        while loop.time() < until_s:
            await asyncio.sleep(LOOK_S)
            if asked.model.changes != seen:
                seen = asked.model.changes
                yield "event: changed\ndata: 1\n\n"

    return StreamingResponse(events(), media_type="text/event-stream")
