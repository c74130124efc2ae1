"""Reads one Go client into topics: snapshots, adaptive polls, and sweeps for what no filter finds.

Go has no webhooks. A poll asks for what changed after the greatest server time seen, less an overlap;
repeats fall away by content. The watermark moves only after everything read was acknowledged.
"""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any

import structlog

from contracts.entities import Customer, EntityName
from contracts.messages import SnapshotCompleted
from contracts.settings import Tenant
from runtime.clock import iso
from runtime.dead_letters import about
from runtime.publisher import Publisher
from runtime.vendor import BULK, READ, NotFound, Refused, Retriable, Unauthorised
from services.poweroffice_adapter import mapping
from services.poweroffice_adapter.client import Forbidden, PowerOfficeClient, Row
from services.poweroffice_adapter.feed import SYSTEM, Feed, Numbered
from services.poweroffice_adapter.groups import ProductGroups
from services.poweroffice_adapter.observations import Observations
from services.poweroffice_adapter.records import CHANGED
from services.poweroffice_adapter.source_orders import OrderSource, note_without_id
from services.poweroffice_adapter.sweep import Sweep

log = structlog.get_logger()
PATHS: dict[EntityName, str] = {"customer": "/Customers", "product": "/Products"}


class Source:
    """Everything read from Go for one tenant. `run` goes on for ever; `health` says how it fares."""

    def __init__(
        self, name: str, tenant: Tenant, client: PowerOfficeClient, publisher: Publisher,
        observations: Observations, *, clock: Callable[[], datetime],
        new_id: Callable[[], str] = lambda: uuid.uuid4().hex, aside: bool = False,
    ) -> None:  # fmt: skip
        self._name, self._tenant, self._client, self._publisher = name, tenant, client, publisher
        self._settings, self._observations = tenant.poweroffice, observations
        self._clock, self._new_id = clock, new_id
        self.health: dict[str, Any] = {
            "last_poll_at": {},
            "last_sweep_at": None,
            "last_error": {},
            "notes": {},
        }
        self.feed = Feed(name, publisher, observations, read_lag_s=self._settings.read_lag_s, clock=clock,
                         aside=aside)  # fmt: skip
        self.groups = ProductGroups(client)
        self.currencies: dict[str, str] = {}
        self.orders = OrderSource(
            name, tenant, client, self.feed, self.currencies, self.health, clock=clock, new_id=new_id
        )
        self._sweep = Sweep(self, client, self.health)

    async def run(self) -> None:
        """Poll and sweep for ever. Raises Unauthorised when Go refuses the keys."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._loop("customer", lambda: self.step("customer")))
                group.create_task(self._loop("product", lambda: self.step("product")))
                group.create_task(self._loop("order", self.orders.step))
                group.create_task(self._loop("invoice", self.orders.invoice_step))
                group.create_task(self._sweep_loop())
        except BaseExceptionGroup as errors:
            refused, _ = errors.split(Unauthorised)
            raise _first(refused or errors) from None

    async def _loop(self, name: str, step: Callable[[], Awaitable[bool]]) -> None:
        """Pauses double from poll_min_s to poll_max_s while nothing happens."""
        least_s, most_s = self._settings.poll_min_s, self._settings.poll_max_s
        pause_s = least_s
        while True:
            active = await self._guarded(name, step)
            if active is not None:
                self.health["last_poll_at"][name] = iso(self._clock())
            pause_s = least_s if active else min(most_s, pause_s * 2)
            await asyncio.sleep(pause_s)

    async def _sweep_loop(self) -> None:
        while True:
            await asyncio.sleep(self._settings.sweep_s)
            if await self._guarded("sweep", self.sweep) is not None:
                self.health["last_sweep_at"] = iso(self._clock())

    async def _guarded(self, name: str, step: Callable[[], Awaitable[bool]]) -> bool | None:
        """None where the step failed in a way that may pass; the next one begins at the same watermark."""
        try:
            active = await step()
        except Forbidden as error:
            if not error.path.startswith("/OutgoingInvoices"):
                raise
            self._failed(name, error)
        except (Retriable, Refused) as error:
            self._failed(name, error)
        else:
            self.health["last_error"].pop(name, None)
            return active
        return None

    def _failed(self, name: str, error: Exception) -> None:
        self.health["last_error"][name] = {"at": iso(self._clock()), "error": str(error)}
        log.warning("poweroffice.read_failed", tenant=self._name, loop=name, error=str(error))

    async def step(self, entity: EntityName) -> bool:
        """One poll of customers or products, the first time a snapshot; True after activity."""
        cursor = self._publisher.cursor(self._name, SYSTEM, entity)
        if cursor is None:
            await self._snapshot(entity)
            return True
        watermark, since = str(cursor.get("watermark") or mapping.NEVER), self.reached_back(entity)
        params = {} if since == mapping.NEVER else {CHANGED: since}
        published, _, newest = await self._list(entity, params, READ)
        if newest > watermark:
            await self._publisher.save_cursor(self._name, SYSTEM, entity, {**cursor, "watermark": newest})
        return published > 0 or newest > watermark

    def reached_back(self, entity: EntityName) -> str:
        """From where the next poll asks: the greatest time read, less the overlap; NEVER before anything was read."""
        cursor = self._publisher.cursor(self._name, SYSTEM, entity) or {}
        return mapping.earlier(str(cursor.get("watermark") or mapping.NEVER), self._settings.overlap_s)

    async def read_all(self, publisher: Publisher, entity: EntityName, snapshot: str) -> None:
        """Publish every record of an entity through this publisher. Raises a VendorError."""
        source = Source(self._name, self._tenant, self._client, publisher, self._observations, clock=self._clock,
                        new_id=lambda: snapshot, aside=True)  # fmt: skip
        if entity == "order":
            await source.orders.snapshot()
        else:
            await source._snapshot(entity)

    async def sweep(self) -> bool:
        """Look for address edits, line edits and deletions."""
        return await self._sweep.run()

    async def _snapshot(self, entity: EntityName) -> None:
        snapshot = self._new_id()
        _, ids, newest = await self._list(entity, {}, BULK, snapshot)
        if not ids:
            # One empty answer may be a fault of the moment.
            await self.feed.pause()
            _, ids, newest = await self._list(entity, {}, BULK, snapshot)
        await self._publisher.snapshot_completed(
            SnapshotCompleted(
                tenant=self._name, system=SYSTEM, entity=entity, snapshot=snapshot, records=len(ids),
                completed_at=iso(self._clock()),
            )
        )  # fmt: skip
        cursor = {"snapshot": snapshot, "watermark": newest}
        await self._publisher.save_cursor(self._name, SYSTEM, entity, cursor)

    async def _list(
        self, entity: EntityName, params: Mapping[str, str], priority: int, snapshot: str | None = None
    ) -> tuple[int, set[str], str]:
        """Publish a listing: events sent, ids met, greatest time of change among them."""
        published, ids, newest = 0, set[str](), mapping.NEVER
        pages = self._client.pages(PATHS[entity], start=self._observations.start, priority=priority, params=params)
        async for number, rows in pages:
            found = await self.readings(entity, number, rows)
            taken = await self.feed.take(entity, found, self.reread(entity), snapshot=snapshot)
            published += taken.published
            ids |= {reading.id for _, reading in found}
            newest = max(newest, *(reading.changed_at for _, reading in found), mapping.NEVER)
        return published, ids, newest

    async def readings(self, entity: EntityName, number: int, rows: list[Row]) -> list[Numbered]:
        """Rows of customers or products as readings; rows without an id are dropped and noted."""
        found: list[Numbered] = []
        for row in rows:
            with about(f"{entity} {row.get('Id')}"):
                reading = await self._map(entity, row)
            if reading is None:
                note_without_id(row, entity, self.health)
                continue
            if isinstance(reading.content, Customer) and reading.content.currency:
                self.currencies[reading.id] = reading.content.currency
            found.append((number, reading))
        return found

    async def _map(self, entity: EntityName, row: Row) -> mapping.Reading | None:
        if entity == "customer":
            return mapping.customer(row)
        groups = await self.groups.codes(row)
        return mapping.product(row, ledger_currency=self._tenant.ledger_currency, groups=groups)

    def reread(self, entity: EntityName) -> Callable[[str], Awaitable[Numbered | None]]:
        """Reads one customer or product anew; None when Go does not have it."""

        async def read(id: str) -> Numbered | None:
            number = self._observations.start()
            try:
                row = await self._client.get(f"{PATHS[entity]}/{id}")
            except NotFound:
                return None
            found = await self.readings(entity, number, [row]) if isinstance(row, dict) else []
            if not found:
                # None would count as deleted.
                raise Retriable(f"GET {PATHS[entity]}/{id}: the answer is no record")
            return found[0]

        return read


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    for error in errors.exceptions:
        return _first(error) if isinstance(error, BaseExceptionGroup) else error
    raise AssertionError("an exception group is never empty")
