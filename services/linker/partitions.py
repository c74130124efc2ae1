"""The partitions of one linker process: the state of their tenants, and transactions that move
it."""

import asyncio
from collections.abc import Callable, Sequence

import structlog
from aiokafka.errors import ProducerFenced

from contracts import signals
from contracts.messages import Control
from contracts.settings import Settings
from contracts.topics import LINKER_INPUTS
from runtime.backoff import Backoff
from runtime.clock import iso_now
from runtime.kafka import Kafka
from runtime.metrics import FENCED
from runtime.transactions import NotCommitted, PartitionTransactions
from services.linker.batch import Batch
from services.linker.policy import policy_of
from services.linker.restoring import Lost, restore
from services.linker.store import Store

log = structlog.get_logger()
GROUP = "linker"
FIRST_BACKOFF_S, MAX_BACKOFF_S = 0.5, 30.0


class Partitions:
    """All partitions of this slot: the state of their tenants and one fenced producer each.
    `on_commit` is told the tenants of every transaction that was committed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.kafka = Kafka(settings.kafka)
        self.partitions = settings.my_partitions()
        self.stores: dict[str, Store] = {
            name: self.store_anew(name)
            for name in settings.tenants
            if settings.partition_of(name) in self.partitions
        }
        self._tenants_in: dict[int, list[str]] = {}
        for name in self.stores:
            self._tenants_in.setdefault(settings.partition_of(name), []).append(name)
        self._transactions = {
            p: PartitionTransactions(self.kafka, GROUP, p, GROUP) for p in self.partitions
        }
        self._positions: dict[int, dict[str, int]] = {p: {} for p in self.partitions}
        self.locks = {p: asyncio.Lock() for p in self.partitions}
        self.on_commit: Callable[[list[str]], None] | None = None
        self.fenced: int | None = None
        self._lost: set[int] = set()

    # -- life

    async def start(self) -> None:
        """Fence, restore control and links, and settle the positions to start from."""
        for transactions in self._transactions.values():
            await transactions.start()
        lost = await self._restore()
        known = {
            f"{topic}/{p}": at for p, held in self._positions.items() for topic, at in held.items()
        }
        start = await self.kafka.keep_positions(GROUP, LINKER_INPUTS, self.partitions, known)
        for name, offset in start.items():
            topic, _, number = name.rpartition("/")
            self._positions[int(number)][topic] = offset
        await self.repair(lost)

    async def repair(self, lost: Sequence[Lost]) -> None:
        """Write down what is known of links whose records cannot be read; for who holds the lock,
        or at the start."""
        for each in lost:

            def decided(each: Lost = each) -> Batch:
                batch = Batch(self.kafka, self.stores, self.partition_of(each.tenant), iso_now())
                batch.positions = dict(self._positions[batch.partition])
                batch.repair(each.tenant, each)
                return batch

            await self.commit(self.partition_of(each.tenant), decided)

    async def stop(self) -> None:
        for transactions in self._transactions.values():
            await transactions.stop()

    def problem(self) -> str | None:
        """Why nothing is decided, or not all of it; None while all is well."""
        if self.fenced is not None:
            return f"partition {self.fenced} was taken over by another process"
        troubles = [
            each.trouble for each in self._transactions.values() if each.trouble is not None
        ]
        return (
            f"{'; '.join(troubles)}; nothing of it was committed, it is tried again"
            if troubles
            else None
        )

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
        return [
            name for p, names in self._tenants_in.items() if p not in self._lost for name in names
        ]

    async def tell(self, said: signals.OfService, *tenants: str) -> None:
        """Decide a signal of this process itself for tenants of one partition, in a transaction of
        its own."""
        if not tenants:
            return
        partition = self._settings.partition_of(tenants[0])
        async with self.locks[partition]:
            await self.commit_told(partition, said, *tenants)

    async def commit_told(self, partition: int, said: signals.OfService, *tenants: str) -> None:
        """As `tell`, for who holds the partition's lock."""
        if partition in self._lost:
            return

        def decided() -> Batch:
            now = iso_now()
            batch = Batch(self.kafka, self.stores, partition, now)
            batch.positions = dict(self._positions[partition])
            for tenant in tenants:
                batch.tell(tenant, signals.to(tenant, said, id=f"{said.KIND}-{now}", at=now))
            return batch

        await self.commit(partition, decided)

    async def tell_start(self) -> None:
        """Plan what was held or still waits."""
        for partition in self.partitions:
            await self.tell(signals.Start(), *self._tenants_in.get(partition, ()))

    def is_lost(self, partition: int) -> bool:
        """Whether another process has taken a partition over."""
        return partition in self._lost

    async def commit(self, partition: int, decided: Callable[[], Batch]) -> None:
        """Decide and commit; what Kafka did not take is decided again from what is committed, until
        it is taken."""
        backoff = Backoff(FIRST_BACKOFF_S, MAX_BACKOFF_S)
        while partition not in self._lost:
            batch = decided()
            positions = {**self._positions[partition], **batch.positions}
            try:
                await self._transactions[partition].commit(
                    batch.records(positions), batch.positions
                )
            except ProducerFenced:
                self.fenced = partition
                FENCED.labels(partition).set(1)
                batch.undone("fenced")
                what = "another process took this partition; waiting for a person"
                log.error("fenced", partition=partition, what=what)
                self._lost.add(partition)
            except NotCommitted as error:
                batch.undone(str(error))
                log.error(
                    "batch.again", partition=partition, reason=str(error), again_in_s=backoff.next_s
                )
                await backoff.pause()
            else:
                self._positions[partition] = positions
                batch.absorb()
                if self.on_commit is not None:
                    self.on_commit(batch.tenants())
                return
