"""Every message on the topics. New fields get defaults, types never change (`contracts/schemas` is
the record).

Data travels as JSON objects in the shape of `contracts.entities`. Times are ISO 8601 in UTC.
"""

from typing import Any, Literal

import msgspec

from contracts.entities import SYSTEMS, EntityName, System
from contracts.lines import put_back
from contracts.said import SENTENCES, Said, english

Op = Literal["create", "update", "stamp", "verify", "delete"]
Lane = Literal["bulk", "live"]
Result = Literal["applied", "adopted", "stale", "rejected", "parked"]
Author = Literal["tandem", "others"]
LinkState = Literal[
    "pending",
    "waiting",
    "creating",
    "linked",
    "ambiguous",
    "conflict",
    "rejected",
    "held",
    "parked",
    "broken",
    "sent",
    "ignored",
]


FindingKind = Literal[
    "invoiced_twice",
    "paid_but_open",
    "credited_after_invoice",
    "credited_in_go",
    "money_differs",
    "vat_differs",
    "not_whole",
    "dropped",
]


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why a record or a command was refused: a code, the field it is about, and words for a
    person. `said` are those words where they are ours; without it they are the vendor's."""

    code: str
    message: str
    field: str | None = None
    said: Said | None = None

    @classmethod
    def of(cls, code: str, said: Said, field: str | None = None) -> "Problem":
        """One that we found ourselves."""
        return cls(code=code, message=english(said), field=field, said=said)

    @property
    def why(self) -> Said | str:
        """What a sentence about it says: our own, or the vendor's words."""
        return self.said if self.said is not None else self.message


class Observed(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="observed"):
    """The whole canonical state of one vendor record at one version.

    `data` is None when the record is deleted and its content is not known, or when `problem` says
    why it cannot be mapped. `stamp` is the reference the record carries to the other system
    (`cb-<id>` in Go, `go-<Id>` in Chargebee). `incomplete` names fields that the vendor holds but
    that are unfit to be carried. `made_by` says who made this version where the vendor names it:
    our own key, or anybody else. A field that is missing from `data` is one that the mapping of
    this reading did not know yet.
    """

    tenant: str
    system: System
    entity: EntityName
    id: str
    version: str
    mapping: int
    observed_at: str
    snapshot: str | None = None
    deleted: bool = False
    data: dict[str, Any] | None = None
    stamp: str | None = None
    incomplete: tuple[str, ...] = ()
    problem: Problem | None = None
    made_by: Author | None = None


class SnapshotCompleted(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="snapshot_completed"
):
    """Every record of one entity that one system held has been published under this snapshot id."""

    tenant: str
    system: System
    entity: EntityName
    snapshot: str
    records: int
    completed_at: str


class Reading(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="reading"):
    """A record as it was found by a run of its own (`reconcile`), beside the ordinary stream of
    changes."""

    run: str
    record: Observed


class ReadingCompleted(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="reading_completed"
):
    """A run has read every record of one entity that one system holds."""

    run: str
    tenant: str
    system: System
    entity: EntityName
    records: int
    completed_at: str


class Command(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="command"):
    """One write for one sink. `fields` are the values to write in the target's own ids, `expected`
    what the target held when it was planned; of a create, what a twin is known by and is not
    written. `stamp` is the own id of a create in Chargebee or the reference to write into Go.
    `look_first` says that an earlier attempt may have got through. `look_for_twins` asks a create
    to look in the target for the same organisation number, e-mail and name, or code before it
    writes. `mapping` is the mapping under which the target was last read: a sink with a newer one
    answers an update as stale, with what it reads, and writes nothing. `ours` says that we created
    the target."""

    tenant: str
    entity: EntityName
    link: str
    seq: int
    target: System
    op: Op
    lane: Lane
    cause: str
    target_id: str | None = None
    target_version: str | None = None
    fields: dict[str, Any] = {}
    expected: dict[str, Any] = {}
    stamp: str | None = None
    look_first: bool = False
    look_for_twins: bool = False
    mapping: int = 1
    ours: bool = False


class Outcome(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="outcome"):
    """What became of a command. `data` is the state as the vendor returned it, `incomplete` what of
    it is not carried (None where an adapter of an earlier release does not say), `done` the fields
    that already held our value when the result is stale or `again` is set, `deleted` that the
    record is gone, `calls` the vendor requests made, `at` when it finished. `wrote` is False where
    nothing had to be written. `skipped` holds the fields that the target cannot take, each with the
    reason in words, `skipped_said` those reasons as sentences where they are ours; the others were
    written. `twins` are the ids of records that a create found with the same organisation number,
    e-mail and name, or code: the result is then stale and nothing was created. `again` says of an
    update whose earlier attempt was never answered that the record, or what one request writes of
    it, had moved since it was planned and did not show all of it: who knows whether somebody had
    taken that attempt back."""

    tenant: str
    entity: EntityName
    link: str
    seq: int
    target: System
    result: Result
    at: str
    id: str | None = None
    version: str | None = None
    mapping: int = 1
    data: dict[str, Any] | None = None
    stamp: str | None = None
    incomplete: tuple[str, ...] | None = None
    done: tuple[str, ...] = ()
    maybe_applied: bool = False
    error: Problem | None = None
    calls: int = 0
    deleted: bool = False
    wrote: bool = True
    skipped: dict[str, str] = {}
    skipped_said: dict[str, Said] = {}
    twins: tuple[str, ...] = ()
    again: bool = False


class Write(msgspec.Struct, kw_only=True, array_like=True):
    """One finished write: the version it was planned at, the version it returned, what the written
    fields held before, what was written, what the vendor made of it where that is something else,
    and when it finished (ISO 8601). `between` says of readings from between the two versions, in
    whatever order they came: by field the first that showed what was written, and the last that
    showed what was held before, "" for none."""

    planned: str
    returned: str
    expected: dict[str, Any]
    written: dict[str, Any] = {}
    returned_as: dict[str, Any] = {}
    at: str = ""
    between: dict[str, tuple[str, str]] = {}


class Side(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What is known of one system's record. `base` holds only fields whose base differs from
    `seen`; `unset` the fields without a base; `doubt` the fields that a command of ours may have
    written without telling: what is seen there may be our own write, so the other side's value is
    written again until an answer settles it, and `doubted_at` is the version at which the first of
    those commands was planned, "" once one of the fields has changed since; `remapped` the agreed
    values that a newer mapping reads differently: what the other side holds was made from them;
    `late` the fields that a request of our own reached after newer values were agreed, which are
    written again; `suspect` those that may be such, or a person's: nobody named the author, so a
    person decides; `unlike` stands for `seen` on the topic (`contracts.links`)."""

    id: str
    version: str
    mapping: int = 1
    seen: dict[str, Any] | None = None
    unlike: dict[str, Any] | None = None
    base: dict[str, Any] = {}
    unset: list[str] = []
    deleted: bool = False
    stamp: str | None = None
    incomplete: tuple[str, ...] = ()
    problem: Problem | None = None
    writes: list[Write] = []
    doubt: list[str] = []
    doubted_at: str = ""
    late: list[str] = []
    suspect: list[str] = []
    remapped: dict[str, Any] = {}


class Flight(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The command in flight, with the source's values where they differ from the translated ones,
    and the events that arrived meanwhile: version and written fields, with their authors by version
    where they are known; `deleted` where one of them told that the record is gone."""

    command: Command
    planned: dict[str, Any] = {}
    during: list[tuple[str, dict[str, Any]]] = []
    authors: dict[str, Author] = {}
    deleted: bool = False


class Attempt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A creation that may have been carried out without our seeing its answer: the fields that it
    carried to `target`, and the source's values where they differ from the translated ones."""

    target: System
    fields: dict[str, Any] = {}
    planned: dict[str, Any] = {}


class LineAmounts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of an order on both sides, where they do not agree. Amounts are decimal text in the
    order's currency, None where a side has no such line."""

    text: str = ""
    chargebee_net: str | None = None
    poweroffice_net: str | None = None
    chargebee_tax: str | None = None
    poweroffice_tax: str | None = None


class Finding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A fact about one link that a person with the books in hand must act on, as long as it holds.

    `text` says it in words with the numbers of both documents, `todo` what the person does; `said`
    and `todo_said` are the same as sentences.
    `amount` (decimal text, tax included) is what is at stake, in `currency`; both are None where
    the fact has no amount. `since` is when it was first seen (ISO 8601 UTC).
    """

    kind: FindingKind
    text: str
    todo: str
    amount: str | None = None
    currency: str | None = None
    chargebee: str | None = None
    poweroffice: str | None = None
    lines: tuple[LineAmounts, ...] = ()
    since: str = ""
    said: tuple[Said, ...] = ()
    todo_said: tuple[Said, ...] = ()


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """That a person has ended a finding with a remark. It counts as long as the finding says the
    same."""

    text: str
    amount: str | None
    remark: str
    by: str
    at: str


class Link(msgspec.Struct, kw_only=True, omit_defaults=True):
    """That two vendor records are one thing, or that one record looks for its twin.

    `backfill`: it belongs to the first backfill of its entity. `batch`: the held batch its plan
    belongs to. `aside`: why an operator took it out of the sync; link, pick and redrive bring it
    back. `confirmed`: we have confirmed the order in Go; a person who takes that back is not
    overruled. `restore`: an operator wants the drifted lines of its draft to be those of Chargebee
    again. `passed`: the class of its command that the breakers have counted, and that was parked
    (True as the release before wrote it: of whichever class). `woken`: when the vendor was told to
    answer again that its parked command was planned anew for. `verify`: the systems
    whose record the run `run` wants read and compared. `candidates` are at most 20 keys;
    `candidates_count` says how many share the value that is not unique, 0 where the candidates
    follow from a reference. `twins` are the ids of records that a create met in the other system.
    `duplicates` are the keys of other links that look like the same party as this linked pair;
    journal entries of rule `possible_duplicate` say why. `held_back` says of fields that a target
    could not take why, as long as the two sides differ in them. `asked` are the fields that were
    changed on both sides and whose owner is `ask`: nothing is written until a person keeps one.
    `unlike_lines` stands for the lines of an order on the topic (`contracts.lines`).

    `findings` are the facts that a person must act on, `settled` those that a person has ended, by
    kind. `rounding` says that the VAT of both sides differs by no more than rounding. `notice` is
    the first line that our last write gave the draft in Go, "" for none, and None where none was
    ever written; `notice_as` what Go made of it. `removed`: we have removed the draft of a
    cancelled order; it is made again when that is reopened. `made` names the system in which we
    created the record. `attempts` are creations that were never answered, or that found their
    record already there, until that record is known: what it holds of them is no news.
    `paid_released`: an operator lets the draft of an order be made though it is paid already.
    `put_on_hold`: we have put an order on hold that Chargebee made of our own import; a person who
    takes that back is not overruled. `said`, `held_back_said` and `aside_said` are `reason`,
    `held_back` and `aside` as sentences, where they are ours.
    """

    tenant: str
    entity: EntityName
    key: str
    state: LinkState = "pending"
    reason: str | None = None
    seq: int = 0
    entries: int = 0
    lane: Lane = "live"
    cause: str = ""
    chargebee: Side | None = None
    poweroffice: Side | None = None
    flight: Flight | None = None
    plan: Command | None = None
    waiting_on: list[str] = []
    candidates: list[str] = []
    candidates_count: int = 0
    twins: list[str] = []
    duplicates: list[str] = []
    differences: list[str] = []
    held_back: dict[str, str] = {}
    asked: list[str] = []
    problem: Problem | None = None
    stales: int = 0
    maybe_applied: bool = False
    backfill: bool = False
    batch: str = ""
    aside: str | None = None
    confirmed: bool = False
    restore: bool = False
    passed: str | bool = False
    woken: str = ""
    verify: list[System] = []
    run: str = ""
    unlike_lines: dict[str, list[dict[str, Any]]] = {}
    findings: list[Finding] = []
    settled: dict[FindingKind, Settled] = {}
    rounding: bool = False
    notice: str | None = None
    notice_as: str | None = None
    removed: bool = False
    made: System | None = None
    attempts: list[Attempt] = []
    paid_released: bool = False
    put_on_hold: bool = False
    said: list[Said] = []
    held_back_said: dict[str, Said] = {}
    aside_said: Said | None = None

    def __post_init__(self) -> None:
        """Whoever decodes a link finds `seen` on both sides, and lines wherever there are any."""
        if self.unlike_lines:
            put_back(self, self.unlike_lines)
            self.unlike_lines = {}
        if (
            self.poweroffice is not None
            and self.poweroffice.unlike is not None
            and self.chargebee is not None
        ):
            self.poweroffice.seen = {**(self.chargebee.seen or {}), **self.poweroffice.unlike}
            self.poweroffice.unlike = None


class JournalEntry(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="journal", omit_defaults=True
):
    """One decision, with its reason and the values that lost. `entry` is unique within the link.
    The answer to an operator's signal has no entity, and the signal's id in place of the link.
    Where `rule` is one of LOST_RULES, `system` is the side whose value of `field` lost, `losing`
    that value, `value` the one that stands in its place."""

    tenant: str
    entity: EntityName | None
    link: str
    entry: str
    at: str
    rule: str
    text: str
    cause: str
    system: System | None = None
    field: str | None = None
    value: Any = None
    losing: Any = None


class Signal(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="signal"):
    """An instruction of an operator (or of a service to the linker) with an id; it runs once. `by`
    names the person, as their machine knows them."""

    tenant: str
    id: str
    kind: str
    at: str
    args: dict[str, Any] = {}
    by: str = ""


class Control(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="control"):
    """One fact that outlives a restart: mode, barrier, position, pinned identity."""

    tenant: str
    kind: str
    id: str
    at: str
    value: dict[str, Any] = {}


class Cursor(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="cursor"):
    """How far a source has read one entity."""

    tenant: str
    system: System
    entity: str
    at: str
    value: dict[str, Any] = {}


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="dead_letter"):
    """A message that could not be carried out, with its reason and its bytes (base64) or its
    content."""

    reason: str
    at: str
    topic: str
    partition: int | None = None
    offset: int | None = None
    key: str | None = None
    body_base64: str | None = None
    command: Command | None = None
    problem: Problem | None = None


BEAT_S = 10.0  # between two heartbeats of a process
# What a process says of itself before it is ready for the first time.
STARTING, RESTORING = SENTENCES["starting"], SENTENCES["restoring"]


class Heartbeat(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="heartbeat", omit_defaults=True
):
    """That a process of a service lives, and how it is.

    `slot` is its slot (`0/2`), `since` when the process began, `at` when this was said; `beat`
    counts. `problem` says in words what it waits for, None while it is ready. `stopped`: this is
    its last word, and `problem` why where it was not asked to end. Of two processes in one slot
    `since` tells which.
    """

    service: str
    slot: str
    version: str
    prefix: str
    since: str
    at: str
    beat: int
    problem: str | None = None
    stopped: bool = False


EntityMessage = Observed | SnapshotCompleted
ReadingMessage = Reading | ReadingCompleted
# Ids of the control facts `identity` and `stopped`: the two accounts, and what `order.source`
# counts as a sale.
ORDER_SOURCE = "order_source"
STOPPED_BY = (*SYSTEMS, ORDER_SOURCE)
# Rules of journal entries that tell of an edit that lost.
LOST_RULES = frozenset({"conflict", "overwritten", "restored", "first_link"})
# Codes of a parked outcome that follow from the linker's own switches: it plans again at once.
SWITCHED_OFF = frozenset({"observe", "paused", "stopped"})


def ce_id(message: Observed) -> str:
    """The CloudEvents id of an observation: tenant/system/entity/id/version."""
    return f"{message.tenant}/{message.system}/{message.entity}/{message.id}/{message.version}"


def answer_to(command: Command, result: Result, at: str) -> Outcome:
    """The outcome of a command of which only is said how and when (ISO 8601, UTC) it ended."""
    return Outcome(
        tenant=command.tenant,
        entity=command.entity,
        link=command.link,
        seq=command.seq,
        target=command.target,
        result=result,
        at=at,
    )
