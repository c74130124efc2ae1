"""Our own writes, once they are finished: which edit one of them covered, and which reading shows
one that came late. Pure.

Chargebee has no precondition: between a sink's read and its write somebody may edit, and a request
whose process was killed may arrive after newer values were agreed.
"""

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import Any, Literal

from contracts.messages import Author, Command, Flight, Outcome, Side, Write

MAX_WRITES = 8
SUSPECT_FOR_S = 600

Judgement = Literal["edit", "late", "suspect"]


def remember(side: Side, flight: Flight, outcome: Outcome) -> Write | None:
    """Keep an answered update; None where it wrote nothing: then it covered nothing, though a
    request of it that was given up may still come. What was read meanwhile may show that all or a
    part of such a request got through."""
    command = flight.command
    if command.op != "update":
        return None
    version, data = outcome.version, outcome.data
    names = () if version is None or data is None else _carried(command, outcome)
    if names != tuple(command.fields) and (
        outcome.result in ("stale", "rejected") or outcome.maybe_applied
    ):
        _keep(
            side,
            Write(planned="", returned="", expected={}, written=command.fields, at=outcome.at),
        )
    if version is None or data is None or not names:
        return _seen_to_arrive(side, flight, outcome)
    left = {*command.fields} - {*names}
    written = {name: command.fields[name] for name in names}
    returned = {name: data.get(name) for name in names}
    planned = command.target_version or ""
    # A version that was never the record's own: looked at since the write before.
    if planned > version:
        planned = max(
            (each.returned for each in side.writes if each.returned < version), default=""
        )
    write = Write(
        planned=planned,
        returned=version,
        expected={name: held for name, held in command.expected.items() if name not in left},
        written=written,
        at=outcome.at,
        returned_as={name: value for name, value in returned.items() if value != written[name]},
    )
    _keep(side, write)
    return write


def _seen_to_arrive(side: Side, flight: Flight, outcome: Outcome) -> Write | None:
    command = flight.command
    planned = command.target_version or ""
    arrived = [
        version
        for version, fields in flight.during
        if version > planned
        and (
            flight.authors.get(version) == "tandem"
            or any(
                fields.get(name) == value and value != command.expected.get(name)
                for name, value in command.fields.items()
            )
        )
    ]
    if not arrived or (outcome.result == "applied" and not outcome.maybe_applied):
        return None
    write = Write(
        planned=planned,
        returned=max(arrived),
        expected=command.expected,
        written=command.fields,
        at=outcome.at,
    )
    _keep(side, write)
    return write


def _carried(command: Command, outcome: Outcome) -> tuple[str, ...]:
    """The fields that the record shows by a request of this command: all of one that was applied
    and wrote, else what an earlier attempt whose reply was lost had done already."""
    if outcome.result == "applied" and outcome.wrote:
        return tuple(command.fields)
    return tuple(name for name in outcome.done if name in command.fields)


def came_late(side: Side, before: Mapping[str, Any], version: str, late: Mapping[str, Any]) -> None:
    """Keep a write that no command accounts for; `before` is what was seen at `version`, when it
    had not come yet."""
    expected = {name: before.get(name) for name in late}
    _keep(
        side, Write(planned=version, returned=side.version, expected=expected, written=dict(late))
    )


def _keep(side: Side, write: Write) -> None:
    side.writes = [*side.writes, write][-MAX_WRITES:]


def held_by(write: Write, name: str, value: Any) -> bool:
    """Whether a value is what was written into a field, or what the vendor made of it."""
    return name in write.written and value in (
        write.written[name],
        write.returned_as.get(name, write.written[name]),
    )


def covered(
    side: Side, write: Write, version: str, fields: Mapping[str, Any], shown: Collection[str]
) -> Iterator[tuple[str, Any, Any]]:
    """The edits of a reading from between a sink's planning and its write: field, value that was
    covered, and what stands now. Neither what we wrote, nor what still stands was lost, nor what
    was expected, unless our write was `shown` before: then somebody took it back."""
    if not write.planned < version < write.returned:
        return
    for name, value in fields.items():
        stands = (side.seen or {}).get(name)
        if (
            name in write.expected
            and value != stands
            and (value != write.expected[name] or name in shown)
            and not held_by(write, name, value)
        ):
            yield name, value, stands


def judge(side: Side, name: str, value: Any, made_by: Author | None, now: str) -> Judgement:
    """What a newer value of a field is: somebody's edit, a write of ours that came late, or one of
    the two.

    An earlier command wrote it, or tried to, and not the last one. Where the vendor names the
    author that decides; otherwise it is suspect for SUSPECT_FOR_S seconds, after which a person who
    enters an old value again is more likely.
    """
    writers = [write for write in side.writes if held_by(write, name, value)]
    if made_by == "tandem":
        # What the vendor makes of a value is not known of a request that never returned: its field
        # is enough.
        unanswered = any(not write.returned and name in write.written for write in side.writes)
        return "late" if writers or unanswered else "edit"
    if not writers or made_by == "others":
        return "edit"
    last = next(
        (each for each in reversed(side.writes) if each.returned and name in each.written), None
    )
    recent = _seconds(writers[-1].at, now) <= SUSPECT_FOR_S
    return "suspect" if last not in writers and recent else "edit"


def _seconds(since: str, now: str) -> float:
    if not since:
        return SUSPECT_FOR_S + 1.0
    return (datetime.fromisoformat(now) - datetime.fromisoformat(since)).total_seconds()
