"""One request of a person who has logged in, and the common part of its answer."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import closing
from typing import Any, Protocol, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from contracts.messages import JournalEntry
from contracts.said import SaidError
from contracts.settings import Settings
from services.console.base import Meant
from services.console.model import ReadModel
from services.console.web.filters import Filters
from services.console.web.health import HealthWatch
from services.console.web.needs import counted
from services.console.web.people import Person
from services.console.web.taken import TakenThings
from services.console.web.words import Words, language_of

_T = TypeVar("_T")


class Render(Protocol):
    """Makes a page of a template and what it shows."""

    def __call__(self, request: Request, name: str, status: int = 200, **more: Any) -> Response: ...


class Asked:
    """Who asks for what, of which tenant ("" for none), and what the page may read."""

    def __init__(
        self,
        settings: Settings,
        watch: HealthWatch,
        filters: Filters,
        taken: TakenThings,
        request: Request,
        person: Person,
        model: ReadModel,
        render: Render,
    ) -> None:
        self.settings, self.watch, self.request = settings, watch, request
        self.filters, self.taken = filters, taken
        self.person, self.model, self._render = person, model, render
        self.words = Words(language_of(request))
        self.tenant = str(request.path_params.get("tenant", ""))
        self.form: dict[str, str] = getattr(request.state, "form", {})

    @property
    def about(self) -> Meant:
        """The installation and the tenant, as commands have them."""
        return Meant(self.settings, self.tenant)

    async def aside(self, query: Callable[[ReadModel], _T]) -> _T:
        """Ask the read model in a thread of its own: what looks at every link takes seconds where
        there are many."""
        held = self.model

        def work() -> _T:
            with closing(held.another()) as model:
                return query(model)

        return await asyncio.to_thread(work)

    def numbers(self, entries: Iterable[JournalEntry]) -> dict[str, int | None]:
        """The number of the page of each entry's record, by `entity/link`; None for none."""
        found: dict[str, int | None] = {}
        for entry in entries:
            link = self.model.link(self.tenant, entry.entity, entry.link) if entry.entity else None
            number = self.model.number_of(link) if link is not None else None
            found[f"{entry.entity}/{entry.link}"] = number
        return found

    def page(self, name: str, status: int = 200, **more: Any) -> Response:
        """A template with what all pages of a person have in common."""
        needs = counted(self.model, self.tenant) if self.tenant else 0
        known: dict[str, Any] = {"person": self.person, "tenant": self.tenant, "needs": needs}
        return self._render(self.request, name, status, **(known | more))

    def refused(self, title: str, error: Exception, status: int = 400, **more: str) -> Response:
        """A page that says why something is not done."""
        words = self.words.said(error.said if isinstance(error, SaidError) else [], str(error))
        return self.page("message.html", status, title=title, words=words, **more)

    def absent(self, words: str) -> Response:
        """A page that says that something is not there."""
        return self.page("message.html", 404, title=words, words="")
