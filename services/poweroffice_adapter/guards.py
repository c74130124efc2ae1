"""What a command wants, what Go holds, and the JSON Patch that changes the one into the other. Pure."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import msgspec

from contracts.entities import Entity, typed_fields
from contracts.messages import Command
from runtime.vendor import Refused
from services.poweroffice_adapter.mapping_writes import Path, value_at
from services.poweroffice_adapter.records import Held


def typed(command: Command, fields: dict[str, Any]) -> dict[str, Any]:
    """The fields of a command with their types. Raises Refused where they cannot be read."""
    try:
        return typed_fields(command.entity, fields)
    except (KeyError, msgspec.ValidationError) as error:
        raise Refused("invalid_command", f"the command's fields cannot be read: {error}") from error


def without(fields: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    """The fields less these."""
    return {name: value for name, value in fields.items() if name not in names}


def edited(present: Entity, changes: Iterable[str], expected: Mapping[str, Any]) -> bool:
    """Whether a field to be changed holds something else than the command expects."""
    return any(name in expected and getattr(present, name) != expected[name] for name in changes)


def differing(present: Entity, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that hold something else."""
    return {name: value for name, value in wanted.items() if getattr(present, name) != value}


def operations(held: Held, properties: Mapping[Path, Any], *, guarded: bool) -> Iterator[dict[str, Any]]:
    """`test` on the raw values just read, then `replace`; Go applies all or nothing (RFC 6902)."""
    if guarded:
        for path in properties:
            yield {"op": "test", "path": _pointer(path), "value": value_at(held.raw, path)}
    for path, value in properties.items():
        yield {"op": "replace", "path": _pointer(path), "value": value}


def _pointer(path: Path) -> str:
    return "/" + "/".join(path)
