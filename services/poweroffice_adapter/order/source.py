"""Reads sales orders and, under the same ids, the outgoing invoices they become.

A header list does not hold lines, so an order is read whole whenever the facts in its header differ
from those last seen. Orders before `start.orders` are left alone.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock_time
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import structlog

from contracts.messages import SnapshotCompleted
from contracts.settings import Tenant
from runtime.clock import iso
from runtime.rate_limiter import BULK, READ
from services.poweroffice_adapter import mapping
from services.poweroffice_adapter.client import CHANGED, Forbidden, PowerOfficeClient, Row
from services.poweroffice_adapter.feed import SYSTEM, Feed, Numbered
from services.poweroffice_adapter.mapping import value_at
from services.poweroffice_adapter.notes import has_id
from services.poweroffice_adapter.observations import Facts, facts_of
from services.poweroffice_adapter.order.reader import OrderReader

log = structlog.get_logger()
SENT = "sentDateTimeOffsetGreaterThan"
BOOKED = "balanceLastChangedDateTimeOffsetGreaterThan"
BATCH = 50  # orders read whole before they are published, so that a long snapshot shows progress
FACTS = "Id,LineCount,NetAmount,TotalAmount,LastChangedDateTimeOffset"
INVOICE_FACTS = (
    "Id,NetAmount,TotalAmount,Balance,IsReversed,SentDateTimeOffset,"
    "BalanceLastChangedDateTimeOffset"
)


@dataclass(frozen=True)
class InvoiceFacts:
    """What can change on an outgoing invoice."""

    net: Decimal | None
    total: Decimal | None
    balance: Decimal | None
    is_reversed: bool


@dataclass
class Listed:
    """What a listing of invoices came to: events sent, the greatest time of sending, the greatest
    time of a balance on its first page (what is booked while later pages are read is not on it),
    ids in scope."""

    published: int = 0
    sent_at: str = mapping.NEVER
    booked_at: str = mapping.NEVER
    ids: set[str] = field(default_factory=set)


def invoice_facts_of(row: Row) -> InvoiceFacts:
    """The facts of an OutgoingInvoiceDto."""
    return InvoiceFacts(
        value_at(row, ("NetAmount",)),
        value_at(row, ("TotalAmount",)),
        value_at(row, ("Balance",)),
        bool(value_at(row, ("IsReversed",))),
    )


def sent_at(row: Row) -> str:
    """When an outgoing invoice was sent; NEVER for one that was imported."""
    return mapping.timestamp(value_at(row, ("SentDateTimeOffset",)))


def booked_at(row: Row) -> str:
    """When the balance of an outgoing invoice changed last."""
    return mapping.timestamp(value_at(row, ("BalanceLastChangedDateTimeOffset",)))


class OrderSource:
    """Sales orders and outgoing invoices of one tenant. `currencies` are those of customers, by
    id."""

    def __init__(
        self,
        name: str,
        tenant: Tenant,
        client: PowerOfficeClient,
        feed: Feed,
        currencies: dict[str, str],
        health: dict[str, Any],
        *,
        clock: Callable[[], datetime],
        new_id: Callable[[], str],
    ) -> None:
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
        begins = datetime.combine(self.start, clock_time(), self._zone).astimezone(UTC) - timedelta(
            seconds=1
        )
        return f"{begins:%Y-%m-%dT%H:%M:%S}.0000000Z"

    async def step(self) -> bool:
        """One snapshot or one poll of sales orders; True after activity. A start before that of the
        last snapshot takes another."""
        if self.start is None:
            self._health["notes"]["order"] = "orders are not read: start.orders is not set"
            return False
        cursor = self._feed.publisher.cursor(self._name, SYSTEM, "order")
        if cursor is None or cursor.get("start", str(self.start)) > str(self.start):
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
        """One poll of invoices sent and of balances changed since the last, a request each; nothing
        before the snapshot of orders is complete."""
        cursor = self._feed.publisher.cursor(self._name, SYSTEM, "invoice")
        if self.start is None or cursor is None:
            return False
        watermark = str(cursor["watermark"])
        booked = str(cursor.get("booked") or watermark)
        new = await self._invoices({SENT: self._reached_back(watermark)}, READ)
        changed = await self._invoices({BOOKED: self._reached_back(booked)}, READ)
        moved = {"watermark": max(watermark, new.sent_at), "booked": max(booked, changed.booked_at)}
        is_moved = moved != {"watermark": watermark, "booked": booked}
        if is_moved:
            await self._save("invoice", moved)
        return is_moved or new.published + changed.published > 0

    def _reached_back(self, watermark: str) -> str:
        return max(mapping.earlier(watermark, self._tenant.poweroffice.overlap_s), self.sent_from())

    async def _save(self, entity: str, value: dict[str, Any]) -> None:
        await self._feed.publisher.save_cursor(self._name, SYSTEM, entity, value)

    async def snapshot(self) -> None:
        """Sales orders first: one that is sent meanwhile is then met again among the invoices, not
        missed."""
        snapshot, sent = self._new_id(), {SENT: self.sent_from()}
        # Without the privilege this fails before thousands of orders are read.
        await self._client.get("/OutgoingInvoices", priority=BULK, params={**sent, "PageSize": "1"})
        _, newest, ids = await self._orders({}, BULK, snapshot)
        invoices = await self._invoices(sent, BULK, snapshot)
        if not ids and not invoices.ids:
            await self._feed.pause()
            _, newest, ids = await self._orders({}, BULK, snapshot)
            invoices = await self._invoices(sent, BULK, snapshot)
        self.facts_complete = True
        await self._feed.publisher.snapshot_completed(
            SnapshotCompleted(
                tenant=self._name,
                system=SYSTEM,
                entity="order",
                snapshot=snapshot,
                records=len(ids | invoices.ids),
                completed_at=iso(self._clock()),
            )
        )
        begun = self.sent_from()
        marks = {
            "watermark": max(invoices.sent_at, begun),
            "booked": max(invoices.booked_at, begun),
        }
        await self._save("invoice", marks)
        value = {"snapshot": snapshot, "watermark": newest, "start": str(self.start)}
        await self._save("order", value)

    async def _orders(
        self, params: dict[str, str], priority: int, snapshot: str | None = None
    ) -> tuple[int, str, set[str]]:
        """Publish listed orders: events sent, greatest time of change on the first page, ids in
        scope."""
        published, newest, ids = 0, "", set[str]()
        pages = self._client.pages(
            "/SalesOrders", start=self._observations.start, priority=priority, params=params
        )
        async for _, rows in pages:
            newest = newest or max([mapping.NEVER, *(facts_of(row).changed_at for row in rows)])
            scope = [row for row in rows if self._in_scope(row, "SalesOrderDate")]
            ids |= {str(value_at(row, ("Id",))) for row in scope}
            published += await self.read_changed(scope, priority, snapshot)
        return published, newest or mapping.NEVER, ids

    def _in_scope(self, row: Row, date_property: str) -> bool:
        """A null date means the day of sending, which is still to come; a known order stays in
        scope."""
        if not has_id(row, "order", self._health):
            return False
        day = mapping.local_date(value_at(row, (date_property,)))
        known = self._feed.known("order", str(value_at(row, ("Id",))))
        return known is not None or day is None or self.start is None or day >= self.start

    async def read_changed(
        self, rows: Iterable[Row], priority: int, snapshot: str | None = None
    ) -> int:
        """Read whole and publish the orders whose facts differ from those last seen, and those last
        read under an older mapping; events sent."""
        changed = [(str(value_at(row, ("Id",))), facts_of(row)) for row in rows]
        changed = [
            (id, facts)
            for id, facts in changed
            if self.facts.get(id) != facts or self._feed.is_outdated("order", id)
        ]
        published = 0
        for begin in range(0, len(changed), BATCH):
            published += await self._read_batch(
                dict(changed[begin : begin + BATCH]), priority, snapshot
            )
        return published

    async def _read_batch(
        self, batch: dict[str, Facts], priority: int, snapshot: str | None
    ) -> int:
        found: list[Numbered] = []
        for id, facts in batch.items():
            answer = (
                None if self._feed.aside else self._observations.take_answer("order", id, facts)
            )
            if answer is not None:
                found.append(answer)
            elif (whole := await self.reader.order(id, priority)) is not None:
                found.append(whole.numbered)
        taken = await self._feed.take("order", found, self.reread, snapshot=snapshot)
        for _, reading in found:
            # An older answer than the list gave came from a replica that lags: it is read again
            # next time.
            if reading.id not in taken.open and reading.changed_at >= batch[reading.id].changed_at:
                self.facts[reading.id] = batch[reading.id]
        return taken.published

    async def _invoices(
        self, params: dict[str, str], priority: int, snapshot: str | None = None
    ) -> Listed:
        """Publish listed invoices."""
        found = Listed()
        pages = self._client.pages(
            "/OutgoingInvoices", start=self._observations.start, priority=priority, params=params
        )
        first = True
        async for number, rows in pages:
            found.sent_at = max([found.sent_at, *map(sent_at, rows)])
            if first:
                found.booked_at, first = max([found.booked_at, *map(booked_at, rows)]), False
            scope = [row for row in rows if self._is_sale(row)]
            found.ids |= {str(value_at(row, ("Id",))) for row in scope}
            changed = [row for row in scope if self._invoice_moved(row)]
            for begin in range(0, len(changed), BATCH):
                batch = changed[begin : begin + BATCH]
                found.published += await self._take_invoices(batch, number, priority, snapshot)
        return found

    def _is_sale(self, row: Row) -> bool:
        """An invoice that was imported, and so never sent from Go, is none of ours; a filter by
        balance shows those."""
        if not self._in_scope(row, "OrderDate"):
            return False
        known = self._feed.known("order", str(value_at(row, ("Id",))))
        return known is not None or sent_at(row) > self.sent_from()

    def _invoice_moved(self, row: Row) -> bool:
        id = str(value_at(row, ("Id",)))
        return self.invoice_facts.get(id) != invoice_facts_of(row) or self._feed.is_outdated(
            "order", id
        )

    async def _take_invoices(
        self, rows: list[Row], number: int, priority: int, snapshot: str | None
    ) -> int:
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
        """One order, or the invoice it became. Without the privilege for invoices it is unknown:
        None."""
        try:
            whole = await self.reader.order(id, READ) or await self.reader.invoice(id, READ)
        except Forbidden as error:
            self._health["notes"]["invoice"] = str(error)
            return None
        return whole.numbered if whole is not None else None
