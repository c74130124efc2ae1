"""Run the suite against every mutant: `python -m tests.mutants`. Exit code 1 when one survives."""

import sys
from concurrent.futures import ThreadPoolExecutor

from tests.mutants.catalogue import MUTANTS
from tests.mutants.run import survives

PARALLEL = 2


def main() -> int:
    survivors = 0
    with ThreadPoolExecutor(PARALLEL) as pool:
        for mutant, alive in zip(MUTANTS, pool.map(survives, MUTANTS), strict=True):
            print(
                f"{'SURVIVED' if alive else 'killed  '}  {mutant.name} ({mutant.file})", flush=True
            )
            survivors += alive
    print(f"{len(MUTANTS) - survivors} of {len(MUTANTS)} mutants killed")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
