"""What doctor says of a site's invoices and orders."""

from typing import Any

import pytest

from services.chargebee_adapter.check.sales import Counts, count, told


def invoice(id: str, total: int, **facts: Any) -> dict[str, Any]:
    return {"id": id, "total": total, "status": "paid", **facts}


def order(invoice_id: str, total: int, **facts: Any) -> dict[str, Any]:
    return {"id": f"o{invoice_id}", "invoice_id": invoice_id, "total": total, **facts}


def test_invoices_are_counted_by_what_their_orders_hold() -> None:
    invoices = [
        invoice("1", 10000),
        invoice("2", 10000),
        invoice("3", 10000),
        invoice("4", 10000, status="payment_due"),
        invoice("5", 10050, round_off_amount=50),
        invoice("6", 10000),
        invoice("7", 0),
    ]
    orders = [
        order("1", 10000),
        order("2", 2500),
        order("5", 10000),
        order("6", 4000),
        order("6", 6000),
        order("3", 10000, original_order_id="9"),
        order("8", 1),
    ]
    assert count(invoices, orders) == Counts(whole=4, part=1, none=2, unpaid=1)


@pytest.mark.parametrize(
    ("source", "counts", "state", "words"),
    [
        ("orders", Counts(0, 0, 0, 0), "ok", "there are no invoices since 2026-01-01"),
        (
            "orders",
            Counts(5, 0, 0, 0),
            "ok",
            "5 have orders that hold the whole amount, 0 in part, 0 none",
        ),
        ("orders", Counts(5, 0, 2, 2), "ok", "2 none (2 of those not paid yet)"),
        ("orders", Counts(5, 1, 0, 0), "note", "so what is in no order does not reach Go"),
        ("orders", Counts(5, 0, 3, 1), "note", "so what is in no order does not reach Go"),
        ("orders", Counts(0, 0, 3, 1), "finding", "so nothing that is sold reaches Go"),
        ("orders", Counts(0, 0, 3, 3), "ok", "3 none (3 of those not paid yet)"),
        ("invoices", Counts(0, 0, 3, 1), "ok", "so each crosses whole and orders are not read"),
        ("invoices", Counts(0, 0, 0, 0), "ok", "order.source is invoices; there are no invoices"),
    ],
)
def test_what_follows_is_said(source: str, counts: Counts, state: str, words: str) -> None:
    said = told("acme", source, counts, f"{counts.all} invoices since 2026-01-01")
    assert said.state == state
    assert words in said.words
    assert bool(said.fix) is (state != "ok")
    assert said.fix is None or 'tenants.acme.order.source = "invoices"' in said.fix
