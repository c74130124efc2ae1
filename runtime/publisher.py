"""What a source writes with: acknowledged events, repeats dropped, cursors; restored from its own
topics."""

import asyncio
import contextlib
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import msgspec
import structlog
from aiokafka.errors import KafkaError

from contracts import signals
from contracts.entities import EntityName, System
from contracts.messages import (
    Cursor,
    EntityMessage,
    Observed,
    Outcome,
    Reading,
    ReadingCompleted,
    SnapshotCompleted,
    ce_id,
)
from contracts.topics import ENTITY_TOPICS, headers, reading_key, record_key, snapshot_key
from runtime import traces
from runtime.adapter_metrics import EVENTS
from runtime.background import background
from runtime.clock import iso_now
from runtime.dead_letters import readable
from runtime.kafka import Kafka, Record, refusal_of
from runtime.sizes import too_large, unencodable

log = structlog.get_logger()
_encoder = msgspec.json.Encoder()
_outcome_decoder = msgspec.json.Decoder(Outcome)
_cursor_decoder = msgspec.json.Decoder(Cursor)
_entity_decoder: msgspec.json.Decoder[EntityMessage] = msgspec.json.Decoder(EntityMessage)


class Known(NamedTuple):
    """What was last published of a record."""

    version: str
    mapping: int
    digest: int
    deleted: bool

    @classmethod
    def of(cls, event: Observed) -> "Known":
        """What is known once an event is sent."""
        return cls(event.version, event.mapping, digest(event), event.deleted)

    def is_newer_than(self, event: Observed) -> bool:
        """Whether an event tells of an older state than was sent. A record is deleted last, maybe
        without a new version."""
        return (self.version, self.deleted) > (event.version, event.deleted)

    def stands_for(self, event: Observed) -> bool:
        """Whether an event tells nothing beyond this: it says the same, or is of a list that shows
        an older state than was sent."""
        if event.snapshot and event.mapping <= self.mapping and self.is_newer_than(event):
            return True
        return self[:3] == (event.version, event.mapping, digest(event))


def digest(event: Observed) -> int:
    """A number for the content of an event: data, deletion, stamp, problem and what is
    incomplete."""
    content = (event.data, event.deleted, event.stamp, event.problem, event.incomplete)
    try:
        value = _encoder.encode(content)
    except UnicodeEncodeError:
        value = repr(content).encode("utf-8", "backslashreplace")
    return zlib.crc32(value) << 32 | zlib.adler32(value)


@contextlib.contextmanager
def _publishing(event: Observed) -> Iterator[str | None]:
    """The step of sending an event, which ends once Kafka has it; its `traceparent`."""
    span = traces.start(
        f"publish {event.entity} of {event.system}",
        traces.current() if event.snapshot is None else None,
        "producer",
        begins=event.snapshot is None,
        tenant=event.tenant,
        entity=event.entity,
        cause=ce_id(event),
    )
    try:
        yield span.traceparent
    except BaseException as error:
        span.fail(type(error).__name__)
        raise
    finally:
        span.end()


def _tell(event: Observed) -> None:
    """Log that Kafka has an event: at level info what is new, at debug what belongs to a
    snapshot."""
    tell = log.info if event.snapshot is None else log.debug
    tell(
        "reading.published",
        tenant=event.tenant,
        system=event.system,
        entity=event.entity,
        cause=ce_id(event),
    )


class NotTaken(KafkaError):  # type: ignore[misc]
    """Kafka refused a record of a source; the text names it."""


class Publisher(Protocol):
    """What a source needs of Kafka."""

    def cursor(self, tenant: str, system: System, entity: str) -> dict[str, Any] | None: ...
    async def save_cursor(
        self, tenant: str, system: System, entity: str, value: dict[str, Any]
    ) -> None: ...
    async def publish(self, events: Sequence[Observed]) -> int: ...
    async def snapshot_completed(self, message: SnapshotCompleted) -> None: ...
    def known(self, tenant: str, system: System, entity: EntityName) -> Mapping[str, Known]: ...
    def max_observation(self, tenant: str, system: System) -> int: ...


class KafkaPublisher:
    """Publisher on an idempotent producer with acks=all: events first, then the cursor, no
    transactions."""

    def __init__(self, kafka: Kafka, system: System, partitions: Mapping[str, int]) -> None:
        self._kafka, self._system, self._partitions = kafka, system, partitions
        self._producer: Any = None
        self._leaving: asyncio.Task[None] | None = None
        self._renewing = asyncio.Lock()
        self._known: dict[tuple[str, EntityName], dict[str, Known]] = {}
        self._cursors: dict[tuple[str, str], dict[str, Any]] = {}
        self._max_observation: dict[str, int] = {}

    async def start(self) -> None:
        """Restore what was published, then be ready to send."""
        await self._restore()
        self._producer = self._kafka.producer()
        await self._producer.start()

    async def stop(self) -> None:
        if self._producer is not None:
            await self._producer.stop()

    async def _restore(self) -> None:
        partitions = sorted(set(self._partitions.values()))
        async for record in self._kafka.read(ENTITY_TOPICS.values(), partitions):
            event = readable(_entity_decoder, record)
            if isinstance(event, Observed) and event.system == self._system:
                self._remember(event)
        async for record in self._kafka.read(("outcomes",), partitions):
            outcome = readable(_outcome_decoder, record)
            if outcome is not None and outcome.target == self._system:
                self._note_observation(outcome.tenant, outcome.version)
        async for record in self._kafka.read(("cursors",), partitions):
            cursor = readable(_cursor_decoder, record)
            if cursor is not None and cursor.system == self._system:
                self._cursors[cursor.tenant, cursor.entity] = cursor.value

    def _remember(self, event: Observed) -> None:
        held = self._known.setdefault((event.tenant, event.entity), {})
        known = held.get(event.id)
        if known is None or not known.is_newer_than(event):
            held[event.id] = Known.of(event)
        self._note_observation(event.tenant, event.version)

    def _note_observation(self, tenant: str, version: str | None) -> None:
        _, mark, number = (version or "").partition("#")
        if mark and number.isdigit():
            self._max_observation[tenant] = max(self._max_observation.get(tenant, 0), int(number))

    def cursor(self, tenant: str, system: System, entity: str) -> dict[str, Any] | None:
        return self._cursors.get((tenant, entity))

    def known(self, tenant: str, system: System, entity: EntityName) -> Mapping[str, Known]:
        return self._known.setdefault((tenant, entity), {})

    def max_observation(self, tenant: str, system: System) -> int:
        return self._max_observation.get(tenant, 0)

    async def save_cursor(
        self, tenant: str, system: System, entity: str, value: dict[str, Any]
    ) -> None:
        self._cursors[tenant, entity] = value
        cursor = Cursor(tenant=tenant, system=system, entity=entity, at=iso_now(), value=value)
        await self._send(
            tenant,
            [Record("cursors", f"{tenant}/{system}/{entity}".encode(), _encoder.encode(cursor))],
        )

    async def publish(self, events: Sequence[Observed], *, again: bool = False) -> int:
        """Send events; returns how many were new (`again`: repeats are sent too). All are
        acknowledged by Kafka when this returns. A repeat follows what is new of the same record,
        since compaction keeps what was sent last; for the same reason a record of a list that is
        older than what was sent counts as a repeat."""
        fresh, repeated = [], Counter[tuple[str, EntityName]]()
        moved: set[tuple[str, EntityName, str]] = set()
        for event in events:
            record = (event.tenant, event.entity, event.id)
            known = (
                None
                if again or record in moved
                else self._known.get((event.tenant, event.entity), {}).get(event.id)
            )
            if known is not None and known.stands_for(event):
                repeated[event.tenant, event.entity] += 1
            else:
                fresh.append(event)
                moved.add(record)
        self._count(repeated, "repeated")
        if fresh:
            if any(event.snapshot is None for event in fresh):
                traces.used()
            with contextlib.ExitStack() as steps:

                def record_of(event: Observed) -> Record:
                    return self._record(event, steps.enter_context(_publishing(event)))

                await self._send(fresh[0].tenant, self._records(fresh, record_of))
        for event in fresh:
            self._remember(event)
            _tell(event)
        self._count(Counter((event.tenant, event.entity) for event in fresh), "published")
        return len(fresh)

    def _count(self, events: Mapping[tuple[str, EntityName], int], result: str) -> None:
        for (tenant, entity), count in events.items():
            EVENTS.labels(tenant, self._system, entity, result).inc(count)

    def _records(
        self, events: Sequence[Observed], record_of: Callable[[Observed], Record]
    ) -> list[Record]:
        """Events as records. Of one that no message can hold, that it is there and why its content
        is not."""
        records = []
        for event in events:
            what = f"{event.entity} {event.id} of {event.system}"
            try:
                record = record_of(event)
                problem = too_large(what, record, self._kafka.max_record_bytes)
            except UnicodeEncodeError as error:
                problem = unencodable(what, error)
            if problem is not None:
                log.error(
                    "reading.unsendable",
                    tenant=event.tenant,
                    system=event.system,
                    entity=event.entity,
                    id=event.id,
                    reason=problem.message,
                )
                stamp = event.stamp if problem.code == "too_large" else None
                # Mapping 0: nothing of it was mapped, so that the same version counts once it can
                # be sent.
                bare = msgspec.structs.replace(
                    event, data=None, stamp=stamp, incomplete=(), problem=problem, mapping=0
                )
                try:
                    record = record_of(bare)
                except UnicodeEncodeError:  # its id itself: no key can be made of it
                    log.error(
                        "reading.left_out",
                        tenant=event.tenant,
                        system=event.system,
                        entity=event.entity,
                        id=ascii(event.id),
                        reason="its id is no text",
                    )
                    continue
            records.append(record)
        return records

    def _record(self, event: Observed, traceparent: str | None) -> Record:
        key = record_key(event.tenant, event.system, event.id)
        source = f"tandem/{event.tenant}/{event.system}"
        marks = headers(
            type=f"tandem.{event.entity}.observed.v1",
            id=ce_id(event),
            source=source,
            subject=event.id,
            time=event.observed_at,
            traceparent=traceparent,
        )
        return Record(ENTITY_TOPICS[event.entity], key, _encoder.encode(event), marks)

    async def snapshot_completed(self, message: SnapshotCompleted) -> None:
        """On the entity's own topic and partition, after its last event."""
        marks = headers(
            type=f"tandem.{message.entity}.snapshot_completed.v1",
            id=f"{message.tenant}/{message.system}/{message.entity}/{message.snapshot}",
            source=f"tandem/{message.tenant}/{message.system}",
            subject="~snapshot",
            time=message.completed_at,
        )
        key = snapshot_key(message.tenant, message.system)
        record = Record(ENTITY_TOPICS[message.entity], key, _encoder.encode(message), marks)
        await self._send(message.tenant, [record])

    async def signal(self, tenant: str, said: signals.OfService) -> None:
        """Tell the linker something about a tenant."""
        at = iso_now()
        signal = signals.to(tenant, said, id=f"{self._system}-{said.KIND}-{at}", at=at)
        await self._send(tenant, [Record("signals", tenant.encode(), _encoder.encode(signal))])

    async def publish_readings(self, run: str, events: Sequence[Observed]) -> None:
        """Send what a run has found, beside the ordinary events; acknowledged when this returns."""

        def record_of(event: Observed) -> Record:
            key = reading_key(event.tenant, event.system, event.entity, event.id)
            marks = headers(
                type=f"tandem.{event.entity}.reading.v1",
                id=f"{run}/{ce_id(event)}",
                subject=event.id,
                source=f"tandem/{event.tenant}/{event.system}",
                time=event.observed_at,
            )
            return Record("readings", key, _encoder.encode(Reading(run=run, record=event)), marks)

        if events:
            await self._send(events[0].tenant, self._records(events, record_of))

    async def readings_completed(self, message: ReadingCompleted) -> None:
        """After the last reading of an entity."""
        key = reading_key(message.tenant, message.system, message.entity, "~completed")
        await self._send(message.tenant, [Record("readings", key, _encoder.encode(message))])

    async def _send(self, tenant: str, records: Sequence[Record]) -> None:
        partition, producer, sends = self._partitions[tenant], self._producer, []
        try:
            for record in records:
                future = await producer.send(
                    self._kafka.name(record.topic),
                    value=record.value,
                    key=record.key,
                    partition=partition,
                    headers=list(record.headers),
                )
                sends.append((record, future))
            await asyncio.gather(*(future for _, future in sends))
        except KafkaError as error:
            await self._renew(producer)
            for record, future in sends:
                if future.done() and (why := future.exception()) is not None:
                    key, name = (
                        record.key.decode("utf-8", "replace"),
                        self._kafka.name(record.topic),
                    )
                    raise NotTaken(
                        f"{name} did not take {key} of {record.size()} bytes: {refusal_of(why)}"
                    ) from error
            raise

    async def _renew(self, failed: Any) -> None:
        """After a refused record the numbers of an idempotent producer no longer fit: later ones
        would be refused."""
        async with self._renewing:
            if self._producer is failed:
                fresh = self._kafka.producer()
                await fresh.start()
                self._producer = fresh
                self._leaving = background(failed.stop(), "closing a producer")
