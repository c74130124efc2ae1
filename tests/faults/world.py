"""One round: the real services between two simulators with the fault proxy in every wire, an
editor, and the judgement at the end."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Self

import msgspec

from contracts.entities import ENTITIES
from runtime.embedded_kafka import EmbeddedKafka
from tests.faults.books import Sales
from tests.faults.brokers import NODES, Cluster
from tests.faults.clerk import Clerk
from tests.faults.disks import Disk
from tests.faults.oracle import Seen, Told, Verdict, judge
from tests.faults.proxy import FaultProxy
from tests.faults.weather import CALM, Weather
from tests.system import forked
from tests.system.rig import SERVICES, Rig
from tests.waiting import wait_for

WIDE = """
breaker.creates.at_least = 10000
breaker.changes.at_least = 10000
breaker.deletes.at_least = 10000
"""
ADAPTERS = ("chargebee_adapter", "poweroffice_adapter")


@dataclass
class Row:
    """One line of the table; `words` say what is behind its figures, or why it was left out."""

    scenario: str
    seed: str
    edits: int = 0
    faults: int = 0
    missing: int = 0
    duplicated: int = 0
    lost: int = 0
    unexplained: int = 0
    extra_writes: int = 0
    flip_backs: int = 0
    left_out: bool = False
    words: list[str] = field(default_factory=list)

    def wrong(self) -> int:
        return (
            self.missing
            + self.duplicated
            + self.lost
            + self.unexplained
            + self.extra_writes
            + self.flip_backs
        )


class World:
    """The simulators, the proxy and the editor run; `start` starts the services. `rng` and the
    proxy's schedule follow from the seed alone. The Kafka is one `broker` or a `cluster`, where a
    scenario may do something to it; `disk` is the broker's, where it has one of its own. A world
    with a `host` is one more tenant of its services, and is to be entered first. Needs `with`."""

    def __init__(
        self,
        bootstrap: str,
        directory: Path,
        seed: str,
        *,
        broker: EmbeddedKafka | None = None,
        cluster: Cluster | None = None,
        disk: Disk | None = None,
        settings: str = WIDE,
        sales: Sales = "orders",
        tenant: str = "demo",
        host: "World | None" = None,
    ) -> None:
        self.seed, self.rng, self.sales = seed, Random(seed), sales
        self.broker, self.cluster, self.disk = broker, cluster, disk
        self.host, self.guests = host, list[World]()
        self.rig: Rig = Rig(
            bootstrap,
            directory,
            settings=settings,
            tenant=tenant,
            partition=0 if host is None else len(host.guests) + 1,
            host=None if host is None else host.rig,
        )
        if host is not None:
            host.guests.append(self)
        upstream = {
            "chargebee": self.rig.url("chargebee"),
            "poweroffice": self.rig.url("poweroffice"),
            "webhook": self.rig.url("chargebee_adapter"),
        }
        self.proxy = FaultProxy(seed, upstream)
        self.editor: Clerk
        self.blows = 0
        self.extra_writes = 0
        self.expected: set[str] = set()
        self.allowed: set[str] = set()
        self.before = Told()
        self.words: list[str] = []

    def __enter__(self) -> Self:
        self.rig.__enter__()
        self.proxy.__enter__()
        tenant = f"TANDEM_TENANTS__{self.rig.tenant.upper()}__"
        self.rig.variables = {
            f"{tenant}CHARGEBEE__BASE_URL": self.proxy.url("chargebee") + "/api/v2",
            f"{tenant}POWEROFFICE__BASE_URL": self.proxy.url("poweroffice") + "/v2",
            f"{tenant}POWEROFFICE__TOKEN_URL": self.proxy.url("poweroffice") + "/OAuth/Token",
        }
        if self.cluster is not None:
            self.rig.kafka = self.cluster.inner(self.rig.prefix)
            self.rig.variables["TANDEM_KAFKA__REPLICATION"] = str(len(NODES))
        hook = f"{self.proxy.url('webhook')}/webhooks/chargebee/{self.rig.tenant}"
        self.rig.settings("chargebee", webhook_url=hook)
        self.editor = Clerk(
            self.rig.url("chargebee"),
            self.rig.url("poweroffice"),
            Random(f"{self.seed}/editor"),
            prefix="m" if self.host is None else self.rig.tenant[0],
            sales=self.sales,
        )
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.editor.close()
            self.rig.__exit__()
        finally:
            self.proxy.__exit__()

    # -- what a scenario is made of

    def start(self, *, customers: int = 6, products: int = 2) -> None:
        """Fill both systems, start the services and wait until all is linked."""
        self.editor.fill(customers, products)
        self.rig.start()
        self.rig.quiet(polls=2)

    def play(
        self, steps: int, *, pause_s: float = 0.15, between: Callable[[int], None] | None = None
    ) -> None:
        """So many steps of the editor, with random pauses; `between` is told the number of each."""
        for number in range(steps):
            self.editor.step()
            if between is not None:
                between(number)
            time.sleep(self.rng.uniform(0, pause_s))

    def weather(self, weather: Weather) -> None:
        self.proxy.weather = weather

    def kill(self, *names: str) -> None:
        """SIGKILL, at once or after a random moment."""
        for name in names:
            time.sleep(self.rng.uniform(0, 0.3))
            self.rig.kill(name)
            self.blows += 1

    def stop(self, name: str) -> None:
        """SIGSTOP: the process lives and does nothing."""
        os.kill(self.rig.processes[name].pid, signal.SIGSTOP)
        self.blows += 1

    def go_on(self, name: str) -> None:
        os.kill(self.rig.processes[name].pid, signal.SIGCONT)

    def tandem(self, *arguments: str) -> tuple[int, str]:
        """The exit code of the command and what it printed."""
        done = forked.run("services.console.cli", arguments, self.rig.environment())
        return done.returncode, done.stdout + done.stderr

    def asked(self, *arguments: str) -> Any:
        """The JSON that a reading command prints."""
        command = [*arguments, "--json"]
        done = forked.run("services.console.cli", command, self.rig.environment())
        assert done.returncode in (0, 3), f"{arguments}: {done.stderr}"
        return json.loads(done.stdout)

    # -- the end

    def settle(self) -> int:
        """Fair weather, what was kept back is delivered, everything runs and nothing moves any
        more; the writes until then."""
        self.weather(CALM)
        for name in SERVICES if self.host is None else ():
            if name not in self.rig.processes:
                self.rig.start(name)
        self.rig.quiet(polls=3)
        self.proxy.deliver_late()
        try:
            wait_for("nothing is parked", self._parked, lambda keys: not keys)
        except AssertionError as error:
            self.words.append(str(error))
        return self.rig.quiet(polls=5)

    @property
    def _mine(self) -> tuple[str, str]:
        return ("--tenant", self.rig.tenant)

    def _parked(self) -> list[str]:
        return [
            key
            for entity in ENTITIES
            for key, link in self.rig.links(entity).items()
            if link.state == "parked"
        ]

    def told(self) -> Told:
        """What the product says of itself."""
        return Told(
            lost=[*self.before.lost, *self.asked("lost", *self._mine)],
            status=self.asked("status", *self._mine)["tenants"][self.rig.tenant],
            findings=self.asked("findings", "--settled", *self._mine)["findings"],
            planned=self.asked("plan", *self._mine),
            journal=[
                *self.before.journal,
                *(msgspec.to_builtins(entry) for entry in self.rig.journal()),
            ],
        )

    def judged(self, *, replay: bool = True) -> Verdict:
        """The oracle's word, once nothing moves; then a replay of everything and a reconcile, both
        of which must find nothing to do."""
        writes = self.settle()
        seen, told = Seen(self.editor.books), self.told()
        verdict = judge(
            self.editor.records,
            self.editor.log,
            seen,
            told,
            passed=self.proxy.writes,
            expected=self.expected,
            allowed=self.allowed,
        )
        if replay:
            verdict.unexplained += self._looked_again()
        self.extra_writes += self.rig.quiet(polls=3) - writes
        return verdict

    def _looked_again(self) -> Iterable[str]:
        code, said = self.tandem("replay", "--from", "2h", *self._mine)
        if code:
            yield f"replay ended with {code}: {said[-600:]}"
        report = self.asked("reconcile", *self._mine)
        for name in ("different", "missing", "extra"):
            for each in report[name]:
                yield f"reconcile: {name} {each}"


def row_of(scenario: str, seed: str, world: World, verdict: Verdict) -> Row:
    """The line of the table, of all tenants together."""
    worlds = (world, *world.guests)
    return Row(
        scenario,
        seed,
        edits=sum(len(each.editor.log) for each in worlds),
        faults=sum(sum(each.proxy.faults.values()) + each.blows for each in worlds),
        missing=len(verdict.missing),
        duplicated=len(verdict.duplicated),
        lost=len(verdict.lost),
        unexplained=len(verdict.unexplained),
        extra_writes=sum(each.extra_writes for each in worlds) + len(verdict.needless),
        flip_backs=len(verdict.flip_backs),
        words=[*(words for each in worlds for words in each.words), *verdict.words()],
    )
