"""Two lossy vendors, their sinks, the linker on its changelog, people and operators: the state
machine's world."""

import random
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from contracts import mappings
from contracts.entities import ENTITIES, SYSTEMS, EntityName, System, other
from contracts.messages import (
    Author,
    Command,
    JournalEntry,
    Link,
    Observed,
    Outcome,
    Problem,
    Reading,
    ReadingCompleted,
    Signal,
    SnapshotCompleted,
)
from contracts.settings.values import Owner
from contracts.vendors import has_moved, own_chargebee_id
from services.linker.decide import Message, decide
from services.linker.state import Policy, by_id, is_gone, side_of, sides
from services.linker.store import Overlay, Store

EDITED: dict[EntityName, tuple[str, ...]] = {
    "customer": ("first_name", "phone", "address"),
    "product": ("description", "unit"),
    "order": ("order_date", "purchase_order"),
}
# A linker in a process of its own knows these mappings and none that comes after.
IN_USE: dict[System, int] = {system: mappings.newest(system) for system in SYSTEMS}
# Of a product of Chargebee: what of it stands in its price, and not in the item.
OF_PRICE = frozenset({"unit"})
SPELLED = "²"
EMPTIED_SHARE = 0.15  # of the edits of a field that somebody empties
EDITS = (" Aa", "bB ", "Long-Value-{}", "x{}", "Q{}")
NOW = "2026-01-01T00:00:00.000000Z"
Name = tuple[EntityName, str]


class Parts(NamedTuple):
    """A product of Chargebee as somebody knows it: its fields, and the versions of item and
    price."""

    fields: dict[str, Any]
    versions: tuple[int, int]

    def with_half(self, half: int, other: "Parts") -> "Parts":
        """The same with the item (0) or the price (1) of another."""
        names = [name for name in self.fields if (name in OF_PRICE) == bool(half)]
        fields = {**self.fields, **{name: other.fields[name] for name in names}}
        versions = (
            (self.versions[0], other.versions[1])
            if half
            else (
                other.versions[0],
                self.versions[1],
            )
        )
        return Parts(fields, versions)


class Touched(NamedTuple):
    """A webhook about one half of a product of Chargebee, with the product as it was then."""

    at: Name
    half: int
    parts: Parts
    by: Author


class Vendor:
    """One system: lossy storage, versions, and the events it sends."""

    def __init__(self, system: System, world: "World") -> None:
        self.system, self.world = system, world
        self.records: dict[Name, dict[str, Any]] = {}
        self.stamps: dict[Name, str | None] = {}
        self.versions: dict[Name, int] = {}
        self.deleted: set[Name] = set()
        self.clock = 0
        self.created: list[Name] = []
        self.removed_by_us: set[Name] = set()
        self.authors: dict[Name, Author] = {}
        self.mapping = IN_USE[system]
        self.shown: dict[tuple[Name, str], list[tuple[int, Any, Author]]] = defaultdict(list)
        self.moved_at: dict[tuple[Name, int], int] = {}  # when each version came about
        # Of Chargebee's products: the versions of item and price, and what the adapter has read.
        self.halves: dict[Name, tuple[int, int]] = {}
        self.told: dict[Name, Parts] = {}
        # By when they were made, our own writes: when the other side's state came about that they
        # carry.
        self.carried: dict[int, int] = {}

    def norm(self, name: str, value: Any) -> Any:
        if name == "address":
            return value and {**value, "line1": self.norm("line1", value["line1"])}
        if not isinstance(value, str) or name not in (
            "first_name",
            "phone",
            "description",
            "unit",
            "line1",
        ):
            return value
        return (value[:6] if self.system == "chargebee" else value.strip().lower()) or None

    def put(
        self,
        at: Name,
        fields: dict[str, Any],
        *,
        moves: bool = True,
        by: Author = "others",
        carries: int | None = None,
    ) -> None:
        self.authors[at] = by
        held = self.records.setdefault(at, {})
        held.update({name: self.norm(name, value) for name, value in fields.items()})
        self.world.clock += 1
        for name in fields:
            self.shown[at, name].append((self.world.clock, held[name], by))
        if moves or at not in self.versions:
            self.clock += 1
            self.versions[at] = self.clock
            self.moved_at[at, self.clock] = self.world.clock
            self._move_halves(at, fields)
        if carries is not None:
            self.carried[self.world.clock] = carries
        if at not in self.halves:
            self.world.inbox.append(self.event(at))
            return
        for half in self.halves_of(fields):
            self.world.inbox.append(Touched(at, half, self.parts(at), by))

    def _move_halves(self, at: Name, fields: Iterable[str]) -> None:
        if self.system != "chargebee" or at[0] != "product":
            return
        item, price = self.halves.get(at, (self.clock, self.clock))
        for half in self.halves_of(fields):
            item, price = (item, self.clock) if half else (self.clock, price)
        self.halves[at] = item, price

    @staticmethod
    def halves_of(fields: Iterable[str]) -> list[int]:
        """Which of item (0) and price (1) are written; what names neither is the item's."""
        return sorted({int(name in OF_PRICE) for name in fields}) or [0]

    def parts(self, at: Name) -> Parts:
        """A product as it stands."""
        return Parts(dict(self.records[at]), self.halves[at])

    def known(self, at: Name, written: Iterable[str]) -> Parts:
        """The product after a write. Where that is of one half, the other is as the adapter knows
        it: as it was read last, or as a webhook says that is not published yet."""
        now, told = self.parts(at), self.told.get(at)
        halves = self.halves_of(written)
        if told is None or len(halves) > 1 or self.world.random.random() < 0.5:
            return now
        return told.with_half(halves[0], now)

    def readings(self, touched: Touched) -> list[Observed]:
        """The product as it stands once a webhook is handled; before it what the webhook tells,
        where something newer has taken its place."""
        at, now = touched.at, self.parts(touched.at)
        mine = touched.parts.versions[touched.half]
        shown = []
        if touched.by == "others" and mine < now.versions[touched.half]:
            past = now.with_half(touched.half, touched.parts)
            shown.append(self.reading(at, past, touched.by, version=f"{mine:09d}"))
        return [*shown, self.event(at, touched.by if mine == max(now.versions) else None)]

    def came_about(self, at: Name, version: str) -> int | None:
        """When a version did; the first digit of a forged one is not its own."""
        return self.moved_at.get((at, int(version[1:9])))

    def version(self, at: Name, versions: tuple[int, int] | None = None, past: str = "") -> str:
        """The newest part of a product of Chargebee, and the sum of both; else the record's own, or
        that of a past state. Go's adapter numbers its readings after it."""
        held = versions or self.halves.get(at)
        whole = f"{max(held):09d}.{sum(held):09d}" if held else f"{self.versions[at]:09d}"
        if self.system == "chargebee":
            return past or whole
        self.world.observation += 1
        return f"{past or whole}#{self.world.observation:09d}"

    def release(self) -> None:
        """A new version of the adapter, which spells some fields otherwise; requests of the old one
        have ended."""
        self.mapping += 1
        self.world.stuck.clear()
        mappings.REREAD[self.system][self.mapping] = {
            "customer": frozenset({"phone"}),
            "product": frozenset({"unit"}),
        }

    def read(self, at: Name, fields: dict[str, Any] | None = None) -> dict[str, Any]:
        """The record as the present release maps it: each higher mapping spells a phone or a unit
        otherwise."""
        held = self.records[at] if fields is None else fields
        return {name: self.spelled(name, value) for name, value in held.items()}

    def spelled(self, name: str, value: Any) -> Any:
        spelt = name in ("phone", "unit") and isinstance(value, str)
        return f"{value}{SPELLED * (self.mapping - IN_USE[self.system])}" if spelt else value

    def stored(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Canonical fields as this system stores them."""
        return {
            name: value.rstrip(SPELLED) if isinstance(value, str) else value
            for name, value in fields.items()
        }

    def kept(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Canonical fields as this system shows them once they were written."""
        stored = self.stored(fields)
        return {name: self.spelled(name, self.norm(name, value)) for name, value in stored.items()}

    def moves(self, names: set[str]) -> bool:
        return self.system == "chargebee" or names != {"address"}

    def event(self, at: Name, made_by: Author | None = None) -> Observed:
        """The record as it stands."""
        if at not in self.halves:
            return self.reading(at, None, self.authors.get(at))
        self.told[at] = self.parts(at)
        return self.reading(at, self.told[at], made_by)

    def reading(
        self, at: Name, parts: Parts | None, made_by: Author | None, *, version: str = ""
    ) -> Observed:
        gone = at in self.deleted
        fields = self.records[at] if parts is None else parts.fields
        return Observed(
            tenant=self.world.tenant,
            system=self.system,
            entity=at[0],
            id=at[1],
            version=self.version(at, parts and parts.versions, version),
            mapping=self.mapping,
            observed_at=NOW,
            data=None if gone and self.system == "poweroffice" else self.read(at, fields),
            deleted=gone,
            stamp=self.stamps.get(at),
            made_by=made_by if self.world.names_authors and self.system == "chargebee" else None,
        )

    def remove(self, at: Name) -> None:
        """Delete a record as a person or a sink does; Chargebee goes on showing it, a customer
        maybe at the version that it had, Go shows nothing."""
        self.deleted.add(at)
        fields = {"archived": True} if at[0] != "order" and self.system == "chargebee" else {}
        is_quiet = self.system == "chargebee" and at[0] == "customer"
        self.put(at, fields, moves=not is_quiet or self.world.random.random() < 0.5)


class World:
    """Everything under way between two vendors. `owner` wins conflicts, `carries_removals` lets
    deletions cross, `breakers` holds every few commands until the operator releases them,
    `names_authors` says who made a version; a linker that `knows_releases` knows what the adapters'
    newer mappings read anew."""

    knows_releases = True

    def __init__(
        self,
        seed: int,
        *,
        owner: Owner,
        carries_removals: bool,
        breakers: bool,
        tenant: str = "t",
        names_authors: bool = True,
    ) -> None:
        self.random, self.tenant, self.is_quiet = random.Random(seed), tenant, False
        self.rebuilt = False
        self.unseen, self.rebuilding, self.names_authors = False, "", names_authors
        self.stuck: list[Command] = []  # requests of ours that are still under way
        self.observation = self.number = self.planned = self.signals = self.clock = 0
        self.inbox: list[Message | Touched] = []
        self.commands: list[Command] = []
        self.outcomes: list[Outcome] = []
        self.vendors: dict[System, Vendor] = {system: Vendor(system, self) for system in SYSTEMS}
        removal: dict[tuple[EntityName, System], str] = {
            ("customer", "poweroffice"): "archive",
            ("product", "poweroffice"): "archive",
            ("product", "chargebee"): "archive_go_born_charges",
            ("order", "poweroffice"): "remove_draft",
        }
        self.policy = Policy(
            mode="sync",
            owner=dict.fromkeys(ENTITIES, owner),
            start_orders="2026-01-01",
            removal=removal if carries_removals else {},
            breakers=dict.fromkeys(("creates", "changes", "deletes"), (3, 0)) if breakers else {},
        )
        self.store = Store(self.tenant, self.policy)
        self.changelog: dict[str, bytes] = {}
        self.journal: list[JournalEntry] = []
        self.finished: dict[tuple[EntityName, str], Outcome] = {}
        self.attempted: set[tuple[EntityName, str, int]] = set()  # carried out, with the reply lost
        self.sent: list[Command] = []
        self.carries: dict[tuple[EntityName, str, int], int] = {}
        self.edits: list[tuple[System, Name, str, Any]] = []
        self.late: set[int] = set()  # when requests of ours came of which no answer tells
        self.overtaken: list[tuple[System, Name, dict[str, Any]]] = []
        self.behind: list[tuple[System, Name, str, Any]] = []
        self.parted: dict[tuple[EntityName, str, str], str] = {}
        self.ever_parted: set[tuple[EntityName, str, str]] = set()
        for entity in ENTITIES:
            for system in SYSTEMS:
                self.deliver(
                    SnapshotCompleted(
                        tenant=self.tenant,
                        system=system,
                        entity=entity,
                        snapshot="s",
                        records=0,
                        completed_at=NOW,
                    )
                )

    # -- the linker

    def deliver(self, message: Message | Touched) -> None:
        if isinstance(message, Touched):
            for reading in self.vendors["chargebee"].readings(message):
                self.deliver(reading)
            return
        if isinstance(message, Observed):
            self._note_overtaken(message)
        state, outputs = decide(self.store.child(), message, NOW)
        assert isinstance(state, Overlay)
        self.store.absorb(state)
        for name, (value, _, _) in state.changes.items():
            self.changelog.pop(name, None)
            if value is not None:
                self.changelog[name] = value
        for output in outputs:
            if isinstance(output, Command):
                self.planned += 1
                self.commands.append(output)
                self.sent.append(output)
                self._note_carried(output)
            elif isinstance(output, JournalEntry):
                self.journal.append(output)
            elif isinstance(output, Signal):
                self.inbox.append(output)

    def _note_overtaken(self, event: Observed) -> None:
        """Keep what is read after a newer state of the same record is known."""
        link = by_id(self.store.child(), event.entity, event.system, event.id)
        side = side_of(link, event.system) if link is not None else None
        if side is not None and event.data is not None and event.version < side.version:
            self.overtaken.append((event.system, (event.entity, event.id), event.data))

    def crash(self) -> None:
        """Start again from the changelog, with an index made anew."""
        fresh = Store(self.tenant, self.policy)
        fresh.controls = dict(self.store.controls)
        for name, value in self.changelog.items():
            fresh.load(name, value)
        fresh.build_index()
        self.store = fresh
        self.tell("start")

    def tell(self, kind: str, **args: Any) -> str:
        """Send a signal; the answer is found in the control fact of its id."""
        self.signals += 1
        self.deliver(
            Signal(tenant=self.tenant, id=f"s{self.signals}", kind=kind, at=NOW, args=args)
        )
        return f"s{self.signals}"

    def links(self) -> list[Link]:
        child = self.store.child()
        found = (child.get(*name.split("/", 1)) for name in list(self.store.links))  # type: ignore[arg-type]
        return [link for link in found if link is not None]

    # -- the sinks

    def execute(self, command: Command, *, lose_reply: bool) -> bool:
        key = (command.entity, command.link)
        done = self.finished.get(key)
        if done is not None and done.seq >= command.seq:
            if done.seq == command.seq:
                self.outcomes.append(done)
            return True
        vendor = self.vendors[command.target]
        writes = command.op == "update" and command.mapping == vendor.mapping
        known = self._is_known(command)
        if (
            lose_reply
            and writes
            and known
            and command.target == "chargebee"
            and self.random.random() < 0.3
        ):
            # The process is killed with the request under way: it may arrive whenever it likes.
            self.attempted.add((*key, command.seq))
            self.stuck.append(command)
            return False
        may_park = known or (*key, command.seq) not in self.attempted
        parks = self.random.random() < 0.1 and may_park
        outcome = self.park(command) if parks else self.apply(command)
        if lose_reply:
            self.attempted.add((*key, command.seq))
            return False
        self.finished[key] = outcome
        self.outcomes.append(outcome)
        return True

    def _is_known(self, command: Command) -> bool:
        """Whether what was written unseen is told from an edit: without an author's name a value
        that the vendor makes another one of is not."""
        return self.names_authors or self.vendors[command.target].kept(command.fields) == (
            command.fields
        )

    def _is_unclear(self, at: Name) -> bool:
        """Whether a record may hold what was written unseen and is not known: once it is deleted,
        no answer tells any more."""
        return any(
            (each.entity, each.target_id) == at
            and (each.entity, each.link, each.seq) in self.attempted
            and not self._is_known(each)
            for each in self.commands
        )

    def apply(self, command: Command) -> Outcome:
        vendor = self.vendors[command.target]
        if command.op == "create":
            at = (
                command.entity,
                command.stamp or "" if command.target == "chargebee" else f"po{command.stamp}",
            )
            if at in vendor.records:
                return self.answer(command, at, "adopted")
            vendor.created.append(at)
            vendor.stamps[at] = command.stamp
            self.write(command, at, vendor.stored(command.fields))
            return self.answer(command, at, "applied")
        at = (command.entity, command.target_id or "")
        held = vendor.records[at]
        if at in vendor.deleted:
            if command.op in ("delete", "verify"):
                return self.answer(command, at, "applied", deleted=True)
            return self.refuse(command, "the record is deleted")
        if command.op == "verify":
            return self.answer(command, at, "applied")
        wanted = vendor.stored(command.fields)
        same = tuple(
            name for name, value in wanted.items() if vendor.norm(name, value) == held.get(name)
        )
        if command.mapping < vendor.mapping:
            return self.answer(command, at, "stale", same)
        if command.op == "stamp":
            vendor.stamps[at] = command.stamp
            self.write(command, at, {})
            return self.answer(command, at, "applied")
        if command.op == "update" and len(same) == len(command.fields):
            # Of a repeated command an earlier attempt may have written, as the sinks say.
            attempted = (command.entity, command.link, command.seq) in self.attempted
            return self.answer(command, at, "applied", wrote=attempted or command.look_first)
        read, moved_at = vendor.read(at), vendor.version(at)
        repeated = (command.entity, command.link, command.seq) in self.attempted
        left = [name for name in wanted if name not in same]
        has_part = not same and has_moved(command.target_version, moved_at)
        if at in vendor.halves:
            planned = int((command.target_version or "0")[:9])
            has_part = any(vendor.halves[at][half] > planned for half in vendor.halves_of(left))
        again = (repeated or command.look_first) and has_part
        if (
            any(read.get(name) != value for name, value in command.expected.items())
            or held.get("status") == "sent"
        ):
            outcome = self.answer(command, at, "stale", same)
            return msgspec.structs.replace(outcome, again=again)
        if command.op == "delete":
            vendor.removed_by_us.add(at)
            vendor.remove(at)
            return self.answer(command, at, "applied", deleted=True)
        if command.target == "chargebee" and self.random.random() < 0.3:
            self.edit(command.target, at)  # a person edits between our read and our write
        if not self.is_quiet and self.random.random() < 0.05:
            # Refused after a part of it: a customer of Chargebee takes two requests.
            part = dict(list(wanted.items())[: self.random.randrange(2)])
            if part and command.target == "chargebee" and self._is_known(command):
                self.write(command, at, part)
                self.late.add(self.clock)
            return self.refuse(command, "not like this")
        self.write(command, at, wanted)
        return msgspec.structs.replace(self.answer(command, at, "applied"), again=again)

    def arrive_late(self) -> None:
        """A request that was under way when its process was killed reaches Chargebee, whatever it
        holds by now."""
        command = self.stuck.pop(self.random.randrange(len(self.stuck)))
        at, vendor = (command.entity, command.target_id or ""), self.vendors["chargebee"]
        if at not in vendor.deleted:
            self.write(command, at, vendor.stored(command.fields))
            self.late.add(self.clock)

    def write(self, command: Command, at: Name, fields: dict[str, Any]) -> None:
        """Put what a command carries into a record, as our own key does."""
        vendor = self.vendors[command.target]
        number = (command.entity, command.link, command.seq)
        moves = command.op != "update" or vendor.moves(set(fields))
        vendor.put(at, fields, moves=moves, by="tandem", carries=self.carries.get(number))

    def _note_carried(self, command: Command) -> None:
        """Keep when the state that a command carries came about: what is entered on its target
        since then is no older."""
        source = other(command.target)
        link = self.store.child().get(command.entity, command.link)
        side = side_of(link, source) if link is not None else None
        if side is not None:
            when = self.vendors[source].came_about((command.entity, side.id), side.version)
            if when is not None:
                self.carries[command.entity, command.link, command.seq] = when

    def answer(
        self,
        command: Command,
        at: Name,
        result: Any,
        done: tuple[str, ...] = (),
        *,
        deleted: bool = False,
        wrote: bool = True,
    ) -> Outcome:
        vendor = self.vendors[command.target]
        known = None
        if at in vendor.halves and command.op in ("update", "stamp"):
            known = vendor.known(at, command.fields)
        return Outcome(
            tenant=self.tenant,
            entity=command.entity,
            link=command.link,
            seq=command.seq,
            target=command.target,
            result=result,
            at=NOW,
            id=at[1],
            version=vendor.version(at, known and known.versions),
            data=vendor.read(at, known and known.fields),
            mapping=vendor.mapping,
            stamp=vendor.stamps.get(at),
            done=done,
            deleted=deleted or at in vendor.deleted,
            wrote=wrote,
        )

    def refuse(self, command: Command, words: str) -> Outcome:
        return Outcome(
            tenant=self.tenant,
            entity=command.entity,
            link=command.link,
            seq=command.seq,
            target=command.target,
            result="rejected",
            at=NOW,
            error=Problem(code="deleted", message=words),
        )

    def park(self, command: Command) -> Outcome:
        """The vendor is away, or the adapter heeds a switch that the linker may have turned back
        meanwhile."""
        code = self.random.choice(("unreachable", "paused", "observe"))
        return Outcome(
            tenant=self.tenant,
            entity=command.entity,
            link=command.link,
            seq=command.seq,
            target=command.target,
            result="parked",
            at=NOW,
            error=Problem(code=code, message="not now"),
            maybe_applied=(command.entity, command.link, command.seq) in self.attempted
            or self.random.random() < 0.2,
        )

    # -- people

    def value(self, name: str) -> Any:
        if name == "order_date":
            return f"2026-01-{self.random.randrange(1, 9):02d}"
        if name != "first_name" and self.random.random() < EMPTIED_SHARE:
            return None
        text = self.random.choice(EDITS).format(self.random.randrange(4))
        address = {"line1": text, "line2": None, "city": "Oslo", "zip": "0150", "country": "NO"}
        return address if name == "address" else text

    def edit(self, system: System, at: Name) -> None:
        name, vendor = self.random.choice(EDITED[at[0]]), self.vendors[system]
        if at in vendor.deleted or vendor.records[at].get("status") == "sent":
            return
        before = vendor.records[at][name]
        vendor.put(at, {name: self.value(name)}, moves=vendor.moves({name}))
        if (value := vendor.records[at][name]) != before:
            self.edits.append((system, at, name, value))

    def end(self, system: System, at: Name) -> None:
        """Delete, archive, bring back, cancel or send a record."""
        vendor, record = self.vendors[system], self.vendors[system].records[at]
        if at in vendor.deleted or record.get("status") == "sent" or self._is_unclear(at):
            return
        if at[0] == "order" and system == "poweroffice" and self.random.random() < 0.5:
            vendor.put(at, {"status": "sent"})
        elif at[0] == "order" and system == "chargebee":
            vendor.put(at, {"status": "cancelled"})
        elif at[0] != "order" and self.random.random() < 0.5:
            vendor.put(at, {"archived": not record["archived"]})
        else:
            vendor.remove(at)

    def birth(self) -> None:
        system: System = self.random.choice(SYSTEMS)
        entity: EntityName = self.random.choice(ENTITIES)
        vendor = self.vendors[system]
        self.number += 1
        name = f"n{self.number}"  # unique names and e-mails: shared ones are another test's matter
        record: dict[str, Any] = {each: self.value(each) for each in EDITED[entity]}
        if entity == "customer":
            record |= {
                "kind": "person",
                "last_name": name,
                "email": name,
                "vat_exempt": False,
                "archived": False,
            }
        elif entity == "product":
            record |= {"name": name, "code": name, "kind": "charge", "archived": False}
        else:
            customers = [at for at in vendor.records if at[0] == "customer"]
            products = [at for at in vendor.records if at[0] == "product"]
            if not customers or not products:
                return
            line = {"id": "1", "product_id": self.random.choice(products)[1], "net": "10"}
            record |= {
                "customer_id": self.random.choice(customers)[1],
                "lines": [line],
                "status": "draft" if system == "chargebee" else "sent",
            }
        vendor.put((entity, f"{system[0]}{self.number}"), record)

    def operate(self) -> None:
        """One act of an operator."""
        draw, links = self.random.random(), self.links()
        if draw < 0.3:
            self.tell(
                "pause", entity=self.random.choice(ENTITIES), target=self.random.choice(SYSTEMS)
            )
        elif draw < 0.45:
            self.tell("resume")
        elif draw < 0.55:
            self.tell("mode", mode=self.random.choice(["observe", "sync"]))
        elif draw < 0.7:
            self.tell("release", entity=self.random.choice(ENTITIES))
        elif draw < 0.75:
            self.tell("redrive")
        elif draw < 0.9 and links:
            self._part(self.random.choice(links))
        elif draw < 0.97:
            self.run()
        elif self.parted:
            pair = self.random.choice(list(self.parted))
            undone = self.tell("undo", signal=self.parted[pair])
            if self._answer(undone)["result"] == "done":
                del self.parted[pair]

    def run(self) -> None:
        """Begin a replay of some records, a reconcile or a rebuild; or cancel, pause or resume the
        run under way."""
        everyone = [
            (system, *at) for system, vendor in self.vendors.items() for at in vendor.records
        ]
        draw, under_way = (
            self.random.random(),
            (self.store.control("active", "run") or {}).get("id", ""),
        )
        if draw < 0.2:
            self.tell(self.random.choice(("run_pause", "run_resume", "run_cancel")), run=under_way)
        elif draw < 0.6:
            told = self.tell(
                "replay", ranges={"customers": [0, 1]}, dry_run=self.random.random() < 0.3
            )
            some = sorted(self.random.sample(everyone, self.random.randrange(len(everyone) + 1)))
            self.tell("replay_part", run=told, records=[list(each) for each in some], last=True)
        elif draw < 0.9:
            self.inbox += self.readings(self.tell("reconcile", repair=self.random.random() < 0.5))
        else:
            told = self.tell("rebuild")
            if self._answer(told)["result"] == "done":
                self.rebuilding, self.rebuilt = told, True

    def list_for_rebuild(self) -> None:
        """As the adapters do once the links are gone."""
        run = self.store.control("run", self.rebuilding)
        if not self.rebuilding or run is None or run["state"] != "reading":
            return
        for vendor in self.vendors.values():
            self.inbox += [
                msgspec.structs.replace(vendor.event(at), snapshot=self.rebuilding)
                for at in vendor.records
            ]
        self.inbox += [
            SnapshotCompleted(
                tenant=self.tenant,
                system=system,
                entity=entity,
                snapshot=self.rebuilding,
                records=0,
                completed_at=NOW,
            )
            for system in SYSTEMS
            for entity in ENTITIES
        ]
        self.rebuilding = ""

    def readings(self, run: str) -> list[Message]:
        """A complete reading of both systems for a run."""
        found: list[Message] = [
            Reading(run=run, record=vendor.event(at))
            for vendor in self.vendors.values()
            for at in vendor.records
        ]
        return found + [
            ReadingCompleted(
                run=run,
                tenant=self.tenant,
                system=system,
                entity=entity,
                records=0,
                completed_at=NOW,
            )
            for system in SYSTEMS
            for entity in ENTITIES
        ]

    def edit_unseen(self, system: System, at: Name) -> None:
        """An edit behind the system's back: no event tells of it."""
        waiting, known = len(self.inbox), len(self.edits)
        self.edit(system, at)
        self.behind += self.edits[known:]
        del self.inbox[waiting:]
        self.unseen = True

    def forge(self, system: System, at: Name) -> None:
        """A version that is none of the record's own: whatever comes after it looks older."""
        link = by_id(self.store.child(), at[0], system, at[1])
        if link is not None and link.flight is None:
            event = self.vendors[system].event(at)
            self.deliver(
                msgspec.structs.replace(
                    event, version=f"{self.random.randrange(5, 10)}{event.version[1:]}"
                )
            )
            self.unseen = True

    def _part(self, link: Link) -> None:
        told = self.tell("unlink", entity=link.entity, key=link.key)
        if (did := self._answer(told)).get("did"):
            pair = (link.entity, did["did"]["chargebee"], did["did"]["poweroffice"])
            self.parted[pair] = told
            self.ever_parted.add(pair)

    def _answer(self, signal: str) -> dict[str, Any]:
        return self.store.controls[f"signal/{signal}"]

    # -- one step of the run

    def step(self, *, quiet: bool = False) -> None:
        chance, pick = self.random.random, self.random
        self.list_for_rebuild()
        draw = chance()
        everyone = [(s, at) for s, vendor in self.vendors.items() for at in vendor.records]
        if self.stuck and chance() < 0.1:
            self.arrive_late()
        elif not quiet and chance() < 0.01:
            pick.choice(list(self.vendors.values())).release()
        elif not quiet and chance() < 0.02 and everyone:
            self.forge(*pick.choice(everyone))
        elif not quiet and draw < 0.13:
            self.birth()
        elif not quiet and draw < 0.34 and everyone:
            edit = self.edit_unseen if chance() < 0.05 else self.edit
            edit(*pick.choice(everyone))
        elif not quiet and draw < 0.37 and everyone:
            self.end(*pick.choice(everyone))
        elif not quiet and draw < 0.40:
            self.operate()
        elif not quiet and draw < 0.43:
            self.crash()
        elif draw < 0.6 and self.inbox:
            message = pick.choice(self.inbox)
            if chance() < 0.7:
                self.inbox.remove(message)
            self.deliver(message)
        elif draw < 0.8 and self.commands:
            command = pick.choice(self.commands)
            if self.execute(command, lose_reply=not quiet and chance() < 0.3) and chance() < 0.8:
                self.commands.remove(command)
        elif self.outcomes:
            outcome = pick.choice(self.outcomes)
            if quiet or chance() < 0.7:
                self.outcomes.remove(outcome)
            self.deliver(outcome)

    @property
    def is_under_way(self) -> bool:
        """Whether messages are, or requests of ours whose process was killed."""
        return bool(self.inbox or self.commands or self.outcomes or self.stuck)

    def settle(self) -> None:
        """Let everything arrive, with every switch on and every batch released."""
        self.is_quiet = True
        self._drain()
        self.switch_on()
        self._drain()
        if not (self.unseen or self.has_released):
            self._nothing_was_kept_back()
        for _ in range(20):
            self._drain()
            before = self.planned
            self._end_run()
            self.tell("redrive")
            self.switch_on()
            self.tell("redrive")  # what was parked may be suspect
            if self.planned == before and not (self.unseen or self.rebuilding or self.is_under_way):
                return
        raise AssertionError("no quiescence: something is planned for ever")

    def switch_on(self) -> None:
        """All that holds anything back."""
        self.tell("resume")
        self.tell("mode", mode="sync")
        for entity in ENTITIES:
            self.tell("release", entity=entity)
        for system in SYSTEMS:
            self.tell("vendor_reachable", system=system)

    def _nothing_was_kept_back(self) -> None:
        """With all switches on nobody has to ask again for what a pause had stopped."""
        before = len(self.sent)
        self.read_everything_again()
        self._drain()
        more = self.sent[before:]
        assert not more, f"an unchanged reading planned {more}"

    @property
    def has_released(self) -> bool:
        """Whether an adapter reads some fields otherwise than it did at the beginning."""
        return any(each.mapping > IN_USE[each.system] for each in self.vendors.values())

    def _end_run(self) -> None:
        """Finish or cancel the run under way; what nobody told of is found by a repair."""
        under_way = (self.store.control("active", "run") or {}).get("id", "")
        self.tell("run_resume", run=under_way)
        self.tell("run_cancel", run=under_way)
        if self.unseen:
            told = self.tell("reconcile", repair=True)
            self.unseen = self._answer(told)["result"] != "done"  # a rebuild is under way
            for message in self.readings(told):
                self.deliver(message)

    def _drain(self) -> None:
        for _ in range(20_000):
            self.list_for_rebuild()
            if not self.is_under_way:
                return
            self.step(quiet=True)
        raise AssertionError("no quiescence: something is under way for ever")

    def read_everything_again(self) -> None:
        """An unchanged reading of every record."""
        for vendor in self.vendors.values():
            for at in vendor.records:
                self.inbox.append(vendor.event(at))

    # -- what must hold

    def check(self) -> None:
        ids: dict[tuple[System, Name], Link] = {}
        for link in self.links():
            assert link.flight is None, f"in flight {link}"
            assert link.state != "held", f"held {link}"
            assert not link.verify, f"still to be read {link}"
            for system, side in (("chargebee", link.chargebee), ("poweroffice", link.poweroffice)):
                if side is not None:
                    at = (system, (link.entity, side.id))
                    assert at not in ids, f"two links hold {at}"
                    ids[at] = link  # type: ignore[index]
            self._both_or_a_reason(link)
            if link.chargebee and link.poweroffice:
                pair = (link.entity, link.chargebee.id, link.poweroffice.id)
                assert pair not in self.parted, f"parted records were linked again {link}"
                self._agrees(link)
        for system, vendor in self.vendors.items():
            assert len(set(vendor.created)) == len(vendor.created), "a record was created twice"
            assert {at for s, at in ids if s == system} == set(vendor.records), (
                "a record is not known"
            )
            for gone in vendor.deleted:
                side = side_of(ids[system, gone], system)
                assert side is not None, gone
                assert side.deleted, f"the deletion of {gone} is not known"
        self._no_edit_lost(ids)

    def _both_or_a_reason(self, link: Link) -> None:
        if link.chargebee and link.poweroffice:
            return
        side = link.chargebee or link.poweroffice
        assert side is not None
        assert link.reason, f"unlinked without words {link}"
        if link.entity == "order":
            assert link.state in ("waiting", "ignored", "ambiguous"), f"unlinked {link}"
        else:
            assert link.aside or is_gone(side) or link.state == "ambiguous", f"unlinked {link}"

    def _agrees(self, link: Link) -> None:
        a, b = self.vendors["chargebee"], self.vendors["poweroffice"]
        assert link.chargebee is not None
        assert link.poweroffice is not None
        ours, theirs = (link.entity, link.chargebee.id), (link.entity, link.poweroffice.id)
        if link.state in ("conflict", "sent", "ignored"):
            gone = is_gone(link.chargebee) or is_gone(link.poweroffice) or link.state == "sent"
            assert gone, f"rests without a reason {link}"
            return
        assert link.state == "linked", f"not settled {link}"
        for name in EDITED[link.entity]:
            x, y = a.records[ours][name], b.records[theirs][name]
            same = a.norm(name, y) == x or b.norm(name, x) == y or name in link.differences
            same = same or (x is None and self._left_blank(link, name))
            assert same, f"{name} diverged: {x!r} {y!r} {link}"

    def _left_blank(self, link: Link, name: str) -> bool:
        """Whether the journal says that a blank of Chargebee was not filled (ADR 0001)."""
        told = ("not_filled", link.entity, link.key, name)
        return any(
            (entry.rule, entry.entity, entry.link, entry.field) == told for entry in self.journal
        )

    def _no_edit_lost(self, ids: dict[tuple[System, Name], Link]) -> None:
        last: dict[tuple[Name, System, str], tuple[Name, Any]] = {}
        for system, at, name, value in self.edits:
            link = ids[system, at]
            if not any(at[0] == entity and at[1] in pair for entity, *pair in self.ever_parted):
                last[(link.entity, link.key), system, name] = (at, value)
        told = self._told()
        for (_, system, name), (at, value) in last.items():
            removed = at in self.vendors[system].removed_by_us
            if not removed and self.vendors[system].records[at][name] == value:
                continue
            link = ids[system, at]
            keys = {key for _, side in sides(link) for key in (side.id, own_chargebee_id(side.id))}
            if any(_plain(value) in told[at[0], key, name] for key in keys):
                continue
            twin = side_record(link, other(system))
            if twin is not None and self._arrived(system, at, twin, name, value):
                continue  # it was carried, and is followed by a later value
            if value is None and self.rebuilt:
                continue  # where nothing is known of either record, a blank is a gap
            raise AssertionError(
                f"lost edit {system} {at} {name} {value!r} {msgspec.to_builtins(link)}"
            )

    def _arrived(self, system: System, at: Name, twin: Name, name: str, value: Any) -> bool:
        """Whether the twin showed an entered value then or later. Who enters what we had written
        last or were about to write, or takes an edit back before anybody has looked, has edited
        nothing."""
        shown = self.vendors[system].shown[at, name]
        entered = max(when for when, held, by in shown if held == value and by == "others")
        after = [when for when, _, _ in shown if when > entered][:1]
        is_covered = any(when in after and by == "tandem" for when, _, by in shown)
        if (system, at, name, value) in self.behind and is_covered:
            return True  # nobody was told of it, and a request of ours came late
        if self._is_unrecognised(system, at, name, value):
            return True
        own = self.vendors[system]
        if not self.knows_releases and own.mapping > IN_USE[system] and not own.moves({name}):
            return True  # taken for another spelling: see docs/reliability.md
        if self.rebuilt and is_covered:
            return True  # a map that is made anew does not know what we have written
        read = [data for *whose, data in self.overtaken if whose == [system, at]]
        if self.late.intersection(after) and any(
            _plain(data[name]) == _plain(value) for data in read
        ):
            return True  # its event came after a newer one: see docs/reliability.md
        ours = [(when, held) for when, held, by in shown if when < entered and by == "tandem"]
        written = ours[-1][0] if ours and not self.rebuilt else 0
        since = self.vendors[system].carried.get(written, written)
        if ours and ours[-1][1] == value:
            return True
        vendor = self.vendors[other(system)]
        asked = (each for each in self.sent if (each.target, each.target_id) == (system, at[1]))
        if any(name in each.fields and own.kept(each.fields)[name] == value for each in asked):
            return True
        theirs = vendor.shown[twin, name]
        before = [held for when, held, _ in theirs if when <= since][-1:]
        later = [held for when, held, _ in theirs if when > since]
        return any(
            held == vendor.norm(name, value) or own.norm(name, held) == value
            for held in before + later
        )

    def _is_unrecognised(self, system: System, at: Name, name: str, value: Any) -> bool:
        """Whether a write of ours without an answer was taken back, which came late, of which the
        vendor made another value, or none of whose traces is a new version: see
        docs/reliability.md."""
        vendor = self.vendors[system]
        shown = vendor.shown[at, name]
        entered = max(when for when, held, by in shown if held == value and by == "others")
        before = [when for when, _, _ in shown if when < entered][-1:]
        came_late = not self.late.isdisjoint(before)
        return any(
            (each.target, each.entity, each.target_id) == (system, *at)
            and (each.entity, each.link, each.seq) in self.attempted
            and name in each.fields
            and each.expected.get(name) == value
            and (
                came_late
                or vendor.kept(each.fields)[name] != each.fields[name]
                or not vendor.moves({name})
            )
            for each in self.sent
        )

    def _told(self) -> dict[tuple[str, str, str | None], list[Any]]:
        """The values that the journal names, by entity, key and field."""
        told: dict[tuple[str, str, str | None], list[Any]] = defaultdict(list)
        for entry in self.journal:
            at = entry.entity or "", entry.link.rstrip("~")
            told[*at, entry.field] += [_plain(entry.losing), _plain(entry.value)]
            if entry.rule == "update":  # a repair writes what a new mapping reads
                for name, value in (entry.losing or {}).items():
                    if name in ("phone", "unit") and self.has_released:
                        told[*at, name].append(_plain(value))
        return told


def _plain(value: Any) -> Any:
    """A value without the spelling of a release."""
    return value.rstrip(SPELLED) if isinstance(value, str) else value


def side_record(link: Link, system: System) -> Name | None:
    """The record of a link in one system."""
    side = side_of(link, system)
    return (link.entity, side.id) if side is not None else None
