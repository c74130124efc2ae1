"""A Chargebee customer as a canonical customer. Pure."""

from contracts import entities
from contracts.messages import Problem
from contracts.values import organisation_number, text
from services.chargebee_adapter import models
from services.chargebee_adapter.addresses import unaddressable
from services.chargebee_adapter.mapping import Raw, Reading, id_of, parsed, stamp_of, version_of

# Svalbard, Jan Mayen and Bouvet Island have codes of their own and the organisation numbers of
# Norway (ISO 3166).
_NORWEGIAN = (None, "NO", "SJ", "BV")


def customer(raw: Raw, *, deleted: bool = False) -> Reading:
    """A customer. Company when `company` or `vat_number` is filled, else a person."""
    name, version = id_of(raw), version_of(raw)
    record = parsed(models.Customer, raw, "customer")
    if isinstance(record, Problem):
        return Reading("customer", name, version, record, deleted=deleted)
    if (problem := unaddressable("customers", name)) is not None:
        return Reading("customer", name, version, problem, deleted=deleted)
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
    # A number that is no Norwegian one still decides on tax, and nothing of it is carried.
    flags = (("organisation_number", unfit), ("vat_number", unfit), ("address", half_address))
    incomplete = tuple(field for field, is_unfit in flags if is_unfit)
    stamp = stamp_of(name, record.meta_data)
    return Reading(
        "customer", name, version, entity, stamp=stamp, deleted=gone, incomplete=incomplete
    )


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


def _organisation(
    record: models.Customer, billing: models.BillingAddress
) -> tuple[str | None, bool]:
    """The Norwegian organisation number in `vat_number`, and whether something unfit stands
    there."""
    held = text(record.vat_number)
    if held is None:
        return None, False
    number = organisation_number(held) if canonical_country(billing.country) in _NORWEGIAN else None
    return number, number is None
