"""The three-way merge of one link, field by field. Pure.

A field whose base differs from what is seen was changed on that side; a field without base is
decided by the rule for a first link. Nested values (address, price, lines) are atomic.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from contracts.entities import FIELDS, SYSTEMS, System, field_of, other
from contracts.messages import Link
from contracts.said import english, say
from contracts.vendors import has_moved
from services.linker.state import Policy, agree, born_in_go, both, known, owner

# Decisions that leave both values standing, a blank one too.
LISTED_RULES = frozenset({"immutable", "not_carried", "difference"})


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
    """What one look at a link calls for: fields to write to each side, and what was settled without
    a write."""

    writes: dict[System, dict[str, Any]] = field(
        default_factory=lambda: {"chargebee": {}, "poweroffice": {}}
    )
    notes: list[Note] = field(default_factory=list)
    conflicts: dict[str, Note] = field(default_factory=dict)


def may_write(policy: Policy, link: Link, name: str, target: System) -> bool:
    """Whether a later change of this field is carried to this side at all."""
    row = field_of(link.entity, name)
    if row.once:
        return False
    if name == "archived":
        return carries_removal(policy, link, target)
    if target == "poweroffice":
        return True
    if link.entity == "order" and policy.order_source == "invoices":
        return False  # nothing of an invoice changes once it is made
    if target not in row.written:
        return False
    if name == "price":
        kind = ((link.chargebee and link.chargebee.seen) or {}).get("kind", "charge")
        return policy.price_to_chargebee == "all" or (
            policy.price_to_chargebee == "charge" and kind == "charge"
        )
    return name != "delivery_date" or policy.delivery_date_to_chargebee


def carries_removal(policy: Policy, link: Link, target: System) -> bool:
    """Whether a deletion on the other side may archive or remove the record of this side."""
    asked = policy.removal.get((link.entity, target), "report")
    if asked == "archive_go_born_charges":
        return (
            born_in_go(link)
            and ((link.chargebee and link.chargebee.seen) or {}).get("kind") == "charge"
        )
    if asked == "remove_draft":
        theirs = link.poweroffice
        # What was settled as not carried is an edit all the same; what Go could not hold is none.
        settled = {
            name
            for name in link.differences
            if name in FIELDS["order"] and name not in link.held_back
        }
        untouched = (
            theirs is not None and not theirs.base and (theirs.seen or {}).get("status") == "draft"
        )
        return untouched and not settled and not born_in_go(link)
    return asked == "archive"


def merge(
    policy: Policy, link: Link, untold: Sequence[str] = (), unlike: Sequence[str] = ()
) -> Merge:
    """Compare both sides of a link; moves bases where they agree or agree to differ, writes nothing
    itself. Fields that are `untold` cannot be compared yet; a blank of one that is `unlike` what a
    creation of ours carried is not filled at the first look, since somebody may have emptied it."""
    a, b = both(link)
    ours, theirs = a.seen or {}, b.seen or {}
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
        if (name in ours) != (name in theirs):
            continue  # one side has not been read since a release carries this field
        first = name in a.unset or name in b.unset
        x, y = ours.get(name), theirs.get(name)
        if x == y:
            agree(a, name, x)
            agree(b, name, y)
        elif name in link.asked:
            _ask(link, name, x, y, result)
        elif first:
            _first_link(policy, link, name, x, y, result, is_gap=name not in unlike)
        else:
            _changed(policy, link, name, x, y, result)
    return result


def _changed(policy: Policy, link: Link, name: str, x: Any, y: Any, result: Merge) -> None:
    a, b = both(link)
    edited_a, edited_b = name in a.base, name in b.base
    row = field_of(link.entity, name)
    by_a, by_b = edited_a and row.complete(x), edited_b and row.complete(y)
    if not by_a and not by_b:
        if row.lacking and name not in link.held_back:
            holder: System = "chargebee" if edited_a else "poweroffice"
            said = say("field_incomplete", field=name, system=holder, lacking=row.lacking)
            words = english(said)
            link.held_back = {**link.held_back, name: words}
            link.held_back_said = {**link.held_back_said, name: said}
            link.differences = [*(each for each in link.differences if each != name), name]
            result.notes.append(
                Note("held_back", words, holder, name, *((x, y) if edited_a else (y, x)))
            )
        return
    if name == "lines" and by_b and _restorable(policy, link):
        result.writes["poweroffice"][name] = x
        text = "the lines of the draft were changed in Go; those of Chargebee are restored"
        result.conflicts[name] = Note("restored", text, "poweroffice", name, x, y)
        return
    named = owner(policy, link, name) if by_a and by_b else "chargebee" if by_a else "poweroffice"
    if named == "ask" and any(may_write(policy, link, name, each) for each in SYSTEMS):
        _ask(link, name, x, y, result)
        return
    source: System = "chargebee" if named == "ask" else named
    target = other(source)
    value, losing = (x, y) if source == "chargebee" else (y, x)
    if not may_write(policy, link, name, target):
        if by_a and by_b and may_write(policy, link, name, source):
            source, target, value, losing = target, source, losing, value
        else:
            rule = "immutable" if row.once else "not_carried"
            _settle(
                link,
                name,
                x,
                y,
                result,
                Note(rule, f"{name} is not written to {target}", source, name, value, losing),
            )
            return
    result.writes[target][name] = value
    if edited_a and edited_b:
        text = f"{name} was changed on both sides; the value of {source} is kept"
        result.conflicts[name] = Note("conflict", text, target, name, value, losing)


def _doubtful(policy: Policy, link: Link, name: str, result: Merge) -> None:
    """Write the source's value again, whatever is seen: an earlier command may have got through
    unseen."""
    a, b = both(link)
    target: System = "poweroffice" if name in b.doubt else "chargebee"
    source, held = (a, b) if target == "poweroffice" else (b, a)
    value, losing = (source.seen or {}).get(name), (held.seen or {}).get(name)
    if not (
        field_of(link.entity, name).complete(value)
        and (name == "lines" or may_write(policy, link, name, target))
    ):
        held.doubt.remove(name)
        return
    # A record that has moved and shows nothing of our commands: somebody may have taken them back.
    may_be_back = has_moved(held.doubted_at, held.version)
    was_edited = value != losing and (name in held.base or may_be_back)
    if was_edited and owner(policy, link, name) == "ask":
        held.doubt.remove(name)
        _ask(link, name, (a.seen or {}).get(name), (b.seen or {}).get(name), result)
        return
    result.writes[target][name] = value
    if was_edited:
        text = (
            f"{name} may have been edited in {target}, or is our own earlier write; that of "
            f"{other(target)} is kept"
        )
        result.conflicts[name] = Note("conflict", text, target, name, value, losing)


def _restored(policy: Policy, link: Link, name: str, result: Merge) -> None:
    """Write what both sides had agreed on over a late write of our own; the other side holds it, or
    a newer edit."""
    a, b = both(link)
    target: System = "poweroffice" if name in b.late else "chargebee"
    x, y = (a.seen or {}).get(name), (b.seen or {}).get(name)
    value, losing = (y, x) if target == "chargebee" else (x, y)
    if value == losing:
        agree(a, name, x)
        agree(b, name, y)
    elif may_write(policy, link, name, target) and field_of(link.entity, name).complete(value):
        result.writes[target][name] = value
    else:
        words = f"{name} in {target} is an old write of ours, and is not written again"
        _settle(link, name, x, y, result, Note("late_write", words, target, name, value, losing))


def _restorable(policy: Policy, link: Link) -> bool:
    status = ((link.poweroffice and link.poweroffice.seen) or {}).get("status")
    return (
        (policy.line_drift == "restore" or link.restore)
        and status == "draft"
        and not born_in_go(link)
    )


def _first_link(
    policy: Policy, link: Link, name: str, x: Any, y: Any, result: Merge, *, is_gap: bool
) -> None:
    row = field_of(link.entity, name)
    if is_gap and (x is None or y is None):
        source: System = "poweroffice" if x is None else "chargebee"
        target, value = other(source), y if x is None else x
        fill = target in row.filled and may_write(policy, link, name, target)
        if fill and row.complete(value):
            result.writes[target][name] = value
        else:
            _settle(
                link,
                name,
                x,
                y,
                result,
                Note(
                    "not_filled", f"{name} is not filled into {target}", source, name, value, None
                ),
            )
        return
    named = owner(policy, link, name)
    source = "chargebee" if named == "ask" else named
    target = other(source)
    value, losing = (x, y) if source == "chargebee" else (y, x)
    if (
        named != "ask"
        and policy.first_link == "owner"
        and may_write(policy, link, name, target)
        and row.complete(value)
    ):
        result.writes[target][name] = value
        result.conflicts[name] = Note(
            "first_link", f"{name} differed when first linked", target, name, value, losing
        )
    else:
        text = f"{name} differs since the first link; nothing is overwritten"
        _settle(link, name, x, y, result, Note("difference", text, source, name, value, losing))


def _ask(link: Link, name: str, x: Any, y: Any, result: Merge) -> None:
    """Let both values stand, and a person keep one; a later edit of either side waits too."""
    words = f"{name} was changed on both sides; both values stand until a person keeps one"
    if name not in link.asked:
        link.asked = [*link.asked, name]
    if name not in link.differences:
        link.differences = [*link.differences, name]
    _settle(link, name, x, y, result, Note("asked", words, "chargebee", name, x, y))


def _settle(link: Link, name: str, x: Any, y: Any, result: Merge, note: Note) -> None:
    a, b = both(link)
    agree(a, name, x)
    agree(b, name, y)
    worth_listing = note.losing is not None or note.rule in LISTED_RULES
    if field_of(link.entity, name).identity and note.rule == "difference":
        worth_listing = False
    if worth_listing and name not in link.differences:
        link.differences.append(name)
    result.notes.append(note)


def expected(link: Link, target: System, fields: dict[str, Any]) -> dict[str, Any]:
    """What the target was last seen to hold in these fields."""
    seen = known(link, target).seen or {}
    return {name: seen.get(name) for name in fields}
