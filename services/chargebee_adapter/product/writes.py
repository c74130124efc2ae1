"""Canonical products as parameters of Chargebee's item and item price endpoints. Pure."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from contracts.entities import Price
from contracts.messages import Problem
from contracts.said import Said, say
from contracts.units import major, minor, unit_code, unit_word
from contracts.values import text
from runtime.problems import Fitting, Unwritable, fit
from services.chargebee_adapter import models
from services.chargebee_adapter.limits import ITEM, long_description, too_long
from services.chargebee_adapter.product.canonical import Pricing

NAME_MAX, SKU_MAX = ITEM["name"], 100
_NAMELESS = Problem.of("missing", say("product_needs_name"), "name")
ITEM_FIELDS = ("name", "description", "unit", "archived")


def fitting(
    fields: Mapping[str, Any], pricing: Pricing, price: models.ItemPrice | None, *, can_price: bool
) -> Fitting:
    """What Chargebee can hold of these fields of a product. `price` is the item price that would
    take the amount, `can_price` whether there is one or one may be made."""
    held: dict[str, Any] = {
        name: text(fields[name]) for name in ("name", "description") if name in fields
    }
    unit = unit_word(fields.get("unit"))
    held |= {"unit": unit_code(unit)} if "unit" in fields else {}
    held |= {"archived": fields["archived"]} if "archived" in fields else {}
    faults = [
        too_long("name", "name", held.get("name"), NAME_MAX),
        long_description(held.get("description")),
        too_long("unit", "unit", unit, ITEM["unit"]),
    ]
    if "name" in held and held["name"] is None:
        faults.append(_NAMELESS)
    wanted = fields.get("price")
    if wanted is not None and (fault := _price_fault(wanted, pricing, can_price)) is not None:
        faults.append(Problem.of("price", fault, "price"))
    elif wanted is not None and (amount := _as_held(wanted, pricing, price)) is not None:
        held["price"] = Price(amount=amount, currency=wanted.currency)
    return fit(held, faults)


def _price_fault(wanted: Price, pricing: Pricing, can_price: bool) -> Said | None:
    if wanted.currency != pricing.ledger_currency:
        return say("price_currency", currency=wanted.currency, ledger=pricing.ledger_currency)
    if not can_price:
        return say("price_not_plain", currency=wanted.currency)
    if wanted.amount < 0:
        return say("price_negative")
    if pricing.on_site(wanted.amount) is None:
        return say("price_gross")
    return None


def _as_held(wanted: Price, pricing: Pricing, price: models.ItemPrice | None) -> Decimal | None:
    on_site = pricing.on_site(wanted.amount)
    if on_site is None:
        return None
    if not _is_exact(price):
        on_site = major(minor(on_site, wanted.currency), wanted.currency)
    return pricing.net(on_site, wanted.currency)


def _is_exact(price: models.ItemPrice | None) -> bool:
    return price is not None and price.price_in_decimal is not None


def amount_params(
    net: Decimal, pricing: Pricing, price: models.ItemPrice | None = None
) -> dict[str, Any]:
    """The price of an item price: minor units, or major units as text on multi-decimal sites. `net`
    can be held."""
    on_site = pricing.on_site(net)
    assert on_site is not None
    if _is_exact(price):
        return {"price_in_decimal": format(on_site, "f")}
    return {"price": minor(on_site, pricing.ledger_currency)}


def item_creation(
    own_id: str, family: str, fitting: Fitting, *, shippable: bool | None = None
) -> dict[str, Any]:
    """Parameters of `POST /items` for a product born in Go: a charge, sold without a subscription.
    Goods are `shippable`: Chargebee makes orders of those only. Raises Unwritable for one without a
    name."""
    held = fitting.held
    if not held.get("name"):
        raise Unwritable(fitting.faults.get("name", _NAMELESS))
    params = {
        "id": own_id,
        "name": held["name"],
        "external_name": held["name"],
        "type": "charge",
        "item_family_id": family,
        "description": held.get("description"),
        "unit": unit_word(held.get("unit")),
        "is_shippable": shippable or None,
    }
    return {name: value for name, value in params.items() if value is not None}


def price_creation(
    own_id: str, item_id: str, item_name: str, code: str | None, net: Decimal, pricing: Pricing
) -> dict[str, Any]:
    """Parameters of `POST /item_prices`: one per-unit price in the ledger currency, Go's Code as
    its SKU."""
    currency = pricing.ledger_currency
    params: dict[str, Any] = {
        "id": own_id,
        "item_id": item_id,
        "name": f"{item_name[: NAME_MAX - 4]} {currency}",
        "currency_code": currency,
        "pricing_model": "per_unit",
        **amount_params(net, pricing),
    }
    if code and len(code) <= SKU_MAX:
        params["accounting_detail"] = {"sku": code}
    return params


def with_code(name: str, code: str) -> str:
    """A name made unique among items and prices by the product's code: `name (code)`."""
    suffix = f" ({code})"[:NAME_MAX]
    return name[: NAME_MAX - len(suffix)].rstrip() + suffix


def item_update(item: models.Item, to_write: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters of `POST /items/{id}`. The name goes where it is read from: `external_name` if
    there is one."""
    params: dict[str, Any] = {}
    if "name" in to_write:
        params["external_name" if text(item.external_name) else "name"] = to_write["name"]
    if "description" in to_write:
        params["description"] = to_write["description"]
    if "unit" in to_write:
        params["unit"] = unit_word(to_write["unit"])
    if "archived" in to_write:
        params["status"] = "archived" if to_write["archived"] else "active"
    return params
