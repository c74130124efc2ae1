"""How far the taking of messages is behind their topics, by partition."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from prometheus_client.core import Metric

from runtime.clock import utc_now
from runtime.metrics import LAG_RECORDS, LAG_S

LOOK_S = 0.2  # for a consumer to say where it stands; it is asked again anyhow


class Consumer(Protocol):
    """What is asked of a consumer of aiokafka."""

    def assignment(self) -> Iterable[TopicPartition]: ...
    async def position(self, partition: TopicPartition) -> int: ...
    def last_stable_offset(self, partition: TopicPartition) -> int | None: ...


@dataclass
class _Partition:
    left: int = 0  # between what was fetched and the end
    level_s: float = 0.0  # when all was fetched last, in Unix time
    in_hand: int = 0
    oldest_s: float | None = None  # of the records in hand, in Unix time


class Lag:
    """The lag of one process. `taken` and `done` stand around the taking of a batch; `look` asks a
    consumer how far it has fetched. `prefix` begins the names of topics and is left out of the
    labels."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._held: dict[tuple[str, int], _Partition] = {}

    def taken(self, records: Sequence[ConsumerRecord]) -> None:
        """These records are in hand now."""
        for record in records:
            held = self._of(record.topic, record.partition)
            held.in_hand += 1
            at_s = record.timestamp / 1000
            held.oldest_s = at_s if held.oldest_s is None else min(held.oldest_s, at_s)

    def done(self, records: Sequence[ConsumerRecord]) -> None:
        """These records have been taken."""
        for record in records:
            held = self._of(record.topic, record.partition)
            held.in_hand -= 1
            if held.in_hand <= 0:
                held.in_hand, held.oldest_s = 0, None

    async def look(self, consumer: Consumer) -> None:
        """Ask a consumer where it stands."""
        for tp in consumer.assignment():
            end = consumer.last_stable_offset(tp)
            if end is None or end < 0:
                continue
            try:
                async with asyncio.timeout(LOOK_S):
                    position = await consumer.position(tp)
            except (TimeoutError, KafkaError):
                continue
            held = self._of(tp.topic, tp.partition)
            held.left = max(0, end - position)
            if held.left == 0:
                held.level_s = utc_now().timestamp()

    def figures(self) -> Iterator[Metric]:
        """Records and seconds by topic and partition."""
        now_s = utc_now().timestamp()
        yield LAG_RECORDS.of(
            (
                self._labels(name),
                float(held.left + held.in_hand),
            )
            for name, held in self._sorted()
        )
        yield LAG_S.of((self._labels(name), _seconds(held, now_s)) for name, held in self._sorted())

    def _of(self, topic: str, partition: int) -> _Partition:
        held = self._held.get((topic, partition))
        if held is None:
            held = self._held[topic, partition] = _Partition(level_s=utc_now().timestamp())
        return held

    def _sorted(self) -> list[tuple[tuple[str, int], _Partition]]:
        return sorted(self._held.items())

    def _labels(self, name: tuple[str, int]) -> tuple[str, str]:
        return name[0].removeprefix(self._prefix), str(name[1])


def _seconds(held: _Partition, now_s: float) -> float:
    """Of what is in hand the age; of what is not fetched yet the time since all was."""
    if held.oldest_s is not None:
        return max(0.0, now_s - held.oldest_s)
    return max(0.0, now_s - held.level_s) if held.left else 0.0
