"""API keys: who calls, and what the role of the key allows."""

import base64
import binascii
import hmac
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final, Literal, get_args

from simulators.chargebee.errors import ApiError

Role = Literal[
    "full_access",
    "update_access",
    "read_only_access",
    "read_transactional_data",
    "read_product_configuration",
    "publishable",
    "publishable_extended",
]
ROLES: Final[tuple[Role, ...]] = get_args(Role)
_PRODUCT_PATHS: Final = (
    "/item_families",
    "/items",
    "/item_prices",
    "/configurations",
    "/currencies",
)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """`name` is shown as the `user` of events; `secret` is what requests send as the user of basic
    authentication."""

    name: str
    secret: str
    role: Role = "full_access"

    def may(self, method: str, template: str) -> bool:
        """Whether the role covers the operation. Publishable keys are for browsers and cover none
        of this API."""
        if self.role in ("full_access", "update_access"):
            return True
        if method != "GET" or self.role in ("publishable", "publishable_extended"):
            return False
        is_product = template.startswith(_PRODUCT_PATHS)
        return self.role == "read_only_access" or is_product == (
            self.role == "read_product_configuration"
        )


def authenticated(
    authorization: str, keys: Iterable[ApiKey], revoked_names: Collection[str]
) -> ApiKey:
    """The key of an `Authorization: Basic` header. Raises 401 when it is missing, malformed,
    unknown or revoked."""
    scheme, _, encoded = authorization.partition(" ")
    try:
        secret, _, _ = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        secret = ""
    for key in keys:
        is_same = scheme.lower() == "basic" and hmac.compare_digest(
            secret.encode(), key.secret.encode()
        )
        if is_same and key.name not in revoked_names:
            return key
    raise ApiError(
        401, "api_authentication_failed", "Sorry, authentication failed. Invalid API key."
    )


def authorise(key: ApiKey, method: str, template: str) -> None:
    """Raises 403 when the role of the key does not cover the operation."""
    if not key.may(method, template):
        raise ApiError(
            403,
            "api_authorization_failed",
            "Sorry, you are not authorized to perform this operation",
        )
