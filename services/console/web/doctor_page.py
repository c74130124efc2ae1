"""What `tandem doctor` checks, as far as it needs no vendor's keys: the page has none."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from starlette.responses import RedirectResponse, Response

from contracts.checks import Checked
from contracts.said import Said
from runtime.clock import iso_now
from services.console.web.asked import Asked


class Diagnosis(NamedTuple):
    """Every result of a tenant, and what to do next, one line each."""

    checks: list[Checked]
    steps: list[Said]


Diagnose = Callable[[str], Awaitable[Diagnosis]]


class Told(NamedTuple):
    """A diagnosis with the time (ISO 8601 UTC) and the person who asked for it."""

    diagnosis: Diagnosis
    at: str
    by: str


class Doctor:
    """Checks one tenant at a time, and keeps what was found last until the console ends."""

    def __init__(self, diagnose: Diagnose) -> None:
        self._diagnose, self._lock = diagnose, asyncio.Lock()
        self._told: dict[str, Told] = {}

    async def show(self, asked: Asked) -> Response:
        """What was found last, with a form to check again."""
        told = self._told.get(asked.tenant)
        return asked.page("doctor.html", told=told, may_act=asked.person.may("doctor"))

    async def check(self, asked: Asked) -> Response:
        """Check, then show it."""
        if not asked.person.may("doctor"):
            words = asked.person.role
            return asked.page("message.html", 403, title="Your role may not do this", words=words)
        async with self._lock:
            found = await self._diagnose(asked.tenant)
        self._told[asked.tenant] = Told(found, iso_now(), asked.person.name)
        return RedirectResponse(f"/{asked.tenant}/doctor", 303)
