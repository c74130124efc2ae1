"""Run the linker: `python -m services.linker`."""

import sys

from contracts.settings import SettingsError, load
from contracts.topics import LINKER_INPUTS
from runtime.broker import Subscription
from runtime.life import Service
from runtime.service import run
from services.linker.handlers import Linker
from services.linker.partitions import GROUP


def main() -> int:
    try:
        settings = load(needs=(), tenants=True)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    linker = Linker(settings)
    subscription = Subscription(LINKER_INPUTS, linker.state.partitions, GROUP, linker.handle)
    return run(Service("linker", settings, linker, [subscription], settings.ports.linker))


if __name__ == "__main__":
    sys.exit(main())
