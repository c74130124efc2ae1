"""What the topics tell of one tenant, folded for the screen and for the checks. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from contracts.entities import ENTITIES, SYSTEMS, EntityName, System, other
from contracts.messages import Command, JournalEntry, Link, LinkState, Outcome

LinkName = tuple[EntityName, str]
LINKED: frozenset[LinkState] = frozenset({"linked", "sent"})
# What only a person, or nobody, will ever finish.
AT_REST: frozenset[LinkState] = frozenset(
    {"ambiguous", "rejected", "ignored", "conflict", "broken"}
)


@dataclass(frozen=True)
class Figures:
    """The figures of one entity. `created` counts by the system in which the record was made."""

    records: dict[System, int]
    snapshots: dict[System, bool]
    created: dict[System, int]
    matched: int
    linked: int
    waiting: int
    ambiguous: int
    rejected: int
    in_flight: int


@dataclass
class Progress:
    """The newest links, everything that was decided, commanded and answered, and how far the linker
    has read.

    `read_to` and `written_to` are offsets by full topic name: the linker's next, and the next of
    the topic.
    """

    links: dict[LinkName, Link] = field(default_factory=dict)
    journal: dict[bytes, JournalEntry] = field(default_factory=dict)
    commands: dict[tuple[EntityName, str, int], Command] = field(default_factory=dict)
    outcomes: dict[tuple[EntityName, str, int], Outcome] = field(default_factory=dict)
    barriers: set[str] = field(default_factory=set)
    dead_letters: int = 0
    read_to: dict[str, int] = field(default_factory=dict)
    written_to: dict[str, int] = field(default_factory=dict)

    def of(self, entity: EntityName) -> Iterator[Link]:
        """The links of one entity, ordered by key."""
        for name in sorted(self.links):
            if name[0] == entity:
                yield self.links[name]

    def by_id(self, entity: EntityName, system: System, record_id: str) -> Link | None:
        """The link that holds a vendor record."""
        for link in self.of(entity):
            side = link.chargebee if system == "chargebee" else link.poweroffice
            if side is not None and side.id == record_id:
                return link
        return None

    def finished(self, op: str) -> Iterator[Command]:
        """Commands of one kind that their sink carried out."""
        for name, command in self.commands.items():
            outcome = self.outcomes.get(name)
            if (
                command.op == op
                and outcome is not None
                and outcome.result in ("applied", "adopted")
            ):
                yield command

    def created(self) -> dict[LinkName, System]:
        """The links whose twin was made by us, and in which system."""
        return {(each.entity, each.link): each.target for each in self.finished("create")}

    def matched(self) -> set[LinkName]:
        """The links of two records that both existed already."""
        joined = {
            (e.entity, e.link) for e in self.journal.values() if e.rule.startswith("matched_by_")
        }
        return {name for name in joined if name in self.links} - set(self.created())

    def figures(self, entity: EntityName) -> Figures:
        links = list(self.of(entity))
        states = Counter(link.state for link in links)
        made = Counter(target for (kind, _), target in self.created().items() if kind == entity)
        return Figures(
            records={
                "chargebee": sum(link.chargebee is not None for link in links),
                "poweroffice": sum(link.poweroffice is not None for link in links),
            },
            snapshots={system: f"{entity}/{system}" in self.barriers for system in SYSTEMS},
            created={system: made[system] for system in SYSTEMS},
            matched=sum(kind == entity for kind, _ in self.matched()),
            linked=sum(states[state] for state in LINKED),
            waiting=states["waiting"],
            ambiguous=states["ambiguous"],
            rejected=states["rejected"],
            in_flight=sum(link.flight is not None for link in links),
        )

    def unfinished(self) -> list[str]:
        """Why the tenant is not at rest, in words; empty when nothing is left to do."""
        missing = [f"{e}/{s}" for e in ENTITIES for s in SYSTEMS if f"{e}/{s}" not in self.barriers]
        reasons = [f"no complete snapshot of {', '.join(missing)}"] if missing else []
        behind = [
            topic for topic, end in self.written_to.items() if self.read_to.get(topic, 0) < end
        ]
        if behind:
            reasons.append(f"the linker has not read all of {', '.join(sorted(behind))}")
        for link in self.links.values():
            if (reason := self._movable(link)) is not None:
                reasons.append(f"{link.entity} {link.key} {reason}")
        return reasons

    def _movable(self, link: Link) -> str | None:
        if link.flight is not None:
            return f"has a command to {link.flight.command.target} open"
        if link.state in LINKED or link.state in AT_REST:
            return None
        if link.state == "waiting" and self._waits_for_nothing(link):
            return None
        return f"is {link.state}: {link.reason}"

    def _waits_for_nothing(self, link: Link) -> bool:
        """Whether some record that it waits for is at rest without a twin."""
        holders = (self._holder(name) for name in link.waiting_on)
        return not link.waiting_on or any(
            each is not None and each.state in AT_REST for each in holders
        )

    def _holder(self, name: str) -> Link | None:
        parts = name.split("|", 2)
        for entity in ENTITIES:
            if parts[0] == entity:
                return next(
                    (self.by_id(entity, s, parts[2]) for s in SYSTEMS if s == parts[1]), None
                )
        return None


def endpoints(command: Command) -> int:
    """How many endpoints an update touches; in Chargebee API v2 billing details and item prices
    have their own."""
    fields = set(command.fields)
    if command.target == "chargebee" and command.entity == "customer":
        own = {"address", "organisation_number"}
    elif command.target == "chargebee" and command.entity == "product":
        own = {"price"}
    else:
        return 1
    return bool(fields & own) + bool(fields - own)


WRITES_PER_CREATE: dict[tuple[EntityName, System], int] = {
    ("customer", "poweroffice"): 1,
    ("customer", "chargebee"): 1,
    ("product", "poweroffice"): 1,
    ("product", "chargebee"): 2,
    ("order", "poweroffice"): 1,
    ("order", "chargebee"): 2,
}


def writes_needed(
    progress: Progress, first_links: Iterable[Command], edits: int, source: str = "orders"
) -> int:
    """The write requests that could not have been saved.

    Each record made once (an item with its price, an imported invoice with its order unless
    invoices are the sales, the item family once), the reference of each order that we imported
    ourselves (one that Chargebee generated gets it together with its status), each stamp, what the
    first link of two existing records had to fill in (`first_links`: updates before the edits), and
    the endpoints that the scripted edits touch. Anything above is an echo or a repeat.
    """
    created = progress.created()
    per_create = {
        **WRITES_PER_CREATE,
        **({("order", "chargebee"): 1} if source == "invoices" else {}),
    }
    creates = sum(per_create[name[0], target] for name, target in created.items())
    family = any(name[0] == "product" and target == "chargebee" for name, target in created.items())
    stamps = {(each.entity, each.link) for each in progress.finished("stamp")}
    matched = progress.matched()
    fills = sum(endpoints(each) for each in first_links if (each.entity, each.link) in matched)
    imported = sum(
        _is_imported(progress.links.get(name))
        for name, target in created.items()
        if target == "chargebee"
    )
    return creates + imported + family + len(stamps) + fills + edits


def _is_imported(link: Link | None) -> bool:
    side = link.chargebee if link is not None and link.entity == "order" else None
    return side is not None and side.id.startswith("go-")


def direction(target: System) -> str:
    """`cb>go` for writes to PowerOffice Go, `go>cb` for writes to Chargebee."""
    short = {"chargebee": "cb", "poweroffice": "go"}
    return f"{short[other(target)]}>{short[target]}"
