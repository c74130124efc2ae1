"""The exactly-once linker against a bare aiokafka transactional loop that writes the same bytes, in
turns.

Input: mixed events of real size on one partition: half are first sights on both sides that match by
their reference, a fifth are edits on either side, the rest echoes (a new version, nothing changed)
and repeats. The bare loop consumes the same records and writes, per input record, the very records
the linker wrote to each topic, in transactions of the same number of inputs.
"""

import logging
import random
import statistics
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import msgspec
import structlog
from aiokafka import ConsumerRecord, TopicPartition

from contracts.entities import SYSTEMS
from contracts.messages import Observed, SnapshotCompleted
from contracts.settings import KafkaSettings, Settings, Tenant
from contracts.topics import partition_of, record_key
from runtime.kafka import Kafka, Record
from runtime.life import restoring
from runtime.transactions import PartitionTransactions
from services.linker.handlers import Linker

ROUNDS = 3
BATCH = 2000
_encoder = msgspec.json.Encoder()


def quiet() -> None:
    """No line for each record, which would be most of what is measured."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # it tries again by itself


def tenant() -> Tenant:
    """A tenant that sends its commands; nobody carries them out here."""
    secret = "x"
    return Tenant.model_validate(
        {
            "mode": "sync",
            "chargebee": {"site": "bench", "api_key": secret, "prices": "net"},
            "poweroffice": {
                "environment": "demo",
                "application_key": secret,
                "client_key": secret,
                "subscription_key": secret,
            },
            "invoicing": {"by": "chargebee"},
            "start": {"orders": "2026-01-01"},
            "create": {"order": {"to_chargebee": True}},
            "breaker": {name: {"at_least": 10**9} for name in ("creates", "changes", "deletes")},
        }
    )


def customer(number: int, edit: int) -> dict[str, Any]:
    """A customer of real size (about 600 bytes as an event)."""
    return {
        "kind": "person",
        "first_name": "Kari",
        "last_name": f"Nordmann-{number}",
        "company": None,
        "email": f"kari.nordmann.{number}@eksempel.no",
        "phone": f"+47 900 {edit:05d}",
        "organisation_number": None,
        "currency": "NOK",
        "vat_exempt": False,
        "address": {
            "line1": "Storgata 12",
            "line2": None,
            "city": "Trondheim",
            "zip": "7010",
            "country": "NO",
        },
        "archived": False,
    }


def events(count: int, name: str, *, seed: int = 1) -> Iterator[tuple[bytes, bytes]]:
    """Key and value of each event."""
    rng = random.Random(seed)
    pairs = count // 4

    def observed(system: Any, number: int, version: int, edit: int) -> tuple[bytes, bytes]:
        record_id = f"kari-{number}" if system == "chargebee" else str(1_000_000 + number)
        event = Observed(
            tenant=name,
            system=system,
            entity="customer",
            id=record_id,
            version=f"{version:013d}",
            mapping=1,
            observed_at="2026-11-23T12:00:00.000000Z",
            data=customer(number, edit),
            stamp=None if system == "chargebee" else f"cb-kari-{number}",
        )
        return record_key(name, system, record_id), _encoder.encode(event)

    for number in range(pairs):
        yield observed("chargebee", number, 1, 0)
    for number in range(pairs):
        yield observed("poweroffice", number, 1, 0)
    edited = iter(rng.sample(range(pairs), pairs))
    for index in range(count - 2 * pairs):
        number, kind = rng.randrange(pairs), rng.random()
        system = rng.choice(("chargebee", "poweroffice"))
        if kind < 0.4 and (fresh := next(edited, None)) is not None:
            yield observed(system, fresh, 10 + index, index)
        elif kind < 0.7:
            yield observed(system, number, 10 + index, 0)
        else:
            yield observed(system, number, 1, 0)


async def fill(kafka: Kafka, partition: int, name: str, count: int) -> None:
    """Write the events and the ends of the snapshots."""
    producer = kafka.producer()
    await producer.start()
    try:
        topic = kafka.name("customers")
        batch = producer.create_batch()
        for key, value in events(count, name):
            if batch.append(key=key, value=value, timestamp=None) is None:
                await producer.send_batch(batch, topic, partition=partition)
                batch = producer.create_batch()
                batch.append(key=key, value=value, timestamp=None)
        await producer.send_batch(batch, topic, partition=partition)
        await producer.flush()
        for system in SYSTEMS:
            done = SnapshotCompleted(
                tenant=name,
                system=system,
                entity="customer",
                snapshot="s",
                records=0,
                completed_at="now",
            )
            await producer.send_and_wait(
                topic, _encoder.encode(done), key=b"~", partition=partition
            )
    finally:
        await producer.stop()


async def batches(kafka: Kafka, partition: int) -> AsyncIterator[tuple[ConsumerRecord, ...]]:
    """The input in batches of at most BATCH, to its end."""
    consumer = kafka.consumer()
    await consumer.start()
    try:
        tp = TopicPartition(kafka.name("customers"), partition)
        consumer.assign([tp])
        end = (await consumer.end_offsets([tp]))[tp]
        while await consumer.position(tp) < end:
            for records in (await consumer.getmany(timeout_ms=500, max_records=BATCH)).values():
                yield tuple(records)
    finally:
        await consumer.stop()


async def run_linker(settings: Settings, kafka: Kafka, partition: int) -> tuple[float, float]:
    """Seconds and CPU seconds of the linker from first to last batch."""
    linker = Linker(settings)
    with restoring():
        await linker.start()
    started, cpu = time.perf_counter(), time.process_time()
    async for records in batches(kafka, partition):
        await linker.handle(records)
    spent = time.perf_counter() - started, time.process_time() - cpu
    await linker.stop()
    return spent


async def outputs(kafka: Kafka, partition: int) -> dict[str, list[Record]]:
    """Everything the linker wrote, by topic."""
    written: dict[str, list[Record]] = {}
    for topic in ("links", "commands.chargebee", "commands.poweroffice", "journal", "control"):
        async for record in kafka.read((topic,), (partition,)):
            written.setdefault(topic, []).append(Record(topic, record.key or b"", record.value))
    return written


async def run_bare(
    kafka: Kafka, partition: int, written: dict[str, list[Record]], count: int
) -> tuple[float, float]:
    """The same reads and the same written bytes with no decision between them; every transaction
    writes to every topic that the linker wrote to."""
    transactions = PartitionTransactions(kafka, "bare", partition, "bare")
    await transactions.start()
    started, cpu = time.perf_counter(), time.process_time()
    before = 0
    topic = kafka.name("customers")
    async for records in batches(kafka, partition):
        done = min(before + len(records), count)
        batch = [
            record
            for held in written.values()
            for record in held[len(held) * before // count : len(held) * done // count]
        ]
        before = done
        await transactions.commit(batch, {topic: records[-1].offset + 1})
    spent = time.perf_counter() - started, time.process_time() - cpu
    await transactions.stop()
    return spent


async def measure(bootstrap: str, count: int) -> AsyncIterator[str]:
    """Rows of a table: medians over interleaved rounds, and the ratio."""
    ours: list[tuple[float, float]] = []
    bare: list[tuple[float, float]] = []
    for number in range(ROUNDS):
        settings = Settings(
            kafka=KafkaSettings(bootstrap=bootstrap, topic_prefix=f"bench{number}.", partitions=1),
            tenants={"bench": tenant()},
        )
        kafka = Kafka(settings.kafka)
        partition = partition_of("bench", 1)
        await kafka.ensure_topics()
        await fill(kafka, partition, "bench", count)
        ours.append(await run_linker(settings, kafka, partition))
        written = await outputs(kafka, partition)
        bare.append(await run_bare(kafka, partition, written, count + 2))
    ratio = statistics.median(b[0] / a[0] for a, b in zip(ours, bare, strict=True))
    yield f"{'variant':<38}{'records/s':>12}{'CPU us/record':>16}"
    for label, spent in (("linker, exactly once", ours), ("bare aiokafka loop, same bytes", bare)):
        seconds, cpu = (
            statistics.median(s for s, _ in spent),
            statistics.median(c for _, c in spent),
        )
        yield f"{label:<38}{count / seconds:>12,.0f}{cpu / count * 1e6:>16.1f}"
    yield f"ratio {ratio:.2f} over {ROUNDS} interleaved rounds of {count} events"
