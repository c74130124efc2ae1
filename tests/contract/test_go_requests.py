"""Every request that our Go client makes is one that the vendor's API description allows."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

import httpx
import jsonschema_rs
import pytest

from contracts.entities import wire
from runtime.rate_limiter import LIVE
from tests.contract import go_description
from tests.contract.go_description import Json
from tests.contract.test_poweroffice_adapter import (
    BAKERY,
    BASIS,
    World,
    address,
    order_fields,
    play,
    snapshots,
)
from tests.transports import Showing

__all__ = ["address"]

pytestmark = pytest.mark.skipif(not go_description.FILE.exists(), reason=go_description.ABSENT)

USED: Final = {
    "GET /ClientIntegrationInformation",
    "GET /Customers",
    "GET /Customers/{id}",
    "POST /Customers",
    "PATCH /Customers/{id}",
    "GET /ProductGroups",
    "GET /Products",
    "GET /Products/{id}",
    "POST /Products",
    "PATCH /Products/{id}",
    "GET /SalesOrders",
    "PATCH /SalesOrders/{id}",
    "DELETE /SalesOrders/{id}",
    "POST /SalesOrders/{id}/Lines",
    "PATCH /SalesOrders/{id}/Lines/{lineId}",
    "DELETE /SalesOrders/{id}/Lines/{lineId}",
    "POST /SalesOrders/Complete",
    "GET /SalesOrders/{id}/Complete",
    "GET /OutgoingInvoices",
    "GET /OutgoingInvoices/{id}",
    "GET /OutgoingInvoices/{id}/Lines",
}
"""All operations of the description that the adapter has a use for."""


def number_list(text: str) -> None:
    if not re.fullmatch(r"\d*-?\d*(,\s*\d*-?\d*)*", text):
        raise ValueError(text)


def instant(text: str) -> None:
    if datetime.fromisoformat(text).tzinfo is None:
        raise ValueError(f"{text} has no offset")


def truth(text: str) -> None:
    if text not in ("true", "false"):
        raise ValueError(text)


TEXT_OF: Final[dict[str, Callable[[str], Any]]] = {
    "integer": int,
    "boolean": truth,
    "number": float,
}
FORMAT_OF: Final[dict[str, Callable[[str], Any]]] = {
    "uuid": UUID,
    "date": date.fromisoformat,
    "date-time": instant,
}
ENDING_OF: Final[dict[str, Callable[[str], Any]]] = {"GreaterThan": instant, "Nos": number_list}


@dataclass
class Description:
    """The overlaid description, asked whether a request fits; `seen` collects the operations."""

    spec: Json = field(default_factory=go_description.read)
    seen: set[str] = field(default_factory=set)

    def faults(self, request: httpx.Request, base: str) -> Iterator[str]:
        """What is wrong with a request to the API at `base`."""
        found = self._operation(request.method.lower(), request.url.path.removeprefix(base))
        if found is None:
            yield "no such operation"
            return
        template, operation, parameters = found
        self.seen.add(f"{request.method} {template}")
        for name in ("authorization", "ocp-apim-subscription-key"):
            if name not in request.headers:
                yield f"no header {name}"
        schemas = self._parameters(operation)
        for name, text in parameters.items():
            yield from self._text_faults(name, text, schemas[name])
        known = self._flat(operation)
        names = [name for name, _ in request.url.params.multi_items()]
        if len(names) != len(set(names)):
            yield "a parameter twice"
        for name, text in request.url.params.multi_items():
            if name not in known:
                yield f"no such parameter: {name}"
            else:
                yield from self._text_faults(name, text, known[name])
        yield from self._body_faults(operation, request)

    def _operation(self, method: str, path: str) -> tuple[str, Json, dict[str, str]] | None:
        """The operation, where a literal template wins over one with parameters."""
        for template in sorted(self.spec["paths"], key=lambda one: one.count("{")):
            found = re.fullmatch(re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", template), path)
            if found and method in self.spec["paths"][template]:
                return template, self.spec["paths"][template][method], found.groupdict()
        return None

    def _parameters(self, operation: Json) -> dict[str, Json]:
        return {
            one["name"]: self._resolved(one["schema"]) for one in operation.get("parameters", [])
        }

    def _flat(self, operation: Json) -> dict[str, Json]:
        """Query parameters as sent: the grouped ones of `resourceParameter` stand on their own."""
        known: dict[str, Json] = {}
        for one in operation.get("parameters", []):
            schema = self._resolved(one["schema"])
            if one["in"] == "query":
                known |= (
                    schema["properties"]
                    if schema.get("type") == "object"
                    else {one["name"]: schema}
                )
        return known

    def _resolved(self, schema: Json) -> Json:
        reference = schema.get("$ref")
        found: Json = (
            self.spec["components"]["schemas"][reference.rsplit("/", 1)[1]] if reference else schema
        )
        return found

    def _text_faults(self, name: str, text: str, schema: Json) -> Iterator[str]:
        by_ending = next(
            (parse for ending, parse in ENDING_OF.items() if name.endswith(ending)), str
        )
        parses = [
            TEXT_OF.get(schema.get("type", ""), str),
            FORMAT_OF.get(schema.get("format", ""), str),
            by_ending,
        ]
        if schema.get("readOnly"):
            yield f"{name} is for reading"
        if not text.strip():
            yield f"{name} is empty"
        if "enum" in schema and text not in schema["enum"]:
            yield f"{name}={text}: {schema['enum']} are known"
        try:
            for parse in parses:
                parse(text)
        except ValueError as error:
            yield f"{name}: {error}"

    def _body_faults(self, operation: Json, request: httpx.Request) -> Iterator[str]:
        wanted = operation.get("requestBody")
        if wanted is None:
            if request.content:
                yield "a body where none belongs"
            return
        kind = request.headers.get("content-type", "").split(";")[0]
        if kind not in wanted["content"]:
            yield f"content type {kind}"
            return
        schema = {
            **json_schema(wanted["content"][kind]["schema"]),
            "components": json_schema(self.spec["components"]),
        }
        checker = jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
        for error in checker.iter_errors(json.loads(request.content)):
            yield f"{error.instance_path}: {error.message}"


def json_schema(value: Any) -> Any:
    """A part of an OpenAPI 3.0 document as JSON Schema: null where it is nullable, no properties
    that are read-only."""
    if isinstance(value, list):
        return [json_schema(each) for each in value]
    if not isinstance(value, dict):
        return value
    found = {
        name: json_schema(each)
        for name, each in value.items()
        if name not in ("nullable", "example")
    }
    if isinstance(value.get("properties"), dict):
        found["properties"] = {
            name: each
            for name, each in found["properties"].items()
            if value["properties"][name].get("readOnly") is not True
        }
    return {"anyOf": [found, {"type": "null"}]} if value.get("nullable") is True else found


@dataclass
class Watched:
    """A world whose client's requests are all held against the description."""

    description: Description = field(default_factory=Description)
    wrong: list[str] = field(default_factory=list)
    tokens: list[httpx.Request] = field(default_factory=list)

    def watch(self, w: World) -> None:
        w.client._transport._inner = Showing(self._look)

    def _look(self, request: httpx.Request) -> None:
        if request.url.path.lower().endswith("/oauth/token"):
            self.tokens.append(request)
            return
        for fault in self.description.faults(request, "/v2"):
            self.wrong.append(f"{request.method} {request.url}: {fault} [{request.content!r}]")


async def customers_and_products(w: World) -> tuple[str, str]:
    """Create, find again after a lost reply, change, stamp and clear both; their ids."""
    bakery = await w.apply("customer", "create", fields=wire(BAKERY), stamp="cb-1")
    await w.apply("customer", "create", fields=wire(BAKERY), stamp="cb-1", look_first=True)
    moved = {"line1": "Torget 1", "line2": None, "city": "Bergen", "zip": "5004", "country": "NO"}
    fields = {"email": "ny@fjordvik.no", "phone": None, "address": moved}
    expected = {name: (bakery.data or {}).get(name) for name in fields}
    await w.apply("customer", "update", target_id=bakery.id, fields=fields, expected=expected)
    bare = await w.make_customer()
    await w.apply(
        "customer", "update", target_id=bare, fields={"address": moved}, expected={"address": None}
    )
    await w.apply("customer", "stamp", target_id=bare, stamp="cb-2")
    await w.apply("customer", "stamp", target_id=bare, stamp=None)
    person = {
        "kind": "person",
        "first_name": "Kari",
        "last_name": "Bøe",
        "email": "kari@fjordvik.no",
        "currency": "NOK",
    }
    await w.apply("customer", "create", fields=person, stamp="cb-3")
    priced = wire(BASIS) | {
        "price": {"amount": "99.50", "currency": "NOK"},
        "description": "Basis, månedlig",
    }
    basis = await w.apply("product", "create", fields=priced, stamp="cb-basis")
    await w.apply("product", "create", fields=priced, stamp="cb-basis", look_first=True)
    cheaper = {"price": {"amount": "0.10", "currency": "NOK"}, "name": "Basis 2"}
    expected = {name: (basis.data or {})[name] for name in cheaper}
    await w.apply("product", "update", target_id=basis.id, fields=cheaper, expected=expected)
    return str(bakery.id), str(basis.id)


async def orders(w: World, customer: str, product: str) -> None:
    """A draft that is created, found again and changed, and one that a person sends."""
    first = await w.apply("order", "create", fields=order_fields(customer, product), stamp="cb-o1")
    await w.apply(
        "order", "create", fields=order_fields(customer, product), stamp="cb-o1", look_first=True
    )
    fields = {"delivery_date": "2026-03-09", "purchase_order": "PO 9"}
    await w.apply(
        "order", "update", target_id=first.id, fields=fields, expected=dict.fromkeys(fields)
    )
    for words in ("Already paid in Chargebee.", None, "Void."):
        held = (await w.apply("order", "verify", target_id=first.id)).data or {}
        await w.apply(
            "order",
            "update",
            target_id=first.id,
            fields={"notice": words},
            expected={"notice": held["notice"]},
        )
    await w.make_product("diverse")
    second = await w.apply("order", "create", fields=order_fields(customer, None), stamp="cb-o2")
    await w.send(str(second.id))
    await w.apply(
        "order", "create", fields=order_fields(customer, None), stamp="cb-o2", look_first=True
    )


async def removals(w: World, customer: str, product: str) -> None:
    """Archive and bring back a customer and a product, restore drifted lines of a draft, then
    remove it."""
    for entity, id in (
        ("customer", await w.make_customer()),
        ("product", await w.make_product("ut")),
    ):
        for wanted in (True, False):
            await w.apply(
                entity,  # type: ignore[arg-type]
                "update",
                target_id=id,
                fields={"archived": wanted},
                expected={"archived": not wanted},
            )
    made = await w.apply("order", "create", fields=order_fields(customer, product), stamp="cb-o3")
    path, lines = f"/SalesOrders/{made.id}/Lines", order_fields(customer, product)["lines"]
    for _ in range(2):
        [line] = [each for each in await w.person.get(path) if each["LineType"] == "Normal"]
        drift = {"ProductId": int(product), "Quantity": 1, "ProductUnitPrice": 5, "Allowance": 0}
        await w.person.post(path, drift, priority=LIVE)
        await w.edit(f"{path}/{line['Id']}", Quantity=9)
        present = (await w.apply("order", "verify", target_id=made.id)).data or {}
        await w.apply(
            "order",
            "update",
            target_id=made.id,
            fields={"lines": lines},
            expected={"lines": present["lines"]},
        )
        [line] = [each for each in await w.person.get(path) if each["LineType"] == "Normal"]
        await w.delete(f"{path}/{line['Id']}")
        await w.apply(
            "order", "update", target_id=made.id, fields={"lines": lines}, expected={"lines": []}
        )
    present = (await w.apply("order", "verify", target_id=made.id)).data or {}
    removed = await w.apply(
        "order",
        "delete",
        target_id=made.id,
        target_version=made.version,
        expected={"status": "draft", "lines": present["lines"]},
    )
    assert removed.deleted


async def reading(w: World) -> None:
    """Snapshots, polls after changes beside ours, sending, deletion and sweeps."""
    await snapshots(w)
    customer, product = await w.make_customer(Name="Ny Kunde AS"), await w.make_product("ny")
    sent, gone, kept = [await w.make_order(customer, product) for _ in range(3)]
    await snapshots(w)
    await w.send(sent)
    await w.delete(f"/SalesOrders/{gone}")
    [line] = await w.person.get(f"/SalesOrders/{kept}/Lines")
    await w.edit(f"/SalesOrders/{kept}/Lines/{line['Id']}", Quantity=3)
    await w.delete(f"/Products/{await w.make_product('kort')}")
    await w.source.sweep()
    await w.source.orders.invoice_step()
    await w.source.sweep()


def test_all_requests_are_described(address: str) -> None:
    watched = Watched()

    async def scene(w: World) -> None:
        watched.watch(w)
        await w.client.identity()
        customer, product = await customers_and_products(w)
        await reading(w)
        await orders(w, customer, product)
        await removals(w, customer, product)
        await snapshots(w)
        await w.source.orders.invoice_step()
        await w.source.sweep()

    play(address, scene)
    assert watched.wrong == []
    assert watched.description.seen == USED


def test_the_token_request_is_as_the_portal_says(address: str) -> None:
    watched = Watched()

    async def scene(w: World) -> None:
        watched.watch(w)
        await w.client.identity()

    play(address, scene)
    [request] = watched.tokens
    assert (request.method, request.content) == ("POST", b"grant_type=client_credentials")
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert request.headers["authorization"].startswith("Basic ")
    assert request.headers["ocp-apim-subscription-key"] == "sub"


FAULTY: Final = [
    ("GET", "/Nothing", {}, None, "no such operation"),
    ("GET", "/Customers/abc", {}, None, "invalid literal"),
    ("GET", "/Customers", {"pageSize": "5"}, None, "no such parameter"),
    ("GET", "/Customers", {"PageSize": "five"}, None, "invalid literal"),
    (
        "GET",
        "/Customers",
        {"lastChangedDateTimeOffsetGreaterThan": "2026-01-01T00:00:00"},
        None,
        "no offset",
    ),
    ("GET", "/SalesOrders", {"orderStatus": "Sent"}, None, "are known"),
    ("POST", "/Customers", {}, {"Name": "A", "Nonsense": 1}, "Additional properties"),
    ("POST", "/Products", {}, {"Code": "a"}, "required"),
    ("POST", "/Products", {}, {"Name": "a", "UnitPrice": "12"}, "anyOf"),
    (
        "PATCH",
        "/Customers/1",
        {},
        [{"op": "replace", "path": "/PaymentTerm", "value": 14}],
        "anyOf",
    ),
    ("PATCH", "/Customers/1", {}, [{"op": "replace", "path": "/name", "value": "A"}], "anyOf"),
    ("PATCH", "/SalesOrders/1", {}, [], "badly formed"),
]


@pytest.mark.parametrize(("method", "path", "query", "body", "words"), FAULTY)
def test_a_faulty_request_would_be_noticed(
    method: str, path: str, query: Any, body: Any, words: str
) -> None:
    kind = "application/json-patch+json" if method == "PATCH" else "application/json"
    content = None if body is None else json.dumps(body)
    headers = {"Authorization": "Bearer x", "Ocp-Apim-Subscription-Key": "x", "Content-Type": kind}
    request = httpx.Request(
        method, f"http://127.0.0.1/v2{path}", params=query, content=content, headers=headers
    )
    assert words in "; ".join(Description().faults(request, "/v2"))
