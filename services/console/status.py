"""How a tenant stands, folded from what the topics hold. Pure: records in, figures and lists out."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from contracts.entities import ENTITIES, SYSTEMS, EntityName, System
from contracts.messages import Control, Cursor, DeadLetter, JournalEntry, Link, LinkState, Problem

LINKED_STATES: frozenset[LinkState] = frozenset({"linked", "sent"})


class EntityStatus(msgspec.Struct, kw_only=True):
    """The figures of one entity.

    `records` counts the vendor records known on each side, deleted ones excluded; `states` counts links by state;
    `open_commands` those sent and not answered; `last_poll` is ISO 8601 UTC per system, where it is known;
    `snapshots` says whether the first snapshot of each system is complete.
    """

    records: dict[System, int]
    states: dict[str, int]
    linked: int
    differing: int
    open_commands: int
    dead_letters: int
    snapshots: dict[System, bool]
    last_poll: dict[System, str]


class Finding(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One record a person should know of: which, why, and the field, candidates or other links it is about.
    `candidates_count` says how many candidates there are where not all are listed."""

    entity: EntityName
    key: str
    reason: str
    field: str | None = None
    fields: list[str] = []
    candidates: list[str] = []
    candidates_count: int = 0
    duplicates: list[str] = []


class TenantStatus(msgspec.Struct, kw_only=True):
    """One tenant: its mode, what an operator has switched or started, figures per entity, findings by kind, ignored
    records by entity and reason, vendor troubles, and the share of each vendor's request budget used, in percent."""

    mode: str
    switches: list[str]
    budget_percent: dict[System, float]
    entities: dict[EntityName, EntityStatus]
    rejected: list[Finding]
    ambiguous: list[Finding]
    duplicates: list[Finding]
    waiting: list[Finding]
    conflicts: list[Finding]
    stuck: list[Finding]
    differing: list[Finding]
    ignored: dict[str, int]
    troubles: list[str]


class Status(msgspec.Struct, kw_only=True):
    """All configured tenants, and per consumer group the messages that it has not taken yet."""

    tenants: dict[str, TenantStatus]
    lag: dict[str, int]


_FINDING_OF: Mapping[LinkState, str] = {
    "rejected": "rejected", "ambiguous": "ambiguous", "waiting": "waiting", "conflict": "conflicts",
    "held": "stuck", "parked": "stuck", "broken": "stuck",
}  # fmt: skip


def tenant_status(
    links: Iterable[Link], controls: Iterable[Control], cursors: Iterable[Cursor], letters: Iterable[DeadLetter],
    mode: str, duplicates: Iterable[JournalEntry] = (),
) -> TenantStatus:  # fmt: skip
    """The status of the tenant to whom all these newest records belong; `mode` is that of its settings, `duplicates`
    are the journal's entries of rule `possible_duplicate`, oldest first."""
    held, marks, facts = list(links), list(cursors), list(controls)
    done = {control.id for control in facts if control.kind == "barrier" and control.value}
    dead = Counter(entity for letter in letters if (entity := _entity_of(letter)) is not None)
    return TenantStatus(
        mode=_mode(facts, mode),
        switches=list(_switches(facts)),
        budget_percent={
            mark.system: mark.value["budget_percent"]
            for mark in marks
            if mark.entity == "health" and "budget_percent" in mark.value
        },
        entities={each: _entity_status(each, held, done, marks, dead[each]) for each in ENTITIES},
        duplicates=list(_duplicates(held, duplicates)),
        differing=[_difference(link) for link in held if link.differences],
        ignored=dict(sorted(Counter(_ignored(link) for link in held if link.state == "ignored").items())),
        troubles=_troubles(marks),
        **_findings(held),
    )


def _mode(facts: list[Control], settings_mode: str) -> str:
    said = next((fact.value.get("mode") for fact in facts if fact.kind == "mode"), None)
    return str(said or settings_mode)


def _switches(facts: list[Control]) -> Iterator[str]:
    for fact in facts:
        if fact.kind == "pause" and fact.value:
            entity, _, target = fact.id.partition("/")
            yield f"{entity} to {target} is paused"
        elif fact.kind == "breaker" and fact.value.get("open"):
            entity, _, kind = fact.id.partition("/")
            yield f"more {entity} {kind} than usual: held as {kind}-{fact.value['batch']}"
        elif fact.kind == "stopped" and fact.value:
            yield f"stopped: another {fact.id} account, {fact.value['found']} in place of {fact.value['pinned']}"
        elif fact.kind == "run" and fact.value.get("state") not in ("done", "cancelled"):
            yield f"{fact.value.get('kind')} {fact.id} is {fact.value.get('state')}"


def _entity_status(
    entity: EntityName, links: list[Link], done: set[str], cursors: list[Cursor], dead_letters: int
) -> EntityStatus:
    mine = [link for link in links if link.entity == entity]
    states = Counter(link.state for link in mine)
    return EntityStatus(
        records={
            "chargebee": sum(link.chargebee is not None and not link.chargebee.deleted for link in mine),
            "poweroffice": sum(link.poweroffice is not None and not link.poweroffice.deleted for link in mine),
        },
        states={state: count for state, count in sorted(states.items())},
        linked=sum(states[state] for state in LINKED_STATES),
        differing=sum(bool(link.differences) for link in mine),
        open_commands=sum(link.flight is not None for link in mine),
        dead_letters=dead_letters,
        snapshots={system: f"{entity}/{system}" in done for system in SYSTEMS},
        last_poll=_last_poll(entity, cursors),
    )


def _last_poll(entity: EntityName, cursors: list[Cursor]) -> dict[System, str]:
    """From the adapters' health, else from the entity's own cursor."""
    found: dict[System, str] = {}
    for cursor in cursors:
        if cursor.entity == entity:
            found.setdefault(cursor.system, cursor.at)
        elif cursor.entity == "health":
            polls: Any = cursor.value.get("last_poll_at")
            if isinstance(polls, dict) and isinstance(polls.get(entity), str):
                found[cursor.system] = polls[entity]
    return found


def _entity_of(letter: DeadLetter) -> EntityName | None:
    if letter.command is not None:
        return letter.command.entity
    return next((each for each in ENTITIES if letter.topic.endswith(f"{each}s")), None)


def _findings(links: list[Link]) -> dict[str, list[Finding]]:
    found: dict[str, list[Finding]] = {name: [] for name in _FINDING_OF.values()}
    for link in links:
        if (name := _FINDING_OF.get(link.state)) is not None:
            found[name].append(_finding(link, candidates=list(link.candidates)))
    return found


def _duplicates(links: list[Link], entries: Iterable[JournalEntry]) -> Iterator[Finding]:
    """Each pair of links once, with the newest reason that the journal gives for it."""
    reasons = {(entry.entity, frozenset((entry.link, entry.value))): entry.text for entry in entries}
    told: set[tuple[EntityName, frozenset[str]]] = set()
    for link in links:
        others = [key for key in link.duplicates if (link.entity, frozenset((link.key, key))) not in told]
        told.update((link.entity, frozenset((link.key, key))) for key in others)
        if others:
            pairs = [(link.entity, frozenset((link.key, key))) for key in others]
            known = dict.fromkeys(reasons[pair] for pair in pairs if pair in reasons)
            yield Finding(entity=link.entity, key=link.key, duplicates=others,
                          reason=", ".join(known) or "they look like the same party")  # fmt: skip


def _difference(link: Link) -> Finding:
    """Fields that differ; those that the target could not take with the reason."""
    finding = _finding(link, fields=list(link.differences))
    words = [f"{name} is {why}" for name, why in link.held_back.items() if name in link.differences]
    return msgspec.structs.replace(finding, reason="; ".join(words)) if words else finding


def _finding(link: Link, *, fields: list[str] | None = None, candidates: list[str] | None = None) -> Finding:
    problem: Problem | None = link.problem
    return Finding(
        entity=link.entity, key=link.key, reason=link.reason or (problem.message if problem else link.state),
        field=problem.field if problem else None, fields=fields or [], candidates=candidates or [],
        candidates_count=link.candidates_count if candidates else 0,
    )  # fmt: skip


def _ignored(link: Link) -> str:
    return f"{link.entity}: {link.reason or 'no reason given'}"


def _troubles(cursors: list[Cursor]) -> list[str]:
    """What the adapters' health complains of: `stopped`, `last_error` and notes, as text or by name."""
    lines = []
    for cursor in cursors:
        if cursor.entity != "health":
            continue
        for kind, fact in cursor.value.items():
            if kind == "budget_percent":
                continue
            if kind == "last_error" or not kind.startswith("last_"):
                lines += [f"{cursor.system} {name}: {words}" for name, words in _worded(kind, fact)]
    return lines


def _worded(kind: str, fact: Any) -> Iterator[tuple[str, str]]:
    if isinstance(fact, dict):
        for name, held in fact.items():
            yield name, str(held.get("error", held)) if isinstance(held, dict) else str(held)
    elif fact is not None:
        yield kind, str(fact)
