"""Held batches: released, or discarded. Pure."""

from collections.abc import Mapping
from typing import Any

from contracts import facts, signals
from contracts.entities import EntityName
from contracts.messages import Command, Link
from contracts.said import english, say
from services.linker import books
from services.linker.arguments import Refused
from services.linker.breakers import close, open_batches
from services.linker.plan import plan, plan_bucket
from services.linker.session import MAX_AT_ONCE, Session
from services.linker.state import agree, sides


def release(work: Session, said: signals.Release) -> dict[str, Any]:
    """Let a held batch go, or all that is held of an entity."""
    entity, batches = said.entity, _batches(work, said)
    for batch in batches:
        if batch == "first":
            facts.put(work.state, facts.Released(at=work.now), entity)
        elif batch == books.PAID:
            release_paid(work, f"held|{entity}|{batch}", _held_now(work, entity, batch))
            continue
        else:
            facts.put(work.state, facts.Batch(released=work.now), f"{entity}/{batch}")
            close(work.state, entity, batch.rpartition("-")[0], work.now)
        plan_bucket(work, f"held|{entity}|{batch}")
    return {"batches": batches}


def release_paid(work: Session, bucket: str, most: int) -> None:
    """Let drafts be made of orders that are paid, those that wait now: the first `most`. Whoever
    comes later waits again, also where the rest of these follows in another transaction."""
    for name in work.state.find(bucket, min(most, MAX_AT_ONCE)):
        if (link := work.state.get(*name)) is not None:
            link.paid_released = True
            plan(work, link)
    if most > MAX_AT_ONCE:
        work.go_on(signals.Advance(release_paid=bucket, after=str(most - MAX_AT_ONCE)))


def discard(work: Session, said: signals.Discard) -> dict[str, Any]:
    """Drop the plans of a held batch: nothing is created or removed, differing fields stay and are
    listed."""
    entity, batches = said.entity, _batches(work, said)
    for batch in batches:
        if batch not in ("first", books.PAID):
            close(work.state, entity, batch.rpartition("-")[0], work.now)
        discard_bucket(work, f"held|{entity}|{batch}", _held_now(work, entity, batch))
    return {"batches": batches}


def _batches(work: Session, said: signals.Release | signals.Discard) -> list[str]:
    entity, named = said.entity, said.batch
    held = [*open_batches(work.state, entity), "first"]
    if entity == "order" and named is not None:
        held.append(books.PAID)  # orders that are paid are released by name only
    if named is not None and named not in held:
        raise Refused(say("refused_batch", entity=entity, batch=named, list=", ".join(held)))
    if named is None:
        # What holds nothing was not shown: the first backfill of orders that wait for customers.
        batches = [each for each in held if each != "first" or _held_now(work, entity, each)]
    else:
        batches = [named]
    if said.shown is not None:
        _refuse_unseen(work, entity, batches, said.shown)
    return batches


def _refuse_unseen(
    work: Session, entity: EntityName, batches: list[str], shown: Mapping[str, int]
) -> None:
    """Refuse what a person has not seen: `shown` counts by batch the records that were."""
    for batch in batches:
        now, seen = _held_now(work, entity, batch), shown.get(batch, 0)
        if now > seen:
            raise Refused(say("refused_unseen", batch=batch, count=now, seen=seen))


def _held_now(work: Session, entity: EntityName, batch: str) -> int:
    return work.state.count(f"held|{entity}|{batch}")


def discard_bucket(work: Session, bucket: str, most: int) -> None:
    """Drop the first `most` plans of a bucket; what comes later is not of those that were meant."""
    for name in work.state.find(bucket, min(most, MAX_AT_ONCE)):
        link = work.state.get(*name)
        if link is not None and link.plan is not None:
            _discard_plan(work, link, link.plan)
    if most > MAX_AT_ONCE:
        work.go_on(signals.Advance(discard=bucket, after=str(most - MAX_AT_ONCE)))


def _discard_plan(work: Session, link: Link, command: Command) -> None:
    work.journal(
        link,
        "discarded",
        f"an operator discarded: {command.op} in {command.target}",
        command.target,
        None,
        command.fields or None,
        command.expected or None,
    )
    link.batch = ""
    if command.op == "update":
        for name in command.fields:
            for _, side in sides(link):
                agree(side, name, (side.seen or {}).get(name))
            link.differences = [*(each for each in link.differences if each != name), name]
    elif command.op == "stamp":
        link.differences = [*(each for each in link.differences if each != "stamp"), "stamp"]
    else:
        link.aside_said = say("discarded", op=command.op, system=command.target)
        link.aside = english(link.aside_said)
    plan(work, link)
