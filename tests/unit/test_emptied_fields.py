"""Somebody empties a field: an edit like any other, also where a write of ours got no answer."""

from typing import Any

from contracts.messages import Command, JournalEntry, Problem, Result
from tests.unit.bench import KARI, NOW, Bench

EMPTIED = {**KARI, "phone": None}
NEW = {**KARI, "phone": "+47 2"}
EDITED = {**KARI, "phone": "+47 7"}
LATER = "2026-12-31T00:00:00.000000Z"
UNREACHABLE = Problem(code="unreachable", message="not now")


def told(bench: Bench, *rules: str) -> list[tuple[str, object, object]]:
    """What the journal says of the phone by these rules: rule, value that stands, value that
    lost."""
    entries: list[JournalEntry] = [entry for entry in bench.journal if entry.rule in rules]
    return [(entry.rule, entry.value, entry.losing) for entry in entries if entry.field == "phone"]


def unanswered(bench: Bench, command: Command) -> None:
    """The vendor went away under a command, which may have got through."""
    bench.end(command, "parked", error=UNREACHABLE, maybe_applied=True)


def test_a_field_emptied_while_its_creation_was_unanswered_stays_empty() -> None:
    """The creation got through with the phone; its answer did not."""
    for again in ("adopted", "seen"):
        bench = Bench()
        bench.open()
        (create,) = bench.see("chargebee", "kari", 1, KARI)
        if again == "adopted":
            bench.see("chargebee", "kari", 2, EMPTIED)
            (carried,) = bench.answer(create, "5", 1, KARI, "adopted")
        else:
            unanswered(bench, create)
            (second,) = bench.see("chargebee", "kari", 2, EMPTIED)
            assert bench.see("poweroffice", "5", 1, KARI, stamp="cb-kari") == []
            unanswered(bench, second)
            (carried,) = bench.tell("vendor_reachable", system="poweroffice")
        assert (carried.target, carried.fields, carried.expected) == (
            "poweroffice",
            {"phone": None},
            {"phone": "+47 1"},
        )
        assert bench.answer(carried, "5", 2, EMPTIED) == []
        assert bench.link("kari").attempts == []


def test_a_field_edited_while_its_creation_was_unanswered_is_carried() -> None:
    """The older value that the creation carried is nobody's edit."""
    bench = Bench()
    bench.open()
    (create,) = bench.see("chargebee", "kari", 1, KARI)
    bench.see("chargebee", "kari", 2, NEW)
    (carried,) = bench.answer(create, "5", 1, KARI, "adopted")
    assert (carried.target, carried.fields) == ("poweroffice", {"phone": "+47 2"})
    assert bench.link("kari").differences == []


def test_a_field_that_was_emptied_in_the_record_we_made_is_not_filled_again() -> None:
    """Before the answer of its creation was seen: or the vendor could not take it, so it is listed,
    and nothing is written."""
    bench = Bench()
    bench.open()
    (create,) = bench.see("chargebee", "kari", 1, KARI)
    assert bench.answer(create, "5", 2, EMPTIED, "adopted") == []
    assert bench.link("kari").differences == ["phone"]
    assert told(bench, "difference") == [("difference", "+47 1", None)]


def test_a_gap_in_the_record_we_made_is_filled() -> None:
    """Its creation carried no phone; one was entered before the answer was seen."""
    bench = Bench()
    bench.open()
    (create,) = bench.see("chargebee", "kari", 1, EMPTIED)
    bench.see("chargebee", "kari", 2, KARI)
    (carried,) = bench.answer(create, "5", 1, EMPTIED, "adopted")
    assert (carried.target, carried.fields) == ("poweroffice", {"phone": "+47 1"})


def test_an_emptied_field_that_a_late_request_covers_is_told() -> None:
    """By our own key, and where nobody names the author."""
    for author, rule in (("tandem", "overwritten"), (None, "suspect")):
        bench = Bench()
        bench.linked_pair()
        for number, value in ((2, "+47 2"), (3, "+47 3")):
            (update,) = bench.see(
                "poweroffice", "5", number, {**KARI, "phone": value}, stamp="cb-kari"
            )
            bench.answer(update, "kari", number + 5, {**KARI, "phone": value})
        (carried,) = bench.see("chargebee", "kari", 9, EMPTIED, made_by="others")
        assert carried.fields == {"phone": None}
        bench.see("chargebee", "kari", 10, {**KARI, "phone": "+47 2"}, made_by=author)
        assert [losing for _, _, losing in told(bench, rule) if losing is None] == [None]


def test_what_a_request_covered_that_nobody_saw_answered_is_told() -> None:
    """Its own event came while its command was under way, that of the edit later; whether the
    command was parked, refused in part, or was stale when it was carried out again."""
    refused = Problem(code="refused", message="not like this")
    shown = {"id": "kari", "version": f"{7:013d}", "data": EDITED}
    answers: tuple[tuple[Result, dict[str, Any]], ...] = (
        ("parked", {"error": UNREACHABLE, "maybe_applied": True}),
        ("rejected", {"error": refused}),
        ("stale", shown),
    )
    for result, facts in answers:
        bench = Bench()
        bench.linked_pair()
        (update,) = bench.see("poweroffice", "5", 2, NEW, stamp="cb-kari")
        bench.see("chargebee", "kari", 9, NEW, made_by="tandem")
        bench.end(update, result, **facts)
        bench.see("chargebee", "kari", 7, EDITED, made_by="others")
        assert told(bench, "overwritten") == [("overwritten", "+47 2", "+47 7")], result


def test_what_an_attempt_covered_whose_reply_was_lost_is_told() -> None:
    """Only its repetition sees that it got through; the event of the edit comes later."""
    bench = Bench()
    bench.linked_pair()
    (update,) = bench.see("poweroffice", "5", 2, NEW, stamp="cb-kari")
    shown = {"id": "kari", "version": f"{9:013d}", "data": NEW}
    bench.end(update, "stale", done=("phone",), **shown)
    bench.see("chargebee", "kari", 7, EDITED, made_by="others")
    assert told(bench, "overwritten") == [("overwritten", "+47 2", "+47 7")]


def test_a_late_request_that_writes_what_stands_may_have_covered_an_edit() -> None:
    """Nothing seems to have moved; the event of the edit comes later."""
    bench = Bench()
    bench.linked_pair()
    (update,) = bench.see("poweroffice", "5", 2, NEW, stamp="cb-kari")
    bench.answer(update, "kari", 7, NEW)
    assert bench.see("chargebee", "kari", 9, NEW, made_by="tandem") == []
    bench.see("chargebee", "kari", 8, EMPTIED, made_by="others")
    assert told(bench, "overwritten") == [("overwritten", "+47 2", None)]


def test_a_late_request_that_brings_the_agreed_value_back_covers_an_edit() -> None:
    """Both sides hold what was agreed again, as though nobody had edited. The edit waits for its
    direction, or is under way."""
    for paused in (True, False):
        bench = Bench()
        bench.linked_pair()
        (update,) = bench.see("poweroffice", "5", 2, NEW, stamp="cb-kari")
        bench.answer(update, "kari", 7, NEW)
        if paused:
            bench.tell("pause", target="poweroffice")
        bench.see("chargebee", "kari", 8, EDITED, made_by="others")
        bench.see("chargebee", "kari", 9, NEW, made_by="tandem")
        assert told(bench, "overwritten") == [("overwritten", "+47 2", "+47 7")], paused


def test_a_write_that_may_have_been_taken_back_before_it_was_repeated_is_told() -> None:
    """The adapter says so: the record had moved, and held what was expected."""
    bench = Bench()
    bench.linked_pair()
    (update,) = bench.see("poweroffice", "5", 2, NEW, stamp="cb-kari")
    assert bench.answer(update, "kari", 9, NEW, again=True) == []
    assert told(bench, "overwritten") == [("overwritten", "+47 2", "+47 1")]


def test_of_a_part_that_was_taken_back_only_that_part_is_told() -> None:
    """Whether the rest of the command was written then, or found other values than expected."""
    both = {**NEW, "email": "ny@eksempel.no"}
    half = {**NEW, "email": KARI["email"]}
    for result, shown in (("applied", both), ("stale", half)):
        bench = Bench()
        bench.linked_pair()
        (update,) = bench.see("poweroffice", "5", 2, both, stamp="cb-kari")
        bench.answer(update, "kari", 9, shown, result, again=True, done=("phone", "address"))
        entries = [entry for entry in bench.journal if entry.rule == "overwritten"]
        assert [(each.field, each.losing) for each in entries] == [("email", KARI["email"])]


def test_a_write_that_was_taken_back_to_what_was_agreed_before_an_edit_is_told() -> None:
    """The command had met an edit already; whoever takes its second attempt back to what both sides
    held before has edited nothing, as the merge sees it."""
    bench = Bench(owner={"customer": "poweroffice"})
    bench.linked_pair()
    (update,) = bench.see("poweroffice", "5", 2, {**KARI, "phone": "+47 2"}, stamp="cb-kari")
    (again,) = bench.answer(update, "kari", 6, {**KARI, "phone": "+47 7"}, "stale")
    assert again.expected == {"phone": "+47 7"}
    bench.answer(again, "kari", 9, KARI, "stale", again=True)
    assert told(bench, "overwritten") == [("overwritten", "+47 2", "+47 1")]


def test_a_write_in_doubt_that_may_have_been_taken_back_is_told() -> None:
    """It was parked, and the record has moved since without showing it; where it has not moved,
    there is nothing to tell."""
    lost = [("conflict", "+47 2", "+47 1")]
    for version, tells in ((2, lost), (1, [])):
        bench = Bench()
        bench.linked_pair()
        (update,) = bench.see("chargebee", "kari", 2, NEW)
        unanswered(bench, update)
        bench.see("poweroffice", "5", version, KARI, stamp="cb-kari")
        bench.tell("vendor_reachable", system="poweroffice")
        again = bench.commands[-1]
        assert (again.fields, again.look_first) == ({"phone": "+47 2"}, True)
        assert told(bench, "conflict") == tells


def test_a_write_of_which_a_part_is_seen_explains_why_the_record_has_moved() -> None:
    """Before its refusal, or after it: nobody is told of an edit of the rest."""
    ours = {**NEW, "email": "ny@eksempel.no"}
    for early in (True, False):
        bench = Bench()
        bench.linked_pair()
        (update,) = bench.see("poweroffice", "5", 2, ours, stamp="cb-kari")
        part = {**KARI, "email": "ny@eksempel.no"}
        if early:
            bench.see("chargebee", "kari", 9, part, made_by="tandem")
        unanswered(bench, update)
        if not early:
            bench.see("chargebee", "kari", 9, part, made_by="tandem")
        bench.tell("vendor_reachable", system="chargebee")
        assert bench.commands[-1].fields["phone"] == "+47 2"
        assert told(bench, "conflict") == []


def test_a_patch_of_which_a_part_is_seen_was_whole_before() -> None:
    """Go writes all of a patch or nothing: what is missing of it was taken back. Chargebee takes
    two requests, of which the second may never have come."""
    ours = {**NEW, "email": "ny@eksempel.no"}
    part = {**KARI, "email": "ny@eksempel.no"}
    lost = [("overwritten", "+47 2", "+47 1")]
    for system, id, tells in (("poweroffice", "5", lost), ("chargebee", "kari", [])):
        bench = Bench()
        bench.linked_pair()
        (update,) = (
            bench.see("chargebee", "kari", 2, ours)
            if system == "poweroffice"
            else bench.see("poweroffice", "5", 2, ours, stamp="cb-kari")
        )
        (again,) = bench.answer(update, id, 9, part, "stale", done=("email",))
        assert again.fields == {"phone": "+47 2"}
        assert told(bench, "overwritten") == tells


def test_a_write_taken_back_between_two_attempts_is_told_by_what_was_read_meanwhile() -> None:
    """The first is shown, then the value before it, and the last attempt covers that."""
    bench = Bench()
    bench.linked_pair()
    (update,) = bench.see("poweroffice", "5", 2, NEW, stamp="cb-kari")
    bench.see("chargebee", "kari", 7, NEW, made_by="tandem")
    bench.see("chargebee", "kari", 8, KARI, made_by="others")
    bench.answer(update, "kari", 9, NEW)
    assert told(bench, "overwritten") == [("overwritten", "+47 2", "+47 1")]


def test_a_write_taken_back_between_two_attempts_is_told_in_whatever_order_it_is_read() -> None:
    """Both attempts lost their answers, and a third found what they wrote; the readings of what was
    between come afterwards."""
    ours, back = (6, NEW), (7, KARI)
    for first, second in ((ours, back), (back, ours)):
        bench = Bench()
        bench.linked_pair()
        (update,) = bench.see("poweroffice", "5", 2, NEW, stamp="cb-kari")
        bench.answer(update, "kari", 9, NEW)
        for version, shown in (first, second, second):
            assert bench.see("chargebee", "kari", version, shown) == []
        assert told(bench, "overwritten") == [("overwritten", "+47 2", "+47 1")]


def test_a_part_that_was_taken_back_is_told_by_what_was_read_meanwhile() -> None:
    """Chargebee takes two requests: a reading shows that the second of a first attempt had come
    too."""
    ours = {**NEW, "email": "ny@eksempel.no"}
    bench = Bench()
    bench.linked_pair()
    (update,) = bench.see("poweroffice", "5", 2, ours, stamp="cb-kari")
    bench.see("chargebee", "kari", 7, ours)
    back = {**ours, "phone": "+47 1"}
    (again,) = bench.answer(update, "kari", 9, back, "stale", done=("email",))
    assert again.fields == {"phone": "+47 2"}
    assert told(bench, "overwritten") == [("overwritten", "+47 2", "+47 1")]


def test_an_edit_that_the_second_part_covers_is_told() -> None:
    """The command was carried out again before the second request of its first attempt came."""
    ours = {**NEW, "email": "ny@eksempel.no"}
    edited = {**ours, "phone": "+47 7"}
    bench = Bench()
    bench.linked_pair()
    (update,) = bench.see("poweroffice", "5", 2, ours, stamp="cb-kari")
    bench.see("chargebee", "kari", 7, edited)
    bench.see("chargebee", "kari", 8, ours)
    bench.answer(update, "kari", 7, edited, "stale", done=("email",))
    assert told(bench, "overwritten") == [("overwritten", "+47 2", "+47 7")]


def test_a_refused_part_that_is_read_under_the_next_command_covers_an_edit() -> None:
    """Nobody names the authors; the reading of the edit comes last."""
    bench = Bench()
    bench.linked_pair()
    (update,) = bench.see("poweroffice", "5", 2, NEW, stamp="cb-kari")
    newer = {**KARI, "phone": "+47 3"}
    bench.see("poweroffice", "5", 3, newer, stamp="cb-kari")
    bench.end(update, "rejected", error=Problem(code="refused", message="not like this"))
    (again,) = bench.tell("redrive")
    assert again.fields == {"phone": "+47 3"}
    bench.see("chargebee", "kari", 8, NEW)
    bench.answer(again, "kari", 8, NEW, "stale")
    bench.see("chargebee", "kari", 7, EDITED)
    assert ("overwritten", "+47 2", "+47 7") in told(bench, "overwritten")


def test_a_write_in_doubt_that_is_seen_and_taken_back_is_an_edit() -> None:
    """The record showed what we had written, then what had been agreed before."""
    bench = Bench()
    bench.linked_pair()
    (update,) = bench.see("chargebee", "kari", 2, NEW)
    bench.see("poweroffice", "5", 2, NEW, stamp="cb-kari")
    unanswered(bench, update)
    bench.see("poweroffice", "5", 3, KARI, stamp="cb-kari")
    bench.tell("vendor_reachable", system="poweroffice")
    assert bench.commands[-1].fields == {"phone": "+47 2"}
    assert told(bench, "conflict") == [("conflict", "+47 2", "+47 1")]


def test_an_edit_that_gives_way_to_our_last_value_without_an_author_is_told() -> None:
    """Somebody took it back, or a second attempt of ours came late; the value is what was agreed,
    so that nobody has to decide. Long after our write it was a person."""
    for now, lost in ((NOW, [("overwritten", "+47 2", "+47 7")]), (LATER, [])):
        bench = Bench()
        bench.linked_pair()
        (update,) = bench.see("poweroffice", "5", 2, NEW, stamp="cb-kari")
        bench.answer(update, "kari", 7, NEW)
        bench.tell("pause", target="poweroffice")
        bench.now = now
        bench.see("chargebee", "kari", 8, EDITED)
        bench.see("chargebee", "kari", 9, NEW)
        assert told(bench, "overwritten") == lost
        assert bench.link("kari").differences == []


def test_what_was_taken_back_and_stands_again_is_not_lost() -> None:
    """Somebody entered the former value once more after our write."""
    bench = Bench()
    bench.linked_pair()
    (update,) = bench.see("poweroffice", "5", 2, NEW, stamp="cb-kari")
    bench.answer(update, "kari", 9, NEW)
    bench.see("chargebee", "kari", 10, KARI, made_by="others")
    for version, shown in ((6, NEW), (7, KARI)):
        bench.see("chargebee", "kari", version, shown)
    assert told(bench, "overwritten") == []
