"""How many links are alike, so that a status need not look at those of which there is nothing to
tell. Pure."""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple, Self

from contracts.entities import SYSTEMS, EntityName, System
from contracts.messages import Link, LinkState

LINKED_STATES: frozenset[LinkState] = frozenset({"linked", "sent"})


class Tally(NamedTuple):
    """How many links of an entity are alike: their state, whether a command is under way, and the
    systems that have the record."""

    entity: EntityName
    state: LinkState
    is_open: bool
    there: frozenset[System]
    links: int

    @classmethod
    def of(
        cls, entity: EntityName, state: LinkState, is_open: bool, sides: int, links: int
    ) -> Self:
        """With the systems as `sides_of` gives them."""
        there = frozenset(system for bit, system in enumerate(SYSTEMS) if sides >> bit & 1)
        return cls(entity, state, bool(is_open), there, links)


def sides_of(link: Link) -> int:
    """A bit for each system that has the record, in the order of SYSTEMS."""
    sides = (link.chargebee, link.poweroffice)
    held = (side is not None and not side.deleted for side in sides)
    return sum(is_there << bit for bit, is_there in enumerate(held))


def tally_of(links: Iterable[Link]) -> list[Tally]:
    """The counts of links that are held already."""
    counted = Counter(
        (link.entity, link.state, link.flight is not None, sides_of(link)) for link in links
    )
    return [Tally.of(*facts, count) for facts, count in counted.items()]


def is_told(link: Link) -> bool:
    """Whether a status tells of a link by itself; the others it counts."""
    return bool(
        link.state not in LINKED_STATES or link.differences or link.duplicates or link.findings
    )
