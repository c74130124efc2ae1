"""Whether Kafka answers, asked every second or so by a connection of its own."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.metadata import MetadataRequest

from runtime.clock import utc_now
from runtime.kafka import AWAY, Kafka
from runtime.limits import within

EVERY_S, ANSWER_S = 1.0, 3.0
MISSED = 2  # in a row: a process that slept finds one question too late, and nothing is wrong
CLOSE_S = 1.0
_NO_TOPIC: list[str] = []


class Probe:
    """Asks for the brokers, and for no topic. Kafka is away once MISSED questions in a row had no
    answer, which takes 8 s at the most (EVERY_S + ANSWER_S, MISSED times), and is back with the
    next answer.

    `run` belongs into an event loop that nothing keeps busy; `problem` may be asked from any
    thread. `clock` gives UTC.
    """

    def __init__(self, kafka: Kafka, clock: Callable[[], datetime] = utc_now) -> None:
        self._kafka, self._clock = kafka, clock
        self._client: AIOKafkaClient | None = None
        self._missed = 0
        self._since: datetime | None = None
        self._words: str | None = None

    def problem(self) -> str | None:
        """Since when Kafka does not answer, in words; None while it does."""
        return self._words

    async def run(self) -> None:
        """Ask for ever."""
        try:
            while True:
                await self.look()
                await asyncio.sleep(EVERY_S)
        finally:
            await self._close()

    async def look(self) -> None:
        """Ask once."""
        asked = self._clock()
        try:
            async with asyncio.timeout(ANSWER_S):
                await self._ask()
        except AWAY:  # a TimeoutError is one
            await (
                self._close()
            )  # the next question goes to whichever of the bootstrap servers answers
            self._missed += 1
            self._since = self._since or asked
            if self._missed >= MISSED:
                self._words = unanswered(self._kafka.settings.bootstrap, self._since)
        else:
            self._missed, self._since, self._words = 0, None, None

    async def _ask(self) -> None:
        if self._client is not None:
            node = self._client.get_random_node()
            await self._client.send(node, MetadataRequest(_NO_TOPIC, False))
            return
        options = self._kafka.options()
        servers = len(self._kafka.settings.bootstrap.split(","))
        client = AIOKafkaClient(
            **options, request_timeout_ms=max(1000, int(ANSWER_S * 1000 / servers))
        )
        try:
            await client.bootstrap()  # is answered by one of them, or raises
        except BaseException:
            await within(CLOSE_S, client.close())
            raise
        self._client = client

    async def _close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await within(CLOSE_S, client.close())


def unanswered(bootstrap: str, since: datetime) -> str:
    """The words for a Kafka that is away."""
    return f"Kafka at {bootstrap} does not answer since {since.astimezone(UTC):%H:%M:%S} UTC"
