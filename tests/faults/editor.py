"""People at work in both systems: what they do next is left to chance, and documents are made,
sent, cancelled and credited."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from tests.faults.books import Kind, System
from tests.faults.desk import FIELDS, Desk, Record


class Editor(Desk):
    """Whoever edits; `rng` of the desk decides what they do."""

    def step(self, *, orders: bool = True) -> None:
        """One thing, at random."""
        acts: list[tuple[int, Callable[[], object]]] = [
            (16, self.edit_something),
            (4, self.clash),
            (1, lambda: self.add_customer("chargebee")),
            (1, lambda: self.add_customer("poweroffice")),
        ]
        if orders:
            acts += [
                (1, lambda: self.add_product(self._side())),
                (1, self.add_order),
                (1, self.add_draft),
                (1, self.send_draft),
            ]
        (act,) = self.rng.choices([act for _, act in acts], [weight for weight, _ in acts])
        act()

    def fill(self, customers: int, products: int) -> None:
        """So many of each, born on either side by turns."""
        sides: tuple[System, System] = ("chargebee", "poweroffice")
        for number in range(customers):
            self.add_customer(sides[number % 2])
        for number in range(products):
            self.add_product(sides[number % 2])

    def edit_something(self) -> None:
        """A field of a record, in a system where it is."""
        record = self._pick("person", "company", "product")
        if record is not None:
            self.edit(record, self.rng.choice(FIELDS[record.kind]), self._where(record))

    def clash(self) -> bool:
        """The same field of a record on both sides, one right after the other; False where it is
        on one side only."""
        record = self._pick("person", "company", "product")
        if record is None or not all(self.id_in(record, s) for s in ("chargebee", "poweroffice")):
            return False
        name = self.rng.choice(FIELDS[record.kind])
        sides: list[System] = ["chargebee", "poweroffice"]
        self.rng.shuffle(sides)
        for system in sides:
            self.edit(record, name, system)
        return True

    def twin(self) -> Record:
        """The same party entered in both systems, one right after the other."""
        mark = self._new_mark()
        kinds: tuple[Kind, Kind] = ("person", "company")
        kind = self.rng.choice(kinds)
        values = {name: self._value(name, mark) for name in FIELDS[kind]}
        sides: list[System] = ["chargebee", "poweroffice"]
        self.rng.shuffle(sides)
        for system in sides:
            self.enter_customer(system, kind, mark, values)
        return self.records[mark]

    def delete(self, record: Record) -> None:
        """Delete a customer in Chargebee."""
        began = time.monotonic()
        self._act(f"/customers/{record.ids['chargebee']}/delete", {})
        record.facts["gone_chargebee"] = record.facts["gone"] = True
        self._note(record, "chargebee", {"deleted": record.mark}, began)

    def add_order(self, **more: str) -> Record | None:
        """An invoice over goods in Chargebee, paid, so that Chargebee generates its order. Where
        the invoices are the sales, one that is not paid yet."""
        customer, product = self._buyer("chargebee"), self._goods("chargebee")
        if customer is None or product is None:
            return None
        mark, began = self._new_mark(), time.monotonic()
        price_id = f"{product.ids['chargebee']}-NOK"
        invoice = self._act(
            "/invoices/create_for_charge_items_and_charges",
            {
                "customer_id": customer.ids["chargebee"],
                "currency_code": "NOK",
                "auto_collection": "off",
                "po_number": mark,
                "item_prices[item_price_id][0]": price_id,
                "item_prices[quantity][0]": str(self.rng.randint(1, 5)),
                **more,
            },
        )["invoice"]
        record = Record("order", mark, "chargebee", {}, ["made"])
        if self.books.sales == "invoices":
            record.ids["chargebee"] = f"inv-{invoice['id']}"
        else:
            self._pay(invoice)
            orders = self.chargebee.get(f"/invoices/{invoice['id']}/orders").json()["list"]
            record.ids["chargebee"] = orders[0]["order"]["id"]
            record.fate.append("paid")
        record.facts["invoice"] = invoice["id"]
        record.facts["customer"], record.facts["product"] = customer.mark, product.mark
        self.records[mark] = record
        self._note(record, "chargebee", {"order": mark}, began)
        return record

    def _pay(self, invoice: Mapping[str, Any]) -> None:
        self._act(
            f"/invoices/{invoice['id']}/record_payment",
            {
                "transaction[amount]": str(invoice["amount_due"]),
                "transaction[payment_method]": "bank_transfer",
            },
        )

    def add_draft(self) -> Record | None:
        """An order in Go that nobody has sent yet."""
        customer, product = self._buyer("poweroffice"), self._goods("poweroffice")
        if customer is None or product is None:
            return None
        mark, began = self._new_mark(), time.monotonic()
        line = {
            "LineType": "Normal",
            "ProductId": int(product.ids["poweroffice"]),
            "Quantity": self.rng.randint(1, 5),
        }
        body = {
            "CustomerId": int(customer.ids["poweroffice"]),
            "CurrencyCode": "NOK",
            "SalesOrderDate": time.strftime("%Y-%m-%d"),
            "PurchaseOrderReference": mark,
            "SalesOrderLines": [line],
        }
        order = self._post("/SalesOrders/Complete", body)
        record = Record("order", mark, "poweroffice", {"poweroffice": order["Id"]}, ["draft"])
        record.facts["customer"], record.facts["product"] = customer.mark, product.mark
        self.records[mark] = record
        self._note(record, "poweroffice", {"order": mark}, began)
        return record

    def send_draft(self) -> Record | None:
        """Send a draft that was born in Go: it becomes an invoice."""
        drafts = [
            record
            for record in self.records.values()
            if record.born == "poweroffice" and record.fate == ["draft"]
        ]
        if not drafts:
            return None
        record, began = self.rng.choice(drafts), time.monotonic()
        self._post(f"/SalesOrders/{record.ids['poweroffice']}/createAndSendInvoice", {})
        record.fate.append("sent")
        self._note(record, "poweroffice", {"sent": record.mark}, began)
        return record

    def send_by_mistake(self, record: Record) -> None:
        """Send the draft of an order that Chargebee has invoiced."""
        draft, began = self.id_in(record, "poweroffice"), time.monotonic()
        self._post(f"/SalesOrders/{draft}/createAndSendInvoice", {})
        record.fate.append("sent")
        record.facts["needs_finding"] = True
        self._note(record, "poweroffice", {"sent": record.mark}, began)

    def cancel(self, record: Record) -> None:
        """Cancel an order in Chargebee: its draft goes, and of one that was sent people must be
        told."""
        began = time.monotonic()
        fields = {"cancellation_reason": "product_not_required"}
        self._act(f"/orders/{record.ids['chargebee']}/cancel", fields)
        record.facts["needs_finding" if "sent" in record.fate else "gone_poweroffice"] = True
        record.fate.append("cancelled")
        self._note(record, "chargebee", {"cancelled": record.mark}, began)

    def credit(self, record: Record, total_minor: int) -> None:
        """A credit note in Chargebee; people must be told once Go has sent an invoice."""
        began = time.monotonic()
        fields = {
            "reference_invoice_id": record.facts["invoice"],
            "total": str(total_minor),
            "type": "refundable",
            "reason_code": "product_unsatisfactory",
        }
        self._act("/credit_notes", fields)
        record.fate.append("credited")
        self._note(record, "chargebee", {"credited": record.mark}, began)

    def credit_in_go(self, record: Record) -> None:
        """A credit note in Go over a whole invoice that Go has sent; Chargebee has none."""
        began, id = time.monotonic(), record.ids["poweroffice"]
        invoice = self.go.get(f"/OutgoingInvoices/{id}").raise_for_status().json()
        lines = [
            {
                "LineType": "Normal",
                "ProductId": line["ProductId"],
                "Quantity": -line["Quantity"],
                "ProductUnitPrice": line["ProductUnitPrice"],
            }
            for line in self.books.go_lines(invoice)
        ]
        body = {
            "CustomerId": invoice["CustomerId"],
            "CurrencyCode": "NOK",
            "RelatedInvoiceNo": invoice["InvoiceNo"],
            "SalesOrderLines": lines,
        }
        note = self._post("/SalesOrders/Complete", body)
        self._post(f"/SalesOrders/{note['Id']}/createAndSendInvoice", {})
        record.fate.append("credited")
        record.facts["needs_finding"] = True
        self._note(record, "poweroffice", {"credited": record.mark}, began)

    def _side(self) -> System:
        return self.rng.choice(("chargebee", "poweroffice"))

    def _pick(self, *kinds: Kind) -> Record | None:
        fitting = [record for record in self.records.values() if record.kind in kinds]
        return self.rng.choice(fitting) if fitting else None

    def _where(self, record: Record) -> System:
        system = self._side()
        return system if self.id_in(record, system) else record.born

    def _buyer(self, system: System) -> Record | None:
        return self._there(system, "person", "company")

    def _goods(self, system: System) -> Record | None:
        return self._there(system, "product")

    def _there(self, system: System, *kinds: Kind) -> Record | None:
        fitting = [
            record
            for record in self.records.values()
            if record.kind in kinds and system in record.ids and "gone" not in record.facts
        ]
        return self.rng.choice(fitting) if fitting else None
