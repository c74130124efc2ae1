"""`python -m tests.faults [--rounds N] [--seed S] [--scenario NAME]`: the campaign, and one table
at the end. Exit code 0 only if nothing is missing, doubled, lost or unexplained."""

import argparse
import logging
import os
import sys
import time
import traceback
from pathlib import Path
from tempfile import TemporaryDirectory

from runtime.embedded_kafka import EmbeddedKafka
from tests.faults.scenarios import SCENARIOS, run
from tests.faults.world import Row

COLUMNS = (
    "edits",
    "faults",
    "missing",
    "duplicated",
    "lost",
    "unexplained",
    "extra_writes",
    "flip_backs",
)


def main() -> int:
    asked = argparse.ArgumentParser(prog="make faults")
    asked.add_argument("--rounds", type=int, default=1, help="of each scenario (%(default)s)")
    asked.add_argument("--seed", default="1", help="another campaign (%(default)s)")
    asked.add_argument(
        "--scenario", action="append", choices=SCENARIOS, help="this one only; may be repeated"
    )
    asked.add_argument("--keep", type=Path, help="keep the logs of the processes here")
    given = asked.parse_args()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # it repeats that the broker is away
    # A round's Kafka lives for a minute: compiling it well costs more than it gives.
    os.environ.setdefault("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
    rows = []
    with (
        TemporaryDirectory(prefix="tandem-faults-") as held,
        EmbeddedKafka(Path(held), port=0, controller_port=0) as broker,
    ):
        for number in range(1, given.rounds + 1):
            for name in given.scenario or SCENARIOS:
                seed = f"{given.seed}.{number}"
                rows.append(_round(name, seed, broker, given.keep))
    print(table(rows))
    wrong = sum(row.wrong() for row in rows)
    print(f"seed {given.seed}, {len(rows)} rounds, wrong {wrong}")
    return 1 if wrong else 0


def _round(name: str, seed: str, broker: EmbeddedKafka, keep: Path | None) -> Row:
    """Run one round and print at once what is wrong with it."""
    print(f"{name}, seed {seed} ...", flush=True)
    began = time.monotonic()
    directory = None
    if keep is not None:
        directory = keep / f"{name.replace(' ', '-')}-{seed}"
        directory.mkdir(parents=True, exist_ok=True)
    try:
        row = run(name, seed, broker.bootstrap, broker=broker, directory=directory)
    except Exception as error:  # a round that breaks is a line of the table, and the others go on
        traceback.print_exc()
        row = Row(name, seed, unexplained=1, words=[f"the round broke: {error}"])
    print(f"  {verdict_of(row)}, {time.monotonic() - began:.0f} s", flush=True)
    for words in row.words:
        print(f"  {words}", flush=True)
    return row


def table(rows: list[Row]) -> str:
    """A line for each round."""
    width = max(len(row.scenario) for row in rows)
    heads = [name.replace("_", " ") for name in COLUMNS]
    lines = [f"{'scenario':{width}}  {'seed':6}  {'  '.join(heads)}  verdict"]
    for row in rows:
        figures = "  ".join(
            f"{getattr(row, name):>{len(head)}}" for name, head in zip(COLUMNS, heads, strict=True)
        )
        lines.append(f"{row.scenario:{width}}  {row.seed:6}  {figures}  {verdict_of(row)}")
    return "\n".join(lines)


def verdict_of(row: Row) -> str:
    """One word for it; what this machine does not allow is neither held nor wrong."""
    return "left out" if row.left_out else "wrong" if row.wrong() else "held"


if __name__ == "__main__":
    sys.exit(main())
