"""`python -m benchmarks [NAME [COUNT]]`: run one and print a table; with no name, all.

NAME is linker, peers, latency, calls, capacity, restore, scale, compression, shared, command or
console."""

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import NamedTuple

from benchmarks import (
    calls,
    capacity,
    command_line,
    compression,
    console,
    latency,
    linker,
    peers,
    restore,
    scale,
    shared_keys,
)
from runtime.embedded_kafka import EmbeddedKafka


class Benchmark(NamedTuple):
    """`measure(kafka, count)` gives the lines, `size` is the count where none is given."""

    measure: Callable[[EmbeddedKafka, int], AsyncIterator[str]]
    size: int


BENCHMARKS = {
    "linker": Benchmark(lambda kafka, count: linker.measure(kafka.bootstrap, count), 100_000),
    "peers": Benchmark(lambda kafka, count: peers.measure(kafka.bootstrap, count), 30_000),
    "latency": Benchmark(lambda kafka, count: latency.measure(kafka.bootstrap, count), 1_400),
    "calls": Benchmark(lambda kafka, count: calls.measure(kafka.bootstrap, count), 1),
    "capacity": Benchmark(lambda _, count: capacity.measure(count), 100_000),
    "restore": Benchmark(lambda kafka, count: restore.measure(kafka.bootstrap, count), 100_000),
    "scale": Benchmark(lambda kafka, count: scale.measure(kafka.bootstrap, count), 1_000_000),
    "compression": Benchmark(compression.measure, 30_000),
    "shared": Benchmark(lambda _, count: shared_keys.measure(count), 2000),
    "command": Benchmark(lambda _, count: command_line.measure(count), 5),
    "console": Benchmark(lambda _, count: console.measure(count), 100_000),
}


def main() -> int:
    asked, *counts = sys.argv[1:] or [""]
    if (
        asked not in ("", *BENCHMARKS)
        or len(counts) > 1
        or not all(each.isdigit() and int(each) for each in counts)
    ):
        print(
            f"give one of {', '.join(BENCHMARKS)} and perhaps a count, or nothing to run all",
            file=sys.stderr,
        )
        return 2
    linker.quiet()
    for name in [asked] if asked else BENCHMARKS:
        benchmark = BENCHMARKS[name]
        count = int(counts[0]) if counts else benchmark.size
        print(f"{name} {count}", flush=True)
        with (
            tempfile.TemporaryDirectory() as data,
            EmbeddedKafka(Path(data), port=0, controller_port=0) as kafka,
        ):
            asyncio.run(_show(benchmark.measure(kafka, count)))
    return 0


async def _show(lines: AsyncIterator[str]) -> None:
    async for line in lines:
        print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
