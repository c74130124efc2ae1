"""Customers of Chargebee that a create would double, found just before it writes.

The rules are those of the linker: equal organisation number; equal e-mail with equal name and kind.
Lists lag in Chargebee, so what was entered in the last minutes may not show.
"""

from collections.abc import Mapping
from typing import Any

from contracts import entities
from contracts.values import natural
from services.chargebee_adapter.client import ChargebeeClient
from services.chargebee_adapter.customer.canonical import customer
from services.chargebee_adapter.mapping import Reading, unclaimed


async def of_customer(api: ChargebeeClient, fields: Mapping[str, Any]) -> tuple[str, ...]:
    """Ids of customers that are the same party as the one to be made; one list call."""
    wanted = entities.Customer(**{"kind": "person", **fields})
    if wanted.email:
        query = {"email[is]": wanted.email}
    elif wanted.kind == "company" and wanted.company:
        query = {"company[is]": wanted.company}
    else:
        return ()
    readings = (customer(raw) for raw in await api.all("customer", "/customers", query))
    return unclaimed(reading for reading in readings if _is_party(reading, wanted))


def _is_party(reading: Reading, wanted: entities.Customer) -> bool:
    found = reading.entity
    if not isinstance(found, entities.Customer):
        return False
    numbers = {
        number for number in (found.organisation_number, wanted.organisation_number) if number
    }
    if found.organisation_number and found.organisation_number == wanted.organisation_number:
        return True
    email = natural(wanted.email)
    if email is None or natural(found.email) != email:
        return False
    return found.kind == wanted.kind and len(numbers) < 2 and _name(found) == _name(wanted)


def _name(party: entities.Customer) -> str | None:
    return natural(
        party.company
        if party.kind == "company"
        else f"{party.first_name or ''} {party.last_name or ''}"
    )
