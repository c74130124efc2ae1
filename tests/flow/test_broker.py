"""The wiring through the broker: raw batches reach the handlers, and one bad record does not stop
the rest."""

import asyncio
import base64
import dataclasses
from typing import Any

import msgspec
import pytest
from aiokafka import ConsumerRecord
from faststream.kafka import TestKafkaBroker

from contracts.messages import Link, Observed
from contracts.settings import KafkaSettings, Settings, Tenant
from contracts.topics import LINKER_INPUTS
from runtime.broker import Subscription, make_broker
from services.linker import partitions
from services.linker.handlers import Linker
from services.linker.partitions import GROUP
from tests.flow.memory import PREFIX, MemoryKafka, MemoryTransactions, consumer_record

AT = "2026-11-20T10:00:00.000000Z"
KARI = {
    "kind": "person",
    "first_name": "Kari",
    "last_name": "Nordmann",
    "company": None,
    "email": "kari@eksempel.no",
    "phone": None,
    "organisation_number": None,
    "currency": None,
    "vat_exempt": False,
    "address": None,
    "archived": False,
}


def settings() -> Settings:
    tenant = Tenant.model_validate(
        {
            "chargebee": {"site": "x", "api_key": "k", "prices": "net"},
            "poweroffice": {
                "environment": "demo",
                "application_key": "a",
                "client_key": "c",
                "subscription_key": "s",
            },
        }
    )
    return Settings(
        kafka=KafkaSettings(topic_prefix=PREFIX, partitions=1), tenants={"demo": tenant}
    )


def observed(record_id: str) -> bytes:
    return msgspec.json.encode(
        Observed(
            tenant="demo",
            system="chargebee",
            entity="customer",
            id=record_id,
            version="1700000000000",
            mapping=1,
            observed_at=AT,
            data=KARI,
        )
    )


def test_a_handler_gets_raw_records_of_all_its_topics() -> None:
    """A tuple of what the consumer read: topic, partition, key and undecoded value; another group
    gets its own."""
    taken: dict[str, list[ConsumerRecord]] = {"a": [], "b": []}

    def taking(group: str) -> Any:
        async def handle(records: tuple[ConsumerRecord, ...]) -> None:
            assert isinstance(records, tuple)
            taken[group].extend(records)

        return handle

    subscriptions = [
        Subscription(("customers", "orders"), [0], "a", taking("a")),
        Subscription(("outcomes",), [0], "b", taking("b")),
    ]

    async def scenario() -> None:
        broker = make_broker(settings(), subscriptions)
        async with TestKafkaBroker(broker):
            values = (b'{"x": 1}', b"\xff\x00 not json", b"")
            await broker.publish_batch(*values, topic=PREFIX + "customers", partition=0)
            await broker.publish(b"{}", topic=PREFIX + "orders", partition=0, key=b"k")
            await broker.publish(b"[]", topic=PREFIX + "outcomes", partition=0)
            assert [(each.topic, each.value) for each in taken["a"]] == [
                (PREFIX + "customers", values[0]),
                (PREFIX + "customers", values[1]),
                (PREFIX + "customers", values[2]),
                (PREFIX + "orders", b"{}"),
            ]
            assert taken["a"][-1].key == b"k"
            assert [each.value for each in taken["b"]] == [b"[]"]

    asyncio.run(scenario())


def test_the_linker_commits_the_good_records_of_a_batch_and_keeps_the_bad_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The bad one is a dead letter with its bytes, in the same transaction as the links of the
    others."""
    monkeypatch.setattr(partitions, "PartitionTransactions", MemoryTransactions)
    linker, kafka = Linker(settings()), MemoryKafka()
    linker.state._transactions = {0: MemoryTransactions(kafka, "linker", 0, GROUP)}  # type: ignore[dict-item]

    async def scenario() -> None:
        broker = make_broker(
            settings(), [Subscription(LINKER_INPUTS, linker.state.partitions, GROUP, linker.handle)]
        )
        async with TestKafkaBroker(broker):
            await broker.publish_batch(
                observed("kari"),
                b"\xff not json",
                b'{"type": "observed", "tenant": 7}',
                observed("ola"),
                topic=PREFIX + "customers",
                partition=0,
            )

    asyncio.run(scenario())
    (_, records, positions) = kafka.commits[0]
    assert len(kafka.commits) == 1
    links = [
        msgspec.json.decode(record.value or b"", type=Link)
        for record in records
        if record.topic == "links"
    ]
    assert {link.key for link in links} == {"kari", "ola"}
    letters = [
        msgspec.json.decode(record.value or b"")
        for record in records
        if record.topic == "dead-letters"
    ]
    assert base64.b64decode(letters[0]["body_base64"]) == b"\xff not json"
    assert len(letters) == 2
    assert all(letter["reason"] for letter in letters)
    assert set(positions) == {PREFIX + "customers"}


def test_what_kafka_did_not_take_is_decided_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the committed state: the link is new each time, and the state follows the one commit
    that was taken."""
    monkeypatch.setattr(partitions, "PartitionTransactions", MemoryTransactions)
    monkeypatch.setattr(partitions, "FIRST_BACKOFF_S", 0.001)
    linker, kafka = Linker(settings()), MemoryKafka()
    linker.state._transactions = {0: MemoryTransactions(kafka, "linker", 0, GROUP)}  # type: ignore[dict-item]
    kafka.refusals = ["no leader", "no leader"]
    said: list[str | None] = []

    async def no_wait(_seconds: float) -> None:
        said.append(linker.problem())
        assert not linker.state.stores["demo"].links

    monkeypatch.setattr("services.linker.partitions.asyncio.sleep", no_wait)

    async def scenario() -> None:
        record = consumer_record("customers", observed("kari"), offset=7)
        await linker.handle((record,))

    asyncio.run(scenario())
    assert said == ["no leader; nothing of it was committed, it is tried again"] * 2
    assert linker.problem() is None
    assert len(kafka.commits) == 1
    assert list(linker.state.stores["demo"].links) == ["customer/kari"]
    assert linker.state._positions[0] == {PREFIX + "customers": 8}


@pytest.mark.parametrize("value", [b"fine", b"\xff\x00", None])
def test_a_header_that_is_no_text_takes_no_record_away(
    monkeypatch: pytest.MonkeyPatch, value: bytes | None
) -> None:
    """FastStream would pass over the whole batch, and nobody would be told."""
    monkeypatch.setattr(partitions, "PartitionTransactions", MemoryTransactions)
    linker, kafka = Linker(settings()), MemoryKafka()
    transactions: Any = MemoryTransactions(kafka, "linker", 0, GROUP)
    linker.state._transactions = {0: transactions}

    async def scenario() -> None:
        broker = make_broker(settings(), [Subscription(LINKER_INPUTS, [0], GROUP, linker.handle)])
        async with TestKafkaBroker(broker):
            (subscriber,) = broker.subscribers
            batch = [
                consumer_record("customers", observed(each), offset=offset)
                for offset, each in enumerate(("kari", "odd", "ola"))
            ]
            batch[1] = dataclasses.replace(batch[1], headers=(("x", value),))
            await subscriber.consume(tuple(batch))

    asyncio.run(scenario())
    keys = {(record.key or b"").decode() for record in kafka.records("links")}
    assert keys == {f"demo/customer/{each}" for each in ("kari", "odd", "ola")}
