"""Applies commands to Go: creates that can be repeated, updates that never overwrite what nobody has seen."""

import asyncio
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from contracts.entities import EntityName, Order
from contracts.messages import Command, Outcome, Result
from contracts.settings import Tenant
from contracts.values import text
from runtime.clock import iso
from runtime.vendor import BULK, LIVE, NotFound, Refused, Retriable
from services.poweroffice_adapter.client import PowerOfficeClient, counting
from services.poweroffice_adapter.groups import ProductGroups
from services.poweroffice_adapter.guards import differing, edited, operations, typed, without
from services.poweroffice_adapter.mapping import MAPPING, NEVER, Reading
from services.poweroffice_adapter.mapping_writes import Path, Unwritable, value_at
from services.poweroffice_adapter.observations import Observations
from services.poweroffice_adapter.outcomes import content, gone, outcome_of, twins_met
from services.poweroffice_adapter.records import REFERENCE, CustomerRecords, Held, ProductRecords, Records
from services.poweroffice_adapter.records_orders import OrderRecords
from services.poweroffice_adapter.refusals import held_back, of_reference, with_field

MAX_READS = 4  # of one record for one command
MAX_PAUSE_S = 2.0  # between the read that is the only guard of a write and the write


class Sink:
    """Writes for one tenant. Shares `observations` with the source, and may share its caches. `unread_since` tells
    from where the source's next poll of an entity asks; `seconds` is a monotonic clock."""

    def __init__(
        self, name: str, tenant: Tenant, client: PowerOfficeClient, observations: Observations, *,
        clock: Callable[[], datetime], groups: ProductGroups | None = None,
        currencies: dict[str, str] | None = None,
        unread_since: Callable[[EntityName], str] = lambda _: NEVER,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._name, self._observations, self._clock = name, observations, clock
        self._unread_since, self._seconds = unread_since, seconds
        self._guard, self._read_lag_s = tenant.poweroffice.guard, tenant.poweroffice.read_lag_s
        held = {} if currencies is None else currencies
        self._records: dict[EntityName, Records] = {
            "customer": CustomerRecords(client, tenant),
            "product": ProductRecords(client, tenant, groups or ProductGroups(client)),
            "order": OrderRecords(client, tenant, observations, held),
        }

    async def apply(self, command: Command) -> Outcome:
        """Carry out one command. Raises Retriable, Refused, NotFound and Unauthorised."""
        with counting() as count:
            try:
                outcome = await self._apply(command)
            except Unwritable as error:
                problem = error.problem
                raise Refused(problem.code, problem.message, field=problem.field) from None
            except Refused as error:
                raise with_field(error) from None
        return msgspec.structs.replace(outcome, calls=count[0])

    async def _apply(self, command: Command) -> Outcome:
        fields, priority = typed(command, command.fields), LIVE if command.lane == "live" else BULK
        records = self._records[command.entity]
        if command.op == "create":
            return await self._create(records, command, fields, priority)
        if command.target_id is None:
            raise Refused("invalid_command", f"{command.op} names no record of PowerOffice Go")
        if command.op == "delete":
            return await self._delete(records, command, priority)
        if command.op == "update" and "lines" in fields:
            return await self._restore_lines(records, command, fields, priority)
        if command.op == "update":
            return await self._update(records, command, fields, priority)
        if command.op == "stamp":
            return await self._stamp(records, command, priority)
        return await self._verify(records, command, priority)

    async def _verify(self, records: Records, command: Command, priority: int) -> Outcome:
        """Read one record; other content than expected is read again, since a replica may lag behind our own write.
        A record that is not there is deleted; an order was looked for among the invoices too."""
        assert command.target_id is not None
        try:
            for attempt in range(2):
                number = self._observations.start()
                held = await records.get(command.target_id, priority)
                outcome = self._outcome(command, "applied", held.reading, number, wrote=False)
                data = outcome.data or {}
                if attempt or all(data.get(name) == value for name, value in command.expected.items()):
                    break
                await asyncio.sleep(self._read_lag_s)
            return outcome
        except NotFound as error:
            if error.status != 404:
                raise Refused(error.code, error.message) from None
            return self._gone(command, wrote=False)

    # -- creations

    async def _create(self, records: Records, command: Command, fields: Mapping[str, Any], priority: int) -> Outcome:
        """Look where the command asks for it, then create; after a 400 that names one field, once more without it."""
        skipped = records.unfit(fields, None)
        body = await records.body(command, fields, priority)
        found = await self._adopted(records, command, fields, priority) if command.look_first else None
        if found is None and command.look_for_twins:
            found = await self._met(records, command, fields, priority)
        if found is not None:
            return found
        try:
            held = await records.post(body, priority)
        except Refused as error:
            # Go answers a duplicate reference or code with a plain 400, whose title says nothing of it.
            if error.status not in (400, 409):
                raise
            if (found := await self._adopted(records, command, fields, priority)) is not None:
                return found
            back = held_back(error, records.optional, without(fields, skipped))
            if not back:
                raise
            skipped = skipped | back
            body = await records.body(command, without(fields, back), priority)
            held = await records.post(body, priority)
        return self._ended(command, held, skipped)

    async def _adopted(
        self, records: Records, command: Command, fields: Mapping[str, Any], priority: int
    ) -> Outcome | None:
        number = self._observations.start()
        found = await records.find(command, fields, priority)
        return None if found is None else self._outcome(command, "adopted", found.reading, number)

    async def _met(
        self, records: Records, command: Command, fields: Mapping[str, Any], priority: int
    ) -> Outcome | None:
        """What somebody made in Go meanwhile and no poll has shown yet: nothing is created beside it. A record with a
        stamp of ours, or that this process has written, is linked already."""
        number = self._observations.start()
        found = await records.alike(command, fields, self._unread_since(command.entity), priority)
        for held in found:
            if command.stamp is not None and held.reading.stamp == command.stamp:
                return self._outcome(command, "adopted", held.reading, number)
        twins = tuple(
            held.reading.id for held in found
            if not (held.reading.stamp or "").startswith("cb-")
            and not self._observations.met(command.entity, held.reading.id)
        )  # fmt: skip
        return twins_met(command, twins, iso(self._clock())) if twins else None

    def _ended(self, command: Command, held: Held, skipped: Mapping[str, str] | None = None) -> Outcome:
        """The outcome of a write that returned; the source learns of it at once."""
        number = self._observations.reply()
        outcome = self._outcome(command, "applied", held.reading, number, skipped=skipped)
        self._observations.end_write(command.entity, held.reading.id, outcome.data, number)
        self._observations.keep_answer(command.entity, number, held.reading)
        return outcome

    # -- changes

    async def _update(self, records: Records, command: Command, fields: Mapping[str, Any], priority: int) -> Outcome:
        """Read, compare, patch what differs; after a 400 read again, since a `test` may have failed. What Go cannot
        hold is held back alone, and so is, once, the field that a 400 names though nothing has moved."""
        assert command.target_id is not None
        expected = typed(command, command.expected)
        tested: dict[Path, Any] | None = None
        refused: Refused | None = None
        back: dict[str, str] = {}
        for _ in range(MAX_READS):
            number = self._observations.start()
            held = await records.get(command.target_id, priority)
            read_at_s, present = self._seconds(), content(held.reading)
            skipped = records.unfit(fields, present) | back
            wanted = records.wanted(without(fields, skipped), present)
            changes = differing(present, wanted)
            if not changes:
                return self._outcome(command, "applied", held.reading, number, wrote=False, skipped=skipped)
            # Planned under an older mapping, the expected values are not those that are read now.
            sent = isinstance(present, Order) and present.status == "sent"
            if sent or command.mapping < MAPPING or edited(present, changes, expected):
                done = tuple(name for name in wanted if name not in changes)
                return self._outcome(command, "stale", held.reading, number, done=done)
            properties = records.properties(changes, held)
            values = {path: value_at(held.raw, path) for path in properties}
            if refused is not None and values == tested:
                if back or not (back := held_back(refused, records.optional, changes)):
                    raise of_reference(refused)
                refused = None
                continue
            if self._guard == "read" and self._paused(read_at_s):
                continue
            tested = values
            try:
                return await self._patch(records, command, held, properties, priority, skipped)
            except Refused as error:
                if error.status not in (400, 404):
                    raise
                refused = error
        raise refused or _too_slow(command)

    def _paused(self, read_at_s: float) -> bool:
        """Whether so much time has passed since a read that it guards nothing any more."""
        return self._seconds() - read_at_s > MAX_PAUSE_S

    def _operations(self, held: Held, properties: Mapping[Path, Any]) -> list[dict[str, Any]]:
        return list(operations(held, properties, guarded=self._guard == "test"))

    async def _patch(
        self, records: Records, command: Command, held: Held, properties: Mapping[Path, Any], priority: int,
        skipped: Mapping[str, str] | None = None,
    ) -> Outcome:  # fmt: skip
        entity, id = command.entity, held.reading.id
        self._observations.begin_write(entity, id)
        try:
            returned = await records.patch(held, self._operations(held, properties), priority)
            return self._ended(command, returned, skipped)
        except BaseException:
            self._observations.end_write(entity, id)
            raise

    async def _delete(self, records: Records, command: Command, priority: int) -> Outcome:
        """Remove a draft that still is what the command expects; a sent or Confirmed order never."""
        assert command.target_id is not None
        if not isinstance(records, OrderRecords):
            raise Refused("unsupported", f"a {command.entity} of PowerOffice Go is archived, never deleted")
        expected = typed(command, command.expected)
        try:
            for _ in range(MAX_READS):
                number = self._observations.start()
                held = await records.get(command.target_id, priority)
                read_at_s, present = self._seconds(), content(held.reading)
                other = command.mapping < MAPPING or differing(present, expected) or expected.get("status") != "draft"
                if other:
                    return self._outcome(command, "stale", held.reading, number)
                if not self._paused(read_at_s):
                    return await self._removed(records, command, priority)
        except NotFound as error:
            if error.status != 404:
                raise Refused(error.code, error.message) from None  # sent or deleted, and which cannot be read
            return self._gone(command, wrote=False)
        raise _too_slow(command)

    async def _removed(self, records: OrderRecords, command: Command, priority: int) -> Outcome:
        assert command.target_id is not None
        self._observations.begin_write(command.entity, command.target_id)
        try:
            await records.delete(command.target_id, priority)
        finally:
            self._observations.end_write(command.entity, command.target_id)
        return self._gone(command, wrote=True)

    async def _restore_lines(
        self, records: Records, command: Command, fields: Mapping[str, Any], priority: int
    ) -> Outcome:
        """Make the lines of a draft those of the command, call by call: Go has no way to replace them at once. What
        the command holds of the header goes first.

        A crash in between leaves another draft than expected, so the next attempt is stale and planned anew from it; so
        does a refusal because somebody changed or confirmed the order meanwhile.
        """
        assert command.target_id is not None and isinstance(records, OrderRecords)
        expected, bodies = typed(command, command.expected), await records.line_bodies(fields["lines"], priority)
        refused: Refused | None = None
        written = False
        for _ in range(MAX_READS):
            number = self._observations.start()
            held = await records.get(command.target_id, priority)
            read_at_s, present = self._seconds(), content(held.reading)
            if command.mapping < MAPPING:
                return self._outcome(command, "stale", held.reading, number)
            header = differing(present, records.wanted(without(fields, ("lines", "status")), present))
            changes = records.line_changes(held, bodies)
            if not changes and not header:
                return self._outcome(command, "applied", held.reading, number, wrote=False)
            if differing(present, expected) or getattr(present, "status", None) != "draft":
                return self._outcome(command, "stale", held.reading, number, wrote=written)
            if refused is not None:
                raise refused
            if self._paused(read_at_s):
                continue
            properties = records.properties(header, held) if header else {}
            self._observations.begin_write(command.entity, command.target_id)
            try:
                if properties:
                    await records.patch(held, self._operations(held, properties), priority)
                    written = True
                for change in changes:
                    await records.change_line(command.target_id, change, priority)
                    written = True
                return self._ended(command, await records.get(command.target_id, priority))
            except BaseException as error:
                self._observations.end_write(command.entity, command.target_id)
                if not isinstance(error, Refused) or error.status not in (400, 404, 409):
                    raise
                refused = error
        raise refused or _too_slow(command)

    async def _stamp(self, records: Records, command: Command, priority: int) -> Outcome:
        """Fill an empty reference; without a stamp in the command, take our own away again."""
        assert command.target_id is not None
        if not records.stampable:
            raise Refused("unsupported", f"a {command.entity} of PowerOffice Go has no reference to write into")
        refused: Refused | None = None
        for _ in range(MAX_READS):
            number = self._observations.start()
            held = await records.get(command.target_id, priority)
            if command.mapping < MAPPING:
                return self._outcome(command, "stale", held.reading, number)
            present = text(held.reading.stamp)
            if present == command.stamp or (command.stamp is None and not (present or "").startswith("cb-")):
                return self._outcome(command, "applied", held.reading, number, wrote=False)
            if command.stamp is not None and present is not None:
                message = f"ExternalImportReference holds {present}, which is not ours to replace"
                raise Refused("stamp_taken", message)
            if refused is not None:
                raise refused
            try:
                return await self._patch(records, command, held, {REFERENCE: command.stamp}, priority)
            except Refused as error:
                if error.status != 400:
                    raise
                refused = error
        raise AssertionError("a second refusal has been raised")

    # -- outcomes

    def _outcome(
        self, command: Command, result: Result, reading: Reading, number: int, *, wrote: bool | None = None,
        done: tuple[str, ...] = (), skipped: Mapping[str, str] | None = None,
    ) -> Outcome:  # fmt: skip
        at, wrote = iso(self._clock()), result != "stale" if wrote is None else wrote
        return outcome_of(command, result, reading, number, at, wrote=wrote, done=done, skipped=skipped)

    def _gone(self, command: Command, *, wrote: bool) -> Outcome:
        return gone(command, self._observations.reply(), iso(self._clock()), wrote=wrote)


def _too_slow(command: Command) -> Retriable:
    message = f"{command.op} of {command.entity} {command.target_id}: over {MAX_PAUSE_S:.0f} s between read and write"
    return Retriable(f"{message}, {MAX_READS} times; is this machine overloaded or suspended?")
