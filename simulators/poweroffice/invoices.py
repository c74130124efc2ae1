"""Outgoing invoices: read-only, made by sending orders."""

from __future__ import annotations

from simulators.poweroffice import lookups, query
from simulators.poweroffice.errors import NotFound
from simulators.poweroffice.fields import Record
from simulators.poweroffice.http import Call, Reply
from simulators.poweroffice.query import Test
from simulators.poweroffice.state import Go
from simulators.poweroffice.tables_sales import INVOICE, INVOICE_LINE

KIND = "Outgoing invoice"


def shown_invoice(go: Go, call: Call, record: Record) -> Record:
    """`IsCreatedByCurrentIntegration` goes by who sent it, not by who made the order."""
    customer = go.customers.get(record["CustomerId"])
    return (
        record
        | lookups.codes(record, lookups.OF_ORDER)
        | {
            "CustomerNo": customer["Number"] if customer else None,
            "IsCreatedByCurrentIntegration": record["ApplicationKey"]
            == call.client.application_key,
        }
    )


def list_invoices(go: Go, call: Call) -> Reply:
    first, last = query.day(call, "fromDate"), query.day(call, "toDate")
    tests: list[Test] = [
        *query.later_than(call, "sentDateTimeOffsetGreaterThan", "SentDateTimeOffset"),
        *query.later_than(
            call, "balanceLastChangedDateTimeOffsetGreaterThan", "BalanceLastChangedDateTimeOffset"
        ),
        *query.uuids(call, "invoiceIds", "Id"),
        *query.numbers(call, "invoiceNos", "InvoiceNo"),
        *query.numbers(call, "voucherNos", "VoucherNo"),
        *query.numbers(call, "customerNos", "CustomerNo"),
        *query.texts(call, "customMatchingReferences", "CustomMatchingReference"),
        *query.texts(call, "departmentCodes", "DepartmentCode"),
        *query.texts(call, "projectCodes", "ProjectCode"),
    ]
    if first is not None:
        tests.append(lambda record: record["VoucherDate"] >= first)
    if last is not None:
        tests.append(lambda record: record["VoucherDate"] <= last)
    if query.flag(call, "onlyUnpaidInvoices"):
        tests.append(lambda record: bool(record["Balance"]))
    if query.flag(call, "onlyCreatedByCurrentIntegration"):
        tests.append(lambda record: bool(record["IsCreatedByCurrentIntegration"]))
    rows = [shown_invoice(go, call, one) for one in go.invoices.seen_rows()]
    return query.listing(call, go.settings, INVOICE, rows, tests, "/OutgoingInvoices")


def get_invoice(go: Go, call: Call) -> Reply:
    return Reply(200, INVOICE.dto(shown_invoice(go, call, _found(go, call))))


def list_lines(go: Go, call: Call) -> Reply:
    rows = _found(go, call)["Lines"]
    return query.listing(call, go.settings, INVOICE_LINE, rows, (), "/OutgoingInvoices/{id}/Lines")


def _found(go: Go, call: Call) -> Record:
    record = go.invoices.seen(call.uuid_id())
    if record is None:
        raise NotFound(KIND, call.uuid_id())
    return record
