"""Reads one tenant's Chargebee site into topics: webhooks, first snapshots, and the events that
webhooks missed."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog

from contracts.entities import ENTITIES, EntityName
from contracts.messages import Observed
from contracts.said import SENTENCES
from contracts.settings import Tenant
from runtime import traces
from runtime.adapter_metrics import READ_ERRORS
from runtime.background import first_of, unasked
from runtime.backoff import Backoff
from runtime.clock import iso
from runtime.publisher import Publisher
from runtime.vendor import Unauthorised, VendorError
from services.chargebee_adapter import events as events_api
from services.chargebee_adapter.authors import Authors
from services.chargebee_adapter.client import ChargebeeClient
from services.chargebee_adapter.events import Event
from services.chargebee_adapter.mapping import observed
from services.chargebee_adapter.product.catalogue import Catalogue, pricing_of
from services.chargebee_adapter.reader import Reader
from services.chargebee_adapter.snapshots import Snapshots

log = structlog.get_logger()
EVENTS, KEY = "events", "key"  # names of cursors: how far events are read, and the names of our key
# Events are kept for 90 days; a cursor near that age may already have missed some.
MAX_CURSOR_AGE = timedelta(days=85)
RESAVE_AFTER = timedelta(hours=1)
CLOCK_SKEW_S = 60
FIRST_BACKOFF_S, MAX_BACKOFF_S = 1.0, 60.0


def _uuid() -> str:
    return str(uuid.uuid4())


class Source:
    """The readings of one tenant.

    `health` holds last_poll_at per entity (and of the events), last_error, where orders are not
    read why, and first_snapshots by entity while they are read: since when, and until when at least
    where lists may be late. `clock` gives aware UTC; `new_id` names snapshots; `catalogue` and
    `authors` are those shared with the sink.
    """

    def __init__(
        self,
        tenant: str,
        settings: Tenant,
        client: ChargebeeClient,
        publisher: Publisher,
        *,
        clock: Callable[[], datetime],
        new_id: Callable[[], str] = _uuid,
        catalogue: Catalogue | None = None,
        authors: Authors | None = None,
    ) -> None:
        self._tenant, self._settings, self._client, self._publisher = (
            tenant,
            settings,
            client,
            publisher,
        )
        self._clock = clock
        catalogue = catalogue or Catalogue(pricing_of(settings))
        self._catalogue = catalogue
        self._authors = authors or Authors()
        self._reader = Reader(
            settings, client, catalogue, self._authors, clock, self._is_known_order
        )
        self._snapshots = Snapshots(
            tenant, settings, client, publisher, self._reader, catalogue, clock=clock, new_id=new_id
        )
        self._handled: dict[str, int] = {}  # event id -> UTC seconds
        self._under_way: dict[str, asyncio.Event] = {}  # by the id of a webhook's event
        self.health: dict[str, Any] = {"last_poll_at": {}, "last_error": None}
        if not self._reader.reads_orders:
            self.health["orders"] = SENTENCES["orders_unread"]

    async def run(self) -> None:
        """Read for ever. Raises Unauthorised when the key is refused; other vendor trouble is tried
        again."""
        try:
            await self._persist("begin", self._begin)
            async with asyncio.TaskGroup() as group:
                for entity in ENTITIES:
                    if entity != "order" or self._reader.reads_orders:
                        group.create_task(unasked(self._snapshot(entity), lasts=False))
                group.create_task(unasked(self._follow_events()))
        except ExceptionGroup as group_of_errors:
            refused = group_of_errors.subgroup(Unauthorised)
            raise first_of(refused or group_of_errors) from None

    async def read_all(self, publisher: Publisher, entity: EntityName, snapshot: str) -> None:
        """Publish every record of an entity through this publisher. Raises a VendorError."""
        snapshots = Snapshots(
            self._tenant,
            self._settings,
            self._client,
            publisher,
            self._reader,
            self._catalogue,
            clock=self._clock,
            new_id=lambda: snapshot,
        )
        await snapshots.take(entity)

    async def webhook(self, body: bytes) -> int:
        """Publish what a webhook is about; returns how many events were new, after Kafka
        acknowledged them. One that has come before, or by the events API, is new no more.

        Raises ValueError with a reason for a malformed body, and VendorError where a needed read
        failed.
        """
        raw = events_api.decode(body)
        event = events_api.of(raw)
        if event is None:
            return 0
        if not event.id:
            return await self._publish([event])
        if await self._is_handled(event.id):
            return 0
        done = self._under_way[event.id] = asyncio.Event()
        try:
            published = await self._publish([event])
            self._handled[event.id] = event.occurred_at_s
        finally:
            del self._under_way[event.id]
            done.set()
        return published

    def _is_known_order(self, order_id: str) -> bool:
        known = self._publisher.known(self._tenant, "chargebee", "order").get(order_id)
        return known is not None and not known.deleted

    async def _is_handled(self, event_id: str) -> bool:
        """Whether an event was published; one that a webhook is about just now is waited for."""
        while (done := self._under_way.get(event_id)) is not None:
            await done.wait()
        return event_id in self._handled

    async def _publish(self, events: Sequence[Event]) -> int:
        held = self._publisher.cursor(self._tenant, "chargebee", KEY) or {}
        self._authors.know(held.get("names", ()))
        readings = await self._reader.of_events(events)
        if self._authors.names != held.get("names", []):
            value = {"names": list(self._authors.names)}
            await self._publisher.save_cursor(self._tenant, "chargebee", KEY, value)
        at = iso(self._clock())
        told = [observed(reading, tenant=self._tenant, at=at) for reading in readings if reading.id]
        return await self._publisher.publish([*told, *await self._newest(told, at)])

    async def _newest(self, told: Sequence[Observed], at: str) -> list[Observed]:
        """Customers of which events told last what is older than something else told or published:
        sent last, compaction would keep that alone. What is read is never older than its
        events."""
        known = self._publisher.known(self._tenant, "chargebee", "customer")
        about = [event for event in told if event.entity == "customer"]
        following: list[Observed] = []
        for customer_id in dict.fromkeys(event.id for event in about):
            events = [event for event in about if event.id == customer_id]
            newest = max(events, key=lambda event: (event.version, event.deleted))
            sent = known.get(customer_id)
            if sent is not None and sent.is_newer_than(newest):
                read = await self._reader.customer(customer_id)
                if read is not None:
                    following.append(observed(read, tenant=self._tenant, at=at))
            elif newest is not events[-1]:
                following.append(newest)
        return following

    async def _begin(self) -> None:
        """Fix where events are followed from before anything is listed, so that nothing falls in
        between."""
        cursor = self._publisher.cursor(self._tenant, "chargebee", EVENTS)
        if cursor and self._clock() - datetime.fromisoformat(cursor["read_at"]) > MAX_CURSOR_AGE:
            log.warning("events.cursor_too_old", tenant=self._tenant, read_at=cursor["read_at"])
            for entity in ENTITIES:
                await self._snapshots.forget(entity)
            cursor = None
        if not cursor:
            await self._save_cursor(int(self._clock().timestamp()) - CLOCK_SKEW_S)

    async def _snapshot(self, entity: EntityName) -> None:
        async def take() -> None:
            if not self._snapshots.is_complete(entity):
                self._tell_of_snapshot(entity)
                await self._snapshots.take(entity)
                log.info("snapshot.completed", tenant=self._tenant, entity=entity)
                self._polled(entity)

        try:
            await self._persist(f"snapshot.{entity}", take)
        finally:
            left = {
                name: told
                for name, told in self.health.pop("first_snapshots", {}).items()
                if name != entity
            }
            self.health |= {"first_snapshots": left} if left else {}

    def _tell_of_snapshot(self, entity: EntityName) -> None:
        now, late_s = self._clock(), self._settings.chargebee.list_lag_s
        told: dict[str, Any] = {"since": iso(now)}
        if late_s > 0:
            told |= {"until": iso(now + timedelta(seconds=late_s)), "late_s": late_s}
        self.health["first_snapshots"] = {**self.health.get("first_snapshots", {}), entity: told}

    async def _follow_events(self) -> None:
        while True:
            with traces.step("poll events of chargebee", idle=True, tenant=self._tenant):
                await self._persist(EVENTS, self._catch_up)
            await asyncio.sleep(self._settings.chargebee.events_interval_s)

    async def _catch_up(self) -> None:
        """Publish the events since the cursor that no webhook brought."""
        cursor = self._publisher.cursor(self._tenant, "chargebee", EVENTS) or {}
        last_s = int(cursor.get("occurred_at", 0))
        # `after` may or may not be strict, and the list lags: hence the overlap.
        after_s = last_s - int(self._settings.chargebee.list_lag_s) - 1
        query = {"occurred_at[after]": str(after_s), "sort_by[asc]": "occurred_at"}
        async for page in self._client.pages("event", "/events", query):
            await self._publish_page(page)
            last_s = max([last_s, *(events_api.occurred_at_s(raw) for raw in page)])
            if last_s > cursor.get("occurred_at", 0):
                await self._save_cursor(last_s)
                cursor = {"occurred_at": last_s}
        read_at = cursor.get("read_at")
        if read_at and self._clock() - datetime.fromisoformat(read_at) > RESAVE_AFTER:
            await self._save_cursor(last_s)
        kept_from_s = last_s - int(self._settings.chargebee.list_lag_s) - 2
        self._handled = {each: at_s for each, at_s in self._handled.items() if at_s >= kept_from_s}
        self._polled(
            EVENTS, *(each for each in ENTITIES if each != "order" or self._reader.reads_orders)
        )

    async def _publish_page(self, page: Sequence[Mapping[str, Any]]) -> None:
        fresh: list[Event] = []
        for raw in page:
            try:
                event = events_api.of(raw)
            except ValueError as error:
                log.warning(
                    "event.unreadable",
                    tenant=self._tenant,
                    event=str(raw.get("id")),
                    reason=str(error),
                )
                continue
            if event is not None and not await self._is_handled(event.id):
                fresh.append(event)
        if fresh:
            await self._publish(fresh)
            self._handled.update((event.id, event.occurred_at_s) for event in fresh)

    async def _save_cursor(self, occurred_at_s: int) -> None:
        value = {"occurred_at": occurred_at_s, "read_at": iso(self._clock())}
        await self._publisher.save_cursor(self._tenant, "chargebee", EVENTS, value)

    def _polled(self, *names: str) -> None:
        # A new dict each time: whoever kept the last health must see that it changed.
        now = iso(self._clock())
        self.health["last_poll_at"] = {**self.health["last_poll_at"], **dict.fromkeys(names, now)}

    async def _persist(self, what: str, step: Callable[[], Awaitable[None]]) -> None:
        """Do one step, again and again with a growing pause while the vendor does not let it
        through."""
        backoff = Backoff(FIRST_BACKOFF_S, MAX_BACKOFF_S)
        while True:
            try:
                await step()
            except Unauthorised:
                raise
            except VendorError as error:
                self.health["last_error"] = f"{what}: {error}"
                READ_ERRORS.labels(self._tenant, "chargebee", what).inc()
                log.warning(
                    "source.again",
                    tenant=self._tenant,
                    what=what,
                    reason=str(error),
                    backoff_s=backoff.next_s,
                )
                await backoff.pause()
            else:
                if str(self.health["last_error"]).startswith(f"{what}:"):
                    self.health["last_error"] = None
                return
