"""Edits by somebody else in both systems, each timed from the answer to the edit until the other
system shows it."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from statistics import median
from typing import Any, Literal

from contracts.entities import EntityName
from contracts.messages import Link
from demo.hints import Edited
from demo.progress import LINKED, Progress
from demo.vendors import Chargebee, Go, Record, VendorAnswer

Way = Literal["cb>go", "go>cb"]
Shown = Callable[[], Awaitable[bool]]
POLL_CHARGEBEE_S, POLL_GO_S = 0.05, 0.15
GIVE_UP_S = 300.0  # the time is shown, and is no verdict
CURRENCY = "NOK"


@dataclass(frozen=True)
class Edit:
    """One change: its words, its direction, how many writes it needs beyond creations, and how it
    is made.

    `make` performs it and returns the question whether the other system shows it.
    """

    words: str
    way: Way
    updates: int
    make: Callable[[], Awaitable[Shown]]


@dataclass(frozen=True)
class Timed:
    """An edit with the time until it was shown, None when it was not shown in time."""

    edit: Edit
    latency_ms: float | None


async def timed(edit: Edit) -> Timed:
    """Make one edit and wait until it is shown, at most GIVE_UP_S."""
    shown = await edit.make()
    began_s = time.perf_counter()
    pause_s = POLL_GO_S if edit.way == "cb>go" else POLL_CHARGEBEE_S
    while time.perf_counter() - began_s < GIVE_UP_S:
        if await shown():
            return Timed(edit, (time.perf_counter() - began_s) * 1000)
        await asyncio.sleep(pause_s)
    return Timed(edit, None)


def latencies(done: Iterable[Timed], way: Way) -> tuple[float, float]:
    """Median and maximum in ms of one direction; infinite where an edit was never shown."""
    found = [
        math.inf if each.latency_ms is None else each.latency_ms
        for each in done
        if each.edit.way == way
    ]
    return median(found), max(found)


class Script:
    """The scripted edits. Records are picked among those linked when the edit is made, in order of
    their keys. `edited` is the field of the first edit, once it was made."""

    def __init__(self, progress: Progress, chargebee: Chargebee, go: Go, source: str) -> None:
        self._progress, self._chargebee, self._go = progress, chargebee, go
        self._by_invoice = source == "invoices"
        self._taken: set[str] = set()
        self._new: dict[str, str] = {}
        self.edited: Edited | None = None

    def edits(self) -> Iterator[Edit]:
        """In the order in which they are to be made; later ones use what earlier ones created."""
        yield Edit("customer phone", "cb>go", 1, self._phone)
        yield Edit("customer e-mail", "go>cb", 1, self._email)
        yield Edit("customer billing address", "cb>go", 1, self._billing_address)
        yield Edit("customer city and zip (sweep)", "go>cb", 1, self._mail_address)
        yield Edit("item name", "cb>go", 1, self._item_name)
        yield Edit("product description", "go>cb", 1, self._product_description)
        yield Edit("item description", "cb>go", 1, self._item_description)
        yield Edit("price of a charge", "go>cb", 1, self._product_price)
        yield Edit("new customer", "cb>go", 0, self._new_chargebee_customer)
        yield Edit("new person", "go>cb", 0, self._new_go_person)
        if self._by_invoice:
            yield Edit("new invoice, then its payment", "cb>go", 1, self._paid_invoice)
        else:
            yield Edit("new invoice, paid: an order", "cb>go", 0, self._new_invoice)
        yield Edit("new product", "go>cb", 0, self._new_go_product)
        yield Edit("new order, sent", "go>cb", 0, self._new_go_order)
        if not self._by_invoice:  # nothing of an invoice changes
            yield Edit("order date of a draft", "go>cb", 1, self._order_date)

    def _pick(self, entity: EntityName, fits: Callable[[Record, Record], Any]) -> tuple[str, str]:
        """(Chargebee id, Go id) of the next linked pair whose seen states fit, each pair only
        once."""
        for link in self._progress.of(entity):
            a, b = link.chargebee, link.poweroffice
            if (
                link.state != "linked"
                or a is None
                or b is None
                or f"{entity}/{link.key}" in self._taken
            ):
                continue
            if fits(a.seen or {}, b.seen or {}):
                self._taken.add(f"{entity}/{link.key}")
                return a.id, b.id
        raise LookupError(f"no linked {entity} fits the next edit")

    def _linked(self, entity: EntityName, chargebee_id: str) -> Link | None:
        link = self._progress.by_id(entity, "chargebee", chargebee_id)
        return link if link is not None and link.state in LINKED else None

    async def _until_linked(self, entity: EntityName, chargebee_id: str) -> Link:
        """What was just created can be referred to once its outcome has come back."""
        until_s = time.monotonic() + GIVE_UP_S
        while (link := self._linked(entity, chargebee_id)) is None:
            if time.monotonic() > until_s:
                raise LookupError(
                    f"{entity} {chargebee_id} was not linked within {GIVE_UP_S:.0f} s"
                )
            await asyncio.sleep(0.02)
        return link

    # -- customers

    async def _phone(self) -> Shown:
        ours, theirs = self._pick(
            "customer", lambda a, b: a.get("kind") == "person" and a.get("phone")
        )
        await self._chargebee.post(f"/customers/{ours}", {"phone": "+47 40040040"})
        self.edited = Edited("chargebee", "customer", ours, "phone")
        return lambda: self._go_holds(f"/Customers/{theirs}", {"PhoneNumber": "+47 40040040"})

    async def _email(self) -> Shown:
        ours, theirs = self._pick(
            "customer", lambda a, b: b.get("email") and b.get("kind") == "person"
        )
        await self._go.patch(f"/Customers/{theirs}", {"/EmailAddress": "ny.adresse@eksempel.no"})
        return lambda: self._chargebee_holds(
            f"/customers/{ours}", "customer", {"email": "ny.adresse@eksempel.no"}
        )

    async def _billing_address(self) -> Shown:
        ours, theirs = self._pick("customer", _with_address)
        customer = (await self._chargebee.get(f"/customers/{ours}"))["customer"]
        held = {
            name: value
            for name, value in customer["billing_address"].items()
            if name not in _READ_ONLY
        }
        form = {
            f"billing_address[{name}]": value
            for name, value in {**held, "line1": "Nygata 7"}.items()
        }
        if customer.get("vat_number"):
            # Chargebee erases what this endpoint is not given.
            form["vat_number"] = customer["vat_number"]
        await self._chargebee.post(f"/customers/{ours}/update_billing_info", form)
        return lambda: self._go_holds(
            f"/Customers/{theirs}", {"MailAddress": {"AddressLine1": "Nygata 7"}}
        )

    async def _mail_address(self) -> Shown:
        ours, theirs = self._pick("customer", _with_address)
        await self._go.patch(
            f"/Customers/{theirs}", {"/MailAddress/City": "Voss", "/MailAddress/ZipCode": "5700"}
        )
        wanted = {"billing_address": {"city": "Voss", "zip": "5700"}}
        return lambda: self._chargebee_holds(f"/customers/{ours}", "customer", wanted)

    async def _new_chargebee_customer(self) -> Shown:
        done = await self._chargebee.post(
            "/customers",
            {
                "id": "demo-ny-kunde",
                "first_name": "Tone",
                "last_name": "Åsheim",
                "email": "tone.asheim@eksempel.no",
                "phone": "+47 41234567",
                "billing_address[line1]": "Fjordveien 3",
                "billing_address[city]": "Odda",
                "billing_address[zip]": "5750",
                "billing_address[country]": "NO",
            },
        )
        self._new["chargebee customer"] = created = str(done["customer"]["id"])

        async def shown() -> bool:
            return bool(await self._go.get("/Customers", externalImportReference=f"cb-{created}"))

        return shown

    async def _new_go_person(self) -> Shown:
        done = await self._go.post(
            "/Customers",
            {
                "IsPerson": True,
                "FirstName": "Sigurd",
                "LastName": "Brekke",
                "EmailAddress": "sigurd.brekke@eksempel.no",
                "PhoneNumber": "+47 92345678",
                "InvoiceDeliveryType": "PdfByEmail",
                "MailAddress": {
                    "AddressLine1": "Kaivegen 12",
                    "City": "Florø",
                    "ZipCode": "6900",
                    "CountryCode": "NO",
                },
            },
        )
        self._new["go customer"] = created = str(done["Id"])
        return lambda: self._chargebee_holds(
            f"/customers/go-{created}", "customer", {"id": f"go-{created}"}
        )

    # -- products

    async def _item_name(self) -> Shown:
        ours, theirs = self._pick("product", lambda a, b: a.get("kind") == "charge")
        item = (await self._chargebee.get(f"/items/{ours}"))["item"]
        shown_name = "external_name" if item.get("external_name") else "name"
        await self._chargebee.post(f"/items/{ours}", {shown_name: "Nytt navn fra Chargebee"})
        return lambda: self._go_holds(f"/Products/{theirs}", {"Name": "Nytt navn fra Chargebee"})

    async def _item_description(self) -> Shown:
        ours, theirs = self._pick("product", lambda a, b: a.get("kind") == "plan")
        await self._chargebee.post(
            f"/items/{ours}", {"description": "Ny beskrivelse fra Chargebee"}
        )
        return lambda: self._go_holds(
            f"/Products/{theirs}", {"Description": "Ny beskrivelse fra Chargebee"}
        )

    async def _product_description(self) -> Shown:
        ours, theirs = self._pick("product", lambda a, b: a.get("kind") == "charge")
        await self._go.patch(f"/Products/{theirs}", {"/Description": "Ny beskrivelse fra Go"})
        return lambda: self._chargebee_holds(
            f"/items/{ours}", "item", {"description": "Ny beskrivelse fra Go"}
        )

    async def _product_price(self) -> Shown:
        ours, theirs = self._pick(
            "product", lambda a, b: a.get("kind") == "charge" and a.get("price")
        )
        prices = await self._chargebee.all("/item_prices", "item_price", **{"item_id[is]": ours})
        price_id = next(each["id"] for each in prices if each["currency_code"] == CURRENCY)
        await self._go.patch(f"/Products/{theirs}", {"/UnitPrice": 1234.5})
        return lambda: self._chargebee_holds(
            f"/item_prices/{price_id}", "item_price", {"price": 123450}
        )

    async def _new_go_product(self) -> Shown:
        done = await self._go.post(
            "/Products",
            {
                "Code": "3990",
                "Name": "Bordlampe til kasse",
                "Description": "Dimbar",
                "UnitPrice": 449.5,
                "UnitOfMeasureCode": "EA",
                "ProductGroupCode": "varer",
                "ProductType": "Product",
            },
        )
        self._new["go product"] = created = str(done["Id"])
        path = f"/item_prices/go-{created}-{CURRENCY}"
        return lambda: self._chargebee_holds(path, "item_price", {"price": 44950})

    # -- orders

    async def _new_invoice(self) -> Shown:
        invoice = await self._bill()
        await self._pay(invoice)
        since = (datetime.now(UTC) - timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M:%SZ")

        async def shown() -> bool:
            orders = (await self._chargebee.get(f"/invoices/{invoice['id']}/orders"))["list"]
            references = {f"cb-{each['order']['id']}" for each in orders}
            found = (
                await self._go.get("/SalesOrders", lastChangedDateTimeOffsetGreaterThan=since) or []
            )
            return any(each.get("ExternalImportReference") in references for each in found)

        return shown

    async def _paid_invoice(self) -> Shown:
        invoice = await self._bill()
        link = await self._until_linked("order", f"inv-{invoice['id']}")
        await self._pay(invoice)
        assert link.poweroffice is not None
        path = f"/SalesOrders/{link.poweroffice.id}/Complete"

        async def shown() -> bool:
            lines = (await self._go.get(path))["SalesOrderLines"]
            return any(
                ", paid" in str(each.get("Description"))
                for each in lines
                if each.get("LineType") == "Text"
            )

        return shown

    async def _bill(self) -> Record:
        customer = self._new["chargebee customer"]
        await self._until_linked("customer", customer)
        price_id = await self._charge_price()
        done = await self._chargebee.post(
            "/invoices/create_for_charge_items_and_charges",
            {
                "customer_id": customer,
                "currency_code": CURRENCY,
                "auto_collection": "off",
                "po_number": "PO-DEMO-1",
                "item_prices[item_price_id][0]": price_id,
                "item_prices[quantity][0]": 3,
            },
        )
        invoice: Record = done["invoice"]
        return invoice

    async def _pay(self, invoice: Record) -> None:
        await self._chargebee.post(
            f"/invoices/{invoice['id']}/record_payment",
            {
                "transaction[amount]": invoice["amount_due"],
                "transaction[payment_method]": "bank_transfer",
                "transaction[date]": int(datetime.now(UTC).timestamp()),
            },
        )

    async def _charge_price(self) -> str:
        items = await self._chargebee.all("/items", "item", **{"type[is]": "charge"})
        for item in sorted(items, key=lambda each: str(each["id"])):
            is_sold = item.get("is_shippable") or self._by_invoice
            if not is_sold or self._linked("product", item["id"]) is None:
                continue
            for price in await self._chargebee.all(
                "/item_prices", "item_price", **{"item_id[is]": item["id"]}
            ):
                if price["currency_code"] == CURRENCY and price.get("status") == "active":
                    return str(price["id"])
        raise LookupError("no linked charge can be sold")

    async def _new_go_order(self) -> Shown:
        customer, product = self._new["go customer"], self._new["go product"]
        await self._until_linked("customer", f"go-{customer}")
        await self._until_linked("product", f"go-{product}")
        order = await self._go.post(
            "/SalesOrders/Complete",
            {
                "CustomerId": int(customer),
                "CurrencyCode": CURRENCY,
                "SalesOrderDate": _today(),
                "SalesOrderLines": [
                    {"LineType": "Normal", "ProductId": int(product), "Quantity": 2}
                ],
            },
        )
        await self._go.post(f"/SalesOrders/{order['Id']}/createAndSendInvoice", {})

        async def shown() -> bool:
            if self._by_invoice:
                return (
                    await self._chargebee.find(f"/invoices/go-{order['Id']}", "invoice") is not None
                )
            try:
                return bool(
                    (await self._chargebee.get(f"/invoices/go-{order['Id']}/orders"))["list"]
                )
            except VendorAnswer as error:
                if error.status != 404:
                    raise
                return False

        return shown

    async def _order_date(self) -> Shown:
        ours, theirs = self._pick(
            "order", lambda a, b: b.get("status") == "draft" and a.get("order_date")
        )
        order = (await self._chargebee.get(f"/orders/{ours}"))["order"]
        day = datetime.fromtimestamp(order["order_date"], UTC).date() + timedelta(days=3)
        await self._go.patch(f"/SalesOrders/{theirs}", {"/SalesOrderDate": day.isoformat()})

        async def shown() -> bool:
            found = (await self._chargebee.get(f"/orders/{ours}"))["order"]
            # Noon is far enough from midnight for the UTC date to be the local one.
            return datetime.fromtimestamp(found["order_date"], UTC).date() == day

        return shown

    # -- questions

    async def _go_holds(self, path: str, wanted: Record) -> bool:
        return _holds(await self._go.get(path), wanted)

    async def _chargebee_holds(self, path: str, kind: str, wanted: Record) -> bool:
        return _holds(await self._chargebee.find(path, kind), wanted)


_READ_ONLY = frozenset({"object", "validation_status"})


def _with_address(ours: Record, theirs: Record) -> bool:
    return bool(ours.get("kind") == "person" and ours.get("address") and theirs.get("address"))


def _today() -> str:
    return date.today().isoformat()  # noqa: DTZ011 - a local date, as a person would enter it


def _holds(found: Record | None, wanted: Record) -> bool:
    """Whether a record has these values; nested objects are compared by the names wanted only."""
    return found is not None and all(
        _holds(found.get(name), value) if isinstance(value, dict) else found.get(name) == value
        for name, value in wanted.items()
    )
