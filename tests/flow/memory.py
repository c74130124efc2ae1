"""Kafka's stand-ins for tests in one process: topics that are lists, commits that are
remembered."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any

import msgspec
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import ProducerFenced

from contracts.messages import Outcome
from runtime.kafka import Record
from runtime.transactions import NotCommitted

PREFIX = "t."


class MemoryKafka:
    """What a service asks of Kafka. `commits` are (partition, records, positions) in order; `held`
    what the topics hold when a service starts, by topic without prefix; `taken_over` fences every
    producer, and `refusals` are the reasons for which the next commits fail."""

    def __init__(self, held: Mapping[str, Sequence[ConsumerRecord]] | None = None) -> None:
        self.held = dict(held or {})
        self.commits: list[tuple[int, list[Record], dict[str, int]]] = []
        self.taken_over = False
        self.max_record_bytes = 1_000_000
        self.refusals: list[str] = []
        self.later: asyncio.Queue[ConsumerRecord] = asyncio.Queue()

    def name(self, topic: str) -> str:
        return PREFIX + topic

    async def read(
        self, topics: Iterable[str], partitions: Iterable[int]
    ) -> AsyncIterator[ConsumerRecord]:
        wanted = set(partitions)
        for topic in topics:
            for record in self.held.get(topic, ()):
                if record.partition in wanted:
                    yield record

    async def read_lists(
        self, topics: Iterable[str], partitions: Iterable[int]
    ) -> AsyncIterator[list[ConsumerRecord]]:
        yield [record async for record in self.read(topics, partitions)]

    async def follow(
        self, topics: Iterable[str], partitions: Iterable[int]
    ) -> AsyncIterator[ConsumerRecord | None]:
        """What is held, None, and then what `later` is given, for ever."""
        async for record in self.read(topics, partitions):
            yield record
        yield None
        while True:
            yield await self.later.get()

    async def end_offsets(
        self, topics: Iterable[str], partitions: Iterable[int]
    ) -> dict[TopicPartition, int]:
        ends = {
            TopicPartition(self.name(topic), each): 0 for topic in topics for each in partitions
        }
        for topic, records in self.held.items():
            for record in records:
                ends[TopicPartition(self.name(topic), record.partition)] = record.offset + 1
        return ends

    async def keep_positions(
        self, group: str, topics: Iterable[str], partitions: Iterable[int], known: Mapping[str, int]
    ) -> dict[str, int]:
        return {}

    # -- what was written

    def records(self, topic: str) -> list[Record]:
        return [
            record for _, records, _ in self.commits for record in records if record.topic == topic
        ]

    def outcomes(self) -> list[Outcome]:
        return [
            msgspec.json.decode(record.value or b"", type=Outcome)
            for record in self.records("outcomes")
        ]

    def position(self, topic: str, partition: int = 0) -> int:
        """The committed position, 0 when there is none."""
        found = [
            held[self.name(topic)]
            for number, _, held in self.commits
            if number == partition and self.name(topic) in held
        ]
        return found[-1] if found else 0


class MemoryTransactions:
    """The transactions of one partition on a MemoryKafka; made like
    runtime.transactions.PartitionTransactions."""

    def __init__(self, kafka: Any, service: str, partition: int, group: str) -> None:
        self._kafka, self.partition = kafka, partition
        self.trouble: str | None = None

    async def start(self) -> None:
        return None

    async def stop(self) -> None:
        return None

    async def commit(self, records: Sequence[Record], positions: Mapping[str, int]) -> None:
        if self._kafka.taken_over:
            raise ProducerFenced
        self.trouble = self._kafka.refusals.pop(0) if self._kafka.refusals else None
        if self.trouble is not None:
            raise NotCommitted(self.trouble)
        self._kafka.commits.append((self.partition, list(records), dict(positions)))


_offsets = itertools.count()


def consumer_record(
    topic: str,
    value: bytes | None,
    *,
    key: bytes = b"k",
    partition: int = 0,
    offset: int | None = None,
) -> ConsumerRecord:
    """A record as a consumer sees it, at the next offset unless one is given; `topic` without
    prefix."""
    return ConsumerRecord(
        topic=PREFIX + topic,
        partition=partition,
        offset=next(_offsets) if offset is None else offset,
        timestamp=0,
        timestamp_type=0,
        key=key,
        value=value,
        checksum=None,
        serialized_key_size=len(key),
        serialized_value_size=len(value or b""),
        headers=(),
    )
