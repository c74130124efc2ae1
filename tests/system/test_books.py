"""Each finding of the books on the real services: it appears, the command line tells it, it ends
when it is done."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from contracts.findings import unsettled
from contracts.messages import Finding, FindingKind, Link
from tests.system.rig import Rig, link_when, tandem
from tests.waiting import wait_for


def rig_where(kafka: str, directory: Any, invoiced_by: str) -> Iterator[Rig]:
    with Rig(kafka, directory, settings='order.paid = "carry"\n') as held:
        held.variables["TANDEM_TENANTS__DEMO__INVOICING__BY"] = invoiced_by
        held.start()
        for item in ("stol", "bord"):
            held.add_item(item, 10000, is_shippable="true")
        held.add_customer(
            id="kari", email="kari@eksempel.no", first_name="Kari", last_name="Nordmann"
        )
        link_when(held, "kari", "linked")
        for item in ("stol", "bord"):
            link_when(held, item, "linked", "product")
        yield held


@pytest.fixture(scope="module")
def copies(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """Chargebee invoices; Go's drafts are copies."""
    yield from rig_where(kafka, tmp_path_factory.mktemp("copies"), "chargebee")


@pytest.fixture(scope="module")
def sales(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """Go invoices what Chargebee sells."""
    yield from rig_where(kafka, tmp_path_factory.mktemp("sales"), "poweroffice")


def draft_of(rig: Rig, **lines: int) -> tuple[dict[str, Any], str]:
    """A paid order of Chargebee with its draft in Go: the order and the draft's id."""
    order = rig.add_order(
        "kari", {f"{item}-NOK": quantity for item, quantity in (lines or {"stol": 1}).items()}
    )
    link = link_when(rig, order["id"], "linked", "order")
    assert link.poweroffice is not None
    return order, link.poweroffice.id


def send(rig: Rig, draft: str) -> dict[str, Any]:
    """A person sends it; the invoice."""
    rig.go_post(f"/SalesOrders/{draft}/createAndSendInvoice", {})
    sent: dict[str, Any] = wait_for(
        "it is sent",
        lambda: rig.go.get(f"/OutgoingInvoices/{draft}"),
        lambda answer: answer.status_code == 200,
    ).json()
    return sent


def credit_in_go(
    rig: Rig, invoice: dict[str, Any], draft: dict[str, Any], quantity: float = 1
) -> None:
    """A person sends a credit note that names the invoice."""
    line = next(line for line in draft["SalesOrderLines"] if line["LineType"] == "Normal")
    note = rig.go_post(
        "/SalesOrders/Complete",
        {
            "CustomerId": invoice["CustomerId"],
            "CurrencyCode": "NOK",
            "RelatedInvoiceNo": invoice["InvoiceNo"],
            "SalesOrderLines": [
                {
                    "LineType": "Normal",
                    "ProductId": line["ProductId"],
                    "Quantity": -quantity,
                    "ProductUnitPrice": line["ProductUnitPrice"],
                }
            ],
        },
    )
    rig.go_post(f"/SalesOrders/{note['Id']}/createAndSendInvoice", {})


def credit_in_chargebee(rig: Rig, order: dict[str, Any], total_minor: int) -> None:
    rig.act(
        "/credit_notes",
        "credit_note",
        reference_invoice_id=order["invoice_id"],
        total=total_minor,
        type="refundable",
        reason_code="product_unsatisfactory",
    )


def found(rig: Rig, key: str, kind: FindingKind) -> Finding:
    """The finding, once it stands."""

    def held() -> Finding | None:
        link: Link | None = rig.links("order").get(key)
        return (
            next((each for each in unsettled(link) if each.kind == kind), None)
            if link is not None
            else None
        )

    finding: Finding = wait_for(f"{kind} of {key}", held)
    return finding


def ended(rig: Rig, key: str) -> None:
    wait_for(f"nothing is left to do about {key}", lambda: not unsettled(rig.links("order")[key]))


def listed(rig: Rig, kind: FindingKind, key: str) -> dict[str, Any]:
    """What `tandem findings` says of it."""
    rows = json.loads(tandem(rig, "findings", "--kind", kind, "--json", code=3))
    found: dict[str, Any] = next(row for row in rows["findings"] if row["key"] == key)
    return found


def complete(rig: Rig, draft: str) -> dict[str, Any]:
    answer: dict[str, Any] = rig.go.get(f"/SalesOrders/{draft}/Complete").json()
    return answer


def first_line(rig: Rig, draft: str) -> str:
    lines = sorted(complete(rig, draft)["SalesOrderLines"], key=lambda line: line["SortOrder"])
    return str(lines[0]["Description"]) if lines[0]["LineType"] == "Text" else ""


# -- where Chargebee invoices


def test_a_draft_that_was_not_to_be_sent(copies: Rig) -> None:
    """It stands with the status of a sent order, in every command, until Go has credited it."""
    order, draft = draft_of(copies)
    whole = complete(copies, draft)
    assert f"no. {order['invoice_id']}, paid. Do not send." in first_line(copies, draft)
    invoice = send(copies, draft)
    finding = found(copies, order["id"], "invoiced_twice")
    assert (finding.amount, finding.currency) == ("125.00", "NOK")
    assert str(invoice["InvoiceNo"]) in finding.text
    assert copies.links("order")[order["id"]].state == "sent"
    assert listed(copies, "invoiced_twice", order["id"])["finding"]["amount"] == "125.00"
    assert "invoiced_twice" in tandem(copies, "status")
    assert "invoiced_twice" in tandem(copies, "explain", "chargebee", "order", order["id"])
    assert "invoiced_twice" in tandem(copies, "reconcile", "--entity", "order", code=3)
    credit_in_go(copies, invoice, whole)
    ended(copies, order["id"])


def test_a_finding_is_settled_with_a_remark(copies: Rig) -> None:
    """It is not listed any more, and what the person said is kept."""
    order, draft = draft_of(copies)
    send(copies, draft)
    found(copies, order["id"], "invoiced_twice")
    words = ("settle", "order", order["id"], "--finding", "invoiced_twice")
    tandem(copies, *words, code=2)
    tandem(copies, *words, "--remark", "written off with the auditor")
    ended(copies, order["id"])
    assert "written off with the auditor" in tandem(
        copies, "explain", "chargebee", "order", order["id"]
    )


def test_the_first_line_follows_a_credit_note_and_a_cancellation(copies: Rig) -> None:
    """As long as it is a draft."""
    order, draft = draft_of(copies)
    line = next(
        each for each in complete(copies, draft)["SalesOrderLines"] if each["LineType"] == "Normal"
    )
    copies.go_edit(
        f"/SalesOrders/{draft}/Lines/{line['Id']}", Description="Rød stol"
    )  # so that it is not removed
    credit_in_chargebee(copies, order, 2500)
    wait_for("the credit stands in the draft", lambda: "credited 25" in first_line(copies, draft))
    copies.act(f"/orders/{order['id']}/cancel", "order", cancellation_reason="product_not_required")
    wait_for(
        "the cancellation stands in the draft", lambda: "cancelled" in first_line(copies, draft)
    )
    assert first_line(copies, draft).endswith("Do not send.")


def test_an_invoice_that_holds_more_than_its_order(copies: Rig) -> None:
    """The line without shipment is in no order."""
    copies.add_item("montering", 5000)
    link_when(copies, "montering", "linked", "product")
    order = copies.add_order("kari", {"stol-NOK": 1, "montering-NOK": 1})
    finding = found(copies, order["id"], "not_whole")
    assert (finding.amount, finding.currency) == ("62.50", "NOK")


def test_a_foreign_vat_number_is_told(copies: Rig) -> None:
    """Of a customer, whose link has findings as well."""
    copies.add_customer(
        id="gmbh",
        company="Muster GmbH",
        email="post@muster.de",
        vat_number="DE811569869",
        **{
            "billing_address[country]": "DE",
            "billing_address[line1]": "Weg 1",
            "billing_address[city]": "Berlin",
            "billing_address[zip]": "10115",
        },
    )
    link_when(copies, "gmbh", "linked")
    (finding,) = copies.links("customer")["gmbh"].findings
    assert finding.kind == "dropped"
    assert "VAT number" in finding.text


# -- where Go invoices


def test_paid_in_chargebee_and_open_in_go(sales: Rig) -> None:
    """The draft said so; it ends when a person registers the payment."""
    order, draft = draft_of(sales)
    assert (
        first_line(sales, draft) == f"Already paid in Chargebee, invoice no. {order['invoice_id']}."
    )
    invoice = send(sales, draft)
    finding = found(sales, order["id"], "paid_but_open")
    assert (finding.amount, str(invoice["InvoiceNo"]) in finding.text) == ("125.00", True)
    sales.control.post(
        f"{sales.url('poweroffice')}/_sim/invoices/{draft}/balance", json={"balance": 0}
    )
    ended(sales, order["id"])


@pytest.mark.parametrize("status", ["Confirmed", "sent"])
def test_credited_in_chargebee_after_go_invoiced(sales: Rig, status: str) -> None:
    """A confirmed order counts as well; the amount is the credit note's."""
    order, draft = draft_of(sales)
    whole = complete(sales, draft)
    if status == "sent":
        invoice = send(sales, draft)
        sales.control.post(
            f"{sales.url('poweroffice')}/_sim/invoices/{draft}/balance", json={"balance": 0}
        )
    else:
        sales.go_edit(f"/SalesOrders/{draft}", SalesOrderStatus="Confirmed")
    credit_in_chargebee(sales, order, 6250)
    assert found(sales, order["id"], "credited_after_invoice").amount == "62.50"
    if status == "sent":
        credit_in_go(sales, invoice, whole, 0.5)
        ended(sales, order["id"])


def test_cancelled_in_chargebee_after_go_sent(sales: Rig) -> None:
    order, draft = draft_of(sales)
    send(sales, draft)
    sales.act(f"/orders/{order['id']}/cancel", "order", cancellation_reason="product_not_required")
    assert found(sales, order["id"], "credited_after_invoice").amount == "125.00"


def test_credited_in_go_only(sales: Rig) -> None:
    """It ends when Chargebee has credited as much."""
    order, draft = draft_of(sales)
    whole = complete(sales, draft)
    invoice = send(sales, draft)
    sales.control.post(
        f"{sales.url('poweroffice')}/_sim/invoices/{draft}/balance", json={"balance": 0}
    )
    credit_in_go(sales, invoice, whole)
    assert found(sales, order["id"], "credited_in_go").amount == "125.00"
    credit_in_chargebee(sales, order, 12500)
    ended(sales, order["id"])


def test_a_draft_edited_and_sent_between_two_polls(sales: Rig) -> None:
    """Nobody ever saw the edited draft; the lines are told."""
    order, draft = draft_of(sales)
    line = next(
        each for each in complete(sales, draft)["SalesOrderLines"] if each["LineType"] == "Normal"
    )
    sales.stop("poweroffice_adapter")
    sales.go_edit(f"/SalesOrders/{draft}/Lines/{line['Id']}", ProductUnitPrice=80)
    send(sales, draft)
    sales.start("poweroffice_adapter")
    finding = found(sales, order["id"], "money_differs")
    assert (finding.amount, finding.lines[0].poweroffice_net) == ("25.00", "80.00")


def test_an_order_adopted_after_a_lost_reply_is_compared(sales: Rig) -> None:
    """Between the lost reply and the next look a person has changed the draft."""
    sales.fault(
        "poweroffice",
        kind="drop_reply_after_commit",
        match="POST /SalesOrders/Complete",
        delay_s=3600.0,
    )
    order = sales.add_order("kari", {"bord-NOK": 1})

    def draft() -> dict[str, Any] | None:
        orders = sales.go_list("/SalesOrders")
        return next(
            (each for each in orders if each["ExternalImportReference"] == f"cb-{order['id']}"),
            None,
        )

    made = wait_for("the draft is there", draft)
    line = next(
        each
        for each in complete(sales, made["Id"])["SalesOrderLines"]
        if each["LineType"] == "Normal"
    )
    sales.go_edit(f"/SalesOrders/{made['Id']}/Lines/{line['Id']}", ProductUnitPrice=90)
    sales.clear_faults("poweroffice")
    assert found(sales, order["id"], "money_differs").amount == "12.50"
    later = sales.add_order("kari", {"bord-NOK": 1})
    held = link_when(sales, later["id"], "held", "order")
    assert held.batch == "money-poweroffice-NOK-1"
    tandem(sales, "held", "release", "order", "--batch", held.batch, "--yes")
    link_when(sales, later["id"], "linked", "order")


def test_vat_of_lines_with_equal_totals(sales: Rig) -> None:
    """A person has moved the VAT from one line to the other: from 25 % and none to none and 25
    %."""
    sales.add_item("avis", 10000, is_shippable="true")
    sales.act("/item_prices/avis-NOK", "item_price", is_taxable="false")
    link_when(sales, "avis", "linked", "product")
    order, draft = draft_of(sales, stol=1, avis=1)
    lines = [
        each for each in complete(sales, draft)["SalesOrderLines"] if each["LineType"] == "Normal"
    ]
    assert [each["VatAmount"] for each in sorted(lines, key=lambda each: each["SortOrder"])] == [
        25,
        0,
    ]
    for line in lines:
        sales.go_edit(
            f"/SalesOrders/{draft}/Lines/{line['Id']}",
            UseStandardSalesAccount=line["VatAmount"] == 0,
        )
    finding = found(sales, order["id"], "vat_differs")
    assert [(each.chargebee_tax, each.poweroffice_tax) for each in finding.lines] == [
        ("25.00", "0.00"),
        ("0.00", "25.00"),
    ]


def test_a_removed_draft_comes_back_with_its_order(sales: Rig) -> None:
    order, draft = draft_of(sales)
    sales.act(f"/orders/{order['id']}/cancel", "order", cancellation_reason="product_not_required")
    wait_for("the draft is gone", lambda: sales.go.get(f"/SalesOrders/{draft}").status_code == 404)
    sales.act(f"/orders/{order['id']}/reopen", "order", void_cancellation_credit_notes="true")
    link = link_when(sales, order["id"], "linked", "order")
    assert link.poweroffice is not None
    assert link.poweroffice.id != draft
    assert complete(sales, link.poweroffice.id)["ExternalImportReference"] == f"cb-{order['id']}"
