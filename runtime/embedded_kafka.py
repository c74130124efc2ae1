"""A real Apache Kafka, one node on the loopback interface, as a child process.

For development, tests, the demo and small sites: no Docker, no installed Kafka.

    with EmbeddedKafka(Path(".tandem/kafka")) as kafka:
        print(kafka.bootstrap)  # 127.0.0.1:9092
"""

import argparse
import ctypes
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self

from runtime.kafka_programs import (
    KAFKA_VERSION,
    CannotStart,
    EmbeddedKafkaError,
    class_archive,
    find_java,
    kafka_jars,
    keep_classes,
)
from runtime.ports import HOST, HeldPort, PortTaken, hold_one
from runtime.private import UMASK, make_private, open_private

DEFAULT_DATA = Path(".tandem/kafka")
CONFIG, CLASSES = "server.properties", "classes.jsa"
JAVA_OPTIONS = (
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:+UseSerialGC",  # of a heap this small the parallel collectors cost more than they save
    "-Djava.awt.headless=true",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSZ",
)
LOG_MAX_BYTES = 20_000_000
# It answers after seconds, on a busy machine after a minute. One that cannot start ends, which is
# seen at once.
START_S, ANSWER_S = 300.0, 5.0
STOP_S = 12.0  # in the foreground: a person waits
INTERRUPTED = 130
PR_SET_PDEATHSIG = 1

PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller_port}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners=PLAINTEXT://{host}:{port}
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
# Relative to the working directory, so that no path needs escaping here.
log.dirs=log
auto.create.topics.enable=false
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
# A killed broker registers again only when its old session has ended: 15 s by default, 6 s so.
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=500
# The default of 128 MB would be a quarter of the heap.
log.cleaner.dedupe.buffer.size=33554432
# As kafka.max_message_bytes; topics say it for themselves too.
message.max.bytes=8388608
replica.fetch.max.bytes=8388608
num.network.threads=2
num.io.threads=4
"""


class EmbeddedKafka:
    """One Kafka node whose data lives in `data_dir`, for its owner only, and outlives the process.

    A port of 0 means a free one, chosen here and kept, so that a killed broker comes back where it
    was. `heap` is Java's -Xmx. `on_progress` receives one line for each step that takes seconds.
    """

    def __init__(
        self,
        data_dir: Path,
        port: int = 9092,
        controller_port: int = 9093,
        heap: str = "512m",
        on_progress: Callable[[str], None] | None = None,
    ) -> None:
        self.data_dir = data_dir.absolute()
        self._held: list[HeldPort] = []
        self.port = port or self._free_port()
        self.controller_port = controller_port or self._free_port()
        self.heap = heap
        self.new_cluster_id = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        self.log_path = self.data_dir / "kafka.log"
        self._say = on_progress or (lambda line: None)
        self._process: subprocess.Popen[bytes] | None = None
        self._archive: Path | None = None

    @property
    def bootstrap(self) -> str:
        """The address for clients, `127.0.0.1:PORT`."""
        return f"{HOST}:{self.port}"

    @property
    def running(self) -> bool:
        """Whether the own process is alive (not whether it answers)."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Process id of the broker; EmbeddedKafkaError when it does not run."""
        if self._process is None or not self.running:
            raise EmbeddedKafkaError("The embedded Kafka does not run; call start() first.")
        return self._process.pid

    def _free_port(self) -> int:
        """One that is held for as long as this object lives."""
        try:
            self._held.append(hold_one())
        except PortTaken as error:
            raise EmbeddedKafkaError(f"{error}; name one.") from None
        return self._held[-1].number

    def start(self, timeout_s: float = START_S) -> None:
        """Return when the broker answers; at most `timeout_s` after its process began, jars fetched
        before.

        Raises EmbeddedKafkaError when a port is taken, Java or the jars cannot be had, Kafka ends
        by itself or does not answer in time. No process is left behind then.
        """
        if self.running:
            return
        _require_free(self.port, "Kafka's port (setting: port, --port)")
        _require_free(
            self.controller_port, "Kafka's controller port (setting: controller_port, --port + 1)"
        )
        java, jars = find_java(), kafka_jars(self._say)
        try:
            self._prepare_data_dir()
        except OSError as error:
            words = f"{error.filename or self.data_dir} cannot be used: {error.strerror}"
            raise CannotStart(
                f"{words}. Name another directory for Kafka's data (--data)."
            ) from None
        options = [f"-Xmx{self.heap}", *JAVA_OPTIONS, "-cp", str(jars / "*")]
        self._archive = class_archive(java, jars)
        # Java reads Kafka's classes from the archive, or makes one when it ends: half of a start.
        known = self._archive.exists()
        read = [f"-XX:SharedArchiveFile={self._archive}"] if known else []
        make = [] if known else [f"-XX:ArchiveClassesAtExit={CLASSES}"]
        cluster_id = self._format_once([str(java), *read, *options])
        self._say(f"Starting Kafka {KAFKA_VERSION} at {self.bootstrap}")
        log_from = self.log_path.stat().st_size
        command = [str(java), *read, *make, *options, "kafka.Kafka", CONFIG]
        try:
            self._process = _spawn(command, self.data_dir, self.log_path)
            self._await_answer(cluster_id, timeout_s, log_from)
        except BaseException:
            self.kill()
            raise

    def stop(self, timeout_s: float = 30.0) -> None:
        """Shut down in order; kill after `timeout_s`. Does nothing when it does not run."""
        if self._process is None:
            return
        try:
            self._process.terminate()
            self._process.wait(timeout_s)
            if self._archive is not None:
                keep_classes(self.data_dir / CLASSES, self._archive, self._say)
        except subprocess.TimeoutExpired:
            self._say(f"Kafka did not stop within {timeout_s:.0f} s and was killed")
        finally:
            self.kill()

    def kill(self) -> None:
        """SIGKILL, as a power cut would. The data stays; start() recovers it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def wait(self) -> int:
        """Block until the process ends by itself; its exit code."""
        return 0 if self._process is None else self._process.wait()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def last_log_lines(self, from_byte: int = 0, count: int = 8) -> str:
        """The last `count` lines of Kafka's log that tell of an error, else its end; from
        `from_byte` on."""
        with self.log_path.open("rb") as log:
            log.seek(max(from_byte, self.log_path.stat().st_size - 64_000))
            lines = log.read().decode(errors="replace").splitlines()
        errors = [line for line in lines if re.search(r" ERROR |Exception|^Error", line)]
        return "\n".join((errors or lines)[-count:])

    def _prepare_data_dir(self) -> None:
        if not self.data_dir.exists():
            make_private(self.data_dir)
        # Records hold personal data, and so may the lines of the log. What else is in a directory
        # that was there before is not ours.
        make_private(self.data_dir / "log")
        with open_private(self.data_dir / CONFIG) as config:
            config.write(self._properties())
        if self.log_path.exists() and self.log_path.stat().st_size > LOG_MAX_BYTES:
            self.log_path.replace(self.log_path.with_suffix(".log.1"))
        open_private(self.log_path, append=True).close()

    def _properties(self) -> str:
        return PROPERTIES.format(host=HOST, port=self.port, controller_port=self.controller_port)

    def _format_once(self, command: list[str]) -> str:
        meta = self.data_dir / "log" / "meta.properties"
        if not meta.exists():
            # An id may begin with a dash, hence the form with '='.
            new = f"--cluster-id={self.new_cluster_id}"
            tool = ["kafka.tools.StorageTool", "format", new, "-c", CONFIG]
            done = subprocess.run(
                [*command, *tool], cwd=self.data_dir, capture_output=True, text=True, umask=UMASK
            )
            if done.returncode:
                raise EmbeddedKafkaError(
                    f"Kafka could not format {self.data_dir}; use another or an empty directory "
                    f"(--data). "
                    f"It said:\n{(done.stderr + done.stdout).strip()[-2000:]}"
                )
        found = re.search(r"^cluster\.id=(\S+)$", meta.read_text(), re.MULTILINE)
        if found is None:
            raise EmbeddedKafkaError(
                f"{meta} names no cluster id; restore {self.data_dir} or remove it."
            )
        return found.group(1)

    def _await_answer(self, cluster_id: str, timeout_s: float, log_from: int) -> None:
        deadline_s = time.monotonic() + timeout_s
        while not _answers(self.port, cluster_id):
            code = None if self._process is None else self._process.poll()
            if code is not None or time.monotonic() > deadline_s:
                what = (
                    f"exited with code {code}"
                    if code is not None
                    else f"gave no answer in {timeout_s:.0f} s"
                )
                raise EmbeddedKafkaError(
                    f"Kafka {what}. From its log "
                    f"({self.log_path}):\n{self.last_log_lines(log_from)}"
                )
            time.sleep(0.05)


def _require_free(port: int, whose: str) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise CannotStart(
                f"Port {port} on {HOST}, {whose}, cannot be used: {reason}. Choose another, "
                f"or stop "
                f"the program that has it (`ss -ltnp 'sport = :{port}'` names it)."
            ) from None


def _answers(port: int, cluster_id: str) -> bool:
    """Whether a broker of this very cluster serves requests: Metadata v2 (KIP-78) names it and its
    brokers.

    An open port alone proves nothing: Kafka binds it seconds before it answers, and it may be
    another's.
    """
    request = struct.pack(">hhihi", 3, 2, 0, -1, 0)
    try:
        with socket.create_connection((HOST, port), timeout=ANSWER_S) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            answer = connection.recv(4096)
    except OSError:
        return False
    return (
        len(answer) > 12
        and struct.unpack_from(">i", answer, 8)[0] > 0
        and cluster_id.encode() in answer
    )


def _spawn(command: list[str], directory: Path, log_path: Path) -> subprocess.Popen[bytes]:
    """Start the child in a session of its own, so that Ctrl-C spares it, yet end it when this
    process dies.

    Linux sends the parent-death signal when the *thread* that forked ends, so a thread of its own
    starts the child and stays for as long as it lives.
    """
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    started: list[subprocess.Popen[bytes] | OSError] = []
    ready = threading.Event()

    def die_with_parent() -> None:
        if libc is not None:
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)

    def run() -> None:
        try:
            with log_path.open("ab") as log:
                process = subprocess.Popen(
                    command,
                    cwd=directory,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    preexec_fn=die_with_parent,
                    umask=UMASK,
                )
        except OSError as error:
            started.append(error)
            ready.set()
            return
        started.append(process)
        ready.set()
        process.wait()

    threading.Thread(target=run, name="embedded-kafka", daemon=True).start()
    ready.wait()
    if isinstance(started[0], OSError):
        raise EmbeddedKafkaError(f"Java could not be run: {started[0]}. Check {command[0]}.")
    return started[0]


def main(data: Path = DEFAULT_DATA, port: int = 9092) -> int:
    """Run Kafka in the foreground until Ctrl-C or SIGTERM. Exit code 0 then, 1 when Kafka failed, 2
    when it cannot be started so.

    A Kafka that has not stopped after STOP_S is killed, with a second Ctrl-C at once (exit code
    130). The controller listens on the port after `port`; 0 chooses both.
    """
    controller_port = port + 1 if port else 0
    kafka = EmbeddedKafka(
        data, port, controller_port, on_progress=lambda line: print(line, file=sys.stderr)
    )
    is_ending = False

    def interrupted(number: int, frame: FrameType | None) -> None:
        nonlocal is_ending
        if not is_ending:
            is_ending = True
            raise KeyboardInterrupt
        if number == signal.SIGINT:
            if kafka.running:
                os.kill(kafka.pid, signal.SIGKILL)
            os._exit(INTERRUPTED)

    previous = {
        number: signal.signal(number, interrupted) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        kafka.start()
        hint = f"data in {kafka.data_dir}, try: kcat -b {kafka.bootstrap} -L"
        print(f"Kafka {KAFKA_VERSION} at {kafka.bootstrap}, {hint}", flush=True)
        code = kafka.wait()
        print(f"Kafka exited with code {code}:\n{kafka.last_log_lines()}", file=sys.stderr)
        return 1
    except EmbeddedKafkaError as error:
        print(error, file=sys.stderr)
        return 2 if isinstance(error, CannotStart) else 1
    except KeyboardInterrupt:
        return 0
    finally:
        is_ending = True
        kafka.stop(STOP_S)
        for number, handler in previous.items():
            signal.signal(number, handler)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Run an Apache Kafka on the loopback interface.")
    parser.add_argument(
        "--data", type=Path, default=DEFAULT_DATA, help="where records stay (%(default)s)"
    )
    parser.add_argument(
        "--port", type=int, default=9092, help="the broker's; 0 chooses one (%(default)s)"
    )
    arguments = parser.parse_args()
    sys.exit(main(arguments.data, arguments.port))
