"""Orders with their invoices. Payments, voids and credit notes move only the invoice, so its orders
are read again.

An event carries one of the two as it was then. What is older by its version may have moved since,
so it is never taken from an event beside something newer: it is read by its id, which unlike a list
does not lag. What the event told is published before that where a write of ours may have covered
it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from contracts.settings import Tenant
from runtime.dead_letters import about
from services.chargebee_adapter.addresses import Resource, unaddressable
from services.chargebee_adapter.authors import Authors
from services.chargebee_adapter.client import ChargebeeClient, Raw, any_of
from services.chargebee_adapter.events import Event
from services.chargebee_adapter.mapping import Reading, as_of, id_of, milliseconds
from services.chargebee_adapter.order import canonical
from services.chargebee_adapter.order.canonical import price_ids
from services.chargebee_adapter.product.catalogue import Catalogue

INVOICES_AT_ONCE = 50  # ids in one filter, so that the address stays below 8 kB


class Pair(NamedTuple):
    """An order with its invoice. `is_past` where the order is what an event told and something
    newer stands."""

    order: Raw
    invoice: Raw | None
    is_deletion: bool = False
    is_past: bool = False


@dataclass
class Batch:
    """What is known while one batch of events is read. `fresh` are records read by their ids, None
    where there is none; `invoices` the newest known of each id, of which `carried` stood in an
    event."""

    fresh: dict[tuple[Resource, str], Raw | None] = field(default_factory=dict)
    invoices: dict[str, Raw] = field(default_factory=dict)
    carried: set[str] = field(default_factory=set)

    def keep(self, invoice: Raw, *, is_carried: bool = False) -> None:
        """Take an invoice unless a newer one is known; that one was deleted is taken back by a
        newer one only."""
        name, held = id_of(invoice), self.invoices.get(id_of(invoice))
        if held is None or milliseconds(held) + bool(held.get("deleted")) <= milliseconds(invoice):
            self.invoices[name] = invoice
            (self.carried.add if is_carried else self.carried.discard)(name)


class Listing(NamedTuple):
    """Where all sales are listed: by which `order.source`, the kind of record, its path, what a
    first listing is sorted by, and the filters of every listing."""

    source: str
    kind: str
    path: str
    first_sort: str
    query: dict[str, str]


class OrderReader:
    """Reads the orders of one tenant. Its calls raise as the client's do. `is_known(id)` says
    whether an order has been published, and not as deleted: such a one stays in scope, whatever
    becomes of its date."""

    def __init__(
        self,
        settings: Tenant,
        client: ChargebeeClient,
        catalogue: Catalogue,
        authors: Authors,
        is_known: Callable[[str], bool],
    ) -> None:
        self._client, self._catalogue, self._authors = client, catalogue, authors
        self._is_known = is_known
        self._zone = ZoneInfo(settings.zone)
        self._since: date | None = settings.start.orders
        self._carries_round_off = settings.order.round_off_product is not None

    @property
    def reads(self) -> bool:
        """Whether orders are read at all."""
        return self._since is not None

    @property
    def listing(self) -> Listing:
        """Where orders are listed."""
        return Listing("orders", "order", "/orders", "created_at", {})

    async def listed(self, raws: Iterable[Raw]) -> list[Reading]:
        """The orders of a list that are not older than `start.orders` or known, with their
        invoices."""
        chosen = [raw for raw in raws if self._in_scope(raw)]
        invoices = await self._invoices({_invoice_of(raw) for raw in chosen} - {""})
        return await self._readings([Pair(raw, invoices.get(_invoice_of(raw))) for raw in chosen])

    async def of_events(self, events: Sequence[Event]) -> list[Reading]:
        """The orders that events are about, and once those of the invoices that events are about;
        before an order that was read, what a write of ours may have covered of it."""
        if not self.reads:
            return []
        batch = Batch()
        carried = [
            event for event in events if event.subject == "order" and self._in_scope(event.record)
        ]
        touched = await self._touched(batch, events)
        there = {id_of(event.record) for event in carried}
        further = [raw for raw in await self._linked(batch, touched, there) if self._in_scope(raw)]
        for raw in (*(event.record for event in carried), *further):
            if (name := _invoice_of(raw)) and name not in batch.invoices:
                invoice = await self._fresh(batch, "invoice", "invoices", name)
                if invoice is not None:
                    batch.keep(invoice)
        pairs = []
        for event in carried:
            pair = await self._pair(batch, event.record, event.is_deletion)
            pairs += [*self._covered(event, pair), pair]
        pairs += [await self._pair(batch, raw, False) for raw in further]
        found: dict[tuple[str, str], Reading] = {}
        for reading in await self._readings(pairs):
            # Two events come to one reading where the order was read again for both.
            found.setdefault((reading.id, reading.version), reading)
        return list(found.values())

    async def _touched(self, batch: Batch, events: Sequence[Event]) -> list[str]:
        """The ids of the invoices that events are about. What an event carries whole is not
        read."""
        for event in events:
            if event.subject == "invoice":
                gone = {"deleted": True} if event.is_deletion else {}
                batch.keep({**event.record, **gone}, is_carried=True)
        named = [
            str(event.record["reference_invoice_id"])
            for event in events
            if event.subject == "credit_note"
        ]
        for invoice_id in dict.fromkeys(named):
            if (invoice := await self._fresh(batch, "invoice", "invoices", invoice_id)) is not None:
                batch.keep(invoice)
        return list(batch.invoices)

    async def _linked(self, batch: Batch, touched: Iterable[str], there: set[str]) -> list[Raw]:
        """The orders that these invoices name, but for those that are there already."""
        linked = [
            each for name in touched for each in entries(batch.invoices[name], "linked_orders")
        ]
        wanted = dict.fromkeys(id_of(each) for each in linked)
        read = [
            await self._fresh(batch, "order", "orders", each)
            for each in wanted
            if each and each not in there
        ]
        return [raw for raw in read if raw is not None]

    def _covered(self, event: Event, pair: Pair) -> Iterator[Pair]:
        """The order that an event carries, where it was read anew and is newer now, and a write of
        ours may have made it so."""
        is_past = milliseconds(event.record) < milliseconds(pair.order) and not event.is_deletion
        if is_past and self._authors.may_have_covered(event):
            yield Pair(event.record, pair.invoice, is_past=True)

    async def _pair(self, batch: Batch, raw: Raw, is_deletion: bool) -> Pair:
        """An order with its invoice. Whichever is older and stood in an event is as it stands
        now."""
        invoice = batch.invoices.get(_invoice_of(raw))
        if invoice is None:
            return Pair(raw, None, is_deletion)
        if milliseconds(raw) < milliseconds(invoice):
            now = await self._fresh(batch, "order", "orders", id_of(raw))
            raw = raw if now is None or milliseconds(now) < milliseconds(raw) else now
        if milliseconds(invoice) < milliseconds(raw) and id_of(invoice) in batch.carried:
            now = await self._fresh(batch, "invoice", "invoices", id_of(invoice))
            if now is not None:
                batch.keep(now)
        return Pair(raw, batch.invoices[_invoice_of(raw)], is_deletion)

    async def _fresh(
        self, batch: Batch, kind: str, resource: Resource, record_id: str
    ) -> Raw | None:
        """The record as it stands now, asked for once per batch; None where there is none."""
        if (resource, record_id) not in batch.fresh:
            can_be_asked = unaddressable(resource, record_id) is None
            batch.fresh[resource, record_id] = (
                await self._client.find(kind, resource, record_id) if can_be_asked else None
            )
        return batch.fresh[resource, record_id]

    async def _readings(self, pairs: Sequence[Pair]) -> list[Reading]:
        wanted = [price_id for pair in pairs for price_id in price_ids(pair.order)]
        items = await self._catalogue.items_by_price(self._client, wanted)
        readings = []
        for pair in pairs:
            with about(f"order {id_of(pair.order)}"):
                reading = self._reading(pair, items)
                readings.append(as_of(reading, pair.order) if pair.is_past else reading)
        return readings

    def _reading(self, pair: Pair, items: Mapping[str, str]) -> Reading:
        return canonical.order(
            pair.order,
            items_by_price=items,
            po_number=po_number(pair.invoice),
            zone=self._zone,
            deleted=pair.is_deletion,
            invoice=pair.invoice,
            carries_round_off=self._carries_round_off,
        )

    def _in_scope(self, raw: Raw) -> bool:
        return self._is_recent(canonical.ordered_on(raw, self._zone), id_of(raw))

    def _is_recent(self, day: date | None, order_id: str) -> bool:
        if self._since is None:
            return False
        return day is None or day >= self._since or self._is_known(order_id)

    async def _invoices(self, invoice_ids: set[str]) -> dict[str, Raw]:
        if len(invoice_ids) == 1 and unaddressable("invoices", min(invoice_ids)) is None:
            # A single invoice is read by its id, since lists lag.
            invoice = await self._client.find("invoice", "invoices", *invoice_ids)
            return {} if invoice is None else {id_of(invoice): invoice}
        ids, found = sorted(invoice_ids), {}
        for start in range(0, len(ids), INVOICES_AT_ONCE):
            query = {
                "id[in]": any_of(ids[start : start + INVOICES_AT_ONCE]),
                "include_deleted": "true",
            }
            for raw in await self._client.all("invoice", "/invoices", query):
                found[id_of(raw)] = raw
        return found


def po_number(invoice: Raw | None) -> str | None:
    """The purchase order's number of an invoice."""
    number = (invoice or {}).get("po_number")
    return None if number is None else str(number)


def _invoice_of(raw: Raw) -> str:
    return str(raw.get("invoice_id") or "")


def entries(raw: Raw, name: str) -> list[dict[str, Any]]:
    """A list of tables in a record, empty where there is none."""
    held = raw.get(name)
    return [each for each in held if isinstance(each, dict)] if isinstance(held, list) else []
