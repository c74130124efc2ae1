"""Voids, refunds and credit notes of the Chargebee simulator, through the vendor's own Python
SDK."""

from typing import Any

import chargebee
import pytest

from tests.contract.test_sim_chargebee import Simulator
from tests.contract.test_sim_chargebee_sdk import order_of, running, sdk, shop, simulator, sold

__all__ = ["running", "sdk", "shop", "simulator"]
TOTAL = 37688  # of an invoice of two readers, which are shipped, and a course, which is not
SHARE = 25125  # of its order


def unpaid(shop: chargebee.Chargebee, **more: Any) -> Any:
    lines = [
        {"item_price_id": "leser-NOK", "quantity": 2},
        {"item_price_id": "kurs-NOK", "quantity": 1},
    ]
    given = {"customer_id": "ola-1", "currency_code": "NOK", "item_prices": lines, **more}
    return shop.Invoice.create_for_charge_items_and_charges(given).invoice


def credit(
    shop: chargebee.Chargebee, invoice_id: str, total: int, kind: Any = "refundable", **more: Any
) -> Any:
    given: Any = {"reference_invoice_id": invoice_id, "type": kind, "total": total, **more}
    return shop.CreditNote.create(given)


def refusal(act: Any, *arguments: Any) -> tuple[int, str | None]:
    """Status and parameter of a refused call."""
    with pytest.raises(chargebee.APIError) as refused:
        act(*arguments)
    return refused.value.http_status_code, refused.value.param


def orders(shop: chargebee.Chargebee, invoice_id: str) -> list[Any]:
    return [entry.order for entry in shop.Order.orders_for_invoice(invoice_id).list]


def event_types(simulator: Simulator, since: int = 0) -> list[str]:
    return simulator.event_types()[since:]


def settings(simulator: Simulator, **values: Any) -> None:
    assert simulator.control.post("/settings", json=values).status_code == 200


# -- voids and payments


def test_an_unpaid_invoice_is_voided(shop: chargebee.Chargebee, simulator: Simulator) -> None:
    invoice = unpaid(shop)
    voided = shop.Invoice.void_invoice(invoice.id, {"comment": "Feil kunde"}).invoice
    assert (voided.status, voided.amount_due) == ("voided", TOTAL)
    assert voided.voided_at >= invoice.date
    assert voided.resource_version > invoice.resource_version
    assert event_types(simulator)[-1] == "invoice_updated"
    assert refusal(shop.Invoice.void_invoice, invoice.id)[0] == 409
    payment = {"transaction": {"payment_method": "cash"}}
    assert refusal(shop.Invoice.record_payment, invoice.id, payment)[0] == 409


def test_a_paid_invoice_is_voided_once_its_payment_is_removed(
    shop: chargebee.Chargebee, simulator: Simulator
) -> None:
    invoice = sold(shop)
    assert refusal(shop.Invoice.void_invoice, invoice.id)[0] == 409
    transaction = {"transaction": {"id": invoice.linked_payments[0].txn_id}}
    due = shop.Invoice.remove_payment(invoice.id, transaction).invoice
    assert (due.status, due.amount_due, due.amount_paid, due.linked_payments) == (
        "not_paid",
        TOTAL,
        0,
        [],
    )
    (order,) = orders(shop, invoice.id)
    assert (order.payment_status, order.amount_paid, order.paid_on) == ("not_paid", 0, None)
    assert refusal(shop.Invoice.remove_payment, invoice.id, transaction) == (404, "transaction[id]")
    assert shop.Invoice.void_invoice(invoice.id).invoice.status == "voided"
    (left,) = orders(shop, invoice.id)
    assert (left.status, left.resource_version) == ("queued", order.resource_version)


@pytest.mark.parametrize(("days", "status"), [(30, "posted"), (0, "payment_due")])
def test_a_removed_payment_leaves_a_status_by_the_due_date(
    shop: chargebee.Chargebee, days: int, status: str
) -> None:
    shop.Customer.update("ola-1", {"auto_collection": "off"})
    invoice = sold(shop, net_term_days=days)
    removed = shop.Invoice.remove_payment(
        invoice.id, {"transaction": {"id": invoice.linked_payments[0].txn_id}}
    )
    assert removed.invoice.status == status


def test_a_void_may_cancel_the_orders_and_make_a_credit_note(
    shop: chargebee.Chargebee, simulator: Simulator
) -> None:
    settings(
        simulator,
        order_invoice_statuses=["payment_due"],
        void_cancels_orders=True,
        void_with_credit_note=True,
    )
    invoice = unpaid(shop)
    (order,) = orders(shop, invoice.id)
    voided = shop.Invoice.void_invoice(invoice.id).invoice
    assert (voided.status, voided.amount_due, voided.amount_adjusted) == ("voided", 0, TOTAL)
    (note,) = voided.adjustment_credit_notes
    assert (note.cn_create_reason_code, note.cn_total, note.cn_status) == (
        "Invoice Void",
        TOTAL,
        "adjusted",
    )
    (after,) = orders(shop, invoice.id)
    assert (after.status, after.cancellation_reason) == ("cancelled", "invoice_voided")
    assert after.resource_version > order.resource_version
    assert event_types(simulator)[-4:] == [
        "credit_note_created",
        "invoice_updated",
        "order_updated",
        "order_cancelled",
    ]


def test_a_deleted_invoice_is_told_and_listed_only_when_asked(
    shop: chargebee.Chargebee, simulator: Simulator
) -> None:
    invoice = unpaid(shop)
    assert shop.Invoice.delete(invoice.id).invoice.deleted is True
    assert shop.Invoice.list().list == []
    assert len(shop.Invoice.list({"include_deleted": True}).list) == 1
    assert event_types(simulator)[-1] == "invoice_deleted"


def test_the_event_of_a_payment_shows_what_it_made(shop: chargebee.Chargebee) -> None:
    invoice = sold(shop)
    content = shop.Event.list({"event_type": {"is": "payment_succeeded"}}).list[0].event.content
    assert (content["invoice"]["status"], content["invoice"]["resource_version"]) == (
        "paid",
        invoice.resource_version,
    )
    assert (content["transaction"]["amount"], content["customer"]["id"]) == (TOTAL, "ola-1")


# -- credit notes


def test_an_adjustment_lowers_what_is_due(shop: chargebee.Chargebee, simulator: Simulator) -> None:
    invoice = unpaid(shop)
    before = len(event_types(simulator))
    made = credit(shop, invoice.id, 7688, "adjustment", reason_code="waiver", date=1793000000)
    note = made.credit_note
    assert (note.type, note.status, note.total, note.amount_allocated) == (
        "adjustment",
        "adjusted",
        7688,
        7688,
    )
    assert (note.reference_invoice_id, note.customer_id, note.date) == (
        invoice.id,
        "ola-1",
        1793000000,
    )
    assert (note.reason_code, note.create_reason_code) == ("waiver", "Waiver")
    assert (
        sum(line.amount for line in note.line_items) + sum(tax.amount for tax in note.taxes) == 7688
    )
    assert (made.invoice.amount_adjusted, made.invoice.amount_due) == (7688, 30000)
    (linked,) = made.invoice.adjustment_credit_notes
    assert (linked.cn_id, linked.cn_total, linked.cn_status, linked.cn_date) == (
        note.id,
        7688,
        "adjusted",
        1793000000,
    )
    assert made.invoice.resource_version > invoice.resource_version
    assert event_types(simulator, before) == ["credit_note_created", "invoice_updated"]
    assert refusal(credit, shop, invoice.id, 30001, "adjustment") == (400, "total")
    assert refusal(credit, shop, invoice.id, 1) == (400, "total")
    assert refusal(shop.Invoice.void_invoice, invoice.id)[0] == 409


def test_an_adjustment_of_the_rest_makes_the_invoice_paid(shop: chargebee.Chargebee) -> None:
    invoice = unpaid(shop)
    shop.Invoice.record_payment(
        invoice.id, {"transaction": {"payment_method": "cash", "amount": TOTAL // 2}}
    )
    made = credit(shop, invoice.id, TOTAL // 2, "adjustment")
    assert (made.invoice.status, made.invoice.amount_due) == ("paid", 0)
    (order,) = orders(shop, invoice.id)
    assert (order.total, order.amount_paid, order.amount_adjusted) == (SHARE, 12562, 12562)
    voided = shop.CreditNote.void_credit_note(made.credit_note.id).credit_note
    assert voided.status == "voided"
    again = shop.Invoice.retrieve(invoice.id).invoice
    assert (again.status, again.amount_due, again.amount_adjusted) == ("not_paid", TOTAL // 2, 0)
    assert again.adjustment_credit_notes[0].cn_status == "voided"
    assert orders(shop, invoice.id)[0].payment_status == "not_paid"


def test_a_refundable_note_moves_the_invoice_alone(
    shop: chargebee.Chargebee, simulator: Simulator
) -> None:
    invoice = sold(shop)
    (order,) = orders(shop, invoice.id)
    before = len(event_types(simulator))
    note = credit(shop, invoice.id, 3769, reason_code="product_unsatisfactory").credit_note
    assert (note.status, note.amount_available, note.create_reason_code) == (
        "refund_due",
        3769,
        "Product Unsatisfactory",
    )
    after = shop.Invoice.retrieve(invoice.id).invoice
    assert (after.status, after.amount_paid, after.issued_credit_notes[0].cn_id) == (
        "paid",
        TOTAL,
        note.id,
    )
    assert after.resource_version > invoice.resource_version
    (shown,) = orders(shop, invoice.id)
    assert shown.resource_version == order.resource_version
    assert [
        (each.id, each.amount, each.type, each.status) for each in shown.linked_credit_notes
    ] == [(note.id, 2513, "refundable", "refund_due")]
    assert event_types(simulator, before) == ["credit_note_created"]
    content = shop.Event.list({"limit": 1}).list[0].event.content
    assert content["credit_note"]["reference_invoice_id"] == invoice.id
    assert refusal(credit, shop, invoice.id, TOTAL - 3768) == (400, "total")


def test_a_site_may_move_the_orders_too(shop: chargebee.Chargebee, simulator: Simulator) -> None:
    settings(simulator, credit_notes_move_orders=True)
    order = order_of(shop)
    credit(shop, order.invoice_id, 100)
    assert orders(shop, order.invoice_id)[0].resource_version > order.resource_version
    assert event_types(simulator)[-2:] == ["credit_note_created", "order_updated"]


def test_a_note_is_paid_back_voided_deleted_and_found(
    shop: chargebee.Chargebee, simulator: Simulator
) -> None:
    invoice = sold(shop)
    first, second, third = (
        credit(shop, invoice.id, total).credit_note for total in (100, 200, 300)
    )
    given: Any = {"payment_method": "bank_transfer", "amount": 40, "date": 1793000000}
    part = shop.CreditNote.record_refund(first.id, {"transaction": given}).credit_note
    assert (part.status, part.amount_refunded, part.amount_available) == ("refund_due", 40, 60)
    rest = shop.CreditNote.record_refund(
        first.id, {"transaction": {**given, "amount": 60}}
    ).credit_note
    assert (rest.status, len(rest.linked_refunds)) == ("refunded", 2)
    assert refusal(shop.CreditNote.void_credit_note, first.id)[0] == 409
    assert shop.CreditNote.void_credit_note(second.id).credit_note.voided_at is not None
    assert shop.CreditNote.delete(third.id).credit_note.deleted is True
    assert event_types(simulator)[-3:] == [
        "payment_refunded",
        "credit_note_updated",
        "credit_note_deleted",
    ]
    after = shop.Invoice.retrieve(invoice.id).invoice
    assert [(each.cn_id, each.cn_status) for each in after.issued_credit_notes] == [
        (first.id, "refunded"),
        (second.id, "voided"),
    ]
    (order,) = orders(shop, invoice.id)
    assert [(each.id, each.status) for each in order.linked_credit_notes] == [
        (first.id, "refunded"),
        (second.id, "voided"),
    ]
    assert order.refundable_credits_issued == 67
    found = shop.CreditNote.list(
        {"status": {"is": "refunded"}, "reference_invoice_id": {"is": invoice.id}}
    ).list
    assert [entry.credit_note.id for entry in found] == [first.id]
    assert shop.CreditNote.retrieve(second.id).credit_note.status == "voided"
    assert len(shop.CreditNote.list({"include_deleted": True}).list) == 3


# -- refunds


def test_a_recorded_refund_is_a_credit_note_of_an_invoice_that_stays_paid(
    shop: chargebee.Chargebee, simulator: Simulator
) -> None:
    invoice = sold(shop)
    given: Any = {"payment_method": "bank_transfer", "date": invoice.date, "amount": 1000}
    reason: Any = {"reason_code": "service_unsatisfactory"}
    done = shop.Invoice.record_refund(invoice.id, {"transaction": given, "credit_note": reason})
    assert (done.credit_note.type, done.credit_note.status, done.credit_note.amount_refunded) == (
        "refundable",
        "refunded",
        1000,
    )
    assert (done.transaction.type, done.transaction.amount) == ("refund", 1000)
    assert (done.invoice.status, done.invoice.amount_paid, done.invoice.amount_due) == (
        "paid",
        TOTAL,
        0,
    )
    assert done.invoice.issued_credit_notes[0].cn_status == "refunded"
    assert event_types(simulator)[-2:] == ["credit_note_created", "payment_refunded"]
    content = shop.Event.list({"limit": 1}).list[0].event.content
    assert sorted(content) == ["credit_note", "customer", "invoice", "transaction"]
    assert (
        refusal(
            shop.Invoice.record_refund, invoice.id, {"transaction": {**given, "amount": TOTAL}}
        )[0]
        == 400
    )
    assert (
        refusal(shop.Invoice.record_refund, invoice.id, {"transaction": {**given, "date": 1}})[0]
        == 400
    )
    rest = {name: value for name, value in given.items() if name != "amount"}
    assert (
        shop.Invoice.record_refund(invoice.id, {"transaction": rest}).credit_note.total
        == TOTAL - 1000
    )
    assert refusal(shop.Invoice.record_refund, invoice.id, {"transaction": rest})[0] == 409
    removed = {"transaction": {"id": invoice.linked_payments[0].txn_id}}
    assert refusal(shop.Invoice.remove_payment, invoice.id, removed)[0] == 409
    assert refusal(shop.Invoice.delete, invoice.id)[0] == 409


def test_only_an_online_payment_is_refunded(shop: chargebee.Chargebee) -> None:
    assert refusal(shop.Invoice.refund, sold(shop).id)[0] == 409
    invoice = unpaid(shop)
    shop.Invoice.record_payment(invoice.id, {"transaction": {"payment_method": "card"}})
    done = shop.Invoice.refund(invoice.id, {"refund_amount": 500})
    assert (done.credit_note.status, done.credit_note.total, done.transaction.type) == (
        "refunded",
        500,
        "refund",
    )
    assert shop.Invoice.refund(invoice.id).credit_note.total == TOTAL - 500


# -- orders


def test_a_cancelled_order_is_credited_and_its_note_voided_when_it_is_reopened(
    shop: chargebee.Chargebee, simulator: Simulator
) -> None:
    order = order_of(shop)
    given: Any = {
        "cancellation_reason": "product_not_required",
        "credit_note": {"total": SHARE + 1},
    }
    assert refusal(shop.Order.cancel, order.id, given) == (400, "credit_note[total]")
    cancelled = shop.Order.cancel(order.id, {**given, "credit_note": {"total": SHARE}}).order
    (linked,) = cancelled.linked_credit_notes
    assert (linked.amount, linked.status, cancelled.refundable_credits_issued) == (
        SHARE,
        "refund_due",
        SHARE,
    )
    note = shop.CreditNote.retrieve(linked.id).credit_note
    assert (note.reference_invoice_id, note.reason_code) == (order.invoice_id, "order_cancellation")
    assert shop.Invoice.retrieve(order.invoice_id).invoice.issued_credit_notes[0].cn_total == SHARE
    assert event_types(simulator)[-3:] == [
        "credit_note_created",
        "order_updated",
        "order_cancelled",
    ]
    assert refusal(shop.Order.update, order.id, {"status": "queued"})[0] == 409
    reopened = shop.Order.reopen(order.id, {"void_cancellation_credit_notes": True}).order
    assert (reopened.status, reopened.cancelled_at) == ("queued", None)
    assert (reopened.linked_credit_notes[0].status, reopened.refundable_credits_issued) == (
        "voided",
        0,
    )
    assert shop.CreditNote.retrieve(linked.id).credit_note.status == "voided"


def test_an_order_is_credited_in_part_and_returned(
    shop: chargebee.Chargebee, simulator: Simulator
) -> None:
    order = order_of(shop)
    given: Any = {"credit_note": {"reason_code": "product_unsatisfactory", "total": 1000}}
    credited = shop.Order.create_refundable_credit_note(order.id, given).order
    assert (credited.status, credited.linked_credit_notes[0].amount) == ("queued", 1000)
    assert credited.resource_version > order.resource_version
    rest: Any = {"credit_note": {"reason_code": "other", "total": SHARE - 999}}
    assert refusal(shop.Order.create_refundable_credit_note, order.id, rest) == (
        400,
        "credit_note[total]",
    )
    assert shop.Order.update(order.id, {"status": "returned"}).order.status == "returned"
    assert event_types(simulator)[-1] == "order_returned"
