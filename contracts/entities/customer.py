"""The customer of both systems, and its fields."""

from typing import Any, Literal

import msgspec

from contracts.entities.fields import Field, System

GO_ONLY: frozenset[System] = frozenset({"poweroffice"})


class Address(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A postal address; decided as one. `country` is ISO 3166 alpha-2."""

    line1: str | None = None
    line2: str | None = None
    city: str | None = None
    zip: str | None = None
    country: str | None = None


class Customer(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A person or a company that is invoiced. Names of a person stand in first_name and last_name
    only."""

    kind: Literal["person", "company"]
    first_name: str | None = None
    last_name: str | None = None
    company: str | None = None
    email: str | None = None
    phone: str | None = None
    organisation_number: str | None = None
    currency: str | None = None
    vat_exempt: bool = False
    address: Address | None = None
    archived: bool = False


def _has_place(address: Any) -> bool:
    return address is None or bool(address.get("city") and address.get("zip"))


FIELDS = (
    Field("kind", once=True),
    Field("first_name"),
    Field("last_name"),
    Field("company"),
    Field("email"),
    Field("phone"),
    # Filled into Chargebee, country and zip would change the tax that it computes.
    Field("address", filled=GO_ONLY, complete=_has_place, lacking="a city or zip code"),
    Field("organisation_number", written=GO_ONLY, filled=GO_ONLY),
    Field("currency", once=True),
    Field("vat_exempt", once=True),
    Field("archived"),
)
# What a customer can be known by besides its id: a value of its own, or several together.
KNOWN_BY = ("org", "email", "party")
