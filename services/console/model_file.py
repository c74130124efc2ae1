"""The file of the read model: for its owner only, and thrown away when it is broken, since the
topics hold it all."""

import logging
import os
import sqlite3
from pathlib import Path

from runtime.harmless import harmless
from runtime.unusable import Unusable

log = logging.getLogger(__name__)
NAME = "model.sqlite"
BROKEN = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
NO_ROOM = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)
UNWRITABLE = (
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_AUTH,
)


def opened(directory: Path) -> sqlite3.Connection:
    """A connection to the file in a directory, both made when missing. Raises Unusable where they
    cannot be, and sqlite3.Error."""
    path = directory / NAME
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
        os.chmod(path, 0o600)  # it holds personal data
    except OSError as error:
        raise Unusable(
            _unwritable(Path(error.filename or path), error.strerror or str(error))
        ) from None
    db = sqlite3.connect(path, timeout=30.0, isolation_level=None)
    try:
        # Erased means erased: the bytes too.
        db.executescript(
            "pragma journal_mode=wal; pragma synchronous=normal; pragma secure_delete=on;"
        )
    except sqlite3.Error:
        db.close()
        raise
    return db


def is_broken(error: sqlite3.Error) -> bool:
    """Whether the file holds something else than what SQLite wrote."""
    return _code(error) in BROKEN


def discard(directory: Path, error: sqlite3.Error) -> None:
    """Throw the file away, with a word in the log. Raises OSError."""
    words = f"the read model in {directory} was broken ({error}) and is made anew from the topics"
    log.warning(harmless(words))
    for end in ("", "-wal", "-shm"):
        (directory / f"{NAME}{end}").unlink(missing_ok=True)


def told(error: sqlite3.Error, directory: Path) -> str:
    """What SQLite's error means, in one line with the fix."""
    code = _code(error)
    if code in NO_ROOM:  # a write that fails half-way is an I/O error to SQLite
        wrong = f"the read model in {directory} cannot be written ({error}), as on a full disk"
        return f"console.data: {wrong}; make room there, or name another directory"
    if code in UNWRITABLE:
        return _unwritable(directory, str(error))
    fix = "delete the directory, it is made anew"
    return f"console.data: the read model in {directory} cannot be used ({error}); {fix}"


def _unwritable(path: Path, reason: str) -> str:
    fix = "let this user write there, or let console.data name another directory"
    return f"console.data: {path} cannot be written ({reason}); {fix}"


def _code(error: sqlite3.Error) -> int:
    """SQLite's primary result code; 0 for an error of Python's own."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF
