"""Who is linked with whom does not depend on the order of arrival."""

import random
from itertools import permutations
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from contracts.entities import EntityName, System
from contracts.messages import Command
from contracts.values import natural
from services.linker.state import is_company, naturals, side_of, sides
from tests.examples import examples
from tests.unit.bench import KARI, WHEEL, Bench

EXAMPLES = 400
ORDERS = 12
Record = tuple[System, str, dict[str, Any], str | None]
Made = tuple[System, dict[str, Any]]


def customers(pick: random.Random) -> list[Record]:
    """Up to six customers that share numbers, e-mails and names more often than not."""
    found: list[Record] = []
    stamps = ["cb-gone", "cb-c0"]  # Go refuses a second record with one reference
    for number in range(pick.randrange(2, 7)):
        system: System = pick.choice(("chargebee", "poweroffice"))
        record_id = f"c{number}" if system == "chargebee" else str(900 + number)
        company = pick.random() < 0.6
        name = pick.choice(("Fjell", "Fjord"))
        data = {
            **KARI,
            "kind": "company" if company else "person",
            "first_name": None if company else name,
            "last_name": None,
            "company": name if company else None,
            "email": pick.choice((None, "a@x.no", "b@x.no", " A@x.no")),
            "organisation_number": pick.choice((None, "923609016", "974760673"))
            if company
            else None,
        }
        stamp = stamps.pop() if stamps and system == "poweroffice" and pick.random() < 0.2 else None
        found.append((system, record_id, data, stamp))
    return found


def products(pick: random.Random) -> list[Record]:
    """Up to six products that share codes and names."""
    found: list[Record] = []
    for number in range(pick.randrange(2, 7)):
        system: System = pick.choice(("chargebee", "poweroffice"))
        record_id = f"p{number}" if system == "chargebee" else str(900 + number)
        code = record_id if system == "chargebee" else pick.choice(("p0", "p1", "1001", None))
        data = {**WHEEL, "code": code, "name": pick.choice(("Hjul", "hjul", "Sete", None))}
        found.append((system, record_id, data, None))
    return found


def orders_of(records: list[Record], pick: random.Random) -> list[list[Record]]:
    """Some orders of arrival, all of few records."""
    if len(records) <= 3:
        return [list(each) for each in permutations(records)]
    return [pick.sample(records, len(records)) for _ in range(ORDERS)]


def end_of(bench: Bench, entity: EntityName) -> dict[tuple[System, str], Any]:
    """Of each record its state, its partner and its candidates."""
    found: dict[tuple[System, str], Any] = {}
    for name in bench.store.links:
        kind, _, key = name.partition("/")
        if kind != entity:
            continue
        link = bench.link(key, entity)
        partners = tuple(side.id for _, side in sides(link))
        for system, side in sides(link):
            found[system, side.id] = (
                link.state,
                partners,
                frozenset(link.candidates),
                link.candidates_count,
            )
    return found


@examples(EXAMPLES)
@given(seed=st.integers(0, 2**32), entity=st.sampled_from(["customer", "product"]))
def test_what_is_known_before_the_barrier_ends_the_same_in_any_order(
    seed: int, entity: EntityName
) -> None:
    """Links, candidates and what is left to a person."""
    pick = random.Random(seed)
    records = (customers if entity == "customer" else products)(pick)
    ends = []
    for order in orders_of(records, pick):
        bench = Bench(
            create_off=frozenset((entity, system) for system in ("chargebee", "poweroffice"))
        )
        for system, record_id, data, stamp in order:
            bench.see(system, record_id, 1, data, entity, stamp=stamp)
        answer_stamps(bench, bench.open(entity))
        ends.append(end_of(bench, entity))
    for end in ends[1:]:
        assert end == ends[0]


@examples(EXAMPLES)
@given(seed=st.integers(0, 2**32))
def test_after_the_barrier_nothing_is_made_twice_and_nobody_shares_in_silence(seed: int) -> None:
    """The records are in the systems before the first of them is read, and creations look before
    they write."""
    pick = random.Random(seed)
    records = [each for each in customers(pick) if each[3] is None]
    for order in orders_of(records, pick):
        bench = Bench()
        bench.open()
        made: list[Made] = []
        for system, record_id, data, _ in order:
            work(bench, bench.see(system, record_id, 1, data), records, made)
        for target, data in made:
            assert not [each for each in records if each[0] == target and alike(each[2], data)], (
                "made a twin"
            )
        nobody_shares_in_silence(bench)


def work(
    bench: Bench,
    commands: list[Command],
    records: list[Record],
    made: list[tuple[System, dict[str, Any]]],
) -> None:
    """Carry out commands as sinks do, and those that follow from them."""
    while commands:
        command = commands.pop(0)
        twins = [
            each[1]
            for each in records
            if each[0] == command.target and alike(each[2], command.fields)
        ]
        if command.op == "create" and command.look_for_twins and twins:
            commands += bench.met(command, *twins)
        elif command.op == "create":
            made.append((command.target, command.fields))
            record_id = (
                f"new-{command.link}" if command.target == "poweroffice" else command.stamp or ""
            )
            commands += bench.answer(
                command, record_id, 1, {**KARI, "organisation_number": None, **command.fields}
            )
        else:
            link = bench.link(command.link, command.entity)
            held = side_of(link, command.target)
            assert held is not None
            data = {**(held.seen or {}), **command.fields}
            commands += bench.answer(command, held.id, int(held.version) + 1, data)


def answer_stamps(bench: Bench, commands: list[Command]) -> None:
    """Let references and fills be written."""
    work(bench, [each for each in commands if each.op != "create"], [], [])


def alike(one: dict[str, Any], another: dict[str, Any]) -> bool:
    """As a sink looks: an equal organisation number, or equal e-mail, name and kind."""
    number = one.get("organisation_number")
    if (
        is_company(one)
        and is_company(another)
        and number
        and number == another.get("organisation_number")
    ):
        return True
    email = natural(one.get("email"))
    names = ("kind", "company", "first_name")
    return (
        email is not None
        and email == natural(another.get("email"))
        and all(one[n] == another.get(n) for n in names)
    )


def nobody_shares_in_silence(bench: Bench) -> None:
    """Who has the number, or the e-mail, name and kind, of another record is ambiguous, or lists
    it."""
    by_value: dict[tuple[str, str], set[str]] = {}
    for name in bench.store.links:
        link = bench.link(name.partition("/")[2])
        for system, side in sides(link):
            for rule, value in naturals("customer", system, side):
                if rule != "email":
                    by_value.setdefault((rule, value), set()).add(link.key)
    for (rule, value), keys in by_value.items():
        for key in keys if len(keys) > 1 else ():
            link = bench.link(key)
            told = link.state == "ambiguous" or link.duplicates or link.state == "waiting"
            assert told, f"{key} shares {rule} {value} with {keys - {key}} and says nothing: {link}"
