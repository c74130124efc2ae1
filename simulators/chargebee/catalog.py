"""Item families, items and item prices (product catalog 2.0)."""

import re
from typing import Any, Final

from simulators.chargebee.calls import Call
from simulators.chargebee.errors import invalid_state, not_found, wrong_value
from simulators.chargebee.fields import (
    Fields,
    boolean,
    choice,
    currency,
    integer,
    metadata,
    read,
    text,
    without_nulls,
)
from simulators.chargebee.listing import Listing
from simulators.chargebee.params import Nested, rows, sub
from simulators.chargebee.replies import list_reply
from simulators.chargebee.site import Row, shown

_STATUS: Final = ("active", "archived", "deleted")
_TYPES: Final = ("plan", "addon", "charge")
_MODELS: Final = ("flat_fee", "per_unit", "tiered", "volume", "stairstep")
_PERIODS: Final = ("day", "week", "month", "year")
_MAX_VISIBLE_DESCRIPTION: Final = 500
_CATALOG_FILTERS: Final = {
    "id": "id",
    "name": "text",
    "status": "enum",
    "updated_at": "time",
    "item_family_id": "id",
}

_FAMILY_LISTING: Final = Listing(
    {"id": "id", "name": "text", "updated_at": "time"},
    ("name", "id", "updated_at"),
    is_newest_first=True,
)
_ITEM_LISTING: Final = Listing(
    {**_CATALOG_FILTERS, "type": "enum", "metered": "bool", "channel": "enum"},
    ("name", "id", "updated_at"),
    enums={"status": _STATUS, "type": _TYPES},
    is_newest_first=True,
)
_PRICE_LISTING: Final = Listing(
    {
        **_CATALOG_FILTERS,
        "item_id": "id",
        "item_type": "enum",
        "currency_code": "enum",
        "pricing_model": "enum",
        "period": "number",
        "period_unit": "enum",
        "channel": "enum",
    },
    ("name", "id", "updated_at"),
    enums={
        "status": _STATUS,
        "item_type": _TYPES,
        "pricing_model": _MODELS,
        "period_unit": _PERIODS,
    },
    is_newest_first=True,
)

_FAMILY_CHANGEABLE: Final[Fields] = {"name": text(50), "description": text(500)}
_ITEM_CHANGEABLE: Final[Fields] = {
    "name": text(100),
    "item_family_id": text(100),
    "external_name": text(100),
    "description": text(2000),
    "unit": text(30),
    "is_shippable": boolean,
    "enabled_for_checkout": boolean,
    "enabled_in_portal": boolean,
    "redirect_url": text(500),
    "item_applicability": choice("all", "restricted"),
    "included_in_mrr": boolean,
    "metadata": metadata,
}
_ITEM_FIXED: Final[Fields] = {
    "id": text(100),
    "type": choice(*_TYPES),
    "is_giftable": boolean,
    "metered": boolean,
}
_ITEM_DEFAULTS: Final[Row] = {
    "is_shippable": False,
    "is_giftable": False,
    "enabled_for_checkout": True,
    "enabled_in_portal": True,
    "item_applicability": "all",
    "metered": False,
    "status": "active",
    "channel": "web",
    "deleted": False,
}
_PRICE_TERMS: Final[Fields] = {
    "currency_code": currency,
    "pricing_model": choice(*_MODELS),
    "period": integer(1),
    "period_unit": choice(*_PERIODS),
    "billing_cycles": integer(1),
}
_PRICE_CHANGEABLE: Final[Fields] = {
    "name": text(100),
    "external_name": text(100),
    "description": text(2000),
    "invoice_notes": text(2000),
    "price": integer(0),
    "is_taxable": boolean,
    "free_quantity": integer(0),
    "metadata": metadata,
    "show_description_in_invoices": boolean,
    "show_description_in_quotes": boolean,
}
_SUB_FIELDS: Final[dict[str, Fields]] = {
    "accounting_detail": {
        name: text(100)
        for name in (
            "sku",
            "accounting_code",
            "accounting_category1",
            "accounting_category2",
            "accounting_category3",
            "accounting_category4",
        )
    },
    "tax_detail": {"tax_profile_id": text(50)},
}
_TIER: Final[Fields] = {"starting_unit": integer(1), "ending_unit": integer(1), "price": integer(0)}
_SETTABLE_STATUS: Final[Fields] = {"status": choice("active", "archived")}


def create_family(call: Call) -> dict[str, Any]:
    given = read(call.params, {"id": text(50), **_FAMILY_CHANGEABLE}, required=("id", "name"))
    call.table("item_family").refuse_duplicate_id(given["id"])
    call.table("item_family").refuse_duplicate_name(given["name"])
    row = {"status": "active", "deleted": False, "channel": "web", **without_nulls(given)}
    return call.commit("item_family", row, "item_family_created")


def list_families(call: Call) -> dict[str, Any]:
    return list_reply(call, "item_family", _FAMILY_LISTING, hides_deleted=False)


def update_family(call: Call) -> dict[str, Any]:
    row = call.live("item_family")
    given = _renamed(call, "item_family", row, _FAMILY_CHANGEABLE)
    return call.commit("item_family", {**row, **given}, "item_family_updated")


def delete_family(call: Call) -> dict[str, Any]:
    row = call.live("item_family")
    if any(
        i["item_family_id"] == call.id and i["status"] != "deleted"
        for i in call.table("item").rows()
    ):
        raise invalid_state("The item family still has items")
    return call.commit(
        "item_family", {**row, "status": "deleted", "deleted": True}, "item_family_deleted"
    )


def create_item(call: Call) -> dict[str, Any]:
    given = without_nulls(
        read(
            call.params,
            {**_ITEM_FIXED, **_ITEM_CHANGEABLE},
            required=("id", "name", "type", "item_family_id"),
        )
    )
    call.table("item").refuse_duplicate_id(given["id"])
    call.table("item").refuse_duplicate_name(given["name"])
    _check_item(call, given)
    return call.commit("item", {**_ITEM_DEFAULTS, **given}, "item_created")


def list_items(call: Call) -> dict[str, Any]:
    return list_reply(call, "item", _ITEM_LISTING, hides_deleted=False)


def update_item(call: Call) -> dict[str, Any]:
    row = call.live("item")
    given = _renamed(call, "item", row, {**_ITEM_CHANGEABLE, **_SETTABLE_STATUS})
    _check_item(call, given)
    defaults = {
        name: _ITEM_DEFAULTS[name]
        for name, v in given.items()
        if v is None and name in _ITEM_DEFAULTS
    }
    return call.commit("item", _archival(call, row, {**given, **defaults}), "item_updated")


def delete_item(call: Call) -> dict[str, Any]:
    """Refused while the item has active or archived prices [spec]."""
    row = call.live("item")
    if any(
        p["item_id"] == call.id and p["status"] != "deleted"
        for p in call.table("item_price").rows()
    ):
        raise invalid_state("The item still has active or archived item prices")
    return call.commit("item", {**row, "status": "deleted", "deleted": True}, "item_deleted")


def create_price(call: Call) -> dict[str, Any]:
    fixed: Fields = {"id": text(100), "item_id": text(100)}
    given = without_nulls(
        read(
            call.params,
            {**fixed, **_PRICE_TERMS, **_PRICE_CHANGEABLE},
            required=("id", "name", "item_id", "currency_code"),
        )
    )
    item = call.table("item").get(given["item_id"], "item_id")
    if item["status"] != "active":
        raise invalid_state(f"The item {item['id']} is {item['status']}")
    call.table("item_price").refuse_duplicate_id(given["id"])
    call.table("item_price").refuse_duplicate_name(given["name"])
    row = {
        "pricing_model": "flat_fee",
        "is_taxable": True,
        "free_quantity": 0,
        "status": "active",
        "channel": "web",
        "deleted": False,
        **given,
        **_sub_resources(call.params, {}),
        "item_type": item["type"],
        "item_family_id": item["item_family_id"],
        "created_at": call.site.now_s(),
    }
    _check_terms(call, row)
    return call.commit("item_price", row, "item_price_created")


def list_prices(call: Call) -> dict[str, Any]:
    return list_reply(call, "item_price", _PRICE_LISTING, hides_deleted=False)


def update_price(call: Call) -> dict[str, Any]:
    """Currency, model and period freeze once an invoice refers to the price; the price itself does
    not [spec]."""
    row = call.live("item_price")
    given = _renamed(
        call, "item_price", row, {**_PRICE_TERMS, **_PRICE_CHANGEABLE, **_SETTABLE_STATUS}
    )
    frozen = [name for name in _PRICE_TERMS if name in given and given[name] != row.get(name)]
    if frozen and is_price_used(call, call.id):
        raise wrong_value(frozen[0], "cannot be changed, the item price is in use")
    changed = _archival(call, row, {**given, **_sub_resources(call.params, row)})
    _check_terms(call, changed)
    return call.commit("item_price", changed, "item_price_updated")


def delete_price(call: Call) -> dict[str, Any]:
    """Deleted, or archived if an invoice uses it [docs]."""
    row = call.live("item_price")
    if is_price_used(call, call.id):
        return call.commit(
            "item_price", _archival(call, row, {"status": "archived"}), "item_price_updated"
        )
    return call.commit(
        "item_price", {**row, "status": "deleted", "deleted": True}, "item_price_deleted"
    )


def retrieve(call: Call, kind: str) -> dict[str, Any]:
    return {kind: shown(call.current(kind))}


def is_price_used(call: Call, item_price_id: str) -> bool:
    return item_price_id in call.site.used_entity_ids


def _renamed(call: Call, kind: str, row: Row, fields: Fields) -> Row:
    given = read(call.params, fields)
    if "name" in given:
        if given["name"] is None:
            raise wrong_value("name", "cannot be blank")
        call.table(kind).refuse_duplicate_name(given["name"], but_id=row["id"])
    return given


def _check_item(call: Call, given: Row) -> None:
    if "item_family_id" in given:
        name = given["item_family_id"] or ""
        family = call.table("item_family").get(name, "item_family_id")
        if family.get("status") == "deleted":
            raise not_found("item_family", name, "item_family_id")
    visible = re.sub(r"<[^>]*>", "", given.get("description") or "")
    if len(visible) > _MAX_VISIBLE_DESCRIPTION:
        raise wrong_value(
            "description", f"visible text should not exceed {_MAX_VISIBLE_DESCRIPTION} characters"
        )


def _archival(call: Call, row: Row, given: Row) -> Row:
    changed = {**row, **given}
    if changed["status"] == "archived":
        changed["archived_at"] = row.get("archived_at") or call.site.now_s()
    else:
        changed["archived_at"] = None
    return changed


def _check_terms(call: Call, row: Row) -> None:
    is_recurring = row["item_type"] != "charge"
    for name in ("period", "period_unit"):
        if is_recurring and row.get(name) is None:
            raise wrong_value(name, "cannot be blank for a plan or addon")
        if not is_recurring and row.get(name) is not None:
            raise wrong_value(name, "is not allowed for a charge")
    if row["pricing_model"] in ("flat_fee", "per_unit"):
        if row.get("price") is None:
            raise wrong_value("price", "cannot be blank")
    elif row.get("price") is not None or not row.get("tiers"):
        raise wrong_value("tiers", f"are required, without price, for {row['pricing_model']}")
    terms = [row.get(name) for name in ("item_id", "currency_code", "period", "period_unit")]
    for other in call.table("item_price").rows():
        if other["item_id"] != row["item_id"]:
            continue
        is_same = [
            other.get(name) for name in ("item_id", "currency_code", "period", "period_unit")
        ] == terms
        if is_same and other["id"] != row["id"] and other["status"] == "active" == row["status"]:
            raise wrong_value(
                "currency_code", f"item price {other['id']} has the same item, currency and period"
            )


def _sub_resources(params: Nested, old: Row) -> Row:
    found: Row = {}
    for name, fields in _SUB_FIELDS.items():
        if name in params:
            given = read(sub(params, name), fields, name + "[{}]")
            kept = without_nulls({**old.get(name, {}), **given})
            found[name] = {**kept, "object": name} if set(kept) - {"object"} else None
    tiers = [
        without_nulls(read(cells, _TIER, f"tiers[{{}}][{i}]")) for i, cells in rows(params, "tiers")
    ]
    if tiers:
        found["tiers"] = [{**tier, "object": "tier"} for tier in tiers]
    return found
