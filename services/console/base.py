"""What every command needs: the tenant meant, the read model, a signal and its answer, and how a
command ends."""

import asyncio
import getpass
import logging
import socket
import sqlite3
import threading
from collections.abc import Callable, Collection, Coroutine
from pathlib import Path
from signal import SIG_IGN, SIGINT, getsignal
from typing import Annotated, Any, Literal, NamedTuple, NoReturn, TypeVar

import typer
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    NodeNotReadyError,
    RequestTimedOutError,
)

from contracts.entities import System
from contracts.said import SaidError
from contracts.settings import Settings, SettingsError, load
from contracts.signals import OfOperator
from runtime.kafka import Kafka, TopicError
from runtime.masking import hide_settings, masked
from runtime.reach import why
from runtime.unusable import Unusable
from services.console import model_file
from services.console.mirror import mirror
from services.console.model import ReadModel
from services.console.signals import send_signal
from services.console.terminal import tell

SAID_AGAIN_S = 1.0
FAILED, UNUSABLE, LEFT, INTERRUPTED = 1, 2, 3, 130
INTERRUPTED_WORDS = "interrupted; what was sent to the services is carried out there"
EXIT_CODES = {
    0: "done, all right",
    FAILED: "Kafka itself failed, or the linker has not taken the signal yet (it will when "
    "it runs)",
    UNUSABLE: "it cannot be done as asked, and nothing was done: settings, arguments, an unknown "
    "record, no Kafka, or "
    "the linker refused; the reason is printed",
    LEFT: "it was done and something is left: differences, missing topics, refused pairs, "
    "findings; after `tandem "
    "status`: a service is gone or waits, or the linker has not taken a signal",
    INTERRUPTED: "Ctrl-C; work in the services goes on, and a line says how to look at it and to "
    "cancel it",
}

EntityLiteral = Literal["customer", "product", "order"]
SystemLiteral = Literal["chargebee", "poweroffice"]
TenantOption = Annotated[
    str | None,
    typer.Option(
        "--tenant",
        "-t",
        envvar="TANDEM_TENANT",
        help="The tenant; may be left out where there is only one.",
    ),
]
EntityArgument = Annotated[
    EntityLiteral, typer.Argument(metavar="customer|product|order", help="The kind of record.")
]
SystemArgument = Annotated[
    SystemLiteral, typer.Argument(metavar="chargebee|poweroffice", help="The system.")
]
EntityOption = Annotated[EntityLiteral | None, typer.Option("--entity", help="Only this entity.")]
TargetOption = Annotated[
    SystemLiteral | None, typer.Option("--target", help="Only what is written to this system.")
]
KeyArgument = Annotated[
    str, typer.Argument(help="The link's key, as `tandem links find` shows it.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
CsvOption = Annotated[Path | None, typer.Option("--csv", help="Write it to this CSV file too.")]
HtmlOption = Annotated[Path | None, typer.Option("--html", help="Write it to this HTML file too.")]

_T = TypeVar("_T")


class NotFound(SaidError, LookupError):
    """No such record is known; the text says so to a person."""


class Unfit(SaidError, ValueError):
    """What a person gave cannot be used; the text says what can."""


class Meant(NamedTuple):
    """The installation and the tenant that a command is about."""

    settings: Settings
    tenant: str


def stop(words: str, code: int = UNUSABLE) -> NoReturn:
    """End the command with one line on standard error."""
    tell(words, err=True)
    raise typer.Exit(code)


def settings(*, needs: Collection[System] = (), tenants: bool = True) -> Settings:
    """The settings, with the vendor keys that the command needs; ends the command with the
    faults."""
    try:
        held = load(needs=needs, tenants=tenants)
    except SettingsError as error:
        *others, last = str(error).splitlines() or [""]
        for line in others:
            tell(line, err=True)
        stop(last)
    hide_settings(held)
    return held


def meant(tenant: str | None) -> Meant:
    """The tenant meant, which exists; its topics do too."""
    held = settings()
    names = sorted(held.tenants)
    if tenant is None:
        if len(names) != 1:
            stop(f"--tenant is needed; there are: {', '.join(names)}")
        tenant = names[0]
    if tenant not in held.tenants:
        stop(f"no tenant {tenant!r}; there are: {', '.join(names) or 'none'}")
    require_topics(held)
    return Meant(held, tenant)


def require_topics(held: Settings) -> None:
    """End the command where topics are missing: reading one would wait for it."""
    missing = [
        line for line in run(held, Kafka(held.kafka).check_topics()) if "does not exist" in line
    ]
    if missing:
        stop(
            f"{len(missing)} topics do not exist on {held.kafka.bootstrap}; run: tandem "
            f"topics create",
            LEFT,
        )


def run(
    held: Settings,
    work: Coroutine[Any, Any, _T],
    *,
    interrupted: tuple[str, int] = (INTERRUPTED_WORDS, INTERRUPTED),
) -> _T:
    """Run the asynchronous part of a command. Trouble with Kafka ends it with words, Ctrl-C as
    `interrupted` says."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    bootstrap = held.kafka.bootstrap
    try:
        return asyncio.run(_unless_interrupted(work))
    except KeyboardInterrupt:
        words, code = interrupted
        if words:
            tell("", err=True)
            tell(words, err=True)
        raise typer.Exit(code) from None
    except TopicError as error:
        stop(str(error), LEFT)
    except NotFound as error:
        stop(str(error))
    except (KafkaConnectionError, NodeNotReadyError, RequestTimedOutError, AssertionError) as error:
        # aiokafka asserts that it knows a broker; see AWAY.
        stop(_unreachable(held, error))
    except KafkaError as error:
        stop(f"Kafka at {bootstrap} refused: {_words(error)}")
    except Unusable as error:
        stop(str(error))
    except sqlite3.Error as error:
        directory = Path(held.console.data)
        if model_file.is_broken(error):
            model_file.discard(directory, error)
            stop("the read model was broken; give the command again, and it is made anew")
        stop(model_file.told(error, directory))
    except OSError as error:
        stop(f"Kafka at {bootstrap} or a file cannot be used: {_words(error)}")


async def _unless_interrupted(work: Coroutine[Any, Any, _T]) -> _T:
    """Do it until Ctrl-C, which is said again for as long as it is not heard: a library may swallow
    a cancellation that comes together with an answer. A second Ctrl-C ends it at once. Raises
    KeyboardInterrupt."""
    loop, interrupted = asyncio.get_running_loop(), asyncio.Event()
    if threading.current_thread() is not threading.main_thread() or getsignal(SIGINT) is SIG_IGN:
        return await work
    loop.add_signal_handler(SIGINT, interrupted.set)
    task, told = asyncio.ensure_future(work), asyncio.ensure_future(interrupted.wait())
    try:
        await asyncio.wait({task, told}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        told.cancel()
        loop.remove_signal_handler(SIGINT)
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=SAID_AGAIN_S)
    if task.cancelled():
        raise KeyboardInterrupt
    return task.result()


def _unreachable(held: Settings, error: Exception) -> str:
    trouble = asyncio.run(why(held.kafka))
    if trouble is not None and trouble.lasting:
        return trouble.words
    words = _words(error) if trouble is None else trouble.words
    hint = "is it running? (tandem kafka starts one; kafka.bootstrap names another)"
    return f"Kafka at {held.kafka.bootstrap} cannot be reached: {words}; {hint}"


def read(about: Meant, query: Callable[[ReadModel], _T]) -> _T:
    """Ask the read model, brought level with the topics first."""

    async def work() -> _T:
        async with mirror(about.settings) as held:
            await held.to_the_end()
            return query(held.model)

    return run(about.settings, work())


def signal(about: Meant, said: OfOperator) -> dict[str, Any]:
    """Send a signal and return the linker's answer; ends the command when it is refused or not
    taken yet."""
    answer = run(about.settings, send_signal(about.settings, about.tenant, said, by=operator()))
    if answer is None:
        stop("sent, but the linker has not taken it yet; it will when it runs", FAILED)
    if answer.get("result") == "refused":
        stop(f"refused: {answer['reason']}")
    return answer


def done(answer: dict[str, Any]) -> None:
    """Say that a signal was carried out; one that can be undone is named."""
    note = f"; {answer['note']}" if "note" in answer else ""
    tell(f"done (signal {answer['signal']}){note}" if "did" in answer else f"done{note}")


def operator() -> str:
    """Who gives the instruction, as this machine knows them; for the journal."""
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (KeyError, OSError):
        return "somebody"


def _words(error: Exception) -> str:
    return masked(" ".join(str(error).split())) or type(error).__name__
