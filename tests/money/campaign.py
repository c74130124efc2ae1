"""Many orders, each judged: equal, rounding, refused or wrong; and what of it nobody would be
told."""

from collections.abc import Container, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from random import Random
from typing import Literal

from tests.money import orders_chargebee, orders_go
from tests.money.case import Case
from tests.money.crossing import Bench, Crossing, Parts
from tests.money.oracle import (
    PLACES,
    ROUND_OFF,
    Document,
    adds_up,
    apart,
    by_rate,
    difference,
    grade,
    step,
    totals,
)

Direction = Literal["go", "chargebee"]
CLASSES = {"go": orders_chargebee.CLASSES, "chargebee": orders_go.CLASSES}
RESULTS = ("equal", "rounding", "refused", "wrong")


@dataclass(frozen=True)
class Verdict:
    """What became of one order. `faults` says in words what nobody would be told, or what went
    against the rules; `alarm` that a finding would stand without its fact."""

    result: str
    words: str
    faults: tuple[str, ...]
    lines: int
    alarm: bool = False


@dataclass(frozen=True)
class Seed:
    """One generated order: `to go/plain goods/1/17` is the 17th of the class in the campaign with
    seed 1."""

    direction: Direction
    name: str
    campaign: int
    number: int

    @classmethod
    def parse(cls, text: str) -> "Seed":
        """Raises ValueError for anything that is no printed seed."""
        direction, name, campaign, number = (
            text.removeprefix("to ").rsplit("/", 3) if text.count("/") == 3 else (text,) * 4
        )
        if name not in CLASSES.get(direction, {}):
            raise ValueError(f"{text!r} is no seed such as 'to go/plain goods/1/17'")
        return cls(direction, name, int(campaign), int(number))  # type: ignore[arg-type]

    def __str__(self) -> str:
        return f"to {self.direction}/{self.name}/{self.campaign}/{self.number}"

    def case(self) -> Case:
        return CLASSES[self.direction][self.name](Random(str(self)))


def seeds(count: int, campaign: int, without: Container[str] = ()) -> Iterator[Seed]:
    """`count` orders in all, spread evenly over the classes of both directions but those named."""
    names = [
        (direction, name)
        for direction, classes in CLASSES.items()
        for name in classes
        if name not in without
    ]
    for place, (direction, name) in enumerate(names):
        for number in range(count // len(names) + (place < count % len(names))):
            yield Seed(direction, name, campaign, number)  # type: ignore[arg-type]


def judged(seed: Seed, bench: Bench) -> Verdict:
    """One order through the product, and what the oracle says."""
    case = seed.case()
    crossing = bench.to_go(case) if seed.direction == "go" else bench.to_chargebee(case)
    return verdict(case, crossing)


def verdict(case: Case, crossing: Crossing) -> Verdict:
    """See `docs/reliability.md` for the rules."""
    lines = len(crossing.source.lines)
    if (refusal := crossing.refusal) is not None:
        words, faults = f"refused by {refusal.by}: {refusal.code}: {refusal.words}", []
        if refusal.by == "nobody":
            faults.append("it broke")
        elif case.expected == "pass":
            faults.append("must pass, but was refused")
        elif refusal.by != "product":
            # Only the simulator of Go has limits of its own.
            if case.expected == "refuse" or refusal.by == "Chargebee":
                faults.append("the product left it to the vendor to refuse")
        elif refusal.code not in case.reasons:
            faults.append(f"refused for another reason than {' or '.join(sorted(case.reasons))}")
        return Verdict("refused", words, tuple(faults), lines)
    assert (
        crossing.made is not None
        and crossing.seen_source is not None
        and crossing.seen_made is not None
    )
    source, made = _comparable(crossing)
    result = grade(source, made)
    words = "" if result == "equal" else difference(source, made)
    faults = []
    if case.expected == "refuse":
        faults.append(f"must be refused ({' or '.join(sorted(case.reasons))}), but was made")
    if wrongly := _miscomputed(crossing):
        faults.append(f"a simulator computed other amounts than the oracle: {wrongly}")
    for whose, seen, document, left_out in (
        ("source", crossing.seen_source, crossing.source, crossing.source_left_out),
        ("result", crossing.seen_made, crossing.made, crossing.made_left_out),
    ):
        if misread := _misread(seen, document, left_out):
            faults.append(f"the reading of the {whose} is not what the document says: {misread}")
    faults += [
        f"the invoice names the wrong VAT rate: {words}" for words in crossing.rate_faults[:1]
    ]
    if result == "wrong":
        faults += _untold(crossing)
    return Verdict(
        result, words, tuple(faults), lines, alarm=result != "wrong" and bool(crossing.findings)
    )


def _comparable(crossing: Crossing) -> tuple[Document, Document]:
    """Both documents with their lines named alike; Chargebee takes negative lines of Go as
    discounts at best."""
    assert crossing.made is not None
    source, made = _renamed(crossing.source, crossing.made), crossing.made
    if crossing.rates and not source.round_off and abs(made.round_off) <= step(made.currency):
        # What is left when the tax of each line is rounded to whole yen.
        made = replace(made, tax=made.tax + made.round_off, round_off=source.round_off)
    if crossing.rates and any(line.net < 0 for line in source.lines.values()):
        return by_rate(source, crossing.rates), by_rate(made, crossing.rates)
    return source, made


def _renamed(source: Document, made: Document) -> Document:
    """The lines of Go stand in Chargebee under `go-` and their id."""
    if not any(name.startswith("go-") for name in made.lines):
        return source
    lines = {f"go-{name}": line for name, line in source.lines.items()}
    return replace(source, lines=lines)


def _miscomputed(crossing: Crossing) -> str:
    """Go's lines against the oracle's own arithmetic on the same input."""
    document = (
        crossing.made
        if crossing.made and crossing.computed.keys() == crossing.made.lines.keys()
        else crossing.source
    )
    apart = [
        name for name, line in document.lines.items() if crossing.computed.get(name, line) != line
    ]
    return (
        f"line {apart[0]} {document.lines[apart[0]]} instead of {crossing.computed[apart[0]]}"
        if apart
        else ""
    )


def _misread(seen: Document, document: Document, left_out: tuple[str, ...]) -> str:
    """What the canonical order says otherwise than its own document. A round-off may be a line,
    stand between net and total as a part of the tax, or be left out in words."""
    off, read, minor = (
        document.round_off,
        apart(seen),
        Fraction(1, 10 ** PLACES.get(document.currency, 2)),
    )
    if "round_off" in left_out:
        fits = totals(read) == (document.net, document.tax, document.total - off)
    elif ROUND_OFF in seen.lines:
        fits = totals(read) == totals(document) and read.round_off == off
    else:
        fits = (
            totals(read) == (document.net, document.tax + off, document.total)
            and abs(off) < 100 * minor
        )
    return "" if fits and read.lines == document.lines else difference(document, seen)


def _untold(crossing: Crossing) -> list[str]:
    """Why a wrong document would go unnoticed, or need not have been made."""
    made = crossing.made
    assert made is not None
    faults = [] if crossing.findings else ["no finding stands, so nobody is told"]
    best = {name: line for name, line in crossing.ideal.items() if name in made.lines}
    avoidable = [name for name, line in best.items() if made.lines[name] != line]
    if avoidable and adds_up(crossing.source):
        faults.append(f"the other vendor could have shown line {avoidable[0]} exactly")
    return faults


@dataclass
class Row:
    """The counts of one class: what became of its orders, and of these how many raise a finding
    without its fact, and how many nobody could explain."""

    orders: int = 0
    lines: int = 0
    equal: int = 0
    rounding: int = 0
    refused: int = 0
    wrong: int = 0
    alarms: int = 0
    unexplained: int = 0

    def add(self, found: Verdict) -> None:
        self.orders += 1
        self.lines += found.lines
        setattr(self, found.result, getattr(self, found.result) + 1)
        self.alarms += found.alarm
        self.unexplained += bool(found.faults)


Noted = tuple[Seed, Verdict]


def run(
    count: int, campaign: int = 1, parts: Parts | None = None, without: Container[str] = ()
) -> tuple[dict[tuple[str, str], Row], list[Noted]]:
    """The counts by direction and class, and every order that is wrong, told in vain or
    unexplained."""
    bench = Bench(parts)
    rows: dict[tuple[str, str], Row] = {}
    noted: list[Noted] = []
    for seed in seeds(count, campaign, without):
        found = judged(seed, bench)
        rows.setdefault((seed.direction, seed.name), Row()).add(found)
        if found.result == "wrong" or found.alarm or found.faults:
            noted.append((seed, found))
    return rows, noted


def unexplained(rows: dict[tuple[str, str], Row]) -> int:
    return sum(row.unexplained for row in rows.values())
