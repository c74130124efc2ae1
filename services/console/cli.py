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
from runtime.embedded_kafka import DEFAULT_DATA
from runtime.embedded_kafka import main as run_kafka
from runtime.kafka import Kafka, TopicError
from services.console.read import read_status
from services.console.show import show_status
from services.console.signals import send_signal

FAILED, UNUSABLE, DIFFERENT = 1, 2, 3

app = typer.Typer(
    name="tandem", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    help="Keeps Chargebee and PowerOffice Go in step. Settings: tandem.toml, or the file TANDEM_CONFIG names.",
)  # fmt: skip
topics_app = typer.Typer(no_args_is_help=True, help="The topics on Kafka.")
app.add_typer(topics_app, name="topics")

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
def release(
    tenant: Annotated[str, typer.Argument(help="The tenant.")],
    entity: Annotated[Literal["customer", "product", "order"], typer.Argument(metavar="customer|product|order")],
) -> None:
    """Let the held first backfill of an entity go on; `tandem status` shows what is held."""
    _signal(tenant, "release", {"entity": entity})


def _signal(tenant: str, kind: str, args: dict[str, Any]) -> None:
    settings = _settings()
    if tenant not in settings.tenants:
        _stop(f"no tenant {tenant!r}; there are: {', '.join(sorted(settings.tenants)) or 'none'}", UNUSABLE)
    _require_topics(settings)
    if _run(settings, send_signal(settings, tenant, kind, args)):
        typer.echo("done")
    else:
        _stop("sent, but the linker has not taken it yet; it will when it runs", FAILED)


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
