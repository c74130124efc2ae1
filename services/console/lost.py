"""Edits that lost: both values, which system's stands, and when it was decided; on the screen, as
JSON and as CSV."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console

from contracts.entities import EntityName, System, other
from contracts.messages import LOST_RULES, JournalEntry
from services.console.files import cell, write_csv
from services.console.model import ReadModel
from services.console.model_rows import side_of
from services.console.terminal import print_json, say

COLUMNS = (
    "at",
    "entity",
    "link",
    "chargebee",
    "poweroffice",
    "field",
    "lost in",
    "lost value",
    "won by",
    "standing value",
    "rule",
    "reason",
    "cause",
)


class Lost(msgspec.Struct, kw_only=True):
    """One value that lost. `system` is where it stood, `winner` the system whose value stands there
    instead; `ids` are the records of the link by system, as far as it is still known. `at` is ISO
    8601 UTC, when it was decided."""

    at: str
    entity: EntityName
    link: str
    ids: dict[System, str]
    field: str
    system: System
    losing: Any
    winner: System
    value: Any
    rule: str
    reason: str
    cause: str


def lost_of(
    model: ReadModel,
    tenant: str,
    *,
    entity: EntityName | None = None,
    side: System | None = None,
    since: str = "",
    until: str = "~",
) -> list[Lost]:
    """The edits of a tenant that lost between two times (ISO 8601 UTC), oldest first; of one system
    with `side`."""
    entries = model.decided(tenant, LOST_RULES, entity=entity, since=since, until=until)
    return [
        lost
        for entry in entries
        if (lost := _lost(model, entry)) is not None and side in (None, lost.system)
    ]


def _lost(model: ReadModel, entry: JournalEntry) -> Lost | None:
    if entry.entity is None or entry.system is None:
        return None
    link = model.link(entry.tenant, entry.entity, entry.link)
    ids: dict[System, str] = {}
    for system in (entry.system, other(entry.system)):
        if link is not None and (held := side_of(link, system)) is not None:
            ids[system] = held.id
    return Lost(
        at=entry.at,
        entity=entry.entity,
        link=entry.link,
        ids=ids,
        field=entry.field or "",
        system=entry.system,
        losing=entry.losing,
        winner=other(entry.system),
        value=entry.value,
        rule=entry.rule,
        reason=entry.text,
        cause=entry.cause,
    )


def show_lost(console: Console, found: list[Lost], *, as_json: bool) -> None:
    """Two lines for each: what lost to what, and why."""
    if as_json:
        print_json(found)
        return
    for each in found:
        lost, stands = (cell(value) or "blank" for value in (each.losing, each.value))
        say(
            console,
            f"{each.at[:19]}Z  {each.entity} {each.link}: {each.field} of {each.system} lost: "
            f"{lost}; "
            f"{each.winner} won: {stands}",
        )
        say(console, f"    {each.rule}: {each.reason}")
    say(console, f"{len(found)} edits lost" if len(found) != 1 else "1 edit lost")


def write_lost_csv(file: Path, found: list[Lost]) -> None:
    """One line for each. Raises OSError."""
    write_csv(file, COLUMNS, _rows(found))


def _rows(found: list[Lost]) -> Iterator[tuple[str, ...]]:
    for each in found:
        yield (
            each.at,
            each.entity,
            each.link,
            each.ids.get("chargebee", ""),
            each.ids.get("poweroffice", ""),
            each.field,
            each.system,
            cell(each.losing),
            each.winner,
            cell(each.value),
            each.rule,
            each.reason,
            each.cause,
        )
