"""What undoes an invoice or its payment: void, delete, a payment that is removed, refunds.

Chargebee voids only what is unpaid and uncredited: of a paid invoice the payment is removed first.
A refund changes neither the status nor the amounts of the invoice; it is a credit note that is paid
back at once. Source: apidocs.chargebee.com, void an invoice, remove payment, refund, record refund.
"""

from typing import Any

from simulators.chargebee.calls import Call
from simulators.chargebee.credit_notes import (
    REASON,
    REMARKS,
    UNPAID,
    dated,
    issue,
    refundable_minor,
    tell_refund,
)
from simulators.chargebee.errors import invalid_state, not_found, wrong_value
from simulators.chargebee.fields import integer, read, text
from simulators.chargebee.invoices import (
    REFUND,
    is_online,
    payment_row,
    reopened,
    show_invoice,
    store_invoice,
    unpaid_status,
)
from simulators.chargebee.order_rows import carry_payment
from simulators.chargebee.orders import cancelled_for
from simulators.chargebee.params import sub
from simulators.chargebee.site import Row, shown


def void(call: Call) -> dict[str, Any]:
    """Refused while a payment is linked, or a part is adjusted, refunded or to be refunded [docs].

    Whether its orders are cancelled then is not documented beyond the reason `invoice_voided`; the
    setting `void_cancels_orders` decides. `void_with_credit_note` is the site's setting of that
    name.
    """
    row = call.live("invoice")
    read(call.params, {"comment": text(300), "void_reason_code": text(100)})
    if row["status"] not in UNPAID:
        raise invalid_state(
            f"The invoice is {row['status']}; only one that is {' or '.join(UNPAID)} can be voided"
        )
    if any(each["txn_status"] in ("success", "in_progress") for each in row["linked_payments"]):
        raise invalid_state("The invoice has payments; remove them first")
    if row["amount_adjusted"]:
        raise invalid_state(
            "The invoice is adjusted; void or delete its adjustment credit notes first"
        )
    _refuse_credited(row)
    voided = {**row, "status": "voided", "voided_at": call.site.now_s()}
    if call.site.settings.void_with_credit_note and row["amount_due"]:
        issue(call, voided, {"create_reason_code": "Invoice Void"}, "adjustment", row["amount_due"])
    else:
        store_invoice(call, voided, "invoice_updated")
    if call.site.settings.void_cancels_orders:
        cancelled_for(call, row["id"], "invoice_voided")
    return {"invoice": show_invoice(call.site, call.table("invoice").get(row["id"]))}


def delete(call: Call) -> dict[str, Any]:
    """The invoice is shown with `deleted` from then on; its orders stay."""
    row = call.live("invoice")
    read(call.params, {"comment": text(300)})
    _refuse_credited(row)
    return store_invoice(call, {**row, "deleted": True}, "invoice_deleted")


def remove_payment(call: Call) -> dict[str, Any]:
    """Takes a payment off the invoice, which is due again; refused once a part is refunded or to be
    refunded [docs]."""
    row = call.live("invoice")
    given = read(
        sub(call.params, "transaction"), {"id": text(40)}, "transaction[{}]", required=("id",)
    )
    _refuse_credited(row)
    linked = next((each for each in row["linked_payments"] if each["txn_id"] == given["id"]), None)
    if linked is None:
        raise not_found("transaction", given["id"], "transaction[id]")
    rest = {
        **row,
        "amount_paid": row["amount_paid"] - linked["applied_amount"],
        "amount_due": row["amount_due"] + linked["applied_amount"],
        "linked_payments": [each for each in row["linked_payments"] if each is not linked],
    }
    store_invoice(call, reopened(rest, unpaid_status(call, row)), "invoice_updated")
    invoice = call.table("invoice").get(row["id"])
    if row["status"] == "paid":
        carry_payment(call, invoice)
    transaction = call.table("transaction").get(given["id"])
    return {"invoice": show_invoice(call.site, invoice), "transaction": transaction}


def refund(call: Call) -> dict[str, Any]:
    """Pays an online payment back (here: one by card, direct debit or wallet); offline ones are
    recorded."""
    row = call.live("invoice")
    given = read(call.params, {"refund_amount": integer(1), **REMARKS})
    online = [each for each in row["linked_payments"] if is_online(call.site, each)]
    if not online:
        raise invalid_state(
            "The invoice has no online payment to refund; record the refund instead"
        )
    limit = min(refundable_minor(row), sum(each["applied_amount"] for each in online))
    method = call.table("transaction").get(online[-1]["txn_id"])["payment_method"]
    return _refund(
        call, row, {"payment_method": method}, "refund_amount", given.get("refund_amount"), limit
    )


def record_refund(call: Call) -> dict[str, Any]:
    """Records that a payment, or a part of it, has been paid back outside Chargebee."""
    row = call.live("invoice")
    given = read(
        sub(call.params, "transaction"),
        REFUND,
        "transaction[{}]",
        required=("payment_method", "date"),
    )
    read(call.params, REMARKS)
    if not row["date"] <= given["date"] <= call.site.now_s():
        raise wrong_value("transaction[date]", "should be from the date of the invoice to today")
    return _refund(
        call, row, given, "transaction[amount]", given.get("amount"), refundable_minor(row)
    )


def record_refund_today(call: Call) -> dict[str, Any]:
    """As `record_refund`, with the present for the date."""
    return record_refund(dated(call))


def _refund(
    call: Call, row: Row, given: Row, param: str, wanted: int | None, limit: int
) -> dict[str, Any]:
    amount = limit if wanted is None else wanted
    if row["status"] == "voided" or limit <= 0:
        raise invalid_state("The invoice has no refundable amount")
    if amount > limit:
        raise wrong_value(param, f"cannot be greater than {limit}")
    at_s = given.get("date") or call.site.now_s()
    transaction = payment_row(call.site, row, given, amount, at_s, kind="refund")
    reason = read(sub(call.params, "credit_note"), REASON, "credit_note[{}]")
    note = issue(call, row, {**reason, "date": at_s}, "refundable", amount, refunds=(transaction,))
    invoice = call.table("invoice").get(row["id"])
    tell_refund(call, transaction, note, invoice)
    return {
        "invoice": show_invoice(call.site, invoice),
        "transaction": transaction,
        "credit_note": shown(note),
    }


def _refuse_credited(row: Row) -> None:
    if any(each["cn_status"] in ("refunded", "refund_due") for each in row["issued_credit_notes"]):
        raise invalid_state("The invoice has refunds or refundable credit notes")
