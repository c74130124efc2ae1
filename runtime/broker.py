"""The consuming broker of a service: raw batches from static partitions, handed over as they
are."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import ConsumerRecord
from aiokafka.errors import KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker, KafkaMessage, TopicPartition
from faststream.kafka.message import FAKE_CONSUMER
from faststream.security import BaseSecurity, SASLPlaintext, SASLScram256, SASLScram512

from contracts.settings import Settings
from runtime.dead_letters import reason_of
from runtime.kafka import Kafka

BATCH_RECORDS = 2000


@dataclass(frozen=True)
class Subscription:
    """A handler of raw batches from static partitions; it decodes record by record, and never
    raises."""

    topics: Sequence[str]
    partitions: Sequence[int]
    group: str
    handle: Callable[[tuple[ConsumerRecord, ...]], Awaitable[None]]


def _security(settings: Settings) -> BaseSecurity | None:
    held = settings.kafka
    if held.security_protocol == "PLAINTEXT":
        return None
    context = Kafka(held).options().get("ssl_context")
    if "SASL" not in held.security_protocol:
        return BaseSecurity(ssl_context=context)
    kinds = {"SCRAM-SHA-256": SASLScram256, "SCRAM-SHA-512": SASLScram512}
    kind = kinds.get(held.sasl_mechanism or "", SASLPlaintext)
    password = held.sasl_password.get_secret_value() if held.sasl_password else ""
    return kind(username=held.sasl_username or "", password=password, ssl_context=context)


def _nobody(_topics: str, _words: str | None) -> None:
    return None


def make_broker(
    settings: Settings,
    subscriptions: Sequence[Subscription],
    told: Callable[[str, str | None], None] = _nobody,
) -> KafkaBroker:
    """A consuming broker with one raw batch subscriber per subscription; producers are the
    services' own. `told(topics, words)` hears after each poll why Kafka gave nothing, None where it
    did."""
    broker = KafkaBroker(
        settings.kafka.bootstrap.split(","),
        consumer_only=True,
        logger=None,
        security=_security(settings),
        retry_backoff_ms=20,
    )
    prefix = settings.kafka.topic_prefix
    for subscription in subscriptions:
        partitions = [
            TopicPartition(prefix + t, p)
            for t in subscription.topics
            for p in subscription.partitions
        ]
        subscriber = broker.subscriber(
            partitions=partitions,
            group_id=prefix + subscription.group,
            batch=True,
            max_records=BATCH_RECORDS,
            batch_timeout_ms=20,
            fetch_max_wait_ms=100,
            ack_policy=AckPolicy.MANUAL,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            no_reply=True,
            parser=_raw_batch,
            decoder=_raw_bodies,
            max_partition_fetch_bytes=settings.kafka.max_message_bytes,
        )
        _listen(subscriber, ", ".join(subscription.topics), told)
        subscriber(_handler(subscription))
    return broker


def _listen(subscriber: Any, topics: str, told: Callable[[str, str | None], None]) -> None:
    """FastStream asks again for ever where Kafka refuses, and says so to nobody."""
    asked = subscriber.get_msg

    async def get_msg(consumer: Any) -> Any:
        try:
            records = await asked(consumer)
        except KafkaError as error:
            told(topics, f"Kafka gives nothing of {topics}: {reason_of(error)}")
            raise
        told(topics, None)
        return records

    subscriber.get_msg = get_msg


async def _raw_batch(records: tuple[ConsumerRecord, ...]) -> KafkaMessage:
    """The batch as it came. FastStream's own parser reads every header as text, and passes over the
    whole batch, without a word, where one has no value or is no UTF-8."""
    where = f"{records[0].offset}-{records[-1].offset}"
    return KafkaMessage(records, [], consumer=FAKE_CONSUMER, correlation_id=where)


async def _raw_bodies(message: KafkaMessage) -> Any:
    return None


def _handler(subscription: Subscription) -> Callable[[Any, KafkaMessage], Awaitable[None]]:
    async def handle(body: Any, message: KafkaMessage) -> None:
        raw: Any = message.raw_message
        await subscription.handle(tuple(raw) if isinstance(raw, list | tuple) else (raw,))

    return handle
