"""What will follow from a decision of a person, shown before it is taken: records side by side, and
orders."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from rich.console import Console

from contracts.entities import FIELDS, SYSTEM_NAMES, SYSTEMS, EntityName, System
from contracts.messages import Link, Side
from contracts.said import Said, english
from contracts.settings import Tenant
from services.console.known import KnownByModel
from services.console.lookup import find_link
from services.console.model import ReadModel
from services.console.model_rows import ids_of, side_of
from services.console.names import Names, called_said, money, number_of, sums, words_of
from services.console.plans import Batch, Plan, batches_of, line_of, plans_of
from services.console.terminal import say, table, text
from services.console.values import shown as shown_value

LIST_MAX = 20
BY_NAME_ONLY = frozenset(
    {"paid", "observe", "paused"}
)  # what a release without --batch leaves as it is


class Orders(msgspec.Struct, frozen=True, kw_only=True):
    """Orders that wait for a record: what those are called that wait for nothing else, with their
    sums, and how many wait for more."""

    called: tuple[Said, ...]
    sums: str
    others: int


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """Two records that are to be one: each with its side and what it is called; None where it is
    not known. `orders` wait for one of them."""

    entity: EntityName
    ids: dict[System, str]
    sides: dict[System, Side | None]
    called: dict[System, str]
    orders: Orders


class Alone(msgspec.Struct, frozen=True, kw_only=True):
    """A record that is to be none of those that look like it."""

    entity: EntityName
    called: str
    linked: bool
    sides: dict[System, Side | None]
    others: tuple[str, ...]
    orders: Orders


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """What a release or a discard is about: the plans of batches that wait for a person, and the
    orders that wait for what these make. `shown` counts the records by batch."""

    plans: tuple[Plan, ...]
    orders: Orders

    @property
    def batches(self) -> list[Batch]:
        """What waits, by batch and by what would be done."""
        return batches_of(self.plans)

    @property
    def shown(self) -> dict[str, int]:
        """How many records each batch holds."""
        names = sorted({plan["batch"] for plan in self.plans})
        return {name: sum(plan["batch"] == name for plan in self.plans) for name in names}


# -- looked up


def pair_of(model: ReadModel, tenant: str, entity: EntityName, ids: dict[System, str]) -> Pair:
    """Two records by their ids."""
    known = KnownByModel(model, tenant)
    names = Names(known)
    held = {system: known.holder(entity, system, record_id) for system, record_id in ids.items()}
    return Pair(
        entity=entity,
        ids=ids,
        sides={system: side_of(link, system) if link else None for system, link in held.items()},
        called={system: words_of(names.of(link)) if link else "" for system, link in held.items()},
        orders=orders_of(model, tenant, entity, ids.items()),
    )


def picked(
    model: ReadModel, tenant: str, entity: EntityName, key: str, candidate: str
) -> tuple[Link, Link, Pair]:
    """The ambiguous record, its candidate, and both side by side. Raises NotFound."""
    link, other = (find_link(model, tenant, entity, each) for each in (key, candidate))
    ids: dict[System, str] = {}
    for each in (other, link):
        ids |= ids_of(each)
    return (
        link,
        other,
        pair_of(model, tenant, entity, {each: ids[each] for each in SYSTEMS if each in ids}),
    )


def alone_of(model: ReadModel, tenant: str, entity: EntityName, key: str) -> tuple[Link, Alone]:
    """A record, and those that look like it. Raises NotFound."""
    known = KnownByModel(model, tenant)
    names, link = Names(known), find_link(model, tenant, entity, key)
    sides = {system: side_of(link, system) for system in SYSTEMS}
    ids = [(system, side.id) for system, side in sides.items() if side is not None]
    others = ((each, known.link(entity, each)) for each in (link.candidates or link.duplicates))
    alone = Alone(
        entity=entity,
        called=names.called(link),
        linked=len(ids) == len(SYSTEMS),
        sides=sides,
        others=tuple(
            names.called(found) if found else f"{entity} {each}" for each, found in others
        ),
        orders=orders_of(model, tenant, entity, ids),
    )
    return link, alone


def held_of(
    model: ReadModel, tenant: str, settings: Tenant, entity: EntityName, batch: str | None
) -> Held:
    """What waits of an entity for a release or a discard: one batch, or all that needs no name."""
    plans = tuple(
        plan
        for plan in plans_of(model, tenant, held_only=True, settings=settings)
        if plan["entity"] == entity
        if plan["batch"] == batch or (batch is None and plan["batch"] not in BY_NAME_ONLY)
    )
    ids: list[tuple[System, str]] = []
    for plan in plans if entity != "order" else ():
        link = model.link(tenant, entity, plan["link"])
        ids += [(system, side.id) for system in SYSTEMS if link and (side := side_of(link, system))]
    return Held(plans=plans, orders=orders_of(model, tenant, entity, ids))


def orders_of(
    model: ReadModel, tenant: str, entity: EntityName, ids: Iterable[tuple[System, str]]
) -> Orders:
    """The orders that wait for records; only those that wait are looked at."""
    wanted = {f"{entity}|{system}|{record_id}" for system, record_id in ids}
    names = Names(KnownByModel(model, tenant))
    waiting = model.links(tenant, "order", "waiting") if wanted and entity != "order" else ()
    found = [link for link in waiting if wanted.intersection(link.waiting_on)]
    free = [link for link in found if wanted.issuperset(link.waiting_on)]
    named = [names.of(link) for link in free]
    amounts = [(each.currency, each.total) for each in named]
    told = tuple(
        called_said(link.entity, link.key, each) for link, each in zip(free, named, strict=True)
    )
    return Orders(called=told, sums=money(sums(amounts)), others=len(found) - len(free))


# -- shown


def show_pair(console: Console, pair: Pair, settings: Tenant) -> None:
    """Both records side by side, what is not the same in words, and what becomes of it."""
    titles = (f"{SYSTEM_NAMES[system]} {record_id}" for system, record_id in pair.ids.items())
    rows = table("", "field", *titles)
    seen = [(side and side.seen) or {} for side in pair.sides.values()]
    differing = []
    for name in (each for each in FIELDS[pair.entity] if any(held.get(each) for held in seen)):
        values = [held.get(name) for held in seen]
        is_same = len(values) < 2 or values[0] == values[1]
        style = "" if is_same else "bold"
        differing += [] if is_same else [name]
        cells = (text(shown_value(name, value) or "-", style) for value in values)
        rows.add_row("" if is_same else "*", text(name, style), *cells)
    console.print(rows)
    for system, record_id in pair.ids.items():
        if pair.sides[system] is None:
            say(
                console,
                f"{SYSTEM_NAMES[system]} {record_id} is not known yet: they are joined when both "
                f"records are",
            )
    if len(seen) == len(SYSTEMS) and all(pair.sides.values()):
        for words in _warnings(pair, seen):
            say(console, f"! {words}")
        say(console, _becomes(differing, settings))
    _show_orders(console, pair.orders)


def _warnings(pair: Pair, seen: Sequence[dict[str, Any]]) -> Iterable[str]:
    ours, theirs = ((name, held) for name, held in zip(pair.ids, seen, strict=True))
    numbers = [
        (SYSTEM_NAMES[system], held.get("organisation_number")) for system, held in (ours, theirs)
    ]
    if all(number for _, number in numbers) and numbers[0][1] != numbers[1][1]:
        told = " and ".join(f"{number} in {name}" for name, number in numbers)
        yield f"the organisation numbers are not the same: {told}; are they one company?"
    kinds = [held.get("kind") for _, held in (ours, theirs)]
    if pair.entity == "customer" and all(kinds) and kinds[0] != kinds[1]:
        yield (
            f"one is a {kinds[0]} and the other a {kinds[1]}: they will be in conflict until one "
            f"is corrected"
        )


def _becomes(differing: list[str], settings: Tenant) -> str:
    if not differing:
        return "they hold the same; they are linked, and kept in step from then on"
    names = ", ".join(differing)
    if settings.first_link.differences == "owner":
        return (
            f"they are linked; of what differs ({names}) the owner's values win at once "
            f"(first_link.differences)"
        )
    return (
        f"they are linked; blanks are filled, and what differs ({names}) is listed, not overwritten"
    )


def show_alone(console: Console, alone: Alone) -> None:
    """What is known of the record, and what becomes of it."""
    for system, side in alone.sides.items():
        for name in FIELDS[alone.entity] if side is not None and side.seen else ():
            if words := shown_value(name, ((side and side.seen) or {}).get(name)):
                say(console, f"  {name} in {SYSTEM_NAMES[system]}: {words}")
    others = ", ".join(alone.others[:LIST_MAX]) or "no other record"
    if alone.linked:
        say(console, f"{alone.called} is no longer listed beside {others}; nothing is written")
    else:
        missing = next(SYSTEM_NAMES[system] for system, side in alone.sides.items() if side is None)
        say(
            console,
            f"{alone.called} is none of {others}: a new {alone.entity} is created in {missing}",
        )
    _show_orders(console, alone.orders)


def show_held(console: Console, held: Held, *, what: str) -> None:
    """The plans, what they come to, and what becomes of them."""
    for plan in held.plans[:LIST_MAX]:
        say(console, line_of(plan))
        for words in plan["foreseen"]:
            say(console, f"    would be refused: {words}")
    if len(held.plans) > LIST_MAX:
        say(console, f"... and {len(held.plans) - LIST_MAX} more: tandem held show lists all")
    for each in held.batches:
        say(console, f"{what} {each.words()}")
    if not held.plans:
        say(console, "nothing of it is held now")
    _show_orders(console, held.orders)


def _show_orders(console: Console, orders: Orders) -> None:
    if orders.called:
        total = f", {orders.sums}" if orders.sums else ""
        count = number_of(len(orders.called), "order")
        say(console, f"{count} that waited for it will be planned then{total}")
        for each in orders.called[:LIST_MAX]:
            say(console, f"  {english(each)}")
        if len(orders.called) > LIST_MAX:
            say(console, f"  ... and {len(orders.called) - LIST_MAX} more")
    if orders.others:
        say(console, f"{number_of(orders.others, 'order')} that waited for it will wait for more")
