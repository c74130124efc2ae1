"""Pages that would silently fall behind the code."""

from pathlib import Path
from typing import get_args

import pytest

from services.console.cli import app, links_app, topics_app
from simulators.faults import FaultKind

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("kind", get_args(FaultKind))
def test_every_fault_stands_in_the_page_of_the_simulators(kind: str) -> None:
    """A switch nobody knows of is never used."""
    assert f"`{kind}`" in (DOCS / "simulators.md").read_text(encoding="utf-8")


COMMANDS = [
    " ".join(filter(None, ("tandem", prefix, command.name or (command.callback.__name__ if command.callback else ""))))
    for prefix, typer_app in (("", app), ("links", links_app), ("topics", topics_app))
    for command in typer_app.registered_commands
]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_stands_in_the_page_of_the_command_line(command: str) -> None:
    """With the words it is called by."""
    assert f"`{command}" in (DOCS / "cli.md").read_text(encoding="utf-8")
