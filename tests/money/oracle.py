"""What the documents of both vendors are worth, in exact fractions of a major unit.

Imports neither the product nor the simulators: currencies, rounding and the meaning of each
vendor's fields are written here a second time, from the vendors' descriptions (order and invoice of
Chargebee's API v2, SalesOrderCompleteDto and OutgoingInvoiceDto of Go's).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from math import floor
from typing import Any, Literal

# ISO 4217, the minor units.
PLACES = {
    "NOK": 2,
    "EUR": 2,
    "SEK": 2,
    "USD": 2,
    "HUF": 2,
    "MGA": 2,
    "TWD": 2,
    "KWD": 3,
    "TND": 3,
    "CLF": 4,
    "JPY": 0,
    "ISK": 0,
    "KRW": 0,
    "CLP": 0,
    "UGX": 0,
}
GO_PLACES = 2  # Go keeps amounts of every currency at two decimals
CENT = Fraction(1, 100)
ROUND_OFF = "round-off"  # the line that carries it
Grade = Literal["equal", "rounding", "wrong"]


def half_up(value: Fraction, places: int) -> Fraction:
    """Rounded to decimals, halves away from zero."""
    scale = 10**places
    whole = floor(abs(value) * scale + Fraction(1, 2))
    return Fraction(whole if value >= 0 else -whole, scale)


def digits(value: Fraction) -> int:
    """Significant decimal digits of a number with a finite expansion of at most twelve places."""
    scaled = abs(value) * 10**12
    assert scaled.denominator == 1, value
    return len(str(scaled.numerator).strip("0"))


@dataclass(frozen=True)
class Amounts:
    """A line: net of tax and after discount, and its tax."""

    net: Fraction
    tax: Fraction


@dataclass(frozen=True)
class Document:
    """An order or invoice. `net`, `tax` and `total` are those of its header; `round_off` is part of
    the total alone. `lines` by the reference that the other side's lines name."""

    currency: str
    lines: Mapping[str, Amounts]
    net: Fraction
    tax: Fraction
    total: Fraction
    round_off: Fraction = Fraction(0)


def of_chargebee(raw: Mapping[str, Any], round_off: int | None = None) -> Document:
    """An order or an invoice as Chargebee shows it, amounts in minor units; lines by their id.
    `round_off` is what the total contains of it, where that is not what the record names: an order
    may be a part of its invoice."""
    scale = 10 ** PLACES.get(raw["currency_code"], 2)
    inclusive = raw["price_type"] == "tax_inclusive"
    is_order = "order_line_items" in raw
    lines = {}
    for line in raw["order_line_items" if is_order else "line_items"] or ():
        tax = _exact(line.get("tax_amount"))
        # Of an order `discount_amount` is the whole discount, of an invoice the document's share
        # alone.
        discount = _exact(line.get("discount_amount"))
        discount += 0 if is_order else _exact(line.get("item_level_discount_amount"))
        net = _exact(line["amount"]) - discount - (tax if inclusive else 0)
        lines[line["id"]] = Amounts(net / scale, tax / scale)
    named = raw.get("invoice_round_off_amount" if is_order else "round_off_amount")
    off = _exact(named if round_off is None else round_off) / scale
    tax, total = _exact(raw.get("tax")) / scale, _exact(raw.get("total")) / scale
    return Document(raw["currency_code"], lines, total - tax - off, tax, total, off)


def _exact(amount: Any) -> Fraction:
    """Also of what should have been an integer."""
    return Fraction(str(amount or 0))


def of_go(
    header: Mapping[str, Any],
    lines: Iterable[Mapping[str, Any]],
    *,
    line_types: tuple[str, ...],
    key: str,
) -> Document:
    """A sales order or outgoing invoice of Go, its numbers read as fractions; lines by their
    property `key`."""
    kept = {
        str(line[key]): Amounts(line["NetAmount"], line["VatAmount"])
        for line in lines
        if line["LineType"] in line_types
    }
    net, total = header["NetAmount"], header["TotalAmount"]
    tax = sum((each.tax for each in kept.values()), Fraction(0))
    return Document(header["CurrencyCode"], kept, net, tax, total, total - net - tax)


def go_line(line: Mapping[str, Any], rate: Fraction) -> Amounts:
    """What Go makes of the quantity, unit price and allowance of a line: two decimals, VAT on the
    rounded net."""
    net = half_up(
        line["Quantity"] * line["ProductUnitPrice"] * (100 - line["Allowance"]) / 100, GO_PLACES
    )
    return Amounts(net, half_up(net * rate, GO_PLACES))


def adds_up(document: Document) -> bool:
    """Whether the lines are worth what the header says."""
    net, tax = _sums(document)
    return (net, tax, net + tax + document.round_off) == (
        document.net,
        document.tax,
        document.total,
    )


def _sums(document: Document) -> tuple[Fraction, Fraction]:
    lines = document.lines.values()
    return sum((each.net for each in lines), Fraction(0)), sum(
        (each.tax for each in lines), Fraction(0)
    )


def apart(document: Document) -> Document:
    """The document with the line that is its round-off taken for one."""
    if ROUND_OFF not in document.lines:
        return document
    lines = {name: line for name, line in document.lines.items() if name != ROUND_OFF}
    off = document.lines[ROUND_OFF]
    return replace(
        document,
        lines=lines,
        net=document.net - off.net,
        tax=document.tax - off.tax,
        round_off=document.round_off + off.net + off.tax,
    )


def by_rate(document: Document, rates: Mapping[str, Fraction]) -> Document:
    """The document with one line for each VAT rate: what must stay the same where a negative line
    becomes a discount of others. `rates` by line."""
    lines: dict[str, Amounts] = {}
    for name, line in document.lines.items():
        held = lines.get(rate := text(rates[name] * 100), Amounts(Fraction(0), Fraction(0)))
        lines[rate] = Amounts(held.net + line.net, held.tax + line.tax)
    return replace(document, lines=lines)


def step(currency: str) -> Fraction:
    """What rounding may cost once: a minor unit, and never less than Go's cent."""
    return max(CENT, Fraction(1, 10 ** PLACES.get(currency, 2)))


def grade(ours: Document, theirs: Document) -> Grade:
    """How two documents of one sale differ. Rounding is VAT only: one step at most, per line and
    for the order."""
    ours, theirs = apart(ours), apart(theirs)
    if ours.currency != theirs.currency or ours.lines.keys() != theirs.lines.keys():
        return "wrong"
    pairs = [(line, theirs.lines[name]) for name, line in ours.lines.items()]
    if any(a.net != b.net for a, b in pairs) or (ours.net, ours.round_off) != (
        theirs.net,
        theirs.round_off,
    ):
        return "wrong"
    gaps = [ours.tax - theirs.tax, ours.total - theirs.total, *(a.tax - b.tax for a, b in pairs)]
    if not any(gaps):
        return "equal"
    return "rounding" if max(abs(each) for each in gaps) <= step(ours.currency) else "wrong"


def totals(document: Document) -> tuple[Fraction, Fraction, Fraction]:
    """Net, tax and total."""
    return document.net, document.tax, document.total


def difference(ours: Document, theirs: Document) -> str:
    """The first few differences in numbers."""
    ours, theirs = apart(ours), apart(theirs)
    names = ("net", "tax", "total", "round_off")
    said = [
        f"{name} {text(getattr(ours, name))}/{text(getattr(theirs, name))}"
        for name in names
        if getattr(ours, name) != getattr(theirs, name)
    ]
    if ours.currency != theirs.currency:
        said.append(f"{ours.currency}/{theirs.currency}")
    for name in [*ours.lines, *(each for each in theirs.lines if each not in ours.lines)]:
        a, b = ours.lines.get(name), theirs.lines.get(name)
        if a != b:
            said.append(f"line {name} {a and _pair(a)}/{b and _pair(b)}")
    return ", ".join(said[:6]) + (f" and {len(said) - 6} more" if len(said) > 6 else "")


def _pair(line: Amounts) -> str:
    return f"{text(line.net)} + {text(line.tax)}"


def text(value: Fraction) -> str:
    """A decimal number in full, or the fraction where there is none."""
    scaled = value * 10**12
    if scaled.denominator != 1:
        return str(value)
    whole, rest = divmod(abs(scaled.numerator), 10**12)
    fraction = f"{rest:012d}".rstrip("0")
    return f"{'-' if value < 0 else ''}{whole}{f'.{fraction}' if fraction else ''}"
