"""Sending: a request is queued, and after a delay the order becomes an outgoing invoice under the
same Id."""

from __future__ import annotations

from datetime import date, timedelta
from uuid import UUID

from simulators.poweroffice import entries, lookups
from simulators.poweroffice.errors import BindingError, GoError, Invalid, NotFound
from simulators.poweroffice.fields import Record
from simulators.poweroffice.http import Call, Reply, json_body, posted
from simulators.poweroffice.order_rules import (
    KIND,
    found_order,
    inherited_header,
    inherited_line,
    is_being_sent,
    shown_line,
)
from simulators.poweroffice.privileges import SEND_INVOICE
from simulators.poweroffice.sales import account_of_line, cents, exact
from simulators.poweroffice.state import Go, Sending
from simulators.poweroffice.tables_sales import INVOICE, INVOICE_LINE, SEND_REQUEST


def create_and_send(go: Go, call: Call) -> Reply:
    if SEND_INVOICE not in call.privileges:
        raise GoError(
            400, "Missing privilege", "The integration lacks the privilege to send invoices."
        )
    order = found_order(call, go.orders.get(call.uuid_id()))
    body = json_body(call) if call.body.strip() else {}
    values = posted(SEND_REQUEST, body, refuse_unknown=go.settings.refuse_unknown_properties)
    request = SEND_REQUEST.blank() | values | {"Id": order["Id"]}
    request["DeliveryType"] = request["DeliveryType"] or "Auto"
    _check(go, order, request)
    due_s = go.clock.elapsed_s() + go.settings.send_delay_s
    go.sendings[order["Id"]] = Sending(due_s, request, call.client.application_key)
    settle(go)
    base = call.url.lower().rindex("/salesorders/")
    location = f"{call.url[:base]}/SalesOrders/sentState?id={order['Id']}"
    return Reply(202, SEND_REQUEST.dto(request), {"Location": location}, changed=True)


def _check(go: Go, order: Record, request: Record) -> None:
    if is_being_sent(go, order["Id"]):
        raise Invalid(KIND, f"Sales order with id = {order['Id']} is being sent already.")
    customer = go.customers.get(order["CustomerId"] or 0)
    if customer is None:
        raise Invalid(KIND, "A sales order without customer cannot be sent.")
    if not order["Lines"]:
        raise Invalid(KIND, "A sales order without lines cannot be sent.")
    email = request["EmailAddress"] or customer["InvoiceEmailAddress"] or customer["EmailAddress"]
    if request["DeliveryType"] == "PdfByEmail" and not email:
        raise Invalid(KIND, "DeliveryType PdfByEmail requires an e-mail address.")


def settle(go: Go) -> None:
    """Finish every sending whose time has come; the dispatcher calls this before each request."""
    now_s = go.clock.elapsed_s()
    for order_id, sending in list(go.sendings.items()):
        if sending.due_s > now_s or sending.error is not None:
            continue
        if go.settings.send_error_message is not None:
            sending.error = go.settings.send_error_message
            continue
        del go.sendings[order_id]
        order = go.orders.get(order_id)
        if order is not None:
            entries.settle(
                go,
                invoice_from(go, order, sending.request, sending.application_key, go.clock.stamp()),
            )


def invoice_from(
    go: Go,
    order: Record,
    request: Record,
    application_key: str,
    sent_at: str,
    invoice_no: int | None = None,
) -> Record:
    """Turn an order into an invoice: same Id, new line ids, numbers assigned, inherited values made
    fixed."""
    shown = order | inherited_header(go, order)
    voucher_date = request["VoucherDate"] or sent_at[:10]
    rate = exact(order["CurrencyExchangeRate"] or 1.0)
    days = lookups.REGISTERS["Payment term"][shown["PaymentTermId"]]
    due_date = (
        request["OverrideDueDate"]
        or (date.fromisoformat(voucher_date) + timedelta(days=int(days))).isoformat()
    )
    total_posted = float(cents(exact(order["TotalAmount"]) * rate))
    if invoice_no is None:
        invoice_no = go.next_number(
            "invoice number", lambda one: go.invoices.find("InvoiceNo", one) is None
        )
    invoice: Record = {name: shown.get(name) for name in INVOICE.names("R")} | {
        "OrderNo": order["SalesOrderNo"],
        "OrderDate": order["SalesOrderDate"] or voucher_date,
        "DeliveryDate": order["DeliveryDate"] or voucher_date,
        "CurrencyExchangeRate": order["CurrencyExchangeRate"] or 1.0,
        "InvoiceNo": invoice_no,
        "VoucherNo": go.next_number("voucher number"),
        "VoucherDate": voucher_date,
        "VoucherType": "OutgoingCreditNote" if order["TotalAmount"] < 0 else "OutgoingInvoice",
        "DueDate": due_date,
        "Cid": f"{go.next_number('cid'):07d}",
        "IsReversed": False,
        "InvoiceDeliveryType": _delivery(go, order, request),
        "NetPostedAmount": float(cents(exact(order["NetAmount"]) * rate)),
        "TotalPostedAmount": total_posted,
        "Balance": total_posted,
        "BalanceLastChangedDateTimeOffset": sent_at,
        "SentDateTimeOffset": sent_at,
        "CreatedDateTimeOffset": order["CreatedDateTimeOffset"],
        "LastChangedDateTimeOffset": sent_at,
        "ApplicationKey": application_key,
        "CreditedId": order.get("CreditedId"),
    }
    if not go.settings.credit_names_invoice:
        invoice["RelatedInvoiceNo"] = None
    invoice |= _delivery_address(go, order)
    invoice["Lines"] = [_invoice_line(go, order, one) for one in order["Lines"]]
    go.orders.remove(order["Id"])
    go.invoices.put(invoice["Id"], invoice)
    return invoice


def _delivery(go: Go, order: Record, request: Record) -> str | None:
    kind = request["DeliveryType"]
    if kind == "PdfByEmail":
        return "PdfByEmail"
    if kind == "PdfPrintForDownload":
        return "Print"
    customer = go.customers.get(order["CustomerId"])
    return customer["InvoiceDeliveryType"] if customer else None


def _delivery_address(go: Go, order: Record) -> Record:
    customer = go.customers.get(order["CustomerId"]) or {}
    address = customer.get("MailAddress") or {}
    return {
        "DeliveryAddress1": address.get("AddressLine1"),
        "DeliveryAddress2": address.get("AddressLine2"),
        "DeliveryAddressCity": address.get("City"),
        "DeliveryAddressZipCode": address.get("ZipCode"),
        "DeliveryAddressCountryCode": address.get("CountryCode"),
    }


def _invoice_line(go: Go, order: Record, line: Record) -> Record:
    customer = go.customers.get(order["CustomerId"])
    account = account_of_line(go, line, customer)
    rate = exact(order["CurrencyExchangeRate"] or 1.0)
    shown = shown_line(go, inherited_line(go, order, line))
    return {name: shown.get(name) for name in INVOICE_LINE.names("R")} | {
        "Id": go.next_number("invoice line"),
        "AccountId": account["Id"] if account else None,
        "AccountNo": account["AccountNo"] if account else None,
        "ProductUnitPrice": line["ProductUnitPrice"] or 0.0,
        "VatRate": line["VatRate"] or 0.0,
        "IsAccrued": bool(line["Accrual"] and line["Accrual"]["IsActive"]),
        "NetPostedAmount": float(cents(exact(line["NetAmount"]) * rate)),
        "TotalPostedAmount": float(cents(exact(line["TotalAmount"]) * rate)),
    }


def sent_state(go: Go, call: Call) -> Reply:
    """State of one order by id, or of all that are being sent; 204 for an order never asked to be
    sent."""
    if "id" not in call.query:
        rows = [_pending(order_id, one) for order_id, one in go.sendings.items()]
        return Reply(200, rows) if rows else Reply(204)
    try:
        order_id = str(UUID(call.query["id"]))
    except ValueError:
        raise BindingError({"id": [f"The value '{call.query['id']}' is not valid."]}) from None
    if order_id in go.sendings:
        return Reply(200, [_pending(order_id, go.sendings[order_id])])
    invoice = go.invoices.get(order_id)
    if invoice is not None:
        return Reply(200, [_sent(invoice)])
    if order_id in go.orders:
        return Reply(204)
    raise NotFound(KIND, order_id)


def _pending(order_id: str, sending: Sending) -> Record:
    return {
        "DueDate": None,
        "Id": order_id,
        "InvoiceDeliveryType": None,
        "InvoiceNo": None,
        "IsInvoiceBeingProcessed": sending.error is None,
        "LastErrorMessage": sending.error,
        "SentDateTimeOffset": None,
    }


def _sent(invoice: Record) -> Record:
    names = ("DueDate", "Id", "InvoiceDeliveryType", "InvoiceNo", "SentDateTimeOffset")
    return {name: invoice[name] for name in names} | {
        "IsInvoiceBeingProcessed": False,
        "LastErrorMessage": None,
    }
