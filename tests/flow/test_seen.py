"""What happens to an edit is counted, logged and traced where it happens, under the same ids in
every service."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import msgspec
import pytest
import structlog
from prometheus_client import REGISTRY

from contracts.messages import Command, Outcome, ce_id
from runtime import sinks, traces
from runtime.kafka import Record
from runtime.publisher import KafkaPublisher
from runtime.vendor import Refused, Retriable
from services.linker import partitions
from tests.flow.memory import MemoryKafka, MemoryTransactions, consumer_record
from tests.flow.test_broker import AT, KARI
from tests.flow.test_sinks import COMMANDS, FakeVendor, applied, bench, command, run
from tests.flow.test_too_large import Bench, seen

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
CAUSE = "demo/chargebee/customer/kari/1795168800000"


@pytest.fixture(autouse=True)
def without_kafka(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sinks, "PartitionTransactions", MemoryTransactions)
    monkeypatch.setattr(partitions, "PartitionTransactions", MemoryTransactions)
    monkeypatch.setattr(sinks, "FIRST_BACKOFF_S", 0.001)


@pytest.fixture
def logged() -> Iterator[list[Any]]:
    """Every line of the log, with its level."""
    with structlog.testing.capture_logs() as lines:
        yield lines


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def grown(what: dict[str, tuple[str, dict[str, str]]], act: Callable[[], None]) -> dict[str, float]:
    """By how much each of these series grows."""
    before = {each: value(name, **labels) for each, (name, labels) in what.items()}
    act()
    return {each: value(name, **labels) - before[each] for each, (name, labels) in what.items()}


def headers_of(record: Record) -> dict[str, str]:
    return {name: held.decode() for name, held in record.headers}


# -- the linker


def _edit(held: Bench, headers: list[tuple[str, bytes]]) -> Command:
    """An edit of a linked customer arrives with these headers; the command that follows."""
    held.open()
    held.say(seen("chargebee", "kari", 1, KARI, "customer"))
    (create,) = held.decoded("commands.poweroffice", Command)
    answer = msgspec.structs.replace(
        applied(create),
        id="7",
        version="1",
        data=KARI,
        stamp="cb-kari",
    )
    held.say(answer)
    event = seen("chargebee", "kari", 2, {**KARI, "phone": "+47 2"}, "customer")
    record = consumer_record("customers", msgspec.json.encode(event))
    record.headers = tuple(headers)
    asyncio.run(held.linker.handle((record,)))
    found: Command = held.decoded("commands.poweroffice", Command)[-1]
    assert found.op == "update"
    return found


def test_the_linker_counts_and_logs_what_it_decides(
    monkeypatch: pytest.MonkeyPatch,
    logged: list[Any],
) -> None:
    """A reading, its command and its answer, each once it is committed, with the same ids."""
    held = Bench(monkeypatch)
    what = {
        "acted": ("tandem_linker_events_total", {"tenant": "demo", "result": "acted"}),
        "updates": (
            "tandem_linker_commands_total",
            {
                "tenant": "demo",
                "entity": "customer",
                "target": "poweroffice",
                "op": "update",
                "lane": "live",
            },
        ),
        "batches": ("tandem_linker_batch_records_count", {}),
        "transactions": ("tandem_linker_transaction_seconds_count", {}),
    }
    sent: list[Command] = []
    told = grown(what, lambda: sent.append(_edit(held, [])))
    assert told["updates"] == 1
    assert told["acted"] >= 2
    assert told["batches"] == told["transactions"] == 9
    cause = "demo/chargebee/customer/kari/0000000000002"
    ids = {
        "tenant": "demo",
        "entity": "customer",
        "link": "kari",
        "cause": cause,
        "log_level": "info",
    }
    lines = [line for line in logged if line.get("cause") == cause]
    assert [line["event"] for line in lines] == ["reading.decided", "command.sent"]
    assert all(ids.items() <= line.items() for line in lines)
    facts = {"id": "7", "version": "2", "stamp": "cb-kari"}
    outcome = msgspec.structs.replace(applied(sent[0]), **facts, data={**KARI, "phone": "+47 2"})
    record = consumer_record("outcomes", msgspec.json.encode(outcome))
    record.headers = (("tandem_cause", cause.encode()), ("tandem_lane", b"live"))
    asyncio.run(held.linker.handle((record,)))
    assert logged[-1]["event"] == "outcome.decided"
    assert ids.items() <= logged[-1].items()


def test_lines_hold_no_personal_data(monkeypatch: pytest.MonkeyPatch, logged: list[Any]) -> None:
    """Ids say which record it is; what it holds stays on Kafka."""
    _edit(Bench(monkeypatch), [])
    text = str(logged)
    assert not [part for part in (KARI["email"], KARI["last_name"], "+47 2") if str(part) in text]


def test_a_command_goes_on_from_the_trace_of_its_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an endpoint of our own the trace of whoever began it is handed on."""
    held = Bench(monkeypatch)
    _edit(held, [("ce_id", b"x"), ("traceparent", TRACE.encode())])
    assert headers_of(held.kafka.records("commands.poweroffice")[-1])["traceparent"] == TRACE
    assert "traceparent" not in headers_of(held.kafka.records("commands.poweroffice")[0])


def test_a_message_that_cannot_be_read_counts_as_a_dead_letter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By its topic, without a tenant that nobody knows."""
    held = Bench(monkeypatch)
    what = {
        "letters": ("tandem_dead_letters_written_total", {"topic": "customers"}),
        "events": ("tandem_linker_events_total", {"tenant": "~", "result": "dead_letter"}),
    }
    told = grown(
        what,
        lambda: asyncio.run(held.linker.handle((consumer_record("customers", b"{"),))),
    )
    assert told == {"letters": 1, "events": 1}


# -- the adapters


def _answered(answer: Callable[[Command], Awaitable[Outcome]], **facts: Any) -> MemoryKafka:
    """A command that a vendor answers so, after it came with a trace."""
    held: list[MemoryKafka] = []

    async def scenario() -> None:
        async with bench({"demo": FakeVendor(answer)}) as seen_by:
            asked = command("kari", cause=CAUSE, **facts)
            record = consumer_record(COMMANDS, msgspec.json.encode(asked), offset=0)
            record.headers = (("traceparent", TRACE.encode()),)
            await seen_by.runner.take((record,))
            await seen_by.until_outcomes(1)
            held.append(seen_by.kafka)

    run(scenario())
    return held[0]


def test_an_answer_counts_by_lane_and_result_and_is_logged(logged: list[Any]) -> None:
    """With the time from the vendor's change, and on the trace that the command came with."""

    async def answer(asked: Command) -> Outcome:
        return msgspec.structs.replace(applied(asked), at="2026-11-20T10:00:01.000000Z")

    where = {"tenant": "demo", "system": "poweroffice", "entity": "customer", "lane": "live"}
    way = {"tenant": "demo", "entity": "customer", "source": "chargebee", "target": "poweroffice"}
    what = {
        "outcomes": ("tandem_outcomes_total", {**where, "result": "applied"}),
        "seconds": ("tandem_command_seconds_count", where),
        "crossed": ("tandem_propagation_seconds_count", way),
        "took": ("tandem_propagation_seconds_sum", way),
    }
    kept: list[MemoryKafka] = []
    told = grown(what, lambda: kept.append(_answered(answer, op="update", lane="live")))
    assert told == {"outcomes": 1, "seconds": 1, "crossed": 1, "took": 1.0}
    marks = headers_of(kept[0].records("outcomes")[0])
    assert (marks["traceparent"], marks["tandem_lane"], marks["tandem_cause"]) == (
        TRACE,
        "live",
        CAUSE,
    )
    (line,) = [each for each in logged if each["event"] == "command.answered"]
    ids = {"tenant": "demo", "entity": "customer", "link": "kari", "cause": CAUSE}
    assert {**ids, "result": "applied", "log_level": "info"}.items() <= line.items()


def test_what_belongs_to_a_backfill_is_logged_at_debug(logged: list[Any]) -> None:
    """A million lines would hide the edits of people."""

    async def answer(asked: Command) -> Outcome:
        return applied(asked)

    _answered(answer, lane="bulk")
    assert [each["log_level"] for each in logged if each["event"] == "command.answered"] == [
        "debug",
    ]


def test_retries_and_refusals_are_counted() -> None:
    """An attempt that is made again, and a command that is refused."""
    attempts: list[Command] = []

    async def answer(asked: Command) -> Outcome:
        attempts.append(asked)
        if len(attempts) < 3:
            raise Retriable("busy")
        raise Refused("invalid", "no")

    where = {"tenant": "demo", "system": "poweroffice", "entity": "customer"}
    what = {
        "retries": ("tandem_command_retries_total", where),
        "rejected": ("tandem_outcomes_total", {**where, "lane": "live", "result": "rejected"}),
    }
    assert grown(what, lambda: (_answered(answer, lane="live"), None)[1]) == {
        "retries": 2,
        "rejected": 1,
    }


def test_open_commands_and_the_age_of_the_oldest_are_told() -> None:
    """From their time on Kafka, until they are answered."""

    async def scenario() -> None:
        may_go_on = asyncio.Event()

        async def answer(asked: Command) -> Outcome:
            await may_go_on.wait()
            return applied(asked)

        async with bench({"demo": FakeVendor(answer)}) as held:
            await held.give(command("a", lane="live"), command("b"), command("c"))
            assert held.runner.open_commands() == {("demo", "live"): 1, ("demo", "bulk"): 2}
            assert held.runner.oldest_s()["demo"] > 1e9  # the records of the test bear the time 0
            may_go_on.set()
            await held.until_outcomes(3)
            assert held.runner.open_commands() == {}
            assert held.runner.oldest_s() == {"demo": 0.0}

    run(scenario())


class _Sending:
    """A producer that has sent at once."""

    def __init__(self) -> None:
        self.headers: list[dict[str, bytes]] = []

    async def send(self, _topic: str, *, headers: list[tuple[str, bytes]], **_facts: Any) -> Any:
        self.headers.append(dict(headers))
        future = asyncio.get_running_loop().create_future()
        future.set_result(None)
        return future


def test_what_stands_is_sent_again_after_what_came_before_it() -> None:
    """Compaction keeps what was sent last of a record."""
    older, newer = (seen("chargebee", "kari", version, KARI, "customer") for version in (1, 2))
    other = seen("chargebee", "ola", 1, KARI, "customer")
    producer = _Sending()

    async def scenario() -> None:
        held = KafkaPublisher(MemoryKafka(), "chargebee", {"demo": 0})  # type: ignore[arg-type]
        held._producer = producer
        assert await held.publish([newer, other]) == 2
        assert await held.publish([older, newer, other]) == 2
        assert await held.publish([newer]) == 0

    run(scenario())
    assert [each["ce_id"].decode() for each in producer.headers] == [
        ce_id(each) for each in (newer, other, older, newer)
    ]


def test_readings_are_counted_and_logged_and_bear_the_trace_of_their_poll(
    logged: list[Any],
) -> None:
    """Repeats count as such and leave no line; those of a snapshot are told at debug and bear no
    trace."""
    event = seen("chargebee", "kari", 1, KARI, "customer")
    bulk = msgspec.structs.replace(seen("chargebee", "ola", 1, KARI, "customer"), snapshot="s")
    producer = _Sending()

    async def scenario() -> None:
        held = KafkaPublisher(MemoryKafka(), "chargebee", {"demo": 0})  # type: ignore[arg-type]
        held._producer = producer
        with traces.step("poll", TRACE, idle=True) as span:
            assert await held.publish([event, bulk]) == 2
            assert not span.idle
            assert await held.publish([event]) == 0

    where = {"tenant": "demo", "system": "chargebee", "entity": "customer"}
    what = {
        result: ("tandem_source_events_total", {**where, "result": result})
        for result in (
            "published",
            "repeated",
        )
    }
    assert grown(what, lambda: run(scenario())) == {"published": 2, "repeated": 1}
    assert [each.get("traceparent") for each in producer.headers] == [TRACE.encode(), None]
    lines = [
        (
            each["cause"],
            each["log_level"],
        )
        for each in logged
        if each["event"] == "reading.published"
    ]
    assert lines == [(ce_id(event), "info"), (ce_id(bulk), "debug")]
    assert AT not in str(lines)
