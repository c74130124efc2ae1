"""What the invoice of an order is worth, whether it is paid, and what was credited of it. Pure."""

from collections.abc import Iterator

from contracts import entities
from contracts.units import major
from contracts.values import text
from services.chargebee_adapter import models
from services.chargebee_adapter.mapping import Raw, milliseconds, version_of
from services.chargebee_adapter.order.amounts import ROUND_OFF_MAX_MINOR

VOIDED = "voided"  # status of an invoice and of a credit note


def version(order: Raw, invoice: Raw | None) -> str:
    """The version of an order: 13 digits; with its invoice `<greater>.<sum>`, the form of products.

    Payments and credit notes move only the invoice. Both are read by separate calls, of which a
    list may lag: two readings with the same greater part can differ in the other, and the sum tells
    which is newer.
    """
    if invoice is None:
        return version_of(order)
    parts = milliseconds(order), milliseconds(invoice)
    return f"{max(parts):013d}.{sum(parts):017d}"


def facts(
    record: models.Order,
    invoice: models.Invoice | None,
    currency: str,
    *,
    is_born_in_go: bool = False,
) -> entities.Invoice:
    """The canonical invoice of an order; what only an invoice tells is None where it is not known.

    Of an invoice with several orders, each credit note counts with the portion that the order
    itself names. A sale of Go is its whole invoice, whatever share of it the order holds.
    """
    total, whole = max(0, record.total or 0), (invoice.total if invoice is not None else None) or 0
    is_part = not is_born_in_go and whole - total > ROUND_OFF_MAX_MINOR
    notes = dict(_notes(record, invoice, is_part=is_part, is_whole=is_born_in_go))
    credited = min(sum(notes.values()), max(total, whole) if is_born_in_go else total)
    base = entities.Invoice(
        number=text(record.invoice_id),
        paid=None if record.payment_status is None else record.payment_status == "paid",
        credited=major(credited, currency),
        credit_notes=tuple(sorted(notes)),
    )
    if invoice is None:
        return base
    return entities.Invoice(
        number=base.number,
        paid=base.paid if invoice.status is None else invoice.status == "paid",
        void=invoice.status == VOIDED or invoice.deleted,
        total=None if invoice.total is None else major(invoice.total, currency),
        balance=None if invoice.amount_due is None else major(invoice.amount_due, currency),
        credited=base.credited,
        credit_notes=base.credit_notes,
    )


def _notes(
    record: models.Order, invoice: models.Invoice | None, *, is_part: bool, is_whole: bool
) -> Iterator[tuple[str, int]]:
    """The amount of each credit note that counts, the one that counts coming last. The order may
    name one that the invoice does not, and the other way round; a note that either calls voided is
    void, since that is final. Of a part of an invoice only what the order names counts; of a sale
    of Go what the invoice says."""
    own = [(note.id, note.amount, note.status) for note in record.linked_credit_notes or ()]
    listed = (
        (*(invoice.adjustment_credit_notes or ()), *(invoice.issued_credit_notes or ()))
        if invoice
        else ()
    )
    whole = [(note.cn_id, note.cn_total, note.cn_status) for note in listed]
    void = {name for name, _, status in (*own, *whole) if status == VOIDED}
    for name, amount, _ in own if is_part else (*own, *whole) if is_whole else (*whole, *own):
        if name and name not in void and (amount or 0) > 0:
            yield name, amount or 0
