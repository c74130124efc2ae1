"""Run the linker: `python -m services.linker`."""

import sys

import uvloop

from contracts.settings import SettingsError, load
from contracts.topics import LINKER_INPUTS
from runtime.service import Service, Subscription, run
from services.linker.handlers import GROUP, Linker


def main() -> int:
    try:
        settings = load()
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    uvloop.install()
    linker = Linker(settings)
    subscription = Subscription(LINKER_INPUTS, linker.partitions, GROUP, linker.handle)
    run(Service("linker", settings, linker, [subscription], settings.ports.linker))
    return 0


if __name__ == "__main__":
    sys.exit(main())
