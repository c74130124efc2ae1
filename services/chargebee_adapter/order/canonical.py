"""A Chargebee order with its invoice as one canonical order. Pure."""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import Literal
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from contracts import entities
from contracts.entities import MAX_ORDER_LINES
from contracts.messages import Problem
from contracts.said import say
from contracts.units import is_currency, major
from contracts.values import decimal, text
from services.chargebee_adapter import models
from services.chargebee_adapter.addresses import unaddressable
from services.chargebee_adapter.mapping import OWN_PREFIX, Raw, Reading, id_of, parsed
from services.chargebee_adapter.order import amounts as order_amounts
from services.chargebee_adapter.order import invoice_facts
from services.chargebee_adapter.order.amounts import Amounts, LineAmounts, line_amounts

_CANCELLED = ("cancelled", "voided", "returned")
_CONFIRMED = ("delivered", "complete")
ROUND_OFF = "round-off"  # id of the line that holds it
_SIX_PLACES = Decimal("0.000001")
Status = Literal["draft", "confirmed", "sent", "cancelled"]


def local_date(seconds: int | None, zone: ZoneInfo) -> date | None:
    """The local date of UTC seconds."""
    if seconds is None:
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC).astimezone(zone).date()
    except (OverflowError, ValueError, OSError):
        return None


def noon(day: date, zone: ZoneInfo) -> int:
    """UTC seconds of 12:00 on a local date: far enough from midnight to be the same date in nearby
    zones."""
    return int(datetime.combine(day, time(12), zone).timestamp())


def ordered_on(raw: Raw, zone: ZoneInfo) -> date | None:
    """The order date by which `start.orders` judges: `order_date`, else `created_at`."""
    for name in ("order_date", "created_at"):
        if isinstance(raw.get(name), int):
            return local_date(raw[name], zone)
    return None


def price_ids(raw: Raw) -> Iterator[str]:
    """The item prices that the lines of an order name."""
    lines = raw.get("order_line_items")
    for line in lines if isinstance(lines, list) else ():
        if (
            isinstance(line, Mapping)
            and _names_price(str(line.get("entity_type")))
            and line.get("entity_id")
        ):
            yield str(line["entity_id"])


def order(
    raw: Raw,
    *,
    items_by_price: Mapping[str, str],
    po_number: str | None,
    zone: ZoneInfo,
    deleted: bool = False,
    invoice: Raw | None = None,
    carries_round_off: bool = False,
) -> Reading:
    """An order. `items_by_price` resolves item price ids, `po_number` is the invoice's, `invoice`
    the invoice itself where it is known. `carries_round_off`: a round-off becomes a line
    (`order.round_off_product`); otherwise it is left out of the amounts and `incomplete` names
    it."""
    name, version = id_of(raw), invoice_facts.version(raw, invoice)
    record = parsed(models.Order, raw, "order")
    billed = None if invoice is None else parsed(models.Invoice, invoice, "invoice")
    for read in (record, billed):
        if isinstance(read, Problem):
            return Reading("order", name, version, read, deleted=deleted)
    assert isinstance(record, models.Order) and not isinstance(billed, Problem)
    gone = deleted or record.deleted
    stamp, status = _stamp(record), _status(record.status)
    is_inclusive = record.price_type == "tax_inclusive"
    held = [line_amounts(line, is_inclusive=is_inclusive) for line in record.order_line_items or ()]
    amounts = order_amounts.amounts(record, held, billed)
    problem = _problem(record, items_by_price)
    if problem is None and stamp is None and status != "cancelled" and not gone:
        # Of a cancelled order and of one born in Go no document is made, and what became of it must
        # be told.
        problem = order_amounts.fault(amounts, held, text(record.currency_code) or "")
    if problem is not None:
        return Reading("order", name, version, problem, stamp=stamp, deleted=gone)
    currency = text(record.currency_code) or ""
    lines = tuple(
        _line(line, found, is_inclusive, currency, items_by_price)
        for line, found in zip(record.order_line_items or (), held, strict=True)
    )
    is_left_out = bool(amounts.round_off) and stamp is None and not carries_round_off
    entity = _with_amounts(
        entities.Order(
            customer_id=text(record.customer_id),
            number=text(record.document_number) or record.id,
            currency=currency,
            order_date=ordered_on(raw, zone),
            delivery_date=local_date(record.delivered_at or record.shipping_date, zone),
            purchase_order=text(po_number),
            status=status,
            invoice=invoice_facts.facts(record, billed, currency, is_born_in_go=stamp is not None),
            lines=lines,
            fulfilment=text(record.status),
        ),
        amounts,
        is_born_in_go=stamp is not None,
        carries_round_off=carries_round_off,
    )
    incomplete = ("round_off",) if is_left_out else ()
    return Reading("order", name, version, entity, stamp=stamp, deleted=gone, incomplete=incomplete)


def _with_amounts(
    entity: entities.Order, found: Amounts, *, is_born_in_go: bool, carries_round_off: bool
) -> entities.Order:
    """The order with its net, tax and total, and its round-off as a line where that is carried.

    Go rounds the total of its own invoices and names no net of it: there it stands between net and
    total, as its tax.
    """
    total, tax, lines, off = found.total, found.tax, entity.lines, found.round_off
    if off and is_born_in_go:
        tax += off
    elif off and carries_round_off:
        amount = major(off, entity.currency or "")
        lines += (
            entities.Line(id=ROUND_OFF, description="Round-off", unit_price=amount, net=amount),
        )
    else:
        total -= off
    currency = entity.currency or ""
    return replace(
        entity,
        lines=lines,
        net=major(total - tax, currency),
        tax=major(tax, currency),
        total=major(total, currency),
    )


def _stamp(record: models.Order) -> str | None:
    for held in (record.id, record.invoice_id):
        if held is not None and held.startswith(OWN_PREFIX):
            return held
    return None


def _status(status: str | None) -> Status:
    return "cancelled" if status in _CANCELLED else "confirmed" if status in _CONFIRMED else "draft"


def _names_price(entity_type: str | None) -> bool:
    return (entity_type or "").endswith("_item_price")


def _problem(record: models.Order, items_by_price: Mapping[str, str]) -> Problem | None:
    lines = record.order_line_items or []
    if (problem := unaddressable("orders", record.id)) is not None:
        return problem
    if not text(record.currency_code):
        return Problem.of("missing", say("currency_code_missing"), "currency")
    if not is_currency(text(record.currency_code) or ""):
        code = repr(text(record.currency_code))
        said = say("currency_code_unknown", value=code, amount=record.total or 0)
        return Problem.of("unknown_currency", said, "currency")
    if record.original_order_id:
        said = say("order_resent", id=record.original_order_id)
        return Problem.of("resend", said, "original_order_id")
    if len(lines) > MAX_ORDER_LINES:
        said = say("order_too_long", count=len(lines), most=MAX_ORDER_LINES)
        return Problem.of("too_many_lines", said, "lines")
    for line in lines:
        if not _names_price(line.entity_type) or line.entity_id in items_by_price:
            continue
        if line.entity_id and (problem := unaddressable("item_prices", line.entity_id)) is not None:
            return replace(problem, field="lines")
        return Problem.of("unknown_price", say("price_unknown", id=line.entity_id), "lines")
    return None


def _line(
    line: models.OrderLine,
    found: LineAmounts,
    is_inclusive: bool,
    currency: str,
    items_by_price: Mapping[str, str],
) -> entities.Line:
    amount, discount = line.amount or 0, line.discount_amount or 0
    quantity = Decimal(line.fulfillment_quantity if line.fulfillment_quantity is not None else 1)
    product = items_by_price.get(line.entity_id or "") if _names_price(line.entity_type) else None
    percent = Decimal(discount) * 100 / amount if amount else Decimal(0)
    return entities.Line(
        id=line.id or "",
        product_id=product,
        description=text(line.description),
        quantity=decimal(quantity),
        unit_price=_unit_price(line, currency, quantity, found.net if is_inclusive else None),
        discount_percent=_six_places(percent),
        net=major(found.net, currency),
        tax=major(found.tax, currency),
    )


def _unit_price(
    line: models.OrderLine, currency: str, quantity: Decimal, net_minor: int | None
) -> Decimal:
    """Net major units before discount. `net_minor` is the line's net where the site's amounts
    include tax."""
    amount, discount = line.amount or 0, line.discount_amount or 0
    if net_minor is None:
        if line.unit_price is not None:
            return major(line.unit_price, currency)
        before_discount = Decimal(amount)
    else:
        # The discount takes the same share of the net as of the amount with tax.
        left = amount - discount
        before_discount = Decimal(net_minor) * amount / left if left else Decimal(amount)
    return _six_places(before_discount / (quantity or 1) * major(1, currency))


def _six_places(value: Decimal) -> Decimal:
    try:
        return decimal(value.quantize(_SIX_PLACES, ROUND_HALF_EVEN))
    except InvalidOperation:
        # Too great to be rounded, so the sixth decimal is lost already.
        return decimal(value)
