"""Transports to put under a client's own."""

from collections.abc import Callable

import httpx


class Showing(httpx.AsyncBaseTransport):
    """Shows each request to `look` at the moment it goes out, and sends it."""

    def __init__(self, look: Callable[[httpx.Request], None]) -> None:
        self._look, self._inner = look, httpx.AsyncHTTPTransport(trust_env=False)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._look(request)
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()
