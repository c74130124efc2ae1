"""What a reading or a reply changes in what was seen. Pure."""

from dataclasses import dataclass
from typing import Any

from contracts import facts
from contracts.entities import FIELDS, System, other
from contracts.messages import Flight, Link, Observed, Outcome, Side, ce_id
from contracts.said import say
from contracts.topics import ENTITY_TOPICS, record_key
from contracts.vendors import own_chargebee_id, vendor_part
from services.linker import late, writes
from services.linker import match as matching
from services.linker.dispatch import rest
from services.linker.joins import joined, leave
from services.linker.plan import plan, plan_bucket
from services.linker.runs import facts as runs
from services.linker.session import Session
from services.linker.state import (
    apart,
    by_id,
    fold,
    free_key,
    is_credit,
    new_side,
    note_during,
    proves,
    set_seen,
    set_side,
    side_of,
    take_returned,
)


@dataclass(frozen=True)
class Returned:
    """The record that a reply shows."""

    id: str
    version: str
    data: dict[str, Any]

    @classmethod
    def of(cls, outcome: Outcome) -> "Returned | None":
        """None where the reply shows no record."""
        if outcome.id is None or outcome.version is None or outcome.data is None:
            return None
        return cls(outcome.id, outcome.version, outcome.data)


def observed(work: Session, event: Observed) -> None:
    """Take a reading of a record; one that says nothing new changes nothing."""
    work.cause = ce_id(event)
    link = by_id(work.state, event.entity, event.system, event.id)
    side = side_of(link, event.system) if link is not None else None
    if link is None or side is None:
        if runs.is_forgotten(work.state, event.entity, event.system, event.id, event.version):
            # A webhook days late: what it brings back is erased again.
            work.erase(
                ENTITY_TOPICS[event.entity],
                record_key(event.tenant, event.system, event.id).decode(),
            )
            return
        if event.entity == "order" and _before_start(work, event):
            return
        link = _newcomer(work, event)
    else:
        in_flight = link.flight is not None and link.flight.command.target == event.system
        if in_flight and link.flight is not None:
            note_during(link.flight, event)
        before = _looks(side) if link.state == "rejected" else None
        seen, version = side.seen, side.version
        folded = fold(event.entity, side, event)
        noted = folded == "older" and late.overtaken(work, link, event)
        if folded == "newer" and seen is not None and event.data is not None:
            late.judge_moved(work, link, event.system, seen, version, event.made_by)
        if folded == "newer" and before is not None and _looks(side) == before:
            # Only read again, as Go's source does after every attempt to write: no reason to try
            # once more.
            work.state.put(link)
            return
        if folded in ("older", "same") and not late.author_told(work, link, side, event):
            if in_flight or noted:
                work.state.put(link)
            return
    link.cause = work.cause
    if link.state != "held":  # an edit of a held record does not take it out of its batch
        link.lane = "bulk" if event.snapshot else "live"
    plan(work, link)
    plan_bucket(work, f"twin|{event.entity}|{event.system}|{event.id}")


def take_reply(work: Session, link: Link, flight: Flight, outcome: Outcome) -> bool:
    """Fold what the vendor returned; False when the record belongs to another link."""
    if (returned := Returned.of(outcome)) is not None:
        if not _take_data(work, link, flight, outcome, returned):
            return False
        link.problem = None
    elif (side := side_of(link, outcome.target)) is not None:
        _tell_covered(work, link, side, flight, outcome)
    if outcome.deleted:
        _take_deletion(link, outcome)
    return True


def _take_deletion(link: Link, outcome: Outcome) -> None:
    side = side_of(link, outcome.target)
    if side is not None and outcome.version is not None and outcome.version >= side.version:
        side.version, side.deleted, side.problem = outcome.version, True, None
        if link.entity != "order" and side.seen is not None:
            set_seen(link.entity, side, {**side.seen, "archived": True})


def _take_data(
    work: Session, link: Link, flight: Flight, outcome: Outcome, returned: Returned
) -> bool:
    command, target = flight.command, outcome.target
    side = side_of(link, target)
    if side is None:
        holder = by_id(work.state, link.entity, target, returned.id)
        if holder is not None and not _give_up(work, holder, link, target):
            return False
        side = side_of(link, target)
    if side is None:
        side = _made(link, outcome, returned)
        set_side(link, target, side)
    elif side.id != returned.id and link.entity == "order" and command.op == "create":
        _give_way(work, link, side, outcome, returned)
    elif side.id != returned.id:
        said = say("returned_another", system=target, id=returned.id, known=side.id)
        link.candidates = [side.id, returned.id]
        rest(work, link, "ambiguous", said)
        return False
    elif proves(side, flight, outcome):
        if returned.version < side.version:
            text = (
                f"the version that {target} {side.id} was taken to have was never its own; the "
                f"reply is the truth"
            )
            work.journal(link, "version", text, target, None, returned.version, side.version)
        seen, version = side.seen, side.version
        take_returned(link.entity, side, outcome)
        has_written = command.op == "update" and outcome.result == "applied" and outcome.wrote
        written = command.fields if has_written else {}
        if seen is not None:  # a late write may have come before the sink looked
            late.judge_moved(
                work,
                link,
                target,
                seen,
                version,
                None,
                [n for n in FIELDS[link.entity] if n not in written],
            )
    elif side.deleted and target == "poweroffice":
        # Go's deletion brought no content, so what our write returned before it is the newest there
        # is.
        gone = {} if link.entity == "order" else {"archived": True}
        set_seen(link.entity, side, {**returned.data, **gone})
    _tell_covered(work, link, side, flight, outcome)
    return True


def _tell_covered(work: Session, link: Link, side: Side, flight: Flight, outcome: Outcome) -> None:
    for write in writes.remember(side, flight, outcome):
        for version, fields in flight.during:
            late.covered(work, link, outcome.target, write, version, fields)


def _give_up(work: Session, holder: Link, link: Link, target: System) -> bool:
    """A record that was met before its outcome joins the link that made it, unless it has its own
    twin."""
    held, source = side_of(holder, target), side_of(link, other(target))
    parted = held and source and apart(work.state, link.entity, target, held.id, source.id)
    linked = side_of(holder, other(target)) is not None
    if held is None or linked or holder.flight is not None or parted:
        said = say(
            "returned_twice", system=target, entity=link.entity, key=holder.key, other=link.key
        )
        link.candidates = [holder.key]
        rest(work, link, "ambiguous", said)
        return False
    set_side(link, target, held)
    link.seq, link.entries = max(link.seq, holder.seq), max(link.entries, holder.entries)
    runs.hand_on(work.state, link, holder)
    leave(work, holder)
    return True


def _give_way(work: Session, link: Link, side: Side, outcome: Outcome, returned: Returned) -> None:
    """An order that Chargebee generated for our imported invoice was met while ours was being made:
    ours is the one that stands for the sale, the other one a link of its own."""
    target = outcome.target
    beside = Link(
        tenant=link.tenant, entity=link.entity, key=free_key(work.state, link.entity, side.id)
    )
    set_side(beside, target, side)
    holder = by_id(work.state, link.entity, target, returned.id)
    held = side_of(holder, target) if holder is not None else None
    if holder is not None and held is not None and side_of(holder, other(target)) is None:
        link.entries = max(link.entries, holder.entries)  # its event came before its outcome
        runs.hand_on(work.state, link, holder)
        leave(work, holder)
    set_side(link, target, held or _made(link, outcome, returned))
    work.state.put(link)
    plan(work, beside)


def _newcomer(work: Session, event: Observed) -> Link:
    side = new_side(event.entity, event)
    link = matching.find_stamped(work.state, event.entity, event.system, event.id, event.stamp)
    if is_credit(event.data):
        link = None  # whatever it names, it is a document of its own
    if link is not None and side_of(link, event.system) is None:
        set_side(link, event.system, side)
        return joined(work, link, "stamp", f"{event.system} {event.id} joined by its reference")
    key = event.id if event.system == "chargebee" else own_chargebee_id(event.id)
    name = f"{event.entity}/{event.system}/{event.id}"
    kept = facts.get(work.state, facts.Kept, name)
    floor = facts.get(work.state, facts.Floor) or facts.Floor()
    link = Link(
        tenant=event.tenant,
        entity=event.entity,
        key=free_key(work.state, event.entity, key),
        seq=floor.seq,
        entries=floor.entries,
    )
    if kept is not None:
        for said in facts.Kept.__struct_fields__:
            setattr(link, said, getattr(kept, said))
        facts.take_back(work.state, facts.Kept, name)
    set_side(link, event.system, side)
    return link


def _before_start(work: Session, event: Observed) -> bool:
    start = work.state.policy.start_orders
    date = (event.data or {}).get("order_date")
    return start is None or (date is not None and date < start)


def _made(link: Link, outcome: Outcome, returned: Returned) -> Side:
    """The side of a record as a reply shows it."""
    event = Observed(
        tenant=link.tenant,
        system=outcome.target,
        entity=link.entity,
        id=returned.id,
        version=returned.version,
        mapping=outcome.mapping,
        observed_at=outcome.at,
        data=returned.data,
        stamp=outcome.stamp,
        incomplete=outcome.incomplete or (),
    )
    return new_side(link.entity, event)


def _looks(side: Side) -> tuple[Any, ...]:
    """Everything a vendor says of a record; of its version, the vendor's own part (Go's time of
    change)."""
    return vendor_part(side.version), side.seen, side.deleted, side.stamp, side.problem
