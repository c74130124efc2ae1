"""The status folded from the topics, and the command's words and exit codes where Kafka or settings
are missing."""

import socket
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rich.console import Console
from typer.testing import CliRunner

from contracts.links import encode
from contracts.messages import (
    Command,
    Control,
    Cursor,
    DeadLetter,
    Flight,
    JournalEntry,
    Link,
    Problem,
    Side,
)
from contracts.said import say
from runtime.clock import utc_now
from services.console.cli import app
from services.console.known import KnownByModel
from services.console.lookup import show_link
from services.console.model import ReadModel
from services.console.model_rows import Mirrored
from services.console.names import Named
from services.console.show import show_status
from services.console.shown import Shown
from services.console.status import Listed, Status, TenantStatus, tenant_status

AT = "2026-11-20T10:00:00.000000Z"
SECRETS = {
    "CHARGEBEE__API_KEY": "k",
    "POWEROFFICE__APPLICATION_KEY": "a",
    "POWEROFFICE__CLIENT_KEY": "c",
    "POWEROFFICE__SUBSCRIPTION_KEY": "s",
}


def _side(record_id: str, *, deleted: bool = False) -> Side:
    return Side(id=record_id, version="1", deleted=deleted)


def _command(entity: Any = "customer", link: str = "anna") -> Command:
    return Command(
        tenant="t",
        entity=entity,
        link=link,
        seq=1,
        target="poweroffice",
        op="create",
        lane="live",
        cause="",
    )


def _link(key: str, **fields: Any) -> Link:
    return Link(**{"tenant": "t", "entity": "customer", "key": key, **fields})


LINKS = [
    _link(
        "anna",
        state="linked",
        chargebee=_side("anna"),
        poweroffice=_side("1"),
        differences=["phone"],
    ),
    _link("sent", entity="order", state="sent", chargebee=_side("7"), poweroffice=_side("u-7")),
    _link(
        "bo", state="creating", chargebee=_side("bo"), flight=Flight(command=_command(link="bo"))
    ),
    _link("gone", state="ignored", reason="deleted", chargebee=_side("gone", deleted=True)),
    _link(
        "go-9",
        state="ambiguous",
        reason="the e-mail is equal",
        poweroffice=_side("9"),
        candidates=["carl"],
    ),
    _link(
        "dag",
        state="rejected",
        reason="poweroffice refused: too long",
        chargebee=_side("dag"),
        problem=Problem(code="too_long", field="email", message="too long"),
    ),
    _link(
        "8",
        entity="order",
        state="waiting",
        reason="customer dag is rejected",
        chargebee=_side("8"),
    ),
]


def _status(**inputs: Any) -> TenantStatus:
    return tenant_status(
        **{
            "links": LINKS,
            "controls": [],
            "cursors": [],
            "letters": [],
            "mode": "observe",
            **inputs,
        }
    )


def test_counts_records_per_side_and_links_per_state() -> None:
    customer = _status().entities["customer"]
    assert customer.records == {"chargebee": 3, "poweroffice": 2}
    assert customer.states == {
        "ambiguous": 1,
        "creating": 1,
        "ignored": 1,
        "linked": 1,
        "rejected": 1,
    }
    assert (customer.linked, customer.open_commands, customer.differing) == (1, 1, 1)


def test_a_status_from_the_read_model_looks_at_what_is_told_alone(tmp_path: Path) -> None:
    """It is the same as one from all links; a link of which there is nothing to tell is counted."""
    plain = [
        _link(f"p{n}", state="linked", chargebee=_side(f"p{n}"), poweroffice=_side(f"go{n}"))
        for n in range(20)
    ]
    everything = [*LINKS, *plain]
    with closing(ReadModel(tmp_path, "source")) as model:
        names = [f"{each.tenant}/{each.entity}/{each.key}" for each in everything]
        rows = zip(names, everything, strict=True)
        model.apply([Mirrored("links", name, encode(each)) for name, each in rows], {}, {})
        tenant = LINKS[0].tenant
        told = list(model.told(tenant))
        assert {each.key for each in told}.isdisjoint(each.key for each in plain)
        known = KnownByModel(model, tenant)
        kept = _status(links=told, tally=model.tally(tenant), known=known)
    assert kept == _status(links=everything)


def test_a_sent_order_counts_as_linked() -> None:
    assert _status().entities["order"].linked == 1


def test_lists_what_a_person_should_know_of() -> None:
    found = _status()
    assert found.rejected == [
        Listed(entity="customer", key="dag", reason="poweroffice refused: too long", field="email")
    ]
    assert found.ambiguous == [
        Listed(entity="customer", key="go-9", reason="the e-mail is equal", candidates=["carl"])
    ]
    assert [each.key for each in found.waiting] == ["8"]
    assert [(each.key, each.fields) for each in found.differing] == [("anna", ["phone"])]
    assert found.ignored == {"customer: deleted": 1}


def test_the_barrier_tells_which_snapshots_are_complete() -> None:
    mark = Control(
        tenant="t", kind="barrier", id="customer/chargebee", at=AT, value={"snapshot": "s"}
    )
    found = _status(controls=[mark]).entities
    assert found["customer"].snapshots == {"chargebee": True, "poweroffice": False}
    assert found["product"].snapshots == {"chargebee": False, "poweroffice": False}


def test_last_poll_comes_from_the_health_and_else_from_the_cursor() -> None:
    cursors = [
        Cursor(tenant="t", system="chargebee", entity="customer", at="2026-11-20T09:00:00Z"),
        Cursor(tenant="t", system="poweroffice", entity="customer", at="2026-11-20T09:00:00Z"),
        Cursor(
            tenant="t",
            system="poweroffice",
            entity="health",
            at=AT,
            value={"last_poll_at": {"customer": AT}},
        ),
    ]
    found = _status(cursors=cursors).entities["customer"]
    assert found.last_poll == {"chargebee": "2026-11-20T09:00:00Z", "poweroffice": AT}


def test_a_first_snapshot_that_is_read_is_told_until_it_is_complete() -> None:
    """Until when at least, where lists are late; what is no fact of this kind is passed over."""
    late = {
        "since": "2026-11-20T12:00:10.000000Z",
        "until": "2026-11-20T12:05:10.000000Z",
        "late_s": 300.0,
    }
    told = {"customer": late, "product": late, "order": "?"}
    cursors = [
        Cursor(
            tenant="t", system="chargebee", entity="health", at=AT, value={"first_snapshots": told}
        ),
        Cursor(
            tenant="t",
            system="poweroffice",
            entity="health",
            at=AT,
            value={"first_snapshots": {"order": {"since": late["since"]}, "product": {}}},
        ),
    ]
    done = Control(
        tenant="t", kind="barrier", id="product/chargebee", at=AT, value={"snapshot": "s"}
    )
    found = _status(cursors=cursors, controls=[done])
    assert found.troubles == []
    console = Console(width=80, record=True, force_terminal=False)
    show_status(console, Status(tenants={"t": found}, lag={}), utc_now())
    assert [
        line.strip() for line in console.export_text().splitlines() if "first snapshot" in line
    ] == [
        "first snapshot of customer from chargebee: reads until 12:05:10 UTC at least",
        "first snapshot of order from poweroffice: reads since 12:00:10 UTC",
    ]


@pytest.mark.parametrize(
    ("health", "told"),
    [
        ({"stopped": "the key is refused"}, ["poweroffice stopped: the key is refused"]),
        (
            {"last_error": "events: 500", "last_poll_at": {"customer": AT}},
            ["poweroffice last_error: events: 500"],
        ),
        (
            {"last_error": {"order": {"at": AT, "error": "timeout"}}, "notes": {}},
            ["poweroffice order: timeout"],
        ),
        (
            {"last_error": None, "last_sweep_at": AT, "notes": {"order": "not read"}},
            ["poweroffice order: not read"],
        ),
    ],
)
def test_troubles_of_the_adapters_are_told_in_words(
    health: dict[str, Any], told: list[str]
) -> None:
    cursor = Cursor(tenant="t", system="poweroffice", entity="health", at=AT, value=health)
    assert _status(cursors=[cursor]).troubles == told


def test_dead_letters_are_counted_with_their_entity() -> None:
    letters = [
        DeadLetter(
            reason="rejected", at=AT, topic="commands.poweroffice", command=_command("order", "8")
        ),
        DeadLetter(reason="unreadable", at=AT, topic="tandem.customers", partition=0, offset=4),
        DeadLetter(reason="unreadable", at=AT, topic="tandem.outcomes", partition=0, offset=4),
    ]
    found = _status(letters=letters).entities
    assert {entity: held.dead_letters for entity, held in found.items()} == {
        "customer": 1,
        "product": 0,
        "order": 1,
    }


def test_the_table_shows_figures_and_lists_without_reading_markup() -> None:
    console = Console(width=250, record=True, force_terminal=False)
    hostile = _link("[bold]x[/nope]", state="rejected", reason="[/] refused", chargebee=_side("x"))
    show_status(
        console,
        Status(tenants={"t": _status(links=[*LINKS, hostile])}, lag={"linker": 3}),
        utc_now(),
    )
    text = console.export_text()
    assert "[bold]x[/nope]: [/] refused" in text
    assert "Messages not taken yet: linker 3" in text
    assert "customer go-9: the e-mail is equal (candidates: carl)" in text


def test_possible_duplicates_are_told_once_with_both_keys_and_why() -> None:
    """Both links name each other; the journal's newest word on the two is the reason."""
    links = [
        _link(
            "fjord",
            state="linked",
            chargebee=_side("fjord"),
            poweroffice=_side("1"),
            duplicates=["go-2", "go-3"],
        ),
        _link(
            "go-2",
            state="linked",
            chargebee=_side("go-2"),
            poweroffice=_side("2"),
            duplicates=["fjord"],
        ),
        _link(
            "go-7",
            state="linked",
            chargebee=_side("go-7"),
            poweroffice=_side("7"),
            duplicates=["go-8"],
        ),
    ]
    entries = [
        JournalEntry(
            tenant="t",
            entity="customer",
            link="go-2",
            entry=entry,
            at=AT,
            rule="possible_duplicate",
            text=text,
            cause="c",
            value="fjord",
        )
        for entry, text in (("1", "an older word"), ("2", "the same organisation number"))
    ]
    found = _status(links=links, duplicates=entries)
    assert found.duplicates == [
        Listed(
            entity="customer",
            key="fjord",
            duplicates=["go-2", "go-3"],
            reason="the same organisation number",
        ),
        Listed(
            entity="customer",
            key="go-7",
            duplicates=["go-8"],
            reason="they look like the same party",
        ),
    ]
    shown = _shown(found)
    assert "Possible duplicates: a person looks (2)" in shown
    assert "  customer fjord and go-2, go-3: the same organisation number" in shown


def test_of_many_candidates_the_first_are_shown_and_how_many_there_are() -> None:
    """A link holds twenty of them at the most."""
    held = [f"go-{number}" for number in range(20)]
    many = _link(
        "kari",
        state="ambiguous",
        reason="the e-mail is that of others too",
        chargebee=_side("kari"),
        candidates=held,
        candidates_count=2000,
    )
    few = msgspec.structs.replace(many, key="ola", candidates=held[:6], candidates_count=0)
    found = _status(links=[many, few])
    assert [(len(each.candidates), each.candidates_count) for each in found.ambiguous] == [
        (20, 2000),
        (6, 0),
    ]
    shown = _shown(found)
    assert "(candidates: go-0, go-1, go-2, go-3, go-4 and 1995 more)" in shown
    assert "(candidates: go-0, go-1, go-2, go-3, go-4 and 1 more)" in shown


def test_a_link_shows_every_candidate_it_holds_and_its_possible_duplicates() -> None:
    console = Console(width=60, record=True, force_terminal=False)
    held = [f"go-{number}" for number in range(20)]
    link = _link(
        "kari",
        state="ambiguous",
        reason="r",
        chargebee=_side("kari"),
        candidates=held,
        candidates_count=2000,
        duplicates=["ola", "per"],
    )
    show_link(console, Shown(link, Named(), [say("bare", why="r")], []), as_json=False)
    assert console.export_text().splitlines()[-2:] == [
        f"candidates: {', '.join(held)} and 1980 more",
        "possible duplicates: ola, per",
    ]


def _shown(status: TenantStatus) -> str:
    console = Console(width=250, record=True, force_terminal=False)
    show_status(console, Status(tenants={"t": status}, lag={}), utc_now())
    return console.export_text()


def _configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bootstrap: str) -> None:
    path = tmp_path / "tandem.toml"
    path.write_text(
        f'[kafka]\nbootstrap = "{bootstrap}"\n[tenants.t]\nchargebee.site = '
        f'"x"\npoweroffice.environment = "demo"\n'
    )
    monkeypatch.setenv("TANDEM_CONFIG", str(path))
    for name, value in SECRETS.items():
        monkeypatch.setenv(f"TANDEM_TENANTS__T__{name}", value)


@pytest.mark.parametrize("arguments", [["status"], ["topics", "check"], ["topics", "create"]])
def test_an_unreachable_kafka_is_one_line_and_exit_code_2(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        bootstrap = f"127.0.0.1:{closed.getsockname()[1]}"
        _configured(tmp_path, monkeypatch, bootstrap)
        done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 2
    assert done.stderr.startswith(f"Kafka at {bootstrap} cannot be reached")
    assert done.stderr.count("\n") == 1


def test_wrong_settings_are_told_and_exit_with_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TANDEM_CONFIG", str(tmp_path / "absent.toml"))
    done = CliRunner().invoke(app, ["status"])
    assert done.exit_code == 2
    assert done.stderr.startswith("TANDEM_CONFIG: ")


def test_a_field_that_is_held_back_is_shown_with_what_to_do() -> None:
    """The other differences need no words: both values are shown by `links show`."""
    words = (
        "held back from chargebee: it has 69 characters, Chargebee holds 50; shorten it in "
        "PowerOffice Go"
    )
    links = [
        _link(
            "kari",
            state="linked",
            chargebee=_side("kari"),
            poweroffice=_side("5"),
            differences=["phone", "company"],
            held_back={"phone": words},
        ),
        _link(
            "ola",
            state="linked",
            chargebee=_side("ola"),
            poweroffice=_side("6"),
            differences=["phone"],
        ),
        _link(
            "per",
            state="linked",
            chargebee=_side("per"),
            poweroffice=_side("7"),
            differences=["email"],
            asked=["email"],
        ),
    ]
    shown = _shown(_status(links=links))
    assert f"  customer kari [phone, company]: phone is {words}" in shown
    assert "  customer ola [phone]\n" in shown
    asked = "email was changed on both sides; keep one: tandem settle"
    assert f"  customer per [email]: {asked}" in shown
