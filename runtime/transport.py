"""How requests reach a vendor: one transport of httpx for each key, under the clients of all
tenants that use the key."""

import asyncio
import contextlib
import copy
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx

from runtime import traces
from runtime.adapter_metrics import LIMITER_S, READ_RETRIES, REQUEST_S, REQUESTS
from runtime.backoff import Backoff
from runtime.bodies import ACCEPTED, MAX_BODY_BYTES, UnreadableBody, body_of
from runtime.harmless import printable, shortened
from runtime.rate_limiter import PRIORITIES, READ, RateLimiter
from runtime.vendor import Refused, Retriable

TURN = "turn"  # the extension of a request that holds its Turn
MAX_READ_ATTEMPTS = 4
FIRST_PAUSE_S, MAX_PAUSE_S = 0.2, 1.6  # between the attempts of a read
CONNECT_S = 10.0
WHOLE_TIMES = 4  # a whole answer may take so many times as long as one piece of it
MAX_WORDS_CHARS = 200  # of an address in an error
_NOT_KEPT = (b"content-encoding", b"content-length", b"transfer-encoding", b"set-cookie")


@dataclass(frozen=True)
class Turn:
    """When a request goes out. `reserved`: its caller has waited at the limiter already, so that
    the first attempt goes out at once. `placed`: its caller holds one of `places`."""

    priority: int = READ
    reserved: bool = False
    placed: bool = False


class VendorTransport(httpx.AsyncBaseTransport):
    """One pool of HTTP/1.1 connections behind one limiter; a request ends as an answer, unpacked
    and whole, with a status below 500 other than 429 and 3xx, or as a VendorError.

    Retriable: trouble of the connection, 429, 5xx, a body that cannot be unpacked, is larger than
    `max_bytes`, or is not there after `within_s` seconds (WHOLE_TIMES `timeout_s`, which is the
    limit of each piece). Refused: a redirect, which is not followed. What httpx raises for an
    address that is none passes through, see `addressed`. Cookies are not kept: one that cannot be
    sent back would end all later calls.

    Reads are tried up to `read_attempts` times here, MAX_READ_ATTEMPTS unless given; a write is
    never repeated here, since it may have got through: the caller looks first. `calls` counts the
    requests sent. `locked` tells a 429 that is about one record from one that says the rate is
    spent; only the latter pauses the limiter, and so everybody. `look` is shown the head of each
    answer. `inner` sends instead of a pool of its own. `system` names the vendor in the metrics.
    """

    def __init__(
        self,
        limiter: RateLimiter,
        *,
        timeout_s: float = 30.0,
        within_s: float | None = None,
        max_bytes: int = MAX_BODY_BYTES,
        connections: int = 8,
        read_attempts: int | None = None,
        locked: Callable[[httpx.Response], bool] = lambda _: False,
        look: Callable[[httpx.Response], None] = lambda _: None,
        inner: httpx.AsyncBaseTransport | None = None,
        system: str = "",
    ) -> None:
        self.limiter = limiter
        self._system, self._tenant = system, ""
        self._locked, self._look, self._read_attempts = locked, look, read_attempts
        self._timeout = httpx.Timeout(timeout_s, connect=CONNECT_S)
        self._within_s, self._max_bytes = within_s or WHOLE_TIMES * timeout_s, max_bytes
        self.calls, self._closed = 0, asyncio.Event()
        # One for each connection, so that the pool makes nobody wait.
        self.places = asyncio.Semaphore(connections)
        limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
        self._inner = inner or httpx.AsyncHTTPTransport(trust_env=False, limits=limits)

    def for_tenant(self, tenant: str) -> "VendorTransport":
        """The same connections and limit, with the requests of a tenant counted as its own."""
        theirs = copy.copy(self)
        theirs._tenant, theirs.calls = tenant, 0
        return theirs

    def client(self, auth: httpx.Auth, base_url: str = "") -> httpx.AsyncClient:
        """A client for one tenant, to be left open: closing it would close the connections of all.
        Raises what `addressed` takes."""
        return httpx.AsyncClient(
            auth=auth,
            base_url=base_url,
            headers={"Accept": "application/json", "Accept-Encoding": ACCEPTED},
            timeout=self._timeout,
            transport=self,
            trust_env=False,
        )

    async def aclose(self) -> None:
        """No connection is opened any more."""
        self._closed.set()
        await self._inner.aclose()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        turn: Turn = request.extensions.get(TURN, Turn())
        most = (self._read_attempts or MAX_READ_ATTEMPTS) if request.method == "GET" else 1
        backoff, attempt = Backoff(FIRST_PAUSE_S, MAX_PAUSE_S), 1
        while True:
            if not (turn.reserved and attempt == 1):
                await self.turn(turn.priority)
            try:
                async with contextlib.nullcontext() if turn.placed else self.places:
                    return self._usable(await self._answer(request))
            except Retriable as error:
                if attempt == most:
                    raise
                wait_s = error.retry_after_s or 0.0
                READ_RETRIES.labels(self._tenant, self._system).inc()
            attempt += 1
            await backoff.pause(at_least_s=wait_s)

    async def turn(self, priority: int) -> None:
        """Wait at the limiter for one request."""
        with LIMITER_S.labels(self._tenant, self._system, PRIORITIES[priority]).time():
            await self.limiter.acquire(priority)

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        call, writes = _call(request), request.method != "GET"
        if self._closed.is_set():
            raise Retriable(f"{call}: the connections are closed")
        self.calls += 1
        try:
            return await self._seen(request)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError):
            raise
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise Retriable(f"{call}: cannot connect ({type(error).__name__})") from error
        except TimeoutError as error:
            words = f"{call}: no whole answer within {self._within_s:g} s"
            raise Retriable(words, maybe_applied=writes) from error
        except UnreadableBody as error:
            raise Retriable(f"{call}: {error}", maybe_applied=writes) from error
        # the libraries beneath raise more than they tell, such as groups and OverflowError
        except Exception as error:
            raise Retriable(f"{call}: {type(error).__name__}", maybe_applied=writes) from error

    async def _seen(self, request: httpx.Request) -> httpx.Response:
        """As `_whole`, counted with its time and its status, `none` where no whole answer comes."""
        begun_s, status = time.monotonic(), "none"
        try:
            with traces.request(request.method, str(request.url)) as span:
                answer = await self._whole(request)
                status = str(answer.status_code)
                span.tell(http_status=answer.status_code)
                return answer
        finally:
            REQUESTS.labels(self._tenant, self._system, request.method, status).inc()
            taken_s = time.monotonic() - begun_s
            REQUEST_S.labels(self._tenant, self._system, request.method).observe(taken_s)

    async def _whole(self, request: httpx.Request) -> httpx.Response:
        """The answer with its body. A status that says enough by itself needs none that can be
        read."""
        async with asyncio.timeout(self._within_s):
            answer = await self._inner.handle_async_request(request)
            self._look(answer)
            try:
                body = await body_of(answer, self._max_bytes)
            except UnreadableBody:
                if answer.status_code != 429 and answer.status_code < 500:
                    raise
                body = b""
            finally:
                await answer.aclose()
        kept = [(name, text) for name, text in answer.headers.raw if name.lower() not in _NOT_KEPT]
        return httpx.Response(answer.status_code, headers=kept, content=body, request=request)

    def _usable(self, answer: httpx.Response) -> httpx.Response:
        call, status = _call(answer.request), answer.status_code
        if status == 429:
            wait_s = _retry_after_s(answer)
            if self._locked(answer):
                words = f"{call}: 429, the record is locked by another request"
                raise Retriable(words, retry_after_s=wait_s)
            self.limiter.pause(wait_s)
            raise Retriable(f"{call}: 429", retry_after_s=wait_s)
        if status >= 500:
            raise Retriable(f"{call}: {status}", maybe_applied=answer.request.method != "GET")
        if 300 <= status < 400:
            raise Refused("redirected", f"{call}: {_redirect(answer)}", status=status)
        return answer


@contextlib.contextmanager
def addressed(method: str, url: str) -> Iterator[None]:
    """Raises Refused where no request can be addressed so; then nothing has been sent."""
    try:
        yield
    except (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError) as error:
        call = f"{method} {url[:MAX_WORDS_CHARS]}"
        words = f"{call}: no request can be addressed so: {_short(str(error))}"
        raise Refused("invalid_url", words) from error


def _call(request: httpx.Request) -> str:
    """A request in an error, without its query: that may hold personal data."""
    return f"{request.method} {str(request.url.copy_with(query=None))[:MAX_WORDS_CHARS]}"


def _redirect(answer: httpx.Response) -> str:
    """What to do about a redirect; of its address only what no secret stands in."""
    to, *_ = answer.headers.get("location", "").partition("?")[0].partition("#")
    where = f" to {_short(to)}" if to else ""
    return (
        f"{answer.status_code} sends{where}, which is not followed; "
        "correct the address in the settings, or look at what stands between this machine and "
        "the vendor"
    )


def _short(text: str) -> str:
    return shortened(printable(text), MAX_WORDS_CHARS)


def _retry_after_s(answer: httpx.Response) -> float:
    try:
        return min(60.0, max(1.0, float(answer.headers.get("Retry-After", "1"))))
    except ValueError:
        return 1.0
