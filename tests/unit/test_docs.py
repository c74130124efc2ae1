"""Pages that would silently fall behind the code."""

import ast
import fnmatch
import os
import re
from functools import cache
from pathlib import Path
from typing import get_args

import pytest
from typer.main import get_command

from contracts.settings import DECISIONS, every_key
from contracts.topics import DAY_MS, TOPICS
from services.console.cli import app
from services.console.findings import KINDS
from services.console.pages import commands
from simulators.faults import FaultKind

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("kind", get_args(FaultKind))
def test_every_fault_stands_in_the_page_of_the_simulators(kind: str) -> None:
    """A switch nobody knows of is never used."""
    assert f"`{kind}`" in (DOCS / "simulators.md").read_text(encoding="utf-8")


def test_every_command_and_option_is_explained() -> None:
    """A person reads the help before the code."""
    for name, command in commands(get_command(app)):
        assert (command.help or "").endswith("."), name
        for option in command.params:
            assert option.name == "help" or (getattr(option, "help", "") or "").endswith("."), (
                f"{name} {option.name}"
            )


def test_every_command_is_tried_as_a_person_would() -> None:
    """In a process of its own, on a real Kafka: its words stand one after the other in a call or a
    list there."""
    typed = [
        words
        for file in (DOCS.parent / "tests" / "system").glob("test_*.py")
        for words in _typed(ast.parse(file.read_text(encoding="utf-8")))
    ]
    for name, _ in commands(get_command(app)):
        words = name.split()[1:]
        assert any(each[: len(words)] == words for each in typed), (
            f"no test in tests/system types {name}"
        )


def test_every_topic_stands_in_the_page_of_security_with_how_long_it_is_kept() -> None:
    """Whoever answers for personal data reads the page, not the table of the code."""
    days = {
        "compacted, 32 days": (32, None),
        "compacted": (None, None),
        "30 days": (None, 30),
        "7 days": (32, 7),
        "365 days; an erased one 32 days": (32, 365),
    }
    lines = (DOCS / "security.md").read_text(encoding="utf-8").splitlines()
    rows = [line.strip("| ").split(" | ") for line in lines if line.startswith("| `")]
    told = {cells[0].strip("`"): cells[-1] for cells in rows if cells[-1] in days}
    assert set(told) == {topic.name for topic in TOPICS}
    for topic in TOPICS:
        lag, kept = (topic.config.get(name) for name in ("max.compaction.lag.ms", "retention.ms"))
        held = tuple(int(ms) // DAY_MS if ms is not None else None for ms in (lag, kept))
        assert held == days[told[topic.name]], topic.name


@pytest.mark.parametrize(
    "path", sorted((DOCS / "decisions").glob("*.md")), ids=lambda path: path.stem[:4]
)
def test_every_decision_has_its_date_and_status(path: Path) -> None:
    """Below the title, in one form: whoever reads it has to know whether it still holds."""
    _, blank, status, *_ = path.read_text(encoding="utf-8").splitlines()
    assert blank == ""
    assert re.fullmatch(
        r"Date: \d{4}-\d\d-\d\d\. Status: (accepted|superseded by decision \d+)\.", status
    )


def test_what_a_site_does_before_it_goes_live_exists() -> None:
    """Commands, options and settings that the list names are those of the code, and every decision
    and every finding stands in it."""
    text = (DOCS / "before-you-go-live.md").read_text(encoding="utf-8")
    known = dict(commands(get_command(app)))
    named = re.findall(r"`([^`]+)`", text)
    for words in (each.split() for each in named if each.startswith("tandem ")):
        name = next(
            (held for n in (3, 2) if (held := " ".join(words[:n])) in known),
            None,
        )
        assert name is not None, words
        options = {option for each in known[name].params for option in each.opts}
        assert {each for each in words if each.startswith("--")} <= options, words
    keys = {".".join(key.path) for key in every_key()}
    tenants = {key.removeprefix("tenants.*.") for key in keys}
    for key in (
        each.partition(" ")[0] for each in named if re.match(r"[a-z_]+\.[a-z_.]+( =|$)", each)
    ):
        assert any(held.startswith(key) for held in keys | tenants), key
    assert set(DECISIONS) <= set(named)
    assert {kind for kind in KINDS if kind not in named} == set()


def _typed(tree: ast.AST) -> list[list[str]]:
    """The words after `tandem(rig, ...)`, and those after the module in a list that starts the
    command."""
    found = []
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "tandem"
        ):
            found.append(_texts(node.args[1:]))
        elif isinstance(node, ast.List) and "services.console.cli" in (texts := _texts(node.elts)):
            found.append(texts[texts.index("services.console.cli") + 1 :])
    return found


def _texts(nodes: list[ast.expr]) -> list[str]:
    return [
        node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
        for node in nodes
    ]


ROOT = DOCS.parent
PAGES = sorted(
    page
    for pattern in (
        "README.md",
        "CONTRIBUTING.md",
        "docs/*.md",
        "*/*/BEHAVIOR.md",
        "benchmarks/*.md",
    )
    for page in ROOT.glob(pattern)
)
# What the reader makes, or what a service makes beside its data.
NOT_OURS = {"compose.override.yaml", "filters.json", "taken.json"}


@cache
def held() -> list[str]:
    """The files and folders of the project, each with `/` before it and relative to the root."""
    found = []
    for directory, folders, files in os.walk(ROOT):
        folders[:] = [each for each in folders if each == ".ci" or not each.startswith((".", "__"))]
        found += [f"/{(Path(directory) / each).relative_to(ROOT)}" for each in (*folders, *files)]
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_file_that_a_page_names_is_there(page: Path) -> None:
    """A recipe once named files that a change of the house had moved. A path may leave out its
    first folders."""
    tops = {
        each.name for each in (*ROOT.iterdir(), *(ROOT / "services").iterdir()) if each.is_dir()
    }
    for named in re.findall(r"`([\w./*-]+)`", page.read_text(encoding="utf-8")):
        is_file = re.search(r"\.(py|md|toml|ya?ml|sh|json|css|js|html)$", named)
        if named[0] in "/.-" or named in NOT_OURS or "NAME" in named:
            continue
        if is_file or ("/" in named and named.split("/")[0] in tops):
            wanted = f"*/{named.rstrip('/')}"
            assert fnmatch.filter(held(), wanted), f"{page.name}: {named}"
