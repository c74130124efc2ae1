"""Puts a status on the terminal."""

from collections.abc import Iterator
from datetime import UTC, datetime

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from contracts.entities import SYSTEMS
from services.console.status import EntityStatus, Finding, Status, TenantStatus

LIST_MAX = 20
CANDIDATES_MAX = 5
_KINDS = (
    ("rejected", "Rejected"), ("ambiguous", "Ambiguous: a person picks"),
    ("duplicates", "Possible duplicates: a person looks"), ("conflicts", "Conflicts"),
    ("waiting", "Waiting"), ("stuck", "Held, parked or broken"), ("differing", "Different on the two sides"),
)  # fmt: skip
_ROWS = (
    "in Chargebee", "in Go", "linked", "waiting", "pending", "ambiguous", "rejected", "ignored", "held", "parked",
    "conflicts", "differing", "commands open", "dead letters", "Chargebee read", "Go read",
)  # fmt: skip


def show_status(console: Console, status: Status, now: datetime) -> None:
    """One table and the lists of each tenant, then the lag of the services. `now` is aware."""
    for name, tenant in status.tenants.items():
        console.print(_table(name, tenant, now))
        budget = ", ".join(f"{system} {used:.0f} %" for system, used in sorted(tenant.budget_percent.items()))
        said = [f"Mode {tenant.mode}", f"request budget used: {budget}" if budget else "", *tenant.switches]
        console.print(Text("; ".join(filter(None, said))))
        console.print(Group(*_lists(tenant)))
    lag = ", ".join(f"{group} {count}" for group, count in status.lag.items())
    console.print(f"Messages not taken yet: {lag}")
    if not status.tenants:
        console.print("No tenant is configured: add a table [tenants.NAME] to tandem.toml.")


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
    for state in ("waiting", "pending", "ambiguous", "rejected", "ignored", "held", "parked", "conflict"):
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
    for trouble in tenant.troubles:
        yield Text(f"! {trouble}", style="yellow")
    for attribute, title in _KINDS:
        found: list[Finding] = getattr(tenant, attribute)
        if found:
            yield Text(f"{title} ({len(found)})", style="bold")
            yield from map(_line, found[:LIST_MAX])
            if len(found) > LIST_MAX:
                yield Text(f"  ... and {len(found) - LIST_MAX} more: --json lists all", style="dim")
    if tenant.ignored:
        yield Text("Ignored", style="bold")
        yield from (Text(f"  {count} x {reason}") for reason, count in tenant.ignored.items())


def _line(finding: Finding) -> Text:
    if finding.duplicates:
        return Text(f"  {finding.entity} {finding.key} and {listed(finding.duplicates)}: {finding.reason}")
    parts = [f"  {finding.entity} {finding.key}"]
    if finding.field:
        parts.append(f"[{finding.field}]")
    if finding.fields:
        parts.append(f"[{', '.join(finding.fields)}]")
    if not finding.fields or finding.reason != "linked":
        parts.append(finding.reason)
    if finding.candidates:
        parts.append(f"(candidates: {listed(finding.candidates, finding.candidates_count)})")
    return Text(" ".join(parts))


def listed(keys: list[str], count: int = 0, most: int = CANDIDATES_MAX) -> str:
    """The first keys, and how many there are besides; `count` is how many there are in all, 0 for these."""
    rest = max(count, len(keys)) - len(keys[:most])
    return ", ".join(keys[:most]) + (f" and {rest} more" if rest else "")
