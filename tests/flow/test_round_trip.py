"""Source, linker and sink of both vendors in one process without Kafka, against the simulators over
HTTP."""

import asyncio
import random
import subprocess
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from contracts.entities import ENTITIES, EntityName, System
from contracts.messages import Command, Link, Observed, Outcome, SnapshotCompleted
from contracts.settings import Tenant
from runtime.clock import iso_now, utc_now
from runtime.publisher import Known
from runtime.rate_limiter import RateLimiter
from runtime.transport import VendorTransport
from services.chargebee_adapter import sink as chargebee_sink
from services.chargebee_adapter import source as chargebee_source
from services.chargebee_adapter.client import ChargebeeClient
from services.chargebee_adapter.product.catalogue import Catalogue, pricing_of
from services.linker.decide import Message, decide
from services.linker.policy import policy_of
from services.linker.store import Overlay, Store
from services.poweroffice_adapter import sink as go_sink
from services.poweroffice_adapter import source as go_source
from services.poweroffice_adapter.client import PowerOfficeClient
from services.poweroffice_adapter.observations import Observations
from tests.waiting import CAP_S, FIRST_PAUSE_S, PATIENCE_S

REST_POLLS, POLLS_OF_A_REST = 3, 8
GO_LISTS = ("/Customers", "/Products", "/SalesOrders", "/OutgoingInvoices")


def _simulator(name: str, *arguments: str) -> Iterator[str]:
    command = [
        sys.executable,
        "-m",
        f"simulators.{name}",
        "--port",
        "0",
        "--rate-limit",
        "0",
        "--data",
        "empty",
    ]
    with subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert " on http" in line, line
            yield "http://" + line.split(" on http://", 1)[1].split("/", 1)[0].strip()
        finally:
            process.terminate()


@pytest.fixture
def chargebee() -> Iterator[str]:
    yield from _simulator("chargebee", "--api-key", "key", "--extra-api-key", "person=person-key")


@pytest.fixture
def go() -> Iterator[str]:
    yield from _simulator(
        "poweroffice",
        "--application-key",
        "a",
        "--client-key",
        "c",
        "--subscription-key",
        "s",
        "--extra-client",
        "person=pa:pc:ps",
    )


def settings(chargebee: str, go: str) -> Tenant:
    return Tenant.model_validate(
        {
            "mode": "sync",
            "start": {"orders": "2026-01-01"},
            "invoicing": {"by": "chargebee"},
            "create": {"order": {"to_chargebee": "on"}},
            "breaker": {"first_backfill": "release"},
            "product": {"groups": {"varer": "varer"}},
            "chargebee": {
                "base_url": f"{chargebee}/api/v2",
                "api_key": "key",
                "prices": "net",
                "list_lag_s": 0,
                "events_interval_s": 0.05,
            },
            "poweroffice": {
                "base_url": f"{go}/v2",
                "token_url": f"{go}/OAuth/Token",
                "application_key": "a",
                "client_key": "c",
                "subscription_key": "s",
                "read_lag_s": 0,
                "poll_min_s": 0.05,
                "poll_max_s": 0.05,
                "sweep_s": 0.3,
            },
        }
    )


@dataclass
class MemoryPublisher:
    """What the sources need of Kafka; everything sent is also put on `topic`."""

    topic: deque[Message]
    sent: list[Observed] = field(default_factory=list)
    held: dict[tuple[System, EntityName], dict[str, Known]] = field(default_factory=dict)
    cursors: dict[tuple[System, str], dict[str, Any]] = field(default_factory=dict)

    def cursor(self, tenant: str, system: System, entity: str) -> dict[str, Any] | None:
        return self.cursors.get((system, entity))

    async def save_cursor(
        self, tenant: str, system: System, entity: str, value: dict[str, Any]
    ) -> None:
        self.cursors[system, entity] = value

    async def publish(self, events: Sequence[Observed]) -> int:
        fresh = 0
        for event in events:
            known = Known.of(event)
            held = self.held.setdefault((event.system, event.entity), {})
            if held.get(event.id) != known:
                held[event.id] = known
                self.sent.append(event)
                self.topic.append(event)
                fresh += 1
        return fresh

    async def snapshot_completed(self, message: SnapshotCompleted) -> None:
        self.topic.append(message)

    def known(self, tenant: str, system: System, entity: EntityName) -> Mapping[str, Known]:
        return self.held.setdefault((system, entity), {})

    def max_observation(self, tenant: str, system: System) -> int:
        return 0


class World:
    """One tenant: both adapters and the linker, and a person at each vendor."""

    def __init__(self, chargebee: str, go: str) -> None:
        self.addresses = {"chargebee": chargebee, "poweroffice": go}
        tenant = settings(chargebee, go)
        self.topic: deque[Message] = deque()
        self.publisher = MemoryPublisher(self.topic)
        self.store = Store("demo", policy_of(tenant))
        self.commands: list[Command] = []
        self.outcomes: list[Outcome] = []
        self._https = [VendorTransport(RateLimiter(0, 1, 1)) for _ in range(2)]
        ours, catalogue = (
            ChargebeeClient(tenant.chargebee, self._https[0]),
            Catalogue(pricing_of(tenant)),
        )
        theirs, observations = PowerOfficeClient(tenant.poweroffice, self._https[1]), Observations()
        self.chargebee_source = chargebee_source.Source(
            "demo", tenant, ours, self.publisher, clock=utc_now, catalogue=catalogue
        )
        self.go_source = go_source.Source(
            "demo", tenant, theirs, self.publisher, observations, clock=utc_now
        )
        self.sinks: dict[str, Any] = {
            "chargebee": chargebee_sink.Sink(
                "demo", tenant, ours, clock=utc_now, catalogue=catalogue
            ),
            "poweroffice": go_sink.Sink(
                "demo",
                tenant,
                theirs,
                observations,
                clock=utc_now,
                groups=self.go_source.reader.groups,
                currencies=self.go_source.reader.currencies,
            ),
        }
        self.person = httpx.AsyncClient(trust_env=False, timeout=PATIENCE_S)

    async def close(self) -> None:
        for http in self._https:
            await http.aclose()
        await self.person.aclose()

    # -- the linker and the sinks

    def fold(self, message: Message) -> list[Command]:
        """Decide one message; returns the commands it led to."""
        overlay = self.store.child()
        state, outputs = decide(overlay, message, iso_now())
        assert isinstance(state, Overlay)
        overlay.absorb(state)
        self.store.absorb(overlay)
        return [output for output in outputs if isinstance(output, Command)]

    async def pump(self) -> int:
        """Carry everything on the topic through, outcomes included; returns how many messages there
        were."""
        count = 0
        while self.topic:
            count += 1
            for command in self.fold(self.topic.popleft()):
                self.commands.append(command)
                outcome = await self.sinks[command.target].apply(command)
                self.outcomes.append(outcome)
                self.topic.append(outcome)
        return count

    async def quiet(self) -> int:
        """Pump until both sources have polled and swept several times and found nothing; returns
        the writes."""
        rests, mark = 0, await self._polls()
        while rests < REST_POLLS:
            moved = await self.pump()
            polls = await self._polls()
            if moved:
                rests, mark = 0, polls
            elif all(now >= then + POLLS_OF_A_REST for now, then in zip(polls, mark, strict=True)):
                rests, mark = rests + 1, polls
            await asyncio.sleep(FIRST_PAUSE_S)
        return await self.writes()

    async def _polls(self) -> list[int]:
        counts = [(await self._requests(name))["counts"] for name in self.addresses]
        return [
            counts[0].get("GET /events", 0),
            *(counts[1].get(f"GET {path}", 0) for path in GO_LISTS),
        ]

    async def _requests(self, name: str) -> dict[str, Any]:
        answer = await self.person.get(
            f"{self.addresses[name]}/_sim/requests", params={"user": "tandem", "log": "0"}
        )
        found: dict[str, Any] = answer.json()
        return found

    async def writes(self) -> int:
        return sum([int((await self._requests(name))["writes"]) for name in self.addresses])

    def links(self, entity: EntityName) -> list[Link]:
        overlay = self.store.child()
        found = [
            overlay.get(entity, name.split("/", 1)[1])
            for name in self.store.links
            if name.startswith(f"{entity}/")
        ]
        return [link for link in found if link is not None]

    # -- people

    async def act(self, path: str, **fields: Any) -> dict[str, Any]:
        """A write in Chargebee; double underscores stand for brackets."""
        named = {}
        for name, value in fields.items():
            first, *rest = name.split("__")
            named[first + "".join(f"[{part}]" for part in rest)] = value
        url = f"{self.addresses['chargebee']}/api/v2{path}"
        answer = await self.person.post(url, data=named, auth=("person-key", ""))
        assert answer.status_code == 200, answer.text
        made: dict[str, Any] = next(iter(answer.json().values()))
        return made

    async def read(self, path: str) -> Any:
        answer = await self.person.get(
            f"{self.addresses['chargebee']}/api/v2{path}", auth=("person-key", "")
        )
        assert answer.status_code == 200, answer.text
        return next(iter(answer.json().values()))

    async def log_in(self) -> None:
        answer = await self.person.post(
            f"{self.addresses['poweroffice']}/OAuth/Token",
            auth=("pa", "pc"),
            data={"grant_type": "client_credentials"},
            headers={"Ocp-Apim-Subscription-Key": "ps"},
        )
        self._go_headers = {
            "Authorization": f"Bearer {answer.json()['access_token']}",
            "Ocp-Apim-Subscription-Key": "ps",
        }

    async def go(self, method: str, path: str, body: Any = None) -> Any:
        headers = {
            **self._go_headers,
            **({"Content-Type": "application/json-patch+json"} if method == "PATCH" else {}),
        }
        url = f"{self.addresses['poweroffice']}/v2{path}"
        answer = await self.person.request(method, url, json=body, headers=headers)
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.text.strip() else None


@asynccontextmanager
async def reading(world: World) -> AsyncIterator[None]:
    tasks = [
        asyncio.create_task(source.run()) for source in (world.chargebee_source, world.go_source)
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def fill(world: World) -> tuple[str, str]:
    """A customer, a product and an order on each side; returns the ids of Go's customer and
    order."""
    await world.act(
        "/customers", id="kari", first_name="Kari", last_name="Nordmann", email="kari@eksempel.no"
    )
    await world.act("/item_families", id="varer", name="varer")
    await world.act(
        "/items",
        id="lampe",
        name="Lampe",
        type="charge",
        item_family_id="varer",
        is_shippable="true",
    )
    await world.act(
        "/item_prices",
        id="lampe-NOK",
        item_id="lampe",
        name="Lampe NOK",
        price=44950,
        currency_code="NOK",
        pricing_model="per_unit",
    )
    invoice = await world.act(
        "/invoices/create_for_charge_items_and_charges",
        customer_id="kari",
        currency_code="NOK",
        auto_collection="off",
        item_prices__item_price_id__0="lampe-NOK",
        item_prices__quantity__0=2,
    )
    await world.act(
        f"/invoices/{invoice['id']}/record_payment",
        transaction__amount=invoice["amount_due"],
        transaction__payment_method="bank_transfer",
    )
    customer = (
        await world.go(
            "POST",
            "/Customers",
            {
                "IsPerson": True,
                "FirstName": "Ola",
                "LastName": "Hansen",
                "InvoiceDeliveryType": "Print",
            },
        )
    )["Id"]
    product = (
        await world.go(
            "POST",
            "/Products",
            {
                "Code": "4410",
                "Name": "Bok",
                "UnitPrice": 199,
                "ProductGroupCode": "varer",
            },
        )
    )["Id"]
    order = (
        await world.go(
            "POST",
            "/SalesOrders/Complete",
            {
                "CustomerId": customer,
                "CurrencyCode": "NOK",
                "SalesOrderDate": "2026-11-02",
                "SalesOrderLines": [{"LineType": "Normal", "ProductId": product, "Quantity": 3}],
            },
        )
    )["Id"]
    await world.go("POST", f"/SalesOrders/{order}/createAndSendInvoice", {})
    return str(customer), str(order)


def replayed(world: World, seed: int) -> list[Command]:
    """The commands that come of everything observed and answered, delivered again in random
    order."""
    again: list[Message] = [*world.publisher.sent, *world.outcomes]
    random.Random(seed).shuffle(again)
    return [command for message in again for command in world.fold(message)]


def run(scenario: Callable[[World], Any], chargebee: str, go: str) -> None:
    async def whole() -> None:
        world = World(chargebee, go)
        try:
            await world.log_in()
            await scenario(world)
        finally:
            await world.close()

    asyncio.run(asyncio.wait_for(whole(), CAP_S))


def test_records_and_edits_cross_both_ways_and_a_replay_plans_nothing(
    chargebee: str, go: str
) -> None:
    """Customer, product and order each way, then an edit each way: exactly the writes needed, and
    none afterwards."""

    async def scenario(world: World) -> None:
        customer, order = await fill(world)
        async with reading(world):
            # Into Go a customer, a product and an order; into Chargebee a customer, an item with
            # its family and its price, an invoice with its order.
            before = await world.quiet()
            assert before == (1 + 1 + 1) + (1 + 3 + 2)
            for entity in ENTITIES:
                links, states = (
                    world.links(entity),
                    {"linked", "sent"} if entity == "order" else {"linked"},
                )
                assert len(links) == 2
                assert {link.state for link in links} == states
                assert not [
                    link for link in links if link.flight or link.problem or link.differences
                ]
            invoice = await world.read(f"/invoices/go-{order}")
            sent = await world.go("GET", f"/OutgoingInvoices/{order}")
            assert invoice["total"] == round(sent["TotalAmount"] * 100)
            drafts = await world.go("GET", "/SalesOrders")
            assert [each["NetAmount"] for each in drafts] == [899]

            await world.act("/customers/kari", phone="+47 40000000")
            await world.go(
                "PATCH",
                f"/Customers/{customer}",
                [
                    {"op": "replace", "path": "/EmailAddress", "value": "ola@eksempel.no"},
                ],
            )
            assert await world.quiet() == before + 2
            assert (await world.read(f"/customers/go-{customer}"))["email"] == "ola@eksempel.no"
            people = await world.go("GET", "/Customers")
            assert {each.get("PhoneNumber") for each in people} >= {"+47 40000000"}

            links_before = dict(world.store.links)
            assert {outcome.result for outcome in world.outcomes} == {"applied"}
            for seed in range(20):
                assert replayed(world, seed) == []
            assert world.store.links == links_before
            assert await world.quiet() == before + 2

    run(scenario, chargebee, go)
