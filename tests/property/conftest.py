"""What every property test starts from."""

from collections.abc import Iterator

import pytest

from contracts import mappings


@pytest.fixture(autouse=True)
def releases_of_its_own() -> Iterator[None]:
    """Worlds make releases that read fields otherwise; none outlives its test."""
    before = {system: dict(steps) for system, steps in mappings.REREAD.items()}
    yield
    for system, steps in before.items():
        mappings.REREAD[system] = steps
