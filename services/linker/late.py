"""Edits and old writes that meet: what a write of ours covered, and what a request of ours put back
late. Pure."""

from collections.abc import Iterable
from typing import Any

from contracts.entities import FIELDS, System, other
from contracts.messages import Author, Flight, Link, Observed, Outcome, Side, Write
from contracts.vendors import CAPABILITIES, vendor_part
from services.linker import writes
from services.linker.session import Session
from services.linker.state import side_of


def overtaken(work: Session, link: Link, event: Observed) -> bool:
    """A reading older than what is known, looked through for edits that a write of ours covered;
    whether there was anything in it to remember."""
    side = side_of(link, event.system)
    if side is None or event.data is None:
        return False
    known = [dict(write.between) for write in side.writes]
    for write in side.writes:
        fields = {name: event.data.get(name) for name in write.expected}
        covered(work, link, event.system, write, event.version, fields)
    return known != [write.between for write in side.writes]


def covered(
    work: Session, link: Link, system: System, write: Write, version: str, fields: dict[str, Any]
) -> None:
    """Tell of the edits that a write of ours covered; `fields` are what a reading of this version
    showed."""
    side = side_of(link, system)
    for found in writes.covered(side, write, version, fields) if side is not None else ():
        text = f"an edit of {found.name} in {system} was overwritten by our write"
        entry = f"overwritten-{found.version}-{found.name}"
        work.journal(
            link, "overwritten", text, system, found.name, found.stands, found.value, entry=entry
        )


def written_again(work: Session, link: Link, flight: Flight, outcome: Outcome) -> None:
    """Tell of the fields in which somebody may have taken back a first attempt of which nobody
    knows what became: the record had moved meanwhile and held what was expected or agreed, or it
    shows a part of what a vendor writes whole, or a reading meanwhile showed what the attempt
    wrote."""
    command, data = flight.command, outcome.data or {}
    side = side_of(link, command.target)
    is_whole = bool(outcome.done) and CAPABILITIES[command.target].guards_writes
    for name, before in command.expected.items():
        was_written = outcome.again
        if outcome.result == "stale":
            was_shown = writes.was_shown(flight, name, outcome.version or "")
            was_written = was_written or is_whole or was_shown
            # Any other value is an edit.
            is_agreed = side is not None and name not in side.base and name not in side.unset
            was_written = was_written and (data.get(name) == before or is_agreed)
        if name in outcome.done or not was_written:
            continue
        text = (
            f"our write of {name} in {command.target}, whose answer was lost, may have been taken "
            f"back; it is written again"
        )
        value = command.fields.get(name)
        lost = data.get(name) if outcome.result == "stale" else before
        work.journal(link, "overwritten", text, command.target, name, value, lost)


def judge_moved(
    work: Session,
    link: Link,
    system: System,
    before: dict[str, Any],
    version: str,
    made_by: Author | None,
    names: Iterable[str] | None = None,
) -> None:
    """Look at the fields that have moved from `before` for what an earlier write of ours held."""
    side = side_of(link, system)
    guarded = CAPABILITIES[system].guards_writes
    if guarded or side is None or side.seen is None or not side.writes:
        return
    flying = (
        link.flight.command.fields
        if link.flight is not None and link.flight.command.target == system
        else {}
    )
    found: dict[str, Any] = {}
    again: dict[str, Any] = {}  # written once more, over whatever stood there in between
    is_stray = made_by == "tandem" and not flying
    for name in names if names is not None else FIELDS[link.entity]:
        value = side.seen.get(name)
        if name in flying or value == before.get(name):
            if is_stray and any(writes.held_by(each, name, value) for each in side.writes):
                again[name] = value
            continue
        source = side_of(link, other(system))
        stands = ((source and source.seen) or {}).get(name)
        if made_by == "others" and name in side.doubt:
            side.doubt = [
                each for each in side.doubt if each != name
            ]  # what is seen there has an author
        judgement = writes.judge(side, name, value, made_by, work.now)
        if judgement == "edit":
            continue
        if name in before and _was_edited(side, name, before[name], stands):
            _tell_edit(work, link, system, name, judgement, before[name], stands)
        if judgement != "back":
            found[name] = value
            settle = _restore if judgement == "late" else _suspect
            settle(work, link, system, side, name, stands)
    if found or again:
        writes.came_late(side, before, version, {**found, **again}, work.now)


def author_told(work: Session, link: Link, side: Side, event: Observed) -> bool:
    """An event that is no news names who made a value that is suspect: somebody else, so it is an
    edit, or our own key at the version where it was found."""
    if event.made_by is None or event.data is None or side.seen is None:
        return False
    names = [name for name in side.suspect if event.data.get(name) == side.seen.get(name)]
    if event.made_by == "tandem" and vendor_part(event.version) != vendor_part(side.version):
        names = []  # the value may have stood there before our write
    for name in names:
        side.suspect = [each for each in side.suspect if each != name]
        link.differences = [each for each in link.differences if each != name]
        if event.made_by == "tandem":
            theirs = side_of(link, other(event.system))
            stands = ((theirs and theirs.seen) or {}).get(name)
            _restore(work, link, event.system, side, name, stands)
    return bool(names)


def _restore(work: Session, link: Link, system: System, side: Side, name: str, stands: Any) -> None:
    """A request of ours came late: what was agreed since is written again, unless that is what it
    put there."""
    held = (side.seen or {}).get(name)
    if held == stands:
        return
    side.base.pop(name, None)
    side.late = [*side.late, name]
    text = (
        f"a request of ours came late and put an old {name} into {system}; what was agreed is "
        f"written again"
    )
    work.journal(link, "late_write", text, system, name, stands, held)


def _suspect(work: Session, link: Link, system: System, side: Side, name: str, stands: Any) -> None:
    """A late request of ours, or a person who entered an old value again: nobody named the
    author."""
    held = (side.seen or {}).get(name)
    if held == stands:
        return
    side.suspect = [*side.suspect, name]
    link.differences = [*(each for each in link.differences if each != name), name]
    text = (
        f"{name} in {system} is again what an earlier write of ours held; a person decides "
        f"what it is"
    )
    work.journal(link, "suspect", text, system, name, held, stands)


def _tell_edit(
    work: Session,
    link: Link,
    system: System,
    name: str,
    judgement: writes.Judgement,
    covered: Any,
    stands: Any,
) -> None:
    if judgement == "late":
        text = f"an edit of {name} in {system} was overwritten by a request of ours that came late"
        work.journal(link, "overwritten", text, system, name, stands, covered)
    elif judgement == "back":
        text = (
            f"an edit of {name} in {system} was taken back, or overwritten by a request of ours "
            f"that came late: nobody named the author"
        )
        work.journal(link, "overwritten", text, system, name, stands, covered)
    else:
        text = f"an old value of ours covers an edit of {name} in {system}"
        work.journal(link, "suspect", text, system, name, None, covered)


def _was_edited(side: Side, name: str, covered: Any, stands: Any) -> bool:
    """Whether a value that a request of ours covered was an edit that the other side does not hold
    yet; an emptied field is one too. A field that shows again what was agreed has no base."""
    agreed = side.base.get(name, (side.seen or {}).get(name))
    return name not in side.unset and covered not in (
        agreed,
        side.remapped.get(name, agreed),
        stands,
    )
