"""Puts findings on the terminal, into CSV and onto a page."""

from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from services.console import findings
from services.console.files import write_csv, write_html
from services.console.findings import Found
from services.console.terminal import print_json, say, table, text


def show_findings(console: Console, found: list[Found], hidden: int, *, as_json: bool) -> None:
    """Each finding with its documents, what to do and the lines that differ, then the sums;
    `hidden` says how many settled ones are not among them."""
    if as_json:
        print_json({"findings": found, "sums": findings.sums(found)})
        return
    for each in found:
        say(console, findings.head_of(each))
        for line in details(each):
            say(console, f"    {line}")
    if found:
        sums = table(*findings.SUM_COLUMNS)
        for row in findings.sum_rows(findings.sums(found)):
            sums.add_row(*map(text, row))
        console.print(sums)
    say(console, summary(found, hidden))


def details(found: Found) -> Iterator[str]:
    """What it is, what to do, the lines that differ, since when it stands and who has settled
    it."""
    finding, settled = found.finding, found.settled
    yield finding.text
    yield f"to do: {finding.todo}"
    yield from (f"line {findings.line_of(line)}" for line in finding.lines)
    yield f"since {finding.since[:19]}Z"
    if settled is not None:
        yield f"settled {settled.at[:19]}Z by {settled.by}: {settled.remark}"


def summary(found: list[Found], hidden: int = 0) -> str:
    """How many there are, and how many a person has settled."""
    settled = sum(each.settled is not None for each in found)
    said = findings.number_of(len(found)) + (f", {settled} of them settled" if settled else "")
    return said + (f"; {hidden} settled and not listed: add --settled" if hidden else "")


def write_findings_csv(file: Path, found: list[Found]) -> None:
    """One line for each. Raises OSError."""
    write_csv(file, findings.COLUMNS, findings.rows(found))


def write_findings_html(file: Path, found: list[Found], title: str) -> None:
    """Findings, sums and the lines that differ on one page. Raises OSError."""
    tables = [
        ("Findings", findings.COLUMNS, list(findings.rows(found))),
        ("Sums", findings.SUM_COLUMNS, list(findings.sum_rows(findings.sums(found)))),
    ]
    if lines := list(findings.line_rows(found)):
        tables.append(("Lines that differ", findings.LINE_COLUMNS, lines))
    write_html(file, title, summary(found), tables)
