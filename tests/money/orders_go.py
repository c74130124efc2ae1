"""Sales orders of Go that are about to be sent, by class: what a person enters. Go computes the
amounts."""

from collections.abc import Sequence
from fractions import Fraction
from random import Random
from typing import Any

from tests.money.case import RATES, Case, Make

Line = dict[str, Any]


def number(value: Fraction | int) -> float | int:
    """As JSON has it."""
    exact = Fraction(value)
    return int(exact) if exact.denominator == 1 else float(exact)


def _line(
    position: int,
    rate: int,
    price: Fraction,
    quantity: Fraction | int = 1,
    allowance: Fraction | int = 0,
    **more: Any,
) -> Line:
    return {
        "LineType": "Normal",
        "ProductId": f"product-{rate}",
        "Description": f"Vare {position}",
        "Quantity": number(quantity),
        "ProductUnitPrice": number(price),
        "Allowance": number(allowance),
        "SortOrder": position,
        **more,
    }


def _draft(lines: Sequence[Line], currency: str = "NOK") -> dict[str, Any]:
    return {
        "CurrencyCode": currency,
        "SalesOrderDate": "2026-06-01",
        "SalesOrderLines": list(lines),
    }


def _case(
    raw: dict[str, Any], expected: Any = "pass", reasons: Sequence[str] = (), **more: Any
) -> Case:
    return Case(raw, expected, frozenset(reasons), **more)


def _price(draw: Random, places: int = 2) -> Fraction:
    most = draw.choice((999, 99_999, 5_000_000))
    return Fraction(draw.randint(1, most) * 10 ** (places - 2), 10**places)


def _goods(draw: Random, position: int, rate: int | None = None) -> Line:
    return _line(
        position, draw.choice(RATES) if rate is None else rate, _price(draw), draw.randint(1, 40)
    )


def _several(draw: Random, most: int = 6) -> range:
    return range(1, draw.randint(1, most) + 1)


def plain(draw: Random) -> Case:
    return _case(_draft([_goods(draw, n, 25) for n in _several(draw)]))


def decimal_quantities(draw: Random) -> Case:
    """Also prices finer than a cent."""
    lines = []
    for n in _several(draw):
        quantity = Fraction(draw.randint(1, 9_999), draw.choice((10, 100, 1000)))
        price = draw.choice((_price(draw), Fraction(draw.randint(1, 999_999), 10_000)))
        lines.append(_line(n, 25, price, quantity))
    return _case(_draft(lines))


def allowances(draw: Random) -> Case:
    lines = []
    for n in _several(draw):
        percent = draw.choice(
            (Fraction(3333, 100), Fraction(25, 2), 7, 10, Fraction(draw.randint(1, 9999), 100), -10)
        )
        lines.append(_line(n, draw.choice((25, 15)), _price(draw), draw.randint(1, 40), percent))
    return _case(_draft(lines))


def several_rates(draw: Random) -> Case:
    rates = draw.sample(RATES, draw.randint(2, 4))
    return _case(
        _draft([_goods(draw, n, rate) for n, rate in enumerate(rates * draw.randint(1, 3), 1)])
    )


def without_tax(draw: Random) -> Case:
    """Products without VAT, and the account for sales without it on others."""
    lines = []
    for n in _several(draw):
        rate = draw.choice((0, 25))
        lines.append(
            _line(
                n,
                rate,
                _price(draw),
                draw.randint(1, 40),
                **({"UseStandardSalesAccount": False} if rate else {}),
            )
        )
    return _case(_draft(lines))


def fees_and_texts(draw: Random) -> Case:
    """The invoice fee that Go adds, and lines without money."""
    lines: list[Line] = [_goods(draw, n, 25) for n in _several(draw, 3)]
    lines.append(_line(90, 25, _price(draw), LineType="InvoiceFee"))
    lines.append({"LineType": "Text", "Description": "Takk for handelen", "SortOrder": 91})
    return _case(_draft(lines))


def no_decimals(draw: Random) -> Case:
    """Go keeps two decimals of yen, Chargebee none."""
    whole = draw.random() < 0.5
    lines = [
        _line(n, 0 if whole else 25, Fraction(draw.randint(1, 99_999)), draw.randint(1, 9))
        for n in _several(draw)
    ]
    return (
        _case(_draft(lines, "JPY"), "either", ("amount_precision",))
        if not whole
        else _case(_draft(lines, "JPY"))
    )


def three_decimals(draw: Random) -> Case:
    return _case(_draft([_goods(draw, n, draw.choice((0, 25))) for n in _several(draw)], "KWD"))


def foreign_currency(draw: Random) -> Case:
    lines = [_goods(draw, n, draw.choice((0, 25))) for n in _several(draw)]
    return _case(_draft(lines, draw.choice(("EUR", "USD", "SEK"))))


def round_off(draw: Random) -> Case:
    """The total is not the sum of the lines but up to 0.99 away: a round-off."""
    lines = [_goods(draw, n, 25) for n in _several(draw)]
    off = Fraction(draw.choice((-1, 1)) * draw.randint(1, 99), 100)
    return _case(_draft(lines), "either", ("totals",), invoice={"TotalAmount": off})


def tiny(draw: Random) -> Case:
    lines = [
        _line(
            n,
            draw.choice(RATES),
            Fraction(draw.choice((0, 1, 1, 2, 3, 7)), 100),
            draw.choice((1, 1, 2, 3)),
        )
        for n in _several(draw, 9)
    ]
    return _case(_draft(lines))


def huge(draw: Random) -> Case:
    """Up to the greatest numbers that the simulator of Go takes."""
    lines = [
        _line(
            n,
            draw.choice((0, 25)),
            Fraction(draw.randint(1, 10 ** draw.randint(9, 14)), 100),
            draw.choice((1, 1, 3)),
        )
        for n in _several(draw, 2)
    ]
    return _case(_draft(lines))


def many_lines(draw: Random) -> Case:
    count = draw.choice((1, 2, 5, 20, 20, 50, 50, 100, 250, 499, 500, 501))
    lines = [_goods(draw, n, draw.choice((25, 15))) for n in range(1, count + 1)]
    return _case(_draft(lines), "pass" if count <= 500 else "refuse", ("too_many_lines",))


def negative_lines(draw: Random) -> Case:
    """Lines of negative quantity or price; the total stays positive. Chargebee takes them as
    discounts of lines of the same rate, or not at all. They are worth 1.00 or more, since the VAT
    of less does not tell its rate."""
    goods = [_goods(draw, n, draw.choice((25, 25, 15, 12, 0))) for n in _several(draw, 4)]
    worth = {line["ProductId"]: 0 for line in goods}
    for line in goods:
        worth[line["ProductId"]] += int(line["ProductUnitPrice"] * 100) * line["Quantity"]
    lines = []
    for n in range(draw.choice((1, 1, 2, 3))):
        product = draw.choice(list(worth))
        most = int(worth[product] * draw.choice((0.3, 0.6, 1, 1.5)))
        off = Fraction(draw.randint(100, max(most, 100)), 100)
        worth[product] -= int(off * 100)
        sign = draw.choice((1, -1))
        lines.append(_line(90 + n, int(product[8:]), off * sign, -sign))
    if sum(worth.values()) < 0:
        return negative_lines(draw)
    mixed = [*goods, *lines]
    draw.shuffle(mixed)
    return _case(
        _draft([{**line, "SortOrder": n} for n, line in enumerate(mixed)]),
        "either",
        ("negative_line",),
    )


def full_discount(draw: Random) -> Case:
    lines = [
        _line(n, 25, _price(draw), draw.randint(1, 40), 100 if n != 2 else 50)
        for n in _several(draw)
    ]
    return _case(_draft(lines))


def quantity_zero(draw: Random) -> Case:
    return _case(_draft([_goods(draw, 1, 25), _line(2, 25, _price(draw), 0)]))


def do_not_add_up(draw: Random) -> Case:
    """Header amounts that the lines do not explain, as a truncated listing or a vendor's fault
    would show them."""
    lines = [_goods(draw, n, 25) for n in _several(draw, 4)]
    off = Fraction(draw.choice((100, 101, 9_999, draw.randint(100, 10**6))), 100)
    match draw.randint(0, 2):
        case 0:
            return _case(_draft(lines), "refuse", ("totals",), invoice={"TotalAmount": off + 1})
        case 1:
            return _case(_draft(lines), "refuse", ("totals",), invoice={"NetAmount": off})
        case _:
            return _case(
                _draft(lines), "refuse", ("totals", "missing"), invoice={"drop line": Fraction(1)}
            )


def credits(draw: Random) -> Case:
    lines = [_line(n, 25, _price(draw), -draw.randint(1, 9)) for n in _several(draw, 3)]
    return _case(_draft(lines), "refuse", ("credit_note",))


CLASSES: dict[str, Make] = {
    "plain goods": plain,
    "decimal quantities": decimal_quantities,
    "allowances": allowances,
    "several VAT rates": several_rates,
    "without VAT": without_tax,
    "fees and text lines": fees_and_texts,
    "no decimals (JPY)": no_decimals,
    "three decimals (KWD)": three_decimals,
    "EUR, USD, SEK": foreign_currency,
    "round-off": round_off,
    "tiny amounts": tiny,
    "huge amounts": huge,
    "1 to 501 lines": many_lines,
    "negative lines": negative_lines,
    "100 % discount": full_discount,
    "lines of quantity 0": quantity_zero,
    "does not add up": do_not_add_up,
    "credits": credits,
}
