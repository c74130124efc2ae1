"""What follows from one message: `decide(state, message, now) -> (state, outputs)`. Pure.

The linker never acts on "the event": a reading moves what was seen of one side, then the link is planned from the
states it holds. At most one command per link is in flight; its outcome plans again.
"""

from collections.abc import Iterable
from typing import Any

from contracts.entities import FIELDS, System, other
from contracts.messages import (
    SWITCHED_OFF,
    Author,
    Command,
    DeadLetter,
    Flight,
    Link,
    Observed,
    Outcome,
    Problem,
    Reading,
    ReadingCompleted,
    Side,
    Signal,
    SnapshotCompleted,
    Write,
    ce_id,
)  # fmt: skip
from contracts.topics import ENTITY_TOPICS, record_key
from contracts.values import own_chargebee_id
from services.linker import match as matching
from services.linker import runs, writes
from services.linker.breakers import money_differs, trip
from services.linker.operators import carry_out
from services.linker.plan import Output, Planner
from services.linker.state import (
    State,
    agree,
    apart,
    by_id,
    fold,
    free_key,
    new_side,
    note_during,
    proves,
    set_seen,
    set_side,
    side_of,
    take_returned,
    vendor_part,
)  # fmt: skip

Message = Observed | SnapshotCompleted | Outcome | Signal | Reading | ReadingCompleted


def decide(state: State, message: Message, now: str) -> tuple[State, list[Output]]:
    """The state after a message and what is to be sent. `state` itself is not changed; `now` is ISO 8601 UTC."""
    work = Worker(state.child(), now)
    match message:
        case Observed():
            work.observed(message)
        case SnapshotCompleted():
            work.snapshot_completed(message)
        case Outcome():
            work.outcome(message)
        case Signal():
            carry_out(work, message)
        case Reading():
            runs.reading(work, message)
        case ReadingCompleted():
            runs.reading_completed(work, message)
    work.plan_sharers()
    return work.state, work.outputs


class Worker(Planner):
    """What one message does to a child state."""

    def scratch(self) -> "Worker":
        """Work on a copy of the state that is thrown away."""
        copy = Worker(self.state.child(), self.now)
        copy.cause = self.cause
        return copy

    # -- messages

    def observed(self, event: Observed) -> None:
        self.cause = ce_id(event)
        link = by_id(self.state, event.entity, event.system, event.id)
        if link is None:
            if runs.is_forgotten(self.state, event.entity, event.system, event.id, event.version):
                # A webhook days late: what it brings back is erased again.
                self.erase(ENTITY_TOPICS[event.entity], record_key(event.tenant, event.system, event.id).decode())
                return
            if event.entity == "order" and self._before_start(event):
                return
            link = self._newcomer(event)
        else:
            side = side_of(link, event.system)
            assert side is not None
            in_flight = link.flight is not None and link.flight.command.target == event.system
            if in_flight and link.flight is not None:
                note_during(link.flight, event)
            before = _looks(side) if link.state == "rejected" else None
            seen, version = side.seen, side.version
            folded = fold(event.entity, side, event)
            if folded == "older":
                self._overtaken(link, event)
            elif folded == "newer" and seen is not None and event.data is not None:
                self._judge(link, event.system, seen, version, event.made_by)
            if folded == "newer" and before is not None and _looks(side) == before:
                # Only read again, as Go's source does after every attempt to write: no reason to try once more.
                self.state.put(link)
                return
            if folded in ("older", "same") and not self._author_told(link, side, event):
                if in_flight:
                    self.state.put(link)
                return
        link.cause = self.cause
        if link.state != "held":  # an edit of a held record does not take it out of its batch
            link.lane = "bulk" if event.snapshot else "live"
        self.plan(link)
        self.plan_bucket(f"twin|{event.entity}|{event.system}|{event.id}")

    def snapshot_completed(self, message: SnapshotCompleted) -> None:
        self.cause = f"{message.tenant}/{message.system}/{message.entity}/{message.snapshot}"
        self.state.set_control(
            "barrier", f"{message.entity}/{message.system}",
            {"snapshot": message.snapshot, "records": message.records, "completed_at": message.completed_at},
        )  # fmt: skip
        run = runs.active(self.state)
        if run is not None and run[0] == message.snapshot:
            runs.take_completed(self.state, message.snapshot, message.system, message.entity, message.records)
        if self.barrier_open(message.entity):
            self.plan_bucket(f"pending|{message.entity}")

    def outcome(self, outcome: Outcome) -> None:
        self.cause = f"{outcome.tenant}/outcome/{outcome.entity}/{outcome.link}/{outcome.seq}"
        link = self.state.get(outcome.entity, outcome.link)
        if link is None or link.flight is None or link.flight.command.seq != outcome.seq:
            return
        flight = link.flight
        link.flight = None
        if flight.command.op == "verify":
            runs.verified(self, link, flight, outcome)
            return
        link.maybe_applied, link.passed = outcome.maybe_applied, outcome.result == "parked"
        if not self.take_reply(link, flight, outcome):
            return
        self._conclude(link, flight, outcome)
        if flight.command.lane == "bulk":
            self.next_in_queue(flight.command.target)

    # -- outcomes

    def take_reply(self, link: Link, flight: Flight, outcome: Outcome) -> bool:
        """Fold what the vendor returned; False when the record belongs to another link."""
        if outcome.id is not None and outcome.data is not None and outcome.version is not None:
            if not self._take_data(link, flight, outcome):
                return False
            link.problem = None
        elif (side := side_of(link, outcome.target)) is not None:
            writes.remember(side, flight.command, outcome)
        if outcome.deleted:
            self._take_deletion(link, outcome)
        return True

    def park(self, link: Link, outcome: Outcome) -> None:
        """A command was not carried out; it is planned again when its vendor, or the operator, lets it through."""
        reason = outcome.error.message if outcome.error else "not reachable"
        reachable = self.state.control("reachable", outcome.target)
        if outcome.error and outcome.error.code in SWITCHED_OFF:
            self.plan(link)  # our own switch, so planning again holds it, or sends it if the switch is back
        elif reachable is not None and reachable["at"] >= outcome.at:
            self.plan(link)
        else:
            self.rest(link, "parked", f"{outcome.target}: {reason}")

    def _take_deletion(self, link: Link, outcome: Outcome) -> None:
        side = side_of(link, outcome.target)
        if side is not None and outcome.version is not None and outcome.version >= side.version:
            side.version, side.deleted, side.problem = outcome.version, True, None
            if link.entity != "order" and side.seen is not None:
                set_seen(link.entity, side, {**side.seen, "archived": True})

    def _take_data(self, link: Link, flight: Flight, outcome: Outcome) -> bool:
        command, target = flight.command, outcome.target
        assert outcome.id is not None and outcome.version is not None and outcome.data is not None
        side = side_of(link, target)
        if side is None:
            holder = by_id(self.state, link.entity, target, outcome.id)
            if holder is not None and not self._give_up(holder, link, target):
                return False
            side = side_of(link, target)
        if side is None:
            side = new_side(link.entity, Observed(
                tenant=link.tenant, system=target, entity=link.entity, id=outcome.id, version=outcome.version,
                mapping=outcome.mapping, observed_at=outcome.at, data=outcome.data, stamp=outcome.stamp,
            ))  # fmt: skip
            set_side(link, target, side)
        elif side.id != outcome.id:
            text = f"{target} returned {outcome.id}, but {side.id} had joined by its reference"
            link.candidates = [side.id, outcome.id]
            self.rest(link, "ambiguous", text)
            return False
        elif proves(side, flight, outcome):
            if outcome.version < side.version:
                text = (
                    f"the version that {target} {side.id} was taken to have was never its own; the reply is the truth"
                )
                self.journal(link, "version", text, target, None, outcome.version, side.version)
            seen, version = side.seen, side.version
            take_returned(link.entity, side, outcome)
            written = command.fields if command.op == "update" and outcome.result == "applied" else {}
            if seen is not None:  # a late write may have come before the sink looked
                self._judge(link, target, seen, version, None, [n for n in FIELDS[link.entity] if n not in written])
        elif side.deleted and target == "poweroffice":
            # Go's deletion brought no content, so what our write returned before it is the newest there is.
            gone = {} if link.entity == "order" else {"archived": True}
            set_seen(link.entity, side, {**outcome.data, **gone})
        write = writes.remember(side, command, outcome)
        for version, fields in flight.during:
            if write is not None:
                self._covered(link, target, write, version, fields)
        return True

    def _give_up(self, holder: Link, link: Link, target: System) -> bool:
        """A record that was met before its outcome joins the link that made it, unless it has its own twin."""
        held, source = side_of(holder, target), side_of(link, other(target))
        assert held is not None and source is not None
        parted = apart(self.state, link.entity, target, held.id, source.id)
        if side_of(holder, other(target)) is not None or holder.flight is not None or parted:
            text = f"{target} {link.entity} of {holder.key} was returned for {link.key} too"
            link.candidates = [holder.key]
            self.rest(link, "ambiguous", text)
            return False
        set_side(link, target, held)
        link.seq, link.entries = max(link.seq, holder.seq), max(link.entries, holder.entries)
        self.state.remove(holder.entity, holder.key)
        return True

    def _conclude(self, link: Link, flight: Flight, outcome: Outcome) -> None:
        command = flight.command
        if command.op == "update" and (outcome.result == "rejected" or outcome.maybe_applied):
            self._doubt(link, command)
        match outcome.result:
            case "applied":
                self._agree(link, flight, outcome, tuple(command.fields))
                self._judge_newer(link, flight, outcome)
                self._hold_back(link, command, outcome)
                done = "done" if outcome.wrote else "held back" if outcome.skipped else "needed no write"
                self.journal(link, "applied", f"{command.op} in {command.target} {done}: {outcome.id}", command.target)
                link.confirmed = link.confirmed or command.fields.get("status") == "confirmed"
                link.restore = link.restore and "lines" not in command.fields
                if command.op == "create":
                    link.confirmed = False
                    self._compare_totals(link)
                self.plan(link)
            case "adopted":
                self.journal(link, "adopted", f"the record was already there: {outcome.id}")
                self.plan(link)
            case "stale" if outcome.twins:
                link.twins = list(outcome.twins)
                words = f"{command.target} holds what looks like the same {link.entity}: {', '.join(link.twins)}"
                self.journal(link, "twin", words, command.target)
                self.plan(link)
            case "stale":
                self._agree(link, flight, outcome, outcome.done)
                text = f"{command.target} held other values than expected; planned again"
                self.journal(
                    link,
                    "stale",
                    text,
                    command.target,
                    None,
                    outcome.data and {name: outcome.data.get(name) for name in command.expected},
                    command.expected,
                )
                self.refused = command
                self.plan(link)
            case "rejected":
                problem = outcome.error or Problem(code="rejected", message="refused without a reason")
                link.problem = problem
                self.outputs.append(
                    DeadLetter(reason="rejected", at=self.now, topic=f"commands.{command.target}",
                               key=f"{link.tenant}/{link.entity}/{link.key}/{command.seq}", command=command,
                               problem=problem)
                )  # fmt: skip
                side = side_of(link, command.target)
                if side is not None and _changed_since(side, command):
                    self.plan(link)  # the record changed meanwhile, so the refusal may be out of date
                else:
                    self.rest(link, "rejected", f"{command.target} refused: {problem.message}")
            case "parked":
                self.park(link, outcome)

    def _doubt(self, link: Link, command: Command) -> None:
        """All or some of it may have been written (a customer of Chargebee takes two requests)."""
        side = side_of(link, command.target)
        if side is not None:
            side.doubt = [*side.doubt, *(name for name in command.fields if name in FIELDS[link.entity]
                                         and name not in side.doubt)]  # fmt: skip

    def _agree(self, link: Link, flight: Flight, outcome: Outcome, names: tuple[str, ...]) -> None:
        """Bases of written fields: what the target returned, and the source's value the command was planned from."""
        target = side_of(link, outcome.target)
        source = side_of(link, other(outcome.target))
        if target is None or source is None or outcome.data is None:
            return
        for name in names:
            if name in FIELDS[link.entity]:
                agree(target, name, outcome.data.get(name))
                agree(source, name, flight.planned.get(name, flight.command.fields.get(name)))

    def _hold_back(self, link: Link, command: Command, outcome: Outcome) -> None:
        """Fields that the target cannot take stay different, in words, until one side is edited again."""
        for name, words in outcome.skipped.items():
            link.differences = [*(each for each in link.differences if each != name), name]
            text = f"{name} is held back from {outcome.target}: {words}"
            link.held_back = {**link.held_back, name: f"held back from {outcome.target}: {words}"}
            held = (outcome.data or {}).get(name)
            self.journal(link, "held_back", text, outcome.target, name, command.fields.get(name), held)

    def _compare_totals(self, link: Link) -> None:
        if link.entity != "order" or link.chargebee is None or link.poweroffice is None:
            return
        ours, theirs = link.chargebee.seen or {}, link.poweroffice.seen or {}
        for name in ("net", "tax", "total"):
            if ours.get(name) != theirs.get(name):
                link.differences = [*(each for each in link.differences if each != name), name]
                text = f"{name} is {ours.get(name)} in Chargebee and {theirs.get(name)} in Go"
                if money_differs(self.state, ours.get(name), theirs.get(name)):
                    batch = trip(self.state, "order", "creates", self.now)
                    text += f"; more than the money breaker allows: further orders are held as {batch}"
                self.journal(link, "totals", text, "chargebee", name, ours.get(name), theirs.get(name))

    def _overtaken(self, link: Link, event: Observed) -> None:
        """A reading older than what is known, looked through for edits that a write of ours covered."""
        side = side_of(link, event.system)
        if side is None or event.data is None:
            return
        for write in side.writes:
            fields = {name: event.data.get(name) for name in write.expected}
            self._covered(link, event.system, write, event.version, fields)

    def _covered(self, link: Link, system: System, write: Write, version: str, fields: dict[str, Any]) -> None:
        side = side_of(link, system)
        for name, value, stands in writes.covered(side, write, version, fields) if side is not None else ():
            text = f"an edit of {name} in {system} was overwritten by our write"
            entry = f"overwritten-{version}-{name}"
            self.journal(link, "overwritten", text, system, name, stands, value, entry=entry)

    def _judge(
        self, link: Link, system: System, before: dict[str, Any], version: str, made_by: Author | None,
        names: Iterable[str] | None = None,
    ) -> None:  # fmt: skip
        """Look at the fields that have moved from `before` for what an earlier write of ours held."""
        side = side_of(link, system)
        if system not in writes.COMES_LATE or side is None or side.seen is None or not side.writes:
            return
        flying = link.flight.command.fields if link.flight is not None and link.flight.command.target == system else {}
        late: dict[str, Any] = {}
        for name in names if names is not None else FIELDS[link.entity]:
            value = side.seen.get(name)
            if name in flying or value == before.get(name):
                continue
            source = side_of(link, other(system))
            stands = ((source and source.seen) or {}).get(name)
            if made_by == "others" and name in side.doubt:
                side.doubt = [each for each in side.doubt if each != name]  # what is seen there has an author
            judgement = writes.judge(side, name, value, made_by, self.now)
            if judgement != "edit":
                late[name] = value
                tell = self._restore if judgement == "late" else self._suspect
                tell(link, system, side, name, before.get(name), stands)
        if late:
            writes.came_late(side, before, version, late)

    def _judge_newer(self, link: Link, flight: Flight, outcome: Outcome) -> None:
        """Look at what came while a command was under way and is newer than what it returned."""
        newer = [version for version, _ in flight.during if version > (outcome.version or "")]
        if newer and outcome.version is not None and outcome.data is not None:
            author = flight.authors.get(max(newer))
            self._judge(link, outcome.target, outcome.data, outcome.version, author, flight.command.fields)

    def _author_told(self, link: Link, side: Side, event: Observed) -> bool:
        """An event that is no news names who made a value that is suspect: somebody else, so it is an edit, or our own
        key at the version where it was found."""
        if event.made_by is None or event.data is None or side.seen is None:
            return False
        names = [name for name in side.suspect if event.data.get(name) == side.seen.get(name)]
        if event.made_by == "tandem" and vendor_part(event.version) != vendor_part(side.version):
            names = []  # the value may have stood there before our write
        for name in names:
            side.suspect = [each for each in side.suspect if each != name]
            link.differences = [each for each in link.differences if each != name]
            if event.made_by == "tandem":
                theirs = side_of(link, other(event.system))
                self._restore(link, event.system, side, name, None, ((theirs and theirs.seen) or {}).get(name))
        return bool(names)

    def _restore(self, link: Link, system: System, side: Side, name: str, covered: Any, stands: Any) -> None:
        """A request of ours came late: what was agreed since is written again, unless that is what it put there."""
        assert side.seen is not None
        if _was_edited(side, name, covered, stands):
            text = f"an edit of {name} in {system} was overwritten by a request of ours that came late"
            self.journal(link, "overwritten", text, system, name, stands, covered)
        if side.seen.get(name) == stands:
            return
        side.base.pop(name, None)
        side.late = [*side.late, name]
        text = f"a request of ours came late and put an old {name} into {system}; what was agreed is written again"
        self.journal(link, "late_write", text, system, name, stands, side.seen.get(name))

    def _suspect(self, link: Link, system: System, side: Side, name: str, covered: Any, stands: Any) -> None:
        """A late request of ours, or a person who entered an old value again: nobody named the author."""
        assert side.seen is not None
        if _was_edited(side, name, covered, stands):
            text = f"an old value of ours covers an edit of {name} in {system}"
            self.journal(link, "suspect", text, system, name, None, covered)
        if side.seen.get(name) == stands:
            return
        side.suspect = [*side.suspect, name]
        link.differences = [*(each for each in link.differences if each != name), name]
        text = f"{name} in {system} is again what an earlier write of ours held; a person decides what it is"
        self.journal(link, "suspect", text, system, name, side.seen.get(name), stands)

    # -- records met for the first time

    def _newcomer(self, event: Observed) -> Link:
        side = new_side(event.entity, event)
        link = matching.find_stamped(self.state, event.entity, event.system, event.id, event.stamp)
        if link is not None and side_of(link, event.system) is None:
            set_side(link, event.system, side)
            return self.joined(link, "stamp", f"{event.system} {event.id} joined by its reference")
        key = event.id if event.system == "chargebee" else own_chargebee_id(event.id)
        name = f"{event.entity}/{event.system}/{event.id}"
        kept = self.state.control("kept", name)
        floor = self.state.control("floor", "~")
        link = Link(tenant=event.tenant, entity=event.entity, key=free_key(self.state, event.entity, key),
                    **(floor or {}), **(kept or {}))  # fmt: skip
        if kept:
            self.state.set_control("kept", name, {})
        set_side(link, event.system, side)
        return link

    def _before_start(self, event: Observed) -> bool:
        start = self.state.policy.start_orders
        date = (event.data or {}).get("order_date")
        return start is None or (date is not None and date < start)


def _was_edited(side: Side, name: str, covered: Any, stands: Any) -> bool:
    """Whether a value that a request of ours covered was an edit that the other side does not hold yet."""
    return covered is not None and name in side.base and covered not in (side.base[name], stands)


def _looks(side: Side) -> tuple[Any, ...]:
    """Everything a vendor says of a record; of its version, the vendor's own part (Go's time of change)."""
    return side.version.partition("#")[0], side.seen, side.deleted, side.stamp, side.problem


def _changed_since(side: Side, command: Command) -> bool:
    """Whether a record has moved since a command was planned; being read again is no move."""
    planned = (command.target_version or "").partition("#")[0]
    return side.version.partition("#")[0] != planned or any(
        (side.seen or {}).get(name) != value for name, value in command.expected.items()
    )
