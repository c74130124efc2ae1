"""Bad weather between a client and its vendor: every third request meets a fault, in turn and the
same in every run."""

from collections.abc import Iterator
from itertools import cycle
from typing import Protocol

import httpx
import msgspec
import pytest

from contracts.messages import Command, Outcome
from runtime.rate_limiter import RateLimiter
from runtime.transport import VendorTransport
from runtime.vendor import Retriable
from tests.waiting import PATIENCE_S

EVERY = 3
MAX_ATTEMPTS = 20
WEATHER: list[str] = []  # what blows around the test that runs


class Weather(httpx.AsyncBaseTransport):
    """Passes requests on, but for every third, which is refused, lost on the way, or carried out
    with its reply lost.

    `struck` counts the faults.
    """

    def __init__(self) -> None:
        self._inner = httpx.AsyncHTTPTransport(trust_env=False)
        self._requests = self.struck = 0
        self._kinds = cycle(("lost_reply", "500", "html_502", "reset", "503"))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._requests += 1
        if self._requests % EVERY:
            return await self._inner.handle_async_request(request)
        self.struck += 1
        match next(self._kinds):
            case "lost_reply":
                answer = await self._inner.handle_async_request(request)
                await answer.aread()
                await answer.aclose()
                raise httpx.ReadError(
                    "the connection was reset after the request was carried out", request=request
                )
            case "reset":
                raise httpx.WriteError("the connection was reset", request=request)
            case "html_502":
                return httpx.Response(
                    502, html="<html><h1>Bad gateway</h1></html>", request=request
                )
            case status:
                return httpx.Response(int(status), json={"message": "later"}, request=request)

    async def aclose(self) -> None:
        await self._inner.aclose()


def connections() -> VendorTransport:
    """Without a rate limit, in the weather around the test that runs."""
    inner = Weather() if WEATHER else None
    return VendorTransport(RateLimiter(0, 1, 1), timeout_s=PATIENCE_S, inner=inner)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every test of a module that imports this runs twice, once with faults on every third request;
    those marked `calm`, which make faults of their own or count requests, run once."""
    is_calm = metafunc.definition.get_closest_marker("calm") is not None
    metafunc.parametrize("weather", ["calm"] if is_calm else ["calm", "storm"], indirect=True)


@pytest.fixture(autouse=True)
def weather(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "storm":
        WEATHER.append("storm")
    yield request.param
    WEATHER.clear()


class Applies(Protocol):
    """A sink."""

    async def apply(self, command: Command) -> Outcome: ...


async def through_the_weather(sink: Applies, command: Command) -> Outcome:
    """Carry out a command as the runner of the sinks does: again after trouble, looking first where
    it may have got through. Calm weather lets every error out."""
    for _ in range(MAX_ATTEMPTS):
        try:
            return await sink.apply(command)
        except Retriable as error:
            if not WEATHER:
                raise
            if error.maybe_applied:
                command = msgspec.structs.replace(command, look_first=True)
    raise AssertionError(f"no outcome after {MAX_ATTEMPTS} attempts")


def made_new() -> set[str]:
    """How a create may end: whose reply was lost finds its own record."""
    return {"applied", "adopted"} if WEATHER else {"applied"}
