"""The read model: what the topics hold, folded by key into SQLite, with how far each topic has been read.

It can be deleted at any time; the next command makes it anew. Rows and positions move in one transaction, so several
processes may keep it at once: who finds that another has gone on starts from there.
"""

import logging
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from contracts.entities import SYSTEMS, EntityName, System
from contracts.messages import (
    Control,
    Cursor,
    DeadLetter,
    JournalEntry,
    Link,
    Observed,
    Reading,
    ReadingMessage,
    Side,
)  # fmt: skip
from runtime.dead_letters import UNREADABLE

log = logging.getLogger(__name__)
MIRRORED = ("links", "control", "journal", "cursors", "dead-letters", "readings")
FORMAT = "2"  # of the tables; another one is made anew
MAX_AGE_S = 20 * 24 * 3600  # Kafka drops the word that a key is gone after 30 days; an older model may have missed it
SEARCHED = ("first_name", "last_name", "company", "email", "organisation_number", "name", "code", "number")

_TABLES = """
create table meta (name text primary key, value text not null) without rowid;
create table positions (topic text, part integer, position integer, primary key (topic, part)) without rowid;
create table links (
    name text primary key, tenant text, entity text, key text, state text, busy integer, chargebee text,
    poweroffice text, words text, value blob not null
);
create index links_busy on links (tenant, busy);
create index links_by_entity on links (tenant, entity, state);
create index links_by_chargebee on links (tenant, entity, chargebee);
create index links_by_poweroffice on links (tenant, entity, poweroffice);
create table journal (
    name text primary key, tenant text, entity text, link text, at text, rule text, cause text, value blob not null
);
create index journal_by_link on journal (tenant, entity, link, at);
create index journal_by_cause on journal (tenant, cause);
create index journal_by_rule on journal (tenant, rule, at);
create table control (name text primary key, tenant text, kind text, id text, value blob not null);
create index control_by_kind on control (tenant, kind, id);
create table cursors (name text primary key, tenant text, value blob not null);
create table letters (name text primary key, tenant text, entity text, link text, value blob not null);
create table readings (
    name text primary key, tenant text, run text, system text, entity text, id text, value blob not null
);
create index readings_by_run on readings (tenant, run, entity, system);
"""
_TABLE_OF = {"links": "links", "control": "control", "journal": "journal", "cursors": "cursors",
             "dead-letters": "letters", "readings": "readings"}  # fmt: skip
_link = msgspec.json.Decoder(Link)
_entry = msgspec.json.Decoder(JournalEntry)
_control = msgspec.json.Decoder(Control)
_cursor = msgspec.json.Decoder(Cursor)
_letter = msgspec.json.Decoder(DeadLetter)
_reading: msgspec.json.Decoder[ReadingMessage] = msgspec.json.Decoder(ReadingMessage)

Positions = Mapping[tuple[str, int], int]


class Mirrored(NamedTuple):
    """One record of a topic (its name without prefix); value None takes the key away. `place` says where it stands, as
    topic/partition/offset."""

    topic: str
    key: str
    value: bytes | None
    place: str = ""


class ReadModel:
    """The SQLite file in a directory. `source` names the Kafka and topics that it mirrors; another one empties it."""

    def __init__(self, directory: Path, source: str) -> None:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.path = directory / "model.sqlite"
        self.path.touch(mode=0o600)
        os.chmod(self.path, 0o600)  # it holds personal data
        self._db = sqlite3.connect(self.path, timeout=30.0, isolation_level=None)
        # Erased means erased: the bytes too.
        self._db.executescript("pragma journal_mode=wal; pragma synchronous=normal; pragma secure_delete=on;")
        self._prepare(source)

    def _prepare(self, source: str) -> None:
        with self._transaction():
            has_meta = self._db.execute("select 1 from sqlite_master where name = 'meta'").fetchone()
            held = dict(self._db.execute("select name, value from meta")) if has_meta else {}
            is_ours = (held.get("format"), held.get("source")) == (FORMAT, source)
            if not is_ours or float(held["read_at_s"]) < time.time() - MAX_AGE_S:
                self._make_anew(source)

    def _make_anew(self, source: str) -> None:
        names = [name for (name,) in self._db.execute("select name from sqlite_master where type = 'table'")]
        for name in names:
            self._db.execute(f"drop table {name}")
        for statement in _TABLES.split(";"):
            self._db.execute(statement)
        facts = {"format": FORMAT, "source": source, "read_at_s": str(time.time())}
        self._db.executemany("insert into meta values (?, ?)", facts.items())

    def _transaction(self) -> "_Transaction":
        return _Transaction(self._db)

    def close(self) -> None:
        self._db.close()

    def empty(self) -> None:
        """Forget everything, so that it is read anew."""
        with self._transaction():
            (source,) = self._db.execute("select value from meta where name = 'source'").fetchone()
            self._make_anew(source)

    # -- keeping

    def positions(self) -> dict[tuple[str, int], int]:
        """Up to where each partition has been read: (topic, partition) -> next offset."""
        return {(topic, part): at for topic, part, at in self._db.execute("select * from positions")}

    def apply(self, records: Sequence[Mirrored], before: Positions, after: Positions) -> bool:
        """Fold records and move the positions; False, and nothing done, where another process has gone on."""
        with self._transaction():
            held = self.positions()
            if any(held.get(name, 0) != position for name, position in before.items()):
                return False
            for record in records:
                self._fold(record)
            rows = [(topic, part, position) for (topic, part), position in after.items()]
            self._db.executemany("insert or replace into positions values (?, ?, ?)", rows)
            self._db.execute("update meta set value = ? where name = 'read_at_s'", (str(time.time()),))
        if any(record.value is None for record in records):
            self._db.execute("pragma wal_checkpoint(truncate)")
        return True

    def _fold(self, record: Mirrored) -> None:
        table = _TABLE_OF[record.topic]
        if record.value is None:
            self._db.execute(f"delete from {table} where name = ?", (record.key,))
            return
        try:
            row = _row(record.topic, record.key, record.value)
        except UNREADABLE as error:
            # What cannot be read cannot be shown; kcat can. On standard error, since commands print to the other.
            log.warning("%s, %s, cannot be read and is left out: %s", record.place, record.key, error)
            return
        if row is not None:
            marks = ", ".join("?" * (len(row) + 2))
            self._db.execute(f"insert or replace into {table} values ({marks})", (record.key, *row, record.value))

    # -- reading

    def links(self, tenant: str, entity: EntityName | None = None, state: str | None = None) -> Iterator[Link]:
        """The links of a tenant."""
        where = "tenant = ? and entity = coalesce(?, entity) and state = coalesce(?, state)"
        return map(_link.decode, self._values("links", where, tenant, entity, state))

    def states(self) -> dict[tuple[str, str, str], int]:
        """How many links there are, by tenant, entity and state."""
        counted = self._db.execute("select tenant, entity, state, count(*) from links group by 1, 2, 3")
        return {(tenant, entity, state): count for tenant, entity, state, count in counted}

    def busy(self, tenant: str) -> Iterator[Link]:
        """The links that have a command in flight, or planned."""
        return map(_link.decode, self._values("links", "tenant = ? and busy", tenant))

    def link(self, tenant: str, entity: EntityName, key: str) -> Link | None:
        """One link by its key."""
        return next(map(_link.decode, self._values("links", "name = ?", f"{tenant}/{entity}/{key}")), None)

    def link_of(self, tenant: str, entity: EntityName, system: System, record_id: str) -> Link | None:
        """The link that holds a vendor's record."""
        where = f"tenant = ? and entity = ? and {system} = ?"
        return next(map(_link.decode, self._values("links", where, tenant, entity, record_id)), None)

    def find(self, tenant: str, text: str, entity: EntityName | None) -> Iterator[Link]:
        """The links whose key, ids, names, e-mail, codes or numbers contain a text, letter case aside."""
        where = "tenant = ? and entity = coalesce(?, entity) and instr(words, ?) > 0"
        return map(_link.decode, self._values("links", where, tenant, entity, text.casefold()))

    def journal(self, tenant: str, entity: EntityName, links: Iterable[str]) -> list[JournalEntry]:
        """What was decided about links, oldest first."""
        names = list(links)
        where = f"tenant = ? and entity = ? and link in ({', '.join('?' * len(names))}) order by at"
        return [_entry.decode(value) for value in self._values("journal", where, tenant, entity, *names)]

    def journal_keys(self, tenant: str, entity: EntityName, links: Iterable[str]) -> list[str]:
        """The Kafka keys of those entries."""
        names = list(links)
        where = f"tenant = ? and entity = ? and link in ({', '.join('?' * len(names))})"
        return [name for (name,) in self._db.execute(f"select name from journal where {where}",
                                                     (tenant, entity, *names))]  # fmt: skip

    def caused(self, tenant: str, cause: str) -> list[JournalEntry]:
        """What was decided because of a run or signal."""
        where = "tenant = ? and cause = ? order by name"
        return [_entry.decode(value) for value in self._values("journal", where, tenant, cause)]

    def decided(
        self, tenant: str, rules: Iterable[str], *, entity: EntityName | None = None, since: str = "",
        until: str = "~",
    ) -> Iterator[JournalEntry]:  # fmt: skip
        """The entries of some rules from a time up to another (ISO 8601 UTC, as `runtime.clock.iso` writes it), oldest
        first."""
        names = sorted(rules)
        where = (
            f"tenant = ? and rule in ({', '.join('?' * len(names))}) and at >= ? and at < ?"
            " and entity = coalesce(?, entity) order by at, name"
        )
        return map(_entry.decode, self._values("journal", where, tenant, *names, since, until, entity))

    def controls(self, tenant: str, kind: str | None = None) -> list[Control]:
        """The control facts of a tenant."""
        where = "tenant = ? and kind = coalesce(?, kind)"
        return [_control.decode(value) for value in self._values("control", where, tenant, kind)]

    def fact(self, tenant: str, kind: str, id: str) -> dict[str, Any] | None:
        """One control fact."""
        found = next(self._values("control", "name = ?", f"{tenant}/{kind}/{id}"), None)
        return _control.decode(found).value if found is not None else None

    def cursors(self, tenant: str) -> list[Cursor]:
        """How far the sources of a tenant have read, and their health."""
        return [_cursor.decode(value) for value in self._values("cursors", "tenant = ?", tenant)]

    def letters(self, tenant: str) -> dict[str, DeadLetter]:
        """The dead letters of a tenant, and those whose tenant cannot be told, by key."""
        found = self._db.execute("select name, value from letters where tenant in (?, '') order by name", (tenant,))
        return {name: _letter.decode(value) for name, value in found}

    def letter_keys(self, tenant: str, entity: EntityName, link: str) -> list[str]:
        """The keys of the dead letters about a link."""
        where = "tenant = ? and entity = ? and link = ?"
        return [name for (name,) in self._db.execute(f"select name from letters where {where}", (tenant, entity, link))]

    def readings(self, tenant: str, run: str, entity: EntityName) -> Iterator[Observed]:
        """What a run found of an entity in both systems."""
        where = "tenant = ? and run = ? and entity = ? and id != '~completed' order by system, id"
        for value in self._values("readings", where, tenant, run, entity):
            found = _reading.decode(value)
            if isinstance(found, Reading):
                yield found.record

    def _values(self, table: str, where: str, *args: Any) -> Iterator[bytes]:
        return (value for (value,) in self._db.execute(f"select value from {table} where {where}", args))


class _Transaction:
    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("begin immediate")

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._db.execute("commit" if error is None else "rollback")


def side_of(link: Link, system: System) -> Side | None:
    """One side of a link."""
    return link.chargebee if system == "chargebee" else link.poweroffice


def _row(topic: str, key: str, value: bytes) -> tuple[Any, ...] | None:
    """The columns between name and value."""
    match topic:
        case "links":
            link = _link.decode(value)
            ids = [side.id if (side := side_of(link, system)) else None for system in SYSTEMS]
            busy = link.flight is not None or link.plan is not None
            return (link.tenant, link.entity, link.key, link.state, busy, *ids, _words(link))
        case "journal":
            entry = _entry.decode(value)
            return (entry.tenant, entry.entity or "signal", entry.link, entry.at, entry.rule, entry.cause)
        case "control":
            control = _control.decode(value)
            return (control.tenant, control.kind, control.id)
        case "cursors":
            return (_cursor.decode(value).tenant,)
        case "dead-letters":
            command = _letter.decode(value).command
            return (command.tenant, command.entity, command.link) if command else ("", None, None)
        case "readings":
            found = _reading.decode(value)
            record = found.record if isinstance(found, Reading) else found
            name = key.rpartition("/")[2] if not isinstance(found, Reading) else found.record.id
            return (record.tenant, found.run, record.system, record.entity, name)
    return None


def _words(link: Link) -> str:
    said = [link.key]
    for system in SYSTEMS:
        if (side := side_of(link, system)) is not None:
            said.append(side.id)
            said += [str(side.seen[name]) for name in SEARCHED if side.seen and side.seen.get(name)]
    return "\n".join(said).casefold()
