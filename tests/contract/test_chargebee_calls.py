"""What a command and an event cost in requests, and that what is saved guards no less."""

import asyncio
from collections import Counter
from typing import Any

import msgspec
import pytest

from contracts.entities import EntityName
from runtime.transport import MAX_READ_ATTEMPTS
from runtime.vendor import Retriable
from services.chargebee_adapter.mapping import id_of
from services.chargebee_adapter.product.canonical import Pricing
from services.chargebee_adapter.product.catalogue import MAX_REMEMBERED, Catalogue, Whole
from tests.contract.test_chargebee_adapter import (
    ORDER_UUID,
    PERSON,
    PRODUCT,
    World,
    _order,
    address,
    run,
    world,
)

__all__ = ["address"]

PLACE = {"line1": "Gate 2", "city": "Bergen", "zip": "5003", "country": "NO"}
DEARER = {"amount": "5000", "currency": "NOK"}
EDITS: list[tuple[EntityName, str, dict[str, Any], list[str]]] = [
    ("customer", "go-1", {"phone": "2"}, ["GET customer", "POST customer"]),
    ("customer", "go-1", {"address": PLACE}, ["GET customer", "POST update_billing_info"]),
    (
        "customer",
        "go-1",
        {"phone": "3", "address": {**PLACE, "city": "Hamar"}},
        ["GET customer", "POST customer", "POST update_billing_info"],
    ),
    ("product", "go-9", {"name": "Nytt"}, ["GET item", "POST item"]),
    ("product", "go-9", {"archived": True}, ["GET item", "POST item"]),
    ("product", "go-9", {"price": DEARER}, ["GET item_price", "POST item_price"]),
    (
        "product",
        "go-9",
        {"name": "Ny", "price": {**DEARER, "amount": "6000"}},
        ["GET item", "GET item_prices", "GET item_price", "POST item", "POST item_price"],
    ),
    (
        "order",
        ORDER_UUID,
        {"order_date": "2026-10-06"},
        ["GET order", "GET invoice", "POST order"],
    ),
]
_NAMES = {"customers": "customer", "items": "item", "orders": "order", "invoices": "invoice"}


async def asked(here: World) -> list[str]:
    """The sync's requests since the last call, by method and kind."""
    log = (await here.person.get(f"{here.address}/_sim/requests?user=tandem")).json()["log"]
    await here.control("requests/clear", {})
    return [f"{each['method']} {_kind(each['path'])}" for each in log]


def _kind(template: str) -> str:
    kind, *rest = template.strip("/").split("/")
    if not rest:
        return kind
    return rest[-1] if not rest[-1].startswith("{") else _NAMES.get(kind, kind.removesuffix("s"))


async def everything(here: World) -> None:
    await here.apply("customer", "create", stamp="go-1", fields=PERSON)
    await here.apply("product", "create", stamp="go-9", fields=PRODUCT)
    order = _order("go-1", "go-9")
    await here.apply("order", "create", stamp=ORDER_UUID, fields=order)
    # The item of a price that an order names is asked for once.
    await here.apply("order", "verify", target_id=ORDER_UUID)
    await asked(here)


async def told(here: World, subject: str, what: str, record: dict[str, Any], **more: Any) -> int:
    """Deliver a webhook; returns how many events were published."""
    event = {
        "id": f"ev_{subject}_{record.get('resource_version')}",
        "event_type": f"{subject}_{what}",
        "api_version": "v2",
        "occurred_at": 1,
        "content": {subject: record},
        **more,
    }
    return await here.source.webhook(msgspec.json.encode(event))


@pytest.mark.parametrize(("entity", "target_id", "fields", "requests"), EDITS)
def test_an_edit_costs_one_write_for_each_endpoint_and_the_read_that_guards_it(
    address: str, entity: EntityName, target_id: str, fields: dict[str, Any], requests: list[str]
) -> None:
    async def scenario() -> None:
        async with world(address) as here:
            await everything(here)
            outcome = await here.apply(entity, "update", target_id=target_id, fields=fields)
            assert (outcome.result, outcome.wrote) == ("applied", True)
            assert await asked(here) == requests
            assert outcome.calls == len(requests)
            assert outcome.data is not None
            for name, value in fields.items():
                held = outcome.data[name]
                assert held == (held | value if isinstance(value, dict) else value)

    run(scenario())


def test_a_product_that_is_not_known_is_read_whole_once(address: str) -> None:
    """As after a start of the process."""

    async def scenario() -> None:
        async with world(address) as here:
            await here.act("/item_families", id="f", name="f")
            await here.act("/items", id="i", name="I", type="charge", item_family_id="f")
            await here.act(
                "/item_prices",
                id="i-NOK",
                item_id="i",
                name="I NOK",
                price="100",
                currency_code="NOK",
                pricing_model="per_unit",
            )
            await asked(here)
            await here.apply("product", "update", target_id="i", fields={"name": "J"})
            assert await asked(here) == ["GET item", "GET item_prices", "POST item"]
            second = await here.apply("product", "update", target_id="i", fields={"name": "K"})
            assert await asked(here) == ["GET item", "POST item"]
            assert second.data is not None and second.data["price"]["amount"] == "1"
            stamped = await here.apply("product", "stamp", target_id="i", stamp="go-5")
            assert await asked(here) == ["GET item", "POST item"]
            assert stamped.stamp == "go-5"

    run(scenario())


def test_a_price_edited_meanwhile_is_not_overwritten(address: str) -> None:
    """Nobody told of the edit: the price is read by its id just before it would be written."""

    async def scenario() -> None:
        async with world(address) as here:
            await everything(here)
            await here.act("/item_prices/go-9-NOK", price="777")
            outcome = await here.apply(
                "product",
                "update",
                target_id="go-9",
                fields={"price": DEARER},
                expected={"price": PRODUCT["price"]},
            )
            assert (outcome.result, outcome.wrote) == ("stale", False)
            assert outcome.data is not None and outcome.data["price"]["amount"] == "7.77"
            item = await here.apply(
                "product",
                "update",
                target_id="go-9",
                fields={"name": "Annet"},
                expected={"name": "noe annet"},
            )
            assert (item.result, item.wrote) == ("stale", False)

    run(scenario())


HALVES: list[tuple[str, dict[str, str], dict[str, Any], str, Any]] = [
    ("item_prices/go-9-NOK", {"price": "777"}, {"name": "Ny"}, "price", {"amount": "7.77"}),
    ("items/go-9", {"description": "Deres"}, {"price": DEARER}, "description", "Deres"),
]


@pytest.mark.parametrize(("path", "theirs", "ours", "name", "held"), HALVES)
@pytest.mark.parametrize("when", ["before the read", "before the write"])
def test_the_half_that_a_command_leaves_alone_is_answered_as_it_is_known_by_then(
    address: str,
    monkeypatch: pytest.MonkeyPatch,
    when: str,
    path: str,
    theirs: dict[str, str],
    ours: dict[str, Any],
    name: str,
    held: Any,
) -> None:
    """An event tells of an edit of it: the answer's version is of that edit, or stands below it."""

    async def scenario() -> None:
        async with world(address) as here:
            await everything(here)
            kind = "item" if path.startswith("items") else "item_price"

            async def edited() -> None:
                record = await here.act(f"/{path}", **theirs)
                published = here.publisher.events
                here.publisher.events = []
                assert await told(here, kind, "updated", record)
                here.publisher.events = published  # the linker has not seen it yet

            if when == "before the read":
                await edited()
            else:
                post = here.client.post

                async def late(*given: Any, **named: Any) -> Any:
                    monkeypatch.undo()
                    await edited()
                    return await post(*given, **named)

                monkeypatch.setattr(here.client, "post", late)
            outcome = await here.apply("product", "update", target_id="go-9", fields=ours)
            assert outcome.data is not None and outcome.version is not None
            shown = outcome.data[name]
            assert (shown["amount"] == held["amount"]) if name == "price" else (shown == held)
            reread = await here.apply("product", "verify", target_id="go-9")
            assert (reread.version, reread.data) == (outcome.version, outcome.data)

    run(scenario())


def test_a_price_that_is_the_only_one_no_more_is_left_alone(address: str) -> None:
    """What is known of a product may be out of date: then it is read whole, and nothing is written
    in vain."""

    async def scenario() -> None:
        async with world(address) as here:
            await everything(here)
            await here.act("/item_prices/go-9-NOK", status="archived")
            outcome = await here.apply(
                "product", "update", target_id="go-9", fields={"price": DEARER}
            )
            assert "price" in outcome.skipped
            assert await here.writes() == {}
            assert Counter(await asked(here)) == Counter(
                ["GET item_price", "GET item", "GET item_prices"]
            )

    run(scenario())


def test_the_echo_of_our_own_write_costs_nothing_and_is_published_whole(address: str) -> None:
    async def scenario() -> None:
        async with world(address) as here:
            await everything(here)
            outcome = await here.apply(
                "product", "update", target_id="go-9", fields={"name": "Nytt"}
            )
            await asked(here)
            item = await here.get("/items/go-9")
            price = await here.get("/item_prices/go-9-NOK")
            assert await told(here, "item", "updated", item) == 1
            assert await told(here, "item_price", "updated", price) == 0
            assert await asked(here) == []
            seen = here.publisher.last("product", "go-9")
            assert seen is not None
            assert (seen.data, seen.version, seen.stamp) == (
                outcome.data,
                outcome.version,
                outcome.stamp,
            )

    run(scenario())


def test_the_edit_of_somebody_else_is_read_whole(address: str) -> None:
    """Once, however often it is told; a version without a number of its own proves nothing."""

    async def scenario() -> None:
        async with world(address) as here:
            await everything(here)
            item = await here.act("/items/go-9", external_name="Brett")
            await here.act("/item_prices/go-9-NOK", price="777")
            assert await told(here, "item", "updated", item) == 1
            assert await asked(here) == ["GET item", "GET item_prices"]
            seen = here.publisher.last("product", "go-9")
            assert seen is not None and seen.data is not None
            assert (seen.data["name"], seen.data["price"]["amount"]) == ("Brett", "7.77")
            assert await told(here, "item", "updated", item, id="another") == 0
            assert await asked(here) == []
            unnumbered = {name: value for name, value in item.items() if name != "resource_version"}
            assert await told(here, "item", "updated", unnumbered) == 0
            assert await asked(here) == ["GET item", "GET item_prices"]

    run(scenario())


def late_lists(address: str) -> dict[str, Any]:
    """The settings of a site whose lists may be five minutes late."""
    site = {"base_url": f"{address}/api/v2", "api_key": "key", "prices": "net"}
    return {**site, "list_lag_s": 300}


def test_what_is_listed_late_after_a_start_is_not_taken_for_known(address: str) -> None:
    """Another process may have published newer prices just before: until lists must show them,
    every event has its product read."""

    async def scenario() -> None:
        async with world(address, chargebee=late_lists(address)) as here:
            await everything(here)
            item = await here.get("/items/go-9")
            assert await told(here, "item", "updated", item) == 1
            assert await asked(here) == ["GET item", "GET item_prices", "GET item_price"]

    run(scenario())


def test_a_price_that_lists_do_not_show_yet_after_a_start_is_not_taken_back(address: str) -> None:
    """An earlier process has published it; its price is read by its id, which does not lag."""

    async def scenario() -> None:
        async with world(address, chargebee=late_lists(address)) as here:
            await everything(here)
            await here.control("settings", {"clock_offset_s": 600})
            await here.act("/item_prices/go-9-NOK", price="777")
            await here.control("settings", {"list_lag_s": 300})
            here.source._catalogue.forget()
            outcome = await here.apply("product", "update", target_id="go-9", fields={"name": "Ny"})
            assert outcome.data is not None and outcome.data["price"]["amount"] == "7.77"

    run(scenario())


def test_an_order_of_known_products_costs_no_look_at_their_prices(address: str) -> None:
    """A price that went meanwhile is refused; then the prices are looked up and the sale stands."""

    async def scenario() -> None:
        async with world(address) as here:
            await everything(here)
            order = _order("go-1", "go-9")
            await here.apply("order", "create", stamp="go-8", fields=order)
            assert await asked(here) == [
                "POST import_invoice",
                "GET orders",
                "POST import_order",
                "POST order",
            ]
            await here.apply("product", "create", stamp="go-10", fields={**PRODUCT, "code": "3"})
            await here.act("/item_prices/go-10-NOK/delete")  # nobody tells
            await asked(here)
            outcome = await here.apply(
                "order", "create", stamp="go-7", fields=_order("go-1", "go-10")
            )
            assert outcome.result == "applied"
            assert (await asked(here))[:3] == [
                "POST import_invoice",
                "GET item_prices",
                "POST import_invoice",
            ]

    run(scenario())


def test_a_product_that_is_remembered_without_a_price_is_looked_up(address: str) -> None:
    """Somebody priced it meanwhile, and nobody told."""

    async def scenario() -> None:
        async with world(address) as here:
            await everything(here)
            await here.apply("product", "create", stamp="go-10", fields={"name": "B", "code": "b"})
            await here.act(
                "/item_prices",
                id="b-NOK",
                item_id="go-10",
                name="B NOK",
                price="100",
                currency_code="NOK",
                pricing_model="per_unit",
            )
            await here.apply("order", "create", stamp="go-7", fields=_order("go-1", "go-10"))
            invoice = await here.get("/invoices/go-7")
            assert "b-NOK" in {line.get("entity_id") for line in invoice["line_items"]}

    run(scenario())


def test_only_the_newest_products_are_remembered() -> None:
    catalogue = Catalogue(Pricing("NOK"))
    for number in range(MAX_REMEMBERED + 1):
        catalogue.remember(Whole({"id": f"i{number}", "resource_version": number}, ()))
    assert catalogue.remembered("i0") is None
    newest = catalogue.remembered(f"i{MAX_REMEMBERED}")
    assert newest is not None and id_of(newest.item) == f"i{MAX_REMEMBERED}"
    catalogue.remember(Whole({"id": "i9", "resource_version": 1}, ()))
    kept = catalogue.remembered("i9")
    assert kept is not None and kept.item["resource_version"] == 9


def test_an_event_that_is_under_way_is_waited_for_and_read_once(address: str) -> None:
    """By two webhooks and the events API; where the first could not be taken, the next is."""

    async def scenario() -> None:
        async with world(address) as here:
            await everything(here)
            item = await here.act("/items/go-9", external_name="Brett")
            await here.control(
                "faults",
                {"faults": [{"kind": "500", "match": "GET /items", "count": MAX_READ_ATTEMPTS}]},
            )
            told_of = [told(here, "item", "updated", item) for _ in range(3)]
            answers = await asyncio.gather(*told_of, return_exceptions=True)
            assert [each for each in answers if isinstance(each, int)] == [1, 0]
            assert sum(isinstance(each, Retriable) for each in answers) == 1
            assert (await asked(here))[-2:] == ["GET item", "GET item_prices"]
            assert await told(here, "item", "updated", item) == 0
            assert await asked(here) == []

    run(scenario())
