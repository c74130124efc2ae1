"""Messages that cannot be read are kept with their bytes and the reason; the stream goes on."""

import base64
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

import msgspec
import structlog
from aiokafka import ConsumerRecord

from contracts.decoding import UNREADABLE
from contracts.messages import DeadLetter
from runtime.clock import iso_now
from runtime.kafka import Record
from runtime.masking import masked

_encoder = msgspec.json.Encoder()
log = structlog.get_logger()
_T = TypeVar("_T", covariant=True)


class Decoder(Protocol[_T]):
    """What of a msgspec decoder is needed."""

    def decode(self, buf: bytes, /) -> _T: ...


def readable(decoder: Decoder[_T], record: ConsumerRecord) -> _T | None:
    """The message of a record; None where it is empty, and where it cannot be read, which the log
    then names."""
    if record.value is None:
        return None
    try:
        return decoder.decode(record.value)
    except UNREADABLE as error:
        log.error(
            "record.unreadable",
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            key=key_of(record),
            reason=reason_of(error),
            what="it is skipped",
        )
        return None


def undecodable(record: ConsumerRecord, reason: str, max_bytes: int) -> Record:
    """The dead letter of a record whose value cannot be understood or acted on. Without its bytes
    where the letter would have more than `max_bytes` with them; they stand where it names."""
    body = base64.b64encode(record.value or b"").decode()
    letter = DeadLetter(
        reason=reason,
        at=iso_now(),
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        key=key_of(record),
        body_base64=body,
    )
    key = f"{record.topic}/{record.partition}/{record.offset}".encode()
    held = Record("dead-letters", key, _encoder.encode(letter))
    if held.size() <= max_bytes:
        return held
    bare = msgspec.structs.replace(letter, body_base64=None)
    return Record("dead-letters", key, _encoder.encode(bare))


def key_of(record: ConsumerRecord) -> str | None:
    """A record's key as text."""
    return record.key.decode("utf-8", "replace") if record.key else None


def reason_of(error: BaseException) -> str:
    """An exception as one line with the place where it was raised, and what caused it; of a group,
    its first. Our own secrets are masked."""
    if isinstance(error, BaseExceptionGroup):
        return reason_of(error.exceptions[0])
    notes = "".join(f" ({note})" for note in getattr(error, "__notes__", ()))
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {frames[-1].name}:{frames[-1].lineno}" if frames else ""
    cause = (
        f" because of {type(error.__cause__).__name__}: {error.__cause__}"
        if error.__cause__ is not None
        else ""
    )
    return masked(f"{type(error).__name__}: {error}{notes}{place}{cause}")


@contextmanager
def about(what: str) -> Iterator[None]:
    """Whatever is raised in it tells, by `reason_of`, what it was about."""
    try:
        yield
    except Exception as error:
        error.add_note(what)
        raise
