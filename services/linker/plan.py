"""From what a link holds to its next command, or to the reason why there is none. Pure.

Planning is level-triggered: it looks at the states of the link and never at the message that led
here, so doing it again does no harm. `situation` says what the link is in, one `match` acts, and
`work_off` plans what follows elsewhere.
"""

from contracts import facts, signals
from contracts.entities import ENTITIES, KNOWN_BY, SYSTEMS, EntityName, System
from contracts.messages import SWITCHED_OFF, Link, Outcome
from contracts.said import english, say, within
from services.linker import books
from services.linker import match as matching
from services.linker.dispatch import REASON_MAX, dispatch, has_room, rest
from services.linker.pair import plan_gone, plan_pair
from services.linker.runs import facts as runs
from services.linker.runs.verify import verify
from services.linker.session import MAX_AT_ONCE, Rested, Session, Wanted
from services.linker.single import missing, plan_alone, plan_beside
from services.linker.situation import (
    Alone,
    Aside,
    BesideSale,
    Empty,
    Finished,
    KindsDiffer,
    OrderGone,
    Pair,
    Refused,
    Sent,
    situation,
)
from services.linker.state import sides

# States that a newcomer with an equal value may change; what was refused, or taken out, is not
# tried again by it.
UNDECIDED = frozenset({"pending", "waiting", "ambiguous", "held", "linked"})
# How the index keys begin under which a record is found by what it holds.
NATURAL = tuple(f"{entity}|{rule}|" for entity in ENTITIES for rule in KNOWN_BY[entity])


def plan(work: Session, link: Link) -> None:
    """Decide what this link needs now; stores it. What follows for others is left to `work_off`."""
    again: Link | None = link
    while again is not None:
        again = _plan_once(work, again)


def _plan_once(work: Session, link: Link) -> Link | None:
    """The link that is to be planned in its place: of two that became one, or of what has come
    back."""
    if link.flight is not None:
        books.weigh(work, link)
        work.state.put(link)
        return None
    if link.verify and verify(work, link):
        return None
    link.plan, link.waiting_on, link.candidates, link.problem = None, [], [], None
    link.candidates_count = 0
    match situation(work.state, link):
        case Pair() as pair:
            plan_pair(work, link, pair)
        case Alone() as alone:
            return plan_alone(work, link, alone)
        case Refused(problem):
            link.problem = problem
            field = problem.field or link.entity
            rest(work, link, "rejected", say("of_field", field=field, why=problem.why))
        case Empty():
            rest(work, link, "rejected", say("no_content"))
        case Aside(why, stamped):
            if stamped and link.entity == "customer":
                dispatch(work, link, "poweroffice", "stamp", {})  # which takes it away
            else:
                rest(work, link, "ignored", say("aside", why=why))
        case Finished(said):
            rest(work, link, "ignored", said)
        case Sent(number):
            rest(work, link, "sent", say("sent", number=number))
        case OrderGone() as gone:
            return plan_gone(work, link, gone)
        case KindsDiffer():
            rest(work, link, "conflict", say("kinds_differ"))
        case BesideSale() as beside:
            plan_beside(work, link, beside)
    return None


def park(work: Session, link: Link, outcome: Outcome) -> None:
    """A command was not carried out; it is planned again when its vendor, or the operator, lets it
    through."""
    why = outcome.error.why if outcome.error else say("unreachable")
    reachable = facts.get(work.state, facts.Reachable, outcome.target)
    if outcome.error and outcome.error.code in SWITCHED_OFF:
        plan(
            work, link
        )  # our own switch, so planning again holds it, or sends it if the switch is back
    elif reachable is not None and reachable.at >= outcome.at and link.woken != reachable.at:
        # Its word overtook this answer. Once only: the times are of clocks, and one may be set
        # back.
        link.woken = reachable.at
        plan(work, link)
    else:
        rest(work, link, "parked", say("parked", system=outcome.target, why=why))


# -- what follows for others


def work_off(work: Session) -> None:
    """Plan what the links in hand have woken, and what that wakes in turn."""
    while work.later:
        match work.later.popleft():
            case Wanted(entity, key):
                if (link := work.state.get(entity, key)) is not None:
                    plan(work, link)
            case Rested(entity, key):
                if (link := work.state.get(entity, key)) is not None:
                    _plan_waiting(work, link)


def _plan_waiting(work: Session, link: Link) -> None:
    """Plan the links that wait for this one."""
    is_linked = link.chargebee is not None and link.poweroffice is not None
    for system, side in sides(link):
        bucket = f"wait|{link.entity}|{system}|{side.id}"
        if is_linked:
            plan_bucket(work, bucket)
        else:
            _explain_waiting(work, bucket)
    if link.flight is None:
        plan_bucket(work, f"wait|link|{link.entity}|{link.key}")
    for name in work.state.find(f"ambiguous|{link.entity}|{link.key}", MAX_AT_ONCE):
        if name[1] not in link.candidates and (twin := work.state.get(*name)) is not None:
            plan(work, twin)


def _explain_waiting(work: Session, bucket: str) -> None:
    """Tell those that wait how each record that they wait for stands by now."""
    for name in work.state.find(bucket, MAX_AT_ONCE):
        link = work.state.get(*name)
        if link is None or link.state != "waiting" or link.entity != "order":
            continue
        said = within(missing(work, link).values(), REASON_MAX)
        if said and said != link.said:
            link.said, link.reason = said, english(*said)
            work.state.put(link)


def plan_bucket(work: Session, bucket: str, after: str = "") -> None:
    """Plan the links of an index bucket again, each once: of more than MAX_AT_ONCE, so many now, in
    the order of their names. Some may stay where they are."""
    if work.state.first(bucket) is None:
        return
    is_long = bool(after) or work.state.count(bucket) > MAX_AT_ONCE
    names = work.state.following(bucket, after, MAX_AT_ONCE) if is_long else work.state.find(bucket)
    for name in names:
        if (link := work.state.get(*name)) is not None:
            plan(work, link)
    if is_long and len(names) == MAX_AT_ONCE:
        work.go_on(signals.Advance(bucket=bucket, after="/".join(names[-1])))


def plan_queue(work: Session, target: System) -> None:
    """Let planned bulk commands, then the readings of a run, follow while the window has room."""
    for _ in range(MAX_AT_ONCE):
        first = work.state.first(f"queue|{target}")
        if first is None and runs.may_read(work.state):
            first = work.state.first(f"verify|{target}")
        if first is None or not has_room(work, target):
            return
        if (link := work.state.get(*first)) is None:
            return
        plan(work, link)
    work.go_on(signals.Advance(queue=target))


def plan_sharers(work: Session) -> None:
    """Plan again those that share a value with a link that this message has moved: who was unique
    may be so no longer, and the other way round. Of a value that many share, only where the
    verdicts can have changed."""
    handled: dict[tuple[EntityName, str, str], tuple[int, ...]] = {}
    again = True
    while again:
        again = False
        for shared in _moved_values(work):
            indexes = _groups(*shared)
            now = tuple(work.state.count(each) for each in indexes)
            if handled.get(shared) == now:
                continue
            before = handled.get(shared) or tuple(work.state.count_before(each) for each in indexes)
            handled[shared], again = now, True
            few = max(sum(now), sum(before)) <= matching.MAX_CANDIDATES
            if few or [min(each, 2) for each in now] != [min(each, 2) for each in before]:
                plan_sharing(work, *shared, pairs=few and shared[1] in matching.SHARED)
                work_off(work)


def plan_sharing(
    work: Session,
    entity: EntityName,
    rule: str,
    value: str,
    after: str = "",
    *,
    pairs: bool = False,
) -> None:
    """Plan those that share a value, at most MAX_AT_ONCE now, in the order of their keys. `pairs`
    have no verdict that could change; few of them list each other."""
    groups = [*SYSTEMS, "pair"] if pairs else SYSTEMS
    found = (work.state.find(f"{entity}|{rule}|{group}|{value}") for group in groups)
    names = sorted(key for held in found for _, key in held if key > after)
    for key in names[:MAX_AT_ONCE]:
        link = work.state.get(entity, key)
        if link is not None and link.state in UNDECIDED:
            plan(work, link)
    if len(names) > MAX_AT_ONCE:
        after = names[MAX_AT_ONCE - 1]
        work.go_on(signals.Advance(sharing=(entity, rule, value), after=after))


def _moved_values(work: Session) -> list[tuple[EntityName, str, str]]:
    """The values that a link has come to share, or shares no longer, of entities whose barrier is
    open."""
    found: dict[tuple[EntityName, str, str], None] = {}
    is_open: dict[EntityName, bool] = {}
    for index in work.state.moved():
        if not index.startswith(NATURAL):
            continue
        name, rule, _, value = index.split("|", 3)
        entity: EntityName = name  # type: ignore[assignment]
        if entity not in is_open:
            is_open[entity] = work.barrier_open(entity)
        if is_open[entity]:
            found[entity, rule, value] = None
    return list(found)


def _groups(entity: EntityName, rule: str, value: str) -> list[str]:
    return [f"{entity}|{rule}|{group}|{value}" for group in (*SYSTEMS, "pair")]
