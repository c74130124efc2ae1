"""The webhook sender: events go out soon after the change and are retried on a compressed schedule.

Chargebee retries after 2 min, 6 min, 30 min, 1 h, 5 h, 1 day and 2 days [docs]; here the delays are a setting.
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

    def enqueue(self, event: Row) -> None:
        """Start the deliveries of one event; needs a running event loop."""
        settings = self._site.settings
        if settings.webhook_drop_next > 0:
            settings.webhook_drop_next -= 1
            return
        for _ in range(max(1, settings.webhook_copies)):
            delay_s = settings.webhook_delay_s
            if settings.webhook_shuffle:
                delay_s += self._random.uniform(0, SHUFFLE_S)
            task = asyncio.get_running_loop().create_task(self._deliver(event, delay_s))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def forget(self) -> None:
        """Give up everything that has not been delivered yet."""
        for task in self._tasks:
            task.cancel()

    async def close(self) -> None:
        self.forget()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.aclose()

    async def _deliver(self, event: Row, first_delay_s: float) -> None:
        for delay_s in (first_delay_s, *self._site.settings.webhook_retry_delays_s):
            await asyncio.sleep(delay_s)
            async with self._slots:
                is_delivered = await self._post(event)
            self._note(event, "succeeded" if is_delivered else "re_scheduled")
            if is_delivered:
                return
        self._note(event, "failed")

    async def _post(self, event: dict[str, Any]) -> bool:
        settings = self._site.settings
        if settings.webhook_url is None:
            return False
        auth = httpx.Auth()
        if settings.webhook_username is not None:
            auth = httpx.BasicAuth(settings.webhook_username, settings.webhook_password or "")
        try:
            reply = await self._client.post(settings.webhook_url, json=event, auth=auth)
        except (httpx.HTTPError, httpx.InvalidURL):
            return False
        return reply.is_success

    @staticmethod
    def _note(event: Row, status: str) -> None:
        # The list is missing on the first delivery, so it is added afterwards.
        event["webhook_status"] = status
        event["webhooks"] = [{"id": "whv2_1", "webhook_status": status, "object": "webhook"}]
