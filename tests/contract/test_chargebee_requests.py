"""Every request of our Chargebee client beside that of Chargebee's own SDK for the same call.

Both talk to a server that records. Method, path and decoded (name, value) pairs must be equal; only
a list in a filter is spelled otherwise (JSON here, Python text there: the API takes both).
"""

import asyncio
import json
import re
import threading
from ast import literal_eval
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import chargebee
import pytest
from chargebee import util
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from contracts.mappings import newest
from contracts.messages import Command, Outcome
from contracts.settings import Tenant
from runtime.rate_limiter import RateLimiter
from runtime.transport import VendorTransport
from runtime.vendor import Refused
from services.chargebee_adapter.addresses import RECORD_WORDS, RESOURCE_WORDS, Resource
from services.chargebee_adapter.client import ChargebeeClient, form, path
from services.chargebee_adapter.sink import Sink
from services.chargebee_adapter.source import Source
from tests.contract.test_chargebee_adapter import MemoryPublisher
from tests.examples import examples
from tests.waiting import FIRST_PAUSE_S, PATIENCE_S

NOW = datetime(2026, 6, 1, 9, 30, tzinfo=UTC)
NOON_MAY_5, NOON_MAY_9 = 1_777_975_200, 1_778_320_800  # 12:00 in Oslo, summer time
KINDS = {
    "customers": "customer",
    "items": "item",
    "item_prices": "item_price",
    "item_families": "item_family",
    "orders": "order",
    "invoices": "invoice",
    "events": "event",
}
CUSTOMER = {
    "id": "c1",
    "company": "Fjord AS",
    "phone": "1",
    "email": "a@eksempel.no",
    "vat_number": "923609016",
    "taxability": "taxable",
    "meta_data": {"note": "Å"},
    "resource_version": 5,
    "billing_address": {
        "line1": "Gate 1",
        "city": "Oslo",
        "zip": "0150",
        "country": "NO",
        "email": "faktura@eksempel.no",
        "state": "Oslo",
    },
}
ITEM = {
    "id": "go-3",
    "name": "Nettbrett",
    "external_name": "Nettbrett 11",
    "type": "charge",
    "status": "active",
    "item_family_id": "tjenester",
}
PRICE = {
    "id": "go-3-NOK",
    "item_id": "go-3",
    "item_type": "charge",
    "currency_code": "NOK",
    "price": 459000,
    "pricing_model": "per_unit",
    "status": "active",
    "name": "Nettbrett NOK",
}
ORDER = {
    "id": "42",
    "invoice_id": "INV-7",
    "customer_id": "c1",
    "currency_code": "NOK",
    "status": "queued",
    "order_date": 1_777_000_000,
    "shipping_date": 1_777_000_000,
    "created_at": 1_777_000_000,
}


@dataclass(frozen=True)
class Sent:
    """One request as decoded: pairs of the query or of the form body."""

    method: str
    path: str
    pairs: tuple[tuple[str, str], ...]
    headers: Mapping[str, str] = field(compare=False, hash=False, default_factory=dict)


@dataclass
class Recorder:
    """A server that keeps what it was sent. `records` answers reads by path, `lists` the entries of
    lists."""

    port: int
    sent: list[Sent] = field(default_factory=list)
    records: dict[str, Any] = field(default_factory=dict)
    lists: dict[str, list[Any]] = field(default_factory=dict)

    def answer(self, method: str, resource: str) -> tuple[int, Any]:
        """The vendor's answer: the record under a path, an empty list, or what a write makes."""
        kind = KINDS.get(resource.split("/")[1], "customer")
        if "/import_" in resource:
            kind = resource.rpartition("import_")[2]
        if resource in self.records:
            return 200, {kind: self.records[resource]}
        if method == "POST":
            return 200, {kind: {"id": "go-1", "object": kind, **(ITEM if kind == "item" else {})}}
        if resource.count("/") == 1 or resource.endswith("/orders"):
            return 200, {"list": self.lists.get(resource, [])}
        error = {
            "message": "not found",
            "type": "invalid_request",
            "api_error_code": "resource_not_found",
        }
        return 404, {**error, "http_status_code": 404}

    def taken(self) -> list[Sent]:
        """The requests since the last call."""
        sent, self.sent = self.sent, []
        return sent

    def reset(self) -> None:
        self.sent, self.records, self.lists = [], {}, {}


@pytest.fixture(scope="module")
def server() -> Iterator[Recorder]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            target, _, query = self.path.removeprefix("/api/v2").partition("?")
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            pairs = parse_qsl(
                body or query, keep_blank_values=True, strict_parsing=bool(body or query)
            )
            headers = {name.lower(): value for name, value in self.headers.items()}
            recording.sent.append(
                Sent(
                    self.command, target, tuple(sorted(_spelled(*pair) for pair in pairs)), headers
                )
            )
            status, content = recording.answer(self.command, target)
            encoded = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json;charset=utf-8")
            self.send_header("Content-Length", str(len(encoded)))
            self.end_headers()
            self.wfile.write(encoded)

        do_GET = do_POST = answer

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        listening.daemon_threads = True
        recording = Recorder(listening.server_address[1])
        thread = threading.Thread(target=listening.serve_forever, daemon=True)
        thread.start()
        yield recording
        listening.shutdown()
        thread.join()


@pytest.fixture
def recorder(server: Recorder) -> Recorder:
    server.reset()
    return server


@pytest.fixture
def sdk(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> chargebee.Chargebee:
    monkeypatch.setattr(chargebee.Chargebee, "verify_ca_certs", False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return chargebee.Chargebee(
        api_key="key", site="127", chargebee_domain=f"0.0.1:{recorder.port}", protocol="http"
    )


def _spelled(name: str, value: str) -> tuple[str, str]:
    """A list of a filter in one spelling."""
    if not name.endswith(("[in]", "[not_in]", "[between]")):
        return name, value
    try:
        return name, json.dumps(json.loads(value), ensure_ascii=False)
    except ValueError:
        return name, json.dumps(literal_eval(value), ensure_ascii=False)


def tenant(recorder: Recorder, **changes: Any) -> Tenant:
    secret = SecretStr("x")
    site = {
        "base_url": f"http://127.0.0.1:{recorder.port}/api/v2",
        "api_key": SecretStr("key"),
        "prices": "net",
        "list_lag_s": 0.01,
        "events_interval_s": 0.01,
        "item_family": "tjenester",
    }
    go = {
        "base_url": "http://127.0.0.1:1/v2",
        "token_url": "http://127.0.0.1:1/t",
        "application_key": secret,
        "client_key": secret,
        "subscription_key": secret,
    }
    return Tenant.model_validate(
        {"chargebee": site, "poweroffice": go, "start": {"orders": "2026-01-01"}} | changes
    )


def apply(recorder: Recorder, entity: Any, op: Any, **facts: Any) -> Outcome:
    """Let our sink carry out one command."""

    async def scenario() -> Outcome:
        http, settings = VendorTransport(RateLimiter(0, 1, 1)), tenant(recorder)
        sink = Sink("demo", settings, ChargebeeClient(settings.chargebee, http), clock=lambda: NOW)
        command = Command(
            tenant="demo",
            entity=entity,
            link="l",
            seq=1,
            target="chargebee",
            op=op,
            lane="live",
            mapping=newest("chargebee"),
            cause="test",
            **facts,
        )
        try:
            return await sink.apply(command)
        finally:
            await http.aclose()

    return asyncio.run(scenario())


def same(recorder: Recorder, theirs: Callable[[], Any], method: str = "POST") -> Sent:
    """The one write that we sent, after comparing it with what the SDK sends."""
    ours = [each for each in recorder.taken() if each.method == method]
    theirs()
    (expected,) = recorder.taken()
    matching = [each for each in ours if each.path == expected.path]
    assert matching == [expected]
    for name in ("authorization", "accept", "content-type"):
        assert matching[0].headers.get(name) == expected.headers.get(name)
    return matching[0]


# --- writes
# -------------------------------------------------------------------------------------------------


def test_a_customer_is_created(recorder: Recorder, sdk: chargebee.Chargebee) -> None:
    address = {
        "line1": "Brønngata 1 & 3",
        "line2": "2. etg.",
        "city": "Ålesund",
        "zip": "6002",
        "country": "NO",
    }
    fields = {
        "kind": "company",
        "company": "Fjord & Fjell AS",
        "email": "post+faktura@eksempel.no",
        "phone": "+47 90000000",
        "organisation_number": "923609016",
        "currency": "NOK",
        "vat_exempt": True,
        "address": address,
    }
    apply(recorder, "customer", "create", stamp="go-17", fields=fields)
    sent = same(
        recorder,
        lambda: sdk.Customer.create(
            {
                "id": "go-17",
                "auto_collection": "off",
                "company": "Fjord & Fjell AS",
                "email": "post+faktura@eksempel.no",
                "phone": "+47 90000000",
                "preferred_currency_code": "NOK",
                "taxability": "exempt",
                "vat_number": "923609016",
                "billing_address": address,
            }
        ),
    )
    assert ("billing_address[city]", "Ålesund") in sent.pairs


def test_a_customer_is_updated_and_a_field_cleared(
    recorder: Recorder, sdk: chargebee.Chargebee
) -> None:
    recorder.records["/customers/c1"] = CUSTOMER
    fields = {"phone": "2", "email": None, "vat_exempt": True}
    apply(recorder, "customer", "update", target_id="c1", fields=fields)
    sent = same(
        recorder,
        lambda: sdk.Customer.update("c1", {"phone": "2", "email": None, "taxability": "exempt"}),
    )
    assert ("email", "") in sent.pairs


def test_billing_information_is_replaced_whole(
    recorder: Recorder, sdk: chargebee.Chargebee
) -> None:
    recorder.records["/customers/c1"] = CUSTOMER
    address = {"line1": "Gate 2", "city": "Bergen", "zip": "5003", "country": "NO"}
    apply(recorder, "customer", "update", target_id="c1", fields={"address": address})
    kept = {"email": "faktura@eksempel.no", "state": "Oslo"}
    same(
        recorder,
        lambda: sdk.Customer.update_billing_info(
            "c1", {"vat_number": "923609016", "billing_address": {**kept, **address}}
        ),
    )


def test_a_stamp_is_a_json_text(recorder: Recorder, sdk: chargebee.Chargebee) -> None:
    recorder.records["/customers/c1"] = CUSTOMER
    apply(recorder, "customer", "stamp", target_id="c1", stamp="go-5")
    metadata = json.dumps({"note": "Å", "poweroffice_id": "5"}, ensure_ascii=False)
    same(recorder, lambda: sdk.Customer.update("c1", {"meta_data": metadata}))


def test_an_item_is_stamped(recorder: Recorder, sdk: chargebee.Chargebee) -> None:
    recorder.records["/items/basis"] = ITEM | {"id": "basis"}
    apply(recorder, "product", "stamp", target_id="basis", stamp="go-5")
    same(recorder, lambda: sdk.Item.update("basis", {"metadata": '{"poweroffice_id": "5"}'}))


PRODUCT = {
    "code": "3201",
    "name": 'Nettbrett 11" [ny]',
    "description": "Til kasse, 50 %",
    "unit": "EA",
    "kind": "charge",
    "price": {"amount": "4590", "currency": "NOK"},
}


def test_a_family_an_item_and_its_price_are_created(
    recorder: Recorder, sdk: chargebee.Chargebee
) -> None:
    apply(recorder, "product", "create", stamp="go-3", fields=PRODUCT)
    ours = recorder.taken()

    def again(theirs: Callable[[], Any]) -> None:
        recorder.sent = list(ours)
        same(recorder, theirs)

    again(lambda: sdk.ItemFamily.create({"id": "tjenester", "name": "tjenester"}))
    again(
        lambda: sdk.Item.create(
            {
                "id": "go-3",
                "name": 'Nettbrett 11" [ny]',
                "external_name": 'Nettbrett 11" [ny]',
                "type": "charge",
                "item_family_id": "tjenester",
                "description": "Til kasse, 50 %",
                "unit": "piece",
            }
        )
    )
    again(
        lambda: sdk.ItemPrice.create(
            {
                "id": "go-3-NOK",
                "item_id": "go-3",
                "name": "Nettbrett NOK",
                "currency_code": "NOK",
                "pricing_model": "per_unit",
                "price": 459000,
                "accounting_detail": {"sku": "3201"},
            }
        )
    )


@pytest.fixture
def catalogue(recorder: Recorder) -> None:
    recorder.records["/items/go-3"] = ITEM
    recorder.lists["/item_prices"] = [{"item_price": PRICE}]
    recorder.records["/item_prices/go-3-NOK"] = PRICE


@pytest.mark.usefixtures("catalogue")
def test_an_item_and_its_price_are_updated(recorder: Recorder, sdk: chargebee.Chargebee) -> None:
    fields = {
        "name": "Nytt",
        "unit": "HUR",
        "archived": True,
        "price": {"amount": "12.5", "currency": "NOK"},
    }
    apply(recorder, "product", "update", target_id="go-3", fields=fields)
    ours = recorder.taken()
    recorder.sent = list(ours)
    same(
        recorder,
        lambda: sdk.Item.update(
            "go-3", {"external_name": "Nytt", "unit": "hour", "status": "archived"}
        ),
    )
    recorder.sent = list(ours)
    same(recorder, lambda: sdk.ItemPrice.update("go-3-NOK", {"price": 1250}))


@pytest.mark.usefixtures("catalogue")
def test_a_price_with_many_decimals_is_a_text(recorder: Recorder, sdk: chargebee.Chargebee) -> None:
    held = {**PRICE, "price_in_decimal": "0.5"}
    recorder.lists["/item_prices"] = [{"item_price": held}]
    recorder.records["/item_prices/go-3-NOK"] = held
    fields = {"price": {"amount": "0.00125", "currency": "NOK"}}
    apply(recorder, "product", "update", target_id="go-3", fields=fields)
    same(recorder, lambda: sdk.ItemPrice.update("go-3-NOK", {"price_in_decimal": "0.00125"}))


GO_ORDER = {
    "customer_id": "c1",
    "currency": "NOK",
    "order_date": "2026-05-05",
    "delivery_date": "2026-05-09",
    "purchase_order": "PO 17/æ",
    "invoice": {"number": "10001"},
    "net": "1000",
    "tax": "205",
    "total": "1205.5",
    "lines": [
        {
            "id": "l1",
            "product_id": "go-3",
            "description": "Nettbrett",
            "quantity": "2",
            "unit_price": "300",
            "net": "600",
            "tax": "150",
        },
        {
            "id": "l2",
            "description": "Frakt & emballasje",
            "quantity": "0.5",
            "unit_price": "800",
            "net": "400",
            "tax": "55",
        },
    ],
}


@pytest.mark.usefixtures("catalogue")
def test_an_invoice_and_its_order_are_imported(
    recorder: Recorder, sdk: chargebee.Chargebee
) -> None:
    apply(recorder, "order", "create", stamp="go-8", fields=GO_ORDER)
    ours = recorder.taken()
    recorder.sent = list(ours)
    sent = same(
        recorder,
        lambda: sdk.Invoice.import_invoice(
            {
                "id": "go-8",
                "customer_id": "c1",
                "currency_code": "NOK",
                "price_type": "tax_exclusive",
                "date": NOON_MAY_5,
                "total": 120550,
                "status": "paid",
                "po_number": "PO 17/æ",
                "round_off": 50,
                "line_items": [
                    {
                        "id": "go-l1",
                        "description": "Nettbrett",
                        "unit_amount": 30000,
                        "quantity": 2,
                        "amount": 60000,
                        "entity_type": "charge_item_price",
                        "entity_id": "go-3-NOK",
                        "tax1_name": "VAT 25 %",
                        "tax1_amount": 15000,
                    },
                    {
                        "id": "go-l2",
                        "description": "Frakt & emballasje (0.5 x 800)",
                        "unit_amount": 40000,
                        "quantity": 1,
                        "amount": 40000,
                        "entity_type": "adhoc",
                        "tax1_name": "VAT 13.75 %",
                        "tax1_amount": 5500,
                    },
                ],
                "taxes": [{"name": "VAT 25 %", "rate": 25}, {"name": "VAT 13.75 %", "rate": 13.75}],
                "payments": [
                    {
                        "amount": 120550,
                        "payment_method": "other",
                        "date": NOON_MAY_5,
                        "reference_number": "10001",
                    }
                ],
            }
        ),
    )
    assert ("line_items[entity_id][0]", "go-3-NOK") in sent.pairs
    recorder.sent = list(ours)
    same(
        recorder,
        lambda: sdk.Order.import_order(
            {
                "id": "go-8",
                "invoice_id": "go-8",
                "customer_id": "c1",
                "status": "on_hold",
                "created_at": NOON_MAY_5,
                "order_date": NOON_MAY_5,
                "shipping_date": NOON_MAY_9,
            }
        ),
    )
    recorder.sent = list(ours)
    same(recorder, lambda: sdk.Order.update("go-1", {"reference_id": "10001"}))


def test_the_dates_of_an_order_are_updated(recorder: Recorder, sdk: chargebee.Chargebee) -> None:
    recorder.records["/orders/42"] = ORDER
    fields = {"order_date": "2026-05-05", "delivery_date": "2026-05-09"}
    apply(recorder, "order", "update", target_id="42", fields=fields)
    same(
        recorder,
        lambda: sdk.Order.update("42", {"order_date": NOON_MAY_5, "shipping_date": NOON_MAY_9}),
    )


def test_a_queued_order_is_put_on_hold(recorder: Recorder, sdk: chargebee.Chargebee) -> None:
    recorder.records["/orders/42"] = ORDER
    apply(recorder, "order", "update", target_id="42", fields={"fulfilment": "on_hold"})
    same(recorder, lambda: sdk.Order.update("42", {"status": "on_hold"}))


def test_a_negative_line_is_imported_as_a_discount(
    recorder: Recorder, sdk: chargebee.Chargebee
) -> None:
    lines = [
        {"id": "l1", "description": "Arbeid", "unit_price": "1000", "net": "1000", "tax": "250"},
        {"id": "l2", "description": "Rabatt", "unit_price": "-100", "net": "-100", "tax": "-25"},
    ]
    fields = {
        "customer_id": "c1",
        "currency": "NOK",
        "order_date": "2026-05-05",
        "lines": lines,
        "total": "1125",
    }
    apply(recorder, "order", "create", stamp="go-8", fields=fields)
    same(
        recorder,
        lambda: sdk.Invoice.import_invoice(
            {
                "id": "go-8",
                "customer_id": "c1",
                "currency_code": "NOK",
                "price_type": "tax_exclusive",
                "date": NOON_MAY_5,
                "total": 112500,
                "status": "paid",
                "line_items": [
                    {
                        "id": "go-l1",
                        "description": "Arbeid",
                        "unit_amount": 100000,
                        "quantity": 1,
                        "amount": 100000,
                        "entity_type": "adhoc",
                        "tax1_name": "VAT 25 %",
                        "tax1_amount": 22500,
                    }
                ],
                "discounts": [
                    {
                        "entity_type": "item_level_discount",
                        "line_item_id": "go-l1",
                        "amount": 10000,
                        "description": "Rabatt",
                    }
                ],
                "taxes": [{"name": "VAT 25 %", "rate": 25}],
                "payments": [{"amount": 112500, "payment_method": "other", "date": NOON_MAY_5}],
            }
        ),
    )


SLASHES = [
    "kurs/dag",
    "a/b/c",
    "a b/ø",
    "50 %/år",
    "x+y/z",
    "a%2Fb",
    "a?b/c#d",
    "merge/x",
    "x/delete_me",
]


@pytest.mark.parametrize("odd", SLASHES)
def test_a_slash_in_an_id_is_sent_as_the_sdk_sends_it(
    recorder: Recorder, sdk: chargebee.Chargebee, odd: str
) -> None:
    address = {"line1": "Gate 2", "city": "Bergen", "zip": "5003", "country": "NO"}
    item, price = ITEM | {"id": odd}, PRICE | {"id": f"{odd}-NOK", "item_id": odd}
    recorder.records |= {
        path("customers", odd): CUSTOMER | {"id": odd},
        path("orders", odd): ORDER | {"id": odd},
    }
    recorder.records |= {path("items", odd): item, path("item_prices", f"{odd}-NOK"): price}
    recorder.lists["/item_prices"] = [{"item_price": price}]
    recorder.records["/invoices/INV-7"] = {"id": "INV-7"}
    apply(recorder, "customer", "update", target_id=odd, fields={"phone": "2", "address": address})
    apply(
        recorder,
        "product",
        "update",
        target_id=odd,
        fields={"name": "Nytt", "price": {"amount": "1", "currency": "NOK"}},
    )
    apply(recorder, "order", "update", target_id=odd, fields={"order_date": "2026-05-05"})
    ours = [(each.method, each.path) for each in recorder.taken()]
    asked: tuple[Callable[[], object], ...] = (
        lambda: sdk.Customer.retrieve(odd),
        lambda: sdk.Customer.update(odd, {}),
        lambda: sdk.Customer.update_billing_info(odd, {}),
        lambda: sdk.Item.retrieve(odd),
        lambda: sdk.Item.update(odd, {}),
        lambda: sdk.ItemPrice.update(f"{odd}-NOK", {}),
        lambda: sdk.Order.retrieve(odd),
        lambda: sdk.Order.update(odd, {}),
    )
    for theirs in asked:
        theirs()
        (sent,) = recorder.taken()
        assert (sent.method, sent.path) in ours


UNADDRESSABLE = [
    ("customers", "a//b"),
    ("customers", "/a"),
    ("items", "a/"),
    ("items", "a/../b"),
    ("items", "."),
    ("orders", ".."),
    ("customers", "./a"),
    ("customers", ""),
    ("customers", " a"),
    ("items", "a\n"),
    ("items", "a\u00a0"),
    ("customers", "c1/delete"),
    ("customers", "c1/update_billing_info"),
    ("customers", "merge"),
    ("items", "x/delete"),
    ("orders", "import_order"),
    ("invoices", "i1/orders"),
    ("customers", "x" * 51),
    ("orders", "x" * 41),
]


@pytest.mark.parametrize(("resource", "odd"), UNADDRESSABLE)
def test_an_id_that_would_address_something_else_is_refused(resource: Resource, odd: str) -> None:
    with pytest.raises(Refused, match="cannot be asked for") as refused:
        path(resource, odd)
    assert (refused.value.code, refused.value.field) == ("unaddressable", "id")


@pytest.mark.parametrize("resource", sorted(KINDS.keys() - {"events"}))
def test_the_words_of_operations_are_those_of_the_sdk(resource: Resource) -> None:
    models = Path(chargebee.__file__).parent / "models"
    source = "".join(each.read_text(encoding="utf-8") for each in models.glob("*/operations.py"))
    of_records = re.findall(rf'uri_path\(\s*"{resource}",\s*id,\s*"(\w+)"', source)
    of_resources = re.findall(rf'uri_path\(\s*"{resource}",\s*"(\w+)"', source)
    assert (set(of_records), set(of_resources)) == (
        RECORD_WORDS[resource],
        RESOURCE_WORDS[resource],
    )


# --- reads
# --------------------------------------------------------------------------------------------------


def test_records_are_read_by_id(recorder: Recorder, sdk: chargebee.Chargebee) -> None:
    odd = "blå kunde/æ+1?"
    recorder.records |= {path("customers", odd): CUSTOMER, "/orders/42": ORDER}
    recorder.records |= {"/invoices/INV-7": {"id": "INV-7"}}
    apply(recorder, "customer", "verify", target_id=odd)
    same(recorder, lambda: sdk.Customer.retrieve(odd), "GET")
    apply(recorder, "order", "verify", target_id="42")
    ours = recorder.taken()
    for theirs in (lambda: sdk.Order.retrieve("42"), lambda: sdk.Invoice.retrieve("INV-7")):
        recorder.sent = list(ours)
        same(recorder, theirs, "GET")


@pytest.mark.usefixtures("catalogue")
def test_an_item_is_read_with_its_prices(recorder: Recorder, sdk: chargebee.Chargebee) -> None:
    apply(recorder, "product", "verify", target_id="go-3")
    ours = recorder.taken()
    recorder.sent = list(ours)
    same(recorder, lambda: sdk.Item.retrieve("go-3"), "GET")
    recorder.sent = list(ours)
    same(
        recorder,
        lambda: sdk.ItemPrice.list(
            {
                "item_id": {"is": "go-3"},
                "status": {"in": ["active", "archived", "deleted"]},
                "sort_by": {"asc": "id"},
                "limit": 100,
            }
        ),
        "GET",
    )


def test_the_orders_of_an_invoice_are_listed(recorder: Recorder, sdk: chargebee.Chargebee) -> None:
    recorder.lists["/invoices/go-8/orders"] = [{"order": ORDER | {"id": "go-8"}}]
    apply(recorder, "order", "create", stamp="go-8", fields=GO_ORDER)
    same(recorder, lambda: sdk.Order.orders_for_invoice("go-8", {"limit": 100}), "GET")


def test_the_lists_of_a_first_reading(recorder: Recorder, sdk: chargebee.Chargebee) -> None:
    orders = [ORDER, ORDER | {"id": "43", "invoice_id": "INV,8's"}]
    recorder.lists["/orders"] = [{"order": each} for each in orders]
    listing(recorder)
    ours = recorder.taken()
    lists = {each for each in ours if each.method == "GET" and each.path.count("/") == 1}
    started_s = int(NOW.timestamp())
    every, changed = {"in": ["active", "archived", "deleted"]}, {"after": started_s - 2}
    all_rows, by_id, by_change = (
        {"include_deleted": True, "limit": 100},
        {"asc": "id"},
        {"asc": "updated_at"},
    )
    made, after = {"sort_by": {"asc": "created_at"}}, {"sort_by": by_change, "updated_at": changed}
    sdk.Customer.list(all_rows | made)
    sdk.Customer.list(all_rows | after)
    sdk.Order.list(all_rows | made)
    sdk.Order.list(all_rows | after)
    for resource in (sdk.Item, sdk.ItemPrice):
        resource.list({"status": every, "sort_by": by_id, "limit": 100})
        resource.list({"status": every, "limit": 100} | after)
    sdk.Event.list(
        {
            "occurred_at": {"after": started_s - 60 - 1},
            "sort_by": {"asc": "occurred_at"},
            "limit": 100,
        }
    )
    sdk.Invoice.list({"id": {"in": ["INV,8's", "INV-7"]}} | all_rows)
    assert lists == set(recorder.taken())


def listing(recorder: Recorder) -> None:
    """Let our source read the site once."""

    async def scenario() -> None:
        http, settings, publisher = (
            VendorTransport(RateLimiter(0, 1, 1)),
            tenant(recorder),
            MemoryPublisher(),
        )
        client = ChargebeeClient(settings.chargebee, http)
        source = Source("demo", settings, client, publisher, clock=lambda: NOW, new_id=lambda: "s")
        task = asyncio.create_task(source.run())
        async with asyncio.timeout(PATIENCE_S):
            while len(publisher.completed) < 3 or "events" not in source.health["last_poll_at"]:
                await asyncio.wait((task,), timeout=FIRST_PAUSE_S)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await http.aclose()

    asyncio.run(scenario())


# --- the encoding itself
# ------------------------------------------------------------------------------------

NAMES = st.text("abcdefghijkl_", min_size=2, max_size=12).filter(
    lambda name: name not in ("in", "not_in", "between")
)
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"]))
)
ROWS = st.lists(st.dictionaries(NAMES, SCALARS, min_size=1, max_size=3), max_size=3)
PARAMS = st.dictionaries(
    NAMES,
    SCALARS | st.lists(SCALARS, max_size=3) | ROWS | st.dictionaries(NAMES, SCALARS, max_size=3),
    max_size=5,
)


@examples(200)
@given(PARAMS)
def test_any_parameters_are_encoded_as_the_sdk_does(params: dict[str, Any]) -> None:
    theirs = {name: str(value) for name, value in util.serialize(params).items()}
    ours = parse_qsl(urlencode(form(params)), keep_blank_values=True)
    assert dict(ours) == theirs
    assert len(ours) == len(theirs)
