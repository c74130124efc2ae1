"""Instructions of an operator: a message on Kafka, taken by the linker once, acknowledged in `control`."""

import asyncio
import uuid
from typing import Any

import msgspec

from contracts.messages import Control, Signal
from contracts.settings import Settings
from runtime.clock import iso_now
from runtime.kafka import Kafka

LOOKS, PAUSE_S = 50, 0.2
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Control)


async def send_signal(settings: Settings, tenant: str, kind: str, args: dict[str, Any]) -> dict[str, Any] | None:
    """Send a signal; the linker's answer with the signal's id, None when it has not taken it after LOOKS looks."""
    kafka, partition = Kafka(settings.kafka), settings.partition_of(tenant)
    signal = Signal(tenant=tenant, id=uuid.uuid4().hex, kind=kind, at=iso_now(), args=args)
    producer = kafka.producer()
    await producer.start()
    try:
        await producer.send_and_wait(
            kafka.name("signals"), _encoder.encode(signal), key=tenant.encode(), partition=partition
        )
    finally:
        await producer.stop()
    for _ in range(LOOKS):
        if (answer := await _answer(kafka, partition, signal.id)) is not None:
            return {"signal": signal.id, **answer}
        await asyncio.sleep(PAUSE_S)
    return None


async def _answer(kafka: Kafka, partition: int, signal_id: str) -> dict[str, Any] | None:
    async for record in kafka.read(("control",), (partition,)):
        if record.value is not None:
            control = _decoder.decode(record.value)
            if (control.kind, control.id) == ("signal", signal_id):
                return control.value
    return None
