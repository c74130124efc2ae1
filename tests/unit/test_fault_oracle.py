"""The oracle of the fault campaign notices each kind of fault, and says nothing where there is
none."""

import copy
from typing import Any, cast

import pytest

from tests.faults.books import Books, Kind, System
from tests.faults.desk import Edit, Record
from tests.faults.oracle import Seen, Told, Verdict, judge
from tests.faults.proxy import Passed
from tests.faults.weather import Weather, fault_of, is_listing, kind_of

MARK = "m0001x"
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


def passed(at: float, body: bytes, status: int = 200) -> Passed:
    return Passed(at, "poweroffice", "PATCH /Customers/{id}", "/v2/Customers/7", body, status, None)


def test_a_value_that_comes_back() -> None:
    """Chargebee's older value is written over Go's newer one, which then stands again."""
    patch = b'[{"op":"replace","path":"/FirstName","value":"Fornavn%d"}]'
    story = [passed(1.7, patch % 1), passed(3, patch % 1), passed(4, patch % 2)]
    assert len(judged(Shelf(), passed=story).flip_backs) == 2
    assert judged(Shelf(), passed=story[:1]).flip_backs == []
    refused = [passed(1.7, patch % 1), passed(3, patch % 1, 400)]
    assert judged(Shelf(), passed=refused).flip_backs == []
    quoted = Passed(
        3, "poweroffice", "POST /SalesOrders/Complete", "", b'{"Description":"Fornavn1"}', 201, None
    )
    assert judged(Shelf(), passed=[quoted]).flip_backs == []
    late = {"rule": "late_write", "value": "Fornavn2", "losing": "Fornavn1"}
    assert judged(Shelf(), Told(journal=[late]), passed=story).flip_backs == []


def test_a_write_of_what_stands() -> None:
    """A lost reply is no reason to write once more."""
    patch = b'[{"op":"replace","path":"/FirstName","value":"Fornavn1"}]'
    assert len(judged(Shelf(), passed=[passed(1.7, patch), passed(1.8, patch)]).needless) == 1


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
