"""The keys of one Go client: Bearer tokens beside the subscription key."""

import asyncio
import math
import time
from collections.abc import AsyncGenerator, Callable
from typing import Any

import httpx

from contracts.settings import PowerOfficeSettings
from runtime.masking import hide_go, hide_token
from runtime.transport import TURN, VendorTransport, addressed
from runtime.vendor import Refused, Retriable, Unauthorised
from services.poweroffice_adapter.bodies import object_of

SUBSCRIPTION = "Ocp-Apim-Subscription-Key"
RENEW_BEFORE_S = 60.0
WRITE_GRACE_S = 30.0  # a write may use the token of the read before it so much longer
DEFAULT_EXPIRY_S = 600.0


class GoAuth(httpx.Auth):
    """Puts the subscription key and a token into each request; after a 401 once more with a new
    token. A second 401 is the answer.

    One request fetches the token and the others wait for it. It is renewed RENEW_BEFORE_S before
    it ends, or after half its life. A write takes that of the read which guards it, up to
    WRITE_GRACE_S longer, so that nothing is waited for in between. Raises Unauthorised for refused
    keys, and Retriable, never `maybe_applied`, where no token can be had. `clock` gives seconds.
    """

    def __init__(
        self,
        settings: PowerOfficeSettings,
        transport: VendorTransport,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock, self._endpoint = clock, settings.token_endpoint
        hide_go(settings)
        self._subscription = settings.subscription_key.get_secret_value()
        application, client = (
            key.get_secret_value().encode("utf-8", "surrogatepass")
            for key in (settings.application_key, settings.client_key)
        )
        self._http = transport.client(httpx.BasicAuth(application, client))
        self._token: str | None = None
        self._renew_at = self._grace_s = 0.0
        self._lock = asyncio.Lock()

    async def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        _check_sendable(self._subscription)
        request.headers[SUBSCRIPTION] = self._subscription
        token = await self._sign(request)
        answer = yield request
        if answer.status_code == 401:
            if self._token == token:
                self._token = None
            await self._sign(request)
            yield request

    async def _sign(self, request: httpx.Request) -> str:
        token = await self._valid(request)
        request.headers["Authorization"] = f"Bearer {token}"
        return token

    async def _valid(self, request: httpx.Request) -> str:
        grace_s = 0.0 if request.method == "GET" else self._grace_s
        if self._token is not None and self._clock() < self._renew_at + grace_s:
            return self._token
        async with self._lock:
            if self._token is None or self._clock() >= self._renew_at:
                self._token = await self._fetched(request)
            return self._token

    async def _fetched(self, waiting: httpx.Request) -> str:
        asked_at = self._clock()
        body = _granted(await self._asked(waiting))
        token, lifetime_s = body.get("access_token"), _lifetime_s(body.get("expires_in"))
        if not (isinstance(token, str) and token and _is_sendable(token)):
            raise Retriable("token: the answer holds none that can be used")
        hide_token(token)
        before_s = min(RENEW_BEFORE_S, lifetime_s / 2)
        self._renew_at = asked_at + lifetime_s - before_s
        self._grace_s = min(WRITE_GRACE_S, before_s / 2)
        return token

    async def _asked(self, waiting: httpx.Request) -> httpx.Response:
        """The token endpoint's answer, in the turn of the request that waits for it."""
        try:
            with addressed("POST", self._endpoint):
                return await self._http.post(
                    self._endpoint,
                    data={"grant_type": "client_credentials"},
                    headers={SUBSCRIPTION: self._subscription},
                    extensions={TURN: waiting.extensions[TURN]},
                )
        except Retriable as error:
            # A token written twice changes nothing: the command that waits for it has not been
            # sent.
            raise Retriable(f"token: {error}", retry_after_s=error.retry_after_s) from error
        except Refused as error:
            # Nor has it been refused: what stands in front of the token endpoint does not know of
            # it.
            raise Retriable(f"token: {error}") from error


def _is_sendable(text: str) -> bool:
    """Whether a header can carry it."""
    return text.isascii() and text.isprintable() and text == text.strip()


def _check_sendable(key: str) -> None:
    """Raises Unauthorised, without the key, where no header can carry it."""
    if not _is_sendable(key):
        raise Unauthorised(
            f"the key in the header {SUBSCRIPTION} cannot be sent: it holds a character that is no "
            "printable ASCII, or begins or ends with a space; correct it in the settings",
            code="unsendable_key",
        )


def _granted(answer: httpx.Response) -> dict[str, Any]:
    """What the token endpoint grants. Raises Unauthorised for keys that it refuses."""
    body = object_of(answer.content)
    if answer.status_code < 400:
        return body
    if not body and answer.status_code not in (401, 403):
        # A page of something in front of Go says nothing of the keys.
        raise Retriable(f"token: {answer.status_code} without a readable body")
    reason = str(body.get("error") or body.get("message") or answer.status_code)
    raise Unauthorised(
        f"PowerOffice Go refuses the keys ({reason}); check all three and the environment",
        code=str(body.get("error") or f"token_http_{answer.status_code}"),
    )


def _lifetime_s(expires_in: Any) -> float:
    try:
        seconds = float(expires_in)
    except (TypeError, ValueError):
        return DEFAULT_EXPIRY_S
    return seconds if 0 < seconds < math.inf else DEFAULT_EXPIRY_S
