"""From vendor records to canonical readings, with the further reads that products and orders
need."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from weakref import WeakValueDictionary

import structlog

from contracts.settings import Tenant
from runtime.dead_letters import about
from runtime.vendor import Refused
from services.chargebee_adapter.addresses import Resource, unaddressable
from services.chargebee_adapter.authors import Authors
from services.chargebee_adapter.client import ChargebeeClient, Raw
from services.chargebee_adapter.customer import canonical as customer_canonical
from services.chargebee_adapter.events import Event
from services.chargebee_adapter.mapping import Reading, as_of, id_of, milliseconds, version_of
from services.chargebee_adapter.order.invoice_reader import InvoiceReader
from services.chargebee_adapter.order.reader import Listing, OrderReader
from services.chargebee_adapter.product.catalogue import Catalogue, Whole

log = structlog.get_logger()
MAX_AHEAD_MS = 60_000


class Reader:
    """Readings of one tenant. Its calls raise as the client's do. `clock` gives aware UTC,
    `is_known(id)` whether an order has been published and is not deleted."""

    def __init__(
        self,
        settings: Tenant,
        client: ChargebeeClient,
        catalogue: Catalogue,
        authors: Authors,
        clock: Callable[[], datetime],
        is_known: Callable[[str], bool],
    ) -> None:
        self._client, self._catalogue, self._authors, self._clock = (
            client,
            catalogue,
            authors,
            clock,
        )
        # Until then a list may show less than an earlier process has published.
        self._is_late_until: datetime | None = None
        if late_s := settings.chargebee.list_lag_s:
            self._is_late_until = clock() + timedelta(seconds=late_s)
        catalogue.lists_lag = self._lists_lag
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        reader = InvoiceReader if settings.order.source == "invoices" else OrderReader
        self._orders: OrderReader = reader(settings, client, catalogue, authors, is_known)

    @property
    def reads_orders(self) -> bool:
        """Whether orders are read at all."""
        return self._orders.reads

    @property
    def listing(self) -> Listing:
        """Where orders are listed."""
        return self._orders.listing

    async def of_events(self, events: Sequence[Event]) -> list[Reading]:
        """What the events are about: customers and orders as they carry them, the orders of
        invoices and products read whole and once, but for products of which they tell nothing that
        is not known, such as the echo of our own write. Before what is read comes what an event
        tells of it that a write of ours may have covered. Each says who made it where it is of the
        very version that an event carries."""
        events = [event for each in events if (event := await self._believed(each)) is not None]
        for event in events:
            self._authors.note_event(event)
            if event.subject == "item_price":
                self._catalogue.note_listed((event.record,))
        customers = [event for event in events if event.subject == "customer"]
        readings = [customer_of(event.record, deleted=event.is_deletion) for event in customers]
        readings += await self._orders.of_events(events)
        of_products = [event for event in events if event.subject in ("item", "item_price")]
        for item_id in dict.fromkeys(map(_record_of, of_products)):
            about_it = [event for event in of_products if _record_of(event) == item_id]
            if (reading := await self._product_of(item_id, about_it)) is not None:
                readings += [*self._covered(item_id, about_it), reading]
        makers = {
            (_entity(event), _record_of(event), version_of(event.record)): event
            for event in events
            if event.subject not in ("invoice", "credit_note")
        }
        return [self._with_author(reading, makers) for reading in readings]

    async def _product_of(self, item_id: str, events: Sequence[Event]) -> Reading | None:
        """The product that events are about. Whoever is told of it at the same time waits, and may
        then know all that it is told."""
        lock = self._locks.setdefault(item_id, asyncio.Lock())
        async with lock:
            known = self._known(item_id, events)
            last_seen = None
            for event in events:
                if event.subject == "item_price":
                    self._catalogue.note_fresh(event.record)
                else:
                    last_seen = event.record
            return known or await self.product(item_id, last_seen)

    def _known(self, item_id: str, events: Sequence[Event]) -> Reading | None:
        """The product, where these events tell nothing new of it."""
        if self._lists_lag():
            return None
        whole = self._catalogue.remembered(item_id)
        if whole is None or not all(whole.holds(each.subject, each.record) for each in events):
            return None
        return self._catalogue.reading(whole)

    def _covered(self, item_id: str, events: Iterable[Event]) -> Iterator[Reading]:
        """The product as it was at the last of these events of each part that is not ours, where
        something newer has followed: if that is a write of ours, it may have covered an edit."""
        theirs = [event for event in events if self._authors.of(event) != "tandem"]
        whole = self._catalogue.remembered(item_id) if theirs else None
        theirs.sort(key=lambda event: milliseconds(event.record))
        for event in {(each.subject, id_of(each.record)): each for each in theirs}.values():
            if whole is not None and (before := whole.before(event.subject, event.record)):
                yield as_of(self._catalogue.reading(before), event.record)

    def _lists_lag(self) -> bool:
        """Whether a list may still show less than an earlier process has published. What was
        remembered meanwhile is forgotten at the end of that time."""
        if self._is_late_until is not None and self._clock() >= self._is_late_until:
            self._is_late_until = None
            self._catalogue.forget()
        return self._is_late_until is not None

    async def _believed(self, event: Event) -> Event | None:
        """The event; one whose version lies beyond the clock with what the API holds instead, or
        None if nothing.

        Such a version would hide every later change of its record.
        """
        if event.subject == "credit_note":
            return event  # only the invoice that it names is taken from it
        latest_ms = int(self._clock().timestamp() * 1000) + MAX_AHEAD_MS
        if (
            max(
                milliseconds(event.record),
                milliseconds({"updated_at": event.record.get("updated_at")}),
            )
            <= latest_ms
        ):
            return event
        record_id = id_of(event.record)
        resource: Resource = f"{event.subject}s"  # type: ignore[assignment]
        try:
            held = await self._client.find(event.subject, resource, record_id)
        except Refused as error:
            log.warning(
                "event.beyond_the_clock",
                event_id=event.id,
                subject=event.subject,
                reason=error.message,
            )
            return None
        words = "its version is more than a minute ahead; what Chargebee holds is taken instead"
        if held is None:
            words = (
                "its version is more than a minute ahead, and Chargebee holds no such record; "
                "nothing is taken"
            )
        log.warning(
            "event.beyond_the_clock", event_id=event.id, subject=event.subject, reason=words
        )
        if held is None:
            return None
        owner = {"item_id": event.record["item_id"]} if event.subject == "item_price" else {}
        taken = replace(event, record={**owner, **held}, is_deletion=False)
        same = milliseconds(held) == milliseconds(event.record)
        return taken if same else replace(taken, source="", user="")

    def _with_author(
        self, reading: Reading, makers: Mapping[tuple[str, str, str], Event]
    ) -> Reading:
        # The greatest part of a product's or an order's version is the version of one of its
        # records.
        event = makers.get((reading.entity_name, reading.id, reading.version.partition(".")[0]))
        return reading if event is None else replace(reading, made_by=self._authors.of(event))

    async def customer(self, customer_id: str) -> Reading | None:
        """A customer as it stands; None where there is none, or it cannot be asked for."""
        if unaddressable("customers", customer_id) is not None:
            return None
        raw = await self._client.find("customer", "customers", customer_id)
        return None if raw is None else customer_of(raw)

    async def product(self, item_id: str, last_seen: Raw | None = None) -> Reading | None:
        """A product read whole. An item that is gone is a deletion if it was seen as one, else
        nothing is known. An item that cannot be asked for is a problem in words."""
        if unaddressable("items", item_id) is not None:
            return self._catalogue.reading(self._catalogue.merged(last_seen or {"id": item_id}, ()))
        whole = await self._catalogue.whole(self._client, item_id)
        if whole is None and last_seen is not None and last_seen.get("status") == "deleted":
            whole = Whole(last_seen, ())
        return None if whole is None else self._catalogue.reading(whole)

    async def orders(self, raws: Iterable[Raw]) -> list[Reading]:
        """The orders of a list that are not older than `start.orders`, with their invoices."""
        return await self._orders.listed(raws)


def customer_of(raw: Raw, *, deleted: bool = False) -> Reading:
    """The reading of a customer; whatever is raised names it."""
    with about(f"customer {id_of(raw)}"):
        return customer_canonical.customer(raw, deleted=deleted)


def _entity(event: Event) -> str:
    return "product" if event.subject in ("item", "item_price") else event.subject


def _record_of(event: Event) -> str:
    """The id of the record that the event's entity is published under."""
    return str(event.record["item_id" if event.subject == "item_price" else "id"])
