"""One rising number for readings and replies of a tenant, so that a reading which a write overtook
is recognised.

Go's timestamps do not move with every edit, so they cannot order a reading against our own write;
this number does.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from contracts.entities import EntityName
from services.poweroffice_adapter.bodies import decoded, encoded
from services.poweroffice_adapter.mapping import NEVER, Held, Reading, timestamp, value_at

MAX_REMEMBERED = 50_000  # finished writes; a reading lasts far less long than so many writes
MAX_ROWS = 5_000  # of customers and products, a kilobyte or two each

Key = tuple[EntityName, str]


@dataclass(frozen=True)
class Facts:
    """What the header of a sales order says of the lines it does not hold."""

    changed_at: str
    line_count: int | None
    net: Decimal | None
    total: Decimal | None

    @property
    def of_lines(self) -> tuple[object, ...]:
        """What changes with the lines; the time may not."""
        return self.line_count, self.net, self.total


def facts_of(row: Any) -> Facts:
    """The facts of a SalesOrderDto; of other records their time alone."""
    return Facts(
        changed_of(row),
        value_at(row, ("LineCount",)),
        value_at(row, ("NetAmount",)),
        value_at(row, ("TotalAmount",)),
    )


def changed_of(row: Any) -> str:
    """The time of change of a record."""
    return timestamp(value_at(row, ("LastChangedDateTimeOffset",)))


@dataclass
class _Open:
    """Writes in progress on one record."""

    count: int = 0
    over: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True)
class _Ended:
    number: int
    state: dict[str, Any] | None
    changed_at: str


class Observations:
    """Shared by the source and the sink of one tenant. `after` is the greatest number already
    used."""

    def __init__(self, after: int = 0) -> None:
        self._number = after
        self._open: dict[Key, _Open] = {}
        self._ended: OrderedDict[Key, _Ended] = OrderedDict()
        self._settled: dict[Key, bool] = {}
        self._answers: OrderedDict[Key, tuple[int, Reading, Facts]] = OrderedDict()
        self._rows: OrderedDict[Key, bytes] = OrderedDict()

    def start(self) -> int:
        """The number of a reading that begins now."""
        self._number += 1
        return self._number

    def reply(self) -> int:
        """The number of an answer that has just arrived at the sink."""
        self._number += 1
        return self._number

    def begin_write(self, entity: EntityName, id: str) -> None:
        """A write to this record is about to be sent."""
        self._open.setdefault((entity, id), _Open()).count += 1

    def end_write(
        self,
        entity: EntityName,
        id: str,
        state: dict[str, Any] | None = None,
        number: int | None = None,
        changed_at: str = NEVER,
    ) -> None:
        """The write returned this state, of this time of change, under this `reply` number, or
        failed; also for ids just created."""
        key = (entity, id)
        self._close(key)
        self._settled[key] = False
        number = self.reply() if number is None else number
        self._ended[key] = _Ended(number, state, changed_at)
        self._ended.move_to_end(key)
        if len(self._ended) > MAX_REMEMBERED:
            self._ended.popitem(last=False)

    def _close(self, key: Key) -> None:
        held = self._open.get(key)
        if held is None:
            return
        held.count -= 1
        if held.count <= 0:
            held.over.set()
            del self._open[key]

    def is_stale(self, entity: EntityName, id: str, reading_started: int) -> bool:
        """Whether a write to this record is in progress or returned after the reading began."""
        key = (entity, id)
        ended = self._ended.get(key)
        return key in self._open or (ended is not None and ended.number > reading_started)

    def returned(self, entity: EntityName, id: str) -> dict[str, Any] | None:
        """The state the last finished write returned; None when unknown or while another is in
        progress."""
        key = (entity, id)
        ended = self._ended.get(key)
        return None if ended is None or key in self._open else ended.state

    def lags(self, entity: EntityName, id: str, changed_at: str) -> bool:
        """Whether a state of this time of change is older than what our last write returned: it
        comes from a replica that has not caught up."""
        ended = self._ended.get((entity, id))
        return ended is not None and changed_at < ended.changed_at

    def met(self, entity: EntityName, id: str) -> bool:
        """Whether this process began a write to this record, which is linked then."""
        return (entity, id) in self._open or (entity, id) in self._ended

    async def written(self, entity: EntityName, id: str) -> None:
        """Wait until no write to this record is in progress."""
        while (held := self._open.get((entity, id))) is not None:
            await held.over.wait()

    def settle(self, entity: EntityName, id: str) -> None:
        """What is published now of this record is all there is: no write of ours came after it."""
        self._settled[entity, id] = True

    def settled(self, entity: EntityName, id: str) -> bool | None:
        """True after `settle`, False after a write of ours, None when this process has met
        neither."""
        return self._settled.get((entity, id))

    def keep_answer(self, entity: EntityName, number: int, held: Held) -> None:
        """What a write of ours returned, whole: it saves the source a read of the same state."""
        self._answers[entity, held.reading.id] = (number, held.reading, facts_of(held.raw))
        if len(self._answers) > MAX_REMEMBERED:
            self._answers.popitem(last=False)

    def take_answer(self, entity: EntityName, id: str, facts: Facts) -> tuple[int, Reading] | None:
        """The answer kept of a record, once, if it said what a list says of it now; the time alone
        does not move with an order's lines."""
        kept = self._answers.pop((entity, id), None)
        return kept[:2] if kept is not None and kept[2] == facts else None

    def keep_row(self, entity: EntityName, id: str, row: Mapping[str, Any]) -> None:
        """What Go showed of a record just now, in a list or alone: the next write to it may test
        these values instead of reading them again. The newest MAX_ROWS are kept, none replaced by
        an older one, which a replica may show for a while."""
        if (kept := self.row(entity, id)) is not None and changed_of(row) < changed_of(kept):
            return
        self._rows[entity, id] = encoded(row)
        self._rows.move_to_end((entity, id))
        if len(self._rows) > MAX_ROWS:
            self._rows.popitem(last=False)

    def row(self, entity: EntityName, id: str) -> Mapping[str, Any] | None:
        """The row kept last of a record."""
        kept = self._rows.get((entity, id))
        return None if kept is None else decoded(kept)

    def forget_row(self, entity: EntityName, id: str) -> None:
        """What was kept is no longer what Go holds."""
        self._rows.pop((entity, id), None)
