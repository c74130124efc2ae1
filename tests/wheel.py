"""The wheel as somebody installs it: built from a copy of the packages, tried out of sight of the
repository."""

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("contracts", "runtime", "services", "simulators", "demo")
UV = (sys.executable, "-m", "uv")
# Runs in the environment of the wheel, from an empty directory.
TRIAL = """
import importlib, importlib.metadata, sys
from pathlib import Path
files = [Path(str(each)) for each in importlib.metadata.files("tandem")]
for file in files:
    if file.suffix == ".py":
        name = ".".join(file.with_suffix("").parts).removesuffix(".__init__")
        module = importlib.import_module(name)
        assert Path(module.__file__).is_relative_to(sys.prefix), f"{name} is {module.__file__}"
from contracts import schema
missing = [name for name in schema.TYPES if not (schema.DIRECTORY / f"{name}.json").is_file()]
assert not missing, f"the wheel lacks the schemas of {missing}"
print(sum(file.suffix == ".py" for file in files), "modules,", len(schema.TYPES), "schemas")
"""


def build(directory: Path) -> Path:
    """The wheel, made in a directory; what an earlier build left in the repository cannot get into
    it."""
    source = directory / "source"
    for name in PACKAGES:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    ran([*UV, "build", "--quiet", "--wheel", "--out-dir", str(directory), str(source)])
    (wheel,) = directory.glob("*.whl")
    return wheel


def lend_packages(environment: Path) -> None:
    """Let an environment see the packages of this one, so that nothing needs to be installed
    again."""
    (site,) = environment.glob("lib/python*/site-packages")
    (site / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")


def install(wheel: Path, environment: Path) -> None:
    """The wheel alone, into an environment that has what it needs."""
    ran(
        [
            *UV,
            "pip",
            "install",
            "--quiet",
            "--python",
            str(python_of(environment)),
            "--no-deps",
            str(wheel),
        ]
    )


def trial(environment: Path, empty: Path) -> str:
    """Import every module, look for the schemas and ask for help; what was found, in words."""
    told = ran([str(python_of(environment)), "-I", "-c", TRIAL], cwd=empty)
    assert "Usage: tandem" in ran([str(environment / "bin" / "tandem"), "--help"], cwd=empty)
    return told.strip()


def python_of(environment: Path) -> Path:
    """The Python of an environment."""
    return environment / "bin" / "python"


def ran(command: list[str], cwd: Path = ROOT) -> str:
    """What a command printed. Raises RuntimeError with its last words when it fails."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        words = (done.stdout + done.stderr)[-3000:]
        raise RuntimeError(f"{' '.join(command[:6])} ... ended with {done.returncode}:\n{words}")
    return done.stdout
