"""Faults that only this server can play, beside those of the connection: privileges, tokens and listings."""

from __future__ import annotations

from typing import Any, Final

from simulators.faults import Fault, Faults

TOKEN_EXPIRED: Final = "token_expired"
"""The token of the request is void from now on: 401."""
PRIVILEGE_LOST: Final = "privilege_lost"
"""The request is answered as if its privilege were missing: 403."""
LIST_TRUNCATED: Final = "list_truncated"
"""A listing ends after half of its rows, as if those were all."""
LIST_EMPTY: Final = "list_empty"
"""A listing is empty: 204."""
OWN: Final = (TOKEN_EXPIRED, PRIVILEGE_LOST, LIST_TRUNCATED, LIST_EMPTY)


class GoFaults(Faults):
    """The switches of `Faults` and, with the same `match`, `count` and `after`, those above."""

    def __init__(self) -> None:
        super().__init__()
        self._own: list[tuple[str, Fault]] = []

    def configure(self, body: dict[str, Any]) -> None:
        raws = body.get("faults", [])
        own = [(raw["kind"], self._parse(raw | {"kind": "slow"})) for raw in raws if raw.get("kind") in OWN]
        super().configure(body | {"faults": [raw for raw in raws if raw.get("kind") not in OWN]})
        if body.get("clear"):
            self._own.clear()
        self._own += own

    def take_own(self, operation: str) -> str | None:
        """The kind that strikes `operation` (`METHOD /template`), if any; counts it as used."""
        struck: str | None = None
        for kind, fault in self._own:
            if struck is not None or not operation.startswith(fault.match):
                continue
            if fault.after > 0:
                fault.after -= 1
            else:
                fault.count -= 1
                struck = kind
        self._own = [(kind, fault) for kind, fault in self._own if fault.count > 0]
        return struck

    def listed(self) -> list[dict[str, Any]]:
        names = ("match", "count", "after")
        own = [{"kind": kind} | {name: getattr(fault, name) for name in names} for kind, fault in self._own]
        return [*super().listed(), *own]
