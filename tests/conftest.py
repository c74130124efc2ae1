"""What every test may ask for. Levels: unit, property, contract (no Kafka); flow, system (a real
Kafka)."""

import os
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, settings

from runtime.embedded_kafka import EmbeddedKafka
from runtime.kafka_programs import EmbeddedKafkaError
from tests.examples import TIMES
from tests.waiting import CAP_S, PATIENCE_S

RUNNING = "TANDEM_TEST_KAFKA"
TESTS = Path(__file__).parent

# How long an example or its making takes says nothing about the code.
settings.register_profile(
    "tandem",
    deadline=None,
    derandomize=TIMES == 1,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("tandem")

# A test's Kafka lives for minutes: compiling it well costs more than it gives.
os.environ.setdefault("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """A test that hangs for ever is ended some day; --timeout names another limit."""
    if config.option.timeout is None:
        config.option.timeout = CAP_S
    # Of several processes each would start a Kafka of its own, and four of them take a quarter of
    # two cores without anything to do.
    shares = not hasattr(config, "workerinput") and getattr(config.option, "numprocesses", None)
    if shares and RUNNING not in os.environ and any(_asks_for_kafka(arg) for arg in config.args):
        held = TemporaryDirectory(prefix="tandem-tests-kafka-")
        config.add_cleanup(held.cleanup)
        broker = EmbeddedKafka(Path(held.name), port=0, controller_port=0)
        with suppress(EmbeddedKafkaError):  # the tests that need one say why there is none
            broker.start(timeout_s=PATIENCE_S)
            config.add_cleanup(broker.stop)
            os.environ[RUNNING] = broker.bootstrap
            config.add_cleanup(partial(os.environ.__delitem__, RUNNING))


def _asks_for_kafka(argument: str) -> bool:
    path = Path(argument.partition("::")[0]).resolve()
    return path == TESTS or TESTS / "system" in (path, *path.parents)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of several processes, the files that take minutes begin first, so that at the end none works
    alone on one."""
    if not hasattr(config, "workerinput"):
        return  # one process runs them in the order it is given: what fails soonest comes first
    first = {name: place for place, name in enumerate(("system", "property"))}
    items.sort(key=lambda item: first.get(item.path.parent.name, len(first)))


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Bootstrap address of one real Kafka for the whole run, of several processes too; tests keep
    apart by topic and group names.

    TANDEM_TEST_KAFKA, a bootstrap address, makes the run use a Kafka that is already there.
    """
    if running := os.environ.get(RUNNING):
        yield running
        return
    broker = EmbeddedKafka(tmp_path_factory.mktemp("kafka"), port=0, controller_port=0)
    broker.start(timeout_s=PATIENCE_S)
    try:
        yield broker.bootstrap
    finally:
        broker.stop()
