"""Run the console's service: `python -m services.console`. It keeps the read model level with the topics."""

import asyncio
import sys
import time
from typing import Any

import structlog
import uvloop
from aiokafka.errors import KafkaError
from prometheus_client import REGISTRY
from prometheus_client.core import GaugeMetricFamily, Metric

from contracts.settings import Settings, SettingsError, load
from runtime.service import Service, run
from services.console.mirror import Mirror, mirror

log = structlog.get_logger()
AGAIN_S = 2.0
COUNT_EVERY_S = 10.0


class Keeper:
    """Follows the topics into the read model; not ready while it has not caught up, or Kafka is away."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._task: asyncio.Task[None] | None = None
        self._trouble: str | None = "reading the topics"
        self.states: dict[tuple[str, str, str], int] = {}

    async def start(self) -> None:
        """Begin; the service is ready once the end has been reached."""
        self._task = asyncio.create_task(self._keep())
        REGISTRY.register(_Collector(self))

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def problem(self) -> str | None:
        return self._trouble

    async def _keep(self) -> None:
        while True:
            try:
                async with mirror(self._settings) as held:
                    await held.to_the_end()
                    self._trouble = None
                    log.info("level", model=str(held.model.path))
                    await self._follow(held)
            except (KafkaError, OSError) as error:
                self._trouble = f"{type(error).__name__}: {error}"
                log.warning("mirror.again", reason=self._trouble)
                await asyncio.sleep(AGAIN_S)

    async def _follow(self, held: Mirror) -> None:
        counted_s = 0.0
        while True:
            await held.go_on()
            if time.monotonic() - counted_s > COUNT_EVERY_S:
                self.states, counted_s = held.model.states(), time.monotonic()


class _Collector:
    """Prometheus figures of the links, read when they are asked for."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper

    def collect(self) -> list[Metric]:
        links = GaugeMetricFamily("tandem_links", "Links, by state", labels=["tenant", "entity", "state"])
        for names, count in self._keeper.states.items():
            links.add_metric(list(names), count)
        return [links]


def main() -> int:
    try:
        settings: Any = load()
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    uvloop.install()
    run(Service("console", settings, Keeper(settings), [], settings.ports.console))
    return 0


if __name__ == "__main__":
    sys.exit(main())
