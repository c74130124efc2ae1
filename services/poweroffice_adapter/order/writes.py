"""Canonical orders as Go drafts. Pure."""

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from msgspec import to_builtins

from contracts import notices
from contracts.entities import Invoice, Line
from contracts.said import say
from contracts.values import decimal, text
from runtime.problems import Unwritable
from services.poweroffice_adapter.mapping import Path, upper
from services.poweroffice_adapter.order import draft_rules
from services.poweroffice_adapter.order.canonical import NOTICE_REFERENCE
from services.poweroffice_adapter.order.draft_rules import CENT

NUMBER_REFERENCE = "tandem-number"
ROUND_OFF = "round-off"
LEAST_ALLOWANCE = -1000  # percent; SalesOrderLineDto
MAX_INT64 = 2**63 - 1
_ZERO = Decimal(0)
ORDER_PATHS = {
    "order_date": "SalesOrderDate",
    "delivery_date": "DeliveryDate",
    "purchase_order": "PurchaseOrderReference",
}


def wanted_header(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of an order that can be written later: dates and the purchase order number."""
    return {
        name: text(value) if isinstance(value, str) else value
        for name, value in fields.items()
        if name in ORDER_PATHS
    }


def properties(changes: Mapping[str, Any]) -> dict[Path, Any]:
    """The new value of each property to change."""
    return {
        (ORDER_PATHS[name],): value.isoformat() if isinstance(value, date) else value
        for name, value in changes.items()
    }


def needs_fallback(fields: Mapping[str, Any]) -> bool:
    """Whether a line names no product, so that the fallback product is needed."""
    return any(
        line.product_id is None and not is_round_off(line) for line in fields.get("lines", ())
    )


def needs_round_off(fields: Mapping[str, Any]) -> bool:
    """Whether a line is the round-off of a Chargebee invoice, so that its product is needed."""
    return any(is_round_off(line) for line in fields.get("lines", ()))


def is_round_off(line: Line) -> bool:
    """The round-off of a Chargebee invoice is a line of its own, without product."""
    return line.id == ROUND_OFF and line.product_id is None


def creation(
    fields: Mapping[str, Any],
    stamp: str | None,
    *,
    invoiced_elsewhere: bool,
    fallback_product_id: str | None,
    round_off_product_id: str | None = None,
) -> dict[str, Any]:
    """Body of POST /SalesOrders/Complete from typed fields. Raises Unwritable for what is missing
    and for amounts of which Go would make others (`draft_rules.check`).

    `notice` stands before all other lines; without one, `invoiced_elsewhere` puts the warning there
    that Chargebee has invoiced the order. The other lines leave room for it. The number of the
    order goes where a person sees it: ImportedOrderNo takes whole numbers, another one stands in a
    Text line after a notice, else in CustomerReference. CustomMatchingReference is the number of
    the Chargebee invoice.
    """
    draft_rules.check(fields)
    customer_id = fields.get("customer_id")
    if not customer_id:
        raise Unwritable.of("missing", say("order_names_no_customer"), field="customer_id")
    body: dict[str, Any] = {
        "CustomerId": _int64(customer_id, "customer_id"),
        "SalesOrderStatus": "Draft",
    }
    if currency := upper(fields.get("currency")):
        body["CurrencyCode"] = currency
    body |= {
        path[0]: value
        for path, value in properties(wanted_header(fields)).items()
        if value is not None
    }
    if stamp:
        body["ExternalImportReference"] = stamp
    invoice: Invoice | None = fields.get("invoice")
    if invoice is not None and (invoice_no := text(invoice.number)):
        body["CustomMatchingReference"] = invoice_no
    lines = new_lines(fields.get("lines", ()), fallback_product_id, round_off_product_id)
    words = text(fields.get("notice")) or (_warning(invoice) if invoiced_elsewhere else None)
    if (number := text(fields.get("number"))) is None:
        pass
    elif (imported := _imported_order_no(number)) is not None:
        body["ImportedOrderNo"] = imported
    elif words:
        lines.append(text_line(f"Chargebee order {number}", NUMBER_REFERENCE))
    else:
        # It is printed as the buyer's own reference, so only where nothing else would show the
        # number.
        body["CustomerReference"] = number
    first = [{**text_line(words, NOTICE_REFERENCE), "SortOrder": 0}] if words else []
    body["SalesOrderLines"] = [
        *first,
        *({**line, "SortOrder": position} for position, line in enumerate(lines, 1)),
    ]
    return body


def text_line(words: str, reference: str) -> dict[str, Any]:
    """A line without money."""
    return {"LineType": "Text", "Description": words, "ExternalImportReference": reference}


def new_lines(
    lines: Iterable[Line], fallback_product_id: str | None, round_off_product_id: str | None = None
) -> list[dict[str, Any]]:
    """Bodies of the lines of an order. Raises Unwritable for a line without product."""
    return [
        _new_line(
            line,
            line.product_id
            or (round_off_product_id if is_round_off(line) else fallback_product_id),
        )
        for line in lines
    ]


def _imported_order_no(number: str) -> int | None:
    """The number of the order where Go's field, an int64, shows it as it is."""
    if not (number.isascii() and number.isdecimal()) or number != str(int(number)):
        return None
    return int(number) if int(number) <= MAX_INT64 else None


def _int64(value: str, field: str) -> int:
    if not value.isdecimal():
        raise Unwritable.of("missing", say("no_go_id", value=repr(value)), field=field)
    return int(value)


def _warning(invoice: Invoice | None) -> str | None:
    return notices.notice({"invoice": invoice and to_builtins(invoice)}, "chargebee")


def _new_line(line: Line, product_id: str | None) -> dict[str, Any]:
    if product_id is None:
        name = "order.round_off_product" if is_round_off(line) else "order.fallback_product"
        said = say("line_without_product", line=draft_rules.named(line), name=name)
        raise Unwritable.of("missing", said, field="lines")
    quantity, price, allowance, reason = _amounts(line)
    described = " ".join(
        part for part in (text(line.description), reason and f"({reason})") if part
    )
    body: dict[str, Any] = {
        "LineType": "Normal",
        "ProductId": _int64(product_id, "lines"),
        "Quantity": quantity,
        "ProductUnitPrice": price,
        "Allowance": allowance,
        "ExternalImportReference": line.id,
    }
    if described:
        body["Description"] = described
    if line.net != 0:
        # The optional sales account carries no VAT. Left out, the customer's IsVatFree decides,
        # whatever Chargebee has computed. A line of nothing needs neither, and may lack the
        # account.
        body["UseStandardSalesAccount"] = line.tax != 0
    return body


def _amounts(line: Line) -> tuple[Decimal, Decimal, Decimal, str | None]:
    """Quantity, unit price and allowance from which Go computes the net amount; else 1 x net, and
    why.

    What is negative is so by its quantity, which is how Go has it (SalesOrderLineDto).
    """
    allowance = line.discount_percent.quantize(CENT, ROUND_HALF_UP)
    computed = line.unit_price * line.quantity * (1 - allowance / 100)
    kept = (
        draft_rules.digits(line.unit_price) <= draft_rules.MAX_DIGITS
        and LEAST_ALLOWANCE <= allowance <= 100
    )
    # What is far off need not be rounded, and may be too great for it.
    if (
        kept
        and abs(computed - line.net) <= CENT
        and computed.quantize(CENT, ROUND_HALF_UP) == line.net
    ):
        return *_positive(line.quantity, line.unit_price), decimal(allowance), None
    reason = f"{decimal(line.quantity)} x {decimal(line.unit_price)}"
    if line.discount_percent:
        reason += f", {decimal(allowance)} % discount"
    return *_positive(Decimal(1), line.net), _ZERO, reason


def _positive(quantity: Decimal, price: Decimal) -> tuple[Decimal, Decimal]:
    return (-quantity, -price) if price < 0 else (quantity, price)
