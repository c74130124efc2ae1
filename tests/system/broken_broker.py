"""A Kafka of one test, to be paused, killed and made to refuse; it aborts transactions that took
too long at once."""

import asyncio
import gc
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from runtime import embedded_kafka
from runtime.embedded_kafka import EmbeddedKafka
from runtime.kafka import Kafka

ABORT_LATE = "transaction.abort.timed.out.transaction.cleanup.interval.ms=200\n"


@contextmanager
def own_broker(directory: Path) -> Iterator[EmbeddedKafka]:
    """Started, and stopped at the end."""
    properties = embedded_kafka.PROPERTIES
    embedded_kafka.PROPERTIES = properties + ABORT_LATE
    try:
        with EmbeddedKafka(directory, port=0, controller_port=0) as broker:
            try:
                yield broker
            finally:
                if broker.running:
                    os.kill(broker.pid, signal.SIGCONT)
    finally:
        embedded_kafka.PROPERTIES = properties
        # clients that were left behind; Python 3.11 may fail to compile while it collects them
        gc.collect()


async def paused(broker: EmbeddedKafka, seconds: float) -> None:
    """SIGSTOP, and SIGCONT after these seconds."""
    os.kill(broker.pid, signal.SIGSTOP)
    try:
        await asyncio.sleep(seconds)
    finally:
        os.kill(broker.pid, signal.SIGCONT)


async def allow(kafka: Kafka, topic: str, max_bytes: int) -> None:
    """Set max.message.bytes of one topic, all else as its default is."""
    async with kafka.admin() as admin:
        values = {"max.message.bytes": str(max_bytes)}
        resource = ConfigResource(ConfigResourceType.TOPIC, kafka.name(topic), configs=values)
        (answer,) = await admin.alter_configs([resource])
        assert [each[0] for each in answer.resources] == [0]
