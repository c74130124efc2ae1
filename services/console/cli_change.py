"""Commands that change something: each is a signal on Kafka, carried out once and answered in the
journal."""

import sys
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

import typer

from contracts import signals
from contracts.entities import EntityName
from contracts.findings import REMARK_MAX
from contracts.messages import Finding, FindingKind
from contracts.said import say
from runtime.clock import utc_now
from services.console.base import (
    LEFT,
    EntityArgument,
    EntityOption,
    KeyArgument,
    NotFound,
    SystemLiteral,
    TargetOption,
    TenantOption,
    done,
    meant,
    read,
    run,
    signal,
    stop,
)
from services.console.letters import NAMES_AT_ONCE, choose, send_again
from services.console.letters import about as letters_about
from services.console.links import imports, pairs_of, read_pairs, write_pairs
from services.console.lookup import find_link, keys_of
from services.console.model import ReadModel
from services.console.terminal import tell


def mode(
    wanted: Annotated[
        Literal["observe", "sync"], typer.Argument(metavar="observe|sync", help="From now on.")
    ],
    tenant: TenantOption = None,
) -> None:
    """Send commands (sync), or keep plans and send nothing (observe). Outranks the settings
    file."""
    about = meant(tenant)
    missing = about.settings.tenants[about.tenant].missing_decisions()
    if wanted == "sync" and missing:
        stop(f"{about.tenant} stays in observe until these are set: {', '.join(missing)}")
    done(signal(about, signals.Mode(mode=wanted)))


def pause(
    entity: EntityOption = None, target: TargetOption = None, tenant: TenantOption = None
) -> None:
    """Send no commands of an entity to a system; without them, none at all. Plans are kept."""
    done(signal(meant(tenant), signals.Pause(entity=entity, target=target)))


def resume(
    entity: EntityOption = None, target: TargetOption = None, tenant: TenantOption = None
) -> None:
    """End a pause; what was planned meanwhile is sent."""
    done(signal(meant(tenant), signals.Resume(entity=entity, target=target)))


def redrive(
    entity: EntityOption = None,
    key: Annotated[
        str | None, typer.Option("--key", help="Only this link; needs --entity.")
    ] = None,
    letter: Annotated[
        str | None, typer.Option("--letter", help="Only the dead letter with this id.")
    ] = None,
    reason: Annotated[
        str | None, typer.Option("--reason", help="Only dead letters with these words.")
    ] = None,
    tenant: TenantOption = None,
) -> None:
    """Plan again what was rejected, broken or in conflict, from the present state; dead letters
    leave their list."""
    about = meant(tenant)
    if key is not None and entity is None:
        stop("--key needs --entity")
    if (letter is not None or reason is not None) and (entity is not None or key is not None):
        stop(
            "--letter and --reason choose dead letters by themselves: leave out --entity and --key"
        )
    if key is not None:
        letters = read(
            about, lambda model: model.letter_keys(about.tenant, entity or "customer", key)
        )
        answer = signal(about, signals.Redrive(entity=entity, key=key, letters=letters))
        tell(f"{answer['planned']} planned again")
        return
    chosen = read(about, lambda model: choose(model.letters(about.tenant), letter, reason))
    of_entity = {name: keys for name, keys in chosen.links.items() if entity in (None, name[0])}
    names = list(of_entity)
    planned = 0
    if letter is None and reason is None:
        # Also what has no letter: conflicts, and records that could not be read.
        planned = signal(about, signals.Redrive(entity=entity))["planned"]
    for begin in range(0, len(names), NAMES_AT_ONCE):
        part = names[begin : begin + NAMES_AT_ONCE]
        keys = [each for name in part for each in of_entity[name]]
        answer = signal(about, signals.Redrive(names=list(part), letters=keys))
        planned += answer["planned"] if letter is not None or reason is not None else 0
    messages = chosen.messages if entity is None else {}
    if messages:
        run(about.settings, send_again(about.settings, messages))
        signal(about, signals.Redrive(names=[], letters=list(messages)))
    tell(f"{planned} planned again, {len(messages)} messages sent again")


def settle(
    entity: EntityArgument,
    key: KeyArgument,
    field: Annotated[str | None, typer.Argument(help="The field that differs.")] = None,
    keep: Annotated[
        SystemLiteral | None,
        typer.Option(
            "--keep", help="The system whose value is written to the other; without it both stay."
        ),
    ] = None,
    finding: Annotated[
        FindingKind | None,
        typer.Option(
            "--finding", help="The finding that is dealt with, in place of a field; needs --remark."
        ),
    ] = None,
    remark: Annotated[
        str | None,
        typer.Option(
            "--remark", help=f"What was done about the finding, at most {REMARK_MAX} characters."
        ),
    ] = None,
    tenant: TenantOption = None,
) -> None:
    """Decide a listed difference, or end a finding with a remark; who settled it and when is
    kept."""
    if (field is None) == (finding is None):
        stop("name the field that differs, or the finding: --finding KIND --remark TEXT")
    if finding is not None and keep is not None:
        stop("--keep goes with a field, not with --finding")
    if finding is None and remark is not None:
        stop("--remark goes with --finding")
    words = _remark(remark) if finding is not None else None
    about = meant(tenant)
    said: Finding | None = None
    if finding is not None:
        key, said = read(
            about, lambda model: _with_finding(model, about.tenant, entity, key, finding)
        )
    done(
        signal(
            about,
            signals.Settle(
                entity=entity,
                key=key,
                field=field,
                keep=keep,
                finding=finding,
                text=said.text if said is not None else None,
                amount=said.amount if said is not None else None,
                remark=words,
            ),
        )
    )
    if said is not None:
        tell(f"settled: {finding}: {said.text}")


def _remark(remark: str | None) -> str:
    words = " ".join((remark or "").split())
    if not words:
        stop("--finding needs --remark TEXT: say what was done, for whoever reads the books")
    if len(words) > REMARK_MAX:
        stop(f"--remark has {len(words)} characters; at most {REMARK_MAX} are kept")
    return words


def _with_finding(
    model: ReadModel, tenant: str, entity: EntityName, key: str, kind: FindingKind
) -> tuple[str, Finding]:
    """The key of the link, which has this finding, and the finding. Raises NotFound."""
    link = find_link(model, tenant, entity, key)
    held = {each.kind: each for each in link.findings}
    if kind not in held:
        fields = ", ".join(held) or "none"
        raise NotFound(
            say("unknown_finding", entity=entity, key=link.key, kind=kind, fields=fields)
        )
    return link.key, held[kind]


def forget(
    entity: EntityArgument,
    key: Annotated[str, typer.Argument(help="The link's key, or the record's id on either side.")],
    tenant: TenantOption = None,
) -> None:
    """Erase everything that is held of a record; refused while one of the systems still has it.

    Dead letters too, also those of messages that could not be read where their key or what can be
    read of them names the record; `tandem letters` shows what is left.
    """
    about = meant(tenant)

    def found(model: ReadModel) -> tuple[str, list[str], list[str]]:
        link = find_link(model, about.tenant, entity, key)
        return (
            link.key,
            model.journal_keys(about.tenant, entity, keys_of(link)),
            letters_about(model.letters(about.tenant), link, about.settings.kafka.topic_prefix),
        )

    link_key, journal, letters = read(about, found)
    answer = signal(
        about, signals.Forget(entity=entity, key=link_key, journal=journal, letters=letters)
    )
    until = utc_now() + timedelta(days=answer["within_days"])
    read(about, lambda model: None)  # so that this copy has it no more either
    tell(
        f"erased: {answer['erased']} keys; Kafka's files hold nothing of it after {until:%Y-%m-%d}"
    )


# -- links


def links_unlink(entity: EntityArgument, key: KeyArgument, tenant: TenantOption = None) -> None:
    """Part two records for good; nothing is created for either until it is linked or redriven."""
    done(signal(meant(tenant), signals.Unlink(entity=entity, key=key)))


def links_undo(
    signal_id: Annotated[str, typer.Argument(metavar="SIGNAL", help="The id that was printed.")],
    tenant: TenantOption = None,
) -> None:
    """Take a link, pick or unlink back."""
    done(signal(meant(tenant), signals.Undo(signal=signal_id)))


def links_export(tenant: TenantOption = None) -> None:
    """Print the linked pairs as CSV: entity, chargebee, poweroffice."""
    about = meant(tenant)
    write_pairs(sys.stdout, read(about, lambda model: pairs_of(model, about.tenant)))


def links_import(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV as `links export` prints it.")],
    tenant: TenantOption = None,
) -> None:
    """Link the pairs of a CSV file; pairs whose records are not known yet are linked when they
    are."""
    about = meant(tenant)
    try:
        pairs = read_pairs(file)
    except (OSError, ValueError) as error:
        stop(f"{file}: {error}")
    linked, refused = 0, []
    for part in imports(pairs):
        answer = signal(about, part)
        linked += answer["linked"]
        refused += answer["refused"]
    for line in refused:
        tell(f"refused: {line}", err=True)
    tell(
        f"{linked} linked, {len(refused)} refused, {len(pairs) - linked - len(refused)} were "
        f"linked already"
    )
    if refused:
        raise typer.Exit(LEFT)
