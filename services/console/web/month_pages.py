"""The orders of one month on both sides: sums by currency, and the orders that explain a
difference."""

from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from starlette.responses import Response

from contracts.entities import SYSTEMS
from contracts.messages import Control
from runtime.clock import utc_now
from runtime.harmless import shortened
from services.console.base import Unfit
from services.console.model import ReadModel
from services.console.readings import newest, whole
from services.console.totals import (
    ORDER_COLUMNS,
    UNKNOWN,
    OrderRow,
    Totals,
    differences_of,
    month_of,
    note_said,
    order_rows,
    sum_rows,
    totals_html,
    totals_of,
)
from services.console.web.asked import Asked
from services.console.web.downloads import as_csv, as_html

ROWS_MAX, NOTE_MAX = 50, 120


class Shown(NamedTuple):
    """An order that stands on one side, or differs: with the number of its page, both sides'
    differences by amount, and what is said of it."""

    row: OrderRow
    number: int | None
    differences: dict[str, str]
    note: str


class Month(NamedTuple):
    """A month as the last reconcile read it; `found` is None where none is complete: none was made
    yet (`run` is None), it is under way, another kind of run has read orders since, or what it read
    is no longer kept (`is_lost`)."""

    month: str
    run: Control | None
    found: Totals | None
    is_lost: bool = False


async def month(asked: Asked) -> Response:
    """Sums, then the orders of one currency or all that stand on one side or differ."""
    held = await _asked_for(asked)
    if isinstance(held, Response):
        return held
    currency = asked.request.query_params.get("currency", "")
    rows: dict[str, list[OrderRow]] = {"one_sided": [], "differing": []}
    if held.found is not None:
        rows["one_sided"] = held.found.unlinked
        rows["differing"] = [each for each in held.found.orders if differences_of(each)]
    chosen = {
        name: [r for r in each if currency in ("", r.currency)] for name, each in rows.items()
    }
    return asked.page(
        "month.html",
        still=held.found is not None,
        month=held.month,
        run=held.run,
        found=held.found,
        is_lost=held.is_lost,
        currency=currency,
        sums=_sums(held.found, rows) if held.found is not None else [],
        shown={name: [_shown(asked, r) for r in each[:ROWS_MAX]] for name, each in chosen.items()},
        more={name: max(0, len(each) - ROWS_MAX) for name, each in chosen.items()},
        may_act=asked.person.may("reconcile"),
    )


async def month_csv(asked: Asked) -> Response:
    """Every order of the month, for a spreadsheet."""
    held = await _asked_for(asked)
    if isinstance(held, Response):
        return held
    if held.found is None:
        return asked.absent("Orders of both systems have not been read")
    rows = order_rows(held.found.orders + held.found.unlinked)
    return as_csv(_name(asked, held), ORDER_COLUMNS, rows)


async def month_html(asked: Asked) -> Response:
    """The same with the sums, on a page that needs nothing else."""
    held = await _asked_for(asked)
    if isinstance(held, Response):
        return held
    if held.found is None or held.run is None:
        return asked.absent("Orders of both systems have not been read")
    read_at = str(held.run.value.get("at", ""))[:19]
    title = f"Orders of {asked.tenant} in {held.month}, read {read_at}Z"
    return as_html(_name(asked, held), totals_html(held.found, title))


async def _asked_for(asked: Asked) -> Month | Response:
    """The month of the address, this one without; a page that says so where it is none."""
    given = asked.request.query_params.get("month") or f"{_now(asked):%Y-%m}"
    try:
        wanted = month_of(given)
    except Unfit as error:
        return asked.refused("This is no month", error)
    run = newest(asked.model.controls(asked.tenant, "run"), "order")
    is_whole = run is not None and (run.value.get("kind"), run.value.get("state")) == (
        "reconcile",
        "done",
    )
    if run is None or not is_whole:
        return Month(wanted, run, None)
    tenant, run_id = asked.tenant, run.id

    def query(model: ReadModel) -> Totals | None:
        kept = {event.system for event in model.readings(tenant, run_id, "order")}
        is_kept = whole(run.value, "order", kept) == set(SYSTEMS)
        return totals_of(model, tenant, run_id, wanted) if is_kept else None

    found = await asked.aside(query)
    return Month(wanted, run, found, is_lost=found is None)


def _now(asked: Asked) -> datetime:
    return utc_now().astimezone(ZoneInfo(asked.settings.tenants[asked.tenant].zone))


def _sums(found: Totals, rows: dict[str, list[OrderRow]]) -> list[dict[str, Any]]:
    """The sums as rows, each with how many orders of its currency explain a difference."""
    return [
        {
            "cells": cells,
            **{name: sum(r.currency == cells[0] for r in each) for name, each in rows.items()},
        }
        for cells in sum_rows(found)
    ]


def _shown(asked: Asked, row: OrderRow) -> Shown:
    link = asked.model.link(asked.tenant, "order", row.link)
    if link is None:
        said, number = [] if row.link else [UNKNOWN], None
    else:
        is_whole = all(row.amounts["total"].values())
        said, number = note_said(link, is_whole=is_whole), asked.model.number_of(link)
    note = shortened(asked.words.said(said, row.note), NOTE_MAX)
    return Shown(row, number, differences_of(row), note)


def _name(asked: Asked, held: Month) -> str:
    return f"{asked.tenant}-orders-{held.month}"
