"""Runs: replays, reconciles and rebuilds, how far each is, and what it found."""

from typing import Any

import msgspec
from starlette.responses import Response

from contracts.facts import Run
from contracts.messages import Control, JournalEntry
from runtime.clock import iso_now
from runtime.harmless import shortened
from services.console import drift, reports
from services.console.files import html_text
from services.console.readings import overtaken_by
from services.console.runs import figures
from services.console.runs import said_of as run_said
from services.console.web.asked import Asked
from services.console.web.downloads import as_csv, as_html

RUNS_MAX, ENTRIES_MAX = 100, 100
TOLD = ("drift", "would", "not_verified")
WRITES = ("create", "update", "delete", "stamp")


async def runs(asked: Asked) -> Response:
    """All of them, the newest first."""
    found = sorted(
        asked.model.controls(asked.tenant, "run"),
        key=lambda control: str(control.value.get("at", "")),
        reverse=True,
    )
    rows = [{"id": c.id, "fact": c.value, "said": run_said(c.value)} for c in found[:RUNS_MAX]]
    whole = (c.id for c in found if reports.has_report(c.value) and overtaken_by(found, c) is None)
    last = next(whole, "")
    may_act = asked.person.may("reconcile")
    return asked.page("runs.html", rows=rows, last=last, may_act=may_act)


async def run(asked: Asked) -> Response:
    """One run: how far it is, and what it found."""
    run_id, fact = _named(asked)
    if fact is None:
        return asked.absent("There is no such run")
    try:
        over = msgspec.convert(fact, Run).is_over
    except msgspec.ValidationError:
        over = True
    later = _later(asked, run_id)
    head = await _head(asked, run_id) if reports.has_report(fact) and later is None else None
    is_replay = fact.get("kind") == "replay"
    entries, count = _entries(asked, run_id) if is_replay else ([], 0)
    return asked.page(
        "run.html",
        id=run_id,
        fact=fact,
        said=run_said(fact),
        figures=figures(fact),
        over=over,
        still=over,
        head=head,
        rows=_rows(asked, head) if head is not None else [],
        later=later.id if later is not None and reports.has_report(fact) else "",
        columns=drift.COLUMNS,
        more=max(0, head.count - len(head.rows)) if head is not None else 0,
        entries=entries,
        more_entries=count - len(entries),
        numbers=asked.numbers(entries),
        is_replay=is_replay,
        may_repeat=bool(fact.get("dry_run")) and fact.get("state") == "done",
        may_act=asked.person.may("run_cancel"),
    )


async def run_csv(asked: Asked) -> Response:
    """What a reconcile found, for a spreadsheet."""
    return await _file(asked, "csv")


async def run_html(asked: Asked) -> Response:
    """What a reconcile found, on a page that needs nothing else."""
    return await _file(asked, "html")


async def _file(asked: Asked, kind: str) -> Response:
    run_id, fact = _named(asked)
    if fact is None or not reports.has_report(fact):
        return asked.absent("There is no such run")
    if _later(asked, run_id) is not None:
        return asked.absent("A later run has read some of it again")
    report = await _report(asked, run_id)
    name, rows = f"{asked.tenant}-drift-{run_id}", list(drift.rows(report))
    if kind == "csv":
        return as_csv(name, drift.COLUMNS, rows)
    title = f"Drift of {asked.tenant}, {iso_now()[:19]}Z"
    return as_html(name, html_text(title, drift.summary(report), [("", drift.COLUMNS, rows)]))


def _named(asked: Asked) -> tuple[str, dict[str, Any] | None]:
    run_id = str(asked.request.path_params["run"])
    return run_id, asked.model.fact(asked.tenant, "run", run_id)


def _later(asked: Asked, run_id: str) -> Control | None:
    runs = asked.model.controls(asked.tenant, "run")
    own = next((each for each in runs if each.id == run_id), None)
    return overtaken_by(runs, own) if own is not None else None


async def _report(asked: Asked, run_id: str) -> drift.Report:
    tenant = asked.tenant
    return await asked.aside(lambda model: drift.drift_of(model, tenant, run_id))


async def _head(asked: Asked, run_id: str) -> reports.Head:
    """What was counted when the run had ended; counted now where the service has not come to it."""
    tenant, now = asked.tenant, iso_now()
    held = reports.kept(asked.model, tenant, run_id)
    if held is not None:
        return held
    return await asked.aside(lambda model: reports.head_of(model, tenant, run_id, now))


def _rows(asked: Asked, head: reports.Head) -> list[list[str]]:
    """The first rows of a report, with their notes in the reader's language."""
    notes = head.notes or [[] for _ in head.rows]
    return [
        [*row[:-1], shortened(asked.words.said(said, row[-1]), reports.CELL_MAX)]
        for row, said in zip(head.rows, notes, strict=True)
    ]


def _entries(asked: Asked, run_id: str) -> tuple[list[JournalEntry], int]:
    """What the command line tells of a replay: what was found and would follow, then the writes;
    the first of them, and how many there are."""
    cause = f"{asked.tenant}/run/{run_id}"
    return asked.model.told_by(asked.tenant, cause, (*TOLD, *WRITES), ENTRIES_MAX)
