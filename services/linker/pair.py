"""What follows for a link that knows both records: merge, stamp, first line, confirmation, or a
rest. Pure."""

from typing import Any

from contracts.entities import SYSTEMS, System, other
from contracts.messages import Link
from contracts.said import say
from contracts.vendors import own_chargebee_id, stamp_for_poweroffice
from services.linker import books
from services.linker import match as matching
from services.linker.attempts import recognise
from services.linker.dispatch import conflict, dispatch, rest
from services.linker.merge import carries_removal, merge
from services.linker.session import Session
from services.linker.single import is_translatable
from services.linker.situation import OrderGone, Pair
from services.linker.state import agree, born_in_go, is_gone, side_of


def plan_pair(work: Session, link: Link, pair: Pair) -> None:
    """Merge both records; at most one command follows."""
    ours, theirs, gone = pair.ours, pair.theirs, pair.gone
    for name in {*ours.suspect, *theirs.suspect}:
        if pair.ours_seen.get(name) == pair.theirs_seen.get(
            name
        ):  # both sides hold it by now, whoever made it
            agree(ours, name, pair.ours_seen.get(name))
            agree(theirs, name, pair.theirs_seen.get(name))
    if ours.suspect or theirs.suspect:
        names = ", ".join([*ours.suspect, *theirs.suspect])
        rest(work, link, "conflict", say("suspect", fields=names))
        return
    untold, unlike = _recognise(work, link, pair), recognise(link)
    result = merge(work.state.policy, link, untold, unlike)
    for note in result.notes:
        work.note(link, note)
    if link.differences:
        link.differences = [n for n in link.differences if n == "stamp" or _differs(pair, n)]
        link.held_back = {n: words for n, words in link.held_back.items() if n in link.differences}
        told = link.held_back_said
        link.held_back_said = {n: said for n, said in told.items() if n in link.held_back}
        link.asked = [n for n in link.asked if n in link.differences]
    if gone is not None and _meets_deletion(work, link, result.writes):
        return
    locked = link.entity == "order" and pair.theirs_seen.get("status") == "confirmed"
    for target in SYSTEMS:
        if (fields := result.writes[target]) and not (locked and target == "poweroffice"):
            if link.entity == "order" and "lines" in fields and not is_translatable(work, link):
                return
            notes = [note for name, note in result.conflicts.items() if name in fields]
            dispatch(work, link, target, "update", fields, notes=notes)
            return
    if gone is not None:
        rest(work, link, "ignored", say("gone_not_carried", system=gone, other=other(gone)))
    elif not (_stamp(work, link, pair) or told_notice(work, link) or _confirm(work, link, pair)):
        held = locked and result.writes["poweroffice"]
        _tell_duplicates(work, link)
        rest(work, link, "linked", *((say("confirmed_locked"),) if held else ()))


def plan_gone(work: Session, link: Link, gone: OrderGone) -> Link | None:
    """What follows for an order that one system has lost. The link, where it is to be planned once
    more."""
    ours, theirs = gone.ours, gone.theirs
    if gone.system == "poweroffice" and link.removed:
        words = "reopened in Chargebee; the draft that was removed is made again"
        work.journal(link, "reopened", words)
        link.poweroffice, link.removed, link.notice, link.notice_as = None, False, None, None
        return link
    from_chargebee = gone.system == "chargebee"
    side = theirs if from_chargebee else ours
    edits = {name: (side.seen or {}).get(name) for name in side.base}
    if edits and from_chargebee and told_notice(work, link):
        return None
    if edits:
        said = say(
            "edited_though_deleted" if gone.is_deleted else "edited_though_cancelled",
            system=gone.system,
            fields=", ".join(edits),
            other=other(gone.system),
        )
        conflict(work, link, "edit_against_deletion", said, gone.system, edits)
    elif from_chargebee and _is_removable(work, link, gone):
        names = ("status", "order_date", "purchase_order", "lines")
        guarded = {name: (theirs.seen or {}).get(name) for name in names}
        dispatch(work, link, "poweroffice", "delete", {}, guard=guarded)
    elif not (from_chargebee and told_notice(work, link)):
        how = say("deleted_in" if gone.is_deleted else "cancelled_in", system=gone.system)
        rest(work, link, "ignored", how, say("reported"))
    return None


def _is_removable(work: Session, link: Link, gone: OrderGone) -> bool:
    return carries_removal(work.state.policy, link, "poweroffice") and not gone.theirs.unset


def told_notice(work: Session, link: Link) -> bool:
    """Whether the first line of our draft has to follow its invoice; then it is on its way."""
    wanted = books.notice_wanted(work.state, link)
    if wanted is not None:
        dispatch(work, link, "poweroffice", "update", {"notice": wanted or None})
    return wanted is not None


def _differs(pair: Pair, name: str) -> bool:
    return bool(pair.ours_seen.get(name) != pair.theirs_seen.get(name))


def _tell_duplicates(work: Session, link: Link) -> None:
    """List on a linked pair what looks like the same customer; both may have been entered within
    one poll."""
    found = matching.duplicates(work.state, link)
    for key, words in found.items():
        if key not in link.duplicates:
            work.journal(link, "possible_duplicate", words, None, None, key)
    link.duplicates = list(found)


def _recognise(work: Session, link: Link, pair: Pair) -> list[str]:
    """Agree, at an order's first link, on what is the same in the ids of both systems; the names of
    what cannot be told yet, since a customer or product has no twin so far."""
    untold: list[str] = []
    for name in ("customer_id", "lines") if link.entity == "order" else ():
        if name in pair.ours.unset or name in pair.theirs.unset:
            x, y = pair.ours_seen.get(name), pair.theirs_seen.get(name)
            same = matching.same_in_order(work.state, name, x, y)
            if same:
                agree(pair.ours, name, x)
                agree(pair.theirs, name, y)
            elif same is None:
                untold.append(name)
    return untold


def _meets_deletion(work: Session, link: Link, writes: dict[System, dict[str, Any]]) -> bool:
    """An edit on one side meets a deletion on the other: neither is carried, a person decides."""
    for target in SYSTEMS:
        side = side_of(link, target)
        edits = {name: value for name, value in writes[target].items() if name != "archived"}
        back = "archived" in writes[target] and not writes[target]["archived"]
        if side is None or not is_gone(side) or not (edits or (back and side.deleted)):
            continue
        names = ", ".join(edits) or "archived"
        said = say("edited_though_gone", fields=names, other=other(target), system=target)
        conflict(work, link, "edit_against_deletion", said, target, edits)
        return True
    return False


def _confirm(work: Session, link: Link, pair: Pair) -> bool:
    """Confirm a delivered order in Go once, and never while its money differs."""
    asked = link.entity == "order" and work.state.policy.confirm_on_delivered and not link.confirmed
    delivered = (
        pair.ours_seen.get("status") == "confirmed" and pair.theirs_seen.get("status") == "draft"
    )
    doubtful = {*link.differences, *pair.theirs.unset}
    is_left = "status" in link.differences  # an operator discarded it
    if not (asked and delivered) or born_in_go(link) or "lines" in doubtful or is_left:
        return False
    books.weigh(work, link)
    if books.doubts(link):
        return False
    dispatch(work, link, "poweroffice", "update", {"status": "confirmed"})
    return True


def _stamp(work: Session, link: Link, pair: Pair) -> bool:
    """Put our reference where the pair could not be found again without it."""
    ours, theirs = pair.ours, pair.theirs
    if ours.id == own_chargebee_id(theirs.id) or "stamp" in link.differences:
        return False
    same_code = pair.theirs_seen.get("code") == pair.ours_seen.get("code")
    if link.entity == "customer" and theirs.stamp is None:
        dispatch(work, link, "poweroffice", "stamp", {}, stamp=stamp_for_poweroffice(ours.id))
    elif link.entity == "product" and ours.stamp is None and not same_code:
        dispatch(work, link, "chargebee", "stamp", {}, stamp=own_chargebee_id(theirs.id))
    else:
        return False
    return True
