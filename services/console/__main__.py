"""Run the console's service: `python -m services.console`. It keeps the read model level with the
topics."""

import asyncio
import contextlib
import sqlite3
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import structlog
from prometheus_client.core import Metric
from starlette.applications import Starlette
from starlette.routing import Mount

from contracts.entities import ENTITIES
from contracts.said import SENTENCES
from contracts.settings import Settings, SettingsError, load
from runtime.background import Background
from runtime.clock import iso_now, utc_now
from runtime.kafka import AWAY
from runtime.life import Service
from runtime.metrics import Collected
from runtime.service import run
from runtime.unusable import Unusable
from services.console import metrics, model_file
from services.console.findings import KINDS
from services.console.mirror import Mirror, mirror
from services.console.model import ReadModel
from services.console.reports import count_ended
from services.console.web.app import WebConsole
from services.console.web.health import HealthWatch
from services.console.web.outside import outside

log = structlog.get_logger()
AGAIN_S = 2.0
COUNT_EVERY_S = 10.0
NOT_LEVEL = SENTENCES["reading_topics"]


class Keeper:
    """Follows the topics into the read model; not ready while it has not caught up, Kafka is away,
    or its file cannot be written."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._tasks = Background()
        self._trouble: str | None = NOT_LEVEL
        self._model: ReadModel | None = None
        self.states: dict[tuple[str, str, str], int] = {}
        self.findings: dict[tuple[str, str], int] = {}
        self.letters: dict[tuple[str, str], int] = {}
        self.since_s: dict[tuple[str, str, str], float] = {}
        self.behind = 0
        names = list(settings.tenants)
        self._none: dict[tuple[str, str], int] = {
            (name, kind): 0 for name in names for kind in KINDS
        }
        self._no_letters: dict[tuple[str, str], int] = {
            (name, each): 0 for name in names for each in ENTITIES
        }
        self._figures = Collected(self.collect)

    async def start(self) -> None:
        """Begin; the service is ready once the end has been reached."""
        self._tasks.begin("following the topics", self._keep)
        self._figures.begin()

    async def stop(self) -> None:
        self._figures.end()
        await self._tasks.stop()

    def page(self) -> Starlette:
        """The console's web page."""
        page = WebConsole(
            self._settings,
            lambda: self._model,
            outside(self._settings),
            HealthWatch(self._settings),
        )
        return page.app()

    def problem(self) -> str | None:
        return self._tasks.problem() or self._trouble

    async def _keep(self) -> None:
        self._trouble = self._trouble or NOT_LEVEL
        while True:
            try:
                async with mirror(self._settings) as held:
                    await held.to_the_end()
                    self._trouble, self._model = None, held.model
                    log.info("level", model=str(held.model.path))
                    try:
                        await self._follow(held)
                    finally:
                        self._model = None  # it is closed with the mirror
            except AWAY as error:
                self._trouble = f"{type(error).__name__}: {error}"
                log.warning("mirror.again", reason=self._trouble)
                await asyncio.sleep(AGAIN_S)
            except sqlite3.Error as error:
                if model_file.is_broken(error):
                    model_file.discard(Path(self._settings.console.data), error)
                error.add_note(
                    f"the read model in {self._settings.console.data}: make room there; or end "
                    f"this service and "
                    "delete the directory, it is made anew"
                )
                raise

    async def _follow(self, held: Mirror) -> None:
        counted_s = 0.0
        while True:
            await held.go_on()
            if time.monotonic() - counted_s > COUNT_EVERY_S:
                self.count(held.model)
                self.behind = held.behind(await held.ends())
                if self.behind == 0:
                    await asyncio.to_thread(self._count_runs, held.model)
                counted_s = time.monotonic()

    def _count_runs(self, model: ReadModel) -> None:
        """Count what comparisons found that have ended, in a thread of its own."""
        with contextlib.closing(model.another()) as own:
            for tenant in self._settings.tenants:
                count_ended(own, tenant, iso_now())

    def count(self, model: ReadModel) -> None:
        """Take the figures. A kind without findings is told as 0, so that an alert on it ends."""
        self.states, self.findings = model.states(), {**self._none, **model.findings_left()}
        self.letters = {**self._no_letters, **model.letters_left()}
        self.since_s = model.unsettled_since()

    def collect(self) -> Iterator[Metric]:
        """The figures as they were counted last; ages as of now."""
        now_s = utc_now().timestamp()
        yield metrics.LINKS.of(self.states.items())
        yield metrics.FINDINGS.of(self.findings.items())
        yield metrics.DEAD_LETTERS.of(self.letters.items())
        yield metrics.OLDEST_LINK_S.of(
            (names, max(0.0, now_s - at_s)) for names, at_s in self.since_s.items()
        )
        yield metrics.MODEL_LAG.of([((), self.behind)])


def _try_the_file(directory: Path) -> None:
    """See at the start whether the read model can be kept at all. Raises Unusable."""
    try:
        model_file.opened(directory).close()
    except sqlite3.Error as error:
        if not model_file.is_broken(error):
            raise Unusable(model_file.told(error, directory)) from None


def main() -> int:
    try:
        settings = load(needs=(), tenants=True)
        _try_the_file(Path(settings.console.data))
    except (SettingsError, Unusable) as error:
        print(error, file=sys.stderr)
        return 2
    keeper = Keeper(settings)
    page = [Mount("/", keeper.page())]
    return run(Service("console", settings, keeper, [], settings.ports.console, page))


if __name__ == "__main__":
    sys.exit(main())
