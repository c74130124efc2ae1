"""Schemathesis on the PowerOffice simulator: every operation of the vendor's description, no answer that it denies.

Ids that the generator cannot guess are replaced by those of the demo company, so that most requests reach a record.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.config import GenerationConfig, PhasesConfig, SchemathesisConfig
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.contract import go_description

CHECKS: Final = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
EXAMPLES: Final = 15
KEYS: Final = ("app", "client", "sub")
REFERENCES: Final = {
    "CurrencyCode": ["NOK", "EUR", None],
    "CountryCode": ["NO", "SE", None],
    "InvoiceDeliveryType": ["Print", "PdfByEmail", "EHF"],
    "DeliveryTermId": [2401, None],
    "DepartmentId": [2001, None],
    "PaymentTermId": [2301, 2304, None],
    "SalesPersonEmployeeId": [2601, None],
    "EmailAddress": ["post@fjordvik.example", None],
}
"""Properties whose values the server looks up: generated ones would be refused, all but a few."""

spec = schemathesis.pytest.from_fixture("overlaid")


@dataclass(frozen=True)
class Served:
    base: str
    headers: dict[str, str]


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """A simulator process of its own with the demo company, without rate limit."""
    command = [sys.executable, "-m", "simulators.poweroffice", "--port", "0", "--rate-limit", "0", "--data", "demo"]
    for name, key in zip(("application", "client", "subscription"), KEYS, strict=True):
        command += [f"--{name}-key", key]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            base = process.stdout.readline().split(" on ")[1].strip().removesuffix("/v2")
            yield Served(base, _headers(base))
        finally:
            process.terminate()


def _headers(base: str) -> dict[str, str]:
    subscription = {"Ocp-Apim-Subscription-Key": KEYS[2]}
    body = {"grant_type": "client_credentials"}
    reply = httpx.post(f"{base}/OAuth/Token", auth=KEYS[:2], data=body, headers=subscription)
    return subscription | {"Authorization": f"Bearer {reply.json()['access_token']}"}


@pytest.fixture
def overlaid(served: Served) -> Any:
    if not go_description.FILE.exists():
        pytest.skip(go_description.ABSENT)
    raw = go_description.read()
    _name_known_values(raw["components"]["schemas"])
    config = SchemathesisConfig()
    return schemathesis.openapi.from_dict(raw, config=config)


def _name_known_values(schemas: dict[str, Any]) -> None:
    for name, schema in schemas.items():
        if name.endswith("PostDto"):
            for field, values in REFERENCES.items():
                if field in schema["properties"]:
                    schema["properties"][field] = {"enum": values}


@spec.parametrize()
@settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
def test_every_operation_answers_as_described(case: schemathesis.Case, served: Served) -> None:
    case.call_and_validate(base_url=f"{served.base}/v2", headers=served.headers, checks=CHECKS)
