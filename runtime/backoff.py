"""Pauses between attempts, which double: the one place that waits for something to get better."""

import asyncio
import random


class Backoff:
    """Pauses from `first_s` to `most_s`; `next_s` is the one that comes."""

    def __init__(self, first_s: float, most_s: float) -> None:
        self._first_s, self._most_s = first_s, most_s
        self.next_s = first_s

    def begin_again(self) -> None:
        """The next pause is the first one: something went well."""
        self.next_s = self._first_s

    async def pause(self, *, at_least_s: float = 0.0, jitter: float = 0.0) -> None:
        """Wait, at least as long as whoever was asked wants; `jitter` is the share by which the
        pause may differ, so that many that failed together do not come back together."""
        pause_s, self.next_s = self.next_s, min(self._most_s, self.next_s * 2)
        await asyncio.sleep(max(at_least_s, pause_s * random.uniform(1 - jitter, 1 + jitter)))
