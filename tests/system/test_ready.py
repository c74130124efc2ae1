"""What a service says while Kafka or its topics are away, and how it ends then: real processes and
an own Kafka."""

import asyncio
import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from runtime.embedded_kafka import EmbeddedKafka
from tests.system.broken_broker import own_broker
from tests.system.rig import SERVICES, Rig, free_port, link_when, tandem
from tests.waiting import PATIENCE_S, wait_for

ALL = (*SERVICES, "console")


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedKafka]:
    with own_broker(tmp_path_factory.mktemp("kafka")) as held:
        yield held


@pytest.fixture
def rig(broker: EmbeddedKafka, tmp_path: Path) -> Iterator[Rig]:
    """Simulators, and a port for the console too."""
    if not broker.running:
        broker.start()
    with Rig(broker.bootstrap, tmp_path) as held:
        held.ports["console"] = free_port()
        held.variables["TANDEM_PORTS__CONSOLE"] = str(held.ports["console"])
        try:
            yield held
        finally:
            if broker.running:
                os.kill(broker.pid, signal.SIGCONT)
            else:
                broker.start()


def said(rig: Rig, name: str) -> str | None:
    """What a service that runs says of itself."""
    code = rig.processes[name].poll()
    assert code is None, f"{name} ended with {code}:\n{rig.log(name)[-3000:]}"
    return rig.problem(name) if rig._answers(f"{rig.url(name)}/health/live") else "no answer"


def until_said(rig: Rig, words: str | None, *names: str) -> None:
    for name in names or ALL:
        wait_for(f"{name} says {words}", partial(said, rig, name), partial(_tells, words))


def _tells(words: str | None, told: str | None) -> bool:
    return told is None if words is None else told is not None and words in told


def ends(rig: Rig, name: str, number: signal.Signals) -> None:
    """It ends by the signal, by itself, and nothing in its log looks like an error of ours."""
    process = rig.processes.pop(name)
    process.send_signal(number)
    try:
        assert process.wait(PATIENCE_S) == -number, rig.log(name)[-3000:]
    finally:
        process.kill()
    assert "Traceback" not in rig.log(name), rig.log(name)[-3000:]


@pytest.mark.parametrize("away", ["stopped", "killed"])
def test_a_kafka_that_is_away_is_said_and_its_return_too(
    rig: Rig, broker: EmbeddedKafka, away: str
) -> None:
    """By all four, without anything to commit; edits cross again afterwards."""
    rig.start(*ALL)
    rig.add_customer(id="kari", first_name="Kari", last_name="Nordmann")
    link_when(rig, "kari", "linked")
    os.kill(broker.pid, signal.SIGSTOP if away == "stopped" else signal.SIGKILL)
    if away == "killed":
        broker.kill()
    until_said(rig, f"Kafka at {broker.bootstrap} does not answer since ")
    if away == "killed":
        broker.start()
    else:
        os.kill(broker.pid, signal.SIGCONT)
    until_said(rig, None)
    rig.add_customer(id="ola", first_name="Ola", last_name="Nordmann")
    link_when(rig, "ola", "linked")


def test_a_service_waits_for_topics_and_makes_none(rig: Rig, broker: EmbeddedKafka) -> None:
    """It says what to run, and begins by itself once that was done; topics that differ end it with
    one line."""
    for name in ALL:
        rig._start(f"services.{name}", name, [])
    until_said(rig, "topics do not exist (")
    until_said(rig, "; run: tandem topics create")
    assert not any(name.startswith(rig.prefix) for name in asyncio.run(rig.kafka.topic_names()))
    tandem(rig, "topics", "create")
    until_said(rig, None)
    rig.stop(*ALL)
    rig.variables["TANDEM_KAFKA__PARTITIONS"] = "2"
    rig._start("services.linker", "linker", [])
    assert rig.processes.pop("linker").wait(PATIENCE_S) == 2
    last = rig.log("linker").splitlines()[-1]
    assert "has 1 partitions, kafka.partitions says 2; set kafka.partitions to what exists" in last


def test_topics_for_smaller_messages_are_waited_for(rig: Rig) -> None:
    """They are raised by the command, and by nothing else."""
    small: dict[str, Any] = {"TANDEM_KAFKA__MAX_MESSAGE_BYTES": "1048588"}
    tandem(rig, "topics", "create", **small)
    rig._start("services.linker", "linker", [])
    until_said(
        rig,
        "has max.message.bytes=1048588, kafka.max_message_bytes says 8388608; tandem topics create",
        "linker",
    )
    tandem(rig, "topics", "create")
    until_said(rig, None, "linker")


@pytest.mark.parametrize("away", ["topics", "stopped", "killed", "from the start"])
def test_every_service_ends_when_it_is_asked_to(rig: Rig, broker: EmbeddedKafka, away: str) -> None:
    """While it waits for topics, in the middle of work while Kafka hangs or is gone, where Kafka
    never was there."""
    if away in ("stopped", "killed"):
        rig.start(*ALL)
        rig.add_customer(id="kari", first_name="Kari", last_name="Nordmann")
        link_when(rig, "kari", "linked")
        os.kill(broker.pid, signal.SIGSTOP if away == "stopped" else signal.SIGKILL)
        rig.chargebee.post("/customers/kari", data={"phone": "+47 1"}).raise_for_status()
        if away == "stopped":
            until_said(rig, "does not answer", "linker")
    else:
        if away == "from the start":
            os.kill(broker.pid, signal.SIGSTOP)
        for name in ALL:
            rig._start(f"services.{name}", name, [])
        until_said(rig, "topics do not exist" if away == "topics" else "does not answer")
    for name, number in zip(
        ALL, (signal.SIGINT, signal.SIGTERM, signal.SIGINT, signal.SIGTERM), strict=True
    ):
        ends(rig, name, number)
    if away == "killed":
        broker.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_service_that_restores_ends_when_it_is_asked_to(
    rig: Rig, broker: EmbeddedKafka, number: signal.Signals
) -> None:
    """Kafka hangs in the middle of it."""
    rig.create_topics()
    rig._start("tests.system.stopping_linker", "linker", [str(broker.pid)])
    until_said(rig, "does not answer", "linker")
    ends(rig, "linker", number)


def test_a_second_ctrl_c_ends_at_once(rig: Rig, broker: EmbeddedKafka) -> None:
    rig.start("linker")
    os.kill(broker.pid, signal.SIGSTOP)
    until_said(rig, "does not answer", "linker")
    process = rig.processes.pop("linker")
    process.send_signal(signal.SIGINT)
    wait_for("it is about to end", lambda: not rig._answers(f"{rig.url('linker')}/health/live"))
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE_S) in (130, -signal.SIGINT)
    assert "Traceback" not in rig.log("linker")
