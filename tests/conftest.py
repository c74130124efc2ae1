"""What every test may ask for. Levels: unit, property, contract (no Kafka); flow, system (a real Kafka)."""

import os
from collections.abc import Iterator

import pytest

from runtime.embedded_kafka import EmbeddedKafka


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Bootstrap address of one real Kafka for the whole run; tests keep apart by topic and group names.

    TANDEM_TEST_KAFKA, a bootstrap address, makes the run use a Kafka that is already there.
    """
    if running := os.environ.get("TANDEM_TEST_KAFKA"):
        yield running
        return
    with EmbeddedKafka(tmp_path_factory.mktemp("kafka"), port=0, controller_port=0) as broker:
        yield broker.bootstrap
