"""Whatever a broker answers to a producer that another has fenced, it is told as fenced."""

import asyncio
from collections.abc import Sequence
from typing import Any, ClassVar

import pytest
from aiokafka.errors import (
    InvalidProducerEpoch,
    InvalidProducerIdMapping,
    InvalidTxnState,
    KafkaError,
    ProducerFenced,
    UnknownError,
)  # fmt: skip

from contracts.settings import KafkaSettings
from runtime.kafka import OWNER, Kafka
from runtime.transactions import PartitionTransactions


class Refusing:
    """A producer whose commit is refused."""

    def __init__(self, error: type[KafkaError], cause: Exception | None = None) -> None:
        self._error, self._cause = error, cause

    async def begin_transaction(self) -> None: ...

    async def commit_transaction(self) -> None:
        raise self._error from self._cause


class Committed(Kafka):
    """A Kafka whose positions were committed by these, look after look."""

    seen: ClassVar[list[set[str]]] = []

    async def owners(self, group: str, partition: int) -> set[str]:
        return self.seen.pop(0) if len(self.seen) > 1 else self.seen[0]


def commit(error: type[KafkaError], cause: Exception | None = None, *, owners: Sequence[set[str]] = ({OWNER},)) -> None:
    Committed.seen = list(owners)
    transactions: Any = PartitionTransactions(Committed(KafkaSettings()), "linker", 0, "linker")
    transactions._producer = Refusing(error, cause)
    asyncio.run(transactions.commit([], {}))


@pytest.mark.parametrize("error", [InvalidTxnState, InvalidProducerEpoch, InvalidProducerIdMapping, ProducerFenced])
def test_a_producer_that_was_overtaken_is_fenced(error: type[KafkaError]) -> None:
    """The process then waits for a person; ending, it would be restarted and fence the other in turn."""
    with pytest.raises(ProducerFenced):
        commit(error)


def test_other_trouble_is_not_taken_for_fencing() -> None:
    """It ends the process, which starts again from what was committed."""
    with pytest.raises(KafkaError) as raised:
        commit(KafkaError)
    assert not isinstance(raised.value, ProducerFenced)


@pytest.mark.parametrize("cause", [InvalidTxnState(), InvalidProducerEpoch(), ProducerFenced()])
def test_what_aiokafka_wraps_is_looked_into(cause: Exception) -> None:
    """Its sender knows not all that the broker answers."""
    with pytest.raises(ProducerFenced):
        commit(KafkaError, cause)


def test_an_answer_that_says_nothing_is_fencing_once_another_process_commits(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may still restore its state; without such a process it is trouble of Kafka's."""
    monkeypatch.setattr("runtime.transactions.asyncio.sleep", _at_once)
    with pytest.raises(ProducerFenced):
        commit(KafkaError, UnknownError(), owners=[{OWNER}, {OWNER, "another"}])
    with pytest.raises(KafkaError) as raised:
        commit(KafkaError, UnknownError())
    assert not isinstance(raised.value, ProducerFenced)


async def _at_once(_seconds: float) -> None:
    return None
