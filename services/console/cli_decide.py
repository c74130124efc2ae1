"""Commands that show what will follow and ask before they do it: batches that are held, and which
records are one."""

from collections.abc import Callable
from typing import Annotated, TypeVar

import typer

from contracts import signals
from contracts.entities import EntityName, System
from contracts.messages import Link
from services.console import following
from services.console.asking import YesOption, agreed
from services.console.base import (
    EntityArgument,
    KeyArgument,
    Meant,
    TenantOption,
    done,
    meant,
    read,
    signal,
    stop,
)
from services.console.model import ReadModel
from services.console.terminal import Screen

BatchOption = Annotated[
    str | None, typer.Option("--batch", help="Only this batch, as creates-1, first, or paid.")
]

_T = TypeVar("_T")


def held_release(
    entity: EntityArgument,
    batch: BatchOption = None,
    yes: YesOption = False,
    tenant: TenantOption = None,
) -> None:
    """Let a held batch of an entity go on, or all that breakers and the first backfill hold of it.

    Shows first what would be sent, with sums, and asks. What comes to be held meanwhile is not
    sent.
    """
    _decide_held(signals.Release, entity, batch, tenant, yes=yes)


def held_discard(
    entity: EntityArgument,
    batch: BatchOption = None,
    yes: YesOption = False,
    tenant: TenantOption = None,
) -> None:
    """Drop the plans of a held batch: nothing is created or removed, differing fields stay and are
    listed.

    Shows first what would be dropped, with sums, and asks.
    """
    _decide_held(signals.Discard, entity, batch, tenant, yes=yes)


def _decide_held(
    said: type[signals.Release | signals.Discard],
    entity: EntityName,
    batch: str | None,
    tenant: str | None,
    *,
    yes: bool,
) -> None:
    about = meant(tenant)
    settings = about.settings.tenants[about.tenant]
    held = read(
        about, lambda model: following.held_of(model, about.tenant, settings, entity, batch)
    )
    following.show_held(Screen(), held, what=said.KIND)
    # The linker refuses it where more is held by then than a person has seen.
    shown = held.shown if agreed(yes=yes) else None
    done(signal(about, said(entity=entity, batch=batch, shown=shown)))


def links_link(
    entity: EntityArgument,
    chargebee: Annotated[
        str, typer.Argument(metavar="CHARGEBEE_ID", help="The record's id in Chargebee.")
    ],
    poweroffice: Annotated[
        str, typer.Argument(metavar="GO_ID", help="The record's Id in PowerOffice Go.")
    ],
    yes: YesOption = False,
    tenant: TenantOption = None,
) -> None:
    """Say that a Chargebee record and a Go record are one; fields that differ are listed, none is
    overwritten.

    Shows both first, and the orders that wait for them, and asks.
    """
    about = meant(tenant)
    ids: dict[System, str] = {"chargebee": chargebee, "poweroffice": poweroffice}

    def look(model: ReadModel) -> following.Pair:
        return following.pair_of(model, about.tenant, entity, ids)

    pair = read(about, look)
    following.show_pair(Screen(), pair, about.settings.tenants[about.tenant])
    if agreed(yes=yes):
        _unchanged(about, pair, look)
    done(signal(about, signals.Join(entity=entity, chargebee=chargebee, poweroffice=poweroffice)))


def _unchanged(about: Meant, before: _T, look: Callable[[ReadModel], _T]) -> None:
    """End the command where what was shown is no longer what there is."""
    if read(about, look) != before:
        stop("nothing was done: something of it has changed since it was shown; look again")


def links_pick(
    entity: EntityArgument,
    key: KeyArgument,
    candidate: Annotated[
        str | None,
        typer.Argument(help="The key of the candidate, as `tandem links show` lists them."),
    ] = None,
    new: Annotated[
        bool,
        typer.Option(
            "--new", help="It is none of those that look like it: create it, or list it no longer."
        ),
    ] = False,
    yes: YesOption = False,
    tenant: TenantOption = None,
) -> None:
    """Choose the twin of an ambiguous record among its candidates, or say with --new that it has
    none.

    Shows the records first, and the orders that wait for them, and asks.
    """
    about = meant(tenant)
    if new == (candidate is not None):
        stop(
            "name one candidate, or give --new where it is none of them; tandem links show "
            "lists them"
        )
    if candidate is None:
        _pick_none(about, entity, key, yes=yes)
        return

    def look(model: ReadModel) -> tuple[Link, Link, following.Pair]:
        return following.picked(model, about.tenant, entity, key, candidate)

    found = read(about, look)
    link, other, pair = found
    following.show_pair(Screen(), pair, about.settings.tenants[about.tenant])
    if agreed(yes=yes):
        _unchanged(about, found, look)
    done(signal(about, signals.Pick(entity=entity, key=link.key, candidate=other.key)))


def _pick_none(about: Meant, entity: EntityName, key: str, *, yes: bool) -> None:
    def look(model: ReadModel) -> tuple[Link, following.Alone]:
        return following.alone_of(model, about.tenant, entity, key)

    found = read(about, look)
    following.show_alone(Screen(), found[1])
    if agreed(yes=yes):
        _unchanged(about, found, look)
    done(signal(about, signals.Pick(entity=entity, key=found[0].key, new=True)))
