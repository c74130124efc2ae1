"""Every setting: its type, default and meaning. Building a model reads nothing;
`contracts.settings.load` does."""

import zlib
from typing import Any

from pydantic import Field, model_validator

from contracts.settings.base import Model
from contracts.settings.installation import (
    ConsoleSettings,
    KafkaSettings,
    LogSettings,
    PortSettings,
    ReachSettings,
)
from contracts.settings.policies import (
    BreakerSettings,
    CountrySettings,
    CreatePolicies,
    DeletePolicies,
    FirstLinkSettings,
    InvoicingSettings,
    OrderSettings,
    ProductSettings,
    ScopeSettings,
    SinkSettings,
    StartSettings,
    WritePolicies,
)
from contracts.settings.values import (
    DECISIONS,
    Currency,
    Mode,
    Owners,
    Slot,
    TenantName,
    Zone,
    contradiction,
)
from contracts.settings.vendors import (
    ChargebeeSettings,
    PowerOfficeSettings,
)


class Tenant(Model):
    """One Chargebee site together with one Go client, and what is decided about them."""

    partition: int | None = Field(
        default=None, ge=0, description="Partition of the tenant; unset: by crc32 of the name."
    )
    mode: Mode = Field(
        default="observe", description="observe: plans are kept and shown, nothing is written."
    )
    zone: Zone = Field(default="Europe/Oslo", description="Time zone in which dates are meant.")
    ledger_currency: Currency = Field(default="NOK", description="Currency of the Go ledger.")
    country: CountrySettings = CountrySettings()
    chargebee: ChargebeeSettings
    poweroffice: PowerOfficeSettings
    invoicing: InvoicingSettings = InvoicingSettings()
    start: StartSettings = StartSettings()
    create: CreatePolicies = CreatePolicies()
    owner: Owners = Field(
        default={},
        description="Winner of a conflict per entity or quoted entity.field: chargebee, "
        "poweroffice, or ask: both values stand until a person keeps one. Unset: "
        "chargebee, but poweroffice for charges (products). A field that is written at creation "
        "only has no owner.",
    )
    scope: ScopeSettings = ScopeSettings()
    order: OrderSettings = OrderSettings()
    product: ProductSettings = ProductSettings()
    first_link: FirstLinkSettings = FirstLinkSettings()
    write: WritePolicies = WritePolicies()
    delete: DeletePolicies = DeletePolicies()
    breaker: BreakerSettings = BreakerSettings()
    sink: SinkSettings = SinkSettings()

    @model_validator(mode="before")
    @classmethod
    def _name_missing_secrets(cls, data: Any) -> Any:
        # An absent table reported as such would teach the operator its keys one start at a time.
        return {"chargebee": {}, "poweroffice": {}, **data} if isinstance(data, dict) else data

    @property
    def country_default(self) -> str | None:
        """`country.default`, ISO 3166 alpha-2."""
        return self.country.default

    def missing_decisions(self) -> list[str]:
        """The keys of the four settings without a default that are not set, in the order of
        `DECISIONS`."""
        values = (
            self.invoicing.by,
            self.start.orders,
            self.create.order.to_chargebee,
            self.chargebee.prices,
        )
        return [key for key, value in zip(DECISIONS, values, strict=True) if value is None]

    @property
    def effective_mode(self) -> Mode:
        """`mode`, but observe as long as a decision is missing."""
        return "observe" if self.missing_decisions() else self.mode


class Settings(Model):
    """Everything a process of Tandem is told. Building one reads nothing; `load` does."""

    kafka: KafkaSettings = KafkaSettings()
    ports: PortSettings = PortSettings()
    reach: ReachSettings = ReachSettings()
    host: str = Field(default="127.0.0.1", description="Address the services listen on.")
    slot: Slot = Field(
        default=(0, 1), description="i/n: this process takes the partitions p with p mod n = i."
    )
    log: LogSettings = LogSettings()
    console: ConsoleSettings = ConsoleSettings()
    tenants: dict[TenantName, Tenant] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _partitions_exist(self) -> "Settings":
        count = self.kafka.partitions
        high = [
            name
            for name, one in self.tenants.items()
            if one.partition is not None and one.partition >= count
        ]
        if high:
            words = f"must be below kafka.partitions ({count})"
            contradiction(*((f"tenants.{name}.partition", words) for name in high))
        return self

    @model_validator(mode="after")
    def _confirms_what_is_sent(self) -> "Settings":
        asked = [
            name
            for name, one in self.tenants.items()
            if one.order.confirm == "on_delivered" and one.invoicing.by == "chargebee"
        ]
        if asked:
            words = (
                "confirms nothing while invoicing.by is chargebee, since Go is not to send "
                "those drafts"
            )
            fix = "set it to never, or invoicing.by to poweroffice"
            contradiction(*((f"tenants.{name}.order.confirm", words, fix) for name in asked))
        return self

    def partition_of(self, tenant_name: str) -> int:
        """The partition of a configured tenant in every topic. Raises KeyError for an unknown
        name."""
        explicit = self.tenants[tenant_name].partition
        return (
            zlib.crc32(tenant_name.encode()) % self.kafka.partitions
            if explicit is None
            else explicit
        )

    def my_partitions(self) -> list[int]:
        """The partitions of configured tenants that belong to this process's slot, ascending, each
        once."""
        index, count = self.slot
        return sorted({p for p in map(self.partition_of, self.tenants) if p % count == index})
