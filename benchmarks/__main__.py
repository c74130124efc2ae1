"""`python -m benchmarks [linker|restore|shared [COUNT]]`: run a benchmark and print a table; without a name, all."""

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import NamedTuple

from benchmarks import linker, restore, shared_keys
from runtime.embedded_kafka import EmbeddedKafka


class Benchmark(NamedTuple):
    """`measure(bootstrap, count)` gives the lines, `size` is the count where none is given; `bootstrap` is that of an
    embedded Kafka, empty for a benchmark that needs none."""

    measure: Callable[[str, int], AsyncIterator[str]]
    size: int
    on_kafka: bool = True


BENCHMARKS = {
    "linker": Benchmark(linker.measure, 100_000),
    "restore": Benchmark(restore.measure, 100_000),
    "shared": Benchmark(shared_keys.measure, 2000, on_kafka=False),
}


def main() -> int:
    asked, *counts = sys.argv[1:] or [""]
    if asked not in ("", *BENCHMARKS) or len(counts) > 1 or not all(each.isdigit() and int(each) for each in counts):
        print(f"give one of {', '.join(BENCHMARKS)} and perhaps a count, or nothing to run all", file=sys.stderr)
        return 2
    for name in [asked] if asked else BENCHMARKS:
        benchmark = BENCHMARKS[name]
        count = int(counts[0]) if counts else benchmark.size
        print(f"{name} {count}", flush=True)
        if not benchmark.on_kafka:
            asyncio.run(_show(benchmark.measure("", count)))
            continue
        with tempfile.TemporaryDirectory() as data, EmbeddedKafka(Path(data), port=0, controller_port=0) as kafka:
            asyncio.run(_show(benchmark.measure(kafka.bootstrap, count)))
    return 0


async def _show(lines: AsyncIterator[str]) -> None:
    async for line in lines:
        print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
