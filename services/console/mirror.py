"""Keeps the read model level with the topics."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from aiokafka import TopicPartition

from contracts.settings import Settings
from runtime.kafka import Kafka
from services.console.model import ReadModel
from services.console.model_rows import MIRRORED, Mirrored

AT_ONCE = 2000
WAIT_MS = 500


class Mirror:
    """A model and the consumer that fills it, for the partitions of the configured tenants."""

    def __init__(self, settings: Settings, model: ReadModel, consumer: Any) -> None:
        self._settings, self.model, self._consumer = settings, model, consumer
        kafka = Kafka(settings.kafka)
        self._short = {kafka.name(topic): topic for topic in MIRRORED}
        partitions = sorted(set(map(settings.partition_of, settings.tenants)))
        self._all = [TopicPartition(name, each) for name in self._short for each in partitions]
        self._stands: dict[
            tuple[str, int], int
        ] = {}  # where this consumer stood when it last agreed with the model
        # Once: a consumer of aiokafka that is assigned again and again may never stop.
        consumer.assign(self._all)

    async def to_the_end(self) -> None:
        """Take everything written so far."""
        ends = await self._seek()
        while any(self._at(tp) < end for tp, end in ends.items()):
            if not await self._take(WAIT_MS):
                ends = {**ends, **await self._seek()}

    async def go_on(self) -> None:
        """Take what comes, once; waits a moment for it."""
        if not await self._take(WAIT_MS):
            await self._seek()

    def behind(self, ends: dict[TopicPartition, int]) -> int:
        """How many offsets are left up to these ends."""
        return sum(max(0, end - self._at(tp)) for tp, end in ends.items())

    async def ends(self) -> dict[TopicPartition, int]:
        """The ends of the mirrored partitions."""
        return dict(await self._consumer.end_offsets(self._all)) if self._all else {}

    def _at(self, tp: TopicPartition) -> int:
        return self.model.positions().get((self._short[tp.topic], tp.partition), 0)

    async def _seek(self) -> dict[TopicPartition, int]:
        """Stand where the model stands; where a topic was made anew, all are read anew. Returns the
        ends."""
        ends = await self.ends()
        if any(self._at(tp) > end for tp, end in ends.items()):
            self.model.empty()
        for tp in self._all:
            name, at = (self._short[tp.topic], tp.partition), self._at(tp)
            if self._stands.get(name) != at:
                self._stands[name] = at
                self._consumer.seek(tp, at)
        return ends

    async def _take(self, wait_ms: int) -> bool:
        """Take one batch; False when the model has been moved by another process."""
        batches = await self._consumer.getmany(timeout_ms=wait_ms, max_records=AT_ONCE)
        records = [
            Mirrored(
                self._short[record.topic],
                (record.key or b"").decode("utf-8", "replace"),
                record.value,
                f"{record.topic}/{record.partition}/{record.offset}",
                record.timestamp / 1000,
            )
            for held in batches.values()
            for record in held
        ]
        after = {}
        for tp in self._all:
            name = (self._short[tp.topic], tp.partition)
            # The position, not the last record: transaction markers take offsets too.
            position = await self._consumer.position(tp)
            if position != self._stands[name]:
                after[name] = position
        if not after:
            return True
        before = {name: self._stands[name] for name in after}
        if not self.model.apply(records, before, after):
            return False
        self._stands |= after
        return True


@contextlib.asynccontextmanager
async def mirror(settings: Settings) -> AsyncIterator[Mirror]:
    """The read model of an installation with its consumer. Raises KafkaError and OSError."""
    kafka = Kafka(settings.kafka)
    source = f"{await _cluster(kafka)}/{settings.kafka.topic_prefix}"
    with contextlib.closing(ReadModel(Path(settings.console.data), source)) as model:
        async with kafka.consuming() as consumer:
            yield Mirror(settings, model, consumer)


async def _cluster(kafka: Kafka) -> str:
    async with kafka.admin() as admin:
        return str((await admin.describe_cluster())["cluster_id"])
