"""What an operator says of runs (replay, reconcile, rebuild) and of records to be forgotten. Pure."""

from datetime import datetime
from typing import Any

from contracts.entities import ENTITIES, SYSTEMS, EntityName
from contracts.messages import Link
from contracts.topics import ENTITY_TOPICS, link_key, reading_key, record_key
from services.linker import runs
from services.linker.arguments import Arguments, Refused, entities_of, entity_of, link_of
from services.linker.plan import MAX_AT_ONCE, Planner
from services.linker.state import State, sides

FORGOTTEN_WITHIN_DAYS = 35


def replay(work: Planner, args: Arguments) -> dict[str, Any]:
    """Verify the records that have events in ranges of the entity topics; `ranges` are [from, to) by topic."""
    _refuse_second(work.state)
    entities_of(args)
    known = {ENTITY_TOPICS[entity] for entity in ENTITIES}
    if not args["ranges"] or not known.issuperset(args["ranges"]):
        raise Refused(f"ranges name topics: {', '.join(sorted(known))}")
    if args.get("side") not in (None, *SYSTEMS):
        raise Refused(f"side is one of {', '.join(SYSTEMS)}")
    runs.begin(work.state, args.signal, {
        "kind": "replay", "state": "reading", "at": work.now, "args": dict(args), "dry_run": bool(args.get("dry_run")),
    })  # fmt: skip
    return {"run": args.signal}


def reconcile(work: Planner, args: Arguments) -> dict[str, Any]:
    """Have both systems read whole and compared; with `repair` what differs is folded and so corrected."""
    _refuse_second(work.state)
    runs.begin(work.state, args.signal, {
        "kind": "reconcile", "state": "reading", "at": work.now, "args": dict(args), "repair": bool(args.get("repair")),
        "parts": _parts(work.state, entities_of(args)),
    })  # fmt: skip
    return {"run": args.signal}


def rebuild(work: Planner, args: Arguments) -> dict[str, Any]:
    """Forget all links and make them anew from complete readings; the tenant observes, so nothing is created."""
    _refuse_second(work.state)
    work.state.set_control("mode", "~", {"mode": "observe"})
    for entity in ENTITIES:
        work.state.set_control("batch", f"{entity}/observe", {})
        work.state.set_control("released", entity, {})
        for system in SYSTEMS:
            work.state.set_control("barrier", f"{entity}/{system}", {})
    runs.begin(work.state, args.signal, {
        "kind": "rebuild", "state": "clearing", "at": work.now, "args": dict(args),
        "parts": _parts(work.state, ENTITIES),
    })  # fmt: skip
    clear(work, args.signal)
    return {"run": args.signal}


def reload(work: Planner, args: Arguments) -> None:
    """Have the process read the map anew from its topic and compare it with what it held."""
    work.state.set_control("reload", "~", {"signal": args.signal, "state": "asked", "at": work.now})


def clear(work: Planner, run_id: str) -> None:
    """Remove some links of a rebuild; a signal to ourselves goes on, and at the end the readings begin."""
    if (work.state.control("run", run_id) or {}).get("state") != "clearing":
        return  # the signal came again
    names = work.state.some(MAX_AT_ONCE)
    for entity, key in names:
        link = work.state.get(entity, key)
        if link is not None:
            raise_floor(work.state, link)
            _keep(work.state, link)
            work.state.remove(entity, key)
    runs.count(work.state, run_id, cleared=len(names))
    if names:
        work.go_on({"clear": run_id})
    else:
        runs.update(work.state, run_id, state="reading")


def _keep(state: State, link: Link) -> None:
    """What a person decided about a record outlives its link."""
    said = {name: held for name, held in (("aside", link.aside), ("confirmed", link.confirmed)) if held}
    for system, side in sides(link):
        if said:
            state.set_control("kept", f"{link.entity}/{system}/{side.id}", said)


def raise_floor(state: State, link: Link) -> None:
    """New links number their commands and journal entries above those of a link that is gone: finished commands are
    known by link and number, and a key may come again."""
    floor = state.control("floor", "~") or {"seq": 0, "entries": 0}
    state.set_control(
        "floor", "~", {"seq": max(floor["seq"], link.seq), "entries": max(floor["entries"], link.entries)}
    )


def _parts(state: State, entities: tuple[EntityName, ...]) -> dict[str, None]:
    """What is to be read; orders only where they are read at all."""
    read = [entity for entity in entities if entity != "order" or state.policy.start_orders is not None]
    if not read:
        raise Refused("orders are not read: start.orders is not set")
    return {f"{system}/{entity}": None for entity in read for system in SYSTEMS}


def _refuse_second(state: State) -> None:
    if (under_way := runs.active(state)) is not None:
        run_id, run = under_way
        raise Refused(f"{run['kind']} {run_id} is {run['state']}; wait for it or cancel it first")


# -- the run under way


def pause_run(work: Planner, args: Arguments) -> None:
    """Let the readings of a run rest."""
    run_id, run = _named(work.state, args)
    if run["state"] not in ("reading", "working"):
        raise Refused(f"{run['kind']} {run_id} is {run['state']}")
    runs.update(work.state, run_id, state="paused", paused=run["state"])


def resume_run(work: Planner, args: Arguments) -> None:
    """Let a paused run go on."""
    run_id, run = _named(work.state, args)
    if run["state"] != "paused":
        raise Refused(f"{run['kind']} {run_id} is {run['state']}, not paused")
    runs.update(work.state, run_id, state=run["paused"])
    for system in SYSTEMS:
        work.next_in_queue(system)


def cancel_run(work: Planner, args: Arguments) -> None:
    """End a run early; what it has found and written so far stays."""
    run_id, run = _named(work.state, args)
    if run["kind"] == "rebuild":
        raise Refused("a rebuild is not cancelled: until both systems have been read there is no map to go back to")
    runs.update(work.state, run_id, state="cancelled")
    for system in SYSTEMS:
        work.next_in_queue(system)  # takes the wish for a reading off the links


def _named(state: State, args: Arguments) -> tuple[str, dict[str, Any]]:
    under_way = runs.active(state)
    if under_way is None:
        raise Refused("no run is under way")
    if under_way[0] != args["run"]:
        raise Refused(f"the run under way is {under_way[0]}")
    return under_way


# -- forgetting


def forget(work: Planner, args: Arguments) -> dict[str, Any]:
    """Erase what is held of a record that both systems have deleted: link, events, commands, outcomes, readings, and
    the keys of its journal entries and dead letters that `journal` and `letters` name."""
    entity, state = entity_of(args), work.state
    link = link_of(state, entity, str(args["key"]))
    for system, side in sides(link):
        if not side.deleted:
            raise Refused(f"{system} still has {entity} {side.id}; delete it there first")
    if link.flight is not None:
        raise Refused(f"{link.key} has a command in flight; try again when it is answered")
    keys = _keys_of(work, link, [*args.get("journal", ())], [*args.get("letters", ())])
    for number, (system, side) in enumerate(sides(link)):
        fact = {"version": side.version, "at": work.now, "told": work.now, "keys": keys if number == 0 else []}
        state.set_control("forgotten", f"{entity}/{system}/{side.id}", fact)
    raise_floor(state, link)
    state.remove(entity, link.key)
    _erase(work, keys)
    return {"erased": len(keys), "within_days": FORGOTTEN_WITHIN_DAYS}


def _keys_of(work: Planner, link: Link, journal: list[str], letters: list[str]) -> list[list[str]]:
    tenant, entity = link.tenant, link.entity
    keys = [[topic, link_key(tenant, entity, link.key).decode()]
            for topic in ("commands.chargebee", "commands.poweroffice", "outcomes")]  # fmt: skip
    for system, side in sides(link):
        keys.append([ENTITY_TOPICS[entity], record_key(tenant, system, side.id).decode()])
        keys.append(["readings", reading_key(tenant, system, entity, side.id).decode()])
    return [*keys, *(["journal", key] for key in journal), *(["dead-letters", key] for key in letters)]


def _erase(work: Planner, keys: list[list[str]]) -> None:
    for topic, key in keys:
        work.erase(topic, key)


def erase_again(work: Planner, today: str) -> None:
    """Once a day, for as long as it takes: Kafka compacts a quiet topic only when something is written to it."""
    for id, fact in work.state.facts("forgotten").items():
        if not fact or not fact["keys"] or fact["told"][:10] == today[:10]:
            continue
        _erase(work, fact["keys"])
        due = days_between(fact["at"], today) >= FORGOTTEN_WITHIN_DAYS
        work.state.set_control("forgotten", id, {**fact, "told": today, "keys": [] if due else fact["keys"]})


def days_between(since: str, until: str) -> int:
    """Whole days between two ISO 8601 times."""
    return (datetime.fromisoformat(until) - datetime.fromisoformat(since)).days
