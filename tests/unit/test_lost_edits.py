"""What the journal says of edits that our writes covered, and writes of our own that come late."""

from typing import Any

from contracts.messages import JournalEntry, Problem
from tests.unit.bench import KARI, WHEEL, Bench

NEW = {**KARI, "phone": "+47 2", "address": {**KARI["address"], "line1": "Nygata 7"}}


def phone(value: str) -> dict[str, Any]:
    """Kari with this phone."""
    return {**KARI, "phone": value}


def told(bench: Bench, rule: str) -> list[JournalEntry]:
    """The entries of a rule."""
    return [entry for entry in bench.journal if entry.rule == rule]


def test_the_first_of_our_two_requests_is_no_edit_of_anybody() -> None:
    """Chargebee takes two for phone and address: its webhook of the first comes after the outcome,
    or before it."""
    for early in (False, True):
        bench = Bench()
        bench.linked_pair()
        (update,) = bench.see("poweroffice", "5", 2, NEW, stamp="cb-kari")
        if early:
            bench.see("chargebee", "kari", 8, phone("+47 2"))
        bench.answer(update, "kari", 9, NEW)
        if not early:
            bench.see("chargebee", "kari", 8, phone("+47 2"))
        assert told(bench, "overwritten") == []


def test_what_wrote_nothing_has_overwritten_nothing() -> None:
    """A stale command; and one whose values were there already."""
    bench = Bench()
    bench.linked_pair()
    (update,) = bench.see("poweroffice", "5", 2, phone("+47 2"), stamp="cb-kari")
    bench.answer(update, "kari", 6, {**phone("+47 7"), "email": "ny@eksempel.no"}, "stale")
    bench.see("chargebee", "kari", 5, phone("+47 7"))
    assert told(bench, "overwritten") == []
    bench = Bench()
    bench.linked_pair()
    (update,) = bench.see("poweroffice", "5", 2, phone("+47 2"), stamp="cb-kari")
    bench.answer(update, "kari", 6, phone("+47 2"), wrote=False)
    bench.see("chargebee", "kari", 5, phone("+47 7"))
    assert told(bench, "overwritten") == []


def test_an_edit_between_our_read_and_our_write_is_told_with_both_values() -> None:
    """Chargebee has no precondition."""
    bench = Bench()
    bench.linked_pair()
    (update,) = bench.see("poweroffice", "5", 2, phone("+47 2"), stamp="cb-kari")
    bench.answer(update, "kari", 9, phone("+47 2"))
    bench.see("chargebee", "kari", 8, phone("+47 8"))
    (entry,) = told(bench, "overwritten")
    assert (entry.system, entry.field, entry.value, entry.losing) == (
        "chargebee",
        "phone",
        "+47 2",
        "+47 8",
    )


def test_a_value_that_still_stands_was_not_lost() -> None:
    """Somebody entered it once more after our write."""
    bench = Bench()
    bench.linked_pair()
    (update,) = bench.see("poweroffice", "5", 2, phone("+47 2"), stamp="cb-kari")
    bench.answer(update, "kari", 9, phone("+47 2"))
    bench.see("chargebee", "kari", 10, phone("+47 8"))
    bench.see("chargebee", "kari", 8, phone("+47 8"))
    assert told(bench, "overwritten") == []


def two_writes() -> Bench:
    """Go's phone was edited to +47 2 and then to +47 3, both carried to Chargebee at versions 7 and
    8."""
    bench = Bench()
    bench.linked_pair()
    for number, value in ((2, "+47 2"), (3, "+47 3")):
        (update,) = bench.see("poweroffice", "5", number, phone(value), stamp="cb-kari")
        bench.answer(update, "kari", number + 5, phone(value))
    return bench


def test_a_late_write_by_our_own_key_is_written_over() -> None:
    """Its process was killed with the request under way; what was agreed since then stands
    again."""
    bench = two_writes()
    (restore,) = bench.see("chargebee", "kari", 9, phone("+47 2"), made_by="tandem")
    assert (restore.target, restore.fields, restore.expected) == (
        "chargebee",
        {"phone": "+47 3"},
        {"phone": "+47 2"},
    )
    (entry,) = told(bench, "late_write")
    assert (entry.system, entry.field, entry.value, entry.losing) == (
        "chargebee",
        "phone",
        "+47 3",
        "+47 2",
    )
    assert bench.answer(restore, "kari", 10, phone("+47 3")) == []
    assert (bench.link("kari").state, told(bench, "conflict")) == ("linked", [])


def test_a_late_write_over_a_persons_edit_gives_that_edit_back() -> None:
    """It was carried to Go before, or comes to light by its own event."""
    bench = two_writes()
    (carried,) = bench.see("chargebee", "kari", 9, phone("+47 9"), made_by="others")
    bench.answer(carried, "5", 4, phone("+47 9"))
    (restore,) = bench.see("chargebee", "kari", 10, phone("+47 3"), made_by="tandem")
    assert (restore.target, restore.fields) == ("chargebee", {"phone": "+47 9"})
    bench = two_writes()
    bench.see("chargebee", "kari", 10, phone("+47 2"), made_by="tandem")
    bench.see("chargebee", "kari", 9, phone("+47 9"), made_by="others")
    (entry,) = told(bench, "overwritten")
    assert entry.losing == "+47 9"


def test_a_person_who_enters_an_old_value_again_has_a_name() -> None:
    """So it is an edit like any other."""
    bench = two_writes()
    (update,) = bench.see("chargebee", "kari", 9, phone("+47 2"), made_by="others")
    assert (update.target, update.fields) == ("poweroffice", {"phone": "+47 2"})


def test_without_a_name_it_is_a_conflict_for_ten_minutes() -> None:
    """Never a silent update; later it is rather a person's."""
    bench = two_writes()
    assert bench.see("chargebee", "kari", 9, phone("+47 2")) == []
    link = bench.link("kari")
    assert (link.state, link.differences) == ("conflict", ["phone"])
    assert "phone" in (link.reason or "")
    later = two_writes()
    later.now = "2026-11-23T12:10:01.000000Z"
    (update,) = later.see("chargebee", "kari", 9, phone("+47 2"))
    assert (update.target, update.fields) == ("poweroffice", {"phone": "+47 2"})


def test_a_person_settles_what_may_be_late() -> None:
    """Keep either side, leave both as they are, or take it as the edit it looks like."""
    expected = {"poweroffice": ("chargebee", "+47 3"), "chargebee": ("poweroffice", "+47 2")}
    for keep, (target, value) in expected.items():
        bench = two_writes()
        bench.see("chargebee", "kari", 9, phone("+47 2"))
        (update,) = bench.tell("settle", entity="customer", key="kari", field="phone", keep=keep)
        assert (update.target, update.fields) == (target, {"phone": value})
    bench = two_writes()
    bench.see("chargebee", "kari", 9, phone("+47 2"))
    assert bench.tell("settle", entity="customer", key="kari", field="phone") == []
    assert bench.link("kari").state == "linked"
    bench = two_writes()
    bench.see("chargebee", "kari", 9, phone("+47 2"))
    (update,) = bench.tell("redrive", entity="customer", key="kari")
    assert (update.target, update.fields) == ("poweroffice", {"phone": "+47 2"})


def test_a_new_edit_ends_the_suspicion() -> None:
    """Whatever it was, somebody has entered something else since."""
    bench = two_writes()
    bench.see("chargebee", "kari", 9, phone("+47 2"))
    (update,) = bench.see("chargebee", "kari", 10, phone("+47 10"))
    assert (update.target, update.fields) == ("poweroffice", {"phone": "+47 10"})


def test_a_command_that_gave_up_may_still_arrive() -> None:
    """It was answered as stale, but a request of its first attempt was under way."""
    bench = Bench()
    bench.linked_pair()
    (update,) = bench.see("poweroffice", "5", 2, phone("+47 2"), stamp="cb-kari")
    (carried,) = bench.see("poweroffice", "5", 3, phone("+47 3"), stamp="cb-kari") or bench.answer(
        update, "kari", 6, {**KARI, "email": "ny@eksempel.no"}, "stale"
    )
    bench.answer(carried, carried.target_id or "", 7, {**phone("+47 3"), "email": "ny@eksempel.no"})
    late = bench.see(
        "chargebee", "kari", 20, {**phone("+47 2"), "email": "ny@eksempel.no"}, made_by="tandem"
    )
    assert [(each.target, each.fields) for each in late if "phone" in each.fields] in (
        [],
        [("chargebee", {"phone": "+47 3"})],
    )
    assert told(bench, "late_write") != []


def test_go_refuses_late_writes_itself() -> None:
    """Its `test` operations do, so an old value there is a person's."""
    bench = Bench()
    bench.linked_pair()
    for number, value in ((2, "+47 2"), (3, "+47 3")):
        (update,) = bench.see("chargebee", "kari", number, phone(value))
        bench.answer(update, "5", number, phone(value))
    (update,) = bench.see("poweroffice", "5", 9, phone("+47 2"), stamp="cb-kari")
    assert (update.target, update.fields) == ("chargebee", {"phone": "+47 2"})


def test_a_field_that_the_target_cannot_take_is_held_back_alone() -> None:
    """It is listed in words; the other fields of the record cross, now and later, and a new value
    is tried."""
    bench = Bench()
    bench.linked_pair()
    long = "+47 22 33 44 55 (direkte, men bare etter klokken tolv og ikke fredag)"
    words = "69 characters, Chargebee takes 50; shorten it in Go"
    (update,) = bench.see(
        "poweroffice", "5", 2, {**phone(long), "email": "ny@eksempel.no"}, stamp="cb-kari"
    )
    written = {**KARI, "email": "ny@eksempel.no"}
    assert bench.answer(update, "kari", 2, written, skipped={"phone": words}) == []
    link = bench.link("kari")
    assert (link.state, link.differences) == ("linked", ["phone"])
    (entry,) = told(bench, "held_back")
    assert words in entry.text
    assert (entry.value, entry.losing) == (long, "+47 1")
    (later,) = bench.see(
        "poweroffice", "5", 3, {**phone(long), "email": "b@eksempel.no"}, stamp="cb-kari"
    )
    assert later.fields == {"email": "b@eksempel.no"}
    bench.answer(later, "kari", 3, {**KARI, "email": "b@eksempel.no"})
    (short,) = bench.see(
        "poweroffice", "5", 4, {**phone("+47 4"), "email": "b@eksempel.no"}, stamp="cb-kari"
    )
    assert short.fields == {"phone": "+47 4"}


def test_a_field_held_back_at_a_creation_does_not_stop_it() -> None:
    """The record is there, less one field, which is listed."""
    bench = Bench()
    bench.open()
    (create,) = bench.see("poweroffice", "5", 1, phone("+47 " + "2" * 60))
    assert (
        bench.answer(create, "go-5", 1, {**KARI, "phone": None}, skipped={"phone": "too long"})
        == []
    )
    link = bench.link("go-5")
    assert (link.state, link.differences) == ("linked", ["phone"])


def test_a_late_write_that_our_own_sink_reads_is_no_edit_either() -> None:
    """It came before the guard looked; without a name it is suspect, until an event of that version
    names our key."""
    bench = two_writes()
    (update,) = bench.see("poweroffice", "5", 4, phone("+47 4"), stamp="cb-kari")
    assert bench.answer(update, "kari", 9, phone("+47 2"), "stale", wrote=False) == []
    assert bench.link("kari").state == "conflict"
    (restore,) = bench.see("chargebee", "kari", 9, phone("+47 2"), made_by="tandem")
    assert (restore.target, restore.fields, restore.expected) == (
        "chargebee",
        {"phone": "+47 4"},
        {"phone": "+47 2"},
    )
    assert bench.answer(restore, "kari", 10, phone("+47 4")) == []
    assert (bench.link("kari").state, bench.link("kari").differences) == ("linked", [])


def test_a_persons_old_value_that_our_own_sink_reads_is_an_edit_once_the_event_comes() -> None:
    """The event of that edit may be older than what is known by now; it has a name all the same."""
    bench = two_writes()
    (update,) = bench.see(
        "poweroffice", "5", 4, {**phone("+47 3"), "email": "ny@eksempel.no"}, stamp="cb-kari"
    )
    both = {**phone("+47 2"), "email": "ny@eksempel.no"}
    assert bench.answer(update, "kari", 10, both) == []
    assert bench.link("kari").state == "conflict"
    (carried,) = bench.see("chargebee", "kari", 9, phone("+47 2"), made_by="others")
    assert (carried.target, carried.fields) == ("poweroffice", {"phone": "+47 2"})
    assert [entry for entry in bench.journal if entry.rule == "overwritten"] == []


def test_our_own_value_is_no_edit_of_anybody_once_another_stands() -> None:
    """Its event comes after somebody has entered something else."""
    bench = Bench()
    bench.linked_pair()
    (update,) = bench.see("poweroffice", "5", 2, NEW, stamp="cb-kari")
    bench.answer(update, "kari", 9, NEW)
    bench.see("chargebee", "kari", 10, {**NEW, "phone": "+47 5"})
    bench.see("chargebee", "kari", 8, phone("+47 2"))
    assert told(bench, "overwritten") == []


def test_what_the_vendor_makes_of_a_request_that_never_returned_is_ours_too() -> None:
    """Its value is not known, but its field is, and our key's name."""
    bench = Bench()
    bench.linked_pair()
    (update,) = bench.see("poweroffice", "5", 2, phone("+47 22 22"), stamp="cb-kari")
    (again,) = bench.answer(update, "kari", 6, phone("+47 7"), "stale", wrote=False)
    bench.answer(again, again.target_id or "", 7, phone("+47 7"))
    (restore,) = bench.see("chargebee", "kari", 20, phone("+472222"), made_by="tandem")
    assert (restore.target, restore.fields) == ("chargebee", {"phone": "+47 7"})


def test_a_late_write_that_comes_while_another_is_under_way() -> None:
    """It is newer than what our write returned, so it is looked at once that has answered."""
    bench = two_writes()
    (update,) = bench.see("poweroffice", "5", 4, phone("+47 4"), stamp="cb-kari")
    assert bench.see("chargebee", "kari", 20, phone("+47 2"), made_by="tandem") == []
    (restore,) = bench.answer(update, "kari", 9, phone("+47 4"))
    assert (restore.target, restore.fields, restore.expected) == (
        "chargebee",
        {"phone": "+47 4"},
        {"phone": "+47 2"},
    )
    assert len(told(bench, "late_write")) == 1


def test_an_edit_that_comes_while_its_field_is_held_back_is_carried() -> None:
    """What was held back is the value that was sent, not the one that somebody has entered
    since."""
    bench = Bench()
    bench.linked_pair()
    (update,) = bench.see("poweroffice", "5", 2, phone("+47 " + "2" * 60), stamp="cb-kari")
    assert bench.see("poweroffice", "5", 3, phone("+47 3"), stamp="cb-kari") == []
    (short,) = bench.answer(update, "kari", 1, KARI, wrote=False, skipped={"phone": "too long"})
    assert (short.target, short.fields) == ("chargebee", {"phone": "+47 3"})


def test_a_conflict_whose_command_was_parked_is_told_once() -> None:
    """Its entry is named by the version that lost, so that a second plan tells the same entry
    again."""
    bench = Bench()
    bench.linked_pair()
    (first,) = bench.see("chargebee", "kari", 2, phone("+47 2"))
    (again,) = bench.answer(first, "5", 2, phone("+47 3"), "stale")
    parked = Problem(code="paused", message="customer to poweroffice is paused")
    (third,) = bench.end(again, "parked", error=parked)
    assert third.fields == {"phone": "+47 2"}
    assert len({entry.entry for entry in told(bench, "conflict")}) == 1


def test_what_both_sides_hold_is_neither_late_nor_suspect() -> None:
    """The echo of a write that was parked unanswered; and a suspect value that a person enters on
    the other side."""
    bench = Bench()
    bench.linked_pair()
    (update,) = bench.see("poweroffice", "5", 2, phone("+47 2"), stamp="cb-kari")
    bench.end(
        update, "parked", maybe_applied=True, error=Problem(code="timeout", message="no answer")
    )
    bench.see("chargebee", "kari", 2, phone("+47 2"), made_by="tandem")
    assert told(bench, "late_write") == []
    bench = two_writes()
    bench.see("chargebee", "kari", 9, phone("+47 2"))
    assert bench.see("poweroffice", "5", 9, phone("+47 2"), stamp="cb-kari") == []
    assert (bench.link("kari").state, bench.link("kari").differences) == ("linked", [])


def test_a_persons_edit_over_an_unanswered_write_is_an_edit_where_it_has_a_name() -> None:
    """The owner's rule decides, as between any two edits."""
    bench = Bench()
    bench.linked_pair()
    (update,) = bench.see("poweroffice", "5", 2, phone("+47 2"), stamp="cb-kari")
    bench.end(
        update, "parked", maybe_applied=True, error=Problem(code="timeout", message="no answer")
    )
    (carried,) = bench.see("chargebee", "kari", 3, phone("+47 7"), made_by="others")
    assert (carried.target, carried.fields) == ("poweroffice", {"phone": "+47 7"})
    (entry,) = told(bench, "conflict")
    assert (entry.system, entry.losing) == ("poweroffice", "+47 2")


def test_a_late_write_over_an_edit_that_is_just_being_carried() -> None:
    """The command's answer agrees on the edit; what the late request put in its place is still
    undone."""
    bench = two_writes()
    (carried,) = bench.see("chargebee", "kari", 9, phone("+47 9"), made_by="others")
    assert bench.see("chargebee", "kari", 10, phone("+47 2"), made_by="tandem") == []
    (restore,) = bench.answer(carried, "5", 4, phone("+47 9"))
    assert (restore.target, restore.fields) == ("chargebee", {"phone": "+47 9"})
    assert bench.answer(restore, "kari", 11, phone("+47 9")) == []
    assert bench.link("kari").state == "linked"


def test_an_incomplete_address_is_held_back_in_words_and_lost_only_with_an_entry() -> None:
    """It crosses once it is complete; the other side's edit wins over it, and the journal says
    so."""
    half = {**KARI, "address": {**KARI["address"], "line1": "Ny vei 9", "zip": None}}
    bench = Bench()
    bench.linked_pair()
    assert bench.see("chargebee", "kari", 2, half) == []
    assert bench.see("chargebee", "kari", 3, {**half, "vat_exempt": False}) == []
    link = bench.link("kari")
    assert (link.state, link.differences) == ("linked", ["address"])
    assert "lacks a city or zip code" in link.held_back["address"]
    assert len(told(bench, "held_back")) == 1
    theirs = {**KARI, "address": {**KARI["address"], "line1": "Gate 2"}}
    (update,) = bench.see("poweroffice", "5", 2, theirs, stamp="cb-kari")
    assert (update.target, update.fields) == ("chargebee", {"address": theirs["address"]})
    (entry,) = told(bench, "conflict")
    assert (entry.system, entry.losing) == ("chargebee", half["address"])
    bench.answer(update, "kari", 4, theirs)
    assert (bench.link("kari").differences, bench.link("kari").held_back) == ([], {})


def test_an_answer_that_shows_an_edit_of_another_field_is_believed() -> None:
    """The reading that would have shown it comes later, and tells nothing new then."""
    bench = Bench()
    bench.linked_product()
    (update,) = bench.see("poweroffice", "7", 2, {**WHEEL, "name": "Stort hjul"}, "product")
    dearer = {**WHEEL, "name": "Stort hjul", "price": {"amount": "99", "currency": "NOK"}}
    (follows,) = bench.end(update, "applied", id="hjul", version=f"{9:013d}", data=dearer)
    assert (follows.target, follows.fields) == ("poweroffice", {"price": dearer["price"]})
    for version in (8, 9):
        assert bench.see("chargebee", "hjul", version, dearer, "product", stamp="go-7") == []
    assert bench.side("chargebee", "hjul", "product").seen == dearer


def test_what_a_write_found_there_already_had_covered_an_edit_on_its_way() -> None:
    """Two commands were given up with a request under way; one came between a person's edit and the
    next command, which had nothing left to write."""
    bench = Bench()
    bench.linked_pair()
    (first,) = bench.see("poweroffice", "5", 2, phone("+47 2"), stamp="cb-kari")
    moved = {**KARI, "email": "ny@eksempel.no"}
    again = [
        each for each in bench.answer(first, "kari", 6, moved, "stale") if "phone" in each.fields
    ]
    assert [each.target for each in again] == ["chargebee"]
    bench.see("chargebee", "kari", 8, {**moved, "phone": "+47 8"})
    bench.answer(again[0], "kari", 10, {**moved, "phone": "+47 2"}, wrote=False)
    (entry,) = told(bench, "suspect")
    assert (entry.system, entry.field, entry.losing) == ("chargebee", "phone", "+47 8")


def test_a_second_late_request_is_no_edit_where_nobody_names_its_author() -> None:
    """The first one was seen to come; a person edited over it, and the second covered that."""
    bench = Bench()
    bench.linked_pair()
    (update,) = bench.see("poweroffice", "5", 2, phone("+47 2"), stamp="cb-kari")
    bench.see("poweroffice", "5", 3, phone("+47 3"), stamp="cb-kari")
    (carried,) = bench.answer(update, "kari", 6, KARI, "stale")
    bench.answer(carried, "kari", 7, phone("+47 3"))
    for again in bench.see("chargebee", "kari", 20, phone("+47 2"), made_by="tandem"):
        bench.answer(again, "kari", 21, phone("+47 3"))
    for edit in bench.see("chargebee", "kari", 22, phone("+47 8"), made_by="others"):
        bench.answer(edit, "5", 4, phone("+47 8"))
    bench.see("chargebee", "kari", 23, phone("+47 2"))
    assert bench.link("kari").state == "conflict"
    assert [entry.losing for entry in told(bench, "suspect")][-1:] == ["+47 8"]
