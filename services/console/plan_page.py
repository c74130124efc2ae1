"""The plans on one page for sign-off: a row for each record, by entity and action, with counts and
sums."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from services.console.files import Row, Table, html_text, write
from services.console.foresee import LIMITS
from services.console.known import KnownByModel
from services.console.model import ReadModel
from services.console.names import Names, money, sums, total_of
from services.console.plans import Plan, batches_of, changes_of, record_of, summary

SUM_COLUMNS = ("batch", "entity", "what", "in", "records", "sum")
SIGNED_COLUMNS = (*SUM_COLUMNS, "asked for by", "at")
SIGN_COLUMNS = ("asked for by", "at", "records", "sum of orders", "signed by", "date")
DOCUMENT = (
    "This sheet is a document: Tandem does not know whether it was signed. Who releases or discards"
    " stands in the journal."
)
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
        for link in model.in_states(tenant, ("rejected",), most=-1)
    ]


def write_plan_html(file: Path, plans: list[Plan], title: str, before: Sequence[Row] = ()) -> None:
    """The page as `plan_html` has it. Raises OSError."""
    write(file, plan_html(plans, title, before))


def plan_html(
    plans: list[Plan],
    title: str,
    before: Sequence[Row] = (),
    *,
    signed: tuple[str, str] | None = None,
) -> str:
    """One page that needs nothing else; `before` is what is refused already (REFUSED_COLUMNS).
    `signed` names the person who asked for it and the time (ISO 8601 UTC): then there is room to
    sign."""
    tables: list[Table] = [("Sums", SUM_COLUMNS, list(_sum_rows(plans)))]
    if signed is not None:
        by, at = signed
        totals = money(sums(_totals(plans)))
        facts = [by, f"{at[:19]}Z", str(len(plans)), totals or "no orders", "", ""]
        tables.insert(0, ("For sign-off", SIGN_COLUMNS, [facts]))
    refused = [*_refused_rows(plans), *before]
    heading = f"Would be refused, or is ({len(refused)})"
    tables.append(
        (heading, REFUSED_COLUMNS, refused or [("", "", "", "", "nothing that can be foreseen")])
    )
    for each in batches_of({**plan, "batch": ""} for plan in plans):
        kind = (each.entity, each.op, each.target)
        meant = [plan for plan in plans if (plan["entity"], plan["op"], plan["target"]) == kind]
        tables.append((each.words(), *_table(meant)))
    said = f"{summary(plans)}. {LIMITS}"
    return html_text(title, said if signed is None else f"{said} {DOCUMENT}", tables)


def signed_rows(plans: list[Plan], by: str, at: str) -> Iterator[Row]:
    """The sums with SIGNED_COLUMNS, and all of it in the last row; `by` asked for it `at` a time
    (ISO 8601 UTC)."""
    who = (by, f"{at[:19]}Z")
    for row in _sum_rows(plans):
        yield (*row, *who)
    yield ("all", "", "", "", str(len(plans)), money(sums(_totals(plans))), *who)


def _totals(plans: list[Plan]) -> Iterator[tuple[str, str]]:
    return ((each["currency"], each["total"]) for each in plans if each["entity"] == "order")


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
