"""Puts a process of the services on a clock of its own: Python loads this module by its name before
anything else where its directory is on PYTHONPATH.

TANDEM_TEST_CLOCK names a file that holds one C double: by how many seconds this clock is ahead of
the machine's. Whoever writes there moves the clock of every such process at once. Clocks that only
measure spans stay, as they do when somebody sets the time of a machine.
"""

import mmap
import os
import struct
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from aiokafka.producer.message_accumulator import BatchBuilder

from runtime import clock

with open(os.environ["TANDEM_TEST_CLOCK"], "rb") as file:
    _held = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
_machine_s, _machine_ns = time.time, time.time_ns


def _ahead_s() -> float:
    return float(struct.unpack("d", _held[:8])[0])


def _utc_now() -> datetime:
    return datetime.now(UTC) + timedelta(seconds=_ahead_s())


time.time = lambda: _machine_s() + _ahead_s()
time.time_ns = lambda: _machine_ns() + round(_ahead_s() * 1e9)
clock.utc_now = _utc_now

_append = BatchBuilder.append


def _append_now(self: Any, *, timestamp: int | None, **record: Any) -> Any:
    """The time of a record; what aiokafka has compiled would ask the machine."""
    return _append(self, timestamp=timestamp or round(time.time() * 1000), **record)


BatchBuilder.append = _append_now
