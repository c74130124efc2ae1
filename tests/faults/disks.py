"""A small disk of its own, that can be filled to the last byte and emptied again."""

import subprocess
from pathlib import Path
from typing import Self

BALLAST = "ballast"
CHUNK_BYTES = 1 << 16


class CannotBe(Exception):
    """This machine does not allow what a scenario needs; the text says what."""


class Disk:
    """A file system in memory at `directory`, which only root may mount. Raises CannotBe where it
    cannot be had. Needs `with`."""

    def __init__(self, directory: Path, size_mb: int) -> None:
        self.directory, self._size_mb = directory, size_mb

    def __enter__(self) -> Self:
        self.directory.mkdir(parents=True, exist_ok=True)
        options = f"size={self._size_mb}m,mode=0700"
        done = self._run("mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self.directory))
        if done is None or done.returncode:
            words = "there is no mount here" if done is None else done.stderr.strip()
            raise CannotBe(f"a small disk cannot be mounted: {words}")
        return self

    def __exit__(self, *_: object) -> None:
        # Lazily: a process that has just been killed may not have let go of its files yet.
        self._run("umount", "--lazy", str(self.directory))

    def fill(self) -> None:
        """Leave no byte."""
        with (self.directory / BALLAST).open("ab", buffering=0) as ballast:
            size = CHUNK_BYTES
            while size:
                try:
                    ballast.write(bytes(size))
                except OSError:
                    size //= 2

    def empty(self) -> None:
        """There is room again."""
        (self.directory / BALLAST).unlink()

    def _run(self, *command: str) -> subprocess.CompletedProcess[str] | None:
        try:
            return subprocess.run(command, capture_output=True, text=True, check=False)
        except OSError:
            return None
