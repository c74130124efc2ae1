"""What can be changed at run time, by `/_sim/settings`."""

from dataclasses import dataclass, field, fields
from typing import Any, Final, Literal, get_args

# 2 min, 6 min, 30 min, 1 h, 5 h, 1 day, 2 days [docs].
WEBHOOK_DELAYS_S: Final = (120.0, 360.0, 1800.0, 3600.0, 18_000.0, 86_400.0, 172_800.0)
UNPAID_STATUSES: Final = ("posted", "payment_due", "not_paid")
Remainder = Literal["last_line", "rounding_adjustement"]
SiteState = Literal["ready", "not_found", "not_ready", "read_only", "blocked"]


@dataclass(slots=True)
class Settings:
    """What `/_sim/settings` can change at run time. Times are in seconds of the site's clock.

    Webhooks: the first attempt comes after `webhook_delay_s`, for the next `webhook_late_next`
    events after `webhook_late_s`; attempt n+1 comes `webhook_retry_delays_s[n] / webhook_speed`
    after attempt n. `revoked_keys` are names of API keys.

    Orders: Chargebee generates them when an invoice is paid, or in one of `order_invoice_statuses`,
    `late_orders_s` later, `shipments_per_invoice` of them, the second and later ones dated a month
    after the one before.
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
    orders_enabled: bool = True
    orders_for_imported_invoices: bool = True
    # Unpaid statuses in which an invoice gets its orders already: posted, payment_due, not_paid.
    order_invoice_statuses: list[str] = field(default_factory=list)
    include_non_shippable_in_orders: bool = False
    late_orders_s: float = 0.0
    shipments_per_invoice: int = 1
    shipment_remainder: Remainder = "last_line"
    # What `import_order` derives from its invoice; the documents do not say.
    imported_orders_hold: Literal["all", "shippable"] = "all"
    imported_lines_may_be_negative: bool = False
    # A credit note on an invoice gives its orders a new version and event too, not only the
    # invoice.
    credit_notes_move_orders: bool = False
    void_cancels_orders: bool = False
    void_with_credit_note: bool = False
    site_state: SiteState = "ready"
    revoked_keys: list[str] = field(default_factory=list)
    product_catalog_version: Literal["v1", "v2"] = "v2"
    price_type: Literal["tax_exclusive", "tax_inclusive"] = "tax_exclusive"
    tax_rate_percent: float = 25.0
    # A few minutes on the real site; short here so that tests need not wait.
    customer_delete_delay_s: float = 2.0
    get_deleted_is_404: bool = False
    # Whether a customer's deletion counts as a change of it; the documents do not say.
    deletion_moves_version: bool = False
    custom_fields: list[str] = field(default_factory=list)
    list_lag_s: float = 0.0
    list_cap_rows: int | None = None
    clock_offset_s: float = 0.0

    def change(self, values: dict[str, Any]) -> None:
        """Set the named fields. Raises ValueError for an unknown name or a value of another
        type."""
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
        if values.get("shipments_per_invoice", 1) < 1:
            raise ValueError("setting shipments_per_invoice should be at least 1")
        if not set(values.get("order_invoice_statuses", ())) <= set(UNPAID_STATUSES):
            raise ValueError(
                f"setting order_invoice_statuses should be of {', '.join(UNPAID_STATUSES)}"
            )
        for name, value in values.items():
            setattr(self, name, value)


_CHOICES: Final[dict[str, tuple[str, ...]]] = {
    "imported_orders_hold": ("all", "shippable"),
    "price_type": ("tax_exclusive", "tax_inclusive"),
    "product_catalog_version": ("v1", "v2"),
    "shipment_remainder": get_args(Remainder),
    "site_state": get_args(SiteState),
}
