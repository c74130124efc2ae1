"""Small fixed registers that entities refer to by id, or in POST by code: departments, payment
terms etc."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from simulators.poweroffice.errors import NotFound
from simulators.poweroffice.fields import Record

EXPLICITLY_NONE: Final = -1
"""Accepted by dimension-like references of orders: no value, and none inherited."""

REGISTERS: Final[dict[str, dict[int, str | int]]] = {
    "Department": {2001: "1", 2002: "2"},
    "Project": {2101: "P100"},
    "Location": {2201: "L1"},
    "Dim1": {},
    "Dim2": {},
    "Dim3": {},
    "Payment term": {2301: 14, 2302: 0, 2303: 10, 2304: 30},
    "Delivery term": {2401: "EXW", 2402: "DAP"},
    "Branding theme": {2501: "STANDARD"},
    "Employee": {2601: 1, 2602: 2},
}
CONTACT_GROUPS: Final = frozenset({2701, 2702})
DEFAULT_PAYMENT_TERM_ID: Final = 2301


@dataclass(frozen=True, slots=True)
class Reference:
    """An id property, its twin that holds the code, and the register both point into."""

    id_name: str
    code_name: str
    register: str
    may_be_none: bool = False


_DIMENSIONS: Final = tuple(
    Reference(f"{name}Id", f"{name}Code", name, may_be_none=True)
    for name in ("Department", "Project", "Location", "Dim1", "Dim2", "Dim3")
)
_TERMS: Final = (
    Reference("PaymentTermId", "PaymentTerm", "Payment term"),
    Reference("DeliveryTermId", "DeliveryTerm", "Delivery term"),
    Reference("SalesPersonEmployeeId", "SalesPersonEmployeeNumber", "Employee"),
)
OF_CUSTOMER: Final = (
    *_TERMS,
    Reference("DepartmentId", "DepartmentCode", "Department"),
    Reference("InvoiceBrandingThemeId", "InvoiceBrandingThemeCode", "Branding theme"),
)
OF_ORDER: Final = (
    *_TERMS,
    *_DIMENSIONS,
    Reference("BrandingThemeId", "BrandingThemeCode", "Branding theme"),
)
OF_LINE: Final = (
    *_DIMENSIONS,
    Reference("SellersReferenceEmployeeId", "SellersReferenceEmployeeNo", "Employee"),
)
OF_ACCOUNT: Final = (Reference("DepartmentId", "DepartmentCode", "Department"),)


def resolve(
    values: Record, references: tuple[Reference, ...], title: str = "Object(s) not found"
) -> None:
    """Replace codes by ids in freshly written values; the id wins when both are given.

    Raises NotFound (404), titled as the vendor does, for an id or code that no register holds.
    """
    for one in references:
        code, register = values.pop(one.code_name, None), REGISTERS[one.register]
        found_id = values.get(one.id_name)
        if found_id is not None:
            if found_id not in register and not (one.may_be_none and found_id == EXPLICITLY_NONE):
                raise NotFound(one.register, found_id, title=title)
        elif code is not None:
            found_id = next((key for key, known in register.items() if known == code), None)
            if found_id is None:
                raise NotFound(one.register, code, "code", title)
            values[one.id_name] = found_id


def codes(record: Record, references: tuple[Reference, ...]) -> Record:
    """The read-only twins of a record's ids."""
    return {
        one.code_name: REGISTERS[one.register].get(record.get(one.id_name) or 0)
        for one in references
    }
