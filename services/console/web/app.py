"""The routes of the page, and what stands before each: who asks, and whether the form is ours."""

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qsl

import jinja2
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contracts import asyncapi, schema
from contracts.asyncapi import types_of
from contracts.said import sentences_of
from contracts.settings import Settings
from contracts.signals import OfOperator, Replay
from contracts.topics import TOPICS
from runtime.clock import utc_now
from runtime.harmless import harmless
from runtime.kafka import AWAY
from runtime.requests import whole_body
from runtime.version import version
from services.console.base import NotFound
from services.console.model import ReadModel
from services.console.web import (
    acts,
    held_pages,
    live,
    month_pages,
    needs_pages,
    replays,
    run_pages,
    views,
)
from services.console.web.asked import Asked
from services.console.web.doctor_page import Doctor
from services.console.web.filters import Filters
from services.console.web.health import HealthWatch
from services.console.web.outside import Outside
from services.console.web.people import COOKIE, SESSION_S, People
from services.console.web.taken import TakenThings
from services.console.web.words import COOKIE as LANGUAGE
from services.console.web.words import LOCALES, Words, language_of

HERE = Path(__file__).parent
BODY_MAX = 64_000  # bytes of a form
SECURITY = {
    "content-security-policy": "default-src 'none'; style-src 'self'; script-src 'self'; "
    "img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
}
Page = Callable[[Asked], Awaitable[Response]]


class Model(Protocol):
    """Where the read model is found; None while it is not level with the topics yet."""

    def __call__(self) -> ReadModel | None: ...


class WebConsole:
    """The page of one installation. `model` gives the read model, `outside` does what is not read
    from it."""

    def __init__(
        self, settings: Settings, model: Model, outside: Outside, watch: HealthWatch
    ) -> None:
        self.settings, self.model, self.outside, self.watch = settings, model, outside, watch
        self.people = People(settings.console)
        self._doctor = Doctor(outside.diagnose)
        self._filters = Filters(Path(settings.console.data))
        self._taken = TakenThings(Path(settings.console.data))
        self._templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            finalize=_harmless,
        )

    def app(self) -> Starlette:
        """The application; it serves everything below `/`."""
        pages: list[tuple[str, Page]] = [
            ("/", views.home),
            ("/{tenant}/", views.overview),
            ("/{tenant}/needs", needs_pages.needs),
            ("/{tenant}/needs.csv", needs_pages.needs_csv),
            ("/{tenant}/records/{number:int}", views.record),
            ("/{tenant}/held", held_pages.held),
            ("/{tenant}/held/sign-off.html", held_pages.sheet_html),
            ("/{tenant}/held/sign-off.csv", held_pages.sheet_csv),
            ("/{tenant}/held/plan.csv", held_pages.changes_csv),
            ("/{tenant}/month", month_pages.month),
            ("/{tenant}/month.csv", month_pages.month_csv),
            ("/{tenant}/month.html", month_pages.month_html),
            ("/{tenant}/runs", run_pages.runs),
            ("/{tenant}/runs/{run}.csv", run_pages.run_csv),
            ("/{tenant}/runs/{run}.html", run_pages.run_html),
            ("/{tenant}/runs/{run}", run_pages.run),
            ("/{tenant}/activity", views.activity),
            ("/{tenant}/letters", views.letters),
            ("/{tenant}/settings", views.settings),
        ]
        routes: list[Route | Mount] = [
            Route("/asyncapi", self._topics),
            Route("/asyncapi.json", _document),
            Route("/asyncapi/schemas/{name}.json", _schema),
            Mount("/static", StaticFiles(directory=HERE / "static")),
            Route("/login", self._login, methods=["GET", "POST"]),
            Route("/logout", self._form(self._logout), methods=["POST"]),
            Route("/language", self._language, methods=["POST"]),
            Route("/live", self._asked(live.stream)),
            Route("/{tenant}/records", self._asked(views.records), methods=["GET"]),
            Route("/{tenant}/records", self._form(views.records), methods=["POST"]),
            Route("/{tenant}/filters", self._form(views.keep_filter), methods=["POST"]),
            Route("/{tenant}/take", self._form(needs_pages.take), methods=["POST"]),
            Route("/{tenant}/take/end", self._form(needs_pages.let_go), methods=["POST"]),
            Route("/{tenant}/filters/delete", self._form(views.drop_filter), methods=["POST"]),
            Route("/{tenant}/doctor", self._asked(self._doctor.show), methods=["GET"]),
            Route("/{tenant}/doctor", self._form(self._doctor.check), methods=["POST"]),
            Route("/{tenant}/act/{kind}", self._form(self._act), methods=["POST"]),
            *(Route(path, self._asked(page)) for path, page in pages),
        ]
        return Starlette(routes=routes, middleware=[Middleware(_Secured)])

    async def _topics(self, request: Request) -> Response:
        """The topics and their messages, for whoever writes a consumer; nothing of a tenant."""
        held = [(topic, [each.__name__ for each in types_of(topic)]) for topic in TOPICS]
        return self.page(request, "asyncapi.html", topics=held, names=schema.TYPES)

    # -- what stands before a page

    def _asked(self, page: Page) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            person = self.people.of(request)
            if person is None:
                return RedirectResponse("/login", 303)
            if (model := self.model()) is None:
                return self.page(
                    request,
                    "message.html",
                    503,
                    title="The topics are being read",
                    words="This page shows them in a moment.",
                )
            asked = Asked(
                self.settings,
                self.watch,
                self._filters,
                self._taken,
                request,
                person,
                model,
                self.page,
            )
            if asked.tenant and asked.tenant not in self.settings.tenants:
                return self.page(
                    request, "message.html", 404, title="There is no such tenant", words=""
                )
            try:
                return await page(asked)
            except AWAY as error:
                title, words = "Kafka cannot be used now", f"{type(error).__name__}: {error}"
                return asked.page("message.html", 503, title=title, words=words)

        return answer

    def _form(self, page: Page) -> Callable[[Request], Awaitable[Response]]:
        """A page that takes a form: one that this page made for this session."""

        async def answer(request: Request) -> Response:
            if (form := await _form_of(request)) is None:
                return PlainTextResponse("the form is too long\n", 413)
            request.state.form = form
            own = self.people.is_own_form(request, form.get("csrf", ""))
            if self.people.of(request) is not None and not (own and _same_site(request)):
                return self.page(
                    request,
                    "message.html",
                    403,
                    title="The form was not sent from this page",
                    words="Load the page again and send it once more.",
                )
            return await self._asked(page)(request)

        return answer

    def page(self, request: Request, name: str, status: int = 200, **more: Any) -> Response:
        """A template, in the language of the person."""
        words = Words(language_of(request))
        known: dict[str, Any] = {
            "_": words,
            "words_of": words,
            "csrf": self.people.csrf(request),
            "person": None,
            "tenant": "",
            "needs": 0,
            "still": False,  # a page that looks at every link is not made anew at each change
            "tenants": sorted(self.settings.tenants),
            "path": request.url.path,
            "languages": list(LOCALES),
            "flash": request.query_params.get("done", ""),
        }
        text = self._templates.get_template(name).render(known | more)
        return HTMLResponse(text, status)

    # -- logging in and out, and the language

    async def _login(self, request: Request) -> Response:
        if not self.people.anybody:
            return self.page(request, "login.html", 503, open=False, wrong="")
        if request.method == "GET":
            return self.page(request, "login.html", open=True, wrong="")
        form = await _form_of(request)
        if form is None or not _same_site(request):
            return self.page(request, "login.html", 403, open=True, wrong="Try again")
        if self.people.too_many():
            wrong = "Too many logins failed; wait a minute"
            return self.page(request, "login.html", 429, open=True, wrong=wrong)
        person = self.people.login(form.get("name", "").strip(), form.get("password", ""))
        if person is None:
            wrong = "Name and password do not fit"
            return self.page(request, "login.html", 401, open=True, wrong=wrong)
        answer = RedirectResponse("/", 303)
        self._cookie(answer, COOKIE, self.people.session(person), SESSION_S)
        return answer

    async def _logout(self, _asked: Asked) -> Response:
        answer = RedirectResponse("/login", 303)
        answer.delete_cookie(COOKIE)
        return answer

    async def _language(self, request: Request) -> Response:
        form = await _form_of(request) or {}
        answer = RedirectResponse(_own_path(form.get("back", "/")), 303)
        if form.get("language") in LOCALES:
            self._cookie(answer, LANGUAGE, form["language"], 365 * 24 * 3600)
        return answer

    def _cookie(self, answer: Response, name: str, value: str, seconds: int) -> None:
        secure = self.settings.console.https
        answer.set_cookie(
            name, value, max_age=seconds, httponly=True, samesite="strict", secure=secure
        )

    # -- what a person decides

    async def _act(self, asked: Asked) -> Response:
        kind, form = str(asked.request.path_params["kind"]), asked.form
        back = _own_path(form.get("back", f"/{asked.tenant}/"))
        if not asked.person.may(kind):
            words = "Your role may not do this"
            return asked.page("message.html", 403, title=words, words=asked.person.role)
        try:
            said = await self._said(asked, kind, form)
        except ValueError as error:
            return asked.refused("This cannot be sent", error)
        except NotFound as error:
            return asked.refused("It is not there", error, 404, back=back)
        return await self._told(asked, said, back)

    async def _said(self, asked: Asked, kind: str, form: Mapping[str, str]) -> OfOperator:
        """The signal of a form; messages of dead letters are sent again before it."""
        model, tenant = asked.model, asked.tenant
        if kind == Replay.KIND:
            settings, ranges_of = self.settings.tenants[tenant], self.outside.ranges_of
            return await replays.meant(model, tenant, settings, form, ranges_of, utc_now())
        meant = acts.meaning(model, tenant, kind, form, self.settings.kafka.topic_prefix)
        if meant.again:
            await self.outside.send_again(meant.again)
        return meant.said

    async def _told(self, asked: Asked, said: OfOperator, back: str) -> Response:
        """Send a signal of this person, and say what the linker answers."""
        answer = await self.outside.send(asked.tenant, said, asked.person.name)
        if answer is None:
            words = "Sent; the linker has not taken it yet, it will when it runs"
            return asked.page("message.html", 202, title=words, words="", back=back)
        if answer.get("result") == "refused":
            words = asked.words.said(
                sentences_of(answer.get("said")), str(answer.get("reason", ""))
            )
            return asked.page("message.html", 409, title="Refused", words=words, back=back)
        if "run" in answer:
            back = f"/{asked.tenant}/runs/{answer['run']}"
        return RedirectResponse(f"{back}?done=1", 303)


async def _document(_request: Request) -> Response:
    return Response(asyncapi.text(version()), media_type="application/json")


async def _schema(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in schema.TYPES:
        return PlainTextResponse(f"there are: {', '.join(schema.TYPES)}\n", 404)
    return Response(schema.text(name), media_type="application/schema+json")


def _harmless(value: object) -> object:
    return harmless(value, keep="\n\t") if type(value) is str else value


async def _form_of(request: Request) -> dict[str, str] | None:
    """The fields of a form; None where it is longer than BODY_MAX."""
    if (body := await whole_body(request, BODY_MAX)) is None:
        return None
    text = body.decode("utf-8", "replace")
    return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=2000))


def _same_site(request: Request) -> bool:
    """Whether the browser says that the form came from this page; old ones say nothing."""
    return request.headers.get("sec-fetch-site", "same-origin") in ("same-origin", "none")


def _own_path(given: str) -> str:
    """A path on this page; anything else leads to its beginning."""
    path = given.partition("?")[0]
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) else "/"


class _Secured:
    """Puts the security headers on every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept = [(k, v) for k, v in message["headers"] if k not in _SECURED]
                message["headers"] = [*kept, *_SECURED.items()]
            await send(message)

        await self._app(scope, receive, sending if scope["type"] == "http" else send)


_SECURED: Mapping[bytes, bytes] = {k.encode(): v.encode() for k, v in SECURITY.items()}
