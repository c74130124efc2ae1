"""How two links become one. Pure."""

from contracts.messages import Link
from contracts.said import say
from services.linker.dispatch import rest
from services.linker.runs import facts as runs
from services.linker.session import MAX_AT_ONCE, Session, Wanted


def joined(work: Session, link: Link, rule: str, text: str) -> Link:
    """A second side has come; the key becomes the Chargebee id where that is free."""
    key = link.chargebee.id if link.chargebee else link.key
    if link.flight is None and key != link.key and work.state.get(link.entity, key) is None:
        leave(work, link)
        link.key = key
    link.plan, link.waiting_on, link.candidates = None, [], []
    link.aside, link.aside_said = None, None
    link.candidates_count, link.twins = 0, []
    work.journal(link, f"matched_by_{rule}", text)
    return link


def leave(work: Session, link: Link) -> None:
    """Remove a key that no link has any more, and have planned again who waits for it or has it
    among its candidates."""
    for bucket in ("ambiguous", "wait|link"):
        names = work.state.find(f"{bucket}|{link.entity}|{link.key}", MAX_AT_ONCE)
        work.later += [Wanted(*name) for name in names]
    work.state.remove(link.entity, link.key)


def unite(work: Session, link: Link, twin: Link, rule: str) -> Link | None:
    """Make one link of two that know one side each, to be planned next; the Chargebee key stays.
    None where the twin has a command in flight, for which the link then waits."""
    if twin.flight is not None:
        link.waiting_on = [f"link|{twin.entity}|{twin.key}"]
        rest(work, link, "waiting", say("twin_in_flight", key=twin.key))
        return None
    ours, theirs = (link, twin) if link.chargebee else (twin, link)
    if theirs.poweroffice is None:
        raise ValueError(f"{link.key} and {twin.key} are both records of Chargebee")
    ours.poweroffice = theirs.poweroffice
    ours.lane = "live" if link.lane == "live" else ours.lane
    ours.cause, ours.backfill = link.cause, ours.backfill or theirs.backfill
    ours.aside, ours.aside_said = None, None
    # A key may serve again after a split; its numbers must not, since finished commands are known
    # by them.
    ours.seq, ours.entries = max(ours.seq, theirs.seq), max(ours.entries, theirs.entries)
    runs.hand_on(work.state, ours, theirs)
    leave(work, theirs)
    return joined(work, ours, rule, f"Go {ours.poweroffice.id} is the same by {rule}")
