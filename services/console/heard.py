"""Reads what services said of themselves, and the signals that the linker has not taken. Writes
nothing."""

from collections.abc import Sequence

import msgspec
from aiokafka import TopicPartition

from contracts.decoding import UNREADABLE
from contracts.messages import Heartbeat, Signal
from contracts.settings import Settings
from contracts.topics import HEARTBEATS
from runtime.kafka import Kafka

_beat = msgspec.json.Decoder(Heartbeat)
_signal = msgspec.json.Decoder(Signal)


async def read_heartbeats(kafka: Kafka) -> list[Heartbeat]:
    """All that the topic holds, oldest first; what cannot be read is left out."""
    return (await read_beats(kafka, (HEARTBEATS,)))[HEARTBEATS]


async def read_beats(kafka: Kafka, topics: Sequence[str]) -> dict[str, list[Heartbeat]]:
    """All that each of these topics holds, oldest first; what cannot be read is left out."""
    short = {kafka.name(topic): topic for topic in topics}
    found: dict[str, list[Heartbeat]] = {topic: [] for topic in topics}
    async for record in kafka.read(topics, (0,)):
        if record.value is not None:
            try:
                found[short[record.topic]].append(_beat.decode(record.value))
            except UNREADABLE:
                continue
    return found


async def read_signals_left(kafka: Kafka, settings: Settings) -> list[Signal]:
    """The signals from the linker's committed positions on; those it could not read are its dead
    letters."""
    name = kafka.name("signals")
    partitions = sorted(set(map(settings.partition_of, settings.tenants)))
    async with kafka.consuming("linker") as consumer:
        wanted = [TopicPartition(name, each) for each in partitions]
        consumer.assign(wanted)
        ends = await consumer.end_offsets(wanted) if wanted else {}
        begins = {tp: await consumer.committed(tp) or 0 for tp in wanted}
    found = []
    for tp in wanted:
        if begins[tp] < ends[tp]:
            async for record in kafka.read_range("signals", tp.partition, begins[tp], ends[tp]):
                try:
                    found.append(_signal.decode(record.value or b""))
                except UNREADABLE:
                    continue
    return found
