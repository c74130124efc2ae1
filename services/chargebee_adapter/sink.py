"""Commands into writes to Chargebee, one at a time per record."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from typing import Protocol
from weakref import WeakValueDictionary

import msgspec
import structlog

from contracts.entities import EntityName
from contracts.messages import Command, Outcome
from contracts.settings import Tenant
from runtime.clock import iso
from runtime.vendor import BULK, LIVE, Refused, Retriable
from services.chargebee_adapter import mapping
from services.chargebee_adapter.authors import Authors
from services.chargebee_adapter.catalogue import Catalogue
from services.chargebee_adapter.client import ChargebeeClient
from services.chargebee_adapter.guard import Clock, Written
from services.chargebee_adapter.limits import field_of
from services.chargebee_adapter.readings import pricing_of
from services.chargebee_adapter.sink_customers import Customers
from services.chargebee_adapter.sink_orders import Orders
from services.chargebee_adapter.sink_products import Products

log = structlog.get_logger()
_Write = Callable[[ChargebeeClient, Command], Awaitable[Written]]


class _Writer(Protocol):
    async def create(self, api: ChargebeeClient, command: Command) -> Written: ...
    async def update(self, api: ChargebeeClient, command: Command) -> Written: ...
    async def stamp(self, api: ChargebeeClient, command: Command) -> Written: ...
    async def verify(self, api: ChargebeeClient, command: Command) -> Written: ...


class Sink:
    """Applies the commands of one tenant. `clock` gives aware UTC, `monotonic` seconds; `catalogue` and `authors` are
    those shared with the source."""

    def __init__(
        self, tenant: str, settings: Tenant, client: ChargebeeClient, *, clock: Callable[[], datetime],
        catalogue: Catalogue | None = None, authors: Authors | None = None, monotonic: Clock = time.monotonic,
    ) -> None:  # fmt: skip
        self.tenant, self._client, self._clock = tenant, client, clock
        catalogue = catalogue or Catalogue(pricing_of(settings))
        self._writers: dict[EntityName, _Writer] = {
            "customer": Customers(settings.country_default, monotonic),
            "product": Products(catalogue, settings.chargebee.item_family, monotonic),
            "order": Orders(settings, catalogue, clock, monotonic),
        }
        self._authors = authors or Authors()
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def apply(self, command: Command) -> Outcome:
        """Carry out one command. Raises Retriable, Refused, NotFound or Unauthorised."""
        if command.op == "delete":
            words = f"a {command.entity} of Chargebee is never deleted: a person does that there"
            raise Refused("unsupported", words)
        # Chargebee answers concurrent writes to one record with lock_timeout.
        record = f"{command.entity}/{command.target_id or command.stamp}"
        lock = self._locks.setdefault(record, asyncio.Lock())
        async with lock:
            api = self._client.at(LIVE if command.lane == "live" else BULK)
            api.on_write = self._authors.note_write
            try:
                written = await self._written(api, command)
            except Retriable as error:
                # A part may have got through although the request that failed did not.
                error.maybe_applied = error.maybe_applied or api.writes > 0
                raise
        return self._outcome(command, written, api)

    async def _written(self, api: ChargebeeClient, command: Command) -> Written:
        writer = self._writers[command.entity]
        if command.op in ("update", "stamp") and command.mapping < mapping.MAPPING:
            # It was planned from what an older release read; the linker folds the new reading first.
            read = await writer.verify(api, command)
            held = (read.reading and read.reading.data) or {}
            done = tuple(name for name, value in command.fields.items() if name in held and held[name] == value)
            return replace(read, result="stale", done=done)
        write: _Write = getattr(writer, command.op)
        try:
            return await write(api, command)
        except Refused as error:
            left = self._without_refused(command, error) if api.writes == 0 or command.op == "update" else None
            if left is None:
                raise
            name, rest = left
            log.warning("field.refused", tenant=self.tenant, entity=command.entity, link=command.link, field=name)
            try:
                written = await (write(api, rest) if rest.fields else writer.verify(api, command))
            except Refused:
                raise error from None
            words = f"Chargebee refuses it ({error.message}); correct it in PowerOffice Go"
            return replace(written, skipped={**written.skipped, name: words})

    def _without_refused(self, command: Command, error: Refused) -> tuple[str, Command] | None:
        """The one field whose value the vendor named as wrong, and the command without it; None where that is not so or
        nothing would be left to create; an update may have nothing left, then the record is only read."""
        if error.status != 400 or error.code != "param_wrong_value" or command.op not in ("create", "update"):
            return None
        name = field_of(command.entity, error.field)
        rest = {each: value for each, value in command.fields.items() if each != name}
        if name is None or name not in command.fields or not (rest or command.op == "update"):
            return None
        return name, msgspec.structs.replace(command, fields=rest)

    def _outcome(self, command: Command, written: Written, api: ChargebeeClient) -> Outcome:
        # Of a repeated command an earlier attempt may have written; a create that is adopted has.
        in_doubt = command.look_first and command.op in ("update", "stamp")
        outcome = Outcome(
            tenant=command.tenant, entity=command.entity, link=command.link, seq=command.seq, target="chargebee",
            result=written.result, at=iso(self._clock()), mapping=mapping.MAPPING, done=written.done, calls=api.calls,
            wrote=api.writes > 0 or in_doubt or written.result == "adopted", skipped=written.skipped,
            twins=written.twins,
        )  # fmt: skip
        if (reading := written.reading) is None:
            return outcome
        return msgspec.structs.replace(
            outcome, id=reading.id, version=reading.version, data=reading.data, stamp=reading.stamp,
            error=reading.problem, deleted=reading.deleted,
        )  # fmt: skip
