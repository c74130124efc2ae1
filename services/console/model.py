"""The read model: what the topics hold, folded by key into SQLite, with how far each topic has been
read.

It can be deleted at any time; the next command makes it anew. Rows and positions move in one
transaction, so several processes may keep it at once: who finds that another has gone on starts
from there.
"""

import logging
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from contracts.decoding import UNREADABLE
from contracts.entities import ENTITIES, EntityName, System
from contracts.messages import (
    Control,
    Cursor,
    DeadLetter,
    JournalEntry,
    Link,
    Observed,
    Reading,
)
from runtime.harmless import harmless
from services.console import model_file, search
from services.console.findings import Found
from services.console.model_rows import (
    CONTROL,
    CURSOR,
    ENTRY,
    FORMAT,
    IS_OPEN,
    LETTER,
    LINK,
    PUT_LINK,
    READING,
    SETTLED_STATES,
    TABLE_OF,
    TABLES,
    Mirrored,
    rows_of,
)
from services.console.tally import Tally

log = logging.getLogger(__name__)
MAX_AGE_S = (
    20 * 24 * 3600
)  # Kafka drops the word that a key is gone after 30 days; an older model may have missed it
_found = msgspec.json.Decoder(Found)

Positions = Mapping[tuple[str, int], int]


class ReadModel:
    """The SQLite file in a directory. `source` names the Kafka and topics that it mirrors; another
    one empties it, and a broken file is thrown away. Raises Unusable where it cannot be written,
    and sqlite3.Error."""

    def __init__(self, directory: Path, source: str) -> None:
        self.path, self._source = directory / model_file.NAME, source
        try:
            self._open(directory, source)
        except sqlite3.DatabaseError as error:
            if not model_file.is_broken(error):
                raise
            model_file.discard(directory, error)
            self._open(directory, source)

    def _open(self, directory: Path, source: str) -> None:
        self._db = model_file.opened(directory)
        try:
            self._prepare(source)
        except sqlite3.Error:
            self._db.close()
            raise

    def _prepare(self, source: str) -> None:
        with self._transaction():
            has_meta = self._db.execute(
                "select 1 from sqlite_master where name = 'meta'"
            ).fetchone()
            held = dict(self._db.execute("select name, value from meta")) if has_meta else {}
            is_ours = (held.get("format"), held.get("source")) == (FORMAT, source)
            if not is_ours or float(held["read_at_s"]) < time.time() - MAX_AGE_S:
                self._make_anew(source)

    def _make_anew(self, source: str) -> None:
        # The tables behind a virtual one go with it.
        for of in ("type = 'table' and sql like 'create virtual%'", "type = 'table'"):
            held = self._db.execute(f"select name from sqlite_master where {of}").fetchall()
            for (name,) in held:
                self._db.execute(f"drop table {name}")
        for statement in (*TABLES.split(";"), *search.TABLES, *search.TRIGGERS):
            self._db.execute(statement)
        facts = {"format": FORMAT, "source": source, "read_at_s": str(time.time())}
        self._db.executemany("insert into meta values (?, ?)", facts.items())

    def _transaction(self) -> "_Transaction":
        return _Transaction(self._db)

    def close(self) -> None:
        self._db.close()

    def another(self) -> "ReadModel":
        """The same file once more, for a thread of its own. Raises as a new one does."""
        return ReadModel(self.path.parent, self._source)

    def empty(self) -> None:
        """Forget everything, so that it is read anew."""
        with self._transaction():
            self._make_anew(self._source)

    # -- keeping

    def positions(self) -> dict[tuple[str, int], int]:
        """Up to where each partition has been read: (topic, partition) -> next offset."""
        return {
            (topic, part): at for topic, part, at in self._db.execute("select * from positions")
        }

    def apply(self, records: Sequence[Mirrored], before: Positions, after: Positions) -> bool:
        """Fold records and move the positions; False, and nothing done, where another process has
        gone on."""
        with self._transaction():
            held = self.positions()
            if any(held.get(name, 0) != position for name, position in before.items()):
                return False
            gone = [self._fold(record) for record in records]
            for statement in (*search.INDEX, *([search.ERASE] if any(gone) else ())):
                self._db.execute(statement)
            rows = [(topic, part, position) for (topic, part), position in after.items()]
            self._db.executemany("insert or replace into positions values (?, ?, ?)", rows)
            self._db.execute(
                "update meta set value = ? where name = 'read_at_s'", (str(time.time()),)
            )
        if any(record.value is None for record in records):
            self._db.execute("pragma wal_checkpoint(truncate)")
        return True

    def _fold(self, record: Mirrored) -> bool:
        """Whether a link was thereby taken away."""
        if record.value is None:
            return self._take_away(record)
        try:
            rows = list(rows_of(record.topic, record.key, record.value))
        except UNREADABLE as error:
            # What cannot be read cannot be shown; kcat can. On standard error, since commands print
            # to the other.
            log.warning(
                harmless(f"{record.place}, {record.key}, cannot be read and is left out: {error}")
            )
            return False
        if record.topic == "links":
            self._db.execute("delete from findings where name = ?", (record.key,))
            self._keep_since(record, rows[0][1])
        for table, row in rows:
            if table == "links":
                self._db.execute(PUT_LINK, (record.key, *row))
                continue
            marks = ", ".join("?" * (len(row) + 1))
            self._db.execute(f"insert or replace into {table} values ({marks})", (record.key, *row))
        return False

    def _keep_since(self, record: Mirrored, row: tuple[Any, ...]) -> None:
        """Since when a link has been in a state in which something is awaited: Kafka's time of the
        first record that said so, of those that the topic still holds."""
        tenant, entity, _, state, is_open = row[:5]
        awaited = "open" if is_open == IS_OPEN else state if state not in SETTLED_STATES else None
        if awaited is None:
            self._db.execute("delete from unsettled where name = ?", (record.key,))
        else:
            self._db.execute(
                "insert into unsettled values (?, ?, ?, ?, ?) on conflict (name) do update set"
                " state = excluded.state, since_s = excluded.since_s where state <> excluded.state",
                (record.key, tenant, entity, awaited, record.at_s),
            )

    def _take_away(self, record: Mirrored) -> bool:
        own = TABLE_OF[record.topic]
        gone = self._db.execute(f"delete from {own} where name = ?", (record.key,)).rowcount
        if own != "links":
            return False
        for table in ("findings", "unsettled"):
            self._db.execute(f"delete from {table} where name = ?", (record.key,))
        if gone:
            self._db.execute("delete from reports")  # they may tell of it; they are counted anew
        return gone > 0

    # -- reading

    def links(
        self, tenant: str, entity: EntityName | None = None, state: str | None = None
    ) -> Iterator[Link]:
        """The links of a tenant."""
        return map(LINK.decode, self._equal("links", tenant=tenant, entity=entity, state=state))

    def numbered(self, tenant: str, number: int) -> Link | None:
        """The link with a number of this read model."""
        return next(map(LINK.decode, self._equal("links", tenant=tenant, number=number)), None)

    def number_of(self, link: Link) -> int | None:
        """The number that this read model gave a link."""
        name = f"{link.tenant}/{link.entity}/{link.key}"
        found = self._db.execute("select number from links where name = ?", (name,)).fetchone()
        return int(found[0]) if found is not None else None

    def in_states(
        self, tenant: str, states: Iterable[str], *, entity: EntityName | None = None, most: int
    ) -> list[Link]:
        """At most `most` links of a tenant that are in one of some states; all where it is
        negative."""
        where, args = _in_states(tenant, states, entity)
        found = self._values("links", f"{where} limit ?", *args, most)
        return list(map(LINK.decode, found))

    def count_in_states(self, tenant: str, states: Iterable[str]) -> int:
        """How many links of a tenant are in one of some states, without a look at the others."""
        where, args = _in_states(tenant, states, None)
        (count,) = self._db.execute(f"select count(*) from links where {where}", args).fetchone()
        return int(count)

    def asked(self, tenant: str, most: int) -> list[Link]:
        """At most `most` links with a field that waits until a person keeps one side."""
        of_asked = (
            "links indexed by links_asked"  # the planner would look through all of the tenant
        )
        found = self._values(of_asked, "tenant = ? and asked > 0 limit ?", tenant, most)
        return list(map(LINK.decode, found))

    def newest(self, tenant: str, most: int) -> list[JournalEntry]:
        """The last entries of the journal, newest first."""
        found = self._values("journal", "tenant = ? order by at desc limit ?", tenant, most)
        return list(map(ENTRY.decode, found))

    @property
    def changes(self) -> tuple[int, int]:
        """Another pair whenever something was folded, by this process or by another."""
        (version,) = self._db.execute("pragma data_version").fetchone()
        return version, self._db.total_changes

    def states(self) -> dict[tuple[str, str, str], int]:
        """How many links there are, by tenant, entity and state."""
        counted = self._db.execute(
            "select tenant, entity, state, count(*) from links group by 1, 2, 3"
        )
        return {(tenant, entity, state): count for tenant, entity, state, count in counted}

    def tally(self, tenant: str) -> list[Tally]:
        """How many links of a tenant are alike, without a look at any."""
        counted = self._db.execute(
            "select entity, state, busy = ?, sides, count(*) from links indexed by links_tally"
            " where tenant = ? group by 1, 2, 3, 4",
            (IS_OPEN, tenant),
        )
        return [Tally.of(entity, *facts) for entity, *facts in counted]

    def told(self, tenant: str) -> Iterator[Link]:
        """The links that a status tells of by themselves."""
        of_told = "links indexed by links_told"
        return map(LINK.decode, self._values(of_told, "tenant = ? and told", tenant))

    def busy(self, tenant: str) -> Iterator[Link]:
        """The links that have a command in flight, or planned."""
        return map(LINK.decode, self._values("links", "tenant = ? and busy", tenant))

    def findings(self, tenant: str) -> list[Found]:
        """Every finding of a tenant, settled or not, without a look at its links."""
        return list(map(_found.decode, self._values("findings", "tenant = ?", tenant)))

    def findings_left(self) -> dict[tuple[str, str], int]:
        """How many findings nobody has settled, by tenant and kind."""
        counted = self._db.execute(
            "select tenant, kind, count(*) from findings where not settled group by 1, 2"
        )
        return {(tenant, kind): count for tenant, kind, count in counted}

    def unsettled_since(self) -> dict[tuple[str, str, str], float]:
        """Since when the longest has been in each state in which something is awaited, in Unix
        time, by tenant, entity and state; `open` has a command under way."""
        found = self._db.execute(
            "select tenant, entity, state, min(since_s) from unsettled group by 1, 2, 3"
        )
        return {(tenant, entity, state): since_s for tenant, entity, state, since_s in found}

    def letters_left(self) -> dict[tuple[str, str], int]:
        """How many dead letters there are, by tenant and entity; "" where a letter tells none."""
        counted = self._db.execute(
            "select tenant, coalesce(entity, ''), count(*) from letters group by 1, 2"
        )
        return {(tenant, entity): count for tenant, entity, count in counted}

    def link(self, tenant: str, entity: EntityName, key: str) -> Link | None:
        """One link by its key."""
        name = f"{tenant}/{entity}/{key}"
        return next(map(LINK.decode, self._equal("links", name=name)), None)

    def link_of(
        self, tenant: str, entity: EntityName, system: System, record_id: str
    ) -> Link | None:
        """The link that holds a vendor's record."""
        where = f"tenant = ? and entity = ? and {system} = ?"
        return next(map(LINK.decode, self._values("links", where, tenant, entity, record_id)), None)

    def find(
        self,
        tenant: str,
        text: str,
        entity: EntityName | None,
        *,
        states: Iterable[str] = (),
        most: int = -1,
    ) -> Iterator[Link]:
        """The links whose key, ids, names, e-mail, codes or numbers contain a text, letter case
        aside; of all states without `states`, at most `most` unless it is negative."""
        found = search.found(self._db, tenant, text, entity, sorted(states), most)
        return map(LINK.decode, found)

    def journal(self, tenant: str, entity: EntityName, links: Iterable[str]) -> list[JournalEntry]:
        """What was decided about links, oldest first."""
        names = list(links)
        where = f"tenant = ? and entity = ? and link in ({', '.join('?' * len(names))}) order by at"
        return [
            ENTRY.decode(value) for value in self._values("journal", where, tenant, entity, *names)
        ]

    def journal_keys(self, tenant: str, entity: EntityName, links: Iterable[str]) -> list[str]:
        """The Kafka keys of those entries."""
        names = list(links)
        where = f"tenant = ? and entity = ? and link in ({', '.join('?' * len(names))})"
        return [
            name
            for (name,) in self._db.execute(
                f"select name from journal where {where}", (tenant, entity, *names)
            )
        ]

    def caused(self, tenant: str, cause: str) -> list[JournalEntry]:
        """What was decided because of a run or signal."""
        where = "tenant = ? and cause = ? order by name"
        return [ENTRY.decode(value) for value in self._values("journal", where, tenant, cause)]

    def told_by(
        self, tenant: str, cause: str, rules: Sequence[str], most: int
    ) -> tuple[list[JournalEntry], int]:
        """The first entries of some rules, in their order, that a run or signal has caused, and how
        many there are."""
        marks = ", ".join("?" * len(rules))
        where, args = f"tenant = ? and cause = ? and rule in ({marks})", (tenant, cause, *rules)
        (count,) = self._db.execute(f"select count(*) from journal where {where}", args).fetchone()
        found: list[JournalEntry] = []
        for rule in rules:
            one = "tenant = ? and cause = ? and rule = ? order by name limit ?"
            left = self._values("journal", one, tenant, cause, rule, most - len(found))
            found += map(ENTRY.decode, left)
        return found, int(count)

    def decided(
        self,
        tenant: str,
        rules: Iterable[str],
        *,
        entity: EntityName | None = None,
        since: str = "",
        until: str = "~",
    ) -> Iterator[JournalEntry]:
        """The entries of some rules from a time up to another (ISO 8601 UTC, as `runtime.clock.iso`
        writes it), oldest first."""
        names = sorted(rules)
        where = (
            f"tenant = ? and rule in ({', '.join('?' * len(names))}) and at >= ? and at < ?"
            " and entity = coalesce(?, entity) order by at, name"
        )
        return map(
            ENTRY.decode, self._values("journal", where, tenant, *names, since, until, entity)
        )

    def controls(self, tenant: str, kind: str | None = None) -> list[Control]:
        """The control facts of a tenant."""
        return list(map(CONTROL.decode, self._equal("control", tenant=tenant, kind=kind)))

    def fact(self, tenant: str, kind: str, id: str) -> dict[str, Any] | None:
        """One control fact."""
        found = next(self._values("control", "name = ?", f"{tenant}/{kind}/{id}"), None)
        return CONTROL.decode(found).value if found is not None else None

    def cursors(self, tenant: str) -> list[Cursor]:
        """How far the sources of a tenant have read, and their health."""
        return [CURSOR.decode(value) for value in self._values("cursors", "tenant = ?", tenant)]

    def letters(self, tenant: str) -> dict[str, DeadLetter]:
        """The dead letters of a tenant, and those whose tenant cannot be told, by key."""
        found = self._db.execute(
            "select name, value from letters where tenant in (?, '') order by name", (tenant,)
        )
        return {name: LETTER.decode(value) for name, value in found}

    def letter_keys(self, tenant: str, entity: EntityName, link: str) -> list[str]:
        """The keys of the dead letters about a link."""
        where = "tenant = ? and entity = ? and link = ?"
        return [
            name
            for (name,) in self._db.execute(
                f"select name from letters where {where}", (tenant, entity, link)
            )
        ]

    def readings(self, tenant: str, run: str, entity: EntityName) -> Iterator[Observed]:
        """What a run found of an entity in both systems."""
        where = "tenant = ? and run = ? and entity = ? and id != '~completed' order by system, id"
        for value in self._values("readings", where, tenant, run, entity):
            found = READING.decode(value)
            if isinstance(found, Reading):
                yield found.record

    def report(self, tenant: str, run: str) -> bytes | None:
        """What was counted of a run; None where nothing was."""
        return next(self._values("reports", "tenant = ? and run = ?", tenant, run), None)

    def keep_report(self, tenant: str, run: str, value: bytes, *, among: Sequence[str]) -> None:
        """Keep what was counted of a run; what is kept of the tenant's others goes, but for those
        `among` which it is."""
        marks = ", ".join("?" * len(among))
        with self._transaction():
            others = f"delete from reports where tenant = ? and run not in ({marks})"
            self._db.execute(others, (tenant, *among))
            self._db.execute(
                "insert or replace into reports values (?, ?, ?)", (tenant, run, value)
            )

    def _equal(self, table: str, **columns: str | int | None) -> Iterator[bytes]:
        """The values whose columns hold these; one that is None is not asked about, so that the
        index of the others is used: 100,000 links are not looked through."""
        given = {name: value for name, value in columns.items() if value is not None}
        where = " and ".join(f"{name} = ?" for name in given)
        return self._values(table, where, *given.values())

    def _values(self, table: str, where: str, *args: Any) -> Iterator[bytes]:
        return (
            value for (value,) in self._db.execute(f"select value from {table} where {where}", args)
        )


class _Transaction:
    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("begin immediate")

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if error is None:
            self._db.execute("commit")
        elif (
            self._db.in_transaction
        ):  # a full disk may have ended it already, and is what is to be told
            self._db.execute("rollback")


def _in_states(
    tenant: str, states: Iterable[str], entity: EntityName | None
) -> tuple[str, tuple[str, ...]]:
    """The condition of links in one of some states, and its arguments; each entity is named, since
    it stands in the index before the state."""
    entities, names = ENTITIES if entity is None else (entity,), sorted(states)
    within = (f"in ({', '.join('?' * len(each))})" for each in (entities, names))
    where = "tenant = ? and entity {} and state {}".format(*within)
    return where, (tenant, *entities, *names)
