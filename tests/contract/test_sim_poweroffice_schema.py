"""Schemathesis on the PowerOffice simulator: every operation of the vendor's description, no answer
that it denies.

Ids that the generator cannot guess are replaced by those of the demo company, so that most requests
reach a record.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.contract import go_description
from tests.contract.go_description import Json
from tests.waiting import PATIENCE_S

CHECKS: Final = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
OPERATIONS: Final = 44  # in the description as it is known
EXAMPLES: Final = {GenerationMode.POSITIVE: 12, GenerationMode.NEGATIVE: 5}
KEYS: Final = ("app", "client", "sub")

REGISTERED: Final[dict[str, list[Any]]] = {
    "Name": ["Fjordbygg AS", "Bø & Sønner", "x" * 300],
    "FirstName": ["Kari"],
    "LastName": ["Bøe", "O'Hara"],
    "CurrencyCode": ["NOK", "EUR", None],
    "CountryCode": ["NO", "SE", None],
    "InvoiceDeliveryType": ["Print", "Print", "PdfByEmail"],
    "DeliveryTermId": [2401, None],
    "DepartmentId": [2001, None],
    "ProjectId": [2101, -1, None],
    "PaymentTermId": [2301, 2304, None],
    "SalesPersonEmployeeId": [2601, None],
    "EmailAddress": ["post@fjordvik.example", None],
    "Allowance": [10.5, 0, None],
    "InvoiceEmailAddress": ["faktura@fjordvik.example", None],
    "PaymentReminderEmailAddress": [None],
    "ContactGroupIds": [[], [2701]],
    "DepartmentCode": ["1", None],
    "DeliveryTerm": ["EXW", None],
    "SalesPersonEmployeeNumber": [None],
    "Number": [10500, 10501, None],
}
"""Properties whose values the server looks up: of those generated it would refuse all but a few."""
REQUIRED: Final = ("Name", "FirstName", "LastName", "Quantity", "InvoiceDeliveryType")
"""Properties that rules in words ask for."""
NEVER: Final = ("Code", "Id", "No", "Term", "EmployeeNumber", "SalesAccount")
"""Endings of the other references: any value but null would be refused."""
FILTERS: Final[dict[str, list[str]]] = {
    "Nos": ["10000-11000, 12000", "13000-", "x"],
    "Ids": ["1, 2"],
    "Codes": ["1, -1", "abonnement"],
    "GreaterThan": ["2025-09-25 08:03:00.123456+00:00", "2026-01-01T00:00:00.1234567Z"],
    "Date": ["2026-01-31", "31.01.2026"],
}
PAGING: Final = {
    "Fields": ["Id", "Name,Id", "Nonsense"],
    "OrderBy": ["Id desc", "Id, LastChangedDateTimeOffset", ""],
}


@dataclass
class Served:
    """A running simulator; `ids` are the path parameters of one existing record each, by path
    template."""

    base: str
    http: httpx.Client
    ids: dict[str, dict[str, Any]]

    @property
    def api(self) -> str:
        return f"{self.base}/v2"

    def renew(self) -> None:
        """Start anew with the demo company, and a customer, contact person and group that nothing
        refers to."""
        self.http.post("/_sim/reset", json={"data": "demo"}).raise_for_status()
        group = self._made("ProductGroups", {"Name": "Tjenester", "Code": "tjenester"})
        customer = self._made("Customers", {"Name": "Fjordbygg AS", "InvoiceDeliveryType": "Print"})
        first = {
            "Customers": customer,
            "Products": self._rows("Products")[0]["Id"],
            "ProductGroups": group,
        }
        draft = self._rows("SalesOrders", orderStatus="Draft")[0]["Id"]
        person = self._made(f"ContactPersons/{customer}", {"FirstName": "Kari", "LastName": "Bøe"})
        self.ids = {f"/{path}/{{id}}": {"id": record_id} for path, record_id in first.items()} | {
            "/ContactPersons/{contactId}": {"contactId": customer},
            "/ContactPersons/{contactId}/{id}": {"contactId": customer, "id": person},
            "/GeneralLedgerAccounts/{id}": {"id": self._rows("GeneralLedgerAccounts")[0]["Id"]},
            "/OutgoingInvoices/{id}": {"id": self._rows("OutgoingInvoices")[0]["Id"]},
            "/SalesOrders/{id}": {"id": draft},
            "/SalesOrders/{id}/Lines/{lineId}": {
                "id": draft,
                "lineId": self._rows(f"SalesOrders/{draft}/Lines")[0]["Id"],
            },
        }

    def _made(self, path: str, body: Json) -> Any:
        return self.http.post(f"/v2/{path}", json=body).raise_for_status().json()["Id"]

    def _rows(self, path: str, **query: str) -> list[Json]:
        rows: list[Json] = self.http.get(f"/v2/{path}", params=query).raise_for_status().json()
        return rows

    def of(self, path: str) -> dict[str, Any]:
        """The path parameters of an existing record for a template: its own or those of the longest
        part of it."""
        known = [one for one in self.ids if path == one or path.startswith(f"{one}/")]
        return self.ids[max(known, key=len)] if known else {}


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """A simulator process of its own, without rate limit."""
    command = [sys.executable, "-m", "simulators.poweroffice", "--port", "0", "--rate-limit", "0"]
    for name, key in zip(("application", "client", "subscription"), KEYS, strict=True):
        command += [f"--{name}-key", key]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            base = process.stdout.readline().split(" on ")[1].strip().removesuffix("/v2")
            with httpx.Client(base_url=base, headers=_headers(base), timeout=PATIENCE_S) as http:
                yield Served(base, http, {})
        finally:
            process.terminate()


def _headers(base: str) -> dict[str, str]:
    subscription = {"Ocp-Apim-Subscription-Key": KEYS[2]}
    grant = {"grant_type": "client_credentials"}
    reply = httpx.post(
        f"{base}/OAuth/Token", auth=KEYS[:2], data=grant, headers=subscription, timeout=PATIENCE_S
    )
    return subscription | {"Authorization": f"Bearer {reply.json()['access_token']}"}


@pytest.fixture(scope="module")
def description(served: Served) -> Any:
    """The overlaid description, with values that the demo company knows."""
    raw = go_description.read()
    served.renew()
    schemas = raw["components"]["schemas"]
    known = REGISTERED | {
        "CustomerId": [served.of("/Customers/{id}")["id"]],
        "ProductId": [served.of("/Products/{id}")["id"], None],
        "ProductGroupId": [served.of("/ProductGroups/{id}")["id"], None],
    }
    for name, schema in schemas.items():
        if name.endswith("PostDto"):
            _name_values(schema, known)
    for name, values in PAGING.items():
        schemas["ResourceParameters"]["properties"][name] = {"enum": values}
    for path, item in raw["paths"].items():
        for operation in item.values():
            _name_filters(operation)
            if "requestBody" in operation:
                operation["requestBody"]["required"] = True
        if path in go_description.PATCHED:
            go_description.name_patches(raw, path, with_test=False)
    return schemathesis.openapi.from_dict(raw)


def _name_values(schema: Json, known: dict[str, list[Any]]) -> None:
    for field in schema["properties"]:
        if field in known:
            schema["properties"][field] = {"enum": known[field]}
        elif field.endswith(NEVER) and field not in go_description.PATCHABLE_CODES | {
            "AccountNo",
            "ContractNo",
        }:
            schema["properties"][field] = {"enum": [None]}
        elif schema["properties"][field].get("type") == "number":
            schema["properties"][field] |= {"minimum": -1_000_000, "maximum": 1_000_000}
    schema["required"] = sorted(
        {*schema.get("required", []), *(set(REQUIRED) & set(schema["properties"]))}
    )


def _name_filters(operation: Json) -> None:
    for parameter in operation.get("parameters", []):
        for ending, values in FILTERS.items():
            if parameter["name"].endswith(ending):
                parameter["schema"] = {"type": "string", "enum": values}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "path" not in metafunc.fixturenames or not go_description.FILE.exists():
        return
    paths = go_description.read()["paths"]
    operations = [
        (m.upper(), path)
        for path, item in paths.items()
        for m in go_description.METHODS
        if m in item
    ]
    metafunc.parametrize(("method", "path"), operations)


@pytest.fixture
def method() -> str:
    pytest.skip(go_description.ABSENT)


@pytest.fixture
def path() -> str:
    pytest.skip(go_description.ABSENT)


@pytest.mark.parametrize(
    "mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["valid", "invalid"]
)
def test_answers_are_as_described(
    method: str, path: str, mode: GenerationMode, served: Served, request: pytest.FixtureRequest
) -> None:
    operation: APIOperation[Any, Any, Any, Any] = request.getfixturevalue("description")[path][
        method
    ]
    if mode is GenerationMode.NEGATIVE and not [*operation.iter_parameters(), *operation.body]:
        pytest.skip("nothing that could be invalid is sent")
    served.renew()
    statuses: list[int] = []

    @settings(
        max_examples=EXAMPLES[mode],
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def answers(case: Case[Any]) -> None:
        if method != "GET" and any(status < 300 for status in statuses[-1:]):
            served.renew()
        _address(case, served, path, mode)
        reply = case.call_and_validate(
            base_url=served.api, headers=dict(served.http.headers), checks=CHECKS
        )
        statuses.append(reply.status_code)

    answers()
    if mode is GenerationMode.POSITIVE:
        assert any(status < 300 for status in statuses), f"only refusals were seen: {statuses}"


def _address(case: Case[Any], served: Served, path: str, mode: GenerationMode) -> None:
    """Let a request go to an existing record, but for a few, and those that are invalid in their
    path alone."""
    drawn, ids = dict(case.path_parameters or {}), served.of(path)
    is_kept = sum(map(ord, str(drawn))) % 7 == 0
    if mode is GenerationMode.NEGATIVE:
        is_kept = case.method not in ("POST", "PATCH")
    if ids and drawn and not is_kept:
        case.path_parameters = {name: ids[name] for name in drawn}
    if path.endswith("/sentState") and case.query and mode is GenerationMode.POSITIVE:
        case.query = dict(case.query) | served.of("/OutgoingInvoices/{id}")


@pytest.mark.skipif(not go_description.FILE.exists(), reason=go_description.ABSENT)
def test_every_operation_of_the_file_is_served_and_tried(request: pytest.FixtureRequest) -> None:
    """As many as the file itself holds, so that no filter leaves one out unnoticed."""
    description = request.getfixturevalue("description")
    raw = json.loads(go_description.FILE.read_text(encoding="utf-8"))
    methods = {"get", "post", "put", "patch", "delete"}
    held = {
        (method.upper(), path)
        for path, item in raw["paths"].items()
        for method in item
        if method in methods
    }
    overlaid = go_description.read()["paths"]
    tried = {
        (m.upper(), path)
        for path, item in overlaid.items()
        for m in go_description.METHODS
        if m in item
    }
    assert tried == held
    assert len(held) >= OPERATIONS
    assert all(description[path][method] is not None for method, path in held)
