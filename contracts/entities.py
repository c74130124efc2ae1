"""Customer, Product and Order as both systems are understood; whole states, never differences.

Text is trimmed NFC and None when blank (`contracts.values.text`), amounts are Decimal in major units of their
currency (`contracts.values.decimal`), dates are local dates of the tenant. On the wire amounts and dates are text.
"""

from datetime import date
from decimal import Decimal
from typing import Any, Literal

import msgspec

System = Literal["chargebee", "poweroffice"]
EntityName = Literal["customer", "product", "order"]
SYSTEMS: tuple[System, ...] = ("chargebee", "poweroffice")
ENTITIES: tuple[EntityName, ...] = ("customer", "product", "order")


def other(system: System) -> System:
    """The system on the opposite side."""
    return "poweroffice" if system == "chargebee" else "chargebee"


class Address(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A postal address; decided as one. `country` is ISO 3166 alpha-2."""

    line1: str | None = None
    line2: str | None = None
    city: str | None = None
    zip: str | None = None
    country: str | None = None


class Customer(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A person or a company that is invoiced. Names of a person stand in first_name and last_name only."""

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


class Price(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A net unit price in major units of an ISO 4217 currency; decided as one."""

    amount: Decimal
    currency: str


class Product(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Something that can stand on an order line. `unit` is a UN/ECE code where known, else the vendor's word."""

    code: str | None = None
    name: str | None = None
    description: str | None = None
    unit: str | None = None
    price: Price | None = None
    kind: Literal["plan", "addon", "charge"] = "charge"
    group: str | None = None
    archived: bool = False


class Invoice(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The invoice of an order in the system of the order."""

    number: str | None = None
    paid: bool | None = None


class Line(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One line of an order. `unit_price` and `net` exclude tax, `net` is after discount; `product_id` is the id in
    the order's own system, None for a line without product."""

    id: str
    product_id: str | None = None
    description: str | None = None
    quantity: Decimal = Decimal(1)
    unit_price: Decimal = Decimal(0)
    discount_percent: Decimal = Decimal(0)
    net: Decimal = Decimal(0)
    tax: Decimal = Decimal(0)


class Order(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A sales order. Amounts are in `currency`; `customer_id` is the id in the order's own system."""

    customer_id: str | None = None
    number: str | None = None
    currency: str | None = None
    order_date: date | None = None
    delivery_date: date | None = None
    purchase_order: str | None = None
    status: Literal["draft", "confirmed", "sent", "cancelled"] = "draft"
    invoice: Invoice | None = None
    lines: tuple[Line, ...] = ()
    net: Decimal = Decimal(0)
    tax: Decimal = Decimal(0)
    total: Decimal = Decimal(0)


Entity = Customer | Product | Order
ENTITY_TYPES: dict[EntityName, type[Entity]] = {"customer": Customer, "product": Product, "order": Order}
MAX_ORDER_LINES = 500

# What is carried between the systems, and decided where both sides hold other values.
FIELDS: dict[EntityName, tuple[str, ...]] = {
    "customer": (
        "kind", "first_name", "last_name", "company", "email", "phone", "address", "organisation_number",
        "currency", "vat_exempt", "archived",
    ),
    "product": ("code", "name", "description", "unit", "price", "archived"),
    "order": ("customer_id", "currency", "order_date", "delivery_date", "purchase_order", "lines"),
}  # fmt: skip
# Of these, what is written when a record is created and never afterwards, whoever owns it.
CREATE_ONLY: dict[EntityName, frozenset[str]] = {
    "customer": frozenset({"kind", "currency", "vat_exempt"}),
    "product": frozenset({"code"}),
    "order": frozenset({"customer_id", "currency", "lines"}),
}

_FIELD_TYPES: dict[str, dict[str, Any]] = {
    name: {field.name: field.type for field in msgspec.structs.fields(kind)} for name, kind in ENTITY_TYPES.items()
}


def wire(entity: Entity) -> dict[str, Any]:
    """The JSON form of an entity: amounts and dates as text, every field present."""
    data: dict[str, Any] = msgspec.to_builtins(entity)
    return data


def typed(entity: EntityName, data: dict[str, Any]) -> Entity:
    """The entity of its JSON form. Raises msgspec.ValidationError naming the field."""
    return msgspec.convert(data, ENTITY_TYPES[entity])


def typed_fields(entity: EntityName, fields: dict[str, Any]) -> dict[str, Any]:
    """The typed values of some fields of an entity, as a command carries them.

    Raises msgspec.ValidationError for a wrong value and KeyError for a field the entity does not have.
    """
    types = _FIELD_TYPES[entity]
    return {name: msgspec.convert(value, types[name]) for name, value in fields.items()}
