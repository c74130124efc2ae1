"""What would be written now and is not: on the screen, as JSON, and as CSV for sign-off;
`plan_page` has the page."""

from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console

from contracts.entities import EntityName, System
from contracts.messages import Link, Op
from contracts.said import Said, english
from contracts.said import say as sentence
from contracts.settings import Tenant
from services.console.files import cell, write_csv
from services.console.findings import brief_of, left_in
from services.console.foresee import foreseen
from services.console.known import KnownByModel
from services.console.model import ReadModel
from services.console.names import Named, Names, called, money, number_of, sums
from services.console.terminal import print_json, say
from services.console.values import change, shown
from services.console.waiting import UNHELD, facts_of, read_within, reasons_of, stored

COLUMNS = (
    "entity",
    "link",
    "name",
    "customer",
    "currency",
    "total",
    "op",
    "target",
    "field",
    "present",
    "planned",
    "batch",
    "reason",
    "foreseen",
    "findings",
)
Plan = dict[str, Any]


class Batch(msgspec.Struct, kw_only=True):
    """What waits under one name: records of one entity to which the same would be done, and of
    orders the sum of their totals, tax included, by currency."""

    batch: str
    entity: EntityName
    op: Op
    target: System
    records: int
    sums: dict[str, Decimal]

    def said(self) -> Said:
        """The same without the sum, as a sentence."""
        return sentence(
            "batch",
            batch=self.batch,
            op=self.op,
            count=self.records,
            entity=self.entity,
            system=self.target,
        )

    def words(self) -> str:
        """`creates-1: create 12 orders in poweroffice, NOK 125000.00`."""
        stake = f", {money(self.sums)}" if self.sums else ""
        name = f"{self.batch}: " if self.batch else ""
        return f"{name}{self.op} {number_of(self.records, self.entity)} in {self.target}{stake}"


def plan_of(
    link: Link, names: Names, settings: Tenant | None, said: list[Said] | None = None
) -> Plan | None:
    """The plan of a link, None without one: what would be done where, with which fields; `expected`
    is what the target held when it was planned, `foreseen` why it would be refused, `findings` what
    a person has to act on."""
    plan = link.plan
    if plan is None:
        return None
    would = foreseen(plan, settings) if settings is not None else []
    named, reasons = names.of(link), said if said is not None else stored(link)
    return {
        "batch": link.batch,
        "entity": link.entity,
        "link": link.key,
        "name": named.name,
        "customer": named.customer,
        "currency": named.currency,
        "total": named.total,
        "op": plan.op,
        "target": plan.target,
        "fields": plan.fields,
        "expected": plan.expected,
        "reason": english(*reasons) or link.reason,
        "said": reasons,
        "foreseen": list(map(english, would)),
        "foreseen_said": would,
        "findings": list(map(brief_of, left_in(link))),
    }


def plans_of(
    model: ReadModel, tenant: str, *, held_only: bool = False, settings: Tenant | None = None
) -> list[Plan]:
    """The plans that wait, by entity, batch and link; only those that wait for a person with
    `held_only`. Without `settings` nothing is foreseen and the mode is taken from what was last
    said."""
    known = KnownByModel(model, tenant)
    names = Names(known)
    mode = settings.effective_mode if settings is not None else "sync"
    undecided = settings.missing_decisions() if settings is not None else []
    within = read_within(settings) if settings is not None else None
    facts = facts_of(model.controls(tenant), model.cursors(tenant), mode, undecided, within)
    found = [
        plan
        for link in model.busy(tenant)
        if link.plan is not None and (link.state == "held" or not held_only)
        if (plan := plan_of(link, names, settings, reasons_of(link, facts, known))) is not None
    ]
    return sorted(found, key=lambda each: (each["entity"], each["batch"], each["link"]))


def batches_of(plans: Iterable[Plan | None]) -> list[Batch]:
    """What waits, by entity, batch and what would be done."""
    held: dict[tuple[Any, ...], list[Plan]] = {}
    for plan in plans:
        if plan is not None:
            held.setdefault((plan["entity"], plan["batch"], plan["op"], plan["target"]), []).append(
                plan
            )
    return [_batch(held[name]) for name in sorted(held)]


def _batch(plans: list[Plan]) -> Batch:
    first = plans[0]
    amounts = [(plan["currency"], plan["total"]) for plan in plans if plan["entity"] == "order"]
    return Batch(
        batch=first["batch"],
        entity=first["entity"],
        op=first["op"],
        target=first["target"],
        records=len(plans),
        sums=sums(amounts),
    )


def record_of(plan: Plan) -> str:
    """The record of a plan as a person calls it."""
    named = Named(
        name=plan["name"], customer=plan["customer"], currency=plan["currency"], total=plan["total"]
    )
    return called(plan["entity"], plan["link"], named)


def changes_of(plan: Plan, blank: str = "blank") -> dict[str, str]:
    """What would be written, in words by field: of a creation the values that are not blank, else
    old and new. `blank` is said of a side without a value."""
    fields, expected = plan["fields"], plan["expected"]
    if plan["op"] == "create":
        return {name: words for name, value in fields.items() if (words := shown(name, value))}
    return {
        name: change(name, expected.get(name), value, blank)
        if name in expected
        else shown(name, value) or blank
        for name, value in fields.items()
    }


def show_plans(console: Console, plans: list[Plan], *, as_json: bool, nothing: str) -> None:
    """A line for each and a count for each kind, or JSON; `nothing` is what is said of no plans."""
    if as_json:
        print_json(plans)
        return
    if not plans:
        say(console, nothing)
        return
    for plan in plans:
        say(console, line_of(plan))
        reason = plan["reason"] or ""
        if reason and (
            not plan["batch"] or reason.startswith(UNHELD)
        ):  # the batch says it of the others
            say(console, f"    {reason}")
        for words in plan["foreseen"]:
            say(console, f"    would be refused: {words}")
        for words in plan["findings"]:
            say(console, f"    finding {words}")
    for each in batches_of(plans):
        if each.batch:
            say(console, f"batch {each.words()}")
    say(console, summary(plans))


def line_of(plan: Plan) -> str:
    """One plan in one line."""
    fields = ", ".join(f"{name}={words}" for name, words in changes_of(plan).items())
    batch = f"{plan['batch']}  " if plan["batch"] else ""
    said = f"{batch}{record_of(plan)}: {plan['op']} in {plan['target']}"
    return f"{said}: {fields}" if fields else said


def summary(plans: list[Plan]) -> str:
    """How many of each kind: `customer create in poweroffice 12, ...`, with the sums of orders."""
    every = batches_of({**plan, "batch": ""} for plan in plans)
    told = [
        f"{each.entity} {each.op} in {each.target} "
        f"{each.records}{f' ({money(each.sums)})' if each.sums else ''}"
        for each in every
    ]
    return ", ".join(told) or "nothing is planned"


def write_plan_csv(file: Path, plans: list[Plan]) -> None:
    """One line for each field of each plan. Raises OSError."""
    write_csv(file, COLUMNS, plan_rows(plans))


def plan_rows(plans: list[Plan]) -> list[list[str]]:
    """A row with COLUMNS for each field of each plan."""
    rows = []
    for plan in plans:
        own = [
            plan[name]
            for name in ("entity", "link", "name", "customer", "currency", "total", "op", "target")
        ]
        end = [
            plan["batch"],
            plan["reason"] or "",
            "; ".join(plan["foreseen"]),
            "; ".join(plan["findings"]),
        ]
        for name, value in (plan["fields"] or {"": None}).items():
            rows.append([*own, name, cell(plan["expected"].get(name)), cell(value), *end])
    return rows
