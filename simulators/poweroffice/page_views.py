"""What the pages show: which collections there are, and records as tables and forms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from starlette.responses import Response

from simulators import page
from simulators.page import Html
from simulators.poweroffice import page_forms
from simulators.poweroffice.errors import Refusal
from simulators.poweroffice.fields import Record, Schema
from simulators.poweroffice.tables_catalogue import PRODUCT, PRODUCT_GROUP
from simulators.poweroffice.tables_contacts import CONTACT_PERSON, CUSTOMER
from simulators.poweroffice.tables_sales import INVOICE, ORDER

MOST: Final = 500
"""Rows of a list."""


@dataclass(frozen=True)
class Kind:
    """One collection: its `path` in the API and on the page, and the properties that its list
    shows."""

    path: str
    title: str
    schema: Schema
    columns: tuple[str, ...]
    parent: str = ""
    posts_to: str = ""


KINDS: Final = {
    kind.path: kind
    for kind in (
        Kind(
            "Customers",
            "Customers",
            CUSTOMER,
            ("Number", "Name", "FirstName", "LastName", "EmailAddress"),
        ),
        Kind(
            "ContactPersons",
            "Contact persons",
            CONTACT_PERSON,
            ("FirstName", "LastName", "EmailAddress"),
            "ContactId",
        ),
        Kind(
            "Products",
            "Products",
            PRODUCT,
            ("Code", "Name", "UnitPrice", "UnitOfMeasureCode", "IsArchived"),
        ),
        Kind("ProductGroups", "Product groups", PRODUCT_GROUP, ("Code", "Name", "UnitPrice")),
        Kind(
            "SalesOrders",
            "Sales orders",
            ORDER,
            ("SalesOrderNo", "CustomerNo", "SalesOrderStatus", "SalesOrderDate", "TotalAmount"),
            posts_to="/Complete",
        ),
        Kind(
            "OutgoingInvoices",
            "Invoices",
            INVOICE,
            ("InvoiceNo", "CustomerNo", "DueDate", "TotalAmount", "Balance"),
        ),
    )
}
LINKS: Final = {"Overview": "/", **{kind.title: f"/{kind.path}" for kind in KINDS.values()}}


def is_page(path: str) -> bool:
    """Whether a path belongs to the page and not to the vendor's host."""
    return path == "/" or path.strip("/").split("/")[0] in KINDS


def table(kind: Kind, rows: list[Record]) -> Html:
    lines = [
        [
            page.link(f"/{kind.path}/{row['Id']}", row["Id"]),
            *(row[name] for name in kind.columns),
            last_changed(row),
        ]
        for row in rows[:MOST]
    ]
    return page.table(("Id", *kind.columns, "Last changed"), lines)


def last_changed(row: Record) -> str:
    address = row.get("MailAddress") or {}
    return max(
        row.get("LastChangedDateTimeOffset") or "", address.get("LastChangedDateTimeOffset") or ""
    )


def name(kind: Kind, record: Record) -> str:
    return " ".join(str(record[name]) for name in kind.columns[:4] if record[name] is not None)


def edit(where: str, schema: Schema, record: Record, texts: dict[str, str] | None) -> Html:
    return page.form(where, retyped(page_forms.fields_of(schema, record, "U"), texts))


def retyped(fields: list[page.Field], texts: dict[str, str] | None) -> list[page.Field]:
    """The fields as they were typed, when a form is shown again."""
    if texts is None:
        return fields
    return [
        page.Field(one.name, texts.get(one.name, ""), one.label, one.kind, one.options, one.hint)
        for one in fields
    ]


def details(schema: Schema, record: Record) -> Html:
    rows = [(name, page_forms.as_text(record.get(name))) for name in schema.names("R")]
    return page.join([page.heading("All properties"), page.table(("Property", "Value"), rows)])


def words(error: Exception) -> str:
    body = error.body if isinstance(error, Refusal) else None
    if body is None:
        return f"That cannot be read: {error}"
    more = [
        body.get("detail"),
        *(f"{name}: {' '.join(words)}" for name, words in (body.get("errors") or {}).items()),
    ]
    return " ".join(str(one) for one in (body.get("title"), *more) if one)


def missing() -> Response:
    return page.reply(
        "Not found", page.note("There is no such page or record.", "error"), LINKS, 404
    )
