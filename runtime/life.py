"""The life of a service: it waits for Kafka and its topics, restores its state, takes messages, and
ends.

At each moment it says in words what it waits for, on `/health/ready` and in its heartbeats.
"""

import asyncio
import contextlib
import gc
import os
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import structlog
from aiokafka import ConsumerRecord
from faststream.kafka import KafkaBroker
from prometheus_client.core import Metric
from starlette.routing import Mount, Route

from contracts import messages
from contracts.messages import STARTING
from contracts.said import SENTENCES
from contracts.settings import Settings
from runtime import traces
from runtime.broker import Subscription, make_broker
from runtime.dead_letters import reason_of
from runtime.harmless import harmless
from runtime.heartbeats import Heartbeats
from runtime.kafka import AWAY, Kafka, TopicError
from runtime.lag import Lag
from runtime.limits import within
from runtime.metrics import BUILD, KAFKA, READY, RESTORE_S, RESTORING, Collected
from runtime.topics_wait import until_topics
from runtime.unusable import Unusable
from runtime.version import version

log = structlog.get_logger()
TELL_S = 0.5
TAKING_S, RUNNING_S = 4.0, 4.0  # for the end: of what is being taken, and of the service itself
# Containers that may be left over before the young ones are looked through: what a client of HTTP
# leaves in circles is held until then, about half a kilobyte each.
YOUNG = 5_000
DIFFER, FAILED = 2, 3


class Running(Protocol):
    """What a service does around its subscriptions. `problem` is None while it is ready."""

    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    def problem(self) -> str | None: ...


@dataclass
class Service:
    """A named service: start it, then let its batches in."""

    name: str
    settings: Settings
    running: Running
    subscriptions: list[Subscription]
    port: int
    routes: Sequence[Route | Mount] = ()


class Life:
    """One life of a service. `started` says whether it works, `problem` what it waits for."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._heartbeats = Heartbeats(service.settings, service.name)
        self._phase: str | None = STARTING
        self._said: str | None = None  # what the heartbeats were last seen to say
        self._begun = False  # whether the service has something to stop
        self._broker: KafkaBroker | None = None
        self._refused: dict[str, str] = {}  # by topics, why Kafka gives nothing of them
        self._tasks: list[asyncio.Task[None]] = []
        self._lag = Lag(service.settings.kafka.topic_prefix)
        self._figures = Collected(self._seen)
        self.started = False

    def begin(self) -> None:
        """Begin to live, and to tell of it."""
        BUILD.labels(self._service.name, version()).set(1)
        self._figures.begin()
        self._heartbeats.start()
        self._tasks = [asyncio.create_task(work) for work in (self._live(), self._tell())]

    def problem(self) -> str | None:
        """What the service waits for, in words; None while it is ready. Ready is said last, so that
        whoever sees it finds the heartbeat too."""
        return self._waiting() or self._said

    def _waiting(self) -> str | None:
        return self._heartbeats.kafka_problem() or self._phase or self._own()

    def _own(self) -> str | None:
        refused = next(iter(self._refused.values()), None)
        return _ended(self._broker) or refused or self._service.running.problem()

    def _polled(self, topics: str, words: str | None) -> None:
        """Keep why Kafka gives nothing, until it does."""
        if words is None:
            self._refused.pop(topics, None)
        elif self._refused.get(topics) != words:
            self._refused[topics] = words
            log.error("consumer.refused", service=self._service.name, reason=words)

    async def stop(self) -> None:
        """End in order what can be ended in time, and say so."""
        name = self._service.name
        for task in self._tasks:
            task.cancel()
        left = [await within(TAKING_S, asyncio.gather(*self._tasks, return_exceptions=True))]
        if self._broker is not None:
            left.append(await within(TAKING_S, self._broker.stop()))
        if self._begun:
            left.append(await within(RUNNING_S, self._service.running.stop()))
        await self._heartbeats.stop()
        self._figures.end()
        traces.end()
        if told := [words for words in left if words is not None]:
            log.warning("stopped", service=name, left="; ".join(told))
        else:
            log.info("stopped", service=name)

    # -- from the first moment to the last message

    async def _live(self) -> None:
        try:
            await self._start()
        except TopicError as error:
            log.critical("topics.differ", service=self._service.name, reason=str(error))
            await self._end(str(error), DIFFER)
        except Unusable as error:
            print(harmless(str(error)), file=sys.stderr, flush=True)
            await self._end(str(error), DIFFER)
        except AWAY as error:
            log.critical("start.failed", service=self._service.name, reason=reason_of(error))
            await self._end(reason_of(error), FAILED)
        except Exception as error:
            log.exception("start.failed", service=self._service.name)
            await self._end(reason_of(error), FAILED)

    async def _start(self) -> None:
        service = self._service
        kafka = Kafka(service.settings.kafka)
        await until_topics(kafka, service.name, self._waits, self._heartbeats.begin)
        self._waits(messages.RESTORING)
        self._begun = True
        begun_s = time.monotonic()
        with restoring():
            await service.running.start()
        RESTORE_S.set(time.monotonic() - begun_s)
        await self._take()
        self.started = True
        await self._say()
        self._phase = None
        log.info("started", service=service.name)

    async def _take(self) -> None:
        service = self._service
        busy = [subscription for subscription in service.subscriptions if subscription.partitions]
        if busy:
            measured = [replace(each, handle=self._measured(each.handle)) for each in busy]
            self._broker = make_broker(service.settings, measured, self._polled)
            await self._broker.start()
        elif service.subscriptions:
            log.warning(
                "idle", service=service.name, reason="no configured tenant belongs to this slot"
            )

    def _measured(
        self, handle: Callable[[tuple[ConsumerRecord, ...]], Awaitable[None]]
    ) -> Callable[[tuple[ConsumerRecord, ...]], Awaitable[None]]:
        async def measured(records: tuple[ConsumerRecord, ...]) -> None:
            self._lag.taken(records)
            try:
                await handle(records)
            finally:
                self._lag.done(records)

        return measured

    def _seen(self) -> Iterator[Metric]:
        yield READY.of([((), float(self.problem() is None))])
        yield RESTORING.of([((), float(self._phase == messages.RESTORING))])
        yield KAFKA.of([((), float(self._heartbeats.kafka_problem() is None))])
        yield from self._lag.figures()

    def _waits(self, words: str) -> None:
        self._phase = words
        self._heartbeats.tell(words)

    async def _tell(self) -> None:
        while True:
            await asyncio.sleep(TELL_S)
            for subscriber in self._broker.subscribers if self._broker is not None else ():
                if (consumer := getattr(subscriber, "consumer", None)) is not None:
                    await self._lag.look(consumer)
            await self._say()

    async def _say(self) -> None:
        """Tell by heartbeat how the service is, and return once that stands there or was tried in
        vain."""
        away = self._heartbeats.kafka_problem()
        words = self._own() if self.started else self._waiting()
        self._heartbeats.tell(words)
        if (said := away or words) != self._said:
            await self._heartbeats.told()
            self._said = said

    async def _end(self, why: str, code: int) -> None:
        await self._heartbeats.stop(why)
        os._exit(code)


def _ended(broker: KafkaBroker | None) -> str | None:
    """Consumers are begun again by FastStream after an error, but not after a cancellation from
    within."""
    for subscriber in broker.subscribers if broker is not None else ():
        tasks: list[asyncio.Task[Any]] = getattr(subscriber, "tasks", [])
        if tasks and all(task.done() for task in tasks):
            return SENTENCES["consumer_ended"]
    return None


@contextlib.contextmanager
def restoring() -> Iterator[None]:
    """No garbage collection while long-lived state is built; afterwards that state is never looked
    through again."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.freeze()
        gc.set_threshold(YOUNG, 10, 10)
