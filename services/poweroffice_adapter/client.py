"""Go's API v2 over HTTP: tokens, paging, JSON Patch, and errors that say what to do next."""

import asyncio
import base64
import json
import math
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from decimal import Decimal
from typing import Any

import httpx
import msgspec

from contracts.settings import PowerOfficeSettings
from runtime.vendor import READ, Method, NotFound, Refused, Retriable, Unauthorised, VendorHttp

PAGE_SIZE, MAX_PAGE_SIZE = 5000, 20_000  # ResourceParameters of the Go OpenAPI description
RENEW_BEFORE_S = 60.0
WRITE_GRACE_S = 30.0  # a write may use the token of the read before it so much longer
DEFAULT_EXPIRY_S = 600.0
_PRIVILEGES = {
    "customers": "Customer", "products": "Product", "productgroups": "Product", "salesorders": "SalesOrders",
    "outgoinginvoices": "OutgoingInvoice", "clientintegrationinformation": "any",
}  # fmt: skip

Row = Mapping[str, Any]
_encoder = msgspec.json.Encoder(decimal_format="number")
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_counted: ContextVar[list[int] | None] = ContextVar("poweroffice_calls", default=None)


class Forbidden(Unauthorised):
    """403: the token lacks the privilege for one path, or the Go client lacks the module behind it."""

    def __init__(self, message: str, path: str) -> None:
        super().__init__(message, code="http_403")
        self.path = path


@contextmanager
def counting() -> Iterator[list[int]]:
    """Counts the requests made inside, tokens left out; the count is the only element of the list."""
    count = [0]
    token = _counted.set(count)
    try:
        yield count
    finally:
        _counted.reset(token)


def decoded(content: bytes) -> Any:
    """JSON with exact numbers. Half a surrogate pair, which no text may hold, becomes U+FFFD. Raises ValueError."""
    try:
        body = json.loads(content, parse_float=Decimal)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    return _encodable(body) if _SURROGATE.search(content) else body


def _encodable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_encodable(each) for each in value]
    if isinstance(value, dict):
        return {_encodable(key): _encodable(each) for key, each in value.items()}
    return value


class PowerOfficeClient:
    """One Go client (company). Shares `http`, and so the rate limiter, with the others of its subscription
    key.

    All calls raise Retriable, Refused (NotFound for 404), Forbidden for 403 and Unauthorised. `clock` gives
    seconds.
    """

    def __init__(
        self, settings: PowerOfficeSettings, http: VendorHttp, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings, self._http, self._clock = settings, http, clock
        self._token: str | None = None
        self._renew_at = self._grace_s = 0.0
        self._token_lock = asyncio.Lock()

    async def get(self, path: str, *, priority: int = READ, params: Mapping[str, str] | None = None) -> Any:
        """The body, None for 204."""
        return await self._call("GET", path, priority=priority, params=params)

    async def rows(self, path: str, *, priority: int = READ, params: Mapping[str, str] | None = None) -> list[Row]:
        """One page of a list; 204 is an empty one."""
        rows = await self.get(path, priority=priority, params=params)
        if rows is None:
            return []
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise Retriable(f"GET {path}: a list of objects was expected")
        return rows

    async def post(self, path: str, body: Mapping[str, Any], *, priority: int) -> Any:
        """The body of the answer to a POST; numbers are written from Decimal exactly."""
        return await self._call("POST", path, priority=priority, content=_encoder.encode(body))

    async def patch(self, path: str, operations: Sequence[Mapping[str, Any]], *, priority: int) -> Any:
        """The record as Go returns it after a JSON Patch."""
        return await self._call("PATCH", path, priority=priority, content=_encoder.encode(operations))

    async def delete(self, path: str, *, priority: int) -> None:
        """Remove a record; Go answers 200 or 204. Raises NotFound when it is gone already."""
        await self._call("DELETE", path, priority=priority)

    async def pages(
        self, path: str, *, start: Callable[[], int], priority: int = READ,
        params: Mapping[str, str] | None = None, size: int = PAGE_SIZE,
    ) -> AsyncIterator[tuple[int, list[Row]]]:  # fmt: skip
        """Pages of a list, each with the number `start` gave when its reading began; ends at 204 or a short
        page.

        Sorted by Id unless `params` order otherwise, since pages are no snapshot and rows that change would
        move.
        """
        asked = {"OrderBy": "Id", "PageSize": str(size), **(params or {})}
        page = 1
        while True:
            number = start()
            rows = await self.rows(path, priority=priority, params={**asked, "PageNumber": str(page)})
            if not rows:
                return
            yield number, rows
            if len(rows) < size:
                return
            page += 1

    async def identity(self) -> tuple[str, str]:
        """ClientId and ClientName of the company the keys belong to; the cheapest probe."""
        found = await self.get("/ClientIntegrationInformation")
        names = {key.lower(): value for key, value in found.items()} if isinstance(found, dict) else {}
        return str(names.get("clientid") or ""), str(names.get("clientname") or "")

    async def _call(
        self, method: Method, path: str, *, priority: int, params: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> Any:  # fmt: skip
        for attempt in (1, 2):
            token = await self._bearer(priority, writes=method != "GET")
            answer = await self._send(method, path, priority, token, params, content)
            if answer.status_code != 401:
                return _result(method, path, answer)
            if attempt == 1 and self._token == token:
                self._token = None
        raise Unauthorised(f"{method} {path}: 401 with a new token; check the keys of PowerOffice Go", code="http_401")

    async def _send(
        self, method: Method, path: str, priority: int, token: str, params: Mapping[str, str] | None,
        content: bytes | None,
    ) -> httpx.Response:  # fmt: skip
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json", **self._subscription()}
        if content is not None:
            headers["Content-Type"] = "application/json-patch+json" if method == "PATCH" else "application/json"
        if (count := _counted.get()) is not None:
            count[0] += 1
        url = self._settings.api_url + path
        return await self._http.send(
            method,
            url,
            priority=priority,
            headers=headers,
            params=dict(params) if params else None,
            content=content,
        )

    def _subscription(self) -> dict[str, str]:
        return {"Ocp-Apim-Subscription-Key": self._settings.subscription_key.get_secret_value()}

    async def _bearer(self, priority: int, *, writes: bool) -> str:
        """A token; for a write that of the read which guards it, so that nothing is waited for in between."""
        if self._token is not None and self._clock() < self._renew_at + self._grace_s * writes:
            return self._token
        async with self._token_lock:
            if self._token is None or self._clock() >= self._renew_at:
                await self._fetch_token(priority)
            assert self._token is not None
            return self._token

    async def _fetch_token(self, priority: int) -> None:
        settings = self._settings
        pair = f"{settings.application_key.get_secret_value()}:{settings.client_key.get_secret_value()}"
        headers = {
            "Authorization": "Basic " + base64.b64encode(pair.encode()).decode(),
            "Content-Type": "application/x-www-form-urlencoded",
            **self._subscription(),
        }
        asked_at = self._clock()
        try:
            answer = await self._http.send(
                "POST", settings.token_endpoint, priority=priority, headers=headers,
                content=b"grant_type=client_credentials",
            )  # fmt: skip
        except Retriable as error:
            # A token written twice changes nothing: the command that waits for it has not been sent.
            raise Retriable(f"token: {error}", retry_after_s=error.retry_after_s) from error
        body = _object(answer)
        if answer.status_code >= 400:
            if not body and answer.status_code not in (401, 403):
                # A page of something in front of Go says nothing of the keys.
                raise Retriable(f"token: {answer.status_code} without a readable body")
            reason = str(body.get("error") or body.get("message") or answer.status_code)
            code = str(body.get("error") or f"token_http_{answer.status_code}")
            raise Unauthorised(
                f"PowerOffice Go refuses the keys ({reason}); check all three and the environment", code=code
            )
        token, lifetime_s = body.get("access_token"), _lifetime_s(body.get("expires_in"))
        if not (isinstance(token, str) and token.isascii() and token.isprintable() and token.strip()):
            raise Retriable("token: the answer holds none that can be used")
        before_s = min(RENEW_BEFORE_S, lifetime_s / 2)
        self._token, self._renew_at = token, asked_at + lifetime_s - before_s
        self._grace_s = min(WRITE_GRACE_S, before_s / 2)


def _lifetime_s(expires_in: Any) -> float:
    try:
        seconds = float(expires_in)
    except (TypeError, ValueError):
        return DEFAULT_EXPIRY_S
    return seconds if 0 < seconds < math.inf else DEFAULT_EXPIRY_S


def _object(answer: httpx.Response) -> dict[str, Any]:
    """A JSON object with lower-case names; empty for anything else."""
    try:
        body = decoded(answer.content)
    except ValueError:
        return {}
    return {str(key).lower(): value for key, value in body.items()} if isinstance(body, dict) else {}


def _result(method: str, path: str, answer: httpx.Response) -> Any:
    status, writes = answer.status_code, method != "GET"
    if 200 <= status < 300:
        # Only 204 says that there is nothing; an empty 200 says nothing at all. 202 and a DELETE have no body.
        if status == 204 or (not answer.content and (status == 202 or method == "DELETE")):
            return None
        try:
            body = decoded(answer.content)
        except ValueError as error:
            raise Retriable(f"{method} {path}: {status} without JSON", maybe_applied=writes) from error
        if body is None:
            raise Retriable(f"{method} {path}: {status} with null", maybe_applied=writes)
        return body
    if status == 408:
        raise Retriable(f"{method} {path}: 408", maybe_applied=writes)
    if status == 403:
        resource = path.strip("/").partition("/")[0]
        privilege = _PRIVILEGES.get(resource.lower(), resource) + ("_Full" if writes else "")
        raise Forbidden(
            f"{method} {path}: 403; grant the privilege {privilege} to the integration in PowerOffice Go, "
            "or check that the company has the module behind it",
            path,
        )
    body = _object(answer)
    if status == 404 and answer.content and not body:
        # What Go says itself is JSON; a page of something in front of it does not mean that a record is gone.
        raise Retriable(f"{method} {path}: 404 with a body that is no JSON object", maybe_applied=writes)
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
            parts.append(f"{name}: {'; '.join(map(str, each if isinstance(each, list) else [each]))}")
    return ": ".join(part for part in parts if part)[:500]
