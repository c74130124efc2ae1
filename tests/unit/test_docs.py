"""Pages that would silently fall behind the code."""

import ast
from pathlib import Path
from typing import get_args

import pytest
from typer.main import get_command

from services.console.cli import app
from services.console.pages import commands, page
from simulators.faults import FaultKind

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("kind", get_args(FaultKind))
def test_every_fault_stands_in_the_page_of_the_simulators(kind: str) -> None:
    """A switch nobody knows of is never used."""
    assert f"`{kind}`" in (DOCS / "simulators.md").read_text(encoding="utf-8")


def test_the_page_of_the_command_line_is_current() -> None:
    """`python -m services.console.pages > docs/cli.md` writes it anew."""
    assert (DOCS / "cli.md").read_text(encoding="utf-8") == page()


def test_every_command_and_option_is_explained() -> None:
    """A person reads the help before the code."""
    for name, command in commands(get_command(app)):
        assert (command.help or "").endswith("."), name
        for option in command.params:
            assert option.name == "help" or (getattr(option, "help", "") or "").endswith("."), f"{name} {option.name}"


def test_every_command_is_tried_as_a_person_would() -> None:
    """In a process of its own, on a real Kafka: its words stand one after the other in a call or a list there."""
    typed = [words for file in (DOCS.parent / "tests" / "system").glob("test_*.py")
             for words in _typed(ast.parse(file.read_text(encoding="utf-8")))]  # fmt: skip
    for name, _ in commands(get_command(app)):
        words = name.split()[1:]
        assert any(each[: len(words)] == words for each in typed), f"no test in tests/system types {name}"


def _typed(tree: ast.AST) -> list[list[str]]:
    """The words after `tandem(rig, ...)`, and those after the module in a list that starts the command."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "tandem":
            found.append(_texts(node.args[1:]))
        elif isinstance(node, ast.List) and "services.console.cli" in (texts := _texts(node.elts)):
            found.append(texts[texts.index("services.console.cli") + 1 :])
    return found


def _texts(nodes: list[ast.expr]) -> list[str]:
    return [node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else "" for node in nodes]
