"""Complete readings that an operator asked for: an adapter follows the run in `control` and reads
what it names.

`reconcile` has its readings published beside the ordinary events; `rebuild` has every record
published once more.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, get_args

import msgspec
import structlog

from contracts.entities import EntityName, System
from contracts.facts import Active, Run
from contracts.messages import Control, Observed, ReadingCompleted, SnapshotCompleted
from runtime.background import Background
from runtime.backoff import Backoff
from runtime.control import ControlView
from runtime.dead_letters import reason_of
from runtime.publisher import KafkaPublisher, Known, Publisher
from runtime.vendor import VendorError

log = structlog.get_logger()
KINDS = ("reconcile", "rebuild")
FIRST_BACKOFF_S, MAX_BACKOFF_S = 1.0, 60.0

ReadAll = Callable[[Publisher, EntityName, str], Awaitable[None]]
"""Publishes every record of an entity under a snapshot id, then that it is complete. Raises a
VendorError."""


class RunPublisher:
    """A publisher for one complete reading: everything is sent, and no cursor is moved. It rests
    while the run is paused."""

    def __init__(
        self, inner: KafkaPublisher, run: str, kind: str, may_go_on: asyncio.Event
    ) -> None:
        self._inner, self._run, self._kind, self._may_go_on = inner, run, kind, may_go_on

    def cursor(self, tenant: str, system: System, entity: str) -> dict[str, Any] | None:
        return None

    async def save_cursor(
        self, tenant: str, system: System, entity: str, value: dict[str, Any]
    ) -> None:
        return None

    def known(self, tenant: str, system: System, entity: EntityName) -> Mapping[str, Known]:
        return self._inner.known(tenant, system, entity)

    def max_observation(self, tenant: str, system: System) -> int:
        return self._inner.max_observation(tenant, system)

    async def publish(self, events: Sequence[Observed]) -> int:
        await self._may_go_on.wait()
        if self._kind == "rebuild":
            return await self._inner.publish(events, again=True)
        # Of a deleted record only its id counts; Chargebee lists what it held for ever, also once
        # it is forgotten.
        bare = [
            msgspec.structs.replace(event, data=None) if event.deleted else event
            for event in events
        ]
        await self._inner.publish_readings(self._run, bare)
        return len(events)

    async def snapshot_completed(self, message: SnapshotCompleted) -> None:
        await self._may_go_on.wait()
        if self._kind == "rebuild":
            await self._inner.snapshot_completed(message)
            return
        await self._inner.readings_completed(
            ReadingCompleted(
                run=self._run,
                tenant=message.tenant,
                system=message.system,
                entity=message.entity,
                records=message.records,
                completed_at=message.completed_at,
            )
        )


class RunFollower:
    """One tenant's share of the runs in one system. `ready` returns once the vendor account is the
    pinned one; `tasks` keeps the reading of a run going."""

    def __init__(
        self,
        tenant: str,
        system: System,
        control: ControlView,
        publisher: KafkaPublisher,
        read_all: ReadAll,
        ready: Callable[[], Awaitable[None]],
        tasks: Background,
    ) -> None:
        self._tenant, self._system, self._control, self._tasks = tenant, system, control, tasks
        self._publisher, self._read_all, self._ready = publisher, read_all, ready
        self._may_go_on = asyncio.Event()
        self._wake = asyncio.Event()
        self._wake.set()
        self._read: set[tuple[str, EntityName]] = (
            set()
        )  # by this process, also where control does not show it yet
        self.trouble: str | None = None
        control.on_change.append(self._changed)

    def _changed(self, control: Control) -> None:
        if control.tenant == self._tenant and control.kind in ("run", "active"):
            self._wake.set()

    async def follow(self) -> None:
        """For ever: read what the run under way wants of this system, and stop when it is over."""
        task: asyncio.Task[None] | None = None
        doing: str | None = None
        self._wake.set()
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                wanted = self._wanted()
                if task is not None and doing != wanted:
                    task.cancel()
                    await asyncio.gather(task, return_exceptions=True)
                    task, doing = None, None
                if wanted is not None and (task is None or task.done()):
                    what = f"reading run {wanted} of {self._tenant}"
                    reading = partial(self._carry_out, wanted)
                    task, doing = (
                        self._tasks.begin(what, reading, tenant=self._tenant, lasts=False),
                        wanted,
                    )
        finally:
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    def _wanted(self) -> str | None:
        """The id of the run for which something is left to be read here."""
        active = self._control.fact(self._tenant, Active, "run")
        run_id = active.id if active is not None else ""
        run = self._control.fact(self._tenant, Run, run_id)
        if run is None or run.kind not in KINDS:
            return None
        reads = run.state == "reading"
        if reads:
            self._may_go_on.set()
        else:
            self._may_go_on.clear()
        return run_id if (reads or run.state == "paused") and self._left(run_id) else None

    def _left(self, run_id: str) -> list[EntityName]:
        run = self._control.fact(self._tenant, Run, run_id)
        parts = run.parts if run is not None else {}
        return [
            entity
            for entity in get_args(EntityName)
            if parts.get(f"{self._system}/{entity}", 0) is None
            and (run_id, entity) not in self._read
        ]

    async def _carry_out(self, run_id: str) -> None:
        run = self._control.fact(self._tenant, Run, run_id)
        if run is None:
            return
        kind = run.kind
        publisher = RunPublisher(self._publisher, run_id, kind, self._may_go_on)
        backoff = Backoff(FIRST_BACKOFF_S, MAX_BACKOFF_S)
        about = {"tenant": self._tenant, "system": self._system, "run": run_id}
        try:
            while left := self._left(run_id):
                try:
                    await self._may_go_on.wait()
                    await self._ready()
                    await self._read_all(publisher, left[0], run_id)
                except Exception as error:
                    # The vendor's trouble has words of its own; anything else is told with its
                    # record, and tried again too.
                    words = str(error) if isinstance(error, VendorError) else reason_of(error)
                    self.trouble = f"{kind} {run_id}: {left[0]}: {words}"
                    log.warning("run.again", reason=words, **about)
                    await backoff.pause()
                else:
                    self.trouble = None
                    backoff.begin_again()
                    self._read.add((run_id, left[0]))
                    log.info("run.read", entity=left[0], **about)
        finally:
            self.trouble = None  # of a run that was cancelled there is none
