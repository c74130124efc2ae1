"""Commands that have records read again: replay, reconcile, rebuild, and the runs themselves."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from contracts import signals
from contracts.messages import JournalEntry
from runtime.clock import iso_now, utc_now
from services.console import drift, totals
from services.console.base import (
    LEFT,
    CsvOption,
    EntityOption,
    HtmlOption,
    JsonOption,
    Meant,
    SystemLiteral,
    TenantOption,
    done,
    meant,
    read,
    run,
    signal,
    stop,
)
from services.console.files import cell
from services.console.links import imports, pairs_of, read_pairs
from services.console.lookup import require_known
from services.console.ranges import moment_of, ranges_of
from services.console.rebuilding import compare_pairs, until_planned, until_reloaded
from services.console.runs import follow, show_runs, words_of
from services.console.terminal import Screen, print_json, tell, text

LIST_MAX = 40
RunArgument = Annotated[
    str, typer.Argument(metavar="RUN", help="The run's id, as `tandem runs list` shows it.")
]
DetachOption = Annotated[
    bool, typer.Option("--detach", help="Do not wait; the run goes on in the services.")
]


def replay(
    from_: Annotated[
        str,
        typer.Option(
            "--from", help="A time (2026-11-28T10:00), a span ago (2h, 3d), or an offset."
        ),
    ],
    to: Annotated[
        str | None, typer.Option("--to", help="The end of the range; without it, now.")
    ] = None,
    entity: EntityOption = None,
    record: Annotated[
        str | None, typer.Option("--id", help="Only the record with this id.")
    ] = None,
    side: Annotated[
        SystemLiteral | None,
        typer.Option(
            "--side", help="Only events of this system; only the other system is read then."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be written, and change nothing.")
    ] = False,
    tenant: TenantOption = None,
    detach: DetachOption = False,
    as_json: JsonOption = False,
) -> None:
    """Plan the records again that have events in a range: both sides are read anew; what converged
    is not written."""
    about = meant(tenant)
    now, zone = utc_now(), about.settings.tenants[about.tenant].zone
    try:
        begin, end = moment_of(from_, zone, now), None if to is None else moment_of(to, zone, now)
        ranges = run(
            about.settings, ranges_of(about.settings, about.tenant, begin, end, entity, now)
        )
    except ValueError as error:
        stop(str(error))
    if record is not None:
        read(about, lambda model: require_known(model, about.tenant, entity, record))
    answer = signal(
        about, signals.Replay(ranges=ranges, entity=entity, id=record, side=side, dry_run=dry_run)
    )
    if detach:
        tell(f"replay {answer['run']} is under way; tandem runs show {answer['run']}")
        return
    fact = follow(about, answer["run"])
    entries = read(
        about, lambda model: model.caused(about.tenant, f"{about.tenant}/run/{answer['run']}")
    )
    _show_replay(answer["run"], fact, entries, as_json=as_json)
    if fact["state"] == "cancelled" or (dry_run and fact["counts"].get("different")):
        raise typer.Exit(LEFT)


def _show_replay(
    run_id: str, fact: dict[str, Any], entries: list[JournalEntry], *, as_json: bool
) -> None:
    writes = [each for each in entries if each.rule in ("create", "update", "delete", "stamp")]
    if as_json:
        print_json(
            {
                "run": run_id,
                **fact,
                "writes": writes,
                "findings": [e for e in entries if e.rule == "drift"],
                "would": [each for each in entries if each.rule == "would"],
            }
        )
        return
    told = [each for each in entries if each.rule in ("drift", "would", "not_verified")]
    for entry in [*told, *writes][:LIST_MAX]:
        tell(f"{entry.entity} {entry.link}: {entry.text}")
        if entry.rule == "drift":
            tell(f"    found {cell(entry.value)}, taken for {cell(entry.losing)}")
    dry = bool(fact.get("dry_run"))
    tell(
        f"{'dry run' if dry else 'replay'} {fact['state']}: {words_of(fact)}; writes {len(writes)}"
    )


def reconcile(
    entity: EntityOption = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Fold what was read, and so send the corrections.")
    ] = False,
    month: Annotated[
        str | None,
        typer.Option(
            "--totals",
            metavar="MONTH",
            help="Add up the orders of a month (2026-11) on both sides instead.",
        ),
    ] = None,
    to_csv: CsvOption = None,
    to_html: HtmlOption = None,
    tenant: TenantOption = None,
    detach: DetachOption = False,
    as_json: JsonOption = False,
) -> None:
    """Read both systems whole and compare them with what is believed.

    Exit code 3 while something differs, or a finding of what was read is not settled.
    """
    about = meant(tenant)
    if month is not None:
        _totals(about, month, repair, entity, to_csv, to_html, as_json=as_json)
        return
    run_id = signal(about, signals.Reconcile(entity=entity, repair=repair))["run"]
    if detach:
        tell(f"reconcile {run_id} is under way; tandem runs show {run_id}")
        return
    report = _reported(about, run_id)
    _save(to_csv, to_html, report, about.tenant)
    if repair and not as_json:
        _show(report, known=False)
        tell("repaired; reading once more")
    if repair:
        left = _reported(about, signal(about, signals.Reconcile(entity=entity))["run"])
        if as_json:
            print_json({"found": report, "left": left})
        else:
            _show(left)
        report = left
    elif as_json:
        print_json(report)
    else:
        _show(report)
    if report.left or report.findings:
        raise typer.Exit(LEFT)


def _reported(about: Meant, run_id: str) -> drift.Report:
    _followed(about, run_id)
    return read(about, lambda model: drift.drift_of(model, about.tenant, run_id))


def _followed(about: Meant, run_id: str) -> None:
    """Follow a comparison to its end; one that is cancelled has not read everything."""
    if follow(about, run_id)["state"] == "cancelled":
        stop(f"reconcile {run_id} was cancelled", LEFT)


def _save(to_csv: Path | None, to_html: Path | None, report: drift.Report, tenant: str) -> None:
    try:
        if to_csv is not None:
            drift.write_report_csv(to_csv, report)
        if to_html is not None:
            drift.write_report_html(to_html, report, f"Drift of {tenant}, {iso_now()[:19]}Z")
    except OSError as error:
        stop(f"the file cannot be written: {error}")


def _show(report: drift.Report, *, known: bool = True) -> None:
    lines = list(drift.lines(report, known=known))
    for line in lines[:LIST_MAX]:
        tell(line)
    if len(lines) > LIST_MAX:
        tell(f"... and {len(lines) - LIST_MAX} more: --csv, --html or --json has all")
    tell(drift.summary(report))


def _totals(
    about: Meant,
    month: str,
    repair: bool,
    entity: str | None,
    to_csv: Path | None,
    to_html: Path | None,
    *,
    as_json: bool,
) -> None:
    try:
        month = totals.month_of(month)
    except ValueError as error:
        stop(str(error))
    if repair or entity not in (None, "order"):
        stop("--totals is about orders and repairs nothing: leave out --repair and --entity")
    run_id = signal(about, signals.Reconcile(entity="order"))["run"]
    _followed(about, run_id)
    found = read(about, lambda model: totals.totals_of(model, about.tenant, run_id, month))
    try:
        if to_csv is not None:
            totals.write_totals_csv(to_csv, found)
        if to_html is not None:
            totals.write_totals_html(
                to_html, found, f"Orders of {about.tenant} in {month}, read {iso_now()[:19]}Z"
            )
    except OSError as error:
        stop(f"the file cannot be written: {error}")
    if as_json:
        print_json(found)
    else:
        _show_totals(Screen(), found)
    if found.differs:
        raise typer.Exit(LEFT)


def _show_totals(console: Console, found: totals.Totals) -> None:
    table = Table(
        *totals.SUM_COLUMNS,
        title=f"Orders of {found.month}",
        title_justify="left",
        box=None,
        pad_edge=False,
    )
    for row in totals.sum_rows(found):
        table.add_row(*map(text, row))
    console.print(table)
    for title, rows in (("On both sides", found.orders), ("On one side", found.unlinked)):
        tell(f"{title} ({len(rows)})")
        for order in rows[:LIST_MAX]:
            tell(f"  {totals.line_of(order)}")
        if len(rows) > LIST_MAX:
            tell(f"  ... and {len(rows) - LIST_MAX} more: --csv, --html or --json has all")


def rebuild(
    from_vendors: Annotated[
        bool,
        typer.Option(
            "--from-vendors",
            help="From both systems and their references, not from the links topic.",
        ),
    ] = False,
    pairs: Annotated[
        Path | None,
        typer.Option(
            "--import", help="Also link the pairs of a CSV file, as `links export` prints it."
        ),
    ] = None,
    tenant: TenantOption = None,
) -> None:
    """Make the map of ids anew, from its topic or from both systems; creates nothing and compares
    it with the old."""
    about = meant(tenant)
    if not from_vendors:
        if pairs is not None:
            stop(
                "--import goes with --from-vendors; tandem links import links pairs into the map "
                "as it is"
            )
        _reload(about)
        return
    try:
        told = read_pairs(pairs) if pairs is not None else []
    except (OSError, ValueError) as error:
        stop(f"{pairs}: {error}")
    before = read(about, lambda model: pairs_of(model, about.tenant))
    run_id = signal(about, signals.Rebuild())["run"]
    refused = [line for part in imports(told) for line in signal(about, part)["refused"]]
    for line in refused:
        tell(f"refused: {line}", err=True)
    tell(f"rebuild {run_id}: {about.tenant} observes, the links are made anew from both systems")
    follow(about, run_id)
    until_planned(about)
    after = read(about, lambda model: pairs_of(model, about.tenant))
    gone, come = compare_pairs(before, after)
    for title, found in (("no longer linked", gone), ("newly linked", come)):
        for pair in found[:LIST_MAX]:
            tell(f"{title}: {pair['entity']} {pair['chargebee']} {pair['poweroffice']}")
    tell(
        f"{len(after)} pairs linked; {len(gone)} no longer, {len(come)} newly; nothing was created"
    )
    tell(f"look at tandem plan; tandem mode sync --tenant {about.tenant} lets the sync go on")
    if gone or come or refused:
        raise typer.Exit(LEFT)


def _reload(about: Meant) -> None:
    fact = until_reloaded(about, signal(about, signals.AskReload())["signal"])
    differing = fact["differing"]
    for name in differing[:LIST_MAX]:
        tell(f"differed: {name}")
    tell(
        f"{fact['links']} links read anew from their topic; {len(differing)} differed from what "
        f"was held"
    )
    if differing:
        raise typer.Exit(LEFT)


# -- the runs


def runs_list(tenant: TenantOption = None, as_json: JsonOption = False) -> None:
    """The runs of a tenant, the newest first."""
    about = meant(tenant)
    show_runs(
        Screen(), read(about, lambda model: model.controls(about.tenant, "run")), as_json=as_json
    )


def runs_show(
    run_id: RunArgument, tenant: TenantOption = None, as_json: JsonOption = False
) -> None:
    """One run: how far it is and what it found."""
    about = meant(tenant)
    fact = read(about, lambda model: model.fact(about.tenant, "run", run_id))
    if fact is None:
        stop(f"there is no run {run_id!r}; tandem runs list shows them")
    entries = read(about, lambda model: model.caused(about.tenant, f"{about.tenant}/run/{run_id}"))
    if as_json:
        print_json({"run": run_id, **fact, "entries": entries})
        return
    for entry in entries[:LIST_MAX]:
        tell(f"{entry.entity} {entry.link}: {entry.text}")
    if len(entries) > LIST_MAX:
        tell(f"... and {len(entries) - LIST_MAX} more: --json has all")
    tell(f"{fact.get('kind')} {fact.get('state')}: {words_of(fact)}")


def runs_pause(run_id: RunArgument, tenant: TenantOption = None) -> None:
    """Let a run rest; what it has read is kept."""
    done(signal(meant(tenant), signals.PauseRun(run=run_id)))


def runs_resume(run_id: RunArgument, tenant: TenantOption = None) -> None:
    """Let a run that rests go on."""
    done(signal(meant(tenant), signals.ResumeRun(run=run_id)))


def runs_cancel(run_id: RunArgument, tenant: TenantOption = None) -> None:
    """End a run early; what it has found and written so far stays."""
    done(signal(meant(tenant), signals.CancelRun(run=run_id)))
