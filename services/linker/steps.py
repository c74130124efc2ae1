"""What a transaction tells of its messages: lines of the log once it is committed, and steps of
traces."""

import logging
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import structlog
from aiokafka import ConsumerRecord

from contracts.messages import Command, Observed, Outcome, ce_id
from runtime import traces
from services.linker.decide import Message
from services.linker.session import Output

log = structlog.get_logger()


Facts = dict[str, str | int | None]


class Line(NamedTuple):
    """What the log is told of a record, at level info where it is on the way of somebody's edit,
    else at debug."""

    event: str
    is_live: bool
    facts: Facts


def begun(tenant: str, message: Message, origin: ConsumerRecord | None) -> traces.Span:
    """The step of deciding a message, which goes on from the one that wrote it; of what is neither
    a reading nor an answer, nothing but the trace that its commands go on from."""
    parent = traces.parent_of(origin.headers) if origin is not None else None
    if not traces.are_sent() or not isinstance(message, Observed | Outcome):
        return traces.Span(parent)
    what = "reading" if isinstance(message, Observed) else "outcome"
    return traces.start(
        f"decide {what} of {message.entity}",
        parent,
        "consumer",
        begins=isinstance(message, Observed) and message.snapshot is None,
        tenant=tenant,
        entity=message.entity,
    )


class Wanted(NamedTuple):
    """Which lines the log would keep; asked once for a transaction, since nothing is made that it
    would drop."""

    live: bool
    others: bool

    @classmethod
    def now(cls) -> "Wanted":
        bound = log.bind()
        return cls(bound.is_enabled_for(logging.INFO), bound.is_enabled_for(logging.DEBUG))

    def line(self, *, is_live: bool) -> bool:
        return self.live if is_live else self.others


def lines_of(
    wanted: Wanted,
    message: Message,
    link: str | None,
    result: str,
    outputs: Iterable[Output],
    headers: Sequence[tuple[str, bytes]],
) -> list[Line]:
    """The lines of a message that was decided, and of each command that follows. `link` is the key
    of its link, where there is one; `headers` are those of its record."""
    found: list[Line] = []
    if isinstance(message, Observed):
        if wanted.line(is_live=message.snapshot is None):
            told = _ids(message, link, ce_id(message), system=message.system, result=result)
            found.append(Line("reading.decided", message.snapshot is None, told))
    elif isinstance(message, Outcome):
        is_live = _header(headers, "tandem_lane") == "live"
        if wanted.line(is_live=is_live):
            found.append(Line("outcome.decided", is_live, _answered(message, headers)))
    for each in outputs:
        if isinstance(each, Command) and wanted.line(is_live=each.lane == "live"):
            found.append(_sent(each))
    return found


def _answered(message: Outcome, headers: Sequence[tuple[str, bytes]]) -> Facts:
    cause, target, result = _header(headers, "tandem_cause"), message.target, message.result
    return _ids(message, message.link, cause, seq=message.seq, system=target, result=result)


def _sent(output: Command) -> Line:
    seq, target, op = output.seq, output.target, output.op
    told = _ids(output, output.link, output.cause, seq=seq, system=target, op=op)
    return Line("command.sent", output.lane == "live", told)


def _ids(
    about: Observed | Outcome | Command, link: str | None, cause: str, **more: str | int
) -> Facts:
    ids = {"tenant": about.tenant, "entity": about.entity, "link": link, "cause": cause}
    return {**ids, **more}


def _header(headers: Sequence[tuple[str, bytes | None]], name: str) -> str:
    found = next((value for held, value in headers if held == name), None)
    return (found or b"").decode("utf-8", "replace")


def tell(lines: Iterable[Line], spans: Iterable[traces.Span]) -> None:
    """The transaction is committed."""
    bound = log.bind()  # once: the logger that a module holds binds anew for every line
    for line in lines:
        (bound.info if line.is_live else bound.debug)(line.event, **line.facts)
    for span in spans:
        span.end()


def tell_undone(spans: Iterable[traces.Span], words: str) -> None:
    """Nothing of the transaction was committed."""
    for span in spans:
        span.fail(words)
        span.end()
