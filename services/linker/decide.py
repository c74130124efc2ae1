"""What follows from one message: `decide(state, message, now) -> (state, outputs)`. Pure.

The linker never acts on "the event": a reading moves what was seen of one side, then the link is planned from the
states it holds. At most one command per link is in flight; its outcome plans again.
"""

from typing import Any

from contracts.entities import ENTITIES, SYSTEMS, EntityName, System, other
from contracts.messages import (
    Command,
    DeadLetter,
    Flight,
    JournalEntry,
    Link,
    Observed,
    Outcome,
    Problem,
    Signal,
    SnapshotCompleted,
    Write,
    ce_id,
)  # fmt: skip
from contracts.values import own_chargebee_id, stamp_for_poweroffice
from services.linker import match as matching
from services.linker.merge import Note, expected, fit, merge
from services.linker.state import (
    FIELDS,
    MAX_WRITES,
    State,
    agree,
    by_id,
    fold,
    new_side,
    note_during,
    references,
    set_seen,
    set_side,
    side_of,
    sides,
)  # fmt: skip

Output = Command | JournalEntry | DeadLetter | Signal
Message = Observed | SnapshotCompleted | Outcome | Signal
MAX_AT_ONCE = 200  # links planned anew by one message; a signal to ourselves goes on with the rest
MAX_STALES = 3
BY_OPERATORS = frozenset({"mode", "release"})  # signals that run once, by their id


def decide(state: State, message: Message, now: str) -> tuple[State, list[Output]]:
    """The state after a message and what is to be sent. `state` itself is not changed; `now` is ISO 8601 UTC."""
    work = _Work(state.child(), now)
    match message:
        case Observed():
            work.observed(message)
        case SnapshotCompleted():
            work.snapshot_completed(message)
        case Outcome():
            work.outcome(message)
        case Signal():
            work.signal(message)
    return work.state, work.outputs


class _Work:
    def __init__(self, state: State, now: str) -> None:
        self.state, self.now, self.cause = state, now, ""
        self.outputs: list[Output] = []
        self._refused_plan: Command | None = None

    # -- messages

    def observed(self, event: Observed) -> None:
        self.cause = ce_id(event)
        link = by_id(self.state, event.entity, event.system, event.id)
        if link is None:
            if event.entity == "order" and self._before_start(event):
                return
            link = self._newcomer(event)
        else:
            side = side_of(link, event.system)
            assert side is not None
            in_flight = link.flight is not None and link.flight.command.target == event.system
            if in_flight and link.flight is not None:
                note_during(link.flight, event)
            folded = fold(event.entity, side, event)
            if folded == "older":
                self._late(link, event)
            if folded in ("older", "same"):
                if in_flight:
                    self.state.put(link)
                return
        link.cause = self.cause
        if link.state != "held":  # an edit of a held record does not take it out of its batch
            link.lane = "bulk" if event.snapshot else "live"
        self._plan(link)

    def snapshot_completed(self, message: SnapshotCompleted) -> None:
        self.cause = f"{message.tenant}/{message.system}/{message.entity}/{message.snapshot}"
        self.state.set_control(
            "barrier", f"{message.entity}/{message.system}",
            {"snapshot": message.snapshot, "records": message.records, "completed_at": message.completed_at},
        )  # fmt: skip
        if self._barrier_open(message.entity):
            self._plan_bucket(f"pending|{message.entity}")

    def signal(self, signal: Signal) -> None:
        self.cause = f"{signal.tenant}/signal/{signal.id}"
        if signal.kind in BY_OPERATORS:
            if self.state.control("signal", signal.id) is not None:
                return
            self.state.set_control("signal", signal.id, {"kind": signal.kind, "args": signal.args, "at": self.now})
        match signal.kind:
            case "advance":
                self._plan_bucket(str(signal.args["bucket"]))
            case "mode":
                self.state.set_control("mode", "~", {"mode": signal.args["mode"], "signal": signal.id})
                if signal.args["mode"] == "sync":
                    self._release()
            case "release":
                entity = str(signal.args["entity"])
                self.state.set_control("released", entity, {"at": self.now, "signal": signal.id})
                self._plan_bucket(f"held|{entity}")
            case "start":
                self._release()
            case "vendor_reachable":
                self.state.set_control("reachable", str(signal.args["system"]), {"at": signal.at})
                self._plan_bucket("parked")
            case kind:
                raise ValueError(f"signal kind {kind!r} is not known")

    def outcome(self, outcome: Outcome) -> None:
        self.cause = f"{outcome.tenant}/outcome/{outcome.entity}/{outcome.link}/{outcome.seq}"
        link = self.state.get(outcome.entity, outcome.link)
        if link is None or link.flight is None or link.flight.command.seq != outcome.seq:
            return
        flight = link.flight
        link.flight = None
        link.maybe_applied = outcome.maybe_applied
        if outcome.id is not None and outcome.data is not None and outcome.version is not None:
            if not self._take_reply(link, flight, outcome):
                return
            link.problem = None
        self._conclude(link, flight, outcome)
        if flight.command.lane == "bulk":
            self._next_in_queue(flight.command.target)

    # -- outcomes

    def _take_reply(self, link: Link, flight: Flight, outcome: Outcome) -> bool:
        """Fold the state the vendor returned; False when the record belongs to another link."""
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
            self._rest(link, "ambiguous", text)
            return False
        elif outcome.version >= side.version:
            side.version, side.mapping, side.deleted, side.problem = (
                outcome.version,
                outcome.mapping,
                False,
                None,
            )
            side.stamp = outcome.stamp
            set_seen(link.entity, side, outcome.data)
        if command.op == "update":
            write = Write(planned=command.target_version or "", returned=outcome.version, expected=command.expected)
            side.writes = [*side.writes, write][-MAX_WRITES:]
            for version, fields in flight.during:
                self._overwritten(link, target, write, version, fields)
        return True

    def _give_up(self, holder: Link, link: Link, target: System) -> bool:
        """A record that was met before its outcome joins the link that made it, unless it has its own twin."""
        if side_of(holder, other(target)) is not None or holder.flight is not None:
            text = f"{target} {link.entity} of {holder.key} was returned for {link.key} too"
            link.candidates = [holder.key]
            self._rest(link, "ambiguous", text)
            return False
        side = side_of(holder, target)
        assert side is not None
        set_side(link, target, side)
        self.state.remove(holder.entity, holder.key)
        return True

    def _conclude(self, link: Link, flight: Flight, outcome: Outcome) -> None:
        command = flight.command
        match outcome.result:
            case "applied":
                self._agree(link, flight, outcome, tuple(command.fields))
                if command.op == "create":
                    self._compare_totals(link)
                self._plan(link)
            case "adopted":
                self._journal(link, "adopted", f"the record was already there: {outcome.id}")
                self._plan(link)
            case "stale":
                self._agree(link, flight, outcome, outcome.done)
                self._refused_plan = command
                self._plan(link)
            case "rejected":
                problem = outcome.error or Problem(code="rejected", message="refused without a reason")
                link.problem = problem
                self.outputs.append(
                    DeadLetter(reason="rejected", at=self.now, topic=f"commands.{command.target}",
                               key=f"{link.tenant}/{link.entity}/{link.key}/{command.seq}", command=command,
                               problem=problem)
                )  # fmt: skip
                self._rest(link, "rejected", f"{command.target} refused: {problem.message}")
            case "parked":
                reason = outcome.error.message if outcome.error else "not reachable"
                reachable = self.state.control("reachable", outcome.target)
                if reachable is not None and reachable["at"] >= outcome.at:
                    self._plan(link)
                else:
                    self._rest(link, "parked", f"{command.target}: {reason}")

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

    def _compare_totals(self, link: Link) -> None:
        if link.entity != "order" or link.chargebee is None or link.poweroffice is None:
            return
        ours, theirs = link.chargebee.seen or {}, link.poweroffice.seen or {}
        for name in ("net", "tax", "total"):
            if ours.get(name) != theirs.get(name):
                link.differences = [*(each for each in link.differences if each != name), name]
                text = f"{name} is {ours.get(name)} in Chargebee and {theirs.get(name)} in Go"
                self._journal(link, "totals", text, "chargebee", name, ours.get(name), theirs.get(name))

    def _late(self, link: Link, event: Observed) -> None:
        side = side_of(link, event.system)
        if side is None or event.data is None:
            return
        for write in side.writes:
            fields = {name: event.data.get(name) for name in write.expected}
            self._overwritten(link, event.system, write, event.version, fields)

    def _overwritten(self, link: Link, system: System, write: Write, version: str, fields: dict[str, Any]) -> None:
        """A reading from between a sink's planning and its write shows an edit that the write covered."""
        if not write.planned < version < write.returned:
            return
        for name, value in fields.items():
            if name in write.expected and value != write.expected[name]:
                text = f"an edit of {name} in {system} was overwritten by our write"
                entry = f"overwritten-{version}-{name}"
                self._journal(link, "overwritten", text, system, name, None, value, entry=entry)

    # -- planning

    def _newcomer(self, event: Observed) -> Link:
        side = new_side(event.entity, event)
        link = matching.find_stamped(self.state, event.entity, event.system, event.id, event.stamp)
        if link is not None and side_of(link, event.system) is None:
            set_side(link, event.system, side)
            return self._joined(link, "stamp", f"{event.system} {event.id} joined by its reference")
        key = event.id if event.system == "chargebee" else own_chargebee_id(event.id)
        link = Link(tenant=event.tenant, entity=event.entity, key=key)
        set_side(link, event.system, side)
        return link

    def _joined(self, link: Link, rule: str, text: str) -> Link:
        """On a match the Chargebee key stays."""
        key = link.chargebee.id if link.chargebee else link.key
        if link.flight is None and key != link.key and self.state.get(link.entity, key) is None:
            self.state.remove(link.entity, link.key)
            link.key = key
        link.plan, link.waiting_on, link.candidates = None, [], []
        self._journal(link, f"matched_by_{rule}", text)
        return link

    def _plan(self, link: Link) -> None:
        if link.flight is not None:
            self.state.put(link)
            return
        link.plan, link.waiting_on, link.candidates, link.problem = None, [], [], None
        known = list(sides(link))
        problem = next((side.problem for _, side in known if side.problem), None)
        if problem is not None:
            link.problem = problem
            self._rest(link, "rejected", f"{problem.field or link.entity}: {problem.message}")
        elif any(side.seen is None and not side.deleted for _, side in known):
            self._rest(link, "rejected", "the record has no content")
        elif len(known) == 2:
            self._plan_pair(link)
        else:
            self._plan_single(link, known[0][0])

    def _plan_pair(self, link: Link) -> None:
        a, b = link.chargebee, link.poweroffice
        assert a is not None and b is not None
        if a.deleted or b.deleted or a.seen is None or b.seen is None:
            self._rest(link, "ignored", f"deleted in {'chargebee' if a.deleted else 'poweroffice'}; not carried")
            return
        if link.entity == "order" and self._order_rests(link, a.seen, b.seen):
            return
        if link.entity == "customer" and a.seen.get("kind") != b.seen.get("kind"):
            self._rest(link, "conflict", "one side is a person and the other a company")
            return
        result = merge(self.state.policy, link)
        for note in result.notes:
            self._note(link, note)
        if link.differences:
            link.differences = [name for name in link.differences if a.seen.get(name) != b.seen.get(name)]
        locked = link.entity == "order" and b.seen.get("status") == "confirmed"
        for target in SYSTEMS:
            if (fields := result.writes[target]) and not (locked and target == "poweroffice"):
                conflicts = [note for name, note in result.conflicts.items() if name in fields]
                self._dispatch(link, target, "update", fields, notes=conflicts)
                return
        if (stamp := self._stamp_wanted(link)) is not None:
            self._dispatch(link, stamp[0], "stamp", {}, stamp=stamp[1])
            return
        reason = "confirmed in Go, so its header is locked" if locked and result.writes["poweroffice"] else None
        self._rest(link, "linked", reason)

    def _order_rests(self, link: Link, ours: dict[str, Any], theirs: dict[str, Any]) -> bool:
        if theirs.get("status") == "sent":
            number = (theirs.get("invoice") or {}).get("number")
            self._rest(link, "sent", f"sent from Go as invoice {number}")
            return True
        if "cancelled" in (ours.get("status"), theirs.get("status")):
            self._rest(link, "ignored", "cancelled in Chargebee; reported, not carried")
            return True
        return False

    def _stamp_wanted(self, link: Link) -> tuple[System, str] | None:
        a, b = link.chargebee, link.poweroffice
        assert a is not None and b is not None
        if a.id == own_chargebee_id(b.id) or "stamp" in link.differences:
            return None
        if link.entity == "customer" and b.stamp is None:
            return "poweroffice", stamp_for_poweroffice(a.id)
        if link.entity == "product" and a.stamp is None and (b.seen or {}).get("code") != (a.seen or {}).get("code"):
            return "chargebee", own_chargebee_id(b.id)
        return None

    def _plan_single(self, link: Link, system: System) -> None:
        side, entity, target = side_of(link, system), link.entity, other(system)
        assert side is not None
        if side.deleted or side.seen is None or side.seen.get("archived") or side.seen.get("status") == "cancelled":
            self._rest(link, "ignored", "deleted, archived or cancelled records are never created elsewhere")
            return
        if system == "poweroffice" and entity == "order" and not self._taken_over(side.seen):
            self._rest(link, "ignored", f"a draft in Go; taken over when {self.state.policy.takeover}")
            return
        if not self._barrier_open(entity):
            self._rest(link, "pending", "waits for the first snapshot of both systems")
            return
        match matching.match(self.state, link, system):
            case matching.Twin(twin, rule):
                self._unite(link, twin, rule)
            case matching.Unclear(candidates, reason):
                link.candidates = list(candidates)
                self._rest(link, "ambiguous", reason)
            case matching.Unknown(reference):
                link.waiting_on = []
                self._rest(link, "waiting", f"its reference names {reference}, which {target} has not shown")
            case matching.Busy(key):
                link.waiting_on = [f"link|{entity}|{key}"]
                self._rest(link, "waiting", f"{key} is being created and may be its twin")
            case matching.Single():
                self._create(link, system, target, side.seen)

    def _unite(self, link: Link, twin: Link, rule: str) -> None:
        chargebee_link, go_link = (link, twin) if link.chargebee else (twin, link)
        if twin.flight is not None:
            link.waiting_on = [f"link|{twin.entity}|{twin.key}"]
            self._rest(link, "waiting", f"{twin.key} has a command in flight")
            return
        assert go_link.poweroffice is not None
        chargebee_link.poweroffice = go_link.poweroffice
        if link.lane == "live":
            chargebee_link.lane = "live"
        chargebee_link.cause = link.cause
        self.state.remove(go_link.entity, go_link.key)
        self._joined(chargebee_link, rule, f"Go {go_link.poweroffice.id} is the same by {rule}")
        self._plan(chargebee_link)

    def _create(self, link: Link, system: System, target: System, seen: dict[str, Any]) -> None:
        policy, entity = self.state.policy, link.entity
        if (entity, target) in policy.create_off:
            self._rest(link, "ignored", f"create.{entity}.to_{target} is off")
            return
        if entity == "customer" and policy.customers_in_scope == "referenced":
            side = side_of(link, system)
            if side is not None and not self.state.count(f"wait|customer|{system}|{side.id}"):
                self._rest(link, "ignored", "no order in scope refers to it")
                return
        if entity == "order" and not self._translatable(link, system):
            return
        fields = {name: value for name, value in seen.items() if fit(name, value)}
        if target == "chargebee":
            fields.pop("organisation_number", None)
        self._dispatch(link, target, "create", fields)

    def _translatable(self, link: Link, system: System) -> bool:
        """Whether all records an order names are linked; otherwise the order waits on exactly those."""
        missing: list[str] = []
        words: list[str] = []
        for entity, record_id in references(link, system):
            holder = by_id(self.state, entity, system, record_id)
            if holder is not None and side_of(holder, other(system)) is not None:
                continue
            missing.append(f"{entity}|{system}|{record_id}")
            known = f"is {holder.state}: {holder.reason}" if holder is not None else "is not known yet"
            words.append(f"{entity} {record_id} {known}")
        if not missing:
            return True
        link.waiting_on = missing
        self._rest(link, "waiting", "; ".join(words)[:500])
        for name in missing:
            entity_name, _, record_id = name.split("|", 2)
            holder = by_id(self.state, entity_name, system, record_id)  # type: ignore[arg-type]
            if holder is not None and holder.state == "ignored" and holder.entity == "customer":
                self._plan(holder)
        return False

    def _translate(self, link: Link, target: System, fields: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """The fields with the target's ids, and the source's values where they differ from those."""
        if link.entity != "order":
            return fields, {}
        planned: dict[str, Any] = {}
        translated = dict(fields)
        if "customer_id" in fields:
            planned["customer_id"] = fields["customer_id"]
            translated["customer_id"] = self._id_in(target, "customer", fields["customer_id"])
        if "lines" in fields:
            planned["lines"] = fields["lines"]
            translated["lines"] = [
                {**line, "product_id": self._id_in(target, "product", line.get("product_id"))}
                for line in fields["lines"]
            ]
        return translated, planned

    def _id_in(self, target: System, entity: EntityName, record_id: str | None) -> str | None:
        holder = by_id(self.state, entity, other(target), record_id) if record_id else None
        side = side_of(holder, target) if holder is not None else None
        return side.id if side is not None else None

    # -- ends of planning

    def _dispatch(
        self, link: Link, target: System, op: str, fields: dict[str, Any], *, stamp: str | None = None,
        notes: list[Note] | None = None,
    ) -> None:  # fmt: skip
        side, source = side_of(link, target), side_of(link, other(target))
        assert source is not None
        if op == "create":
            stamp = own_chargebee_id(source.id) if target == "chargebee" else stamp_for_poweroffice(source.id)
        translated, planned = self._translate(link, target, fields)
        command = Command(
            tenant=link.tenant, entity=link.entity, link=link.key, seq=link.seq + 1, target=target, op=op,  # type: ignore[arg-type]
            lane=link.lane, cause=link.cause, target_id=side.id if side else None,
            target_version=side.version if side else None, fields=translated,
            expected=expected(link, target, fields) if side else {}, stamp=stamp, look_first=link.maybe_applied,
        )  # fmt: skip
        before, self._refused_plan = self._refused_plan, None
        same = before is not None and (before.fields, before.expected) == (command.fields, command.expected)
        link.stales = link.stales + 1 if same else 0
        if link.stales >= MAX_STALES:
            link.stales = 0
            self._rest(link, "conflict", f"{target} refused the same plan three times as stale")
        elif self._mode() != "sync":
            link.plan = command
            self._rest(link, "held", f"observe: would {op} in {target}")
        elif op == "create" and link.lane == "bulk" and not self._first_backfill_released(link.entity):
            link.plan = command
            self._rest(link, "held", f"first backfill: would create in {target}; release it with tandem release")
        elif link.lane == "bulk" and self.state.count(f"flying|{target}") >= self.state.policy.window:
            link.plan = command
            self._rest(link, "pending", "planned; waits for its turn")
        else:
            for note in notes or []:
                self._note(link, note)
            link.seq += 1
            link.flight, link.plan = Flight(command=command, planned=planned), None
            self._journal(link, op, f"{op} in {target}: {', '.join(fields) or stamp}", target)
            self.outputs.append(command)
            self._rest(link, "linked" if side else "creating", None)

    def _rest(self, link: Link, state: Any, reason: str | None) -> None:
        """Store the link, tell the journal when its state changed, and plan what waited for it."""
        if state in ("ambiguous", "rejected", "conflict") and (link.state, link.reason) != (state, reason):
            self._journal(link, state, reason or "")
        link.state, link.reason = state, reason
        self.state.put(link)
        for system, side in sides(link):
            self._plan_bucket(f"wait|{link.entity}|{system}|{side.id}", skip_unlinked=link)
        if link.flight is None:
            self._plan_bucket(f"wait|link|{link.entity}|{link.key}")
        for name in self.state.find(f"ambiguous|{link.entity}|{link.key}", MAX_AT_ONCE):
            if name[1] not in link.candidates and (twin := self.state.get(*name)) is not None:
                self._plan(twin)

    def _plan_bucket(self, bucket: str, skip_unlinked: Link | None = None) -> None:
        """Plan the links of an index bucket again, at most MAX_AT_ONCE now."""
        if self.state.first(bucket) is None:
            return
        before = self.state.count(bucket)
        if skip_unlinked is not None and (skip_unlinked.chargebee is None or skip_unlinked.poweroffice is None):
            if skip_unlinked.state in ("rejected", "ambiguous", "ignored"):
                self._explain_waiting(bucket, skip_unlinked)
            return
        for name in self.state.find(bucket, MAX_AT_ONCE):
            link = self.state.get(*name)
            if link is not None:
                self._plan(link)
        if MAX_AT_ONCE < before > self.state.count(bucket):
            self.outputs.append(
                Signal(tenant=self.state.tenant, id=f"{self.cause}+", kind="advance", at=self.now,
                       args={"bucket": bucket})
            )  # fmt: skip

    def _explain_waiting(self, bucket: str, holder: Link) -> None:
        for entity, key in self.state.find(bucket, MAX_AT_ONCE):
            link = self.state.get(entity, key)
            if link is not None:
                link.reason = f"{holder.entity} {holder.key} is {holder.state}: {holder.reason}"[:500]
                self.state.put(link)

    def _next_in_queue(self, target: System) -> None:
        for _ in range(self.state.policy.window):
            if self.state.count(f"flying|{target}") >= self.state.policy.window:
                return
            first = self.state.first(f"queue|{target}")
            if first is None or (link := self.state.get(*first)) is None:
                return
            self._plan(link)

    def _release(self) -> None:
        """Plan again what was held or still waits, after a start or a change of mode."""
        for system in SYSTEMS:
            self._next_in_queue(system)
        for entity in ENTITIES:
            if self._mode() == "sync":
                self._plan_bucket(f"held|{entity}")
            if self._barrier_open(entity):
                self._plan_bucket(f"pending|{entity}")

    # -- facts

    def _mode(self) -> str:
        if self.state.policy.undecided:
            return "observe"
        held = self.state.control("mode", "~")
        return str(held["mode"]) if held else self.state.policy.mode

    def _first_backfill_released(self, entity: EntityName) -> bool:
        return not self.state.policy.hold_first_backfill or self.state.control("released", entity) is not None

    def _barrier_open(self, entity: EntityName) -> bool:
        return all(self.state.control("barrier", f"{entity}/{system}") is not None for system in SYSTEMS)

    def _before_start(self, event: Observed) -> bool:
        start = self.state.policy.start_orders
        date = (event.data or {}).get("order_date")
        return start is None or (date is not None and date < start)

    def _taken_over(self, seen: dict[str, Any]) -> bool:
        takeover = self.state.policy.takeover
        return seen.get("status") == "sent" or (takeover == "confirmed" and seen.get("status") == "confirmed")

    def _note(self, link: Link, note: Note) -> None:
        self._journal(link, note.rule, note.text, note.system, note.name, note.value, note.losing)

    def _journal(
        self, link: Link, rule: str, text: str, system: System | None = None, name: str | None = None,
        value: Any = None, losing: Any = None, *, entry: str | None = None,
    ) -> None:  # fmt: skip
        if entry is None:
            link.entries += 1
            entry = str(link.entries)
        self.outputs.append(
            JournalEntry(tenant=link.tenant, entity=link.entity, link=link.key, entry=entry, at=self.now, rule=rule,
                         text=text, cause=self.cause, system=system, field=name, value=value, losing=losing)
        )  # fmt: skip
