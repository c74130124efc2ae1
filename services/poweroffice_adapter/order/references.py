"""Which orders of Go carry which reference. Go has no filter for it, so the references are
listed."""

import asyncio
from datetime import UTC, datetime, timedelta
from datetime import time as clock_time
from zoneinfo import ZoneInfo

from contracts.settings import Tenant
from runtime.vendor import Refused
from services.poweroffice_adapter import mapping
from services.poweroffice_adapter.client import CHANGED, MAX_PAGE_SIZE, Forbidden, PowerOfficeClient
from services.poweroffice_adapter.mapping import value_at
from services.poweroffice_adapter.records import REFERENCE

_LISTED = {
    "/SalesOrders": (CHANGED, "LastChangedDateTimeOffset"),
    "/OutgoingInvoices": ("sentDateTimeOffsetGreaterThan", "SentDateTimeOffset"),
}


class References:
    """Ids of sales orders and sent invoices by reference, brought up to date before each look.

    The first look lists all, later ones what changed since the greatest server time seen, less the
    overlap.
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
        """The id of the order with this reference. Raises Refused without the privilege to read
        invoices."""
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
        pages = self._client.pages(
            path, start=lambda: 0, priority=priority, params=params, size=MAX_PAGE_SIZE
        )
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
