"""The Chargebee simulator, seen from outside: over plain HTTP and through the vendor's own Python
SDK."""

import base64
import json
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import chargebee
import httpx
import pytest

from tests.waiting import PATIENCE_S

KEY = "test_key"
PERSON_KEY = "person_key"
WAIT_S = PATIENCE_S
NORDMANN = {"id": "ola-1", "first_name": "Ola", "last_name": "Nordmann", "email": "ola@eksempel.no"}
ADDRESS = {
    "billing_address[line1]": "Storgata 1",
    "billing_address[city]": "Oslo",
    "billing_address[zip]": "0150",
    "billing_address[country]": "NO",
}


CALM: dict[str, Any] = {
    "rate_limit_per_minute": 0,
    "webhook_url": None,
    "webhook_username": None,
    "webhook_password": None,
    "webhook_delay_s": 0,
    "webhook_copies": 1,
    "webhook_drop_next": 0,
    "webhook_late_next": 0,
    "webhook_shuffle": False,
    "webhook_disabled": False,
    "product_catalog_version": "v2",
    "webhook_speed": 1,
    "webhook_retry_delays_s": [0.05, 0.05, 0.05],
    "orders_for_imported_invoices": True,
    "orders_enabled": True,
    "order_invoice_statuses": [],
    "include_non_shippable_in_orders": False,
    "late_orders_s": 0,
    "shipments_per_invoice": 1,
    "shipment_remainder": "last_line",
    "imported_orders_hold": "all",
    "imported_lines_may_be_negative": False,
    "credit_notes_move_orders": False,
    "void_cancels_orders": False,
    "void_with_credit_note": False,
    "price_type": "tax_exclusive",
    "customer_delete_delay_s": 0,
    "clock_offset_s": 0,
    "list_lag_s": 0,
    "list_cap_rows": None,
    "custom_fields": [],
    "revoked_keys": [],
    "site_state": "ready",
    "get_deleted_is_404": False,
    "deletion_moves_version": False,
}


class Simulator:
    """A running simulator: `api` speaks as the key named tandem, `person` as the one named
    console."""

    def __init__(self, address: str) -> None:
        self.api = httpx.Client(base_url=address, auth=(KEY, ""), trust_env=False, timeout=WAIT_S)
        self.person = httpx.Client(
            base_url=address, auth=(PERSON_KEY, ""), trust_env=False, timeout=WAIT_S
        )
        self.control = httpx.Client(
            base_url=address.removesuffix("/api/v2") + "/_sim", trust_env=False, timeout=WAIT_S
        )
        self.port = int(httpx.URL(address).port or 0)

    def reset(self, data: str = "empty") -> None:
        assert self.control.post("/settings", json=CALM).status_code == 200
        self.control.post("/faults", json={"clear": True})
        self.control.post("/requests/clear")
        assert self.control.post("/reset", json={"data": data}).status_code == 200

    def post(self, path: str, form: dict[str, Any] | None = None, **headers: str) -> dict[str, Any]:
        reply = self.api.post(
            path, data=form or {}, headers={n.replace("_", "-"): v for n, v in headers.items()}
        )
        assert reply.status_code == 200, reply.text
        body: dict[str, Any] = reply.json()
        return body

    def get(self, path: str, **params: Any) -> dict[str, Any]:
        reply = self.api.get(path, params=params)
        assert reply.status_code == 200, reply.text
        body: dict[str, Any] = reply.json()
        return body

    def refusal(self, path: str, form: dict[str, Any]) -> tuple[int, str, str | None]:
        """(status, api_error_code, param) of a POST that must fail."""
        reply = self.api.post(path, data=form)
        body = reply.json()
        assert body["error_code"] == body["api_error_code"]
        assert body["error_msg"] == body["message"]
        return reply.status_code, body["api_error_code"], body.get("param")

    def event_types(self) -> list[str]:
        listed = self.get("/events", **{"sort_by[asc]": "occurred_at", "limit": 100})["list"]
        return [entry["event"]["event_type"] for entry in listed]

    def add_catalog(self) -> None:
        self.post("/item_families", {"id": "varer", "name": "Varer"})
        for id_, is_shippable in (("leser", "true"), ("kurs", "false")):
            item = {
                "id": id_,
                "name": id_,
                "type": "charge",
                "item_family_id": "varer",
                "is_shippable": is_shippable,
            }
            self.post("/items", item)
            price = {
                "id": f"{id_}-NOK",
                "name": f"{id_} NOK",
                "item_id": id_,
                "currency_code": "NOK",
                "price": "10050",
                "pricing_model": "per_unit",
                "accounting_detail[sku]": f"SKU-{id_}",
            }
            self.post("/item_prices", price)

    def invoice(self, **form: str) -> dict[str, Any]:
        lines = {
            "item_prices[item_price_id][0]": "leser-NOK",
            "item_prices[quantity][0]": "3",
            "item_prices[item_price_id][1]": "kurs-NOK",
        }
        base = {
            "customer_id": "ola-1",
            "currency_code": "NOK",
            "po_number": "PO-7",
            **lines,
            **form,
        }
        created: dict[str, Any] = self.post("/invoices/create_for_charge_items_and_charges", base)[
            "invoice"
        ]
        return created


@contextmanager
def launched(*arguments: str) -> Iterator[Simulator]:
    """A simulator in a process of its own, empty unless the arguments say otherwise."""
    command = [
        sys.executable,
        "-m",
        "simulators.chargebee",
        "--port",
        "0",
        "--api-key",
        KEY,
        "--data",
        "empty",
    ]
    command += ["--extra-api-key", f"console={PERSON_KEY}", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("chargebee simulator on http://127.0.0.1:")
        simulator = Simulator(line.split()[-1])
        try:
            yield simulator
        finally:
            for client in (simulator.api, simulator.person, simulator.control):
                client.close()
            process.terminate()


@pytest.fixture(scope="module")
def running() -> Iterator[Simulator]:
    with launched() as simulator:
        yield simulator


@pytest.fixture
def simulator(running: Simulator) -> Simulator:
    running.reset()
    return running


class Receiver:
    """A webhook endpoint that answers with the given statuses in turn, then 200."""

    def __init__(self, *statuses: int) -> None:
        self.deliveries: queue.Queue[tuple[str | None, dict[str, Any]]] = queue.Queue()
        pending = list(statuses)
        deliveries = self.deliveries

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                deliveries.put((self.headers["authorization"], body))
                self.send_response(pending.pop(0) if pending else 200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                return None

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/hook"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> "Receiver":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def test_only_a_known_key_gets_in(simulator: Simulator) -> None:
    reply = httpx.get(
        simulator.api.base_url.join("customers"),
        auth=("wrong", ""),
        trust_env=False,
        timeout=PATIENCE_S,
    )
    assert reply.status_code == 401
    assert reply.json()["api_error_code"] == "api_authentication_failed"
    assert simulator.get("/customers") == {"list": []}


def test_nested_forms_lists_and_both_metadata_spellings(simulator: Simulator) -> None:
    form = {
        **NORDMANN,
        **ADDRESS,
        "meta_data": "{'poid': 1, 'b': True, 'n': None}",
        "entity_identifiers[scheme][0]": "NO:ORG",
        "entity_identifiers[value][0]": "912400018",
    }
    customer = simulator.post("/customers", form)["customer"]
    assert customer["billing_address"]["city"] == "Oslo"
    assert customer["meta_data"] == {"poid": 1, "b": True, "n": None}
    assert customer["entity_identifiers"][0]["value"] == "912400018"
    assert customer["object"] == "customer"
    assert "company" not in customer
    profile = {"meta_data": '{"A": 1}', "phone": "+47 91", "billing_address[city]": "X"}
    changed = simulator.post("/customers/ola-1", profile)
    assert changed["customer"]["meta_data"] == {"A": 1}
    assert changed["customer"]["billing_address"]["city"] == "Oslo"
    simulator.post("/customers", {"id": "kari-2"})
    for spelling in ("[ola-1,kari-2]", '["ola-1","kari-2"]', "['ola-1', 'kari-2']"):
        assert len(simulator.get("/customers", **{"id[in]": spelling})["list"]) == 2


def test_billing_info_erases_what_is_left_out(simulator: Simulator) -> None:
    simulator.post("/customers", {**NORDMANN, **ADDRESS, "vat_number": "912400018"})
    changed = simulator.post(
        "/customers/ola-1/update_billing_info", {"billing_address[city]": "Bergen"}
    )["customer"]
    assert changed["billing_address"] == {
        "city": "Bergen",
        "validation_status": "not_validated",
        "object": "billing_address",
    }
    assert "vat_number" not in changed
    assert changed["email"] == "ola@eksempel.no"


def test_duplicates_limits_and_references_are_refused(simulator: Simulator) -> None:
    simulator.add_catalog()
    simulator.post("/customers", NORDMANN)
    assert simulator.refusal("/customers", NORDMANN) == (400, "duplicate_entry", "id")
    assert simulator.refusal("/customers", {"email": "no mail"}) == (
        400,
        "param_wrong_value",
        "email",
    )
    too_long = {"billing_address[city]": "x" * 51}
    assert simulator.refusal("/customers", too_long) == (
        400,
        "param_wrong_value",
        "billing_address[city]",
    )
    item = {"id": "leser", "name": "ny", "type": "charge", "item_family_id": "varer"}
    assert simulator.refusal("/items", item) == (400, "duplicate_entry", "id")
    assert simulator.refusal("/items", {**item, "id": "x", "name": "leser"}) == (
        400,
        "duplicate_entry",
        "name",
    )
    orphan = {**item, "id": "x", "item_family_id": "ukjent"}
    assert simulator.refusal("/items", orphan) == (404, "resource_not_found", "item_family_id")
    assert simulator.refusal("/items/leser/delete", {})[:2] == (409, "invalid_state_for_request")
    assert simulator.refusal("/orders", {"invoice_id": "1"})[0] == 400


def test_pages_are_walked_by_an_opaque_cursor(simulator: Simulator) -> None:
    for number in range(25):
        simulator.post("/customers", {"id": f"c{number}"})
    seen: list[str] = []
    params: dict[str, Any] = {"sort_by[desc]": "updated_at"}
    while True:
        page = simulator.get("/customers", **params)
        assert len(page["list"]) <= 10
        seen += [entry["customer"]["id"] for entry in page["list"]]
        if "next_offset" not in page:
            break
        params["offset"] = page["next_offset"]
    assert seen == [f"c{number}" for number in reversed(range(25))]
    for bad in (
        {"limit": "101"},
        {"created_at[is]": "1"},
        {"taxability[is]": "x"},
        {"offset": "zz"},
    ):
        assert simulator.api.get("/customers", params=bad).status_code == 400


def test_versions_rise_and_filters_use_seconds(simulator: Simulator) -> None:
    versions = [simulator.post("/customers", {"id": f"c{n}"})["customer"] for n in range(5)]
    numbers = [row["resource_version"] for row in versions]
    assert numbers == sorted(set(numbers))
    assert all(row["updated_at"] == row["resource_version"] // 1000 for row in versions)
    after = {"updated_at[after]": str(versions[-1]["updated_at"])}
    assert simulator.get("/customers", **after) == {"list": []}
    between = {"updated_at[between]": f"[{versions[0]['updated_at']},{versions[-1]['updated_at']}]"}
    assert len(simulator.get("/customers", **between)["list"]) == 5


def test_a_paid_invoice_with_a_shippable_line_generates_an_order(simulator: Simulator) -> None:
    simulator.add_catalog()
    simulator.post("/customers", NORDMANN)
    discount = {
        "discounts[apply_on][0]": "specific_item_price",
        "discounts[item_price_id][0]": "leser-NOK",
        "discounts[amount][0]": "150",
    }
    invoice = simulator.invoice(**discount)
    assert invoice["status"] == "payment_due"
    assert (invoice["sub_total"], invoice["tax"], invoice["total"]) == (40200, 10013, 50063)
    assert "linked_orders" not in invoice
    payment = {"transaction[payment_method]": "bank_transfer"}
    paid = simulator.post(f"/invoices/{invoice['id']}/record_payment", payment)["invoice"]
    assert paid["status"] == "paid"
    assert paid["po_number"] == "PO-7"
    order = simulator.get(f"/invoices/{invoice['id']}/orders")["list"][0]["order"]
    assert paid["linked_orders"][0]["id"] == order["id"]
    assert order["id"].isdigit()
    assert (order["status"], order["order_type"], order["payment_status"]) == (
        "queued",
        "system_generated",
        "paid",
    )
    assert (order["customer_id"], order["total"], order["discount"]) == ("ola-1", 37500, 150)
    (first,) = order["order_line_items"]
    assert (first["entity_type"], first["entity_id"], first["sku"]) == (
        "charge_item_price",
        "leser-NOK",
        "SKU-leser",
    )
    assert (first["unit_price"], first["fulfillment_quantity"], first["amount"]) == (
        10050,
        3,
        30150,
    )
    assert (first["discount_amount"], first["tax_amount"], first["fulfillment_amount"]) == (
        150,
        7500,
        37500,
    )
    assert "is_shippable" not in first
    refusal = simulator.refusal(f"/invoices/{invoice['id']}/record_payment", payment)
    assert refusal[:2] == (409, "invalid_state_for_request")
    assert simulator.post("/item_prices/leser-NOK/delete")["item_price"]["status"] == "archived"


def test_an_exempt_customer_pays_no_tax(simulator: Simulator) -> None:
    simulator.add_catalog()
    simulator.post("/customers", {**NORDMANN, "taxability": "exempt"})
    invoice = simulator.invoice()
    assert (invoice["tax"], invoice["total"]) == (0, 40200)


def test_orders_change_only_where_they_may(simulator: Simulator) -> None:
    simulator.add_catalog()
    simulator.post("/customers", NORDMANN)
    invoice = simulator.invoice()
    simulator.post(
        f"/invoices/{invoice['id']}/record_payment", {"transaction[payment_method]": "cash"}
    )
    line = simulator.get("/orders/1")["order"]["order_line_items"][0]
    form = {
        "status": "delivered",
        "reference_id": "go-1",
        "order_line_items[id][0]": line["id"],
        "order_line_items[sku][0]": "NY",
    }
    order = simulator.post("/orders/1", form)["order"]
    assert (order["status"], order["reference_id"]) == ("delivered", "go-1")
    assert order["order_line_items"][0]["sku"] == "NY"
    assert simulator.event_types()[-2:] == ["order_updated", "order_delivered"]
    cancelled = simulator.post("/orders/1/cancel", {"cancellation_reason": "others"})["order"]
    assert cancelled["status"] == "cancelled"
    assert simulator.refusal("/orders/1", {"status": "queued"})[:2] == (
        409,
        "invalid_state_for_request",
    )
    assert simulator.refusal("/orders/1/delete", {})[:2] == (409, "invalid_state_for_request")


IMPORT = {
    "id": "go-uuid-1",
    "customer_id": "ola-1",
    "date": "1793000000",
    "total": "25125",
    "currency_code": "NOK",
    "price_type": "tax_exclusive",
    "status": "paid",
    "payments[amount][0]": "25125",
    "payments[payment_method][0]": "other",
    "payments[date][0]": "1793000000",
    "taxes[name][0]": "MVA",
    "taxes[rate][0]": "25",
    "line_items[id][0]": "go-line-1",
    "line_items[description][0]": "Kortleser",
    "line_items[unit_amount][0]": "10050",
    "line_items[quantity][0]": "2",
    "line_items[amount][0]": "20100",
    "line_items[entity_type][0]": "charge_item_price",
    "line_items[entity_id][0]": "leser-NOK",
    "line_items[tax1_name][0]": "MVA",
    "line_items[tax1_amount][0]": "5025",
}
IMPORT_ORDER = {
    "id": "go-uuid-1",
    "invoice_id": "go-uuid-1",
    "status": "on_hold",
    "created_at": "1793000000",
    "order_date": "1793000000",
    "shipping_date": "1793000000",
}


def test_an_invoice_and_its_order_are_imported(simulator: Simulator) -> None:
    simulator.control.post("/settings", json={"orders_for_imported_invoices": False})
    simulator.add_catalog()
    simulator.post("/customers", NORDMANN)
    wrong_total = {**IMPORT, "total": "25124"}
    assert simulator.refusal("/invoices/import_invoice", wrong_total) == (
        400,
        "param_wrong_value",
        "total",
    )
    foreign = {**IMPORT, "currency_code": "DKK"}
    assert simulator.refusal("/invoices/import_invoice", foreign) == (
        400,
        "param_wrong_value",
        "currency_code",
    )
    invoice = simulator.post("/invoices/import_invoice", IMPORT)["invoice"]
    assert (invoice["status"], invoice["tax"], invoice["amount_paid"]) == ("paid", 5025, 25125)
    assert simulator.refusal("/invoices/import_invoice", IMPORT) == (400, "duplicate_entry", "id")
    assert simulator.get("/invoices/go-uuid-1/orders") == {"list": []}
    order = simulator.post("/orders/import_order", IMPORT_ORDER)["order"]
    assert (order["status"], order["total"], order["customer_id"]) == ("on_hold", 25125, "ola-1")
    assert order["order_line_items"][0]["fulfillment_quantity"] == 2
    assert simulator.refusal("/orders/import_order", IMPORT_ORDER) == (400, "duplicate_entry", "id")
    assert simulator.post("/orders/go-uuid-1/delete")["order"]["deleted"] is True
    assert simulator.get("/orders") == {"list": []}
    assert len(simulator.get("/orders", include_deleted="true")["list"]) == 1


def test_the_site_may_orders_for_imported_invoices(simulator: Simulator) -> None:
    simulator.control.post("/settings", json={"orders_for_imported_invoices": True})
    simulator.add_catalog()
    simulator.post("/customers", NORDMANN)
    invoice = simulator.post("/invoices/import_invoice", IMPORT)["invoice"]
    assert invoice["linked_orders"][0]["id"] == "1"


def test_each_change_is_an_event_with_its_author(simulator: Simulator) -> None:
    simulator.post("/customers", NORDMANN)
    simulator.person.post("/customers/ola-1", data={"phone": "+47 22"})
    simulator.post("/customers/ola-1", {"phone": "+47 33"}, chargebee_event_email="all-disabled")
    simulator.post("/customers/ola-1", {"phone": "+47 44"}, chargebee_event_actions="all-disabled")
    listed = simulator.get("/events", **{"sort_by[asc]": "occurred_at", "occurred_at[after]": "1"})[
        "list"
    ]
    events = [entry["event"] for entry in listed]
    assert [(e["event_type"], e["user"]) for e in events] == [
        ("customer_created", "tandem"),
        ("customer_changed", "console"),
        ("customer_changed", "tandem"),
    ]
    assert {e["source"] for e in events} == {"api"}
    assert events[1]["content"]["customer"]["phone"] == "+47 22"
    assert simulator.get(f"/events/{events[1]['id']}")["event"] == events[1]
    newest = simulator.get("/events", **{"event_type[in]": "[customer_changed]", "limit": "1"})
    assert newest["list"][0]["event"]["id"] == events[2]["id"]
    assert "next_offset" in newest
    writes = simulator.control.get("/requests", params={"user": "console"}).json()
    assert writes["counts"] == {"POST /customers/{id}": 1}
    assert (writes["writes"], writes["log"][0]["params"]) == (1, {"phone": "+47 22"})


def test_a_change_behind_the_back_moves_no_version_and_makes_no_event(simulator: Simulator) -> None:
    before = simulator.post("/customers", NORDMANN)["customer"]
    changed = simulator.control.post("/records/customer/ola-1", json={"phone": "+47 00"})
    assert changed.status_code == 200
    assert simulator.get("/customers/ola-1")["customer"] == {**before, "phone": "+47 00"}
    assert simulator.event_types() == ["customer_created"]
    assert simulator.control.post("/records/customer/none", json={}).json() == {
        "error": "no customer none"
    }


def test_a_customer_deletion_completes_by_itself(simulator: Simulator) -> None:
    simulator.control.post("/settings", json={"customer_delete_delay_s": 3600})
    simulator.post("/customers", NORDMANN)
    assert simulator.post("/customers/ola-1/delete")["customer"]["deleted"] is False
    simulator.control.post("/settings", json={"clock_offset_s": 3601})
    assert simulator.get("/customers") == {"list": []}
    assert simulator.get("/customers/ola-1")["customer"]["deleted"] is True
    assert simulator.event_types() == ["customer_created", "customer_deleted"]


def test_webhooks_are_signed_in_and_repeated_until_accepted(simulator: Simulator) -> None:
    with Receiver(500, 302) as receiver:
        hook = {"webhook_url": receiver.url, "webhook_username": "u", "webhook_password": "p"}
        assert "webhook_password" not in simulator.control.post("/settings", json=hook).json()
        simulator.post("/customers", {"id": "silent"}, chargebee_event_webhook="all-disabled")
        simulator.post("/customers", NORDMANN)
        deliveries = [receiver.deliveries.get(timeout=WAIT_S) for _ in range(3)]
    assert {auth for auth, _ in deliveries} == {"Basic " + base64.b64encode(b"u:p").decode()}
    assert {body["content"]["customer"]["id"] for _, body in deliveries} == {"ola-1"}
    assert len({body["id"] for _, body in deliveries}) == 1
    assert deliveries[0][1]["object"] == "event"
    assert "webhooks" not in deliveries[0][1]


def test_a_reply_can_be_lost_after_the_commit(simulator: Simulator) -> None:
    lost = {"kind": "drop_reply_after_commit", "match": "POST /customers", "after": 1}
    early = {"kind": "drop_before", "match": "GET /items"}
    assert simulator.control.post("/faults", json={"faults": [lost, early]}).status_code == 200
    simulator.post("/customers", {"id": "first"})
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        simulator.api.post("/customers", data=NORDMANN)
    assert simulator.get("/customers/ola-1")["customer"]["id"] == "ola-1"
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        simulator.api.get("/items")
    report = simulator.control.get("/requests").json()
    assert (report["writes"], report["counts"]["POST /customers"]) == (2, 2)


def test_errors_can_be_switched_on(simulator: Simulator) -> None:
    kinds = [
        {"kind": "429", "retry_after": 7},
        {"kind": "500"},
        {"kind": "503"},
        {"kind": "html502"},
        {"kind": "slow", "delay_s": 0.01},
    ]
    simulator.control.post("/faults", json={"faults": kinds})
    replies = [simulator.api.get("/customers") for _ in kinds]
    assert [reply.status_code for reply in replies] == [429, 500, 503, 502, 200]
    assert replies[0].headers["retry-after"] == "7"
    assert "api_error_code" in replies[1].json()
    assert replies[3].headers["content-type"].startswith("text/html")
    assert simulator.control.post("/faults", json={"faults": [{"kind": "x"}]}).status_code == 400


def test_an_idempotency_key_replays_the_reply(simulator: Simulator) -> None:
    first = simulator.api.post(
        "/customers", data={"first_name": "A"}, headers={"chargebee-idempotency-key": "k1"}
    )
    again = simulator.api.post(
        "/customers", data={"first_name": "A"}, headers={"chargebee-idempotency-key": "k1"}
    )
    other = simulator.api.post(
        "/customers", data={"first_name": "B"}, headers={"chargebee-idempotency-key": "k1"}
    )
    assert first.json() == again.json()
    assert "chargebee-idempotency-replayed" not in first.headers
    assert again.headers["chargebee-idempotency-replayed"] == "true"
    assert (other.status_code, other.json()["api_error_code"]) == (422, "unable_to_process_request")
    simulator.control.post("/settings", json={"clock_offset_s": 31 * 60})
    late = simulator.api.post(
        "/customers", data={"first_name": "A"}, headers={"chargebee-idempotency-key": "k1"}
    )
    assert late.json()["customer"]["id"] != first.json()["customer"]["id"]


def test_the_minute_is_shared_by_all_keys(simulator: Simulator) -> None:
    simulator.control.post("/settings", json={"rate_limit_per_minute": 3})
    statuses = [
        client.get("/customers").status_code for client in (simulator.api, simulator.person) * 2
    ]
    assert statuses == [200, 200, 200, 429]
    refused = simulator.api.get("/customers")
    assert refused.json()["api_error_code"] == "api_request_limit_exceeded"
    assert 1 <= int(refused.headers["retry-after"]) <= 60


def test_the_demo_data_lies_in_the_past_without_events(simulator: Simulator) -> None:
    with Receiver() as receiver:
        simulator.control.post("/settings", json={"webhook_url": receiver.url})
        simulator.reset("demo")
        assert receiver.deliveries.empty()
    counts = {}
    for kind in ("customer", "item", "item_price", "order", "invoice", "event"):
        total, params = 0, {"limit": "100"}
        while True:
            page = simulator.get(f"/{kind}s", **params)
            total += len(page["list"])
            if "next_offset" not in page:
                break
            params["offset"] = page["next_offset"]
        counts[kind] = total
    assert counts == {
        "customer": 95,
        "item": 22,
        "item_price": 23,
        "order": 46,
        "invoice": 53,
        "event": 0,
    }
    customer = simulator.get("/customers/kari-nordmann-0")["customer"]
    assert customer["created_at"] == 1738570500
    assert customer["billing_address"]["zip"] == "0150"
    assert (
        simulator.post("/customers", {"id": "ny"})["customer"]["resource_version"]
        > customer["resource_version"]
    )


@pytest.fixture
def sdk(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> chargebee.Chargebee:
    monkeypatch.setattr(chargebee.Chargebee, "verify_ca_certs", False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return chargebee.Chargebee(
        api_key=KEY, site="127", chargebee_domain=f"0.0.1:{simulator.port}", protocol="http"
    )


def test_sdk_writes_and_reads_a_customer(sdk: chargebee.Chargebee) -> None:
    params = {
        **NORDMANN,
        "billing_address": {"line1": "Storgata 1", "country": "NO"},
        "meta_data": {"Key": 1},
    }
    created = sdk.Customer.create(params).customer
    assert created.billing_address.line1 == "Storgata 1"
    assert created.meta_data == {"key": 1}
    assert created.company is None
    found = sdk.Customer.list(
        {"email": {"is": "ola@eksempel.no"}, "sort_by": {"asc": "updated_at"}}
    )
    assert [entry.customer.id for entry in found.list] == ["ola-1"]
    assert found.next_offset is None


def test_sdk_sees_errors_as_its_own_exceptions(
    sdk: chargebee.Chargebee, simulator: Simulator
) -> None:
    sdk.Customer.create(NORDMANN)
    with pytest.raises(chargebee.InvalidRequestError) as duplicate:
        sdk.Customer.create(NORDMANN)
    assert (duplicate.value.api_error_code, duplicate.value.param) == ("duplicate_entry", "id")
    simulator.control.post("/faults", json={"faults": [{"kind": "429", "retry_after": 5}]})
    with pytest.raises(chargebee.OperationFailedError) as limited:
        sdk.Customer.list()
    assert limited.value.http_headers["retry-after"] == "5"


def test_sdk_filters_the_catalog_with_its_list_spelling(
    sdk: chargebee.Chargebee, simulator: Simulator
) -> None:
    simulator.add_catalog()
    sdk.Item.update("kurs", {"status": "archived"})
    both = sdk.Item.list({"status": {"in": ["active", "archived"]}, "sort_by": {"asc": "name"}})
    assert [entry.item.id for entry in both.list] == ["kurs", "leser"]
    prices = sdk.ItemPrice.list({"item_id": {"is": "leser"}})
    assert prices.list[0].item_price.accounting_detail.sku == "SKU-leser"
    assert sdk.Configuration.list().configurations[0].product_catalog_version == "v2"


def test_sdk_follows_an_invoice_to_its_order(
    sdk: chargebee.Chargebee, simulator: Simulator
) -> None:
    simulator.add_catalog()
    sdk.Customer.create(NORDMANN)
    lines = [{"item_price_id": "leser-NOK", "quantity": 2}]
    charges = {"customer_id": "ola-1", "currency_code": "NOK", "item_prices": lines}
    invoice = sdk.Invoice.create_for_charge_items_and_charges(charges).invoice
    paid = sdk.Invoice.record_payment(
        invoice.id, {"transaction": {"payment_method": "other", "amount": invoice.total}}
    )
    order = sdk.Order.retrieve(paid.invoice.linked_orders[0].id).order
    assert order.order_line_items[0].fulfillment_quantity == 2
    cancelled = sdk.Order.cancel(
        order.id, {"cancellation_reason": "others", "credit_note": {"total": 100}}
    ).order
    assert cancelled.linked_credit_notes[0].amount == 100


def test_sdk_reads_events_and_parses_a_webhook(
    sdk: chargebee.Chargebee, simulator: Simulator
) -> None:
    with Receiver() as receiver:
        simulator.control.post("/settings", json={"webhook_url": receiver.url})
        sdk.Customer.create(NORDMANN, headers={"chargebee-idempotency-key": "once"})
        _, body = receiver.deliveries.get(timeout=WAIT_S)
    listed = sdk.Event.list(
        {"event_type": {"is": "customer_created"}, "occurred_at": {"after": 1700000000}}
    )
    event = sdk.Event.deserialize(json.dumps(body))
    assert event.id == listed.list[0].event.id
    assert event.event_type == "customer_created"
