"""Reads sales orders and, under the same ids, the outgoing invoices they become.

A header list does not hold lines, so an order is read whole whenever the facts in its header differ from
those last seen. Orders before `start.orders` are left alone.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock_time
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import structlog

from contracts.messages import SnapshotCompleted
from contracts.settings import Tenant
from runtime.clock import iso
from runtime.vendor import BULK, READ
from services.poweroffice_adapter import mapping
from services.poweroffice_adapter.client import Forbidden, PowerOfficeClient, Row
from services.poweroffice_adapter.feed import SYSTEM, Feed, Numbered
from services.poweroffice_adapter.mapping_writes import value_at
from services.poweroffice_adapter.order_reader import OrderReader
from services.poweroffice_adapter.records import CHANGED

log = structlog.get_logger()
SENT = "sentDateTimeOffsetGreaterThan"
BATCH = 50  # orders read whole before they are published, so that a long snapshot shows progress
FACTS = "Id,LineCount,NetAmount,TotalAmount,LastChangedDateTimeOffset"
_NAMES = ("Number", "Code", "SalesOrderNo", "InvoiceNo", "ExternalImportReference")
INVOICE_FACTS = "Id,NetAmount,TotalAmount,Balance,SentDateTimeOffset"


@dataclass(frozen=True)
class Facts:
    """What a header says of the lines it does not hold."""

    changed_at: str
    line_count: int | None
    net: Decimal | None
    total: Decimal | None


@dataclass(frozen=True)
class InvoiceFacts:
    """What can change on an outgoing invoice."""

    net: Decimal | None
    total: Decimal | None
    paid: bool


def has_id(row: Row, entity: str, health: dict[str, Any]) -> bool:
    """Whether a row can be told apart at all; one that cannot is noted."""
    found = value_at(row, ("Id",)) is not None
    if not found:
        note_without_id(row, entity, health)
    return found


def note_without_id(row: Row, entity: str, health: dict[str, Any]) -> None:
    """Say what is not read, by what else names it."""
    names = ((name, value_at(row, (name,))) for name in _NAMES)
    named = ", ".join(f"{name} {value}" for name, value in names if value is not None) or "nothing else names it"
    health["notes"][entity] = f"Go sent a record without an Id, which is not read ({named})"
    log.warning("poweroffice.record_without_id", entity=entity, record=named)


def facts_of(row: Row) -> Facts:
    """The facts of a SalesOrderDto."""
    return Facts(
        mapping.timestamp(value_at(row, ("LastChangedDateTimeOffset",))), value_at(row, ("LineCount",)),
        value_at(row, ("NetAmount",)), value_at(row, ("TotalAmount",)),
    )  # fmt: skip


def invoice_facts_of(row: Row) -> InvoiceFacts:
    """The facts of an OutgoingInvoiceDto."""
    return InvoiceFacts(
        value_at(row, ("NetAmount",)), value_at(row, ("TotalAmount",)), value_at(row, ("Balance",)) == 0
    )


class OrderSource:
    """Sales orders and outgoing invoices of one tenant. `currencies` are those of customers, by id."""

    def __init__(
        self, name: str, tenant: Tenant, client: PowerOfficeClient, feed: Feed, currencies: dict[str, str],
        health: dict[str, Any], *, clock: Callable[[], datetime], new_id: Callable[[], str],
    ) -> None:  # fmt: skip
        self._name, self._tenant, self._client, self._feed = name, tenant, client, feed
        self._health, self._clock, self._new_id = health, clock, new_id
        self._zone = ZoneInfo(tenant.zone)
        self._observations = feed.observations
        self.reader = OrderReader(tenant, client, feed.observations, currencies)
        self.facts: dict[str, Facts] = {}
        self.facts_complete = False
        self.invoice_facts: dict[str, InvoiceFacts] = {}

    @property
    def start(self) -> date | None:
        """`start.orders`."""
        return self._tenant.start.orders

    def sent_from(self) -> str:
        """The moment `start.orders` begins in the tenant's zone, as a filter takes it."""
        assert self.start is not None
        begins = datetime.combine(self.start, clock_time(), self._zone).astimezone(UTC) - timedelta(seconds=1)
        return f"{begins:%Y-%m-%dT%H:%M:%S}.0000000Z"

    async def step(self) -> bool:
        """One snapshot or one poll of sales orders; True after activity."""
        if self.start is None:
            self._health["notes"]["order"] = "orders are not read: start.orders is not set"
            return False
        cursor = self._feed.publisher.cursor(self._name, SYSTEM, "order")
        if cursor is None:
            await self.snapshot()
            return True
        watermark = str(cursor.get("watermark") or mapping.NEVER)
        params = {}
        if watermark != mapping.NEVER:
            params[CHANGED] = mapping.earlier(watermark, self._tenant.poweroffice.overlap_s)
        published, newest, _ = await self._orders(params, READ)
        if newest > watermark:
            await self._save("order", {**cursor, "watermark": newest})
        return published > 0 or newest > watermark

    async def invoice_step(self) -> bool:
        """One poll of invoices sent since the last; nothing before the snapshot of orders is complete."""
        cursor = self._feed.publisher.cursor(self._name, SYSTEM, "invoice")
        if self.start is None or cursor is None:
            return False
        watermark = str(cursor["watermark"])
        since = max(mapping.earlier(watermark, self._tenant.poweroffice.overlap_s), self.sent_from())
        published, newest, _ = await self._invoices({SENT: since}, READ)
        if newest > watermark:
            await self._save("invoice", {"watermark": newest})
        return published > 0 or newest > watermark

    async def _save(self, entity: str, value: dict[str, Any]) -> None:
        await self._feed.publisher.save_cursor(self._name, SYSTEM, entity, value)

    async def snapshot(self) -> None:
        """Sales orders first: one that is sent meanwhile is then met again among the invoices, not missed."""
        snapshot, sent = self._new_id(), {SENT: self.sent_from()}
        # Without the privilege this fails before thousands of orders are read.
        await self._client.get("/OutgoingInvoices", priority=BULK, params={**sent, "PageSize": "1"})
        _, newest, ids = await self._orders({}, BULK, snapshot)
        _, newest_sent, sent_ids = await self._invoices(sent, BULK, snapshot)
        if not ids and not sent_ids:
            await self._feed.pause()
            _, newest, ids = await self._orders({}, BULK, snapshot)
            _, newest_sent, sent_ids = await self._invoices(sent, BULK, snapshot)
        self.facts_complete = True
        await self._feed.publisher.snapshot_completed(
            SnapshotCompleted(
                tenant=self._name, system=SYSTEM, entity="order", snapshot=snapshot,
                records=len(ids | sent_ids), completed_at=iso(self._clock()),
            )
        )  # fmt: skip
        await self._save("invoice", {"watermark": max(newest_sent, self.sent_from())})
        await self._save("order", {"snapshot": snapshot, "watermark": newest})

    async def _orders(
        self, params: dict[str, str], priority: int, snapshot: str | None = None
    ) -> tuple[int, str, set[str]]:
        """Publish listed orders: events sent, greatest time of change, ids in scope."""
        published, newest, ids = 0, mapping.NEVER, set[str]()
        pages = self._client.pages("/SalesOrders", start=self._observations.start, priority=priority, params=params)
        async for _, rows in pages:
            newest = max([newest, *(facts_of(row).changed_at for row in rows)])
            scope = [row for row in rows if self._in_scope(row, "SalesOrderDate")]
            ids |= {str(value_at(row, ("Id",))) for row in scope}
            published += await self.read_changed(scope, priority, snapshot)
        return published, newest, ids

    def _in_scope(self, row: Row, date_property: str) -> bool:
        """A null date means the day of sending, which is still to come; a known order stays in scope."""
        if not has_id(row, "order", self._health):
            return False
        day = mapping.local_date(value_at(row, (date_property,)))
        known = self._feed.known("order", str(value_at(row, ("Id",))))
        return known is not None or day is None or self.start is None or day >= self.start

    async def read_changed(self, rows: Iterable[Row], priority: int, snapshot: str | None = None) -> int:
        """Read whole and publish the orders whose facts differ from those last seen; events sent."""
        changed = [(str(value_at(row, ("Id",))), facts_of(row)) for row in rows]
        changed = [(id, facts) for id, facts in changed if self.facts.get(id) != facts]
        published = 0
        for begin in range(0, len(changed), BATCH):
            published += await self._read_batch(dict(changed[begin : begin + BATCH]), priority, snapshot)
        return published

    async def _read_batch(self, batch: dict[str, Facts], priority: int, snapshot: str | None) -> int:
        found: list[Numbered] = []
        for id, facts in batch.items():
            answer = None if self._feed.aside else self._observations.take_answer("order", id, facts.changed_at)
            if answer is not None:
                found.append(answer)
            elif (whole := await self.reader.order(id, priority)) is not None:
                found.append(whole.numbered)
        taken = await self._feed.take("order", found, self.reread, snapshot=snapshot)
        for _, reading in found:
            # An older answer than the list gave came from a replica that lags: it is read again next time.
            if reading.id not in taken.open and reading.changed_at >= batch[reading.id].changed_at:
                self.facts[reading.id] = batch[reading.id]
        return taken.published

    async def _invoices(
        self, params: dict[str, str], priority: int, snapshot: str | None = None
    ) -> tuple[int, str, set[str]]:
        """Publish listed invoices: events sent, greatest time of sending, ids in scope."""
        published, newest, ids = 0, mapping.NEVER, set[str]()
        pages = self._client.pages(
            "/OutgoingInvoices", start=self._observations.start, priority=priority, params=params
        )
        async for number, rows in pages:
            newest = max([newest, *(mapping.timestamp(value_at(row, ("SentDateTimeOffset",))) for row in rows)])
            scope = [row for row in rows if self._in_scope(row, "OrderDate")]
            ids |= {str(value_at(row, ("Id",))) for row in scope}
            changed = [row for row in scope if self._invoice_moved(row)]
            for begin in range(0, len(changed), BATCH):
                published += await self._take_invoices(changed[begin : begin + BATCH], number, priority, snapshot)
        return published, newest, ids

    def _invoice_moved(self, row: Row) -> bool:
        return self.invoice_facts.get(str(value_at(row, ("Id",)))) != invoice_facts_of(row)

    async def _take_invoices(self, rows: list[Row], number: int, priority: int, snapshot: str | None) -> int:
        found: list[Numbered] = []
        for row in rows:
            if (whole := await self.reader.with_lines(row, number, priority)) is not None:
                found.append(whole.numbered)
        taken = await self._feed.take("order", found, self.reread, snapshot=snapshot)
        for row in rows:
            if (id := str(value_at(row, ("Id",)))) not in taken.open:
                self.invoice_facts[id] = invoice_facts_of(row)
        return taken.published

    async def reread(self, id: str) -> Numbered | None:
        """One order, or the invoice it became. Without the privilege for invoices it is unknown: None."""
        try:
            whole = await self.reader.order(id, READ) or await self.reader.invoice(id, READ)
        except Forbidden as error:
            self._health["notes"]["invoice"] = str(error)
            return None
        return whole.numbered if whole is not None else None
