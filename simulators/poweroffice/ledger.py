"""VAT codes, currencies, the chart of accounts, and what the integration may do."""

from __future__ import annotations

from simulators.poweroffice import lookups, query
from simulators.poweroffice.errors import Conflict, Invalid, NotFound
from simulators.poweroffice.fields import Record
from simulators.poweroffice.http import Call, Reply, json_body, posted
from simulators.poweroffice.patch import patched
from simulators.poweroffice.privileges import ALL_PRIVILEGES
from simulators.poweroffice.state import Go
from simulators.poweroffice.tables_catalogue import ACCOUNT, CURRENCY, VAT_CODE

KIND = "General ledger account"


def list_vat_codes(go: Go, call: Call) -> Reply:
    """Default: active and inactive, not expired."""
    is_active = query.flag(call, "isActive")
    today = go.clock.today().isoformat()
    rows = [one for one in go.vat_codes if one["ValidTo"] is None or one["ValidTo"] >= today]
    if query.flag(call, "includeExpired"):
        rows = go.vat_codes
    tests = [] if is_active is None else [lambda record: record["IsActive"] is is_active]
    return query.listing(call, go.settings, VAT_CODE, rows, tests, "/VatCodes")


def list_currencies(go: Go, call: Call) -> Reply:
    is_active = query.flag(call, "isActive")
    tests = list(query.texts(call, "currencyCode", "Code"))
    if is_active is not None:
        tests.append(lambda record: record["IsActive"] is is_active)
    return query.listing(call, go.settings, CURRENCY, go.currencies, tests, "/Currencies")


def client_information(go: Go, call: Call) -> Reply:
    """`InvalidPrivileges` are those the token lacks."""
    return Reply(
        200,
        {
            "ActiveClientSubscriptions": ["Accounting", "Invoicing"],
            "ClientId": go.settings.client_id,
            "ClientName": go.settings.client_name,
            "InvalidPrivileges": [one for one in ALL_PRIVILEGES if one not in call.privileges],
            "ValidPrivileges": [one for one in ALL_PRIVILEGES if one in call.privileges],
        },
    )


def shown_account(go: Go, record: Record) -> Record:
    vat = go.vat_code(record["VatCodeId"])
    return (
        record
        | lookups.codes(record, lookups.OF_ACCOUNT)
        | {"VatCode": vat["Code"] if vat else None}
    )


def list_accounts(go: Go, call: Call) -> Reply:
    tests = [
        *query.later_than(
            call, "lastChangedDateTimeOffsetGreaterThan", "LastChangedDateTimeOffset"
        ),
        *query.numbers(call, "accountNos", "AccountNo"),
        *query.texts(call, "agricultureDepartments", "AgricultureDepartment"),
    ]
    rows = [shown_account(go, one) for one in go.accounts.seen_rows()]
    return query.listing(call, go.settings, ACCOUNT, rows, tests, "/GeneralLedgerAccounts")


def get_account(go: Go, call: Call) -> Reply:
    return Reply(200, ACCOUNT.dto(shown_account(go, _found(call, go.accounts.seen(call.int_id())))))


def create_account(go: Go, call: Call) -> Reply:
    values = posted(ACCOUNT, json_body(call), refuse_unknown=go.settings.refuse_unknown_properties)
    lookups.resolve(values, lookups.OF_ACCOUNT)
    _vat_code_to_id(go, values)
    record = ACCOUNT.blank() | values
    for name in ("AccountNo", "Name"):
        if record[name] is None:
            raise Invalid(KIND, f"{name} is required.")
    if go.accounts.find("AccountNo", record["AccountNo"]):
        raise Invalid(KIND, f"AccountNo {record['AccountNo']} is already in use.")
    record |= {
        "Id": go.next_number("account"),
        "GeneralLedgerAccountType": _type_of(record["AccountNo"]),
        "LastChangedDateTimeOffset": go.clock.stamp(),
    }
    go.accounts.put(record["Id"], record)
    return Reply(201, ACCOUNT.dto(shown_account(go, record)), changed=True)


def patch_account(go: Go, call: Call) -> Reply:
    before = _found(call, go.accounts.get(call.int_id()))
    change = patched(call, go.settings, ACCOUNT, before)
    _vat_code_to_id(go, change.values)
    lookups.resolve(change.values, lookups.OF_ACCOUNT)
    bumps = bool(change.values if go.settings.noop_patch_bumps else change.changed)
    record = before | change.values
    if bumps:
        record["LastChangedDateTimeOffset"] = go.clock.stamp()
        go.accounts.put(record["Id"], record)
    return Reply(200, ACCOUNT.dto(shown_account(go, record)), changed=bumps)


def delete_account(go: Go, call: Call) -> Reply:
    key = _found(call, go.accounts.get(call.int_id()))["Id"]
    users = (*go.products.rows(), *go.product_groups.rows())
    if any(key in (one["StandardSalesAccountId"], one["OptionalSalesAccountId"]) for one in users):
        raise Conflict(
            "Object conflict", f"{KIND} with id = {key} is in use and cannot be deleted."
        )
    go.accounts.remove(key)
    return Reply(200, changed=True)


def _found(call: Call, record: Record | None) -> Record:
    if record is None:
        raise NotFound(KIND, call.int_id())
    return record


def _vat_code_to_id(go: Go, values: Record) -> None:
    code = values.pop("VatCode", None)
    if values.get("VatCodeId") is not None:
        if go.vat_code(values["VatCodeId"]) is None:
            raise NotFound("Vat code", values["VatCodeId"])
    elif code is not None:
        found = next((one["Id"] for one in go.vat_codes if one["Code"] == code), None)
        if found is None:
            raise NotFound("Vat code", code, "code")
        values["VatCodeId"] = found


def _type_of(account_no: int) -> str:
    """The account class of the Norwegian standard chart (NS 4102) by first digit."""
    first = str(account_no)[0]
    if first == "2":
        return "Equity" if str(account_no).startswith("20") else "Liability"
    return {"1": "Asset", "3": "Income"}.get(first, "Expense")
