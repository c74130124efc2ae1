"""How an adapter meets a vendor's API: errors that say what to do next, one rate limiter per key, HTTP calls.

VendorError
├── Retriable      the same call may succeed later; `maybe_applied` when the write could have got through
├── Refused        permanent for this content; code, field and the vendor's words
│   └── NotFound   the addressed record does not exist
└── Unauthorised   the key is refused: everything of the tenant stops until a person acts
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable
from typing import Literal

import httpx

LIVE, READ, BULK = 0, 1, 2  # who waits at the limiter
READ_EVERY = 5
ROUNDING = 1e-9  # of a token; without it the last bit of a float is waited for without end


class VendorError(Exception):
    """Anything a vendor's API answered other than success."""


class Retriable(VendorError):
    """429, 5xx, a timeout or a reset connection."""

    def __init__(self, message: str, *, maybe_applied: bool = False, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.maybe_applied = maybe_applied
        self.retry_after_s = retry_after_s


class Refused(VendorError):
    """A permanent refusal. `status` is the HTTP status, or None where no call was made."""

    def __init__(self, code: str, message: str, *, field: str | None = None, status: int | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.field, self.status = code, message, field, status


class NotFound(Refused):
    """The addressed record does not exist."""


class Unauthorised(VendorError):
    """The credentials are refused or lack a privilege. `code` is the vendor's, or `http_` and the status."""

    def __init__(self, message: str, *, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class RateLimiter:
    """A token bucket for one key, shared by the sources and sinks of all tenants that use the key.

    `rate` tokens per `per_s` seconds, at most `burst` at once. LIVE calls go first; while BULK calls wait, READ calls
    get one token in READ_EVERY, so that polling cannot starve a backfill, nor a backfill polling. `pause` stops
    everybody for some seconds, as a 429 asks. `clock` gives seconds.
    """

    def __init__(self, rate: float, per_s: float, burst: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_token_s = per_s / rate if rate else 0.0
        self._burst = burst
        self._clock = clock
        self._tokens = burst
        self._filled_at = clock()
        self._paused_until = 0.0
        self._waiting: tuple[deque[asyncio.Future[None]], ...] = (deque(), deque(), deque())
        self._bulk_in_a_row = 0
        self._server: asyncio.Task[None] | None = None
        self.taken = 0

    @property
    def rate_per_s(self) -> float | None:
        """Tokens a second; None without a limit."""
        return 1 / self._per_token_s if self._per_token_s else None

    async def acquire(self, priority: int = READ) -> None:
        """Wait for one token."""
        if not self._per_token_s:
            self.taken += 1
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[priority].append(future)
        if self._server is None or self._server.done():
            self._server = asyncio.create_task(self._serve())
        await future

    def give_back(self, tokens: int) -> None:
        """Return tokens that were waited for and not used; during a pause they are lost."""
        self.taken -= tokens
        if self._clock() >= self._paused_until:
            self._tokens = min(self._burst, self._tokens + tokens)

    def pause(self, seconds: float) -> None:
        """Let nobody through for so many seconds, and begin again with an empty bucket."""
        self._paused_until = max(self._paused_until, self._clock() + seconds)
        self._tokens, self._filled_at = 0.0, self._paused_until

    async def _serve(self) -> None:
        while any(self._waiting):
            delay_s = self._until_next()
            if delay_s > 0:
                await asyncio.sleep(delay_s)
                continue
            future = self._next()
            if not future.done():
                self._tokens -= 1
                self.taken += 1
                future.set_result(None)
                await asyncio.sleep(0)

    def _next(self) -> "asyncio.Future[None]":
        live, read, bulk = self._waiting
        if live:
            return live.popleft()
        if bulk and (not read or self._bulk_in_a_row < READ_EVERY - 1):
            self._bulk_in_a_row += 1
            return bulk.popleft()
        self._bulk_in_a_row = 0
        return read.popleft()

    def _until_next(self) -> float:
        now = self._clock()
        if now < self._paused_until:
            return self._paused_until - now
        earned = max(0.0, now - self._filled_at) / self._per_token_s
        self._tokens = min(self._burst, self._tokens + earned)
        self._filled_at = max(now, self._filled_at)
        missing = 1 - self._tokens
        return 0.0 if missing < ROUNDING else missing * self._per_token_s


Method = Literal["GET", "POST", "PATCH", "DELETE"]
MAX_READ_ATTEMPTS = 4


class VendorHttp:
    """One pooled HTTP/1.1 client behind one limiter; turns transport trouble, 429 and 5xx into Retriable.

    Reads are tried up to `read_attempts` times here, MAX_READ_ATTEMPTS unless given; a write is never repeated here,
    since it may have got through: the caller looks first. `calls` counts the requests sent. `locked` tells a 429 that
    is about one record from one that says the rate is spent; only the latter pauses the limiter, and so everybody.
    """

    def __init__(
        self,
        limiter: RateLimiter,
        *,
        timeout_s: float = 30.0,
        connections: int = 8,
        read_attempts: int | None = None,
        locked: Callable[[httpx.Response], bool] = lambda _: False,
    ) -> None:
        self.limiter = limiter
        self._locked, self._read_attempts = locked, read_attempts
        self.calls = 0
        self.places = asyncio.Semaphore(connections)  # one for each connection, so that the pool makes nobody wait
        self.http = httpx.AsyncClient(
            timeout=httpx.Timeout(timeout_s, connect=10.0),
            limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
            trust_env=False,
        )

    async def close(self) -> None:
        await self.http.aclose()

    async def send(
        self,
        method: Method,
        url: str,
        *,
        priority: int,
        headers: dict[str, str],
        params: dict[str, str] | None = None,
        content: bytes | None = None,
        reserved: bool = False,
        placed: bool = False,
    ) -> httpx.Response:
        """The answer with a status below 500 other than 429. Raises Retriable.

        `reserved`: the caller has waited at the limiter already, so that the first attempt goes out at once.
        `placed`: the caller holds one of `places`.
        """
        place = contextlib.nullcontext() if placed else self.places
        attempts = (self._read_attempts or MAX_READ_ATTEMPTS) if method == "GET" else 1
        for attempt in range(attempts):
            try:
                if not (reserved and attempt == 0):
                    await self.limiter.acquire(priority)
                async with place:
                    return await self._once(method, url, headers, params, content)
            except Retriable as error:
                if attempt == attempts - 1:
                    raise
                await asyncio.sleep(max(error.retry_after_s or 0.0, 0.2 * 2**attempt))
        raise AssertionError("unreachable")

    async def _once(
        self,
        method: Method,
        url: str,
        headers: dict[str, str],
        params: dict[str, str] | None,
        content: bytes | None,
    ) -> httpx.Response:
        self.calls += 1
        writes = method != "GET"
        try:
            answer = await self.http.request(method, url, params=params, content=content, headers=headers)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise Retriable(f"{method} {url}: cannot connect ({type(error).__name__})") from error
        except httpx.TransportError as error:
            raise Retriable(f"{method} {url}: {type(error).__name__}", maybe_applied=writes) from error
        if answer.status_code == 429:
            wait_s = _retry_after_s(answer)
            if self._locked(answer):
                raise Retriable(f"{method} {url}: 429, the record is locked by another request", retry_after_s=wait_s)
            self.limiter.pause(wait_s)
            raise Retriable(f"{method} {url}: 429", retry_after_s=wait_s)
        if answer.status_code >= 500:
            raise Retriable(f"{method} {url}: {answer.status_code}", maybe_applied=writes)
        return answer


def _retry_after_s(answer: httpx.Response) -> float:
    try:
        return min(60.0, max(1.0, float(answer.headers.get("Retry-After", "1"))))
    except ValueError:
        return 1.0
