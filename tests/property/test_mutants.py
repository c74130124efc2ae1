"""The suite of the linker's core notices every hand-made fault; `make mutants` lists them."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.mutants.__main__ import PARALLEL
from tests.mutants.catalogue import MUTANTS
from tests.mutants.run import survives
from tests.waiting import CAP_S


@pytest.mark.timeout(10 * CAP_S)
def test_the_suite_notices_every_mutant() -> None:
    """A fault that no test sees would sooner or later be made."""
    with ThreadPoolExecutor(PARALLEL) as pool:
        survivors = [mutant.name for mutant, alive in zip(MUTANTS, pool.map(survives, MUTANTS), strict=True) if alive]
    assert survivors == []
