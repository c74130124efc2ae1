"""What the linker knows of one tenant, and how one side of a link takes in a reading. Pure.

A `State` is immutable to its users but for `child()`: decisions are made on a child, which its owner absorbs when
the Kafka transaction has committed and drops when anything failed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from contracts.entities import FIELDS as FIELDS
from contracts.entities import EntityName, System
from contracts.links import LinkKeys, SideKeys
from contracts.messages import Flight, Link, Observed, Side
from contracts.values import code_for, natural, stamp_for_poweroffice

MAX_WRITES, MAX_DURING = 8, 16


@dataclass(frozen=True)
class Policy:
    """The tenant's settings as the decisions need them; defaults as in `tandem.example.toml`."""

    mode: Literal["observe", "sync"] = "observe"
    undecided: bool = False  # a setting without default is missing: nothing is sent, whatever a signal says
    owner: Mapping[str, System] = field(default_factory=dict)
    create_off: frozenset[tuple[EntityName, System]] = frozenset()
    customers_in_scope: Literal["all", "referenced"] = "all"
    start_orders: str | None = None
    takeover: Literal["sent", "confirmed"] = "sent"
    price_to_chargebee: Literal["charge", "all", "off"] = "charge"
    delivery_date_to_chargebee: bool = False
    first_link: Literal["report", "owner"] = "report"
    hold_first_backfill: bool = False
    removal: Mapping[tuple[EntityName, System], str] = field(default_factory=dict)  # what a deletion does to a side
    confirm_on_delivered: bool = False
    line_drift: Literal["report", "restore"] = "report"
    breakers: Mapping[str, tuple[float, float]] = field(default_factory=dict)  # class: what passes, and which percent
    breaker_window_s: float = 600.0
    window: int = 50


class State(Protocol):
    """Links, their index and the control facts of one tenant."""

    tenant: str
    policy: Policy

    def get(self, entity: EntityName, key: str) -> Link | None: ...
    def put(self, link: Link) -> None: ...
    def remove(self, entity: EntityName, key: str) -> None: ...
    def first(self, index: str) -> tuple[EntityName, str] | None: ...
    def first_link(self, index: str) -> Link | None: ...
    def find(self, index: str, limit: int | None = None) -> list[tuple[EntityName, str]]: ...
    def count(self, index: str) -> int: ...
    def size(self, entity: EntityName) -> int: ...
    def some(self, limit: int) -> list[tuple[EntityName, str]]: ...
    def facts(self, kind: str) -> dict[str, dict[str, Any]]: ...
    def control(self, kind: str, id: str) -> dict[str, Any] | None: ...
    def set_control(self, kind: str, id: str, value: dict[str, Any]) -> None: ...
    def child(self) -> "State": ...


def by_id(state: State, entity: EntityName, system: System, record_id: str) -> Link | None:
    """The link that holds this vendor record."""
    return state.first_link(f"{entity}|id|{system}|{record_id}")


def free_key(state: State, entity: EntityName, key: str) -> str:
    """A key that no link has: this one, or with as many tildes as it takes."""
    while state.get(entity, key) is not None:
        key += "~"
    return key


def sides(link: Link) -> tuple[tuple[System, Side], ...]:
    """The known sides of a link, Chargebee first."""
    ours, theirs = link.chargebee, link.poweroffice
    if ours is None:
        return () if theirs is None else (("poweroffice", theirs),)
    return (("chargebee", ours),) if theirs is None else (("chargebee", ours), ("poweroffice", theirs))


def side_of(link: Link, system: System) -> Side | None:
    """One side of a link."""
    return link.chargebee if system == "chargebee" else link.poweroffice


def set_side(link: Link, system: System, side: Side) -> None:
    """Put a side into a link."""
    if system == "chargebee":
        link.chargebee = side
    else:
        link.poweroffice = side


def new_side(entity: EntityName, observed: Observed) -> Side:
    """A side seen for the first time: no field has a base."""
    return Side(
        id=observed.id, version=observed.version, mapping=observed.mapping, seen=observed.data,
        unset=list(FIELDS[entity]), deleted=observed.deleted, stamp=observed.stamp, incomplete=observed.incomplete,
        problem=observed.problem,
    )  # fmt: skip


def set_seen(entity: EntityName, side: Side, data: dict[str, Any], *, edit: bool = True) -> None:
    """Move what was seen. Bases stay, unless the move is no edit (a new mapping): then agreed fields stay agreed, and
    `remapped` keeps what they were agreed as, since the other side may hold what the old mapping made of them."""
    old = side.seen or {}
    side.seen = data
    if old == data:
        return
    for name in FIELDS[entity]:
        if name in side.unset:
            continue
        value = data.get(name)
        if name not in side.base:
            if old.get(name) != value:
                if edit:
                    side.base[name] = old.get(name)
                else:
                    side.remapped.setdefault(name, old.get(name))
        elif side.base[name] == value:
            del side.base[name]


def agree(side: Side, name: str, value: Any) -> None:
    """Set the base of one field."""
    if name in side.unset:
        side.unset.remove(name)
    if name in side.doubt:
        side.doubt.remove(name)
    side.remapped.pop(name, None)
    if (side.seen or {}).get(name) == value:
        side.base.pop(name, None)
    else:
        side.base[name] = value


Folded = Literal["newer", "same", "older", "remapped"]


def fold(entity: EntityName, side: Side, event: Observed) -> Folded:
    """Take a reading into a side; readings that are not newer change nothing."""
    if event.version < side.version:
        return "older"
    if event.version == side.version:
        if event.mapping <= side.mapping or event.data is None:
            return "same"
        set_seen(entity, side, event.data, edit=False)
        side.mapping, side.incomplete, side.problem = event.mapping, event.incomplete, event.problem
        return "remapped"
    side.version, side.mapping = event.version, event.mapping
    side.deleted, side.incomplete, side.problem = event.deleted, event.incomplete, event.problem
    side.stamp = event.stamp if event.data is not None else side.stamp
    if event.data is not None:
        set_seen(entity, side, event.data)
    if event.deleted and entity != "order" and side.seen is not None:
        set_seen(entity, side, {**side.seen, "archived": True})
    return "newer"


def is_gone(side: Side) -> bool:
    """Whether a record was deleted, archived or cancelled."""
    seen = side.seen or {}
    return side.deleted or bool(seen.get("archived")) or seen.get("status") == "cancelled"


def born_in_go(link: Link) -> bool:
    """Whether the record of a link came into being in PowerOffice Go."""
    ours = link.chargebee
    return link.key.startswith("go-") or (ours is not None and (ours.stamp or "").startswith("go-"))


def apart(state: State, entity: EntityName, one: System, one_id: str, other_id: str) -> bool:
    """Whether an operator said that these two records are never to be linked."""
    ids = (one_id, other_id) if one == "chargebee" else (other_id, one_id)
    return bool(state.control("apart", "|".join((entity, *ids))))


def note_during(flight: Flight, event: Observed) -> None:
    """Keep an event that arrived while a command for its record is in flight, for the overwritten check."""
    if event.data is not None and len(flight.during) < MAX_DURING:
        flight.during.append((event.version, {name: event.data.get(name) for name in flight.command.fields}))


def is_company(seen: Mapping[str, Any]) -> bool:
    return seen.get("kind") == "company"


def party_name(seen: Mapping[str, Any]) -> str | None:
    """The normalised name of a person or company."""
    if is_company(seen):
        return natural(seen.get("company"))
    return natural(" ".join(filter(None, (seen.get("first_name"), seen.get("last_name")))))


def references(link: Link, system: System) -> list[tuple[EntityName, str]]:
    """The records of its own system that an order names."""
    side = side_of(link, system)
    if link.entity != "order" or side is None or side.seen is None:
        return []
    named: dict[tuple[EntityName, str], None] = {}
    if side.seen.get("customer_id"):
        named["customer", side.seen["customer_id"]] = None
    for line in side.seen.get("lines") or ():
        if line.get("product_id"):
            named["product", line["product_id"]] = None
    return list(named)


def index_keys(link: Link | LinkKeys) -> list[str]:
    """Where a link is found: by its ids, natural keys, references it waits for, and by what it waits to do; each key
    once. What is read here stands in `LinkKeys`, which is all that a restore decodes."""
    entity, ours, theirs = link.entity, link.chargebee, link.poweroffice
    keys: list[str] = []
    if ours is not None:
        keys.append(f"{entity}|id|chargebee|{ours.id}")
    if theirs is not None:
        keys.append(f"{entity}|id|poweroffice|{theirs.id}")
    keys += _natural_keys(entity, ours, theirs)
    if theirs is None and ours is not None:
        if ours.stamp:
            keys.append(f"{entity}|stamp|chargebee|{ours.stamp}")
        if len(ours.id) > 47:
            keys.append(f"{entity}|hashed|{stamp_for_poweroffice(ours.id)}")
    elif ours is None and theirs is not None and theirs.stamp:
        keys.append(f"{entity}|stamp|poweroffice|{theirs.stamp}")
    if link.flight is not None:
        command = link.flight.command
        if command.lane == "bulk":
            keys.append(f"flying|{command.target}")
    elif link.plan is not None:
        keys.append(f"held|{entity}|{link.batch}" if link.state == "held" else f"queue|{link.plan.target}")
    elif link.state == "parked":
        keys.append("parked")
    elif link.state in ("rejected", "broken", "conflict"):
        keys.append(f"{link.state}|{entity}")
    elif link.state == "pending":
        keys.append(f"pending|{entity}")
    if link.verify and link.flight is None:
        keys.append(f"verify|{link.verify[0]}")
    if link.waiting_on or link.candidates:
        keys.append("waiting")
        keys += [f"wait|{name}" for name in dict.fromkeys(link.waiting_on)]
        keys += [f"ambiguous|{entity}|{key}" for key in dict.fromkeys(link.candidates)]
    return keys


def _natural_keys(entity: EntityName, ours: SideKeys | Side | None, theirs: SideKeys | Side | None) -> list[str]:
    """A value that both sides hold stands once, under `both`: so it is with nearly every linked pair."""
    in_ours, in_theirs = _naturals(entity, "chargebee", ours), _naturals(entity, "poweroffice", theirs)
    keys = []
    for rule, value in in_ours.items():
        keys.append(f"{entity}|{rule}|{'both' if in_theirs.get(rule) == value else 'chargebee'}|{value}")
    for rule, value in in_theirs.items():
        if in_ours.get(rule) != value:
            keys.append(f"{entity}|{rule}|poweroffice|{value}")
    return keys


def _naturals(entity: EntityName, system: System, side: SideKeys | Side | None) -> dict[str, str]:
    """What a record is known by besides its id, by rule."""
    found: dict[str, str] = {}
    if side is None or side.seen is None:
        return found
    seen = side.seen
    if entity == "customer":
        if email := natural(seen.get("email")):
            found["email"] = email
        if (number := seen.get("organisation_number")) and is_company(seen):
            found["org"] = number
    elif entity == "product":
        if name := natural(seen.get("name")):
            found["name"] = name
        if code := code_for(side.id) if system == "chargebee" else seen.get("code"):
            found["code"] = code
    return found


def owner(policy: Policy, link: Link, name: str) -> System:
    """The side that wins a conflict over a field."""
    if (named := policy.owner.get(f"{link.entity}.{name}") or policy.owner.get(link.entity)) is not None:
        return named
    if link.entity == "product" and link.chargebee and (link.chargebee.seen or {}).get("kind") == "charge":
        return "poweroffice"
    return "chargebee"
