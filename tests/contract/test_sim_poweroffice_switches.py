"""What the vendor's documents leave open is a switch of the Go simulator: each is turned both
ways."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.contract.test_sim_poweroffice import Api, base, company, defaults, go, order

__all__ = ["base", "defaults", "go"]


def links_of_pages(go: Api) -> bool:
    go.made("/Customers", company())
    return "x-pagination" in go.get("/Customers", PageSize=1).headers


def product_status(go: Api) -> int:
    return go.post(
        "/Products", {"Name": "Vare", "ProductGroupCode": "varer", "UnitPrice": 1}
    ).status_code


def unknown_property(go: Api) -> int:
    return go.post("/Customers", company(NoSuchProperty=1)).status_code


def same_code_again(go: Api) -> int:
    body = {"Name": "Vare", "Code": "same", "ProductGroupCode": "varer", "UnitPrice": 1}
    go.made("/Products", body)
    return go.post("/Products", body).status_code


def reference_of_a_sent_order(go: Api) -> int:
    sent = order(go, ExternalImportReference="cb-1")
    go.post(f"/SalesOrders/{sent['Id']}/createAndSendInvoice", {"DeliveryType": "Auto"})
    assert go.get(f"/OutgoingInvoices/{sent['Id']}").status_code == 200
    body = {
        "CustomerId": sent["CustomerId"],
        "ExternalImportReference": "cb-1",
        "SalesOrderLines": [],
    }
    return go.post("/SalesOrders/Complete", body).status_code


def line_edit_moves_the_order(go: Api) -> bool:
    made = order(go)
    line = made["SalesOrderLines"][0]["Id"]
    before = go.get(f"/SalesOrders/{made['Id']}").json()["LastChangedDateTimeOffset"]
    assert (
        go.patch(f"/SalesOrders/{made['Id']}/Lines/{line}", ("replace", "/Quantity", 3)).status_code
        == 200
    )
    moved: bool = go.get(f"/SalesOrders/{made['Id']}").json()["LastChangedDateTimeOffset"] > before
    return moved


def a_patch_of_nothing_moves_the_record(go: Api) -> bool:
    made = go.made("/Customers", company())
    go.patch(f"/Customers/{made['Id']}", ("replace", "/Name", made["Name"]))
    after = go.get(f"/Customers/{made['Id']}").json()["LastChangedDateTimeOffset"]
    moved: bool = after > made["LastChangedDateTimeOffset"]
    return moved


def number_of_a_draft(go: Api) -> bool:
    return order(go)["SalesOrderNo"] is not None


def a_camel_case_path(go: Api) -> tuple[int, bool]:
    made = go.made("/Customers", company())
    reply = go.patch(f"/Customers/{made['Id']}", ("replace", "/emailAddress", "ny@eksempel.no"))
    now = go.get(f"/Customers/{made['Id']}").json()["EmailAddress"]
    return reply.status_code, now == "ny@eksempel.no"


def total_of_a_group_without_account(go: Api) -> float:
    go.made("/ProductGroups", {"Code": "bare", "Name": "Bare"})
    product = go.made("/Products", {"Name": "Vare", "ProductGroupCode": "bare", "UnitPrice": 100})
    customer = go.made("/Customers", company())
    line = {"ProductId": product["Id"], "Quantity": 1}
    made = go.made(
        "/SalesOrders/Complete", {"CustomerId": customer["Id"], "SalesOrderLines": [line]}
    )
    total: float = made["TotalAmount"]
    return total


def media_type_of_a_problem(go: Api) -> str:
    return go.get("/Customers", PageNumber=0).headers["content-type"].split(";")[0]


def a_long_phone(go: Api) -> tuple[int, int]:
    made = go.made("/Customers", company())
    long = "+47 22 33 44 55 (direkte, men bare etter klokken tolv og ikke fredag)"
    changed = go.patch(f"/Customers/{made['Id']}", ("replace", "/PhoneNumber", long))
    return go.post("/Customers", company(PhoneNumber=long)).status_code, changed.status_code


Look = Callable[[Api], Any]
SWITCHES: tuple[tuple[str, Any, Look, Any, Any], ...] = (
    ("x_pagination", False, links_of_pages, True, False),
    ("product_post_status", 200, product_status, 201, 200),
    ("refuse_unknown_properties", True, unknown_property, 201, 400),
    ("allow_duplicate_product_code", True, same_code_again, 400, 201),
    ("text_lengths", {"PhoneNumber": 50}, a_long_phone, (201, 200), (400, 400)),
    ("order_reference_covers_sent", False, reference_of_a_sent_order, 400, 201),
    ("line_change_bumps_order", False, line_edit_moves_the_order, True, False),
    ("noop_patch_bumps", False, a_patch_of_nothing_moves_the_record, True, False),
    ("order_number_at_creation", False, number_of_a_draft, True, False),
    ("client_sales_accounts", False, total_of_a_group_without_account, 125.0, 0.0),
    ("patch_other_case", "accept", a_camel_case_path, (200, False), (200, True)),
    (
        "problem_media_type",
        "application/problem+json",
        media_type_of_a_problem,
        "application/json",
        "application/problem+json",
    ),
)


@pytest.mark.parametrize(
    ("name", "value", "look", "usual", "switched"), SWITCHES, ids=[each[0] for each in SWITCHES]
)
def test_a_silence_of_the_documents_is_a_switch(
    go: Api, name: str, value: Any, look: Look, usual: Any, switched: Any
) -> None:
    """The default is the likeliest; the other way round must be survived too."""
    assert look(go) == usual
    go.sim("/reset", {"data": "empty"})
    go.sim("/settings", {name: value})
    assert look(go) == switched


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"EmailAddress": "post@fjordvik"}, "an e-mail needs a domain with a dot"),
        (
            {"MailAddress": {"AddressLine1": "x" * 201, "City": "Moss", "ZipCode": "1530"}},
            "200 characters a line",
        ),
        ({"MailAddress": {"City": "x" * 101, "ZipCode": "1530"}}, "100 characters for a city"),
        ({"MailAddress": {"City": "Moss", "ZipCode": "1" * 51}}, "50 characters for a zip code"),
        ({"MailAddress": {"City": "Moss", "ZipCode": " "}}, "a zip code is demanded"),
        (
            {"MailAddress": {"City": "Prishtina", "ZipCode": "10000", "CountryCode": "XK"}},
            "no code of ISO 3166-1",
        ),
        ({"ExternalImportReference": "x" * 51}, "50 characters for a reference"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_in_post_and_patch(
    go: Api, values: dict[str, Any], why: str
) -> None:
    """Of two readings the harsher: what POST demands of an address, PATCH does too."""
    assert go.post("/Customers", company(**values)).status_code == 400, why
    made = go.made("/Customers", company())
    changed = go.patch(
        f"/Customers/{made['Id']}",
        *(("replace", f"/{name}", each) for name, each in values.items()),
    )
    assert changed.status_code == 400, why
    for name, each in values.items():
        assert name in changed.text or any(part in changed.text for part in each)


def test_pages_that_cannot_be_are_refused_and_those_past_the_end_are_empty(go: Api) -> None:
    """204, 400 and 400."""
    go.made("/Customers", company())
    assert go.get("/Customers", PageNumber=2).status_code == 204
    assert go.get("/Customers", PageSize=20001).status_code == 400
    assert go.get("/Customers", PageNumber=0).status_code == 400
    go.sim("/settings", {"page_size_max": 5})
    assert go.get("/Customers", PageSize=6).status_code == 400


def test_amounts_are_rounded_half_away_from_zero(go: Api) -> None:
    """Each line to two decimals, the header is their sum."""
    made = order(go, line={"Quantity": 1, "ProductUnitPrice": 0.125, "Allowance": 0})
    assert made["SalesOrderLines"][0]["NetAmount"] == 0.13
    assert made["NetAmount"] == 0.13


def test_a_draft_is_deleted_with_its_lines_and_a_confirmed_order_is_not(go: Api) -> None:
    """200 and then 404; 409 for what is locked."""
    made = order(go)
    assert go.delete(f"/SalesOrders/{made['Id']}").status_code in (200, 204)
    assert go.get(f"/SalesOrders/{made['Id']}/Complete").status_code == 404
    locked = order(go)
    assert (
        go.patch(
            f"/SalesOrders/{locked['Id']}", ("replace", "/SalesOrderStatus", "Confirmed")
        ).status_code
        == 200
    )
    assert go.delete(f"/SalesOrders/{locked['Id']}").status_code == 409
    assert (
        go.patch(
            f"/SalesOrders/{locked['Id']}", ("replace", "/PurchaseOrderReference", "x")
        ).status_code
        == 400
    )


def test_archiving_is_refused_with_an_open_balance(go: Api) -> None:
    """Archived customers still come back in lists; bringing one back is a patch too."""
    free = go.made("/Customers", company())
    assert go.patch(f"/Customers/{free['Id']}", ("replace", "/IsArchived", True)).status_code == 200
    assert [each["IsArchived"] for each in go.get("/Customers").json()] == [True]
    assert (
        go.patch(f"/Customers/{free['Id']}", ("replace", "/IsArchived", False)).json()["IsArchived"]
        is False
    )
    sent = order(go)
    go.post(f"/SalesOrders/{sent['Id']}/createAndSendInvoice", {"DeliveryType": "Auto"})
    refused = go.patch(f"/Customers/{sent['CustomerId']}", ("replace", "/IsArchived", True))
    assert refused.status_code in (400, 409)
    assert "balance" in refused.text.lower()
