"""How the tenants' Chargebee sites are reached, and what is read and written there."""

from collections.abc import Awaitable, Callable

from contracts.settings import Tenant
from runtime.adapter import Vendor
from runtime.clock import utc_now
from runtime.publisher import KafkaPublisher
from runtime.rate_limiter import RateLimiter
from runtime.transport import VendorTransport
from services.chargebee_adapter.authors import Authors
from services.chargebee_adapter.client import BURST, ChargebeeClient, account, locked
from services.chargebee_adapter.product.catalogue import Catalogue, pricing_of
from services.chargebee_adapter.sink import Sink
from services.chargebee_adapter.source import Source
from services.chargebee_adapter.webhooks import Receiver


class Vendors:
    """The sites of all tenants. `check_identity` returns once a tenant's account is the pinned
    one, before a webhook is taken; `receivers` are where webhooks go, by tenant."""

    def __init__(self, check_identity: Callable[[str], Awaitable[None]]) -> None:
        self.receivers: dict[str, Receiver] = {}
        self._check_identity = check_identity
        self._transports: dict[str, VendorTransport] = {}

    def connect(self, name: str, tenant: Tenant, publisher: KafkaPublisher) -> Vendor:
        """A tenant's source and sink on the connections of its key."""
        transport = self._transport(tenant).for_tenant(name)
        client = ChargebeeClient(tenant.chargebee, transport)
        catalogue, authors = Catalogue(pricing_of(tenant)), Authors()
        source = Source(
            name, tenant, client, publisher, clock=utc_now, catalogue=catalogue, authors=authors
        )
        sink = Sink(name, tenant, client, clock=utc_now, catalogue=catalogue, authors=authors)

        async def webhook(body: bytes) -> int:
            await self._check_identity(name)
            return await source.webhook(body)

        self.receivers[name] = Receiver(tenant.chargebee, webhook)

        async def identity() -> str:
            # No answer of the API tells the name of the site: a working key proves the setting.
            await client.probe()
            return account(tenant.chargebee)

        return Vendor(
            source.run,
            source.read_all,
            sink.apply,
            client.probe,
            identity,
            source.health,
            transport,
        )

    def _transport(self, tenant: Tenant) -> VendorTransport:
        """One limiter and one pool per key: Chargebee counts requests per site, and a key belongs
        to one site."""
        key = tenant.chargebee.api_key.get_secret_value()
        if key not in self._transports:
            limiter = RateLimiter(tenant.chargebee.requests_per_minute, 60.0, BURST)
            self._transports[key] = VendorTransport(limiter, locked=locked, system="chargebee")
        return self._transports[key]
