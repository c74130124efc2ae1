"""What the linker knows of one tenant, and how one side of a link takes in a reading. Pure.

A `State` is immutable to its users but for `child()`: decisions are made on a child, which its
owner absorbs when the Kafka transaction has committed and drops when anything failed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal, Protocol

from contracts import facts
from contracts.entities import FIELDS, EntityName, System
from contracts.links import LinkKeys, SideKeys
from contracts.mappings import reread
from contracts.messages import Flight, Link, Observed, Outcome, Side
from contracts.values import natural
from contracts.vendors import (
    HASHED,
    code_for,
    reference_of,
    stamp_for_poweroffice,
    vendor_part,
)

MAX_DURING = 16
Naturals = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Policy:
    """The tenant's settings as the decisions need them; defaults as in `tandem.example.toml`."""

    mode: Literal["observe", "sync"] = "observe"
    undecided: bool = (
        False  # a setting without default is missing: nothing is sent, whatever a signal says
    )
    owner: Mapping[str, System | Literal["ask"]] = field(default_factory=dict)
    create_off: frozenset[tuple[EntityName, System]] = frozenset()
    customers_in_scope: Literal["all", "referenced"] = "all"
    start_orders: str | None = None
    takeover: Literal["sent", "confirmed"] = "sent"
    price_to_chargebee: Literal["charge", "all", "off"] = "charge"
    delivery_date_to_chargebee: bool = False
    first_link: Literal["report", "owner"] = "report"
    hold_first_backfill: bool = False
    removal: Mapping[tuple[EntityName, System], str] = field(
        default_factory=dict
    )  # what a deletion does to a side
    confirm_on_delivered: bool = False
    line_drift: Literal["report", "restore"] = "report"
    breakers: Mapping[str, tuple[float, float]] = field(
        default_factory=dict
    )  # class: what passes, and which percent
    breaker_window_s: float = 600.0
    window: int = 50
    invoicing_by: System = "poweroffice"
    order_source: Literal["orders", "invoices"] = "orders"
    order_paid: Literal["hold", "carry"] = (
        "hold"  # of an order that is paid before Go would invoice it
    )
    imports_as_paid: bool = True
    import_order_status: str = "on_hold"
    ledger_currency: str = "NOK"


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
    def following(self, index: str, after: str, limit: int) -> list[tuple[EntityName, str]]: ...
    def count(self, index: str) -> int: ...
    def holds(self, index: str, entity: EntityName, key: str) -> bool: ...
    def moved(self) -> list[str]: ...
    def count_before(self, index: str) -> int: ...
    def size(self, entity: EntityName) -> int: ...
    def pairs(self, entity: EntityName) -> int: ...
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
    return (
        (("chargebee", ours),) if theirs is None else (("chargebee", ours), ("poweroffice", theirs))
    )


def side_of(link: Link, system: System) -> Side | None:
    """One side of a link."""
    return link.chargebee if system == "chargebee" else link.poweroffice


def both(link: Link) -> tuple[Side, Side]:
    """The sides of a link that knows both records, Chargebee's first. Raises ValueError."""
    if link.chargebee is None or link.poweroffice is None:
        raise ValueError(f"{link.entity} {link.key} knows one record only")
    return link.chargebee, link.poweroffice


def known(link: Link, system: System) -> Side:
    """The side of a record that a link knows. Raises ValueError."""
    if (side := side_of(link, system)) is None:
        raise ValueError(f"{link.entity} {link.key} knows no record of {system}")
    return side


def set_side(link: Link, system: System, side: Side) -> None:
    """Put a side into a link."""
    if system == "chargebee":
        link.chargebee = side
    else:
        link.poweroffice = side


def new_side(entity: EntityName, observed: Observed) -> Side:
    """A side seen for the first time: no field has a base."""
    return Side(
        id=observed.id,
        version=observed.version,
        mapping=observed.mapping,
        seen=observed.data,
        unset=list(FIELDS[entity]),
        deleted=observed.deleted,
        stamp=observed.stamp,
        incomplete=observed.incomplete,
        problem=observed.problem,
    )


def set_seen(
    entity: EntityName,
    side: Side,
    data: dict[str, Any],
    *,
    reread: frozenset[str] | None = frozenset(),
) -> None:
    """Move what was seen. Bases stay, so that a change is an edit, but for the fields that a new
    mapping has `reread` (None: any may be): those that were agreed stay agreed, and `remapped`
    keeps as what, since the other side may hold what the old mapping made of them.

    A field that an older mapping did not carry has no base when it is first read; one that `data`
    lacks stays.
    """
    old = side.seen
    if old is not None and not old.keys() <= data.keys():
        data = {**old, **data}
    side.seen = data
    if old == data:
        return
    for name in FIELDS[entity]:
        value, before = data.get(name), (old or {}).get(name)
        is_edit = value != before and not (reread is None or name in reread)
        if is_edit and name in side.doubt:
            side.doubted_at = ""  # our command, or an edit that is told: either way it shows
        if is_edit:
            side.late, side.suspect = _without(side.late, name), _without(side.suspect, name)
        if name in side.unset:
            continue
        if old is not None and name in data and name not in old:
            side.unset.append(name)
        elif name not in side.base:
            if is_edit:
                side.base[name] = before
            elif value != before:
                side.remapped.setdefault(name, before)
        elif side.base[name] == value and name in side.doubt:
            side.base[name] = before  # perhaps our own write, and then somebody took it back
        elif side.base[name] == value:
            del side.base[name]


def _without(names: list[str], name: str) -> list[str]:
    return [each for each in names if each != name] if name in names else names


def agree(side: Side, name: str, value: Any) -> None:
    """Set the base of one field. What is late or suspect stays so until what is seen is agreed."""
    side.unset, side.doubt = _without(side.unset, name), _without(side.doubt, name)
    side.remapped.pop(name, None)
    if (side.seen or {}).get(name) == value:
        side.late, side.suspect = _without(side.late, name), _without(side.suspect, name)
        side.base.pop(name, None)
    else:
        side.base[name] = value


Folded = Literal["newer", "same", "older", "remapped"]


def fold(entity: EntityName, side: Side, event: Observed) -> Folded:
    """Take a reading into a side; readings that are not newer change nothing.

    Another mapping at an unmoved version of the vendor is a release that reads the record
    otherwise, or one that was taken back: no edit. A deletion is newer than the record alive at the
    same version, since nothing says that Chargebee counts a deletion as a change.
    """
    if event.version < side.version:
        return "older"
    unmoved = (
        vendor_part(event.version) == vendor_part(side.version) and event.deleted == side.deleted
    )
    if unmoved and event.mapping != side.mapping and event.data is not None:
        older, newer = sorted((side.mapping, event.mapping))
        set_seen(entity, side, event.data, reread=reread(event.system, entity, older, newer))
        side.version, side.mapping = event.version, event.mapping
        side.incomplete, side.problem = event.incomplete, event.problem
        return "remapped"
    if event.version == side.version and not (event.deleted and not side.deleted):
        return "same"
    side.version, side.mapping = event.version, event.mapping
    side.deleted, side.incomplete, side.problem = event.deleted, event.incomplete, event.problem
    side.stamp = event.stamp if event.data is not None else side.stamp
    if event.data is not None:
        set_seen(entity, side, event.data)
    if event.deleted and entity != "order" and side.seen is not None:
        set_seen(entity, side, {**side.seen, "archived": True})
    return "newer"


def proves(side: Side, flight: Flight, outcome: Outcome) -> bool:
    """Whether a reply shows the newest state there is: its version, or that nothing was seen since
    it was asked for. In the second case a version that lies ahead of the reply's was never the
    record's own. A deletion that came meanwhile may have left the version as it was."""
    if flight.deleted and side.deleted and not outcome.deleted:
        return (outcome.version or "") > side.version
    return (outcome.version or "") >= side.version or side.version == flight.command.target_version


def take_returned(entity: EntityName, side: Side, outcome: Outcome) -> None:
    """Take the state that a reply returned, as the newest there is."""
    if outcome.version is None or outcome.data is None:
        raise ValueError(f"the reply about {outcome.entity} {outcome.link} shows no record")
    unmoved = (
        vendor_part(outcome.version) == vendor_part(side.version) and outcome.mapping > side.mapping
    )
    names = (
        reread(outcome.target, entity, side.mapping, outcome.mapping)
        if unmoved
        else frozenset[str]()
    )
    set_seen(entity, side, outcome.data, reread=names)
    side.version, side.mapping = outcome.version, outcome.mapping
    side.deleted, side.problem, side.stamp = False, None, outcome.stamp
    if outcome.incomplete is not None:
        side.incomplete = outcome.incomplete


def is_gone(side: Side) -> bool:
    """Whether a record was deleted, archived or cancelled."""
    seen = side.seen or {}
    return side.deleted or bool(seen.get("archived")) or seen.get("status") == "cancelled"


def is_credit(seen: Mapping[str, Any] | None) -> bool:
    """Whether an order is a credit note."""
    return (seen or {}).get("credit_of") is not None or str(
        (seen or {}).get("total") or ""
    ).startswith("-")


def born_in_go(link: Link) -> bool:
    """Whether the record of a link came into being in PowerOffice Go."""
    ours, theirs = link.chargebee, link.poweroffice
    if link.entity == "order" and theirs is not None and reference_of("poweroffice", theirs.stamp):
        return False  # whatever key it was met under
    stamp = ours.stamp if ours is not None else None
    return any(reference_of("chargebee", each) is not None for each in (link.key, stamp))


def apart(state: State, entity: EntityName, one: System, one_id: str, other_id: str) -> bool:
    """Whether an operator said that these two records are never to be linked."""
    ids = (one_id, other_id) if one == "chargebee" else (other_id, one_id)
    return facts.holds(state, facts.Apart, "|".join((entity, *ids)))


def note_during(flight: Flight, event: Observed) -> None:
    """Keep an event that arrived while a command for its record is in flight, for the overwritten
    check, and that the record was deleted."""
    flight.deleted = flight.deleted or event.deleted
    if event.data is not None and len(flight.during) < MAX_DURING:
        flight.during.append(
            (event.version, {name: event.data.get(name) for name in flight.command.fields})
        )
        if event.made_by is not None:
            flight.authors[event.version] = event.made_by


def is_company(seen: Mapping[str, Any]) -> bool:
    return seen.get("kind") == "company"


def party_name(seen: Mapping[str, Any]) -> str | None:
    """The normalised name of a person or company."""
    named = (seen.get("company"), seen.get("first_name"), seen.get("last_name"))
    return _party_name(seen.get("kind"), *named)


def _party_name(
    kind: str | None, company: str | None, first_name: str | None, last_name: str | None
) -> str | None:
    if kind == "company":
        return natural(company)
    return natural(" ".join(filter(None, (first_name, last_name))))


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
    """Where a link is found: by its ids, natural keys, references it waits for, and by what it
    waits to do; each key once. What is read here stands in `LinkKeys`, which is all that a restore
    decodes."""
    entity, ours, theirs = link.entity, link.chargebee, link.poweroffice
    keys: list[str] = []
    if ours is not None:
        keys.append(f"{entity}|id|chargebee|{ours.id}")
    if theirs is not None:
        keys.append(f"{entity}|id|poweroffice|{theirs.id}")
    keys += _natural_keys(entity, ours, theirs)
    if entity == "order":
        keys += _document_keys(ours, theirs)
    if theirs is None and ours is not None:
        if ours.stamp:
            keys.append(f"{entity}|stamp|chargebee|{ours.stamp}")
        if (stamp := stamp_for_poweroffice(ours.id)).startswith(HASHED):
            keys.append(f"{entity}|hashed|{stamp}")
    elif ours is None and theirs is not None and theirs.stamp:
        keys.append(f"{entity}|stamp|poweroffice|{theirs.stamp}")
    if link.flight is not None:
        command = link.flight.command
        if command.lane == "bulk":
            keys.append(f"flying|{command.target}")
    elif link.plan is not None:
        keys.append(
            f"held|{entity}|{link.batch}" if link.state == "held" else f"queue|{link.plan.target}"
        )
    elif link.state == "parked":
        keys.append("parked")
    elif link.state in ("rejected", "broken", "conflict"):
        keys.append(f"{link.state}|{entity}")
    elif link.state == "pending":
        keys.append(f"pending|{entity}")
    if link.verify and link.flight is None:
        keys.append(f"verify|{link.verify[0]}")
    if link.waiting_on or link.candidates or link.twins:
        keys.append("waiting")
        keys += [f"wait|{name}" for name in dict.fromkeys(link.waiting_on)]
        if not link.candidates_count:  # who shares a value is found by that value
            keys += [f"ambiguous|{entity}|{key}" for key in dict.fromkeys(link.candidates)]
        missing = "poweroffice" if theirs is None else "chargebee"
        keys += [f"twin|{entity}|{missing}|{record_id}" for record_id in dict.fromkeys(link.twins)]
    return keys


def is_pair(keys: Sequence[str]) -> bool:
    """Whether the link of these index keys knows both records."""
    return len(keys) > 1 and "|id|poweroffice|" in keys[1]


def _document_keys(ours: SideKeys | Side | None, theirs: SideKeys | Side | None) -> list[str]:
    """An order under the number of its invoice on each side; a credit note of Go under that of the
    one it names."""
    keys = []
    for system, side in (("chargebee", ours), ("poweroffice", theirs)):
        seen = (side and side.seen) or {}
        if number := (seen.get("invoice") or {}).get("number"):
            keys.append(f"order|invoice|{system}|{number}")
            if system == "chargebee" and side is not None and not side.deleted:
                keys.append(f"order|part|{number}|{seen.get('total')}")
        is_void = bool((seen.get("invoice") or {}).get("void"))
        if seen.get("credit_of") and seen.get("status") == "sent" and not is_void:
            keys.append(f"order|credits|{seen['credit_of']}")
    return keys


def _natural_keys(
    entity: EntityName, ours: SideKeys | Side | None, theirs: SideKeys | Side | None
) -> list[str]:
    """Each value once, under the one system that the link knows, or under `pair`."""
    if ours is None or theirs is None:
        system: System = "poweroffice" if ours is None else "chargebee"
        return [
            f"{entity}|{rule}|{system}|{value}"
            for rule, value in naturals(entity, system, ours or theirs)
        ]
    values = naturals(entity, "chargebee", ours)
    if entity != "customer" or theirs.seen is not ours.seen:
        others = naturals(entity, "poweroffice", theirs)
        if values != others:
            values = tuple(dict.fromkeys(values + others))
    return [f"{entity}|{rule}|pair|{value}" for rule, value in values]


def naturals(entity: EntityName, system: System, side: SideKeys | Side | None) -> Naturals:
    """What a record is known by besides its id, as (rule, value), each rule once: see
    `KNOWN_BY`."""
    if side is None or side.seen is None:
        return ()
    seen = side.seen
    if entity == "customer":
        of_customer = _of_customer if isinstance(side, Side) else _customer_naturals
        named = (seen.get("company"), seen.get("first_name"), seen.get("last_name"))
        return of_customer(
            seen.get("kind"), seen.get("organisation_number"), seen.get("email"), *named
        )
    if entity == "product":
        code = code_for(side.id) if system == "chargebee" else seen.get("code")
        return _of_product(code, seen.get("name"))
    return ()


def _customer_naturals(
    kind: str | None,
    number: str | None,
    email: str | None,
    company: str | None,
    first_name: str | None,
    last_name: str | None,
) -> Naturals:
    found: list[tuple[str, str]] = []
    if number and kind == "company":
        found.append(("org", number))
    if email := natural(email):
        found.append(("email", email))
        if name := _party_name(kind, company, first_name, last_name):
            found.append(("party", f"{kind} {name} {email}"))
    return tuple(found)


def _product_naturals(code: str | None, name: str | None) -> Naturals:
    known = (("code", code), ("name", natural(name)))
    return tuple((rule, value) for rule, value in known if value)


# A message asks for the same record's several times, before and after it, on both sides of a link;
# a restore for each record's once.
_of_customer = lru_cache(maxsize=256)(_customer_naturals)
_of_product = lru_cache(maxsize=256)(_product_naturals)


def owner(policy: Policy, link: Link, name: str) -> System | Literal["ask"]:
    """The side that wins a conflict over a field; "ask" where a person decides each."""
    if (
        named := policy.owner.get(f"{link.entity}.{name}") or policy.owner.get(link.entity)
    ) is not None:
        return named
    if (
        link.entity == "product"
        and link.chargebee
        and (link.chargebee.seen or {}).get("kind") == "charge"
    ):
        return "poweroffice"
    return "chargebee"
