"""What an operator, a service or a start tells the linker to do: one signal, carried out once, and its answer. Pure.

A signal that cannot be carried out changes nothing; control `signal/<id>` keeps the answer in words, so that the
command line can show it. Services send `start`, `advance`, `vendor_reachable` and `identity`.
"""

from collections.abc import Callable, Mapping
from typing import Any, cast

from contracts.entities import ENTITIES, SYSTEMS, EntityName, System, other
from contracts.messages import Link, Side, Signal
from contracts.values import own_chargebee_id
from services.linker.breakers import close, open_batches
from services.linker.merge import CREATE_ONLY, may_write
from services.linker.plan import MAX_AT_ONCE, Planner
from services.linker.state import FIELDS, agree, born_in_go, by_id, set_side, side_of, sides


class Refused(Exception):
    """A signal that cannot be carried out, in words for the operator."""


class _Arguments(dict[str, Any]):
    def __missing__(self, name: str) -> Any:
        raise Refused(f"the argument {name!r} is missing")


def carry_out(work: Planner, signal: Signal) -> None:
    """Carry out one signal. Raises ValueError for a kind that does not exist."""
    work.cause = f"{signal.tenant}/signal/{signal.id}"
    if (by_service := _BY_SERVICES.get(signal.kind)) is not None:
        by_service(work, signal)
        return
    if (by_operator := _BY_OPERATORS.get(signal.kind)) is None:
        raise ValueError(f"signal kind {signal.kind!r} is not known")
    if work.state.control("signal", signal.id) is not None:
        return
    fact: dict[str, Any] = {"kind": signal.kind, "args": signal.args, "at": work.now}
    try:
        fact |= {"result": "done", **(by_operator(work, _Arguments(signal.args)) or {})}
    except Refused as refusal:
        fact |= {"result": "refused", "reason": str(refusal)}
    work.state.set_control("signal", signal.id, fact)


# -- services


def _start(work: Planner, signal: Signal) -> None:
    """Plan again what was held or still waits, after a start."""
    for system in SYSTEMS:
        work.next_in_queue(system)
    for entity in ENTITIES:
        shown = f"held|{entity}|observe"
        if work.mode() == "sync" and work.state.first(shown) is not None:
            # The settings say sync now: what was shown while observing goes as by a signal.
            work.state.set_control("batch", f"{entity}/observe", {"released": work.now})
            work.plan_bucket(shown)
        if work.barrier_open(entity):
            work.plan_bucket(f"pending|{entity}")


def _advance(work: Planner, signal: Signal) -> None:
    args = signal.args
    if "queue" in args:
        work.next_in_queue(args["queue"])
    elif "discard" in args:
        _discard_bucket(work, args["discard"])
    else:
        work.plan_bucket(str(args["bucket"]))


def _reachable(work: Planner, signal: Signal) -> None:
    work.state.set_control("reachable", str(signal.args["system"]), {"at": signal.at})
    work.plan_bucket("parked")


def _identity(work: Planner, signal: Signal) -> None:
    """Pin the vendor account at first sight; another one stops the tenant until the pinned one is back."""
    system, found = str(signal.args["system"]), str(signal.args["id"])
    pinned = work.state.control("identity", system)
    if pinned is None:
        work.state.set_control("identity", system, {"id": found, "signal": signal.id})
    elif pinned["id"] != found:
        work.state.set_control("stopped", system, {"pinned": pinned["id"], "found": found, "at": work.now})
    elif work.state.control("stopped", system):
        work.state.set_control("stopped", system, {})
        _start(work, signal)


# -- switches


def _mode(work: Planner, args: Mapping[str, Any]) -> None:
    wanted = args["mode"]
    if wanted not in ("observe", "sync"):
        raise Refused(f"mode is observe or sync, not {wanted}")
    work.state.set_control("mode", "~", {"mode": wanted})
    for entity in ENTITIES:
        # What was shown in observe passes the breakers: a person has read it before the switch.
        work.state.set_control("batch", f"{entity}/observe", {"released": work.now} if wanted == "sync" else {})
    if wanted == "sync":
        _go_on_after_hold(work, "observe")


def _go_on_after_hold(work: Planner, batch: str) -> None:
    for system in SYSTEMS:
        work.next_in_queue(system)
    for entity in ENTITIES:
        work.plan_bucket(f"held|{entity}|{batch}")
        if work.barrier_open(entity):
            work.plan_bucket(f"pending|{entity}")
    work.plan_bucket("parked")


def _pause(work: Planner, args: Mapping[str, Any]) -> None:
    for entity in _entities(args):
        for target in _targets(args):
            work.state.set_control("pause", f"{entity}/{target}", {"at": work.now})


def _resume(work: Planner, args: Mapping[str, Any]) -> None:
    for entity in _entities(args):
        for target in _targets(args):
            work.state.set_control("pause", f"{entity}/{target}", {})
    _go_on_after_hold(work, "paused")


def _entities(args: Mapping[str, Any]) -> tuple[EntityName, ...]:
    named = args.get("entity")
    if named is not None and named not in ENTITIES:
        raise Refused(f"there is no entity {named!r}; there are: {', '.join(ENTITIES)}")
    return ENTITIES if named is None else (named,)


def _targets(args: Mapping[str, Any]) -> tuple[System, ...]:
    named = args.get("target")
    if named is not None and named not in SYSTEMS:
        raise Refused(f"there is no system {named!r}; there are: {', '.join(SYSTEMS)}")
    return SYSTEMS if named is None else (named,)


# -- held batches


def _release(work: Planner, args: Mapping[str, Any]) -> dict[str, Any]:
    """Let a held batch go, or all that is held of an entity."""
    (entity,) = _entities({"entity": args["entity"]})
    batches = _batches(work, entity, args)
    for batch in batches:
        if batch == "first":
            work.state.set_control("released", entity, {"at": work.now})
        else:
            work.state.set_control("batch", f"{entity}/{batch}", {"released": work.now})
            close(work.state, entity, batch.rpartition("-")[0], work.now)
        work.plan_bucket(f"held|{entity}|{batch}")
    return {"batches": batches}


def _discard(work: Planner, args: Mapping[str, Any]) -> dict[str, Any]:
    """Drop the plans of a held batch: nothing is created or removed, differing fields stay and are listed."""
    (entity,) = _entities({"entity": args["entity"]})
    batches = _batches(work, entity, args)
    for batch in batches:
        if batch != "first":
            close(work.state, entity, batch.rpartition("-")[0], work.now)
        _discard_bucket(work, f"held|{entity}|{batch}")
    return {"batches": batches}


def _batches(work: Planner, entity: EntityName, args: Mapping[str, Any]) -> list[str]:
    held = open_batches(work.state, entity)
    named = args.get("batch")
    if named is None:
        return [*held, "first"]
    if named not in (*held, "first"):
        raise Refused(f"{entity} has no held batch {named!r}; there are: {', '.join([*held, 'first'])}")
    return [named]


def _discard_bucket(work: Planner, bucket: str) -> None:
    for name in work.state.find(bucket, MAX_AT_ONCE):
        link = work.state.get(*name)
        if link is not None and link.plan is not None:
            _discard_plan(work, link)
    if work.state.count(bucket):
        work.go_on({"discard": bucket})


def _discard_plan(work: Planner, link: Link) -> None:
    plan = link.plan
    assert plan is not None
    work.journal(link, "discarded", f"an operator discarded: {plan.op} in {plan.target}", plan.target, None,
                 plan.fields or None, plan.expected or None)  # fmt: skip
    link.batch = ""
    if plan.op == "update":
        for name in plan.fields:
            for _, side in sides(link):
                agree(side, name, (side.seen or {}).get(name))
            link.differences = [*(each for each in link.differences if each != name), name]
    elif plan.op == "stamp":
        link.differences = [*(each for each in link.differences if each != "stamp"), "stamp"]
    else:
        link.aside = f"an operator discarded: {plan.op} in {plan.target}"
    work.plan(link)


# -- links


def _link(work: Planner, args: Mapping[str, Any]) -> dict[str, Any]:
    """Say that two records are one; records not seen yet are joined when both are known."""
    (entity,) = _entities({"entity": args["entity"]})
    ids: dict[System, str] = {"chargebee": str(args["chargebee"]), "poweroffice": str(args["poweroffice"])}
    held = {system: by_id(work.state, entity, system, record_id) for system, record_id in ids.items()}
    ours, theirs = held["chargebee"], held["poweroffice"]
    if ours is not None and theirs is not None and ours.key == theirs.key:
        raise Refused(f"{ours.key} links them already")
    for system, link in held.items():
        taken = side_of(link, other(system)) if link is not None else None
        if taken is not None:
            raise Refused(f"{system} {ids[system]} is linked to {other(system)} {taken.id}; unlink it first")
        if link is not None and link.flight is not None:
            raise Refused(f"{link.key} has a command in flight; try again when it is answered")
    work.state.set_control("apart", "|".join((entity, *ids.values())), {})
    did: dict[str, Any] = {"did": {"entity": entity, **ids}}
    for system, record_id in ids.items():
        work.state.set_control("joined", f"{entity}/{system}/{record_id}", {"id": ids[other(system)]})
    if ours is None or theirs is None:
        for link in (ours, theirs):
            if link is not None:
                work.plan(link)
        return {**did, "note": "they are joined when both records are known"}
    work.unite(ours, theirs, "operator")
    return did


def _import(work: Planner, args: Mapping[str, Any]) -> dict[str, Any]:
    """Link many pairs, as `links import` sends them; a pair linked already is none, a refused one is told."""
    linked, refused = 0, []
    for row in args["pairs"]:
        held = by_id(work.state, row["entity"], "chargebee", row["chargebee"])
        if held is not None and held.poweroffice is not None and held.poweroffice.id == row["poweroffice"]:
            continue
        try:
            _link(work, _Arguments(row))
            linked += 1
        except Refused as refusal:
            refused.append(f"{row['entity']} {row['chargebee']} {row['poweroffice']}: {refusal}")
    return {"linked": linked, "refused": refused}


def _pick(work: Planner, args: Mapping[str, Any]) -> dict[str, Any]:
    """Choose the twin of an ambiguous record among its candidates."""
    (entity,) = _entities({"entity": args["entity"]})
    link = _linked(work, entity, str(args["key"]))
    candidate = _linked(work, entity, str(args["candidate"]))
    if link.candidates and candidate.key not in link.candidates:
        raise Refused(f"{candidate.key} is no candidate of {link.key}; there are: {', '.join(link.candidates)}")
    ids: dict[str, str] = {system: side.id for each in (link, candidate) for system, side in sides(each)}
    if len(ids) < 2 or len(list(sides(link))) + len(list(sides(candidate))) > 2:
        raise Refused("one of the two must be a Chargebee record and the other one of Go, and neither linked")
    return _link(work, {"entity": entity, **ids})


def _unlink(work: Planner, args: Mapping[str, Any]) -> dict[str, Any]:
    """Part two records for good; nothing is created for either until it is linked or redriven."""
    (entity,) = _entities({"entity": args["entity"]})
    link = _linked(work, entity, str(args["key"]))
    did = _part(work, link, "unlinked by an operator; link it, or redrive it to let it be matched or created anew")
    work.state.set_control("apart", "|".join((entity, did["chargebee"], did["poweroffice"])), {"at": work.now})
    _plan_by_ids(work, did)
    return {"did": did}


def _undo(work: Planner, args: Mapping[str, Any]) -> dict[str, Any]:
    """Take a link, pick or unlink back."""
    before = work.state.control("signal", str(args["signal"]))
    if before is None or "did" not in before:
        raise Refused(f"there is no link, pick or unlink {args['signal']} to undo")
    did = before["did"]
    if before["kind"] == "unlink":
        return _link(work, did)
    link = by_id(work.state, did["entity"], "chargebee", did["chargebee"])
    theirs = link.poweroffice if link is not None else None
    if link is None or theirs is None or theirs.id != did["poweroffice"]:
        for system in SYSTEMS:
            work.state.set_control("joined", f"{did['entity']}/{system}/{did[system]}", {})
        return {"undone": did, "note": "they were not linked yet"}
    # Our reference may stand in Go by now, so they are parted as by an unlink, or it would link them again.
    return _unlink(work, {"entity": did["entity"], "key": link.key})


def _part(work: Planner, link: Link, aside: str) -> dict[str, str]:
    """Make two links of one, both without bases; what an earlier command finished stays finished."""
    ours, theirs = link.chargebee, link.poweroffice
    if ours is None or theirs is None:
        raise Refused(f"{link.key} is not linked")
    if link.flight is not None:
        raise Refused(f"{link.key} has a command in flight; try again when it is answered")
    if link.state == "sent":
        raise Refused(f"{link.key} was sent; a sent order stays linked")
    for system in SYSTEMS:
        work.state.set_control("joined", f"{link.entity}/{system}/{(ours if system == 'chargebee' else theirs).id}", {})
    for side in (ours, theirs):
        side.base, side.unset, side.writes = {}, list(FIELDS[link.entity]), []
    work.journal(link, "unlinked", f"Chargebee {ours.id} and Go {theirs.id} are parted", "poweroffice")
    key = own_chargebee_id(theirs.id)
    while work.state.get(link.entity, key) is not None or key == link.key:
        key += "~"
    parted = Link(tenant=link.tenant, entity=link.entity, key=key, seq=link.seq, entries=link.entries,
                  cause=work.cause, aside=aside)  # fmt: skip
    set_side(parted, "poweroffice", theirs)
    link.poweroffice, link.plan, link.differences, link.candidates = None, None, [], []
    link.aside, link.cause, link.batch, link.lane = aside, work.cause, "", "live"
    work.state.put(link)
    work.state.put(parted)
    return {"entity": link.entity, "chargebee": ours.id, "poweroffice": theirs.id}


def _plan_by_ids(work: Planner, did: Mapping[str, str]) -> None:
    for system in SYSTEMS:
        link = by_id(work.state, cast(EntityName, did["entity"]), system, did[system])
        if link is not None:
            work.plan(link)


def _linked(work: Planner, entity: EntityName, key: str) -> Link:
    link = work.state.get(entity, key)
    if link is None:
        raise Refused(f"there is no {entity} link {key!r}")
    return link


# -- records that need a person


def _redrive(work: Planner, args: Mapping[str, Any]) -> dict[str, Any]:
    """Plan again from the present state, with attempts reset: one link, or all that were rejected or in conflict."""
    if "key" in args:
        (entity,) = _entities({"entity": args["entity"]})
        names = [(entity, _linked(work, entity, str(args["key"])).key)]
    else:
        names = [
            name for entity in _entities(args) for state in ("rejected", "broken", "conflict")
            for name in work.state.find(f"{state}|{entity}")
        ]  # fmt: skip
    for name in names:
        link = work.state.get(*name)
        if link is not None:
            link.aside, link.stales, link.lane = None, 0, "live" if "key" in args else "bulk"
            work.plan(link)
    return {"planned": len(names)}


def _settle(work: Planner, args: Mapping[str, Any]) -> None:
    """Decide a listed difference: `keep` names the system whose value is written, or none to leave both."""
    (entity,) = _entities({"entity": args["entity"]})
    link, name = _linked(work, entity, str(args["key"])), str(args["field"])
    if name not in link.differences:
        raise Refused(
            f"{name} is no listed difference of {link.key}; there are: {', '.join(link.differences) or 'none'}"
        )
    link.differences.remove(name)
    keep = args.get("keep")
    if keep is None:
        work.journal(link, "accepted", f"an operator accepted that {name} differs", None, name)
        work.state.put(link)
        return
    if keep not in SYSTEMS:
        raise Refused(f"keep names a system: {', '.join(SYSTEMS)}")
    source, target = cast(System, keep), other(cast(System, keep))
    winner, loser = side_of(link, source), side_of(link, target)
    assert winner is not None and loser is not None
    value, losing = (winner.seen or {}).get(name), (loser.seen or {}).get(name)
    if name == "lines" and source == "chargebee":
        _restore_lines(link, loser)
    elif name in CREATE_ONLY[entity] or not may_write(work.state.policy, link, name, target):
        raise Refused(f"{name} is never written to {target}")
    else:
        winner.base[name] = losing  # as if the winner had just been edited
        agree(loser, name, losing)
    work.journal(link, "settled", f"an operator keeps {name} of {source}", target, name, value, losing)
    link.lane = "live"
    work.plan(link)


def _restore_lines(link: Link, draft: Side) -> None:
    if born_in_go(link) or (draft.seen or {}).get("status") != "draft":
        raise Refused("only the lines of a draft in Go whose order was born in Chargebee can be restored")
    link.restore = True
    draft.base["lines"] = None  # as if they had just been edited in Go


_BY_SERVICES: dict[str, Callable[[Planner, Signal], None]] = {
    "start": _start, "advance": _advance, "vendor_reachable": _reachable, "identity": _identity,
}  # fmt: skip
_BY_OPERATORS: dict[str, Callable[[Planner, Mapping[str, Any]], dict[str, Any] | None]] = {
    "mode": _mode, "release": _release, "discard": _discard, "pause": _pause, "resume": _resume, "link": _link,
    "import": _import, "pick": _pick, "unlink": _unlink, "undo": _undo, "redrive": _redrive, "settle": _settle,
}  # fmt: skip
