"""Run the demo: `python -m demo [--once] [--data DIR]`. Exit code 0 only if both systems converged."""

import argparse
import asyncio
import shutil
import signal
import sys
import tempfile
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.installation import DEFAULT_PORTS, INTERVALS, TENANT, Installation
from demo.processes import ProcessDied
from demo.scenario import hints, play
from demo.screen import Screen
from demo.stack import Stack
from demo.vendors import VendorAnswer
from demo.watcher import Watcher
from runtime.embedded_kafka import EmbeddedKafkaError

FAILED, INTERRUPTED = 1, 130


@dataclass
class Ended:
    """How the demo ended: exit code, and the last line to print."""

    code: int = INTERRUPTED
    line: str = ""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m demo", description="The whole system with simulated vendors.")
    parser.add_argument("--once", action="store_true", help="end by itself: exit code 0 only if converged")
    parser.add_argument("--data", type=Path, help="an empty directory for Kafka's data, settings and logs, kept")
    arguments = parser.parse_args()
    data: Path | None = arguments.data
    if data is not None and data.exists() and any(data.iterdir()):
        # The simulators remember nothing, so links of an earlier run would name records that are gone.
        print(f"{data} is not empty; name another directory, or none for a temporary one", file=sys.stderr)
        return 2
    return _run(data, once=arguments.once)


def _run(data: Path | None, *, once: bool) -> int:
    directory = data.absolute() if data is not None else Path(tempfile.mkdtemp(prefix="tandem-demo-"))
    directory.mkdir(parents=True, exist_ok=True)
    ended = Ended()
    try:
        asyncio.run(_demo(directory, ended, once=once))
    except (ProcessDied, EmbeddedKafkaError, TimeoutError, VendorAnswer, LookupError, RuntimeError) as error:
        ended.code = FAILED
        print(f"The demo failed: {error}", file=sys.stderr)
    if data is None and ended.code != FAILED:
        shutil.rmtree(directory, ignore_errors=True)
    else:
        print(f"Data and logs are kept in {directory}", file=sys.stderr)
    if ended.line:
        print(ended.line, flush=True)
    return ended.code


async def _demo(directory: Path, ended: Ended, *, once: bool) -> None:
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    installation = Installation(directory)
    with Screen() as screen:
        _announce(installation, screen)
        try:
            async with Stack(installation, screen.say) as stack:
                watcher = Watcher(stack.settings, TENANT)
                screen.progress = watcher.progress
                guards = (stack.watch(), watcher.run(), screen.run(f"{installation.url('linker')}/metrics"))
                await _beside(guards, _shown(installation, watcher, screen, ended, once=once))
        except asyncio.CancelledError:
            screen.say("Interrupted; everything was stopped")


async def _shown(installation: Installation, watcher: Watcher, screen: Screen, ended: Ended, *, once: bool) -> None:
    result = await play(installation, watcher, screen)
    ended.code = 0 if result.converged else FAILED
    if once:
        ended.line = result.line
        return
    screen.phase = "Done; up until Ctrl-C"
    screen.say(result.line)
    screen.say(hints(installation))
    await asyncio.Event().wait()


async def _beside(guards: Iterable[Coroutine[Any, Any, None]], work: Coroutine[Any, Any, None]) -> None:
    """Run `work` while the guards run for ever; what ends a guard ends the work."""
    main_task = asyncio.create_task(work)
    tasks = [main_task, *map(asyncio.create_task, guards)]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            if task.done():
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _announce(installation: Installation, screen: Screen) -> None:
    moved = [name for name, port in installation.ports.items() if port != DEFAULT_PORTS[name]]
    shown = ", ".join(f"{name} {port}" for name, port in installation.ports.items())
    note = f" (default taken: {', '.join(moved)})" if moved else ""
    screen.say(f"Ports: {shown}{note}")
    screen.say(f"Intervals: {INTERVALS}")


if __name__ == "__main__":
    sys.exit(main())
