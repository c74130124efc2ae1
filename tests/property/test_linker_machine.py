"""The linker's promises on random histories of two lossy systems.

System A truncates and has no atomic writes (Chargebee), system B trims, lower-cases and has them,
and its address does not move its version (PowerOffice Go). Messages are duplicated, shuffled,
delayed and lost with their command; commands are redone after lost replies and delivered again
after they finished; the linker crashes and starts again from its changelog; people edit, archive
and delete in between, orders are sent, operators pause, observe, part and link, and vendors are
away for a while. After quiescence: one record per side and link, equal fields or a reason in the
journal, no record created twice, no edit lost silently, no record removed against an edit, and
nothing is planned any more.

A run has the same examples each time, so that its verdict is about the code. TANDEM_PROVE=N (`make
prove`) draws N times as many anew, and prints the seeds of failures.
"""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.settings.values import Owner
from tests.examples import TIMES, examples
from tests.property.world import World
from tests.waiting import CAP_S

EXAMPLES = 2_000
STEPS = 60
owners: st.SearchStrategy[Owner] = st.sampled_from(["chargebee", "poweroffice", "ask"])


@pytest.mark.timeout(2 * CAP_S * TIMES)
def test_fixed_histories_converge_without_loss() -> None:
    """The same histories in every run. Random ones are drawn by `make prove`."""
    for number in range(EXAMPLES):
        draw = random.Random(number)
        owner: Owner = draw.choice(("chargebee", "poweroffice", "ask"))
        carries, breakers, names = (draw.random() < 0.5 for _ in range(3))
        history(draw.randrange(2**32), owner, carries, breakers, names)


@pytest.mark.skipif(TIMES == 1, reason="make prove draws random histories")
@pytest.mark.timeout(2 * CAP_S * TIMES)
@examples(EXAMPLES)
@given(
    seed=st.integers(0, 2**32),
    owner=owners,
    carries=st.booleans(),
    breakers=st.booleans(),
    names=st.booleans(),
)
def test_random_histories_converge_without_loss(
    seed: int, owner: Owner, carries: bool, breakers: bool, names: bool
) -> None:
    history(seed, owner, carries, breakers, names)


def test_an_edit_covered_by_a_write_whose_reply_was_lost_is_told() -> None:
    """Found by a random run: the command was answered as stale when it was carried out again, and
    the edit was between its first attempt's read and write."""
    history(15370, "chargebee", False, False, False)


def history(seed: int, owner: Owner, carries: bool, breakers: bool, names: bool) -> None:
    """Every promise of the sync holds after any history, and then nothing more is planned."""
    world = World(
        seed, owner=owner, carries_removals=carries, breakers=breakers, names_authors=names
    )
    for _ in range(STEPS):
        world.step()
    world.settle()
    world.check()
    planned, at_rest = world.planned, resting(world)
    released = world.has_released
    world.read_everything_again()
    world.settle()
    world.crash()
    world.settle()
    later = [
        each for each in world.sent[planned:] if not released or (each.entity, each.link) in at_rest
    ]
    assert not later, "an unchanged reading or a restart planned a write"
    planned, at_rest = world.planned, resting(world)
    for vendor in world.vendors.values():
        vendor.release()
    world.read_everything_again()
    world.settle()
    later = [each for each in world.sent[planned:] if (each.entity, each.link) in at_rest]
    assert not later, "a release that reads a field otherwise planned a write"


def resting(world: World) -> set[tuple[str, str]]:
    """The links of which nothing is to be decided. What waits for a person may be decided by a new
    spelling, which can make both sides agree."""
    return {(link.entity, link.key) for link in world.links() if link.state == "linked"}
