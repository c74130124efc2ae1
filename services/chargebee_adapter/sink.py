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
from contracts.messages import Command, Outcome, Problem
from contracts.said import say
from contracts.settings import Tenant
from runtime.clock import iso
from runtime.problems import Unwritable
from runtime.rate_limiter import BULK, LIVE
from runtime.vendor import Refused, Retriable
from services.chargebee_adapter import mapping
from services.chargebee_adapter.authors import Authors
from services.chargebee_adapter.client import ChargebeeClient
from services.chargebee_adapter.customer.sink import Customers
from services.chargebee_adapter.guard import Clock
from services.chargebee_adapter.order.sales import Sales
from services.chargebee_adapter.outcomes import Written, outcome_of
from services.chargebee_adapter.product.catalogue import Catalogue, pricing_of
from services.chargebee_adapter.product.sink import Products
from services.chargebee_adapter.refusals import held_back

log = structlog.get_logger()
_Write = Callable[[ChargebeeClient, Command], Awaitable[Written]]


class _Writer(Protocol):
    async def create(self, api: ChargebeeClient, command: Command) -> Written: ...
    async def update(self, api: ChargebeeClient, command: Command) -> Written: ...
    async def stamp(self, api: ChargebeeClient, command: Command) -> Written: ...
    async def verify(self, api: ChargebeeClient, command: Command) -> Written: ...


class Sink:
    """Applies the commands of one tenant. `clock` gives aware UTC, `monotonic` seconds; `catalogue`
    and `authors` are those shared with the source."""

    def __init__(
        self,
        tenant: str,
        settings: Tenant,
        client: ChargebeeClient,
        *,
        clock: Callable[[], datetime],
        catalogue: Catalogue | None = None,
        authors: Authors | None = None,
        monotonic: Clock = time.monotonic,
    ) -> None:
        self.tenant, self._client, self._clock = tenant, client, clock
        catalogue = catalogue or Catalogue(pricing_of(settings))
        self._writers: dict[EntityName, _Writer] = {
            "customer": Customers(settings.country_default, monotonic),
            "product": Products(catalogue, settings.chargebee.item_family, monotonic),
            "order": Sales(settings, catalogue, clock, monotonic),
        }
        self._authors = authors or Authors()
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def apply(self, command: Command) -> Outcome:
        """Carry out one command. Raises Retriable, Refused, NotFound or Unauthorised."""
        if command.op == "delete":
            said = say("never_deleted_in_chargebee", entity=command.entity)
            raise Refused.of(Problem.of("unsupported", said))
        # Chargebee answers concurrent writes to one record with lock_timeout.
        record = f"{command.entity}/{command.target_id or command.stamp}"
        lock = self._locks.setdefault(record, asyncio.Lock())
        async with lock:
            api = self._client.at(LIVE if command.lane == "live" else BULK)
            api.on_write = self._authors.note_write
            if command.target_id is not None:
                self._authors.note_target(command.entity, command.target_id)
            try:
                written = await self._written(api, command)
            except Unwritable as error:
                raise Refused.of(error.problem) from None
            except Retriable as error:
                # A part may have got through although the request that failed did not.
                error.maybe_applied = error.maybe_applied or api.writes > 0
                raise
        at = iso(self._clock())
        return outcome_of(command, written, at, calls=api.calls, writes=api.writes)

    async def _written(self, api: ChargebeeClient, command: Command) -> Written:
        writer = self._writers[command.entity]
        if command.op in ("update", "stamp") and command.mapping < mapping.MAPPING:
            # It was planned from what an older release read; the linker folds the new reading
            # first.
            read = await writer.verify(api, command)
            held = (read.reading and read.reading.data) or {}
            done = tuple(
                name
                for name, value in command.fields.items()
                if name in held and held[name] == value
            )
            return replace(read, result="stale", done=done)
        write: _Write = getattr(writer, command.op)
        try:
            return await write(api, command)
        except Refused as error:
            back = held_back(error, command) if api.writes == 0 or command.op == "update" else {}
            if not back:
                raise
            log.warning(
                "field.refused",
                tenant=self.tenant,
                entity=command.entity,
                link=command.link,
                field=next(iter(back)),
            )
            fields = {name: value for name, value in command.fields.items() if name not in back}
            rest = msgspec.structs.replace(command, fields=fields)
            try:
                written = await (write(api, rest) if fields else writer.verify(api, command))
            except (Refused, Unwritable):
                raise error from None
            return replace(written, skipped={**written.skipped, **back})
