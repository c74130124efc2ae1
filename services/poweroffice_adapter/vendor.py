"""How the tenants' Go companies are reached, and what is read and written there."""

from contracts.settings import Tenant
from runtime.adapter import Vendor
from runtime.clock import utc_now
from runtime.publisher import KafkaPublisher
from runtime.rate_limiter import RateLimiter
from runtime.transport import VendorTransport
from services.poweroffice_adapter.client import PowerOfficeClient
from services.poweroffice_adapter.observations import Observations
from services.poweroffice_adapter.sink import Sink
from services.poweroffice_adapter.source import Source


class Vendors:
    """The companies of all tenants."""

    def __init__(self) -> None:
        self._transports: dict[str, VendorTransport] = {}

    def connect(self, name: str, tenant: Tenant, publisher: KafkaPublisher) -> Vendor:
        """A tenant's source and sink on the connections of its key."""
        transport = self._transport(tenant).for_tenant(name)
        client = PowerOfficeClient(tenant.poweroffice, transport)
        observations = Observations(publisher.max_observation(name, "poweroffice"))
        source = Source(name, tenant, client, publisher, observations, clock=utc_now)
        sink = Sink(
            name,
            tenant,
            client,
            observations,
            clock=utc_now,
            groups=source.reader.groups,
            currencies=source.reader.currencies,
            unread_since=source.reached_back,
        )

        async def probe() -> None:
            await client.identity()

        async def identity() -> str:
            return (await client.identity())[0]

        return Vendor(
            source.run, source.read_all, sink.apply, probe, identity, source.health, transport
        )

    def _transport(self, tenant: Tenant) -> VendorTransport:
        """One limiter and one pool per subscription key: Go counts requests per key over all
        tenants."""
        key = tenant.poweroffice.subscription_key.get_secret_value()
        if key not in self._transports:
            limiter = RateLimiter.counted(tenant.poweroffice.requests_per_second)
            self._transports[key] = VendorTransport(limiter, system="poweroffice")
        return self._transports[key]
