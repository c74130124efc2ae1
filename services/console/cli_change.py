"""Commands that change something: each is a signal on Kafka, carried out once and answered in the journal."""

import sys
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

import typer

from runtime.clock import utc_now
from services.console.base import (
    LEFT,
    EntityArgument,
    EntityOption,
    KeyArgument,
    SystemLiteral,
    TargetOption,
    TenantOption,
    done,
    meant,
    read,
    run,
    signal,
    stop,
)  # fmt: skip
from services.console.letters import NAMES_AT_ONCE, choose, send_again
from services.console.links import PAIRS_AT_ONCE, pairs_of, read_pairs, write_pairs
from services.console.lookup import find_link, keys_of
from services.console.model import ReadModel

BatchOption = Annotated[str | None, typer.Option("--batch", help="Only this batch, as creates-1 or first.")]


def mode(
    wanted: Annotated[Literal["observe", "sync"], typer.Argument(metavar="observe|sync", help="From now on.")],
    tenant: TenantOption = None,
) -> None:
    """Send commands (sync), or keep plans and send nothing (observe). Outranks the settings file."""
    about = meant(tenant)
    missing = about.settings.tenants[about.tenant].missing_decisions()
    if wanted == "sync" and missing:
        stop(f"{about.tenant} stays in observe until these are set: {', '.join(missing)}")
    done(signal(about, "mode", mode=wanted))


def pause(entity: EntityOption = None, target: TargetOption = None, tenant: TenantOption = None) -> None:
    """Send no commands of an entity to a system; without them, none at all. Plans are kept."""
    done(signal(meant(tenant), "pause", entity=entity, target=target))


def resume(entity: EntityOption = None, target: TargetOption = None, tenant: TenantOption = None) -> None:
    """End a pause; what was planned meanwhile is sent."""
    done(signal(meant(tenant), "resume", entity=entity, target=target))


def held_release(entity: EntityArgument, batch: BatchOption = None, tenant: TenantOption = None) -> None:
    """Let a held batch of an entity go on, or all that breakers and the first backfill hold of it."""
    done(signal(meant(tenant), "release", entity=entity, batch=batch))


def held_discard(entity: EntityArgument, batch: BatchOption = None, tenant: TenantOption = None) -> None:
    """Drop the plans of a held batch: nothing is created or removed, differing fields stay and are listed."""
    done(signal(meant(tenant), "discard", entity=entity, batch=batch))


def redrive(
    entity: EntityOption = None,
    key: Annotated[str | None, typer.Option("--key", help="Only this link; needs --entity.")] = None,
    letter: Annotated[str | None, typer.Option("--letter", help="Only the dead letter with this id.")] = None,
    reason: Annotated[str | None, typer.Option("--reason", help="Only dead letters with these words.")] = None,
    tenant: TenantOption = None,
) -> None:
    """Plan again what was rejected, broken or in conflict, from the present state; dead letters leave their list."""
    about = meant(tenant)
    if key is not None and entity is None:
        stop("--key needs --entity")
    if (letter is not None or reason is not None) and (entity is not None or key is not None):
        stop("--letter and --reason choose dead letters by themselves: leave out --entity and --key")
    if key is not None:
        letters = read(about, lambda model: model.letter_keys(about.tenant, entity or "customer", key))
        answer = signal(about, "redrive", entity=entity, key=key, letters=letters)
        typer.echo(f"{answer['planned']} planned again")
        return
    chosen = read(about, lambda model: choose(model.letters(about.tenant), letter, reason))
    of_entity = {name: keys for name, keys in chosen.links.items() if entity in (None, name[0])}
    names = list(of_entity)
    planned = 0
    if letter is None and reason is None:
        # Also what has no letter: conflicts, and records that could not be read.
        planned = signal(about, "redrive", entity=entity)["planned"]
    for begin in range(0, len(names), NAMES_AT_ONCE):
        part = names[begin : begin + NAMES_AT_ONCE]
        keys = [each for name in part for each in of_entity[name]]
        answer = signal(about, "redrive", names=[list(name) for name in part], letters=keys)
        planned += answer["planned"] if letter is not None or reason is not None else 0
    messages = chosen.messages if entity is None else {}
    if messages:
        run(about.settings, send_again(about.settings, messages))
        signal(about, "redrive", names=[], letters=list(messages))
    typer.echo(f"{planned} planned again, {len(messages)} messages sent again")


def settle(
    entity: EntityArgument,
    key: KeyArgument,
    field: Annotated[str, typer.Argument(help="The field that differs.")],
    keep: Annotated[
        SystemLiteral | None,
        typer.Option("--keep", help="The system whose value is written to the other; without it both stay."),
    ] = None,
    tenant: TenantOption = None,
) -> None:
    """Decide a listed difference."""
    done(signal(meant(tenant), "settle", entity=entity, key=key, field=field, keep=keep))


def forget(
    entity: EntityArgument,
    key: Annotated[str, typer.Argument(help="The link's key, or the record's id on either side.")],
    tenant: TenantOption = None,
) -> None:
    """Erase everything that is held of a record; refused while one of the systems still has it."""
    about = meant(tenant)

    def found(model: ReadModel) -> tuple[str, list[str], list[str]]:
        link = find_link(model, about.tenant, entity, key)
        return (link.key, model.journal_keys(about.tenant, entity, keys_of(link)),
                model.letter_keys(about.tenant, entity, link.key))  # fmt: skip

    link_key, journal, letters = read(about, found)
    answer = signal(about, "forget", entity=entity, key=link_key, journal=journal, letters=letters)
    until = utc_now() + timedelta(days=answer["within_days"])
    read(about, lambda model: None)  # so that this copy has it no more either
    typer.echo(f"erased: {answer['erased']} keys; Kafka's files hold nothing of it after {until:%Y-%m-%d}")


# -- links


def links_link(
    entity: EntityArgument,
    chargebee: Annotated[str, typer.Argument(metavar="CHARGEBEE_ID", help="The record's id in Chargebee.")],
    poweroffice: Annotated[str, typer.Argument(metavar="GO_ID", help="The record's Id in PowerOffice Go.")],
    tenant: TenantOption = None,
) -> None:
    """Say that a Chargebee record and a Go record are one; fields that differ are listed, none is overwritten."""
    done(signal(meant(tenant), "link", entity=entity, chargebee=chargebee, poweroffice=poweroffice))


def links_unlink(entity: EntityArgument, key: KeyArgument, tenant: TenantOption = None) -> None:
    """Part two records for good; nothing is created for either until it is linked or redriven."""
    done(signal(meant(tenant), "unlink", entity=entity, key=key))


def links_pick(
    entity: EntityArgument,
    key: KeyArgument,
    candidate: Annotated[
        str | None, typer.Argument(help="The key of the candidate, as `tandem links show` lists them.")
    ] = None,
    new: Annotated[
        bool, typer.Option("--new", help="It is none of those that look like it: create it, or list it no longer.")
    ] = False,
    tenant: TenantOption = None,
) -> None:
    """Choose the twin of an ambiguous record among its candidates, or say with --new that it has none."""
    about = meant(tenant)
    if new == (candidate is not None):
        stop("name one candidate, or give --new where it is none of them; tandem links show lists them")
    done(signal(about, "pick", entity=entity, key=key, candidate=candidate, new=new or None))


def links_undo(
    signal_id: Annotated[str, typer.Argument(metavar="SIGNAL", help="The id that was printed.")],
    tenant: TenantOption = None,
) -> None:
    """Take a link, pick or unlink back."""
    done(signal(meant(tenant), "undo", signal=signal_id))


def links_export(tenant: TenantOption = None) -> None:
    """Print the linked pairs as CSV: entity, chargebee, poweroffice."""
    about = meant(tenant)
    write_pairs(sys.stdout, read(about, lambda model: pairs_of(model, about.tenant)))


def links_import(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV as `links export` prints it.")],
    tenant: TenantOption = None,
) -> None:
    """Link the pairs of a CSV file; pairs whose records are not known yet are linked when they are."""
    about = meant(tenant)
    try:
        pairs = read_pairs(file)
    except (OSError, ValueError) as error:
        stop(f"{file}: {error}")
    linked, refused = 0, []
    for begin in range(0, len(pairs), PAIRS_AT_ONCE):
        answer = signal(about, "import", pairs=pairs[begin : begin + PAIRS_AT_ONCE])
        linked += answer["linked"]
        refused += answer["refused"]
    for line in refused:
        typer.echo(f"refused: {line}", err=True)
    typer.echo(f"{linked} linked, {len(refused)} refused, {len(pairs) - linked - len(refused)} were linked already")
    if refused:
        raise typer.Exit(LEFT)
