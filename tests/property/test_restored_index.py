"""A restore reads only a part of each link, and finds the links by the same keys."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.links import LinkKeys
from contracts.messages import Link
from services.linker.state import index_keys
from tests.property.world import World


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32), breakers=st.booleans())
def test_the_part_of_a_link_that_a_restore_reads_has_its_keys(seed: int, breakers: bool) -> None:
    """In every state that a random history leaves links in."""
    world = World(seed, owner="chargebee", carries_removals=True, breakers=breakers)
    for _ in range(60):
        world.step()
    for value in world.changelog.values():
        whole, part = msgspec.json.decode(value, type=Link), msgspec.json.decode(value, type=LinkKeys)
        assert index_keys(part) == index_keys(whole)
