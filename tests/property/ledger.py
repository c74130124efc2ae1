"""Orders, invoices, payments and credits of two systems, with an accountant's ledger beside the
linker.

The ledger is kept by what people do (`Sale`), in hundredths, and shares no code with the product:
at rest it says which findings each sale must have and how much is at stake, and how often each
document may exist.
"""

import random
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from contracts.entities import SYSTEMS, System
from contracts.messages import Command, Link, Observed, Outcome, Signal, SnapshotCompleted
from services.linker.decide import Message, decide
from services.linker.state import Policy, by_id
from services.linker.store import Overlay, Store

NOW = "2026-01-01T00:00:00.000000Z"
TENANT = "t"
CUSTOMER = {
    "kind": "person",
    "first_name": "Kari",
    "last_name": "Nordmann",
    "company": None,
    "email": "k@e.no",
    "phone": None,
    "organisation_number": None,
    "currency": "NOK",
    "vat_exempt": False,
    "archived": False,
    "address": None,
}
PRODUCT = {
    "code": "hjul",
    "name": "Hjul",
    "description": None,
    "unit": "EA",
    "price": None,
    "kind": "charge",
    "archived": False,
}


def amount(hundredths: int) -> str:
    """Decimal text of an amount in hundredths, as the adapters write it."""
    text = f"{Decimal(hundredths) / 100:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


@dataclass
class Note:
    """A credit note of Go that names an invoice."""

    id: str
    number: str
    of: str | None
    hundredths: int
    version: int = 1


@dataclass
class Doc:
    """What one system holds of a sale; amounts in hundredths by line. `credits` are Chargebee's
    credit notes."""

    id: str
    nets: list[int]
    taxes: list[int]
    status: str = "draft"
    number: str | None = None
    paid: bool = False
    void: bool = False
    credits: list[int] = field(default_factory=list)
    whole: int | None = None  # the total of the Chargebee invoice
    stamp: str | None = None
    notice: str | None = None
    fulfilment: str | None = None
    deleted: bool = False
    by_us: bool = False  # deleted by our command
    version: int = 1
    known: int = 0  # the version that was published last

    @property
    def total(self) -> int:
        return sum(self.nets) + sum(self.taxes)


@dataclass
class Sale:
    """One sale as the accountant knows it, with the documents that were made for it."""

    born: System
    ours: Doc | None = None  # in Chargebee
    theirs: list[Doc] = field(default_factory=list)  # in Go; more than one after a removal
    generated: list[Doc] = field(
        default_factory=list
    )  # orders that Chargebee made of our imported invoice


class Ledger:
    """Everything under way. `by` says who invoices what Chargebee sells, `paid` what becomes of
    paid orders there, `as_paid` whether imports count as paid."""

    def __init__(
        self, seed: int, *, by: System, paid: Any, as_paid: bool, confirm: bool, removes: bool
    ) -> None:
        self.random = random.Random(seed)
        self.by, self.as_paid = by, as_paid
        self.policy = Policy(
            mode="sync",
            start_orders="2026-01-01",
            invoicing_by=by,
            order_paid=paid,
            imports_as_paid=as_paid,
            confirm_on_delivered=confirm and by == "poweroffice",
            removal={("order", "poweroffice"): "remove_draft"} if removes else {},
        )
        self.store = Store(TENANT, self.policy)
        self.changelog: dict[str, bytes] = {}
        self.commands: list[Command] = []
        self.outcomes: list[Outcome] = []
        self.inbox: list[Message] = []
        self.sales: list[Sale] = []
        self.notes: list[Note] = []
        self.done: dict[tuple[str, int], Outcome] = {}
        self.made: dict[
            str, int
        ] = {}  # documents that were made for a reference, less those we removed
        self.numbers = self.signals = self.reading = 0
        self.archived = False
        for entity in ("customer", "product", "order"):
            for system in SYSTEMS:
                self.deliver(
                    SnapshotCompleted(
                        tenant=TENANT,
                        system=system,
                        entity=entity,
                        snapshot="s",
                        records=0,
                        completed_at=NOW,
                    )
                )
        self.see("customer", "chargebee", "kari", CUSTOMER, 1)
        self.see("product", "chargebee", "hjul", PRODUCT, 1)
        for command, name, data in zip(self.commands, ("5", "7"), (CUSTOMER, PRODUCT), strict=True):
            self.outcomes.append(
                Outcome(
                    tenant=TENANT,
                    entity=command.entity,
                    link=command.link,
                    seq=command.seq,
                    target="poweroffice",
                    result="applied",
                    at=NOW,
                    id=name,
                    version=self.version(1),
                    data=dict(data),
                    stamp=command.stamp,
                )
            )
        self.commands = []
        self.flush()

    # -- the linker

    def deliver(self, message: Message) -> None:
        state, outputs = decide(self.store.child(), message, NOW)
        assert isinstance(state, Overlay)
        self.store.absorb(state)
        for name, (value, _, _) in state.changes.items():
            self.changelog.pop(name, None)
            if value is not None:
                self.changelog[name] = value
        self.commands += [each for each in outputs if isinstance(each, Command)]
        self.inbox += [each for each in outputs if isinstance(each, Signal)]

    def crash(self) -> None:
        """Start again from the changelog."""
        fresh = Store(TENANT, self.policy)
        fresh.controls = dict(self.store.controls)
        for name, value in self.changelog.items():
            fresh.load(name, value)
        assert fresh.build_index() == []
        self.store = fresh
        self.tell("start")

    def tell(self, kind: str, **args: Any) -> None:
        self.signals += 1
        self.deliver(
            Signal(tenant=TENANT, id=f"s{self.signals}", kind=kind, at=NOW, args=args, by="anna")
        )

    def version(self, number: int) -> str:
        self.reading += 1
        return f"{number:09d}#{self.reading:09d}"

    def see(
        self, entity: Any, system: System, id: str, data: Any, version: int, **more: Any
    ) -> None:
        self.deliver(
            Observed(
                tenant=TENANT,
                system=system,
                entity=entity,
                id=id,
                version=self.version(version),
                mapping=1,
                observed_at=NOW,
                data=data,
                **more,
            )
        )

    def flush(self) -> None:
        for outcome in self.outcomes:
            self.deliver(outcome)
        self.outcomes = []

    def link(self, doc: Doc, system: System) -> Link | None:
        return by_id(self.store.child(), "order", system, doc.id)

    # -- what the systems show

    def content(self, system: System, doc: Doc) -> dict[str, Any]:
        customer, product = ("kari", "hjul") if system == "chargebee" else ("5", "7")
        lines = [
            {
                "id": str(place),
                "product_id": product,
                "description": f"Linje {place}",
                "quantity": "1",
                "unit_price": amount(net),
                "net": amount(net),
                "tax": amount(tax),
            }
            for place, (net, tax) in enumerate(zip(doc.nets, doc.taxes, strict=True))
        ]
        credited = min(doc.total, sum(doc.credits))
        is_sent = doc.status == "sent"
        invoice: dict[str, Any] | None = None
        if system == "chargebee":
            invoice = {
                "number": doc.number,
                "paid": doc.paid,
                "void": doc.void,
                "total": amount(doc.whole or doc.total),
                "credited": amount(credited),
                "credit_notes": [f"CN-{n}" for n in range(len(doc.credits))],
            }
        elif is_sent:
            left = 0 if doc.paid or doc.void else doc.total
            invoice = {
                "number": doc.number,
                "paid": left == 0,
                "void": doc.void,
                "balance": amount(left),
                "credited": "0",
                "credit_notes": [],
            }
        return {
            "customer_id": customer,
            "number": f"nr-{doc.id}",
            "currency": "NOK",
            "order_date": "2026-02-01",
            "delivery_date": None,
            "purchase_order": None,
            "status": doc.status,
            "invoice": invoice,
            "lines": lines,
            "net": amount(sum(doc.nets)),
            "tax": amount(sum(doc.taxes)),
            "total": amount(doc.total),
            "credit_of": None,
            "notice": doc.notice,
            "fulfilment": doc.fulfilment,
        }

    def publish(self, system: System, doc: Doc) -> None:
        gone = doc.deleted and system == "poweroffice"
        doc.known = doc.version
        self.see(
            "order",
            system,
            doc.id,
            None if gone else self.content(system, doc),
            doc.version,
            stamp=doc.stamp,
            deleted=doc.deleted,
        )

    def documents(self) -> list[tuple[System, Doc]]:
        found: list[tuple[System, Doc]] = []
        for sale in self.sales:
            found += [
                ("chargebee", each) for each in (sale.ours, *sale.generated) if each is not None
            ]
            found += [("poweroffice", each) for each in sale.theirs]
        return found

    def poll(self) -> None:
        """Publish some of what has changed."""
        pending = [pair for pair in self.documents() if pair[1].known != pair[1].version]
        self.random.shuffle(pending)
        for system, doc in pending[: self.random.randrange(4)]:
            self.publish(system, doc)
        for note in [each for each in self.notes if each.version][:1]:
            self.publish_note(note)

    def read(self, *, everything: bool) -> None:
        """Publish all that has changed, or everything once more."""
        pending = [
            pair for pair in self.documents() if everything or pair[1].known != pair[1].version
        ]
        self.random.shuffle(pending)
        for system, doc in pending:
            self.publish(system, doc)
        for note in [each for each in self.notes if everything or each.version]:
            self.publish_note(note)

    def publish_note(self, note: Note) -> None:
        note.version = 0
        body = {
            **self.content("poweroffice", Doc(note.id, [], [], "sent", note.number)),
            "credit_of": note.of,
        }
        total = amount(-note.hundredths)
        amounts = {"net": total, "tax": "0", "total": total}
        self.see("order", "poweroffice", note.id, {**body, **amounts}, 1)

    # -- the sinks

    def execute(self, command: Command, *, lose: bool) -> None:
        """Carry out one command; with the reply lost it is carried out again."""
        key = (command.link, command.seq)
        if key in self.done:
            self.outcomes.append(self.done[key])
            return
        outcome = (
            self.to_go(command) if command.target == "poweroffice" else self.to_chargebee(command)
        )
        if lose:
            self.commands.append(command)
            return
        self.done[key] = outcome
        self.outcomes.append(outcome)

    def reply(self, command: Command, doc: Doc | None, result: Any, **more: Any) -> Outcome:
        if doc is None:
            more["version"] = self.version(10**8)
        else:
            data = self.content(command.target, doc)
            more |= {
                "id": doc.id,
                "version": self.version(doc.version),
                "data": data,
                "stamp": doc.stamp,
            }
        return Outcome(
            tenant=TENANT,
            entity="order",
            link=command.link,
            seq=command.seq,
            target=command.target,
            result=result,
            at=NOW,
            **more,
        )

    def to_go(self, command: Command) -> Outcome:
        docs = [doc for sale in self.sales for doc in sale.theirs]
        if command.op == "create":
            held = next(
                (doc for doc in docs if doc.stamp == command.stamp and not doc.deleted), None
            )
            if held is not None:
                return self.reply(command, held, "adopted")
            sale = next(
                s for s in self.sales if s.ours is not None and f"cb-{s.ours.id}" == command.stamp
            )
            lines = command.fields["lines"]
            nets = [round(Decimal(line["net"]) * 100) for line in lines]
            taxes = [round(Decimal(line["tax"]) * 100) for line in lines]
            taxes[0] += self.random.choice((0, 0, 0, 1, -1, 2, 700))
            made = Doc(
                f"u{len(docs)}",
                nets,
                taxes,
                stamp=command.stamp,
                notice=command.fields.get("notice"),
            )
            made.known = made.version
            sale.theirs.append(made)
            self.made[command.stamp or ""] = self.made.get(command.stamp or "", 0) + 1
            return self.reply(command, made, "applied")
        doc = next(doc for doc in docs if doc.id == command.target_id)
        if doc.deleted:
            return self.reply(
                command,
                None,
                "applied" if command.op == "delete" else "stale",
                deleted=True,
                id=doc.id,
            )
        shown = self.content("poweroffice", doc)
        if (
            any(shown.get(name) != value for name, value in command.expected.items())
            or doc.status == "sent"
        ):
            return self.reply(command, doc, "stale")
        if command.op == "delete":
            doc.deleted, doc.by_us, doc.version = True, True, doc.version + 1
            self.made[doc.stamp or ""] -= 1
            return self.reply(command, None, "applied", deleted=True, id=doc.id)
        doc.notice = command.fields.get("notice", doc.notice)
        doc.status = command.fields.get("status", doc.status)
        doc.version += 1
        return self.reply(command, doc, "applied")

    def to_chargebee(self, command: Command) -> Outcome:
        if command.op == "create":
            sale = next(
                s for s in self.sales if s.theirs and f"go-{s.theirs[0].id}" == command.stamp
            )
            if sale.ours is not None:
                return self.reply(command, sale.ours, "adopted")
            sold = sale.theirs[0]
            sale.ours = Doc(
                command.stamp or "",
                list(sold.nets),
                list(sold.taxes),
                number=command.stamp,
                paid=self.as_paid,
                stamp=command.stamp,
                fulfilment="on_hold",
            )
            if sale.generated and self.random.random() < 0.5:  # the sink met it
                sale.ours = sale.generated.pop()
                sale.ours.fulfilment, sale.ours.version = "on_hold", sale.ours.version + 1
            sale.ours.known = sale.ours.version
            self.made[command.stamp or ""] = self.made.get(command.stamp or "", 0) + 1
            return self.reply(command, sale.ours, "applied")
        doc = next(
            doc
            for system, doc in self.documents()
            if system == "chargebee" and doc.id == command.target_id
        )
        assert command.fields.keys() <= {"fulfilment"}
        if doc.fulfilment == "queued":
            doc.fulfilment = command.fields["fulfilment"]
            doc.version += 1
        return self.reply(command, doc, "applied")

    # -- people

    def step(self) -> None:
        """One thing happens."""
        chance = self.random.random()
        if chance < 0.12 and len(self.sales) < 6:
            self.sell()
        elif chance < 0.5:
            self.act()
        elif chance < 0.65:
            self.poll()
        elif chance < 0.8 and self.commands:
            self.execute(
                self.commands.pop(self.random.randrange(len(self.commands))),
                lose=self.random.random() < 0.2,
            )
        elif chance < 0.93:
            self.hand_over()
        elif chance < 0.95:
            self.crash()
        elif chance < 0.965:
            self.settle_one()
        elif chance < 0.985:
            self.turn_a_switch()
        else:
            self.archived = not self.archived
            self.see(
                "customer",
                "poweroffice",
                "5",
                {**CUSTOMER, "archived": self.archived},
                2,
                stamp="cb-kari",
            )

    def hand_over(self) -> None:
        self.random.shuffle(self.outcomes)
        self.flush()
        inbox, self.inbox = self.inbox, []
        for message in inbox:
            self.deliver(message)

    def sell(self) -> None:
        lines = self.random.randrange(1, 4)
        nets = [self.random.randrange(1, 90_000) for _ in range(lines)]
        taxes = [round(Decimal(net) / 4) for net in nets]
        self.numbers += 1
        name = f"{len(self.sales)}"
        if self.random.random() < 0.65:
            doc = Doc(f"o{name}", nets, taxes, number=f"i{name}", paid=self.random.random() < 0.5)
            if self.random.random() < 0.2:
                doc.whole = doc.total + self.random.randrange(2, 9_000)
            earlier = [
                sale.ours
                for sale in self.sales
                if sale.ours is not None
                and sale.ours.whole is not None
                and sale.born == "chargebee"
            ]
            if (
                earlier and self.random.random() < 0.5
            ):  # a sister: the rest of an earlier one's invoice, or less
                doc.number, doc.whole = earlier[0].number, earlier[0].whole
                rest = max(
                    1, (earlier[0].whole or 0) - earlier[0].total - self.random.choice((0, 0, 500))
                )
                doc.nets, doc.taxes = [rest], [0]
            self.sales.append(Sale("chargebee", ours=doc))
        else:
            self.sales.append(Sale("poweroffice", theirs=[Doc(f"g{name}", nets, taxes)]))

    def act(self) -> None:
        """Somebody does something to one sale, in either system."""
        if not self.sales:
            return
        sale = self.random.choice(self.sales)
        live = [doc for doc in sale.theirs if not doc.deleted]
        if sale.ours is not None and (not live or self.random.random() < 0.5):
            self.in_chargebee(sale, sale.ours)
        elif live:
            self.in_go(sale, live[-1])

    def in_chargebee(self, sale: Sale, doc: Doc) -> None:
        match self.random.randrange(6):
            case 0:
                doc.paid = True
            case 1:
                doc.status = "cancelled" if doc.status != "cancelled" else "draft"
            case 2 if self.random.random() < 0.4:
                doc.void, doc.paid = True, False
            case 3:
                left = doc.total - sum(doc.credits)
                if left > 0 and not doc.void:
                    doc.credits = [
                        *doc.credits,
                        self.random.choice((left, self.random.randrange(1, left + 1))),
                    ]
            case 4 if doc.status == "draft":
                doc.status = "confirmed"
            case 5 if sale.born == "poweroffice" and not sale.generated:
                late = Doc(
                    f"late{doc.id}",
                    list(doc.nets),
                    list(doc.taxes),
                    number=doc.number,
                    paid=doc.paid,
                    stamp=doc.stamp,
                    fulfilment="queued",
                )
                sale.generated.append(late)
            case _:
                return
        doc.version += 1

    def in_go(self, sale: Sale, doc: Doc) -> None:
        choice = self.random.randrange(7)
        if choice == 0 and doc.status in ("draft", "confirmed"):
            self.numbers += 1
            doc.status, doc.number, doc.notice = "sent", f"f{self.numbers}", None
        elif choice == 1 and doc.status == "draft":
            doc.nets[0] += self.random.choice((-1, 1, 5_000))
        elif choice == 2 and doc.status == "sent" and not doc.void:
            left = doc.total - self.credited(doc)
            if left > 0:
                self.numbers += 1
                part = self.random.choice((left, self.random.randrange(1, left + 1)))
                of = doc.number if self.random.random() < 0.9 else None
                self.notes.append(Note(f"k{self.numbers}", f"f{self.numbers}", of, part))
            return
        elif choice == 3 and doc.status == "sent":
            doc.paid = True
        elif choice == 4 and doc.status == "sent" and self.random.random() < 0.3:
            doc.void = True
        elif choice == 5 and doc.status == "draft" and self.random.random() < 0.3:
            doc.deleted = True
            if doc.stamp:
                self.made[doc.stamp] -= 1
        elif choice == 6 and doc.status == "draft":
            doc.status = "confirmed"
        else:
            return
        doc.version += 1

    def settle_one(self) -> None:
        for doc in (sale.ours for sale in self.sales if sale.ours is not None):
            link = self.link(doc, "chargebee")
            if link is not None and link.findings and self.random.random() < 0.5:
                self.tell(
                    "settle",
                    entity="order",
                    key=link.key,
                    finding=link.findings[0].kind,
                    remark="seen",
                )
                return

    def turn_a_switch(self) -> None:
        """An operator pauses a direction of the orders, observes, or turns everything on again."""
        kind = self.random.choice(("pause", "observe", "on"))
        if kind == "pause":
            self.tell("pause", entity="order", target=self.random.choice(SYSTEMS))
        elif kind == "observe":
            self.tell("mode", mode="observe")
        else:
            self.switch_on()

    def switch_on(self) -> None:
        """All that holds anything back."""
        self.tell("resume")
        self.tell("mode", mode="sync")

    def come_to_rest(self) -> None:
        """Everything is published, carried out and answered, first with the switches as they are.
        With all of them on nobody has to ask again for what a pause had stopped."""
        if self.archived:
            self.archived = False
            self.see("customer", "poweroffice", "5", CUSTOMER, 3, stamp="cb-kari")
        self.tell("release", entity="order", batch="paid")
        self.read(everything=True)
        self.drain()
        self.switch_on()
        self.drain()
        self.read(everything=True)
        assert not self.commands, f"an unchanged reading planned {self.commands}"
        self.drain()

    def drain(self) -> None:
        """Publish what has changed, carry out and answer until nothing is left."""
        for _ in range(60):
            self.read(everything=False)
            while self.commands:
                self.execute(self.commands.pop(0), lose=False)
            self.hand_over()
            is_quiet = not (self.commands or self.outcomes or self.inbox)
            if is_quiet and all(doc.known == doc.version for _, doc in self.documents()):
                return
        raise AssertionError("it never comes to rest")

    # -- what the accountant says

    def credited(self, doc: Doc) -> int:
        return sum(
            note.hundredths for note in self.notes if note.of is not None and note.of == doc.number
        )

    def expected(self, sale: Sale) -> dict[str, int | None]:
        """The findings that a sale must have, with the hundredths at stake."""
        found: dict[str, int | None] = {}
        ours = sale.ours
        if ours is None:
            return found
        void = ours.void or ours.status == "cancelled"
        sisters = [
            s.ours for s in self.sales if s.ours is not None and s.ours.number == ours.number
        ]
        first = min(sisters, key=lambda doc: (len(doc.id), doc.id))
        if sale.born == "chargebee" and ours.whole is not None and not ours.void and ours is first:
            ordered = sum(doc.total for doc in sisters)
            if ours.whole - ordered > 1:
                found["not_whole"] = ours.whole - ordered
        link = self.link(ours, "chargebee")
        side = link.poweroffice if link is not None else None
        theirs = next((doc for doc in sale.theirs if side is not None and doc.id == side.id), None)
        if theirs is None:
            return found
        gross, back = theirs.total, self.credited(theirs)
        left_here = 0 if void else max(0, ours.total - sum(ours.credits))
        left_there = 0 if theirs.void else max(0, gross - back)
        is_sent, apart = theirs.status == "sent", left_there - left_here
        is_copy = self.by == "chargebee" and sale.born == "chargebee"
        if not (void or theirs.deleted or (is_copy and is_sent)):
            found |= self.amounts(ours, theirs, apart if is_sent else gross - ours.total)
        if theirs.deleted or theirs.status not in ("confirmed", "sent"):
            return found
        if is_copy and is_sent and left_here > 1 and left_there > 1:
            return {**found, "invoiced_twice": left_there}
        if not is_sent:
            given = gross if void else min(ours.total, sum(ours.credits))
            return {**found, "credited_after_invoice": given} if given > 1 else found
        if void or abs(gross - ours.total) <= 1:
            if apart > 1:
                found["credited_after_invoice"] = apart
            elif apart < -1 and not (is_copy and left_here > 1):
                found["credited_in_go"] = -apart
        received = ours.paid and not (sale.born == "poweroffice" and self.as_paid)
        if received and not theirs.paid and not theirs.void and left_here > 1 and left_there > 1:
            found["paid_but_open"] = min(gross, left_here)
        return found

    def amounts(self, ours: Doc, theirs: Doc, apart: int) -> dict[str, int | None]:
        net, tax = sum(theirs.nets) - sum(ours.nets), sum(theirs.taxes) - sum(ours.taxes)
        if abs(theirs.total - ours.total) > 1:
            if theirs.status == "sent":
                return {"money_differs": abs(apart)} if abs(apart) > 1 else {}
            return {"money_differs": max(abs(net), abs(tax), abs(apart))}
        if net or abs(tax) > 1:
            return {"money_differs": max(abs(net), abs(tax), abs(net + tax))}
        if any(abs(a - b) > 1 for a, b in zip(ours.taxes, theirs.taxes, strict=True)):
            return {"vat_differs": None}
        return {}

    def check(self) -> None:
        """What the linker says is what the accountant says, and every document was made once."""
        for reference, count in self.made.items():
            assert count <= 1, f"{count} documents stand for {reference}"
        for sale in self.sales:
            live = [doc for doc in sale.theirs if not doc.deleted]
            assert len(live) <= 1, f"{[doc.id for doc in live]} are one sale"
            if sale.ours is None:
                assert not any(d.status == "sent" and not d.void for d in sale.theirs), (
                    "what Go has sold is not in Chargebee"
                )
                continue
            link = self.link(sale.ours, "chargebee")
            assert link is not None, f"{sale.ours.id} is not known"
            told = {
                each.kind: None if each.amount is None else round(Decimal(each.amount) * 100)
                for each in link.findings
            }
            assert told == self.expected(sale), (link.key, link.state, told, self.expected(sale))
            for each in sale.generated:
                beside = self.link(each, "chargebee")
                assert beside is not None
                assert beside.key != link.key
                assert each.fulfilment != "queued", (
                    f"a warehouse may ship {each.id}, which Go has sold"
                )
            for doc in live:
                if doc.status == "draft" and sale.born == "chargebee" and self.by == "chargebee":
                    self.check_notice(sale.ours, doc)

    def check_notice(self, ours: Doc, draft: Doc) -> None:
        words = draft.notice or ""
        assert "Do not send" in words, (draft.id, words)
        if ours.void:
            assert "void" in words, (draft.id, words)
        else:
            assert ("unpaid" in words) is not ours.paid, (draft.id, words)
            assert all(f"CN-{n}" in words for n in range(len(ours.credits))), (draft.id, words)
