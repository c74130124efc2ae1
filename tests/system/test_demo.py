"""The demo as a person meets it: what it prints can be pasted, a record edited on a page crosses,
Ctrl-C ends it."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest

from tests.system.rig import interruptible
from tests.waiting import PATIENCE_S, wait_for

ROOT = Path(__file__).parents[2]
STAYS_UP = "It stays up until Ctrl-C"
DOCUMENTS = ("README.md", "docs/runbook.md")
RUN_S = 4 * PATIENCE_S


class Form(HTMLParser):
    """The fields of a page's first form, as a browser would send them unchanged."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}
        self._select, self._area, self._ended = "", "", False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        name = given.get("name", "")
        if self._ended:
            return
        if tag == "input" and name and (given.get("type") != "checkbox" or "checked" in given):
            self.fields[name] = given.get("value", "")
        elif tag == "select":
            self._select = name
        elif tag == "option" and ("selected" in given or self._select not in self.fields):
            self.fields[self._select] = given.get("value", "")
        elif tag == "textarea":
            self._area, self.fields[name] = name, ""

    def handle_data(self, data: str) -> None:
        if self._area:
            self.fields[self._area] += data

    def handle_endtag(self, tag: str) -> None:
        self._area = "" if tag == "textarea" else self._area
        self._ended = self._ended or (tag == "form" and bool(self.fields))


class Demo:
    """A demo that stays up; `said` is all that it has printed."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.output = directory / "output.txt"
        # The installed command of this Python, on the code of these tests.
        self.environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        with self.output.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "demo", "--data", str(directory / "data")],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                preexec_fn=interruptible,
            )

    @property
    def said(self) -> str:
        return self.output.read_text(errors="replace")

    def block(self, title: str) -> list[str]:
        """The commands under a title, as they would be pasted."""
        found = re.search(
            rf"^{re.escape(title)}[^\n]*:\n((?:  [^\n]*\n)+)", self.said, re.MULTILINE
        )
        assert found is not None, self.said
        return [line.removeprefix("  ") for line in found[1].splitlines()]

    def bash(self, *commands: str) -> subprocess.CompletedProcess[str]:
        """These lines in a shell of their own, which is in another directory."""
        lines = "\n".join(commands)
        return subprocess.run(
            ["bash"],
            input=lines,
            capture_output=True,
            text=True,
            cwd=self.directory,
            env=self.environment,
            timeout=RUN_S,
            check=False,
        )


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    held = Demo(tmp_path_factory.mktemp("demo"))

    def is_up() -> bool:
        assert held.process.poll() is None, held.said
        return "Logs of every process" in held.said

    try:
        wait_for("the demo stays up", is_up, patience_s=RUN_S)
        yield held
    finally:
        if held.process.poll() is None:
            held.process.kill()
            held.process.wait()


def edit(page: str, field: str, value: str) -> None:
    """Open a page's form, type into one field and send it, as a browser does."""
    with httpx.Client(trust_env=False, timeout=PATIENCE_S) as http:
        fields = Form(http.get(page).raise_for_status().text).fields
        assert field in fields, fields
        answer = http.post(
            page, data={**fields, field: value}, headers={"Origin": page.rsplit("/", 2)[0]}
        )
        assert answer.status_code == 303, answer.text


def shown(page: str) -> str:
    return httpx.get(page, trust_env=False, timeout=PATIENCE_S).text


def typed() -> Iterator[tuple[str, list[str]]]:
    """Each command of kcat that a document shows behind a prompt, with the lines below it."""
    for name in DOCUMENTS:
        for block in (ROOT / name).read_text(encoding="utf-8").split("```")[1::2]:
            for told in block.split("\n$ ")[1:]:
                command, *lines = told.rstrip("\n").split("\n")
                if command.startswith("kcat "):
                    yield command, lines


def fields(line: str) -> str:
    """The names in a line of JSON, in their order."""
    return "".join(f"{name}," for name in re.findall(r'"([a-z_]+)":', line))


def is_like(told: str, printed: str) -> bool:
    """Whether a printed line has the fields of a documented one, where `…` stands for any others;
    or, where there is no JSON, its words with other figures, ids and addresses."""
    if "{" in told:
        pattern = r"(\w+,)*".join(re.escape(fields(part)) for part in told.split("…"))
        return re.fullmatch(pattern, fields(printed)) is not None
    return _words(told) == _words(printed)


def _words(line: str) -> list[str]:
    """With `…` for each that has a figure or a slash, and for the value of each header."""
    known = (re.sub("=.*", "=", word) for word in re.split("[ ,]+", line.strip()))
    return [re.sub(r".*[\d/].*", "…", word) for word in known]


def test_it_converges_and_its_lines_fit(demo: Demo) -> None:
    """The last line before the hints; the first one is there whatever follows."""
    lines = demo.said.splitlines()
    assert lines[0] == "Tandem's demo: a real Kafka, two simulated vendors and Tandem's services"
    (line,) = [each for each in lines if each.startswith("converged ")]
    found = re.match(r"converged linked=\d+/\d+/\d+ writes=(\d+) needed=(\d+) duplicates=0 ", line)
    assert found is not None and found[1] == found[2]
    counted = [each for each in lines if re.match(r" *\d+\.\d s  ", each)]
    assert counted and max(map(len, counted)) <= 90
    echoes = int(counted[-1].rsplit(" ", 1)[1])
    assert int(found[1]) // 2 < echoes <= int(found[1])


def test_what_it_prints_can_be_pasted_and_edits_are_watched(demo: Demo) -> None:
    """A watch that begins in the middle sees them cross, from both pages; each command of the block
    says what it should."""
    *commands, watch = demo.block("It stays up until Ctrl-C")
    settings, asked = commands[:2], commands[2:]
    assert watch == "tandem watch"
    seen = demo.directory / "watch.txt"
    with seen.open("wb") as out:
        lines = "\n".join([*settings, f"exec {watch} --readings"])
        shell = subprocess.Popen(
            ["bash", "-c", lines],
            cwd=demo.directory,
            env=demo.environment,
            stdout=out,
            stderr=subprocess.STDOUT,
            preexec_fn=interruptible,
        )
    try:
        wait_for("the watch has begun", lambda: "watching demo" in seen.read_text())
        done = demo.bash(*settings, *asked)
        told = done.stdout
        assert "Tenant demo" in told and "Findings" in told and "nothing is planned" in told, done
        assert "+47 40040040" in told  # explain, of what was edited
        assert "Traceback" not in done.stderr and "not found" not in done.stderr, done.stderr
        crossed = r"customer demo-ny-kunde: update in poweroffice \(phone\): applied"
        wait_for("the phone crosses", lambda: re.search(crossed, seen.read_text()))
        _, chargebee, go = demo.block("Pages of the console")
        came_back = (
            f"customer {go.rpartition('/')[2]}: read in poweroffice: our own write came back"
        )
        wait_for("it is read back", lambda: came_back in seen.read_text())
        assert "customer demo-ny-kunde: read in chargebee: changed there" in seen.read_text()
        assert "+47 90909090" in shown(go)
        edit(chargebee, "email", "tone@eksempel.no")
        wait_for(
            "the e-mail crosses",
            lambda: "update in poweroffice (email): applied" in seen.read_text(),
        )
        edit(go, "PhoneNumber", "+47 80080080")
        wait_for(
            "the phone comes back",
            lambda: "update in chargebee (phone): applied" in seen.read_text(),
        )
        assert "+47 80080080" in shown(chargebee)
    finally:
        shell.send_signal(signal.SIGINT)
        assert shell.wait(PATIENCE_S) == 0, seen.read_text()


@pytest.mark.skipif(shutil.which("kcat") is None, reason="kcat is not installed here")
def test_kcat_shows_what_the_documents_say(demo: Demo) -> None:
    """Every line of it in the README and the runbook is typed, after the edits that the runbook
    speaks of, and prints lines like those below it."""
    (server,) = {each for each in demo.said.split() if re.fullmatch(r"127.0.0.1:\d+", each)}
    *_, curl, _ = demo.block("It stays up until Ctrl-C")
    demo.bash(curl)
    _, chargebee, go = demo.block("Pages of the console")
    wait_for("the phone crosses", lambda: "+47 90909090" in shown(go))
    edit(go, "EmailAddress", "tone.berg@eksempel.no")
    wait_for("the e-mail crosses", lambda: "tone.berg@eksempel.no" in shown(chargebee))
    outcomes = f"kcat -b {server} -C -e -q -t tandem.outcomes"
    wait_for("its outcome", lambda: "tone.berg@eksempel.no" in demo.bash(outcomes).stdout)
    documented = list(typed())
    assert len(documented) > 15
    for command, lines in documented:
        done = demo.bash(f"B={server}", command.replace("127.0.0.1:9092", server))
        assert done.stderr == "", command
        for line in lines:
            assert any(is_like(line, each) for each in done.stdout.splitlines()), (
                command,
                line,
                done.stdout,
            )


def test_ctrl_c_ends_all_of_it(demo: Demo) -> None:
    """In words, and nothing of it is left."""
    demo.process.send_signal(signal.SIGINT)
    assert demo.process.wait(PATIENCE_S) == 0
    assert "Interrupted; everything was stopped" in demo.said
    assert "Traceback" not in demo.said
    _, chargebee, _ = demo.block("Pages of the console")
    with pytest.raises(httpx.ConnectError):
        httpx.get(chargebee, trust_env=False, timeout=PATIENCE_S)
