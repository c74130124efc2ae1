"""What becomes of a reading: dropped as a repeat, read again, or published.

A reading that a write of ours overtook is read again. Other content at an unmoved time is published
only if a second read repeats it, since a replica may lag and some edits in Go (addresses, order
lines) move no time.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from contracts.entities import EntityName, wire
from contracts.messages import Observed, Problem
from runtime.clock import iso
from runtime.publisher import Known, Publisher, digest
from services.poweroffice_adapter.mapping import MAPPING, NEVER, Reading, time_of, version
from services.poweroffice_adapter.observations import Observations

SYSTEM: Literal["poweroffice"] = "poweroffice"
MAX_READS = 3

Numbered = tuple[int, Reading]
Reread = Callable[[str], Awaitable[Numbered | None]]
Verdict = Literal["repeat", "publish", "overtaken", "unconfirmed"]


@dataclass
class Taken:
    """How many events were sent, and the ids of readings that could not be settled this time."""

    published: int = 0
    open: set[str] = field(default_factory=set)


class Feed:
    """Publishes the readings of one tenant. `read_lag_s` is the pause before a second read. A feed
    that stands `aside` publishes beside the ordinary events: what it sends settles nothing, and it
    takes no kept answer for a reading."""

    def __init__(
        self,
        tenant: str,
        publisher: Publisher,
        observations: Observations,
        *,
        read_lag_s: float,
        clock: Callable[[], datetime],
        aside: bool = False,
    ) -> None:
        self.tenant, self.publisher, self.observations = tenant, publisher, observations
        self._read_lag_s, self._clock, self.aside = read_lag_s, clock, aside

    def known(self, entity: EntityName, id: str) -> Known | None:
        """What was published last of a record."""
        return self.publisher.known(self.tenant, SYSTEM, entity).get(id)

    def present_ids(self, entity: EntityName) -> set[str]:
        """The ids of records published and not deleted."""
        held = self.publisher.known(self.tenant, SYSTEM, entity)
        return {id for id, known in held.items() if not known.deleted}

    def outdated(self, entity: EntityName) -> bool:
        """Whether a record was published under an older mapping and not since."""
        held = self.publisher.known(self.tenant, SYSTEM, entity)
        return any(known.mapping < MAPPING and not known.deleted for known in held.values())

    def is_outdated(self, entity: EntityName, id: str) -> bool:
        """Whether this record was published under an older mapping last."""
        known = self.known(entity, id)
        return known is not None and known.mapping < MAPPING and not known.deleted

    async def pause(self) -> None:
        """Wait until a replica of Go has caught up."""
        await asyncio.sleep(self._read_lag_s)

    async def take(
        self,
        entity: EntityName,
        found: Sequence[Numbered],
        reread: Reread,
        *,
        snapshot: str | None = None,
    ) -> Taken:
        """Settle readings; `reread` reads one record anew, None when it is gone."""
        taken, events = Taken(), []
        overtaken: list[str] = []
        unconfirmed: list[Numbered] = []
        for number, reading in found:
            event = self._event(entity, number, reading, snapshot)
            match self._judge(entity, number, reading, event):
                case "publish":
                    events.append(self._settled(event))
                case "overtaken":
                    overtaken.append(reading.id)
                case "unconfirmed":
                    unconfirmed.append((number, reading))
                case "repeat":
                    pass
        if events:
            taken.published += await self.publisher.publish(events)
        for id in overtaken:
            await self._again(entity, id, reread, snapshot, taken, unconfirmed)
        await self._confirm(entity, unconfirmed, reread, snapshot, taken)
        return taken

    async def _again(
        self,
        entity: EntityName,
        id: str,
        reread: Reread,
        snapshot: str | None,
        taken: Taken,
        unconfirmed: list[Numbered],
    ) -> None:
        for _ in range(MAX_READS):
            await self.observations.written(entity, id)
            found = await reread(id)
            if found is None:
                break
            event = self._event(entity, *found, snapshot)
            verdict = self._judge(entity, *found, event)
            if verdict == "overtaken":
                continue
            if verdict == "publish":
                taken.published += await self.publisher.publish([self._settled(event)])
            elif verdict == "unconfirmed":
                unconfirmed.append(found)
            return
        taken.open.add(id)

    async def _confirm(
        self,
        entity: EntityName,
        unconfirmed: list[Numbered],
        reread: Reread,
        snapshot: str | None,
        taken: Taken,
    ) -> None:
        if not unconfirmed:
            return
        await self.pause()
        for number, reading in unconfirmed:
            first = self._event(entity, number, reading, snapshot)
            second = await reread(reading.id)
            if second is not None and not self.observations.is_stale(entity, reading.id, second[0]):
                event = self._event(entity, *second, snapshot)
                if digest(event) == digest(first):
                    taken.published += await self.publisher.publish([self._settled(event)])
                    continue
            taken.open.add(reading.id)

    async def deleted(self, entity: EntityName, id: str, number: int) -> int:
        """Publish that a record is gone; `number` is that of the read that found it missing."""
        known = self.known(entity, id)
        event = Observed(
            tenant=self.tenant,
            system=SYSTEM,
            entity=entity,
            id=id,
            mapping=MAPPING,
            deleted=True,
            version=version(NEVER, number, known.version if known else None),
            observed_at=iso(self._clock()),
        )
        return await self.publisher.publish([self._settled(event)])

    def _settled(self, event: Observed) -> Observed:
        # Before the event is sent, so that a write of ours that ends meanwhile is not covered by
        # it.
        if not self.aside:
            self.observations.settle(event.entity, event.id)
        return event

    def _event(
        self, entity: EntityName, number: int, reading: Reading, snapshot: str | None
    ) -> Observed:
        known = self.known(entity, reading.id)
        problem = reading.content if isinstance(reading.content, Problem) else None
        return Observed(
            tenant=self.tenant,
            system=SYSTEM,
            entity=entity,
            id=reading.id,
            mapping=MAPPING,
            snapshot=snapshot,
            version=version(reading.newest_at, number, known.version if known else None),
            observed_at=iso(self._clock()),
            problem=problem,
            stamp=reading.stamp,
            incomplete=reading.incomplete,
            data=None if isinstance(reading.content, Problem) else wire(reading.content),
        )

    def _judge(self, entity: EntityName, number: int, reading: Reading, event: Observed) -> Verdict:
        known, observations = self.known(entity, reading.id), self.observations
        returned = observations.returned(entity, reading.id)
        ours = returned is not None and returned == event.data
        if observations.is_stale(entity, reading.id, number):
            # The linker has this state from the outcome; the next poll reaches back and publishes
            # it.
            return "repeat" if ours and not self.aside else "overtaken"
        if self.aside or known is None or known.mapping < MAPPING:
            return "publish"
        if observations.lags(entity, reading.id, reading.newest_at):
            return "repeat"  # a later poll shows what our write made of it
        moved = reading.newest_at > time_of(known.version)
        settled = observations.settled(entity, reading.id)
        if digest(event) != known.digest:
            return "publish" if moved or ours else "unconfirmed"
        if settled or (settled is None and not moved):
            return "repeat"
        # Go may have held something else in between: our own write, known here or made before the
        # last start.
        return "publish"
