"""`make soak MINUTES=30`: the services under edits for a long time. What grows is seen.

Every few seconds: resident memory, open files and threads of each service from /proc, and how many
records it has yet to take from its metrics. Edits of both systems go on meanwhile, a new customer
now and then. Writes `soak.csv` and `soak.svg` into build/, prints a table, and ends with 1 where
memory or open files of a service grew over the second half, or records were left behind.
"""

import csv
import itertools
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx

from runtime.embedded_kafka import EmbeddedKafka
from tests.system.rig import SERVICES, Rig
from tests.waiting import PATIENCE_S, wait_for

SAMPLE_S, EDIT_S, NEW_EVERY = 5.0, 0.5, 40
CUSTOMERS = 50
GROWTH = 1.05  # of the last quarter over the second one, which is past every warming up
SLACK = {"memory_mb": 2.0, "files": 3.0}  # what a median may move by without meaning anything
BUILD = Path("build")
COLOURS = ("#1b6ca8", "#b5501b", "#3c7d22")
WIDTH, HEIGHT, MARGIN = 900, 260, 50


class Sample(NamedTuple):
    """A service at one moment; `behind` are records that it has yet to take."""

    at_s: float
    service: str
    memory_mb: float
    files: int
    threads: int
    behind: float


def main() -> int:
    given = sys.argv[1] if len(sys.argv) > 1 else "30"
    if not given.replace(".", "", 1).isdigit() or not float(given):
        print(f"MINUTES={given} is no number of minutes", file=sys.stderr)
        return 2
    with (
        tempfile.TemporaryDirectory() as data,
        EmbeddedKafka(Path(data) / "kafka", port=0, controller_port=0) as kafka,
        Rig(kafka.bootstrap, Path(data)) as rig,
    ):
        rig.variables["TANDEM_TENANTS__DEMO__BREAKER__CHANGES__AT_LEAST"] = "1000000"
        rig.variables["TANDEM_TENANTS__DEMO__BREAKER__CREATES__AT_LEAST"] = "1000000"
        samples = list(_soaked(rig, 60 * float(given)))
    BUILD.mkdir(exist_ok=True)
    with (BUILD / "soak.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(Sample._fields)
        table.writerows(samples)
    (BUILD / "soak.svg").write_text(drawn(samples), encoding="utf-8")
    lines, grew = judged(samples)
    print("\n".join(lines))
    print(f"{BUILD / 'soak.csv'}, {BUILD / 'soak.svg'}; " + ("it grew" if grew else "flat"))
    return int(grew)


def _soaked(rig: Rig, seconds: float) -> Iterator[Sample]:
    for number in range(CUSTOMERS):
        _enter(rig, number)
    rig.start()
    wait_for("customers are linked", lambda: len(rig.go_customers()) >= CUSTOMERS)
    chance, begun_s, sampled_s = random.Random(1), time.monotonic(), 0.0
    ids = [each["Id"] for each in rig.go_customers()[:CUSTOMERS]]
    for number in itertools.count(CUSTOMERS):
        now_s = time.monotonic() - begun_s
        if now_s > seconds:
            break
        if chance.random() < 0.5:
            customer = f"c{chance.randrange(CUSTOMERS)}"
            rig.act(f"/customers/{customer}", "customer", phone=f"+47 {number:08}")
        else:
            rig.go_edit(f"/Customers/{chance.choice(ids)}", EmailAddress=f"e{number}@soak.example")
        if number % NEW_EVERY == 0:
            _enter(rig, number)
            rig.log_in()  # Go's tokens last 20 minutes
        if now_s >= sampled_s:
            sampled_s += SAMPLE_S
            yield from _sampled(rig, now_s)
        time.sleep(EDIT_S)
    wait_for("nothing is left behind", lambda: not any(_behind(rig, each) for each in SERVICES))
    yield from _sampled(rig, time.monotonic() - begun_s)


def _enter(rig: Rig, number: int) -> None:
    rig.add_customer(id=f"c{number}", first_name="Kari", last_name=f"Nordmann {number}")


def _sampled(rig: Rig, at_s: float) -> Iterator[Sample]:
    for name in SERVICES:
        process = Path("/proc") / str(rig.processes[name].pid)
        pages = int((process / "statm").read_text(encoding="ascii").split()[1])
        memory_mb = pages * os.sysconf("SC_PAGE_SIZE") / 1e6
        files, threads = (len(list((process / each).iterdir())) for each in ("fd", "task"))
        yield Sample(round(at_s, 1), name, round(memory_mb, 1), files, threads, _behind(rig, name))


def _behind(rig: Rig, name: str) -> float:
    """The sum of `tandem_consumer_lag_records` over what a service takes."""
    # A connection of its own: a service closes one that idles for as long as a sample takes.
    page = httpx.get(f"{rig.url(name)}/metrics", trust_env=False, timeout=PATIENCE_S).text
    lines = (line for line in page.splitlines() if line.startswith("tandem_consumer_lag_records{"))
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines)


def judged(samples: list[Sample]) -> tuple[list[str], bool]:
    """A row for each service: the second and the last quarter of the time, and whether it grew."""
    lines = ["| service | memory MB | open files | records behind, most |", "|---|---|---|---|"]
    grew, end_s = False, samples[-1].at_s
    for name in SERVICES:
        own = [each for each in samples if each.service == name]
        cells = []
        for what in ("memory_mb", "files"):
            early, late = (
                statistics.median(
                    getattr(each, what) for each in own if a <= each.at_s / end_s <= b
                )
                for a, b in ((0.25, 0.5), (0.75, 1.0))
            )
            grew |= late > GROWTH * early and late - early > SLACK[what]
            cells.append(f"{early:.0f} to {late:.0f}")
        grew |= own[-1].behind > 0
        lines.append(f"| {name} | {' | '.join(cells)} | {max(each.behind for each in own):.0f} |")
    return lines, grew


def drawn(samples: list[Sample]) -> str:
    """Memory, open files and records behind over the minutes, one chart below the other."""
    end_s = samples[-1].at_s or 1.0
    charts = []
    for row, what in enumerate(("memory_mb", "files", "behind")):
        most = max(float(getattr(each, what)) for each in samples) or 1.0
        top = row * HEIGHT
        for name, colour in zip(SERVICES, COLOURS, strict=True):
            points = " ".join(
                f"{MARGIN + each.at_s / end_s * (WIDTH - 2 * MARGIN):.1f},"
                f"{top + HEIGHT - 30 - getattr(each, what) / most * (HEIGHT - 70):.1f}"
                for each in samples
                if each.service == name
            )
            charts.append(f'<polyline points="{points}" fill="none" stroke="{colour}"/>')
        words = f"{what}, 0 to {most:g}, over {end_s / 60:.0f} minutes"
        charts.append(f'<text x="{MARGIN}" y="{top + 25}">{words}</text>')
    for number, (name, colour) in enumerate(zip(SERVICES, COLOURS, strict=True)):
        x = WIDTH - 180
        charts.append(f'<text x="{x}" y="{20 + 18 * number}" fill="{colour}">{name}</text>')
    size = f'width="{WIDTH}" height="{3 * HEIGHT}"'
    inner = "\n".join(charts)
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-size="14">\n{inner}\n</svg>\n'


if __name__ == "__main__":
    sys.exit(main())
