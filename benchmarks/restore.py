"""How long restoring links from Kafka takes, and what they cost in memory, against reading the raw
topic.

Links of real size: a linked pair of customers, both sides' content held.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

from benchmarks.linker import customer, tenant
from contracts.links import encode
from contracts.messages import Link, Side
from contracts.settings import KafkaSettings, Settings
from runtime.kafka import Kafka
from runtime.life import restoring
from services.linker.handlers import Linker

AT_ONCE = 5000


def link(number: int, name: str = "bench") -> bytes:
    """One linked pair of a tenant as the changelog holds it."""
    seen = customer(number, number % 100_000)
    ours = Side(id=f"kari-{number}", version=f"{number:013d}", seen=seen)
    theirs = Side(
        id=str(1_000_000 + number),
        version=f"2026-11-23T12:00:00.0000000Z#{number:012d}",
        seen=seen,
        stamp=f"cb-kari-{number}",
    )
    return encode(
        Link(
            tenant=name,
            entity="customer",
            key=f"kari-{number}",
            state="linked",
            seq=1,
            entries=2,
            cause=f"{name}/chargebee/customer/kari-{number}/{number:013d}",
            chargebee=ours,
            poweroffice=theirs,
        )
    )


async def measure(bootstrap: str, links: int) -> AsyncIterator[str]:
    """Write the links, read them raw, restore them; one line each, scaled to a million links."""
    held = KafkaSettings(bootstrap=bootstrap, topic_prefix=f"restore{os.getpid()}.", partitions=1)
    kafka = Kafka(held)
    await kafka.ensure_topics()
    size = await _fill(kafka, links)
    scale = 1_000_000 / links
    yield f"{links} links of {size / links:.0f} bytes on the topic"
    begin, cpu = time.perf_counter(), time.process_time()
    count = 0
    async for record in kafka.read(("links",), (0,)):
        count += len(record.value or b"") > 0
    raw_s, raw_cpu_s = time.perf_counter() - begin, time.process_time() - cpu
    yield f"raw topic  {raw_s * scale:7.1f} s per million links, {raw_cpu_s * scale:.1f} of CPU"
    linker = Linker(Settings(kafka=held, tenants={"bench": tenant()}))
    before = resident_bytes()
    begin, cpu = time.perf_counter(), time.process_time()
    with restoring():
        await linker.state._restore()
    restore_s, restore_cpu_s = time.perf_counter() - begin, time.process_time() - cpu
    assert len(linker.state.stores["bench"].links) == links == count
    used = resident_bytes() - before
    yield (
        f"restore    {restore_s * scale:7.1f} s per million links, "
        f"{restore_cpu_s * scale:.1f} of CPU,"
        f" {used * scale / 1e9:.2f} GB"
    )
    yield f"ratio {raw_s / restore_s:.2f}"


async def _fill(kafka: Kafka, links: int) -> int:
    producer, size = kafka.producer(), 0
    await producer.start()
    try:
        for begin in range(0, links, AT_ONCE):
            futures = []
            for number in range(begin, min(begin + AT_ONCE, links)):
                value = link(number)
                size += len(value)
                key = f"bench/customer/kari-{number}".encode()
                futures.append(
                    await producer.send(kafka.name("links"), value, key=key, partition=0)
                )
            await asyncio.gather(*futures)
    finally:
        await producer.stop()
    return size


def resident_bytes() -> int:
    """The memory of this process that is in use."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf(
        "SC_PAGE_SIZE"
    )
