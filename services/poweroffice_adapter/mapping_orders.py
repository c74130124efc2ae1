"""Sales orders and outgoing invoices of Go as canonical orders, and canonical orders as Go drafts. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, tzinfo
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from contracts.entities import MAX_ORDER_LINES, Invoice, Line, Order
from contracts.messages import Problem
from contracts.values import decimal, text
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
from services.poweroffice_adapter.mapping_writes import Path, Unwritable

CENT = Decimal("0.01")  # Go computes line amounts to two decimals
UNIT_PRICE_STEP = Decimal("0.000001")
ORDER_PATHS = {
    "order_date": "SalesOrderDate",
    "delivery_date": "DeliveryDate",
    "purchase_order": "PurchaseOrderReference",
}
_ZERO = Decimal(0)


def sales_order(raw: Mapping[str, Any], *, currency: str) -> Reading | None:
    """A SalesOrderCompleteDto. `currency` stands in for a null CurrencyCode. None when it has no Id."""
    seen = read(models.SalesOrder, raw)
    if isinstance(seen, Problem):
        return unreadable(raw, seen)
    if not (id := text(seen.id)):
        return None
    changed_at = timestamp(seen.last_changed_date_time_offset)
    dates = {"SalesOrderDate": seen.sales_order_date, "DeliveryDate": seen.delivery_date}
    content = _refusal(seen, seen.sales_order_lines or (), dates) or Order(
        customer_id=text(seen.customer_id),
        number=text(seen.sales_order_no),
        currency=upper(seen.currency_code) or currency,
        order_date=local_date(seen.sales_order_date),
        delivery_date=local_date(seen.delivery_date),
        purchase_order=text(seen.purchase_order_reference),
        # A status that Go may add one day is taken for a draft: nothing follows from it by itself.
        status="confirmed" if (seen.sales_order_status or "").lower() == "confirmed" else "draft",
        lines=_lines(seen, seen.sales_order_lines or ()),
        net=decimal(seen.net_amount or _ZERO),
        tax=_tax(seen),
        total=decimal(seen.total_amount or _ZERO),
    )
    stamp = text(seen.external_import_reference)
    return Reading(id, changed_at, changed_at, content, stamp, _dropped(stamp, seen.sales_order_lines or ()))


def _dropped(stamp: str | None, lines: Iterable[models.Line]) -> tuple[str, ...]:
    """Whether an order born in Go has lines without money, which are not carried; our own drafts begin with one."""
    ours = (stamp or "").startswith("cb-")
    dropped = any((line.line_type or "normal").lower() not in ("normal", "invoicefee") for line in lines)
    return ("text_lines",) if dropped and not ours else ()


def outgoing_invoice(
    raw: Mapping[str, Any], lines: Sequence[Mapping[str, Any]], *, currency: str, zone: tzinfo
) -> Reading | None:
    """An OutgoingInvoiceDto with its lines: the sent form of the sales order with the same Id.

    A null order date becomes the local date of sending. None when it has no Id.
    """
    seen = read(models.OutgoingInvoice, raw)
    if isinstance(seen, Problem):
        return unreadable(raw, seen)
    if not (id := text(seen.id)):
        return None
    changed_at = timestamp(seen.last_changed_date_time_offset)
    parts: list[models.Line] = []
    for each in lines:
        part = read(models.Line, each)
        if isinstance(part, Problem):
            return Reading(id, changed_at, changed_at, part, text(seen.external_import_reference))
        parts.append(part)
    credit = (seen.voucher_type or "").lower() == "outgoingcreditnote"
    dates = {"OrderDate": seen.order_date, "DeliveryDate": seen.delivery_date}
    content = _refusal(seen, parts, dates, credit=credit) or Order(
        customer_id=text(seen.customer_id),
        number=text(seen.order_no),
        currency=upper(seen.currency_code) or currency,
        order_date=local_date(seen.order_date) or sent_date(seen.sent_date_time_offset, zone),
        delivery_date=local_date(seen.delivery_date),
        purchase_order=text(seen.purchase_order_reference),
        status="sent",
        invoice=Invoice(number=text(seen.invoice_no), paid=None if seen.balance is None else seen.balance == 0),
        lines=_lines(seen, parts),
        net=decimal(seen.net_amount or _ZERO),
        tax=_tax(seen),
        total=decimal(seen.total_amount or _ZERO),
    )
    stamp = text(seen.external_import_reference)
    return Reading(id, changed_at, changed_at, content, stamp, _dropped(stamp, parts))


def sent_date(value: object, zone: tzinfo) -> date | None:
    """The local date of a DateTimeOffset."""
    at = timestamp(value)
    return None if at == NEVER else moment(at).astimezone(zone).date()


def _refusal(
    seen: models.Sale, lines: Sequence[models.Line], dates: Mapping[str, str | None], *, credit: bool = False
) -> Problem | None:
    for name, value in dates.items():
        # Blank means the day of sending; what cannot be read means nothing.
        if text(value) and local_date(value) is None:
            message = f"PowerOffice Go sent a {name} that is no date; correct it in Go"
            return Problem(code="unreadable", field=name, message=message)
    if credit or (seen.total_amount or _ZERO) < 0 or (seen.net_amount or _ZERO) < 0:
        return Problem(code="credit_note", field="TotalAmount", message="credit notes are not carried")
    if len(lines) > MAX_ORDER_LINES:
        message = f"the order has {len(lines)} lines; at most {MAX_ORDER_LINES} are carried, so split it in Go"
        return Problem(code="too_many_lines", field="SalesOrderLines", message=message)
    return None


def _tax(seen: models.Sale) -> Decimal:
    return decimal((seen.total_amount or _ZERO) - (seen.net_amount or _ZERO))


def _lines(seen: models.Sale, lines: Iterable[models.Line]) -> tuple[Line, ...]:
    """Lines with money. Go adds invoice fees by itself: for an order of Chargebee they are no part of it."""
    ours = (text(seen.external_import_reference) or "").startswith("cb-")
    kept = {"", "normal"} if ours else {"", "normal", "invoicefee"}
    ordered = sorted(lines, key=lambda line: line.sort_order or 0)
    return tuple(_line(line) for line in ordered if (line.line_type or "").lower() in kept)


def _line(line: models.Line) -> Line:
    quantity = Decimal(1) if line.quantity is None else line.quantity
    net = line.net_amount or _ZERO
    price = line.product_unit_price
    if price is None:
        price = _rounded(net / quantity) if quantity else net
    return Line(
        id=text(line.id) or "",
        product_id=None if (line.line_type or "").lower() == "invoicefee" else text(line.product_id),
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


def wanted_header(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of an order that can be written later: dates and the purchase order number."""
    return {
        name: text(value) if isinstance(value, str) else value for name, value in fields.items() if name in ORDER_PATHS
    }


def order_properties(changes: Mapping[str, Any]) -> dict[Path, Any]:
    """The new value of each property to change."""
    return {
        (ORDER_PATHS[name],): value.isoformat() if isinstance(value, date) else value for name, value in changes.items()
    }


def needs_fallback(fields: Mapping[str, Any]) -> bool:
    """Whether a line names no product, so that the fallback product is needed."""
    return any(line.product_id is None for line in fields.get("lines", ()))


def new_order(
    fields: Mapping[str, Any], stamp: str | None, *, invoiced_elsewhere: bool, fallback_product_id: str | None
) -> dict[str, Any]:
    """Body of POST /SalesOrders/Complete from typed fields. Raises Unwritable for what is missing.

    `invoiced_elsewhere` puts the warning that Chargebee has invoiced the order before all other lines.
    """
    customer_id = fields.get("customer_id")
    if not customer_id:
        raise Unwritable("missing", "the order names no customer that is known in Go", field="customer_id")
    body: dict[str, Any] = {"CustomerId": _int64(customer_id, "customer_id"), "SalesOrderStatus": "Draft"}
    if currency := upper(fields.get("currency")):
        body["CurrencyCode"] = currency
    body |= {path[0]: value for path, value in order_properties(wanted_header(fields)).items() if value is not None}
    if stamp:
        body["ExternalImportReference"] = stamp
    lines: list[dict[str, Any]] = []
    if invoiced_elsewhere:
        lines.append({"LineType": "Text", "Description": _warning(fields.get("invoice"))})
    lines += new_lines(fields.get("lines", ()), fallback_product_id)
    body["SalesOrderLines"] = [{**line, "SortOrder": position} for position, line in enumerate(lines)]
    return body


def new_lines(lines: Iterable[Line], fallback_product_id: str | None) -> list[dict[str, Any]]:
    """Bodies of the lines of an order. Raises Unwritable for a line without product."""
    return [_new_line(line, fallback_product_id) for line in lines]


def _int64(value: str, field: str) -> int:
    if not value.isdecimal():
        raise Unwritable("missing", f"{value!r} is no id of PowerOffice Go", field=field)
    return int(value)


def _warning(invoice: Invoice | None) -> str:
    if invoice is None or not invoice.number:
        return "Invoiced in Chargebee. Do not send."
    paid = {True: ", paid", False: ", unpaid", None: ""}[invoice.paid]
    return f"Invoiced in Chargebee, no. {invoice.number}{paid}. Do not send."


def _new_line(line: Line, fallback_product_id: str | None) -> dict[str, Any]:
    product_id = line.product_id or fallback_product_id
    if product_id is None:
        message = (
            f"line {line.id} ({line.description or 'without text'}) has no product; "
            "set order.fallback_product to the code of a Go product for such lines"
        )
        raise Unwritable("missing", message, field="lines")
    quantity, price, allowance, reason = _amounts(line)
    described = " ".join(part for part in (text(line.description), reason and f"({reason})") if part)
    body: dict[str, Any] = {
        "LineType": "Normal", "ProductId": _int64(product_id, "lines"), "Quantity": quantity,
        "ProductUnitPrice": price, "Allowance": allowance, "ExternalImportReference": line.id,
    }  # fmt: skip
    if described:
        body["Description"] = described
    if line.tax == 0 and line.net != 0:
        # The optional sales account carries no VAT. A line of nothing needs none, and may lack the account.
        body["UseStandardSalesAccount"] = False
    return body


def _amounts(line: Line) -> tuple[Decimal, Decimal, Decimal, str | None]:
    """Quantity, unit price and allowance from which Go computes the net amount; else 1 x net, and why."""
    allowance = line.discount_percent.quantize(CENT, ROUND_HALF_UP)
    computed = line.unit_price * line.quantity * (1 - allowance / 100)
    if computed.quantize(CENT, ROUND_HALF_UP) == line.net:
        return line.quantity, line.unit_price, decimal(allowance), None
    reason = f"{decimal(line.quantity)} x {decimal(line.unit_price)}"
    if line.discount_percent:
        reason += f", {decimal(allowance)} % discount"
    return Decimal(1), line.net, _ZERO, reason
