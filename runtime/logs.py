"""What the services log: one line each, cut to a length, without our secrets, and limited in rate
where strangers can cause them."""

import logging
import sys
import time
from collections.abc import Callable, Hashable, MutableMapping
from typing import Any

import structlog

from contracts.settings import Settings
from runtime.harmless import cut, harmless
from runtime.masking import hide_settings, masked

VALUE_MAX, TRACE_MAX = 2_000, 20_000  # characters
AT_MOST, WITHIN_S = 10, 60.0
DEPTH_MAX = 6


class Seldom:
    """Lets each kind of line through `at_most` times in `within_s` seconds and counts the others.
    `clock` gives seconds. What tells the kinds apart must not be of a stranger's choosing, or he
    could fill the memory."""

    def __init__(
        self,
        at_most: int = AT_MOST,
        within_s: float = WITHIN_S,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._at_most, self._within_s, self._clock = at_most, within_s, clock
        self._kinds: dict[Hashable, tuple[float, int]] = {}
        self._left_out: dict[Hashable, int] = {}

    def lets(self, kind: Hashable) -> int | None:
        """How many lines of the kind were left out before this one; None where this one is left out
        too."""
        now_s = self._clock()
        begun_s, count = self._kinds.get(kind, (now_s, 0))
        if now_s - begun_s >= self._within_s:
            begun_s, count = now_s, 0
        self._kinds[kind] = (begun_s, count + 1)
        if count >= self._at_most:
            self._left_out[kind] = self._left_out.get(kind, 0) + 1
            return None
        return self._left_out.pop(kind, 0)


def configure_logging(settings: Settings) -> None:
    """JSON unless a person watches; Kafka's clients are kept quiet, since they log every retry of
    an outage. From here on the secrets of the settings are masked in this process."""
    hide_settings(settings)
    pretty = settings.log.format == "console" or (
        settings.log.format == "auto" and sys.stderr.isatty()
    )
    renderer: Any = (
        structlog.dev.ConsoleRenderer() if pretty else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            cleaned,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(settings.log.level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Plain(logging.BASIC_FORMAT))
    handler.addFilter(SeldomServer())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    for name in ("aiokafka", "aiokafka.conn", "aiokafka.cluster", "httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def cleaned(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The processor of structlog that makes every value fit to be kept and shown."""
    for name, value in event.items():
        event[name] = (
            _trace(value) if name == "exception" and isinstance(value, str) else _clean(value)
        )
    return event


def _clean(value: Any, depth: int = 0) -> Any:
    if isinstance(value, str):
        return harmless(cut(masked(value), VALUE_MAX))
    if isinstance(value, dict) and depth < DEPTH_MAX:
        return {_clean(key, depth + 1): _clean(held, depth + 1) for key, held in value.items()}
    if isinstance(value, list | tuple | set | frozenset) and depth < DEPTH_MAX:
        return [_clean(held, depth + 1) for held in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return harmless(cut(masked(str(value)), VALUE_MAX))


def _trace(text: str) -> str:
    return harmless(cut(masked(text), TRACE_MAX), keep="\n")


class Plain(logging.Formatter):
    """Lines of libraries."""

    def format(self, record: logging.LogRecord) -> str:
        return _trace(super().format(record))


OFTEN = ("uvicorn", "opentelemetry")


class SeldomServer(logging.Filter):
    """The HTTP server complains of what anybody may send, and the sender of traces of each batch
    that nobody takes."""

    def __init__(self) -> None:
        super().__init__()
        self._seldom = Seldom()

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.name.startswith(OFTEN):
            return True
        left_out = self._seldom.lets((record.name, record.levelno, str(record.msg)[:80]))
        if left_out:
            record.msg = f"{record.msg} ({left_out} more like it were left out)"
        return left_out is not None
