"""Canonical customers as parameters of Chargebee's customer endpoints. Pure."""

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from contracts import entities
from contracts.entities import Address
from contracts.messages import Problem
from contracts.said import say
from contracts.values import organisation_number
from runtime.problems import Fitting, Unwritable, fit
from services.chargebee_adapter.customer.canonical import canonical_country
from services.chargebee_adapter.limits import CUSTOMER, long_address, too_long
from services.chargebee_adapter.mapping import Raw

_PLAIN = ("first_name", "last_name", "company", "email", "phone")
BILLING_FIELDS = frozenset({"address", "organisation_number"})
# `update_billing_info` removes whatever of these is not sent again.
_KEPT_BESIDE_ADDRESS = (
    "vat_number",
    "vat_number_prefix",
    "business_customer_without_vat_number",
    "registered_for_gst",
    "entity_identifier_scheme",
    "entity_identifier_standard",
)
_KEPT_IN_ADDRESS = ("first_name", "last_name", "email", "company", "phone", "state_code", "state")


def fitting(
    fields: Mapping[str, Any], current: entities.Customer | None, country_default: str | None
) -> Fitting:
    """What Chargebee can hold of these fields of a customer."""
    held = {
        name: value for name, value in fields.items() if name in (*_PLAIN, "currency", "vat_exempt")
    }
    faults = [too_long(name, name, held.get(name), CUSTOMER[name]) for name in _PLAIN]
    kind = current.kind if current is not None else fields.get("kind")
    number = fields.get("organisation_number")
    if number is not None and kind == "company":
        held["organisation_number"] = organisation_number(number)
        if held["organisation_number"] is None:
            said = say("no_organisation_number", value=repr(number))
            faults.append(Problem.of("invalid", said, "organisation_number"))
    if "address" in fields:
        address = fields["address"]
        held["address"] = (
            None if address is None else _with_country(address, current, country_default)
        )
        faults.append(_address_fault(held["address"], current))
    return fit(held, faults)


def _address_fault(address: Address | None, current: entities.Customer | None) -> Problem | None:
    if address is None or (current is not None and address == current.address):
        return None
    if not (address.city and address.zip):
        return Problem.of("missing", say("address_needs"), "address")
    return long_address(address)


def _with_country(
    address: Address, current: entities.Customer | None, country_default: str | None
) -> Address:
    """A blank country keeps what stands there: dropping it would change the tax Chargebee
    computes."""
    kept = current.address.country if current is not None and current.address is not None else None
    return replace(address, country=address.country or kept or country_default)


def creation(own_id: str, kind: str, fitting: Fitting) -> dict[str, Any]:
    """Parameters of `POST /customers`. Automatic collection is off: a customer from the ledger has
    no card. Raises Unwritable for a company without a name."""
    held = fitting.held
    if kind == "company" and not held.get("company"):
        missing = Problem.of("missing", say("company_needs_name"), "company")
        raise Unwritable(fitting.faults.get("company", missing))
    filled = {name: value for name, value in held.items() if value is not None and name in _PLAIN}
    params: dict[str, Any] = {"id": own_id, "auto_collection": "off", **filled}
    if held.get("currency"):
        params["preferred_currency_code"] = held["currency"]
    if held.get("vat_exempt"):
        params["taxability"] = "exempt"
    if held.get("organisation_number"):
        params["vat_number"] = held["organisation_number"]
    if (address := held.get("address")) is not None:
        params["billing_address"] = _address_parts(address, {})
    return params


def update(to_write: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters of `POST /customers/{id}`; an empty value clears."""
    params = {name: to_write[name] for name in _PLAIN if name in to_write}
    if to_write.get("currency"):
        params["preferred_currency_code"] = to_write["currency"]
    if "vat_exempt" in to_write:
        params["taxability"] = "exempt" if to_write["vat_exempt"] else "taxable"
    return params


def billing_update(raw: Raw, to_write: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters of `POST /customers/{id}/update_billing_info`: all that is there, with the changes
    merged in."""
    params = {name: raw[name] for name in _KEPT_BESIDE_ADDRESS if raw.get(name) is not None}
    if "organisation_number" in to_write:
        params["vat_number"] = to_write["organisation_number"]
        params.pop("business_customer_without_vat_number", None)  # never beside a new number
    billing = raw.get("billing_address")
    before = billing if isinstance(billing, Mapping) else {}
    kept = {name: before[name] for name in _KEPT_IN_ADDRESS if before.get(name) is not None}
    if "address" in to_write:
        parts = {} if to_write["address"] is None else _address_parts(to_write["address"], before)
        if parts.get("country") != before.get("country"):
            kept = {
                name: value for name, value in kept.items() if name not in ("state", "state_code")
            }
    else:
        names = ("line1", "line2", "line3", "city", "zip", "country")
        parts = {name: before[name] for name in names if before.get(name) is not None}
    if kept or parts:
        params["billing_address"] = {**kept, **parts}
    return params


def _address_parts(address: Address, before: Raw) -> dict[str, str]:
    names = ("line1", "line2", "city", "zip", "country")
    parts = {name: value for name in names if (value := getattr(address, name)) is not None}
    if address.line2 and before.get("line3") and address.line2 == _joined(before):
        del parts[
            "line2"
        ]  # a line 3 alone is read as line 2: written as both it would be there twice
        parts |= {name: str(before[name]) for name in ("line2", "line3") if before.get(name)}
    if before.get("country") and canonical_country(before["country"]) == address.country:
        parts["country"] = str(before["country"])
    return parts


def _joined(before: Raw) -> str:
    lines = (str(before.get(name) or "").strip() for name in ("line2", "line3"))
    return ", ".join(line for line in lines if line)
