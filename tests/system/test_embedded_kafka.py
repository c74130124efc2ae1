"""The embedded Kafka is a real one: it keeps records over kills and says in words why it cannot
start."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from runtime import embedded_kafka
from runtime.embedded_kafka import EmbeddedKafka
from runtime.kafka_programs import EmbeddedKafkaError
from runtime.ports import HOST
from tests.waiting import wait_for


async def produce(bootstrap: str, topic: str, value: bytes) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        answer = await admin.create_topics(
            [NewTopic(topic, num_partitions=1, replication_factor=1)]
        )
        assert [error[1] for error in answer.topic_errors] == [0]
    finally:
        await admin.close()
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True)
    await producer.start()
    try:
        await producer.send_and_wait(topic, value, key=b"key")
    finally:
        await producer.stop()


async def first_record(bootstrap: str, topic: str) -> tuple[bytes | None, bytes | None]:
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        record = await consumer.getone()
    finally:
        await consumer.stop()
    return record.key, record.value


def test_a_record_written_is_read_back(kafka: str) -> None:
    """Produce and consume on the broker that all tests share."""
    topic = f"echo-{uuid.uuid4()}"
    asyncio.run(produce(kafka, topic, b"hello"))
    assert asyncio.run(first_record(kafka, topic)) == (b"key", b"hello")


def test_its_files_are_closed_to_others(tmp_path: Path) -> None:
    """Segments hold what customers are called. Whatever the umask says, and where an earlier Tandem
    left them open; but not what else lies in the directory."""
    held, other = tmp_path / "data", tmp_path / "data" / "other.txt"
    (held / "log").mkdir(parents=True, mode=0o755)
    for path in (held / "log" / "old-0.log", other, held / "kafka.log"):
        path.touch(mode=0o644)
    before = os.umask(0)
    try:
        with EmbeddedKafka(held, port=0, controller_port=0) as kafka:
            asyncio.run(produce(kafka.bootstrap, "kept", b"Kari Nordmann"))
            assert [file for file in held.rglob("*.log") if b"Kari" in file.read_bytes()]
            paths = [*held.rglob("*")]
    finally:
        os.umask(before)
    assert other.stat().st_mode & 0o777 == 0o644
    opened = [
        path for path in paths if path != other and path.exists() and path.stat().st_mode & 0o077
    ]
    assert opened == []


def test_a_directory_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(
        EmbeddedKafkaError, match=r"file/log cannot be used: .*Name another directory"
    ):
        EmbeddedKafka(tmp_path / "file", port=0, controller_port=0).start()


def test_records_outlive_stop_and_kill(tmp_path: Path) -> None:
    """The same directory serves the same records after an orderly stop, other ports, and a kill
    -9."""
    with EmbeddedKafka(tmp_path / "data dir", port=0, controller_port=0) as first:
        asyncio.run(produce(first.bootstrap, "kept", b"once"))
    assert not first.running
    with EmbeddedKafka(tmp_path / "data dir", port=0, controller_port=0) as second:
        assert asyncio.run(first_record(second.bootstrap, "kept")) == (b"key", b"once")
        bootstrap = second.bootstrap
        second.kill()
        assert not second.running
        second.start()
        assert second.bootstrap == bootstrap
        assert asyncio.run(first_record(second.bootstrap, "kept")) == (b"key", b"once")


def test_it_keeps_its_classes_for_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an orderly stop; what Java cannot use, or cannot be written, stops nobody."""
    kept = tmp_path / "cache" / "classes.jsa"
    monkeypatch.setattr(embedded_kafka, "class_archive", lambda java, jars: kept)
    kept.parent.mkdir()
    kept.write_bytes(b"not an archive" * 1000)
    told: list[str] = []
    broker = EmbeddedKafka(
        tmp_path / "data", port=0, controller_port=0, on_progress=lambda line: told.append(line)
    )
    with broker:
        kept.unlink()
    with broker:
        assert not kept.exists()
    assert kept.stat().st_size > 1_000_000
    assert not list(broker.data_dir.glob("*.jsa"))
    with broker:
        assert str(kept) in Path(f"/proc/{broker.pid}/maps").read_text("utf-8")
        kept.replace(broker.data_dir / "classes.jsa")
        kept.parent.rmdir()
    assert told[-1] == f"{kept} could not be written: No such file or directory"


@pytest.mark.parametrize("setting", ["port", "controller_port"])
def test_a_taken_port_is_named(tmp_path: Path, setting: str) -> None:
    """The error names the port and its setting, and nothing is started."""
    with socket.socket() as other:
        other.bind((HOST, 0))
        other.listen()
        taken = other.getsockname()[1]
        broker = EmbeddedKafka(tmp_path, **({"port": 0, "controller_port": 0} | {setting: taken}))
        with pytest.raises(EmbeddedKafkaError, match=rf"Port {taken} .*setting: {setting}\b"):
            broker.start()
    assert not broker.running
    with pytest.raises(EmbeddedKafkaError, match="does not run"):
        _ = broker.pid


def test_a_kafka_that_ends_by_itself_shows_its_last_words(tmp_path: Path) -> None:
    """A directory of another node is refused by Kafka itself; its words from the log are in the
    error."""
    broker = EmbeddedKafka(tmp_path, port=0, controller_port=0)
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "meta.properties").write_text("version=1\ncluster.id=another\nnode.id=7\n")
    with pytest.raises(EmbeddedKafkaError, match=r"(?s)exited with code 1.*Stored node id 7"):
        broker.start()
    assert not broker.running


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
def test_the_broker_ends_with_a_killed_parent(tmp_path: Path) -> None:
    """Even after kill -9 of the program that started it, no broker stays behind."""
    program = (
        "import sys, threading; from pathlib import Path; from runtime.embedded_kafka import "
        "EmbeddedKafka\n"
        "kafka = EmbeddedKafka(Path(sys.argv[1]), 0, 0)\n"
        "starter = threading.Thread(target=kafka.start); starter.start(); starter.join()\n"
        "print(kafka.pid, flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        broker_pid = int(parent.stdout.readline())
        os.kill(broker_pid, 0)
        parent.kill()
    wait_for("the broker ends", lambda: not _alive(broker_pid))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_ends_in_order(tmp_path: Path, number: signal.Signals) -> None:
    """Ctrl-C and SIGTERM stop the foreground command with exit code 0; one line said where it
    is."""
    command = [
        sys.executable,
        "-m",
        "services.console.cli",
        "kafka",
        "--data",
        str(tmp_path),
        "--port",
        "0",
    ]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        process.send_signal(number)
        assert process.stdout.read() == ""
    assert process.returncode == 0
    assert line.startswith("Kafka 4.1.1 at 127.0.0.1:")
    assert str(tmp_path) in line
    assert "kcat -b 127.0.0.1:" in line


def _alive(pid: int) -> bool:
    """Whether the process runs; one that ended and waits to be collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
