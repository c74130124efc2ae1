"""What follows from one message: `decide(state, message, now) -> (state, outputs)`. Pure; read this
first.

The linker never acts on "the event": a reading moves what was seen of one side, then the link is
planned from the states it holds. At most one command per link is in flight; its outcome plans
again.
"""

from contracts import facts
from contracts.messages import (
    Observed,
    Outcome,
    Reading,
    ReadingCompleted,
    Signal,
    SnapshotCompleted,
)
from services.linker import books
from services.linker.answers import outcome
from services.linker.compare import reading, reading_completed
from services.linker.operators import carry_out
from services.linker.plan import plan_bucket, plan_sharers, work_off
from services.linker.runs import facts as runs
from services.linker.session import Output, Session
from services.linker.state import State
from services.linker.take import observed

Message = Observed | SnapshotCompleted | Outcome | Signal | Reading | ReadingCompleted


def decide(state: State, message: Message, now: str) -> tuple[State, list[Output]]:
    """The state after a message and what is to be sent. `state` itself is not changed; `now` is ISO
    8601 UTC."""
    work = Session(state.child(), now)
    match message:
        case Observed():
            observed(work, message)
        case SnapshotCompleted():
            _snapshot_completed(work, message)
        case Outcome():
            outcome(work, message)
        case Signal():
            carry_out(work, message)
        case Reading():
            reading(work, message)
        case ReadingCompleted():
            reading_completed(work, message)
    work_off(work)
    plan_sharers(work)
    books.weigh_neighbours(work)
    return work.state, work.outputs


def _snapshot_completed(work: Session, message: SnapshotCompleted) -> None:
    work.cause = f"{message.tenant}/{message.system}/{message.entity}/{message.snapshot}"
    barrier = facts.Barrier(
        snapshot=message.snapshot, records=message.records, completed_at=message.completed_at
    )
    facts.put(work.state, barrier, f"{message.entity}/{message.system}")
    run = runs.active(work.state)
    if run is not None and run[0] == message.snapshot:
        runs.take_completed(
            work.state, message.snapshot, message.system, message.entity, message.records
        )
    if work.barrier_open(message.entity):
        plan_bucket(work, f"pending|{message.entity}")
