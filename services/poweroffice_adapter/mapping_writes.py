"""Canonical customers and products as Go's properties. Pure.

`wanted_*` gives the values as Go would hold them: a field that Go cannot hold is left out. `*_properties`
gives the changed properties by JSON Pointer, `new_*` the body of a POST. Lengths are those of the Go OpenAPI
description v2.
"""

from collections.abc import Mapping
from typing import Any

from contracts.entities import Address, Customer, Price, Product
from contracts.messages import Problem
from contracts.values import decimal, text
from services.poweroffice_adapter.mapping import upper

NAME_MAX, CODE_MAX, REFERENCE_MAX = 400, 100, 50
ADDRESS_LINE_MAX, CITY_MAX, ZIP_MAX = 200, 100, 50
EMAIL_MAX, ORGANISATION_NUMBER_MAX = (
    254,
    50,
)  # Go states none: RFC 5321, and longer than any registry's number
GO_COUNTRY = "NO"  # what Go makes of a blank country (ContactAddressDto)
UNITS = frozenset({  # UnitOfMeasureType
    "BX", "MTR", "KMT", "KGM", "EA", "LTR", "HUR", "DAY", "MTK", "MTQ", "TNE", "MON", "ANN", "QAN",
    "NL", "XRO", "XBA", "XPL", "XPC", "PR", "XCI", "XBG", "SET", "XTY", "XOF", "FTK", "KWH", "MWH",
    "LBR", "CMT", "DMT", "LM", "XPK", "GRM", "HGM", "XFL", "XBE", "E54", "MMT", "DAA", "H18", "MLT",
    "HLT", "DLT", "AK", "XCR", "E14", "MJ", "J57", "XJG", "XCT", "XSA", "XTU", "WEE", "XCA", "XCN",
    "NAR", "M4", "XVQ", "P1", "MFU", "KMK", "LM3", "FOT", "FM3", "E34", "E35",
})  # fmt: skip

Path = tuple[str, ...]


class Unwritable(Exception):
    """What Go would refuse, known before it is asked."""

    def __init__(self, code: str, message: str, *, field: str) -> None:
        super().__init__(message)
        self.problem = Problem(code=code, message=message, field=field)


_CUSTOMER_PATHS: dict[str, str] = {
    "first_name": "FirstName", "last_name": "LastName", "company": "Name", "email": "EmailAddress",
    "phone": "PhoneNumber", "organisation_number": "OrganizationNumber", "currency": "CurrencyCode",
    "vat_exempt": "IsVatFree", "archived": "IsArchived",
}  # fmt: skip
_PRODUCT_PATHS: dict[str, str] = {
    "code": "Code", "name": "Name", "description": "Description", "unit": "UnitOfMeasureCode",
    "price": "UnitPrice", "archived": "IsArchived",
}  # fmt: skip
_ADDRESS_PATHS: dict[str, str] = {
    "line1": "AddressLine1", "line2": "AddressLine2", "city": "City", "zip": "ZipCode",
    "country": "CountryCode",
}  # fmt: skip


def wanted_customer(fields: Mapping[str, Any], present: Customer | None, country_default: str | None) -> dict[str, Any]:
    """The typed fields as Go would hold them; `present` is None on creation. Raises Unwritable."""
    kind = present.kind if present is not None else fields.get("kind", "company")
    wanted: dict[str, Any] = {}
    for name, value in fields.items():
        if name == "address":
            where = mail_address(value, present.address if present else None, country_default)
            if where is not None:
                wanted[name] = where
        elif name in _CUSTOMER_PATHS and _fits(name, kind):
            wanted[name] = _plain(name, value)
    _refuse_too_long(wanted)
    return wanted


def _fits(name: str, kind: str) -> bool:
    if kind == "person":
        return name not in ("company", "organisation_number")
    return name not in ("first_name", "last_name")


def _plain(name: str, value: Any) -> Any:
    if name == "currency":
        return upper(value)
    if name == "organisation_number":
        return "".join(each for each in value or "" if each.isdigit()) or None
    return text(value) if isinstance(value, str) else value


def _refuse_too_long(wanted: Mapping[str, Any]) -> None:
    for name, most in (("email", EMAIL_MAX), ("organisation_number", ORGANISATION_NUMBER_MAX)):
        if len(wanted.get(name) or "") > most:
            message = f"{_CUSTOMER_PATHS[name]} holds at most {most} characters; shorten it in Chargebee"
            raise Unwritable("too_long", message, field=name)


def mail_address(value: Address | None, present: Address | None, country_default: str | None) -> Address | None:
    """The address as Go would hold it; None where it cannot be written, since Go demands City and ZipCode."""
    if value is None or not (text(value.city) and text(value.zip)):
        return None
    country = upper(value.country) or country_default or (present.country if present else None) or GO_COUNTRY
    return Address(
        line1=_cut(value.line1, ADDRESS_LINE_MAX), line2=_cut(value.line2, ADDRESS_LINE_MAX),
        city=_cut(value.city, CITY_MAX), zip=_cut(value.zip, ZIP_MAX), country=country,
    )  # fmt: skip


def _cut(value: str | None, most: int) -> str | None:
    cleaned = text(value)
    return text(cleaned[:most]) if cleaned else None


def refuse_missing_names(kind: str, wanted: Mapping[str, Any]) -> None:
    """Raises Unwritable where Go demands a name (CustomerPostDto: FirstName and LastName, or Name)."""
    names = ("first_name", "last_name") if kind == "person" else ("company",)
    for name in names:
        if name in wanted and not wanted[name]:
            what = "first and last name" if kind == "person" else "a company name"
            message = f"PowerOffice Go needs {what} ({_CUSTOMER_PATHS[name]} is blank); fill it in in Chargebee"
            raise Unwritable("missing", message, field=name)


def new_customer(fields: Mapping[str, Any], stamp: str | None, country_default: str | None) -> dict[str, Any]:
    """Body of POST /Customers from typed fields. Raises Unwritable: a name missing, a value too long."""
    kind = fields.get("kind", "company")
    wanted = wanted_customer(fields, None, country_default)
    names = ("first_name", "last_name") if kind == "person" else ("company",)
    refuse_missing_names(kind, {name: wanted.get(name) for name in names})
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
    return {path: part for name, path in _ADDRESS_PATHS.items() if (part := getattr(value, name)) is not None}


def customer_properties(changes: Mapping[str, Any], raw: Mapping[str, Any]) -> dict[Path, Any]:
    """The new value of each property to change; `raw` is the payload just read."""
    result: dict[Path, Any] = {}
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


def value_at(raw: Any, path: Path) -> Any:
    """The raw value of a property, whatever the case of its name; None when absent."""
    for step in path:
        if not isinstance(raw, Mapping):
            return None
        if step not in raw:
            step = next((name for name in raw if name.lower() == step.lower()), step)
        raw = raw.get(step)
    return raw


def wanted_product(fields: Mapping[str, Any], ledger_currency: str) -> dict[str, Any]:
    """The typed fields as Go would hold them, less a price in another currency and a unit unknown to Go."""
    wanted: dict[str, Any] = {}
    for name, value in fields.items():
        if name == "price":
            if value is None or value.currency == ledger_currency:
                wanted[name] = value and Price(amount=decimal(value.amount), currency=ledger_currency)
        elif name == "unit":
            if value is None or upper(value) in UNITS:
                wanted[name] = upper(value)
        elif name == "name":
            wanted[name] = _cut(value, NAME_MAX)
        elif name in _PRODUCT_PATHS:
            wanted[name] = text(value) if isinstance(value, str) else value
    if len(wanted.get("code") or "") > CODE_MAX:
        message = f"Go Code holds at most {CODE_MAX} characters; link the item to a product by hand"
        raise Unwritable("too_long", message, field="code")
    if "name" in wanted and not wanted["name"]:
        raise Unwritable("missing", "PowerOffice Go needs a product name; name the item in Chargebee", field="name")
    return wanted


def new_product(fields: Mapping[str, Any], ledger_currency: str, groups: Mapping[str, str]) -> dict[str, Any]:
    """Body of POST /Products from typed fields. Raises Unwritable: name, code or product group missing."""
    wanted = wanted_product({"name": None, **fields}, ledger_currency)
    if not wanted.get("code"):
        raise Unwritable("missing", "the item has no code; give it an id or a sku in Chargebee", field="code")
    family = fields.get("group")
    if not family or family not in groups:
        message = (
            f"no Go product group for item family {family!r}, which carries account and VAT; "
            "set product.groups for this family"
        )
        raise Unwritable("missing", message, field="group")
    body = {path: wanted[name] for name, path in _PRODUCT_PATHS.items() if wanted.get(name) is not None}
    body.pop("IsArchived", None)
    if (price := wanted.get("price")) is not None:
        body["UnitPrice"] = price.amount
    return {**body, "ProductType": "Service", "ProductGroupCode": groups[family]}


def product_properties(changes: Mapping[str, Any]) -> dict[Path, Any]:
    """The new value of each property to change."""
    return {
        (_PRODUCT_PATHS[name],): value.amount if isinstance(value, Price) else value for name, value in changes.items()
    }


def present_values(entity: Customer | Product, names: Mapping[str, Any]) -> dict[str, Any]:
    """What an entity holds in these fields."""
    return {name: getattr(entity, name) for name in names}
