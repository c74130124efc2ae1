"""A linker of one tenant without Kafka, for example-by-example tests of its decisions."""

from typing import Any

import msgspec

from contracts.entities import SYSTEMS, EntityName, System
from contracts.mappings import newest
from contracts.messages import (
    Command,
    JournalEntry,
    Link,
    Observed,
    Result,
    Side,
    Signal,
    SnapshotCompleted,
    answer_to,
)
from services.linker.decide import Message, decide
from services.linker.session import Tombstone
from services.linker.state import Policy, side_of
from services.linker.store import Overlay, Store

NOW = "2026-11-23T12:00:00.000000Z"
# The mapping of the next release, which this one does not know.
NEXT = max(newest(system) for system in SYSTEMS) + 1
KARI: dict[str, Any] = {
    "kind": "person",
    "first_name": "Kari",
    "last_name": "Nordmann",
    "company": None,
    "email": "kari@eksempel.no",
    "phone": "+47 1",
    "organisation_number": None,
    "currency": "NOK",
    "vat_exempt": False,
    "archived": False,
    "address": {
        "line1": "Storgata 1",
        "line2": None,
        "city": "Oslo",
        "zip": "0150",
        "country": "NO",
    },
}
WHEEL = {
    "code": "hjul",
    "name": "Hjul",
    "description": "Rundt",
    "unit": "EA",
    "price": None,
    "kind": "charge",
    "archived": False,
}


class Bench:
    """`say` delivers a message and returns the commands that follow; signals to ourselves are
    delivered at once."""

    def __init__(self, **policy: Any) -> None:
        self.store = Store("t", Policy(**{"mode": "sync", "start_orders": "2026-01-01", **policy}))
        self.journal: list[JournalEntry] = []
        self.commands: list[Command] = []
        self.erased: list[Tombstone] = []
        self.now = NOW
        self.run_id = ""
        self._signals = 0

    def say(self, message: Message) -> list[Command]:
        state, outputs = decide(self.store.child(), message, self.now)
        assert isinstance(state, Overlay)
        self.store.absorb(state)
        self.commands += [each for each in outputs if isinstance(each, Command)]
        self.erased += [each for each in outputs if isinstance(each, Tombstone)]
        self.journal += [each for each in outputs if isinstance(each, JournalEntry)]
        for signal in [each for each in outputs if isinstance(each, Signal)]:
            outputs += self.say(signal)
        return [each for each in outputs if isinstance(each, Command)]

    def tell(self, kind: str, **args: Any) -> list[Command]:
        """Send an operator's signal; `answer_of` shows what became of it."""
        self._signals += 1
        if kind in ("replay", "reconcile", "rebuild"):
            self.run_id = f"s{self._signals}"
        return self.say(
            Signal(tenant="t", id=f"s{self._signals}", kind=kind, at=self.now, args=args)
        )

    @property
    def told(self) -> dict[str, Any]:
        """The answer to the last signal."""
        return self.store.controls[f"signal/s{self._signals}"]

    def open(self, *entities: EntityName) -> list[Command]:
        commands: list[Command] = []
        for entity in entities or ("customer", "product", "order"):
            for system in ("chargebee", "poweroffice"):
                commands += self.say(
                    SnapshotCompleted(
                        tenant="t",
                        system=system,
                        entity=entity,
                        snapshot="s",
                        records=0,
                        completed_at=NOW,
                    )
                )
        return commands

    def see(
        self,
        system: System,
        id: str,
        version: int,
        data: Any,
        entity: EntityName = "customer",
        **more: Any,
    ) -> list[Command]:
        facts = {
            "tenant": "t",
            "system": system,
            "entity": entity,
            "id": id,
            "mapping": 1,
            "observed_at": NOW,
            "version": f"{version:013d}",
            "data": data,
        }
        return self.say(Observed(**{**facts, **more}))

    def answer(
        self,
        command: Command,
        id: str,
        version: int,
        data: Any,
        result: Any = "applied",
        **more: Any,
    ) -> list[Command]:
        """Reply as the sink would; what is no create and no stamp leaves the record's reference as
        it was."""
        stamp = command.stamp
        if command.op not in ("create", "stamp"):
            held = self.store.child().get(command.entity, command.link)
            side = side_of(held, command.target) if held is not None else None
            stamp = side.stamp if side is not None else None
        shown = {"id": id, "version": f"{version:013d}", "data": data, "stamp": stamp}
        return self.end(command, result, **shown, **more)

    def end(self, command: Command, result: Result, **facts: Any) -> list[Command]:
        """Reply with how the command ended, and with what `facts` add; without them no record is
        shown."""
        return self.say(msgspec.structs.replace(answer_to(command, result, NOW), **facts))

    def met(self, create: Command, *twins: str) -> list[Command]:
        """Reply that the target holds records that look like the one to be created."""
        return self.end(create, "stale", twins=twins)

    def link(self, key: str, entity: EntityName = "customer") -> Link:
        link = self.store.child().get(entity, key)
        assert link is not None
        return link

    def side(self, system: System, key: str, entity: EntityName = "customer") -> Side:
        """What a link knows of one system's record."""
        side = side_of(self.link(key, entity), system)
        assert side is not None
        return side

    def linked_pair(self) -> None:
        """Chargebee's kari and Go's 5, linked and agreed at version 1."""
        self.open()
        (create,) = self.see("chargebee", "kari", 1, KARI)
        assert self.answer(create, "5", 1, KARI) == []

    def linked_product(self) -> None:
        """Chargebee's hjul and Go's 7."""
        self.open()
        (create,) = self.see("chargebee", "hjul", 1, WHEEL, "product")
        assert self.answer(create, "7", 1, WHEEL) == []

    def linked_order(self) -> dict[str, Any]:
        """Chargebee's order 900 and Go's draft u-1, with its customer and product; what Go holds of
        it."""
        self.linked_pair()
        self.linked_product()
        (create,) = self.see("chargebee", "900", 1, order("kari", "hjul"), "order")
        theirs = order("5", "7")
        assert self.answer(create, "u-1", 1, theirs) == []
        return theirs

    def rules(self) -> list[str]:
        """The rules journalled so far."""
        return [entry.rule for entry in self.journal]


def order(customer: str, product: str, **more: Any) -> dict[str, Any]:
    """An order of one line in the ids of one system."""
    line = {"id": "1", "product_id": product, "net": "10", "quantity": "1"}
    return {
        "customer_id": customer,
        "currency": "NOK",
        "order_date": "2026-10-01",
        "status": "draft",
        "net": "10",
        "tax": "0",
        "total": "10",
        "lines": [line],
        **more,
    }
