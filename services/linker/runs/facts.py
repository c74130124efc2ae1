"""Runs: records read again on purpose and compared with what is believed of them. Pure.

`replay` has single records verified by commands, `reconcile` compares complete readings, `rebuild`
forgets the links and lets complete readings make them anew. One run of a tenant at a time; control
`run/<id>` holds how far it is, and `active/run` which one it is.
"""

from typing import Any

import msgspec

from contracts import facts
from contracts.entities import EntityName, System
from contracts.facts import Run
from contracts.messages import STOPPED_BY, Link
from services.linker.state import State

REFUSED = ("rejected", "broken", "conflict")


def named(state: State, run_id: str) -> Run | None:
    """What is known of a run."""
    return facts.get(state, Run, run_id)


def active(state: State) -> tuple[str, Run] | None:
    """The run under way: its id and what is known of it."""
    marked = facts.get(state, facts.Active, "run")
    run = named(state, marked.id) if marked is not None else None
    return (marked.id, run) if marked is not None and run is not None and not run.is_over else None


def begin(state: State, run_id: str, run: Run) -> None:
    """Make a run the tenant's one."""
    facts.put(state, run, run_id)
    facts.put(state, facts.Active(id=run_id), "run")


def update(state: State, run_id: str, /, **changes: Any) -> None:
    """Change what is known of a run; one that is not known stays so."""
    if (run := named(state, run_id)) is not None:
        facts.put(state, msgspec.structs.replace(run, **changes), run_id)


def count(state: State, run_id: str, /, **more: int) -> None:
    """Add to the figures of a run."""
    if (run := named(state, run_id)) is not None:
        counts = {name: run.counts.get(name, 0) + number for name, number in more.items()}
        update(state, run_id, counts={**run.counts, **counts})


def may_read(state: State) -> bool:
    """Whether readings of a run go on: not while it is paused, nor while another vendor account is
    connected."""
    run = active(state)
    paused = run is not None and run[1].state == "paused"
    return not paused and not any(facts.holds(state, facts.Stopped, each) for each in STOPPED_BY)


def is_clearing(state: State) -> bool:
    """Whether a rebuild is removing the links there are."""
    run = active(state)
    return run is not None and run[1].state == "clearing"


def hand_on(state: State, link: Link, gone: Link) -> None:
    """Let a link ask for the readings that one which becomes part of it has not had yet."""
    run = active(state)
    if run is None or gone.run != run[0] or not gone.verify:
        return
    mine = link.verify if link.run == gone.run else []
    link.verify, link.run = list(dict.fromkeys([*mine, *gone.verify])), gone.run
    if (twice := len(mine) + len(gone.verify) - len(link.verify)) > 0:
        count(state, gone.run, answered=twice)


def leave_out(state: State, link: Link) -> None:
    """Of a link that goes for good, no reading is waited for any more."""
    run = active(state)
    if run is not None and link.run == run[0] and link.verify:
        count(state, link.run, answered=len(link.verify))
        end_if_answered(state, link.run)


def is_left_alone(link: Link, *, dry: bool) -> bool:
    """A held batch is being looked at, and must not change under the reader; a dry run must not try
    again what was refused."""
    return link.state == "held" or (dry and link.state in REFUSED)


def end_if_answered(state: State, run_id: str) -> None:
    """A run whose questions have all been answered is done."""
    run = named(state, run_id)
    if run is None or run.state != "working":
        return
    if run.counts.get("asked", 0) == run.counts.get("answered", 0):
        update(state, run_id, state="done")


def take_completed(
    state: State, run_id: str, system: System, entity: EntityName, records: int
) -> None:
    """Note that a run's reading is complete."""
    run = named(state, run_id)
    if run is None or run.is_over:
        return
    parts = {**run.parts, f"{system}/{entity}": records}
    if None in parts.values():
        update(state, run_id, parts=parts)
    elif run.state == "paused":
        update(state, run_id, parts=parts, paused="working")
    else:
        update(state, run_id, parts=parts, state="working")
    end_if_answered(state, run_id)


def is_forgotten(
    state: State, entity: EntityName, system: System, record_id: str, version: str
) -> bool:
    """Whether a reading is of a record that was forgotten in this state; a reused id comes with a
    newer version."""
    fact = facts.get(state, facts.Forgotten, f"{entity}/{system}/{record_id}")
    return fact is not None and version <= fact.version


def cause_of(tenant: str, run_id: str) -> str:
    """The cause of what a run leads to."""
    return f"{tenant}/run/{run_id}"
