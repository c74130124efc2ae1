"""Invoices read as orders."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from contracts.entities import Order
from services.chargebee_adapter.mapping import Reading
from services.chargebee_adapter.order import invoices as order_invoices

OSLO = ZoneInfo("Europe/Oslo")
PRICES = {"pro-NOK": "pro", "stol-NOK": "stol"}


def moment(day: str, hour: int = 12) -> int:
    return int(datetime.fromisoformat(day).replace(hour=hour, tzinfo=OSLO).timestamp())


def line(**facts: Any) -> dict[str, Any]:
    return {
        "id": "li_1",
        "entity_type": "plan_item_price",
        "entity_id": "pro-NOK",
        "description": "Pro",
        "unit_amount": 50000,
        "quantity": 1,
        "amount": 50000,
        "tax_amount": 12500,
        "date_from": moment("2026-11-01", 0),
        "date_to": moment("2026-11-30", 23),
        **facts,
    }


def invoice(**facts: Any) -> dict[str, Any]:
    return {
        "id": "17",
        "customer_id": "kari",
        "status": "payment_due",
        "price_type": "tax_exclusive",
        "currency_code": "NOK",
        "date": moment("2026-11-01"),
        "po_number": "PO-1",
        "tax": 12500,
        "total": 62500,
        "amount_due": 62500,
        "resource_version": 1793534400123,
        "line_items": [line()],
        **facts,
    }


def read(raw: dict[str, Any], **how: Any) -> Reading:
    return order_invoices.order(raw, items_by_price=PRICES, zone=OSLO, **how)


def order(raw: dict[str, Any], **how: Any) -> Order:
    reading = read(raw, **how)
    assert isinstance(reading.entity, Order), reading.problem
    return reading.entity


# -- what it is


def test_an_invoice_is_an_order_of_its_own_number() -> None:
    reading, found = read(invoice()), order(invoice())
    assert (reading.id, reading.version, reading.stamp) == ("inv-17", "1793534400123", None)
    assert (found.number, found.customer_id, found.currency, found.purchase_order) == (
        "17",
        "kari",
        "NOK",
        "PO-1",
    )
    assert (str(found.order_date), found.delivery_date, found.fulfilment) == (
        "2026-11-01",
        None,
        None,
    )
    assert (found.net, found.tax, found.total, found.status) == (500, 125, 625, "draft")
    assert found.invoice is not None
    assert (found.invoice.number, found.invoice.paid, found.invoice.void) == ("17", False, False)
    assert (found.invoice.total, found.invoice.balance) == (625, 625)


def test_our_own_import_keeps_its_reference() -> None:
    reading = read(invoice(id="go-6f9619ff-8b86-4d01-b42d-00cf4fc964ff"))
    assert reading.id == "inv-go-6f9619ff-8b86-4d01-b42d-00cf4fc964ff"
    assert reading.stamp == "go-6f9619ff-8b86-4d01-b42d-00cf4fc964ff"


def test_an_invoice_may_have_a_longer_id_than_an_order() -> None:
    assert read(invoice(id="9" * 50)).problem is None
    assert read(invoice(id="9" * 51)).problem is not None


@pytest.mark.parametrize(
    ("facts", "status", "is_void", "is_gone"),
    [
        ({"status": "voided"}, "cancelled", True, False),
        ({"deleted": True}, "cancelled", True, True),
        ({"status": "paid", "amount_due": 0}, "draft", False, False),
        ({"status": "not_paid"}, "draft", False, False),
        ({"status": "posted"}, "draft", False, False),
    ],
)
def test_a_void_or_deleted_invoice_is_cancelled(
    facts: dict[str, Any], status: str, is_void: bool, is_gone: bool
) -> None:
    found, reading = order(invoice(**facts)), read(invoice(**facts))
    assert found.invoice is not None
    assert (found.status, found.invoice.void, reading.deleted) == (status, is_void, is_gone)
    assert found.invoice.paid is (facts.get("status") == "paid")


def test_a_deletion_told_by_its_event_is_one() -> None:
    assert read(invoice(), deleted=True).deleted
    assert order(invoice(), deleted=True).status == "cancelled"


def test_credit_notes_count_and_voided_ones_do_not() -> None:
    notes = [
        {"cn_id": "CN-1", "cn_total": 10000, "cn_status": "adjusted"},
        {"cn_id": "CN-2", "cn_total": 5000, "cn_status": "voided"},
    ]
    found = order(
        invoice(adjustment_credit_notes=notes, issued_credit_notes=[{**notes[0], "cn_id": "CN-3"}])
    )
    assert found.invoice is not None
    assert (found.invoice.credited, found.invoice.credit_notes) == (200, ("CN-1", "CN-3"))


@pytest.mark.parametrize(
    ("status", "is_sale"),
    [
        ("pending", False),
        ("draft", False),
        ("paid", True),
        ("posted", True),
        ("voided", True),
        (None, True),
    ],
)
def test_what_is_not_final_is_no_sale(status: str | None, is_sale: bool) -> None:
    assert order_invoices.is_sale({"status": status}) is is_sale


# -- its lines


def test_a_line_says_its_period() -> None:
    (found,) = order(invoice()).lines
    assert (found.id, found.product_id, found.description) == (
        "li_1",
        "pro",
        "Pro, 2026-11-01 - 2026-11-30",
    )
    assert (found.quantity, found.unit_price, found.net, found.tax) == (1, 500, 500, 125)


@pytest.mark.parametrize(
    "facts",
    [
        {"date_to": moment("2026-11-01", 23)},
        {"date_to": None},
        {"date_from": None},
        {"date_to": 10**18},
    ],
)
def test_a_line_of_one_day_says_none(facts: dict[str, Any]) -> None:
    (found,) = order(invoice(line_items=[line(**facts)])).lines
    assert found.description == "Pro"


def test_a_period_without_a_description_stands_alone() -> None:
    (found,) = order(invoice(line_items=[line(description=None)])).lines
    assert found.description == "2026-11-01 - 2026-11-30"


@pytest.mark.parametrize(
    ("facts", "rows"),
    [
        # Some fifth of it each: what the invoice lists by line is what counts.
        (
            {"discount_amount": 5000, "item_level_discount_amount": 5000},
            [("item_level", 5000), ("document_level", 5000)],
        ),
        ({"discount_amount": 10000, "item_level_discount_amount": 5000}, None),
    ],
)
def test_discounts_come_to_what_the_invoice_lists(
    facts: dict[str, Any], rows: list[tuple[str, int]] | None
) -> None:
    raw = invoice(line_items=[line(tax_amount=10000, **facts)], tax=10000, total=50000)
    if rows is not None:
        raw["line_item_discounts"] = [
            {"line_item_id": "li_1", "discount_type": kind, "discount_amount": amount}
            for kind, amount in rows
        ]
    (found,) = order(raw).lines
    assert (found.net, found.discount_percent, found.unit_price) == (400, 20, 500)


def test_quantities_with_decimals_are_exact() -> None:
    facts = {
        "quantity": 3,
        "quantity_in_decimal": "2.5",
        "unit_amount": 20000,
        "unit_amount_in_decimal": "200.000",
        "amount": 50000,
    }
    (found,) = order(invoice(line_items=[line(**facts)])).lines
    assert (found.quantity, found.unit_price, found.net) == (Decimal("2.5"), 200, 500)


def test_quantities_with_decimals_where_prices_include_tax() -> None:
    facts = {
        "quantity": 3,
        "quantity_in_decimal": "2.5",
        "unit_amount": 25000,
        "unit_amount_in_decimal": "250",
        "amount": 62500,
    }
    (found,) = order(invoice(price_type="tax_inclusive", line_items=[line(**facts)])).lines
    assert (found.quantity, found.unit_price, found.net) == (Decimal("2.5"), 200, 500)


def test_the_round_off_is_a_line_where_it_is_carried() -> None:
    raw = invoice(total=62510, round_off_amount=10, amount_due=62510)
    left_out, carried = read(raw), order(raw, carries_round_off=True)
    assert isinstance(left_out.entity, Order)
    assert (left_out.incomplete, left_out.entity.total, len(left_out.entity.lines)) == (
        ("round_off",),
        625,
        1,
    )
    assert (carried.total, carried.lines[-1].id, carried.lines[-1].net) == (
        Decimal("625.1"),
        "round-off",
        Decimal("0.1"),
    )


# -- what is refused, in the words of an invoice


@pytest.mark.parametrize(
    ("facts", "code", "words"),
    [
        (
            {"line_items": [line(amount=40000)]},
            "totals",
            "invoice.line_items come to 400 NOK without tax",
        ),
        ({"line_items": []}, "missing", "invoice.line_items is empty"),
        ({"total": -1}, "credit", "invoice.total is -0.01 NOK"),
        ({"currency_code": None}, "missing", "invoice.currency_code is missing"),
        (
            {"line_items": [line(entity_id="gone")]},
            "unknown_price",
            "invoice.line_items.entity_id gone",
        ),
        (
            {"line_items": [line(amount="many")]},
            "unreadable",
            "invoice.line_items.0.amount in Chargebee cannot be read",
        ),
        ({"line_items": "none"}, "unreadable", "invoice.line_items in Chargebee cannot be read"),
        ({"line_items": [7]}, "unreadable", "invoice.line_items.0 in Chargebee cannot be read"),
    ],
)
def test_what_cannot_be_carried_is_refused_as_of_an_order(
    facts: dict[str, Any], code: str, words: str
) -> None:
    reading = read(invoice(**facts))
    assert (reading.entity, reading.id) == (None, "inv-17")
    assert reading.problem is not None
    assert reading.problem.code == code
    assert words in reading.problem.message
    assert "order." not in reading.problem.message


def test_the_local_date_of_an_invoice_is_that_of_the_tenant() -> None:
    late = int(datetime(2026, 10, 31, 23, 30, tzinfo=UTC).timestamp())
    assert str(order(invoice(date=late)).order_date) == "2026-11-01"
