"""The plans on one page for sign-off: a row for each record, by entity and action, with counts and
sums."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from services.console.files import Row, write_html
from services.console.foresee import LIMITS
from services.console.known import KnownByModel
from services.console.model import ReadModel
from services.console.names import Names, money, total_of
from services.console.plans import Plan, batches_of, changes_of, record_of, summary

SUM_COLUMNS = ("batch", "entity", "what", "in", "records", "sum")
REFUSED_COLUMNS = ("entity", "link", "name", "what", "why it would be refused")
_OWN = {
    "customer": ("link", "name"),
    "product": ("link", "name"),
    "order": ("link", "name", "customer", "total"),
}
_TITLES = {"name": "record"}


def refused_of(model: ReadModel, tenant: str) -> list[Row]:
    """What is refused already and planned no more, until its record changes: rows with
    REFUSED_COLUMNS."""
    names = Names(KnownByModel(model, tenant))
    return [
        (link.entity, link.key, names.called(link), "refused already", link.reason or "")
        for link in model.links(tenant, None, "rejected")
    ]


def write_plan_html(file: Path, plans: list[Plan], title: str, before: Sequence[Row] = ()) -> None:
    """One page that needs nothing else; `before` is what is refused already (REFUSED_COLUMNS).
    Raises OSError."""
    tables: list[tuple[str, Row, Sequence[Row]]] = [("Sums", SUM_COLUMNS, list(_sum_rows(plans)))]
    refused = [*_refused_rows(plans), *before]
    heading = f"Would be refused, or is ({len(refused)})"
    tables.append(
        (heading, REFUSED_COLUMNS, refused or [("", "", "", "", "nothing that can be foreseen")])
    )
    for each in batches_of({**plan, "batch": ""} for plan in plans):
        kind = (each.entity, each.op, each.target)
        meant = [plan for plan in plans if (plan["entity"], plan["op"], plan["target"]) == kind]
        tables.append((each.words(), *_table(meant)))
    write_html(file, title, f"{summary(plans)}. {LIMITS}", tables)


def _sum_rows(plans: list[Plan]) -> Iterator[Row]:
    for each in batches_of(plans):
        yield (each.batch, each.entity, each.op, each.target, str(each.records), money(each.sums))


def _refused_rows(plans: list[Plan]) -> Iterator[Row]:
    for plan in plans:
        for words in plan["foreseen"]:
            what = f"{plan['op']} in {plan['target']}"
            yield (plan["entity"], plan["link"], record_of(plan), what, words)


def _table(plans: list[Plan]) -> tuple[Row, list[Row]]:
    """The columns and rows of one kind of plan: a column for each field that one of them writes."""
    own = _OWN[plans[0]["entity"]]
    changes = [changes_of(plan) for plan in plans]
    fields = list(dict.fromkeys(name for each in changes for name in each))
    titles = tuple(_TITLES.get(name, name) for name in own)
    columns = (*titles, *fields, "batch", "why it waits", "findings")
    rows: list[Row] = [
        (
            *(_own(plan, name) for name in own),
            *(each.get(name, "") for name in fields),
            plan["batch"],
            plan["reason"] or "",
            "; ".join(plan["findings"]),
        )
        for plan, each in zip(plans, changes, strict=True)
    ]
    return columns, rows


def _own(plan: Plan, name: str) -> str:
    if name == "total":
        return total_of(plan["currency"], plan["total"])
    return str(plan[name])
