"""Run the Chargebee adapter: `python -m services.chargebee_adapter`; with `check TENANT` look
only."""

import sys

from contracts.entities import System
from contracts.settings import SettingsError, load
from runtime import checks
from runtime.adapter import Adapter
from runtime.life import Service
from runtime.service import run
from services.chargebee_adapter.check import check
from services.chargebee_adapter.vendor import Vendors
from services.chargebee_adapter.webhooks import route

NEEDS: tuple[System, ...] = ("chargebee",)  # whose keys this process reads


def main() -> int:
    if sys.argv[1:2] == ["check"]:
        return checks.main(sys.argv[2:], check, NEEDS)
    try:
        settings = load(needs=NEEDS, tenants=True)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    vendors = Vendors(lambda name: adapter.check_identity(name))
    adapter = Adapter("chargebee", settings, vendors.connect)
    port = settings.ports.chargebee_adapter
    service = Service(
        "chargebee_adapter",
        settings,
        adapter,
        [adapter.subscription()],
        port,
        [route(vendors.receivers)],
    )
    return run(service)


if __name__ == "__main__":
    sys.exit(main())
