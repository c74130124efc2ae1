"""What a finished reconcile found, counted once: the page of a run shows this, since counting looks
at every link. The files of the run are counted anew when they are fetched."""

from itertools import islice
from typing import Any

import msgspec

from contracts.said import Said
from runtime.harmless import shortened
from services.console import drift
from services.console.model import ReadModel
from services.console.readings import overtaken_by

ROWS_MAX, CELL_MAX = 60, 80
_encoder = msgspec.json.Encoder()


class Head(msgspec.Struct, kw_only=True, frozen=True):
    """A report's sum in one line, the drift that is left, its first rows with `drift.COLUMNS`, how
    many rows there are, and when it was counted (ISO 8601 UTC). `said` and `notes` are the sum and
    the notes of the rows as sentences; an older release kept none."""

    at: str
    summary: str
    left: int
    rows: list[list[str]]
    count: int
    said: list[Said] = []
    notes: list[list[Said]] = []


_decoder = msgspec.json.Decoder(Head)


def head_of(model: ReadModel, tenant: str, run: str, now: str) -> Head:
    """The report of a run as it stands now. Looks at every link."""
    report = drift.drift_of(model, tenant, run)
    rows = list(drift.rows(report))
    notes = drift.notes(report, lambda entity, key: model.link(tenant, entity, key))
    return Head(
        at=now,
        summary=drift.summary(report),
        left=report.left,
        rows=[[shortened(cell, CELL_MAX) for cell in row] for row in rows[:ROWS_MAX]],
        count=len(rows),
        said=drift.summary_said(report),
        notes=list(islice(notes, ROWS_MAX)),
    )


def kept(model: ReadModel, tenant: str, run: str) -> Head | None:
    """What was counted when the run had ended; None where that is still to be done."""
    found = model.report(tenant, run)
    return _decoder.decode(found) if found is not None else None


def has_report(run: dict[str, Any]) -> bool:
    """Whether a run, as `control` holds it, is a comparison that has ended."""
    return run.get("kind") == "reconcile" and run.get("state") in ("done", "cancelled")


def count_ended(model: ReadModel, tenant: str, now: str) -> int:
    """Count the comparisons of a tenant that have ended, whose readings are still there, and that
    are not counted yet; how many were. The model is level with the topics: what a run said last has
    come."""
    runs = model.controls(tenant, "run")
    whole = [run.id for run in runs if has_report(run.value) and overtaken_by(runs, run) is None]
    missing = [run for run in whole if model.report(tenant, run) is None]
    for run in missing:
        head = head_of(model, tenant, run, now)
        model.keep_report(tenant, run, _encoder.encode(head), among=whole)
    return len(missing)
