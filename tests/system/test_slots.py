"""From one linker slot to two and back under load, the old process alive; and positions that Kafka
forgot."""

import asyncio
import itertools
import os
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.admin import DeleteGroupsRequest

from tests.system.linker_rig import TENANTS, Driver, KafkaWorld, LinkerRig
from tests.system.rig import Rig, link_when, tandem
from tests.system.test_linker_machine_on_kafka import PAUSE_MS, at_rest
from tests.waiting import wait_for

_numbers = itertools.count(1)


def rig_of(bootstrap: str, directory: Path) -> tuple[LinkerRig, list[KafkaWorld]]:
    prefix = f"s{os.getpid()}x{next(_numbers)}."
    rig = LinkerRig(bootstrap, directory, prefix, owner="chargebee", removals=True)
    return rig, [
        KafkaWorld(name, 70 + n, owner="chargebee", removals=True) for n, name in enumerate(TENANTS)
    ]


async def load(driver: Driver, worlds: list[KafkaWorld], steps: int) -> None:
    for _ in range(steps):
        for world in worlds:
            world.step()
        await driver.exchange(PAUSE_MS)


def fenced(rig: LinkerRig, name: str) -> bool:
    """Whether a process says that its partition was taken over; it must still live."""
    assert rig.processes[name].poll() is None, (
        f"a fenced process waits, it does not end:\n{rig.log(name)[-2000:]}"
    )
    return "taken over" in str((rig.ready(name) or {}).get("problem"))


def test_from_one_slot_to_two_and_back_with_the_old_process_alive(
    kafka: str, tmp_path: Path
) -> None:
    """Whoever comes later fences the one before; nothing is lost, no command is sent twice."""
    rig, worlds = rig_of(kafka, tmp_path)

    async def scene() -> None:
        driver = Driver(rig, worlds)
        await driver.start()
        try:
            rig.start("old", "0/1")
            rig.wait_ready("old")
            await load(driver, worlds, 80)
            rig.start("left", "0/2")
            await load(driver, worlds, 80)
            rig.start("right", "1/2")
            await load(driver, worlds, 120)
            for name in ("left", "right"):
                rig.wait_ready(name)
            await load(driver, worlds, 60)
            await asyncio.to_thread(
                wait_for, "the old process stands aside", lambda: fenced(rig, "old")
            )
            rig.start("new", "0/1")
            await load(driver, worlds, 120)
            rig.wait_ready("new")
            await load(driver, worlds, 60)
            for name in ("left", "right"):
                await asyncio.to_thread(
                    wait_for, f"{name} stands aside", lambda name=name: fenced(rig, name)
                )
            await at_rest(driver, worlds)
            await driver.restore()
            for world in worlds:
                world.check()
        finally:
            await driver.stop()

    try:
        asyncio.run(scene())
    finally:
        rig.stop_all()


def test_offsets_past_their_retention_execute_nothing_again(kafka: str, tmp_path: Path) -> None:
    """Kafka forgets the offsets of a group that is idle for a week; the positions in `control`
    stay."""
    rig, worlds = rig_of(kafka, tmp_path)

    async def scene() -> None:
        driver = Driver(rig, worlds)
        await driver.start()
        try:
            rig.start("linker", "0/1")
            rig.wait_ready("linker")
            await load(driver, worlds, 120)
            await at_rest(driver, worlds)
            planned = [world.planned for world in worlds]
            assert sum(planned) > 10
            rig.kill("linker")
            admin = AIOKafkaAdminClient(**driver.kafka.options())
            await admin.start()
            group = f"{rig.prefix}linker"
            coordinator = await admin.find_coordinator(group)
            await admin._send_request(DeleteGroupsRequest([group]), coordinator)
            assert await admin.list_consumer_group_offsets(group) == {}
            await admin.close()
            rig.start("linker", "0/1")
            rig.wait_ready("linker")
            await driver.settle()
            assert [world.planned for world in worlds] == planned
            await load(driver, worlds, 60)
            await at_rest(driver, worlds)
            await driver.restore()
            for world in worlds:
                world.check()
        finally:
            await driver.stop()

    try:
        asyncio.run(scene())
    finally:
        rig.stop_all()


def test_a_slot_without_a_tenant_waits_in_good_health(kafka: str, tmp_path: Path) -> None:
    """There may be more slots than tenants; the one that has work does it."""
    with Rig(kafka, tmp_path) as rig:
        rig.write_settings(partitions=2)
        assert tandem(rig, "topics", "create").startswith("created")
        for slot in ("0/2", "1/2"):
            rig.variables = {"TANDEM_SLOT": slot}
            rig.start("linker") if slot == "0/2" else rig.start_second("linker")
        rig.variables = {}
        rig.start("chargebee_adapter", "poweroffice_adapter")
        rig.add_customer(id="kari", first_name="Kari", last_name="Nordmann")
        link_when(rig, "kari", "linked")
        assert {rig.problem("linker"), rig.problem("linker_2")} == {None}
        (owner,) = asyncio.run(rig.kafka.owners("linker", 0))
        assert len(owner) == 12
