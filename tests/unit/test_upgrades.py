"""A release that reads a field otherwise, or one more, is no edit by anybody."""

from typing import Any

import pytest

from contracts import mappings
from contracts.entities import FIELDS, System
from contracts.messages import Observed, Outcome, Problem
from tests.unit.bench import KARI, NEXT, NOW, Bench

MORNING = "2026-11-01T08:00:00.0000000Z"


def go(number: int, time: str = MORNING) -> str:
    """A version of Go: its time of change and the number of the reading."""
    return f"{time}#{number:012d}"


def read(
    bench: Bench, system: System, version: str, data: dict[str, Any], mapping: int
) -> list[Any]:
    """One reading of the linked pair's record."""
    record_id, stamp = ("5", "cb-kari") if system == "poweroffice" else ("kari", None)
    return bench.say(
        Observed(
            tenant="t",
            system=system,
            entity="customer",
            id=record_id,
            version=version,
            mapping=mapping,
            observed_at=NOW,
            data=data,
            stamp=stamp,
        )
    )


def pair(data: dict[str, Any] = KARI) -> Bench:
    """Both records read under mapping 1 and linked by Go's reference."""
    bench = Bench()
    read(bench, "poweroffice", go(1), data, 1)
    read(bench, "chargebee", "0000000000001", data, 1)
    bench.open("customer")
    assert bench.link("kari").state == "linked"
    return bench


@pytest.mark.parametrize(
    ("system", "version"), [("chargebee", "0000000000001"), ("poweroffice", go(2))]
)
def test_a_field_read_otherwise_at_an_unmoved_version_is_no_edit(
    system: System, version: str
) -> None:
    """Go's version rises with every reading; the vendor's own part of it decides."""
    bench = pair()
    assert read(bench, system, version, {**KARI, "phone": "+4700000001"}, NEXT) == []
    assert bench.link("kari").differences == []
    moved = "0000000000009" if system == "chargebee" else go(3, "2026-11-02T08:00:00.0000000Z")
    (update,) = read(bench, system, moved, {**KARI, "phone": "+4700000002"}, NEXT)
    assert update.fields == {"phone": "+4700000002"}


def test_an_address_edited_while_the_release_came_is_an_edit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It moves no time in Go; the release says that it reads only phones otherwise."""
    monkeypatch.setitem(mappings.REREAD["poweroffice"], NEXT, {"customer": frozenset({"phone"})})
    bench = pair()
    new = {**KARI["address"], "line1": "Nygata 7"}
    (update,) = read(
        bench, "poweroffice", go(2), {**KARI, "phone": "+4700000001", "address": new}, NEXT
    )
    assert (update.target, update.fields) == ("chargebee", {"address": new})


def test_a_reply_under_a_new_mapping_is_no_edit_either() -> None:
    """A sink with a newer mapping answers a command of the old one as stale, with what it reads."""
    bench = pair()
    (update,) = read(bench, "chargebee", "0000000000002", {**KARI, "email": "ny@eksempel.no"}, 1)
    assert update.mapping == 1
    spelt = {**KARI, "phone": "+4700000001"}
    stale = Outcome(
        tenant="t",
        entity="customer",
        link="kari",
        seq=update.seq,
        target="poweroffice",
        result="stale",
        at=NOW,
        id="5",
        version=go(2),
        mapping=NEXT,
        data=spelt,
        stamp="cb-kari",
    )
    (again,) = bench.say(stale)
    assert (again.target, again.fields, again.mapping) == (
        "poweroffice",
        {"email": "ny@eksempel.no"},
        NEXT,
    )


def test_a_field_that_old_links_do_not_have_is_decided_as_at_a_first_link(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A difference is listed and nothing is overwritten; until both sides have been read it is not
    decided at all."""
    everything = FIELDS["customer"]
    monkeypatch.setitem(FIELDS, "customer", tuple(name for name in everything if name != "phone"))
    old = {name: value for name, value in KARI.items() if name != "phone"}
    bench = pair(old)
    monkeypatch.setitem(FIELDS, "customer", everything)
    assert read(bench, "poweroffice", go(2), {**old, "phone": "+47 GO"}, NEXT) == []
    assert bench.side("poweroffice", "kari").unset == ["phone"]
    assert read(bench, "chargebee", "0000000000001", {**old, "phone": "+47 CB"}, NEXT) == []
    assert bench.link("kari").differences == ["phone"]
    (update,) = read(bench, "chargebee", "0000000000002", {**old, "phone": "+47 NY"}, NEXT)
    assert update.fields == {"phone": "+47 NY"}


def test_a_blank_of_a_new_field_takes_the_other_sides_value(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Which is the rule of a first link too."""
    everything = FIELDS["customer"]
    monkeypatch.setitem(FIELDS, "customer", tuple(name for name in everything if name != "phone"))
    old = {name: value for name, value in KARI.items() if name != "phone"}
    bench = pair(old)
    monkeypatch.setitem(FIELDS, "customer", everything)
    read(bench, "chargebee", "0000000000001", {**old, "phone": None}, NEXT)
    (fill,) = read(bench, "poweroffice", go(2), {**old, "phone": "+47 GO"}, NEXT)
    assert (fill.target, fill.fields) == ("chargebee", {"phone": "+47 GO"})


def test_a_message_of_the_release_before_blanks_nothing() -> None:
    """It lacks the field that this one carries."""
    bench = pair()
    old = {name: value for name, value in KARI.items() if name != "phone"}
    (update,) = read(bench, "chargebee", "0000000000002", {**old, "email": "ny@eksempel.no"}, 1)
    assert update.fields == {"email": "ny@eksempel.no"}
    bench.answer(update, "5", 9, {**KARI, "email": "ny@eksempel.no"})
    (later,) = read(
        bench,
        "chargebee",
        "0000000000003",
        {**KARI, "email": "ny@eksempel.no", "phone": "+47 3"},
        1,
    )
    assert later.fields == {"phone": "+47 3"}


def test_fields_of_an_unknown_mapping_may_all_be_read_otherwise() -> None:
    """The linker may be older than the adapter for as long as both are being replaced."""
    assert mappings.reread("poweroffice", "customer", 1, mappings.newest("poweroffice") + 1) is None
    assert mappings.reread("chargebee", "customer", 1, 1) == frozenset()


def test_a_reading_that_could_not_be_sent_is_an_edit_once_it_can() -> None:
    """It was too large, so nothing of it was mapped; the same version comes again after the limit
    was raised."""
    bench = pair()
    large = Observed(
        tenant="t",
        system="chargebee",
        entity="customer",
        id="kari",
        version="0000000000002",
        mapping=0,
        observed_at=NOW,
        problem=Problem(code="too_large", message="9 MB"),
    )
    assert bench.say(large) == []
    assert bench.link("kari").state == "rejected"
    (update,) = read(bench, "chargebee", "0000000000002", {**KARI, "phone": "+47 2"}, 1)
    assert (update.target, update.fields) == ("poweroffice", {"phone": "+47 2"})


def test_other_content_under_an_equal_version_and_mapping_is_not_believed() -> None:
    """A repair finds it; until then the version decides."""
    bench = pair()
    assert read(bench, "chargebee", "0000000000001", {**KARI, "phone": "+47 forged"}, 1) == []
    link = bench.link("kari")
    assert link.chargebee is not None
    assert link.chargebee.seen == KARI


def test_a_release_that_is_taken_back_is_no_edit_either() -> None:
    """The adapter of before reads the same version as it always did."""
    bench = pair()
    assert read(bench, "poweroffice", go(2), {**KARI, "phone": "+4700000001"}, NEXT) == []
    assert read(bench, "poweroffice", go(3), KARI, 1) == []
    assert bench.link("kari").differences == []
