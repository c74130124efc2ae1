"""Runs: records read again on purpose and compared with what is believed of them. Pure.

`replay` has single records verified by commands, `reconcile` compares complete readings, `rebuild` forgets the links
and lets complete readings make them anew. One run of a tenant at a time; control `run/<id>` holds how far it is, and
`active/run` which one it is.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from contracts.entities import FIELDS, SYSTEMS, EntityName, System, other
from contracts.messages import Command, Flight, Link, Observed, Outcome, Reading, ReadingCompleted, Side
from contracts.topics import reading_key
from services.linker.state import State, by_id, proves, set_seen, side_of, sides

if TYPE_CHECKING:
    from services.linker.decide import Worker
    from services.linker.plan import Planner

ENDED = ("done", "cancelled")
REFUSED = ("rejected", "broken", "conflict")


def active(state: State) -> tuple[str, dict[str, Any]] | None:
    """The run under way: its id and what is known of it."""
    named = state.control("active", "run")
    run = state.control("run", named["id"]) if named else None
    return (named["id"], run) if named and run and run["state"] not in ENDED else None


def begin(state: State, run_id: str, run: dict[str, Any]) -> None:
    """Make a run the tenant's one."""
    state.set_control("run", run_id, {"counts": {}, **run})
    state.set_control("active", "run", {"id": run_id})


def update(state: State, run_id: str, /, **facts: Any) -> dict[str, Any]:
    """Change what is known of a run."""
    run = {**(state.control("run", run_id) or {}), **facts}
    state.set_control("run", run_id, run)
    return run


def count(state: State, run_id: str, /, **more: int) -> dict[str, Any]:
    """Add to the figures of a run."""
    run = state.control("run", run_id) or {}
    counts = dict(run.get("counts", {}))
    for name, number in more.items():
        counts[name] = counts.get(name, 0) + number
    return update(state, run_id, counts=counts)


# -- replay: single records


def take_part(work: "Planner", run_id: str, records: list[list[str]], *, last: bool) -> None:
    """Ask for the readings of some records in a replay's range, given in order as [system, entity, id]; those that
    were taken before are not taken again."""
    run = work.state.control("run", run_id)
    if run is None or run["state"] != "reading":
        return
    fresh = [each for each in records if each > run.get("after", [])]
    facts: dict[str, Any] = {"after": fresh[-1]} if fresh else {}
    update(work.state, run_id, **facts, state="working" if last else "reading")
    for system, entity, record_id in fresh:
        _ask(work, run_id, run, system, entity, record_id)  # type: ignore[arg-type]
    _end_if_answered(work.state, run_id)


def _ask(
    work: "Planner", run_id: str, run: Mapping[str, Any], system: System, entity: EntityName, record_id: str
) -> None:  # fmt: skip
    link = by_id(work.state, entity, system, record_id)
    if link is None:
        count(work.state, run_id, records=1, unknown=1)
        return
    if _is_left_alone(link, dry=run["dry_run"]):
        count(work.state, run_id, records=1, left_alone=1)
        return
    first = link.run != run_id
    if first:  # what an earlier run still wished for is not this one's
        link.verify, link.run = [], run_id
    there = [name for name, side in sorted(sides(link), key=lambda each: each[0] == system) if not side.deleted]
    if run["args"].get("side") is not None:
        # About the events of one system: only the other side is read, where there is one.
        named = other(system) if side_of(link, other(system)) is not None else system
        targets = [name for name in there if name == named and name not in link.verify]
    else:
        targets = there if first else []  # both, once: either event may be missing from the range
    count(work.state, run_id, records=1, asked=len(targets))
    if targets:
        link.verify = [*link.verify, *targets]
        work.plan(link)


def _is_left_alone(link: Link, *, dry: bool) -> bool:
    """A held batch is being looked at, and must not change under the reader; a dry run must not try again what was
    refused."""
    return link.state == "held" or (dry and link.state in REFUSED)


def verify(work: "Planner", link: Link) -> bool:
    """Send the reading that a link waits for; False when none is to be sent now."""
    target = link.verify[0]
    side, run = side_of(link, target), work.state.control("run", link.run)
    if side is None or run is None or run["state"] in ENDED:
        link.verify = []
        return False
    if not may_read(work.state) or work.state.count(f"flying|{target}") >= work.state.policy.window:
        return False
    link.seq += 1
    command = Command(
        tenant=link.tenant, entity=link.entity, link=link.key, seq=link.seq, target=target, op="verify", lane="bulk",
        cause=_cause(link.tenant, link.run), target_id=side.id, target_version=side.version,
        expected={name: (side.seen or {}).get(name) for name in FIELDS[link.entity]},
    )  # fmt: skip
    link.flight = Flight(command=command)
    work.outputs.append(command)
    work.state.put(link)
    return True


def may_read(state: State) -> bool:
    """Whether readings of a run go on: not while it is paused, nor while another vendor account is connected."""
    run = active(state)
    paused = run is not None and run[1]["state"] == "paused"
    return not paused and not any(state.control("stopped", system) for system in SYSTEMS)


def verified(work: "Worker", link: Link, flight: Flight, outcome: Outcome) -> None:
    """Compare what a reading found with what was believed; fold it, or in a dry run only tell what would follow."""
    target, run_id = outcome.target, link.run
    run = work.state.control("run", run_id) or {}
    work.cause = _cause(link.tenant, run_id)
    if outcome.result == "parked":
        work.park(link, outcome)
        return
    if target not in link.verify:  # asked for by a run that was cancelled; the next one does not want it
        work.plan(link)
        work.next_in_queue(target)
        return
    link.verify = [each for each in link.verify if each != target]
    side = side_of(link, target)
    if outcome.result == "rejected" or side is None:
        words = outcome.error.message if outcome.error else "refused without a reason"
        work.journal(link, "not_verified", f"{target} did not show the record: {words}", target)
        count(work.state, run_id, answered=1, failed=1)
    else:
        found = _differing(link, side, target, outcome.data, outcome.deleted) if proves(side, flight, outcome) else []
        _tell(work, link, run_id, target, found)
        count(work.state, run_id, answered=1, different=1 if found else 0)
        if found and _only_looks(run):
            _tell_plan(work, link, run_id, lambda scratch, copy: scratch.take_reply(copy, flight, outcome))
        elif not _only_looks(run):
            work.take_reply(link, flight, outcome)
            link.cause, link.lane = (_cause(link.tenant, run_id), "bulk") if found else (link.cause, link.lane)
    _end_if_answered(work.state, run_id)
    work.plan(link)
    work.next_in_queue(target)


def _only_looks(run: Mapping[str, Any]) -> bool:
    """Whether a run reports what it finds and changes nothing."""
    return bool(run.get("dry_run")) or (run.get("kind") == "reconcile" and not run.get("repair"))


def _end_if_answered(state: State, run_id: str) -> None:
    run = state.control("run", run_id) or {}
    counts = run.get("counts", {})
    if run.get("state") == "working" and counts.get("asked", 0) == counts.get("answered", 0):
        update(state, run_id, state="done")


# -- reconcile: complete readings


def reading(work: "Worker", message: Reading) -> None:
    """Compare one record of a complete reading; fold it only where the run repairs."""
    event, run_id = message.record, message.run
    run = work.state.control("run", run_id)
    if run is None or run["state"] in ENDED:
        return
    work.cause = _cause(event.tenant, run_id)
    count(work.state, run_id, **{f"{event.system}/{event.entity}": 1})
    link = by_id(work.state, event.entity, event.system, event.id)
    if link is None:
        if is_forgotten(work.state, event.entity, event.system, event.id, event.version):
            key = reading_key(event.tenant, event.system, event.entity, event.id).decode()
            work.erase("readings", key)
        elif run.get("repair"):
            work.observed(event)
        return
    side = side_of(link, event.system)
    assert side is not None
    found = _differing(link, side, event.system, event.data, event.deleted)
    if not found:
        return
    flying = link.flight is not None and link.flight.command.target == event.system
    if flying or event.version < side.version:
        _read_once_more(work, link, event.system, run_id, run)
        return
    count(work.state, run_id, different=1)
    _tell(work, link, run_id, event.system, found)
    if run.get("repair"):
        link.cause, link.lane = work.cause, "bulk"
        _fold(link, side, event)
        work.plan(link)
    else:
        _tell_plan(work, link, run_id, lambda _, copy: _fold(copy, side_of(copy, event.system) or side, event))


def _read_once_more(work: "Planner", link: Link, system: System, run_id: str, run: Mapping[str, Any]) -> None:
    """A reading proves nothing while we are changing the record, nor where something newer was seen, unless that has a
    version which was never the record's own: it is read again to know."""
    if _only_looks(run) and link.state in REFUSED:
        count(work.state, run_id, left_alone=1)  # planning it again would try it again
        return
    if link.run != run_id:
        link.verify, link.run = [], run_id
    if system not in link.verify:
        link.verify = [*link.verify, system]
        count(work.state, run_id, asked=1)
        work.plan(link)


def reading_completed(work: "Planner", message: ReadingCompleted) -> None:
    """One entity of one system has been read; the run is done when all have been."""
    take_completed(work.state, message.run, message.system, message.entity, message.records)


def take_completed(state: State, run_id: str, system: System, entity: EntityName, records: int) -> None:
    """Note that a run's reading is complete."""
    run = state.control("run", run_id)
    if run is None or run["state"] in ENDED:
        return
    parts = {**run["parts"], f"{system}/{entity}": records}
    update(state, run_id, parts=parts, state=run["state"] if None in parts.values() else "working")
    _end_if_answered(state, run_id)


def is_forgotten(state: State, entity: EntityName, system: System, record_id: str, version: str) -> bool:
    """Whether a reading is of a record that was forgotten in this state; a reused id comes with a newer version."""
    fact = state.control("forgotten", f"{entity}/{system}/{record_id}")
    return bool(fact) and version <= (fact or {})["version"]


def _fold(link: Link, side: Side, event: Observed) -> None:
    """Take a reading in as an edit, whatever its version says; what an older mapping carried is changed too."""
    side.version, side.deleted = max(side.version, event.version), event.deleted
    side.mapping = max(side.mapping, event.mapping)
    side.stamp = event.stamp if event.data is not None else side.stamp
    side.incomplete, side.problem = event.incomplete, event.problem
    if event.data is not None:
        set_seen(link.entity, side, event.data)
    if event.deleted and link.entity != "order" and side.seen is not None:
        set_seen(link.entity, side, {**side.seen, "archived": True})
    for name, carried in list(side.remapped.items()):
        side.base.setdefault(name, carried)
    side.remapped = {}


# -- both


Found = list[tuple[str, Any, Any]]  # field, what was found, what was believed or carried


def _differing(link: Link, side: Side, system: System, data: dict[str, Any] | None, deleted: bool) -> Found:
    """The fields in which a record is not what it is believed to be, or what was carried of it is not what it is."""
    found: Found = []
    if deleted != side.deleted:
        found.append(("deleted", deleted, side.deleted))
    if data is None or deleted:
        return found
    seen, theirs = side.seen or {}, side_of(link, other(system))
    for name in FIELDS[link.entity]:
        value = data.get(name)
        if value != seen.get(name):
            found.append((name, value, seen.get(name)))
        elif side.remapped.get(name, value) != value and (theirs is None or (theirs.seen or {}).get(name) != value):
            found.append((name, value, side.remapped[name]))
    return found


def _tell(work: "Planner", link: Link, run_id: str, system: System, found: Found) -> None:
    for name, value, believed in found:
        text = f"{name} in {system} is not what it was taken for"
        work.journal(link, "drift", text, system, name, value, believed, entry=f"run-{run_id}-{system}-{name}")


def _tell_plan(work: "Worker", link: Link, run_id: str, take: Any) -> None:
    """What would be written if the reading were folded, found out on a copy that is thrown away."""
    scratch = work.scratch()
    scratch.state.put(link)
    copy = scratch.state.get(link.entity, link.key)
    assert copy is not None
    copy.verify, copy.flight = [], None
    take(scratch, copy)
    scratch.plan(copy)
    would = [each for each in scratch.outputs if isinstance(each, Command)]
    after = scratch.state.get(link.entity, link.key)
    if not would and after is not None and after.plan is not None:
        would = [after.plan]
    for command in would:
        text = f"would {command.op} in {command.target}: {', '.join(command.fields)}"
        work.journal(link, "would", text, command.target, None, command.fields or None, command.expected or None,
                     entry=f"run-{run_id}-would-{command.target}")  # fmt: skip
    if not would:
        text = f"nothing would be written: {after.state}: {after.reason}" if after else "nothing would be written"
        work.journal(link, "would", text, entry=f"run-{run_id}-would")


def _cause(tenant: str, run_id: str) -> str:
    return f"{tenant}/run/{run_id}"
