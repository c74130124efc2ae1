"""From what a link holds to its next command, or to the reason why there is none. Pure.

Planning is level-triggered: it looks at the states of the link and never at the message that led here, so doing it
again does no harm.
"""

from typing import Any, NamedTuple

from contracts.entities import ENTITIES, SYSTEMS, EntityName, System, other
from contracts.messages import Command, DeadLetter, Flight, JournalEntry, Link, LinkState, Op, Signal
from contracts.values import own_chargebee_id, stamp_for_poweroffice
from services.linker import match as matching
from services.linker import runs
from services.linker.breakers import batch_for, class_of
from services.linker.merge import Note, carries_removal, expected, fit, merge
from services.linker.state import (
    NATURAL,
    State,
    agree,
    apart,
    born_in_go,
    by_id,
    is_gone,
    references,
    side_of,
    sides,
)  # fmt: skip


class Tombstone(NamedTuple):
    """Take everything under a key out of a topic (its name without prefix)."""

    topic: str
    key: str


Output = Command | JournalEntry | DeadLetter | Signal | Tombstone
MAX_AT_ONCE = 200  # links planned anew by one message; a signal to ourselves goes on with the rest
MAX_STALES = 3
SUSPECT = (
    "what an earlier write of ours held stands in Chargebee again: a late request of ours, or somebody who entered it "
    "again; settle it, or redrive it to take it as an edit"
)
NOT_CARRIED = {
    "address": "the address lacks a city or zip code and is not carried",
    "text_lines": "text and summary lines are not carried",
}
# States that a newcomer with an equal value may change; what was refused, or taken out, is not tried again by it.
UNDECIDED = frozenset({"pending", "waiting", "ambiguous", "held", "linked"})
# Rests that a person would ask about; the others follow from a command, which has its own entry.
JOURNALLED = frozenset({"ambiguous", "rejected", "conflict", "waiting", "ignored", "sent", "broken"})


class Planner:
    """One message's work on a child state: what to send is collected in `outputs`."""

    def __init__(self, state: State, now: str) -> None:
        self.state, self.now, self.cause = state, now, ""
        self.outputs: list[Output] = []
        self.refused: Command | None = None  # a plan that was just answered as stale

    def plan(self, link: Link) -> None:
        """Decide what this link needs now; stores it."""
        if link.flight is not None:
            self.state.put(link)
            return
        if link.verify and runs.verify(self, link):
            return
        link.plan, link.waiting_on, link.candidates, link.problem = None, [], [], None
        link.candidates_count = 0
        known, empty = sides(link), False
        for _, side in known:
            link.problem = link.problem or side.problem
            empty = empty or (side.seen is None and not side.deleted)
        if link.problem is not None:
            self.rest(link, "rejected", f"{link.problem.field or link.entity}: {link.problem.message}")
        elif empty:
            self.rest(link, "rejected", "the record has no content")
        elif link.aside is not None:
            self._rest_aside(link)
        elif len(known) == 2:
            self._plan_pair(link)
        else:
            self._plan_single(link, known[0][0])

    def _rest_aside(self, link: Link) -> None:
        """An operator took it out; a stamp that names what it was parted from is taken away."""
        side = link.poweroffice if link.chargebee is None else None
        stamp = (side and side.stamp) or ""
        ours = (
            side is not None
            and stamp.startswith("cb-")
            and not is_gone(side)
            and apart(self.state, link.entity, "poweroffice", side.id, stamp[3:])
        )
        if ours and link.entity == "customer":
            self.dispatch(link, "poweroffice", "stamp", {})
        else:
            self.rest(link, "ignored", link.aside)

    # -- both records are known

    def _plan_pair(self, link: Link) -> None:
        a, b = link.chargebee, link.poweroffice
        assert a is not None and b is not None
        gone: System | None = "chargebee" if is_gone(a) else "poweroffice" if is_gone(b) else None
        if a.seen is None or b.seen is None or (gone == "chargebee" and is_gone(b)):
            self.rest(link, "ignored", "gone on both sides")
            return
        if link.entity == "order" and self._order_rests(link, a.seen, b.seen):
            return
        if link.entity == "customer" and a.seen.get("kind") != b.seen.get("kind"):
            self.rest(link, "conflict", "one side is a person and the other a company")
            return
        for name in {*a.suspect, *b.suspect}:
            if a.seen.get(name) == b.seen.get(name):  # both sides hold it by now, whoever made it
                for side in (a, b):
                    agree(side, name, (side.seen or {}).get(name))
        if a.suspect or b.suspect:
            names = ", ".join([*a.suspect, *b.suspect])
            self.rest(link, "conflict", f"{names}: {SUSPECT}")
            return
        result = merge(self.state.policy, link, self._recognise(link))
        for note in result.notes:
            self.note(link, note)
        if link.differences:
            link.differences = [n for n in link.differences if n == "stamp" or a.seen.get(n) != b.seen.get(n)]
            link.held_back = {n: words for n, words in link.held_back.items() if n in link.differences}
        if gone is not None and self._meets_deletion(link, result.writes):
            return
        locked = link.entity == "order" and b.seen.get("status") == "confirmed"
        for target in SYSTEMS:
            if (fields := result.writes[target]) and not (locked and target == "poweroffice"):
                self.dispatch(link, target, "update", fields, notes=[
                    note for name, note in result.conflicts.items() if name in fields
                ])  # fmt: skip
                return
        if gone is None and (stamp := self._stamp_wanted(link)) is not None:
            self.dispatch(link, stamp[0], "stamp", {}, stamp=stamp[1])
            return
        if self._is_confirmable(link, a.seen, b.seen):
            self.dispatch(link, "poweroffice", "update", {"status": "confirmed"})
            return
        if gone is not None:
            self.rest(link, "ignored", f"deleted or archived in {gone}; not carried to {other(gone)}")
        else:
            words = "confirmed in Go, so its header is locked" if locked and result.writes["poweroffice"] else None
            self._tell_duplicates(link)
            self.rest(link, "linked", words)

    def _tell_duplicates(self, link: Link) -> None:
        """List on a linked pair what looks like the same customer; both may have been entered within one poll."""
        found = matching.duplicates(self.state, link)
        for key, words in found.items():
            if key not in link.duplicates:
                self.journal(link, "possible_duplicate", words, None, None, key)
        link.duplicates = list(found)

    def _recognise(self, link: Link) -> list[str]:
        """Agree, at an order's first link, on what is the same in the ids of both systems; the names of what cannot be
        told yet, since a customer or product has no twin so far."""
        a, b = link.chargebee, link.poweroffice
        assert a is not None and b is not None
        untold: list[str] = []
        for name in ("customer_id", "lines") if link.entity == "order" else ():
            if name in a.unset or name in b.unset:
                x, y = (a.seen or {}).get(name), (b.seen or {}).get(name)
                same = matching.same_in_order(self.state, name, x, y)
                if same:
                    agree(a, name, x)
                    agree(b, name, y)
                elif same is None:
                    untold.append(name)
        return untold

    def _meets_deletion(self, link: Link, writes: dict[System, dict[str, Any]]) -> bool:
        """An edit on one side meets a deletion on the other: neither is carried, a person decides."""
        for target in SYSTEMS:
            side = side_of(link, target)
            edits = {name: value for name, value in writes[target].items() if name != "archived"}
            back = "archived" in writes[target] and not writes[target]["archived"]
            if side is None or not is_gone(side) or not (edits or (back and side.deleted)):
                continue
            names = ", ".join(edits) or "archived"
            words = f"{names} changed in {other(target)}, but the record is deleted or archived in {target}"
            self._conflict(link, "edit_against_deletion", words, target, edits)
            return True
        return False

    def _conflict(self, link: Link, rule: str, words: str, target: System, edits: dict[str, Any]) -> None:
        if (link.state, link.reason) != ("conflict", words):
            for name, value in edits.items():
                self.journal(link, rule, words, other(target), name, value)
        self.rest(link, "conflict", words)

    def _order_rests(self, link: Link, ours: dict[str, Any], theirs: dict[str, Any]) -> bool:
        a, b = link.chargebee, link.poweroffice
        assert a is not None and b is not None
        if theirs.get("status") == "sent":
            number = (theirs.get("invoice") or {}).get("number")
            self.rest(link, "sent", f"sent from Go as invoice {number}")
            return True
        gone: System | None = "chargebee" if is_gone(a) else "poweroffice" if is_gone(b) else None
        if gone is None:
            return False
        side = b if gone == "chargebee" else a
        edits = {name: (side.seen or {}).get(name) for name in side.base}
        words = f"{'deleted' if (a if gone == 'chargebee' else b).deleted else 'cancelled'} in {gone}"
        if edits:
            target_words = f"{words}, but {', '.join(edits)} changed in {other(gone)}"
            self._conflict(link, "edit_against_deletion", target_words, gone, edits)
        elif gone == "chargebee" and carries_removal(self.state.policy, link, "poweroffice") and not b.unset:
            guarded = {name: (b.seen or {}).get(name) for name in ("status", "order_date", "purchase_order", "lines")}
            self.dispatch(link, "poweroffice", "delete", {}, guard=guarded)
        else:
            self.rest(link, "ignored", f"{words}; reported, not carried")
        return True

    def _is_confirmable(self, link: Link, ours: dict[str, Any], theirs: dict[str, Any]) -> bool:
        """A delivered order is confirmed in Go once, and never while its money differs."""
        asked = link.entity == "order" and self.state.policy.confirm_on_delivered and not link.confirmed
        delivered = ours.get("status") == "confirmed" and theirs.get("status") == "draft" and not born_in_go(link)
        doubtful = {*link.differences, *(link.poweroffice.unset if link.poweroffice else ())}
        return asked and delivered and not {"lines", "net", "tax", "total"}.intersection(doubtful)

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

    # -- one record is known

    def _plan_single(self, link: Link, system: System) -> None:
        side, entity, target = side_of(link, system), link.entity, other(system)
        assert side is not None
        if is_gone(side) or side.seen is None:
            self.rest(link, "ignored", "deleted, archived or cancelled records are never created elsewhere")
            return
        if system == "poweroffice" and entity == "order" and not self._taken_over(side.seen):
            self.rest(link, "ignored", f"a draft in Go; taken over when {self.state.policy.takeover}")
            return
        if not self.barrier_open(entity):
            link.backfill = True
            self.rest(link, "pending", "waits for the first snapshot of both systems")
            return
        match matching.match(self.state, link, system):
            case matching.Twin(twin, rule):
                self.unite(link, twin, rule)
            case matching.Unclear(candidates, reason, count):
                link.candidates, link.candidates_count = list(candidates), count
                self.rest(link, "ambiguous", reason)
            case matching.Unknown(reference):
                self.rest(link, "waiting", f"its reference names {reference}, which {target} has not shown")
            case matching.Busy(key):
                link.waiting_on = [f"link|{entity}|{key}"]
                self.rest(link, "waiting", f"{key} is being created and may be its twin")
            case matching.Single():
                self._create(link, system, target, side.seen)

    def unite(self, link: Link, twin: Link, rule: str) -> None:
        """Make one link of two that know one side each; the Chargebee key stays."""
        if twin.flight is not None:
            link.waiting_on = [f"link|{twin.entity}|{twin.key}"]
            self.rest(link, "waiting", f"{twin.key} has a command in flight")
            return
        ours, theirs = (link, twin) if link.chargebee else (twin, link)
        assert theirs.poweroffice is not None
        ours.poweroffice = theirs.poweroffice
        ours.lane = "live" if link.lane == "live" else ours.lane
        ours.cause, ours.backfill, ours.aside = link.cause, ours.backfill or theirs.backfill, None
        # A key may serve again after a split; its numbers must not, since finished commands are known by them.
        ours.seq, ours.entries = max(ours.seq, theirs.seq), max(ours.entries, theirs.entries)
        self.state.remove(theirs.entity, theirs.key)
        self.joined(ours, rule, f"Go {ours.poweroffice.id} is the same by {rule}")
        self.plan(ours)

    def joined(self, link: Link, rule: str, text: str) -> Link:
        """A second side has come; the key becomes the Chargebee id where that is free."""
        key = link.chargebee.id if link.chargebee else link.key
        if link.flight is None and key != link.key and self.state.get(link.entity, key) is None:
            self.state.remove(link.entity, link.key)
            link.key = key
        link.plan, link.waiting_on, link.candidates, link.aside = None, [], [], None
        link.candidates_count, link.twins = 0, []
        self.journal(link, f"matched_by_{rule}", text)
        return link

    def _create(self, link: Link, system: System, target: System, seen: dict[str, Any]) -> None:
        policy, entity, side = self.state.policy, link.entity, side_of(link, system)
        assert side is not None
        if (entity, target) in policy.create_off:
            self.rest(link, "ignored", f"create.{entity}.to_{target} is off")
            return
        referenced_only = entity == "customer" and policy.customers_in_scope == "referenced"
        if referenced_only and not self.state.count(f"wait|customer|{system}|{side.id}"):
            self.rest(link, "ignored", "no order in scope refers to it")
            return
        if entity == "order" and not self._translatable(link, system):
            return
        if unshown := [each for each in link.twins if by_id(self.state, entity, target, each) is None]:
            words = f"{target} {', '.join(unshown)} looks like the same {entity}; decided when it has been read"
            self.rest(link, "waiting", words)
            return
        fields = {name: value for name, value in seen.items() if fit(name, value)}
        known: dict[str, Any] = {}
        if target == "chargebee":
            if number := fields.pop("organisation_number", None):
                known["organisation_number"] = number  # never written, but what a twin there is known by
            own_id = own_chargebee_id(side.id)
            if (holder := by_id(self.state, entity, "chargebee", own_id)) is not None:
                # Parted by an operator, or made by somebody with our kind of id: a creation would adopt it.
                link.candidates = [holder.key]
                self.rest(link, "ambiguous", f"Chargebee {own_id}, the id its twin would get, is another record")
                return
        # The barrier has just read everything, and what an earlier look has met is known by now.
        look = not (link.backfill or link.twins or matching.is_distinct(self.state, entity, system, side.id))
        self.dispatch(link, target, "create", fields, guard=known, look_for_twins=look and entity != "order")

    def _translatable(self, link: Link, system: System) -> bool:
        """Whether all records an order names are linked; otherwise the order waits on exactly those."""
        missing: list[tuple[EntityName, str]] = []
        words: list[str] = []
        for entity, record_id in references(link, system):
            holder = by_id(self.state, entity, system, record_id)
            if holder is not None and side_of(holder, other(system)) is not None:
                continue
            missing.append((entity, record_id))
            # Not why it is held: that changes with the mode and the batches, and nobody would tell those who wait.
            why = f": {holder.reason}" if holder is not None and holder.reason and holder.state != "held" else ""
            words.append(f"{entity} {record_id} is {holder.state if holder is not None else 'not known yet'}{why}")
        if not missing:
            return True
        link.waiting_on = [f"{entity}|{system}|{record_id}" for entity, record_id in missing]
        self.rest(link, "waiting", "; ".join(words)[:500])
        for entity, record_id in missing:
            holder = by_id(self.state, entity, system, record_id)
            if holder is not None and holder.state == "ignored" and entity == "customer":
                self.plan(holder)
        return False

    def _translate(self, link: Link, target: System, fields: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """The fields with the target's ids, and the source's values where they differ from those."""
        if link.entity != "order":
            return fields, {}
        planned = {name: value for name, value in fields.items() if name in ("customer_id", "lines")}
        translated = dict(fields)
        if "customer_id" in fields:
            translated["customer_id"] = matching.id_in(self.state, target, "customer", fields["customer_id"])
        if "lines" in fields:
            translated["lines"] = [
                {**line, "product_id": matching.id_in(self.state, target, "product", line.get("product_id"))}
                for line in fields["lines"]
            ]
        return translated, planned

    # -- ends of planning

    def dispatch(
        self, link: Link, target: System, op: Op, fields: dict[str, Any], *, stamp: str | None = None,
        notes: list[Note] | None = None, guard: dict[str, Any] | None = None, look_for_twins: bool = False,
    ) -> None:  # fmt: skip
        """Send a command, or keep it as the link's plan with the reason why it is not sent yet."""
        side, source = side_of(link, target), side_of(link, other(target))
        if op == "create":
            assert source is not None
            stamp = own_chargebee_id(source.id) if target == "chargebee" else stamp_for_poweroffice(source.id)
        translated, planned = self._translate(link, target, fields)
        command = Command(
            tenant=link.tenant, entity=link.entity, link=link.key, seq=link.seq + 1, target=target, op=op,
            lane=link.lane, cause=link.cause, target_id=side.id if side else None,
            target_version=side.version if side else None, fields=translated,
            expected=guard or (expected(link, target, fields) if side else {}), stamp=stamp,
            look_first=link.maybe_applied, look_for_twins=look_for_twins, mapping=side.mapping if side else 1,
        )  # fmt: skip
        before, self.refused = self.refused, None
        same = before is not None and (before.fields, before.expected) == (command.fields, command.expected)
        link.stales = link.stales + 1 if same else 0
        if link.stales >= MAX_STALES:
            link.stales = 0
            self.rest(link, "conflict", f"{target} refused the same plan three times as stale")
        elif (gate := self._gate(link, op, target)) is not None:
            self._hold(link, command, *gate)
        elif link.lane == "bulk" and self.state.count(f"flying|{target}") >= self.state.policy.window:
            link.plan = command
            self.rest(link, "pending", "planned; waits for its turn")
        elif (batch := self._tripped(link, command)) is not None:
            self._hold(link, command, batch, f"breaker: more than usual; release or discard {batch}")
        else:
            for note in notes or []:
                # Named by what it is about: a command that was parked and is planned again tells it once.
                self.note(link, note, entry=f"{note.rule}-{note.name}-{command.target_version}")
            link.seq, link.batch = link.seq + 1, ""
            link.flight, link.plan = Flight(command=command, planned=planned), None
            for name in source.incomplete if op == "create" and source is not None else ():
                if name in NOT_CARRIED:
                    self.journal(link, "not_carried", NOT_CARRIED[name], other(target), name)
            text = f"{op} in {target}: {', '.join(fields) or stamp or ''}"
            self.journal(link, op, text, target, None, fields or None, command.expected or None)
            self.outputs.append(command)
            self.rest(link, "linked" if side else "creating", None)

    def _hold(self, link: Link, command: Command, batch: str, words: str) -> None:
        link.plan, link.batch = command, batch
        self.rest(link, "held", f"{words}; would {command.op} in {command.target}")

    def _gate(self, link: Link, op: Op, target: System) -> tuple[str, str] | None:
        """The batch that holds a plan and why, or None when nothing but a breaker can."""
        entity = link.entity
        if self.state.control("pause", f"{entity}/{target}"):
            return "paused", f"{entity} to {target} is paused"
        if self.mode() != "sync":
            return "observe", "observe"
        if not (link.backfill and op == "create" and self.state.policy.hold_first_backfill):
            return None
        if self.state.control("released", entity):
            return None
        return "first", "first backfill: release it with tandem held release"

    def _tripped(self, link: Link, command: Command) -> str | None:
        """The batch of an open breaker; the first backfill, released batches and what was parked pass uncounted."""
        kind = class_of(command.op, command.fields)
        released = link.batch and self.state.control("batch", f"{link.entity}/{link.batch}")
        if kind is None or released or link.passed or (link.backfill and kind != "deletes"):
            return None
        return batch_for(self.state, link.entity, kind, self.now)

    def rest(self, link: Link, state: LinkState, reason: str | None) -> None:
        """Store the link, tell the journal when its state changed, and plan what waited for it."""
        if state in JOURNALLED and (link.state, link.reason) != (state, reason):
            self.journal(link, state, reason or "")
        link.state, link.reason = state, reason
        if state in ("linked", "sent") and link.flight is None:
            link.backfill = False
        self.state.put(link)
        if self.state.count("waiting"):
            self._plan_waiting(link)

    def _plan_waiting(self, link: Link) -> None:
        """Plan the links that wait for this one."""
        for system, side in sides(link):
            self.plan_bucket(f"wait|{link.entity}|{system}|{side.id}", skip_unlinked=link)
        if link.flight is None:
            self.plan_bucket(f"wait|link|{link.entity}|{link.key}")
        for name in self.state.find(f"ambiguous|{link.entity}|{link.key}", MAX_AT_ONCE):
            if name[1] not in link.candidates and (twin := self.state.get(*name)) is not None:
                self.plan(twin)

    def plan_bucket(self, bucket: str, skip_unlinked: Link | None = None) -> None:
        """Plan the links of an index bucket again, at most MAX_AT_ONCE now."""
        if self.state.first(bucket) is None:
            return
        if skip_unlinked is not None and (skip_unlinked.chargebee is None or skip_unlinked.poweroffice is None):
            if skip_unlinked.state in ("rejected", "ambiguous", "ignored"):
                self._explain_waiting(bucket, skip_unlinked)
            return
        before = self.state.count(bucket)
        for name in self.state.find(bucket, MAX_AT_ONCE):
            if (link := self.state.get(*name)) is not None:
                self.plan(link)
        if MAX_AT_ONCE < before > self.state.count(bucket):
            self.go_on({"bucket": bucket})

    def plan_sharers(self) -> None:
        """Plan again those that share a value with a link that this message has moved: who was unique may be so no
        longer, and the other way round. Of a value that many share, only where the verdicts can have changed."""
        handled: dict[tuple[EntityName, str, str], tuple[int, ...]] = {}
        again = True
        while again:
            again = False
            for shared in {each: None for index in self.state.moved() if (each := _natural(index)) is not None}:
                indexes = _groups(*shared)
                now = tuple(self.state.count(each) for each in indexes)
                if handled.get(shared) == now or not self.barrier_open(shared[0]):
                    continue
                before = handled.get(shared) or tuple(self.state.count_before(each) for each in indexes)
                handled[shared], again = now, True
                few = max(sum(now), sum(before)) <= matching.MAX_CANDIDATES
                if few or [min(each, 2) for each in now] != [min(each, 2) for each in before]:
                    self.plan_sharing(*shared, pairs=few and shared[1] in matching.SHARED)

    def plan_sharing(
        self, entity: EntityName, rule: str, value: str, after: str = "", *, pairs: bool = False
    ) -> None:  # fmt: skip
        """Plan those that share a value, at most MAX_AT_ONCE now, in the order of their keys. `pairs` have no verdict
        that could change; few of them list each other."""
        groups = [*SYSTEMS, "pair"] if pairs else SYSTEMS
        found = (self.state.find(f"{entity}|{rule}|{group}|{value}") for group in groups)
        names = sorted(key for held in found for _, key in held if key > after)
        for key in names[:MAX_AT_ONCE]:
            link = self.state.get(entity, key)
            if link is not None and link.state in UNDECIDED:
                self.plan(link)
        if len(names) > MAX_AT_ONCE:
            self.go_on({"sharing": [entity, rule, value], "after": names[MAX_AT_ONCE - 1]})

    def go_on(self, args: dict[str, Any]) -> None:
        """A signal to ourselves, so that one transaction never grows without bound."""
        self.outputs.append(
            Signal(tenant=self.state.tenant, id=f"{self.cause}+", kind="advance", at=self.now, args=args)
        )

    def _explain_waiting(self, bucket: str, holder: Link) -> None:
        for entity, key in self.state.find(bucket, MAX_AT_ONCE):
            link = self.state.get(entity, key)
            if link is not None:
                link.reason = f"{holder.entity} {holder.key} is {holder.state}: {holder.reason}"[:500]
                self.state.put(link)

    def next_in_queue(self, target: System) -> None:
        """Let planned bulk commands, then the readings of a run, follow while the window has room."""
        for _ in range(MAX_AT_ONCE):
            first = self.state.first(f"queue|{target}")
            if first is None and runs.may_read(self.state):
                first = self.state.first(f"verify|{target}")
            full = self.state.count(f"flying|{target}") >= self.state.policy.window
            if first is None or full or (link := self.state.get(*first)) is None:
                return
            self.plan(link)
        self.go_on({"queue": target})

    # -- facts

    def mode(self) -> str:
        """observe or sync: a missing decision or another vendor account outrank a signal, a signal the settings."""
        stopped = any(self.state.control("stopped", system) for system in SYSTEMS)
        if self.state.policy.undecided or stopped:
            return "observe"
        held = self.state.control("mode", "~")
        return str(held["mode"]) if held else self.state.policy.mode

    def barrier_open(self, entity: EntityName) -> bool:
        """Whether both systems have shown all they had of an entity."""
        return all(self.state.control("barrier", f"{entity}/{system}") for system in SYSTEMS)

    def _taken_over(self, seen: dict[str, Any]) -> bool:
        takeover = self.state.policy.takeover
        return seen.get("status") == "sent" or (takeover == "confirmed" and seen.get("status") == "confirmed")

    def erase(self, topic: str, key: str) -> None:
        """Take everything under a key out of a topic."""
        self.outputs.append(Tombstone(topic, key))

    # -- journal

    def acknowledge(self, signal: Signal, answer: dict[str, Any]) -> None:
        """Tell the journal what became of an operator's signal."""
        done = answer["result"] if answer["result"] == "done" else f"refused: {answer['reason']}"
        self.outputs.append(
            JournalEntry(tenant=signal.tenant, entity=None, link=signal.id, entry="1", at=self.now, rule=signal.kind,
                         text=f"{signal.by or 'an operator'} asked for {signal.kind}: {done}", cause=self.cause,
                         value={name: held for name, held in signal.args.items() if name != "pairs"} or None)
        )  # fmt: skip

    def note(self, link: Link, note: Note, entry: str | None = None) -> None:
        self.journal(link, note.rule, note.text, note.system, note.name, note.value, note.losing, entry=entry)

    def journal(
        self, link: Link, rule: str, text: str, system: System | None = None, name: str | None = None,
        value: Any = None, losing: Any = None, *, entry: str | None = None,
    ) -> None:  # fmt: skip
        """Record a decision; `entry` is numbered by the link unless given."""
        if entry is None:
            link.entries += 1
            entry = str(link.entries)
        self.outputs.append(
            JournalEntry(tenant=link.tenant, entity=link.entity, link=link.key, entry=entry, at=self.now, rule=rule,
                         text=text, cause=self.cause, system=system, field=name, value=value, losing=losing)
        )  # fmt: skip


def _natural(index: str) -> tuple[EntityName, str, str] | None:
    """Entity, rule and value of an index key under which a record is found by what it holds."""
    entity, _, rest = index.partition("|")
    rule, _, rest = rest.partition("|")
    if entity not in ENTITIES or rule not in NATURAL[entity]:
        return None
    return entity, rule, rest.partition("|")[2]


def _groups(entity: EntityName, rule: str, value: str) -> list[str]:
    return [f"{entity}|{rule}|{group}|{value}" for group in (*SYSTEMS, "pair")]
