"""Records that need a person: planned again, or a difference or finding settled. Pure."""

from collections.abc import Iterable
from typing import Any

from contracts import signals
from contracts.entities import EntityName, other
from contracts.messages import Link, Side
from contracts.said import say
from services.linker import books
from services.linker.arguments import Refused, entities_of, link_of
from services.linker.merge import may_write
from services.linker.plan import plan
from services.linker.session import MAX_AT_ONCE, Session
from services.linker.state import agree, born_in_go, side_of, sides


def redrive(work: Session, said: signals.Redrive) -> dict[str, Any]:
    """Plan again from the present state, with attempts reset: the named links, or all that were
    rejected or in conflict. `letters` are the dead letters that are thereby done with."""
    if said.key is not None:
        if said.entity is None:
            raise Refused(say("refused_key_alone"))
        names = [(said.entity, link_of(work.state, said.entity, said.key).key)]
    elif said.names is not None:
        names = [name for name in said.names if work.state.get(*name) is not None]
    else:
        names = [
            name
            for entity in entities_of(said.entity)
            for state in ("rejected", "broken", "conflict")
            for name in work.state.find(f"{state}|{entity}")
        ]
    redrive_some(work, names[:MAX_AT_ONCE], live=said.key is not None)
    for begin in range(MAX_AT_ONCE, len(names), MAX_AT_ONCE):
        work.go_on(signals.Advance(redrive=names[begin : begin + MAX_AT_ONCE]))
    for key in said.letters:
        work.erase("dead-letters", key)
    return {"planned": len(names)}


def redrive_some(
    work: Session, names: Iterable[tuple[EntityName, str]], *, live: bool = False
) -> None:
    for name in names:
        if (link := work.state.get(*name)) is not None:
            link.aside, link.aside_said, link.twins = None, None, []
            link.stales, link.lane = 0, "live" if live else "bulk"
            _take_suspects(work, link)
            plan(work, link)


def _take_suspects(work: Session, link: Link) -> None:
    """What may be a late write of our own is a person's edit after all."""
    for system, side in sides(link):
        theirs = side_of(link, other(system))
        for name in side.suspect:
            value, losing = (side.seen or {}).get(name), ((theirs and theirs.seen) or {}).get(name)
            text = f"an operator takes {name} in {system} for an edit"
            work.journal(link, "settled", text, other(system), name, value, losing)
        side.suspect = []


def settle(work: Session, said: signals.Settle, by: str) -> None:
    """Decide a listed difference: `keep` names the system whose value is written, or none to leave
    both. Or end a `finding` with a `remark`; `by` names the person."""
    link = link_of(work.state, said.entity, said.key)
    if said.finding is not None:
        shown = (said.text, said.amount)
        books.settle(work, link, said.finding, said.remark or "", by, shown)
        plan(work, link)
        return
    name, keep = said.field, said.keep
    if name is None:
        raise Refused(say("refused_unnamed"))
    if name not in link.differences:
        fields = ", ".join(link.differences) or "none"
        raise Refused(say("refused_no_difference", field=name, key=link.key, fields=fields))
    link.differences.remove(name)
    link.asked = [each for each in link.asked if each != name]
    suspect = any(name in side.suspect for _, side in sides(link))
    for _, side in sides(link):
        side.suspect = [each for each in side.suspect if each != name]
    if keep is None:
        work.journal(link, "accepted", f"an operator accepted that {name} differs", None, name)
        if suspect:
            for _, side in sides(link):
                agree(side, name, (side.seen or {}).get(name))
            plan(work, link)
        work.state.put(link)
        return
    source, target = keep, other(keep)
    winner, loser = side_of(link, source), side_of(link, target)
    if winner is None or loser is None:
        raise Refused(say("refused_unlinked", key=link.key))
    value, losing = (winner.seen or {}).get(name), (loser.seen or {}).get(name)
    if name == "lines" and source == "chargebee":
        _restore_lines(link, loser)
    elif not may_write(work.state.policy, link, name, target):
        raise Refused(say("refused_unwritten", field=name, system=target))
    else:
        agree(winner, name, losing)  # as if the winner had just been edited
        agree(loser, name, losing)
    work.journal(
        link, "settled", f"an operator keeps {name} of {source}", target, name, value, losing
    )
    link.lane = "live"
    plan(work, link)


def _restore_lines(link: Link, draft: Side) -> None:
    if born_in_go(link) or (draft.seen or {}).get("status") != "draft":
        raise Refused(say("refused_lines"))
    link.restore = True
    draft.base["lines"] = None  # as if they had just been edited in Go
