"""Finding links by a part of what they hold: an index of every three letters (SQLite's FTS5), and
the questions to it.

The index keeps no words of its own and no places within them: it names links in which all three
letters of a text occur, and `links.words` tells in which of them the text stands.
"""

import sqlite3
from collections.abc import Iterator, Sequence

from contracts.entities import ENTITIES, EntityName

FEW = 5000  # links that are looked through faster than the index is asked
PARTS_MAX = 40  # of a text; the rest of it is compared anyway
TABLES = (
    "create index links_by_words on links (tenant, entity, state, words)",
    "create virtual table found_by using fts5 (words, content = 'links', content_rowid = 'number',"
    " detail = none, tokenize = 'trigram case_sensitive 1')",
    "create table unindexed (number integer primary key, words text)",
)
# Which links are to be indexed anew, with the words that the index has of them so far: a change of
# the index is dear by itself and cheap with others.
# The first word of a batch counts. `or ignore` would not do: an upsert of a link overrules it.
_TOLD = (
    "insert into unindexed select {0}.number, {1}"
    " where not exists (select 1 from unindexed where number = {0}.number);"
)
_ADDED, _CHANGED = _TOLD.format("new", "null"), _TOLD.format("old", "old.words")
TRIGGERS = (
    f"create trigger link_added after insert on links begin {_ADDED} end",
    f"create trigger link_gone after delete on links begin {_CHANGED} end",
    "create trigger link_renamed after update of words on links"
    f" when old.words is not new.words begin {_CHANGED} end",
)
# At the end of whatever writes links, in its transaction.
INDEX = (
    "insert into found_by (found_by, rowid, words)"
    " select 'delete', number, words from unindexed where words is not null",
    "insert into found_by (rowid, words)"
    " select number, links.words from unindexed join links using (number)",
    "delete from unindexed",
)
# What was taken out stands in old parts of the index until they are joined.
ERASE = "insert into found_by (found_by) values ('optimize')"


def found(
    db: sqlite3.Connection,
    tenant: str,
    text: str,
    entity: EntityName | None,
    states: Sequence[str],
    most: int,
) -> Iterator[bytes]:
    """The values of a tenant's links that contain a text, letter case aside; of all states without
    `states`, and all of them where `most` is negative."""
    words, where, args = text.casefold(), "tenant = ?", [tenant]
    if entity is not None or states:
        entities = ENTITIES if entity is None else (entity,)
        where, args = f"{where} and entity {_among(entities)}", [*args, *entities]
    if states:
        where, args = f"{where} and state {_among(states)}", [*args, *states]
    parts = _parts(words)
    if not parts or (states and _are_few(db, where, args)):
        chosen = f"select number from links indexed by links_by_words where {where}"
        asked = (
            f"select value from links where number in ({chosen} and instr(words, ?) > 0 limit ?)"
        )
        rows = db.execute(asked, (*args, words, most))
    else:
        # The index comes first, whatever the planner takes for cheaper.
        asked = (
            "select value from found_by cross join links on number = found_by.rowid"
            f" where found_by match ? and {where} and instr(links.words, ?) > 0 limit ?"
        )
        rows = db.execute(asked, (parts, *args, words, most))
    return (value for (value,) in rows)


def _among(values: Sequence[str]) -> str:
    return f"in ({', '.join('?' * len(values))})"


def _are_few(db: sqlite3.Connection, where: str, args: Sequence[str]) -> bool:
    counted = f"select count(*) from (select 1 from links where {where} limit {FEW})"
    (count,) = db.execute(counted, args).fetchone()
    return int(count) < FEW


def _parts(words: str) -> str:
    """What the index is asked for: the first three letters of a text, then the three from its
    second, and so on; blank where it has fewer, or a NUL, which ends a question."""
    if "\0" in words:
        return ""
    each = dict.fromkeys(words[at : at + 3] for at in range(len(words) - 2))
    return " AND ".join('"{}"'.format(part.replace('"', '""')) for part in [*each][:PARTS_MAX])
