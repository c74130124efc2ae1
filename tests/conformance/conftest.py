"""Each adapter in turn, and the simulator of its vendor."""

import pytest

from contracts.entities import SYSTEMS, System
from tests.contract import test_chargebee_adapter as chargebee
from tests.contract import test_poweroffice_adapter as poweroffice

chargebee_address, poweroffice_address = chargebee.address, poweroffice.address


@pytest.fixture(params=SYSTEMS)
def system(request: pytest.FixtureRequest) -> System:
    """Each adapter in turn."""
    found: System = request.param
    return found


@pytest.fixture
def address(system: System, request: pytest.FixtureRequest) -> str:
    """Where the simulator of its vendor is."""
    found: str = request.getfixturevalue(f"{system}_address")
    return found
