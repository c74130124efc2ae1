"""Customers: create, list, retrieve, update, replace billing info, scheduled deletion."""

from dataclasses import asdict
from functools import partial
from typing import Any, Final

from simulators.chargebee.calls import Call
from simulators.chargebee.errors import not_found, wrong_value
from simulators.chargebee.fields import (
    BASE_CURRENCY,
    Fields,
    as_address,
    boolean,
    choice,
    currency,
    email,
    integer,
    metadata,
    read,
    read_address,
    text,
    without_nulls,
)
from simulators.chargebee.listing import Listing
from simulators.chargebee.params import Nested, rows
from simulators.chargebee.replies import list_reply
from simulators.chargebee.site import Actor, Row, Site, shown

_OFFLINE_METHODS: Final = (
    "no_preference",
    "cash",
    "check",
    "bank_transfer",
    "ach_credit",
    "sepa_credit",
    "boleto",
    "us_automated_bank_transfer",
    "eu_automated_bank_transfer",
    "uk_automated_bank_transfer",
    "jp_automated_bank_transfer",
    "mx_automated_bank_transfer",
    "custom",
)
# `zero_rated` belongs to items and is refused here (Customer of the API reference).
_TAXABILITY: Final = ("taxable", "exempt")

_PROFILE: Final[Fields] = {
    "first_name": text(150),
    "last_name": text(150),
    "email": email(70),
    "phone": text(50),
    "company": text(250),
    "preferred_currency_code": currency,
    "net_term_days": integer(0),
    "auto_collection": choice("on", "off"),
    "offline_payment_method": choice(*_OFFLINE_METHODS),
    "taxability": choice(*_TAXABILITY),
    "locale": text(50),
    "invoice_notes": text(2000),
    "consolidated_invoicing": boolean,
    "auto_close_invoices": boolean,
    "allow_direct_debit": boolean,
    "meta_data": metadata,
    "customer_type": choice("residential", "business", "senior_citizen", "industrial"),
}
_TAX_IDENTITY: Final[Fields] = {
    "vat_number": text(20),
    "vat_number_prefix": text(10),
    "business_customer_without_vat_number": boolean,
    "registered_for_gst": boolean,
    "entity_identifier_scheme": text(50),
    "entity_identifier_standard": text(50),
    "is_einvoice_enabled": boolean,
    "einvoicing_method": choice("automatic", "manual", "site_default"),
}
# What update_billing_info removes when it is left out; company is not in the documented list.
_ERASED_TAX_FIELDS: Final = (
    "vat_number",
    "vat_number_prefix",
    "business_customer_without_vat_number",
    "registered_for_gst",
)
_IDENTIFIER: Final[Fields] = {
    "id": text(40),
    "scheme": text(50),
    "value": text(50),
    "standard": text(50),
}
_DEFAULTS: Final[Row] = {
    "auto_collection": "on",
    "net_term_days": 0,
    "allow_direct_debit": False,
    "taxability": "taxable",
    "preferred_currency_code": BASE_CURRENCY,
    "pii_cleared": "active",
    "card_status": "no_card",
    "channel": "web",
    "deleted": False,
    "promotional_credits": 0,
    "refundable_credits": 0,
    "excess_payments": 0,
    "unbilled_charges": 0,
}
_LISTING: Final = Listing(
    {
        "id": "id",
        "email": "present",
        "first_name": "present",
        "last_name": "present",
        "company": "present",
        "phone": "present",
        "created_at": "time",
        "updated_at": "time",
        "taxability": "enum",
        "auto_collection": "enum",
        "offline_payment_method": "enum",
        "channel": "enum",
        "business_entity_id": "id",
    },
    ("created_at", "updated_at"),
    enums={
        "taxability": _TAXABILITY,
        "auto_collection": ("on", "off"),
        "offline_payment_method": _OFFLINE_METHODS,
    },
)


def create(call: Call) -> dict[str, Any]:
    given = read(call.params, {"id": text(50), **_PROFILE, **_TAX_IDENTITY})
    id_ = given.pop("id", None) or call.site.random_id()
    call.table("customer").refuse_duplicate_id(id_)
    row = {
        **_DEFAULTS,
        **without_nulls(given),
        **_custom_fields(call.site, call.params),
        "id": id_,
        "created_at": call.site.now_s(),
        "entity_identifiers": _identifiers(call.params) or None,
        "billing_address": as_address(
            read_address(call.params, "billing_address"), "billing_address"
        ),
    }
    return call.commit("customer", _with_vat_status(row), "customer_created")


def list_all(call: Call) -> dict[str, Any]:
    return list_reply(call, "customer", _LISTING, hides_deleted=True)


def retrieve(call: Call) -> dict[str, Any]:
    row = call.current("customer")
    if row["deleted"] and call.site.settings.get_deleted_is_404:
        raise not_found("customer", call.id)
    return {"customer": shown(row)}


def update(call: Call) -> dict[str, Any]:
    """Changes the profile only: billing address and VAT fields cannot be touched here [docs]."""
    row = call.live("customer")
    given = read(call.params, _PROFILE)
    required_defaults = {
        name: _DEFAULTS[name]
        for name, value in given.items()
        if value is None and name in _DEFAULTS
    }
    changed = {**row, **given, **required_defaults, **_custom_fields(call.site, call.params)}
    return call.commit("customer", changed, "customer_changed")


def update_billing_info(call: Call) -> dict[str, Any]:
    """Replaces: address parts and VAT fields that are left out are removed [docs]."""
    row = call.live("customer")
    given = read(call.params, _TAX_IDENTITY)
    if given.get("vat_number") and given.get("business_customer_without_vat_number"):
        raise wrong_value(
            "business_customer_without_vat_number", "cannot be true beside a vat_number"
        )
    parts = read_address(call.params, "billing_address")
    old_company = row.get("billing_address", {}).get("company")
    if old_company and parts and "company" not in call.params["billing_address"]:
        parts["company"] = old_company
    changed = {
        **row,
        **dict.fromkeys(_ERASED_TAX_FIELDS),
        **given,
        "billing_address": as_address(parts, "billing_address"),
        "entity_identifiers": _identifiers(call.params) or row.get("entity_identifiers"),
    }
    return call.commit("customer", _with_vat_status(changed), "customer_changed")


def delete(call: Call) -> dict[str, Any]:
    """Schedules the deletion; the customer stays readable until it is done, a few minutes later
    [docs]."""
    row = call.live("customer")
    if "_deletion_due_ms" not in row:
        delay_s = call.site.settings.customer_delete_delay_s
        due_ms = call.site.now_ms() + int(delay_s * 1000)
        call.site.put(
            "customer", {**row, "_deletion_due_ms": due_ms, "_deleted_by": asdict(call.actor)}
        )
        call.site.mutations += 1
        call.site.schedule(delay_s, lambda: _complete_deletion(call))
    return {"customer": shown(row)}


def resume_deletions(site: Site) -> None:
    """Schedule anew what was under way when the rows were stored."""
    for row in site.tables["customer"].rows():
        if "_deletion_due_ms" in row and not row["deleted"]:
            call = Call(site, path_ids=(row["id"],), actor=Actor(**row["_deleted_by"]))
            site.schedule(
                (row["_deletion_due_ms"] - site.now_ms()) / 1000, partial(_complete_deletion, call)
            )


def _complete_deletion(call: Call) -> None:
    row = call.current("customer")
    if row["deleted"]:
        return
    for invoice in list(call.table("invoice").rows()):
        if invoice["customer_id"] == call.id:
            call.site.save("invoice", {**invoice, "deleted": True})
    saved = {**row, "deleted": True}
    if call.site.settings.deletion_moves_version:
        saved = call.site.save("customer", saved)
    else:
        call.site.put("customer", saved)
    call.site.emit("customer_deleted", {"customer": shown(saved), "subscriptions": []}, call.actor)


def _with_vat_status(row: Row) -> Row:
    return {**row, "vat_number_status": "not_validated" if row.get("vat_number") else None}


def _identifiers(params: Nested) -> list[Row]:
    found = []
    for index, cells in rows(params, "entity_identifiers"):
        given = without_nulls(read(cells, _IDENTIFIER, f"entity_identifiers[{{}}][{index}]"))
        found.append({"id": f"ei_{index}", **given, "object": "entity_identifier"})
    return found


def _custom_fields(site: Site, params: Nested) -> Row:
    """The `cf_*` parameters; each must have been configured on the site first [docs]."""
    given = {name: value for name, value in params.items() if name.startswith("cf_")}
    for name in given:
        if name not in site.settings.custom_fields:
            raise wrong_value(name, "is not a custom field of this site")
    return {name: value or None for name, value in given.items()}
