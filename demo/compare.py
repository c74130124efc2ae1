"""Reads both systems whole and compares them field by field, by its own understanding of both APIs.

Nothing of the adapters is used here, so that a fault in their mapping is seen and not shared.
Units: both sides are brought to NOK (`Decimal`), local dates in Europe/Oslo and the UN/ECE unit
codes of the demo's words.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from contracts.entities import ENTITIES, EntityName, System
from contracts.messages import Link
from demo.progress import LINKED, Progress
from demo.vendors import Chargebee, Go, Record

ZONE = ZoneInfo("Europe/Oslo")
CURRENCY = "NOK"
UNITS: Mapping[str | None, str | None] = {None: None, "hour": "HUR", "piece": "EA", "month": "MON"}
STAMP, OWN, INVOICE = "cb-", "go-", "inv-"


@dataclass
class Report:
    """`wrong` is what makes the systems differ, `excused` what is known to differ or to stand
    alone, with its reason, `notes` what is odd but harmless, `duplicates` counts records that
    should not exist beside another, `held` the orders that Chargebee generated for our imports and
    that are on hold, one write each."""

    wrong: list[str] = field(default_factory=list)
    excused: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    duplicates: int = 0
    held: int = 0
    compared: Counter[EntityName] = field(default_factory=Counter)


@dataclass
class Everything:
    """All live records of one system by entity and id, orders with their lines (and sent ones among
    them). `beside`: where invoices are the sales, the orders that Chargebee generated for our own
    imports."""

    records: dict[EntityName, dict[str, Record]]
    beside: list[Record] = field(default_factory=list)


async def read_chargebee(chargebee: Chargebee, source: str = "orders") -> Everything:
    """Customers, items with `_prices`, orders with `_po_number` of their invoice; or each invoice
    as an order.

    An order that Chargebee generated for our import is a shipment, perhaps a part of the sale,
    which is the invoice.
    """
    customers = await chargebee.all("/customers", "customer")
    items = await chargebee.all("/items", "item", **{"status[is]": "active"})
    prices = await chargebee.all("/item_prices", "item_price", **{"status[is]": "active"})
    orders = await chargebee.all("/orders", "order")
    invoices = await chargebee.all("/invoices", "invoice")
    invoice_of = {each["id"]: each for each in invoices}
    for item in items:
        item["_prices"] = [each for each in prices if each["item_id"] == item["id"]]
    item_of = {each["id"]: each["item_id"] for each in prices}
    for order in orders:
        invoice = invoice_of[order["invoice_id"]]
        order["_po_number"] = invoice.get("po_number")
        if _is_own(invoice["id"]):
            sale = _sale(invoice)
            order |= {name: sale[name] for name in ("total", "tax", "order_line_items")}
    beside: list[Record] = []
    if source == "invoices":
        beside = [each for each in orders if str(each.get("invoice_id")).startswith(OWN)]
        orders = [_sale(each) for each in invoices if each["status"] not in ("pending", "voided")]
    for order in orders:
        for line in order.get("order_line_items", ()):
            line["_item_id"] = item_of.get(line.get("entity_id"))
    records: dict[EntityName, dict[str, Record]] = {
        "customer": _by_id(customers),
        "product": _by_id(items),
        "order": _by_id(orders),
    }
    return Everything(records, beside)


def _sale(invoice: Record) -> Record:
    """An invoice by the names of an order; ids of orders and invoices are both 1, 2, 3."""
    lines = [
        {
            **line,
            "fulfillment_quantity": line["quantity"],
            # Of the simulator, whose document discounts do not contain those of the line.
            "discount_amount": (line.get("discount_amount") or 0)
            + (line.get("item_level_discount_amount") or 0),
        }
        for line in invoice["line_items"]
    ]
    return {
        **invoice,
        "id": f"{INVOICE}{invoice['id']}",
        "order_date": invoice["date"],
        "_po_number": invoice.get("po_number"),
        "order_line_items": lines,
    }


async def read_go(go: Go) -> Everything:
    """Customers, products, and sales orders together with outgoing invoices, each with `_lines`."""
    customers, products = await go.all("/Customers"), await go.all("/Products")
    orders = [
        await go.get(f"/SalesOrders/{each['Id']}/Complete") for each in await go.all("/SalesOrders")
    ]
    for order in orders:
        order["_lines"] = order.get("SalesOrderLines") or []
    invoices = await go.all("/OutgoingInvoices")
    for invoice in invoices:
        invoice["_lines"] = await go.get(f"/OutgoingInvoices/{invoice['Id']}/Lines") or []
        invoice["SalesOrderDate"] = invoice.get("OrderDate")
    return Everything(
        {
            "customer": _by_id(customers),
            "product": _by_id(products),
            "order": _by_id([*orders, *invoices]),
        }
    )


def _by_id(records: list[Record]) -> dict[str, Record]:
    return {
        str(each.get("id", each.get("Id"))): each for each in records if not each.get("deleted")
    }


async def compare(
    progress: Progress, chargebee: Chargebee, go: Go, source: str = "orders"
) -> Report:
    """Read both systems completely and compare them by the links."""
    theirs_of_chargebee, theirs_of_go = await asyncio.gather(
        read_chargebee(chargebee, source), read_go(go)
    )
    return compare_all(progress, theirs_of_chargebee, theirs_of_go)


def compare_all(progress: Progress, chargebee: Everything, go: Everything) -> Report:
    """Every record has exactly one twin with the same values, or a link says why it stands
    alone."""
    report = Report(held=sum(each["status"] == "on_hold" for each in chargebee.beside))
    queued = [each["id"] for each in chargebee.beside if each["status"] == "queued"]
    words = "of an imported invoice is queued: a warehouse ships what Go has sold"
    report.wrong += [f"order {each} {words}" for each in queued]
    for entity in ENTITIES:
        links = list(progress.of(entity))
        _account_for(entity, "chargebee", chargebee.records[entity], links, report)
        _account_for(entity, "poweroffice", go.records[entity], links, report)
        _stamped_twice(entity, chargebee.records[entity], go.records[entity], links, report)
        for link in links:
            if link.state in LINKED and link.chargebee is not None and link.poweroffice is not None:
                ours = chargebee.records[entity].get(link.chargebee.id)
                theirs = go.records[entity].get(link.poweroffice.id)
                if ours is None or theirs is None:
                    missing = "Chargebee" if ours is None else "Go"
                    report.wrong.append(
                        f"{entity} {link.key}: linked, but its record in {missing} is not there"
                    )
                else:
                    _compare_pair(progress, entity, link, ours, theirs, report)
            elif link.state in LINKED:
                report.wrong.append(f"{entity} {link.key}: is {link.state} with one record only")
    return report


def _account_for(
    entity: EntityName,
    system: System,
    records: Mapping[str, Record],
    links: list[Link],
    report: Report,
) -> None:
    holders: dict[str, list[Link]] = {}
    for link in links:
        side = link.chargebee if system == "chargebee" else link.poweroffice
        if side is not None:
            holders.setdefault(side.id, []).append(link)
    for record_id in records:
        found = holders.get(record_id, [])
        if len(found) != 1:
            report.wrong.append(
                f"{entity} {record_id} in {system}: {len(found)} links, one expected"
            )
            report.duplicates += max(0, len(found) - 1)
        elif found[0].state in ("ambiguous", "rejected", "ignored", "waiting", "conflict"):
            report.excused.append(
                f"{entity} {record_id} in {system} is {found[0].state}: {found[0].reason}"
            )
        elif found[0].state not in LINKED:
            report.wrong.append(
                f"{entity} {record_id} in {system} is {found[0].state}: {found[0].reason}"
            )


def _stamped_twice(
    entity: EntityName,
    chargebee: Mapping[str, Record],
    go: Mapping[str, Record],
    links: list[Link],
    report: Report,
) -> None:
    """Records that carry our reference to a record which is linked to another one."""
    twin_in_go = {
        link.chargebee.id: link.poweroffice.id
        for link in links
        if link.chargebee and link.poweroffice
    }
    twin_in_chargebee = {theirs: ours for ours, theirs in twin_in_go.items()}
    surplus = []
    for go_id, record in go.items():
        stamp = str(record.get("ExternalImportReference") or "")
        named = stamp.removeprefix(STAMP) if stamp.startswith(STAMP) else None
        if named in twin_in_go and twin_in_go[named] != go_id:
            surplus.append(
                f"{entity} {go_id} in Go refers to {named}, whose twin is {twin_in_go[named]}"
            )
    for own_id in chargebee:
        named = own_id.removeprefix(INVOICE).removeprefix(OWN) if _is_own(own_id) else None
        if named in twin_in_chargebee and twin_in_chargebee[named] != own_id:
            surplus.append(
                f"{entity} {own_id} in Chargebee was made for {named}, whose twin is another"
            )
    report.duplicates += len(surplus)
    report.wrong += surplus


def _is_born_in_go(order: Record) -> bool:
    return _is_own(order["id"]) or _is_own(str(order.get("invoice_id")))


def _is_own(chargebee_id: str) -> bool:
    return chargebee_id.removeprefix(INVOICE).startswith(OWN)


def _compare_pair(
    progress: Progress, entity: EntityName, link: Link, ours: Record, theirs: Record, report: Report
) -> None:
    excused = {
        name: "differs since the first link, to be decided by a person" for name in link.differences
    }
    for entry in progress.journal.values():
        if (
            (entry.entity, entry.link) == (entity, link.key)
            and entry.rule == "not_filled"
            and entry.field
        ):
            excused[entry.field] = "blank on one side, never filled in"
    report.compared[entity] += 1
    match entity:
        case "customer":
            values = _customer_values(ours, theirs)
        case "product":
            values = _product_values(link, (entity, link.key) in progress.created(), ours, theirs)
        case "order":
            values = _order_values(progress, ours, theirs)
    for name, in_chargebee, in_go in values:
        if in_chargebee == in_go:
            continue
        words = f"{entity} {link.key}: {name} is {in_chargebee!r} in Chargebee and {in_go!r} in Go"
        reason = excused.get(name.split(" ")[0])
        (report.excused if reason else report.wrong).append(
            f"{words} ({reason})" if reason else words
        )


Values = Iterator[tuple[str, Any, Any]]


def _text(value: Any) -> str | None:
    return str(value).strip() or None if value is not None else None


def _customer_values(ours: Record, theirs: Record) -> Values:
    is_company = bool(ours.get("company") or ours.get("vat_number"))
    yield "kind", is_company, not theirs.get("IsPerson")
    if is_company:
        yield "company", _text(ours.get("company")), _text(theirs.get("Name"))
    else:
        yield "first_name", _text(ours.get("first_name")), _text(theirs.get("FirstName"))
        yield "last_name", _text(ours.get("last_name")), _text(theirs.get("LastName"))
    yield "email", _text(ours.get("email")), _text(theirs.get("EmailAddress"))
    yield "phone", _text(ours.get("phone")), _text(theirs.get("PhoneNumber"))
    billing, mail = ours.get("billing_address") or {}, theirs.get("MailAddress") or {}
    names = {"line1": "AddressLine1", "line2": "AddressLine2", "city": "City", "zip": "ZipCode"}
    for name, go_name in names.items():
        yield f"address {name}", _text(billing.get(name)), _text(mail.get(go_name))
    if billing.get("city") and mail.get("City"):
        yield "address country", _text(billing.get("country")), _text(mail.get("CountryCode"))
    yield "vat_exempt", ours.get("taxability") == "exempt", bool(theirs.get("IsVatFree"))
    if ours.get("vat_number"):
        # Never filled into Chargebee, where it would change the tax.
        digits = "".join(each for each in ours["vat_number"] if each.isdigit())
        yield "organisation_number", digits, _text(theirs.get("OrganizationNumber"))


def _product_values(link: Link, is_made: bool, ours: Record, theirs: Record) -> Values:
    yield (
        "name",
        _text(ours.get("external_name")) or _text(ours.get("name")),
        _text(theirs.get("Name")),
    )
    yield "description", _text(ours.get("description")), _text(theirs.get("Description"))
    yield (
        "unit",
        UNITS.get(ours.get("unit"), ours.get("unit")),
        _text(theirs.get("UnitOfMeasureCode")),
    )
    in_ledger = [each for each in ours["_prices"] if each["currency_code"] == CURRENCY]
    if len(in_ledger) == 1:
        yield "price", _major(in_ledger[0].get("price")), _number(theirs.get("UnitPrice"))
    if link.key.startswith(OWN):
        yield (
            "code",
            [(each.get("accounting_detail") or {}).get("sku") for each in in_ledger],
            [theirs.get("Code")],
        )
    elif is_made:
        # A comma would split Go's filter by codes. Twins that existed before have codes of their
        # own.
        yield "code", str(ours["id"]).replace(",", "_"), theirs.get("Code")


def _order_values(progress: Progress, ours: Record, theirs: Record) -> Values:
    customer = progress.by_id("customer", "chargebee", str(ours.get("customer_id")))
    twin = (
        customer.poweroffice.id
        if customer is not None and customer.poweroffice is not None
        else None
    )
    yield "customer_id", twin, str(theirs.get("CustomerId"))
    yield "currency", ours.get("currency_code"), theirs.get("CurrencyCode") or CURRENCY
    yield "order_date", _local(ours.get("order_date")), str(theirs.get("SalesOrderDate") or "")[:10]
    if not _is_born_in_go(ours):
        yield (
            "purchase_order",
            _text(ours.get("_po_number")),
            _text(theirs.get("PurchaseOrderReference")),
        )
    yield "total", _major(ours.get("total")), _number(theirs.get("TotalAmount"))
    yield (
        "net",
        _major((ours.get("total") or 0) - (ours.get("tax") or 0)),
        _number(theirs.get("NetAmount")),
    )
    yield from _line_values(progress, ours, theirs)


def _line_values(progress: Progress, ours: Record, theirs: Record) -> Values:
    lines = ours.get("order_line_items") or []
    go_lines = [each for each in theirs["_lines"] if (each.get("LineType") or "Normal") == "Normal"]
    go_lines.sort(key=lambda each: each.get("SortOrder") or 0)
    yield "lines count", len(lines), len(go_lines)
    for number, (line, go_line) in enumerate(zip(lines, go_lines, strict=False), 1):
        net = _major((line.get("amount") or 0) - (line.get("discount_amount") or 0))
        yield f"lines {number} net", net, _number(go_line.get("NetAmount"))
        product = progress.by_id("product", "chargebee", str(line.get("_item_id")))
        twin = (
            product.poweroffice.id
            if product is not None and product.poweroffice is not None
            else None
        )
        yield f"lines {number} product", twin, str(go_line.get("ProductId"))
        quantity, go_quantity = (
            _number(line.get("fulfillment_quantity")),
            _number(go_line.get("Quantity")),
        )
        # One at the whole amount stands for what the receiving system cannot express.
        if (quantity if _is_born_in_go(ours) else go_quantity) != 1:
            yield f"lines {number} quantity", quantity, go_quantity


def _major(amount_minor: Any) -> Decimal | None:
    return None if amount_minor is None else Decimal(amount_minor).scaleb(-2)


def _number(value: Any) -> Decimal | None:
    return None if value is None else Decimal(str(value))


def _local(seconds: int | None) -> str:
    return "" if seconds is None else _date(seconds).isoformat()


def _date(seconds: int) -> date:
    return datetime.fromtimestamp(seconds, UTC).astimezone(ZONE).date()
