"""Imported invoices: amounts and taxes are taken as given, but must add up."""

from collections.abc import Mapping
from typing import Any, Final

from simulators.chargebee import money
from simulators.chargebee.calls import Call
from simulators.chargebee.errors import wrong_value
from simulators.chargebee.fields import (
    Fields,
    choice,
    currency,
    integer,
    number,
    read,
    text,
    timestamp,
    without_nulls,
)
from simulators.chargebee.invoice_lines import line_item
from simulators.chargebee.invoices import (
    PAYMENT_METHODS,
    STATUSES,
    invoice_row,
    linked_payment,
    payment_row,
    store_invoice,
    with_orders,
)
from simulators.chargebee.params import rows
from simulators.chargebee.site import Row

_TAX_SLOTS: Final = range(1, 11)
_RECURRING_ENTITIES: Final = ("plan_item_price", "addon_item_price", "plan_setup")
_ITEM_DISCOUNTS: Final = ("item_level_coupon", "item_level_discount")
_HEADER: Final[Fields] = {
    "id": text(50),
    "customer_id": text(50),
    "subscription_id": text(50),
    "date": timestamp,
    "total": integer(0),
    "currency_code": currency,
    "price_type": choice("tax_exclusive", "tax_inclusive"),
    "status": choice(*STATUSES),
    "po_number": text(100),
    "due_date": timestamp,
    "net_term_days": integer(0),
    "round_off": integer(-99, 99),
    "voided_at": timestamp,
    "tax_override_reason": choice("id_exempt", "customer_exempt", "export"),
    "vat_number": text(20),
    "vat_number_prefix": text(10),
    "is_written_off": choice("true", "false"),
}
_LINE: Final[Fields] = {
    "id": text(40),
    "date_from": timestamp,
    "date_to": timestamp,
    "subscription_id": text(50),
    "description": text(250),
    "unit_amount": integer(),
    "quantity": integer(1),
    "amount": integer(),
    "entity_type": choice("adhoc", "charge_item_price", *_RECURRING_ENTITIES),
    "entity_id": text(100),
    "item_level_discount1_entity_id": text(100),
    "item_level_discount1_amount": integer(0),
    **{f"tax{n}_name": text(50) for n in _TAX_SLOTS},
    **{f"tax{n}_amount": integer(0) for n in _TAX_SLOTS},
}
_TAX: Final[Fields] = {
    "name": text(100),
    "rate": number,
    "amount": integer(0),
    "description": text(50),
    "juris_type": text(20),
    "juris_name": text(250),
    "juris_code": text(250),
}
_DISCOUNT: Final[Fields] = {
    "entity_type": choice(
        *_ITEM_DISCOUNTS,
        "document_level_coupon",
        "document_level_discount",
        "promotional_credits",
        "prorated_credits",
    ),
    "entity_id": text(100),
    "description": text(250),
    "amount": integer(0),
    "line_item_id": text(40),
}
_PAYMENT: Final[Fields] = {
    "id": text(40),
    "amount": integer(1),
    "payment_method": choice(*PAYMENT_METHODS),
    "date": timestamp,
    "reference_number": text(100),
}


def import_invoice(call: Call) -> dict[str, Any]:
    """An invoice with history from elsewhere. Raises 400 when ids, lines, taxes, totals or payments
    do not fit."""
    given = read(call.params, _HEADER, required=("id", "date", "total", "currency_code"))
    if given.get("customer_id") is None:
        raise wrong_value("customer_id", "cannot be blank without a subscription")
    customer = call.buyer(given["customer_id"])
    call.table("invoice").refuse_duplicate_id(given["id"])
    rates = _tax_rates(call)
    status = given.get("status") or "paid"
    if status == "pending" and rates:
        raise wrong_value("taxes[name][0]", "are not allowed with status pending")
    code = given["currency_code"]
    lines = [
        _line(call, index, cells, rates, code) for index, cells in rows(call.params, "line_items")
    ]
    if not lines:
        raise wrong_value("line_items[description][0]", "at least one line item is needed")
    _apply_discounts(call, lines)
    row = invoice_row(
        call,
        customer,
        {**given, "invoice_date": given["date"]},
        lines,
        price_type=given.get("price_type") or call.site.settings.price_type,
    )
    if row["total"] != given["total"]:
        raise wrong_value("total", f"is {given['total']}, but the lines add up to {row['total']}")
    imported = {
        **row,
        "status": status,
        "_is_imported": True,
        "due_date": given.get("due_date") or row["due_date"],
    }
    imported = _with_payments(call, imported)
    store_invoice(call, imported, "invoice_generated")
    return with_orders(call, row["id"])


def _tax_rates(call: Call) -> dict[str, float]:
    rates = {}
    for index, cells in rows(call.params, "taxes"):
        given = read(cells, _TAX, f"taxes[{{}}][{index}]", required=("name", "rate"))
        rates[given["name"]] = given["rate"]
    return rates


def _line(
    call: Call, index: str, cells: Row, rates: Mapping[str, float], currency_code: str
) -> Row:
    wire = f"line_items[{{}}][{index}]"
    given = without_nulls(read(cells, _LINE, wire, required=("description",)))
    quantity = given.get("quantity", 1)
    amount = given.get("amount", given.get("unit_amount", 0) * quantity)
    unit_amount = given.get("unit_amount", amount if quantity == 1 else None)
    if unit_amount is None or unit_amount * quantity != amount:
        raise wrong_value(wire.format("amount"), "should be unit_amount times quantity")
    if amount < 0 and not call.site.settings.imported_lines_may_be_negative:
        # The official schema gives no minimum here, as it does beside it; whether one is taken is
        # unproven.
        raise wrong_value(wire.format("amount"), "should not be negative")
    values = {
        **{
            name: given.get(name)
            for name in ("id", "description", "date_from", "date_to", "entity_id")
        },
        "entity_type": given.get("entity_type", "adhoc"),
        "unit_amount": unit_amount,
        "quantity": quantity,
        "amount": amount,
        "pricing_model": "per_unit",
        "item_level_discount_amount": given.get("item_level_discount1_amount", 0),
        **_entity(call, given, wire, currency_code),
        **_taxes(given, rates, wire),
    }
    return line_item(call.site, values)


def _entity(call: Call, given: Row, wire: str, currency_code: str) -> Row:
    entity_type = given.get("entity_type", "adhoc")
    if entity_type in _RECURRING_ENTITIES:
        raise wrong_value(wire.format("entity_type"), "recurring items need a subscription")
    if entity_type == "adhoc":
        return {}
    param = wire.format("entity_id")
    if "entity_id" not in given:
        raise wrong_value(param, "cannot be blank")
    price = call.table("item_price").get(given["entity_id"], param)
    if price["status"] == "deleted":
        raise wrong_value(param, "is an item price that was deleted")
    if price["item_type"] != "charge" or price["currency_code"] != currency_code:
        raise wrong_value(param, f"should be an item price of type charge in {currency_code}")
    item = call.table("item").get(price["item_id"])
    return {
        "_is_shippable": item["is_shippable"],
        "_sku": price.get("accounting_detail", {}).get("sku"),
    }


def _taxes(given: Row, rates: Mapping[str, float], wire: str) -> Row:
    found = []
    for slot in _TAX_SLOTS:
        name, amount = given.get(f"tax{slot}_name"), given.get(f"tax{slot}_amount")
        if (name is None) != (amount is None):
            raise wrong_value(
                wire.format(f"tax{slot}_{'name' if name is None else 'amount'}"), "cannot be blank"
            )
        if name is None or amount is None:
            continue
        if name not in rates:
            raise wrong_value(wire.format(f"tax{slot}_name"), "is not among taxes[name]")
        found.append((name, rates[name], amount))
    total = sum(amount for _, _, amount in found)
    return (
        {"_taxes": found, "tax_amount": total, "is_taxed": bool(found), "tax_rate": found[0][1]}
        if found
        else {}
    )


def _apply_discounts(call: Call, lines: list[Row]) -> None:
    """Discounts of one line, or of the document, which its lines share in proportion to what is
    left of them."""
    for index, cells in rows(call.params, "discounts"):
        wire = f"discounts[{{}}][{index}]"
        given = read(cells, _DISCOUNT, wire, required=("entity_type", "amount"))
        is_on_line = given["entity_type"] in _ITEM_DISCOUNTS
        if is_on_line and not given.get("line_item_id"):
            raise wrong_value(
                wire.format("line_item_id"), "cannot be blank for an item level discount"
            )
        chosen = [line for line in lines if given.get("line_item_id") in (None, line["id"])]
        if not chosen:
            raise wrong_value(wire.format("line_item_id"), "is not among the line items")
        name = "item_level_discount_amount" if is_on_line else "discount_amount"
        left = [
            line["amount"] - line["discount_amount"] - line["item_level_discount_amount"]
            for line in chosen
        ]
        if given["amount"] > sum(left):
            raise wrong_value(wire.format("amount"), "is more than the line items amount to")
        for line, part in zip(chosen, money.spread(given["amount"], left), strict=True):
            line[name] += part


def _with_payments(call: Call, row: Row) -> Row:
    """Payments of the import; a paid invoice needs them in full, no other may have that."""
    payments = []
    for index, cells in rows(call.params, "payments"):
        wire = f"payments[{{}}][{index}]"
        given = read(cells, _PAYMENT, wire, required=("amount", "payment_method"))
        payments.append(
            payment_row(call.site, row, given, given["amount"], given.get("date") or row["date"])
        )
    paid = sum(payment["amount"] for payment in payments)
    is_full = paid == row["total"]
    if paid > row["total"] or (row["status"] == "paid") != is_full:
        raise wrong_value(
            "payments[amount][0]",
            f"add up to {paid} of {row['total']}, which does not fit the status",
        )
    paid_at_s = (
        max((payment["date"] for payment in payments), default=row["date"]) if is_full else None
    )
    return {
        **row,
        "amount_paid": paid,
        "amount_due": row["total"] - paid,
        "paid_at": paid_at_s,
        "linked_payments": [linked_payment(payment) for payment in payments],
    }
