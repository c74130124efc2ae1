"""The linker on Kafka: batches split by partition, one transaction each, state absorbed after the commit."""

import asyncio
import os
from collections.abc import Callable, Sequence
from typing import Any

import structlog
from aiokafka import ConsumerRecord
from aiokafka.errors import ProducerFenced
from prometheus_client import Histogram

from contracts.messages import Control, Signal
from contracts.settings import Settings
from contracts.topics import LINKER_INPUTS
from runtime.clock import iso_now
from runtime.dead_letters import reason_of
from runtime.kafka import Kafka
from runtime.transactions import NotCommitted, PartitionTransactions
from services.linker.batch import Batch
from services.linker.policy import policy_of
from services.linker.restoring import Lost, restore
from services.linker.store import Store
from services.linker.upkeep import Upkeep

log = structlog.get_logger()
GROUP = "linker"
FIRST_BACKOFF_S, MAX_BACKOFF_S = 0.5, 30.0
TRANSACTION_S = Histogram("tandem_linker_transaction_seconds", "Time of one transaction, decisions included")


class Linker:
    """All partitions of this slot: the state of their tenants and one fenced producer each."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.kafka = Kafka(settings.kafka)
        self.partitions = settings.my_partitions()
        prefix = len(settings.kafka.topic_prefix)
        self._short = {self.kafka.name(topic): self.kafka.name(topic)[prefix:] for topic in LINKER_INPUTS}
        self.stores: dict[str, Store] = {
            name: self.store_anew(name) for name in settings.tenants if settings.partition_of(name) in self.partitions
        }
        self._tenants_in: dict[int, list[str]] = {}
        for name in self.stores:
            self._tenants_in.setdefault(settings.partition_of(name), []).append(name)
        self._transactions = {p: PartitionTransactions(self.kafka, GROUP, p, GROUP) for p in self.partitions}
        self._positions: dict[int, dict[str, int]] = {p: {} for p in self.partitions}
        self.locks = {p: asyncio.Lock() for p in self.partitions}
        self._upkeep = Upkeep(self)
        self.fenced: int | None = None
        self._lost: set[int] = set()

    # -- life

    async def start(self) -> None:
        """Fence, restore control and links, settle the positions to start from, plan what still waits."""
        for transactions in self._transactions.values():
            await transactions.start()
        lost = await self._restore()
        known = {f"{topic}/{p}": at for p, held in self._positions.items() for topic, at in held.items()}
        start = await self.kafka.keep_positions(GROUP, LINKER_INPUTS, self.partitions, known)
        for name, offset in start.items():
            topic, _, number = name.rpartition("/")
            self._positions[int(number)][topic] = offset
        await self.repair(lost)
        for partition in self.partitions:
            await self.tell("start", *self._tenants_in.get(partition, ()))
        self._upkeep.start()

    async def repair(self, lost: Sequence[Lost]) -> None:
        """Write down what is known of links whose records cannot be read; for who holds the lock, or at the start."""
        for each in lost:

            def decided(each: Lost = each) -> Batch:
                batch = Batch(self.kafka, self.stores, self.partition_of(each.tenant), iso_now())
                batch.positions = dict(self._positions[batch.partition])
                batch.repair(each.tenant, each)
                return batch

            await self._commit(self.partition_of(each.tenant), decided)

    async def stop(self) -> None:
        await self._upkeep.stop()
        for transactions in self._transactions.values():
            await transactions.stop()

    def problem(self) -> str | None:
        if self.fenced is not None:
            return f"partition {self.fenced} was taken over by another process"
        if self._upkeep.died:
            return f"{self._upkeep.died[0]}; restart this process"
        troubles = [each.trouble for each in self._transactions.values() if each.trouble is not None]
        return f"{'; '.join(troubles)}; nothing of it was committed, it is tried again" if troubles else None

    async def _restore(self) -> list[Lost]:
        def take_position(partition: int, control: Control) -> None:
            self._positions[partition] = dict(control.value)

        restored = await restore(self.kafka, self.stores, self.partitions, take_position)
        links = sum(len(store.links) for store in self.stores.values())
        log.info("restored", links=links, records=restored.records, partitions=self.partitions)
        return restored.lost

    def store_anew(self, tenant: str) -> Store:
        """An empty store of a tenant."""
        return Store(tenant, policy_of(self._settings.tenants[tenant]))

    def partition_of(self, tenant: str) -> int:
        """The partition of a tenant, in every topic."""
        return self._settings.partition_of(tenant)

    def tenants(self) -> list[str]:
        """The tenants whose partition this process still has."""
        return [name for p, names in self._tenants_in.items() if p not in self._lost for name in names]

    async def tell(self, kind: str, *tenants: str, **args: Any) -> None:
        """Decide a signal of this process itself for tenants of one partition, in a transaction of its own."""
        if not tenants:
            return
        partition = self._settings.partition_of(tenants[0])
        async with self.locks[partition]:
            await self.commit_told(partition, kind, *tenants, **args)

    async def commit_told(self, partition: int, kind: str, *tenants: str, **args: Any) -> None:
        """As `tell`, for who holds the partition's lock."""
        if partition in self._lost:
            return

        def decided() -> Batch:
            now = iso_now()
            batch = Batch(self.kafka, self.stores, partition, now)
            batch.positions = dict(self._positions[partition])
            for tenant in tenants:
                batch.tell(tenant, Signal(tenant=tenant, id=f"{kind}-{now}", kind=kind, at=now, args=args))
            return batch

        await self._commit(partition, decided)

    # -- work

    async def handle(self, records: tuple[ConsumerRecord, ...]) -> None:
        """Decide one batch; its partitions commit side by side. A lost partition is left to its new owner."""
        by_partition: dict[int, list[ConsumerRecord]] = {}
        for record in records:
            by_partition.setdefault(record.partition, []).append(record)
        await asyncio.gather(
            *(self._handle_partition(p, held) for p, held in by_partition.items() if p not in self._lost)
        )

    async def _handle_partition(self, partition: int, records: list[ConsumerRecord]) -> None:
        def decided() -> Batch:
            batch = Batch(self.kafka, self.stores, partition, iso_now())
            batch.positions = {record.topic: record.offset + 1 for record in records}  # in order per topic
            for record in records:
                batch.take(record, self._short[record.topic])
            return batch

        try:
            async with self.locks[partition]:
                with TRANSACTION_S.time():
                    await self._commit(partition, decided)
        except Exception as error:
            # FastStream would log this and go on with the next batch, past the records of this one.
            log.critical("batch.failed", partition=partition, reason=reason_of(error))
            os._exit(3)

    async def _commit(self, partition: int, decided: Callable[[], Batch]) -> None:
        """Decide and commit; what Kafka did not take is decided again from what is committed, until it is taken."""
        backoff_s = FIRST_BACKOFF_S
        while partition not in self._lost:
            batch = decided()
            positions = {**self._positions[partition], **batch.positions}
            try:
                await self._transactions[partition].commit(batch.records(positions), batch.positions)
            except ProducerFenced:
                self.fenced = partition
                what = "another process took this partition; waiting for a person"
                log.error("fenced", partition=partition, what=what)
                self._lost.add(partition)
            except NotCommitted as error:
                log.error("batch.again", partition=partition, reason=str(error), again_in_s=backoff_s)
                await asyncio.sleep(backoff_s)
                backoff_s = min(MAX_BACKOFF_S, backoff_s * 2)
            else:
                self._positions[partition] = positions
                batch.absorb()
                self._upkeep.look(batch.tenants())
                return
