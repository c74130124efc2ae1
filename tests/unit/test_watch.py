"""Lines of `tandem watch`, from the records that pass by."""

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from aiokafka import TopicPartition

from contracts.messages import Command, JournalEntry, Observed, Outcome, Problem
from services.console import watch as watching
from services.console.watch import Flow

CAUSE = "t/chargebee/customer/kari/2"


def texts(flow: Flow, topic: str, message: Any) -> list[str]:
    return [line.text() for line in flow.take(topic, msgspec.json.encode(message))]


def command(op: Any = "update", **more: Any) -> Command:
    return Command(
        tenant="t",
        entity="customer",
        link="kari",
        seq=3,
        target="poweroffice",
        op=op,
        lane="live",
        cause=CAUSE,
        fields={"phone": "1"},
        **more,
    )


def outcome(result: Any = "applied", **more: Any) -> Outcome:
    return Outcome(
        tenant="t",
        entity="customer",
        link="kari",
        seq=3,
        target="poweroffice",
        result=result,
        at="2026-11-20T10:00:00.750000Z",
        **more,
    )


def test_an_edit_is_one_line_with_the_time_it_took() -> None:
    """From the moment it was seen to the vendor's answer."""
    flow = Flow("t")
    event = Observed(
        tenant="t",
        system="chargebee",
        entity="customer",
        id="kari",
        version="2",
        mapping=1,
        observed_at="2026-11-20T10:00:00.500000Z",
    )
    assert texts(flow, "customers", event) == []
    assert texts(flow, "commands.poweroffice", command()) == []
    assert texts(flow, "outcomes", outcome()) == [
        "10:00:00.750  customer kari: update in poweroffice (phone): applied  250 ms"
    ]
    assert texts(
        flow, "outcomes", outcome("rejected", error=Problem(code="x", message="too long"))
    ) == ["10:00:00.750  customer kari: written in poweroffice: rejected, too long"]


def reading(number: int, phone: str = "1", **more: Any) -> Observed:
    version = f"2026-11-20T10:00:00.7000000Z#{number:012d}"
    facts = {"version": version, "data": {"phone": phone}, "mapping": 1, **more}
    at = "2026-11-20T10:00:01.000000Z"
    return Observed(
        tenant="t", system="poweroffice", entity="customer", id="7", observed_at=at, **facts
    )


def answer(**more: Any) -> Outcome:
    return outcome(
        id="7", version="2026-11-20T10:00:00.7000000Z#000000000005", data={"phone": "1"}, **more
    )


def test_a_reading_is_told_from_a_write() -> None:
    """Whether or not the command is remembered: an answer says whether anything was written."""
    flow = Flow("t")
    assert texts(flow, "outcomes", answer(wrote=False)) == []
    assert texts(flow, "outcomes", answer()) == [
        "10:00:00.750  customer kari: written in poweroffice: applied"
    ]
    texts(flow, "commands.poweroffice", command())
    assert texts(flow, "outcomes", answer(wrote=False)) == [
        "10:00:00.750  customer kari: update in poweroffice (phone): needed no write"
    ]


def test_our_own_write_coming_back_is_told_from_a_change() -> None:
    """After its answer, and before it; readings are told where they are wanted."""
    flow = Flow("t", readings=True)
    texts(flow, "outcomes", answer())
    assert texts(flow, "customers", reading(6)) == [
        "10:00:01.000  customer 7: read in poweroffice: our own write came back"
    ]
    assert texts(flow, "customers", reading(7, "2")) == [
        "10:00:01.000  customer 7: read in poweroffice: changed there"
    ]
    assert texts(flow, "customers", reading(8, "2", deleted=True))[0].endswith("deleted there")
    assert texts(flow, "customers", reading(9, "2", snapshot="s"))[0].endswith("first reading")
    assert texts(Flow("t"), "customers", reading(6)) == []
    early = Flow("t", readings=True)
    texts(early, "customers", reading(4))
    assert texts(early, "outcomes", answer())[0] == (
        "10:00:00.750  customer 7: read in poweroffice: it was our own write, read before "
        "its answer"
    )


class Consumer:
    """Records with offsets by topic, in fetches of one; `later` come while it catches up."""

    def __init__(self, held: dict[TopicPartition, list[Any]]) -> None:
        self.held, self.at, self.asked_ms = (
            held,
            dict.fromkeys(held, 0),
            dict[TopicPartition, int](),
        )

    async def end_offsets(self, wanted: Any) -> dict[TopicPartition, int]:
        return {tp: len(self.held[tp]) for tp in wanted}

    async def offsets_for_times(
        self, times: dict[TopicPartition, int]
    ) -> dict[TopicPartition, Any]:
        found: dict[TopicPartition, Any] = {}
        for tp, since_ms in times.items():
            young = [record.offset for record in self.held[tp] if record.timestamp >= since_ms]
            found[tp] = SimpleNamespace(offset=young[0]) if young else None
        return found

    def seek(self, tp: TopicPartition, offset: int) -> None:
        self.at[tp] = offset

    async def position(self, tp: TopicPartition) -> int:
        return self.at[tp]

    async def getmany(self, timeout_ms: int) -> dict[TopicPartition, list[Any]]:
        found = {
            tp: self.held[tp][at : at + 1] for tp, at in self.at.items() if at < len(self.held[tp])
        }
        self.at = {tp: at + len(found.get(tp, ())) for tp, at in self.at.items()}
        return found


def test_what_was_written_shortly_before_is_looked_at_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is older is left alone, so are all but the newest records, and what comes meanwhile is
    told afterwards."""
    now = datetime(2026, 11, 20, 12, tzinfo=UTC)
    monkeypatch.setattr(watching, "utc_now", lambda: now)
    monkeypatch.setattr(watching, "LOOK_BACK_RECORDS", 3)
    ages_s = {"a": [2000, 950, 800, 1], "b": [5000], "c": [], "d": [50, 40, 30, 20, 10]}
    held = {
        TopicPartition(topic, 0): [
            SimpleNamespace(topic=topic, offset=number, timestamp=(now.timestamp() - age_s) * 1000)
            for number, age_s in enumerate(ages)
        ]
        for topic, ages in ages_s.items()
    }

    async def look() -> tuple[list[Any], list[Any]]:
        consumer = Consumer(held)
        ends = await consumer.end_offsets(held)
        held[TopicPartition("b", 0)].append(
            SimpleNamespace(topic="b", offset=1, timestamp=now.timestamp() * 1000)
        )
        await watching._look_back(consumer, ends)
        return await watching._caught_up(consumer, ends)

    before, fresh = asyncio.run(look())
    assert sorted((each.topic, each.offset) for each in before) == [
        ("a", 2),
        ("a", 3),
        ("d", 2),
        ("d", 3),
        ("d", 4),
    ]
    assert [(each.topic, each.offset) for each in fresh] == [("b", 1)]


def test_readings_of_runs_other_tenants_and_noise_are_left_out() -> None:
    """What cannot be read is none of a watcher's business either."""
    flow = Flow("t")
    texts(flow, "commands.poweroffice", command("verify"))
    assert texts(flow, "outcomes", outcome()) == []
    assert texts(Flow("other"), "outcomes", outcome()) == []
    assert list(flow.take("outcomes", b"{")) == []


def test_decisions_that_a_person_would_ask_about_are_told() -> None:
    """A conflict, and what an operator did; an ordinary update is told by its outcome."""
    flow = Flow("t")

    def entry(rule: str, text: str, entity: Any = "customer") -> JournalEntry:
        return JournalEntry(
            tenant="t",
            entity=entity,
            link="kari",
            entry="1",
            at="2026-11-20T10:00:00.000000Z",
            rule=rule,
            text=text,
            cause=CAUSE,
        )

    assert texts(flow, "journal", entry("conflict", "phone was changed on both sides")) == [
        "10:00:00.000  customer kari: phone was changed on both sides"
    ]
    assert texts(flow, "journal", entry("update", "update in poweroffice: phone")) == []
    assert texts(flow, "journal", entry("pause", "kim@desk asked for pause: done", None)) == [
        "10:00:00.000  signal kari: kim@desk asked for pause: done"
    ]
