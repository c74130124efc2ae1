"""Commands into writes to Chargebee, one at a time per record."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Protocol
from weakref import WeakValueDictionary

from contracts.entities import EntityName
from contracts.messages import Command, Outcome
from contracts.settings import Tenant
from runtime.clock import iso
from runtime.vendor import BULK, LIVE, Refused
from services.chargebee_adapter.catalogue import Catalogue
from services.chargebee_adapter.client import ChargebeeClient
from services.chargebee_adapter.guard import Written
from services.chargebee_adapter.mapping import MAPPING
from services.chargebee_adapter.readings import pricing_of
from services.chargebee_adapter.sink_customers import Customers
from services.chargebee_adapter.sink_orders import Orders
from services.chargebee_adapter.sink_products import Products


class _Writer(Protocol):
    async def create(self, api: ChargebeeClient, command: Command) -> Written: ...
    async def update(self, api: ChargebeeClient, command: Command) -> Written: ...
    async def stamp(self, api: ChargebeeClient, command: Command) -> Written: ...
    async def verify(self, api: ChargebeeClient, command: Command) -> Written: ...


class Sink:
    """Applies the commands of one tenant. `clock` gives aware UTC; `catalogue` is the one shared with the source."""

    def __init__(
        self, tenant: str, settings: Tenant, client: ChargebeeClient, *, clock: Callable[[], datetime],
        catalogue: Catalogue | None = None,
    ) -> None:  # fmt: skip
        self.tenant, self._client, self._clock = tenant, client, clock
        catalogue = catalogue or Catalogue(pricing_of(settings))
        self._writers: dict[EntityName, _Writer] = {
            "customer": Customers(settings.country_default),
            "product": Products(catalogue, settings.chargebee.item_family),
            "order": Orders(settings, catalogue, clock),
        }
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
            written = await getattr(self._writers[command.entity], command.op)(api, command)
        return self._outcome(command, written, api.calls)

    def _outcome(self, command: Command, written: Written, calls: int) -> Outcome:
        reading = written.reading
        return Outcome(
            tenant=command.tenant, entity=command.entity, link=command.link, seq=command.seq, target="chargebee",
            result=written.result, at=iso(self._clock()), id=reading.id, version=reading.version, mapping=MAPPING,
            data=reading.data, stamp=reading.stamp, done=written.done, error=reading.problem, calls=calls,
            deleted=reading.deleted,
        )  # fmt: skip
