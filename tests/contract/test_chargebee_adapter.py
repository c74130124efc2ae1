"""Client, source and sink of the Chargebee adapter against the simulator, over HTTP."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec
import pytest
from pydantic import SecretStr

from contracts.entities import EntityName, System
from contracts.messages import Command, Observed, Outcome, SnapshotCompleted
from contracts.settings import Tenant
from runtime.publisher import Known
from runtime.rate_limiter import RateLimiter
from runtime.transport import VendorTransport
from runtime.vendor import Refused, Retriable, Unauthorised
from services.chargebee_adapter.authors import Authors
from services.chargebee_adapter.client import ChargebeeClient
from services.chargebee_adapter.mapping import MAPPING
from services.chargebee_adapter.product.catalogue import Catalogue, pricing_of
from services.chargebee_adapter.sink import Sink
from services.chargebee_adapter.source import Source
from tests import waiting
from tests.contract.weather import (
    WEATHER,
    connections,
    made_new,
    pytest_generate_tests,
    through_the_weather,
    weather,
)
from tests.waiting import PATIENCE_S

__all__ = ["pytest_generate_tests", "weather"]

ORDER_UUID = "go-6f9619ff-8b86-4d01-b42d-00cf4fc964ff"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A simulator of its own for this module, without a rate limit."""
    arguments = ["--port", "0", "--api-key", "key", "--rate-limit", "0", "--data", "empty"]
    arguments += ["--extra-api-key", "person=key2"]
    command = [sys.executable, "-m", "simulators.chargebee", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert " on http" in line, line
            yield line.split(" on ", 1)[1].strip().removesuffix("/api/v2")
        finally:
            process.terminate()


@dataclass
class MemoryPublisher:
    """What a source needs of Kafka, in memory."""

    events: list[Observed] = field(default_factory=list)
    completed: list[SnapshotCompleted] = field(default_factory=list)
    cursors: dict[str, dict[str, Any]] = field(default_factory=dict)
    held: dict[str, dict[str, Known]] = field(default_factory=dict)

    def cursor(self, tenant: str, system: System, entity: str) -> dict[str, Any] | None:
        return self.cursors.get(entity)

    async def save_cursor(
        self, tenant: str, system: System, entity: str, value: dict[str, Any]
    ) -> None:
        self.cursors[entity] = value

    async def publish(self, events: Sequence[Observed]) -> int:
        sent = len(self.events)
        moved = set[tuple[str, str]]()
        for event in events:
            held = self.held.setdefault(event.entity, {})
            known, record = held.get(event.id), (event.entity, event.id)
            if known is None or record in moved or not known.stands_for(event):
                moved.add(record)
                self.events.append(event)
                if known is None or not known.is_newer_than(event):
                    held[event.id] = Known.of(event)
        return len(self.events) - sent

    async def snapshot_completed(self, message: SnapshotCompleted) -> None:
        self.completed.append(message)

    def known(self, tenant: str, system: System, entity: EntityName) -> Mapping[str, Known]:
        return self.held.setdefault(entity, {})

    def max_observation(self, tenant: str, system: System) -> int:
        return 0

    def last(self, entity: str, record_id: str) -> Observed | None:
        found = [each for each in self.events if each.entity == entity and each.id == record_id]
        return found[-1] if found else None


@dataclass
class World:
    """One tenant against the simulator, and a person with a key of his own."""

    address: str
    settings: Tenant
    http: VendorTransport
    client: ChargebeeClient
    source: Source
    sink: Sink
    publisher: MemoryPublisher
    person: httpx.AsyncClient
    seq: int = 0

    async def act(self, resource: str, **params: str) -> dict[str, Any]:
        """A person's write; double underscores stand for brackets."""
        named = {_wire(name): value for name, value in params.items()}
        answer = await self.person.post(f"{self.address}/api/v2{resource}", data=named)
        assert answer.is_success, answer.text
        body: dict[str, Any] = answer.json()
        return next(iter(body.values()))

    async def get(self, resource: str) -> dict[str, Any]:
        answer = await self.person.get(f"{self.address}/api/v2{resource}")
        body: dict[str, Any] = answer.json()
        return next(iter(body.values()))

    async def control(self, what: str, content: Any) -> None:
        answer = await self.person.post(f"{self.address}/_sim/{what}", json=content)
        assert answer.is_success, answer.text

    async def drop_reply(self, match: str) -> None:
        await self.control(
            "faults", {"faults": [{"kind": "drop_reply_after_commit", "match": match}]}
        )

    async def writes(self) -> dict[str, int]:
        """How often the sync has written to each path."""
        facts = (await self.person.get(f"{self.address}/_sim/requests?user=tandem")).json()
        return {name: count for name, count in facts["counts"].items() if name.startswith("POST")}

    def command(self, entity: EntityName, op: Any, **facts: Any) -> Command:
        self.seq += 1
        base: dict[str, Any] = {
            "tenant": "demo",
            "entity": entity,
            "link": "l",
            "seq": self.seq,
            "target": "chargebee",
            "op": op,
            "lane": "live",
            "cause": "test",
            "mapping": MAPPING,
        }
        return Command(**(base | facts))

    async def apply(self, entity: EntityName, op: Any, **facts: Any) -> Outcome:
        return await through_the_weather(self.sink, self.command(entity, op, **facts))

    async def create_after_lost_reply(
        self, entity: EntityName, match: str, **facts: Any
    ) -> Outcome:
        """A create whose reply is lost after the vendor committed, then applied again looking
        first."""
        await self.drop_reply(match)
        command = self.command(entity, "create", **facts)
        with pytest.raises(Retriable) as lost:
            await self.sink.apply(command)
        assert lost.value.maybe_applied
        return await through_the_weather(
            self.sink, msgspec.structs.replace(command, look_first=True)
        )


def _wire(name: str) -> str:
    first, *rest = name.split("__")
    return first + "".join(f"[{part}]" for part in rest)


def _settings(address: str, **changes: Any) -> Tenant:
    secret = SecretStr("x")
    content: dict[str, Any] = {
        "chargebee": {
            "base_url": f"{address}/api/v2",
            "api_key": SecretStr("key"),
            "prices": "net",
            "list_lag_s": 0,
            "events_interval_s": 0.05,
        },
        "poweroffice": {
            "base_url": "http://127.0.0.1:1/v2",
            "token_url": "http://127.0.0.1:1/t",
            "application_key": secret,
            "client_key": secret,
            "subscription_key": secret,
        },
        "start": {"orders": "2026-01-01"},
    }
    return Tenant.model_validate(content | changes)


@asynccontextmanager
async def world(address: str, data: str = "empty", **changes: Any) -> AsyncIterator[World]:
    settings = _settings(address, **changes)
    http = connections()
    client = ChargebeeClient(settings.chargebee, http)
    publisher, catalogue = MemoryPublisher(), Catalogue(pricing_of(settings))

    def clock() -> datetime:
        return datetime.now(UTC)

    authors = Authors()
    source = Source(
        "demo", settings, client, publisher, clock=clock, catalogue=catalogue, authors=authors
    )
    sink = Sink("demo", settings, client, clock=clock, catalogue=catalogue, authors=authors)
    async with httpx.AsyncClient(auth=("key2", ""), trust_env=False, timeout=PATIENCE_S) as person:
        made = World(address, settings, http, client, source, sink, publisher, person)
        await made.control("reset", {"data": data})
        await made.control("faults", {"clear": True})
        await made.control("requests/clear", {})
        calm = {"orders_for_imported_invoices": False, "list_lag_s": 0, "clock_offset_s": 0}
        await made.control("settings", calm)
        try:
            yield made
        finally:
            await http.aclose()


def run(scenario: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(scenario, PATIENCE_S))


async def until(holds: Callable[[], bool]) -> None:
    await waiting.until("what the test waits for there", holds)


@asynccontextmanager
async def running(source: Source) -> AsyncIterator[None]:
    task = asyncio.create_task(source.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


PERSON = {
    "kind": "person",
    "first_name": "Åse",
    "last_name": "Bøe",
    "email": "ase@eksempel.no",
    "phone": "+47 90000000",
    "address": {"line1": "Storgata 1", "city": "Oslo", "zip": "0150", "country": "NO"},
    "vat_exempt": False,
}
PRODUCT = {
    "code": "3201",
    "name": "Nettbrett 11 tommer",
    "description": "Til kassepunkt",
    "unit": "EA",
    "kind": "charge",
    "price": {"amount": "4590", "currency": "NOK"},
}


# --- customers
# ----------------------------------------------------------------------------------------------


def test_a_created_customer_comes_back_as_the_vendor_holds_it(address: str) -> None:
    async def scenario() -> None:
        async with world(address) as here:
            outcome = await here.apply("customer", "create", stamp="go-17", fields=PERSON)
            assert (outcome.result, outcome.id, outcome.stamp, outcome.calls) == (
                "applied",
                "go-17",
                "go-17",
                1,
            )
            assert outcome.data is not None
            assert outcome.data["address"] == {**PERSON["address"], "line2": None}  # type: ignore[dict-item]
            held = await here.get("/customers/go-17")
            assert held["auto_collection"] == "off"
            assert outcome.version == str(held["resource_version"])

    run(scenario())


def test_a_customer_whose_reply_was_lost_is_adopted(address: str) -> None:
    async def scenario() -> None:
        async with world(address) as here:
            outcome = await here.create_after_lost_reply(
                "customer", "POST /customers", stamp="go-17", fields=PERSON
            )
            assert (outcome.result, outcome.id) == ("adopted", "go-17")
            again = await here.apply("customer", "create", stamp="go-17", fields=PERSON)
            assert (again.result, again.version) == ("adopted", outcome.version)

    run(scenario())


def test_a_name_and_an_address_take_both_endpoints_and_keep_the_vat_number(address: str) -> None:
    async def scenario() -> None:
        async with world(address) as here:
            await here.act(
                "/customers",
                id="c1",
                company="Fjord AS",
                phone="1",
                vat_number="923609016",
                billing_address__line1="Gate 1",
                billing_address__city="Oslo",
                billing_address__zip="0150",
                billing_address__email="faktura@eksempel.no",
            )
            before = await here.apply("customer", "verify", target_id="c1")
            assert before.data is not None
            fields = {
                "phone": "2",
                "address": {"line1": "Gate 2", "city": "Bergen", "zip": "5003", "country": "NO"},
            }
            outcome = await here.apply(
                "customer",
                "update",
                target_id="c1",
                fields=fields,
                expected={name: before.data[name] for name in fields},
            )
            assert outcome.result == "applied"
            assert WEATHER or outcome.calls == 3
            assert outcome.data is not None
            assert outcome.data["organisation_number"] == "923609016"
            held = await here.get("/customers/c1")
            assert (held["phone"], held["vat_number"]) == ("2", "923609016")
            assert held["billing_address"]["email"] == "faktura@eksempel.no"
            assert held["billing_address"]["city"] == "Bergen"

    run(scenario())


@pytest.mark.calm
def test_an_address_edited_between_both_writes_is_not_overwritten(address: str) -> None:
    async def scenario() -> None:
        async with world(address) as here:
            place = {"billing_address__city": "Oslo", "billing_address__zip": "0150"}
            await here.act(
                "/customers", id="c1", first_name="Ola", last_name="Moen", phone="1", **place
            )
            before = await here.apply("customer", "verify", target_id="c1")
            assert before.data is not None
            elsewhere = {"billing_address__city": "Hamar", "billing_address__zip": "2317"}

            class Interrupted(ChargebeeClient):
                """A person edits the address between our read and our first write."""

                def at(self, priority: int) -> ChargebeeClient:
                    return self

                async def post(
                    self, kind: str, resource_path: str, params: Mapping[str, Any]
                ) -> dict[str, Any]:
                    await here.act("/customers/c1/update_billing_info", **elsewhere)
                    return await super().post(kind, resource_path, params)

            client = Interrupted(here.settings.chargebee, here.http)
            sink = Sink("demo", here.settings, client, clock=lambda: datetime.now(UTC))
            fields = {"phone": "2", "address": {"city": "Bergen", "zip": "5003"}}
            expected = {name: before.data[name] for name in fields}
            command = here.command(
                "customer", "update", target_id="c1", fields=fields, expected=expected
            )
            outcome = await sink.apply(command)
            assert (outcome.result, outcome.done) == ("stale", ("phone",))
            assert outcome.data is not None
            assert outcome.data["address"]["city"] == "Hamar"

    run(scenario())


def test_what_cannot_be_written_is_refused_before_any_call(address: str) -> None:
    async def scenario() -> None:
        async with world(address) as here:
            with pytest.raises(Refused, match="a company needs a name") as missing:
                await here.apply("customer", "create", stamp="go-1", fields={"kind": "company"})
            assert (missing.value.code, missing.value.field) == ("missing", "company")
            with pytest.raises(Refused, match="holds 250 characters") as long:
                await here.apply(
                    "customer",
                    "create",
                    stamp="go-1",
                    fields={"kind": "company", "company": "a" * 251},
                )
            assert (long.value.code, long.value.field) == ("too_long", "company")
            assert await here.writes() == {}

    run(scenario())


# --- products
# -----------------------------------------------------------------------------------------------


def test_a_product_becomes_an_item_and_a_price(address: str) -> None:
    async def scenario() -> None:
        async with world(address) as here:
            outcome = await here.apply("product", "create", stamp="go-9", fields=PRODUCT)
            assert (outcome.result in made_new(), outcome.id) == (True, "go-9")
            assert outcome.data == {
                **PRODUCT,
                "group": "tandem",
                "shippable": False,
                "archived": False,
            }
            price = await here.get("/item_prices/go-9-NOK")
            assert (price["price"], price["accounting_detail"]["sku"]) == (459000, "3201")
            assert await here.writes() == {
                "POST /item_families": 1,
                "POST /items": 1,
                "POST /item_prices": 1,
            }
            await here.apply(
                "product", "create", stamp="go-10", fields={**PRODUCT, "name": "B", "code": "3202"}
            )
            assert (await here.writes())["POST /item_families"] == 1

    run(scenario())


@pytest.mark.parametrize(
    ("match", "result"), [("POST /items", "applied"), ("POST /item_prices", "adopted")]
)
@pytest.mark.calm
def test_a_product_cut_off_half_way_is_completed(address: str, match: str, result: str) -> None:
    async def scenario() -> None:
        async with world(address) as here:
            outcome = await here.create_after_lost_reply(
                "product", match, stamp="go-9", fields=PRODUCT
            )
            assert outcome.result == result
            assert outcome.data == {
                **PRODUCT,
                "group": "tandem",
                "shippable": False,
                "archived": False,
            }
            assert (await here.get("/item_prices/go-9-NOK"))["price"] == 459000

    run(scenario())


@pytest.mark.calm
def test_a_half_product_that_was_edited_meanwhile_is_adopted(address: str) -> None:
    async def scenario() -> None:
        async with world(address) as here:
            await here.drop_reply("POST /items")
            command = here.command("product", "create", stamp="go-9", fields=PRODUCT)
            with pytest.raises(Retriable):
                await here.sink.apply(command)
            await here.act("/items/go-9", external_name="Brett")
            outcome = await here.sink.apply(msgspec.structs.replace(command, look_first=True))
            assert outcome.result == "adopted"
            assert outcome.data is not None
            assert (outcome.data["name"], outcome.data["price"]) == (
                "Brett",
                {"amount": "4590", "currency": "NOK"},
            )

    run(scenario())


def test_a_taken_name_gets_the_code(address: str) -> None:
    async def scenario() -> None:
        async with world(address) as here:
            await here.act("/item_families", id="varer", name="Varer")
            name = str(PRODUCT["name"])
            await here.act("/items", id="x", name=name, type="charge", item_family_id="varer")
            outcome = await here.apply("product", "create", stamp="go-9", fields=PRODUCT)
            assert outcome.data is not None
            assert (outcome.result in made_new(), outcome.data["name"]) == (
                True,
                "Nettbrett 11 tommer",
            )
            assert (await here.get("/items/go-9"))["name"] == "Nettbrett 11 tommer (3201)"

    run(scenario())


def test_a_product_update_writes_only_what_differs(address: str) -> None:
    async def scenario() -> None:
        async with world(address) as here:
            made = await here.apply("product", "create", stamp="go-9", fields=PRODUCT)
            await here.control("requests/clear", {})
            wanted = {
                "name": "Nettbrett 11 tommer",
                "price": {"amount": "4490.005", "currency": "NOK"},
            }
            assert made.data is not None
            outcome = await here.apply(
                "product",
                "update",
                target_id="go-9",
                fields=wanted,
                expected={name: made.data[name] for name in wanted},
            )
            assert await here.writes() == {"POST /item_prices/{id}": 1}
            assert outcome.data is not None
            assert outcome.data["price"] == {"amount": "4490.01", "currency": "NOK"}
            assert made.version is not None
            assert outcome.version is not None
            assert outcome.version > made.version
            again = await here.apply(
                "product", "update", target_id="go-9", fields=wanted, expected=wanted
            )
            assert (again.result, again.version, again.calls) == ("applied", outcome.version, 3)

    run(scenario())


def test_a_linked_item_is_stamped_once(address: str) -> None:
    async def scenario() -> None:
        async with world(address) as here:
            await here.act("/item_families", id="varer", name="Varer")
            await here.act(
                "/items",
                id="x",
                name="X",
                type="charge",
                item_family_id="varer",
                metadata='{"a": "b"}',
            )
            outcome = await here.apply("product", "stamp", target_id="x", stamp="go-9")
            assert (outcome.result, outcome.stamp) == ("applied", "go-9")
            assert (await here.get("/items/x"))["metadata"] == {"a": "b", "poweroffice_id": "9"}
            with pytest.raises(Refused) as taken:
                await here.apply("product", "stamp", target_id="x", stamp="go-10")
            assert taken.value.code == "stamp_taken"

    run(scenario())


# --- orders
# -------------------------------------------------------------------------------------------------


def _order(customer_id: str, product_id: str | None) -> dict[str, Any]:
    line = {
        "product_id": product_id,
        "quantity": "2",
        "unit_price": "4590",
        "net": "9180",
        "tax": "2295",
    }
    hours = {
        "product_id": None,
        "quantity": "2.5",
        "unit_price": "995",
        "discount_percent": "10",
        "net": "2238.75",
        "tax": "559.69",
    }
    return {
        "customer_id": customer_id,
        "number": "20001",
        "currency": "NOK",
        "order_date": "2026-10-05",
        "purchase_order": "BEST-703",
        "status": "sent",
        "invoice": {"number": "50001", "paid": True},
        "lines": [
            {"id": "11", "description": "Nettbrett", **line},
            {"id": "12", "description": "Montering", **hours},
        ],
        "net": "11418.75",
        "tax": "2854.69",
        "total": "14273.44",
    }


async def _parties(here: World) -> dict[str, Any]:
    await here.apply("customer", "create", stamp="go-17", fields=PERSON)
    await here.apply("product", "create", stamp="go-9", fields=PRODUCT)
    return _order("go-17", "go-9")


def test_a_go_order_becomes_an_imported_invoice_and_order(address: str) -> None:
    async def scenario() -> None:
        async with world(address) as here:
            outcome = await here.apply(
                "order", "create", stamp=ORDER_UUID, fields=await _parties(here)
            )
            assert (outcome.result in made_new(), outcome.id, outcome.stamp) == (
                True,
                ORDER_UUID,
                ORDER_UUID,
            )
            assert outcome.data is not None
            assert [outcome.data[name] for name in ("net", "tax", "total")] == [
                "11418.75",
                "2854.69",
                "14273.44",
            ]
            assert (outcome.data["order_date"], outcome.data["purchase_order"]) == (
                "2026-10-05",
                "BEST-703",
            )
            goods, hours = outcome.data["lines"]
            assert (goods["product_id"], goods["quantity"], goods["unit_price"]) == (
                "go-9",
                "2",
                "4590",
            )
            assert (hours["product_id"], hours["quantity"], hours["net"]) == (None, "1", "2238.75")
            assert hours["description"] == "Montering (2.5 x 995, 10 % discount)"
            invoice = await here.get(f"/invoices/{ORDER_UUID}")
            assert (invoice["status"], invoice["total"]) == ("paid", 1427344)

    run(scenario())


@pytest.mark.parametrize(
    ("match", "result"),
    [
        ("POST /invoices/import_invoice", "applied"),
        ("POST /orders/import_order", "adopted"),
        ("POST /orders/{", "adopted"),
    ],
)
def test_an_order_cut_off_half_way_is_completed_once(address: str, match: str, result: str) -> None:
    async def scenario() -> None:
        async with world(address) as here:
            fields = await _parties(here)
            outcome = await here.create_after_lost_reply(
                "order", match, stamp=ORDER_UUID, fields=fields
            )
            assert outcome.result in (made_new() if result == "applied" else {result})
            assert outcome.id == ORDER_UUID
            assert (await here.get(f"/orders/{ORDER_UUID}"))["reference_id"] == "50001"
            again = await here.apply("order", "create", stamp=ORDER_UUID, fields=fields)
            assert (again.result, again.id, again.version) == (
                "adopted",
                ORDER_UUID,
                outcome.version,
            )
            assert len((await here.client.get("/orders"))["list"]) == 1
            assert len((await here.client.get("/invoices"))["list"]) == 1

    run(scenario())


def test_the_order_chargebee_makes_for_the_import_is_taken(address: str) -> None:
    async def scenario() -> None:
        async with world(address) as here:
            fields = await _parties(here)
            await here.act("/items/go-9", is_shippable="true")
            await here.control("settings", {"orders_for_imported_invoices": True})
            outcome = await here.apply("order", "create", stamp=ORDER_UUID, fields=fields)
            assert outcome.result in made_new()
            assert outcome.id != ORDER_UUID
            assert outcome.stamp == ORDER_UUID
            again = await here.apply("order", "create", stamp=ORDER_UUID, fields=fields)
            assert (again.result, again.id) == ("adopted", outcome.id)

    run(scenario())


def test_order_dates_are_written_where_the_local_date_differs(address: str) -> None:
    async def scenario() -> None:
        async with world(address) as here:
            made = await here.apply(
                "order", "create", stamp=ORDER_UUID, fields=await _parties(here)
            )
            await here.control("requests/clear", {})
            same = await here.apply(
                "order",
                "update",
                target_id=ORDER_UUID,
                fields={"order_date": "2026-10-05"},
                expected={"order_date": "2026-10-05"},
            )
            assert (same.result, same.version, await here.writes()) == ("applied", made.version, {})
            moved = await here.apply(
                "order",
                "update",
                target_id=ORDER_UUID,
                fields={"order_date": "2026-10-25"},
                expected={"order_date": "2026-10-05"},
            )
            assert moved.data is not None
            assert moved.data["order_date"] == "2026-10-25"
            # 12:00 in Oslo on the day summer time ends.
            assert (await here.get(f"/orders/{ORDER_UUID}"))["order_date"] == 1792926000

    run(scenario())


def test_a_credit_note_is_refused(address: str) -> None:
    async def scenario() -> None:
        async with world(address) as here:
            with pytest.raises(Refused, match="credit note") as refused:
                await here.apply(
                    "order",
                    "create",
                    stamp=ORDER_UUID,
                    fields=_order("go-17", None) | {"total": "-1"},
                )
            assert refused.value.code == "credit_note"

    run(scenario())


# --- source
# -------------------------------------------------------------------------------------------------


def test_the_snapshot_shows_every_record_once_and_is_not_repeated(address: str) -> None:
    async def scenario() -> None:
        async with world(address, data="demo") as here:
            async with running(here.source):
                await until(lambda: len(here.publisher.completed) == 3)
            counts = {each.entity: each.records for each in here.publisher.completed}
            assert counts == {"customer": 95, "product": 22, "order": 46}
            assert {name: len(held) for name, held in here.publisher.held.items()} == counts
            assert [each for each in here.publisher.events if each.problem] == []
            await here.control("requests/clear", {})
            again = Source(
                "demo", here.settings, here.client, here.publisher, clock=lambda: datetime.now(UTC)
            )
            async with running(again):
                await until(lambda: "events" in again.health["last_poll_at"])
            counts = (await here.person.get(f"{address}/_sim/requests?user=tandem")).json()[
                "counts"
            ]
            assert set(counts) == {"GET /events"}

    run(scenario())


def test_demo_orders_name_their_products_and_references(address: str) -> None:
    async def scenario() -> None:
        async with world(address, data="demo") as here:
            async with running(here.source):
                await until(lambda: len(here.publisher.completed) == 3)
            orders = [
                each.data for each in here.publisher.events if each.entity == "order" and each.data
            ]
            lines = [line for order in orders for line in order["lines"]]
            assert all(line["product_id"] for line in lines)
            assert sum(1 for order in orders if order["purchase_order"]) == 8
            products = {
                each.id: each.data
                for each in here.publisher.events
                if each.entity == "product" and each.data
            }
            assert products["fjord-basis"]["price"] == {"amount": "299", "currency": "NOK"}
            assert products["radgivning-time"]["unit"] == "HUR"

    run(scenario())


def test_orders_wait_for_their_start_date(address: str) -> None:
    async def scenario() -> None:
        async with world(address, data="demo", start={}) as here:
            async with running(here.source):
                await until(lambda: len(here.publisher.completed) == 2)
            assert here.publisher.held.get("order") is None
            assert "start.orders" in here.source.health["orders"]
        async with world(address, data="demo", start={"orders": "2026-11-01"}) as here:
            async with running(here.source):
                await until(lambda: len(here.publisher.completed) == 3)
            dates = [
                each.data["order_date"]
                for each in here.publisher.events
                if each.entity == "order" and each.data
            ]
            assert 0 < len(dates) < 46
            assert min(dates) >= "2026-11-01"

    run(scenario())


def test_what_lists_show_late_is_in_the_snapshot(address: str) -> None:
    async def scenario() -> None:
        async with world(address) as here:
            await here.control("settings", {"list_lag_s": 1})
            await here.act("/customers", id="c1", first_name="Ola", last_name="Moen")
            lag = {"list_lag_s": 1.5, "events_interval_s": 1000}
            settings = here.settings.model_copy(
                update={"chargebee": here.settings.chargebee.model_copy(update=lag)}
            )
            source = Source(
                "demo", settings, here.client, here.publisher, clock=lambda: datetime.now(UTC)
            )
            async with running(source):
                await until(lambda: "first_snapshots" in source.health)
                told = source.health["first_snapshots"]["customer"]
                waits = datetime.fromisoformat(told["until"]) - datetime.fromisoformat(
                    told["since"]
                )
                assert (waits.total_seconds(), told["late_s"]) == (1.5, 1.5)
                await until(lambda: len(here.publisher.completed) == 3)
                await until(lambda: "first_snapshots" not in source.health)
            assert {each.entity: each.records for each in here.publisher.completed}["customer"] == 1
            assert here.publisher.last("customer", "c1") is not None

    run(scenario())


def test_a_cursor_older_than_the_events_live_reads_everything_again(address: str) -> None:
    async def scenario() -> None:
        async with world(address, data="demo") as here:
            done = {"snapshot": "old", "completed_at": "2026-01-01T00:00:00.000000Z"}
            events = {"occurred_at": 1767225600, "read_at": "2026-01-01T00:00:00.000000Z"}
            here.publisher.cursors = {
                "customer": done,
                "product": done,
                "order": done,
                "events": events,
            }
            async with running(here.source):
                await until(lambda: len(here.publisher.completed) == 3)
            assert "old" not in {each.snapshot for each in here.publisher.completed}
            assert len(here.publisher.held["customer"]) == 95

    run(scenario())


@pytest.mark.calm
def test_gross_prices_are_carried_net(address: str) -> None:
    async def scenario() -> None:
        async with world(address, product={"vat_rate": "0.25"}) as here:
            gross = here.settings.chargebee.model_copy(update={"prices": "gross"})
            settings = here.settings.model_copy(update={"chargebee": gross})
            sink = Sink("demo", settings, here.client, clock=lambda: datetime.now(UTC))
            outcome = await sink.apply(
                here.command("product", "create", stamp="go-9", fields=PRODUCT)
            )
            assert outcome.data is not None
            assert outcome.data["price"] == {"amount": "4590", "currency": "NOK"}
            assert (await here.get("/item_prices/go-9-NOK"))["price"] == 573750

    run(scenario())


def test_the_events_api_brings_what_no_webhook_brought(address: str) -> None:
    async def scenario() -> None:
        async with world(address) as here, running(here.source):
            await until(lambda: len(here.publisher.completed) == 3)
            await here.act("/customers", id="c1", first_name="Ola", last_name="Moen")
            await here.act("/item_families", id="varer", name="Varer")
            await here.act("/items", id="x", name="X", type="charge", item_family_id="varer")
            await here.act(
                "/item_prices",
                id="x-NOK",
                name="X NOK",
                item_id="x",
                currency_code="NOK",
                price="1250",
            )
            await until(lambda: _price(here) == {"amount": "12.5", "currency": "NOK"})
            assert here.publisher.last("customer", "c1") is not None
            await here.act("/customers/c1", phone="5")
            await until(lambda: _data(here, "customer", "c1").get("phone") == "5")

    run(scenario())


def _data(here: World, entity: str, record_id: str) -> dict[str, Any]:
    event = here.publisher.last(entity, record_id)
    return (event.data or {}) if event is not None else {}


def _price(here: World) -> Any:
    return _data(here, "product", "x").get("price")


def test_a_webhook_is_published_once_and_nonsense_is_refused_with_a_reason(address: str) -> None:
    async def scenario() -> None:
        async with world(address) as here:
            customer = await here.act("/customers", id="c1", first_name="Ola", last_name="Moen")
            event = {
                "id": "ev_1",
                "event_type": "customer_created",
                "api_version": "v2",
                "occurred_at": 1,
                "content": {"customer": customer},
            }
            assert await here.source.webhook(msgspec.json.encode(event)) == 1
            assert await here.source.webhook(msgspec.json.encode(event)) == 0
            assert (
                await here.source.webhook(
                    msgspec.json.encode(event | {"event_type": "quote_created"})
                )
                == 0
            )
            for body, reason in (
                (b"{", "no JSON text"),
                (b"[" * 100_000, "no JSON text"),
                (b"[]", "no JSON object"),
                (msgspec.json.encode(event | {"api_version": "v1"}), "API version 2"),
                (msgspec.json.encode(event | {"content": {}}), r"content\.customer is missing"),
                (
                    msgspec.json.encode(event | {"content": {"customer": {}}}),
                    r"content\.customer\.id is missing",
                ),
            ):
                with pytest.raises(ValueError, match=reason):
                    await here.source.webhook(body)

    run(scenario())


def test_a_deleted_product_and_customer_are_published_as_deleted(address: str) -> None:
    async def scenario() -> None:
        async with world(address) as here:
            await here.act("/item_families", id="varer", name="Varer")
            await here.act("/items", id="x", name="X", type="charge", item_family_id="varer")
            item = await here.act("/items/x/delete")
            event = {
                "id": "ev_1",
                "event_type": "item_deleted",
                "occurred_at": 1,
                "content": {"item": item},
            }
            assert await here.source.webhook(msgspec.json.encode(event)) == 1
            product = here.publisher.last("product", "x")
            assert product is not None
            assert product.deleted
            customer = await here.act("/customers", id="c1", first_name="Ola")
            event = {
                "id": "ev_2",
                "event_type": "customer_deleted",
                "content": {"customer": customer},
            }
            await here.source.webhook(msgspec.json.encode(event))
            gone = here.publisher.last("customer", "c1")
            assert gone is not None
            assert gone.deleted
            assert gone.data is not None

    run(scenario())


# --- trouble
# ------------------------------------------------------------------------------------------------


def test_a_refused_key_ends_the_source_with_words(address: str) -> None:
    async def scenario() -> None:
        async with world(address) as here:
            settings = here.settings.chargebee.model_copy(update={"api_key": SecretStr("wrong")})
            http = VendorTransport(RateLimiter(0, 1, 1))
            client = ChargebeeClient(settings, http)
            source = Source(
                "demo", here.settings, client, here.publisher, clock=lambda: datetime.now(UTC)
            )
            with pytest.raises(Unauthorised, match="401"):
                await source.run()
            await http.aclose()

    run(scenario())


@pytest.mark.calm
def test_a_server_error_on_a_write_may_have_been_applied(address: str) -> None:
    async def scenario() -> None:
        async with world(address) as here:
            await here.control(
                "faults", {"faults": [{"kind": "html502", "match": "POST /customers"}]}
            )
            with pytest.raises(Retriable) as trouble:
                await here.apply("customer", "create", stamp="go-1", fields=PERSON)
            assert trouble.value.maybe_applied

    run(scenario())
