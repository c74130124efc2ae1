"""The page at `/`: lists the records and lets a person change one, by the operations that serve the
API."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from simulators import page
from simulators.page import Html
from simulators.poweroffice import page_forms, sending
from simulators.poweroffice.crediting import WHOLE_PERCENT, credit
from simulators.poweroffice.entries import reverse, set_balance
from simulators.poweroffice.errors import Refusal
from simulators.poweroffice.fields import Record, Schema
from simulators.poweroffice.http import Call, Client
from simulators.poweroffice.page_views import (
    KINDS,
    LINKS,
    Kind,
    details,
    edit,
    last_changed,
    missing,
    name,
    retyped,
    table,
    words,
)
from simulators.poweroffice.privileges import ALL_PRIVILEGES
from simulators.poweroffice.routes import API_PREFIX, find_route
from simulators.poweroffice.state import Go
from simulators.poweroffice.tables_sales import INVOICE, ORDER, ORDER_LINE

PERSON: Final = Client("page", "", "", "")
"""Nobody's keys: what a person makes is never `IsCreatedByCurrentIntegration`."""
TITLE: Final = "PowerOffice Go, simulated"


class Pages:
    """The pages of one company. `on_change` is called after each change."""

    def __init__(self, go: Go, on_change: Callable[[], None]) -> None:
        self._go = go
        self._on_change = on_change

    def routes(self) -> list[Route]:
        both = ["GET", "POST"]
        return [
            Route("/", self._overview),
            Route("/{kind}", self._listing),
            Route("/{kind}/new", self._new, methods=both),
            Route("/{kind}/{id}", self._record, methods=both),
            Route("/SalesOrders/{id}/Lines/new", self._new_line, methods=both),
            Route("/SalesOrders/{id}/Lines/{lineId}", self._line, methods=both),
            Route("/{kind}/{id}/{action}", self._act, methods=["POST"]),
        ]

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        """What the API's own operation answers, without token and limits. Raises Refusal."""
        sending.settle(self._go)
        found = find_route(method, f"{API_PREFIX}{path}")
        if found is None:
            raise Refusal(404, {"title": "There is no such record"})
        route, ids = found
        kind = "application/json-patch+json" if method == "PATCH" else "application/json"
        content = b"" if body is None else json.dumps(body).encode()
        url = f"http://127.0.0.1{API_PREFIX}{path}"
        reply = route.handler(
            self._go, Call(PERSON, frozenset(ALL_PRIVILEGES), ids, {}, content, kind, url)
        )
        if reply.changed:
            self._on_change()
        return reply.body

    def _path(self, kind: Kind, record: Record) -> str:
        """The path of a record in the API."""
        parent = f"/{record[kind.parent]}" if kind.parent else ""
        return f"/{kind.path}{parent}/{record['Id']}"

    def _rows(self, kind: Kind) -> list[Record]:
        return self._call("GET", f"/{kind.path}") or []

    def _found(self, kind: Kind, record_id: str) -> Record:
        found = next((row for row in self._rows(kind) if str(row["Id"]) == record_id), None)
        if found is None:
            raise Refusal(404, {"title": "There is no such record"})
        return found

    async def _overview(self, request: Request) -> Response:
        rows = [
            (page.link(f"/{kind.path}", kind.title), len(self._rows(kind)))
            for kind in KINDS.values()
        ]
        words = f"{self._go.settings.client_name}. Records changed here change as by a user of Go."
        return page.reply(
            TITLE, page.join([page.paragraph(words), page.table(("Records", "Count"), rows)]), LINKS
        )

    async def _listing(self, request: Request) -> Response:
        kind = KINDS.get(request.path_params["kind"])
        if kind is None:
            return missing()
        rows = sorted(self._rows(kind), key=last_changed, reverse=True)
        parts = [table(kind, rows)]
        if kind.path != "OutgoingInvoices":
            parts.insert(0, page.paragraph(page.link(f"/{kind.path}/new", "New")))
        return page.reply(kind.title, page.join(parts), LINKS)

    async def _record(self, request: Request) -> Response:
        kind = KINDS.get(request.path_params["kind"])
        try:
            record = self._found(kind, request.path_params["id"]) if kind else None
        except Refusal:
            record = None
        if kind is None or record is None:
            return missing()

        def save(texts: dict[str, str]) -> str:
            operations = page_forms.changes(kind.schema, record, texts)
            if operations:
                self._call("PATCH", self._path(kind, record), operations)
            return f"/{kind.path}/{record['Id']}"

        def shown(texts: dict[str, str] | None, note: Html) -> Html:
            return page.join([note, *self._parts(kind, record, texts)])

        return await self._form(request, f"{kind.title}: {name(kind, record)}", save, shown)

    def _parts(self, kind: Kind, record: Record, texts: dict[str, str] | None) -> list[Html]:
        where = f"/{kind.path}/{record['Id']}"
        if kind.schema is INVOICE:
            paid = page.Field("balance", page_forms.as_text(record["Balance"]), "Unpaid amount")
            lines = self._call("GET", f"{where}/Lines") or []
            names = (
                "Description",
                "Quantity",
                "ProductUnitPrice",
                "NetAmount",
                "VatAmount",
                "TotalAmount",
            )
            rows = [[line[name] for name in names] for line in lines]
            percent = page.Field("percent", f"{WHOLE_PERCENT:g}", "Percent to credit")
            return [
                page.form(f"{where}/balance", [paid], "Book"),
                page.button(f"{where}/balance", "Register payment in full", {"balance": "0"}),
                page.form(f"{where}/credit", [percent], "Make a credit note draft"),
                page.button(
                    f"{where}/credit", "Credit in full at once", {"percent": "100", "send": "true"}
                ),
                page.button(f"{where}/reverse", "Reverse"),
                page.table(names, rows),
                details(kind.schema, record),
            ]
        parts = [edit(where, kind.schema, record, texts)]
        if kind.schema is ORDER:
            parts = [
                *self._order_parts(where),
                *parts,
                page.button(f"{where}/send", "Send as invoice"),
            ]
        return [*parts, page.button(f"{where}/delete", "Delete"), details(kind.schema, record)]

    def _order_parts(self, where: str) -> list[Html]:
        lines = self._call("GET", f"{where}/Lines") or []
        names = (
            "Description",
            "ProductCode",
            "Quantity",
            "ProductUnitPrice",
            "Allowance",
            "NetAmount",
            "TotalAmount",
        )
        rows = [
            [page.link(f"{where}/Lines/{one['Id']}", "Edit"), *(one[name] for name in names)]
            for one in lines
        ]
        return [
            page.table(("", *names), rows),
            page.paragraph(page.link(f"{where}/Lines/new", "New line")),
        ]

    async def _line(self, request: Request) -> Response:
        order = f"/SalesOrders/{request.path_params['id']}"
        where = f"{order}/Lines/{request.path_params['lineId']}"
        try:
            line = self._call("GET", where)
        except Refusal:
            return missing()

        def save(texts: dict[str, str]) -> str:
            if texts.get("action") == "delete":
                self._call("DELETE", where)
            elif operations := page_forms.changes(ORDER_LINE, line, texts):
                self._call("PATCH", where, operations)
            return order

        def shown(texts: dict[str, str] | None, note: Html) -> Html:
            gone = page.button(where, "Delete", {"action": "delete"})
            return page.join(
                [note, edit(where, ORDER_LINE, line, texts), gone, details(ORDER_LINE, line)]
            )

        return await self._form(request, "Order line", save, shown)

    async def _new_line(self, request: Request) -> Response:
        order = f"/SalesOrders/{request.path_params['id']}"
        return await self._made(
            request, "New line", ORDER_LINE, lambda _: f"{order}/Lines", lambda _: order
        )

    async def _new(self, request: Request) -> Response:
        kind = KINDS.get(request.path_params["kind"])
        if kind is None or kind.schema is INVOICE:
            return missing()

        def target(texts: dict[str, str]) -> str:
            parent = f"/{texts.get(kind.parent, '')}" if kind.parent else ""
            return f"/{kind.path}{parent}{kind.posts_to}"

        def after(made: Record) -> str:
            return f"/{kind.path}/{made['Id']}"

        return await self._made(
            request, f"New: {kind.title}", kind.schema, target, after, kind.parent
        )

    async def _made(
        self,
        request: Request,
        title: str,
        schema: Schema,
        target: Callable[[dict[str, str]], str],
        after: Callable[[Record], str],
        parent: str = "",
    ) -> Response:
        def save(texts: dict[str, str]) -> str:
            return after(self._call("POST", target(texts), page_forms.body(schema, texts)))

        def shown(texts: dict[str, str] | None, note: Html) -> Html:
            fields = page_forms.fields_of(schema, schema.blank(), "P")
            fields = [page.Field(parent), *fields] if parent else fields
            return page.join([note, page.form(request.url.path, retyped(fields, texts), "Create")])

        return await self._form(request, title, save, shown)

    async def _act(self, request: Request) -> Response:
        kind, action = KINDS.get(request.path_params["kind"]), request.path_params["action"]
        if kind is None:
            return missing()

        def act(texts: dict[str, str]) -> str:
            record = self._found(kind, request.path_params["id"])
            where = self._path(kind, record)
            if action == "delete":
                self._call("DELETE", where)
            elif action == "send" and kind.schema is ORDER:
                self._call("POST", f"{where}/createAndSendInvoice", {})
                is_sent = str(record["Id"]) in self._go.invoices
                return f"/OutgoingInvoices/{record['Id']}" if is_sent else where
            elif action == "balance" and kind.schema is INVOICE:
                set_balance(self._go, str(record["Id"]), _number(texts["balance"]))
                self._on_change()
                return where
            elif action == "reverse" and kind.schema is INVOICE:
                reverse(self._go, str(record["Id"]))
                self._on_change()
                return where
            elif action == "credit" and kind.schema is INVOICE:
                is_sent = texts.get("send") == "true"
                made = credit(
                    self._go, str(record["Id"]), _number(texts["percent"]), is_sent=is_sent
                )
                self._on_change()
                return f"/{'OutgoingInvoices' if is_sent else 'SalesOrders'}/{made['Id']}"
            return f"/{kind.path}"

        return await self._form(request, kind.title, act, lambda _, note: note)

    async def _form(
        self,
        request: Request,
        title: str,
        save: Callable[[dict[str, str]], str],
        shown: Callable[[dict[str, str] | None, Html], Html],
    ) -> Response:
        """Show a form, or take it: on to the address that `save` gives, or the form again with the
        refusal."""
        if request.method != "POST":
            return page.reply(title, shown(None, Html("")), LINKS)
        if not page.is_same_origin(request.headers):
            return page.reply(
                title, page.note("This form came from another site.", "error"), LINKS, 403
            )
        texts = dict(
            parse_qsl((await request.body()).decode("utf-8", "replace"), keep_blank_values=True)
        )
        try:
            return RedirectResponse(save(texts), 303)
        except (Refusal, ValueError, KeyError) as error:
            return page.reply(title, shown(texts, page.note(words(error), "error")), LINKS, 400)


def _number(text: str) -> float:
    return float(text.replace(",", "."))
