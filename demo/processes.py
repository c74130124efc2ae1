"""Child processes of the demo: each in a session of its own, its output in a file, ended by its
id."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from runtime.private import UMASK, open_private

PR_SET_PDEATHSIG = 1
TAIL_LINES, TAIL_CHARS = 12, 400
STOP_S = 10.0


class ProcessDied(RuntimeError):
    """A process of the demo ended by itself; the text names it and shows its last lines."""


class NotReady(RuntimeError):
    """A process of the demo was not ready in time; the text names it and shows its last lines."""


class Child:
    """One running `python -m MODULE ARGUMENTS`, with its output in `log_path`."""

    def __init__(
        self, module: str, arguments: Sequence[str], log_path: Path, environment: Mapping[str, str]
    ) -> None:
        self.name, self.log_path = module, log_path
        libc = ctypes.CDLL(None) if sys.platform == "linux" else None

        def end_with_parent() -> None:
            # Linux: even a killed demo leaves nobody behind.
            if libc is not None:
                libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)

        with open_private(log_path, append=True) as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **environment},
                start_new_session=True,
                preexec_fn=end_with_parent,
                umask=UMASK,
            )

    def check(self) -> None:
        """Raises ProcessDied when the process has ended."""
        code = self._process.poll()
        if code is not None:
            raise ProcessDied(f"{self.name} ended with code {code}. {self.last_words()}")

    def last_words(self) -> str:
        """The last lines of its log, each cut to TAIL_CHARS, and where they stand."""
        try:
            lines = self.log_path.read_text(errors="replace").splitlines()[-TAIL_LINES:]
        except OSError as error:
            lines = [f"(its log cannot be read: {error.strerror})"]
        told = "\n".join(line[:TAIL_CHARS] for line in lines) or "(it said nothing)"
        return f"Its last lines ({self.log_path}):\n{told}"

    def terminate(self) -> None:
        """Ask it to end; does not wait."""
        if self._process.poll() is None:
            self._process.terminate()

    def wait(self, until_s: float) -> None:
        """Wait until `until_s` (monotonic seconds), then kill."""
        try:
            self._process.wait(max(0.1, until_s - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def stop_all(children: Collection[Child]) -> None:
    """End these processes side by side; those that do not end within STOP_S are killed."""
    for child in children:
        child.terminate()
    until_s = time.monotonic() + STOP_S
    for child in children:
        child.wait(until_s)
