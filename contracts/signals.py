"""Every instruction to the linker, as a struct: what an operator says, and what services tell it.

On the topic an instruction is a `Signal`: its kind, an id, and the struct's fields as `args`, those
left out that have their default. What does not fit is refused in words that name the argument; an
argument that is not known is too, since the rest would mean something else without it.
"""

import re
import typing
from collections.abc import Iterator
from typing import Any, ClassVar, Literal, TypeVar

import msgspec

from contracts.entities import EntityName, System
from contracts.messages import FindingKind, Signal
from contracts.said import Said, SaidError, say


class Wrong(SaidError, ValueError):
    """A signal whose kind is not known, or whose arguments do not fit it, in words."""


class Instruction(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """What all signals have in common: the kind that they are sent as."""

    KIND: ClassVar[str] = ""


class OfOperator(Instruction, frozen=True, kw_only=True):
    """What a person says. It is carried out once, and its answer is kept in control
    `signal/<id>`."""


class OfService(Instruction, frozen=True, kw_only=True):
    """What a service or a start tells the linker; it has no answer."""


# -- switches


class Mode(OfOperator, frozen=True, kw_only=True):
    """Send commands, or keep plans and send nothing."""

    KIND: ClassVar[str] = "mode"
    mode: Literal["observe", "sync"]


class Pause(OfOperator, frozen=True, kw_only=True):
    """Send nothing of an entity (all) to a system (both)."""

    KIND: ClassVar[str] = "pause"
    entity: EntityName | None = None
    target: System | None = None


class Resume(OfOperator, frozen=True, kw_only=True):
    """End a pause of an entity (all) to a system (both)."""

    KIND: ClassVar[str] = "resume"
    entity: EntityName | None = None
    target: System | None = None


# -- what is held


class Release(OfOperator, frozen=True, kw_only=True):
    """Let a held batch go, or all that is held of an entity. `shown` counts by batch the records
    that the person saw; where it is given, what came since is refused."""

    KIND: ClassVar[str] = "release"
    entity: EntityName
    batch: str | None = None
    shown: dict[str, int] | None = None


class Discard(OfOperator, frozen=True, kw_only=True):
    """Drop the plans of a held batch, or all that is held of an entity; `shown` as at a release."""

    KIND: ClassVar[str] = "discard"
    entity: EntityName
    batch: str | None = None
    shown: dict[str, int] | None = None


# -- single records


class Redrive(OfOperator, frozen=True, kw_only=True):
    """Plan again: one link by entity and `key`, those that `names` has as (entity, key), or all
    that were rejected or in conflict of an entity (all). `letters` are the keys of dead letters
    that are thereby done with."""

    KIND: ClassVar[str] = "redrive"
    entity: EntityName | None = None
    key: str | None = None
    names: list[tuple[EntityName, str]] | None = None
    letters: list[str] = []


class Settle(OfOperator, frozen=True, kw_only=True):
    """Decide a `field` that differs: the value of `keep` is written to the other system, without it
    both stand. Or end a `finding` with a `remark`; `text` and `amount` are what it said when the
    person decided."""

    KIND: ClassVar[str] = "settle"
    entity: EntityName
    key: str
    field: str | None = None
    keep: System | None = None
    finding: FindingKind | None = None
    text: str | None = None
    amount: str | None = None
    remark: str | None = None


class Forget(OfOperator, frozen=True, kw_only=True):
    """Erase what is held of a record that both systems have deleted; `journal` and `letters` are
    the keys of its journal entries and dead letters."""

    KIND: ClassVar[str] = "forget"
    entity: EntityName
    key: str
    journal: list[str] = []
    letters: list[str] = []


# -- which records are one


class Join(OfOperator, frozen=True, kw_only=True):
    """Say that two records, by their ids, are one."""

    KIND: ClassVar[str] = "link"
    entity: EntityName
    chargebee: str
    poweroffice: str


class Pair(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Two records that are one, as a row of a file. The entity is checked when it is linked, so
    that one wrong row does not refuse the others."""

    entity: str
    chargebee: str
    poweroffice: str


class Import(OfOperator, frozen=True, kw_only=True):
    """Say that each of many pairs is one."""

    KIND: ClassVar[str] = "import"
    pairs: list[Pair]


class Pick(OfOperator, frozen=True, kw_only=True):
    """Choose the twin of an ambiguous record by the key of its link, or say with `new` that none of
    the candidates is."""

    KIND: ClassVar[str] = "pick"
    entity: EntityName
    key: str
    candidate: str | None = None
    new: bool = False


class Unlink(OfOperator, frozen=True, kw_only=True):
    """Part two records for good."""

    KIND: ClassVar[str] = "unlink"
    entity: EntityName
    key: str


class Undo(OfOperator, frozen=True, kw_only=True):
    """Take a link, pick or unlink back, by the id of its signal."""

    KIND: ClassVar[str] = "undo"
    signal: str


# -- runs


class Replay(OfOperator, frozen=True, kw_only=True):
    """Verify the records that have events in `ranges`, which are [from, to) in offsets by entity
    topic: those of an entity, of a system (`side`), or one `id`."""

    KIND: ClassVar[str] = "replay"
    ranges: dict[str, tuple[int, int]]
    entity: EntityName | None = None
    id: str | None = None
    side: System | None = None
    dry_run: bool = False


class Reconcile(OfOperator, frozen=True, kw_only=True):
    """Read both systems whole and compare; with `repair` what differs is corrected."""

    KIND: ClassVar[str] = "reconcile"
    entity: EntityName | None = None
    repair: bool = False


class Rebuild(OfOperator, frozen=True, kw_only=True):
    """Forget all links and make them anew from complete readings."""

    KIND: ClassVar[str] = "rebuild"


class AskReload(OfOperator, frozen=True, kw_only=True):
    """Read the map anew from its topic and compare it with what is held."""

    KIND: ClassVar[str] = "reload"


class PauseRun(OfOperator, frozen=True, kw_only=True):
    """Let the readings of the run under way rest; `run` is its id."""

    KIND: ClassVar[str] = "run_pause"
    run: str


class ResumeRun(OfOperator, frozen=True, kw_only=True):
    """Let a paused run go on; `run` is its id."""

    KIND: ClassVar[str] = "run_resume"
    run: str


class CancelRun(OfOperator, frozen=True, kw_only=True):
    """End the run under way early; `run` is its id."""

    KIND: ClassVar[str] = "run_cancel"
    run: str


# -- what services tell


class Start(OfService, frozen=True, kw_only=True):
    """The linker's process has started."""

    KIND: ClassVar[str] = "start"


class Tick(OfService, frozen=True, kw_only=True):
    """An hour has passed."""

    KIND: ClassVar[str] = "tick"


class Advance(OfService, frozen=True, kw_only=True):
    """What one transaction left over, told by the linker to itself: one of the fields is set.

    `queue` is a system whose queue is planned on, `bucket` a bucket whose links are; `release_paid`
    and `discard` are held buckets, `clear` is the id of a rebuild, `redrive` names links as
    (entity, key), and `sharing` those that share a value as (entity, rule, value), on from the key
    `after`. Of a held bucket `after` is how many of those that were meant are left: what came to be
    held since is not among them.
    """

    KIND: ClassVar[str] = "advance"
    queue: System | None = None
    bucket: str | None = None
    release_paid: str | None = None
    discard: str | None = None
    clear: str | None = None
    redrive: list[tuple[EntityName, str]] | None = None
    sharing: tuple[EntityName, str, str] | None = None
    after: str = ""


class Reachable(OfService, frozen=True, kw_only=True):
    """A vendor answers again."""

    KIND: ClassVar[str] = "vendor_reachable"
    system: System


class Seen(OfService, frozen=True, kw_only=True):
    """The account that a vendor's key belongs to, "" where the answer named none."""

    KIND: ClassVar[str] = "identity"
    system: System
    id: str


class ReplayPart(OfService, frozen=True, kw_only=True):
    """Some records in a replay's ranges, in order, as [system, entity, id]."""

    KIND: ClassVar[str] = "replay_part"
    run: str
    records: list[list[str]]
    last: bool


class Reloaded(OfService, frozen=True, kw_only=True):
    """The map was read anew; `signal` asked for it. `differing` names at most 100 links that were
    held otherwise."""

    KIND: ClassVar[str] = "reloaded"
    signal: str | None
    links: int
    differing: list[str]


# -- to and from the wire


def _kinds(of: type[Instruction]) -> Iterator[tuple[str, type[Instruction]]]:
    for each in of.__subclasses__():
        if each.KIND:
            yield each.KIND, each
        yield from _kinds(each)


Made = TypeVar("Made", bound=Instruction)
KINDS: dict[str, type[Instruction]] = dict(_kinds(Instruction))


def args_of(said: Instruction) -> dict[str, Any]:
    """The arguments as they stand in a `Signal`; what has its default is left out."""
    held: dict[str, Any] = msgspec.to_builtins(said)
    return held


def to(tenant: str, said: Instruction, *, id: str, at: str, by: str = "") -> Signal:
    """The signal that carries an instruction; `at` is ISO 8601, `by` names the person."""
    return Signal(tenant=tenant, id=id, kind=said.KIND, at=at, args=args_of(said), by=by)


def type_of(kind: str) -> type[Instruction]:
    """Raises Wrong for a kind that does not exist."""
    found = KINDS.get(kind)
    if found is None:
        raise Wrong(say("wrong_kind", kind=kind))
    return found


def of(signal: Signal) -> Instruction:
    """The instruction of a signal. Raises Wrong."""
    return made(type_of(signal.kind), signal.args)


def made(meant: type[Made], args: dict[str, Any], *, of_text: bool = False) -> Made:
    """An instruction of a type from its arguments; `of_text`: numbers and switches are given as
    text, as by a form. Raises Wrong."""
    try:
        return msgspec.convert(args, meant, strict=not of_text)
    except msgspec.ValidationError as error:
        raise Wrong(_words(str(error), meant, args)) from None


def _words(said: str, meant: type[Instruction], args: dict[str, Any]) -> Said:
    """What msgspec says of arguments, as a person would."""
    found = re.search(r"`\$\.(\w+)(\S*)`$", said)
    name, deeper = (found[1], found[2]) if found is not None else ("", "")
    if missing := re.match(r"Object missing required field `(\w+)`", said):
        if name:
            return say("wrong_missing_in", name=missing[1], where=name)
        return say("wrong_missing", name=missing[1])
    if unknown := re.match(r"Object contains unknown field `(\w+)`", said):
        names = ", ".join(meant.__struct_fields__) or "none"
        return say("wrong_unknown", kind=meant.KIND, name=unknown[1], fields=names)
    if said.startswith("Invalid enum value") and not deeper:
        allowed = ", ".join(_allowed(typing.get_type_hints(meant)[name]))
        return say("wrong_value", field=name, value=repr(args[name]), list=allowed)
    what = said.partition(" - at ")[0].replace("`", "")
    return say("wrong_fit", name=name + deeper, why=what)


def _allowed(hint: Any) -> Iterator[str]:
    if typing.get_origin(hint) is Literal:
        yield from typing.get_args(hint)
    else:
        for each in typing.get_args(hint):
            yield from _allowed(each)
