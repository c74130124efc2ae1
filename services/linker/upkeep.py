"""What the linker's process does beside its stream: the hourly tick, reading the ranges of replays, and reading the map
anew from its topic when an operator asks."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec
import structlog
from aiokafka.errors import KafkaError

from contracts.messages import EntityMessage, Observed
from contracts.topics import ENTITY_TOPICS
from runtime.background import background
from runtime.dead_letters import readable, reason_of
from services.linker import runs
from services.linker.restoring import restore

if TYPE_CHECKING:
    from services.linker.handlers import Linker

log = structlog.get_logger()
TICK_S = 3600.0
AGAIN_S = 5.0
AT_ONCE = 200  # records of a replay in one transaction
_entity_decoder: msgspec.json.Decoder[EntityMessage] = msgspec.json.Decoder(EntityMessage)


class Upkeep:
    """Background work of one linker process."""

    def __init__(self, linker: "Linker") -> None:
        self._linker = linker
        self._ticking: asyncio.Task[None] | None = None
        self.died: list[str] = []
        self._jobs: dict[str, tuple[str, asyncio.Task[None]]] = {}  # by tenant: what for, and who does it

    def start(self) -> None:
        """Begin, and take up what an earlier process left."""
        self._ticking = background(self._tick(), "the hourly tick", self.died.append)
        self.look(self._linker.tenants())

    async def stop(self) -> None:
        tasks = [task for _, task in self._jobs.values()] + ([self._ticking] if self._ticking else [])
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def look(self, tenants: Iterable[str]) -> None:
        """Begin or end the work that the control facts of these tenants ask for."""
        for tenant in tenants:
            wanted = self._wanted(tenant)
            name, task = self._jobs.get(tenant, ("", None))
            if task is not None and name != wanted and task is not asyncio.current_task():
                task.cancel()  # unless it is the task itself whose last commit led here
            if wanted and (name != wanted or task is None or task.done()):
                work = self._reload if wanted.startswith("reload") else self._replay
                job = background(self._guarded(wanted, work, tenant), f"{wanted} of {tenant}", self.died.append)
                self._jobs[tenant] = (wanted, job)

    def _wanted(self, tenant: str) -> str:
        store = self._linker.stores[tenant]
        asked = store.control("reload", "~")
        if asked and asked["state"] == "asked":
            return f"reload {asked['signal']}"
        run = runs.active(store.child())
        return f"replay {run[0]}" if run and run[1]["kind"] == "replay" and run[1]["state"] == "reading" else ""

    async def _guarded(self, what: str, work: Callable[[str], Any], tenant: str) -> None:
        while True:
            try:
                await work(tenant)
                return
            except (KafkaError, OSError) as error:
                log.warning("upkeep.again", what=what, tenant=tenant, reason=reason_of(error))
                await asyncio.sleep(AGAIN_S)

    async def _tick(self) -> None:
        """Commits the positions anew too, since Kafka forgets those of an idle partition."""
        while True:
            await asyncio.sleep(TICK_S)
            for tenant in self._linker.tenants():
                await self._linker.tell("tick", tenant)

    # -- replay

    async def _replay(self, tenant: str) -> None:
        run_id, run = runs.active(self._linker.stores[tenant].child()) or ("", {})
        names = [each for each in sorted(await self._names(tenant, run["args"])) if list(each) > run.get("after", [])]
        for begin in range(0, max(len(names), 1), AT_ONCE):
            part = [list(each) for each in names[begin : begin + AT_ONCE]]
            await self._linker.tell("replay_part", tenant, run=run_id, records=part, last=begin + AT_ONCE >= len(names))

    async def _names(self, tenant: str, args: Mapping[str, Any]) -> set[tuple[str, str, str]]:
        """The records with events in the ranges, as (system, entity, id)."""
        found: set[tuple[str, str, str]] = set()
        partition = self._linker.partition_of(tenant)
        for topic, (begin, end) in sorted(args["ranges"].items()):
            async for record in self._linker.kafka.read_range(topic, partition, begin, end):
                event = readable(_entity_decoder, record)
                if isinstance(event, Observed) and event.tenant == tenant and _is_meant(event, args):
                    found.add((event.system, event.entity, event.id))
        return found

    # -- reload

    async def _reload(self, tenant: str) -> None:
        linker, partition = self._linker, self._linker.partition_of(tenant)
        async with linker.locks[partition]:
            fresh = linker.store_anew(tenant)
            restored = await restore(linker.kafka, {tenant: fresh}, (partition,))
            held = linker.stores[tenant]
            names = {*held.links, *fresh.links}
            differing = sorted(name for name in names if held.links.get(name) != fresh.links.get(name))
            linker.stores[tenant] = fresh
            await linker.repair(restored.lost)
            signal = (fresh.control("reload", "~") or {}).get("signal")
            await linker.commit_told(
                partition, "reloaded", tenant, signal=signal, links=len(fresh.links), differing=differing[:100]
            )


def _is_meant(event: Observed, args: Mapping[str, Any]) -> bool:
    wanted = (("entity", event.entity), ("id", event.id), ("side", event.system))
    return all(args.get(name) in (None, value) for name, value in wanted) and event.entity in ENTITY_TOPICS
