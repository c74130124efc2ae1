"""Starts everything in the order in which it is needed and ends it in the opposite one."""

import asyncio
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

import httpx

from contracts.settings import Settings, load
from demo.installation import Installation
from demo.processes import Child, NotReady, ProcessDied, stop_all
from runtime.embedded_kafka import EmbeddedKafka
from runtime.kafka import Kafka

READY_S, TELL_EVERY_S, LOOK_S = 300.0, 10.0, 0.1
WATCH_S = 0.2
SERVICES = ("linker", "chargebee_adapter", "poweroffice_adapter", "console")


class Stack:
    """Kafka, both simulators and the services. Enter it to have all of them ready."""

    def __init__(self, installation: Installation, say: Callable[[str], None]) -> None:
        self.installation, self._say = installation, say
        ports = installation.ports
        self.broker = EmbeddedKafka(
            installation.data_dir / "kafka",
            ports["kafka"],
            ports["controller"],
            on_progress=self._say_from_a_thread,
        )
        self.settings: Settings
        self._loop = asyncio.get_running_loop()
        self._simulators: dict[str, Child] = {}
        self._services: dict[str, Child] = {}

    def _say_from_a_thread(self, line: str) -> None:
        self._loop.call_soon_threadsafe(self._say, line)

    async def __aenter__(self) -> Self:
        self.installation.write()
        self.settings = load(self.installation.config_path, self.installation.environment())
        self._start_simulators()
        try:
            await self._starting()
        except BaseException:
            await self.stop()
            raise
        return self

    async def _starting(self) -> None:
        # Waited for even when cancelled: a broker that is half started could not be stopped.
        await _uninterrupted(asyncio.create_task(asyncio.to_thread(self.broker.start)))
        await Kafka(self.settings.kafka).ensure_topics()
        await self._ready(self._simulators, "/_sim/health")
        self._say(f"Starting the services: {', '.join(SERVICES)}")
        environment = self.installation.environment()
        for name in SERVICES:
            log_path = self.installation.data_dir / f"{name}.log"
            self._services[name] = Child(f"services.{name}", (), log_path, environment)
        await self._ready(self._services, "/health/ready")

    def _start_simulators(self) -> None:
        for name, arguments in self.installation.simulators().items():
            log_path = self.installation.data_dir / f"simulator-{name}.log"
            self._simulators[name] = Child(f"simulators.{name}", arguments, log_path, {})

    async def _ready(self, children: Mapping[str, Child], path: str) -> None:
        """Wait until each of them is ready, and tell of those that take long. Raises ProcessDied,
        or NotReady."""
        silent: dict[str, str] = dict.fromkeys(children, "does not answer yet")
        began_s = told_s = time.monotonic()
        async with httpx.AsyncClient(trust_env=False, timeout=2.0) as http:
            while True:
                self.check()
                for name in list(silent):
                    words = await _why_not(http, f"{self.installation.url(name)}{path}")
                    if words is None:
                        del silent[name]
                    else:
                        silent[name] = words
                if not silent:
                    return
                now_s = time.monotonic()
                if now_s - told_s >= TELL_EVERY_S:
                    told_s = now_s
                    for name, words in silent.items():
                        self._say(f"   after {now_s - began_s:.0f} s {name} {words}")
                if now_s - began_s > READY_S:
                    name, words = next(iter(silent.items()))
                    raise NotReady(
                        f"{name} {words} after {READY_S:.0f} s. {children[name].last_words()}"
                    )
                await asyncio.sleep(LOOK_S)

    def check(self) -> None:
        """Raises ProcessDied when any of the processes has ended."""
        for child in (*self._simulators.values(), *self._services.values()):
            child.check()
        if self._services and not self.broker.running:
            raise ProcessDied(f"Kafka ended. From its log:\n{self.broker.last_log_lines()}")

    async def watch(self) -> None:
        """Look after the processes for ever. Raises ProcessDied."""
        while True:
            self.check()
            await asyncio.sleep(WATCH_S)

    async def stop(self) -> None:
        """Services first, then simulators, then Kafka; not to be interrupted."""

        def stop() -> None:
            stop_all(self._services.values())
            stop_all(self._simulators.values())
            self.broker.stop()

        await _uninterrupted(asyncio.create_task(asyncio.to_thread(stop)))

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()


async def _why_not(http: httpx.AsyncClient, address: str) -> str | None:
    """Why a process is not ready, in words; None when it is."""
    try:
        answer = await http.get(address)
    except httpx.TransportError:
        return "does not answer yet"
    if answer.status_code == 200:
        return None
    try:
        return f"is not ready: {answer.json()['problem']}"
    except (ValueError, LookupError, TypeError):
        return f"answers {answer.status_code}"


async def _uninterrupted(task: "asyncio.Task[None]") -> None:
    """Wait for a task to its end; a cancellation is handed on afterwards."""
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            if task.cancelled():
                raise
            cancelled = error
        except Exception:
            break
    if cancelled is not None:
        raise cancelled
    task.result()
