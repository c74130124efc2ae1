"""From vendor records to canonical readings, with the further reads that products and orders need."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

import structlog

from contracts.settings import Tenant
from runtime.dead_letters import about
from runtime.vendor import Refused
from services.chargebee_adapter import mapping, mapping_orders
from services.chargebee_adapter.addresses import Resource, unaddressable
from services.chargebee_adapter.authors import Authors
from services.chargebee_adapter.catalogue import Catalogue, Whole
from services.chargebee_adapter.client import ChargebeeClient, Raw, any_of
from services.chargebee_adapter.events import Event
from services.chargebee_adapter.mapping import Reading, id_of, milliseconds, version_of
from services.chargebee_adapter.mapping_orders import price_ids
from services.chargebee_adapter.mapping_products import Pricing

log = structlog.get_logger()
MAX_AHEAD_MS = 60_000
INVOICES_AT_ONCE = 50  # ids in one filter, so that the address stays below 8 kB


def pricing_of(settings: Tenant) -> Pricing:
    """How the tenant's prices are read."""
    return Pricing(settings.ledger_currency, settings.chargebee.prices == "gross", settings.product.vat_rate)


class Reader:
    """Readings of one tenant. Its calls raise as the client's do. `clock` gives aware UTC."""

    def __init__(
        self, settings: Tenant, client: ChargebeeClient, catalogue: Catalogue, authors: Authors,
        clock: Callable[[], datetime],
    ) -> None:  # fmt: skip
        self._client, self._catalogue, self._authors, self._clock = client, catalogue, authors, clock
        self._zone = ZoneInfo(settings.zone)
        self._orders_since: date | None = settings.start.orders

    @property
    def reads_orders(self) -> bool:
        """Whether orders are read at all."""
        return self._orders_since is not None

    async def of_events(self, events: Sequence[Event]) -> list[Reading]:
        """What the events are about: customers and orders as they carry them, products read whole and once. Each says
        who made it where it is of the very version that an event carries."""
        events = [event for each in events if (event := await self._believed(each)) is not None]
        for event in events:
            self._authors.note_event(event)
            if event.subject == "item_price":
                self._catalogue.note_fresh(event.record)
        customers = [event for event in events if event.subject == "customer"]
        readings = [customer_of(event.record, deleted=event.is_deletion) for event in customers]
        for is_deletion in (False, True):
            raws = [e.record for e in events if e.subject == "order" and e.is_deletion is is_deletion]
            readings += await self.orders(raws, deleted=is_deletion)
        last_seen = {event.record["id"]: event.record for event in events if event.subject == "item"}
        item_ids = dict.fromkeys(_record_of(event) for event in events if event.subject in ("item", "item_price"))
        for item_id in item_ids:
            if (reading := await self.product(item_id, last_seen.get(item_id))) is not None:
                readings.append(reading)
        makers = {(_entity(event), _record_of(event), version_of(event.record)): event for event in events}
        return [self._with_author(reading, makers) for reading in readings]

    async def _believed(self, event: Event) -> Event | None:
        """The event; one whose version lies beyond the clock with what the API holds instead, or None if nothing.

        Such a version would hide every later change of its record.
        """
        latest_ms = int(self._clock().timestamp() * 1000) + MAX_AHEAD_MS
        if max(milliseconds(event.record), milliseconds({"updated_at": event.record.get("updated_at")})) <= latest_ms:
            return event
        record_id = id_of(event.record)
        resource: Resource = f"{event.subject}s"  # type: ignore[assignment]
        try:
            held = await self._client.find(event.subject, resource, record_id)
        except Refused as error:
            log.warning("event.beyond_the_clock", event_id=event.id, subject=event.subject, reason=error.message)
            return None
        words = "its version is more than a minute ahead; what Chargebee holds is taken instead"
        if held is None:
            words = "its version is more than a minute ahead, and Chargebee holds no such record; nothing is taken"
        log.warning("event.beyond_the_clock", event_id=event.id, subject=event.subject, reason=words)
        if held is None:
            return None
        owner = {"item_id": event.record["item_id"]} if event.subject == "item_price" else {}
        taken = replace(event, record={**owner, **held}, is_deletion=False)
        same = milliseconds(held) == milliseconds(event.record)
        return taken if same else replace(taken, source="", user="")

    def _with_author(self, reading: Reading, makers: Mapping[tuple[str, str, str], Event]) -> Reading:
        # The greatest part of a product's version is the version of its item or of one of its prices.
        event = makers.get((reading.entity_name, reading.id, reading.version.partition(".")[0]))
        return reading if event is None else replace(reading, made_by=self._authors.of(event))

    async def product(self, item_id: str, last_seen: Raw | None = None) -> Reading | None:
        """A product read whole. An item that is gone is a deletion if it was seen as one, else nothing is known. An
        item that cannot be asked for is a problem in words."""
        if unaddressable("items", item_id) is not None:
            return self._catalogue.reading(self._catalogue.merged(last_seen or {"id": item_id}, ()))
        whole = await self._catalogue.whole(self._client, item_id)
        if whole is None and last_seen is not None and last_seen.get("status") == "deleted":
            whole = Whole(last_seen, ())
        return None if whole is None else self._catalogue.reading(whole)

    async def orders(self, raws: Iterable[Raw], *, deleted: bool = False) -> list[Reading]:
        """The orders that are not older than `start.orders`, with their invoices' references."""
        chosen = [raw for raw in raws if self._in_scope(raw)]
        if not chosen:
            return []
        invoices = await self._invoices({str(raw["invoice_id"]) for raw in chosen if raw.get("invoice_id")})
        wanted = [price_id for raw in chosen for price_id in price_ids(raw)]
        items = await self._catalogue.items_by_price(self._client, wanted)
        readings = []
        for raw in chosen:
            number = invoices.get(str(raw.get("invoice_id")), {}).get("po_number")
            with about(f"order {id_of(raw)}"):
                reading = mapping_orders.order(
                    raw, items_by_price=items, po_number=None if number is None else str(number), zone=self._zone,
                    deleted=deleted,
                )  # fmt: skip
            readings.append(reading)
        return readings

    def _in_scope(self, raw: Raw) -> bool:
        day = mapping_orders.ordered_on(raw, self._zone)
        return self._orders_since is not None and (day is None or day >= self._orders_since)

    async def _invoices(self, invoice_ids: set[str]) -> dict[str, Raw]:
        if len(invoice_ids) == 1 and unaddressable("invoices", min(invoice_ids)) is None:
            # A single invoice is read by its id, since lists lag.
            invoice = await self._client.find("invoice", "invoices", *invoice_ids)
            return {} if invoice is None else {id_of(invoice): invoice}
        ids, found = sorted(invoice_ids), {}
        for start in range(0, len(ids), INVOICES_AT_ONCE):
            query = {"id[in]": any_of(ids[start : start + INVOICES_AT_ONCE]), "include_deleted": "true"}
            for raw in await self._client.all("invoice", "/invoices", query):
                found[id_of(raw)] = raw
        return found


def customer_of(raw: Raw, *, deleted: bool = False) -> Reading:
    """The reading of a customer; whatever is raised names it."""
    with about(f"customer {id_of(raw)}"):
        return mapping.customer(raw, deleted=deleted)


def _entity(event: Event) -> str:
    return "product" if event.subject in ("item", "item_price") else event.subject


def _record_of(event: Event) -> str:
    """The id of the record that the event's entity is published under."""
    return str(event.record["item_id" if event.subject == "item_price" else "id"])
