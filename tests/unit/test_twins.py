"""Who is the same as whom once the first reading is over: uniqueness over all that is known, in any
order."""

from itertools import permutations
from typing import Any

import pytest

from contracts.entities import System
from contracts.messages import Command, Observed
from contracts.vendors import stamp_for_poweroffice
from services.linker.decide import decide
from services.linker.state import sides
from services.linker.store import Overlay
from tests.unit.bench import KARI, NOW, WHEEL, Bench

NUMBER = "923609016"


def company(name: str, email: str | None, number: str | None = NUMBER) -> dict[str, Any]:
    """A company of this name."""
    return {
        **KARI,
        "kind": "company",
        "first_name": None,
        "last_name": None,
        "company": name,
        "email": email,
        "organisation_number": number,
    }


FJELL: dict[str, tuple[System, str, dict[str, Any]]] = {
    "A": ("chargebee", "A", company("Fjell AS", "a@fjell.example")),
    "B": ("chargebee", "B", company("Fjell AS", "b@fjell.example")),
    "X": ("poweroffice", "5", company("Fjell AS", "post@fjell.example")),
}


@pytest.mark.parametrize("order", list(permutations("ABX")), ids="".join)
def test_one_number_of_three_companies_is_ambiguous_in_any_order_before_the_barrier(
    order: tuple[str, ...],
) -> None:
    """Nothing is created, and each names the others."""
    bench = Bench()
    for name in order:
        bench.see(*FJELL[name][:2], 1, FJELL[name][2])
    assert bench.open() == []
    keys = {"A", "B", "go-5"}
    for key in keys:
        assert (bench.link(key).state, set(bench.link(key).candidates)) == (
            "ambiguous",
            keys - {key},
        )


@pytest.mark.parametrize("order", list(permutations("ABX")), ids="".join)
def test_one_number_of_three_companies_makes_nothing_in_any_order_after_it(
    order: tuple[str, ...],
) -> None:
    """They are in the systems before the first of them is read, so a creation meets its twin.
    Whoever arrives last may find the other two linked: then it is ambiguous, and the pair says that
    it may be one of them."""
    bench = Bench()
    bench.open()
    for name in order:
        system, record_id, data = FJELL[name]
        for command in bench.see(system, record_id, 1, data):
            if command.op == "create":
                assert command.look_for_twins
                assert (
                    bench.met(command, *(["5"] if command.target == "poweroffice" else ["A", "B"]))
                    == []
                )
            else:
                bench.answer(command, "5", 2, FJELL["X"][2])
    assert not [
        entry for entry in bench.journal if entry.rule == "applied" and "create" in entry.text
    ]
    links = [
        link
        for key in ("A", "B", "go-5")
        if (link := bench.store.child().get("customer", key)) is not None
    ]
    assert all(link.state == "ambiguous" or link.duplicates for link in links)
    assert len([link for link in links if link.state == "ambiguous"]) in (1, 3)


def test_a_newcomer_with_the_number_of_a_linked_company_is_ambiguous() -> None:
    """And both are listed: the newcomer with its candidate, the pair with a possible duplicate."""
    bench = Bench()
    bench.open()
    (create,) = bench.see("chargebee", "A", 1, FJELL["A"][2])
    bench.answer(create, "900", 1, FJELL["A"][2])
    assert bench.see(*FJELL["B"][:2], 1, FJELL["B"][2]) == []
    newcomer, pair = bench.link("B"), bench.link("A")
    assert (newcomer.state, newcomer.candidates, newcomer.candidates_count) == (
        "ambiguous",
        ["A"],
        1,
    )
    assert (pair.state, pair.duplicates) == ("linked", ["B"])
    assert [entry.value for entry in bench.journal if entry.rule == "possible_duplicate"] == ["B"]


def test_a_newcomer_with_the_email_and_name_of_a_linked_person_is_ambiguous() -> None:
    """Another name at the same mailbox is somebody else."""
    bench = Bench()
    bench.linked_pair()
    assert bench.see("chargebee", "kari-2", 1, KARI) == []
    assert bench.link("kari-2").state == "ambiguous"
    (create,) = bench.see("chargebee", "ola", 1, {**KARI, "first_name": "Ola"})
    assert create.op == "create"
    assert bench.link("kari").duplicates == ["kari-2"]


def test_two_of_one_system_with_one_number_are_ambiguous_after_the_barrier_opens() -> None:
    """No twin exists on the other side, and still one of them may be the other."""
    bench = Bench()
    for name in "AB":
        bench.see(*FJELL[name][:2], 1, FJELL[name][2])
    assert bench.open() == []
    assert {bench.link("A").state, bench.link("B").state} == {"ambiguous"}


def test_the_last_one_left_is_no_longer_ambiguous() -> None:
    """The number of the other is corrected, and both go on."""
    bench = Bench()
    for name in "AB":
        bench.see(*FJELL[name][:2], 1, FJELL[name][2])
    bench.open()
    created = bench.see(
        "chargebee", "B", 2, company("Fjell Nord AS", "b@fjell.example", "974760673")
    )
    assert sorted((each.op, each.link) for each in created) == [("create", "A"), ("create", "B")]


def test_an_operator_says_that_it_is_none_of_them_and_it_stays_said() -> None:
    """It is created; the other stays ambiguous until somebody decides about it too, and a reading
    asks nobody again."""
    bench = Bench()
    for name in "AB":
        bench.see(*FJELL[name][:2], 1, FJELL[name][2])
    bench.open()
    (create,) = bench.tell("pick", entity="customer", key="B", new=True)
    assert (create.op, create.link, create.look_for_twins) == ("create", "B", False)
    bench.answer(create, "901", 1, FJELL["B"][2])
    assert (bench.link("B").state, bench.link("B").duplicates) == ("linked", [])
    assert bench.link("A").state == "ambiguous"
    assert bench.see("chargebee", "B", 2, {**FJELL["B"][2], "phone": "+47 9"})[0].op == "update"
    (other,) = bench.tell("pick", entity="customer", key="A", new=True)
    bench.answer(other, "902", 1, FJELL["A"][2])
    assert bench.link("A").duplicates == []


def test_saying_so_can_be_taken_back_until_it_is_created() -> None:
    """Afterwards unlinking parts the two."""
    bench = Bench(create_off=frozenset({("customer", "poweroffice")}))
    for name in "AB":
        bench.see(*FJELL[name][:2], 1, FJELL[name][2])
    bench.open()
    bench.tell("pick", entity="customer", key="B", new=True)
    assert bench.link("B").state == "ignored"
    bench.tell("undo", signal="s1")
    assert bench.link("B").state == "ambiguous"


@pytest.mark.parametrize("key", ["kari", "nobody"])
def test_only_what_looks_like_others_can_be_told_from_them(key: str) -> None:
    """A linked record, or one that does not exist, is refused in words."""
    bench = Bench()
    bench.linked_pair()
    assert bench.tell("pick", entity="customer", key=key, new=True) == []
    assert bench.told["result"] == "refused"


def test_a_creation_that_meets_its_twin_waits_until_that_is_read() -> None:
    """Entered in both systems within one poll: one pair in the end, and nothing was created."""
    bench = Bench()
    bench.open()
    both = company("Samtidig AS", "post@samtidig.example")
    (create,) = bench.see("chargebee", "sam-1", 1, both)
    assert bench.met(create, "7") == []
    assert (bench.link("sam-1").state, bench.link("sam-1").twins) == ("waiting", ["7"])
    (stamp,) = bench.see("poweroffice", "7", 1, both)
    assert (stamp.op, bench.link("sam-1").state) == ("stamp", "linked")


def test_what_a_creation_met_and_was_edited_since_is_for_a_person() -> None:
    """They were seen to be alike: an edit before the twin is read makes no two parties of them. A
    person says that they are one, or that they are not."""
    one, other = (company("Samtidig AS", f"{name}@samtidig.example", None) for name in ("en", "to"))

    def met() -> Bench:
        bench = Bench()
        bench.open()
        (create,) = bench.see("chargebee", "sam-1", 1, one)
        assert bench.met(create, "7") == []
        assert bench.see("poweroffice", "7", 1, other) == []
        for key, candidate in (("sam-1", "go-7"), ("go-7", "sam-1")):
            held = bench.link(key)
            assert (held.state, held.candidates) == ("ambiguous", [candidate])
        return bench

    picked = met()
    picked.tell("pick", entity="customer", key="sam-1", candidate="go-7")
    assert [side.id for _, side in sides(picked.link("sam-1"))] == ["sam-1", "7"]
    apart = met()
    (create,) = apart.tell("pick", entity="customer", key="sam-1", new=True)
    assert (create.op, create.target, create.look_for_twins) == ("create", "poweroffice", False)
    apart.answer(create, "8", 1, one)
    (create,) = apart.tell("pick", entity="customer", key="go-7", new=True)
    assert (create.op, create.target) == ("create", "chargebee")
    gone = met()
    (create,) = gone.see("poweroffice", "7", 2, None, deleted=True)
    assert (create.op, create.link) == ("create", "sam-1")


def test_a_backfill_does_not_look_before_it_creates() -> None:
    """The barrier has just read everything, so the look would cost a request for each record and
    find nothing."""
    bench = Bench()
    bench.see("chargebee", "kari", 1, KARI)
    (create,) = bench.open("customer")
    assert isinstance(create, Command)
    assert not create.look_for_twins


def test_two_pairs_that_were_made_within_one_poll_are_listed_on_both() -> None:
    """The look can miss, since Chargebee's lists lag: then both pairs say so."""
    bench = Bench()
    bench.open()
    (first,) = bench.see("chargebee", "A", 1, FJELL["A"][2])
    assert bench.see(*FJELL["X"][:2], 1, FJELL["X"][2]) == []  # waits for the creation
    bench.answer(first, "900", 1, FJELL["A"][2])
    assert (bench.link("go-5").state, bench.link("go-5").candidates) == ("ambiguous", ["A"])
    (second,) = bench.tell("pick", entity="customer", key="go-5", new=True)
    bench.tell("undo", signal="s1")
    bench.answer(second, "go-5", 1, FJELL["X"][2])
    assert bench.link("go-5").duplicates == ["A"]
    assert bench.link("A").duplicates == ["go-5"]


def test_a_code_that_a_linked_product_has_is_ambiguous() -> None:
    """Go would refuse a second product of that code, or Chargebee's item would become a second
    one."""
    bench = Bench()
    bench.linked_product()
    assert bench.see("poweroffice", "8", 1, {**WHEEL, "name": "Annet"}, "product") == []
    assert bench.link("go-8", "product").state == "ambiguous"


@pytest.mark.parametrize("many", [100, 200])
def test_a_mailbox_of_many_costs_each_the_same(many: int) -> None:
    """No link lists more than twenty candidates, and one edit plans one link."""
    bench = Bench()
    for number in range(many):
        bench.see("chargebee", f"c{number}", 1, {**KARI, "last_name": f"A{number}"})
        bench.see("poweroffice", str(4000000 + number), 1, {**KARI, "last_name": f"B{number}"})
    assert bench.open("customer") == []
    assert bench.link("c0").candidates_count == 2 * many - 1
    assert max(len(bench.link(f"c{number}").candidates) for number in range(many)) == 20
    before = dict(bench.store.links)
    bench.see("chargebee", "c0", 2, {**KARI, "last_name": "A0", "phone": "+47 9"})
    assert [name for name, value in bench.store.links.items() if before[name] != value] == [
        "customer/c0"
    ]


def test_a_pair_that_is_not_the_same_is_no_longer_listed() -> None:
    """An operator says so on either of the two, and can take it back."""
    bench = Bench()
    bench.open()
    (create,) = bench.see("chargebee", "A", 1, FJELL["A"][2])
    bench.answer(create, "900", 1, FJELL["A"][2])
    bench.see(*FJELL["B"][:2], 1, FJELL["B"][2])
    assert bench.link("A").duplicates == ["B"]
    bench.tell("pick", entity="customer", key="A", new=True)
    assert (bench.link("A").duplicates, bench.link("B").state) == ([], "ambiguous")
    bench.tell("undo", signal="s1")
    assert bench.link("A").duplicates == ["B"]


def test_a_creation_in_chargebee_names_the_number_by_which_a_twin_is_known() -> None:
    """It is never written there, since it would change the tax."""
    bench = Bench()
    bench.open()
    (create,) = bench.see("poweroffice", "5", 1, FJELL["X"][2])
    assert "organisation_number" not in create.fields
    assert create.expected == {"organisation_number": NUMBER}


def test_a_record_that_refers_to_another_is_nobodys_twin_by_its_email() -> None:
    """It waits for the one that it names, and the other does not take it in the meantime."""
    bench = Bench()
    bench.see("poweroffice", "5", 1, KARI, stamp="cb-somebody-else")
    bench.see("chargebee", "kari", 1, KARI)
    assert bench.open("customer") == []
    assert (bench.link("kari").state, bench.link("go-5").state) == ("ambiguous", "waiting")
    assert "refers to cb-somebody-else" in (bench.link("kari").reason or "")


def test_a_newcomer_to_a_mailbox_of_many_pairs_plans_none_of_them() -> None:
    """Of linked pairs nothing is to be decided, however many have the e-mail."""
    bench = Bench()
    for number in range(50):
        one = {**KARI, "last_name": f"N{number}"}
        bench.see("poweroffice", str(number), 1, one, stamp=f"cb-c{number}")
        bench.see("chargebee", f"c{number}", 1, one)
    bench.open("customer")
    event = Observed(
        tenant="t",
        system="chargebee",
        entity="customer",
        id="new",
        version="0000000000001",
        mapping=1,
        observed_at=NOW,
        data={**KARI, "last_name": "Ny"},
    )
    state, outputs = decide(bench.store.child(), event, NOW)
    assert isinstance(state, Overlay)
    assert list(state.changes) == ["customer/new"]
    assert [each.op for each in outputs if isinstance(each, Command)] == ["create"]


def test_an_id_that_begins_like_a_hash_is_found_by_its_reference_in_any_order() -> None:
    """Its reference in Go holds a hash, though it is short."""
    for first in ("chargebee", "poweroffice"):
        bench = Bench()
        records: dict[System, tuple[str, dict[str, Any], str | None]] = {
            "chargebee": ("#12", KARI, None),
            "poweroffice": ("5", {**KARI, "email": "x@eksempel.no"}, stamp_for_poweroffice("#12")),
        }
        for system in sorted(records, key=lambda each: each != first):
            id, data, stamp = records[system]
            bench.see(system, id, 1, data, stamp=stamp)
        bench.open()
        assert bench.link("#12").poweroffice is not None
