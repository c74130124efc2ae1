"""`python -m benchmarks [linker|restore|compression] [COUNT]`: run a benchmark on an embedded Kafka."""

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from benchmarks import compression, linker, restore
from runtime.embedded_kafka import EmbeddedKafka

BENCHMARKS: dict[str, Callable[[EmbeddedKafka, int], AsyncIterator[str]]] = {
    "linker": lambda kafka, count: linker.measure(kafka.bootstrap, count),
    "restore": lambda kafka, count: restore.measure(kafka.bootstrap, count),
    "compression": compression.measure,
}


def main() -> int:
    arguments = sys.argv[1:]
    name = arguments.pop(0) if arguments and arguments[0] in BENCHMARKS else "linker"
    count = int(arguments[0]) if arguments else 100_000
    with tempfile.TemporaryDirectory() as data, EmbeddedKafka(Path(data), port=0, controller_port=0) as kafka:
        asyncio.run(_show(BENCHMARKS[name](kafka, count)))
    return 0


async def _show(lines: AsyncIterator[str]) -> None:
    async for line in lines:
        print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
