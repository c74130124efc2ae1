"""The status of every tenant, how far the services' consumer groups are behind, and what their
heartbeats tell. Writes nothing."""

from collections.abc import Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition

from contracts.said import english
from contracts.settings import Settings
from contracts.topics import LINKER_INPUTS
from runtime.clock import utc_now
from runtime.kafka import Kafka
from runtime.version import version
from services.console.heard import read_heartbeats, read_signals_left
from services.console.known import KnownByModel
from services.console.model import ReadModel
from services.console.services import judge
from services.console.status import Status, tenant_status
from services.console.waiting import read_within

GROUPS: dict[str, tuple[str, ...]] = {
    "linker": LINKER_INPUTS,
    "chargebee_adapter": ("commands.chargebee",),
    "poweroffice_adapter": ("commands.poweroffice",),
}
MAX_COUNTED = 20_000


async def read_status(settings: Settings, model: ReadModel, tenants: Sequence[str]) -> Status:
    """The status of these tenants. Raises aiokafka's KafkaError when Kafka cannot be read."""
    kafka = Kafka(settings.kafka)
    beats, signals = await read_heartbeats(kafka), await read_signals_left(kafka, settings)
    judged = judge(settings, tenants, beats, signals, version(), utc_now())
    lag = await lag_of(settings)
    return Status(
        tenants={
            name: tenant_status(
                model.told(name),
                model.controls(name),
                model.cursors(name),
                model.letters(name).values(),
                settings.tenants[name].effective_mode,
                model.decided(name, ("possible_duplicate",)),
                settings.tenants[name].missing_decisions(),
                name if len(settings.tenants) > 1 else None,
                model.tally(name),
                KnownByModel(model, name),
                read_within(settings.tenants[name]),
            )
            for name in tenants
        },
        lag=lag,
        alerts=list(map(english, judged.alerts)),
        notes=list(map(english, judged.notes)),
        services=judged.processes,
        signals=judged.signals,
    )


async def lag_of(settings: Settings) -> dict[str, int]:
    """The messages that each consumer group has not taken."""
    kafka = Kafka(settings.kafka)
    return {group: await _lag(kafka, group, topics, settings) for group, topics in GROUPS.items()}


async def _lag(kafka: Kafka, group: str, topics: Sequence[str], settings: Settings) -> int:
    """Messages the group has not taken. Offsets alone would count transaction markers, so messages
    are counted; beyond MAX_COUNTED the difference of the offsets stands in."""
    async with kafka.consuming(group) as consumer:
        partitions = sorted(set(map(settings.partition_of, settings.tenants)))
        wanted = [
            TopicPartition(kafka.name(topic), each) for topic in topics for each in partitions
        ]
        consumer.assign(wanted)
        ends = await consumer.end_offsets(wanted)
        starts = {tp: await consumer.committed(tp) or 0 for tp in wanted}
        behind = {tp: ends[tp] - starts[tp] for tp in wanted if ends[tp] > starts[tp]}
        if sum(behind.values()) > MAX_COUNTED:
            return sum(behind.values())
        return await _count(consumer, {tp: ends[tp] for tp in behind}, starts)


async def _count(
    consumer: AIOKafkaConsumer, ends: dict[TopicPartition, int], starts: dict[TopicPartition, int]
) -> int:
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
