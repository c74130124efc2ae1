"""Which of our fields a refusal of Chargebee is about, and whether the rest can be written without
it."""

from collections.abc import Mapping

from contracts.entities import EntityName
from contracts.messages import Command, Problem
from contracts.said import say
from runtime.vendor import Refused
from services.chargebee_adapter.limits import CUSTOMER

# Fields of ours by the parameter that Chargebee names when it refuses a value; a table by its first
# name.
_FIELDS: Mapping[EntityName, Mapping[str, str]] = {
    "customer": {
        **{name: name for name in CUSTOMER},
        "preferred_currency_code": "currency",
        "taxability": "vat_exempt",
        **dict.fromkeys(
            ("vat_number", "vat_number_prefix", "business_customer_without_vat_number"),
            "organisation_number",
        ),
        "billing_address": "address",
    },
    "product": {
        "external_name": "name",
        "name": "name",
        "description": "description",
        "unit": "unit",
        "price": "price",
        "price_in_decimal": "price",
    },
    "order": {"status": "fulfilment"},
}


def is_duplicate(error: Refused, field: str) -> bool:
    """Whether a create was refused because this field is taken (`duplicate_entry`, whose `param`
    names the field)."""
    named = (error.field or "id").removesuffix("]").rpartition("[")[2]
    return error.code == "duplicate_entry" and named == field


def held_back(error: Refused, command: Command) -> dict[str, Problem]:
    """The one field whose value a 400 names as wrong, with Chargebee's words; nothing where that is
    not so or nothing would be left to create. An update may have nothing left: then the record is
    only read."""
    if (
        error.status != 400
        or error.code != "param_wrong_value"
        or command.op not in ("create", "update")
    ):
        return {}
    name = _field_of(command.entity, error.field)
    if (
        name is None
        or name not in command.fields
        or (len(command.fields) == 1 and command.op == "create")
    ):
        return {}
    return {name: Problem.of("refused", say("chargebee_refuses", why=error.message), name)}


def _field_of(entity: EntityName, param: str | None) -> str | None:
    """The field of ours that a refused parameter stands for, such as address for
    `billing_address[zip]`."""
    return _FIELDS[entity].get((param or "").partition("[")[0])
