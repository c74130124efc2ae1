"""Go's customers and products as canonical entities, and the versions of everything read from Go. Pure.

A payload that cannot be mapped becomes a Problem that names Go's field and what to do; nothing here raises
for odd vendor data. Orders are mapped in `mapping_orders`, the way back in `mapping_writes`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

from pydantic import ValidationError

from contracts.entities import Address, Customer, Entity, Price, Product
from contracts.mappings import newest
from contracts.messages import Problem
from contracts.values import decimal, text
from services.poweroffice_adapter import models

MAPPING = newest("poweroffice")
NEVER = "0001-01-01T00:00:00.0000000Z"
OTHER_ROLE_S = 5  # Go stamps contact and customer together when both are made at once

_TIME = re.compile(r"(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?\s*(Z|[+-]\d{2}:?\d{2})?", re.IGNORECASE)
_Model = TypeVar("_Model", bound=models.Go)


@dataclass(frozen=True)
class Reading:
    """One record as read: `changed_at` is its own time, `newest_at` counts its mail address too."""

    id: str
    changed_at: str
    newest_at: str
    content: Entity | Problem
    stamp: str | None = None
    incomplete: tuple[str, ...] = ()


def timestamp(value: object) -> str:
    """A Go DateTimeOffset as `YYYY-MM-DDTHH:MM:SS.fffffffZ`; NEVER when absent or unreadable.

    Go sends up to 7 fraction digits, and Z, an offset or nothing, which means UTC; further digits are cut,
    never rounded, so that no time moves forward.
    """
    found = _TIME.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        return NEVER
    day, clock, fraction, offset = found.groups()
    try:
        moment = datetime.fromisoformat(f"{day}T{clock}+00:00") - _offset(offset)
    except (ValueError, OverflowError):
        return NEVER
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{(fraction or '')[:7]:0<7}Z".rjust(len(NEVER), "0")


def _offset(words: str | None) -> timedelta:
    if not words or words.upper() == "Z":
        return timedelta(0)
    digits = words.replace(":", "")
    size = timedelta(hours=int(digits[1:3]), minutes=int(digits[3:5]))
    return -size if digits[0] == "-" else size


def earlier(stamp: str, seconds: float) -> str:
    """A `timestamp` moved back; the beginning of time stays where it is."""
    try:
        moment = datetime.fromisoformat(stamp[:19] + "+00:00") - timedelta(seconds=seconds)
    except (ValueError, OverflowError):
        return NEVER
    return f"{moment:%Y-%m-%dT%H:%M:%S}".rjust(19, "0") + stamp[19:]


def moment(stamp: str) -> datetime:
    """A `timestamp` as an aware datetime, cut to microseconds."""
    return datetime.fromisoformat(stamp[:26]).replace(tzinfo=UTC)


def version(changed_at: str, number: int, floor: str | None = None) -> str:
    """The version of a reading or reply: its time and its number.

    `floor` is an earlier version of the record: removing an address may take the newest time away with it,
    and a version must never fall.
    """
    return f"{max(changed_at, time_of(floor))}#{number:012d}"


def time_of(version: str | None) -> str:
    """The time in a version."""
    return version.partition("#")[0] if version else NEVER


def local_date(value: object) -> date | None:
    """A Go date, which may carry a time part that means nothing; None when blank or unreadable."""
    try:
        return date.fromisoformat(value.strip()[:10]) if isinstance(value, str) else None
    except ValueError:
        return None


def read(model: type[_Model], raw: Mapping[str, Any]) -> _Model | Problem:
    """The payload as a model, or why it cannot be read."""
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        names = {str(name).lower(): str(name) for name in raw}
        where = [str(part) for part in error.errors(include_input=False)[0]["loc"]]
        field = ".".join([names.get(where[0], where[0]), *where[1:]])
        message = f"PowerOffice Go sent a {field} that cannot be read; correct it in Go"
        return Problem(code="unreadable", field=field, message=message)


def unreadable(raw: Mapping[str, Any], problem: Problem) -> Reading | None:
    """A reading that only says what is wrong; None where not even an id can be had."""
    plain = {str(key).lower(): value for key, value in raw.items()}
    given = plain.get("id")
    if not isinstance(given, str | int) or not (id := text(str(given))):
        return None
    changed_at = timestamp(plain.get("lastchangeddatetimeoffset"))
    return Reading(id, changed_at, changed_at, problem)


def customer(raw: Mapping[str, Any]) -> Reading | None:
    """A CustomerDto; None when it has no Id."""
    seen = read(models.Customer, raw)
    if isinstance(seen, Problem):
        return unreadable(raw, seen)
    if not (id := text(seen.id)):
        return None
    changed_at = timestamp(seen.last_changed_date_time_offset)
    moved_at = timestamp(seen.mail_address.last_changed_date_time_offset) if seen.mail_address else NEVER
    found = address(seen.mail_address)
    incomplete = ["address"] if found is not None and not (found.city and found.zip) else []
    if _other_role(seen):
        incomplete.append("other_role")
    stamp = text(seen.external_import_reference)
    return Reading(id, changed_at, max(changed_at, moved_at), _party(seen, found), stamp, tuple(incomplete))


def _party(seen: models.Customer, found: Address | None) -> Customer | Problem:
    first, last, name = text(seen.first_name), text(seen.last_name), text(seen.name)
    if seen.is_person and not (first or last):
        message = "Go FirstName and LastName are blank; fill them in on the contact in PowerOffice Go"
        return Problem(code="missing", field="first_name", message=message)
    if not seen.is_person and not name:
        message = "Go Name is blank; fill it in on the contact in PowerOffice Go"
        return Problem(code="missing", field="company", message=message)
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
    """A mail address, None when nothing but a country stands in it: Go fills in the country by itself."""
    if mail is None:
        return None
    line1, line2 = text(mail.address_line1), text(mail.address_line2)
    city, zip_code = text(mail.city), text(mail.zip_code)
    if not (line1 or line2 or city or zip_code):
        return None
    return Address(line1=line1, line2=line2, city=city, zip=zip_code, country=upper(mail.country_code))


def upper(value: str | None) -> str | None:
    """A code in capitals, None when blank."""
    cleaned = text(value)
    return cleaned.upper() if cleaned else None


def _other_role(seen: models.Customer) -> bool:
    """Whether the contact is something else besides (a supplier, an employee)."""
    contact = timestamp(seen.contact_created_date_time_offset)
    made = timestamp(seen.customer_created_date_time_offset)
    if NEVER in (contact, made):
        return False
    return abs((moment(contact) - moment(made)).total_seconds()) > OTHER_ROLE_S


def product(raw: Mapping[str, Any], *, ledger_currency: str, groups: Mapping[str, str]) -> Reading | None:
    """A ProductDto; `groups` are product group codes by id. None when it has no Id."""
    seen = read(models.Product, raw)
    if isinstance(seen, Problem):
        return unreadable(raw, seen)
    if not (id := text(seen.id)):
        return None
    changed_at = timestamp(seen.last_changed_date_time_offset)
    return Reading(id, changed_at, changed_at, _article(seen, ledger_currency, groups))


def _article(seen: models.Product, ledger_currency: str, groups: Mapping[str, str]) -> Product | Problem:
    if not (name := text(seen.name)):
        message = "Go Name of the product is blank; fill it in in PowerOffice Go"
        return Problem(code="missing", field="name", message=message)
    price = None
    if seen.unit_price is not None:
        price = Price(amount=decimal(seen.unit_price), currency=ledger_currency)
    return Product(
        code=text(seen.code),
        name=name,
        description=text(seen.description),
        unit=upper(seen.unit_of_measure_code),
        price=price,
        kind="charge",
        group=groups.get(seen.product_group_id or "") or text(seen.product_group_code),
        archived=bool(seen.is_archived),
    )
