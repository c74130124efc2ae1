"""What both systems hold, read over their APIs, and the mark by which a record is known in
both."""

import itertools
import re
from typing import Any, Literal

import httpx

System = Literal["chargebee", "poweroffice"]
Sales = Literal["orders", "invoices"]
Kind = Literal["person", "company", "product", "order"]
SYSTEMS: tuple[System, System] = ("chargebee", "poweroffice")
GO_PAGE = 1000
_MARK = re.compile(r"\b([a-z]+\d{4}x)\b")


def mark_in(*texts: Any) -> str | None:
    """The first mark in these texts."""
    for each in texts:
        if isinstance(each, str) and (found := _MARK.search(each)):
            return found[1]
    return None


def mark_of(kind: Kind, raw: dict[str, Any]) -> str | None:
    """The mark of a record as either system shows it; of an order of Chargebee it stands in its
    invoice, which `Books.all` puts beside it."""
    if kind == "product":
        return mark_in(raw.get("Name"), raw.get("external_name"), raw.get("name"))
    if kind == "order":
        return mark_in(raw.get("PurchaseOrderReference"), raw.get("po_number"))
    return mark_in(raw.get("LastName"), raw.get("last_name"), raw.get("Name"), raw.get("company"))


class Books:
    """Everything in both systems, page by page, through two clients that are logged in. `sales`
    says what a sale is in Chargebee, its orders or its invoices."""

    def __init__(self, chargebee: httpx.Client, go: httpx.Client, sales: Sales = "orders") -> None:
        self._chargebee, self._go, self.sales = chargebee, go, sales

    def all(self, system: System, kind: Kind) -> list[dict[str, Any]]:
        """The records of a kind; customers are persons and companies alike."""
        if system == "poweroffice":
            return self._of_go(kind)
        if kind == "product":
            return self._items()
        if kind == "order" and self.sales == "invoices":
            return [_as_order(each) for each in self.pages("/invoices", "invoice")]
        if kind == "order":
            numbers = {
                invoice["id"]: invoice.get("po_number")
                for invoice in self.pages("/invoices", "invoice")
            }
            return [
                {**order, "po_number": numbers.get(order["invoice_id"])}
                for order in self.pages("/orders", "order")
                if not order.get("deleted")
            ]
        return self.pages("/customers", "customer")

    def _of_go(self, kind: Kind) -> list[dict[str, Any]]:
        if kind == "product":
            return self.go("/Products")
        if kind == "order":
            return [
                *self.go("/SalesOrders"),
                *(each for each in self.go("/OutgoingInvoices") if not _is_credit(each)),
            ]
        return self.go("/Customers")

    def _items(self) -> list[dict[str, Any]]:
        prices: dict[str, list[dict[str, Any]]] = {}
        for price in self.pages("/item_prices", "item_price"):
            prices.setdefault(price["item_id"], []).append(price)
        return [
            {**item, "prices": prices.get(item["id"], [])} for item in self.pages("/items", "item")
        ]

    def pages(self, path: str, kind: str) -> list[dict[str, Any]]:
        """All pages of a list of Chargebee."""
        found: list[dict[str, Any]] = []
        query = {"limit": "100"}
        while True:
            page = self._chargebee.get(path, params=query).raise_for_status().json()
            found += [each[kind] for each in page["list"]]
            if "next_offset" not in page:
                return found
            query["offset"] = page["next_offset"]

    def go(self, path: str) -> list[dict[str, Any]]:
        """All pages of a list in Go; an empty one comes as 204."""
        found: list[dict[str, Any]] = []
        for number in itertools.count(1):
            query = {"pageNumber": str(number), "pageSize": str(GO_PAGE)}
            reply = self._go.get(path, params=query).raise_for_status()
            page = [] if reply.status_code == 204 else list(reply.json())
            found += page
            if len(page) < GO_PAGE:
                break
        return found

    def go_lines(self, order: dict[str, Any]) -> list[dict[str, Any]]:
        """The lines of goods of an order or an invoice of Go."""
        is_invoice = "InvoiceNo" in order
        path = f"/OutgoingInvoices/{order['Id']}/Lines" if is_invoice else None
        if path is None:
            whole = self._go.get(f"/SalesOrders/{order['Id']}/Complete").raise_for_status().json()
            lines = whole["SalesOrderLines"]
        else:
            reply = self._go.get(path).raise_for_status()
            lines = [] if reply.status_code == 204 else reply.json()
        return [line for line in lines if line.get("LineType") == "Normal"]


def _as_order(invoice: dict[str, Any]) -> dict[str, Any]:
    """An invoice with the names of an order, under the name by which the product knows it."""
    lines = [
        {"unit_price": line["unit_amount"], "fulfillment_quantity": line["quantity"]}
        for line in invoice["line_items"]
    ]
    return {**invoice, "id": f"inv-{invoice['id']}", "order_line_items": lines}


def _is_credit(raw: dict[str, Any]) -> bool:
    return float(raw.get("TotalAmount") or 0) < 0
