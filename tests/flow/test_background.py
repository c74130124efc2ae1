"""A task that ends unasked is begun again, counted and told of: the supervisor, and each kind of
task under it."""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import anyio
import httpx
import pytest
from aiokafka.errors import CorruptRecordException, KafkaError, TopicAuthorizationFailedError
from faststream.kafka import TestKafkaBroker
from starlette.applications import Starlette

from contracts.facts import Active, Run
from contracts.messages import Command, Outcome
from contracts.signals import OfService
from runtime import adapter as adapters
from runtime import background, backoff, life, service, sinks
from runtime.adapter import Adapter, Vendor
from runtime.background import SETTLED_S, Background, EndedUnasked, unasked
from runtime.broker import Subscription, make_broker
from runtime.control import ControlView
from runtime.dead_letters import about
from runtime.identity import Identity
from runtime.rate_limiter import RateLimiter
from runtime.runs import RunFollower
from runtime.sinks import Lane
from runtime.transport import VendorTransport
from runtime.vendor import Retriable, Unauthorised
from services.chargebee_adapter.source import Source as ChargebeeSource
from services.console import __main__ as console
from services.console.model import ReadModel
from services.console.model_rows import Mirrored
from services.console.status import tenant_status
from services.linker import upkeep
from services.poweroffice_adapter.observations import Observations
from services.poweroffice_adapter.source import Source as GoSource
from tests.contract.test_chargebee_adapter import MemoryPublisher
from tests.contract.test_clients_under_faults import NOW, tenant
from tests.flow.memory import MemoryKafka, MemoryTransactions
from tests.flow.test_broker import settings
from tests.flow.test_control import fact
from tests.flow.test_sinks import COMMANDS, FakeVendor, applied, bench, command, run, turns, until

Work = Callable[[], Awaitable[None]]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "FIRST_BACKOFF_S", 0.001)
    monkeypatch.setattr(background, "MAX_BACKOFF_S", 0.002)
    monkeypatch.setattr(sinks, "PartitionTransactions", MemoryTransactions)
    monkeypatch.setattr(sinks, "FIRST_BACKOFF_S", 0.001)


async def for_ever() -> None:
    await asyncio.Event().wait()


async def cancelled_from_within() -> None:
    """As by a library that cancels a future it shares."""
    raise asyncio.CancelledError


async def an_error() -> None:
    with about("customer 66"):
        raise KeyError("IsPerson")


async def an_end() -> None:
    return


async def errors_in_a_group() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(an_error())


ENDS: dict[str, tuple[Work, str]] = {
    "an error": (an_error, "KeyError: 'IsPerson' (customer 66)"),
    "errors in a group": (errors_in_a_group, "KeyError: 'IsPerson' (customer 66)"),
    "a cancellation from within": (cancelled_from_within, "EndedUnasked: cancelled from within"),
    "an end": (an_end, "EndedUnasked: it came to an end"),
}


def first_ends(ends: int, how: Work, then: Work = for_ever) -> tuple[Work, list[int]]:
    """Work that ends so many times and then goes on as `then` does; the list counts its
    beginnings."""
    begun: list[int] = []

    async def work() -> None:
        begun.append(len(begun) + 1)
        await (how if len(begun) <= ends else then)()

    return work, begun


# -- the supervisor


@pytest.mark.parametrize("name", ENDS)
def test_what_ends_unasked_is_begun_again_counted_and_told(name: str) -> None:
    """With record and cause, until it has run for a while."""
    how, words = ENDS[name]

    async def scenario() -> None:
        now = [0.0]
        tasks = Background(lambda: now[0])
        work, begun = first_ends(3, how)
        tasks.begin("reading of demo", work, tenant="demo")
        tasks.begin("telling the health", for_ever)
        await until(lambda: len(begun) == 4)
        told = tasks.troubles()["reading of demo"]
        assert told.startswith(f"ended unasked and is begun again, 3 times: {words}")
        assert tasks.problem() == f"reading of demo {told}"
        assert (list(tasks.troubles("demo")), list(tasks.troubles("other"))) == (
            ["reading of demo"],
            [],
        )
        now[0] = SETTLED_S
        assert tasks.problem() is None
        await tasks.stop()

    run(scenario())


def test_who_is_stopped_or_done_is_not_begun_again() -> None:
    async def scenario() -> None:
        tasks = Background()
        lasting, begun = first_ends(0, for_ever)
        once, done = first_ends(1, an_error, an_end)
        tasks.begin("lasting", lasting)
        tasks.begin("once", once, lasts=False)
        await until(lambda: len(done) == 2)
        await until(lambda: tasks.problem() is None)
        await tasks.stop()
        await turns()
        assert (len(begun), len(done)) == (1, 2)

    run(scenario())


def test_a_task_that_is_cancelled_while_it_waits_is_told_of_no_more() -> None:
    async def scenario() -> None:
        tasks = Background()
        failing = tasks.begin("reading run r1 of demo", an_error)
        await until(tasks.problem)
        failing.cancel()
        await asyncio.gather(failing, return_exceptions=True)
        assert tasks.problem() is None

    run(scenario())


def test_the_pause_doubles_and_begins_anew_after_a_task_has_run_for_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(background, "FIRST_BACKOFF_S", 1.0)
    monkeypatch.setattr(background, "MAX_BACKOFF_S", 4.0)
    pauses: list[float] = []
    pause = asyncio.sleep

    async def scenario() -> None:
        now = [0.0]

        async def sleep(seconds: float) -> None:
            pauses.append(seconds)
            await pause(0)

        monkeypatch.setattr(backoff, "asyncio", SimpleNamespace(sleep=sleep))
        tasks = Background(lambda: now[0])

        async def work() -> None:
            now[0] += SETTLED_S if len(pauses) == 4 else 1.0
            if len(pauses) < 6:
                raise ValueError
            await for_ever()

        tasks.begin("x", work)
        await until(lambda: len(pauses) == 6)
        await tasks.stop()

    run(scenario())
    assert pauses == [1.0, 2.0, 4.0, 4.0, 1.0, 2.0]


def test_nothing_in_a_group_ends_in_silence() -> None:
    """A TaskGroup takes the cancellation of a child for a wish, and goes on without it."""

    async def scenario() -> None:
        async def together() -> None:
            async with asyncio.TaskGroup() as group:
                group.create_task(unasked(for_ever()))
                group.create_task(unasked(an_end(), lasts=False))
                group.create_task(unasked(cancelled_from_within()))

        with pytest.raises(ExceptionGroup) as raised:
            await together()
        assert [type(each) for each in raised.value.exceptions] == [EndedUnasked]

    run(scenario())


# -- a sink


@pytest.mark.parametrize("how", [an_error, cancelled_from_within])
def test_a_command_whose_worker_ends_is_carried_out_by_the_next(how: Work) -> None:
    """It looks first, since it may have been carried out; nothing after it is lost."""

    async def scenario() -> None:
        async def answer(asked: Command) -> Outcome:
            if asked.link == "kari" and len(vendor.asked) == 1:
                await cancelled_from_within()
            return applied(asked)

        vendor = FakeVendor(answer)
        async with bench({"demo": vendor}, workers=1) as held:
            if how is an_error:
                vendor.answer = None
                attempt = held.runner._attempt
                pending = [KeyError("held")]

                async def broken(*arguments: Any) -> Outcome:
                    if pending:
                        await attempt(*arguments)
                        raise pending.pop()
                    return await attempt(*arguments)

                held.runner._attempt = broken  # type: ignore[method-assign, assignment]
            await held.give(command("kari"), command("ola"))
            outcomes = await held.until_outcomes(2)
            await until(lambda: held.kafka.position(COMMANDS) == 2)
            assert sorted(each.link for each in outcomes) == ["kari", "ola"]
            assert [each.look_first for each in vendor.asked if each.link == "kari"] == [
                False,
                True,
            ]
            problem = held.runner.problem() or ""
            assert problem.startswith(
                "carrying out bulk commands of demo, worker 1 ended unasked "
                "and is begun again, once: "
            )
            assert "customer kari, command 1" in problem

    run(scenario())


def test_two_commands_of_one_record_never_go_at_once_and_end_no_worker() -> None:
    """Also where the second waits for the first, and a third comes in between."""

    async def scenario() -> None:
        under_way, most = [0], [0]
        gates = {seq: asyncio.Event() for seq in (1, 2, 3)}

        async def slow(asked: Command) -> Outcome:
            under_way[0] += 1
            most[0] = max(most[0], under_way[0])
            await gates[asked.seq].wait()
            under_way[0] -= 1
            return applied(asked)

        vendor = FakeVendor(slow)
        async with bench({"demo": vendor}) as held:
            await held.give(command("kari", seq=1), command("kari", seq=2))
            await until(lambda: len(vendor.asked) == 1)
            await turns()
            gates[1].set()
            await until(lambda: len(vendor.asked) == 2)
            await held.give(command("kari", seq=3))
            await turns()
            gates[2].set()
            gates[3].set()
            await held.until_outcomes(3)
            assert most == [1]
            assert held.runner.problem() is None

    run(scenario())


def test_outcomes_whose_commit_ends_are_kept_and_committed_once() -> None:
    """The position goes with them, and never before them."""

    async def scenario() -> None:
        vendor = FakeVendor()
        async with bench({"demo": vendor}) as held:
            transactions: Any = held.runner._partitions[0].transactions
            commit, failures = transactions.commit, [KeyError("x"), asyncio.CancelledError()]

            async def broken(*arguments: Any) -> None:
                if failures:
                    raise failures.pop()
                await commit(*arguments)

            transactions.commit = broken
            await held.give(command("kari"))
            assert [each.link for each in await held.until_outcomes(1)] == ["kari"]
            assert held.kafka.position(COMMANDS) == 1
            assert "committing outcomes of partition 0 ended unasked" in (
                held.runner.problem() or ""
            )
            assert "2 times" in (held.runner.problem() or "")

    run(scenario())


@pytest.mark.parametrize("broken", ["the probe", "the signal"])
def test_a_probe_that_breaks_is_no_end_of_the_probing(
    broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until the linker has been told that the vendor can be reached, since it has parked what
    waits."""

    async def scenario() -> None:
        failures: list[Exception] = [ValueError("not foreseen"), KafkaError()]

        def fail() -> None:
            if failures:
                raise failures.pop()

        class Vendor(FakeVendor):
            async def probe(self) -> None:
                self.probes += 1
                if broken == "the probe":
                    fail()

        told: list[str] = []

        async def signal(_tenant: str, said: OfService) -> None:
            if broken == "the signal":
                fail()
            told.append(said.KIND)

        monkeypatch.setattr(asyncio, "sleep", partial(_soon, asyncio.sleep))
        vendor = Vendor()
        lane = Lane(vendor.apply, vendor.probe)
        runner = sinks.SinkRunner(MemoryKafka(), "poweroffice", [0], {"demo": lane}, signal)  # type: ignore[arg-type]
        await runner.start()
        await until(lambda: told == ["vendor_reachable"])
        assert lane.unreachable is None
        await runner.stop()

    run(scenario())


async def _soon(sleep: Callable[[float], Awaitable[None]], _seconds: float) -> None:
    await sleep(0)


# -- an adapter


def adapter_with(source: Work, probe: Work = an_end) -> Adapter:
    """Of one tenant, without Kafka: only its reading is begun."""

    async def identity() -> str:
        return "x"

    async def tell(*_: Any) -> None:
        return

    def connect(*_: Any) -> Vendor:
        raise AssertionError

    held = Adapter("chargebee", settings(), connect)
    http = VendorTransport(RateLimiter(0, 1, 1))
    unused: Any = an_end
    vendor = Vendor(source, unused, unused, probe, identity, {"last_error": None}, http)
    held.vendors["demo"] = vendor
    held._identities["demo"] = Identity("demo", "chargebee", None, identity, tell)
    held._budgets["demo"] = adapters._Budget(http.limiter)
    held._lanes["demo"] = Lane(unused, probe)
    held._followers["demo"] = SimpleNamespace(trouble=None)  # type: ignore[assignment]
    held._tasks.begin("reading of demo", partial(held._read, "demo", vendor), tenant="demo")
    return held


@pytest.mark.parametrize("name", ENDS)
def test_a_source_that_ends_is_begun_again_and_status_says_so(name: str) -> None:
    how, words = ENDS[name]

    async def scenario() -> None:
        source, begun = first_ends(2, how)
        held = adapter_with(source)
        await until(lambda: len(begun) == 3)
        told = held.health_of("demo")["tasks"]["reading of demo"]
        assert told.startswith(f"ended unasked and is begun again, 2 times: {words}")
        assert held.problem() == f"reading of demo {told}"
        cursor: Any = SimpleNamespace(
            system="chargebee", entity="health", value=held.health_of("demo"), at=""
        )
        shown = tenant_status([], [], [cursor], [], "sync")
        assert shown.troubles == [f"chargebee reading of demo: {told}"]
        await held._tasks.stop()

    run(scenario())


def test_a_probe_that_breaks_is_no_end_of_a_source(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tenant stays stopped, with the words of what broke, until it is answered."""

    async def scenario() -> None:
        async def refused() -> None:
            raise Unauthorised("the key is refused")

        source, begun = first_ends(1, refused)
        asked: list[str] = []

        async def probe() -> None:
            asked.append(held.health_of("demo")["stopped"])
            if len(asked) < 3:
                raise ValueError("not foreseen")

        monkeypatch.setattr(asyncio, "sleep", partial(_soon, asyncio.sleep))
        held = adapter_with(source, probe)
        await until(lambda: len(begun) == 2)
        assert asked[0] == "the key is refused"
        assert asked[2].startswith("ValueError: not foreseen")
        assert held.problem() is None
        assert "stopped" not in held.health_of("demo")
        await held._tasks.stop()

    run(scenario())


@pytest.mark.parametrize("system", ["chargebee", "poweroffice"])
def test_a_loop_of_a_source_never_ends_in_silence(
    system: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is cancelled from within ends the source, so that all of it is begun again."""

    async def scenario() -> None:
        held, publisher = tenant("http://127.0.0.1:9"), MemoryPublisher()
        client: Any = None
        if system == "chargebee":
            publisher.cursors = {"events": {"occurred_at": 1, "read_at": "2026-06-01T00:00:00Z"}}
            source: Any = ChargebeeSource("demo", held, client, publisher, clock=lambda: NOW)
            monkeypatch.setattr(source, "_snapshot", lambda entity: for_ever())
            monkeypatch.setattr(source, "_catch_up", cancelled_from_within)
        else:
            source = GoSource("demo", held, client, publisher, Observations(), clock=lambda: NOW)
            monkeypatch.setattr(source, "step", lambda entity: for_ever())
            monkeypatch.setattr(source.orders, "step", cancelled_from_within)
            monkeypatch.setattr(source.orders, "invoice_step", for_ever)
        with pytest.raises(EndedUnasked, match="cancelled from within"):
            await source.run()

    run(scenario())


@pytest.mark.parametrize("goes_on", [False, True])
def test_a_reading_of_a_run_that_ends_is_begun_again(goes_on: bool) -> None:
    """And is over with its run, or when all is read."""

    async def scenario() -> None:
        tasks, control = (
            Background(),
            SimpleNamespace(on_change=[], fact=lambda _tenant, kind, id: facts[kind]),
        )
        parts: dict[str, Any] = {"chargebee/customer": None}
        reading = Run(kind="reconcile", state="reading", at="", args={}, parts=parts)
        facts: dict[Any, Any] = {Active: Active(id="r1"), Run: reading}
        begun: list[str] = []

        async def read_all(_publisher: Any, entity: str, _run: str) -> None:
            begun.append(entity)
            if len(begun) < 3:
                await cancelled_from_within()
            if goes_on:
                await for_ever()

        unused: Any = None
        follower = RunFollower("demo", "chargebee", control, unused, read_all, an_end, tasks)  # type: ignore[arg-type]
        tasks.begin("following runs of demo", follower.follow)
        await until(lambda: len(begun) == 3)
        if goes_on:
            assert "2 times" in tasks.troubles("demo")["reading run r1 of demo"]
            facts[Active] = None
            follower._wake.set()
        await until(lambda: tasks.problem() is None)
        await tasks.stop()

    run(scenario())


def test_a_view_of_control_that_ends_takes_its_process_along(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever ends it: blind to a pause, the process must not go on writing."""
    codes: list[int] = []
    monkeypatch.setattr(os, "_exit", codes.append)

    async def scenario() -> None:
        class Kafka(MemoryKafka):
            def __init__(self, how: Work) -> None:
                super().__init__({"control": [fact("mode", "~", {"mode": "sync"})]})
                self.how = how

            async def follow(self, *arguments: Any) -> AsyncIterator[Any]:
                yield None
                await self.how()

        for how, _ in ENDS.values():
            view = ControlView(Kafka(how), [0])  # type: ignore[arg-type]
            await view.start()
            assert view._task is not None
            await asyncio.wait([view._task])
        view = ControlView(Kafka(for_ever), [0])  # type: ignore[arg-type]
        await view.start()
        await view.stop()

    run(scenario())
    assert codes == [3] * len(ENDS)


# -- the linker


def test_a_tick_that_breaks_is_tried_again_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not an hour later."""

    async def scenario() -> None:
        told: list[str] = []

        async def tell(kind: str, _tenant: str) -> None:
            told.append(kind)
            if len(told) < 3:
                raise ValueError("not foreseen")

        linker: Any = SimpleNamespace(tenants=lambda: ["demo"], tell=tell)
        held = upkeep.Upkeep(linker)
        monkeypatch.setattr(held, "look", lambda _tenants: None)
        held._ticked_s -= upkeep.TICK_S
        held.start()
        await until(lambda: len(told) == 3)
        await turns()
        assert len(told) == 3
        assert (held.tasks.problem() or "").startswith(
            "the hourly tick ended unasked and is begun again, 2 times: ValueError: not foreseen"
        )
        await held.stop()

    run(scenario())


def test_a_reload_that_breaks_is_begun_again_only_while_it_is_wanted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario() -> None:
        begun, wanted = [0], ["reload s1"]
        held = upkeep.Upkeep(SimpleNamespace())  # type: ignore[arg-type]
        monkeypatch.setattr(held, "_wanted", lambda _tenant: wanted[0])

        async def reload(_tenant: str) -> None:
            begun[0] += 1
            if begun[0] == 3:
                wanted[0] = ""
            raise KeyError("args")

        monkeypatch.setattr(held, "_reload", reload)
        held.look(["demo"])
        await until(lambda: held._jobs["demo"][1].done())
        assert begun == [3]
        assert held.tasks.problem() is None
        await held.stop()

    run(scenario())


# -- the console


@pytest.fixture
def model(tmp_path: Path) -> Iterator[ReadModel]:
    held = ReadModel(tmp_path, "x")
    yield held
    held.close()


def test_a_full_disk_is_told_and_the_read_model_goes_on_after_it(
    model: ReadModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In SQLite's own words, where it is, and what to do; nothing is skipped."""
    pages = model._db.execute("pragma page_count").fetchone()[0]
    model._db.execute(f"pragma max_page_count = {pages + 2}")
    value = b'{"tenant":"t","kind":"x","id":"1","at":"","value":{"long":"' + b"x" * 100_000 + b'"}}'

    class Held:
        def __init__(self) -> None:
            self.model = model

        async def to_the_end(self) -> None:
            return

        async def go_on(self) -> None:
            at = model.positions().get(("control", 0), 0)
            if at == 0:
                model.apply(
                    [Mirrored("control", "t/x/1", value)], {("control", 0): 0}, {("control", 0): 1}
                )
            await asyncio.sleep(0)

        async def ends(self) -> dict[Any, int]:
            return {}

        def behind(self, _ends: dict[Any, int]) -> int:
            return 0

    @asynccontextmanager
    async def mirror(_settings: Any) -> AsyncIterator[Held]:
        yield Held()

    monkeypatch.setattr(console, "mirror", mirror)

    async def scenario() -> None:
        keeper = console.Keeper(settings())
        await keeper.start()
        await until(lambda: "2 times" in (keeper.problem() or ""))
        problem = keeper.problem() or ""
        assert problem.startswith("following the topics ended unasked and is begun again, ")
        assert (
            "OperationalError: database or disk is full (the read model in .tandem/console: make "
            "room there" in problem
        )
        assert model.positions() == {}
        model._db.execute("pragma max_page_count = 1000000")
        await until(lambda: model.positions() == {("control", 0): 1})
        keeper._tasks._clock = lambda: float("inf")
        assert keeper.problem() is None
        await keeper.stop()

    run(scenario())


@pytest.mark.parametrize(
    "error", [sqlite3.DatabaseError("file is not a database"), ValueError("not foreseen")]
)
def test_whatever_ends_the_console_s_follower_is_told(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not ready before it has reached the end again."""

    async def scenario() -> None:
        opened = [0]

        class Held:
            model = SimpleNamespace(path="x", states=dict, findings_left=dict)

            async def to_the_end(self) -> None:
                if opened[0] == 3:
                    await for_ever()

            async def go_on(self) -> None:
                raise error

        @asynccontextmanager
        async def mirror(_settings: Any) -> AsyncIterator[Held]:
            opened[0] += 1
            yield Held()

        monkeypatch.setattr(console, "mirror", mirror)
        keeper = console.Keeper(settings())
        await keeper.start()
        await until(lambda: opened == [3])
        assert f"2 times: {type(error).__name__}: {error}" in (keeper.problem() or "")
        keeper._tasks._clock = lambda: float("inf")
        assert keeper.problem() == "reading the topics"
        await keeper.stop()

    run(scenario())


# -- the stream


def living(
    monkeypatch: pytest.MonkeyPatch, of: life.Service, told: Callable[..., Any] = an_end
) -> Starlette:
    """The application of a service, with topics and without a Kafka; `told` ends once the
    heartbeats stand there."""
    heartbeats = SimpleNamespace(
        start=lambda: None,
        begin=lambda: None,
        tell=lambda _words: None,
        kafka_problem=lambda: None,
        told=told,
        stop=an_end,
    )
    monkeypatch.setattr(life, "Heartbeats", lambda *_args: heartbeats)
    monkeypatch.setattr(life, "until_topics", lambda *_args: an_end())
    return service.make_app(of)


def test_a_service_whose_consumer_has_ended_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """FastStream begins it again after an error, but not after a cancellation from within."""

    class Broker:
        def __init__(self) -> None:
            self.subscribers = [SimpleNamespace(tasks=[])]

        async def start(self) -> None:
            self.subscribers[0].tasks.append(asyncio.create_task(ending()))

        async def stop(self) -> None:
            return

    go_on = asyncio.Event()

    async def ending() -> None:
        await go_on.wait()
        await cancelled_from_within()

    monkeypatch.setattr(life, "make_broker", lambda *_: Broker())
    running: Any = SimpleNamespace(start=an_end, stop=an_end, problem=lambda: None)
    subscription = Subscription(("x",), [0], "x", an_end)  # type: ignore[arg-type]
    app = living(monkeypatch, life.Service("x", settings(), running, [subscription], 0))

    async def scenario() -> None:
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://x") as client,
        ):
            await turns()
            assert (await client.get("/health/ready")).json() == {"ready": True, "problem": None}
            go_on.set()
            await turns()
            answer = await client.get("/health/ready")
            assert (
                answer.status_code,
                "a consumer of Kafka has ended" in answer.json()["problem"],
            ) == (503, True)

    run(scenario())


def test_a_service_is_ready_once_its_heartbeats_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where it was not ready for a while: whoever saw it ready found `tandem status` still
    telling of the wait."""
    monkeypatch.setattr(life, "TELL_S", 0.0)
    stands = asyncio.Event()
    waits: list[str | None] = ["reading the topics"]
    running: Any = SimpleNamespace(start=an_end, stop=an_end, problem=lambda: waits[-1])
    app = living(monkeypatch, life.Service("x", settings(), running, [], 0), stands.wait)

    async def scenario() -> None:
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://x") as client,
        ):

            async def problem() -> str | None:
                await turns()
                words: str | None = (await client.get("/health/ready")).json()["problem"]
                return words

            stands.set()
            assert await problem() == "reading the topics"
            stands.clear()
            waits.append(None)
            assert await problem() == "reading the topics"
            stands.set()
            assert await problem() is None

    run(scenario())


def test_the_trouble_of_a_run_that_was_cancelled_is_told_no_more() -> None:
    """`tandem status` says what is wrong now."""

    async def scenario() -> None:
        reading = Run(
            kind="reconcile", state="reading", at="", args={}, parts={"chargebee/customer": None}
        )
        known: dict[Any, Any] = {Active: Active(id="r1"), Run: reading}
        control: Any = SimpleNamespace(on_change=[], fact=lambda _tenant, kind, _id: known[kind])

        async def read_all(*_: Any) -> None:
            raise Retriable("GET /customers: 503")

        tasks, publisher = Background(), cast(Any, None)
        follower = RunFollower("demo", "chargebee", control, publisher, read_all, an_end, tasks)
        tasks.begin("following runs of demo", follower.follow)
        await until(lambda: follower.trouble is not None)
        known[Active] = known[Run] = None
        follower._wake.set()
        await until(lambda: follower.trouble is None)
        await tasks.stop()

    run(scenario())


@pytest.mark.parametrize(
    "error", [TopicAuthorizationFailedError("t.customers"), CorruptRecordException()]
)
def test_a_consumer_that_kafka_refuses_at_every_poll_is_told(
    monkeypatch: pytest.MonkeyPatch, error: KafkaError
) -> None:
    """A right taken away meanwhile, or a damaged record on its disk: FastStream asks again for
    ever, and its task never ends."""

    async def soon(_seconds: float) -> None:
        await asyncio.sleep(0)

    async def handle(_records: Any) -> None:
        return None

    async def scenario() -> None:
        running: Any = SimpleNamespace(start=None, stop=None, problem=lambda: None)
        one = life.Life(life.Service("linker", settings(), running, [], 0))
        told: list[str | None] = []
        subscription = Subscription(("customers",), [0], "g", handle)
        broker = make_broker(settings(), [subscription], one._polled)
        async with TestKafkaBroker(broker):
            subscriber: Any = broker.subscribers[0]

            class Consumer:
                async def getmany(self, **_: Any) -> dict[str, Any]:
                    told.append(one._own())
                    subscriber.running = len(told) < 4
                    if len(told) > 2:
                        return {}
                    raise error

            monkeypatch.setattr(anyio, "sleep", soon)
            subscriber.running = True
            consumer: Any = Consumer()
            await subscriber._run_consume_loop(consumer)
        assert told[0] is None
        assert all("customers" in (words or "") for words in told[1:3])
        assert told[3] is None

    run(scenario())
