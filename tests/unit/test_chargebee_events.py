"""Which of Chargebee's events are about our records."""

from typing import Any

import pytest
from chargebee.models.enums import EventType

from services.chargebee_adapter import events

SUBJECTS = (
    "customer",
    "item",
    "item_price",
    "order",
    "invoice",
    "credit_note",
    "payment",
    "tax_withheld",
)
# Event types of the vendor that begin like ours and are about something else.
OTHERS = {
    "item_family_created",
    "item_family_updated",
    "item_family_deleted",
    "item_entitlements_updated",
    "item_entitlements_removed",
    "item_price_entitlements_updated",
    "item_price_entitlements_removed",
    "customer_entitlements_updated",
    "payment_due_reminder",
    "payment_failed",
    "payment_initiated",
    "payment_intent_created",
    "payment_intent_updated",
    "payment_schedule_scheme_created",
    "payment_schedule_scheme_deleted",
    "payment_schedules_created",
    "payment_schedules_updated",
    "payment_source_added",
    "payment_source_business_entity_changed",
    "payment_source_deleted",
    "payment_source_expired",
    "payment_source_expiring",
    "payment_source_locally_deleted",
    "payment_source_updated",
}
PAYMENTS = (
    "payment_succeeded",
    "payment_refunded",
    "tax_withheld_recorded",
    "tax_withheld_deleted",
    "tax_withheld_refunded",
)


def event(kind: str, **content: Any) -> dict[str, Any]:
    return {
        "id": "ev_1",
        "occurred_at": 5,
        "api_version": "v2",
        "event_type": kind,
        "content": content,
    }


def test_every_event_type_of_the_vendor_is_known_as_ours_or_as_another() -> None:
    alike = {
        each.value
        for each in EventType
        if each.value.startswith(tuple(f"{name}_" for name in SUBJECTS))
    }
    assert alike == set(events.EVENT_TYPES) | OTHERS


@pytest.mark.parametrize("kind", sorted(events.EVENT_TYPES))
def test_an_event_of_ours_names_its_subject(kind: str) -> None:
    subject = events.EVENT_TYPES[kind]
    record = {"id": "x", "item_id": "i", "reference_invoice_id": "7"}
    found = events.of(event(kind, **{subject: record}))
    assert found is not None
    assert (found.subject, found.record, found.is_deletion) == (
        subject,
        record,
        kind == f"{subject}_deleted",
    )


@pytest.mark.parametrize("kind", PAYMENTS)
def test_a_payment_is_about_its_invoice_if_there_is_one(kind: str) -> None:
    assert events.of(event(kind, transaction={"id": "t", "amount": 1})) is None
    with pytest.raises(ValueError, match=f"content.invoice.id is missing from {kind}"):
        events.of(event(kind, invoice={}))


def test_a_credit_note_is_about_the_invoice_that_it_names() -> None:
    assert events.of(event("credit_note_created", credit_note={"id": "CN-1"})) is None
    with pytest.raises(ValueError, match=r"content\.credit_note is missing"):
        events.of(event("credit_note_created"))
    with pytest.raises(ValueError, match=r"content\.credit_note\.reference_invoice_id is missing"):
        events.of(event("credit_note_created", credit_note={"reference_invoice_id": 7}))


ENTITLEMENTS = [
    event(
        "item_entitlements_updated",
        feature={"id": "brukere"},
        impacted_item={"count": 2, "items": ["pro"]},
    ),
    event(
        "item_entitlements_removed",
        feature={"id": "brukere"},
        impacted_item={"count": 1, "items": ["pro"]},
    ),
    event(
        "item_price_entitlements_updated",
        feature={"id": "b"},
        impacted_item_price={"item_prices": ["pro-NOK"]},
    ),
    event(
        "customer_entitlements_updated",
        impacted_customer={"customer_id": "kunde-1", "has_changed": True},
    ),
]


@pytest.mark.parametrize("raw", ENTITLEMENTS, ids=lambda raw: raw["event_type"])
def test_an_event_that_only_begins_like_ours_is_about_nothing(raw: dict[str, Any]) -> None:
    assert events.of(raw) is None


@pytest.mark.parametrize(
    "kind", [*sorted(OTHERS), "item_price_", "customer_changed_soon", "quote_created", ""]
)
def test_what_is_not_in_the_table_is_about_nothing(kind: str) -> None:
    assert (
        events.of(event(kind, customer={"id": "c"}, item={"id": "i"}, item_price={"item_id": "i"}))
        is None
    )
