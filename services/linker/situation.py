"""What a link is in: the first thing about its two sides that decides what may follow. Pure, and
changes nothing."""

from dataclasses import dataclass
from typing import Any

from contracts.entities import System
from contracts.messages import Link, Problem, Side
from contracts.said import Said, english, say
from contracts.vendors import reference_of
from services.linker.books import holder_of_sale
from services.linker.state import Policy, State, apart, is_credit, is_gone, sides


@dataclass(frozen=True)
class Refused:
    """A side holds what its adapter could not read as a record."""

    problem: Problem


@dataclass(frozen=True)
class Empty:
    """A side was met without content."""


@dataclass(frozen=True)
class Aside:
    """An operator took the link out; `stamped` says that Go's record still names what it was parted
    from."""

    why: Said | str
    stamped: bool


@dataclass(frozen=True)
class Finished:
    """Nothing follows any more: why, for a person."""

    said: Said


@dataclass(frozen=True)
class Sent:
    """Go has sent the order; `number` is that of its invoice."""

    number: str | None


@dataclass(frozen=True)
class OrderGone:
    """An order that is deleted or cancelled in one system and stands in the other."""

    ours: Side
    theirs: Side
    system: System

    @property
    def is_deleted(self) -> bool:
        """Deleted, and not only cancelled."""
        return (self.ours if self.system == "chargebee" else self.theirs).deleted


@dataclass(frozen=True)
class KindsDiffer:
    """A person on one side, a company on the other."""


@dataclass(frozen=True)
class Pair:
    """Both records are known, with content; `gone` is the system in which the record is deleted or
    archived."""

    ours: Side
    theirs: Side
    ours_seen: dict[str, Any]
    theirs_seen: dict[str, Any]
    gone: System | None


@dataclass(frozen=True)
class BesideSale:
    """An order that Chargebee generated for an imported invoice, beside the one that `holder`
    links."""

    ours: Side
    holder: Link


@dataclass(frozen=True)
class Alone:
    """One record that may be matched, or created in the other system."""

    system: System
    side: Side
    seen: dict[str, Any]


Situation = (
    Refused | Empty | Aside | Finished | Sent | OrderGone | KindsDiffer | Pair | BesideSale | Alone
)


def situation(state: State, link: Link) -> Situation:
    """The situation of a link that has no command in flight."""
    known = sides(link)
    for _, side in known:
        if side.problem is not None:
            return Refused(side.problem)
    for _, side in known:
        if side.seen is None and not side.deleted:
            return Empty()
    if link.aside is not None:
        told = link.aside_said
        why = told if told is not None and english(told) == link.aside else link.aside
        return Aside(why, _names_what_it_was_parted_from(state, link))
    if link.chargebee is not None and link.poweroffice is not None:
        return _pair(link, link.chargebee, link.poweroffice)
    return _alone(state, link, *known[0])


def _pair(link: Link, ours: Side, theirs: Side) -> Situation:
    gone: System | None = (
        "chargebee" if is_gone(ours) else "poweroffice" if is_gone(theirs) else None
    )
    if ours.seen is None or theirs.seen is None or (gone == "chargebee" and is_gone(theirs)):
        return Finished(say("gone_on_both"))
    if link.entity == "order" and theirs.seen.get("status") == "sent":
        return Sent((theirs.seen.get("invoice") or {}).get("number"))
    if link.entity == "order" and gone is not None:
        return OrderGone(ours, theirs, gone)
    if link.entity == "customer" and ours.seen.get("kind") != theirs.seen.get("kind"):
        return KindsDiffer()
    return Pair(ours, theirs, ours.seen, theirs.seen, gone)


def _alone(state: State, link: Link, system: System, side: Side) -> Situation:
    is_order = link.entity == "order"
    if is_order and is_credit(side.seen):
        named = (side.seen or {}).get("credit_of")
        about = say("credit_note_of", number=named) if named else say("credit_note_bare")
        return Finished(about)
    if system == "chargebee" and (holder := holder_of_sale(state, link)) is not None:
        return BesideSale(side, holder)
    if is_gone(side) or side.seen is None:
        return Finished(say("gone_alone"))
    if is_order and (side.seen.get("invoice") or {}).get("void"):
        return Finished(say("invoice_void"))
    if is_order and system == "poweroffice" and not is_taken_over(state.policy, side.seen):
        return Finished(say("draft_in_go", state=state.policy.takeover))
    return Alone(system, side, side.seen)


def is_taken_over(policy: Policy, seen: dict[str, Any]) -> bool:
    """Whether an order born in Go has come far enough to be created in Chargebee."""
    status = seen.get("status")
    return status == "sent" or (policy.takeover == "confirmed" and status == "confirmed")


def _names_what_it_was_parted_from(state: State, link: Link) -> bool:
    side = link.poweroffice
    if link.chargebee is not None or side is None or is_gone(side):
        return False
    named = reference_of("poweroffice", side.stamp)
    if named is None or named.id is None:
        return False
    return apart(state, link.entity, "poweroffice", side.id, named.id)
