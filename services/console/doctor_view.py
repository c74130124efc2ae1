"""Puts the doctor's results on a terminal, into a file line by line, or out as JSON."""

from collections.abc import Sequence

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from contracts.checks import Checked, State
from contracts.said import english
from contracts.settings import Settings
from runtime.harmless import harmless
from services.console.base import INTERRUPTED, LEFT, run, stop
from services.console.doctor import SERVICES, Held, diagnose, next_steps
from services.console.doctor_services import CHECKS
from services.console.terminal import Screen, print_json, tell, text

MARKS: dict[State, tuple[str, str]] = {
    "ok": ("✓", "green"),
    "note": ("i", "yellow"),
    "finding": ("✗", "bold red"),
}
CHECK_WIDTH = 24


class Diagnosis(msgspec.Struct, kw_only=True):
    """What `tandem doctor --json` prints: every result, how many have to be corrected, and what to
    do next."""

    findings: int
    checks: list[Checked]
    next: list[str]


def run_doctor(settings: Settings, tenant: str | None, *, as_json: bool) -> int:
    """Check one tenant or all and show it. The exit code: 0, or 3 when something has to be
    corrected; ends the command with 2 for a tenant that is not configured."""
    if tenant is not None and tenant not in settings.tenants:
        stop(f"no tenant {tenant!r}; there are: {', '.join(sorted(settings.tenants)) or 'none'}")
    names = [tenant] if tenant is not None else sorted(settings.tenants)
    work = _diagnosed(settings, names, None if as_json else Screen())
    diagnosis = run(settings, work, interrupted=("interrupted; nothing was changed", INTERRUPTED))
    if as_json:
        print_json(diagnosis)
    return LEFT if diagnosis.findings else 0


async def _diagnosed(
    settings: Settings, names: Sequence[str], console: Console | None
) -> Diagnosis:
    held, results, above = Held(), list[Checked](), ""
    async for result in diagnose(settings, names, held):
        results.append(result)
        if console is not None:
            if heading(result) != above:
                above = heading(result)
                show(console, text(above, "bold"), above)
            show(console, _row(result), line(result))
    steps = list(map(english, next_steps(results, settings, names, held.modes)))
    if console is not None:
        told = "\n".join(map(harmless, ["Next: " + steps[0], *steps[1:]] if steps else []))
        show(console, Text(told, style="bold"), told)
    return Diagnosis(
        findings=sum(each.state == "finding" for each in results),
        checks=[msgspec.structs.replace(each, said=[], fix_said=[]) for each in results],
        next=steps,
    )


def heading(result: Checked) -> str:
    """What a result stands under."""
    if result.tenant is not None:
        return f"Tenant {result.tenant}"
    return "Services" if result.check in (*SERVICES.values(), *CHECKS) else "Installation"


def line(result: Checked) -> str:
    """A result as plain text; the fix stands on a line of its own."""
    told = harmless(f"{result.state:<8} {result.check}: {result.words}")
    return told if result.fix is None else f"{told}\n{'':<8} fix: {harmless(result.fix)}"


def show(console: Console, rich: Table | Text, plain: str) -> None:
    """The one on a terminal, the other where lines must stay whole."""
    if console.is_terminal:
        console.print(rich)
    else:
        for each in plain.split("\n"):
            tell(each)


def _row(result: Checked) -> Table:
    row, (mark, style) = Table.grid(padding=(0, 1)), MARKS[result.state]
    for width in (1, CHECK_WIDTH, None):
        row.add_column(width=width)
    words = text(result.words)
    if result.fix is not None:
        words.append(f"\n{harmless(result.fix)}", style="cyan")
    row.add_row(text(mark, style), text(result.check), words)
    return row
