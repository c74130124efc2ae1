"""Instructions of an operator: a message on Kafka, taken by the linker once, answered in `control`
and the journal."""

import time
import uuid
from typing import Any

import msgspec
from aiokafka import TopicPartition

from contracts.messages import Control, Signal
from contracts.settings import Settings
from contracts.signals import OfOperator, to
from runtime.clock import iso_now
from runtime.kafka import Kafka

WAIT_S = 10.0  # times console.patience
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Control)


async def send_signal(
    settings: Settings, tenant: str, said: OfOperator, *, by: str
) -> dict[str, Any] | None:
    """Send a signal of a person; the linker's answer with the signal's id, None when it has not
    taken it within WAIT_S."""
    kafka, partition = Kafka(settings.kafka), settings.partition_of(tenant)
    signal = to(tenant, said, id=uuid.uuid4().hex[:12], at=iso_now(), by=by)
    async with kafka.consuming() as consumer:
        control = TopicPartition(kafka.name("control"), partition)
        consumer.assign([control])
        # What comes after this moment: the answer is written after the signal was read.
        consumer.seek(control, (await consumer.end_offsets([control]))[control])
        await _send(kafka, partition, signal)
        until_s = time.monotonic() + WAIT_S * settings.console.patience
        while time.monotonic() < until_s:
            for record in (await consumer.getmany(control, timeout_ms=500)).get(control, ()):
                fact = _decoder.decode(record.value) if record.value is not None else None
                if fact is not None and (fact.kind, fact.id) == ("signal", signal.id):
                    return {"signal": signal.id, **fact.value}
        return None


async def _send(kafka: Kafka, partition: int, signal: Signal) -> None:
    producer = kafka.producer()
    await producer.start()
    try:
        key = signal.tenant.encode()
        await producer.send_and_wait(
            kafka.name("signals"), _encoder.encode(signal), key=key, partition=partition
        )
    finally:
        await producer.stop()
