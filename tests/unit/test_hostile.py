"""Names and ids that were chosen to do harm: every command shows them, and none does what they say.

What no terminal, spreadsheet or browser must act on stands in every text of a read model; each
command of the CLI runs on it. Kafka and the linker are stood in for where a command meets them.
"""

import contextlib
import csv
import json
import os
import re
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.text import Text
from typer.main import get_command
from typer.testing import CliRunner

from contracts.checks import Checked
from contracts.messages import (
    Command,
    Control,
    Cursor,
    DeadLetter,
    Finding,
    Heartbeat,
    JournalEntry,
    LineAmounts,
    Observed,
    Problem,
    Reading,
    Settled,
    Side,
    Signal,
)
from contracts.said import say as sentence
from demo.installation import Installation
from demo.processes import Child
from runtime.clock import iso_now
from runtime.harmless import UNSAFE, harmless
from runtime.kafka import Kafka
from services.console import base, cli, cli_read, cli_runs, doctor_view, rebuilding, runs
from services.console import links as links_csv
from services.console import read as reading
from services.console import watch as watching
from services.console.cli import app
from services.console.files import write_csv, write_html
from services.console.model import ReadModel
from services.console.pages import commands
from services.console.terminal import Screen, say, table
from services.console.watch import Line
from tests.unit.test_read_model import AT, link, put, put_link
from tests.waiting import PATIENCE_S

EVIL = (
    "=x\x1b]0;owned\x07\x1b[2J\x9b31m[/b][red]\u202egpj\u2066\r\n\t\x00\x7f<script>\u2028\U000e0041"
)
# The characters themselves; a line break ends the lines of the command itself.
ACTED_ON = re.compile(UNSAFE.pattern.replace("\x00-\x1f", "\x00-\x09\x0b-\x1f"))
SIGNAL = {
    "signal": EVIL,
    "did": [],
    "note": EVIL,
    "result": "done",
    "run": "r1",
    "planned": 1,
    "linked": 0,
    "refused": [EVIL],
    "erased": 1,
    "within_days": 35,
}


def world(model: ReadModel) -> None:
    """A tenant with something for every command to say, each text of it EVIL."""
    person = {"first_name": EVIL, "last_name": EVIL, EVIL: EVIL}
    order = {
        "number": EVIL,
        "order_date": "2026-11-20",
        "currency": EVIL,
        "total": "1",
        "invoice": {"number": EVIL},
    }
    command = Command(
        tenant="t",
        target="poweroffice",
        entity="customer",
        link=EVIL,
        seq=1,
        op="create",
        cause=EVIL,
        fields={"first_name": EVIL, EVIL: EVIL},
        expected={"first_name": EVIL},
        lane="live",
    )
    sides = {
        "chargebee": Side(id=EVIL, version=EVIL, seen=person),
        "poweroffice": Side(id=EVIL, version=EVIL, seen={}),
    }
    found = Finding(
        kind="invoiced_twice",
        text=EVIL,
        todo=EVIL,
        amount="1",
        currency="NOK",
        chargebee=EVIL,
        poweroffice=EVIL,
        since=AT,
        lines=(LineAmounts(text=EVIL, chargebee_net="1", poweroffice_net="2"),),
    )
    other = msgspec.structs.replace(found, kind="dropped")
    for state in (
        "linked",
        "rejected",
        "ambiguous",
        "waiting",
        "conflict",
        "held",
        "broken",
        "ignored",
    ):
        put_link(
            model,
            link(
                f"{EVIL}{state}",
                state=state,
                reason=EVIL,
                problem=Problem(code=EVIL, message=EVIL, field=EVIL),
                candidates=[EVIL],
                duplicates=[EVIL],
                differences=[EVIL],
                held_back={EVIL: EVIL},
                waiting_on=[EVIL],
                batch=EVIL,
                plan=command,
                **sides,
            ),
        )
    put_link(
        model,
        link(
            EVIL,
            state="linked",
            reason=EVIL,
            plan=command,
            findings=[found, other],
            candidates=[EVIL],
            settled={"dropped": Settled(text=EVIL, amount="1", remark=EVIL, by=EVIL, at=AT)},
            **sides,
        ),
    )
    put_link(
        model,
        link(
            EVIL,
            "order",
            chargebee=Side(id=EVIL, version="1", seen=order),
            poweroffice=Side(id=EVIL, version="1", seen=order),
            findings=[found],
        ),
    )
    for number, rule in enumerate(
        ("overwritten", "drift", "would", "create", "possible_duplicate", "conflict")
    ):
        value = EVIL if rule == "possible_duplicate" else {EVIL: EVIL}
        entry = JournalEntry(
            tenant="t",
            entity="customer",
            link=EVIL,
            entry=str(number),
            at=AT,
            rule=rule,
            text=EVIL,
            cause="t/run/r1",
            system="chargebee",
            field=EVIL,
            value=value,
            losing=EVIL,
        )
        put(model, "journal", f"t/customer/{number}", entry)
    letter = DeadLetter(reason=EVIL, at=AT, topic=EVIL, key=EVIL, body_base64="eA==")
    put(model, "dead-letters", f"t/{EVIL}", letter)
    put(
        model,
        "dead-letters",
        "t/1",
        msgspec.structs.replace(
            letter, command=command, problem=Problem(code=EVIL, message=EVIL, field=EVIL)
        ),
    )
    put(
        model,
        "cursors",
        "t/h",
        Cursor(
            tenant="t",
            system="chargebee",
            entity="health",
            at=AT,
            value={"stopped": EVIL, "last_error": {EVIL: {"error": EVIL}}},
        ),
    )
    run = {
        "kind": "reconcile",
        "state": "done",
        "at": AT,
        "counts": {"asked": 1},
        "parts": {f"{EVIL}/customer": None},
    }
    controls: tuple[tuple[str, str, dict[str, Any]], ...] = (
        ("stopped", "chargebee", {"words": EVIL}),
        ("pause", f"{EVIL}/{EVIL}", {"on": True}),
        ("run", "r1", run),
        ("run", EVIL, {"kind": EVIL, "state": EVIL, "at": EVIL}),
        ("reload", "~", {"signal": EVIL, "state": "done", "links": 1, "differing": [EVIL]}),
    )
    for kind, id, content in controls:
        put(
            model,
            "control",
            f"t/{kind}/{id}",
            Control(tenant="t", kind=kind, id=id, at=AT, value=content),
        )
    for system in ("chargebee", "poweroffice"):
        for entity, data in (("customer", {**person, "kind": EVIL}), ("order", order)):
            id = EVIL if entity == "order" else f"{EVIL}read"
            record = Observed(
                tenant="t",
                system=system,
                entity=entity,  # type: ignore[arg-type]
                id=id,
                version="1",
                mapping=1,
                observed_at=AT,
                data=data,
            )
            put(model, "readings", f"t/{system}/{entity}/x", Reading(run="r1", record=record))


@pytest.fixture
def model(tmp_path: Path) -> Iterator[ReadModel]:
    with contextlib.closing(ReadModel(tmp_path / "model", "cluster/tandem.")) as held:
        world(held)
        yield held


@pytest.fixture
def here(model: ReadModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The CLI on this read model; without Kafka and without services."""

    @contextlib.asynccontextmanager
    async def mirror(_settings: Any) -> AsyncIterator[Any]:
        async def level() -> None: ...

        yield SimpleNamespace(model=model, to_the_end=level)

    async def nothing(*_args: Any, **_named: Any) -> list[Any]:
        return []

    async def signalled(*_args: Any, **_named: Any) -> dict[str, Any]:
        return SIGNAL

    async def lag(*_args: Any) -> int:
        return 0

    async def beats(*_args: Any) -> list[Heartbeat]:
        return [
            Heartbeat(
                service=EVIL,
                slot="0/1",
                version=EVIL,
                prefix=EVIL,
                since=AT,
                at=iso_now(),
                beat=1,
                problem=EVIL,
            )
        ]

    async def signals_left(*_args: Any) -> list[Signal]:
        return [Signal(tenant="t", id=EVIL, kind=EVIL, at=AT, by=EVIL)]

    async def diagnosed(*_args: Any) -> AsyncIterator[Checked]:
        for state in ("ok", "note", "finding"):
            yield Checked(check=EVIL, state=state, words=EVIL, fix=EVIL, tenant="t")

    async def watched(_about: Any, tell: Callable[[Line], None], **_named: Any) -> None:
        tell(Line(at=AT, entity=EVIL, link=EVIL, what=EVIL, result=EVIL))

    for module in (base, cli_read, rebuilding, runs):
        monkeypatch.setattr(module, "mirror", mirror)
    for name in ("check_topics", "ensure_topics"):
        monkeypatch.setattr(Kafka, name, nothing)
    monkeypatch.setattr(base, "send_signal", signalled)
    monkeypatch.setattr(reading, "_lag", lag)
    monkeypatch.setattr(reading, "read_heartbeats", beats)
    monkeypatch.setattr(reading, "read_signals_left", signals_left)
    monkeypatch.setattr(cli_runs, "ranges_of", nothing)
    monkeypatch.setattr("services.console.cli_change.send_again", nothing)
    monkeypatch.setattr(cli_runs, "until_planned", lambda about: None)
    monkeypatch.setattr(doctor_view, "diagnose", diagnosed)
    monkeypatch.setattr(doctor_view, "next_steps", lambda *_args: [sentence("bare", why=EVIL)])
    monkeypatch.setattr(watching, "watch", watched)
    monkeypatch.setattr(cli, "run_kafka", lambda data, port: 0)
    config = tmp_path / "tandem.toml"
    config.write_text(
        '[tenants.t]\nmode = "sync"\ninvoicing.by = "chargebee"\nstart.orders = 2026-01-01\n'
        'create.order.to_chargebee = "on"\nchargebee.prices = "net"\nchargebee.site = "x"\n'
        'poweroffice.environment = "demo"\n'
    )
    monkeypatch.setenv("TANDEM_CONFIG", str(config))
    for name in (
        "CHARGEBEE__API_KEY",
        "POWEROFFICE__APPLICATION_KEY",
        "POWEROFFICE__CLIENT_KEY",
        "POWEROFFICE__SUBSCRIPTION_KEY",
    ):
        monkeypatch.setenv(f"TANDEM_TENANTS__T__{name}", "key-of-the-test")
    return tmp_path


TYPED: dict[str, list[list[str]]] = {
    "kafka": [[]],
    "topics create": [[]],
    "topics check": [[]],
    "password": [[]],
    "doctor": [[], ["--json"]],
    "watch": [[], ["--json"], ["--readings"]],
    "status": [[], ["--json"]],
    "findings": [
        [],
        ["--settled"],
        ["--settled", "--json"],
        ["--settled", "--csv", "CSV", "--html", "HTML"],
    ],
    "plan": [[], ["--json"], ["--csv", "CSV", "--html", "HTML"]],
    "explain": [
        ["chargebee", "customer", EVIL],
        ["chargebee", "customer", EVIL, EVIL],
        ["chargebee", "customer", EVIL, "--json"],
        ["chargebee", "customer", EVIL + "?"],
    ],
    "lost": [[], ["--json"], ["--csv", "CSV"]],
    "letters": [[], ["--json"]],
    "mode": [["observe"]],
    "pause": [[]],
    "resume": [[]],
    "redrive": [[], ["--letter", EVIL + "?"], ["--entity", "customer", "--key", EVIL]],
    "settle": [
        ["customer", EVIL, EVIL],
        ["customer", EVIL, "--finding", "invoiced_twice", "--remark", EVIL],
        ["customer", EVIL + "?", "--finding", "invoiced_twice", "--remark", "x"],
        ["customer", EVIL, "--finding", "overdue_change", "--remark", "x"],
    ],
    "forget": [["customer", EVIL], ["customer", EVIL + "?"]],
    "replay": [
        ["--from", "2h"],
        ["--from", "2h", "--json"],
        ["--from", "2h", "--detach"],
        ["--from", "2h", "--id", EVIL + "?"],
    ],
    "reconcile": [
        [],
        ["--json"],
        ["--repair"],
        ["--csv", "CSV", "--html", "HTML"],
        ["--detach"],
        ["--totals", "2026-11"],
        ["--totals", "2026-11", "--json"],
        ["--totals", "2026-11", "--csv", "CSV", "--html", "HTML"],
    ],
    "rebuild": [[], ["--from-vendors"], ["--import", "nothing.csv", "--from-vendors"]],
    "held show": [[], ["--json"]],
    "held release": [["customer"], ["customer", "--yes"], ["order", "--yes"]],
    "held discard": [["customer", "--batch", EVIL], ["customer", "--batch", EVIL, "--yes"]],
    "links find": [["x"], ["x", "--json"]],
    "links show": [
        ["customer", EVIL],
        ["customer", EVIL, "--json"],
        ["order", EVIL],
        ["customer", EVIL + "?"],
    ],
    "links link": [
        ["customer", EVIL, EVIL],
        ["customer", EVIL, EVIL, "--yes"],
        ["order", EVIL, EVIL, "--yes"],
    ],
    "links unlink": [["customer", EVIL]],
    "links pick": [
        ["customer", EVIL, EVIL],
        ["customer", EVIL, EVIL, "--yes"],
        ["customer", EVIL, "--new", "--yes"],
        ["customer", EVIL + "?", EVIL, "--yes"],
    ],
    "links undo": [[EVIL]],
    "links export": [[]],
    "links import": [["PAIRS"], ["nothing.csv"]],
    "runs list": [[], ["--json"]],
    "runs show": [["r1"], ["r1", "--json"], [EVIL], [EVIL + "?"]],
    "runs pause": [[EVIL]],
    "runs resume": [[EVIL]],
    "runs cancel": [[EVIL]],
}
READING = {
    "doctor",
    "watch",
    "status",
    "findings",
    "plan",
    "explain",
    "lost",
    "letters",
    "held show",
    "links find",
    "links show",
    "reconcile",
    "replay",
    "runs list",
    "runs show",
}
CALLS = [(name, given) for name, calls in TYPED.items() for given in calls]


def test_every_command_is_tried() -> None:
    assert {name.partition(" ")[2] for name, _ in commands(get_command(app))} == set(TYPED)


def test_no_other_module_prints() -> None:
    """What does not go through the one place is not made harmless."""
    for file in sorted(Path(base.__file__).parent.glob("*.py")):
        if file.name not in ("terminal.py", "pages.py"):
            told = re.findall(
                r"typer\.echo\(\S|(?<![\w.])print\(|(?<![\w.])Console\(|stdout\.write",
                file.read_text(),
            )
            assert told == (["print("] if file.name == "__main__.py" else []), file.name


@pytest.mark.parametrize(
    ("name", "given"), CALLS, ids=[f"{name} {len(given)}" for name, given in CALLS]
)
def test_no_command_lets_a_control_byte_through(here: Path, name: str, given: list[str]) -> None:
    """Nor does one end in an error of its own; JSON holds the very values."""
    (here / "pairs.csv").write_text("entity,chargebee,poweroffice\ncustomer,=x,1\n")
    files = {
        "CSV": str(here / "out.csv"),
        "HTML": str(here / "out.html"),
        "PAIRS": str(here / "pairs.csv"),
    }
    answer = CliRunner().invoke(app, [*name.split(), *(files.get(each, each) for each in given)])
    assert answer.exception is None or isinstance(answer.exception, SystemExit), answer.exception
    assert not ACTED_ON.findall(answer.stdout), answer.stdout
    assert not ACTED_ON.findall(answer.stderr), answer.stderr
    if name in READING and "--json" not in given and "--detach" not in given:
        assert harmless(EVIL) in answer.stdout + answer.stderr
    if "--json" in given:
        decoded = [json.loads(answer.stdout)]
        assert EVIL in list(_texts(decoded))
    for file in (here / "out.csv", here / "out.html"):
        if file.exists():
            assert file.stat().st_mode & 0o777 == 0o600
            assert not re.findall(
                "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", file.read_text()
            )
            assert "<script>" not in file.read_text() or file.suffix == ".csv"
            if file.suffix == ".csv":
                with file.open(newline="") as stream:
                    cells = [cell for row in csv.reader(stream) for cell in row]
                assert not [cell for cell in cells if cell.strip().startswith(("=", "+", "-", "@"))]


TABLES = [
    ["status"],
    ["findings", "--settled"],
    ["runs", "list"],
    ["reconcile", "--totals", "2026-11"],
    ["plan"],
    ["held", "show"],
    ["links", "show", "customer", EVIL],
    ["links", "show", "order", EVIL],
]


@pytest.mark.parametrize("words", TABLES, ids=[" ".join(words[:2]) for words in TABLES])
def test_what_is_piped_has_a_line_for_each_record(
    here: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    """Whatever width the shell has exported: a script that reads it is not to put lines together
    again."""
    told = []
    for columns in ("20", "400"):
        monkeypatch.setenv("COLUMNS", columns)
        told.append(CliRunner().invoke(app, words).stdout)
    assert told[0] == told[1]
    assert harmless(EVIL) in told[0]
    assert "…\n" not in told[0]


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, held in value.items():
            yield from (key, *_texts(held))
    elif isinstance(value, list):
        for held in value:
            yield from _texts(held)
    elif isinstance(value, str):
        yield value


def test_a_terminal_gets_only_our_own_escapes(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With colours: what is left when those are taken away holds none."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    for words in (
        ["status"],
        ["doctor"],
        ["links", "show", "customer", EVIL],
        ["findings"],
        ["runs", "list"],
    ):
        told = CliRunner().invoke(app, words).stdout
        assert not ACTED_ON.findall(re.sub(r"\x1b\[[0-9;]*m", "", told)), words


def test_what_was_forgotten_is_made_harmless_on_its_way_out(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A cell, a heading and a text that went to the screen as they are; markup stays what it
    says."""
    shown, screen = table(EVIL), Screen()
    shown.add_row(EVIL)
    shown.add_row(Text(EVIL))
    screen.print(shown, soft_wrap=True)
    screen.print(EVIL, Text(EVIL))
    say(screen, EVIL)
    told = capsys.readouterr().out
    assert not ACTED_ON.findall(told)
    assert told.splitlines()[-1] == harmless(EVIL)
    assert "[/b][red]" in told


# -- the text itself


@given(st.text())
def test_harmless_text_holds_nothing_to_act_on_and_names_stay_as_they_are(text: str) -> None:
    shown = harmless(text)
    assert not UNSAFE.search(shown)
    shown.encode()
    assert harmless(text, keep="\n").count("\n") == text.count("\n")


@pytest.mark.parametrize(
    "name", ["Åse Ødegård", "Łukasz", "علی‌رضا", "שלום", "張偉", "Zoë 👩‍🚀", "C:\\x1b", "a [b] c"]
)
def test_ordinary_names_are_shown_as_they_are(name: str) -> None:
    assert harmless(name) == name


# -- CSV and HTML


@pytest.mark.parametrize("begin", [*"=+-@＝＋－＠\t\r\n", " =", "\t@", "\u00a0="])
def test_a_spreadsheet_calculates_nothing(tmp_path: Path, begin: str) -> None:
    write_csv(tmp_path / "x.csv", ("name",), [(f"{begin}1+1",)])
    with (tmp_path / "x.csv").open(newline="") as stream:
        assert list(csv.reader(stream))[1:] == [[f"'{begin}1+1".replace("\r", "\\r")]]


def test_html_shows_what_it_holds(tmp_path: Path) -> None:
    write_html(tmp_path / "x.html", EVIL, EVIL, [(EVIL, (EVIL,), [(EVIL,)])])
    page = (tmp_path / "x.html").read_text()
    assert "<script" not in page
    assert not re.search("[\x00-\x08\x1b\x7f-\x9f\u202e]", page)


@given(
    st.lists(
        st.text(min_size=1).filter(lambda id: id == id.strip() and "\x00" not in id),
        min_size=2,
        max_size=2,
    )
)
def test_exported_pairs_are_read_back_to_the_letter(ids: list[str]) -> None:
    """Whatever an id holds: the file shows it harmlessly and means it."""
    _read_back(ids)


@pytest.mark.parametrize(
    "id", ["=1", "'=1", "''", r"\u001b", r"\\u001b", "\x1b[2J", "\U000e0041", r"\u005cu001b"]
)
def test_exported_ids_that_are_written_out_are_read_back(id: str) -> None:
    _read_back([id, id])


def _read_back(ids: list[str]) -> None:
    pair = {"entity": "customer", "chargebee": ids[0], "poweroffice": ids[1]}
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "pairs.csv"
        with file.open("w", encoding="utf-8", newline="") as stream:
            links_csv.write_pairs(stream, [pair])
        told = file.read_text(encoding="utf-8")
        assert not ACTED_ON.search(told)
        assert links_csv.read_pairs(file) == [pair]


# -- files


def test_an_export_is_closed_to_others_also_where_it_was_open(tmp_path: Path) -> None:
    """Before anything is written into it, whatever the umask says."""
    file, before = tmp_path / "x.csv", os.umask(0)
    try:
        file.write_text("old and longer than what comes\n" * 9)
        file.chmod(0o666)
        write_csv(file, ("name",), [("Kari",)])
        write_html(tmp_path / "x.html", "title", "summary", [])
    finally:
        os.umask(before)
    assert file.read_text() == "name\nKari\n"
    assert [each.stat().st_mode & 0o777 for each in (file, tmp_path / "x.html")] == [0o600, 0o600]


def test_the_files_of_the_demo_are_closed_to_others(tmp_path: Path) -> None:
    """Its settings and keys, the logs of its processes, and what those write."""
    made, before = tmp_path / "made.zip", os.umask(0)
    try:
        Installation(tmp_path).write()
        child = Child("zipfile", ("-c", str(made), __file__), tmp_path / "child.log", {})
        child.wait(time.monotonic() + PATIENCE_S)
    finally:
        os.umask(before)
    files = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert files == dict.fromkeys(("tandem.toml", "demo.env", "child.log", "made.zip"), 0o600)


def test_a_command_that_is_interrupted_or_fails_says_so_harmlessly(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The words of an error are a stranger's too."""

    async def refused(*_args: Any, **_named: Any) -> dict[str, Any]:
        return {"result": "refused", "reason": EVIL}

    monkeypatch.setattr(base, "send_signal", refused)
    answer = CliRunner().invoke(app, ["links", "unlink", "customer", EVIL])
    assert (answer.exit_code, answer.stderr) == (2, f"refused: {harmless(EVIL)}\n")
