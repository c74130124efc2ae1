"""Items of Chargebee that a create would double, found just before it writes.

The rules are those of the linker: equal code, or equal name. Lists lag in Chargebee, so
what was entered in the last minutes may not show.
"""

from collections.abc import Mapping
from typing import Any

from contracts import entities
from contracts.values import natural
from contracts.vendors import code_for
from services.chargebee_adapter.addresses import unaddressable
from services.chargebee_adapter.client import ChargebeeClient, any_of
from services.chargebee_adapter.mapping import id_of, unclaimed
from services.chargebee_adapter.product.canonical import Pricing, product

_ALIVE = any_of(("active", "archived"))


async def of_product(
    api: ChargebeeClient, fields: Mapping[str, Any], pricing: Pricing
) -> tuple[str, ...]:
    """Ids of items with the code or the name of the one to be made; one read and one list call."""
    code, name = fields.get("code"), natural(fields.get("name"))
    raws = []
    if (
        code
        and unaddressable("items", code) is None
        and (raw := await api.find("item", "items", code)) is not None
    ):
        raws.append(raw)
    if name is not None:
        query = {"name[is]": str(fields["name"]), "status[in]": _ALIVE, "sort_by[asc]": "id"}
        raws += await api.all("item", "/items", query)
    found = []
    for raw in raws:
        reading = product(raw, (), pricing)
        held = reading.entity
        if isinstance(held, entities.Product) and (
            code_for(id_of(raw)) == code or natural(held.name) == name
        ):
            found.append(reading)
    return unclaimed(found)
