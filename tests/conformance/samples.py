"""What the suite writes: records with every field, and for each field another value.

A field of `contracts.entities.FIELDS` that stands in no table here fails the suite.
"""

from typing import Any

from contracts.entities import EntityName, System

Values = dict[str, Any]

PLACE: Values = {"line1": "Kaigata 3", "city": "Bergen", "zip": "5003", "country": "NO"}
PERSON: Values = {
    "kind": "person",
    "first_name": "Åse",
    "last_name": "Bøe",
    "email": "ase@eksempel.no",
    "phone": "22334455",
    "address": PLACE,
    "currency": "NOK",
    "vat_exempt": True,
}
COMPANY: Values = {
    "kind": "company",
    "company": "Fjordvik Bakeri AS",
    "email": "post@fjordvik.no",
    "phone": "22334456",
    "organisation_number": "923609016",
    "address": PLACE,
    "currency": "NOK",
    "vat_exempt": True,
}
PRODUCT: Values = {
    "code": "basis",
    "name": "Basis",
    "description": "Kasse i butikk",
    "unit": "EA",
    "price": {"amount": "200", "currency": "NOK"},
    "kind": "charge",
    "group": "abo",
}
LINE: Values = {
    "id": "li_1",
    "description": "Basis",
    "quantity": "3",
    "unit_price": "30",
    "net": "90",
    "tax": "22.5",
}
ORDER: Values = {
    "currency": "NOK",
    "order_date": "2026-03-01",
    "delivery_date": "2026-03-08",
    "purchase_order": "PO 7",
    "lines": [LINE],
    "net": "90",
    "tax": "22.5",
    "total": "112.5",
}
# The record that a field is tried on, and what it is changed to; None where nobody changes it.
Trial = tuple[Values, Any]
TRIALS: dict[EntityName, dict[str, Trial]] = {
    "customer": {
        "kind": (COMPANY, None),
        "first_name": (PERSON, "Åsne"),
        "last_name": (PERSON, "Bø"),
        "company": (COMPANY, "Fjordvik Konditori AS"),
        "email": (COMPANY, "ny@fjordvik.no"),
        "phone": (COMPANY, "99999999"),
        "address": (COMPANY, {**PLACE, "line1": "Torget 1", "line2": None}),
        "organisation_number": (COMPANY, "974760673"),
        "currency": (COMPANY, None),
        "vat_exempt": (COMPANY, None),
        "archived": (COMPANY, True),
    },
    "product": {
        "code": (PRODUCT, None),
        "name": (PRODUCT, "Basis pluss"),
        "description": (PRODUCT, "Kasse i butikk og lager"),
        "unit": (PRODUCT, "MON"),
        "price": (PRODUCT, {"amount": "249.5", "currency": "NOK"}),
        "archived": (PRODUCT, True),
    },
    "order": {
        "customer_id": (ORDER, None),
        "currency": (ORDER, None),
        "order_date": (ORDER, "2026-03-02"),
        "delivery_date": (ORDER, "2026-03-09"),
        "purchase_order": (ORDER, "PO 8"),
        "lines": (ORDER, None),
    },
}
# What a row says is written and a vendor has no room for; the linker's settings never ask for it.
NO_ROOM: dict[tuple[System, EntityName, str], str] = {
    ("chargebee", "customer", "archived"): "a customer of Chargebee is deleted or not, by a person",
}
# A creation that lacks what its vendor cannot do without, and the field that the refusal names.
LACKING: tuple[tuple[EntityName, Values, str], ...] = (
    ("customer", {**COMPANY, "company": None}, "company"),
    ("product", {**PRODUCT, "name": None}, "name"),
    ("order", {**ORDER, "customer_id": None}, "customer_id"),
    ("order", {**ORDER, "lines": []}, "lines"),
)
