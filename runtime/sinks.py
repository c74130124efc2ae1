"""How commands reach a vendor: two lanes with bounded workers per tenant, finished commands
answered, one fenced commit.

Commands finish in any order; outcomes and the offset of the finished prefix are written in one
transaction of the partition's own producer, so that two overlapping processes cannot both finish a
command.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from weakref import WeakValueDictionary

import msgspec
import structlog
from aiokafka import ConsumerRecord
from aiokafka.errors import ProducerFenced

from contracts import signals
from contracts.decoding import UNREADABLE
from contracts.entities import System
from contracts.messages import Command, Outcome, Problem, Result, answer_to
from contracts.said import say
from contracts.topics import headers, link_key
from runtime import traces
from runtime.adapter_metrics import COMMAND_RETRIES
from runtime.answered import tell_answered
from runtime.background import Background, unasked
from runtime.backoff import Backoff
from runtime.clock import iso_now, utc_now
from runtime.dead_letters import about, readable, reason_of, undecodable
from runtime.kafka import Kafka, Record
from runtime.masking import masked
from runtime.metrics import DEAD_LETTERS, FENCED
from runtime.sizes import too_large, unencodable
from runtime.transactions import NotCommitted, PartitionTransactions
from runtime.vendor import Refused, Retriable, Unauthorised, VendorError

_encoder = msgspec.json.Encoder()
_command_decoder = msgspec.json.Decoder(Command)
_outcome_decoder = msgspec.json.Decoder(Outcome)
log = structlog.get_logger()
MAX_WAITING = 2000
KEEP_POSITIONS_EVERY_S = 3600.0
FIRST_BACKOFF_S, MAX_BACKOFF_S = 0.25, 10.0
FIRST_PROBE_S, MAX_PROBE_S = 1.0, 60.0  # of a vendor that cannot be reached

Apply = Callable[[Command], Awaitable[Outcome]]


def _nothing_held(_command: Command) -> Problem | None:
    return None


@dataclass
class Lane:
    """One tenant's vendor: how commands are applied, whether it can be reached, and why a command
    that was sent must not be carried out after all (`held`). Live and bulk commands have `workers`
    each: an edit waits for no worker that has a command of a backfill."""

    apply: Apply
    probe: Callable[[], Awaitable[None]]
    held: Callable[[Command], Problem | None] = _nothing_held
    retry_s: float = 300.0
    workers: int = 4
    unreachable: str | None = None
    # What the vendor refused last, and the pauses before it is asked again: they grow until such a
    # command gets through, since a probe that is answered says nothing of a privilege it misses.
    refused: tuple[str, str] | None = None
    probing: Backoff = field(default_factory=lambda: Backoff(FIRST_PROBE_S, MAX_PROBE_S))
    live: "asyncio.Queue[_Job]" = field(default_factory=asyncio.Queue)
    bulk: "asyncio.Queue[_Job]" = field(default_factory=asyncio.Queue)

    def got_through(self, command: Command) -> None:
        """The vendor took a command: the next time that it refuses one of its kind is a first
        one."""
        if self.refused in (None, (command.entity, command.op)):
            self.refused = None
            self.probing.begin_again()


@dataclass(eq=False)
class _Job:
    command: Command | None
    partition: int
    offset: int
    sent_s: float = 0.0  # when the command was put on Kafka, in Unix time
    traceparent: str | None = None
    look_first: bool = False
    done: bool = False
    records: list[Record] = field(default_factory=list)


class _Partition:
    """The jobs of one partition in offset order, and what is finished but not yet committed."""

    def __init__(self, transactions: PartitionTransactions) -> None:
        self.transactions = transactions
        self.jobs: dict[int, _Job] = {}
        self.finished: list[Record] = []
        self.position: int | None = None  # after the finished prefix
        self.changed = asyncio.Event()

    def drop_finished(self) -> None:
        """Move the position behind the finished prefix."""
        for offset, job in list(self.jobs.items()):
            if not job.done:
                break
            self.position = offset + 1
            del self.jobs[offset]


class SinkRunner:
    """Takes the commands of one vendor and answers each with an outcome.

    `signal(tenant, said)` tells the linker that a vendor can be reached again. `on_fenced()`
    is called when another process has taken a partition over; then no further command is begun.
    """

    def __init__(
        self,
        kafka: Kafka,
        system: System,
        partitions: list[int],
        lanes: Mapping[str, Lane],
        signal: Callable[[str, signals.OfService], Awaitable[None]],
    ) -> None:
        self._kafka, self._system, self._lanes, self._signal = kafka, system, lanes, signal
        self.topic = f"commands.{system}"
        self.group = f"{system}_adapter"
        self._finished: dict[bytes, tuple[int, bytes]] = {}
        self._attempted_below: dict[int, int] = {}
        # Held by who waits for them: one taken away too soon would let two commands of a record go
        # at once.
        self._locks: WeakValueDictionary[bytes, asyncio.Lock] = WeakValueDictionary()
        self._partitions = {
            each: _Partition(PartitionTransactions(kafka, self.group, each, self.group))
            for each in partitions
        }
        self._room = asyncio.Event()
        self.tasks = Background()
        self.fenced: int | None = None
        self.on_fenced: Callable[[], None] = lambda: None

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
        kept = await self._kafka.keep_positions(self.group, (self.topic,), self._partitions, {})
        for number, partition in self._partitions.items():
            partition.position = kept.get(f"{self._kafka.name(self.topic)}/{number}")
            what = f"committing outcomes of partition {number}"
            self.tasks.begin(what, partial(self._commit_loop, number, partition), lasts=False)
        for tenant, lane in self._lanes.items():
            for kind, queue in (("live", lane.live), ("bulk", lane.bulk)):
                for number in range(1, lane.workers + 1):
                    what = f"carrying out {kind} commands of {tenant}, worker {number}"
                    work = partial(self._work, tenant, lane, queue)
                    self.tasks.begin(what, work, tenant=tenant, lasts=False)
            self._begin_probing(tenant, lane, first=True)

    def _begin_probing(self, tenant: str, lane: Lane, *, first: bool = False) -> None:
        probing = partial(self._probe_loop, tenant, lane, first=first)
        self.tasks.begin(f"probing the vendor of {tenant}", probing, tenant=tenant, lasts=False)

    async def stop(self) -> None:
        await self.tasks.stop()
        for partition in self._partitions.values():
            await partition.transactions.stop()

    def open_commands(self) -> Counter[tuple[str, str]]:
        """How many commands were taken and are not answered, by tenant and lane."""
        return Counter((command.tenant, command.lane) for command, _ in self._open())

    def oldest_s(self) -> dict[str, float]:
        """The age of each tenant's oldest command that is not answered, in seconds; 0 where there
        is none."""
        now_s, oldest = utc_now().timestamp(), dict.fromkeys(self._lanes, 0.0)
        for command, sent_s in self._open():
            oldest[command.tenant] = max(oldest.get(command.tenant, 0.0), now_s - sent_s)
        return oldest

    def _open(self) -> list[tuple[Command, float]]:
        jobs = (job for partition in self._partitions.values() for job in partition.jobs.values())
        return [
            (job.command, job.sent_s) for job in jobs if job.command is not None and not job.done
        ]

    def problem(self) -> str | None:
        """Why commands are not carried out or outcomes not committed now, or None."""
        if self.fenced is not None:
            return f"partition {self.fenced} was taken over by another process"
        if (problem := self.tasks.problem()) is not None:
            return problem
        troubles = [
            each.transactions.trouble
            for each in self._partitions.values()
            if each.transactions.trouble
        ]
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
        sent_s, came_from = record.timestamp / 1000, traces.parent_of(record.headers)
        job = _Job(None, record.partition, record.offset, sent_s, came_from)
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
            problem = Problem.of("unknown_tenant", say("unknown_tenant", tenant=command.tenant))
            self._answer(job, key, _refusal(command, "parked", problem))
        else:
            job.look_first = (
                command.look_first or record.offset < self._attempted_below[record.partition]
            )
            self._enqueue(lane, job, command)

    def _enqueue(self, lane: Lane, job: _Job, command: Command) -> None:
        queue = lane.live if command.lane == "live" else lane.bulk
        queue.put_nowait(job)

    def _refuse(self, record: ConsumerRecord, reason: str) -> None:
        log.error("command.undecodable", topic=record.topic, offset=record.offset, reason=reason)
        DEAD_LETTERS.labels(self.topic).inc()
        job = self._partitions[record.partition].jobs[record.offset]
        self._done(job, [undecodable(record, reason, self._kafka.max_record_bytes)])

    async def _work(self, tenant: str, lane: Lane, queue: "asyncio.Queue[_Job]") -> None:
        while True:
            job = await queue.get()
            if self.fenced is not None:
                # Another process has these commands now; what this one did could not be committed.
                return
            assert job.command is not None
            try:
                with about(f"{job.command.entity} {job.command.link}, command {job.command.seq}"):
                    await unasked(self._carry_out(tenant, lane, job, job.command), lasts=False)
            except BaseException:
                # Nothing else knows of it: without this it would wait for the next start of the
                # process.
                if not job.done:
                    job.look_first = True
                    self._enqueue(lane, job, job.command)
                raise

    async def _carry_out(self, tenant: str, lane: Lane, job: _Job, command: Command) -> None:
        key = link_key(command.tenant, command.entity, command.link)
        lock = self._locks.setdefault(key, asyncio.Lock())
        async with lock:
            if self.fenced is not None:
                return
            if command.seq <= self._finished.get(key, (0, b""))[0]:
                self._done(job, [])
                return
            with traces.step(
                f"{command.op} {command.entity} in {self._system}",
                job.traceparent,
                "consumer",
                begins=command.lane == "live",
                detailed=True,
                tenant=tenant,
                entity=command.entity,
                link=command.link,
                cause=command.cause,
            ) as span:
                outcome = await self._attempt(tenant, lane, job, command)
                span.tell(result=outcome.result)
                self._answer(job, key, outcome)

    async def _attempt(self, tenant: str, lane: Lane, job: _Job, planned: Command) -> Outcome:
        """Apply one command; retriable trouble is repeated with backoff for retry_s, then
        parked."""
        command = msgspec.structs.replace(planned, look_first=job.look_first)
        loop = asyncio.get_running_loop()
        give_up_at, backoff = loop.time() + lane.retry_s, Backoff(FIRST_BACKOFF_S, MAX_BACKOFF_S)
        while True:
            if self.fenced is not None:
                # The process that has this command now carries it out; nothing can be answered.
                return _refusal(command, "parked", Problem(code="fenced", message="taken over"))
            problem = lane.held(command)
            if problem is None and lane.unreachable is not None:
                problem = Problem(code="unreachable", message=lane.unreachable)
            if problem is not None:
                return _refusal(command, "parked", problem, maybe_applied=command.look_first)
            try:
                outcome = await lane.apply(command)
                lane.got_through(command)
                return outcome
            except Refused as error:
                log.warning(
                    "command.rejected",
                    tenant=tenant,
                    entity=command.entity,
                    link=command.link,
                    seq=command.seq,
                    field=error.field,
                    code=error.code,
                )
                return _refusal(command, "rejected", error.problem)
            except Unauthorised as error:
                self._stop_lane(tenant, lane, str(error), command)
            except Retriable as error:
                command = msgspec.structs.replace(
                    command, look_first=command.look_first or error.maybe_applied
                )
                COMMAND_RETRIES.labels(tenant, self._system, command.entity).inc()
                if loop.time() + backoff.next_s > give_up_at:
                    self._stop_lane(tenant, lane, str(error), command)
                else:
                    await backoff.pause(at_least_s=error.retry_after_s or 0.0, jitter=0.3)
            except asyncio.CancelledError:
                raise
            except Exception as error:
                log.exception(
                    "command.failed", tenant=tenant, entity=command.entity, link=command.link
                )
                problem = Problem(
                    code="internal", message=masked(f"{type(error).__name__}: {error}")[:500]
                )
                return _refusal(command, "rejected", problem)

    def _stop_lane(self, tenant: str, lane: Lane, reason: str, command: Command) -> None:
        if lane.unreachable is None:
            lane.unreachable, lane.refused = reason, (command.entity, command.op)
            log.error("vendor.unreachable", tenant=tenant, system=self._system, reason=reason)
            self._begin_probing(tenant, lane)

    async def _probe_loop(self, tenant: str, lane: Lane, *, first: bool = False) -> None:
        """Ask the vendor until it answers, then let the linker plan again what was parked."""
        if not first:
            await lane.probing.pause()
        while True:
            try:
                await lane.probe()
                break
            except Exception as error:
                if first and lane.unreachable is None:
                    lane.unreachable = (
                        str(error) if isinstance(error, VendorError) else reason_of(error)
                    )
                    log.error(
                        "vendor.unreachable",
                        tenant=tenant,
                        system=self._system,
                        reason=lane.unreachable,
                    )
                await lane.probing.pause()
        if first:
            lane.probing.begin_again()
        lane.unreachable = None
        await self._signal(tenant, signals.Reachable(system=self._system))

    def _answer(self, job: _Job, key: bytes, outcome: Outcome) -> None:
        try:
            record = self._record(key, outcome, job.command)
            problem = too_large("the answer", record, self._kafka.max_record_bytes)
        except UnicodeEncodeError as error:
            problem = unencodable("the answer", error)
        if problem is not None:
            log.error(
                "outcome.unsendable",
                tenant=outcome.tenant,
                entity=outcome.entity,
                link=outcome.link,
                seq=outcome.seq,
                reason=problem.message,
            )
            small = Outcome(
                tenant=outcome.tenant,
                entity=outcome.entity,
                link=outcome.link,
                seq=outcome.seq,
                target=outcome.target,
                result="rejected",
                at=outcome.at,
                maybe_applied=True,
                calls=outcome.calls,
                error=problem,
            )
            outcome, record = small, self._record(key, small, job.command)
        if job.command is not None:
            tell_answered(job.command, outcome, job.sent_s)
        self._finish(key, outcome.seq, record.value or b"")
        self._done(job, [record])

    def _record(self, key: bytes, outcome: Outcome, command: Command | None) -> Record:
        marks = headers(
            type=f"tandem.{outcome.entity}.outcome.v1",
            id=f"{key.decode()}/{outcome.seq}",
            source=f"tandem/{outcome.tenant}/{self._system}",
            subject=outcome.link,
            time=outcome.at,
            cause=command.cause if command is not None else None,
            lane=command.lane if command is not None else None,
            traceparent=traces.current(),
        )
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
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(KEEP_POSITIONS_EVERY_S):
                    await partition.changed.wait()
            partition.changed.clear()
            records, partition.finished = partition.finished, []
            # Nothing new: the last position once more, since Kafka forgets that of an idle
            # partition.
            partition.drop_finished()
            self._room.set()
            positions = (
                {self._kafka.name(self.topic): partition.position}
                if partition.position is not None
                else {}
            )
            if not records and not positions:
                continue
            try:
                await self._commit(number, partition, records, positions)
            except ProducerFenced:
                self.fenced = number
                FENCED.labels(number).set(1)
                what = "another process took this partition; waiting for a person"
                log.error("fenced", partition=number, what=what)
                self.on_fenced()
                return
            except BaseException:
                # They are known here only, and the position has passed their commands.
                partition.finished = records + partition.finished
                partition.changed.set()
                raise

    async def _commit(
        self, number: int, partition: _Partition, records: list[Record], positions: dict[str, int]
    ) -> None:
        """Until Kafka has it: what was done at the vendor is known here only."""
        backoff = Backoff(FIRST_BACKOFF_S, MAX_BACKOFF_S)
        while True:
            try:
                await partition.transactions.commit(records, positions)
                return
            except NotCommitted as error:
                log.error(
                    "outcomes.again", partition=number, outcomes=len(records), reason=str(error)
                )
                await backoff.pause()


def _refusal(
    command: Command, result: Result, problem: Problem, *, maybe_applied: bool = False
) -> Outcome:
    answer = answer_to(command, result, iso_now())
    return msgspec.structs.replace(answer, error=problem, maybe_applied=maybe_applied)
