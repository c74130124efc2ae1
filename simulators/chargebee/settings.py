"""What can be changed at run time, by `/_sim/settings`."""

from dataclasses import dataclass, field, fields
from typing import Any, Final, Literal, get_args

# 2 min, 6 min, 30 min, 1 h, 5 h, 1 day, 2 days [docs].
WEBHOOK_DELAYS_S: Final = (120.0, 360.0, 1800.0, 3600.0, 18_000.0, 86_400.0, 172_800.0)
SiteState = Literal["ready", "not_found", "not_ready", "read_only", "blocked"]


@dataclass(slots=True)
class Settings:
    """What `/_sim/settings` can change at run time. Times are in seconds of the site's clock.

    Webhooks: the first attempt comes after `webhook_delay_s`, for the next `webhook_late_next` events after
    `webhook_late_s`; attempt n+1 comes `webhook_retry_delays_s[n] / webhook_speed` after attempt n.
    `revoked_keys` are names of API keys.
    """

    rate_limit_per_minute: int = 150
    webhook_url: str | None = None
    webhook_username: str | None = None
    webhook_password: str | None = None
    webhook_delay_s: float = 0.0
    webhook_copies: int = 1
    webhook_drop_next: int = 0
    webhook_late_next: int = 0
    webhook_late_s: float = 3 * 86_400.0
    webhook_shuffle: bool = False
    # As a person disables the endpoint in the console: events say `disabled` and nothing is sent.
    webhook_disabled: bool = False
    # The whole schedule of 3 days 7 h passes in 40 minutes, the first retry after a second.
    webhook_speed: float = 120.0
    webhook_retry_delays_s: list[float] = field(default_factory=lambda: list(WEBHOOK_DELAYS_S))
    generate_orders_for_imported_invoices: bool = False
    orders_enabled: bool = True
    site_state: SiteState = "ready"
    revoked_keys: list[str] = field(default_factory=list)
    product_catalog_version: Literal["v1", "v2"] = "v2"
    price_type: Literal["tax_exclusive", "tax_inclusive"] = "tax_exclusive"
    tax_rate_percent: float = 25.0
    # A few minutes on the real site; short here so that tests need not wait.
    customer_delete_delay_s: float = 2.0
    get_deleted_is_404: bool = False
    custom_fields: list[str] = field(default_factory=list)
    list_lag_s: float = 0.0
    list_cap_rows: int | None = None
    clock_offset_s: float = 0.0

    def change(self, values: dict[str, Any]) -> None:
        """Set the named fields. Raises ValueError for an unknown name or a value of another type."""
        known = {f.name for f in fields(self)}
        unknown = set(values) - known
        if unknown:
            raise ValueError(f"unknown settings: {', '.join(sorted(unknown))}")
        for name, value in values.items():
            default = getattr(Settings(), name)
            kinds = (int, float) if isinstance(default, float) else (type(default),)
            if default is not None and not isinstance(value, kinds):
                raise ValueError(f"setting {name} should be of type {type(default).__name__}")
            if name in _CHOICES and value not in _CHOICES[name]:
                raise ValueError(f"setting {name} should be one of {', '.join(_CHOICES[name])}")
        if values.get("webhook_speed", 1) <= 0:
            raise ValueError("setting webhook_speed should be above 0")
        for name, value in values.items():
            setattr(self, name, value)


_CHOICES: Final[dict[str, tuple[str, ...]]] = {
    "price_type": ("tax_exclusive", "tax_inclusive"),
    "product_catalog_version": ("v1", "v2"),
    "site_state": get_args(SiteState),
}
