"""What the linker must know of a field that both systems carry: one row each.

The rows stand beside the struct they are about; nothing else in the linker names a field's rules.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

System = Literal["chargebee", "poweroffice"]
EntityName = Literal["customer", "product", "order"]
SYSTEMS: tuple[System, ...] = ("chargebee", "poweroffice")
ENTITIES: tuple[EntityName, ...] = ("customer", "product", "order")
BOTH = frozenset(SYSTEMS)
SYSTEM_NAMES: dict[System, str] = {"chargebee": "Chargebee", "poweroffice": "Go"}  # for a person


def other(system: System) -> System:
    """The system on the opposite side."""
    return "poweroffice" if system == "chargebee" else "chargebee"


def always(_value: Any) -> bool:
    """Every value may leave its side."""
    return True


@dataclass(frozen=True)
class Field:
    """A field that is carried, and decided where both sides hold other values. Its value is decided
    as one.

    `once` is written when a record is created and never afterwards, whoever owns it. `written`
    names the systems to which a later change is carried, `filled` those into which a value may be
    filled that only the other side holds at a first link. `complete` judges the JSON form of a
    value: one that is not never leaves its side, and `lacking` says why for a person. A difference
    of an `identity` at a first link is none. A field that old links do not hold yet needs no mark:
    it is decided as at a first link once both sides have been read.
    """

    name: str
    once: bool = False
    written: frozenset[System] = BOTH
    filled: frozenset[System] = BOTH
    complete: Callable[[Any], bool] = always
    lacking: str | None = None
    identity: bool = False
