"""Ctrl-C and SIGTERM end what a person started, whatever hangs: no traceback, and by itself."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from runtime.embedded_kafka import EmbeddedKafka
from tests.system.broken_broker import own_broker
from tests.system.rig import Rig, free_port, interruptible, tandem
from tests.waiting import NEVER_S, PATIENCE_S, wait_for

BOTH = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedKafka]:
    with own_broker(tmp_path_factory.mktemp("kafka")) as held:
        yield held


def begun(arguments: list[str], rig: Rig | None = None) -> "subprocess.Popen[str]":
    """A process that Ctrl-C reaches, with its output in pipes."""
    environment = rig.environment() if rig is not None else dict(os.environ)
    return subprocess.Popen(
        [sys.executable, "-m", *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=interruptible,
    )


def ended(process: "subprocess.Popen[str]", *codes: int) -> str:
    """All it said, once it has ended by itself with one of these codes."""
    try:
        out, err = process.communicate(timeout=PATIENCE_S)
    finally:
        process.kill()
    assert process.returncode in codes, out + err
    assert "Traceback" not in out + err, out + err
    return out + err


@BOTH
def test_watching_a_kafka_that_hangs_ends(
    broker: EmbeddedKafka, tmp_path: Path, number: signal.Signals
) -> None:
    with Rig(broker.bootstrap, tmp_path) as rig:
        tandem(rig, "topics", "create")
        process = begun(["services.console.cli", "watch"], rig)
        assert process.stderr is not None
        assert process.stderr.readline() == "watching demo; Ctrl-C ends it\n"
        os.kill(broker.pid, signal.SIGSTOP)
        try:
            process.send_signal(number)
            ended(process, 0 if number == signal.SIGINT else -number)
        finally:
            os.kill(broker.pid, signal.SIGCONT)


@BOTH
@pytest.mark.parametrize("hangs", [False, True])
def test_a_kafka_in_the_foreground_ends(
    tmp_path: Path, number: signal.Signals, hangs: bool
) -> None:
    """One that hangs is killed after a while; nobody is left behind."""
    process = begun(
        ["services.console.cli", "kafka", "--data", str(tmp_path / "kafka"), "--port", "0"]
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("Kafka ")
    child = _child(process.pid)
    if hangs:
        os.kill(child, signal.SIGSTOP)
    process.send_signal(number)
    ended(process, 0)
    assert not Path(f"/proc/{child}").exists()


def test_a_second_ctrl_c_kills_a_kafka_that_hangs(tmp_path: Path) -> None:
    process = begun(
        ["services.console.cli", "kafka", "--data", str(tmp_path / "kafka"), "--port", "0"]
    )
    assert process.stdout is not None
    process.stdout.readline()
    child = _child(process.pid)
    os.kill(child, signal.SIGSTOP)
    process.send_signal(signal.SIGINT)
    wait_for("Kafka was asked to end", lambda: _is_asked(child))
    process.send_signal(signal.SIGINT)
    ended(process, 130)
    wait_for("Kafka is gone", lambda: not Path(f"/proc/{child}").exists())


def _is_asked(pid: int) -> bool:
    """Whether SIGTERM waits for a process that is stopped."""
    lines = dict(
        line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
    )
    return bool(int(lines["ShdPnd"], 16) & 1 << signal.SIGTERM - 1)


def _child(pid: int) -> int:
    """The one child of a process, whichever of its threads started it."""
    children = [file.read_text().split() for file in Path(f"/proc/{pid}/task").glob("*/children")]
    (found,) = [each for words in children for each in words]
    return int(found)


@BOTH
@pytest.mark.parametrize("name", ["chargebee", "poweroffice"])
def test_a_simulator_ends_while_it_holds_a_request(name: str, number: signal.Signals) -> None:
    """As it does when it plays a vendor that never answers."""
    port = free_port()
    keys = (
        ["--api-key", "k"]
        if name == "chargebee"
        else [
            "--application-key",
            "a",
            "--client-key",
            "c",
            "--subscription-key",
            "s",
        ]
    )
    process = begun([f"simulators.{name}", "--port", str(port), "--data", "empty", *keys])
    base = f"http://127.0.0.1:{port}"
    try:
        with httpx.Client(base_url=base, trust_env=False, timeout=PATIENCE_S) as http:
            wait_for("it answers", lambda: _answers(http))
            fault = {"kind": "slow", "delay_s": NEVER_S}
            http.post("/_sim/faults", json={"faults": [fault]}).raise_for_status()
            path = "/api/v2/customers" if name == "chargebee" else "/v2/Customers"
            held = threading.Thread(target=_ask, args=(base + path,), daemon=True)
            held.start()
            wait_for("it has the request", lambda: not http.get("/_sim/faults").json()["faults"])
            process.send_signal(number)
            ended(process, 0, -number)
    finally:
        process.kill()


def _answers(http: httpx.Client) -> bool:
    try:
        return http.get("/_sim/health").status_code == 200
    except httpx.TransportError:
        return False


def _ask(url: str) -> None:
    try:
        httpx.get(url, auth=("k", ""), trust_env=False, timeout=PATIENCE_S)
    except httpx.TransportError:
        return
