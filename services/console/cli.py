"""The command `tandem`: its groups and commands. `make generate` writes `docs/cli.md` from it."""

from pathlib import Path
from typing import Annotated

import typer

from contracts.entities import SYSTEMS
from runtime.embedded_kafka import DEFAULT_DATA
from runtime.embedded_kafka import main as run_kafka
from runtime.kafka import Kafka
from runtime.version import version
from services.console import cli_change, cli_decide, cli_read, cli_runs
from services.console import watch as watching
from services.console.base import LEFT, JsonOption, TenantOption, meant, run, settings, stop
from services.console.terminal import print_json, tell
from services.console.wrong_words import Commands

PASSWORD_MIN = 12

app = typer.Typer(
    name="tandem",
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
topics_app = typer.Typer(no_args_is_help=True, help="The topics on Kafka.")
held_app = typer.Typer(no_args_is_help=True, help="Batches that wait for an operator.")
links_app = typer.Typer(no_args_is_help=True, help="Which records are one.")
runs_app = typer.Typer(no_args_is_help=True, help="Replays, reconciles and rebuilds.")


def _version(wanted: bool) -> None:
    if wanted:
        tell(f"tandem {version()}")
        raise typer.Exit


@app.callback()
def about(
    _: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help="Print the version and end."
        ),
    ] = False,
) -> None:
    """Keeps Chargebee and PowerOffice Go in step. Settings: tandem.toml, or the file TANDEM_CONFIG
    names."""


@app.command()
def kafka(
    data: Annotated[Path, typer.Option("--data", help="Where records stay.")] = DEFAULT_DATA,
    port: Annotated[
        int,
        typer.Option(
            "--port",
            min=0,
            max=65534,
            help="The broker's port, the controller takes the next; 0: free ones.",
        ),
    ] = 9092,
) -> None:
    """Run a real Apache Kafka on the loopback interface until Ctrl-C."""
    raise typer.Exit(run_kafka(data, port))


@topics_app.command("create")
def topics_create() -> None:
    """Create the topics that do not exist, and let those of before take messages as large as
    now."""
    held = settings(tenants=False)
    done = run(held, Kafka(held.kafka).ensure_topics())
    for line in done:
        tell(line)
    if not done:
        tell("all topics exist as they should")


@topics_app.command("check")
def topics_check() -> None:
    """Compare the topics with what they should be."""
    held = settings(tenants=False)
    problems = run(held, Kafka(held.kafka).check_topics())
    for line in problems:
        tell(line)
    if problems:
        raise typer.Exit(LEFT)
    tell("all topics exist as they should")


@app.command()
def password() -> None:
    """Ask for a password, and print its hash for console.users in tandem.toml."""
    from services.console.web.people import hashed

    given = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    if len(given) < PASSWORD_MIN:
        stop(f"a password has at least {PASSWORD_MIN} characters")
    tell(hashed(given))


@app.command()
def doctor(tenant: TenantOption = None, as_json: JsonOption = False) -> None:
    """Check all that a first run needs: Kafka, topics, keys, privileges, families, groups,
    webhooks, clocks.

    Each finding comes with its fix, and the end says what to do next. Writes nothing, needs no
    running service, ends within a minute. Without --tenant it looks at all of them. Exit code 0:
    nothing to correct, notes are allowed; 3: something was found; 2: the settings cannot be used.
    """
    from services.console.doctor_view import (
        run_doctor,
    )  # it alone needs HTTP, which takes long to import

    raise typer.Exit(run_doctor(settings(needs=SYSTEMS, tenants=False), tenant, as_json=as_json))


@app.command()
def watch(
    readings: Annotated[
        bool,
        typer.Option(
            "--readings",
            help="Each reading too: what was changed there, and our own writes coming back.",
        ),
    ] = False,
    tenant: TenantOption = None,
    as_json: JsonOption = False,
) -> None:
    """The live flow, a line for each change, until Ctrl-C."""
    about = meant(tenant)

    def show(line: watching.Line) -> None:
        if as_json:
            print_json(line)
        else:
            tell(line.text())

    def begun() -> None:
        tell(f"watching {about.tenant}; Ctrl-C ends it", err=True)

    run(
        about.settings,
        watching.watch(about, show, begun=begun, readings=readings),
        interrupted=("", 0),
    )


app.command("status")(cli_read.status)
app.command("findings")(cli_read.findings)
app.command("plan")(cli_read.plan)
app.command("explain")(cli_read.explain)
app.command("lost")(cli_read.lost)
app.command("letters")(cli_read.letters)
app.command("mode")(cli_change.mode)
app.command("pause")(cli_change.pause)
app.command("resume")(cli_change.resume)
app.command("redrive")(cli_change.redrive)
app.command("settle")(cli_change.settle)
app.command("forget")(cli_change.forget)
app.command("replay")(cli_runs.replay)
app.command("reconcile")(cli_runs.reconcile)
app.command("rebuild")(cli_runs.rebuild)
held_app.command("show")(cli_read.held_show)
held_app.command("release")(cli_decide.held_release)
held_app.command("discard")(cli_decide.held_discard)
links_app.command("find")(cli_read.links_find)
links_app.command("show")(cli_read.links_show)
links_app.command("link")(cli_decide.links_link)
links_app.command("unlink")(cli_change.links_unlink)
links_app.command("pick")(cli_decide.links_pick)
links_app.command("undo")(cli_change.links_undo)
links_app.command("export")(cli_change.links_export)
links_app.command("import")(cli_change.links_import)
runs_app.command("list")(cli_runs.runs_list)
runs_app.command("show")(cli_runs.runs_show)
runs_app.command("pause")(cli_runs.runs_pause)
runs_app.command("resume")(cli_runs.runs_resume)
runs_app.command("cancel")(cli_runs.runs_cancel)
app.add_typer(held_app, name="held")
app.add_typer(links_app, name="links")
app.add_typer(runs_app, name="runs")
app.add_typer(topics_app, name="topics")


def main() -> None:
    """The entry of the installed command `tandem`."""
    app()


if __name__ == "__main__":
    main()
