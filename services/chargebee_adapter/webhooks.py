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
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from contracts.settings import ChargebeeSettings
from runtime.vendor import VendorError

log = structlog.get_logger()
MAX_BODY_BYTES = 1_000_000
ACKNOWLEDGE_WITHIN_S = 5.0
REALM = "tandem"
CHECK_HEADER = "tandem-check"  # on requests of our own checks, so that figures and log tell them from Chargebee's
WEBHOOKS = Counter("tandem_webhooks_total", "Webhooks received, by answer", ["tenant", "status"])


@dataclass(frozen=True)
class Receiver:
    """Where one tenant's webhooks go. `take` returns how many events were published, and raises ValueError with a
    reason for a body that is no Chargebee event."""

    settings: ChargebeeSettings
    take: Callable[[bytes], Awaitable[int]]


def route(receivers: Mapping[str, Receiver]) -> Route:
    """The route for all tenants; `receivers` may be filled after the start."""

    async def handle(request: Request) -> Response:
        tenant = str(request.path_params["tenant"])
        status, message = await _answer(receivers.get(tenant), request)
        is_check = CHECK_HEADER in request.headers
        WEBHOOKS.labels(tenant if tenant in receivers else "unknown", f"check {status}" if is_check else status).inc()
        if status != 200:
            log.warning("webhook.refused", tenant=tenant, status=status, reason=message, check=is_check)
        challenge = {"WWW-Authenticate": f'Basic realm="{REALM}"'} if status == 401 else None
        return JSONResponse({"message": message}, status_code=status, headers=challenge)

    return Route("/webhooks/chargebee/{tenant}", handle, methods=["POST"])


async def _answer(receiver: Receiver | None, request: Request) -> tuple[int, str]:
    if receiver is None:
        return 404, "no such tenant"
    if not authorised(receiver.settings, request.headers.get("authorization", "")):
        return 401, "wrong or missing webhook user name and password"
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            return 413, f"the body is larger than {MAX_BODY_BYTES} bytes"
    try:
        async with asyncio.timeout(ACKNOWLEDGE_WITHIN_S):
            published = await receiver.take(body)
    except ValueError as error:
        return 400, str(error)
    except (TimeoutError, VendorError, KafkaError) as error:
        return 503, f"not taken yet, send it again: {str(error) or 'Kafka did not acknowledge in time'}"
    return 200, f"{published} published"


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
