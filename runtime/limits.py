"""An end to waiting: what is closed or stopped gets so many seconds, then the rest goes on."""

import asyncio
from collections.abc import Awaitable


async def within(limit_s: float, work: Awaitable[object]) -> str | None:
    """Await work that ends something, for `limit_s` seconds at the most; None once it is done, else
    why it was left.

    Trouble with it is not raised, since what comes after it has to be ended too. A cancellation of
    the caller is.
    """
    try:
        async with asyncio.timeout(limit_s):
            await work
    except TimeoutError:
        return f"not done within {limit_s:g} s"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None
