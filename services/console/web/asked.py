"""One request of a person who has logged in, and the common part of its answer."""

from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import Response

from contracts.settings import Settings
from services.console.base import Meant
from services.console.model import ReadModel
from services.console.web.filters import Filters
from services.console.web.health import HealthWatch
from services.console.web.needs import counted
from services.console.web.people import Person
from services.console.web.words import Words, language_of


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
        request: Request,
        person: Person,
        model: ReadModel,
        render: Render,
    ) -> None:
        self.settings, self.watch, self.filters, self.request = settings, watch, filters, request
        self.person, self.model, self._render = person, model, render
        self.words = Words(language_of(request))
        self.tenant = str(request.path_params.get("tenant", ""))
        self.form: dict[str, str] = getattr(request.state, "form", {})

    @property
    def about(self) -> Meant:
        """The installation and the tenant, as commands have them."""
        return Meant(self.settings, self.tenant)

    def page(self, name: str, status: int = 200, **more: Any) -> Response:
        """A template with what all pages of a person have in common."""
        needs = counted(self.model, self.tenant) if self.tenant else 0
        known: dict[str, Any] = {"person": self.person, "tenant": self.tenant, "needs": needs}
        return self._render(self.request, name, status, **(known | more))

    def absent(self, words: str) -> Response:
        """A page that says that something is not there."""
        return self.page("message.html", 404, title=words, words="")
