"""The settings of one installation: a TOML file under the environment, checked whole before anything starts.

`load` reads `tandem.toml` (or the file that `TANDEM_CONFIG` names) and lays variables `TANDEM_...` over it,
nested with a double underscore. Secrets come from the environment only, as the value or as `..._FILE`, the
path of a file that holds it. Whatever is wrong ends in one `SettingsError`, a line per fault, never a value.
"""

import difflib
import functools
import json
import os
import re
import sys
import tomllib
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, NoReturn, get_args, get_origin
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticCustomError

from contracts.entities import CREATE_ONLY, ENTITIES, ENTITY_TYPES, FIELDS, System
from contracts.topics import MAX_MESSAGE_BYTES

PREFIX = "TANDEM_"
CONFIG_VARIABLE = "TANDEM_CONFIG"
DEFAULT_FILE = "tandem.toml"
DECISIONS = ("invoicing.by", "start.orders", "create.order.to_chargebee", "chargebee.prices")

Mode = Literal["observe", "sync"]
ReportOrArchive = Literal["report", "archive"]


# --- checks of single values --------------------------------------------------------------------------------


def _contradiction(*faults: tuple[str, ...]) -> NoReturn:
    """Refuse a table: each fault is (key in the table, what is wrong[, the fix])."""
    words = "; ".join(f"{key} {wrong}" for key, wrong, *_ in faults)
    raise PydanticCustomError("tandem_faults", words, {"faults": faults})  # type: ignore[arg-type,unused-ignore]


def _must(accepts: Callable[[Any], object], words: str) -> AfterValidator:
    def check(value: Any) -> Any:
        if not accepts(value):
            raise PydanticCustomError("tandem", words)  # type: ignore[arg-type,unused-ignore]
        return value

    return AfterValidator(check)


def _matches(pattern: str, words: str) -> AfterValidator:
    return _must(re.compile(pattern).fullmatch, words)


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def _is_address(text: str) -> bool:
    try:
        url = urlsplit(text)
        _ = url.port
    except ValueError:
        return False
    # A password in an address would be printed with it.
    plain = not ("@" in url.netloc or url.query or url.fragment)
    return url.scheme in ("http", "https") and bool(url.hostname) and plain


def _slot(value: Any) -> Any:
    """`i/n` as (i, n), with 0 <= i < n."""
    if isinstance(value, str):
        found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", value.strip(), re.ASCII)
        value = (int(found[1]), int(found[2])) if found else None
    match value:
        case [int(i), int(n)] if 0 <= i < n:
            return (i, n)
    raise PydanticCustomError("tandem", "must be i/n with 0 <= i < n, such as 0/1 for the only process")


def _quoted_owner_keys(value: Any) -> Any:
    if isinstance(value, dict):
        nested = [(key, name) for key, inner in value.items() if isinstance(inner, dict) for name in inner]
        if nested:
            fix = 'write the key in quotes, such as "customer.email" = "poweroffice"'
            _contradiction(*((f"{key}.{name}", "is an unquoted key with a dot", fix) for key, name in nested))
    return value


def _known_owner_keys(value: dict[str, System]) -> dict[str, System]:
    read = [f"{entity}.{name}" for entity in ENTITIES for name in FIELDS[entity] if name not in CREATE_ONLY[entity]]
    known = [*ENTITIES, *read]
    faults = [(key, _unowned(key), _did_you_mean(key, known)) for key in value if key not in known]
    if faults:
        _contradiction(*faults)
    return value


def _unowned(key: str) -> str:
    """Why nothing asks who owns this."""
    for entity, kind in ENTITY_TYPES.items():
        name = key.removeprefix(f"{entity}.")
        if name == key or name not in kind.__struct_fields__:
            continue
        if name in CREATE_ONLY[entity]:
            return "is written when a record is created and never afterwards, so nobody wins it"
        return "is kept by each system for itself, so nobody wins it"
    return "is no entity or field"


def _did_you_mean(word: str, known: list[str]) -> str:
    close = difflib.get_close_matches(word.lower(), known, n=1)
    return f"did you mean {close[0]}?" if close else f"remove it; known here: {', '.join(known)}"


TenantName = Annotated[str, _matches(r"[a-z0-9_]{1,32}", "tenant names are 1 to 32 of a-z, 0-9 and _")]
Address = Annotated[
    str,
    _must(_is_address, "must be an http or https address without user, password, query or fragment"),
    AfterValidator(lambda text: text.rstrip("/")),
]
Zone = Annotated[str, _must(_is_zone, "must be an IANA time zone, such as Europe/Oslo")]
Currency = Annotated[str, _matches(r"[A-Z]{3}", "must be an ISO 4217 code of three capitals, such as NOK")]
Country = Annotated[str, _matches(r"[A-Z]{2}", "must be an ISO 3166 code of two capitals, such as NO")]
Site = Annotated[
    str, _matches(r"[A-Za-z0-9][A-Za-z0-9-]*", "must be the site's name only, the part before .chargebee.com")
]
HostName = Annotated[str, _matches(r"[A-Za-z0-9._-]{1,253}", "must be a host name or an IPv4 address, without port")]
TopicPrefix = Annotated[str, _matches(r"[A-Za-z0-9._-]{0,100}", "must be letters, digits, dot, dash, underscore")]
VatRate = Annotated[Decimal, _must(lambda rate: 0 <= rate < 1, "must be a fraction: 0.25 stands for 25 %")]
Slot = Annotated[tuple[int, int], BeforeValidator(_slot)]
Owners = Annotated[dict[str, System], BeforeValidator(_quoted_owner_keys), AfterValidator(_known_owner_keys)]
Port = Annotated[int, Field(ge=0, le=65535)]
Count = Annotated[int, Field(ge=1)]
MessageBytes = Annotated[int, Field(ge=20_000, le=64 * 1024 * 1024)]
Positive = Annotated[float, Field(gt=0)]
Seconds = Annotated[float, Field(ge=0)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False)


# --- the installation ---------------------------------------------------------------------------------------


class KafkaSettings(_Model):
    """How every process reaches Kafka and what the topics look like."""

    bootstrap: str = Field(default="127.0.0.1:9092", description="Brokers, host:port, separated by commas.")
    topic_prefix: TopicPrefix = Field(default="tandem.", description="Begins the name of every topic.")
    partitions: Count = Field(default=12, description="Partitions of every topic; fixed when the topics are created.")
    replication: Count = Field(default=1, description="Replicas of every topic; 3 where there are three brokers.")
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
    sasl_username: str | None = Field(default=None, description="Needed with SASL_PLAINTEXT and SASL_SSL.")
    sasl_password: SecretStr | None = Field(default=None, description="Needed with SASL_PLAINTEXT and SASL_SSL.")
    ssl_cafile: str | None = Field(default=None, description="PEM file of the authority; the system's when unset.")

    @model_validator(mode="after")
    def _complete(self) -> "KafkaSettings":
        keys = ("sasl_mechanism", "sasl_username", "sasl_password")
        absent = [key for key in keys if getattr(self, key) is None]
        if self.security_protocol.startswith("SASL") and absent:
            _contradiction(*((key, "is missing") for key in absent))
        return self


class PortSettings(_Model):
    """TCP ports the services listen on; 0 takes a free one."""

    console: Port = Field(default=8080, description="Web page of the operator; 0 takes a free port, as for all ports.")
    chargebee_adapter: Port = Field(default=8081, description="Webhooks, health and metrics of the Chargebee adapter.")
    poweroffice_adapter: Port = Field(default=8082, description="Health and metrics of the PowerOffice adapter.")
    linker: Port = Field(default=8083, description="Health and metrics of the linker.")


class ReachSettings(_Model):
    """Under which host other processes reach the services, where that is not this machine."""

    chargebee_adapter: HostName | None = Field(
        default=None, description="Host of the Chargebee adapter for others; unset: this machine."
    )
    poweroffice_adapter: HostName | None = Field(
        default=None, description="Host of the PowerOffice adapter for others; unset: this machine."
    )
    linker: HostName | None = Field(default=None, description="Host of the linker for others; unset: this machine.")


class LogSettings(_Model):
    """What the services write to standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="The least that is logged.")
    format: Literal["auto", "json", "console"] = Field(default="auto", description="auto: JSON unless on a terminal.")


class ConsoleSettings(_Model):
    """The read model behind `tandem`."""

    data: str = Field(default=".tandem/console", description="Directory of the read model; made anew when deleted.")
    patience: Positive = Field(
        default=1, description="Times how long commands wait for answers; more on a slow machine or network."
    )


# --- one tenant: its two systems ----------------------------------------------------------------------------


class ChargebeeSettings(_Model):
    """The Chargebee site of a tenant. Exactly one of `site` and `base_url` is set."""

    site: Site | None = Field(default=None, description="The site's name, the part before .chargebee.com.")
    base_url: Address | None = Field(default=None, description="Instead of site: the whole API address, to /api/v2.")
    api_key: SecretStr = Field(description="Full-access API key of the site.")
    webhook_username: SecretStr | None = Field(default=None, description="Basic auth of webhooks; both parts or none.")
    webhook_password: SecretStr | None = Field(default=None, description="Basic auth of webhooks; both parts or none.")
    prices: Literal["net", "gross"] | None = Field(
        default=None, description="Whether the site's prices exclude or include tax."
    )
    requests_per_minute: Positive = Field(default=150, description="API budget; a test site allows 150.")
    list_lag_s: Seconds = Field(
        default=300, description="How late lists may be; a snapshot's second pass waits for it."
    )
    events_interval_s: Positive = Field(default=60, description="Pause between readings of the events API.")
    suppress_emails: bool = Field(default=True, description="No e-mail to customers from any of our writes.")
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
            _contradiction(("site", "is missing"))
        if self.site is not None and self.base_url is not None:
            _contradiction(("base_url", "stands beside site", "keep one of site and base_url"))
        if self.webhook_username is None and self.webhook_password is not None:
            _contradiction(("webhook_username", "is missing"))
        if self.webhook_password is None and self.webhook_username is not None:
            _contradiction(("webhook_password", "is missing"))
        return self

    @property
    def api_url(self) -> str:
        """Address before every resource path, without a slash at its end (Chargebee API v2)."""
        return self.base_url or f"https://{self.site}.chargebee.com/api/v2"


class PowerOfficeSettings(_Model):
    """The Go client of a tenant. Either `environment`, or both of `base_url` and `token_url`."""

    environment: Literal["production", "demo"] | None = Field(default=None, description="Which Go: its keys never mix.")
    base_url: Address | None = Field(default=None, description="Instead of environment: API address, to /v2.")
    token_url: Address | None = Field(default=None, description="With base_url: address of the token endpoint.")
    application_key: SecretStr = Field(description="Application key of the integration.")
    client_key: SecretStr = Field(description="Client key of the company in Go.")
    subscription_key: SecretStr = Field(description="Subscription key; carries the rate limit.")
    requests_per_second: Positive = Field(default=10, description="Budget per subscription key, over all tenants.")
    poll_min_s: Positive = Field(default=5, description="Pause between polls after activity.")
    poll_max_s: Positive = Field(default=60, description="Pause between polls when idle.")
    overlap_s: Seconds = Field(default=120, description="How far a poll reaches back behind the newest change seen.")
    read_lag_s: Seconds = Field(
        default=2, description="After this, a second read confirms a change at an unmoved time."
    )
    sweep_s: Positive = Field(
        default=900, description="Pause between full sweeps (address edits, line edits, deletions)."
    )
    guard: Literal["test", "read"] = Field(
        default="test", description="Guard of a write: JSON Patch test operations, or a read just before."
    )

    @model_validator(mode="after")
    def _consistent(self) -> "PowerOfficeSettings":
        own = [key for key in ("base_url", "token_url") if getattr(self, key) is not None]
        if self.environment is None and not own:
            _contradiction(("environment", "is missing"))
        if self.environment is not None and own:
            fix = "keep environment, or base_url with token_url"
            _contradiction(*((key, "stands beside environment", fix) for key in own))
        if len(own) == 1:
            _contradiction(("token_url" if own == ["base_url"] else "base_url", "is missing"))
        if self.poll_min_s > self.poll_max_s:
            _contradiction(("poll_min_s", "must not exceed poll_max_s"))
        return self

    def _own_or(self, own: str | None, path: str) -> str:
        return own or f"https://goapi.poweroffice.net{'/Demo' if self.environment == 'demo' else ''}{path}"

    @property
    def api_url(self) -> str:
        """Address before every resource path, without a slash at its end (Go API v2)."""
        return self._own_or(self.base_url, "/v2")

    @property
    def token_endpoint(self) -> str:
        """Where an access token is fetched (Go developer portal, authentication)."""
        return self._own_or(self.token_url, "/OAuth/Token")


# --- one tenant: policies -----------------------------------------------------------------------------------


class CountrySettings(_Model):
    """What stands in for a blank country."""

    default: Country | None = Field(default=None, description="Sent for a blank country; unset: a blank is not sent.")


class InvoicingSettings(_Model):
    """Who invoices."""

    by: System | None = Field(
        default=None,
        description="Who invoices orders born in Chargebee. chargebee: their Go drafts say 'do not send'.",
    )


class StartSettings(_Model):
    """Where the past begins."""

    orders: date | None = Field(default=None, description="Older orders are neither created, linked nor reported.")


class CreateSettings(_Model):
    """Whether records missing on one side are created there."""

    to_chargebee: bool = Field(default=True, description="Create in Chargebee what was born in Go.")
    to_poweroffice: bool = Field(default=True, description="Create in Go what was born in Chargebee.")


class CreateOrderSettings(_Model):
    """As CreateSettings; towards Chargebee without a default, since it makes an imported invoice."""

    to_chargebee: bool | None = Field(
        default=None, description="Create orders born in Go, each with an imported invoice."
    )
    to_poweroffice: bool = Field(default=True, description="Create in Go what was born in Chargebee.")


class CreatePolicies(_Model):
    """Creation per entity and direction."""

    customer: CreateSettings = CreateSettings()
    product: CreateSettings = CreateSettings()
    order: CreateOrderSettings = CreateOrderSettings()


class ScopeSettings(_Model):
    """Which records take part."""

    customer: Literal["all", "referenced"] = Field(
        default="all", description="referenced: only those of orders in scope."
    )


class ImportSettings(_Model):
    """How an order born in Go stands in Chargebee."""

    status: Literal["paid_offline", "not_paid"] = Field(
        default="paid_offline", description="Status of the imported invoice; not_paid invites dunning."
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
    ] = Field(default="on_hold", description="Status of the imported order; queued may be shipped by a warehouse.")


class DeliveryDateSettings(_Model):
    """Whether the delivery date flows back."""

    to_chargebee: bool = Field(
        default=False, description="Write a delivery date edited in Go; it may steer a warehouse."
    )


class OrderSettings(_Model):
    """Policies of orders."""

    takeover: Literal["sent", "confirmed"] = Field(
        default="sent", description="When an order born in Go is taken over."
    )
    confirm: Literal["never", "on_delivered"] = Field(
        default="never", description="When a draft is confirmed; only where invoicing.by is poweroffice."
    )
    line_drift: Literal["report", "restore"] = Field(default="report", description="When Go's lines of a draft differ.")
    fallback_product: str | None = Field(
        default=None, description="Go product code for Chargebee lines without product; unset: rejected."
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


class ProductSettings(_Model):
    """Policies of products."""

    model_config = ConfigDict(coerce_numbers_to_str=True)

    vat_rate: VatRate | None = Field(
        default=None,
        description="Fraction (0.25), needed to convert gross prices; unset: gross prices are not synced.",
    )
    groups: dict[str, str] = Field(default={}, description="Item family id to Go product group code (account and VAT).")


class FirstLinkSettings(_Model):
    """The first meeting of two records that existed already."""

    differences: Literal["report", "owner"] = Field(
        default="report", description="owner: the owner's values win at once."
    )


class WritePriceSettings(_Model):
    """Prices edited in Go."""

    to_chargebee: Literal["charge", "all", "off"] = Field(
        default="charge",
        description="Which item prices follow Go; a plan's price hits every new subscription.",
    )


class WritePolicies(_Model):
    """Fields that are written with care."""

    price: WritePriceSettings = WritePriceSettings()


class DeleteCustomerSettings(_Model):
    """What a customer's deletion does to the other side."""

    to_chargebee: Literal["report"] = Field(default="report", description="A customer gone in Go is reported only.")
    to_poweroffice: ReportOrArchive = Field(
        default="report", description="archive: never with another role or a balance."
    )


class DeleteProductSettings(_Model):
    """What a product's deletion does to the other side."""

    to_chargebee: Literal["archive_go_born_charges", "report"] = Field(
        default="archive_go_born_charges", description="Charges born in Go are archived, others reported."
    )
    to_poweroffice: ReportOrArchive = Field(
        default="report", description="report, since an archived plan still renews."
    )


class DeleteOrderSettings(_Model):
    """What an order's deletion does to the other side."""

    to_chargebee: Literal["report"] = Field(default="report", description="Cancelling may credit; an operator does it.")
    to_poweroffice: Literal["remove_draft", "report"] = Field(
        default="remove_draft",
        description="Removes the Go draft if born in Chargebee and unchanged, else reports.",
    )


class DeletePolicies(_Model):
    """Deletions per entity and direction."""

    customer: DeleteCustomerSettings = DeleteCustomerSettings()
    product: DeleteProductSettings = DeleteProductSettings()
    order: DeleteOrderSettings = DeleteOrderSettings()


class Threshold(_Model):
    """How many changes pass before the breaker holds the rest."""

    at_least: int = Field(default=25, ge=0, description="So many always pass within the window.")
    percent: float = Field(
        default=5, ge=0, le=100, description="Share of the entity's linked records that passes, in %."
    )


class ChangesThreshold(Threshold):
    """The threshold of updates."""

    percent: float = Field(
        default=10, ge=0, le=100, description="Share of the entity's linked records that passes, in %."
    )


class DeletesThreshold(Threshold):
    """The threshold of deletions."""

    at_least: int = Field(default=10, ge=0, description="So many always pass within the window.")
    percent: float = Field(
        default=2, ge=0, le=100, description="Share of the entity's linked records that passes, in %."
    )


class MoneyThreshold(_Model):
    """How far the total of an order may be from its source; one further off holds the creation of more orders."""

    at_least: float = Field(default=1, ge=0, description="So much always passes, in the order's currency.")
    percent: float = Field(default=1, ge=0, le=100, description="Share of the order's total that passes, in %.")


class BreakerSettings(_Model):
    """When a batch is held for an operator."""

    creates: Threshold = Threshold()
    changes: ChangesThreshold = ChangesThreshold()
    deletes: DeletesThreshold = DeletesThreshold()
    money: MoneyThreshold = MoneyThreshold()
    window_s: Positive = Field(default=600, description="Window in which changes outside a reconcile are counted.")
    first_backfill: Literal["hold", "release"] = Field(
        default="hold", description="The first backfill of each entity; release lets it through by itself."
    )


class SinkSettings(_Model):
    """How commands are sent."""

    window: Count = Field(default=50, description="Bulk commands in flight per tenant and system.")
    retry_s: Seconds = Field(
        default=300, description="How long a failing call is repeated before the command is parked."
    )


class Tenant(_Model):
    """One Chargebee site together with one Go client, and what is decided about them."""

    partition: int | None = Field(
        default=None, ge=0, description="Partition of the tenant; unset: by crc32 of the name."
    )
    mode: Mode = Field(default="observe", description="observe: plans are kept and shown, nothing is written.")
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
        description="Winner of a conflict per entity or quoted entity.field: chargebee, poweroffice. Unset: "
        "chargebee, but poweroffice for charges (products). A field that is written at creation only has no owner.",
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
        """The keys of the four settings without a default that are not set, in the order of `DECISIONS`."""
        values = (self.invoicing.by, self.start.orders, self.create.order.to_chargebee, self.chargebee.prices)
        return [key for key, value in zip(DECISIONS, values, strict=True) if value is None]

    @property
    def effective_mode(self) -> Mode:
        """`mode`, but observe as long as a decision is missing."""
        return "observe" if self.missing_decisions() else self.mode


class Settings(_Model):
    """Everything a process of Tandem is told. Building one reads nothing; `load` does."""

    kafka: KafkaSettings = KafkaSettings()
    ports: PortSettings = PortSettings()
    reach: ReachSettings = ReachSettings()
    host: str = Field(default="127.0.0.1", description="Address the services listen on.")
    slot: Slot = Field(default=(0, 1), description="i/n: this process takes the partitions p with p mod n = i.")
    log: LogSettings = LogSettings()
    console: ConsoleSettings = ConsoleSettings()
    tenants: dict[TenantName, Tenant] = {}

    @model_validator(mode="after")
    def _partitions_exist(self) -> "Settings":
        count = self.kafka.partitions
        high = [name for name, one in self.tenants.items() if one.partition is not None and one.partition >= count]
        if high:
            words = f"must be below kafka.partitions ({count})"
            _contradiction(*((f"tenants.{name}.partition", words) for name in high))
        return self

    @model_validator(mode="after")
    def _confirms_what_is_sent(self) -> "Settings":
        asked = [
            name for name, one in self.tenants.items()
            if one.order.confirm == "on_delivered" and one.invoicing.by == "chargebee"
        ]  # fmt: skip
        if asked:
            words = "confirms nothing while invoicing.by is chargebee, since Go is not to send those drafts"
            fix = "set it to never, or invoicing.by to poweroffice"
            _contradiction(*((f"tenants.{name}.order.confirm", words, fix) for name in asked))
        return self

    def partition_of(self, tenant_name: str) -> int:
        """The partition of a configured tenant in every topic. Raises KeyError for an unknown name."""
        explicit = self.tenants[tenant_name].partition
        return zlib.crc32(tenant_name.encode()) % self.kafka.partitions if explicit is None else explicit

    def my_partitions(self) -> list[int]:
        """The partitions of configured tenants that belong to this process's slot, ascending, each once."""
        index, count = self.slot
        return sorted({p for p in map(self.partition_of, self.tenants) if p % count == index})


# --- the keys, as the models define them --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Key:
    """One setting. `path` has `*` in the place of the tenant's name."""

    path: tuple[str, ...]
    info: FieldInfo

    @property
    def secret(self) -> bool:
        """Whether the value comes from the environment only."""
        return SecretStr in (self.info.annotation, *get_args(self.info.annotation))

    @property
    def table(self) -> bool:
        """Whether the value is a table with free keys."""
        return get_origin(self.info.annotation) is dict


def _walk(model: type[BaseModel], prefix: tuple[str, ...]) -> Iterator[Key]:
    for name, info in model.model_fields.items():
        path = (*prefix, info.alias or name)
        inner = get_args(info.annotation)[-1] if get_origin(info.annotation) is dict else info.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from _walk(inner, path if inner is info.annotation else (*path, "*"))
        else:
            yield Key(path, info)


@functools.cache
def every_key() -> tuple[Key, ...]:
    """Every setting, in the order of the models."""
    return tuple(_walk(Settings, ()))


def _generic(path: tuple[str, ...]) -> tuple[str, ...]:
    return ("tenants", "*", *path[2:]) if path[:1] == ("tenants",) and len(path) > 1 else path


def _key_at(path: tuple[str, ...]) -> Key | None:
    return next((key for key in every_key() if key.path == _generic(path)), None)


def dotted(path: tuple[str, ...]) -> str:
    """A path as a TOML key, with quotes where TOML needs them; always one line."""
    return ".".join(part if re.fullmatch(r"[A-Za-z0-9_*-]+", part) else json.dumps(part) for part in path)


def variable(path: tuple[str, ...]) -> str:
    """The environment variable of a path."""
    return PREFIX + "__".join(re.sub(r"[^A-Z0-9_*-]", "__", part.upper()) for part in path)


# --- faults -------------------------------------------------------------------------------------------------


class Fault(NamedTuple):
    """One thing that is wrong: the full key, what is wrong with it, and the fix. Never a value."""

    key: str
    wrong: str
    fix: str


class SettingsError(Exception):
    """The settings cannot be used. Its text has one line per fault: key, what is wrong, the fix."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("\n".join(f"{fault.key}: {fault.wrong}; {fault.fix}" for fault in faults))
        self.faults = tuple(faults)


@dataclass(slots=True)
class _Reading:
    """What was read so far. `origins` tells which variable set a path."""

    data: dict[str, Any] = field(default_factory=dict, repr=False)
    origins: dict[tuple[str, ...], str] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def blame(self, key: str, wrong: str, fix: str) -> None:
        # The first fault of a key is its cause; a secret taken out of the file is not also missing.
        if all(fault.key != key for fault in self.faults):
            self.faults.append(Fault(key, wrong, fix))

    def put(self, path: tuple[str, ...], value: Any, origin: str) -> None:
        table = self.data
        for part in path[:-1]:
            inner = table.get(part)
            table[part] = inner if isinstance(inner, dict) else {}
            table = table[part]
        table[path[-1]] = value
        self.origins[path] = origin


def _set_it(path: tuple[str, ...]) -> str:
    key, name = _key_at(path), variable(path)
    return f"set {name} or {name}_FILE" if key and key.secret else f"set it in {DEFAULT_FILE} or {name}"


def _unknown(path: tuple[str, ...]) -> str:
    *parent, word = path
    depth, above = len(parent), _generic(path)[:-1]
    siblings = list(dict.fromkeys(key.path[depth] for key in every_key() if key.path[:depth] == above))
    secret = _key_at((*parent, word.removesuffix("_file")))
    if secret and secret.secret:
        return f"set {variable((*parent, word.removesuffix('_file')))}_FILE in the environment"
    if not difflib.get_close_matches(word.lower(), siblings, n=1):
        elsewhere = [key.path for key in every_key() if key.path[-1] == word and key.path[:2] == _generic(path)[:2]]
        if len(elsewhere) == 1:
            return f"did you mean {dotted((*path[:2], *elsewhere[0][2:]))}?"
    return _did_you_mean(word, siblings)


def _wrong_words(error: ErrorDetails) -> str:
    match error["type"]:
        case "tandem":
            return error["msg"]
        case "literal_error":
            return f"must be {error['ctx']['expected']}"
        case "bool_parsing" | "bool_type":
            return "must be on or off"
        case "model_type" | "dict_type":
            return "must be a table, not a value"
    words = re.sub(r"^(\w+ )?[Ii]nput should be", "must be", error["msg"])
    return re.sub(r"^(String|Value) should", "must", words).replace("; ", ", ").replace("\n", " ")


def _translate(error: ErrorDetails, reading: _Reading) -> None:
    """Say one of pydantic's errors in our words; its input is never looked at."""
    path = tuple(str(part) for part in error["loc"])
    if path[-1:] == ("[key]",):
        reading.blame(dotted(path[:-1]), error["msg"], "rename it")
    elif error["type"] == "missing":
        reading.blame(dotted(path), "is missing", _set_it(path))
    elif error["type"] == "extra_forbidden":
        reading.blame(dotted(path), "is an unknown key", _unknown(path))
    elif error["type"] == "tandem_faults":
        for name, wrong, *fix in error["ctx"]["faults"]:
            # A fault of the whole file carries its full path, one of a table the key in the table.
            at = (*path, name) if path else tuple(name.split("."))
            other_fix = _set_it(at) if wrong == "is missing" else _correct(at, reading)
            reading.blame(dotted(at), wrong, fix[0] if fix else other_fix)
    else:
        reading.blame(dotted(path), _wrong_words(error), _correct(path, reading))


def _correct(path: tuple[str, ...], reading: _Reading) -> str:
    for end in range(len(path), 0, -1):
        if path[:end] in reading.origins:
            return f"correct {reading.origins[path[:end]]}"
    return f"correct it in {DEFAULT_FILE}"


# --- reading ------------------------------------------------------------------------------------------------


def _read_toml(path: Path | None, environ: Mapping[str, str], reading: _Reading) -> None:
    named = path or (Path(environ[CONFIG_VARIABLE]) if environ.get(CONFIG_VARIABLE) else None)
    source = "the settings file" if path else CONFIG_VARIABLE if named else DEFAULT_FILE
    try:
        reading.data = tomllib.loads((named or Path(DEFAULT_FILE)).read_text(encoding="utf-8"))
    except FileNotFoundError:
        if named:
            reading.blame(source, "names a file that does not exist", "create the file or correct the path")
    except tomllib.TOMLDecodeError as error:
        # Only the position: the parser's words can quote what stands there.
        place = re.search(r"at line \d+, column \d+|at end of document", str(error))
        where = place[0] if place else "somewhere"
        reading.blame(source, f"is not valid TOML {where}", "correct it there (text needs quotes)")
    except UnicodeDecodeError:
        reading.blame(source, "is not UTF-8 text", "save it as UTF-8")
    except (OSError, ValueError) as error:
        reading.blame(source, f"cannot be read ({_reason(error)})", "make it readable for this user")


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or "not a usable path"


def _refuse_secrets(reading: _Reading) -> None:
    """Take secrets out of what the file said, with a fault for each."""
    tenants = reading.data.get("tenants")
    names = list(tenants) if isinstance(tenants, dict) else []
    for key in (key for key in every_key() if key.secret):
        for name in names if key.path[0] == "tenants" else [""]:
            path = ("tenants", name, *key.path[2:]) if name else key.path
            table: Any = reading.data
            for part in path[:-1]:
                table = table.get(part) if isinstance(table, dict) else None
            if isinstance(table, dict) and table.pop(path[-1], None) is not None:
                fix = f"remove it (and change the secret), {_set_it(path)}"
                reading.blame(dotted(path), f"is a secret and must not stand in {DEFAULT_FILE}", fix)


def _tenant_in(rest: str, known: list[str]) -> str:
    """The tenant's name that begins `DEMO__CHARGEBEE__...`; a known one may itself hold two underscores."""
    fitting = [name for name in known if rest.startswith(f"{name.upper()}__")]
    return max(fitting, key=len) if fitting else rest.partition("__")[0].lower()


def _overlay(environ: Mapping[str, str], reading: _Reading) -> None:
    tenants = reading.data.get("tenants")
    known = [str(name) for name in tenants] if isinstance(tenants, dict) else []
    for name in sorted(environ):
        # An empty variable is what `${NAME:-}` of a compose file leaves behind: not set.
        if name.startswith(PREFIX) and name != CONFIG_VARIABLE and environ[name].strip():
            _place(name, environ[name].strip(), known, reading)


def _place(name: str, value: str, known: list[str], reading: _Reading) -> None:
    """Put one variable where it belongs."""
    rest = name.removeprefix(PREFIX)
    head: tuple[str, ...] = ()
    if rest.startswith("TENANTS__"):
        tenant = _tenant_in(rest.removeprefix("TENANTS__"), known)
        rest, head = rest[len(f"TENANTS__{tenant}__") :], ("tenants", tenant)
    for key in (key for key in every_key() if key.path[:1] == head[:1] or not head):
        tail = key.path[2:] if head else key.path
        own, path = "__".join(tail).upper(), (*head, *tail)
        if rest == own and key.secret:
            return _put_secret(path, SecretStr(value), name, reading)
        if rest == f"{own}_FILE" and key.secret:
            return _put_secret(path, _read_secret(path, value, name, reading), name, reading)
        if rest == own:
            return reading.put(path, _table(value) if key.table else value, name)
        if key.table and rest.startswith(f"{own}__"):
            entry = rest[len(own) + 2 :].lower().replace("__", ".")
            return reading.put((*path, entry), value, name)
    _unplaced(name, rest, head, reading)


def _table(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _read_secret(path: tuple[str, ...], file: str, name: str, reading: _Reading) -> SecretStr | None:
    try:
        text = Path(file).read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        # Not the path: a secret is easily put into the wrong one of the two variables.
        wrong = f"the file that {name} names cannot be read ({_reason(error)})"
        reading.blame(dotted(path), wrong, f"correct {name} or make the file readable for this user")
        return None
    if not text:
        reading.blame(dotted(path), f"the file that {name} names is empty", "write the secret into it")
    return SecretStr(text) if text else None


def _put_secret(path: tuple[str, ...], value: SecretStr | None, name: str, reading: _Reading) -> None:
    if path in reading.origins:
        reading.blame(dotted(path), f"is set by both {reading.origins[path]} and {name}", "keep one of them")
    elif value is not None:
        reading.put(path, value, name)


def _unplaced(name: str, rest: str, head: tuple[str, ...], reading: _Reading) -> None:
    path = (*head, *rest.lower().split("__")) if rest else head
    names = [
        variable((*head, *key.path[2:]) if head else key.path)
        for key in every_key()
        if bool(head) == (key.path[0] == "tenants")
    ]
    if any(other.startswith(f"{name}__") for other in names) or path == ("tenants",):
        return reading.blame(dotted(path), "must be a table, not a value", f"set {name}__... instead of {name}")
    # Compared without the prefix, which would make everything a near miss. Other software sets flat variables
    # of our prefix (Kubernetes: TANDEM_PORT), so of those only near misses count.
    bare = [known.removeprefix(PREFIX) for known in names]
    close = difflib.get_close_matches(name.removeprefix(PREFIX), bare, n=1, cutoff=0.8)
    if close or "__" in name:
        fix = f"did you mean {PREFIX}{close[0]}?" if close else "remove it"
        reading.blame(dotted(path), f"is an unknown key (from {name})", fix)


def load(path: Path | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """The settings of `path`, else of the file TANDEM_CONFIG names, else of ./tandem.toml if there is one.

    `environ` lies over the file; it is `os.environ` when omitted. Raises SettingsError with all faults found.
    """
    variables = os.environ if environ is None else environ
    reading = _Reading()
    _read_toml(path, variables, reading)
    if reading.faults:
        # What the unreadable file says would else be reported as missing.
        raise SettingsError(reading.faults)
    _refuse_secrets(reading)
    _overlay(variables, reading)
    settings = _validated(reading)
    if settings is None or reading.faults:
        # Raised outside of every except block: a ValidationError in its context would hold the input.
        raise SettingsError(reading.faults)
    return settings


def _validated(reading: _Reading) -> Settings | None:
    try:
        return Settings.model_validate(reading.data)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        misnamed = {detail["loc"][:-1] for detail in details if detail["loc"][-1:] == ("[key]",)}
        for detail in details:
            # Whatever else is wrong with a misnamed tenant is told once it has a name.
            if detail["loc"][-1:] == ("[key]",) or detail["loc"][:2] not in misnamed:
                _translate(detail, reading)
    return None


# --- documentation ------------------------------------------------------------------------------------------

_KINDS = {
    bool: "on, off",
    int: "whole number",
    float: "number",
    str: "text",
    Decimal: "decimal",
    date: "date",
}
_INTRODUCTION = """# Settings

`tandem.toml` (another path: `TANDEM_CONFIG`), under environment variables. This page is written by
`python -m contracts.settings`; `tandem.example.toml` shows the same keys in place.

- The variable of a key is `TANDEM_` and the key in capitals, with two underscores for each dot:
  `tenants.demo.chargebee.site` is `TANDEM_TENANTS__DEMO__CHARGEBEE__SITE`. The environment wins over the
  file; an empty variable counts as not set. A table (`owner`, `product.groups`) may be given whole, as JSON.
- Secrets come from the environment only: the variable, or its name with `_FILE` for a file that holds it.
- On and off may be written `"on"`, `"off"`, `true` or `false`.
- A tenant stays in `observe` until the four settings marked *decision* are set.
- Unknown keys and unknown nested variables stop the start, with one line each that names the key and the fix.
"""


def _kind_text(key: Key) -> str:
    kinds = [part for part in (get_args(key.info.annotation) or (key.info.annotation,)) if part is not type(None)]
    if key.secret:
        return "secret"
    if key.table:
        return "table"
    if key.path == ("slot",):
        return "i/n"
    if get_origin(key.info.annotation) is Literal:
        return ", ".join(kinds)
    first = get_args(kinds[0])
    if get_origin(kinds[0]) is Annotated:
        return _KINDS[first[0]]
    return ", ".join(first) if first else _KINDS[kinds[0]]


def _default_text(key: Key) -> str:
    if key.info.is_required():
        return "required"
    if dotted(key.path[2:]) in DECISIONS:
        return "*decision*"
    value = key.info.default
    if isinstance(value, bool):
        return "`on`" if value else "`off`"
    if isinstance(value, tuple):
        return f"`{value[0]}/{value[1]}`"
    return f"`{value}`" if value not in (None, {}) else "none"


def markdown() -> str:
    """docs/settings.md: every key, its values, default and meaning."""
    head = "| Key | Values | Default | Meaning |\n|---|---|---|---|\n"
    rows: dict[bool, str] = {False: "", True: ""}
    for key in every_key():
        own = key.path[0] == "tenants"
        name = dotted(key.path[2:] if own else key.path)
        rows[own] += f"| `{name}` | {_kind_text(key)} | {_default_text(key)} | {key.info.description} |\n"
    tenants = "Names are 1 to 32 of a-z, 0-9 and `_`; each key stands under `tenants.<name>.`\n"
    installation = f"## The installation\n\n{head}{rows[False]}"
    return f"{_INTRODUCTION}\n{installation}\n## Each tenant\n\n{tenants}\n{head}{rows[True]}"


if __name__ == "__main__":
    sys.stdout.write(markdown())
