"""Findings as a person meets them: in order, chosen, added up; in every command that speaks of
their link."""

import csv
from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from rich.console import Console
from typer.testing import CliRunner

from contracts.findings import REMARK_MAX, settlement, unsettled
from contracts.links import encode
from contracts.messages import Command, Finding, JournalEntry, LineAmounts, Link, Settled, Side
from contracts.signals import Instruction, args_of
from runtime.clock import utc_now
from services.console import cli_change, drift, findings, totals
from services.console.__main__ import Keeper
from services.console.cli import app
from services.console.findings import Choice, chosen, found_in, sums
from services.console.findings_view import show_findings, write_findings_csv, write_findings_html
from services.console.lookup import explain, show_entries, show_link
from services.console.model import ReadModel
from services.console.model_rows import Mirrored
from services.console.names import Named
from services.console.plans import plans_of, show_plans, write_plan_csv
from services.console.show import show_status
from services.console.shown import Shown
from services.console.status import Status, TenantStatus, tenant_status
from services.console.waiting import stored
from tests.unit.test_read_model import order, put, put_link, put_reading, put_run

AT = "2026-11-20T10:00:00.000000Z"
TWICE = Finding(
    kind="invoiced_twice",
    text="invoice 7 in Chargebee and invoice 20007 in Go",
    todo="credit invoice 20007 in Go",
    amount="1250.00",
    currency="NOK",
    chargebee="INV-7",
    poweroffice="20007",
    since=AT,
)
LINE = LineAmounts(
    text="Kortleser",
    chargebee_net="699",
    poweroffice_net="700",
    chargebee_tax="174.75",
    poweroffice_tax="175",
)


@pytest.fixture
def model(tmp_path: Path) -> Iterator[ReadModel]:
    with closing(ReadModel(tmp_path / "model", "cluster/tandem.")) as held:
        yield held


def finding(kind: Any = "invoiced_twice", **fields: Any) -> Finding:
    return msgspec.structs.replace(TWICE, kind=kind, **fields)


def link(key: str, *held: Finding, state: Any = "sent", **fields: Any) -> Link:
    facts = {
        "chargebee": Side(id=key, version="1"),
        "poweroffice": Side(id=f"u-{key}", version="1"),
        **fields,
    }
    return Link(tenant="t", entity="order", key=key, state=state, findings=list(held), **facts)


def settled(held: Finding, remark: str = "credited with 20009") -> dict[Any, Settled]:
    return {
        held.kind: Settled(
            text=held.text, amount=held.amount, remark=remark, by="ola@regnskap", at=AT
        )
    }


def found(*links: Link) -> list[findings.Found]:
    return [each for held in links for each in found_in(held)]


def plain(held: Link) -> Shown:
    """A link beside which nothing is known."""
    return Shown(held, Named(), stored(held), [])


def terminal() -> Console:
    return Console(width=60, record=True, force_terminal=False)


# -- what is settled


def test_a_finding_is_settled_as_long_as_it_says_the_same() -> None:
    """Another text or amount is another fact, whatever was said of the one before; other kinds
    stay."""
    other = finding("dropped", text="a round-off of 0.40", amount=None)
    held = link("7", TWICE, other, settled=settled(TWICE))
    assert unsettled(held) == [other]
    assert settlement(held, TWICE) == settled(TWICE)["invoiced_twice"]
    for changed in ({"text": "invoice 8"}, {"amount": "1250.01"}, {"amount": None}):
        held.findings = [msgspec.structs.replace(TWICE, **changed)]
        assert unsettled(held) == held.findings
    held.findings = [finding(todo="do something else", since="2026-11-28T10:00:00.000000Z")]
    assert unsettled(held) == []


# -- in order, chosen, added up


def test_the_largest_amount_of_a_currency_comes_first_then_the_oldest() -> None:
    """Numbers, not texts; what has no amount is last, whatever its sign says the size counts."""
    links = [
        link("none", finding("dropped", amount=None, currency=None)),
        link("nok-unknown", finding("dropped", amount=None)),
        link("nok-9", finding(amount="9")),
        link("nok-100-new", finding(amount="100", since="2026-11-21T10:00:00.000000Z")),
        link("nok-100-old", finding(amount="100.00")),
        link("nok-minus", finding("money_differs", amount="-2000")),
        link("eur", finding(amount="1", currency="EUR")),
    ]
    assert [each.key for each in chosen(found(*links), Choice())] == [
        "eur",
        "nok-minus",
        "nok-100-old",
        "nok-100-new",
        "nok-9",
        "nok-unknown",
        "none",
    ]


@pytest.mark.parametrize(
    ("choice", "keys"),
    [
        ({}, ["b", "a", "c"]),
        ({"settled": True}, ["b", "a", "d", "c"]),
        ({"kind": "money_differs"}, ["b"]),
        ({"entity": "product"}, ["c"]),
        ({"min_amount": Decimal("1250")}, ["b", "a"]),
        ({"currency": "EUR"}, ["b"]),
        ({"since": "2026-11-20T10:00:00.000001Z"}, ["c"]),
    ],
)
def test_findings_are_chosen(choice: Any, keys: list[str]) -> None:
    """By kind, entity, amount, currency and time; settled ones only when they are asked for."""
    links = [
        link("a", TWICE),
        link("b", finding("money_differs", currency="EUR", amount="-1300")),
        msgspec.structs.replace(
            link("c", finding("dropped", amount=None, since="2026-11-21T00:00:00.000000Z")),
            entity="product",
        ),
        link("d", TWICE, settled=settled(TWICE)),
    ]
    assert [each.key for each in chosen(found(*links), Choice(**choice))] == keys


def test_sums_are_by_kind_and_currency_and_keep_apart_what_is_settled() -> None:
    """Exact, and signs aside: two differences never make up for each other."""
    links = [
        link("1", finding("money_differs", amount="0.1")),
        link("2", finding("money_differs", amount="-0.2")),
        link("3", finding("money_differs", amount="5", currency="EUR")),
        link("4", TWICE),
        link("5", TWICE, settled=settled(TWICE)),
        link("6", finding("dropped", amount=None, currency=None)),
    ]
    assert list(findings.sum_rows(sums(found(*links)))) == [
        ("invoiced_twice", "NOK", "no", "1", "1250.00"),
        ("money_differs", "EUR", "no", "1", "5"),
        ("money_differs", "NOK", "no", "2", "0.3"),
        ("dropped", "-", "no", "1", ""),
        ("invoiced_twice", "NOK", "yes", "1", "1250.00"),
    ]


@pytest.mark.parametrize("text", ["1.000,50", "kr 100", "-1", "NaN", "Infinity", ""])
def test_an_amount_that_is_none_is_refused(text: str) -> None:
    """A comma is no point."""
    with pytest.raises(ValueError, match=r"give it as 1000 or 1000\.50"):
        findings.amount_of(text)


def test_a_currency_has_three_letters() -> None:
    """In either case."""
    assert findings.currency_of("nok") == "NOK"
    with pytest.raises(ValueError, match="such as NOK"):
        findings.currency_of("kroner")


# -- on the screen and in files


def test_a_finding_is_told_with_documents_what_to_do_and_its_lines() -> None:
    """No line is broken: numbers are there to be copied."""
    console = terminal()
    held = link(
        "7",
        msgspec.structs.replace(TWICE, lines=(LINE,)),
        finding(
            "dropped",
            amount=None,
            currency=None,
            chargebee=None,
            poweroffice=None,
            text="a round-off",
            todo="decide",
        ),
    )
    show_findings(console, chosen(found(held), Choice()), 2, as_json=False)
    lines = [
        " ".join(line.split()) if "  " in line.strip() else line
        for line in console.export_text().splitlines()
    ]
    assert lines == [
        "order 7: invoiced_twice, NOK 1250.00, Chargebee 7 (INV-7), Go u-7 (20007)",
        "    invoice 7 in Chargebee and invoice 20007 in Go",
        "    to do: credit invoice 20007 in Go",
        "    line Kortleser: net 699 in Chargebee, 700 in Go; VAT 174.75 and 175",
        "    since 2026-11-20T10:00:00Z",
        "order 7: dropped, Chargebee 7, Go u-7",
        "    a round-off",
        "    to do: decide",
        "    since 2026-11-20T10:00:00Z",
        "finding currency settled findings amount",
        "invoiced_twice NOK no 1 1250.00",
        "dropped - no 1",
        "2 findings; 2 settled and not listed: add --settled",
    ]


def test_who_settled_a_finding_is_told_with_the_remark() -> None:
    """And when."""
    console = terminal()
    show_findings(console, found(link("7", TWICE, settled=settled(TWICE))), 0, as_json=False)
    text = console.export_text()
    assert "    settled 2026-11-20T10:00:00Z by ola@regnskap: credited with 20009\n" in text
    assert text.endswith("1 finding, 1 of them settled\n")


def test_nothing_found_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """With the settled ones that are not shown; as JSON an empty list and no sums."""
    console = terminal()
    show_findings(console, [], 1, as_json=False)
    assert console.export_text() == "no findings; 1 settled and not listed: add --settled\n"
    capsys.readouterr()
    show_findings(console, [], 1, as_json=True)
    assert msgspec.json.decode(capsys.readouterr().out) == {"findings": [], "sums": []}


def test_findings_are_written_for_a_spreadsheet_and_a_page(tmp_path: Path) -> None:
    """One row for each; text can neither calculate nor be markup."""
    hostile = finding(
        "money_differs", text="=1+1", todo="<b>look</b>", lines=(LINE, LineAmounts(text="ny"))
    )
    held = found(link("7", hostile, TWICE, settled=settled(TWICE)))
    write_findings_csv(tmp_path / "found.csv", held)
    first, second = csv.DictReader(
        (tmp_path / "found.csv").read_text(encoding="utf-8").splitlines()
    )
    assert (
        first["finding"],
        first["what"],
        first["Chargebee document"],
        first["Go id"],
        first["remark"],
    ) == (
        "money_differs",
        "'=1+1",
        "INV-7",
        "u-7",
        "",
    )
    assert first["lines that differ"] == (
        "Kortleser: net 699 in Chargebee, 700 in Go; VAT 174.75 and 175; ny: net - in "
        "Chargebee, - in Go"
    )
    assert (second["settled by"], second["settled at"], second["remark"]) == (
        "ola@regnskap",
        AT,
        "credited with 20009",
    )
    write_findings_html(tmp_path / "found.html", held, "Findings of t")
    page = (tmp_path / "found.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;look&lt;/b&gt;" in page and "<b>" not in page
    assert "<h2>Sums</h2>" in page and "<td>Kortleser</td><td>699</td><td>700</td>" in page


# -- in the other commands


def status_of(*links: Link) -> TenantStatus:
    return tenant_status(links, [], [], [], "sync")


def shown(status: TenantStatus) -> str:
    console = Console(width=250, record=True, force_terminal=False)
    now = utc_now()
    show_status(console, Status(tenants={"t": status}, lag={}), now)
    return console.export_text()


@pytest.mark.parametrize("state", ["sent", "ignored", "linked", "rejected", "held", "broken"])
def test_status_tells_a_finding_whatever_the_state_of_its_link(state: Any) -> None:
    """An order that was sent or is ignored asks for a person no less."""
    text = shown(status_of(link("7", TWICE, state=state)))
    assert text.startswith(
        "t: 1 finding (invoiced_twice 1); at stake NOK 1250.00: a person acts; tandem findings "
        "says how\n"
    )
    assert (
        "Findings: a person acts (1)\n"
        "  order 7: invoiced_twice, NOK 1250.00, Chargebee 7 (INV-7), Go u-7 (20007): "
        "invoice 7 in Chargebee and invoice 20007 in Go; credit invoice 20007 in Go\n"
    ) in text


def test_status_lists_findings_before_all_else_the_largest_first() -> None:
    """Twenty of them, and how many there are."""
    many = [link(str(number), finding(amount=str(number))) for number in range(1, 26)]
    rejected = link("x", state="rejected", reason="refused")
    lines = shown(status_of(*many, rejected)).splitlines()
    assert lines[0].startswith("t: 25 findings (invoiced_twice 25); at stake NOK 325: ")
    at = lines.index("Findings: a person acts (25)")
    assert lines[at + 1].startswith("  order 25: ") and lines[at + 20].startswith("  order 6: ")
    assert lines[at + 21] == "  ... and 5 more: --json lists all"
    assert at < lines.index("Rejected (1)")
    assert [each.key for each in status_of(*many).findings] == [
        str(number) for number in range(25, 0, -1)
    ]


def test_status_says_nothing_of_what_is_settled_or_of_rounding() -> None:
    """Both stand in the link."""
    text = shown(status_of(link("7", TWICE, settled=settled(TWICE)), link("8", rounding=True)))
    assert "invoiced_twice" not in text and "rounding" not in text and "Findings" not in text


def test_a_link_and_its_story_begin_with_findings_and_rounding() -> None:
    """Settled ones too, with the remark."""
    held = link("7", TWICE, settled=settled(TWICE), rounding=True)
    shows: tuple[Callable[[Console], None], ...] = (
        lambda console: show_link(console, plain(held), as_json=False),
        lambda console: show_entries(console, plain(held), [], field=None, as_json=False),
    )
    for show in shows:
        console = terminal()
        show(console)
        assert console.export_text().splitlines()[:7] == [
            "order 7: sent",
            "  finding order 7: invoiced_twice, NOK 1250.00, Chargebee 7 (INV-7), Go u-7 (20007)",
            "      invoice 7 in Chargebee and invoice 20007 in Go",
            "      to do: credit invoice 20007 in Go",
            "      since 2026-11-20T10:00:00Z",
            "      settled 2026-11-20T10:00:00Z by ola@regnskap: credited with 20009",
            "  rounding: the VAT of both sides differs by 0.01 at most for each line; nothing has "
            "to be done",
        ]


def test_an_entry_about_a_finding_is_not_about_the_fields_of_a_record(model: ReadModel) -> None:
    """A finding has a currency too."""
    put_link(model, link("7", TWICE))
    for number, rule in enumerate(("finding", "create")):
        entry = JournalEntry(
            tenant="t",
            entity="order",
            link="7",
            entry=str(number),
            at=AT,
            rule=rule,
            text="",
            cause="c",
            value=msgspec.to_builtins(TWICE),
        )
        put(model, "journal", f"t/order/7/{number}", entry)
    for field, rules in ((None, ["finding", "create"]), ("currency", ["create"])):
        assert [
            entry.rule for entry in explain(model, "t", "chargebee", "order", "7", field)[1]
        ] == rules


def test_fields_that_differ_are_marked_and_the_mark_is_explained() -> None:
    """Where there is one."""
    sides = {
        name: Side(id=name, version="1", seen={"status": value})
        for name, value in (("chargebee", "draft"), ("poweroffice", "sent"))
    }
    for held, explained in (
        (link("7", **sides), True),
        (link("7", **{**sides, "poweroffice": None}), False),
    ):
        console = terminal()
        show_link(console, plain(held), as_json=False)
        text = console.export_text()
        assert (
            any(line.startswith("*") for line in text.splitlines()),
            "fields with * differ" in text,
        ) == (
            explained,
            explained,
        )


def test_a_plan_names_the_findings_of_its_link(model: ReadModel, tmp_path: Path) -> None:
    """Whoever releases it reads them first."""
    command = Command(
        tenant="t",
        entity="order",
        link="7",
        seq=1,
        target="poweroffice",
        op="update",
        lane="live",
        cause="",
        fields={"purchase_order": "P1"},
    )
    dropped = finding("dropped", text="a round-off", amount=None)
    put_link(
        model,
        link(
            "7", TWICE, dropped, state="held", batch="first", plan=command, settled=settled(TWICE)
        ),
    )
    put_link(model, link("8", TWICE))
    plans = plans_of(model, "t")
    assert [(each["link"], each["findings"]) for each in plans] == [("7", ["dropped: a round-off"])]
    console = terminal()
    show_plans(console, plans, as_json=False, nothing="nothing")
    assert console.export_text().splitlines()[:2] == [
        "first  order 7: update in poweroffice: purchase_order=P1",
        "    finding dropped: a round-off",
    ]
    write_plan_csv(tmp_path / "plan.csv", plans)
    (row,) = csv.DictReader((tmp_path / "plan.csv").read_text(encoding="utf-8").splitlines())
    assert row["findings"] == "dropped: a round-off"


def test_a_reconcile_tells_the_findings_of_what_it_read(model: ReadModel) -> None:
    """Unsettled ones of the entities read; they are no drift."""
    put_run(model, parts={"chargebee/order": 2, "poweroffice/order": 2})
    for key in ("7", "8"):
        put_reading(model, "chargebee", key, {}, "order")
        put_reading(model, "poweroffice", f"u-{key}", {}, "order")
    put_link(model, link("7", finding(amount="5")))
    put_link(model, link("8", TWICE, finding("dropped", amount=None), settled=settled(TWICE)))
    put_link(model, msgspec.structs.replace(link("9", TWICE), entity="product"))
    report = drift.drift_of(model, "t", "r1")
    assert [(each.key, each.finding.kind) for each in report.findings] == [
        ("7", "invoiced_twice"),
        ("8", "dropped"),
    ]
    assert report.left == 0
    assert next(drift.lines(report)).startswith(
        "finding order 7: invoiced_twice, NOK 5, Chargebee 7 (INV-7)"
    )
    assert list(drift.lines(report, known=False)) == []
    assert drift.summary(report).endswith(
        "listed 0; 2 findings (invoiced_twice 1, dropped 1); at stake NOK 5"
    )
    assert [row[:3] for row in drift.rows(report)] == [
        ("finding", "order", "7"),
        ("finding", "order", "8"),
    ]
    assert len({len(row) for row in (drift.COLUMNS, *drift.rows(report))}) == 1


def test_a_month_names_the_findings_in_the_note(model: ReadModel) -> None:
    """Beside the reason of the state."""
    put_link(
        model,
        link("7", TWICE, finding("dropped"), settled=settled(TWICE), reason="sent by a person"),
    )
    put_reading(model, "chargebee", "7", order("7", "1000"), "order")
    put_reading(model, "poweroffice", "u-7", order("20007", "1000"), "order")
    (row,) = totals.totals_of(model, "t", "r1", "2026-10").orders
    assert (
        row.note
        == "sent by a person; dropped, NOK 1250.00: invoice 7 in Chargebee and invoice 20007 in Go"
    )


# -- the read model


def test_findings_are_read_without_a_look_at_links(
    model: ReadModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Among many links few have any; and a link that has none any more, or is gone, leaves none."""
    bodies = [(f"t/order/{number}", encode(link(str(number)))) for number in range(200)]
    records = [Mirrored("links", key, body) for key, body in bodies]
    assert model.apply(records, {("links", 0): 0}, {("links", 0): 200})
    put_link(model, link("7", TWICE, finding("dropped")))
    put_link(model, link("8", TWICE, settled=settled(TWICE)))
    put_link(model, msgspec.structs.replace(link("9", TWICE), tenant="other"))
    monkeypatch.setattr("services.console.model.LINK", None)
    assert sorted(
        (each.key, each.finding.kind, each.settled is not None) for each in model.findings("t")
    ) == [
        ("7", "dropped", False),
        ("7", "invoiced_twice", False),
        ("8", "invoiced_twice", True),
    ]
    assert model.findings_left() == {
        ("other", "invoiced_twice"): 1,
        ("t", "dropped"): 1,
        ("t", "invoiced_twice"): 1,
    }
    monkeypatch.undo()
    put_link(model, link("7", TWICE))
    put_link(model, link("8"))
    assert [each.finding.kind for each in model.findings("t")] == ["invoiced_twice"]
    at = model.positions()[("links", 0)]
    assert model.apply(
        [Mirrored("links", "t/order/7", None)], {("links", 0): at}, {("links", 0): at + 1}
    )
    assert model.findings("t") == []


def test_findings_are_a_figure_for_each_tenant_and_kind() -> None:
    """A kind without any is told as 0, so that an alert on it ends."""
    keeper = Keeper(SimpleNamespace(tenants={"t": None}))  # type: ignore[arg-type]
    model = SimpleNamespace(
        states=dict,
        findings_left=lambda: {("t", "dropped"): 2},
        letters_left=dict,
        unsettled_since=dict,
    )
    keeper.count(model)  # type: ignore[arg-type]
    held = next(metric for metric in keeper.collect() if metric.name == "tandem_findings")
    figures = {(each.labels["tenant"], each.labels["kind"]): each.value for each in held.samples}
    assert figures == {("t", kind): 2 if kind == "dropped" else 0 for kind in findings.KINDS}


# -- settling


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "name the field that differs, or the finding: --finding KIND --remark TEXT"),
        (
            ("lines", "--finding", "dropped", "--remark", "x"),
            "name the field that differs, or the finding",
        ),
        (("--finding", "dropped"), "--finding needs --remark TEXT"),
        (("--finding", "dropped", "--remark", " \n "), "--finding needs --remark TEXT"),
        (
            ("--finding", "dropped", "--remark", "x" * (REMARK_MAX + 1)),
            "--remark has 501 characters; at most 500 are kept",
        ),
        (
            ("--finding", "dropped", "--remark", "x", "--keep", "chargebee"),
            "--keep goes with a field",
        ),
        (("lines", "--remark", "x"), "--remark goes with --finding"),
    ],
)
def test_settling_asks_for_a_field_or_a_finding_with_a_remark(
    arguments: tuple[str, ...], words: str
) -> None:
    """Before anything is read or sent."""
    done = CliRunner().invoke(app, ["settle", "order", "7", *arguments])
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith(words)


@pytest.fixture
def sent(model: ReadModel, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The signals that commands would send, with a read model of one order."""
    put_link(model, link("7", TWICE, finding("dropped")))
    signals: list[Any] = []

    def send(about: Any, said: Instruction) -> dict[str, Any]:
        signals.append((said.KIND, args_of(said)))
        return {"signal": "s"}

    monkeypatch.setattr(cli_change, "meant", lambda tenant: SimpleNamespace(tenant="t"))
    monkeypatch.setattr(cli_change, "signal", send)
    monkeypatch.setattr(cli_change, "read", lambda about, query: query(model))
    return signals


def test_settling_a_finding_sends_its_kind_and_the_remark_in_one_line(sent: list[Any]) -> None:
    """By the key of the link or by an id of either side."""
    for key in ("7", "u-7"):
        done = CliRunner().invoke(
            app, ["settle", "order", key, "--finding", "dropped", "--remark", " paid\n twice "]
        )
        assert (done.exit_code, done.stdout) == (0, f"done\nsettled: dropped: {TWICE.text}\n")
    wanted = {
        "entity": "order",
        "key": "7",
        "finding": "dropped",
        "text": TWICE.text,
        "amount": TWICE.amount,
        "remark": "paid twice",
    }
    assert sent == [("settle", wanted)] * 2


def test_a_finding_that_is_not_there_is_refused_with_those_that_are(sent: list[Any]) -> None:
    """Nothing is sent."""
    done = CliRunner().invoke(
        app, ["settle", "order", "7", "--finding", "not_whole", "--remark", "x"]
    )
    assert (
        str(done.exception)
        == "order 7 has no finding not_whole; there are: invoiced_twice, dropped"
    )
    assert sent == []
