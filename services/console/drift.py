"""The drift report of a reconcile: what both systems were found to hold, against what is believed
of them."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from contracts.entities import ENTITIES, SYSTEMS, EntityName, System, other
from contracts.messages import JournalEntry, Link, Observed, Side
from contracts.said import Said, english, say
from contracts.vendors import changed_at
from services.console import readings
from services.console.files import cell, write_csv, write_html
from services.console.findings import (
    Found,
    brief_of,
    brief_said,
    counted_said,
    documents_of,
    full_of,
    left_in,
    ordered,
)
from services.console.model import ReadModel
from services.console.model_rows import side_of
from services.console.waiting import stored

COLUMNS = (
    "kind",
    "entity",
    "link",
    "system",
    "id",
    "field",
    "found",
    "taken for",
    "other side",
    "note",
)
SKEW = timedelta(minutes=1)
KNOWN = say("drift_known")


class Difference(msgspec.Struct, kw_only=True):
    """A field of a record that is not what it was taken for; `other` is what the other system
    holds."""

    entity: EntityName
    link: str
    system: System
    id: str
    field: str
    found: Any
    believed: Any
    other: Any


class Loose(msgspec.Struct, kw_only=True):
    """A record that stands alone: absent, unknown, or without a partner and why."""

    entity: EntityName
    system: System
    id: str
    link: str | None = None
    reason: str = ""


class Report(msgspec.Struct, kw_only=True):
    """What a reconcile found. `matched` counts linked pairs that were read on both sides and hold
    what was agreed; `listed` are differences that are known and left to a person; `unlinked` stand
    alone for a reason; `findings` are those of the entities read that nobody has settled."""

    run: str
    repaired: bool
    records: dict[str, int]
    matched: dict[str, int]
    different: list[Difference]
    missing: list[Loose]
    extra: list[Loose]
    unlinked: list[Loose]
    listed: list[Loose]
    would: dict[str, list[str]]
    findings: list[Found] = []

    @property
    def left(self) -> int:
        """How much drift there is."""
        return len(self.different) + len(self.missing) + len(self.extra)


def drift_of(model: ReadModel, tenant: str, run_id: str) -> Report:
    """Compare what a run read with the links as they stand."""
    run = model.fact(tenant, "run", run_id) or {}
    repaired = bool(run.get("repair"))
    report = Report(
        run=run_id,
        repaired=repaired,
        records={},
        matched={},
        different=[],
        missing=[],
        extra=[],
        unlinked=[],
        listed=[],
        would={},
    )
    entries = model.caused(tenant, f"{tenant}/run/{run_id}")
    entities = [
        each for each in ENTITIES if any(part.endswith(f"/{each}") for part in run.get("parts", {}))
    ]
    for entity in entities:
        _entity(
            model,
            tenant,
            run,
            report,
            entity,
            [entry for entry in entries if entry.entity == entity],
        )
    report.findings = ordered(report.findings)
    return report


def _entity(
    model: ReadModel,
    tenant: str,
    run: dict[str, Any],
    report: Report,
    entity: EntityName,
    entries: list[JournalEntry],
) -> None:
    read = {(event.system, event.id): event for event in model.readings(tenant, report.run, entity)}
    links = {link.key: link for link in model.links(tenant, entity)}
    began = datetime.fromisoformat(run["at"])
    drifted: set[str] = set()
    for entry in entries:
        link = links.get(entry.link)
        if entry.rule == "would":
            report.would.setdefault(f"{entity} {entry.link}", []).append(entry.text)
        if (
            entry.rule == "drift"
            and link is not None
            and (found := _difference(entry, link, read, report)) is not None
        ):
            report.different.append(found)
            drifted.add(link.key)
    for system in SYSTEMS:
        report.records[f"{system}/{entity}"] = sum(
            name == system and not event.deleted for (name, _), event in read.items()
        )
    # What was not read to its end, or is no longer kept, says of no record that it is missing.
    kept = {system for system in SYSTEMS if report.records[f"{system}/{entity}"]}
    whole = readings.whole(run, entity, kept)
    held: set[tuple[System, str]] = set()
    for link in links.values():
        report.findings += left_in(link)
        sides = [
            (system, side) for system in SYSTEMS if (side := side_of(link, system)) is not None
        ]
        held.update((system, side.id) for system, side in sides)
        absent = [
            (system, side)
            for system, side in sides
            if system in whole
            and (system, side.id) not in read
            and not side.deleted
            and not _moved(side, began)
        ]
        report.missing += [
            Loose(entity=entity, system=system, id=side.id, link=link.key)
            for system, side in absent
        ]
        standing = [(system, side) for system, side in sides if not side.deleted]
        are_read = [
            (event := read.get((system, side.id))) is not None and not event.deleted
            for system, side in sides
        ]
        if len(sides) == 2 and all(are_read) and link.key not in drifted:
            report.matched[entity] = report.matched.get(entity, 0) + 1
        if len(standing) == 1:
            [(system, side)] = standing
            report.unlinked.append(
                Loose(
                    entity=entity,
                    system=system,
                    id=side.id,
                    link=link.key,
                    reason=english(alone_said(link)),
                )
            )
        if link.differences:
            ours = link.chargebee.id if link.chargebee else ""
            fields = ", ".join(link.differences)
            report.listed.append(
                Loose(entity=entity, system="chargebee", id=ours, link=link.key, reason=fields)
            )
    report.extra += [
        Loose(entity=entity, system=system, id=id)
        for (system, id), event in sorted(read.items())
        if (system, id) not in held and not event.deleted
    ]


def _difference(
    entry: JournalEntry, link: Link, read: dict[tuple[System, str], Observed], report: Report
) -> Difference | None:
    """One field of the journal; None where the ordinary stream has brought it meanwhile."""
    system, field = entry.system, entry.field
    side = side_of(link, system) if system is not None else None
    if system is None or field is None or side is None:
        return None
    seen = side.deleted if field == "deleted" else (side.seen or {}).get(field)
    if not report.repaired and seen == entry.value and field not in side.remapped:
        return None
    theirs = side_of(link, other(system))
    event = read.get((other(system), theirs.id)) if theirs is not None else None
    return Difference(
        entity=link.entity,
        link=link.key,
        system=system,
        id=side.id,
        field=field,
        found=entry.value,
        believed=entry.losing,
        other=(event.data or {}).get(field) if event else None,
    )


def alone_said(link: Link) -> Said:
    """Why a record has no partner."""
    why = stored(link)
    return (
        say("state_why", state=link.state, why=why) if why else say("state_bare", state=link.state)
    )


def _moved(side: Side, began: datetime) -> bool:
    """Whether a record changed, or came into being, since a run began, so that the run may not have
    met it."""
    when = changed_at(side.version)
    return when is not None and when > began - SKEW


def summary(report: Report) -> str:
    """The report in one line."""
    return english(*summary_said(report))


def summary_said(report: Report) -> list[Said]:
    """The same as sentences."""
    matched = [say("count_of", count=n, what=f"{name}s") for name, n in report.matched.items()]
    return [
        say("drift_matched", parts=matched) if matched else say("drift_matched_none"),
        say(
            "drift_counts",
            different=len(report.different),
            missing=len(report.missing),
            extra=len(report.extra),
        ),
        say("drift_alone", count=len(report.unlinked)),
        say("drift_listed", count=len(report.listed)),
        *(counted_said(report.findings) if report.findings else ()),
    ]


def lines(report: Report, *, known: bool = True) -> Iterator[str]:
    """One line for each finding and each drift; without `known` only for drift, not for what stands
    apart for a reason."""
    yield from (f"finding {full_of(found)}" for found in (report.findings if known else []))
    for each in report.different:
        note = "; ".join(report.would.get(f"{each.entity} {each.link}", []))
        is_, was, theirs = map(_shown, (each.found, each.believed, each.other))
        what = f"{each.entity} {each.link}: {each.field} in {each.system} is {is_}, taken for {was}"
        yield f"different {what}; {other(each.system)} has {theirs}{f'; {note}' if note else ''}"
    unlinked = report.unlinked if known else []
    for kind, found in (
        ("missing", report.missing),
        ("extra", report.extra),
        ("unlinked", unlinked),
    ):
        for one in found:
            yield (
                f"{kind} {one.entity} {one.id} in "
                f"{one.system}{f': {one.reason}' if one.reason else ''}"
            )
    for one in report.listed if known else []:
        yield (
            f"listed {one.entity} {one.link}: not the same on both sides and left to a person: "
            f"{one.reason}"
        )


def _shown(value: Any) -> str:
    return cell(value) or "blank"


def rows(report: Report) -> Iterator[tuple[str, ...]]:
    """The report as lines with COLUMNS."""
    for each in report.different:
        note = "; ".join(report.would.get(f"{each.entity} {each.link}", []))
        yield (
            "different",
            each.entity,
            each.link,
            each.system,
            each.id,
            each.field,
            cell(each.found),
            cell(each.believed),
            cell(each.other),
            note,
        )
    for kind, found in (
        ("missing", report.missing),
        ("extra", report.extra),
        ("unlinked", report.unlinked),
    ):
        for one in found:
            yield (kind, one.entity, one.link or "", one.system, one.id, "", "", "", "", one.reason)
    for one in report.listed:
        yield (
            "listed",
            one.entity,
            one.link or "",
            "",
            one.id,
            one.reason,
            "",
            "",
            "",
            english(KNOWN),
        )
    for held in report.findings:
        yield (
            "finding",
            held.entity,
            held.key,
            "",
            documents_of(held),
            held.finding.kind,
            "",
            "",
            "",
            f"{brief_of(held)}; {held.finding.todo}",
        )


def notes(report: Report, look: Callable[[EntityName, str], Link | None]) -> Iterator[list[Said]]:
    """What the note of each of the `rows` says, as sentences, where it is not the journal's; `look`
    finds a link by its key."""
    for _ in (*report.different, *report.missing, *report.extra):
        yield []
    for one in report.unlinked:
        link = look(one.entity, one.link or "")
        yield [alone_said(link)] if link is not None else []
    yield from ([KNOWN] for _ in report.listed)
    for held in report.findings:
        yield [brief_said(held), *(held.finding.todo_said or [say("bare", why=held.finding.todo)])]


def write_report_csv(file: Path, report: Report) -> None:
    """One line for each finding. Raises OSError."""
    write_csv(file, COLUMNS, rows(report))


def write_report_html(file: Path, report: Report, title: str) -> None:
    """One page that needs nothing else. Raises OSError."""
    write_html(file, title, summary(report), [("", COLUMNS, list(rows(report)))])
