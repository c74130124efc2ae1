"""Which vendor account stands behind a tenant's name: pinned when first seen, checked at each
start.

Another Go client or Chargebee site under the same tenant name would have one ledger written into
another.
"""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from contracts import signals
from contracts.entities import System
from runtime.kafka import AWAY
from runtime.vendor import Refused, Retriable, Unauthorised

log = structlog.get_logger()
Tell = Callable[[str, signals.OfService], Awaitable[None]]


class Identity:
    """One tenant's account at one vendor. `ask` reads it from the vendor, `tell` signals the
    linker, `refused` says why the account is not used now although it is the right one."""

    def __init__(
        self,
        tenant: str,
        system: System,
        pinned: str | None,
        ask: Callable[[], Awaitable[str]],
        tell: Tell,
        refused: Callable[[], str | None] = lambda: None,
    ) -> None:
        self._tenant, self._system, self._pinned, self._ask, self._tell = (
            tenant,
            system,
            pinned or None,
            ask,
            tell,
        )
        self._refused = refused
        self._lock = asyncio.Lock()
        self._found: str | None = None

    async def check(self) -> None:
        """Return once the account is known to be the pinned one. Raises Unauthorised for another,
        for one that is not used now and for a key that is refused, else Retriable: no command is
        refused since nobody knows whose it is."""
        if self._found is None:
            async with self._lock:
                if self._found is None:
                    await self._first_check()
        if self._pinned is not None and self._found != self._pinned:
            raise Unauthorised(
                f"{self._tenant} was connected to {self._system} account {self._pinned}, and these "
                f"keys belong to "
                f"{self._found}: give back the right keys, or use another tenant name for the "
                f"other account"
            )
        if (words := self._refused()) is not None:
            raise Unauthorised(words)

    async def _first_check(self) -> None:
        found = await self._asked()
        # Told at every start: the linker pins the first, stops the tenant for another, and lets the
        # right one go on.
        try:
            await self._tell(self._tenant, signals.Seen(system=self._system, id=found))
        except AWAY as error:
            words = f"Kafka does not take the {self._system} account of {self._tenant}: {error!r}"
            raise Retriable(words) from error
        if self._pinned is not None and found != self._pinned:
            log.error(
                "tenant.other_account",
                tenant=self._tenant,
                system=self._system,
                pinned=self._pinned,
                found=found,
            )
        self._found = found

    async def _asked(self) -> str:
        try:
            found = await self._ask()
        except Refused as error:
            raise Retriable(
                f"the {self._system} account of {self._tenant} is not told: {error}"
            ) from error
        if not found.strip():
            raise Retriable(
                f"{self._system} names no account for {self._tenant}; none is pinned, it is "
                f"asked again"
            )
        return found
