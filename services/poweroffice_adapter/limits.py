"""What Go takes at most of each field, and the words for what it does not take. Pure.

Characters, as maxLength of the Go OpenAPI description v2 (ContactAddressPostDto, ProductPostDto).
Go states none for names, phone numbers, descriptions and the references of an order: what it
refuses there is told by its answer.
"""

from collections.abc import Mapping
from typing import Any

from contracts.entities import Address
from contracts.messages import Problem
from contracts.said import say
from contracts.values import text

LIMITS: dict[str, dict[str, tuple[str, int]]] = {
    "customer": {
        "email": ("EmailAddress", 254),  # none stated: RFC 5321
        "organisation_number": (
            "OrganizationNumber",
            50,
        ),  # none stated: longer than any registry's number
    },
    "address": {
        "line1": ("AddressLine1", 200),
        "line2": ("AddressLine2", 200),
        "city": ("City", 100),
        "zip": ("ZipCode", 50),
    },
    "product": {"code": ("Code", 100), "name": ("Name", 400)},
}


def too_long(table: str, values: Mapping[str, Any]) -> list[Problem]:
    """What is longer than Go takes, each with the length found and allowed and what to do."""
    found = []
    for name, (property_name, most) in LIMITS[table].items():
        value = text(values[name]) if isinstance(values.get(name), str) else None
        if value is not None and len(value) > most:
            said = say("too_long_for_go", count=len(value), name=property_name, most=most)
            found.append(Problem.of("too_long", said, name))
    return found


def unfit_address(value: Address | None, present: Address | None) -> Problem | None:
    """Why Go cannot take an address, which is decided as one; None where it can."""
    if value is None:
        if present is None:
            return None
        # Whether Go takes null for a whole MailAddress is not known.
        return Problem.of("not_cleared", say("address_not_cleared"), "address")
    parts = {name: getattr(value, name) for name in LIMITS["address"]}
    for long in too_long("address", parts):
        return Problem.of(long.code, say("of_field", field=long.field, why=long.why), "address")
    missing = [name for name in ("city", "zip") if not text(parts[name])]
    if missing and any(map(text, parts.values())):
        # ContactAddressPostDto demands City and ZipCode.
        said = say("go_address_lacks", fields=" and ".join(missing))
        return Problem.of("missing", said, "address")
    return None
