"""Records that cannot be read, on every topic a service restores from: it starts, and what they may
hide is said."""

import asyncio
from typing import Any, ClassVar

import msgspec
import pytest

from contracts.facts import Run
from contracts.links import encode
from contracts.messages import Command, Control, Cursor, Link, Side
from contracts.signals import OfService
from contracts.topics import link_key
from runtime import sinks
from runtime.background import background
from runtime.control import ControlView
from runtime.dead_letters import about, reason_of
from runtime.publisher import KafkaPublisher
from services.linker.policy import policy_of
from services.linker.restoring import restore
from services.linker.store import Store
from tests.flow.memory import MemoryKafka, MemoryTransactions, consumer_record
from tests.flow.test_broker import AT, KARI, observed, settings
from tests.flow.test_sinks import COMMANDS, FakeVendor, applied, bench, command, run, until
from tests.flow.test_too_large import Bench, seen

GARBAGE = (b"\x00\x01not json", b"\xed\xa0\x80", b"[" * 100_000, b'{"type": 7}', b"", b"null")


@pytest.fixture(autouse=True)
def without_kafka(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sinks, "PartitionTransactions", MemoryTransactions)


def garbage(topic: str, key: bytes = b"demo/customer/x") -> list[Any]:
    return [consumer_record(topic, value, key=key) for value in GARBAGE]


def test_a_sink_starts_beside_unreadable_outcomes() -> None:
    """And still answers a finished command from its outcome."""

    async def scenario() -> None:
        vendor, asked = FakeVendor(), command("kari", seq=3)
        key = link_key("demo", "customer", "kari")
        held = [
            *garbage("outcomes"),
            consumer_record("outcomes", msgspec.json.encode(applied(asked)), key=key),
            *garbage("outcomes", b"\xff"),
        ]
        async with bench({"demo": vendor}, held={"outcomes": held}) as there:
            await there.give(asked, command("ola"))
            await there.until_outcomes(2)
            assert vendor.links() == ["ola"]

    run(scenario())


def test_a_source_starts_beside_unreadable_events_outcomes_and_cursors() -> None:
    """What can be read is restored."""

    async def scenario() -> None:
        cursor = Cursor(
            tenant="demo", system="chargebee", entity="customer", at=AT, value={"snapshot": "s"}
        )
        kafka = MemoryKafka(
            {
                "customers": [
                    *garbage("customers"),
                    consumer_record("customers", observed("kari")),
                ],
                "outcomes": garbage("outcomes"),
                "cursors": [
                    *garbage("cursors"),
                    consumer_record("cursors", msgspec.json.encode(cursor)),
                ],
            }
        )
        publisher = KafkaPublisher(kafka, "chargebee", {"demo": 0})  # type: ignore[arg-type]
        await publisher._restore()
        assert list(publisher.known("demo", "chargebee", "customer")) == ["kari"]
        assert publisher.cursor("demo", "chargebee", "customer") == {"snapshot": "s"}

    run(scenario())


def test_a_view_of_control_goes_on_past_what_it_cannot_read() -> None:
    """A pause and the mode are taken for the careful case, in words, until they are said anew; the
    rest for unsaid."""

    async def scenario() -> None:
        kafka = MemoryKafka(
            {
                "control": [
                    *garbage("control", b"demo/pause/order/poweroffice"),
                    *garbage("control", b"demo/run/r1"),
                    *garbage("control", b"\xff"),
                    *garbage("control", b"demo"),
                ]
            }
        )
        view = ControlView(kafka, [0])  # type: ignore[arg-type]
        await view.start()
        problem = view.held(command("900", entity="order"))
        assert problem is not None and problem.code == "paused"
        assert view.held(command("kari")) is None
        assert view.fact("demo", Run, "r1") is None
        words = view.unreadable["demo/pause/order/poweroffice"]
        assert words.startswith("t.control/0/") and words.endswith(
            "demo/pause/order/poweroffice, cannot be read: until tandem pause or resume says "
            "otherwise it is taken for "
            "pause order/poweroffice, set"
        )
        kafka.later.put_nowait(garbage("control", b"demo/mode/~")[0])
        await until(lambda: view.held(command("kari")) is not None)
        for kind, id, value in (
            ("pause", "order/poweroffice", {}),
            ("mode", "~", {"mode": "sync"}),
        ):
            fact = Control(tenant="demo", kind=kind, id=id, at=AT, value=value)
            kafka.later.put_nowait(
                consumer_record(
                    "control", msgspec.json.encode(fact), key=f"demo/{kind}/{id}".encode()
                )
            )
        await until(
            lambda: (
                view.held(command("kari")) is None
                and view.held(command("900", entity="order")) is None
            )
        )
        assert "demo/pause/order/poweroffice" not in view.unreadable
        await view.stop()

    run(scenario())


def pair(key: str, theirs: str | None = "5", **more: Any) -> Link:
    theirs_side = Side(id=theirs, version="0000000000001", seen=KARI) if theirs else None
    return Link(
        tenant="demo",
        entity="customer",
        key=key,
        state="linked",
        seq=4,
        entries=7,
        chargebee=Side(id=key, version="0000000000001", seen=KARI),
        poweroffice=theirs_side,
        **more,
    )


def record(link: Link, value: bytes | None = None) -> Any:
    return consumer_record(
        "links", encode(link) if value is None else value, key=f"demo/customer/{link.key}".encode()
    )


def restored(*links: Any, **held: Any) -> tuple[Store, list[Any]]:
    store = Store("demo", policy_of(settings().tenants["demo"]))
    kafka: Any = MemoryKafka({"links": links, **held})
    return store, asyncio.run(restore(kafka, {"demo": store}, [0])).lost


def test_a_restore_gives_others_a_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """A million links are indexed for seconds, and whoever asks meanwhile whether the process lives
    is answered."""
    monkeypatch.setattr("services.linker.store.AT_ONCE", 2)
    links = [record(pair(f"kari-{number}", f"{number}")) for number in range(20)]
    kafka: Any = MemoryKafka({"links": links})

    async def scenario() -> None:
        store = Store("demo", policy_of(settings().tenants["demo"]))
        restoring = asyncio.create_task(restore(kafka, {"demo": store}, [0]))
        turns = 0
        while not restoring.done():
            turns += 1
            await asyncio.sleep(0)
        assert len((await restoring).lost) == 0 and store.size("customer") == 20
        assert turns >= 10

    run(scenario())


@pytest.mark.parametrize("value", GARBAGE[:4])
def test_a_link_that_cannot_be_read_keeps_its_ids(value: bytes) -> None:
    """From the record before; its number is above those of all its commands, so that none is taken
    for finished."""
    asked = msgspec.structs.replace(command("kari", seq=6), target="poweroffice")
    held = {
        COMMANDS: [consumer_record(COMMANDS, msgspec.json.encode(asked), key=b"demo/customer/kari")]
    }
    store, (lost,) = restored(
        record(pair("kari")), record(pair("ola", "6")), record(pair("kari"), value), **held
    )
    assert list(store.links) == ["customer/ola"]
    assert (lost.link.chargebee.id, lost.link.poweroffice.id) == ("kari", "5")
    assert (lost.link.seq, lost.link.entries > 7, lost.controls) == (6, True, {})
    assert "tandem reconcile --repair" in lost.words


def test_a_link_of_another_release_keeps_the_ids_it_tells() -> None:
    """Its own record is JSON, only with a state that this release does not know."""
    value = encode(pair("kari")).replace(b'"linked"', b'"archived"')
    _, (lost,) = restored(record(pair("kari"), value))
    assert (lost.link.chargebee.id, lost.link.poweroffice.id, lost.controls) == ("kari", "5", {})


def test_a_link_of_which_only_the_key_is_known_stops_what_could_double_it() -> None:
    """Its entity is paused in both directions until a person has told the pair."""
    _, (lost,) = restored(record(pair("kari"), b"\x00"))
    assert (lost.link.chargebee.id, lost.link.poweroffice) == ("kari", None)
    assert set(lost.controls) == {"pause/customer/chargebee", "pause/customer/poweroffice"}
    _, (born_in_go,) = restored(record(pair("go-5"), b"\x00"))
    assert (born_in_go.link.chargebee, born_in_go.link.poweroffice.id) == (None, "5")


@pytest.mark.parametrize(
    "key", [b"demo/pause/order/poweroffice", b"demo", b"\xff", b"", b"other/customer/kari"]
)
def test_what_is_no_link_is_skipped(key: bytes) -> None:
    """By its key; the links beside it are there."""
    store, lost = restored(record(pair("kari")), *garbage("links", key))
    assert (list(store.links), lost) == (["customer/kari"], [])


def test_unreadable_facts_of_control_are_taken_for_the_careful_case() -> None:
    """By the linker as by the adapters."""
    control = [*garbage("control", b"demo/mode/~"), *garbage("control", b"~/position/p00")]
    store, lost = restored(control=control)
    assert (store.control("mode", "~"), lost) == ({"mode": "observe"}, [])


@pytest.mark.parametrize("only_key", [False, True])
def test_the_linker_starts_beside_an_unreadable_link_and_doubles_nothing(
    monkeypatch: pytest.MonkeyPatch, only_key: bool
) -> None:
    """It is broken in words, its bytes are a dead letter, and its records, met again, are created
    nowhere."""
    held = Bench(monkeypatch)
    held.open()
    linker = held.linker
    before = [] if only_key else [record(pair("kari"))]
    held.kafka.held = {"links": [*before, record(pair("kari"), b"\x00")]}

    async def again() -> None:
        lost = (await restore(held.kafka, linker.state.stores, [0])).lost  # type: ignore[arg-type]
        await linker.state.repair(lost)

    asyncio.run(again())
    link = held.link("kari", "customer")
    assert link.state == "broken" and "cannot be read" in (link.reason or "")
    (written,) = [each for each in held.kafka.records("links") if each.key == b"demo/customer/kari"]
    assert msgspec.json.decode(written.value or b"", type=Link) == link
    assert len(held.kafka.records("dead-letters")) == 1
    held.say(
        seen("chargebee", "kari", 2, KARI, "customer"),
        seen("poweroffice", "5", 2, KARI, "customer"),
    )
    sent = [
        *held.decoded("commands.chargebee", Command),
        *held.decoded("commands.poweroffice", Command),
    ]
    assert [each.op for each in sent if each.op == "create"] == []
    if not only_key:
        assert held.link("kari", "customer").state == "linked"


def test_the_linker_buries_unreadable_messages_of_all_its_inputs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One dead letter each, and the batch goes on."""
    held = Bench(monkeypatch)
    held.open()
    topics = ("customers", "outcomes", "signals", "readings")
    records = [each for topic in topics for each in garbage(topic)]
    asyncio.run(held.linker.handle((*records, consumer_record("customers", observed("kari")))))
    assert len(held.kafka.records("dead-letters")) == len(records)
    assert held.link("kari", "customer").state == "creating"


def test_a_signal_of_the_process_itself_that_cannot_be_decided_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nobody else has it."""

    class UnheardOf(OfService, frozen=True, kw_only=True):
        KIND: ClassVar[str] = "unheard-of"

    held = Bench(monkeypatch)
    asyncio.run(held.linker.state.tell(UnheardOf(), "demo"))
    (letter,) = held.decoded("dead-letters", dict)
    assert "unheard-of" in letter["reason"]


# -- tasks


def test_a_task_that_ends_by_an_error_says_so() -> None:
    """In the words of its first error, and what it was about."""

    async def scenario() -> None:
        async def fails() -> None:
            async with asyncio.TaskGroup() as group:
                group.create_task(inner())

        async def inner() -> None:
            with about("customer 5"):
                raise KeyError("IsPerson")

        said: list[str] = []
        task = background(fails(), "reading of demo", said.append)
        await asyncio.wait([task])
        await asyncio.sleep(0)
        assert said[0].startswith(
            "reading of demo has ended: KeyError: 'IsPerson' (customer 5) at inner"
        )
        assert "KeyError" in reason_of(task.exception() or Exception())

    run(scenario())
