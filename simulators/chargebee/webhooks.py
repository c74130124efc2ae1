"""The webhook sender: events go out soon after the change and are retried by the site's clock.

Chargebee retries after 2 min, 6 min, 30 min, 1 h, 5 h, 1 day and 2 days [docs]; the setting
`webhook_speed` says how much faster that happens here, and a step of the clock forward makes
everything due that it passes.
"""

import asyncio
import random
from typing import Any, Final

import httpx

from simulators.chargebee.site import Row, Site

TIMEOUT_S: Final = 10.0
MAX_CONCURRENT: Final = 8
SHUFFLE_S: Final = 0.5


class WebhookSender:
    """Delivers events to the endpoint named in the settings: at least once, unordered."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._random = random.Random(20_260_901)
        self._tasks: set[asyncio.Task[None]] = set()
        self._slots = asyncio.Semaphore(MAX_CONCURRENT)
        self._client = httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False)
        self._clock_was_set = asyncio.Event()

    def enqueue(self, event: Row) -> None:
        """Start the deliveries of one event; needs a running event loop."""
        settings = self._site.settings
        if settings.webhook_drop_next > 0:
            settings.webhook_drop_next -= 1
            return
        for delay_s in self._first_delays_s():
            task = asyncio.get_running_loop().create_task(self._deliver(event, delay_s))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def clock_was_set(self) -> None:
        """Look again at what is due; to be called when the offset of the site's clock has
        changed."""
        self._clock_was_set.set()
        self._clock_was_set = asyncio.Event()

    def forget(self) -> None:
        """Give up everything that has not been delivered yet."""
        for task in self._tasks:
            task.cancel()

    async def close(self) -> None:
        self.forget()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.aclose()

    def _first_delays_s(self) -> list[float]:
        settings = self._site.settings
        delay_s = settings.webhook_delay_s
        if settings.webhook_late_next > 0:
            settings.webhook_late_next -= 1
            delay_s = settings.webhook_late_s
        width_s = SHUFFLE_S if settings.webhook_shuffle else 0.0
        return [
            delay_s + self._random.uniform(0, width_s)
            for _ in range(max(1, settings.webhook_copies))
        ]

    async def _deliver(self, event: Row, first_delay_s: float) -> None:
        await self._sleep(first_delay_s)
        retry = 0
        while not await self._is_accepted(event):
            settings = self._site.settings
            if retry >= len(settings.webhook_retry_delays_s):
                self._site.note_webhook(event, "failed")
                return
            self._site.note_webhook(event, "re_scheduled")
            await self._sleep(settings.webhook_retry_delays_s[retry] / settings.webhook_speed)
            retry += 1
        self._site.note_webhook(event, "succeeded")

    async def _sleep(self, delay_s: float) -> None:
        """Wait until the site's clock has gone on by `delay_s`."""
        due_ms = self._site.now_ms() + int(delay_s * 1000)
        while (rest_ms := due_ms - self._site.now_ms()) > 0:
            await _wait(self._clock_was_set, rest_ms / 1000)

    async def _is_accepted(self, event: Row) -> bool:
        async with self._slots:
            return await self._post(event)

    async def _post(self, event: dict[str, Any]) -> bool:
        settings = self._site.settings
        if settings.webhook_url is None or settings.webhook_disabled:
            return False
        auth = httpx.Auth()
        if settings.webhook_username is not None:
            auth = httpx.BasicAuth(settings.webhook_username, settings.webhook_password or "")
        try:
            reply = await self._client.post(settings.webhook_url, json=event, auth=auth)
        except (httpx.HTTPError, httpx.InvalidURL):
            return False
        return reply.is_success


async def _wait(event: asyncio.Event, timeout_s: float) -> None:
    try:
        await asyncio.wait_for(event.wait(), timeout_s)
    except TimeoutError:
        return
