"""Keys, tokens and the rate limit: everything between the gateway and a handler.

After the vendor's portal: tokens live 20 minutes, a token's privileges are those at its issue, the
limit is counted per subscription key and covers the token endpoint.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import secrets
import time
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from simulators.poweroffice.clock import Clock
from simulators.poweroffice.errors import EmptyError, GatewayError, Refusal
from simulators.poweroffice.http import Client, Reply
from simulators.poweroffice.privileges import SEND_INVOICE, granted
from simulators.poweroffice.settings import Settings


@dataclass(frozen=True)
class Grant:
    """What a token stands for; `expires_s` is on the clock's `elapsed_s`."""

    client: Client
    privileges: frozenset[str]
    expires_s: float


class Access:
    def __init__(self, settings: Settings, clock: Clock, clients: Iterable[Client]) -> None:
        self._settings = settings
        self._clock = clock
        self._clients = tuple(clients)
        self._grants: dict[str, Grant] = {}
        self._recent: defaultdict[str, deque[float]] = defaultdict(deque)

    def expire_tokens(self) -> None:
        """Void every token issued so far."""
        self._grants.clear()

    def expire_token(self, authorization: str) -> None:
        """Void the token of a request, if it is one."""
        self._grants.pop(authorization.partition(" ")[2].strip(), None)

    def subscription(self, headers: Mapping[str, str], query: Mapping[str, str]) -> str:
        """The subscription key of a request. Raises GatewayError 401 when missing or unknown."""
        key = headers.get("ocp-apim-subscription-key") or query.get("subscription-key")
        if not key:
            raise GatewayError(
                401,
                "Access denied due to missing subscription key. Make sure to include subscription "
                "key when "
                "making requests to an API.",
            )
        if all(client.subscription_key != key for client in self._clients):
            raise GatewayError(
                401,
                "Access denied due to invalid subscription key. Make sure to provide a valid "
                "key for an "
                "active subscription.",
            )
        return key

    def owner(self, subscription_key: str) -> Client:
        return next(one for one in self._clients if one.subscription_key == subscription_key)

    def throttle(self, subscription_key: str) -> None:
        """Count a request. Raises GatewayError 429 when the window is full."""
        limit = self._settings.rate_limit_per_s
        if limit <= 0:
            return
        now_s, recent = time.monotonic(), self._recent[subscription_key]
        window_s = self._settings.rate_window_s
        while recent and recent[0] <= now_s - window_s:
            recent.popleft()
        if len(recent) >= limit:
            wait_s = max(1, math.ceil(recent[0] + window_s - now_s))
            raise too_many(self._settings.rate_limit_retry_after_s, wait_s)
        recent.append(now_s)

    def token(self, authorization: str, body: bytes, subscription_key: str) -> tuple[Client, Reply]:
        """Issue a token for Basic application key and client key. Raises Refusal 400 in OAuth
        style."""
        client = self._by_keys(*_basic(authorization))
        if client is None or client.subscription_key != subscription_key:
            raise _oauth("invalid_client", "The application key or client key is not valid.")
        if parse_qs(body.decode("latin-1")).get("grant_type") != ["client_credentials"]:
            raise _oauth("unsupported_grant_type", "Only client_credentials is supported.")
        ttl_s, privileges = self._settings.token_ttl_s, granted(self._settings.removed_privileges)
        text = _jwt(self._claims(client, privileges, ttl_s))
        self._grants[text] = Grant(client, privileges, self._clock.elapsed_s() + ttl_s)
        return client, Reply(
            200, {"access_token": text, "token_type": "bearer", "expires_in": ttl_s}
        )

    def bearer(self, authorization: str) -> Grant:
        """The grant behind a bearer token. Raises EmptyError 401 when missing, unknown, expired,
        revoked."""
        kind, _, text = authorization.partition(" ")
        found = self._grants.get(text.strip()) if kind.lower() == "bearer" else None
        if found is None or found.expires_s <= self._clock.elapsed_s():
            raise EmptyError(401, {"WWW-Authenticate": "Bearer"})
        if found.client.name in self._settings.revoked_clients:
            raise EmptyError(401, {"WWW-Authenticate": "Bearer"})
        if not self._settings.privileges_at_once:
            return found
        now_granted = granted(self._settings.removed_privileges)
        return Grant(found.client, found.privileges & now_granted, found.expires_s)

    def _by_keys(self, application_key: str, client_key: str) -> Client | None:
        for one in self._clients:
            if (one.application_key, one.client_key) == (application_key, client_key):
                return None if one.name in self._settings.revoked_clients else one
        return None

    def _claims(self, client: Client, privileges: frozenset[str], ttl_s: int) -> dict[str, Any]:
        return {
            "role": sorted(privileges - {SEND_INVOICE}),
            "goClientId": self._settings.client_id,
            "goClientName": self._settings.client_name,
            "goAllowSendInvoice": SEND_INVOICE in privileges,
            "goInvalidPrivileges": sorted(self._settings.removed_privileges),
            "sub": client.name,
            "exp": int(time.time() + self._settings.clock_offset_s) + ttl_s,
        }


def too_many(retry_after_s: int | None, wait_s: int = 1) -> GatewayError:
    """The gateway's 429; the message tells seconds to wait, Retry-After only if given."""
    headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
    return GatewayError(429, f"Rate limit is exceeded. Try again in {wait_s} seconds.", headers)


def _oauth(error: str, description: str) -> Refusal:
    return Refusal(400, {"error": error, "error_description": description})


def _basic(authorization: str) -> tuple[str, str]:
    kind, _, text = authorization.partition(" ")
    try:
        plain = base64.b64decode(text.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        plain = ""
    user, _, password = plain.partition(":")
    return (user, password) if kind.lower() == "basic" else ("", "")


def _jwt(claims: dict[str, Any]) -> str:
    header = {"alg": "HS256", "typ": "JWT"}
    parts = [json.dumps(header).encode(), json.dumps(claims).encode(), secrets.token_bytes(32)]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)
