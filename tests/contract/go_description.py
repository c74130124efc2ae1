"""The vendor's OpenAPI description of Go, overlaid where it is known to be wrong, for tests that
validate against it.

The description lies beside the checkout and may be absent; then the tests that need it are skipped.
"""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any, Final

Json = dict[str, Any]

FILE: Final = Path(__file__).parents[3] / "shared" / "specs" / "poweroffice-go-v2.subset.json"
ABSENT: Final = "the vendor's API description is not beside the checkout"
METHODS: Final = ("get", "post", "patch", "delete")

NULLABLE_OBJECTS: Final = {
    "CustomerDto": "MailAddress",
    "ContactPersonDto": "MailAddress",
    "SalesOrderLineDto": "Accrual",
    "CustomerPostDto": "MailAddress",
    "ContactPersonPostDto": "MailAddress",
    "SalesOrderLinePostDto": "Accrual",
}
"""References to objects cannot say in OpenAPI 3.0 that they may be null, and they are null when
never set."""

PATCHED: Final = {
    "/Customers/{id}": "CustomerPostDto",
    "/ContactPersons/{contactId}/{id}": "ContactPersonPostDto",
    "/Products/{id}": "ProductPostDto",
    "/ProductGroups/{id}": "ProductGroupPostDto",
    "/SalesOrders/{id}": "SalesOrderCompletePostDto",
    "/SalesOrders/{id}/Lines/{lineId}": "SalesOrderLinePostDto",
    "/GeneralLedgerAccounts/{id}": "GeneralLedgerAccountPostDto",
}
"""Patch bodies do not list their fields: those of POST, less the twins of ids and what is set
once."""

POST_ONLY: Final = re.compile(
    r".*(Code|EmployeeNumber|EmployeeNo)|CustomerNo|PaymentTerm|DeliveryTerm|SalesOrderLines|AccountNo|"
    r"(Standard|Optional)SalesAccount(AgricultureDepartment)?|SubLedgerNumberSeriesId"
)
PATCHABLE_CODES: Final = frozenset(
    {"Code", "CurrencyCode", "UnitOfMeasureCode", "CountryCode", "ExternalCode"}
)

NO_CONTENT: Final[Json] = {"description": "Deleted"}
UNBOUND: Final[Json] = {
    "description": "The web framework could not bind a parameter",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}},
}


def read() -> Json:
    """The description as it is, with what is known to be wrong put right."""
    spec: Json = json.loads(FILE.read_text(encoding="utf-8"))
    schemas = spec["components"]["schemas"]
    schemas["Operation"]["properties"]["value"] = {}
    schemas["Operation"]["required"] = ["op", "path"]
    for name, field in NULLABLE_OBJECTS.items():
        reference = schemas[name]["properties"][field]
        schemas[name]["properties"][field] = {"allOf": [reference], "nullable": True}
    for item in spec["paths"].values():
        for method in METHODS:
            if method in item:
                _overlay_responses(method, item[method])
    created = spec["paths"]["/Products"]["post"]["responses"]
    created["201"] = created["200"]
    for path in PATCHED:
        name_patches(spec, path)
    spec.update(_without_blank_in_instants(spec))
    return spec


def _overlay_responses(method: str, operation: Json) -> None:
    """Take away `default`, which would allow any status; name 400 and 204 where they belong."""
    responses = operation["responses"]
    del responses["default"]
    if any(one["in"] == "query" for one in operation.get("parameters", [])):
        responses.setdefault("400", UNBOUND)
    if method == "delete":
        responses["204"] = NO_CONTENT


def name_patches(spec: Json, path: str, *, with_test: bool = True) -> None:
    """Let the body of the PATCH operation of `path` be what may be said about its properties."""
    schemas = spec["components"]["schemas"]
    fields = patchable(schemas[PATCHED[path]])
    for name, value in list(fields.items()):
        if isinstance(inner := _object(schemas, value), dict):
            fields |= {f"{name}/{one}": each for one, each in inner["properties"].items()}
    body = spec["paths"][path]["patch"]["requestBody"]["content"]["application/json-patch+json"]
    body["schema"] = {"type": "array", "items": {"anyOf": _operations(fields, with_test)}}


def _object(schemas: Json, value: Json) -> Json | None:
    """The object schema that a property refers to, made nullable above."""
    reference = value.get("allOf", [{}])[0].get("$ref", "")
    return schemas.get(reference.rsplit("/", 1)[-1])


def patchable(schema: Json) -> Json:
    """The properties of a POST schema that a PATCH may name, each with its own schema."""
    return {
        name: copy.deepcopy(each)
        for name, each in schema["properties"].items()
        if name in PATCHABLE_CODES or not POST_ONLY.fullmatch(name)
    }


def _operations(fields: Json, with_test: bool) -> list[Json]:
    """What may be done to each field, a path below the record; arrays may be written by element
    too."""
    operations: list[Json] = []
    for name, value in fields.items():
        path = {"enum": [f"/{name}"]}
        operations.append(
            _operation({"op": {"enum": ["add", "replace"]}, "path": path, "value": value})
        )
        operations.append(_operation({"op": {"enum": ["remove"]}, "path": path}))
        if with_test:
            operations.append(_operation({"op": {"enum": ["test"]}, "path": path, "value": value}))
        if value.get("type") == "array":
            element = {"enum": [f"/{name}/-", f"/{name}/0"]}
            operations.append(
                _operation({"op": {"enum": ["add"]}, "path": element, "value": value["items"]})
            )
            operations.append(_operation({"op": {"enum": ["remove"]}, "path": element}))
    return operations


def _operation(properties: Json) -> Json:
    return {
        "type": "object",
        "properties": properties,
        "required": sorted(properties),
        "additionalProperties": False,
    }


def _without_blank_in_instants(value: Any) -> Any:
    """Examples of instants hold a blank where RFC 3339 wants a T."""
    if isinstance(value, dict):
        return {name: _without_blank_in_instants(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_without_blank_in_instants(each) for each in value]
    if isinstance(value, str):
        return re.sub(r"^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)", r"\1T\2", value)
    return value
