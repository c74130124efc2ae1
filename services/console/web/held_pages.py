"""What is planned and held, and the sheet that a person signs before it is released."""

from typing import Any, NamedTuple

from starlette.responses import Response

from contracts.entities import ENTITIES
from contracts.settings import Tenant
from runtime.clock import iso_now
from runtime.harmless import shortened
from services.console.following import held_of
from services.console.model import ReadModel
from services.console.names import sums
from services.console.plan_page import SIGNED_COLUMNS, plan_html, refused_of, signed_rows
from services.console.plans import COLUMNS, Batch, Plan, changes_of, plan_rows, plans_of
from services.console.web.asked import Asked
from services.console.web.downloads import as_csv, as_html

ROWS_MAX, CHANGES_MAX, CHANGE_MAX = 60, 8, 60


class Held(NamedTuple):
    """The plans of one batch or all, and what is held, with how many records each holds."""

    plans: list[Plan]
    groups: list[tuple[Batch, int]]


async def held(asked: Asked) -> Response:
    """Every plan that waits, with what would be written; those that a person holds with a form."""
    found = await _found(asked)
    rows = [
        {"plan": plan, "changes": _changes(plan, asked.words("blank"))}
        for plan in found.plans[:ROWS_MAX]
    ]
    return asked.page(
        "held.html",
        groups=[{"batch": batch, "count": count} for batch, count in found.groups],
        rows=rows,
        records=len(found.plans),
        totals=sums((p["currency"], p["total"]) for p in found.plans if p["entity"] == "order"),
        query=f"?batch={batch}" if (batch := _batch(asked)) else "",
        more=max(0, len(found.plans) - ROWS_MAX),
        may_act=asked.person.may("release"),
    )


async def sheet_html(asked: Asked) -> Response:
    """For sign-off: who asked for it and when, counts and sums, every record, and room to sign."""
    found, by, at = await _found(asked), asked.person.name, iso_now()
    refused = await asked.aside(lambda model: refused_of(model, asked.tenant))
    title = f"Plans of {asked.tenant}{f', {_batch(asked)}' if _batch(asked) else ''}, {at[:19]}Z"
    page = plan_html(found.plans, title, refused, signed=(by, at))
    return as_html(f"{asked.tenant}-sign-off", page)


async def sheet_csv(asked: Asked) -> Response:
    """The same counts and sums for a spreadsheet, with who asked for it and when."""
    found = await _found(asked)
    rows = signed_rows(found.plans, asked.person.name, iso_now())
    return as_csv(f"{asked.tenant}-sign-off", SIGNED_COLUMNS, rows)


async def changes_csv(asked: Asked) -> Response:
    """Every field of every plan, as `tandem plan --csv` writes it."""
    found = await _found(asked)
    return as_csv(f"{asked.tenant}-plan", COLUMNS, plan_rows(found.plans))


def _batch(asked: Asked) -> str:
    return asked.request.query_params.get("batch", "")


async def _found(asked: Asked) -> Held:
    tenant, settings, batch = asked.tenant, asked.settings.tenants[asked.tenant], _batch(asked)
    return await asked.aside(lambda model: _read(model, tenant, settings, batch))


def _read(model: ReadModel, tenant: str, settings: Tenant, batch: str) -> Held:
    plans = plans_of(model, tenant, settings=settings)
    groups: list[tuple[Batch, int]] = []
    for entity in ENTITIES:
        of_entity = held_of(model, tenant, settings, entity, None)
        groups += [(each, of_entity.shown[each.batch]) for each in of_entity.batches if each.batch]
    chosen = [plan for plan in plans if batch in ("", plan["batch"])]
    return Held(chosen, groups)


def _changes(plan: Plan, blank: str) -> list[tuple[str, str]]:
    """The first changes in words, long ones cut short; the files have all of them."""
    held: list[tuple[str, Any]] = list(changes_of(plan, blank).items())
    said = [(name, shortened(w, CHANGE_MAX)) for name, w in held]
    return said if len(said) <= CHANGES_MAX else [*said[:CHANGES_MAX], ("…", "")]
