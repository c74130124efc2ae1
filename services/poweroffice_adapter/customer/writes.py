"""Canonical customers and products as Go's properties. Pure.

`fitting` gives the values as Go would hold them and names the fields that it cannot hold: they are
held back alone. `properties` are the changed properties by JSON Pointer, `creation` is the body of
a POST.
"""

from collections.abc import Mapping
from typing import Any

from contracts.entities import Address, Customer
from contracts.messages import Problem
from contracts.said import say
from contracts.values import text
from runtime.problems import Fitting, Unwritable, fit
from services.poweroffice_adapter.limits import too_long, unfit_address
from services.poweroffice_adapter.mapping import Path, upper, value_at

GO_COUNTRY = "NO"  # what Go makes of a blank country (ContactAddressDto)


_CUSTOMER_PATHS: dict[str, str] = {
    "first_name": "FirstName",
    "last_name": "LastName",
    "company": "Name",
    "email": "EmailAddress",
    "phone": "PhoneNumber",
    "organisation_number": "OrganizationNumber",
    "currency": "CurrencyCode",
    "vat_exempt": "IsVatFree",
    "archived": "IsArchived",
}
_DELIVERY: Path = ("InvoiceDeliveryType",)
_ADDRESS_PATHS: dict[str, str] = {
    "line1": "AddressLine1",
    "line2": "AddressLine2",
    "city": "City",
    "zip": "ZipCode",
    "country": "CountryCode",
}


def fitting(
    fields: Mapping[str, Any], present: Customer | None, country_default: str | None
) -> Fitting:
    """What Go can hold of these typed fields; `present` is None on creation, where names are
    required."""
    kind = _kind(fields, present)
    plain = {name: _plain(name, value) for name, value in fields.items() if _fits(name, kind)}
    faults: list[Problem | None] = [*too_long("customer", plain)]
    for name, value in fields.items():
        if not _fits(name, kind) and value:
            said = say("go_keeps_no", field=name, kind=kind)
            faults.append(Problem.of("not_kept", said, name))
    held_address = present.address if present else None
    if "address" in fields:
        faults.append(unfit_address(fields["address"], held_address))
    for name in _names(kind):
        if present is not None and name in plain and not plain[name]:
            faults.append(_nameless(kind, name))
    held: dict[str, Any] = {}
    for name, value in fields.items():
        if name == "address":
            where = mail_address(value, held_address, country_default)
            if where is not None:
                held[name] = where
        elif name in _CUSTOMER_PATHS and _fits(name, kind):
            held[name] = plain[name]
    return fit(held, faults)


def _kind(fields: Mapping[str, Any], present: Customer | None) -> str:
    return present.kind if present is not None else str(fields.get("kind", "company"))


def _fits(name: str, kind: str) -> bool:
    if kind == "person":
        return name not in ("company", "organisation_number")
    return name not in ("first_name", "last_name")


def _names(kind: str) -> tuple[str, ...]:
    """What Go demands (CustomerPostDto: FirstName and LastName, or Name)."""
    return ("first_name", "last_name") if kind == "person" else ("company",)


def _nameless(kind: str, name: str) -> Problem:
    what = "first and last name" if kind == "person" else "a company name"
    return Problem.of("missing", say("go_needs", what=what, name=_CUSTOMER_PATHS[name]), name)


def _plain(name: str, value: Any) -> Any:
    if name == "currency":
        return upper(value)
    if name == "organisation_number":
        return "".join(each for each in value or "" if each.isdigit()) or None
    return text(value) if isinstance(value, str) else value


def mail_address(
    value: Address | None, present: Address | None, country_default: str | None
) -> Address | None:
    """The address as Go would hold it; None where there is none to write."""
    if value is None or not (text(value.city) and text(value.zip)):
        return None
    country = (
        upper(value.country)
        or country_default
        or (present.country if present else None)
        or GO_COUNTRY
    )
    return Address(
        line1=text(value.line1),
        line2=text(value.line2),
        city=text(value.city),
        zip=text(value.zip),
        country=country,
    )


def creation(
    fields: Mapping[str, Any], stamp: str | None, country_default: str | None
) -> dict[str, Any]:
    """Body of POST /Customers from typed fields, less those that are unfit. Raises Unwritable: a
    name missing."""
    kind = _kind(fields, None)
    wanted = fitting(fields, None, country_default).held
    for name in _names(kind):
        if not wanted.get(name):
            raise Unwritable(_nameless(kind, name))
    body: dict[str, Any] = {"IsPerson": kind == "person"}
    for name, path in _CUSTOMER_PATHS.items():
        if wanted.get(name) is not None and name != "archived":
            body[path] = wanted[name]
    if "address" in wanted:
        body["MailAddress"] = _address_body(wanted["address"])
    if stamp:
        body["ExternalImportReference"] = stamp
    body["InvoiceDeliveryType"] = "PdfByEmail" if wanted.get("email") else "Print"
    return body


def _address_body(value: Address) -> dict[str, Any]:
    return {
        path: part
        for name, path in _ADDRESS_PATHS.items()
        if (part := getattr(value, name)) is not None
    }


def properties(
    changes: Mapping[str, Any], raw: Mapping[str, Any], *, ours: bool = False
) -> dict[Path, Any]:
    """The new value of each property to change; `raw` is the payload just read.

    A customer that we created for print, since it had no e-mail, is invoiced by e-mail once it has
    one.
    """
    result: dict[Path, Any] = {}
    if (
        ours
        and changes.get("email")
        and value_at(raw, _DELIVERY) == "Print"
        and not _has_email(raw)
    ):
        result[_DELIVERY] = "PdfByEmail"
    for name, value in changes.items():
        if name != "address":
            result[(_CUSTOMER_PATHS[name],)] = value
            continue
        held = value_at(raw, ("MailAddress",))
        if not isinstance(held, Mapping):
            result[("MailAddress",)] = _address_body(value)
            continue
        for part, path in _ADDRESS_PATHS.items():
            present = (upper if part == "country" else text)(value_at(held, (path,)))
            if present != getattr(value, part):
                result[("MailAddress", path)] = getattr(value, part)
    return result


def _has_email(raw: Mapping[str, Any]) -> bool:
    return any(text(value_at(raw, (name,))) for name in ("EmailAddress", "InvoiceEmailAddress"))
