"""All of a transaction or nothing, on a real Kafka that refuses, pauses and dies, and under a
linker that is killed."""

import asyncio
import itertools
import os
import random
import re
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import ProducerFenced

from contracts.messages import Observed
from contracts.settings import KafkaSettings
from runtime.embedded_kafka import EmbeddedKafka
from runtime.kafka import Kafka, Record
from runtime.publisher import KafkaPublisher, NotTaken
from runtime.transactions import NotCommitted, PartitionTransactions
from tests.system.broken_broker import allow, own_broker, paused
from tests.system.linker_rig import TENANTS, Driver, KafkaWorld, LinkerRig
from tests.system.test_linker_machine_on_kafka import PAUSE_MS, at_rest
from tests.waiting import PATIENCE_S, until, wait_for

# Clients whose broker was killed under them leave tasks and sockets behind, which Python tells
# whenever it finds them.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
# How long a fault lasts; no verdict depends on it.
DOWN_S, PAUSED_S = 4.0, 18.0
TOPICS = ("commands.chargebee", "links", "journal", "control")
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedKafka]:
    with own_broker(tmp_path_factory.mktemp("broker")) as held:
        yield held


async def kafka_of(broker: EmbeddedKafka) -> Kafka:
    """Topics of its own, with one partition."""
    prefix = f"x{os.getpid()}x{next(_numbers)}."
    kafka = Kafka(KafkaSettings(bootstrap=broker.bootstrap, topic_prefix=prefix, partitions=1))
    await kafka.ensure_topics()
    return kafka


def batch(number: int, *, size: int = 20) -> list[Record]:
    """A linker's transaction: a record on every topic, and a link of `size` bytes between two small
    ones."""
    held = [Record(topic, f"t/{topic}/{number}".encode(), b"{}") for topic in TOPICS]
    large = random.Random(number).randbytes(size)  # not to be compressed
    return [
        *held,
        Record("links", f"t/large/{number}".encode(), large),
        Record("links", b"t/after", b"{}"),
    ]


async def visible(kafka: Kafka) -> Counter[bytes]:
    """How often each key is visible to who reads committed records."""
    return Counter([record.key async for record in kafka.read(TOPICS, (0,))])


async def nothing_open(kafka: Kafka) -> bool:
    """Whether no transaction stands open: the last stable offset is the end."""
    wanted = [TopicPartition(kafka.name(topic), 0) for topic in TOPICS]
    async with kafka.consuming() as committed:
        stable = await committed.end_offsets(wanted)
    async with AIOKafkaConsumer(**kafka.options()) as all_records:
        ends = await all_records.end_offsets(wanted)
    return bool(stable == ends) and any(ends.values())


async def position(kafka: Kafka) -> int | None:
    held = await kafka.positions("linker", 0)
    return next((at.offset for tp, at in held.items() if tp.topic == kafka.name("orders")), None)


async def until_taken(transactions: PartitionTransactions, number: int, kafka: Kafka) -> list[str]:
    """Commit one batch as often as it takes; the reasons of the refusals."""
    reasons: list[str] = []
    while True:
        try:
            await transactions.commit(batch(number), {kafka.name("orders"): number})
            return reasons
        except NotCommitted as error:
            reasons.append(str(error))


async def expect(kafka: Kafka, batches: int) -> None:
    """Exactly so many batches are visible, every record of them once. Kafka answers a commit before
    every partition shows it."""
    await until("no transaction is open", lambda: nothing_open(kafka))
    assert await visible(kafka) == sum(
        (Counter(each.key for each in batch(n)) for n in range(1, batches + 1)), Counter()
    )
    assert await position(kafka) == batches


def test_a_transaction_of_which_one_record_is_refused_leaves_nothing_behind(
    broker: EmbeddedKafka,
) -> None:
    """Neither record nor position; what comes after is taken, and so is the same once Kafka allows
    it."""

    async def scene() -> None:
        kafka = await kafka_of(broker)
        await allow(kafka, "links", 10_000)
        transactions = PartitionTransactions(kafka, "linker", 0, "linker")
        await transactions.start()
        try:
            for _ in range(2):
                with pytest.raises(
                    NotCommitted, match=r"links did not take .* 50000 bytes under the key t/large/1"
                ):
                    await transactions.commit(batch(1, size=50_000), {kafka.name("orders"): 1})
                assert "50000 bytes" in (transactions.trouble or "")
                assert await visible(kafka) == Counter()
                assert await position(kafka) is None
            await transactions.commit(batch(1), {kafka.name("orders"): 1})
            assert transactions.trouble is None
            await allow(kafka, "links", 100_000)
            await transactions.commit(batch(2, size=50_000), {kafka.name("orders"): 2})
            await expect(kafka, 2)
        finally:
            await transactions.stop()

    asyncio.run(scene())


def test_a_broker_that_pauses_for_longer_than_a_transaction_may_take(broker: EmbeddedKafka) -> None:
    """Also for longer than the broker itself lets one stand open: nobody else has the partition, so
    it goes on."""

    async def scene() -> None:
        kafka = await kafka_of(broker)
        transactions = PartitionTransactions(
            kafka, "linker", 0, "linker", within_s=1, timeout_ms=1500
        )
        await transactions.start()
        try:
            for number in range(1, 7):
                pause = asyncio.create_task(paused(broker, 4)) if number % 2 else None
                await asyncio.sleep(random.uniform(0, 0.01))
                await until_taken(transactions, number, kafka)
                if pause is not None:
                    await pause
            await expect(kafka, 6)
        finally:
            await transactions.stop()

    asyncio.run(scene())


def test_a_transaction_that_the_broker_aborted_is_no_takeover(
    broker: EmbeddedKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its answers are those to a fenced producer; that nobody has put a name to the positions tells
    the difference."""

    async def scene() -> None:
        kafka = await kafka_of(broker)
        transactions = PartitionTransactions(
            kafka, "linker", 0, "linker", within_s=PATIENCE_S, timeout_ms=1000
        )
        await transactions.start()
        sends = transactions._producer.commit_transaction

        async def late() -> None:
            await until("the broker has aborted it", lambda: nothing_open(kafka))
            await sends()

        monkeypatch.setattr(transactions._producer, "commit_transaction", late)
        try:
            with pytest.raises(NotCommitted):
                await transactions.commit(batch(1), {kafka.name("orders"): 1})
            assert await visible(kafka) == Counter()
            await transactions.commit(batch(1), {kafka.name("orders"): 1})
            await expect(kafka, 1)
        finally:
            await transactions.stop()

    asyncio.run(scene())


def test_a_commit_whose_answer_was_lost_is_not_done_again(
    broker: EmbeddedKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The committed positions bear the number of the transaction."""

    async def scene() -> None:
        kafka = await kafka_of(broker)
        transactions = PartitionTransactions(kafka, "linker", 0, "linker", within_s=3)
        await transactions.start()
        sends = transactions._producer.commit_transaction

        async def without_answer() -> None:
            await sends()
            await asyncio.Event().wait()

        monkeypatch.setattr(transactions._producer, "commit_transaction", without_answer)
        try:
            await transactions.commit(batch(1), {kafka.name("orders"): 1})
            await transactions.commit(batch(2), {kafka.name("orders"): 2})
            await expect(kafka, 2)
        finally:
            await transactions.stop()

    asyncio.run(scene())


def test_a_partition_without_a_leader(broker: EmbeddedKafka) -> None:
    """The broker is killed in the middle, and comes back."""

    async def scene() -> None:
        kafka = await kafka_of(broker)
        transactions = PartitionTransactions(kafka, "linker", 0, "linker", within_s=DOWN_S / 2)
        await transactions.start()
        try:
            for number in range(1, 5):
                taking = asyncio.create_task(until_taken(transactions, number, kafka))
                if number % 2:
                    await asyncio.sleep(random.uniform(0, 0.02))
                    broker.kill()
                    await asyncio.sleep(DOWN_S)
                    await asyncio.to_thread(broker.start)
                await taking
            await expect(kafka, 4)
        finally:
            await transactions.stop()

    asyncio.run(scene())


def test_whoever_comes_later_fences_also_one_that_begins_anew(broker: EmbeddedKafka) -> None:
    """A producer that has to be replaced does not take its partition back from a new owner."""

    async def scene() -> None:
        kafka = await kafka_of(broker)
        old, new = (PartitionTransactions(kafka, "linker", 0, "linker") for _ in range(2))
        await old.start()
        await old.commit(batch(1), {kafka.name("orders"): 1})
        owners = kafka.owners

        async def another(group: str, partition: int) -> set[str]:
            return {*await owners(group, partition), "another"}

        await new.start()
        try:
            await allow(kafka, "links", 10_000)
            object.__setattr__(kafka, "owners", another)
            with pytest.raises(ProducerFenced):
                await old.commit(batch(2, size=50_000), {kafka.name("orders"): 2})
            object.__setattr__(kafka, "owners", owners)
            await new.commit(batch(2), {kafka.name("orders"): 2})
            await expect(kafka, 2)
        finally:
            await old.stop()
            await new.stop()

    asyncio.run(scene())


def test_a_source_whose_record_was_refused_sends_on(broker: EmbeddedKafka) -> None:
    """The refused one is named; an idempotent producer alone would be refused everything after
    it."""

    def customer(name: str, size: int) -> Observed:
        data = {"text": random.randbytes(size).hex()}  # not to be compressed
        return Observed(
            tenant="t",
            system="chargebee",
            entity="customer",
            id=name,
            version="1",
            mapping=1,
            observed_at="2026-11-20T10:00:00.000000Z",
            data=data,
        )

    async def scene() -> None:
        kafka = await kafka_of(broker)
        publisher = KafkaPublisher(kafka, "chargebee", {"t": 0})
        await publisher.start()

        async def answer(name: str) -> str:
            """A topic's new limit holds a moment after Kafka has acknowledged it."""
            try:
                await publisher.publish([customer(name, 50_000)])
            except NotTaken as error:
                return str(error)
            return "taken"

        try:
            await allow(kafka, "customers", 10_000)
            said = await until(
                "it is refused", lambda: answer("large"), lambda words: "did not take" in words
            )
            assert re.search(r"customers did not take t/chargebee/large of \d+ bytes", said)
            await publisher.publish([customer(f"small-{number}", 10) for number in range(3)])
            await allow(kafka, "customers", 1_000_000)
            await until(
                "it is taken", lambda: answer("large at last"), lambda words: words == "taken"
            )
            keys = [record.key async for record in kafka.read(("customers",), (0,))]
            assert keys[-4:] == [
                *(f"t/chargebee/small-{n}".encode() for n in range(3)),
                b"t/chargebee/large at last",
            ]
        finally:
            await publisher.stop()

    asyncio.run(scene())


# -- the linker itself


def history(broker: EmbeddedKafka, tmp_path: Path, disturb: Any) -> LinkerRig:
    """Random histories of two tenants under disturbances; no command comes twice, and all agree in
    the end."""
    rig = LinkerRig(
        broker.bootstrap,
        tmp_path,
        f"y{os.getpid()}x{next(_numbers)}.",
        owner="chargebee",
        removals=True,
    )
    worlds = [
        KafkaWorld(name, 900 + n, owner="chargebee", removals=True)
        for n, name in enumerate(TENANTS)
    ]

    async def scene() -> None:
        driver = Driver(rig, worlds)
        await driver.start()
        try:
            rig.start("linker", "0/1")
            rig.wait_ready("linker")
            for number in range(160):
                for world in (*worlds, *worlds):
                    world.step()
                await driver.exchange(PAUSE_MS)
                await disturb(rig, number)
            await at_rest(driver, worlds)
            await driver.restore()
            for world in worlds:
                assert len(world.seen) > 8, "the history was too quiet to prove anything"
                world.check()
        finally:
            await driver.stop()

    try:
        asyncio.run(scene())
    finally:
        rig.stop_all()
    return rig


def test_the_linker_decides_again_what_a_paused_or_killed_broker_did_not_take(
    broker: EmbeddedKafka, tmp_path: Path
) -> None:
    """It stays up, says so, and goes on; nothing is doubled or lost."""

    async def disturb(rig: LinkerRig, number: int) -> None:
        if number in (40, 80):
            await paused(
                broker, PAUSED_S
            )  # longer than its transaction may take, and than the broker lets it stand open
        elif number == 120:
            broker.kill()
            await asyncio.to_thread(broker.start)

    rig = history(broker, tmp_path, disturb)
    assert rig.log("linker").count('"event": "restored"') == 1, (
        "it was started once, and never again"
    )


def test_the_linker_waits_in_words_while_one_topic_refuses_a_record(
    broker: EmbeddedKafka, tmp_path: Path
) -> None:
    """Unready and naming topic and size until the topic takes it; then nothing is missing and
    nothing is double."""

    async def disturb(rig: LinkerRig, number: int) -> None:
        if number == 40:
            await allow(rig.kafka, "links", 100)
        elif number == 60:
            said = await asyncio.to_thread(
                wait_for, "it says so", lambda: (rig.ready("linker") or {}).get("problem")
            )
            assert f"{rig.prefix}links did not take" in said
            await allow(rig.kafka, "links", 8_388_608)

    history(broker, tmp_path, disturb)


@pytest.mark.parametrize("moment", ["before the commit", "after the commit"])
def test_a_linker_killed_around_the_commit(
    broker: EmbeddedKafka, tmp_path: Path, moment: str
) -> None:
    """Between the last send and the commit nothing is visible; after it everything is; decided once
    either way."""

    async def disturb(rig: LinkerRig, number: int) -> None:
        if number in (30, 70, 110):
            rig.kill("linker")
            # The first four commits of a start are those of its two partitions, before it takes a
            # message.
            rig.start("linker", "0/1", program="tests.system.dying_linker", arguments=(moment, "5"))
        elif number in (65, 105, 145):
            dying = rig.processes["linker"]
            await asyncio.to_thread(wait_for, "it dies", lambda: dying.poll() is not None)
            assert dying.returncode == -signal.SIGKILL, rig.log("linker")[-2000:]
            rig.kill_and_restart("linker")

    history(broker, tmp_path, disturb)
