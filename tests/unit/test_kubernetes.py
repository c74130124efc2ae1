"""The rules that deploy/kubernetes keeps, read from the files themselves, and by Kubernetes' own
schemas."""

import json
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from contracts.entities import SYSTEMS
from contracts.settings import PREFIX, Settings, every_key, load
from runtime import life, service
from services.chargebee_adapter import webhooks
from tests.waiting import PATIENCE_S

ROOT = Path(__file__).parents[2]
BASE, EXAMPLE = (ROOT / "deploy" / "kubernetes" / each for each in ("base", "example"))
DOCS = ROOT / "docs" / "kubernetes.md"
KUBERNETES = ("1.28", "1.32", "1.37")  # the oldest that numbers pods in a label, and newer ones
SECRETS = "/run/secrets/tandem/"
VENDORS = ("chargebee", "poweroffice")
LASTING = ("chargebee-adapter", "poweroffice-adapter", "linker", "console")
PROGRAMS = (*LASTING, "topics", "doctor")
COMMANDS = {
    **{name: ["python", "-m", f"services.{name.replace('-', '_')}"] for name in LASTING},
    "topics": ["tandem", "topics", "create"],
    "doctor": ["tandem", "doctor"],
}
# What a password or key is held under; each may be missing where it is not needed.
OPTIONAL_SECRETS = {f"kafka-{name}" for name in PROGRAMS} | {"console-login"}

Object = dict[str, Any]


def _read(path: Path) -> list[Object]:
    return _objects_of(path.read_text(encoding="utf-8"))


@cache
def _objects_of(text: str) -> list[Object]:
    """Parsed once: most tests read every file, and none changes what it has read."""
    return [each for each in yaml.safe_load_all(text) if each]


def _kustomization(directory: Path) -> Object:
    return _read(directory / "kustomization.yaml")[0]


def _objects() -> list[Object]:
    """Every object that both directories name, as written."""
    return [
        each
        for directory in (BASE, EXAMPLE)
        for name in _kustomization(directory)["resources"]
        if name.endswith(".yaml")
        for each in _read(directory / name)
    ]


def _of(kind: str) -> dict[str, Object]:
    return {each["metadata"]["name"]: each for each in _objects() if each["kind"] == kind}


def _templates() -> dict[str, Object]:
    """The template of the pods of each program, by the name of the program."""
    found = {}
    for each in _objects():
        spec = each.get("spec", {})
        if each["kind"] in ("Deployment", "StatefulSet", "Job"):
            found[each["metadata"]["name"]] = spec["template"]
        elif each["kind"] == "CronJob":
            found[each["metadata"]["name"]] = spec["jobTemplate"]["spec"]["template"]
    return found


def _container(program: str) -> Object:
    (held,) = _templates()[program]["spec"]["containers"]
    assert isinstance(held, dict)
    return held


def _given(program: str) -> list[str]:
    """The vendors whose keys a program uses."""
    return [vendor for vendor in VENDORS if program in (f"{vendor}-adapter", "doctor")]


def _variables(path: Path) -> dict[str, str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and line[:1] != "#")


def _config_maps() -> dict[str, dict[str, str]]:
    """The variables of each ConfigMap that is made of literals or of a file of variables."""
    made = {}
    for directory in (BASE, EXAMPLE):
        for each in _kustomization(directory)["configMapGenerator"]:
            held = dict(line.split("=", 1) for line in each.get("literals", []))
            for name in each.get("envs", []):
                held |= _variables(directory / name)
            made[each["name"]] = held
    return made


def _environment(program: str, ordinal: int = 0) -> dict[str, str]:
    """The variables of a program's container that are no secrets, in the pod of that number."""
    container, held = _container(program), dict[str, str]()
    for source in container["envFrom"]:
        if "configMapRef" in source:
            held |= _config_maps()[source["configMapRef"]["name"]]
    for each in container.get("env", []):
        if "valueFrom" in each:
            assert each["valueFrom"] == {
                "fieldRef": {"fieldPath": "metadata.labels['apps.kubernetes.io/pod-index']"}
            }
            held[each["name"]] = str(ordinal)
        else:
            named = re.compile(r"\$\((\w+)\)")
            held[each["name"]] = named.sub(lambda found: held[found[1]], each["value"])
    return held


def _loaded(program: str, directory: Path, ordinal: int = 0) -> Settings:
    """The settings that a program reads, its vendor's keys being files of a directory."""
    variables = _environment(program, ordinal)
    assert variables.pop("TANDEM_CONFIG") == "/etc/tandem/tandem.toml"
    for name, path in variables.items():
        if path.startswith(SECRETS):
            file = directory / Path(path).name
            file.write_text(file.name, encoding="utf-8")
            variables[name] = str(file)
    held = {name: value for name, value in variables.items() if name.startswith(PREFIX)}
    needs = [system for system in SYSTEMS if system in _given(program)]
    return load(EXAMPLE / "tandem.toml", held, needs=needs, tenants=True)


def _selected(selector: Object, labels: dict[str, str]) -> bool:
    """Whether a selector of a policy or a budget takes a pod; only what is used here is known."""
    assert selector.keys() <= {"matchLabels", "matchExpressions"}
    equal = selector.get("matchLabels", {}).items() <= labels.items()
    return equal and all(
        each["operator"] == "In" and labels.get(each["key"]) in each["values"]
        for each in selector.get("matchExpressions", [])
    )


def _policies(program: str, way: str) -> Iterator[Object]:
    """What the policies allow a program, `ingress` or `egress`."""
    labels = _templates()[program]["metadata"]["labels"]
    for each in _of("NetworkPolicy").values():
        if _selected(each["spec"]["podSelector"], labels):
            yield from each["spec"].get(way, [])


def _ports(rules: list[Object]) -> set[int]:
    return {each["port"] for rule in rules for each in rule["ports"]}


every_program = pytest.mark.parametrize("program", PROGRAMS)
every_lasting_program = pytest.mark.parametrize("program", LASTING)


# --- whole
# ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", KUBERNETES)
def test_kubernetes_knows_every_field(version: str) -> None:
    """By the schemas of that version, which refuse a field that they do not know."""
    validate = pytest.importorskip(
        "kubernetes_validate", reason="it is not installed here"
    ).validate
    for each in _objects():
        validate(each, version, strict=True)


def test_every_file_is_named_and_every_named_file_is_there() -> None:
    """A file that no kustomization names would be edited in vain."""
    for directory in (BASE, EXAMPLE):
        held = _kustomization(directory)
        named = {each for each in held["resources"] if each != "../base"}
        for each in held["configMapGenerator"]:
            named |= {*each.get("files", []), *each.get("envs", [])}
        assert named | {"kustomization.yaml"} == {path.name for path in directory.iterdir()}
        assert held["namespace"] == "tandem"
    assert _templates().keys() == set(PROGRAMS)


def _built(directory: Path) -> list[Object]:
    """What Kustomize makes of a directory, alone or as a part of kubectl; skips where there is
    neither. It asks no cluster."""
    tools = [["kustomize", "build"], ["kubectl", "kustomize"]]
    here = [tool for tool in tools if shutil.which(tool[0]) is not None]
    if not here:
        pytest.skip("neither kustomize nor kubectl is installed here")
    done = subprocess.run(
        [*here[0], str(directory)], capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def test_the_patch_of_the_page_makes_two_slots(tmp_path: Path) -> None:
    """As a reader pastes it."""
    shutil.copytree(BASE.parent, tmp_path / "kubernetes")
    (patch,) = re.findall(r"```yaml\n(patches:.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    with (tmp_path / "kubernetes" / "example" / "kustomization.yaml").open("a") as file:
        file.write(patch)
    built = _built(tmp_path / "kubernetes" / "example")
    (linker,) = [each["spec"] for each in built if each["kind"] == "StatefulSet"]
    (container,) = linker["template"]["spec"]["containers"]
    assert linker["replicas"] == 2
    assert {"name": "TANDEM_SLOT", "value": "$(SLOT)/2"} in container["env"]


def test_kustomize_builds_the_example() -> None:
    """And leads every name of a generated ConfigMap to its hash, so that new settings start new
    pods."""
    built = _built(EXAMPLE)
    maps = {each["metadata"]["name"] for each in built if each["kind"] == "ConfigMap"}
    text = json.dumps([each for each in built if each["kind"] != "ConfigMap"])
    assert {re.sub(r"-[a-z0-9]{10}$", "", name) for name in maps} == {"settings", *_config_maps()}
    for name in maps:
        assert f'"name": "{name}"' in text
    counted = [each for each in built if each["kind"] != "ConfigMap"]
    assert len(counted) == len(_objects())
    assert {each["metadata"].get("namespace", "tandem") for each in built} == {"tandem"}


# --- every pod
# --------------------------------------------------------------------------------------------


@every_program
def test_a_pod_can_do_and_change_little(program: str) -> None:
    """A read-only file system, no privileges, no root, no key to the cluster."""
    pod, container = _templates()[program]["spec"], _container(program)
    assert pod["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 10001,
        "runAsGroup": 10001,
        "fsGroup": 10001,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["automountServiceAccountToken"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & pod.keys()
    assert "useradd --uid 10001 --gid 10001" in (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert _of("Namespace")["tandem"]["metadata"]["labels"] == {
        "pod-security.kubernetes.io/enforce": "restricted"
    }


@every_program
def test_no_service_of_the_namespace_becomes_a_setting(program: str) -> None:
    """Kubernetes would add variables for each service, and an unknown one stops the start."""
    assert _templates()[program]["spec"]["enableServiceLinks"] is False


@every_program
def test_a_pod_runs_the_image_of_this_version(program: str) -> None:
    """The one that compose.yaml builds; the example says where it is fetched from."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    container, (image,) = _container(program), _kustomization(EXAMPLE)["images"]
    assert container["image"] == f"tandem:{project['version']}"
    assert (image["name"], image["newTag"]) == ("tandem", project["version"])
    assert (container["name"], container["command"]) == (program, COMMANDS[program])


@every_program
def test_a_pod_is_bounded(program: str) -> None:
    """In memory, and in the time that its end takes; what ends by itself has an end of its own."""
    container, pod = _container(program), _templates()[program]["spec"]
    assert container["resources"]["requests"].keys() == {"cpu", "memory"}
    assert container["resources"]["limits"].keys() == {"memory"}
    if program in LASTING:
        assert pod["terminationGracePeriodSeconds"] >= service.END_S + 10
    assert {"name": "tmp", "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}} in pod["volumes"]


@every_lasting_program
def test_a_pod_is_asked_how_it_is(program: str) -> None:
    """On the port and the paths that the service has. One that was overtaken is not ready and
    lives: it must not be restarted, or it would take its partitions back."""
    container = _container(program)
    settings = Settings()
    app = service.make_app(life.Service(program, settings, None, [], 0))  # type: ignore[arg-type]
    paths = {getattr(each, "path", None) for each in app.routes}
    for probe, path in (("livenessProbe", "/health/live"), ("readinessProbe", "/health/ready")):
        assert container[probe]["httpGet"] == {"path": path, "port": "http"}
        assert path in paths
    live = container["livenessProbe"]
    assert live["periodSeconds"] * live["failureThreshold"] >= 120
    (port,) = container["ports"]
    assert port["name"] == "http"
    assert port["containerPort"] == getattr(settings.ports, program.replace("-", "_"))
    notes = _templates()[program]["metadata"]["annotations"]
    assert notes["prometheus.io/port"] == str(port["containerPort"])


def test_what_works_on_one_slot_is_there_once() -> None:
    """A second process of a slot would take its work over."""
    for name, each in _of("Deployment").items():
        assert (each["spec"]["replicas"], each["spec"]["strategy"]) == (1, {"type": "Recreate"}), (
            name
        )
    assert _of("Deployment").keys() == set(LASTING) - {"linker"}
    assert _of("PodDisruptionBudget")["linker"]["spec"]["maxUnavailable"] == 1
    doctor = _of("CronJob")["doctor"]["spec"]
    assert doctor["suspend"] is True


@pytest.mark.parametrize("replicas", [1, 2, 3])
def test_each_linker_has_a_slot_and_together_they_have_all(replicas: int, tmp_path: Path) -> None:
    """The number of a pod is its slot; the number of slots is that of the replicas."""
    spec = _of("StatefulSet")["linker"]["spec"]
    written = f"$(SLOT)/{spec['replicas']}"
    (variable,) = [each for each in _container("linker")["env"] if "value" in each]
    assert (variable["name"], variable["value"]) == ("TANDEM_SLOT", written)
    assert spec["podManagementPolicy"] == "Parallel"
    toml, partitions = EXAMPLE / "tandem.toml", []
    for ordinal in range(replicas):
        slot = written.replace("$(SLOT)", str(ordinal)).replace(
            f"/{spec['replicas']}", f"/{replicas}"
        )
        held = load(toml, {"TANDEM_SLOT": slot}, needs=(), tenants=True)
        assert held.slot == (ordinal, replicas)
        partitions += held.my_partitions()
    assert partitions == [Settings(tenants=held.tenants).partition_of("acme")]
    assert _loaded("linker", tmp_path).slot == (0, 1)


# --- settings and secrets
# -----------------------------------------------------------------------------------


@every_program
def test_the_example_has_the_settings_of_every_program(program: str, tmp_path: Path) -> None:
    """With the files of its own vendor's keys; who is given none holds none."""
    settings = _loaded(program, tmp_path)
    assert settings.host == "0.0.0.0"
    assert settings.ports == Settings().ports
    names = {"chargebee_adapter", "poweroffice_adapter", "linker"}
    assert settings.reach.model_dump() == {name: name.replace("_", "-") for name in names}
    assert set(settings.reach.model_dump().values()) <= _of("Service").keys()
    acme = settings.tenants["acme"]
    found = (
        acme.chargebee.api_key.get_secret_value(),
        acme.poweroffice.client_key.get_secret_value(),
    )
    assert found == tuple(
        name if vendor in _given(program) else ""
        for vendor, name in (("chargebee", "acme_api_key"), ("poweroffice", "acme_client_key"))
    )
    assert acme.effective_mode == "observe"
    if program == "console":
        mounts = {each["mountPath"]: each["name"] for each in _container(program)["volumeMounts"]}
        assert mounts["/var/lib/tandem"] == "data"
        assert settings.console.data.startswith("/var/lib/tandem/")


@every_program
def test_keys_are_given_to_who_needs_them(program: str) -> None:
    """The linker and the console never hold a key of a vendor, an adapter its own vendor's only;
    each program has its own user at Kafka, where there are users."""
    pod, container = _templates()[program]["spec"], _container(program)
    volumes = {each["name"]: each for each in pod["volumes"]}
    secret = {each["secret"]["secretName"] for each in pod["volumes"] if "secret" in each}
    assert secret == set(_given(program))
    mounts = {each["name"]: each for each in container["volumeMounts"]}
    assert mounts.keys() == volumes.keys()
    for vendor in _given(program):
        assert mounts[vendor] == {
            "name": vendor,
            "mountPath": f"{SECRETS}{vendor}",
            "readOnly": True,
        }
        assert volumes[vendor]["secret"]["defaultMode"] == 0o440
    named = {
        each["secretRef"]["name"]: each["secretRef"].get("optional")
        for each in container["envFrom"]
        if "secretRef" in each
    }
    own = {"console-login"} if program == "console" else set()
    assert named == dict.fromkeys({f"kafka-{program}", *own}, True)


def test_the_example_gives_the_places_of_the_keys_as_compose_does() -> None:
    """One set of names for both."""
    for vendor in VENDORS:
        other = ROOT / f"{vendor}.example.env"
        assert _variables(EXAMPLE / f"{vendor}.env") == _variables(other)


def test_no_secret_stands_in_a_file() -> None:
    """Nor an object that would hold one: they are made by hand, or by what keeps your secrets."""
    assert not _of("Secret")
    secret = {key.path[-1].upper() for key in every_key() if key.secret}
    for name, held in _config_maps().items():
        for variable_name, value in held.items():
            last = variable_name.rpartition("__")[2]
            assert last not in secret, name
            if last.removesuffix("_FILE") in secret:
                assert re.fullmatch(SECRETS + r"(chargebee|poweroffice)/[a-z_]+", value)
    for directory in (BASE, EXAMPLE):
        assert "secretGenerator" not in _kustomization(directory)
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert "/deploy/kubernetes/site/" in ignored


# --- the network
# ------------------------------------------------------------------------------------------------


def test_every_selector_takes_the_pods_it_means() -> None:
    """A misspelt one would select nothing, in silence."""
    labels = {name: held["metadata"]["labels"] for name, held in _templates().items()}
    assert all(held == {"app.kubernetes.io/name": name} for name, held in labels.items())
    for kind in ("Deployment", "StatefulSet", "PodDisruptionBudget"):
        for name, each in _of(kind).items():
            selector = each["spec"]["selector"]
            assert [one for one in PROGRAMS if _selected(selector, labels[one])] == [name]
    for name, each in _of("Service").items():
        selector = {"matchLabels": each["spec"]["selector"]}
        assert [one for one in PROGRAMS if _selected(selector, labels[one])] == [name]
        (port,) = each["spec"]["ports"]
        (there,) = _container(name)["ports"]
        assert (port["port"], port["targetPort"]) == (there["containerPort"], there["name"])
    for name, each in _of("NetworkPolicy").items():
        rules = [*each["spec"].get("ingress", []), *each["spec"].get("egress", [])]
        peers = [peer for rule in rules for peer in rule.get("to", rule.get("from"))]
        inside = [peer["podSelector"] for peer in peers if peer.keys() == {"podSelector"}]
        for selector in (each["spec"]["podSelector"], *inside):
            assert any(_selected(selector, held) for held in labels.values()), name


def test_nothing_is_allowed_that_no_policy_names() -> None:
    """One policy takes every pod in both directions and allows nothing."""
    assert _of("NetworkPolicy")["nothing-else"]["spec"] == {
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
    }
    for each in _of("NetworkPolicy").values():
        spec = each["spec"]
        given = {way.capitalize() for way in ("ingress", "egress") if way in spec}
        assert given in (set(), set(spec["policyTypes"]))
        for rule in (*spec.get("ingress", []), *spec.get("egress", [])):
            assert rule["ports"]
            assert rule.get("from") or rule.get("to")


@every_program
def test_a_program_reaches_what_it_needs(program: str) -> None:
    """Names and Kafka for all; the vendors, over TLS and nothing inside, for who holds keys."""
    expected = {53, 9092}
    if _given(program):
        expected.add(443)
    if program == "doctor":
        expected |= {8081, 8082, 8083}
    rules = list(_policies(program, "egress"))
    assert _ports(rules) == expected
    blocks = [peer["ipBlock"] for rule in rules for peer in rule["to"] if "ipBlock" in peer]
    assert bool(blocks) is bool(_given(program))
    for block in blocks:
        assert block["except"]
    bootstrap = _loaded_bootstrap()
    assert bootstrap.rpartition(":")[2] == "9092"


def _loaded_bootstrap() -> str:
    return load(EXAMPLE / "tandem.toml", {}, needs=(), tenants=True).kafka.bootstrap


@every_program
def test_a_program_is_reached_by_who_should(program: str) -> None:
    """The webhooks and the console's page by way of the ingress controller; metrics by Prometheus;
    the rest by nobody but the doctor."""
    rules = list(_policies(program, "ingress"))
    if program not in LASTING:
        assert rules == []
        return
    port = _container(program)["ports"][0]["containerPort"]
    assert port in _ports(rules)
    senders = {
        str(sorted(selector["matchLabels"].values())[0])
        for rule in rules
        if port in _ports([rule])
        for peer in rule["from"]
        for selector in peer.values()
    }
    public = {"ingress-nginx"} if program in ("chargebee-adapter", "console") else set()
    asked = {"doctor"} if program != "console" else set()
    assert senders == {"monitoring", *public, *asked}


def test_the_ingress_passes_the_webhooks_on_and_nothing_else() -> None:
    """Metrics and health stand on the same port and ask for no password."""
    (rule,) = _of("Ingress")["webhooks"]["spec"]["rules"]
    (path,) = rule["http"]["paths"]
    route = webhooks.route({}).path
    assert (path["path"], path["pathType"]) == (route.removesuffix("{tenant}"), "Prefix")
    named = path["backend"]["service"]
    assert named["name"] in _of("Service")
    assert named["port"] == {"name": "http"}


def test_the_page_names_what_is_there() -> None:
    """Secrets and objects that a reader is told to make or to ask for."""
    text = DOCS.read_text(encoding="utf-8")
    for name in (*VENDORS, *OPTIONAL_SECRETS):
        assert f"`{name}`" in text or f" {name} " in text, name
    for version in KUBERNETES:
        assert version in text
