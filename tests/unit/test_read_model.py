"""The read model: what the topics hold, folded by key, and what is computed from it."""

import base64
import csv
import itertools
import random
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rich.console import Console

from contracts.links import encode
from contracts.messages import (
    LOST_RULES,
    Command,
    Control,
    DeadLetter,
    JournalEntry,
    Link,
    Observed,
    Problem,
    Reading,
    Side,
)
from services.console import drift, lost, totals
from services.console.base import NotFound
from services.console.files import csv_text
from services.console.letters import about, choose, words_of
from services.console.model import ReadModel
from services.console.model_rows import Mirrored
from services.console.ranges import moment_of, time_of
from services.console.rebuilding import compare_pairs

AT = "2026-11-20T10:00:00.000000Z"
KARI = {
    "kind": "person",
    "first_name": "Kari",
    "last_name": "Nordmann",
    "email": "kari@eksempel.no",
    "phone": "+47 1",
}


@pytest.fixture
def model(tmp_path: Path) -> Iterator[ReadModel]:
    with closing(ReadModel(tmp_path, "cluster/tandem.")) as held:
        yield held


def put(model: ReadModel, topic: str, key: str, value: Any) -> None:
    held = model.positions().get((topic, 0), 0)
    body = (
        encode(value)
        if isinstance(value, Link)
        else None
        if value is None
        else msgspec.json.encode(value)
    )
    assert model.apply([Mirrored(topic, key, body)], {(topic, 0): held}, {(topic, 0): held + 1})


def side(record_id: str, seen: Any = None, version: str = "1700000000000", **more: Any) -> Side:
    return Side(id=record_id, version=version, seen=KARI if seen is None else seen, **more)


def link(key: str, entity: Any = "customer", **fields: Any) -> Link:
    return Link(**{"tenant": "t", "entity": entity, "key": key, "state": "linked", **fields})


def put_link(model: ReadModel, held: Link) -> None:
    put(model, "links", f"t/{held.entity}/{held.key}", held)


def put_reading(
    model: ReadModel, system: Any, id: str, data: Any, entity: Any = "customer", **more: Any
) -> None:
    record = Observed(
        tenant="t",
        system=system,
        entity=entity,
        id=id,
        version="1700000000000",
        mapping=1,
        observed_at=AT,
        data=data,
        **more,
    )
    put(model, "readings", f"t/{system}/{entity}/{id}", Reading(run="r1", record=record))


def put_run(model: ReadModel, **facts: Any) -> None:
    value = {"kind": "reconcile", "state": "done", "at": AT, "counts": {}, **facts}
    put(model, "control", "t/run/r1", Control(tenant="t", kind="run", id="r1", at=AT, value=value))


# -- the dead letters of a record


def test_forgetting_a_record_finds_the_letters_that_name_it(model: ReadModel) -> None:
    """By the command, by the key of the message, or by what can be read of it. Another's stay: of
    another tenant or entity, and of an id that only looks alike."""
    held = link("kari", chargebee=side("kari"), poweroffice=side("5"))
    mine = {
        "command": DeadLetter(
            reason="x", at=AT, topic="tandem.commands.chargebee", command=command_of("kari")
        ),
        "former": DeadLetter(
            reason="x", at=AT, topic="tandem.commands.chargebee", command=command_of("go-5")
        ),
        "event": unread("tandem.customers", "t/chargebee/kari"),
        "reading": unread("tandem.readings", "t/poweroffice/customer/5"),
        "outcome": unread("tandem.outcomes", "t/customer/kari"),
        "broken": unread("tandem.links", "t/customer/go-5", b""),
        "no key": unread(
            "tandem.customers",
            None,
            b'{"tenant":"t","entity":"customer","system":"poweroffice","id":"5"}',
        ),
        "inner": unread(
            "tandem.readings",
            None,
            b'{"record":{"tenant":"t","entity":"customer","system":"chargebee","id":"kari"}}',
        ),
        "signal": unread(
            "tandem.signals", "t", b'{"tenant":"t","args":{"entity":"customer","key":"kari"}}'
        ),
    }
    others = {
        "other command": DeadLetter(reason="x", at=AT, topic="x", command=command_of("5")),
        "product": unread("tandem.products", "t/chargebee/kari"),
        "tenant": unread("tandem.customers", "u/chargebee/kari"),
        "alike": unread("tandem.customers", "t/chargebee/kari2"),
        "other side": unread(
            "tandem.customers",
            None,
            b'{"tenant":"t","entity":"customer","system":"chargebee","id":"5"}',
        ),
        "list": unread("tandem.customers", None, b'["kari"]'),
        "deep": unread("tandem.customers", None, b"[" * 100_000),
        "no text": unread("tandem.customers", None, b"\xff\xfe"),
        "id of something else": unread(
            "tandem.signals", "t", b'{"tenant":"t","id":"5","args":{"entity":"customer"}}'
        ),
        "no body": msgspec.structs.replace(unread("tandem.customers", None), body_base64=None),
        "odd body": msgspec.structs.replace(unread("tandem.customers", None), body_base64="?"),
    }
    for key, letter in {**mine, **others}.items():
        put(model, "dead-letters", key, letter)
    assert set(about(model.letters("t"), held, "tandem.")) == set(mine)


def command_of(name: str) -> Command:
    return Command(
        tenant="t",
        target="chargebee",
        entity="customer",
        link=name,
        seq=1,
        op="create",
        lane="live",
        cause="",
    )


def unread(topic: str, key: str | None, body: bytes = b"{") -> DeadLetter:
    body_base64 = base64.b64encode(body).decode()
    return DeadLetter(
        reason="x", at=AT, topic=topic, partition=0, offset=1, key=key, body_base64=body_base64
    )


# -- the model


def test_a_link_is_found_by_key_by_either_id_and_by_a_part_of_a_name(model: ReadModel) -> None:
    """The newest record of a key counts; an empty one takes it away."""
    put_link(model, link("kari", chargebee=side("kari"), poweroffice=side("5")))
    put_link(
        model,
        link(
            "kari", chargebee=side("kari", {**KARI, "last_name": "Åsheim"}), poweroffice=side("5")
        ),
    )
    assert model.link_of("t", "customer", "poweroffice", "5") == model.link("t", "customer", "kari")
    assert [each.key for each in model.find("t", "åSHEIM", None)] == ["kari"]
    assert [each.key for each in model.find("t", "kari åsheim", None)] == ["kari"]
    assert list(model.find("t", "Nordmann'; drop table links", None)) == []
    assert list(model.find("other", "kari", None)) == []
    put(model, "links", "t/customer/kari", None)
    assert model.link("t", "customer", "kari") is None


def test_a_search_finds_the_same_whether_or_not_it_asks_the_index(model: ReadModel) -> None:
    """Texts shorter than three letters, with quotes, operators and signs of any language; of one
    entity and some states; after a change of name too."""
    odd = 'O"Neil AND NOT æøå (x*) 東京都 %_\\ -NEAR'
    names = ("Åsa Ås", odd, "Nordmann", "nordm", "mannord", "Müller😀é")
    for number, name in enumerate(names):
        seen = {**KARI, "last_name": name, "email": f"{number}@eksempel.no"}
        state: Any = "linked" if number % 2 else "rejected"
        put_link(model, link(f"k{number}", state=state, chargebee=side(f"k{number}", seen)))
    put_link(model, link("k3", chargebee=side("k3", {**KARI, "last_name": "Berg"})))
    held = {each.key: each for each in model.links("t")}
    words = {key: msgspec.json.encode(each).decode().casefold() for key, each in held.items()}
    texts = [
        each[at : at + n] for each in names for n in (1, 2, 3, 4, 9) for at in range(len(each))
    ]
    for text in {*texts, "0@EKSEMPEL", "eksempel.no", "nordm", "k3", "a\0b", "", " " * 3000}:
        plain = msgspec.json.encode(text).decode()[1:-1].casefold()
        expected = {key for key, said in words.items() if plain in said}
        found = {each.key for each in model.find("t", text, "customer")}
        if "mann" in text or len(plain) > 3:  # what JSON holds besides names is not searched
            assert found == expected, text
        rejected = {each.key for each in model.find("t", text, None, states=["rejected"])}
        assert rejected == {key for key in found if held[key].state == "rejected"}
        assert not list(model.find("t", text, "order"))
        assert len(list(model.find("t", text, None, most=1))) == min(1, len(found))


@pytest.mark.parametrize("at_once", [1, 2, 3, 100])
def test_a_search_finds_what_stands_after_many_changes(model: ReadModel, at_once: int) -> None:
    """Links that come, are renamed and go, some several times in one batch; the numbers of those
    that are gone are given again."""
    rng = random.Random(at_once)
    held: dict[str, str] = {}
    records = []
    for _ in range(400):
        key, name = f"k{rng.randrange(8)}", "".join(rng.choices("abc", k=5))
        if rng.random() < 0.3:
            held.pop(key, None)
            records.append(Mirrored("links", f"t/customer/{key}", None))
        else:
            held[key] = name
            seen = {"kind": "person", "last_name": name}
            value = encode(link(key, chargebee=side(key, seen)))
            records.append(Mirrored("links", f"t/customer/{key}", value))
    for begin in range(0, len(records), at_once):
        assert model.apply(records[begin : begin + at_once], {}, {})
    for text in ("".join(each) for n in (1, 3, 4) for each in itertools.product("abc", repeat=n)):
        found = sorted(each.key for each in model.find("t", text, None))
        assert found == sorted(key for key, name in held.items() if text in name), text
    model._db.execute("insert into found_by (found_by, rank) values ('integrity-check', 1)")


def test_whoever_finds_that_another_has_gone_on_does_nothing(
    model: ReadModel, tmp_path: Path
) -> None:
    """Two processes keep the same file; a batch is taken once."""
    batch = [Mirrored("links", "t/customer/kari", encode(link("kari", chargebee=side("kari"))))]
    with closing(ReadModel(tmp_path, "cluster/tandem.")) as other:
        assert model.apply(batch, {("links", 0): 0}, {("links", 0): 1})
        assert not other.apply(
            [Mirrored("links", "t/customer/kari", None)], {("links", 0): 0}, {("links", 0): 1}
        )
        assert other.link("t", "customer", "kari") is not None
        assert other.positions() == {("links", 0): 1}


def test_another_kafka_or_an_old_copy_is_read_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kafka drops the word that a key is gone after 30 days, so a copy left for long may have
    missed it."""
    for change in ("source", "age"):
        model = ReadModel(tmp_path / change, "cluster/tandem.")
        put_link(model, link("kari", chargebee=side("kari")))
        model.close()
        if change == "age":
            later = (datetime.now(UTC) + timedelta(days=21)).timestamp()
            monkeypatch.setattr("services.console.model.time.time", lambda later=later: later)
        source = "another/tandem." if change == "source" else "cluster/tandem."
        with closing(ReadModel(tmp_path / change, source)) as again:
            assert again.positions() == {}
            assert list(again.links("t")) == []


def test_only_its_owner_may_read_the_file(model: ReadModel) -> None:
    """It holds names and addresses."""
    assert model.path.stat().st_mode & 0o777 == 0o600


def test_what_is_erased_leaves_no_bytes(model: ReadModel) -> None:
    """Neither in the file nor in its journal."""
    put_link(model, link("kari", chargebee=side("kari")))
    put(model, "links", "t/customer/kari", None)
    held = b"".join(file.read_bytes() for file in model.path.parent.iterdir())
    assert b"kari@eksempel.no" not in held
    index = "select coalesce(sum(length(block)), 0) from found_by_data where id > 10"
    assert model._db.execute(index).fetchone() == (0,), "nor its letters in the index"


def test_what_cannot_be_read_is_left_out(model: ReadModel) -> None:
    """A record of a newer release must not stop the rest."""
    assert model.apply(
        [Mirrored("links", "t/customer/x", b"{")], {("links", 0): 0}, {("links", 0): 1}
    )
    assert model.positions() == {("links", 0): 1}


# -- drift


def test_the_drift_report_tells_different_missing_extra_unlinked_and_listed(
    model: ReadModel,
) -> None:
    """One customer of each kind."""
    put_run(model, parts={"chargebee/customer": 5, "poweroffice/customer": 4})
    put_link(model, link("same", chargebee=side("same"), poweroffice=side("1")))
    put_link(model, link("moved", chargebee=side("moved"), poweroffice=side("2")))
    put_link(model, link("absent", chargebee=side("absent"), poweroffice=side("3")))
    put_link(
        model, link("alone", state="ambiguous", reason="two candidates", chargebee=side("alone"))
    )
    put_link(
        model, link("apart", chargebee=side("apart"), poweroffice=side("4"), differences=["phone"])
    )
    put_link(
        model, link("gone", state="ignored", reason="deleted", chargebee=side("gone", deleted=True))
    )
    for name in ("same", "moved", "absent", "alone", "apart"):
        put_reading(model, "chargebee", name, KARI)
    for name in ("1", "2", "4"):
        put_reading(model, "poweroffice", name, KARI)
    put_reading(model, "poweroffice", "9", KARI)
    put_reading(model, "chargebee", "erased", KARI, deleted=True)
    entry = JournalEntry(
        tenant="t",
        entity="customer",
        link="moved",
        entry="run-r1-chargebee-phone",
        at=AT,
        rule="drift",
        text="phone ...",
        cause="t/run/r1",
        system="chargebee",
        field="phone",
        value="+47 2",
        losing="+47 1",
    )
    put(model, "journal", "t/customer/moved/run-r1-chargebee-phone", entry)
    report = drift.drift_of(model, "t", "r1")
    assert report.records == {"chargebee/customer": 5, "poweroffice/customer": 4}
    assert report.matched == {"customer": 2}
    assert [(d.link, d.field, d.found, d.believed, d.other) for d in report.different] == [
        ("moved", "phone", "+47 2", "+47 1", "+47 1")
    ]
    assert [(each.system, each.id) for each in report.missing] == [("poweroffice", "3")]
    assert [(each.system, each.id) for each in report.extra] == [("poweroffice", "9")]
    assert [(each.id, each.reason) for each in report.unlinked] == [
        ("alone", "ambiguous: two candidates")
    ]
    assert [(each.link, each.reason) for each in report.listed] == [("apart", "phone")]
    assert report.left == 3
    assert [row[0] for row in drift.rows(report)] == [
        "different",
        "missing",
        "extra",
        "unlinked",
        "listed",
    ]


def test_an_edit_that_the_ordinary_stream_brought_meanwhile_is_no_drift(model: ReadModel) -> None:
    """The run was quicker than the webhook."""
    put_run(model, parts={"chargebee/customer": 1})
    put_link(
        model,
        link("kari", chargebee=side("kari", {**KARI, "phone": "+47 2"}), poweroffice=side("1")),
    )
    entry = JournalEntry(
        tenant="t",
        entity="customer",
        link="kari",
        entry="run-r1-chargebee-phone",
        at=AT,
        rule="drift",
        text="phone ...",
        cause="t/run/r1",
        system="chargebee",
        field="phone",
        value="+47 2",
        losing="+47 1",
    )
    put(model, "journal", "t/customer/kari/run-r1-chargebee-phone", entry)
    assert drift.drift_of(model, "t", "r1").different == []


@pytest.mark.parametrize(
    ("system", "version"),
    [
        ("chargebee", "1795860000000"),
        ("chargebee", "1795860000000.00003591719999000"),  # of a product or an order
        ("poweroffice", "2026-11-28T10:00:00.0000000Z#000000000007"),
    ],
)
def test_a_record_made_while_the_run_was_reading_is_not_missing(
    model: ReadModel, system: Any, version: str
) -> None:
    """The listing had passed its place."""
    put_run(model, at="2026-11-28T09:59:00.000000Z", parts={f"{system}/customer": 0})
    put_link(model, link("new", **{system: side("new", version=version)}))
    assert drift.drift_of(model, "t", "r1").missing == []


@pytest.mark.parametrize(
    ("state", "parts", "names"),
    [
        ("cancelled", {"chargebee/customer": 1, "poweroffice/customer": None}, []),
        # Kafka has dropped the readings since.
        ("done", {"chargebee/customer": 1, "poweroffice/customer": 3}, []),
        ("done", {"chargebee/customer": 1, "poweroffice/customer": 0}, ["1", "2"]),
    ],
)
def test_nothing_is_missing_from_what_was_not_read_whole_or_is_not_kept(
    model: ReadModel, state: str, parts: dict[str, Any], names: list[str]
) -> None:
    put_run(model, state=state, parts=parts)
    for name, number in (("kari", "1"), ("ola", "2")):
        put_link(model, link(name, chargebee=side(name), poweroffice=side(number)))
        put_reading(model, "chargebee", name, KARI)
    report = drift.drift_of(model, "t", "r1")
    assert [each.id for each in report.missing] == names
    assert report.matched == {}


def test_a_pair_matches_only_where_both_were_read_and_stand(model: ReadModel) -> None:
    """Of a pair that is deleted on one side the other stands alone."""
    put_run(model, parts={"chargebee/customer": 3, "poweroffice/customer": 2})
    put_link(model, link("same", chargebee=side("same"), poweroffice=side("1")))
    new = "1795860000000"  # changed since: neither was read
    put_link(
        model, link("new", chargebee=side("new", version=new), poweroffice=side("2", version=new))
    )
    gone = side("3", deleted=True)
    told = {"state": "ignored", "reason": "deleted in poweroffice; not carried"}
    put_link(model, link("half", chargebee=side("half"), poweroffice=gone, **told))
    for name in ("same", "half"):
        put_reading(model, "chargebee", name, KARI)
    put_reading(model, "poweroffice", "1", KARI)
    put_reading(model, "poweroffice", "3", None, deleted=True)
    report = drift.drift_of(model, "t", "r1")
    assert report.matched == {"customer": 1}
    assert report.missing == []
    assert [(each.system, each.id, each.reason) for each in report.unlinked] == [
        ("chargebee", "half", "ignored: deleted in poweroffice; not carried")
    ]


# -- totals


def test_an_order_that_was_read_and_is_not_known_counts_in_the_month(model: ReadModel) -> None:
    put_link(model, link("1", "order", chargebee=side("1", {}), poweroffice=side("u1", {})))
    put_reading(model, "chargebee", "1", order("O1", "100"), "order")
    put_reading(model, "poweroffice", "u1", order("20001", "100"), "order")
    put_reading(model, "poweroffice", "u2", order("20002", "5000"), "order")
    put_reading(model, "poweroffice", "u3", order("20003", "7", date="2026-11-01"), "order")
    found = totals.totals_of(model, "t", "r1", "2026-10")
    assert found.differs
    assert found.sums["NOK"]["difference"].total == Decimal(-5000)
    [row] = found.unlinked
    assert (row.link, row.poweroffice, row.amounts["total"]) == (
        "",
        "20002",
        {"chargebee": None, "poweroffice": "5000"},
    )
    assert "not known yet" in totals.line_of(row)
    assert list(totals.order_rows(found.unlinked))


def order(
    number: str, total: str, currency: str = "NOK", date: str = "2026-10-03", **more: Any
) -> dict[str, Any]:
    return {
        "number": number,
        "currency": currency,
        "order_date": date,
        "status": "draft",
        "net": total,
        "tax": "0",
        "total": total,
        "lines": [],
        **more,
    }


def test_totals_are_by_currency_and_leave_out_other_months_and_cancelled_orders(
    model: ReadModel,
) -> None:
    """Decimal, never float: 0.1 and 0.2 are 0.3."""
    rows = {"1": ("0.1", "NOK"), "2": ("0.2", "NOK"), "3": ("5", "EUR")}
    for number, (total, currency) in rows.items():
        put_link(
            model,
            link(number, "order", chargebee=side(number, {}), poweroffice=side(f"u{number}", {})),
        )
        invoice = {"number": f"I{number}", "paid": number != "3"}
        put_reading(
            model,
            "chargebee",
            number,
            order(f"O{number}", total, currency, invoice=invoice),
            "order",
        )
        put_reading(
            model, "poweroffice", f"u{number}", order(f"2000{number}", total, currency), "order"
        )
    put_link(model, link("4", "order", chargebee=side("4", {}), poweroffice=side("u4", {})))
    put_reading(model, "chargebee", "4", order("O4", "9", status="cancelled"), "order")
    put_link(
        model, link("5", "order", state="waiting", reason="customer x", chargebee=side("5", {}))
    )
    put_reading(model, "chargebee", "5", order("O5", "7"), "order")
    put_link(model, link("6", "order", chargebee=side("6", {})))
    put_reading(model, "chargebee", "6", order("O6", "100", date="2026-11-01"), "order")
    found = totals.totals_of(model, "t", "r1", "2026-10")
    assert {name: (sums.orders, sums.total) for name, sums in found.sums["NOK"].items()} == {
        "chargebee": (3, Decimal("7.3")),
        "poweroffice": (2, Decimal("0.3")),
        "difference": (1, Decimal(7)),
    }
    assert found.sums["EUR"]["difference"] == totals.Sums()
    assert found.differs
    assert [row.link for row in found.orders] == ["1", "2", "3"]
    assert [(row.link, row.note) for row in found.unlinked] == [("5", "waiting: customer x")]
    assert totals.line_of(found.orders[2]) == (
        "2026-10-03  Chargebee O3 (invoice I3, unpaid)  Go 20003  EUR 5 / 5"
    )


@pytest.mark.parametrize("text", ["2026-13", "2026-1", "202610", "", "10-2026"])
def test_a_month_that_is_none_is_refused(text: str) -> None:
    """With what is accepted."""
    with pytest.raises(ValueError, match="give it as 2026-11"):
        totals.month_of(text)


# -- edits that lost


def put_lost(
    model: ReadModel, number: int, rule: str, system: Any, *, entity: Any = "customer", **more: Any
) -> None:
    facts = {"link": "kari", "field": "phone", "value": "+47 1", "losing": "+47 2", **more}
    entry = JournalEntry(
        tenant="t",
        entity=entity,
        entry=str(number),
        at=f"2026-11-{number:02d}T10:00:00.000000Z",
        rule=rule,
        text=f"{rule} in words",
        cause="c",
        system=system,
        **facts,
    )
    put(model, "journal", f"t/{entity}/{facts['link']}/{number}", entry)


def lost_world(model: ReadModel) -> None:
    put_link(model, link("kari", chargebee=side("kari"), poweroffice=side("5")))
    for number, rule in enumerate(sorted(LOST_RULES), start=1):
        put_lost(model, number, rule, "chargebee" if rule == "overwritten" else "poweroffice")
    put_lost(
        model,
        6,
        "conflict",
        "chargebee",
        entity="product",
        link="gone",
        field="name",
        losing=None,
        value="Hjul",
    )
    put_lost(model, 7, "difference", "chargebee")
    put_lost(model, 8, "update", "chargebee", field=None)


def test_edits_that_lost_are_told_with_both_values_and_the_winner(model: ReadModel) -> None:
    """All four rules, oldest first; what was only listed as different has not lost."""
    lost_world(model)
    found = lost.lost_of(model, "t")
    assert [(each.rule, each.system, each.winner) for each in found] == [
        ("conflict", "poweroffice", "chargebee"),
        ("first_link", "poweroffice", "chargebee"),
        ("overwritten", "chargebee", "poweroffice"),
        ("restored", "poweroffice", "chargebee"),
        ("conflict", "chargebee", "poweroffice"),
    ]
    assert {(each.losing, each.value) for each in found[:4]} == {("+47 2", "+47 1")}
    assert (found[0].ids, found[0].at) == (
        {"chargebee": "kari", "poweroffice": "5"},
        "2026-11-01T10:00:00.000000Z",
    )
    assert (found[4].link, found[4].ids, found[4].losing, found[4].value) == (
        "gone",
        {},
        None,
        "Hjul",
    )
    assert lost.lost_of(model, "other") == []


@pytest.mark.parametrize(
    ("asked", "rules"),
    [
        ({"entity": "product"}, ["conflict"]),
        ({"side": "chargebee"}, ["overwritten", "conflict"]),
        ({"since": "2026-11-04T10:00:00.000000Z"}, ["restored", "conflict"]),
        ({"until": "2026-11-02T10:00:00.000000Z"}, ["conflict"]),
        (
            {
                "since": "2026-11-02T10:00:00.000000Z",
                "until": "2026-11-06T00:00:00.000000Z",
                "side": "chargebee",
            },
            ["overwritten"],
        ),
    ],
)
def test_edits_that_lost_are_chosen_by_entity_system_and_time(
    model: ReadModel, asked: Any, rules: list[str]
) -> None:
    """From a moment on, and before another."""
    lost_world(model)
    assert [each.rule for each in lost.lost_of(model, "t", **asked)] == rules


def test_a_negative_number_in_a_table_is_a_number() -> None:
    cells = ["-50.50", "-5", "-1+2", "-٥", "-50.50x", "=1", "50"]
    (row,) = csv.reader(csv_text([], [cells]).splitlines()[1:])
    assert row == ["-50.50", "-5", "'-1+2", "'-٥", "'-50.50x", "'=1", "50"]


def test_edits_that_lost_as_lines_and_as_a_table(model: ReadModel, tmp_path: Path) -> None:
    """A blank that lost is called so; text that a spreadsheet would calculate is made inert."""
    lost_world(model)
    found = lost.lost_of(model, "t", side="chargebee")
    console = Console(width=40, record=True, force_terminal=False)
    lost.show_lost(console, found, as_json=False)
    assert console.export_text().splitlines() == [
        "2026-11-03T10:00:00Z  customer kari: phone of chargebee lost: +47 2; poweroffice "
        "won: +47 1",
        "    overwritten: overwritten in words",
        "2026-11-06T10:00:00Z  product gone: name of chargebee lost: blank; poweroffice won: Hjul",
        "    conflict: conflict in words",
        "2 edits lost",
    ]
    lost.write_lost_csv(tmp_path / "lost.csv", found)
    header, first, _ = csv.reader((tmp_path / "lost.csv").read_text(encoding="utf-8").splitlines())
    assert dict(zip(header, first, strict=True)) == {
        "at": "2026-11-03T10:00:00.000000Z",
        "entity": "customer",
        "link": "kari",
        "chargebee": "kari",
        "poweroffice": "5",
        "field": "phone",
        "lost in": "chargebee",
        "lost value": "'+47 2",
        "won by": "poweroffice",
        "standing value": "'+47 1",
        "rule": "overwritten",
        "reason": "overwritten in words",
        "cause": "c",
    }


# -- words of the command line


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1200", 1200),
        ("2h", datetime(2026, 11, 28, 8, tzinfo=UTC)),
        ("3d", datetime(2026, 11, 25, 10, tzinfo=UTC)),
        ("2026-11-28T10:00", datetime(2026, 11, 28, 9, tzinfo=UTC)),
        ("2026-07-01T10:00", datetime(2026, 7, 1, 8, tzinfo=UTC)),
        ("2026-11-28T10:00:00Z", datetime(2026, 11, 28, 10, tzinfo=UTC)),
        ("2026-11-28", datetime(2026, 11, 27, 23, tzinfo=UTC)),
    ],
)
def test_a_moment_is_an_offset_a_span_or_a_time_in_the_tenants_zone(
    text: str, expected: Any
) -> None:
    """Oslo is an hour ahead of UTC in winter and two in summer."""
    assert moment_of(text, "Europe/Oslo", datetime(2026, 11, 28, 10, tzinfo=UTC)) == expected


@pytest.mark.parametrize("text", ["yesterday", "2h30", "-5", "12.5", "2026-02-30", "٣"])
def test_a_moment_that_is_none_is_refused(text: str) -> None:
    """With what is accepted."""
    with pytest.raises(ValueError, match="give a time such as"):
        moment_of(text, "Europe/Oslo", datetime(2026, 11, 28, 10, tzinfo=UTC))


def test_where_no_offset_is_taken_none_is_offered() -> None:
    """Neither in the words nor as a number."""
    now = datetime(2026, 11, 28, 10, tzinfo=UTC)
    assert time_of("2h", "Europe/Oslo", now) == datetime(2026, 11, 28, 8, tzinfo=UTC)
    with pytest.raises(ValueError, match="give a time such as") as refused:
        time_of("yesterday", "Europe/Oslo", now)
    assert "offset" not in str(refused.value)
    with pytest.raises(ValueError, match="1200 is an offset: give a time such as"):
        time_of("1200", "Europe/Oslo", now)


def test_dead_letters_are_chosen_by_id_by_words_or_all() -> None:
    """Commands by their link, messages that could not be read by themselves."""
    command = Command(
        tenant="t",
        entity="customer",
        link="kari",
        seq=4,
        target="poweroffice",
        op="update",
        lane="live",
        cause="",
    )
    refused = DeadLetter(
        reason="rejected",
        at=AT,
        topic="commands.poweroffice",
        command=command,
        problem=Problem(code="x", message="Zip code is wrong", field="address"),
    )
    unread = DeadLetter(
        reason="DecodeError: truncated", at=AT, topic="tandem.customers", partition=0, offset=7
    )
    letters = {"t/customer/kari/4": refused, "tandem.customers/0/7": unread}
    assert words_of(refused) == "rejected: address: Zip code is wrong"
    assert choose(letters, None, None) == (
        {("customer", "kari"): ["t/customer/kari/4"]},
        {"tandem.customers/0/7": unread},
    )
    assert choose(letters, None, "ZIP") == ({("customer", "kari"): ["t/customer/kari/4"]}, {})
    assert choose(letters, "tandem.customers/0/7", None) == ({}, {"tandem.customers/0/7": unread})
    with pytest.raises(NotFound, match="there is no dead letter 'x'"):
        choose(letters, "x", None)


def test_maps_are_compared_pair_by_pair() -> None:
    """What is gone, and what has come."""
    a, b, c = ({"entity": "customer", "chargebee": name, "poweroffice": name} for name in "abc")
    assert compare_pairs([a, b], [b, c]) == ([a], [c])
