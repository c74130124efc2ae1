"""The suite of the linker's core notices every hand-made fault; `make mutants` lists them."""

import pytest

from tests.mutants.catalogue import MUTANTS, Mutant
from tests.mutants.run import survives


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name.replace(" ", "-"))
@pytest.mark.timeout(300)
def test_the_suite_notices(mutant: Mutant) -> None:
    """A fault that no test sees would sooner or later be made."""
    assert not survives(mutant), f"no test fails with this fault: {mutant.name}"
