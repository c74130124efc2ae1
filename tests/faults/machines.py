"""What happens to the machine that the services run on, and to the services as a release, while
people edit. Each ends with the judgement."""

import struct
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from tests.faults.disks import Disk
from tests.faults.oracle import Verdict
from tests.faults.weather import MILD
from tests.faults.world import World
from tests.system.rig import SERVICES, free_port
from tests.waiting import wait_for

ROOT = Path(__file__).parents[2]
SHIM = Path(__file__).parent / "shim"
MODEL_MB = 16
HOUR_S = 3600.0
T = TypeVar("T")
# Kafka refuses records whose time is more than an hour ahead of its own
# (log.message.timestamp.after.max.ms).
JUMPS_S, TOO_FAR_S = (HOUR_S, 0.0, -HOUR_S, 0.0), 2 * HOUR_S


def full_disks(world: World) -> Verdict:
    """The disk of the read model is full, and gets room again; then the disk of Kafka, which ends
    of it, gets room again and is started by somebody."""
    rig, broker, disk = world.rig, world.broker, world.disk
    assert broker is not None and disk is not None, "this one needs a broker on a small disk"
    rig.ports["console"] = free_port()
    rig.variables["TANDEM_PORTS__CONSOLE"] = str(rig.ports["console"])
    with Disk(rig.directory / "console", MODEL_MB) as model:
        world.start()
        rig.start("console")
        world.weather(MILD)
        model.fill()
        world.blows += 1
        wait_for(
            "the console says that its disk is full",
            partial(_editing, world, lambda: rig.problem("console")),
            lambda words: "disk" in str(words),
        )
        _is_told(world, "disk")
        model.empty()
        wait_for("the console goes on", lambda: rig.problem("console") is None)
        world.play(6)
        disk.fill()
        world.blows += 1
        wait_for("Kafka has ended", partial(_editing, world, lambda: not broker.running))
        world.play(4)
        _is_told(world, "Kafka")
        disk.empty()
        broker.kill()
        broker.start()
        world.play(6)
        verdict = world.judged()
        rig.stop("console")
    return verdict


def _editing(world: World, see: Callable[[], T]) -> T:
    """What is seen after one more edit: a disk is full only for who writes."""
    world.editor.step()
    return see()


def _is_told(world: World, word: str) -> None:
    """`tandem status` does not end well, and says the word."""
    code, said = world.tandem("status")
    if not code or word not in said:
        world.words.append(f"status ended with {code} and does not speak of {word}: {said[-400:]}")


def clock_jump(world: World) -> Verdict:
    """The clock of the services jumps an hour ahead and back, an hour behind and back, and so far
    ahead that Kafka takes nothing any more, and back."""
    file = world.rig.directory / "clock"
    _set(file, 0.0)
    world.rig.variables |= {
        "PYTHONPATH": f"{SHIM}:{ROOT}",
        "TANDEM_TEST_CLOCK": str(file),
    }
    world.start()
    world.weather(MILD)
    world.play(4)
    for ahead_s in JUMPS_S:
        _set(file, ahead_s)
        world.blows += 1
        world.play(6)
    _set(file, TOO_FAR_S)
    world.blows += 1
    rig = world.rig
    wait_for(
        "a service says that its clock is wrong",
        partial(_editing, world, lambda: [rig.problem(name) for name in SERVICES]),
        lambda problems: any("clock is an hour" in str(words) for words in problems),
    )
    world.play(4)
    _set(file, 0.0)
    world.play(6)
    return world.judged()


def _set(file: Path, ahead_s: float) -> None:
    """In place, since the processes hold the file."""
    with file.open("r+b" if file.exists() else "wb") as held:
        held.write(struct.pack("d", ahead_s))


def upgrade(world: World) -> Verdict:
    """The services are those of the release before, and are replaced one by one while people
    edit."""
    world.editor.fill(6, 2)
    for name in SERVICES:
        world.rig.start_as(name, "tests.faults.releases", "before", name)
    world.rig.quiet(polls=2)
    world.weather(MILD)
    world.play(8)
    order = list(SERVICES)
    world.rng.shuffle(order)
    for name in order:
        world.rig.stop(name)
        world.blows += 1
        world.play(4)
        world.rig.start_as(name, "tests.faults.releases", "after", name)
        world.play(6)
    # Customers of Chargebee that nobody edits are not read anew by themselves (its BEHAVIOR.md), so
    # that a blank there is not known to be one: the runbook has them read.
    code, said = world.tandem("replay", "--from", "2h")
    if code:
        world.words.append(f"replay ended with {code}: {said[-400:]}")
    return world.judged()
