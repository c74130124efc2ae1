"""What the linker decides, example by example."""

from typing import Any

import msgspec
import pytest

from contracts.entities import SYSTEMS
from contracts.messages import Command, Link, Observed, Outcome, Problem, Signal
from tests.unit.bench import KARI, NEXT, NOW, WHEEL, Bench, order


def test_nothing_is_created_before_both_snapshots_completed() -> None:
    """A record that is only late must not be created twice."""
    bench = Bench()
    assert bench.see("chargebee", "kari", 1, KARI) == []
    assert bench.link("kari").state == "pending"
    (create,) = bench.open("customer")
    assert isinstance(create, Command)
    assert (create.op, create.target, create.stamp) == ("create", "poweroffice", "cb-kari")
    assert bench.link("kari").state == "creating"


def test_an_echo_plans_nothing_even_when_the_vendor_normalised() -> None:
    """The base is what the vendor returned, so its own normal form is no edit."""
    bench = Bench()
    bench.open()
    (create,) = bench.see("chargebee", "kari", 1, KARI)
    returned = {**KARI, "email": "KARI@EKSEMPEL.NO"}
    assert bench.answer(create, "5", 1, returned) == []
    assert bench.see("poweroffice", "5", 2, returned, stamp="cb-kari") == []
    assert bench.link("kari").state == "linked"


def test_one_edit_is_one_command_with_what_the_target_held() -> None:
    """Only the changed field is written, guarded by its expected value."""
    bench = Bench()
    bench.linked_pair()
    (update,) = bench.see("poweroffice", "5", 2, {**KARI, "phone": "+47 2"}, stamp="cb-kari")
    assert (update.op, update.target, update.fields, update.expected) == (
        "update",
        "chargebee",
        {"phone": "+47 2"},
        {"phone": "+47 1"},
    )
    assert bench.answer(update, "kari", 2, {**KARI, "phone": "+47 2"}) == []
    assert bench.see("chargebee", "kari", 3, {**KARI, "phone": "+47 2"}) == []


def test_edits_of_different_fields_in_the_same_second_both_survive() -> None:
    """A three-way merge per field, not per record."""
    bench = Bench()
    bench.linked_pair()
    ours, theirs = {**KARI, "phone": "+47 2"}, {**KARI, "email": "ny@eksempel.no"}
    (first,) = bench.see("chargebee", "kari", 2, ours)
    assert bench.see("poweroffice", "5", 2, theirs, stamp="cb-kari") == []
    both = {**ours, "email": "ny@eksempel.no"}
    (second,) = bench.answer(first, "5", 3, both)
    assert (second.target, second.fields) == ("chargebee", {"email": "ny@eksempel.no"})


def test_a_conflict_keeps_the_owner_and_journals_the_loser() -> None:
    """Both sides changed the same field to different values."""
    bench = Bench()
    bench.linked_pair()
    (first,) = bench.see("chargebee", "kari", 2, {**KARI, "phone": "+47 2"})
    stale = {**KARI, "phone": "+47 3"}
    (again,) = bench.answer(first, "5", 2, stale, "stale")
    assert (again.target, again.fields, again.expected) == (
        "poweroffice",
        {"phone": "+47 2"},
        {"phone": "+47 3"},
    )
    (conflict,) = [entry for entry in bench.journal if entry.rule == "conflict"]
    assert (conflict.system, conflict.field, conflict.losing) == ("poweroffice", "phone", "+47 3")


def test_old_and_repeated_events_plan_nothing() -> None:
    """Webhooks come late, twice and shuffled."""
    bench = Bench()
    bench.linked_pair()
    assert bench.see("chargebee", "kari", 1, KARI) == []
    assert bench.see("chargebee", "kari", 0, {**KARI, "phone": "old"}) == []


def test_an_outcome_of_another_seq_is_ignored() -> None:
    """Only the command in flight can be answered."""
    bench = Bench()
    bench.linked_pair()
    (update,) = bench.see("chargebee", "kari", 2, {**KARI, "phone": "+47 2"})
    late = Outcome(
        tenant="t",
        entity="customer",
        link="kari",
        seq=update.seq - 1,
        target="poweroffice",
        result="rejected",
        at=NOW,
        error=Problem(code="x", message="x"),
    )
    assert bench.say(late) == []
    assert bench.link("kari").flight is not None


def test_records_with_equal_email_and_name_are_matched_and_stamped() -> None:
    """Rule 3; the Chargebee key stays, and the reference is written into Go."""
    bench = Bench()
    bench.see("poweroffice", "5", 1, KARI)
    bench.see("chargebee", "kari", 1, {**KARI, "phone": "+47 9"})
    (stamp,) = bench.open("customer")
    assert isinstance(stamp, Command)
    assert (stamp.op, stamp.target, stamp.target_id, stamp.stamp) == (
        "stamp",
        "poweroffice",
        "5",
        "cb-kari",
    )
    link = bench.link("kari")
    assert link.differences == ["phone"]
    assert bench.store.child().get("customer", "go-5") is None


def test_a_shared_mailbox_never_merges_two_parties() -> None:
    """Equal e-mail but other names: ambiguous, nothing is created."""
    bench = Bench()
    bench.see("poweroffice", "5", 1, {**KARI, "last_name": "Hansen"})
    bench.see("chargebee", "kari", 1, KARI)
    assert bench.open("customer") == []
    assert {bench.link("kari").state, bench.link("go-5").state} == {"ambiguous"}


def test_a_fill_never_changes_tax_in_chargebee() -> None:
    """At a first link a blank billing address in Chargebee stays blank."""
    bench = Bench()
    bench.see("poweroffice", "5", 1, {**KARI, "phone": "+47 5"}, stamp="cb-kari")
    bench.see("chargebee", "kari", 1, {**KARI, "address": None, "phone": None})
    bench.open("customer")
    (fill,) = [each for each in bench.commands if each.op == "update"]
    assert (fill.target, fill.fields) == ("chargebee", {"phone": "+47 5"})


def test_an_order_waits_for_what_it_names() -> None:
    """And is created with the other system's ids the moment they are linked."""
    bench = Bench()
    bench.open()
    order = {
        "customer_id": "kari",
        "currency": "NOK",
        "order_date": "2026-10-01",
        "status": "draft",
        "net": "10",
        "tax": "0",
        "total": "10",
        "lines": [{"id": "1", "product_id": "hjul", "net": "10"}],
    }
    assert bench.see("chargebee", "900", 1, order, "order") == []
    assert "customer kari is not known yet" in (bench.link("900", "order").reason or "")
    (customer,) = bench.see("chargebee", "kari", 1, KARI)
    wheel = {"code": "hjul", "name": "Hjul", "price": None, "kind": "charge", "archived": False}
    (product,) = bench.see("chargebee", "hjul", 1, wheel, "product")
    assert bench.answer(customer, "5", 1, KARI) == []
    (create,) = bench.answer(product, "77", 1, wheel)
    assert create.fields["customer_id"] == "5"
    assert create.fields["lines"][0]["product_id"] == "77"
    assert bench.answer(create, "uuid", 1, {**order, "customer_id": "5", "tax": "2.5"}) == []
    assert [each.kind for each in bench.link("900", "order").findings] == ["money_differs"]


def test_an_order_generated_for_our_import_joins_its_link() -> None:
    """Chargebee made it from the imported invoice: it is adopted, never sent back."""
    bench = Bench()
    bench.linked_pair()
    sent = {
        "customer_id": "5",
        "order_date": "2026-10-01",
        "status": "sent",
        "lines": [],
        "net": "1",
        "total": "1",
    }
    (create,) = bench.see("poweroffice", "u-1", 1, sent, "order")
    assert (create.target, create.stamp, create.fields["customer_id"]) == (
        "chargebee",
        "go-u-1",
        "kari",
    )
    generated = {**sent, "customer_id": "kari", "status": "draft"}
    assert bench.see("chargebee", "901", 1, generated, "order", stamp="go-u-1") == []
    assert bench.answer(create, "901", 1, generated) == []
    assert bench.link("go-u-1", "order").state == "sent"


def test_orders_before_the_start_date_leave_no_trace() -> None:
    """Older orders are neither created, linked nor reported."""
    bench = Bench()
    bench.open()
    assert bench.see("chargebee", "1", 1, {"order_date": "2025-12-31", "lines": []}, "order") == []
    assert bench.store.child().get("order", "1") is None


def test_observe_keeps_the_plan_and_sync_carries_it_out() -> None:
    """The switch sends exactly what was shown."""
    bench = Bench(mode="observe")
    bench.open()
    assert bench.see("chargebee", "kari", 1, KARI) == []
    held = bench.link("kari")
    assert held.state == "held"
    assert held.plan is not None
    (sent,) = bench.say(Signal(tenant="t", id="s1", kind="mode", at=NOW, args={"mode": "sync"}))
    assert (sent.op, sent.fields) == (held.plan.op, held.plan.fields)


def test_bulk_commands_keep_to_the_window_and_edits_pass_them() -> None:
    """The next outcome releases the next; a live edit never waits behind a backfill."""
    bench = Bench(window=2)
    for number in range(5):
        bench.see(
            "chargebee", f"k{number}", 1, {**KARI, "email": f"k{number}@eksempel.no"}, snapshot="s"
        )
    first, second = bench.open("customer")
    assert isinstance(first, Command)
    (live,) = bench.see("chargebee", "new", 1, {**KARI, "email": "new@eksempel.no"})
    assert live.lane == "live"
    (third,) = bench.answer(first, "100", 1, {**KARI, "email": "k0@eksempel.no"})
    assert third.link == "k2"
    assert isinstance(second, Command)


def test_what_cannot_be_mapped_is_rejected_and_tried_again_when_it_changes() -> None:
    """Visible with the field named; no event disappears."""
    bench = Bench()
    bench.open()
    problem = Problem(code="missing", field="last_name", message="enter a last name")
    assert bench.see("chargebee", "kari", 1, None, problem=problem) == []
    link = bench.link("kari")
    assert (link.state, link.problem) == ("rejected", problem)
    (create,) = bench.see("chargebee", "kari", 2, KARI)
    assert create.op == "create"


def test_a_refused_command_is_tried_again_when_a_record_changes_not_when_it_is_read() -> None:
    """Go's source reads a record anew after every attempt to write: each try would bring the
    next."""
    bench = Bench()
    bench.linked_pair()
    again = Observed(
        tenant="t",
        system="poweroffice",
        entity="customer",
        id="5",
        version="0000000000001#2",
        mapping=1,
        observed_at=NOW,
        data=KARI,
        stamp="cb-kari",
    )
    refused = {"result": "rejected", "error": Problem(code="refused", message="no")}
    (update,) = bench.see("chargebee", "kari", 2, {**KARI, "phone": "+47 2"})
    assert bench.say(again) == []
    assert bench.answer(update, "", 0, None, **refused) == []
    assert bench.say(msgspec.structs.replace(again, version="0000000000001#3")) == []
    assert bench.link("kari").state == "rejected"
    (second,) = bench.say(msgspec.structs.replace(again, version="0000000000002#4"))
    bench.say(
        msgspec.structs.replace(again, version="0000000000002#5", data={**KARI, "phone": "+47 5"})
    )
    (third,) = bench.answer(second, "", 0, None, **refused)
    assert third.expected == {"phone": "+47 5"}
    assert bench.answer(third, "", 0, None, **refused) == []
    (fourth,) = bench.see("chargebee", "kari", 3, {**KARI, "phone": "+47 3"})
    assert fourth.fields == {"phone": "+47 3"}


def test_parked_commands_go_on_when_the_vendor_answers_again() -> None:
    """And look first, when the parked one may have got through."""
    bench = Bench()
    bench.open()
    (create,) = bench.see("chargebee", "kari", 1, KARI)
    assert bench.end(create, "parked", maybe_applied=True) == []
    assert bench.link("kari").state == "parked"
    later = "2026-11-23T12:30:00.000000Z"
    (again,) = bench.say(
        Signal(
            tenant="t", id="r", kind="vendor_reachable", at=later, args={"system": "poweroffice"}
        )
    )
    assert again.look_first
    assert again.seq == create.seq + 1


def test_a_park_that_arrives_after_the_vendor_came_back_is_not_stranded() -> None:
    """Signals and outcomes travel on different topics, in any order."""
    bench = Bench()
    bench.open()
    (create,) = bench.see("chargebee", "kari", 1, KARI)
    later = "2026-11-23T12:30:00.000000Z"
    bench.say(
        Signal(
            tenant="t", id="r", kind="vendor_reachable", at=later, args={"system": "poweroffice"}
        )
    )
    (again,) = bench.end(create, "parked")
    assert again.seq == create.seq + 1


def test_what_an_adapter_parks_for_our_own_switch_is_held_by_the_linker() -> None:
    """The pause came while the command was under way; the resume sends it again."""
    bench = Bench()
    bench.open()
    (create,) = bench.see("chargebee", "kari", 1, KARI)
    assert bench.tell("pause", entity="customer", target="poweroffice") == []
    assert bench.end(create, "parked", error=Problem(code="paused", message="paused")) == []
    assert (bench.link("kari").state, bench.link("kari").batch) == ("held", "paused")
    (again,) = bench.tell("resume")
    assert (again.op, again.seq) == ("create", 2)


def test_our_own_unanswered_write_is_no_edit_of_the_target() -> None:
    """The write got through, the answer was lost, the vendor went away, and the person took the
    edit back."""
    bench = Bench()
    bench.linked_pair()
    (update,) = bench.see("chargebee", "kari", 2, {**KARI, "phone": "+47 2"})
    bench.answer(update, "", 0, None, result="parked", maybe_applied=True)
    (again,) = bench.see("chargebee", "kari", 3, KARI)
    assert (again.target, again.fields, again.look_first) == (
        "poweroffice",
        {"phone": "+47 1"},
        True,
    )
    bench.see("poweroffice", "5", 2, {**KARI, "phone": "+47 2"}, stamp="cb-kari")
    (last,) = bench.answer(again, "5", 2, {**KARI, "phone": "+47 2"}, result="stale")
    assert (last.target, last.fields, last.expected) == (
        "poweroffice",
        {"phone": "+47 1"},
        {"phone": "+47 2"},
    )
    bench.answer(last, "5", 3, KARI)
    assert bench.side("poweroffice", "kari").doubt == []
    assert [each.target for each in bench.commands if each.op == "update"] == ["poweroffice"] * 3


def test_half_an_update_that_was_refused_does_not_come_back_as_an_edit() -> None:
    """Chargebee took the name, cut to what it holds, and refused the address; the name in Go stays
    whole."""
    bench = Bench()
    bench.linked_pair()
    edited = {**KARI, "first_name": "Karianne", "address": {**KARI["address"], "zip": "x" * 30}}
    (update,) = bench.see("poweroffice", "5", 2, edited)
    refused = Problem(code="param_wrong_value", message="zip is too long", field="address")
    bench.answer(update, "", 0, None, result="rejected", error=refused)
    (again,) = bench.see("chargebee", "kari", 2, {**KARI, "first_name": "Karian"})
    assert (again.target, again.fields["first_name"]) == ("chargebee", "Karianne")
    assert again.expected["first_name"] == "Karian"
    (entry,) = [
        each for each in bench.journal if each.rule == "conflict" and each.field == "first_name"
    ]
    assert (entry.value, entry.losing) == ("Karianne", "Karian")


def test_a_covered_edit_is_journalled() -> None:
    """A person's edit between the sink's read and its write comes late and is not lost silently."""
    bench = Bench()
    bench.linked_pair()
    (update,) = bench.see("poweroffice", "5", 2, {**KARI, "phone": "+47 2"}, stamp="cb-kari")
    bench.answer(update, "kari", 9, {**KARI, "phone": "+47 2"})
    bench.see("chargebee", "kari", 5, {**KARI, "phone": "+47 7"})
    (entry,) = [each for each in bench.journal if each.rule == "overwritten"]
    assert (entry.system, entry.field, entry.losing) == ("chargebee", "phone", "+47 7")


def test_a_new_mapping_of_the_same_version_is_no_edit() -> None:
    """A release that maps a field differently moves what is seen and the agreed bases with it."""
    bench = Bench()
    bench.linked_pair()
    event = Observed(
        tenant="t",
        system="chargebee",
        entity="customer",
        id="kari",
        version=f"{1:013d}",
        mapping=NEXT,
        observed_at=NOW,
        data={**KARI, "phone": "4712345678"},
    )
    assert bench.say(event) == []
    assert bench.link("kari").state == "linked"


def test_deleted_records_are_never_created_elsewhere() -> None:
    """Archived, deleted and cancelled records cause no creation."""
    bench = Bench()
    bench.open()
    assert bench.see("chargebee", "a", 1, {**KARI, "archived": True}) == []
    assert bench.see("chargebee", "b", 1, KARI, deleted=True) == []
    assert {bench.link("a").state, bench.link("b").state} == {"ignored"}


def test_an_unknown_signal_is_an_error_that_names_it() -> None:
    """It goes to the dead letters with these words."""
    with pytest.raises(ValueError, match="frobnicate"):
        Bench().say(Signal(tenant="t", id="x", kind="frobnicate", at=NOW))


def test_the_first_backfill_is_held_until_a_person_releases_it() -> None:
    """Its plans can be read before anything is created; a live record does not wait for it."""
    bench = Bench(hold_first_backfill=True)
    bench.see("chargebee", "kari", 1, KARI, snapshot="s")
    assert bench.open("customer") == []
    link = bench.link("kari")
    assert link.state == "held"
    assert link.plan is not None
    assert "first backfill" in (link.reason or "")
    (live,) = bench.see("chargebee", "new", 1, {**KARI, "email": "new@eksempel.no"})
    assert live.op == "create"
    release = Signal(tenant="t", id="r1", kind="release", at=NOW, args={"entity": "customer"})
    (create,) = bench.say(release)
    assert create.fields == link.plan.fields
    assert bench.say(release) == []


def test_a_difference_is_listed_only_while_it_lasts() -> None:
    """An edit that settles it takes it off the list."""
    bench = Bench()
    bench.see("poweroffice", "5", 1, KARI, stamp="cb-kari")
    bench.see("chargebee", "kari", 1, {**KARI, "phone": "+47 9"})
    assert bench.open("customer") == []
    assert bench.link("kari").differences == ["phone"]
    (update,) = bench.see("chargebee", "kari", 2, {**KARI, "phone": "+47 10"})
    bench.answer(update, "5", 2, {**KARI, "phone": "+47 10"})
    assert bench.link("kari").differences == []


def test_the_partner_of_an_ambiguous_record_is_planned_again() -> None:
    """When one of two leaves the shared mailbox, both are free."""
    bench = Bench()
    hansen = {**KARI, "last_name": "Hansen"}
    bench.see("poweroffice", "5", 1, hansen)
    bench.see("chargebee", "kari", 1, KARI)
    assert bench.open("customer") == []
    commands = bench.see("chargebee", "kari", 2, {**KARI, "email": "own@eksempel.no"})
    assert {(command.op, command.target) for command in commands} == {
        ("create", "poweroffice"),
        ("create", "chargebee"),
    }


def test_a_missing_decision_keeps_observe_whatever_a_signal_says() -> None:
    """A wrong guess costs money."""
    bench = Bench(undecided=True)
    bench.open()
    bench.say(Signal(tenant="t", id="s1", kind="mode", at=NOW, args={"mode": "sync"}))
    assert bench.see("chargebee", "kari", 1, KARI) == []
    assert bench.link("kari").state == "held"


def test_a_record_met_before_the_outcome_of_its_creation_joins_it() -> None:
    """Two links must never hold one record."""
    bench = Bench()
    bench.open()
    (create,) = bench.see("chargebee", "kari", 1, KARI)
    assert bench.see("poweroffice", "5", 1, KARI) == []
    assert bench.link("go-5").state == "waiting"
    assert bench.answer(create, "5", 1, KARI) == []
    assert bench.store.child().get("customer", "go-5") is None
    assert bench.link("kari").poweroffice is not None


def test_drafts_of_go_stay_in_go_until_they_are_sent() -> None:
    """Taking one over would invoice twice."""
    bench = Bench()
    bench.linked_pair()
    bench.linked_product()
    assert bench.see("poweroffice", "u-1", 1, order("5", "7"), "order") == []
    assert bench.link("go-u-1", "order").state == "ignored"
    (create,) = bench.see("poweroffice", "u-1", 2, order("5", "7", status="sent"), "order")
    assert create.op == "create"


def test_numbers_go_on_when_two_links_become_one() -> None:
    """A finished command of either is never taken for a new one."""
    bench = Bench()
    bench.open()
    (create,) = bench.see("poweroffice", "5", 1, KARI)
    bench.end(create, "rejected", error=Problem(code="x", message="x"))
    (stamp,) = bench.see("chargebee", "kari", 1, KARI)
    assert (stamp.link, stamp.seq) == ("kari", create.seq + 1)


def test_a_deletion_without_content_does_not_hide_what_our_write_returned() -> None:
    """The write came first; taking what was seen before it for an edit would carry an old value
    back."""
    bench = Bench()
    bench.linked_pair()
    (update,) = bench.see("chargebee", "kari", 2, {**KARI, "phone": "+47 2"})
    bench.see("poweroffice", "5", 9, None, deleted=True)
    assert bench.answer(update, "5", 2, {**KARI, "phone": "+47 2"}) == []
    link = bench.link("kari")
    assert link.state == "ignored"
    assert link.poweroffice is not None
    assert link.poweroffice.base == {}


def test_a_live_newcomer_is_matched_as_one_of_the_backfill_is() -> None:
    """A record met after the first snapshots has a twin as well."""
    bench = Bench(create_off=frozenset({("customer", "chargebee")}))
    bench.open()
    assert bench.see("poweroffice", "5", 1, KARI) == []
    (stamp,) = bench.see("chargebee", "kari", 1, KARI)
    assert (stamp.op, stamp.target_id) == ("stamp", "5")


def test_an_edit_made_while_its_field_is_being_written_follows() -> None:
    """The base is the value that was planned, not the one the source holds when the outcome
    comes."""
    bench = Bench()
    bench.linked_pair()
    (first,) = bench.see("chargebee", "kari", 2, {**KARI, "phone": "+47 2"})
    assert bench.see("chargebee", "kari", 3, {**KARI, "phone": "+47 3"}) == []
    (second,) = bench.answer(first, "5", 2, {**KARI, "phone": "+47 2"})
    assert (second.target, second.fields) == ("poweroffice", {"phone": "+47 3"})


def test_a_record_found_instead_of_created_keeps_its_own_values() -> None:
    """Nothing was written, so a difference is one of the first link and is told."""
    bench = Bench()
    bench.open()
    (create,) = bench.see("chargebee", "kari", 1, KARI)
    bench.answer(create, "5", 1, {**KARI, "phone": "+47 9"}, "adopted")
    assert bench.link("kari").differences == ["phone"]
    assert "difference" in bench.rules()


def test_what_a_stale_command_did_before_it_stopped_is_agreed() -> None:
    """The vendor's own form of a field that was written is no edit of the other side's, let alone a
    conflict."""
    bench = Bench()
    bench.linked_pair()
    ours = {**KARI, "phone": "+47 2", "email": "ny@eksempel.no"}
    (first,) = bench.see("chargebee", "kari", 2, ours)
    theirs = {**KARI, "phone": "+4722", "email": "annen@eksempel.no"}
    (second,) = bench.answer(first, "5", 2, theirs, "stale", done=["phone"])
    assert "phone" not in second.fields
    assert [entry.field for entry in bench.journal if entry.rule == "conflict"] == ["email"]


def test_a_refusal_of_a_record_that_changed_meanwhile_is_not_final() -> None:
    """The vendor refused another state than the one that is known now."""
    bench = Bench()
    bench.linked_pair()
    (first,) = bench.see("chargebee", "kari", 2, {**KARI, "phone": "+47 2"})
    assert (
        bench.see("poweroffice", "5", 2, {**KARI, "email": "ny@eksempel.no"}, stamp="cb-kari") == []
    )
    problem = Problem(code="invalid", message="no")
    (again,) = bench.end(first, "rejected", error=problem)
    assert (again.target, again.fields) == ("chargebee", {"email": "ny@eksempel.no"})
    assert bench.link("kari").state == "linked"


def both_orders(bench: Bench, lines: list[dict[str, Any]]) -> Link:
    """An order that both systems had before they were linked: Go's draft carries our reference."""
    bench.open()
    bench.see("poweroffice", "u-1", 1, {**order("5", "7"), "lines": lines}, "order", stamp="cb-900")
    bench.see("chargebee", "900", 1, order("kari", "hjul"), "order")
    return bench.link("900", "order")


def test_an_order_of_both_systems_is_compared_in_the_ids_of_each() -> None:
    """As after a lost map: the customer and the products are the same though their ids are not."""
    bench = Bench()
    bench.linked_pair()
    bench.linked_product()
    link = both_orders(
        bench,
        [{"id": "77", "product_id": "7", "net": "10.00", "quantity": "1.0", "description": "x"}],
    )
    assert (link.state, link.differences) == ("linked", [])
    assert [bench.side(each, "900", "order").unset for each in SYSTEMS] == [[], []]


def test_other_lines_of_an_order_are_listed_at_its_first_link() -> None:
    """Another quantity, and one line more."""
    for lines in (
        [{"id": "1", "product_id": "7", "net": "20", "quantity": "2"}],
        [
            {"id": "1", "product_id": "7", "net": "10", "quantity": "1"},
            {"id": "2", "product_id": "7", "net": "10"},
        ],
    ):
        bench = Bench()
        bench.linked_pair()
        bench.linked_product()
        assert both_orders(bench, lines).differences == ["lines"]


def test_what_an_order_names_is_not_compared_before_it_has_a_twin() -> None:
    """Nothing is listed by mistake; the order is compared once all it names is linked."""
    bench = Bench()
    bench.linked_pair()
    link = both_orders(bench, [{"id": "77", "product_id": "7", "net": "10", "quantity": "1"}])
    assert (link.differences, bench.side("chargebee", "900", "order").unset) == ([], ["lines"])
    (create,) = bench.see("chargebee", "hjul", 1, WHEEL, "product")
    bench.answer(create, "7", 1, WHEEL)
    bench.see("chargebee", "900", 2, {**order("kari", "hjul"), "number": "O-900"}, "order")
    assert (
        bench.link("900", "order").differences,
        bench.side("chargebee", "900", "order").unset,
    ) == ([], [])


def test_a_word_from_a_clock_that_was_set_back_wakes_a_parked_command_once() -> None:
    """Otherwise linker and sink would plan and park until that time has come."""
    bench = Bench()
    bench.open()
    later = "2030-01-01T00:00:00.000000Z"
    signal = Signal(
        tenant="t", id="r", kind="vendor_reachable", at=later, args={"system": "poweroffice"}
    )
    bench.say(signal)
    (create,) = bench.see("chargebee", "kari", 1, KARI)
    (again,) = bench.end(create, "parked")
    assert bench.end(again, "parked") == []
    assert bench.link("kari").state == "parked"
