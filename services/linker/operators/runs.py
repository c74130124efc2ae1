"""What an operator says of runs: replay, reconcile, rebuild, reload, and of the one under way.
Pure."""

from typing import Any

from contracts import facts, signals
from contracts.entities import ENTITIES, SYSTEMS, EntityName
from contracts.facts import Kept, Run
from contracts.messages import Link
from contracts.said import say
from contracts.topics import ENTITY_TOPICS
from services.linker.arguments import Refused, entities_of
from services.linker.operators.forget import raise_floor
from services.linker.plan import plan_queue
from services.linker.runs import facts as runs
from services.linker.session import MAX_AT_ONCE, Session
from services.linker.state import State, sides


def replay(work: Session, said: signals.Replay, run_id: str) -> dict[str, Any]:
    """Verify the records that have events in ranges of the entity topics; `ranges` are [from, to)
    by topic."""
    _refuse_second(work.state)
    known = {ENTITY_TOPICS[entity] for entity in ENTITIES}
    if not said.ranges or not known.issuperset(said.ranges):
        raise Refused(say("refused_ranges", list=", ".join(sorted(known))))
    run = Run(
        kind="replay",
        state="reading",
        at=work.now,
        args=signals.args_of(said),
        dry_run=said.dry_run,
    )
    runs.begin(work.state, run_id, run)
    return {"run": run_id}


def reconcile(work: Session, said: signals.Reconcile, run_id: str) -> dict[str, Any]:
    """Have both systems read whole and compared; with `repair` what differs is folded and so
    corrected."""
    _refuse_second(work.state)
    run = Run(
        kind="reconcile",
        state="reading",
        at=work.now,
        args=signals.args_of(said),
        repair=said.repair,
        parts=_parts(work.state, entities_of(said.entity)),
    )
    runs.begin(work.state, run_id, run)
    return {"run": run_id}


def rebuild(work: Session, run_id: str) -> dict[str, Any]:
    """Forget all links and make them anew from complete readings; the tenant observes, so nothing
    is created."""
    _refuse_second(work.state)
    facts.put(work.state, facts.Mode(mode="observe"))
    for entity in ENTITIES:
        facts.take_back(work.state, facts.Batch, f"{entity}/observe")
        facts.take_back(work.state, facts.Released, entity)
        for system in SYSTEMS:
            facts.take_back(work.state, facts.Barrier, f"{entity}/{system}")
    parts = _parts(work.state, ENTITIES)
    run = Run(kind="rebuild", state="clearing", at=work.now, args={}, parts=parts)
    runs.begin(work.state, run_id, run)
    clear(work, run_id)
    return {"run": run_id}


def reload(work: Session, signal: str) -> None:
    """Have the process read the map anew from its topic and compare it with what it held."""
    facts.put(work.state, facts.Reload(signal=signal, state="asked", at=work.now))


def clear(work: Session, run_id: str) -> None:
    """Remove some links of a rebuild; a signal to ourselves goes on, and at the end the readings
    begin."""
    run = runs.named(work.state, run_id)
    if run is None or run.state != "clearing":
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
        work.go_on(signals.Advance(clear=run_id))
    else:
        runs.update(work.state, run_id, state="reading")


def _keep(state: State, link: Link) -> None:
    """What a person decided about a record, and what we have done to it, outlives its link."""
    said = Kept(**{name: getattr(link, name) for name in Kept.__struct_fields__})
    if said == Kept():
        return
    for system, side in sides(link):
        facts.put(state, said, f"{link.entity}/{system}/{side.id}")


def _parts(state: State, entities: tuple[EntityName, ...]) -> dict[str, int | None]:
    """What is to be read; orders only where they are read at all."""
    read = [
        entity for entity in entities if entity != "order" or state.policy.start_orders is not None
    ]
    if not read:
        raise Refused(say("refused_orders"))
    return {f"{system}/{entity}": None for entity in read for system in SYSTEMS}


def _refuse_second(state: State) -> None:
    if (under_way := runs.active(state)) is not None:
        run_id, run = under_way
        raise Refused(say("refused_second_run", kind=run.kind, id=run_id, state=run.state))


# -- the run under way


def pause_run(work: Session, run_id: str) -> None:
    """Let the readings of a run rest."""
    run = _named(work.state, run_id)
    if run.state not in ("reading", "working"):
        raise Refused(say("refused_run_state", kind=run.kind, id=run_id, state=run.state))
    runs.update(work.state, run_id, state="paused", paused=run.state)


def resume_run(work: Session, run_id: str) -> None:
    """Let a paused run go on."""
    run = _named(work.state, run_id)
    if run.state != "paused":
        raise Refused(say("refused_not_paused", kind=run.kind, id=run_id, state=run.state))
    runs.update(work.state, run_id, state=run.paused or "working")
    for system in SYSTEMS:
        plan_queue(work, system)
    runs.end_if_answered(work.state, run_id)


def cancel_run(work: Session, run_id: str) -> None:
    """End a run early; what it has found and written so far stays."""
    run = _named(work.state, run_id)
    if run.kind == "rebuild":
        raise Refused(say("refused_rebuild"))
    runs.update(work.state, run_id, state="cancelled")
    for system in SYSTEMS:
        plan_queue(work, system)  # takes the wish for a reading off the links


def _named(state: State, run_id: str) -> Run:
    under_way = runs.active(state)
    if under_way is None:
        raise Refused(say("refused_no_run"))
    if under_way[0] != run_id:
        raise Refused(say("refused_other_run", id=under_way[0]))
    return under_way[1]
