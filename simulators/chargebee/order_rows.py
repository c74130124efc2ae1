"""How orders come from invoices, and how a payment and a link carry over between the two."""

from typing import Final

from simulators.chargebee.calls import Call
from simulators.chargebee.site import Row, Site

_MONEY_NAMES: Final = ("sub_total", "tax", "total", "currency_code", "price_type", "customer_id", "subscription_id")


def generate_order(call: Call, invoice: Row) -> None:
    """The order that Chargebee makes by itself when an invoice with a shippable line is paid."""
    row = {**order_row(call, invoice), "document_number": document_number(call.site)}
    call.commit("order", row, "order_created")


def mark_orders_paid(call: Call, invoice: Row) -> bool:
    """Carry the payment of `invoice` over to its orders; False when it has none."""
    found = call.site.orders_of(invoice["id"])
    for row in found:
        lines = [{**line, "amount_paid": line["fulfillment_amount"]} for line in row["order_line_items"]]
        paid = {"payment_status": "paid", "paid_on": invoice["paid_at"], "amount_paid": invoice["amount_paid"]}
        call.commit("order", {**row, **paid, "order_line_items": lines}, "order_updated")
    return bool(found)


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


def order_row(call: Call, invoice: Row) -> Row:
    is_paid = invoice["status"] == "paid"
    now_s = call.site.now_s()
    return {
        "id": _free_number(call),
        "invoice_id": invoice["id"],
        "status": "queued",
        "order_type": "system_generated",
        "payment_status": "paid" if is_paid else "not_paid",
        "paid_on": invoice.get("paid_at"),
        "order_date": invoice["date"],
        "shipping_date": invoice["date"],
        "created_at": now_s,
        "status_update_at": now_s,
        "created_by": call.actor.user[:50],
        "discount": invoice["_discount"],
        "amount_paid": invoice["amount_paid"],
        "amount_adjusted": 0,
        "refundable_credits": 0,
        "refundable_credits_issued": 0,
        "rounding_adjustement": 0,
        "invoice_round_off_amount": invoice.get("round_off_amount"),
        "is_resent": False,
        "is_gifted": False,
        "deleted": False,
        "linked_credit_notes": [],
        "resent_orders": [],
        "_is_imported": False,
        "line_item_taxes": invoice.get("line_item_taxes"),
        "line_item_discounts": invoice.get("line_item_discounts"),
        "billing_address": invoice.get("billing_address"),
        "shipping_address": invoice.get("shipping_address"),
        **{name: invoice.get(name) for name in _MONEY_NAMES},
        "order_line_items": [_order_line(call.site, invoice, line, is_paid) for line in invoice["line_items"]],
    }


def _order_line(site: Site, invoice: Row, line: Row, is_paid: bool) -> Row:
    tax = 0 if invoice["price_type"] == "tax_inclusive" else line["tax_amount"]
    discount = line["discount_amount"] + line["item_level_discount_amount"]
    payable = line["amount"] - discount + tax
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
        "discount_amount": discount,
        "item_level_discount_amount": line["item_level_discount_amount"],
        "tax_amount": line["tax_amount"],
        "fulfillment_amount": payable,
        "amount_paid": payable if is_paid else 0,
        "amount_adjusted": 0,
        "refundable_credits": 0,
        "refundable_credits_issued": 0,
        "is_shippable": line["_is_shippable"],
        "sku": line["_sku"],
        "status": "queued",
        "object": "order_line_item",
    }
    return {name: value for name, value in row.items() if value is not None}
