"""A real Kafka that refuses: who starts against it is told in one line what is wrong with the
settings, and ends."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime import embedded_kafka
from runtime.embedded_kafka import EmbeddedKafka
from tests.system.rig import free_port
from tests.waiting import PATIENCE_S, wait_for

PASSWORD = "only-in-this-test"
LISTENERS = {"NAMED": "SASL_PLAINTEXT", "SECRET": "SSL", "BOTH": "SASL_SSL"}
NOT_TRUSTED = "kafka.ssl_cafile: the certificate of Kafka at {at} is not trusted: "
NAMES = {"sasl_mechanism": "PLAIN", "sasl_username": "tandem"}
Broker = tuple[Path, dict[str, str]]


def certified(directory: Path) -> None:
    """An authority, another one, and a key of a broker at 127.0.0.1, in PEM files."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl, which makes the certificates, is not here")

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=directory, check=True, capture_output=True)

    for name in ("ca", "other"):
        new = (
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            f"/CN={name}",
        )
        openssl(*new, "-keyout", f"{name}.key", "-out", f"{name}.pem")
    openssl(
        "req",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        "b.key",
        "-out",
        "b.csr",
        "-subj",
        "/CN=broker",
    )
    (directory / "names").write_text("subjectAltName=IP:127.0.0.1")
    signed = (
        "x509",
        "-req",
        "-in",
        "b.csr",
        "-CA",
        "ca.pem",
        "-CAkey",
        "ca.key",
        "-CAcreateserial",
        "-days",
        "2",
    )
    openssl(*signed, "-extfile", "names", "-out", "b.pem")
    (directory / "keystore.pem").write_text(
        (directory / "b.key").read_text() + (directory / "b.pem").read_text()
    )


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """Where the certificates are, and each listener's address: one for each protocol that Kafka
    speaks."""
    directory = tmp_path_factory.mktemp("refusing")
    certified(directory)
    ports = {name: free_port() for name in LISTENERS}
    login = (
        f"org.apache.kafka.common.security.plain.PlainLoginModule required "
        f'user_tandem="{PASSWORD}";'
    )
    named = ",".join(f"{name}://{{host}}:{port}" for name, port in ports.items())
    protocols = ",".join(f"{name}:{protocol}" for name, protocol in LISTENERS.items())
    more = f"""
listeners=PLAINTEXT://{{host}}:{{port}},{named},CONTROLLER://{{host}}:{{controller_port}}
advertised.listeners=PLAINTEXT://{{host}}:{{port}},{named}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,{protocols},CONTROLLER:PLAINTEXT
ssl.keystore.type=PEM
ssl.keystore.location={directory / "keystore.pem"}
"""
    for name in ("named", "both"):
        more += f"listener.name.{name}.sasl.enabled.mechanisms=PLAIN\n"
        more += f"listener.name.{name}.plain.sasl.jaas.config={login}\n"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embedded_kafka, "PROPERTIES", embedded_kafka.PROPERTIES + more)
        with EmbeddedKafka(directory / "kafka", port=0, controller_port=0) as kafka:
            yield (
                directory,
                {
                    "PLAIN": kafka.bootstrap,
                    **{name: f"127.0.0.1:{port}" for name, port in ports.items()},
                },
            )


# The listener, what the settings say, the password, how the line begins, how it ends.
REFUSED: dict[str, tuple[str, dict[str, str], str, str, str]] = {
    "wrong password": (
        "NAMED",
        {"security_protocol": "SASL_PLAINTEXT", **NAMES},
        "another-one",
        "kafka.sasl_password: Kafka at {at} refuses the user tandem (PLAIN): ",
        "; correct kafka.sasl_username, or TANDEM_KAFKA__SASL_PASSWORD and what it holds",
    ),
    "wrong user": (
        "NAMED",
        {"security_protocol": "SASL_PLAINTEXT", **NAMES, "sasl_username": "nobody"},
        PASSWORD,
        "kafka.sasl_password: Kafka at {at} refuses the user nobody (PLAIN): ",
        "; correct kafka.sasl_username, or TANDEM_KAFKA__SASL_PASSWORD and what it holds",
    ),
    "wrong mechanism": (
        "NAMED",
        {"security_protocol": "SASL_PLAINTEXT", **NAMES, "sasl_mechanism": "SCRAM-SHA-512"},
        PASSWORD,
        "kafka.sasl_mechanism: Kafka at {at} does not know SCRAM-SHA-512; ",
        "set it to one that its listener has enabled",
    ),
    "no name where one is wanted": (
        "NAMED",
        {},
        "",
        "kafka.security_protocol: Kafka at {at} wants to know who asks, and PLAINTEXT gives "
        "no name; ",
        "set it to SASL_PLAINTEXT, with kafka.sasl_mechanism, user and password",
    ),
    "a name where none is wanted": (
        "PLAIN",
        {"security_protocol": "SASL_PLAINTEXT", **NAMES},
        PASSWORD,
        "kafka.security_protocol: Kafka at {at} asks nobody for a name, and SASL_PLAINTEXT "
        "gives one; ",
        "set it to PLAINTEXT, or kafka.bootstrap to the listener with SASL",
    ),
    "plain text on a TLS port": (
        "SECRET",
        {},
        "",
        "kafka.security_protocol: Kafka at {at} speaks TLS, and PLAINTEXT does not; ",
        "set it to SSL or SASL_SSL (with kafka.ssl_cafile where the authority is your own)",
    ),
    "TLS on a plain port": (
        "PLAIN",
        {"security_protocol": "SSL", "ssl_cafile": "{directory}/ca.pem"},
        "",
        "kafka.security_protocol: Kafka at {at} does not speak TLS, and SSL does; ",
        "set it to PLAINTEXT, or kafka.bootstrap to the listener with TLS",
    ),
    "another authority": (
        "SECRET",
        {"security_protocol": "SSL", "ssl_cafile": "{directory}/other.pem"},
        "",
        NOT_TRUSTED,
        "/other.pem holds other authorities; name the PEM file of the authority that signed it",
    ),
    "the system's authorities": (
        "SECRET",
        {"security_protocol": "SSL"},
        "",
        NOT_TRUSTED,
        "the system does not know it; name the PEM file of the authority that signed it",
    ),
    "another name than the certificate's": (
        "SECRET",
        {"security_protocol": "SSL", "ssl_cafile": "{directory}/ca.pem", "bootstrap": "localhost"},
        "",
        "kafka.bootstrap: the certificate of Kafka at {at} is not trusted: ",
        "; name the broker as its certificate does",
    ),
    "wrong password over TLS": (
        "BOTH",
        {"security_protocol": "SASL_SSL", "ssl_cafile": "{directory}/ca.pem", **NAMES},
        "another-one",
        "kafka.sasl_password: Kafka at {at} refuses the user tandem (PLAIN): ",
        "; correct kafka.sasl_username, or TANDEM_KAFKA__SASL_PASSWORD and what it holds",
    ),
}
PROGRAMS = {"service": ("services.linker",), "command": ("services.console.cli", "topics", "check")}


def prepared(
    broker: Broker, here: Path, listener: str, told: dict[str, str], password: str
) -> tuple[str, dict[str, str]]:
    """The address that is asked, and the variables of a process in `here`, whose settings say this
    of Kafka."""
    directory, addresses = broker
    at = addresses[listener]
    if host := told.get("bootstrap"):
        at = f"{host}:{at.rpartition(':')[2]}"
    keys = {name: value.format(directory=directory) for name, value in told.items()} | {
        "bootstrap": at
    }
    lines = "".join(f'{name} = "{value}"\n' for name, value in keys.items())
    tenant = 'chargebee.site = "acme"\npoweroffice.environment = "demo"\n'
    (here / "tandem.toml").write_text(
        f"[kafka]\npartitions = 1\n{lines}[ports]\nlinker = 0\n[tenants.acme]\n{tenant}"
    )
    variables = {
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "TANDEM_KAFKA__SASL_PASSWORD": password,
    }
    return at, variables


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("mistake", REFUSED)
def test_what_kafka_refuses_is_told_in_one_line(
    broker: Broker, tmp_path: Path, mistake: str, program: str
) -> None:
    listener, told, password, begin, end = REFUSED[mistake]
    at, variables = prepared(broker, tmp_path, listener, told, password)
    command = [sys.executable, "-m", *PROGRAMS[program]]
    done = subprocess.run(
        command, cwd=tmp_path, env=variables, capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith(begin.format(at=at))
    assert done.stderr.endswith(f"{end}\n")
    assert PASSWORD not in done.stderr
    assert "another-one" not in done.stderr


def test_over_tls_a_service_starts_reads_and_ends(broker: Broker, tmp_path: Path) -> None:
    """What is right is not refused; and the connections that are closed on the way are closed at
    once."""
    told = {"security_protocol": "SASL_SSL", "ssl_cafile": "{directory}/ca.pem", **NAMES}
    _, variables = prepared(broker, tmp_path, "BOTH", told, PASSWORD)
    log = tmp_path / "linker.log"
    with log.open("wb") as stream:
        linker = subprocess.Popen(
            [sys.executable, "-m", "services.linker"], cwd=tmp_path, env=variables, stderr=stream
        )
    try:
        wait_for("the linker listens", lambda: "listening" in log.read_text())
        linker.terminate()
        linker.wait(PATIENCE_S)
    finally:
        linker.kill()
        linker.wait()
    assert not re.search("ERROR|error|Traceback", log.read_text())


def test_a_kafka_that_does_not_run_is_waited_for_in_words(tmp_path: Path) -> None:
    """It may be started a moment later, as in containers."""
    at, variables = prepared(
        (tmp_path, {"NONE": f"127.0.0.1:{free_port()}"}), tmp_path, "NONE", {}, ""
    )
    log = tmp_path / "linker.log"
    with log.open("wb") as stream:
        linker = subprocess.Popen(
            [sys.executable, "-m", "services.linker"], cwd=tmp_path, env=variables, stderr=stream
        )
    try:
        wait_for("it is told", lambda: '"waiting"' in log.read_text())
        assert linker.poll() is None
    finally:
        linker.kill()
        linker.wait()
    assert f"nothing listens on {at}" in log.read_text()
