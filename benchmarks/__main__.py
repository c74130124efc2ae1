"""`python -m benchmarks [linker]`: run the benchmarks against an embedded Kafka and print a table."""

import asyncio
import sys
import tempfile
from pathlib import Path

from benchmarks import linker
from runtime.embedded_kafka import EmbeddedKafka


def main() -> int:
    events = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as data, EmbeddedKafka(Path(data), port=0, controller_port=0) as kafka:
        for line in asyncio.run(linker.measure(kafka.bootstrap, events)):
            print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
