"""Canonical products as parameters of Chargebee's item and item price endpoints. Pure."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from contracts.entities import Price
from contracts.messages import Problem
from contracts.units import major, minor, unit_code, unit_word
from contracts.values import text
from services.chargebee_adapter import models
from services.chargebee_adapter.mapping_products import Pricing

NAME_MAX, DESCRIPTION_MAX, UNIT_MAX, SKU_MAX = 100, 500, 30, 100
ITEM_FIELDS = ("name", "description", "unit", "archived")


def holdable(
    fields: Mapping[str, Any], pricing: Pricing, price: models.ItemPrice | None, *, can_price: bool
) -> dict[str, Any] | Problem:
    """The fields Chargebee can hold, as it will hold them. `price` is the item price that would take the amount,
    `can_price` whether there is one or one may be made."""
    held: dict[str, Any] = {}
    if "name" in fields:
        held["name"] = text((fields["name"] or "")[:NAME_MAX])
        if held["name"] is None:
            return Problem(code="missing", field="name", message="a product needs a name; fill it in PowerOffice Go")
    if "description" in fields:
        held["description"] = text((fields["description"] or "")[:DESCRIPTION_MAX])
    if "unit" in fields and len(unit_word(fields["unit"]) or "") <= UNIT_MAX:
        held["unit"] = unit_code(unit_word(fields["unit"]))
    if "archived" in fields:
        held["archived"] = fields["archived"]
    wanted = fields.get("price")
    if wanted is not None and can_price and wanted.currency == pricing.ledger_currency:
        if wanted.amount < 0:
            words = "Chargebee holds no negative prices; correct the price in PowerOffice Go"
            return Problem(code="negative", field="price", message=words)
        if (amount := _as_held(wanted, pricing, price)) is not None:
            held["price"] = Price(amount=amount, currency=wanted.currency)
    return held


def _as_held(wanted: Price, pricing: Pricing, price: models.ItemPrice | None) -> Decimal | None:
    on_site = pricing.on_site(wanted.amount)
    if on_site is None:
        return None
    if not _is_exact(price):
        on_site = major(minor(on_site, wanted.currency), wanted.currency)
    return pricing.net(on_site, wanted.currency)


def _is_exact(price: models.ItemPrice | None) -> bool:
    return price is not None and price.price_in_decimal is not None


def amount_params(net: Decimal, pricing: Pricing, price: models.ItemPrice | None = None) -> dict[str, Any]:
    """The price of an item price: minor units, or major units as text on multi-decimal sites. `net` can be held."""
    on_site = pricing.on_site(net)
    assert on_site is not None
    if _is_exact(price):
        return {"price_in_decimal": format(on_site, "f")}
    return {"price": minor(on_site, pricing.ledger_currency)}


def item_creation(own_id: str, family: str, held: Mapping[str, Any]) -> dict[str, Any] | Problem:
    """Parameters of `POST /items` for a product born in Go: a charge, sold without a subscription."""
    if not held.get("name"):
        return Problem(code="missing", field="name", message="a product needs a name; fill it in PowerOffice Go")
    params = {
        "id": own_id, "name": held["name"], "external_name": held["name"], "type": "charge", "item_family_id": family,
        "description": held.get("description"), "unit": unit_word(held.get("unit")),
    }  # fmt: skip
    return {name: value for name, value in params.items() if value is not None}


def price_creation(
    own_id: str, item_id: str, item_name: str, code: str | None, net: Decimal, pricing: Pricing
) -> dict[str, Any]:
    """Parameters of `POST /item_prices`: one per-unit price in the ledger currency, Go's Code as its SKU."""
    currency = pricing.ledger_currency
    params: dict[str, Any] = {
        "id": own_id, "item_id": item_id, "name": f"{item_name[: NAME_MAX - 4]} {currency}", "currency_code": currency,
        "pricing_model": "per_unit", **amount_params(net, pricing),
    }  # fmt: skip
    if code and len(code) <= SKU_MAX:
        params["accounting_detail"] = {"sku": code}
    return params


def with_code(name: str, code: str) -> str:
    """A name made unique among items and prices by the product's code: `name (code)`."""
    suffix = f" ({code})"[:NAME_MAX]
    return name[: NAME_MAX - len(suffix)].rstrip() + suffix


def item_update(item: models.Item, to_write: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters of `POST /items/{id}`. The name goes where it is read from: `external_name` if there is one."""
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
