"""The demo company's data, as people would have typed it into Go over the past two years."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from simulators import demo_data
from simulators.poweroffice.clock import TICKS_PER_S, instant_text
from simulators.poweroffice.customers import add_customer
from simulators.poweroffice.fields import Record
from simulators.poweroffice.orders import add_order
from simulators.poweroffice.products import add_product
from simulators.poweroffice.sending import invoice_from
from simulators.poweroffice.state import Go
from simulators.poweroffice.tables_catalogue import PRODUCT
from simulators.poweroffice.tables_contacts import CONTACT_ADDRESS, CUSTOMER
from simulators.poweroffice.tables_sales import SEND_REQUEST

UNITS: Final = {"hour": "HUR", "piece": "EA", "month": "MON"}
TYPED_BY_HAND: Final = ""
"""Stands in for an application key: no integration made these records."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class _Past:
    """Instants as API text, each at least one tick after any equal one given before."""

    def __init__(self) -> None:
        self._used: set[int] = set()

    def stamp(self, moment: datetime) -> str:
        ticks = (moment - _EPOCH) // timedelta(microseconds=1) * (TICKS_PER_S // 1_000_000)
        while ticks in self._used:
            ticks += 1
        self._used.add(ticks)
        return instant_text(ticks)

    @property
    def last_ticks(self) -> int:
        return max(self._used, default=0)


def load(go: Go, data: str) -> None:
    """Fill a cleared `go` with "demo" or "empty" data. Raises ValueError for another name."""
    if data not in ("demo", "empty"):
        raise ValueError(f"unknown data set '{data}'")
    go.clear()
    if data == "empty":
        return
    past = _Past()
    customer_ids = {
        one.key: _customer(go, past, one) for one in demo_data.CUSTOMERS if one.in_poweroffice
    }
    product_ids = {
        one.key: _product(go, past, one) for one in demo_data.PRODUCTS if one.in_poweroffice
    }
    for order in demo_data.ORDERS:
        if order.home != "chargebee":
            _order(go, past, order, customer_ids, product_ids)
    go.clock.not_before(past.last_ticks)


def _customer(go: Go, past: _Past, demo: demo_data.DemoCustomer) -> int:
    record = CUSTOMER.blank() | {
        "Number": demo.poweroffice_number,
        "IsPerson": demo.is_person,
        "Name": demo.company,
        "FirstName": demo.first_name,
        "LastName": demo.last_name,
        "OrganizationNumber": demo.organisation_number,
        "EmailAddress": demo.email,
        "PhoneNumber": demo.poweroffice_phone or demo.phone,
        "IsVatFree": demo.tax_exempt,
        "InvoiceDeliveryType": "PdfByEmail" if demo.email else "Print",
        "MailAddress": _address(demo.address),
    }
    record = add_customer(go, record)
    created = past.stamp(demo.created_at)
    times = {
        "ContactCreatedDateTimeOffset": created,
        "CustomerCreatedDateTimeOffset": created,
        "LastChangedDateTimeOffset": past.stamp(max(demo.changed_at, demo.created_at)),
    }
    if record["MailAddress"] is not None:
        address = record["MailAddress"] | {"LastChangedDateTimeOffset": past.stamp(demo.created_at)}
        times["MailAddress"] = address
    go.customers.put(record["Id"], record | times)
    go.skip_numbers("customer number", record["Number"])
    return int(record["Id"])


def _address(demo: demo_data.DemoAddress | None) -> Record | None:
    if demo is None:
        return None
    return CONTACT_ADDRESS.blank() | {
        "AddressLine1": demo.line1,
        "ZipCode": demo.zip_code,
        "City": demo.city,
        "CountryCode": demo.country_code,
    }


def _product(go: Go, past: _Past, demo: demo_data.DemoProduct) -> int:
    group = go.product_groups.find("Code", demo.group_key)
    record = PRODUCT.blank() | {
        "Code": demo.poweroffice_code,
        "Name": demo.name,
        "Description": demo.description,
        "ProductType": "Product" if demo.is_shippable else "Service",
        "ProductGroupId": group["Id"] if group else None,
        "UnitPrice": float(demo.price_net),
        "UnitOfMeasureCode": UNITS.get(demo.unit or ""),
    }
    record = add_product(go, record)
    times = {
        "CreatedDateTimeOffset": past.stamp(demo.created_at),
        "LastChangedDateTimeOffset": past.stamp(demo.changed_at),
    }
    go.products.put(record["Id"], record | times)
    return int(record["Id"])


def _order(
    go: Go,
    past: _Past,
    demo: demo_data.DemoOrder,
    customer_ids: dict[str, int],
    product_ids: dict[str, int],
) -> None:
    header: Record = {
        "CustomerId": customer_ids[demo.customer_key],
        "SalesOrderDate": demo.ordered_at.date().isoformat(),
        "DeliveryDate": demo.delivery_on.isoformat() if demo.delivery_on else None,
        "PurchaseOrderReference": demo.po_number,
    }
    order = add_order(go, header, [_line(one, product_ids) for one in demo.lines], TYPED_BY_HAND)
    created = past.stamp(demo.ordered_at)
    order = order | {
        "SalesOrderNo": demo.number,
        "CreatedDateTimeOffset": created,
        "LastChangedDateTimeOffset": past.stamp(demo.ordered_at + timedelta(minutes=12)),
    }
    go.orders.put(order["Id"], order)
    go.skip_numbers("sales order number", demo.number)
    if demo.state == "sent":
        _sent(go, past, demo, order)


def _line(demo: demo_data.DemoLine, product_ids: dict[str, int]) -> Record:
    return {
        "ProductId": product_ids[demo.product_key],
        "Quantity": float(demo.quantity),
        "ProductUnitPrice": demo.unit_price_minor / 100,
        "Allowance": float(demo.discount_percent) if demo.discount_percent else None,
    }


def _sent(go: Go, past: _Past, demo: demo_data.DemoOrder, order: Record) -> None:
    request = SEND_REQUEST.blank() | {"Id": order["Id"], "DeliveryType": "Auto"}
    sent_at = past.stamp(demo.ordered_at + timedelta(days=1))
    invoice = invoice_from(go, order, request, TYPED_BY_HAND, sent_at, demo.invoice_number)
    if demo.is_settled:
        paid_at = past.stamp(demo.ordered_at + timedelta(days=9))
        settled = {
            "Balance": 0.0,
            "BalanceLastChangedDateTimeOffset": paid_at,
            "LastChangedDateTimeOffset": paid_at,
        }
        go.invoices.put(invoice["Id"], invoice | settled)
