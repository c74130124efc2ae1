"""Whatever is sent to the two doors of the system, the webhook and the console, it is answered in
words: no status of 500, no exception, and the next one who asks properly is served.

`make prove` sends ten times as much, anew each time.
"""

import asyncio
import copy
import json
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette

from contracts.settings import ChargebeeSettings
from services.chargebee_adapter import events
from services.chargebee_adapter.webhooks import Limits, Receiver, route
from services.console.model import ReadModel
from services.console.web import live
from tests.examples import examples
from tests.unit.test_web import PAGES, Browser, model, settings_of

__all__ = ["model"]

SIGNED = ("hook", "secret")
EVENT: dict[str, Any] = {
    "id": "ev_1",
    "occurred_at": 1796025600,
    "event_type": "customer_changed",
    "source": "admin_console",
    "user": "kari@eksempel.no",
    "object": "event",
    "api_version": "v2",
    "content": {
        "customer": {
            "id": "kari",
            "first_name": "Kari",
            "resource_version": 1796025600000,
            "updated_at": 1796025600,
            "billing_address": {"line1": "Storgata 1", "country": "NO"},
        }
    },
}
TEXTS = st.text(max_size=30)
ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS | st.just(10**400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """Bytes of any kind, or an event in which something is another thing, or is cut off."""
    if draw(st.booleans()):
        return draw(
            st.binary(max_size=200) | st.just(b"[" * 100_000) | st.just(b"\xff\xfe{\x00}\x00")
        )
    event = copy.deepcopy(EVENT)
    at: Any = event
    while True:
        key = draw(st.sampled_from(sorted(at)))
        if not isinstance(at[key], dict) or draw(st.booleans()):
            break
        at = at[key]
    if draw(st.booleans()):
        at[key] = draw(ODD)
    else:
        del at[key]
    written = json.dumps(event).encode()
    return written[: draw(st.integers(0, len(written)))] if draw(st.booleans()) else written


HEADERS = st.dictionaries(
    st.sampled_from(["content-type", "content-encoding", "content-length", "traceparent", "x-odd"]),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40),
    max_size=3,
)


async def taken(body: bytes) -> int:
    return int(events.of(events.decode(body)) is not None)


def hook() -> httpx.ASGITransport:
    settings = {
        "site": "x",
        "api_key": "k",
        "webhook_username": SIGNED[0],
        "webhook_password": SIGNED[1],
    }
    receiver = Receiver(ChargebeeSettings.model_validate(settings), taken)
    return httpx.ASGITransport(Starlette(routes=[route({"demo": receiver}, Limits())]))


@given(
    body=bodies(),
    headers=HEADERS,
    signed=st.just(SIGNED) | st.tuples(TEXTS, TEXTS),
    tenant=st.just("demo") | st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=30),
)
@examples(200)
def test_a_webhook_answers_whatever_is_sent(
    body: bytes, headers: dict[str, str], signed: tuple[str, str], tenant: str
) -> None:
    async def scene() -> list[httpx.Response]:
        async with httpx.AsyncClient(transport=hook(), base_url="http://hook") as http:
            path = f"/webhooks/chargebee/{tenant}"
            auth = httpx.BasicAuth(*(each.encode("utf-8", "replace").decode() for each in signed))
            odd = await http.post(path, content=body, headers=headers, auth=auth)
            good = await http.post("/webhooks/chargebee/demo", json=EVENT, auth=SIGNED)
            return [odd, good]

    odd, good = asyncio.run(scene())
    assert odd.status_code < 500
    assert odd.json()["message"]
    assert good.status_code == 200


@pytest.fixture
def browser(model: ReadModel) -> Browser:
    held = Browser(settings_of(), model)
    assert held.login() == 303
    return held


# Of addresses and forms: what the page has, and anything.
PARTS = (
    st.sampled_from(
        ["acme", "records", "runs", "act", "needs", "held", "letters", "1", "live", ".."]
    )
    | TEXTS
)
FORMS = st.dictionaries(
    st.sampled_from(
        [
            "csrf",
            "back",
            "entity",
            "key",
            "field",
            "keep",
            "batch",
            "remark",
            "q",
            "id",
            "from",
            "number",
        ]
    )
    | TEXTS,
    TEXTS,
    max_size=6,
)


def test_the_console_answers_whatever_is_asked(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "LASTS_S", 0.0)
    csrf = browser.csrf()

    @given(
        method=st.sampled_from(["GET", "POST", "PUT", "HEAD"]),
        parts=st.lists(PARTS, max_size=4),
        page=st.sampled_from(PAGES) | st.none(),
        query=st.dictionaries(
            st.sampled_from(["state", "q", "page", "after", "entity"]) | TEXTS, TEXTS, max_size=3
        ),
        form=FORMS,
        known=st.booleans(),
    )
    @examples(150)
    def asked(
        method: str,
        parts: list[str],
        page: str | None,
        query: dict[str, str],
        form: dict[str, str],
        known: bool,
    ) -> None:
        path = page or "/" + "/".join(quote(each, safe="") for each in parts)
        more: dict[str, Any] = {"params": query} if "?" not in path else {}
        if method == "POST":
            more["data"] = form | ({"csrf": csrf} if known else {})
        answer = browser.ask(method, "http://console" + path, **more)
        assert answer.status_code < 500, answer.text

    asked()
    assert browser.ask("GET", "/acme/needs").status_code in (200, 303)
