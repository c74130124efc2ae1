"""Records of Chargebee that a create would double, found just before it writes.

The rules are those of the linker: equal organisation number; equal e-mail with equal name and kind; equal code; equal
name of a product. Lists lag in Chargebee, so what was entered in the last minutes may not show.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from contracts import entities
from contracts.values import code_for, natural
from services.chargebee_adapter.addresses import unaddressable
from services.chargebee_adapter.client import ChargebeeClient, any_of
from services.chargebee_adapter.mapping import OWN_PREFIX, Reading, customer, id_of
from services.chargebee_adapter.mapping_products import Pricing, product

_ALIVE = any_of(("active", "archived"))


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
    return _ids(reading for reading in readings if _is_party(reading, wanted))


def _is_party(reading: Reading, wanted: entities.Customer) -> bool:
    found = reading.entity
    if not isinstance(found, entities.Customer):
        return False
    numbers = {number for number in (found.organisation_number, wanted.organisation_number) if number}
    if found.organisation_number and found.organisation_number == wanted.organisation_number:
        return True
    email = natural(wanted.email)
    if email is None or natural(found.email) != email:
        return False
    return found.kind == wanted.kind and len(numbers) < 2 and _name(found) == _name(wanted)


def _name(party: entities.Customer) -> str | None:
    return natural(party.company if party.kind == "company" else f"{party.first_name or ''} {party.last_name or ''}")


async def of_product(api: ChargebeeClient, fields: Mapping[str, Any], pricing: Pricing) -> tuple[str, ...]:
    """Ids of items with the code or the name of the one to be made; one read and one list call."""
    code, name = fields.get("code"), natural(fields.get("name"))
    raws = []
    if code and unaddressable("items", code) is None and (raw := await api.find("item", "items", code)) is not None:
        raws.append(raw)
    if name is not None:
        query = {"name[is]": str(fields["name"]), "status[in]": _ALIVE, "sort_by[asc]": "id"}
        raws += await api.all("item", "/items", query)
    found = []
    for raw in raws:
        reading = product(raw, (), pricing)
        held = reading.entity
        if isinstance(held, entities.Product) and (code_for(id_of(raw)) == code or natural(held.name) == name):
            found.append(reading)
    return _ids(found)


def _ids(readings: Iterable[Reading]) -> tuple[str, ...]:
    """Of those alive; a record under an own id refers to its own record in Go already."""
    ids = (each.id for each in readings if not each.deleted and not each.id.startswith(OWN_PREFIX))
    return tuple(dict.fromkeys(ids))
