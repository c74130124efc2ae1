"""What a vendor would refuse of a plan, as far as it can be told from what was read and from the
settings. Pure.

Only creations are judged: of a change the field that a vendor cannot take is held back alone. What
each adapter refuses stands in its own rules; here are those that need nothing but the record and
the settings.
"""

from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any

from contracts.messages import Command
from contracts.settings import Tenant
from contracts.units import is_currency

LIMITS = (
    "Foreseen is what the records and the settings tell: names, codes, product groups, products of "
    "order lines, "
    "customers, dates, credits and currencies that do not exist. Not foreseen is what only the "
    "vendors know: sales "
    "accounts and VAT codes behind product groups (tandem doctor looks at them), currencies that "
    "are not enabled, "
    "references and codes that are taken, privileges, and amounts that do not add up."
)
_GO_MOST = {"code": 100, "name": 400}  # characters (ProductPostDto)
_ROUND_OFF = "round-off"  # id of the line that holds it


def foreseen(plan: Command, settings: Tenant) -> list[str]:
    """Why a creation would be refused, in words with what to do; empty where nothing is known to be
    wrong."""
    if plan.op != "create":
        return []
    judge = {
        ("customer", "poweroffice"): _customer_in_go,
        ("customer", "chargebee"): _customer_in_chargebee,
        ("product", "poweroffice"): _product_in_go,
        ("product", "chargebee"): _product_in_chargebee,
        ("order", "poweroffice"): _order_in_go,
        ("order", "chargebee"): _order_in_chargebee,
    }[plan.entity, plan.target]
    return list(judge(plan.fields, settings))


def _customer_in_go(fields: dict[str, Any], _settings: Tenant) -> Iterator[str]:
    if fields.get("kind") != "person":
        if not fields.get("company"):
            yield "Go needs a company name; fill it in in Chargebee"
    elif not (fields.get("first_name") and fields.get("last_name")):
        yield "Go needs first and last name of a person; fill them in in Chargebee"


def _customer_in_chargebee(fields: dict[str, Any], _settings: Tenant) -> Iterator[str]:
    if fields.get("kind") == "company" and not fields.get("company"):
        yield "a company needs a name; fill it in in Go"


def _product_in_go(fields: dict[str, Any], settings: Tenant) -> Iterator[str]:
    for name, most in _GO_MOST.items():
        value = str(fields.get(name) or "")
        if not value:
            yield f"Go needs a product {name}; fill it in in Chargebee"
        elif len(value) > most:
            yield (
                f"the {name} has {len(value)} characters, and Go takes {most}; shorten it in "
                f"Chargebee"
            )
    family = fields.get("group")
    if not family or family not in settings.product.groups:
        yield (
            f"no Go product group for item family {family or 'none'}: set product.groups for "
            f"this family"
        )


def _product_in_chargebee(fields: dict[str, Any], _settings: Tenant) -> Iterator[str]:
    if not fields.get("name"):
        yield "a product needs a name; fill it in in Go"


def _order_in_go(fields: dict[str, Any], settings: Tenant) -> Iterator[str]:
    lines = fields.get("lines") or []
    if not fields.get("customer_id"):
        yield "the order names no customer that is known in Go"
    if _is_negative(fields.get("total")):
        yield "a credit is not carried; credit the invoice in Go by hand"
    if not lines and _is_money(fields.get("total")):
        yield "the order has a total and no lines; correct it in Chargebee"
    bare = {_setting(line) for line in lines if not line.get("product_id")}
    values = {
        "order.fallback_product": settings.order.fallback_product,
        "order.round_off_product": settings.order.round_off_product,
    }
    for name in sorted(bare):
        if not values[name]:
            yield f"a line has no product; set {name} to the code of a Go product for such lines"


def _setting(line: dict[str, Any]) -> str:
    is_round_off = line.get("id") == _ROUND_OFF
    return "order.round_off_product" if is_round_off else "order.fallback_product"


def _order_in_chargebee(fields: dict[str, Any], _settings: Tenant) -> Iterator[str]:
    needed = (("customer_id", "customer"), ("currency", "currency"), ("order_date", "order date"))
    for name, what in needed:
        if not fields.get(name):
            yield f"the order has no {what}; fill it in in Go"
    if not fields.get("lines"):
        yield "the order has no lines that can be carried; Chargebee's invoices need one"
    if _is_negative(fields.get("total")):
        yield "a credit note cannot be imported into Chargebee; enter it there by hand"
    currency = str(fields.get("currency") or "")
    if currency and not is_currency(currency):
        yield f"the currency {currency} is none of ISO 4217; correct it in Go"


def _amount(value: Any) -> Decimal:
    try:
        return Decimal(str(value or 0))
    except InvalidOperation:
        return Decimal(0)


def _is_negative(value: Any) -> bool:
    return _amount(value) < 0


def _is_money(value: Any) -> bool:
    return _amount(value) != 0
