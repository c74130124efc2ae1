"""Canonical customers and products as Go's properties. Pure.

`unfit_*` names the fields that Go cannot hold, with the reason in words: they are held back alone. `wanted_*` gives
the values of the others as Go would hold them, `*_properties` the changed properties by JSON Pointer, `new_*` the
body of a POST.
"""

from collections.abc import Mapping
from typing import Any

from contracts.entities import Address, Customer, Price
from contracts.messages import Problem
from contracts.values import decimal, text
from services.poweroffice_adapter.limits import too_long, unfit_address
from services.poweroffice_adapter.mapping import upper

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


def unfit_customer(fields: Mapping[str, Any], present: Customer | None) -> dict[str, str]:
    """The typed fields that Go cannot hold, and why; `present` is None on creation, where names are required."""
    kind = _kind(fields, present)
    fitting = {name: _plain(name, value) for name, value in fields.items() if _fits(name, kind)}
    unfit = too_long("customer", fitting)
    for name, value in fields.items():
        if not _fits(name, kind) and value:
            unfit[name] = f"PowerOffice Go keeps no {name} for a {kind}; the kind of a customer is not changed"
    if "address" in fields and (words := unfit_address(fields["address"], present.address if present else None)):
        unfit["address"] = words
    for name in _names(kind):
        if present is not None and name in fitting and not fitting[name]:
            unfit[name] = _nameless(kind, name)
    return unfit


def wanted_customer(fields: Mapping[str, Any], present: Customer | None, country_default: str | None) -> dict[str, Any]:
    """The typed fields as Go would hold them, less those that are unfit; `present` is None on creation."""
    kind, unfit = _kind(fields, present), unfit_customer(fields, present)
    wanted: dict[str, Any] = {}
    for name, value in fields.items():
        if name in unfit:
            continue
        if name == "address":
            where = mail_address(value, present.address if present else None, country_default)
            if where is not None:
                wanted[name] = where
        elif name in _CUSTOMER_PATHS and _fits(name, kind):
            wanted[name] = _plain(name, value)
    return wanted


def _kind(fields: Mapping[str, Any], present: Customer | None) -> str:
    return present.kind if present is not None else str(fields.get("kind", "company"))


def _fits(name: str, kind: str) -> bool:
    if kind == "person":
        return name not in ("company", "organisation_number")
    return name not in ("first_name", "last_name")


def _names(kind: str) -> tuple[str, ...]:
    """What Go demands (CustomerPostDto: FirstName and LastName, or Name)."""
    return ("first_name", "last_name") if kind == "person" else ("company",)


def _nameless(kind: str, name: str) -> str:
    what = "first and last name" if kind == "person" else "a company name"
    return f"PowerOffice Go needs {what} ({_CUSTOMER_PATHS[name]} is blank); fill it in in Chargebee"


def _plain(name: str, value: Any) -> Any:
    if name == "currency":
        return upper(value)
    if name == "organisation_number":
        return "".join(each for each in value or "" if each.isdigit()) or None
    return text(value) if isinstance(value, str) else value


def mail_address(value: Address | None, present: Address | None, country_default: str | None) -> Address | None:
    """The address as Go would hold it; None where there is none to write."""
    if value is None or not (text(value.city) and text(value.zip)):
        return None
    country = upper(value.country) or country_default or (present.country if present else None) or GO_COUNTRY
    return Address(
        line1=text(value.line1), line2=text(value.line2), city=text(value.city), zip=text(value.zip), country=country
    )


def new_customer(fields: Mapping[str, Any], stamp: str | None, country_default: str | None) -> dict[str, Any]:
    """Body of POST /Customers from typed fields, less those that are unfit. Raises Unwritable: a name missing."""
    kind = _kind(fields, None)
    wanted = wanted_customer(fields, None, country_default)
    for name in _names(kind):
        if not wanted.get(name):
            raise Unwritable("missing", _nameless(kind, name), field=name)
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


def unfit_product(fields: Mapping[str, Any], ledger_currency: str) -> dict[str, str]:
    """The typed fields that Go cannot hold, and why."""
    unfit = too_long("product", fields)
    price: Price | None = fields.get("price")
    if price is not None and price.currency != ledger_currency:
        unfit["price"] = f"the price is in {price.currency}, and PowerOffice Go holds prices in {ledger_currency} only"
    unit = upper(fields.get("unit"))
    if unit is not None and unit not in UNITS:
        unfit["unit"] = f"PowerOffice Go has no unit {fields['unit']!r}; choose one of its list in Chargebee"
    if "name" in fields and not text(fields["name"]):
        unfit["name"] = "PowerOffice Go needs a product name; name the item in Chargebee"
    return unfit


def wanted_product(fields: Mapping[str, Any], ledger_currency: str) -> dict[str, Any]:
    """The typed fields as Go would hold them, less those that are unfit."""
    unfit = unfit_product(fields, ledger_currency)
    wanted: dict[str, Any] = {}
    for name, value in fields.items():
        if name in unfit or name not in _PRODUCT_PATHS:
            continue
        if name == "price":
            wanted[name] = value and Price(amount=decimal(value.amount), currency=ledger_currency)
        elif name == "unit":
            wanted[name] = upper(value)
        else:
            wanted[name] = text(value) if isinstance(value, str) else value
    return wanted


def new_product(fields: Mapping[str, Any], ledger_currency: str, groups: Mapping[str, str]) -> dict[str, Any]:
    """Body of POST /Products from typed fields, less those that are unfit. Raises Unwritable: name, code or product
    group missing, name or code too long."""
    fields = {"name": None, **fields}
    wanted, unfit = wanted_product(fields, ledger_currency), unfit_product(fields, ledger_currency)
    for name in ("name", "code"):
        if name in unfit:
            raise Unwritable("too_long" if text(fields[name]) else "missing", unfit[name], field=name)
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
