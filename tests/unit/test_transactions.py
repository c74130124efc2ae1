"""Whatever a broker answers to a producer that another has fenced, it is told as fenced."""

import asyncio
from typing import Any

import pytest
from aiokafka.errors import InvalidProducerEpoch, InvalidProducerIdMapping, InvalidTxnState, KafkaError, ProducerFenced

from contracts.settings import KafkaSettings
from runtime.kafka import Kafka, PartitionTransactions


class Refusing:
    """A producer whose commit is refused."""

    def __init__(self, error: type[KafkaError]) -> None:
        self._error = error

    async def begin_transaction(self) -> None: ...

    async def commit_transaction(self) -> None:
        raise self._error


def commit(error: type[KafkaError]) -> None:
    transactions: Any = PartitionTransactions(Kafka(KafkaSettings()), "linker", 0, "linker")
    transactions._producer = Refusing(error)
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
