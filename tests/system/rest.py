"""When nothing moves any more: a fact that is asked of Kafka and of the simulators, never a time
that has passed."""

import asyncio
from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from aiokafka import AIOKafkaConsumer, TopicPartition

from contracts.entities import ENTITIES, SYSTEMS
from contracts.topics import LINKER_INPUTS
from runtime.kafka import Kafka
from tests.waiting import wait_for

if TYPE_CHECKING:
    from tests.system.rig import Rig

COMMANDS = ("commands.chargebee", "commands.poweroffice")
WRITTEN = (*LINKER_INPUTS, *COMMANDS, "links", "control", "journal", "dead-letters")
GO_POLL = "GET /Customers"
GO_INVOICES = "GET /OutgoingInvoices"
POLLED = ("GET /events", GO_POLL, "GET /Products", "GET /SalesOrders", GO_INVOICES)
# Requests until one whole reading began and ended; a reading of Go's invoices is two, by sending
# and by balance.
WHOLE = {GO_INVOICES: 4}


def _reached(due: Mapping[str, int], now: Mapping[str, int]) -> bool:
    return all(now[name] >= due[name] for name in POLLED)


def until_at_rest(rig: "Rig", polls: int) -> int:
    """Wait until everything stands as it stood at the look before; returns the writes of the sync.

    Between the two looks Go's customers were polled so many times and every other list so often
    that one whole reading of each began and ended in between; and each message was taken by whom it
    is for.
    """
    while True:
        stood, marks = _stands(rig), _polled(rig)
        due = {
            name: marks[name] + (max(2, polls) if name == GO_POLL else WHOLE.get(name, 2))
            for name in POLLED
        }
        wait_for(f"polls up to {due}", partial(_polled, rig), partial(_reached, due))
        wait_for("everything is taken", partial(untaken, rig), lambda words: not words)
        if _stands(rig) == stood:
            return rig.writes()


def _polled(rig: "Rig") -> dict[str, int]:
    """How often each list that the sources follow was read."""
    counts = rig.requests("chargebee")["counts"] | rig.requests("poweroffice")["counts"]
    return {name: int(counts.get(name, 0)) for name in POLLED}


def _stands(rig: "Rig") -> tuple[int, dict[str, int]]:
    """The writes of the sync, and the place of the last message in each topic that somebody acts
    upon."""
    return rig.writes(), asyncio.run(_last(rig.kafka, rig.partition))


async def _last(kafka: Kafka, partition: int) -> dict[str, int]:
    last, prefix = dict[str, int](), kafka.name("")
    async for record in kafka.read((*LINKER_INPUTS, *COMMANDS), (partition,)):
        last[record.topic.removeprefix(prefix)] = record.offset
    return last


def untaken(rig: "Rig") -> list[str]:
    """What the services of the rig's tenant have still to do, in words."""
    controls = {
        f"{each['kind']}/{each['id']}": each["value"]
        for each in rig.records("control", readable=True)
        if each["tenant"] in (rig.tenant, "~")
    }
    words = [
        f"the first reading of {entity}/{system} is not complete"
        for entity in ENTITIES
        for system in SYSTEMS
        if f"barrier/{entity}/{system}" not in controls
    ]
    words += [f"{link.entity} {link.key} is in flight" for link in rig.every_link() if link.flight]
    taken = controls.get(f"position/p{rig.partition:02d}", {})
    return words + asyncio.run(_lag(rig.kafka, rig.partition, taken))


async def _lag(kafka: Kafka, partition: int, taken: Mapping[str, int]) -> list[str]:
    last = await _last(kafka, partition)
    positions = {topic: taken.get(kafka.name(topic), 0) for topic in LINKER_INPUTS}
    async with kafka.admin() as admin:
        for topic in COMMANDS:
            held = await admin.list_consumer_group_offsets(
                kafka.name(f"{topic.removeprefix('commands.')}_adapter")
            )
            positions[topic] = max(
                (at.offset for tp, at in held.items() if tp == (kafka.name(topic), partition)),
                default=0,
            )
    words = [
        f"{topic}: taken up to {positions[topic]}, the last stands at {at}"
        for topic, at in last.items()
        if positions[topic] <= at
    ]
    return words + await open_transactions(kafka, WRITTEN, (partition,))


async def open_transactions(
    kafka: Kafka, topics: Iterable[str], partitions: Iterable[int]
) -> list[str]:
    """Where records stand that cannot be read yet. A commit is answered before its markers are
    written."""
    places = [TopicPartition(kafka.name(topic), each) for topic in topics for each in partitions]
    readable, written = [
        await _ends(kafka, places, level) for level in ("read_committed", "read_uncommitted")
    ]
    return [
        f"{tp.topic}/{tp.partition} has an open transaction"
        for tp in places
        if readable[tp] < written[tp]
    ]


async def _ends(
    kafka: Kafka, places: list[TopicPartition], level: str
) -> dict[TopicPartition, int]:
    consumer = AIOKafkaConsumer(**kafka.options(), isolation_level=level)
    await consumer.start()
    try:
        ends: dict[TopicPartition, int] = await consumer.end_offsets(places)
        return ends
    finally:
        await consumer.stop()
