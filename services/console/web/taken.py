"""Who has taken what under Needs you, so that two people do not do the same.

It is word among colleagues and stops nobody: who has taken something may be gone. It ends when the
thing is settled, when anybody lets go of it, and by itself after LASTS. It is kept in a file beside
the read model under a hash of what it is about, so that nothing stays of a record that is
forgotten.
"""

import hashlib
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from contracts.said import say
from runtime.clock import iso
from services.console.base import Unfit
from services.console.web.kept import KeptFile
from services.console.web.needs import Need

NAME = "taken.json"
LASTS = timedelta(hours=12)


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """By whom and since when (ISO 8601 UTC)."""

    by: str
    at: str


_Held = dict[str, dict[str, Taken]]  # by tenant and mark
_decoder = msgspec.json.Decoder(_Held)


def mark_of(need: Need) -> str:
    """What stands for a need in the file: its kind, and what it is about, as a hash."""
    about = "\n".join((need.kind, need.entity or "", need.key, need.what))
    return hashlib.sha256(about.encode("utf-8", "surrogatepass")).hexdigest()[:24]


class TakenThings:
    """The file of one installation."""

    def __init__(self, directory: Path) -> None:
        self._file = KeptFile(directory / NAME, _decoder)

    def of(self, tenant: str, now: datetime) -> dict[str, Taken]:
        """What is taken of a tenant now, by mark."""
        since = iso(now - LASTS)
        held = self._file.read().get(tenant, {})
        return {mark: taken for mark, taken in held.items() if taken.at > since}

    def take(self, tenant: str, mark: str, by: str, now: datetime, present: Iterable[str]) -> None:
        """Say that a person works on one of those that are `present`; the others are forgotten.
        Raises Unfit where it is none of them, and Unwritable."""
        left = {*present}
        if mark not in left:
            raise Unfit(say("taken_gone"))
        held = {name: taken for name, taken in self.of(tenant, now).items() if name in left}
        self._write(tenant, {**held, mark: Taken(by=by, at=iso(now))})

    def let_go(self, tenant: str, mark: str, now: datetime) -> None:
        """Nobody works on it any more. Raises Unwritable."""
        held = {name: taken for name, taken in self.of(tenant, now).items() if name != mark}
        self._write(tenant, held)

    def _write(self, tenant: str, taken: dict[str, Taken]) -> None:
        self._file.write({**self._file.read(), tenant: taken})
