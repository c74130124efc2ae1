"""The ASGI application: gateway, API and the unauthenticated control endpoints under /_sim/."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route as WebRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from simulators.amend import amended
from simulators.faults import Faults, RequestLog, SimulatorGate, control_routes, request_facts
from simulators.poweroffice import demo, sending
from simulators.poweroffice.access import Access, too_many
from simulators.poweroffice.crediting import WHOLE_PERCENT, credit
from simulators.poweroffice.entries import reverse, set_balance
from simulators.poweroffice.errors import EmptyError, GatewayError, GoError, Refusal
from simulators.poweroffice.http import Call, Client, Reply, refused
from simulators.poweroffice.memory import Memory
from simulators.poweroffice.page_views import is_page
from simulators.poweroffice.pages import Pages
from simulators.poweroffice.routes import find_route, is_token, template_of
from simulators.poweroffice.settings import Settings
from simulators.poweroffice.state import Go
from simulators.storage import StateFile


def build(
    clients: Iterable[Client], settings: Settings, data: str, file: StateFile | None = None
) -> ASGIApp:
    """A server with data "demo" or "empty", or what a used `file` holds, which then follows all
    changes.

    Every client of `clients` sees the same Go company.
    """
    go = Go(settings)
    memory = Memory(go, file) if file is not None else None
    if memory is None or not memory.restore():
        demo.load(go, data)
    if memory is not None:
        memory.flush()
    access = Access(settings, go.clock, clients)
    log, faults = RequestLog(), Faults()

    def flush() -> None:
        if memory is not None:
            memory.flush(is_changed=True)

    def named(method: str, path: str) -> str | None:
        return None if is_page(path) else template_of(method, path)

    pages, api = Starlette(routes=Pages(go, flush).routes()), Api(go, access, memory)

    async def others(scope: Scope, receive: Receive, send: Send) -> None:
        await (pages if is_page(scope["path"]) else api)(scope, receive, send)

    inner = Starlette(
        routes=[*control_routes(log, faults, "body"), *_own_controls(go, access, flush)]
    )
    inner.router.default = others
    return SimulatorGate(
        inner,
        log=log,
        faults=faults,
        template_of=named,
        error_response=_fault_reply,
        now_s=lambda: time.time() + settings.clock_offset_s,
    )


class Api:
    """Everything that the vendor's host would answer."""

    def __init__(self, go: Go, access: Access, memory: Memory | None) -> None:
        self._go = go
        self._access = access
        self._memory = memory

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        body = await request.body()
        try:
            reply = self._answer(request, scope, body)
        except Refusal as refusal:
            reply = refused(refusal, self._go.settings.problem_media_type)
        if self._memory is not None:
            self._memory.flush(is_changed=reply.changed)
        request_facts(scope).is_write = reply.changed
        await as_response(reply)(scope, receive, send)

    def _answer(self, request: Request, scope: Scope, body: bytes) -> Reply:
        method, path = request.method, request.url.path
        facts = request_facts(scope)
        query = {name.lower(): value for name, value in request.query_params.items()}
        found = find_route(method, path)
        if found is None and not is_token(method, path):
            raise GatewayError(404, "Resource not found")
        subscription_key = self._access.subscription(request.headers, query)
        facts.user = self._access.owner(subscription_key).name
        self._access.throttle(subscription_key)
        authorization = request.headers.get("authorization", "")
        if found is None:
            client, reply = self._access.token(authorization, body, subscription_key)
            facts.user = client.name
            return reply
        facts.params = query if method == "GET" else _loggable(body)
        kind = facts.fault.kind if facts.fault is not None else None
        if kind == "token_expired":
            self._access.expire_token(authorization)
        grant = self._access.bearer(authorization)
        facts.user = grant.client.name
        route, ids = found
        if route.needs and not route.needs & grant.privileges:
            raise EmptyError(403)
        if kind == "privilege_lost":
            raise EmptyError(403)
        sending.settle(self._go)
        url = str(request.url.replace(query="", fragment=""))
        content_type = request.headers.get("content-type", "")
        call = Call(
            grant.client, grant.privileges, ids, query, body, content_type, url, facts.fault
        )
        return route.handler(self._go, call)


def as_response(reply: Reply) -> Response:
    if reply.body is None:
        return Response(status_code=reply.status, headers=dict(reply.headers))
    text = json.dumps(reply.body, ensure_ascii=False, separators=(",", ":"))
    headers = {"content-type": "application/json; charset=utf-8", **reply.headers}
    return Response(text.encode("utf-8", "replace"), reply.status, headers)


def _loggable(body: bytes) -> Any:
    try:
        return json.loads(body) if body.strip() else None
    except ValueError:
        return body.decode("utf-8", "replace")


def _fault_reply(status: int, retry_after_s: int | None) -> Response:
    if status == 429:
        return as_response(refused(too_many(retry_after_s)))
    refusal: Refusal = GoError(status, "Internal Server Error", "An unexpected error occurred.")
    if status == 503:
        headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
        refusal = GatewayError(status, "Service Unavailable", headers)
    return as_response(refused(refusal))


def _own_controls(go: Go, access: Access, flush: Callable[[], None]) -> list[WebRoute]:
    async def settings(request: Request) -> Response:
        if request.method == "POST":
            try:
                go.settings.update(await request.json())
            except ValueError as error:
                return JSONResponse({"error": str(error)}, 400)
        return JSONResponse(go.settings.as_dict())

    async def reset(request: Request) -> Response:
        try:
            demo.load(go, (await request.json()).get("data", "demo"))
        except ValueError as error:
            return JSONResponse({"error": str(error)}, 400)
        flush()
        return JSONResponse({"ok": True})

    async def expire(request: Request) -> Response:
        access.expire_tokens()
        return JSONResponse({"ok": True})

    async def invoice(request: Request) -> Response:
        """What a person does to an invoice: balance, credit, reverse."""
        id, action = request.path_params["id"], request.path_params["action"]
        body = json.loads(await request.body() or b"{}")
        try:
            if action == "balance":
                record = set_balance(go, id, float(body.get("balance", 0)))
            elif action == "credit":
                record = credit(
                    go,
                    id,
                    float(body.get("percent", WHOLE_PERCENT)),
                    is_sent=bool(body.get("send")),
                )
            elif action == "reverse":
                record = reverse(go, id)
            else:
                return JSONResponse({"error": f"no action {action}"}, 404)
        except Refusal as refusal:
            return JSONResponse({"error": (refusal.body or {}).get("detail")}, refusal.status)
        flush()
        names = (
            "Id",
            "InvoiceNo",
            "SalesOrderNo",
            "RelatedInvoiceNo",
            "TotalAmount",
            "Balance",
            "IsReversed",
        )
        return JSONResponse({name: record[name] for name in names if name in record})

    async def amend(request: Request) -> Response:
        """Change a stored record and nothing else."""
        kind, name = request.path_params["kind"], request.path_params["id"]
        table = go.tables().get(kind)
        key: Any = int(name) if name.isdigit() else name
        record = table.get(key) if table is not None else None
        if table is None or record is None:
            return JSONResponse({"error": f"no {kind} {name}"}, 404)
        table.put(key, amended(record, await request.json()))
        flush()
        return JSONResponse(table.get(key))

    return [
        WebRoute("/_sim/settings", settings, methods=["GET", "POST"]),
        WebRoute("/_sim/records/{kind}/{id}", amend, methods=["POST"]),
        WebRoute("/_sim/reset", reset, methods=["POST"]),
        WebRoute("/_sim/tokens/expire", expire, methods=["POST"]),
        WebRoute("/_sim/invoices/{id}/{action}", invoice, methods=["POST"]),
    ]
