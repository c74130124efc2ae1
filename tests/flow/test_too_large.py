"""What no message can hold is one record's problem, in words; all else of its batch goes on, and
nothing ends."""

import asyncio
import base64
from typing import Any

import msgspec
import pytest

from contracts.entities import EntityName, System
from contracts.messages import (
    DeadLetter,
    JournalEntry,
    Link,
    Observed,
    Outcome,
    Signal,
    SnapshotCompleted,
)
from contracts.settings import KafkaSettings, Settings, Tenant
from runtime import sinks
from runtime.publisher import KafkaPublisher
from services.linker import partitions
from services.linker.handlers import Linker
from tests.flow.memory import PREFIX, MemoryKafka, MemoryTransactions, consumer_record
from tests.flow.test_broker import AT, KARI
from tests.flow.test_sinks import COMMANDS, FakeVendor, applied, bench, command, run, until
from tests.unit.bench import order

SMALL = 20_000  # kafka.max_message_bytes of these tests


def large(**more: Any) -> dict[str, Any]:
    """An order of 30,000 bytes."""
    lines = [
        {"id": str(n), "product_id": None, "description": "x" * 600, "quantity": "1", "net": "1"}
        for n in range(50)
    ]
    return {**order("kari", "hjul"), "lines": lines, **more}


@pytest.fixture(autouse=True)
def without_kafka(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sinks, "PartitionTransactions", MemoryTransactions)


TOPIC_OF: dict[type, str] = {Outcome: "outcomes", Signal: "signals"}


class Bench:
    """A linker of one tenant on a Kafka in memory; messages of at most SMALL bytes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(partitions, "PartitionTransactions", MemoryTransactions)
        self.kafka = MemoryKafka()
        self.linker = self.linker_of(SMALL)

    def linker_of(self, max_bytes: int) -> Linker:
        secret = "x"
        tenant = Tenant.model_validate(
            {
                "mode": "sync",
                "chargebee": {"site": "x", "api_key": secret, "prices": "net"},
                "poweroffice": {
                    "environment": "demo",
                    "application_key": secret,
                    "client_key": secret,
                    "subscription_key": secret,
                },
                "invoicing": {"by": "chargebee"},
                "start": {"orders": "2026-01-01"},
                "create": {"order": {"to_chargebee": True}},
                "breaker": {"first_backfill": "release"},
            }
        )
        kafka = KafkaSettings(topic_prefix=PREFIX, partitions=1, max_message_bytes=max_bytes)
        linker = Linker(Settings(kafka=kafka, tenants={"demo": tenant}))
        linker.state._transactions = {0: MemoryTransactions(self.kafka, "linker", 0, "linker")}  # type: ignore[dict-item]
        return linker

    def say(self, *messages: Any) -> None:
        """One batch."""
        records = []
        for message in messages:
            topic = TOPIC_OF.get(type(message)) or f"{message.entity}s"
            records.append(consumer_record(topic, msgspec.json.encode(message)))
        asyncio.run(self.linker.handle(tuple(records)))

    def open(self) -> None:
        for entity in ("customer", "product", "order"):
            for system in ("chargebee", "poweroffice"):
                self.say(
                    SnapshotCompleted(
                        tenant="demo",
                        system=system,
                        entity=entity,
                        snapshot="s",
                        records=0,
                        completed_at=AT,
                    )
                )

    def link(self, key: str, entity: EntityName = "order") -> Link:
        link = self.linker.state.stores["demo"].child().get(entity, key)
        assert link is not None
        return link

    def decoded(self, topic: str, kind: Any) -> list[Any]:
        return [
            msgspec.json.decode(each.value or b"", type=kind)
            for each in self.kafka.records(topic)
            if each.value
        ]


def seen(
    system: System, id: str, version: int, data: Any, entity: EntityName = "order"
) -> Observed:
    return Observed(
        tenant="demo",
        system=system,
        entity=entity,
        id=id,
        version=f"{version:013d}",
        mapping=1,
        observed_at=AT,
        data=data,
    )


def test_a_record_whose_link_would_be_too_large_is_alone_in_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its link is broken with the size in words, the dead letter leads to it, and the batch is
    committed."""
    held = Bench(monkeypatch)
    held.open()
    held.say(
        seen("chargebee", "kari", 1, KARI, "customer"),
        seen("chargebee", "900", 1, large()),
        seen("chargebee", "ola", 1, KARI, "customer"),
    )
    assert {held.link(key, "customer").state for key in ("kari", "ola")} <= {
        "creating",
        "ambiguous",
        "waiting",
        "linked",
    }
    broken = held.link("900")
    assert broken.state == "broken"
    assert "messages have at most 15,904" in (broken.reason or "")
    (letter,) = held.decoded("dead-letters", DeadLetter)
    assert letter.reason.startswith("order/900: its link has 3")
    assert (letter.body_base64, letter.offset is not None) == (None, True)
    (entry,) = [each for each in held.decoded("journal", JournalEntry) if each.rule == "broken"]
    assert (entry.entity, entry.link) == ("order", "900")
    assert all(record.size() <= SMALL for _, records, _ in held.kafka.commits for record in records)


def test_it_is_taken_once_messages_may_be_larger(monkeypatch: pytest.MonkeyPatch) -> None:
    """The very same event, sent again from where its letter says: nothing of it was taken for
    known."""
    held = Bench(monkeypatch)
    held.open()
    held.say(seen("chargebee", "900", 1, large()))
    store = held.linker.state.stores["demo"]
    held.linker = held.linker_of(1_000_000)
    held.linker.state.stores["demo"] = store
    held.say(seen("chargebee", "900", 1, large()))
    link = held.link("900")
    assert link.state == "waiting"
    assert link.chargebee is not None and link.chargebee.seen == large()


def test_an_edit_that_makes_a_link_too_large_waits_for_its_letter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What was known stays known, its version too, so that the same event counts once it can be
    taken."""
    held = Bench(monkeypatch)
    held.open()
    small = order("kari", "hjul")
    held.say(seen("chargebee", "900", 1, small), seen("chargebee", "901", 1, small))
    held.say(
        seen("chargebee", "900", 2, large()),
        seen("chargebee", "901", 2, {**small, "purchase_order": "x"}),
    )
    link = held.link("900")
    assert (link.state, link.chargebee and link.chargebee.seen) == ("broken", small)
    assert link.chargebee is not None and link.chargebee.version == "0000000000001"
    other = held.link("901")
    assert other.chargebee is not None and other.chargebee.version == "0000000000002"


def test_an_answer_too_large_for_its_link_is_a_refusal_that_may_have_been_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The command is over; whoever plans it anew looks first."""
    held = Bench(monkeypatch)
    held.open()
    held.say(seen("chargebee", "kari", 1, KARI, "customer"))
    flight = held.link("kari", "customer").flight
    assert flight is not None
    data = {**KARI, "phone": "1" * 30_000}
    held.say(
        Outcome(
            tenant="demo",
            entity="customer",
            link="kari",
            seq=flight.command.seq,
            target="poweroffice",
            result="applied",
            at=AT,
            id="5",
            version="0000000000001",
            data=data,
        )
    )
    link = held.link("kari", "customer")
    assert (link.state, link.flight, link.maybe_applied) == ("broken", None, True)
    assert "its link has 3" in (link.reason or "")


# -- sinks


@pytest.mark.parametrize(
    ("phone", "code"), [("1" * 2_000_000, "too_large"), ("half a \ud83d", "unencodable")]
)
def test_an_answer_that_cannot_be_sent_is_a_small_refusal(phone: str, code: str) -> None:
    """It may have been done; the next command is answered as ever."""

    async def scenario() -> None:
        async def answer(asked: Any) -> Outcome:
            held = applied(asked)
            return (
                msgspec.structs.replace(held, data={"phone": phone})
                if asked.link == "kari"
                else held
            )

        async with bench({"demo": FakeVendor(answer)}) as held:
            await held.give(command("kari"), command("ola"))
            outcomes = {each.link: each for each in await held.until_outcomes(2)}
            await until(lambda: held.kafka.position(COMMANDS) == 2)
            kari = outcomes["kari"]
            assert (kari.result, kari.maybe_applied, kari.data) == ("rejected", True, None)
            assert kari.error is not None and kari.error.code == code
            assert outcomes["ola"].result == "applied"

    run(scenario())


def test_a_command_that_is_no_text_is_a_dead_letter() -> None:
    """Bytes that are no UTF-8 are no error of msgspec's; the commands behind it are carried out."""

    async def scenario() -> None:
        async with bench({"demo": FakeVendor()}) as held:
            await held.give(b'{"tenant": "\xed\xa0\x80"}', b"[" * 100_000, command("ola"))
            await held.until_outcomes(1)
            await until(lambda: held.kafka.position(COMMANDS) == 3)
            letters = held.kafka.records("dead-letters")
            assert len(letters) == 2
            first = msgspec.json.decode(letters[0].value or b"", type=DeadLetter)
            assert base64.b64decode(first.body_base64 or "") == b'{"tenant": "\xed\xa0\x80"}'

    run(scenario())


# -- sources


class Sending:
    """A producer that keeps what it is given."""

    def __init__(self) -> None:
        self.sent: list[Observed] = []

    async def send(
        self, topic: str, *, value: bytes, key: bytes, partition: int, headers: Any
    ) -> Any:
        self.sent.append(msgspec.json.decode(value, type=Observed))
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ({**KARI, "phone": "1" * 2_000_000}, "too_large"),
        ({**KARI, "last_name": "half a \ud83d"}, "unencodable"),
    ],
)
def test_a_reading_that_cannot_be_sent_says_so_in_its_place(
    data: dict[str, Any], code: str
) -> None:
    """The others of its page are sent, and it is a repeat the next time."""

    async def scenario() -> None:
        held: Any = KafkaPublisher(MemoryKafka(), "chargebee", {"demo": 0})  # type: ignore[arg-type]
        held._producer = producer = Sending()
        page = [
            seen("chargebee", name, 1, data if name == "kari" else KARI, "customer")
            for name in ("a", "kari", "no \ud83d id", "z")
        ]
        assert await held.publish(page) == 4
        assert [each.id for each in producer.sent] == ["a", "kari", "z"]
        assert [each.problem and each.problem.code for each in producer.sent] == [None, code, None]
        assert producer.sent[1].data is None and producer.sent[1].mapping == 0
        assert await held.publish(page) == 0

    run(scenario())
