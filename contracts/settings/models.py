"""Every setting: its type, default and meaning. Building a model reads nothing;
`contracts.settings.load` does."""

import zlib
from datetime import date
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    model_validator,
)

from contracts.entities import System
from contracts.settings.values import (
    DECISIONS,
    NOT_HELD,
    Address,
    Brokers,
    Count,
    Country,
    Currency,
    HostName,
    MessageBytes,
    Mode,
    Owners,
    Pages,
    Port,
    Positive,
    ReportOrArchive,
    Seconds,
    Site,
    Slot,
    TenantName,
    TopicPrefix,
    VatRate,
    Zone,
    contradiction,
)
from contracts.topics import MAX_MESSAGE_BYTES


class Model(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False
    )


class KafkaSettings(Model):
    """How every process reaches Kafka and what the topics look like."""

    bootstrap: Brokers = Field(
        default="127.0.0.1:9092", description="Brokers, host:port, separated by commas."
    )
    topic_prefix: TopicPrefix = Field(
        default="tandem.", description="Begins the name of every topic."
    )
    partitions: Count = Field(
        default=12, description="Partitions of every topic; fixed when the topics are created."
    )
    replication: Count = Field(
        default=1, description="Replicas of every topic; 3 where there are three brokers."
    )
    max_message_bytes: MessageBytes = Field(
        default=MAX_MESSAGE_BYTES,
        description="The largest message; topics that allow less are raised to it.",
    )
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT", description="How clients talk to the brokers."
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = Field(
        default=None, description="Needed with SASL_PLAINTEXT and SASL_SSL."
    )
    sasl_username: str | None = Field(
        default=None, description="Needed with SASL_PLAINTEXT and SASL_SSL."
    )
    sasl_password: SecretStr | None = Field(
        default=None, description="Needed with SASL_PLAINTEXT and SASL_SSL."
    )
    ssl_cafile: str | None = Field(
        default=None, description="PEM file of the authority; the system's when unset."
    )

    @model_validator(mode="after")
    def _complete(self) -> "KafkaSettings":
        keys = ("sasl_mechanism", "sasl_username", "sasl_password")
        absent = [key for key in keys if getattr(self, key) is None]
        if self.security_protocol.startswith("SASL") and absent:
            contradiction(*((key, "is missing") for key in absent))
        return self


class PortSettings(Model):
    """TCP ports the services listen on; 0 takes a free one."""

    console: Port = Field(
        default=8080, description="Web page of the operator; 0 takes a free port, as for all ports."
    )
    chargebee_adapter: Port = Field(
        default=8081, description="Webhooks, health and metrics of the Chargebee adapter."
    )
    poweroffice_adapter: Port = Field(
        default=8082, description="Health and metrics of the PowerOffice adapter."
    )
    linker: Port = Field(default=8083, description="Health and metrics of the linker.")


class ReachSettings(Model):
    """Under which host other processes reach the services, where that is not this machine."""

    chargebee_adapter: HostName | None = Field(
        default=None, description="Host of the Chargebee adapter for others; unset: this machine."
    )
    poweroffice_adapter: HostName | None = Field(
        default=None, description="Host of the PowerOffice adapter for others; unset: this machine."
    )
    linker: HostName | None = Field(
        default=None, description="Host of the linker for others; unset: this machine."
    )


class LogSettings(Model):
    """What the services write to standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least that is logged."
    )
    format: Literal["auto", "json", "console"] = Field(
        default="auto", description="auto: JSON unless on a terminal."
    )


class ConsoleUser(Model):
    """A person who may log in to the console."""

    password_hash: str = Field(
        pattern=r"\$argon2id\$.+",
        description="Argon2 hash of the password, as `tandem password` prints it.",
    )
    role: Literal["reader", "operator", "admin"] = Field(
        default="reader",
        description="reader looks, operator decides too, admin also forgets and switches the mode.",
    )


class ConsoleSettings(Model):
    """The read model behind `tandem`, and the console's web page."""

    data: str = Field(
        default=".tandem/console",
        description="Directory of the read model (made anew when deleted) and of saved filters.",
    )
    patience: Positive = Field(
        default=1,
        description="Times how long commands wait for answers and heartbeats; more on a slow "
        "machine.",
    )
    token: SecretStr | None = Field(
        default=None,
        description="Logs in to the web page as admin; of at least 16 characters. The page shows "
        "nothing without it or a user.",
    )
    users: dict[str, ConsoleUser] = Field(
        default={}, description="Who may log in to the web page, by name."
    )
    https: bool = Field(
        default=False,
        description="A proxy serves the page over TLS: its cookies are sent over TLS only.",
    )

    @model_validator(mode="after")
    def _token_is_long(self) -> "ConsoleSettings":
        if self.token is not None and len(self.token.get_secret_value()) < 16:
            contradiction(("token", "has fewer than 16 characters", "set a longer one"))
        return self


# --- one tenant: its two systems
# ----------------------------------------------------------------------------


class ChargebeeSettings(Model):
    """The Chargebee site of a tenant. Exactly one of `site` and `base_url` is set."""

    site: Site | None = Field(
        default=None, description="The site's name, the part before .chargebee.com."
    )
    base_url: Address | None = Field(
        default=None, description="Instead of site: the whole API address, to /api/v2."
    )
    api_key: SecretStr = Field(default=NOT_HELD, description="Full-access API key of the site.")
    webhook_username: SecretStr | None = Field(
        default=None, description="Basic auth of webhooks; both parts or none."
    )
    webhook_password: SecretStr | None = Field(
        default=None, description="Basic auth of webhooks; both parts or none."
    )
    prices: Literal["net", "gross"] | None = Field(
        default=None, description="Whether the site's prices exclude or include tax."
    )
    pages: Pages = Field(
        default={},
        description="Address of a record's web page, by entity (customer, product, order), with "
        "{id} in place of its id; the console links to it.",
    )
    requests_per_minute: Positive = Field(
        default=150, description="API budget; a test site allows 150."
    )
    list_lag_s: Seconds = Field(
        default=300, description="How late lists may be; a snapshot's second pass waits for it."
    )
    events_interval_s: Positive = Field(
        default=60, description="Pause between readings of the events API."
    )
    suppress_emails: bool = Field(
        default=True, description="No e-mail to customers from any of our writes."
    )
    item_family: str = Field(
        default="tandem",
        min_length=1,
        max_length=100,
        description="Family of items born in Go; created if missing.",
    )
    import_payment_method: Literal["other", "cash", "check", "bank_transfer"] = Field(
        default="other", description="Payment method on invoices imported as paid."
    )

    @model_validator(mode="after")
    def _consistent(self) -> "ChargebeeSettings":
        if self.site is None and self.base_url is None:
            contradiction(("site", "is missing"))
        if self.site is not None and self.base_url is not None:
            contradiction(("base_url", "stands beside site", "keep one of site and base_url"))
        if self.webhook_username is None and self.webhook_password is not None:
            contradiction(("webhook_username", "is missing"))
        if self.webhook_password is None and self.webhook_username is not None:
            contradiction(("webhook_password", "is missing"))
        return self

    @property
    def api_url(self) -> str:
        """Address before every resource path, without a slash at its end (Chargebee API v2)."""
        return self.base_url or f"https://{self.site}.chargebee.com/api/v2"


class PowerOfficeSettings(Model):
    """The Go client of a tenant. Either `environment`, or both of `base_url` and `token_url`."""

    environment: Literal["production", "demo"] | None = Field(
        default=None, description="Which Go: its keys never mix."
    )
    base_url: Address | None = Field(
        default=None, description="Instead of environment: API address, to /v2."
    )
    token_url: Address | None = Field(
        default=None, description="With base_url: address of the token endpoint."
    )
    application_key: SecretStr = Field(
        default=NOT_HELD, description="Application key of the integration."
    )
    client_key: SecretStr = Field(default=NOT_HELD, description="Client key of the company in Go.")
    subscription_key: SecretStr = Field(
        default=NOT_HELD, description="Subscription key; carries the rate limit."
    )
    pages: Pages = Field(
        default={},
        description="Address of a record's web page, by entity (customer, product, order), with "
        "{id} in place of its id; the console links to it.",
    )
    requests_per_second: Positive = Field(
        default=10, description="Budget per subscription key, over all tenants."
    )
    poll_min_s: Positive = Field(default=5, description="Pause between polls after activity.")
    poll_max_s: Positive = Field(default=60, description="Pause between polls when idle.")
    overlap_s: Seconds = Field(
        default=120, description="How far a poll reaches back behind the newest change seen."
    )
    read_lag_s: Seconds = Field(
        default=2, description="After this, a second read confirms a change at an unmoved time."
    )
    sweep_s: Positive = Field(
        default=900, description="Pause between full sweeps (address edits, line edits, deletions)."
    )
    guard: Literal["test", "read"] = Field(
        default="test",
        description="Guard of a write: JSON Patch test operations, or a read just before.",
    )

    @model_validator(mode="after")
    def _consistent(self) -> "PowerOfficeSettings":
        own = [key for key in ("base_url", "token_url") if getattr(self, key) is not None]
        if self.environment is None and not own:
            contradiction(("environment", "is missing"))
        if self.environment is not None and own:
            fix = "keep environment, or base_url with token_url"
            contradiction(*((key, "stands beside environment", fix) for key in own))
        if len(own) == 1:
            contradiction(("token_url" if own == ["base_url"] else "base_url", "is missing"))
        if self.poll_min_s > self.poll_max_s:
            contradiction(("poll_min_s", "must not exceed poll_max_s"))
        return self

    def _own_or(self, own: str | None, path: str) -> str:
        return (
            own
            or f"https://goapi.poweroffice.net{'/Demo' if self.environment == 'demo' else ''}{path}"
        )

    @property
    def api_url(self) -> str:
        """Address before every resource path, without a slash at its end (Go API v2)."""
        return self._own_or(self.base_url, "/v2")

    @property
    def token_endpoint(self) -> str:
        """Where an access token is fetched (Go developer portal, authentication)."""
        return self._own_or(self.token_url, "/OAuth/Token")


# --- one tenant: policies
# -----------------------------------------------------------------------------------


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
    tenants: dict[TenantName, Tenant] = {}

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
