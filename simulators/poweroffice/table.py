"""Records by key, with indexes for unique properties and a memory of the recent past.

A stored record is never changed in place: a write puts a new one. So a reader may hold a record
without copying, and a lagging read can be answered from the versions just replaced.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

from simulators.poweroffice.clock import Clock
from simulators.poweroffice.fields import Record
from simulators.poweroffice.settings import Settings

Key = TypeVar("Key", bound=Hashable)

PAST_KEPT_S = 60.0


def _unheard(key: Any, record: Record | None) -> None:
    return None


class Table(Generic[Key]):
    def __init__(self, settings: Settings, clock: Clock, index_on: tuple[str, ...] = ()) -> None:
        self._settings = settings
        self.on_change: Callable[[Key, Record | None], None] = _unheard
        self._clock = clock
        self._rows: dict[Key, Record] = {}
        self._index: dict[str, dict[Any, Key]] = {name: {} for name in index_on}
        self._past: dict[Key, list[tuple[float, Record | None]]] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, key: Key) -> bool:
        return key in self._rows

    def get(self, key: Key) -> Record | None:
        return self._rows.get(key)

    def rows(self) -> list[Record]:
        return list(self._rows.values())

    def find(self, name: str, value: Any) -> Record | None:
        """The record whose indexed property holds the value; null is never found."""
        key = self._index[name].get(value) if value is not None else None
        return self._rows[key] if key is not None else None

    def put(self, key: Key, record: Record) -> None:
        self._remember(key)
        self._unindex(key)
        self._rows[key] = record
        for name, keys in self._index.items():
            if record.get(name) is not None:
                keys[record[name]] = key
        self.on_change(key, record)

    def remove(self, key: Key) -> None:
        self._remember(key)
        self._unindex(key)
        del self._rows[key]
        self.on_change(key, None)

    def seen(self, key: Key) -> Record | None:
        """The record as a reader sees it, `read_lag_s` ago."""
        visible_s = self._clock.elapsed_s() - self._settings.read_lag_s
        if self._settings.read_lag_s > 0:
            for replaced_s, record in self._past.get(key, []):
                if replaced_s > visible_s:
                    return record
        return self._rows.get(key)

    def seen_rows(self) -> list[Record]:
        """All records as a reader sees them, in the order of creation."""
        if self._settings.read_lag_s <= 0:
            return self.rows()
        keys: set[Key] = set(self._past) - set(self._rows)
        return [record for key in [*self._rows, *keys] if (record := self.seen(key)) is not None]

    def _remember(self, key: Key) -> None:
        now_s = self._clock.elapsed_s()
        past = self._past.setdefault(key, [])
        past[:] = [one for one in past if one[0] > now_s - PAST_KEPT_S]
        past.append((now_s, self._rows.get(key)))

    def _unindex(self, key: Key) -> None:
        record = self._rows.get(key)
        for name, keys in self._index.items():
            if record is not None and keys.get(record.get(name)) == key:
                del keys[record[name]]
