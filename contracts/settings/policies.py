"""Settings of one tenant: what is decided about it."""

from datetime import date
from typing import Literal

from pydantic import ConfigDict, Field

from contracts.entities import System
from contracts.settings.base import Model
from contracts.settings.values import (
    Count,
    Country,
    Positive,
    ReportOrArchive,
    Seconds,
    VatRate,
)


class CountrySettings(Model):
    """What stands in for a blank country."""

    default: Country | None = Field(
        default=None, description="Sent for a blank country; unset: a blank is not sent."
    )


class InvoicingSettings(Model):
    """Who invoices."""

    by: System | None = Field(
        default=None,
        description="Who invoices orders born in Chargebee. chargebee: Go drafts say 'do not "
        "send', no postings.",
    )


class StartSettings(Model):
    """Where the past begins."""

    orders: date | None = Field(
        default=None, description="Older orders are neither created, linked nor reported."
    )


class CreateSettings(Model):
    """Whether records missing on one side are created there."""

    to_chargebee: bool = Field(default=True, description="Create in Chargebee what was born in Go.")
    to_poweroffice: bool = Field(
        default=True, description="Create in Go what was born in Chargebee."
    )


class CreateOrderSettings(Model):
    """As CreateSettings; towards Chargebee without a default, since it makes an imported
    invoice."""

    to_chargebee: bool | None = Field(
        default=None, description="Create orders born in Go, each with an imported invoice."
    )
    to_poweroffice: bool = Field(
        default=True, description="Create in Go what was born in Chargebee."
    )


class CreatePolicies(Model):
    """Creation per entity and direction."""

    customer: CreateSettings = CreateSettings()
    product: CreateSettings = CreateSettings()
    order: CreateOrderSettings = CreateOrderSettings()


class ScopeSettings(Model):
    """Which records take part."""

    customer: Literal["all", "referenced"] = Field(
        default="all", description="referenced: only those of orders in scope."
    )


class ImportSettings(Model):
    """How an order born in Go stands in Chargebee."""

    status: Literal["paid_offline", "not_paid"] = Field(
        default="paid_offline",
        description="Status of the imported invoice; not_paid invites dunning.",
    )
    order_status: Literal[
        "queued",
        "awaiting_shipment",
        "on_hold",
        "shipped",
        "partially_delivered",
        "delivered",
        "returned",
        "cancelled",
    ] = Field(
        default="on_hold",
        description="Status of the imported order; queued may be shipped by a warehouse.",
    )


class DeliveryDateSettings(Model):
    """Whether the delivery date flows back."""

    to_chargebee: bool = Field(
        default=False, description="Write a delivery date edited in Go; it may steer a warehouse."
    )


class OrderSettings(Model):
    """Policies of orders."""

    source: Literal["orders", "invoices"] = Field(
        default="orders",
        description="What is a sale in Chargebee: its orders (shippable goods only), or each "
        "invoice and no order. "
        "Changed later only with a later start.orders.",
    )
    takeover: Literal["sent", "confirmed"] = Field(
        default="sent", description="When an order born in Go is taken over."
    )
    confirm: Literal["never", "on_delivered"] = Field(
        default="never",
        description="When a draft is confirmed; only where invoicing.by is poweroffice.",
    )
    line_drift: Literal["report", "restore"] = Field(
        default="report",
        description="Lines of a draft edited in Go: list them, or write Chargebee's again.",
    )
    paid: Literal["hold", "carry"] = Field(
        default="hold",
        description="Where Go invoices: a paid order waits for a person, or gets its draft; see "
        "paid_but_open.",
    )
    fallback_product: str | None = Field(
        default=None,
        description="Go product code for Chargebee lines without product; unset: rejected.",
    )
    round_off_product: str | None = Field(
        default=None,
        description="Go product code for the round-off of a Chargebee invoice; unset: reported, "
        "not carried.",
    )
    import_: ImportSettings = Field(default=ImportSettings(), alias="import")
    delivery_date: DeliveryDateSettings = DeliveryDateSettings()

    @property
    def import_status(self) -> Literal["paid_offline", "not_paid"]:
        """`order.import.status`."""
        return self.import_.status

    @property
    def import_order_status(self) -> str:
        """`order.import.order_status`, a status of Chargebee's current order system."""
        return self.import_.order_status


class ProductSettings(Model):
    """Policies of products."""

    model_config = ConfigDict(coerce_numbers_to_str=True)

    vat_rate: VatRate | None = Field(
        default=None,
        description="Fraction (0.25), needed to convert gross prices; unset: gross prices are "
        "not synced.",
    )
    groups: dict[str, str] = Field(
        default={}, description="Item family id to Go product group code (account and VAT)."
    )


class FirstLinkSettings(Model):
    """The first meeting of two records that existed already."""

    differences: Literal["report", "owner"] = Field(
        default="report", description="owner: the owner's values win at once."
    )


class WritePriceSettings(Model):
    """Prices edited in Go."""

    to_chargebee: Literal["charge", "all", "off"] = Field(
        default="charge",
        description="Which item prices follow Go; a plan's price hits every new subscription.",
    )


class WritePolicies(Model):
    """Fields that are written with care."""

    price: WritePriceSettings = WritePriceSettings()


class DeleteCustomerSettings(Model):
    """What a customer's deletion does to the other side."""

    to_chargebee: Literal["report"] = Field(
        default="report", description="A customer gone in Go is reported only."
    )
    to_poweroffice: ReportOrArchive = Field(
        default="report", description="archive: never with another role or a balance."
    )


class DeleteProductSettings(Model):
    """What a product's deletion does to the other side."""

    to_chargebee: Literal["archive_go_born_charges", "report"] = Field(
        default="archive_go_born_charges",
        description="Charges born in Go are archived, others reported.",
    )
    to_poweroffice: ReportOrArchive = Field(
        default="report", description="report, since an archived plan still renews."
    )


class DeleteOrderSettings(Model):
    """What an order's deletion does to the other side."""

    to_chargebee: Literal["report"] = Field(
        default="report", description="Cancelling may credit; an operator does it."
    )
    to_poweroffice: Literal["remove_draft", "report"] = Field(
        default="remove_draft",
        description="Removes the Go draft if born in Chargebee and unchanged, else reports.",
    )


class DeletePolicies(Model):
    """Deletions per entity and direction."""

    customer: DeleteCustomerSettings = DeleteCustomerSettings()
    product: DeleteProductSettings = DeleteProductSettings()
    order: DeleteOrderSettings = DeleteOrderSettings()


class Threshold(Model):
    """How many changes pass before the breaker holds the rest."""

    at_least: int = Field(default=25, ge=0, description="So many always pass within the window.")
    percent: float = Field(
        default=5,
        ge=0,
        le=100,
        description="Share of the entity's linked records that passes, in %.",
    )


class ChangesThreshold(Threshold):
    """The threshold of updates."""

    percent: float = Field(
        default=10,
        ge=0,
        le=100,
        description="Share of the entity's linked records that passes, in %.",
    )


class DeletesThreshold(Threshold):
    """The threshold of deletions."""

    at_least: int = Field(default=10, ge=0, description="So many always pass within the window.")
    percent: float = Field(
        default=2,
        ge=0,
        le=100,
        description="Share of the entity's linked records that passes, in %.",
    )


class MoneyThreshold(Model):
    """How far the total of an order may be from its source; one further off holds the creation of
    more orders."""

    at_least: float = Field(
        default=1, ge=0, description="So much always passes, in the order's currency."
    )
    percent: float = Field(
        default=1, ge=0, le=100, description="Share of the order's total that passes, in %."
    )


class BreakerSettings(Model):
    """When a batch is held for an operator."""

    creates: Threshold = Threshold()
    changes: ChangesThreshold = ChangesThreshold()
    deletes: DeletesThreshold = DeletesThreshold()
    money: MoneyThreshold = MoneyThreshold()
    window_s: Positive = Field(
        default=600, description="Window in which changes outside a reconcile are counted."
    )
    first_backfill: Literal["hold", "release"] = Field(
        default="hold",
        description="The first backfill of each entity; release lets it through by itself.",
    )


class SinkSettings(Model):
    """How commands are sent."""

    window: Count = Field(default=50, description="Bulk commands in flight per tenant and system.")
    retry_s: Seconds = Field(
        default=300, description="How long a failing call is repeated before the command is parked."
    )
