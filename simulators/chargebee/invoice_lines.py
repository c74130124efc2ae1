"""The lines of an invoice: from item prices and charges, with discounts and computed tax."""

from decimal import Decimal
from typing import Final

from simulators.chargebee import money
from simulators.chargebee.calls import Call
from simulators.chargebee.errors import wrong_value
from simulators.chargebee.fields import (
    Fields,
    boolean,
    choice,
    integer,
    number,
    read,
    text,
    timestamp,
    without_nulls,
)
from simulators.chargebee.params import rows
from simulators.chargebee.site import Row, Site

TAX_NAME: Final = "MVA"
_PRICE_ROW: Final[Fields] = {
    "item_price_id": text(100),
    "quantity": integer(1),
    "unit_price": integer(0),
    "description": text(250),
    "date_from": timestamp,
    "date_to": timestamp,
}
_CHARGE_ROW: Final[Fields] = {
    "amount": integer(1),
    "description": text(250),
    "taxable": boolean,
    "date_from": timestamp,
    "date_to": timestamp,
}
_DISCOUNT_ROW: Final[Fields] = {
    "apply_on": choice("invoice_amount", "specific_item_price"),
    "percentage": number,
    "amount": integer(0),
    "item_price_id": text(100),
}


def price_lines(call: Call, currency_code: str) -> list[Row]:
    lines = []
    for index, cells in rows(call.params, "item_prices"):
        wire = f"item_prices[{{}}][{index}]"
        given = read(cells, _PRICE_ROW, wire, required=("item_price_id",))
        param = wire.format("item_price_id")
        price = call.table("item_price").get(given["item_price_id"], param)
        if price["item_type"] != "charge":
            raise wrong_value(param, "only item prices of type charge are allowed")
        if price["status"] != "active":
            raise wrong_value(param, f"the item price is {price['status']}")
        if price["currency_code"] != currency_code:
            raise wrong_value(param, f"the item price is not in {currency_code}")
        quantity = given.get("quantity") or 1 if price["pricing_model"] != "flat_fee" else 1
        unit_amount = (
            price.get("price", 0) if given.get("unit_price") is None else given["unit_price"]
        )
        item = call.table("item").get(price["item_id"])
        lines.append(
            line_item(
                call.site,
                {
                    "unit_amount": unit_amount,
                    "quantity": quantity,
                    "amount": unit_amount * quantity,
                    "pricing_model": price["pricing_model"],
                    "is_taxed": price["is_taxable"],
                    "description": given.get("description")
                    or price.get("external_name")
                    or price["name"],
                    "entity_type": "charge_item_price",
                    "entity_id": price["id"],
                    "date_from": given.get("date_from"),
                    "date_to": given.get("date_to"),
                    "_is_shippable": item["is_shippable"],
                    "_sku": price.get("accounting_detail", {}).get("sku"),
                },
            )
        )
    return lines


def charge_lines(call: Call) -> list[Row]:
    lines = []
    for index, cells in rows(call.params, "charges"):
        given = read(
            cells, _CHARGE_ROW, f"charges[{{}}][{index}]", required=("amount", "description")
        )
        lines.append(
            line_item(
                call.site,
                {
                    "unit_amount": given["amount"],
                    "quantity": 1,
                    "amount": given["amount"],
                    "pricing_model": "flat_fee",
                    "is_taxed": given.get("taxable") is not False,
                    "description": given["description"],
                    "entity_type": "adhoc",
                    "date_from": given.get("date_from"),
                    "date_to": given.get("date_to"),
                },
            )
        )
    return lines


def line_item(site: Site, values: Row) -> Row:
    """An invoice line with everything that responses always carry."""
    now_s = site.now_s()
    line = {
        "id": site.random_id("li_"),
        "quantity": 1,
        "is_taxed": False,
        "tax_amount": 0,
        "discount_amount": 0,
        "item_level_discount_amount": 0,
        "_is_shippable": False,
        "_sku": None,
        "object": "line_item",
        **without_nulls(values),
    }
    return {"date_from": now_s, "date_to": now_s, **line}


def apply_discounts(call: Call, lines: list[Row]) -> None:
    for index, cells in rows(call.params, "discounts"):
        wire = f"discounts[{{}}][{index}]"
        given = read(cells, _DISCOUNT_ROW, wire, required=("apply_on",))
        is_on_line = given["apply_on"] == "specific_item_price"
        chosen = [
            line
            for line in lines
            if not is_on_line or line.get("entity_id") == given.get("item_price_id")
        ]
        if not chosen:
            raise wrong_value(
                wire.format("item_price_id"), "is not among the item prices of the invoice"
            )
        amounts = [line["amount"] for line in chosen]
        if given.get("percentage") is not None:
            parts = [money.percentage_minor(amount, given["percentage"]) for amount in amounts]
        elif given.get("amount") is not None:
            parts = money.spread(min(given["amount"], sum(amounts)), amounts)
        else:
            raise wrong_value(wire.format("amount"), "amount or percentage is needed")
        for line, part in zip(chosen, parts, strict=True):
            line["item_level_discount_amount" if is_on_line else "discount_amount"] += part


def apply_tax(site: Site, lines: list[Row], *, is_taxable: bool) -> None:
    rate = Decimal(str(site.settings.tax_rate_percent))
    for line in lines:
        line["is_taxed"] = bool(line["is_taxed"] and is_taxable)
        if line["is_taxed"]:
            base = line["amount"] - line["discount_amount"] - line["item_level_discount_amount"]
            line["tax_rate"] = float(rate)
            line["tax_amount"] = money.tax_minor(
                base, rate, is_inclusive=site.settings.price_type == "tax_inclusive"
            )
            line["_taxes"] = [(TAX_NAME, float(rate), line["tax_amount"])]
