"""The PowerOffice Go simulator answers over HTTP as the vendor's API is documented to."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.waiting import PATIENCE_S

APPLICATION_KEY, CLIENT_KEY, SUBSCRIPTION_KEY = "app-1", "client-1", "sub-1"
PERSON = "person=app-2:client-2:sub-2"
PATCH_TYPE = "application/json-patch+json"
SPEC = Path(__file__).parents[3] / "shared" / "specs" / "poweroffice-go-v2.subset.json"


@dataclass
class Api:
    """A client of the simulator: `http` carries the keys of one integration, `base` is host and
    port."""

    base: str
    http: httpx.Client

    def get(self, path: str, **query: Any) -> httpx.Response:
        return self.http.get(f"/v2{path}", params=query)

    def post(self, path: str, body: Any) -> httpx.Response:
        return self.http.post(f"/v2{path}", json=body)

    def delete(self, path: str) -> httpx.Response:
        return self.http.delete(f"/v2{path}")

    def patch(self, path: str, *operations: tuple[Any, ...]) -> httpx.Response:
        body = [{"op": op, "path": where, "value": value} for op, where, value in operations]
        return self.http.patch(
            f"/v2{path}", content=json.dumps(body), headers={"Content-Type": PATCH_TYPE}
        )

    def sim(self, path: str, body: Any = None) -> Any:
        url = f"{self.base}/_sim{path}"
        reply = (
            httpx.get(url, timeout=PATIENCE_S)
            if body is None
            else httpx.post(url, json=body, timeout=PATIENCE_S)
        )
        assert reply.status_code == 200, reply.text
        return reply.json()

    def made(self, path: str, body: Any) -> Any:
        reply = self.post(path, body)
        assert reply.status_code == 201, reply.text
        return reply.json()


def token_reply(
    base: str, application_key: str, client_key: str, subscription_key: str
) -> httpx.Response:
    return httpx.post(
        f"{base}/OAuth/Token",
        auth=(application_key, client_key),
        data={"grant_type": "client_credentials"},
        headers={"Ocp-Apim-Subscription-Key": subscription_key},
        timeout=PATIENCE_S,
    )


def signed_in(
    base: str, application_key: str, client_key: str, subscription_key: str
) -> httpx.Client:
    token = token_reply(base, application_key, client_key, subscription_key).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}", "Ocp-Apim-Subscription-Key": subscription_key}
    return httpx.Client(base_url=base, headers=headers, timeout=PATIENCE_S)


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    """A simulator process on a free port, without rate limit."""
    command = [sys.executable, "-m", "simulators.poweroffice", "--port", "0", "--rate-limit", "0"]
    command += [
        "--application-key",
        APPLICATION_KEY,
        "--client-key",
        CLIENT_KEY,
        "--extra-client",
        PERSON,
    ]
    command += ["--subscription-key", SUBSCRIPTION_KEY, "--data", "empty"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline().strip()
            found = re.fullmatch(r"poweroffice simulator on (http://127\.0\.0\.1:\d+)/v2", line)
            assert found, line
            yield found[1]
        finally:
            process.terminate()


@pytest.fixture
def defaults(base: str) -> Any:
    return httpx.get(f"{base}/_sim/settings", timeout=PATIENCE_S).json()


@pytest.fixture
def go(base: str, defaults: Any) -> Iterator[Api]:
    """An empty company and the main integration; switches and faults are put back afterwards."""
    with signed_in(base, APPLICATION_KEY, CLIENT_KEY, SUBSCRIPTION_KEY) as http:
        api = Api(base, http)
        api.sim("/reset", {"data": "empty"})
        api.sim("/requests/clear", {})
        yield api
        api.sim("/faults", {"clear": True})
        api.sim("/settings", defaults)


@pytest.fixture
def person(go: Api) -> Iterator[Api]:
    with signed_in(go.base, "app-2", "client-2", "sub-2") as http:
        yield Api(go.base, http)


def company(**more: Any) -> dict[str, Any]:
    return {"Name": "Fjordbygg AS", "EmailAddress": "post@fjordbygg.eksempel.no", **more}


def address() -> dict[str, Any]:
    return {"AddressLine1": "Storgata 1", "City": "Oslo", "ZipCode": "0150"}


def order(go: Api, **more: Any) -> Any:
    """A draft of one company with two units at 100.10 less 10 %: net 180.18, VAT 45.05."""
    customer = go.made("/Customers", company(**more.pop("customer", {})))
    product = go.made(
        "/Products", {"Name": "Vare", "ProductGroupCode": "varer", "UnitPrice": 100.10}
    )
    line = {"ProductId": product["Id"], "Quantity": 2, "Allowance": 10, **more.pop("line", {})}
    return go.made(
        "/SalesOrders/Complete", {"CustomerId": customer["Id"], "SalesOrderLines": [line], **more}
    )


def test_token_is_given_for_the_right_keys_only(go: Api) -> None:
    reply = token_reply(go.base, APPLICATION_KEY, CLIENT_KEY, SUBSCRIPTION_KEY)
    assert reply.json()["token_type"] == "bearer" and reply.json()["expires_in"] == 1200
    wrong = token_reply(go.base, APPLICATION_KEY, "other", SUBSCRIPTION_KEY)
    assert wrong.status_code == 400 and wrong.json()["error"] == "invalid_client"
    go.sim("/settings", {"revoked_clients": ["tandem"]})
    assert go.get("/Customers").status_code == 401
    assert token_reply(go.base, APPLICATION_KEY, CLIENT_KEY, SUBSCRIPTION_KEY).status_code == 400


def test_requests_without_keys_are_refused(go: Api) -> None:
    url = f"{go.base}/v2/Customers"
    no_subscription = httpx.get(
        url, headers={"Authorization": go.http.headers["Authorization"]}, timeout=PATIENCE_S
    )
    assert no_subscription.status_code == 401 and no_subscription.json()["statusCode"] == 401
    no_bearer = httpx.get(
        url, headers={"Ocp-Apim-Subscription-Key": SUBSCRIPTION_KEY}, timeout=PATIENCE_S
    )
    assert (no_bearer.status_code, no_bearer.content) == (401, b"")
    go.sim("/tokens/expire", {})
    assert go.get("/Customers").status_code == 401


def test_a_token_of_no_lifetime_is_expired_at_once(go: Api) -> None:
    go.sim("/settings", {"token_ttl_s": 0})
    with signed_in(go.base, APPLICATION_KEY, CLIENT_KEY, SUBSCRIPTION_KEY) as http:
        assert http.get("/v2/Customers").status_code == 401


def test_unknown_routes_are_answered_by_the_gateway(go: Api) -> None:
    for reply in (go.post("/SalesOrders", {}), go.http.put("/v2/Customers/1"), go.get("/Nothing")):
        assert reply.status_code == 404 and set(reply.json()) == {"statusCode", "message"}
    missing = go.get("/Customers/12345")
    assert missing.status_code == 404
    assert missing.json() == {
        "title": "Object(s) not found",
        "status": 404,
        "detail": "Customer with id = 12345 not found.",
    }


def test_pages_end_with_204(go: Api) -> None:
    empty = go.get("/Customers")
    assert (empty.status_code, empty.content) == (204, b"")
    for number in range(5):
        go.made("/customers", company(Name=f"Bedrift {number} AS"))
    pages = [go.get("/Customers", PageNumber=page, PageSize=2) for page in (1, 2, 3)]
    assert [len(page.json()) for page in pages] == [2, 2, 1]
    links = [json.loads(page.headers["X-Pagination"])["nextPageLink"] for page in pages]
    assert "PageNumber=2" in links[0] and links[2] is None
    assert go.get("/Customers", PageNumber=4, PageSize=2).status_code == 204
    for query in ({"PageSize": 20001}, {"PageNumber": 0}):
        assert go.get("/Customers", **query).json()["title"] == "Invalid resourceParameter"


def test_fields_and_order(go: Api) -> None:
    for name in ("A", "C", "B"):
        go.made("/Customers", company(Name=name))
    rows = go.get("/Customers", Fields="id, Name", OrderBy="Name desc").json()
    assert [set(row) for row in rows] == [{"Id", "Name"}] * 3
    assert [row["Name"] for row in rows] == ["C", "B", "A"]
    assert go.get("/Customers", Fields="Id,Colour").status_code == 400
    assert go.get("/Customers", OrderBy="Colour").status_code == 400
    assert go.http.get("/v2/Customers?$top=1").status_code == 400


def test_change_filter_is_strictly_greater_at_seven_digits(go: Api) -> None:
    first, second = (go.made("/Customers", company(Name=name)) for name in ("A", "B"))
    stamp = second["LastChangedDateTimeOffset"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}\+00:00", stamp)
    assert first["LastChangedDateTimeOffset"] < stamp
    name = "lastChangedDateTimeOffsetGreaterThan"
    assert go.get("/Customers", **{name: stamp}).status_code == 204
    found = go.get("/Customers", **{name: first["LastChangedDateTimeOffset"]}).json()
    assert [row["Id"] for row in found] == [second["Id"]]
    one_tick_less = (
        f"{stamp[:20]}{int(stamp[20:27]) - 1:07d}Z" if stamp[20:27] != "0000000" else None
    )
    if one_tick_less:
        assert go.get("/Customers", **{name: one_tick_less}).status_code == 200
    unencoded_plus = go.http.get(f"/v2/Customers?{name}={stamp}")
    assert unencoded_plus.status_code == 400 and name in unencoded_plus.json()["errors"]


def test_number_filters_take_ranges(go: Api) -> None:
    numbers = [
        go.made("/Customers", company(Number=number))["Number"] for number in (10100, 10200, 10300)
    ]
    found = go.get("/Customers", customerNos="10000-10150, 10300-").json()
    assert [row["Number"] for row in found] == [numbers[0], numbers[2]]
    refused = go.get("/Customers", contactGroupIds="1-5")
    assert refused.status_code == 400 and refused.json()["title"] == "Unable to cast object(s)"


@pytest.mark.parametrize(
    "body",
    [
        {"EmailAddress": "a@eksempel.no"},
        {"IsPerson": True, "FirstName": "Kari", "EmailAddress": "a@eksempel.no"},
        {"Name": "Uten e-post AS"},
        company(MailAddress={"City": "Oslo"}),
        company(InvoiceDeliveryType="AvtaleGiro"),
        company(ExternalImportReference="x" * 51),
        company(Number="10001"),
        company(InvoiceDeliveryType=1),
    ],
)
def test_customers_lacking_what_is_required_are_refused(go: Api, body: dict[str, Any]) -> None:
    assert go.post("/Customers", body).status_code == 400
    assert go.get("/Customers").status_code == 204


def test_customer_defaults(go: Api) -> None:
    made = go.made(
        "/Customers", {"name": "Liten AS", "invoiceDeliveryType": "print", "MailAddress": address()}
    )
    assert made["InvoiceDeliveryType"] == "Print" and made["MailAddress"]["CountryCode"] == "NO"
    assert made["IsPerson"] is False and made["CurrencyCode"] == "NOK" and made["Number"] >= 10000
    assert made["SendPaymentReminders"] is True and made["ExternalImportReference"] is None


def test_patch_changes_named_properties_only(go: Api) -> None:
    made = go.made("/Customers", company(PhoneNumber="22 33 44 55", MailAddress=address()))
    path = f"/Customers/{made['Id']}"
    reply = go.patch(
        path,
        ("test", "/Name", "Fjordbygg AS"),
        ("replace", "/Name", "Fjordbygg Norge AS"),
        ("add", "/ExternalImportReference", "cb-17"),
        ("remove", "/PhoneNumber", None),
        ("replace", "/MailAddress/City", "Bergen"),
    )
    assert reply.status_code == 200
    changed = reply.json()
    assert changed["Name"] == "Fjordbygg Norge AS" and changed["ExternalImportReference"] == "cb-17"
    assert changed["PhoneNumber"] is None
    assert (
        changed["MailAddress"]["City"] == "Bergen" and changed["MailAddress"]["ZipCode"] == "0150"
    )
    whole = go.patch(path, ("replace", "/MailAddress", {"City": "Moss", "ZipCode": "1530"})).json()
    assert whole["MailAddress"]["AddressLine1"] is None and whole["MailAddress"]["City"] == "Moss"
    assert whole["MailAddress"]["Id"] == made["MailAddress"]["Id"]


@pytest.mark.parametrize(
    "operation",
    [
        ("test", "/Name", "Noe annet"),
        ("replace", "/Id", 1),
        ("replace", "/PaymentTerm", 10),
        ("replace", "/Colour", "red"),
        ("replace", "/IsVatFree", "yes"),
        ("replace", "/MailAddress/State", "x"),
    ],
)
def test_one_bad_operation_leaves_everything_unchanged(go: Api, operation: tuple[Any, ...]) -> None:
    made = go.made("/Customers", company(MailAddress=address()))
    path = f"/Customers/{made['Id']}"
    reply = go.patch(path, ("replace", "/PhoneNumber", "+47 40000000"), operation)
    assert reply.status_code == 400
    assert reply.json()["title"] == "Customer validation error(s)"
    assert reply.json()["detail"].startswith("CustomerPatchDto:")
    assert go.get(path).json() == made


def test_patch_needs_its_content_type_and_test_can_be_switched_off(go: Api) -> None:
    made = go.made("/Customers", company())
    path = f"/Customers/{made['Id']}"
    assert go.http.patch(f"/v2{path}", json=[]).status_code == 415
    assert go.patch(path, ("replace", "/name", "camel")).json()["Name"] == made["Name"]
    go.sim("/settings", {"ignore_test_ops": True})
    assert go.patch(path, ("test", "/Name", "x"), ("replace", "/Name", "B")).json()["Name"] == "B"


def test_address_and_contact_persons_do_not_move_the_customer(go: Api) -> None:
    made = go.made("/Customers", company(MailAddress=address()))
    path = f"/Customers/{made['Id']}"
    moved = go.patch(path, ("replace", "/MailAddress/City", "Bergen")).json()
    assert moved["LastChangedDateTimeOffset"] == made["LastChangedDateTimeOffset"]
    name = "LastChangedDateTimeOffset"
    assert moved["MailAddress"][name] > made["MailAddress"][name]
    person = go.made(f"/ContactPersons/{made['Id']}", {"FirstName": "Kari", "LastName": "Bøe"})
    go.patch(f"/ContactPersons/{made['Id']}/{person['Id']}", ("replace", "/Title", "Daglig leder"))
    assert go.get("/ContactPersons", contactIds=made["Id"]).json()[0]["Title"] == "Daglig leder"
    assert go.get(path).json()[name] == made[name]


def test_references_and_codes_are_unique(go: Api) -> None:
    first = go.made("/Customers", company(ExternalImportReference="cb-1"))
    second = go.post("/Customers", company(ExternalImportReference="cb-1"))
    assert second.status_code == 400
    assert second.json()["title"] == "Customer validation error(s)"
    assert second.json()["detail"] == (
        f"ExternalImportReference is already in use. 'cb-1' is used on (contact) Id = "
        f"{first['Id']}."
    )
    found = go.get("/Customers", externalImportReference="cb-1").json()
    assert [row["Id"] for row in found] == [first["Id"]]
    go.made("/Products", {"Name": "Vare", "Code": "V1"})
    assert go.post("/Products", {"Name": "Vare", "Code": "V1"}).status_code == 400
    sent = order(go, ExternalImportReference="cb-order-1")
    go.post(f"/SalesOrders/{sent['Id']}/createAndSendInvoice", {})
    again = go.post("/SalesOrders/Complete", {"ExternalImportReference": "cb-order-1"})
    assert again.status_code == 400 and sent["Id"] in again.json()["detail"]


def test_products_take_account_and_unit_from_group_codes(go: Api) -> None:
    groups = {row["Code"] for row in go.get("/ProductGroups").json()}
    assert groups == {"abonnement", "tillegg", "varer"}
    made = go.made(
        "/Products", {"Name": "Fjord", "Code": "F", "UnitPrice": 299, "ProductGroupCode": "tillegg"}
    )
    assert made["ProductGroupCode"] == "tillegg" and made["StandardSalesAccountId"] is None
    accounts = go.get("/GeneralLedgerAccounts", accountNos="3000-3100").json()
    vat = {row["AccountNo"]: row["VatCode"] for row in accounts}
    rates = {row["Code"]: row["Rate"] for row in go.get("/VatCodes").json()}
    assert (vat[3000], rates[vat[3000]], rates[vat[3100]]) == ("3", 0.25, 0.0)
    assert [row["Id"] for row in go.get("/Products", codes="F,G").json()] == [made["Id"]]
    path = f"/Products/{made['Id']}"
    assert go.patch(path, ("replace", "/ProductGroupCode", "varer")).status_code == 400
    assert go.patch(path, ("replace", "/IsArchived", True)).json()["IsArchived"] is True


def test_order_totals_and_vat(go: Api) -> None:
    made = order(go)
    line = made["SalesOrderLines"][0]
    assert (line["NetAmount"], line["VatAmount"], line["TotalAmount"]) == (180.18, 45.05, 225.23)
    assert (line["VatCode"], line["VatRate"], line["ProductUnitPrice"]) == ("3", 0.25, 100.1)
    assert made["SalesOrderStatus"] == "Draft" and made["SalesOrderNo"] is not None
    path = f"/SalesOrders/{made['Id']}"
    added = go.made(
        f"{path}/Lines", {"ProductId": line["ProductId"], "Quantity": -1, "ProductUnitPrice": 0.1}
    )
    assert (added["SortOrder"], added["TotalAmount"]) == (1, -0.13)
    go.made(f"{path}/Lines", {"LineType": "Text", "Description": "Takk for handelen"})
    header = go.get(path).json()
    assert (header["LineCount"], header["NetAmount"], header["TotalAmount"]) == (3, 180.08, 225.10)
    assert header["LastChangedDateTimeOffset"] > made["LastChangedDateTimeOffset"]
    patched = go.patch(
        f"{path}/Lines/{added['Id']}", ("replace", "/UseStandardSalesAccount", False)
    ).json()
    assert (patched["VatAmount"], patched["TotalAmount"]) == (0.0, -0.1)
    assert go.delete(f"{path}/Lines/{added['Id']}").status_code == 200
    assert len(go.get(f"{path}/Lines").json()) == 2


def test_vat_free_customers_and_inherited_values(go: Api) -> None:
    made = order(go, customer={"IsVatFree": True, "Allowance": 50}, line={"Allowance": None})
    line = made["SalesOrderLines"][0]
    assert (line["NetAmount"], line["VatAmount"], line["VatRate"]) == (100.1, 0.0, 0.0)
    assert made["CurrencyCode"] is None and line["Allowance"] is None
    shown = go.get(f"/SalesOrders/{made['Id']}/Complete", showInherited=True).json()
    assert shown["CurrencyCode"] == "NOK" and shown["PaymentTerm"] == 14
    assert shown["SalesOrderLines"][0]["Allowance"] == 50


def test_confirmed_orders_are_locked(go: Api) -> None:
    made = order(go)
    path, line = f"/SalesOrders/{made['Id']}", made["SalesOrderLines"][0]
    assert go.patch(path, ("replace", "/SalesOrderStatus", "Confirmed")).status_code == 200
    assert go.patch(path, ("replace", "/CustomerReference", "x")).status_code == 400
    assert go.patch(f"{path}/Lines/{line['Id']}", ("replace", "/Quantity", 3)).status_code == 400
    assert go.post(f"{path}/Lines", {"LineType": "Text"}).status_code == 400
    assert go.delete(f"{path}/Lines/{line['Id']}").status_code == 400
    assert go.delete(path).status_code == 409
    assert go.patch(path, ("replace", "/SalesOrderStatus", "Draft")).status_code == 200
    assert go.delete(path).status_code == 200
    assert go.get(path).status_code == 404


def test_sending_moves_the_order(go: Api) -> None:
    made = order(go, ExternalImportReference="cb-9")
    path = f"/SalesOrders/{made['Id']}"
    reply = go.post(f"{path}/createAndSendInvoice", {"VoucherDate": "2026-11-01"})
    assert reply.status_code == 202
    state = httpx.get(reply.headers["Location"], headers=go.http.headers, timeout=PATIENCE_S).json()
    assert state[0]["IsInvoiceBeingProcessed"] is False and state[0]["DueDate"] == "2026-11-15"
    assert go.get(path).status_code == 404
    invoice = go.get(f"/OutgoingInvoices/{made['Id']}").json()
    assert (
        invoice["InvoiceNo"] == state[0]["InvoiceNo"] and invoice["OrderNo"] == made["SalesOrderNo"]
    )
    assert (invoice["Balance"], invoice["TotalAmount"]) == (225.23, 225.23)
    assert invoice["ExternalImportReference"] == "cb-9"
    lines = go.get(f"/OutgoingInvoices/{made['Id']}/Lines").json()
    assert isinstance(lines[0]["Id"], int) and lines[0]["AccountNo"] == 3000
    name = "sentDateTimeOffsetGreaterThan"
    assert go.get("/OutgoingInvoices", **{name: invoice["SentDateTimeOffset"]}).status_code == 204
    customer = f"/Customers/{made['CustomerId']}"
    assert go.patch(customer, ("replace", "/IsArchived", True)).status_code == 400
    go.sim(f"/invoices/{made['Id']}/balance", {"balance": 0})
    assert go.get("/OutgoingInvoices", onlyUnpaidInvoices=True).status_code == 204
    assert go.patch(customer, ("replace", "/IsArchived", True)).json()["IsArchived"] is True


def test_a_slow_or_failing_sending_is_seen_in_sent_state(go: Api) -> None:
    go.sim("/settings", {"send_delay_s": 3600})
    slow = order(go)
    assert go.post(f"/SalesOrders/{slow['Id']}/createAndSendInvoice", {}).status_code == 202
    assert (
        go.get("/SalesOrders/sentState", id=slow["Id"]).json()[0]["IsInvoiceBeingProcessed"] is True
    )
    assert (
        go.patch(f"/SalesOrders/{slow['Id']}", ("replace", "/ContractNo", "x")).status_code == 400
    )
    go.sim("/settings", {"send_delay_s": 0, "send_error_message": "mottaker ukjent"})
    failed = order(go, customer={"EmailAddress": "b@eksempel.no"})
    go.post(f"/SalesOrders/{failed['Id']}/createAndSendInvoice", {})
    state = go.get("/SalesOrders/sentState", id=failed["Id"]).json()[0]
    assert (state["IsInvoiceBeingProcessed"], state["LastErrorMessage"]) == (
        False,
        "mottaker ukjent",
    )
    assert go.get(f"/SalesOrders/{failed['Id']}").status_code == 200


def test_what_is_in_use_cannot_be_deleted(go: Api) -> None:
    made = order(go)
    customer, product = made["CustomerId"], made["SalesOrderLines"][0]["ProductId"]
    assert go.delete(f"/Customers/{customer}").json()["title"] == "Customer conflict"
    assert go.delete(f"/Products/{product}").status_code == 409
    assert go.delete(f"/SalesOrders/{made['Id']}").status_code == 200
    for path in (f"/Customers/{customer}", f"/Products/{product}"):
        assert (go.delete(path).status_code, go.get(path).status_code) == (200, 404)


def test_a_write_may_be_committed_without_a_reply(go: Api) -> None:
    go.sim("/faults", {"faults": [{"kind": "drop_reply_after_commit", "match": "POST /Customers"}]})
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        go.post("/Customers", company(ExternalImportReference="cb-5"))
    assert len(go.get("/Customers", externalImportReference="cb-5").json()) == 1
    go.sim("/faults", {"faults": [{"kind": "429", "match": "GET /Customers", "retry_after": 7}]})
    limited = go.get("/Customers")
    assert limited.headers["Retry-After"] == "7" and limited.json()["statusCode"] == 429


def test_the_rate_limit_is_counted_per_subscription_key(go: Api, person: Api) -> None:
    go.sim("/settings", {"rate_limit_per_s": 1, "rate_window_s": 3600})
    replies = [go.get("/Currencies") for _ in range(2)]
    limited = replies[-1]
    assert (limited.status_code, limited.headers["Retry-After"]) == (429, "1")
    assert limited.json()["statusCode"] == 429
    assert person.get("/Currencies").status_code == 200


def test_privileges_can_be_taken_away(go: Api) -> None:
    made = order(go)
    go.sim("/settings", {"removed_privileges": ["Customer_Full", "OutgoingInvoice", "SendInvoice"]})
    assert (
        go.post("/Customers", company()).status_code == 201
    )  # privileges are frozen into the token
    go.sim("/settings", {"privileges_at_once": True})
    refused = go.post("/Customers", company())
    assert (refused.status_code, refused.content) == (403, b"")
    assert go.get("/Customers").status_code == 200
    assert go.get("/OutgoingInvoices").status_code == 403
    sending = go.post(f"/SalesOrders/{made['Id']}/createAndSendInvoice", {})
    assert sending.status_code == 400 and sending.json()["title"] == "Missing privilege"
    information = go.get("/ClientIntegrationInformation").json()
    assert set(information["InvalidPrivileges"]) == {
        "Customer_Full",
        "OutgoingInvoice",
        "SendInvoice",
    }
    assert "Product_Full" in information["ValidPrivileges"]


def test_the_request_log_tells_users_apart_and_counts_writes(go: Api, person: Api) -> None:
    made = go.made("/Customers", company())
    go.get(f"/Customers/{made['Id']}")
    person.patch(f"/Customers/{made['Id']}", ("replace", "/Name", "Nytt navn AS"))
    go.post("/Customers", {})
    report = go.sim("/requests?user=tandem")
    assert (
        report["counts"] == {"GET /Customers/{id}": 1, "POST /Customers": 2}
        and report["writes"] == 1
    )
    theirs = go.sim("/requests?user=person")
    assert theirs["writes"] == 1 and theirs["counts"]["PATCH /Customers/{id}"] == 1
    assert theirs["log"][-1]["body"][0]["path"] == "/Name" and theirs["log"][-1]["status"] == 200
    assert go.sim("/requests?user=person&log=0") == {**theirs, "log": []}


def test_reads_may_lag_behind_writes(go: Api) -> None:
    made = go.made("/Customers", company())
    go.sim("/settings", {"read_lag_s": 50.0})
    changed = go.patch(f"/Customers/{made['Id']}", ("replace", "/Name", "Ny AS")).json()
    go.sim("/settings", {"read_lag_s": 0})
    assert go.get(f"/Customers/{made['Id']}").json() == changed
    late = go.made("/Customers", company())
    go.sim("/settings", {"read_lag_s": 50.0})
    assert go.get(f"/Customers/{late['Id']}").status_code == 404


def test_listings_can_be_cut_off(go: Api) -> None:
    for number in range(3):
        go.made("/Customers", company(Name=f"Bedrift {number} AS"))
    go.sim("/settings", {"list_rows_max": {"/Customers": 2}})
    assert len(go.get("/Customers").json()) == 2
    go.sim("/settings", {"list_rows_max": {"/Customers": 0}})
    assert go.get("/Customers").status_code == 204


def test_demo_data(go: Api) -> None:
    go.sim("/reset", {"data": "demo"})
    customers = go.get("/Customers").json()
    assert len(customers) == 40 and len({row["Number"] for row in customers}) == 40
    stamps = [row["LastChangedDateTimeOffset"] for row in customers]
    assert (
        len(set(stamps)) == 40
        and max(stamps) < go.made("/Customers", company())["LastChangedDateTimeOffset"]
    )
    assert len(go.get("/Products").json()) == 12
    assert len(go.get("/SalesOrders").json()) == 5
    invoices = go.get("/OutgoingInvoices").json()
    assert len(invoices) == 9 and len({row["InvoiceNo"] for row in invoices}) == 9
    assert sum(row["Balance"] == 0 for row in invoices) == 8
    for row in invoices:
        lines = go.get(f"/OutgoingInvoices/{row['Id']}/Lines").json()
        assert sum(Decimal(str(line["TotalAmount"])) for line in lines) == Decimal(
            str(row["TotalAmount"])
        )


NULL_OBJECTS = {"MailAddress", "Accrual"}
"""References to objects: the description cannot say that they may be null, and they are when never
set."""


def fits(schemas: dict[str, Any], wanted: dict[str, Any], value: Any) -> bool:
    """Whether a value has the documented type, one level deep."""
    if "$ref" in wanted:
        wanted = schemas[wanted["$ref"].rsplit("/", 1)[1]]
    if value is None:
        return bool(wanted.get("nullable"))
    if "enum" in wanted:
        return value in wanted["enum"]
    kinds: dict[str, type | tuple[type, ...]] = {
        "string": str,
        "integer": int,
        "number": (int, float),
        "boolean": bool,
        "array": list,
        "object": dict,
    }
    is_bool = isinstance(value, bool)
    return isinstance(value, kinds[wanted["type"]]) and is_bool == (wanted["type"] == "boolean")


@pytest.mark.skipif(
    not SPEC.exists(), reason="the vendor's API description is not beside the checkout"
)
def test_records_have_exactly_the_documented_properties(go: Api) -> None:
    go.sim("/reset", {"data": "demo"})
    contact = go.get("/Customers", OrderBy="Id").json()[0]["Id"]
    go.made(f"/ContactPersons/{contact}", {"FirstName": "Kari", "LastName": "Bøe"})
    schemas = json.loads(SPEC.read_text(encoding="utf-8"))["components"]["schemas"]
    order_id = go.get("/SalesOrders").json()[0]["Id"]
    invoice_id = go.get("/OutgoingInvoices").json()[0]["Id"]
    for path, name in {
        "/Customers": "CustomerDto",
        "/Products": "ProductDto",
        "/ProductGroups": "ProductGroupDto",
        "/SalesOrders": "SalesOrderDto",
        f"/SalesOrders/{order_id}/Lines": "SalesOrderLineDto",
        "/OutgoingInvoices": "OutgoingInvoiceDto",
        f"/OutgoingInvoices/{invoice_id}/Lines": "OutgoingInvoiceLineDto",
        "/VatCodes": "VatCodeDto",
        "/Currencies": "CurrencyDto",
        "/GeneralLedgerAccounts": "GeneralLedgerAccountDto",
        "/ContactPersons": "ContactPersonDto",
    }.items():
        for row in go.get(path).json():
            assert set(row) == set(schemas[name]["properties"]), path
            faulty = {
                key
                for key, value in row.items()
                if not fits(schemas, schemas[name]["properties"][key], value)
            }
            assert faulty <= NULL_OBJECTS, path


def test_faults_of_tokens_privileges_and_listings_strike_once(go: Api) -> None:
    created = go.post("/Customers", company())
    assert created.status_code == 201
    for kind, status in (
        ("privilege_lost", 403),
        ("empty_list", 204),
        ("truncated_list", 204),
        ("token_expired", 401),
    ):
        go.sim("/faults", {"faults": [{"kind": kind, "match": "GET /Customers"}]})
        assert go.get("/Customers").status_code == status, kind
    assert (
        httpx.post(
            f"{go.base}/_sim/faults", json={"faults": [{"kind": "no_such"}]}, timeout=PATIENCE_S
        ).status_code
        == 400
    )


def test_a_change_behind_the_back_moves_no_time(go: Api) -> None:
    made = go.made("/Customers", company(MailAddress=address()))
    changed = httpx.post(
        f"{go.base}/_sim/records/customer/{made['Id']}",
        json={"MailAddress": {"City": "Moss"}},
        timeout=PATIENCE_S,
    )
    assert changed.status_code == 200
    found = go.get(f"/Customers/{made['Id']}").json()
    assert found == {**made, "MailAddress": {**made["MailAddress"], "City": "Moss"}}
    assert httpx.post(f"{go.base}/_sim/records/customer/1", json={}, timeout=PATIENCE_S).json() == {
        "error": "no customer 1"
    }
