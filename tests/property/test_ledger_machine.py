"""The books' promises on random histories of sales, payments, credits, cancellations and edits
between polls.

An accountant's ledger in hundredths, which shares no code with the product, says at each rest which
findings must stand and how much is at stake: every sale is invoiced at most once or a finding says
so, every difference beyond rounding has one, none stands without its fact, and no document is made
twice. Replies are lost and commands carried out again, orders are adopted, generated late and
reopened, drafts are edited and sent before anybody looks, the linker crashes, operators pause and
observe; once everything is on again nothing has to be asked for twice.

A run has the same examples each time. TANDEM_PROVE=N (`make prove`) draws N times as many anew.
"""

from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.entities import System
from tests.examples import TIMES, examples
from tests.property.ledger import Ledger
from tests.waiting import CAP_S

EXAMPLES = 800
STEPS = 60
systems: st.SearchStrategy[System] = st.sampled_from(["chargebee", "poweroffice"])
choices: st.SearchStrategy[Literal["hold", "carry"]] = st.sampled_from(["hold", "carry"])


@pytest.mark.timeout(2 * CAP_S * TIMES)
@examples(EXAMPLES)
@given(
    seed=st.integers(0, 2**32),
    by=systems,
    paid=choices,
    as_paid=st.booleans(),
    confirm=st.booleans(),
    removes=st.booleans(),
)
def test_the_accountant_and_the_linker_say_the_same(
    seed: int,
    by: System,
    paid: Literal["hold", "carry"],
    as_paid: bool,
    confirm: bool,
    removes: bool,
) -> None:
    """After any history, twice: what happens after a rest is judged anew."""
    world = Ledger(seed, by=by, paid=paid, as_paid=as_paid, confirm=confirm, removes=removes)
    for _ in range(2):
        for _ in range(STEPS):
            world.step()
        world.come_to_rest()
        world.check()
    world.crash()
    world.come_to_rest()
    world.check()
    assert not world.commands
