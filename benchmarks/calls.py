"""How many requests an edit costs: the real services between the simulators, which count what they
are asked.

Every row begins and ends at rest. Counted is all that Tandem sends between the two, the reading of
the record and of our own write's echo included; left out are tokens, probes, and what is asked
whether or not somebody edits: Chargebee's events, Go's lists as polls and sweeps read them, and its
product groups, which are asked for anew after each sweep. The look for twins before a creation is a
list too, and is counted.
"""

import asyncio
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from contracts.entities import System
from contracts.messages import Link
from services.poweroffice_adapter.client import CHANGED, MAX_PAGE_SIZE
from tests.system.rig import Rig
from tests.waiting import wait_for

SETTINGS = """
delete.customer.to_poweroffice = "archive"
delete.product.to_poweroffice = "archive"
"""
SELDOM_S, OFTEN_S = 600, 1  # between sweeps
POLLED = {
    "chargebee": ("GET /events",),
    "poweroffice": ("GET /Customers", "GET /Products", "GET /SalesOrders", "GET /OutgoingInvoices"),
}
BESIDE = ("POST /OAuth/Token", "GET /ClientIntegrationInformation", "GET /ProductGroups")
Shown = Callable[[], object]


class Kind(NamedTuple):
    """What somebody does. `make` does it and gives the question whether it has arrived."""

    entity: str
    begins_in: System
    words: str
    make: Callable[[Rig], Shown]


class Row(NamedTuple):
    """The requests to each vendor that one edit cost, by method and path."""

    kind: Kind
    chargebee: Counter[str]
    poweroffice: Counter[str]

    @property
    def name(self) -> str:
        return f"{self.kind.entity} from {self.kind.begins_in}: {self.kind.words}"

    @property
    def counts(self) -> tuple[int, int, int, int]:
        """Reads and writes of Chargebee, reads and writes of Go."""
        ours, theirs = _by_sort(self.chargebee), _by_sort(self.poweroffice)
        return (*ours, *theirs)

    def line(self) -> str:
        cells = " | ".join(str(count) for count in self.counts)
        return f"| {self.name} | {cells} |"


async def measure(bootstrap: str, _: int) -> AsyncIterator[str]:
    """A row for each kind of edit."""
    yield "| edit | reads of Chargebee | writes | reads of Go | writes |"
    yield "|---|---|---|---|---|"
    rows = counted(bootstrap)
    while (row := await asyncio.to_thread(next, rows, None)) is not None:
        yield row.line()


def counted(bootstrap: str) -> Iterator[Row]:
    """Every kind, one after the other, each on what those before it have made."""
    with (
        tempfile.TemporaryDirectory() as directory,
        Rig(bootstrap, Path(directory), settings=SETTINGS) as rig,
    ):
        rig.sweep_s = SELDOM_S
        rig.write_settings()
        rig.start()
        for kind in KINDS:
            yield _row(rig, kind)
        rig.stop("poweroffice_adapter")
        rig.sweep_s = OFTEN_S
        rig.write_settings()
        rig.start("poweroffice_adapter")
        for kind in SWEPT:
            yield _row(rig, kind)


def _row(rig: Rig, kind: Kind) -> Row:
    _rest(rig)
    shown = kind.make(rig)
    wait_for(f"{kind.entity}, {kind.words}: it arrives", shown)
    rig.quiet(polls=2)
    return Row(kind, _asked(rig, "chargebee"), _asked(rig, "poweroffice"))


def _rest(rig: Rig) -> None:
    """Nothing moves, and nothing is counted so far."""
    rig.quiet(polls=2)
    for system in POLLED:
        rig.control.post(f"{rig.url(system)}/_sim/requests/clear")


def _asked(rig: Rig, system: System) -> Counter[str]:
    """What was asked of a vendor because of the edit."""
    found = Counter[str]()
    for each in rig.requests(system, log=True)["log"]:
        name = f"{each['method']} {each['path']}"
        if name in BESIDE or (name in POLLED[system] and not _is_look(each)):
            continue
        found[name] += 1
    return found


def _is_look(entry: dict[str, Any]) -> bool:
    """Whether a list is the look for twins: what changed of late, as a sink asks for it."""
    query = {name.lower(): value for name, value in (entry.get("body") or {}).items()}
    return CHANGED.lower() in query and query.get("pagesize") == str(MAX_PAGE_SIZE)


def _by_sort(asked: Counter[str]) -> tuple[int, int]:
    reads = sum(count for name, count in asked.items() if name.startswith("GET "))
    return reads, asked.total() - reads


# -- what somebody does


def _linked(rig: Rig, entity: Any, key: str) -> Link | None:
    link = rig.links(entity).get(key)
    both = link is not None and link.chargebee is not None and link.poweroffice is not None
    return link if both and link is not None and link.flight is None else None


def _go_id(rig: Rig, entity: Any, key: str) -> str:
    side = rig.links(entity)[key].poweroffice
    assert side is not None
    return side.id


def _in_go(rig: Rig, path: str, **values: Any) -> Shown:
    return lambda: values.items() <= rig.go.get(path).json().items()


def _in_chargebee(rig: Rig, path: str, kind: str, **values: Any) -> Shown:
    return lambda: values.items() <= (rig.held(path, kind) or {}).items()


def _customer(rig: Rig) -> Shown:
    names = {"first_name": "Kari", "last_name": "Nordmann", "email": "kari@eksempel.no"}
    rig.add_customer(id="kari", **names)
    return lambda: _linked(rig, "customer", "kari")


def _phone(rig: Rig) -> Shown:
    rig.act("/customers/kari", "customer", phone="+47 40000000")
    path = f"/Customers/{_go_id(rig, 'customer', 'kari')}"
    return _in_go(rig, path, PhoneNumber="+47 40000000")


def _billing_address(rig: Rig) -> Shown:
    address = {"line1": "Storgata 1", "city": "Oslo", "zip": "0150", "country": "NO"}
    fields = {f"billing_address__{name}": value for name, value in address.items()}
    rig.act("/customers/kari/update_billing_info", "customer", **fields)
    path = f"/Customers/{_go_id(rig, 'customer', 'kari')}"
    return lambda: (rig.go.get(path).json().get("MailAddress") or {}).get("City") == "Oslo"


def _go_customer(rig: Rig) -> Shown:
    names = {"FirstName": "Ola", "LastName": "Nordmann", "EmailAddress": "ola@eksempel.no"}
    made = rig.add_go_customer(IsPerson=True, InvoiceDeliveryType="Print", **names)
    return lambda: _linked(rig, "customer", f"go-{made['Id']}")


def _ola(rig: Rig) -> str:
    return next(key for key in rig.links("customer") if key.startswith("go-"))


def _go_phone(rig: Rig) -> Shown:
    key = _ola(rig)
    rig.go_edit(f"/Customers/{_go_id(rig, 'customer', key)}", PhoneNumber="+47 90000000")
    return _in_chargebee(rig, f"/customers/{key}", "customer", phone="+47 90000000")


def _go_address(rig: Rig) -> Shown:
    key, path = "kari", f"/Customers/{_go_id(rig, 'customer', 'kari')}"
    rig.go_edit(path, MailAddress__City="Bergen", MailAddress__ZipCode="5003")

    def shown() -> bool:
        held = rig.held(f"/customers/{key}", "customer") or {}
        return bool(held.get("billing_address", {}).get("city") == "Bergen")

    return shown


def _go_phone_and_address(rig: Rig) -> Shown:
    key, path = "kari", f"/Customers/{_go_id(rig, 'customer', 'kari')}"
    rig.go_edit(
        path,
        PhoneNumber="+47 41111111",
        MailAddress__City="Stavanger",
        MailAddress__ZipCode="4005",
    )

    def shown() -> bool:
        held = rig.held(f"/customers/{key}", "customer") or {}
        city = held.get("billing_address", {}).get("city")
        return bool(city == "Stavanger" and held.get("phone") == "+47 41111111")

    return shown


def _deleted_customer(rig: Rig) -> Shown:
    rig.act("/customers/kari/delete", "customer")
    return _in_go(rig, f"/Customers/{_go_id(rig, 'customer', 'kari')}", IsArchived=True)


def _item(rig: Rig) -> Shown:
    rig.add_item("stol", 120000, is_shippable="true")
    return lambda: (
        (link := _linked(rig, "product", "stol")) is not None
        and link.poweroffice is not None
        and rig.go.get(f"/Products/{link.poweroffice.id}").json().get("UnitPrice") == 1200
    )


def _item_name(rig: Rig) -> Shown:
    rig.act("/items/stol", "item", name="Stol, svart")
    return _in_go(rig, f"/Products/{_go_id(rig, 'product', 'stol')}", Name="Stol, svart")


def _item_price(rig: Rig) -> Shown:
    rig.act("/item_prices/stol-NOK", "item_price", price=130000)
    return _in_go(rig, f"/Products/{_go_id(rig, 'product', 'stol')}", UnitPrice=1300)


def _archived_item(rig: Rig) -> Shown:
    rig.act("/items/stol", "item", status="archived")
    return _in_go(rig, f"/Products/{_go_id(rig, 'product', 'stol')}", IsArchived=True)


def _go_product(rig: Rig, code: str = "4410") -> Shown:
    made = rig.go_post(
        "/Products",
        {
            "Code": code,
            "Name": f"Lampe {code}",
            "UnitPrice": 199,
            "ProductGroupCode": "varer",
            "ProductType": "Product",
        },
    )
    path = f"/item_prices/go-{made['Id']}-NOK"
    return lambda: (
        rig.held(path, "item_price") is not None and _linked(rig, "product", f"go-{made['Id']}")
    )


def _lamp(rig: Rig) -> str:
    return next(key for key in rig.links("product") if key.startswith("go-"))


def _go_edited(rig: Rig, **values: Any) -> str:
    key = _lamp(rig)
    rig.go_edit(f"/Products/{_go_id(rig, 'product', key)}", **values)
    return key


def _go_description(rig: Rig) -> Shown:
    key = _go_edited(rig, Description="Dimbar")
    return _in_chargebee(rig, f"/items/{key}", "item", description="Dimbar")


def _go_price(rig: Rig) -> Shown:
    key = _go_edited(rig, UnitPrice=249.5)
    return _in_chargebee(rig, f"/item_prices/{key}-NOK", "item_price", price=24950)


def _go_name_and_price(rig: Rig) -> Shown:
    key = _go_edited(rig, Name="Bordlampe", UnitPrice=259)
    named = _in_chargebee(rig, f"/items/{key}", "item", external_name="Bordlampe")
    priced = _in_chargebee(rig, f"/item_prices/{key}-NOK", "item_price", price=25900)
    return lambda: named() and priced()


def _go_archived(rig: Rig) -> Shown:
    key = _go_edited(rig, IsArchived=True)
    return _in_chargebee(rig, f"/items/{key}", "item", status="archived")


def _order(rig: Rig) -> Shown:
    order = rig.add_order("kari", {"stol-NOK": 2})
    return lambda: _linked(rig, "order", order["id"])


def _draft(rig: Rig) -> Link:
    found = rig.links("order").values()
    return next(each for each in found if each.chargebee and not each.key.startswith("go-"))


def _draft_path(rig: Rig) -> str:
    side = _draft(rig).poweroffice
    assert side is not None
    return f"/SalesOrders/{side.id}"


def _shipping_date(rig: Rig) -> Shown:
    day = date.fromisoformat(_draft(rig).chargebee.seen["order_date"]) + timedelta(days=9)  # type: ignore[union-attr,index]
    noon_s = int((day - date(1970, 1, 1)).total_seconds()) + 12 * 3600
    rig.act(f"/orders/{_draft(rig).key}", "order", shipping_date=noon_s)
    path = _draft_path(rig)
    return lambda: str(rig.go.get(f"{path}/Complete").json().get("DeliveryDate")).startswith(
        day.isoformat()
    )


def _go_order_date(rig: Rig) -> Shown:
    order, path = _draft(rig), _draft_path(rig)
    assert order.chargebee is not None and order.chargebee.seen is not None
    day = date.fromisoformat(order.chargebee.seen["order_date"]) - timedelta(days=2)
    rig.go_edit(path, SalesOrderDate=day.isoformat())
    noon_s = int((day - date(1970, 1, 1)).total_seconds()) + 12 * 3600

    def shown() -> bool:
        held = rig.held(f"/orders/{order.key}", "order") or {}
        return abs(int(held.get("order_date", 0)) - noon_s) < 6 * 3600

    return shown


def _cancelled(rig: Rig) -> Shown:
    path = _draft_path(rig)
    key = _draft(rig).key
    rig.act(f"/orders/{key}/cancel", "order", cancellation_reason="product_not_required")
    return lambda: rig.go.get(path).status_code == 404


def _sent(rig: Rig) -> Shown:
    order = rig.go_post(
        "/SalesOrders/Complete",
        {
            "CustomerId": int(_go_id(rig, "customer", _ola(rig))),
            "CurrencyCode": "NOK",
            "SalesOrderDate": date.today().isoformat(),  # noqa: DTZ011 - as a person enters it
            "SalesOrderLines": [
                {
                    "LineType": "Normal",
                    "ProductId": int(_go_id(rig, "product", _lamp(rig))),
                    "Quantity": 2,
                }
            ],
        },
    )
    _rest(rig)  # a draft is read, and stays where it is
    rig.go_post(f"/SalesOrders/{order['Id']}/createAndSendInvoice", {})
    return lambda: _linked(rig, "order", f"go-{order['Id']}")


def _generated(rig: Rig) -> Shown:
    """Chargebee makes an order of goods for the imported invoice by itself."""
    rig.act(f"/items/{_lamp(rig)}", "item", is_shippable="true")
    rig.settings("chargebee", orders_for_imported_invoices=True)
    return _sent(rig)


KINDS = (
    Kind("customer", "chargebee", "creation", _customer),
    Kind("customer", "chargebee", "phone", _phone),
    Kind("customer", "chargebee", "address", _billing_address),
    Kind("customer", "poweroffice", "creation", _go_customer),
    Kind("customer", "poweroffice", "phone", _go_phone),
    Kind("product", "chargebee", "creation", _item),
    Kind("product", "chargebee", "name", _item_name),
    Kind("product", "chargebee", "price", _item_price),
    Kind("product", "poweroffice", "creation, the first", _go_product),
    Kind("product", "poweroffice", "creation", lambda rig: _go_product(rig, "4411")),
    Kind("product", "poweroffice", "description", _go_description),
    Kind("product", "poweroffice", "price", _go_price),
    Kind("product", "poweroffice", "name and price", _go_name_and_price),
    Kind("order", "chargebee", "creation", _order),
    Kind("order", "chargebee", "shipping date", _shipping_date),
    Kind("order", "poweroffice", "order date of a draft", _go_order_date),
    Kind("order", "chargebee", "cancellation", _cancelled),
    Kind("order", "poweroffice", "creation, imported whole", _sent),
    Kind("order", "poweroffice", "creation, Chargebee makes the order", _generated),
    Kind("product", "chargebee", "archived", _archived_item),
    Kind("product", "poweroffice", "archived", _go_archived),
)
SWEPT = (  # Go shows an address in no poll
    Kind("customer", "poweroffice", "address", _go_address),
    Kind("customer", "poweroffice", "phone and address", _go_phone_and_address),
    Kind("customer", "chargebee", "deletion", _deleted_customer),
)
