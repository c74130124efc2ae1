"""Two releases of the Chargebee adapter: `bad` loses the last digit of every phone number, `good` is the next one.

`python -m tests.system.release bad|good`; a mapping that changes gets the next number.
"""

import dataclasses
import sys
from typing import Any

import msgspec

from services.chargebee_adapter import mapping, sink
from services.chargebee_adapter.__main__ import main

right = mapping.customer


def wrong(*args: Any, **kwargs: Any) -> mapping.Reading:
    reading = right(*args, **kwargs)
    phone = getattr(reading.entity, "phone", None)
    if reading.entity is None or phone is None:
        return reading
    return dataclasses.replace(reading, entity=msgspec.structs.replace(reading.entity, phone=phone[:-1]))


if __name__ == "__main__":
    if sys.argv[1] == "bad":
        mapping.customer = wrong
    else:
        mapping.MAPPING = sink.MAPPING = 2
    sys.argv[1:] = []
    sys.exit(main())
