"""What compressing the messages costs the linker and saves on disk: the load of
`benchmarks.linker`, codec by codec."""

import statistics
from collections.abc import AsyncIterator
from pathlib import Path

from benchmarks.linker import fill, run_linker, tenant
from contracts.settings import KafkaSettings, Settings
from contracts.topics import partition_of
from runtime import kafka as runtime_kafka
from runtime.embedded_kafka import EmbeddedKafka
from runtime.kafka import Kafka

ROUNDS = 3
CODECS = (None, "gzip", "snappy", "lz4", "zstd")


async def measure(broker: EmbeddedKafka, count: int) -> AsyncIterator[str]:
    """A row for each codec: medians over interleaved rounds, and the bytes on disk of all
    topics."""
    spent: dict[str | None, list[tuple[float, float]]] = {codec: [] for codec in CODECS}
    sizes: dict[str | None, int] = {}
    held = runtime_kafka.COMPRESSION
    try:
        for number in range(ROUNDS):
            for codec in CODECS:
                runtime_kafka.COMPRESSION = codec
                prefix = f"{codec}{number}."
                settings = Settings(
                    kafka=KafkaSettings(
                        bootstrap=broker.bootstrap, topic_prefix=prefix, partitions=1
                    ),
                    tenants={"bench": tenant()},
                )
                kafka, partition = Kafka(settings.kafka), partition_of("bench", 1)
                await kafka.ensure_topics()
                await fill(kafka, partition, "bench", count)
                spent[codec].append(await run_linker(settings, kafka, partition))
                sizes[codec] = _bytes(broker.data_dir / "log", prefix)
    finally:
        runtime_kafka.COMPRESSION = held
    yield f"{'codec':<10}{'records/s':>12}{'CPU us/record':>16}{'bytes/record':>16}"
    for codec in CODECS:
        seconds = statistics.median(s for s, _ in spent[codec])
        cpu = statistics.median(c for _, c in spent[codec])
        name = codec or "none"
        speed, size = count / seconds, sizes[codec] / count
        yield f"{name:<10}{speed:>12,.0f}{cpu / count * 1e6:>16.1f}{size:>16,.0f}"


def _bytes(log: Path, prefix: str) -> int:
    """Of the log files of the topics with this prefix."""
    return sum(file.stat().st_size for file in log.glob(f"{prefix}*/*.log"))
