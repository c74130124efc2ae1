"""Run the Chargebee adapter: `python -m services.chargebee_adapter`; with `check TENANT` look only."""

import sys

import uvloop

from contracts.settings import SettingsError, Tenant, load
from runtime import checks
from runtime.adapter import Adapter, Vendor
from runtime.clock import utc_now
from runtime.publisher import KafkaPublisher
from runtime.service import Service, run
from runtime.vendor import RateLimiter, VendorHttp
from services.chargebee_adapter.authors import Authors
from services.chargebee_adapter.catalogue import Catalogue
from services.chargebee_adapter.check import check
from services.chargebee_adapter.client import BURST, ChargebeeClient, account, locked
from services.chargebee_adapter.readings import pricing_of
from services.chargebee_adapter.sink import Sink
from services.chargebee_adapter.source import Source
from services.chargebee_adapter.webhooks import Receiver, route


def main() -> int:
    if sys.argv[1:2] == ["check"]:
        return checks.main(sys.argv[2:], check)
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
        authors = Authors()
        source = Source(name, tenant, client, publisher, clock=utc_now, catalogue=catalogue, authors=authors)
        sink = Sink(name, tenant, client, clock=utc_now, catalogue=catalogue, authors=authors)

        async def webhook(body: bytes) -> int:
            await adapter.check_identity(name)
            return await source.webhook(body)

        receivers[name] = Receiver(tenant.chargebee, webhook)

        async def probe() -> None:
            await client.get("/customers", {"limit": "1"})

        async def identity() -> str:
            # A key belongs to one site, whose name no answer of the API tells: a working key proves the setting.
            await probe()
            return account(tenant.chargebee)

        return Vendor(source.run, source.read_all, sink.apply, probe, identity, source.health, connections[key])

    adapter = Adapter("chargebee", settings, connect)
    port = settings.ports.chargebee_adapter
    service = Service("chargebee_adapter", settings, adapter, [adapter.subscription()], port, [route(receivers)])
    run(service)
    return 0


if __name__ == "__main__":
    sys.exit(main())
