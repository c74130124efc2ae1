"""Messages that cannot be read are kept with their bytes and the reason; the stream goes on."""

import base64
import traceback

import msgspec
from aiokafka import ConsumerRecord

from contracts.messages import DeadLetter
from runtime.clock import iso_now
from runtime.kafka import Record

_encoder = msgspec.json.Encoder()


def undecodable(record: ConsumerRecord, reason: str) -> Record:
    """The dead letter of a record whose value cannot be understood or acted on."""
    letter = DeadLetter(
        reason=reason, at=iso_now(), topic=record.topic, partition=record.partition, offset=record.offset,
        key=record.key.decode("utf-8", "replace") if record.key else None,
        body_base64=base64.b64encode(record.value or b"").decode(),
    )  # fmt: skip
    key = f"{record.topic}/{record.partition}/{record.offset}".encode()
    return Record("dead-letters", key, _encoder.encode(letter))


def reason_of(error: Exception) -> str:
    """An exception as one line with the place where it was raised, and what caused it."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {frames[-1].name}:{frames[-1].lineno}" if frames else ""
    cause = f" because of {type(error.__cause__).__name__}: {error.__cause__}" if error.__cause__ is not None else ""
    return f"{type(error).__name__}: {error}{place}{cause}"
