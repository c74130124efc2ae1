"""What of an order would make a wrong draft in Go, told before one is made. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from contracts.entities import Line
from contracts.units import rounding_step
from contracts.values import decimal, text
from runtime.problems import Unwritable
from services.poweroffice_adapter.mapping import upper

CENT = Decimal("0.01")  # Go computes line amounts to two decimals
MAX_DIGITS = 15  # what a JSON double keeps of any decimal number (IEEE 754 binary64)
_ZERO = Decimal(0)


def check(fields: Mapping[str, Any]) -> None:
    """Raises Unwritable for typed fields of an order whose draft would hold other amounts than the
    order.

    Codes: `too_precise` and `too_large` for amounts that Go cannot keep, `not_adding_up` for lines
    that are not the order's net amount to one minor unit, `missing` for money without lines,
    `credit_note` for a negative total. `net`, `tax` and `total` are judged where they are given.
    """
    currency = upper(fields.get("currency")) or ""
    lines: Sequence[Line] = fields.get("lines", ())
    given = {name: fields[name] for name in ("net", "tax", "total") if fields.get(name) is not None}
    for line in lines:
        _check_line(line, currency)
    for name, amount in given.items():
        _check_amount(f"the order's {name} amount", amount, currency, name)
    _check_sums(lines, given, currency)


def named(line: Line) -> str:
    """A line as a person finds it."""
    return f"line {line.id} ({text(line.description) or 'without text'})"


def _check_line(line: Line, currency: str) -> None:
    for words, amount in (("net amount", line.net), ("tax", line.tax)):
        _check_amount(f"{named(line)}: the {words}", amount, currency, "lines")
    if digits(line.quantity) > MAX_DIGITS:
        message = (
            f"{named(line)}: the quantity {decimal(line.quantity)} has {digits(line.quantity)} "
            f"digits, and PowerOffice "
            f"Go keeps {MAX_DIGITS}; correct the quantity in Chargebee, or invoice this "
            f"order by hand"
        )
        raise Unwritable("too_large", message, field="lines")


def _check_amount(what: str, amount: Decimal, currency: str, field: str) -> None:
    shown = f"{what} {decimal(amount)} {currency}".rstrip()
    if digits(amount) > MAX_DIGITS:
        message = (
            f"{shown} has {digits(amount)} digits, and PowerOffice Go keeps {MAX_DIGITS}; "
            "correct the order in Chargebee, or invoice it by hand"
        )
        raise Unwritable("too_large", message, field=field)
    if amount != amount.quantize(CENT, ROUND_HALF_UP):
        message = (
            f"{shown} needs more than the two decimals that PowerOffice Go keeps; invoice "
            f"this order by hand"
        )
        raise Unwritable("too_precise", message, field=field)


def _check_sums(lines: Sequence[Line], given: Mapping[str, Decimal], currency: str) -> None:
    net = sum((line.net for line in lines), _ZERO)
    total = given.get(
        "total", given.get("net", net) + given.get("tax", sum((line.tax for line in lines), _ZERO))
    )
    if total < 0:
        message = (
            f"the order's total is {decimal(total)} {currency}: it is a credit, which is not "
            f"carried; "
            "credit the invoice in PowerOffice Go by hand"
        )
        raise Unwritable("credit_note", message, field="total")
    if not lines and any((total, *given.values())):
        message = (
            f"the order's total is {decimal(total)} {currency}, but it has no lines; correct "
            f"it in Chargebee"
        )
        raise Unwritable("missing", message, field="lines")
    wanted = given.get("net", net)
    if abs(net - wanted) > smallest(currency):
        message = (
            f"the lines add up to {decimal(net)} {currency}, but the order's net amount is "
            f"{decimal(wanted)} "
            f"{currency} ({', '.join(_nets(lines))}); correct the order in Chargebee"
        )
        raise Unwritable("not_adding_up", message, field="lines")


def _nets(lines: Sequence[Line], most: int = 5) -> Iterator[str]:
    yield from (f"{line.id}: {decimal(line.net)}" for line in lines[:most])
    if len(lines) > most:
        yield f"and {len(lines) - most} more"


def smallest(currency: str) -> Decimal:
    """The minor unit of a currency as Go can keep it: 0.01, or 1 where the currency has no
    decimals."""
    try:
        return rounding_step(currency)
    except ValueError:  # no currency that is known
        return CENT


def digits(number: Decimal) -> int:
    """How many significant digits a number has."""
    return len(decimal(number).as_tuple().digits)
