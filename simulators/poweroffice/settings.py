"""The switches of the simulator, readable and changeable while it runs through /_sim/settings."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any


@dataclass
class Settings:
    """Defaults are the vendor's documented values, or the likeliest where nothing is documented."""

    token_ttl_s: int = 1200
    rate_limit_per_s: int = 10
    """Per subscription key, the token endpoint included; 0 lifts it."""
    rate_window_s: float = 1.0
    """How long a request counts; more shows a full window at leisure."""
    rate_limit_retry_after_s: int | None = 1
    """Value of Retry-After on 429; null leaves the header out."""
    page_size_default: int = 5000
    page_size_max: int = 20000
    x_pagination: bool = True
    clock_offset_s: float = 0.0
    """Moves the server's clock: its instants, the Date header, the age of tokens, delayed sendings,
    the read lag."""
    list_rows_max: dict[str, int] = field(default_factory=dict)
    """Cuts a listing off, by template: {"/Customers": 10} shows ten rows in all, 0 an empty
    listing."""
    read_lag_s: float = 0.0
    """GET answers with the state of so long ago, as a read replica would."""
    send_delay_s: float = 0.0
    send_error_message: str | None = None
    """When set, sending fails with this as LastErrorMessage and the order stays."""
    ignore_test_ops: bool = False
    """JSON Patch `test` always passes."""
    patch_other_case: str = "ignore"
    """A patch path in other letter case than PascalCase: ignore (200, nothing happens), accept or
    refuse."""
    refuse_unknown_properties: bool = False
    problem_media_type: str = "application/json"
    """Of problem bodies, as the OpenAPI description has it; "application/problem+json" is the
    framework's own."""
    noop_patch_bumps: bool = True
    line_change_bumps_order: bool = True
    order_number_at_creation: bool = True
    """False assigns SalesOrderNo when the order is first confirmed."""
    order_reference_covers_sent: bool = True
    """An order's ExternalImportReference must differ from those of sent invoices too."""
    orders_of_archived_customers: bool = False
    """True lets an order be made for a customer that is archived."""
    credit_names_invoice: bool = True
    """RelatedInvoiceNo stands on credit notes ("can be available")."""
    credit_matches_invoice: bool = True
    """A credit note is matched with the invoice it credits, so that both balances fall."""
    payment_moves_invoice: bool = False
    """A payment moves LastChangedDateTimeOffset of the invoice too, not only that of the
    balance."""
    reversal_moves_balance: bool = True
    """A reversal takes the balance away; False leaves all but IsReversed as it was."""
    allow_duplicate_product_code: bool = False
    text_lengths: dict[str, int] = field(default_factory=dict)
    """Characters of texts for which the description states no length, by property: {"PhoneNumber":
    50}."""
    product_post_status: int = 201
    client_sales_accounts: bool = True
    """False: the client's own sales settings name no sales accounts, so a line is computed only
    where the product or its group has one."""
    removed_privileges: list[str] = field(default_factory=list)
    """Lacking in every token issued from now on; a token keeps what it was issued with."""
    privileges_at_once: bool = False
    """Removed privileges are lost by the tokens already issued, too; those given back still need a
    new token."""
    revoked_clients: list[str] = field(default_factory=list)
    """Names of clients whose client key is no longer accepted and whose tokens are void."""
    client_id: str = "5b4c2a0e-7f0d-4b58-9d2f-3b8f3f1f6a10"
    client_name: str = "Fjordvik Abonnement AS"

    def update(self, changes: Any) -> None:
        """Apply some settings. Raises ValueError naming an unknown one or a value of another
        type."""
        if not isinstance(changes, dict):
            raise ValueError("an object of settings is expected")
        kinds = {one.name: str(one.type) for one in fields(self)}
        for name, value in changes.items():
            if name not in kinds:
                raise ValueError(f"unknown setting '{name}'")
            if not _fits(kinds[name], value):
                raise ValueError(f"setting '{name}' is a {kinds[name]}")
        for name, value in changes.items():
            setattr(self, name, value)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def _fits(kind: str, value: Any) -> bool:
    if value is None:
        return kind.endswith("| None")
    head = kind.split(" | ")[0].split("[")[0]
    wanted: dict[str, type | tuple[type, ...]] = {
        "int": int,
        "float": (int, float),
        "bool": bool,
        "str": str,
        "list": list,
        "dict": dict,
    }
    return isinstance(value, wanted[head]) and (head == "bool" or not isinstance(value, bool))
