"""What the linker's process does beside its stream: the hourly tick, reading the ranges of replays,
and reading the map anew from its topic when an operator asks."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import Any

import msgspec
import structlog

from contracts import facts, signals
from contracts.messages import EntityMessage, Observed
from contracts.topics import ENTITY_TOPICS
from runtime.background import Background
from runtime.dead_letters import readable, reason_of
from runtime.kafka import AWAY
from services.linker.partitions import Partitions
from services.linker.restoring import restore
from services.linker.runs import facts as runs

log = structlog.get_logger()
TICK_S = 3600.0
AGAIN_S = 5.0
AT_ONCE = 200  # records of a replay in one transaction
_entity_decoder: msgspec.json.Decoder[EntityMessage] = msgspec.json.Decoder(EntityMessage)


class Upkeep:
    """Background work of one linker process."""

    def __init__(self, partitions: Partitions) -> None:
        self._partitions = partitions
        self.tasks = Background()
        self._ticked_s = time.monotonic()
        self._jobs: dict[
            str, tuple[str, asyncio.Task[None]]
        ] = {}  # by tenant: what for, and who does it

    def start(self) -> None:
        """Begin, and take up what an earlier process left."""
        self.tasks.begin("the hourly tick", self._tick)
        self.look(self._partitions.tenants())

    async def stop(self) -> None:
        await self.tasks.stop()

    def look(self, tenants: Iterable[str]) -> None:
        """Begin or end the work that the control facts of these tenants ask for."""
        for tenant in tenants:
            wanted = self._wanted(tenant)
            name, task = self._jobs.get(tenant, ("", None))
            if task is not None and name != wanted and task is not asyncio.current_task():
                task.cancel()  # unless it is the task itself whose last commit led here
                del self._jobs[tenant]
                name, task = "", None
            if wanted and (name != wanted or task is None or task.done()):
                work = self._reload if wanted.startswith("reload") else self._replay
                guarded = partial(self._guarded, wanted, work, tenant)
                kind = wanted.partition(" ")[0]
                job = self.tasks.begin(
                    f"{wanted} of {tenant}",
                    guarded,
                    tenant=tenant,
                    lasts=False,
                    counted_as=f"{kind} of {tenant}",
                )
                self._jobs[tenant] = (wanted, job)

    def _wanted(self, tenant: str) -> str:
        store = self._partitions.stores[tenant]
        asked = facts.get(store, facts.Reload)
        if asked is not None and asked.state == "asked":
            return f"reload {asked.signal}"
        run = runs.active(store.child())
        return (
            f"replay {run[0]}"
            if run and run[1].kind == "replay" and run[1].state == "reading"
            else ""
        )

    async def _guarded(
        self, what: str, work: Callable[[str], Awaitable[None]], tenant: str
    ) -> None:
        while self._wanted(tenant) == what:
            try:
                await work(tenant)
                return
            except AWAY as error:
                log.warning("upkeep.again", what=what, tenant=tenant, reason=reason_of(error))
                await asyncio.sleep(AGAIN_S)

    async def _tick(self) -> None:
        """Commits the positions anew too, since Kafka forgets those of an idle partition."""
        while True:
            await asyncio.sleep(max(0.0, self._ticked_s + TICK_S - time.monotonic()))
            for tenant in self._partitions.tenants():
                await self._partitions.tell(signals.Tick(), tenant)
            self._ticked_s = time.monotonic()  # not before: what failed is tried again soon

    # -- replay

    async def _replay(self, tenant: str) -> None:
        if (active := runs.active(self._partitions.stores[tenant].child())) is None:
            return
        run_id, run = active
        known = sorted(await self._names(tenant, run.args))
        names = [each for each in known if list(each) > run.after]
        for begin in range(0, max(len(names), 1), AT_ONCE):
            part = [list(each) for each in names[begin : begin + AT_ONCE]]
            last = begin + AT_ONCE >= len(names)
            said = signals.ReplayPart(run=run_id, records=part, last=last)
            await self._partitions.tell(said, tenant)

    async def _names(self, tenant: str, args: Mapping[str, Any]) -> set[tuple[str, str, str]]:
        """The records with events in the ranges, as (system, entity, id)."""
        found: set[tuple[str, str, str]] = set()
        partition = self._partitions.partition_of(tenant)
        for topic, (begin, end) in sorted(args["ranges"].items()):
            async for record in self._partitions.kafka.read_range(topic, partition, begin, end):
                event = readable(_entity_decoder, record)
                if (
                    isinstance(event, Observed)
                    and event.tenant == tenant
                    and _is_meant(event, args)
                ):
                    found.add((event.system, event.entity, event.id))
        return found

    # -- reload

    async def _reload(self, tenant: str) -> None:
        here, partition = self._partitions, self._partitions.partition_of(tenant)
        async with here.locks[partition]:
            fresh = here.store_anew(tenant)
            restored = await restore(here.kafka, {tenant: fresh}, (partition,))
            held = here.stores[tenant]
            differing = sorted(
                [name for name, value in held.links.walk() if fresh.links.find(name) != value]
                + [name for name in fresh.links if name not in held.links]
            )
            here.stores[tenant] = fresh
            await here.repair(restored.lost)
            asked = facts.get(fresh, facts.Reload)
            signal = asked.signal if asked is not None else None
            said = signals.Reloaded(
                signal=signal, links=len(fresh.links), differing=differing[:100]
            )
            await here.commit_told(partition, said, tenant)


def _is_meant(event: Observed, args: Mapping[str, Any]) -> bool:
    wanted = (("entity", event.entity), ("id", event.id), ("side", event.system))
    return (
        all(args.get(name) in (None, value) for name, value in wanted)
        and event.entity in ENTITY_TOPICS
    )
