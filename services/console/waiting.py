"""Why a record waits now. Pure: the link, what stands in control, the vendors' health and the other
links.

A link keeps the words of when it was last planned, and nobody plans it again only because something
else has moved on. So the reason is computed when it is shown; where nothing of what was said holds
any more, that is said.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from contracts.entities import ENTITIES, SYSTEM_NAMES, SYSTEMS, EntityName, System, other
from contracts.messages import STOPPED_BY, Command, Control, Cursor, Link
from services.console.health import worded
from services.console.known import Known
from services.console.model import side_of
from services.console.names import Names

MOST = 3  # obstacles of one record that are told
UNHELD = "nothing holds it any more"
DEPTH = 2  # of a record that waits for one that waits
_REFERENCE = re.compile(r"its reference names (.+), which (chargebee|poweroffice) has not shown")


class Facts(msgspec.Struct, kw_only=True, frozen=True):
    """What reasons depend on besides links: the control facts by (kind, id), the mode that holds,
    why it is observe where nobody chose it, and what each vendor's health complains of, as a whole
    under "" and by entity."""

    controls: Mapping[tuple[str, str], dict[str, Any]]
    mode: str
    forced: str
    away: Mapping[System, Mapping[str, str]]


def facts_of(
    controls: Iterable[Control],
    cursors: Iterable[Cursor],
    settings_mode: str,
    undecided: Iterable[str] = (),
) -> Facts:
    """The facts of one tenant; `settings_mode` is what its settings say, `undecided` the settings
    without a default that are not set."""
    held = {(control.kind, control.id): control.value for control in controls}
    missing = ", ".join(undecided)
    stopped = next((each for each in STOPPED_BY if held.get(("stopped", each))), None)
    forced = f"not set: {missing}" if missing else ""
    if stopped is not None:
        words = held["stopped", stopped].get("words") or f"another {stopped} account"
        forced = f"stopped: {words}"
    said = (held.get(("mode", "~")) or {}).get("mode") or settings_mode
    away = {system: _away(health) for system, health in _by_system(cursors).items()}
    return Facts(controls=held, mode="observe" if forced else str(said), forced=forced, away=away)


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
    return _Reasons(facts, known).of(link, sent_at, DEPTH)


class _Reasons:
    def __init__(self, facts: Facts, known: Known) -> None:
        self._facts, self._known, self._names = facts, known, Names(known)

    def of(self, link: Link, sent_at: str, depth: int) -> str | None:
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
        return link.reason

    def _under_way(self, link: Link, command: Command, sent_at: str) -> str:
        since = f" since {sent_at[:19]}Z" if sent_at else ""
        words = f"{command.op} in {SYSTEM_NAMES[command.target]} is under way{since}"
        return words + self._trouble(command.target, link.entity)

    def _trouble(self, system: System, entity: EntityName) -> str:
        away = self._facts.away.get(system, {})
        words = away.get("") or away.get(entity)
        return f"; {SYSTEM_NAMES[system]} is in trouble: {words}" if words else ""

    # -- what is planned and not sent

    def _held(self, link: Link, plan: Command) -> str:
        would = f"; would {plan.op} in {plan.target}"
        if self._control("pause", f"{link.entity}/{plan.target}"):
            return f"{link.entity} to {plan.target} is paused{would}"
        if self._facts.mode != "sync":
            forced = f" ({self._facts.forced})" if self._facts.forced else ""
            return f"observe{forced}{would}"
        if self._is_held(link):
            return link.reason or f"held as {link.batch}{would}"
        return f"{UNHELD}{would}{_later(link)}"

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

    def _pending(self, link: Link) -> str:
        if link.plan is not None:
            words = link.reason or "planned; waits for its turn"
            return words + self._trouble(link.plan.target, link.entity)
        missing = [
            each for each in SYSTEMS if not self._control("barrier", f"{link.entity}/{each}")
        ]
        if not missing:
            return f"both first snapshots of {link.entity}s are complete{_later(link)}"
        return "; ".join(self._snapshot(link.entity, system) for system in missing)

    def _snapshot(self, entity: EntityName, system: System) -> str:
        away = self._facts.away.get(system, {})
        why = away.get(entity) or away.get("") or "not complete yet"
        return f"waits for the first snapshot of {entity}s in {SYSTEM_NAMES[system]}: {why}"

    # -- what waits for another record

    def _waiting(self, link: Link, depth: int) -> str:
        found = [
            words for name in link.waiting_on if (words := self._obstacle(name, depth)) is not None
        ]
        if found:
            rest = f"; and {len(found) - MOST} more" if len(found) > MOST else ""
            return "; ".join(found[:MOST]) + rest
        if link.waiting_on:
            return f"what it waited for is there{_later(link)}"
        if self._is_unshown(link):
            return link.reason or "waits for a record that has not been read"
        return f"what it waited for has been read{_later(link)}"

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

    def _obstacle(self, name: str, depth: int) -> str | None:
        """Why a record that is waited for is not there yet; None where it is. `name` is as in
        `Link.waiting_on`: link|entity|key, or entity|system|id."""
        first, _, rest = name.partition("|")
        second, _, last = rest.partition("|")
        if first == "link" and second in ENTITIES:
            return self._being_written(second, last)
        if first in ENTITIES and second in SYSTEMS:
            return self._unlinked(first, second, last, depth)
        return f"waits on {name}"

    def _being_written(self, entity: EntityName, key: str) -> str | None:
        found = self._known.link(entity, key)
        if found is None or found.flight is None:
            return None
        return (
            f"{self._names.called(found)} may be its twin, and "
            f"{self._under_way(found, found.flight.command, '')}"
        )

    def _unlinked(
        self, entity: EntityName, system: System, record_id: str, depth: int
    ) -> str | None:
        found = self._known.holder(entity, system, record_id)
        if found is None:
            return f"{entity} {record_id} of {SYSTEM_NAMES[system]} is not known yet"
        twin = side_of(found, other(system))
        called = self._names.called(found)
        if twin is None:
            why = self.of(found, "", depth - 1) if depth > 1 else found.reason
            return f"{called} is {found.state}{f': {why}' if why else ''}"
        gone = twin.deleted or bool((twin.seen or {}).get("archived"))
        if entity == "customer" and system == "chargebee" and gone:
            return f"{called} is archived in Go: take it out of the archive there"
        return None

    def _parked(self, link: Link) -> str:
        reason = link.reason or "parked"
        system = next((each for each in SYSTEMS if reason.startswith(f"{each}: ")), None)
        if system is None:
            return reason
        trouble = self._trouble(system, link.entity)
        if trouble:
            return f"{trouble[2:]}; it is sent when {SYSTEM_NAMES[system]} answers"
        return (
            f"{reason}; nothing is known to be wrong with {SYSTEM_NAMES[system]} now{_later(link)}"
        )

    def _control(self, kind: str, id: str) -> dict[str, Any]:
        return self._facts.controls.get((kind, id)) or {}


def _later(link: Link) -> str:
    """That the linker has not looked at a link since. No clock makes it look: a change of a record
    does, and some of what waits is looked at by a start."""
    starts = link.state == "pending" or (link.state == "held" and link.batch == "observe")
    when = (
        "one of its records changes, or the linker starts"
        if starts
        else "one of its records changes"
    )
    return (
        f"; the linker looks at it again when {when}, and at once with "
        f"tandem redrive --entity {link.entity} --key {link.key}"
    )
