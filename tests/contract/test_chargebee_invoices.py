"""Orders follow their invoices: which events bring them, what is asked for, and which of two
readings is the newer."""

import asyncio
import json
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any

import pytest

from contracts.messages import Observed
from contracts.settings import Tenant
from runtime.rate_limiter import RateLimiter
from runtime.transport import VendorTransport
from services.chargebee_adapter import mapping
from services.chargebee_adapter.authors import Authors
from services.chargebee_adapter.client import ChargebeeClient
from services.chargebee_adapter.source import Source
from tests.contract.test_chargebee_adapter import (
    MemoryPublisher,
    World,
    address,
    run,
    running,
    until,
    world,
)
from tests.contract.test_chargebee_requests import NOW, Recorder, recorder, server, tenant

__all__ = ["address", "recorder", "server"]

T = 1_780_000_000_000  # milliseconds of a version; the clock of these tests is later
LINE = {
    "id": "l",
    "entity_type": "adhoc",
    "unit_price": 10000,
    "fulfillment_quantity": 1,
    "amount": 10000,
    "tax_amount": 2500,
}


def order(version: int = 0, **changes: Any) -> dict[str, Any]:
    base = {
        "id": "42",
        "invoice_id": "7",
        "customer_id": "c",
        "currency_code": "NOK",
        "status": "queued",
        "payment_status": "not_paid",
        "price_type": "tax_exclusive",
        "created_at": 1_777_000_000,
        "tax": 2500,
        "total": 12500,
        "order_line_items": [LINE],
        "resource_version": T + version,
    }
    return {**base, **changes}


def invoice(version: int = 0, status: str = "payment_due", **changes: Any) -> dict[str, Any]:
    due = 0 if status == "paid" else 12500
    base = {
        "id": "7",
        "status": status,
        "total": 12500,
        "amount_due": due,
        "resource_version": T + version,
        "linked_orders": [{"id": "42"}],
    }
    return {**base, **changes}


def event(kind: str, **content: Any) -> dict[str, Any]:
    return {
        "id": "",
        "event_type": kind,
        "api_version": "v2",
        "occurred_at": 5,
        "content": content,
        "source": "admin_console",
        "user": "kari@eksempel.no",
    }


class Site:
    """A source with a site that answers as the test says."""

    def __init__(self, held: Recorder, **changes: Any) -> None:
        self.recorder, self.publisher, self.authors = held, MemoryPublisher(), Authors()
        self._http = VendorTransport(RateLimiter(0, 1, 1))
        settings: Tenant = tenant(held, **changes)
        client = ChargebeeClient(settings.chargebee, self._http)
        self.source = Source(
            "demo", settings, client, self.publisher, clock=lambda: NOW, authors=self.authors
        )

    def hold(self, **records: Any) -> None:
        """What the site holds, by the kind of record; None takes it away."""
        for kind, record in records.items():
            path = f"/{kind}s/{'42' if kind == 'order' else '7'}"
            self.recorder.records.pop(path, None)
            if record is not None:
                self.recorder.records[path] = record

    async def told(self, kind: str, **content: Any) -> int:
        return await self.source.webhook(json.dumps(event(kind, **content)).encode())

    async def asked(self, kind: str, **content: Any) -> list[str]:
        """What the source asked for to take an event."""
        self.recorder.taken()
        await self.told(kind, **content)
        return [f"{each.method} {each.path}" for each in self.recorder.taken()]

    async def close(self) -> None:
        await self._http.aclose()

    @property
    def last(self) -> Observed:
        return self.publisher.events[-1]

    @property
    def invoice(self) -> dict[str, Any]:
        assert self.last.data is not None
        held: dict[str, Any] = self.last.data["invoice"]
        return held


def play(site: Site, scenario: Coroutine[Any, Any, None]) -> None:
    async def whole() -> None:
        try:
            await scenario
        finally:
            await site.close()

    asyncio.run(whole())


# --- what is asked for
# --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind", ["payment_succeeded", "payment_refunded", "invoice_updated", "tax_withheld_recorded"]
)
def test_an_event_that_carries_the_invoice_costs_one_read_per_order(
    recorder: Recorder, kind: str
) -> None:
    site = Site(recorder)

    async def scenario() -> None:
        site.hold(order=order())
        assert await site.asked(kind, invoice=invoice(5, "paid")) == ["GET /orders/42"]
        assert (site.last.id, site.invoice["paid"], site.invoice["balance"]) == ("42", True, "0")
        assert site.last.version.startswith(f"{T + 5}.")
        # Nobody says who edited the order last.
        assert site.last.made_by is None

    play(site, scenario())


def test_an_invoice_without_orders_costs_nothing(recorder: Recorder) -> None:
    site = Site(recorder)

    async def scenario() -> None:
        for bare in (invoice(linked_orders=[]), {"id": "7"}):
            assert await site.asked("invoice_generated", invoice=bare) == []
        assert site.publisher.events == []

    play(site, scenario())


@pytest.mark.parametrize(
    "kind", ["credit_note_created", "credit_note_updated", "credit_note_deleted"]
)
def test_a_credit_note_costs_its_invoice_and_its_orders(recorder: Recorder, kind: str) -> None:
    site = Site(recorder)

    async def scenario() -> None:
        note = {"cn_id": "CN-1", "cn_total": 2500, "cn_status": "refunded"}
        site.hold(order=order(), invoice=invoice(5, "paid", issued_credit_notes=[note]))
        asked = await site.asked(kind, credit_note={"id": "CN-1", "reference_invoice_id": "7"})
        assert asked == ["GET /invoices/7", "GET /orders/42"]
        assert (site.invoice["credited"], list(site.invoice["credit_notes"])) == ("25", ["CN-1"])

    play(site, scenario())


def test_a_voided_and_a_deleted_invoice_are_void(recorder: Recorder) -> None:
    site = Site(recorder)

    async def scenario() -> None:
        site.hold(order=order())
        await site.told("invoice_updated", invoice=invoice(5, "voided"))
        assert (site.invoice["void"], site.invoice["paid"]) == (True, False)
        # The vendor holds it no more; only the event tells of it.
        await site.told("invoice_deleted", invoice=invoice(6))
        assert site.invoice["void"] is True
        assert site.last.data is not None
        assert (site.last.deleted, site.last.data["status"]) == (False, "draft")

    play(site, scenario())


def test_orders_are_not_read_for_invoices_where_they_are_not_read_at_all(
    recorder: Recorder,
) -> None:
    site = Site(recorder, start={})

    async def scenario() -> None:
        assert await site.asked("payment_succeeded", invoice=invoice(5, "paid")) == []
        assert (
            await site.asked("credit_note_created", credit_note={"reference_invoice_id": "7"}) == []
        )

    play(site, scenario())


def test_what_cannot_be_asked_for_stops_nothing(recorder: Recorder) -> None:
    site = Site(recorder)

    async def scenario() -> None:
        assert (
            await site.asked("credit_note_created", credit_note={"reference_invoice_id": "a/../b"})
            == []
        )
        assert (
            await site.asked(
                "invoice_updated", invoice=invoice(linked_orders=[{"id": "../x"}, {}, 5])
            )
            == []
        )
        assert (
            await site.told("invoice_updated", invoice=invoice()) == 0
        )  # the site holds no order 42

    play(site, scenario())


def test_events_of_one_page_bring_an_order_once(recorder: Recorder) -> None:
    site = Site(recorder)

    async def scenario() -> None:
        site.hold(order=order(), invoice=invoice(9, "paid"))
        page = [
            event("invoice_updated", invoice=invoice(3)),
            event("payment_succeeded", invoice=invoice(5, "paid")),
            event("credit_note_created", credit_note={"reference_invoice_id": "7"}),
            event("credit_note_updated", credit_note={"reference_invoice_id": "7"}),
            event("order_updated", order=order()),
        ]
        recorder.taken()
        await site.source._publish_page(page)
        assert [each.path for each in recorder.taken()] == ["/invoices/7", "/orders/42"]
        assert [each.id for each in site.publisher.events] == ["42"]
        assert site.last.version.startswith(f"{T + 9}.")

    play(site, scenario())


def test_the_invoices_of_several_orders_are_read_by_their_ids_since_a_list_lags(
    recorder: Recorder,
) -> None:
    """Else a paid order would seem unpaid again, under a newer version than that of its payment."""
    site = Site(recorder)

    async def scenario() -> None:
        recorder.lists["/invoices"] = [{"invoice": invoice(1)}, {"invoice": invoice(1, id="8")}]
        for number in ("7", "8"):
            recorder.records[f"/invoices/{number}"] = invoice(5, "paid", id=number)
        page = [
            event("order_updated", order=order(6)),
            event("order_updated", order=order(7, id="43", invoice_id="8")),
            event("order_updated", order=order(8)),
        ]
        recorder.taken()
        await site.source._publish_page(page)
        assert [each.path for each in recorder.taken()] == ["/invoices/7", "/invoices/8"]
        shown = [each.data["invoice"]["paid"] for each in site.publisher.events if each.data]
        assert shown == [True, True, True]

    play(site, scenario())


def test_a_known_order_stays_in_scope_when_its_date_moves_before_the_start(
    recorder: Recorder,
) -> None:
    site = Site(recorder)
    first = int(datetime(2025, 12, 31, 12, tzinfo=UTC).timestamp())

    async def scenario() -> None:
        site.hold(invoice=invoice())
        await site.told("order_created", order=order(1, order_date=first, id="43"))
        assert site.publisher.events == []
        await site.told("order_updated", order=order(2))
        await site.told("order_updated", order=order(3, order_date=first))
        assert site.last.data is not None
        assert (site.last.id, site.last.data["order_date"]) == ("42", "2025-12-31")
        await site.told("order_cancelled", order=order(4, order_date=first, status="cancelled"))
        assert site.last.data["status"] == "cancelled"
        count = len(site.publisher.events)
        deleted = order(5, order_date=first, deleted=True)
        await site.told("order_deleted", order=deleted)
        await site.told("order_updated", order={**deleted, "resource_version": T + 6})
        assert [each.deleted for each in site.publisher.events[count:]] == [True]

    play(site, scenario())


# --- which of two readings is the newer
# ---------------------------------------------------------------------


def test_an_order_event_that_is_older_than_the_invoice_is_read_again(recorder: Recorder) -> None:
    site = Site(recorder)

    async def scenario() -> None:
        site.hold(order=order(4, status="delivered"), invoice=invoice(5, "paid"))
        assert await site.asked("order_created", order=order(1)) == [
            "GET /invoices/7",
            "GET /orders/42",
        ]
        # Otherwise what the order was at 1 would seem newer than what it is at 4.
        assert site.last.data is not None
        assert (site.last.data["status"], site.last.version) == (
            "confirmed",
            f"{T + 5}.{2 * T + 9:017d}",
        )
        assert site.last.made_by is None

    play(site, scenario())


def test_what_a_write_of_ours_covered_of_an_order_is_told_before_what_stands(
    recorder: Recorder,
) -> None:
    """A payment is newer than somebody's edit, so that the order is read: by then our write stands
    there."""
    site = Site(recorder)
    theirs = order(3, status="delivered")

    async def scenario() -> None:
        site.hold(order=order(4), invoice=invoice(5, "paid"))
        await site.told("order_updated", order=theirs)
        # Of a record that we do not write, what stands is enough: no command follows what it was.
        assert [each.version for each in site.publisher.events] == [f"{T + 5}.{2 * T + 9:017d}"]
        site.authors.note_target("order", "42")
        asked = await site.asked("order_updated", order=theirs)
        assert asked == ["GET /invoices/7", "GET /orders/42"]
        before, stands = site.publisher.events[1:]
        assert [each.data and each.data["status"] for each in (before, stands)] == [
            "confirmed",
            "draft",
        ]
        # Older than every newer version of the order, whenever its invoice was paid.
        assert f"{T + 3}" == before.version < f"{T + 4}" < stands.version
        assert (before.made_by, stands.made_by) == ("others", None)

    play(site, scenario())


def test_of_an_order_that_was_read_our_own_event_covers_nothing(recorder: Recorder) -> None:
    site = Site(recorder)

    async def scenario() -> None:
        site.authors.know(["tandem"])
        site.authors.note_target("order", "42")
        site.hold(order=order(4), invoice=invoice(5, "paid"))
        ours = {**event("order_updated", order=order(3)), "source": "api", "user": "tandem"}
        await site.source.webhook(json.dumps(ours).encode())
        assert len(site.publisher.events) == 1

    play(site, scenario())


def test_an_order_event_of_the_newest_version_names_its_author(recorder: Recorder) -> None:
    site = Site(recorder)

    async def scenario() -> None:
        site.hold(invoice=invoice(1))
        assert await site.asked("order_updated", order=order(2)) == ["GET /invoices/7"]
        assert site.last.made_by == "others"

    play(site, scenario())


def test_an_invoice_event_that_is_older_than_its_order_is_read_again(recorder: Recorder) -> None:
    site = Site(recorder)

    async def scenario() -> None:
        site.hold(order=order(6), invoice=invoice(5, "paid"))
        asked = await site.asked("invoice_updated", invoice=invoice(3))
        assert asked == ["GET /orders/42", "GET /invoices/7"]
        assert site.invoice["paid"] is True

    play(site, scenario())


@pytest.mark.parametrize("late", [{"order": 2}, {"invoice": 2}])
def test_a_list_that_shows_one_part_late_is_overtaken(
    recorder: Recorder, late: dict[str, int]
) -> None:
    """The greater of both versions stays the same when the other part is seen as it is."""
    site = Site(recorder)

    async def scenario() -> None:
        versions = {"order": 5, "invoice": 5}
        raws = {
            "order": order(version=(versions | late)["order"]),
            "invoice": invoice(version=(versions | late)["invoice"]),
        }
        recorder.lists["/invoices"] = [{"invoice": raws["invoice"]}, {"invoice": invoice(id="8")}]
        page = [raws["order"], order(id="43", invoice_id="8")]
        stale = (await site.source._reader.orders(page))[0].version
        site.hold(order=order(5), invoice=invoice(5))
        await site.told("order_updated", order=order(5))
        assert site.last.version > stale

    play(site, scenario())


# --- after another start
# ---------------------------------------------------------------------------------------


def test_a_start_that_is_moved_back_reads_the_orders_again(recorder: Recorder) -> None:
    site = Site(recorder, start={"orders": "2026-06-01"})

    async def scenario() -> None:
        recorder.lists["/orders"] = [{"order": order(invoice_id=None)}]
        await site.source._snapshots.take("order")
        assert site.publisher.events == []  # of April
        for start, is_complete in (
            ("2026-01-01", False),
            ("2026-06-01", True),
            ("2026-07-01", True),
        ):
            moved = Site(recorder, start={"orders": start})
            moved.publisher.cursors = site.publisher.cursors
            assert moved.source._snapshots.is_complete("order") is is_complete
            await moved.close()
        del site.publisher.cursors["order"]["start"]  # of an earlier release
        assert site.source._snapshots.is_complete("order")

    play(site, scenario())


# --- after an upgrade
# ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("taken_under", "again"), [(None, True), (1, True), (mapping.MAPPING, False)]
)
def test_orders_alone_are_taken_again_under_a_newer_mapping(
    address: str, taken_under: Any, again: bool
) -> None:
    async def scenario() -> None:
        async with world(address) as here:
            cursor = {"snapshot": "s0", "completed_at": "2026-06-01T00:00:00Z"}
            cursor |= {} if taken_under is None else {"mapping": taken_under}
            here.publisher.cursors |= {
                name: dict(cursor) for name in ("customer", "product", "order")
            }
            async with running(here.source):
                await until(lambda: here.source.health["last_poll_at"].get("events") is not None)
                if again:
                    await until(lambda: here.publisher.cursors["order"]["snapshot"] != "s0")
                    assert here.publisher.cursors["order"]["mapping"] == mapping.MAPPING
            assert [each.entity for each in here.publisher.completed] == (
                ["order"] if again else []
            )

    run(scenario())


def test_a_reading_at_an_unmoved_version_under_a_newer_mapping_is_published(
    recorder: Recorder,
) -> None:
    site = Site(recorder)

    async def scenario() -> None:
        recorder.lists["/orders"] = [{"order": order(invoice_id=None)}]
        await site.source._snapshots.take("order")
        held = site.publisher.held["order"]
        held["42"] = held["42"]._replace(mapping=1)
        count = len(site.publisher.events)
        await site.source._snapshots.take("order")
        assert len(site.publisher.events) == count + 1
        await site.source._snapshots.take("order")
        assert len(site.publisher.events) == count + 1

    play(site, scenario())


# --- against the simulator
# ----------------------------------------------------------------------------------


async def sold(here: World) -> str:
    """An unpaid invoice of goods whose order is there before the payment; returns the order's
    id."""
    await here.control("settings", {"order_invoice_statuses": ["payment_due"]})
    await here.act("/customers", id="c1", company="Kjøper AS", auto_collection="off")
    await here.act("/item_families", id="varer", name="Varer")
    await here.act(
        "/items", id="x", name="X", type="charge", item_family_id="varer", is_shippable="true"
    )
    await here.act(
        "/item_prices", id="x-NOK", name="X NOK", item_id="x", currency_code="NOK", price="10000"
    )
    made = await here.act(
        "/invoices/create_for_charge_items_and_charges",
        customer_id="c1",
        currency_code="NOK",
        item_prices__item_price_id__0="x-NOK",
    )
    return str(made["linked_orders"][0]["id"])


def facts(here: World, order_id: str) -> dict[str, Any]:
    found = here.publisher.last("order", order_id)
    held: dict[str, Any] = ((found.data if found else None) or {}).get("invoice") or {}
    return held


def test_a_payment_a_refund_and_a_credit_note_reach_the_order(address: str) -> None:
    async def scenario() -> None:
        async with world(address) as here:
            order_id = await sold(here)
            invoice_id = (await here.get(f"/orders/{order_id}"))["invoice_id"]
            async with running(here.source):
                await until(lambda: facts(here, order_id).get("balance") == "125")
                assert facts(here, order_id)["paid"] is False
                pay = {"transaction__payment_method": "cash", "transaction__amount": "12500"}
                await here.act(f"/invoices/{invoice_id}/record_payment", **pay)
                await until(lambda: facts(here, order_id).get("paid") is True)
                assert facts(here, order_id)["balance"] == "0"
                note = await here.act(
                    "/credit_notes",
                    reference_invoice_id=invoice_id,
                    type="refundable",
                    total="2500",
                )
                await until(lambda: facts(here, order_id).get("credited") == "25")
                number = note.get("id") or note["credit_note"]["id"]
                assert list(facts(here, order_id)["credit_notes"]) == [number]
                await here.act(f"/credit_notes/{number}/void")
                await until(lambda: facts(here, order_id).get("credited") == "0")
                assert not facts(here, order_id)["credit_notes"]

    run(scenario())


def test_a_void_reaches_the_order(address: str) -> None:
    async def scenario() -> None:
        async with world(address) as here:
            order_id = await sold(here)
            invoice_id = (await here.get(f"/orders/{order_id}"))["invoice_id"]
            async with running(here.source):
                await until(lambda: facts(here, order_id).get("void") is False)
                await here.act(f"/invoices/{invoice_id}/void", comment="Feil kunde")
                await until(lambda: facts(here, order_id).get("void") is True)

    run(scenario())


def test_an_order_date_that_our_write_covered_is_told_though_a_payment_came_after_it(
    address: str,
) -> None:
    async def scenario() -> None:
        async with world(address) as here:
            order_id = await sold(here)
            theirs, ours = "2026-07-01", "2026-07-02"
            noon_utc = int(datetime.fromisoformat(f"{theirs}T12:00:00+00:00").timestamp())
            edited = await here.act(f"/orders/{order_id}", order_date=str(noon_utc))
            pay = {"transaction__payment_method": "cash", "transaction__amount": "12500"}
            await here.act(f"/invoices/{edited['invoice_id']}/record_payment", **pay)
            written = await here.apply(
                "order", "update", target_id=order_id, fields={"order_date": ours}
            )
            told = {**event("order_updated", order=edited), "user": "kari@eksempel.no"}
            await here.source.webhook(json.dumps(told).encode())
            shown = [each for each in here.publisher.events if each.id == order_id]
            assert [each.data and each.data["order_date"] for each in shown] == [theirs, ours]
            assert shown[0].version < shown[1].version == written.version
            assert shown[0].made_by == "others"

    run(scenario())
