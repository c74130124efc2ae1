"""The linker beside two peers that do the same link-and-merge work on the same bytes of events:
Quix Streams (Python, librdkafka) and Kafka Streams (Java), both exactly once with state in RocksDB.

The work of a peer, per event of `benchmarks.linker.events`: read the canonical customer (JSON);
look up its link by system and id; if there is none, match it by its reference or organisation
number to the other side; keep both sides' newest content and version in the link; drop equal and
older versions; where an edit makes a field differ from the agreed value, write one command to the
other system's topic, one in flight per link, Chargebee's value where both sides changed; and write
the link as JSON to the state, whose changelog is a topic. A transaction has the linker's number of
events, and what is written is compressed with zstd as the linker's is.

That is less than the linker does. A peer has no barrier, breakers, scope or policies, no journal,
traces or log, no e-mail rule, no uniqueness judged over all records, no look at late writes of our
own, no answers to commands, no orders or products: it is an upper bound for what a port of the
linker would reach. What it does is checked: its links with both sides' versions and content, and
its commands with their fields and expected values, must be those of the linker. The linker logs
nothing, as its peers do; a second row shows it with a line of the log for each event, as delivered.

A run is timed from the first record that is decided to the last commit; of Quix Streams to its end,
which comes some 40 ms later. Processes begin anew in each round, the Java one cold.
"""

import asyncio
import hashlib
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import structlog

from benchmarks.linker import BATCH, ROUNDS, fill, outputs, run_linker, tenant
from contracts.entities import SYSTEMS
from contracts.messages import Command, Link
from contracts.settings import KafkaSettings, Settings
from runtime.kafka import Kafka
from runtime.kafka_programs import KAFKA_VERSION, EmbeddedKafkaError, find_java
from runtime.logs import configure_logging

HERE = Path(__file__).parent
ROOT = HERE.parent
BUILD = ROOT / "build"
STREAMS = f"org.apache.kafka:kafka-streams:{KAFKA_VERSION}+org.slf4j:slf4j-simple:1.7.36"
QUIET, LOGGING = "linker", "linker, logging at info"
RUN_S = 900.0
TAIL = 2000  # characters of what a peer that failed said


class CannotRun(Exception):
    """A peer cannot be made ready here; the text says what is missing."""


class Peer(NamedTuple):
    """A peer that is ready: how it is named in the table, and the command that runs it, to which
    its settings are added."""

    label: str
    name: str
    command: tuple[str, ...]


class Spent(NamedTuple):
    """What one run took, from its first record to its last commit."""

    seconds: float
    cpu_seconds: float


class Result(NamedTuple):
    """Both sides of each link by its key, and each command by link and number."""

    links: dict[str, Any]
    commands: dict[str, Any]


def result_of(links: Iterable[Link], commands: Iterable[Command]) -> Result:
    """What the linker and the peers have in common of their links and commands."""
    return Result(
        {
            link.key: tuple(
                None if side is None else (side.id, side.version, side.seen)
                for side in (link.chargebee, link.poweroffice)
            )
            for link in links
        },
        {
            f"{each.link}/{each.seq}": (
                each.target,
                each.target_id,
                each.target_version,
                each.op,
                each.fields,
                each.expected,
            )
            for each in commands
        },
    )


def differences(label: str, ours: Result, theirs: Result) -> str | None:
    """In words how a peer's result differs from the linker's, None where it does not."""
    for what, mine, other in (
        ("links", ours.links, theirs.links),
        ("commands", ours.commands, theirs.commands),
    ):
        unlike = [key for key in mine.keys() | other.keys() if mine.get(key) != other.get(key)]
        if unlike:
            first = min(unlike)
            return (
                f"{label} has {len(other)} {what}, the linker {len(mine)}; {len(unlike)} are not "
                f"alike, such as {first}: {other.get(first)} where the linker has {mine.get(first)}"
            )
    return None


def quix_streams() -> Peer:
    """Quix Streams in an environment of its own under build/: it holds pydantic below what this
    project needs. Raises CannotRun."""
    home, lock = BUILD / "quix_streams", HERE / "quix_streams" / "requirements.lock"
    python = home / "bin" / "python"
    stamp = home / f".complete-{hashlib.sha256(lock.read_bytes()).hexdigest()[:12]}"
    if not stamp.exists():
        uv = (sys.executable, "-m", "uv")
        _run((*uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(home)))
        install = ("pip", "install", "--quiet", "--require-hashes", "--python", str(python))
        _run((*uv, *install, "-r", str(lock)))
        stamp.touch()
    version = _run((str(python), "-c", "import quixstreams as q; print(q.__version__)"))
    return Peer(f"Quix Streams {version}", "quix", (str(python), "-m", "benchmarks.quix_streams"))


def kafka_streams() -> Peer:
    """Kafka Streams of the embedded Kafka's version, compiled under build/. Raises CannotRun."""
    source = HERE / "kafka_streams" / "Peer.java"
    home = BUILD / f"kafka_streams-{KAFKA_VERSION}"
    jars, classes = home / "jars", home / "classes"
    try:
        java = find_java()
    except EmbeddedKafkaError as error:
        raise CannotRun(str(error)) from None
    beside = java.resolve().with_name("javac")
    javac = str(beside) if beside.exists() else shutil.which("javac")
    if javac is None:
        raise CannotRun("no javac here; install a JDK, with `apt install openjdk-17-jdk-headless`")
    if not jars.is_dir():
        _fetch_jars(jars)
    classpath = os.pathsep.join((str(classes), str(jars / "*")))
    _run((javac, "-Xlint:all", "-d", str(classes), "-cp", str(jars / "*"), str(source)))
    return Peer(
        f"Kafka Streams {KAFKA_VERSION}",
        "streams",
        (
            str(java),
            "-Xmx1g",
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            "-cp",
            classpath,
            "Peer",
        ),
    )


def _fetch_jars(jars: Path) -> None:
    try:
        from jgo.env import EnvironmentBuilder
        from jgo.maven import MavenContext
    except ImportError:
        raise CannotRun("jgo is missing, which fetches jars: pip install 'tandem[kafka]'") from None
    jars.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=jars.parent) as scratch:
        complete = Path(scratch, "jars")
        complete.mkdir()
        context = MavenContext(repo_cache=Path(scratch, "repository"), timeout=60)
        try:
            builder = EnvironmentBuilder(context, cache_dir=Path(scratch, "environment"))
            found = builder.from_endpoint(STREAMS).all_jars
        except Exception as error:  # whatever the resolver raises, the peer cannot run
            raise CannotRun(f"{STREAMS} could not be fetched: {error}") from error
        for jar in found:
            shutil.copyfile(jar, complete / jar.name)
        complete.rename(jars)


def _run(command: tuple[str, ...]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        raise CannotRun(f"{' '.join(command[:4])} failed: {(done.stderr or done.stdout)[-TAIL:]}")
    return done.stdout.strip()


async def run_peer(peer: Peer, kafka: Kafka, own: Kafka, records: int) -> tuple[Spent, Result]:
    """Let a peer take all events, and read what it wrote. `kafka` has the prefix of the events,
    `own` that of the peer's topics."""
    await own.ensure_topics()
    group = own.name("peer")
    with tempfile.TemporaryDirectory() as state_dir:
        asked = {
            "bootstrap": own.settings.bootstrap,
            "events": kafka.name("customers"),
            "commands": {system: own.name(f"commands.{system}") for system in SYSTEMS},
            "group": group,
            "state_dir": state_dir,
            "records": records,
            "batch": BATCH,
        }
        said = await _say_of((*peer.command, json.dumps(asked)))
    spent = Spent(**json.loads(said.splitlines()[-1]))
    async with own.admin() as admin:
        (changelog,) = (
            name for name in await admin.list_topics() if group in name and "changelog" in name
        )
    plain = Kafka(KafkaSettings(bootstrap=own.settings.bootstrap, topic_prefix="", partitions=1))
    links: dict[bytes, Link] = {}
    async for record in plain.read((changelog,), (0,)):
        _, is_link, key = (record.key or b"").partition(b"link/")
        if is_link:
            held = {"tenant": "", "entity": "customer", **msgspec.json.decode(record.value)}
            links[key] = msgspec.convert(held, Link)
    return spent, result_of(links.values(), await _commands(own))


async def _say_of(command: tuple[str, ...]) -> str:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
    )
    try:
        async with asyncio.timeout(RUN_S):
            said, complained = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise SystemExit(f"{command[0]} failed:\n{complained.decode()[-TAIL:]}")
    return said.decode()


async def _commands(kafka: Kafka) -> list[Command]:
    written = await outputs(kafka, 0)
    return [
        msgspec.json.decode(record.value or b"", type=Command)
        for system in SYSTEMS
        for record in written.get(f"commands.{system}", ())
    ]


async def measure(bootstrap: str, count: int) -> AsyncIterator[str]:
    """Rows of a table: medians and ranges over interleaved rounds. Ends with words where a peer's
    result is not the linker's."""
    peers: list[Peer] = []
    for prepare in (quix_streams, kafka_streams):
        try:
            peers.append(prepare())
        except CannotRun as error:
            yield f"{prepare.__name__} is left out: {error}"
    labels = [QUIET, LOGGING, *(peer.label for peer in peers)]
    spent: dict[str, list[Spent]] = {label: [] for label in labels}
    results: dict[str, Result] = {}
    for number in range(ROUNDS):
        settings = _settings(bootstrap, f"bench{number}.")
        kafka = await _filled(settings, count)
        # The order turns from round to round, so that nobody is always the first after the writing.
        for label in labels[number % len(labels) :] + labels[: number % len(labels)]:
            if label == QUIET:
                took, results[label] = await _linker(settings, kafka)
            elif label == LOGGING:
                beside = _settings(bootstrap, f"bench{number}.logging.")
                with _log_as_delivered(beside):
                    took, results[label] = await _linker(beside, await _filled(beside, count))
            else:
                (peer,) = (each for each in peers if each.label == label)
                own = Kafka(_settings(bootstrap, f"bench{number}.{peer.name}.").kafka)
                took, results[label] = await run_peer(peer, kafka, own, count + len(SYSTEMS))
            spent[label].append(took)
        for label in labels:
            if (words := differences(label, results[QUIET], results[label])) is not None:
                raise SystemExit(words)
    yield f"{'variant':<28}{'records/s':>24}{'CPU us/record':>20}{'rate to the linker':>20}"
    for label, runs in spent.items():
        pairs = zip(spent[QUIET], runs, strict=True)
        ratio = statistics.median(ours.seconds / theirs.seconds for ours, theirs in pairs)
        rates = _with_range(count / each.seconds for each in runs)
        cpu = _with_range(each.cpu_seconds / count * 1e6 for each in runs)
        yield f"{label:<28}{rates:>24}{cpu:>20}{ratio:>20.2f}"
    links, commands = results[QUIET]
    yield (
        f"the same {len(links)} links and {len(commands)} commands of each, over {ROUNDS} "
        f"interleaved rounds of {count} events"
    )
    yield f"{os.cpu_count()} cores, Python {platform.python_version()}, Kafka {KAFKA_VERSION}"


def _settings(bootstrap: str, prefix: str) -> Settings:
    held = KafkaSettings(bootstrap=bootstrap, topic_prefix=prefix, partitions=1)
    return Settings(kafka=held, tenants={"bench": tenant()})


async def _filled(settings: Settings, count: int) -> Kafka:
    kafka = Kafka(settings.kafka)
    await kafka.ensure_topics()
    await fill(kafka, 0, "bench", count)
    return kafka


async def _linker(settings: Settings, kafka: Kafka) -> tuple[Spent, Result]:
    spent = Spent(*await run_linker(settings, kafka, 0))
    links: dict[bytes, Link] = {}
    async for record in kafka.read(("links",), (0,)):
        links[record.key or b""] = msgspec.json.decode(record.value, type=Link)
    return spent, result_of(links.values(), await _commands(kafka))


@contextmanager
def _log_as_delivered(settings: Settings) -> Iterator[None]:
    """Log as a service does by default, from info on, to nowhere."""
    before = structlog.get_config()
    with open(os.devnull, "w") as nowhere, redirect_stderr(nowhere):
        configure_logging(settings)
        try:
            yield
        finally:
            structlog.configure(**before)


def _with_range(values: Iterable[float]) -> str:
    held = sorted(values)
    return f"{statistics.median(held):,.0f} ({held[0]:,.0f}-{held[-1]:,.0f})"
