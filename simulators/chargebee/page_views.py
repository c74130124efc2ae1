"""How records look on the page: tables of each kind, and what a record holds besides its forms."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from simulators.chargebee.site import Row, Site, shown
from simulators.page import Html, heading, html, join, link, path, table

Column = tuple[str, Callable[[Row], object]]
_ZERO_DECIMAL: Final = ("JPY",)
_MOMENTS: Final = ("date", "paid_on", "date_from", "date_to")


def record_link(kind: str, id_: str, text: str | None = None) -> Html:
    return link(path(f"{kind}s", id_), text or id_)


def moment(seconds: int | None) -> str:
    """UTC seconds as `2026-09-01 07:05 UTC`."""
    return "" if seconds is None else f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"


def money(minor: int | None, currency_code: str) -> str:
    """Minor units as text in major units."""
    if minor is None:
        return ""
    return (
        f"{minor} {currency_code}"
        if currency_code in _ZERO_DECIMAL
        else f"{minor / 100:.2f} {currency_code}"
    )


def _name(row: Row) -> str:
    return row.get("company") or " ".join(
        row[part] for part in ("first_name", "last_name") if part in row
    )


def _of(name: str) -> Callable[[Row], object]:
    return lambda row: row.get(name)


def _amount(name: str) -> Callable[[Row], object]:
    return lambda row: money(row.get(name), row["currency_code"])


def _state(row: Row) -> str:
    return "deleted" if row.get("deleted") else str(row.get("status", ""))


def _changed(row: Row) -> str:
    return moment(row["updated_at"])


COLUMNS: Final[dict[str, Sequence[Column]]] = {
    "customer": (
        ("Id", lambda row: record_link("customer", row["id"])),
        ("Name", _name),
        ("E-mail", _of("email")),
        ("Phone", _of("phone")),
        ("City", lambda row: row.get("billing_address", {}).get("city")),
        ("State", _state),
        ("Changed", _changed),
    ),
    "item": (
        ("Id", lambda row: record_link("item", row["id"])),
        ("Name", _of("name")),
        ("Type", _of("type")),
        ("Prices", _of("_prices")),
        ("State", _state),
        ("Changed", _changed),
    ),
    "order": (
        ("Id", lambda row: record_link("order", row["id"])),
        ("Number", _of("document_number")),
        ("Customer", lambda row: record_link("customer", row["customer_id"])),
        ("Invoice", lambda row: record_link("invoice", row["invoice_id"])),
        ("Total", _amount("total")),
        ("Reference", _of("reference_id")),
        ("State", _state),
        ("Changed", _changed),
    ),
    "invoice": (
        ("Id", lambda row: record_link("invoice", row["id"])),
        ("Customer", lambda row: record_link("customer", row["customer_id"])),
        ("Date", lambda row: moment(row["date"])),
        ("Total", _amount("total")),
        ("Due", _amount("amount_due")),
        ("State", _state),
        ("Changed", _changed),
    ),
    "credit_note": (
        ("Id", lambda row: record_link("credit_note", row["id"])),
        ("Invoice", lambda row: record_link("invoice", row["reference_invoice_id"])),
        ("Type", _of("type")),
        ("Total", _amount("total")),
        ("State", _state),
        ("Changed", _changed),
    ),
}
_LINKED: Final = {
    "customer_id": "customer",
    "invoice_id": "invoice",
    "item_id": "item",
    "reference_invoice_id": "invoice",
    "cn_id": "credit_note",
}


def words(kind: str) -> str:
    """`credit_note` as `Credit note`."""
    return kind.replace("_", " ").capitalize()


def table_of(site: Site, kind: str, rows: Iterable[Row]) -> Html:
    columns = COLUMNS[kind]
    prepared = (
        {**row, "_prices": _prices(site, row["id"])} if kind == "item" else row for row in rows
    )
    return table(
        [name for name, _ in columns], ([cell(row) for _, cell in columns] for row in prepared)
    )


def _prices(site: Site, item_id: str) -> Html:
    found = (row for row in site.tables["item_price"].rows() if row["item_id"] == item_id)
    texts = (
        record_link(
            "item_price",
            row["id"],
            money(row.get("price"), row["currency_code"]) or row["pricing_model"],
        )
        for row in found
        if row["status"] != "deleted"
    )
    return join(texts, ", ")


def details(site: Site, kind: str, row: Row) -> Html:
    """Everything the record holds, amounts in minor units, lines as tables, and its prices or
    orders as links."""
    plain = [
        (name, _cell(name, value))
        for name, value in shown(row).items()
        if not isinstance(value, (dict, list))
    ]
    parts = [
        _related(site, kind, row),
        heading("Record as the API shows it"),
        table(("Field", "Value"), plain),
    ]
    for name, value in shown(row).items():
        if isinstance(value, dict):
            cells = ((inner, _cell(inner, held)) for inner, held in value.items())
            parts += [heading(name), table(("Field", "Value"), cells)]
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            parts += [heading(name), _rows(value)]
    return join(parts)


def _cell(name: str, value: Any) -> object:
    if type(value) is int and (name in _MOMENTS or name.endswith(("_at", "_date"))):
        return moment(value)
    if value is not None and name in _LINKED:
        return record_link(_LINKED[name], value)
    return value


def _rows(rows: list[Row]) -> Html:
    visible = [shown(row) for row in rows]
    names = list(dict.fromkeys(name for row in visible for name in row if name != "object"))
    return table(names, ([_cell(name, row.get(name)) for name in names] for row in visible))


def _related(site: Site, kind: str, row: Row) -> Html:
    if kind == "item":
        return Html(f"<p>Prices: {_prices(site, row['id']) or 'none'}</p>")
    if kind == "invoice":
        links = join(
            (record_link("order", order["id"]) for order in site.orders_of(row["id"])), ", "
        )
        return Html(f"<p>Orders: {links or 'none'}</p>")
    if kind == "customer":
        return Html(f"<p>{html(_name(row))}</p>")
    return Html("")
