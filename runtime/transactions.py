"""Outputs and input positions of one partition in one transaction.

One transactional.id per partition: whoever takes a partition first fences its former owner. Dynamic
consumer groups are not exactly-once with aiokafka (it sends TxnOffsetCommit without generation), so
partitions are static.

aiokafka commits a transaction of which the broker has refused a part, so every send is awaited
before the commit. A transaction that fails is never repaired: its producer is closed, a new one
with the same transactional.id makes Kafka abort what is open, and the committed positions, which
bear the transaction's number, tell what became of it.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import (
    InvalidProducerEpoch,
    InvalidProducerIdMapping,
    InvalidTxnState,
    ProducerFenced,
    UnknownError,
)
from aiokafka.structs import OffsetAndMetadata

from runtime.backoff import Backoff
from runtime.dead_letters import reason_of
from runtime.kafka import (
    AWAY,
    COORDINATOR_LOOKS,
    OWNER,
    TRANSACTION_TIMEOUT_MS,
    Kafka,
    Record,
    refusal_of,
)
from runtime.metrics import COMMIT_BYTES, COMMIT_RECORDS, COMMIT_S, NOT_COMMITTED

log = structlog.get_logger()
DELIVER_WITHIN_S = 10.0  # less than the broker's own limit, so that we are the first to give up
OVERTAKEN_LOOKS = (
    5  # one each second; who takes a partition over puts its name to the positions at once
)
TAKEN_OVER = (InvalidProducerEpoch, InvalidProducerIdMapping, InvalidTxnState, ProducerFenced)
FIRST_BACKOFF_S, MAX_BACKOFF_S = 0.5, 10.0
LOOK_S = 1.0  # between two looks for a broker that Kafka does not name yet


class NotCommitted(Exception):
    """Nothing of a transaction was committed, nor will be; its cause is told. It may be decided
    again."""


class _NotTaken(Exception):
    """Kafka refused some records of a transaction; its cause is Kafka's answer."""


class PartitionTransactions:
    """The transactional producer of one partition: outputs and input positions in one commit, or
    nothing.

    `within_s` is how long Kafka may take for one transaction, `timeout_ms` after how long the
    broker itself aborts one. `trouble` says in words why the last one was not committed, None while
    all is well.
    """

    def __init__(
        self,
        kafka: Kafka,
        service: str,
        partition: int,
        group: str,
        *,
        within_s: float = DELIVER_WITHIN_S,
        timeout_ms: int = TRANSACTION_TIMEOUT_MS,
    ) -> None:
        self._kafka, self.partition = kafka, partition
        self._group, self._within_s, self._timeout_ms = group, within_s, timeout_ms
        self._id = f"{service}.p{partition:02d}"
        self._producer: AIOKafkaProducer = None
        self._number = 0
        self._leaving: set[asyncio.Task[None]] = set()
        self.trouble: str | None = None

    async def start(self) -> None:
        """Fence the former owner of the partition, settle what it left pending, and put our name to
        the positions."""
        await self._fence()
        held = await self._kafka.positions(self._group, self.partition)
        if held:
            await self.commit([], {tp.topic: at.offset for tp, at in held.items()})

    async def _fence(self) -> None:
        """Start a producer; a Kafka that names no broker, as while its only one is late with its
        beats, is asked again with a new one."""
        for looks_left in reversed(range(COORDINATOR_LOOKS)):
            self._producer = self._new_producer()
            try:
                await self._producer.start()
                return
            except AssertionError:
                if not looks_left:
                    raise
            self._put_away()
            await asyncio.sleep(LOOK_S)

    async def stop(self) -> None:
        self._put_away()
        if self._leaving:
            _, late = await asyncio.wait(self._leaving, timeout=self._within_s)
            for task in late:  # a broker that is away would keep them for ever
                task.cancel()

    async def commit(self, records: Sequence[Record], positions: Mapping[str, int]) -> None:
        """Send the records to this partition of their topics and commit the positions (full topic
        name -> offset) of this partition, all or nothing; returns once it is done, and waits for a
        Kafka that is away.

        Raises aiokafka's ProducerFenced when another process took over, and NotCommitted when
        nothing of it was committed; then the next may be tried at once, or this one again.
        """
        self._number += 1
        mark = f"{OWNER}/{self._number}"
        begun = time.monotonic(), time.time()
        try:
            async with asyncio.timeout(self._within_s):
                await self._commit(records, positions, mark)
        except Exception as error:
            # Whatever it was: nothing but a fresh producer can tell what became of the transaction.
            # A machine that slept counts on one clock only.
            spent_s = max(time.monotonic() - begun[0], time.time() - begun[1])
            if await self._is_taken_over(error, spent_s):
                raise ProducerFenced from error
            words = _words(error, self._within_s)
            self.trouble = f"partition {self.partition}: {words}"
            log.error(
                "transaction.failed", partition=self.partition, records=len(records), reason=words
            )
            if not await self._settle(mark):
                NOT_COMMITTED.inc()
                raise NotCommitted(words) from error
        COMMIT_S.observe(time.monotonic() - begun[0])
        COMMIT_RECORDS.observe(len(records))
        COMMIT_BYTES.observe(sum(record.size() for record in records))
        self.trouble = None

    async def _commit(
        self, records: Sequence[Record], positions: Mapping[str, int], mark: str
    ) -> None:
        producer = self._producer
        await producer.begin_transaction()
        sends: list[tuple[asyncio.Future[Any], str, list[Record]]] = []

        async def send(batch: Any, name: str, held: list[Record]) -> None:
            future = await producer.send_batch(batch, name, partition=self.partition)
            future.add_done_callback(_consume)
            sends.append((future, name, held))

        by_topic: dict[str, list[Record]] = {}
        for record in records:
            by_topic.setdefault(record.topic, []).append(record)
        for topic, group in by_topic.items():
            name, held = self._kafka.name(topic), list[Record]()
            batch = producer.create_batch()
            for record in group:
                if self._append(batch, record) is None:
                    await send(batch, name, held)
                    batch, held = producer.create_batch(), []
                    self._append(
                        batch, record
                    )  # the first record always fits; the broker has the last word
                held.append(record)
            await send(batch, name, held)
        if positions:
            offsets = {
                TopicPartition(topic, self.partition): OffsetAndMetadata(offset, mark)
                for topic, offset in positions.items()
            }
            await producer.send_offsets_to_transaction(
                offsets, self._kafka.settings.topic_prefix + self._group
            )
        if sends:
            await asyncio.wait([future for future, _, _ in sends])
        failed = [
            (error, name, held)
            for future, name, held in sends
            if (error := future.exception()) is not None
        ]
        for error, _, _ in failed:
            if _tells_takeover(error):
                raise error
        if failed:
            error, name, held = failed[0]
            raise _NotTaken(_refusal(name, held)) from error
        await producer.commit_transaction()

    @staticmethod
    def _append(batch: Any, record: Record) -> Any:
        return batch.append(
            key=record.key, value=record.value, timestamp=None, headers=list(record.headers)
        )

    # -- after a failure

    async def _is_taken_over(self, error: Exception, spent_s: float) -> bool:
        """Which error the broker answers depends on how far the other's InitProducerId has aborted
        ours; aiokafka wraps those it does not expect. The same answers follow when the broker
        itself has aborted a transaction that took too long, or say nothing at all: then another
        owner must have put its name to the positions."""
        told = _tells_takeover(error)
        if told and spent_s < 0.9 * self._timeout_ms / 1000:
            return True
        return (told or isinstance(error.__cause__, UnknownError)) and await self._overtaken()

    async def _overtaken(self) -> bool:
        for _ in range(OVERTAKEN_LOOKS):
            try:
                if await self._kafka.owners(self._group, self.partition) - {OWNER, ""}:
                    return True
            except AWAY:
                pass  # `_settle` looks again, and says what is wrong
            await asyncio.sleep(1)
        return False

    async def _settle(self, mark: str) -> bool:
        """Have Kafka end what is open, and tell whether the transaction with this mark was
        committed."""
        backoff = Backoff(FIRST_BACKOFF_S, MAX_BACKOFF_S)
        while True:
            self._put_away()
            try:
                if await self._kafka.owners(self._group, self.partition) - {OWNER, ""}:
                    raise ProducerFenced
                self._producer = self._new_producer()
                async with asyncio.timeout(self._within_s):
                    await self._producer.start()
                held = await self._kafka.positions(self._group, self.partition)
                return any(at.metadata == mark for at in held.values())
            except ProducerFenced:
                raise
            except AWAY as error:
                words = _words(error, self._within_s)
                self.trouble = f"partition {self.partition}: Kafka does not answer: {words}"
                log.warning(
                    "transaction.unsettled",
                    partition=self.partition,
                    reason=words,
                    again_in_s=backoff.next_s,
                )
            await backoff.pause()

    def _new_producer(self) -> AIOKafkaProducer:
        return self._kafka.producer(self._id, timeout_ms=self._timeout_ms)

    def _put_away(self) -> None:
        """Close the producer aside: one whose broker is away ends only when that is back. What it
        still sends then is of an epoch that has passed, and refused."""
        producer, self._producer = self._producer, None
        if producer is not None:
            task = asyncio.create_task(producer.stop())
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)
            task.add_done_callback(_consume)


def _consume(future: "asyncio.Future[Any]") -> None:
    """Its error is told elsewhere."""
    if not future.cancelled():
        future.exception()


def _tells_takeover(error: BaseException) -> bool:
    return isinstance(error, TAKEN_OVER) or isinstance(error.__cause__, TAKEN_OVER)


def _refusal(name: str, held: Sequence[Record]) -> str:
    largest = max(held, key=lambda record: len(record.value or b""))
    return (
        f"{name} did not take {len(held)} records, the largest {len(largest.value or b'')} bytes "
        f"under the key "
        f"{largest.key.decode('utf-8', 'replace')}"
    )


def _words(error: Exception, within_s: float) -> str:
    if isinstance(error, _NotTaken):
        return f"{error}: {refusal_of(error.__cause__)}"
    return (
        f"no answer within {within_s:g} s" if isinstance(error, TimeoutError) else reason_of(error)
    )
