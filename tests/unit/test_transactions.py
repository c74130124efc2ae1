"""Whatever a broker answers to a producer that another has fenced, it is told as fenced."""

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from aiokafka.errors import (
    InvalidProducerEpoch,
    InvalidProducerIdMapping,
    InvalidTimestampError,
    InvalidTxnState,
    KafkaError,
    ProducerFenced,
    UnknownError,
)

from contracts.settings import KafkaSettings
from runtime.kafka import OWNER, Kafka
from runtime.transactions import NotCommitted, PartitionTransactions, _NotTaken, _words


class Refusing:
    """A producer whose commit is refused, once `spent_s` have passed on the clocks."""

    def __init__(self, error: type[KafkaError], cause: Exception | None, pass_time: Any) -> None:
        self._error, self._cause, self._pass_time = error, cause, pass_time

    async def begin_transaction(self) -> None: ...

    async def commit_transaction(self) -> None:
        self._pass_time()
        raise self._error from self._cause

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


class Committed(Kafka):
    """A Kafka whose positions were committed by these, look after look."""

    seen: ClassVar[list[set[str]]] = []

    async def owners(self, group: str, partition: int) -> set[str]:
        return self.seen.pop(0) if len(self.seen) > 1 else self.seen[0]

    async def positions(self, group: str, partition: int) -> dict[Any, Any]:
        return {}

    def producer(self, transactional_id: str | None = None, *, timeout_ms: int = 0) -> Any:
        return Refusing(KafkaError, None, lambda: None)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def no_wait(_seconds: float) -> None: ...

    monkeypatch.setattr("runtime.transactions.asyncio.sleep", no_wait)


def commit(
    error: type[KafkaError],
    cause: Exception | None = None,
    *,
    owners: Sequence[set[str]] = ({OWNER},),
    spent_s: float = 0.0,
    clock: str = "monotonic",
) -> None:
    Committed.seen = list(owners)
    now = {"monotonic": 100.0, "time": 1_000_000.0}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "runtime.transactions.time",
            SimpleNamespace(monotonic=lambda: now["monotonic"], time=lambda: now["time"]),
        )

        def pass_time() -> None:
            now[clock] += spent_s

        transactions: Any = PartitionTransactions(Committed(KafkaSettings()), "linker", 0, "linker")
        transactions._producer = Refusing(error, cause, pass_time)
        asyncio.run(transactions.commit([], {}))


@pytest.mark.parametrize(
    "error", [InvalidTxnState, InvalidProducerEpoch, InvalidProducerIdMapping, ProducerFenced]
)
def test_a_producer_that_was_overtaken_is_fenced(error: type[KafkaError]) -> None:
    """The process then waits for a person; ending, it would be restarted and fence the other in
    turn."""
    with pytest.raises(ProducerFenced):
        commit(error)


@pytest.mark.parametrize("clock", ["monotonic", "time"])
def test_a_transaction_that_took_too_long_may_have_been_aborted_by_the_broker(clock: str) -> None:
    """Then nobody else has put a name to the positions; a machine that slept counts on one clock
    only."""
    with pytest.raises(NotCommitted):
        commit(InvalidProducerEpoch, spent_s=15, clock=clock)
    with pytest.raises(ProducerFenced):
        commit(InvalidProducerEpoch, spent_s=15, clock=clock, owners=[{OWNER}, {OWNER, "another"}])


def test_a_refusal_that_a_person_ends_says_what_it_means() -> None:
    """Beside aiokafka's name of it, by which it is found."""
    error = _NotTaken("links did not take 2 records")
    error.__cause__ = InvalidTimestampError()
    said = "InvalidTimestampError, this machine's clock is an hour or more ahead of Kafka's"
    assert said in _words(error, 1.0)
    error.__cause__ = UnknownError()
    assert _words(error, 1.0) == "links did not take 2 records: UnknownError"


def test_other_trouble_is_not_taken_for_fencing() -> None:
    """It is decided again from what was committed, unless another has the partition by now."""
    with pytest.raises(NotCommitted, match="KafkaError"):
        commit(KafkaError)
    with pytest.raises(ProducerFenced):
        commit(KafkaError, owners=[{"another"}])


@pytest.mark.parametrize("cause", [InvalidTxnState(), InvalidProducerEpoch(), ProducerFenced()])
def test_what_aiokafka_wraps_is_looked_into(cause: Exception) -> None:
    """Its sender knows not all that the broker answers."""
    with pytest.raises(ProducerFenced):
        commit(KafkaError, cause)


def test_an_answer_that_says_nothing_is_fencing_once_another_process_commits() -> None:
    """It may still restore its state; without such a process it is trouble of Kafka's."""
    with pytest.raises(ProducerFenced):
        commit(KafkaError, UnknownError(), owners=[{OWNER}, {OWNER, "another"}])
    with pytest.raises(NotCommitted):
        commit(KafkaError, UnknownError())


@pytest.mark.parametrize("where", ["owners", "positions"])
@pytest.mark.parametrize(
    "trouble", [AssertionError("Did we not perform bootstrap?"), KafkaError(), OSError()]
)
def test_a_broker_that_is_not_yet_back_is_asked_again(
    where: str, trouble: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Just after a pause or a crash it names no broker, not even itself; aiokafka takes that for a
    fault of its own."""
    held, answers = getattr(Committed, where), [trouble, trouble]

    async def not_yet(self: Kafka, group: str, partition: int) -> Any:
        if answers:
            raise answers.pop()
        return await held(self, group, partition)

    monkeypatch.setattr(Committed, where, not_yet)
    with pytest.raises(NotCommitted, match="KafkaError"):
        commit(KafkaError)
    assert not answers


class Unnamed(Refusing):
    """A producer that finds a Kafka without a broker when it is started, `times` of them."""

    times: ClassVar[int] = 0
    made: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__(KafkaError, None, lambda: None)
        type(self).made += 1

    async def start(self) -> None:
        if type(self).times:
            type(self).times -= 1
            raise AssertionError("Did we not perform bootstrap?")


def start(times: int, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many producers were made until one was started."""
    monkeypatch.setattr(Unnamed, "times", times)
    monkeypatch.setattr(Unnamed, "made", 0)
    monkeypatch.setattr(Committed, "producer", lambda *_args, **_named: Unnamed())
    transactions: Any = PartitionTransactions(Committed(KafkaSettings()), "linker", 0, "linker")
    asyncio.run(transactions.start())
    return Unnamed.made


def test_a_broker_that_is_just_being_taken_up_does_not_end_the_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On a busy machine a broker misses its own controller's beats, and is named again a second
    later; one that is never named ends the start in the words of aiokafka."""
    assert start(0, monkeypatch) == 1
    assert start(3, monkeypatch) == 4
    with pytest.raises(AssertionError, match="bootstrap"):
        start(1000, monkeypatch)
