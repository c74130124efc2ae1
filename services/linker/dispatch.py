"""How the planning of a link ends: a command that is sent or kept with the reason why not, or a
rest. Pure."""

from typing import Any

from contracts import facts
from contracts.entities import EntityName, System, other
from contracts.messages import Command, Flight, Link, LinkState, Op
from contracts.said import Said, english, say
from contracts.vendors import reference_to
from services.linker import books
from services.linker import match as matching
from services.linker.breakers import MONEY, batch_for, class_of, money_batch
from services.linker.merge import Note, expected
from services.linker.session import Rested, Session
from services.linker.state import side_of

MAX_STALES = 3
REASON_MAX = 500  # characters of a reason that is made of those of others
NOT_CARRIED = {
    "address": "the address lacks a city or zip code and is not carried",
    "text_lines": "text and summary lines are not carried",
}
# Rests that a person would ask about; the others follow from a command, which has its own entry.
JOURNALLED = frozenset(
    {"ambiguous", "rejected", "conflict", "waiting", "ignored", "sent", "broken"}
)


def rest(work: Session, link: Link, state: LinkState, *said: Said) -> None:
    """Store the link, tell the journal when its state changed, and wake what waits for it; `said`
    is why it is in this state."""
    reason = english(*said) or None
    if state in JOURNALLED and (link.state, link.reason) != (state, reason):
        work.journal(link, state, reason or "")
    link.state, link.reason, link.said = state, reason, list(said)
    if state not in ("held", "pending", "parked"):
        # What was counted or released was that command; the next one is another.
        link.batch, link.passed = "", False
    books.weigh(work, link)
    if state in ("linked", "sent") and link.flight is None:
        link.backfill = False
    work.state.put(link)
    if work.state.count("waiting"):
        work.later.append(Rested(link.entity, link.key))


def why_of(link: Link) -> list[Said] | str:
    """Why a link is in its state, as a sentence about another one says it: without sentences (of a
    release that knew none) in words."""
    return link.said or (link.reason or "")


def conflict(
    work: Session, link: Link, rule: str, said: Said, target: System, edits: dict[str, Any]
) -> None:
    """Carry neither side: a person decides. The edits are told once."""
    words = english(said)
    if (link.state, link.reason) != ("conflict", words):
        for name, value in edits.items():
            work.journal(link, rule, words, other(target), name, value)
    rest(work, link, "conflict", said)


def dispatch(
    work: Session,
    link: Link,
    target: System,
    op: Op,
    fields: dict[str, Any],
    *,
    stamp: str | None = None,
    notes: list[Note] | None = None,
    guard: dict[str, Any] | None = None,
    look_for_twins: bool = False,
) -> None:
    """Send a command, or keep it as the link's plan with the reason why it is not sent yet."""
    side, source = side_of(link, target), side_of(link, other(target))
    if op == "create" and source is not None:
        stamp = reference_to(other(target), source.id)
    translated, planned = _translate(work, link, target, fields)
    command = Command(
        tenant=link.tenant,
        entity=link.entity,
        link=link.key,
        seq=link.seq + 1,
        target=target,
        op=op,
        lane=link.lane,
        cause=link.cause,
        target_id=side.id if side else None,
        target_version=side.version if side else None,
        fields=translated,
        expected=guard or (expected(link, target, fields) if side else {}),
        stamp=stamp,
        look_first=link.maybe_applied,
        look_for_twins=look_for_twins,
        mapping=side.mapping if side else 1,
        ours=link.made == target,
    )
    before, work.refused = work.refused, None
    same = before is not None and (before.fields, before.expected) == (translated, command.expected)
    link.stales = link.stales + 1 if same else 0
    if link.stales >= MAX_STALES:
        link.stales = 0
        rest(work, link, "conflict", say("stale_thrice", system=target))
    elif (held := gate(work, link, op, target) or _paid_gate(work, link, op, target)) is not None:
        _hold(work, link, command, *held)
    elif link.lane == "bulk" and not has_room(work, target):
        link.plan = command
        rest(work, link, "pending", say("queued"))
    elif (batch := _tripped(work, link, command)) is not None:
        _hold(work, link, command, batch, say("breaker", batch=batch))
    else:
        for note in notes or []:
            # Named by what it is about: a command that was parked and is planned again tells it
            # once.
            work.note(link, note, entry=f"{note.rule}-{note.name}-{command.target_version}")
        link.seq, link.batch = link.seq + 1, ""
        link.flight, link.plan = Flight(command=command, planned=planned), None
        for name in source.incomplete if op == "create" and source is not None else ():
            if name in NOT_CARRIED:
                work.journal(link, "not_carried", NOT_CARRIED[name], other(target), name)
        text = f"{op} in {target}: {', '.join(fields) or stamp or ''}"
        work.journal(link, op, text, target, None, fields or None, command.expected or None)
        work.outputs.append(command)
        rest(work, link, "linked" if side else "creating")


def has_room(work: Session, target: System) -> bool:
    """Whether the window of bulk commands to a system has room."""
    return work.state.count(f"flying|{target}") < work.state.policy.window


def gate(work: Session, link: Link, op: Op, target: System) -> tuple[str, Said] | None:
    """The batch that holds a plan and why, or None when nothing but a breaker can."""
    entity = link.entity
    if facts.holds(work.state, facts.Pause, f"{entity}/{target}"):
        return "paused", say("paused", entity=entity, system=target)
    if work.mode() != "sync":
        return "observe", say("observe")
    if not (link.backfill and op == "create" and work.state.policy.hold_first_backfill):
        return None
    if facts.holds(work.state, facts.Released, entity):
        return None
    return "first", say("first_backfill")


def _hold(work: Session, link: Link, command: Command, batch: str, said: Said) -> None:
    link.plan, link.batch = command, batch
    rest(work, link, "held", said, say("would", op=command.op, system=command.target))


def _paid_gate(work: Session, link: Link, op: Op, target: System) -> tuple[str, Said] | None:
    is_draft = (op, target, link.entity) == ("create", "poweroffice", "order")
    if not is_draft or not books.is_paid_already(work.state, link):
        return None
    return books.PAID, say("paid_already")


def _tripped(work: Session, link: Link, command: Command) -> str | None:
    """The batch of an open breaker; the first backfill as it was shown, released batches and what
    was parked pass uncounted."""
    kind = class_of(command.op, command.fields)
    if kind is None or link.passed in (True, kind) or _is_released(work, link, kind):
        return None
    if link.entity == "order" and kind == "creates":
        source = side_of(link, other(command.target))
        currency = ((source and source.seen) or {}).get("currency")
        if held := money_batch(work.state, command.target, currency):
            return held
    if link.backfill and kind != "deletes":
        is_shown = link.batch == "first" or not work.state.policy.hold_first_backfill
        if kind == "changes" or is_shown:
            return None
    return batch_for(work.state, link.entity, kind, work.now)


def _is_released(work: Session, link: Link, kind: str) -> bool:
    """Whether an operator let a command of this class go. What was held for the mode or a pause may
    be of any; what changed its class since is not what was shown."""
    of = link.batch.rpartition("-")[0]
    fits = of in ("", kind) or (of.startswith(MONEY) and kind == "creates")
    return fits and facts.holds(work.state, facts.Batch, f"{link.entity}/{link.batch}")


def _translate(
    work: Session, link: Link, target: System, fields: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The fields with the target's ids, and the source's values where they differ from those."""
    if link.entity != "order":
        return fields, {}

    def known(entity: EntityName, record_id: str | None) -> str | None:
        return matching.id_in(work.state, target, entity, record_id)

    planned = {name: value for name, value in fields.items() if name in ("customer_id", "lines")}
    translated = dict(fields)
    if "customer_id" in fields:
        translated["customer_id"] = known("customer", fields["customer_id"])
    if "lines" in fields:
        translated["lines"] = [
            {**line, "product_id": known("product", line.get("product_id"))}
            for line in fields["lines"]
        ]
    return translated, planned
