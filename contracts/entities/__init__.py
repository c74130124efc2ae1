"""Customer, Product and Order as both systems are understood; whole states, never differences.

Text is trimmed NFC and None when blank (`contracts.values.text`), amounts are Decimal in major
units of their currency (`contracts.values.decimal`), dates are local dates of the tenant. On the
wire amounts and dates are text. Beside each struct stands the table of its fields that are carried,
one row each.
"""

from typing import Any

import msgspec

from contracts.entities import customer, order, product
from contracts.entities.customer import Address, Customer
from contracts.entities.fields import (
    ENTITIES,
    SYSTEM_NAMES,
    SYSTEMS,
    EntityName,
    Field,
    System,
    other,
)
from contracts.entities.order import MAX_ORDER_LINES, Invoice, Line, Order
from contracts.entities.product import Price, Product

__all__ = [
    "ENTITIES",
    "ENTITY_TYPES",
    "FIELDS",
    "KNOWN_BY",
    "MAX_ORDER_LINES",
    "SYSTEMS",
    "SYSTEM_NAMES",
    "Address",
    "Customer",
    "Entity",
    "EntityName",
    "Field",
    "Invoice",
    "Line",
    "Order",
    "Price",
    "Product",
    "System",
    "field_of",
    "other",
    "typed",
    "typed_fields",
    "wire",
]

Entity = Customer | Product | Order
ENTITY_TYPES: dict[EntityName, type[Entity]] = {
    "customer": Customer,
    "product": Product,
    "order": Order,
}
_ROWS = {"customer": customer.FIELDS, "product": product.FIELDS, "order": order.FIELDS}

# What is carried between the systems, by name.
FIELDS: dict[EntityName, tuple[str, ...]] = {
    entity: tuple(row.name for row in _ROWS[entity]) for entity in ENTITIES
}
KNOWN_BY: dict[EntityName, tuple[str, ...]] = {
    "customer": customer.KNOWN_BY,
    "product": product.KNOWN_BY,
    "order": order.KNOWN_BY,
}
_FIELDS_BY_NAME = {(entity, row.name): row for entity in ENTITIES for row in _ROWS[entity]}
_FIELD_TYPES: dict[str, dict[str, Any]] = {
    name: {field.name: field.type for field in msgspec.structs.fields(kind)}
    for name, kind in ENTITY_TYPES.items()
}


def field_of(entity: EntityName, name: str) -> Field:
    """The row of a field; of one that is not carried by itself (a status, a first line), one
    without rules."""
    return _FIELDS_BY_NAME.get((entity, name)) or Field(name)


def wire(entity: Entity) -> dict[str, Any]:
    """The JSON form of an entity: amounts and dates as text, every field present."""
    data: dict[str, Any] = msgspec.to_builtins(entity)
    return data


def typed(entity: EntityName, data: dict[str, Any]) -> Entity:
    """The entity of its JSON form. Raises msgspec.ValidationError naming the field."""
    return msgspec.convert(data, ENTITY_TYPES[entity])


def typed_fields(entity: EntityName, fields: dict[str, Any]) -> dict[str, Any]:
    """The typed values of some fields of an entity, as a command carries them.

    Raises msgspec.ValidationError for a wrong value and KeyError for a field the entity does not
    have.
    """
    types = _FIELD_TYPES[entity]
    return {name: msgspec.convert(value, types[name]) for name, value in fields.items()}
