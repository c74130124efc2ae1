"""Waiting for facts: what is late is waited for, what never comes is told in words; no test has a
limit of its own."""

import ast
import asyncio
from pathlib import Path

import pytest

from tests.waiting import CAP_S, PATIENCE_S, until, wait_for

TESTS = Path(__file__).parents[1]
HTTP = {
    f"httpx.{name}"
    for name in ("get", "post", "put", "patch", "delete", "request", "Client", "AsyncClient")
}
WAITS = {"communicate", "get", "sleep", "timeout", "wait", "wait_for"}


def test_the_answer_that_holds_is_returned() -> None:
    """As soon as it is there, and the same in an event loop, also from a coroutine."""
    answers = iter([0, 0, 7])
    assert wait_for("seven", lambda: next(answers)) == 7
    counts = iter(range(10))

    async def next_count() -> int:
        return next(counts)

    assert asyncio.run(until("five", next_count, lambda count: count == 5)) == 5


def test_what_does_not_come_is_told_with_what_was_seen_last() -> None:
    """In words a person can act on, cut to a length a screen can show."""
    said = r"did not happen within 0 s: a link; seen last: \['waiting'\] \(TANDEM_PATIENCE"
    with pytest.raises(AssertionError, match=said):
        wait_for("a link", lambda: ["waiting"], lambda found: found == ["linked"], patience_s=0)
    with pytest.raises(AssertionError, match="seen last: None"):
        asyncio.run(until("a link", lambda: None, patience_s=0))
    with pytest.raises(AssertionError) as long:
        wait_for("a link", lambda: "x" * 100_000, lambda found: False, patience_s=0)
    assert len(str(long.value)) < 3000


def test_the_cap_of_a_test_is_far_above_one_wait(request: pytest.FixtureRequest) -> None:
    """So that a wait which is in vain is told by its own words."""
    assert CAP_S >= 5 * PATIENCE_S
    assert request.config.option.timeout >= CAP_S


@pytest.mark.parametrize("file", sorted(TESTS.rglob("*.py")), ids=lambda file: file.name)
def test_no_test_has_a_limit_of_its_own(file: Path) -> None:
    """Limits come from tests/waiting.py, which one variable multiplies; nothing sleeps for a while
    and then judges."""
    if file.name in ("waiting.py", Path(__file__).name):
        return
    calls = [
        node
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
    ]
    found = [f"line {call.lineno}: {ast.unparse(call)}" for call in calls if _is_limited(call)]
    assert found == [], "use wait_for, until or PATIENCE_S of tests/waiting.py"


def _is_limited(call: ast.Call) -> bool:
    """Whether a call waits for a number of seconds that stands there, or as long as httpx does when
    it is not told."""
    if ast.unparse(call.func) in HTTP and not {"timeout", "transport"} & {
        each.arg for each in call.keywords
    }:
        return True
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    given = call.args if name in WAITS else []
    if name == "get" and len(given) > 1 and not isinstance(given[0], ast.Constant):
        given = []  # of a dictionary, with a default; a queue is asked with True first
    named = [
        each.value for each in call.keywords if each.arg in ("timeout", "timeout_s", "patience_s")
    ]
    return any(
        isinstance(each, ast.Constant) and isinstance(each.value, int | float) and each.value
        for each in (*given, *named)
    )
