"""Every fact that the linker keeps in `control`, as a struct with the id it stands under.

On the topic a fact is a `Control`: its kind, an id, and the struct as JSON. A fact that was taken
back is `{}` there. Fields that a fact does not know are left alone, so that an older release may
read what a newer one wrote.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Protocol, TypeVar

import msgspec

from contracts.entities import System
from contracts.messages import FindingKind, Settled
from contracts.said import Said

HERE = "~"  # the id of a fact of which a tenant has one


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """What all facts have in common: the kind under which they are kept."""

    KIND: ClassVar[str] = ""


class Mode(Fact, frozen=True, kw_only=True):
    """What an operator said last, which outranks the settings. Under HERE."""

    KIND: ClassVar[str] = "mode"
    mode: Literal["observe", "sync"]


class Pause(Fact, frozen=True, kw_only=True):
    """Nothing of an entity is written to a system, since `at`. Under `<entity>/<system>`."""

    KIND: ClassVar[str] = "pause"
    at: str


class Barrier(Fact, frozen=True, kw_only=True):
    """A system has shown all it had of an entity, in the snapshot named. Under
    `<entity>/<system>`."""

    KIND: ClassVar[str] = "barrier"
    snapshot: str
    records: int
    completed_at: str


class Breaker(Fact, frozen=True, kw_only=True):
    """What a breaker has let pass since `since`, and while `open` the number of the batch that it
    holds. Under `<entity>/<class>`."""

    KIND: ClassVar[str] = "breaker"
    batch: int = 0
    open: bool = False
    since: str = ""
    count: int = 0


class Batch(Fact, frozen=True, kw_only=True):
    """A held batch has been released. Under `<entity>/<batch>`."""

    KIND: ClassVar[str] = "batch"
    released: str


class Released(Fact, frozen=True, kw_only=True):
    """The first backfill of an entity has been released. Under `<entity>`."""

    KIND: ClassVar[str] = "released"
    at: str


class Reachable(Fact, frozen=True, kw_only=True):
    """When a system was last told to answer again. Under `<system>`."""

    KIND: ClassVar[str] = "reachable"
    at: str


class Identity(Fact, frozen=True, kw_only=True):
    """The vendor account that a tenant is pinned to, under `<system>`; under `order_source`, what a
    sale is."""

    KIND: ClassVar[str] = "identity"
    id: str
    signal: str | None = None
    at: str | None = None


class Stopped(Fact, frozen=True, kw_only=True):
    """Another account, or another source of orders, than the pinned one was found: the tenant
    stands still. `words` say why where it is the source, `said` the same as sentences. Under what
    was found."""

    KIND: ClassVar[str] = "stopped"
    pinned: str | None
    found: str
    at: str
    words: str | None = None
    said: list[Said] = []


class Joined(Fact, frozen=True, kw_only=True):
    """An operator said that a record's twin is the one with this id. Under
    `<entity>/<system>/<id>`."""

    KIND: ClassVar[str] = "joined"
    id: str


class Apart(Fact, frozen=True, kw_only=True):
    """An operator parted two records for good. Under `<entity>|<Chargebee id>|<Go id>`."""

    KIND: ClassVar[str] = "apart"
    at: str


class Distinct(Fact, frozen=True, kw_only=True):
    """An operator said that a record is none of those that look like it. Under
    `<entity>/<system>/<id>`."""

    KIND: ClassVar[str] = "distinct"
    at: str


class Kept(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """Of a link that is gone, what a person decided about it and what we have done to it, which no
    reading tells; see `Link`. Under `<entity>/<system>/<id>`."""

    KIND: ClassVar[str] = "kept"
    aside: str | None = None
    aside_said: Said | None = None
    confirmed: bool = False
    settled: dict[FindingKind, Settled] = {}
    notice: str | None = None
    notice_as: str | None = None
    removed: bool = False
    made: System | None = None
    paid_released: bool = False
    put_on_hold: bool = False


class Floor(Fact, frozen=True, kw_only=True):
    """The greatest numbers of links that are gone, above which new ones number theirs. Under
    HERE."""

    KIND: ClassVar[str] = "floor"
    seq: int = 0
    entries: int = 0


class Forgotten(Fact, frozen=True, kw_only=True):
    """A record was forgotten in this state; `keys` are erased once a day until they are gone. Under
    `<entity>/<system>/<id>`."""

    KIND: ClassVar[str] = "forgotten"
    version: str
    at: str
    told: str
    keys: list[list[str]]


class Active(Fact, frozen=True, kw_only=True):
    """Which run is the tenant's one. Under `run`."""

    KIND: ClassVar[str] = "active"
    id: str


class Run(Fact, frozen=True, kw_only=True):
    """How far a run is; `paused` is the state to go back to. Under its id, which is that of the
    signal.

    `parts` are the complete readings that it waits for (`<system>/<entity>`), with the number of
    records of those that have come; `after` is the last record of a replay that was taken.
    """

    KIND: ClassVar[str] = "run"
    kind: Literal["replay", "reconcile", "rebuild"]
    state: Literal["clearing", "reading", "working", "paused", "done", "cancelled"]
    at: str
    args: dict[str, Any]
    counts: dict[str, int] = {}
    dry_run: bool = False
    repair: bool = False
    parts: dict[str, int | None] = {}
    after: list[str] = []
    paused: Literal["reading", "working"] | None = None

    @property
    def is_over(self) -> bool:
        return self.state in ("done", "cancelled")

    @property
    def only_looks(self) -> bool:
        """Whether it reports what it finds and changes nothing."""
        return self.dry_run or (self.kind == "reconcile" and not self.repair)


class Reload(Fact, frozen=True, kw_only=True):
    """The map is read anew from its topic; `differing` are links that were held otherwise. Under
    HERE."""

    KIND: ClassVar[str] = "reload"
    signal: str | None
    state: Literal["asked", "done"]
    at: str
    links: int = 0
    differing: list[str] = []


FACTS: dict[str, type[Fact]] = {each.KIND: each for each in Fact.__subclasses__()}
F = TypeVar("F", bound=Fact)


class Shown(Protocol):
    """Whoever shows the facts of one tenant, as JSON by kind and id."""

    def control(self, kind: str, id: str) -> dict[str, Any] | None: ...


class Held(Shown, Protocol):
    """Whoever keeps them."""

    def set_control(self, kind: str, id: str, value: dict[str, Any]) -> None: ...


def of(value: Mapping[str, Any] | None, kind: type[F]) -> F | None:
    """A fact of its JSON; None when it never was, or was taken back. Raises
    msgspec.ValidationError."""
    return msgspec.convert(value, kind) if value else None


def get(held: Shown, kind: type[F], id: str = HERE) -> F | None:
    """A fact; None when it never was, or was taken back."""
    return of(held.control(kind.KIND, id), kind)


def holds(held: Shown, kind: type[Fact], id: str = HERE) -> bool:
    """Whether there is a fact, without reading it."""
    return bool(held.control(kind.KIND, id))


def put(held: Held, fact: Fact, id: str = HERE) -> None:
    """Keep a fact."""
    held.set_control(fact.KIND, id, msgspec.to_builtins(fact))


def take_back(held: Held, kind: type[Fact], id: str = HERE) -> None:
    """Let a fact hold no longer."""
    held.set_control(kind.KIND, id, {})
