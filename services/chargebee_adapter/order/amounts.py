"""What the amounts of a Chargebee order come to, and why a document must not be made of them. Pure.

Everything is in minor units of the order's currency. Lines, `tax` and `total` are the order's own:
its share of the invoice. `invoice_round_off_amount` is the round-off of the whole invoice, which
belongs to an order that holds it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from contracts.messages import Problem
from contracts.units import major
from services.chargebee_adapter import models

ROUND_OFF_MAX_MINOR = 99  # of an invoice, either way (import an invoice, API reference)
ROUNDING = 1  # minor units by which an order's net may miss that of its lines


@dataclass(frozen=True)
class LineAmounts:
    """Net after discount, and tax."""

    net: int
    tax: int


@dataclass(frozen=True)
class Amounts:
    """An order's amounts. `total` contains `round_off`, the part that stands on no line."""

    total: int
    tax: int
    round_off: int


def line_amounts(line: models.OrderLine, *, is_inclusive: bool) -> LineAmounts:
    """The amounts of a line. `is_inclusive`: the site's amounts include tax (`price_type`)."""
    tax = line.tax_amount or 0
    return LineAmounts(
        (line.amount or 0) - (line.discount_amount or 0) - (tax if is_inclusive else 0), tax
    )


def amounts(
    record: models.Order, lines: Sequence[LineAmounts], invoice: models.Invoice | None
) -> Amounts:
    """The order's amounts. Of what Chargebee names as round-off, that is the order's which its net
    needs: an order that is a part of an invoice may name one that is not in its total."""
    total, tax = record.total or 0, record.tax or 0
    missing = total - tax - sum(line.net for line in lines)
    ours = record.rounding_adjustement or 0
    whole = record.invoice_round_off_amount or (invoice.round_off_amount if invoice else None) or 0
    named = [each for each in (ours, whole, ours + whole) if abs(each) <= ROUND_OFF_MAX_MINOR]
    round_off = min((0, *named), key=lambda each: (abs(missing - each), abs(each)))
    return Amounts(total, tax, round_off)


def fault(found: Amounts, lines: Sequence[LineAmounts], currency: str) -> Problem | None:
    """Why these amounts would make a wrong document, if so."""

    def said(minor: int) -> str:
        return f"{major(minor, currency)} {currency}"

    if found.total < 0:
        words = (
            f"order.total is {said(found.total)}: a credit is no sale; credit it in "
            f"PowerOffice Go by hand"
        )
        return Problem(code="credit", field="total", message=words)
    if not lines and found.total != 0:
        words = (
            f"order.total is {said(found.total)}, but order.order_line_items is empty; enter "
            f"the order by hand"
        )
        return Problem(code="missing", field="lines", message=words)
    net, tax = sum(line.net for line in lines), sum(line.tax for line in lines)
    missing = found.total - found.tax - found.round_off - net
    if abs(missing) > ROUNDING:
        words = (
            f"order.order_line_items come to {said(net)} without tax, order.total less "
            f"order.tax is "
            f"{said(found.total - found.tax)}: {said(missing)} stands on no line; enter the "
            f"order by hand"
        )
        return Problem(code="totals", field="lines", message=words)
    if abs(found.tax - tax) > max(ROUNDING, len(lines)):
        words = (
            f"order.tax is {said(found.tax)}, the tax_amount of order.order_line_items comes to "
            f"{said(tax)}; "
            "enter the order by hand"
        )
        return Problem(code="totals", field="tax", message=words)
    return None
