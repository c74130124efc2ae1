"""The desks of people in both systems: records are entered and edited over the APIs, by no way of
the product, and the log of all that was entered.

A record carries a mark that nobody edits: in the last name of a person, in the name of a company or
a product, in the purchase order number of an order. No value is ever entered twice.
"""

import json
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random
from typing import Any, Literal

import httpx

from tests.faults.books import Books, Kind, Sales, System, mark_of

PATIENCE_S = 300.0
FRESH = httpx.Limits(keepalive_expiry=1.0)  # before the server lets go of a connection, after 5 s
PATCH = {"Content-Type": "application/json-patch+json"}
EMPTIED, EMPTIED_SHARE = ("phone", "description"), 0.1  # fields that somebody empties now and then
FIELDS: Mapping[Kind, tuple[str, ...]] = {
    "person": ("first_name", "email", "phone", "address"),
    "company": ("name", "email", "phone", "address"),
    "product": ("name", "description", "price"),
    "order": ("order_date", "delivery_date"),
}
FIRST_DAY = date(2026, 1, 2)  # of those that are entered, each one day later
Fate = Literal["draft", "made", "sent", "paid", "credited", "cancelled", "reopened", "void"]


@dataclass(frozen=True)
class Edit:
    """One value that somebody entered. `began` and `done` are monotonic seconds around the
    request; the creation's values are edits too."""

    number: int
    began: float
    done: float
    system: System
    mark: str
    field: str
    value: str


@dataclass
class Record:
    """What the editor made. `ids` grows as the record is found in the other system; `fate` is of
    orders."""

    kind: Kind
    mark: str
    born: System
    ids: dict[System, str]
    fate: list[Fate] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)


class Login(httpx.Auth):
    """A person's token of Go, which lasts 20 minutes (Go developer portal, authentication); a new
    one is had when it has ended."""

    requires_response_body = True

    def __init__(self, token_url: str) -> None:
        self._token_url = token_url
        self._token: str | None = None

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Ocp-Apim-Subscription-Key"] = "ps"
        for _ in range(2):
            if self._token is None:
                answer = yield self._asking()
                self._token = str(answer.raise_for_status().json()["access_token"])
            request.headers["Authorization"] = f"Bearer {self._token}"
            if (yield request).status_code != httpx.codes.UNAUTHORIZED:
                return
            self._token = None

    def _asking(self) -> httpx.Request:
        asking = httpx.Request(
            "POST",
            self._token_url,
            data={"grant_type": "client_credentials"},
            headers={"Ocp-Apim-Subscription-Key": "ps"},
        )
        return next(httpx.BasicAuth("pa", "pc").auth_flow(asking))


class Desk:
    """A person with a key of their own in each system. `rng` decides which values they enter."""

    def __init__(
        self, chargebee: str, go: str, rng: Random, prefix: str = "m", sales: Sales = "orders"
    ) -> None:
        self.chargebee = httpx.Client(
            base_url=f"{chargebee}/api/v2",
            auth=("person-key", ""),
            limits=FRESH,
            trust_env=False,
            timeout=PATIENCE_S,
        )
        self.go = httpx.Client(
            base_url=f"{go}/v2",
            auth=Login(f"{go}/OAuth/Token"),
            limits=FRESH,
            trust_env=False,
            timeout=PATIENCE_S,
        )
        self.books = Books(self.chargebee, self.go, sales)
        self.rng, self._prefix = rng, prefix
        self.log: list[Edit] = []
        self.records: dict[str, Record] = {}
        self._values = self._marks = 0

    def close(self) -> None:
        self.chargebee.close()
        self.go.close()

    def id_in(self, record: Record, system: System) -> str | None:
        """The record's id in a system, looked for by its mark; None while it is not there,
        or while its price, which Chargebee keeps apart, is not."""
        if system not in record.ids:
            found = [
                str(raw.get("Id", raw.get("id")))
                for raw in self.books.all(system, record.kind)
                if mark_of(record.kind, raw) == record.mark and raw.get("prices") != []
            ]
            if found:
                record.ids[system] = found[0]
        return record.ids.get(system)

    def on_both_sides(self, *kinds: Kind) -> list[Record]:
        """The records of these kinds that are in both systems by now."""
        return [
            record
            for record in list(self.records.values())
            if record.kind in kinds
            and all(self.id_in(record, system) for system in ("chargebee", "poweroffice"))
        ]

    def shows(self, record: Record, system: System, value: str) -> bool:
        """Whether a customer shows this value in a system, asked for by its id."""
        id = record.ids[system]
        reply = (
            self.chargebee.get(f"/customers/{id}")
            if system == "chargebee"
            else self.go.get(f"/Customers/{id}")
        )
        return json.dumps(value) in reply.raise_for_status().text

    def holds(self, record: Record, system: System, value: str) -> bool:
        """Whether the record shows this value in a system."""
        return any(
            json.dumps(value) in json.dumps(raw)
            for raw in self.books.all(system, record.kind)
            if mark_of(record.kind, raw) == record.mark
        )

    def _value(self, name: str, mark: str) -> str:
        self._values += 1
        number = self._values
        day = FIRST_DAY + timedelta(days=number)
        return {
            "first_name": f"Fornavn{number}",
            "name": f"Navn {mark} utgave {number}",
            "email": f"post{number}@{mark}.example",
            "phone": f"+47 9{number:07d}",
            "address": f"Gate {number}",
            "description": f"Tekst {number}",
            "price": f"{1000 + number}.{number % 100:02d}",
            "order_date": day.isoformat(),
            "delivery_date": day.isoformat(),
            "note": f"Merknad {number}",
            "reference": f"Ref {number} {mark}",
        }[name]

    def _note(
        self, record: Record, system: System, values: Mapping[str, str], began: float
    ) -> None:
        done = time.monotonic()
        for name, value in values.items():
            self.log.append(Edit(len(self.log) + 1, began, done, system, record.mark, name, value))

    def _new_mark(self) -> str:
        self._marks += 1
        return f"{self._prefix}{self._marks:04d}x"

    def add_customer(self, system: System, kind: Kind | None = None) -> Record:
        """A person or a company, with an address."""
        kinds: tuple[Kind, ...] = ("person", "company") if kind is None else (kind,)
        chosen = self.rng.choice(kinds)
        mark = self._new_mark()
        values = {name: self._value(name, mark) for name in FIELDS[chosen]}
        return self.enter_customer(system, chosen, mark, values)

    def enter_customer(
        self, system: System, kind: Kind, mark: str, values: Mapping[str, str], **more: str
    ) -> Record:
        """A customer with these values; `more` are further parameters of the vendor."""
        began = time.monotonic()
        if system == "chargebee":
            id = mark
            names = (
                {"first_name": values["first_name"], "last_name": f"Etternavn {mark}"}
                if kind == "person"
                else {"company": values["name"]}
            )
            self._act(
                "/customers",
                {
                    "id": id,
                    **names,
                    "email": values["email"],
                    "phone": values["phone"],
                    **_billing(values["address"]),
                    **more,
                },
            )
        else:
            names = (
                {"FirstName": values["first_name"], "LastName": f"Etternavn {mark}"}
                if kind == "person"
                else {"Name": values["name"]}
            )
            body = {
                "IsPerson": kind == "person",
                **names,
                "EmailAddress": values["email"],
                "PhoneNumber": values["phone"],
                "InvoiceDeliveryType": "PdfByEmail",
                "MailAddress": {
                    "AddressLine1": values["address"],
                    "City": "Oslo",
                    "ZipCode": "0150",
                    "CountryCode": "NO",
                },
                **more,
            }
            id = str(self._post("/Customers", body)["Id"])
        record = self.records.setdefault(mark, Record(kind, mark, system, {}))
        record.ids[system] = id
        self._note(record, system, values, began)
        return record

    def add_product(self, system: System) -> Record:
        """A charge with one price, or a product of Go."""
        mark = self._new_mark()
        values = {name: self._value(name, mark) for name in FIELDS["product"]}
        began = time.monotonic()
        if system == "chargebee":
            if self.chargebee.get("/item_families/varer").status_code == 404:
                self._act("/item_families", {"id": "varer", "name": "varer"})
            self._act(
                "/items",
                {
                    "id": mark,
                    "name": f"Item {mark}",
                    "external_name": values["name"],
                    "description": values["description"],
                    "type": "charge",
                    "item_family_id": "varer",
                    "is_shippable": "true",
                },
            )
            self._act(
                "/item_prices",
                {
                    "id": f"{mark}-NOK",
                    "item_id": mark,
                    "name": f"{mark} NOK",
                    "price": _minor(values["price"]),
                    "currency_code": "NOK",
                    "pricing_model": "per_unit",
                },
            )
            id = mark
        else:
            body = {
                "Code": mark,
                "Name": values["name"],
                "Description": values["description"],
                "UnitPrice": float(values["price"]),
                "ProductGroupCode": "varer",
                "ProductType": "Product",
            }
            id = str(self._post("/Products", body)["Id"])
        record = self.records[mark] = Record("product", mark, system, {system: id})
        self._note(record, system, values, began)
        return record

    def edit(self, record: Record, name: str, system: System) -> Edit:
        """Enter a new value of a field in a system."""
        value, began = self._value(name, record.mark), time.monotonic()
        if name in EMPTIED and self.rng.random() < EMPTIED_SHARE:
            value = ""
        self.enter(record, name, system, value)
        self._note(record, system, {name: value}, began)
        return self.log[-1]

    def enter(self, record: Record, name: str, system: System, value: str) -> None:
        """Write a value, without a line in the log."""
        id = record.ids[system]
        if system == "chargebee":
            self._enter_chargebee(record.kind, id, name, value)
            return
        path = "/Products" if record.kind == "product" else "/Customers"
        property, held = {
            "first_name": ("FirstName", value),
            "name": ("Name", value),
            "email": ("EmailAddress", value),
            "phone": ("PhoneNumber", value),
            "address": ("MailAddress/AddressLine1", value),
            "description": ("Description", value),
            "price": ("UnitPrice", float(value) if name == "price" else value),
        }[name]
        patch = [{"op": "replace", "path": f"/{property}", "value": held}]
        self.go.patch(f"{path}/{id}", json=patch, headers=PATCH).raise_for_status()

    def _enter_chargebee(self, kind: Kind, id: str, name: str, value: str) -> None:
        if kind == "product":
            if name == "price":
                self._act(f"/item_prices/{id}-NOK", {"price": _minor(value)})
            else:
                self._act(f"/items/{id}", _item(name, value))
            return
        if name == "address":
            self._act(f"/customers/{id}/update_billing_info", _billing(value))
        else:
            self._act(f"/customers/{id}", {"company" if name == "name" else name: value})

    def _act(self, path: str, fields: Mapping[str, str]) -> dict[str, Any]:
        reply = self.chargebee.post(path, data=dict(fields))
        assert reply.status_code == 200, f"{path}: {reply.text}"
        answer: dict[str, Any] = reply.json()
        return answer

    def _post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        reply = self.go.post(path, json=dict(body))
        assert reply.status_code < 300, f"{path}: {reply.text}"
        return dict(reply.json()) if reply.text.strip() else {}


def _item(name: str, value: str) -> dict[str, str]:
    return {"external_name" if name == "name" else name: value}


def _minor(price: str) -> str:
    return price.replace(".", "")


def _billing(line1: str) -> dict[str, str]:
    """The whole billing address, since Chargebee erases what is left out."""
    address = {"line1": line1, "city": "Oslo", "zip": "0150", "country": "NO"}
    return {f"billing_address[{name}]": value for name, value in address.items()}
