"""Deletions, archives, cancellations and confirmations: carried where the policy says so, never
against an edit."""

import pytest

from contracts.entities import EntityName, System
from tests.unit.bench import KARI, WHEEL, Bench, order

ARCHIVED = {**KARI, "archived": True}
ALL: dict[tuple[EntityName, System], str] = {
    ("customer", "poweroffice"): "archive",
    ("product", "poweroffice"): "archive",
    ("product", "chargebee"): "archive_go_born_charges",
    ("order", "poweroffice"): "remove_draft",
}


def test_a_deleted_customer_is_only_reported_by_default() -> None:
    """The Go customer has a ledger."""
    bench = Bench()
    bench.linked_pair()
    assert bench.see("chargebee", "kari", 2, ARCHIVED, deleted=True) == []
    link = bench.link("kari")
    assert (link.state, link.differences) == ("ignored", ["archived"])
    assert "chargebee" in (link.reason or "")


def test_a_deleted_customer_is_archived_in_go_where_the_policy_says_so() -> None:
    """One update of one field; then both are gone."""
    bench = Bench(removal=ALL)
    bench.linked_pair()
    (archive,) = bench.see("chargebee", "kari", 2, ARCHIVED, deleted=True)
    assert (archive.op, archive.target, archive.fields, archive.expected) == (
        "update",
        "poweroffice",
        {"archived": True},
        {"archived": False},
    )
    assert bench.answer(archive, "5", 2, ARCHIVED) == []
    assert bench.link("kari").reason == "gone on both sides"
    assert bench.see("poweroffice", "5", 3, ARCHIVED) == []


def test_a_deletion_that_moves_no_version_is_none_the_less_one() -> None:
    """And the record alive at that version, from a list that lags, brings nothing back."""
    bench = Bench(removal=ALL)
    bench.linked_pair()
    (archive,) = bench.see("chargebee", "kari", 1, ARCHIVED, deleted=True)
    assert archive.fields == {"archived": True}
    assert bench.answer(archive, "5", 2, ARCHIVED) == []
    assert bench.see("chargebee", "kari", 1, KARI) == []
    assert bench.link("kari").reason == "gone on both sides"


def test_the_reply_to_a_write_just_before_a_deletion_brings_nothing_back() -> None:
    """The deletion overtook it, at the version that our write had made; or the record was being
    read."""
    edited = {**KARI, "phone": "+47 2"}
    for told, version in ((edited, 2), (KARI, 1)):
        bench = Bench(removal=ALL)
        bench.linked_pair()
        (update,) = bench.see("poweroffice", "5", 2, edited, stamp="cb-kari")
        bench.see("chargebee", "kari", version, {**told, "archived": True}, deleted=True)
        result = "applied" if told == edited else "stale"
        bench.answer(update, "kari", version, told, result)
        assert bench.side("chargebee", "kari").deleted


def test_what_a_person_brings_back_in_go_is_not_archived_again() -> None:
    """Their edit meets our deletion: it is told, not fought."""
    bench = Bench(removal=ALL)
    bench.linked_pair()
    (archive,) = bench.see("chargebee", "kari", 2, ARCHIVED, deleted=True)
    bench.answer(archive, "5", 2, ARCHIVED)
    assert bench.see("poweroffice", "5", 3, KARI) == []
    assert bench.see("poweroffice", "5", 4, {**KARI, "phone": "+47 2"}) == []
    assert bench.link("kari").state == "conflict"


def test_a_customer_deleted_in_go_is_never_deleted_in_chargebee() -> None:
    """Whatever the policy; subscriptions hang on it."""
    bench = Bench(removal=ALL)
    bench.linked_pair()
    assert bench.see("poweroffice", "5", 2, None, deleted=True) == []
    assert bench.link("kari").state == "ignored"


def test_an_edit_against_a_deletion_is_a_conflict_with_its_value() -> None:
    """Neither is carried; the value is in the journal."""
    bench = Bench(removal=ALL)
    bench.linked_pair()
    bench.tell("pause", entity="customer")
    assert bench.see("poweroffice", "5", 2, {**KARI, "phone": "+47 2"}) == []
    assert bench.see("chargebee", "kari", 2, ARCHIVED, deleted=True) == []
    assert bench.tell("resume") == []
    assert bench.link("kari").state == "conflict"
    (entry,) = [each for each in bench.journal if each.rule == "edit_against_deletion"]
    assert (entry.system, entry.field, entry.value) == ("poweroffice", "phone", "+47 2")


def test_an_archived_product_follows_the_policy_of_its_direction() -> None:
    """A plan's archive is reported by default; a charge born in Go is archived in Chargebee."""
    bench = Bench(removal={("product", "chargebee"): "archive_go_born_charges"})
    bench.linked_product()
    assert bench.see("chargebee", "hjul", 2, {**WHEEL, "archived": True}, "product") == []
    assert bench.link("hjul", "product").differences == ["archived"]
    (create,) = bench.see("poweroffice", "8", 1, {**WHEEL, "code": "8", "name": "Lys"}, "product")
    born = {**WHEEL, "code": "8", "name": "Lys"}
    assert bench.answer(create, "go-8", 1, born) == []
    (archive,) = bench.see("poweroffice", "8", 2, {**born, "archived": True}, "product")
    assert (archive.target, archive.fields) == ("chargebee", {"archived": True})
    bench.answer(archive, "go-8", 2, {**born, "archived": True})
    (back,) = bench.see("poweroffice", "8", 3, born, "product")
    assert back.fields == {"archived": False}


def test_a_cancelled_order_removes_its_untouched_draft() -> None:
    """Guarded by what Go held; the deletion is known at once."""
    bench = Bench(removal=ALL)
    theirs = bench.linked_order()
    (remove,) = bench.see("chargebee", "900", 2, order("kari", "hjul", status="cancelled"), "order")
    assert (remove.op, remove.target_id) == ("delete", "u-1")
    assert remove.expected["status"] == "draft"
    assert remove.expected["lines"] == theirs["lines"]
    assert bench.answer(remove, "u-1", 2, None, deleted=True) == []
    link = bench.link("900", "order")
    assert (link.state, link.reason) == ("ignored", "gone on both sides")
    assert bench.see("poweroffice", "u-1", 3, None, "order", deleted=True) == []


def test_a_draft_that_was_edited_is_not_removed() -> None:
    """The edit would be lost: a person decides, once the draft's first line says what happened. A
    pause keeps the line back and nothing of it."""
    bench = Bench(removal=ALL)
    bench.linked_order()
    bench.tell("pause", entity="order")
    edited = order("5", "7", order_date="2026-10-02")
    bench.see("poweroffice", "u-1", 2, edited, "order")
    assert (
        bench.see("chargebee", "900", 2, order("kari", "hjul", status="cancelled"), "order") == []
    )
    assert bench.link("900", "order").state == "held"
    (line,) = bench.tell("resume")
    assert line.fields == {"notice": "Cancelled in Chargebee. Do not send."}
    assert bench.answer(line, "u-1", 3, {**edited, **line.fields}) == []
    assert bench.link("900", "order").state == "conflict"
    assert "edit_against_deletion" in bench.rules()


@pytest.mark.parametrize("kept_back", ["pause", "observe"])
def test_the_line_of_a_cancelled_order_goes_when_its_pause_ends(kept_back: str) -> None:
    """Nobody has to ask for it: it says not to send a draft whose order is cancelled."""
    bench = Bench()
    bench.linked_order()
    begin, end = {
        "pause": (("pause", {"entity": "order"}), ("resume", {})),
        "observe": (("mode", {"mode": "observe"}), ("mode", {"mode": "sync"})),
    }[kept_back]
    bench.tell(begin[0], **begin[1])
    cancelled = order("kari", "hjul", status="cancelled")
    assert bench.see("chargebee", "900", 2, cancelled, "order") == []
    (line,) = bench.tell(end[0], **end[1])
    assert line.fields == {"notice": "Cancelled in Chargebee. Do not send."}


def test_a_draft_whose_lines_a_person_edited_is_not_removed() -> None:
    """Lines are never carried, so nothing is pending about them; the edit would be lost all the
    same."""
    bench = Bench(removal=ALL)
    bench.linked_order()
    edited = order(
        "5",
        "7",
        lines=[{"id": "1", "product_id": "7", "net": "10", "quantity": "1", "description": "Rød"}],
    )
    assert bench.see("poweroffice", "u-1", 2, edited, "order") == []
    assert bench.link("900", "order").differences == ["lines"]
    (line,) = bench.see("chargebee", "900", 2, order("kari", "hjul", status="cancelled"), "order")
    assert (line.op, line.fields) == ("update", {"notice": "Cancelled in Chargebee. Do not send."})


def test_a_draft_found_edited_by_the_sink_stays() -> None:
    """The guard held: stale, and then a conflict with the value."""
    bench = Bench(removal=ALL)
    bench.linked_order()
    (remove,) = bench.see("chargebee", "900", 2, order("kari", "hjul", status="cancelled"), "order")
    edited = order("5", "7", order_date="2026-10-02")
    (line,) = bench.answer(remove, "u-1", 2, edited, "stale")
    assert line.fields == {"notice": "Cancelled in Chargebee. Do not send."}
    assert bench.answer(line, "u-1", 3, {**edited, **line.fields}) == []
    assert bench.link("900", "order").state == "conflict"


def test_a_sent_order_is_terminal_whatever_happens_in_chargebee() -> None:
    """No write to Go, no removal."""
    bench = Bench(removal=ALL)
    bench.linked_order()
    assert bench.see("poweroffice", "u-1", 2, order("5", "7", status="sent"), "order") == []
    assert bench.link("900", "order").state == "sent"
    assert (
        bench.see("chargebee", "900", 2, order("kari", "hjul", status="cancelled"), "order") == []
    )
    assert (
        bench.see("chargebee", "900", 3, order("kari", "hjul", order_date="2026-10-09"), "order")
        == []
    )
    assert bench.link("900", "order").state == "sent"


def test_a_draft_deleted_in_go_is_reported_and_not_made_again() -> None:
    """What a person deleted is never re-created; a later edit is a conflict."""
    bench = Bench(removal=ALL)
    bench.linked_order()
    assert bench.see("poweroffice", "u-1", 2, None, "order", deleted=True) == []
    assert bench.link("900", "order").state == "ignored"
    assert (
        bench.see("chargebee", "900", 2, order("kari", "hjul", order_date="2026-10-09"), "order")
        == []
    )
    assert bench.link("900", "order").state == "conflict"


def test_a_map_lost_after_orders_were_sent_creates_nothing() -> None:
    """Both snapshots show everything again; the reference joins them."""
    bench = Bench(removal=ALL)
    bench.see("poweroffice", "u-1", 1, order("5", "7", status="sent"), "order", stamp="cb-900")
    bench.see("poweroffice", "u-2", 1, order("5", "7", status="sent"), "order")
    bench.see("chargebee", "900", 1, order("kari", "hjul"), "order")
    bench.see("chargebee", "go-u-2", 1, order("kari", "hjul"), "order", stamp="go-u-2")
    assert bench.open() == []
    assert {bench.link("900", "order").state, bench.link("go-u-2", "order").state} == {"sent"}


def test_drifted_lines_are_restored_where_the_setting_says_so() -> None:
    """And only reported otherwise; both values are in the journal."""
    drifted = order("5", "7", lines=[{"id": "1", "product_id": "7", "net": "99", "quantity": "1"}])
    reporting = Bench()
    reporting.linked_order()
    assert reporting.see("poweroffice", "u-1", 2, drifted, "order") == []
    assert "immutable" in reporting.rules()
    assert reporting.link("900", "order").differences == ["lines"]
    bench = Bench(line_drift="restore")
    theirs = bench.linked_order()
    (restore,) = bench.see("poweroffice", "u-1", 2, drifted, "order")
    assert (restore.op, restore.target, restore.expected) == (
        "update",
        "poweroffice",
        {"lines": drifted["lines"]},
    )
    assert restore.fields["lines"][0]["product_id"] == "7"
    assert restore.fields["lines"][0]["net"] == "10"
    assert bench.answer(restore, "u-1", 3, theirs) == []
    assert bench.see("poweroffice", "u-1", 4, theirs, "order") == []


def test_an_operator_restores_the_drifted_lines_of_one_order() -> None:
    """The setting only reports; the word counts once, and for drafts only."""
    bench = Bench()
    theirs = bench.linked_order()
    drifted = order("5", "7", lines=[{"id": "1", "product_id": "7", "net": "99", "quantity": "1"}])
    bench.see("poweroffice", "u-1", 2, drifted, "order")
    (restore,) = bench.tell("settle", entity="order", key="900", field="lines", keep="chargebee")
    assert (restore.op, restore.target, restore.expected) == (
        "update",
        "poweroffice",
        {"lines": drifted["lines"]},
    )
    assert restore.fields["lines"][0]["net"] == "10"
    assert bench.answer(restore, "u-1", 3, theirs) == []
    assert bench.see("poweroffice", "u-1", 4, drifted, "order") == []
    assert bench.link("900", "order").differences == ["lines"]
    bench.see("poweroffice", "u-1", 5, {**drifted, "status": "sent"}, "order")
    assert bench.tell("settle", entity="order", key="900", field="lines", keep="chargebee") == []
    assert bench.told["reason"].startswith("only the lines of a draft")


def test_a_delivered_order_is_confirmed_once_and_a_person_may_take_it_back() -> None:
    """Only where Go invoices and the setting says so."""
    quiet = Bench()
    quiet.linked_order()
    assert (
        quiet.see("chargebee", "900", 2, order("kari", "hjul", status="confirmed"), "order") == []
    )
    bench = Bench(confirm_on_delivered=True)
    bench.linked_order()
    (confirm,) = bench.see(
        "chargebee", "900", 2, order("kari", "hjul", status="confirmed"), "order"
    )
    assert (confirm.op, confirm.fields, confirm.expected) == (
        "update",
        {"status": "confirmed"},
        {"status": "draft"},
    )
    assert bench.answer(confirm, "u-1", 2, order("5", "7", status="confirmed")) == []
    assert bench.see("poweroffice", "u-1", 3, order("5", "7"), "order") == []


def test_an_order_whose_money_differs_is_never_confirmed() -> None:
    """A person looks first."""
    bench = Bench(confirm_on_delivered=True)
    bench.linked_pair()
    bench.linked_product()
    (create,) = bench.see("chargebee", "900", 1, order("kari", "hjul", status="confirmed"), "order")
    assert bench.answer(create, "u-1", 1, order("5", "7", total="12")) == []
    assert [each.kind for each in bench.link("900", "order").findings] == ["money_differs"]


def test_a_draft_that_our_unanswered_deletion_removed_is_made_again_too() -> None:
    """Go's sweep tells that it is gone before the deletion is answered."""
    bench = Bench(removal=ALL)
    bench.linked_order()
    cancelled = order("kari", "hjul", status="cancelled")
    (remove,) = bench.see("chargebee", "900", 2, cancelled, "order")
    bench.end(remove, "parked", maybe_applied=True)
    bench.see("poweroffice", "u-1", 2, None, "order", deleted=True)
    (create,) = bench.see("chargebee", "900", 3, order("kari", "hjul"), "order")
    assert (create.op, create.target) == ("create", "poweroffice")


def test_an_order_of_go_for_a_customer_deleted_in_chargebee_waits() -> None:
    """Its deletion is final there, so that an invoice for it would be refused."""
    bench = Bench()
    bench.linked_pair()
    bench.linked_product()
    bench.see("chargebee", "kari", 2, ARCHIVED, deleted=True)
    sold = order("5", "7", status="sent")
    assert bench.see("poweroffice", "u-9", 1, sold, "order") == []
    link = bench.link("go-u-9", "order")
    assert link.state == "waiting"
    assert "deleted in Chargebee" in (link.reason or "")
