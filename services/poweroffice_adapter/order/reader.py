"""One order read whole: a sales order with its lines, or the outgoing invoice it became under the
same id."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from contracts.settings import Tenant
from contracts.values import text
from runtime.dead_letters import about
from runtime.vendor import NotFound, Retriable
from services.poweroffice_adapter.client import PowerOfficeClient, Row
from services.poweroffice_adapter.mapping import Reading, value_at
from services.poweroffice_adapter.observations import Observations
from services.poweroffice_adapter.order import canonical


@dataclass(frozen=True)
class Whole:
    """An order as Go sent it, as it is understood, and the number of its reading."""

    number: int
    raw: Row
    reading: Reading

    @property
    def numbered(self) -> tuple[int, Reading]:
        """What a feed takes."""
        return self.number, self.reading


class OrderReader:
    """Reads orders of one tenant. `currencies` are those of customers by id, filled as they are
    met."""

    def __init__(
        self,
        tenant: Tenant,
        client: PowerOfficeClient,
        observations: Observations,
        currencies: dict[str, str],
    ) -> None:
        self._ledger_currency, self._zone = tenant.ledger_currency, ZoneInfo(tenant.zone)
        self._client, self._observations, self._currencies = client, observations, currencies

    async def order(self, id: str, priority: int) -> Whole | None:
        """One sales order with its lines; None when Go does not have it (any more)."""
        number = self._observations.start()
        try:
            raw = await self._client.get(f"/SalesOrders/{id}/Complete", priority=priority)
        except NotFound:
            return None
        whole = await self.whole(raw, number, priority)
        if whole.reading.id != id:
            raise Retriable(
                f"GET /SalesOrders/{id}/Complete: the answer is another order, {whole.reading.id}"
            )
        return whole

    async def whole(self, raw: Any, number: int, priority: int) -> Whole:
        """A SalesOrderCompleteDto. Raises Retriable for an answer that is none; a write so answered
        may have got through."""
        if not isinstance(raw, Mapping) or value_at(raw, ("Id",)) is None:
            raise Retriable("PowerOffice Go sent a sales order without an Id", maybe_applied=True)
        currency = await self._currency(raw, priority)
        with about(f"sales order {value_at(raw, ('Id',))}"):
            reading = canonical.sales_order(raw, currency=currency)
        if reading is None:
            raise Retriable(
                "PowerOffice Go sent a sales order whose Id cannot be read", maybe_applied=True
            )
        return Whole(number, raw, reading)

    async def invoice(self, id: str, priority: int) -> Whole | None:
        """One outgoing invoice with its lines; None when Go does not have it. Raises Forbidden."""
        number = self._observations.start()
        try:
            raw = await self._client.get(f"/OutgoingInvoices/{id}", priority=priority)
        except NotFound:
            return None
        if not isinstance(raw, Mapping) or value_at(raw, ("Id",)) is None:
            raise Retriable(f"GET /OutgoingInvoices/{id}: an invoice without an Id")
        return await self.with_lines(raw, number, priority)

    async def with_lines(self, raw: Row, number: int, priority: int) -> Whole | None:
        """An OutgoingInvoiceDto with its lines, which stand under a path of their own; None without
        an Id."""
        if value_at(raw, ("Id",)) is None:
            return None
        lines: list[Row] = []
        path, params = f"/OutgoingInvoices/{value_at(raw, ('Id',))}/Lines", {"OrderBy": "SortOrder"}
        async for _, rows in self._client.pages(
            path, start=lambda: number, priority=priority, params=params
        ):
            lines += rows
        currency = await self._currency(raw, priority)
        with about(f"outgoing invoice {value_at(raw, ('Id',))}"):
            reading = canonical.outgoing_invoice(raw, lines, currency=currency, zone=self._zone)
        return Whole(number, raw, reading) if reading is not None else None

    async def _currency(self, raw: Row, priority: int) -> str:
        """What a null CurrencyCode stands for: the customer's currency, else that of the ledger."""
        customer_id = value_at(raw, ("CustomerId",))
        if value_at(raw, ("CurrencyCode",)) or customer_id is None:
            return self._ledger_currency
        key = str(customer_id)
        if key not in self._currencies:
            self._currencies[key] = await self._read_currency(key, priority)
        return self._currencies[key]

    async def _read_currency(self, customer_id: str, priority: int) -> str:
        try:
            row = await self._client.get(f"/Customers/{customer_id}", priority=priority)
        except NotFound:
            return self._ledger_currency
        code = value_at(row, ("CurrencyCode",))
        return (text(code) if isinstance(code, str) else None) or self._ledger_currency
