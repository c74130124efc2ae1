"""Sales orders as the sink meets them. Go has no filter for their reference, so the references are listed."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from datetime import time as clock_time
from typing import Any
from zoneinfo import ZoneInfo

from contracts.entities import Entity, EntityName, Line, Order
from contracts.messages import Command
from contracts.settings import Tenant
from runtime.vendor import NotFound, Refused, Retriable
from services.poweroffice_adapter import mapping, mapping_orders
from services.poweroffice_adapter.client import MAX_PAGE_SIZE, Forbidden, PowerOfficeClient
from services.poweroffice_adapter.mapping_writes import Path, Unwritable, value_at
from services.poweroffice_adapter.observations import Observations
from services.poweroffice_adapter.order_lines import LineChange, changes
from services.poweroffice_adapter.order_reader import OrderReader, Whole
from services.poweroffice_adapter.records import CHANGED, REFERENCE, Held, products_with_code

_LISTED = {
    "/SalesOrders": (CHANGED, "LastChangedDateTimeOffset"),
    "/OutgoingInvoices": ("sentDateTimeOffsetGreaterThan", "SentDateTimeOffset"),
}


class References:
    """Ids of sales orders and sent invoices by reference, brought up to date before each look.

    The first look lists all, later ones what changed since the greatest server time seen, less the overlap.
    """

    def __init__(self, client: PowerOfficeClient, tenant: Tenant) -> None:
        self._client, self._overlap_s = client, tenant.poweroffice.overlap_s
        self._newest = {path: mapping.NEVER for path in _LISTED}
        if (start := tenant.start.orders) is not None:
            begins = datetime.combine(start, clock_time(), ZoneInfo(tenant.zone)).astimezone(UTC)
            begins -= timedelta(seconds=1)
            self._newest["/OutgoingInvoices"] = f"{begins:%Y-%m-%dT%H:%M:%S}.0000000Z"
        self._ids: dict[str, str] = {}
        self._lock = asyncio.Lock()

    async def find(self, reference: str, priority: int) -> str | None:
        """The id of the order with this reference. Raises Refused without the privilege to read invoices."""
        async with self._lock:
            for path in _LISTED:
                await self._refresh(path, priority)
        return self._ids.get(reference)

    def forget(self, reference: str) -> None:
        """The order is gone, or carries another reference now."""
        self._ids.pop(reference, None)

    async def _refresh(self, path: str, priority: int) -> None:
        by_time, time_property = _LISTED[path]
        params = {"Fields": f"Id,ExternalImportReference,{time_property}"}
        if self._newest[path] != mapping.NEVER:
            params[by_time] = mapping.earlier(self._newest[path], self._overlap_s)
        newest = self._newest[path]
        pages = self._client.pages(path, start=lambda: 0, priority=priority, params=params, size=MAX_PAGE_SIZE)
        try:
            async for _, rows in pages:
                for row in rows:
                    newest = max(newest, mapping.timestamp(value_at(row, (time_property,))))
                    reference, id = value_at(row, REFERENCE), value_at(row, ("Id",))
                    if reference and id is not None:
                        self._ids[str(reference)] = str(id)
        except Forbidden as error:
            message = f"whether the order was created and sent already cannot be told: {error}"
            raise Refused("missing_privilege", message) from error
        self._newest[path] = newest


class OrderRecords:
    """Sales orders; header and lines can be changed while it is a draft."""

    entity: EntityName = "order"
    stampable = True
    optional = frozenset({"delivery_date", "purchase_order"})

    def __init__(
        self,
        client: PowerOfficeClient,
        tenant: Tenant,
        observations: Observations,
        currencies: dict[str, str],
    ) -> None:
        self._client, self._tenant, self._observations = client, tenant, observations
        self._reader = OrderReader(tenant, client, observations, currencies)
        self._references = References(client, tenant)
        self._fallback_product_id: str | None = None

    async def get(self, id: str, priority: int) -> Held:
        if (whole := await self._reader.order(id, priority)) is None:
            try:
                whole = await self._reader.invoice(id, priority)
            except Forbidden as error:
                raise NotFound("not_found", f"sales order {id} has left, sent or deleted: {error}") from error
        if whole is None:
            raise NotFound("not_found", f"sales order {id} does not exist in PowerOffice Go", status=404)
        return Held(whole.raw, whole.reading)

    async def patch(self, held: Held, operations: Sequence[Mapping[str, Any]], priority: int) -> Held:
        """The answer is a header; lines cannot have been changed by it and are those just read."""
        path = f"/SalesOrders/{held.reading.id}"
        header = await self._client.patch(path, operations, priority=priority)
        if value_at(header, ("Id",)) is None:
            raise Retriable("PowerOffice Go answered without the order", maybe_applied=True)
        lines = value_at(held.raw, ("SalesOrderLines",))
        return self._held(await self._reader.whole({**header, "SalesOrderLines": lines}, 0, priority))

    async def delete(self, id: str, priority: int) -> None:
        """Remove an order with its lines. Raises NotFound; Go refuses what is not a draft."""
        await self._client.delete(f"/SalesOrders/{id}", priority=priority)

    async def line_bodies(self, wanted: Sequence[Line], priority: int) -> list[dict[str, Any]]:
        """The lines as Go would be sent them; may ask for the fallback product. Raises Unwritable."""
        fallback = await self._fallback(priority) if any(line.product_id is None for line in wanted) else None
        return mapping_orders.new_lines(wanted, fallback)

    def line_changes(self, held: Held, bodies: Sequence[Mapping[str, Any]]) -> list[LineChange]:
        """What makes the lines of an order those wanted."""
        return changes(value_at(held.raw, ("SalesOrderLines",)) or (), bodies)

    async def change_line(self, id: str, change: LineChange, priority: int) -> None:
        """Carry out one change of a line; one that is done already is none."""
        path = f"/SalesOrders/{id}/Lines"
        if change.line_id is None:
            await self._client.post(path, change.values, priority=priority)
        elif not change.values:
            await self._client.delete(f"{path}/{change.line_id}", priority=priority)
        else:
            operations = [{"op": "replace", "path": f"/{name}", "value": v} for name, v in change.values.items()]
            await self._client.patch(f"{path}/{change.line_id}", operations, priority=priority)

    def _held(self, whole: Whole) -> Held:
        return Held(whole.raw, whole.reading)

    async def find(self, command: Command, fields: Mapping[str, Any], priority: int) -> Held | None:
        if not command.stamp:
            return None
        id = await self._references.find(command.stamp, priority)
        if id is None:
            return None
        try:
            held = await self.get(id, priority)
        except NotFound:
            held = None
        if held is not None and held.reading.stamp == command.stamp:
            return held
        self._references.forget(command.stamp)
        return None

    async def alike(self, command: Command, fields: Mapping[str, Any], since: str, priority: int) -> list[Held]:
        """None: orders have no mark but their stamp."""
        return []

    async def body(self, command: Command, fields: Mapping[str, Any], priority: int) -> dict[str, Any]:
        fallback = None
        if mapping_orders.needs_fallback(fields):
            fallback = await self._fallback(priority)
        return mapping_orders.new_order(
            fields,
            command.stamp,
            invoiced_elsewhere=self._tenant.invoicing.by == "chargebee",
            fallback_product_id=fallback,
        )

    async def _fallback(self, priority: int) -> str | None:
        """Id of the product for lines without one; asked for once."""
        code = self._tenant.order.fallback_product
        if code is None or self._fallback_product_id is not None:
            return self._fallback_product_id
        exact = await products_with_code(self._client, code, priority)
        if len(exact) != 1:
            message = f"{len(exact)} Go products have the code {code}; order.fallback_product needs one"
            raise Unwritable("missing", message, field="lines")
        self._fallback_product_id = str(value_at(exact[0], ("Id",)))
        return self._fallback_product_id

    async def post(self, body: Mapping[str, Any], priority: int) -> Held:
        raw = await self._client.post("/SalesOrders/Complete", body, priority=priority)
        id = value_at(raw, ("Id",))
        if id is None:
            raise Retriable("PowerOffice Go answered without the order", maybe_applied=True)
        if value_at(raw, ("SalesOrderLines",)) is None:
            return await self.get(str(id), priority)
        return self._held(await self._reader.whole(raw, 0, priority))

    def unfit(self, fields: Mapping[str, Any], present: Entity | None) -> dict[str, str]:
        return {}

    def wanted(self, fields: Mapping[str, Any], present: Entity) -> dict[str, Any]:
        confirmed = {"status": "confirmed"} if fields.get("status") == "confirmed" else {}
        return mapping_orders.wanted_header(fields) | confirmed

    def properties(self, changes: Mapping[str, Any], held: Held) -> dict[Path, Any]:
        assert isinstance(held.reading.content, Order)
        if held.reading.content.status == "confirmed":
            message = "the order is Confirmed and so locked; set it back to Draft in PowerOffice Go"
            raise Unwritable("locked", message, field=next(iter(changes)))
        header = {name: value for name, value in changes.items() if name != "status"}
        confirmed: dict[Path, Any] = {("SalesOrderStatus",): "Confirmed"} if "status" in changes else {}
        return mapping_orders.order_properties(header) | confirmed
