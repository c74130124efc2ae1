"""What a command wants, what Go holds, and the JSON Patch that changes the one into the other.
Pure."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import msgspec

from contracts.entities import Entity, typed_fields
from contracts.messages import Command, Problem
from runtime.vendor import Refused
from services.poweroffice_adapter.mapping import Held, Path, Reading, value_at


def typed(command: Command, fields: dict[str, Any]) -> dict[str, Any]:
    """The fields of a command with their types. Raises Refused where they cannot be read."""
    try:
        return typed_fields(command.entity, fields)
    except (KeyError, msgspec.ValidationError) as error:
        raise Refused("invalid_command", f"the command's fields cannot be read: {error}") from error


def present(reading: Reading) -> Entity:
    """The record itself. Raises Refused for one that cannot be understood."""
    if isinstance(reading.content, Problem):
        raise Refused.of(reading.content)
    return reading.content


def without(fields: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    """The fields less these."""
    return {name: value for name, value in fields.items() if name not in names}


def edited(seen: Entity, changes: Iterable[str], expected: Mapping[str, Any]) -> bool:
    """Whether a field to be changed holds something else than the command expects."""
    return any(name in expected and getattr(seen, name) != expected[name] for name in changes)


def differing(seen: Entity, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that hold something else."""
    return {name: value for name, value in wanted.items() if getattr(seen, name) != value}


def operations(
    held: Held, properties: Mapping[Path, Any], *, guarded: bool
) -> Iterator[dict[str, Any]]:
    """`test` on the raw values just read, then `replace`; Go applies all or nothing (RFC 6902)."""
    if guarded:
        for path in properties:
            yield {"op": "test", "path": _pointer(path), "value": value_at(held.raw, path)}
    for path, value in properties.items():
        yield {"op": "replace", "path": _pointer(path), "value": value}


def _pointer(path: Path) -> str:
    return "/" + "/".join(path)
