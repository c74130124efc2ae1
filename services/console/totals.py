"""The orders of one month, added up on both sides, and each with its numbers, for whoever closes
the books."""

import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from contracts.entities import SYSTEMS, System, other
from contracts.messages import Link
from contracts.said import Said, english, say
from services.console.base import Unfit
from services.console.files import html_text, write, write_csv
from services.console.findings import brief_said, left_in
from services.console.model import ReadModel
from services.console.model_rows import side_of
from services.console.waiting import stored

UNKNOWN = say("order_unknown")
AMOUNTS = ("net", "tax", "total")
SUM_COLUMNS = ("currency", "system", "orders", "net", "VAT", "gross")
ORDER_COLUMNS = (
    "link",
    "date",
    "currency",
    "Chargebee order",
    "Chargebee invoice",
    "paid",
    "Go order",
    "Go invoice",
    "net Chargebee",
    "net Go",
    "VAT Chargebee",
    "VAT Go",
    "gross Chargebee",
    "gross Go",
    "difference",
    "note",
)


class Sums(msgspec.Struct, kw_only=True):
    """Of one currency on one side."""

    orders: int = 0
    net: Decimal = Decimal(0)
    tax: Decimal = Decimal(0)
    total: Decimal = Decimal(0)


class OrderRow(msgspec.Struct, kw_only=True):
    """One order with what each system calls it. Amounts are decimal text, None where that side has
    no such order."""

    link: str
    date: str | None
    currency: str | None
    chargebee: str | None = None
    chargebee_invoice: str | None = None
    paid: bool | None = None
    poweroffice: str | None = None
    poweroffice_invoice: str | None = None
    amounts: dict[str, dict[str, str | None]] = {}
    note: str = ""


class Totals(msgspec.Struct, kw_only=True):
    """A month: sums by currency and system with their difference, the linked orders, and those that
    stand alone."""

    month: str
    sums: dict[str, dict[str, Sums]]
    orders: list[OrderRow]
    unlinked: list[OrderRow]

    @property
    def differs(self) -> bool:
        """Whether both sides do not add up to the same."""
        return any(by["difference"] != Sums() for by in self.sums.values())


def month_of(text: str) -> str:
    """A month as YYYY-MM. Raises Unfit."""
    if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", text):
        raise Unfit(say("month_wrong", value=text))
    return text


def totals_of(model: ReadModel, tenant: str, run_id: str, month: str) -> Totals:
    """Add up what a run read of orders; cancelled and deleted ones do not count, and neither do
    credit notes, which stand in the order in Chargebee and are documents of their own in Go:
    findings tell what one side has credited."""
    read = {
        (event.system, event.id): event.data
        for event in model.readings(tenant, run_id, "order")
        if event.data is not None and not event.deleted and _counts(event.data)
    }
    linked = set[tuple[System, str]]()
    found = Totals(month=month, sums={}, orders=[], unlinked=[])
    for link in model.links(tenant, "order"):
        ids = {system: side.id for system in SYSTEMS if (side := side_of(link, system)) is not None}
        linked.update(ids.items())
        held = {system: read.get((system, id)) for system, id in ids.items()}
        if not any(data and _is_of(month, data) for data in held.values()):
            continue
        row = _row(link, held)
        (found.orders if all(held.get(system) for system in SYSTEMS) else found.unlinked).append(
            row
        )
        for system, data in held.items():
            if data is not None:
                _add(found, system, data)
    for (system, id), data in read.items():
        if (system, id) not in linked and _is_of(month, data):
            found.unlinked.append(_unknown(system, id, data))
            _add(found, system, data)
    for by in found.sums.values():
        ours, theirs = by.setdefault("chargebee", Sums()), by.setdefault("poweroffice", Sums())
        by["difference"] = Sums(
            orders=ours.orders - theirs.orders,
            **{name: getattr(ours, name) - getattr(theirs, name) for name in AMOUNTS},
        )
    found.orders.sort(key=lambda row: (row.date or "", row.link))
    found.unlinked.sort(key=lambda row: (row.date or "", row.link))
    return found


def _is_of(month: str, data: dict[str, Any]) -> bool:
    return str(data.get("order_date") or "").startswith(month)


def _counts(data: dict[str, Any]) -> bool:
    return data.get("status") != "cancelled" and not str(data.get("total") or "").startswith("-")


def _add(found: Totals, system: System, data: dict[str, Any]) -> None:
    sums = found.sums.setdefault(str(data.get("currency")), {}).setdefault(system, Sums())
    sums.orders += 1
    for name in AMOUNTS:
        setattr(sums, name, getattr(sums, name) + Decimal(data.get(name) or 0))


def _unknown(system: System, id: str, data: dict[str, Any]) -> OrderRow:
    """An order that was read and has no link: its event is on its way, or was lost."""
    row = OrderRow(
        link="",
        date=data.get("order_date"),
        currency=data.get("currency"),
        amounts={name: {system: data.get(name), other(system): None} for name in AMOUNTS},
        note=english(UNKNOWN),
    )
    setattr(row, system, data.get("number") or id)
    return row


def _row(link: Link, held: dict[System, dict[str, Any] | None]) -> OrderRow:
    ours, theirs = held.get("chargebee") or {}, held.get("poweroffice") or {}
    paid = (ours.get("invoice") or {}).get("paid")
    return OrderRow(
        link=link.key,
        date=ours.get("order_date") or theirs.get("order_date"),
        currency=ours.get("currency") or theirs.get("currency"),
        chargebee=ours.get("number") or (link.chargebee.id if link.chargebee else None),
        chargebee_invoice=(ours.get("invoice") or {}).get("number"),
        paid=paid,
        poweroffice=theirs.get("number") or (link.poweroffice.id if link.poweroffice else None),
        poweroffice_invoice=(theirs.get("invoice") or {}).get("number"),
        amounts={
            name: {"chargebee": ours.get(name), "poweroffice": theirs.get(name)} for name in AMOUNTS
        },
        note=english(*note_said(link, is_whole=bool(ours and theirs))),
    )


def note_said(link: Link, *, is_whole: bool) -> list[Said]:
    """What is to be said of an order, as sentences: why it is as it is, and what a person has to
    act on. `is_whole` where it was read on both sides."""
    why = stored(link)
    if why and not is_whole:
        why = [say("state_why", state=link.state, why=why)]
    return [*why, *map(brief_said, left_in(link))]


def sum_rows(found: Totals) -> Iterator[tuple[str, ...]]:
    """The sums with SUM_COLUMNS."""
    for currency, by in sorted(found.sums.items()):
        for name in (*SYSTEMS, "difference"):
            sums = by[name]
            yield (
                currency,
                name,
                str(sums.orders),
                *(f"{getattr(sums, each):f}" for each in AMOUNTS),
            )


def order_rows(rows: list[OrderRow]) -> Iterator[tuple[str, ...]]:
    """Orders with ORDER_COLUMNS."""
    for row in rows:
        amounts = [row.amounts[name][system] for name in AMOUNTS for system in SYSTEMS]
        ours, theirs = row.amounts["total"]["chargebee"], row.amounts["total"]["poweroffice"]
        gap = "" if ours is None or theirs is None else f"{Decimal(ours) - Decimal(theirs):f}"
        paid = "" if row.paid is None else "paid" if row.paid else "unpaid"
        names = (
            row.link,
            row.date,
            row.currency,
            row.chargebee,
            row.chargebee_invoice,
            paid,
            row.poweroffice,
            row.poweroffice_invoice,
        )
        yield tuple(each or "" for each in (*names, *amounts, gap, row.note))


def differences_of(row: OrderRow) -> dict[str, str]:
    """By how much an order on both sides differs, Chargebee less Go, by amount; empty where it does
    not, or stands on one side."""
    found = {}
    for name, held in row.amounts.items():
        ours, theirs = held["chargebee"], held["poweroffice"]
        if ours is not None and theirs is not None and Decimal(ours) != Decimal(theirs):
            found[name] = f"{Decimal(ours) - Decimal(theirs):f}"
    return found


def line_of(row: OrderRow) -> str:
    """An order as one line: date, both names with their invoices, gross amounts and what lies
    between them."""
    paid = "" if row.paid is None else ", paid" if row.paid else ", unpaid"
    ours = (
        f"{row.chargebee} (invoice {row.chargebee_invoice}{paid})"
        if row.chargebee_invoice
        else row.chargebee
    )
    theirs = (
        f"{row.poweroffice} (invoice {row.poweroffice_invoice})"
        if row.poweroffice_invoice
        else row.poweroffice
    )
    gross = [row.amounts["total"][system] or "-" for system in SYSTEMS]
    gap = (
        f" difference {Decimal(gross[0]) - Decimal(gross[1]):f}"
        if "-" not in gross and gross[0] != gross[1]
        else ""
    )
    note = f"  {row.note}" if row.note else ""
    return (
        f"{row.date or '-'}  Chargebee {ours or '-'}  Go {theirs or '-'}  {row.currency} "
        f"{' / '.join(gross)}{gap}{note}"
    )


def write_totals_csv(file: Path, found: Totals) -> None:
    """One line for each order, linked or not. Raises OSError."""
    write_csv(file, ORDER_COLUMNS, order_rows(found.orders + found.unlinked))


def totals_html(found: Totals, title: str) -> str:
    """Sums, linked orders and those that stand alone, on one page."""
    return html_text(
        title,
        "Chargebee and PowerOffice Go, read for this report",
        [
            ("Sums", SUM_COLUMNS, list(sum_rows(found))),
            ("Orders on both sides", ORDER_COLUMNS, list(order_rows(found.orders))),
            ("Orders on one side", ORDER_COLUMNS, list(order_rows(found.unlinked))),
        ],
    )


def write_totals_html(file: Path, found: Totals, title: str) -> None:
    """The page as `totals_html` has it. Raises OSError."""
    write(file, totals_html(found, title))
