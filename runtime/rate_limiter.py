"""Who may call a vendor next: one rate limiter per key."""

import asyncio
import time
from collections import deque
from collections.abc import Callable

LIVE, READ, BULK = 0, 1, 2  # who waits at the limiter
PRIORITIES = ("live", "read", "bulk")
READ_EVERY = 5
LIVE_LATELY_S = 60.0  # so long after a LIVE call BULK calls keep a place for the next
WINDOW_MARGIN = 1.05  # a window is so much longer than the vendor's, for what arrives late
ROUNDING = 1e-9  # of a token; without it the last bit of a float is waited for without end


class RateLimiter:
    """A token bucket for one key, shared by the sources and sinks of all tenants that use the key.

    `rate` tokens per `per_s` seconds, at most `burst` at once. LIVE calls go first, and need not
    wait for a token while fewer than `overdraft` are owed: what they take is missing for the others
    afterwards. While BULK calls wait, READ calls get one token in READ_EVERY, so that polling
    cannot starve a backfill, nor a backfill polling; READ calls get `read_share` of the rate at
    most. Whoever calls, no more than `most` go out within `within_s` seconds, a window. The last
    place of it is for a LIVE call: READ calls never take it, BULK calls do where no LIVE call came
    lately. `pause` stops everybody for some seconds, as a 429 asks. `clock` gives seconds.
    """

    def __init__(
        self,
        rate: float,
        per_s: float,
        burst: float,
        *,
        overdraft: float = 0.0,
        read_share: float = 1.0,
        most: int | None = None,
        within_s: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._per_token_s = per_s / rate if rate else 0.0
        self._burst, self._overdraft = burst, overdraft
        self._read_every_s = self._per_token_s / read_share if read_share < 1 else 0.0
        self._clock = clock
        self._tokens = burst
        self._filled_at = clock()
        self._paused_until = self._next_read_at = 0.0
        self._live_at: float | None = None
        self._most, self._within_s = most, within_s
        self._sent: deque[float] = deque(maxlen=most or 0)  # the newest, for the window
        self._waiting: tuple[deque[asyncio.Future[None]], ...] = (deque(), deque(), deque())
        self._bulk_in_a_row = 0
        self._server: asyncio.Task[None] | None = None
        self.taken = 0

    @classmethod
    def counted(cls, rate: float, *, clock: Callable[[], float] = time.monotonic) -> "RateLimiter":
        """For a vendor that counts the requests of each second, `rate` at most, and answers 429 to
        one more: evenly spread over a window that is a little longer, so that a request which
        arrives late stands in no second with too many. LIVE calls are not spread, and reading takes
        half of the rate at most."""
        most = max(1, int(rate))
        slower = rate / WINDOW_MARGIN
        return cls(
            slower,
            1.0,
            1.0,
            overdraft=most,
            read_share=max(1, most - 1) / most,
            most=most,
            within_s=most / slower,
            clock=clock,
        )

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
        if self._server is not None and priority == LIVE:
            # It may be asleep until another one's turn, which comes later.
            self._server.cancel()
            self._server = None
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
        self._tokens, self._filled_at = min(0.0, self._tokens), self._paused_until

    async def _serve(self) -> None:
        while any(self._waiting):
            priority, delay_s = self._next()
            if delay_s > 0:
                await asyncio.sleep(delay_s)
                continue
            future = self._waiting[priority].popleft()
            if not future.done():
                self._take(priority)
                future.set_result(None)
                await asyncio.sleep(0)

    def _take(self, priority: int) -> None:
        now = self._clock()
        self._tokens -= 1
        self.taken += 1
        self._sent.append(now)
        if priority == LIVE:
            self._live_at = now
        elif priority == READ:
            self._next_read_at = now + self._read_every_s
            self._bulk_in_a_row = 0
        elif priority == BULK:
            self._bulk_in_a_row += 1

    def _next(self) -> tuple[int, float]:
        """Whose turn is next, and how many seconds away it is."""
        live, read, bulk = self._waiting
        now = self._clock()
        if now < self._paused_until:
            return READ, self._paused_until - now
        self._fill(now)
        if live:
            return LIVE, max(self._for_tokens(1 - self._overdraft), self._for_window(now))
        delay_s = max(self._for_tokens(1), self._for_window(now, kept=self._is_live_lately(now)))
        read_delay_s = max(delay_s, self._for_window(now, kept=True), self._next_read_at - now)
        if bulk and (not read or self._bulk_in_a_row < READ_EVERY - 1 or read_delay_s > delay_s):
            return BULK, delay_s
        return READ, read_delay_s

    def _fill(self, now: float) -> None:
        earned = max(0.0, now - self._filled_at) / self._per_token_s
        self._tokens = min(self._burst, self._tokens + earned)
        self._filled_at = max(now, self._filled_at)

    def _for_tokens(self, wanted: float) -> float:
        missing = wanted - self._tokens
        return 0.0 if missing < ROUNDING else missing * self._per_token_s

    def _for_window(self, now: float, *, kept: bool = False) -> float:
        """Seconds until the window has a place, or two where one is `kept` for an edit."""
        places = self._most if self._most is None else max(1, self._most - kept)
        return _until_free(self._sent, places, self._within_s, now)

    def _is_live_lately(self, now: float) -> bool:
        return self._live_at is not None and now - self._live_at <= LIVE_LATELY_S


def _until_free(sent: deque[float], places: int | None, within_s: float, now: float) -> float:
    """Seconds until fewer than `places` were sent within `within_s`."""
    if places is None or len(sent) < places:
        return 0.0
    missing_s = sent[-places] + within_s - now
    return 0.0 if missing_s < ROUNDING else missing_s
