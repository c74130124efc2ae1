"""Records as people call them: in status, plans, their page, and beside their candidates."""

import csv
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rich.console import Console

from contracts.messages import Command, Control, Link, Side
from contracts.said import english
from contracts.settings import Tenant
from services.console.candidates import candidates_of, choice_lines
from services.console.foresee import foreseen
from services.console.known import KnownByModel, KnownLinks
from services.console.model import ReadModel
from services.console.names import Names, money, sums, total_of
from services.console.plan_page import refused_of, write_plan_html
from services.console.plans import batches_of, plans_of, show_plans, write_plan_csv
from services.console.show import show_status
from services.console.status import Status, tenant_status
from services.console.values import shown
from tests.unit.test_read_model import AT, link, model, put, put_link, side

__all__ = ["model"]  # a fixture
NOW = datetime(2026, 11, 28, 10, tzinfo=UTC)
OLA = {"kind": "person", "first_name": "Ola", "last_name": "Hansen", "email": "post@eksempel.no"}
FJORD = {
    "kind": "company",
    "company": "Fjord AS",
    "organisation_number": "923609016",
    "email": "post@eksempel.no",
    "address": {"line1": "Kaien 1", "line2": None, "city": "Moss", "zip": "1530", "country": "NO"},
}


def plan(
    held: Link,
    op: Any = "create",
    fields: Any = None,
    expected: Any = None,
    target: Any = "poweroffice",
) -> Link:
    """The link, held as the batch creates-1 with this plan."""
    command = Command(
        tenant="t",
        entity=held.entity,
        link=held.key,
        seq=1,
        target=target,
        op=op,
        lane="live",
        cause="",
        fields=fields or {},
        expected=expected or {},
    )
    return msgspec.structs.replace(
        held, plan=command, state="held", batch="creates-1", reason="breaker: more"
    )


def order(
    key: str, customer: str = "kari", total: str = "1250.00", currency: str = "NOK", **more: Any
) -> Link:
    seen = {
        "number": f"ORDER-{key}",
        "customer_id": customer,
        "currency": currency,
        "total": total,
        **more,
    }
    return link(key, "order", chargebee=side(key, seen))


def settings(**more: Any) -> Tenant:
    vendors = {
        "chargebee": {"site": "x", "api_key": "k", "prices": "net"},
        "poweroffice": {
            "environment": "demo",
            "application_key": "a",
            "client_key": "c",
            "subscription_key": "s",
        },
    }
    decisions = {
        "invoicing": {"by": "chargebee"},
        "start": {"orders": "2026-01-01"},
        "mode": "sync",
        "create": {"order": {"to_chargebee": "on"}},
    }
    return Tenant.model_validate({**vendors, **decisions, **more})


def screen() -> Console:
    return Console(width=250, record=True, force_terminal=False)


# -- names


def test_a_record_is_called_by_name_and_an_order_by_number_customer_and_total(
    model: ReadModel,
) -> None:
    """From Chargebee, and from Go where only that is known; without anything seen, by its key."""
    put_link(model, link("kari", chargebee=side("kari")))
    put_link(model, link("go-5", poweroffice=side("5", FJORD)))
    names = Names(KnownByModel(model, "t"))
    assert names.called(link("kari", chargebee=side("kari"))) == "customer Kari Nordmann (kari)"
    assert names.called(link("go-5", poweroffice=side("5", FJORD))) == "customer Fjord AS (go-5)"
    assert names.called(order("41")) == "order ORDER-41 of Kari Nordmann, NOK 1250.00 (41)"
    theirs = link(
        "go-9",
        "order",
        poweroffice=side("9", {"customer_id": "5", "currency": "NOK", "total": "10"}),
    )
    assert names.called(theirs) == "order of Fjord AS, NOK 10.00 (go-9)"
    assert names.called(order("42", customer="nobody", total="")) == "order ORDER-42 (42)"
    assert names.called(link("x", "product", chargebee=Side(id="x", version="1"))) == "product x"
    assert (
        names.called(link("x", "product", chargebee=side("x", {"name": "Hjul"})))
        == "product Hjul (x)"
    )


def test_the_name_of_one_order_takes_two_rows_however_many_links_there_are(
    model: ReadModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the customer of a thousand orders is looked up once."""
    put_link(model, link("kari", chargebee=side("kari")))
    asked: list[str] = []
    before = model.link_of

    def counted(tenant: str, entity: Any, system: Any, record_id: str) -> Link | None:
        asked.append(record_id)
        return before(tenant, entity, system, record_id)

    monkeypatch.setattr(model, "link_of", counted)
    names = Names(KnownByModel(model, "t"))
    assert {names.of(order(str(number))).customer for number in range(1000)} == {"Kari Nordmann"}
    assert asked == ["kari"]


def test_sums_are_by_currency_and_leave_out_what_is_no_amount() -> None:
    found = sums(
        [("NOK", "10.50"), ("EUR", "3"), ("NOK", "0.50"), ("NOK", "x"), ("NOK", "NaN"), ("", "5")]
    )
    assert money(found) == "EUR 3.00, NOK 11.00"


@pytest.mark.parametrize(
    ("currency", "total", "words"),
    [
        ("NOK", "10", "NOK 10.00"),
        ("JPY", "10", "JPY 10"),
        ("NOK", "1.005", "NOK 1.005"),
        ("odd", "1", "odd 1"),
        ("NOK", "x", "NOK x"),
        ("NOK", "", ""),
    ],
)
def test_a_total_has_the_decimals_of_its_currency(currency: str, total: str, words: str) -> None:
    assert total_of(currency, total) == words


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("address", FJORD["address"], "Kaien 1, 1530 Moss, NO"),
        ("price", {"amount": "99.50", "currency": "NOK"}, "NOK 99.50"),
        (
            "lines",
            [
                {"id": "1", "description": "Hjul", "quantity": "2", "net": "200"},
                {"id": "2", "net": "5"},
                7,
            ],
            "2 x Hjul 200; 1 x 2 5; 7",
        ),
        ("archived", True, "true"),
        ("phone", None, ""),
        ("address", "odd", "odd"),
    ],
)
def test_values_are_shown_as_people_write_them(name: str, value: Any, words: str) -> None:
    assert shown(name, value) == words


# -- plans


def world(model: ReadModel) -> None:
    """A creation, a change, two orders of one customer, and one product that has no group; breakers
    hold them."""
    for kind in ("customer", "order", "product"):
        fact = Control(
            tenant="t",
            kind="breaker",
            id=f"{kind}/creates",
            at=AT,
            value={"batch": 1, "open": True},
        )
        put(model, "control", f"t/breaker/{kind}/creates", fact)
    put_link(model, link("kari", chargebee=side("kari"), poweroffice=side("5")))
    put_link(model, plan(link("ola", chargebee=side("ola", OLA)), fields={**OLA, "company": None}))
    changed = link("fjord", chargebee=side("fjord", FJORD), poweroffice=side("6", FJORD))
    put_link(
        model,
        plan(
            changed,
            "update",
            {"phone": "+47 2", "email": None},
            {"phone": "+47 1", "email": "a@b.no"},
        ),
    )
    for key, total in (("41", "1250.00"), ("42", "50")):
        lines = [
            {"id": "1", "product_id": "7", "description": "Hjul", "quantity": "2", "net": total}
        ]
        held = order(key, total=total)
        put_link(model, plan(held, fields={"customer_id": "5", "total": total, "lines": lines}))
    put_link(
        model,
        plan(
            link("hjul", "product", chargebee=side("hjul", {"name": "Hjul"})),
            fields={"name": "Hjul", "code": "hjul", "group": "odd"},
        ),
    )


def test_plans_name_records_and_say_old_and_new_values_and_sums(model: ReadModel) -> None:
    """With what can be foreseen, a line for each batch, and the counts."""
    world(model)
    console = screen()
    show_plans(console, plans_of(model, "t", settings=settings()), as_json=False, nothing="")
    told = console.export_text().splitlines()
    assert told[0] == (
        "creates-1  customer Fjord AS (fjord): update in poweroffice: phone=+47 1 -> +47 2, "
        "email=a@b.no -> blank"
    )
    assert told[1] == (
        "creates-1  customer Ola Hansen (ola): create in poweroffice: kind=person, first_name=Ola, "
        "last_name=Hansen, "
        "email=post@eksempel.no"
    )
    assert told[2] == (
        "creates-1  order ORDER-41 of Kari Nordmann, NOK 1250.00 (41): create in poweroffice: "
        "customer_id=5, "
        "total=1250.00, lines=2 x Hjul 1250.00"
    )
    assert (
        "    would be refused: no Go product group for item family odd: set product.groups for "
        "this family" in told
    )
    assert "batch creates-1: create 2 orders in poweroffice, NOK 1300.00" in told
    assert "batch creates-1: create 1 product in poweroffice" in told
    assert told[-1] == (
        "customer create in poweroffice 1, customer update in poweroffice 1, "
        "order create in poweroffice 2 (NOK 1300.00), product create in poweroffice 1"
    )


def test_a_plan_says_why_it_waits_where_no_batch_says_it(model: ReadModel) -> None:
    """For its turn, or for nothing any more."""
    queued = plan(link("ola", chargebee=side("ola", OLA)))
    queued = msgspec.structs.replace(
        queued, state="pending", batch="", reason="planned; waits for its turn"
    )
    put_link(model, queued)
    put_link(
        model,
        msgspec.structs.replace(plan(link("per", chargebee=side("per", OLA))), batch="paused"),
    )
    console = screen()
    show_plans(console, plans_of(model, "t", settings=settings()), as_json=False, nothing="")
    told = console.export_text().splitlines()
    assert told[:2] == [
        "customer Ola Hansen (ola): create in poweroffice",
        "    planned; waits for its turn",
    ]
    assert (
        "    nothing holds it any more; would create in poweroffice; the linker looks at it again"
        in "".join(told)
    )


def test_csv_and_json_of_plans_have_the_names(model: ReadModel, tmp_path: Path) -> None:
    world(model)
    plans = plans_of(model, "t", settings=settings())
    write_plan_csv(tmp_path / "plan.csv", plans)
    with (tmp_path / "plan.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    found = {
        (row["link"], row["name"], row["customer"], row["currency"], row["total"]) for row in rows
    }
    assert ("41", "ORDER-41", "Kari Nordmann", "NOK", "1250.00") in found
    assert ("ola", "Ola Hansen", "", "", "") in found
    (phone,) = [row for row in rows if row["field"] == "phone"]
    assert (phone["present"], phone["planned"]) == ("'+47 1", "'+47 2")
    (first,) = [each for each in plans if each["link"] == "41"]
    assert (first["name"], first["customer"], first["total"]) == (
        "ORDER-41",
        "Kari Nordmann",
        "1250.00",
    )


def test_the_page_has_a_row_for_each_record_by_entity_and_action(
    model: ReadModel, tmp_path: Path
) -> None:
    """With counts, sums, what would be refused and what is, and what cannot be foreseen."""
    world(model)
    put_link(
        model, link("per", state="rejected", reason="Go refused: x", chargebee=side("per", OLA))
    )
    plans = plans_of(model, "t", settings=settings())
    write_plan_html(tmp_path / "p.html", plans, "Plans", refused_of(model, "t"))
    page = (tmp_path / "p.html").read_text(encoding="utf-8")
    assert "<h2>create 2 orders in poweroffice, NOK 1300.00</h2>" in page
    assert "<h2>update 1 customer in poweroffice</h2>" in page
    assert "<h2>Would be refused, or is (2)</h2>" in page
    assert (
        "<td>product Hjul (hjul)</td><td>create in poweroffice</td><td>no Go product group" in page
    )
    assert (
        "<td>customer Ola Hansen (per)</td><td>refused already</td><td>Go refused: x</td>" in page
    )
    assert (
        "<tr><td>41</td><td>ORDER-41</td><td>Kari Nordmann</td><td>NOK 1250.00</td><td>5</td>"
        in page
    )
    assert "<td>+47 1 -&gt; +47 2</td><td>a@b.no -&gt; blank</td>" in page
    assert "Not foreseen is what only the vendors know" in page
    kinds = page[page.index("<h2>create 1 customer") :]
    assert (
        kinds.count("<tr>") == 4 + 5
    )  # a heading for each of four kinds, a row for each of five records


def test_status_names_records_and_adds_up_held_batches(model: ReadModel) -> None:
    world(model)
    put_link(
        model,
        link(
            "anna",
            state="conflict",
            reason="both",
            chargebee=side("anna", {**OLA, "first_name": "Anna"}),
        ),
    )
    found = tenant_status(model.links("t"), [], [], [], "sync")
    console = screen()
    show_status(console, Status(tenants={"t": found}, lag={}), NOW)
    told = console.export_text()
    assert "Held batches: tandem held show has all (4)" in told
    assert "  creates-1: create 2 orders in poweroffice, NOK 1300.00" in told
    assert "  customer Anna Hansen (anna): both" in told
    assert "  order ORDER-41 of Kari Nordmann, NOK 1250.00 (41): " in told
    assert [each.records for each in found.batches] == [1, 1, 2, 1]
    assert batches_of([None]) == []


# -- what can be foreseen


def judged(entity: Any, target: Any, fields: dict[str, Any], held: Tenant | None = None) -> str:
    command = Command(
        tenant="t",
        entity=entity,
        link="x",
        seq=1,
        target=target,
        op="create",
        lane="live",
        cause="",
        fields=fields,
    )
    return english(*foreseen(command, held or settings()))


LINE = {"id": "1", "product_id": "7", "net": "1"}
IMPORT = {
    "customer_id": "k",
    "currency": "NOK",
    "order_date": "2026-11-01",
    "lines": [LINE],
    "total": "1",
}


@pytest.mark.parametrize(
    ("entity", "target", "fields", "words"),
    [
        (
            "customer",
            "poweroffice",
            {"kind": "person", "first_name": "Kari"},
            "Go needs first and last name",
        ),
        ("customer", "poweroffice", {"kind": "company"}, "Go needs a company name"),
        ("customer", "poweroffice", OLA, ""),
        ("customer", "chargebee", {"kind": "company"}, "a company needs a name"),
        ("customer", "chargebee", {"kind": "person"}, ""),
        (
            "product",
            "poweroffice",
            {"name": "x" * 401, "code": "x", "group": "goods"},
            "has 401 characters",
        ),
        ("product", "poweroffice", {"name": "x", "group": "goods"}, "Go needs a product code"),
        (
            "product",
            "poweroffice",
            {"name": "x", "code": "x"},
            "item family none: set product.groups",
        ),
        ("product", "poweroffice", {"name": "x", "code": "x", "group": "goods"}, ""),
        ("product", "chargebee", {"name": None}, "a product needs a name"),
        ("order", "poweroffice", {"customer_id": None, "lines": [LINE]}, "names no customer"),
        (
            "order",
            "poweroffice",
            {"customer_id": "5", "total": "-1", "lines": [LINE]},
            "a credit is not carried",
        ),
        ("order", "poweroffice", {"customer_id": "5", "total": "9"}, "a total and no lines"),
        (
            "order",
            "poweroffice",
            {"customer_id": "5", "lines": [{"id": "1"}]},
            "set order.fallback_product",
        ),
        (
            "order",
            "poweroffice",
            {"customer_id": "5", "lines": [{"id": "round-off"}]},
            "set order.round_off_product",
        ),
        ("order", "poweroffice", {"customer_id": "5", "lines": [LINE], "total": "x"}, ""),
        (
            "order",
            "chargebee",
            {**IMPORT, "currency": "ABC"},
            "the currency ABC is none of ISO 4217",
        ),
        ("order", "chargebee", {**IMPORT, "order_date": None}, "the order has no order date"),
        ("order", "chargebee", {**IMPORT, "lines": []}, "no lines that can be carried"),
        ("order", "chargebee", {**IMPORT, "total": "-1"}, "a credit note cannot be imported"),
        ("order", "chargebee", IMPORT, ""),
    ],
)
def test_what_a_vendor_would_refuse_is_foreseen(
    entity: Any, target: Any, fields: Any, words: str
) -> None:
    found = judged(entity, target, fields, settings(product={"groups": {"goods": "1"}}))
    assert words in found if words else not found


def test_a_line_without_product_passes_where_the_settings_name_one() -> None:
    fields = {"customer_id": "5", "lines": [{"id": "1"}]}
    assert judged("order", "poweroffice", fields, settings(order={"fallback_product": "9"})) == ""


# -- candidates


def shared() -> list[Link]:
    """A person in Chargebee, and a person, a company and a linked pair with the same mailbox."""
    kari = link(
        "kari",
        state="ambiguous",
        reason="the e-mail is that of others too",
        chargebee=side("kari", version="1795478161969"),
        candidates=["go-5", "go-6", "pair", "per", "gone"],
        candidates_count=4,
    )
    return [
        kari,
        link(
            "go-5",
            state="ambiguous",
            poweroffice=side("5", OLA, "2026-11-23T23:56:02.0673443Z#000000000290"),
        ),
        link("go-6", state="ambiguous", poweroffice=side("6", FJORD, "?")),
        link("pair", chargebee=side("pair", OLA), poweroffice=side("7", OLA)),
        link("per", state="ambiguous", chargebee=side("per", OLA)),
    ]


def test_candidates_stand_beside_the_record_with_what_to_type() -> None:
    """Whom a pick cannot take says why; what was not read is left out."""
    links = shared()
    known = KnownLinks(links)
    found = candidates_of(links[0], known, Names(known))
    assert [each.key for each in found] == ["kari", "go-5", "go-6", "pair", "per"]
    assert (found[0].changed, found[1].changed) == (
        {"chargebee": "2026-11-23 23:56"},
        {"poweroffice": "2026-11-23 23:56"},
    )
    assert found[2].details == {
        "organisation_number": "923609016",
        "email": "post@eksempel.no",
        "address": "Kaien 1, 1530 Moss, NO",
    }
    assert list(choice_lines(found)) == [
        "tandem links pick customer kari go-5",
        "tandem links pick customer kari go-6",
        "pair cannot be picked: it is linked already",
        "per cannot be picked: it is a record of the same system",
        "tandem links pick --new customer kari",
    ]
    (choice, *_) = choice_lines(candidates_of(links[0], known, Names(known), "acme"))
    assert choice == "tandem links pick -t acme customer kari go-5"


def test_what_to_type_is_safe_to_paste() -> None:
    """A key with blanks or a dash at its beginning is one word and no option."""
    links = [
        link("-x", state="ambiguous", chargebee=side("-x"), candidates=["go 5; rm"]),
        link("go 5; rm", state="ambiguous", poweroffice=side("5; rm")),
    ]
    known = KnownLinks(links)
    (line,) = choice_lines(candidates_of(links[0], known, Names(known)))
    assert line == "tandem links pick customer -- -x 'go 5; rm'"


def test_status_shows_the_table_of_an_ambiguous_record() -> None:
    console = screen()
    found = tenant_status(shared(), [], [], [], "sync")
    show_status(console, Status(tenants={"t": found}, lag={}), NOW)
    told = console.export_text().splitlines()
    at = next(
        number
        for number, line in enumerate(told)
        if "customer Kari Nordmann (kari): the e-mail" in line
    )
    heads = told[at + 1].split()
    assert heads == ["key", "name", "org.", "no.", "e-mail", "phone", "address", "changed"]
    assert told[at + 2].split()[:4] == [">", "kari", "Kari", "Nordmann"]
    assert (
        "Fjord AS" in told[at + 4]
        and "923609016" in told[at + 4]
        and "Kaien 1, 1530 Moss, NO" in told[at + 4]
    )
    assert "    tandem links pick customer kari go-5" in told
    assert "    tandem links pick --new customer kari" in told
