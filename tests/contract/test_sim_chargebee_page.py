"""The Chargebee simulator as a person sees it at `/`, across restarts, and how its webhooks go
wrong on purpose."""

import re
from collections.abc import Iterator
from html import unescape
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.contract.test_sim_chargebee import (
    ADDRESS,
    CALM,
    NORDMANN,
    WAIT_S,
    Receiver,
    Simulator,
    launched,
)
from tests.waiting import wait_for


@pytest.fixture(scope="module")
def running() -> Iterator[Simulator]:
    with launched() as simulator:
        yield simulator


@pytest.fixture
def simulator(running: Simulator) -> Simulator:
    running.reset()
    return running


class Browser:
    """A browser without JavaScript: it fills in a form as it stands and sends it."""

    def __init__(self, simulator: Simulator) -> None:
        self._http = httpx.Client(
            base_url=f"http://127.0.0.1:{simulator.port}",
            trust_env=False,
            timeout=WAIT_S,
            follow_redirects=True,
        )

    def close(self) -> None:
        self._http.close()

    def see(self, path: str) -> str:
        reply = self._http.get(path)
        assert reply.status_code == 200, reply.text
        assert "<script" not in reply.text
        return reply.text

    def fields(self, page: str, action: str) -> dict[str, str]:
        """What the form that goes to `action` holds."""
        (body,) = re.findall(
            rf'<form[^>]*action="{re.escape(action)}">(.*?)</form>', page, re.DOTALL
        )
        found = {
            unescape(n): unescape(v)
            for n, v in re.findall(r'<input [^>]*name="([^"]*)"[^>]* value="([^"]*)"', body)
        }
        for name, options in re.findall(
            r'<select [^>]*name="([^"]*)">(.*?)</select>', body, re.DOTALL
        ):
            found[unescape(name)] = unescape(re.findall(r'value="([^"]*)" selected', options)[0])
        for name, text in re.findall(
            r'<textarea [^>]*name="([^"]*)"[^>]*>\n(.*?)</textarea>', body, re.DOTALL
        ):
            found[unescape(name)] = unescape(text)
        return found

    def send(
        self, page_path: str, action: str, headers: dict[str, str] | None = None, /, **changes: str
    ) -> httpx.Response:
        """Fill in the form with some changes; double underscores stand for brackets."""
        texts = self.fields(self.see(page_path), action)
        for name, value in changes.items():
            wire, _, part = name.partition("__")
            texts[f"{wire}[{part}]" if part else wire] = value
        return self._http.post(action, data=texts, headers=headers)


@pytest.fixture
def browser(simulator: Simulator) -> Iterator[Browser]:
    made = Browser(simulator)
    yield made
    made.close()


def newest(simulator: Simulator) -> dict[str, Any]:
    event: dict[str, Any] = simulator.get("/events", limit=1)["list"][0]["event"]
    return event


def test_the_page_lists_what_there_is(simulator: Simulator, browser: Browser) -> None:
    simulator.reset("demo")
    page = browser.see("/")
    for words in (
        "Customers</a> (95)",
        "Items</a> (22)",
        "Orders</a> (46)",
        "Invoices</a> (53)",
        "Credit notes</a> (0)",
    ):
        assert words in page
    assert 'href="/customers/kari-nordmann-0"' in browser.see("/customers?q=kari")
    assert 'href="/customers/kari-nordmann-0"' not in browser.see("/customers?q=zzz")
    assert "/item_prices/fjord-pluss-NOK-monthly" in browser.see("/items")
    assert "/customers/" in browser.see("/orders/1")
    assert 'href="/orders/1"' in browser.see("/invoices/1")


def test_an_edit_is_an_event_and_a_webhook_of_a_person(
    simulator: Simulator, browser: Browser
) -> None:
    simulator.post("/customers", {**NORDMANN, **ADDRESS})
    with Receiver() as receiver:
        simulator.control.post("/settings", json={"webhook_url": receiver.url})
        reply = browser.send("/customers/ola-1", "/customers/ola-1", phone="+47 99", last_name="")
        assert "Saved." in reply.text
        _, body = receiver.deliveries.get(timeout=WAIT_S)
    event = newest(simulator)
    assert body["id"] == event["id"]
    assert (event["event_type"], event["source"], event["user"]) == (
        "customer_changed",
        "admin_console",
        "person@example.com",
    )
    customer = simulator.get("/customers/ola-1")["customer"]
    assert (customer["phone"], customer["billing_address"]["city"]) == ("+47 99", "Oslo")
    assert "last_name" not in customer


def test_a_form_sent_as_it_was_changes_nothing(simulator: Simulator, browser: Browser) -> None:
    simulator.post("/customers", {**NORDMANN, **ADDRESS})
    before = newest(simulator)
    for action in ("/customers/ola-1", "/customers/ola-1/billing"):
        assert "Nothing was changed." in browser.send("/customers/ola-1", action).text
    assert newest(simulator)["id"] == before["id"]


def test_billing_info_keeps_what_the_form_does_not_show(
    simulator: Simulator, browser: Browser
) -> None:
    hidden = {
        "billing_address[line3]": "c/o",
        "vat_number": "912400018",
        "registered_for_gst": "true",
    }
    simulator.post("/customers", {**NORDMANN, **ADDRESS, **hidden})
    browser.send("/customers/ola-1", "/customers/ola-1/billing", billing_address__city="Bergen")
    customer = simulator.get("/customers/ola-1")["customer"]
    assert (customer["billing_address"]["city"], customer["billing_address"]["line3"]) == (
        "Bergen",
        "c/o",
    )
    assert (customer["vat_number"], customer["registered_for_gst"]) == ("912400018", True)


def test_a_refused_edit_shows_the_words_and_what_was_typed(
    simulator: Simulator, browser: Browser
) -> None:
    simulator.post("/customers", NORDMANN)
    reply = browser.send("/customers/ola-1", "/customers/ola-1", email='no "mail" <b>')
    assert reply.status_code == 400
    assert "email validation failed" in reply.text
    assert browser.fields(reply.text, "/customers/ola-1")["email"] == 'no "mail" <b>'


def test_markup_in_a_record_stays_text(simulator: Simulator, browser: Browser) -> None:
    simulator.post("/customers", {"id": "<b>x", "company": "<img src=x>"})
    assert "<img" not in browser.see("/")
    assert "<img" not in browser.see("/customers/%3Cb%3Ex")


def test_a_form_of_another_site_is_refused(simulator: Simulator, browser: Browser) -> None:
    simulator.post("/customers", NORDMANN)
    foreign = {"origin": "http://other.example"}
    assert (
        browser.send("/customers/ola-1", "/customers/ola-1", foreign, phone="1").status_code == 403
    )
    assert "phone" not in simulator.get("/customers/ola-1")["customer"]
    own = {"origin": f"http://127.0.0.1:{simulator.port}"}
    assert browser.send("/customers/ola-1", "/customers/ola-1", own, phone="1").status_code == 200


def test_a_customer_is_made_and_deleted(simulator: Simulator, browser: Browser) -> None:
    made = browser.send(
        "/new/customer", "/new/customer", id="kari", first_name="Kari", billing_address__city="Moss"
    )
    assert "Customer kari" in made.text
    assert simulator.get("/customers/kari")["customer"]["billing_address"]["city"] == "Moss"
    again = browser.send("/new/customer", "/new/customer", id="kari")
    assert (again.status_code, "already present" in again.text) == (400, True)
    browser.send("/customers/kari", "/customers/kari/delete")
    simulator.control.post("/settings", json={"clock_offset_s": 1})
    assert simulator.get("/customers") == {"list": []}


def test_an_invoice_is_made_paid_and_its_order_changed(
    simulator: Simulator, browser: Browser
) -> None:
    simulator.add_catalog()
    simulator.post("/customers", NORDMANN)
    browser.send(
        "/new/invoice",
        "/new/invoice",
        customer_id="ola-1",
        **{"item_prices[item_price_id][0]": "leser-NOK", "item_prices[quantity][0]": "2"},
    )
    assert "Orders: " in browser.send("/invoices/1", "/invoices/1/payment").text
    assert "payment" not in browser.fields(browser.see("/orders/1"), "/orders/1")
    browser.send("/orders/1", "/orders/1", status="shipped", note="Æ\r\nØ", tracking_id="T1")
    order = simulator.get("/orders/1")["order"]
    assert (order["status"], order["note"], order["tracking_id"]) == ("shipped", "Æ\nØ", "T1")
    browser.send("/orders/1", "/orders/1/cancel", cancellation_reason="fraudulent_transaction")
    assert simulator.get("/orders/1")["order"]["cancellation_reason"] == "fraudulent_transaction"
    assert re.findall(r'action="/orders/1[^"]*"', browser.see("/orders/1")) == [
        'action="/orders/1/reopen"'
    ]


def test_a_sale_is_undone_by_hand(simulator: Simulator, browser: Browser) -> None:
    simulator.add_catalog()
    simulator.post("/customers", NORDMANN)
    for _ in range(3):
        simulator.invoice()

    def pressed(record: str, name: str, **texts: str) -> None:
        assert "Saved." in browser.send(record, f"{record}/{name}", **texts).text

    pressed("/invoices/1", "void")
    assert simulator.get("/invoices/1")["invoice"]["status"] == "voided"
    assert 'action="/invoices/1' not in browser.see("/invoices/1")

    pressed("/invoices/2", "payment", transaction__amount="251")
    payment = simulator.get("/invoices/2")["invoice"]["linked_payments"][0]["txn_id"]
    pressed("/invoices/2", "unpay", transaction__id=payment)
    pressed("/invoices/2", "credit", type="adjustment", total="50251")
    assert simulator.get("/invoices/2")["invoice"]["status"] == "paid"
    pressed("/credit_notes/CN-1", "void")
    assert simulator.get("/invoices/2")["invoice"]["amount_due"] == 50251

    pressed("/invoices/3", "payment")
    pressed("/invoices/3", "refund", transaction__amount="100")
    pressed("/invoices/3", "credit", total="200")
    pressed("/credit_notes/CN-3", "refund")
    order = simulator.get("/invoices/3/orders")["list"][0]["order"]["id"]
    pressed(f"/orders/{order}", "credit", credit_note__total="300")
    pressed(f"/orders/{order}", "cancel", credit_note__total="400")
    pressed(f"/orders/{order}", "reopen")
    browser.send(f"/orders/{order}", f"/orders/{order}", status="returned")
    assert simulator.get(f"/orders/{order}")["order"]["status"] == "returned"
    notes = [entry["credit_note"] for entry in simulator.get("/credit_notes", limit=100)["list"]]
    assert [(note["total"], note["status"]) for note in notes] == [
        (50251, "voided"),
        (100, "refunded"),
        (200, "refunded"),
        (300, "refund_due"),
        (400, "voided"),
    ]
    assert '"/credit_notes/CN-2"' in browser.see("/invoices/3")


def test_items_and_their_prices_change(simulator: Simulator, browser: Browser) -> None:
    simulator.add_catalog()
    browser.send("/items/kurs", "/items/kurs", name="Kurs i Go", is_shippable="true")
    item = simulator.get("/items/kurs")["item"]
    assert (item["name"], item["is_shippable"]) == ("Kurs i Go", True)
    price_path = "/item_prices/kurs-NOK"
    browser.send(price_path, price_path, price="12345", accounting_detail__sku="K1")
    price = simulator.get(price_path)["item_price"]
    assert (price["price"], price["accounting_detail"]["sku"]) == (12345, "K1")
    assert newest(simulator)["event_type"] == "item_price_updated"
    assert browser.send("/items/kurs", "/items/kurs/delete").status_code == 409


# -- webhooks


def made(simulator: Simulator, receiver: Receiver, count: int, **settings: Any) -> list[str]:
    """Make `count` customers with the settings, and the webhooks' url among them."""
    reply = simulator.control.post("/settings", json={"webhook_url": receiver.url, **settings})
    assert reply.status_code == 200, reply.text
    ids = [f"c{number}" for number in range(count)]
    for id_ in ids:
        simulator.post("/customers", {"id": id_})
    return ids


def delivered(
    simulator: Simulator, receiver: Receiver, count: int, status: str = "succeeded"
) -> list[str]:
    """The customers of the next `count` webhooks; with that status of the newest event no other has
    come."""
    bodies = [receiver.deliveries.get(timeout=WAIT_S)[1] for _ in range(count)]
    wait_for(
        f"the newest webhook {status}",
        lambda: newest(simulator)["webhook_status"],
        lambda now: now == status,
    )
    assert receiver.deliveries.empty()
    return [body["content"]["customer"]["id"] for body in bodies]


def test_webhooks_come_twice_or_not_at_all(simulator: Simulator) -> None:
    with Receiver() as receiver:
        made(simulator, receiver, 3, webhook_copies=2, webhook_drop_next=1)
        assert sorted(delivered(simulator, receiver, 4)) == ["c1", "c1", "c2", "c2"]


def test_webhooks_come_in_any_order(simulator: Simulator) -> None:
    with Receiver() as receiver:
        ids = made(simulator, receiver, 12, webhook_shuffle=True)
        seen = delivered(simulator, receiver, 12)
        assert seen != ids
        assert sorted(seen) == sorted(ids)


def test_one_webhook_comes_three_days_late_with_old_content(simulator: Simulator) -> None:
    with Receiver() as receiver:
        made(simulator, receiver, 2, webhook_late_next=1)
        assert delivered(simulator, receiver, 1) == ["c1"]
        simulator.post("/customers/c0", {"phone": "new"}, chargebee_event_webhook="all-disabled")
        simulator.control.post("/settings", json={"clock_offset_s": 3 * 86_400 + 60})
        _, body = receiver.deliveries.get(timeout=WAIT_S)
        assert body["content"]["customer"]["id"] == "c0"
        assert "phone" not in body["content"]["customer"]


def test_a_step_of_the_clock_makes_a_retry_due(simulator: Simulator) -> None:
    with Receiver(500, 500) as receiver:
        made(simulator, receiver, 1, webhook_retry_delays_s=[120.0, 360.0])
        assert delivered(simulator, receiver, 1, "re_scheduled") == ["c0"]
        simulator.control.post("/settings", json={"clock_offset_s": 121})
        assert delivered(simulator, receiver, 1, "re_scheduled") == ["c0"]
        offsets = count(482, 361)

        def stepped() -> str:
            # The second retry is timed once its refusal is known there, which may be after the
            # first of these steps.
            simulator.control.post("/settings", json={"clock_offset_s": next(offsets)})
            return str(newest(simulator)["webhook_status"])

        wait_for("the second retry accepted", stepped, lambda now: now == "succeeded")
        assert delivered(simulator, receiver, 1) == ["c0"]


def test_retries_can_pass_a_thousand_times_faster(simulator: Simulator) -> None:
    with Receiver(500, 500, 500, 500) as receiver:
        made(
            simulator,
            receiver,
            1,
            webhook_retry_delays_s=[120.0, 360.0, 600.0],
            webhook_speed=10_000,
        )
        assert delivered(simulator, receiver, 4, "failed") == ["c0"] * 4
    assert simulator.control.post("/settings", json={"webhook_speed": 0}).status_code == 400


# -- the state file


def test_everything_survives_a_restart(tmp_path: Path) -> None:
    state = ("--state", str(tmp_path / "state.sqlite"))
    key = {"chargebee_idempotency_key": "k"}
    with launched(*state) as first:
        first.reset()
        first.control.post("/settings", json={"customer_delete_delay_s": 3600})
        first.add_catalog()
        customer = first.post("/customers", NORDMANN, **key)["customer"]
        first.post("/customers", {"id": "leaving"})
        first.post("/customers/leaving/delete")
        paid = {"transaction[payment_method]": "cash"}
        first.post(f"/invoices/{first.invoice()['id']}/record_payment", paid)
        before = {
            path: first.get(path, limit=100)
            for path in ("/customers", "/items", "/item_prices", "/orders", "/invoices", "/events")
        }
    with launched(*state, "--data", "demo") as second:
        second.control.post("/settings", json=CALM)
        assert {path: second.get(path, limit=100) for path in before} == before
        again = second.api.post(
            "/customers", data=NORDMANN, headers={"chargebee-idempotency-key": "k"}
        )
        assert again.headers["chargebee-idempotency-replayed"] == "true"
        assert again.json()["customer"] == customer
        changed = second.post("/customers/ola-1", {"phone": "1"})["customer"]
        assert changed["resource_version"] > customer["resource_version"]
        assert second.invoice()["id"] == "2"
        assert (
            second.api.post("/item_prices/leser-NOK/delete").json()["item_price"]["status"]
            == "archived"
        )
        second.control.post("/settings", json={"clock_offset_s": 3601})
        assert [entry["customer"]["id"] for entry in second.get("/customers")["list"]] == ["ola-1"]
        second.reset()
    with launched(*state) as third:
        assert third.get("/customers") == {"list": []}


def test_webhooks_that_were_waiting_go_out_after_a_restart(tmp_path: Path) -> None:
    state = ("--state", str(tmp_path / "state.sqlite"))
    with Receiver(503) as receiver:
        with launched(*state) as first:
            made(first, receiver, 1, webhook_retry_delays_s=[3600.0], webhook_speed=1)
            assert delivered(first, receiver, 1, "re_scheduled") == ["c0"]
            first.control.post("/settings", json={"webhook_url": None})
        with launched(*state, "--webhook-url", receiver.url) as second:
            assert delivered(second, receiver, 1) == ["c0"]
