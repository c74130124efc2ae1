"""Two releases of the Chargebee adapter: `bad` loses the last digit of every phone number, `good`
is the next one.

`python -m tests.system.release bad|good`; a mapping that changes gets the next number.
"""

import dataclasses
import sys
from typing import Any

import msgspec

from contracts.mappings import newest
from services.chargebee_adapter import mapping, snapshots
from services.chargebee_adapter.__main__ import main
from services.chargebee_adapter.customer import canonical as customer_canonical

right = customer_canonical.customer


def wrong(*args: Any, **kwargs: Any) -> mapping.Reading:
    reading = right(*args, **kwargs)
    phone = getattr(reading.entity, "phone", None)
    if reading.entity is None or phone is None:
        return reading
    return dataclasses.replace(
        reading, content=msgspec.structs.replace(reading.entity, phone=phone[:-1])
    )


if __name__ == "__main__":
    if sys.argv[1] == "bad":
        customer_canonical.customer = wrong
    else:
        for module in (mapping, snapshots):
            vars(module)["MAPPING"] = newest("chargebee") + 1
    sys.argv[1:] = []
    sys.exit(main())
