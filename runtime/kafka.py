"""What every service needs of Kafka: connections, topics as in the table, reading up to the end."""

import asyncio
import ssl
import uuid
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import InvalidTimestampError, KafkaError
from aiokafka.structs import OffsetAndMetadata

from contracts.said import Said, english, say
from contracts.settings import KafkaSettings
from contracts.topics import TOPICS, Topic
from runtime.limits import within
from runtime.topic_configs import set_config
from runtime.unusable import Unusable

BATCH_BYTES = 1_000_000  # of records that travel together; one that is larger travels alone
# of a message beside its key, value and headers, and what a command or letter adds to a record
OVERHEAD_BYTES = 4096
MAX_BYTES = "max.message.bytes"
TRANSACTION_TIMEOUT_MS = 15_000
RETRY_BACKOFF_MS = 20
FOLLOW_MS = 1000
FETCH_BYTES = 1 << 20  # of one partition at once, while a service works
READ_BYTES = (
    4 << 20
)  # when a topic is read through: a fetch is sent only after the last was used up
COORDINATOR_LOOKS = 25
# What says that Kafka cannot be used now. aiokafka asserts that it knows a broker; one that has
# just come back from a pause or a crash names none, not even itself, until its controller has taken
# it up again.
AWAY = (KafkaError, OSError, AssertionError)
# Refusals that only a person can end, and what they mean.
_MEANS: Mapping[type, str] = {
    InvalidTimestampError: "this machine's clock is an hour or more ahead of Kafka's; set it right",
}
CLOSE_S = 3.0  # a client that asks a Kafka that is away to be let go would wait for it
COMPRESSION: str | None = "zstd"  # benchmarks/RESULTS.md compares the codecs
_TOPIC_EXISTS, _UNKNOWN_TOPIC = 36, 3
OWNER = uuid.uuid4().hex[:12]  # of this process; begins the note beside every position it commits


class TopicError(Exception):
    """A topic cannot be created, or exists with other settings; the text names both."""


def refusal_of(error: BaseException | None) -> str:
    """The name of what a broker answered to a record, with what it means where that is known."""
    means = _MEANS.get(type(error))
    return type(error).__name__ if means is None else f"{type(error).__name__}, {means}"


class Record(NamedTuple):
    """One message to send: topic without prefix, key, value (None: forgotten or removed),
    headers."""

    topic: str
    key: bytes
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()

    def size(self) -> int:
        """The bytes of key, value and headers."""
        marks = sum(len(name) + len(mark) for name, mark in self.headers)
        return len(self.key) + len(self.value or b"") + marks


class Amiss(NamedTuple):
    """A topic that is not as it should be, and what to do."""

    said: Said
    fix: Said

    @property
    def words(self) -> str:
        """Both in one line."""
        return english(*self)


@dataclass(frozen=True)
class TopicsFound:
    """How the topics stand: the names, without prefix, of those that do not exist; those that take
    too small messages, and those that differ from the table in a way that no start mends."""

    missing: list[str]
    small: list[Amiss]
    differing: list[Amiss]


@dataclass(frozen=True)
class Kafka:
    """Connection settings and the topic prefix; makes clients."""

    settings: KafkaSettings

    def name(self, topic: str) -> str:
        """The full name of a topic of the table."""
        return self.settings.topic_prefix + topic

    @property
    def max_record_bytes(self) -> int:
        """What key, value and headers of one record may have together."""
        return self.settings.max_message_bytes - OVERHEAD_BYTES

    def options(self) -> dict[str, Any]:
        """Keyword arguments of every aiokafka client. Raises Unusable where the authority's file
        cannot be read."""
        held = self.settings
        options: dict[str, Any] = {
            "bootstrap_servers": held.bootstrap,
            "security_protocol": held.security_protocol,
            "retry_backoff_ms": RETRY_BACKOFF_MS,
        }
        if "SSL" in held.security_protocol:
            options["ssl_context"] = _trusting(held.ssl_cafile)
        if "SASL" in held.security_protocol:
            options["sasl_mechanism"] = held.sasl_mechanism
            options["sasl_plain_username"] = held.sasl_username
            options["sasl_plain_password"] = (
                held.sasl_password and held.sasl_password.get_secret_value()
            )
        return options

    def producer(
        self, transactional_id: str | None = None, *, timeout_ms: int = TRANSACTION_TIMEOUT_MS
    ) -> AIOKafkaProducer:
        """An idempotent producer; a transactional one fences its namesakes when started, and the
        broker aborts what it leaves open for `timeout_ms`."""
        extra: dict[str, Any] = {}
        if transactional_id is not None:
            extra = {
                "transactional_id": self.settings.topic_prefix + transactional_id,
                "transaction_timeout_ms": timeout_ms,
            }
        return AIOKafkaProducer(
            **self.options(),
            acks="all",
            enable_idempotence=True,
            linger_ms=0,
            request_timeout_ms=10_000,
            max_batch_size=min(BATCH_BYTES, self.max_record_bytes),
            compression_type=COMPRESSION,
            max_request_size=self.settings.max_message_bytes,
            **extra,
        )

    def consumer(
        self, group: str | None = None, fetch_bytes: int = FETCH_BYTES
    ) -> AIOKafkaConsumer:
        """A committed-only consumer from the beginning that commits nothing by itself."""
        return AIOKafkaConsumer(
            **self.options(),
            group_id=group and self.settings.topic_prefix + group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            max_partition_fetch_bytes=max(fetch_bytes, self.settings.max_message_bytes),
        )

    @asynccontextmanager
    async def consuming(
        self, group: str | None = None, *, fetch_bytes: int = FETCH_BYTES
    ) -> AsyncIterator[AIOKafkaConsumer]:
        """A consumer that is started, and stopped at the end."""
        consumer = self.consumer(group, fetch_bytes=fetch_bytes)
        try:
            await consumer.start()
            yield consumer
        finally:
            # One that is stopped before its task has taken a step, as with no partition to read,
            # raises CancelledError.
            await asyncio.sleep(0)
            await within(CLOSE_S, consumer.stop())

    @asynccontextmanager
    async def admin(self) -> AsyncIterator[AIOKafkaAdminClient]:
        """An admin client that is started, and closed at the end."""
        admin = AIOKafkaAdminClient(**self.options())
        try:
            await admin.start()
            yield admin
        finally:
            await within(CLOSE_S, admin.close())

    async def read(
        self, topics: Iterable[str], partitions: Iterable[int]
    ) -> AsyncIterator[ConsumerRecord]:
        """Every committed record of these partitions, from the beginning up to the end at the time
        of the call."""
        async for records in self.read_lists(topics, partitions):
            for record in records:
                yield record

    async def read_lists(
        self, topics: Iterable[str], partitions: Iterable[int]
    ) -> AsyncIterator[list[ConsumerRecord]]:
        """As `read`, some of one partition at once: for who reads a million."""
        async with self.consuming(fetch_bytes=READ_BYTES) as consumer:
            wanted = [
                TopicPartition(self.name(topic), each) for topic in topics for each in partitions
            ]
            consumer.assign(wanted)
            ends = await consumer.end_offsets(wanted)
            open_ends = {tp for tp in wanted if ends[tp] > 0}
            while open_ends:
                for records in (await consumer.getmany(timeout_ms=200, max_records=5000)).values():
                    yield records
                # Position, not the last record: transaction markers take offsets too.
                for tp in list(open_ends):
                    if await consumer.position(tp) >= ends[tp]:
                        open_ends.discard(tp)

    async def read_range(
        self, topic: str, partition: int, begin: int, end: int
    ) -> AsyncIterator[ConsumerRecord]:
        """The committed records of one partition with offsets from `begin` up to, not including,
        `end`."""
        async with self.consuming() as consumer:
            tp = TopicPartition(self.name(topic), partition)
            consumer.assign([tp])
            consumer.seek(tp, begin)
            end = min(end, (await consumer.end_offsets([tp]))[tp])
            while await consumer.position(tp) < end:
                for records in (await consumer.getmany(timeout_ms=200, max_records=5000)).values():
                    for record in records:
                        if record.offset < end:
                            yield record

    async def follow(
        self, topics: Iterable[str], partitions: Iterable[int]
    ) -> AsyncIterator[ConsumerRecord | None]:
        """Every committed record of these partitions from the beginning, and what comes, for ever.
        None stands where the end at the time of the call was reached."""
        async with self.consuming() as consumer:
            wanted = [
                TopicPartition(self.name(topic), each) for topic in topics for each in partitions
            ]
            consumer.assign(wanted)
            ends = await consumer.end_offsets(wanted) if wanted else {}
            open_ends: set[TopicPartition] | None = {tp for tp in wanted if ends[tp] > 0}
            while True:
                if open_ends is not None:
                    for tp in list(open_ends):
                        if await consumer.position(tp) >= ends[tp]:
                            open_ends.discard(tp)
                    if not open_ends:
                        open_ends = None
                        yield None
                for records in (await consumer.getmany(timeout_ms=FOLLOW_MS)).values():
                    for record in records:
                        yield record

    async def end_offsets(
        self, topics: Iterable[str], partitions: Iterable[int]
    ) -> dict[TopicPartition, int]:
        """The end of each of these partitions."""
        async with self.consuming() as consumer:
            wanted = [
                TopicPartition(self.name(topic), each) for topic in topics for each in partitions
            ]
            return dict(await consumer.end_offsets(wanted))

    async def keep_positions(
        self, group: str, topics: Iterable[str], partitions: Iterable[int], known: Mapping[str, int]
    ) -> dict[str, int]:
        """Commit the position of every assigned partition, since offsets of static consumers
        expire.

        Where the group has no offset the one in `known` (`topic/partition` -> offset) is taken,
        else 0. Returns the positions the group starts from.
        """
        async with self.consuming(group) as consumer:
            wanted = [
                TopicPartition(self.name(topic), each) for topic in topics for each in partitions
            ]
            consumer.assign(wanted)
            start: dict[TopicPartition, int] = {}
            for tp in wanted:
                committed = await consumer.committed(tp)
                held = known.get(f"{tp.topic}/{tp.partition}", 0)
                start[tp] = held if committed is None else max(committed, held)
            if start:
                await consumer.commit(
                    {tp: OffsetAndMetadata(offset, OWNER) for tp, offset in start.items()}
                )
            return {f"{tp.topic}/{tp.partition}": offset for tp, offset in start.items()}

    async def positions(
        self, group: str, partition: int
    ) -> dict[TopicPartition, OffsetAndMetadata]:
        """The committed positions of a group in one partition of its topics."""
        async with self.admin() as admin:
            for looks_left in reversed(range(COORDINATOR_LOOKS)):
                try:
                    held = await admin.list_consumer_group_offsets(
                        self.settings.topic_prefix + group
                    )
                    return {tp: each for tp, each in held.items() if tp.partition == partition}
                except AWAY as error:  # a group's coordinator takes a moment to be made, or to move
                    if not getattr(error, "retriable", True) or not looks_left:
                        raise
                await asyncio.sleep(0.2)
        raise AssertionError("the last look returns or raises")

    async def owners(self, group: str, partition: int) -> set[str]:
        """Who committed the positions of a partition: the `OWNER` of a process, of several only in
        between."""
        held = await self.positions(group, partition)
        return {each.metadata.partition("/")[0] for each in held.values()}

    async def ensure_topics(self) -> list[str]:
        """Create the topics of the table that do not exist, and raise `max.message.bytes` where it
        is too small, as in installations of before; returns what was done, a line each.

        Raises TopicError when a topic cannot be created or raised, or exists with other settings.
        """
        async with self.admin() as admin:
            existing = set(await admin.list_topics())
            missing = [topic for topic in TOPICS if self.name(topic.name) not in existing]
            if missing:
                await self._create(admin, missing)
            present = [topic for topic in TOPICS if topic not in missing]
            configs = await self._configs(admin, present)
            raised = [name for name, held in configs.items() if self._is_small(held)]
            refused = []
            for name in raised:
                wanted = str(self.settings.max_message_bytes)
                if (words := await set_config(admin, name, {MAX_BYTES: wanted})) is not None:
                    refused.append(f"{self._smallness(name, configs[name]).words} ({words})")
                configs[name] = {**configs[name], MAX_BYTES: wanted}
            differing = await self._differences(admin, present, configs)
            problems = [*refused, *(each.words for each in differing)]
            if problems:
                raise TopicError("\n".join(problems))
            return [f"created {self.name(topic.name)}" for topic in missing] + [
                f"raised {MAX_BYTES} of {name}" for name in raised
            ]

    async def check_topics(self) -> list[str]:
        """What is missing or differs from the table, in words; empty when all is right."""
        found = await self.look_at_topics()
        return [
            *(f"{self.name(name)}: does not exist" for name in found.missing),
            *(each.words for each in (*found.small, *found.differing)),
        ]

    async def look_at_topics(self) -> TopicsFound:
        """How the topics stand to the table."""
        async with self.admin() as admin:
            existing = set(await admin.list_topics())
            listed = [topic for topic in TOPICS if self.name(topic.name) in existing]
            configs = await self._configs(admin, listed)
            present = [
                topic for topic in listed if self.name(topic.name) in configs
            ]  # not one that is just being made
            return TopicsFound(
                missing=[topic.name for topic in TOPICS if topic not in present],
                small=[
                    self._smallness(name, held)
                    for name, held in configs.items()
                    if self._is_small(held)
                ],
                differing=await self._differences(admin, present, configs),
            )

    async def topic_names(self) -> set[str]:
        """The full names of all topics that this Kafka shows us."""
        async with self.admin() as admin:
            return set(await admin.list_topics())

    def _is_small(self, config: Mapping[str, str]) -> bool:
        return int(config.get(MAX_BYTES, "0")) < self.settings.max_message_bytes

    def _smallness(self, name: str, config: Mapping[str, str]) -> Amiss:
        held = {"value": config.get(MAX_BYTES), "wanted": self.settings.max_message_bytes}
        said = say("topic_small", topic=name, name=MAX_BYTES, **held)
        return Amiss(said, say("topic_small_set"))

    async def _create(self, admin: AIOKafkaAdminClient, topics: Sequence[Topic]) -> None:
        replication = self.settings.replication
        extra = {"min.insync.replicas": "2"} if replication >= 3 else {}
        wanted = [
            NewTopic(
                self.name(topic.name),
                self.settings.partitions,
                replication,
                topic_configs={
                    **topic.config,
                    MAX_BYTES: str(self.settings.max_message_bytes),
                    **extra,
                },
            )
            for topic in topics
        ]
        # aiokafka does not raise for refused topics: the answer has the codes.
        for answer in (await admin.create_topics(wanted)).topic_errors:
            name, code = answer[0], answer[1]
            if code not in (0, _TOPIC_EXISTS):
                raise TopicError(
                    f"topic {name} cannot be created: Kafka error {code} {answer[2] or ''}".strip()
                )

    async def _configs(
        self, admin: AIOKafkaAdminClient, topics: Sequence[Topic]
    ) -> dict[str, dict[str, str]]:
        """The settings of topics that exist, by full name; one that Kafka does not know yet is left
        out."""
        resources = [
            ConfigResource(ConfigResourceType.TOPIC, self.name(topic.name)) for topic in topics
        ]
        answers = await admin.describe_configs(resources) if resources else []
        return {
            resource[3]: {entry[0]: entry[1] for entry in resource[4]}
            for answer in answers
            for resource in answer.resources
            if resource[0] != _UNKNOWN_TOPIC
        }

    async def _differences(
        self,
        admin: AIOKafkaAdminClient,
        topics: Sequence[Topic],
        configs: Mapping[str, Mapping[str, str]],
    ) -> list[Amiss]:
        problems: list[Amiss] = []
        names = [self.name(topic.name) for topic in topics]
        if not names:
            return problems
        found = {
            each["topic"]: len(each["partitions"]) for each in await admin.describe_topics(names)
        }
        for name, partitions in found.items():
            if partitions not in (0, self.settings.partitions):  # 0: it is just being made
                counts = {"value": partitions, "wanted": self.settings.partitions}
                said = say("topic_partitions", topic=name, **counts)
                problems.append(Amiss(said, say("topic_partitions_set")))
        for topic in topics:
            held = configs.get(self.name(topic.name), {})
            for key, value in topic.config.items():
                if _normal(held.get(key)) != _normal(value):
                    facts = {"name": key, "value": held.get(key), "wanted": value}
                    said = say("topic_config", topic=self.name(topic.name), **facts)
                    problems.append(Amiss(said, say("topic_config_set")))
        return problems


def _trusting(cafile: str | None) -> ssl.SSLContext:
    """A context that trusts the authorities of a PEM file, or the system's. Raises Unusable."""
    try:
        return ssl.create_default_context(cafile=cafile)
    except ssl.SSLError:
        wrong, fix = "holds no certificate", "name a PEM file with the authority's certificate"
    except OSError as error:
        wrong, fix = (
            f"cannot be read ({error.strerror})",
            "correct the path, or make the file readable for this user",
        )
    except ValueError:
        wrong, fix = "is not a usable path", "correct the path"
    raise Unusable(f"kafka.ssl_cafile: {cafile} {wrong}; {fix}")


def _normal(value: str | None) -> str | None:
    return None if value is None else ",".join(sorted(value.replace(" ", "").split(",")))
