"""One adapter process: for each tenant a source and a sink of one vendor, sharing limiter, client
and readings.

A tenant whose key is refused is stopped with words and tried again when the vendor answers; the
others go on.
"""

import asyncio
import copy
import itertools
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog
from aiokafka import ConsumerRecord

from contracts import facts
from contracts.entities import System
from contracts.messages import Command, Outcome
from contracts.settings import Settings, Tenant
from runtime import order_source
from runtime.adapter_figures import Seen, figures_of
from runtime.adapter_metrics import KEY_REFUSALS
from runtime.background import SETTLED_S, Background, unasked
from runtime.backoff import Backoff
from runtime.broker import Subscription
from runtime.control import ControlView
from runtime.dead_letters import reason_of
from runtime.identity import Identity
from runtime.kafka import Kafka
from runtime.metrics import Collected
from runtime.publisher import KafkaPublisher
from runtime.rate_limiter import RateLimiter
from runtime.runs import ReadAll, RunFollower
from runtime.sinks import Apply, Lane, SinkRunner
from runtime.transport import VendorTransport
from runtime.vendor import Unauthorised, VendorError

log = structlog.get_logger()
HEALTH_EVERY_LOOKS = 5  # one each second
_FIGURES = ("last_poll_at", "last_sweep_at", "budget_percent")
BUDGET_SAMPLES = 12  # of the health loop: the share of the last minute
FIRST_WAIT_S, MAX_WAIT_S = 1.0, 60.0  # for a vendor that does not let the source go on


@dataclass(frozen=True)
class Vendor:
    """One tenant at one vendor. `run` reads for ever, `read_all` everything once, `apply` carries
    out a command, `probe` raises a VendorError while the vendor cannot be used, `identity` names
    the account behind the keys, `health` says what the source does."""

    run: Callable[[], Awaitable[None]]
    read_all: ReadAll
    apply: Apply
    probe: Callable[[], Awaitable[None]]
    identity: Callable[[], Awaitable[str]]
    health: Mapping[str, Any]
    http: VendorTransport


Connect = Callable[[str, Tenant, KafkaPublisher], Vendor]


class Adapter:
    """The sources and sinks of one system for the tenants of this slot. `connect` builds a tenant's
    vendor once the publisher is restored; vendors with the same key must share their transport."""

    def __init__(self, system: System, settings: Settings, connect: Connect) -> None:
        self.system, self.settings, self._connect = system, settings, connect
        self.kafka = Kafka(settings.kafka)
        self.partitions = settings.my_partitions()
        homes = {name: settings.partition_of(name) for name in settings.tenants}
        self._homes = {name: home for name, home in homes.items() if home in self.partitions}
        self.publisher = KafkaPublisher(self.kafka, system, self._homes)
        self.control = ControlView(self.kafka, self.partitions)
        self.vendors: dict[str, Vendor] = {}
        self._identities: dict[str, Identity] = {}
        self._followers: dict[str, RunFollower] = {}
        self._budgets: dict[str, _Budget] = {}
        self._lanes: dict[str, Lane] = {}
        self._runner: SinkRunner | None = None
        self._tasks = Background()
        self._stopped: dict[str, str] = {}
        self._figures = Collected(lambda: figures_of(self.system, self._seen()))

    def subscription(self) -> Subscription:
        """The commands of this system, in this slot's partitions."""
        return Subscription(
            (f"commands.{self.system}",), self.partitions, f"{self.system}_adapter", self._take
        )

    async def _take(self, records: tuple[ConsumerRecord, ...]) -> None:
        assert self._runner is not None
        await self._runner.take(records)

    async def start(self) -> None:
        await self.publisher.start()
        await self.control.start()
        for name in self._homes:
            tenant = self.settings.tenants[name]
            vendor = self._connect(name, tenant, self.publisher)
            self.vendors[name], self._budgets[name] = vendor, _Budget(vendor.http.limiter)
            held = self.control.fact(name, facts.Identity, self.system)
            pinned = held.id if held is not None else None
            refused = partial(self._other_source, name, tenant)
            identity = Identity(
                name, self.system, pinned, vendor.identity, self.publisher.signal, refused
            )
            self._identities[name] = identity
            self._followers[name] = RunFollower(
                name,
                self.system,
                self.control,
                self.publisher,
                vendor.read_all,
                identity.check,
                self._tasks,
            )
            # There from the first, so that an alert sees the first refusal grow from 0.
            KEY_REFUSALS.labels(name, self.system)
            apply, probe = _checked(identity, vendor)
            self._lanes[name] = Lane(
                apply, probe, self.control.held, retry_s=float(tenant.sink.retry_s)
            )
        self._runner = SinkRunner(
            self.kafka, self.system, self.partitions, self._lanes, self.publisher.signal
        )
        self._runner.on_fenced = self._stand_aside
        await self._runner.start()
        for name, vendor in self.vendors.items():
            self._tasks.begin(f"reading of {name}", partial(self._read, name, vendor), tenant=name)
            self._tasks.begin(
                f"following runs of {name}", self._followers[name].follow, tenant=name
            )
        self._tasks.begin("telling the health", self._health_loop)
        self._figures.begin()

    async def stop(self) -> None:
        self._figures.end()
        await self._tasks.stop()
        if self._runner is not None:
            await self._runner.stop()
        await self.control.stop()
        await self.publisher.stop()
        for http in {id(vendor.http): vendor.http for vendor in self.vendors.values()}.values():
            await http.aclose()

    async def check_identity(self, name: str) -> None:
        """Return once a tenant's vendor account is the pinned one. Raises a VendorError."""
        await self._identities[name].check()

    def _other_source(self, name: str, tenant: Tenant) -> str | None:
        if self.system != "chargebee":
            return None
        return order_source.refused(self.control, name, tenant.order.source)

    def _stand_aside(self) -> None:
        # Its readings know nothing of the other process's writes and would pass for newer edits.
        self._tasks.cancel()

    def problem(self) -> str | None:
        troubles = [
            self._runner.problem() if self._runner is not None else None,
            self._tasks.problem(),
        ]
        return "; ".join(filter(None, troubles)) or None

    async def _read(self, name: str, vendor: Vendor) -> None:
        """Keep one tenant's source running while its vendor lets it; trouble of one tenant never
        reaches another."""
        backoff = Backoff(FIRST_WAIT_S, MAX_WAIT_S)
        while True:
            begun_s = time.monotonic()
            try:
                await self.check_identity(name)
                await unasked(vendor.run())
            except VendorError as error:
                self._stopped[name] = str(error)
                self._count_refusal(name, error)
                log.error("tenant.stopped", tenant=name, system=self.system, reason=str(error))
            if time.monotonic() - begun_s >= SETTLED_S:
                backoff.begin_again()
            await self._until_answering(name, backoff)
            self._stopped.pop(name, None)

    async def _until_answering(self, name: str, backoff: Backoff) -> None:
        while True:
            await backoff.pause()
            try:
                await self._lanes[name].probe()
                return
            except Unauthorised as error:
                self._count_refusal(name, error)
                self._stopped[name] = str(error)  # the reason may be another by now
            except VendorError:
                pass
            except Exception as error:
                self._stopped[name] = reason_of(error)
                log.exception("probe.failed", tenant=name, system=self.system)

    def _count_refusal(self, name: str, error: VendorError) -> None:
        if isinstance(error, Unauthorised):
            KEY_REFUSALS.labels(name, self.system).inc()

    def _seen(self) -> Seen:
        runner = self._runner
        return Seen(
            health={name: self.health_of(name) for name in self.vendors},
            headroom={name: budget.headroom() for name, budget in self._budgets.items()},
            open=runner.open_commands() if runner is not None else {},
            oldest_s=runner.oldest_s() if runner is not None else {},
        )

    def health_of(self, name: str) -> dict[str, Any]:
        """What a person wants to know of a tenant's vendor: last polls, errors, why it is stopped,
        requests sent."""
        lane = self._lanes[name]
        # Copied whole: the source goes on changing it, and an old answer must stay what it was.
        facts = copy.deepcopy(dict(self.vendors[name].health))
        if (trouble := self._followers[name].trouble) is not None:
            facts["run"] = trouble
        for key, words in self.control.unreadable.items():
            if key.startswith(f"{name}/"):
                facts.setdefault("control", {})[key] = words
        runner = {} if self._runner is None else self._runner.tasks.troubles(name)
        if ended := {**runner, **self._tasks.troubles(name)}:
            facts["tasks"] = ended
        if (used := self._budgets[name].percent()) is not None:
            facts["budget_percent"] = used
        stopped = self._stopped.get(name) or lane.unreachable
        return {**facts, "stopped": stopped} if stopped else facts

    async def _health_loop(self) -> None:
        last: dict[str, dict[str, Any]] = {}
        for look in itertools.count(1):
            await asyncio.sleep(1)
            regular = look % HEALTH_EVERY_LOOKS == 0
            for name in self.vendors:
                if regular:
                    self._budgets[name].sample()
                facts, before = self.health_of(name), last.get(name, {})
                # Trouble is told at once, and its end; times and figures now and then.
                if facts != before if regular else _trouble(facts) != _trouble(before):
                    await self.publisher.save_cursor(name, self.system, "health", facts)
                    last[name] = facts


def _trouble(facts: Mapping[str, Any]) -> dict[str, Any]:
    """What is wrong, without the figures and times that move by themselves."""
    told = {name: fact for name, fact in facts.items() if name not in _FIGURES}
    if isinstance(errors := told.get("last_error"), Mapping):
        told["last_error"] = {name: {**error, "at": None} for name, error in errors.items()}
    return told


class _Budget:
    """How much of a key's allowed requests is used, over the last minute; the key may serve several
    tenants."""

    def __init__(self, limiter: RateLimiter, clock: Callable[[], float] = time.monotonic) -> None:
        self._limiter, self._clock = limiter, clock
        self._samples: deque[tuple[float, int]] = deque(
            [(clock(), limiter.taken)], BUDGET_SAMPLES + 1
        )

    def sample(self) -> None:
        self._samples.append((self._clock(), self._limiter.taken))

    def percent(self) -> float | None:
        """None without a limit, and before there is something to compare."""
        (since_s, before), (until_s, after) = self._samples[0], self._samples[-1]
        rate = self._limiter.rate_per_s
        if rate is None or until_s <= since_s:
            return None
        return round(100 * (after - before) / (rate * (until_s - since_s)), 1)

    def headroom(self) -> float | None:
        """The part that is left, 0 to 1; None where `percent` is."""
        used = self.percent()
        return None if used is None else max(0.0, 1 - used / 100)


def _checked(identity: Identity, vendor: Vendor) -> tuple[Apply, Callable[[], Awaitable[None]]]:
    async def apply(command: Command) -> Outcome:
        await identity.check()
        return await vendor.apply(command)

    async def probe() -> None:
        await identity.check()
        await vendor.probe()

    return apply, probe
