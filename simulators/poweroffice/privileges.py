"""Names of the rights of an integration and what each resource asks for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

SEND_INVOICE: Final = "SendInvoice"
"""The separate right to send invoices; lacking it is a 400, not a 403."""

_WITH_WRITE: Final = (
    "Customer",
    "Product",
    "SalesOrders",
    "SalesOrderAttachment",
    "ContactPerson",
    "ContactGroup",
    "GeneralLedgerAccount",
    "CommonServices",
)
ALL_PRIVILEGES: Final = (
    *_WITH_WRITE,
    *(f"{one}_Full" for one in _WITH_WRITE),
    "OutgoingInvoice",
    "CustomerLedger",
    SEND_INVOICE,
)


def granted(removed: Iterable[str]) -> frozenset[str]:
    """All privileges less the removed ones; removing `X` removes `X_Full` with it."""
    gone = set(removed)
    return frozenset(
        one for one in ALL_PRIVILEGES if one not in gone and one.removesuffix("_Full") not in gone
    )


def read(*names: str) -> frozenset[str]:
    """Any of these suffices to read."""
    return frozenset(names) | {f"{name}_Full" for name in names}


def write(*names: str) -> frozenset[str]:
    """Any of these suffices to write."""
    return frozenset(f"{name}_Full" for name in names)
