"""Reads the topics to their ends and the positions of the services' consumer groups. Writes nothing."""

from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from contracts.messages import Control, Cursor, DeadLetter, Link
from contracts.settings import Settings
from contracts.topics import LINKER_INPUTS
from runtime.kafka import Kafka
from services.console.status import Status, TenantStatus, tenant_status

GROUPS: dict[str, tuple[str, ...]] = {
    "linker": LINKER_INPUTS,
    "chargebee_adapter": ("commands.chargebee",),
    "poweroffice_adapter": ("commands.poweroffice",),
}
STATUS_TOPICS = ("links", "control", "cursors", "dead-letters")
MAX_COUNTED = 20_000

_T = TypeVar("_T")


async def read_status(settings: Settings) -> Status:
    """The status of every configured tenant. Raises aiokafka's KafkaError when Kafka cannot be read."""
    kafka = Kafka(settings.kafka)
    newest = await _newest(kafka, sorted(set(map(settings.partition_of, settings.tenants))))
    lag = {group: await _lag(kafka, group, topics, settings) for group, topics in GROUPS.items()}
    return Status(tenants={name: _tenant(name, newest, settings.partition_of(name)) for name in settings.tenants},
                  lag=lag)  # fmt: skip


class _Newest:
    """The newest value of every key, by topic and partition, as compaction would leave it."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, int], dict[bytes, bytes]] = {}

    def take(self, topic: str, partition: int, key: bytes, value: bytes | None) -> None:
        held = self._held.setdefault((topic, partition), {})
        if value is None:
            held.pop(key, None)
        else:
            held[key] = value

    def decoded(self, topic: str, partition: int, prefix: str, kind: type[_T]) -> list[_T]:
        """The values whose key begins with `prefix`, ordered by key. Raises msgspec.MsgspecError."""
        decoder = msgspec.json.Decoder(kind)
        held = self._held.get((topic, partition), {})
        return [decoder.decode(held[key]) for key in sorted(held) if key.startswith(prefix.encode())]


async def _newest(kafka: Kafka, partitions: Sequence[int]) -> _Newest:
    newest = _Newest()
    prefix = len(kafka.settings.topic_prefix)
    async for record in kafka.read(STATUS_TOPICS, partitions):
        newest.take(record.topic[prefix:], record.partition, record.key or b"", record.value)
    return newest


def _tenant(name: str, newest: _Newest, partition: int) -> TenantStatus:
    # A letter about an unreadable message is kept under topic/partition/offset, which names no tenant.
    letters = newest.decoded("dead-letters", partition, "", DeadLetter)
    return tenant_status(
        newest.decoded("links", partition, f"{name}/", Link),
        newest.decoded("control", partition, f"{name}/", Control),
        newest.decoded("cursors", partition, f"{name}/", Cursor),
        [each for each in letters if each.command is None or each.command.tenant == name],
    )


async def _lag(kafka: Kafka, group: str, topics: Sequence[str], settings: Settings) -> int:
    """Messages the group has not taken. Offsets alone would count transaction markers, so messages are counted;
    beyond MAX_COUNTED the difference of the offsets stands in."""
    consumer: Any = kafka.consumer(group)
    await consumer.start()
    try:
        partitions = sorted(set(map(settings.partition_of, settings.tenants)))
        wanted = [TopicPartition(kafka.name(topic), each) for topic in topics for each in partitions]
        consumer.assign(wanted)
        ends = await consumer.end_offsets(wanted)
        starts = {tp: await consumer.committed(tp) or 0 for tp in wanted}
        behind = {tp: ends[tp] - starts[tp] for tp in wanted if ends[tp] > starts[tp]}
        if sum(behind.values()) > MAX_COUNTED:
            return sum(behind.values())
        return await _count(consumer, {tp: ends[tp] for tp in behind}, starts)
    finally:
        await consumer.stop()


async def _count(consumer: AIOKafkaConsumer, ends: dict[TopicPartition, int], starts: dict[TopicPartition, int]) -> int:
    if not ends:
        return 0
    consumer.assign(list(ends))
    for tp in ends:
        consumer.seek(tp, starts[tp])
    counted, still_open = 0, set(ends)
    while still_open:
        for tp, records in (await consumer.getmany(timeout_ms=200)).items():
            counted += sum(record.offset < ends[tp] for record in records)
        for tp in list(still_open):
            if await consumer.position(tp) >= ends[tp]:
                still_open.discard(tp)
    return counted
