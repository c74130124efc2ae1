"""The product of both systems, and its fields."""

from decimal import Decimal
from typing import Any, Literal

import msgspec

from contracts.entities.fields import Field


class Price(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A net unit price in major units of an ISO 4217 currency; decided as one."""

    amount: Decimal
    currency: str


class Product(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Something that can stand on an order line. `unit` is a UN/ECE code where known, else the
    vendor's word; `shippable` says whether it is goods rather than a service (None where the system
    does not say)."""

    code: str | None = None
    name: str | None = None
    description: str | None = None
    unit: str | None = None
    price: Price | None = None
    kind: Literal["plan", "addon", "charge"] = "charge"
    group: str | None = None
    shippable: bool | None = None
    archived: bool = False


def _is_given(price: Any) -> bool:
    return price is not None


FIELDS = (
    Field("code", once=True, identity=True),  # twins by name have codes of their own
    Field("name"),
    Field("description"),
    Field("unit"),
    Field("price", complete=_is_given),
    Field("archived"),
)
KNOWN_BY = ("code", "name")
