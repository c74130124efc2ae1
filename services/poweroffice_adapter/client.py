"""Go's API v2 over HTTP: paging, JSON Patch, and errors that say what to do next."""

import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cached_property
from typing import Any, Literal

import httpx

from contracts.settings import PowerOfficeSettings
from runtime.masking import masked
from runtime.rate_limiter import READ
from runtime.transport import TURN, Turn, VendorTransport, addressed
from runtime.vendor import NotFound, Refused, Retriable, Unauthorised
from services.poweroffice_adapter.auth import GoAuth
from services.poweroffice_adapter.bodies import decoded, encoded, object_of, with_lower_names

PAGE_SIZE, MAX_PAGE_SIZE = 5000, 20_000  # ResourceParameters of the Go OpenAPI description
CHANGED = "lastChangedDateTimeOffsetGreaterThan"  # the filter of every list
_PRIVILEGES = {
    "customers": "Customer",
    "products": "Product",
    "productgroups": "Product",
    "salesorders": "SalesOrders",
    "outgoinginvoices": "OutgoingInvoice",
    "clientintegrationinformation": "any",
}

Method = Literal["GET", "POST", "PATCH", "DELETE"]
Row = Mapping[str, Any]
_CONTENT_TYPES = {"POST": "application/json", "PATCH": "application/json-patch+json"}
_counted: ContextVar[list[int] | None] = ContextVar("poweroffice_calls", default=None)


class Forbidden(Unauthorised):
    """403: the token lacks the privilege for one path, or the Go client lacks the module behind
    it."""

    def __init__(self, message: str, path: str) -> None:
        super().__init__(message, code="http_403")
        self.path = path


@contextmanager
def counting() -> Iterator[list[int]]:
    """Counts the requests made inside, tokens left out; the count is the only element of the
    list."""
    count = [0]
    token = _counted.set(count)
    try:
        yield count
    finally:
        _counted.reset(token)


class PowerOfficeClient:
    """One Go client (company). Shares `transport`, and so the rate limiter, with the others of its
    subscription key.

    All calls raise Retriable, Refused (NotFound for 404), Forbidden for 403 and Unauthorised.
    `clock` gives seconds.
    """

    def __init__(
        self,
        settings: PowerOfficeSettings,
        transport: VendorTransport,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings, self._transport = settings, transport
        self._auth = GoAuth(settings, transport, clock=clock)

    @cached_property
    def _http(self) -> httpx.AsyncClient:
        http = self._transport.client(self._auth, self._settings.api_url)
        http.event_hooks["request"].append(_count)
        return http

    async def get(
        self, path: str, *, priority: int = READ, params: Mapping[str, str] | None = None
    ) -> Any:
        """The body, None for 204."""
        return await self._call("GET", path, priority=priority, params=params)

    async def rows(
        self, path: str, *, priority: int = READ, params: Mapping[str, str] | None = None
    ) -> list[Row]:
        """One page of a list; 204 is an empty one."""
        rows = await self.get(path, priority=priority, params=params)
        if rows is None:
            return []
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise Retriable(f"GET {path}: a list of objects was expected")
        return rows

    async def post(self, path: str, body: Mapping[str, Any], *, priority: int) -> Any:
        """The body of the answer to a POST; numbers are written from Decimal exactly."""
        return await self._call("POST", path, priority=priority, content=encoded(body))

    async def patch(
        self, path: str, operations: Sequence[Mapping[str, Any]], *, priority: int
    ) -> Any:
        """The record as Go returns it after a JSON Patch."""
        return await self._call("PATCH", path, priority=priority, content=encoded(operations))

    async def delete(self, path: str, *, priority: int) -> None:
        """Remove a record; Go answers 200 or 204. Raises NotFound when it is gone already."""
        await self._call("DELETE", path, priority=priority)

    async def pages(
        self,
        path: str,
        *,
        start: Callable[[], int],
        priority: int = READ,
        params: Mapping[str, str] | None = None,
        size: int = PAGE_SIZE,
    ) -> AsyncIterator[tuple[int, list[Row]]]:
        """Pages of a list, each with the number `start` gave when its reading began; ends at 204 or
        a short page.

        Sorted by Id unless `params` order otherwise, since pages are no snapshot and rows that
        change would move.
        """
        asked = {"OrderBy": "Id", "PageSize": str(size), **(params or {})}
        page = 1
        while True:
            number = start()
            rows = await self.rows(
                path, priority=priority, params={**asked, "PageNumber": str(page)}
            )
            if not rows:
                return
            yield number, rows
            if len(rows) < size:
                return
            page += 1

    async def identity(self) -> tuple[str, str]:
        """ClientId and ClientName of the company the keys belong to; the cheapest probe."""
        held = company_of(await self.get("/ClientIntegrationInformation"))
        return str(held["clientid"]), str(held.get("clientname") or "")

    async def _call(
        self,
        method: Method,
        path: str,
        *,
        priority: int,
        params: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> Any:
        headers = {} if content is None else {"Content-Type": _CONTENT_TYPES[method]}
        with addressed(method, self._settings.api_url + path):
            answer = await self._http.request(
                method,
                path,
                params=dict(params) if params else None,
                content=content,
                headers=headers,
                extensions={TURN: Turn(priority)},
            )
        return _result(method, path, answer)


async def _count(_: httpx.Request) -> None:
    if (count := _counted.get()) is not None:
        count[0] += 1


def company_of(body: Any) -> dict[str, Any]:
    """A ClientIntegrationInformationDto with lower-case names. Raises Retriable where it has no
    ClientId, a UUID: no account is taken for another because something in front of Go answers
    `{}`."""
    held = with_lower_names(body)
    found = held.get("clientid")
    if isinstance(found, bool) or not isinstance(found, str | int) or not str(found).strip():
        raise Retriable("GET /ClientIntegrationInformation: the answer names no ClientId")
    return held


def _result(method: str, path: str, answer: httpx.Response) -> Any:
    status, writes = answer.status_code, method != "GET"
    if 200 <= status < 300:
        # Only 204 says that there is nothing; an empty 200 says nothing at all. 202 and a DELETE
        # have no body.
        if status == 204 or (not answer.content and (status == 202 or method == "DELETE")):
            return None
        try:
            body = decoded(answer.content)
        except ValueError as error:
            raise Retriable(
                f"{method} {path}: {status} without JSON", maybe_applied=writes
            ) from error
        if body is None:
            raise Retriable(f"{method} {path}: {status} with null", maybe_applied=writes)
        return body
    if status == 401:
        raise Unauthorised(
            f"{method} {path}: 401 with a new token; check the keys of PowerOffice Go",
            code="http_401",
        )
    if status == 408:
        raise Retriable(f"{method} {path}: 408", maybe_applied=writes)
    if status == 403:
        resource = path.strip("/").partition("/")[0]
        privilege = _PRIVILEGES.get(resource.lower(), resource) + ("_Full" if writes else "")
        raise Forbidden(
            f"{method} {path}: 403; grant the privilege {privilege} to the integration in "
            f"PowerOffice Go, "
            "or check that the company has the module behind it",
            path,
        )
    body = object_of(answer.content)
    if status == 404 and answer.content and not body:
        # What Go says itself is JSON; a page of something in front of it does not mean that a
        # record is gone.
        raise Retriable(
            f"{method} {path}: 404 with a body that is no JSON object", maybe_applied=writes
        )
    raise refusal(method, path, status, body)


def refusal(method: str, path: str, status: int, body: Mapping[str, Any]) -> Refused:
    """The error for a permanent refusal, with Go's words; a 404 for a POST is about a reference."""
    title = str(body.get("title") or body.get("message") or "")
    words = _words(title, body) or f"{method} {path}: {status}"
    if status == 404:
        if method == "POST":
            return Refused("reference_not_found", words, status=status)
        return NotFound("not_found", words, status=status)
    if status == 409:
        return Refused("conflict", words, status=status)
    if title.lower() == "missing privilege":
        return Refused("missing_privilege", words, status=status)
    return Refused("refused" if status == 400 else f"http_{status}", words, status=status)


def _words(title: str, body: Mapping[str, Any]) -> str:
    parts = [title, str(body.get("detail") or "")]
    errors = body.get("errors")
    if isinstance(errors, Mapping):
        for name, each in errors.items():
            parts.append(
                f"{name}: {'; '.join(map(str, each if isinstance(each, list) else [each]))}"
            )
    return masked(": ".join(part for part in parts if part))[:500]
