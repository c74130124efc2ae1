"""Requests per minute over the whole site, and the memory behind idempotency keys."""

import math
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

from simulators.chargebee.errors import ApiError, rate_limited, wrong_value

WINDOW_S: Final = 60.0
IDEMPOTENCY_WINDOW_S: Final = 30 * 60
MAX_KEY_CHARS: Final = 100

Pairs = Sequence[tuple[str, str]]


class RateLimit:
    """A sliding minute shared by all keys of the site."""

    def __init__(self) -> None:
        self._starts_s: deque[float] = deque()

    def check(self, limit_per_minute: int, now_s: float) -> None:
        """Count one request at `now_s` of the site's clock; raises 429 with `Retry-After` when the
        minute is full.

        0 means no limit.
        """
        if limit_per_minute <= 0:
            return
        # A clock that was set back must not leave requests in the future, which would never expire.
        while self._starts_s and not 0 <= now_s - self._starts_s[0] < WINDOW_S:
            self._starts_s.popleft()
        if len(self._starts_s) >= limit_per_minute:
            raise rate_limited(max(1, math.ceil(WINDOW_S - (now_s - self._starts_s[0]))))
        self._starts_s.append(now_s)

    def clear(self) -> None:
        self._starts_s.clear()


class IdempotencyStore:
    """Successful replies by key and path, for 30 minutes [docs]. Failures are not replayed."""

    def __init__(self) -> None:
        self._replies: dict[
            tuple[str, str], tuple[float, list[tuple[str, str]], dict[str, Any]]
        ] = {}
        self.on_remember: Callable[[str, str, tuple[Any, ...]], None] = lambda key, path, stored: (
            None
        )

    def replay(self, key: str, path: str, pairs: Pairs, now_s: float) -> dict[str, Any] | None:
        """The stored reply. Raises 422 when the parameters differ from those of the first call."""
        if len(key) > MAX_KEY_CHARS:
            raise wrong_value(
                "chargebee-idempotency-key", f"should not exceed {MAX_KEY_CHARS} characters"
            )
        stored = self._replies.get((key, path))
        if stored is None or now_s - stored[0] > IDEMPOTENCY_WINDOW_S:
            return None
        if stored[1] != sorted(pairs):
            raise ApiError(
                422,
                "unable_to_process_request",
                "The idempotency key was used with other parameters",
            )
        return stored[2]

    def remember(
        self, key: str, path: str, pairs: Pairs, reply: dict[str, Any], now_s: float
    ) -> None:
        self._replies[key, path] = (now_s, sorted(pairs), reply)
        self.on_remember(key, path, self._replies[key, path])

    def clear(self) -> None:
        self._replies.clear()
