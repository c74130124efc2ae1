"""An upgrade: the state that the last release left is read by this one, which goes on and writes
nothing by itself."""

from typing import Any

import msgspec
import pytest

from contracts import mappings
from contracts.entities import FIELDS, SYSTEMS, typed
from contracts.messages import (
    Command,
    Control,
    Cursor,
    EntityMessage,
    Link,
    Observed,
    Outcome,
    Signal,
)
from services.linker import merge, state
from services.linker.decide import Message
from tests.fixtures.released import TENANT, records, store
from tests.unit.bench import NOW, Bench

RELEASES = ("0.1.0",)
ENTITY_TOPICS = ("customers", "products", "orders")
TYPES: dict[str, Any] = {
    "links": Link,
    "control": Control,
    "cursors": Cursor,
    "outcomes": Outcome,
    **dict.fromkeys(ENTITY_TOPICS, EntityMessage),
}


@pytest.fixture(params=RELEASES)
def release(request: pytest.FixtureRequest) -> str:
    held: str = request.param
    return held


@pytest.fixture
def bench(release: str) -> Bench:
    """A linker that has started on the state; `bench.commands` are those it sent meanwhile."""
    bench = Bench()
    bench.store = store(release, bench.store.policy)
    bench.say(Signal(tenant=TENANT, id="start", kind="start", at=NOW))
    return bench


def messages(release: str, *topics: str) -> list[Message]:
    return [
        msgspec.json.decode(record.value, type=TYPES[topic])
        for topic in topics
        for record in records(release, topic)
    ]


def links(bench: Bench) -> dict[str, Link]:
    return {
        name: msgspec.json.decode(value, type=Link) for name, value in bench.store.links.items()
    }


@pytest.mark.parametrize("topic", TYPES)
def test_every_record_is_read_by_todays_types(release: str, topic: str) -> None:
    """The contents of events too, as the linker's boundary checks them."""
    held = list(records(release, topic))
    assert len(held) >= 7
    for record in held:
        message = msgspec.json.decode(record.value, type=TYPES[topic])
        if isinstance(message, Observed) and message.data is not None:
            typed(message.entity, message.data)


def test_a_start_and_every_event_once_more_send_nothing(bench: Bench, release: str) -> None:
    """What a new group, or offsets lost, would bring; states, plans and what is agreed stay as they
    were."""
    before = standing(bench)
    for message in messages(release, *ENTITY_TOPICS, "outcomes"):
        bench.say(message)
    assert bench.commands == []
    assert standing(bench) == before


def standing(bench: Bench) -> dict[str, tuple[Any, ...]]:
    """What of each link must not move by itself."""
    return {
        name: (
            link.state,
            link.reason,
            link.seq,
            link.differences,
            link.plan,
            link.flight and link.flight.command,
        )
        for name, link in links(bench).items()
    }


def test_what_was_left_open_is_still_open(bench: Bench) -> None:
    """One of each, and the paused plan goes once the pause ends."""
    held = {
        name: link
        for name, link in links(bench).items()
        if link.state not in ("linked", "sent", "ignored")
    }
    assert sorted((link.entity, link.state) for link in held.values()) == [
        ("customer", "ambiguous"),
        ("customer", "ambiguous"),
        ("customer", "rejected"),
        ("order", "waiting"),
        ("product", "held"),
    ]
    (flying,) = [link for link in links(bench).values() if link.flight is not None]
    assert flying.flight is not None
    command = flying.flight.command
    assert (command.op, command.target, list(command.fields)) == (
        "update",
        "chargebee",
        ["company"],
    )
    (sent,) = resume(bench)
    assert (sent.link, sent.op, sent.target, sent.fields) == (
        "hjul",
        "update",
        "poweroffice",
        {"description": "Rundt, med eik"},
    )


def resume(bench: Bench) -> list[Command]:
    return bench.say(Signal(tenant=TENANT, id="resume", kind="resume", at=NOW))


def test_an_edit_after_the_upgrade_is_carried(bench: Bench) -> None:
    """The bases of the last release are those of this one."""
    anna = links(bench)["customer/anna"]
    assert anna.chargebee is not None and anna.chargebee.seen is not None
    edited = {**anna.chargebee.seen, "phone": "+47 1"}
    (sent,) = bench.say(
        Observed(
            tenant=TENANT,
            system="chargebee",
            entity="customer",
            id="anna",
            mapping=1,
            version="9000000000000",
            observed_at=NOW,
            data=edited,
        )
    )
    assert (sent.target, sent.fields, sent.expected) == (
        "poweroffice",
        {"phone": "+47 1"},
        {"phone": anna.chargebee.seen["phone"]},
    )


def test_the_next_release_reads_a_field_otherwise_and_one_more(
    bench: Bench, release: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every record is read again under the next mapping, and nobody has edited anything."""
    fields = {**FIELDS, "customer": (*FIELDS["customer"], "nickname")}
    for module in (state, merge):
        monkeypatch.setattr(module, "FIELDS", fields)
    for system in SYSTEMS:
        reread = {"customer": frozenset({"phone"}), "product": frozenset({"unit"})}
        monkeypatch.setitem(mappings.REREAD[system], 3, reread)
    before = standing(bench)
    for message in messages(release, *ENTITY_TOPICS):
        if isinstance(message, Observed):
            bench.say(_read_by_the_next(message))
    # One customer was refused before; the draft of a paid order is told so since this release.
    assert [(each.link, list(each.fields)) for each in bench.commands] == [
        ("kari", ["phone"]),
        ("1", ["notice"]),
    ]
    del before["customer/kari"], before["order/1"]
    after = standing(bench)
    assert {name: after[name][:4] for name in before} == {
        name: held[:4] for name, held in before.items()
    }
    unset = {
        tuple(side.unset)
        for link in links(bench).values()
        for side in (link.chargebee, link.poweroffice)
        if link.entity == "customer" and link.state == "linked" and side is not None
    }
    assert unset <= {(), ("nickname",)}


def _read_by_the_next(event: Observed) -> Observed:
    """The same version of the vendor; Go's adapter numbers its readings on."""
    time, mark, number = event.version.partition("#")
    version = f"{time}{mark}{int(number) + 100_000:012d}" if mark else event.version
    spelt = {
        name: f"{value} (ny)"
        for name, value in (event.data or {}).items()
        if name in ("phone", "unit") and value
    }
    more = {"nickname": None} if event.entity == "customer" else {}
    data = None if event.data is None else {**event.data, **spelt, **more}
    return msgspec.structs.replace(event, mapping=3, version=version, data=data)
