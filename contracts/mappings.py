"""Which fields each mapping of a vendor's records reads differently from the one before it.

A release that reads a field differently, or carries one more, raises its vendor's number here and
names the fields. At an unmoved version of the vendor a change of those fields is no edit by
anybody; a change of any other field is one.
"""

from collections.abc import Mapping

from contracts.entities import EntityName, System

# 2: what an order's invoice is worth, paid and credited; a draft's first line; whether a product is
# goods.
REREAD: dict[System, dict[int, Mapping[EntityName, frozenset[str]]]] = {
    "chargebee": {1: {}, 2: {}},
    "poweroffice": {1: {}, 2: {}},
}


def newest(system: System) -> int:
    """The number of the mapping in use."""
    return max(REREAD[system])


def reread(system: System, entity: EntityName, old: int, new: int) -> frozenset[str] | None:
    """The fields that a mapping reads differently from an older one; None where this release does
    not know either number, so that it may be any of them."""
    known = REREAD[system]
    steps = range(old + 1, new + 1)
    if not all(step in known for step in steps):
        return None
    return frozenset().union(*(known[step].get(entity, frozenset()) for step in steps))
