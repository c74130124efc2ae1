"""From vendor records to canonical readings, with the further reads that products and orders need."""

from collections.abc import Iterable, Sequence
from datetime import date
from zoneinfo import ZoneInfo

from contracts.settings import Tenant
from services.chargebee_adapter import mapping, mapping_orders
from services.chargebee_adapter.addresses import unaddressable
from services.chargebee_adapter.catalogue import Catalogue, Whole
from services.chargebee_adapter.client import ChargebeeClient, Raw, any_of
from services.chargebee_adapter.events import Event
from services.chargebee_adapter.mapping import Reading, id_of
from services.chargebee_adapter.mapping_orders import price_ids
from services.chargebee_adapter.mapping_products import Pricing

INVOICES_AT_ONCE = 50  # ids in one filter, so that the address stays below 8 kB


def pricing_of(settings: Tenant) -> Pricing:
    """How the tenant's prices are read."""
    return Pricing(settings.ledger_currency, settings.chargebee.prices == "gross", settings.product.vat_rate)


class Reader:
    """Readings of one tenant. Its calls raise as the client's do."""

    def __init__(self, settings: Tenant, client: ChargebeeClient, catalogue: Catalogue) -> None:
        self._client, self._catalogue = client, catalogue
        self._zone = ZoneInfo(settings.zone)
        self._orders_since: date | None = settings.start.orders

    @property
    def reads_orders(self) -> bool:
        """Whether orders are read at all."""
        return self._orders_since is not None

    async def of_events(self, events: Sequence[Event]) -> list[Reading]:
        """What the events are about: customers and orders as they carry them, products read whole and once."""
        for event in events:
            if event.subject == "item_price":
                self._catalogue.note_fresh(event.record)
        readings = [mapping.customer(event.record, deleted=event.is_deletion)
                    for event in events if event.subject == "customer"]  # fmt: skip
        for is_deletion in (False, True):
            raws = [e.record for e in events if e.subject == "order" and e.is_deletion is is_deletion]
            readings += await self.orders(raws, deleted=is_deletion)
        last_seen = {event.record["id"]: event.record for event in events if event.subject == "item"}
        item_ids = dict.fromkeys(
            event.record["id" if event.subject == "item" else "item_id"]
            for event in events if event.subject in ("item", "item_price")
        )  # fmt: skip
        for item_id in item_ids:
            if (reading := await self.product(item_id, last_seen.get(item_id))) is not None:
                readings.append(reading)
        return readings

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
            readings.append(
                mapping_orders.order(
                    raw, items_by_price=items, po_number=None if number is None else str(number), zone=self._zone,
                    deleted=deleted,
                )
            )  # fmt: skip
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
