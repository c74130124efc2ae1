"""Replay, reconcile, rebuild and forget, example by example."""

from typing import Any

import pytest

from contracts.entities import EntityName, System
from contracts.messages import (
    Command,
    JournalEntry,
    Observed,
    Problem,
    Reading,
    ReadingCompleted,
    Signal,
    SnapshotCompleted,
)
from services.linker.decide import Message, decide
from services.linker.session import Tombstone
from services.linker.state import by_id, side_of
from services.linker.store import Overlay
from tests.unit.bench import KARI, NEXT, NOW, WHEEL, Bench, order

EVERYTHING = {"customers": [0, 100], "products": [0, 100], "orders": [0, 100]}


def replay(bench: Bench, *records: tuple[System, EntityName, str], **args: Any) -> list[Command]:
    """Start a replay and hand it its records, as the linker's process does."""
    bench.tell("replay", ranges=EVERYTHING, **args)
    return bench.tell(
        "replay_part", run=bench.run_id, records=sorted(map(list, records)), last=True
    )


def run_of(bench: Bench) -> dict[str, Any]:
    found = bench.store.controls[f"run/{bench.run_id}"]
    return {name: found[name] for name in ("state", "counts")}


def reading(
    bench: Bench,
    system: System,
    id: str,
    version: int,
    data: Any,
    entity: EntityName = "customer",
    **more: Any,
) -> list[Command]:
    """A record as the reading of the active run finds it, its reference as it was."""
    held = by_id(bench.store.child(), entity, system, id)
    side = side_of(held, system) if held is not None else None
    record = Observed(
        **{
            "tenant": "t",
            "system": system,
            "entity": entity,
            "id": id,
            "version": f"{version:013d}",
            "mapping": 1,
            "observed_at": NOW,
            "data": data,
            "stamp": side.stamp if side else None,
            **more,
        }
    )
    return bench.say(Reading(run=bench.run_id, record=record))


def complete(bench: Bench, entity: EntityName = "customer") -> None:
    for system in ("chargebee", "poweroffice"):
        bench.say(
            ReadingCompleted(
                run=bench.run_id,
                tenant="t",
                system=system,
                entity=entity,
                records=1,
                completed_at=NOW,
            )
        )


def entries(bench: Bench, rule: str) -> list[JournalEntry]:
    return [each for each in bench.journal if each.rule == rule]


# -- replay


def test_a_converged_pair_is_read_on_both_sides_and_not_written() -> None:
    """One reading of each side, whatever the number of events in the range."""
    bench = Bench()
    bench.linked_pair()
    (first,) = replay(bench, ("chargebee", "customer", "kari"), ("poweroffice", "customer", "5"))
    assert (first.op, first.target, first.target_id, first.fields) == (
        "verify",
        "poweroffice",
        "5",
        {},
    )
    assert first.cause == f"t/run/{bench.run_id}"
    (second,) = bench.answer(first, "5", 1, KARI)
    assert (second.op, second.target, second.target_id) == ("verify", "chargebee", "kari")
    assert bench.answer(second, "kari", 1, KARI) == []
    assert run_of(bench) == {
        "state": "done",
        "counts": {"records": 2, "asked": 2, "answered": 2, "different": 0},
    }
    assert bench.link("kari").state == "linked"


def test_one_event_has_both_sides_read_once() -> None:
    """The other side's event may be missing from the range: our own write needs no event to be
    known."""
    bench = Bench()
    bench.linked_pair()
    bench.tell("replay", ranges=EVERYTHING)
    (first,) = bench.tell(
        "replay_part", run=bench.run_id, records=[["chargebee", "customer", "kari"]], last=False
    )
    (second,) = bench.answer(first, "5", 1, {**KARI, "phone": "+47 9"})
    (update,) = bench.answer(second, "kari", 1, {**KARI, "email": "ny@eksempel.no"})
    assert (update.target, update.fields) == ("chargebee", {"phone": "+47 9"})
    (back,) = bench.answer(update, "kari", 2, {**KARI, "email": "ny@eksempel.no", "phone": "+47 9"})
    assert (back.target, back.fields) == ("poweroffice", {"email": "ny@eksempel.no"})
    bench.answer(back, "5", 2, {**KARI, "email": "ny@eksempel.no", "phone": "+47 9"})
    assert (
        bench.tell(
            "replay_part", run=bench.run_id, records=[["poweroffice", "customer", "5"]], last=True
        )
        == []
    )
    assert run_of(bench) == {
        "state": "done",
        "counts": {"records": 2, "asked": 2, "answered": 2, "different": 2},
    }


def test_what_changed_behind_the_systems_back_is_found_and_carried() -> None:
    """The edit brought no event and did not move the version."""
    bench = Bench()
    bench.linked_pair()
    (verify,) = replay(bench, ("chargebee", "customer", "kari"), side="chargebee")
    (update,) = bench.answer(verify, "5", 1, {**KARI, "phone": "+47 9"})
    assert (update.op, update.target, update.fields, update.lane) == (
        "update",
        "chargebee",
        {"phone": "+47 9"},
        "bulk",
    )
    assert update.cause == f"t/run/{bench.run_id}"
    (drift,) = entries(bench, "drift")
    assert (drift.system, drift.field, drift.value, drift.losing) == (
        "poweroffice",
        "phone",
        "+47 9",
        "+47 1",
    )
    assert run_of(bench)["counts"]["different"] == 1


def test_a_dry_run_tells_what_would_be_written_and_changes_nothing() -> None:
    """Not even what is believed of the record."""
    bench = Bench()
    bench.linked_pair()
    before = bench.link("kari")
    (verify,) = replay(bench, ("chargebee", "customer", "kari"), side="chargebee", dry_run=True)
    assert bench.answer(verify, "5", 1, {**KARI, "phone": "+47 9"}) == []
    after = bench.link("kari")
    assert (after.poweroffice, after.chargebee, after.state) == (
        before.poweroffice,
        before.chargebee,
        "linked",
    )
    (would,) = entries(bench, "would")
    assert (would.system, would.value, would.losing) == (
        "chargebee",
        {"phone": "+47 9"},
        {"phone": "+47 1"},
    )
    assert run_of(bench)["state"] == "done"


def test_a_dry_run_in_observe_reads_and_tells() -> None:
    """Reading changes nothing, so it is done while nothing may be written."""
    bench = Bench()
    bench.linked_pair()
    bench.tell("mode", mode="observe")
    (verify,) = replay(bench, ("chargebee", "customer", "kari"), dry_run=True)
    bench.answer(verify, "5", 1, {**KARI, "phone": "+47 9"})
    assert [each.text for each in entries(bench, "would")] == ["would update in chargebee: phone"]


def test_readings_keep_to_the_window_and_a_pause_holds_them() -> None:
    """The rest follows answer by answer; cancelling takes the wish off the links."""
    bench = Bench(window=2)
    bench.open()
    for number in range(5):
        fields = {**KARI, "email": f"k{number}@eksempel.no"}
        (create,) = bench.see("chargebee", f"k{number}", 1, fields)
        bench.answer(create, str(number), 1, fields)
    sent = replay(
        bench, *(("chargebee", "customer", f"k{number}") for number in range(5)), side="chargebee"
    )
    assert [each.link for each in sent] == ["k0", "k1"]
    (third,) = bench.answer(sent[0], "0", 1, {**KARI, "email": "k0@eksempel.no"})
    assert third.link == "k2"
    bench.tell("run_pause", run=bench.run_id)
    assert bench.answer(sent[1], "1", 1, {**KARI, "email": "k1@eksempel.no"}) == []
    (fourth,) = bench.tell("run_resume", run=bench.run_id)
    assert fourth.link == "k3"
    assert bench.tell("run_cancel", run=bench.run_id) == []
    assert bench.answer(fourth, "3", 1, {**KARI, "email": "k3@eksempel.no"}) == []
    assert run_of(bench)["state"] == "cancelled"
    assert all(bench.link(f"k{number}").verify == [] for number in (3, 4))


def test_parts_are_taken_once_and_in_order() -> None:
    """The process may be killed between two of them and hand the first one over again."""
    bench = Bench()
    bench.linked_pair()
    bench.linked_product()
    bench.tell("replay", ranges=EVERYTHING)
    part = {"run": bench.run_id, "records": [["chargebee", "customer", "kari"]], "last": False}
    assert len(bench.tell("replay_part", **part)) == 1
    assert bench.tell("replay_part", **part) == []
    both = [
        ["chargebee", "customer", "kari"],
        ["chargebee", "product", "hjul"],
        ["chargebee", "product", "ukjent"],
    ]
    assert [
        each.link for each in bench.tell("replay_part", run=bench.run_id, records=both, last=True)
    ] == ["hjul"]
    assert run_of(bench)["counts"] == {"records": 3, "asked": 4, "unknown": 1}


def test_a_reading_that_fails_is_told_and_the_run_ends() -> None:
    """A record that cannot be read rejects nothing."""
    bench = Bench()
    bench.linked_pair()
    (verify,) = replay(bench, ("chargebee", "customer", "kari"), side="chargebee")
    gone = Problem(code="resource_not_found", message="customer 5 is not there")
    assert bench.answer(verify, "", 0, None, result="rejected", error=gone) == []
    assert bench.link("kari").state == "linked"
    assert [each.text for each in entries(bench, "not_verified")] == [
        "poweroffice did not show the record: customer 5 is not there"
    ]
    assert run_of(bench)["counts"]["failed"] == 1


def test_a_run_counts_no_answer_to_the_one_before() -> None:
    """It was cancelled with a reading under way, and the next run asks for the other side only."""
    bench = Bench()
    bench.linked_pair()
    (old,) = replay(bench, ("chargebee", "customer", "kari"))
    bench.tell("run_cancel", run=bench.run_id)
    assert replay(bench, ("poweroffice", "customer", "5"), side="poweroffice") == []
    (asked,) = bench.answer(old, "5", 1, {**KARI, "phone": "+47 9"})
    assert (asked.target, (bench.side("poweroffice", "kari").seen or {})["phone"]) == (
        "chargebee",
        "+47 1",
    )
    bench.answer(asked, "kari", 1, KARI)
    assert run_of(bench) == {
        "state": "done",
        "counts": {"records": 1, "asked": 1, "answered": 1, "different": 0},
    }


def test_a_parked_reading_waits_for_its_vendor() -> None:
    """The link goes on being what it was afterwards."""
    bench = Bench()
    bench.linked_pair()
    (verify,) = replay(bench, ("chargebee", "customer", "kari"), side="chargebee")
    assert bench.answer(verify, "", 0, None, result="parked") == []
    (again,) = bench.tell("vendor_reachable", system="poweroffice")
    assert again.op == "verify"
    bench.answer(again, "5", 1, KARI)
    assert bench.link("kari").state == "linked"
    assert run_of(bench)["state"] == "done"


def test_a_held_batch_is_left_alone_by_a_replay() -> None:
    """It is being looked at."""
    bench = Bench()
    bench.linked_pair()
    bench.tell("pause", entity="customer", target="poweroffice")
    bench.see("chargebee", "kari", 2, {**KARI, "phone": "+47 2"})
    assert replay(bench, ("chargebee", "customer", "kari")) == []
    assert run_of(bench) == {"state": "done", "counts": {"records": 1, "left_alone": 1}}


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({}, "the argument 'ranges' is missing"),
        ({"ranges": {"invoices": [0, 1]}}, "ranges name topics"),
        ({"ranges": EVERYTHING, "side": "left"}, "there is no side 'left'"),
        ({"ranges": EVERYTHING, "entity": "invoice"}, "there is no entity 'invoice'"),
    ],
)
def test_a_replay_that_makes_no_sense_is_refused(args: dict[str, Any], words: str) -> None:
    """In words, and nothing is begun."""
    bench = Bench()
    bench.tell("replay", **args)
    assert words in bench.told["reason"]
    assert not bench.store.controls.get("active/run")


def test_one_run_at_a_time() -> None:
    """The second is refused with the name of the first."""
    bench = Bench()
    bench.tell("reconcile")
    first = bench.run_id
    bench.tell("replay", ranges=EVERYTHING)
    assert bench.told["reason"] == f"reconcile {first} is reading; wait for it or cancel it first"


# -- reconcile


def test_reconcile_reports_and_folds_nothing() -> None:
    """What differs is in the journal with what would follow."""
    bench = Bench()
    bench.linked_pair()
    bench.tell("reconcile", entity="customer")
    assert reading(bench, "chargebee", "kari", 1, KARI) == []
    assert (
        reading(bench, "poweroffice", "5", 1, {**KARI, "phone": "+47 9", "email": "ny@eksempel.no"})
        == []
    )
    complete(bench)
    assert run_of(bench) == {
        "state": "done",
        "counts": {"chargebee/customer": 1, "poweroffice/customer": 1, "different": 1},
    }
    assert [(each.field, each.value) for each in entries(bench, "drift")] == [
        ("email", "ny@eksempel.no"),
        ("phone", "+47 9"),
    ]
    assert [each.value for each in entries(bench, "would")] == [
        {"email": "ny@eksempel.no", "phone": "+47 9"}
    ]
    assert bench.link("kari").poweroffice.seen == KARI  # type: ignore[union-attr]


def test_reconcile_with_repair_carries_exactly_what_differs() -> None:
    """One record, one write."""
    bench = Bench()
    bench.linked_pair()
    bench.tell("reconcile", entity="customer", repair=True)
    assert reading(bench, "chargebee", "kari", 1, KARI) == []
    (update,) = reading(bench, "poweroffice", "5", 1, {**KARI, "phone": "+47 9"})
    assert (update.target, update.fields) == ("chargebee", {"phone": "+47 9"})
    assert bench.answer(update, "kari", 2, {**KARI, "phone": "+47 9"}) == []


def test_a_newer_mapping_writes_nothing_until_a_repair_does() -> None:
    """Go holds what the bad mapping made of the phone; a new reading of the same version is no
    edit."""
    bench = Bench()
    bench.linked_pair()
    right = {**KARI, "phone": "+47 11"}
    assert bench.see("chargebee", "kari", 1, right, mapping=NEXT) == []
    bench.tell("reconcile", entity="customer", repair=True)
    (update,) = reading(bench, "chargebee", "kari", 1, right, mapping=NEXT)
    assert (update.target, update.fields, update.expected) == (
        "poweroffice",
        {"phone": "+47 11"},
        {"phone": "+47 1"},
    )
    assert [(each.value, each.losing) for each in entries(bench, "drift")] == [("+47 11", "+47 1")]
    assert bench.answer(update, "5", 2, right) == []
    assert bench.link("kari").chargebee.remapped == {}  # type: ignore[union-attr]
    assert reading(bench, "chargebee", "kari", 1, right, mapping=NEXT) == []


def test_a_reading_before_the_newer_mapping_was_seen_is_repaired_too() -> None:
    """The record has not been read since the release."""
    bench = Bench()
    bench.linked_pair()
    bench.tell("reconcile", entity="customer", repair=True)
    (update,) = reading(bench, "chargebee", "kari", 1, {**KARI, "phone": "+47 11"}, mapping=NEXT)
    assert (update.target, update.fields) == ("poweroffice", {"phone": "+47 11"})


def test_a_reading_older_than_what_is_believed_proves_nothing() -> None:
    """The record has moved on while the run was reading."""
    bench = Bench()
    bench.linked_pair()
    (update,) = bench.see("chargebee", "kari", 3, {**KARI, "phone": "+47 3"})
    bench.tell("reconcile", entity="customer", repair=True)
    assert reading(bench, "chargebee", "kari", 2, KARI) == []
    assert (
        reading(bench, "poweroffice", "5", 1, {**KARI, "phone": "+47 8"}) == []
    )  # our own write is under way
    assert entries(bench, "drift") == []
    bench.answer(update, "5", 2, {**KARI, "phone": "+47 3"})


def test_a_repair_takes_in_what_was_never_heard_of() -> None:
    """A lost event of a new record."""
    bench = Bench()
    bench.open()
    bench.tell("reconcile", entity="customer")
    assert reading(bench, "chargebee", "kari", 1, KARI) == []
    complete(bench)
    bench.tell("reconcile", entity="customer", repair=True)
    (create,) = reading(bench, "chargebee", "kari", 1, KARI)
    assert (create.op, create.target) == ("create", "poweroffice")


def test_readings_of_a_run_that_is_over_are_not_taken() -> None:
    """They may still stand on the topic."""
    bench = Bench()
    bench.linked_pair()
    bench.tell("reconcile", entity="customer", repair=True)
    bench.tell("run_cancel", run=bench.run_id)
    assert reading(bench, "poweroffice", "5", 1, {**KARI, "phone": "+47 9"}) == []
    assert entries(bench, "drift") == []


# -- rebuild


def test_a_rebuild_makes_the_same_map_and_creates_nothing() -> None:
    """Also of an order that was sent in between; numbers go on above the old ones."""
    bench = Bench()
    bench.linked_order()
    bench.tell("rebuild")
    assert run_of(bench)["state"] == "reading"
    assert run_of(bench)["counts"] == {"cleared": 3}
    assert bench.store.links == {}
    commands = bench.see("chargebee", "kari", 1, KARI, snapshot="r")
    commands += bench.see("poweroffice", "5", 1, KARI, stamp="cb-kari")
    commands += bench.see("chargebee", "hjul", 1, WHEEL, "product")
    commands += bench.see("poweroffice", "7", 1, WHEEL, "product")
    commands += bench.see(
        "poweroffice", "u-1", 2, order("5", "7", status="sent"), "order", stamp="cb-900"
    )
    commands += bench.see("chargebee", "900", 1, order("kari", "hjul"), "order")
    for entity in ("customer", "product", "order"):
        for system in ("chargebee", "poweroffice"):
            commands += bench.say(
                SnapshotCompleted(
                    tenant="t",
                    system=system,
                    entity=entity,
                    snapshot=bench.run_id,
                    records=1,
                    completed_at=NOW,
                )
            )
    assert commands == []
    assert run_of(bench)["state"] == "done"
    assert {bench.link("kari").state, bench.link("hjul", "product").state} == {"linked"}
    assert bench.link("900", "order").state == "sent"
    assert bench.link("kari").seq >= 1
    bench.tell("run_cancel", run=bench.run_id)
    assert bench.told["reason"] == "no run is under way"


def test_what_a_rebuild_finds_without_a_twin_is_held_and_what_a_person_parted_stays_apart() -> None:
    """Ola's twin is gone from Go; kari and 5 were unlinked by hand, and would match by their
    e-mail."""
    bench = Bench()
    bench.linked_pair()
    ola = {**KARI, "first_name": "Ola", "email": "ola@eksempel.no"}
    (create,) = bench.see("chargebee", "ola", 1, ola)
    bench.answer(create, "6", 1, ola)
    (unstamp,) = bench.tell("unlink", entity="customer", key="kari")
    bench.answer(unstamp, "5", 2, KARI)
    bench.tell("rebuild")
    commands = bench.see("chargebee", "kari", 1, KARI) + bench.see("poweroffice", "5", 2, KARI)
    commands += bench.see("chargebee", "ola", 1, ola)
    assert commands + bench.open("customer") == []
    assert (bench.link("ola").state, bench.link("ola").batch) == ("held", "observe")
    assert [
        (bench.link(key).state, bench.link(key).aside is not None) for key in ("kari", "go-5")
    ] == [
        ("ignored", True),
        ("ignored", True),
    ]


def test_a_rebuild_is_not_cancelled() -> None:
    """There is nothing to go back to."""
    bench = Bench()
    bench.linked_pair()
    bench.tell("rebuild")
    bench.tell("run_cancel", run=bench.run_id)
    assert bench.told["result"] == "refused"


def test_a_large_map_is_cleared_piece_by_piece() -> None:
    """No transaction grows without bound."""
    bench = Bench(mode="observe")
    bench.open()
    for number in range(450):
        bench.see("chargebee", f"k{number}", 1, {**KARI, "email": f"k{number}@eksempel.no"})
    bench.tell("rebuild")
    assert run_of(bench) == {"state": "reading", "counts": {"cleared": 450}}
    assert bench.store.links == {}


# -- forget


def test_a_record_that_a_system_still_has_is_not_forgotten() -> None:
    """Erasing it here would only bring it back with the next reading."""
    bench = Bench()
    bench.linked_pair()
    bench.see("chargebee", "kari", 2, None, deleted=True)
    bench.tell("forget", entity="customer", key="kari")
    assert bench.told["reason"] == "poweroffice still has customer 5; delete it there first"


def test_forgetting_erases_every_key_and_again_each_day() -> None:
    """A late webhook is erased too; a new customer under the old id is a new one."""
    bench = Bench()
    bench.linked_pair()
    bench.see("chargebee", "kari", 2, KARI, deleted=True)
    bench.see("poweroffice", "5", 2, None, deleted=True)
    bench.tell(
        "forget",
        entity="customer",
        key="kari",
        journal=["t/customer/kari/1"],
        letters=["t/customer/kari/7"],
    )
    expected = {
        Tombstone("customers", "t/chargebee/kari"),
        Tombstone("customers", "t/poweroffice/5"),
        Tombstone("readings", "t/chargebee/customer/kari"),
        Tombstone("readings", "t/poweroffice/customer/5"),
        Tombstone("commands.chargebee", "t/customer/kari"),
        Tombstone("commands.poweroffice", "t/customer/kari"),
        Tombstone("outcomes", "t/customer/kari"),
        Tombstone("journal", "t/customer/kari/1"),
        Tombstone("dead-letters", "t/customer/kari/7"),
    }
    assert set(bench.erased) == expected
    assert bench.store.links == {}
    bench.erased.clear()
    assert bench.see("chargebee", "kari", 2, KARI, deleted=True) == []
    assert bench.erased == [Tombstone("customers", "t/chargebee/kari")]
    assert bench.store.links == {}
    bench.erased.clear()
    bench.tell("tick")
    assert bench.erased == []
    for day in range(24, 31):
        bench.now = f"2026-11-{day}T12:00:00.000000Z"
        bench.tell("tick")
    assert len(bench.erased) == 7 * len(expected)
    bench.now = "2026-12-29T12:00:00.000000Z"
    bench.tell("tick")
    bench.erased.clear()
    bench.now = "2026-12-30T12:00:00.000000Z"
    bench.tell("tick")
    assert bench.erased == []
    (create,) = bench.see("chargebee", "kari", 9, {**KARI, "email": "ny@eksempel.no"})
    assert (create.op, create.seq > 1) == ("create", True)


def test_every_signal_of_an_operator_is_acknowledged_in_the_journal() -> None:
    """Who asked for what, and what became of it."""
    bench = Bench()
    bench.tell("pause", entity="order")
    bench.tell("pause", entity="invoice")
    told = [each for each in bench.journal if each.entity is None]
    assert [(each.rule, each.link, each.text.partition(" asked")[2]) for each in told] == [
        ("pause", "s1", " for pause: done"),
        (
            "pause",
            "s2",
            " for pause: refused: there is no entity 'invoice'; there are: customer, "
            "product, order",
        ),
    ]


def test_a_rebuild_clears_once() -> None:
    """The signal to go on comes again when its transaction was decided twice; what was met
    meanwhile stays."""
    bench = Bench()
    bench.linked_pair()
    bench.tell("rebuild")
    assert bench.store.links == {}
    bench.see("chargebee", "kari", 1, KARI)
    bench.say(Signal(tenant="t", id="again", kind="advance", at=NOW, args={"clear": bench.run_id}))
    assert list(bench.store.links) == ["customer/kari"]


def answered(bench: Bench, commands: list[Command]) -> None:
    """Answer readings and writes with what is known, until none is left."""
    while commands:
        command = commands.pop(0)
        side = side_of(bench.link(command.link), command.target)
        assert side is not None
        version = int(side.version) + (command.op != "verify")
        commands += bench.answer(command, side.id, version, side.seen)


def number(n: int) -> dict[str, Any]:
    """One customer of many."""
    return {**KARI, "email": f"k{n}@eksempel.no"}


def test_a_run_ends_though_a_record_that_it_asks_for_is_parted_meanwhile() -> None:
    """Each half goes on waiting for its reading."""
    bench = Bench(window=1)
    bench.open()
    for n in range(2):
        (create,) = bench.see("chargebee", f"k{n}", 1, number(n))
        bench.answer(create, f"{n}", 1, number(n))
    commands = replay(bench, ("chargebee", "customer", "k0"), ("chargebee", "customer", "k1"))
    answered(bench, commands + bench.tell("unlink", entity="customer", key="k1"))
    assert run_of(bench)["state"] == "done"


def test_a_run_ends_though_a_record_that_it_asks_for_becomes_part_of_a_pair() -> None:
    """The pair waits for its reading."""
    bench = Bench(window=1)
    hansen = {**KARI, "last_name": "Hansen"}
    bench.see("poweroffice", "5", 1, hansen)
    bench.see("chargebee", "kari", 1, KARI)
    bench.open()
    (create,) = bench.see("chargebee", "aa", 1, number(1))
    bench.answer(create, "9", 1, number(1))
    commands = replay(bench, ("chargebee", "customer", "aa"), ("poweroffice", "customer", "5"))
    answered(bench, commands + bench.see("chargebee", "kari", 2, hansen))
    assert run_of(bench)["state"] == "done"


def test_a_paused_run_stays_paused_when_its_reading_completes() -> None:
    """The last word of it was on its way; resumed, the run is done."""
    bench = Bench()
    bench.linked_pair()
    bench.tell("reconcile", entity="customer")
    bench.tell("run_pause", run=bench.run_id)
    complete(bench)
    assert run_of(bench)["state"] == "paused"
    bench.tell("run_resume", run=bench.run_id)
    assert run_of(bench)["state"] == "done"


class Topic(Bench):
    """Signals of the linker to itself wait on the topic, as on Kafka."""

    def __init__(self) -> None:
        super().__init__(window=10_000)
        self.waiting: list[Signal] = []

    def say(self, message: Message) -> list[Command]:
        state, outputs = decide(self.store.child(), message, self.now)
        assert isinstance(state, Overlay)
        self.store.absorb(state)
        self.waiting += [each for each in outputs if isinstance(each, Signal)]
        return [each for each in outputs if isinstance(each, Command)]

    def drain(self) -> None:
        while self.waiting:
            self.say(self.waiting.pop(0))


@pytest.mark.parametrize("twin", ["200", "77777"])
def test_pairs_that_are_imported_while_the_map_is_cleared_are_kept(twin: str) -> None:
    """The same as they were, or in the place of a wrong one: what is linked now is on its way
    out."""
    bench = Topic()
    bench.open()
    for n in range(450):
        (create,) = bench.see("chargebee", f"k{n}", 1, number(n))
        bench.answer(create, f"{n}", 1, number(n))
    bench.drain()
    bench.tell("rebuild")
    pair = {"entity": "customer", "chargebee": "k200", "poweroffice": twin}
    bench.tell("import", pairs=[pair])
    assert bench.told["refused"] == []
    bench.drain()
    assert len(bench.store.links) == 0
    assert bench.store.controls["joined/customer/chargebee/k200"] == {"id": twin}
