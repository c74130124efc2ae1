"""Sales orders and outgoing invoices of Go as canonical orders, and canonical orders as Go drafts.
Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, tzinfo
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from msgspec.structs import replace

from contracts import notices
from contracts.entities import MAX_ORDER_LINES, Invoice, Line, Order
from contracts.messages import Problem
from contracts.said import say
from contracts.values import decimal, text
from contracts.vendors import reference_of
from services.poweroffice_adapter import models
from services.poweroffice_adapter.mapping import (
    NEVER,
    Reading,
    local_date,
    moment,
    read,
    timestamp,
    unreadable,
    upper,
)

UNIT_PRICE_STEP = Decimal("0.000001")
# Reference of the Text line that says who has been asked to pay; unique within an order
# (SalesOrderLineDto).
NOTICE_REFERENCE = "tandem-notice"
CARRIED = frozenset({"", "normal", "invoicefee"})  # line types with money, in lower case
_ZERO = Decimal(0)


def sales_order(raw: Mapping[str, Any], *, currency: str) -> Reading | None:
    """A SalesOrderCompleteDto. `currency` stands in for a null CurrencyCode. None when it has no
    Id."""
    seen = read(models.SalesOrder, raw)
    if isinstance(seen, Problem):
        return unreadable(raw, seen)
    if not (id := text(seen.id)):
        return None
    changed_at = timestamp(seen.last_changed_date_time_offset)
    dates = {"SalesOrderDate": seen.sales_order_date, "DeliveryDate": seen.delivery_date}
    lines = in_order(seen.sales_order_lines or ())
    content = _refusal(lines, dates) or Order(
        customer_id=text(seen.customer_id),
        number=text(seen.sales_order_no),
        currency=upper(seen.currency_code) or currency,
        order_date=local_date(seen.sales_order_date),
        delivery_date=local_date(seen.delivery_date),
        purchase_order=text(seen.purchase_order_reference),
        # A status that Go may add one day is taken for a draft: nothing follows from it by itself.
        status="confirmed" if (seen.sales_order_status or "").lower() == "confirmed" else "draft",
        lines=_lines(seen, lines),
        net=decimal(seen.net_amount or _ZERO),
        tax=_tax(seen),
        total=decimal(seen.total_amount or _ZERO),
        credit_of=text(seen.related_invoice_no),
        notice=_notice(seen, lines),
    )
    stamp = text(seen.external_import_reference)
    return Reading(id, changed_at, changed_at, content, stamp, _dropped(stamp, lines))


def _dropped(stamp: str | None, lines: Iterable[models.Line]) -> tuple[str, ...]:
    """Whether an order born in Go has lines without money, which are not carried; our own drafts
    begin with one."""
    dropped = any(
        (line.line_type or "normal").lower() not in ("normal", "invoicefee") for line in lines
    )
    return ("text_lines",) if dropped and reference_of("poweroffice", stamp) is None else ()


def outgoing_invoice(
    raw: Mapping[str, Any], lines: Sequence[Mapping[str, Any]], *, currency: str, zone: tzinfo
) -> Reading | None:
    """An OutgoingInvoiceDto with its lines: the sent form of the sales order with the same Id, or a
    credit note.

    A null order date becomes the local date of sending. `newest_at` counts the times of sending and
    of the balance, since a payment need not move the invoice's own. None when it has no Id.
    """
    seen = read(models.OutgoingInvoice, raw)
    if isinstance(seen, Problem):
        return unreadable(raw, seen)
    if not (id := text(seen.id)):
        return None
    changed_at = timestamp(seen.last_changed_date_time_offset)
    booked_at = timestamp(seen.balance_last_changed_date_time_offset)
    newest_at = max(changed_at, timestamp(seen.sent_date_time_offset), booked_at)
    stamp = text(seen.external_import_reference)
    parts: list[models.Line] = []
    for each in lines:
        part = read(models.Line, each)
        if isinstance(part, Problem):
            return Reading(id, changed_at, newest_at, part, stamp)
        parts.append(part)
    parts = in_order(parts)
    dates = {"OrderDate": seen.order_date, "DeliveryDate": seen.delivery_date}
    content = _refusal(parts, dates) or _sent(seen, parts, currency, zone)
    return Reading(id, changed_at, newest_at, content, stamp, _dropped(stamp, parts))


def _sent(
    seen: models.OutgoingInvoice, lines: Sequence[models.Line], currency: str, zone: tzinfo
) -> Order:
    order = Order(
        customer_id=text(seen.customer_id),
        number=text(seen.order_no),
        currency=upper(seen.currency_code) or currency,
        order_date=local_date(seen.order_date) or sent_date(seen.sent_date_time_offset, zone),
        delivery_date=local_date(seen.delivery_date),
        purchase_order=text(seen.purchase_order_reference),
        status="sent",
        invoice=_invoice(seen),
        lines=_lines(seen, lines),
        net=decimal(seen.net_amount or _ZERO),
        tax=_tax(seen),
        total=decimal(seen.total_amount or _ZERO),
        credit_of=text(seen.related_invoice_no),
        notice=_notice(seen, lines),
    )
    is_credit = (seen.voucher_type or "").lower() == "outgoingcreditnote"
    # The description does not say which sign the amounts of a credit note have; a sale it must
    # never be taken for.
    return negative(order) if is_credit and order.total > 0 else order


def _invoice(seen: models.OutgoingInvoice) -> Invoice:
    """A balance of nothing is what Go calls paid (OutgoingInvoiceDto); an invoice that was reversed
    is not."""
    is_void = bool(seen.is_reversed)
    return Invoice(
        number=text(seen.invoice_no),
        paid=None if seen.balance is None else seen.balance == 0 and not is_void,
        void=is_void,
        total=decimal(seen.total_amount or _ZERO),
        balance=None if seen.balance is None else decimal(seen.balance),
    )


def negative(order: Order) -> Order:
    """The same order with every quantity and amount turned round."""
    lines = tuple(
        replace(one, quantity=-one.quantity, net=-one.net, tax=-one.tax) for one in order.lines
    )
    invoice = order.invoice
    if invoice is not None and invoice.total is not None:
        invoice = replace(invoice, total=-invoice.total)
    return replace(
        order, lines=lines, invoice=invoice, net=-order.net, tax=-order.tax, total=-order.total
    )


def sent_date(value: object, zone: tzinfo) -> date | None:
    """The local date of a DateTimeOffset."""
    at = timestamp(value)
    return None if at == NEVER else moment(at).astimezone(zone).date()


def _refusal(lines: Sequence[models.Line], dates: Mapping[str, str | None]) -> Problem | None:
    for name, value in dates.items():
        # Blank means the day of sending; what cannot be read means nothing.
        if text(value) and local_date(value) is None:
            return Problem.of("unreadable", say("go_no_date", name=name), name)
    if (
        count := sum((line.line_type or "").lower() in CARRIED for line in lines)
    ) > MAX_ORDER_LINES:
        said = say("go_order_too_long", count=count, most=MAX_ORDER_LINES)
        return Problem.of("too_many_lines", said, "SalesOrderLines")
    return None


def in_order(lines: Iterable[models.Line]) -> list[models.Line]:
    """The lines as a person sees them."""
    return sorted(lines, key=lambda line: line.sort_order or 0)


def notice_line(lines: Sequence[models.Line], stamp: str | None) -> models.Line | None:
    """The line of a draft that says who has been asked to pay: that with our reference, wherever a
    person has moved it, else the first line of an order of Chargebee as earlier releases made it; a
    person's own text is none. `lines` are in order."""
    marked = next(
        (line for line in lines if text(line.external_import_reference) == NOTICE_REFERENCE), None
    )
    if marked is not None or not lines or reference_of("poweroffice", stamp) is None:
        return marked
    first = lines[0]
    is_plain = (first.line_type or "").lower() == "text" and not text(
        first.external_import_reference
    )
    return (
        first if is_plain and (text(first.description) or "").startswith(notices.INVOICED) else None
    )


def _notice(seen: models.Sale, lines: Sequence[models.Line]) -> str | None:
    line = notice_line(lines, text(seen.external_import_reference))
    return text(line.description) if line is not None else None


def _tax(seen: models.Sale) -> Decimal:
    return decimal((seen.total_amount or _ZERO) - (seen.net_amount or _ZERO))


def _lines(seen: models.Sale, lines: Iterable[models.Line]) -> tuple[Line, ...]:
    """Lines with money. Go adds invoice fees by itself: for an order of Chargebee they are no part
    of it."""
    ours = reference_of("poweroffice", text(seen.external_import_reference))
    kept = CARRIED if ours is None else CARRIED - {"invoicefee"}
    return tuple(_line(line) for line in lines if (line.line_type or "").lower() in kept)


def _line(line: models.Line) -> Line:
    quantity = Decimal(1) if line.quantity is None else line.quantity
    net = line.net_amount or _ZERO
    price = line.product_unit_price
    if price is None:
        price = _rounded(net / quantity) if quantity else net
    return Line(
        id=text(line.id) or "",
        product_id=None
        if (line.line_type or "").lower() == "invoicefee"
        else text(line.product_id),
        description=text(line.description),
        quantity=decimal(quantity),
        unit_price=decimal(price),
        discount_percent=decimal(line.allowance or _ZERO),
        net=decimal(net),
        tax=decimal(line.vat_amount or _ZERO),
    )


def _rounded(price: Decimal) -> Decimal:
    try:
        return price.quantize(UNIT_PRICE_STEP, ROUND_HALF_UP)
    except InvalidOperation:
        # Too great to be rounded, so the sixth decimal is lost already.
        return price
