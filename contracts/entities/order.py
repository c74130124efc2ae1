"""The sales order of both systems, or the document it has become, and its fields."""

from datetime import date
from decimal import Decimal
from typing import Literal

import msgspec

from contracts.entities.fields import Field, System

GO_ONLY: frozenset[System] = frozenset({"poweroffice"})
MAX_ORDER_LINES = 500


class Invoice(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The invoice of an order in the system of the order. Amounts include tax and are in the
    order's currency, but for Go's `balance`.

    `total` is that of the whole invoice, of which an order of Chargebee may be a part. `void` says
    that it was voided (Chargebee) or reversed (Go). `balance` is what is still to be paid, in Go in
    the currency of the ledger. `credited` is the sum of the credit notes that count against the
    order, `credit_notes` are their numbers; a refund is a credit note of its own in Chargebee.
    """

    number: str | None = None
    paid: bool | None = None
    void: bool = False
    total: Decimal | None = None
    balance: Decimal | None = None
    credited: Decimal = Decimal(0)
    credit_notes: tuple[str, ...] = ()


class Line(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One line of an order. `unit_price` and `net` exclude tax, `net` is after discount;
    `product_id` is the id in the order's own system, None for a line without product."""

    id: str
    product_id: str | None = None
    description: str | None = None
    quantity: Decimal = Decimal(1)
    unit_price: Decimal = Decimal(0)
    discount_percent: Decimal = Decimal(0)
    net: Decimal = Decimal(0)
    tax: Decimal = Decimal(0)


class Order(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A sales order, or the document it has become. Amounts are in `currency`; `customer_id` is the
    id in the order's own system. A credit note has a negative `total`, and in `credit_of` the
    number of the invoice that it names.

    `notice` is the first line of a draft in Go that came from Chargebee: who has been asked to pay.
    `fulfilment` is Chargebee's own word for the state of the shipment.
    """

    customer_id: str | None = None
    number: str | None = None
    currency: str | None = None
    order_date: date | None = None
    delivery_date: date | None = None
    purchase_order: str | None = None
    status: Literal["draft", "confirmed", "sent", "cancelled"] = "draft"
    invoice: Invoice | None = None
    lines: tuple[Line, ...] = ()
    net: Decimal = Decimal(0)
    tax: Decimal = Decimal(0)
    total: Decimal = Decimal(0)
    credit_of: str | None = None
    notice: str | None = None
    fulfilment: str | None = None


FIELDS = (
    Field("customer_id", once=True),
    Field("currency", once=True),
    Field("order_date"),
    Field("delivery_date"),
    Field("purchase_order", written=GO_ONLY, filled=GO_ONLY),
    Field("lines", once=True),
)
KNOWN_BY: tuple[str, ...] = ()
