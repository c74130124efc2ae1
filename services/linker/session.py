"""One message's work on a child state: what it sends, what it journals, and whom it wakes. It
decides nothing. Pure."""

from collections import deque
from typing import Any, NamedTuple

from contracts import facts, signals
from contracts.entities import EntityName, System
from contracts.messages import STOPPED_BY, Command, DeadLetter, JournalEntry, Link, Signal
from services.linker.merge import Note
from services.linker.state import State

MAX_AT_ONCE = 200  # links planned anew by one step; a signal to ourselves goes on with the rest


class Tombstone(NamedTuple):
    """Take everything under a key out of a topic (its name without prefix)."""

    topic: str
    key: str


class Wanted(NamedTuple):
    """A link that is to be planned because of what another one has come to."""

    entity: EntityName
    key: str


class Rested(NamedTuple):
    """A link that has come to rest; whoever waits for it is to be planned."""

    entity: EntityName
    key: str


Output = Command | JournalEntry | DeadLetter | Signal | Tombstone


class Session:
    """What one message does to a child state. `outputs` are to be sent; `later` is what follows for
    other links, worked off when the link in hand is done, so that planning one never plans another
    in its middle."""

    def __init__(self, state: State, now: str) -> None:
        self.state, self.now, self.cause = state, now, ""
        self.outputs: list[Output] = []
        self.later: deque[Wanted | Rested] = deque()
        self.refused: Command | None = None  # a plan that was just answered as stale

    def scratch(self) -> "Session":
        """Work on a copy of the state that is thrown away."""
        copy = Session(self.state.child(), self.now)
        copy.cause = self.cause
        return copy

    # -- facts

    def mode(self) -> str:
        """observe or sync: a missing decision or another vendor account outrank a signal, a signal
        the settings."""
        stopped = any(facts.holds(self.state, facts.Stopped, each) for each in STOPPED_BY)
        if self.state.policy.undecided or stopped:
            return "observe"
        held = facts.get(self.state, facts.Mode)
        return held.mode if held is not None else self.state.policy.mode

    def barrier_open(self, entity: EntityName) -> bool:
        """Whether both systems have shown all they had of an entity."""
        held = self.state
        return facts.holds(held, facts.Barrier, f"{entity}/chargebee") and facts.holds(
            held, facts.Barrier, f"{entity}/poweroffice"
        )

    # -- what is sent

    def go_on(self, left: signals.Advance) -> None:
        """A signal to ourselves, so that one transaction never grows without bound."""
        self.outputs.append(signals.to(self.state.tenant, left, id=f"{self.cause}+", at=self.now))

    def erase(self, topic: str, key: str) -> None:
        """Take everything under a key out of a topic."""
        self.outputs.append(Tombstone(topic, key))

    def acknowledge(self, signal: Signal, answer: dict[str, Any]) -> None:
        """Tell the journal what became of an operator's signal."""
        done = answer["result"] if answer["result"] == "done" else f"refused: {answer['reason']}"
        self.outputs.append(
            JournalEntry(
                tenant=signal.tenant,
                entity=None,
                link=signal.id,
                entry="1",
                at=self.now,
                rule=signal.kind,
                text=f"{signal.by or 'an operator'} asked for {signal.kind}: {done}",
                cause=self.cause,
                value={name: held for name, held in signal.args.items() if name != "pairs"} or None,
            )
        )

    def note(self, link: Link, note: Note, entry: str | None = None) -> None:
        """Record a decision about one field."""
        self.journal(
            link, note.rule, note.text, note.system, note.name, note.value, note.losing, entry=entry
        )

    def journal(
        self,
        link: Link,
        rule: str,
        text: str,
        system: System | None = None,
        name: str | None = None,
        value: Any = None,
        losing: Any = None,
        *,
        entry: str | None = None,
    ) -> None:
        """Record a decision; `entry` is numbered by the link unless given."""
        if entry is None:
            link.entries += 1
            entry = str(link.entries)
        self.outputs.append(
            JournalEntry(
                tenant=link.tenant,
                entity=link.entity,
                link=link.key,
                entry=entry,
                at=self.now,
                rule=rule,
                text=text,
                cause=self.cause,
                system=system,
                field=name,
                value=value,
                losing=losing,
            )
        )
