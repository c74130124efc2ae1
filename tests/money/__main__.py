"""`python -m tests.money [COUNT] [--seed N] [--order SEED] [--show N]`: the campaign, or one order
of it in full."""

import argparse
import json
import sys
import time
from dataclasses import fields

from tests.money.campaign import Noted, Row, Seed, judged, run, unexplained
from tests.money.crossing import Bench

ORDERS = 10_000


def main() -> int:
    asked = argparse.ArgumentParser(prog="make money")
    asked.add_argument("count", nargs="?", type=int, default=ORDERS, help="orders in all")
    asked.add_argument("--seed", type=int, default=1, help="another campaign")
    asked.add_argument("--order", type=Seed.parse, help="one order, by its printed seed")
    asked.add_argument(
        "--show", type=int, default=3, help="how many orders to print of each class and kind"
    )
    given = asked.parse_args()
    return one(given.order) if given.order else campaign(given.count, given.seed, given.show)


def one(seed: Seed) -> int:
    """Print one order and what became of it."""
    case, found = seed.case(), judged(seed, Bench())
    print(json.dumps({"order": case.raw, "invoice": case.invoice}, indent=1, default=str))
    print(f"{seed}: must {case.expected}; {found.result} {found.words}")
    for fault in found.faults:
        print(f"  unexplained: {fault}")
    return 1 if found.faults else 0


def campaign(count: int, seed: int, show: int) -> int:
    """Print the table, the first orders that are wrong, and the number that nobody could
    explain."""
    started = time.process_time()
    rows, noted = run(count, seed)
    names = [each.name for each in fields(Row)]
    width = max(len(f"to {direction}: {name}") for direction, name in rows)
    print(f"{'class':{width}}" + "".join(f"{name:>12}" for name in names))
    whole = Row()
    for (direction, name), row in rows.items():
        print(f"{f'to {direction}: {name}':{width}}" + _counts(row, names))
        for each in names:
            setattr(whole, each, getattr(whole, each) + getattr(row, each))
    print(f"{'all':{width}}" + _counts(whole, names))
    print(f"seed {seed}, {time.process_time() - started:.0f} s of processor time")
    _examples(noted, show)
    print(f"unexplained {unexplained(rows)}")
    return 1 if unexplained(rows) else 0


def _counts(row: Row, names: list[str]) -> str:
    return "".join(f"{getattr(row, name):>12}" for name in names)


def _examples(noted: list[Noted], show: int) -> None:
    """The first of each class and kind; those without explanation last."""
    printed: dict[tuple[object, ...], int] = {}
    for seed, found in sorted(noted, key=lambda each: bool(each[1].faults)):
        kind = (
            seed.direction,
            seed.name,
            found.alarm,
            tuple(fault.split(":")[0] for fault in found.faults),
        )
        printed[kind] = printed.get(kind, 0) + 1
        if printed[kind] <= (show if found.faults else 1):
            said = "UNEXPLAINED" if found.faults else "told in vain" if found.alarm else "explained"
            print(f"{said}  {seed}: {found.result} {found.words}")
            for fault in found.faults:
                print(f"    {fault}")


if __name__ == "__main__":
    sys.exit(main())
