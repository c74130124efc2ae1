"""A service as one of two releases: `python -m tests.faults.releases before|after SERVICE`.

The release before knows no phone of a customer. The one after is this code, whose mappings have
the next number and name the phone. Both change what the service is made of before it is loaded.
"""

import sys
from importlib import import_module
from typing import Any

from contracts import entities, mappings
from contracts.entities import FIELDS, SYSTEMS, Customer

FIELD = "phone"


def before() -> None:
    """Nothing of the field is read, decided or written."""
    whole = entities.wire

    def wire(entity: Any) -> dict[str, Any]:
        data = whole(entity)
        if isinstance(entity, Customer):
            data.pop(FIELD, None)
        return data

    entities.wire = wire
    FIELDS["customer"] = tuple(name for name in FIELDS["customer"] if name != FIELD)


def after() -> None:
    """The next number of each mapping."""
    for system in SYSTEMS:
        number = mappings.newest(system) + 1
        mappings.REREAD[system][number] = {"customer": frozenset({FIELD})}


if __name__ == "__main__":
    {"before": before, "after": after}[sys.argv[1]]()
    service = f"services.{sys.argv[2]}.__main__"
    sys.argv[1:] = []
    sys.exit(import_module(service).main())
