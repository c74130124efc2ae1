"""Invoices as the sales of a tenant, against the simulator: read by snapshot and events, imported,
never changed."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from runtime.vendor import NotFound
from services.chargebee_adapter.source import Source
from tests.contract.test_chargebee_adapter import (
    ORDER_UUID,
    World,
    _parties,
    address,
    pytest_generate_tests,
    run,
    running,
    until,
    weather,
    world,
)

__all__ = ["address", "pytest_generate_tests", "weather"]

INVOICES: dict[str, Any] = {"order": {"source": "invoices"}}
OWN = f"inv-{ORDER_UUID}"


async def goods(here: World, *, is_shippable: bool = False) -> None:
    """A customer, and an item with a price; what is not shippable is in no order of Chargebee."""
    await here.act("/customers", id="kari", first_name="Kari", last_name="Nordmann")
    await here.act("/item_families", id="varer", name="Varer")
    await here.act(
        "/items",
        id="pro",
        name="Pro",
        type="charge",
        item_family_id="varer",
        is_shippable=str(is_shippable).lower(),
    )
    await here.act(
        "/item_prices",
        id="pro-NOK",
        name="Pro NOK",
        item_id="pro",
        currency_code="NOK",
        price="50000",
        pricing_model="per_unit",
    )


async def bill(here: World, **facts: str) -> dict[str, Any]:
    return await here.act(
        "/invoices/create_for_charge_items_and_charges",
        customer_id="kari",
        currency_code="NOK",
        item_prices__item_price_id__0="pro-NOK",
        item_prices__quantity__0="2",
        **facts,
    )


async def pay(here: World, invoice: dict[str, Any]) -> None:
    await here.act(
        f"/invoices/{invoice['id']}/record_payment", transaction__payment_method="bank_transfer"
    )


def held(here: World, record_id: str) -> dict[str, Any]:
    event = here.publisher.last("order", record_id)
    return (event.data if event is not None else None) or {}


async def read_once(here: World) -> None:
    """Until every first reading is complete and the events have been asked for once."""
    async with running(here.source):
        await until(
            lambda: (
                len(here.publisher.completed) == 3
                and "events" in here.source.health["last_poll_at"]
            )
        )


async def counts(here: World) -> dict[str, int]:
    found: dict[str, int] = (
        await here.person.get(f"{here.address}/_sim/requests?user=tandem")
    ).json()["counts"]
    return found


# --- reading
# ------------------------------------------------------------------------------------------------


def test_a_snapshot_shows_invoices_and_no_orders(address: str) -> None:
    """One paid with an order beside it, one unpaid: both are sales, once each."""

    async def scenario() -> None:
        async with world(address, **INVOICES) as here:
            await goods(here, is_shippable=True)
            paid, unpaid = await bill(here, po_number="PO-1"), await bill(here)
            await pay(here, paid)
            await read_once(here)
            assert set(here.publisher.held["order"]) == {f"inv-{paid['id']}", f"inv-{unpaid['id']}"}
            first, second = held(here, f"inv-{paid['id']}"), held(here, f"inv-{unpaid['id']}")
            assert (first["number"], first["purchase_order"], first["total"]) == (
                paid["id"],
                "PO-1",
                "1250",
            )
            assert (first["invoice"]["paid"], second["invoice"]["paid"]) == (True, False)
            assert (first["invoice"]["balance"], second["invoice"]["balance"]) == ("0", "1250")
            assert [line["product_id"] for line in first["lines"]] == ["pro"]
            assert first["lines"][0]["quantity"] == "2"
            assert not any("/orders" in name for name in await counts(here))
            assert here.publisher.cursors["order"]["source"] == "invoices"

    run(scenario())


def test_invoices_before_the_start_are_not_read(address: str) -> None:
    async def scenario() -> None:
        async with world(address, **INVOICES) as here:
            await goods(here)
            old = await bill(
                here, invoice_date=str(int(datetime(2025, 12, 31, 11, tzinfo=UTC).timestamp()))
            )
            new = await bill(here)
            await read_once(here)
            assert set(here.publisher.held["order"]) == {f"inv-{new['id']}"}
            assert f"inv-{old['id']}" not in here.publisher.held["order"]

    run(scenario())


def test_another_source_is_read_from_the_beginning(address: str) -> None:
    """A complete reading of orders says nothing of invoices, and the other way round."""

    async def scenario() -> None:
        async with world(address) as here:
            await goods(here, is_shippable=True)
            await pay(here, await bill(here))
            await read_once(here)
            (order_id,) = here.publisher.held["order"]
            assert not order_id.startswith("inv-")
        # The same publisher: the cursors of the first reading are there.
        cursors = here.publisher.cursors
        async with world(address, **INVOICES) as again:
            await goods(again)
            invoice = await bill(again)
            again.publisher.cursors = cursors
            async with running(again.source):
                await until(lambda: bool(again.publisher.completed))
            assert {each.entity for each in again.publisher.completed} == {"order"}
            assert set(again.publisher.held["order"]) == {f"inv-{invoice['id']}"}

    run(scenario())


def test_events_bring_new_invoices_and_payments(address: str) -> None:
    async def scenario() -> None:
        async with world(address, **INVOICES) as here, running(here.source):
            await until(lambda: len(here.publisher.completed) == 3)
            await goods(here, is_shippable=True)
            invoice = await bill(here)
            name = f"inv-{invoice['id']}"
            await until(lambda: held(here, name).get("invoice", {}).get("paid") is False)
            before = here.publisher.last("order", name)
            await pay(here, invoice)
            await until(lambda: held(here, name).get("invoice", {}).get("paid") is True)
            after = here.publisher.last("order", name)
            assert before is not None
            assert after is not None
            assert before.version < after.version
            assert not any(
                not each.id.startswith("inv-")
                for each in here.publisher.events
                if each.entity == "order"
            )

    run(scenario())


def test_a_webhook_of_an_invoice_needs_no_request_and_one_that_names_it_needs_one(
    address: str,
) -> None:
    async def scenario() -> None:
        async with world(address, **INVOICES) as here:
            await goods(here)
            invoice = await bill(here)
            await here.source.webhook(
                body("invoice_generated", item_price={}, invoice=invoice)
            )  # learns the price
            await here.control("requests/clear", {})
            assert (
                await here.source.webhook(body("invoice_updated", invoice=invoice)) == 0
            )  # the same version
            assert await counts(here) == {}
            await pay(here, invoice)
            note = {"id": "CN-1", "reference_invoice_id": invoice["id"]}
            assert await here.source.webhook(body("credit_note_created", credit_note=note)) == 1
            assert held(here, f"inv-{invoice['id']}")["invoice"]["paid"] is True
            requests = await counts(here)
            assert sum(requests.values()) == 1, requests
            assert await here.source.webhook(body("order_updated", order={"id": "1"})) == 0
            assert (
                await here.source.webhook(
                    body(
                        "credit_note_created", credit_note={**note, "reference_invoice_id": "none"}
                    )
                )
                == 0
            )

    run(scenario())


_events = iter(range(1, 1000))


def body(kind: str, **content: Any) -> bytes:
    event = {
        "id": f"ev_t{next(_events)}",
        "occurred_at": 5,
        "event_type": kind,
        "api_version": "v2",
        "content": content,
    }
    return json.dumps(event).encode()


def test_our_own_import_is_known_as_ours(address: str) -> None:
    """The event of an import that our key made names it."""

    async def scenario() -> None:
        async with world(address, **INVOICES) as here, running(here.source):
            await until(lambda: len(here.publisher.completed) == 3)
            made = await here.apply(
                "order", "create", stamp=ORDER_UUID, fields=await _parties(here)
            )
            await until(lambda: any(each.id == OWN for each in here.publisher.events))
            event = here.publisher.last("order", OWN)
            assert event is not None
            assert (event.stamp, event.version, event.data) == (ORDER_UUID, made.version, made.data)

    run(scenario())


# --- writing
# ------------------------------------------------------------------------------------------------


def test_a_go_order_becomes_an_imported_invoice_alone(address: str) -> None:
    async def scenario() -> None:
        async with world(address, **INVOICES) as here:
            fields = await _parties(here)
            await here.control("requests/clear", {})
            outcome = await here.apply("order", "create", stamp=ORDER_UUID, fields=fields)
            assert (outcome.result, outcome.id, outcome.stamp) == ("applied", OWN, ORDER_UUID)
            assert outcome.data is not None
            assert [outcome.data[name] for name in ("net", "tax", "total")] == [
                "11418.75",
                "2854.69",
                "14273.44",
            ]
            assert outcome.data["number"] == ORDER_UUID
            assert await here.writes() == {"POST /invoices/import_invoice": 1}
            assert (await here.client.get("/orders"))["list"] == []

    run(scenario())


def test_what_chargebee_generates_for_the_import_is_put_on_hold(address: str) -> None:
    """A warehouse may ship what is queued, and Go has sold it; the order is no sale of its own."""

    async def scenario() -> None:
        async with world(address, **INVOICES) as here:
            fields = await _parties(here)
            await here.act("/items/go-9", is_shippable="true")
            await here.control("settings", {"orders_for_imported_invoices": True})
            outcome = await here.apply("order", "create", stamp=ORDER_UUID, fields=fields)
            assert outcome.id == OWN
            (made,) = (await here.client.get("/orders"))["list"]
            assert (made["order"]["status"], made["order"]["reference_id"]) == ("on_hold", "50001")

    run(scenario())


def test_an_import_whose_reply_was_lost_is_adopted(address: str) -> None:
    async def scenario() -> None:
        async with world(address, **INVOICES) as here:
            fields = await _parties(here)
            outcome = await here.create_after_lost_reply(
                "order", "POST /invoices/import_invoice", stamp=ORDER_UUID, fields=fields
            )
            assert (outcome.result, outcome.id) == ("adopted", OWN)
            again = await here.apply("order", "create", stamp=ORDER_UUID, fields=fields)
            assert (again.result, again.id, again.version) == ("adopted", OWN, outcome.version)
            assert len((await here.client.get("/invoices"))["list"]) == 1

    run(scenario())


def test_nothing_of_an_invoice_is_written(address: str) -> None:
    """A command of an older plan is answered with what stands there, and says what was not
    written."""

    async def scenario() -> None:
        async with world(address, **INVOICES) as here:
            made = await here.apply(
                "order", "create", stamp=ORDER_UUID, fields=await _parties(here)
            )
            await here.control("requests/clear", {})
            fields = {"order_date": "2026-10-25", "delivery_date": None}
            outcome = await here.apply("order", "update", target_id=OWN, fields=fields, expected={})
            assert (outcome.result, outcome.version, outcome.wrote) == (
                "applied",
                made.version,
                False,
            )
            assert list(outcome.skipped) == ["order_date"]
            assert await here.writes() == {}

    run(scenario())


@pytest.mark.parametrize("source", ["orders", "invoices"])
def test_a_record_of_the_other_source_is_read_as_what_it_is(address: str, source: str) -> None:
    """`replay` and `reconcile` reach pairs that were linked before the source was changed."""

    async def scenario() -> None:
        async with world(address, order={"source": source}) as here:
            await goods(here, is_shippable=True)
            invoice = await bill(here)
            await pay(here, invoice)
            order = (await here.client.get("/orders"))["list"][0]["order"]
            as_order = await here.apply("order", "verify", target_id=order["id"])
            as_invoice = await here.apply("order", "verify", target_id=f"inv-{invoice['id']}")
            assert (as_order.id, as_invoice.id) == (order["id"], f"inv-{invoice['id']}")
            assert (as_order.data or {})["total"] == (as_invoice.data or {})["total"] == "1250"
            with pytest.raises(NotFound):
                await here.apply("order", "verify", target_id="inv-none")

    run(scenario())


def test_a_run_reads_what_the_source_reads(address: str) -> None:
    """`reconcile` takes the same listing, and a reading of an unmoved invoice is the very one of
    the stream."""

    async def scenario() -> None:
        async with world(address, **INVOICES) as here:
            await goods(here)
            invoice = await bill(here)
            await read_once(here)
            before = here.publisher.last("order", f"inv-{invoice['id']}")
            again = Source(
                "demo", here.settings, here.client, here.publisher, clock=lambda: datetime.now(UTC)
            )
            await again.read_all(here.publisher, "order", "run-1")
            assert here.publisher.completed[-1].records == 1
            assert here.publisher.last("order", f"inv-{invoice['id']}") == before

    run(scenario())
