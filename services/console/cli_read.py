"""Commands that only look: status, findings, plan, explain, links find and show, lost, letters,
held show."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
import typer

from contracts.messages import FindingKind, JournalEntry
from runtime.clock import iso, iso_now, utc_now
from services.console import lookup
from services.console.base import (
    LEFT,
    CsvOption,
    EntityArgument,
    EntityOption,
    HtmlOption,
    JsonOption,
    Meant,
    SystemArgument,
    SystemLiteral,
    TenantOption,
    meant,
    read,
    require_topics,
    run,
    settings,
    stop,
)
from services.console.findings import Choice, Found, amount_of, chosen, currency_of
from services.console.findings_view import show_findings, write_findings_csv, write_findings_html
from services.console.letters import show_letters
from services.console.lost import lost_of, show_lost, write_lost_csv
from services.console.mirror import mirror
from services.console.model import ReadModel
from services.console.plan_page import refused_of, write_plan_html
from services.console.plans import Plan, plans_of, show_plans, write_plan_csv
from services.console.ranges import time_of
from services.console.read import read_status
from services.console.show import show_status
from services.console.shown import Shown, shown_of
from services.console.status import Status
from services.console.terminal import Screen, print_json

_T = TypeVar("_T")


def status(tenant: TenantOption = None, as_json: JsonOption = False) -> None:
    """How every tenant stands: records, links, what needs a person, request budget, lag.

    It begins with a line for each service that is gone, stopped or waits, and for each signal that
    the linker has not taken for 30 s; exit code 3 then.
    """
    held = settings()
    if tenant is not None:
        meant(tenant)
    require_topics(held)

    async def work() -> Status:
        async with mirror(held) as mirrored:
            await mirrored.to_the_end()
            return await read_status(
                held, mirrored.model, [tenant] if tenant else list(held.tenants)
            )

    found = run(held, work())
    if as_json:
        print_json(found)
    else:
        show_status(Screen(), found, utc_now())
    if found.alerts:
        raise typer.Exit(LEFT)


def findings(
    kind: Annotated[
        FindingKind | None, typer.Option("--kind", help="Only findings of this kind.")
    ] = None,
    entity: EntityOption = None,
    min_amount: Annotated[
        str | None,
        typer.Option(
            "--min-amount", help="Only from this amount on; those without an amount are left out."
        ),
    ] = None,
    currency: Annotated[
        str | None, typer.Option("--currency", help="Only in this currency, such as NOK.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            help="Only those first seen since a time (2026-11-28T10:00) or for a span (2h, 3d).",
        ),
    ] = None,
    settled: Annotated[
        bool,
        typer.Option(
            "--settled", help="Those too that a person has settled: the remark, who and when."
        ),
    ] = False,
    tenant: TenantOption = None,
    as_json: JsonOption = False,
    to_csv: CsvOption = None,
    to_html: HtmlOption = None,
) -> None:
    """What a person with the books in hand must act on: documents, amounts, what to do, and the
    lines that differ.

    The largest amount of a currency first, parts of invoices last. Exit code 3 while one of those
    that are meant is not settled.
    """
    about = meant(tenant)
    try:
        choice = Choice(
            kind=kind,
            entity=entity,
            settled=settled,
            min_amount=None
            if min_amount is None
            else _option("--min-amount", amount_of, min_amount),
            currency=None if currency is None else _option("--currency", currency_of, currency),
            since="" if since is None else _time(about, "--since", since),
        )
    except ValueError as error:
        stop(str(error))
    held = read(about, lambda model: model.findings(about.tenant))
    both = chosen(held, msgspec.structs.replace(choice, settled=True))
    found = both if settled else chosen(held, choice)
    _save_findings(about, found, to_csv, to_html)
    show_findings(Screen(), found, len(both) - len(found), as_json=as_json)
    if any(each.settled is None for each in found):
        raise typer.Exit(LEFT)


def _save_findings(
    about: Meant, found: list[Found], to_csv: Path | None, to_html: Path | None
) -> None:
    try:
        if to_csv is not None:
            write_findings_csv(to_csv, found)
        if to_html is not None:
            write_findings_html(to_html, found, f"Findings of {about.tenant}, {iso_now()[:19]}Z")
    except OSError as error:
        stop(f"the file cannot be written: {error}")


def plan(
    tenant: TenantOption = None,
    as_json: JsonOption = False,
    to_csv: CsvOption = None,
    to_html: HtmlOption = None,
) -> None:
    """All that would be written and has not been sent: held, observed, paused, or waiting for its
    turn."""
    about = meant(tenant)
    plans, before = read(
        about, lambda model: (_plans(about, model), refused_of(model, about.tenant))
    )
    try:
        if to_csv is not None:
            write_plan_csv(to_csv, plans)
        if to_html is not None:
            title = f"What Tandem would write for {about.tenant}, {iso_now()[:19]}Z"
            write_plan_html(to_html, plans, title, before)
    except OSError as error:
        stop(f"the file cannot be written: {error}")
    show_plans(Screen(), plans, as_json=as_json, nothing="nothing is planned")


def held_show(tenant: TenantOption = None, as_json: JsonOption = False) -> None:
    """The plans that wait for an operator, by batch."""
    about = meant(tenant)
    plans = read(about, lambda model: _plans(about, model, held_only=True))
    show_plans(Screen(), plans, as_json=as_json, nothing="nothing is held")


def _plans(about: Meant, model: ReadModel, *, held_only: bool = False) -> list[Plan]:
    settings = about.settings.tenants[about.tenant]
    return plans_of(model, about.tenant, held_only=held_only, settings=settings)


def explain(
    system: SystemArgument,
    entity: EntityArgument,
    record: Annotated[str, typer.Argument(metavar="ID", help="The record's id in that system.")],
    field: Annotated[str | None, typer.Argument(help="Only this field.")] = None,
    tenant: TenantOption = None,
    as_json: JsonOption = False,
) -> None:
    """Why a record, or one of its fields, is as it is: every decision with its cause and the value
    that lost."""
    about = meant(tenant)

    def found(model: ReadModel) -> tuple[Shown, list[JournalEntry]]:
        link, entries = lookup.explain(model, about.tenant, system, entity, record, field)
        return shown_of(model, about, [link])[0], entries

    shown, entries = read(about, found)
    lookup.show_entries(Screen(), shown, entries, field=field, as_json=as_json)


def links_find(
    text: Annotated[str, typer.Argument(help="Part of an id, name, e-mail, code or number.")],
    entity: EntityOption = None,
    tenant: TenantOption = None,
    as_json: JsonOption = False,
) -> None:
    """The links that hold a text, letter case aside."""
    about = meant(tenant)
    found = read(
        about, lambda model: shown_of(model, about, model.find(about.tenant, text, entity))
    )
    lookup.show_links(Screen(), found, as_json=as_json)


def links_show(
    entity: EntityArgument,
    key: Annotated[str, typer.Argument(help="The link's key, or the record's id on either side.")],
    tenant: TenantOption = None,
    as_json: JsonOption = False,
) -> None:
    """One link: both sides field by field, what it waits for and what is planned."""
    about = meant(tenant)

    def found(model: ReadModel) -> Shown:
        return shown_of(model, about, [lookup.find_link(model, about.tenant, entity, key)])[0]

    lookup.show_link(Screen(), read(about, found), as_json=as_json)


def lost(
    from_: Annotated[
        str | None,
        typer.Option(
            "--from",
            "--since",
            help="Only what lost since a time (2026-11-28T10:00) or for a span (2h, 3d).",
        ),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option("--to", help="Only what lost before a time; without it, up to now."),
    ] = None,
    entity: EntityOption = None,
    side: Annotated[
        SystemLiteral | None, typer.Option("--side", help="Only edits of this system.")
    ] = None,
    tenant: TenantOption = None,
    as_json: JsonOption = False,
    to_csv: CsvOption = None,
) -> None:
    """The edits that lost: both values, which system won, when and why; the newest last. The
    journal keeps a year."""
    about = meant(tenant)
    try:
        since = "" if from_ is None else _time(about, "--from", from_)
        until = "~" if to is None else _time(about, "--to", to)
    except ValueError as error:
        stop(str(error))
    found = read(
        about,
        lambda model: lost_of(
            model, about.tenant, entity=entity, side=side, since=since, until=until
        ),
    )
    if to_csv is not None:
        try:
            write_lost_csv(to_csv, found)
        except OSError as error:
            stop(f"the file cannot be written: {error}")
    show_lost(Screen(), found, as_json=as_json)


def _time(about: Meant, option: str, text: str) -> str:
    zone = about.settings.tenants[about.tenant].zone
    return _option(option, lambda given: iso(time_of(given, zone, utc_now())), text)


def _option(name: str, taken: Callable[[str], _T], text: str) -> _T:
    """What an option says; a ValueError names the option."""
    try:
        return taken(text)
    except ValueError as error:
        raise ValueError(f"{name} {error}") from None


def letters(tenant: TenantOption = None, as_json: JsonOption = False) -> None:
    """The dead letters: commands that were refused and messages that could not be read, with the
    reason."""
    about = meant(tenant)
    show_letters(Screen(), read(about, lambda model: model.letters(about.tenant)), as_json=as_json)
