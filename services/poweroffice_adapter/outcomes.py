"""What a command's outcome says, from what was read or returned. Pure."""

from collections.abc import Mapping

from contracts.entities import Entity, wire
from contracts.messages import Command, Outcome, Problem, Result
from runtime.vendor import Refused
from services.poweroffice_adapter.mapping import MAPPING, NEVER, Reading, version


def content(reading: Reading) -> Entity:
    """The record itself. Raises Refused for one that cannot be understood."""
    if isinstance(reading.content, Problem):
        problem = reading.content
        raise Refused(problem.code, problem.message, field=problem.field)
    return reading.content


def outcome_of(
    command: Command, result: Result, reading: Reading, number: int, at: str, *, wrote: bool,
    done: tuple[str, ...] = (), skipped: Mapping[str, str] | None = None,
) -> Outcome:  # fmt: skip
    """The outcome for a record as it was read or returned."""
    return Outcome(
        tenant=command.tenant, entity=command.entity, link=command.link, seq=command.seq, target=command.target,
        result=result, at=at, id=reading.id, mapping=MAPPING, done=done, stamp=reading.stamp,
        data=wire(content(reading)), version=version(reading.newest_at, number, command.target_version),
        wrote=wrote, skipped=dict(skipped or {}),
    )  # fmt: skip


def gone(command: Command, number: int, at: str, *, wrote: bool) -> Outcome:
    """The outcome for a record that is not in Go any more."""
    return Outcome(
        tenant=command.tenant, entity=command.entity, link=command.link, seq=command.seq, target=command.target,
        result="applied", at=at, id=command.target_id, mapping=MAPPING, deleted=True, wrote=wrote,
        version=version(NEVER, number, command.target_version),
    )  # fmt: skip


def twins_met(command: Command, twins: tuple[str, ...], at: str) -> Outcome:
    """The outcome of a create that found what it would make a second time."""
    return Outcome(
        tenant=command.tenant, entity=command.entity, link=command.link, seq=command.seq, target=command.target,
        result="stale", at=at, mapping=MAPPING, wrote=False, twins=twins,
    )  # fmt: skip
