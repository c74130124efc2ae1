"""The linker on Kafka: batches split by partition, one transaction each, state absorbed after the commit."""

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import structlog
from aiokafka import ConsumerRecord
from aiokafka.errors import ProducerFenced
from prometheus_client import Counter as Metric
from prometheus_client import Histogram

from contracts.entities import ENTITY_TYPES
from contracts.messages import (
    Command,
    Control,
    DeadLetter,
    EntityMessage,
    JournalEntry,
    Observed,
    Outcome,
    Reading,
    ReadingMessage,
    Signal,
)  # fmt: skip
from contracts.settings import Settings
from contracts.topics import LINKER_INPUTS, headers
from runtime.clock import iso_now
from runtime.dead_letters import reason_of, undecodable
from runtime.kafka import Kafka, Record
from runtime.transactions import NotCommitted, PartitionTransactions
from services.linker.decide import Message, decide
from services.linker.plan import Output, Tombstone
from services.linker.policy import policy_of
from services.linker.state import by_id
from services.linker.store import Overlay, Store, link_id
from services.linker.upkeep import Upkeep, restore

log = structlog.get_logger()
GROUP = "linker"
FIRST_BACKOFF_S, MAX_BACKOFF_S = 0.5, 30.0
_encoder = msgspec.json.Encoder()
_entity_decoder: msgspec.json.Decoder[EntityMessage] = msgspec.json.Decoder(EntityMessage)
_outcome_decoder = msgspec.json.Decoder(Outcome)
_signal_decoder = msgspec.json.Decoder(Signal)
_reading_decoder: msgspec.json.Decoder[ReadingMessage] = msgspec.json.Decoder(ReadingMessage)

EVENTS = Metric("tandem_linker_events_total", "Messages read, by what they led to", ["result"])
COMMANDS = Metric("tandem_linker_commands_total", "Commands sent", ["entity", "target", "op", "lane"])
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
        await self._restore()
        known = {f"{topic}/{p}": at for p, held in self._positions.items() for topic, at in held.items()}
        start = await self.kafka.keep_positions(GROUP, LINKER_INPUTS, self.partitions, known)
        for name, offset in start.items():
            topic, _, number = name.rpartition("/")
            self._positions[int(number)][topic] = offset
        for partition in self.partitions:
            await self.tell("start", *self._tenants_in.get(partition, ()))
        self._upkeep.start()

    async def stop(self) -> None:
        await self._upkeep.stop()
        for transactions in self._transactions.values():
            await transactions.stop()

    def problem(self) -> str | None:
        if self.fenced is not None:
            return f"partition {self.fenced} was taken over by another process"
        troubles = [each.trouble for each in self._transactions.values() if each.trouble is not None]
        return f"{'; '.join(troubles)}; nothing of it was committed, it is tried again" if troubles else None

    async def _restore(self) -> None:
        def take_position(partition: int, control: Control) -> None:
            self._positions[partition] = dict(control.value)

        count = await restore(self.kafka, self.stores, self.partitions, take_position)
        links = sum(len(store.links) for store in self.stores.values())
        log.info("restored", links=links, records=count, partitions=self.partitions)

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

        def decided() -> "_Batch":
            now = iso_now()
            batch = _Batch(self, partition, now)
            batch.positions = dict(self._positions[partition])
            for tenant in tenants:
                batch.decide(tenant, Signal(tenant=tenant, id=f"{kind}-{now}", kind=kind, at=now, args=args))
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
        def decided() -> "_Batch":
            batch = _Batch(self, partition, iso_now())
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

    async def _commit(self, partition: int, decided: "Callable[[], _Batch]") -> None:
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


class _Batch:
    """The decisions of one transaction on overlays of the tenants' stores."""

    def __init__(self, linker: Linker, partition: int, now: str) -> None:
        self._linker, self.partition, self._now = linker, partition, now
        self._overlays: dict[str, Overlay] = {}
        self._outputs: list[Output] = []
        self._dead: list[Record] = []
        self._results: Counter[str] = Counter()
        self.positions: dict[str, int] = {}

    def take(self, record: ConsumerRecord, topic: str) -> None:
        """Decide one record; whatever is wrong with it goes to the dead letters, and the batch goes on."""
        if record.value is None:
            self._results["forgotten"] += 1
            return
        message: Message | None = None
        try:
            message = _decode(topic, record.value)
            tenant = message.record.tenant if isinstance(message, Reading) else message.tenant
            if tenant not in self._linker.stores:
                raise ValueError(f"no settings for tenant {tenant!r}; add it or remove its messages")
            self.decide(tenant, message)
        except Exception as error:
            # The boundary: one bad message must never stop a partition.
            self._results["dead_letter"] += 1
            log.error("message.failed", topic=record.topic, offset=record.offset, reason=reason_of(error))
            self._dead.append(undecodable(record, reason_of(error)))
            self._mark_broken(message, reason_of(error))

    def decide(self, tenant: str, message: Message) -> None:
        overlay = self._overlays.get(tenant)
        if overlay is None:
            overlay = self._overlays[tenant] = self._linker.stores[tenant].child()
        state, outputs = decide(overlay, message, self._now)
        assert isinstance(state, Overlay)
        self._results["acted" if outputs else "changed" if state.changes else "absorbed"] += 1
        overlay.absorb(state)
        self._outputs.extend(outputs)

    def _mark_broken(self, message: Message | None, reason: str) -> None:
        if not isinstance(message, Observed | Outcome) or message.tenant not in self._overlays:
            return
        overlay = self._overlays[message.tenant]
        if isinstance(message, Outcome):
            link = overlay.get(message.entity, message.link)
        else:
            link = by_id(overlay, message.entity, message.system, message.id)
        if link is not None:
            link.state, link.reason = "broken", reason[:500]
            overlay.put(link)

    def records(self, positions: Mapping[str, int]) -> list[Record]:
        """Everything the transaction sends, the position record last."""
        sent = list(self._dead)
        for tenant, overlay in self._overlays.items():
            for name, (value, _, _) in overlay.changes.items():
                if value is not None or self._linker.stores[tenant].raw(name) is not None:
                    sent.append(Record("links", f"{tenant}/{name}".encode(), value))
            for key, fact in overlay.controls.items():
                kind, _, id = key.partition("/")
                control = Control(tenant=tenant, kind=kind, id=id, at=self._now, value=fact)
                sent.append(Record("control", f"{tenant}/{key}".encode(), _encoder.encode(control)))
        sent.extend(_record_of(output, self._now) for output in self._outputs)
        mark = Control(tenant="~", kind="position", id=f"p{self.partition:02d}", at=self._now, value=dict(positions))
        sent.append(Record("control", f"~/position/p{self.partition:02d}".encode(), _encoder.encode(mark)))
        return sent

    def tenants(self) -> list[str]:
        """The tenants that it decided about."""
        return list(self._overlays)

    def absorb(self) -> None:
        """Take over what was committed; metrics are counted once per batch, since finding a label costs a decision's
        tenth."""
        for tenant, overlay in self._overlays.items():
            self._linker.stores[tenant].absorb(overlay)
        sent = Counter((o.entity, o.target, o.op, o.lane) for o in self._outputs if isinstance(o, Command))
        for labels, count in sent.items():
            COMMANDS.labels(*labels).inc(count)
        for result, count in self._results.items():
            EVENTS.labels(result).inc(count)


def _decode(topic: str, value: bytes) -> Message:
    if topic == "outcomes":
        return _outcome_decoder.decode(value)
    if topic == "signals":
        return _signal_decoder.decode(value)
    message: Message = (_reading_decoder if topic == "readings" else _entity_decoder).decode(value)
    event = message.record if isinstance(message, Reading) else message
    if isinstance(event, Observed) and event.data is not None:
        # Only checks: the linker works on the JSON form.
        msgspec.convert(event.data, ENTITY_TYPES[event.entity])
    return message


def _record_of(output: Output, now: str) -> Record:
    match output:
        case Command():
            key = f"{output.tenant}/{link_id(output.entity, output.link)}"
            marks = headers(type=f"tandem.{output.entity}.command.v1", id=f"{key}/{output.seq}",
                            source=f"tandem/{output.tenant}/linker", subject=output.link, time=now,
                            cause=output.cause)  # fmt: skip
            return Record(f"commands.{output.target}", key.encode(), _encoder.encode(output), marks)
        case JournalEntry():
            name = link_id(output.entity, output.link) if output.entity else f"signal/{output.link}"
            key = f"{output.tenant}/{name}/{output.entry}"
            return Record("journal", key.encode(), _encoder.encode(output))
        case DeadLetter():
            return Record("dead-letters", (output.key or "").encode(), _encoder.encode(output))
        case Signal():
            return Record("signals", output.tenant.encode(), _encoder.encode(output))
        case Tombstone():
            return Record(output.topic, output.key.encode(), None)
