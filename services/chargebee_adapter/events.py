"""Chargebee's events, from webhooks and from the events API, read for what they are about. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from services.chargebee_adapter.client import decoded

Subject = Literal["customer", "order", "item", "item_price", "invoice", "credit_note"]
_DELETED = "deleted"
# The last words of the event types that carry a whole record under the subject's name (enum
# EventType of Chargebee's SDK, webhook contents of the API reference). Others begin alike and carry
# none, such as `item_entitlements_updated`.
_TYPES: Mapping[Subject, tuple[str, ...]] = {
    "customer": (
        "created",
        "changed",
        _DELETED,
        "moved_in",
        "moved_out",
        "business_entity_changed",
    ),
    "item": ("created", "updated", _DELETED),
    "item_price": ("created", "updated", _DELETED),
    "order": (
        "created",
        "updated",
        "cancelled",
        "delivered",
        "returned",
        "ready_to_process",
        "ready_to_ship",
        "resent",
        _DELETED,
    ),
    "invoice": ("generated", "generated_with_backdating", "updated", _DELETED),
    "credit_note": ("created", "created_with_backdating", "updated", _DELETED),
}
# What moves the amounts of an invoice and carries it whole, if it is about one at all.
_OF_INVOICES = (
    "payment_succeeded",
    "payment_refunded",
    "tax_withheld_recorded",
    "tax_withheld_deleted",
    "tax_withheld_refunded",
)
EVENT_TYPES: Mapping[str, Subject] = {
    **{f"{subject}_{what}": subject for subject, words in _TYPES.items() for what in words},
    **dict.fromkeys(_OF_INVOICES, "invoice"),
}
# The field without which a record is not known; otherwise its `id`.
_KNOWN_BY: Mapping[Subject, str] = {"item_price": "item_id", "credit_note": "reference_invoice_id"}


@dataclass(frozen=True)
class Event:
    """One event. `record` is the resource as it was then, `occurred_at_s` UTC seconds (0 when
    absent); `source` and `user` name who caused it, empty when absent."""

    id: str
    subject: Subject
    record: dict[str, Any]
    occurred_at_s: int
    is_deletion: bool
    source: str = ""
    user: str = ""


def decode(body: bytes) -> dict[str, Any]:
    """The event object of a webhook's body. Raises ValueError with a reason."""
    try:
        event = decoded(body)
    except ValueError as error:
        raise ValueError("the body is no JSON text") from error
    if not isinstance(event, dict):
        raise ValueError("the body is no JSON object")
    if event.get("api_version", "v2") != "v2":
        raise ValueError(
            f"api_version is {event['api_version']!r}; set the webhook to API version 2"
        )
    if not isinstance(event.get("event_type"), str):
        raise ValueError("event_type is missing")
    if not isinstance(event.get("content"), dict):
        raise ValueError("content is missing")
    return event


def of(raw: Mapping[str, Any]) -> Event | None:
    """The event if its type is one of EVENT_TYPES, else None; None too for a payment or a credit
    note without invoice.

    Raises ValueError where the record it must carry is missing.
    """
    kind = str(raw.get("event_type"))
    subject = EVENT_TYPES.get(kind)
    if subject is None:
        return None
    content = raw.get("content")
    record = content.get(subject) if isinstance(content, Mapping) else None
    if not isinstance(record, dict):
        if kind in _OF_INVOICES and isinstance(content, Mapping):
            return None
        raise ValueError(f"content.{subject} is missing from {kind}")
    owner = _KNOWN_BY.get(subject, "id")
    if subject == "credit_note" and not record.get(owner):
        return None
    if not isinstance(record.get(owner), str) or not record[owner]:
        raise ValueError(f"content.{subject}.{owner} is missing from {kind}")
    return Event(
        id=str(raw.get("id") or ""),
        subject=subject,
        record=record,
        occurred_at_s=occurred_at_s(raw),
        is_deletion=kind == f"{subject}_{_DELETED}",
        source=str(raw.get("source") or ""),
        user=str(raw.get("user") or ""),
    )


def occurred_at_s(raw: Mapping[str, Any]) -> int:
    """UTC seconds of an event, 0 when absent."""
    value = raw.get("occurred_at")
    return value if isinstance(value, int) else 0
