"""Hypothesis strategies for canonical customers, products and orders, and for what surrounds them.

Values are canonical (`contracts.values`): trimmed NFC text or None, decimals without trailing
zeros. Orders add up: a line's net follows from quantity, price and discount, its tax from one rate,
the total from all lines.
"""

from collections.abc import Sequence
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from hypothesis import strategies as st

from contracts.entities import Address, Customer, Invoice, Line, Order, Price, Product
from contracts.units import exponent, rounded
from contracts.values import decimal, text

DAYS = (date(2000, 1, 1), date(2099, 12, 31))
CURRENCIES = ("NOK", "EUR", "JPY", "KWD")  # exponents 2, 2, 0, 3
COUNTRIES = ("NO", "SE", "DK", "GB", "DE", "US")
UNITS = ("HUR", "MON", "EA", "KGM", "XPL", "MTK")
ORGANISATIONS = ("923609016", "974760673", "889640782")  # their check digits hold
_ALPHABET = st.one_of(
    st.sampled_from("abcXYZ æøåÆØÅé&=%+[]{}'\"\\/,;.-_#?0123456789"),
    # Half pairs of surrogates are no text, and control characters do not pass either vendor's
    # forms.
    st.characters(exclude_categories=("Cs", "Cc")),
)


def words(most: int = 30) -> st.SearchStrategy[str]:
    """Canonical text of 1 to `most` characters."""
    made = st.text(_ALPHABET, min_size=1, max_size=most).map(
        lambda value: text((text(value) or "")[:most])
    )
    return made.filter(bool).map(str)


def optional(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """A value or None."""
    return st.none() | values


def days() -> st.SearchStrategy[date]:
    """Any date of this century, with more of the days on which clocks change."""
    changes = [date(2026, 3, 29), date(2026, 10, 25), date(2000, 3, 26), date(2099, 10, 25)]
    return st.dates(*DAYS) | st.sampled_from(changes)


def amounts(currency: str, most: int = 1_000_000) -> st.SearchStrategy[Decimal]:
    """Amounts of 0 to `most` major units at the precision of a currency."""
    places = exponent(currency)
    return st.integers(0, most * 10**places).map(
        lambda minor: decimal(Decimal(minor).scaleb(-places))
    )


def addresses() -> st.SearchStrategy[Address]:
    """Addresses with at least a line or a city, also such as cannot be written."""
    return st.builds(
        Address,
        line1=optional(words()),
        line2=optional(words()),
        city=optional(words(20)),
        zip=optional(words(10)),
        country=optional(st.sampled_from(COUNTRIES)),
    ).filter(lambda each: bool(each.line1 or each.line2 or each.city or each.zip))


@st.composite
def customers(draw: st.DrawFn, kind: str | None = None, *, named: bool = False) -> Customer:
    """Persons with personal names only, companies with a company name and perhaps a number. With
    `named` nothing is blank that PowerOffice Go demands."""
    is_company = (kind or draw(st.sampled_from(("person", "company")))) == "company"
    name = words() if named else optional(words())
    return Customer(
        kind="company" if is_company else "person",
        first_name=None if is_company else draw(name),
        last_name=None if is_company else draw(name),
        company=draw(words()) if is_company else None,
        email=draw(
            optional(words(40).map(lambda local: f"{local.replace(' ', '')[:40]}@eksempel.no"))
        ),
        phone=draw(optional(words(20))),
        organisation_number=draw(optional(st.sampled_from(ORGANISATIONS))) if is_company else None,
        currency=draw(optional(st.sampled_from(CURRENCIES))),
        vat_exempt=draw(st.booleans()),
        address=draw(optional(addresses())),
        archived=draw(st.booleans()),
    )


@st.composite
def products(
    draw: st.DrawFn, currency: str = "NOK", groups: Sequence[str] = ("tjenester",)
) -> Product:
    """Products with a name and a code; the price has up to two decimals more than its currency."""
    spare = draw(st.integers(0, 2))
    unscaled = draw(st.integers(0, 10 ** (8 + spare)))
    amount = decimal(Decimal(unscaled).scaleb(-exponent(currency) - spare))
    return Product(
        code=draw(words(20)),
        name=draw(words(60)),
        description=draw(optional(words(60))),
        unit=draw(optional(st.sampled_from(UNITS) | words(12))),
        price=draw(optional(st.just(Price(amount=amount, currency=currency)))),
        group=draw(st.sampled_from(list(groups))),
        archived=draw(st.booleans()),
    )


@st.composite
def lines(draw: st.DrawFn, currency: str, number: int, product_ids: Sequence[str]) -> Line:
    """A line in `currency`; its unit price may be finer than the currency, its quantity a
    fraction."""
    quantity = draw(st.integers(1, 500).map(Decimal) | st.decimals("0.01", 99, places=2))
    fine = draw(st.sampled_from((0, 0, 0, 2)))
    price = decimal(draw(amounts(currency, 50_000)).scaleb(-fine))
    discount = draw(st.sampled_from((0, 0, 0, 5, 10, 33)))
    rate = draw(st.sampled_from((0, 12, 15, 25)))
    net = rounded(price * quantity * (100 - discount) / 100, currency)
    return Line(
        id=f"l{number}",
        product_id=draw(optional(st.sampled_from(list(product_ids)))),
        description=draw(optional(words())),
        quantity=decimal(quantity),
        unit_price=price,
        discount_percent=Decimal(discount),
        net=net,
        tax=rounded(net * rate / 100, currency),
    )


@st.composite
def orders(
    draw: st.DrawFn,
    currencies: Sequence[str] = CURRENCIES,
    product_ids: Sequence[str] = ("10", "11"),
) -> Order:
    """Orders with a customer, an order date and one to four lines; the total may be rounded to
    whole units."""
    currency = draw(st.sampled_from(list(currencies)))
    made = tuple(
        draw(lines(currency, number, product_ids)) for number in range(draw(st.integers(1, 4)))
    )
    net, tax = (
        sum((line.net for line in made), Decimal(0)),
        sum((line.tax for line in made), Decimal(0)),
    )
    total = net + tax
    if exponent(currency) == 2 and draw(st.booleans()):
        total = total.quantize(Decimal(1), ROUND_HALF_UP)
    return Order(
        customer_id=draw(st.integers(1, 10**9).map(str)),
        number=draw(optional(words(10))),
        currency=currency,
        order_date=draw(days()),
        delivery_date=draw(optional(days())),
        purchase_order=draw(optional(words(40))),
        invoice=draw(optional(st.builds(Invoice, number=words(10), paid=optional(st.booleans())))),
        lines=made,
        net=decimal(net),
        tax=decimal(total - net),
        total=decimal(total),
    )
