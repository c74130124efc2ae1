"""A Go-born order as an imported invoice and an imported order. Pure.

Chargebee takes no order by itself: orders belong to invoices. An import takes amounts and taxes as given.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Literal
from zoneinfo import ZoneInfo

from contracts.entities import Line, Order
from contracts.messages import Problem
from contracts.units import exponent, minor
from contracts.values import decimal
from services.chargebee_adapter.mapping_orders import noon

LINE_ID_MAX, DESCRIPTION_MAX, PRICE_ID_MAX, REFERENCE_MAX = 40, 250, 50, 100
ROUND_OFF_MAX_MINOR = 99


@dataclass(frozen=True)
class ChargePrice:
    """The active charge price of a line's product in the order's currency, and the text shown for it."""

    id: str
    text: str | None


@dataclass(frozen=True)
class Import:
    """How Go-born orders are imported. `now_s` are UTC seconds: nothing is dated later."""

    is_paid: bool
    payment_method: str
    order_status: str
    zone: ZoneInfo
    now_s: int

    def moment(self, day: date) -> int:
        """12:00 on a local date, or now when that is still to come."""
        return min(noon(day, self.zone), self.now_s)


def fault(order: Order) -> Problem | None:
    """Why an order cannot be imported, if so."""
    if order.total < 0:
        words = "a credit note cannot be imported into Chargebee; enter it there by hand"
        return Problem(code="credit_note", field="total", message=words)
    for name, what in (("customer_id", "customer"), ("currency", "currency"), ("order_date", "order date")):
        if getattr(order, name) is None:
            return Problem(code="missing", field=name, message=f"the order has no {what}; fill it in PowerOffice Go")
    if not order.lines:
        words = "the order has no lines that can be carried; Chargebee's invoices need one"
        return Problem(code="missing", field="lines", message=words)
    if any(line.net < 0 for line in order.lines):
        words = "a line with a negative amount cannot be imported into Chargebee; enter the invoice there by hand"
        return Problem(code="negative_line", field="lines", message=words)
    off = _round_off_minor(order)
    if abs(off) > ROUND_OFF_MAX_MINOR:
        words = f"the lines miss the total by {decimal(Decimal(off).scaleb(-exponent(order.currency or '')))}"
        return Problem(code="totals", field="total", message=words)
    return None


def invoice(own_id: str, order: Order, prices: Mapping[str, ChargePrice], how: Import) -> dict[str, Any]:
    """Parameters of `POST /invoices/import_invoice`. `prices` by product id; a line without one is `adhoc`."""
    assert order.currency is not None and order.order_date is not None
    total_minor, moment = minor(order.total, order.currency), how.moment(order.order_date)
    number = order.invoice.number if order.invoice is not None else None
    params: dict[str, Any] = {
        "id": own_id, "customer_id": order.customer_id, "currency_code": order.currency,
        "price_type": "tax_exclusive", "date": moment, "total": total_minor,
        "status": "paid" if how.is_paid else "not_paid",
    }  # fmt: skip
    if order.purchase_order:
        params["po_number"] = order.purchase_order
    rates = _rates(order)
    params["line_items"] = [
        _line(index, line, order.currency, prices.get(line.product_id or ""), rates.get(index))
        for index, line in enumerate(order.lines)
    ]
    if rates:
        params["taxes"] = [{"name": _tax_name(rate), "rate": rate} for rate in dict.fromkeys(rates.values())]
    if how.is_paid and total_minor > 0:
        payment = {"amount": total_minor, "payment_method": how.payment_method, "date": moment}
        params["payments"] = [{**payment, **({"reference_number": number[:REFERENCE_MAX]} if number else {})}]
    if off := _round_off_minor(order):
        params["round_off"] = off
    return params


def imported_order(own_id: str, order: Order, how: Import) -> dict[str, Any]:
    """Parameters of `POST /orders/import_order` for the imported invoice of the same id."""
    assert order.order_date is not None
    moment = how.moment(order.order_date)
    return {
        "id": own_id, "invoice_id": own_id, "customer_id": order.customer_id, "status": how.order_status,
        "created_at": moment, "order_date": moment,
        "shipping_date": noon(order.delivery_date or order.order_date, how.zone),
    }  # fmt: skip


def _round_off_minor(order: Order) -> int:
    currency = order.currency or ""
    lines_minor = sum(minor(line.net, currency) + minor(line.tax, currency) for line in order.lines)
    return minor(order.total, currency) - lines_minor


def _line(index: int, line: Line, currency: str, price: ChargePrice | None, rate: Decimal | None) -> dict[str, Any]:
    net_minor, unit_minor = minor(line.net, currency), line.unit_price.scaleb(exponent(currency))
    words = line.description or (price.text if price else None) or f"Line {index + 1}"
    quantity = 1
    if line.quantity > 0 and _whole(line.quantity) and _whole(unit_minor) and line.quantity * unit_minor == net_minor:
        quantity = int(line.quantity)
    elif (note := _note(line)) is not None:
        words = f"{words[: DESCRIPTION_MAX - len(note) - 3]} ({note})"
    params: dict[str, Any] = {
        "id": f"go-{line.id}"[:LINE_ID_MAX], "description": words[:DESCRIPTION_MAX],
        "unit_amount": net_minor // quantity, "quantity": quantity, "amount": net_minor,
        "entity_type": "charge_item_price" if price else "adhoc",
    }  # fmt: skip
    if price:
        params["entity_id"] = price.id
    if rate is not None:
        params |= {"tax1_name": _tax_name(rate), "tax1_amount": minor(line.tax, currency)}
    return params


def _whole(number: Decimal) -> bool:
    return number == number.to_integral_value()


def _note(line: Line) -> str | None:
    """Why a line stands there with quantity 1: its own quantity, price and discount."""
    if line.quantity == 1 and not line.discount_percent:
        return None
    words = f"{decimal(line.quantity)} x {decimal(line.unit_price)}"
    return f"{words}, {decimal(line.discount_percent)} % discount" if line.discount_percent else words


def _tax_name(rate: Decimal) -> str:
    return f"VAT {rate} %"


def _rates(order: Order) -> dict[int, Decimal]:
    """The percentage of each taxed line. Small lines take a rate of greater ones that explains their rounded tax."""
    tolerance = Decimal(1).scaleb(-exponent(order.currency or ""))
    found: dict[int, Decimal] = {}
    taxed = [index for index, line in enumerate(order.lines) if line.tax and line.net]
    for index in sorted(taxed, key=lambda each: -order.lines[each].net):
        line = order.lines[index]
        exact = line.tax * 100 / line.net
        guesses = [*found.values(), *(decimal(_rounded(exact, step)) for step in ("1", "0.1", "0.01"))]
        fitting = (rate for rate in guesses if abs(line.net * rate / 100 - line.tax) <= tolerance)
        found[index] = next(fitting, decimal(_rounded(exact, "0.01")))
    return dict(sorted(found.items()))


def _rounded(value: Decimal, step: Literal["1", "0.1", "0.01"]) -> Decimal:
    return value.quantize(Decimal(step), ROUND_HALF_UP)
