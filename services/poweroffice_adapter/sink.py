"""Applies commands to Go: creates that can be repeated, updates that never overwrite what nobody has seen."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from contracts.entities import Entity, EntityName, Order, typed_fields, wire
from contracts.messages import Command, Outcome, Problem, Result
from contracts.settings import Tenant
from contracts.values import text
from runtime.clock import iso
from runtime.vendor import BULK, LIVE, NotFound, Refused
from services.poweroffice_adapter.client import PowerOfficeClient, counting
from services.poweroffice_adapter.groups import ProductGroups
from services.poweroffice_adapter.mapping import MAPPING, NEVER, Reading, version
from services.poweroffice_adapter.mapping_writes import Path, Unwritable, value_at
from services.poweroffice_adapter.observations import Observations
from services.poweroffice_adapter.records import REFERENCE, CustomerRecords, Held, ProductRecords, Records
from services.poweroffice_adapter.records_orders import OrderRecords

MAX_PATCHES = 3
# Which field Go's words are about, by the property they name.
_WORDS: dict[str, str] = {
    "EmailAddress": "email", "OrganizationNumber": "organisation_number", "PhoneNumber": "phone",
    "MailAddress": "address", "ZipCode": "address", "CurrencyCode": "currency", "FirstName": "first_name",
    "LastName": "last_name", "ProductGroup": "group", "UnitOfMeasureCode": "unit", "UnitPrice": "price",
    "CustomerId": "customer_id", "ProductId": "lines", "SalesOrderDate": "order_date",
    "DeliveryDate": "delivery_date", "PurchaseOrderReference": "purchase_order", "IsArchived": "archived",
}  # fmt: skip


class Sink:
    """Writes for one tenant. Shares `observations` with the source, and may share its caches."""

    def __init__(
        self, name: str, tenant: Tenant, client: PowerOfficeClient, observations: Observations, *,
        clock: Callable[[], datetime], groups: ProductGroups | None = None,
        currencies: dict[str, str] | None = None,
    ) -> None:  # fmt: skip
        self._name, self._observations, self._clock = name, observations, clock
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
                raise _with_field(error) from None
        return msgspec.structs.replace(outcome, calls=count[0])

    async def _apply(self, command: Command) -> Outcome:
        fields, priority = _typed(command, command.fields), LIVE if command.lane == "live" else BULK
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
                outcome = self._outcome(command, "applied", held.reading, number)
                data = outcome.data or {}
                if attempt or all(data.get(name) == value for name, value in command.expected.items()):
                    break
                await asyncio.sleep(self._read_lag_s)
            return outcome
        except NotFound as error:
            if error.status != 404:
                raise Refused(error.code, error.message) from None
            return self._gone(command)

    def _gone(self, command: Command) -> Outcome:
        """The outcome for a record that is not in Go any more."""
        return Outcome(
            tenant=command.tenant, entity=command.entity, link=command.link, seq=command.seq, target=command.target,
            result="applied", at=iso(self._clock()), id=command.target_id, mapping=MAPPING, deleted=True,
            version=version(NEVER, self._observations.reply(), command.target_version),
        )  # fmt: skip

    async def _create(self, records: Records, command: Command, fields: Mapping[str, Any], priority: int) -> Outcome:
        body = await records.body(command, fields, priority)
        found = await self._adopted(records, command, fields, priority) if command.look_first else None
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
            raise
        return self._ended(command, held)

    def _ended(self, command: Command, held: Held) -> Outcome:
        """The outcome of a write that returned; the source learns of it at once."""
        number = self._observations.reply()
        outcome = self._outcome(command, "applied", held.reading, number)
        self._observations.end_write(command.entity, held.reading.id, outcome.data, number)
        self._observations.keep_answer(command.entity, number, held.reading)
        return outcome

    async def _adopted(
        self, records: Records, command: Command, fields: Mapping[str, Any], priority: int
    ) -> Outcome | None:
        number = self._observations.start()
        found = await records.find(command, fields, priority)
        return None if found is None else self._outcome(command, "adopted", found.reading, number)

    async def _update(self, records: Records, command: Command, fields: Mapping[str, Any], priority: int) -> Outcome:
        """Read, compare, patch what differs; after a 400 read again, since a `test` may have failed."""
        assert command.target_id is not None
        expected = _typed(command, command.expected)
        tested: dict[Path, Any] | None = None
        refused: Refused | None = None
        for _ in range(MAX_PATCHES):
            number = self._observations.start()
            held = await records.get(command.target_id, priority)
            present = _content(held.reading)
            wanted = records.wanted(fields, present)
            changes = {name: value for name, value in wanted.items() if getattr(present, name) != value}
            done = tuple(name for name in wanted if name not in changes)
            if not changes:
                return self._outcome(command, "applied", held.reading, number)
            sent = isinstance(present, Order) and present.status == "sent"
            if sent or _edited(present, changes, expected):
                return self._outcome(command, "stale", held.reading, number, done)
            properties = records.properties(changes, held)
            values = {path: value_at(held.raw, path) for path in properties}
            if refused is not None and values == tested:
                raise _of_reference(refused)
            tested = values
            try:
                return await self._patch(records, command, held, properties, priority)
            except Refused as error:
                if error.status not in (400, 404):
                    raise
                refused = error
        assert refused is not None
        raise refused

    async def _patch(
        self, records: Records, command: Command, held: Held, properties: Mapping[Path, Any], priority: int
    ) -> Outcome:
        operations = list(_operations(held, properties, guarded=self._guard == "test"))
        entity, id = command.entity, held.reading.id
        self._observations.begin_write(entity, id)
        try:
            returned = await records.patch(held, operations, priority)
            return self._ended(command, returned)
        except BaseException:
            self._observations.end_write(entity, id)
            raise

    async def _delete(self, records: Records, command: Command, priority: int) -> Outcome:
        """Remove a draft that still is what the command expects; a sent or Confirmed order never."""
        assert command.target_id is not None
        if not isinstance(records, OrderRecords):
            raise Refused("unsupported", f"a {command.entity} of PowerOffice Go is archived, never deleted")
        expected, number = _typed(command, command.expected), self._observations.start()
        try:
            held = await records.get(command.target_id, priority)
            if _differing(_content(held.reading), expected) or expected.get("status") != "draft":
                return self._outcome(command, "stale", held.reading, number)
            self._observations.begin_write(command.entity, command.target_id)
            try:
                await records.delete(command.target_id, priority)
            finally:
                self._observations.end_write(command.entity, command.target_id)
        except NotFound as error:
            if error.status != 404:
                raise Refused(error.code, error.message) from None  # sent or deleted, and which cannot be read
        return self._gone(command)

    async def _restore_lines(
        self, records: Records, command: Command, fields: Mapping[str, Any], priority: int
    ) -> Outcome:
        """Make the lines of a draft those of the command, call by call: Go has no way to replace them at once.

        A crash in between leaves other lines than expected, so the next attempt is stale and planned anew from them.
        """
        assert command.target_id is not None and isinstance(records, OrderRecords)
        number = self._observations.start()
        held = await records.get(command.target_id, priority)
        present, expected = _content(held.reading), _typed(command, command.expected)
        changes = await records.line_changes(held, fields["lines"], priority)
        if not changes:
            return self._outcome(command, "applied", held.reading, number)
        if _differing(present, expected) or getattr(present, "status", None) != "draft":
            return self._outcome(command, "stale", held.reading, number)
        self._observations.begin_write(command.entity, command.target_id)
        try:
            for change in changes:
                await records.change_line(command.target_id, change, priority)
            held = await records.get(command.target_id, priority)
            return self._ended(command, held)
        except BaseException:
            self._observations.end_write(command.entity, command.target_id)
            raise

    async def _stamp(self, records: Records, command: Command, priority: int) -> Outcome:
        """Fill an empty reference; without a stamp in the command, take our own away again."""
        assert command.target_id is not None
        if not records.stampable:
            raise Refused("unsupported", f"a {command.entity} of PowerOffice Go has no reference to write into")
        refused: Refused | None = None
        for _ in range(MAX_PATCHES):
            number = self._observations.start()
            held = await records.get(command.target_id, priority)
            present = text(held.reading.stamp)
            if present == command.stamp or (command.stamp is None and not (present or "").startswith("cb-")):
                return self._outcome(command, "applied", held.reading, number)
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

    def _outcome(
        self, command: Command, result: Result, reading: Reading, number: int, done: tuple[str, ...] = ()
    ) -> Outcome:
        return Outcome(
            tenant=command.tenant, entity=command.entity, link=command.link, seq=command.seq,
            target=command.target, result=result, at=iso(self._clock()), id=reading.id, mapping=MAPPING,
            done=done, stamp=reading.stamp, data=wire(_content(reading)),
            version=version(reading.newest_at, number, command.target_version),
        )  # fmt: skip


def _of_reference(error: Refused) -> Refused:
    """The record was just read, so a 404 for its PATCH is about something it refers to."""
    if isinstance(error, NotFound):
        return Refused("reference_not_found", error.message, field=error.field, status=error.status)
    return error


def _typed(command: Command, fields: dict[str, Any]) -> dict[str, Any]:
    try:
        return typed_fields(command.entity, fields)
    except (KeyError, msgspec.ValidationError) as error:
        raise Refused("invalid_command", f"the command's fields cannot be read: {error}") from error


def _content(reading: Reading) -> Entity:
    if isinstance(reading.content, Problem):
        problem = reading.content
        raise Refused(problem.code, problem.message, field=problem.field)
    return reading.content


def _edited(present: Entity, changes: Iterable[str], expected: Mapping[str, Any]) -> bool:
    return any(name in expected and getattr(present, name) != expected[name] for name in changes)


def _differing(present: Entity, expected: Mapping[str, Any]) -> list[str]:
    return [name for name, value in expected.items() if getattr(present, name) != value]


def _operations(held: Held, properties: Mapping[Path, Any], *, guarded: bool) -> Iterable[dict[str, Any]]:
    """`test` on the raw values just read, then `replace`; Go applies all or nothing (RFC 6902)."""
    if guarded:
        for path in properties:
            yield {"op": "test", "path": _pointer(path), "value": value_at(held.raw, path)}
    for path, value in properties.items():
        yield {"op": "replace", "path": _pointer(path), "value": value}


def _pointer(path: Path) -> str:
    return "/" + "/".join(path)


def _with_field(error: Refused) -> Refused:
    """Name the field that Go's words are about, where they tell."""
    if error.field is None:
        error.field = next((field for word, field in _WORDS.items() if word in error.message), None)
    return error
