"""What Chargebee takes at most of each field, and the words for what it does not take. Pure.

Source: the API reference and Chargebee's OpenAPI document of 2026-09-24 (customers, items,
invoices).
"""

import re
from collections.abc import Mapping

from contracts.entities import Address
from contracts.messages import Problem
from contracts.said import say

# Characters, by the name of the vendor's parameter.
CUSTOMER: Mapping[str, int] = {
    "first_name": 150,
    "last_name": 150,
    "email": 70,
    "phone": 50,
    "company": 250,
}
ADDRESS: Mapping[str, int] = {"line1": 150, "line2": 150, "city": 50, "zip": 20, "country": 2}
ITEM: Mapping[str, int] = {"name": 100, "description": 2000, "unit": 30}
DESCRIPTION_VISIBLE = 500  # of an item's description, without the tags of its HTML
PO_NUMBER_MAX = 100  # of an invoice
_TAG = re.compile(r"<[^>]*>")


def too_long(field: str, param: str, value: str | None, limit: int) -> Problem | None:
    """The problem of a text that is longer than Chargebee's parameter holds."""
    if value is None or len(value) <= limit:
        return None
    said = say("too_long_for_chargebee", param=param, most=limit, count=len(value))
    return Problem.of("too_long", said, field)


def long_description(value: str | None) -> Problem | None:
    """The problem of a description of which too much would be shown, or that is too long with its
    tags."""
    visible = len(_TAG.sub("", value or ""))
    if visible <= DESCRIPTION_VISIBLE:
        return too_long("description", "description", value, ITEM["description"])
    said = say("description_too_long", most=DESCRIPTION_VISIBLE, count=visible)
    return Problem.of("too_long", said, "description")


def long_address(address: Address) -> Problem | None:
    """The problem of the first part of an address that is too long."""
    parts = (
        too_long("address", f"billing_address.{name}", getattr(address, name), limit)
        for name, limit in ADDRESS.items()
    )
    return next((problem for problem in parts if problem is not None), None)
