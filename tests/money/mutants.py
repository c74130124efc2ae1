"""Hand-made faults of the arithmetic; the campaign must call each unexplained."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any, Literal
from unittest import mock

from tests.money import crossing
from tests.money.crossing import Parts
from tests.money.oracle import Amounts, half_up

PartName = Literal["chargebee", "invoices", "imports", "go", "go_reads", "go_sales", "findings"]


@dataclass(frozen=True)
class Mutant:
    """A fault in a copy of one part; `old` stands exactly once in its source."""

    name: str
    part: PartName
    old: str
    new: str


MUTANTS = (
    Mutant(
        "the net of a tax-inclusive line keeps its tax",
        "chargebee",
        "line_amounts(line, is_inclusive=is_inclusive)",
        "line_amounts(line, is_inclusive=False)",
    ),
    Mutant(
        "a discount of Chargebee is forgotten",
        "chargebee",
        "net=major(found.net, currency)",
        "net=major(line.amount or 0, currency)",
    ),
    Mutant(
        "the tax of a line is read as nothing",
        "chargebee",
        "tax=major(found.tax, currency)",
        "tax=major(0, currency)",
    ),
    Mutant(
        "a round-off is left out without words",
        "chargebee",
        "is_left_out = ",
        "is_left_out = False and ",
    ),
    Mutant(
        "the discounts of an invoice are forgotten",
        "invoices",
        '"discount_amount": _discount(line, raw),',
        '"discount_amount": 0,',
    ),
    Mutant("amounts that Go cannot keep are sent", "go", "    draft_rules.check(fields)\n", ""),
    Mutant(
        "Go's line is made of the price of one",
        "go",
        "return *_positive(Decimal(1), line.net), _ZERO, reason",
        "return *_positive(Decimal(1), line.unit_price), _ZERO, reason",
    ),
    Mutant(
        "a negative line loses its sign",
        "go",
        "return (-quantity, -price) if price < 0",
        "return (quantity, -price) if price < 0",
    ),
    Mutant(
        "a line that VAT was paid on goes to the account without VAT",
        "go",
        "= line.tax != 0",
        "= False",
    ),
    Mutant(
        "Go's VAT is read as net",
        "go_reads",
        "net=decimal(net),\n        tax=decimal(line.vat_amount or _ZERO)",
        "net=decimal(line.vat_amount or _ZERO),\n        tax=decimal(line.vat_amount or _ZERO)",
    ),
    Mutant(
        "the tax of an imported line is that of its unit",
        "imports",
        "minor(line.tax, currency) - taken",
        "minor(line.tax / (line.quantity or 1), currency) - taken",
    ),
    Mutant(
        "a discount takes no VAT with it",
        "imports",
        "minor(line.tax, currency) - taken",
        "minor(line.tax, currency)",
    ),
    Mutant(
        "amounts that differ are not told",
        "findings",
        "        found += _amounts(link, ours.seen, theirs.seen, around)\n",
        "        pass\n",
    ),
    Mutant("what is dropped is not told", "findings", "    if not told:\n", "    if True:\n"),
    Mutant(
        "VAT is computed before the allowance",
        "go_sales",
        "vat = cents(net * exact(vat_rate))",
        "vat = cents(exact(quantity) * exact(unit_price) * exact(vat_rate))",
    ),
    Mutant(
        "Go cuts VAT off",
        "go_sales",
        "vat = cents(net * exact(vat_rate))",
        "vat = (net * exact(vat_rate)).quantize(Decimal('0.01'), 'ROUND_DOWN')",
    ),
)


def with_fault(mutant: Mutant) -> Parts:
    """The parts, one of them a copy with the fault. Raises ValueError when its text does not stand
    there once."""
    original: ModuleType = getattr(Parts(), mutant.part)
    assert original.__file__ is not None
    source = Path(original.__file__).read_text(encoding="utf-8")
    if source.count(mutant.old) != 1:
        raise ValueError(
            f"{mutant.name}: its text stands {source.count(mutant.old)} times in "
            f"{original.__name__}"
        )
    copy = ModuleType(original.__name__)
    exec(compile(source.replace(mutant.old, mutant.new), original.__file__, "exec"), copy.__dict__)
    parts: dict[str, Any] = {mutant.part: copy}
    return Parts(**parts)


@contextmanager
def oracle_with_tax_on_gross() -> Iterator[None]:
    """The oracle itself in error: Go's VAT on the price before the allowance."""

    def go_line(line: Any, rate: Fraction) -> Amounts:
        gross = line["Quantity"] * line["ProductUnitPrice"]
        return Amounts(
            half_up(gross * (100 - line["Allowance"]) / 100, 2), half_up(gross * rate, 2)
        )

    with mock.patch.object(crossing, "go_line", go_line):
        yield
