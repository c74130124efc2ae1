"""How commands reach a vendor: two lanes, bounded workers per tenant, finished commands answered, one fenced commit.

Commands finish in any order; outcomes and the offset of the finished prefix are written in one transaction of the
partition's own producer, so that two overlapping processes cannot both finish a command.
"""

import asyncio
import contextlib
import itertools
import random
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
import structlog
from aiokafka import ConsumerRecord
from aiokafka.errors import ProducerFenced

from contracts.entities import System
from contracts.messages import Command, Outcome, Problem
from contracts.topics import headers, link_key
from runtime.background import background
from runtime.clock import iso_now
from runtime.dead_letters import UNREADABLE, readable, reason_of, undecodable
from runtime.kafka import Kafka, Record
from runtime.sizes import too_large, unencodable
from runtime.transactions import NotCommitted, PartitionTransactions
from runtime.vendor import Refused, Retriable, Unauthorised

_encoder = msgspec.json.Encoder()
_command_decoder = msgspec.json.Decoder(Command)
_outcome_decoder = msgspec.json.Decoder(Outcome)
log = structlog.get_logger()
MAX_WAITING = 2000
KEEP_POSITIONS_EVERY_S = 3600.0
FIRST_BACKOFF_S, MAX_BACKOFF_S = 0.25, 10.0

Apply = Callable[[Command], Awaitable[Outcome]]


def _nothing_held(_command: Command) -> Problem | None:
    return None


@dataclass
class Lane:
    """One tenant's vendor: how commands are applied, whether it can be reached, and why a command that was sent must
    not be carried out after all (`held`)."""

    apply: Apply
    probe: Callable[[], Awaitable[None]]
    held: Callable[[Command], Problem | None] = _nothing_held
    retry_s: float = 300.0
    workers: int = 4
    unreachable: str | None = None
    queue: "asyncio.PriorityQueue[tuple[int, int, _Job]]" = field(default_factory=asyncio.PriorityQueue)


@dataclass(eq=False)
class _Job:
    command: Command | None
    partition: int
    offset: int
    look_first: bool = False
    done: bool = False
    records: list[Record] = field(default_factory=list)


class _Partition:
    """The jobs of one partition in offset order, and what is finished but not yet committed."""

    def __init__(self, transactions: PartitionTransactions) -> None:
        self.transactions = transactions
        self.jobs: dict[int, _Job] = {}
        self.finished: list[Record] = []
        self.changed = asyncio.Event()

    def prefix(self) -> int | None:
        """The position after the finished prefix, dropping it."""
        position = None
        for offset, job in list(self.jobs.items()):
            if not job.done:
                break
            position = offset + 1
            del self.jobs[offset]
        return position


class SinkRunner:
    """Takes the commands of one vendor and answers each with an outcome.

    `signal(tenant, kind, args)` tells the linker that a vendor can be reached again. `on_fenced()` is called
    when another process has taken a partition over; then no further command is begun.
    """

    def __init__(
        self, kafka: Kafka, system: System, partitions: list[int], lanes: Mapping[str, Lane],
        signal: Callable[[str, str, dict[str, Any]], Awaitable[None]],
    ) -> None:  # fmt: skip
        self._kafka, self._system, self._lanes, self._signal = kafka, system, lanes, signal
        self.topic = f"commands.{system}"
        self.group = f"{system}_adapter"
        self._finished: dict[bytes, tuple[int, bytes]] = {}
        self._attempted_below: dict[int, int] = {}
        self._locks: dict[bytes, asyncio.Lock] = {}
        self._partitions = {
            each: _Partition(PartitionTransactions(kafka, self.group, each, self.group)) for each in partitions
        }
        self._room = asyncio.Event()
        self._numbers = itertools.count()
        self._tasks: list[asyncio.Task[None]] = []
        self.fenced: int | None = None
        self._died: list[str] = []
        self.on_fenced: Callable[[], None] = lambda: None
        self.outcomes: dict[tuple[str, str], int] = {}

    async def start(self) -> None:
        """Fence, restore finished commands, then work. Call before the broker starts."""
        for partition in self._partitions.values():
            await partition.transactions.start()
        async for record in self._kafka.read(("outcomes",), self._partitions):
            outcome = readable(_outcome_decoder, record)
            if outcome is not None and record.key is not None and outcome.target == self._system:
                self._finish(record.key, outcome.seq, record.value)
        ends = await self._kafka.end_offsets((self.topic,), self._partitions)
        self._attempted_below = {tp.partition: end for tp, end in ends.items()}
        await self._kafka.keep_positions(self.group, (self.topic,), self._partitions, {})
        for number, partition in self._partitions.items():
            self._begin(self._commit_loop(number, partition), f"committing outcomes of partition {number}")
        for tenant, lane in self._lanes.items():
            for _ in range(lane.workers):
                self._begin(self._work(tenant, lane), f"carrying out commands of {tenant}")
            self._begin(self._probe_loop(tenant, lane, first=True), f"probing the vendor of {tenant}")

    def _begin(self, work: Coroutine[Any, Any, None], what: str) -> None:
        self._tasks.append(background(work, what, self._died.append))

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for partition in self._partitions.values():
            await partition.transactions.stop()

    def problem(self) -> str | None:
        """Why outcomes are not committed now, or None."""
        if self.fenced is not None:
            return f"partition {self.fenced} was taken over by another process"
        if self._died:
            return f"{self._died[0]}; restart this process"
        troubles = [each.transactions.trouble for each in self._partitions.values() if each.transactions.trouble]
        return f"{'; '.join(troubles)}; the outcomes are kept and sent again" if troubles else None

    async def take(self, records: tuple[ConsumerRecord, ...]) -> None:
        """Queue a batch of commands; waits while too many are queued."""
        for record in records:
            try:
                self._take_one(record)
            except Exception as error:
                # FastStream would log it and go on past the whole batch.
                self._refuse(record, reason_of(error))
        while sum(len(partition.jobs) for partition in self._partitions.values()) > MAX_WAITING:
            self._room.clear()
            await self._room.wait()

    def _take_one(self, record: ConsumerRecord) -> None:
        partition = self._partitions[record.partition]
        job = _Job(None, record.partition, record.offset)
        partition.jobs[record.offset] = job
        if record.value is None:  # the word that a command was erased
            self._done(job, [])
            return
        try:
            command = _command_decoder.decode(record.value)
        except UNREADABLE as error:
            self._refuse(record, str(error))
            return
        job.command = command
        key = link_key(command.tenant, command.entity, command.link)
        finished_seq, answer = self._finished.get(key, (0, b""))
        lane = self._lanes.get(command.tenant)
        if command.seq <= finished_seq:
            again = [Record("outcomes", key, answer)] if command.seq == finished_seq else []
            self._done(job, again)
        elif lane is None:
            problem = Problem(code="unknown_tenant", message=f"no settings for tenant {command.tenant}")
            self._answer(job, key, _refusal(command, "parked", problem))
        else:
            job.look_first = command.look_first or record.offset < self._attempted_below[record.partition]
            lane.queue.put_nowait((0 if command.lane == "live" else 1, next(self._numbers), job))

    def _refuse(self, record: ConsumerRecord, reason: str) -> None:
        log.error("command.undecodable", topic=record.topic, offset=record.offset, reason=reason)
        job = self._partitions[record.partition].jobs[record.offset]
        self._done(job, [undecodable(record, reason, self._kafka.max_record_bytes)])

    async def _work(self, tenant: str, lane: Lane) -> None:
        while True:
            _, _, job = await lane.queue.get()
            if self.fenced is not None:
                # Another process has these commands now; what this one did could not be committed.
                return
            assert job.command is not None
            key = link_key(job.command.tenant, job.command.entity, job.command.link)
            async with self._locks.setdefault(key, asyncio.Lock()):
                if job.command.seq <= self._finished.get(key, (0, b""))[0]:
                    self._done(job, [])
                    continue
                outcome = await self._attempt(tenant, lane, job)
                self._answer(job, key, outcome)
            if not self._locks[key].locked():
                self._locks.pop(key, None)

    async def _attempt(self, tenant: str, lane: Lane, job: _Job) -> Outcome:
        """Apply one command; retriable trouble is repeated with backoff for retry_s, then parked."""
        assert job.command is not None
        command = msgspec.structs.replace(job.command, look_first=job.look_first)
        loop = asyncio.get_running_loop()
        give_up_at, backoff_s = loop.time() + lane.retry_s, FIRST_BACKOFF_S
        while True:
            problem = lane.held(command)
            if problem is None and lane.unreachable is not None:
                problem = Problem(code="unreachable", message=lane.unreachable)
            if problem is not None:
                return _refusal(command, "parked", problem, maybe_applied=command.look_first)
            try:
                return await lane.apply(command)
            except Refused as error:
                problem = Problem(code=error.code, message=error.message, field=error.field)
                log.warning("command.rejected", tenant=tenant, entity=command.entity, link=command.link,
                            seq=command.seq, field=error.field, code=error.code)  # fmt: skip
                return _refusal(command, "rejected", problem)
            except Unauthorised as error:
                self._stop_lane(tenant, lane, str(error))
            except Retriable as error:
                command = msgspec.structs.replace(command, look_first=command.look_first or error.maybe_applied)
                if loop.time() + backoff_s > give_up_at:
                    self._stop_lane(tenant, lane, str(error))
                else:
                    await asyncio.sleep(max(error.retry_after_s or 0.0, backoff_s * random.uniform(0.7, 1.3)))
                    backoff_s = min(MAX_BACKOFF_S, backoff_s * 2)
            except asyncio.CancelledError:
                raise
            except Exception as error:
                log.exception("command.failed", tenant=tenant, entity=command.entity, link=command.link)
                problem = Problem(code="internal", message=f"{type(error).__name__}: {error}"[:500])
                return _refusal(command, "rejected", problem)

    def _stop_lane(self, tenant: str, lane: Lane, reason: str) -> None:
        if lane.unreachable is None:
            lane.unreachable = reason
            log.error("vendor.unreachable", tenant=tenant, system=self._system, reason=reason)
            self._begin(self._probe_loop(tenant, lane), f"probing the vendor of {tenant}")

    async def _probe_loop(self, tenant: str, lane: Lane, *, first: bool = False) -> None:
        """Ask the vendor until it answers, then let the linker plan again what was parked."""
        wait_s = 1.0
        while True:
            try:
                await lane.probe()
                break
            except (Retriable, Refused, Unauthorised) as error:
                if first and lane.unreachable is None:
                    lane.unreachable = str(error)
                    log.error("vendor.unreachable", tenant=tenant, system=self._system, reason=str(error))
                await asyncio.sleep(wait_s)
                wait_s = min(60.0, wait_s * 2)
        lane.unreachable = None
        await self._signal(tenant, "vendor_reachable", {"system": self._system})

    def _answer(self, job: _Job, key: bytes, outcome: Outcome) -> None:
        self.outcomes[outcome.entity, outcome.result] = self.outcomes.get((outcome.entity, outcome.result), 0) + 1
        cause = job.command.cause if job.command else None
        try:
            record = self._record(key, outcome, cause)
            problem = too_large("the answer", record, self._kafka.max_record_bytes)
        except UnicodeEncodeError as error:
            problem = unencodable("the answer", error)
        if problem is not None:
            log.error("outcome.unsendable", tenant=outcome.tenant, entity=outcome.entity, link=outcome.link,
                      seq=outcome.seq, reason=problem.message)  # fmt: skip
            small = Outcome(
                tenant=outcome.tenant, entity=outcome.entity, link=outcome.link, seq=outcome.seq, target=outcome.target,
                result="rejected", at=outcome.at, maybe_applied=True, calls=outcome.calls, error=problem,
            )  # fmt: skip
            record = self._record(key, small, cause)
        self._finish(key, outcome.seq, record.value or b"")
        self._done(job, [record])

    def _record(self, key: bytes, outcome: Outcome, cause: str | None) -> Record:
        marks = headers(
            type=f"tandem.{outcome.entity}.outcome.v1", id=f"{key.decode()}/{outcome.seq}",
            source=f"tandem/{outcome.tenant}/{self._system}", subject=outcome.link, time=outcome.at, cause=cause,
        )  # fmt: skip
        return Record("outcomes", key, _encoder.encode(outcome), marks)

    def _finish(self, key: bytes, seq: int, value: bytes) -> None:
        if seq >= self._finished.get(key, (0, b""))[0]:
            self._finished[key] = (seq, value)

    def _done(self, job: _Job, records: list[Record]) -> None:
        job.done = True
        partition = self._partitions[job.partition]
        partition.finished.extend(records)
        partition.changed.set()

    async def _commit_loop(self, number: int, partition: _Partition) -> None:
        position: int | None = None
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(KEEP_POSITIONS_EVERY_S):
                    await partition.changed.wait()
            partition.changed.clear()
            records, partition.finished = partition.finished, []
            # Nothing new: the last position once more, since Kafka forgets that of an idle partition.
            position = partition.prefix() or position
            self._room.set()
            positions = {self._kafka.name(self.topic): position} if position is not None else {}
            if not records and not positions:
                continue
            try:
                await self._commit(number, partition, records, positions)
            except ProducerFenced:
                self.fenced = number
                what = "another process took this partition; waiting for a person"
                log.error("fenced", partition=number, what=what)
                self.on_fenced()
                return

    async def _commit(
        self, number: int, partition: _Partition, records: list[Record], positions: dict[str, int]
    ) -> None:
        """Until Kafka has it: what was done at the vendor is known here only."""
        backoff_s = FIRST_BACKOFF_S
        while True:
            try:
                await partition.transactions.commit(records, positions)
                return
            except NotCommitted as error:
                log.error("outcomes.again", partition=number, outcomes=len(records), reason=str(error))
                await asyncio.sleep(backoff_s)
                backoff_s = min(MAX_BACKOFF_S, backoff_s * 2)


def _refusal(command: Command, result: Any, problem: Problem, *, maybe_applied: bool = False) -> Outcome:
    return Outcome(
        tenant=command.tenant, entity=command.entity, link=command.link, seq=command.seq, target=command.target,
        result=result, at=iso_now(), error=problem, maybe_applied=maybe_applied,
    )  # fmt: skip
