"""Our own writes, once they are finished: which edit one of them covered, and which reading shows
one that came late. Pure.

Chargebee has no precondition: between a sink's read and its write somebody may edit, and a request
whose process was killed may arrive after newer values were agreed.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Literal, NamedTuple

from contracts.messages import Author, Command, Flight, Outcome, Side, Write

MAX_WRITES = 8
SUSPECT_FOR_S = 600

Judgement = Literal["edit", "back", "late", "suspect"]


def remember(side: Side, flight: Flight, outcome: Outcome) -> list[Write]:
    """Keep an answered update. What wrote nothing covered nothing, though a request of it that was
    given up may still come: what was read meanwhile may show that all or a part of such a request
    got through."""
    command = flight.command
    if command.op != "update":
        return []
    names = () if outcome.version is None or outcome.data is None else _carried(command, outcome)
    left = [name for name in command.fields if name not in names]
    known = outcome.result == "applied" and not outcome.maybe_applied
    if left and (outcome.result in ("stale", "rejected") or outcome.maybe_applied):
        _keep(
            side,
            Write(planned="", returned="", expected={}, written=command.fields, at=outcome.at),
        )
    kept = []
    if names:
        kept.append(_answered(side, command, outcome, names))
    if left and not known and (arrived := _seen_to_arrive(side, flight, outcome, left)) is not None:
        kept.append(arrived)
    for write in kept:
        _keep(side, write)
    return kept


def _answered(side: Side, command: Command, outcome: Outcome, names: tuple[str, ...]) -> Write:
    version, data = outcome.version or "", outcome.data or {}
    written = {name: command.fields[name] for name in names}
    returned = {name: data.get(name) for name in names}
    planned = command.target_version or ""
    # A version that was never the record's own: looked at since the write before.
    if planned > version:
        planned = max(
            (each.returned for each in side.writes if each.returned < version), default=""
        )
    return Write(
        planned=planned,
        returned=version,
        expected=_held_before(command, names),
        written=written,
        at=outcome.at,
        returned_as={name: value for name, value in returned.items() if value != written[name]},
    )


def _seen_to_arrive(side: Side, flight: Flight, outcome: Outcome, names: list[str]) -> Write | None:
    """What the readings meanwhile show to have come of these fields of a command, whose answer says
    nothing of them, or of one before it that had no answer either."""
    command = flight.command
    given_up = [write for write in side.writes if not write.returned]
    planned = command.target_version or ""
    wanted = {name: command.fields[name] for name in names}
    arrived = [
        version
        for version, fields in flight.during
        if version > planned
        and (
            flight.authors.get(version) == "tandem"
            or any(_shows(command, fields, name, given_up) for name in wanted)
        )
    ]
    if not arrived:
        return None
    return Write(
        planned=planned,
        returned=max(arrived),
        expected=_held_before(command, names),
        written=wanted,
        at=outcome.at,
    )


def _held_before(command: Command, names: Collection[str]) -> dict[str, Any]:
    """What was held in these of the written fields, and in those that were only looked at."""
    return {
        name: held
        for name, held in command.expected.items()
        if name in names or name not in command.fields
    }


def was_shown(flight: Flight, name: str, until: str) -> bool:
    """Whether a reading since the command was planned and before a version shows what it writes
    into a field."""
    planned = flight.command.target_version or ""
    return any(
        planned < version < until and _shows(flight.command, fields, name)
        for version, fields in flight.during
    )


def _shows(
    command: Command, fields: Mapping[str, Any], name: str, others: Iterable[Write] = ()
) -> bool:
    value = fields.get(name)
    if name not in fields or value == command.expected.get(name):
        return False
    return value == command.fields.get(name) or any(held_by(each, name, value) for each in others)


def _carried(command: Command, outcome: Outcome) -> tuple[str, ...]:
    """The fields that the record shows by a request of this command: all of one that was applied
    and wrote, else what an earlier attempt whose reply was lost had done already."""
    if outcome.result == "applied" and outcome.wrote:
        return tuple(command.fields)
    return tuple(name for name in outcome.done if name in command.fields)


def came_late(
    side: Side, before: Mapping[str, Any], version: str, late: Mapping[str, Any], now: str
) -> None:
    """Keep a write that no command accounts for; `before` is what was seen at `version`, when it
    had not come yet."""
    expected = {name: before.get(name) for name in late}
    write = Write(
        planned=version, returned=side.version, expected=expected, written=dict(late), at=now
    )
    _keep(side, write)


def _keep(side: Side, write: Write) -> None:
    side.writes = [*side.writes, write][-MAX_WRITES:]


def held_by(write: Write, name: str, value: Any) -> bool:
    """Whether a value is what was written into a field, or what the vendor made of it."""
    return name in write.written and value in (
        write.written[name],
        write.returned_as.get(name, write.written[name]),
    )


class Covered(NamedTuple):
    """An edit that a write of ours covered: the version that a reading showed it at, and what
    stands there now."""

    name: str
    version: str
    value: Any
    stands: Any


def covered(side: Side, write: Write, version: str, fields: Mapping[str, Any]) -> Iterator[Covered]:
    """The edits that a reading from between a sink's planning and its write tells of. Neither what
    we wrote nor what still stands was lost. Nor was what had been expected, unless our write was
    shown before it: then somebody took back a first attempt, and a second one covered that."""
    if not write.planned < version < write.returned:
        return
    for name, value in fields.items():
        stands = (side.seen or {}).get(name)
        if name not in write.expected:
            continue
        before = write.expected[name]
        if held_by(write, name, value) or value == before:
            back = _taken_back(write, name, version, is_ours=held_by(write, name, value))
            if back and before != stands:
                yield Covered(name, back, before, stands)
        elif value != stands:
            yield Covered(name, version, value, stands)


def _taken_back(write: Write, name: str, version: str, *, is_ours: bool) -> str:
    """Note that a reading showed what we wrote, or what was held before. The version at which our
    write is now known to have been taken back; "" where it is not, or was known."""
    ours, before = write.between.get(name, ("", ""))
    known = bool(ours) and ours < before
    if is_ours:
        ours = min(ours or version, version)
    else:
        before = max(before, version)
    write.between[name] = (ours, before)
    return before if not known and ours and ours < before else ""


def judge(side: Side, name: str, value: Any, made_by: Author | None, now: str) -> Judgement:
    """What a newer value of a field is: somebody's edit, a write of ours that came late, or one of
    the two.

    An earlier command wrote it, or tried to, and not the last one. Where the vendor names the
    author that decides; otherwise it is suspect for SUSPECT_FOR_S seconds, after which a person who
    enters an old value again is more likely. What the last command wrote is `back`: it is what was
    agreed, whoever put it there.
    """
    writers = [write for write in side.writes if held_by(write, name, value)]
    if made_by == "tandem":
        # What the vendor makes of a value is not known of a request that never returned: its field
        # is enough.
        unanswered = any(not write.returned and name in write.written for write in side.writes)
        return "late" if writers or unanswered else "edit"
    if not writers or made_by == "others" or _seconds(writers[-1].at, now) > SUSPECT_FOR_S:
        return "edit"
    last = next(
        (each for each in reversed(side.writes) if each.returned and name in each.written), None
    )
    return "back" if last in writers else "suspect"


def _seconds(since: str, now: str) -> float:
    if not since:
        return SUSPECT_FOR_S + 1.0
    return (datetime.fromisoformat(now) - datetime.fromisoformat(since)).total_seconds()
