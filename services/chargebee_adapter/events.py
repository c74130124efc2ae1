"""Chargebee's events, from webhooks and from the events API, read for what they are about. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from services.chargebee_adapter.client import decoded

Subject = Literal["customer", "order", "item", "item_price"]
# The longer names first: an `item_price_created` is not about an item.
_SUBJECTS: tuple[Subject, ...] = ("item_price", "item", "customer", "order")
_NOT_OURS = ("item_family_",)


@dataclass(frozen=True)
class Event:
    """One event. `record` is the resource as it was then, `occurred_at_s` UTC seconds (0 when absent)."""

    id: str
    subject: Subject
    record: dict[str, Any]
    occurred_at_s: int
    is_deletion: bool


def decode(body: bytes) -> dict[str, Any]:
    """The event object of a webhook's body. Raises ValueError with a reason."""
    try:
        event = decoded(body)
    except ValueError as error:
        raise ValueError("the body is no JSON text") from error
    if not isinstance(event, dict):
        raise ValueError("the body is no JSON object")
    if event.get("api_version", "v2") != "v2":
        raise ValueError(f"api_version is {event['api_version']!r}; set the webhook to API version 2")
    if not isinstance(event.get("event_type"), str):
        raise ValueError("event_type is missing")
    if not isinstance(event.get("content"), dict):
        raise ValueError("content is missing")
    return event


def of(raw: Mapping[str, Any]) -> Event | None:
    """The event if it is about a customer, an order, an item or an item price, else None.

    Raises ValueError where the record it must carry is missing.
    """
    kind = str(raw.get("event_type"))
    subject = next((each for each in _SUBJECTS if kind.startswith(f"{each}_")), None)
    if subject is None or kind.startswith(_NOT_OURS):
        return None
    content = raw.get("content")
    record = content.get(subject) if isinstance(content, Mapping) else None
    if not isinstance(record, dict):
        raise ValueError(f"content.{subject} is missing from {kind}")
    owner = "item_id" if subject == "item_price" else "id"
    if not isinstance(record.get(owner), str) or not record[owner]:
        raise ValueError(f"content.{subject}.{owner} is missing from {kind}")
    return Event(
        id=str(raw.get("id") or ""),
        subject=subject,
        record=record,
        occurred_at_s=occurred_at_s(raw),
        is_deletion=kind == f"{subject}_deleted",
    )


def occurred_at_s(raw: Mapping[str, Any]) -> int:
    """UTC seconds of an event, 0 when absent."""
    value = raw.get("occurred_at")
    return value if isinstance(value, int) else 0
