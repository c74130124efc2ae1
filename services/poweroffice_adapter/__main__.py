"""Run the PowerOffice Go adapter: `python -m services.poweroffice_adapter`; with `check TENANT` look only."""

import sys

import uvloop

from contracts.settings import SettingsError, Tenant, load
from runtime import checks
from runtime.adapter import Adapter, Vendor
from runtime.clock import utc_now
from runtime.publisher import KafkaPublisher
from runtime.service import Service, run
from runtime.vendor import RateLimiter, VendorHttp
from services.poweroffice_adapter.check import check
from services.poweroffice_adapter.client import PowerOfficeClient
from services.poweroffice_adapter.observations import Observations
from services.poweroffice_adapter.sink import Sink
from services.poweroffice_adapter.source import Source

SHARE = 0.9


RATE_USED = 0.97


class _Connections:
    """One limiter and one pool per subscription key: Go counts requests per key over all tenants."""

    def __init__(self) -> None:
        self._by_key: dict[str, VendorHttp] = {}

    def of(self, tenant: Tenant) -> VendorHttp:
        settings = tenant.poweroffice
        key = settings.subscription_key.get_secret_value()
        if key not in self._by_key:
            rate = settings.requests_per_second
            # A full second holds the burst besides the rate; each 429 would stop everybody for a second.
            limiter = RateLimiter(rate * SHARE, 1.0, burst=1.0)
            self._by_key[key] = VendorHttp(limiter)
        return self._by_key[key]


def main() -> int:
    if sys.argv[1:2] == ["check"]:
        return checks.main(sys.argv[2:], check)
    try:
        settings = load()
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    uvloop.install()
    connections = _Connections()

    def connect(name: str, tenant: Tenant, publisher: KafkaPublisher) -> Vendor:
        http = connections.of(tenant)
        client = PowerOfficeClient(tenant.poweroffice, http)
        observations = Observations(publisher.max_observation(name, "poweroffice"))
        source = Source(name, tenant, client, publisher, observations, clock=utc_now)
        sink = Sink(name, tenant, client, observations, clock=utc_now, groups=source.groups,
                    currencies=source.currencies, unread_since=source.reached_back)  # fmt: skip

        async def probe() -> None:
            await client.identity()

        async def identity() -> str:
            return (await client.identity())[0]

        return Vendor(source.run, source.read_all, sink.apply, probe, identity, source.health, http)

    adapter = Adapter("poweroffice", settings, connect)
    port = settings.ports.poweroffice_adapter
    run(Service("poweroffice_adapter", settings, adapter, [adapter.subscription()], port))
    return 0


if __name__ == "__main__":
    sys.exit(main())
