"""Records whose ids hold a `/` through source and sink, against the simulator; and ids that nothing
can be sent to."""

import msgspec
import pytest

from runtime.vendor import Refused
from tests.contract.test_chargebee_adapter import World, address, run, running, until, world

__all__ = ["address"]

ITEM = {
    "id": "kurs/dag",
    "name": "Kurs per dag",
    "type": "charge",
    "item_family_id": "varer",
    "is_shippable": "true",
}
PRICE = {
    "id": "kurs/dag-NOK",
    "item_id": "kurs/dag",
    "name": "kurs/dag NOK",
    "price": "10000",
    "currency_code": "NOK",
    "pricing_model": "per_unit",
}
CUSTOMER = {"id": "ACME/Oslo", "company": "Acme Oslo AS", "email": "post@acme.example"}


async def add(here: World) -> None:
    await here.act("/item_families", id="varer", name="Varer")
    await here.act("/items", **ITEM)
    await here.act("/item_prices", **PRICE)
    await here.act("/customers", **CUSTOMER)
    # A neighbour that a wrong path would meet.
    await here.act("/customers", id="ACME", company="Acme AS")


async def sold(here: World) -> None:
    lines = {"item_prices__item_price_id__0": "kurs/dag-NOK"}
    invoice = await here.act(
        "/invoices/create_for_charge_items_and_charges",
        customer_id="ACME/Oslo",
        currency_code="NOK",
        **lines,
    )
    await here.act(f"/invoices/{invoice['id']}/record_payment", transaction__payment_method="cash")


@pytest.mark.parametrize("way", ["snapshot", "events"])
def test_records_with_a_slash_are_read(address: str, way: str) -> None:
    async def scenario() -> None:
        async with world(address) as here:
            if way == "snapshot":
                await add(here)
                await sold(here)
            async with running(here.source):
                await until(lambda: len(here.publisher.completed) == 3)
                if way == "events":
                    await add(here)
                    await sold(here)
                await until(lambda: here.publisher.last("order", "1") is not None)
                await until(lambda: here.publisher.last("product", "kurs/dag") is not None)
            product, order = (
                here.publisher.last("product", "kurs/dag"),
                here.publisher.last("order", "1"),
            )
            customer = here.publisher.last("customer", "ACME/Oslo")
            assert product is not None
            assert product.data is not None
            assert (product.data["name"], product.data["price"]) == (
                "Kurs per dag",
                {"amount": "100", "currency": "NOK"},
            )
            assert order is not None
            assert order.data is not None
            assert (order.data["customer_id"], order.data["lines"][0]["product_id"]) == (
                "ACME/Oslo",
                "kurs/dag",
            )
            assert customer is not None
            assert [each.problem for each in here.publisher.events if each.problem] == []

    run(scenario())


def test_records_with_a_slash_are_written(address: str) -> None:
    async def scenario() -> None:
        async with world(address) as here:
            await add(here)
            place = {"line1": "Gate 2", "city": "Bergen", "zip": "5003", "country": "NO"}
            customer = await here.apply(
                "customer", "update", target_id="ACME/Oslo", fields={"phone": "2", "address": place}
            )
            assert customer.data is not None
            assert (customer.id, customer.data["phone"], customer.data["address"]["city"]) == (
                "ACME/Oslo",
                "2",
                "Bergen",
            )
            product = await here.apply(
                "product",
                "update",
                target_id="kurs/dag",
                fields={"name": "Dag", "price": {"amount": "5", "currency": "NOK"}},
            )
            assert product.data is not None
            assert (product.id, product.data["name"], product.data["price"]["amount"]) == (
                "kurs/dag",
                "Dag",
                "5",
            )
            stamped = await here.apply("product", "stamp", target_id="kurs/dag", stamp="go-5")
            assert (stamped.id, stamped.stamp) == ("kurs/dag", "go-5")
            assert "phone" not in await here.get("/customers/ACME")

    run(scenario())


ODD = ["a//b", "a/../b", "ACME/delete", "ACME/update_billing_info", "x" * 51]


@pytest.mark.parametrize("odd", ODD)
def test_an_id_that_nothing_can_be_sent_to_is_a_problem_in_words(address: str, odd: str) -> None:
    async def scenario() -> None:
        async with world(address) as here:
            await here.act("/customers", id="ACME", company="Acme AS")
            record = {"id": odd, "company": "Odd AS", "resource_version": 1795000000000}
            item = {
                "id": odd * 20,
                "name": "X",
                "type": "charge",
                "resource_version": 1795000000000,
            }
            price = {"id": "p", "item_id": odd * 20, "resource_version": 1795000000001}
            await here.control("requests/clear", {})
            for subject, content in (("customer", record), ("item", item), ("item_price", price)):
                event = {
                    "id": "",
                    "event_type": f"{subject}_created",
                    "occurred_at": 1,
                    "content": {subject: content},
                }
                assert await here.source.webhook(msgspec.json.encode(event)) == 1
            for seen in here.publisher.events:
                assert seen.problem is not None
                assert (seen.problem.code, seen.problem.field, seen.data) == (
                    "unaddressable",
                    "id",
                    None,
                )
            assert [each.entity for each in here.publisher.events] == [
                "customer",
                "product",
                "product",
            ]
            for op in ("update", "verify", "stamp"):
                with pytest.raises(Refused, match="cannot be asked for"):
                    await here.apply(
                        "customer", op, target_id=odd, fields={"phone": "1"}, stamp="go-1"
                    )
            counts = (await here.person.get(f"{address}/_sim/requests?user=tandem")).json()[
                "counts"
            ]
            assert counts == {}

    run(scenario())


def test_an_order_that_names_such_a_price_is_a_problem_in_words(address: str) -> None:
    async def scenario() -> None:
        async with world(address) as here:
            line = {"id": "1", "entity_type": "charge_item_price", "entity_id": "a//b", "amount": 1}
            order = {
                "id": "7",
                "currency_code": "NOK",
                "order_date": 1795000000,
                "order_line_items": [line],
                "resource_version": 1795000000000,
            }
            event = {"event_type": "order_created", "occurred_at": 1, "content": {"order": order}}
            assert await here.source.webhook(msgspec.json.encode(event)) == 1
            problem = here.publisher.events[0].problem
            assert problem is not None
            assert (problem.code, problem.field) == ("unaddressable", "lines")

    run(scenario())
