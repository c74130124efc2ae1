"""One process of a service: logging, and an HTTP server with health, metrics and the service's own
routes. It answers from the first moment; what the service does meanwhile is in `runtime.life`."""

import asyncio
import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator
from types import FrameType
from typing import Any, Literal

import structlog
import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from contracts.settings import KafkaSettings, Settings
from runtime import traces
from runtime.harmless import harmless
from runtime.life import Life, Service
from runtime.listening import bound, taken
from runtime.logs import configure_logging
from runtime.reach import why
from runtime.requests import Bounded
from runtime.unusable import Unusable

log = structlog.get_logger()
REQUESTS_S = 3  # for requests that are under way at the end
FIRST_LOOK_S = 3.0  # at Kafka, before the port answers; what comes later is told there
END_S = 15.0  # from the wish to end until the process is gone, whatever hangs
LEFT, UNUSABLE, FAILED, INTERRUPTED = 1, 2, 3, 130


def run(service: Service) -> int:
    """Run a service until SIGTERM or Ctrl-C, which end it in order within END_S; a second Ctrl-C
    ends it at once. 2 where it cannot be run as the settings say, after one line of words."""
    configure_logging(service.settings)
    # Python's own handler would raise KeyboardInterrupt before and after the server has the
    # signals.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    key = f"ports.{service.name}"
    try:
        # First: who finds his port taken has a second process of his own, more often than not.
        sockets = bound(service.settings.host, service.port, key)
    except Unusable as error:
        print(harmless(str(error)), file=sys.stderr)
        return UNUSABLE
    try:
        traces.begin(service.name)
    except Unusable as error:
        refused: str | None = str(error)
    else:
        refused = asyncio.run(_refused(service.settings.kafka))
    if refused is not None:
        for held in sockets:
            held.close()
        print(harmless(refused), file=sys.stderr)
        return UNUSABLE
    config = uvicorn.Config(
        make_app(service),
        loop=_loop(service.settings),
        log_config=None,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=REQUESTS_S,
        lifespan="on",
        http=Bounded,
    )
    server = _Announcing(config, service.name)
    threading.Thread(target=server.end_late, name="end", daemon=True).start()
    server.run(sockets)
    if server.overtaken:
        print(taken(service.settings.host, service.port, key), file=sys.stderr)
        return UNUSABLE
    return 0 if server.started else FAILED


async def _refused(kafka: KafkaSettings) -> str | None:
    """Why Kafka lets nobody in, where only a person can help; None where it does, and where it may
    be waited for."""
    try:
        async with asyncio.timeout(FIRST_LOOK_S):
            trouble = await why(kafka)
    except TimeoutError:
        return None
    return trouble.words if trouble is not None and trouble.lasting else None


def _loop(settings: Settings) -> Literal["asyncio", "uvloop"]:
    # Over TLS uvloop waits 30 s for a broker to say goodbye, at each connection that is closed with
    # a fetch under way.
    return "asyncio" if "SSL" in settings.kafka.security_protocol else "uvloop"


class _Announcing(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, name: str) -> None:
        super().__init__(config)
        self._name, self.overtaken = name, False

    async def startup(self, sockets: Any = None) -> None:
        try:
            await super().startup(sockets)
        except OSError:
            # Two processes were started at once: both took the port, and the other was the first to
            # listen.
            self.overtaken = self.should_exit = True
            await self.lifespan.shutdown()
            return
        for server in self.servers:
            for listener in server.sockets:
                host, port = listener.getsockname()[:2]
                log.info("listening", service=self._name, host=host, port=port)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self.should_exit and sig == signal.SIGINT:
            os._exit(INTERRUPTED)
        super().handle_exit(sig, frame)

    def end_late(self) -> None:
        """In a thread, since a loop that hangs ends nothing: end the process END_S after it was
        asked to."""
        while not self.should_exit:
            time.sleep(0.2)
        time.sleep(END_S)
        log.critical(
            "ended",
            service=self._name,
            reason=f"not in order within {END_S:g} s; what was open is left",
        )
        os._exit(LEFT)


def make_app(service: Service) -> Starlette:
    """The HTTP application of a service; its lifespan is the life of the service."""
    life = Life(service)

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        life.begin()
        try:
            yield
        finally:
            await life.stop()

    async def live(_request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readiness(_request: Request) -> Response:
        problem = life.problem()
        return JSONResponse(
            {"ready": problem is None, "problem": problem}, status_code=503 if problem else 200
        )

    async def metrics(_request: Request) -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    routes = [
        Route("/health/live", live),
        Route("/health/ready", readiness),
        Route("/metrics", metrics),
        *(_later(each, life) for each in service.routes),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


def _later(route: Route | Mount, life: Life) -> Route | Mount:
    if isinstance(route, Mount):
        return Mount(route.path or "/", _Later(route.app, life))
    return Route(route.path, _Later(route.app, life), include_in_schema=False)


class _Later:
    """A route of the service's own, which is there once the service has begun to work."""

    def __init__(self, app: ASGIApp, life: Life) -> None:
        self._app, self._life = app, life

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        words = self._life.problem()
        if self._life.started:
            try:
                await self._app(scope, receive, send)
                return
            except (
                asyncio.CancelledError
            ):  # by the server, which does not wait any longer for what is under way
                words = "this process is about to end"
        answer = PlainTextResponse(f"not taken yet, send it again: {words}\n", status_code=503)
        await answer(scope, receive, send)
