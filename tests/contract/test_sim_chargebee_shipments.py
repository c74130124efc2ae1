"""Which orders the Chargebee simulator makes of an invoice, when, and what share of it they
hold."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.test_sim_chargebee import (
    CALM,
    IMPORT,
    IMPORT_ORDER,
    NORDMANN,
    Simulator,
    launched,
)

PAYMENT = {"transaction[payment_method]": "bank_transfer"}
MONTH_S = 30 * 86_400


@pytest.fixture(scope="module")
def running() -> Iterator[Simulator]:
    with launched() as simulator:
        yield simulator


@pytest.fixture
def simulator(running: Simulator) -> Simulator:
    """A site with one customer and two things to sell: a reader that is shipped and a course that
    is not."""
    running.reset()
    running.add_catalog()
    running.post("/customers", NORDMANN)
    return running


def paid(simulator: Simulator, **form: str) -> list[dict[str, Any]]:
    """The orders of an invoice of three readers and a course, oldest first."""
    invoice = simulator.invoice(**form)
    simulator.post(f"/invoices/{invoice['id']}/record_payment", PAYMENT)
    return orders_of(simulator, invoice["id"])


def orders_of(simulator: Simulator, invoice_id: str) -> list[dict[str, Any]]:
    listed = simulator.get(f"/invoices/{invoice_id}/orders", limit=100)["list"]
    return [entry["order"] for entry in reversed(listed)]


def settings(simulator: Simulator, **values: Any) -> None:
    reply = simulator.control.post("/settings", json=values)
    assert reply.status_code == 200, reply.text


def test_an_order_holds_its_share_of_the_invoice(simulator: Simulator) -> None:
    (order,) = paid(simulator)
    invoice = simulator.get("/invoices/1")["invoice"]
    assert (invoice["total"], order["total"], order["amount_paid"]) == (50251, 37688, 37688)
    (line,) = order["order_line_items"]
    assert line["invoice_line_item_id"] == invoice["line_items"][0]["id"]
    assert (line["fulfillment_amount"], line["amount_paid"], line["amount_adjusted"]) == (
        37688,
        37688,
        0,
    )
    assert [tax["line_item_id"] for tax in order["line_item_taxes"]] == [
        line["invoice_line_item_id"]
    ]


def test_a_site_may_put_the_other_lines_into_its_orders(simulator: Simulator) -> None:
    settings(simulator, include_non_shippable_in_orders=True)
    (order,) = paid(simulator)
    assert [line["is_shippable"] for line in order["order_line_items"]] == [True, False]
    assert order["total"] == simulator.get("/invoices/1")["invoice"]["total"] == 50251
    courses = {"item_prices[item_price_id][0]": "kurs-NOK"}
    assert paid(simulator, **courses) == []


def test_the_round_off_is_of_an_order_that_is_the_whole_invoice(simulator: Simulator) -> None:
    whole = {**IMPORT, "round_off": "-25", "total": "25100", "payments[amount][0]": "25100"}
    simulator.post("/invoices/import_invoice", whole)
    (order,) = orders_of(simulator, "go-uuid-1")
    assert (order["total"], order["invoice_round_off_amount"], order["amount_paid"]) == (
        25100,
        -25,
        25100,
    )
    service = {"line_items[description][1]": "Frakt", "line_items[amount][1]": "5000"}
    part = {**whole, **service, "id": "p", "total": "30100", "payments[amount][0]": "30100"}
    simulator.post("/invoices/import_invoice", part)
    (order,) = orders_of(simulator, "p")
    assert (order["total"], "invoice_round_off_amount" in order) == (25125, False)
    assert order["amount_paid"] == 25125


def test_unpaid_invoices_have_orders_where_the_site_says_so(simulator: Simulator) -> None:
    simulator.invoice()
    assert simulator.get("/orders") == {"list": []}
    settings(simulator, order_invoice_statuses=["payment_due"])
    invoice = simulator.invoice()
    (order,) = orders_of(simulator, invoice["id"])
    assert invoice["linked_orders"][0]["id"] == order["id"]
    assert (order["payment_status"], order["amount_paid"], "paid_on" in order) == (
        "not_paid",
        0,
        False,
    )
    simulator.post(f"/invoices/{invoice['id']}/record_payment", PAYMENT)
    (after,) = orders_of(simulator, invoice["id"])
    assert (after["id"], after["payment_status"], after["amount_paid"]) == (
        order["id"],
        "paid",
        37688,
    )
    assert after["resource_version"] > order["resource_version"]
    refused = simulator.control.post("/settings", json={"order_invoice_statuses": ["voided"]})
    assert refused.status_code == 400


def test_a_late_order_comes_after_one_that_was_imported(simulator: Simulator) -> None:
    settings(simulator, late_orders_s=600)
    invoice = simulator.post("/invoices/import_invoice", IMPORT)["invoice"]
    assert "linked_orders" not in invoice
    simulator.post("/orders/import_order", IMPORT_ORDER)
    settings(simulator, clock_offset_s=599)
    assert [order["id"] for order in orders_of(simulator, "go-uuid-1")] == ["go-uuid-1"]
    settings(simulator, clock_offset_s=601)
    own, late = orders_of(simulator, "go-uuid-1")
    assert (own["id"], own["status"], late["order_type"], late["status"]) == (
        "go-uuid-1",
        "on_hold",
        "system_generated",
        "queued",
    )
    assert late["id"].isdigit()
    event = simulator.get("/events", limit=1)["list"][0]["event"]
    assert (event["event_type"], event["source"], "user" in event) == (
        "order_created",
        "scheduled_job",
        False,
    )


def test_a_late_order_survives_a_restart(tmp_path: Path) -> None:
    state = ("--state", str(tmp_path / "state.sqlite"))
    with launched(*state) as first:
        first.reset()
        first.add_catalog()
        first.post("/customers", NORDMANN)
        settings(first, late_orders_s=600)
        paid(first)
        assert first.get("/orders") == {"list": []}
    with launched(*state) as second:
        second.control.post("/settings", json={**CALM, "clock_offset_s": 601})
        assert [entry["order"]["invoice_id"] for entry in second.get("/orders")["list"]] == ["1"]


@pytest.mark.parametrize("remainder", ["last_line", "rounding_adjustement"])
def test_several_shipments_share_pieces_and_amounts(simulator: Simulator, remainder: str) -> None:
    settings(simulator, shipments_per_invoice=2, shipment_remainder=remainder)
    first, second = paid(simulator)
    quantities = [order["order_line_items"][0]["fulfillment_quantity"] for order in (first, second)]
    amounts = [order["order_line_items"][0]["amount"] for order in (first, second)]
    assert (quantities, amounts) == ([2, 1], [20100, 10050])
    assert first["total"] + second["total"] == 37688 == first["amount_paid"] + second["amount_paid"]
    assert second["order_date"] - first["order_date"] == MONTH_S
    for order in (first, second):
        lines = sum(line["fulfillment_amount"] for line in order["order_line_items"])
        assert order["total"] == lines + order["rounding_adjustement"]
    assert simulator.event_types().count("order_created") == 2


def test_one_piece_in_three_shipments_shows_a_third_of_its_amount_each_time(
    simulator: Simulator,
) -> None:
    one = {"item_prices[quantity][0]": "1"}
    settings(simulator, shipments_per_invoice=3)
    orders = paid(simulator, **one)
    lines = [order["order_line_items"][0] for order in orders]
    assert [line["fulfillment_quantity"] for line in lines] == [1, 1, 1]
    assert sum(line["amount"] for line in lines) == 10050
    assert sum(order["total"] for order in orders) == 12563
    settings(simulator, shipment_remainder="rounding_adjustement")
    *others, last = paid(simulator, **one)
    assert {order["rounding_adjustement"] for order in others} == {0}
    assert last["rounding_adjustement"] == 12563 - 3 * 4188
    assert last["total"] == 4187


def test_an_imported_order_may_hold_what_is_shippable_only(simulator: Simulator) -> None:
    settings(simulator, imported_orders_hold="shippable", orders_for_imported_invoices=False)
    course = {**IMPORT, "line_items[entity_id][0]": "kurs-NOK"}
    simulator.post("/invoices/import_invoice", course)
    assert simulator.refusal("/orders/import_order", IMPORT_ORDER) == (
        400,
        "param_wrong_value",
        "invoice_id",
    )
    simulator.post("/invoices/import_invoice", {**IMPORT, "id": "second"})
    order = simulator.post("/orders/import_order", {**IMPORT_ORDER, "invoice_id": "second"})[
        "order"
    ]
    assert order["total"] == 25125


def test_an_import_takes_no_payment_of_nothing_and_no_negative_line(simulator: Simulator) -> None:
    nothing = {**IMPORT, "payments[amount][0]": "0"}
    assert simulator.refusal("/invoices/import_invoice", nothing)[2] == "payments[amount][0]"
    credit = {
        "line_items[description][1]": "Avslag",
        "line_items[amount][1]": "-100",
        "total": "25025",
        "payments[amount][0]": "25025",
    }
    assert (
        simulator.refusal("/invoices/import_invoice", {**IMPORT, **credit})[2]
        == "line_items[amount][1]"
    )
    settings(simulator, imported_lines_may_be_negative=True)
    assert (
        simulator.post("/invoices/import_invoice", {**IMPORT, **credit})["invoice"]["total"]
        == 25025
    )


def test_an_import_of_nothing_is_paid_without_a_payment(simulator: Simulator) -> None:
    payments = ("payments[amount][0]", "payments[payment_method][0]", "payments[date][0]")
    free = {name: value for name, value in IMPORT.items() if name not in payments}
    free |= {
        "total": "0",
        "line_items[tax1_amount][0]": "0",
        "discounts[entity_type][0]": "item_level_discount",
    }
    free |= {"discounts[amount][0]": "20100", "discounts[line_item_id][0]": "go-line-1"}
    invoice = simulator.post("/invoices/import_invoice", free)["invoice"]
    assert (invoice["status"], invoice["total"], invoice["amount_due"]) == ("paid", 0, 0)
    (order,) = orders_of(simulator, "go-uuid-1")
    assert (order["sub_total"], order["discount"], order["total"], order["payment_status"]) == (
        20100,
        20100,
        0,
        "paid",
    )


def test_a_discount_of_the_document_is_shared_by_its_lines(simulator: Simulator) -> None:
    form = {
        **IMPORT,
        "line_items[description][1]": "Frakt",
        "line_items[amount][1]": "6700",
        "discounts[entity_type][0]": "document_level_discount",
        "discounts[amount][0]": "1000",
        "total": "30825",
        "payments[amount][0]": "30825",
    }
    lines = simulator.post("/invoices/import_invoice", form)["invoice"]["line_items"]
    assert [line["discount_amount"] for line in lines] == [750, 250]
    (order,) = orders_of(simulator, "go-uuid-1")
    assert (order["discount"], order["total"]) == (750, 24375)
