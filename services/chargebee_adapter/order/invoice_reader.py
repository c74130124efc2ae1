"""Readings of a tenant whose invoices are the sales: orders are made of invoices, and of nothing
else."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from contracts.vendors import invoice_order_id
from runtime.dead_letters import about
from services.chargebee_adapter.client import Raw
from services.chargebee_adapter.events import Event
from services.chargebee_adapter.mapping import Reading, id_of
from services.chargebee_adapter.order import invoices
from services.chargebee_adapter.order.invoices import invoiced_on, is_sale
from services.chargebee_adapter.order.reader import Batch, Listing, OrderReader

DAY_S = 86_400


class InvoiceReader(OrderReader):
    """As OrderReader, with invoices in place of orders; Chargebee's orders are not read."""

    @property
    def listing(self) -> Listing:
        """Invoices from the day before `start.orders` on; whether a bound is strict is not
        documented."""
        query: dict[str, str] = {}
        if self._since is not None:
            from_s = (
                int(datetime.combine(self._since, datetime.min.time(), self._zone).timestamp())
                - DAY_S
            )
            query["date[after]"] = str(from_s)
        return Listing("invoices", "invoice", "/invoices", "date", query)

    async def listed(self, raws: Iterable[Raw]) -> list[Reading]:
        """The invoices of a list that are final and not older than `start.orders`."""
        chosen = [raw for raw in raws if is_sale(raw) and self._in_scope(raw)]
        wanted = [price_id for raw in chosen for price_id in invoices.price_ids(raw)]
        items = await self._catalogue.items_by_price(self._client, wanted)
        readings = []
        for raw in chosen:
            with about(f"invoice {id_of(raw)}"):
                reading = invoices.order(
                    raw,
                    items_by_price=items,
                    zone=self._zone,
                    carries_round_off=self._carries_round_off,
                )
            readings.append(reading)
        return readings

    async def of_events(self, events: Sequence[Event]) -> list[Reading]:
        """The invoices that events are about, each once: as carried, and read anew where a credit
        note names one."""
        if not self.reads:
            return []
        batch = Batch()
        await self._touched(batch, events)
        return await self.listed(batch.invoices.values())

    def _in_scope(self, raw: Raw) -> bool:
        return self._is_recent(invoiced_on(raw, self._zone), invoice_order_id(id_of(raw)))
