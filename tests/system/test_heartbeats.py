"""`tandem status` and `tandem doctor` tell which services are gone, from what they last said on
Kafka."""

import re
import subprocess
import sys
from typing import Any

import msgspec
import pytest

from contracts.messages import Heartbeat
from runtime.version import version
from tests.system.rig import SERVICES, Rig, free_port, tandem
from tests.waiting import wait_for

IMPATIENT = {"TANDEM_CONSOLE__PATIENCE": "0.4"}  # three beats are 12 s then
ALL = (*SERVICES, "console")


@pytest.fixture
def served(rig: Rig) -> Rig:
    """All four run."""
    rig.ports["console"] = free_port()
    rig.variables["TANDEM_PORTS__CONSOLE"] = str(rig.ports["console"])
    rig.start(*ALL)
    return rig


def complaints(text: str) -> list[str]:
    """The lines with which the status begins."""
    return [line for line in text.splitlines() if line.startswith("! ")]


def status(rig: Rig, **variables: str) -> str:
    """What the status prints; its exit code tells whether it complains."""
    command = [sys.executable, "-m", "services.console.cli", "status"]
    done = subprocess.run(
        command, env={**rig.environment(), **variables}, capture_output=True, text=True, check=False
    )
    assert done.returncode == (3 if complaints(done.stdout) else 0), done.stdout + done.stderr
    return done.stdout


def told_of(rig: Rig, name: str, words: str) -> list[str]:
    """Once the status complains of a service with these words: its complaints of it."""

    def see() -> list[str]:
        found = complaints(status(rig, **IMPATIENT))
        return [line for line in found if line.startswith(f"! {name}: ")]

    return wait_for(
        f"status tells of {name}", see, lambda lines: any(re.search(words, line) for line in lines)
    )


def test_each_service_that_is_killed_is_told_with_what_to_do(served: Rig) -> None:
    """In turn: three beats after its last word, on the first lines, with exit code 3; and no more
    once it is back."""
    assert complaints(tandem(served, "status")) == []
    for name in ALL:
        served.kill(name)
        gone = (
            rf"^! {name}: not heard of for \d+ s, since \d\d:\d\d:\d\d UTC; start it: python -m "
            rf"services\.{name}$"
        )
        assert len(told_of(served, name, gone)) == 1
        served.start(name)
        assert complaints(tandem(served, "status")) == []


def test_what_never_ran_or_was_stopped_is_told_too(rig: Rig) -> None:
    """A console that was stopped is not missed."""
    tandem(rig, "topics", "create")
    said = tandem(rig, "status", code=3)
    start = "start it: python -m services."
    assert complaints(said) == [f"! {name}: never heard of; {start}{name}" for name in SERVICES]
    assert said.startswith("! linker: never heard of")
    rig.ports["console"] = free_port()
    rig.variables["TANDEM_PORTS__CONSOLE"] = str(rig.ports["console"])
    rig.start(*ALL)
    assert complaints(tandem(rig, "status")) == []
    rig.stop("linker", "console")
    (line,) = complaints(tandem(rig, "status", code=3))
    assert re.fullmatch(rf"! linker: was stopped at \d\d:\d\d:\d\d UTC; {start}linker", line)
    beats = [
        msgspec.json.decode(msgspec.json.encode(each), type=Heartbeat)
        for each in rig.records("heartbeats")
    ]
    last = {(beat.service, beat.slot): beat for beat in beats}
    assert {service for service, _ in last} == set(ALL)
    assert {(beat.version, beat.prefix) for beat in beats} == {(version(), rig.prefix)}
    assert [last[name, "0/1"].stopped for name in ALL] == [True, False, False, True]


def test_a_signal_that_the_linker_has_not_taken_is_told(rig: Rig) -> None:
    """By whom and since when; and no more once it was taken."""
    tandem(rig, "topics", "create")
    quick = {"TANDEM_CONSOLE__PATIENCE": "0.05"}
    assert "the linker has not taken it yet" in tandem(
        rig, "pause", "--entity", "order", code=1, **quick
    )

    said = wait_for("it is told", lambda: status(rig, **quick), lambda text: "! signal " in text)
    (line,) = [line for line in complaints(said) if line.startswith("! signal ")]
    assert re.fullmatch(
        r"! signal \w{12} \(pause\) of demo by \S+@\S+: not taken since \d\d:\d\d:\d\d UTC", line
    )
    assert [
        each["kind"] for each in rig.status()["signals"]
    ] == []  # three beats of a patient command are longer
    rig.start()
    wait_for("it was taken", lambda: complaints(status(rig)) == [])


def test_a_second_slot_and_services_of_another_prefix(rig: Rig) -> None:
    """The doctor finds a process that takes what another has, and names the prefix that services
    run under."""
    rig.start()
    other = f"{rig.prefix}other."
    variables: dict[str, Any] = {"TANDEM_KAFKA__TOPIC_PREFIX": other}
    tandem(rig, "topics", "create", **variables)
    said = tandem(
        rig, "doctor", code=3, **variables
    )  # the item families of the settings are missing
    words = (
        f"services run with kafka.topic_prefix = {rig.prefix!r} (chargebee_adapter, linker, "
        f"poweroffice_adapter)"
    )
    assert f"no service is heard of under {other!r}; {words}" in said
    rig.variables["TANDEM_SLOT"] = "0/2"
    rig.start_second("linker")
    rig.variables.pop("TANDEM_SLOT")
    said = tandem(rig, "doctor", code=3)
    assert (
        "finding  slots: linker runs in slot 0/1 and 0/2: partition 0 is taken by more than "
        "one process" in said
    )
    rig.add_customer(id="kari", first_name="Kari", last_name="Nordmann")
    taken = ": partition 0 was taken over by another process"
    # On a busy machine a heartbeat may be late too.
    found = wait_for(
        "one of them is overtaken",
        lambda: [line for line in complaints(status(rig)) if line.endswith(taken)],
    )
    # Whichever began its transaction first.
    assert found in ([f"! linker{taken}"], [f"! linker 0/2{taken}"])
