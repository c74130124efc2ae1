"""Files with personal data belong to the user who runs Tandem: mode 0600, directories 0700,
whatever the umask."""

import os
import stat
from pathlib import Path
from typing import TextIO

FILE, DIRECTORY = 0o600, 0o700
UMASK = 0o077  # for children that write such files
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def open_private(file: Path, *, append: bool = False) -> TextIO:
    """A text file (UTF-8, line ends as they are written) to be written anew, or on at its end. One
    that exists is closed to others before anything is written into it. Raises OSError."""
    flags = os.O_WRONLY | os.O_CREAT | (os.O_APPEND if append else 0)
    descriptor = os.open(file, flags, FILE)
    try:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.fchmod(descriptor, FILE)
            if not append:
                os.ftruncate(descriptor, 0)
    except BaseException:
        os.close(descriptor)
        raise
    return os.fdopen(descriptor, "a" if append else "w", encoding="utf-8", newline="")


def make_private(directory: Path) -> None:
    """The directory exists and is closed to others, with all that is in it. Raises OSError."""
    directory.mkdir(parents=True, exist_ok=True, mode=DIRECTORY)
    for path in (directory, *directory.rglob("*")):
        held = path.lstat().st_mode
        if held & _OTHERS and not stat.S_ISLNK(held):
            path.chmod(stat.S_IMODE(held) & ~_OTHERS)
