"""Rigs: simulators and services of one test, on topics of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.rig import Rig


@pytest.fixture
def rig(kafka: str, tmp_path: Path) -> Iterator[Rig]:
    """The simulators run; a test starts the services."""
    with Rig(kafka, tmp_path) as held:
        yield held


@pytest.fixture
def unaided_rig(kafka: str, tmp_path: Path) -> Iterator[Rig]:
    """Nothing but a run finds what moved no time: no sweep, and polls that do not reach back."""
    with Rig(kafka, tmp_path, settings="poweroffice.overlap_s = 0\n") as held:
        held.sweep_s = 3600
        held.write_settings()
        yield held
