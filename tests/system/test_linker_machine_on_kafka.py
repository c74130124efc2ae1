"""The linker's state machine against the real linker on the real Kafka: SIGKILLs, two slots, two
tenants."""

import asyncio
import itertools
import os
import random
from pathlib import Path

import pytest

from contracts.entities import System
from tests.system.linker_rig import TENANTS, Driver, KafkaWorld, LinkerRig

STEPS, KILLS, PAUSE_MS = 500, 5, 25
MIDDLE_STEPS = 5  # whose messages a killed process has just got
SLOTS = {"one": "0/2", "two": "1/2"}
_numbers = itertools.count(1)


@pytest.mark.parametrize(
    ("seed", "owner", "removals"), [(11, "chargebee", True), (12, "poweroffice", False)]
)
def test_random_histories_on_kafka_converge_without_loss(
    kafka: str, tmp_path: Path, seed: int, owner: System, removals: bool
) -> None:
    """The promises of the in-memory machine, with processes killed in the middle of their
    transactions."""
    prefix = f"m{os.getpid()}x{next(_numbers)}."
    rig = LinkerRig(kafka, tmp_path, prefix, owner=owner, removals=removals)
    worlds = [
        KafkaWorld(name, seed * 100 + n, owner=owner, removals=removals)
        for n, name in enumerate(TENANTS)
    ]
    try:
        asyncio.run(history(rig, worlds, seed))
    finally:
        rig.stop_all()


async def history(rig: LinkerRig, worlds: list[KafkaWorld], seed: int) -> None:
    driver, chance = Driver(rig, worlds), random.Random(seed)
    await driver.start()
    try:
        for name, slot in SLOTS.items():
            rig.start(name, slot)
        for name in SLOTS:
            await asyncio.to_thread(rig.wait_ready, name)
        kills = sorted(chance.sample(range(50, STEPS), KILLS))
        for number in range(STEPS):
            for world in worlds:
                world.step()
            await driver.exchange(PAUSE_MS)
            if number in kills:
                victim = chance.choice(list(SLOTS))
                await asyncio.to_thread(rig.wait_ready, victim)
                for world in worlds * MIDDLE_STEPS:
                    world.step()
                await driver.exchange(0)
                rig.kill_and_restart(victim)
        await at_rest(driver, worlds)
        await driver.restore()
        for world in worlds:
            assert len(world.seen) > 20, "the history was too quiet to prove anything"
            world.check()
        planned = [set(world.seen) for world in worlds]
        for world in worlds:
            world.read_everything_again()
        for name in SLOTS:
            rig.kill_and_restart(name)
        await driver.settle()
        for world, before in zip(worlds, planned, strict=True):
            more = [command for at, command in world.seen.items() if at not in before]
            assert not more, f"an unchanged reading or a restart planned {more}"
    finally:
        await driver.stop()


async def at_rest(driver: Driver, worlds: list[KafkaWorld]) -> None:
    """All switches on, until a whole round brings nothing new; what nobody told of is found by a
    repair."""
    for _ in range(10):
        await driver.settle()
        before = [world.planned for world in worlds]
        repairs = {world.tenant: world.tell("reconcile", repair=True) for world in worlds}
        await driver.settle()
        for world in worlds:
            world.is_quiet = True
            world.out += world.readings(repairs[world.tenant])
            world.tell("redrive")
            world.switch_on()
        await driver.settle()
        if [world.planned for world in worlds] == before:
            return
    raise AssertionError("no quiescence: something is planned for ever")
