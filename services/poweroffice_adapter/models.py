"""Go's payloads as far as they are read. Every property is optional, unknown ones are ignored,
enums are plain text.

Names are matched without regard to case, since older data mix PascalCase with camelCase. Numbers
are Decimal. The properties are those of the Go OpenAPI description v2 (CustomerDto, ProductDto,
SalesOrderCompleteDto, OutgoingInvoiceDto and their parts); NationalIdNumber is never read.
"""

from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

# More digits than this no amount has, and 1e999999999 would fill the memory.
Amount = Annotated[Decimal, Field(max_digits=28)]


def _property(field_name: str) -> str:
    return field_name.replace("_", "")


class Go(BaseModel):
    """Any object of Go."""

    model_config = ConfigDict(
        extra="ignore",
        frozen=True,
        alias_generator=_property,
        hide_input_in_errors=True,
        coerce_numbers_to_str=True,
        populate_by_name=False,
    )

    @model_validator(mode="before")
    @classmethod
    def _any_case(cls, data: Any) -> Any:
        return (
            {str(key).lower(): value for key, value in data.items()}
            if isinstance(data, dict)
            else data
        )


class MailAddress(Go):
    """ContactAddressDto."""

    address_line1: str | None = None
    address_line2: str | None = None
    city: str | None = None
    zip_code: str | None = None
    country_code: str | None = None
    last_changed_date_time_offset: str | None = None


class Customer(Go):
    """CustomerDto."""

    id: str | None = None
    is_person: bool | None = None
    name: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    email_address: str | None = None
    phone_number: str | None = None
    organization_number: str | None = None
    mail_address: MailAddress | None = None
    currency_code: str | None = None
    is_vat_free: bool | None = None
    is_archived: bool | None = None
    external_import_reference: str | None = None
    contact_created_date_time_offset: str | None = None
    customer_created_date_time_offset: str | None = None
    last_changed_date_time_offset: str | None = None


class Product(Go):
    """ProductDto."""

    id: str | None = None
    code: str | None = None
    name: str | None = None
    description: str | None = None
    unit_of_measure_code: str | None = None
    unit_price: Amount | None = None
    product_group_id: str | None = None
    product_group_code: str | None = None
    product_type: str | None = None
    is_archived: bool | None = None
    last_changed_date_time_offset: str | None = None


class Line(Go):
    """SalesOrderLineDto and OutgoingInvoiceLineDto."""

    id: str | None = None
    line_type: str | None = None
    product_id: str | None = None
    description: str | None = None
    quantity: Amount | None = None
    product_unit_price: Amount | None = None
    allowance: Amount | None = None
    net_amount: Amount | None = None
    vat_amount: Amount | None = None
    sort_order: int | None = None
    external_import_reference: str | None = None


class Sale(Go):
    """What sales orders and outgoing invoices have in common."""

    id: str | None = None
    customer_id: str | None = None
    currency_code: str | None = None
    delivery_date: str | None = None
    purchase_order_reference: str | None = None
    external_import_reference: str | None = None
    net_amount: Amount | None = None
    total_amount: Amount | None = None
    related_invoice_no: str | None = None
    last_changed_date_time_offset: str | None = None


class SalesOrder(Sale):
    """SalesOrderCompleteDto; `sales_order_lines` is None in a header."""

    sales_order_no: str | None = None
    sales_order_status: str | None = None
    sales_order_date: str | None = None
    line_count: int | None = None
    sales_order_lines: list[Line] | None = None


class OutgoingInvoice(Sale):
    """OutgoingInvoiceDto; its lines are read apart."""

    order_no: str | None = None
    order_date: str | None = None
    invoice_no: str | None = None
    balance: Amount | None = None
    balance_last_changed_date_time_offset: str | None = None
    is_reversed: bool | None = None
    sent_date_time_offset: str | None = None
    voucher_type: str | None = None
