"""Carries the company's data into a file and back; switches, tokens, faults and the request log are
not kept."""

from __future__ import annotations

from typing import Any, Final

from simulators.poweroffice.fields import Record
from simulators.poweroffice.state import Go, Sending
from simulators.storage import StateFile

_PROGRESS: Final = "progress"


class Memory:
    """Follows a company from its creation on; `flush` after each request makes the file agree with
    it."""

    def __init__(self, go: Go, file: StateFile) -> None:
        self._go = go
        self._file = file
        self._is_dirty = False
        go.on_change = self._changed
        go.on_clear = self._cleared

    def restore(self) -> bool:
        """Fill the company from the file; unfinished sendings are due at once. False when the file
        is new."""
        if self._file.is_empty():
            return False
        held = {kind: list(self._file.load(kind)) for kind in self._go.tables()}
        self._go.clear()
        for kind, table in self._go.tables().items():
            for row in table.rows():
                table.remove(row["Id"])
            for _, row in held[kind]:
                table.put(row["Id"], row)
        for _, progress in self._file.load(_PROGRESS):
            self._go.resume_numbers(progress["numbers"])
            self._go.clock.not_before(progress["ticks"])
            for order_id, (request, application_key, error) in progress["sendings"].items():
                due_s = self._go.clock.elapsed_s()
                self._go.sendings[order_id] = Sending(due_s, request, application_key, error)
        return True

    def flush(self, *, is_changed: bool = False) -> None:
        """Store what has changed since the last flush; `is_changed` when that is no record but a
        sending."""
        if self._is_dirty or is_changed:
            self._file.put(_PROGRESS, _PROGRESS, self._progress())
            self._file.commit()
            self._is_dirty = False

    def _progress(self) -> Record:
        sendings = {
            key: [one.request, one.application_key, one.error]
            for key, one in self._go.sendings.items()
        }
        return {
            "numbers": self._go.numbers(),
            "ticks": self._go.clock.last_ticks,
            "sendings": sendings,
        }

    def _changed(self, kind: str, key: Any, record: Record | None) -> None:
        self._is_dirty = True
        if record is None:
            self._file.delete(kind, str(key))
        else:
            self._file.put(kind, str(key), record)

    def _cleared(self) -> None:
        self._is_dirty = True
        self._file.clear()
