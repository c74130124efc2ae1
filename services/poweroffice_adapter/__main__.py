"""Run the PowerOffice Go adapter: `python -m services.poweroffice_adapter`; with `check TENANT`
look only."""

import sys

from contracts.entities import System
from contracts.settings import SettingsError, load
from runtime import checks
from runtime.adapter import Adapter
from runtime.life import Service
from runtime.service import run
from services.poweroffice_adapter.check import check
from services.poweroffice_adapter.vendor import Vendors

NEEDS: tuple[System, ...] = ("poweroffice",)  # whose keys this process reads


def main() -> int:
    if sys.argv[1:2] == ["check"]:
        return checks.main(sys.argv[2:], check, NEEDS)
    try:
        settings = load(needs=NEEDS, tenants=True)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    adapter = Adapter("poweroffice", settings, Vendors().connect)
    port = settings.ports.poweroffice_adapter
    return run(Service("poweroffice_adapter", settings, adapter, [adapter.subscription()], port))


if __name__ == "__main__":
    sys.exit(main())
