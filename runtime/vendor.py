"""What talking to a vendor's API comes to: errors that say what to do next, and one rate limiter
per key.

VendorError
├── Retriable      the same call may succeed later; `maybe_applied` when the write could have passed
├── Refused        permanent for this content; code, field and the vendor's words
│   └── NotFound   the addressed record does not exist
└── Unauthorised   the key is refused: everything of the tenant stops until a person acts
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable

from contracts.messages import Problem
from runtime.masking import masked

LIVE, READ, BULK = 0, 1, 2  # who waits at the limiter
PRIORITIES = ("live", "read", "bulk")
READ_EVERY = 5
ROUNDING = 1e-9  # of a token; without it the last bit of a float is waited for without end


class VendorError(Exception):
    """Anything a vendor's API answered other than success. Here its answer becomes words, which are
    kept: our own secrets are masked in them, also in `code` and `field`."""

    def __init__(self, message: str) -> None:
        super().__init__(masked(message))


class Retriable(VendorError):
    """429, 5xx, a timeout, a reset connection, or an answer that cannot be read."""

    def __init__(
        self, message: str, *, maybe_applied: bool = False, retry_after_s: float | None = None
    ) -> None:
        super().__init__(message)
        self.maybe_applied = maybe_applied
        self.retry_after_s = retry_after_s


class Refused(VendorError):
    """A permanent refusal. `status` is the HTTP status, or None where no call was made."""

    def __init__(
        self, code: str, message: str, *, field: str | None = None, status: int | None = None
    ) -> None:
        super().__init__(message)
        self.code, self.message, self.status = masked(code), masked(message), status
        self.field = None if field is None else masked(field)

    @classmethod
    def of(cls, problem: Problem) -> "Refused":
        """The refusal for a problem that was found before anything was sent."""
        return cls(problem.code, problem.message, field=problem.field)


class NotFound(Refused):
    """The addressed record does not exist."""


class Unauthorised(VendorError):
    """The credentials are refused or lack a privilege. `code` is the vendor's, or `http_` and the
    status."""

    def __init__(self, message: str, *, code: str = "") -> None:
        super().__init__(message)
        self.code = masked(code)


class RateLimiter:
    """A token bucket for one key, shared by the sources and sinks of all tenants that use the key.

    `rate` tokens per `per_s` seconds, at most `burst` at once. LIVE calls go first; while BULK
    calls wait, READ calls get one token in READ_EVERY, so that polling cannot starve a backfill,
    nor a backfill polling. `pause` stops everybody for some seconds, as a 429 asks. `clock` gives
    seconds.
    """

    def __init__(
        self,
        rate: float,
        per_s: float,
        burst: float,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
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
