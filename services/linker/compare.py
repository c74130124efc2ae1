"""What a run finds, compared with what is believed, and what becomes of it. Pure."""

from typing import Any

from contracts.entities import FIELDS, EntityName, System, other
from contracts.facts import Run
from contracts.messages import (
    Command,
    Flight,
    Link,
    Observed,
    Outcome,
    Reading,
    ReadingCompleted,
    Side,
)
from contracts.topics import reading_key
from services.linker.plan import park, plan, plan_queue, work_off
from services.linker.runs import facts as runs
from services.linker.session import Session
from services.linker.state import by_id, proves, set_seen, side_of, sides
from services.linker.take import observed, take_reply

Found = list[tuple[str, Any, Any]]  # field, what was found, what was believed or carried


# -- replay: single records


def take_part(work: Session, run_id: str, records: list[list[str]], *, last: bool) -> None:
    """Ask for the readings of some records in a replay's range, given in order as [system, entity,
    id]; those that were taken before are not taken again."""
    run = runs.named(work.state, run_id)
    if run is None or run.state != "reading":
        return
    fresh = [each for each in records if each > run.after]
    after = fresh[-1] if fresh else run.after
    runs.update(work.state, run_id, after=after, state="working" if last else "reading")
    for system, entity, record_id in fresh:
        _ask(work, run_id, run, system, entity, record_id)  # type: ignore[arg-type]
    runs.end_if_answered(work.state, run_id)


def _ask(
    work: Session, run_id: str, run: Run, system: System, entity: EntityName, record_id: str
) -> None:
    link = by_id(work.state, entity, system, record_id)
    if link is None:
        runs.count(work.state, run_id, records=1, unknown=1)
        return
    if runs.is_left_alone(link, dry=run.dry_run):
        runs.count(work.state, run_id, records=1, left_alone=1)
        return
    first = link.run != run_id
    if first:  # what an earlier run still wished for is not this one's
        link.verify, link.run = [], run_id
    there = [
        name
        for name, side in sorted(sides(link), key=lambda each: each[0] == system)
        if not side.deleted
    ]
    if run.args.get("side") is not None:
        # About the events of one system: only the other side is read, where there is one.
        named = other(system) if side_of(link, other(system)) is not None else system
        targets = [name for name in there if name == named and name not in link.verify]
    else:
        targets = there if first else []  # both, once: either event may be missing from the range
    runs.count(work.state, run_id, records=1, asked=len(targets))
    if targets:
        link.verify = [*link.verify, *targets]
        plan(work, link)


def verified(work: Session, link: Link, flight: Flight, outcome: Outcome) -> None:
    """Compare what a reading found with what was believed; fold it, or in a dry run only tell what
    would follow."""
    target, run_id = outcome.target, link.run
    run = runs.named(work.state, run_id)
    only_looks = run is not None and run.only_looks
    work.cause = runs.cause_of(link.tenant, run_id)
    if outcome.result == "parked":
        park(work, link, outcome)
        return
    if (
        target not in link.verify
    ):  # asked for by a run that was cancelled; the next one does not want it
        plan(work, link)
        plan_queue(work, target)
        return
    link.verify = [each for each in link.verify if each != target]
    side = side_of(link, target)
    if outcome.result == "rejected" or side is None:
        words = outcome.error.message if outcome.error else "refused without a reason"
        work.journal(link, "not_verified", f"{target} did not show the record: {words}", target)
        runs.count(work.state, run_id, answered=1, failed=1)
    else:
        found = (
            _differing(link, side, target, outcome.data, outcome.deleted)
            if proves(side, flight, outcome)
            else []
        )
        _tell(work, link, run_id, target, found)
        runs.count(work.state, run_id, answered=1, different=1 if found else 0)
        if found and only_looks:
            _tell_plan(
                work, link, run_id, lambda scratch, copy: take_reply(scratch, copy, flight, outcome)
            )
        elif not only_looks:
            take_reply(work, link, flight, outcome)
            link.cause, link.lane = (
                (runs.cause_of(link.tenant, run_id), "bulk") if found else (link.cause, link.lane)
            )
    runs.end_if_answered(work.state, run_id)
    plan(work, link)
    plan_queue(work, target)


def reading(work: Session, message: Reading) -> None:
    """Compare one record of a complete reading; fold it only where the run repairs."""
    event, run_id = message.record, message.run
    run = runs.named(work.state, run_id)
    if run is None or run.is_over:
        return
    work.cause = runs.cause_of(event.tenant, run_id)
    runs.count(work.state, run_id, **{f"{event.system}/{event.entity}": 1})
    link = by_id(work.state, event.entity, event.system, event.id)
    side = side_of(link, event.system) if link is not None else None
    if link is None or side is None:
        if runs.is_forgotten(work.state, event.entity, event.system, event.id, event.version):
            key = reading_key(event.tenant, event.system, event.entity, event.id).decode()
            work.erase("readings", key)
        elif run.repair:
            observed(work, event)
        return
    found = _differing(link, side, event.system, event.data, event.deleted)
    if not found:
        return
    flying = link.flight is not None and link.flight.command.target == event.system
    if flying or event.version < side.version:
        _read_once_more(work, link, event.system, run_id, run)
        return
    runs.count(work.state, run_id, different=1)
    _tell(work, link, run_id, event.system, found)
    if run.repair:
        link.cause, link.lane = work.cause, "bulk"
        _fold(link, side, event)
        plan(work, link)
    else:
        _tell_plan(
            work,
            link,
            run_id,
            lambda _, copy: _fold(copy, side_of(copy, event.system) or side, event),
        )


def _read_once_more(work: Session, link: Link, system: System, run_id: str, run: Run) -> None:
    """A reading proves nothing while we are changing the record, nor where something newer was
    seen, unless that has a version which was never the record's own: it is read again to know."""
    if run.only_looks and link.state in runs.REFUSED:
        runs.count(work.state, run_id, left_alone=1)  # planning it again would try it again
        return
    if link.run != run_id:
        link.verify, link.run = [], run_id
    if system not in link.verify:
        link.verify = [*link.verify, system]
        runs.count(work.state, run_id, asked=1)
        plan(work, link)


def reading_completed(work: Session, message: ReadingCompleted) -> None:
    """One entity of one system has been read; the run is done when all have been."""
    runs.take_completed(work.state, message.run, message.system, message.entity, message.records)


def _fold(link: Link, side: Side, event: Observed) -> None:
    """Take a reading in as an edit, whatever its version says; what an older mapping carried is
    changed too."""
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


def _differing(
    link: Link, side: Side, system: System, data: dict[str, Any] | None, deleted: bool
) -> Found:
    """The fields in which a record is not what it is believed to be, or what was carried of it is
    not what it is."""
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
        elif side.remapped.get(name, value) != value and (
            theirs is None or (theirs.seen or {}).get(name) != value
        ):
            found.append((name, value, side.remapped[name]))
    return found


def _tell(work: Session, link: Link, run_id: str, system: System, found: Found) -> None:
    for name, value, believed in found:
        text = f"{name} in {system} is not what it was taken for"
        work.journal(
            link,
            "drift",
            text,
            system,
            name,
            value,
            believed,
            entry=f"run-{run_id}-{system}-{name}",
        )


def _tell_plan(work: Session, link: Link, run_id: str, take: Any) -> None:
    """What would be written if the reading were folded, found out on a copy that is thrown away."""
    scratch = work.scratch()
    scratch.state.put(link)
    copy = scratch.state.get(link.entity, link.key)
    if copy is None:
        raise ValueError(f"{link.key} cannot be read back")
    copy.verify, copy.flight = [], None
    take(scratch, copy)
    plan(scratch, copy)
    work_off(scratch)
    would = [each for each in scratch.outputs if isinstance(each, Command)]
    after = scratch.state.get(link.entity, link.key)
    if not would and after is not None and after.plan is not None:
        would = [after.plan]
    for command in would:
        text = f"would {command.op} in {command.target}: {', '.join(command.fields)}"
        work.journal(
            link,
            "would",
            text,
            command.target,
            None,
            command.fields or None,
            command.expected or None,
            entry=f"run-{run_id}-would-{command.target}",
        )
    if not would:
        text = (
            f"nothing would be written: {after.state}: {after.reason}"
            if after
            else "nothing would be written"
        )
        work.journal(link, "would", text, entry=f"run-{run_id}-would")
