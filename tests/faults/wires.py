"""What happens to services, Kafka, vendors and wires while people edit. Each ends with the
judgement."""

import time

from runtime.kafka import TRANSACTION_TIMEOUT_MS
from tests.faults.books import System
from tests.faults.desk import Edit, Record
from tests.faults.oracle import Verdict
from tests.faults.weather import CALM, HELD, MILD, SHORT, STORM, Weather
from tests.faults.world import ADAPTERS, World
from tests.system.rig import SERVICES
from tests.waiting import wait_for

# Longer than any session, transaction or lease that a stopped process holds.
FROZEN_S = TRANSACTION_TIMEOUT_MS / 1000 + 5
HOUR_S = 3600.0


def storm(world: World) -> Verdict:
    """Every kind of trouble on every wire, webhooks dropped, doubled, shuffled and late."""
    world.weather(Weather(rate=0.15, hook_rate=0.6))
    world.start()
    world.play(40)
    return world.judged()


def lost_replies(world: World) -> Verdict:
    """The vendor carries out every POST and the answer is lost, each time."""
    world.weather(Weather(always={"POST": "cut_after"}))
    world.start()
    world.play(25)
    return world.judged()


def kills(world: World) -> Verdict:
    """SIGKILL of one service after another at random moments, under load."""
    world.start()

    def strike(number: int) -> None:
        if number % 6 == 5:
            name = world.rng.choice(SERVICES)
            world.kill(name)
            world.editor.step()
            world.rig.start(name)

    world.weather(MILD)
    world.play(42, between=strike)
    return world.judged()


def late_requests(world: World) -> Verdict:
    """An adapter dies with a write under way; its successor carries it out, a newer edit crosses,
    and then the old request arrives."""
    world.start(customers=8)
    for number in range(8):
        _late_request(world, "chargebee" if number % 4 else "poweroffice")
        world.play(2)
    verdict = world.judged()
    if not any(entry["rule"] == "late_write" for entry in world.told().journal):
        verdict.unexplained.append("no request was late enough to be told")
    return verdict


def _late_request(world: World, target: System) -> None:
    editor = world.editor
    source: System = "poweroffice" if target == "chargebee" else "chargebee"
    record = world.rng.choice(editor.on_both_sides("person", "company"))
    name = world.rng.choice(("email", "address"))
    adapter, kept = f"{target}_adapter", world.proxy.faults["kept"]
    world.rig.quiet(polls=2)  # an edit of the other side could win against ours
    method = "POST /customers" if target == "chargebee" else "PATCH"
    world.weather(Weather(always={method: "kept"}))
    first = editor.edit(record, name, source)
    wait_for("the write is under way", lambda: world.proxy.faults["kept"] > kept)
    world.kill(adapter)
    world.weather(CALM)
    world.rig.start(adapter)
    _crossed(world, record, target, first)
    _crossed(world, record, target, editor.edit(record, name, source))
    world.proxy.release()
    world.rig.quiet(polls=3)


def _crossed(world: World, record: Record, target: System, edit: Edit) -> None:
    wait_for(
        f"edit {edit.number} has crossed", lambda: world.editor.holds(record, target, edit.value)
    )


def frozen(world: World) -> Verdict:
    """Each service stops for longer than its transactions last, wakes up and goes on."""
    world.start()
    world.weather(MILD)
    for names in (("linker",), ADAPTERS):
        world.play(6)
        for name in names:
            world.stop(name)
        thaws = time.monotonic() + FROZEN_S
        world.play(8)
        time.sleep(max(0.0, thaws - time.monotonic()))
        for name in names:
            world.go_on(name)
        world.play(6)
    return world.judged()


def second_processes(world: World) -> Verdict:
    """A second linker and a second adapter take over under load; then the first ones die."""
    world.start()
    world.weather(MILD)
    for name in ("linker", "poweroffice_adapter"):
        world.play(6)
        second = world.rig.start_second(name)
        world.play(8)
        world.kill(name)
        world.play(6)
        world.kill(second)
        world.rig.start(name)
    return world.judged()


def short_lists(world: World) -> Verdict:
    """Every second list is cut off midway or empty, also while adapters start."""
    world.start()
    world.weather(Weather(rate=0.5, kinds=SHORT))
    world.play(12)
    for name in ADAPTERS:
        world.kill(name)
        world.play(3)
        world.rig.start(name)
    world.play(12)
    return world.judged()


def revoked_key(world: World) -> Verdict:
    """One vendor's key is revoked, people go on, and it comes back; then the other's."""
    world.start()
    world.weather(MILD)
    for system, name in (("poweroffice", "revoked_clients"), ("chargebee", "revoked_keys")):
        world.play(5)
        world.rig.settings(system, **{name: ["tandem"]})
        world.blows += 1
        world.play(10)
        world.rig.settings(system, **{name: []})
        world.play(5)
    return world.judged()


def clocks_apart(world: World) -> Verdict:
    """Chargebee's clock is an hour ahead and Go's an hour behind."""
    world.rig.settings("chargebee", clock_offset_s=HOUR_S)
    world.rig.settings("poweroffice", clock_offset_s=-HOUR_S)
    world.start()
    world.weather(MILD)
    world.play(30)
    return world.judged()


def everything(world: World) -> Verdict:
    """A storm in which services die and freeze, requests come late, lists are short and people
    often edit the same field on both sides."""
    world.weather(Weather(rate=0.2, kinds={**STORM, **HELD, **SHORT}, hook_rate=0.7))
    world.start()

    def strike(number: int) -> None:
        world.editor.clash()
        if number % 7 == 6:
            name = world.rng.choice(SERVICES)
            world.kill(name)
            world.play(2)
            world.rig.start(name)
        if number % 10 == 4:
            name = world.rng.choice(SERVICES)
            world.stop(name)
            world.play(3)
            world.go_on(name)

    world.play(40, between=strike)
    return world.judged()


def short(world: World) -> Verdict:
    """A little of everything, for `make test`."""
    world.start(customers=4, products=2)
    world.weather(Weather(rate=0.15, hook_rate=0.5))
    world.play(12, pause_s=0.1)
    world.kill("linker")
    world.play(4, pause_s=0.1)
    world.rig.start("linker")
    return world.judged(replay=False)
