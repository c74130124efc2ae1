"""The page at `/`: lists the records and lets a person change one, by the operations that serve the
API."""

from collections.abc import Callable
from itertools import islice
from typing import Final
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from simulators.chargebee.calls import Call
from simulators.chargebee.errors import ApiError, not_found
from simulators.chargebee.page_forms import ACTIONS, NEW, Action, Texts
from simulators.chargebee.page_views import COLUMNS, details, table_of, words
from simulators.chargebee.params import nest
from simulators.chargebee.site import Actor, Row, Site
from simulators.page import (
    Html,
    button,
    form,
    heading,
    is_same_origin,
    join,
    link,
    note,
    paragraph,
    path,
    reply,
    search,
)

PERSON: Final = Actor(user="person@example.com", source="admin_console")
RECENT: Final = 15
MOST: Final = 500
_TITLE: Final = "Chargebee, simulated"
_LINKS: Final = {
    "Overview": "/",
    **{f"{words(kind)}s": f"/{kind}s" for kind in COLUMNS},
    **{action.title: f"/new/{action.kind}" for action in NEW},
}
_NEW_BY_KIND: Final = {action.kind: action for action in NEW}


class Pages:
    """The pages of one site. `on_change` is called after each change."""

    def __init__(self, site: Site, on_change: Callable[[], None]) -> None:
        self._site = site
        self._on_change = on_change

    def routes(self) -> list[Route]:
        kinds = (*COLUMNS, "item_price")
        return [
            Route("/", self._overview),
            Route("/new/{kind}", self._new, methods=["GET", "POST"]),
            *(Route(f"/{kind}s", self._listing, name=kind) for kind in COLUMNS),
            *(
                Route(f"/{kind}s/{{id}}", self._record, methods=["GET", "POST"], name=kind)
                for kind in kinds
            ),
            *(
                Route(f"/{kind}s/{{id}}/{{action}}", self._record, methods=["POST"], name=kind)
                for kind in kinds
            ),
        ]

    async def _overview(self, request: Request) -> Response:
        parts = [
            paragraph("Changes made here count as made by a person: events and webhooks follow.")
        ]
        for kind in COLUMNS:
            count = sum(1 for _ in self._rows(kind))
            title = join((link(f"/{kind}s", f"{words(kind)}s"), f"({count})"), " ")
            parts += [
                heading(title, kind),
                table_of(self._site, kind, islice(self._rows(kind), RECENT)),
            ]
        return reply(_TITLE, join(parts), _LINKS)

    async def _listing(self, request: Request) -> Response:
        kind = request.url.path.strip("/").removesuffix("s")
        wanted = request.query_params.get("q", "")
        rows = list(
            islice((row for row in self._rows(kind) if wanted.lower() in str(row).lower()), MOST)
        )
        parts = (search(request.url.path, wanted), table_of(self._site, kind, rows))
        return reply(f"{words(kind)}s ({len(rows)})", join(parts), _LINKS)

    async def _record(self, request: Request) -> Response:
        kind = request.url.path.split("/")[1].removesuffix("s")
        id_ = request.path_params["id"]
        row = self._site.tables[kind].find(id_)
        if row is None:
            return reply("Not found", note(not_found(kind, id_).message, "error"), _LINKS, 404)
        if request.method == "GET":
            said = request.query_params.get("said")
            return self._shown(kind, row, note(said) if said else Html(""))
        name = request.path_params.get("action", "")
        action = next(
            (a for a in ACTIONS if (a.kind, a.name) == (kind, name) and a.is_offered(row)), None
        )
        if action is None:
            return self._shown(kind, row, note("That is not possible now.", "error"), 409)
        texts = await _texts(request)
        try:
            said = self._perform(action, row, texts, request)
        except ApiError as error:
            return self._shown(
                kind, row, note(error.message, "error"), error.status, {action.name: texts}
            )
        return _redirect(path(f"{kind}s", id_), said)

    async def _new(self, request: Request) -> Response:
        action = _NEW_BY_KIND.get(request.path_params["kind"])
        if action is None:
            return reply("Not found", note("There is no such form.", "error"), _LINKS, 404)
        texts, said, status = None, Html(""), 200
        if request.method == "POST":
            texts = await _texts(request)
            try:
                made = self._made(action, texts, request)
                return _redirect(path(f"{action.kind}s", made), "Made.")
            except ApiError as error:
                said, status = note(error.message, "error"), error.status
        body = join((said, form(request.url.path, action.fields({}, texts), action.title)))
        return reply(action.title, body, _LINKS, status)

    def _made(self, action: Action, texts: Texts, request: Request) -> str:
        _refuse_foreign(request)
        call = Call(self._site, nest(action.params(action, {}, texts).items()), (), PERSON)
        try:
            return str(action.operation(call)[action.kind]["id"])
        finally:
            self._on_change()

    def _perform(self, action: Action, row: Row, texts: Texts, request: Request) -> str:
        """Send what changed and say how it went. Raises ApiError."""
        _refuse_foreign(request)
        params = action.params(action, row, texts)
        if action.needs_params and not params:
            return "Nothing was changed."
        try:
            action.operation(Call(self._site, nest(params.items()), (row["id"],), PERSON))
        finally:
            self._on_change()
        return "Saved."

    def _shown(
        self,
        kind: str,
        row: Row,
        said: Html,
        status: int = 200,
        typed: dict[str, Texts] | None = None,
    ) -> Response:
        parts = [said]
        for action in ACTIONS:
            if action.kind == kind and action.is_offered(row):
                parts += _form_of(action, row, (typed or {}).get(action.name))
        parts.append(details(self._site, kind, row))
        return reply(f"{words(kind)} {row['id']}", join(parts), _LINKS, status)

    def _rows(self, kind: str) -> list[Row]:
        """The rows of one kind, last changed first."""
        return sorted(
            self._site.tables[kind].rows(), key=lambda row: row["resource_version"], reverse=True
        )


def _form_of(action: Action, row: Row, typed: Texts | None) -> list[Html]:
    target = path(f"{action.kind}s", row["id"], *([action.name] if action.name else []))
    if not action.inputs:
        return [button(target, action.title)]
    return [heading(action.title, action.name), form(target, action.fields(row, typed), "Save")]


def _refuse_foreign(request: Request) -> None:
    if not is_same_origin(request.headers):
        raise ApiError(403, "request_blocked", "The form was sent from another site")


async def _texts(request: Request) -> Texts:
    # A browser ends the lines of a text area with CR LF.
    pairs = parse_qsl((await request.body()).decode(errors="replace"), keep_blank_values=True)
    return {name: value.replace("\r\n", "\n") for name, value in pairs}


def _redirect(url: str, said: str) -> Response:
    return RedirectResponse(f"{url}?{urlencode({'said': said})}", 303)
