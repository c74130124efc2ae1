"""What the amounts of a Chargebee order come to, and why a document must not be made of them. Pure.

Everything is in minor units of the order's currency. Lines, `tax` and `total` are the order's own:
its share of the invoice. `invoice_round_off_amount` is the round-off of the whole invoice, which
belongs to an order that holds it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from contracts.messages import Problem
from contracts.said import say
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
        return Problem.of("credit", say("order_is_credit", amount=said(found.total)), "total")
    if not lines and found.total != 0:
        without = say("order_without_lines", amount=said(found.total))
        return Problem.of("missing", without, "lines")
    net, tax = sum(line.net for line in lines), sum(line.tax for line in lines)
    missing = found.total - found.tax - found.round_off - net
    if abs(missing) > ROUNDING:
        apart = say(
            "order_net_apart",
            lines=said(net),
            net=said(found.total - found.tax),
            amount=said(missing),
        )
        return Problem.of("totals", apart, "lines")
    if abs(found.tax - tax) > max(ROUNDING, len(lines)):
        apart = say("order_tax_apart", tax=said(found.tax), lines=said(tax))
        return Problem.of("totals", apart, "tax")
    return None
