"""The linker, ended by SIGKILL around one of its commits: `before the commit` or `after the
commit`, and which one."""

import os
import signal
import sys
from typing import Any

from aiokafka import AIOKafkaProducer

from services.linker.__main__ import main

_commit = AIOKafkaProducer.commit_transaction
_left = int(sys.argv[2])


async def commit_and_die(self: Any) -> None:
    global _left
    _left -= 1
    if _left <= 0 and sys.argv[1] == "before the commit":
        os.kill(os.getpid(), signal.SIGKILL)
    await _commit(self)
    if _left <= 0:
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    AIOKafkaProducer.commit_transaction = commit_and_die
    sys.exit(main())
