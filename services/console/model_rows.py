"""What the read model's tables are, and the rows that a record of a topic becomes. Pure."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from contracts.entities import SYSTEMS, System
from contracts.messages import (
    Control,
    Cursor,
    DeadLetter,
    JournalEntry,
    Link,
    Reading,
    ReadingMessage,
    Side,
)
from services.console.findings import found_in
from services.console.tally import is_told, sides_of

MIRRORED = ("links", "control", "journal", "cursors", "dead-letters", "readings")
FORMAT = "10"  # of the tables; another one is made anew
SETTLED_STATES = frozenset({"linked", "sent", "ignored"})
IS_OPEN = 2  # of `busy`: a command is under way; 1 where one is planned
SEARCHED = (
    "first_name",
    "last_name",
    "company",
    "email",
    "organisation_number",
    "name",
    "code",
    "number",
)

TABLES = """
create table meta (name text primary key, value text not null) without rowid;
create table positions (
    topic text, part integer, position integer, primary key (topic, part)
) without rowid;
create table links (
    number integer primary key, name text not null unique, tenant text, entity text, key text,
    state text, busy integer, asked integer, sides integer, told integer, chargebee text,
    poweroffice text, words text, value blob not null
);
create index links_told on links (tenant) where told;
create index links_tally on links (tenant, entity, state, busy, sides);
create index links_asked on links (tenant) where asked > 0;
create index links_busy on links (tenant, busy);
create index links_by_entity on links (tenant, entity, state);
create index links_by_chargebee on links (tenant, entity, chargebee);
create index links_by_poweroffice on links (tenant, entity, poweroffice);
create table findings (
    name text, number integer, tenant text, kind text, settled integer, value blob not null,
    primary key (name, number)
);
create index findings_by_kind on findings (tenant, settled, kind);
create table unsettled (
    name text primary key, tenant text, entity text, state text, since_s real not null
) without rowid;
create index unsettled_by_state on unsettled (tenant, entity, state, since_s);
create table journal (
    name text primary key, tenant text, entity text, link text, at text, rule text, cause text,
    value blob not null
);
create index journal_by_time on journal (tenant, at);
create index journal_by_link on journal (tenant, entity, link, at);
create index journal_by_cause on journal (tenant, cause, rule, name);
create index journal_by_rule on journal (tenant, rule, at);
create table control (name text primary key, tenant text, kind text, id text, value blob not null);
create index control_by_kind on control (tenant, kind, id);
create table cursors (name text primary key, tenant text, value blob not null);
create table letters (
    name text primary key, tenant text, entity text, link text, value blob not null
);
create table readings (
    name text primary key, tenant text, run text, system text, entity text, id text,
    value blob not null
);
create index readings_by_run on readings (tenant, run, entity, system);
create table reports (
    tenant text, run text, value blob not null, primary key (tenant, run)
) without rowid;
"""
TABLE_OF = {
    "links": "links",
    "control": "control",
    "journal": "journal",
    "cursors": "cursors",
    "dead-letters": "letters",
    "readings": "readings",
}
LINK = msgspec.json.Decoder(Link)
ENTRY = msgspec.json.Decoder(JournalEntry)
CONTROL = msgspec.json.Decoder(Control)
CURSOR = msgspec.json.Decoder(Cursor)
LETTER = msgspec.json.Decoder(DeadLetter)
READING: msgspec.json.Decoder[ReadingMessage] = msgspec.json.Decoder(ReadingMessage)
_encoder = msgspec.json.Encoder()

_LINK_COLUMNS = (
    *("name", "tenant", "entity", "key", "state", "busy", "asked", "sides", "told"),
    *("chargebee", "poweroffice", "words", "value"),
)
# The number of a link stays, so that a page of the console has an address without its key.
PUT_LINK = (
    f"insert into links ({', '.join(_LINK_COLUMNS)}) "
    f"values ({', '.join('?' * len(_LINK_COLUMNS))}) on conflict (name) do update set "
    + ", ".join(f"{name} = excluded.{name}" for name in _LINK_COLUMNS[1:])
)


class Mirrored(NamedTuple):
    """One record of a topic (its name without prefix); value None takes the key away. `place` says
    where it stands, as topic/partition/offset, and `at_s` when Kafka took it, in Unix time."""

    topic: str
    key: str
    value: bytes | None
    place: str = ""
    at_s: float = 0.0


def ids_of(link: Link) -> dict[System, str]:
    """The ids of a link's records by system, of those that it has."""
    return {system: side.id for system in SYSTEMS if (side := side_of(link, system)) is not None}


def side_of(link: Link, system: System) -> Side | None:
    """One side of a link."""
    return link.chargebee if system == "chargebee" else link.poweroffice


def rows_of(topic: str, key: str, value: bytes) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """The rows of a record, each with its table, without the name: that of its topic, and a link's
    findings."""
    if topic != "links":
        yield TABLE_OF[topic], (*_columns(topic, key, value), value)
        return
    link = LINK.decode(value)
    ids = [side.id if (side := side_of(link, system)) else None for system in SYSTEMS]
    busy = IS_OPEN if link.flight is not None else int(link.plan is not None)
    facts = (link.state, busy, len(link.asked), sides_of(link), is_told(link))
    yield "links", (link.tenant, link.entity, link.key, *facts, *ids, _words(link), value)
    for number, found in enumerate(found_in(link)):
        settled = found.settled is not None
        yield "findings", (number, link.tenant, found.finding.kind, settled, _encoder.encode(found))


def _columns(topic: str, key: str, value: bytes) -> tuple[Any, ...]:
    """The columns between name and value."""
    match topic:
        case "journal":
            entry = ENTRY.decode(value)
            return (
                entry.tenant,
                entry.entity or "signal",
                entry.link,
                entry.at,
                entry.rule,
                entry.cause,
            )
        case "control":
            control = CONTROL.decode(value)
            return (control.tenant, control.kind, control.id)
        case "cursors":
            return (CURSOR.decode(value).tenant,)
        case "dead-letters":
            command = LETTER.decode(value).command
            return (command.tenant, command.entity, command.link) if command else ("", None, None)
        case _:
            found = READING.decode(value)
            record = found.record if isinstance(found, Reading) else found
            name = key.rpartition("/")[2] if not isinstance(found, Reading) else found.record.id
            return (record.tenant, found.run, record.system, record.entity, name)


def _words(link: Link) -> str:
    said = [link.key]
    for system in SYSTEMS:
        if (side := side_of(link, system)) is not None:
            said.append(side.id)
            seen = side.seen or {}
            said += [str(seen[name]) for name in SEARCHED if seen.get(name)]
            said.append(" ".join(str(seen[name]) for name in SEARCHED[:2] if seen.get(name)))
            said += [str(number)] if (number := (seen.get("invoice") or {}).get("number")) else []
    return "\n".join(said).casefold()
