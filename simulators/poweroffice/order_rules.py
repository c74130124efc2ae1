"""Rules shared by order headers and lines: what may be written when, references, and how both are
shown."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from simulators.poweroffice import lookups
from simulators.poweroffice.errors import Invalid, NotFound
from simulators.poweroffice.fields import Record
from simulators.poweroffice.http import Call
from simulators.poweroffice.sales import computed_order, inherited
from simulators.poweroffice.state import Go
from simulators.poweroffice.tables_sales import ORDER, ORDER_LINE

KIND = "Sales order"
LINE_KIND = "Sales order line"


def found_order(call: Call, record: Record | None, name: str = "id") -> Record:
    if record is None:
        raise NotFound(KIND, call.uuid_id(name))
    return record


def refuse_locked(go: Go, order: Record) -> None:
    """Confirmed orders and those being sent cannot be edited; the status code is an assumption."""
    if is_being_sent(go, order["Id"]):
        raise Invalid(
            KIND, f"Sales order with id = {order['Id']} is being sent and cannot be changed."
        )
    if order["SalesOrderStatus"] == "Confirmed":
        raise Invalid(
            KIND, f"Sales order with id = {order['Id']} is confirmed and cannot be changed."
        )


def is_being_sent(go: Go, order_id: str) -> bool:
    sending = go.sendings.get(order_id)
    return sending is not None and sending.error is None


def check_credit(order: Record) -> None:
    """Only the draft of a credit note names an invoice."""
    if order["RelatedInvoiceNo"] is not None and order["TotalAmount"] >= 0:
        raise Invalid(KIND, "RelatedInvoiceNo can only be set on a credit note draft.")


def check_header(go: Go, order: Record, written: set[str]) -> None:
    """Check the written properties of a header against the rest of the client's data."""
    customer_id, person_id = order["CustomerId"], order["CustomerReferenceContactPersonId"]
    if customer_id is not None and customer_id not in go.customers:
        raise NotFound("Customer", customer_id)
    if "CustomerReferenceContactPersonId" in written and person_id not in (None, *_person_ids(go)):
        raise NotFound("Contact person", person_id)
    if "CustomerId" in written and not go.settings.orders_of_archived_customers:
        customer = go.customers.get(customer_id or 0)
        if customer is not None and customer["IsArchived"]:
            raise Invalid(KIND, f"CustomerId: the customer with id = {customer_id} is archived.")
    currency = order["CurrencyCode"]
    if currency is not None and currency not in {one["Code"] for one in go.currencies}:
        raise Invalid(KIND, f"CurrencyCode '{currency}' is not valid.")
    if "ExternalImportReference" in written:
        _check_reference(go, order)


def _person_ids(go: Go) -> list[int]:
    return [one["Id"] for one in go.contact_persons.rows()]


def _check_reference(go: Go, order: Record) -> None:
    reference = order["ExternalImportReference"]
    tables = [go.orders, go.invoices] if go.settings.order_reference_covers_sent else [go.orders]
    for table in tables:
        other = table.find("ExternalImportReference", reference)
        if other is not None and other["Id"] != order["Id"]:
            raise Invalid(
                KIND,
                f"ExternalImportReference is already in use. '{reference}' is used on Id = "
                f"{other['Id']}.",
            )


def new_line(go: Go, values: Record, order_id: str, next_sort: int) -> Record:
    """A line from posted values: the id wins over the code, an open price or text is the product's.

    Raises NotFound for an unknown product or register entry, Invalid for a product without
    quantity.
    """
    lookups.resolve(values, lookups.OF_LINE)
    code = values.pop("ProductCode", None)
    line = ORDER_LINE.blank() | values | {"Id": str(uuid4()), "SalesOrderId": order_id}
    if line["ProductId"] is None and code is not None:
        product = go.products.find("Code", code)
        if product is None:
            raise NotFound("Product", code, "code")
        line["ProductId"] = product["Id"]
    if line["SortOrder"] is None:
        line["SortOrder"] = next_sort
    check_line(go, line)
    product = go.products.get(line["ProductId"] or 0)
    if product is not None:
        for name, source in (("ProductUnitPrice", "UnitPrice"), ("ProductUnitCost", "UnitCost")):
            line[name] = inherited(go, product, source) if line[name] is None else line[name]
        line["Description"] = (
            product["Name"] if line["Description"] is None else line["Description"]
        )
    return line


def check_line(go: Go, line: Record) -> None:
    if line["ProductId"] is not None:
        if line["ProductId"] not in go.products:
            raise NotFound("Product", line["ProductId"])
        if line["Quantity"] is None and line["LineType"] in ("Normal", "InvoiceFee"):
            raise Invalid(LINE_KIND, "Quantity is required when a product is set.")
    _check_accrual(line["Accrual"])


def _check_accrual(accrual: Record | None) -> None:
    """The description knows no accrual without both dates."""
    if accrual is not None and not (accrual["FromDate"] and accrual["ToDate"]):
        raise Invalid(LINE_KIND, "Accrual: FromDate and ToDate are required.")


def check_line_references(lines: list[Record]) -> None:
    seen: set[str] = set()
    for line in lines:
        reference = line["ExternalImportReference"]
        if reference is not None and reference in seen:
            raise Invalid(
                LINE_KIND, f"ExternalImportReference '{reference}' is already in use on this order."
            )
        seen.add(reference)


def stored(go: Go, order: Record) -> Record:
    """Compute an order's amounts and keep it."""
    order = computed_order(go, order)
    go.orders.put(order["Id"], order)
    return order


def shown_order(go: Go, call: Call, order: Record, *, show_inherited: bool = False) -> Record:
    if show_inherited:
        order = order | inherited_header(go, order)
    customer = go.customers.get(order["CustomerId"] or 0)
    return (
        order
        | lookups.codes(order, lookups.OF_ORDER)
        | {
            "CustomerNo": customer["Number"] if customer else None,
            "IsCreatedByCurrentIntegration": order["ApplicationKey"] == call.client.application_key,
        }
    )


def inherited_header(go: Go, order: Record) -> Record:
    """Null header values from the customer, then from the client's settings."""
    customer = go.customers.get(order["CustomerId"] or 0) or {}
    chain: dict[str, Any] = {
        "CurrencyCode": customer.get("CurrencyCode") or "NOK",
        "PaymentTermId": customer.get("PaymentTermId") or lookups.DEFAULT_PAYMENT_TERM_ID,
        "DeliveryTermId": customer.get("DeliveryTermId"),
        "DepartmentId": customer.get("DepartmentId"),
        "SalesPersonEmployeeId": customer.get("SalesPersonEmployeeId"),
        "BrandingThemeId": customer.get("InvoiceBrandingThemeId"),
    }
    return {name: value for name, value in chain.items() if order[name] is None}


def shown_line(go: Go, line: Record) -> Record:
    product = go.products.get(line["ProductId"] or 0)
    return (
        line
        | lookups.codes(line, lookups.OF_LINE)
        | {"ProductCode": product["Code"] if product else None}
    )


def inherited_line(go: Go, order: Record, line: Record) -> Record:
    """A line with its open values filled from header, customer and product."""
    customer = go.customers.get(order["CustomerId"] or 0) or {}
    product = go.products.get(line["ProductId"] or 0)
    chain: dict[str, Any] = {
        name: order[name]
        for name in ("DepartmentId", "ProjectId", "LocationId", "Dim1Id", "Dim2Id", "Dim3Id")
    }
    chain["Allowance"] = customer.get("Allowance")
    chain["UseStandardSalesAccount"] = not customer.get("IsVatFree")
    if product is not None:
        chain["Description"] = product["Name"]
        chain["UnitOfMeasureCode"] = inherited(go, product, "UnitOfMeasureCode")
    return line | {name: value for name, value in chain.items() if line[name] is None}


def complete_dto(go: Go, call: Call, order: Record, *, show_inherited: bool = False) -> Record:
    header = ORDER.dto(shown_order(go, call, order, show_inherited=show_inherited))
    lines = [inherited_line(go, order, one) if show_inherited else one for one in order["Lines"]]
    return header | {"SalesOrderLines": [ORDER_LINE.dto(shown_line(go, one)) for one in lines]}
