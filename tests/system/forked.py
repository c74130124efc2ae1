"""Programs of the project as processes of their own, forked from one that has imported them.

Starting Python and importing a service takes a second of a core, a test starts five of them, and
the whole run some hundreds: most of its time. The fork server of `multiprocessing` has imported
everything and started nothing; a child sets its environment and runs the module as `python -m`
would. What needs a Python of its own (its options, another PYTHONPATH) is started as a new one, and
so is everything outside of pytest: a benchmark measures what people run.
"""

import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from tempfile import TemporaryDirectory

PROGRAMS = (
    "services.linker",
    "services.chargebee_adapter",
    "services.poweroffice_adapter",
    "services.console",
    "simulators.chargebee",
    "simulators.poweroffice",
)
PRELOADED = [*(f"{name}.__main__" for name in PROGRAMS), "services.console.cli"]
_server = multiprocessing.get_context("forkserver")
_server.set_forkserver_preload(PRELOADED)


class Forked:
    """What a test uses of a `subprocess.Popen`."""

    def __init__(self, process: ForkServerProcess) -> None:
        self._process = process
        self.pid: int = process.pid or 0

    @property
    def returncode(self) -> int | None:
        """The exit code, or the number of the signal that ended it, negative; None while it
        lives."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """The exit code of a process that has ended."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end. Raises TimeoutExpired."""
        self._process.join(timeout)
        if (code := self._process.exitcode) is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
        return code

    def send_signal(self, number: int) -> None:
        """Nothing to a process that has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


Process = Forked | subprocess.Popen[bytes]


def start(
    module: str, arguments: Sequence[str], environment: Mapping[str, str], log: Path
) -> Process:
    """Run `python -m module`, in a session of its own; what it prints is added to a file."""
    if _needs_its_own_python(environment):
        with log.open("ab") as output:
            return subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
    return _fork(module, arguments, environment, log, log)


def run(
    module: str, arguments: Sequence[str], environment: Mapping[str, str]
) -> "subprocess.CompletedProcess[str]":
    """Run `python -m module` to its end, with what it printed."""
    command = [sys.executable, "-m", module, *arguments]
    if _needs_its_own_python(environment):
        return subprocess.run(
            command, env=dict(environment), capture_output=True, text=True, check=False
        )
    with TemporaryDirectory(prefix="tandem-run-") as directory:
        out, err = Path(directory, "out"), Path(directory, "err")
        code = _fork(module, arguments, environment, out, err).wait()
        return subprocess.CompletedProcess(
            command, code, out.read_text("utf-8"), err.read_text("utf-8")
        )


def _needs_its_own_python(environment: Mapping[str, str]) -> bool:
    is_ours = environment.get("PYTHONPATH") == os.environ.get("PYTHONPATH")
    return not is_ours or "PYTEST_VERSION" not in os.environ


def _fork(
    module: str, arguments: Sequence[str], environment: Mapping[str, str], out: Path, err: Path
) -> Forked:
    facts = (module, list(arguments), dict(environment), os.getcwd(), str(out), str(err))
    process = _server.Process(target=_become, args=facts, daemon=True)  # it ends with the tests
    process.start()
    return Forked(process)


def _become(
    module: str, arguments: list[str], environment: dict[str, str], place: str, out: str, err: str
) -> None:
    os.setsid()
    for path, number in ((out, 1), (err, 2)):
        held = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(held, number)
        os.close(held)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(place)
    sys.argv = [module, *arguments]
    for name in (module, f"{module}.__main__"):
        sys.modules.pop(name, None)  # the module that is run; what it needs stays imported
    runpy.run_module(module, run_name="__main__", alter_sys=True)
