"""Commands for orders: the import of Go-born ones, the two dates of any, and what is queued put on
hold."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import structlog

from contracts import entities
from contracts.messages import Command, Problem
from contracts.said import say
from contracts.settings import Tenant
from contracts.values import text
from runtime.problems import fit
from runtime.vendor import NotFound, Refused
from services.chargebee_adapter.addresses import Resource, unaddressable
from services.chargebee_adapter.client import ChargebeeClient, Raw, any_of, path
from services.chargebee_adapter.guard import (
    Clock,
    fresh,
    plan,
    present,
    required,
    typed,
    written_again,
)
from services.chargebee_adapter.limits import PO_NUMBER_MAX, too_long
from services.chargebee_adapter.mapping import Reading, id_of
from services.chargebee_adapter.order import canonical, writes
from services.chargebee_adapter.order.canonical import noon, price_ids
from services.chargebee_adapter.order.reader import po_number
from services.chargebee_adapter.order.writes import ChargePrice, Import
from services.chargebee_adapter.outcomes import Written
from services.chargebee_adapter.product.catalogue import Catalogue
from services.chargebee_adapter.refusals import is_duplicate

log = structlog.get_logger()
QUEUED = "queued"
CLOSED = ("cancelled", "voided")
UNDER_WAY = ("shipped", "partially_delivered", "delivered", "complete", "returned", *CLOSED)
REFERENCE_ID_MAX = 50


class Orders:
    """Writes orders of one site. `clock` gives aware UTC, `monotonic` seconds."""

    def __init__(
        self,
        settings: Tenant,
        catalogue: Catalogue,
        clock: Callable[[], datetime],
        monotonic: Clock,
    ) -> None:
        self._settings, self._catalogue, self._clock, self._monotonic = (
            settings,
            catalogue,
            clock,
            monotonic,
        )
        self._zone = ZoneInfo(settings.zone)

    async def create(self, api: ChargebeeClient, command: Command) -> Written:
        """Import the invoice, then take the order Chargebee made for it or import one; the missing
        half is made. What Chargebee made is put on `order.import.order_status`, since a warehouse
        ships what is queued."""
        own_id, order, skipped = to_import(command)
        invoice: Raw | None = None
        if command.look_first:
            if (raw := await api.find("order", "orders", own_id)) is not None:
                return await self._found(api, await self._settled(api, raw, order, holds=False))
            invoice = await api.find("invoice", "invoices", own_id)
        how, invoice_made = self._import(), False
        if invoice is None:
            invoice, invoice_made = await self._imported(api, own_id, order, how)
        if generated := await _generated(api, own_id):
            raw, *_ = [await self._settled(api, each, order, holds=True) for each in generated]
            if not invoice_made:
                return await self._found(api, raw, invoice)
            return Written("applied", await self._reading(api, raw, invoice), skipped=skipped)
        params = writes.imported_order(own_id, order, how)
        raw, order_made = await post_own(api, "order", "orders", "import_order", params)
        raw = await self._settled(api, raw, order, holds=False)
        if not order_made:
            return await self._found(api, raw, invoice)
        return Written("applied", await self._reading(api, raw, invoice), skipped=skipped)

    async def update(self, api: ChargebeeClient, command: Command) -> Written:
        """Write the order date and the shipping date where the local date differs, and the
        fulfilment of an order that is queued still; nothing else of an order may change in
        Chargebee."""
        order_id, fields = required(command, "target_id"), typed(command, command.fields)

        async def read() -> tuple[Raw, Raw | None]:
            raw = await _read(api, order_id)
            return raw, await self._invoice(api, raw)

        async with api.reserved(3):
            (raw, invoice), _ = await fresh(read, self._monotonic)
            reading = await self._reading(api, raw, invoice)
            current = present(reading)
            wanted = {"order_date": fields.get("order_date")}
            if not raw.get("delivered_at"):
                # A delivered order shows when it was delivered, which no shipping date changes.
                wanted["delivery_date"] = fields.get("delivery_date")
            wanted = {name: day for name, day in wanted.items() if day is not None}
            steps = plan(current, wanted, typed(command, command.expected))
            again = written_again(command, reading, steps)
            if steps.is_stale:
                return Written("stale", reading, steps.done, again=again)
            names = {"order_date": "order_date", "delivery_date": "shipping_date"}
            params: dict[str, Any] = {
                names[name]: noon(day, self._zone) for name, day in steps.to_write.items()
            }
            if fields.get("fulfilment") and raw.get("status") == QUEUED != fields["fulfilment"]:
                params["status"] = fields["fulfilment"]
            if params:
                # An edit of an order moves nothing of its invoice, which was read just before.
                raw = await api.post("order", path("orders", order_id), params)
                reading = await self._reading(api, raw, invoice)
        return Written("applied", reading, steps.done, again=again)

    async def stamp(self, api: ChargebeeClient, command: Command) -> Written:
        """Orders carry their reference in Go, or are born there with an own id."""
        raise Refused.of(Problem.of("not_stampable", say("not_stampable")))

    async def verify(self, api: ChargebeeClient, command: Command) -> Written:
        """Read the order and its invoice."""
        raw = await _read(api, required(command, "target_id"))
        return Written("applied", await self._reading(api, raw, await self._invoice(api, raw)))

    async def _settled(
        self, api: ChargebeeClient, raw: Raw, order: entities.Order, *, holds: bool
    ) -> Raw:
        """The order after one write: Go's number as its reference where it has none and, where it
        `holds`, the status of imported orders unless its goods are on their way. That it is refused
        does not undo the sale."""
        status, params = raw.get("status"), {}
        wanted = self._settings.order.import_order_status
        if holds and status not in (*UNDER_WAY, wanted):
            params["status"] = wanted
        number = (order.invoice.number if order.invoice else None) or order.number
        if number and not raw.get("reference_id") and status not in CLOSED:
            params["reference_id"] = number[:REFERENCE_ID_MAX]
        if not params:
            return raw
        try:
            return await api.post("order", path("orders", id_of(raw)), params)
        except Refused as error:
            log.warning("order.not_settled", order=id_of(raw), wanted=params, reason=error.message)
            return raw

    def _import(self) -> Import:
        return Import(
            is_paid=self._settings.order.import_status == "paid_offline",
            payment_method=self._settings.chargebee.import_payment_method,
            order_status=self._settings.order.import_order_status,
            zone=self._zone,
            now_s=int(self._clock().timestamp()),
        )

    async def _imported(
        self, api: ChargebeeClient, own_id: str, order: entities.Order, how: Import
    ) -> tuple[Raw, bool]:
        """The imported invoice, and whether it was made now. Prices that are known are not looked
        up, unless Chargebee refuses it: one may have been archived since."""
        known = await self._prices(api, order)
        try:
            params = writes.invoice(own_id, order, known, how)
            return await post_own(api, "invoice", "invoices", "import_invoice", params)
        except Refused:
            remembered = [each for each in _products_of(order) if self._catalogue.remembered(each)]
            for each in remembered:
                self._catalogue.forget(each)
            if not remembered or (listed := await self._prices(api, order)) == known:
                raise
        params = writes.invoice(own_id, order, listed, how)
        return await post_own(api, "invoice", "invoices", "import_invoice", params)

    async def _invoice(self, api: ChargebeeClient, raw: Raw) -> Raw | None:
        """The invoice of an order as it stands now."""
        invoice_id = str(raw.get("invoice_id") or "")
        if unaddressable("invoices", invoice_id) is not None:
            return None
        return await api.find("invoice", "invoices", invoice_id)

    async def _reading(self, api: ChargebeeClient, raw: Raw, invoice: Raw | None) -> Reading:
        """An order with its invoice and the items of its prices."""
        return canonical.order(
            raw,
            items_by_price=await self._catalogue.items_by_price(api, price_ids(raw)),
            po_number=po_number(invoice),
            zone=self._zone,
            invoice=invoice,
            carries_round_off=self._settings.order.round_off_product is not None,
        )

    async def _found(self, api: ChargebeeClient, raw: Raw, invoice: Raw | None = None) -> Written:
        if invoice is None:
            invoice = await self._invoice(api, raw)
        reading = await self._reading(api, raw, invoice)
        present(reading)
        return Written("adopted", reading)

    async def _prices(self, api: ChargebeeClient, order: entities.Order) -> dict[str, ChargePrice]:
        """The active charge price of each product; only those that are not remembered with one are
        asked for."""
        found: dict[str, ChargePrice] = {}
        for product_id in _products_of(order):
            whole = self._catalogue.remembered(product_id)
            price = None if whole is None else _charge_price(whole.prices, order.currency)
            if price is None:
                listed = await self._catalogue.listed_prices(api, product_id, any_of(("active",)))
                self._catalogue.note_listed(listed)
                price = _charge_price(listed, order.currency)
            if price is not None:
                found[product_id] = price
        return found


def _charge_price(prices: Iterable[Raw], currency: str | None) -> ChargePrice | None:
    """The first of these that an invoice may name: only charges stand on one without a
    subscription, and longer ids do not fit an order's line."""
    for raw in prices:
        is_charge = raw.get("item_type") == "charge" and raw.get("currency_code") == currency
        is_active = raw.get("status", "active") == "active"
        if is_charge and is_active and len(id_of(raw)) <= writes.PRICE_ID_MAX:
            shown = text(str(raw.get("external_name") or raw.get("name") or ""))
            return ChargePrice(id_of(raw), shown)
    return None


def _products_of(order: entities.Order) -> list[str]:
    return list(dict.fromkeys(line.product_id for line in order.lines if line.product_id))


async def _read(api: ChargebeeClient, order_id: str) -> Raw:
    raw = await api.find("order", "orders", order_id)
    if raw is None:
        raise NotFound(
            "resource_not_found", f"order {order_id} is not in Chargebee any more", status=404
        )
    return raw


async def _generated(api: ChargebeeClient, invoice_id: str) -> list[Raw]:
    """The orders that stand for an invoice, the oldest first. Whether the reply to its import names
    those that are made for it is not documented, so they are asked for."""
    orders = await api.all("order", path("invoices", invoice_id, "orders"))
    return sorted((raw for raw in orders if not raw.get("deleted")), key=_age)


def _age(raw: Raw) -> tuple[int, str]:
    made_at_s = raw.get("created_at")
    return (made_at_s if isinstance(made_at_s, int) else 0, id_of(raw))


async def post_own(
    api: ChargebeeClient, kind: str, resource: Resource, action: str, params: dict[str, Any]
) -> tuple[Raw, bool]:
    """The record made under an own id, or the one an earlier attempt made; and whether it was made
    now."""
    try:
        return await api.post(kind, f"/{resource}/{action}", params), True
    except Refused as error:
        found = await api.find(kind, resource, params["id"]) if is_duplicate(error, "id") else None
        if found is None:
            raise
        return found, False


def to_import(command: Command) -> tuple[str, entities.Order, dict[str, Problem]]:
    """The own id of a creation, the order as Chargebee can hold it, and why what it cannot hold is
    left out. Raises Unwritable for an order of which no invoice can be made."""
    own_id, fields = required(command, "stamp"), typed(command, command.fields)
    order = entities.Order(**fields)
    writes.check(order)
    long_reference = too_long("purchase_order", "po_number", order.purchase_order, PO_NUMBER_MAX)
    fitting = fit(fields, (long_reference,))
    order = entities.Order(**fitting.held)
    return own_id, order, fitting.faults
