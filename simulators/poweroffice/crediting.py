"""Credit notes, as a person makes them of a sent invoice in Go; no endpoint of the description does
this."""

from __future__ import annotations

from simulators.poweroffice.entries import KIND, found_invoice, settle
from simulators.poweroffice.errors import Invalid
from simulators.poweroffice.fields import Record
from simulators.poweroffice.orders import add_order
from simulators.poweroffice.sales import exact, sales_account
from simulators.poweroffice.sending import invoice_from
from simulators.poweroffice.state import Go
from simulators.poweroffice.tables_sales import SEND_REQUEST

WHOLE_PERCENT = 100.0
BY_HAND = ""
"""Stands in for an application key: a person made the credit note."""
_COPIED = (
    "LineType",
    "ProductId",
    "Description",
    "ProductUnitPrice",
    "ProductUnitCost",
    "Allowance",
    "UnitOfMeasureCode",
    "SortOrder",
    "DepartmentId",
    "ProjectId",
)


def credit(
    go: Go, invoice_id: str, percent: float = WHOLE_PERCENT, *, is_sent: bool = False
) -> Record:
    """Credit an invoice, or `percent` of every line: the draft of a credit note, or with `is_sent`
    the note itself.

    Raises NotFound, and Invalid for a document that is no invoice, or not any more.
    """
    record = found_invoice(go, invoice_id)
    if record["IsReversed"] or record["VoucherType"] != "OutgoingInvoice":
        raise Invalid(
            KIND,
            f"Invoice {record['InvoiceNo']} is reversed or a credit note and cannot be credited.",
        )
    if not 0 < percent <= WHOLE_PERCENT:
        raise Invalid(KIND, "More than 0 and at most 100 percent of an invoice can be credited.")
    header = {
        name: record[name]
        for name in ("CustomerId", "CurrencyCode", "CurrencyExchangeRate", "PaymentTermId")
    }
    if go.settings.credit_names_invoice:
        header["RelatedInvoiceNo"] = record["InvoiceNo"]
    lines = [_credit_line(go, one, percent) for one in record["Lines"]]
    draft = add_order(go, header, lines, BY_HAND) | {"CreditedId": invoice_id}
    go.orders.put(draft["Id"], draft)
    if not is_sent:
        return draft
    note = invoice_from(
        go, draft, SEND_REQUEST.blank() | {"DeliveryType": "Auto"}, BY_HAND, go.clock.stamp()
    )
    settle(go, note)
    return go.invoices.get(note["Id"]) or note


def _credit_line(go: Go, line: Record, percent: float) -> Record:
    """The same line with a negative quantity, on the same account."""
    values: Record = {name: line[name] for name in _COPIED}
    if line["Quantity"] is not None:
        values["Quantity"] = float(-exact(line["Quantity"]) * exact(percent) / 100)
    product = go.products.get(line["ProductId"] or 0)
    if product is not None:
        standard = sales_account(go, product, is_standard=True)
        values["UseStandardSalesAccount"] = (
            standard is not None and standard["Id"] == line["AccountId"]
        )
    return values
