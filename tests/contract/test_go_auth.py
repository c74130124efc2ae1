"""Tokens of Go among concurrent requests: how often they are fetched, and what a refusal means."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from contracts.settings import PowerOfficeSettings
from runtime.rate_limiter import LIVE, READ, RateLimiter
from runtime.transport import VendorTransport
from runtime.vendor import Retriable, Unauthorised
from services.poweroffice_adapter.client import PowerOfficeClient, counting
from tests.waiting import PATIENCE_S, until

CALLS = 20
EXPIRES_S = 1200
KEYS = "Basic YXBwbGljYXRpb24tMTpjbGllbnQtMQ=="  # application-1:client-1
SETTINGS = PowerOfficeSettings(
    base_url="http://go.test/v2",
    token_url="http://go.test/token",
    application_key=SecretStr("application-1"),
    client_key=SecretStr("client-1"),
    subscription_key=SecretStr("subscription-1"),
)


class Company(httpx.AsyncBaseTransport):
    """Gives tokens by number and takes the newest one, unless `takes_none`. `refuses` are the
    answers to the next token requests."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.tokens, self.takes_none = 0, False
        self.refuses: list[httpx.Response] = []
        self.meeting: asyncio.Barrier | None = None

    def void(self, together: int = 1) -> asyncio.Barrier:
        """Every token given so far; so many requests with one are answered at the same time."""
        self.tokens += 1
        self.meeting = asyncio.Barrier(together)
        return self.meeting

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked[request.url.path] += 1
        await asyncio.sleep(0)  # as a network would, so that the others begin
        if request.url.path == "/token":
            return self._token(request)
        usable = request.headers["Authorization"] == f"Bearer token-{self.tokens}"
        if self.takes_none or not usable:
            if self.meeting is not None:
                await self.meeting.wait()
            return httpx.Response(401)
        return httpx.Response(200, json={"Id": 1})

    def _token(self, request: httpx.Request) -> httpx.Response:
        assert request.headers["Authorization"] == KEYS
        if self.refuses:
            return self.refuses.pop(0)
        self.tokens += 1
        return httpx.Response(
            200, json={"access_token": f"token-{self.tokens}", "expires_in": EXPIRES_S}
        )


class Gate(RateLimiter):
    """Lets nobody through while it is shut; `waiting` are those before it."""

    def __init__(self) -> None:
        super().__init__(0, 1, 1)
        self.open, self.waiting = asyncio.Event(), 0
        self.open.set()

    async def acquire(self, priority: int = READ) -> None:
        self.waiting += 1
        await self.open.wait()
        self.waiting -= 1
        await super().acquire(priority)


def client_of(
    company: Company, limiter: RateLimiter | None = None, **more: Any
) -> PowerOfficeClient:
    connections = more.pop("connections", CALLS)
    transport = VendorTransport(
        limiter or RateLimiter(0, 1, 1), connections=connections, inner=company
    )
    return PowerOfficeClient(SETTINGS, transport, **more)


def run(scenario: Awaitable[None]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(PATIENCE_S):
            await scenario

    asyncio.run(limited())


async def together(call: Callable[[], Awaitable[Any]]) -> list[Any]:
    return await asyncio.gather(*(call() for _ in range(CALLS)), return_exceptions=True)


@pytest.mark.parametrize("connections", [1, CALLS])
def test_a_storm_of_401_renews_the_token_once(connections: int) -> None:
    """Also with one connection: no call holds it while it waits for the token."""

    async def scenario() -> None:
        company = Company()
        client = client_of(company, connections=connections)
        await client.get("/Customers/1")
        company.void(together=connections)
        with counting() as counted:
            answers = await together(lambda: client.get("/Customers/1"))
        assert answers == [{"Id": 1}] * CALLS
        assert company.asked["/token"] == 2
        assert counted == [2 * CALLS]
        assert company.asked["/v2/Customers/1"] == 1 + 2 * CALLS

    run(scenario())


def test_a_late_401_does_not_give_up_the_new_token() -> None:
    """It was meant for the old one."""

    async def scenario() -> None:
        company = Company()
        client = client_of(company)
        await client.get("/Customers/1")
        held = company.void(together=2)
        late = asyncio.create_task(client.get("/Customers/2"))
        await until("its refusal is held back", lambda: held.n_waiting)
        company.meeting = None
        assert await client.get("/Customers/1") == {"Id": 1}
        await held.wait()
        assert await late == {"Id": 1}
        assert company.asked["/token"] == 2

    run(scenario())


CALLED: dict[str, Callable[[PowerOfficeClient], Awaitable[Any]]] = {
    "read": lambda client: client.get("/Customers"),
    "write": lambda client: client.post("/Customers", {}, priority=LIVE),
}


@pytest.mark.parametrize("call", CALLED)
def test_a_401_with_a_new_token_is_unauthorised(call: str) -> None:
    """After one renewal, of a write too, which was refused and not carried out."""

    async def scenario() -> None:
        company = Company()
        client = client_of(company)
        company.takes_none = True
        with pytest.raises(Unauthorised, match="401 with a new token") as raised:
            await CALLED[call](client)
        assert raised.value.code == "http_401"
        assert company.asked == {"/v2/Customers": 2, "/token": 2}

    run(scenario())


def test_a_token_that_expires_before_the_limiter_lets_go_is_renewed_once() -> None:
    """What waited goes out with the old token, is refused, and goes out once more."""

    async def scenario() -> None:
        now_s = [0.0]
        company, gate = Company(), Gate()
        client = client_of(company, gate, clock=lambda: now_s[0])
        await client.get("/Customers/1")
        gate.open.clear()
        calls = asyncio.create_task(together(lambda: client.get("/Customers/1")))
        await until("all wait at the limiter", lambda: gate.waiting == CALLS)
        now_s[0] = float(EXPIRES_S)
        company.void()
        gate.open.set()
        assert await calls == [{"Id": 1}] * CALLS
        assert company.asked["/token"] == 2

    run(scenario())


def test_one_fetches_the_token_and_a_failure_is_of_one_only() -> None:
    """Those behind it ask for themselves; a write that has not been sent cannot have passed."""

    async def scenario() -> None:
        company = Company()
        company.refuses = [httpx.Response(503)]
        client = client_of(company)
        answers = await together(lambda: client.post("/Customers", {}, priority=LIVE))
        [failed] = [each for each in answers if each != {"Id": 1}]
        assert isinstance(failed, Retriable)
        assert str(failed).startswith("token: ")
        assert not failed.maybe_applied
        assert company.asked["/token"] == 2

    run(scenario())


def test_a_token_is_renewed_before_it_ends() -> None:
    async def scenario() -> None:
        now_s = [0.0]
        company = Company()
        client = client_of(company, clock=lambda: now_s[0])
        for at_s, fetched in ((0, 1), (EXPIRES_S - 61, 1), (EXPIRES_S - 60, 2)):
            now_s[0] = float(at_s)
            await client.get("/Customers/1")
            assert company.asked["/token"] == fetched

    run(scenario())
