"""Clerks: what people do to documents beside making and sending them."""

import time
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from tests.faults.books import SYSTEMS, System
from tests.faults.desk import PATCH, Edit, Record
from tests.faults.editor import Editor

ZONE = ZoneInfo("Europe/Oslo")
NOON = 12
Field = Literal["order_date", "delivery_date", "note", "reference"]
# What can be edited of a sale in each system; of an invoice of Chargebee nothing.
EDITABLE: dict[System, tuple[Field, ...]] = {
    "chargebee": ("order_date", "delivery_date", "note"),
    "poweroffice": ("order_date", "delivery_date", "reference"),
}
_OF_CHARGEBEE = {"order_date": "order_date", "delivery_date": "shipping_date", "note": "note"}
_OF_GO = {
    "order_date": "SalesOrderDate",
    "delivery_date": "DeliveryDate",
    "reference": "PurchaseOrderReference",
}


class Clerk(Editor):
    """Edits, pays, voids and reopens what the editor made."""

    def drafts(self) -> list[Record]:
        """The orders born in Chargebee that are drafts in Go by now."""
        return [
            record
            for record in list(self.records.values())
            if record.kind == "order"
            and record.born == "chargebee"
            and not {"sent", "cancelled", "void"} & set(record.fate)
            and self.id_in(record, "poweroffice")
        ]

    def holds_draft(self, record: Record) -> bool:
        """Whether Go holds the draft of an order still."""
        return self.go.get(f"/SalesOrders/{record.ids['poweroffice']}").status_code != 404

    def edit_order(self, record: Record, name: Field, system: System) -> Edit:
        """Enter a new value of a field of an order, or of its draft in Go."""
        value, began = self._value(name, record.mark), time.monotonic()
        id = record.ids[system]
        if system == "chargebee":
            held = value if name == "note" else str(_noon(value))
            self._act(f"/orders/{id}", {_OF_CHARGEBEE[name]: held})
        else:
            self._patch(f"/SalesOrders/{id}", _OF_GO[name], value)
        self._note(record, system, {name: value}, began)
        return self.log[-1]

    def edit_sale(self) -> None:
        """Some field of some order, on some side; now and then on both."""
        drafts = self.drafts()
        if not drafts:
            return
        record = self.rng.choice(drafts)
        if self.rng.random() < 0.25:
            name: Field = self.rng.choice(("order_date", "delivery_date"))
            for system in self.rng.sample(SYSTEMS, len(SYSTEMS)):
                self.edit_order(record, name, system)
        else:
            side = self._side()
            self.edit_order(record, self.rng.choice(EDITABLE[side]), side)

    def edit_address(self, record: Record) -> None:
        """Where an order of Chargebee is to be sent, which is no affair of Go."""
        began, value = time.monotonic(), self._value("address", record.mark)
        address = {"line1": value, "city": "Bergen", "zip": "5003", "country": "NO"}
        fields = {f"shipping_address[{name}]": held for name, held in address.items()}
        self._act(f"/orders/{record.ids['chargebee']}", fields)
        self._note(record, "chargebee", {"shipping_address": value}, began)

    def edit_quantity(self, record: Record) -> None:
        """Another quantity of a draft's line in Go; of one that came from Chargebee people must
        be told."""
        id, began = record.ids["poweroffice"], time.monotonic()
        reply = self.go.get(f"/SalesOrders/{id}/Lines").raise_for_status()
        line = next(each for each in reply.json() if each["LineType"] == "Normal")
        quantity = line["Quantity"] + self.rng.randint(1, 5)
        self._patch(f"/SalesOrders/{id}/Lines/{line['Id']}", "Quantity", quantity)
        if record.born == "chargebee":
            record.facts["needs_finding"] = True
        self._note(record, "poweroffice", {"quantity": f"{record.mark} {quantity}"}, began)

    def pay(self, record: Record) -> None:
        """All that is due of an invoice of Chargebee."""
        began, number = time.monotonic(), record.facts["invoice"]
        self._pay(self.chargebee.get(f"/invoices/{number}").raise_for_status().json()["invoice"])
        record.fate.append("paid")
        self._note(record, "chargebee", {"paid": record.mark}, began)

    def void(self, record: Record) -> None:
        """Void an invoice of Chargebee that nobody has paid: its draft goes, and of one that was
        sent people must be told."""
        began = time.monotonic()
        self._act(f"/invoices/{record.facts['invoice']}/void", {"comment": "angret"})
        record.facts["needs_finding" if "sent" in record.fate else "gone_poweroffice"] = True
        record.fate.append("void")
        self._note(record, "chargebee", {"void": record.mark}, began)

    def cancel_and_reopen(self, record: Record, *, credit: bool) -> None:
        """One right after the other; what the cancellation credited is voided again. As if nothing
        had been, unless Go has sent it."""
        began = time.monotonic()
        id = record.ids["chargebee"]
        order = self.chargebee.get(f"/orders/{id}").raise_for_status().json()["order"]
        fields = {"cancellation_reason": "product_not_required"}
        more = {"credit_note[total]": str(order["amount_paid"])} if credit else {}
        self._act(f"/orders/{id}/cancel", {**fields, **more})
        self._act(f"/orders/{id}/reopen", {"void_cancellation_credit_notes": "true"})
        record.fate += ["cancelled", "reopened"]
        self._note(record, "chargebee", {"reopened": record.mark}, began)

    def reopen(self, record: Record) -> None:
        """Put a cancelled order back into the queue: its draft is made again."""
        began = time.monotonic()
        fields = {"void_cancellation_credit_notes": "true"}
        self._act(f"/orders/{record.ids['chargebee']}/reopen", fields)
        record.facts.pop("gone_poweroffice", None)
        record.ids.pop("poweroffice", None)
        record.fate.append("reopened")
        self._note(record, "chargebee", {"reopened": record.mark}, began)

    def _patch(self, path: str, property: str, value: object) -> None:
        patch = [{"op": "replace", "path": f"/{property}", "value": value}]
        reply = self.go.patch(path, json=patch, headers=PATCH)
        assert reply.status_code < 300, f"{path}: {reply.text}"


def _noon(day: str) -> int:
    return int(datetime.fromisoformat(day).replace(hour=NOON, tzinfo=ZONE).timestamp())
