"""Replies of list operations."""

from collections.abc import Callable
from typing import Any

from simulators.chargebee.calls import Call
from simulators.chargebee.listing import Listing, flag
from simulators.chargebee.site import Row, shown


def list_reply(
    call: Call,
    kind: str,
    listing: Listing,
    *,
    hides_deleted: bool,
    show: Callable[[Row], Row] = shown,
) -> dict[str, Any]:
    """`{"list": [{kind: resource}, ...], "next_offset": text or absent}`; lagging and capped as the
    settings say.

    With `hides_deleted`, deleted rows appear only with `include_deleted=true`.
    """
    settings = call.site.settings
    as_of_ms = call.site.now_ms() - int(settings.list_lag_s * 1000) if settings.list_lag_s else None
    rows = call.table(kind).rows(as_of_ms)
    if hides_deleted and not flag(call.params, "include_deleted"):
        rows = (row for row in rows if not row.get("deleted"))
    page, cursor = listing.page(rows, call.params, settings.list_cap_rows)
    return page_reply(kind, [show(row) for row in page], cursor)


def page_reply(kind: str, resources: list[Row], cursor: str | None) -> dict[str, Any]:
    reply: dict[str, Any] = {"list": [{kind: resource} for resource in resources]}
    if cursor is not None:
        reply["next_offset"] = cursor
    return reply
