"""Customers: creation and change, archiving, deletion. The address has a time of change of its
own."""

from __future__ import annotations

from simulators.poweroffice import lookups, query
from simulators.poweroffice.errors import Conflict, GoError, Invalid, NotFound
from simulators.poweroffice.fields import Record, check_lengths
from simulators.poweroffice.http import Call, Reply, json_body, posted
from simulators.poweroffice.patch import patched
from simulators.poweroffice.state import Go
from simulators.poweroffice.tables_contacts import CUSTOMER

KIND = "Customer"
NUMBER_SERIES = range(10_000, 100_000)
CC_ADDRESSES_MAX, CC_LENGTH_MAX = 10, 2000
UNSETTABLE_DELIVERY = {
    "AvtaleGiro": "cannot be set directly",
    "Efaktura": "cannot be set directly",
    "External": "needs an active integration",
    "Factoring": "needs an active integration",
}


def shown(record: Record) -> Record:
    """A record as read: codes derived, the national id number hidden."""
    hidden = "hidden" if record.get("NationalIdNumber") else None
    return record | lookups.codes(record, lookups.OF_CUSTOMER) | {"NationalIdNumber": hidden}


def list_customers(go: Go, call: Call) -> Reply:
    groups = query.id_list(call, "contactGroupIds")
    if groups and (unknown := [one for one in groups if one not in lookups.CONTACT_GROUPS]):
        ids = ", ".join(map(str, unknown))
        raise GoError(
            404, "Object(s) not found", f"Could not find contact group(s) with id = {ids}."
        )
    reference = query.text(call, "externalImportReference")
    tests = [
        *query.later_than(
            call, "lastChangedDateTimeOffsetGreaterThan", "LastChangedDateTimeOffset"
        ),
        *query.later_than(
            call, "customerCreatedDateTimeOffsetGreaterThan", "CustomerCreatedDateTimeOffset"
        ),
        *query.numbers(call, "customerNos", "Number"),
        *query.numbers(call, "externalNos", "ExternalNumber"),
    ]
    if reference is not None:
        tests.append(lambda record: record["ExternalImportReference"] == reference)
    if groups is not None:
        tests.append(lambda record: not set(groups).isdisjoint(record["ContactGroupIds"]))
    found = (one for one in go.customers.seen_rows() if all(test(one) for test in tests))
    return query.listing(call, go.settings, CUSTOMER, map(shown, found), (), "/Customers")


def get_customer(go: Go, call: Call) -> Reply:
    record = go.customers.seen(call.int_id())
    if record is None:
        raise NotFound(KIND, call.int_id())
    return Reply(200, CUSTOMER.dto(shown(record)))


def create_customer(go: Go, call: Call) -> Reply:
    values = posted(CUSTOMER, json_body(call), refuse_unknown=go.settings.refuse_unknown_properties)
    check_lengths(go.settings.text_lengths, values)
    lookups.resolve(values, lookups.OF_CUSTOMER, f"{KIND} validation error(s)")
    record = CUSTOMER.blank() | values
    _check_party(record)
    _check_values(go, record, None, set(values))
    _check_address(record)
    record["InvoiceDeliveryType"] = record["InvoiceDeliveryType"] or "PdfByEmail"
    _check_delivery(record)
    return Reply(201, CUSTOMER.dto(shown(add_customer(go, record))), changed=True)


def add_customer(go: Go, record: Record) -> Record:
    """Give a checked record its numbers and times, and keep it."""
    now = go.clock.stamp()
    if record["Number"] is None:
        record["Number"] = go.next_number(
            "customer number", lambda number: go.customers.find("Number", number) is None
        )
    record |= {
        "Id": go.next_number("contact"),
        "SubledgerAccountId": go.next_number("subledger account"),
        "ContactCreatedDateTimeOffset": now,
        "CustomerCreatedDateTimeOffset": now,
        "LastChangedDateTimeOffset": now,
    }
    if record["MailAddress"] is not None:
        record["MailAddress"] |= {
            "Id": go.next_number("address"),
            "LastChangedDateTimeOffset": go.clock.stamp(),
        }
    go.customers.put(record["Id"], record)
    return record


def patch_customer(go: Go, call: Call) -> Reply:
    before = go.customers.get(call.int_id())
    if before is None:
        raise NotFound(KIND, call.int_id())
    change = patched(call, go.settings, CUSTOMER, before)
    check_lengths(go.settings.text_lengths, change.values)
    lookups.resolve(change.values, lookups.OF_CUSTOMER, f"{KIND} validation error(s)")
    record = before | change.values
    if change.changed & {"IsPerson", "Name", "FirstName", "LastName"}:
        _check_party(record)
    _check_values(go, record, before["Id"], set(change.changed))
    if "MailAddress" in change.changed:
        _check_address(record)
    if change.changed & {"InvoiceDeliveryType", "EmailAddress", "InvoiceEmailAddress"}:
        _check_delivery(record)
    if "IsArchived" in change.changed and record["IsArchived"] and balance_of(go, before["Id"]):
        raise Invalid(
            KIND, f"Customer with id = {before['Id']} has an open balance and cannot be archived."
        )
    bumped = set(change.values) if go.settings.noop_patch_bumps else set(change.changed)
    if "MailAddress" in change.values:
        record["MailAddress"] = _merged_address(go, before, record, "MailAddress" in bumped)
    if bumped - {"MailAddress"}:
        record["LastChangedDateTimeOffset"] = go.clock.stamp()
    if bumped:
        go.customers.put(before["Id"], record)
    return Reply(200, CUSTOMER.dto(shown(record)), changed=bool(bumped))


def _merged_address(go: Go, before: Record, record: Record, bumps: bool) -> Record | None:
    if record["MailAddress"] is None:
        return None
    old = before["MailAddress"] or {"Id": go.next_number("address")}
    now = {"LastChangedDateTimeOffset": go.clock.stamp()} if bumps else {}
    return {**old, **record["MailAddress"], **now}


def delete_customer(go: Go, call: Call) -> Reply:
    key = call.int_id()
    if key not in go.customers:
        raise NotFound(KIND, key)
    if any(one["CustomerId"] == key for one in (*go.orders.rows(), *go.invoices.rows())):
        raise Conflict(
            "Customer conflict", f"Customer with id = {key} is in use and cannot be deleted."
        )
    for person in go.contact_persons.rows():
        if person["ContactId"] == key:
            go.contact_persons.remove(person["Id"])
    go.customers.remove(key)
    return Reply(200, changed=True)


def balance_of(go: Go, customer_id: int) -> bool:
    """Whether any ledger entry of the customer is unpaid."""
    return any(one["CustomerId"] == customer_id and one["Balance"] for one in go.invoices.rows())


def _check_party(record: Record) -> None:
    needed = ("FirstName", "LastName") if record["IsPerson"] else ("Name",)
    for name in needed:
        if not (record[name] or "").strip():
            kind = "person" if record["IsPerson"] else "company"
            raise Invalid(KIND, f"{name} is required when the customer is a {kind}.")


def _check_address(record: Record) -> None:
    address = record["MailAddress"]
    if address is not None:
        for name in ("City", "ZipCode"):
            if not (address[name] or "").strip():
                raise Invalid(KIND, f"MailAddress: {name} is required.")


def _check_values(go: Go, record: Record, own_id: int | None, written: set[str]) -> None:
    for name in ("ExternalImportReference", "ExternalNumber", "Number"):
        other = go.customers.find(name, record[name]) if name in written else None
        if other is not None and other["Id"] != own_id:
            raise Invalid(
                KIND,
                f"{name} is already in use. '{record[name]}' is used on (contact) Id = "
                f"{other['Id']}.",
            )
    if own_id is not None and record["Number"] is None:
        raise Invalid(KIND, "Number is required.")
    if (
        "Number" in written
        and record["Number"] is not None
        and record["Number"] not in NUMBER_SERIES
    ):
        raise Invalid(
            KIND, f"Number {record['Number']} is not within a customer sub-ledger number series."
        )
    if "CurrencyCode" in written and record["CurrencyCode"] not in {
        one["Code"] for one in go.currencies
    }:
        raise Invalid(KIND, f"CurrencyCode '{record['CurrencyCode']}' is not valid.")
    if (record["BillableRate"] or 0) < 0:
        raise Invalid(KIND, "BillableRate must be at least 0.")
    if unknown := [one for one in record["ContactGroupIds"] if one not in lookups.CONTACT_GROUPS]:
        ids = ", ".join(map(str, unknown))
        raise GoError(
            404, f"{KIND} validation error(s)", f"Could not find contact group(s) with id = {ids}."
        )
    copies = record["InvoiceEmailAddressCC"] or ""
    if len(copies) > CC_LENGTH_MAX or len(copies.split(";")) > CC_ADDRESSES_MAX:
        raise Invalid(KIND, "InvoiceEmailAddressCC holds at most 10 addresses and 2000 characters.")


def _has_email(record: Record) -> bool:
    return bool(record["EmailAddress"] or record["InvoiceEmailAddress"])


def _check_delivery(record: Record) -> None:
    kind = record["InvoiceDeliveryType"]
    if kind in UNSETTABLE_DELIVERY:
        raise Invalid(KIND, f"InvoiceDeliveryType {kind} {UNSETTABLE_DELIVERY[kind]}.")
    if kind == "PdfByEmail" and not _has_email(record):
        raise Invalid(
            KIND, "InvoiceDeliveryType PdfByEmail requires EmailAddress or InvoiceEmailAddress."
        )
    if kind == "EHF" and not record["OrganizationNumber"]:
        raise Invalid(
            KIND, "InvoiceDeliveryType EHF requires an OrganizationNumber registered as receiver."
        )
