"""Settings of one tenant: its two systems."""

from typing import Literal

from pydantic import Field, SecretStr, model_validator

from contracts.settings.base import Model
from contracts.settings.values import (
    NOT_HELD,
    Address,
    Pages,
    Positive,
    Seconds,
    Site,
    contradiction,
)


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
