"""What follows is shown first, and somebody is asked; scripts say --yes; what changed meanwhile is
not done."""

import contextlib
import os
import pty
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from contracts.messages import Command, Link
from contracts.signals import Instruction, args_of
from runtime.kafka import Kafka
from services.console import asking, base, terminal
from services.console.cli import app
from services.console.model import ReadModel
from tests.unit.bench import Bench
from tests.unit.test_console_words import FJORD, OLA
from tests.unit.test_read_model import KARI, link, put_link, side
from tests.waiting import PATIENCE_S

UNASKED = (
    "nothing was done: this is no terminal, so nobody can be asked; add --yes to go on "
    "without a question\n"
)


class Desk:
    """The command line on a read model; `sent` are the signals, `answer` what a person says,
    `meanwhile` is called while they think."""

    def __init__(self, model: ReadModel) -> None:
        self.model = model
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self.answer: Any = "yes"
        self.meanwhile: Any = lambda: None

    def type(self, *words: str, code: int = 0) -> str:
        done = CliRunner().invoke(app, [*words])
        assert done.exit_code == code, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    held = Desk(ReadModel(tmp_path / "model", "cluster/tandem."))

    @contextlib.asynccontextmanager
    async def mirror(_settings: Any) -> AsyncIterator[Any]:
        async def level() -> None: ...

        yield SimpleNamespace(model=held.model, to_the_end=level)

    async def nothing(*_args: Any) -> list[str]:
        return []

    async def send(
        _settings: Any, _tenant: str, said: Instruction, **_named: Any
    ) -> dict[str, Any]:
        held.sent.append((said.KIND, args_of(said)))
        return {"signal": "s1", "did": {}, "result": "done"}

    def answered(question: str) -> Any:
        assert question == "Go on?"
        held.meanwhile()
        return held.answer

    monkeypatch.setattr(base, "mirror", mirror)
    monkeypatch.setattr(base, "send_signal", send)
    monkeypatch.setattr(Kafka, "check_topics", nothing)
    monkeypatch.setattr(asking, "ask", answered)
    config = tmp_path / "tandem.toml"
    config.write_text('[tenants.t]\nchargebee.site = "x"\npoweroffice.environment = "demo"\n')
    monkeypatch.setenv("TANDEM_CONFIG", str(config))
    for name in (
        "CHARGEBEE__API_KEY",
        "POWEROFFICE__APPLICATION_KEY",
        "POWEROFFICE__CLIENT_KEY",
        "POWEROFFICE__SUBSCRIPTION_KEY",
    ):
        monkeypatch.setenv(f"TANDEM_TENANTS__T__{name}", "key-of-the-test")
    return held


def order(key: str, *waits: str, total: str = "100.50") -> Link:
    seen = {"number": f"N{key}", "customer_id": "kari", "currency": "NOK", "total": total}
    return link(key, "order", state="waiting", chargebee=side(key, seen), waiting_on=list(waits))


def held(key: str, batch: str = "creates-1") -> Link:
    command = Command(
        tenant="t",
        entity="customer",
        link=key,
        seq=1,
        target="poweroffice",
        op="create",
        lane="live",
        cause="",
        fields={"kind": "person", "first_name": "Kari", "last_name": "N"},
    )
    return link(key, state="held", batch=batch, plan=command, chargebee=side(key))


def ambiguous(desk: Desk, theirs: dict[str, Any] = OLA) -> None:
    """Kari in Chargebee, with a candidate in Go, and orders that wait for her."""
    put_link(
        desk.model,
        link(
            "kari",
            state="ambiguous",
            chargebee=side("kari"),
            candidates=["go-5"],
            candidates_count=1,
        ),
    )
    put_link(desk.model, link("go-5", state="ambiguous", poweroffice=side("5", theirs)))
    put_link(desk.model, order("41", "customer|chargebee|kari"))
    put_link(desk.model, order("42", "customer|chargebee|kari", total="9.50"))
    put_link(desk.model, order("43", "customer|chargebee|kari", "product|chargebee|hjul"))
    put_link(desk.model, order("44", "customer|chargebee|nobody"))


DECISIONS = [
    ("held", "release", "customer"),
    ("held", "discard", "customer"),
    ("links", "link", "customer", "kari", "5"),
    ("links", "pick", "customer", "kari", "go-5"),
    ("links", "pick", "customer", "kari", "--new"),
]


@pytest.mark.parametrize("words", DECISIONS, ids=" ".join)
def test_where_nobody_can_be_asked_nothing_is_done_without_yes(
    desk: Desk, words: tuple[str, ...]
) -> None:
    """It is shown what would follow, so that a person can read it from the log of a script."""
    ambiguous(desk)
    desk.answer = None
    assert desk.type(*words, code=2).endswith(UNASKED)
    assert desk.sent == []
    assert "done" in desk.type(*words, "--yes")
    ((kind, given),) = desk.sent
    assert kind == words[1]
    assert "shown" not in given


@pytest.mark.parametrize("words", DECISIONS, ids=" ".join)
def test_who_says_no_or_leaves_has_done_nothing(desk: Desk, words: tuple[str, ...]) -> None:
    ambiguous(desk)
    for answer, code in (("no", 2), ("interrupted", 130)):
        desk.answer = answer
        assert desk.type(*words, code=code).endswith("nothing was done\n")
    assert desk.sent == []


def test_both_records_are_shown_side_by_side_with_the_orders_that_follow(desk: Desk) -> None:
    """What differs is marked; sums are those of orders that wait for nothing else."""
    ambiguous(desk)
    told = desk.type("links", "pick", "customer", "kari", "go-5").splitlines()
    assert told[0].split() == ["field", "Chargebee", "kari", "Go", "5"]
    marked = {line.split()[1]: line.split()[2:] for line in told if line.startswith("*")}
    assert marked["first_name"] == ["Kari", "Ola"] and "kind" not in marked
    assert (
        "they are linked; blanks are filled, and what differs (first_name, last_name, email, "
        "phone) is listed, "
        "not overwritten"
    ) in told
    at = told.index("2 orders that waited for it will be planned then, NOK 110.00")
    assert told[at + 1 : at + 4] == [
        "  order N41 of Kari Nordmann, NOK 100.50 (41)",
        "  order N42 of Kari Nordmann, NOK 9.50 (42)",
        "1 order that waited for it will wait for more",
    ]
    assert told[-1] == "done (signal s1)"
    assert desk.sent == [("pick", {"entity": "customer", "key": "kari", "candidate": "go-5"})]


def test_another_organisation_number_and_another_kind_are_said_in_words(desk: Desk) -> None:
    put_link(
        desk.model, link("a", chargebee=side("a", {**FJORD, "organisation_number": "914778271"}))
    )
    put_link(desk.model, link("go-6", poweroffice=side("6", FJORD)))
    put_link(desk.model, link("go-7", poweroffice=side("7", KARI)))
    told = desk.type("links", "link", "customer", "a", "6")
    assert (
        "! the organisation numbers are not the same: 914778271 in Chargebee and 923609016 in Go; "
        "are they one company?\n"
    ) in told
    assert "! one is a company and the other a person: they will be in conflict" in desk.type(
        "links", "link", "customer", "a", "7"
    )
    put_link(desk.model, link("b", chargebee=side("b", FJORD)))
    told = desk.type("links", "link", "customer", "b", "6")
    assert "they hold the same; they are linked, and kept in step from then on" in told
    assert "!" not in told


def test_a_record_that_is_not_known_is_joined_later(desk: Desk) -> None:
    put_link(desk.model, link("a", chargebee=side("a", FJORD)))
    told = desk.type("links", "link", "customer", "a", "9")
    assert "Go 9 is not known yet: they are joined when both records are" in told
    assert desk.sent == [("link", {"entity": "customer", "chargebee": "a", "poweroffice": "9"})]


def test_none_of_them_says_what_is_created_and_what_is_not(desk: Desk) -> None:
    ambiguous(desk)
    told = desk.type("links", "pick", "customer", "kari", "--new")
    assert (
        "customer Kari Nordmann (kari) is none of customer Ola Hansen (go-5): a new customer is "
        "created in Go" in told
    )
    assert "2 orders that waited for it will be planned then, NOK 110.00" in told
    put_link(
        desk.model,
        link(
            "fjord",
            chargebee=side("fjord", FJORD),
            poweroffice=side("6", FJORD),
            duplicates=["kari"],
        ),
    )
    told = desk.type("links", "pick", "customer", "fjord", "--new")
    assert (
        "Fjord AS (fjord) is no longer listed beside customer Kari Nordmann (kari); nothing "
        "is written" in told
    )


@pytest.mark.parametrize("words", DECISIONS[2:], ids=" ".join)
def test_what_changed_while_somebody_thought_is_not_done(
    desk: Desk, words: tuple[str, ...]
) -> None:
    """Another version of either record, or another order that would follow."""
    ambiguous(desk)
    for number, moved in enumerate(
        (
            link(
                "kari",
                state="ambiguous",
                chargebee=side("kari", {**KARI, "phone": "+47 9"}),
                candidates=["go-5"],
            ),
            order("45", "customer|chargebee|kari"),
        )
    ):
        desk.meanwhile = lambda changed=moved: put_link(desk.model, changed)
        told = desk.type(*words, code=2)
        assert told.endswith(
            "nothing was done: something of it has changed since it was shown; look again\n"
        ), number
    assert desk.sent == []


def test_a_release_shows_the_batch_and_carries_how_many_were_shown(desk: Desk) -> None:
    """Only what a release without a name lets go; and the orders that wait for what is created."""
    for number in range(22):
        put_link(desk.model, held(f"k{number:02}"))
    put_link(desk.model, held("one", "first"))
    put_link(desk.model, held("shown", "observe"))
    put_link(desk.model, order("41", "customer|chargebee|k00"))
    told = desk.type("held", "release", "customer").splitlines()
    assert told[0] == (
        "creates-1  customer Kari Nordmann (k00): create in poweroffice: kind=person, "
        "first_name=Kari, last_name=N"
    )
    assert told[20:] == [
        "... and 3 more: tandem held show lists all",
        "release creates-1: create 22 customers in poweroffice",
        "release first: create 1 customer in poweroffice",
        "1 order that waited for it will be planned then, NOK 100.50",
        "  order N41, NOK 100.50 (41)",
        "done (signal s1)",
    ]
    desk.type("held", "discard", "customer", "--batch", "first")
    assert "nothing of it is held now" in desk.type("held", "release", "product", "--yes")
    assert desk.sent == [
        ("release", {"entity": "customer", "shown": {"creates-1": 22, "first": 1}}),
        ("discard", {"entity": "customer", "batch": "first", "shown": {"first": 1}}),
        ("release", {"entity": "product"}),
    ]


@pytest.mark.parametrize("kind", ["release", "discard"])
def test_the_linker_does_not_do_more_than_was_shown(kind: str) -> None:
    """A record joined the batch between showing and doing; fewer of them are no reason."""
    bench = Bench(breakers={"creates": (0, 0)})
    bench.open("customer")
    for number in range(3):
        bench.see("chargebee", f"k{number}", 1, {**KARI, "email": f"k{number}@eksempel.no"})
    assert bench.tell(kind, entity="customer", shown={"creates-1": 2}) == []
    assert bench.told["reason"] == "creates-1 holds 3 by now, and 2 were shown; look again"
    assert bench.tell(kind, entity="customer", shown={}) == []
    assert {bench.link(f"k{number}").state for number in range(3)} == {"held"}
    bench.tell(kind, entity="customer", shown={"creates-1": 4})
    assert "held" not in {bench.link(f"k{number}").state for number in range(3)}


# -- a real terminal


@pytest.mark.parametrize(
    ("typed", "answer"), [("y\n", "yes"), ("n\n", "no"), ("\n", "no"), ("\x04", "interrupted")]
)
def test_a_terminal_is_asked_and_no_is_the_default(typed: str, answer: str) -> None:
    program = "from services.console.terminal import ask; print('said', ask('Go on?'))"
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=_controlling(theirs),
    ) as process:
        os.close(theirs)
        told = _until(ours, "[y/N]: ")
        os.write(ours, typed.encode())
        told = _until(ours, "said ")
        process.wait(timeout=PATIENCE_S)
        with contextlib.suppress(OSError):
            told += os.read(ours, 1000).decode()
    os.close(ours)
    assert f"said {answer}" in told


def _controlling(terminal: int) -> Any:
    def take() -> None:
        import fcntl
        import termios

        fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)

    return take


def _until(stream: int, words: str) -> str:
    told = ""
    while words not in told:
        told += os.read(stream, 1000).decode()
    return told


def test_ctrl_c_at_the_question_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the end of the input."""

    def pressed(*_args: Any, **_named: Any) -> bool:
        raise KeyboardInterrupt

    there = SimpleNamespace(isatty=lambda: True)
    monkeypatch.setattr(terminal, "sys", SimpleNamespace(stdin=there, stdout=there))
    monkeypatch.setattr(f"{typer.confirm.__module__}.visible_prompt_func", pressed)
    assert terminal.ask("Go on?") == "interrupted"


def test_a_pipe_is_not_asked() -> None:
    program = "from services.console.terminal import ask; print(ask('Go on?'))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        input="y\n",
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE_S,
    )
    assert done.stdout == "None\n"


def test_ctrl_c_is_heard_though_a_library_swallows_a_cancellation() -> None:
    """As one may whose answer comes at the same moment."""
    program = """
import asyncio, sys
from contracts.settings import Settings
from services.console.base import run

async def work():
    print("working", flush=True)
    try:
        await asyncio.sleep(1e9)
    except asyncio.CancelledError:
        print("swallowed", flush=True)
    await asyncio.sleep(1e9)

run(Settings(), work())
"""
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "working\n"
        process.send_signal(signal.SIGINT)
        told, _ = process.communicate(timeout=PATIENCE_S)
    assert told == "swallowed\n"
    assert process.returncode != 0
