"""An optional SQLite file that keeps what a simulator remembers, one row of JSON per record."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

_SCHEMA: Final = """
create table if not exists records (
    kind text not null,
    id text not null,
    body text not null,
    primary key (kind, id)
)
"""


class StateFile:
    """Records by (kind, id), as JSON. Writes gather until `commit`, so that a request is stored
    whole or not at all.

    The order of first insertion is kept: `load` gives it back. `put`, `delete` and `clear` read
    nothing from disk. A crash of the machine may lose the last commits, one of the process does
    not.
    """

    def __init__(self, path: str | Path) -> None:
        """Opens or creates the file. Raises sqlite3.Error for a file that is something else."""
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.execute("pragma journal_mode = wal")
        self._connection.execute("pragma synchronous = off")
        self._connection.execute(_SCHEMA)
        # None marks a deletion.
        self._pending: dict[tuple[str, str], Any] = {}
        self._is_clearing = False

    def put(self, kind: str, id_: str, body: Any) -> None:
        """Remember `body`, which must be JSON-encodable, from the next `commit` on."""
        self._pending[kind, id_] = (body,)

    def delete(self, kind: str, id_: str) -> None:
        self._pending[kind, id_] = None

    def clear(self) -> None:
        """Forget all records, from the next `commit` on."""
        self._pending.clear()
        self._is_clearing = True

    def commit(self) -> None:
        """Write what was put, deleted and cleared since the last commit; cheap when that is
        nothing."""
        if not self._pending and not self._is_clearing:
            return
        with self._connection:
            self._connection.execute("begin immediate")
            if self._is_clearing:
                self._connection.execute("delete from records")
            for (kind, id_), held in self._pending.items():
                self._write(kind, id_, held)
        self._pending.clear()
        self._is_clearing = False

    def _write(self, kind: str, id_: str, held: tuple[Any] | None) -> None:
        if held is None:
            self._connection.execute("delete from records where kind = ? and id = ?", (kind, id_))
            return
        body = json.dumps(held[0], ensure_ascii=False, separators=(",", ":"))
        self._connection.execute(
            "insert into records values (?, ?, ?) on conflict (kind, id) do update set body = "
            "excluded.body",
            (kind, id_, body),
        )

    def is_empty(self) -> bool:
        """Whether nothing has been committed yet."""
        return self._connection.execute("select 1 from records limit 1").fetchone() is None

    def load(self, kind: str) -> Iterator[tuple[str, Any]]:
        """(id, body) of the committed records of one kind, in the order of their first
        insertion."""
        found = self._connection.execute(
            "select id, body from records where kind = ? order by rowid", (kind,)
        )
        for id_, body in found.fetchall():
            yield id_, json.loads(body)

    def close(self) -> None:
        self._connection.close()
