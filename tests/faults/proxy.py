"""An HTTP proxy between the adapters and the vendors, and between Chargebee and the webhook, that
breaks what goes through it by a schedule of its own.

It knows HTTP and the two vendors' ways to complain, and imports neither the product nor the
simulators.
"""

import asyncio
import json
import threading
import time
from collections import Counter
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import httpx

from tests.faults.weather import (
    CALM,
    SHORT,
    Fault,
    fault_of,
    is_listing,
    kind_of,
    number_of,
)

HOP = {"connection", "transfer-encoding", "content-encoding", "content-length", "keep-alive"}
TOKEN_PATH = "/OAuth/Token"
UPSTREAM_S = 600.0
HTML = b"<html><head><title>502 Bad Gateway</title></head><body>Bad Gateway</body></html>"
ROUTES = ("chargebee", "poweroffice", "webhook")


@dataclass(frozen=True)
class Passed:
    """A write that reached a vendor: `at` monotonic seconds when its answer was there."""

    at: float
    system: str
    kind: str
    target: str
    body: bytes
    status: int
    fault: Fault | None


@dataclass(frozen=True)
class _Request:
    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


class FaultProxy:
    """Three listening ports in one thread. `upstream` gives the address behind each of ROUTES.

    `weather` may be changed at any time. `faults` counts what was done to requests, `writes` keeps
    every write that came through. Needs `with`.
    """

    def __init__(self, seed: object, upstream: Mapping[str, str]) -> None:
        self.seed, self.weather = seed, CALM
        self.faults: Counter[str] = Counter()
        self.writes: list[Passed] = []
        self.ports: dict[str, int] = {}
        self._upstream = dict(upstream)
        self._counts: Counter[str] = Counter()
        self._late: list[_Request] = []
        self._released = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault-proxy")
        self._client: httpx.AsyncClient
        self._servers: list[asyncio.Server] = []

    def __enter__(self) -> Self:
        self._thread.start()
        self._run(self._open())
        return self

    def __exit__(self, *_: object) -> None:
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def url(self, route: str) -> str:
        return f"http://127.0.0.1:{self.ports[route]}"

    def lead(self, route: str, upstream: str) -> None:
        """Another address behind a route from now on."""
        self._upstream[route] = upstream

    def deliver_late(self) -> int:
        """Deliver every webhook that was kept back as late, the newest first; how many."""
        late, self._late = self._late[::-1], []
        for request in late:
            self._run(self._pass_on("webhook", request))
        return len(late)

    def release(self) -> None:
        """Let every request go on that was kept, whoever waits for its answer by now."""

        async def let_go() -> None:
            self._released.set()
            self._released = asyncio.Event()

        self._run(let_go())

    # -- in the loop's thread

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _open(self) -> None:
        self._client = httpx.AsyncClient(timeout=UPSTREAM_S, trust_env=False)
        for route in ROUTES:
            server = await asyncio.start_server(partial(self._serve, route), "127.0.0.1", 0)
            self._servers.append(server)
            self.ports[route] = server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        for server in self._servers:
            server.close()
        mine = asyncio.current_task()
        others = [task for task in asyncio.all_tasks() if task is not mine]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self._client.aclose()

    async def _serve(
        self, route: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            while (request := await _read(reader)) is not None:
                if not await self._answer(route, request, writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        except asyncio.CancelledError:
            pass  # the proxy closes; the stream's own callback would complain of it
        finally:
            writer.close()

    async def _answer(self, route: str, request: _Request, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; False when the connection was cut."""
        kind = "webhook" if route == "webhook" else kind_of(request.method, request.target)
        counted = f"{route} {kind}"
        self._counts[counted] += 1
        is_token = request.target.startswith(TOKEN_PATH)
        fault = None
        if not is_token:
            fault = fault_of(self.seed, kind, self._counts[counted], self.weather)
        if fault in SHORT and not is_listing(request.method, request.target):
            fault = None
        if fault is not None:
            self.faults[fault] += 1
        if route == "webhook":
            return await self._hook(request, fault, self._counts[counted], writer)
        match fault:
            case "cut_before":
                return _cut(writer)
            case "429" | "500" | "503" | "html502":
                return await _reply(writer, *_complaint(route, fault))
            case "delay":
                drawn = number_of(self.seed, "delay", counted, self._counts[counted])
                await asyncio.sleep(0.05 + drawn % 1000 / 1000)
            case "held":
                # It arrives late, whoever sent it may be dead by then.
                drawn = number_of(self.seed, "held", counted, self._counts[counted])
                await asyncio.sleep(2 + drawn % 4000 / 1000)
            case "kept":
                await self._released.wait()
        status, headers, body = await self._pass_on(route, request, kind, fault)
        match fault:
            case "cut_after":
                return _cut(writer)
            case "html502_after":
                return await _reply(writer, *_complaint(route, "html502"))
            case "short_list" | "empty_list":
                return await _reply(writer, *_cut_short(status, headers, body, fault))
            case "truncated":
                writer.write(_head(status, headers, len(body)) + body[: len(body) // 2])
                await writer.drain()
                return _cut(writer)
        return await _reply(writer, status, headers, body)

    async def _hook(
        self, request: _Request, fault: Fault | None, count: int, writer: asyncio.StreamWriter
    ) -> bool:
        """Whatever is not passed on at once is answered as if it had been."""
        accepted = (200, {"content-type": "application/json"}, b"{}")
        match fault:
            case "drop":
                return await _reply(writer, *accepted)
            case "late":
                self._late.append(request)
                return await _reply(writer, *accepted)
            case "shuffle":
                self._later(request, 0.1 + number_of(self.seed, "shuffle", count) % 3000 / 1000)
                return await _reply(writer, *accepted)
            case "double":
                self._later(request, 0.0)
        return await _reply(writer, *await self._pass_on("webhook", request))

    def _later(self, request: _Request, after_s: float) -> None:
        async def deliver() -> None:
            await asyncio.sleep(after_s)
            await self._pass_on("webhook", request)

        task = self._loop.create_task(deliver())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _pass_on(
        self, route: str, request: _Request, kind: str = "webhook", fault: Fault | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        headers = {
            name: value
            for name, value in request.headers.items()
            if name not in HOP and name != "host"
        }
        url = self._upstream[route] + request.target
        try:
            reply = await self._client.request(
                request.method, url, headers=headers, content=request.body
            )
        except httpx.TransportError:
            return 503, {"content-type": "text/plain"}, b"nobody is there"
        if route != "webhook" and request.method != "GET":
            self.writes.append(
                Passed(
                    time.monotonic(),
                    route,
                    kind,
                    request.target,
                    request.body,
                    reply.status_code,
                    fault,
                )
            )
        kept = {name: value for name, value in reply.headers.items() if name.lower() not in HOP}
        return reply.status_code, kept, reply.content


async def _read(reader: asyncio.StreamReader) -> _Request | None:
    """One request, None at the end of the connection. Bodies come with a Content-Length."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.rstrip("\r\n").split("\r\n")
    method, target, _ = first.split(" ", 2)
    pairs = (line.partition(":") for line in lines)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    assert "transfer-encoding" not in headers, "a chunked request is not foreseen"
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return _Request(method, target, headers, body)


def _head(status: int, headers: Mapping[str, str], length: int) -> bytes:
    lines = [f"HTTP/1.1 {status} .", *(f"{name}: {value}" for name, value in headers.items())]
    if status != 204:
        lines.append(f"content-length: {length}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


async def _reply(
    writer: asyncio.StreamWriter, status: int, headers: Mapping[str, str], body: bytes
) -> bool:
    writer.write(_head(status, headers, len(body)) + body)
    await writer.drain()
    return True


def _cut(writer: asyncio.StreamWriter) -> bool:
    writer.transport.abort()
    return False


def _cut_short(
    status: int, headers: Mapping[str, str], body: bytes, fault: Fault
) -> tuple[int, dict[str, str], bytes]:
    """A page of a list with its first half, or with nothing, that does not tell that there is
    more."""
    kept = {name: value for name, value in headers.items() if name.lower() != "x-pagination"}
    if status != 200:
        return status, kept, body
    page = json.loads(body)
    rows = page if isinstance(page, list) else page["list"]
    rows = rows[: len(rows) // 2] if fault == "short_list" else []
    return status, kept, json.dumps(rows if isinstance(page, list) else {"list": rows}).encode()


def _complaint(route: str, fault: str) -> tuple[int, dict[str, str], bytes]:
    """The vendor's own words for it, or a gateway's page."""
    if fault == "html502":
        return 502, {"content-type": "text/html"}, HTML
    status = int(fault)
    headers = {"content-type": "application/json"}
    if status != 500:
        headers["retry-after"] = "1"
    if route == "poweroffice":
        said: dict[str, Any] = {"title": "The service says no", "status": status}
    else:
        code = "api_request_limit_exceeded" if status == 429 else "internal_temporary_error"
        said = {
            "message": "The service says no",
            "api_error_code": code,
            "error_code": code,
            "http_status_code": status,
        }
    return status, headers, json.dumps(said).encode()
