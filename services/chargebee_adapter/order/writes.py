"""A Go-born order as an imported invoice and an imported order. Pure.

Chargebee takes no order by itself: orders belong to invoices. An import takes amounts and taxes as
given.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Literal
from zoneinfo import ZoneInfo

from contracts.entities import Line, Order
from contracts.messages import Problem
from contracts.said import say
from contracts.units import exponent, is_currency, minor, rounding_step
from contracts.values import decimal
from runtime.problems import Unwritable
from services.chargebee_adapter.order.amounts import ROUND_OFF_MAX_MINOR
from services.chargebee_adapter.order.canonical import noon
from services.chargebee_adapter.order.discounts import Discount, discounts

LINE_ID_MAX, DESCRIPTION_MAX, PRICE_ID_MAX, REFERENCE_MAX = 40, 250, 50, 100
MAX_DIGITS = 15  # before the point; whatever has more is a slip of somebody


@dataclass(frozen=True)
class ChargePrice:
    """The active charge price of a line's product in the order's currency, and the text shown for
    it."""

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


def check(order: Order) -> None:
    """Raises Unwritable for an order that cannot be imported."""
    if (problem := _fault(order)) is not None:
        raise Unwritable(problem)
    discounts(order, _rates(order))
    off = _round_off_minor(order)
    if abs(off) > ROUND_OFF_MAX_MINOR:
        gap = decimal(Decimal(off).scaleb(-exponent(order.currency or "")))
        raise Unwritable.of("totals", say("lines_miss_total", amount=gap), field="total")


def _fault(order: Order) -> Problem | None:
    if order.total < 0:
        return Problem.of("credit_note", say("credit_not_imported"), "total")
    for name, what in (
        ("customer_id", "customer"),
        ("currency", "currency"),
        ("order_date", "order date"),
    ):
        if getattr(order, name) is None:
            return Problem.of("missing", say("order_lacks", what=what), name)
    if not order.lines:
        return Problem.of("missing", say("order_lacks_lines"), "lines")
    if not is_currency(order.currency or ""):
        said = say("order_currency_unknown", value=repr(order.currency))
        return Problem.of("unknown_currency", said, "currency")
    if (problem := _finer(order) or _odd_tax(order)) is not None:
        return problem
    return _net_apart(order)


def invoice(
    own_id: str, order: Order, prices: Mapping[str, ChargePrice], how: Import
) -> dict[str, Any]:
    """Parameters of `POST /invoices/import_invoice`. `prices` by product id; a line without one is
    `adhoc`. The order has passed `check`."""
    assert order.currency is not None and order.order_date is not None
    total_minor, moment = minor(order.total, order.currency), how.moment(order.order_date)
    number = order.invoice.number if order.invoice is not None else None
    params: dict[str, Any] = {
        "id": own_id,
        "customer_id": order.customer_id,
        "currency_code": order.currency,
        "price_type": "tax_exclusive",
        "date": moment,
        "total": total_minor,
        "status": "paid" if how.is_paid else "not_paid",
    }
    if order.purchase_order:
        params["po_number"] = order.purchase_order
    rates = _rates(order)
    given = discounts(order, rates)
    params["line_items"] = [
        _line(
            index, line, order.currency, prices.get(line.product_id or ""), rates.get(index), given
        )
        for index, line in enumerate(order.lines)
        if line.net >= 0
    ]
    if given:
        params["discounts"] = [_discount(order, each, prices) for each in given]
    if rates:
        params["taxes"] = [
            {"name": _tax_name(rate), "rate": rate} for rate in dict.fromkeys(rates.values())
        ]
    if how.is_paid and total_minor > 0:
        payment = {"amount": total_minor, "payment_method": how.payment_method, "date": moment}
        params["payments"] = [
            {**payment, **({"reference_number": number[:REFERENCE_MAX]} if number else {})}
        ]
    if off := _round_off_minor(order):
        params["round_off"] = off
    return params


def imported_order(own_id: str, order: Order, how: Import) -> dict[str, Any]:
    """Parameters of `POST /orders/import_order` for the imported invoice of the same id."""
    assert order.order_date is not None
    moment = how.moment(order.order_date)
    return {
        "id": own_id,
        "invoice_id": own_id,
        "customer_id": order.customer_id,
        "status": how.order_status,
        "created_at": moment,
        "order_date": moment,
        "shipping_date": noon(order.delivery_date or order.order_date, how.zone),
    }


def _finer(order: Order) -> Problem | None:
    """The problem of an amount that is finer than the currency's minor unit, which would be
    rounded."""
    places = exponent(order.currency or "")
    amounts = [
        ("total", order.total),
        *(("lines", each) for line in order.lines for each in (line.net, line.tax)),
    ]
    for field, amount in amounts:
        if amount.adjusted() >= MAX_DIGITS:
            said = say("amount_too_large", amount=f"{amount:.3E} {order.currency}")
            return Problem.of("too_large", said, field)
        if not _whole(amount.scaleb(places)):
            shown = f"{amount} {order.currency}"
            return Problem.of(
                "amount_precision", say("amount_too_fine", amount=shown, count=places), field
            )
    return None


def _net_apart(order: Order) -> Problem | None:
    """The problem of a net that its lines do not come to; an order of which Go says no net has
    0."""
    lines = sum((line.net for line in order.lines), Decimal(0))
    if not order.net or abs(order.net - lines) <= Decimal(1).scaleb(
        -exponent(order.currency or "")
    ):
        return None
    said = say(
        "net_on_no_line",
        lines=f"{decimal(lines)} {order.currency}",
        net=order.net,
        amount=decimal(order.net - lines),
    )
    return Problem.of("totals", said, "net")


def _odd_tax(order: Order) -> Problem | None:
    """The problem of a line whose VAT no rate explains: it would be lost, and with it the sum."""
    for number, line in enumerate(order.lines, start=1):
        if line.tax and (line.net == 0 or (line.net < 0) != (line.tax < 0)):
            net = f"{line.net} {order.currency}"
            said = say("line_odd_vat", number=number, tax=line.tax, net=net)
            return Problem.of("tax", said, "lines")
    return None


def _round_off_minor(order: Order) -> int:
    currency = order.currency or ""
    lines_minor = sum(minor(line.net, currency) + minor(line.tax, currency) for line in order.lines)
    return minor(order.total, currency) - lines_minor


def _line(
    index: int,
    line: Line,
    currency: str,
    price: ChargePrice | None,
    rate: Decimal | None,
    given: Sequence[Discount],
) -> dict[str, Any]:
    net_minor, unit_minor = minor(line.net, currency), line.unit_price.scaleb(exponent(currency))
    words = _words(index, line, price)
    quantity = 1
    if (
        line.quantity > 0
        and _whole(line.quantity)
        and _whole(unit_minor)
        and line.quantity * unit_minor == net_minor
    ):
        quantity = int(line.quantity)
    elif (note := _note(line)) is not None:
        words = f"{words[: DESCRIPTION_MAX - len(note) - 3]} ({note})"
    params: dict[str, Any] = {
        "id": _line_id(line),
        "description": words[:DESCRIPTION_MAX],
        "unit_amount": net_minor // quantity,
        "quantity": quantity,
        "amount": net_minor,
        "entity_type": "charge_item_price" if price else "adhoc",
    }
    if price:
        params["entity_id"] = price.id
    if rate is not None:
        taken = sum(each.tax for each in given if each.taken_from == index)
        params |= {"tax1_name": _tax_name(rate), "tax1_amount": minor(line.tax, currency) - taken}
    return params


def _line_id(line: Line) -> str:
    return f"go-{line.id}"[:LINE_ID_MAX]


def _words(index: int, line: Line, price: ChargePrice | None) -> str:
    return line.description or (price.text if price else None) or f"Line {index + 1}"


def _discount(order: Order, given: Discount, prices: Mapping[str, ChargePrice]) -> dict[str, Any]:
    """The parameters of a discount, with the text of the negative line that it stands for."""
    line = order.lines[given.taken_by]
    words = _words(given.taken_by, line, prices.get(line.product_id or ""))
    return {
        "entity_type": "item_level_discount",
        "line_item_id": _line_id(order.lines[given.taken_from]),
        "amount": given.net,
        "description": words[:DESCRIPTION_MAX],
    }


def _whole(number: Decimal) -> bool:
    return number == number.to_integral_value()


def _note(line: Line) -> str | None:
    """Why a line stands there with quantity 1: its own quantity, price and discount."""
    if line.quantity == 1 and not line.discount_percent:
        return None
    words = f"{decimal(line.quantity)} x {decimal(line.unit_price)}"
    return (
        f"{words}, {decimal(line.discount_percent)} % discount" if line.discount_percent else words
    )


def _tax_name(rate: Decimal) -> str:
    return f"VAT {rate} %"


def _rates(order: Order) -> dict[int, Decimal]:
    """The percentage of each taxed line. Small lines take a rate of greater ones that explains
    their rounded tax, one that gives it exactly before one that comes near. Go rounds VAT to two
    decimals in every currency."""
    unit = rounding_step(order.currency or "")
    found: dict[int, Decimal] = {}
    taxed = [index for index, line in enumerate(order.lines) if line.tax and line.net]
    for index in sorted(taxed, key=lambda each: -order.lines[each].net):
        line = order.lines[index]
        percent = line.tax * 100 / line.net
        guesses = [
            *found.values(),
            *(decimal(_rounded(percent, step)) for step in ("1", "0.1", "0.01")),
        ]
        taxes = {rate: line.net * rate / 100 for rate in guesses}
        exact = (rate for rate in guesses if taxes[rate].quantize(unit, ROUND_HALF_UP) == line.tax)
        near = (rate for rate in guesses if abs(taxes[rate] - line.tax) <= unit)
        found[index] = next(exact, next(near, decimal(_rounded(percent, "0.01"))))
    return dict(sorted(found.items()))


def _rounded(value: Decimal, step: Literal["1", "0.1", "0.01"]) -> Decimal:
    return value.quantize(Decimal(step), ROUND_HALF_UP)
