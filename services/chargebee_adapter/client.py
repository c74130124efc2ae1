"""Calls to Chargebee's API v2: Basic auth, form bodies, paging, and errors by what to do next."""

import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from copy import copy
from decimal import Decimal
from functools import cached_property, partial
from typing import Any
from urllib.parse import quote, urlencode

import httpx

from contracts.settings import ChargebeeSettings
from runtime import exact_json
from runtime.masking import hide_chargebee
from runtime.rate_limiter import READ
from runtime.transport import TURN, Turn, VendorTransport, addressed
from runtime.vendor import NotFound, Refused, Retriable, Unauthorised, VendorError
from services.chargebee_adapter.addresses import Resource, unaddressable

BURST = 10.0  # requests at once, above the rate
PAGE = 100  # the greatest `limit` of every list
Raw = dict[str, Any]
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
decoded = partial(exact_json.decoded, max_digits=40)


def form(params: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Pairs of a form body: `a[b]=..` for tables, `a[b][0]=..` for lists of tables, `a[0]=..` for
    lists of values.

    None becomes an empty value, which clears a field; leave a key out to leave the field alone.
    """
    return [pair for name, value in params.items() for pair in _pairs(name, value)]


def _pairs(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _pairs(f"{name}[{key}]", inner)
    elif isinstance(value, list | tuple):
        for index, element in enumerate(value):
            if isinstance(element, Mapping):
                for key, inner in element.items():
                    yield f"{name}[{key}][{index}]", _scalar(inner)
            else:
                yield f"{name}[{index}]", _scalar(element)
    else:
        yield name, _scalar(value)


def _scalar(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def any_of(values: Sequence[str]) -> str:
    """The value of an `[in]` filter, spelled as a JSON array so that commas in ids stay inside
    them."""
    return json.dumps(list(values), ensure_ascii=False)


def path(resource: Resource, record_id: str, *action: str) -> str:
    """The path of a record, its id percent-encoded but for `/`, as the vendor's own SDK sends it.
    Raises Refused for an id that cannot be addressed."""
    if (problem := unaddressable(resource, record_id)) is not None:
        raise Refused.of(problem)
    return "/".join(("", resource, quote(record_id), *action))


def account(settings: ChargebeeSettings) -> str:
    """What names the account behind the key: the site, whose name no answer of the API has to
    tell."""
    return settings.site or str(settings.base_url)


class ChargebeeClient:
    """Reads and writes of one site.

    Every call raises Retriable, Unauthorised (401, 403, unknown site), NotFound (404) or Refused.
    `calls` counts the requests of this client, `writes` those that changed something, each of which
    `on_write(kind, record)` is told; `at` gives a client with its own counts and priority on the
    same connections.
    """

    def __init__(
        self, settings: ChargebeeSettings, transport: VendorTransport, *, priority: int = READ
    ) -> None:
        self._settings, self._transport, self._priority = settings, transport, priority
        hide_chargebee(settings)
        self._begin()

    def _begin(self) -> None:
        self.calls = self.writes = self._reserved = 0
        self._placed = False
        self.on_write: Callable[[str, Raw], None] = lambda kind, record: None

    @cached_property
    def _http(self) -> httpx.AsyncClient:
        # Bytes of the environment that are no UTF-8 stay what they are: Chargebee refuses the key,
        # not this process.
        key = self._settings.api_key.get_secret_value().encode("utf-8", "surrogatepass")
        return self._transport.client(httpx.BasicAuth(key, b""), self._settings.api_url)

    def at(self, priority: int) -> "ChargebeeClient":
        """The same site at another priority, counting from zero."""
        client = copy(self)
        client._priority = priority
        client._begin()
        return client

    @asynccontextmanager
    async def reserved(self, calls: int) -> AsyncIterator[None]:
        """Wait at the limiter for the next calls, and for a connection, before the first of them,
        so that a write follows the read that guards it without a wait in between. What is not used
        is given back."""
        limiter = self._transport.limiter
        try:
            while self._reserved < calls:
                await self._transport.turn(self._priority)
                self._reserved += 1
            async with self._transport.places:
                self._placed = True
                yield
        finally:
            self._placed = False
            limiter.give_back(self._reserved)
            self._reserved = 0

    def _is_reserved(self) -> bool:
        self.calls += 1
        if self._reserved == 0:
            return False
        self._reserved -= 1
        return True

    async def get(self, resource_path: str, params: Mapping[str, str] | None = None) -> Raw:
        """The answer's JSON object; numbers with a fraction are Decimal."""
        answer = await self._send("GET", resource_path, params=dict(params or {}))
        return _body(answer, resource_path, writes=False)

    async def find(self, kind: str, resource: Resource, record_id: str) -> Raw | None:
        """The record of an id, or None when there is none. `kind` is the key of the answer, such as
        `customer`."""
        try:
            return _record(await self.get(path(resource, record_id)), kind, writes=False)
        except NotFound:
            return None

    async def post(self, kind: str, resource_path: str, params: Mapping[str, Any]) -> Raw:
        """Write once and return the record under `kind`; never repeated here."""
        quiet = {"chargebee-event-email": "all-disabled"} if self._settings.suppress_emails else {}
        content = urlencode(form(params)).encode()
        answer = await self._send("POST", resource_path, content=content, headers=FORM | quiet)
        record = _record(_body(answer, resource_path, writes=True), kind, writes=True)
        self.writes += 1
        self.on_write(kind, record)
        return record

    async def pages(
        self, kind: str, resource_path: str, params: Mapping[str, str] | None = None
    ) -> AsyncIterator[list[Raw]]:
        """Pages of the records of a list, each up to PAGE records, until `next_offset` is
        absent."""
        query = {**(params or {}), "limit": str(PAGE)}
        while True:
            body = await self.get(resource_path, query)
            yield _entries(body, kind, resource_path)
            if not body.get("next_offset"):
                return
            offset = str(body["next_offset"])
            if offset == query.get("offset"):
                raise Retriable(
                    f"GET {resource_path}: the list does not go on, its next_offset is the last one"
                )
            query["offset"] = offset

    async def all(
        self, kind: str, resource_path: str, params: Mapping[str, str] | None = None
    ) -> list[Raw]:
        """All records of a list."""
        return [raw async for page in self.pages(kind, resource_path, params) for raw in page]

    async def probe(self) -> None:
        """Ask whether the site answers and takes the key; anything but a list is no answer of
        it."""
        _entries(await self.get("/customers", {"limit": "1"}), "customer", "/customers")

    async def _send(
        self,
        method: str,
        resource_path: str,
        *,
        params: dict[str, str] | None = None,
        content: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        turn = Turn(self._priority, reserved=self._is_reserved(), placed=self._placed)
        with addressed(method, self._settings.api_url + resource_path):
            return await self._http.request(
                method,
                resource_path,
                params=params,
                content=content,
                headers=headers,
                extensions={TURN: turn},
            )


def locked(answer: httpx.Response) -> bool:
    """Whether a 429 is about concurrent writes to one record (`lock_timeout`) and not about the
    site's rate.

    Source: the API's table of errors, https://apidocs.chargebee.com/docs/api/error-handling.
    """
    try:
        body = decoded(answer.content)
    except ValueError:
        return False
    return isinstance(body, dict) and "lock_timeout" in (
        body.get("api_error_code"),
        body.get("error_code"),
    )


def _body(answer: httpx.Response, resource_path: str, *, writes: bool) -> Raw:
    try:
        body = decoded(answer.content)
    except ValueError:
        body = None
    if answer.is_success and isinstance(body, dict):
        return body
    error = body if isinstance(body, dict) else {}
    call = f"{answer.request.method} {resource_path}"
    raise _error(answer.status_code, error, call, writes=writes)


def _error(status: int, error: Raw, call: str, *, writes: bool) -> VendorError:
    """What an answer other than a JSON object with 2xx means (codes of the API's error table)."""
    code = str(error.get("api_error_code") or error.get("error_code") or f"http_{status}")
    words = str(
        error.get("message") or error.get("error_msg") or f"status {status} without a readable body"
    )
    if 200 <= status < 300:
        return Retriable(
            f"{call}: {status} with a body that is no JSON object", maybe_applied=writes
        )
    if status in (401, 403) or code == "site_not_found":
        return Unauthorised(f"{call}: {status} {code}: {words}", code=code)
    if status == 404 and not error:
        # The API says in JSON that a record is missing; anything else stands in front of it.
        return Retriable(f"{call}: 404 without a readable body", maybe_applied=writes)
    named = error.get("param") or error.get("error_param")
    field = str(named) if named else None
    if status == 404:
        return NotFound(code, words, field=field, status=status)
    return Refused("invalid_state" if status == 409 else code, words, field=field, status=status)


def _record(body: Raw, kind: str, *, writes: bool) -> Raw:
    record = body.get(kind)
    if not isinstance(record, dict):
        raise Retriable(f"the answer holds no {kind}", maybe_applied=writes)
    if not isinstance(record.get("id"), str | int) or record["id"] == "":
        raise Retriable(f"the answer holds a {kind} without an id", maybe_applied=writes)
    return record


def _entries(body: Raw, kind: str, resource_path: str) -> list[Raw]:
    entries = body.get("list")
    if not isinstance(entries, list):
        raise Retriable(f"GET {resource_path}: the answer holds no list")
    records = [entry.get(kind) if isinstance(entry, dict) else None for entry in entries]
    whole = [record for record in records if isinstance(record, dict)]
    if len(whole) < len(entries):
        raise Retriable(
            f"GET {resource_path}: {len(entries) - len(whole)} entries of the list hold no {kind}"
        )
    return whole
