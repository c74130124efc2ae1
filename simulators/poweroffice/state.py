"""All data of one Go client in memory, with the numbers it hands out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from simulators.poweroffice import ledger_data
from simulators.poweroffice.clock import Clock
from simulators.poweroffice.fields import Record
from simulators.poweroffice.settings import Settings
from simulators.poweroffice.table import Table

OnChange = Callable[[str, Any, Record | None], None]
"""(kind, key, record or None for a deletion)"""

FIRST_NUMBERS = {
    "contact": 4_000_001,
    "address": 4_500_001,
    "contact person": 4_600_001,
    "product": 6_000_001,
    "product group": 6_500_001,
    "account": 7_000_001,
    "subledger account": 7_500_001,
    "invoice line": 8_000_001,
    "customer number": 10_001,
    "sales order number": 20_001,
    "voucher number": 1,
    "invoice number": 50_001,
    "cid": 1,
    "match": 1,
}


@dataclass
class Sending:
    """A send request under way: done when `due_s` on the clock has passed, or failed with
    `error`."""

    due_s: float
    request: Record
    application_key: str
    error: str | None = None


def _unheard(kind: str, key: Any, record: Record | None) -> None:
    return None


def _nothing() -> None:
    return None


@dataclass
class Go:
    """The data, the clock and the switches; handlers get it with every call. `on_change` hears of
    every write."""

    settings: Settings

    def __post_init__(self) -> None:
        self.clock = Clock(self.settings)
        self.on_change: OnChange = _unheard
        self.on_clear: Callable[[], None] = _nothing
        self.clear()

    def clear(self) -> None:
        """Forget everything but the ledger set-up and the product groups of the client."""
        self._next = dict(FIRST_NUMBERS)
        unique = ("ExternalImportReference",)
        self.customers: Table[int] = Table(
            self.settings, self.clock, (*unique, "Number", "ExternalNumber")
        )
        self.contact_persons: Table[int] = Table(self.settings, self.clock, ("ExternalCode",))
        self.product_groups: Table[int] = Table(self.settings, self.clock, ("Code",))
        self.products: Table[int] = Table(self.settings, self.clock, ("Code",))
        self.orders: Table[str] = Table(self.settings, self.clock, unique)
        self.invoices: Table[str] = Table(self.settings, self.clock, (*unique, "InvoiceNo"))
        self.accounts: Table[int] = Table(self.settings, self.clock, ("AccountNo",))
        self.sendings: dict[str, Sending] = {}
        for name, table in self.tables().items():
            table.on_change = partial(self.on_change, name)
        self.on_clear()
        self.vat_codes = ledger_data.vat_codes()
        self.currencies = ledger_data.currencies()
        for record in ledger_data.accounts(self.next_number, self.clock.stamp):
            self.accounts.put(record["Id"], record)
        for record in ledger_data.product_groups(
            self.next_number, self.clock.stamp, self.account_id
        ):
            self.product_groups.put(record["Id"], record)

    def tables(self) -> dict[str, Table[Any]]:
        """All records that can change, by the name of their kind."""
        return {
            "customer": self.customers,
            "contact person": self.contact_persons,
            "product group": self.product_groups,
            "product": self.products,
            "order": self.orders,
            "invoice": self.invoices,
            "account": self.accounts,
        }

    def numbers(self) -> dict[str, int]:
        """The next number of every kind."""
        return dict(self._next)

    def resume_numbers(self, numbers: dict[str, int]) -> None:
        self._next |= numbers

    def next_number(self, kind: str, free: Callable[[int], bool] = lambda _: True) -> int:
        """The next number of a kind that `free` accepts."""
        while True:
            number = self._next[kind]
            self._next[kind] += 1
            if free(number):
                return number

    def skip_numbers(self, kind: str, used: int) -> None:
        """Let the next number of a kind lie above a used one."""
        self._next[kind] = max(self._next[kind], used + 1)

    def account_id(self, account_no: int) -> int:
        record = self.accounts.find("AccountNo", account_no)
        if record is None:
            raise KeyError(account_no)
        return int(record["Id"])

    def vat_code(self, vat_id: int | None) -> Record | None:
        return next((one for one in self.vat_codes if one["Id"] == vat_id), None)
