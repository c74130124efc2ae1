"""Puts a status on the terminal."""

from collections.abc import Iterator
from datetime import UTC, datetime

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from contracts.entities import SYSTEMS
from services.console import findings
from services.console.candidates import choice_lines, choices_table
from services.console.names import called
from services.console.status import EntityStatus, FirstSnapshot, Listed, Status, TenantStatus
from services.console.terminal import text

LIST_MAX = 20
CANDIDATES_MAX = 5
_KINDS = (
    ("rejected", "Rejected"),
    ("ambiguous", "Ambiguous: a person picks"),
    ("duplicates", "Possible duplicates: a person looks"),
    ("conflicts", "Conflicts"),
    ("waiting", "Waiting"),
    ("stuck", "Held, parked or broken"),
    ("differing", "Different on the two sides"),
)
_ROWS = (
    "in Chargebee",
    "in Go",
    "linked",
    "waiting",
    "pending",
    "ambiguous",
    "rejected",
    "ignored",
    "held",
    "parked",
    "conflicts",
    "differing",
    "commands open",
    "dead letters",
    "Chargebee read",
    "Go read",
)


def show_status(console: Console, status: Status, now: datetime) -> None:
    """Services that are gone or wait, one table and the lists of each tenant, then the lag. `now`
    is aware."""
    for words in status.alerts:
        console.print(text(f"! {words}", "bold yellow"), soft_wrap=True)
    for words in status.notes:
        console.print(text(f"note: {words}"), soft_wrap=True)
    for name, tenant in status.tenants.items():
        if tenant.findings:
            words = (
                f"{name}: {findings.counted(tenant.findings)}: a person acts; tandem findings "
                f"says how"
            )
            console.print(text(words, "bold yellow"))
        console.print(_table(name, tenant, now))
        budget = ", ".join(
            f"{system} {used:.0f} %" for system, used in sorted(tenant.budget_percent.items())
        )
        said = [
            f"Mode {tenant.mode}",
            f"request budget used: {budget}" if budget else "",
            *tenant.switches,
        ]
        console.print(text("; ".join(filter(None, said))))
        console.print(Group(*_lists(tenant)))
    lag = ", ".join(f"{group} {count}" for group, count in status.lag.items())
    console.print(text(f"Messages not taken yet: {lag}"))
    if not status.tenants:
        console.print(text("No tenant is configured: add a table [tenants.NAME] to tandem.toml."))


def _table(name: str, tenant: TenantStatus, now: datetime) -> Table:
    """A column for each entity, so that it fits into 80 characters."""
    table = Table(f"Tenant {name}", *tenant.entities, box=None, pad_edge=False, header_style="bold")
    for number, row in enumerate(_ROWS):
        table.add_row(row, *(list(_cells(held, now))[number] for held in tenant.entities.values()))
    return table


def _cells(held: EntityStatus, now: datetime) -> Iterator[str]:
    """The figures of one entity in the order of _ROWS."""
    for system in SYSTEMS:
        yield f"{held.records[system]}{'' if held.snapshots[system] else ' …'}"
    yield str(held.linked)
    for state in (
        "waiting",
        "pending",
        "ambiguous",
        "rejected",
        "ignored",
        "held",
        "parked",
        "conflict",
    ):
        yield str(held.states.get(state, 0))
    yield str(held.differing)
    yield str(held.open_commands)
    yield str(held.dead_letters)
    for system in SYSTEMS:
        yield _ago(held.last_poll.get(system), now)


def _ago(at: str | None, now: datetime) -> str:
    if at is None:
        return "-"
    seconds = max(0.0, (now - datetime.fromisoformat(at).astimezone(UTC)).total_seconds())
    return f"{seconds:.0f} s ago" if seconds < 120 else f"{seconds / 60:.0f} min ago"


def _lists(tenant: TenantStatus) -> Iterator[RenderableType]:
    yield from _part(
        "Findings: a person acts", [text(f"  {findings.full_of(each)}") for each in tenant.findings]
    )
    yield from (text(f"  {words_of(each)}") for each in tenant.first_snapshots)
    for trouble in tenant.troubles:
        yield text(f"! {trouble}", "yellow")
    for attribute, title in _KINDS:
        found: list[Listed] = getattr(tenant, attribute)
        if attribute == "stuck":
            batches = [text(f"  {each.words()}") for each in tenant.batches]
            yield from _part("Held batches: tandem held show has all", batches)
        if attribute == "ambiguous":
            yield from _choices(title, found)
        else:
            yield from _part(title, list(map(_line, found)))
    if tenant.ignored:
        yield Text("Ignored", style="bold")
        yield from (text(f"  {count} x {reason}") for reason, count in tenant.ignored.items())


def words_of(held: FirstSnapshot) -> str:
    """What is read and until when, as exactly as the adapter knows. Times are UTC."""
    what = f"first snapshot of {held.entity} from {held.system}: reads"
    if held.until is None:
        return f"{what} since {held.since[11:19]} UTC"
    return (
        f"{what} until {held.until[11:19]} UTC at least (lists may be "
        f"{held.late_s or 0:.0f} s late)"
    )


def _part(title: str, lines: list[Text]) -> Iterator[Text]:
    if not lines:
        return
    yield Text(f"{title} ({len(lines)})", style="bold")
    yield from lines[:LIST_MAX]
    if len(lines) > LIST_MAX:
        yield _more(len(lines) - LIST_MAX)


def _choices(title: str, found: list[Listed]) -> Iterator[RenderableType]:
    """Each ambiguous record with a table of its candidates and what to type for each."""
    if not found:
        return
    yield Text(f"{title} ({len(found)})", style="bold")
    for held in found[:LIST_MAX]:
        yield _line(held)
        if held.choices:
            rows = choices_table(held.entity, held.choices[: CANDIDATES_MAX + 1])
            yield Padding(rows, (0, 0, 0, 4), expand=False)
            yield from (
                text(f"    {line}") for line in choice_lines(held.choices[: CANDIDATES_MAX + 1])
            )
    if len(found) > LIST_MAX:
        yield _more(len(found) - LIST_MAX)


def _more(count: int) -> Text:
    return Text(f"  ... and {count} more: --json lists all", style="dim")


def _line(held: Listed) -> Text:
    record = called(held.entity, held.key, held.called)
    if held.duplicates:
        names = [
            f"{held.names[key]} ({key})" if key in held.names else key for key in held.duplicates
        ]
        return text(f"  {record} and {listed(names)}: {held.reason}")
    fields = ", ".join(held.fields) or held.field or ""
    said = f"  {record} [{fields}]" if fields else f"  {record}"
    if held.fields and held.reason == "linked":
        return text(said)
    known = (
        f" (candidates: {listed(held.candidates, held.candidates_count)})"
        if held.candidates
        else ""
    )
    return text(f"{said}: {held.reason}{known}")


def listed(keys: list[str], count: int = 0, most: int = CANDIDATES_MAX) -> str:
    """The first keys, and how many there are besides; `count` is how many there are in all, 0 for
    these."""
    rest = max(count, len(keys)) - len(keys[:most])
    return ", ".join(keys[:most]) + (f" and {rest} more" if rest else "")
