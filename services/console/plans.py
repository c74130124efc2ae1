"""What would be written now and is not: on the screen, as JSON, and as CSV and HTML files for sign-off."""

from collections import Counter
from pathlib import Path
from typing import Any

from rich.console import Console

from services.console.base import print_json, say
from services.console.files import cell, write_csv, write_html
from services.console.model import ReadModel

COLUMNS = ("entity", "link", "op", "target", "field", "present", "planned", "batch", "reason")


def plans_of(model: ReadModel, tenant: str, *, held_only: bool = False) -> list[dict[str, Any]]:
    """The plans that wait, by entity, batch and link: what would be done where, with which fields; `expected` is what
    the target held when it was planned."""
    plans = [
        {"batch": link.batch, "entity": link.entity, "link": link.key, "op": link.plan.op, "target": link.plan.target,
         "fields": link.plan.fields, "expected": link.plan.expected, "reason": link.reason}
        for link in model.links(tenant)
        if link.plan is not None and (link.state == "held" or not held_only)
    ]  # fmt: skip
    return sorted(plans, key=lambda each: (each["entity"], each["batch"], each["link"]))


def show_plans(console: Console, plans: list[dict[str, Any]], *, as_json: bool, nothing: str) -> None:
    """A line for each and a count for each kind, or JSON; `nothing` is what is said of no plans."""
    if as_json:
        print_json(plans)
        return
    if not plans:
        console.print(nothing)
        return
    for plan in plans:
        # A blank that is created blank says nothing; one that takes the place of a value does.
        fields = ", ".join(f"{name}={cell(value) or 'blank'}" for name, value in plan["fields"].items()
                           if plan["op"] != "create" or value is not None)  # fmt: skip
        batch = f"{plan['batch']}  " if plan["batch"] else ""
        said = f"{batch}{plan['entity']} {plan['link']}: {plan['op']} in {plan['target']}"
        say(console, f"{said}: {fields}" if fields else said)
    console.print(summary(plans), soft_wrap=True)


def summary(plans: list[dict[str, Any]]) -> str:
    """How many of each kind: `customer create in poweroffice 12, ...`."""
    counts = Counter(f"{plan['entity']} {plan['op']} in {plan['target']}" for plan in plans)
    return ", ".join(f"{kind} {count}" for kind, count in sorted(counts.items())) or "nothing is planned"


def write_plan_csv(file: Path, plans: list[dict[str, Any]]) -> None:
    """One line for each field of each plan. Raises OSError."""
    write_csv(file, COLUMNS, _rows(plans))


def write_plan_html(file: Path, plans: list[dict[str, Any]], title: str) -> None:
    """One page that needs nothing else. Raises OSError."""
    write_html(file, title, summary(plans), [("", COLUMNS, _rows(plans))])


def _rows(plans: list[dict[str, Any]]) -> list[list[str]]:
    rows = []
    for plan in plans:
        fields = plan["fields"] or {"": None}
        for name, value in fields.items():
            present = plan["expected"].get(name)
            rows.append([plan["entity"], plan["link"], plan["op"], plan["target"], name, cell(present), cell(value),
                         plan["batch"], plan["reason"] or ""])  # fmt: skip
    return rows
