"""Records that both systems have deleted are forgotten here too. Pure."""

from datetime import datetime
from typing import Any

import msgspec

from contracts import facts, signals
from contracts.messages import Link
from contracts.said import say
from contracts.topics import ENTITY_TOPICS, link_key, reading_key, record_key
from services.linker.arguments import Refused, link_of
from services.linker.runs import facts as runs
from services.linker.session import Session
from services.linker.state import State, sides

FORGOTTEN_WITHIN_DAYS = 35


def forget(work: Session, said: signals.Forget) -> dict[str, Any]:
    """Erase what is held of a record that both systems have deleted: link, events, commands,
    outcomes, readings, and the keys of its journal entries and dead letters that `journal` and
    `letters` name."""
    entity, state = said.entity, work.state
    link = link_of(state, entity, said.key)
    for system, side in sides(link):
        if not side.deleted:
            raise Refused(say("refused_not_deleted", system=system, entity=entity, id=side.id))
    if link.flight is not None:
        raise Refused(say("refused_in_flight", key=link.key))
    keys = _keys_of(link, said.journal, said.letters)
    for number, (system, side) in enumerate(sides(link)):
        fact = facts.Forgotten(
            version=side.version, at=work.now, told=work.now, keys=keys if number == 0 else []
        )
        facts.put(state, fact, f"{entity}/{system}/{side.id}")
    raise_floor(state, link)
    runs.leave_out(state, link)
    state.remove(entity, link.key)
    _erase(work, keys)
    return {"erased": len(keys), "within_days": FORGOTTEN_WITHIN_DAYS}


def _keys_of(link: Link, journal: list[str], letters: list[str]) -> list[list[str]]:
    tenant, entity = link.tenant, link.entity
    keys = [
        [topic, link_key(tenant, entity, link.key).decode()]
        for topic in ("commands.chargebee", "commands.poweroffice", "outcomes")
    ]
    for system, side in sides(link):
        keys.append([ENTITY_TOPICS[entity], record_key(tenant, system, side.id).decode()])
        keys.append(["readings", reading_key(tenant, system, entity, side.id).decode()])
    return [
        *keys,
        *(["journal", key] for key in journal),
        *(["dead-letters", key] for key in letters),
    ]


def _erase(work: Session, keys: list[list[str]]) -> None:
    for topic, key in keys:
        work.erase(topic, key)


def erase_again(work: Session, today: str) -> None:
    """Once a day, for as long as it takes: Kafka compacts a quiet topic only when something is
    written to it."""
    for id, held in work.state.facts(facts.Forgotten.KIND).items():
        fact = facts.of(held, facts.Forgotten)
        if fact is None or not fact.keys or fact.told[:10] == today[:10]:
            continue
        _erase(work, fact.keys)
        due = days_between(fact.at, today) >= FORGOTTEN_WITHIN_DAYS
        told = msgspec.structs.replace(fact, told=today, keys=[] if due else fact.keys)
        facts.put(work.state, told, id)


def days_between(since: str, until: str) -> int:
    """Whole days between two ISO 8601 times."""
    return (datetime.fromisoformat(until) - datetime.fromisoformat(since)).days


def raise_floor(state: State, link: Link) -> None:
    """New links number their commands and journal entries above those of a link that is gone:
    finished commands are known by link and number, and a key may come again."""
    floor = facts.get(state, facts.Floor) or facts.Floor()
    seq, entries = max(floor.seq, link.seq), max(floor.entries, link.entries)
    facts.put(state, facts.Floor(seq=seq, entries=entries))
