"""Which vendor account stands behind a tenant's name: pinned at first sight, checked at each start.

Another Go client or Chargebee site under the same tenant name would have one ledger written into another.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from contracts.entities import System
from runtime.vendor import Unauthorised

log = structlog.get_logger()
Tell = Callable[[str, str, dict[str, Any]], Awaitable[None]]


class Identity:
    """One tenant's account at one vendor. `ask` reads it from the vendor, `tell` signals the linker."""

    def __init__(self, tenant: str, system: System, pinned: str | None, ask: Callable[[], Awaitable[str]], tell: Tell
                 ) -> None:  # fmt: skip
        self._tenant, self._system, self._pinned, self._ask, self._tell = tenant, system, pinned, ask, tell
        self._lock = asyncio.Lock()
        self._found: str | None = None

    async def check(self) -> None:
        """Return once the account is known to be the pinned one. Raises Unauthorised for another, and what the
        vendor's answer raises."""
        if self._found is None:
            async with self._lock:
                if self._found is None:
                    await self._first_check()
        if self._pinned is not None and self._found != self._pinned:
            raise Unauthorised(
                f"{self._tenant} was connected to {self._system} account {self._pinned}, and these keys belong to "
                f"{self._found}: give back the right keys, or use another tenant name for the other account"
            )

    async def _first_check(self) -> None:
        found = await self._ask()
        # Told at every start: the linker pins the first, stops the tenant for another, and lets the right one go on.
        await self._tell(self._tenant, "identity", {"system": self._system, "id": found})
        if self._pinned is not None and found != self._pinned:
            log.error("tenant.other_account", tenant=self._tenant, system=self._system, pinned=self._pinned,
                      found=found)  # fmt: skip
        self._found = found
