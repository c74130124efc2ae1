"""The events API and the small read-only endpoints of the site."""

from typing import Any, Final

from simulators.chargebee.calls import Call
from simulators.chargebee.errors import not_found
from simulators.chargebee.fields import BASE_CURRENCY, CURRENCIES
from simulators.chargebee.listing import Listing
from simulators.chargebee.replies import page_reply
from simulators.chargebee.site import ENDPOINT_ID, Row, Site

_SOURCES: Final = (
    "admin_console",
    "api",
    "scheduled_job",
    "hosted_page",
    "portal",
    "system",
    "none",
    "js_api",
    "migration",
    "bulk_operation",
    "external_service",
)
_WEBHOOK_STATUS: Final = (
    "not_configured",
    "scheduled",
    "succeeded",
    "re_scheduled",
    "failed",
    "skipped",
    "not_applicable",
    "disabled",
    "rate_limited",
)
_LISTING: Final = Listing(
    {
        "id": "id",
        "event_type": "enum",
        "source": "enum",
        "occurred_at": "time",
        "webhook_status": "enum",
    },
    ("occurred_at",),
    enums={"source": _SOURCES, "webhook_status": _WEBHOOK_STATUS},
    is_newest_first=True,
)
_ENDPOINT_LISTING: Final = Listing({})


def list_all(call: Call) -> dict[str, Any]:
    """Events less than 90 days old."""
    page, cursor = _LISTING.page(
        call.site.retained_events(), call.params, call.site.settings.list_cap_rows
    )
    return page_reply("event", page, cursor)


def retrieve(call: Call) -> dict[str, Any]:
    event = call.site.events_by_id.get(call.id)
    if event is None or not call.site.is_retained(event):
        raise not_found("event", call.id)
    return {"event": event}


def _endpoints(site: Site) -> list[Row]:
    """The one endpoint of the settings. Its user name and password are never shown."""
    if site.settings.webhook_url is None:
        return []
    endpoint = {
        "id": ENDPOINT_ID,
        "name": "Webhook",
        "url": site.settings.webhook_url,
        "send_card_resource": False,
        "disabled": site.settings.webhook_disabled,
        "primary_url": True,
        "api_version": "v2",
        "chargebee_response_schema_type": "items",
        "object": "webhook_endpoint",
    }
    return [endpoint]


def list_endpoints(call: Call) -> dict[str, Any]:
    page, cursor = _ENDPOINT_LISTING.page(_endpoints(call.site), call.params)
    return page_reply("webhook_endpoint", page, cursor)


def retrieve_endpoint(call: Call) -> dict[str, Any]:
    for endpoint in _endpoints(call.site):
        if endpoint["id"] == call.id:
            return {"webhook_endpoint": endpoint}
    raise not_found("webhook_endpoint", call.id)


def configurations(call: Call) -> dict[str, Any]:
    site = {
        "domain": "simulated",
        "product_catalog_version": call.site.settings.product_catalog_version,
        "chargebee_response_schema_type": "items",
        "object": "configuration",
    }
    return {"configurations": [site]}


def currencies(call: Call) -> dict[str, Any]:
    entries = [
        {
            "id": f"cur_{code.lower()}",
            "enabled": True,
            "currency_code": code,
            "is_base_currency": code == BASE_CURRENCY,
            "forex_type": "auto",
            "object": "currency",
        }
        for code in CURRENCIES
    ]
    return page_reply("currency", entries, None)
