"""Invoices, orders and events of the Chargebee simulator, through the vendor's own Python SDK."""

from typing import Any

import chargebee
import pytest

from tests.contract.test_sim_chargebee import KEY, NORDMANN, PERSON_KEY, Simulator
from tests.contract.test_sim_chargebee_sdk import (
    IMPORT,
    IMPORT_ORDER,
    order_of,
    running,
    sdk,
    shop,
    simulator,
    sold,
)

__all__ = ["running", "sdk", "shop", "simulator"]


def imported(shop: chargebee.Chargebee, price_id: str = "leser-NOK", **changes: Any) -> Any:
    """An imported invoice; that of a course (kurs-NOK) has nothing to ship, so no order is
    generated for it."""
    lines = [{**IMPORT["line_items"][0], "entity_id": price_id}]  # type: ignore[index]
    return shop.Invoice.import_invoice({**IMPORT, "line_items": lines, **changes}).invoice


def test_an_invoice_is_made_of_prices_charges_and_discounts(shop: chargebee.Chargebee) -> None:
    given = {
        "customer_id": "ola-1",
        "currency_code": "NOK",
        "po_number": "PO-7",
        "item_prices": [{"item_price_id": "leser-NOK", "quantity": 3}],
        "charges": [{"amount": 5000, "description": "Frakt"}],
        "discounts": [
            {"apply_on": "specific_item_price", "item_price_id": "leser-NOK", "percentage": 10.0}
        ],
        "shipping_address": {"line1": "Lager 1", "country": "NO"},
    }
    made = shop.Invoice.create_for_charge_items_and_charges(given).invoice
    assert (made.status, made.po_number, made.customer_id) == ("payment_due", "PO-7", "ola-1")
    assert (made.sub_total, made.tax, made.total, made.amount_due) == (35150, 8034, 40169, 40169)
    assert [(line.entity_type, line.entity_id, line.amount) for line in made.line_items] == [
        ("charge_item_price", "leser-NOK", 30150),
        ("adhoc", None, 5000),
    ]
    assert made.discounts[0].amount == 3015
    assert made.shipping_address.line1 == "Lager 1"
    assert made.linked_orders is None
    assert shop.Invoice.retrieve(made.id).invoice.raw_data == made.raw_data


def test_payments_add_up_until_the_invoice_is_paid(shop: chargebee.Chargebee) -> None:
    lines = [{"item_price_id": "leser-NOK", "quantity": 1}]
    given = {"customer_id": "ola-1", "currency_code": "NOK", "item_prices": lines}
    invoice = shop.Invoice.create_for_charge_items_and_charges(given).invoice
    payment = {"payment_method": "cash", "amount": 2500, "date": 1793000000}
    partly = shop.Invoice.record_payment(invoice.id, {"transaction": payment})
    assert (partly.invoice.status, partly.invoice.amount_paid, partly.invoice.amount_due) == (
        "payment_due",
        2500,
        10063,
    )
    assert (partly.transaction.amount, partly.transaction.payment_method) == (2500, "cash")
    rest = shop.Invoice.record_payment(
        invoice.id, {"transaction": {"payment_method": "other"}}
    ).invoice
    assert (rest.status, rest.amount_due, len(rest.linked_payments)) == ("paid", 0, 2)
    assert [order.status for order in rest.linked_orders] == ["queued"]


def test_a_paid_invoice_without_anything_to_ship_makes_no_order(shop: chargebee.Chargebee) -> None:
    invoice = sold(shop, item_prices=[{"item_price_id": "kurs-NOK", "quantity": 1}])
    assert (invoice.status, invoice.linked_orders) == ("paid", None)
    assert shop.Order.list().list == []


def test_an_invoice_is_imported_with_its_amounts(shop: chargebee.Chargebee) -> None:
    made = imported(shop)
    assert (made.id, made.status, made.price_type) == ("go-inv-1", "paid", "tax_exclusive")
    assert (made.sub_total, made.tax, made.total, made.amount_paid) == (20100, 5025, 25125, 25125)
    assert (made.line_items[0].quantity, made.line_items[0].unit_amount) == (2, 10050)
    assert [order.status for order in made.linked_orders] == ["queued"]


def test_an_imported_invoice_may_be_unpaid(shop: chargebee.Chargebee) -> None:
    made = imported(shop, status="payment_due", payments=[])
    assert (made.status, made.amount_due, made.paid_at) == ("payment_due", 25125, None)


def test_chargebee_makes_an_order_for_an_imported_invoice(shop: chargebee.Chargebee) -> None:
    assert imported(shop).linked_orders[0].order_type == "system_generated"
    assert len(shop.Order.orders_for_invoice("go-inv-1").list) == 1


@pytest.mark.parametrize(
    ("search", "ids"),
    [
        ({"customer_id": {"is": "ola-1"}}, ["1", "go-inv-1"]),
        ({"id": {"in": ["1", "2"]}}, ["1"]),
        ({"status": {"is": "paid"}}, ["1"]),
        ({"status": {"in": ["payment_due", "posted"]}}, ["go-inv-1"]),
        ({"total": {"gte": 30000}}, ["1"]),
        ({"amount_due": {"between": [1, 30000]}}, ["go-inv-1"]),
        ({"date": {"on": 1793000000}}, ["go-inv-1"]),
    ],
)
def test_invoices_are_found_by(
    shop: chargebee.Chargebee, search: dict[str, Any], ids: list[str]
) -> None:
    sold(shop)
    imported(shop, status="payment_due", payments=[])
    assert sorted(entry.invoice.id for entry in shop.Invoice.list(search).list) == ids


def test_an_order_is_generated_when_an_invoice_is_paid(shop: chargebee.Chargebee) -> None:
    order = order_of(shop)
    assert (order.id, order.status, order.order_type, order.payment_status) == (
        "1",
        "queued",
        "system_generated",
        "paid",
    )
    assert (order.customer_id, order.invoice_id, order.currency_code) == ("ola-1", "1", "NOK")
    assert (order.sub_total, order.tax, order.total, order.amount_paid) == (
        20100,
        5025,
        25125,
        25125,
    )
    assert (order.deleted, order.is_resent, order.price_type) == (False, False, "tax_exclusive")
    (first,) = order.order_line_items
    assert (first.entity_id, first.fulfillment_quantity, first.unit_price, first.sku) == (
        "leser-NOK",
        2,
        10050,
        "SKU-leser",
    )
    assert (first.is_shippable, first.status) == (None, "queued")


@pytest.mark.parametrize(
    "status",
    [
        "awaiting_shipment",
        "on_hold",
        "shipped",
        "partially_delivered",
        "delivered",
        "returned",
        "cancelled",
    ],
)
def test_an_order_moves_to(shop: chargebee.Chargebee, status: Any) -> None:
    order = order_of(shop)
    moved = shop.Order.update(
        order.id, {"status": status, "reference_id": "go-1", "note": "Æ"}
    ).order
    assert (moved.status, moved.reference_id, moved.note) == (status, "go-1", "Æ")
    assert moved.resource_version > order.resource_version


def test_only_status_and_sku_of_a_line_change(shop: chargebee.Chargebee) -> None:
    order = order_of(shop)
    line: Any = {"id": order.order_line_items[0].id, "sku": "NEW", "status": "shipped", "amount": 1}
    changed = shop.Order.update(order.id, {"order_line_items": [line]}).order.order_line_items[0]
    assert (changed.sku, changed.status, changed.amount) == ("NEW", "shipped", 20100)


def test_an_order_is_cancelled_with_a_credit_note_and_reopened(shop: chargebee.Chargebee) -> None:
    order = order_of(shop)
    given = {
        "cancellation_reason": "product_not_required",
        "credit_note": {"total": 500},
        "comment": "Angret",
    }
    cancelled = shop.Order.cancel(order.id, given).order
    assert (cancelled.status, cancelled.cancellation_reason, cancelled.note) == (
        "cancelled",
        "product_not_required",
        "Angret",
    )
    assert cancelled.linked_credit_notes[0].amount == cancelled.refundable_credits_issued == 500
    reopened = shop.Order.reopen(order.id, {"void_cancellation_credit_notes": False}).order
    assert (reopened.status, reopened.cancelled_at) == ("queued", None)


def test_an_order_is_imported_numbered_and_deleted(shop: chargebee.Chargebee) -> None:
    imported(shop, "kurs-NOK")
    made = shop.Order.import_order({**IMPORT_ORDER, "reference_id": "go-7", "note": "Fra Go"}).order
    assert (made.id, made.status, made.reference_id, made.note) == (
        "go-order-1",
        "on_hold",
        "go-7",
        "Fra Go",
    )
    assert (made.created_at, made.shipping_date, made.total) == (1793000000, 1793086400, 25125)
    assert [line.status for line in made.order_line_items] == ["on_hold"]
    assert shop.Order.assign_order_number("go-order-1").order.document_number == "ORDER-1"
    assert shop.Invoice.retrieve("go-inv-1").invoice.linked_orders[0].reference_id == "go-7"
    assert shop.Order.delete("go-order-1").order.deleted is True
    assert shop.Order.list().list == []
    assert len(shop.Order.list({"include_deleted": True}).list) == 1


@pytest.mark.parametrize(
    ("search", "ids"),
    [
        ({"id": {"is": "1"}}, ["1"]),
        ({"id": {"in": ["1", "go-order-1"]}}, ["1", "go-order-1"]),
        ({"invoice_id": {"is": "go-inv-1"}}, ["go-order-1"]),
        ({"status": {"is": "on_hold"}}, ["go-order-1"]),
        ({"status": {"not_in": ["on_hold", "cancelled"]}}, ["1"]),
        ({"order_type": {"is": "system_generated"}}, ["1", "go-order-1"]),
        ({"created_at": {"before": 1793000001}}, ["go-order-1"]),
        ({"is_resent": {"is": False}}, ["1", "go-order-1"]),
        ({"sort_by": {"asc": "updated_at"}, "limit": 1}, ["1"]),
    ],
)
def test_orders_are_found_by(
    shop: chargebee.Chargebee, search: dict[str, Any], ids: list[str]
) -> None:
    sold(shop)
    imported(shop, "kurs-NOK")
    shop.Order.import_order({**IMPORT_ORDER, "created_at": 1700000000})
    assert sorted(entry.order.id for entry in shop.Order.list(search).list) == ids


def test_orders_of_an_invoice_come_newest_first(shop: chargebee.Chargebee) -> None:
    imported(shop, "kurs-NOK")
    for id_ in ("o-1", "o-2"):
        shop.Order.import_order({**IMPORT_ORDER, "id": id_})
    listed = shop.Order.orders_for_invoice("go-inv-1", {"limit": 1})
    assert [entry.order.id for entry in listed.list] == ["o-2"]
    rest = shop.Order.orders_for_invoice("go-inv-1", {"limit": 1, "offset": listed.next_offset})
    assert [entry.order.id for entry in rest.list] == ["o-1"]


# -- events


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ({}, "not_configured"),
        ({"chargebee-event-email": "all-disabled"}, "not_configured"),
        ({"chargebee-event-actions": "all-disabled"}, None),
    ],
)
def test_a_header_may_silence_the_event(
    sdk: chargebee.Chargebee, header: dict[str, str], status: str | None
) -> None:
    sdk.Customer.create(NORDMANN, headers=header)
    listed = sdk.Event.list().list
    assert [entry.event.webhook_status for entry in listed] == ([status] if status else [])


def test_events_tell_who_changed_what(sdk: chargebee.Chargebee, simulator: Simulator) -> None:
    sdk.Customer.create(NORDMANN)
    person = chargebee.Chargebee(
        PERSON_KEY, "127", chargebee_domain=f"0.0.1:{simulator.port}", protocol="http"
    )
    person.Customer.update(
        "ola-1", {"phone": "1"}, headers={"chargebee-request-origin-user": "kari@eksempel.no"}
    )
    search = {
        "event_type": {"is": "customer_changed"},
        "source": {"is": "api"},
        "occurred_at": {"after": 1},
    }
    event = sdk.Event.list(search).list[0].event
    assert (event.user, event.origin_user, event.source, event.api_version) == (
        "console",
        "kari@eksempel.no",
        "api",
        "v2",
    )
    assert event.content["customer"]["phone"] == "1"
    assert sdk.Event.retrieve(event.id).event.raw_data == event.raw_data


def test_each_resource_has_its_events(shop: chargebee.Chargebee) -> None:
    order = order_of(shop)
    shop.Order.update(order.id, {"status": "delivered"})
    shop.Item.update("kurs", {"unit": "time"})
    shop.ItemPrice.update("kurs-NOK", {"price": 1})
    shop.Customer.update("ola-1", {"phone": "1"})
    types = {entry.event.event_type for entry in shop.Event.list({"limit": 100}).list}
    assert types == {
        "item_family_created",
        "item_created",
        "item_updated",
        "item_price_created",
        "item_price_updated",
        "customer_created",
        "customer_changed",
        "invoice_generated",
        "invoice_updated",
        "payment_succeeded",
        "order_created",
        "order_updated",
        "order_delivered",
    }


def test_events_are_gone_after_90_days(sdk: chargebee.Chargebee, simulator: Simulator) -> None:
    sdk.Customer.create(NORDMANN)
    event_id = sdk.Event.list().list[0].event.id
    simulator.control.post("/settings", json={"clock_offset_s": 90 * 86_400 + 60})
    assert sdk.Event.list().list == []
    with pytest.raises(chargebee.InvalidRequestError) as gone:
        sdk.Event.retrieve(event_id)
    assert gone.value.http_status_code == 404


def test_the_site_tells_its_catalogue_version_and_currencies(sdk: chargebee.Chargebee) -> None:
    assert sdk.Configuration.list().configurations[0].product_catalog_version == "v2"
    listed = sdk.Currency.list().list
    assert [
        entry.currency.currency_code for entry in listed if entry.currency.is_base_currency
    ] == ["NOK"]


def test_the_key_is_the_user_of_basic_authentication(
    sdk: chargebee.Chargebee, simulator: Simulator
) -> None:
    sdk.Customer.list()
    entry = simulator.control.get("/requests").json()["log"][-1]
    assert (entry["user"], entry["path"], KEY in str(entry)) == ("tandem", "/customers", False)
