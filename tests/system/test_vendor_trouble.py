"""What the vendors and the installation do to a sync: faults, refused keys, second processes;
nothing is doubled."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from contracts.entities import ENTITIES, EntityName
from contracts.messages import Command, Link
from tests.system.rig import SERVICES, Rig
from tests.waiting import wait_for


@pytest.fixture
def rig(kafka: str, tmp_path: Path) -> Iterator[Rig]:
    with Rig(kafka, tmp_path) as held:
        yield held


PERSON = {"first_name": "Kari", "last_name": "Nordmann"}
CREATES = {
    "chargebee": (
        "POST /customers",
        "POST /item_families",
        "POST /items",
        "POST /item_prices",
        "POST /invoices/import_invoice",
        "POST /orders/import_order",
    ),
    "poweroffice": ("POST /Customers", "POST /Products", "POST /SalesOrders/Complete"),
}


def add_people(rig: Rig, *names: str) -> None:
    for name in names:
        rig.add_customer(id=name, email=f"{name}@eksempel.no", **PERSON)


def link_of(rig: Rig, key: str, entity: EntityName = "customer") -> Link | None:
    return rig.links(entity).get(key)


def wait_linked(rig: Rig, *keys: str) -> None:
    def all_linked() -> bool:
        links = rig.links()
        return all(
            (link := links.get(key)) is not None and link.state == "linked" and not link.flight
            for key in keys
        )

    wait_for(f"{', '.join(keys)} are linked", all_linked)


def wait_state(rig: Rig, key: str, state: str) -> Link:
    def there() -> Link | None:
        link = link_of(rig, key)
        return link if link is not None and link.state == state else None

    found: Link = wait_for(f"{key} is {state}", there)
    return found


def stamps(rig: Rig) -> Counter[str]:
    return Counter(
        each["ExternalImportReference"]
        for each in rig.go_customers()
        if each.get("ExternalImportReference")
    )


# -- faults


def fill_both(rig: Rig) -> None:
    """15 customers, 4 products and 3 orders on each side."""
    add_people(rig, *(f"kari-{number}" for number in range(15)))
    for number in range(4):
        rig.add_item(f"vare-{number}", 1000 * (number + 1), is_shippable="true")
    for number in range(3):
        rig.add_order(f"kari-{number}", {f"vare-{number}-NOK": number + 1})
    people = [
        rig.add_go_customer(
            IsPerson=True, FirstName="Ola", LastName=f"Hansen {number}", InvoiceDeliveryType="Print"
        )["Id"]
        for number in range(15)
    ]
    products = [
        rig.go_post(
            "/Products",
            {
                "Code": f"77{number}",
                "Name": f"Produkt {number}",
                "UnitPrice": 50,
                "ProductGroupCode": "varer",
            },
        )["Id"]
        for number in range(4)
    ]
    for number in range(3):
        order = rig.go_post(
            "/SalesOrders/Complete",
            {
                "CustomerId": people[number],
                "CurrencyCode": "NOK",
                "SalesOrderDate": "2026-11-02",
                "SalesOrderLines": [
                    {"LineType": "Normal", "ProductId": products[number], "Quantity": 2}
                ],
            },
        )
        rig.go_post(f"/SalesOrders/{order['Id']}/createAndSendInvoice", {})


def break_everything(rig: Rig) -> None:
    """Every create commits and loses its reply; besides that all kinds of trouble on reads and
    writes."""
    for name, creates in CREATES.items():
        for kind, more in (
            ("429", {"retry_after": 1}),
            ("500", {}),
            ("503", {"retry_after": 1}),
            ("html502", {}),
            ("drop_before", {}),
            ("slow", {"delay_s": 0.2}),
        ):
            rig.fault(name, kind=kind, match="GET", after=2, count=2, **more)
            rig.fault(name, kind=kind, match="POST", after=1, count=2, **more)
        for match in creates:
            rig.fault(name, kind="drop_reply_after_commit", match=match, count=1000)


def test_a_backfill_through_every_fault_converges_without_a_duplicate(rig: Rig) -> None:
    """Each record is made once, though the reply to every creation is lost."""
    fill_both(rig)
    break_everything(rig)
    rig.start()

    def converged() -> bool:
        return all(
            len(links := rig.links(entity)) == count
            and all(link.state in ("linked", "sent") and not link.flight for link in links.values())
            for entity, count in zip(ENTITIES, (30, 8, 6), strict=True)
        )

    wait_for("everything is linked", converged)
    for name in CREATES:
        rig.clear_faults(name)
    # 15 customers, 4 products and 3 orders into Go; into Chargebee products and orders take two
    # writes each, and the family of the items one.
    assert rig.quiet() == (15 + 4 + 3) + (15 + 4 * 2 + 1 + 3 * 2)
    assert (len(rig.go_customers()), len(rig.go_list("/Products"))) == (30, 8)
    assert len(rig.go_list("/SalesOrders")) + len(rig.go_list("/OutgoingInvoices")) == 6
    assert stamps(rig) == {f"cb-kari-{number}": 1 for number in range(15)}
    assert len(rig.chargebee_list("/customers", "customer")) == 30
    assert len(rig.chargebee_list("/items", "item")) == 8
    assert len(rig.chargebee_list("/item_prices", "item_price")) == 8
    assert len(rig.chargebee_list("/orders", "order")) == 6
    assert len(rig.chargebee_list("/invoices", "invoice")) == 6


# -- keys


def test_a_revoked_key_parks_with_words_and_all_goes_on_when_it_is_restored(rig: Rig) -> None:
    """Expired tokens are an everyday thing and stop nothing."""
    add_people(rig, "kari-0")
    rig.start()
    wait_linked(rig, "kari-0")
    rig.control.post(f"{rig.url('poweroffice')}/_sim/tokens/expire")
    add_people(rig, "kari-1")
    wait_linked(rig, "kari-1")

    rig.settings("poweroffice", revoked_clients=["tandem"])
    add_people(rig, "kari-2", "kari-3")
    parked = [wait_state(rig, name, "parked") for name in ("kari-2", "kari-3")]
    assert all(link.problem or link.reason for link in parked)

    def told() -> Any:
        found = rig.status()["tenants"]["demo"]
        return found if found["troubles"] and len(found["stuck"]) == 2 else None

    shown = wait_for("the status tells of it", told)
    assert any(line.startswith("poweroffice stopped") for line in shown["troubles"])
    assert {finding["key"] for finding in shown["stuck"]} == {"kari-2", "kari-3"}
    assert all(finding["reason"] for finding in shown["stuck"])

    rig.settings("poweroffice", revoked_clients=[])
    wait_linked(rig, "kari-2", "kari-3")
    rig.log_in()
    assert rig.quiet() == 4
    assert set(stamps(rig).values()) == {1}
    wait_for("the status is clean again", lambda: not rig.status()["tenants"]["demo"]["troubles"])


OTHER = """
[tenants.other]
mode = "sync"
invoicing.by = "chargebee"
start.orders = 2026-01-01
create.order.to_chargebee = "on"
chargebee.prices = "net"
chargebee.base_url = "{chargebee}/api/v2"
poweroffice.base_url = "{poweroffice}/v2"
poweroffice.token_url = "{poweroffice}/OAuth/Token"
"""


def test_a_tenant_with_wrong_keys_holds_up_no_other(kafka: str, tmp_path: Path) -> None:
    """Both live in one partition and one process; the one is stopped with words, the other
    converges."""
    with Rig(kafka, tmp_path, settings=OTHER) as rig:
        tenant = "TANDEM_TENANTS__OTHER__"
        rig.variables = {
            f"{tenant}CHARGEBEE__API_KEY": "wrong",
            f"{tenant}POWEROFFICE__APPLICATION_KEY": "x",
            f"{tenant}POWEROFFICE__CLIENT_KEY": "y",
            f"{tenant}POWEROFFICE__SUBSCRIPTION_KEY": "z",
        }
        names = [f"kari-{number}" for number in range(5)]
        add_people(rig, *names)
        rig.add_go_customer(
            IsPerson=True, FirstName="Ola", LastName="Hansen", InvoiceDeliveryType="Print"
        )
        rig.start()
        wait_linked(rig, *names)
        assert rig.quiet() == 6
        assert len(rig.chargebee_list("/customers", "customer")) == len(rig.go_customers()) == 6

        def told() -> Any:
            found = rig.status()["tenants"]
            return found if len(found["other"]["troubles"]) >= 2 else None

        shown = wait_for("the status tells of the stopped tenant", told)
        assert {line.split(" ")[0] for line in shown["other"]["troubles"]} == {
            "chargebee",
            "poweroffice",
        }
        assert shown["demo"]["troubles"] == []
        assert shown["demo"]["entities"]["customer"]["linked"] == 6
        assert shown["other"]["entities"]["customer"]["linked"] == 0


# -- observing


def planned(command: Command) -> tuple[Any, ...]:
    return command.target, command.op, command.link, command.fields, command.stamp


def test_observing_writes_nothing_and_the_plan_is_what_is_written_later(rig: Rig) -> None:
    """Every plan is kept in its link; with mode sync exactly those commands are sent, once each."""
    rig.variables = {"TANDEM_TENANTS__DEMO__MODE": "observe"}
    add_people(rig, "kari-0", "kari-1", "kari-2")
    rig.add_item("vare", 10000)
    for number in range(2):
        rig.add_go_customer(
            IsPerson=True, FirstName="Ola", LastName=f"Hansen {number}", InvoiceDeliveryType="Print"
        )
    rig.start()

    def all_held() -> list[Link] | None:
        found = [link for entity in ENTITIES for link in rig.links(entity).values()]
        return found if len(found) == 6 and all(link.state == "held" for link in found) else None

    held: list[Link] = wait_for("every record is held", all_held)
    assert rig.quiet() == 0
    assert rig.records("commands.chargebee") == rig.records("commands.poweroffice") == []
    plans = [link.plan for link in held if link.plan is not None]
    assert len(plans) == 6

    for name in SERVICES:
        rig.stop(name)
    rig.variables = {}
    rig.start()

    def all_linked() -> bool:
        return all(
            link.state == "linked" for entity in ENTITIES for link in rig.links(entity).values()
        )

    wait_for("every record is linked", all_linked)
    assert rig.quiet() == 6
    sent = [
        msgspec.convert(each, Command)
        for system in ("chargebee", "poweroffice")
        for each in rig.records(f"commands.{system}")
    ]
    assert sorted(map(planned, sent), key=repr) == sorted(map(planned, plans), key=repr)


# -- two processes of one service


@pytest.mark.parametrize("name", ["linker", "poweroffice_adapter"])
def test_a_second_process_takes_over_and_the_first_stands_aside(rig: Rig, name: str) -> None:
    """The first says that it is not ready and why, stays alive, and does nothing more."""
    add_people(rig, "kari-0")
    rig.start()
    wait_linked(rig, "kari-0")
    second = rig.start_second(name)
    add_people(rig, *(f"kari-{number}" for number in range(1, 6)))
    wait_for("the first is not ready", lambda: "was taken over" in (rig.problem(name) or ""))
    wait_linked(rig, *(f"kari-{number}" for number in range(6)))
    assert rig.processes[name].poll() is None
    assert rig.problem(second) is None
    calls = rig.requests("poweroffice")["counts"]["POST /Customers"]
    add_people(rig, *(f"kari-{number}" for number in range(6, 11)))
    wait_linked(rig, *(f"kari-{number}" for number in range(11)))
    assert rig.quiet() == 11
    assert stamps(rig) == {f"cb-kari-{number}": 1 for number in range(11)}
    assert rig.requests("poweroffice")["counts"]["POST /Customers"] == calls + 5
    assert rig.processes[name].poll() is None
