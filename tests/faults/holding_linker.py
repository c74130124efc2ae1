"""The linker, which stops before a commit for as long as the file TANDEM_TEST_HOLD exists, and says
by the file of that name with `.here` that it does: its transaction is open then, and every record
of it acknowledged."""

import os
import sys
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer

from services.linker.__main__ import main
from tests.waiting import until

_commit = AIOKafkaProducer.commit_transaction


def _is_held() -> bool:
    hold = Path(os.environ["TANDEM_TEST_HOLD"])
    if hold.exists():
        hold.with_suffix(".here").touch()
    return hold.exists()


async def commit_when_let(self: Any) -> None:
    await until("the file is gone", _is_held, lambda held: not held)
    await _commit(self)


if __name__ == "__main__":
    AIOKafkaProducer.commit_transaction = commit_when_let
    sys.exit(main())
