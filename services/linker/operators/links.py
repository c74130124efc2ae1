"""Which records are one, as an operator says: link, pick, unlink, undo and import. Pure."""

from collections.abc import Mapping
from typing import Any, cast

from contracts import facts, signals
from contracts.entities import ENTITIES, FIELDS, SYSTEMS, EntityName, System, other
from contracts.messages import Link
from contracts.said import english, say
from contracts.vendors import own_chargebee_id
from services.linker.arguments import Refused, link_of
from services.linker.joins import unite
from services.linker.plan import plan
from services.linker.runs import facts as runs
from services.linker.session import Session
from services.linker.state import State, by_id, free_key, set_side, side_of, sides

JOINED_LATER = "they are joined when both records are known"


def join(work: Session, said: signals.Join) -> dict[str, Any]:
    """Say that two records are one; records not seen yet are joined when both are known."""
    entity = said.entity
    ids: dict[System, str] = {"chargebee": said.chargebee, "poweroffice": said.poweroffice}
    if runs.is_clearing(work.state):
        # The map is being made anew: what is linked now says nothing, and is gone in a moment.
        _say_joined(work.state, entity, ids)
        return {"did": {"entity": entity, **ids}, "note": JOINED_LATER}
    held = {
        system: by_id(work.state, entity, system, record_id) for system, record_id in ids.items()
    }
    ours, theirs = held["chargebee"], held["poweroffice"]
    if ours is not None and theirs is not None and ours.key == theirs.key:
        raise Refused(say("refused_linked", key=ours.key))
    for system, link in held.items():
        taken = side_of(link, other(system)) if link is not None else None
        if taken is not None:
            twin = {"other": other(system), "twin": taken.id}
            raise Refused(say("refused_taken", system=system, id=ids[system], **twin))
        if link is not None and link.flight is not None:
            raise Refused(say("refused_in_flight", key=link.key))
    did: dict[str, Any] = {"did": {"entity": entity, **ids}}
    _say_joined(work.state, entity, ids)
    if ours is None or theirs is None:
        for link in (ours, theirs):
            if link is not None:
                plan(work, link)
        return {**did, "note": JOINED_LATER}
    if (both := unite(work, ours, theirs, "operator")) is not None:
        plan(work, both)
    return did


def _say_joined(state: State, entity: EntityName, ids: Mapping[System, str]) -> None:
    """Keep what an operator said last of these records: neither is one with any other."""
    facts.take_back(state, facts.Apart, "|".join((entity, *ids.values())))
    for system, record_id in ids.items():
        twin = ids[other(system)]
        before = facts.get(state, facts.Joined, f"{entity}/{system}/{record_id}")
        if before is not None and before.id != twin:
            facts.take_back(state, facts.Joined, f"{entity}/{other(system)}/{before.id}")
        facts.put(state, facts.Joined(id=twin), f"{entity}/{system}/{record_id}")


def import_pairs(work: Session, said: signals.Import) -> dict[str, Any]:
    """Link many pairs, as `links import` sends them; a pair linked already is none, a refused one
    is told."""
    linked, refused = 0, []
    for row in said.pairs:
        try:
            linked += _import_pair(work, row)
        except Refused as refusal:
            refused.append(f"{row.entity} {row.chargebee} {row.poweroffice}: {refusal}")
    return {"linked": linked, "refused": refused}


def _import_pair(work: Session, row: signals.Pair) -> bool:
    """Link it; False where it is linked already."""
    entity = next((each for each in ENTITIES if each == row.entity), None)
    if entity is None:
        raise Refused(say("refused_entity", value=row.entity, list=", ".join(ENTITIES)))
    held = by_id(work.state, entity, "chargebee", row.chargebee)
    is_kept = held is not None and not runs.is_clearing(work.state)
    if is_kept and held is not None and held.poweroffice and held.poweroffice.id == row.poweroffice:
        return False
    join(work, signals.Join(entity=entity, chargebee=row.chargebee, poweroffice=row.poweroffice))
    return True


def pick(work: Session, said: signals.Pick) -> dict[str, Any]:
    """Choose the twin of an ambiguous record among its candidates; `new` says that it is none of
    them."""
    link = link_of(work.state, said.entity, said.key)
    if said.new:
        return _pick_none(work, link)
    if said.candidate is None:
        raise Refused(say("refused_no_choice"))
    candidate = link_of(work.state, said.entity, said.candidate)
    if (
        link.candidates
        and candidate.key not in link.candidates
        and link.candidates_count <= len(link.candidates)
    ):
        named = {"candidate": candidate.key, "list": ", ".join(link.candidates)}
        raise Refused(say("refused_no_candidate", key=link.key, **named))
    for each in (link, candidate):
        if len(list(sides(each))) == 2:
            raise Refused(say("refused_linked_already", candidate=each.key, key=link.key))
    ids = {system: side.id for each in (link, candidate) for system, side in sides(each)}
    if len(ids) < 2 or len(list(sides(link))) + len(list(sides(candidate))) > 2:
        raise Refused(say("refused_sides"))
    return join(work, _join(said.entity, ids))


def _join(entity: EntityName, ids: Mapping[Any, str]) -> signals.Join:
    return signals.Join(entity=entity, chargebee=ids["chargebee"], poweroffice=ids["poweroffice"])


def _pick_none(work: Session, link: Link) -> dict[str, Any]:
    """The record is none of those that look like it: it is created on the other side, or, where it
    is linked, no longer listed beside them; and that stays said."""
    known = list(sides(link))
    if not (link.duplicates if len(known) == 2 else link.candidates or link.twins):
        raise Refused(say("refused_alike", key=link.key, state=link.state))
    if link.candidates and not link.candidates_count:
        why = link.said or str(link.reason)
        raise Refused(say("refused_reference", key=link.key, why=why))
    ids = {system: side.id for system, side in known}
    for system, record_id in ids.items():
        facts.put(work.state, facts.Distinct(at=work.now), f"{link.entity}/{system}/{record_id}")
    named = ", ".join(f"{system} {record_id}" for system, record_id in ids.items())
    work.journal(
        link, "distinct", f"an operator said that {named} is none of those that look like it"
    )
    link.twins, link.lane = [], "live"
    plan(work, link)
    return {"did": {"entity": link.entity, "new": ids}}


def unlink(work: Session, said: signals.Unlink) -> dict[str, Any]:
    """Part two records for good; nothing is created for either until it is linked or redriven."""
    entity = said.entity
    link = link_of(work.state, entity, said.key)
    did = _part(work, link)
    facts.put(
        work.state,
        facts.Apart(at=work.now),
        "|".join((entity, did["chargebee"], did["poweroffice"])),
    )
    _plan_by_ids(work, did)
    return {"did": did}


def undo(work: Session, said: signals.Undo) -> dict[str, Any]:
    """Take a link, pick or unlink back."""
    before = work.state.control("signal", said.signal)
    if before is None or "did" not in before:
        raise Refused(say("refused_undo", id=said.signal))
    did = before["did"]
    if "new" in did:
        return _undo_pick_none(work, did)
    if before["kind"] == "unlink":
        return join(work, _join(did["entity"], did))
    link = by_id(work.state, did["entity"], "chargebee", did["chargebee"])
    theirs = link.poweroffice if link is not None else None
    if link is None or theirs is None or theirs.id != did["poweroffice"]:
        for system in SYSTEMS:
            facts.take_back(work.state, facts.Joined, f"{did['entity']}/{system}/{did[system]}")
        return {"undone": did, "note": "they were not linked yet"}
    # Our reference may stand in Go by now, so they are parted as by an unlink, or it would link
    # them again.
    return unlink(work, signals.Unlink(entity=did["entity"], key=link.key))


def _undo_pick_none(work: Session, did: Mapping[str, Any]) -> dict[str, Any]:
    created = False
    named = ", ".join(f"{system} {record_id}" for system, record_id in did["new"].items())
    for system, record_id in did["new"].items():
        facts.take_back(work.state, facts.Distinct, f"{did['entity']}/{system}/{record_id}")
        link = by_id(work.state, did["entity"], system, record_id)
        created = created or (link is not None and len(list(sides(link))) > len(did["new"]))
        if link is not None:
            work.journal(
                link,
                "distinct",
                f"an operator took back that {named} is none of those that look like it",
            )
            plan(work, link)
    note = (
        {"note": "it was created meanwhile; tandem links unlink parts the two"} if created else {}
    )
    return {"undone": did, **note}


def _part(work: Session, link: Link) -> dict[str, str]:
    """Make two links of one, both without bases; what an earlier command finished stays
    finished."""
    ours, theirs = link.chargebee, link.poweroffice
    if ours is None or theirs is None:
        raise Refused(say("refused_unlinked", key=link.key))
    if link.flight is not None:
        raise Refused(say("refused_in_flight", key=link.key))
    if link.state == "sent":
        raise Refused(say("refused_sent", key=link.key))
    for system in SYSTEMS:
        side = ours if system == "chargebee" else theirs
        facts.take_back(work.state, facts.Joined, f"{link.entity}/{system}/{side.id}")
    for side in (ours, theirs):
        side.base, side.unset, side.writes = {}, list(FIELDS[link.entity]), []
    link.attempts = []
    work.journal(
        link, "unlinked", f"Chargebee {ours.id} and Go {theirs.id} are parted", "poweroffice"
    )
    key = free_key(work.state, link.entity, own_chargebee_id(theirs.id))
    parted = Link(
        tenant=link.tenant,
        entity=link.entity,
        key=key,
        seq=link.seq,
        entries=link.entries,
        cause=work.cause,
    )
    for each in (link, parted):
        each.aside_said = say("parted")
        each.aside = english(each.aside_said)
    set_side(parted, "poweroffice", theirs)
    parted.run = link.run
    parted.verify = [each for each in link.verify if each == "poweroffice"]
    link.verify = [each for each in link.verify if each == "chargebee"]
    link.poweroffice, link.plan, link.candidates = None, None, []
    link.differences, link.asked = [], []
    link.cause, link.batch, link.lane = work.cause, "", "live"
    work.state.put(link)
    work.state.put(parted)
    return {"entity": link.entity, "chargebee": ours.id, "poweroffice": theirs.id}


def _plan_by_ids(work: Session, did: Mapping[str, str]) -> None:
    for system in SYSTEMS:
        link = by_id(work.state, cast(EntityName, did["entity"]), system, did[system])
        if link is not None:
            plan(work, link)
