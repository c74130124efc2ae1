"""Go's customers as canonical customers. Pure."""

import re
from collections.abc import Mapping
from typing import Any

from contracts.entities import Address, Customer
from contracts.messages import Problem
from contracts.said import say
from contracts.values import text
from services.poweroffice_adapter import models
from services.poweroffice_adapter.mapping import (
    NEVER,
    Reading,
    moment,
    read,
    timestamp,
    unreadable,
    upper,
)

OTHER_ROLE_S = 5  # Go stamps contact and customer together when both are made at once


def customer(raw: Mapping[str, Any]) -> Reading | None:
    """A CustomerDto; None when it has no Id."""
    seen = read(models.Customer, raw)
    if isinstance(seen, Problem):
        return unreadable(raw, seen)
    if not (id := text(seen.id)):
        return None
    changed_at = timestamp(seen.last_changed_date_time_offset)
    moved_at = (
        timestamp(seen.mail_address.last_changed_date_time_offset) if seen.mail_address else NEVER
    )
    found = address(seen.mail_address)
    incomplete = ["address"] if found is not None and not (found.city and found.zip) else []
    if _other_role(seen):
        incomplete.append("other_role")
    stamp = text(seen.external_import_reference)
    return Reading(
        id, changed_at, max(changed_at, moved_at), _party(seen, found), stamp, tuple(incomplete)
    )


def _party(seen: models.Customer, found: Address | None) -> Customer | Problem:
    first, last, name = text(seen.first_name), text(seen.last_name), text(seen.name)
    if seen.is_person and not (first or last):
        return Problem.of("missing", say("go_names_blank"), "first_name")
    if not seen.is_person and not name:
        return Problem.of("missing", say("go_name_blank"), "company")
    person = bool(seen.is_person)
    number = re.sub(r"\D", "", seen.organization_number or "") or None
    return Customer(
        kind="person" if person else "company",
        first_name=first if person else None,
        last_name=last if person else None,
        company=None if person else name,
        email=text(seen.email_address),
        phone=text(seen.phone_number),
        organisation_number=None if person else number,
        currency=upper(seen.currency_code),
        vat_exempt=bool(seen.is_vat_free),
        address=found,
        archived=bool(seen.is_archived),
    )


def address(mail: models.MailAddress | None) -> Address | None:
    """A mail address, None when nothing but a country stands in it: Go fills in the country by
    itself."""
    if mail is None:
        return None
    line1, line2 = text(mail.address_line1), text(mail.address_line2)
    city, zip_code = text(mail.city), text(mail.zip_code)
    if not (line1 or line2 or city or zip_code):
        return None
    return Address(
        line1=line1, line2=line2, city=city, zip=zip_code, country=upper(mail.country_code)
    )


def _other_role(seen: models.Customer) -> bool:
    """Whether the contact is something else besides (a supplier, an employee)."""
    contact = timestamp(seen.contact_created_date_time_offset)
    made = timestamp(seen.customer_created_date_time_offset)
    if NEVER in (contact, made):
        return False
    return abs((moment(contact) - moment(made)).total_seconds()) > OTHER_ROLE_S
