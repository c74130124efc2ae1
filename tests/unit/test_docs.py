"""Pages that would silently fall behind the code."""

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
