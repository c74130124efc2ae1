"""Chargebee's invoices in place of its orders: ids never mix, nothing of them is written, a change
is refused."""

from typing import Any

import msgspec
import pytest

from contracts.facts import Identity, Stopped
from contracts.messages import ORDER_SOURCE, STOPPED_BY, Control, Link
from contracts.settings import KafkaSettings
from contracts.vendors import invoice_id_of, invoice_order_id, stamp_for_poweroffice
from runtime.control import ControlView
from runtime.kafka import Kafka
from runtime.order_source import refused
from services.linker.merge import may_write
from services.linker.policy import policy_of
from services.linker.state import Policy
from tests.unit.bench import NOW, Bench, order
from tests.unit.test_settings import tenant

STOPPED = "stopped/order_source"


def bench_of(source: str, **policy: Any) -> Bench:
    """A tenant with a linked customer and product, that was started."""
    bench = Bench(order_source=source, **policy)
    bench.tell("start")
    bench.linked_pair()
    bench.linked_product()
    return bench


def restarted(bench: Bench, source: str, **policy: Any) -> Bench:
    """The same state under other settings."""
    facts = {"mode": "sync", "start_orders": "2026-01-01", "order_source": source, **policy}
    bench.store.policy = Policy(**facts)
    bench.tell("start")
    return bench


def carried(bench: Bench, record_id: str, **facts: Any) -> None:
    """A sale of Chargebee that has crossed to Go."""
    (create,) = bench.see("chargebee", record_id, 1, order("kari", "hjul", **facts), "order")
    assert create.stamp == stamp_for_poweroffice(record_id)
    bench.answer(create, f"u-{record_id}", 1, order("5", "7", **facts))
    assert bench.link(record_id, "order").state == "linked"


def sent(**facts: Any) -> dict[str, Any]:
    return order("5", "7", status="sent", invoice={"number": "50001"}, **facts)


# -- ids and references


def test_an_invoice_has_an_id_and_a_reference_of_its_own() -> None:
    assert invoice_order_id("17") == "inv-17"
    assert [invoice_id_of(each) for each in ("inv-17", "17", "inv-go-u", "go-u")] == [
        "17",
        None,
        "go-u",
        None,
    ]
    assert stamp_for_poweroffice("inv-17") == "cb-inv-17"
    assert stamp_for_poweroffice(invoice_order_id("9" * 50)).startswith("cb-#")


def test_an_order_born_in_go_becomes_an_invoice_under_its_own_id() -> None:
    """The command names `go-<uuid>`, which the invoice gets; the order that is read of it is
    `inv-go-<uuid>`."""
    bench = bench_of("invoices")
    (create,) = bench.see("poweroffice", "u-1", 1, sent(), "order")
    assert (create.target, create.op, create.stamp) == ("chargebee", "create", "go-u-1")
    bench.answer(create, "inv-go-u-1", 1, order("kari", "hjul"))
    link = bench.link("go-u-1", "order")
    assert (link.state, link.chargebee and link.chargebee.id) == ("sent", "inv-go-u-1")
    assert (
        bench.see("chargebee", "inv-go-u-1", 2, order("kari", "hjul"), "order", stamp="go-u-1")
        == []
    )
    assert bench.store.size("order") == 1


def test_an_imported_invoice_that_shows_up_before_the_reply_joins_its_order() -> None:
    bench = bench_of("invoices")
    (create,) = bench.see("poweroffice", "u-1", 1, sent(), "order")
    assert (
        bench.see("chargebee", "inv-go-u-1", 1, order("kari", "hjul"), "order", stamp="go-u-1")
        == []
    )
    assert bench.answer(create, "inv-go-u-1", 1, order("kari", "hjul")) == []
    assert bench.store.size("order") == 1


def test_an_imported_invoice_and_its_order_meet_by_the_reference_after_a_rebuild() -> None:
    bench = bench_of("invoices")
    assert (
        bench.see("chargebee", "inv-go-u-1", 1, order("kari", "hjul"), "order", stamp="go-u-1")
        == []
    )
    assert bench.see("poweroffice", "u-1", 1, sent(), "order") == []
    link = bench.link("inv-go-u-1", "order")
    assert (link.state, link.poweroffice and link.poweroffice.id) == ("sent", "u-1")


@pytest.mark.parametrize("first", ["chargebee", "poweroffice"])
def test_an_invoice_and_its_draft_meet_by_the_reference_after_a_rebuild(first: str) -> None:
    bench = bench_of("invoices")
    ours = ("chargebee", "inv-17", 1, order("kari", "hjul"), "order")
    theirs = ("poweroffice", "u-9", 1, order("5", "7"), "order")
    if first == "poweroffice":
        assert bench.see(*theirs, stamp="cb-inv-17") == []  # type: ignore[arg-type]
        assert bench.see(*ours) == []  # type: ignore[arg-type]
    else:
        (create,) = bench.see(*ours)  # type: ignore[arg-type]
        assert bench.see(*theirs, stamp="cb-inv-17") == []  # type: ignore[arg-type]
        assert bench.answer(create, "u-9", 1, order("5", "7"), "adopted") == []
    link = bench.link("inv-17", "order")
    assert (link.state, link.poweroffice and link.poweroffice.id) == ("linked", "u-9")
    assert bench.store.size("order") == 1


def test_the_id_of_a_twin_that_is_taken_is_no_twin() -> None:
    """Parted by an operator: a creation would adopt the very invoice it was parted from."""
    bench = bench_of("invoices")
    (create,) = bench.see("poweroffice", "u-1", 1, sent(), "order")
    bench.answer(create, "inv-go-u-1", 1, order("kari", "hjul"))
    link = bench.link("go-u-1", "order")
    link.state, link.poweroffice = "ignored", None
    child = bench.store.child()
    child.put(link)
    bench.store.absorb(child)
    bench.store.controls["apart/order|inv-go-u-1|u-1"] = {"at": "now"}
    assert bench.see("poweroffice", "u-1", 3, sent(), "order") == []
    assert bench.link("go-u-1~", "order").state == "ambiguous"


# -- nothing is written


@pytest.mark.parametrize(
    "name", ["order_date", "delivery_date", "purchase_order", "lines", "customer_id"]
)
def test_nothing_of_an_invoice_is_written(name: str) -> None:
    link = Link(tenant="t", entity="order", key="inv-17")
    policy = Policy(order_source="invoices", delivery_date_to_chargebee=True)
    assert not may_write(policy, link, name, "chargebee")


def test_an_edit_of_a_draft_stays_in_go_and_is_told() -> None:
    bench = bench_of("invoices")
    carried(bench, "inv-17", purchase_order=None)
    edited = order("5", "7", order_date="2026-10-05", purchase_order=None)
    assert bench.see("poweroffice", "u-inv-17", 2, edited, "order") == []
    link = bench.link("inv-17", "order")
    assert (link.state, link.differences) == ("linked", ["order_date"])
    (update,) = bench.see(
        "chargebee", "inv-17", 2, order("kari", "hjul", purchase_order="PO-1"), "order"
    )
    assert (update.target, update.fields) == ("poweroffice", {"purchase_order": "PO-1"})


# -- the source is pinned


def test_the_source_is_pinned_at_the_first_start() -> None:
    bench = Bench(order_source="invoices")
    bench.tell("start")
    assert bench.store.controls["identity/order_source"]["id"] == "invoices"
    assert not bench.store.controls.get(STOPPED)


@pytest.mark.parametrize(
    ("before", "after", "record"), [("orders", "invoices", "17"), ("invoices", "orders", "inv-17")]
)
def test_another_source_under_linked_orders_stops_the_tenant(
    before: str, after: str, record: str
) -> None:
    bench = bench_of(before)
    carried(bench, record)
    restarted(bench, after)
    words = bench.store.controls[STOPPED]["words"]
    assert f"order.source is {after}, but 1 linked orders are {before} of Chargebee" in words
    assert f"2026-10-01 ({record})" in words
    assert bench.store.controls["identity/order_source"]["id"] == before
    seen = bench.link("kari").chargebee.seen  # type: ignore[union-attr]
    assert bench.see("chargebee", "kari", 2, {**(seen or {}), "phone": "+47 2"}) == []
    assert bench.link("kari").state == "held"
    restarted(bench, before)
    assert not bench.store.controls[STOPPED]
    assert bench.link("kari").flight is not None or bench.link("kari").plan is not None


def test_another_source_is_taken_where_nothing_hangs_on_the_old_one() -> None:
    bench = restarted(bench_of("orders"), "invoices")
    assert not bench.store.controls.get(STOPPED)
    carried(bench, "inv-17")


@pytest.mark.parametrize(("start", "stops"), [("2026-10-01", True), ("2026-10-02", False)])
def test_a_start_after_the_last_linked_order_lets_the_other_source_in(
    start: str, stops: bool
) -> None:
    bench = bench_of("orders")
    carried(bench, "17")
    carried(bench, "16", order_date="2026-09-01")
    restarted(bench, "invoices", start_orders=start)
    assert bool(bench.store.controls.get(STOPPED)) is stops


def test_orders_linked_before_there_was_a_choice_are_orders() -> None:
    bench = bench_of("orders")
    carried(bench, "17")
    del bench.store.controls["identity/order_source"]
    restarted(bench, "invoices")
    assert bench.store.controls[STOPPED]


def test_a_draft_with_our_reference_tells_the_source_without_its_twin() -> None:
    """After `rebuild` only Go's reference says what was carried."""
    bench = bench_of("orders")
    bench.see("poweroffice", "u-9", 1, order("5", "7"), "order", stamp="cb-17")
    restarted(bench, "invoices")
    assert bench.store.controls[STOPPED]


def test_what_still_waited_under_the_old_source_is_never_made() -> None:
    """Held as part of a batch when the source was changed; its invoice crosses instead."""
    bench = bench_of("orders")
    bench.tell("pause", entity="order", target="poweroffice")
    bench.see("chargebee", "17", 1, order("kari", "hjul"), "order")
    assert bench.link("17", "order").state == "held"
    restarted(bench, "invoices")
    assert bench.tell("resume", entity="order") == []
    link = bench.link("17", "order")
    assert (link.state, link.reason) == (
        "ignored",
        "order.source is invoices, and this is one of Chargebee's orders",
    )
    carried(bench, "inv-17")


@pytest.mark.parametrize(
    ("before", "after", "crossed", "late"),
    [
        ("invoices", "orders", "inv-17", "3"),
        ("orders", "invoices", "3", "inv-17"),
    ],
)
def test_a_sale_that_crossed_under_the_other_source_waits_for_a_person(
    before: str, after: str, crossed: str, late: str
) -> None:
    """A shipment of next month, or an invoice dated after its order, after the change."""
    bench = bench_of(before)
    carried(bench, crossed, order_date="2026-10-01", invoice={"number": "17"})
    restarted(bench, after, start_orders="2026-10-02")
    sale = order("kari", "hjul", order_date="2026-11-01", invoice={"number": "17"})
    assert bench.see("chargebee", late, 1, sale, "order") == []
    link = bench.link(late, "order")
    assert (link.state, link.candidates) == ("ambiguous", [crossed])
    assert link.reason == f"invoice 17 stands in Go already, as {crossed}"
    (create,) = bench.tell("pick", entity="order", key=late, new=True)
    assert create.stamp == stamp_for_poweroffice(late)


def test_the_settings_decide_the_source() -> None:
    assert policy_of(tenant()).order_source == "orders"
    assert policy_of(tenant(order={"source": "invoices"})).order_source == "invoices"
    assert STOPPED_BY == ("chargebee", "poweroffice", "order_source")


# -- the adapter reads nothing of a source that is not pinned


@pytest.mark.parametrize(
    ("wanted", "pinned", "words"),
    [
        ("orders", None, None),
        ("orders", "orders", None),
        ("invoices", "invoices", None),
        ("invoices", None, "once the linker has pinned it"),
        ("invoices", "orders", "the linker goes on with orders"),
        ("orders", "invoices", "the linker goes on with invoices"),
    ],
)
def test_an_adapter_reads_the_pinned_source_only(
    wanted: str, pinned: str | None, words: str | None
) -> None:
    said = refused(said_by_the_linker(Identity(id=pinned) if pinned else None, None), "t", wanted)
    assert said is None if words is None else words in (said or "")


def test_an_adapter_says_what_the_linker_says() -> None:
    stopped = Stopped(pinned="orders", found="invoices", at=NOW, words="set it back")
    view = said_by_the_linker(Identity(id="orders"), stopped)
    assert refused(view, "t", "invoices") == "set it back"


def said_by_the_linker(pinned: Identity | None, stopped: Stopped | None) -> ControlView:
    """A view in which only these facts stand."""
    view = ControlView(Kafka(KafkaSettings()), [])
    for fact in filter(None, (pinned, stopped)):
        value = msgspec.to_builtins(fact)
        view._take(Control(tenant="t", kind=fact.KIND, id=ORDER_SOURCE, at=NOW, value=value), fact)
    return view
