"""Go's products as canonical products. Pure."""

from collections.abc import Mapping
from typing import Any

from contracts.entities import Price, Product
from contracts.messages import Problem
from contracts.said import say
from contracts.values import decimal, text
from services.poweroffice_adapter import models
from services.poweroffice_adapter.mapping import Reading, read, timestamp, unreadable, upper


def product(
    raw: Mapping[str, Any], *, ledger_currency: str, groups: Mapping[str, str]
) -> Reading | None:
    """A ProductDto; `groups` are product group codes by id. None when it has no Id."""
    seen = read(models.Product, raw)
    if isinstance(seen, Problem):
        return unreadable(raw, seen)
    if not (id := text(seen.id)):
        return None
    changed_at = timestamp(seen.last_changed_date_time_offset)
    return Reading(id, changed_at, changed_at, _article(seen, ledger_currency, groups))


def _article(
    seen: models.Product, ledger_currency: str, groups: Mapping[str, str]
) -> Product | Problem:
    if not (name := text(seen.name)):
        return Problem.of("missing", say("go_product_name_blank"), "name")
    price = None
    if seen.unit_price is not None:
        price = Price(amount=decimal(seen.unit_price), currency=ledger_currency)
    product_type = (text(seen.product_type) or "").lower()
    return Product(
        code=text(seen.code),
        name=name,
        description=text(seen.description),
        unit=upper(seen.unit_of_measure_code),
        price=price,
        kind="charge",
        group=groups.get(seen.product_group_id or "") or text(seen.product_group_code),
        shippable={"product": True, "service": False}.get(product_type),
        archived=bool(seen.is_archived),
    )
