"""One short round of the fault campaign."""

import gc
from pathlib import Path

import pytest

from tests.faults.scenarios import run


# Requests that the proxy cuts leave coroutines behind, which Python tells whenever it finds them.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_short_round(kafka: str, tmp_path: Path) -> None:
    """Edits on both sides through a storm, and nothing is missing, doubled, lost or
    unexplained."""
    row = run("short", "1.1", kafka, directory=tmp_path)
    assert row.words == []
    assert row.wrong() == 0
    assert row.edits > 20 and row.faults > 5
    gc.collect()  # here, and not while another test compiles something
