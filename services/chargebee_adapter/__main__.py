"""Run the Chargebee adapter: `python -m services.chargebee_adapter`."""

import sys

import uvloop

from contracts.settings import SettingsError, Tenant, load
from runtime.adapter import Adapter, Vendor
from runtime.clock import utc_now
from runtime.publisher import KafkaPublisher
from runtime.service import Service, run
from runtime.vendor import RateLimiter, VendorHttp
from services.chargebee_adapter.catalogue import Catalogue
from services.chargebee_adapter.client import ChargebeeClient, locked
from services.chargebee_adapter.readings import pricing_of
from services.chargebee_adapter.sink import Sink
from services.chargebee_adapter.source import Source
from services.chargebee_adapter.webhooks import Receiver, route

BURST = 10.0


def main() -> int:
    try:
        settings = load()
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    uvloop.install()
    receivers: dict[str, Receiver] = {}
    connections: dict[str, VendorHttp] = {}

    def connect(name: str, tenant: Tenant, publisher: KafkaPublisher) -> Vendor:
        # Chargebee counts requests per site; a key belongs to one site.
        key = tenant.chargebee.api_key.get_secret_value()
        if key not in connections:
            limiter = RateLimiter(tenant.chargebee.requests_per_minute, 60.0, BURST)
            connections[key] = VendorHttp(limiter, locked=locked)
        client = ChargebeeClient(tenant.chargebee, connections[key])
        catalogue = Catalogue(pricing_of(tenant))
        source = Source(name, tenant, client, publisher, clock=utc_now, catalogue=catalogue)
        sink = Sink(name, tenant, client, clock=utc_now, catalogue=catalogue)

        async def webhook(body: bytes) -> int:
            await adapter.check_identity(name)
            return await source.webhook(body)

        receivers[name] = Receiver(tenant.chargebee, webhook)

        async def probe() -> None:
            await client.get("/customers", {"limit": "1"})

        async def identity() -> str:
            # A key belongs to one site, whose name no answer of the API tells: a working key proves the setting.
            await probe()
            return tenant.chargebee.site or str(tenant.chargebee.base_url)

        return Vendor(source.run, source.read_all, sink.apply, probe, identity, source.health, connections[key])

    adapter = Adapter("chargebee", settings, connect)
    port = settings.ports.chargebee_adapter
    service = Service("chargebee_adapter", settings, adapter, [adapter.subscription()], port, [route(receivers)])
    run(service)
    return 0


if __name__ == "__main__":
    sys.exit(main())
