"""What follows for a link that knows one record: its twin, a creation, or the reason why neither.
Pure."""

from typing import Any

from contracts.entities import EntityName, System, field_of, other
from contracts.messages import Link, Side
from contracts.notices import notice
from contracts.said import Said, say, within
from services.linker import match as matching
from services.linker import order_source
from services.linker.dispatch import REASON_MAX, dispatch, rest, why_of
from services.linker.joins import unite
from services.linker.session import Session, Wanted
from services.linker.situation import Alone, BesideSale
from services.linker.state import by_id, is_gone, references, side_of


def plan_alone(work: Session, link: Link, alone: Alone) -> Link | None:
    """Match the record or create its twin. The link of both, where it is to be planned next."""
    entity, target = link.entity, other(alone.system)
    if not work.barrier_open(entity):
        link.backfill = True
        rest(work, link, "pending", say("first_snapshots"))
        return None
    match matching.match(work.state, link, alone.system):
        case matching.Twin(twin, rule):
            return unite(work, link, twin, rule)
        case matching.Unclear(candidates, said, count):
            link.candidates, link.candidates_count = list(candidates), count
            rest(work, link, "ambiguous", said)
        case matching.Unknown(reference):
            said = say("reference_unshown", reference=reference, system=target)
            rest(work, link, "waiting", said)
        case matching.Busy(key):
            link.waiting_on = [f"link|{entity}|{key}"]
            rest(work, link, "waiting", say("twin_in_creation", key=key))
        case matching.Single():
            _create(work, link, alone)
    return None


def plan_beside(work: Session, link: Link, beside: BesideSale) -> None:
    """Keep a warehouse from shipping what Go has sold: a generated order of an imported invoice is
    put on hold."""
    status = work.state.policy.import_order_status
    queued = (beside.ours.seen or {}).get("fulfilment") == "queued" and not is_gone(beside.ours)
    if queued and status != "queued" and not link.put_on_hold:
        dispatch(work, link, "chargebee", "update", {"fulfilment": status})
    else:
        rest(work, link, "ignored", say("beside_sale", key=beside.holder.key))


def _create(work: Session, link: Link, alone: Alone) -> None:
    entity, system, target = link.entity, alone.system, other(alone.system)
    if (said := _out_of_scope(work, link, alone)) is not None:
        rest(work, link, "ignored", said)
        return
    if entity == "order" and (aside := order_source.aside(work.state, link)) is not None:
        link.candidates, link.candidates_count = aside.candidates, len(aside.candidates)
        rest(work, link, aside.state, aside.said)
        return
    if entity == "order" and not is_translatable(work, link):
        return
    unshown = [each for each in link.twins if by_id(work.state, entity, target, each) is None]
    if unshown:
        said = say("twins_unshown", system=target, ids=", ".join(unshown), entity=entity)
        rest(work, link, "waiting", said)
        return
    if met := _met(work, link, alone):
        link.candidates, link.candidates_count = met, len(met)
        rest(work, link, "ambiguous", say("twins_edited", keys=", ".join(met), entity=entity))
        return
    fields = {
        name: value for name, value in alone.seen.items() if field_of(entity, name).complete(value)
    }
    known: dict[str, Any] = {}
    if entity == "order" and target == "poweroffice":
        fields["notice"] = notice(alone.seen, work.state.policy.invoicing_by)
    if target == "chargebee":
        if number := fields.pop("organisation_number", None):
            known["organisation_number"] = (
                number  # never written, but what a twin there is known by
            )
        if _id_is_taken(work, link, alone.side):
            return
    # The barrier has just read everything, and what an earlier look has met is known by now.
    distinct = matching.is_distinct(work.state, entity, system, alone.side.id)
    look = entity != "order" and not (link.backfill or link.twins or distinct)
    dispatch(work, link, target, "create", fields, guard=known, look_for_twins=look)


def _met(work: Session, link: Link, alone: Alone) -> list[str]:
    """The links of records that the creation has met, or whose creation has met this record: they
    were seen to be alike, so that an edit since then makes them no two parties; a person says."""
    state, entity, system = work.state, link.entity, alone.system
    target = other(system)
    namers = (state.get(*name) for name in state.find(f"twin|{entity}|{system}|{alone.side.id}"))
    named = (side_of(each, target) for each in namers if each is not None)
    link.twins += [side.id for side in named if side is not None and side.id not in link.twins]
    if matching.is_distinct(state, entity, system, alone.side.id):
        return []
    found = []
    for record_id in link.twins:
        twin = by_id(state, entity, target, record_id)
        side = side_of(twin, target) if twin is not None else None
        if twin is None or side is None or is_gone(side):
            continue
        if not matching.is_another(state, link, twin.key):
            found.append(twin.key)
    return found


def _out_of_scope(work: Session, link: Link, alone: Alone) -> Said | None:
    """Why the settings leave a record alone."""
    policy, entity, target = work.state.policy, link.entity, other(alone.system)
    if (entity, target) in policy.create_off:
        return say("create_off", name=entity, target=target)
    referenced_only = entity == "customer" and policy.customers_in_scope == "referenced"
    if referenced_only and not work.state.count(f"wait|customer|{alone.system}|{alone.side.id}"):
        return say("unreferenced")
    return None


def _id_is_taken(work: Session, link: Link, side: Side) -> bool:
    """Parted by an operator, or made by somebody with our kind of id: a creation would adopt it."""
    own_id = order_source.own_id(work.state, link.entity, side.id)
    holder = by_id(work.state, link.entity, "chargebee", own_id)
    if holder is not None:
        link.candidates = [holder.key]
        rest(work, link, "ambiguous", say("id_taken", id=own_id))
    return holder is not None


def is_translatable(work: Session, link: Link) -> bool:
    """Whether all records an order names are linked; otherwise the order waits on exactly those."""
    lacking = missing(work, link)
    if not lacking:
        return True
    link.waiting_on = ["|".join(name) for name in lacking]
    rest(work, link, "waiting", *within(lacking.values(), REASON_MAX))
    for entity, system, record_id in lacking:
        holder = by_id(work.state, entity, system, record_id)
        alone = holder is not None and side_of(holder, other(system)) is None
        if holder is not None and alone and holder.state == "ignored" and entity == "customer":
            work.later.append(Wanted(holder.entity, holder.key))
    return False


def missing(work: Session, link: Link) -> dict[tuple[EntityName, System, str], Said]:
    """The records that an order names and that have no twin, each with how it stands."""
    found: dict[tuple[EntityName, System, str], Said] = {}
    system: System = "chargebee" if link.chargebee is not None else "poweroffice"
    for entity, record_id in references(link, system):
        holder = by_id(work.state, entity, system, record_id)
        twin = side_of(holder, other(system)) if holder is not None else None
        archived = entity == "customer" and twin is not None and is_gone(twin)
        if twin is not None and not archived:
            continue
        if archived:
            found[entity, system, record_id] = (
                say("customer_archived", id=record_id)
                if system == "chargebee"
                else say("customer_deleted", id=record_id)
            )
            continue
        # Not why it is held: that changes with the mode and the batches, and nobody would tell
        # those who wait.
        told = holder is not None and holder.state != "held"
        found[entity, system, record_id] = _unlinked(entity, record_id, holder, told=told)
    return found


def _unlinked(entity: EntityName, record_id: str, holder: Link | None, *, told: bool) -> Said:
    if holder is None:
        return say("needs_unknown", entity=entity, id=record_id)
    if not told or not holder.reason:
        return say("needs", entity=entity, id=record_id, state=holder.state)
    why = why_of(holder)
    return say("needs_why", entity=entity, id=record_id, state=holder.state, why=why)
