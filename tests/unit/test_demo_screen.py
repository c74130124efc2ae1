"""What the demo draws: whole figures on a small screen, by one thread, and words where something
does not start."""

import asyncio
import io
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest
from rich.console import Console
from rich.live import Live

from contracts.entities import ENTITIES, SYSTEMS
from demo import screen as drawing
from demo import show as showing
from demo import stack as stacking
from demo.hints import Edited, hints
from demo.installation import INTERVALS, Installation
from demo.processes import Child, NotReady, ProcessDied
from demo.progress import Figures, Progress
from demo.screen import Picture, Screen, draw, plain
from demo.stack import Stack

PHASES = re.findall(
    r'screen\.phase = "([^"]+)"',
    "".join(path.read_text() for path in sorted(Path(drawing.__file__).parent.glob("*.py"))),
)


def figures(many: int, *, complete: bool = True) -> Figures:
    return Figures(
        records=dict.fromkeys(SYSTEMS, many),
        snapshots=dict.fromkeys(SYSTEMS, complete),
        created=dict.fromkeys(SYSTEMS, many),
        matched=many,
        linked=many,
        waiting=many,
        ambiguous=many,
        rejected=many,
        in_flight=many,
    )


def picture(phase: str, many: int = 999, *, complete: bool = True) -> Picture:
    return Picture(
        phase,
        1234.5,
        12345,
        tuple((entity, figures(many, complete=complete)) for entity in ENTITIES),
    )


def drawn(held: Picture, width: int) -> list[str]:
    console = Console(
        file=io.StringIO(), width=width, height=24, force_terminal=True, color_system=None
    )
    console.print(draw(held, width))
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return text.splitlines()


def test_there_are_phases() -> None:
    assert len(PHASES) == 5


@pytest.mark.parametrize("phase", ["Starting", *PHASES])
@pytest.mark.parametrize("complete", [False, True])
def test_a_screen_of_80_columns_holds_every_figure_whole(phase: str, complete: bool) -> None:
    """A phase in one line, three rows of figures; at 60 columns the table is turned, and whole as
    well."""
    lines = drawn(picture(phase, complete=complete), 80)
    assert lines[0].strip() == phase
    assert lines[1].strip() == "1234 s   own writes read back and absorbed: 12345"
    assert lines[2].split() == ["Chargebee", "Go", *drawing._COLUMNS[2:]]
    side = ["999"] if complete else ["999", "…"]
    assert [line.split() for line in lines[3:]] == [
        [entity, *side, *side, *["999"] * 8] for entity in ENTITIES
    ]
    assert max(map(len, lines)) <= 80
    narrow = drawn(picture(phase, complete=complete), 60)
    assert [line.split()[0] for line in narrow if "999" in line] == list(drawing._COLUMNS)
    assert max(map(len, narrow)) <= 60 and len(narrow) <= 20


def test_before_there_are_figures_the_phase_is_shown() -> None:
    assert [line.strip() for line in drawn(Picture("Starting", 0.4, None, ()), 80)] == [
        "Starting",
        "0 s",
    ]


def test_a_plain_line_and_the_first_lines_fit_too() -> None:
    """Where the output is no terminal."""
    assert (
        plain(picture("x", 41))
        == "linked 41/41/41  open 123  waiting 123  ambiguous 123  echoes 12345"
    )
    line = plain(picture("x", 41, complete=False))
    assert line == "read 0/6  linked 41/41/41  open 123  waiting 123  ambiguous 123  echoes 12345"
    assert max(len(line), *map(len, INTERVALS)) < 80


def test_a_line_that_is_too_long_is_broken_between_words_and_a_command_is_not() -> None:
    """With the indent of its first line; a file gets it whole."""
    line = "   order 4 is waiting: customer 1007 is ambiguous"
    for terminal, said in (
        (True, "   order 4 is waiting:\n     customer 1007 is\n     ambiguous\n"),
        (False, line + "\n"),
    ):
        out = io.StringIO()
        screen = Screen(Console(file=out, width=24, force_terminal=terminal, color_system=None))
        screen.say(line)
        assert out.getvalue() == said
        screen.show(line)
        assert out.getvalue() == said + line + "\n"


def test_only_the_thread_of_the_loop_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the figures change: Rich's own thread would meet a dictionary that grows."""
    drawers = set[int]()
    real = Live.refresh

    def refresh(self: Live) -> None:
        drawers.add(threading.get_ident())
        real(self)

    monkeypatch.setattr(Live, "refresh", refresh)
    monkeypatch.setattr(drawing, "DRAW_EVERY_S", 0)
    out = io.StringIO()

    async def turn(http: Any, url: str, before: int | None) -> int:
        return (before or 0) + 1

    async def show() -> None:
        monkeypatch.setattr(drawing, "_echoes", turn)
        with Screen(Console(file=out, width=80, height=24, force_terminal=True)) as screen:
            assert threading.active_count() == threads
            screen.progress = Progress()
            task = asyncio.create_task(screen.run("http://127.0.0.1:1/metrics"))
            for number in range(50):
                screen.phase = f"Phase {number}"
                screen.say(f"line {number} \x1b[2J")
                await asyncio.sleep(0)
            for _ in range(50):
                await asyncio.sleep(0)
            task.cancel()
            assert screen.echoes
            assert "Phase 49" in out.getvalue()

    threads = threading.active_count()
    asyncio.run(show())
    assert drawers == {threading.get_ident()}
    assert "line 49 \\x1b[2J" in out.getvalue()


def test_the_echoes_are_the_linkers_count_and_the_last_one_when_it_is_gone() -> None:
    """Of both systems together; nothing counted yet is none."""
    answers = iter(
        [
            'tandem_linker_echoes_total{system="chargebee"} 30.0\n'
            'tandem_linker_echoes_total{system="poweroffice"} 4.0\n'
            'tandem_linker_echoes_created{system="chargebee"} 1.7e9\n',
            "# nothing\n",
        ]
    )

    def answer(request: httpx.Request) -> httpx.Response:
        if (text := next(answers, None)) is None:
            raise httpx.ConnectError("gone")
        return httpx.Response(200, text=text)

    async def ask() -> list[int | None]:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
            return [await drawing._echoes(http, "http://linker/metrics", 7) for _ in range(3)]

    assert asyncio.run(ask()) == [34, 0, 7]


def test_its_first_line_needs_no_import_that_takes_time() -> None:
    """What takes time is imported after it."""
    code = (
        "import sys, demo.__main__ as main\n"
        "heavy = {name.partition('.')[0] for name in sys.modules} & {'rich', 'httpx', 'aiokafka', "
        "'pydantic'}\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


class Silent(Child):
    """A process that has started and says nothing on its port; `code` where it has ended."""

    def __init__(self, name: str, log_path: Path, code: int | None = None) -> None:
        self.name, self.log_path, self._code = name, log_path, code

    def check(self) -> None:
        if self._code is not None:
            raise ProcessDied(f"{self.name} ended with code {self._code}. {self.last_words()}")


def waited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int | None
) -> tuple[list[str], str]:
    """The lines said while the linker is waited for, and the words in which it is given up."""
    monkeypatch.setattr(stacking, "TELL_EVERY_S", 0)
    monkeypatch.setattr(stacking, "READY_S", 0.01)
    log, said = tmp_path / "linker.log", list[str]()
    log.write_text("".join(f"line {number}\n" for number in range(50)) + "x" * 1000)
    error = ProcessDied if code is not None else NotReady

    async def wait() -> None:
        stack = Stack(Installation(tmp_path), said.append)
        stack._simulators["linker"] = Silent("linker", log, code)
        await stack._ready(stack._simulators, "/health/ready")

    with pytest.raises(error) as caught:
        asyncio.run(wait())
    return said, str(caught.value)


def test_what_is_slow_to_start_is_named_and_given_up_with_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its last lines, none longer than a screen can show."""
    said, words = waited(tmp_path, monkeypatch, None)
    assert re.fullmatch(r"   after \d+ s linker does not answer yet", said[0])
    assert words.startswith(
        f"linker does not answer yet after 0 s. Its last lines ({tmp_path}/linker.log):\nline 39\n"
    )
    assert words.endswith("\n" + "x" * 400)


def test_what_ends_while_it_starts_is_told_with_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert waited(tmp_path, monkeypatch, 2)[1].startswith(
        "linker ended with code 2. Its last lines ("
    )


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            ProcessDied("services.linker ended with code 2."),
            "The demo failed: services.linker ended with code 2.\n",
        ),
        (KeyError("odd"), "The demo failed: KeyError: 'odd'\n"),
    ],
)
def test_whatever_goes_wrong_is_told_in_words(
    error: Exception,
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Exit code 1; where it came from stands in a log that is kept."""

    async def fail(*_args: Any, **_named: Any) -> None:
        raise error

    monkeypatch.setattr(showing, "_demo", fail)
    assert showing.run(tmp_path / "data", "orders", once=True) == 1
    assert capsys.readouterr() == ("", f"{told}Data and logs are kept in {tmp_path}/data\n")
    assert "Traceback" in (tmp_path / "data" / "demo.log").read_text()


def test_the_hints_fit_and_name_what_is_there(tmp_path: Path) -> None:
    installation = Installation(Path("/tmp/tandem-demo-abcdefgh"))
    text = hints(installation, Progress(), Edited("chargebee", "customer", "anna-1", "phone"))
    assert "  tandem explain chargebee customer anna-1 phone\n" in text
    assert f"  {installation.url('chargebee')}/customers/demo-ny-kunde\n" in text
    assert max(len(line) for line in text.splitlines() if "PATH" not in line) <= 80
    assert len(text.splitlines()) <= 22
