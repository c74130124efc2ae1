"""The first complete reading of each entity, and the word that it is complete."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import datetime, timedelta

from contracts.entities import EntityName
from contracts.messages import SnapshotCompleted
from contracts.settings import Tenant
from runtime.clock import iso
from runtime.publisher import Publisher
from services.chargebee_adapter.client import PAGE, ChargebeeClient, Raw
from services.chargebee_adapter.mapping import MAPPING, Reading, id_of, observed
from services.chargebee_adapter.product.catalogue import ALL_STATUSES, Catalogue
from services.chargebee_adapter.reader import Reader, customer_of


class Snapshots:
    """Complete readings of one tenant. `clock` gives aware UTC, `new_id` a new snapshot id."""

    def __init__(
        self,
        tenant: str,
        settings: Tenant,
        client: ChargebeeClient,
        publisher: Publisher,
        reader: Reader,
        catalogue: Catalogue,
        *,
        clock: Callable[[], datetime],
        new_id: Callable[[], str],
    ) -> None:
        self._tenant, self._client, self._publisher, self._reader = (
            tenant,
            client,
            publisher,
            reader,
        )
        self._catalogue, self._clock, self._new_id = catalogue, clock, new_id
        self._list_lag_s = settings.chargebee.list_lag_s
        self._start = str(settings.start.orders or "")

    def is_complete(self, entity: EntityName) -> bool:
        """Whether a complete reading has been published before. One of orders counts only under
        this mapping, since a newer one tells of their invoices what no version moves for, from this
        source, and from this start or an earlier one."""
        cursor = self._publisher.cursor(self._tenant, "chargebee", entity) or {}
        if not cursor.get("completed_at"):
            return False
        return entity != "order" or (
            cursor.get("mapping", 1) >= MAPPING
            and cursor.get("source", "orders") == self._reader.listing.source
            and cursor.get("start", self._start) <= self._start
        )

    async def forget(self, entity: EntityName) -> None:
        """Let the next `take` read everything again."""
        await self._publisher.save_cursor(self._tenant, "chargebee", entity, {})

    async def take(self, entity: EntityName) -> None:
        """Publish every record under one new snapshot id, then SnapshotCompleted, then the
        cursor."""
        snapshot, started = self._new_id(), self._clock()
        seen = await self._pass(entity, snapshot, None)
        if not seen:
            # A list that fails to show anything must not count as an empty system.
            seen = await self._pass(entity, snapshot, None)
        if self._list_lag_s > 0:
            await self._wait_until(started + timedelta(seconds=self._list_lag_s))
            since_s = int(started.timestamp() - self._list_lag_s) - 1
            seen |= await self._pass(entity, snapshot, since_s)
        completed_at = iso(self._clock())
        await self._publisher.snapshot_completed(
            SnapshotCompleted(
                tenant=self._tenant,
                system="chargebee",
                entity=entity,
                snapshot=snapshot,
                records=len(seen),
                completed_at=completed_at,
            )
        )
        value = {"snapshot": snapshot, "completed_at": completed_at, "mapping": MAPPING}
        if entity == "order":
            value |= {"source": self._reader.listing.source, "start": self._start}
        await self._publisher.save_cursor(self._tenant, "chargebee", entity, value)

    async def _wait_until(self, moment: datetime) -> None:
        await asyncio.sleep(max(0.0, (moment - self._clock()).total_seconds()))

    async def _pass(self, entity: EntityName, snapshot: str, since_s: int | None) -> set[str]:
        """Publish one listing: all records, or those changed after `since_s` (UTC seconds). Returns
        their ids."""
        seen: set[str] = set()
        async for readings in self._listing(entity, since_s):
            at = iso(self._clock())
            named = [reading for reading in readings if reading.id]
            await self._publisher.publish(
                [
                    observed(reading, tenant=self._tenant, at=at, snapshot=snapshot)
                    for reading in named
                ]
            )
            seen.update(reading.id for reading in named)
        return seen

    async def _listing(
        self, entity: EntityName, since_s: int | None
    ) -> AsyncIterator[list[Reading]]:
        if entity == "product":
            async for readings in self._products(since_s):
                yield readings
            return
        if entity == "order":
            sales = self._reader.listing
            query = {
                "include_deleted": "true",
                **sales.query,
                **_window(since_s, first_sort=sales.first_sort),
            }
            async for page in self._client.pages(sales.kind, sales.path, query):
                yield await self._reader.orders(page)
            return
        query = {"include_deleted": "true", **_window(since_s, first_sort="created_at")}
        async for page in self._client.pages(entity, f"/{entity}s", query):
            yield [customer_of(raw) for raw in page]

    async def _products(self, since_s: int | None) -> AsyncIterator[list[Reading]]:
        """Items joined with all their prices; after a first listing only those of which a part
        changed."""
        query = {"status[in]": ALL_STATUSES, **_window(since_s, first_sort="id")}
        items = {id_of(raw): raw for raw in await self._client.all("item", "/items", query)}
        prices = await self._client.all("item_price", "/item_prices", query)
        if since_s is not None:
            changed = sorted({*items, *(str(price.get("item_id")) for price in prices)})
            for price in prices:
                self._catalogue.note_fresh(price)
            yield [
                reading
                for each in changed
                if (reading := await self._reader.product(each)) is not None
            ]
            return
        by_item: dict[str, list[Raw]] = {}
        for price in prices:
            by_item.setdefault(str(price.get("item_id")), []).append(price)
        for chunk in _chunks(sorted(items)):
            yield [
                self._catalogue.reading(self._catalogue.merged(items[each], by_item.get(each, ())))
                for each in chunk
            ]


def _chunks(ids: list[str]) -> Iterable[list[str]]:
    return (ids[start : start + PAGE] for start in range(0, len(ids), PAGE))


def _window(since_s: int | None, *, first_sort: str) -> dict[str, str]:
    """The first listing is unfiltered, since a filter on `updated_at` hides records that have
    none."""
    if since_s is None:
        return {"sort_by[asc]": first_sort}
    return {"updated_at[after]": str(since_s), "sort_by[asc]": "updated_at"}
