"""Both vendors' APIs as somebody else uses them: own keys, own code, nothing shared with the
adapters."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from decimal import Decimal
from typing import Any

import httpx

from demo.installation import GoKeys

Record = dict[str, Any]
MAX_ATTEMPTS = 20
REQUEST_S = 120.0


class VendorAnswer(RuntimeError):
    """An answer other than success; `status` is the HTTP status, the text holds the vendor's
    words."""

    def __init__(self, request: str, status: int, words: str) -> None:
        super().__init__(f"{request}: {status} {words[:300]}")
        self.status = status


def _content(answer: httpx.Response) -> Any:
    return json.loads(answer.text, parse_float=Decimal) if answer.text.strip() else None


async def _send(http: httpx.AsyncClient, method: str, path: str, **options: Any) -> httpx.Response:
    for _ in range(MAX_ATTEMPTS):
        answer = await http.request(method, path, **options)
        if answer.status_code != 429:
            break
        await asyncio.sleep(float(answer.headers.get("Retry-After", "1")))
    if answer.status_code >= 400:
        raise VendorAnswer(f"{method} {path}", answer.status_code, answer.text)
    return answer


class Chargebee:
    """Chargebee API v2: JSON answers, form-encoded requests, amounts in minor units."""

    def __init__(self, base_url: str, api_key: str) -> None:
        self._http = httpx.AsyncClient(
            base_url=base_url, auth=(api_key, ""), trust_env=False, timeout=REQUEST_S
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def get(self, path: str, **params: Any) -> Record:
        """One answer. Raises VendorAnswer."""
        found: Record = _content(await _send(self._http, "GET", path, params=params))
        return found

    async def find(self, path: str, kind: str) -> Record | None:
        """One record of this kind, None while it does not exist."""
        try:
            found: Record = (await self.get(path))[kind]
            return found
        except VendorAnswer as error:
            if error.status != 404:
                raise
            return None

    async def post(self, path: str, form: Mapping[str, Any]) -> Record:
        """One write; nested parameters are spelled out, such as `billing_address[city]`. Raises
        VendorAnswer."""
        done: Record = _content(await _send(self._http, "POST", path, data=dict(form)))
        return done

    async def all(self, path: str, kind: str, **params: Any) -> list[Record]:
        """Every record of a list."""
        found: list[Record] = []
        offset: dict[str, Any] = {}
        while True:
            page = await self.get(path, limit=100, **params, **offset)
            found += [entry[kind] for entry in page["list"]]
            if not page.get("next_offset"):
                return found
            offset = {"offset": page["next_offset"]}


class Go:
    """PowerOffice Go API v2 under its limit per second."""

    def __init__(self, root_url: str, keys: GoKeys, requests_per_s: float) -> None:
        self._keys, self._interval_s, self._free_at_s = keys, 1 / requests_per_s, 0.0
        self._http = httpx.AsyncClient(
            base_url=root_url,
            headers={"Ocp-Apim-Subscription-Key": keys.subscription},
            trust_env=False,
            timeout=REQUEST_S,
        )
        self._token: str | None = None

    async def close(self) -> None:
        await self._http.aclose()

    async def _turn(self) -> None:
        now_s = time.monotonic()
        self._free_at_s = max(now_s, self._free_at_s) + self._interval_s
        await asyncio.sleep(self._free_at_s - self._interval_s - now_s)

    async def _authorised(self) -> dict[str, str]:
        if self._token is None:
            await self._turn()
            answer = await _send(
                self._http,
                "POST",
                "/OAuth/Token",
                data={"grant_type": "client_credentials"},
                auth=(self._keys.application, self._keys.client),
            )
            self._token = str(answer.json()["access_token"])
        return {"Authorization": f"Bearer {self._token}"}

    async def _call(self, method: str, path: str, **options: Any) -> Any:
        headers = {**await self._authorised(), **options.pop("headers", {})}
        await self._turn()
        return _content(await _send(self._http, method, f"/v2{path}", headers=headers, **options))

    async def get(self, path: str, **params: Any) -> Any:
        """The content, None for 204. Raises VendorAnswer."""
        return await self._call("GET", path, params=params)

    async def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Raises VendorAnswer."""
        return await self._call("POST", path, json=dict(body))

    async def patch(self, path: str, values: Mapping[str, Any]) -> Any:
        """Replace values by JSON Pointer, such as `/MailAddress/City`. Raises VendorAnswer."""
        ops = [
            {"op": "replace", "path": pointer, "value": value} for pointer, value in values.items()
        ]
        kind = {"Content-Type": "application/json-patch+json"}
        return await self._call("PATCH", path, content=json.dumps(ops), headers=kind)

    async def all(self, path: str, **params: Any) -> list[Record]:
        """Every record of a list."""
        return [record async for record in self._pages(path, params)]

    async def _pages(
        self, path: str, params: Mapping[str, Any], size: int = 1000
    ) -> AsyncIterator[Record]:
        number = 1
        while True:
            page = await self.get(path, PageNumber=number, PageSize=size, **params) or []
            for record in page:
                yield record
            if len(page) < size:
                return
            number += 1
