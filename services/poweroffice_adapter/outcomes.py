"""What a command's outcome says, from what was read or returned. Pure."""

from collections.abc import Mapping

import msgspec

from contracts.entities import wire
from contracts.messages import Command, Outcome, Problem, Result, answer_to
from runtime.problems import told
from services.poweroffice_adapter.guard import present
from services.poweroffice_adapter.mapping import MAPPING, NEVER, Reading, version


def outcome_of(
    command: Command,
    result: Result,
    reading: Reading,
    number: int,
    at: str,
    *,
    wrote: bool,
    done: tuple[str, ...] = (),
    skipped: Mapping[str, Problem] | None = None,
) -> Outcome:
    """The outcome for a record as it was read or returned."""
    return msgspec.structs.replace(
        told(answer_to(command, result, at), skipped),
        id=reading.id,
        mapping=MAPPING,
        done=done,
        stamp=reading.stamp,
        incomplete=reading.incomplete,
        data=wire(present(reading)),
        version=version(reading.newest_at, number, command.target_version),
        wrote=wrote,
    )


def gone(command: Command, number: int, at: str, *, wrote: bool) -> Outcome:
    """The outcome for a record that is not in Go any more."""
    return msgspec.structs.replace(
        answer_to(command, "applied", at),
        id=command.target_id,
        mapping=MAPPING,
        deleted=True,
        wrote=wrote,
        version=version(NEVER, number, command.target_version),
    )


def twins_met(command: Command, twins: tuple[str, ...], at: str) -> Outcome:
    """The outcome of a create that found what it would make a second time."""
    return msgspec.structs.replace(
        answer_to(command, "stale", at), mapping=MAPPING, wrote=False, twins=twins
    )
