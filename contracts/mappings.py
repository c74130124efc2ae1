"""What each mapping of a vendor's records reads otherwise than the one before it.

A release that reads a field otherwise, or carries one more, raises its vendor's number here and names the fields. At an
unmoved version of the vendor a change of those fields is no edit by anybody; a change of any other field is one.
"""

from collections.abc import Mapping

from contracts.entities import EntityName, System

REREAD: dict[System, dict[int, Mapping[EntityName, frozenset[str]]]] = {
    "chargebee": {1: {}},
    "poweroffice": {1: {}},
}


def newest(system: System) -> int:
    """The number of the mapping in use."""
    return max(REREAD[system])


def reread(system: System, entity: EntityName, old: int, new: int) -> frozenset[str] | None:
    """The fields that a mapping reads otherwise than an older one; None where this release does not know either
    number, so that it may be any of them."""
    known = REREAD[system]
    steps = range(old + 1, new + 1)
    if not all(step in known for step in steps):
        return None
    return frozenset().union(*(known[step].get(entity, frozenset()) for step in steps))
