"""What happens to records, documents and topics while people edit. Each ends with the judgement."""

import time
from functools import partial

from contracts.settings import KafkaSettings
from contracts.topics import TOPICS
from runtime.kafka import Kafka
from services.linker.state import sides as sides_of
from tests.faults.desk import Record
from tests.faults.oracle import Verdict
from tests.faults.weather import CALM, MILD, Weather
from tests.faults.world import World
from tests.system.rig import SERVICES
from tests.waiting import wait_for

DELETED, PASSING = 15, 10  # customers; so many pass the breaker by default
NOT_JSON = (b"\xff\x00 nothing", b'{"type":"observed"', b'{"type":"observed","tenant":7}', b"{}")
# The rig reads these two itself, with decoders that foresee no poison.
READ_BY_THE_RIG = ("links", "journal")


def map_lost(world: World) -> Verdict:
    """All topics are gone, and orders were sent meanwhile: the map of ids is made anew from both
    systems, and nothing else."""
    world.start()
    for _ in range(2):
        world.editor.add_order()
    world.weather(MILD)
    world.play(20)
    writes = world.settle()
    world.before = world.told()
    world.rig.stop(*SERVICES)
    for record in [each for each in world.editor.records.values() if "paid" in each.fate][:2]:
        world.editor.send_by_mistake(record)
    rig = world.rig
    rig.prefix += "again."
    rig.kafka = Kafka(KafkaSettings(bootstrap=rig.bootstrap, topic_prefix=rig.prefix, partitions=1))
    rig.write_settings()
    world.tandem("topics", "create")
    rig.start()
    code, said = world.tandem("rebuild", "--from-vendors")
    if code not in (0, 3):
        world.words.append(f"rebuild ended with {code}: {said[-500:]}")
    world.extra_writes += rig.quiet(polls=3) - writes
    world.blows += 1
    world.tandem("mode", "sync")
    world.weather(MILD)
    world.play(15)
    return world.judged()


def twins(world: World) -> Verdict:
    """The same party is entered in both systems at once, again and again. Nobody edits it before
    both have been read: what was never seen to be alike is two parties."""
    world.start(customers=2)
    world.weather(MILD)
    for _ in range(12):
        twin = world.editor.twin()
        world.allowed.add(twin.mark)
        wait_for(f"{twin.mark} is known on both sides", partial(_is_known, world, twin))
        world.play(1)
    return world.judged()


def _is_known(world: World, twin: Record) -> bool:
    sides = [side for link in world.rig.links().values() for _, side in sides_of(link)]
    return {*twin.ids.values()} <= {side.id for side in sides}


def edited_twin(world: World) -> Verdict:
    """The creation of a customer meets its twin in Chargebee, and before that has been read,
    somebody edits its e-mail: the two are no longer alike by the rules, but they were seen to be.
    """
    editor = world.editor
    world.start(customers=2)
    world.weather(Weather(always={"GET /events": "kept"}, hook_rate=1.0, hooks={"late": 1}))
    wait_for("nobody reads Chargebee's events", lambda: world.proxy.faults["kept"])
    twin = editor.twin()
    world.allowed.add(twin.mark)
    own = f"go-{twin.ids['poweroffice']}"
    wait_for(
        "the creation has met the twin",
        lambda: world.rig.links().get(own),
        lambda link: link is not None and link.state == "waiting" and link.flight is None,
    )
    editor.edit(twin, "email", "chargebee")
    wait_for("both webhooks are kept back", lambda: world.proxy.faults["late"] >= 2)
    world.proxy.deliver_late()
    world.weather(CALM)
    world.proxy.release()
    return world.judged()


def documents(world: World) -> Verdict:
    """Orders are sent, paid, cancelled and credited in either system between two polls."""
    world.start()
    editor = world.editor
    made = [record for _ in range(8) if (record := editor.add_order()) is not None]
    world.settle()
    world.weather(MILD)
    for number, record in enumerate(made):
        if number % 4 != 1:
            editor.send_by_mistake(record)
        if number % 4 in (1, 2):
            editor.cancel(record)
        if number % 4 == 3:
            editor.credit(record, 1000)
        world.play(1)
    for number in range(6):
        draft = editor.add_draft()
        assert draft is not None
        if number % 2:
            time.sleep(world.rng.uniform(0, 0.5))
        while editor.send_draft() is not None:
            pass
        if number % 3 == 0:
            editor.credit_in_go(draft)
        world.play(1)
    return world.judged()


def poison(world: World) -> Verdict:
    """What nobody can read comes to every topic, among live edits and before a restart."""
    world.start()
    for round in range(2):
        for topic in TOPICS:
            if topic.name in READ_BY_THE_RIG:
                continue
            for value in NOT_JSON[:2] if topic.name == "control" else NOT_JSON:
                world.rig.send(topic.name, b"demo/customer/nobody", value)
                world.blows += 1
        world.play(8)
        if round == 0:
            for name in SERVICES:
                world.kill(name)
            world.rig.start()
    return world.judged()


def deletions(world: World) -> Verdict:
    """More than half of the customers are deleted at once: what is beyond the breaker is held, and
    each of them is listed."""
    editor = world.editor
    for _ in range(25):
        editor.add_customer("chargebee")
    world.start(customers=0, products=0)
    world.rig.settings("chargebee", customer_delete_delay_s=0.1)
    for record in list(editor.records.values())[:DELETED]:
        editor.delete(record)
        world.allowed.add(record.mark)
    verdict = world.judged(replay=False)
    told = world.told()
    archived = [raw for raw in editor.books.all("poweroffice", "person") if raw["IsArchived"]]
    if len(archived) > PASSING:
        verdict.unexplained.append(f"{len(archived)} customers were archived without a question")
    planned = [plan["link"] for plan in told.planned if plan["entity"] == "customer"]
    if len(planned) + len(archived) != DELETED:
        verdict.unexplained.append(
            f"{DELETED} were deleted, {len(archived)} archived, but {len(planned)} are held"
        )
    return verdict
