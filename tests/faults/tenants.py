"""Several tenants on the same services, while people edit. Ends with the judgement."""

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import fields

from tests.faults.oracle import Verdict
from tests.faults.weather import MILD
from tests.faults.world import ADAPTERS, World
from tests.waiting import wait_for

GUESTS = ("nord", "vest")


def several_tenants(world: World) -> Verdict:
    """Three tenants in one linker, then in two of a slot each, the first one alive, and back into
    one; the adapters move too. All the while people edit in all six systems."""
    with ExitStack() as held:
        for name in GUESTS:
            directory = world.rig.directory / name
            directory.mkdir()
            held.enter_context(
                World(
                    world.rig.bootstrap, directory, f"{world.seed}/{name}", tenant=name, host=world
                )
            )
        worlds = (world, *world.guests)
        rig = world.rig
        rig.write_settings(partitions=len(worlds))
        for each in worlds:
            each.editor.fill(4, 2)
        rig.start()
        for each in worlds:
            each.rig.quiet(polls=2)
            each.weather(MILD)
        _play(worlds, 4)
        halves = _linkers(world, worlds, ["linker"], ("0/2", "1/2"))
        for name in ADAPTERS:
            _adapter_in_two(world, name)
            _play(worlds, 2)
        _linkers(world, worlds, halves, ("0/1",))
        for name in ADAPTERS:
            _adapter_in_one(world, name)
            _play(worlds, 2)
        for each in worlds:
            each.settle()
        return _together(each.judged() for each in worlds)


def _play(worlds: Iterable[World], steps: int) -> None:
    for each in worlds:
        each.play(steps, pause_s=0.05)


def _linkers(
    world: World, worlds: tuple[World, ...], before: list[str], slots: tuple[str, ...]
) -> list[str]:
    """Start one linker for each slot; those from before live on, and stand aside in the end."""
    made = []
    for slot in slots:
        made.append(world.rig.start_second("linker", TANDEM_SLOT=slot))
        world.blows += 1
        _play(worlds, 3)
    for name in before:
        wait_for(
            f"{name} stands aside",
            lambda name=name: world.rig.problem(name),  # type: ignore[misc]
            lambda words: "taken over" in str(words),
        )
    return made


def _adapter_in_two(world: World, name: str) -> None:
    """One process for each of two slots instead of one for all."""
    rig = world.rig
    rig.stop(name)
    rig.variables["TANDEM_SLOT"] = "0/2"
    rig.start(name)
    del rig.variables["TANDEM_SLOT"]
    second = rig.start_second(name, TANDEM_SLOT="1/2")
    world.blows += 1
    if name == "chargebee_adapter":
        for guest in world.guests:
            if guest.rig.partition % 2:
                guest.proxy.lead("webhook", rig.url(second))


def _adapter_in_one(world: World, name: str) -> None:
    """And back, the second one ended in order too."""
    rig = world.rig
    rig.stop(*(each for each in rig.processes if each.startswith(name)))
    rig.start(name)
    world.blows += 1
    if name == "chargebee_adapter":
        for guest in world.guests:
            guest.proxy.lead("webhook", rig.url(name))


def _together(verdicts: Iterable[Verdict]) -> Verdict:
    whole = Verdict()
    for verdict in verdicts:
        for each in fields(Verdict):
            getattr(whole, each.name).extend(getattr(verdict, each.name))
    return whole
