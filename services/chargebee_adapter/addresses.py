"""Which ids can stand in a path of Chargebee's API. Pure.

Own ids have no published set of characters. A `/` stays as it is, since Chargebee does not find
`%2F` and its own SDKs send it so (chargebee/chargebee-go#40). So an id may look like a path to
something else; such a one is never sent.
"""

from collections.abc import Mapping
from typing import Literal

from contracts.messages import Problem
from contracts.said import Said, say

Resource = Literal["customers", "items", "item_prices", "item_families", "orders", "invoices"]
# Greatest lengths of ids by the API reference.
ID_MAX: Mapping[Resource, int] = {
    "customers": 50,
    "items": 100,
    "item_prices": 100,
    "item_families": 100,
    "orders": 40,
    "invoices": 50,
}
# The last words of operations on a record, and those on the whole resource, by the vendor's own SDK
# (3.29).
RECORD_WORDS: Mapping[Resource, frozenset[str]] = {
    "customers": frozenset(
        (
            "add_contact",
            "add_promotional_credits",
            "assign_payment_role",
            "change_billing_date",
            "clear_personal_data",
            "collect_payment",
            "contacts",
            "copy_card",
            "create_subscription_estimate",
            "create_subscription_for_items_estimate",
            "create_subscription_quote",
            "create_subscription_quote_for_items",
            "credit_card",
            "credit_notes",
            "customer_entitlements",
            "deduct_promotional_credits",
            "delete",
            "delete_card",
            "delete_contact",
            "delete_relationship",
            "email_logs",
            "hierarchy",
            "hierarchy_detail",
            "import_for_items",
            "import_subscription",
            "invoices",
            "payment_vouchers",
            "record_excess_payment",
            "relationships",
            "send_payment_request",
            "set_promotional_credits",
            "subscription_for_items",
            "subscriptions",
            "switch_gateway",
            "transactions",
            "upcoming_invoices_estimate",
            "update_billing_info",
            "update_contact",
            "update_hierarchy_settings",
            "update_payment_method",
        )
    ),
    "items": frozenset(
        (
            "attached_items",
            "delete",
            "item_entitlements",
        )
    ),
    "item_prices": frozenset(
        (
            "applicable_item_prices",
            "applicable_items",
            "delete",
            "differential_prices",
        )
    ),
    "item_families": frozenset(("delete",)),
    "orders": frozenset(
        (
            "assign_order_number",
            "cancel",
            "create_refundable_credit_note",
            "delete",
            "reopen",
            "resend",
        )
    ),
    "invoices": frozenset(
        (
            "add_addon_charge",
            "add_charge",
            "add_charge_item",
            "apply_credits",
            "apply_payment_schedule_scheme",
            "apply_payments",
            "close",
            "collect_payment",
            "delete",
            "delete_line_items",
            "download_einvoice",
            "orders",
            "pause_dunning",
            "payment_schedules",
            "payment_vouchers",
            "payments",
            "pdf",
            "record_payment",
            "record_refund",
            "record_tax_withheld",
            "refund",
            "remove_credit_note",
            "remove_payment",
            "remove_tax_withheld",
            "resend_einvoice",
            "resume_dunning",
            "send_einvoice",
            "send_email",
            "stop_dunning",
            "sync_usages",
            "update_details",
            "void",
            "void_before_capture",
            "write_off",
        )
    ),
}
RESOURCE_WORDS: Mapping[Resource, frozenset[str]] = {
    "customers": frozenset(("merge", "move")),
    "items": frozenset(),
    "item_prices": frozenset(),
    "item_families": frozenset(),
    "orders": frozenset(("import_order",)),
    "invoices": frozenset(
        (
            "charge",
            "charge_addon",
            "create_for_charge_item",
            "create_for_charge_items_and_charges",
            "import_invoice",
            "payment_reference_numbers",
        )
    ),
}


def unaddressable(resource: Resource, record_id: str) -> Problem | None:
    """Why no request for this record can be sent, if so."""
    reason = _reason(resource, record_id)
    if reason is None:
        return None
    said = say("unaddressable", id=repr(record_id), resource=resource, reason=reason)
    return Problem.of("unaddressable", said, "id")


def _reason(resource: Resource, record_id: str) -> Said | None:
    segments = record_id.split("/")
    if len(record_id) > ID_MAX[resource]:
        return say("id_too_long", count=len(record_id), most=ID_MAX[resource])
    if record_id != record_id.strip() or not record_id:
        return say("id_blank")
    if any(ord(each) < 32 or ord(each) == 127 for each in record_id):
        return say("id_control")
    if "" in segments or "." in segments or ".." in segments:
        return say("id_path")
    if record_id in RESOURCE_WORDS[resource] or (
        len(segments) > 1 and segments[-1] in RECORD_WORDS[resource]
    ):
        return say("id_operation", value=repr(segments[-1]))
    return None
