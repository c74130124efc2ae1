"""The suite of the linker's core notices hand-made faults: here every twentieth, in `make mutants`
all of them."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.mutants.__main__ import PARALLEL
from tests.mutants.catalogue import MUTANTS
from tests.mutants.run import survives
from tests.waiting import CAP_S

TRIED = MUTANTS[::20]  # each runs the suite of the core once more


@pytest.mark.timeout(3 * CAP_S)
def test_the_suite_notices_mutants() -> None:
    """A fault that no test sees would sooner or later be made."""
    with ThreadPoolExecutor(PARALLEL) as pool:
        survivors = [
            mutant.name
            for mutant, alive in zip(TRIED, pool.map(survives, TRIED), strict=True)
            if alive
        ]
    assert survivors == []
