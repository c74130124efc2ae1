"""Which record of the other system is the twin of an unlinked one. Pure.

Rules in order: stamped references, organisation number, natural key; the first that hits wins.
Uniqueness is judged over everything known on both sides, linked records included, so the result
does not depend on the order of arrival. It is judged by how many links stand under a value in the
index, and at most MAX_CANDIDATES are looked at, so that a mailbox of two thousand customers costs
each of them what a mailbox of two costs.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from contracts import facts
from contracts.entities import EntityName, System, other
from contracts.messages import Link, Side
from contracts.said import Said, say
from contracts.vendors import reference_of, reference_to
from services.linker.state import (
    State,
    apart,
    by_id,
    is_company,
    known,
    naturals,
    party_name,
    side_of,
    sides,
)

MAX_CANDIDATES = 20
SHARED = {"org": "the same organisation number", "party": "the same e-mail, name and kind"}
SHOWN = {"org": "organisation number", "email": "e-mail", "code": "code", "name": "name"}
BEFORE_OTHERS = frozenset({"org", "code"})  # rules that decide before e-mail and name do
MAX_OPENED = 3  # of unlinked records under one value; more of them are never unique


@dataclass(frozen=True)
class Twin:
    """The link of the other system's record, and the rule that says so."""

    link: Link
    rule: str


@dataclass(frozen=True)
class Unclear:
    """Nothing is created; an operator picks among the candidates. `count` is how many share the
    value, 0 where the candidates follow from a reference."""

    candidates: tuple[str, ...]
    said: Said
    count: int = 0


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
    """Whether a customer or the lines of an order are the same in Chargebee and in Go, each in its
    own ids; None where something has no twin yet."""
    if ours is None or theirs is None:
        return False
    if name == "customer_id":
        twin = id_in(state, "poweroffice", "customer", ours)
        return None if twin is None else twin == theirs
    named = [line.get("product_id") for line in ours]
    twins = {
        product: id_in(state, "poweroffice", "product", product)
        for product in named
        if product is not None
    }
    if None in twins.values():
        return None
    return _sold(
        {**line, "product_id": twins.get(line.get("product_id"))} for line in ours
    ) == _sold(theirs)


def _sold(lines: Iterable[Mapping[str, Any]]) -> list[tuple[str, Decimal]]:
    """What is sold and for how much, sorted; no quantities, since Go may hold three with an odd
    discount as one."""
    return sorted((str(line.get("product_id")), Decimal(line.get("net", "0"))) for line in lines)


def find_stamped(
    state: State, entity: EntityName, system: System, record_id: str, stamp: str | None
) -> Link | None:
    """The link whose other side is named by this record's stamp, or names this record by its
    own."""
    found = None
    if (reference := reference_of(system, stamp)) is not None:
        if reference.id is None:
            found = state.first(f"{entity}|hashed|{reference.text}")
        else:
            found = state.first(f"{entity}|id|{other(system)}|{reference.id}")
    if found is None:
        mark = reference_to(system, record_id)
        found = state.first(f"{entity}|stamp|{other(system)}|{mark}")
    link = state.get(*found) if found else None
    theirs = side_of(link, other(system)) if link is not None else None
    return None if theirs is None or apart(state, entity, system, record_id, theirs.id) else link


def match(state: State, link: Link, system: System) -> Match:
    """Look for the twin of a link that knows only one side."""
    side = known(link, system)
    told = facts.get(state, facts.Joined, f"{link.entity}/{system}/{side.id}")
    back = told and facts.get(state, facts.Joined, f"{link.entity}/{other(system)}/{told.id}")
    if told and back and back.id == side.id:
        twin = by_id(state, link.entity, other(system), told.id)
        if twin is None:
            return Unknown(told.id)
        if side_of(twin, system) is None:
            return Twin(twin, "operator")
    stamped = find_stamped(state, link.entity, system, side.id, side.stamp)
    if stamped is not None and stamped.key != link.key:
        if side_of(stamped, system) is not None:
            return Unclear((stamped.key,), say("linked_elsewhere", key=stamped.key))
        return Twin(stamped, "stamp")
    named = reference_of(system, side.stamp)
    if named is not None and (
        named.id is None or not apart(state, link.entity, system, side.id, named.id)
    ):
        return Unknown(named.text)
    if (foreign := _unprefixed(state, link.entity, system, side)) is not None:
        return foreign
    if is_distinct(state, link.entity, system, side.id):
        return Single()
    if link.entity == "customer":
        found = _customer(state, link, system, side)
        theirs = side_of(found.link, other(system)) if isinstance(found, Twin) else None
        if isinstance(found, Twin) and "other_role" in (
            *side.incomplete,
            *(theirs.incomplete if theirs else ()),
        ):
            return Unclear((found.link.key,), say("other_role"), 1)
        return found
    return _product(state, link, system, side) if link.entity == "product" else Single()


def _unprefixed(state: State, entity: EntityName, system: System, side: Side) -> Match | None:
    if system == "chargebee":
        found = state.find(f"{entity}|stamp|poweroffice|{side.id}")
    else:
        found = state.find(f"{entity}|id|chargebee|{side.stamp}") if side.stamp else []
    if not found:
        return None
    return Unclear(
        tuple(key for _, key in found[:MAX_CANDIDATES]),
        say("bare_reference"),
    )


def is_distinct(state: State, entity: EntityName, system: System, record_id: str) -> bool:
    """Whether an operator said that this record is none of those that look like it."""
    return facts.holds(state, facts.Distinct, f"{entity}/{system}/{record_id}")


@dataclass(frozen=True)
class _Sharing:
    """Who else has a value: unlinked records of the record's own system, of the other one (of at
    most MAX_OPENED the links, without those parted from it by hand), and pairs."""

    own: int
    theirs: int
    pairs: int
    twins: tuple[Link, ...]

    @property
    def total(self) -> int:
        return self.own + self.theirs + self.pairs


def _sharing(state: State, link: Link, system: System, rule: str, value: str) -> _Sharing:
    own = _others(state, link, f"{link.entity}|{rule}|{system}|{value}")
    pairs = _others(state, link, f"{link.entity}|{rule}|pair|{value}")
    index = f"{link.entity}|{rule}|{other(system)}|{value}"
    theirs = state.count(index)
    if not theirs or theirs > MAX_OPENED:
        return _Sharing(own, theirs, pairs, ())
    side = known(link, system)
    twins = []
    for name in state.find(index):
        twin = state.get(*name)
        held = side_of(twin, other(system)) if twin is not None else None
        if (
            twin is not None
            and held is not None
            and not apart(state, link.entity, system, side.id, held.id)
        ):
            twins.append(twin)
    return _Sharing(own, len(twins), pairs, tuple(twins))


def _others(state: State, link: Link, index: str) -> int:
    """How many other links stand under an index key; a newcomer does not stand there yet."""
    return state.count(index) - state.holds(index, link.entity, link.key)


def _candidates(state: State, link: Link, system: System, rule: str, value: str) -> tuple[str, ...]:
    found: list[str] = []
    for group in (other(system), "pair", system):
        names = state.find(f"{link.entity}|{rule}|{group}|{value}", MAX_CANDIDATES + 1)
        found += [key for _, key in names if key != link.key]
    return tuple(found[:MAX_CANDIDATES])


def _unclear(
    state: State, link: Link, system: System, rule: str, value: str, sharing: _Sharing, said: Said
) -> Unclear:
    return Unclear(_candidates(state, link, system, rule, value), said, sharing.total)


def _customer(state: State, link: Link, system: System, side: Side) -> Match:
    values = dict(naturals("customer", system, side))
    if (number := values.get("org")) is not None:
        sharing = _sharing(state, link, system, "org", number)
        if sharing.total:
            return _choose(state, link, system, "org", number, sharing, "organisation_number")
    if (email := values.get("email")) is None:
        return Single()
    sharing = _sharing(state, link, system, "email", email)
    if not sharing.theirs:
        party = values.get("party")
        same = (
            _sharing(state, link, system, "party", party)
            if party is not None and sharing.total
            else None
        )
        if same is None or party is None or not same.total:
            return Single()
        return _unclear(state, link, system, "party", party, same, say("same_party"))
    if sharing.total == 1:
        theirs = side_of(sharing.twins[0], other(system))
        if theirs is not None and not _same_party(side.seen or {}, theirs.seen or {}):
            return _unclear(state, link, system, "email", email, sharing, say("same_email"))
    return _choose(state, link, system, "email", email, sharing, "email")


def _same_party(mine: dict[str, object], theirs: dict[str, object]) -> bool:
    numbers = {
        each
        for each in (mine.get("organisation_number"), theirs.get("organisation_number"))
        if each
    }
    return (
        is_company(mine) == is_company(theirs)
        and len(numbers) < 2
        and party_name(mine) == party_name(theirs)
    )


def _product(state: State, link: Link, system: System, side: Side) -> Match:
    values = dict(naturals("product", system, side))
    if (code := values.get("code")) is not None:
        sharing = _sharing(state, link, system, "code", code)
        if sharing.total:
            return _choose(state, link, system, "code", code, sharing, "code")
    if (name := values.get("name")) is None:
        return Single()
    sharing = _sharing(state, link, system, "name", name)
    return (
        _choose(state, link, system, "name", name, sharing, "name") if sharing.theirs else Single()
    )


def _choose(
    state: State, link: Link, system: System, rule: str, value: str, sharing: _Sharing, words: str
) -> Match:
    """The twin, where exactly one other record has the value, is of the other system and unlinked,
    and has no better claim to a third one: who is planned first must not matter."""
    if sharing.total > 1 or not sharing.twins:
        said = say("not_unique", what=SHOWN[rule], value=value, entity=link.entity)
        return _unclear(state, link, system, rule, value, sharing, said)
    (twin,) = sharing.twins
    if (claim := _better_claim(state, twin, other(system), rule)) is not None:
        return _unclear(state, link, system, rule, value, sharing, claim)
    return Busy(twin.key) if twin.flight is not None else Twin(twin, words)


def _better_claim(state: State, twin: Link, system: System, rule: str) -> Said | None:
    """Why an unlinked record looks for another twin by a rule that comes before this one, or
    None."""
    side = side_of(twin, system)
    if side is not None and (reference := reference_of(system, side.stamp)) is not None:
        return say("twin_refers", what=SHOWN[rule], key=twin.key, reference=reference.text)
    for name, value in naturals(twin.entity, system, side):
        if name == rule:
            return None
        if name in BEFORE_OTHERS and _sharing(state, twin, system, name, value).total:
            return say("twin_shares", what=SHOWN[rule], key=twin.key, value=value)
    return None


def duplicates(state: State, link: Link) -> dict[str, str]:
    """The keys of other links that look like the same customer as a linked pair, at most
    MAX_CANDIDATES, each with what they share; none that an operator said to be another."""
    if link.entity != "customer":
        return {}
    found: dict[str, str] = {}
    values = [each for system, side in sides(link) for each in naturals("customer", system, side)]
    for rule, value in dict.fromkeys(values):
        if rule not in SHARED:
            continue
        for group in ("pair", "chargebee", "poweroffice"):
            index = f"customer|{rule}|{group}|{value}"
            count = state.count(index)
            if count and count > state.holds(index, "customer", link.key):
                for _, key in state.find(index, MAX_CANDIDATES + 1):
                    if key != link.key and key not in found and not is_another(state, link, key):
                        found[key] = SHARED[rule]
    if not found or any(
        is_distinct(state, "customer", system, side.id) for system, side in sides(link)
    ):
        return {}
    return dict(list(found.items())[:MAX_CANDIDATES])


def is_another(state: State, link: Link, key: str) -> bool:
    """Whether an operator said that this link is not the same as the other, by `pick --new` or by
    parting them."""
    held = state.get(link.entity, key)
    if held is None:
        return True
    if any(is_distinct(state, link.entity, system, side.id) for system, side in sides(held)):
        return True
    return any(
        mine is not None and apart(state, link.entity, system, mine.id, theirs.id)
        for system, theirs in ((other(each), side) for each, side in sides(held))
        for mine in (side_of(link, system),)
    )
