"""Why a record waits now. Pure: the link, what stands in control, the vendors' health and the other
links.

A link keeps the words of when it was last planned, and nobody plans it again only because something
else has moved on. So the reason is computed when it is shown; where nothing of what was said holds
any more, that is said.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from contracts.entities import ENTITIES, SYSTEM_NAMES, SYSTEMS, EntityName, System, other
from contracts.messages import STOPPED_BY, Command, Control, Cursor, Link
from contracts.said import SENTENCES, Said, english, say, sentences_of
from contracts.settings import Tenant
from services.console.health import worded
from services.console.known import Known
from services.console.model_rows import side_of
from services.console.names import Names

MOST = 3  # obstacles of one record that are told
UNHELD = SENTENCES["unheld"]
ASKED_WITHIN_S = 60.0  # of a vendor that does not answer, by its adapter
DEPTH = 2  # of a record that waits for one that waits
_REFERENCE = re.compile(r"its reference names (.+), which (chargebee|poweroffice) has not shown")


class Facts(msgspec.Struct, kw_only=True, frozen=True):
    """What reasons depend on besides links: the control facts by (kind, id), the mode that holds,
    why it is observe where nobody chose it, and what each vendor's health complains of, as a whole
    under "" and by entity. `not_before` is when a first snapshot is complete at the earliest (ISO
    8601 UTC), by system and entity; `read_within_s` how long a change may take to be read, by
    system, where that is known."""

    controls: Mapping[tuple[str, str], dict[str, Any]]
    mode: str
    forced: Said | None
    away: Mapping[System, Mapping[str, str]]
    not_before: Mapping[tuple[System, str], str] = {}
    read_within_s: Mapping[System, float] = {}


def facts_of(
    controls: Iterable[Control],
    cursors: Iterable[Cursor],
    settings_mode: str,
    undecided: Iterable[str] = (),
    read_within_s: Mapping[System, float] | None = None,
) -> Facts:
    """The facts of one tenant; `settings_mode` is what its settings say, `undecided` the settings
    without a default that are not set, `read_within_s` as in `Facts`."""
    held = {(control.kind, control.id): control.value for control in controls}
    missing = ", ".join(undecided)
    stopped = next((each for each in STOPPED_BY if held.get(("stopped", each))), None)
    forced = say("observe_unset", names=missing) if missing else None
    if stopped is not None:
        value = held["stopped", stopped]
        account = [say("account_other", system=stopped)]
        forced = say("observe_stopped", why=stop_said(value) if value.get("words") else account)
    said = (held.get(("mode", "~")) or {}).get("mode") or settings_mode
    by_system = _by_system(cursors)
    return Facts(
        controls=held,
        mode="observe" if forced else str(said),
        forced=forced,
        away={system: _away(health) for system, health in by_system.items()},
        not_before={
            (system, entity): told["until"]
            for system, health in by_system.items()
            for cursor in health
            for entity, told in (cursor.value.get("first_snapshots") or {}).items()
            if isinstance(told, dict) and isinstance(told.get("until"), str)
        },
        read_within_s=read_within_s or {},
    )


def stop_said(value: Mapping[str, Any]) -> list[Said] | str:
    """Why a tenant stands still, of a fact that has words for it; as they stand where an older
    release wrote it."""
    return sentences_of(value.get("said")) or str(value["words"])


def read_within(settings: Tenant) -> dict[System, float]:
    """How long a change may stand in a system until it is read: of Go the longest pause between two
    polls. Chargebee tells of changes by itself."""
    return {"poweroffice": settings.poweroffice.poll_max_s}


def span_of(seconds: float) -> str:
    """`45 s`, `2 min`, `3 h`: rounded up, since it is a bound."""
    if seconds < 60:
        return f"{math.ceil(seconds)} s"
    if seconds < 2 * 3600:
        return f"{math.ceil(seconds / 60)} min"
    return f"{math.ceil(seconds / 3600)} h"


def _by_system(cursors: Iterable[Cursor]) -> dict[System, list[Cursor]]:
    found: dict[System, list[Cursor]] = {system: [] for system in SYSTEMS}
    for cursor in cursors:
        if cursor.entity == "health" and cursor.system in found:
            found[cursor.system].append(cursor)
    return found


def _away(health: list[Cursor]) -> dict[str, str]:
    found: dict[str, str] = {}
    for cursor in health:
        for kind in ("notes", "last_error", "stopped"):
            found.update(worded("", cursor.value.get(kind)))
    return found


def reason_of(link: Link, facts: Facts, known: Known, sent_at: str = "") -> str | None:
    """Why a link is as it is now, in words; None where there is nothing to say. `sent_at` is when
    the command in flight was sent (ISO 8601 UTC), where that is known."""
    return english(*reasons_of(link, facts, known, sent_at)) or None


def reasons_of(link: Link, facts: Facts, known: Known, sent_at: str = "") -> list[Said]:
    """The same as sentences; none where there is nothing to say."""
    return _Reasons(facts, known).of(link, sent_at, DEPTH)


def stored(link: Link) -> list[Said]:
    """What a link says of itself; in bare words where an older release wrote it."""
    if link.said:
        return link.said
    return [say("bare", why=link.reason)] if link.reason else []


class _Reasons:
    def __init__(self, facts: Facts, known: Known) -> None:
        self._facts, self._known, self._names = facts, known, Names(known)

    def of(self, link: Link, sent_at: str, depth: int) -> list[Said]:
        if link.flight is not None:
            return self._under_way(link, link.flight.command, sent_at)
        match link.state:
            case "held" if link.plan is not None:
                return self._held(link, link.plan)
            case "pending":
                return self._pending(link)
            case "waiting":
                return self._waiting(link, depth)
            case "parked":
                return self._parked(link)
        return stored(link)

    def _under_way(self, link: Link, command: Command, sent_at: str) -> list[Said]:
        op, system = command.op, SYSTEM_NAMES[command.target]
        words = (
            say("under_way_since", op=op, system=system, at=f"{sent_at[:19]}Z")
            if sent_at
            else say("under_way", op=op, system=system)
        )
        return [words, *self._trouble(command.target, link.entity)]

    def _trouble(self, system: System, entity: EntityName) -> list[Said]:
        away = self._facts.away.get(system, {})
        words = away.get("") or away.get(entity)
        if not words:
            return []
        return [say("in_trouble", system=SYSTEM_NAMES[system], why=words)]

    def _asked_again(self, system: System) -> Said:
        return say("asked_again", system=SYSTEM_NAMES[system], within=span_of(ASKED_WITHIN_S))

    def _read_again(self, system: System) -> list[Said]:
        """By when a system is read again without anybody's help, where that is known."""
        within_s = self._facts.read_within_s.get(system)
        if within_s is None or self._facts.away.get(system, {}).get(""):
            return []
        return [say("read_again", system=SYSTEM_NAMES[system], within=span_of(within_s))]

    # -- what is planned and not sent

    def _held(self, link: Link, plan: Command) -> list[Said]:
        would = say("would", op=plan.op, system=plan.target)
        if self._control("pause", f"{link.entity}/{plan.target}"):
            return [say("paused", entity=link.entity, system=plan.target), would]
        if self._facts.mode != "sync":
            return [self._facts.forced or say("observe"), would]
        if self._is_held(link):
            return stored(link) or [say("held_as", batch=link.batch), would]
        return [say("unheld"), would, _later(link)]

    def _is_held(self, link: Link) -> bool:
        """Whether the batch of a held link still waits for a person."""
        if link.batch == "first":
            return not self._control("released", link.entity)
        if link.batch in ("observe", "paused"):
            return False
        if link.batch == "paid":
            return not link.paid_released
        kind, _, number = link.batch.rpartition("-")
        breaker = self._control("breaker", f"{link.entity}/{kind}")
        return bool(breaker.get("open")) and str(breaker.get("batch")) == number

    def _pending(self, link: Link) -> list[Said]:
        if link.plan is not None:
            return [
                *(stored(link) or [say("queued")]),
                *self._trouble(link.plan.target, link.entity),
            ]
        missing = [
            each for each in SYSTEMS if not self._control("barrier", f"{link.entity}/{each}")
        ]
        if not missing:
            return [say("snapshots_complete", entity=link.entity), _later(link)]
        return [self._snapshot(link.entity, system) for system in missing]

    def _snapshot(self, entity: EntityName, system: System) -> Said:
        away = self._facts.away.get(system, {})
        until = self._facts.not_before.get((system, entity))
        incomplete = say("not_before", at=f"{until[:19]}Z") if until else say("incomplete")
        why = away.get(entity) or away.get("") or incomplete
        return say("first_snapshot", entity=entity, system=SYSTEM_NAMES[system], why=why)

    # -- what waits for another record

    def _waiting(self, link: Link, depth: int) -> list[Said]:
        found = [
            words for name in link.waiting_on if (words := self._obstacle(name, depth)) is not None
        ]
        if found:
            more = [say("more", count=len(found) - MOST)] if len(found) > MOST else []
            unread = dict.fromkeys(
                system for name in link.waiting_on if (system := self._unread(name)) is not None
            )
            return [
                *found[:MOST],
                *more,
                *(again for system in unread for again in self._read_again(system)),
            ]
        if link.waiting_on:
            return [say("obstacle_gone"), _later(link)]
        if self._is_unshown(link):
            target: System = "poweroffice" if link.poweroffice is None else "chargebee"
            return [*(stored(link) or [say("waits_unread")]), *self._read_again(target)]
        return [say("obstacle_read"), _later(link)]

    def _unread(self, name: str) -> System | None:
        """The system of a record that is waited for and that nobody has read yet."""
        entity, _, rest = name.partition("|")
        system, _, record_id = rest.partition("|")
        if entity in ENTITIES and system in SYSTEMS:
            held = self._known.holder(entity, system, record_id)
            return system if held is None else None
        return None

    def _is_unshown(self, link: Link) -> bool:
        """Whether the other system has still not shown what a link was told to look for."""
        target: System = "poweroffice" if link.poweroffice is None else "chargebee"
        if link.twins:
            return any(self._known.holder(link.entity, target, each) is None for each in link.twins)
        named = _REFERENCE.fullmatch(link.reason or "")
        if named is None:
            return True
        bare = (
            re.sub("^(cb|go)-", "", named[1]) if named[1].startswith(("cb-", "go-")) else named[1]
        )
        return all(
            self._known.holder(link.entity, target, each) is None for each in {named[1], bare}
        )

    def _obstacle(self, name: str, depth: int) -> Said | None:
        """Why a record that is waited for is not there yet; None where it is. `name` is as in
        `Link.waiting_on`: link|entity|key, or entity|system|id."""
        first, _, rest = name.partition("|")
        second, _, last = rest.partition("|")
        if first == "link" and second in ENTITIES:
            return self._being_written(second, last)
        if first in ENTITIES and second in SYSTEMS:
            return self._unlinked(first, second, last, depth)
        return say("waits_on", name=name)

    def _being_written(self, entity: EntityName, key: str) -> Said | None:
        found = self._known.link(entity, key)
        if found is None or found.flight is None:
            return None
        why = self._under_way(found, found.flight.command, "")
        return say("twin_under_way", called=self._names.said(found), why=why)

    def _unlinked(
        self, entity: EntityName, system: System, record_id: str, depth: int
    ) -> Said | None:
        found = self._known.holder(entity, system, record_id)
        if found is None:
            return say("record_unknown", entity=entity, id=record_id, system=SYSTEM_NAMES[system])
        twin = side_of(found, other(system))
        called = self._names.said(found)
        if twin is None:
            why: Sequence[Said] = self.of(found, "", depth - 1) if depth > 1 else stored(found)
            if not why:
                return say("other_is", called=called, state=found.state)
            return say("other_is_why", called=called, state=found.state, why=why)
        gone = twin.deleted or bool((twin.seen or {}).get("archived"))
        if entity == "customer" and system == "chargebee" and gone:
            return say("called_archived", called=called)
        return None

    def _parked(self, link: Link) -> list[Said]:
        words = stored(link) or [say("parked_bare")]
        reason = english(*words)
        system = next((each for each in SYSTEMS if reason.startswith(f"{each}: ")), None)
        if system is None:
            return words
        trouble = self._trouble(system, link.entity)
        if trouble:
            sent = say("sent_when_it_answers", system=SYSTEM_NAMES[system])
            return [*trouble, sent, self._asked_again(system)]
        return [*words, say("no_trouble_now", system=SYSTEM_NAMES[system]), _later(link)]

    def _control(self, kind: str, id: str) -> dict[str, Any]:
        return self._facts.controls.get((kind, id)) or {}


def _later(link: Link) -> Said:
    """That the linker has not looked at a link since. No clock makes it look: a change of a record
    does, and some of what waits is looked at by a start."""
    starts = link.state == "pending" or (link.state == "held" and link.batch == "observe")
    return say(
        "looked_at_again_or_start" if starts else "looked_at_again",
        entity_name=link.entity,
        key=link.key,
    )
