"""`tandem reconcile`: exactly what changed behind the back is reported, and repaired by exactly as
many writes."""

import csv
import json
import random
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.system.rig import Rig, link_when, tandem
from tests.waiting import wait_for

PEOPLE = [f"kunde{number}" for number in range(8)]
WARES = [f"vare{number}" for number in range(4)]


@pytest.fixture
def rig(unaided_rig: Rig) -> Rig:
    return unaided_rig


def converged(rig: Rig) -> int:
    """Customers, products and one order on both sides, at rest; the writes so far."""
    for number, name in enumerate(PEOPLE):
        rig.add_customer(
            id=name,
            first_name=f"Kari {number}",
            last_name="Nordmann",
            email=f"{name}@eksempel.no",
            phone=f"+47 9000000{number}",
        )
    for name in WARES:
        rig.add_item(name, 10000, is_shippable=True)
    rig.start()
    for name in PEOPLE:
        link_when(rig, name, "linked")
    for name in WARES:
        link_when(rig, name, "linked", "product")
    order = rig.add_order(PEOPLE[0], {f"{WARES[0]}-NOK": 2})
    link_when(rig, order["id"], "linked", "order")
    return rig.quiet()


def test_k_fields_changed_behind_the_back_are_reported_and_repaired_as_k(
    rig: Rig, tmp_path: Path
) -> None:
    """Five random fields of five records; table, JSON, CSV and a page; exit code 3 while drift is
    left."""
    writes = converged(rig)
    assert "different 0, missing 0, extra 0" in tandem(rig, "reconcile")
    assert rig.quiet() == writes
    changed = change(rig, random.Random(7))
    table, page = tmp_path / "drift.csv", tmp_path / "drift.html"
    said = tandem(rig, "reconcile", "--csv", str(table), "--html", str(page), code=3)
    found = {
        tuple(line.split()[1:5]) for line in said.splitlines() if line.startswith("different ")
    }
    assert found == {(entity, f"{link}:", field, "in") for _, entity, link, field in changed}
    rows = list(csv.DictReader(table.read_text(encoding="utf-8").splitlines()))
    assert {
        (r["system"], r["entity"], r["link"], r["field"]) for r in rows if r["kind"] == "different"
    } == changed
    assert page.read_text(encoding="utf-8").count("<td>different</td>") == len(changed)
    as_json = json.loads(tandem(rig, "reconcile", "--json", code=3))
    assert {
        (d["system"], d["entity"], d["link"], d["field"]) for d in as_json["different"]
    } == changed
    assert as_json["records"] == {
        "chargebee/customer": 8,
        "poweroffice/customer": 8,
        "chargebee/product": 4,
        "poweroffice/product": 4,
        "chargebee/order": 1,
        "poweroffice/order": 1,
    }
    assert rig.quiet() == writes
    repaired = tandem(rig, "reconcile", "--repair")
    assert f"different {len(changed)}, missing 0, extra 0" in repaired
    assert repaired.endswith("different 0, missing 0, extra 0; unlinked for a reason 0; listed 0\n")
    assert rig.quiet() == writes + len(changed)
    assert tandem(rig, "plan") == "nothing is planned\n"


def change(rig: Rig, chance: random.Random) -> set[tuple[str, str, str, str]]:
    """Change five records; (system, entity, link, field) of each."""
    changed = set()
    for number, name in enumerate(chance.sample(PEOPLE, 3)):
        go_id = rig.links()[name].poweroffice.id  # type: ignore[union-attr]
        match number:
            case 0:
                rig.amend("chargebee", "customer", name, phone="+47 11")
                changed.add(("chargebee", "customer", name, "phone"))
            case 1:
                rig.amend("poweroffice", "customer", go_id, FirstName="Kåre")
                changed.add(("poweroffice", "customer", name, "first_name"))
            case _:
                rig.amend("poweroffice", "customer", go_id, EmailAddress="ny@eksempel.no")
                changed.add(("poweroffice", "customer", name, "email"))
    ours, theirs = chance.sample(WARES, 2)
    rig.amend("chargebee", "item", ours, description="Rundt")
    go_id = rig.links("product")[theirs].poweroffice.id  # type: ignore[union-attr]
    rig.amend("poweroffice", "product", go_id, Description="Kantet")
    return changed | {
        ("chargebee", "product", ours, "description"),
        ("poweroffice", "product", theirs, "description"),
    }


def test_a_bad_mapping_release_is_repaired_exactly_where_it_was_wrong(rig: Rig) -> None:
    """The next release writes nothing by itself: the vendor's records have not changed, only how
    they are read."""
    for number in range(4):
        rig.add_customer(
            id=f"k{number}",
            first_name="Kari",
            last_name=f"Nordmann {number}",
            phone=f"+47 9000000{number}",
        )
    rig.add_customer(id="k4", first_name="Kari", last_name="Uten telefon")
    rig.start("linker", "poweroffice_adapter")
    rig.start_as("chargebee_adapter", "tests.system.release", "bad")
    for number in range(5):
        link_when(rig, f"k{number}", "linked")
    rig.act("/customers/k4", "customer", last_name="Med ny alder")
    wait_for("the edit crossed", lambda: "Med ny alder" in names(rig))
    writes = rig.quiet()
    assert sorted(phones(rig)) == ["", "+47 9000000", "+47 9000000", "+47 9000000", "+47 9000000"]
    rig.stop("chargebee_adapter")
    rig.start_as("chargebee_adapter", "tests.system.release", "good")
    assert rig.quiet() == writes
    said = tandem(rig, "reconcile", "--entity", "customer", code=3)
    assert [line.split(":")[0] for line in said.splitlines() if line.startswith("different")] == [
        f"different customer k{number}" for number in range(4)
    ]
    assert rig.quiet() == writes
    tandem(rig, "reconcile", "--entity", "customer", "--repair")
    assert rig.quiet() == writes + 4
    assert sorted(phones(rig)) == ["", *(f"+47 9000000{number}" for number in range(4))]


def phones(rig: Rig) -> list[str]:
    return [each.get("PhoneNumber") or "" for each in rig.go_customers()]


def names(rig: Rig) -> list[str]:
    return [str(each.get("LastName")) for each in rig.go_customers()]


def test_totals_add_up_a_month_on_both_sides(rig: Rig, tmp_path: Path) -> None:
    """Each order with its numbers and its paid state; one that only Chargebee has is told apart."""
    converged(rig)
    orders = rig.chargebee_list("/orders", "order", include_deleted="true")
    month = link_when(rig, orders[0]["id"], "linked", "order").chargebee.seen["order_date"][:7]  # type: ignore[union-attr,index]
    said = tandem(rig, "reconcile", "--totals", month)
    assert [line.split() for line in said.splitlines()[2:5]] == [
        ["NOK", "chargebee", "1", "200", "50", "250"],
        ["NOK", "poweroffice", "1", "200", "50", "250"],
        ["NOK", "difference", "0", "0", "0", "0"],
    ]
    go_number = rig.go_list("/SalesOrders")[0]["SalesOrderNo"]
    assert f"Chargebee ORDER-1 (invoice 1, paid)  Go {go_number}  NOK 250 / 250\n" in said
    tandem(rig, "pause", "--entity", "order")
    rig.add_order(PEOPLE[1], {f"{WARES[1]}-NOK": 3})
    link_when(rig, "2", "held", "order")
    table, page = tmp_path / "orders.csv", tmp_path / "orders.html"
    apart = tandem(
        rig, "reconcile", "--totals", month, "--csv", str(table), "--html", str(page), code=3
    )
    assert "NOK       difference   1       300  75   375" in apart
    assert "On one side (1)\n" in apart
    (alone,) = [
        row
        for row in csv.DictReader(table.read_text(encoding="utf-8").splitlines())
        if not row["Go order"]
    ]
    assert (alone["Chargebee invoice"], alone["paid"], alone["gross Chargebee"], alone["note"]) == (
        "2",
        "paid",
        "375",
        "held: order to poweroffice is paused; would create in poweroffice",
    )
    assert "Orders on one side" in page.read_text(encoding="utf-8")
    found: dict[str, Any] = msgspec.json.decode(
        tandem(rig, "reconcile", "--totals", month, "--json", code=3)
    )
    assert found["sums"]["NOK"]["difference"] == {
        "orders": 1,
        "net": "300",
        "tax": "75",
        "total": "375",
    }
    for arguments, words in (
        (("--totals", "november"), "'november' is no month: give it as 2026-11"),
        (("--totals", month, "--repair"), "--totals is about orders and repairs nothing"),
    ):
        assert words in tandem(rig, "reconcile", *arguments, code=2)
