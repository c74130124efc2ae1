"""Canonical products as Go's properties. Pure."""

from collections.abc import Mapping
from typing import Any

from contracts.entities import Price
from contracts.messages import Problem
from contracts.said import say
from contracts.values import decimal, text
from runtime.problems import Fitting, Unwritable, fit
from services.poweroffice_adapter.limits import too_long
from services.poweroffice_adapter.mapping import Path, upper

UNITS = frozenset(
    {  # UnitOfMeasureType
        "BX",
        "MTR",
        "KMT",
        "KGM",
        "EA",
        "LTR",
        "HUR",
        "DAY",
        "MTK",
        "MTQ",
        "TNE",
        "MON",
        "ANN",
        "QAN",
        "NL",
        "XRO",
        "XBA",
        "XPL",
        "XPC",
        "PR",
        "XCI",
        "XBG",
        "SET",
        "XTY",
        "XOF",
        "FTK",
        "KWH",
        "MWH",
        "LBR",
        "CMT",
        "DMT",
        "LM",
        "XPK",
        "GRM",
        "HGM",
        "XFL",
        "XBE",
        "E54",
        "MMT",
        "DAA",
        "H18",
        "MLT",
        "HLT",
        "DLT",
        "AK",
        "XCR",
        "E14",
        "MJ",
        "J57",
        "XJG",
        "XCT",
        "XSA",
        "XTU",
        "WEE",
        "XCA",
        "XCN",
        "NAR",
        "M4",
        "XVQ",
        "P1",
        "MFU",
        "KMK",
        "LM3",
        "FOT",
        "FM3",
        "E34",
        "E35",
    }
)
_PRODUCT_PATHS: dict[str, str] = {
    "code": "Code",
    "name": "Name",
    "description": "Description",
    "unit": "UnitOfMeasureCode",
    "price": "UnitPrice",
    "archived": "IsArchived",
}


def fitting(fields: Mapping[str, Any], ledger_currency: str) -> Fitting:
    """What Go can hold of these typed fields."""
    faults: list[Problem | None] = [*too_long("product", fields)]
    price: Price | None = fields.get("price")
    if price is not None and price.currency != ledger_currency:
        said = say("go_price_currency", currency=price.currency, ledger=ledger_currency)
        faults.append(Problem.of("currency", said, "price"))
    unit = upper(fields.get("unit"))
    if unit is not None and unit not in UNITS:
        said = say("go_no_unit", value=repr(fields["unit"]))
        faults.append(Problem.of("unknown_unit", said, "unit"))
    if "name" in fields and not text(fields["name"]):
        faults.append(Problem.of("missing", say("go_product_needs_name"), "name"))
    held: dict[str, Any] = {}
    for name, value in fields.items():
        if name == "price":
            held[name] = value and Price(amount=decimal(value.amount), currency=ledger_currency)
        elif name == "unit":
            held[name] = unit
        elif name in _PRODUCT_PATHS:
            held[name] = text(value) if isinstance(value, str) else value
    return fit(held, faults)


def creation(
    fields: Mapping[str, Any], ledger_currency: str, groups: Mapping[str, str]
) -> dict[str, Any]:
    """Body of POST /Products from typed fields, less those that are unfit. Raises Unwritable: name,
    code or product group missing, name or code too long."""
    fields = {"name": None, **fields}
    fits = fitting(fields, ledger_currency)
    wanted = fits.held
    for name in ("name", "code"):
        if (fault := fits.faults.get(name)) is not None:
            raise Unwritable(fault)
    if not wanted.get("code"):
        raise Unwritable.of("missing", say("item_lacks_code"), field="code")
    family = fields.get("group")
    if not family or family not in groups:
        raise Unwritable.of("missing", say("no_group", family=repr(family)), field="group")
    body = {
        path: wanted[name] for name, path in _PRODUCT_PATHS.items() if wanted.get(name) is not None
    }
    body.pop("IsArchived", None)
    if (price := wanted.get("price")) is not None:
        body["UnitPrice"] = price.amount
    kind = "Product" if fields.get("shippable") else "Service"
    return {**body, "ProductType": kind, "ProductGroupCode": groups[family]}


def properties(changes: Mapping[str, Any]) -> dict[Path, Any]:
    """The new value of each property to change."""
    return {
        (_PRODUCT_PATHS[name],): value.amount if isinstance(value, Price) else value
        for name, value in changes.items()
    }
