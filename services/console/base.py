"""What every command needs: the tenant meant, the read model, a signal and its answer, and how a command ends."""

import asyncio
import getpass
import logging
import socket
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, NoReturn, TypeVar

import msgspec
import typer
from aiokafka.errors import KafkaConnectionError, KafkaError, NodeNotReadyError, RequestTimedOutError
from rich.console import Console
from rich.table import Column, Table

from contracts.settings import Settings, SettingsError, load
from runtime.kafka import Kafka, TopicError
from services.console.mirror import mirror
from services.console.model import ReadModel
from services.console.signals import send_signal

FAILED, UNUSABLE, LEFT, INTERRUPTED = 1, 2, 3, 130
INTERRUPTED_WORDS = "interrupted; what was sent to the services is carried out there"
EXIT_CODES = {
    0: "done, all right",
    FAILED: "Kafka itself failed, or the linker has not taken the signal yet (it will when it runs)",
    UNUSABLE: "it cannot be done as asked, and nothing was done: settings, arguments, an unknown record, no Kafka, or "
    "the linker refused; the reason is printed",
    LEFT: "it was done and something is left: differences, missing topics, refused pairs, findings",
    INTERRUPTED: "Ctrl-C; work in the services goes on, and a line says how to look at it and to cancel it",
}

EntityLiteral = Literal["customer", "product", "order"]
SystemLiteral = Literal["chargebee", "poweroffice"]
TenantOption = Annotated[
    str | None,
    typer.Option("--tenant", "-t", envvar="TANDEM_TENANT", help="The tenant; may be left out where there is only one."),
]
EntityArgument = Annotated[EntityLiteral, typer.Argument(metavar="customer|product|order", help="The kind of record.")]
SystemArgument = Annotated[SystemLiteral, typer.Argument(metavar="chargebee|poweroffice", help="The system.")]
EntityOption = Annotated[EntityLiteral | None, typer.Option("--entity", help="Only this entity.")]
TargetOption = Annotated[SystemLiteral | None, typer.Option("--target", help="Only what is written to this system.")]
KeyArgument = Annotated[str, typer.Argument(help="The link's key, as `tandem links find` shows it.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
CsvOption = Annotated[Path | None, typer.Option("--csv", help="Write it to this CSV file too.")]
HtmlOption = Annotated[Path | None, typer.Option("--html", help="Write it to this HTML file too.")]

_T = TypeVar("_T")


class NotFound(LookupError):
    """No such record is known; the text says so to a person."""


class Meant(NamedTuple):
    """The installation and the tenant that a command is about."""

    settings: Settings
    tenant: str


def stop(words: str, code: int = UNUSABLE) -> NoReturn:
    """End the command with one line on standard error."""
    typer.echo(words, err=True)
    raise typer.Exit(code)


def settings() -> Settings:
    """The settings; ends the command with the faults."""
    try:
        return load()
    except SettingsError as error:
        stop(str(error))


def meant(tenant: str | None) -> Meant:
    """The tenant meant, which exists; its topics do too."""
    held = settings()
    names = sorted(held.tenants)
    if tenant is None:
        if len(names) != 1:
            stop(f"--tenant is needed; there are: {', '.join(names)}" if names else "no tenant is configured")
        tenant = names[0]
    if tenant not in held.tenants:
        stop(f"no tenant {tenant!r}; there are: {', '.join(names) or 'none'}")
    require_topics(held)
    return Meant(held, tenant)


def require_topics(held: Settings) -> None:
    """End the command where topics are missing: reading one would wait for it."""
    missing = [line for line in run(held, Kafka(held.kafka).check_topics()) if "does not exist" in line]
    if missing:
        stop(f"{len(missing)} topics do not exist on {held.kafka.bootstrap}; run: tandem topics create", LEFT)


def run(
    held: Settings, work: Coroutine[Any, Any, _T], *, interrupted: tuple[str, int] = (INTERRUPTED_WORDS, INTERRUPTED)
) -> _T:
    """Run the asynchronous part of a command. Trouble with Kafka ends it with words, Ctrl-C as `interrupted` says."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    bootstrap = held.kafka.bootstrap
    try:
        return asyncio.run(work)
    except KeyboardInterrupt:
        words, code = interrupted
        if words:
            typer.echo(f"\n{words}", err=True)
        raise typer.Exit(code) from None
    except TopicError as error:
        stop(str(error), LEFT)
    except NotFound as error:
        stop(str(error))
    except (KafkaConnectionError, NodeNotReadyError, RequestTimedOutError) as error:
        hint = "is it running? (tandem kafka starts one; kafka.bootstrap names another)"
        stop(f"Kafka at {bootstrap} cannot be reached: {_words(error)}; {hint}")
    except KafkaError as error:
        stop(f"Kafka at {bootstrap} refused: {_words(error)}")
    except PermissionError as error:
        stop(f"{error.filename}: no permission; console.data names another directory for the read model")
    except OSError as error:
        stop(f"Kafka at {bootstrap} or a file cannot be used: {_words(error)}")


def read(about: Meant, query: Callable[[ReadModel], _T]) -> _T:
    """Ask the read model, brought level with the topics first."""

    async def work() -> _T:
        async with mirror(about.settings) as held:
            await held.to_the_end()
            return query(held.model)

    return run(about.settings, work())


def signal(about: Meant, kind: str, **args: Any) -> dict[str, Any]:
    """Send a signal and return the linker's answer; ends the command when it is refused or not taken yet. Arguments
    that are None are left out."""
    given = {name: value for name, value in args.items() if value is not None}
    answer = run(about.settings, send_signal(about.settings, about.tenant, kind, given, by=operator()))
    if answer is None:
        stop("sent, but the linker has not taken it yet; it will when it runs", FAILED)
    if answer.get("result") == "refused":
        stop(f"refused: {answer['reason']}")
    return answer


def done(answer: dict[str, Any]) -> None:
    """Say that a signal was carried out; one that can be undone is named."""
    note = f"; {answer['note']}" if "note" in answer else ""
    typer.echo(f"done (signal {answer['signal']}){note}" if "did" in answer else f"done{note}")


def operator() -> str:
    """Who gives the instruction, as this machine knows them; for the journal."""
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (KeyError, OSError):
        return "somebody"


def table(*headers: str) -> Table:
    """A table without lines whose cells break rather than lose their end: ids are there to be copied."""
    return Table(*(Column(header, overflow="fold") for header in headers), box=None, pad_edge=False)


def say(console: Console, words: str) -> None:
    """A line as it is: what a record holds is no markup, and no line is broken at the width of the screen."""
    console.print(words, highlight=False, markup=False, soft_wrap=True)


def print_json(value: Any) -> None:
    """Indented JSON on standard output."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value)).decode() + "\n")


def _words(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
