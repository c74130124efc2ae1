"""The unit level and the wheel on every Python, with the oldest and the newest dependencies that
are allowed.

`python -m tests.matrix [3.12 ...] [--oldest | --newest] [--wheel-only]`, or `make matrix
ARGS="..."`. A Python is found as `python3.X` on the PATH or under pyenv, or is one that uv can
install; what is missing is said, and is no fault. Ends with code 1 when something failed.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests import wheel

VERSIONS = ("3.11", "3.12", "3.13", "3.14")
RESOLUTIONS = {"oldest": "lowest-direct", "newest": "highest"}
# The wheel has been tried by then, and these environments have no uv.
UNIT = ("tests/unit", "tests/flow", "--ignore", "tests/unit/test_wheel.py")


def candidates(version: str) -> Iterator[Path]:
    """Where a Python of this version may be."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    yield from sorted(root.glob(f"versions/{version}.*/bin/python{version}"), reverse=True)
    if found := shutil.which(f"python{version}"):
        yield Path(found)


def python(version: str) -> str | None:
    """A Python that starts, or one that uv has just installed; None where neither can be had."""
    for path in candidates(version):
        if (
            subprocess.run(
                [path, "-c", "import venv, sqlite3, ssl"], capture_output=True, check=False
            ).returncode
            == 0
        ):
            return str(path)
    try:
        wheel.ran([*wheel.UV, "python", "install", "--quiet", version])
        return wheel.ran([*wheel.UV, "python", "find", version]).strip()
    except RuntimeError:
        return None


def environment(directory: Path, interpreter: str, resolution: str) -> Path:
    """An environment with the dependencies of development, resolved anew."""
    made, wanted = directory / "environment", directory / "requirements.txt"
    wheel.ran([*wheel.UV, "venv", "--quiet", "--python", interpreter, str(made)])
    own = str(wheel.python_of(made))
    wheel.ran(
        [
            *wheel.UV,
            "pip",
            "compile",
            "--quiet",
            "--python",
            own,
            "--resolution",
            resolution,
            "--extra",
            "dev",
            "pyproject.toml",
            "--output-file",
            str(wanted),
        ]
    )
    wheel.ran(
        [*wheel.UV, "pip", "install", "--quiet", "--python", own, "--requirement", str(wanted)]
    )
    return made


def tried(version: str, interpreter: str, name: str, built: Path, *, with_tests: bool) -> bool:
    """One Python with one resolution; says what happened, and whether all is well."""
    with tempfile.TemporaryDirectory(prefix="tandem-matrix-") as held:
        directory = Path(held)
        (directory / "empty").mkdir()
        try:
            made = environment(directory, interpreter, RESOLUTIONS[name])
            wheel.install(built, made)
            say(f"{version} {name}: wheel: {wheel.trial(made, directory / 'empty')}")
            if with_tests:
                command = [
                    str(wheel.python_of(made)),
                    "-m",
                    "pytest",
                    "-q",
                    "-n",
                    "2",
                    "--dist",
                    "loadfile",
                ]
                told = wheel.ran([*command, "-p", "no:cacheprovider", *UNIT])
                say(f"{version} {name}: tests: {told.splitlines()[-1]}")
        except RuntimeError as error:
            say(f"{version} {name}: FAILED: {error}")
            return False
    return True


def say(words: str) -> None:
    """A line that is seen at once, also in a file."""
    print(words, flush=True)


def main() -> int:
    """Every Python that was asked for, or all."""
    parser = argparse.ArgumentParser(
        prog="tests.matrix", description="Tandem on other Pythons and dependencies."
    )
    parser.add_argument(
        "versions", nargs="*", metavar="VERSION", help=f"of {', '.join(VERSIONS)}; all without one"
    )
    parser.add_argument(
        "--wheel-only", action="store_true", help="install and import, without the tests"
    )
    only = parser.add_mutually_exclusive_group()
    only.add_argument(
        "--oldest",
        action="store_const",
        dest="only",
        const="oldest",
        help="oldest dependencies only",
    )
    only.add_argument(
        "--newest",
        action="store_const",
        dest="only",
        const="newest",
        help="newest dependencies only",
    )
    chosen = parser.parse_args()
    well = True
    with tempfile.TemporaryDirectory(prefix="tandem-wheel-") as held:
        built = wheel.build(Path(held))
        for version in chosen.versions or VERSIONS:
            if (interpreter := python(version)) is None:
                say(f"{version}: not on this machine, and uv cannot install it here; not tried")
                continue
            for name in [chosen.only] if chosen.only else RESOLUTIONS:
                well &= tried(version, interpreter, name, built, with_tests=not chosen.wheel_only)
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
