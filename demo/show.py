"""The demo from the first process to the last line."""

import asyncio
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.hints import hints
from demo.installation import DEFAULT_PORTS, INTERVALS, TENANT, Installation
from demo.processes import NotReady, ProcessDied
from demo.scenario import play
from demo.screen import Screen
from demo.stack import Stack
from demo.vendors import VendorAnswer
from demo.watcher import Watcher
from runtime.harmless import harmless
from runtime.kafka_programs import EmbeddedKafkaError
from runtime.ports import PortTaken
from runtime.private import make_private, open_private

FAILED, INTERRUPTED = 1, 130
# Their words say all; of others the kind is told too.
TOLD = (ProcessDied, NotReady, EmbeddedKafkaError, PortTaken, VendorAnswer)


@dataclass
class Ended:
    """How the demo ended: exit code, and the last line to print."""

    code: int = INTERRUPTED
    line: str = ""


def run(data: Path | None, source: str, *, once: bool) -> int:
    """Returns the exit code; whatever goes wrong is told in words."""
    directory = (
        data.absolute() if data is not None else Path(tempfile.mkdtemp(prefix="tandem-demo-"))
    )
    make_private(directory)
    ended = Ended()
    try:
        asyncio.run(_demo(directory, source, ended, once=once))
    except Exception as error:  # the boundary: a person is told in words, and nothing of it is lost
        ended.code = FAILED
        name = "" if isinstance(error, TOLD) else f"{type(error).__name__}: "
        with open_private(directory / "demo.log", append=True) as log:
            log.write("".join(traceback.format_exception(error)))
        print(harmless(f"The demo failed: {name}{error}", keep="\n"), file=sys.stderr)
    if data is None and ended.code != FAILED:
        shutil.rmtree(directory, ignore_errors=True)
    else:
        print(f"Data and logs are kept in {directory}", file=sys.stderr)
    if ended.line:
        print(ended.line, flush=True)
    return ended.code


async def _demo(directory: Path, source: str, ended: Ended, *, once: bool) -> None:
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    installation = Installation(directory, source)
    with Screen() as screen:
        _announce(installation, screen)
        try:
            drawing = screen.run(f"{installation.url('linker')}/metrics")
            await _beside((drawing,), _started(installation, screen, ended, once=once))
        except asyncio.CancelledError:
            screen.say("Interrupted; everything was stopped")


async def _started(installation: Installation, screen: Screen, ended: Ended, *, once: bool) -> None:
    async with Stack(installation, screen.say) as stack:
        watcher = Watcher(stack.settings, TENANT)
        screen.progress = watcher.progress
        guards = (stack.watch(), watcher.run())
        await _beside(guards, _shown(installation, watcher, screen, ended, once=once))


async def _shown(
    installation: Installation, watcher: Watcher, screen: Screen, ended: Ended, *, once: bool
) -> None:
    result = await play(installation, watcher, screen)
    ended.code = 0 if result.converged else FAILED
    if once:
        ended.line = result.line
        return
    screen.phase = "Done; up until Ctrl-C"
    screen.say(result.line)
    screen.show(hints(installation, watcher.progress, result.edited))
    await asyncio.Event().wait()


async def _beside(
    guards: Iterable[Coroutine[Any, Any, None]], work: Coroutine[Any, Any, None]
) -> None:
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
    moved = [
        f"{name} {port}" for name, port in installation.ports.items() if port != DEFAULT_PORTS[name]
    ]
    if moved:
        screen.say(f"Other ports than usual, which are taken: {', '.join(moved)}")
    for line in INTERVALS:
        screen.say(line)
