"""The ASGI application: authentication, quota, idempotency, dispatch; and the control endpoints
below `/_sim/`."""

import asyncio
import base64
import binascii
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from simulators.amend import amended
from simulators.chargebee import routes
from simulators.chargebee.access import ApiKey, authenticated, authorise
from simulators.chargebee.calls import Call
from simulators.chargebee.demo import load_demo
from simulators.chargebee.errors import (
    CONTENT_TYPE,
    ApiError,
    injected_error,
    not_found,
    server_error,
)
from simulators.chargebee.memory import Memory
from simulators.chargebee.pages import Pages
from simulators.chargebee.params import nest
from simulators.chargebee.quota import IdempotencyStore, RateLimit
from simulators.chargebee.settings import Settings
from simulators.chargebee.site import Actor, Site
from simulators.chargebee.webhooks import WebhookSender
from simulators.faults import Faults, SimulatorGate, control_routes, request_facts
from simulators.request_log import RequestLog
from simulators.storage import StateFile

JOB_INTERVAL_S: Final = 0.1
_FORM: Final = "application/x-www-form-urlencoded"
_ALL_METHODS: Final = ["GET", "POST", "PUT", "PATCH", "DELETE"]

Pairs = list[tuple[str, str]]


class Simulator:
    """One simulated site behind HTTP. What `state_file` holds goes before `data`: "demo", "saas"
    (the same without goods) or "empty"."""

    def __init__(
        self,
        api_keys: Iterable[ApiKey],
        settings: Settings,
        data: str = "demo",
        state_file: StateFile | None = None,
    ) -> None:
        self._api_keys = tuple(api_keys)
        self._site = Site(settings)
        self._rate_limit = RateLimit()
        self._idempotency = IdempotencyStore()
        self._log = RequestLog()
        self._faults = Faults()
        self._sender: WebhookSender | None = None
        self._memory = Memory(self._site, self._idempotency, state_file) if state_file else None
        if self._memory is None or not self._memory.restore():
            self._load(data)

    def app(self) -> ASGIApp:
        """The ASGI application; webhooks need its lifespan to run."""
        inner = Starlette(
            routes=[
                *control_routes(self._log, self._faults),
                Route("/_sim/reset", self._reset, methods=["POST"]),
                Route("/_sim/settings", self._settings, methods=["GET", "POST"]),
                Route("/_sim/records/{kind}/{id:path}", self._amend, methods=["POST"]),
                Route(routes.PREFIX + "/{path:path}", self._api, methods=_ALL_METHODS),
                *Pages(self._site, self._finish).routes(),
            ],
            lifespan=self._lifespan,
        )
        gate = SimulatorGate(
            inner,
            log=self._log,
            faults=self._faults,
            template_of=routes.template_of,
            error_response=server_error,
            error_of=injected_error,
            now_s=lambda: self._site.now_ms() / 1000,
        )

        async def with_sent_path(scope: Scope, receive: Receive, send: Send) -> None:
            """Show the API's paths as they were sent, since a decoded one does not tell `/` from
            `%2F`."""
            sent = scope.get("raw_path", b"").decode("latin-1")
            await gate(
                {**scope, "path": sent} if sent.startswith(routes.PREFIX + "/") else scope,
                receive,
                send,
            )

        return with_sent_path

    @asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncIterator[None]:
        self._sender = WebhookSender(self._site)
        self._site.on_event = self._sender.enqueue
        for event in self._memory.undelivered() if self._memory else ():
            self._sender.enqueue(event)
        jobs = asyncio.create_task(self._run_jobs())
        try:
            yield
        finally:
            jobs.cancel()
            await self._sender.close()
            if self._memory is not None:
                self._memory.close()

    async def _amend(self, request: Request) -> Response:
        """Change a stored record and nothing else."""
        table = self._site.tables.get(request.path_params["kind"])
        row = table.find(request.path_params["id"]) if table is not None else None
        if table is None or row is None:
            return _json(
                {"error": f"no {request.path_params['kind']} {request.path_params['id']}"},
                status=404,
            )
        changed = amended(row, await request.json())
        table.put(changed)
        self._site.on_put(table.kind, changed)
        self._finish()
        return _json({table.kind: changed})

    def _finish(self) -> None:
        """To be called after everything that may have changed the site."""
        if self._memory is not None:
            self._memory.flush()

    async def _run_jobs(self) -> None:
        while True:
            await asyncio.sleep(JOB_INTERVAL_S)
            self._site.run_due_jobs()
            self._finish()

    async def _api(self, request: Request) -> Response:
        try:
            return await self._answer(request)
        except ApiError as error:
            return error.response()
        finally:
            self._finish()

    async def _answer(self, request: Request) -> Response:
        facts = request_facts(request.scope)
        settings = self._site.settings
        path = request.scope["path"]
        _check_address(settings)
        caller = authenticated(
            request.headers.get("authorization", ""), self._api_keys, settings.revoked_keys
        )
        facts.user = caller.name
        pairs = await _parameters(request)
        facts.params = dict(pairs)
        self._rate_limit.check(settings.rate_limit_per_minute, self._site.now_ms() / 1000)
        _check_readiness(settings, request.method)
        template, path_ids, operation = _route(request.method, path)
        authorise(caller, request.method, template)
        self._site.run_due_jobs()
        key = request.headers.get("chargebee-idempotency-key") if request.method == "POST" else None
        if (
            key
            and (replay := self._idempotency.replay(key, path, pairs, self._site.now_s()))
            is not None
        ):
            return _json(replay, {"chargebee-idempotency-replayed": "true"})
        mutations = self._site.mutations
        try:
            reply = operation(Call(self._site, nest(pairs), path_ids, _actor(request, caller.name)))
        finally:
            facts.is_write = self._site.mutations != mutations
        if key:
            self._idempotency.remember(key, path, pairs, reply, self._site.now_s())
        if facts.fault is not None and "list" in reply:
            reply = {"list": facts.fault.cut(reply["list"])}
        return _json(reply)

    def _load(self, data: str) -> None:
        if data not in ("demo", "saas", "empty"):
            raise ValueError(f"unknown data {data!r}")
        self._site.wipe()
        self._rate_limit.clear()
        self._idempotency.clear()
        if data != "empty":
            load_demo(self._site, has_goods=data == "demo")
        self._finish()

    async def _reset(self, request: Request) -> Response:
        if self._sender is not None:
            self._sender.forget()
        try:
            self._load((await request.json()).get("data", "demo"))
        except ValueError as error:
            return JSONResponse({"error": str(error)}, 400)
        return JSONResponse({"ok": True})

    async def _settings(self, request: Request) -> Response:
        settings = self._site.settings
        if request.method == "POST":
            try:
                settings.change(await request.json())
            except ValueError as error:
                return JSONResponse({"error": str(error)}, 400)
            if self._sender is not None:
                self._sender.clock_was_set()
        shown = {
            name: value for name, value in asdict(settings).items() if name != "webhook_password"
        }
        return JSONResponse(shown)


def _check_address(settings: Settings) -> None:
    """Raises what a site that does not exist, or that keeps this network out, answers before it
    looks at the key."""
    if settings.site_state == "not_found":
        raise ApiError(404, "site_not_found", "Sorry, we couldn't find the site")
    if settings.site_state == "blocked":
        raise ApiError(403, "request_blocked", "Sorry, the request has been blocked")


def _check_readiness(settings: Settings, method: str) -> None:
    if settings.site_state == "not_ready":
        raise ApiError(503, "site_not_ready", "The site is not ready yet")
    if settings.site_state == "read_only" and method != "GET":
        raise ApiError(503, "site_read_only_mode", "The site is in read-only mode")


def _route(method: str, path: str) -> tuple[str, tuple[str, ...], routes.Operation]:
    """(template, ids in the path, operation). Raises 405 for a known path, 404 for an unknown
    one."""
    found = routes.find(method, path)
    if found is None and (method not in ("GET", "POST") or routes.has_other_method(path)):
        raise ApiError(405, "http_method_not_supported", f"{method} is not supported")
    if found is None:
        raise not_found("path", path)
    return found


async def _parameters(request: Request) -> Pairs:
    if request.method == "GET":
        return parse_qsl(request.scope["query_string"].decode(), keep_blank_values=True)
    body = await request.body()
    if body and not request.headers.get("content-type", "").startswith(_FORM):
        raise ApiError(400, "invalid_request", f"The content type should be {_FORM}")
    return parse_qsl(body.decode(errors="replace"), keep_blank_values=True)


def _actor(request: Request, user: str) -> Actor:
    headers = request.headers
    origin = headers.get("chargebee-request-origin-user")
    encoded = headers.get("chargebee-request-origin-user-encoded")
    if origin is None and encoded is not None:
        try:
            origin = base64.b64decode(encoded, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            origin = None
    return Actor(
        user=user,
        origin_user=origin,
        is_event_muted=headers.get("chargebee-event-actions") == "all-disabled",
        is_webhook_muted=headers.get("chargebee-event-webhook") == "all-disabled",
    )


def _json(
    body: dict[str, Any], headers: dict[str, str] | None = None, status: int = 200
) -> JSONResponse:
    return JSONResponse(body, status, headers=headers, media_type=CONTENT_TYPE)
