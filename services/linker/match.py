"""Which record of the other system is the twin of an unlinked one. Pure.

Rules in order: stamped references, organisation number, natural key; the first that hits wins. Uniqueness is judged
over everything known on both sides, so the result does not depend on the order of arrival.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from contracts.entities import EntityName, System, other
from contracts.messages import Link, Side
from contracts.values import code_for, natural, stamp_for_poweroffice
from services.linker.state import State, apart, by_id, is_company, party_name, side_of

Found = list[tuple[EntityName, str]]


@dataclass(frozen=True)
class Twin:
    """The link of the other system's record, and the rule that says so."""

    link: Link
    rule: str


@dataclass(frozen=True)
class Unclear:
    """Nothing is created; an operator picks among the candidates."""

    candidates: tuple[str, ...]
    reason: str


@dataclass(frozen=True)
class Unknown:
    """The record is stamped with a record that the other system has not shown."""

    reference: str


@dataclass(frozen=True)
class Busy:
    """A possible twin is being created right now; its outcome decides."""

    link: str


@dataclass(frozen=True)
class Single:
    """No twin exists."""


Match = Twin | Unclear | Unknown | Busy | Single


def id_in(state: State, target: System, entity: EntityName, record_id: str | None) -> str | None:
    """The twin's id in `target` of a record of the other system."""
    holder = by_id(state, entity, other(target), record_id) if record_id else None
    side = side_of(holder, target) if holder is not None else None
    return side.id if side is not None else None


def same_in_order(state: State, name: str, ours: Any, theirs: Any) -> bool | None:
    """Whether a customer or the lines of an order are the same in Chargebee and in Go, each in its own ids; None where
    something has no twin yet."""
    if ours is None or theirs is None:
        return False
    if name == "customer_id":
        twin = id_in(state, "poweroffice", "customer", ours)
        return None if twin is None else twin == theirs
    named = [line.get("product_id") for line in ours]
    twins = {product: id_in(state, "poweroffice", "product", product) for product in named if product is not None}
    if None in twins.values():
        return None
    return _sold({**line, "product_id": twins.get(line.get("product_id"))} for line in ours) == _sold(theirs)


def _sold(lines: Iterable[Mapping[str, Any]]) -> list[tuple[str, Decimal]]:
    """What is sold and for how much, sorted; no quantities, since Go may hold three with an odd discount as one."""
    return sorted((str(line.get("product_id")), Decimal(line.get("net", "0"))) for line in lines)


def find_stamped(state: State, entity: EntityName, system: System, record_id: str, stamp: str | None) -> Link | None:
    """The link whose other side is named by this record's stamp, or names this record by its own."""
    found = None
    if stamp and stamp.startswith("cb-") and system == "poweroffice":
        found = state.first(f"{entity}|id|chargebee|{stamp[3:]}") or state.first(f"{entity}|hashed|{stamp}")
    elif stamp and stamp.startswith("go-") and system == "chargebee":
        found = state.first(f"{entity}|id|poweroffice|{stamp[3:]}")
    if found is None:
        mark = stamp_for_poweroffice(record_id) if system == "chargebee" else f"go-{record_id}"
        found = state.first(f"{entity}|stamp|{other(system)}|{mark}")
    link = state.get(*found) if found else None
    theirs = side_of(link, other(system)) if link is not None else None
    return None if theirs is None or apart(state, entity, system, record_id, theirs.id) else link


def match(state: State, link: Link, system: System) -> Match:
    """Look for the twin of a link that knows only one side."""
    side = side_of(link, system)
    assert side is not None and side.seen is not None
    if told := state.control("joined", f"{link.entity}/{system}/{side.id}"):
        twin = by_id(state, link.entity, other(system), told["id"])
        if twin is None:
            return Unknown(told["id"])
        if side_of(twin, system) is None:
            return Twin(twin, "operator")
    stamped = find_stamped(state, link.entity, system, side.id, side.stamp)
    if stamped is not None and stamped.key != link.key:
        if side_of(stamped, system) is not None:
            return Unclear((stamped.key,), f"its reference names {stamped.key}, which is linked to another record")
        return Twin(stamped, "stamp")
    if side.stamp and side.stamp.startswith("cb-" if system == "poweroffice" else "go-"):
        named = side.stamp[3:]
        if not apart(state, link.entity, system, side.id, named):
            return Unknown(side.stamp)
    if (foreign := _unprefixed(state, link.entity, system, side)) is not None:
        return foreign
    if link.entity == "customer":
        found = _customer(state, link, system, side)
        theirs = side_of(found.link, other(system)) if isinstance(found, Twin) else None
        if isinstance(found, Twin) and "other_role" in (*side.incomplete, *(theirs.incomplete if theirs else ())):
            return Unclear((found.link.key,), "the Go contact has another role too; an operator links it")
        return found
    return _product(state, link, system, side) if link.entity == "product" else Single()


def _unprefixed(state: State, entity: EntityName, system: System, side: Side) -> Match | None:
    if system == "chargebee":
        found = state.find(f"{entity}|stamp|poweroffice|{side.id}")
    else:
        found = state.find(f"{entity}|id|chargebee|{side.stamp}") if side.stamp else []
    if not found:
        return None
    return Unclear(tuple(key for _, key in found), "a reference without our prefix equals the id")


def _open(state: State, found: Found, system: System, record_id: str) -> list[Link]:
    """Links among these that have no record of this system yet, and may be linked with this one."""
    links = []
    for entity, key in found:
        link = state.get(entity, key)
        theirs = side_of(link, other(system)) if link is not None and side_of(link, system) is None else None
        if link is not None and theirs is not None and not apart(state, entity, system, record_id, theirs.id):
            links.append(link)
    return links


def _unique(state: State, rule: str, system: System, link: Link, value: str) -> tuple[list[Link], bool]:
    theirs = state.find(f"{rule}|{other(system)}|{value}")
    # A newcomer does not stand in the index yet. Pairs that hold the value on both sides are no twins of anything.
    ours = state.find(f"{rule}|{system}|{value}", 2)
    pairs = state.find(f"{rule}|both|{value}", 1)
    side = side_of(link, system)
    assert side is not None
    alone = len(theirs) == 1 and not pairs and all(key == link.key for _, key in ours)
    return _open(state, theirs, system, side.id), alone


def _customer(state: State, link: Link, system: System, side: Side) -> Match:
    seen = side.seen or {}
    number = seen.get("organisation_number") if is_company(seen) else None
    if number:
        twins, alone = _unique(state, "customer|org", system, link, number)
        if twins:
            return _choose(twins, alone, "organisation_number")
    email = natural(seen.get("email"))
    if email is None:
        return Single()
    twins, alone = _unique(state, "customer|email", system, link, email)
    if not twins:
        return Single()
    theirs = side_of(twins[0], other(system))
    if len(twins) == 1 and alone and theirs is not None and not _same_party(seen, theirs.seen or {}):
        return Unclear((twins[0].key,), "the e-mail is equal, but name, kind or organisation number differ")
    return _choose(twins, alone, "email")


def _same_party(mine: dict[str, object], theirs: dict[str, object]) -> bool:
    numbers = {each for each in (mine.get("organisation_number"), theirs.get("organisation_number")) if each}
    return is_company(mine) == is_company(theirs) and len(numbers) < 2 and party_name(mine) == party_name(theirs)


def _product(state: State, link: Link, system: System, side: Side) -> Match:
    seen = side.seen or {}
    code = code_for(side.id) if system == "chargebee" else seen.get("code")
    if code:
        twins, alone = _unique(state, "product|code", system, link, code)
        if twins:
            return _choose(twins, alone, "code")
    name = natural(seen.get("name"))
    if name is None:
        return Single()
    twins, alone = _unique(state, "product|name", system, link, name)
    return _choose(twins, alone, "name") if twins else Single()


def _choose(twins: list[Link], alone: bool, rule: str) -> Match:
    if len(twins) > 1 or not alone:
        return Unclear(tuple(twin.key for twin in twins), f"{rule} is not unique on both sides")
    return Busy(twins[0].key) if twins[0].flight is not None else Twin(twins[0], rule)
