"""Tells on `heartbeats` that a process lives and how it is, from a thread with an event loop of its
own.

A service may be busy with its own loop for seconds, as when it restores a million links: what it
says of itself, and whether Kafka answers, must not depend on that. Nothing here ends or holds up
the service.
"""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec
import structlog
from aiokafka import AIOKafkaProducer

from contracts.messages import BEAT_S, STARTING, Heartbeat
from contracts.settings import Settings
from contracts.topics import HEARTBEATS, headers, heartbeat_key
from runtime.clock import iso_now
from runtime.harmless import cut, harmless
from runtime.kafka import AWAY, Kafka
from runtime.limits import within
from runtime.masking import masked
from runtime.probe import Probe
from runtime.version import version

log = structlog.get_logger()
LOOK_S = 1.0
SEND_S, CLOSE_S, LAST_S = 5.0, 1.0, 3.0
# without a word of the service's own loop; counted, so that a process that slept is not taken for
# one
STUCK_LOOKS = 30
PROBLEM_MAX = 500  # characters


class Heartbeats:
    """The heartbeats of one process. `probe` asks Kafka meanwhile; it may be replaced before
    `start`."""

    def __init__(self, settings: Settings, service: str) -> None:
        self._kafka = Kafka(settings.kafka)
        self.probe = Probe(self._kafka)
        self._beat = Heartbeat(
            service=service,
            slot="/".join(map(str, settings.slot)),
            version=version(),
            prefix=settings.kafka.topic_prefix,
            since=iso_now(),
            at="",
            beat=0,
        )
        self._problem: str | None = STARTING
        self._unheard = 0  # looks since the service's loop said anything
        self._busy_since: str | None = None
        self._topic_exists = False
        self._producer: AIOKafkaProducer | None = None
        self._sent: tuple[bool, str | None] | None = None  # what the last beat said
        self._sent_s = 0.0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake, self._saying = asyncio.Event(), asyncio.Lock()
        self._thread: threading.Thread | None = None

    # -- for the service, from its own loop

    def start(self) -> None:
        """Begin to ask Kafka; beats follow once the topic is known to exist."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._run, args=(self._loop,), name="heartbeats", daemon=True
        )
        self._thread.start()

    def begin(self) -> None:
        """The topic exists: beat from now on. A Kafka that creates topics by itself would make it
        wrongly before."""
        self._topic_exists = True

    def tell(self, problem: str | None) -> None:
        """What the service waits for, in words, None while it is ready. To be called every second
        or so: the service's loop is taken for busy when it is not."""
        self._unheard, self._busy_since = 0, None
        if problem != self._problem:
            self._problem = problem
            self._call(self._wake.set)

    def kafka_problem(self) -> str | None:
        """Since when Kafka does not answer, in words."""
        return self.probe.problem()

    async def told(self, limit_s: float = SEND_S) -> None:
        """Return once what was told last stands on the topic, or was tried in vain, or after
        `limit_s`."""
        if self._loop is not None:
            done = asyncio.run_coroutine_threadsafe(self._say_if_due(), self._loop)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.wrap_future(done), limit_s)

    async def stop(self, why: str | None = None) -> None:
        """The last beat, and the end of the thread, within LAST_S. `why` where the process was not
        asked to end."""
        if self._loop is None or self._thread is None or not self._thread.is_alive():
            return
        self._problem = why
        done = asyncio.run_coroutine_threadsafe(self._end(), self._loop)
        with contextlib.suppress(Exception):
            await asyncio.wait_for(asyncio.wrap_future(done), LAST_S)
        self._call(self._loop.stop)
        await asyncio.to_thread(self._thread.join, CLOSE_S)

    def _call(self, what: Callable[[], object]) -> None:
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # it has ended
                self._loop.call_soon_threadsafe(what)

    # -- in the thread

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        tasks = [loop.create_task(self._going_on(work)) for work in (self.probe.run, self._live)]
        try:
            loop.run_forever()
            for task in tasks:
                task.cancel()
            loop.run_until_complete(within(CLOSE_S, asyncio.gather(*tasks, return_exceptions=True)))
        finally:
            loop.close()

    async def _going_on(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        while True:
            try:
                await work()
            except Exception:
                log.exception("heartbeats.again")
            await asyncio.sleep(LOOK_S)

    async def _live(self) -> None:
        while True:
            self._unheard += 1
            if self._unheard > STUCK_LOOKS and self._busy_since is None:
                self._busy_since = iso_now()[11:19]
            await self._say_if_due()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self._wake.wait()
            self._wake.clear()

    def _words(self) -> str | None:
        words = self._problem
        if words is None and self._busy_since is not None:
            words = f"busy with one thing since {self._busy_since} UTC"
        return None if words is None else harmless(cut(masked(words), PROBLEM_MAX))

    async def _say_if_due(self) -> None:
        async with self._saying:
            if self._is_due():
                await self._say(stopped=False)

    def _is_due(self) -> bool:
        if not self._topic_exists or self.probe.problem() is not None:
            return False
        return self._sent != (False, self._words()) or time.monotonic() - self._sent_s >= BEAT_S

    async def _say(self, *, stopped: bool) -> None:
        """One beat; what hinders it is logged, and the next one is tried with a fresh producer."""
        words = self._words()
        beat = msgspec.structs.replace(
            self._beat, at=iso_now(), beat=self._beat.beat + 1, problem=words, stopped=stopped
        )
        self._beat = beat
        try:
            async with asyncio.timeout(SEND_S):
                await self._send(beat)
        except AWAY as error:
            log.warning("heartbeat.left_out", reason=type(error).__name__)
            await self._put_away()
        else:
            self._sent, self._sent_s = (stopped, words), time.monotonic()

    async def _send(self, beat: Heartbeat) -> None:
        if self._producer is None:
            # Idempotence would make a producer useless after one record that came too late.
            producer = AIOKafkaProducer(
                **self._kafka.options(),
                acks="all",
                request_timeout_ms=int(SEND_S * 1000),
                linger_ms=0,
            )
            try:
                await producer.start()
            except BaseException:
                await within(CLOSE_S, producer.stop())
                raise
            self._producer = producer
        key = heartbeat_key(beat.service, beat.slot)
        marks = headers(
            type="tandem.heartbeat.v1",
            id=f"{beat.service}/{beat.slot}/{beat.since}/{beat.beat}",
            source=f"tandem/{beat.service}",
            subject=beat.slot,
            time=beat.at,
        )
        name, value = self._kafka.name(HEARTBEATS), msgspec.json.encode(beat)
        await self._producer.send_and_wait(name, value, key=key, partition=0, headers=marks)

    async def _put_away(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            await within(CLOSE_S, producer.stop())

    async def _end(self) -> None:
        async with self._saying:
            if self._topic_exists and self.probe.problem() is None:
                await self._say(stopped=True)
            self._topic_exists = False  # nothing follows the last word
            await self._put_away()
