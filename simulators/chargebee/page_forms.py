"""What a person can do by hand on the page: each form is one operation of the API with the fields
it takes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from simulators.chargebee import catalog, corrections, credit_notes, customers, invoices, orders
from simulators.chargebee.calls import Call
from simulators.chargebee.fields import ADDRESS_FIELDS, CURRENCIES
from simulators.chargebee.site import Row
from simulators.page import Field, FieldKind

Texts = Mapping[str, str]
_YES_NO: Final = ("true", "false")
_TAX_PARTS: Final = (
    "vat_number",
    "vat_number_prefix",
    "business_customer_without_vat_number",
    "registered_for_gst",
)


@dataclass(frozen=True, slots=True)
class Input:
    """One field of a form; `name` is the wire name, such as `billing_address[city]`."""

    name: str
    label: str = ""
    options: tuple[str, ...] = ()
    kind: FieldKind = "text"
    default: str = ""

    def text(self, row: Row) -> str:
        """What the record holds, as the text of the field."""
        value: Any = row
        for part in self.name.replace("]", "").split("["):
            value = value.get(part) if isinstance(value, dict) else None
        if isinstance(value, bool):
            return str(value).lower()
        return self.default if value is None else str(value)

    def shown(self, text: str) -> Field:
        kind: FieldKind = "select" if self.options else self.kind
        return Field(self.name, text, self.label or self.name.replace("_", " "), kind, self.options)


def _changed(action: "Action", row: Row, texts: Texts) -> dict[str, str]:
    current = {each.name: each.text(row) for each in action.inputs}
    return {
        name: texts[name] for name, text in current.items() if name in texts and texts[name] != text
    }


def _whole(action: "Action", row: Row, texts: Texts) -> dict[str, str]:
    return {each.name: texts[each.name] for each in action.inputs if texts.get(each.name)}


def _on_invoice(action: "Action", row: Row, texts: Texts) -> dict[str, str]:
    return {"reference_invoice_id": row["id"], **_whole(action, row, texts)}


def _billing(action: "Action", row: Row, texts: Texts) -> dict[str, str]:
    """Everything that the operation would erase, with what the person changed; {} when nothing
    was."""
    changed = _changed(action, row, texts)
    if not changed:
        return {}
    kept = [Input(name) for name in _TAX_PARTS] + [
        Input(f"billing_address[{name}]") for name in ADDRESS_FIELDS
    ]
    values = {each.name: each.text(row) for each in kept} | changed
    return {name: text for name, text in values.items() if text}


@dataclass(frozen=True, slots=True)
class Action:
    """A form below `/{kind}s/{id}` (`name` empty for the plain edit) or `/new/{kind}`.

    `params` gives the parameters to send for a record and the texts of the form; {} means that
    nothing changed.
    """

    kind: str
    name: str
    title: str
    operation: Callable[[Call], dict[str, Any]]
    inputs: tuple[Input, ...] = ()
    params: Callable[["Action", Row, Texts], dict[str, str]] = _changed
    is_offered: Callable[[Row], bool] = field(default=lambda row: not row.get("deleted"))

    @property
    def needs_params(self) -> bool:
        return self.params is not _whole

    def fields(self, row: Row, typed: Texts | None = None) -> list[Field]:
        """The form as the record fills it, or as the person left it."""
        return [
            each.shown(each.text(row) if typed is None else typed.get(each.name, ""))
            for each in self.inputs
        ]


_PROFILE: Final = (
    Input("first_name"),
    Input("last_name"),
    Input("company"),
    Input("email"),
    Input("phone"),
    Input("taxability", options=("taxable", "exempt")),
    Input("net_term_days", kind="number"),
    Input("locale"),
)
_BILLING: Final = (
    Input("billing_address[company]", "company on the bill"),
    Input("billing_address[line1]", "address"),
    Input("billing_address[line2]", "address, second line"),
    Input("billing_address[zip]", "zip"),
    Input("billing_address[city]", "city"),
    Input("billing_address[country]", "country, two letters"),
    Input("vat_number", "VAT or organisation number"),
)
_ITEM: Final = (
    Input("name"),
    Input("external_name"),
    Input("description", kind="textarea"),
    Input("unit"),
    Input("is_shippable", options=_YES_NO),
    Input("status", options=("active", "archived")),
)
_PRICE: Final = (
    Input("name"),
    Input("external_name"),
    Input("price", "price in minor units (øre, cent)", kind="number"),
    Input("is_taxable", options=_YES_NO),
    Input("accounting_detail[sku]", "SKU"),
    Input("status", options=("active", "archived")),
)
_ORDER: Final = (
    Input("status", options=orders.STATUSES),
    Input("reference_id"),
    Input("note", kind="textarea"),
    Input("tracking_id"),
    Input("shipment_carrier"),
    Input("batch_id"),
    Input("fulfillment_status"),
)
_INVOICE: Final = (
    Input("customer_id"),
    Input("currency_code", options=CURRENCIES, default="NOK"),
    Input("item_prices[item_price_id][0]", "item price id (type charge)"),
    Input("item_prices[quantity][0]", "quantity", kind="number", default="1"),
    Input("po_number"),
)


def _is_payable(invoice: Row) -> bool:
    return not invoice["deleted"] and invoice["status"] in ("payment_due", "not_paid", "posted")


def _is_voidable(invoice: Row) -> bool:
    return _is_payable(invoice) and not invoice["linked_payments"]


def _is_creditable(invoice: Row) -> bool:
    return _is_payable(invoice) or _is_refundable(invoice)


def _is_refundable(invoice: Row) -> bool:
    return (
        not invoice["deleted"]
        and invoice["status"] != "voided"
        and credit_notes.refundable_minor(invoice) > 0
    )


def _has_payment(invoice: Row) -> bool:
    return not invoice["deleted"] and bool(invoice["linked_payments"])


def _is_open(order: Row) -> bool:
    return not order["deleted"] and order["status"] != "cancelled"


def _is_cancelled(order: Row) -> bool:
    return not order["deleted"] and order["status"] == "cancelled"


def _is_unspent(note: Row) -> bool:
    return (
        not note["deleted"]
        and note["status"] in ("adjusted", "refund_due")
        and not note["amount_refunded"]
    )


def _is_due(note: Row) -> bool:
    return not note["deleted"] and note["status"] == "refund_due"


_METHOD: Final = Input(
    "transaction[payment_method]",
    "payment method",
    invoices.PAYMENT_METHODS,
    default="bank_transfer",
)
_AMOUNT: Final = Input(
    "transaction[amount]", "amount in minor units (empty: all of it)", kind="number"
)
_REASON: Final = Input("reason_code", options=credit_notes.REASONS, default="other")

ACTIONS: Final = (
    Action("customer", "", "Details", customers.update, _PROFILE),
    Action(
        "customer",
        "billing",
        "Billing address and VAT",
        customers.update_billing_info,
        _BILLING,
        _billing,
    ),
    Action("customer", "delete", "Delete this customer", customers.delete, params=_whole),
    Action("item", "", "Details", catalog.update_item, _ITEM),
    Action("item", "delete", "Delete this item", catalog.delete_item, params=_whole),
    Action("item_price", "", "Details", catalog.update_price, _PRICE),
    Action("item_price", "delete", "Delete this item price", catalog.delete_price, params=_whole),
    Action("order", "", "Details", orders.update, _ORDER, is_offered=_is_open),
    Action(
        "order",
        "cancel",
        "Cancel this order",
        orders.cancel,
        (
            Input("cancellation_reason", options=orders.REASONS, default="others"),
            Input("credit_note[total]", "credit in minor units (empty: none)", kind="number"),
        ),
        _whole,
        _is_open,
    ),
    Action(
        "order",
        "credit",
        "Credit a part of this order",
        orders.create_refundable_credit_note,
        (
            Input("credit_note[total]", "credit in minor units", kind="number"),
            Input("credit_note[reason_code]", "reason", credit_notes.REASONS, default="other"),
        ),
        _whole,
        _is_open,
    ),
    Action(
        "order",
        "reopen",
        "Reopen this order",
        orders.reopen,
        (Input("void_cancellation_credit_notes", options=_YES_NO, default="true"),),
        _whole,
        _is_cancelled,
    ),
    Action(
        "invoice",
        "payment",
        "Record the payment of what is due",
        invoices.record_payment,
        (_METHOD, _AMOUNT),
        _whole,
        _is_payable,
    ),
    Action(
        "invoice",
        "credit",
        "Make a credit note",
        credit_notes.create,
        (
            Input("type", options=credit_notes.TYPES, default="refundable"),
            Input("total", "total in minor units", kind="number"),
            _REASON,
        ),
        _on_invoice,
        _is_creditable,
    ),
    Action(
        "invoice",
        "refund",
        "Record a refund",
        corrections.record_refund_today,
        (_METHOD, _AMOUNT),
        _whole,
        _is_refundable,
    ),
    Action(
        "invoice",
        "unpay",
        "Remove a payment",
        corrections.remove_payment,
        (Input("transaction[id]", "transaction"),),
        _whole,
        _has_payment,
    ),
    Action(
        "invoice",
        "void",
        "Void this invoice",
        corrections.void,
        (Input("comment"),),
        _whole,
        _is_voidable,
    ),
    Action(
        "credit_note",
        "void",
        "Void this credit note",
        credit_notes.void,
        (Input("comment"),),
        _whole,
        _is_unspent,
    ),
    Action(
        "credit_note",
        "refund",
        "Record that it is paid back",
        credit_notes.record_refund_today,
        (_METHOD, _AMOUNT),
        _whole,
        _is_due,
    ),
)
NEW: Final = (
    Action(
        "customer",
        "new",
        "New customer",
        customers.create,
        (Input("id", "id (optional)"), *_PROFILE[:5], *_BILLING),
        _whole,
    ),
    Action("invoice", "new", "New invoice", invoices.create_for_charges, _INVOICE, _whole),
)
