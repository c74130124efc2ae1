"""Traces of the way that a change takes, by OpenTelemetry, where OTEL_EXPORTER_OTLP_ENDPOINT says
where to send them.

A message on Kafka bears the W3C `traceparent` of the step that wrote it, and whoever takes it goes
on from there. Without an endpoint nothing is imported or sent, and a `traceparent` is handed on as
it came.
"""

import importlib.util
import os
import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Literal

from runtime.unusable import Unusable
from runtime.version import version

if TYPE_CHECKING:
    from opentelemetry import trace
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
PACKAGES = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")
LAST_S = 2.0  # for what is not sent yet when the process ends
_FORM = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
Kind = Literal["internal", "server", "client", "producer", "consumer"]


class Span:
    """One step of a trace. `traceparent` is what goes with the messages it writes; `idle` says that
    it is not worth telling unless something follows from it; `detailed` that requests to a vendor
    within it become steps too."""

    def __init__(self, traceparent: str | None, held: "trace.Span | None" = None) -> None:
        self.traceparent, self._held = traceparent, held
        self.idle = self.detailed = False

    @property
    def is_told(self) -> bool:
        """Whether there is anything to send of it."""
        return self._held is not None

    def tell(self, **facts: str | int) -> None:
        """Add facts to the step."""
        if self._held is not None:
            self._held.set_attributes(_named(facts))

    def fail(self, words: str) -> None:
        """Say that the step failed."""
        if self._held is not None:
            from opentelemetry.trace import Status, StatusCode

            self._held.set_status(Status(StatusCode.ERROR, words))

    def end(self) -> None:
        """The step is over. One that is still idle is dropped: what has not ended is never sent."""
        if self._held is not None and not self.idle:
            self._held.end()


_current: ContextVar[Span | None] = ContextVar("span", default=None)
_provider: "TracerProvider | None" = None


def wanted(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether traces are to be sent."""
    return any(environment.get(name, "").strip() for name in ENDPOINTS)


def begin(service: str) -> None:
    """Send the steps of this process from now on, where an endpoint is set. Raises Unusable without
    the packages."""
    global _provider
    if not wanted():
        return
    try:
        found = all(importlib.util.find_spec(name) is not None for name in PACKAGES)
    except ModuleNotFoundError:
        found = False
    if not found:
        raise Unusable(
            f"{ENDPOINTS[0]} is set and the packages for traces are not installed; "
            "pip install 'tandem[traces]', or unset it"
        )
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    about = {"service.name": service, "service.namespace": "tandem", "service.version": version()}
    _provider = TracerProvider(resource=Resource.create(about), shutdown_on_exit=False)
    _provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))


def are_sent() -> bool:
    """Whether the steps of this process are sent anywhere."""
    return _provider is not None


def end() -> None:
    """Send what is left, for at most LAST_S, and nothing from then on."""
    global _provider
    provider, _provider = _provider, None
    if provider is not None:
        # A receiver that is away must not hold up the end of the process.
        last = threading.Thread(target=provider.shutdown, name="traces", daemon=True)
        last.start()
        last.join(LAST_S)


def start(
    name: str,
    parent: str | None = None,
    kind: Kind = "internal",
    *,
    begins: bool = True,
    **facts: str | int,
) -> Span:
    """Begin a step that goes on from a `traceparent`; the caller ends it. Without one it begins a
    trace, unless `begins` is False: a backfill of a million records is not traced."""
    if _provider is None or (parent is None and not begins):
        return Span(parent)
    from opentelemetry.trace import SpanKind
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier = {} if parent is None else {"traceparent": parent}
    held = _provider.get_tracer("tandem").start_span(
        name,
        # Not the context of this task: what a step goes on from is always given.
        context=TraceContextTextMapPropagator().extract(carrier, context=_nowhere()),
        kind=SpanKind[kind.upper()],
        attributes=_named(facts),
    )
    at = held.get_span_context()
    if not at.is_valid:  # the SDK is switched off by its own variable
        return Span(parent)
    return Span(f"00-{at.trace_id:032x}-{at.span_id:016x}-{int(at.trace_flags):02x}", held)


@contextmanager
def step(
    name: str,
    parent: str | None = None,
    kind: Kind = "internal",
    *,
    begins: bool = True,
    idle: bool = False,
    detailed: bool = False,
    **facts: str | int,
) -> Iterator[Span]:
    """A step around a block: what is begun within it goes on from it. Without a `parent` it goes on
    from the step around it. An error that leaves the block is told, by its kind."""
    around = _current.get()
    span = start(name, parent or current(), kind, begins=begins, **facts)
    span.idle, span.detailed = idle, detailed or (around is not None and around.detailed)
    token = _current.set(span)
    try:
        yield span
    except BaseException as error:
        span.fail(type(error).__name__)
        raise
    finally:
        _current.reset(token)
        span.end()


@contextmanager
def request(method: str, url: str) -> Iterator[Span]:
    """A request to a vendor, which is a step only within one that is `detailed`. Of the address
    only the host and path are told."""
    around = _current.get()
    if around is None or not around.detailed:
        yield Span(None)
        return
    place = url.partition("?")[0]
    with step(method, kind="client", http_method=method, http_url=place) as span:
        yield span


def current() -> str | None:
    """The `traceparent` of the step around the caller."""
    around = _current.get()
    return None if around is None else around.traceparent


def used() -> None:
    """Something follows from the step around the caller: it is worth telling."""
    if (around := _current.get()) is not None:
        around.idle = False


def parent_of(headers: Iterable[tuple[str, bytes | None]]) -> str | None:
    """The `traceparent` among the headers of a message; None where there is none that can be
    read."""
    for name, value in headers:
        if name == "traceparent" and value is not None:
            text = value.decode("ascii", "replace")
            return text if _FORM.fullmatch(text) else None
    return None


def _named(facts: Mapping[str, str | int]) -> dict[str, str | int]:
    return {f"tandem.{name}": value for name, value in facts.items()}


def _nowhere() -> "Context":
    from opentelemetry.context import Context

    return Context()
