"""The ASGI application: authentication, quota, idempotency, dispatch; and the control endpoints below `/_sim/`."""

import asyncio
import base64
import binascii
import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from simulators.chargebee import routes
from simulators.chargebee.calls import Call
from simulators.chargebee.demo import load_demo
from simulators.chargebee.errors import CONTENT_TYPE, ApiError, not_found, server_error
from simulators.chargebee.params import nest
from simulators.chargebee.quota import IdempotencyStore, RateLimit
from simulators.chargebee.site import Actor, Settings, Site
from simulators.chargebee.webhooks import WebhookSender
from simulators.faults import Faults, RequestLog, SimulatorGate, control_routes, request_facts

JOB_INTERVAL_S: Final = 0.1
_FORM: Final = "application/x-www-form-urlencoded"
_ALL_METHODS: Final = ["GET", "POST", "PUT", "PATCH", "DELETE"]

Pairs = list[tuple[str, str]]


class Simulator:
    """One simulated site behind HTTP. `api_keys` maps the NAME of a key (shown as `user` of events) to the key."""

    def __init__(self, api_keys: dict[str, str], settings: Settings, data: str = "demo") -> None:
        self._api_keys = api_keys
        self._site = Site(settings)
        self._rate_limit = RateLimit()
        self._idempotency = IdempotencyStore()
        self._log = RequestLog()
        self._faults = Faults()
        self._sender: WebhookSender | None = None
        self._load(data)

    def app(self) -> ASGIApp:
        """The ASGI application; webhooks need its lifespan to run."""
        inner = Starlette(
            routes=[
                *control_routes(self._log, self._faults),
                Route("/_sim/reset", self._reset, methods=["POST"]),
                Route("/_sim/settings", self._settings, methods=["GET", "POST"]),
                Route(routes.PREFIX + "/{path:path}", self._api, methods=_ALL_METHODS),
            ],
            lifespan=self._lifespan,
        )
        return SimulatorGate(
            inner, log=self._log, faults=self._faults, template_of=routes.template_of, error_response=server_error
        )

    @asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncIterator[None]:
        self._sender = WebhookSender(self._site)
        self._site.on_event = self._sender.enqueue
        jobs = asyncio.create_task(self._run_jobs())
        try:
            yield
        finally:
            jobs.cancel()
            await self._sender.close()

    async def _run_jobs(self) -> None:
        while True:
            await asyncio.sleep(JOB_INTERVAL_S)
            self._site.run_due_jobs()

    async def _api(self, request: Request) -> Response:
        try:
            return await self._answer(request)
        except ApiError as error:
            return error.response()

    async def _answer(self, request: Request) -> Response:
        facts = request_facts(request.scope)
        facts.user = self._authenticate(request)
        pairs = await _parameters(request)
        facts.params = dict(pairs)
        self._rate_limit.check(self._site.settings.rate_limit_per_minute)
        if request.method not in ("GET", "POST"):
            raise ApiError(405, "http_method_not_supported", f"{request.method} is not supported")
        found = routes.find(request.method, request.scope["path"])
        if found is None:
            raise not_found("path", request.scope["path"])
        self._site.run_due_jobs()
        key = request.headers.get("chargebee-idempotency-key") if request.method == "POST" else None
        path = request.scope["path"]
        if key and (replay := self._idempotency.replay(key, path, pairs, self._site.now_s())) is not None:
            return _json(replay, {"chargebee-idempotency-replayed": "true"})
        _, path_ids, operation = found
        mutations = self._site.mutations
        try:
            reply = operation(Call(self._site, nest(pairs), path_ids, _actor(request, facts.user)))
        finally:
            facts.is_write = self._site.mutations != mutations
        if key:
            self._idempotency.remember(key, path, pairs, reply, self._site.now_s())
        return _json(reply)

    def _authenticate(self, request: Request) -> str:
        """The name of the API key that came as the user of basic authentication. Raises 401."""
        scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
        try:
            user, _, _ = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            user = ""
        for name, key in self._api_keys.items():
            if scheme.lower() == "basic" and hmac.compare_digest(user.encode(), key.encode()):
                return name
        raise ApiError(401, "api_authentication_failed", "Sorry, authentication failed. Invalid API key.", type_=None)

    def _load(self, data: str) -> None:
        if data not in ("demo", "empty"):
            raise ValueError(f"unknown data {data!r}")
        self._site.wipe()
        self._rate_limit.clear()
        self._idempotency.clear()
        if data == "demo":
            load_demo(self._site)

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
        shown = {name: value for name, value in asdict(settings).items() if name != "webhook_password"}
        return JSONResponse(shown)


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


def _json(body: dict[str, Any], headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse(body, headers=headers, media_type=CONTENT_TYPE)
