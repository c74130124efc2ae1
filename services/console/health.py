"""What an adapter's health complains of, in words. Pure."""

from collections.abc import Iterator
from typing import Any


def worded(kind: str, fact: Any) -> Iterator[tuple[str, str]]:
    """The complaints of one fact: by name where it is a table (of texts, or of errors), else the
    text under `kind`."""
    if isinstance(fact, dict):
        for name, held in fact.items():
            yield name, str(held.get("error", held)) if isinstance(held, dict) else str(held)
    elif fact is not None:
        yield kind, str(fact)
