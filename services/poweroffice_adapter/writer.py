"""Creating and changing one kind of record in Go: creates that can be repeated, updates that never
overwrite what nobody has seen. The kinds of records say how they are read, found, created and
changed."""

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec

from contracts.messages import Command, Outcome, Problem, Result
from contracts.said import say
from contracts.values import text
from contracts.vendors import reference_of
from runtime.clock import iso
from runtime.problems import Unwritable
from runtime.vendor import NotFound, Refused, Retriable
from services.poweroffice_adapter.guard import (
    differing,
    edited,
    operations,
    present,
    typed,
    without,
)
from services.poweroffice_adapter.mapping import MAPPING, Held, Path, Reading, time_of, value_at
from services.poweroffice_adapter.outcomes import gone, outcome_of, twins_met
from services.poweroffice_adapter.records import REFERENCE, Records
from services.poweroffice_adapter.refusals import held_back, of_reference

MAX_READS = 5  # of one record for one command
MAX_PAUSE_S = 2.0  # between the read that is the only guard of a write and the write


class Writer(Records):
    """The commands for one kind of record."""

    async def verify(self, command: Command, priority: int) -> Outcome:
        """Read one record; other content than expected is read again, since a replica may lag
        behind our own write. A record that is not there is deleted; an order was looked for among
        the invoices too."""
        try:
            for attempt in range(2):
                number = self._observations.start()
                held = await self.read(command, priority)
                outcome = self._outcome(command, "applied", held.reading, number, wrote=False)
                data = outcome.data or {}
                if attempt or all(
                    data.get(name) == value for name, value in command.expected.items()
                ):
                    break
                await self.catch_up()
            return outcome
        except NotFound as error:
            if error.status != 404:
                raise Refused(error.code, error.message) from None
            return self._gone(command, wrote=False)

    async def create(self, command: Command, fields: Mapping[str, Any], priority: int) -> Outcome:
        """Look where the command asks for it, then create; after a 400 that names one field, once
        more without it."""
        skipped = self.fitting(fields, None).faults
        body = await self.body(command, fields, priority)
        found = await self._adopted(command, fields, priority) if command.look_first else None
        if found is None and command.look_for_twins:
            found = await self._met(command, fields, priority)
        if found is not None:
            return found
        try:
            held = await self.post(body, priority)
        except Refused as error:
            # Go answers a duplicate reference or code with a plain 400, whose title says nothing of
            # it.
            if error.status not in (400, 409):
                raise
            if (found := await self._adopted(command, fields, priority)) is not None:
                return found
            back = held_back(error, self.optional, without(fields, skipped))
            if not back and command.look_first:
                # What an earlier attempt made may not be shown yet.
                await self.catch_up()
                if (found := await self._adopted(command, fields, priority)) is not None:
                    return found
            if not back:
                raise
            skipped = skipped | back
            body = await self.body(command, without(fields, back), priority)
            held = await self.post(body, priority)
        return self._ended(command, held, skipped)

    async def _adopted(
        self, command: Command, fields: Mapping[str, Any], priority: int
    ) -> Outcome | None:
        number = self._observations.start()
        found = await self.find(command, fields, priority)
        return None if found is None else self._outcome(command, "adopted", found.reading, number)

    async def _met(
        self, command: Command, fields: Mapping[str, Any], priority: int
    ) -> Outcome | None:
        """What somebody made in Go meanwhile and no poll has shown yet: nothing is created beside
        it. A record with a stamp of ours, or that this process has written, is linked already."""
        number = self._observations.start()
        found = await self.alike(command, fields, self.means.unread_since(command.entity), priority)
        for held in found:
            if command.stamp is not None and held.reading.stamp == command.stamp:
                return self._outcome(command, "adopted", held.reading, number)
        twins = tuple(
            held.reading.id
            for held in found
            if reference_of("poweroffice", held.reading.stamp) is None
            and not self._observations.met(command.entity, held.reading.id)
        )
        return twins_met(command, twins, self._now()) if twins else None

    async def update(self, command: Command, fields: Mapping[str, Any], priority: int) -> Outcome:
        """Patch what Go showed last, or read, compare and patch what differs; after a 400 read
        again, since a `test` may have failed. What Go cannot hold is held back alone, and so is,
        once, the field that a 400 names though nothing has moved."""
        expected = typed(command, command.expected)
        if (outcome := await self._unread(command, fields, expected, priority)) is not None:
            return outcome
        tested: dict[Path, Any] | None = None
        refused: Refused | None = None
        back: dict[str, Problem] = {}
        noted = False  # what takes a call of its own has been written
        waited = False
        for _ in range(MAX_READS):
            number = self._observations.start()
            held = await self.read(command, priority)
            read_at_s, seen = self.means.seconds(), present(held.reading)
            fitting = self.fitting(without(fields, back), seen)
            skipped, wanted = fitting.faults | back, fitting.held
            changes = differing(seen, wanted)
            if not changes:
                return self._outcome(
                    command, "applied", held.reading, number, wrote=noted, skipped=skipped
                )
            # Planned under an older mapping, the expected values are not those that are read now.
            apart = self.is_apart(changes)
            in_vain = noted and apart  # somebody has changed it since
            done = tuple(name for name in wanted if name not in changes)
            if (
                self.is_closed(seen)
                or in_vain
                or command.mapping < MAPPING
                or edited(seen, changes, expected)
            ):
                return self._outcome(command, "stale", held.reading, number, done=done, wrote=noted)
            properties = self.properties(changes, held, ours=command.ours)
            values = {path: value_at(held.raw, path) for path in properties}
            if apart:
                values["notice",] = getattr(seen, "notice", None)
            if refused is not None and values == tested and not waited:
                # A replica that lags cannot show whether the tested values had moved.
                waited = True
                await self.catch_up()
                continue
            if refused is not None and values == tested:
                if back or not (back := held_back(refused, self.optional, changes)):
                    raise of_reference(refused)
                refused = None
                continue
            if (apart or not self.means.tests) and self._paused(read_at_s):
                continue
            tested = values
            # Of a repeated command nothing is seen, or a part of one patch, and the record has
            # moved: somebody may have taken the first attempt back.
            patched = [name for name in done if not self.is_apart({name: wanted[name]})]
            again = (
                command.look_first
                and (not done or bool(patched and properties))
                and held.reading.newest_at > time_of(command.target_version)
            )
            try:
                if apart:
                    held, noted = await self.write_apart(command, held, wanted, priority), True
                if not properties:
                    return self._ended(command, held, skipped)
                outcome = await self._patch(command, held, properties, priority, skipped)
                return msgspec.structs.replace(outcome, again=again, done=done if again else ())
            except Refused as error:
                if error.status not in (400, 404, *((409,) if apart else ())):
                    raise
                refused = error
        raise refused or too_slow(command)

    async def stamp(self, command: Command, priority: int) -> Outcome:
        """Fill an empty reference; without a stamp in the command, take our own away again."""
        if not self.stampable:
            said = say("no_reference_in_go", entity=command.entity)
            raise Refused.of(Problem.of("unsupported", said))
        refused = None
        if (outcome := await self._unread_stamp(command, priority)) is not None:
            return outcome
        for _ in range(MAX_READS):
            number = self._observations.start()
            held = await self.read(command, priority)
            if command.mapping < MAPPING:
                return self._outcome(command, "stale", held.reading, number)
            held_stamp = text(held.reading.stamp)
            if held_stamp == command.stamp or (
                command.stamp is None and reference_of("poweroffice", held_stamp) is None
            ):
                return self._outcome(command, "applied", held.reading, number, wrote=False)
            if command.stamp is not None and held_stamp is not None:
                said = say("reference_not_ours", reference=held_stamp)
                raise Refused.of(Problem.of("stamp_taken", said))
            if refused is not None:
                raise refused
            try:
                return await self._patch(command, held, {REFERENCE: command.stamp}, priority)
            except Refused as error:
                if error.status != 400:
                    raise
                refused = error
        raise AssertionError("a second refusal has been raised")

    async def read(self, command: Command, priority: int) -> Held:
        """Read the record of a command; once more where a replica of Go does not know yet what Go
        has shown before: the record at all, or its last change. Raises NotFound."""
        id = target_of(command)
        seen_at = time_of(command.target_version)
        try:
            held = await self.get(id, priority)
            at = held.reading.newest_at
            if at >= seen_at and not self._observations.lags(command.entity, id, at):
                return held
        except NotFound as error:
            if error.status != 404:
                raise
        await self.catch_up()
        return await self.get(id, priority)

    async def catch_up(self) -> None:
        """Wait until a replica of Go shows what Go has answered."""
        await asyncio.sleep(self._tenant.poweroffice.read_lag_s)

    async def remove(self, command: Command, priority: int) -> Outcome:
        """Nothing but a draft is ever removed. Raises Refused."""
        said = say("never_deleted_in_go", entity=command.entity)
        raise Refused.of(Problem.of("unsupported", said))

    # -- steps

    async def _unread(
        self,
        command: Command,
        fields: Mapping[str, Any],
        expected: Mapping[str, Any],
        priority: int,
    ) -> Outcome | None:
        """The patch of what Go showed last, whose `test` operations are its guard: one call for an
        edit. None, and nothing is written, where that is not known, where more must be looked at
        than the tested values, or where Go holds something else; then a reading decides."""
        if (held := await self._shown(command)) is None:
            return None
        try:
            seen = present(held.reading)
            fitting = self.fitting(fields, seen)
            changes = differing(seen, fitting.held)
            if (
                not changes.keys() == fitting.held.keys() == fields.keys()
                or self.is_closed(seen)
                or self.is_apart(changes)
                or edited(seen, changes, expected)
            ):
                return None
            properties = self.properties(changes, held, ours=False)
            if not properties or properties != self.properties(changes, held, ours=command.ours):
                return None
        except (Refused, Unwritable):
            return None
        return await self._patch_unread(command, held, properties, priority)

    async def _unread_stamp(self, command: Command, priority: int) -> Outcome | None:
        """As `_unread`, for the reference; None too where it is not to be replaced."""
        if (held := await self._shown(command)) is None:
            return None
        stamp = text(held.reading.stamp)
        is_ours = reference_of("poweroffice", stamp) is not None
        if not (stamp is None if command.stamp is not None else is_ours):
            return None
        return await self._patch_unread(command, held, {REFERENCE: command.stamp}, priority)

    async def _shown(self, command: Command) -> Held | None:
        """What Go showed last of a record, where a patch may test it."""
        if not self.means.tests or command.mapping < MAPPING or command.look_first:
            return None
        return await self.remembered(target_of(command))

    async def _patch_unread(
        self, command: Command, held: Held, properties: Mapping[Path, Any], priority: int
    ) -> Outcome | None:
        try:
            return await self._patch(command, held, properties, priority)
        except Refused as error:
            if error.status not in (400, 404):
                raise
            self._observations.forget_row(command.entity, held.reading.id)
            return None

    async def _patch(
        self,
        command: Command,
        held: Held,
        properties: Mapping[Path, Any],
        priority: int,
        skipped: Mapping[str, Problem] | None = None,
    ) -> Outcome:
        id = held.reading.id
        self._observations.begin_write(command.entity, id)
        try:
            returned = await self.patch(held, self._operations(held, properties), priority)
            return self._ended(command, returned, skipped)
        except BaseException:
            self._observations.end_write(command.entity, id)
            raise

    def _operations(self, held: Held, properties: Mapping[Path, Any]) -> list[dict[str, Any]]:
        return list(operations(held, properties, guarded=self.means.tests))

    def _paused(self, read_at_s: float) -> bool:
        """Whether so much time has passed since a read that it guards nothing any more."""
        return self.means.seconds() - read_at_s > MAX_PAUSE_S

    def _ended(
        self, command: Command, held: Held, skipped: Mapping[str, Problem] | None = None
    ) -> Outcome:
        """The outcome of a write that returned; the source learns of it at once."""
        number = self._observations.reply()
        outcome = self._outcome(command, "applied", held.reading, number, skipped=skipped)
        self._observations.end_write(
            command.entity, held.reading.id, outcome.data, number, held.reading.newest_at
        )
        self._observations.keep_answer(command.entity, number, held)
        return outcome

    def _outcome(
        self,
        command: Command,
        result: Result,
        reading: Reading,
        number: int,
        *,
        wrote: bool | None = None,
        done: tuple[str, ...] = (),
        skipped: Mapping[str, Problem] | None = None,
    ) -> Outcome:
        wrote = result != "stale" if wrote is None else wrote
        at = self._now()
        return outcome_of(
            command, result, reading, number, at, wrote=wrote, done=done, skipped=skipped
        )

    def _gone(self, command: Command, *, wrote: bool) -> Outcome:
        return gone(command, self._observations.reply(), self._now(), wrote=wrote)

    def _now(self) -> str:
        return iso(self.means.clock())


def target_of(command: Command) -> str:
    """The id of the record that a command is about. Raises Refused for a command without one."""
    if command.target_id is None:
        raise Refused("invalid_command", f"{command.op} names no record of PowerOffice Go")
    return command.target_id


def too_slow(command: Command) -> Retriable:
    """Why nothing was written: each read was too old when it was to guard a write."""
    message = (
        f"{command.op} of {command.entity} {command.target_id}: over {MAX_PAUSE_S:.0f} s "
        f"between read and write"
    )
    return Retriable(f"{message}, {MAX_READS} times; is this machine overloaded or suspended?")
