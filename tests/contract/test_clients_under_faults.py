"""Both clients, sinks and sources against servers that answer nonsense.

Whatever comes back, a call ends as Retriable or Refused with words, a write that may have got
through says so, and a source goes on: what cannot be read is asked for again, or published as a
problem of its record.
"""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from contracts.mappings import newest
from contracts.messages import Command, Outcome
from contracts.settings import Tenant
from runtime import transport
from runtime.rate_limiter import RateLimiter
from runtime.transport import VendorTransport
from runtime.vendor import Refused, Retriable, Unauthorised, VendorError
from services.chargebee_adapter import source as chargebee_source
from services.chargebee_adapter.client import ChargebeeClient, locked
from services.chargebee_adapter.sink import Sink as ChargebeeSink
from services.chargebee_adapter.source import Source as ChargebeeSource
from services.poweroffice_adapter.client import PowerOfficeClient
from services.poweroffice_adapter.observations import Observations
from services.poweroffice_adapter.sink import Sink as GoSink
from services.poweroffice_adapter.source import Source as GoSource
from tests.contract.test_chargebee_adapter import MemoryPublisher
from tests.transports import Showing
from tests.waiting import FIRST_PAUSE_S, NEVER_S, PATIENCE_S

NOW = datetime(2026, 6, 1, 9, 30, tzinfo=UTC)
TRICKLE_S = 0.5  # of one read from the socket, where a trickle must be given up


@dataclass(frozen=True)
class Reply:
    """What the server sends: `body` as it stands, in pieces `pause_s` apart, or a reset without an
    answer."""

    body: bytes = b""
    status: int = 200
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    missing_bytes: int = 0
    pause_s: float = 0.0
    resets: bool = False


def of(content: Any, status: int = 200, **more: Any) -> Reply:
    return Reply(json.dumps(content).encode(), status, **more)


PACKED = (("Content-Encoding", "gzip"),)
HTML = b"<!doctype html><html><body><h1>Down for maintenance</h1></body></html>"
UNREADABLE = {
    "html": Reply(HTML, content_type="text/html"),
    "html that says it is json": Reply(HTML),
    "html with 404": Reply(HTML, 404, "text/html"),
    "html with 502": Reply(HTML, 502, "text/html"),
    "a redirect": Reply(b"", 302, headers=(("Location", "/elsewhere"),)),
    "a redirect to what is none": Reply(b"", 302, headers=(("Location", "http://[::"),)),
    "truncated json": Reply(b'{"customer": {"id": "c1", "first_na'),
    "a body shorter than said": Reply(b'{"customer": {"id": "c1"', missing_bytes=40),
    "no body": Reply(),
    "latin-1": Reply('{"Name": "Åse", "customer": {"id": "Å"}}'.encode("latin-1")),
    "nested without end": Reply(b"[" * 100_000),
    "a reset": Reply(resets=True),
    "gzip that is none": Reply(b'{"list": []}', headers=PACKED),
    "gzip cut short": Reply(gzip.compress(b'{"list": []}')[:-4], headers=PACKED),
    "gzip broken inside": Reply(gzip.compress(b'{"list": []}')[:-8] + bytes(8), headers=PACKED),
    "an encoding nobody asked for": Reply(
        b"\x0b\x02\x80{}\x03", headers=(("Content-Encoding", "br"),)
    ),
    "an encoding that is none": Reply(b"{}", headers=(("Content-Encoding", "\x80\xff, gzip"),)),
    "a number without end": Reply(b'{"list": [], "total": 1e99999999999999999999}'),
    "a number of a gigabyte": Reply(b'{"list": [], "total": 1e-999999999}'),
    "a trickle": Reply(b'{"list": []}', pause_s=NEVER_S),
}
WRONG_SHAPE = {
    "null": of(None),
    "a number": of(17),
    "a text": of("ok"),
    "a list of numbers": of([1, 2]),
    "an empty object": of({}),
    "an accepted job": of({"job": 1}, 202),
    "a list that is none": of(
        {"list": {"customer": {}}, "customer": [], "item": "x", "order": 1, "invoice": None}
    ),
    "entries that are none": of(
        {"list": [1, None, {"other": {}}], "customer": {}, "item": {}, "order": {"id": ""}}
    ),
    "types that are wrong": of(
        {
            "Id": {"a": 1},
            "Name": [1],
            "SalesOrderLines": 7,
            "access_token": 5,
            "expires_in": "soon",
            "customer": {"id": [1]},
            "item": {"id": {}},
            "item_price": {"id": []},
            "order": {"id": {}},
        }
    ),
    "a list of nonsense": of(
        [{"Id": None}, {"id": []}, {"Code": 5, "ExternalImportReference": {}}]
    ),
}
MAY_SAY_NOTHING = {
    "no content": Reply(status=204),
    "partial content": of({"list": []}, 206),
    "an empty list": of([]),
}
FAULTS = UNREADABLE | WRONG_SHAPE | MAY_SAY_NOTHING

Answer = Callable[[str, str], Reply]


@dataclass
class Server:
    """Answers every request with `answer(method, path)`; the request number `bad_at` with `bad`."""

    address: str
    answer: Answer
    bad: Reply = field(default_factory=Reply)
    bad_at: int = 0
    asked: list[tuple[str, str]] = field(default_factory=list)

    def reply(self, method: str, path: str) -> Reply:
        self.asked.append((method, path))
        return self.bad if len(self.asked) == self.bad_at else self.answer(method, path)

    @property
    def broke(self) -> tuple[str, str] | None:
        """The request that got the bad answer."""
        return self.asked[self.bad_at - 1] if 0 < self.bad_at <= len(self.asked) else None


@asynccontextmanager
async def serving(answer: Answer) -> AsyncIterator[Server]:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (head := await reader.readuntil(b"\r\n\r\n")) is not None:
                line, *rest = head.decode().split("\r\n")
                method, target, _ = line.split(" ")
                sizes = [each for each in rest if each.lower().startswith("content-length:")]
                await reader.readexactly(int(sizes[0].split(":")[1]) if sizes else 0)
                if not await _send(writer, server.reply(method, target.partition("?")[0])):
                    return
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            return
        finally:
            writer.close()

    listening = await asyncio.start_server(handle, "127.0.0.1", 0)
    server = Server(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}", answer)
    try:
        yield server
    finally:
        listening.close()


async def _send(writer: asyncio.StreamWriter, reply: Reply) -> bool:
    """Whether the connection may be used again."""
    if reply.resets:
        writer.transport.abort()
        return False
    length = len(reply.body) + reply.missing_bytes
    head = [f"HTTP/1.1 {reply.status} X", f"Content-Type: {reply.content_type}"]
    head += [f"{name}: {value}" for name, value in reply.headers]
    if reply.status != 204:
        head.append(f"Content-Length: {length}")
    writer.write("\r\n".join([*head, "", ""]).encode("latin-1"))
    for start in range(0, len(reply.body), 4 if reply.pause_s else len(reply.body) or 1):
        writer.write(reply.body[start : start + 4] if reply.pause_s else reply.body)
        await writer.drain()
        await asyncio.sleep(reply.pause_s)
    return not (reply.missing_bytes or reply.pause_s)


def connections(server: Server) -> VendorTransport:
    """Without a rate limit, and patient unless the answer may be a trickle: the machine may be
    busy."""

    def give_up_a_trickle(request: httpx.Request) -> None:
        if server.bad.pause_s and server.bad_at in (0, len(server.asked) + 1):
            request.extensions["timeout"] = {**request.extensions["timeout"], "read": TRICKLE_S}

    return VendorTransport(
        RateLimiter(0, 1, 1),
        timeout_s=PATIENCE_S,
        connections=4,
        inner=Showing(give_up_a_trickle),
    )


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reads are tried once and sources pause shortly: the repetitions have tests of their own."""
    monkeypatch.setattr(transport, "MAX_READ_ATTEMPTS", 1)
    monkeypatch.setattr(chargebee_source, "FIRST_BACKOFF_S", 0.01)
    monkeypatch.setattr(chargebee_source, "MAX_BACKOFF_S", 0.02)


def tenant(address: str) -> Tenant:
    secret = SecretStr("x")
    site = {
        "base_url": f"{address}/api/v2",
        "api_key": secret,
        "prices": "net",
        "list_lag_s": 0,
        "events_interval_s": 0.01,
    }
    go = {
        "base_url": f"{address}/v2",
        "token_url": f"{address}/token",
        "read_lag_s": 0,
        "poll_min_s": 0.01,
        "poll_max_s": 0.02,
        "sweep_s": 0.05,
        "application_key": secret,
        "client_key": secret,
        "subscription_key": secret,
    }
    return Tenant.model_validate(
        {
            "chargebee": site,
            "poweroffice": go,
            "start": {"orders": "2026-01-01"},
            "product": {"groups": {"tjenester": "salg"}},
            "order": {"fallback_product": "diverse"},
        }
    )


# --- what sane vendors answer
# -------------------------------------------------------------------------------

CB_CUSTOMER = {
    "id": "c1",
    "company": "Fjord AS",
    "phone": "1",
    "resource_version": 5,
    "deleted": False,
    "billing_address": {"line1": "Gate 1", "city": "Oslo", "zip": "0150", "country": "NO"},
}
CB_ITEM = {"id": "i1", "name": "Basis", "type": "charge", "status": "active", "resource_version": 5}
CB_PRICE = {
    "id": "i1-NOK",
    "item_id": "i1",
    "item_type": "charge",
    "currency_code": "NOK",
    "price": 100,
    "pricing_model": "per_unit",
    "status": "active",
    "resource_version": 6,
}
CB_ORDER = {
    "id": "o1",
    "invoice_id": "INV-7",
    "customer_id": "c1",
    "currency_code": "NOK",
    "status": "queued",
    "order_date": 1_777_000_000,
    "created_at": 1_777_000_000,
    "resource_version": 7,
    "total": 100,
    "order_line_items": [
        {
            "id": "l1",
            "entity_type": "charge_item_price",
            "entity_id": "i1-NOK",
            "amount": 100,
            "fulfillment_quantity": 1,
        }
    ],
}
CB_RECORDS: dict[str, dict[str, Any]] = {
    "customers": CB_CUSTOMER,
    "items": CB_ITEM,
    "item_prices": CB_PRICE,
    "orders": CB_ORDER,
    "invoices": {"id": "INV-7", "po_number": "PO"},
    "item_families": {"id": "f"},
    "events": {"id": "e"},
}
CB_KINDS = {"item_families": "item_family"}


def chargebee_answer(method: str, path: str) -> Reply:
    """A site with one record of each kind, which holds whatever is asked for."""
    parts = path.removeprefix("/api/v2/").split("/")
    kind = CB_KINDS.get(parts[0], parts[0][:-1])
    record = CB_RECORDS[parts[0]]
    if parts[-1] == "orders" and len(parts) == 3:
        return of({"list": []})
    if method == "GET" and len(parts) == 1:
        return of({"list": [] if kind in ("event", "invoice") else [{kind: record}]})
    missing = of(
        {"message": "gone", "type": "invalid_request", "api_error_code": "resource_not_found"}, 404
    )
    if method == "GET" and parts[1].startswith("go-"):
        return missing
    return of({kind: record})


GO_CUSTOMER = {
    "Id": 11,
    "Name": "Fjord AS",
    "PhoneNumber": "1",
    "LastChangedDateTimeOffset": "2026-03-01T08:00:00Z",
    "MailAddress": {"City": "Oslo", "ZipCode": "0150", "CountryCode": "NO"},
}
GO_PRODUCT = {
    "Id": 12,
    "Code": "diverse",
    "Name": "Basis",
    "UnitPrice": 10,
    "ProductGroupId": 13,
    "LastChangedDateTimeOffset": "2026-03-01T08:00:00Z",
}
GO_ORDER = {
    "Id": "a-1",
    "CustomerId": 11,
    "SalesOrderDate": "2026-03-01",
    "SalesOrderStatus": "Draft",
    "NetAmount": 10,
    "TotalAmount": 12.5,
    "LastChangedDateTimeOffset": "2026-03-01T08:00:00Z",
    "LineCount": 1,
}
GO_LINES = [
    {
        "Id": "l-1",
        "LineType": "Normal",
        "ProductId": 12,
        "Quantity": 1,
        "ProductUnitPrice": 10,
        "NetAmount": 10,
        "VatAmount": 2.5,
    }
]
GO_INVOICE = {
    "Id": "a-2",
    "CustomerId": 11,
    "OrderDate": "2026-03-01",
    "InvoiceNo": 7,
    "NetAmount": 10,
    "TotalAmount": 12.5,
    "Balance": 0,
    "SentDateTimeOffset": "2026-03-02T08:00:00Z",
    "LastChangedDateTimeOffset": "2026-03-02T08:00:00Z",
}
GO_RECORDS: dict[str, dict[str, Any]] = {
    "Customers": GO_CUSTOMER,
    "Products": GO_PRODUCT,
    "SalesOrders": GO_ORDER,
    "OutgoingInvoices": GO_INVOICE,
    "ProductGroups": {"Id": 13, "Code": "salg"},
}


def go_answer(method: str, path: str) -> Reply:
    """A company with one record of each kind."""
    if path == "/token":
        return of({"access_token": "t", "expires_in": 1200})
    parts = path.removeprefix("/v2/").split("/")
    if parts[-1] == "Lines":
        return of(GO_LINES)
    record = GO_RECORDS.get(parts[0], {"ClientId": "1", "ClientName": "Fjord"})
    if parts[-1] == "Complete":
        return of({**record, "SalesOrderLines": GO_LINES})
    if method == "GET" and len(parts) == 1 and parts[0] in GO_RECORDS:
        return of([record])
    return of(record, 201 if method == "POST" else 200)


# --- clients and sinks
# --------------------------------------------------------------------------------------

PLACE = {"line1": "Gate 2", "city": "Bergen", "zip": "5003", "country": "NO"}
FIELDS: dict[str, dict[str, Any]] = {
    "customer": {"kind": "company", "company": "Fjord AS", "phone": "2", "address": PLACE},
    "product": {
        "code": "k",
        "name": "Nytt",
        "kind": "charge",
        "group": "tjenester",
        "price": {"amount": "2", "currency": "NOK"},
    },
    "order": {
        "customer_id": "11",
        "currency": "NOK",
        "order_date": "2026-05-05",
        "net": "10",
        "tax": "0",
        "total": "10",
        "lines": [{"id": "l1", "quantity": "1", "unit_price": "10", "net": "10"}],
    },
}
EDITS: dict[str, dict[str, Any]] = {
    "customer": {"phone": "2", "address": PLACE},
    "product": {"name": "Nytt", "price": {"amount": "2", "currency": "NOK"}},
    "order": {"order_date": "2026-05-05"},
}
IDS = {
    "chargebee": {"customer": "c1", "product": "i1", "order": "o1"},
    "poweroffice": {"customer": "11", "product": "12", "order": "a-1"},
}


def commands(target: Any) -> Iterator[Command]:
    """Creates and updates of each entity; the rest of one is as that of the others."""
    stamp = "go-9" if target == "chargebee" else "cb-9"
    for entity, fields in FIELDS.items():
        base: dict[str, Any] = {
            "tenant": "demo",
            "entity": entity,
            "link": "l",
            "seq": 1,
            "target": target,
            "lane": "live",
            "cause": "test",
            "mapping": newest(target),
        }
        at: dict[str, Any] = {"target_id": IDS[target][entity]}
        yield Command(**base, op="update", **at, fields=EDITS[entity])
        yield Command(**base, op="create", stamp=stamp, fields=fields, look_first=True)
        if entity == "customer":
            yield Command(**base, op="create", stamp=stamp, fields=fields)
            yield Command(**base, op="stamp", **at, stamp=stamp)
            yield Command(**base, op="verify", **at)


Apply = Callable[[Command], Awaitable[Outcome]]


def chargebee_sink(address: str, http: VendorTransport) -> Apply:
    settings = tenant(address)
    return ChargebeeSink(
        "demo", settings, ChargebeeClient(settings.chargebee, http), clock=lambda: NOW
    ).apply


def go_sink(address: str, http: VendorTransport) -> Apply:
    settings = tenant(address)
    client = PowerOfficeClient(settings.poweroffice, http)
    return GoSink("demo", settings, client, Observations(), clock=lambda: NOW).apply


SINKS: dict[str, tuple[Answer, Callable[[str, VendorTransport], Apply]]] = {
    "chargebee": (chargebee_answer, chargebee_sink),
    "poweroffice": (go_answer, go_sink),
}


async def outcome_of(apply: Apply, command: Command) -> Outcome | VendorError:
    try:
        return await apply(command)
    except (Retriable, Refused, Unauthorised) as error:
        return error


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("system", SINKS)
def test_a_bad_answer_to_any_request_of_a_command_is_understood(system: str, name: str) -> None:
    """Every command with every one of its requests answered badly in turn."""
    answer, sink = SINKS[system]

    async def scenario() -> None:
        async with serving(answer) as server:
            server.bad = FAULTS[name]
            http = connections(server)
            # A trickle takes its time, so one command has to do.
            wanted = list(commands(system))[: 1 if server.bad.pause_s else None]
            try:
                for command in wanted:
                    server.bad_at = 0
                    while server.bad_at == 0 or server.broke is not None:
                        server.bad_at += 1
                        server.asked.clear()
                        result = await outcome_of(sink(server.address, http), command)
                        judge(result, server, command, name)
            finally:
                await http.aclose()

    asyncio.run(asyncio.wait_for(scenario(), PATIENCE_S))


def judge(result: Outcome | VendorError, server: Server, command: Command, name: str) -> None:
    """Words for a failure; an outcome only with a record, and never out of what cannot be read."""
    where = (
        f"{command.target} {command.entity} {command.op}, request {server.bad_at}: "
        f"{server.broke}: {result!r}"
    )
    if server.broke is None:
        assert not isinstance(result, Retriable), where
        return
    if isinstance(result, Outcome):
        assert result.id, where
        assert result.data is not None or result.error is not None, where
        assert name not in UNREADABLE, where
        return
    assert str(result).strip(), where
    method, path = server.broke
    if isinstance(result, Retriable) and method != "GET" and path != "/token":
        assert result.maybe_applied, where


@pytest.mark.parametrize("name", FAULTS)
def test_the_clients_understand_a_bad_answer_to_any_call(name: str) -> None:
    async def scenario() -> None:
        async with serving(lambda method, path: FAULTS[name]) as server:
            server.bad = FAULTS[name]
            http = connections(server)
            settings = tenant(server.address)
            site = ChargebeeClient(settings.chargebee, http)
            calls: list[Callable[[], Awaitable[Any]]] = [
                lambda: site.find("customer", "customers", "c1"),
                lambda: site.all("customer", "/customers"),
                lambda: site.post("customer", "/customers", {"id": "c1"}),
                lambda: PowerOfficeClient(settings.poweroffice, http).identity(),
            ]
            try:
                for call in calls:
                    try:
                        result = await call()
                    except VendorError as error:
                        assert str(error).strip()  # noqa: PT017
                    else:
                        # An empty list is an answer; everything else here is none.
                        assert (name, result) == ("partial content", [])
            finally:
                await http.aclose()

    asyncio.run(asyncio.wait_for(scenario(), PATIENCE_S))


def test_json_of_another_content_type_is_read_and_a_refusal_keeps_its_words() -> None:
    async def scenario() -> None:
        refusal = of(
            {
                "message": "email : is not valid",
                "api_error_code": "param_wrong_value",
                "param": "email",
            },
            400,
        )
        replies = {"GET": of({"customer": CB_CUSTOMER}, content_type="text/plain"), "POST": refusal}
        async with serving(lambda method, path: replies[method]) as server:
            http = connections(server)
            site = ChargebeeClient(tenant(server.address).chargebee, http)
            assert await site.find("customer", "customers", "c1") == CB_CUSTOMER
            with pytest.raises(Refused, match="email : is not valid") as refused:
                await site.post("customer", "/customers", {"email": "x"})
            assert (refused.value.code, refused.value.field) == ("param_wrong_value", "email")
            await http.aclose()

    asyncio.run(asyncio.wait_for(scenario(), PATIENCE_S))


@pytest.mark.parametrize(
    ("code", "paused"), [("lock_timeout", False), ("api_request_limit_exceeded", True)]
)
def test_a_locked_record_does_not_stop_the_calls_for_others(code: str, paused: bool) -> None:
    pauses: list[float] = []

    class Limiter(RateLimiter):
        def pause(self, seconds: float) -> None:
            pauses.append(seconds)

    async def scenario() -> None:
        refusal = of({"message": "later", "type": "operation_failed", "api_error_code": code}, 429)
        async with serving(lambda method, path: refusal) as server:
            http = VendorTransport(Limiter(0, 1, 1), timeout_s=PATIENCE_S, locked=locked)
            with pytest.raises(Retriable) as raised:
                await ChargebeeClient(tenant(server.address).chargebee, http).post(
                    "customer", "/customers", {}
                )
            assert not raised.value.maybe_applied
            await http.aclose()

    asyncio.run(asyncio.wait_for(scenario(), PATIENCE_S))
    assert pauses == ([1.0] if paused else [])


def test_a_list_that_does_not_go_on_ends_with_words() -> None:
    async def scenario() -> None:
        page = of({"list": [{"customer": CB_CUSTOMER}], "next_offset": "same"})
        async with serving(lambda method, path: page) as server:
            http = connections(server)
            with pytest.raises(Retriable, match="does not go on"):
                await ChargebeeClient(tenant(server.address).chargebee, http).all(
                    "customer", "/customers"
                )
            await http.aclose()

    asyncio.run(asyncio.wait_for(scenario(), PATIENCE_S))


# --- sources
# ------------------------------------------------------------------------------------------------


def first_badly(answer: Answer, bad: Reply) -> Answer:
    """The first answer to each address is bad, later ones are sane."""
    met: set[tuple[str, str]] = set()

    def reply(method: str, path: str) -> Reply:
        if (method, path) in met:
            return answer(method, path)
        met.add((method, path))
        return bad

    return reply


async def read_all(source: ChargebeeSource | GoSource, publisher: MemoryPublisher) -> None:
    """Let a source run until its first readings are complete; nothing may end it before."""
    task = asyncio.create_task(source.run())
    async with asyncio.timeout(PATIENCE_S):
        while len(publisher.completed) < 3 and not task.done():
            await asyncio.wait((task,), timeout=FIRST_PAUSE_S)
    ended = task.done()
    task.cancel()
    results = await asyncio.gather(task, return_exceptions=True)
    assert not ended, results


def chargebee_reader(
    address: str, http: VendorTransport, publisher: MemoryPublisher
) -> ChargebeeSource:
    settings = tenant(address)
    return ChargebeeSource(
        "demo", settings, ChargebeeClient(settings.chargebee, http), publisher, clock=lambda: NOW
    )


def go_reader(address: str, http: VendorTransport, publisher: MemoryPublisher) -> GoSource:
    settings = tenant(address)
    client = PowerOfficeClient(settings.poweroffice, http)
    return GoSource("demo", settings, client, publisher, Observations(), clock=lambda: NOW)


async def observe(answer: Answer, system: str, bad: Reply | None = None) -> MemoryPublisher:
    async with serving(answer) as server:
        server.bad = bad or server.bad
        http = connections(server)
        publisher = MemoryPublisher()
        made = chargebee_reader if system == "chargebee" else go_reader
        try:
            await read_all(made(server.address, http, publisher), publisher)
        finally:
            await http.aclose()
        return publisher


ANSWERS = {"chargebee": chargebee_answer, "poweroffice": go_answer}
# Answers that say plainly that there is nothing, and those that read as a record of another shape.
ASKED_AGAIN = [name for name in FAULTS if name not in MAY_SAY_NOTHING]


@pytest.mark.parametrize("name", ASKED_AGAIN)
@pytest.mark.parametrize("system", ANSWERS)
def test_a_source_asks_again_and_loses_nothing(system: str, name: str) -> None:
    async def scenario() -> None:
        publisher = await observe(first_badly(ANSWERS[system], FAULTS[name]), system, FAULTS[name])
        ids = {
            (event.entity, event.id) for event in publisher.events if event.data or event.problem
        }
        wanted = set(IDS[system].items()) | (
            {("order", "a-2")} if system == "poweroffice" else set()
        )
        assert wanted <= ids
        assert not any(event.deleted for event in publisher.events)

    asyncio.run(asyncio.wait_for(scenario(), PATIENCE_S))


BAD_RECORDS: dict[str, dict[str, list[dict[str, Any]]]] = {
    "chargebee": {
        "customers": [
            {"id": "bad", "email": {"x": 1}},
            {"id": "half", "company": "A\ud800B", "resource_version": 5},
        ],
        "items": [
            {"id": "bad", "type": "subscription"},
            {"id": "bad2", "type": "plan", "unit": []},
        ],
        "orders": [
            {**CB_ORDER, "id": "bad", "order_line_items": [{"amount": "ten"}]},
            {**CB_ORDER, "id": "bad2", "currency_code": None},
        ],
    },
    "poweroffice": {
        "Customers": [
            {"Id": 66, "Name": [1]},
            {"Id": 67},
            {"Name": "no id"},
            {"Id": 68, "Name": "A\ud800B"},
            {"Id": 69, "Name": "x", "LastChangedDateTimeOffset": 5},
        ],
        "Products": [
            {"Id": 66, "Name": "x", "UnitPrice": "ten"},
            {"Id": 67, "Name": "x", "UnitPrice": 1e300},
        ],
        "SalesOrders": [
            {"SalesOrderDate": 20260301},
            {"Id": "bad", "SalesOrderDate": 5, "LineCount": []},
        ],
    },
}
PROBLEMS = {
    "chargebee": {
        ("customer", "bad"),
        ("product", "bad"),
        ("product", "bad2"),
        ("order", "bad"),
        ("order", "bad2"),
    },
    "poweroffice": {
        ("customer", "66"),
        ("customer", "67"),
        ("product", "66"),
        ("product", "67"),
        ("order", "bad"),
    },
}


def with_bad_records(system: str) -> Answer:
    """The sane vendor with records among its lists that cannot be read."""

    def answer(method: str, path: str) -> Reply:
        reply = ANSWERS[system](method, path)
        name = path.rpartition("/")[2]
        if path.endswith("/SalesOrders/bad/Complete"):
            return of({"Id": "bad", "SalesOrderLines": {"Id": 1}})
        bad = BAD_RECORDS[system].get(name, [])
        if not bad or method != "GET" or "INV" in path or path.endswith("s/orders"):
            return reply
        rows = json.loads(reply.body)
        if system == "poweroffice":
            return of([*bad, *rows])
        kind = name[:-1]
        return of({"list": [*({kind: each} for each in bad), *rows["list"]]})

    return answer


@pytest.mark.parametrize("system", ANSWERS)
def test_a_bad_record_becomes_a_problem_and_the_others_are_read(system: str) -> None:
    async def scenario() -> None:
        publisher = await observe(with_bad_records(system), system)
        problems = {
            (event.entity, event.id): event.problem for event in publisher.events if event.problem
        }
        assert set(problems) == PROBLEMS[system]
        assert all(problem.message and problem.field for problem in problems.values())
        sane = {(event.entity, event.id) for event in publisher.events if event.data is not None}
        assert set(IDS[system].items()) <= sane
        # Half a surrogate pair is no text: the record is read with the sign for what cannot be
        # shown.
        half = publisher.last("customer", "half" if system == "chargebee" else "68")
        assert half is not None
        assert half.data is not None
        assert half.data["company"] == "A\ufffdB"

    asyncio.run(asyncio.wait_for(scenario(), PATIENCE_S))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        HTML,
        b"[]",
        b"null",
        b'{"id": "e"',
        b"[" * 100_000,
        b'{"event_type": 5, "content": {}}',
        b'{"event_type": "customer_changed", "content": []}',
        b'{"event_type": "customer_changed", "content": {}}',
        b'{"event_type": "customer_changed", "content": {"customer": {"id": 7}}}',
        b'{"api_version": "v1"}',
        b'{"event_type": "item_updated", "content": {"item": [1]}}',
        b'\xff{"event_type": "customer_changed"}',
    ],
)
def test_a_webhook_that_is_none_is_refused_with_words(body: bytes) -> None:
    async def scenario() -> None:
        async with serving(chargebee_answer) as server:
            http = connections(server)
            source = chargebee_reader(server.address, http, MemoryPublisher())
            with pytest.raises(ValueError, match=r"\w"):
                await source.webhook(body)
            await http.aclose()

    asyncio.run(asyncio.wait_for(scenario(), PATIENCE_S))


@pytest.mark.parametrize(
    "name", ["no content", "an empty list", "no body", "html with 404", "a text"]
)
def test_an_odd_answer_never_counts_as_a_deletion(name: str) -> None:
    """A record that lists leave out is asked for by its id: only a clear 404 means that it is
    gone."""

    async def scenario() -> None:
        # The customer vanishes from lists; asked for by its id, the answer is odd.
        state = {"vanished": False}

        def answer(method: str, path: str) -> Reply:
            if state["vanished"] and path == "/v2/Customers":
                return of([{**GO_CUSTOMER, "Id": 99}])
            if state["vanished"] and path == "/v2/Customers/11":
                return FAULTS[name]
            return go_answer(method, path)

        async with serving(answer) as server:
            http = connections(server)
            publisher = MemoryPublisher()
            source = go_reader(server.address, http, publisher)
            try:
                await read_all(source, publisher)
                state["vanished"] = True
                with pytest.raises(VendorError, match=r"\w"):
                    await source.sweep()
                assert not any(event.deleted for event in publisher.events)
            finally:
                await http.aclose()

    asyncio.run(asyncio.wait_for(scenario(), PATIENCE_S))
