"""What the tests of the checks share: the settings of a tenant, its results, and the real webhook
route on a port."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from contracts.checks import Checked
from contracts.settings import Settings
from services.chargebee_adapter.webhooks import Receiver, route

Told = list[tuple[str, str, str]]
DECIDED: dict[str, Any] = {"invoicing": {"by": "chargebee"}, "start": {"orders": "2026-01-01"}}


def settings(
    name: str,
    *,
    chargebee: dict[str, Any] | None = None,
    go: dict[str, Any] | None = None,
    port: int = 0,
    **tenant: Any,
) -> Settings:
    """One tenant; what is given replaces what would be asked nowhere."""
    nowhere = "http://127.0.0.1:1"
    held = {
        "chargebee": {
            "base_url": f"{nowhere}/api/v2",
            "api_key": "none",
            "prices": "net",
            "requests_per_minute": 60_000,
            **(chargebee or {}),
        },
        "poweroffice": {
            "base_url": f"{nowhere}/v2",
            "token_url": f"{nowhere}/OAuth/Token",
            "application_key": "none",
            "client_key": "none",
            "subscription_key": "none",
            "requests_per_second": 1000,
            **(go or {}),
        },
        **tenant,
    }
    return Settings.model_validate({"ports": {"chargebee_adapter": port}, "tenants": {name: held}})


def results(checks: AsyncIterator[Checked]) -> list[Checked]:
    """Every result, in order."""

    async def collect() -> list[Checked]:
        return [each async for each in checks]

    return asyncio.run(collect())


def of(found: list[Checked], check: str) -> Told:
    """(state, words, fix) of the results of one check."""
    return [(each.state, each.words, each.fix or "") for each in found if each.check == check]


def one(found: list[Checked], check: str) -> tuple[str, str, str]:
    """The only result of a check."""
    (told,) = of(found, check)
    return told


@contextmanager
def serving(*routes: BaseRoute) -> Iterator[int]:
    """A server with these routes; its port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(
            Starlette(routes=list(routes)), log_level="critical", lifespan="off"
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()


@contextmanager
def adapter(receivers: dict[str, Receiver]) -> Iterator[int]:
    """The adapter as webhooks and checks see it: its own route and its figures."""

    async def metrics(request: Request) -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    with serving(route(receivers), Route("/metrics", metrics)) as port:
        yield port


@contextmanager
def other_program(status: int, asked: list[Request]) -> Iterator[int]:
    """A server that has nothing to do with us; with 401 it wants credentials of its own. Requests
    go to `asked`."""

    async def hello(request: Request) -> Response:
        asked.append(request)
        return PlainTextResponse("hello", status, {"WWW-Authenticate": 'Basic realm="elsewhere"'})

    with serving(Route("/{path:path}", hello, methods=["GET", "POST"])) as port:
        yield port
