"""The client's set-up: VAT codes, a small chart of accounts, currencies, product groups.

Rates are fractions of the net amount. VAT codes follow the Norwegian SAF-T standard codes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from simulators.poweroffice.fields import Record
from simulators.poweroffice.tables_catalogue import ACCOUNT, CURRENCY, PRODUCT_GROUP, VAT_CODE

STANDARD_SALES_ACCOUNT_NO: Final = 3000
OPTIONAL_SALES_ACCOUNT_NO: Final = 3100
DEFAULT_PRODUCT_GROUP_CODE: Final = "varer"

_VAT_CODES: Final = (
    (1, "0", "Ingen merverdiavgiftsbehandling", 0.0),
    (2, "1", "Inngående mva, alminnelig sats", 0.25),
    (3, "3", "Utgående mva, alminnelig sats", 0.25),
    (4, "31", "Utgående mva, middels sats", 0.15),
    (5, "33", "Utgående mva, lav sats", 0.12),
    (6, "5", "Innenlandsk omsetning og uttak fritatt for mva", 0.0),
    (7, "52", "Utførsel av varer og tjenester", 0.0),
    (8, "6", "Omsetning utenfor merverdiavgiftsloven", 0.0),
)
_ACCOUNTS: Final = (
    (1500, "Kundefordringer", "Asset", None),
    (1920, "Bank", "Asset", None),
    (2700, "Utgående merverdiavgift", "Liability", None),
    (3000, "Salgsinntekt, avgiftspliktig, høy sats", "Income", 3),
    (3010, "Salgsinntekt, avgiftspliktig, middels sats", "Income", 4),
    (3100, "Salgsinntekt, avgiftsfri", "Income", 6),
    (3110, "Salgsinntekt, eksport", "Income", 7),
    (3200, "Salgsinntekt utenfor avgiftsområdet", "Income", 8),
)
_CURRENCIES: Final = (
    ("NOK", True),
    ("EUR", True),
    ("SEK", True),
    ("DKK", True),
    ("USD", True),
    ("JPY", False),
)
_GROUPS: Final = (
    ("abonnement", "Abonnement", "Service"),
    ("tillegg", "Tillegg", "Service"),
    ("varer", "Varer", "Product"),
)


def vat_codes() -> list[Record]:
    return [
        VAT_CODE.blank()
        | {
            "Id": vat_id,
            "Code": code,
            "Name": name,
            "Description": name,
            "Rate": rate,
            "ValidFrom": "2017-01-01",
            "IsActive": True,
            "IsCustom": False,
        }
        for vat_id, code, name, rate in _VAT_CODES
    ]


def currencies() -> list[Record]:
    return [
        CURRENCY.blank() | {"Code": code, "IsActive": is_active, "Notation": code}
        for code, is_active in _CURRENCIES
    ]


def accounts(next_number: Callable[[str], int], stamp: Callable[[], str]) -> list[Record]:
    return [
        ACCOUNT.blank()
        | {
            "Id": next_number("account"),
            "AccountNo": number,
            "Name": name,
            "GeneralLedgerAccountType": kind,
            "VatCodeId": vat_id,
            "IsVatCodeLocked": vat_id is not None,
            "LastChangedDateTimeOffset": stamp(),
        }
        for number, name, kind, vat_id in _ACCOUNTS
    ]


def product_groups(
    next_number: Callable[[str], int], stamp: Callable[[], str], account_id: Callable[[int], int]
) -> list[Record]:
    groups = []
    for code, name, kind in _GROUPS:
        now = stamp()
        groups.append(
            PRODUCT_GROUP.blank()
            | {
                "Id": next_number("product group"),
                "Code": code,
                "Name": name,
                "ProductType": kind,
                "StandardSalesAccountId": account_id(STANDARD_SALES_ACCOUNT_NO),
                "OptionalSalesAccountId": account_id(OPTIONAL_SALES_ACCOUNT_NO),
                "CreatedDateTimeOffset": now,
                "LastChangedDateTimeOffset": now,
            }
        )
    return groups
