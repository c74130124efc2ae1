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
from contracts.said import Said, say
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


def foreseen(plan: Command, settings: Tenant) -> list[Said]:
    """Why a creation would be refused, in sentences with what to do; empty where nothing is known
    to be wrong."""
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


def _customer_in_go(fields: dict[str, Any], _settings: Tenant) -> Iterator[Said]:
    if fields.get("kind") != "person":
        if not fields.get("company"):
            yield say("foreseen_company")
    elif not (fields.get("first_name") and fields.get("last_name")):
        yield say("foreseen_names")


def _customer_in_chargebee(fields: dict[str, Any], _settings: Tenant) -> Iterator[Said]:
    if fields.get("kind") == "company" and not fields.get("company"):
        yield say("foreseen_company_in_go")


def _product_in_go(fields: dict[str, Any], settings: Tenant) -> Iterator[Said]:
    for name, most in _GO_MOST.items():
        value = str(fields.get(name) or "")
        if not value:
            yield say("foreseen_product", what=name)
        elif len(value) > most:
            yield say("foreseen_too_long", what=name, count=len(value), most=most)
    family = fields.get("group")
    if not family or family not in settings.product.groups:
        yield say("foreseen_group", family=family or "none")


def _product_in_chargebee(fields: dict[str, Any], _settings: Tenant) -> Iterator[Said]:
    if not fields.get("name"):
        yield say("foreseen_product_in_go")


def _order_in_go(fields: dict[str, Any], settings: Tenant) -> Iterator[Said]:
    lines = fields.get("lines") or []
    if not fields.get("customer_id"):
        yield say("order_names_no_customer")
    if _is_negative(fields.get("total")):
        yield say("foreseen_credit")
    if not lines and _is_money(fields.get("total")):
        yield say("foreseen_no_lines")
    bare = {_setting(line) for line in lines if not line.get("product_id")}
    values = {
        "order.fallback_product": settings.order.fallback_product,
        "order.round_off_product": settings.order.round_off_product,
    }
    for name in sorted(bare):
        if not values[name]:
            yield say("foreseen_no_product", name=name)


def _setting(line: dict[str, Any]) -> str:
    is_round_off = line.get("id") == _ROUND_OFF
    return "order.round_off_product" if is_round_off else "order.fallback_product"


def _order_in_chargebee(fields: dict[str, Any], _settings: Tenant) -> Iterator[Said]:
    needed = (("customer_id", "customer"), ("currency", "currency"), ("order_date", "order date"))
    for name, what in needed:
        if not fields.get(name):
            yield say("foreseen_lacks", what=what)
    if not fields.get("lines"):
        yield say("order_lacks_lines")
    if _is_negative(fields.get("total")):
        yield say("credit_not_imported")
    currency = str(fields.get("currency") or "")
    if currency and not is_currency(currency):
        yield say("foreseen_currency", value=currency)


def _amount(value: Any) -> Decimal:
    try:
        return Decimal(str(value or 0))
    except InvalidOperation:
        return Decimal(0)


def _is_negative(value: Any) -> bool:
    return _amount(value) < 0


def _is_money(value: Any) -> bool:
    return _amount(value) != 0
