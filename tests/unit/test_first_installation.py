"""What people get wrong at first: each mistake ends in one line, with the key, what is wrong and
what to do, and with exit code 2, at the command line and at each service. Those that need a Kafka
are in tests/system."""

import contextlib
import os
import runpy
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from runtime import service
from services.console import __main__ as console_program
from services.console import model_file
from services.console.cli import app
from services.console.model import ReadModel

PREFIX = "TANDEM_TENANTS__ACME__"
KEYS = {
    f"{PREFIX}CHARGEBEE__API_KEY": "test_chargebee",
    f"{PREFIX}POWEROFFICE__APPLICATION_KEY": "test_application",
    f"{PREFIX}POWEROFFICE__CLIENT_KEY": "test_client",
    f"{PREFIX}POWEROFFICE__SUBSCRIPTION_KEY": "test_subscription",
}
TOML = """
[tenants.acme]
chargebee.site = "acme-test"
poweroffice.environment = "demo"
"""
BROKEN_TOML = "correct it there (text needs quotes, each bracket its other half)"
A_DATE = "must be a date as year, month and day, such as 2026-01-31"
SLOT = "slot: must be i/n with 0 <= i < n, such as 0/1 for the only process"
HOSTS = (
    "kafka.bootstrap: must be host:port, several with commas between them, such as 127.0.0.1:9092"
)

# What the file says (None: there is none), more variables, the line.
MISTAKES: dict[str, tuple[str | None, dict[str, str], str]] = {
    "no settings file": (
        None,
        {},
        "tandem.toml: does not exist in HERE; copy tandem.example.toml to it and change what "
        "differs, or let "
        "TANDEM_CONFIG name another file",
    ),
    "TANDEM_CONFIG names nothing": (
        TOML,
        {"TANDEM_CONFIG": "/nowhere/tandem.toml"},
        "TANDEM_CONFIG: names /nowhere/tandem.toml, which does not exist; create the file or "
        "correct the path",
    ),
    "TANDEM_CONFIG names a directory": (
        TOML,
        {"TANDEM_CONFIG": "/tmp"},
        "TANDEM_CONFIG: names /tmp, which cannot be read (it is a directory); name the file in it, "
        "or move it away",
    ),
    "unclosed bracket": (
        f"{TOML}[tenants.beta\n",
        {},
        f"tandem.toml: is not valid TOML at line 5, column 14; {BROKEN_TOML}",
    ),
    "unclosed bracket in the last line": (
        f"{TOML}\npartition = [",
        {},
        f"tandem.toml: is not valid TOML at its end; {BROKEN_TOML}",
    ),
    "no tenant": (
        "[log]\n",
        {},
        "tenants: none is configured; add a table [tenants.NAME] to tandem.toml; "
        "tandem.example.toml shows one",
    ),
    "date with dots": (
        f'{TOML}start.orders = "1.1.2026"',
        {},
        f"tenants.acme.start.orders: {A_DATE}; correct it in tandem.toml",
    ),
    "date that does not exist": (
        f'{TOML}start.orders = "2026-02-30"',
        {},
        f"tenants.acme.start.orders: {A_DATE}; correct it in tandem.toml",
    ),
    "date with a time": (
        f"{TOML}start.orders = 2026-01-01T10:00:00",
        {},
        f"tenants.acme.start.orders: {A_DATE}; correct it in tandem.toml",
    ),
    "date with slashes, in a variable": (
        TOML,
        {f"{PREFIX}START__ORDERS": "01/01/2026"},
        f"tenants.acme.start.orders: {A_DATE}; correct {PREFIX}START__ORDERS",
    ),
    "words for a whole number": (
        f'{TOML}sink.window = "many"',
        {},
        "tenants.acme.sink.window: must be a whole number, such as 5; correct it in tandem.toml",
    ),
    "unit behind a number": (
        f'{TOML}sink.retry_s = "5 s"',
        {},
        "tenants.acme.sink.retry_s: must be a number, such as 0.5; correct it in tandem.toml",
    ),
    "list for a text": (
        f'{TOML}[kafka]\nbootstrap = ["127.0.0.1:9092"]',
        {},
        "kafka.bootstrap: must be text in quotes; correct it in tandem.toml",
    ),
    "broker with a scheme": (
        f'{TOML}[kafka]\nbootstrap = "http://127.0.0.1:9092"',
        {},
        f"{HOSTS}; correct it in tandem.toml",
    ),
    "broker with words for a port": (
        TOML,
        {"TANDEM_KAFKA__BOOTSTRAP": "kafka:x"},
        f"{HOSTS}; correct TANDEM_KAFKA__BOOTSTRAP",
    ),
    "unknown key": (
        f'{TOML}invoicing.buy = "chargebee"',
        {},
        "tenants.acme.invoicing.buy: is an unknown key; did you mean by?",
    ),
    "unknown tenant in a variable": (
        TOML,
        {"TANDEM_TENANTS__AMCE__CHARGEBEE__API_KEY": "test_chargebee"},
        "tenants.amce: is named by TANDEM_TENANTS__AMCE__CHARGEBEE__API_KEY, but tandem.toml has "
        "no such tenant; "
        "did you mean acme?",
    ),
    "tenant that only variables know": (
        "[log]\n",
        {},
        f"tenants.acme: is named by {PREFIX}CHARGEBEE__API_KEY, but tandem.toml has no such "
        f"tenant; add "
        "[tenants.acme] there, or remove the variable",
    ),
    "secret in the file": (
        f'{TOML}chargebee.api_key = "test_chargebee"',
        {},
        "tenants.acme.chargebee.api_key: is a secret and must not stand in tandem.toml; remove it "
        "(and change the "
        f"secret), set {PREFIX}CHARGEBEE__API_KEY or {PREFIX}CHARGEBEE__API_KEY_FILE",
    ),
    "patience 0": (
        f"{TOML}[console]\npatience = 0",
        {},
        "console.patience: must be greater than 0; correct it in tandem.toml",
    ),
    "slot beyond the number": (TOML, {"TANDEM_SLOT": "2/2"}, f"{SLOT}; correct TANDEM_SLOT"),
    "slot as a letter": (TOML, {"TANDEM_SLOT": "a"}, f"{SLOT}; correct TANDEM_SLOT"),
    "missing authority": (
        f'{TOML}[kafka]\nsecurity_protocol = "SSL"\nssl_cafile = "/nowhere/ca.pem"',
        {},
        "kafka.ssl_cafile: /nowhere/ca.pem cannot be read (No such file or directory); correct the "
        "path, or make the "
        "file readable for this user",
    ),
    "authority's file without a certificate": (
        f'{TOML}[kafka]\nsecurity_protocol = "SSL"\nssl_cafile = "tandem.toml"',
        {},
        "kafka.ssl_cafile: tandem.toml holds no certificate; name a PEM file with the authority's "
        "certificate",
    ),
}
SERVICES = ("linker", "chargebee_adapter", "poweroffice_adapter", "console")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory to start in, with all keys in the environment and nothing else of
    Tandem's."""
    for name in [name for name in os.environ if name.startswith("TANDEM_")]:
        monkeypatch.delenv(name)
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    # A port of its own for each service: who asks for one is not to be in the way of anything.
    for name in SERVICES:
        monkeypatch.setenv(f"TANDEM_PORTS__{name.upper()}", "0")
    monkeypatch.setenv("TANDEM_CONSOLE__DATA", str(tmp_path / "model"))
    # The log of this process is other tests' too.
    monkeypatch.setattr(service, "configure_logging", lambda _settings: None)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@contextlib.contextmanager
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


def started(module: str, monkeypatch: pytest.MonkeyPatch) -> object:
    """The exit code of `python -m module`."""
    monkeypatch.setattr(sys, "argv", [module])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module(module, run_name="__main__")
    return ended.value.code


@pytest.mark.filterwarnings("ignore:.*found in sys.modules:RuntimeWarning")
@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_service_ends_with_one_line(
    here: Path,
    mistake: str,
    service: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    toml, variables, line = MISTAKES[mistake]
    prepare(here, mistake, toml, variables, monkeypatch)
    assert started(f"services.{service}", monkeypatch) == 2
    assert capfd.readouterr() == ("", f"{line.replace('HERE', str(here))}\n")


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_command_ends_with_the_same_line(
    here: Path, mistake: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    toml, variables, line = MISTAKES[mistake]
    prepare(here, mistake, toml, variables, monkeypatch)
    answer = CliRunner().invoke(app, ["status"])
    assert (answer.exit_code, answer.output) == (2, f"{line.replace('HERE', str(here))}\n")


def prepare(
    here: Path,
    mistake: str,
    toml: str | None,
    variables: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if toml is not None:
        (here / "tandem.toml").write_text(toml, encoding="utf-8")
    if mistake == "no tenant":
        for name in KEYS:
            monkeypatch.delenv(name)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


# -- keys: who needs them

OWN = {"chargebee_adapter": "CHARGEBEE", "poweroffice_adapter": "POWEROFFICE"}


@pytest.mark.filterwarnings("ignore:.*found in sys.modules:RuntimeWarning")
@pytest.mark.parametrize("service", OWN)
def test_an_adapter_names_the_keys_of_its_own_vendor(
    here: Path, service: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A tenant without keys: a line for each that this process uses, none for the other
    vendor's."""
    (here / "tandem.toml").write_text(TOML)
    for name in KEYS:
        monkeypatch.delenv(name)
    assert started(f"services.{service}", monkeypatch) == 2
    own = [name for name in KEYS if name.startswith(f"{PREFIX}{OWN[service]}__")]
    lines = [
        f"{'.'.join(name.lower().split('__')).removeprefix('tandem_')}: is missing; set {name} or "
        f"{name}_FILE"
        for name in own
    ]
    assert capfd.readouterr().err.splitlines() == lines


@pytest.mark.filterwarnings("ignore:.*found in sys.modules:RuntimeWarning")
@pytest.mark.parametrize("service", OWN)
def test_a_secret_file_that_is_missing_is_told_by_who_reads_it(
    here: Path, service: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (here / "tandem.toml").write_text(TOML)
    for name in KEYS:
        monkeypatch.delenv(name)
        monkeypatch.setenv(f"{name}_FILE", str(here / "nothing"))
    assert started(f"services.{service}", monkeypatch) == 2
    told = capfd.readouterr().err
    assert told.count("cannot be read (No such file or directory); correct ") == len(
        told.splitlines()
    )
    assert len(told.splitlines()) == sum(f"__{OWN[service]}__" in name for name in KEYS)


# -- ports


@pytest.mark.filterwarnings("ignore:.*found in sys.modules:RuntimeWarning")
@pytest.mark.parametrize("service", SERVICES)
def test_a_taken_port_is_told_before_anything_is_done(
    here: Path, service: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Also where Kafka does not run: a second process by mistake is the usual cause."""
    (here / "tandem.toml").write_text(TOML)
    with taken_port() as port:
        monkeypatch.setenv(f"TANDEM_PORTS__{service.upper()}", str(port))
        assert started(f"services.{service}", monkeypatch) == 2
    assert capfd.readouterr().err == (
        f"ports.{service}: port {port} on 127.0.0.1 is taken; end what has it (ss -ltnp 'sport = "
        f":{port}' names it), "
        f"or set ports.{service} to another port\n"
    )


@pytest.mark.filterwarnings("ignore:.*found in sys.modules:RuntimeWarning")
@pytest.mark.parametrize(
    ("host", "line"),
    [
        (
            "192.0.2.1",
            "host: 192.0.2.1 is no address of this machine; set host to one that is, such as "
            "127.0.0.1",
        ),
        ("nowhere.invalid", "host: nowhere.invalid has no address ("),
    ],
)
def test_a_host_that_is_not_here_is_told(
    here: Path,
    host: str,
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    (here / "tandem.toml").write_text(TOML)
    monkeypatch.setenv("TANDEM_HOST", host)
    assert started("services.linker", monkeypatch) == 2
    told = capfd.readouterr().err
    assert told.startswith(line)
    assert told.count("\n") == 1


# -- the read model


def test_a_broken_read_model_is_made_anew_with_a_word(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One that SQLite did not write, and one whose pages are damaged: the topics hold what it
    held."""
    for damage in (b"not a database at all" * 500, None):
        directory = tmp_path / ("other" if damage else "pages")
        ReadModel(directory, "cluster/tandem.").close()
        file = directory / model_file.NAME
        file.write_bytes(
            damage or file.read_bytes()[:4096] + b"\xff" * 8000 + file.read_bytes()[12096:]
        )
        caplog.clear()
        model = ReadModel(directory, "cluster/tandem.")
        assert model.positions() == {}
        model.close()
        (record,) = caplog.records
        assert record.getMessage().startswith(f"the read model in {directory} was broken (")
        assert record.getMessage().endswith(") and is made anew from the topics")


def test_a_directory_that_cannot_hold_the_read_model_ends_the_console(
    here: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (here / "tandem.toml").write_text(TOML)
    monkeypatch.setenv("TANDEM_CONSOLE__DATA", "tandem.toml")
    assert console_program.main() == 2
    assert capfd.readouterr().err == (
        "console.data: tandem.toml cannot be written (File exists); let this user write there, or "
        "let console.data "
        "name another directory\n"
    )


@pytest.mark.parametrize(
    ("code", "wrong"),
    [
        (sqlite3.SQLITE_FULL, "cannot be written (words), as on a full disk; make room there"),
        (
            sqlite3.SQLITE_IOERR_WRITE,
            "cannot be written (words), as on a full disk; make room there",
        ),
        (sqlite3.SQLITE_READONLY, "cannot be written (words); let this user write there"),
        (sqlite3.SQLITE_BUSY, "cannot be used (words); delete the directory, it is made anew"),
    ],
)
def test_what_sqlite_says_is_said_with_the_setting(code: int, wrong: str) -> None:
    error = sqlite3.OperationalError("words")
    error.sqlite_errorcode = code
    told = model_file.told(error, Path("model"))
    assert told.startswith("console.data: ")
    assert wrong in told


# -- the simulators


@pytest.mark.parametrize(
    "words",
    [
        ["simulators.chargebee", "--api-key", "x"],
        [
            "simulators.poweroffice",
            "--application-key",
            "x",
            "--client-key",
            "x",
            "--subscription-key",
            "x",
        ],
    ],
)
def test_a_simulator_says_that_its_port_is_taken(words: list[str]) -> None:
    with taken_port() as port:
        command = [sys.executable, "-m", *words, "--data", "empty", "--port", str(port)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    line = (
        f"--port: {port} on 127.0.0.1 cannot be used (Address already in use); name another, or 0\n"
    )
    assert (done.returncode, done.stderr) == (2, line)
