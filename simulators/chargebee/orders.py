"""Orders: generated from invoices or imported; only status, dates, tracking and a few texts change
later."""

from typing import Any, Final

from simulators.chargebee.calls import Call
from simulators.chargebee.credit_notes import REASONS as CREDIT_REASONS
from simulators.chargebee.credit_notes import REMARKS, issue, refundable_minor, withdraw
from simulators.chargebee.errors import ApiError, invalid_state, not_found, wrong_value
from simulators.chargebee.fields import (
    Fields,
    as_address,
    boolean,
    choice,
    integer,
    read,
    read_address,
    text,
    timestamp,
)
from simulators.chargebee.listing import Listing
from simulators.chargebee.order_rows import document_number, order_row
from simulators.chargebee.order_shares import shipped_lines
from simulators.chargebee.params import rows, sub
from simulators.chargebee.replies import list_reply, page_reply
from simulators.chargebee.site import Row, shown

STATUSES: Final = (
    "queued",
    "awaiting_shipment",
    "on_hold",
    "shipped",
    "partially_delivered",
    "delivered",
    "returned",
    "cancelled",
)
_LEGACY_STATUSES: Final = ("new", "processing", "complete", "cancelled", "voided")
REASONS: Final = (
    "shipping_cut_off_passed",
    "product_unsatisfactory",
    "third_party_cancellation",
    "product_not_required",
    "delivery_date_missed",
    "alternative_found",
    "invoice_written_off",
    "invoice_voided",
    "fraudulent_transaction",
    "payment_declined",
    "subscription_cancelled",
    "product_not_available",
    "others",
    "order_resent",
)
_LISTING: Final = Listing(
    {
        "id": "id",
        "invoice_id": "id",
        "subscription_id": "id",
        "status": "enum",
        "order_type": "enum",
        "order_date": "time",
        "shipping_date": "time",
        "shipped_at": "time",
        "paid_on": "time",
        "created_at": "time",
        "updated_at": "time",
        "is_resent": "bool",
        "resent_status": "enum",
        "original_order_id": "id",
        "price_type": "enum",
    },
    ("created_at", "updated_at"),
    enums={"status": (*STATUSES, *_LEGACY_STATUSES), "order_type": ("manual", "system_generated")},
)
_OF_INVOICE: Final = Listing({}, is_newest_first=True)
_CHANGEABLE: Final[Fields] = {
    "reference_id": text(50),
    "batch_id": text(50),
    "note": text(600),
    "fulfillment_status": text(50),
    "tracking_id": text(50),
    "tracking_url": text(255),
    "shipment_carrier": text(50),
    "order_date": timestamp,
    "shipping_date": timestamp,
    "shipped_at": timestamp,
    "delivered_at": timestamp,
    "cancelled_at": timestamp,
    "cancellation_reason": choice(*REASONS),
    "status": choice(*STATUSES),
}
_LINE_CHANGEABLE: Final[Fields] = {"id": text(40), "status": choice(*STATUSES), "sku": text(250)}
_IMPORT_FIELDS: Final[Fields] = {
    "id": text(40),
    "document_number": text(50),
    "invoice_id": text(50),
    "subscription_id": text(50),
    "customer_id": text(50),
    "created_at": timestamp,
    "refundable_credits_issued": integer(0),
    **_CHANGEABLE,
}
_STATUS_EVENTS: Final = {
    "delivered": "order_delivered",
    "cancelled": "order_cancelled",
    "returned": "order_returned",
}
_STATUS_TIMES: Final = {
    "shipped": "shipped_at",
    "delivered": "delivered_at",
    "cancelled": "cancelled_at",
}


def list_all(call: Call) -> dict[str, Any]:
    if not call.site.settings.orders_enabled:
        raise ApiError(400, "configuration_incompatible", "Orders are not enabled for this site")
    return list_reply(call, "order", _LISTING, hides_deleted=True)


def list_of_invoice(call: Call) -> dict[str, Any]:
    """The orders of one invoice, newest first."""
    call.current("invoice")
    page, cursor = _OF_INVOICE.page(call.site.orders_of(call.id), call.params)
    return page_reply("order", [shown(row) for row in page], cursor)


def retrieve(call: Call) -> dict[str, Any]:
    return {"order": shown(call.current("order"))}


def refuse_create(call: Call) -> dict[str, Any]:
    """Manual creation ended on 1 October 2021 [docs]; the exact error is not published."""
    raise ApiError(
        400,
        "configuration_incompatible",
        "Creating an order through the API is no longer supported",
    )


def update(call: Call) -> dict[str, Any]:
    row = call.live("order")
    given = read(call.params, _CHANGEABLE)
    address = as_address(read_address(call.params, "shipping_address"), "shipping_address")
    changed = {**row, **given, "order_line_items": _changed_lines(call, row)}
    if address is not None:
        changed["shipping_address"] = address
    return _moved(call, row, changed, given.get("status") or row["status"])


def cancel(call: Call) -> dict[str, Any]:
    """Cancels with a reason; `credit_note[total]` (minor units) issues a refundable credit note."""
    row = _uncancelled(call.live("order"))
    fields: Fields = {"cancellation_reason": choice(*REASONS), "cancelled_at": timestamp, **REMARKS}
    given = read(call.params, fields, required=("cancellation_reason",))
    credit = read(sub(call.params, "credit_note"), {"total": integer(0)}, "credit_note[{}]")
    if credit.get("total"):
        row = _credited(call, row, {**credit, "reason_code": "order_cancellation"})
    changed = {
        **row,
        "cancellation_reason": given["cancellation_reason"],
        "note": given.get("comment") or row.get("note"),
        "cancelled_at": given.get("cancelled_at") or call.site.now_s(),
    }
    return _moved(call, row, changed, "cancelled")


def cancelled_for(call: Call, invoice_id: str, reason: str) -> None:
    """Cancel the orders of an invoice that are still to be shipped, as Chargebee does by itself."""
    for row in call.site.orders_of(invoice_id):
        if row["status"] in ("queued", "awaiting_shipment", "on_hold"):
            _moved(call, row, {**row, "cancellation_reason": reason}, "cancelled")


def create_refundable_credit_note(call: Call) -> dict[str, Any]:
    """Credits a part of what has been paid of the order; its status stays."""
    row = call.live("order")
    read(call.params, REMARKS)
    fields: Fields = {"reason_code": choice(*CREDIT_REASONS), "total": integer(1)}
    given = read(
        sub(call.params, "credit_note"),
        fields,
        "credit_note[{}]",
        required=("reason_code", "total"),
    )
    return call.commit("order", _credited(call, row, given), "order_updated")


def _credited(call: Call, row: Row, given: Row) -> Row:
    """The order with a refundable credit note of its own. Raises 400 for more than has been paid of
    it."""
    invoice = call.table("invoice").get(row["invoice_id"])
    limit = min(refundable_minor(invoice), row["amount_paid"] - row["refundable_credits_issued"])
    if given["total"] > limit:
        raise wrong_value("credit_note[total]", f"cannot be greater than {limit}")
    issue(call, invoice, given, "refundable", given["total"], order_id=row["id"])
    return call.table("order").get(row["id"])


def reopen(call: Call) -> dict[str, Any]:
    """Puts a cancelled order back into the queue; its cancellation's credit notes are voided where
    that is asked."""
    row = call.live("order")
    given = read(call.params, {"void_cancellation_credit_notes": boolean})
    if row["status"] != "cancelled":
        raise invalid_state("Only a cancelled order can be reopened")
    if given.get("void_cancellation_credit_notes"):
        notes = [call.table("credit_note").get(each["id"]) for each in row["linked_credit_notes"]]
        for note in notes:
            if note["status"] == "refund_due" and note.get("reason_code") == "order_cancellation":
                withdraw(call, note, "credit_note_updated")
        row = call.table("order").get(row["id"])
    changed = {
        **row,
        "status": "queued",
        "status_update_at": call.site.now_s(),
        "cancelled_at": None,
        "cancellation_reason": None,
    }
    return call.commit("order", changed, "order_updated")


def assign_number(call: Call) -> dict[str, Any]:
    row = call.live("order")
    if row.get("document_number"):
        raise invalid_state("The order already has a number")
    return call.commit(
        "order", {**row, "document_number": document_number(call.site)}, "order_updated"
    )


def delete(call: Call) -> dict[str, Any]:
    """Imported orders only [spec]."""
    row = call.live("order")
    if not row["_is_imported"]:
        raise invalid_state("Only imported orders can be deleted")
    return call.commit("order", {**row, "deleted": True}, "order_deleted")


def import_order(call: Call) -> dict[str, Any]:
    """An order for an imported invoice; its lines are derived from the invoice."""
    required = ("invoice_id", "status", "created_at", "order_date", "shipping_date")
    given = read(call.params, _IMPORT_FIELDS, required=required)
    invoice = call.table("invoice").get(given["invoice_id"], "invoice_id")
    if invoice["deleted"]:
        raise not_found("invoice", invoice["id"], "invoice_id")
    if not invoice["_is_imported"]:
        raise wrong_value("invoice_id", "orders can be imported for imported invoices only")
    if given.get("customer_id") not in (None, invoice["customer_id"]):
        raise wrong_value("customer_id", "is not the customer of the invoice")
    if given.get("id"):
        call.table("order").refuse_duplicate_id(given["id"])
    set_values = {name: value for name, value in given.items() if value is not None}
    address = as_address(read_address(call.params, "shipping_address"), "shipping_address")
    row = {
        **order_row(call, invoice, _imported_lines(call, invoice)),
        **set_values,
        "_is_imported": True,
    }
    if address is not None:
        row["shipping_address"] = address
    row["order_line_items"] = [
        {**line, "status": row["status"]} for line in row["order_line_items"]
    ]
    return call.commit("order", row, "order_created")


def _imported_lines(call: Call, invoice: Row) -> list[Row]:
    if call.site.settings.imported_orders_hold == "all":
        return list(invoice["line_items"])
    lines = shipped_lines(
        invoice, includes_others=call.site.settings.include_non_shippable_in_orders
    )
    if not lines:
        raise wrong_value("invoice_id", "no line item of the invoice is shippable")
    return lines


def _changed_lines(call: Call, row: Row) -> list[Row]:
    """Only status and sku of existing lines change; the id is the key [spec]."""
    lines = {line["id"]: line for line in row["order_line_items"]}
    for index, cells in rows(call.params, "order_line_items"):
        wire = f"order_line_items[{{}}][{index}]"
        given = read(cells, _LINE_CHANGEABLE, wire, required=("id",))
        if given["id"] not in lines:
            raise not_found("order line item", given["id"], wire.format("id"))
        merged = {**lines[given["id"]], **given}
        lines[given["id"]] = {name: value for name, value in merged.items() if value is not None}
    return list(lines.values())


def _uncancelled(row: Row) -> Row:
    if row["status"] == "cancelled":
        raise invalid_state("The order is cancelled")
    return row


def _moved(call: Call, old: Row, changed: Row, status: str) -> dict[str, Any]:
    """Store a change with its status move: any current-system move except out of `cancelled`."""
    _uncancelled(old)
    changed["status"] = status
    if status == old["status"]:
        return call.commit("order", changed, "order_updated")
    changed["status_update_at"] = call.site.now_s()
    stamp = _STATUS_TIMES.get(status)
    if stamp is not None and changed.get(stamp) == old.get(stamp):
        changed[stamp] = call.site.now_s()
    reply = call.commit("order", changed, "order_updated")
    if status in _STATUS_EVENTS:
        call.site.emit(_STATUS_EVENTS[status], reply, call.actor)
    return reply
