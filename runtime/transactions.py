"""Outputs and input positions of one partition in one transaction.

One transactional.id per partition: whoever takes a partition first fences its former owner. Dynamic consumer groups
are not exactly-once with aiokafka (it sends TxnOffsetCommit without generation), so partitions are static.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import (
    InvalidProducerEpoch,
    InvalidProducerIdMapping,
    InvalidTxnState,
    KafkaError,
    ProducerFenced,
    UnknownError,
)  # fmt: skip
from aiokafka.structs import OffsetAndMetadata

from runtime.kafka import OWNER, Kafka, Record

OVERTAKEN_LOOKS = 20  # one each second: the next owner commits its positions once it has restored its state
TAKEN_OVER = (InvalidProducerEpoch, InvalidProducerIdMapping, InvalidTxnState, ProducerFenced)


class PartitionTransactions:
    """The transactional producer of one partition: outputs and input positions in one commit, or nothing."""

    def __init__(self, kafka: Kafka, service: str, partition: int, group: str) -> None:
        self._kafka, self.partition = kafka, partition
        self._group = group
        self._id = f"{service}.p{partition:02d}"
        self._producer: AIOKafkaProducer = None

    async def start(self) -> None:
        """Fence the former owner of the partition and settle what it left pending."""
        self._producer = self._kafka.producer(self._id)
        await self._producer.start()

    async def stop(self) -> None:
        await self._producer.stop()

    async def commit(self, records: Sequence[Record], positions: Mapping[str, int]) -> None:
        """Send the records to this partition of their topics and commit the positions (full topic name -> offset)
        of this partition, all or nothing. Raises aiokafka's ProducerFenced when another process took over."""
        try:
            await self._commit(records, positions)
        except KafkaError as error:
            # Which of these the broker answers depends on how far the other's InitProducerId has aborted ours; aiokafka
            # wraps those it does not expect.
            told = isinstance(error, TAKEN_OVER) or isinstance(error.__cause__, TAKEN_OVER)
            if told or (isinstance(error.__cause__, UnknownError) and await self._overtaken()):
                raise ProducerFenced from error
            raise

    async def _overtaken(self) -> bool:
        """After an answer that says nothing: whether another process goes on with this partition."""
        for _ in range(OVERTAKEN_LOOKS):
            if await self._kafka.owners(self._group, self.partition) - {OWNER, ""}:
                return True
            await asyncio.sleep(1)
        return False

    async def _commit(self, records: Sequence[Record], positions: Mapping[str, int]) -> None:
        producer = self._producer
        await producer.begin_transaction()
        futures = []
        by_topic: dict[str, list[Record]] = {}
        for record in records:
            by_topic.setdefault(record.topic, []).append(record)
        for topic, group in by_topic.items():
            name = self._kafka.name(topic)
            batch = producer.create_batch()
            for record in group:
                if self._append(batch, record) is None:
                    futures.append(await producer.send_batch(batch, name, partition=self.partition))
                    batch = producer.create_batch()
                    if self._append(batch, record) is None:
                        raise ValueError(f"a message of {len(record.value or b'')} bytes does not fit into {name}")
            futures.append(await producer.send_batch(batch, name, partition=self.partition))
        if positions:
            offsets = {TopicPartition(topic, self.partition): OffsetAndMetadata(offset, OWNER)
                       for topic, offset in positions.items()}  # fmt: skip
            await producer.send_offsets_to_transaction(offsets, self._kafka.settings.topic_prefix + self._group)
        await producer.commit_transaction()
        for future in futures:
            future.result()

    @staticmethod
    def _append(batch: Any, record: Record) -> Any:
        return batch.append(key=record.key, value=record.value, timestamp=None, headers=list(record.headers))
