"""`POST /webhooks/chargebee/{tenant}`: a sign that something changed, acknowledged only after Kafka has it."""

import asyncio
import base64
import binascii
import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import structlog
from aiokafka.errors import KafkaError
from prometheus_client import Counter
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from contracts.settings import ChargebeeSettings
from runtime.vendor import VendorError

log = structlog.get_logger()
REALM = "tandem"
CHECK_HEADER = "tandem-check"  # on requests of our own checks, so that figures and log tell them from Chargebee's
WEBHOOKS = Counter("tandem_webhooks_total", "Webhooks received, by answer", ["tenant", "status"])


@dataclass(frozen=True)
class Limits:
    """What one process takes at once: bytes of a body, seconds from the head of a request to Kafka's acknowledgement,
    and requests under way."""

    body_bytes: int = 1_000_000
    within_s: float = 5.0
    requests: int = 64


@dataclass(frozen=True)
class Receiver:
    """Where one tenant's webhooks go. `take` returns how many events were published, and raises ValueError with a
    reason for a body that is no Chargebee event."""

    settings: ChargebeeSettings
    take: Callable[[bytes], Awaitable[int]]


def route(receivers: Mapping[str, Receiver], limits: Limits = Limits()) -> Route:
    """The route for all tenants; `receivers` may be filled after the start."""
    under_way: set[Request] = set()

    async def handle(request: Request) -> Response:
        tenant = str(request.path_params["tenant"])
        status, message = await _answer(receivers.get(tenant), request, limits, under_way)
        is_check = CHECK_HEADER in request.headers
        WEBHOOKS.labels(tenant if tenant in receivers else "unknown", f"check {status}" if is_check else status).inc()
        if status != 200:
            log.warning("webhook.refused", tenant=tenant, status=status, reason=message, check=is_check)
        headers = {"WWW-Authenticate": f'Basic realm="{REALM}"'} if status == 401 else {}
        if status != 200:
            # The body may not have been read; without this the server waits for the rest of it.
            headers["Connection"] = "close"
        return JSONResponse({"message": message}, status_code=status, headers=headers)

    return Route("/webhooks/chargebee/{tenant}", handle, methods=["POST"])


async def _answer(
    receiver: Receiver | None, request: Request, limits: Limits, under_way: set[Request]
) -> tuple[int, str]:  # fmt: skip
    if receiver is None:
        return 404, "no such tenant"
    if not authorised(receiver.settings, request.headers.get("authorization", "")):
        return 401, "wrong or missing webhook user name and password"
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
            body = await _body(request, limits)
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
        return 503, f"not taken yet, send it again: {str(error) or 'Kafka did not acknowledge in time'}"
    return 200, f"{published} published"


async def _body(request: Request, limits: Limits) -> bytes | None:
    """The whole body; None when it is too large."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limits.body_bytes:
            return None
    return bytes(body)


def _too_large(limits: Limits) -> str:
    return f"the body is larger than {limits.body_bytes} bytes"


def authorised(settings: ChargebeeSettings, header: str) -> bool:
    """Whether a basic Authorization header holds the configured pair; compared in constant time. Without configured
    credentials every webhook is refused."""
    if settings.webhook_username is None or settings.webhook_password is None:
        return False
    expected = f"{settings.webhook_username.get_secret_value()}:{settings.webhook_password.get_secret_value()}"
    scheme, _, encoded = header.partition(" ")
    try:
        given = base64.b64decode(encoded, validate=True) if scheme.lower() == "basic" else b""
    except (binascii.Error, ValueError):
        given = b""
    return hmac.compare_digest(given, expected.encode())
