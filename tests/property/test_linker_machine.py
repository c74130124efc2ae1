"""The linker's promises on random histories of two lossy systems.

System A truncates and has no atomic writes (Chargebee), system B trims, lower-cases and has them, and its address
does not move its version (PowerOffice Go). Messages are duplicated, shuffled, delayed; commands are redone after
lost replies and delivered again after they finished; the linker crashes and starts again from its changelog; people
edit in between. After quiescence: one record per side and link, equal fields or a reason in the journal, no record
created twice, no edit lost silently, and nothing is planned any more.
"""

import random
from collections import defaultdict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.entities import System, other
from contracts.messages import Command, JournalEntry, Link, Observed, Outcome, Signal, SnapshotCompleted
from services.linker.decide import Message, decide
from services.linker.state import Policy
from services.linker.store import Overlay, Store

FIELDS = ("first_name", "phone", "address")
EDITS = (" Aa", "bB ", "Long-Value-{}", "x{}", "Q{}")
NOW = "2026-01-01T00:00:00.000000Z"


class Vendor:
    """One system: lossy storage, versions, and the events it sends."""

    def __init__(self, system: System, world: "World") -> None:
        self.system, self.world = system, world
        self.records: dict[str, dict[str, Any]] = {}
        self.stamps: dict[str, str | None] = {}
        self.versions: dict[str, int] = {}
        self.clock = 0
        self.created: list[str] = []
        self.writes = 0

    def norm(self, name: str, value: Any) -> Any:
        if name == "address":
            return value and {**value, "line1": self.norm("line1", value["line1"])}
        if not isinstance(value, str) or name in ("kind", "last_name", "email"):
            return value
        return (value[:6] if self.system == "chargebee" else value.strip().lower()) or None

    def put(self, id: str, fields: dict[str, Any], *, moves: bool = True) -> None:
        held = self.records.setdefault(id, {})
        held.update({name: self.norm(name, value) for name, value in fields.items()})
        if moves or id not in self.versions:
            self.clock += 1
            self.versions[id] = self.clock
        self.world.inbox.append(self.event(id))

    def version(self, id: str) -> str:
        self.world.observation += 1
        return f"{self.versions[id]:09d}#{self.world.observation:09d}"

    def moves(self, names: set[str]) -> bool:
        return self.system == "chargebee" or names != {"address"}

    def data(self, id: str) -> dict[str, Any]:
        return dict(self.records[id])

    def event(self, id: str) -> Observed:
        return Observed(
            tenant="t", system=self.system, entity="customer", id=id, version=self.version(id), mapping=1,
            observed_at=NOW, data=self.data(id), stamp=self.stamps.get(id),
        )  # fmt: skip


class World:
    """Two vendors, two sinks, the linker and everything under way between them."""

    def __init__(self, seed: int, *, owner: System) -> None:
        self.random = random.Random(seed)
        self.observation = 0
        self.inbox: list[Message] = []
        self.commands: list[Command] = []
        self.outcomes: list[Outcome] = []
        self.vendors: dict[System, Vendor] = {
            "chargebee": Vendor("chargebee", self),
            "poweroffice": Vendor("poweroffice", self),
        }
        self.policy = Policy(mode="sync", owner={"customer": owner}, start_orders="2026-01-01")
        self.store = Store("t", self.policy)
        self.changelog: dict[str, bytes] = {}
        self.journal: list[JournalEntry] = []
        self.finished: dict[str, Outcome] = {}
        self.edits: list[tuple[System, str, str, Any]] = []
        self.planned = 0
        self.number = 0
        for system in ("chargebee", "poweroffice"):
            self.deliver(SnapshotCompleted(tenant="t", system=system, entity="customer", snapshot="s", records=0,
                                           completed_at=NOW))  # fmt: skip

    # -- the linker

    def deliver(self, message: Message) -> None:
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
            elif isinstance(output, JournalEntry):
                self.journal.append(output)
            elif isinstance(output, Signal):
                self.inbox.append(output)

    def crash(self) -> None:
        """Start again from the changelog, with an index made anew."""
        fresh = Store("t", self.policy)
        fresh.controls = dict(self.store.controls)
        for name, value in self.changelog.items():
            fresh.load(name, value)
        self.store = fresh
        self.deliver(Signal(tenant="t", id="start", kind="start", at=NOW))

    # -- the sinks

    def execute(self, command: Command, *, lose_reply: bool) -> bool:
        done = self.finished.get(command.link)
        if done is not None and done.seq >= command.seq:
            if done.seq == command.seq:
                self.outcomes.append(done)
            return True
        outcome = self.apply(command)
        if lose_reply:
            return False
        self.finished[command.link] = outcome
        self.outcomes.append(outcome)
        return True

    def apply(self, command: Command) -> Outcome:
        vendor = self.vendors[command.target]
        if command.op == "create":
            id = self.own_id(command)
            if id in vendor.records:
                return self.answer(command, id, "adopted")
            vendor.created.append(id)
            vendor.writes += 1
            vendor.stamps[id] = command.stamp
            vendor.put(id, command.fields)
            return self.answer(command, id, "applied")
        id = command.target_id or ""
        held = vendor.records[id]
        if command.op == "stamp":
            vendor.stamps[id] = command.stamp
            vendor.put(id, {})
            return self.answer(command, id, "applied")
        same = tuple(name for name, value in command.fields.items() if vendor.norm(name, value) == held.get(name))
        if len(same) == len(command.fields):
            return self.answer(command, id, "applied")
        if any(held.get(name) != value for name, value in command.expected.items()):
            return self.answer(command, id, "stale", same)
        if command.target == "chargebee" and self.random.random() < 0.3:
            self.edit(command.target, id)  # a person edits between our read and our write
        vendor.writes += 1
        vendor.put(id, command.fields, moves=vendor.moves(set(command.fields)))
        return self.answer(command, id, "applied")

    @staticmethod
    def own_id(command: Command) -> str:
        return command.stamp or "" if command.target == "chargebee" else f"po{command.stamp}"

    def answer(self, command: Command, id: str, result: Any, done: tuple[str, ...] = ()) -> Outcome:
        vendor = self.vendors[command.target]
        return Outcome(
            tenant="t", entity="customer", link=command.link, seq=command.seq, target=command.target, result=result,
            at=NOW, id=id, version=vendor.version(id), data=vendor.data(id), stamp=vendor.stamps.get(id), done=done,
        )  # fmt: skip

    # -- people

    def value(self, name: str) -> Any:
        text = self.random.choice(EDITS).format(self.random.randrange(4))
        return (
            {"line1": text, "line2": None, "city": "Oslo", "zip": "0150", "country": "NO"}
            if name == "address"
            else text
        )

    def edit(self, system: System, id: str) -> None:
        name, vendor = self.random.choice(FIELDS), self.vendors[system]
        vendor.put(id, {name: self.value(name)}, moves=vendor.moves({name}))
        self.edits.append((system, id, name, vendor.records[id][name]))

    def birth(self) -> None:
        system: System = self.random.choice(("chargebee", "poweroffice"))
        self.number += 1
        record = {name: self.value(name) for name in FIELDS}
        name = f"n{self.number}"  # unique e-mails: shared mailboxes are another test's matter
        self.vendors[system].put(f"{system[0]}{self.number}", {
            "kind": "person", "last_name": name, "email": name, "vat_exempt": False, "archived": False, **record,
        })  # fmt: skip

    # -- one step of the run

    def step(self, *, quiet: bool = False) -> None:
        chance, pick = self.random.random, self.random
        draw = chance()
        everyone = [(s, id) for s, vendor in self.vendors.items() for id in vendor.records]
        if not quiet and draw < 0.1:
            self.birth()
        elif not quiet and draw < 0.36 and everyone:
            self.edit(*pick.choice(everyone))
        elif not quiet and draw < 0.4:
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

    def settle(self) -> None:
        for _ in range(20_000):
            if not (self.inbox or self.commands or self.outcomes):
                return
            self.step(quiet=True)
        pytest.fail("no quiescence: something is planned for ever")

    # -- what must hold

    def links(self) -> list[Link]:
        return [
            link for name in self.store.links if (link := self.store.child().get("customer", name.partition("/")[2]))
        ]

    def check(self) -> None:
        links = self.links()
        ids: dict[tuple[System, str], Link] = {}
        for link in links:
            assert link.chargebee is not None, f"unlinked {link}"
            assert link.poweroffice is not None, f"unlinked {link}"
            assert link.flight is None, f"in flight {link}"
            for system, side in (("chargebee", link.chargebee), ("poweroffice", link.poweroffice)):
                assert (system, side.id) not in ids, f"two links hold {system} {side.id}"
                ids[system, side.id] = link  # type: ignore[index]
        for system, vendor in self.vendors.items():
            assert len(set(vendor.created)) == len(vendor.created)
            assert {id for s, id in ids if s == system} == set(vendor.records)
        assert len(self.vendors["chargebee"].records) == len(self.vendors["poweroffice"].records)
        for link in links:
            for name in FIELDS:
                self._agrees(link, name)
        self._no_edit_lost(ids)

    def _agrees(self, link: Link, name: str) -> None:
        a, b = self.vendors["chargebee"], self.vendors["poweroffice"]
        assert link.chargebee is not None
        assert link.poweroffice is not None
        x, y = a.records[link.chargebee.id][name], b.records[link.poweroffice.id][name]
        if a.norm(name, y) == x or b.norm(name, x) == y or name in link.differences:
            return
        raise AssertionError(f"{name} diverged: {x!r} {y!r} {link}")

    def _no_edit_lost(self, ids: dict[tuple[System, str], Link]) -> None:
        last: dict[tuple[str, System, str], tuple[str, Any]] = {}
        for system, id, name, value in self.edits:
            last[ids[system, id].key, system, name] = (id, value)
        losses = defaultdict(list)
        for entry in self.journal:
            losses[entry.link, entry.system, entry.field].append(entry.losing)
        for (key, system, name), (id, value) in last.items():
            if self.vendors[system].records[id][name] == value or (key, other(system), name) in last:
                continue
            old_keys = {key, f"go-{id}"}
            assert any(value in losses[k, system, name] for k in old_keys), f"lost edit {system} {id} {name} {value!r}"


@settings(max_examples=500, deadline=None)
@given(seed=st.integers(0, 2**32), owner=st.sampled_from(["chargebee", "poweroffice"]))
def test_random_histories_converge_without_loss(seed: int, owner: System) -> None:
    """Every promise of the sync holds after any history, and then nothing more is planned."""
    world = World(seed, owner=owner)
    for _ in range(60):
        world.step()
    world.settle()
    world.check()
    planned = world.planned
    for vendor in world.vendors.values():
        for id in vendor.records:
            world.inbox.append(vendor.event(id))
    world.settle()
    world.crash()
    assert world.planned == planned, "an unchanged reading or a restart planned a write"
