"""Orders of Go in Chargebee: the order that Chargebee makes of the imported invoice is taken and
put on hold, since a warehouse ships what is queued. Against the simulator."""

from typing import Any

import msgspec
import pytest

from runtime.vendor import Refused, Retriable
from tests.contract.test_chargebee_adapter import (
    ORDER_UUID,
    PRODUCT,
    World,
    _order,
    _parties,
    address,
    run,
    world,
)

__all__ = ["address"]

pytestmark = pytest.mark.calm
USUAL = {
    "orders_for_imported_invoices": True,
    "shipments_per_invoice": 1,
    "late_orders_s": 0.0,
    "clock_offset_s": 0.0,
}


async def goods(here: World, **settings: Any) -> dict[str, Any]:
    """An order of Go of which the first line is goods, on a site that makes orders of imported
    invoices."""
    fields = await _parties(here)
    await here.act("/items/go-9", is_shippable="true")
    await here.control("settings", {**USUAL, **settings})
    await here.control("requests/clear", {})
    return fields


async def counts(here: World) -> dict[str, int]:
    """The requests of the sync."""
    found: dict[str, int] = (
        await here.person.get(f"{here.address}/_sim/requests?user=tandem")
    ).json()["counts"]
    return {name: count for name, count in found.items() if count}


async def orders_of(here: World, invoice_id: str = ORDER_UUID) -> list[dict[str, Any]]:
    listed = (await here.person.get(f"{here.address}/api/v2/invoices/{invoice_id}/orders")).json()[
        "list"
    ]
    return sorted(
        (each["order"] for each in listed),
        key=lambda each: int(each["id"]) if each["id"].isdigit() else 0,
    )


def test_a_generated_order_is_taken_and_put_on_hold(address: str) -> None:
    async def scenario() -> None:
        async with world(address) as here:
            fields = await goods(here)
            outcome = await here.apply("order", "create", stamp=ORDER_UUID, fields=fields)
            assert (outcome.result, outcome.stamp, outcome.wrote) == ("applied", ORDER_UUID, True)
            (order,) = await orders_of(here)
            assert (order["id"], order["status"], order["reference_id"]) == (
                outcome.id,
                "on_hold",
                "50001",
            )
            assert outcome.data is not None
            assert outcome.data["fulfilment"] == "on_hold"
            # It holds the share of the goods; the invoice says the whole.
            assert (outcome.data["total"], outcome.data["invoice"]["total"]) == (
                "11475",
                "14273.44",
            )
            assert await counts(here) == {
                "POST /invoices/import_invoice": 1,
                "GET /invoices/{id}/orders": 1,
                "POST /orders/{id}": 1,
            }
            again = await here.apply("order", "create", stamp=ORDER_UUID, fields=fields)
            assert (again.result, again.id, again.version) == (
                "adopted",
                outcome.id,
                outcome.version,
            )
            assert (await counts(here))["POST /orders/{id}"] == 1

    run(scenario())


def test_an_imported_order_shows_gos_number_by_one_write(address: str) -> None:
    async def scenario() -> None:
        async with world(address) as here:
            fields = await _parties(here)
            await here.control("requests/clear", {})
            outcome = await here.apply("order", "create", stamp=ORDER_UUID, fields=fields)
            (order,) = await orders_of(here)
            assert (order["id"], order["status"], order["reference_id"]) == (
                ORDER_UUID,
                "on_hold",
                "50001",
            )
            assert outcome.version is not None
            assert outcome.version.startswith(str(order["resource_version"]))
            assert await counts(here) == {
                "POST /invoices/import_invoice": 1,
                "GET /invoices/{id}/orders": 1,
                "POST /orders/import_order": 1,
                "POST /orders/{id}": 1,
            }

    run(scenario())


@pytest.mark.parametrize("number", [{"invoice": None}, {"invoice": {"number": None, "paid": None}}])
def test_the_number_of_the_order_stands_in_for_that_of_the_invoice(
    address: str, number: dict[str, Any]
) -> None:
    async def scenario() -> None:
        async with world(address) as here:
            fields = await goods(here) | number
            await here.apply("order", "create", stamp=ORDER_UUID, fields=fields)
            assert [each["reference_id"] for each in await orders_of(here)] == ["20001"]

    run(scenario())


def test_every_shipment_is_put_on_hold(address: str) -> None:
    async def scenario() -> None:
        async with world(address) as here:
            fields = await goods(here, shipments_per_invoice=2)
            outcome = await here.apply("order", "create", stamp=ORDER_UUID, fields=fields)
            held = await orders_of(here)
            assert [each["status"] for each in held] == ["on_hold", "on_hold"]
            assert outcome.id == held[0]["id"]

    run(scenario())


def test_a_lost_reply_of_the_hold_ends_in_one_order_on_hold(address: str) -> None:
    async def scenario() -> None:
        async with world(address) as here:
            fields = await goods(here)
            outcome = await here.create_after_lost_reply(
                "order", "POST /orders/{", stamp=ORDER_UUID, fields=fields
            )
            assert outcome.result == "adopted"
            assert [each["status"] for each in await orders_of(here)] == ["on_hold"]
            assert (await counts(here))["POST /orders/{id}"] == 1

    run(scenario())


def test_a_hold_that_was_cut_off_is_made_up_for(address: str) -> None:
    async def scenario() -> None:
        async with world(address) as here:
            fields = await goods(here)
            await here.control(
                "faults", {"faults": [{"kind": "error", "status": 503, "match": "POST /orders/{"}]}
            )
            command = here.command("order", "create", stamp=ORDER_UUID, fields=fields)
            with pytest.raises(Retriable) as lost:
                await here.sink.apply(command)
            assert lost.value.maybe_applied
            assert [each["status"] for each in await orders_of(here)] == ["queued"]
            outcome = await here.sink.apply(msgspec.structs.replace(command, look_first=True))
            assert (outcome.result, outcome.wrote) == ("adopted", True)
            assert [each["status"] for each in await orders_of(here)] == ["on_hold"]

    run(scenario())


@pytest.mark.parametrize(
    ("status", "stays"),
    [("delivered", True), ("shipped", True), ("cancelled", True), ("awaiting_shipment", False)],
)
def test_goods_on_their_way_are_not_called_back(address: str, status: str, stays: bool) -> None:
    async def scenario() -> None:
        async with world(address) as here:
            fields = await goods(here)
            await here.control(
                "faults", {"faults": [{"kind": "error", "status": 503, "match": "POST /orders/{"}]}
            )
            command = here.command("order", "create", stamp=ORDER_UUID, fields=fields)
            with pytest.raises(Retriable):
                await here.sink.apply(command)
            (order,) = await orders_of(here)
            if status == "cancelled":
                await here.act(f"/orders/{order['id']}/cancel", cancellation_reason="others")
            else:
                await here.act(f"/orders/{order['id']}", status=status)
            outcome = await here.sink.apply(msgspec.structs.replace(command, look_first=True))
            assert (outcome.result, outcome.id) == ("adopted", order["id"])
            (after,) = await orders_of(here)
            assert after["status"] == (status if stays else "on_hold")
            assert after.get("reference_id") == (None if status == "cancelled" else "50001")

    run(scenario())


def test_a_hold_that_is_refused_does_not_undo_the_sale(address: str) -> None:
    async def scenario() -> None:
        async with world(address) as here:
            fields = await goods(here)
            fault = {
                "kind": "error",
                "status": 400,
                "api_error_code": "invalid_request",
                "match": "POST /orders/{",
            }
            await here.control("faults", {"faults": [fault]})
            outcome = await here.apply("order", "create", stamp=ORDER_UUID, fields=fields)
            assert outcome.data is not None
            assert (outcome.result, outcome.data["fulfilment"]) == ("applied", "queued")

    run(scenario())


# --- an order that shows up late
# ----------------------------------------------------------------------------


async def late(here: World) -> str:
    """The id of an order that Chargebee made after our own import."""
    await here.apply(
        "order", "create", stamp=ORDER_UUID, fields=await goods(here, late_orders_s=3600.0)
    )
    await here.control("settings", {"clock_offset_s": 7200.0})
    found = [each["id"] for each in await orders_of(here) if each["id"] != ORDER_UUID]
    await here.control("requests/clear", {})
    assert len(found) == 1
    return str(found[0])


async def hold(here: World, order_id: str, **facts: Any) -> Any:
    return await here.apply(
        "order", "update", target_id=order_id, fields={"fulfilment": "on_hold"}, **facts
    )


def test_a_late_order_is_put_on_hold_once(address: str) -> None:
    async def scenario() -> None:
        async with world(address) as here:
            order_id = await late(here)
            first = await hold(here, order_id, expected={"fulfilment": "queued"})
            assert (first.result, first.wrote, first.data["fulfilment"]) == (
                "applied",
                True,
                "on_hold",
            )
            assert await here.writes() == {"POST /orders/{id}": 1}
            again = await hold(here, order_id, expected={"fulfilment": "queued"})
            assert (again.result, again.wrote, again.version) == ("applied", False, first.version)
            assert await here.writes() == {"POST /orders/{id}": 1}

    run(scenario())


@pytest.mark.parametrize("status", ["shipped", "delivered", "awaiting_shipment", "cancelled"])
def test_what_is_not_queued_any_more_is_left_alone(address: str, status: str) -> None:
    async def scenario() -> None:
        async with world(address) as here:
            order_id = await late(here)
            if status == "cancelled":
                await here.act(f"/orders/{order_id}/cancel", cancellation_reason="others")
            else:
                await here.act(f"/orders/{order_id}", status=status)
            outcome = await hold(here, order_id, expected={"fulfilment": "queued"})
            assert (outcome.result, outcome.wrote, outcome.data["fulfilment"]) == (
                "applied",
                False,
                status,
            )
            assert await here.writes() == {}

    run(scenario())


def test_a_lost_reply_of_a_late_hold_is_not_written_twice(address: str) -> None:
    async def scenario() -> None:
        async with world(address) as here:
            order_id = await late(here)
            await here.drop_reply("POST /orders/{")
            command = here.command(
                "order", "update", target_id=order_id, fields={"fulfilment": "on_hold"}
            )
            with pytest.raises(Retriable):
                await here.sink.apply(command)
            outcome = await here.sink.apply(msgspec.structs.replace(command, look_first=True))
            assert (outcome.result, outcome.wrote) == ("applied", True)
            assert await here.writes() == {"POST /orders/{id}": 1}

    run(scenario())


def test_a_date_edited_meanwhile_keeps_the_hold_back(address: str) -> None:
    async def scenario() -> None:
        async with world(address) as here:
            order_id = await late(here)
            outcome = await here.apply(
                "order",
                "update",
                target_id=order_id,
                fields={"fulfilment": "on_hold", "order_date": "2026-10-07"},
                expected={"order_date": "2026-01-01"},
            )
            assert (outcome.result, await here.writes()) == ("stale", {})

    run(scenario())


# --- amounts and products
# -----------------------------------------------------------------------------------


def test_a_negative_line_is_a_discount_that_adds_up(address: str) -> None:
    async def scenario() -> None:
        async with world(address) as here:
            fields = await _parties(here)
            back = {
                "id": "13",
                "description": "Rabatt",
                "unit_price": "-180",
                "net": "-180",
                "tax": "-45",
            }
            fields |= {
                "lines": [*fields["lines"], back],
                "net": "11238.75",
                "tax": "2809.69",
                "total": "14048.44",
            }
            outcome = await here.apply("order", "create", stamp=ORDER_UUID, fields=fields)
            assert outcome.data is not None
            assert [outcome.data[name] for name in ("net", "tax", "total")] == [
                "11238.75",
                "2809.69",
                "14048.44",
            ]
            assert [line["net"] for line in outcome.data["lines"]] == ["9000", "2238.75"]
            invoice = await here.get(f"/invoices/{ORDER_UUID}")
            assert (invoice["total"], invoice["status"]) == (1404844, "paid")

    run(scenario())


def test_a_negative_line_without_room_is_refused_before_any_write(address: str) -> None:
    async def scenario() -> None:
        async with world(address) as here:
            fields = _order("go-17", None)
            back = {
                "id": "13",
                "description": "Rabatt",
                "unit_price": "-180",
                "net": "-180",
                "tax": "-27",
            }
            fields |= {"lines": [*fields["lines"], back], "net": "11238.75", "total": "14066.44"}
            with pytest.raises(
                Refused, match="line 3 of -180 NOK and -27 VAT cannot be a discount"
            ) as refused:
                await here.apply("order", "create", stamp=ORDER_UUID, fields=fields)
            assert (refused.value.code, refused.value.field) == ("negative_line", "lines")
            assert await here.writes() == {}

    run(scenario())


@pytest.mark.parametrize(("shippable", "made"), [(True, True), (False, False), (None, False)])
def test_goods_of_go_are_made_shippable(address: str, shippable: bool | None, made: bool) -> None:
    async def scenario() -> None:
        async with world(address) as here:
            fields = PRODUCT if shippable is None else {**PRODUCT, "shippable": shippable}
            outcome = await here.apply("product", "create", stamp="go-9", fields=fields)
            assert outcome.data is not None
            assert outcome.data["shippable"] is made
            assert (await here.get("/items/go-9"))["is_shippable"] is made

    run(scenario())
