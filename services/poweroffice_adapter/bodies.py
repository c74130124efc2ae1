"""JSON as Go takes and gives it."""

from functools import partial
from typing import Any

import msgspec

from runtime import exact_json

encoded = msgspec.json.Encoder(decimal_format="number").encode
decoded = partial(exact_json.decoded, max_digits=4000)


def object_of(content: bytes) -> dict[str, Any]:
    """A JSON object with lower-case names; empty for anything else."""
    try:
        return with_lower_names(decoded(content))
    except ValueError:
        return {}


def with_lower_names(body: Any) -> dict[str, Any]:
    """A decoded object with lower-case names; empty for anything else."""
    return (
        {str(key).lower(): value for key, value in body.items()} if isinstance(body, dict) else {}
    )
