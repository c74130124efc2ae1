"""A Chargebee item with all its item prices as one canonical product. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Literal, cast

from contracts import entities
from contracts.messages import Problem
from contracts.said import say
from contracts.units import major, rounded, unit_code
from contracts.values import decimal, text
from contracts.vendors import code_for
from services.chargebee_adapter import models
from services.chargebee_adapter.addresses import unaddressable
from services.chargebee_adapter.mapping import (
    OWN_PREFIX,
    Raw,
    Reading,
    id_of,
    milliseconds,
    parsed,
    stamp_of,
)

FLAT_MODELS = ("flat_fee", "per_unit")
KINDS = ("plan", "addon", "charge")


@dataclass(frozen=True)
class Pricing:
    """How prices of the site are read. `vat_rate` is a fraction (0.25), needed where prices are
    gross."""

    ledger_currency: str
    gross: bool = False
    vat_rate: Decimal | None = None

    def net(self, amount: Decimal, currency: str) -> Decimal | None:
        """The net of a price of the site; None where gross prices have no rate."""
        if not self.gross:
            return decimal(amount)
        return None if self.vat_rate is None else rounded(amount / (1 + self.vat_rate), currency)

    def on_site(self, net: Decimal) -> Decimal | None:
        """What the site is given for a net amount; None where gross prices have no rate."""
        if not self.gross:
            return net
        return None if self.vat_rate is None else net * (1 + self.vat_rate)


def version_of(item: Raw, prices: Iterable[Raw]) -> str:
    """`<greatest resource_version>.<sum of all>`: 13 digits, a dot, 17 digits.

    Item and prices are read by separate calls, of which the list may lag by minutes. Two readings
    with the same greatest part can so differ in an older part; the sum, in which no part ever
    falls, tells which is newer.
    """
    parts = [milliseconds(item), *(milliseconds(price) for price in prices)]
    return f"{max(parts):013d}.{sum(parts):017d}"


def product(item: Raw, prices: Iterable[Raw], pricing: Pricing) -> Reading:
    """The product of an item and all its prices, deleted ones included for the version."""
    raw_prices = sorted(prices, key=id_of)
    name, version = id_of(item), version_of(item, raw_prices)
    record = parsed(models.Item, item, "item")
    if isinstance(record, Problem):
        return Reading("product", name, version, record)
    if (problem := unaddressable("items", name)) is not None:
        return Reading("product", name, version, problem, deleted=record.status == "deleted")
    held = [parsed(models.ItemPrice, raw, "item_price") for raw in raw_prices]
    gone = record.status == "deleted"
    for price in held:
        if isinstance(price, Problem):
            return Reading("product", name, version, price, deleted=gone)
    if record.type not in KINDS:
        said = say("item_type", value=repr(record.type))
        return Reading("product", name, version, Problem.of("unreadable", said, "type"))
    readable = [price for price in held if isinstance(price, models.ItemPrice)]
    entity = entities.Product(
        code=_code(record.id, readable, pricing),
        name=text(record.external_name) or text(record.name),
        description=text(record.description),
        unit=unit_code(record.unit),
        price=_price(readable, pricing),
        kind=cast(Literal["plan", "addon", "charge"], record.type),
        group=text(record.item_family_id),
        shippable=record.is_shippable,
        archived=record.status in ("archived", "deleted"),
    )
    return Reading(
        "product", name, version, entity, stamp=stamp_of(name, record.metadata), deleted=gone
    )


def ledger_price(prices: Iterable[models.ItemPrice], pricing: Pricing) -> models.ItemPrice | None:
    """The one active flat or per-unit price in the ledger currency; None when there is none or a
    choice."""
    fitting = [
        price
        for price in prices
        if (price.status or "active") == "active"
        and (price.pricing_model or "flat_fee") in FLAT_MODELS
        and (price.currency_code or pricing.ledger_currency) == pricing.ledger_currency
    ]
    return fitting[0] if len(fitting) == 1 else None


def _price(prices: Iterable[models.ItemPrice], pricing: Pricing) -> entities.Price | None:
    price = ledger_price(prices, pricing)
    amount = None if price is None else amount_of(price, pricing.ledger_currency)
    net = None if amount is None else pricing.net(amount, pricing.ledger_currency)
    return None if net is None else entities.Price(amount=net, currency=pricing.ledger_currency)


def amount_of(price: models.ItemPrice, currency: str) -> Decimal | None:
    """The price in major units, net or gross as the site keeps it; `price_in_decimal` where the
    site has it."""
    if exact := text(price.price_in_decimal):
        try:
            return decimal(exact)
        except (InvalidOperation, ValueError):
            return None
    return None if price.price is None else major(price.price, currency)


def _code(item_id: str, prices: Iterable[models.ItemPrice], pricing: Pricing) -> str | None:
    if not item_id.startswith(OWN_PREFIX):
        return code_for(item_id)
    held = (
        price.accounting_detail
        for price in prices
        if price.currency_code == pricing.ledger_currency
    )
    return next((sku for detail in held if detail is not None and (sku := text(detail.sku))), None)
