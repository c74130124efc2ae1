"""Commands for orders that are invoices in Chargebee: the import of Go-born ones; nothing of them
changes later."""

from contracts import entities
from contracts.messages import Command, Problem
from contracts.said import say
from contracts.vendors import invoice_id_of
from runtime.vendor import NotFound
from services.chargebee_adapter.addresses import unaddressable
from services.chargebee_adapter.client import ChargebeeClient, Raw
from services.chargebee_adapter.guard import present, required, typed
from services.chargebee_adapter.mapping import Reading, id_of
from services.chargebee_adapter.order import invoices
from services.chargebee_adapter.order.reader import entries
from services.chargebee_adapter.order.sink import Orders, to_import
from services.chargebee_adapter.outcomes import Written

NOT_WRITTEN = Problem.of("final", say("invoice_final"))


class Sales(Orders):
    """Writes the orders of one site, whatever `order.source` counts as one. An id of the other
    source is met where the source was changed: such a record is read as what it is."""

    async def create(self, api: ChargebeeClient, command: Command) -> Written:
        """Import the invoice; under `order.source = orders` its order is made, or found, as
        well."""
        if self._settings.order.source == "orders":
            return await super().create(api, command)
        own_id, order, skipped = to_import(command)
        if (
            command.look_first
            and (raw := await api.find("invoice", "invoices", own_id)) is not None
        ):
            await self._hold_generated(api, raw, order)
            return await self._adopted(api, raw)
        raw, made = await self._imported(api, own_id, order, self._import())
        await self._hold_generated(api, raw, order)
        if not made:
            return await self._adopted(api, raw)
        return Written("applied", await self._invoice_reading(api, raw), skipped=skipped)

    async def update(self, api: ChargebeeClient, command: Command) -> Written:
        """An order as ever; of an invoice nothing is written, and the outcome says so of every
        field that differs."""
        if (raw := await self._invoice_of(api, required(command, "target_id"))) is None:
            return await super().update(api, command)
        reading, wanted = await self._invoice_reading(api, raw), typed(command, command.fields)
        current = present(reading)
        other = [name for name, value in wanted.items() if getattr(current, name) != value]
        return Written("applied", reading, skipped=dict.fromkeys(other, NOT_WRITTEN))

    async def verify(self, api: ChargebeeClient, command: Command) -> Written:
        """Read the order, or the invoice."""
        if (raw := await self._invoice_of(api, required(command, "target_id"))) is None:
            return await super().verify(api, command)
        return Written("applied", await self._invoice_reading(api, raw))

    async def _hold_generated(
        self, api: ChargebeeClient, invoice: Raw, order: entities.Order
    ) -> None:
        """Orders are not read, but a warehouse ships what is queued, and Go has sold it: those that
        Chargebee generated for our import at once, which the invoice names, are put on
        `order.import.order_status`."""
        for raw in entries(invoice, "linked_orders"):
            if id_of(raw) and unaddressable("orders", id_of(raw)) is None:
                await self._settled(api, raw, order, holds=True)

    async def _adopted(self, api: ChargebeeClient, raw: Raw) -> Written:
        reading = await self._invoice_reading(api, raw)
        present(reading)
        return Written("adopted", reading)

    async def _invoice_of(self, api: ChargebeeClient, order_id: str) -> Raw | None:
        """The invoice behind an id, None for that of an order. Raises NotFound."""
        if (invoice_id := invoice_id_of(order_id)) is None:
            return None
        if (
            self._settings.order.source == "orders"
            and await api.find("order", "orders", order_id) is not None
        ):
            return None  # somebody imported an order under such an id
        raw = await api.find("invoice", "invoices", invoice_id)
        if raw is None:
            raise NotFound(
                "resource_not_found",
                f"invoice {invoice_id} is not in Chargebee any more",
                status=404,
            )
        return raw

    async def _invoice_reading(self, api: ChargebeeClient, raw: Raw) -> Reading:
        items = await self._catalogue.items_by_price(api, invoices.price_ids(raw))
        carries = self._settings.order.round_off_product is not None
        return invoices.order(raw, items_by_price=items, zone=self._zone, carries_round_off=carries)
