"""One process of a service: logging, one broker, an HTTP server with health, metrics and the service's own routes."""

import asyncio
import contextlib
import gc
import logging
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import structlog
import uvicorn
from aiokafka import ConsumerRecord
from aiokafka.errors import KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker, KafkaMessage, TopicPartition
from faststream.security import BaseSecurity, SASLPlaintext, SASLScram256, SASLScram512
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from contracts.settings import Settings
from runtime.kafka import Kafka, TopicError
from runtime.requests import Bounded

log = structlog.get_logger()
BATCH_RECORDS = 2000
KAFKA_RETRY_S = 2.0


class Running(Protocol):
    """What a service does around its subscriptions. `problem` is None while it is ready."""

    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    def problem(self) -> str | None: ...


@dataclass
class Service:
    """A named service: start it, then let its batches in."""

    name: str
    settings: Settings
    running: Running
    subscriptions: list["Subscription"]
    port: int
    routes: Sequence[Route] = ()
    background: Callable[[], Awaitable[None]] | None = field(default=None)


@dataclass(frozen=True)
class Subscription:
    """A handler of raw batches from static partitions; it decodes record by record, and never raises."""

    topics: Sequence[str]
    partitions: Sequence[int]
    group: str
    handle: Callable[[tuple[ConsumerRecord, ...]], Awaitable[None]]


def configure_logging(settings: Settings) -> None:
    """JSON unless a person watches; Kafka's clients are kept quiet, since they log every retry of an outage."""
    pretty = settings.log.format == "console" or (settings.log.format == "auto" and sys.stderr.isatty())
    renderer: Any = structlog.dev.ConsoleRenderer() if pretty else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(settings.log.level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    for name in ("aiokafka", "aiokafka.conn", "aiokafka.cluster", "httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _security(settings: Settings) -> BaseSecurity | None:
    held = settings.kafka
    if held.security_protocol == "PLAINTEXT":
        return None
    context = Kafka(held).options().get("ssl_context")
    if "SASL" not in held.security_protocol:
        return BaseSecurity(ssl_context=context)
    kinds = {"SCRAM-SHA-256": SASLScram256, "SCRAM-SHA-512": SASLScram512}
    kind = kinds.get(held.sasl_mechanism or "", SASLPlaintext)
    password = held.sasl_password.get_secret_value() if held.sasl_password else ""
    return kind(username=held.sasl_username or "", password=password, ssl_context=context)


def make_broker(settings: Settings, subscriptions: Sequence[Subscription]) -> KafkaBroker:
    """A consuming broker with one raw batch subscriber per subscription; producers are the services' own."""
    broker = KafkaBroker(
        settings.kafka.bootstrap.split(","), consumer_only=True, logger=None, security=_security(settings),
        retry_backoff_ms=20,
    )  # fmt: skip
    prefix = settings.kafka.topic_prefix
    for subscription in subscriptions:
        partitions = [TopicPartition(prefix + t, p) for t in subscription.topics for p in subscription.partitions]
        subscriber = broker.subscriber(
            partitions=partitions, group_id=prefix + subscription.group, batch=True, max_records=BATCH_RECORDS,
            batch_timeout_ms=20, fetch_max_wait_ms=100, ack_policy=AckPolicy.MANUAL, auto_offset_reset="earliest",
            isolation_level="read_committed", no_reply=True, decoder=_raw_bodies,
            max_partition_fetch_bytes=settings.kafka.max_message_bytes,
        )  # fmt: skip
        subscriber(_handler(subscription))
    return broker


async def _raw_bodies(message: KafkaMessage) -> Any:
    return None


def _handler(subscription: Subscription) -> Callable[[Any, KafkaMessage], Awaitable[None]]:
    async def handle(body: Any, message: KafkaMessage) -> None:
        raw: Any = message.raw_message
        await subscription.handle(tuple(raw) if isinstance(raw, list | tuple) else (raw,))

    return handle


def run(service: Service) -> None:
    """Run a service until SIGTERM or Ctrl-C."""
    configure_logging(service.settings)
    # Before the server takes the signals, so that a wait for Kafka can be ended.
    asyncio.run(_topics(service))
    app = make_app(service)
    config = uvicorn.Config(
        app, host=service.settings.host, port=service.port, log_level="warning", access_log=False,
        timeout_graceful_shutdown=5, lifespan="on", http=Bounded,
    )  # fmt: skip
    _Announcing(config, service.name).run()


class _Announcing(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, name: str) -> None:
        super().__init__(config)
        self._name = name

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        for server in self.servers:
            for socket in server.sockets:
                host, port = socket.getsockname()[:2]
                log.info("listening", service=self._name, host=host, port=port)


async def _topics(service: Service) -> None:
    """Wait for Kafka, then see to the topics; topics with other settings end the process with words."""
    while True:
        try:
            for done in await Kafka(service.settings.kafka).ensure_topics():
                log.info("topics", service=service.name, done=done)
            return
        except TopicError as error:
            log.critical("topics.differ", service=service.name, reason=str(error))
            os._exit(2)
        except KafkaError as error:
            log.error("kafka.unreachable", bootstrap=service.settings.kafka.bootstrap, reason=type(error).__name__)
            await asyncio.sleep(KAFKA_RETRY_S)


@contextlib.contextmanager
def restoring() -> Iterator[None]:
    """No garbage collection while long-lived state is built; afterwards that state is never looked through again."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.freeze()
        gc.set_threshold(50_000, 20, 20)


def make_app(service: Service) -> Starlette:
    """The HTTP application of a service; its lifespan is the life of the service."""
    ready = {"started": False}

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        with restoring():
            await service.running.start()
        busy = [subscription for subscription in service.subscriptions if subscription.partitions]
        broker = make_broker(service.settings, busy)
        if busy:
            await broker.start()
        elif service.subscriptions:
            log.warning("idle", service=service.name, reason="no configured tenant belongs to this slot")
        ready["started"] = True
        log.info("started", service=service.name)
        try:
            yield
        finally:
            await broker.stop()
            await service.running.stop()

    async def live(_request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readiness(_request: Request) -> Response:
        problem = service.running.problem() if ready["started"] else "starting"
        return JSONResponse({"ready": problem is None, "problem": problem}, status_code=503 if problem else 200)

    async def metrics(_request: Request) -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    routes = [
        Route("/health/live", live), Route("/health/ready", readiness), Route("/metrics", metrics), *service.routes,
    ]  # fmt: skip
    return Starlette(routes=routes, lifespan=lifespan)
