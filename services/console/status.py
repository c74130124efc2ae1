"""How a tenant stands, folded from what the topics hold. Pure: records in, figures and lists
out."""

import contextlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from contracts.entities import ENTITIES, SYSTEMS, EntityName, System
from contracts.messages import Control, Cursor, DeadLetter, JournalEntry, Link, LinkState, Problem
from contracts.said import Said, english, say
from services.console.candidates import Candidate, candidates_of
from services.console.findings import Found, left_in, ordered
from services.console.health import worded
from services.console.known import Known, KnownLinks
from services.console.names import Named, Names, words_of
from services.console.plans import Batch, batches_of, plan_of
from services.console.services import Process, WaitingSignal, said_of
from services.console.tally import LINKED_STATES, Tally, tally_of
from services.console.waiting import Facts, facts_of, reason_of, stop_said

FIRST_SNAPSHOTS = "first_snapshots"  # what the adapters' health calls those that are being read


class EntityStatus(msgspec.Struct, kw_only=True):
    """The figures of one entity.

    `records` counts the vendor records known on each side, deleted ones excluded; `states` counts
    links by state; `open_commands` those sent and not answered; `last_poll` is ISO 8601 UTC per
    system, where it is known; `snapshots` says whether the first snapshot of each system is
    complete.
    """

    records: dict[System, int]
    states: dict[str, int]
    linked: int
    differing: int
    open_commands: int
    dead_letters: int
    snapshots: dict[System, bool]
    last_poll: dict[System, str]


class Listed(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One record a person should know of: which, what it is called, why as things stand now, and
    the field, candidates or other links it is about. `candidates_count` says how many candidates
    there are where not all are listed, `choices` holds the record and its candidates side by side,
    `names` what the links of `duplicates` are called."""

    entity: EntityName
    key: str
    reason: str
    called: Named = Named()
    field: str | None = None
    fields: list[str] = []
    candidates: list[str] = []
    candidates_count: int = 0
    duplicates: list[str] = []
    choices: list[Candidate] = []
    names: dict[str, str] = {}


class FirstSnapshot(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One that is being read: since when (ISO 8601 UTC), and until when at least where the system's
    lists may be `late_s` seconds late."""

    entity: EntityName
    system: System
    since: str
    until: str | None = None
    late_s: float | None = None


class TenantStatus(msgspec.Struct, kw_only=True):
    """One tenant: its mode, what an operator has switched or started, the findings that nobody has
    settled, figures per entity, first snapshots that are being read, records to know of by kind,
    ignored records by entity and reason, vendor troubles, the share of each vendor's request budget
    used, in percent, and what is held by batch."""

    mode: str
    switches: list[str]
    budget_percent: dict[System, float]
    entities: dict[EntityName, EntityStatus]
    findings: list[Found]
    rejected: list[Listed]
    ambiguous: list[Listed]
    duplicates: list[Listed]
    waiting: list[Listed]
    conflicts: list[Listed]
    stuck: list[Listed]
    differing: list[Listed]
    ignored: dict[str, int]
    troubles: list[str]
    first_snapshots: list[FirstSnapshot] = []
    batches: list[Batch] = []


class Status(msgspec.Struct, kw_only=True):
    """All configured tenants, and per consumer group the messages that it has not taken yet.

    `alerts` say which services are gone or wait and which signals nobody took, `notes` what is
    worth knowing of them; `services` are the processes as their heartbeats tell, `signals` those
    that wait for longer than three beats.
    """

    tenants: dict[str, TenantStatus]
    lag: dict[str, int]
    alerts: list[str] = []
    notes: list[str] = []
    services: list[Process] = []
    signals: list[WaitingSignal] = []


_LIST_OF: Mapping[LinkState, str] = {
    "rejected": "rejected",
    "ambiguous": "ambiguous",
    "waiting": "waiting",
    "conflict": "conflicts",
    "held": "stuck",
    "parked": "stuck",
    "broken": "stuck",
}


def tenant_status(
    links: Iterable[Link],
    controls: Iterable[Control],
    cursors: Iterable[Cursor],
    letters: Iterable[DeadLetter],
    mode: str,
    duplicates: Iterable[JournalEntry] = (),
    undecided: Iterable[str] = (),
    tenant: str | None = None,
    tally: Iterable[Tally] | None = None,
    known: Known | None = None,
    read_within_s: Mapping[System, float] | None = None,
) -> TenantStatus:
    """The status of the tenant to whom all these newest records belong. `links` are at least those
    that it tells of by themselves, and all of them unless `tally` counts them and `known` looks
    others up. `mode` is that of its settings, `duplicates` are the journal's entries of rule
    `possible_duplicate`, oldest first, `undecided` the settings without a default that are not set,
    `tenant` the name that commands need where there are several, `read_within_s` how long a change
    may take to be read, by system."""
    held, marks, facts = list(links), list(cursors), list(controls)
    counts = list(tally_of(held) if tally is None else tally)
    known = known or KnownLinks(held)
    about = _About(
        known, Names(known), facts_of(facts, marks, mode, undecided, read_within_s), tenant
    )
    done = {control.id for control in facts if control.kind == "barrier" and control.value}
    dead = Counter(entity for letter in letters if (entity := _entity_of(letter)) is not None)
    differing = Counter(link.entity for link in held if link.differences)
    return TenantStatus(
        mode=mode_of(facts, mode),
        switches=list(map(english, switches_of(facts))),
        budget_percent={
            mark.system: mark.value["budget_percent"]
            for mark in marks
            if mark.entity == "health" and "budget_percent" in mark.value
        },
        entities={
            each: _entity_status(each, counts, differing[each], done, marks, dead[each])
            for each in ENTITIES
        },
        findings=ordered(found for link in held for found in _named_findings(about, link)),
        duplicates=list(_duplicates(about, held, duplicates)),
        differing=[_difference(about, link) for link in held if link.differences],
        ignored=dict(
            sorted(Counter(_ignored(link) for link in held if link.state == "ignored").items())
        ),
        troubles=list(map(english, troubles_of(marks))),
        first_snapshots=list(_first_snapshots(marks, done)),
        batches=batches_of(
            plan_of(link, about.names, None) for link in held if link.state == "held"
        ),
        **_lists(about, held),
    )


class _About(NamedTuple):
    """What the words about a link are made from."""

    known: Known
    names: Names
    facts: Facts
    tenant: str | None


def _named_findings(about: _About, link: Link) -> Iterator[Found]:
    for found in left_in(link):
        yield msgspec.structs.replace(found, called=words_of(about.names.of(link)))


def mode_of(facts: list[Control], settings_mode: str) -> str:
    """The mode that was last said, else that of the settings."""
    said = next((fact.value.get("mode") for fact in facts if fact.kind == "mode"), None)
    return str(said or settings_mode)


def switches_of(facts: list[Control]) -> Iterator[Said]:
    """Pauses, open breakers, stops and the run under way, as sentences."""
    for fact in facts:
        if fact.kind == "pause" and fact.value:
            entity, _, target = fact.id.partition("/")
            yield say("paused", entity=entity, system=target)
        elif fact.kind == "breaker" and fact.value.get("open"):
            entity, _, kind = fact.id.partition("/")
            batch = f"{kind}-{fact.value['batch']}"
            yield say("switch_breaker", entity=entity, kind=kind, batch=batch)
        elif fact.kind == "stopped" and fact.value.get("words"):
            yield say("switch_stopped", why=stop_said(fact.value))
        elif fact.kind == "stopped" and fact.value:
            found, pinned = fact.value["found"], fact.value["pinned"]
            yield say("switch_account", system=fact.id, found=found, pinned=pinned)
        elif fact.kind == "run" and fact.value.get("state") not in ("done", "cancelled"):
            run, state = fact.value.get("kind"), fact.value.get("state")
            yield say("switch_run", kind=run, id=fact.id, state=state)


def _entity_status(
    entity: EntityName,
    tally: list[Tally],
    differing: int,
    done: set[str],
    cursors: list[Cursor],
    dead_letters: int,
) -> EntityStatus:
    mine = [each for each in tally if each.entity == entity]
    states: Counter[LinkState] = Counter()
    for each in mine:
        states[each.state] += each.links
    return EntityStatus(
        records={
            system: sum(each.links for each in mine if system in each.there) for system in SYSTEMS
        },
        states={state: count for state, count in sorted(states.items())},
        linked=sum(states[state] for state in LINKED_STATES),
        differing=differing,
        open_commands=sum(each.links for each in mine if each.is_open),
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


def _lists(about: _About, links: list[Link]) -> dict[str, list[Listed]]:
    found: dict[str, list[Listed]] = {name: [] for name in _LIST_OF.values()}
    for link in links:
        if (name := _LIST_OF.get(link.state)) is not None:
            listed = _listed(about, link)
            if link.candidates:
                listed = msgspec.structs.replace(
                    listed,
                    candidates=list(link.candidates),
                    candidates_count=link.candidates_count,
                    choices=candidates_of(link, about.known, about.names, about.tenant),
                )
            found[name].append(listed)
    return found


def _duplicates(
    about: _About, links: list[Link], entries: Iterable[JournalEntry]
) -> Iterator[Listed]:
    """Each pair of links once, with the newest reason that the journal gives for it."""
    reasons = {
        (entry.entity, frozenset((entry.link, entry.value))): entry.text for entry in entries
    }
    told: set[tuple[EntityName, frozenset[str]]] = set()
    for link in links:
        others = [
            key for key in link.duplicates if (link.entity, frozenset((link.key, key))) not in told
        ]
        told.update((link.entity, frozenset((link.key, key))) for key in others)
        if others:
            pairs = [(link.entity, frozenset((link.key, key))) for key in others]
            known = dict.fromkeys(reasons[pair] for pair in pairs if pair in reasons)
            yield Listed(
                entity=link.entity,
                key=link.key,
                called=about.names.of(link),
                duplicates=others,
                reason=", ".join(known) or "they look like the same party",
                names=_called(about, link.entity, others),
            )


def _called(about: _About, entity: EntityName, keys: Iterable[str]) -> dict[str, str]:
    """What links are called, by key; those without a name are left out."""
    held = {key: about.known.link(entity, key) for key in keys}
    return {
        key: words
        for key, link in held.items()
        if link and (words := words_of(about.names.of(link)))
    }


def _difference(about: _About, link: Link) -> Listed:
    """Fields that differ, with the reasons: what the target could not take, and what a person is
    asked."""
    listed = msgspec.structs.replace(_listed(about, link), fields=list(link.differences))
    words = [f"{name} is {why}" for name, why in link.held_back.items() if name in link.differences]
    words += [f"{name} was changed on both sides; keep one: tandem settle" for name in link.asked]
    return msgspec.structs.replace(listed, reason="; ".join(words)) if words else listed


def _listed(about: _About, link: Link) -> Listed:
    problem: Problem | None = link.problem
    reason = reason_of(link, about.facts, about.known)
    return Listed(
        entity=link.entity,
        key=link.key,
        called=about.names.of(link),
        reason=reason or (problem.message if problem else link.state),
        field=problem.field if problem else None,
    )


def _ignored(link: Link) -> str:
    return f"{link.entity}: {link.reason or 'no reason given'}"


def _first_snapshots(cursors: list[Cursor], done: set[str]) -> Iterator[FirstSnapshot]:
    """From the adapters' health, less those of which the linker knows that they are complete."""
    for cursor in cursors:
        told: Any = cursor.value.get(FIRST_SNAPSHOTS) if cursor.entity == "health" else None
        for entity in ENTITIES if isinstance(told, dict) else ():
            if isinstance(told.get(entity), dict) and f"{entity}/{cursor.system}" not in done:
                with contextlib.suppress(msgspec.ValidationError):
                    yield msgspec.convert(
                        {**told[entity], "entity": entity, "system": cursor.system}, FirstSnapshot
                    )


def troubles_of(cursors: list[Cursor]) -> list[Said]:
    """What the adapters' health complains of: `stopped`, `last_error` and notes, as text or by
    name."""
    lines = []
    for cursor in cursors:
        if cursor.entity != "health":
            continue
        for kind, fact in cursor.value.items():
            if kind in ("budget_percent", FIRST_SNAPSHOTS):
                continue
            if kind == "last_error" or not kind.startswith("last_"):
                lines += [
                    say("trouble", system=cursor.system, what=name, why=said_of(words))
                    for name, words in worded(kind, fact)
                ]
    return lines
