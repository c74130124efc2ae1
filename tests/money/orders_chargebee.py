"""Orders of Chargebee with their invoices, by class. Integers are minor units; the site's
arithmetic in fractions."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from random import Random
from typing import Any

from tests.money.case import RATES, Case, Make
from tests.money.oracle import PLACES, digits, half_up

DAY_S = 1_780_000_000
LARGEST_IN_SIMULATOR = (
    10**12
)  # major units: the simulator of Go refuses greater numbers, the vendor names no limit
Line = dict[str, Any]


def _tax(amount: int, rate: int, *, inclusive: bool) -> int:
    return int(half_up(Fraction(amount * rate, 100 + rate if inclusive else 100), 0))


def _line(
    number: int,
    rate: int,
    amount: int,
    *,
    unit: int | None = None,
    quantity: int | None = 1,
    discount: int = 0,
    inclusive: bool = False,
    tax: int | None = None,
    adhoc: bool = False,
) -> Line:
    made = tax if tax is not None else _tax(amount - discount, rate, inclusive=inclusive)
    line: Line = {
        "id": f"oli_{number}",
        "entity_type": "adhoc" if adhoc else "charge_item_price",
        "entity_id": f"price-{rate}",
        "description": f"Vare {number}",
        "unit_price": amount if unit is None else unit,
        "fulfillment_quantity": quantity,
        "amount": amount,
        "discount_amount": discount,
        "tax_amount": made,
        "fulfillment_amount": amount - discount + (0 if inclusive else made),
        "status": "queued",
    }
    if adhoc:
        del line["entity_id"]
    return line


def _order(
    lines: Sequence[Line],
    currency: str = "NOK",
    *,
    inclusive: bool = False,
    round_off: int = 0,
    **changes: Any,
) -> dict[str, Any]:
    sub_total, discount = (
        sum(line["amount"] for line in lines),
        sum(line["discount_amount"] for line in lines),
    )
    tax = sum(line["tax_amount"] for line in lines)
    return {
        "id": "1042",
        "document_number": "ORDER-1042",
        "invoice_id": "2042",
        "customer_id": "kari",
        "status": "queued",
        "payment_status": "paid",
        "currency_code": currency,
        "resource_version": 1_780_000_000_000,
        "price_type": "tax_inclusive" if inclusive else "tax_exclusive",
        "created_at": DAY_S,
        "order_date": DAY_S,
        "sub_total": sub_total,
        "discount": discount,
        "tax": tax,
        "rounding_adjustement": 0,
        "invoice_round_off_amount": round_off or None,
        "deleted": False,
        "total": sub_total - discount + (0 if inclusive else tax) + round_off,
        "order_line_items": list(lines),
        **changes,
    }


def _case(
    raw: dict[str, Any], expected: Any = "pass", reasons: Sequence[str] = (), **more: Any
) -> Case:
    total = int(float(raw["total"]))
    invoice = {
        "id": raw["invoice_id"],
        "status": "paid",
        "currency_code": raw["currency_code"],
        "total": total,
        "price_type": raw["price_type"],
        "tax": raw["tax"],
        "sub_total": raw["sub_total"],
        "amount_due": 0,
        "amount_paid": max(total, 0),
        "round_off_amount": raw["invoice_round_off_amount"],
        "deleted": False,
        "resource_version": raw["resource_version"],
        "adjustment_credit_notes": [],
        "issued_credit_notes": [],
    }
    return Case(raw, expected, frozenset(reasons), invoice=invoice, **more)


def _price(draw: Random) -> int:
    return draw.choice(
        (draw.randint(1, 999), draw.randint(100, 99_999), draw.randint(10_000, 5_000_000))
    )


def _goods(
    draw: Random,
    number: int,
    rate: int | None = None,
    *,
    inclusive: bool = False,
    adhoc: bool = False,
) -> Line:
    unit, quantity = _price(draw), draw.randint(1, 40)
    return _line(
        number,
        draw.choice(RATES) if rate is None else rate,
        unit * quantity,
        unit=unit,
        quantity=quantity,
        inclusive=inclusive,
        adhoc=adhoc,
    )


def _several(draw: Random, most: int = 6) -> range:
    return range(1, draw.randint(1, most) + 1)


def plain(draw: Random) -> Case:
    return _case(_order([_goods(draw, n, 25, adhoc=draw.random() < 0.1) for n in _several(draw)]))


def decimal_quantities(draw: Random) -> Case:
    """The order keeps a whole quantity, or none; the amount is that of the exact one, halves to
    even."""
    lines = []
    for n in _several(draw):
        unit, exact = _price(draw), Fraction(draw.randint(1, 9_999), draw.choice((10, 100, 1000)))
        amount = round(unit * exact)
        lines.append(
            _line(n, 25, amount, unit=unit, quantity=draw.choice((int(exact), round(exact), None)))
        )
    return _case(_order(lines))


def line_discounts(draw: Random) -> Case:
    lines = []
    for n in _several(draw):
        unit, quantity = _price(draw), draw.randint(1, 40)
        amount = unit * quantity
        percent = draw.choice(
            (Fraction(100, 3), Fraction(25, 2), 7, 10, 50, Fraction(draw.randint(1, 9999), 100))
        )
        discount = draw.choice((round(amount * percent / 100), draw.randint(0, amount)))
        lines.append(
            _line(n, draw.choice((25, 15)), amount, unit=unit, quantity=quantity, discount=discount)
        )
    return _case(_order(lines))


def document_discounts(draw: Random) -> Case:
    """A discount of the invoice, spread over the lines; the last takes what is left."""
    goods = [_goods(draw, n, draw.choice((25, 15, 12))) for n in _several(draw, 9)]
    whole = sum(line["amount"] for line in goods)
    discount = draw.choice((whole // 3, whole * draw.randint(1, 99) // 100, draw.randint(0, whole)))
    shares = [round(Fraction(discount * line["amount"], whole)) for line in goods]
    shares[-1] += discount - sum(shares)
    if not 0 <= shares[-1] <= goods[-1]["amount"]:
        return document_discounts(draw)
    lines = [
        _line(
            n,
            int(line["entity_id"][6:]),
            line["amount"],
            unit=line["unit_price"],
            discount=share,
            quantity=line["fulfillment_quantity"],
        )
        for n, (line, share) in enumerate(zip(goods, shares, strict=True), 1)
    ]
    return _case(_order(lines))


def tax_inclusive(draw: Random) -> Case:
    rate, lines = draw.choice((25, 15, 12, None)), []
    for n in _several(draw, draw.choice((1, 1, 8))):
        unit, quantity = _price(draw), draw.randint(1, 12)
        amount = unit * quantity
        discount = draw.choice((0, 0, amount // 10, amount // 3))
        lines.append(
            _line(
                n,
                draw.choice(RATES) if rate is None else rate,
                amount,
                unit=unit,
                quantity=quantity,
                discount=discount,
                inclusive=True,
            )
        )
    return _case(_order(lines, inclusive=True))


def several_rates(draw: Random) -> Case:
    rates = draw.sample(RATES, draw.randint(2, 4))
    return _case(
        _order([_goods(draw, n, rate) for n, rate in enumerate(rates * draw.randint(1, 3), 1)])
    )


def without_tax(draw: Random) -> Case:
    """Products without VAT, and a customer who pays none on products that have it (export, an
    exempt customer)."""
    lines = []
    for n in _several(draw):
        unit, quantity = _price(draw), draw.randint(1, 40)
        lines.append(
            _line(n, draw.choice((0, 25, 15)), unit * quantity, unit=unit, quantity=quantity, tax=0)
        )
    return _case(_order(lines))


def stairstep_and_tiered(draw: Random) -> Case:
    """The price of all is that of a step, or the sum over tiers; the unit price is an average, or
    that of one tier."""
    lines = []
    for n in _several(draw):
        quantity, amount = draw.randint(1, 400), _price(draw)
        unit = draw.choice(
            (round(Fraction(amount, quantity)), amount // quantity, draw.randint(0, 9_999), 0)
        )
        lines.append(_line(n, 25, amount, unit=unit, quantity=quantity))
    return _case(_order(lines))


def shares(draw: Random) -> Case:
    """One month or quarter of a yearly plan: the unit price is that of the year."""
    lines = []
    for n in _several(draw, 3):
        yearly, parts, quantity = _price(draw) + 12, draw.choice((12, 4, 2)), draw.choice((1, 1, 3))
        amount = round(Fraction(yearly * quantity, parts))
        lines.append(
            _line(
                n,
                25,
                amount,
                unit=yearly,
                quantity=quantity,
                discount=draw.choice((0, amount // 7)),
            )
        )
    return _case(_order(lines))


def no_decimals(draw: Random) -> Case:
    lines = [_goods(draw, n, draw.choice((0, 25, 15))) for n in _several(draw)]
    return _case(_order(lines, "JPY"))


def three_decimals(draw: Random) -> Case:
    """Go keeps two decimals: where an amount needs the third the order must not be made."""
    lines = []
    for n in _several(draw, 3):
        step = draw.choice((1, 10, 10, 10))
        unit, quantity = draw.randint(1, 99_999) * step, draw.choice((1, 2, 5, 10))
        lines.append(
            _line(
                n, 0 if draw.random() < 0.5 else 25, unit * quantity, unit=unit, quantity=quantity
            )
        )
    raw = _order(lines, "KWD")
    if any(line["amount"] % 10 for line in lines):
        return _case(raw, "refuse", ("too_precise",))
    # A tax of three decimals alone is Go's to compute; refusing it is as right as half a cent of
    # rounding.
    return _case(
        raw,
        "either" if any(line["tax_amount"] % 10 for line in lines) else "pass",
        ("too_precise",),
    )


def other_currencies(draw: Random) -> Case:
    """Minor units of every kind: none, two, and four, of which Go keeps two."""
    code = draw.choice(("HUF", "MGA", "TWD", "ISK", "KRW", "CLP", "UGX", "TND", "CLF"))
    step = {3: 10, 4: 100}.get(PLACES[code], 1)
    lines = []
    for n in _several(draw):
        unit, quantity = draw.randint(1, 99_999) * step, draw.randint(1, 9)
        lines.append(_line(n, 0, unit * quantity, unit=unit, quantity=quantity))
    return _case(_order(lines, code))


def unknown_currency(draw: Random) -> Case:
    """A code that ISO 4217 does not know: nobody can say how much a minor unit is."""
    return _case(
        _order([_goods(draw, 1, 0)], draw.choice(("XBT", "USDT", "ZZZ"))),
        "refuse",
        ("unknown_currency",),
    )


def no_integers(draw: Random) -> Case:
    """Amounts that are no integers of minor units: a fraction or a text is not guessed at."""
    raw = _order([_goods(draw, n, 25) for n in _several(draw, 3)])
    is_text, line = draw.random() < 0.5, raw["order_line_items"][0]
    if draw.random() < 0.5:
        name = draw.choice(("total", "tax"))
        return _case(
            {**raw, name: str(raw[name]) if is_text else raw[name] + 0.5}, "refuse", ("unreadable",)
        )
    name = draw.choice(("amount", "tax_amount"))
    changed = {**line, name: str(line[name]) if is_text else line[name] + 0.5}
    return _case(
        {**raw, "order_line_items": [changed, *raw["order_line_items"][1:]]},
        "refuse",
        ("unreadable",),
    )


def foreign_currency(draw: Random) -> Case:
    lines = [_goods(draw, n, draw.choice((0, 25))) for n in _several(draw)]
    return _case(_order(lines, draw.choice(("EUR", "USD", "SEK"))))


def round_off(draw: Random) -> Case:
    """The invoice's total was rounded, to whole units as a rule. With a product for it Go shows it
    as a line."""
    lines = [_goods(draw, n, 25) for n in _several(draw)]
    total = _order(lines)["total"]
    off = draw.choice((-total % 100, -(total % 100), draw.randint(-99, 99))) or 1
    raw = _order(lines, round_off=off if total + off >= 0 else 1)
    return _case(raw, has_round_off_product=draw.random() < 0.5)


def parts_of_an_invoice(draw: Random) -> Case:
    """One of several orders of an invoice: it names the invoice's round-off, which is not in its
    total, and has an adjustment of its own, which is."""
    off, own = draw.choice((0, 7, -35, 99)), draw.choice((0, 0, 1, -1))
    raw = _order([_goods(draw, n, draw.choice((25, 15))) for n in _several(draw)])
    raw |= {
        "invoice_round_off_amount": off or None,
        "rounding_adjustement": own,
        "total": raw["total"] + own,
    }
    case = _case(raw, round_off=own, has_round_off_product=draw.random() < 0.5)
    case.invoice["total"] += raw["total"] + off
    return case


def tiny(draw: Random) -> Case:
    lines = []
    for n in _several(draw, 9):
        unit, quantity = draw.choice((0, 1, 1, 2, 3, 7)), draw.choice((1, 1, 2, 3))
        lines.append(_line(n, draw.choice(RATES), unit * quantity, unit=unit, quantity=quantity))
    return _case(_order(lines))


def huge(draw: Random) -> Case:
    """JSON numbers of Go are doubles: what needs more than 15 digits does not survive."""
    lines = []
    for n in _several(draw, 2):
        length = draw.randint(9, 17)
        unit = (
            draw.randint(10 ** (length - 1), 10**length - 1) // (10 ** draw.choice((0, 0, 4))) or 1
        )
        quantity = draw.choice((1, 1, 3))
        lines.append(_line(n, draw.choice((0, 25)), unit * quantity, unit=unit, quantity=quantity))
    raw = _order(lines)
    scale = 10 ** PLACES[raw["currency_code"]]
    amounts = [Fraction(each, scale) for each in (raw["total"], raw["total"] - raw["tax"])]
    amounts += [Fraction(line["amount"], scale) for line in lines]
    if max(digits(each) for each in amounts) > 15:
        return _case(raw, "refuse", ("too_large",))
    fits = max(amounts) * 2 <= LARGEST_IN_SIMULATOR
    return _case(raw, "pass" if fits else "either", ("too_large",))


def wild_unit_prices(draw: Random) -> Case:
    """Unit prices and quantities that have nothing to do with the amount, up to the greatest that
    are integers of 64 bits: the amount decides."""
    lines = []
    for n in _several(draw, 3):
        unit, quantity = (
            draw.randint(0, 10 ** draw.randint(9, 18)),
            draw.randint(0, 10 ** draw.randint(3, 18)),
        )
        lines.append(_line(n, 25, _price(draw), unit=unit, quantity=quantity))
    return _case(_order(lines), "either", ("too_large",))


def many_lines(draw: Random) -> Case:
    count = draw.choice((1, 2, 5, 20, 20, 50, 50, 100, 250, 499, 500, 501))
    lines = [_goods(draw, n, draw.choice((25, 15))) for n in range(1, count + 1)]
    return _case(_order(lines), "pass" if count <= 500 else "refuse", ("too_many_lines",))


def negative_lines(draw: Random) -> Case:
    """A deduction that stands as a line; the total stays positive."""
    goods = [_goods(draw, n, 25) for n in _several(draw, 4)]
    off = draw.randint(1, max(sum(line["amount"] for line in goods) // 2, 1))
    if off >= sum(line["amount"] for line in goods):
        return negative_lines(draw)
    return _case(_order([*goods, _line(90, 25, -off, unit=-off)]), "either", ("negative_line",))


def full_discount(draw: Random) -> Case:
    lines = []
    for n in _several(draw):
        unit, quantity = _price(draw), draw.randint(1, 40)
        amount = unit * quantity
        lines.append(
            _line(
                n,
                25,
                amount,
                unit=unit,
                quantity=quantity,
                discount=amount if n != 2 else amount // 2,
            )
        )
    return _case(_order(lines))


def fees(draw: Random) -> Case:
    """A flat fee that stands there with quantity 0."""
    lines = [_goods(draw, n, 25) for n in _several(draw, 3)]
    fee = draw.randint(1, 99_999)
    return _case(_order([*lines, _line(90, 25, fee, unit=draw.choice((fee, 0)), quantity=0)]))


def another_rate(draw: Random) -> Case:
    """The product's account in Go has another VAT rate than the price had in Chargebee."""
    lines = [_goods(draw, n, 25) for n in _several(draw)]
    return _case(_order(lines), rates={25: draw.choice((15, 12))})


def own_terms(draw: Random) -> Case:
    """The customer has a standing allowance in Go, or is free of VAT there: the first must not leak
    in."""
    terms: dict[str, Any] = draw.choice(
        ({"Allowance": 10.0}, {"Allowance": 10.0}, {"IsVatFree": True})
    )
    return _case(_order([_goods(draw, n, 25) for n in _several(draw)]), customer=terms)


def do_not_add_up(draw: Random) -> Case:
    """The lines are not worth what the order says, by two minor units or more."""
    lines, why = [_goods(draw, n, 25) for n in _several(draw, 4)], ("totals", "not_adding_up")
    raw = _order(lines)
    off = draw.choice((2, 3, 100, 9_999, raw["total"], draw.randint(2, 10**6)))
    less = max(raw["total"] - off, raw["tax"])
    match draw.randint(0, 3):
        case 0:
            return _case(
                {**raw, "total": raw["total"] + off, "sub_total": raw["sub_total"] + off},
                "refuse",
                why,
            )
        case 1:
            bare = {**raw, "order_line_items": [], "total": max(raw["total"], 1)}
            return _case(bare, "refuse", ("missing",))
        case 2:
            return _case({**raw, "order_line_items": [*lines, _line(91, 25, off)]}, "refuse", why)
        case _:
            return _case(
                {**raw, "total": less}, "refuse" if raw["total"] - less > 1 else "either", why
            )


def credits(draw: Random) -> Case:
    lines = [
        _line(n, 25, -amount, unit=-amount) for n in _several(draw, 3) for amount in (_price(draw),)
    ]
    return _case(_order(lines), "refuse", ("credit", "credit_note"))


def invoices(draw: Random) -> Case:
    """An invoice that is the sale itself (`order.source = invoices`): that of an order of nearly
    any other class. A discount is in part the line's own, in part the document's share;
    `line_item_discounts` names both."""
    not_so = (invoices, parts_of_an_invoice, many_lines, wild_unit_prices)
    others = [make for make in CLASSES.values() if make not in not_so]
    case = draw.choice((draw.choice(others), line_discounts, document_discounts))(draw)
    lines: list[Line] = []
    named: list[Line] = []
    for line in case.raw["order_line_items"]:
        discount = line["discount_amount"]
        own = draw.randint(0, discount) if discount > 0 else 0
        names = ("id", "entity_type", "entity_id", "description", "amount", "tax_amount")
        lines.append(
            {
                **{name: line[name] for name in names if name in line},
                "unit_amount": line["unit_price"],
                "quantity": line["fulfillment_quantity"],
                "discount_amount": discount - own,
                "item_level_discount_amount": own,
                "date_from": DAY_S,
                "date_to": DAY_S + 30 * 86_400,
            }
        )
        kinds = (("item_level_coupon", own), ("document_level_coupon", discount - own))
        named += [
            {"line_item_id": line["id"], "discount_type": kind, "discount_amount": amount}
            for kind, amount in kinds
            if amount
        ]
    held = (
        "customer_id",
        "currency_code",
        "price_type",
        "sub_total",
        "tax",
        "total",
        "resource_version",
        "deleted",
    )
    raw = {
        **{name: case.raw[name] for name in held},
        "id": case.raw["invoice_id"],
        "status": "paid",
        "date": DAY_S,
        "generated_at": DAY_S,
        "amount_due": 0,
        "round_off_amount": case.raw["invoice_round_off_amount"],
        "line_items": lines,
        "line_item_discounts": named,
    }
    return replace(case, raw=raw)


CLASSES: dict[str, Make] = {
    "plain goods": plain,
    "decimal quantities": decimal_quantities,
    "line discounts": line_discounts,
    "document discounts": document_discounts,
    "tax-inclusive site": tax_inclusive,
    "several VAT rates": several_rates,
    "without VAT": without_tax,
    "stairstep and tiered": stairstep_and_tiered,
    "shares of a plan": shares,
    "no decimals (JPY)": no_decimals,
    "three decimals (KWD)": three_decimals,
    "EUR, USD, SEK": foreign_currency,
    "other currencies": other_currencies,
    "unknown currency": unknown_currency,
    "no integers": no_integers,
    "round-off": round_off,
    "parts of an invoice": parts_of_an_invoice,
    "invoices as sales": invoices,
    "tiny amounts": tiny,
    "huge amounts": huge,
    "wild unit prices": wild_unit_prices,
    "1 to 501 lines": many_lines,
    "negative lines": negative_lines,
    "100 % discount": full_discount,
    "fees of quantity 0": fees,
    "another rate in Go": another_rate,
    "terms of the customer": own_terms,
    "does not add up": do_not_add_up,
    "credits": credits,
}
