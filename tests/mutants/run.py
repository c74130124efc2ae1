"""One mutant: a copy of the sources with the fault in it, and the core's suite run on that copy."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.mutants.catalogue import Mutant
from tests.waiting import CAP_S

ROOT = Path(__file__).parents[2]
COPIED = ("contracts", "services", "runtime")
SUITE = (
    "tests/unit/test_decide.py",
    "tests/unit/test_breakers.py",
    "tests/unit/test_removals.py",
    "tests/unit/test_operators.py",
    "tests/unit/test_runs.py",
    "tests/unit/test_twins.py",
    "tests/unit/test_upgrades.py",
    "tests/unit/test_lost_edits.py",
    "tests/unit/test_emptied_fields.py",
    "tests/unit/test_findings.py",
    "tests/property/test_twins.py",
    "tests/property/test_linker_machine.py",
    "tests/property/test_ledger_machine.py",
)
SUPPORT = (
    "tests/unit/bench.py",
    "tests/property/world.py",
    "tests/property/ledger.py",
    "tests/property/conftest.py",
    "tests/conftest.py",
    "tests/examples.py",
    "tests/waiting.py",
    "pyproject.toml",
)


def mutated(mutant: Mutant) -> str:
    """The file with the fault in it. Raises ValueError when its text does not stand there exactly
    once."""
    source = (ROOT / mutant.file).read_text(encoding="utf-8")
    if source.count(mutant.old) != 1:
        raise ValueError(
            f"{mutant.name}: its text stands {source.count(mutant.old)} times in {mutant.file}"
        )
    return source.replace(mutant.old, mutant.new)


def survives(mutant: Mutant) -> bool:
    """Whether the suite passes on a copy with the fault. Raises RuntimeError when it could not be
    run."""
    changed = mutated(mutant)
    with tempfile.TemporaryDirectory(prefix="tandem-mutant-") as directory:
        copy = Path(directory)
        for name in COPIED:
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in (*SUITE, *SUPPORT):
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, copy / name)
        (copy / mutant.file).write_text(changed, encoding="utf-8")
        return _passes(copy)


def _passes(copy: Path) -> bool:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-x",
        "-p",
        "no:cacheprovider",
        f"--timeout={CAP_S}",
        *SUITE,
    ]
    # Without an installed copy of the project in the way: the mutant's directory comes first.
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    ended = subprocess.run(
        command, cwd=copy, env=environment, capture_output=True, text=True, check=False
    )
    if ended.returncode not in (0, 1):
        raise RuntimeError(
            f"the suite could not run:\n{ended.stdout[-2000:]}{ended.stderr[-2000:]}"
        )
    return ended.returncode == 0
