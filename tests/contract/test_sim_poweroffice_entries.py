"""What a person does to an invoice in the Go simulator: payment, credit note, reversal; by control
and by page."""

from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.contract.test_sim_poweroffice import Api, base, company, defaults, go, order
from tests.waiting import PATIENCE_S

__all__ = ["base", "defaults", "go"]


def sent(go: Api, **more: Any) -> Any:
    """An invoice of 180.18 net, 225.23 in all."""
    made = order(go, **more)
    go.post(f"/SalesOrders/{made['Id']}/createAndSendInvoice", {"DeliveryType": "Auto"})
    return invoice(go, made["Id"])


def invoice(go: Api, id: str) -> Any:
    return go.get(f"/OutgoingInvoices/{id}").json()


def balances(go: Api, *ids: str) -> list[float]:
    return [invoice(go, id)["Balance"] for id in ids]


def moved_after(go: Api, when: str) -> list[str]:
    """Ids of invoices whose balance has changed since, as the filter has it."""
    found = go.get("/OutgoingInvoices", balanceLastChangedDateTimeOffsetGreaterThan=when)
    return [] if found.status_code == 204 else [row["Id"] for row in found.json()]


@pytest.mark.parametrize("moves", [False, True])
def test_a_payment_moves_the_balance_and_its_time(go: Api, moves: bool) -> None:
    go.sim("/settings", {"payment_moves_invoice": moves})
    before = sent(go)
    id = before["Id"]
    assert (before["MatchId"], before["Balance"]) == (None, 225.23)
    go.sim(f"/invoices/{id}/balance", {"balance": 25.23})
    partly = invoice(go, id)
    assert partly["Balance"] == 25.23
    assert partly["MatchId"] is not None
    assert moved_after(go, before["BalanceLastChangedDateTimeOffset"]) == [id]
    assert (partly["LastChangedDateTimeOffset"] > before["LastChangedDateTimeOffset"]) is moves
    go.sim(f"/invoices/{id}/balance", {"balance": 225.23})
    assert invoice(go, id)["MatchId"] is None


def test_a_credit_note_is_a_draft_then_a_document_that_names_the_invoice(go: Api) -> None:
    first = sent(go, ExternalImportReference="cb-1", CustomMatchingReference="88")
    id = first["Id"]
    draft = go.sim(f"/invoices/{id}/credit", {})
    order = go.get(f"/SalesOrders/{draft['Id']}/Complete").json()
    assert (order["RelatedInvoiceNo"], order["NetAmount"], order["TotalAmount"]) == (
        first["InvoiceNo"],
        -180.18,
        -225.23,
    )
    assert (order["SalesOrderStatus"], order["ExternalImportReference"]) == ("Draft", None)
    assert [line["Quantity"] for line in order["SalesOrderLines"]] == [-2]
    assert balances(go, id) == [225.23]
    go.post(f"/SalesOrders/{draft['Id']}/createAndSendInvoice", {"DeliveryType": "Auto"})
    note = invoice(go, draft["Id"])
    assert (note["VoucherType"], note["RelatedInvoiceNo"]) == (
        "OutgoingCreditNote",
        first["InvoiceNo"],
    )
    assert note["TotalAmount"] == -225.23
    paid = invoice(go, id)
    assert (paid["Balance"], note["Balance"]) == (0, 0)
    assert paid["MatchId"] is not None
    assert paid["MatchId"] == note["MatchId"]
    assert set(moved_after(go, first["BalanceLastChangedDateTimeOffset"])) == {id, note["Id"]}


def test_a_part_is_credited_at_once(go: Api) -> None:
    first = sent(go)
    note = go.sim(f"/invoices/{first['Id']}/credit", {"percent": 50, "send": True})
    assert (note["TotalAmount"], note["RelatedInvoiceNo"]) == (-112.61, first["InvoiceNo"])
    assert balances(go, first["Id"], note["Id"]) == [112.62, 0]


def test_what_the_documents_leave_open_of_credit_notes_is_a_switch(go: Api) -> None:
    go.sim("/settings", {"credit_names_invoice": False, "credit_matches_invoice": False})
    first = sent(go)
    note = go.sim(f"/invoices/{first['Id']}/credit", {"send": True})
    assert invoice(go, note["Id"])["RelatedInvoiceNo"] is None
    assert balances(go, first["Id"], note["Id"]) == [225.23, -225.23]


def test_opposite_entries_with_one_matching_reference_match(go: Api) -> None:
    go.sim("/settings", {"credit_matches_invoice": False})
    first = sent(go, CustomMatchingReference="88")
    line = {
        "ProductId": go.get(f"/OutgoingInvoices/{first['Id']}/Lines").json()[0]["ProductId"],
        "Quantity": -2,
        "Allowance": 10,
    }
    body = {
        "CustomerId": first["CustomerId"],
        "CustomMatchingReference": "88",
        "SalesOrderLines": [line],
    }
    note = go.made("/SalesOrders/Complete", body)
    go.post(f"/SalesOrders/{note['Id']}/createAndSendInvoice", {"DeliveryType": "Auto"})
    assert balances(go, first["Id"], note["Id"]) == [0, 0]


@pytest.mark.parametrize("moves", [True, False])
def test_a_reversal_nullifies_the_invoice_once(go: Api, moves: bool) -> None:
    go.sim("/settings", {"reversal_moves_balance": moves})
    first = sent(go)
    id = first["Id"]
    assert go.sim(f"/invoices/{id}/reverse", {})["IsReversed"] is True
    assert balances(go, id) == [0 if moves else 225.23]
    assert bool(moved_after(go, first["BalanceLastChangedDateTimeOffset"])) is moves
    for action in ("reverse", "credit"):
        refused = httpx.post(f"{go.base}/_sim/invoices/{id}/{action}", json={}, timeout=PATIENCE_S)
        assert refused.status_code == 400
        assert "reversed" in refused.json()["error"]


def test_only_the_draft_of_a_credit_note_names_an_invoice(go: Api) -> None:
    made = order(go)
    refused = go.patch(f"/SalesOrders/{made['Id']}", ("replace", "/RelatedInvoiceNo", 50001))
    assert refused.status_code == 400
    line = {"ProductId": made["SalesOrderLines"][0]["ProductId"], "Quantity": 1}
    body = {"CustomerId": made["CustomerId"], "RelatedInvoiceNo": 50001, "SalesOrderLines": [line]}
    assert go.post("/SalesOrders/Complete", body).status_code == 400
    body["SalesOrderLines"] = [line | {"Quantity": -1}]
    assert go.made("/SalesOrders/Complete", body)["RelatedInvoiceNo"] == 50001


def test_unknown_invoices_and_actions_are_told(go: Api) -> None:
    id = sent(go)["Id"]
    for path in (f"/invoices/{id}/lose", f"/invoices/{uuid4()}/credit"):
        assert httpx.post(f"{go.base}/_sim{path}", json={}, timeout=PATIENCE_S).status_code == 404
    too_much = httpx.post(
        f"{go.base}/_sim/invoices/{id}/credit", json={"percent": 101}, timeout=PATIENCE_S
    )
    assert too_much.status_code == 400


def test_no_order_is_made_for_an_archived_customer(go: Api) -> None:
    customer = go.made("/Customers", company())
    other = order(go)
    go.patch(f"/Customers/{customer['Id']}", ("replace", "/IsArchived", True))
    body = {"CustomerId": customer["Id"], "SalesOrderLines": []}
    refused = go.post("/SalesOrders/Complete", body)
    assert (refused.status_code, "archived" in refused.text) == (400, True)
    by_number = go.post(
        "/SalesOrders/Complete", {"CustomerNo": customer["Number"], "SalesOrderLines": []}
    )
    assert by_number.status_code == 400
    moved = go.patch(f"/SalesOrders/{other['Id']}", ("replace", "/CustomerId", customer["Id"]))
    assert moved.status_code == 400
    go.sim("/settings", {"orders_of_archived_customers": True})
    assert go.post("/SalesOrders/Complete", body).status_code == 201


def test_a_person_does_all_this_on_the_page(go: Api) -> None:
    def click(path: str, **fields: str) -> str:
        reply = httpx.post(
            f"{go.base}{path}", data=fields, timeout=PATIENCE_S, headers={"Origin": go.base}
        )
        assert reply.status_code == 303, reply.text
        return reply.headers["location"]

    draft = order(go)
    page = click(f"/SalesOrders/{draft['Id']}/send")
    assert page == f"/OutgoingInvoices/{draft['Id']}"
    shown = httpx.get(f"{go.base}{page}", timeout=PATIENCE_S).text
    for words in (
        "Register payment in full",
        "Make a credit note draft",
        "Credit in full at once",
        "Reverse",
    ):
        assert words in shown
    note = click(f"{page}/credit", percent="12,5")
    assert note.startswith("/SalesOrders/")
    assert "-28.15" in httpx.get(f"{go.base}{note}", timeout=PATIENCE_S).text
    click(f"{note}/send")
    assert balances(go, draft["Id"]) == [197.08]
    click(f"{page}/balance", balance="0")
    assert balances(go, draft["Id"]) == [0]
    assert click(f"{page}/credit", percent="100", send="true").startswith("/OutgoingInvoices/")
    click(f"{page}/reverse")
    assert invoice(go, draft["Id"])["IsReversed"] is True
