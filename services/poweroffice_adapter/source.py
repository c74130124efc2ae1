"""Reads one Go client into topics: snapshots, adaptive polls, and sweeps for what no filter finds.

Go has no webhooks. A poll asks for what changed after the greatest server time seen, less an
overlap; repeats fall away by content. The watermark moves only after everything read was
acknowledged.
"""

import asyncio
import contextlib
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

import structlog

from contracts.entities import EntityName
from contracts.messages import SnapshotCompleted
from contracts.settings import Tenant
from runtime import traces
from runtime.adapter_metrics import READ_ERRORS
from runtime.background import first_of, unasked
from runtime.clock import iso
from runtime.publisher import Publisher
from runtime.rate_limiter import BULK, READ
from runtime.vendor import Refused, Retriable, Unauthorised
from services.poweroffice_adapter import mapping
from services.poweroffice_adapter.client import CHANGED, Forbidden, PowerOfficeClient
from services.poweroffice_adapter.feed import SYSTEM, Feed
from services.poweroffice_adapter.observations import Observations
from services.poweroffice_adapter.order.source import OrderSource
from services.poweroffice_adapter.reader import PATHS, Reader
from services.poweroffice_adapter.sweep import Sweep

log = structlog.get_logger()


class Source:
    """Everything read from Go for one tenant. `run` goes on for ever; `health` says how it fares,
    and since when a first snapshot is read."""

    def __init__(
        self,
        name: str,
        tenant: Tenant,
        client: PowerOfficeClient,
        publisher: Publisher,
        observations: Observations,
        *,
        clock: Callable[[], datetime],
        new_id: Callable[[], str] = lambda: uuid.uuid4().hex,
        aside: bool = False,
    ) -> None:
        self._name, self._tenant, self._client, self._publisher = name, tenant, client, publisher
        self._settings, self._observations = tenant.poweroffice, observations
        self._clock, self._new_id = clock, new_id
        self.health: dict[str, Any] = {
            "last_poll_at": {},
            "last_sweep_at": None,
            "last_error": {},
            "notes": {},
        }
        self.feed = Feed(
            name,
            publisher,
            observations,
            read_lag_s=self._settings.read_lag_s,
            clock=clock,
            aside=aside,
        )
        self.reader = Reader(
            client, observations, self.health, ledger_currency=tenant.ledger_currency
        )
        self.orders = OrderSource(
            name,
            tenant,
            client,
            self.feed,
            self.reader.currencies,
            self.health,
            clock=clock,
            new_id=new_id,
        )
        self._sweep = Sweep(self.reader, self.feed, self.orders, client, self.health)

    async def run(self) -> None:
        """Poll and sweep for ever. Raises Unauthorised when Go refuses the keys."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(unasked(self._loop("customer", lambda: self.step("customer"))))
                group.create_task(unasked(self._loop("product", lambda: self.step("product"))))
                group.create_task(unasked(self._loop("order", self._order_step)))
                group.create_task(unasked(self._loop("invoice", self.orders.invoice_step)))
                group.create_task(unasked(self._sweep_loop()))
        except BaseExceptionGroup as errors:
            refused, _ = errors.split(Unauthorised)
            raise first_of(refused or errors) from None

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
        """None where the step failed in a way that may pass; the next one begins at the same
        watermark."""
        try:
            with traces.step(f"poll {name} of poweroffice", idle=True, tenant=self._name):
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
        READ_ERRORS.labels(self._name, SYSTEM, name).inc()
        self.health["last_error"][name] = {"at": iso(self._clock()), "error": str(error)}
        log.warning("poweroffice.read_failed", tenant=self._name, loop=name, error=str(error))

    async def step(self, entity: EntityName) -> bool:
        """One poll of customers or products, the first time a snapshot; True after activity."""
        cursor = self._publisher.cursor(self._name, SYSTEM, entity)
        if cursor is None:
            with self._telling(entity):
                await self._snapshot(entity)
            return True
        watermark, since = str(cursor.get("watermark") or mapping.NEVER), self.reached_back(entity)
        params = {} if since == mapping.NEVER else {CHANGED: since}
        published, _, newest = await self._list(entity, params, READ)
        if newest > watermark:
            await self._publisher.save_cursor(
                self._name, SYSTEM, entity, {**cursor, "watermark": newest}
            )
        return published > 0 or newest > watermark

    async def _order_step(self) -> bool:
        is_first = (
            self.orders.start is not None
            and self._publisher.cursor(self._name, SYSTEM, "order") is None
        )
        with self._telling("order") if is_first else contextlib.nullcontext():
            return await self.orders.step()

    @contextlib.contextmanager
    def _telling(self, entity: EntityName) -> Iterator[None]:
        """Let `health` say that a first snapshot is being read."""
        self.health.setdefault("first_snapshots", {})[entity] = {"since": iso(self._clock())}
        try:
            yield
        finally:
            del self.health["first_snapshots"][entity]
            if not self.health["first_snapshots"]:
                del self.health["first_snapshots"]

    def reached_back(self, entity: EntityName) -> str:
        """From where the next poll asks: the greatest time read, less the overlap; NEVER before
        anything was read."""
        cursor = self._publisher.cursor(self._name, SYSTEM, entity) or {}
        return mapping.earlier(
            str(cursor.get("watermark") or mapping.NEVER), self._settings.overlap_s
        )

    async def read_all(self, publisher: Publisher, entity: EntityName, snapshot: str) -> None:
        """Publish every record of an entity through this publisher. Raises a VendorError."""
        source = Source(
            self._name,
            self._tenant,
            self._client,
            publisher,
            self._observations,
            clock=self._clock,
            new_id=lambda: snapshot,
            aside=True,
        )
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
                tenant=self._name,
                system=SYSTEM,
                entity=entity,
                snapshot=snapshot,
                records=len(ids),
                completed_at=iso(self._clock()),
            )
        )
        cursor = {"snapshot": snapshot, "watermark": newest}
        await self._publisher.save_cursor(self._name, SYSTEM, entity, cursor)

    async def _list(
        self,
        entity: EntityName,
        params: Mapping[str, str],
        priority: int,
        snapshot: str | None = None,
    ) -> tuple[int, set[str], str]:
        """Publish a listing: events sent, ids met, greatest time of change on its first page. What
        changes while later pages are read may stand on one that was read before."""
        published, ids, newest = 0, set[str](), ""
        pages = self._client.pages(
            PATHS[entity], start=self._observations.start, priority=priority, params=params
        )
        async for number, rows in pages:
            found = await self.reader.readings(entity, number, rows)
            taken = await self.feed.take(
                entity, found, self.reader.reread(entity), snapshot=snapshot
            )
            published += taken.published
            ids |= {reading.id for _, reading in found}
            newest = newest or max([mapping.NEVER, *(each.changed_at for _, each in found)])
        return published, ids, newest or mapping.NEVER
