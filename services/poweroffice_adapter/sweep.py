"""Finds what no change filter of Go shows: address edits, line edits, deletions.

Absence from a list proves nothing by itself: every missing record is asked for by its id, and an
order also among the outgoing invoices, twice, before it counts as deleted. An empty or failed list
deletes nothing.
"""

from collections.abc import Mapping
from typing import Any

import structlog

from contracts.entities import ENTITIES, EntityName
from runtime.rate_limiter import BULK
from services.poweroffice_adapter import mapping
from services.poweroffice_adapter.client import MAX_PAGE_SIZE, Forbidden, PowerOfficeClient, Row
from services.poweroffice_adapter.feed import SYSTEM, Feed
from services.poweroffice_adapter.mapping import time_of, value_at
from services.poweroffice_adapter.notes import has_id
from services.poweroffice_adapter.observations import facts_of
from services.poweroffice_adapter.order.source import (
    FACTS,
    INVOICE_FACTS,
    SENT,
    InvoiceFacts,
    OrderSource,
    booked_at,
    invoice_facts_of,
    sent_at,
)
from services.poweroffice_adapter.reader import Reader

log = structlog.get_logger()


class Sweep:
    """The sweeps of one tenant, run one after the other."""

    def __init__(
        self,
        reader: Reader,
        feed: Feed,
        orders: OrderSource,
        client: PowerOfficeClient,
        health: dict[str, Any],
    ) -> None:
        self._reader, self._feed, self._orders = reader, feed, orders
        self._client, self._health = client, health
        # Invoices from before the listing begins; Go keeps every one.
        self._sent_before: set[str] = set()

    async def run(self) -> bool:
        """One sweep of everything whose snapshot is complete; True when something was published."""
        self._reader.groups.forget()
        for entity in ENTITIES:
            self._health["notes"].pop(entity, None)
        published = 0
        if self._begun("customer"):
            published += await self._whole("customer", "/Customers")
        if self._begun("product"):
            published += await self._products()
        if self._begun("order"):
            published += await self._sales()
        return published > 0

    def _begun(self, entity: EntityName) -> bool:
        return self._feed.publisher.cursor(self._feed.tenant, SYSTEM, entity) is not None

    async def _rows(self, path: str, params: Mapping[str, str]) -> list[tuple[int, Row]]:
        start = self._feed.observations.start
        pages = self._client.pages(
            path, start=start, priority=BULK, params=params, size=MAX_PAGE_SIZE
        )
        return [(number, row) async for number, rows in pages for row in rows]

    async def _whole(self, entity: EntityName, path: str) -> int:
        rows = await self._rows(path, {})
        found = [
            one
            for number, row in rows
            for one in await self._reader.readings(entity, number, [row])
        ]
        taken = await self._feed.take(entity, found, self._reader.reread(entity))
        return taken.published + await self._missing(entity, {reading.id for _, reading in found})

    async def _products(self) -> int:
        """Ids only, since polls see each edit; whole after a change of the mapping, which no poll
        sees."""
        if self._feed.outdated("product"):
            return await self._whole("product", "/Products")
        rows = [row for _, row in await self._rows("/Products", {"Fields": "Id"})]
        listed = {str(value_at(row, ("Id",))) for row in self._with_id("product", rows)}
        unknown = listed - self._feed.present_ids("product")
        published = 0
        reread = self._reader.reread("product")
        for id in sorted(unknown):
            if (found := await reread(id)) is not None:
                published += (await self._feed.take("product", [found], reread)).published
        return published + await self._missing("product", listed)

    async def _missing(self, entity: EntityName, listed: set[str]) -> int:
        """Ask for each record that a complete list did not hold."""
        if not listed:
            self._empty(entity)
            return 0
        published, reread = 0, self._reader.reread(entity)
        for id in sorted(self._feed.present_ids(entity) - listed):
            number = self._feed.observations.start()
            if (found := await reread(id)) is not None:
                published += (await self._feed.take(entity, [found], reread)).published
            else:
                published += await self._feed.deleted(entity, id, number)
        return published

    async def _sales(self) -> int:
        rows = self._with_id(
            "order", [row for _, row in await self._rows("/SalesOrders", {"Fields": FACTS})]
        )
        published = await self._changed_orders(rows)
        listed = {str(value_at(row, ("Id",))) for row in rows}
        # Of what an older mapping has read everything is wanted, and the listing can say it at
        # once.
        whole = self._feed.outdated("order")
        try:
            params = {SENT: self._orders.sent_from()} | ({} if whole else {"Fields": INVOICE_FACTS})
            found = await self._rows("/OutgoingInvoices", params)
        except Forbidden as error:
            self._health["notes"]["invoice"] = f"orders that left are kept as they were: {error}"
            return published
        self._health["notes"].pop("invoice", None)
        sent = [(number, row) for number, row in found if has_id(row, "order", self._health)]
        published += await self._changed_invoices(sent, whole)
        return published + await self._gone(
            listed, {str(value_at(row, ("Id",))) for _, row in sent}
        )

    async def _changed_orders(self, rows: list[Row]) -> int:
        """Line edits. After a start no facts are known: the first pass notes those that polls have
        covered."""
        orders = self._orders
        if not orders.facts_complete:
            watermark = self._watermark("order")
            for row in rows:
                if (facts := facts_of(row)).changed_at <= watermark:
                    orders.facts.setdefault(str(value_at(row, ("Id",))), facts)
            orders.facts_complete = True
        # The poll decides whether an order that was never published is in scope; here only known
        # ones count.
        present = self._feed.present_ids("order")
        return await orders.read_changed(
            [row for row in rows if str(value_at(row, ("Id",))) in present], BULK
        )

    def _with_id(self, entity: EntityName, rows: list[Row]) -> list[Row]:
        return [row for row in rows if has_id(row, entity, self._health)]

    def _empty(self, entity: EntityName) -> None:
        """An empty list may be a fault of the moment, or all that was known is gone: a person
        looks."""
        if present := len(self._feed.present_ids(entity)):
            words = f"the list was empty, so nothing is taken for deleted; {present} were known"
            self._health["notes"][entity] = words
            log.warning(
                "poweroffice.empty_list", tenant=self._feed.tenant, entity=entity, known=present
            )

    def _watermark(self, entity: str) -> str:
        cursor = self._feed.publisher.cursor(self._feed.tenant, SYSTEM, entity)
        return str((cursor or {}).get("watermark") or mapping.NEVER)

    async def _changed_invoices(self, rows: list[tuple[int, Row]], whole: bool) -> int:
        """Payments and reversals, which do not move the time of sending; what no poll has covered
        is left to the poll. `whole` says that the rows are complete."""
        published, present, watermark = (
            0,
            self._feed.present_ids("order"),
            self._watermark("invoice"),
        )
        reader = self._orders.reader
        for number, row in rows:
            id, facts = str(value_at(row, ("Id",))), invoice_facts_of(row)
            if (
                id not in present
                or sent_at(row) > watermark
                or not self._invoice_moved(id, facts, row)
            ):
                continue
            read = reader.with_lines(row, number, BULK) if whole else reader.invoice(id, BULK)
            if (found := await read) is not None:
                taken = await self._feed.take("order", [found.numbered], self._orders.reread)
                published += taken.published
                if id not in taken.open:
                    self._orders.invoice_facts[id] = facts
        return published

    def _invoice_moved(self, id: str, facts: InvoiceFacts, row: Row) -> bool:
        """Whether an invoice has to be read. After a start no facts are known: what was published
        tells by its time whether it holds the last booking, but not whether it holds a reversal."""
        if self._feed.is_outdated("order", id):
            return True
        if (seen := self._orders.invoice_facts.get(id)) is not None:
            return seen != facts
        known = self._feed.known("order", id)
        if (
            facts.is_reversed
            or known is None
            or time_of(known.version) < max(sent_at(row), booked_at(row))
        ):
            return True
        self._orders.invoice_facts[id] = facts
        return False

    async def _gone(self, listed: set[str], sent: set[str]) -> int:
        if not listed and not sent:
            self._empty("order")
            return 0
        published, absent = 0, []
        for id in sorted(self._feed.present_ids("order") - listed - sent - self._sent_before):
            if (taken := await self._found(id)) is None:
                absent.append(id)
            else:
                published += taken
        if not absent:
            return published
        await self._feed.pause()
        for id in absent:
            number = self._feed.observations.start()
            if (taken := await self._found(id)) is None:
                published += await self._feed.deleted("order", id, number)
                self._orders.facts.pop(id, None)
            else:
                published += taken
        return published

    async def _found(self, id: str) -> int | None:
        """Events sent for an order found after all, as an invoice first; None when it is in neither
        place."""
        found = await self._orders.reader.invoice(id, BULK)
        if found is not None:
            self._sent_before.add(id)
        elif (found := await self._orders.reader.order(id, BULK)) is None:
            return None
        return (await self._feed.take("order", [found.numbered], self._orders.reread)).published
