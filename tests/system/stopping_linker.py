"""The linker, whose Kafka (its process id is given) is stopped by SIGSTOP as it begins to restore
its state."""

import os
import signal
import sys
from typing import Any

from services.linker import partitions, restoring
from services.linker.__main__ import main

_restore = restoring.restore


async def stop_and_restore(*arguments: Any) -> Any:
    os.kill(int(sys.argv[1]), signal.SIGSTOP)
    return await _restore(*arguments)


if __name__ == "__main__":
    setattr(partitions, "restore", stop_and_restore)  # noqa: B010 (the module does not export it)
    sys.exit(main())
