"""Limits on HTTP connections and requests: how many at once, how long each may take to send its
request, and how large that may be."""

import asyncio

import h11
from starlette.requests import Request
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_WITHIN_S = 10.0
MAX_CONNECTIONS = 256


class Bounded(H11Protocol):
    """HTTP/1.1 whose request heads arrive within `head_within_s` seconds of their first byte, and
    the first one of the connection's opening: 408 otherwise. At most `max_connections` at once in
    this process; the next one gets 503."""

    head_within_s = HEAD_WITHIN_S
    max_connections = MAX_CONNECTIONS
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.max_connections:
            self._end(b"503 Service Unavailable", b"too many connections at once; try again")
        else:
            self._head_timer = self.loop.call_later(self.head_within_s, self._too_slow)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        super().data_received(data)
        is_idle = self.conn.their_state is h11.IDLE
        if not is_idle:
            self._forget_timer()
        elif self._head_timer is None and self.conn.trailing_data[0]:
            self._head_timer = self.loop.call_later(self.head_within_s, self._too_slow)

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_timer()
        super().connection_lost(exc)

    def _forget_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _too_slow(self) -> None:
        self._end(b"408 Request Timeout", b"the head of the request did not arrive in time")

    def _end(self, status: bytes, words: bytes) -> None:
        head = (
            b"HTTP/1.1 %s\r\ncontent-type: text/plain\r\ncontent-length: %d\r\nconnection: "
            b"close\r\n\r\n"
        )
        self.transport.write(head % (status, len(words)) + words)
        self.transport.close()


async def whole_body(request: Request, most: int) -> bytes | None:
    """The body of a request; None, and no more of it is read, where it is larger than `most`
    bytes."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            return None
    return bytes(body)
