"""How orders come from invoices, and how a payment and a link carry over between the two.

An order is a shipment: it holds the shippable lines of its invoice and their share of the amount.
Chargebee generates it when the invoice is paid, imported invoices included, or in unpaid statuses
that the site has chosen. Source: Chargebee's API description, Order;
chargebee.com/docs/2.0/orders.html and order-scheduling.html.
"""

from collections.abc import Sequence
from functools import partial
from typing import Final

from simulators.chargebee import money
from simulators.chargebee.calls import Call
from simulators.chargebee.order_shares import payable_minor, portion_minor, shares, shipped_lines
from simulators.chargebee.settings import Settings
from simulators.chargebee.site import Actor, Row, Site

MONTH_S: Final = 30 * 86_400
_INVOICE_NAMES: Final = ("currency_code", "price_type", "customer_id", "subscription_id")


def orders_follow(call: Call, invoice_id: str) -> None:
    """Tell the orders of an invoice that it has been paid, and generate those that are due, now or
    later."""
    invoice = call.table("invoice").get(invoice_id)
    if invoice["status"] == "paid":
        carry_payment(call, invoice)
    if not _wants_orders(call.site, invoice):
        return
    delay_s = call.site.settings.late_orders_s
    if delay_s <= 0:
        _generate(call, invoice)
        return
    due_ms = call.site.now_ms() + int(delay_s * 1000)
    call.site.put("invoice", {**invoice, "_orders_due_ms": due_ms})
    _schedule(call.site, invoice_id, delay_s)


def resume_orders(site: Site) -> None:
    """Schedule anew the orders that were to come late when the rows were stored."""
    for invoice in site.tables["invoice"].rows():
        if "_orders_due_ms" in invoice and _wants_orders(site, invoice):
            _schedule(site, invoice["id"], (invoice["_orders_due_ms"] - site.now_ms()) / 1000)


def _schedule(site: Site, invoice_id: str, delay_s: float) -> None:
    later = Call(site, path_ids=(invoice_id,), actor=Actor(user="", source="scheduled_job"))
    site.schedule(delay_s, partial(_generate_late, later))


def _generate_late(call: Call) -> None:
    invoice = call.current("invoice")
    if _wants_orders(call.site, invoice):
        _generate(call, invoice)


def _wants_orders(site: Site, invoice: Row) -> bool:
    """Whether orders of this invoice are still to be generated. One that was imported for it
    changes nothing."""
    settings = site.settings
    if invoice["deleted"] or not settings.orders_enabled or _is_left_alone(settings, invoice):
        return False
    if any(not order["_is_imported"] for order in site.orders_of(invoice["id"])):
        return False
    return bool(shipped_lines(invoice, includes_others=False))


def _is_left_alone(settings: Settings, invoice: Row) -> bool:
    if invoice["_is_imported"] and not settings.orders_for_imported_invoices:
        return True
    return invoice["status"] != "paid" and invoice["status"] not in settings.order_invoice_statuses


def _generate(call: Call, invoice: Row) -> None:
    settings = call.site.settings
    lines = shipped_lines(invoice, includes_others=settings.include_non_shippable_in_orders)
    count = settings.shipments_per_invoice
    held = shares(lines, count, settings.shipment_remainder)
    rest = _payable(invoice, lines) - sum(_payable(invoice, each) for each in held)
    for n, each in enumerate(held):
        at_s = invoice["date"] + n * MONTH_S
        row = order_row(call, invoice, each, rounding_minor=rest if n == count - 1 else 0)
        numbered = {
            **row,
            "document_number": document_number(call.site),
            "order_date": at_s,
            "shipping_date": at_s,
        }
        call.commit("order", numbered, "order_created")


def _payable(invoice: Row, lines: Sequence[Row]) -> int:
    is_inclusive = invoice["price_type"] == "tax_inclusive"
    return sum(payable_minor(line, is_inclusive=is_inclusive) for line in lines)


def carry_payment(call: Call, invoice: Row) -> None:
    """Carry what has been paid of `invoice`, or is not paid any more, over to its orders."""
    for row in call.site.orders_of(invoice["id"]):
        call.commit("order", with_payment(row, invoice), "order_updated")


def with_payment(order: Row, invoice: Row) -> Row:
    """The order with its portion of what is paid and adjusted on the invoice, spread over its
    lines."""
    is_paid = invoice["status"] == "paid"
    lines = order["order_line_items"]
    due = [line["fulfillment_amount"] for line in lines]
    sums = {
        name: portion_minor(invoice[name], order["total"], invoice["total"])
        for name in ("amount_paid", "amount_adjusted")
    }
    # A round-off is paid too, but of no line.
    parts = {name: money.spread(min(amount, sum(due)), due) for name, amount in sums.items()}
    carried = [{**line, **{name: parts[name][n] for name in parts}} for n, line in enumerate(lines)]
    return {
        **order,
        **sums,
        "payment_status": "paid" if is_paid else "not_paid",
        "paid_on": invoice.get("paid_at") if is_paid else None,
        "refundable_credits": max(0, sums["amount_paid"] - order["refundable_credits_issued"]),
        "order_line_items": carried,
    }


def linked_orders(site: Site, invoice_id: str) -> list[Row]:
    names = (
        "id",
        "document_number",
        "status",
        "order_type",
        "reference_id",
        "fulfillment_status",
        "batch_id",
        "created_at",
    )
    return [
        {**{name: row[name] for name in names if name in row}, "object": "linked_order"}
        for row in site.orders_of(invoice_id)
    ]


def document_number(site: Site) -> str:
    return f"ORDER-{site.next_number('order_document')}"


def _free_number(call: Call) -> str:
    while call.table("order").find(number := call.site.next_number("order")) is not None:
        pass
    return number


def order_row(call: Call, invoice: Row, lines: Sequence[Row], *, rounding_minor: int = 0) -> Row:
    """A queued order of `lines`, which are those of the invoice or shares of them.

    The invoice's round-off belongs to an order only where that holds the whole invoice.
    """
    is_whole = list(lines) == invoice["line_items"]
    round_off = invoice.get("round_off_amount") if is_whole else None
    sums = money.totals(
        lines, is_inclusive=invoice["price_type"] == "tax_inclusive", round_off_minor=round_off or 0
    )
    now_s = call.site.now_s()
    row = {
        "id": _free_number(call),
        "invoice_id": invoice["id"],
        "status": "queued",
        "order_type": "system_generated",
        "order_date": invoice["date"],
        "shipping_date": invoice["date"],
        "created_at": now_s,
        "status_update_at": now_s,
        "created_by": call.actor.user[:50] or None,
        "sub_total": sums["sub_total"],
        "discount": sums["_discount"],
        "tax": sums["tax"],
        "total": sums["total"] + rounding_minor,
        "refundable_credits_issued": 0,
        "rounding_adjustement": rounding_minor,
        "invoice_round_off_amount": round_off,
        "is_resent": False,
        "is_gifted": False,
        "deleted": False,
        "linked_credit_notes": [],
        "resent_orders": [],
        "_is_imported": False,
        "line_item_taxes": money.tax_summary(lines).get("line_item_taxes"),
        "line_item_discounts": money.discount_summary(lines).get("line_item_discounts"),
        "billing_address": invoice.get("billing_address"),
        "shipping_address": invoice.get("shipping_address"),
        **{name: invoice.get(name) for name in _INVOICE_NAMES},
        "order_line_items": [_order_line(call.site, invoice, line) for line in lines],
    }
    return with_payment(row, invoice)


def _order_line(site: Site, invoice: Row, line: Row) -> Row:
    row = {
        "id": site.random_id("oli_"),
        "invoice_id": invoice["id"],
        "invoice_line_item_id": line["id"],
        "entity_type": line["entity_type"],
        "entity_id": line.get("entity_id"),
        "description": line["description"],
        "unit_price": line["unit_amount"],
        "fulfillment_quantity": line["quantity"],
        "amount": line["amount"],
        "discount_amount": line["discount_amount"] + line["item_level_discount_amount"],
        "item_level_discount_amount": line["item_level_discount_amount"],
        "tax_amount": line["tax_amount"],
        "fulfillment_amount": payable_minor(
            line, is_inclusive=invoice["price_type"] == "tax_inclusive"
        ),
        "amount_paid": 0,
        "amount_adjusted": 0,
        "refundable_credits": 0,
        "refundable_credits_issued": 0,
        # Shown only where a site has others beside them [docs].
        "is_shippable": line["_is_shippable"]
        if site.settings.include_non_shippable_in_orders
        else None,
        "sku": line["_sku"],
        "status": "queued",
        "object": "order_line_item",
    }
    return {name: value for name, value in row.items() if value is not None}
