"""How commands reach a vendor: finished ones are answered, one at a time per record, nobody waits
for another."""

import asyncio
import dataclasses
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import msgspec
import pytest

from contracts.messages import Command, Outcome
from contracts.signals import OfService, Reachable
from contracts.topics import link_key
from runtime import sinks
from runtime.backoff import Backoff
from runtime.sinks import Lane, SinkRunner
from runtime.vendor import Refused, Retriable, Unauthorised
from tests import waiting
from tests.flow.memory import MemoryKafka, MemoryTransactions, consumer_record
from tests.waiting import CAP_S

COMMANDS = "commands.poweroffice"
AT = "2026-11-20T10:00:00.000000Z"


@pytest.fixture(autouse=True)
def without_kafka(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sinks, "PartitionTransactions", MemoryTransactions)
    monkeypatch.setattr(sinks, "FIRST_BACKOFF_S", 0.001)


def command(link: str, seq: int = 1, **facts: Any) -> Command:
    base: dict[str, Any] = {
        "tenant": "demo",
        "entity": "customer",
        "link": link,
        "seq": seq,
        "target": "poweroffice",
        "op": "create",
        "lane": "bulk",
        "cause": "test",
    }
    return Command(**(base | facts))


def applied(asked: Command) -> Outcome:
    return Outcome(
        tenant=asked.tenant,
        entity=asked.entity,
        link=asked.link,
        seq=asked.seq,
        target=asked.target,
        result="applied",
        at=AT,
        id=f"go-{asked.link}",
    )


@dataclass
class FakeVendor:
    """Answers every command, unless `answer` does otherwise; remembers what was asked, in order."""

    answer: Callable[[Command], Awaitable[Outcome]] | None = None
    asked: list[Command] = field(default_factory=list)
    probes: int = 0
    down: bool = False

    async def apply(self, asked: Command) -> Outcome:
        self.asked.append(asked)
        return applied(asked) if self.answer is None else await self.answer(asked)

    async def probe(self) -> None:
        self.probes += 1
        if self.down:
            raise Unauthorised("the key is not accepted")

    def links(self) -> list[str]:
        return [each.link for each in self.asked]


@dataclass
class Bench:
    """A runner over vendors by tenant, and the signals it sent."""

    kafka: MemoryKafka
    runner: SinkRunner
    signals: list[tuple[str, OfService]]
    next_offset: int = 0

    async def give(self, *commands: Command | bytes | None) -> None:
        records = []
        for each in commands:
            value = msgspec.json.encode(each) if isinstance(each, Command) else each
            records.append(consumer_record(COMMANDS, value, offset=self.next_offset))
            self.next_offset += 1
        await self.runner.take(tuple(records))

    async def until_outcomes(self, count: int) -> list[Outcome]:
        await until(lambda: len(self.kafka.outcomes()) >= count)
        return self.kafka.outcomes()


async def until(holds: Callable[[], Any]) -> None:
    await waiting.until("what the test waits for there", holds)


async def turns(count: int = 1000) -> None:
    """Let everything in this loop that can go on go on so many times."""
    for _ in range(count):
        await asyncio.sleep(0)


@asynccontextmanager
async def bench(
    vendors: Mapping[str, FakeVendor], *, workers: int = 4, held: Any = None
) -> AsyncIterator[Bench]:
    kafka, signals = MemoryKafka(held), list[tuple[str, OfService]]()

    async def signal(tenant: str, said: OfService) -> None:
        signals.append((tenant, said))

    lanes = {
        name: Lane(vendor.apply, vendor.probe, retry_s=30, workers=workers)
        for name, vendor in vendors.items()
    }
    runner = SinkRunner(kafka, "poweroffice", [0], lanes, signal)  # type: ignore[arg-type]
    await runner.start()
    offset = max((record.offset + 1 for record in (held or {}).get(COMMANDS, ())), default=0)
    try:
        await until(lambda: all(vendor.probes for vendor in vendors.values()))
        yield Bench(kafka, runner, signals, offset)
    finally:
        await runner.stop()


def run(scenario: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(scenario, CAP_S))


def test_a_finished_command_is_answered_from_its_outcome() -> None:
    """Also by a process that only read the outcome from its topic; an older command gets no answer
    at all."""

    async def scenario() -> None:
        vendor = FakeVendor()
        asked = command("kari", seq=3)
        value = msgspec.json.encode(applied(asked))
        outcome = consumer_record("outcomes", value, key=link_key("demo", "customer", "kari"))
        async with bench({"demo": vendor}, held={"outcomes": [outcome]}) as held:
            await held.give(asked, command("kari", seq=2), command("kari", seq=4))
            outcomes = await held.until_outcomes(2)
            await until(lambda: held.kafka.position(COMMANDS) == 3)
            assert [each.seq for each in outcomes] == [3, 4]
            assert [each.seq for each in vendor.asked] == [4]

    run(scenario())


def test_the_same_command_twice_at_once_is_applied_once() -> None:
    """Delivered again while the first delivery is still under way."""

    async def scenario() -> None:
        go_on = asyncio.Event()

        async def slow(asked: Command) -> Outcome:
            await go_on.wait()
            return applied(asked)

        vendor = FakeVendor(slow)
        async with bench({"demo": vendor}) as held:
            await held.give(command("kari"), command("kari"))
            await until(lambda: vendor.asked)
            go_on.set()
            await until(lambda: held.kafka.position(COMMANDS) == 2)
            assert len(vendor.asked) == 1
            assert [each.seq for each in held.kafka.outcomes()] == [1]

    run(scenario())


def test_only_the_finished_prefix_is_committed() -> None:
    """A later command may finish first: its outcome is sent, the position stays before the one
    still open."""

    async def scenario() -> None:
        go_on = asyncio.Event()

        async def first_is_slow(asked: Command) -> Outcome:
            if asked.link == "first":
                await go_on.wait()
            return applied(asked)

        async with bench({"demo": FakeVendor(first_is_slow)}) as held:
            await held.give(command("zero"), command("first"), command("second"), command("third"))
            await held.until_outcomes(3)
            assert {each.link for each in held.kafka.outcomes()} == {"zero", "second", "third"}
            assert held.kafka.position(COMMANDS) == 1
            go_on.set()
            await until(lambda: held.kafka.position(COMMANDS) == 4)
            assert Counter(each.link for each in held.kafka.outcomes()) == dict.fromkeys(
                ("zero", "first", "second", "third"), 1
            )

    run(scenario())


def test_what_may_have_got_through_is_repeated_looking_first() -> None:
    """A lost reply makes the next attempt look; an attempt that surely failed does not."""

    async def scenario() -> None:
        troubles = {"lost": Retriable("reset", maybe_applied=True), "refused": Retriable("429")}

        async def once(asked: Command) -> Outcome:
            if trouble := troubles.pop(asked.link, None):
                raise trouble
            return applied(asked)

        vendor = FakeVendor(once)
        async with bench({"demo": vendor}, workers=1) as held:
            await held.give(command("lost"), command("refused"))
            outcomes = await held.until_outcomes(2)
            assert [each.result for each in outcomes] == ["applied", "applied"]
            assert [(each.link, each.look_first) for each in vendor.asked] == [
                ("lost", False),
                ("lost", True),
                ("refused", False),
                ("refused", False),
            ]

    run(scenario())


def test_commands_that_stood_there_at_the_start_look_first() -> None:
    """Kafka does not say how often a command was delivered: an earlier process may have begun
    it."""

    async def scenario() -> None:
        vendor = FakeVendor()
        there = consumer_record(COMMANDS, msgspec.json.encode(command("old")), offset=0)
        async with bench({"demo": vendor}, workers=1, held={COMMANDS: [there]}) as held:
            await held.runner.take((there,))
            await held.give(command("new"))
            await held.until_outcomes(2)
            assert [(each.link, each.look_first) for each in vendor.asked] == [
                ("old", True),
                ("new", False),
            ]

    run(scenario())


def test_a_refused_key_parks_at_once_and_the_probe_says_when_it_is_over() -> None:
    """The commands after it are parked without a call; the linker hears that the vendor can be
    reached again."""

    async def scenario() -> None:
        vendor = FakeVendor()

        async def revoked(asked: Command) -> Outcome:
            if vendor.down:
                raise Unauthorised("the key is not accepted")
            return applied(asked)

        vendor.answer = revoked
        async with bench({"demo": vendor}, workers=1) as held:
            await until(lambda: held.signals)
            held.signals.clear()
            vendor.down = True
            await held.give(command("a"), command("b"), command("c"))
            outcomes = await held.until_outcomes(3)
            assert [each.result for each in outcomes] == ["parked"] * 3
            assert all("not accepted" in each.error.message for each in outcomes if each.error)
            assert all(each.error for each in outcomes)
            assert vendor.links() == ["a"]
            assert not held.signals
            vendor.down = False
            await until(lambda: held.signals)
            assert held.signals == [("demo", Reachable(system="poweroffice"))]
            await held.give(command("a", seq=2))
            assert (await held.until_outcomes(4))[-1].result == "applied"

    run(scenario())


def test_a_privilege_that_is_missing_is_asked_for_with_pauses_that_grow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The probe is answered, and the linker plans the command again: at the full rate of the key,
    if nothing waited. What else gets through meanwhile says nothing of it."""
    pauses: list[float] = []

    async def pause(self: Backoff, **_: Any) -> None:
        pauses.append(self.next_s)
        self.next_s = min(self._most_s, self.next_s * 2)

    monkeypatch.setattr(Backoff, "pause", pause)

    async def scenario() -> None:
        is_granted = False

        async def forbidden(asked: Command) -> Outcome:
            if asked.link == "order" and not is_granted:
                raise Unauthorised("grant the privilege SalesOrders_Full")
            return applied(asked)

        vendor = FakeVendor(forbidden)

        async def again(count: int, *, seq: int) -> None:
            for number in range(seq, seq + count):
                held.signals.clear()
                await held.give(command("order", seq=number, entity="order"))
                await until(lambda: held.signals)
                other = command("kari", seq=number)
                await held.give(other)
                await until(partial(vendor.asked.__contains__, other))

        async with bench({"demo": vendor}) as held:
            await until(lambda: held.signals)
            await again(8, seq=1)
            assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]
            is_granted = True
            await held.give(command("order", seq=9, entity="order"))
            await until(lambda: command("order", seq=9, entity="order") in vendor.asked)
            is_granted = False
            await again(1, seq=10)
            assert pauses[8:] == [1]

    run(scenario())


def test_a_live_command_waits_for_no_bulk_one() -> None:
    """A person's edit never waits behind a backfill, also while that waits for the vendor."""

    async def scenario() -> None:
        go_on = asyncio.Event()

        async def gated(asked: Command) -> Outcome:
            if asked.lane == "bulk":
                await go_on.wait()
            return applied(asked)

        vendor = FakeVendor(gated)
        async with bench({"demo": vendor}, workers=1) as held:
            await held.give(*(command(f"bulk-{number}") for number in range(5)))
            await until(lambda: vendor.asked)
            await held.give(command("edit", lane="live"))
            assert [each.link for each in await held.until_outcomes(1)] == ["edit"]
            go_on.set()
            await held.until_outcomes(6)
            assert vendor.links() == [
                "bulk-0",
                "edit",
                *(f"bulk-{number}" for number in range(1, 5)),
            ]

    run(scenario())


def test_an_unreachable_vendor_of_one_tenant_delays_no_other() -> None:
    """Each tenant has workers of its own."""

    async def scenario() -> None:
        never = asyncio.Event()

        async def hangs(asked: Command) -> Outcome:
            await never.wait()
            return applied(asked)

        stuck, fine = FakeVendor(hangs), FakeVendor()
        async with bench({"stuck": stuck, "fine": fine}) as held:
            await held.give(*(command(f"s{number}", tenant="stuck") for number in range(10)))
            await held.give(*(command(f"f{number}", tenant="fine") for number in range(10)))
            outcomes = await held.until_outcomes(10)
            assert {each.tenant for each in outcomes} == {"fine"}
            assert sorted(fine.links()) == sorted(f"f{number}" for number in range(10))
            assert held.kafka.position(COMMANDS) == 0

    run(scenario())


def test_an_undecodable_command_becomes_a_dead_letter() -> None:
    """With its bytes and place; the commands around it are applied, and the word that one was
    erased is none."""

    async def scenario() -> None:
        vendor = FakeVendor()
        async with bench({"demo": vendor}) as held:
            await held.give(command("a"), b"\xff not json", None, command("b"))
            await until(lambda: held.kafka.position(COMMANDS) == 4)
            assert sorted(vendor.links()) == ["a", "b"]
            letters = [
                msgspec.json.decode(record.value or b"")
                for record in held.kafka.records("dead-letters")
            ]
            assert [letter["offset"] for letter in letters] == [1]
            assert all(letter["reason"] for letter in letters)

    run(scenario())


def test_a_refusal_and_a_fault_of_ours_reject_only_their_own_command() -> None:
    """The vendor's words and the field are kept; an unknown tenant is parked."""

    async def scenario() -> None:
        async def picky(asked: Command) -> Outcome:
            if asked.link == "bad":
                raise Refused("too_long", "Name is too long", field="company")
            if asked.link == "bug":
                raise KeyError("x")
            return applied(asked)

        async with bench({"demo": FakeVendor(picky)}, workers=1) as held:
            await held.give(
                command("bad"), command("bug"), command("fine"), command("who", tenant="nobody")
            )
            outcomes = {each.link: each for each in await held.until_outcomes(4)}
            assert {name: each.result for name, each in outcomes.items()} == {
                "bad": "rejected",
                "bug": "rejected",
                "fine": "applied",
                "who": "parked",
            }
            error = outcomes["bad"].error
            assert error is not None
            assert (error.code, error.message, error.field) == (
                "too_long",
                "Name is too long",
                "company",
            )

    run(scenario())


def test_a_fenced_runner_says_so_and_begins_nothing_more() -> None:
    """Another process has the partition: what this one wrote could not be committed, so it stops
    writing."""

    async def scenario() -> None:
        vendor, fenced = FakeVendor(), list[bool]()
        async with bench({"demo": vendor}, workers=1) as held:
            held.runner.on_fenced = lambda: fenced.append(True)
            held.kafka.taken_over = True
            await held.give(command("a"))
            await until(lambda: fenced)
            assert held.runner.fenced == 0
            await held.give(command("b"), command("c"))
            await turns()
            assert vendor.links() == ["a"]
            assert held.kafka.outcomes() == []

    run(scenario())


def test_outcomes_that_kafka_did_not_take_are_sent_again() -> None:
    """With their positions, and without another call to the vendor; what finished meanwhile
    follows."""

    async def scenario() -> None:
        vendor = FakeVendor()
        async with bench({"demo": vendor}) as held:
            held.kafka.refusals = ["links are full"] * 1000
            await held.give(command("a"), command("b"))
            await until(lambda: held.runner.problem() is not None)
            assert "links are full" in (held.runner.problem() or "")
            await held.give(command("c"))
            held.kafka.refusals.clear()
            outcomes = await held.until_outcomes(3)
            await until(lambda: held.kafka.position(COMMANDS) == 3)
            assert Counter(each.link for each in outcomes) == {"a": 1, "b": 1, "c": 1}
            assert sorted(vendor.links()) == ["a", "b", "c"]
            assert held.runner.problem() is None

    run(scenario())


def test_the_position_of_a_partition_without_commands_is_kept_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Kafka forgets it after a week, and every old command would be read again."""
    monkeypatch.setattr(sinks, "KEEP_POSITIONS_EVERY_S", 0.01)

    class Kafka(MemoryKafka):
        async def keep_positions(
            self, group: str, topics: Any, partitions: Any, known: Any
        ) -> dict[str, int]:
            return {f"{self.name(topic)}/{each}": 41 for topic in topics for each in partitions}

    monkeypatch.setattr("tests.flow.test_sinks.MemoryKafka", Kafka)

    async def scenario() -> None:
        async with bench({"demo": FakeVendor()}) as held:
            await until(lambda: held.kafka.commits)
            assert held.kafka.position(COMMANDS) == 41

    run(scenario())


def test_a_header_without_a_value_stops_no_command() -> None:
    """Kafka allows it, and whoever writes to the topic may set one."""

    async def scenario() -> None:
        vendor = FakeVendor()
        async with bench({"demo": vendor}) as held:
            records = [
                consumer_record(COMMANDS, msgspec.json.encode(command(link)), offset=offset)
                for offset, link in enumerate(("odd", "kari"))
            ]
            odd = dataclasses.replace(records[0], headers=(("traceparent", None),))
            await held.runner.take((odd, records[1]))
            await until(lambda: held.kafka.position(COMMANDS) == 2)
            assert sorted(vendor.links()) == ["kari", "odd"]

    run(scenario())


def test_a_fenced_runner_repeats_nothing_and_lets_nobody_through(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another process carries these commands out by now."""

    async def soon(_: Backoff, **_more: float) -> None:
        await asyncio.sleep(0)

    monkeypatch.setattr(Backoff, "pause", soon)

    async def scenario() -> None:
        async def answer(asked: Command) -> Outcome:
            raise Retriable("POST: 503", maybe_applied=True)

        vendor = FakeVendor(answer)
        async with bench({"demo": vendor}) as held:
            await held.give(command("kari", seq=1))
            await until(lambda: len(vendor.asked) >= 2)
            await held.give(command("kari", seq=2))  # waits for the first one
            held.runner.fenced, before = 0, len(vendor.asked)
            await turns()
            assert len(vendor.asked) <= before + 1  # which was under way
            assert {asked.seq for asked in vendor.asked} == {1}

    run(scenario())
