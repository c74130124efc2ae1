"""What would be written now and is not: on the screen, as JSON, and as CSV and HTML files for sign-off."""

import csv
import html
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from contracts.settings import Settings
from services.console.links import read_links

COLUMNS = ("entity", "link", "op", "target", "field", "present", "planned", "batch", "reason")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_STYLE = "body{font:14px sans-serif}table{border-collapse:collapse}td,th{border:1px solid #999;padding:2px 6px}"


async def read_plans(settings: Settings, tenant: str, *, held_only: bool = False) -> list[dict[str, Any]]:
    """The plans that wait, by entity, batch and link: what would be done where, with which fields; `expected` is what
    the target held when it was planned."""
    plans = [
        {"batch": link.batch, "entity": link.entity, "link": link.key, "op": link.plan.op, "target": link.plan.target,
         "fields": link.plan.fields, "expected": link.plan.expected, "reason": link.reason}
        for link in await read_links(settings, tenant)
        if link.plan is not None and (link.state == "held" or not held_only)
    ]  # fmt: skip
    return sorted(plans, key=lambda each: (each["entity"], each["batch"], each["link"]))


def show_plans(console: Console, plans: list[dict[str, Any]], *, as_json: bool, nothing: str) -> None:
    """As a table with a count for each kind, or as JSON; `nothing` is what is said of no plans."""
    if as_json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(plans)).decode() + "\n")
        return
    if not plans:
        console.print(nothing)
        return
    table = Table("batch", "entity", "link", "would", "fields", box=None)
    for plan in plans:
        fields = ", ".join(f"{name}={value}" for name, value in plan["fields"].items())
        would = f"{plan['op']} in {plan['target']}"
        table.add_row(*map(Text, (plan["batch"], plan["entity"], plan["link"], would, fields[:80])))
    console.print(table)
    console.print(summary(plans), soft_wrap=True)


def summary(plans: list[dict[str, Any]]) -> str:
    """How many of each kind: `customer create in poweroffice 12, ...`."""
    counts = Counter(f"{plan['entity']} {plan['op']} in {plan['target']}" for plan in plans)
    return ", ".join(f"{kind} {count}" for kind, count in sorted(counts.items())) or "nothing is planned"


def write_plan_csv(file: Path, plans: list[dict[str, Any]]) -> None:
    """One line for each field of each plan. A text that a spreadsheet would calculate begins with an apostrophe.
    Raises OSError."""
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows([_inert(cell) for cell in row] for row in _rows(plans))


def write_plan_html(file: Path, plans: list[dict[str, Any]], title: str) -> None:
    """One page that needs nothing else. Raises OSError."""
    head = "".join(f"<th>{name}</th>" for name in COLUMNS)
    body = "\n".join(f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>" for row in _rows(plans))
    file.write_text(
        "<!doctype html>\n<html lang=en><meta charset=utf-8>\n"
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style>\n"
        f"<h1>{html.escape(title)}</h1>\n<p>{html.escape(summary(plans))}</p>\n"
        f"<table>\n<tr>{head}</tr>\n{body}\n</table>\n</html>\n",
        encoding="utf-8",
    )


def _rows(plans: list[dict[str, Any]]) -> list[list[str]]:
    rows = []
    for plan in plans:
        fields = plan["fields"] or {"": None}
        for name, value in fields.items():
            present = plan["expected"].get(name)
            rows.append([plan["entity"], plan["link"], plan["op"], plan["target"], name, _cell(present), _cell(value),
                         plan["batch"], plan["reason"] or ""])  # fmt: skip
    return rows


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _inert(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
