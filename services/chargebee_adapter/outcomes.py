"""What a command's outcome says, from what was read or returned. Pure."""

from dataclasses import dataclass, field
from typing import Literal

import msgspec

from contracts.messages import Command, Outcome, Problem, answer_to
from runtime.problems import told
from services.chargebee_adapter import mapping
from services.chargebee_adapter.mapping import Reading


@dataclass(frozen=True)
class Written:
    """How a command ended, with the record as the vendor holds it now; None where a create met
    twins. `done` are the fields that held what was to be written, `skipped` those that Chargebee
    cannot take, with the reason; `again` is that of `Outcome`."""

    result: Literal["applied", "adopted", "stale"]
    reading: Reading | None
    done: tuple[str, ...] = ()
    skipped: dict[str, Problem] = field(default_factory=dict)
    twins: tuple[str, ...] = ()
    again: bool = False


def outcome_of(command: Command, written: Written, at: str, *, calls: int, writes: int) -> Outcome:
    """The outcome of what was written, or found. `at` is ISO 8601 in UTC; `calls` and `writes` are
    the requests made and those that changed something."""
    # Of a repeated command an earlier attempt may have written; a create that is adopted has.
    in_doubt = command.look_first and command.op in ("update", "stamp")
    outcome = msgspec.structs.replace(
        told(answer_to(command, written.result, at), written.skipped),
        mapping=mapping.MAPPING,
        done=written.done if written.result == "stale" or written.again else (),
        calls=calls,
        wrote=writes > 0 or in_doubt or written.result == "adopted",
        twins=written.twins,
        again=written.again,
    )
    if (reading := written.reading) is None:
        return outcome
    return msgspec.structs.replace(
        outcome,
        id=reading.id,
        version=reading.version,
        data=reading.data,
        stamp=reading.stamp,
        incomplete=reading.incomplete,
        error=reading.problem,
        deleted=reading.deleted,
    )
