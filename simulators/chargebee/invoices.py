"""Invoices as far as orders need them: charges, payments, linked orders."""

from collections.abc import Sequence
from typing import Any, Final

from simulators.chargebee import money
from simulators.chargebee.calls import Call
from simulators.chargebee.errors import invalid_state, wrong_value
from simulators.chargebee.fields import (
    Fields,
    as_address,
    choice,
    currency,
    integer,
    read,
    read_address,
    text,
    timestamp,
)
from simulators.chargebee.invoice_lines import apply_discounts, apply_tax, charge_lines, price_lines
from simulators.chargebee.listing import Listing
from simulators.chargebee.order_rows import linked_orders, orders_follow
from simulators.chargebee.params import sub
from simulators.chargebee.replies import list_reply
from simulators.chargebee.site import Row, Site, shown

STATUSES: Final = ("paid", "posted", "payment_due", "not_paid", "voided", "pending")
PAYMENT_METHODS: Final = (
    "card",
    "cash",
    "check",
    "chargeback",
    "bank_transfer",
    "amazon_payments",
    "paypal_express_checkout",
    "direct_debit",
    "ach_credit",
    "sepa_credit",
    "other",
    "app_store",
    "play_store",
    "custom",
)
_DAY_S: Final = 86_400
_LISTING: Final = Listing(
    {
        "id": "id",
        "customer_id": "id",
        "subscription_id": "id",
        "status": "enum",
        "date": "time",
        "paid_at": "time",
        "total": "number",
        "amount_paid": "number",
        "amount_due": "number",
        "updated_at": "time",
        "voided_at": "time",
        "recurring": "bool",
        "price_type": "enum",
        "channel": "enum",
    },
    ("date", "updated_at"),
    enums={"status": STATUSES},
)
_HEADER: Final[Fields] = {
    "customer_id": text(50),
    "currency_code": currency,
    "po_number": text(100),
    "invoice_date": timestamp,
    "invoice_note": text(2000),
    "net_term_days": integer(0),
    "auto_collection": choice("on", "off"),
    "subscription_id": text(50),
}
_TRANSACTION: Final[Fields] = {
    "payment_method": choice(*PAYMENT_METHODS),
    "amount": integer(0),
    "date": timestamp,
    "reference_number": text(100),
    "id": text(40),
}
REFUND: Final[Fields] = {**_TRANSACTION, "amount": integer(1)}
_ONLINE: Final = frozenset(
    {
        "card",
        "amazon_payments",
        "paypal_express_checkout",
        "direct_debit",
        "ach_credit",
        "sepa_credit",
    }
)


def show_invoice(site: Site, row: Row) -> Row:
    """The invoice as replies and events carry it, with the orders that belong to it."""
    orders = linked_orders(site, row["id"])
    lines = [shown(line) for line in row["line_items"]]
    return {**shown(row), "line_items": lines, **({"linked_orders": orders} if orders else {})}


def list_all(call: Call) -> dict[str, Any]:
    return list_reply(
        call, "invoice", _LISTING, hides_deleted=True, show=lambda row: show_invoice(call.site, row)
    )


def retrieve(call: Call) -> dict[str, Any]:
    return {"invoice": show_invoice(call.site, call.current("invoice"))}


def create_for_charges(call: Call) -> dict[str, Any]:
    """Charge-type item prices and ad-hoc charges; tax is computed, nothing is collected."""
    given = read(call.params, _HEADER, required=("customer_id", "currency_code"))
    customer = call.buyer(given["customer_id"])
    lines = [*price_lines(call, given["currency_code"]), *charge_lines(call)]
    if not lines:
        raise wrong_value(
            "item_prices[item_price_id][0]", "at least one item price or charge is needed"
        )
    apply_discounts(call, lines)
    apply_tax(call.site, lines, is_taxable=customer.get("taxability", "taxable") == "taxable")
    row = invoice_row(call, customer, given, lines)
    if row["total"] == 0:
        row = {**row, "status": "paid", "paid_at": call.site.now_s()}
    store_invoice(call, row, "invoice_generated")
    return with_orders(call, row["id"])


def record_payment(call: Call) -> dict[str, Any]:
    """Records an offline payment; a full one sets `paid` and generates orders of what is
    shippable."""
    row = call.live("invoice")
    given = read(
        sub(call.params, "transaction"),
        _TRANSACTION,
        "transaction[{}]",
        required=("payment_method",),
    )
    if row["status"] in ("paid", "voided", "pending"):
        raise invalid_state(f"A payment cannot be recorded for an invoice that is {row['status']}")
    amount = row["amount_due"] if given.get("amount") is None else given["amount"]
    if amount > row["amount_due"]:
        raise wrong_value("transaction[amount]", "cannot be greater than the amount due")
    paid_at_s = given.get("date") or call.site.now_s()
    payment = payment_row(call.site, row, given, amount, paid_at_s)
    row = {
        **row,
        "amount_paid": row["amount_paid"] + amount,
        "amount_due": row["amount_due"] - amount,
        "linked_payments": [*row["linked_payments"], linked_payment(payment)],
    }
    saved = call.site.save("invoice", settled(row, paid_at_s))
    content = {
        "transaction": payment,
        "invoice": show_invoice(call.site, saved),
        **customer_of(call, saved),
    }
    call.site.emit("payment_succeeded", content, call.actor)
    call.site.emit("invoice_updated", {"invoice": content["invoice"]}, call.actor)
    return {**with_orders(call, row["id"]), "transaction": payment}


def settled(row: Row, at_s: int) -> Row:
    """The invoice as paid at `at_s` where nothing is due any more, else as it is."""
    return row if row["amount_due"] else {**row, "status": "paid", "paid_at": at_s}


def unpaid_status(call: Call, row: Row) -> str:
    """The status of an invoice on which an amount is due again: a paid one goes by its due date
    [docs]."""
    if row["status"] != "paid":
        return str(row["status"])
    if row["due_date"] > call.site.now_s():
        return "posted"
    customer = call.table("customer").get(row["customer_id"])
    return "payment_due" if customer["auto_collection"] == "off" else "not_paid"


def reopened(row: Row, status: str) -> Row:
    """The invoice with an amount due again."""
    return row if row["amount_due"] == 0 else {**row, "status": status, "paid_at": None}


def with_orders(call: Call, invoice_id: str) -> dict[str, Any]:
    """The reply `{"invoice": ...}` after the orders have followed what the invoice has become."""
    orders_follow(call, invoice_id)
    return {"invoice": show_invoice(call.site, call.table("invoice").get(invoice_id))}


def customer_of(call: Call, invoice: Row) -> dict[str, Any]:
    """`{"customer": ...}` as events about money carry it."""
    return {"customer": shown(call.table("customer").get(invoice["customer_id"]))}


def store_invoice(call: Call, row: Row, event_type: str) -> dict[str, Any]:
    """Save the invoice, emit its event and return the reply `{"invoice": ...}`."""
    content = {"invoice": show_invoice(call.site, call.site.save("invoice", row))}
    call.site.emit(event_type, content, call.actor)
    return content


def payment_row(
    site: Site, invoice: Row, given: Row, amount: int, date_s: int, *, kind: str = "payment"
) -> Row:
    row = {
        "id": given.get("id") or site.random_id("txn_"),
        "customer_id": invoice["customer_id"],
        "type": kind,
        "payment_method": given["payment_method"],
        "reference_number": given.get("reference_number"),
        "date": date_s,
        "amount": amount,
        "status": "success",
        "currency_code": invoice["currency_code"],
        "gateway": "not_applicable",
        "deleted": False,
    }
    return site.save("transaction", row)


def is_online(site: Site, linked: Row) -> bool:
    """Whether a payment went through a gateway; the simulator goes by its method."""
    return site.tables["transaction"].get(linked["txn_id"])["payment_method"] in _ONLINE


def linked_payment(payment: Row) -> Row:
    return {
        "txn_id": payment["id"],
        "applied_amount": payment["amount"],
        "applied_at": payment["date"],
        "txn_status": payment["status"],
        "txn_date": payment["date"],
        "txn_amount": payment["amount"],
        "object": "linked_payment",
    }


def invoice_row(
    call: Call, customer: Row, given: Row, lines: Sequence[Row], *, price_type: str | None = None
) -> Row:
    """A new invoice of `lines`, unpaid, with totals, taxes and addresses."""
    price_type = price_type or call.site.settings.price_type
    date_s = given.get("invoice_date") or call.site.now_s()
    term_days = (
        customer["net_term_days"] if given.get("net_term_days") is None else given["net_term_days"]
    )
    sums = money.totals(
        lines,
        is_inclusive=price_type == "tax_inclusive",
        round_off_minor=given.get("round_off") or 0,
    )
    address = as_address(read_address(call.params, "shipping_address"), "shipping_address")
    billing = as_address(read_address(call.params, "billing_address"), "billing_address")
    return {
        "id": given.get("id") or _free_number(call),
        "customer_id": customer["id"],
        "recurring": False,
        "status": "payment_due",
        "price_type": price_type,
        "date": date_s,
        "due_date": date_s + term_days * _DAY_S,
        "net_term_days": term_days,
        "currency_code": given["currency_code"],
        "po_number": given.get("po_number"),
        **sums,
        "amount_paid": 0,
        "amount_adjusted": 0,
        "write_off_amount": 0,
        "credits_applied": 0,
        "amount_due": sums["total"],
        "amount_to_collect": 0,
        "round_off_amount": given.get("round_off"),
        "deleted": False,
        "first_invoice": False,
        "has_advance_charges": False,
        "is_gifted": False,
        "term_finalized": True,
        "channel": "web",
        "generated_at": call.site.now_s(),
        "exchange_rate": 1.0,
        "base_currency_code": "NOK",
        "line_items": list(lines),
        "linked_payments": [],
        "applied_credits": [],
        "adjustment_credit_notes": [],
        "issued_credit_notes": [],
        "dunning_attempts": [],
        "_is_imported": False,
        "shipping_address": address,
        "billing_address": billing or customer.get("billing_address"),
        "vat_number": customer.get("vat_number"),
        **money.tax_summary(lines),
        **money.discount_summary(lines),
    }


def _free_number(call: Call) -> str:
    while call.table("invoice").find(number_ := call.site.next_number("invoice")) is not None:
        pass
    return number_
