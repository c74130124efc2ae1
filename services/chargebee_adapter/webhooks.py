"""`POST /webhooks/chargebee/{tenant}`: a sign that something changed, acknowledged only after Kafka
has it.

Who cannot sign in learns nothing: an unknown tenant, one without credentials and a wrong password
have one answer.
"""

import asyncio
import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import structlog
from aiokafka.errors import KafkaError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from contracts.settings import ChargebeeSettings
from runtime import traces
from runtime.clock import utc_now
from runtime.harmless import cut
from runtime.logs import Seldom
from runtime.requests import whole_body
from runtime.vendor import VendorError
from services.chargebee_adapter.metrics import LAST_WEBHOOK, WEBHOOK_S, WEBHOOKS

log = structlog.get_logger()
REALM = "tandem"
NOBODY = secrets.token_bytes(32)  # what is compared with where nobody can sign in
NAME_MAX = 64
# on requests of our own checks, so that figures and log tell them from Chargebee's
CHECK_HEADER = "tandem-check"


@dataclass(frozen=True)
class Limits:
    """What one process takes at once: bytes of a body, seconds from the head of a request to
    Kafka's acknowledgement, and requests under way."""

    body_bytes: int = 1_000_000
    within_s: float = 5.0
    requests: int = 64


@dataclass(frozen=True)
class Receiver:
    """Where one tenant's webhooks go. `take` returns how many events were published, and raises
    ValueError with a reason for a body that is no Chargebee event."""

    settings: ChargebeeSettings
    take: Callable[[bytes], Awaitable[int]]


def route(receivers: Mapping[str, Receiver], limits: Limits = Limits()) -> Route:
    """The route for all tenants; `receivers` may be filled after the start."""
    under_way: set[Request] = set()
    seldom = Seldom()

    async def handle(request: Request) -> Response:
        tenant = str(request.path_params["tenant"])
        is_check, known = (
            CHECK_HEADER in request.headers,
            tenant if tenant in receivers else "unknown",
        )
        webhook = traces.step(
            "webhook of chargebee", kind="server", idle=True, detailed=True, tenant=known
        )
        with webhook, WEBHOOK_S.labels(known).time():
            status, message = await _answer(receivers.get(tenant), request, limits, under_way)
        if status == 200 and not is_check:
            LAST_WEBHOOK.labels(known).set(utc_now().timestamp())
        WEBHOOKS.labels(known, f"check {status}" if is_check else status).inc()
        # By what we know, never by what was sent, which is of a stranger's choosing.
        if status != 200 and (left_out := seldom.lets((known, status, is_check))) is not None:
            reason = "no such tenant" if known == "unknown" else message
            log.warning(
                "webhook.refused",
                tenant=cut(tenant, NAME_MAX),
                status=status,
                reason=reason,
                check=is_check,
                left_out=left_out,
            )
        headers = {"WWW-Authenticate": f'Basic realm="{REALM}"'} if status == 401 else {}
        if status != 200:
            # The body may not have been read; without this the server waits for the rest of it.
            headers["Connection"] = "close"
        return JSONResponse({"message": message}, status_code=status, headers=headers)

    return Route("/webhooks/chargebee/{tenant}", handle, methods=["POST"])


async def _answer(
    receiver: Receiver | None, request: Request, limits: Limits, under_way: set[Request]
) -> tuple[int, str]:
    settings = receiver.settings if receiver is not None else None
    is_right = authorised(settings, request.headers.get("authorization", ""))
    if receiver is None or not is_right:
        return 401, "unknown address, or wrong or missing webhook user name and password"
    announced = request.headers.get("content-length", "0")
    if announced.isdigit() and int(announced) > limits.body_bytes:
        return 413, _too_large(limits)
    if len(under_way) >= limits.requests:
        return 503, f"{len(under_way)} webhooks are under way, send it again"
    under_way.add(request)
    try:
        return await _taken(receiver, request, limits)
    finally:
        under_way.discard(request)


async def _taken(receiver: Receiver, request: Request, limits: Limits) -> tuple[int, str]:
    body: bytes | None = None
    try:
        async with asyncio.timeout(limits.within_s):
            body = await whole_body(request, limits.body_bytes)
            if body is None:
                return 413, _too_large(limits)
            published = await receiver.take(body)
    except ClientDisconnect:
        return 400, "the connection was closed before the body was whole"
    except ValueError as error:
        return 400, str(error)
    except (TimeoutError, VendorError, KafkaError) as error:
        if body is None:
            return 408, f"the body did not arrive within {limits.within_s:g} s, send it again"
        return (
            503,
            f"not taken yet, send it again: {str(error) or 'Kafka did not acknowledge in time'}",
        )
    return 200, f"{published} published"


def _too_large(limits: Limits) -> str:
    return f"the body is larger than {limits.body_bytes} bytes"


def authorised(settings: ChargebeeSettings | None, header: str) -> bool:
    """Whether a basic Authorization header holds the configured pair. Digests are compared in
    constant time, also where there is no pair: without settings or credentials every webhook is
    refused."""
    expected = NOBODY
    if (
        settings is not None
        and settings.webhook_username is not None
        and settings.webhook_password is not None
    ):
        user, password = settings.webhook_username, settings.webhook_password
        expected = f"{user.get_secret_value()}:{password.get_secret_value()}".encode()
    scheme, _, encoded = header.partition(" ")
    try:
        given = base64.b64decode(encoded, validate=True) if scheme.lower() == "basic" else b""
    except (binascii.Error, ValueError):
        given = b""
    return hmac.compare_digest(hashlib.sha256(given).digest(), hashlib.sha256(expected).digest())
