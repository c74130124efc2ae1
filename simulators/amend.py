"""Changes behind everybody's back: a record holds something else, and no time, version or event
tells of it."""

from collections.abc import Mapping
from typing import Any


def amended(record: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """A copy with other values; nested objects are changed property by property."""
    changed = dict(record)
    for name, value in fields.items():
        held = changed.get(name)
        changed[name] = (
            amended(held, value)
            if isinstance(value, Mapping) and isinstance(held, Mapping)
            else value
        )
    return changed
