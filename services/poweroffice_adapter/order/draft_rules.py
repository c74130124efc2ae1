"""What of an order would make a wrong draft in Go, told before one is made. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from contracts.entities import Line
from contracts.said import Said, say
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
        what = say("order_amount", field=name, amount=_shown(amount, currency))
        _check_amount(what, amount, name)
    _check_sums(lines, given, currency)


def named(line: Line) -> str:
    """A line as a person finds it."""
    return f"line {line.id} ({text(line.description) or 'without text'})"


def _check_line(line: Line, currency: str) -> None:
    net, tax = _shown(line.net, currency), _shown(line.tax, currency)
    _check_amount(say("line_net", line=named(line), amount=net), line.net, "lines")
    _check_amount(say("line_tax", line=named(line), amount=tax), line.tax, "lines")
    if digits(line.quantity) > MAX_DIGITS:
        said = say(
            "quantity_too_large",
            line=named(line),
            value=decimal(line.quantity),
            count=digits(line.quantity),
            most=MAX_DIGITS,
        )
        raise Unwritable.of("too_large", said, field="lines")


def _shown(amount: Decimal, currency: str) -> str:
    return f"{decimal(amount)} {currency}".rstrip()


def _check_amount(what: Said, amount: Decimal, field: str) -> None:
    if digits(amount) > MAX_DIGITS:
        said = say("too_many_digits", what=what, count=digits(amount), most=MAX_DIGITS)
        raise Unwritable.of("too_large", said, field=field)
    if amount != amount.quantize(CENT, ROUND_HALF_UP):
        raise Unwritable.of("too_precise", say("too_many_decimals", what=what), field=field)


def _check_sums(lines: Sequence[Line], given: Mapping[str, Decimal], currency: str) -> None:
    net = sum((line.net for line in lines), _ZERO)
    total = given.get(
        "total", given.get("net", net) + given.get("tax", sum((line.tax for line in lines), _ZERO))
    )
    if total < 0:
        said = say("total_is_credit", amount=f"{decimal(total)} {currency}")
        raise Unwritable.of("credit_note", said, field="total")
    if not lines and any((total, *given.values())):
        said = say("total_without_lines", amount=f"{decimal(total)} {currency}")
        raise Unwritable.of("missing", said, field="lines")
    wanted = given.get("net", net)
    if abs(net - wanted) > smallest(currency):
        said = say(
            "not_adding_up",
            lines=f"{decimal(net)} {currency}",
            net=f"{decimal(wanted)} {currency}",
            list=", ".join(_nets(lines)),
        )
        raise Unwritable.of("not_adding_up", said, field="lines")


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
