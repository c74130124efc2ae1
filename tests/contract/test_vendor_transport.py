"""What httpx does by itself and the vendors' transport leaves out: redirects and the environment;
and what each attempt of a read waits for."""

import asyncio
import sys
from collections.abc import Awaitable
from dataclasses import replace

import httpx
import pytest

from runtime import transport as transports
from runtime.rate_limiter import BULK, RateLimiter
from runtime.transport import TURN, Turn, VendorTransport
from runtime.vendor import Refused, Retriable
from tests.contract.test_clients_under_faults import Reply, of, serving
from tests.waiting import PATIENCE_S

NOBODY = "http://127.0.0.1:9"


def run(scenario: Awaitable[None]) -> None:
    asyncio.run(asyncio.wait_for(scenario, PATIENCE_S))


def connections(limiter: RateLimiter | None = None) -> VendorTransport:
    return VendorTransport(limiter or RateLimiter(0, 1, 1), timeout_s=PATIENCE_S)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_key_does_not_follow_a_redirect(method: str, status: int) -> None:
    """Not even where a caller asks httpx for it."""

    async def scenario() -> None:
        async with serving(lambda *_: of({})) as elsewhere:
            redirect = Reply(b"", status, headers=(("Location", f"{elsewhere.address}/x"),))
            async with serving(lambda *_: redirect) as server:
                held = connections()
                http = held.client(httpx.BasicAuth("key", ""), server.address)
                with pytest.raises(Refused, match="which is not followed"):
                    await http.request(method, "/customers", follow_redirects=True)
                await held.aclose()
            assert (server.asked, elsewhere.asked) == ([(method, "/customers")], [])

    run(scenario())


def test_the_environment_does_not_choose_the_way(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Neither a proxy nor other certificates nor keys of a netrc."""
    netrc = tmp_path_factory.mktemp("home") / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password else")
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, NOBODY)
        monkeypatch.setenv(name.lower(), NOBODY)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    # httpx that trusts the environment cannot even be made with these.
    monkeypatch.setenv("SSL_CERT_FILE", str(netrc))
    monkeypatch.setenv("SSL_CERT_DIR", str(netrc))

    async def scenario() -> None:
        async with serving(lambda *_: of({"list": []})) as server:
            held = connections()
            http = held.client(httpx.BasicAuth("key", ""), server.address)
            answer = await http.get("/customers")
            await held.aclose()
        assert answer.json() == {"list": []}
        assert answer.request.headers["Authorization"] == "Basic a2V5Og=="

    run(scenario())


class Searched:
    """A finder of modules that finds none, and keeps what was looked for."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def find_spec(self, name: str, *_: object) -> None:
        self.names.append(name)


def test_no_request_looks_for_a_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python looks through its whole path each time for one that is missing; httpcore imports
    within every request."""
    searched = Searched()

    async def scenario() -> None:
        async with serving(lambda *_: of({})) as server:
            held = connections()
            http = held.client(httpx.BasicAuth("key", ""), server.address)
            await http.get("/customers")
            monkeypatch.setattr(sys, "meta_path", [searched, *sys.meta_path])
            await http.get("/customers")
            await held.aclose()

    run(scenario())
    assert searched.names == []


def test_nothing_is_sent_after_the_end() -> None:
    """The pool of httpx would open new connections, which nobody closes."""

    async def scenario() -> None:
        async with serving(lambda *_: of({})) as server:
            held = connections()
            http = held.client(httpx.Auth(), server.address)
            await http.get("/x")
            await held.aclose()
            with pytest.raises(Retriable, match="closed") as raised:
                await http.post("/x")
            assert not raised.value.maybe_applied
            assert (held.calls, server.asked) == (1, [("GET", "/x")])

    run(scenario())


class Asked(RateLimiter):
    """Writes down who waits."""

    def __init__(self) -> None:
        super().__init__(0, 1, 1)
        self.priorities: list[int] = []

    async def acquire(self, priority: int = BULK) -> None:
        self.priorities.append(priority)


@pytest.mark.parametrize(
    ("method", "reserved", "waits"),
    [("GET", False, 3), ("GET", True, 2), ("POST", False, 1), ("POST", True, 0)],
)
def test_each_attempt_waits_at_the_limiter(
    monkeypatch: pytest.MonkeyPatch, method: str, reserved: bool, waits: int
) -> None:
    """At the priority of its caller, but for a first one that was reserved; a write has one."""
    monkeypatch.setattr(transports, "MAX_READ_ATTEMPTS", 3)
    monkeypatch.setattr(transports, "FIRST_PAUSE_S", 0.0)

    async def scenario() -> None:
        limiter, turn = Asked(), Turn(BULK)
        async with serving(lambda *_: of({}, 503)) as server:
            held = connections(limiter)
            http = held.client(httpx.Auth(), server.address)
            with pytest.raises(Retriable, match="503") as raised:
                await http.request(
                    method, "/x", extensions={TURN: replace(turn, reserved=reserved)}
                )
            await held.aclose()
        assert limiter.priorities == [BULK] * waits
        assert held.calls == len(server.asked) == (3 if method == "GET" else 1)
        assert raised.value.maybe_applied == (method == "POST")

    run(scenario())
