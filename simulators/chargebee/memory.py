"""Carries what a site remembers into a file and back; settings, fault switches and the request log
are not kept."""

from typing import Any, Final

from simulators.chargebee.customers import resume_deletions
from simulators.chargebee.order_rows import resume_orders
from simulators.chargebee.quota import IdempotencyStore
from simulators.chargebee.site import Row, Site
from simulators.storage import StateFile

_PROGRESS: Final = "progress"
_REPLIES: Final = "idempotency"
UNDELIVERED: Final = ("scheduled", "re_scheduled")


class Memory:
    """Follows a site and its idempotency keys; `flush` after each request makes the file agree with
    them."""

    def __init__(self, site: Site, replies: IdempotencyStore, file: StateFile) -> None:
        self._site = site
        self._file = file
        self._is_dirty = False
        self._replies = replies
        site.on_put = self._put
        site.on_wipe = self._wipe
        replies.on_remember = self._remember

    def restore(self) -> bool:
        """Fill the wiped site from the file. False when the file is new."""
        if self._file.is_empty():
            return False
        for kind, table in self._site.tables.items():
            for _, row in self._file.load(kind):
                table.put(row)
                self._site.index(kind, row)
        for _, event in self._file.load("event"):
            self._site.add_event(event)
        for _, (key, path, at_s, pairs, reply) in self._file.load(_REPLIES):
            self._replies.remember(key, path, [(name, value) for name, value in pairs], reply, at_s)
        for _, progress in self._file.load(_PROGRESS):
            self._site.resume(**progress)
        resume_deletions(self._site)
        resume_orders(self._site)
        return True

    def undelivered(self) -> list[Row]:
        """Events whose webhook was still to be sent when the last run ended."""
        return [event for event in self._site.events if event["webhook_status"] in UNDELIVERED]

    def flush(self) -> None:
        """Store what has changed since the last flush; cheap when that is nothing."""
        if self._is_dirty:
            self._file.put(_PROGRESS, _PROGRESS, self._site.progress())
            self._file.commit()
            self._is_dirty = False

    def close(self) -> None:
        self.flush()
        self._file.close()

    def _put(self, kind: str, row: Row) -> None:
        self._file.put(kind, row["id"], row)
        self._is_dirty = True

    def _wipe(self) -> None:
        self._file.clear()
        self._is_dirty = True

    def _remember(self, key: str, path: str, stored: tuple[Any, ...]) -> None:
        self._file.put(_REPLIES, f"{key} {path}", [key, path, *stored])
        self._is_dirty = True
