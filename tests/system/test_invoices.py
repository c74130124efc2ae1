"""Invoices as the sales of a tenant, through the real services: each crosses once and follows; the
source is pinned."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from contracts.messages import Link
from tests.system.rig import Rig, link_when, tandem
from tests.system.test_products_orders import (
    OSLO,
    add_go_product,
    complete,
    go_id,
    linked,
    send_go_order,
)
from tests.waiting import wait_for

SOURCE, START = "TANDEM_TENANTS__DEMO__ORDER__SOURCE", "TANDEM_TENANTS__DEMO__START__ORDERS"


@pytest.fixture
def invoices_rig(kafka: str, tmp_path: Path) -> Iterator[Rig]:
    with Rig(kafka, tmp_path, settings='order.source = "invoices"\n') as held:
        yield held


def bill(rig: Rig, customer: str, price: str, quantity: int = 1) -> dict[str, Any]:
    """An invoice of a person, not paid."""
    return rig.act(
        "/invoices/create_for_charge_items_and_charges",
        "invoice",
        customer_id=customer,
        currency_code="NOK",
        auto_collection="off",
        item_prices__item_price_id__0=price,
        item_prices__quantity__0=quantity,
    )


def pay(rig: Rig, invoice: dict[str, Any]) -> None:
    rig.act(
        f"/invoices/{invoice['id']}/record_payment",
        "invoice",
        transaction__amount=invoice["amount_due"],
        transaction__payment_method="bank_transfer",
    )


def first_line(rig: Rig, link: Link) -> str:
    lines = sorted(complete(rig, link)["SalesOrderLines"], key=lambda line: line["SortOrder"])
    return str(lines[0]["Description"])


def says(rig: Rig, link: Link, *words: str) -> None:
    wait_for(
        f"the draft says {', '.join(words)}",
        lambda: all(each in first_line(rig, link) for each in words),
    )


def parties(rig: Rig) -> None:
    """A customer, a subscription that nobody ships, and goods."""
    rig.add_customer(id="kari", email="kari@eksempel.no", first_name="Kari", last_name="Nordmann")
    rig.add_item("pro", 50000)
    rig.add_item("ruter", 120000, is_shippable="true")
    link_when(rig, "kari", "linked")
    for item in ("pro", "ruter"):
        link_when(rig, item, "linked", "product")


def test_invoices_cross_follow_and_come_to_rest(invoices_rig: Rig) -> None:
    """Unpaid, paid, credited, voided; goods whose order Chargebee makes; a sale of Go. Runs find
    nothing to write."""
    rig = invoices_rig
    rig.start()
    parties(rig)
    writes = rig.quiet()

    first, second, goods = (
        bill(rig, "kari", "pro-NOK", 2),
        bill(rig, "kari", "pro-NOK"),
        bill(rig, "kari", "ruter-NOK"),
    )
    drafts = {
        each["id"]: linked(rig, "order", f"inv-{each['id']}") for each in (first, second, goods)
    }
    draft = complete(rig, drafts[first["id"]])
    assert draft["ExternalImportReference"] == f"cb-inv-{first['id']}"
    assert (draft["NetAmount"], draft["TotalAmount"]) == (1000, 1250)
    assert {str(link.chargebee.id) for link in drafts.values() if link.chargebee} == {
        f"inv-{each['id']}" for each in (first, second, goods)
    }
    says(rig, drafts[first["id"]], f"no. {first['id']}", "unpaid", "Do not send")
    assert rig.quiet() == writes + 3

    # The order of the goods is Chargebee's own affair; the payment follows.
    for each in (first, goods):
        pay(rig, each)
        says(rig, drafts[each["id"]], ", paid")
    assert len(rig.chargebee_list("/orders", "order")) == 1
    note = rig.act(
        "/credit_notes",
        "credit_note",
        reference_invoice_id=first["id"],
        total=25000,
        type="refundable",
        reason_code="service_unsatisfactory",
    )
    says(rig, drafts[first["id"]], f"credited 250 by {note['id']}")
    rig.act(f"/invoices/{second['id']}/void", "invoice", comment="angret")
    gone = go_id(drafts[second["id"]])
    wait_for("the draft is gone", lambda: rig.go.get(f"/SalesOrders/{gone}").status_code == 404)

    product = add_go_product(rig, "5510", 1000)
    linked(rig, "product", f"go-{product}")
    customer = go_id(rig.links()["kari"])
    sent = send_go_order(rig, customer, [{"ProductId": int(product), "Quantity": 2}])
    link = linked(rig, "order", f"go-{sent['Id']}")
    assert link.chargebee is not None
    assert (link.chargebee.id, link.chargebee.stamp) == (f"inv-go-{sent['Id']}", f"go-{sent['Id']}")
    invoice = rig.held(f"/invoices/go-{sent['Id']}", "invoice")
    assert invoice is not None
    assert (invoice["status"], invoice["total"]) == ("paid", 250000)
    assert rig.held(f"/orders/go-{sent['Id']}", "order") is None

    writes = rig.quiet()
    assert {key.removeprefix("inv-") for key in rig.links("order")} == {
        first["id"],
        second["id"],
        goods["id"],
        f"go-{sent['Id']}",
    }
    assert "writes 0\n" in tandem(rig, "replay", "--from", "1h")
    assert "different 0, missing 0, extra 0" in tandem(rig, "reconcile")
    assert rig.quiet() == writes


def test_another_source_is_refused_in_words_until_the_start_moves_past_what_is_linked(
    rig: Rig,
) -> None:
    """Nothing crosses under the other source, and nothing is lost: set back, or begun anew, the
    tenant goes on."""
    rig.start()
    parties(rig)
    order = rig.add_order("kari", {"ruter-NOK": 1})
    linked(rig, "order", order["id"])
    writes = rig.quiet()

    def restart(**variables: str) -> None:
        rig.stop("linker", "chargebee_adapter", "poweroffice_adapter")
        rig.variables = variables
        rig.start()

    def troubles() -> list[str]:
        held = rig.status()["tenants"]["demo"]
        return [*held["switches"], *held["troubles"]]

    restart(**{SOURCE: "invoices"})
    words = "order.source is invoices, but 1 linked orders are orders of Chargebee"
    wait_for(
        "the status says why and what to do", lambda: sum(words in line for line in troubles()) >= 2
    )
    bill(rig, "kari", "pro-NOK")
    rig.go_edit(f"/Customers/{go_id(rig.links()['kari'])}", PhoneNumber="+47 99")
    link_when(rig, "kari", "held")
    assert rig.writes() == writes
    assert not any(key.startswith("inv-") for key in rig.links("order"))

    restart()
    wait_for(
        "the edit crossed",
        lambda: (rig.held("/customers/kari", "customer") or {}).get("phone") == "+47 99",
    )
    wait_for("nothing is in the way", lambda: not any(words in line for line in troubles()))

    day = (rig.links("order")[order["id"]].chargebee.seen or {})["order_date"]  # type: ignore[union-attr]
    restart(**{SOURCE: "invoices", START: _day_after(day)})
    late = rig.act(
        "/invoices/create_for_charge_items_and_charges",
        "invoice",
        customer_id="kari",
        currency_code="NOK",
        auto_collection="off",
        item_prices__item_price_id__0="pro-NOK",
        invoice_date=_noon(_day_after(day)),
    )
    linked(rig, "order", f"inv-{late['id']}")
    keys = set(rig.links("order"))
    assert keys == {order["id"], f"inv-{late['id']}"}


def _day_after(day: str) -> str:
    return (date.fromisoformat(day) + timedelta(days=1)).isoformat()


def _noon(day: str) -> int:
    return int(datetime.fromisoformat(day).replace(hour=12, tzinfo=OSLO).timestamp())
