"""Single records that nobody can read or carry, on the whole stack: everything else goes on, and a
person is told."""

from typing import Any

import msgspec

from contracts.messages import DeadLetter
from contracts.topics import LINKER_INPUTS, TOPICS
from tests.system.rig import Rig, link_when, tandem
from tests.waiting import wait_for

NOT_JSON = b"\x00\x01not json"


def big_order(customer: int, product: int, lines: int = 500) -> dict[str, Any]:
    """An order as Go takes it: each line with a text of 600 characters."""
    return {
        "CustomerId": customer,
        "SalesOrderStatus": "Draft",
        "CurrencyCode": "NOK",
        "SalesOrderDate": "2026-11-20",
        "SalesOrderLines": [
            {
                "LineType": "Normal",
                "ProductId": product,
                "Quantity": 1,
                "ProductUnitPrice": 10,
                "SortOrder": n,
                "Description": (f"Linje {n} " + "x" * 600)[:600],
            }
            for n in range(lines)
        ],
    }


def linked_records(rig: Rig) -> tuple[int, int]:
    """A customer and a product in both systems; their ids in Go."""
    rig.add_customer(id="kari", first_name="Kari", last_name="Nordmann")
    rig.add_item("hjul", 1000, is_shippable="true")
    customer, product = (
        link_when(rig, "kari", "linked"),
        link_when(rig, "hjul", "linked", "product"),
    )
    assert customer.poweroffice is not None and product.poweroffice is not None
    return int(customer.poweroffice.id), int(product.poweroffice.id)


def send_order(rig: Rig, body: dict[str, Any]) -> str:
    """An order entered in Go and sent from there, so that it is taken over; its id."""
    order_id = str(rig.go_post("/SalesOrders/Complete", body)["Id"])
    rig.go_post(f"/SalesOrders/{order_id}/createAndSendInvoice", {})
    return order_id


def test_a_large_order_crosses(rig: Rig) -> None:
    """500 lines of 600 characters, which the old limit of 1 MB did not hold while it was being
    created."""
    rig.start()
    customer, product = linked_records(rig)
    key = f"go-{send_order(rig, big_order(customer, product))}"
    link = wait_for("the order is linked", lambda: _both(rig, key))
    assert len(link.chargebee.seen["lines"]) == len(link.poweroffice.seen["lines"]) == 500
    rig.quiet()
    assert rig.records("dead-letters") == []


def letters(rig: Rig) -> list[DeadLetter]:
    return [
        msgspec.json.decode(value, type=DeadLetter)
        for _, value in rig._collect("dead-letters")
        if value and value != NOT_JSON
    ]


def _both(rig: Rig, key: str) -> Any:
    link = rig.links("order").get(key)
    return link if link is not None and link.chargebee is not None and link.flight is None else None


def test_an_order_that_is_larger_than_a_message_is_one_records_problem(rig: Rig) -> None:
    """Its reading says so; the customer and the order behind it cross, and `tandem status` names
    it."""
    rig.variables = {"TANDEM_KAFKA__MAX_MESSAGE_BYTES": "200000"}
    rig.start()
    customer, product = linked_records(rig)
    large = f"go-{send_order(rig, big_order(customer, product))}"
    small = f"go-{send_order(rig, big_order(customer, product, 3))}"
    rig.add_customer(id="ola", first_name="Ola", last_name="Hansen")
    link_when(rig, "ola", "linked")
    wait_for("the small order is linked", lambda: _both(rig, small))
    link = link_when(rig, large, "rejected", "order")
    assert link.problem is not None and link.problem.code == "too_large"
    assert "messages have at most 195,904" in (link.reason or "")
    (finding,) = rig.status()["tenants"]["demo"]["rejected"]
    assert (finding["entity"], finding["key"]) == ("order", large)
    assert "shorten its texts or split it, or raise kafka.max_message_bytes" in finding["reason"]
    assert {
        rig.problem(name) for name in ("linker", "chargebee_adapter", "poweroffice_adapter")
    } == {None}


def test_an_order_whose_link_is_larger_than_a_message_is_one_dead_letter(rig: Rig) -> None:
    """Its reading fits, its link while it is being created does not."""
    rig.start()
    customer, product = linked_records(rig)
    for name in ("linker", "chargebee_adapter", "poweroffice_adapter"):
        rig.stop(name)
    rig.start("chargebee_adapter", "poweroffice_adapter")
    # The linker alone has the smaller limit, so that the readings arrive.
    rig.variables = {"TANDEM_KAFKA__MAX_MESSAGE_BYTES": "200000"}
    rig.start("linker")
    large = f"go-{send_order(rig, big_order(customer, product))}"
    rig.add_customer(id="ola", first_name="Ola", last_name="Hansen")
    link_when(rig, "ola", "linked")
    link = link_when(rig, large, "broken", "order")
    assert "its link has" in (link.reason or "")
    held = letters(rig)
    assert {letter.topic for letter in held} == {f"{rig.prefix}orders"}
    assert f"order/{large}: its link has" in held[0].reason
    status = tandem(rig, "status")
    assert large in "".join(status.split())
    # Once messages may be larger, the letter leads to the very record.
    rig.variables = {}
    rig.stop("linker")
    rig.start("linker")
    # It may have been read twice, as a draft and as an invoice; of an older reading nothing
    # follows.
    for letter in held:
        tandem(rig, "redrive", "--letter", f"{letter.topic}/{letter.partition}/{letter.offset}")
    wait_for("the order is linked", lambda: _both(rig, large))


def test_every_service_starts_beside_records_that_nobody_can_read(rig: Rig) -> None:
    """On every topic; a customer entered then crosses, and nothing is doubled."""
    rig.start()
    linked_records(rig)
    rig.quiet()
    for name in ("linker", "chargebee_adapter", "poweroffice_adapter"):
        rig.stop(name)
    for topic in TOPICS:
        keys = [b"demo/customer/nobody", b"demo/pause/order/poweroffice", b"\xff"]
        for key in keys[:1] if topic.name == "links" else keys:
            rig.send(topic.name, key, NOT_JSON)
    rig.send("links", b"demo/customer/kari", NOT_JSON)
    writes = rig.writes()
    rig.start()
    rig.add_item("sadel", 2000)
    tandem(
        rig, "reconcile", "--repair", code=3
    )  # what is left: the link of which only the key is known
    link_when(rig, "kari", "linked")
    link_when(rig, "sadel", "linked", "product")
    rig.quiet()
    assert len(rig.go_customers()) == 1
    assert rig.writes() >= writes
    topics = {letter.topic.removeprefix(rig.prefix) for letter in letters(rig)}
    assert topics == {*LINKER_INPUTS, "links", "commands.chargebee", "commands.poweroffice"}
    said = " ".join(tandem(rig, "status").split())
    assert "cannot be read" in said
    for name in ("linker", "chargebee_adapter", "poweroffice_adapter"):
        assert rig.problem(name) is None
        assert "record.unreadable" in rig.log(name)
