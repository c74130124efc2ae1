"""The three-way merge of one link, field by field. Pure.

A field whose base differs from what is seen was changed on that side; a field without base is decided by the rule
for a first link. Nested values (address, price, lines) are atomic.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from contracts.entities import CREATE_ONLY, FIELDS, EntityName, System, other
from contracts.messages import Link
from services.linker.state import Policy, agree, born_in_go, owner, side_of

TO_POWEROFFICE_ONLY: dict[EntityName, frozenset[str]] = {
    "customer": frozenset({"organisation_number"}),
    "product": frozenset(),
    "order": frozenset({"purchase_order"}),
}
# A fill of these would change the tax Chargebee computes; the address is decided as one and holds country and zip.
NEVER_FILLED = frozenset({("customer", "address", "chargebee"), ("customer", "organisation_number", "chargebee")})


@dataclass(frozen=True)
class Note:
    """A decision about one field, for the journal."""

    rule: str
    text: str
    system: System
    name: str
    value: Any
    losing: Any


@dataclass
class Merge:
    """What one look at a link calls for: fields to write to each side, and what was settled without a write."""

    writes: dict[System, dict[str, Any]] = field(default_factory=lambda: {"chargebee": {}, "poweroffice": {}})
    notes: list[Note] = field(default_factory=list)
    conflicts: dict[str, Note] = field(default_factory=dict)


def may_write(policy: Policy, link: Link, name: str, target: System) -> bool:
    """Whether a later change of this field is carried to this side at all."""
    if name in CREATE_ONLY[link.entity]:
        return False
    if name == "archived":
        return carries_removal(policy, link, target)
    if target == "poweroffice":
        return True
    if name in TO_POWEROFFICE_ONLY[link.entity]:
        return False
    if name == "price":
        kind = ((link.chargebee and link.chargebee.seen) or {}).get("kind", "charge")
        return policy.price_to_chargebee == "all" or (policy.price_to_chargebee == "charge" and kind == "charge")
    return name != "delivery_date" or policy.delivery_date_to_chargebee


def carries_removal(policy: Policy, link: Link, target: System) -> bool:
    """Whether a deletion on the other side may archive or remove the record of this side."""
    asked = policy.removal.get((link.entity, target), "report")
    if asked == "archive_go_born_charges":
        return born_in_go(link) and ((link.chargebee and link.chargebee.seen) or {}).get("kind") == "charge"
    if asked == "remove_draft":
        theirs = link.poweroffice
        untouched = theirs is not None and not theirs.base and (theirs.seen or {}).get("status") == "draft"
        return untouched and not born_in_go(link)
    return asked == "archive"


def fit(name: str, value: Any) -> bool:
    """Whether a value may leave its side: no incomplete address, no absent price."""
    if name == "address":
        return value is None or bool(value.get("city") and value.get("zip"))
    return name != "price" or value is not None


def merge(policy: Policy, link: Link, untold: Sequence[str] = ()) -> Merge:
    """Compare both sides of a link; moves bases where they agree or agree to differ, writes nothing itself. Fields that
    are `untold` cannot be compared yet."""
    a, b = link.chargebee, link.poweroffice
    assert a is not None and b is not None and a.seen is not None and b.seen is not None
    result = Merge()
    doubtful = bool(a.doubt or b.doubt or a.late or b.late)
    if not (a.base or b.base or a.unset or b.unset or doubtful):
        return result
    if a.seen == b.seen and not doubtful:
        a.base, b.base, a.unset, b.unset = {}, {}, [], []
        return result
    undecided = {*a.base, *b.base, *a.unset, *b.unset, *a.doubt, *b.doubt, *a.late, *b.late}
    for name in FIELDS[link.entity]:
        if name not in undecided or name in untold:
            continue
        if name in a.doubt or name in b.doubt:
            _doubtful(policy, link, name, result)
            continue
        if name in a.late or name in b.late:
            _restored(policy, link, name, result)
            continue
        if (name in a.seen) != (name in b.seen):
            continue  # one side has not been read since a release carries this field
        first = name in a.unset or name in b.unset
        x, y = a.seen.get(name), b.seen.get(name)
        if x == y:
            agree(a, name, x)
            agree(b, name, y)
        elif first:
            _first_link(policy, link, name, x, y, result)
        else:
            _changed(policy, link, name, x, y, result)
    return result


def _changed(policy: Policy, link: Link, name: str, x: Any, y: Any, result: Merge) -> None:
    assert link.chargebee is not None and link.poweroffice is not None
    edited_a, edited_b = name in link.chargebee.base, name in link.poweroffice.base
    by_a, by_b = edited_a and fit(name, x), edited_b and fit(name, y)
    if not by_a and not by_b:
        if name == "address" and name not in link.held_back:
            holder: System = "chargebee" if edited_a else "poweroffice"
            words = f"not carried: the address in {holder} lacks a city or zip code; complete it there"
            link.held_back = {**link.held_back, name: words}
            link.differences = [*(each for each in link.differences if each != name), name]
            result.notes.append(Note("held_back", words, holder, name, *((x, y) if edited_a else (y, x))))
        return
    source: System = owner(policy, link, name) if by_a and by_b else "chargebee" if by_a else "poweroffice"
    target = other(source)
    value, losing = (x, y) if source == "chargebee" else (y, x)
    if name == "lines" and by_b and _restorable(policy, link):
        result.writes["poweroffice"][name] = x
        text = "the lines of the draft were changed in Go; those of Chargebee are restored"
        result.conflicts[name] = Note("restored", text, "poweroffice", name, x, y)
        return
    if not may_write(policy, link, name, target):
        if by_a and by_b and may_write(policy, link, name, source):
            source, target, value, losing = target, source, losing, value
        else:
            rule = "immutable" if name in CREATE_ONLY[link.entity] else "not_carried"
            _settle(link, name, x, y, result, Note(rule, f"{name} is not written to {target}", source, name, value,
                                                   losing))  # fmt: skip
            return
    result.writes[target][name] = value
    if edited_a and edited_b:
        text = f"{name} was changed on both sides; the value of {source} is kept"
        result.conflicts[name] = Note("conflict", text, target, name, value, losing)


def _doubtful(policy: Policy, link: Link, name: str, result: Merge) -> None:
    """Write the source's value again, whatever is seen: an earlier command may have got through unseen."""
    assert link.chargebee is not None and link.poweroffice is not None
    target: System = "poweroffice" if name in link.poweroffice.doubt else "chargebee"
    source, held = side_of(link, other(target)), side_of(link, target)
    assert source is not None and held is not None
    value, losing = (source.seen or {}).get(name), (held.seen or {}).get(name)
    if not (fit(name, value) and (name == "lines" or may_write(policy, link, name, target))):
        held.doubt.remove(name)
        return
    result.writes[target][name] = value
    if name in held.base and value != losing:
        text = f"{name} may have been edited in {target}, or is our own earlier write; that of {other(target)} is kept"
        result.conflicts[name] = Note("conflict", text, target, name, value, losing)


def _restored(policy: Policy, link: Link, name: str, result: Merge) -> None:
    """Write what both sides had agreed on over a late write of our own; the other side holds it, or a newer edit."""
    assert link.chargebee is not None and link.poweroffice is not None
    target: System = "poweroffice" if name in link.poweroffice.late else "chargebee"
    x, y = (link.chargebee.seen or {}).get(name), (link.poweroffice.seen or {}).get(name)
    value, losing = (y, x) if target == "chargebee" else (x, y)
    if value == losing:
        agree(link.chargebee, name, x)
        agree(link.poweroffice, name, y)
    elif may_write(policy, link, name, target) and fit(name, value):
        result.writes[target][name] = value
    else:
        words = f"{name} in {target} is an old write of ours, and is not written again"
        _settle(link, name, x, y, result, Note("late_write", words, target, name, value, losing))


def _restorable(policy: Policy, link: Link) -> bool:
    status = ((link.poweroffice and link.poweroffice.seen) or {}).get("status")
    return (policy.line_drift == "restore" or link.restore) and status == "draft" and not born_in_go(link)


def _first_link(policy: Policy, link: Link, name: str, x: Any, y: Any, result: Merge) -> None:
    if x is None or y is None:
        source: System = "poweroffice" if x is None else "chargebee"
        target, value = other(source), y if x is None else x
        fill = (link.entity, name, target) not in NEVER_FILLED and may_write(policy, link, name, target)
        if fill and fit(name, value):
            result.writes[target][name] = value
        else:
            _settle(link, name, x, y, result, Note("not_filled", f"{name} is not filled into {target}", source, name,
                                                   value, None))  # fmt: skip
        return
    source = owner(policy, link, name)
    target = other(source)
    value, losing = (x, y) if source == "chargebee" else (y, x)
    if policy.first_link == "owner" and may_write(policy, link, name, target) and fit(name, value):
        result.writes[target][name] = value
        result.conflicts[name] = Note("first_link", f"{name} differed when first linked", target, name, value, losing)
    else:
        text = f"{name} differs since the first link; nothing is overwritten"
        _settle(link, name, x, y, result, Note("difference", text, source, name, value, losing))


def _settle(link: Link, name: str, x: Any, y: Any, result: Merge, note: Note) -> None:
    assert link.chargebee is not None and link.poweroffice is not None
    agree(link.chargebee, name, x)
    agree(link.poweroffice, name, y)
    worth_listing = note.losing is not None or note.rule in ("immutable", "not_carried")
    if name == "code" and note.rule == "difference":
        worth_listing = False  # Twins by name have codes of their own; a code is identity, not content.
    if worth_listing and name not in link.differences:
        link.differences.append(name)
    result.notes.append(note)


def expected(link: Link, target: System, fields: dict[str, Any]) -> dict[str, Any]:
    """What the target was last seen to hold in these fields."""
    side = side_of(link, target)
    assert side is not None and side.seen is not None
    return {name: side.seen.get(name) for name in fields}
