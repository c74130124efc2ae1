"""What a service says of itself: the probe of Kafka, the waits for topics, the beats; no Kafka."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError

from contracts.messages import Heartbeat
from contracts.said import say
from contracts.settings import KafkaSettings
from contracts.topics import HEARTBEATS
from runtime import heartbeats, topics_wait
from runtime import probe as probes
from runtime.heartbeats import Heartbeats
from runtime.kafka import Amiss, Kafka, TopicError, TopicsFound
from runtime.probe import Probe
from runtime.version import version
from tests.flow.test_broker import settings
from tests.waiting import until, wait_for

NOON = datetime(2026, 11, 29, 12, 0, 0, tzinfo=UTC)
KAFKA = Kafka(KafkaSettings(bootstrap="kafka:9092", topic_prefix="x."))
AWAY = "Kafka at kafka:9092 does not answer since 12:00:01 UTC"


class Clock:
    """A second later at each look."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


async def answers() -> None:
    return


async def refuses() -> None:
    raise KafkaConnectionError("refused")


async def hangs() -> None:
    await asyncio.Event().wait()


def looked(
    monkeypatch: pytest.MonkeyPatch, *asked: Callable[[], Awaitable[None]]
) -> list[str | None]:
    """What the probe says after each question."""
    monkeypatch.setattr(probes, "ANSWER_S", 0.01)
    probe, said = Probe(KAFKA, Clock()), list[str | None]()

    async def scenario() -> None:
        for ask in asked:
            monkeypatch.setattr(probe, "_ask", ask)
            await probe.look()
            said.append(probe.problem())

    asyncio.run(scenario())
    return said


@pytest.mark.parametrize("away", [refuses, hangs])
def test_kafka_is_away_after_two_questions_and_back_with_one_answer(
    away: Callable[[], Awaitable[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`since` is when the first question was asked that had no answer."""
    assert looked(monkeypatch, away, away, away, answers) == [None, AWAY, AWAY, None]


def test_one_question_without_an_answer_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that slept, or a broker that hands over, is not told of."""
    assert looked(monkeypatch, answers, hangs, answers, refuses, answers) == [None] * 5


def test_it_is_told_within_ten_seconds() -> None:
    """As the limits stand: whatever hangs, two questions and the pauses before them take less."""
    assert probes.MISSED * (probes.EVERY_S + probes.ANSWER_S + probes.CLOSE_S) <= 10


# -- topics


def waited(
    monkeypatch: pytest.MonkeyPatch, *seen: TopicsFound | Exception
) -> tuple[list[str], int]:
    """What a service says until its topics are there, and how often it was told that the
    heartbeats' topic exists."""
    left, said, exist = list(seen), list[str](), [0]

    async def look(_self: Any) -> TopicsFound:
        found = left.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    def there() -> None:
        exist[0] += 1

    async def for_no_reason(_settings: KafkaSettings) -> None:
        return None

    monkeypatch.setattr(Kafka, "look_at_topics", look)
    monkeypatch.setattr(topics_wait, "why", for_no_reason)
    monkeypatch.setattr(topics_wait, "AGAIN_S", 0)
    asyncio.run(topics_wait.until_topics(KAFKA, "linker", said.append, there))
    assert left == []
    return said, exist[0]


def found(
    missing: list[str] | None = None,
    small: list[str] | None = None,
    differing: list[str] | None = None,
) -> TopicsFound:
    few, others = (
        [Amiss(say("bare", why=each), say("topic_small_set")) for each in told or []]
        for told in (small, differing)
    )
    return TopicsFound(missing or [], few, others)


def test_a_service_waits_in_words_until_somebody_has_made_the_topics(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It makes none itself; it cannot beat before the heartbeats have a topic."""
    said, exist = waited(
        monkeypatch,
        KafkaConnectionError("refused"),
        found(["customers", "products", "orders", HEARTBEATS]),
        found([HEARTBEATS]),
        found(["links"]),
        found(small=["topic x.links has max.message.bytes=1, kafka.max_message_bytes says 2"]),
        found(),
    )
    assert said == [
        "Kafka at kafka:9092 cannot be used: KafkaConnectionError: refused",
        "4 of 14 topics do not exist (x.customers, x.products, x.orders, …); run: tandem "
        "topics create",
        "1 of 14 topics does not exist (x.heartbeats); run: tandem topics create",
        "1 of 14 topics does not exist (x.links); run: tandem topics create",
        "topic x.links has max.message.bytes=1, kafka.max_message_bytes says 2; tandem topics "
        "create raises it, or set kafka.max_message_bytes lower; run: tandem topics create",
    ]
    assert exist == 3


def test_topics_that_differ_are_no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is missing besides."""
    with pytest.raises(TopicError, match="has 2 partitions"):
        waited(monkeypatch, found(["links"], [], ["topic x.orders has 2 partitions"]))


# -- beats


class Away:
    """A probe that finds Kafka away when it is told so."""

    def __init__(self) -> None:
        self.words: str | None = None

    def problem(self) -> str | None:
        return self.words

    async def run(self) -> None:
        await asyncio.Event().wait()


def beating(monkeypatch: pytest.MonkeyPatch) -> tuple[Heartbeats, Away, list[Heartbeat]]:
    """Heartbeats without Kafka, their probe, and the beats that were sent."""
    monkeypatch.setattr(heartbeats, "LOOK_S", 0.001)
    held, probe, sent = Heartbeats(settings(), "linker"), Away(), list[Heartbeat]()
    held.probe = probe  # type: ignore[assignment]

    async def send(beat: Heartbeat) -> None:
        sent.append(beat)

    monkeypatch.setattr(held, "_send", send)
    return held, probe, sent


def said(sent: list[Heartbeat]) -> list[tuple[str | None, bool]]:
    return [(beat.problem, beat.stopped) for beat in sent]


def test_a_change_is_said_at_once_and_the_end_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing before the topic exists, nothing after the last word, and each word once within an
    interval."""
    held, _, sent = beating(monkeypatch)

    async def scenario() -> None:
        held.start()
        await held.told()
        assert sent == []
        held.begin()
        for words in ("waits", "waits", None):
            held.tell(words)
            await held.told()
        await held.stop()
        held.tell("later")

    asyncio.run(scenario())
    assert said(sent) == [("waits", False), (None, False), (None, True)]
    assert [beat.beat for beat in sent] == [1, 2, 3]
    assert {(beat.service, beat.slot, beat.prefix, beat.version) for beat in sent} == {
        ("linker", "0/1", settings().kafka.topic_prefix, version())
    }


def test_it_beats_while_the_service_is_busy_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """The service's own loop says nothing for many looks: it restores a million links, or hangs."""
    monkeypatch.setattr(heartbeats, "BEAT_S", 0.0)
    held, _, sent = beating(monkeypatch)

    async def scenario() -> None:
        held.start()
        held.begin()
        held.tell(None)
        wait_for("it is told", lambda: sent and sent[-1].problem)  # nothing else runs in this loop
        held.tell(None)
        await held.told()
        await held.stop()

    asyncio.run(scenario())
    assert sent[0].problem is None
    words = next(beat.problem for beat in sent if beat.problem)
    assert words.startswith("busy with one thing since ")


def test_a_kafka_that_is_away_is_not_asked_to_take_a_beat(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the end is not held up by it."""
    held, probe, sent = beating(monkeypatch)

    async def scenario() -> None:
        probe.words = "away"
        held.start()
        held.begin()
        await held.told()
        await held.stop()

    asyncio.run(scenario())
    assert sent == []
    assert held.kafka_problem() == "away"


def test_a_beat_that_cannot_be_sent_is_left_out_and_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As where no rule of Kafka lets us write: the service goes on."""
    held, _, sent = beating(monkeypatch)
    refusals = [KafkaConnectionError("refused"), ValueError("a fault of ours")]

    async def send(beat: Heartbeat) -> None:
        if refusals:
            raise refusals.pop(0)
        sent.append(beat)

    monkeypatch.setattr(held, "_send", send)

    async def scenario() -> None:
        held.start()
        held.begin()
        held.tell("key=x\ud800\x1b[31m" + "x" * 1000)
        await until("it is sent", lambda: sent)
        await held.stop("topics differ")

    asyncio.run(scenario())
    assert (sent[0].problem or "").startswith("key=x\\ud800\\x1b[31mxxx")
    assert len(sent[0].problem or "") < 600
    assert said(sent)[-1] == ("topics differ", True)
