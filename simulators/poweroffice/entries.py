"""The customer ledger behind an invoice: payments, matching, reversal.

The description names the properties (OutgoingInvoiceDto: Balance, BalanceLastChangedDateTimeOffset,
MatchId, IsReversed); no endpoint of it does any of this.
"""

from __future__ import annotations

from typing import Any

from simulators.poweroffice.errors import Invalid, NotFound
from simulators.poweroffice.fields import Record
from simulators.poweroffice.sales import exact
from simulators.poweroffice.state import Go

KIND = "Outgoing invoice"


def set_balance(go: Go, invoice_id: str, balance: float) -> Record:
    """What a payment in the ledger does: `balance` remains, in the client's currency. Raises
    NotFound."""
    record = found_invoice(go, invoice_id)
    is_matched = balance != record["TotalPostedAmount"]
    match_id = (record["MatchId"] or go.next_number("match")) if is_matched else None
    return _booked(go, record, balance, match_id)


def reverse(go: Go, invoice_id: str) -> Record:
    """Nullify an invoice by a reversal voucher. Raises NotFound, Invalid where that has been
    done."""
    record = found_invoice(go, invoice_id)
    if record["IsReversed"]:
        raise Invalid(KIND, f"Invoice {record['InvoiceNo']} has been reversed already.")
    record = record | {"IsReversed": True}
    go.invoices.put(invoice_id, record)
    return (
        _booked(go, record, 0.0, go.next_number("match"))
        if go.settings.reversal_moves_balance
        else record
    )


def settle(go: Go, posted: Record) -> None:
    """Match an entry that was just posted: a credit note with the invoice it credits, and what has
    the same CustomMatchingReference and the opposite amount."""
    credited = go.invoices.get(posted.get("CreditedId") or "")
    if credited is not None and go.settings.credit_matches_invoice:
        _match(go, posted, credited)
        return
    reference = posted["CustomMatchingReference"]
    for other in go.invoices.rows() if reference else ():
        is_same = (
            other["CustomMatchingReference"] == reference
            and other["CustomerId"] == posted["CustomerId"]
        )
        if is_same and other["Balance"] == -posted["Balance"] and other["MatchId"] is None:
            _match(go, posted, other)
            return


def _match(go: Go, one: Record, other: Record) -> None:
    amount = min(abs(one["Balance"]), abs(other["Balance"]))
    if not amount or (one["Balance"] > 0) == (other["Balance"] > 0):
        return
    match_id = one["MatchId"] or other["MatchId"] or go.next_number("match")
    for record in (one, other):
        left = exact(record["Balance"]) - exact(amount if record["Balance"] > 0 else -amount)
        _booked(go, record, float(left), match_id)


def found_invoice(go: Go, invoice_id: str) -> Record:
    """Raises NotFound."""
    record = go.invoices.get(invoice_id)
    if record is None:
        raise NotFound(KIND, invoice_id)
    return record


def _booked(go: Go, record: Record, balance: float, match_id: Any) -> Record:
    now = go.clock.stamp()
    record = record | {
        "Balance": balance,
        "MatchId": match_id,
        "BalanceLastChangedDateTimeOffset": now,
    }
    if go.settings.payment_moves_invoice:
        record |= {"LastChangedDateTimeOffset": now}
    go.invoices.put(record["Id"], record)
    return record
