"""`tandem rebuild`: the map of ids anew, equal to the old one; nothing is created, also of orders
sent meanwhile."""

from pathlib import Path
from typing import Any

from contracts.settings import KafkaSettings
from runtime.kafka import Kafka
from tests.system.rig import SERVICES, Rig, link_when, tandem
from tests.waiting import wait_for

OTHERS = {
    "IsPerson": True,
    "FirstName": "Ola",
    "LastName": "Hansen",
    "EmailAddress": "ola@eksempel.no",
    "ExternalImportReference": "crm-77",
    "InvoiceDeliveryType": "Print",
}


def linked_world(rig: Rig) -> list[dict[str, Any]]:
    """A pair of each kind, one born on each side, one that only an operator knows, and two orders;
    the Go orders."""
    rig.add_customer(id="kari", first_name="Kari", last_name="Nordmann", email="kari@eksempel.no")
    rig.add_customer(id="ola", first_name="Ole", last_name="Hansen", email="ole@eksempel.no")
    person = rig.add_go_customer(**OTHERS)
    rig.add_item("hjul", 10000, is_shippable=True)
    rig.go_post(
        "/Products",
        {"Name": "Ramme", "Code": "ramme", "ProductGroupCode": "varer", "UnitPrice": 50},
    )
    rig.variables = {"TANDEM_TENANTS__DEMO__MODE": "observe"}
    rig.start()
    link_when(rig, "ola", "held")
    tandem(rig, "links", "link", "customer", "ola", str(person["Id"]), "--yes")
    tandem(rig, "mode", "sync")
    for key in ("kari", "ola"):
        link_when(rig, key, "linked")
    link_when(rig, "hjul", "linked", "product")
    for _ in range(2):
        order = rig.add_order("kari", {"hjul-NOK": 2})
        link_when(rig, order["id"], "linked", "order")
    rig.quiet()
    return rig.go_list("/SalesOrders")


def send(rig: Rig, order: dict[str, Any]) -> None:
    """A person in Go sends an order: it leaves the sales orders and is an invoice."""
    rig.go.post(f"/SalesOrders/{order['Id']}/createAndSendInvoice", json={}).raise_for_status()
    wait_for(
        "it is sent",
        lambda: order["Id"] in [each["Id"] for each in rig.go_list("/OutgoingInvoices")],
    )


def records(rig: Rig) -> dict[str, int]:
    return {
        "customers": len(rig.go_customers()) + len(rig.chargebee_list("/customers", "customer")),
        "products": len(rig.go_list("/Products")) + len(rig.chargebee_list("/items", "item")),
        "orders": len(rig.go_list("/SalesOrders"))
        + len(rig.go_list("/OutgoingInvoices"))
        + len(rig.chargebee_list("/orders", "order")),
    }


def test_the_map_anew_from_its_topic_and_from_both_systems(rig: Rig) -> None:
    """With a running tenant; an order is sent in between."""
    orders = linked_world(rig)
    exported = tandem(rig, "links", "export")
    assert tandem(rig, "rebuild") == (
        "6 links read anew from their topic; 0 differed from what was held\n"
    )
    writes, before = rig.quiet(), records(rig)
    send(rig, orders[0])
    said = tandem(rig, "rebuild", "--from-vendors")
    assert "6 pairs linked; 0 no longer, 0 newly; nothing was created\n" in said
    assert tandem(rig, "links", "export") == exported
    assert not any(link.differences for link in rig.links("order").values())
    assert tandem(rig, "status").count("Mode observe") == 1
    assert (rig.quiet(), records(rig)) == (writes, before)
    tandem(rig, "mode", "sync")
    assert (rig.quiet(), records(rig)) == (writes, before)
    assert "refused: a rebuild" not in tandem(rig, "runs", "list")
    rig.chargebee.post("/customers/kari", data={"phone": "+47 99"}).raise_for_status()
    wait_for(
        "edits cross again",
        lambda: "+47 99" in [each.get("PhoneNumber") for each in rig.go_customers()],
    )
    assert rig.quiet() == writes + 1


def test_with_the_topics_lost_references_and_an_export_bring_the_map_back(
    rig: Rig, kafka: str, tmp_path: Path
) -> None:
    """Orders were sent after the export; the pair that only an operator knew is in the file."""
    orders = linked_world(rig)
    exported = tandem(rig, "links", "export")
    writes, before = rig.quiet(), records(rig)
    for name in SERVICES:
        rig.stop(name)
    send(rig, orders[0])
    pairs = tmp_path / "links.csv"
    pairs.write_text(exported)
    rig.prefix += "again."
    rig.kafka = Kafka(KafkaSettings(bootstrap=kafka, topic_prefix=rig.prefix, partitions=1))
    rig.write_settings()
    tandem(rig, "topics", "create")
    rig.start()
    said = tandem(rig, "rebuild", "--from-vendors", "--import", str(pairs), code=3)
    assert "6 pairs linked;" in said
    assert tandem(rig, "links", "export") == exported
    tandem(rig, "mode", "sync")
    assert (rig.quiet(), records(rig)) == (writes, before)
    assert {link.state for link in rig.links("order").values()} == {"linked", "sent"}
    assert "--import goes with --from-vendors" in tandem(
        rig, "rebuild", "--import", str(pairs), code=2
    )
    pairs.write_text("entity,chargebee\n")
    assert "lacks the columns poweroffice" in tandem(
        rig, "rebuild", "--from-vendors", "--import", str(pairs), code=2
    )
