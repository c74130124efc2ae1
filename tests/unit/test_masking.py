"""Our own secrets in what a vendor, or a gateway before it, answers: they are masked before
anything keeps them."""

import asyncio
import base64
import io
import json
import logging
import sys
from collections.abc import Callable
from typing import Any, get_args

import httpx
import pytest
import structlog
from pydantic import BaseModel, SecretStr

from contracts.settings import ChargebeeSettings, PowerOfficeSettings, Settings
from runtime import logs
from runtime.dead_letters import reason_of
from runtime.logs import Plain, Seldom, cleaned, configure_logging
from runtime.masking import MASK, hide, hide_settings, hide_token, masked
from runtime.rate_limiter import READ, RateLimiter
from runtime.transport import VendorTransport
from runtime.vendor import VendorError
from services.chargebee_adapter.client import ChargebeeClient
from services.poweroffice_adapter.client import PowerOfficeClient

KEY, APPLICATION, CLIENT, SUBSCRIPTION = (
    "live_Nq7/8vK+2xT",
    "app-11f4c2",
    "client-77aa/3",
    "sub-90c1d4",
)
TOKEN = "eyJhbGciOiJSUzI1NiJ9.payload.signature"
HOOK = "hook-pass-5512"
SECRETS = {
    KEY,
    APPLICATION,
    CLIENT,
    SUBSCRIPTION,
    TOKEN,
    base64.b64encode(f"{KEY}:".encode()).decode(),
    base64.b64encode(f"{APPLICATION}:{CLIENT}".encode()).decode(),
}
SITE = ChargebeeSettings(site="x", api_key=SecretStr(KEY))
GO = PowerOfficeSettings(
    environment="demo",
    application_key=SecretStr(APPLICATION),
    client_key=SecretStr(CLIENT),
    subscription_key=SecretStr(SUBSCRIPTION),
)


def gateway(status: int) -> Callable[[httpx.Request], httpx.Response]:
    """What stands in front of the vendor: it repeats the headers of the request in every field of
    its answer."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.lower().endswith("/token") and status != 499:
            return httpx.Response(200, json={"access_token": TOKEN, "expires_in": 1200})
        echo = "; ".join(f"{name}: {value}" for name, value in request.headers.items())
        names = (
            "message",
            "error_msg",
            "api_error_code",
            "error_code",
            "param",
            "title",
            "detail",
            "error",
        )
        return httpx.Response(status, json={**dict.fromkeys(names, echo), "errors": {echo: [echo]}})

    return answer


async def failed(status: int, call: Callable[[VendorTransport], Any]) -> VendorError:
    http = VendorTransport(RateLimiter(0, 1, 1), inner=httpx.MockTransport(gateway(status)))
    try:
        with pytest.raises(VendorError) as caught:
            await call(http)
        return caught.value
    finally:
        await http.aclose()


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 499])
@pytest.mark.parametrize(
    "call",
    [
        lambda http: ChargebeeClient(SITE, http).post("customer", "/customers", {}),
        lambda http: ChargebeeClient(SITE, http).get("/customers"),
        lambda http: PowerOfficeClient(GO, http).get("/Customers"),
        lambda http: PowerOfficeClient(GO, http).post("/Customers", {}, priority=READ),
    ],
    ids=["write in Chargebee", "read in Chargebee", "read in Go", "write in Go"],
)
def test_no_error_of_a_vendor_holds_a_secret(status: int, call: Any) -> None:
    """Neither its words, which end in dead letters, journal, health and logs, nor its code and
    field, nor a trace."""
    error = asyncio.run(failed(status, call))
    told = "\n".join([str(error), reason_of(error), repr(vars(error)), repr(error.args)])
    assert not [secret for secret in SECRETS if secret in told], told


def test_a_secret_is_masked_before_words_are_cut() -> None:
    """Half a key would not be found any more."""
    hide(SecretStr(KEY))
    error = asyncio.run(failed(400, lambda http: PowerOfficeClient(GO, http).get("/Customers")))
    assert MASK in str(error)
    assert TOKEN[:12] not in str(error)


@pytest.mark.parametrize("before", ["", "a", "ab", "user:"])
@pytest.mark.parametrize("after", ["", ":", ":x", "and more"])
def test_a_secret_inside_base64_is_masked_wherever_it_begins(before: str, after: str) -> None:
    secret = "correct-horse-battery"
    hide(SecretStr(secret))
    held = base64.b64encode(f"{before}{secret}{after}".encode()).decode()
    told = masked(held)
    assert MASK in told
    assert len(held) - len(told.replace(MASK, "")) >= len(secret) * 4 // 3 - 3


def test_ordinary_words_stay() -> None:
    """Short secrets would be found in them; a pair that is not known is masked, the word before it
    is not enough."""
    hide(SecretStr("x"), SecretStr("key"), None)
    words = "the key x lacks basic information: a bearer of the invoice"
    assert masked(words) == words
    assert (
        masked("Authorization: Basic dXNlcjpwYXNzd29yZC1vZi1vbGQ=")
        == f"Authorization: Basic {MASK}"
    )


def test_old_tokens_make_room() -> None:
    for number in range(1500):
        hide_token(f"token-number-{number}-of-many")
    assert masked("token-number-1499-of-many") == MASK
    assert masked("token-number-0-of-many") == "token-number-0-of-many"


# -- the settings


def secrets_of(model: type[BaseModel], path: str = "") -> set[str]:
    """The names of all fields that hold a secret."""
    found = set()
    for name, field in model.model_fields.items():
        kinds = (
            [field.annotation, *get_args(field.annotation)] if field.annotation is not None else []
        )
        for kind in kinds:
            if kind is SecretStr:
                found.add(f"{path}{name}")
            elif isinstance(kind, type) and issubclass(kind, BaseModel):
                found |= secrets_of(kind, f"{path}{name}.")
    return found


def installation() -> Settings:
    return Settings.model_validate(
        {
            "kafka": {
                "security_protocol": "SASL_SSL",
                "sasl_mechanism": "PLAIN",
                "sasl_username": "tandem",
                "sasl_password": "sasl-pass-8841",
            },
            "tenants": {
                "t": {
                    "chargebee": {
                        "site": "x",
                        "api_key": KEY,
                        "webhook_username": "chargebee",
                        "webhook_password": HOOK,
                    },
                    "poweroffice": GO.model_dump(exclude_none=True),
                }
            },
        }
    )


def test_every_secret_of_the_settings_is_masked_in_what_a_service_logs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A secret that is added to the settings has to be added to the masking; the user name of
    webhooks is none."""
    assert secrets_of(Settings) == {
        "console.token",
        "kafka.sasl_password",
        "tenants.chargebee.api_key",
        "tenants.chargebee.webhook_password",
        "tenants.chargebee.webhook_username",
        "tenants.poweroffice.application_key",
        "tenants.poweroffice.client_key",
        "tenants.poweroffice.subscription_key",
    }
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    before = structlog.get_config()
    try:
        configure_logging(installation())
        log = structlog.get_logger()
        told = [
            "sasl-pass-8841",
            HOOK,
            *sorted(SECRETS - {TOKEN}),
            base64.b64encode(f"chargebee:{HOOK}".encode()),
        ]
        try:
            raise ValueError(HOOK)
        except ValueError:
            log.exception(
                "failed",
                told=told,
                deep={"held": {"in": [KEY]}},
                of=ValueError(KEY),
                user="chargebee",
            )
    finally:
        structlog.configure(**before)
    line = stream.getvalue()
    assert json.loads(line)["user"] == "chargebee"
    for secret in ("sasl-pass-8841", HOOK, *(SECRETS - {TOKEN})):
        assert secret not in line
    assert base64.b64encode(f"chargebee:{HOOK}".encode()).decode() not in line


# -- lines of the log


def test_a_line_of_the_log_is_cut_and_shows_what_it_holds() -> None:
    """On a terminal the renderer writes values as they are; an exception keeps its lines."""
    event = cleaned(
        None,
        "",
        {
            "tenant": "\x1b[2J" + "a" * 5000,
            "event": "x",
            "exception": "Trace\x1b[2J\n  line",
            "count": 3,
            "of": None,
        },
    )
    assert event["tenant"].startswith(r"\x1b[2Jaaa")
    assert len(event["tenant"]) < 2100
    assert event["tenant"].endswith("(5004 characters)")
    assert (event["exception"], event["count"], event["of"]) == ("Trace\\x1b[2J\n  line", 3, None)
    record = logging.LogRecord(
        "uvicorn.error", logging.WARNING, "", 0, "bad \x1b[2J line", (), None
    )
    assert Plain().format(record) == r"bad \x1b[2J line"


def test_what_a_stranger_can_cause_is_logged_seldom() -> None:
    """Ten lines of a kind in a minute; the next one says how many were left out. Other kinds are
    not touched."""
    now = [0.0]
    seldom = Seldom(10, 60.0, clock=lambda: now[0])
    assert [seldom.lets("401") for _ in range(12)] == [0] * 10 + [None] * 2
    assert seldom.lets("503") == 0
    now[0] = 60.0
    assert [seldom.lets("401") for _ in range(2)] == [2, 0]


def test_the_server_cannot_be_made_to_fill_the_log() -> None:
    held = logs.SeldomServer()

    def record(name: str) -> logging.LogRecord:
        return logging.LogRecord(
            name, logging.WARNING, "", 0, "Invalid HTTP request received.", (), None
        )

    assert sum(held.filter(record("uvicorn.error")) for _ in range(50)) == 10
    assert all(held.filter(record("faststream")) for _ in range(50))


def test_keys_that_are_not_held_mask_nothing() -> None:
    """The linker is told none: no ordinary word may vanish for it."""
    tables = {"chargebee": {"site": "acme"}, "poweroffice": {"environment": "demo"}}
    hide_settings(Settings.model_validate({"tenants": {"acme": tables}}))
    for words in ("", ":", "a: b", "Og==", "tenants.acme: stopped"):
        assert masked(words) == words
