"""Products and orders through the real services: each arrives on the other side once, edits too,
nothing follows."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from contracts.entities import ENTITIES, EntityName
from contracts.messages import Link
from simulators.demo_data import CUSTOMERS, ORDERS, PRODUCTS
from tests.system.rig import Rig
from tests.waiting import wait_for

OSLO = ZoneInfo("Europe/Oslo")


@pytest.fixture(scope="module")
def running(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with Rig(kafka, tmp_path_factory.mktemp("rig")) as held:
        held.start()
        yield held


@pytest.fixture
def rig(running: Rig) -> Rig:
    """Services that have come to rest; each test brings records of its own."""
    running.settings("chargebee", orders_for_imported_invoices=False)
    running.quiet()
    return running


def link_of(rig: Rig, entity: EntityName, key: str) -> Link | None:
    return rig.links(entity).get(key)


def linked(rig: Rig, entity: EntityName, key: str) -> Link:
    """The link of a record that has crossed, once nothing of it is in flight."""

    def there() -> Link | None:
        link = link_of(rig, entity, key)
        return (
            link
            if link is not None and link.state in ("linked", "sent") and link.flight is None
            else None
        )

    found: Link = wait_for(f"{entity} {key} is linked", there)
    return found


def go_id(link: Link) -> str:
    assert link.poweroffice is not None
    return link.poweroffice.id


def go_holds(rig: Rig, path: str, **values: Any) -> None:
    def holds() -> bool:
        record = rig.go.get(path).json()
        return all(record.get(name) == value for name, value in values.items())

    wait_for(f"{path} holds {values}", holds)


def chargebee_holds(rig: Rig, path: str, kind: str, **values: Any) -> None:
    def holds() -> bool:
        record = rig.held(path, kind)
        return record is not None and all(
            record.get(name) == value for name, value in values.items()
        )

    wait_for(f"{path} holds {values}", holds)


def add_person(rig: Rig, id: str) -> str:
    rig.add_customer(
        id=id, email=f"{id}@eksempel.no", first_name="Kari", last_name=f"Nordmann {id}"
    )
    linked(rig, "customer", id)
    return id


def add_go_person(rig: Rig, name: str) -> str:
    customer = rig.add_go_customer(
        IsPerson=True, FirstName="Ola", LastName=name, InvoiceDeliveryType="Print"
    )
    linked(rig, "customer", f"go-{customer['Id']}")
    return str(customer["Id"])


def add_go_product(rig: Rig, code: str, price: float, **values: Any) -> str:
    body = {
        "Code": code,
        "Name": f"Vare {code}",
        "UnitPrice": price,
        "ProductGroupCode": "varer",
        "ProductType": "Product",
        **values,
    }
    return str(rig.go_post("/Products", body)["Id"])


def complete(rig: Rig, order: Link) -> dict[str, Any]:
    answer: dict[str, Any] = rig.go.get(f"/SalesOrders/{go_id(order)}/Complete").json()
    return answer


def go_orders(rig: Rig) -> int:
    return len(rig.go_list("/SalesOrders")) + len(rig.go_list("/OutgoingInvoices"))


def today() -> str:
    return datetime.now(OSLO).date().isoformat()


def send_go_order(
    rig: Rig, customer: str, lines: list[dict[str, Any]], **header: Any
) -> dict[str, Any]:
    """An order written in Go by a person and sent as an invoice."""
    body = {
        "CustomerId": int(customer),
        "CurrencyCode": "NOK",
        "SalesOrderDate": today(),
        **header,
        "SalesOrderLines": [{"LineType": "Normal", **line} for line in lines],
    }
    order = rig.go_post("/SalesOrders/Complete", body)
    rig.go_post(f"/SalesOrders/{order['Id']}/createAndSendInvoice", {})
    return order


# -- products


def test_an_item_becomes_a_product_and_edits_cross_both_ways(rig: Rig) -> None:
    """One creation; then name, price and description each way with one write each. An archived item
    still renews, so it is only reported by default."""
    before = rig.quiet()
    rig.add_item("lampe", 44950, description="Dimbar", unit="hour")
    path = f"/Products/{go_id(linked(rig, 'product', 'lampe'))}"
    product = rig.go.get(path).json()
    assert [product[name] for name in ("Code", "Name", "Description")] == [
        "lampe",
        "Vare lampe",
        "Dimbar",
    ]
    go_holds(rig, path, UnitPrice=449.5, UnitOfMeasureCode="HUR", IsArchived=False)
    # An item may be read before its price was entered; then the price follows.
    created = rig.quiet()
    assert created - before in (1, 2)
    before = created - 1

    rig.act("/items/lampe", "item", name="Bordlampe")
    go_holds(rig, path, Name="Bordlampe")
    assert rig.quiet() == before + 2
    rig.act("/item_prices/lampe-NOK", "item_price", price=50000)
    go_holds(rig, path, UnitPrice=500)
    assert rig.quiet() == before + 3

    rig.go_edit(path, Name="Bordlampe, svart")
    chargebee_holds(rig, "/items/lampe", "item", name="Bordlampe, svart")
    assert rig.quiet() == before + 4
    rig.go_edit(path, UnitPrice=512.25)
    chargebee_holds(rig, "/item_prices/lampe-NOK", "item_price", price=51225)
    assert rig.quiet() == before + 5
    rig.go_edit(path, Description="Dimbar, med bryter")
    chargebee_holds(rig, "/items/lampe", "item", description="Dimbar, med bryter")
    assert rig.quiet() == before + 6

    rig.act("/items/lampe", "item", status="archived")
    wait_for(
        "the archive is listed", lambda: rig.links("product")["lampe"].differences == ["archived"]
    )
    rig.act("/items/lampe", "item", status="active")
    wait_for("and no more", lambda: rig.links("product")["lampe"].differences == [])
    assert rig.quiet() == before + 6


def test_a_product_becomes_a_charge_with_a_price_and_its_code_as_sku(rig: Rig) -> None:
    """Item and price under own ids; edits of both sides reach the right half of them."""
    before = rig.quiet()
    families = len(rig.chargebee_list("/item_families", "item_family"))
    number = add_go_product(rig, "4410", 199, Description="Fra lager", UnitOfMeasureCode="EA")
    own = f"go-{number}"
    linked(rig, "product", own)
    item, price = (
        rig.held(f"/items/{own}", "item"),
        rig.held(f"/item_prices/{own}-NOK", "item_price"),
    )
    assert item is not None
    assert price is not None
    assert (item["type"], item["external_name"], item["description"]) == (
        "charge",
        "Vare 4410",
        "Fra lager",
    )
    assert (price["price"], price["currency_code"], price["accounting_detail"]["sku"]) == (
        19900,
        "NOK",
        "4410",
    )
    made_families = len(rig.chargebee_list("/item_families", "item_family")) - families
    assert rig.quiet() == before + 2 + made_families

    rig.go_edit(f"/Products/{number}", UnitPrice=201.5)
    chargebee_holds(rig, f"/item_prices/{own}-NOK", "item_price", price=20150)
    rig.act(f"/item_prices/{own}-NOK", "item_price", price=21000)
    go_holds(rig, f"/Products/{number}", UnitPrice=210)
    rig.act(f"/items/{own}", "item", external_name="Ny vare")
    go_holds(rig, f"/Products/{number}", Name="Ny vare")
    assert rig.quiet() == before + 2 + made_families + 3


# -- orders born in Chargebee


def test_an_order_arrives_as_a_draft_that_says_it_is_invoiced(rig: Rig) -> None:
    """Warning first, then the lines; VAT and totals agree; the reference and the order number of
    the buyer stand there; a date edited in the draft comes back."""
    rig.add_item("stol", 120000, is_shippable="true")
    rig.add_item("putex", 9990, is_shippable="true")
    person = add_person(rig, "kunde-a")
    linked(rig, "product", "stol")
    linked(rig, "product", "putex")
    before = rig.quiet()
    order = rig.add_order(person, {"stol-NOK": 2, "putex-NOK": 3}, po_number="PO-77")
    link = linked(rig, "order", order["id"])
    draft = complete(rig, link)
    assert rig.quiet() == before + 1

    assert draft["SalesOrderStatus"] == "Draft"
    assert draft["ExternalImportReference"] == f"cb-{order['id']}"
    assert draft["PurchaseOrderReference"] == "PO-77"
    assert str(draft["CustomerId"]) == go_id(linked(rig, "customer", person))
    first, *lines, last = sorted(draft["SalesOrderLines"], key=lambda line: line["SortOrder"])
    assert (first["LineType"], "Do not send" in first["Description"]) == ("Text", True)
    assert (last["LineType"], last["Description"]) == (
        "Text",
        f"Chargebee order {order['document_number']}",
    )
    assert draft["CustomMatchingReference"] == order["invoice_id"]
    products = [go_id(linked(rig, "product", name)) for name in ("stol", "putex")]
    assert [str(line["ProductId"]) for line in lines] == products
    assert [(line["Quantity"], line["ProductUnitPrice"], line["NetAmount"]) for line in lines] == [
        (2, 1200, 2400),
        (3, 99.9, 299.7),
    ]
    assert (draft["NetAmount"], draft["TotalAmount"]) == (2699.7, round(order["total"] / 100, 2))
    assert order["tax"] == round((draft["TotalAmount"] - draft["NetAmount"]) * 100)
    assert link_of(rig, "order", order["id"]).differences == []  # type: ignore[union-attr]

    day = datetime.fromtimestamp(order["order_date"], UTC).astimezone(OSLO).date() - timedelta(
        days=2
    )
    rig.go_edit(f"/SalesOrders/{go_id(link)}", SalesOrderDate=day.isoformat())

    def came_back() -> bool:
        found = rig.held(f"/orders/{order['id']}", "order")
        return (
            found is not None
            and datetime.fromtimestamp(found["order_date"], UTC).astimezone(OSLO).date() == day
        )

    wait_for("the order date in Chargebee", came_back)
    assert rig.quiet() == before + 2


def test_a_discounted_order_keeps_its_amounts(rig: Rig) -> None:
    """A discount that two decimals of a percentage express, and one that they do not."""
    rig.add_item("skap", 300000, is_shippable="true")
    person = add_person(rig, "kunde-b")
    linked(rig, "product", "skap")
    discount = {"discounts__apply_on__0": "invoice_amount"}
    even = rig.add_order(person, {"skap-NOK": 2}, **discount, discounts__percentage__0=10)
    odd = rig.add_order(person, {"skap-NOK": 3}, **discount, discounts__amount__0=10001)
    for order, allowance, quantity in ((even, 10, 2), (odd, 0, 1)):
        draft = complete(rig, linked(rig, "order", order["id"]))
        line = next(each for each in draft["SalesOrderLines"] if each["LineType"] == "Normal")
        assert (line["Allowance"], line["Quantity"]) == (allowance, quantity)
        assert round(draft["NetAmount"] * 100) == order["total"] - order["tax"]
        assert round(draft["TotalAmount"] * 100) == order["total"]


def test_an_order_waits_for_its_customer(rig: Rig) -> None:
    """A person without a last name cannot be a customer in Go; mended, both cross."""
    rig.add_item("bok", 25000, is_shippable="true")
    rig.add_customer(id="navnlos", email="navnlos@eksempel.no", first_name="Kari")
    linked(rig, "product", "bok")
    order = rig.add_order("navnlos", {"bok-NOK": 1})

    def waiting() -> Link | None:
        link = link_of(rig, "order", order["id"])
        return (
            link
            if link is not None and link.state == "waiting" and "rejected" in (link.reason or "")
            else None
        )

    link = wait_for("the order waits and says why", waiting)
    assert link.waiting_on == ["customer|chargebee|navnlos"]
    before = rig.quiet()
    rig.act("/customers/navnlos", "customer", last_name="Nordmann")
    linked(rig, "order", order["id"])
    assert rig.quiet() == before + 2


# -- orders born in Go


def imported(rig: Rig, order_id: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """(invoice, order) in Chargebee of an order sent from Go, each there exactly once."""
    orders = rig.chargebee.get(f"/invoices/go-{order_id}/orders").json()["list"]
    assert len(orders) == 1
    invoice = rig.held(f"/invoices/go-{order_id}", "invoice")
    assert invoice is not None
    return invoice, orders[0]["order"]


def test_a_sent_order_of_go_becomes_an_invoice_and_an_order_once(rig: Rig) -> None:
    """A discounted line and a fractional quantity among them; nothing goes back to Go."""
    customer = add_go_person(rig, "Sending")
    product = add_go_product(rig, "5510", 1000)
    linked(rig, "product", f"go-{product}")
    before, count = rig.quiet(), go_orders(rig)
    order = send_go_order(
        rig,
        customer,
        [
            {"ProductId": int(product), "Quantity": 2, "ProductUnitPrice": 1000, "SortOrder": 0},
            {
                "ProductId": int(product),
                "Quantity": 1,
                "ProductUnitPrice": 500,
                "Allowance": 10,
                "SortOrder": 1,
            },
            {
                "ProductId": int(product),
                "Quantity": 1.5,
                "ProductUnitPrice": 333.33,
                "SortOrder": 2,
            },
        ],
        PurchaseOrderReference="PO-5",
    )
    linked(rig, "order", f"go-{order['Id']}")
    assert rig.quiet() == before + 3  # the invoice, the order, and Go's number on it
    invoice, made = imported(rig, order["Id"])
    sent = rig.go.get(f"/OutgoingInvoices/{order['Id']}").json()
    assert (made["id"], made["invoice_id"]) == (f"go-{order['Id']}", f"go-{order['Id']}")
    assert (invoice["customer_id"], invoice["po_number"], invoice["status"]) == (
        f"go-{customer}",
        "PO-5",
        "paid",
    )
    assert [(line["quantity"], line["amount"]) for line in invoice["line_items"]] == [
        (2, 200000),
        (1, 45000),
        (1, 50000),
    ]
    assert {line["entity_id"] for line in invoice["line_items"]} == {f"go-{product}-NOK"}
    assert invoice["total"] == made["total"] == round(sent["TotalAmount"] * 100)
    assert made["reference_id"] == str(sent["InvoiceNo"])
    assert go_orders(rig) == count + 1


def test_the_order_that_chargebee_generates_for_an_import_is_adopted(rig: Rig) -> None:
    """Some sites make an order for an imported invoice by themselves: it is the one, it waits on
    hold, since a warehouse would ship what Go has sold, and it never goes to Go."""
    rig.settings("chargebee", orders_for_imported_invoices=True)
    rig.add_item("pakke", 7500, is_shippable="true")
    product = go_id(linked(rig, "product", "pakke"))
    customer = add_go_person(rig, "Generert")
    before, count = rig.quiet(), go_orders(rig)
    order = send_go_order(rig, customer, [{"ProductId": int(product), "Quantity": 4}])
    link = linked(rig, "order", f"go-{order['Id']}")
    assert rig.quiet() == before + 2
    _, made = imported(rig, order["Id"])
    assert made["id"] != f"go-{order['Id']}"
    assert made["status"] == "on_hold"
    assert link.chargebee is not None
    assert link.chargebee.id == made["id"]
    assert go_orders(rig) == count + 1


def test_drafts_and_orders_before_the_start_stay_where_they_are(rig: Rig) -> None:
    """A draft of Go waits to be sent; an order older than start.orders leaves no trace at all."""
    customer = add_go_person(rig, "Gammel")
    product = add_go_product(rig, "6610", 10)
    linked(rig, "product", f"go-{product}")
    before, known = rig.quiet(), set(rig.links("order"))
    orders = len(rig.chargebee_list("/orders", "order"))
    line = {"LineType": "Normal", "ProductId": int(product), "Quantity": 1}
    draft = rig.go_post(
        "/SalesOrders/Complete",
        {
            "CustomerId": int(customer),
            "CurrencyCode": "NOK",
            "SalesOrderDate": today(),
            "SalesOrderLines": [line],
        },
    )
    old = rig.go_post(
        "/SalesOrders/Complete",
        {
            "CustomerId": int(customer),
            "CurrencyCode": "NOK",
            "SalesOrderDate": "2025-12-31",
            "SalesOrderLines": [line],
        },
    )
    rig.go_post(f"/SalesOrders/{old['Id']}/createAndSendInvoice", {})
    link = wait_for("the draft is seen", lambda: link_of(rig, "order", f"go-{draft['Id']}"))
    assert (link.state, link.reason) == ("ignored", "a draft in Go; taken over when sent")
    assert rig.quiet() == before
    assert set(rig.links("order")) - known == {f"go-{draft['Id']}"}
    assert len(rig.chargebee_list("/orders", "order")) == orders


# -- everything at once


def test_the_demo_data_come_to_rest_without_duplicates(kafka: str, tmp_path: Path) -> None:
    """120 parties, 30 products and 60 orders spread over both systems: each is linked once or says
    why not."""
    with Rig(kafka, tmp_path, data="demo") as rig:
        rig.start()
        rig.quiet()
        links = {entity: list(rig.links(entity).values()) for entity in ENTITIES}
        assert {entity: Counter(link.state for link in held) for entity, held in links.items()} == {
            # Two companies share a mailbox with one candidate; their orders wait for a person's
            # decision.
            "customer": {"linked": 118, "ambiguous": 2},
            "product": {"linked": 30},
            # Drafts of Go stay there until they are sent.
            "order": {"linked": 45, "sent": 8, "ignored": 5, "waiting": 2},
        }
        assert [len(links[entity]) for entity in ENTITIES] == [
            len(CUSTOMERS),
            len(PRODUCTS),
            len(ORDERS),
        ]
        for held, ours, theirs in (
            (
                links["customer"],
                rig.chargebee_list("/customers", "customer"),
                rig.go_list("/Customers"),
            ),
            (links["product"], rig.chargebee_list("/items", "item"), rig.go_list("/Products")),
            (
                links["order"],
                rig.chargebee_list("/orders", "order"),
                rig.go_list("/SalesOrders") + rig.go_list("/OutgoingInvoices"),
            ),
        ):
            assert Counter(each["id"] for each in ours) == Counter(
                link.chargebee.id for link in held if link.chargebee
            )
            assert Counter(str(each["Id"]) for each in theirs) == Counter(
                link.poweroffice.id for link in held if link.poweroffice
            )
            stamps = Counter(each.get("ExternalImportReference") for each in theirs)
            stamps.pop(None, None)
            assert set(stamps.values()) <= {1}
