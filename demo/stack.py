"""Starts everything in the order in which it is needed and ends it in the opposite one."""

import asyncio
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

import httpx

from contracts.settings import Settings, load
from demo.installation import Installation
from demo.processes import Child, ProcessDied, stop_all
from runtime.embedded_kafka import EmbeddedKafka
from runtime.kafka import Kafka

READY_S = 300.0
WATCH_S = 0.2
SERVICES = ("linker", "chargebee_adapter", "poweroffice_adapter", "console")


class Stack:
    """Kafka, both simulators and the services. Enter it to have all of them ready."""

    def __init__(self, installation: Installation, say: Callable[[str], None]) -> None:
        self.installation, self._say = installation, say
        ports = installation.ports
        self.broker = EmbeddedKafka(
            installation.data_dir / "kafka", ports["kafka"], ports["controller"], on_progress=say
        )
        self.settings: Settings
        self._simulators: list[Child] = []
        self._services: list[Child] = []

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
        simulators = self.installation.simulators()
        await self._ready({name: f"{self.installation.url(name)}/_sim/health" for name in simulators})
        self._say(f"Starting the services: {', '.join(SERVICES)}")
        environment = self.installation.environment()
        for name in SERVICES:
            log_path = self.installation.data_dir / f"{name}.log"
            self._services.append(Child(f"services.{name}", (), log_path, environment))
        await self._ready({name: f"{self.installation.url(name)}/health/live" for name in SERVICES})

    def _start_simulators(self) -> None:
        for name, arguments in self.installation.simulators().items():
            log_path = self.installation.data_dir / f"simulator-{name}.log"
            self._simulators.append(Child(f"simulators.{name}", arguments, log_path, {}))

    async def _ready(self, addresses: dict[str, str]) -> None:
        """Wait until each address answers. Raises ProcessDied, or TimeoutError naming who is silent."""
        silent = dict(addresses)
        until_s = time.monotonic() + READY_S
        async with httpx.AsyncClient(trust_env=False, timeout=2.0) as http:
            while silent:
                self.check()
                for name, address in list(silent.items()):
                    if await _answers(http, address):
                        del silent[name]
                if silent and time.monotonic() > until_s:
                    raise TimeoutError(f"no answer within {READY_S:.0f} s from {', '.join(silent)}")
                await asyncio.sleep(0.1 if silent else 0)

    def check(self) -> None:
        """Raises ProcessDied when any of the processes has ended."""
        for child in (*self._simulators, *self._services):
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
            stop_all(self._services)
            stop_all(self._simulators)
            self.broker.stop()

        await _uninterrupted(asyncio.create_task(asyncio.to_thread(stop)))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()


async def _answers(http: httpx.AsyncClient, address: str) -> bool:
    try:
        return (await http.get(address)).status_code == 200
    except httpx.TransportError:
        return False


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
