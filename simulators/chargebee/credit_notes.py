"""Credit notes: adjustments of what is unpaid of an invoice, and refundable ones of what has been
paid.

A note on an invoice moves the invoice: it gets a new version, an event only where the amount due or
the status changes (an adjustment). Its orders show the note, each its portion; the setting
`credit_notes_move_orders` gives them a new version and an event too. Notes that an operation on an
order makes always move that order. Source: apidocs.chargebee.com, credit notes, and Impacts on
orders in the product's documentation.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from simulators.chargebee import money
from simulators.chargebee.calls import Call
from simulators.chargebee.errors import invalid_state, wrong_value
from simulators.chargebee.fields import (
    Fields,
    choice,
    integer,
    read,
    text,
    timestamp,
    without_nulls,
)
from simulators.chargebee.invoices import (
    REFUND,
    customer_of,
    payment_row,
    reopened,
    settled,
    show_invoice,
    unpaid_status,
)
from simulators.chargebee.listing import Listing
from simulators.chargebee.order_rows import carry_payment, orders_follow
from simulators.chargebee.order_shares import payable_minor, portion_minor
from simulators.chargebee.params import sub
from simulators.chargebee.replies import list_reply
from simulators.chargebee.site import Row, Site, shown

TYPES: Final = ("adjustment", "refundable")
STATUSES: Final = ("adjusted", "refunded", "refund_due", "voided")
REASONS: Final = (
    "write_off",
    "subscription_change",
    "subscription_cancellation",
    "subscription_pause",
    "chargeback",
    "product_unsatisfactory",
    "service_unsatisfactory",
    "order_change",
    "order_cancellation",
    "waiver",
    "other",
    "fraudulent",
)
UNPAID: Final = ("payment_due", "posted", "not_paid")
REASON: Final[Fields] = {"reason_code": choice(*REASONS), "create_reason_code": text(100)}
REMARKS: Final[Fields] = {"comment": text(300), "customer_notes": text(2000)}
_CREATE: Final[Fields] = {
    "reference_invoice_id": text(50),
    "total": integer(1),
    "type": choice(*TYPES),
    "date": timestamp,
    **REASON,
    **REMARKS,
}
_LISTING: Final = Listing(
    {
        "id": "id",
        "customer_id": "id",
        "subscription_id": "id",
        "reference_invoice_id": "id",
        "type": "enum",
        "reason_code": "enum",
        "create_reason_code": "text",
        "status": "enum",
        "date": "time",
        "total": "number",
        "price_type": "enum",
        "amount_allocated": "number",
        "amount_refunded": "number",
        "amount_available": "number",
        "voided_at": "time",
        "updated_at": "time",
        "channel": "enum",
    },
    ("date",),
    enums={"type": TYPES, "status": STATUSES, "reason_code": REASONS},
)
# Which list of the invoice shows a note of a type.
_LISTS: Final[Mapping[str, str]] = {
    "adjustment": "adjustment_credit_notes",
    "refundable": "issued_credit_notes",
}


def list_all(call: Call) -> dict[str, Any]:
    return list_reply(call, "credit_note", _LISTING, hides_deleted=True)


def retrieve(call: Call) -> dict[str, Any]:
    return {"credit_note": shown(call.current("credit_note"))}


def create(call: Call) -> dict[str, Any]:
    """A note on an invoice, up to the amount due (adjustment) or what may still be refunded
    (refundable)."""
    given = read(call.params, _CREATE, required=("type", "reference_invoice_id", "total"))
    invoice = call.table("invoice").get(given["reference_invoice_id"], "reference_invoice_id")
    is_adjustment = given["type"] == "adjustment"
    allowed = UNPAID if is_adjustment else (*UNPAID, "paid")
    if invoice["deleted"] or invoice["status"] not in allowed:
        raise invalid_state(
            f"The invoice is {invoice['status']}; it should be {' or '.join(allowed)}"
        )
    limit = invoice["amount_due"] if is_adjustment else refundable_minor(invoice)
    if given["total"] > limit:
        raise wrong_value("total", f"cannot be greater than {limit}")
    note = issue(call, invoice, given, given["type"], given["total"])
    current = call.table("invoice").get(invoice["id"])
    return {"credit_note": shown(note), "invoice": show_invoice(call.site, current)}


def refundable_minor(invoice: Row) -> int:
    """What has been paid and not been credited by a note that counts [docs]."""
    paid = sum(
        each["applied_amount"]
        for each in invoice["linked_payments"]
        if each["txn_status"] == "success"
    )
    issued = sum(
        each["cn_total"] for each in invoice["issued_credit_notes"] if each["cn_status"] != "voided"
    )
    return int(paid - issued)


def issue(
    call: Call,
    invoice: Row,
    reason: Row,
    kind: str,
    total_minor: int,
    *,
    order_id: str | None = None,
    refunds: tuple[Row, ...] = (),
) -> Row:
    """Make a note of `kind` on the invoice, or on one of its orders, and carry it over to both.

    `reason` has reason_code, create_reason_code and date, each optional; `refunds` are transactions
    that pay it back.
    """
    note = _new_note(call, invoice, reason, kind, total_minor, refunds)
    note = call.site.save("credit_note", {**note, "_order_id": order_id})
    changed = {**invoice, _LISTS[kind]: [*invoice[_LISTS[kind]], _linked(note)]}
    if kind == "adjustment":
        adjusted, due = (
            invoice["amount_adjusted"] + total_minor,
            invoice["amount_due"] - total_minor,
        )
        changed |= {"amount_adjusted": adjusted, "amount_due": due}
        if changed["status"] != "voided":
            changed = settled(changed, call.site.now_s())
    _store(call, note, changed, "credit_note_created")
    if changed["status"] == "paid" != invoice["status"]:
        orders_follow(call, invoice["id"])
    return note


def void(call: Call) -> dict[str, Any]:
    """Refused where a part has been refunded; an adjustment is due again."""
    note = _unspent(call, "voided")
    read(call.params, {"comment": text(300)})
    return {"credit_note": shown(withdraw(call, note, "credit_note_updated"))}


def delete(call: Call) -> dict[str, Any]:
    """Refused where a part has been refunded; the invoice and its orders show the note no more."""
    note = _unspent(call, "deleted")
    return {"credit_note": shown(withdraw(call, note, "credit_note_deleted"))}


def record_refund(call: Call) -> dict[str, Any]:
    """Records that a refundable note, or a part of it, has been paid back outside Chargebee."""
    note = call.live("credit_note")
    given = read(
        sub(call.params, "transaction"),
        REFUND,
        "transaction[{}]",
        required=("payment_method", "date"),
    )
    if note["status"] != "refund_due":
        raise invalid_state(f"The credit note is {note['status']}; it should be refund_due")
    amount = note["amount_available"] if given.get("amount") is None else given["amount"]
    if amount > note["amount_available"]:
        raise wrong_value(
            "transaction[amount]", f"cannot be greater than {note['amount_available']}"
        )
    invoice = call.table("invoice").get(note["reference_invoice_id"])
    refund = payment_row(call.site, invoice, given, amount, given["date"], kind="refund")
    note = call.site.save("credit_note", _refunded(note, [refund]))
    invoice = _store(call, note, _with_status(invoice, note), "credit_note_updated")
    tell_refund(call, refund, note, invoice)
    return {"credit_note": shown(note), "transaction": refund}


def record_refund_today(call: Call) -> dict[str, Any]:
    """As `record_refund`, with the present for the date."""
    return record_refund(dated(call))


def dated(call: Call) -> Call:
    """The call with the present for the date of its transaction."""
    transaction = {"date": str(call.site.now_s()), **sub(call.params, "transaction")}
    return replace(call, params={**call.params, "transaction": transaction})


def tell_refund(call: Call, refund: Row, note: Row, invoice: Row) -> None:
    content = {
        "transaction": refund,
        "credit_note": shown(note),
        "invoice": show_invoice(call.site, invoice),
        **customer_of(call, invoice),
    }
    call.site.emit("payment_refunded", content, call.actor)


def withdraw(call: Call, note: Row, event_type: str) -> Row:
    """Void a note or, with `credit_note_deleted`, delete it: an adjustment of the invoice is due
    again."""
    is_deleted = event_type == "credit_note_deleted"
    gone = {"deleted": True} if is_deleted else {"status": "voided", "voided_at": call.site.now_s()}
    was_voided = note["status"] == "voided"
    note = call.site.save("credit_note", {**note, **gone})
    old = call.table("invoice").get(note["reference_invoice_id"])
    invoice = _without(old, note) if is_deleted else _with_status(old, note)
    if note["type"] == "adjustment" and not was_voided and old["status"] != "voided":
        adjusted, due = old["amount_adjusted"] - note["total"], old["amount_due"] + note["total"]
        invoice |= {"amount_adjusted": adjusted, "amount_due": due}
        invoice = reopened(invoice, unpaid_status(call, old))
    invoice = _store(call, note, invoice, event_type)
    if old["status"] == "paid" != invoice["status"]:
        carry_payment(call, invoice)
    return note


def _unspent(call: Call, participle: str) -> Row:
    note = call.live("credit_note")
    if note["amount_refunded"]:
        raise invalid_state(f"A credit note that was refunded cannot be {participle}")
    if participle == note["status"]:
        raise invalid_state("The credit note is voided already")
    return note


def _store(call: Call, note: Row, invoice: Row, event_type: str) -> Row:
    """Save the invoice as a note has changed it, show that on its orders and tell; the saved
    invoice."""
    before = call.table("invoice").get(invoice["id"])
    saved = call.site.save("invoice", invoice)
    call.site.emit(event_type, {"credit_note": shown(note)}, call.actor)
    if any(before[name] != saved[name] for name in ("status", "amount_due")):
        call.site.emit("invoice_updated", {"invoice": show_invoice(call.site, saved)}, call.actor)
    for order in call.site.orders_of(invoice["id"]):
        if note.get("_order_id") in (None, order["id"]):
            _show_on(call, order, note, saved)
    return saved


def _show_on(call: Call, order: Row, note: Row, invoice: Row) -> None:
    """The note as the order shows it: a new version of the order only where the site is set so."""
    others = [each for each in order["linked_credit_notes"] if each["id"] != note["id"]]
    linked = others if note["deleted"] else [*others, _on_order(note, order, invoice)]
    issued = sum(
        each["amount"]
        for each in linked
        if each["type"] == "refundable" and each["status"] != "voided"
    )
    changed = {
        **order,
        "linked_credit_notes": linked,
        "amount_adjusted": portion_minor(
            invoice["amount_adjusted"], order["total"], invoice["total"]
        ),
        "refundable_credits_issued": issued,
        "refundable_credits": max(0, order["amount_paid"] - issued),
    }
    if call.site.settings.credit_notes_move_orders:
        call.commit("order", changed, "order_updated")
    else:
        call.site.put("order", changed)


def _on_order(note: Row, order: Row, invoice: Row) -> Row:
    def portion(amount: int) -> int:
        return (
            amount
            if note.get("_order_id")
            else portion_minor(amount, order["total"], invoice["total"])
        )

    total = portion(note["total"])
    return {
        "id": note["id"],
        "type": note["type"],
        "status": note["status"],
        "amount": total,
        "amount_adjusted": total if note["status"] == "adjusted" else 0,
        "amount_refunded": portion(note["amount_refunded"]),
        "object": "linked_credit_note",
    }


def _new_note(
    call: Call, invoice: Row, given: Row, kind: str, total_minor: int, refunds: tuple[Row, ...]
) -> Row:
    lines = _lines(call.site, invoice, total_minor)
    now_s = call.site.now_s()
    is_adjustment = kind == "adjustment"
    note = {
        "id": f"CN-{call.site.next_number('credit_note')}",
        "customer_id": invoice["customer_id"],
        "subscription_id": invoice.get("subscription_id"),
        "reference_invoice_id": invoice["id"],
        "type": kind,
        "reason_code": given.get("reason_code"),
        "create_reason_code": given.get("create_reason_code")
        or _in_words(given.get("reason_code")),
        "status": "adjusted" if is_adjustment else "refund_due",
        "date": given.get("date") or now_s,
        "price_type": invoice["price_type"],
        "currency_code": invoice["currency_code"],
        "base_currency_code": invoice["base_currency_code"],
        "exchange_rate": invoice["exchange_rate"],
        "sub_total": sum(line["amount"] for line in lines),
        "total": total_minor,
        "amount_allocated": total_minor if is_adjustment else 0,
        "amount_refunded": 0,
        "amount_available": 0 if is_adjustment else total_minor,
        "fractional_correction": 0,
        "generated_at": now_s,
        "channel": "web",
        "deleted": False,
        "customer_notes": given.get("customer_notes"),
        "line_items": [shown(line) for line in lines],
        "line_item_discounts": [],
        "linked_refunds": [],
        "allocations": [],
        **{"taxes": [], "line_item_taxes": [], **money.tax_summary(lines)},
    }
    return without_nulls(_refunded(note, refunds) if refunds else note)


def _in_words(reason_code: str | None) -> str | None:
    return reason_code.replace("_", " ").title() if reason_code else None


def _refunded(note: Row, refunds: list[Row] | tuple[Row, ...]) -> Row:
    amount = sum(refund["amount"] for refund in refunds)
    rest = note["amount_available"] - amount
    linked = [
        {
            "txn_id": refund["id"],
            "applied_amount": refund["amount"],
            "applied_at": refund["date"],
            "txn_status": refund["status"],
            "txn_date": refund["date"],
            "txn_amount": refund["amount"],
            "object": "linked_refund",
        }
        for refund in refunds
    ]
    return {
        **note,
        "status": "refund_due" if rest else "refunded",
        "amount_refunded": note["amount_refunded"] + amount,
        "amount_available": rest,
        "refunded_at": refunds[-1]["date"],
        "linked_refunds": [*note["linked_refunds"], *linked],
    }


def _lines(site: Site, invoice: Row, total_minor: int) -> list[Row]:
    """The lines of the invoice at their portion of `total_minor`; taxes are prorated as the whole
    is [docs]."""
    is_inclusive = invoice["price_type"] == "tax_inclusive"
    held = invoice["line_items"]
    gross = money.spread(
        total_minor, [payable_minor(line, is_inclusive=is_inclusive) for line in held]
    )
    tax = money.spread(
        portion_minor(invoice["tax"], total_minor, invoice["total"]),
        [line["tax_amount"] for line in held],
    )
    lines = []
    for line, with_tax, of_it in zip(held, gross, tax, strict=True):
        amount = with_tax - (0 if is_inclusive else of_it)
        names = (
            "description",
            "entity_type",
            "entity_id",
            "date_from",
            "date_to",
            "is_taxed",
            "tax_rate",
        )
        row = {
            **{name: line.get(name) for name in names},
            "id": site.random_id("li_"),
            "reference_line_item_id": line["id"],
            "unit_amount": amount,
            "quantity": 1,
            "amount": amount,
            "tax_amount": of_it,
            "discount_amount": 0,
            "item_level_discount_amount": 0,
            "pricing_model": "flat_fee",
            "object": "line_item",
            "_taxes": [(name, rate, of_it) for name, rate, _ in line.get("_taxes", [])[:1]],
        }
        lines.append(without_nulls(row))
    return lines


def _linked(note: Row) -> Row:
    """The note as its invoice shows it."""
    row = {
        "cn_id": note["id"],
        "cn_reason_code": note.get("reason_code"),
        "cn_create_reason_code": note.get("create_reason_code"),
        "cn_date": note["date"],
        "cn_total": note["total"],
        "cn_status": note["status"],
        "object": _LISTS[note["type"]].removesuffix("s"),
    }
    return without_nulls(row)


def _with_status(invoice: Row, note: Row) -> Row:
    name = _LISTS[note["type"]]
    return {
        **invoice,
        name: [_linked(note) if each["cn_id"] == note["id"] else each for each in invoice[name]],
    }


def _without(invoice: Row, note: Row) -> Row:
    name = _LISTS[note["type"]]
    return {**invoice, name: [each for each in invoice[name] if each["cn_id"] != note["id"]]}
