"""What the breakers count, and what passes them uncounted."""

from typing import Any

import pytest

from contracts.messages import Command
from tests.unit.bench import KARI, WHEEL, Bench, order

LIMITS = {"creates": (25.0, 5.0), "changes": (25.0, 10.0), "deletes": (10.0, 2.0)}
ARCHIVES: Any = {("customer", "poweroffice"): "archive"}


def number(n: int, **more: Any) -> dict[str, Any]:
    """One customer of many."""
    return {**KARI, "email": f"k{n}@eksempel.no", **more}


def linked(bench: Bench, count: int) -> None:
    """Customers k0, k1 and so on, linked with 0, 1 and so on of Go."""
    for n in range(count):
        commands = bench.see("chargebee", f"k{n}", 1, number(n))
        for create in commands or bench.tell("release", entity="customer"):
            which = int(create.link[1:])
            bench.answer(create, str(which), 1, number(which))


def archived(bench: Bench, count: int, version: int) -> int:
    """How many archivings are sent once somebody has deleted all of them in Chargebee."""
    sent: list[Command] = []
    for n in range(count):
        gone = number(n, archived=True)
        sent += bench.see("chargebee", f"k{n}", version, gone, deleted=True)
    return len(sent)


@pytest.mark.parametrize("unlinked", [0, 2000])
def test_the_share_that_passes_is_of_linked_records(unlinked: int) -> None:
    """Those that only Go holds were counted too: a mistake over all that is linked passed."""
    off: Any = frozenset({("customer", "chargebee")})
    bench = Bench(breakers=LIMITS, removal=ARCHIVES, create_off=off)
    bench.open()
    linked(bench, 40)
    for n in range(unlinked):
        name = {"first_name": f"x{n}", "email": f"x{n}@eksempel.no"}
        bench.see("poweroffice", str(100_000 + n), 1, {**KARI, **name})
    assert archived(bench, 40, 2) == 10


@pytest.mark.parametrize("is_parked", [False, True])
def test_what_was_counted_and_parked_lets_no_other_command_pass(is_parked: bool) -> None:
    """An outage parked edits of the records that are archived by mistake after it."""
    bench = Bench(breakers=LIMITS, removal=ARCHIVES)
    bench.open()
    linked(bench, 24)
    for n in range(24 if is_parked else 0):
        (update,) = bench.see("chargebee", f"k{n}", 2, number(n, phone="+47 9"))
        bench.end(update, "parked")
    assert archived(bench, 24, 3) == 10


def test_what_was_held_and_fell_away_lets_no_other_command_pass() -> None:
    """An edit in `observe` that was taken back left its batch behind, which `sync` releases."""
    bench = Bench(breakers=LIMITS, removal=ARCHIVES)
    bench.open()
    linked(bench, 24)
    bench.tell("mode", mode="observe")
    for n in range(24):
        bench.see("chargebee", f"k{n}", 2, number(n, phone="+47 9"))
        bench.see("chargebee", f"k{n}", 3, number(n))
    bench.tell("mode", mode="sync")
    assert archived(bench, 24, 4) == 10


def test_a_discarded_confirmation_is_not_sent() -> None:
    """A confirmed order is never unconfirmed; it stays as it is on both sides."""
    bench = Bench(confirm_on_delivered=True, breakers={"changes": (1, 0)})
    bench.linked_order()
    (create,) = bench.see("chargebee", "901", 1, order("kari", "hjul"), "order")
    bench.answer(create, "u-901", 1, order("5", "7"))
    for id in ("900", "901"):
        bench.see("chargebee", id, 2, order("kari", "hjul", status="confirmed"), "order")
    assert bench.link("901", "order").batch == "changes-1"
    told = {"entity": "order", "batch": "changes-1", "shown": {"changes-1": 1}}
    assert bench.tell("discard", **told) == []
    assert bench.link("901", "order").state == "linked"


def backfill() -> Bench:
    """A first backfill of a customer, a product and an order, none released."""
    bench = Bench(hold_first_backfill=True, breakers={"creates": (0, 0)})
    bench.see("chargebee", "kari", 1, KARI)
    bench.see("chargebee", "hjul", 1, WHEEL, "product")
    bench.see("chargebee", "900", 1, order("kari", "hjul"), "order")
    bench.open()
    assert bench.link("900", "order").state == "waiting"
    return bench


def create_both(bench: Bench) -> list[Command]:
    """What follows once the customer and the product are released and made."""
    (create,) = bench.tell("release", entity="product")
    bench.answer(create, "7", 1, WHEEL)
    (create,) = bench.tell("release", entity="customer")
    return bench.answer(create, "5", 1, KARI)


def test_a_release_of_nothing_leaves_the_first_backfill_held() -> None:
    """Orders of it wait for their customers, so that nobody was shown any."""
    bench = backfill()
    bench.tell("release", entity="order", shown={})
    assert create_both(bench) == []
    assert bench.link("900", "order").batch == "first"
    (create,) = bench.tell("release", entity="order", shown={"first": 1})
    assert create.link == "900"


def test_what_comes_after_a_release_of_the_first_backfill_meets_the_breaker() -> None:
    """It was not among those that were shown."""
    bench = backfill()
    bench.tell("release", entity="order", batch="first", shown={"first": 0})
    assert create_both(bench) == []
    assert bench.link("900", "order").batch == "creates-1"


def test_a_reply_that_shows_the_record_of_another_makes_room_for_the_next() -> None:
    """It ends the command all the same, so the next one of the queue has its turn."""
    bench = Bench(window=1)
    for n in range(3):
        bench.see("chargebee", f"k{n}", 1, number(n), snapshot="s")
    bench.see("poweroffice", "9", 1, number(0), snapshot="s", stamp="cb-k0")
    (create,) = bench.open("customer")
    assert (create.link, create.lane) == ("k1", "bulk")
    (following,) = bench.answer(create, "9", 2, number(0), "adopted")
    assert (following.op, following.link) == ("create", "k2")
