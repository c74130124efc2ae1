"""The linker on Kafka: batches split by partition, one transaction each, state absorbed after the
commit."""

import asyncio
import os

import structlog
from aiokafka import ConsumerRecord

from contracts.settings import Settings
from contracts.topics import LINKER_INPUTS
from runtime.clock import iso_now
from runtime.dead_letters import reason_of
from runtime.metrics import Collected
from services.linker.batch import Batch
from services.linker.figures import figures_of
from services.linker.metrics import DECIDE_S
from services.linker.partitions import Partitions
from services.linker.upkeep import Upkeep

log = structlog.get_logger()


class Linker:
    """What a linker process does: its stream, and its upkeep beside it."""

    def __init__(self, settings: Settings) -> None:
        self.state = Partitions(settings)
        prefix, name = len(settings.kafka.topic_prefix), self.state.kafka.name
        self._short = {name(topic): name(topic)[prefix:] for topic in LINKER_INPUTS}
        self._upkeep = Upkeep(self.state)
        self.state.on_commit = self._upkeep.look
        self._figures = Collected(lambda: figures_of(self.state.stores, iso_now()))

    async def start(self) -> None:
        """Restore the state, plan what still waits, and begin the upkeep."""
        await self.state.start()
        await self.state.tell_start()
        self._upkeep.start()
        self._figures.begin()

    async def stop(self) -> None:
        self._figures.end()
        await self._upkeep.stop()
        await self.state.stop()

    def problem(self) -> str | None:
        """Fencing outranks trouble beside the stream, and that what Kafka did not take."""
        told = self.state.problem()
        return told if self.state.fenced is not None else self._upkeep.tasks.problem() or told

    async def handle(self, records: tuple[ConsumerRecord, ...]) -> None:
        """Decide one batch; its partitions commit side by side. A lost partition is left to its new
        owner."""
        by_partition: dict[int, list[ConsumerRecord]] = {}
        for record in records:
            by_partition.setdefault(record.partition, []).append(record)
        await asyncio.gather(
            *(
                self._handle_partition(p, held)
                for p, held in by_partition.items()
                if not self.state.is_lost(p)
            )
        )

    async def _handle_partition(self, partition: int, records: list[ConsumerRecord]) -> None:
        held = self.state

        def decided() -> Batch:
            batch = Batch(held.kafka, held.stores, partition, iso_now())
            batch.positions = {
                record.topic: record.offset + 1 for record in records
            }  # in order per topic
            for record in records:
                batch.take(record, self._short[record.topic])
            return batch

        try:
            async with held.locks[partition]:
                with DECIDE_S.time():
                    await held.commit(partition, decided)
        except Exception as error:
            # FastStream would log this and go on with the next batch, past the records of this one.
            log.critical("batch.failed", partition=partition, reason=reason_of(error))
            os._exit(3)
