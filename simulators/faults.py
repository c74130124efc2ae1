"""Fault switches and the request log, as ASGI code that both simulators put in front of their
application.

`SimulatorGate` wraps an ASGI application: it names each request by method and path template,
applies a due fault, lets the application answer and records the request. `control_routes` gives the
unauthenticated `/_sim/` endpoints. The application tells the log what only it knows through
`request_facts(scope)`.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from time import time
from typing import Any, Final, get_args
from typing import Literal as L

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from simulators.date_header import dated
from simulators.request_log import LogEntry
from simulators.request_log import RequestLog as RequestLog

FaultKind = L[
    "drop_reply_after_commit",
    "drop_before",
    "429",
    "500",
    "503",
    "html502",
    "slow",
    "error",
    "lock_timeout",
    "empty_list",
    "truncated_list",
    "truncated_body",
    "token_expired",
    "privilege_lost",
]

FACTS_KEY: Final = "simulator_facts"
NO_REPLY_STATUS: Final = 0
OWN_KINDS: Final = ("empty_list", "truncated_list", "token_expired", "privilege_lost")

TemplateOf = Callable[[str, str], str | None]
"""(method, path) -> path template such as `/customers/{id}`; None when the request is none of the
API's."""
ErrorResponse = Callable[[int, int | None], Response]
"""(HTTP status 429, 500 or 503, Retry-After in seconds or None) -> the vendor's own error reply."""


@dataclass(slots=True)
class Fault:
    """One switch. It skips `after` matching requests, then strikes `count` times.

    `match` is a prefix of `METHOD /template` (empty matches all); `retry_after` is in seconds. The
    answer comes `delay_s` seconds late, or at once when the faults are cleared; with
    `drop_reply_after_commit` the wait lies between the commit and the drop. `status`,
    `api_error_code` and `param` belong to kind `error`, where one of the first two is needed;
    `keep_rows` to `truncated_list`, which otherwise keeps half of the page and never tells that
    there is more. `token_expired` voids the token of the request (401) and `privilege_lost` answers
    as if its privilege were missing (403): for a server with such tokens.
    """

    kind: FaultKind
    match: str = ""
    count: int = 1
    after: int = 0
    retry_after: int | None = None
    delay_s: float = 0.0
    status: int | None = None
    api_error_code: str | None = None
    param: str | None = None
    keep_rows: int | None = None

    def cut(self, rows: list[Any]) -> list[Any]:
        """What `empty_list` and `truncated_list` leave of one page of a list; other kinds leave it
        whole."""
        if self.kind == "empty_list":
            return []
        if self.kind != "truncated_list":
            return rows
        return rows[: len(rows) // 2 if self.keep_rows is None else self.keep_rows]


ErrorOf = Callable[[Fault], Response]
"""The vendor's reply to a fault of kind `error` or `lock_timeout`."""


@dataclass(slots=True)
class RequestFacts:
    """What the application adds to the log entry: who called, with which parameters, whether state
    changed.

    `fault` goes the other way: one of the kinds in OWN_KINDS, which the application plays itself.
    """

    user: str | None = None
    params: Any = field(default_factory=dict)
    is_write: bool = False
    fault: Fault | None = None


def request_facts(scope: Scope) -> RequestFacts:
    """The facts of the request in `scope`; a detached object when no `SimulatorGate` is in
    front."""
    facts = scope.setdefault(FACTS_KEY, RequestFacts())
    assert isinstance(facts, RequestFacts)
    return facts


class Faults:
    """The faults that are still due, in the order in which they were added."""

    def __init__(self) -> None:
        self._due: list[Fault] = []
        self._cleared = asyncio.Event()

    def configure(self, body: dict[str, Any]) -> None:
        """Apply `{"clear": true}` and `{"faults": [...]}`, or one fault as it is: `{"kind": ...}`.

        Raises ValueError for an unknown kind or key.
        """
        added = [self._parse(raw) for raw in ([body] if "kind" in body else body.get("faults", []))]
        if body.get("clear"):
            self._due.clear()
            self._cleared.set()
            self._cleared = asyncio.Event()
        self._due.extend(added)

    def take(self, operation: str) -> Fault | None:
        """The fault that strikes `operation` (`METHOD /template`), if any; counts it as used."""
        struck: Fault | None = None
        for fault in self._due:
            if struck is not None or not operation.startswith(fault.match):
                continue
            if fault.after > 0:
                fault.after -= 1
            else:
                fault.count -= 1
                struck = fault
        self._due = [fault for fault in self._due if fault.count > 0]
        return struck

    @property
    def cleared(self) -> asyncio.Event:
        """Set when the faults of this moment are cleared."""
        return self._cleared

    def listed(self) -> list[dict[str, Any]]:
        return [asdict(fault) for fault in self._due]

    @staticmethod
    def _parse(raw: dict[str, Any]) -> Fault:
        if raw.get("kind") not in get_args(FaultKind):
            raise ValueError(f"unknown fault kind {raw.get('kind')!r}")
        try:
            fault = Fault(**raw)
        except TypeError as error:
            raise ValueError(str(error)) from error
        fault.count, fault.after, fault.delay_s = (
            int(fault.count),
            int(fault.after),
            float(fault.delay_s or 0),
        )
        if fault.kind == "error" and fault.status is None and fault.api_error_code is None:
            raise ValueError("a fault of kind error needs status or api_error_code")
        if fault.status is not None and not 400 <= int(fault.status) <= 599:
            raise ValueError("status should be from 400 to 599")
        return fault


async def _pause(delay_s: float, cleared: asyncio.Event) -> None:
    """Wait for so long, or until the faults are cleared."""
    with suppress(TimeoutError):
        async with asyncio.timeout(delay_s):
            await cleared.wait()


class SimulatorGate:
    """ASGI middleware: fault switches, request log and Date header for the paths that `template_of`
    knows. `now_s` gives the server's clock in UTC seconds."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        log: RequestLog,
        faults: Faults,
        template_of: TemplateOf,
        error_response: ErrorResponse,
        error_of: ErrorOf | None = None,
        now_s: Callable[[], float] = time,
    ) -> None:
        self._app = app
        self._log = log
        self._faults = faults
        self._template_of = template_of
        self._error_response = error_response
        self._error_of = error_of or self._error_by_status
        self._now_s = now_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        template = (
            self._template_of(scope["method"], scope["path"]) if scope["type"] == "http" else None
        )
        if template is None:
            await self._app(scope, receive, send)
            return
        facts = request_facts(scope)
        at = time()
        fault = None
        if self._faults.listed():
            receive, is_whole = await _whole(receive)
            if is_whole:  # who breaks off before meets no fault, which is still due then
                fault = self._faults.take(f"{scope['method']} {template}")
        if fault is not None and fault.kind in OWN_KINDS:
            facts.fault = fault
        try:
            status = await self._answer(fault, scope, receive, send)
        except (
            asyncio.CancelledError
        ):  # the server ends, and waits no longer for what it holds back
            return
        self._log.add(
            LogEntry(
                at, scope["method"], template, status, facts.user, facts.params, facts.is_write
            )
        )

    async def _answer(self, fault: Fault | None, scope: Scope, receive: Receive, send: Send) -> int:
        if fault is None:
            return await self._run(self._app, scope, receive, send)
        cleared = self._faults.cleared
        if fault.kind == "drop_reply_after_commit":
            status = await self._run(self._app, scope, receive, _swallow)
            await _pause(fault.delay_s, cleared)
            await drop_connection(receive, send)
            return status
        await _pause(fault.delay_s, cleared)
        match fault.kind:
            case "drop_before":
                await drop_connection(receive, send)
                return NO_REPLY_STATUS
            case "truncated_body":
                return await self._run_half(scope, receive, send)
            case "html502":
                body = (
                    "<html><head><title>502 Bad Gateway</title></head><body>Bad "
                    "Gateway</body></html>"
                )
                return await self._run(HTMLResponse(body, 502), scope, receive, send)
            case "429" | "500" | "503" as status_text:
                reply = self._error_response(int(status_text), fault.retry_after)
                return await self._run(reply, scope, receive, send)
            case "error" | "lock_timeout":
                return await self._run(self._error_of(fault), scope, receive, send)
        return await self._run(self._app, scope, receive, send)

    async def _run(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> int:
        status = NO_REPLY_STATUS

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(dated(message, self._now_s()))

        await app(scope, receive, watched)
        return status

    async def _run_half(self, scope: Scope, receive: Receive, send: Send) -> int:
        """Send the head and half of the body, then close: the client waits in vain for the rest of
        its content-length."""

        async def halved(message: Message) -> None:
            if message["type"] != "http.response.body":
                await send(message)
                return
            body = message.get("body", b"")
            await send({**message, "body": body[: len(body) // 2], "more_body": True})

        status = await self._run(self._app, scope, receive, halved)
        await drop_connection(receive, send)
        return status

    def _error_by_status(self, fault: Fault) -> Response:
        status = 429 if fault.kind == "lock_timeout" else fault.status or 500
        return self._error_response(status, fault.retry_after)


async def _whole(receive: Receive) -> tuple[Receive, bool]:
    """Take in all of a request's body, which is carried out then, whoever is gone. What is left to
    receive begins with it; whether it was whole, and not broken off."""
    held: list[Message] = []
    while not held or held[-1].get("more_body"):
        held.append(await receive())

    async def again() -> Message:
        return held.pop(0) if held else await receive()

    return again, held[-1]["type"] == "http.request"


async def _swallow(message: Message) -> None:
    return None


async def drop_connection(receive: Receive, send: Send) -> None:
    """Close the TCP connection without a reply: the client sees a read or protocol error.

    Needs uvicorn, whose `send` is a method of the object that owns the transport; raises
    ConnectionResetError elsewhere.
    """
    transport = getattr(getattr(send, "__self__", None), "transport", None)
    if transport is None:
        raise ConnectionResetError("no transport to close")
    transport.abort()
    # uvicorn answers 500 for an application that says nothing, unless it has noticed that the
    # client is gone.
    while (await receive())["type"] != "http.disconnect":
        pass


def control_routes(log: RequestLog, faults: Faults, params_name: str = "params") -> list[Route]:
    """`/_sim/requests`, `/_sim/requests/clear`, `/_sim/faults` and `/_sim/health`; `params_name`
    names log contents."""

    async def requests(request: Request) -> Response:
        asked = request.query_params
        counts_only = asked.get("log") == "0"
        return JSONResponse(log.report(asked.get("user"), params_name, counts_only=counts_only))

    async def clear(request: Request) -> Response:
        log.clear()
        return JSONResponse({"ok": True})

    async def set_faults(request: Request) -> Response:
        if request.method == "POST":
            try:
                faults.configure(await request.json())
            except ValueError as error:
                return JSONResponse({"error": str(error)}, 400)
        return JSONResponse({"faults": faults.listed()})

    async def health(request: Request) -> Response:
        return JSONResponse({"ok": True})

    return [
        Route("/_sim/requests", requests),
        Route("/_sim/requests/clear", clear, methods=["POST"]),
        Route("/_sim/faults", set_faults, methods=["GET", "POST"]),
        Route("/_sim/health", health),
    ]
