"""A few hundred orders of the money campaign (`make money` runs 10,000), and the campaign tried on
faults."""

import ast
from pathlib import Path

import pytest

from tests.money import oracle
from tests.money.campaign import Seed, judged, run, seeds, unexplained
from tests.money.crossing import Bench, Parts
from tests.money.mutants import MUTANTS, Mutant, oracle_with_tax_on_gross, with_fault

ORDERS = 420
OURS = {"contracts", "runtime", "services", "simulators", "demo"}
APART = ("oracle.py", "case.py", "orders_chargebee.py", "orders_go.py")


def test_no_order_is_wrong_without_words() -> None:
    rows, noted = run(ORDERS, campaign=2)
    told = [
        f"{seed}: {found.result} {found.words} {found.faults}"
        for seed, found in noted
        if found.faults
    ]
    assert not told, "\n".join(told[:10])
    assert all(
        row.equal + row.rounding + row.refused + row.wrong == row.orders for row in rows.values()
    )


@pytest.fixture(scope="module")
def faultless() -> int:
    """What the same small campaign says without a fault of ours."""
    return _unexplained()


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_campaign_notices_a_fault(mutant: Mutant, faultless: int) -> None:
    assert _unexplained(with_fault(mutant)) > faultless


def test_an_oracle_in_error_is_noticed(faultless: int) -> None:
    """The simulators and the oracle compute the same amounts apart, so neither can be wrong
    alone."""
    with oracle_with_tax_on_gross():
        assert _unexplained() > faultless


@pytest.mark.parametrize("name", APART)
def test_the_oracle_shares_no_code(name: str) -> None:
    tree = ast.parse((Path(oracle.__file__).parent / name).read_text(encoding="utf-8"))
    imported = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not {each for each in imported if each.split(".")[0] in OURS}
    assert {each for each in imported if each.startswith("tests.")} <= {
        "tests.money.case",
        "tests.money.oracle",
    }


def test_a_printed_seed_makes_the_same_order() -> None:
    for seed in _classes():
        again = Seed.parse(str(seed))
        assert again.case() == seed.case()
    with pytest.raises(ValueError, match="is no seed such as"):
        Seed.parse("to go/plain goods")
    assert judged(Seed.parse("to go/plain goods/1/0"), Bench()).result == "equal"


def _unexplained(parts: Parts | None = None) -> int:
    # No fault needs hundreds of lines to be seen.
    return unexplained(
        run(2 * len(_classes()), campaign=2, parts=parts, without={"1 to 501 lines"})[0]
    )


def _classes() -> list[Seed]:
    return [seed for seed in seeds(ORDERS, 2) if seed.number == 0]
