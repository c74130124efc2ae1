"""Chargebee's records as canonical readings. Pure; odd vendor data becomes a Problem, never an exception.

Customers stand here, products and orders in the files beside this one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from contracts import entities
from contracts.entities import Entity, EntityName
from contracts.mappings import newest
from contracts.messages import Author, Observed, Problem
from contracts.values import organisation_number, own_chargebee_id, text
from services.chargebee_adapter import models
from services.chargebee_adapter.addresses import unaddressable

MAPPING = newest("chargebee")
OWN_PREFIX = own_chargebee_id("")
STAMP_KEY = "poweroffice_id"  # in metadata; lower case, since the vendor's own SDKs lower-case keys
# Svalbard, Jan Mayen and Bouvet Island have codes of their own and the organisation numbers of Norway (ISO 3166).
_NORWEGIAN = (None, "NO", "SJ", "BV")

Raw = Mapping[str, Any]
Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class Reading:
    """One vendor record as read: an entity, or a problem that says why there is none.

    `version` is comparable text per record; `id` is empty when the vendor sent none, then it cannot be published.
    """

    entity_name: EntityName
    id: str
    version: str
    entity: Entity | None = None
    problem: Problem | None = None
    stamp: str | None = None
    deleted: bool = False
    incomplete: tuple[str, ...] = ()
    made_by: Author | None = None

    @property
    def data(self) -> dict[str, Any] | None:
        """The entity's JSON form."""
        return None if self.entity is None else entities.wire(self.entity)


def observed(reading: Reading, *, tenant: str, at: str, snapshot: str | None = None) -> Observed:
    """The event of a reading. `at` is ISO 8601 in UTC."""
    return Observed(
        tenant=tenant, system="chargebee", entity=reading.entity_name, id=reading.id, version=reading.version,
        mapping=MAPPING, observed_at=at, snapshot=snapshot, deleted=reading.deleted, data=reading.data,
        stamp=reading.stamp, incomplete=reading.incomplete, problem=reading.problem, made_by=reading.made_by,
    )  # fmt: skip


def milliseconds(raw: Raw) -> int:
    """`resource_version` (epoch milliseconds, monotonic per record), else `updated_at` or `created_at` in seconds."""
    for name, factor in (("resource_version", 1), ("updated_at", 1000), ("created_at", 1000)):
        value = raw.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return value * factor
    return 0


def version_of(raw: Raw) -> str:
    """The version of a single record: 13 digits of milliseconds."""
    return f"{milliseconds(raw):013d}"


def id_of(raw: Raw) -> str:
    """The record's id as text, empty when absent."""
    value = raw.get("id")
    return str(value) if isinstance(value, str | int) else ""


def parsed(model: type[Model], raw: Raw, kind: str) -> Model | Problem:
    """The record in its model, or what in it cannot be read."""
    try:
        return model.model_validate(dict(raw))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        return Problem(
            code="unreadable", field=field,
            message=f"{kind}.{field} in Chargebee cannot be read ({first['msg']}); correct the record there",
        )  # fmt: skip


def stamp_of(record_id: str, metadata: Mapping[str, Any] | None) -> str | None:
    """The reference to Go: an own id `go-<Go Id>`, else `poweroffice_id` of the metadata as `go-<Go Id>`."""
    if record_id.startswith(OWN_PREFIX):
        return record_id
    named = (metadata or {}).get(STAMP_KEY)
    cleaned = text(str(named)) if isinstance(named, str | int) else None
    return own_chargebee_id(cleaned) if cleaned else None


def customer(raw: Raw, *, deleted: bool = False) -> Reading:
    """A customer. Company when `company` or `vat_number` is filled, else a person."""
    name, version = id_of(raw), version_of(raw)
    record = parsed(models.Customer, raw, "customer")
    problem = record if isinstance(record, Problem) else unaddressable("customers", name)
    if isinstance(record, Problem) or problem is not None:
        return Reading("customer", name, version, problem=problem, deleted=deleted)
    billing = record.billing_address or models.BillingAddress()
    gone = deleted or record.deleted
    is_company = bool(text(record.company) or text(record.vat_number))
    number, unfit = _organisation(record, billing) if is_company else (None, False)
    address = _address(billing)
    first, last = text(record.first_name), text(record.last_name)
    entity = entities.Customer(
        kind="company" if is_company else "person",
        first_name=None if is_company else first or text(billing.first_name),
        last_name=None if is_company else last or text(billing.last_name),
        company=text(record.company),
        email=text(record.email),
        phone=text(record.phone),
        organisation_number=number,
        currency=text(record.preferred_currency_code),
        vat_exempt=record.taxability in ("exempt", "zero_rated"),
        address=address,
        archived=gone,
    )
    half_address = address is not None and not (address.city and address.zip)
    flags = (("organisation_number", unfit), ("address", half_address))
    incomplete = tuple(field for field, is_unfit in flags if is_unfit)
    stamp = stamp_of(name, record.meta_data)
    return Reading("customer", name, version, entity, stamp=stamp, deleted=gone, incomplete=incomplete)


def _address(billing: models.BillingAddress) -> entities.Address | None:
    address = entities.Address(
        line1=text(billing.line1),
        line2=", ".join(filter(None, (text(billing.line2), text(billing.line3)))) or None,
        city=text(billing.city),
        zip=text(billing.zip),
        country=canonical_country(billing.country),
    )
    return None if address == entities.Address() else address


def canonical_country(code: str | None) -> str | None:
    """ISO 3166 alpha-2; Chargebee's XI (Northern Ireland) is GB in Go."""
    cleaned = text(code)
    return "GB" if cleaned == "XI" else cleaned


def _organisation(record: models.Customer, billing: models.BillingAddress) -> tuple[str | None, bool]:
    """The Norwegian organisation number in `vat_number`, and whether something unfit stands there."""
    held = text(record.vat_number)
    if held is None:
        return None, False
    number = organisation_number(held) if canonical_country(billing.country) in _NORWEGIAN else None
    return number, number is None
