"""What is typed wrongly is told in one line, with the word that was meant, and exit code 2."""

import re
from importlib import metadata
from pathlib import Path

import pytest
from typer.testing import CliRunner

from runtime import version as module
from runtime.version import version
from services.console.cli import app

ENTITIES = "is none of customer, product, order; did you mean"
WRONG = {
    "statsu": "no command tandem statsu; did you mean status?",
    "linkss show": "no command tandem linkss; did you mean links?",
    "links shw": "no command tandem links shw; did you mean show?",
    "release order": "no command tandem release; did you mean tandem held release?",
    "xyzzy": "no command tandem xyzzy; see tandem --help",
    "held release customers": f"customers {ENTITIES} customer?",
    "links show custmer x": f"custmer {ENTITIES} customer?",
    "links show it's x": "it's is none of customer, product, order; see tandem links show --help",
    "reconcile --entity ordr": f"--entity ordr {ENTITIES} order?",
    "mode snyc": "snyc is none of observe, sync; did you mean sync?",
    "status --tennant x": "no option --tennant; did you mean --tenant?",
    "status --xyzzy": "no option --xyzzy; see tandem status --help",
    "--versio": "no option --versio; did you mean --version?",
    "held release": "a word is missing, one of customer, product, order; see tandem held "
    "release --help",
    "links unlink order": "Missing argument 'key'; see tandem links unlink --help",
    "status more": "Got unexpected extra argument(s) (more); see tandem status --help",
    "kafka --port 70000": "Invalid value for '--port': must be less than or equal to 65534; see "
    "tandem kafka --help",
}


@pytest.mark.parametrize("typed", WRONG)
def test_a_wrong_word_is_told_in_one_line(typed: str) -> None:
    answer = CliRunner().invoke(app, typed.split(), prog_name="tandem")
    assert (answer.exit_code, answer.stdout, answer.stderr) == (2, "", f"{WRONG[typed]}\n")


def test_a_word_does_nothing_to_the_terminal() -> None:
    answer = CliRunner().invoke(
        app, ["links", "show", "\x1b[2J\ncustomer", "x"], prog_name="tandem"
    )
    assert answer.exit_code == 2
    assert answer.stderr.startswith(r"\x1b[2J\ncustomer is none of customer, product, order; ")
    assert answer.stderr.count("\n") == 1


@pytest.mark.parametrize("typed", [[], ["links"]])
def test_a_group_alone_shows_its_help(typed: list[str]) -> None:
    answer = CliRunner().invoke(app, typed, prog_name="tandem")
    assert "Usage: tandem" in answer.output
    assert "Error" not in answer.output


def test_the_version_is_told() -> None:
    answer = CliRunner().invoke(app, ["--version"], prog_name="tandem")
    assert (answer.exit_code, answer.stdout) == (0, f"tandem {version()}\n")


def test_a_copied_tree_knows_its_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the container, where nothing of Tandem is installed."""

    def missing(_name: str) -> str:
        raise metadata.PackageNotFoundError

    monkeypatch.setattr(metadata, "version", missing)
    held = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    assert version() == re.search(r'^version = "(.*)"$', held, re.MULTILINE)[1]  # type: ignore[index]
    monkeypatch.setattr(module, "__file__", "/nowhere/runtime/version.py")
    assert version() == "unknown"
