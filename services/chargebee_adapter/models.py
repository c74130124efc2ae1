"""The parts of Chargebee's resources that are read (API v2, Product Catalog 2.0); everything is
optional.

Amounts are integers in minor units of the record's currency unless named `*_in_decimal`; moments
are UTC seconds.
"""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Strict

Amount = Annotated[
    int, Strict()
]  # money in minor units: a fraction or a text is not rounded or guessed


class _Model(BaseModel):
    model_config = ConfigDict(
        extra="ignore", frozen=True, coerce_numbers_to_str=True, hide_input_in_errors=True
    )


class BillingAddress(_Model):
    first_name: str | None = None
    last_name: str | None = None
    line1: str | None = None
    line2: str | None = None
    line3: str | None = None
    city: str | None = None
    zip: str | None = None
    country: str | None = None


class Customer(_Model):
    id: str
    first_name: str | None = None
    last_name: str | None = None
    company: str | None = None
    email: str | None = None
    phone: str | None = None
    vat_number: str | None = None
    preferred_currency_code: str | None = None
    taxability: str | None = None
    billing_address: BillingAddress | None = None
    meta_data: dict[str, Any] | None = None
    deleted: bool = False


class Item(_Model):
    id: str
    name: str | None = None
    external_name: str | None = None
    description: str | None = None
    type: str | None = None
    unit: str | None = None
    status: str | None = None
    item_family_id: str | None = None
    is_shippable: bool | None = None
    metadata: dict[str, Any] | None = None


class AccountingDetail(_Model):
    sku: str | None = None


class ItemPrice(_Model):
    id: str
    item_id: str | None = None
    item_type: str | None = None
    name: str | None = None
    external_name: str | None = None
    status: str | None = None
    pricing_model: str | None = None
    currency_code: str | None = None
    price: int | None = None
    price_in_decimal: str | None = None
    accounting_detail: AccountingDetail | None = None


class OrderLine(_Model):
    id: str | None = None
    entity_type: str | None = None
    entity_id: str | None = None
    description: str | None = None
    unit_price: Amount | None = None
    fulfillment_quantity: int | None = None
    amount: Amount | None = None
    discount_amount: Amount | None = None
    tax_amount: Amount | None = None


class LinkedCreditNote(_Model):
    """A credit note as an order names it."""

    id: str | None = None
    amount: Amount | None = None
    status: str | None = None


class Order(_Model):
    id: str
    document_number: str | None = None
    invoice_id: str | None = None
    customer_id: str | None = None
    status: str | None = None
    payment_status: str | None = None
    price_type: str | None = None
    currency_code: str | None = None
    order_date: int | None = None
    created_at: int | None = None
    delivered_at: int | None = None
    shipping_date: int | None = None
    original_order_id: str | None = None
    tax: Amount | None = None
    total: Amount | None = None
    rounding_adjustement: Amount | None = None  # spelled so by the vendor
    invoice_round_off_amount: Amount | None = None
    order_line_items: list[OrderLine] | None = None
    linked_credit_notes: list[LinkedCreditNote] | None = None
    deleted: bool = False


class InvoiceCreditNote(_Model):
    """A credit note as its invoice names it, `adjustment_credit_notes` and `issued_credit_notes`
    alike."""

    cn_id: str | None = None
    cn_total: Amount | None = None
    cn_status: str | None = None


class Invoice(_Model):
    id: str
    status: str | None = None
    total: Amount | None = None
    amount_due: Amount | None = None
    round_off_amount: Amount | None = None
    adjustment_credit_notes: list[InvoiceCreditNote] | None = None
    issued_credit_notes: list[InvoiceCreditNote] | None = None
    deleted: bool = False
