"""What a command of `tandem` costs before it does anything: CPU of whole processes, in turns in one
run, beside a bare Python and the libraries that every command needs."""

import os
import statistics
import subprocess
import sys
from collections.abc import AsyncIterator

LIBRARIES = "import typer, rich.console, pydantic.main, aiokafka, msgspec"
CALLS: dict[str, list[str]] = {
    "python": ["-c", "pass"],
    "the libraries": ["-c", LIBRARIES],
    "the settings": ["-c", "import contracts.settings"],
    "tandem --version": ["-m", "services.console.cli", "--version"],
}
HEAVIEST = 8


async def measure(count: int) -> AsyncIterator[str]:
    """Medians with ranges of `count` runs of each, the ratio to the libraries, and the imports of
    the command that take longest by themselves."""
    spent: dict[str, list[float]] = {name: [] for name in CALLS}
    for _ in range(count):
        for name, arguments in CALLS.items():
            spent[name].append(_cpu_s(arguments))
    libraries_s = statistics.median(spent["the libraries"])
    yield f"{'process':<20}{'CPU s':>8}{'range':>14}{'ratio':>8}"
    for name, seconds in spent.items():
        middle, around = statistics.median(seconds), f"{min(seconds):.2f}-{max(seconds):.2f}"
        yield f"{name:<20}{middle:>8.2f}{around:>14}{middle / libraries_s:>8.2f}"
    yield f"the {HEAVIEST} imports that take longest by themselves (-X importtime):"
    for microseconds, name in _heaviest(CALLS["tandem --version"]):
        yield f"{microseconds / 1000:>8.1f} ms  {name}"


def _cpu_s(arguments: list[str]) -> float:
    process = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{arguments} ended with {process.returncode}")
    return used.ru_utime + used.ru_stime


def _heaviest(arguments: list[str]) -> list[tuple[int, str]]:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *arguments], capture_output=True, text=True, check=True
    )
    rows = [line.removeprefix("import time:").split("|") for line in done.stderr.splitlines()]
    found = [
        (int(row[0]), row[2].strip()) for row in rows if len(row) == 3 and row[0].strip().isdigit()
    ]
    return sorted(found, reverse=True)[:HEAVIEST]
