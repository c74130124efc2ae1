"""The oracle of the fault campaign notices each kind of fault, and says nothing where there is
none."""

import ast
import copy
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from tests import faults
from tests.faults.books import Books, Kind, System
from tests.faults.desk import Edit, Record
from tests.faults.oracle import Seen, Told, Verdict, judge
from tests.faults.proxy import Passed
from tests.faults.weather import Weather, fault_of, is_listing, kind_of

NAMES = ("books", "clerk", "desk", "editor", "oracle", "proxy", "story", "weather")
FORBIDDEN = ("contracts", "services", "runtime", "simulators", "demo")
MARK = "m0001x"
PATCH = b'[{"op":"replace","path":"/FirstName","value":"Fornavn%d"}]'
PERSON = {
    "id": MARK,
    "first_name": "Fornavn2",
    "last_name": f"Etternavn {MARK}",
    "phone": "+47 1",
}
CONTACT = {
    "Id": 7,
    "FirstName": "Fornavn2",
    "LastName": f"Etternavn {MARK} ",
    "PhoneNumber": "+47 1",
}


class Shelf:
    """Books that hold one person in each system."""

    def __init__(self) -> None:
        self.rows: dict[System, list[dict[str, Any]]] = {
            "chargebee": [dict(PERSON)],
            "poweroffice": [dict(CONTACT)],
        }

    def all(self, system: System, kind: Kind) -> list[dict[str, Any]]:
        return self.rows[system] if kind == "person" else []

    def pages(self, path: str, kind: str) -> list[dict[str, Any]]:
        return []


def edit(number: int, system: System, value: str) -> Edit:
    return Edit(number, number, number + 0.5, system, MARK, "first_name", value)


LOG = [edit(1, "chargebee", "Fornavn1"), edit(2, "poweroffice", "Fornavn2")]


def judged(
    shelf: Shelf, told: Told | None = None, log: list[Edit] = LOG, passed: Any = ()
) -> Verdict:
    records = {MARK: Record("person", MARK, "chargebee", {"chargebee": MARK})}
    seen = Seen(cast(Books, shelf))
    return judge(records, copy.copy(log), seen, told or Told(), passed=passed)


def test_a_record_that_agrees_on_both_sides_is_right() -> None:
    """Blanks around a value count for nothing."""
    assert list(judged(Shelf()).words()) == []


@pytest.mark.parametrize("system", ["chargebee", "poweroffice"])
def test_what_is_missing_or_doubled(system: System) -> None:
    """On either side; a record that is listed as rejected is not missing."""
    shelf = Shelf()
    held = shelf.rows[system].pop()
    assert len(judged(shelf).missing) == 1
    shelf.rows[system] = [held, dict(held)]
    assert len(judged(shelf).duplicated) == 1


def test_a_record_that_is_listed_is_not_missing_but_nobody_expected_it() -> None:
    """Listing everything does not pass."""
    shelf = Shelf()
    shelf.rows["poweroffice"] = []
    listed = {"entity": "customer", "key": MARK, "reason": "who knows"}
    verdict = judged(shelf, Told(status={"rejected": [listed]}))
    assert (verdict.missing, len(verdict.unexplained)) == ([], 1)


def test_a_record_that_nobody_made() -> None:
    """Of any kind, on any side."""
    shelf = Shelf()
    shelf.rows["poweroffice"].append({"Id": 8, "LastName": "Fremmed"})
    assert len(judged(shelf).unexplained) == 1


def test_sides_that_differ() -> None:
    """Nothing says so."""
    shelf = Shelf()
    shelf.rows["chargebee"][0]["first_name"] = "Fornavn1"
    assert len(judged(shelf).unexplained) == 1


def test_an_edit_that_lost_must_be_told() -> None:
    """By its value and the side on which it was entered; a value that nobody entered is never
    right."""
    shelf = Shelf()
    shelf.rows["chargebee"][0]["first_name"] = "Fornavn1"
    shelf.rows["poweroffice"][0]["FirstName"] = "Fornavn1"
    assert len(judged(shelf).lost) == 1
    lost = {"system": "poweroffice", "field": "first_name", "losing": "Fornavn2"}
    assert judged(shelf, Told(lost=[lost])).lost == []
    assert len(judged(shelf, Told(lost=[{**lost, "system": "chargebee"}])).lost) == 1
    for system, name in (("chargebee", "first_name"), ("poweroffice", "FirstName")):
        shelf.rows[cast(System, system)][0][name] = "Fornavn9"
    assert len(judged(shelf, Told(lost=[lost])).lost) == 1


def test_a_field_that_the_product_was_emptying_too() -> None:
    """Emptied in Go, and then in Chargebee before that had crossed; a newer value of Go follows."""
    shelf = Shelf()
    shelf.rows["chargebee"][0]["phone"] = shelf.rows["poweroffice"][0]["PhoneNumber"] = "+47 3"
    entries: list[tuple[System, str]] = [
        ("chargebee", "+47 1"),
        ("poweroffice", ""),
        ("poweroffice", "+47 3"),
        ("chargebee", ""),
    ]
    log = [
        Edit(number, number, number + 0.5, system, MARK, "phone", value)
        for number, (system, value) in enumerate(entries, 1)
    ]

    def emptied(at: float, body: bytes, id: str = MARK) -> Passed:
        target = f"/api/v2/customers/{id}"
        return Passed(at, "chargebee", "POST /customers/{id}", target, body, 200, None)

    assert judged(shelf, log=log, passed=[emptied(4.6, b"phone=&email=a")]).lost == []
    for other in (
        [],
        [emptied(3.9, b"phone=")],
        [emptied(4.6, b"phone=1&email=")],
        [emptied(4.6, b"phone=", "m0002x")],
    ):
        assert len(judged(shelf, log=log, passed=other).lost) == 1
    patch = b'[{"op":"replace","path":"/PhoneNumber","value":null}]'
    swapped: list[Edit] = [
        replace(each, system="poweroffice" if each.system == "chargebee" else "chargebee")
        for each in log
    ]
    assert judged(shelf, log=swapped, passed=[passed(4.6, patch)]).lost == []
    assert len(judged(shelf, log=swapped).lost) == 1


def passed(at: float, body: bytes, status: int = 200) -> Passed:
    return Passed(at, "poweroffice", "PATCH /Customers/{id}", "/v2/Customers/7", body, status, None)


def test_a_value_that_comes_back() -> None:
    """Chargebee's older value is written over Go's newer one, which then stands again."""
    story = [passed(1.7, PATCH % 1), passed(3, PATCH % 1), passed(4, PATCH % 2)]
    assert len(judged(Shelf(), passed=story).flip_backs) == 2
    assert judged(Shelf(), passed=story[:1]).flip_backs == []
    refused = [passed(1.7, PATCH % 1), passed(3, PATCH % 1, 400)]
    assert judged(Shelf(), passed=refused).flip_backs == []
    quoted = Passed(
        3, "poweroffice", "POST /SalesOrders/Complete", "", b'{"Description":"Fornavn1"}', 201, None
    )
    assert judged(Shelf(), passed=[quoted]).flip_backs == []
    late = {"rule": "late_write", "value": "Fornavn2", "losing": "Fornavn1"}
    assert judged(Shelf(), Told(journal=[late]), passed=story).flip_backs == []


def test_a_second_record_brings_no_value_back() -> None:
    """A twin that was edited before anybody read it is another party, and made on the other side;
    whether it may be there twice is counted."""
    body = b'{"FirstName":"Fornavn1"}'
    made = Passed(3, "poweroffice", "POST /Customers", "/v2/Customers", body, 201, None)
    assert judged(Shelf(), passed=[passed(1.7, PATCH % 1), made]).flip_backs == []


def test_a_value_that_comes_back_over_an_emptied_field() -> None:
    """It is told where an entry names both, the blank one too."""
    log, story = (
        [LOG[0], edit(2, "poweroffice", "")],
        [passed(1.7, PATCH % 1), passed(3, PATCH % 1)],
    )
    told = {"rule": "overwritten", "value": "Fornavn1", "losing": None}
    assert len(judged(Shelf(), log=log, passed=story).flip_backs) == 1
    assert judged(Shelf(), Told(journal=[told]), log, story).flip_backs == []


def test_an_emptied_field_that_lost_is_told_by_its_field() -> None:
    """Its value names it no more than any other blank one."""
    shelf = Shelf()
    log = [LOG[1], edit(3, "chargebee", "")]
    lost = {"system": "chargebee", "link": MARK, "field": "first_name", "losing": None}
    assert len(judged(shelf, log=log).lost) == 1
    assert judged(shelf, Told(lost=[lost]), log).lost == []
    assert len(judged(shelf, Told(lost=[{**lost, "field": "phone"}]), log).lost) == 1


def test_a_write_of_what_stands() -> None:
    """A lost reply is no reason to write once more."""
    story = [passed(1.7, PATCH % 1), passed(1.8, PATCH % 1)]
    assert len(judged(Shelf(), passed=story).needless) == 1


def test_one_seed_gives_one_schedule() -> None:
    """Of each kind of request by its number, and another seed another one."""
    weather = Weather(rate=0.3)

    def schedule(seed: str) -> list[str | None]:
        return [fault_of(seed, "GET /customers", number, weather) for number in range(200)]

    assert schedule("1.1") == schedule("1.1") != schedule("1.2")
    assert 30 < sum(fault is not None for fault in schedule("1.1")) < 90


def test_kinds_of_requests() -> None:
    """Ids and versions are left out; a look-up is no listing."""
    assert kind_of("POST", "/api/v2/customers/m0001x/update_billing_info?x=1") == (
        "POST /customers/{id}/update_billing_info"
    )
    assert kind_of("PATCH", "/v2/Customers/4000001") == "PATCH /Customers/{id}"
    assert is_listing("GET", "/v2/Customers?PageNumber=1")
    assert not is_listing("GET", "/api/v2/customers?email%5Bis%5D=a")
    assert not is_listing("GET", "/v2/Customers/4000001")


NOON = 1_796_209_200  # 2026-12-02T11:00:00Z
ORDER = {
    "id": "1",
    "po_number": "m0002x",
    "invoice_id": "1",
    "order_date": NOON,
    "total": 125,
    "tax": 25,
    "customer_id": MARK,
    "order_line_items": [{"unit_price": 100, "fulfillment_quantity": 1}],
}
DRAFT = {
    "Id": "d1",
    "PurchaseOrderReference": "Ref 3 m0002x",
    "SalesOrderDate": "2026-12-02",
    "TotalAmount": 1.25,
    "NetAmount": 1,
    "CustomerId": 7,
}


class Binder(Shelf):
    """Books that hold one order and its draft too, each with one line."""

    def __init__(self) -> None:
        super().__init__()
        self.orders: dict[System, dict[str, Any]] = {
            "chargebee": dict(ORDER),
            "poweroffice": dict(DRAFT),
        }

    def all(self, system: System, kind: Kind) -> list[dict[str, Any]]:
        return [self.orders[system]] if kind == "order" else super().all(system, kind)

    def go_lines(self, order: dict[str, Any]) -> list[dict[str, Any]]:
        return [{"NetAmount": 1}]


def judged_order(binder: Binder, fate: list[Any], **facts: Any) -> Verdict:
    record = Record("order", "m0002x", "chargebee", {"chargebee": "1"}, fate)
    record.facts.update(facts, customer=MARK)
    records = {MARK: Record("person", MARK, "chargebee", {"chargebee": MARK}), "m0002x": record}
    day = Edit(3, 3, 3.5, "poweroffice", "m0002x", "order_date", "2026-12-02")
    return judge(records, [*LOG, day], Seen(cast(Books, binder)), Told())


def test_the_day_of_an_order_is_the_one_in_norway() -> None:
    """And a day that differs, or that nobody entered, is told."""
    assert list(judged_order(Binder(), ["made"]).words()) == []
    binder = Binder()
    binder.orders["chargebee"]["order_date"] = NOON - 86_400
    assert len(judged_order(binder, ["made"]).unexplained) == 1
    binder.orders["poweroffice"]["SalesOrderDate"] = "2026-12-01"
    assert len(judged_order(binder, ["made"]).lost) == 1


def test_a_sent_order_that_was_cancelled_needs_a_finding() -> None:
    """Whether or not it was reopened."""
    fate = ["made", "sent", "cancelled", "reopened"]
    assert len(judged_order(Binder(), fate, needs_finding=True).unexplained) == 1
    assert list(judged_order(Binder(), fate).words()) == []


def test_an_invoice_is_read_as_an_order_where_invoices_are_the_sales() -> None:
    """Under the name that the product gives it, with its lines."""
    invoice = {
        "id": "9",
        "po_number": "m0002x",
        "line_items": [{"unit_amount": 100, "quantity": 2}],
    }

    class Pages(Books):
        def pages(self, path: str, kind: str) -> list[dict[str, Any]]:
            return [invoice] if (path, kind) == ("/invoices", "invoice") else []

    nobody = cast(Any, None)
    (order,) = Pages(nobody, nobody, "invoices").all("chargebee", "order")
    assert order["id"] == "inv-9"
    assert order["order_line_items"] == [{"unit_price": 100, "fulfillment_quantity": 2}]
    assert Pages(nobody, nobody).all("chargebee", "order") == []


@pytest.mark.parametrize("name", NAMES)
def test_who_edits_breaks_and_judges_imports_nothing_of_ours(name: str) -> None:
    """Neither directly nor through another file of the campaign."""
    tree = ast.parse((Path(faults.__file__).parent / f"{name}.py").read_text(encoding="utf-8"))
    found = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    found |= {
        each.name for node in ast.walk(tree) if isinstance(node, ast.Import) for each in node.names
    }
    assert not [module for module in found if module.split(".")[0] in FORBIDDEN]
    ours = {module for module in found if module.split(".")[0] == "tests"}
    assert ours <= {f"tests.faults.{each}" for each in NAMES}
