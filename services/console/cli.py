"""The command `tandem`. Exit codes: 0 all right, 1 failed, 2 settings or Kafka cannot be used, 3 topics differ."""

import asyncio
import logging
import sys
from collections.abc import Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn, TypeVar

import msgspec
import typer
from aiokafka.errors import KafkaConnectionError, KafkaError, NodeNotReadyError, RequestTimedOutError
from rich.console import Console

from contracts.settings import Settings, SettingsError, load
from runtime.clock import iso_now
from runtime.embedded_kafka import DEFAULT_DATA
from runtime.embedded_kafka import main as run_kafka
from runtime.kafka import Kafka, TopicError
from services.console import lookup
from services.console.links import PAIRS_AT_ONCE, read_csv, read_pairs, write_csv
from services.console.plans import read_plans, show_plans, write_plan_csv, write_plan_html
from services.console.read import read_status
from services.console.show import show_status
from services.console.signals import send_signal

FAILED, UNUSABLE, DIFFERENT = 1, 2, 3

app = typer.Typer(
    name="tandem", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    help="Keeps Chargebee and PowerOffice Go in step. Settings: tandem.toml, or the file TANDEM_CONFIG names.",
)  # fmt: skip
links_app = typer.Typer(no_args_is_help=True, help="Which records are one: decided by an operator.")
topics_app = typer.Typer(no_args_is_help=True, help="The topics on Kafka.")
app.add_typer(links_app, name="links")
app.add_typer(topics_app, name="topics")

TenantName = Annotated[str, typer.Argument(help="The tenant.")]
EntityLiteral = Literal["customer", "product", "order"]
EntityArgument = Annotated[EntityLiteral, typer.Argument(metavar="customer|product|order")]
EntityOption = Annotated[EntityLiteral | None, typer.Option(help="Only this entity.")]
SystemOption = Annotated[Literal["chargebee", "poweroffice"] | None, typer.Option(help="Only to this system.")]
BatchOption = Annotated[str | None, typer.Option(help="Only this batch, as creates-1 or first.")]
KeyOption = Annotated[str | None, typer.Option(help="Only this link.")]
RecordArgument = Annotated[str, typer.Argument(help="The record's id in that system.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]

_T = TypeVar("_T")


@app.command()
def kafka(
    data: Annotated[Path, typer.Option(help="Where records stay.")] = DEFAULT_DATA,
    port: Annotated[int, typer.Option(help="The broker's port, the controller takes the next; 0: free ones.")] = 9092,
) -> None:
    """Run a real Apache Kafka on the loopback interface until Ctrl-C."""
    raise typer.Exit(run_kafka(data, port))


@app.command()
def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON with every finding.")] = False,
) -> None:
    """How each tenant stands: records, links, what needs a person, lag."""
    settings = _settings()
    _require_topics(settings)
    found = _run(settings, read_status(settings))
    if as_json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(found)).decode() + "\n")
    else:
        show_status(Console(), found, datetime.now(UTC))


@app.command()
def mode(
    tenant: Annotated[str, typer.Argument(help="The tenant.")],
    wanted: Annotated[Literal["observe", "sync"], typer.Argument(metavar="observe|sync")],
) -> None:
    """Send commands (sync), or keep plans and send nothing (observe). Outranks the settings file."""
    held = _settings().tenants.get(tenant)
    if wanted == "sync" and held is not None and (missing := held.missing_decisions()):
        _stop(f"{tenant} stays in observe until these are set: {', '.join(missing)}", UNUSABLE)
    _signal(tenant, "mode", {"mode": wanted})


@app.command()
def release(tenant: TenantName, entity: EntityArgument, batch: BatchOption = None) -> None:
    """Let a held batch of an entity go on, or all that is held; `tandem held` shows the batches."""
    _signal(tenant, "release", {"entity": entity, **_given(batch=batch)})


@app.command()
def discard(tenant: TenantName, entity: EntityArgument, batch: BatchOption = None) -> None:
    """Drop the plans of a held batch: nothing is created or removed, differing fields stay and are listed."""
    _signal(tenant, "discard", {"entity": entity, **_given(batch=batch)})


@app.command()
def held(tenant: TenantName, as_json: JsonOption = False) -> None:
    """The plans that wait for an operator, by batch."""
    settings = _known(tenant)
    plans = _run(settings, read_plans(settings, tenant, held_only=True))
    show_plans(Console(), plans, as_json=as_json, nothing="nothing is held")


@app.command()
def plan(
    tenant: TenantName,
    as_json: JsonOption = False,
    to_csv: Annotated[Path | None, typer.Option("--csv", help="Write it to this CSV file, a line for a field.")] = None,
    to_html: Annotated[Path | None, typer.Option("--html", help="Write it to this HTML file.")] = None,
) -> None:
    """All that would be written and has not been sent: held, observed, paused, or waiting for its turn."""
    settings = _known(tenant)
    plans = _run(settings, read_plans(settings, tenant))
    try:
        if to_csv is not None:
            write_plan_csv(to_csv, plans)
        if to_html is not None:
            write_plan_html(to_html, plans, f"What Tandem would write for {tenant}, {iso_now()[:19]}Z")
    except OSError as error:
        _stop(f"the file cannot be written: {error}", UNUSABLE)
    show_plans(Console(), plans, as_json=as_json, nothing="nothing is planned")


@app.command()
def explain(
    tenant: TenantName,
    system: Annotated[Literal["chargebee", "poweroffice"], typer.Argument(metavar="chargebee|poweroffice")],
    entity: EntityArgument,
    record: RecordArgument,
    field: Annotated[str | None, typer.Argument(help="Only this field.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Why a record, or one of its fields, is as it is: every decision with its cause and the value that lost."""
    settings = _known(tenant)
    link, entries = _run(settings, lookup.explain(settings, tenant, system, entity, record, field))
    lookup.show_entries(Console(), link, entries, field=field, as_json=as_json)


@app.command()
def pause(tenant: TenantName, entity: EntityOption = None, target: SystemOption = None) -> None:
    """Send no commands of an entity to a system; without them, none at all. Plans are kept."""
    _signal(tenant, "pause", _given(entity=entity, target=target))


@app.command()
def resume(tenant: TenantName, entity: EntityOption = None, target: SystemOption = None) -> None:
    """End a pause; what was planned meanwhile is sent."""
    _signal(tenant, "resume", _given(entity=entity, target=target))


@app.command()
def redrive(tenant: TenantName, entity: EntityOption = None, key: KeyOption = None) -> None:
    """Plan again what was rejected, broken or in conflict, from the present state; one link with --key."""
    if key is not None and entity is None:
        _stop("--key needs --entity", UNUSABLE)
    _signal(tenant, "redrive", _given(entity=entity, key=key))


@app.command()
def settle(
    tenant: TenantName,
    entity: EntityArgument,
    key: Annotated[str, typer.Argument(help="The link's key.")],
    field: Annotated[str, typer.Argument(help="The field that differs.")],
    keep: Annotated[
        Literal["chargebee", "poweroffice"] | None,
        typer.Option(help="The system whose value is written to the other; without it the difference is accepted."),
    ] = None,
) -> None:
    """Decide a listed difference."""
    _signal(tenant, "settle", {"entity": entity, "key": key, "field": field, **_given(keep=keep)})


def _given(**args: str | None) -> dict[str, Any]:
    return {name: value for name, value in args.items() if value is not None}


def _known(tenant: str) -> Settings:
    settings = _settings()
    if tenant not in settings.tenants:
        _stop(f"no tenant {tenant!r}; there are: {', '.join(sorted(settings.tenants)) or 'none'}", UNUSABLE)
    _require_topics(settings)
    return settings


def _signal(tenant: str, kind: str, args: dict[str, Any]) -> dict[str, Any]:
    """Send a signal and wait for the linker's answer; ends with code 2 when it is refused."""
    settings = _known(tenant)
    answer = _run(settings, send_signal(settings, tenant, kind, args))
    if answer is None:
        _stop("sent, but the linker has not taken it yet; it will when it runs", FAILED)
    if answer.get("result") == "refused":
        _stop(f"refused: {answer['reason']}", UNUSABLE)
    note = f"; {answer['note']}" if "note" in answer else ""
    typer.echo(f"done (signal {answer['signal']}){note}" if "did" in answer else f"done{note}")
    return answer


@links_app.command("find")
def links_find(
    tenant: TenantName,
    text: Annotated[str, typer.Argument(help="Part of an id, name, e-mail, code or number.")],
    entity: EntityOption = None,
    as_json: JsonOption = False,
) -> None:
    """The links that hold a text, letter case aside."""
    settings = _known(tenant)
    lookup.show_links(Console(), _run(settings, lookup.find_links(settings, tenant, text, entity)), as_json=as_json)


@links_app.command("show")
def links_show(
    tenant: TenantName,
    entity: EntityArgument,
    key: Annotated[str, typer.Argument(help="The link's key, or the record's id on either side.")],
    as_json: JsonOption = False,
) -> None:
    """One link: both sides field by field, what it waits for and what is planned."""
    settings = _known(tenant)
    lookup.show_link(Console(), _run(settings, lookup.find_link(settings, tenant, entity, key)), as_json=as_json)


@links_app.command("link")
def links_link(tenant: TenantName, entity: EntityArgument, chargebee: RecordArgument, poweroffice: RecordArgument
               ) -> None:  # fmt: skip
    """Say that a Chargebee record and a Go record are one; fields that differ are listed, none is overwritten."""
    _signal(tenant, "link", {"entity": entity, "chargebee": chargebee, "poweroffice": poweroffice})


@links_app.command("unlink")
def links_unlink(tenant: TenantName, entity: EntityArgument, key: Annotated[str, typer.Argument()]) -> None:
    """Part two records for good; nothing is created for either until it is linked or redriven."""
    _signal(tenant, "unlink", {"entity": entity, "key": key})


@links_app.command("pick")
def links_pick(
    tenant: TenantName,
    entity: EntityArgument,
    key: Annotated[str, typer.Argument()],
    candidate: Annotated[str, typer.Argument()],
) -> None:
    """Choose the twin of an ambiguous record among its candidates."""
    _signal(tenant, "pick", {"entity": entity, "key": key, "candidate": candidate})


@links_app.command("undo")
def links_undo(tenant: TenantName, signal: Annotated[str, typer.Argument(help="The id that was printed.")]) -> None:
    """Take a link, pick or unlink back."""
    _signal(tenant, "undo", {"signal": signal})


@links_app.command("export")
def links_export(tenant: TenantName) -> None:
    """Print the linked pairs as CSV: entity, chargebee, poweroffice."""
    settings = _known(tenant)
    write_csv(sys.stdout, _run(settings, read_pairs(settings, tenant)))


@links_app.command("import")
def links_import(tenant: TenantName, file: Annotated[Path, typer.Argument(help="CSV as `links export` prints it.")]
                 ) -> None:  # fmt: skip
    """Link the pairs of a CSV file; pairs whose records are not known yet are linked when they are."""
    try:
        pairs = read_csv(file)
    except (OSError, ValueError) as error:
        _stop(f"{file}: {error}", UNUSABLE)
    linked, refused = 0, []
    for begin in range(0, len(pairs), PAIRS_AT_ONCE):
        answer = _signal(tenant, "import", {"pairs": pairs[begin : begin + PAIRS_AT_ONCE]})
        linked += answer["linked"]
        refused += answer["refused"]
    for line in refused:
        typer.echo(f"refused: {line}", err=True)
    typer.echo(f"{linked} linked, {len(refused)} refused, {len(pairs) - linked - len(refused)} were linked already")
    if refused:
        raise typer.Exit(DIFFERENT)


@topics_app.command("create")
def topics_create() -> None:
    """Create the topics that do not exist."""
    settings = _settings()
    created = _run(settings, Kafka(settings.kafka).ensure_topics())
    for name in created:
        typer.echo(f"created {name}")
    if not created:
        typer.echo("all topics exist as they should")


@topics_app.command("check")
def topics_check() -> None:
    """Compare the topics with what they should be. Exit code 3 when one is missing or differs."""
    settings = _settings()
    problems = _run(settings, Kafka(settings.kafka).check_topics())
    for line in problems:
        typer.echo(line)
    if problems:
        raise typer.Exit(DIFFERENT)
    typer.echo("all topics exist as they should")


def _settings() -> Settings:
    try:
        return load()
    except SettingsError as error:
        _stop(str(error), UNUSABLE)


def _require_topics(settings: Settings) -> None:
    # Reading a topic that does not exist would wait for it.
    missing = [line for line in _run(settings, Kafka(settings.kafka).check_topics()) if "does not exist" in line]
    if missing:
        _stop(f"{len(missing)} topics do not exist on {settings.kafka.bootstrap}; run: tandem topics create", DIFFERENT)


def _run(settings: Settings, work: Coroutine[Any, Any, _T]) -> _T:
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        return asyncio.run(work)
    except TopicError as error:
        _stop(str(error), DIFFERENT)
    except lookup.NotFound as error:
        _stop(str(error), UNUSABLE)
    except (KafkaConnectionError, NodeNotReadyError, RequestTimedOutError, OSError) as error:
        hint = "is it running? (tandem kafka starts one; kafka.bootstrap names another)"
        _stop(f"Kafka at {settings.kafka.bootstrap} cannot be reached: {_words(error)}; {hint}", UNUSABLE)
    except KafkaError as error:
        _stop(f"Kafka at {settings.kafka.bootstrap} refused: {_words(error)}", UNUSABLE)


def _words(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _stop(words: str, code: int) -> NoReturn:
    typer.echo(words, err=True)
    raise typer.Exit(code)


def main() -> None:
    """The entry of the installed command `tandem`."""
    app()


if __name__ == "__main__":
    main()
