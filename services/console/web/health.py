"""What the overview says of the services and of the messages that they have not taken."""

import asyncio
import time
from typing import NamedTuple

from contracts.said import say
from contracts.settings import Settings
from runtime.clock import iso_now, utc_now
from runtime.kafka import AWAY, Kafka
from runtime.version import version
from services.console.heard import read_heartbeats, read_signals_left
from services.console.read import lag_of
from services.console.services import Judged, judge

LASTS_S, LOOK_S = 5.0, 5.0


class Health(NamedTuple):
    """How the services stood `at` a time (ISO 8601 UTC): what they say, and the messages that each
    consumer group has not taken."""

    judged: Judged
    lag: dict[str, int]
    at: str


class HealthWatch:
    """Looks when a page asks, and for all who ask within LASTS_S once; `health` is None until one
    was read, and `trouble` says why."""

    def __init__(self, settings: Settings) -> None:
        self._settings, self._lock, self._until_s = settings, asyncio.Lock(), 0.0
        self.health: Health | None = None
        self.trouble = [say("health_unread")]

    async def look(self) -> None:
        """Look, unless what was seen is new enough; what takes longer than LOOK_S is told as
        trouble."""
        async with self._lock:
            if time.monotonic() < self._until_s:
                return
            try:
                async with asyncio.timeout(LOOK_S * self._settings.console.patience):
                    self.health, self.trouble = await self._read(), []
            except AWAY as error:
                self.health = None
                self.trouble = [say("kafka_unread", why=type(error).__name__)]
            self._until_s = time.monotonic() + LASTS_S

    async def _read(self) -> Health:
        settings, kafka = self._settings, Kafka(self._settings.kafka)
        beats, left = await read_heartbeats(kafka), await read_signals_left(kafka, settings)
        judged = judge(settings, sorted(settings.tenants), beats, left, version(), utc_now())
        return Health(judged, await lag_of(settings), iso_now())
