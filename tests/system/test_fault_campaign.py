"""One short round of the fault campaign, and that its oracle shares no code with the product."""

import ast
from pathlib import Path

import pytest

from tests import faults
from tests.faults.scenarios import run

NAMES = ("books", "clerk", "desk", "editor", "oracle", "proxy", "story", "weather")
FORBIDDEN = ("contracts", "services", "runtime", "simulators", "demo")


def test_a_short_round(kafka: str, tmp_path: Path) -> None:
    """Edits on both sides through a storm, and nothing is missing, doubled, lost or
    unexplained."""
    row = run("short", "1.1", kafka, directory=tmp_path)
    assert row.words == []
    assert row.wrong() == 0
    assert row.edits > 20 and row.faults > 5


@pytest.mark.parametrize("name", NAMES)
def test_who_edits_breaks_and_judges_imports_nothing_of_ours(name: str) -> None:
    """Neither directly nor through another file of the campaign."""
    tree = ast.parse((Path(faults.__file__).parent / f"{name}.py").read_text(encoding="utf-8"))
    found = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    found |= {
        each.name for node in ast.walk(tree) if isinstance(node, ast.Import) for each in node.names
    }
    assert not [module for module in found if module.split(".")[0] in FORBIDDEN]
    ours = {module for module in found if module.split(".")[0] == "tests"}
    assert ours <= {f"tests.faults.{each}" for each in NAMES}
