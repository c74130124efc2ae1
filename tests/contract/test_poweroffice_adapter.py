"""Client, source and sink of the PowerOffice adapter against the simulator, over HTTP."""

import asyncio
import dataclasses
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

import httpx
import msgspec
import pytest
from pydantic import SecretStr

from contracts.entities import (
    Address,
    Customer,
    EntityName,
    Invoice,
    Line,
    Order,
    Product,
    System,
    typed,
    wire,
)
from contracts.messages import Command, Observed, Outcome, SnapshotCompleted
from contracts.settings import Tenant
from runtime.publisher import Known
from runtime.rate_limiter import LIVE, RateLimiter
from runtime.transport import VendorTransport
from runtime.vendor import Refused, Retriable, Unauthorised
from services.poweroffice_adapter.bodies import decoded
from services.poweroffice_adapter.client import PowerOfficeClient
from services.poweroffice_adapter.mapping import MAPPING
from services.poweroffice_adapter.observations import Observations
from services.poweroffice_adapter.sink import Sink
from services.poweroffice_adapter.source import Source
from tests.contract.weather import (
    connections,
    pytest_generate_tests,
    through_the_weather,
    weather,
)
from tests.waiting import PATIENCE_S

__all__ = ["pytest_generate_tests", "weather"]

KEYS = {"application_key": "app", "client_key": "client", "subscription_key": "sub"}
PERSON = {"application_key": "app2", "client_key": "client2", "subscription_key": "sub2"}

USUAL = {
    "line_change_bumps_order": True,
    "removed_privileges": [],
    "revoked_clients": [],
    "list_rows_max": {},
    "text_lengths": {},
    "payment_moves_invoice": False,
    "reversal_moves_balance": True,
    "credit_names_invoice": True,
}


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A simulator of its own for this module, without a rate limit and without data."""
    arguments = [
        "--port",
        "0",
        "--rate-limit",
        "0",
        "--data",
        "empty",
        "--extra-client",
        "person=app2:client2:sub2",
    ]
    for name, value in KEYS.items():
        arguments += [f"--{name.replace('_', '-')}", value]
    command = [sys.executable, "-m", "simulators.poweroffice", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert " on http" in line, line
            yield line.split(" on ", 1)[1].strip().removesuffix("/v2")
        finally:
            process.terminate()


class MemoryPublisher:
    """What a source needs of Kafka, in memory."""

    def __init__(self) -> None:
        self.events: list[Observed] = []
        self.completed: list[SnapshotCompleted] = []
        self.cursors: dict[str, dict[str, Any]] = {}
        self.held: dict[str, dict[str, Known]] = {}
        self.all_completed = asyncio.Event()

    def cursor(self, tenant: str, system: System, entity: str) -> dict[str, Any] | None:
        return self.cursors.get(entity)

    async def save_cursor(
        self, tenant: str, system: System, entity: str, value: dict[str, Any]
    ) -> None:
        self.cursors[entity] = value

    async def publish(self, events: Sequence[Observed]) -> int:
        for event in events:
            self.held.setdefault(event.entity, {})[event.id] = Known.of(event)
            self.events.append(event)
        return len(events)

    async def snapshot_completed(self, message: SnapshotCompleted) -> None:
        self.completed.append(message)
        if len(self.completed) == 3:
            self.all_completed.set()

    def known(self, tenant: str, system: System, entity: EntityName) -> Mapping[str, Known]:
        return self.held.setdefault(entity, {})

    def max_observation(self, tenant: str, system: System) -> int:
        return 0

    def taken(self) -> list[Observed]:
        """The events since the last call."""
        events, self.events = self.events, []
        return events


@dataclass
class World:
    """One tenant on the simulator: ours, and a person who edits beside us."""

    address: str
    tenant: Tenant
    client: PowerOfficeClient
    person: PowerOfficeClient
    source: Source
    sink: Sink
    publisher: MemoryPublisher
    control: httpx.AsyncClient
    numbers: dict[str, int] = field(default_factory=dict)

    async def settings(self, **changes: Any) -> None:
        (await self.control.post("/_sim/settings", json=changes)).raise_for_status()

    async def fault(self, kind: str, match: str, **more: Any) -> None:
        body = {"faults": [{"kind": kind, "match": match, **more}]}
        (await self.control.post("/_sim/faults", json=body)).raise_for_status()

    async def counts(self) -> dict[str, int]:
        """Our requests since the last call, tokens left out, by method and path template."""
        answer = (await self.control.get("/_sim/requests", params={"user": "tandem"})).json()
        await self.control.post("/_sim/requests/clear")
        return {
            name: count for name, count in answer["counts"].items() if "oauth" not in name.lower()
        }

    async def make_customer(self, **more: Any) -> str:
        body = {
            "Name": "Fjordvik Bakeri AS",
            "EmailAddress": "post@fjordvik.no",
            "InvoiceDeliveryType": "Print",
        }
        made = await self.person.post("/Customers", body | more, priority=LIVE)
        return str(made["Id"])

    async def make_product(self, code: str = "basis", price: int = 200) -> str:
        body = {
            "Code": code,
            "Name": code.title(),
            "UnitPrice": price,
            "ProductGroupCode": "abonnement",
        }
        return str((await self.person.post("/Products", body, priority=LIVE))["Id"])

    async def make_order(self, customer: str, product: str, **more: Any) -> str:
        line = {
            "ProductId": int(product),
            "Quantity": 2,
            "ProductUnitPrice": 200,
            "Allowance": 0,
            "SortOrder": 0,
        }
        body = {
            "CustomerId": int(customer),
            "SalesOrderDate": "2026-03-01",
            "SalesOrderLines": [line],
        }
        return str(
            (await self.person.post("/SalesOrders/Complete", body | more, priority=LIVE))["Id"]
        )

    async def edit(self, path: str, **values: Any) -> Any:
        operations = [
            {"op": "replace", "path": "/" + name.replace("__", "/"), "value": value}
            for name, value in values.items()
        ]
        return await self.person.patch(path, operations, priority=LIVE)

    async def send(self, order: str) -> None:
        await self.person.post(
            f"/SalesOrders/{order}/createAndSendInvoice", {"DeliveryType": "Auto"}, priority=LIVE
        )

    async def delete(self, path: str) -> None:
        await self.person._call("DELETE", path, priority=LIVE)

    def command(self, entity: EntityName, op: str, **more: Any) -> Command:
        return msgspec.convert(
            {
                "tenant": "demo",
                "entity": entity,
                "link": "k",
                "seq": 1,
                "target": "poweroffice",
                "op": op,
                "lane": "live",
                "cause": "c",
                "mapping": MAPPING,
                **more,
            },
            Command,
        )

    async def apply(self, entity: EntityName, op: str, **more: Any) -> Outcome:
        return await through_the_weather(self.sink, self.command(entity, op, **more))


def tenant_at(address: str) -> Tenant:
    go = {"base_url": f"{address}/v2", "token_url": f"{address}/OAuth/Token", "read_lag_s": 0}
    return Tenant.model_validate(
        {
            "chargebee": {"site": "x", "api_key": "k"},
            "poweroffice": {**go, **KEYS},
            "start": {"orders": "2026-01-01"},
            "invoicing": {"by": "chargebee"},
            "product": {"groups": {"abo": "abonnement"}},
            "order": {"fallback_product": "diverse", "round_off_product": "avrunding"},
        }
    )


@asynccontextmanager
async def world(address: str) -> AsyncIterator[World]:
    tenant = tenant_at(address)
    calm = VendorTransport(RateLimiter(0, 1, 1), timeout_s=PATIENCE_S)
    https = [connections(), calm]
    client = PowerOfficeClient(tenant.poweroffice, https[0])
    theirs = tenant.poweroffice.model_copy(
        update={name: SecretStr(value) for name, value in PERSON.items()}
    )
    publisher, observations = MemoryPublisher(), Observations()

    def clock() -> datetime:
        return datetime(2026, 4, 1, tzinfo=UTC)

    source = Source("demo", tenant, client, publisher, observations, clock=clock)
    sink = Sink("demo", tenant, client, observations, clock=clock, unread_since=source.reached_back)
    async with httpx.AsyncClient(base_url=address, trust_env=False, timeout=PATIENCE_S) as control:
        await control.post("/_sim/reset", json={"data": "empty"})
        await control.post("/_sim/faults", json={"clear": True})
        await control.post("/_sim/requests/clear")
        person = PowerOfficeClient(theirs, https[1])
        try:
            yield World(address, tenant, client, person, source, sink, publisher, control)
        finally:
            (await control.post("/_sim/settings", json=USUAL)).raise_for_status()
            for http in https:
                await http.aclose()


def play(address: str, scene: Callable[[World], Awaitable[None]]) -> None:
    async def run() -> None:
        async with world(address) as held:
            await scene(held)

    asyncio.run(run())


BAKERY = Customer(
    kind="company",
    company="Fjordvik Bakeri AS",
    email="post@fjordvik.no",
    phone="22334455",
    organisation_number="923609016",
    currency="NOK",
    address=Address(line1="Kaigata 3", city="Bergen", zip="5003", country="NO"),
)
BASIS = Product(code="basis", name="Basis", unit="MON", kind="plan", group="abo")


def order_fields(customer: str, product: str | None, **more: Any) -> dict[str, Any]:
    line = msgspec.convert(
        {
            "id": "li_1",
            "product_id": product,
            "description": "Basis",
            "quantity": "3",
            "unit_price": "33.33",
            "discount_percent": "10",
            "net": "90",
            "tax": "22.5",
        },
        Line,
    )
    order = Order(
        customer_id=customer,
        currency="NOK",
        invoice=Invoice(number="1042", paid=True),
        lines=(line,),
        net=line.net,
        tax=line.tax,
        total=line.net + line.tax,
    )
    return wire(order) | {"order_date": "2026-03-01"} | more


# --- client


def test_wrong_keys_are_unauthorised(address: str) -> None:
    async def scene(w: World) -> None:
        http = VendorTransport(RateLimiter(0, 1, 1))
        for name in KEYS:
            wrong = w.tenant.poweroffice.model_copy(update={name: SecretStr("canary-wrong")})
            with pytest.raises(Unauthorised) as error:
                await PowerOfficeClient(wrong, http).identity()
            assert "canary" not in str(error.value)
        await http.aclose()

    play(address, scene)


@pytest.mark.calm
def test_a_token_that_is_void_is_renewed_once(address: str) -> None:
    async def scene(w: World) -> None:
        await w.settings(client_name="Fjordvik Abonnement AS")
        first = await w.client.identity()
        w.client._auth._token = "void"
        assert await w.client.identity() == first
        assert first[1] == "Fjordvik Abonnement AS"
        await w.settings(revoked_clients=["tandem"])
        with pytest.raises(Unauthorised):
            await w.client.identity()

    play(address, scene)


def test_one_token_serves_calls_that_start_together(address: str) -> None:
    async def scene(w: World) -> None:
        await asyncio.gather(*(w.client.identity() for _ in range(5)))
        log = (await w.control.get("/_sim/requests")).json()["log"]
        assert sum("oauth" in entry["path"].lower() for entry in log) == 1

    play(address, scene)


def test_pages_are_read_to_the_end(address: str) -> None:
    async def scene(w: World) -> None:
        made = [await w.make_customer(Name=f"Kunde {number}") for number in range(5)]
        numbers = iter(range(1, 9))
        pages = [
            (number, [str(row["Id"]) for row in rows])
            async for number, rows in w.client.pages(
                "/Customers", start=lambda: next(numbers), size=2
            )
        ]
        assert pages == [(1, made[:2]), (2, made[2:4]), (3, made[4:])]

    play(address, scene)


def test_a_missing_privilege_names_path_and_privilege(address: str) -> None:
    async def scene(w: World) -> None:
        await w.settings(removed_privileges=["OutgoingInvoice"])
        with pytest.raises(Unauthorised, match=r"/OutgoingInvoices.*OutgoingInvoice"):
            await w.client.get("/OutgoingInvoices")

    play(address, scene)


def test_numbers_stay_exact() -> None:
    assert str(decoded(b'{"a": 0.1000000000000000055}')["a"]) == "0.1000000000000000055"


# --- sink: customers


def test_a_customer_is_created_with_one_call(address: str) -> None:
    async def scene(w: World) -> None:
        outcome = await w.apply("customer", "create", fields=wire(BAKERY), stamp="cb-AzZ1")
        assert (outcome.result, outcome.calls, outcome.stamp) == ("applied", 1, "cb-AzZ1")
        assert outcome.data == wire(BAKERY)
        assert outcome.version is not None
        assert outcome.id is not None
        raw = await w.person.get(f"/Customers/{outcome.id}")
        assert (raw["InvoiceDeliveryType"], raw["ExternalImportReference"]) == (
            "PdfByEmail",
            "cb-AzZ1",
        )

    play(address, scene)


@pytest.mark.parametrize("entity", ["customer", "product", "order"])
@pytest.mark.calm
def test_a_lost_reply_to_a_create_makes_no_duplicate(address: str, entity: EntityName) -> None:
    async def scene(w: World) -> None:
        fields, stamp, path = wire(BAKERY), "cb-1", "/Customers"
        if entity == "product":
            fields, path = wire(BASIS), "/Products"
        if entity == "order":
            fields, path = (
                order_fields(await w.make_customer(), await w.make_product()),
                "/SalesOrders",
            )
        held = len(await w.person.get(path) or [])
        await w.fault("drop_reply_after_commit", f"POST {path}")
        with pytest.raises(Retriable) as error:
            await w.apply(entity, "create", fields=fields, stamp=stamp)
        assert error.value.maybe_applied
        outcome = await w.apply(entity, "create", fields=fields, stamp=stamp, look_first=True)
        assert outcome.result == "adopted"
        rows = await w.person.get(path)
        assert len(rows) == held + 1
        assert outcome.id == str(rows[-1]["Id"])
        again = await w.apply(entity, "create", fields=fields, stamp=stamp)
        assert (again.result, again.id, again.data) == ("adopted", outcome.id, outcome.data)

    play(address, scene)


@pytest.mark.calm
def test_an_update_writes_what_differs_with_two_calls(address: str) -> None:
    async def scene(w: World) -> None:
        made = await w.apply("customer", "create", fields=wire(BAKERY), stamp="cb-1")
        await w.counts()
        moved = {
            "line1": " Torget 1 ",
            "line2": None,
            "city": "Bergen",
            "zip": "5004",
            "country": "no",
        }
        fields = {"email": " ny@fjordvik.no", "address": moved, "phone": "22334455"}
        expected = {name: (made.data or {})[name] for name in fields}
        outcome = await w.apply(
            "customer",
            "update",
            target_id=made.id,
            target_version=made.version,
            fields=fields,
            expected=expected,
        )
        assert (outcome.result, outcome.calls) == ("applied", 2)
        assert await w.counts() == {"GET /Customers/{id}": 1, "PATCH /Customers/{id}": 1}
        there = Address(line1="Torget 1", city="Bergen", zip="5004", country="NO")
        wanted = msgspec.structs.replace(BAKERY, email="ny@fjordvik.no", address=there)
        assert outcome.data == wire(wanted)
        assert (outcome.version or "") > (made.version or "")
        again = await w.apply(
            "customer", "update", target_id=made.id, fields=fields, expected=expected
        )
        assert (again.result, again.calls, again.data) == ("applied", 1, outcome.data)

    play(address, scene)


@pytest.mark.parametrize(
    ("edit", "result", "email"),
    [
        ({"EmailAddress": "person@fjordvik.no"}, "stale", "person@fjordvik.no"),
        ({"EmailAddress": " post@fjordvik.no "}, "applied", "ny@fjordvik.no"),
        ({"EmailAddress": "ny@fjordvik.no"}, "applied", "ny@fjordvik.no"),
    ],
)
def test_an_edit_between_read_and_write_is_not_overwritten(
    address: str, edit: dict[str, str], result: str, email: str
) -> None:
    async def scene(w: World) -> None:
        made = await w.apply("customer", "create", fields=wire(BAKERY), stamp="cb-1")
        patch = w.client.patch
        slipped: list[Any] = []

        async def after_an_edit(path: str, operations: Any, *, priority: int) -> Any:
            if not slipped:
                slipped.append(await w.edit(path, **edit))
            return await patch(path, operations, priority=priority)

        w.client.patch = after_an_edit  # type: ignore[method-assign]
        outcome = await w.apply(
            "customer",
            "update",
            target_id=made.id,
            fields={"email": "ny@fjordvik.no"},
            expected={"email": "post@fjordvik.no"},
        )
        assert (outcome.result, (outcome.data or {})["email"]) == (result, email)

    play(address, scene)


def test_an_address_where_there_was_none_is_written_whole(address: str) -> None:
    async def scene(w: World) -> None:
        id = await w.make_customer()
        there = {
            "line1": "Torget 1",
            "line2": None,
            "city": "Bergen",
            "zip": "5004",
            "country": None,
        }
        outcome = await w.apply(
            "customer",
            "update",
            target_id=id,
            fields={"address": there},
            expected={"address": None},
        )
        assert outcome.result == "applied"
        assert (outcome.data or {})["address"] == there | {"country": "NO"}

    play(address, scene)


def test_an_incomplete_address_is_left_out(address: str) -> None:
    async def scene(w: World) -> None:
        id = await w.make_customer()
        bare = wire(Address(line1="Torget 1"))  # type: ignore[arg-type]
        outcome = await w.apply(
            "customer", "update", target_id=id, fields={"address": bare}, expected={}
        )
        assert (outcome.result, outcome.calls, (outcome.data or {})["address"]) == (
            "applied",
            1,
            None,
        )

    play(address, scene)


def test_refusals_name_the_field_and_make_no_call(address: str) -> None:
    async def scene(w: World) -> None:
        kari = wire(Customer(kind="person", first_name="Kari"))
        with pytest.raises(Refused) as error:
            await w.apply("customer", "create", fields=kari, stamp="cb-1")
        assert (error.value.code, error.value.field) == ("missing", "last_name")
        with pytest.raises(Refused) as error:
            await w.apply(
                "product", "create", fields=wire(BASIS) | {"group": "other"}, stamp="cb-1"
            )
        assert (error.value.code, error.value.field) == ("missing", "group")
        assert await w.counts() == {}

    play(address, scene)


# --- sink: products and orders


def test_a_product_is_created_and_changed(address: str) -> None:
    async def scene(w: World) -> None:
        made = await w.apply(
            "product",
            "create",
            stamp="cb-basis",
            fields=wire(BASIS) | {"price": {"amount": "99.50", "currency": "NOK"}},
        )
        assert made.result == "applied"
        data = made.data or {}
        assert (data["code"], data["unit"], data["group"]) == ("basis", "MON", "abonnement")
        assert data["price"] == {"amount": "99.5", "currency": "NOK"}
        await w.counts()
        changed = await w.apply(
            "product",
            "update",
            target_id=made.id,
            fields={"price": {"amount": "120", "currency": "NOK"}, "unit": "kasse"},
            expected={"price": data["price"], "unit": "MON"},
        )
        assert (changed.result, changed.calls) == ("applied", 2)
        assert (changed.data or {})["price"] == {"amount": "120", "currency": "NOK"}

    play(address, scene)


def test_an_order_becomes_a_draft_with_a_warning(address: str) -> None:
    async def scene(w: World) -> None:
        customer, product = await w.make_customer(), await w.make_product()
        made = await w.apply(
            "order", "create", fields=order_fields(customer, product), stamp="cb-o1"
        )
        assert (made.result, made.calls, made.stamp) == ("applied", 1, "cb-o1")
        order = typed("order", made.data or {})
        assert isinstance(order, Order)
        assert (order.status, order.customer_id, str(order.net), str(order.tax)) == (
            "draft",
            customer,
            "90",
            "22.5",
        )
        assert [line.description for line in order.lines] == ["Basis (3 x 33.33, 10 % discount)"]
        raw = await w.person.get(f"/SalesOrders/{made.id}/Complete")
        assert (
            raw["SalesOrderLines"][0]["Description"]
            == "Invoiced in Chargebee, no. 1042, paid. Do not send."
        )

    play(address, scene)


def test_a_line_without_product_takes_the_fallback(address: str) -> None:
    async def scene(w: World) -> None:
        customer = await w.make_customer()
        with pytest.raises(Refused) as error:
            await w.apply("order", "create", fields=order_fields(customer, None), stamp="cb-o1")
        assert error.value.field == "lines"
        fallback = await w.make_product("diverse")
        made = await w.apply("order", "create", fields=order_fields(customer, None), stamp="cb-o1")
        assert (made.data or {})["lines"][0]["product_id"] == fallback

    play(address, scene)


def test_an_order_that_was_sent_is_found_among_the_invoices(address: str) -> None:
    async def scene(w: World) -> None:
        fields = order_fields(await w.make_customer(), await w.make_product())
        made = await w.apply("order", "create", fields=fields, stamp="cb-o1")
        await w.send(made.id or "")
        found = await w.apply("order", "create", fields=fields, stamp="cb-o1", look_first=True)
        assert (found.result, found.id, (found.data or {})["status"]) == (
            "adopted",
            made.id,
            "sent",
        )
        late = await w.apply(
            "order",
            "update",
            target_id=made.id,
            fields={"purchase_order": "PO 9"},
            expected={"purchase_order": None},
        )
        assert (late.result, (late.data or {})["status"]) == ("stale", "sent")

    play(address, scene)


def test_the_header_of_a_draft_follows_until_it_is_confirmed(address: str) -> None:
    async def scene(w: World) -> None:
        customer, product = await w.make_customer(), await w.make_product()
        made = await w.apply(
            "order", "create", fields=order_fields(customer, product), stamp="cb-o1"
        )
        changed = await w.apply(
            "order",
            "update",
            target_id=made.id,
            target_version=made.version,
            fields={"delivery_date": "2026-03-09", "purchase_order": "PO 9"},
            expected={"delivery_date": None, "purchase_order": None},
        )
        assert (changed.result, changed.calls) == ("applied", 2)
        data = changed.data or {}
        assert (data["delivery_date"], data["purchase_order"]) == ("2026-03-09", "PO 9")
        assert data["lines"] == (made.data or {})["lines"]
        await w.edit(f"/SalesOrders/{made.id}", SalesOrderStatus="Confirmed")
        with pytest.raises(Refused) as error:
            await w.apply(
                "order",
                "update",
                target_id=made.id,
                fields={"purchase_order": "PO 10"},
                expected={},
            )
        assert error.value.code == "locked"

    play(address, scene)


# --- source


async def snapshots(w: World) -> list[Observed]:
    await w.source.step("customer")
    await w.source.step("product")
    await w.source.orders.step()
    return w.publisher.taken()


@pytest.mark.calm
@pytest.mark.parametrize("entity", ["product", "order"])
def test_an_edit_on_a_page_that_was_read_before_later_pages_is_seen(
    address: str, entity: EntityName
) -> None:
    async def story(w: World) -> None:
        path = "/Products" if entity == "product" else "/SalesOrders"
        customer, products = await w.make_customer(), [await w.make_product(c) for c in "ab"]
        orders = [await w.make_order(customer, each) for each in products]
        first, second = sorted(products if entity == "product" else orders)
        change = {"Name": "Endret"} if entity == "product" else {"PurchaseOrderReference": "PO 9"}
        narrow = w.tenant.poweroffice.model_copy(update={"overlap_s": 0})
        tenant = w.tenant.model_copy(update={"poweroffice": narrow})
        clock = w.source._clock
        source = Source("demo", tenant, w.client, w.publisher, Observations(), clock=clock)
        pages = w.client.pages

        async def one_by_one(asked: str, **more: Any) -> AsyncIterator[Any]:
            edited = False
            async for page in pages(asked, **{**more, "size": 1}):
                yield page
                if asked == path and not edited:
                    edited = True
                    await w.edit(f"{path}/{first}", **change)
                    await w.edit(f"{path}/{second}", **change)

        w.client.pages = one_by_one  # type: ignore[assignment, method-assign]
        step = source.orders.step if entity == "order" else partial(source.step, entity)
        await step()
        w.client.pages = pages  # type: ignore[method-assign]
        await step()
        newest = {event.id: event.data or {} for event in w.publisher.taken()}
        field = "name" if entity == "product" else "purchase_order"
        assert {newest[each][field] for each in (first, second)} == set(change.values())

    play(address, story)


def test_a_first_snapshot_is_told_while_it_is_read(address: str) -> None:
    """And no longer, whatever became of it."""

    async def story(w: World) -> None:
        told = list[dict[str, Any]]()
        real = w.source._list

        async def look(*given: Any) -> Any:
            told.append(deepcopy(w.source.health["first_snapshots"]))
            if len(told) == 1:
                raise Retriable("503")
            return await real(*given)

        w.source._list = look  # type: ignore[method-assign, assignment]
        with pytest.raises(Retriable):
            await w.source.step("customer")
        await w.source.step("customer")
        assert len(told) > 1 and all(list(each) == ["customer"] for each in told)
        assert datetime.fromisoformat(told[0]["customer"]["since"]).tzinfo is not None
        assert "first_snapshots" not in w.source.health

    play(address, story)


def test_a_snapshot_then_polls_that_publish_only_changes(address: str) -> None:
    async def scene(w: World) -> None:
        ids = [await w.make_customer(Name=f"Kunde {number}") for number in range(3)]
        events = await snapshots(w)
        assert [event.id for event in events] == ids
        assert {event.snapshot for event in events} == {w.publisher.completed[0].snapshot}
        assert {one.entity: one.records for one in w.publisher.completed} == {
            "customer": 3,
            "product": 0,
            "order": 0,
        }
        assert not await w.source.step("customer")
        await w.edit(f"/Customers/{ids[1]}", PhoneNumber="99999999")
        assert await w.source.step("customer")
        [event] = w.publisher.taken()
        assert (event.id, (event.data or {})["phone"], event.snapshot) == (ids[1], "99999999", None)
        await w.edit(f"/Customers/{ids[1]}", WebsiteUrl="https://kunde.no")
        await w.source.step("customer")
        assert w.publisher.taken() == []

    play(address, scene)


def test_our_own_write_is_published_once_and_an_edit_back_is_not_lost(address: str) -> None:
    async def scene(w: World) -> None:
        id = await w.make_customer()
        await snapshots(w)
        await w.apply(
            "customer", "update", target_id=id, fields={"email": "ny@fjordvik.no"}, expected={}
        )
        await w.edit(f"/Customers/{id}", EmailAddress="post@fjordvik.no")
        await w.source.step("customer")
        [event] = w.publisher.taken()
        assert (event.data or {})["email"] == "post@fjordvik.no"
        await w.source.step("customer")
        assert w.publisher.taken() == []

    play(address, scene)


def test_a_reading_that_a_write_overtook_is_read_again(address: str) -> None:
    async def scene(w: World) -> None:
        id = await w.make_customer()
        await snapshots(w)
        await w.edit(f"/Customers/{id}", PhoneNumber="11111111")
        number = w.source.feed.observations.start()
        rows = await w.client.get("/Customers")
        await w.apply(
            "customer", "update", target_id=id, fields={"email": "ny@fjordvik.no"}, expected={}
        )
        found = await w.source.reader.readings("customer", number, rows)
        await w.source.feed.take("customer", found, w.source.reader.reread("customer"))
        [event] = w.publisher.taken()
        assert (event.data or {})["email"] == "ny@fjordvik.no"
        assert int(event.version.split("#")[1]) > number

    play(address, scene)


def test_the_sweep_finds_address_edits_and_deletions(address: str) -> None:
    async def scene(w: World) -> None:
        kept, gone = (
            await w.make_customer(MailAddress={"City": "Bergen", "ZipCode": "5003"}),
            await w.make_customer(),
        )
        product = await w.make_product()
        await snapshots(w)
        await w.edit(f"/Customers/{kept}", MailAddress__City="Voss")
        await w.delete(f"/Customers/{gone}")
        await w.make_product("annen")
        await w.delete(f"/Products/{product}")
        await w.source.sweep()
        events = {(event.entity, event.id): event for event in w.publisher.taken()}
        assert (events["customer", kept].data or {})["address"]["city"] == "Voss"
        assert events["customer", gone].deleted
        assert events["product", product].deleted
        assert await w.source.sweep() is False

    play(address, scene)


def test_an_empty_listing_deletes_nothing(address: str) -> None:
    async def scene(w: World) -> None:
        await w.make_customer()
        await snapshots(w)
        await w.settings(list_rows_max={"/Customers": 0})
        await w.source.sweep()
        assert "1 were known" in w.source.health["notes"]["customer"]
        await w.settings(list_rows_max={})
        await w.source.sweep()
        assert w.publisher.taken() == []
        assert w.source.health["notes"] == {}

    play(address, scene)


def test_a_row_without_an_id_is_named_and_hides_nothing(address: str) -> None:
    async def scene(w: World) -> None:
        await w.make_product()
        await snapshots(w)
        late = await w.make_product("annen")
        rows, seen = w.client.rows, list[str]()

        async def one_more(path: str, **more: Any) -> Any:
            seen.append(path)
            return [{"Code": "uten-id", "Number": 7}, *await rows(path, **more)]

        w.client.rows = one_more  # type: ignore[method-assign]
        await w.source.sweep()
        assert [event.id for event in w.publisher.taken()] == [late]
        assert "/Products" in seen
        assert "uten-id" in w.source.health["notes"]["product"]
        assert "Number 7" in w.source.health["notes"]["customer"]

    play(address, scene)


def test_orders_are_followed_from_draft_to_paid(address: str) -> None:
    async def scene(w: World) -> None:
        customer, product = await w.make_customer(), await w.make_product()
        order = await w.make_order(customer, product)
        await w.make_order(customer, product, SalesOrderDate="2025-12-31")
        events = [event for event in await snapshots(w) if event.entity == "order"]
        assert [(event.id, (event.data or {})["status"]) for event in events] == [(order, "draft")]
        assert (events[0].data or {})["lines"][0]["product_id"] == product
        await w.edit(f"/SalesOrders/{order}", PurchaseOrderReference="PO 1")
        await w.source.orders.step()
        [event] = w.publisher.taken()
        assert (event.data or {})["purchase_order"] == "PO 1"
        await w.counts()
        await w.source.orders.step()
        assert await w.counts() == {"GET /SalesOrders": 1}
        await w.send(order)
        await w.source.orders.invoice_step()
        [event] = w.publisher.taken()
        assert (event.id, (event.data or {})["status"]) == (order, "sent")
        assert event.version > events[0].version
        await w.source.sweep()
        assert w.publisher.taken() == []

    play(address, scene)


def test_the_sweep_finds_line_edits_that_move_no_time(address: str) -> None:
    async def scene(w: World) -> None:
        await w.settings(line_change_bumps_order=False)
        order = await w.make_order(await w.make_customer(), await w.make_product())
        await snapshots(w)
        [line] = await w.person.get(f"/SalesOrders/{order}/Lines")
        await w.edit(f"/SalesOrders/{order}/Lines/{line['Id']}", Quantity=3)
        await w.source.sweep()
        [event] = w.publisher.taken()
        assert (event.data or {})["lines"][0]["quantity"] == "3"
        await w.source.sweep()
        assert w.publisher.taken() == []

    play(address, scene)


@pytest.mark.calm
def test_an_order_that_left_is_deleted_only_when_it_was_not_sent(address: str) -> None:
    async def scene(w: World) -> None:
        customer, product = await w.make_customer(), await w.make_product()
        sent, gone, _ = [await w.make_order(customer, product) for _ in range(3)]
        await snapshots(w)
        await w.send(sent)
        await w.delete(f"/SalesOrders/{gone}")
        await w.settings(removed_privileges=["OutgoingInvoice"])
        w.client._auth._token = None
        await w.source.sweep()
        assert w.publisher.taken() == []
        assert "OutgoingInvoice" in w.source.health["notes"]["invoice"]
        await w.settings(removed_privileges=[])
        w.client._auth._token = None
        await w.source.sweep()
        [event] = w.publisher.taken()
        assert (event.id, event.deleted, event.data) == (gone, True, None)
        await w.source.orders.invoice_step()
        [event] = w.publisher.taken()
        assert (event.id, (event.data or {})["status"]) == (sent, "sent")

    play(address, scene)


def test_an_order_of_ours_is_published_without_another_read(address: str) -> None:
    async def scene(w: World) -> None:
        fields = order_fields(await w.make_customer(), await w.make_product())
        await snapshots(w)
        made = await w.apply("order", "create", fields=fields, stamp="cb-o1")
        await w.counts()
        await w.source.orders.step()
        assert await w.counts() == {"GET /SalesOrders": 1}
        [event] = w.publisher.taken()
        assert (event.id, event.version, event.data, event.stamp) == (
            made.id,
            made.version,
            made.data,
            "cb-o1",
        )

    play(address, scene)


def test_after_a_restart_nothing_is_published_twice_and_nothing_is_missed(address: str) -> None:
    async def scene(w: World) -> None:
        customer, product = await w.make_customer(), await w.make_product()
        kept, sent, edited = [await w.make_order(customer, product) for _ in range(3)]
        await snapshots(w)
        await w.send(sent)
        [line] = await w.person.get(f"/SalesOrders/{edited}/Lines")
        await w.edit(f"/SalesOrders/{edited}/Lines/{line['Id']}", Quantity=3)
        again = Source(
            "demo", w.tenant, w.client, w.publisher, Observations(1000), clock=w.source._clock
        )
        await again.sweep()
        await again.step("customer")
        await again.orders.step()
        await again.orders.invoice_step()
        events = {event.id: event for event in w.publisher.taken()}
        assert set(events) == {sent, edited}
        assert (events[sent].data or {})["status"] == "sent"
        assert (events[edited].data or {})["lines"][0]["quantity"] == "3"
        await again.sweep()
        assert w.publisher.taken() == []
        assert kept in w.publisher.held["order"]

    play(address, scene)


@pytest.mark.calm
def test_a_payment_is_found_by_the_sweep(address: str) -> None:
    async def scene(w: World) -> None:
        order = await w.make_order(await w.make_customer(), await w.make_product())
        await w.send(order)
        [event] = [one for one in await snapshots(w) if one.entity == "order"]
        assert (event.data or {})["invoice"]["paid"] is False
        facts = w.source.orders.invoice_facts
        facts[order] = dataclasses.replace(facts[order], is_reversed=True)
        await w.counts()
        await w.source.sweep()
        assert (await w.counts())["GET /OutgoingInvoices/{id}"] == 1
        assert w.publisher.taken() == []

    play(address, scene)


def test_a_failing_poll_is_noted_and_leaves_the_watermark(address: str) -> None:
    async def scene(w: World) -> None:
        await w.make_customer()
        await snapshots(w)
        cursor = dict(w.publisher.cursors["customer"])
        await w.make_customer()
        await w.fault("html502", "GET /Customers", count=4)
        assert await w.source._guarded("customer", lambda: w.source.step("customer")) is None
        assert "502" in w.source.health["last_error"]["customer"]["error"]
        assert w.publisher.cursors["customer"] == cursor
        assert await w.source._guarded("customer", lambda: w.source.step("customer"))
        assert w.source.health["last_error"] == {}
        assert w.publisher.cursors["customer"]["watermark"] > cursor["watermark"]

    play(address, scene)


@pytest.mark.calm
def test_a_lost_reply_to_an_update_is_applied_when_repeated(address: str) -> None:
    async def scene(w: World) -> None:
        id = await w.make_customer()
        update = {
            "target_id": id,
            "fields": {"email": "ny@fjordvik.no"},
            "expected": {"email": "post@fjordvik.no"},
        }
        await w.fault("drop_reply_after_commit", "PATCH /Customers")
        with pytest.raises(Retriable) as error:
            await w.apply("customer", "update", **update)
        assert error.value.maybe_applied
        outcome = await w.apply("customer", "update", **update, look_first=True)
        assert (outcome.result, outcome.calls) == ("applied", 1)

    play(address, scene)


def test_a_repeated_write_says_that_its_first_attempt_may_have_been_taken_back(
    address: str,
) -> None:
    """Nobody saw the first one answered, and the record has moved since it was planned."""

    async def scene(w: World) -> None:
        id = await w.make_customer()
        known = await w.apply("customer", "verify", target_id=id)
        update = {
            "target_id": id,
            "target_version": known.version,
            "fields": {"email": "ny@fjordvik.no"},
            "expected": {"email": "post@fjordvik.no"},
            "look_first": True,
        }
        assert not (await w.apply("customer", "update", **update)).again
        assert not (await w.apply("customer", "update", **update)).again  # nothing to be written
        back = {"fields": update["expected"], "expected": update["fields"]}
        await w.apply("customer", "update", target_id=id, **back)
        taken_back = await w.apply("customer", "update", **update)
        assert (taken_back.result, taken_back.again) == ("applied", True)

    play(address, scene)


def test_a_part_of_a_patch_that_was_taken_back_before_it_was_repeated_is_told(address: str) -> None:
    """A patch is written whole, so what stands of it says that all of it did."""

    async def scene(w: World) -> None:
        id = await w.make_customer()
        known = await w.apply("customer", "verify", target_id=id)
        fields = {"email": "ny@fjordvik.no", "phone": "+47 22222222"}
        held = {name: (known.data or {})[name] for name in fields}
        await w.apply("customer", "update", target_id=id, fields=fields)
        await w.apply("customer", "update", target_id=id, fields={"email": held["email"]})
        facts = {"target_version": known.version, "fields": fields, "expected": held}
        outcome = await w.apply("customer", "update", target_id=id, **facts, look_first=True)
        assert (outcome.result, outcome.again, outcome.done) == ("applied", True, ("phone",))

    play(address, scene)


def test_run_snapshots_polls_and_ends_when_the_keys_are_refused(address: str) -> None:
    async def scene(w: World) -> None:
        await w.make_customer()
        running = asyncio.create_task(w.source.run())
        await w.publisher.all_completed.wait()
        await w.settings(revoked_clients=["tandem"])
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        with pytest.raises(Unauthorised):
            await w.source.run()

    play(address, scene)
