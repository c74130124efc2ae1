"""Commands that only look: status, plan, explain, links find and show, lost, letters, held show."""

from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console

from runtime.clock import iso, iso_now, utc_now
from services.console import lookup
from services.console.base import (
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
    print_json,
    read,
    require_topics,
    run,
    settings,
    stop,
)  # fmt: skip
from services.console.letters import show_letters
from services.console.lost import lost_of, show_lost, write_lost_csv
from services.console.mirror import mirror
from services.console.plans import plans_of, show_plans, write_plan_csv, write_plan_html
from services.console.ranges import moment_of
from services.console.read import read_status
from services.console.show import show_status
from services.console.status import Status


def status(tenant: TenantOption = None, as_json: JsonOption = False) -> None:
    """How every tenant stands: records, links, what needs a person, request budget, lag."""
    held = settings()
    if tenant is not None:
        meant(tenant)
    require_topics(held)

    async def work() -> Status:
        async with mirror(held) as mirrored:
            await mirrored.to_the_end()
            return await read_status(held, mirrored.model, [tenant] if tenant else list(held.tenants))

    found = run(held, work())
    if as_json:
        print_json(found)
    else:
        show_status(Console(), found, datetime.now(UTC))


def plan(
    tenant: TenantOption = None, as_json: JsonOption = False, to_csv: CsvOption = None, to_html: HtmlOption = None
) -> None:
    """All that would be written and has not been sent: held, observed, paused, or waiting for its turn."""
    about = meant(tenant)
    plans = read(about, lambda model: plans_of(model, about.tenant))
    try:
        if to_csv is not None:
            write_plan_csv(to_csv, plans)
        if to_html is not None:
            write_plan_html(to_html, plans, f"What Tandem would write for {about.tenant}, {iso_now()[:19]}Z")
    except OSError as error:
        stop(f"the file cannot be written: {error}")
    show_plans(Console(), plans, as_json=as_json, nothing="nothing is planned")


def held_show(tenant: TenantOption = None, as_json: JsonOption = False) -> None:
    """The plans that wait for an operator, by batch."""
    about = meant(tenant)
    plans = read(about, lambda model: plans_of(model, about.tenant, held_only=True))
    show_plans(Console(), plans, as_json=as_json, nothing="nothing is held")


def explain(
    system: SystemArgument,
    entity: EntityArgument,
    record: Annotated[str, typer.Argument(metavar="ID", help="The record's id in that system.")],
    field: Annotated[str | None, typer.Argument(help="Only this field.")] = None,
    tenant: TenantOption = None,
    as_json: JsonOption = False,
) -> None:
    """Why a record, or one of its fields, is as it is: every decision with its cause and the value that lost."""
    about = meant(tenant)
    link, entries = read(about, lambda model: lookup.explain(model, about.tenant, system, entity, record, field))
    lookup.show_entries(Console(), link, entries, field=field, as_json=as_json)


def links_find(
    text: Annotated[str, typer.Argument(help="Part of an id, name, e-mail, code or number.")],
    entity: EntityOption = None,
    tenant: TenantOption = None,
    as_json: JsonOption = False,
) -> None:
    """The links that hold a text, letter case aside."""
    about = meant(tenant)
    found = read(about, lambda model: list(model.find(about.tenant, text, entity)))
    lookup.show_links(Console(), found, as_json=as_json)


def links_show(
    entity: EntityArgument,
    key: Annotated[str, typer.Argument(help="The link's key, or the record's id on either side.")],
    tenant: TenantOption = None,
    as_json: JsonOption = False,
) -> None:
    """One link: both sides field by field, what it waits for and what is planned."""
    about = meant(tenant)
    link = read(about, lambda model: lookup.find_link(model, about.tenant, entity, key))
    lookup.show_link(Console(), link, as_json=as_json)


def lost(
    from_: Annotated[
        str | None,
        typer.Option(
            "--from", "--since", help="Only what lost since a time (2026-11-28T10:00) or for a span (2h, 3d)."
        ),
    ] = None,
    to: Annotated[str | None, typer.Option("--to", help="Only what lost before a time; without it, up to now.")] = None,
    entity: EntityOption = None,
    side: Annotated[SystemLiteral | None, typer.Option("--side", help="Only edits of this system.")] = None,
    tenant: TenantOption = None,
    as_json: JsonOption = False,
    to_csv: CsvOption = None,
) -> None:
    """The edits that lost: both values, which system won, when and why; the newest last. The journal keeps a year."""
    about = meant(tenant)
    try:
        since = "" if from_ is None else _time(about, "--from", from_)
        until = "~" if to is None else _time(about, "--to", to)
    except ValueError as error:
        stop(str(error))
    found = read(about, lambda model: lost_of(model, about.tenant, entity=entity, side=side, since=since, until=until))
    if to_csv is not None:
        try:
            write_lost_csv(to_csv, found)
        except OSError as error:
            stop(f"the file cannot be written: {error}")
    show_lost(Console(), found, as_json=as_json)


def _time(about: Meant, option: str, text: str) -> str:
    moment = moment_of(text, about.settings.tenants[about.tenant].zone, utc_now())
    if isinstance(moment, int):
        raise ValueError(f"{option} {text} is an offset: give a time such as 2026-11-28T10:00, or a span such as 2h")
    return iso(moment)


def letters(tenant: TenantOption = None, as_json: JsonOption = False) -> None:
    """The dead letters: commands that were refused and messages that could not be read, with the reason."""
    about = meant(tenant)
    show_letters(Console(), read(about, lambda model: model.letters(about.tenant)), as_json=as_json)
