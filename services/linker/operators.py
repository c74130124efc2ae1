"""What an operator, a service or a start tells the linker to do: one signal, carried out once, and its answer. Pure.

A signal that cannot be carried out changes nothing; control `signal/<id>` keeps the answer in words, so that the
command line can show it. Services send `start`, `advance`, `vendor_reachable` and `identity`.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from contracts.entities import CREATE_ONLY, ENTITIES, SYSTEMS, EntityName, System, other
from contracts.messages import Link, Side, Signal
from services.linker import operator_links as links
from services.linker import operator_runs as runs
from services.linker import runs as readings
from services.linker.arguments import Arguments, Refused, entities_of, entity_of, link_of, targets_of
from services.linker.breakers import close, open_batches
from services.linker.merge import may_write
from services.linker.plan import MAX_AT_ONCE, Planner
from services.linker.state import agree, born_in_go, side_of, sides


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
        fact |= {"result": "done", **(by_operator(work, Arguments(signal.args, signal.id)) or {})}
    except Refused as refusal:
        fact |= {"result": "refused", "reason": str(refusal)}
    work.state.set_control("signal", signal.id, fact)
    work.acknowledge(signal, fact)


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
    elif "clear" in args:
        runs.clear(work, args["clear"])
    elif "redrive" in args:
        _redrive_some(work, [(entity, key) for entity, key in args["redrive"]])
    elif "sharing" in args:
        entity, rule, value = args["sharing"]
        work.plan_sharing(entity, rule, value, str(args["after"]))
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
    for entity in entities_of(args):
        for target in targets_of(args):
            work.state.set_control("pause", f"{entity}/{target}", {"at": work.now})


def _resume(work: Planner, args: Mapping[str, Any]) -> None:
    for entity in entities_of(args):
        for target in targets_of(args):
            work.state.set_control("pause", f"{entity}/{target}", {})
    _go_on_after_hold(work, "paused")


# -- held batches


def _release(work: Planner, args: Mapping[str, Any]) -> dict[str, Any]:
    """Let a held batch go, or all that is held of an entity."""
    entity = entity_of(args)
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
    entity = entity_of(args)
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


# -- records that need a person


def _redrive(work: Planner, args: Arguments) -> dict[str, Any]:
    """Plan again from the present state, with attempts reset: the named links, or all that were rejected or in
    conflict. `letters` are the dead letters that are thereby done with."""
    if "key" in args:
        entity = entity_of(args)
        names = [(entity, link_of(work.state, entity, str(args["key"])).key)]
    elif "names" in args:
        named = [(entity_of({"entity": entity}), key) for entity, key in args["names"]]
        names = [name for name in named if work.state.get(*name) is not None]
    else:
        names = [
            name for entity in entities_of(args) for state in ("rejected", "broken", "conflict")
            for name in work.state.find(f"{state}|{entity}")
        ]  # fmt: skip
    _redrive_some(work, names[:MAX_AT_ONCE], live="key" in args)
    for begin in range(MAX_AT_ONCE, len(names), MAX_AT_ONCE):
        work.go_on({"redrive": [list(name) for name in names[begin : begin + MAX_AT_ONCE]]})
    for key in args.get("letters", ()):
        work.erase("dead-letters", key)
    return {"planned": len(names)}


def _redrive_some(work: Planner, names: Iterable[tuple[EntityName, str]], *, live: bool = False) -> None:
    for name in names:
        if (link := work.state.get(*name)) is not None:
            link.aside, link.stales, link.lane, link.twins = None, 0, "live" if live else "bulk", []
            _take_suspects(work, link)
            work.plan(link)


def _take_suspects(work: Planner, link: Link) -> None:
    """What may be a late write of our own is a person's edit after all."""
    for system, side in sides(link):
        theirs = side_of(link, other(system))
        for name in side.suspect:
            value, losing = (side.seen or {}).get(name), ((theirs and theirs.seen) or {}).get(name)
            text = f"an operator takes {name} in {system} for an edit"
            work.journal(link, "settled", text, other(system), name, value, losing)
        side.suspect = []


def _settle(work: Planner, args: Mapping[str, Any]) -> None:
    """Decide a listed difference: `keep` names the system whose value is written, or none to leave both."""
    entity = entity_of(args)
    link, name = link_of(work.state, entity, str(args["key"])), str(args["field"])
    if name not in link.differences:
        raise Refused(
            f"{name} is no listed difference of {link.key}; there are: {', '.join(link.differences) or 'none'}"
        )
    link.differences.remove(name)
    keep = args.get("keep")
    suspect = any(name in side.suspect for _, side in sides(link))
    for _, side in sides(link):
        side.suspect = [each for each in side.suspect if each != name]
    if keep is None:
        work.journal(link, "accepted", f"an operator accepted that {name} differs", None, name)
        if suspect:
            for _, side in sides(link):
                agree(side, name, (side.seen or {}).get(name))
            work.plan(link)
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
        agree(winner, name, losing)  # as if the winner had just been edited
        agree(loser, name, losing)
    work.journal(link, "settled", f"an operator keeps {name} of {source}", target, name, value, losing)
    link.lane = "live"
    work.plan(link)


def _restore_lines(link: Link, draft: Side) -> None:
    if born_in_go(link) or (draft.seen or {}).get("status") != "draft":
        raise Refused("only the lines of a draft in Go whose order was born in Chargebee can be restored")
    link.restore = True
    draft.base["lines"] = None  # as if they had just been edited in Go


def _tick(work: Planner, signal: Signal) -> None:
    """An hour has passed."""
    runs.erase_again(work, work.now)


def _replay_part(work: Planner, signal: Signal) -> None:
    """Records of a replay's range, read by the linker's own process."""
    args = signal.args
    readings.take_part(work, args["run"], args["records"], last=args["last"])


def _reloaded(work: Planner, signal: Signal) -> None:
    """The map was read anew from its topic, by the linker's own process."""
    work.state.set_control("reload", "~", {**signal.args, "state": "done", "at": work.now})


_BY_SERVICES: dict[str, Callable[[Planner, Signal], None]] = {
    "start": _start, "advance": _advance, "vendor_reachable": _reachable, "identity": _identity, "tick": _tick,
    "replay_part": _replay_part, "reloaded": _reloaded,
}  # fmt: skip
_BY_OPERATORS: dict[str, Callable[[Planner, Arguments], dict[str, Any] | None]] = {
    "mode": _mode, "release": _release, "discard": _discard, "pause": _pause, "resume": _resume,
    "redrive": _redrive, "settle": _settle,
    "replay": runs.replay, "reconcile": runs.reconcile, "rebuild": runs.rebuild, "run_pause": runs.pause_run,
    "run_resume": runs.resume_run, "run_cancel": runs.cancel_run, "forget": runs.forget,
    "reload": runs.reload,
    "link": links.join, "import": links.import_pairs, "pick": links.pick, "unlink": links.unlink, "undo": links.undo,
}  # fmt: skip
