"""What a vendor, a proxy or a gateway may answer, by name, from a real socket: every call ends in
words.

What breaks inside JSON, and that sources and sinks go on after all of it, stands in
test_clients_under_faults.
"""

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from aiokafka.errors import KafkaError
from pydantic import SecretStr

from contracts.settings import Tenant
from contracts.signals import OfService, args_of
from runtime import transport
from runtime.bodies import UnreadableBody, _Packing
from runtime.identity import Identity
from runtime.rate_limiter import RateLimiter
from runtime.transport import VendorTransport
from runtime.vendor import Refused, Retriable, Unauthorised, VendorError
from services.chargebee_adapter.client import ChargebeeClient
from services.poweroffice_adapter.client import PowerOfficeClient
from tests.contract.test_clients_under_faults import (
    CB_CUSTOMER,
    Answer,
    Reply,
    go_answer,
    of,
    serving,
    tenant,
)
from tests.waiting import NEVER_S, PATIENCE_S

LIMIT_BYTES = 100_000
SOON_S = 0.2  # of a whole answer, where one has no end
PACKED = (("Content-Encoding", "gzip"),)
LIST = b'{"list": []}'


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reads are tried once."""
    monkeypatch.setattr(transport, "MAX_READ_ATTEMPTS", 1)


def run(scenario: Awaitable[None]) -> None:
    asyncio.run(asyncio.wait_for(scenario, PATIENCE_S))


def http(**limits: Any) -> VendorTransport:
    return VendorTransport(RateLimiter(0, 1, 1), timeout_s=PATIENCE_S, **limits)


async def error_of(call: Callable[[], Awaitable[Any]]) -> VendorError:
    with pytest.raises(VendorError) as raised:
        await call()
    return raised.value


def calls_of(
    settings: Tenant, connections: VendorTransport
) -> dict[str, Callable[[], Awaitable[Any]]]:
    site = ChargebeeClient(settings.chargebee, connections)
    go = PowerOfficeClient(settings.poweroffice, connections)
    return {
        "read chargebee": lambda: site.get("/customers"),
        "write chargebee": lambda: site.post("customer", "/customers", {"id": "c1"}),
        "read poweroffice": lambda: go.get("/Customers"),
        "write poweroffice": lambda: go.post("/Customers", {"Name": "x"}, priority=0),
    }


CALLS = ("read chargebee", "write chargebee", "read poweroffice", "write poweroffice")


def behind_the_token(reply: Reply) -> Answer:
    return lambda method, path: go_answer(method, path) if path == "/token" else reply


# --- bodies
# -------------------------------------------------------------------------------------------------

BODIES = {
    "gzip that is none": (Reply(LIST, headers=PACKED), "says gzip, and the body is none"),
    "gzip cut short": (
        Reply(gzip.compress(LIST)[:-4], headers=PACKED),
        "ends before its gzip stream does",
    ),
    "deflate that is none": (
        Reply(LIST, headers=(("Content-Encoding", "deflate"),)),
        "says deflate, and the body",
    ),
    "brotli": (
        Reply(b"\x0b\x02\x80{}\x03", headers=(("Content-Encoding", "br"),)),
        "only gzip, deflate is asked for",
    ),
    "gzip twice": (
        Reply(gzip.compress(gzip.compress(LIST)), headers=(("Content-Encoding", "gzip, gzip"),)),
        "only",
    ),
    "larger than the limit": (Reply(b" " * (LIMIT_BYTES + 1)), f"larger than {LIMIT_BYTES} bytes"),
    "a bomb": (
        Reply(gzip.compress(b" " * (LIMIT_BYTES * 100)), headers=PACKED),
        f"larger than {LIMIT_BYTES} bytes",
    ),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("name", BODIES)
def test_a_body_that_cannot_be_read_is_tried_again(name: str, call: str) -> None:
    """In words, and a write may have got through."""
    reply, words = BODIES[name]

    async def scenario() -> None:
        async with serving(behind_the_token(reply)) as server:
            connections = http(max_bytes=LIMIT_BYTES)
            error = await error_of(calls_of(tenant(server.address), connections)[call])
            await connections.aclose()
        assert isinstance(error, Retriable)
        assert words in str(error)
        assert error.maybe_applied == call.startswith("write")

    run(scenario())


@pytest.mark.parametrize(("status", "words"), [(429, "429"), (503, "503")])
def test_a_status_that_says_enough_needs_no_readable_body(status: int, words: str) -> None:
    """A garbled 429 pauses like any other."""

    async def scenario() -> None:
        async with serving(lambda method, path: Reply(LIST, status, headers=PACKED)) as server:
            connections = http()
            error = await error_of(
                lambda: ChargebeeClient(tenant(server.address).chargebee, connections).get("/items")
            )
            await connections.aclose()
        assert isinstance(error, Retriable)
        assert str(error).endswith(words)

    run(scenario())


@pytest.mark.parametrize(
    "name", ["gzip", "capitals", "deflate", "deflate without its header", "identity", "no bytes"]
)
def test_packed_answers_are_read(name: str) -> None:
    bare = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    packed = {
        "gzip": ("gzip", gzip.compress(LIST)),
        "capitals": ("GZIP", gzip.compress(LIST)),
        "deflate": ("deflate", zlib.compress(LIST)),
        "identity": ("identity", LIST),
        "deflate without its header": ("deflate", bare.compress(LIST) + bare.flush()),
        "no bytes": ("gzip", b""),
    }
    encoding, body = packed[name]
    reply = Reply(body, headers=(("Content-Encoding", encoding),))

    async def scenario() -> None:
        async with serving(lambda method, path: reply) as server:
            connections = http()
            answer = await connections.client(httpx.Auth()).get(server.address)
            await connections.aclose()
        assert answer.content == (LIST if body else b"")
        assert "content-encoding" not in answer.headers

    run(scenario())


def test_a_bomb_is_unpacked_no_further_than_asked() -> None:
    packing = _Packing("gzip")
    assert len(packing.unpack(gzip.compress(bytes(10_000_000)), 1001)) == 1001
    with pytest.raises(UnreadableBody):
        packing.end()


# --- without end
# --------------------------------------------------------------------------------------------


@asynccontextmanager
async def talking(first: bytes, again: bytes) -> AsyncIterator[str]:
    """A server that never comes to an end: `first`, then `again` for ever."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(first)
            while True:
                writer.write(again)
                await writer.drain()
                await asyncio.sleep(0.01 if again else NEVER_S)
        except (OSError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    listening = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    finally:
        listening.close()


OK = b"HTTP/1.1 200 OK\r\n"
ENDLESS = {
    "silence": (b"", b""),
    "half a head": (OK, b""),
    "a head without end": (OK, b"X-More: 1\r\n"),
    "early answers without end": (b"", b"HTTP/1.1 102 Processing\r\n\r\n"),
    "a body without end": (OK + b"\r\n", b" "),
    "chunks without end": (OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "gzip without end": (OK + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(LIST), b" "),
    "a promise that is not kept": (OK + b"Content-Length: 100\r\n\r\n", b""),
}


@pytest.mark.parametrize("call", ["read chargebee", "write chargebee", "read poweroffice"])
@pytest.mark.parametrize("name", ENDLESS)
def test_an_answer_without_end_is_given_up(name: str, call: str) -> None:
    """However steadily its pieces come. Go's token is asked for first, and cannot be had."""

    async def scenario() -> None:
        async with talking(*ENDLESS[name]) as address:
            connections = http(within_s=SOON_S)
            error = await error_of(calls_of(tenant(address), connections)[call])
            await connections.aclose()
        assert isinstance(error, Retriable)
        assert f"no whole answer within {SOON_S:g} s" in str(error)
        assert error.maybe_applied == call.startswith("write")

    run(scenario())


# --- redirects
# ----------------------------------------------------------------------------------------------

REDIRECTS = {
    "301": Reply(b"", 301, headers=(("Location", "/v3/customers?token=secret#at"),)),
    "302 to a page of a proxy": Reply(
        b"<html>", 302, "text/html", (("Location", "https://login.example/?k=secret"),)
    ),
    "303": Reply(b"", 303, headers=(("Location", "/v3"),)),
    "307 that would send the key elsewhere": Reply(
        b"", 307, headers=(("Location", "http://127.0.0.1:9/"),)
    ),
    "308": Reply(b"", 308, headers=(("Location", "//elsewhere"),)),
    "a redirect without an address": Reply(b"", 302),
    "a redirect with escapes": Reply(b"", 302, headers=(("Location", "/\x9b31m\xff"),)),
    "304 nobody asked for": Reply(b"", 304),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("name", REDIRECTS)
def test_a_redirect_is_refused_in_words(name: str, call: str) -> None:
    """It is not followed, and what may be secret in its address is not told."""

    async def scenario() -> None:
        async with serving(behind_the_token(REDIRECTS[name])) as server:
            connections = http()
            error = await error_of(calls_of(tenant(server.address), connections)[call])
            await connections.aclose()
            assert len([path for _, path in server.asked if path != "/token"]) == 1
        assert isinstance(error, Refused)
        assert (error.code, error.status) == ("redirected", REDIRECTS[name].status)
        assert "which is not followed; correct the address" in str(error)
        assert "secret" not in str(error)
        assert str(error).isprintable()

    run(scenario())


def test_a_redirect_of_the_token_refuses_no_command() -> None:
    """The command that waits for the token has not been sent."""

    async def scenario() -> None:
        async with serving(lambda method, path: REDIRECTS["301"]) as server:
            connections = http()
            error = await error_of(
                calls_of(tenant(server.address), connections)["write poweroffice"]
            )
            await connections.aclose()
        assert isinstance(error, Retriable)
        assert str(error).startswith("token: ")
        assert not error.maybe_applied

    run(scenario())


def test_cookies_are_not_kept() -> None:
    """One that cannot be sent back would end all later calls."""

    async def scenario() -> None:
        cookies = (("Set-Cookie", "a=b; Path=/"), ("Set-Cookie", "\xff=\x01"))
        async with serving(lambda method, path: Reply(LIST, headers=cookies)) as server:
            connections = http()
            client = connections.client(httpx.Auth())
            for _ in range(2):
                await client.get(server.address)
            assert not client.cookies
            await connections.aclose()

    run(scenario())


# --- addresses and keys
# -------------------------------------------------------------------------------------

KEYS = {
    "a letter beyond ASCII": "nøkkel-1234",
    "a newline": "nokkel-1234\n",
    "a newline inside": "nokkel\r\nX: 1234",
    "a byte that is no UTF-8": "nokkel-\udce5-1234",
    "half a surrogate pair": "nokkel-\ud800-1234",
    "a null": "nokkel-\x00-1234",
    "a blank at its end": "nokkel-1234 ",
}


@pytest.mark.parametrize("name", KEYS)
def test_a_key_that_no_header_may_hold_is_refused_in_words(name: str) -> None:
    """Go's subscription key is a header by itself; the others are packed, so that the vendor
    refuses them."""
    key = KEYS[name]

    async def scenario() -> None:
        refused = of(
            {
                "message": "no",
                "api_error_code": "api_authentication_failed",
                "error": "invalid_client",
            },
            401,
        )
        async with serving(lambda method, path: refused) as server:
            settings, connections = tenant(server.address), http()
            for owner, field in (
                ("chargebee", "api_key"),
                ("poweroffice", "application_key"),
                ("poweroffice", "client_key"),
                ("poweroffice", "subscription_key"),
            ):
                held = getattr(settings, owner).model_copy(update={field: SecretStr(key)})
                calls = calls_of(settings.model_copy(update={owner: held}), connections)
                error = await error_of(calls[f"write {owner}"])
                assert isinstance(error, Unauthorised), field
                assert "1234" not in str(error)
                if field == "subscription_key":
                    assert "the key in the header Ocp-Apim-Subscription-Key cannot be sent" in str(
                        error
                    )
            await connections.aclose()

    run(scenario())


ADDRESSES = {
    "a name that is none": "http://xn--\u2603.example",
    "an empty label": "http://a..b",
    "a label too long": f"http://{'a' * 64}.example",
    "a line break": "http://127.0.0.1:9/a\nb",
    "no name": "http://",
    "another scheme": "ftp://127.0.0.1:9",
    "nothing": "",
    "too long": f"http://127.0.0.1:9/{'x' * 70_000}",
    "half a surrogate pair": "http://127.0.0.1:9/\ud800",
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("name", ADDRESSES)
def test_an_address_that_is_none_ends_in_words(name: str, call: str) -> None:
    """Also one that settings let through. Nothing has been sent."""

    async def scenario() -> None:
        settings, connections = tenant("http://127.0.0.1:9"), http()
        at = {"base_url": ADDRESSES[name], "token_url": ADDRESSES[name]}
        for each in (settings.chargebee, settings.poweroffice):
            for field in at.keys() & type(each).model_fields:
                object.__setattr__(each, field, at[field])
        error = await error_of(calls_of(settings, connections)[call])
        await connections.aclose()
        assert not (isinstance(error, Retriable) and error.maybe_applied)
        assert len(str(error)) < 1000

    run(scenario())


def test_a_list_whose_next_page_cannot_be_addressed_ends_in_words() -> None:
    async def scenario() -> None:
        page = of({"list": [{"customer": CB_CUSTOMER}], "next_offset": "x" * 70_000})
        async with serving(lambda method, path: page) as server:
            connections = http()
            site = ChargebeeClient(tenant(server.address).chargebee, connections)
            error = await error_of(lambda: site.all("customer", "/customers"))
            await connections.aclose()
        assert isinstance(error, Refused)
        assert error.code == "invalid_url"

    run(scenario())


# --- the account
# --------------------------------------------------------------------------------------------

NO_ACCOUNT = {
    "an empty object": of({}),
    "null": of({"ClientId": None}),
    "an empty text": of({"ClientId": ""}),
    "blanks": of({"ClientId": "  "}),
    "an object": of({"ClientId": {"a": 1}}),
    "true": of({"ClientId": True}),
    "a list": of([]),
    "a text": of("ok"),
    "another object": of({"status": "ok"}),
    "no content": Reply(status=204),
    "a redirect": Reply(b"", 302, headers=(("Location", "/login"),)),
    "404": of({"title": "none"}, 404),
    "400": of({"message": "x", "api_error_code": "y"}, 400),
}


@pytest.mark.parametrize("pinned", [None, "the account", ""])
@pytest.mark.parametrize("system", ["chargebee", "poweroffice"])
@pytest.mark.parametrize("name", NO_ACCOUNT)
def test_an_answer_without_an_account_pins_and_stops_nothing(
    name: str, system: Any, pinned: str | None
) -> None:
    """It is asked again, also by the commands that wait for it; the account told then counts."""

    async def scenario() -> None:
        told: list[str] = []

        async def tell(_tenant: str, said: OfService) -> None:
            told.append(args_of(said)["id"])

        async with serving(behind_the_token(NO_ACCOUNT[name])) as server:
            settings, connections = tenant(server.address), http()
            site = ChargebeeClient(settings.chargebee, connections)
            go = PowerOfficeClient(settings.poweroffice, connections)

            async def ask() -> str:
                if system == "poweroffice":
                    return (await go.identity())[0]
                await site.probe()
                return "the account"

            identity = Identity("demo", system, pinned, ask, tell)
            error = await error_of(identity.check)
            assert isinstance(error, Retriable)
            assert told == []
            account = {"ClientId": "the account", "list": []}
            server.answer = behind_the_token(of(account))
            await identity.check()
            assert told == ["the account"]
            await connections.aclose()

    run(scenario())


@pytest.mark.parametrize("found", ["", " ", "\n"])
def test_an_empty_account_is_never_pinned(found: str) -> None:
    """Whoever asks for it."""

    async def scenario() -> None:
        async def tell(*_: Any) -> None:
            raise AssertionError

        async def ask() -> str:
            return found

        error = await error_of(Identity("demo", "chargebee", None, ask, tell).check)
        assert (
            str(error) == "chargebee names no account for demo; none is pinned, it is asked again"
        )

    run(scenario())


def test_an_account_that_kafka_does_not_take_refuses_no_command() -> None:
    """It is told again."""

    async def scenario() -> None:
        failures = [KafkaError()]

        async def tell(*_: Any) -> None:
            if failures:
                raise failures.pop()

        async def ask() -> str:
            return "x"

        identity = Identity("demo", "chargebee", None, ask, tell)
        assert isinstance(await error_of(identity.check), Retriable)
        await identity.check()

    run(scenario())
