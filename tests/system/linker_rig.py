"""The real linker on the real Kafka, between the model vendors of the property test; no adapter, no
HTTP vendor."""

import os
import re
import signal
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import httpx
import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from contracts.entities import other
from contracts.messages import (
    Command,
    Control,
    JournalEntry,
    Observed,
    Outcome,
    Reading,
    ReadingCompleted,
    Signal,
    SnapshotCompleted,
    ce_id,
)
from contracts.settings import KafkaSettings
from contracts.topics import LINKER_INPUTS
from runtime.kafka import Kafka
from services.linker.decide import Message
from services.linker.store import Store
from tests.property.world import Touched, World
from tests.system import forked
from tests.system.rest import open_transactions
from tests.system.rig import free_port
from tests.waiting import PATIENCE_S, until, wait_for

TENANTS = ("north", "south")  # in partitions 0 and 1
ENTITY_TOPICS = {"customer": "customers", "product": "products", "order": "orders"}
READ = ("commands.chargebee", "commands.poweroffice", "journal")
_encoder = msgspec.json.Encoder()


class LinkerRig:
    """Linker processes by name, each with a slot; topics of their own with two partitions."""

    def __init__(
        self, bootstrap: str, directory: Path, prefix: str, *, owner: str, removals: bool
    ) -> None:
        self.directory, self.prefix = directory, prefix
        self.kafka = Kafka(KafkaSettings(bootstrap=bootstrap, topic_prefix=prefix, partitions=2))
        self.processes: dict[str, forked.Process] = {}
        self.ports: dict[str, int] = {}
        self._slots: dict[str, str] = {}
        policies = (
            """
delete.customer.to_poweroffice = "archive"
delete.product.to_poweroffice = "archive"
"""
            if removals
            else """
delete.product.to_chargebee = "report"
delete.order.to_poweroffice = "report"
"""
        )
        tenants = "".join(
            f"""
[tenants.{name}]
partition = {number}
mode = "sync"
invoicing.by = "chargebee"
start.orders = 2026-01-01
create.order.to_chargebee = "on"
chargebee.prices = "net"
chargebee.base_url = "http://127.0.0.1:9/api/v2"
poweroffice.base_url = "http://127.0.0.1:9/v2"
poweroffice.token_url = "http://127.0.0.1:9/OAuth/Token"
breaker.first_backfill = "release"
breaker.creates.at_least = 100000
breaker.changes.at_least = 100000
breaker.deletes.at_least = 100000
{policies}
[tenants.{name}.owner]
customer = "{owner}"
product = "{owner}"
order = "{owner}"
"""
            for number, name in enumerate(TENANTS)
        )
        (directory / "tandem.toml").write_text(
            f'[kafka]\nbootstrap = "{bootstrap}"\ntopic_prefix = "{prefix}"\npartitions = '
            f"2\n{tenants}"
        )

    def start(
        self,
        name: str,
        slot: str,
        *,
        program: str = "services.linker",
        arguments: Iterable[str] = (),
    ) -> None:
        """Start a linker in a slot (`0/2`); it may live beside others. `program` is a module that
        runs one."""
        self.ports[name], self._slots[name] = free_port(), slot
        variables = {
            "TANDEM_CONFIG": str(self.directory / "tandem.toml"),
            "TANDEM_SLOT": slot,
            "TANDEM_PORTS__LINKER": str(self.ports[name]),
        }
        for tenant in TENANTS:
            for key in (
                "CHARGEBEE__API_KEY",
                "POWEROFFICE__APPLICATION_KEY",
                "POWEROFFICE__CLIENT_KEY",
                "POWEROFFICE__SUBSCRIPTION_KEY",
            ):
                variables[f"TANDEM_TENANTS__{tenant.upper()}__{key}"] = "unused"
        log, environment = self.directory / f"{name}.log", {**os.environ, **variables}
        self.processes[name] = forked.start(program, list(arguments), environment, log)

    def wait_ready(self, name: str) -> None:
        """Until it takes messages; fails with its log when it ended."""

        def answers() -> bool:
            assert self.processes[name].poll() is None, self.log(name)[-3000:]
            return self.ready(name) is not None

        wait_for(f"{name} is ready", answers)

    def ready(self, name: str) -> dict[str, Any] | None:
        """What its health page says; None while it does not answer."""
        try:
            found: dict[str, Any] = httpx.get(
                f"http://127.0.0.1:{self.ports[name]}/health/ready", timeout=PATIENCE_S
            ).json()
        except httpx.TransportError:
            return None
        return found

    def log(self, name: str) -> str:
        return (self.directory / f"{name}.log").read_text(encoding="utf-8", errors="replace")

    def kill(self, name: str) -> None:
        """SIGKILL."""
        process = self.processes.pop(name)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def kill_and_restart(self, name: str) -> None:
        self.kill(name)
        self.start(name, self._slots[name])

    def stop_all(self) -> None:
        for name in list(self.processes):
            self.kill(name)


class KafkaWorld(World):
    """The machine's world of one tenant whose linker is the real one: what it delivers waits in
    `out`."""

    knows_releases = False

    def __init__(self, tenant: str, seed: int, *, owner: Any, removals: bool) -> None:
        self.out: list[Message] = []
        self.seen: dict[tuple[str, str, int], Command] = {}
        super().__init__(
            seed, owner=owner, carries_removals=removals, breakers=False, tenant=tenant
        )

    def deliver(self, message: Message | Touched) -> None:
        if isinstance(message, Touched):
            super().deliver(message)
            return
        if isinstance(message, Observed):
            self._note_overtaken(message)
        self.out.append(message)

    def _note_overtaken(self, event: Observed) -> None:
        """What the linker knows when it reads an event is not seen from here: it takes its topics
        in any order, so whatever comes may come after something newer."""
        if event.data is not None:
            self.overtaken.append((event.system, (event.entity, event.id), event.data))

    def crash(self) -> None:
        """The driver kills the process."""

    def operate(self) -> None:
        """Pauses and switches; what needs the linker's answer at once is the in-memory machine's
        matter."""
        draw = self.random.random()
        if draw < 0.5:
            self.tell("pause", entity=self.random.choice(("customer", "product", "order")))
        elif draw < 0.8:
            self.tell("mode", mode=self.random.choice(("observe", "sync")))
        else:
            self.tell("resume")
            self.tell("mode", mode="sync")

    def take(self, topic: str, value: bytes) -> None:
        """A record that the linker sent. Every command comes once."""
        if topic == "journal":
            self.journal.append(msgspec.json.decode(value, type=JournalEntry))
            return
        command = msgspec.json.decode(value, type=Command)
        at = (command.entity, command.link, command.seq)
        assert at not in self.seen, f"sent twice: {command} and {self.seen[at]}"
        self.seen[at] = command
        self.planned += 1
        self.commands.append(command)
        self.sent.append(command)
        self._note_carried(command)

    def _note_carried(self, command: Command) -> None:
        """The linker's state is not seen from here; the cause names the newest reading that it had,
        or says nothing of it."""
        source, (_, *cause) = other(command.target), command.cause.split("/")
        when = None
        if len(cause) == 4 and cause[:2] == [source, command.entity]:
            when = self.vendors[source].came_about((command.entity, cause[2]), cause[3])
        self.carries[command.entity, command.link, command.seq] = when or 0

    @property
    def is_busy(self) -> bool:
        return bool(self.is_under_way or self.out)


class Driver:
    """Carries the worlds' messages to Kafka and the linker's back."""

    def __init__(self, rig: LinkerRig, worlds: Iterable[KafkaWorld]) -> None:
        self.kafka = rig.kafka
        self.worlds = {world.tenant: world for world in worlds}
        self._producer: AIOKafkaProducer = None
        self._consumer: AIOKafkaConsumer = None

    async def start(self) -> None:
        await self.kafka.ensure_topics()
        self._producer, self._consumer = self.kafka.producer(), self.kafka.consumer()
        await self._producer.start()
        await self._consumer.start()
        self._consumer.assign(
            [TopicPartition(self.kafka.name(topic), p) for topic in READ for p in (0, 1)]
        )

    async def stop(self) -> None:
        await self._producer.stop()
        await self._consumer.stop()

    async def exchange(self, wait_ms: int = 5) -> int:
        """Send what waits and take what came; how many records came."""
        for partition, world in enumerate(self.worlds.values()):
            waiting, world.out = world.out, []
            for message in waiting:
                topic, key = _address(message)
                await self._producer.send(
                    self.kafka.name(topic), _encoder.encode(message), key=key, partition=partition
                )
        await self._producer.flush()
        came = 0
        for tp, records in (await self._consumer.getmany(timeout_ms=wait_ms)).items():
            short = tp.topic.removeprefix(self.kafka.settings.topic_prefix)
            for record in records:
                came += 1
                self.worlds[record.key.decode().partition("/")[0]].take(short, record.value)
        return came

    async def settle(self) -> None:
        """Until nothing is under way anywhere: all delivered, all taken by the linker, nothing new
        said by it."""
        await until("nothing is under way", self._under_way, lambda words: not words)

    async def _under_way(self) -> str:
        """What is, after one more exchange; "" for nothing."""
        came = await self.exchange(50)
        for world in self.worlds.values():
            while world.is_under_way:
                world.step(quiet=True)
        if came or any(world.is_busy for world in self.worlds.values()):
            return (
                f"{came} records came, the worlds are "
                f"{[world.is_busy for world in self.worlds.values()]}"
            )
        if untaken := await self._untaken():
            return f"the linker has not taken {untaken}"
        late = await self._exchange_to_the_end()
        return f"{late} records came late" if late else ""

    async def _exchange_to_the_end(self) -> int:
        """Take all that stands in the topics now, also what a commit under way makes readable; how
        much it was."""
        places = [(topic, p) for topic in READ for p in (0, 1)]
        await until(
            "no transaction is open",
            lambda: open_transactions(self.kafka, READ, (0, 1)),
            lambda words: not words,
        )
        ends, came = await self.kafka.end_offsets(READ, (0, 1)), 0
        for topic, partition in places:
            tp = TopicPartition(self.kafka.name(topic), partition)
            while await self._consumer.position(tp) < ends[tp]:
                came += await self.exchange(50)
        return came

    async def _untaken(self) -> dict[str, tuple[int, int]]:
        """The inputs that the linker has not taken to their end: topic and partition, its position,
        the end."""
        positions: dict[int, Mapping[str, int]] = {}
        async for record in self.kafka.read(("control",), (0, 1)):
            if record.key.startswith(b"~/position/"):
                positions[record.partition] = msgspec.json.decode(record.value, type=Control).value
        ends = await self.kafka.end_offsets(LINKER_INPUTS, (0, 1))
        taken = {tp: positions.get(tp.partition, {}).get(tp.topic, 0) for tp in ends}
        return {
            f"{tp.topic}/{tp.partition}": (taken[tp], end)
            for tp, end in ends.items()
            if taken[tp] < end
        }

    async def restore(self) -> None:
        """Give each world the store that its links and control topics make."""
        for world in self.worlds.values():
            world.store = Store(world.tenant, world.policy)
        async for record in self.kafka.read(("links",), (0, 1)):
            tenant, _, name = record.key.decode().partition("/")
            self.worlds[tenant].store.load(name, record.value)
        for world in self.worlds.values():
            world.store.build_index()
        async for record in self.kafka.read(("control",), (0, 1)):
            control = msgspec.json.decode(record.value, type=Control)
            if control.tenant in self.worlds:
                self.worlds[control.tenant].store.controls[f"{control.kind}/{control.id}"] = (
                    control.value
                )


def _address(message: Message) -> tuple[str, bytes]:
    match message:
        case Observed():
            return ENTITY_TOPICS[message.entity], re.sub(r"/[^/]*$", "", ce_id(message)).encode()
        case SnapshotCompleted():
            return ENTITY_TOPICS[
                message.entity
            ], f"{message.tenant}/{message.system}/~snapshot".encode()
        case Outcome():
            return "outcomes", f"{message.tenant}/{message.entity}/{message.link}".encode()
        case Signal():
            return "signals", message.tenant.encode()
        case Reading():
            event = message.record
            return "readings", f"{event.tenant}/{event.system}/{event.entity}/{event.id}".encode()
        case ReadingCompleted():
            return (
                "readings",
                f"{message.tenant}/{message.system}/{message.entity}/~completed".encode(),
            )
