"""The real services as processes on a real Kafka, between two simulators over HTTP, as a person
would run them."""

import asyncio
import contextlib
import itertools
import os
import re
import signal
import subprocess
from collections import deque
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Self

import httpx
import msgspec
from aiokafka import AIOKafkaProducer

from contracts.entities import SYSTEMS, EntityName
from contracts.messages import JournalEntry, Link
from contracts.settings import KafkaSettings, load
from runtime.kafka import Kafka
from runtime.ports import HeldPort, hold_one
from services.console.base import LEFT
from tests.system import forked
from tests.system.rest import until_at_rest
from tests.waiting import PATIENCE, PATIENCE_S, wait_for

SERVICES = ("linker", "chargebee_adapter", "poweroffice_adapter")
COMMANDS_PATIENCE = (
    30 * PATIENCE
)  # a command waits 10 s for the linker otherwise, the doctor 3 s for a service
_numbers = itertools.count(1)
# A server lets go of a connection that nobody used for 5 s (uvicorn), and so would httpx: who used
# it at that moment would be cut off.
FRESH = httpx.Limits(keepalive_expiry=1.0)
# The newest ones: those of tests that have ended are let go.
_held: deque[HeldPort] = deque(maxlen=200)


def free_port() -> int:
    """A port that nobody has, kept for us until a process of ours listens there."""
    held = hold_one()
    _held.append(held)
    return held.number


def tandem(rig: "Rig", *arguments: str, code: int = 0, **variables: str) -> str:
    """What the command prints, its complaints last; fails when it ends with another exit code."""
    done = forked.run("services.console.cli", arguments, {**rig.environment(), **variables})
    assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def interruptible() -> None:
    """Runs in a child before its program: Ctrl-C reaches it, also where the tests run in the
    background."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def link_when(rig: "Rig", key: str, state: str, entity: EntityName = "customer") -> Link:
    """The link once it is in that state and nothing of it is in flight."""

    def stands(link: Link | None) -> bool:
        return link is not None and link.state == state and link.flight is None

    found = wait_for(f"{entity} {key} is {state}", lambda: rig.links(entity).get(key), stands)
    assert found is not None
    return found


class Rig:
    """Simulators and services of one test, on topics of their own.

    A rig with a `host` has the simulators of one more tenant of that host, whose services it
    shares. It is to be entered first, since the host's settings name all tenants.
    """

    def __init__(
        self,
        bootstrap: str,
        directory: Path,
        *,
        data: str = "empty",
        settings: str = "",
        tenant: str = "demo",
        partition: int = 0,
        host: "Rig | None" = None,
    ) -> None:
        self.bootstrap, self.directory = bootstrap, directory
        self.tenant, self.partition, self.partitions = tenant, partition, 1
        self.host, self.guests = host, list[Rig]()
        self.prefix: str = f"t{os.getpid()}x{next(_numbers)}." if host is None else host.prefix
        self.kafka = Kafka(
            KafkaSettings(bootstrap=bootstrap, topic_prefix=self.prefix, partitions=1)
        )
        names = ("chargebee", "poweroffice", *SERVICES)
        self.ports = {name: free_port() for name in names}
        self.processes: dict[str, forked.Process] = {}
        if host is not None:
            self.ports |= {name: host.ports[name] for name in SERVICES}
            host.guests.append(self)
        # `{chargebee}` and `{poweroffice}` in further settings stand for the simulators' addresses.
        self._data = data
        self._has_topics = False
        self._settings = re.sub(r"\{(\w+)\}", lambda name: self.url(name[1]), settings)
        self.first_backfill, self.sweep_s = "release", 2
        self.variables: dict[str, str] = {}
        self.chargebee = httpx.Client(
            base_url=self.url("chargebee") + "/api/v2",
            auth=("person-key", ""),
            limits=FRESH,
            trust_env=False,
            timeout=PATIENCE_S,
        )
        self.go = httpx.Client(
            base_url=self.url("poweroffice") + "/v2",
            limits=FRESH,
            trust_env=False,
            timeout=PATIENCE_S,
        )
        self.control = httpx.Client(limits=FRESH, trust_env=False, timeout=PATIENCE_S)

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.ports[name]}"

    # -- life

    def __enter__(self) -> Self:
        self.write_settings()
        hook = f"{self.url('chargebee_adapter')}/webhooks/chargebee/{self.tenant}"
        self._start(
            "simulators.chargebee",
            "chargebee",
            [
                "--port",
                str(self.ports["chargebee"]),
                "--api-key",
                "sync-key",
                "--extra-api-key",
                "person=person-key",
                "--rate-limit",
                "0",
                "--data",
                self._data,
                "--webhook-url",
                hook,
                "--webhook-username",
                "hook",
                "--webhook-password",
                "hook-secret",
            ],
        )
        self._start(
            "simulators.poweroffice",
            "poweroffice",
            [
                "--port",
                str(self.ports["poweroffice"]),
                "--application-key",
                "a",
                "--client-key",
                "c",
                "--subscription-key",
                "s",
                "--rate-limit",
                "0",
                "--data",
                self._data,
                "--extra-client",
                "person=pa:pc:ps",
            ],
        )
        for name in ("chargebee", "poweroffice"):
            wait_for(
                f"{name} simulator answers", partial(self._answers, f"{self.url(name)}/_sim/health")
            )
        self.log_in()
        return self

    def log_in(self) -> None:
        """A token of Go for the person."""
        token = self.control.post(
            self.url("poweroffice") + "/OAuth/Token",
            auth=("pa", "pc"),
            data={"grant_type": "client_credentials"},
            headers={"Ocp-Apim-Subscription-Key": "ps"},
        ).json()["access_token"]
        self.go.headers.update(
            {"Authorization": f"Bearer {token}", "Ocp-Apim-Subscription-Key": "ps"}
        )

    def __exit__(self, *_: object) -> None:
        try:
            self.stop(*(name for name in self.processes if name not in SYSTEMS))
        finally:
            # A simulator may hold a request for ever, and keeps nothing.
            for name in list(self.processes):
                self.kill(name)
        for client in (self.chargebee, self.go, self.control):
            client.close()

    def write_settings(self, *, partitions: int | None = None) -> None:
        if self.host is not None:
            return
        if partitions is not None:
            self.partitions = partitions
        tenants = "".join(rig.of_tenant() for rig in (self, *self.guests))
        (self.directory / "tandem.toml").write_text(f"""
[kafka]
bootstrap = "{self.bootstrap}"
topic_prefix = "{self.prefix}"
partitions = {self.partitions}
[console]
data = "{self.directory / "console"}"
[ports]
linker = {self.ports["linker"]}
chargebee_adapter = {self.ports["chargebee_adapter"]}
poweroffice_adapter = {self.ports["poweroffice_adapter"]}
{tenants}""")

    def of_tenant(self) -> str:
        """The settings of the rig's own tenant."""
        groups = "".join(f'{name} = "{name}"\n' for name in ("abonnement", "tillegg", "varer"))
        return f"""
[tenants.{self.tenant}]
partition = {self.partition}
mode = "sync"
invoicing.by = "chargebee"
start.orders = 2026-01-01
create.order.to_chargebee = "on"
breaker.first_backfill = "{self.first_backfill}"
chargebee.prices = "net"
chargebee.base_url = "{self.url("chargebee")}/api/v2"
chargebee.requests_per_minute = 60000
chargebee.list_lag_s = 0
chargebee.events_interval_s = 0.3
poweroffice.base_url = "{self.url("poweroffice")}/v2"
poweroffice.token_url = "{self.url("poweroffice")}/OAuth/Token"
poweroffice.requests_per_second = 1000
poweroffice.poll_min_s = 0.2
poweroffice.poll_max_s = 0.2
poweroffice.sweep_s = {self.sweep_s}
poweroffice.read_lag_s = 0.1
{self._settings}
[tenants.{self.tenant}.product.groups]
{groups}"""

    def environment(self) -> dict[str, str]:
        """Variables of every process; commands wait for answers as long as the tests do."""
        if self.host is not None:
            return self.host.environment()
        own = {
            "TANDEM_CONFIG": str(self.directory / "tandem.toml"),
            "TANDEM_CONSOLE__PATIENCE": str(COMMANDS_PATIENCE),
        }
        for rig in (*self.guests, self):
            own |= rig.secrets() | rig.variables
        return {**os.environ, **own}

    def secrets(self) -> dict[str, str]:
        """The keys of the rig's own tenant."""
        tenant = f"TANDEM_TENANTS__{self.tenant.upper()}__"
        return {
            f"{tenant}CHARGEBEE__API_KEY": "sync-key",
            f"{tenant}CHARGEBEE__WEBHOOK_USERNAME": "hook",
            f"{tenant}CHARGEBEE__WEBHOOK_PASSWORD": "hook-secret",
            f"{tenant}POWEROFFICE__APPLICATION_KEY": "a",
            f"{tenant}POWEROFFICE__CLIENT_KEY": "c",
            f"{tenant}POWEROFFICE__SUBSCRIPTION_KEY": "s",
        }

    def _start(self, module: str, name: str, arguments: list[str]) -> None:
        log = self.directory / f"{name}.log"
        self.processes[name] = forked.start(module, arguments, self.environment(), log)

    def create_topics(self) -> None:
        """As `tandem topics create`, which is what a person runs before the services; once."""
        if not self._has_topics:
            held = load(self.directory / "tandem.toml", self.environment())
            asyncio.run(Kafka(held.kafka).ensure_topics())
            self._has_topics = True

    def start(self, *names: str) -> None:
        """Make the topics, start services and wait until they are ready."""
        self.create_topics()
        for name in names or SERVICES:
            self._start(f"services.{name}", name, [])
        for name in names or SERVICES:
            wait_for(f"{name} is ready", partial(self._ready, name))

    def start_as(self, name: str, module: str, *arguments: str) -> None:
        """Start another program in the place of a service and wait until it is ready."""
        self.create_topics()
        self._start(module, name, list(arguments))
        wait_for(f"{name} is ready", lambda: self._ready(name))

    def start_second(self, name: str, **variables: str) -> str:
        """One more process of a service, with a port of its own; returns its name once it is
        ready."""
        names = (f"{name}_{number}" for number in itertools.count(2))
        second = next(each for each in names if each not in self.ports)
        self.ports[second] = free_port()
        held = self.variables
        port = {f"TANDEM_PORTS__{name.upper()}": str(self.ports[second])}
        self.variables = {**held, **port, **variables}
        self._start(f"services.{name}", second, [])
        self.variables = held
        wait_for(f"{second} is ready", lambda: self._ready(second))
        return second

    def problem(self, name: str) -> str | None:
        """Why a service says that it is not ready."""
        words: str | None = self.control.get(f"{self.url(name)}/health/ready").json()["problem"]
        return words

    def status(self) -> dict[str, Any]:
        """What `tandem status --json` prints."""
        done = forked.run("services.console.cli", ["status", "--json"], self.environment())
        assert done.returncode in (0, LEFT), done.stderr
        found: dict[str, Any] = msgspec.json.decode(done.stdout)
        return found

    def _ready(self, name: str) -> bool:
        code = self.processes[name].poll()
        assert code is None, f"{name} ended with {code}:\n{self.log(name)[-3000:]}"
        return self._answers(f"{self.url(name)}/health/ready")

    def _answers(self, url: str) -> bool:
        try:
            return self.control.get(url).status_code == 200
        except httpx.TransportError:
            return False

    def kill(self, name: str) -> None:
        """SIGKILL a process this rig started."""
        process = self.processes.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def stop(self, *names: str) -> None:
        """SIGTERM, side by side; fails when one does not end."""
        ending = {name: self.processes.pop(name) for name in names}
        for process in ending.values():
            process.terminate()
        for name, process in ending.items():
            try:
                process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise AssertionError(
                    f"{name} did not end after SIGTERM:\n{self.log(name)[-3000:]}"
                ) from None

    def log(self, name: str) -> str:
        return (self.directory / f"{name}.log").read_text(errors="replace")

    # -- simulators

    def requests(self, name: str, *, log: bool = False) -> dict[str, Any]:
        """The sync's own requests to a simulator, counted; and one by one, newest last, under
        `log`."""
        asked = {"user": "tandem"} if log else {"user": "tandem", "log": "0"}
        answer: dict[str, Any] = self.control.get(
            f"{self.url(name)}/_sim/requests", params=asked
        ).json()
        return answer

    def writes(self) -> int:
        """Successful writes of the sync to both systems."""
        return int(self.requests("chargebee")["writes"]) + int(
            self.requests("poweroffice")["writes"]
        )

    def clear_faults(self, name: str) -> None:
        self.control.post(f"{self.url(name)}/_sim/faults", json={"clear": True})

    def fault(self, name: str, **fault: Any) -> None:
        answer = self.control.post(f"{self.url(name)}/_sim/faults", json={"faults": [fault]})
        assert answer.status_code < 300, answer.text

    def add_customer(self, **fields: str) -> dict[str, Any]:
        """A customer entered in Chargebee by a person."""
        answer = self.chargebee.post("/customers", data=fields)
        assert answer.status_code == 200, answer.text
        customer: dict[str, Any] = answer.json()["customer"]
        return customer

    def add_go_customer(self, **fields: Any) -> dict[str, Any]:
        """A customer entered in Go by a person."""
        answer = self.go.post("/Customers", json=fields)
        assert answer.status_code == 201, answer.text
        customer: dict[str, Any] = answer.json()
        return customer

    def go_customers(self) -> list[dict[str, Any]]:
        return self.go_list("/Customers")

    def go_list(self, path: str) -> list[dict[str, Any]]:
        """The first page of a list in Go; an empty one comes as 204."""
        answer = self.go.get(path)
        return [] if answer.status_code == 204 else answer.json()

    def go_post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """A record entered in Go by a person."""
        answer = self.go.post(path, json=dict(body))
        assert answer.status_code < 300, answer.text
        return dict(answer.json()) if answer.text.strip() else {}

    def go_edit(self, path: str, **values: Any) -> None:
        """Properties replaced in Go by a person; double underscores step into an object."""
        patch = [
            {"op": "replace", "path": "/" + name.replace("__", "/"), "value": value}
            for name, value in values.items()
        ]
        answer = self.go.patch(
            path, json=patch, headers={"Content-Type": "application/json-patch+json"}
        )
        assert answer.status_code == 200, answer.text

    def act(self, path: str, kind: str, **fields: Any) -> dict[str, Any]:
        """A write in Chargebee by a person; `name__key__index` stands for `name[key][index]`."""
        named = {
            "".join(
                f"[{part}]" if number else part for number, part in enumerate(name.split("__"))
            ): value
            for name, value in fields.items()
        }
        answer = self.chargebee.post(path, data=named)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()[kind]
        return found

    def held(self, path: str, kind: str) -> dict[str, Any] | None:
        """One record of Chargebee, None while it does not exist."""
        answer = self.chargebee.get(path)
        return None if answer.status_code == 404 else answer.json()[kind]

    def add_item(
        self, id: str, price_minor: int, *, family: str = "varer", **fields: Any
    ) -> dict[str, Any]:
        """A charge entered in Chargebee by a person, with its price `<id>-NOK`; the family is made
        when missing."""
        if self.held(f"/item_families/{family}", "item_family") is None:
            self.act("/item_families", "item_family", id=family, name=family)
        facts = {"name": f"Vare {id}", "type": "charge", "item_family_id": family, **fields}
        item = self.act("/items", "item", id=id, **facts)
        self.act(
            "/item_prices",
            "item_price",
            id=f"{id}-NOK",
            item_id=id,
            name=f"{id} NOK",
            price=price_minor,
            currency_code="NOK",
            pricing_model="per_unit",
        )
        return item

    def add_order(
        self, customer_id: str, lines: Mapping[str, int], **fields: Any
    ) -> dict[str, Any]:
        """A paid invoice in Chargebee over item prices and quantities, and the order generated for
        it."""
        rows: dict[str, Any] = {}
        for number, (price_id, quantity) in enumerate(lines.items()):
            rows |= {
                f"item_prices__item_price_id__{number}": price_id,
                f"item_prices__quantity__{number}": quantity,
            }
        invoice = self.act(
            "/invoices/create_for_charge_items_and_charges",
            "invoice",
            customer_id=customer_id,
            currency_code="NOK",
            auto_collection="off",
            **rows,
            **fields,
        )
        self.act(
            f"/invoices/{invoice['id']}/record_payment",
            "invoice",
            transaction__amount=invoice["amount_due"],
            transaction__payment_method="bank_transfer",
        )
        orders = self.chargebee.get(f"/invoices/{invoice['id']}/orders").json()["list"]
        order: dict[str, Any] = orders[0]["order"]
        return order

    def settings(self, name: str, **values: Any) -> None:
        """Switch a simulator at run time."""
        answer = self.control.post(f"{self.url(name)}/_sim/settings", json=values)
        assert answer.status_code == 200, answer.text

    def settings_of(self, name: str) -> dict[str, Any]:
        """The switches of a simulator as they stand."""
        answer = self.control.get(f"{self.url(name)}/_sim/settings")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def amend(self, name: str, kind: str, id: Any, **fields: Any) -> None:
        """Change a record of a simulator behind everybody's back."""
        answer = self.control.post(f"{self.url(name)}/_sim/records/{kind}/{id}", json=fields)
        assert answer.status_code == 200, answer.text

    def chargebee_list(self, path: str, kind: str, **params: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        query = {"limit": "100", **params}
        while True:
            page = self.chargebee.get(path, params=query).json()
            found += [each[kind] for each in page["list"]]
            if "next_offset" not in page:
                return found
            query["offset"] = page["next_offset"]

    # -- topics

    def _collect(self, topic: str) -> list[tuple[bytes, bytes | None]]:
        async def read() -> list[tuple[bytes, bytes | None]]:
            records = self.kafka.read((topic,), (self.partition,))
            return [(record.key, record.value) async for record in records]

        return asyncio.run(read())

    def records(self, topic: str, *, readable: bool = False) -> list[Any]:
        """Decoded values of a topic, the tombstones left out; what is no JSON too, where the
        `readable` are meant."""
        found = []
        for _, value in self._collect(topic):
            with contextlib.suppress(
                *((msgspec.DecodeError, UnicodeDecodeError) if readable else ())
            ):
                found += [msgspec.json.decode(value)] if value is not None else []
        return found

    def every_link(self) -> list[Link]:
        """The newest state of every link."""
        newest = dict(self._collect("links"))
        return [
            msgspec.json.decode(value, type=Link) for value in newest.values() if value is not None
        ]

    def links(self, entity: EntityName = "customer") -> dict[str, Link]:
        """The newest state of every link of an entity."""
        return {link.key: link for link in self.every_link() if link.entity == entity}

    def journal(self) -> list[JournalEntry]:
        return [
            msgspec.json.decode(value, type=JournalEntry)
            for _, value in self._collect("journal")
            if value
        ]

    def send(
        self, topic: str, key: bytes, value: bytes, headers: Mapping[str, bytes] | None = None
    ) -> None:
        """Put a message on a topic as it is."""

        async def run() -> None:
            producer = AIOKafkaProducer(bootstrap_servers=self.bootstrap)
            await producer.start()
            try:
                pairs = list((headers or {}).items())
                await producer.send_and_wait(
                    self.prefix + topic, value, key=key, partition=self.partition, headers=pairs
                )
            finally:
                await producer.stop()

        asyncio.run(run())

    def quiet(self, *, polls: int = 3) -> int:
        """Wait until nothing moves any more, with so many polls of Go in between; returns the
        writes of the sync."""
        return until_at_rest(self, polls)
