"""A Chargebee invoice as one canonical order, for tenants whose invoices are the sales. Pure.

The invoice is put into the form of an order of Chargebee that holds all of it, so that amounts are
read, and refused, by one code.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from contracts import entities
from contracts.messages import Problem
from contracts.values import decimal, text
from contracts.vendors import invoice_order_id
from services.chargebee_adapter.addresses import unaddressable
from services.chargebee_adapter.mapping import Raw, Reading, id_of, version_of
from services.chargebee_adapter.order import canonical
from services.chargebee_adapter.order.canonical import local_date

# Not yet a demand: its lines still come and go (Chargebee's metered billing, invoice drafts).
UNFINISHED = ("pending", "draft")
_PLACE = "invoice"  # stands for an id in the borrowed form where an order could not have it
# What the borrowed names are in an invoice, in the words of a problem.
_NAMES = (
    ("order_line_items", "line_items"),
    ("order_date", "date"),
    ("fulfillment_quantity", "quantity"),
    ("unit_price", "unit_amount"),
    ("order.", "invoice."),
)


def is_sale(raw: Raw) -> bool:
    """Whether an invoice has been made final."""
    return raw.get("status") not in UNFINISHED


def price_ids(raw: Raw) -> Iterator[str]:
    """The item prices that the lines of an invoice name."""
    return canonical.price_ids({"order_line_items": raw.get("line_items")})


def invoiced_on(raw: Raw, zone: ZoneInfo) -> Any:
    """The local date by which `start.orders` judges."""
    return canonical.ordered_on(
        {"order_date": raw.get("date"), "created_at": raw.get("generated_at")}, zone
    )


def order(
    raw: Raw,
    *,
    items_by_price: Mapping[str, str],
    zone: ZoneInfo,
    deleted: bool = False,
    carries_round_off: bool = False,
) -> Reading:
    """An invoice, all its lines, as an order `inv-<invoice id>`. The rest as in canonical.order."""
    number, version = id_of(raw), version_of(raw)
    name, gone = invoice_order_id(number), deleted or raw.get("deleted") is True
    if (problem := unaddressable("invoices", number)) is not None:
        return Reading("order", name, version, problem, deleted=gone)
    po_number = raw.get("po_number")
    read = canonical.order(
        as_order(raw, zone),
        items_by_price=items_by_price,
        po_number=None if po_number is None else str(po_number),
        zone=zone,
        invoice=raw,
        deleted=gone,
        carries_round_off=carries_round_off,
    )
    read = replace(read, id=name, version=version)
    if read.problem is not None:
        return replace(read, content=_worded(read.problem))
    if not isinstance(read.entity, entities.Order):
        return read
    held = read.entity
    entity = msgspec.structs.replace(
        held,
        number=number,
        delivery_date=None,
        fulfilment=None,
        lines=tuple(_finished(held.lines, raw)),
        status="cancelled" if gone or raw.get("status") == "voided" else "draft",
    )
    return replace(read, content=entity)


def as_order(raw: Raw, zone: ZoneInfo) -> dict[str, Any]:
    """The invoice in the form of an order of Chargebee that holds the whole of it."""
    number = id_of(raw)
    carried = (
        "customer_id",
        "price_type",
        "currency_code",
        "tax",
        "total",
        "resource_version",
        "updated_at",
    )
    return {
        **{name: raw.get(name) for name in carried},
        "id": number if unaddressable("orders", number) is None else _PLACE,
        "invoice_id": number,
        "order_date": raw.get("date"),
        "created_at": raw.get("generated_at"),
        "status": "cancelled" if raw.get("status") == "voided" else "queued",
        "payment_status": "paid" if raw.get("status") == "paid" else "not_paid",
        "deleted": raw.get("deleted") is True,
        "invoice_round_off_amount": raw.get("round_off_amount"),
        "order_line_items": [
            _line(line, raw, zone) if isinstance(line, Mapping) else line for line in _lines(raw)
        ]
        if isinstance(raw.get("line_items"), list)
        else raw.get("line_items"),
    }


def _lines(raw: Raw) -> list[Any]:
    lines = raw.get("line_items")
    return lines if isinstance(lines, list) else []


def _line(line: Raw, raw: Raw, zone: ZoneInfo) -> dict[str, Any]:
    return {
        **{
            name: line.get(name)
            for name in ("id", "entity_type", "entity_id", "amount", "tax_amount")
        },
        "description": _with_period(line, zone),
        "unit_price": line.get("unit_amount"),
        "fulfillment_quantity": line.get("quantity"),
        "discount_amount": _discount(line, raw),
    }


def _with_period(line: Raw, zone: ZoneInfo) -> Any:
    """The description with the period that the line is for: `Abonnement, 2026-11-01 -
    2026-11-30`."""
    words = line.get("description")
    seconds = [line.get(name) for name in ("date_from", "date_to")]
    days = [local_date(each, zone) if isinstance(each, int) else None for each in seconds]
    if (
        days[0] is None
        or days[1] is None
        or days[0] == days[1]
        or not isinstance(words, str | None)
    ):
        return words
    return ", ".join(filter(None, (text(words), f"{days[0]} - {days[1]}")))


def _discount(line: Raw, raw: Raw) -> Any:
    """All discounts of a line in minor units. `line_item_discounts` of the invoice names each;
    without it there is only `discount_amount` of the line, of which the line's own discount is a
    part (Invoice resource)."""
    each = raw.get("line_item_discounts")
    if not isinstance(each, list):
        return line.get("discount_amount")
    mine = [
        row
        for row in each
        if isinstance(row, Mapping) and row.get("line_item_id") == line.get("id")
    ]
    amounts = [row.get("discount_amount") for row in mine]
    if all(isinstance(amount, int) and not isinstance(amount, bool) for amount in amounts):
        return sum(amount for amount in amounts if amount is not None)
    return line.get("discount_amount")


def _finished(lines: tuple[entities.Line, ...], raw: Raw) -> Iterator[entities.Line]:
    """Quantities and prices that a site keeps with decimals; the integers beside them are
    rounded."""
    by_id = {str(line.get("id")): line for line in _lines(raw) if isinstance(line, Mapping)}
    for line in lines:
        held = by_id.get(line.id, {})
        quantity, unit_price = (
            _number(held.get("quantity_in_decimal")),
            _number(held.get("unit_amount_in_decimal")),
        )
        if raw.get("price_type") == "tax_inclusive":
            # What was made of the rounded quantity, for the exact one.
            unit_price = (
                None if quantity is None else line.unit_price * line.quantity / (quantity or 1)
            )
            unit_price = None if unit_price is None else decimal(round(unit_price, 6))
        if quantity is not None:
            line = msgspec.structs.replace(line, quantity=quantity)
        yield line if unit_price is None else msgspec.structs.replace(line, unit_price=unit_price)


def _number(value: Any) -> Decimal | None:
    try:
        return decimal(value) if isinstance(value, str | int | Decimal) and value != "" else None
    except (InvalidOperation, ValueError):
        return None


def _worded(problem: Problem) -> Problem:
    message, field = problem.message, problem.field
    for old, new in _NAMES:
        message, field = message.replace(old, new), field and field.replace(old, new)
    return msgspec.structs.replace(problem, message=message, field=field)
