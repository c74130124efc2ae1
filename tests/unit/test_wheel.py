"""Tandem from its wheel; `make matrix` tries it on every Python and with the oldest and newest
dependencies."""

import sys
from pathlib import Path

from contracts import schema
from tests import wheel


def test_the_wheel_holds_all_that_an_installation_needs(tmp_path: Path) -> None:
    """Every module is there and can be imported, the schemas too, and the command answers."""
    environment, empty = tmp_path / "environment", tmp_path / "empty"
    empty.mkdir()
    wheel.ran([*wheel.UV, "venv", "--quiet", "--python", sys.executable, str(environment)])
    wheel.lend_packages(environment)
    wheel.install(wheel.build(tmp_path), environment)
    assert wheel.trial(environment, empty).endswith(f" modules, {len(schema.TYPES)} schemas")
