"""The first line of a draft in PowerOffice Go that came from Chargebee: who has been asked to pay.
Pure.

Go shows it to whoever is about to send the draft, and on the invoice to the customer if it is sent
all the same.
"""

from collections.abc import Mapping
from typing import Any, Literal

INVOICED = "Invoiced in Chargebee"  # so begins the line of a draft that nobody is to send
InvoicedBy = Literal["chargebee", "poweroffice"]


def notice(order: Mapping[str, Any], invoiced_by: InvoicedBy) -> str | None:
    """The line for an order of Chargebee in its JSON form; None where nothing has to be said."""
    invoice = order.get("invoice") or {}
    number = f"no. {invoice['number']}" if invoice.get("number") else ""
    if invoiced_by == "chargebee":
        cancelled = "cancelled" if order.get("status") == "cancelled" else ""
        said = [each for each in (INVOICED, number, cancelled, _standing(invoice)) if each]
        return f"{', '.join(said)}. Do not send."
    if order.get("status") == "cancelled":
        return f"Cancelled in Chargebee{_named(number)}. Do not send."
    if invoice.get("void"):
        return f"The invoice in Chargebee{_named(number)} is void. Do not send."
    credited = _credited(invoice)
    if invoice.get("paid"):
        return f"Already paid in Chargebee{_named(number)}{credited and f', {credited}'}."
    return f"In Chargebee{_named(number)} {credited}." if credited else None


def _named(number: str) -> str:
    return f", invoice {number}" if number else ""


def _standing(invoice: Mapping[str, Any]) -> str:
    if invoice.get("void"):
        return "void"
    paid = {True: "paid", False: "unpaid"}.get(invoice.get("paid"), "")  # type: ignore[arg-type]
    return ", ".join(each for each in (paid, _credited(invoice)) if each)


def _credited(invoice: Mapping[str, Any]) -> str:
    if not (numbers := invoice.get("credit_notes")):
        return ""
    return f"credited {invoice.get('credited')} by {', '.join(numbers)}"
