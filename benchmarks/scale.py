"""Whether the linker's cost grows with the links it knows, with its tenants and with its slots.

Links and tenants: decisions in memory, from the bytes of an event to the records of its
transaction and the index, without Kafka; the variants take turns in one process. Half of the events
are edits of known pairs, a quarter echoes, a quarter newcomers. Slots: processes of their own on a
real Kafka, each with its partitions, and one tenant a partition. Where they all share two cores
with Kafka, more than one slot only shows what another process costs.
"""

import asyncio
import gc
import itertools
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec
from aiokafka import ConsumerRecord, TopicPartition

from benchmarks.linker import BATCH, ROUNDS, customer, events, quiet, tenant
from benchmarks.restore import link, resident_bytes
from contracts.entities import SYSTEMS, System
from contracts.messages import Observed, SnapshotCompleted
from contracts.settings import KafkaSettings, Settings
from contracts.topics import partition_of
from runtime.kafka import Kafka
from runtime.life import restoring
from services.linker.batch import Batch
from services.linker.handlers import Linker
from services.linker.policy import policy_of
from services.linker.store import Store

ROOT = Path(__file__).parents[1]
PARTS = (100, 10, 1)  # of the largest number of links
TENANTS = (1, 10, 100)
SLOTS = (1, 2, 4)
EVENTS = 2000  # of a variant in each round
SLOT_EVENTS = 8_000  # of all tenants together
EMPTY = 500  # tenants without a link, whose memory is measured
RUN_S = 1800.0
READY = b"ready\n"
TOPIC, NOW = "customers", "2026-11-23T12:00:00.000000Z"
_encoder = msgspec.json.Encoder()


class Known(NamedTuple):
    """Stores of tenants, and how many pairs each tenant has."""

    stores: Mapping[str, Store]
    pairs: int


async def measure(bootstrap: str, links: int) -> AsyncIterator[str]:
    """Rows of a table for each of the three, medians and ranges of interleaved rounds; the ratios
    are to the first row of each."""
    kafka = Kafka(KafkaSettings(bootstrap=bootstrap))
    before = resident_bytes()
    empty = knowing(EMPTY, 0)
    each_bytes = (resident_bytes() - before) / len(empty.stores)
    yield f"a tenant without links takes {each_bytes:,.0f} bytes of memory"
    used: list[float] = []
    sizes = [max(1, links // part) for part in PARTS]
    known = []
    for size in sizes:
        before = resident_bytes()
        known.append(knowing(1, size))
        used.append((resident_bytes() - before) / size)
    gc.freeze()
    yield heading("links known", "CPU us/record", "bytes of memory per link")
    for size, costs, held in zip(sizes, rounds(kafka, known), used, strict=True):
        yield f"{size:<14,}{costs}{held:>26,.0f}"
    del known
    spread = [knowing(count, max(1, links // PARTS[1] // count)) for count in TENANTS]
    yield heading(f"tenants ({links // PARTS[1]:,} links)", "CPU us/record")
    for count, costs in zip(TENANTS, rounds(kafka, spread), strict=True):
        yield f"{count:<14,}{costs}"
    yield heading("slots", "CPU us/record", "records/s", "ratio")
    async for line in of_slots(bootstrap):
        yield line


def heading(first: str, *names: str) -> str:
    """The first line of a table."""
    return f"{first:<30}" + "".join(f"{name:>26}" for name in names)


def knowing(tenants: int, pairs: int) -> Known:
    """Tenants that have read both systems and know so many pairs each, as after a start."""
    stores = {}
    for number in range(tenants):
        name = f"bench{number}"
        store = stores[name] = Store(name, policy_of(tenant()))
        take(Kafka(KafkaSettings()), stores, [_completed(name, system) for system in SYSTEMS])
        for each in range(pairs):
            store.load(f"customer/kari-{each}", link(each, name))
        store.build_index()
    return Known(stores, pairs)


def rounds(kafka: Kafka, variants: list[Known]) -> list[str]:
    """The CPU of a record in microseconds for each variant, in turns: median, range, and the ratio
    to the first."""
    spent: list[list[float]] = [[] for _ in variants]
    for number in range(ROUNDS + 1):
        for variant, costs in zip(variants, spent, strict=True):
            records = list(_events(variant, number))
            begun_s = time.process_time()
            for begin in range(0, len(records), BATCH):
                take(kafka, variant.stores, records[begin : begin + BATCH])
            costs.append((time.process_time() - begun_s) / len(records) * 1e6)
    first = statistics.median(spent[0][1:])
    found = []
    for costs in spent:
        timed = costs[1:]  # the first round warms up
        middle = statistics.median(timed)
        found.append(
            f"{f'{middle:.0f} ({min(timed):.0f}-{max(timed):.0f})':>26}{middle / first:>8.2f}"
        )
    return found


def take(kafka: Kafka, stores: Mapping[str, Store], records: list[ConsumerRecord]) -> None:
    """Decide one batch as the linker does, less its transaction."""
    batch = Batch(kafka, stores, 0, NOW)
    for record in records:
        batch.take(record, TOPIC)
    batch.records({TOPIC: records[-1].offset + 1})
    batch.absorb()


def _events(known: Known, round_number: int) -> Iterator[ConsumerRecord]:
    """The events of one round: the same kinds in the same order for every variant."""
    pick, which = random.Random(round_number), random.Random(round_number)
    names = itertools.cycle(known.stores)
    for number in range(EVENTS):
        version = f"9{round_number:06d}{number:06d}"
        kind, of_pair = pick.random(), which.randrange(known.pairs)
        if kind < 0.5:
            yield _seen(next(names), "chargebee", f"kari-{of_pair}", version, of_pair, number)
        elif kind < 0.75:
            record_id = str(1_000_000 + of_pair)
            yield _seen(next(names), "poweroffice", record_id, version, of_pair, of_pair % 100_000)
        else:
            fresh = 10**8 + round_number * EVENTS + number
            yield _seen(next(names), "chargebee", f"kari-{fresh}", version, fresh, number)


def _seen(
    name: str, system: System, record_id: str, version: str, number: int, edit: int
) -> ConsumerRecord:
    return _record(
        _encoder.encode(
            Observed(
                tenant=name,
                system=system,
                entity="customer",
                id=record_id,
                version=version,
                mapping=1,
                observed_at=NOW,
                data=customer(number, edit),
                stamp=None if system == "chargebee" else f"cb-kari-{number}",
            )
        )
    )


def _completed(name: str, system: System) -> ConsumerRecord:
    return _record(
        _encoder.encode(
            SnapshotCompleted(
                tenant=name,
                system=system,
                entity="customer",
                snapshot="s",
                records=0,
                completed_at=NOW,
            )
        )
    )


def _record(value: bytes) -> ConsumerRecord:
    return ConsumerRecord(TOPIC, 0, 0, 0, 0, b"", value, None, 0, len(value), ())


# -- slots


async def of_slots(bootstrap: str) -> AsyncIterator[str]:
    """A row for each number of slots; the ratio is that of rates to one slot."""
    rates: dict[int, list[float]] = {slots: [] for slots in SLOTS}
    cpu_us: dict[int, list[float]] = {slots: [] for slots in SLOTS}
    for number in range(ROUNDS):
        for slots in SLOTS:
            prefix = f"scale{os.getpid()}-{number}-{slots}."
            await _fill(Kafka(_settings(bootstrap, prefix, "0/1").kafka))
            spent = await _run_slots(bootstrap, prefix, slots)
            rates[slots].append(SLOT_EVENTS / max(seconds for seconds, _ in spent))
            cpu_us[slots].append(sum(cpu_s for _, cpu_s in spent) / SLOT_EVENTS * 1e6)
    for slots in SLOTS:
        ratio = statistics.median(
            more / one for more, one in zip(rates[slots], rates[1], strict=True)
        )
        yield f"{slots:<30}{_range(cpu_us[slots]):>26}{_range(rates[slots]):>26}{ratio:>26.2f}"


def _range(figures: list[float]) -> str:
    return f"{statistics.median(figures):,.0f} ({min(figures):,.0f}-{max(figures):,.0f})"


def _tenants() -> list[str]:
    """A tenant for each partition."""
    count = max(SLOTS)
    names = (f"t{number}" for number in itertools.count())
    by_partition: dict[int, str] = {}
    while len(by_partition) < count:
        name = next(names)
        by_partition.setdefault(partition_of(name, count), name)
    return [by_partition[partition] for partition in range(count)]


def _settings(bootstrap: str, prefix: str, slot: str) -> Settings:
    return Settings.model_validate(
        {
            "kafka": {"bootstrap": bootstrap, "topic_prefix": prefix, "partitions": max(SLOTS)},
            "tenants": {name: tenant() for name in _tenants()},
            "slot": slot,
        }
    )


async def _fill(kafka: Kafka) -> None:
    await kafka.ensure_topics()
    producer = kafka.producer()
    await producer.start()
    try:
        topic = kafka.name(TOPIC)
        for partition, name in enumerate(_tenants()):
            sent = [
                await producer.send(topic, value, key=key, partition=partition)
                for key, value in events(SLOT_EVENTS // len(_tenants()), name)
            ]
            await asyncio.gather(*sent)
            for system in SYSTEMS:
                done = _completed(name, system).value
                await producer.send_and_wait(topic, done, key=b"~", partition=partition)
    finally:
        await producer.stop()


async def _run_slots(bootstrap: str, prefix: str, slots: int) -> list[tuple[float, float]]:
    """Seconds and CPU seconds of each slot, which begin together once all have started."""
    running = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "benchmarks.scale", bootstrap, prefix, f"{slot}/{slots}"),
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for slot in range(slots)
    ]
    try:
        async with asyncio.timeout(RUN_S):
            for each in running:
                assert each.stdout is not None
                if await each.stdout.readline() != READY:
                    raise SystemExit("a slot did not start")
            said = await asyncio.gather(*(each.communicate(b"go\n") for each in running))
    finally:
        for each in running:
            if each.returncode is None:
                each.kill()
                await each.wait()
    found = [out.split() for out, _ in said]
    return [(float(seconds), float(cpu_s)) for seconds, cpu_s in found]


async def _slot(bootstrap: str, prefix: str, slot: str) -> None:
    """One slot: start, say so, wait for a line, take all there is, tell what it took."""
    settings = _settings(bootstrap, prefix, slot)
    linker, kafka = Linker(settings), Kafka(settings.kafka)
    with restoring():
        await linker.start()
    async with kafka.consuming() as consumer:
        topic = kafka.name(TOPIC)
        wanted = [TopicPartition(topic, partition) for partition in settings.my_partitions()]
        consumer.assign(wanted)
        ends = await consumer.end_offsets(wanted)
        print(READY.decode().strip(), flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        begun_s, cpu_s = time.perf_counter(), time.process_time()
        while any([await consumer.position(tp) < ends[tp] for tp in wanted]):
            found = await consumer.getmany(timeout_ms=500, max_records=BATCH)
            if records := tuple(itertools.chain.from_iterable(found.values())):
                await linker.handle(records)
        print(time.perf_counter() - begun_s, time.process_time() - cpu_s, flush=True)
    await linker.stop()


if __name__ == "__main__":
    quiet()
    asyncio.run(_slot(*sys.argv[1:]))
