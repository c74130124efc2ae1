"""Negative lines of a Go order as discounts of the imported invoice, whose lines cannot be
negative. Pure.

A discount takes from the net of a line of the same VAT rate, and as much VAT goes with it as the
negative line had: net and VAT of the invoice stay those of the order to the last minor unit, at
each rate.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from contracts.entities import Order
from contracts.said import say
from contracts.units import major, minor
from runtime.problems import Unwritable


@dataclass(frozen=True)
class Discount:
    """What a negative line takes from another, both by their place in the order; amounts in minor
    units."""

    taken_by: int
    taken_from: int
    net: int
    tax: int


def discounts(order: Order, rates: Mapping[int, Decimal]) -> tuple[Discount, ...]:
    """How the negative lines become discounts. Raises Unwritable where they cannot. `rates` are the
    VAT percentages of taxed lines."""
    currency = order.currency or ""
    left = {
        index: (minor(line.net, currency), minor(line.tax, currency))
        for index, line in enumerate(order.lines)
        if line.net >= 0
    }
    found: list[Discount] = []
    for index, line in enumerate(order.lines):
        if line.net >= 0:
            continue
        alike = [each for each in left if rates.get(each) == rates.get(index) and left[each][0] > 0]
        steps = _taken(index, -minor(line.net, currency), -minor(line.tax, currency), alike, left)
        if steps is None:
            there = major(sum(left[each][0] for each in alike), currency)
            facts: dict[str, object] = {
                "number": index + 1,
                "net": f"{line.net} {currency}",
                "tax": line.tax,
                "amount": f"{there} {currency}",
            }
            said = (
                say("no_discount", rate=rates[index], **facts)
                if index in rates
                else say("no_discount_untaxed", **facts)
            )
            raise Unwritable.of("negative_line", said, field="lines")
        for step in steps:
            net, tax = left[step.taken_from]
            left[step.taken_from] = (net - step.net, tax - step.tax)
        found += steps
    return tuple(found)


def _taken(
    taken_by: int, net: int, tax: int, alike: list[int], left: Mapping[int, tuple[int, int]]
) -> list[Discount] | None:
    """The steps that take a net and a tax from these lines, from as few as can be; None where they
    do not suffice."""
    steps: list[Discount] = []
    rest_net, rest_tax = net, tax
    for index in sorted(alike, key=lambda each: (-left[each][0], each)):
        if rest_net == 0:
            break
        part = min(rest_net, left[index][0])
        share = rest_tax if part == rest_net else min(_share(tax, part, net), left[index][1])
        if not 0 <= share <= left[index][1]:
            return None
        steps.append(Discount(taken_by, index, part, share))
        rest_net, rest_tax = rest_net - part, rest_tax - share
    return steps if (rest_net, rest_tax) == (0, 0) else None


def _share(tax: int, part: int, whole: int) -> int:
    return int((Decimal(tax) * part / whole).quantize(Decimal(1), ROUND_HALF_UP))
