"""Property tables: which fields an entity has, of what type, and where each may be written.

A line of a table reads `Name kind use =default`. Use letters: R shown when read, P accepted in
POST, U patchable. Kinds: str, str(max), email, int, int32, float, percent, bool, date, datetime,
uuid, ids, object, country, or an enum of `ENUMS`. The default replaces null.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

from simulators.poweroffice.enums import COUNTRIES, ENUMS
from simulators.poweroffice.errors import BindingError

Record = dict[str, Any]

LARGEST_NUMBER = 10**12
"""Keeps every product of quantity and price exact in 28 decimal digits."""
YEARS = range(1900, 3000)


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    kind: str
    use: str
    max_length: int | None = None
    default: Any = None


@dataclass(frozen=True)
class Schema:
    """One entity: `entity` names its PATCH DTO, `label` its error titles."""

    entity: str
    label: str
    fields: tuple[Field, ...]
    nested: Mapping[str, Schema] = field(default_factory=dict)

    def __post_init__(self) -> None:
        by_name = {one.name: one for one in self.fields}
        object.__setattr__(self, "_by_name", by_name)
        object.__setattr__(self, "_by_lower", {name.lower(): one for name, one in by_name.items()})

    def get(self, name: str, use: str = "RPU") -> Field | None:
        """The field of exactly this name, if it has one of the uses."""
        found: Field | None = self._by_name.get(name)  # type: ignore[attr-defined]
        return found if found and set(found.use) & set(use) else None

    def find(self, name: str, use: str = "RPU") -> Field | None:
        """As `get`, whatever the letter case."""
        found: Field | None = self._by_lower.get(name.lower())  # type: ignore[attr-defined]
        return found if found and set(found.use) & set(use) else None

    def names(self, use: str) -> list[str]:
        return [one.name for one in self.fields if use in one.use]

    def blank(self) -> Record:
        """A record with every stored field at its default."""
        return {one.name: one.default for one in self.fields}

    def dto(self, record: Mapping[str, Any]) -> Record:
        """The readable part of a record, in the order of the table."""
        return {name: record.get(name) for name in self.names("R")}


def schema(
    entity: str, label: str, table: str, nested: Mapping[str, Schema] | None = None
) -> Schema:
    lines = [line.split(maxsplit=3) for line in table.strip().splitlines()]
    return Schema(entity, label, tuple(_field(*line) for line in lines), nested or {})


def _field(name: str, kind: str, use: str, default: str = "=null") -> Field:
    found = re.fullmatch(r"str\((\d+)\)", kind)
    kind, max_length = ("str", int(found[1])) if found else (kind, None)
    return Field(name, kind, use, max_length, json.loads(default.removeprefix("=")))


def coerce(spec: Field, value: Any) -> Any:
    """Check one written value and bring it to the stored form. Raises ValueError with the
    reason."""
    if value is None:
        return spec.default
    if spec.kind in ENUMS:
        return _enum(spec.kind, value)
    return _COERCE[spec.kind](spec, value)


def check_lengths(most: Mapping[str, int], values: Mapping[str, Any]) -> None:
    """Refuse texts longer than `most` says of their property. Raises BindingError, as the web
    framework does."""
    errors = {
        name: [f"The field {name} must be a string with a maximum length of {most[name]}."]
        for name, value in values.items()
        if name in most and isinstance(value, str) and len(value) > most[name]
    }
    if errors:
        raise BindingError(errors)


def _enum(name: str, value: Any) -> str:
    if isinstance(value, str):
        for member in ENUMS[name]:
            if member.lower() == value.lower():
                return member
    raise ValueError(f"'{value}' is not a value of {name}")


def _text(spec: Field, value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("a string is expected")
    if spec.max_length is not None and len(value) > spec.max_length:
        raise ValueError(f"the maximum length is {spec.max_length} characters")
    return value


def _email(spec: Field, value: Any) -> str | None:
    text = _text(spec, value).strip()
    if text and not re.fullmatch(r"[^@\s;,]+@[^@\s;,.]+(\.[^@\s;,.]+)+", text):
        raise ValueError(f"'{text}' is not a valid e-mail address")
    return text or None


def _country(spec: Field, value: Any) -> str:
    text = _text(spec, value).strip().upper()
    if text and text not in COUNTRIES:
        raise ValueError(f"'{text}' is not an ISO 3166 alpha-2 code")
    return text or str(spec.default)


def _whole(bits: int, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError("an integer is expected")
    if not -(2 ** (bits - 1)) <= value < 2 ** (bits - 1):
        raise ValueError(f"the value does not fit {bits} bits")
    return value


def _number(spec: Field, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("a number is expected")
    if not -LARGEST_NUMBER <= value <= LARGEST_NUMBER:
        raise ValueError("the number is too large")
    if spec.kind == "percent" and not -1000 <= value <= 100:
        raise ValueError("a percentage from -1000 to 100 is expected")
    return float(value)


def _flag(spec: Field, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false is expected")
    return value


def _date(spec: Field, value: Any) -> str:
    day = date.fromisoformat(_text(spec, value).split("T")[0])
    if day.year not in YEARS:
        raise ValueError("the date is out of range")
    return day.isoformat()


def _uuid(spec: Field, value: Any) -> str:
    return str(UUID(_text(spec, value)))


def _ids(spec: Field, value: Any) -> list[int]:
    if not isinstance(value, list):
        raise ValueError("an array of integers is expected")
    return [_whole(64, one) for one in value]


def _object(spec: Field, value: Any) -> Any:
    if not isinstance(value, dict | list):
        raise ValueError("an object or array is expected")
    return value


_COERCE = {
    "str": _text,
    "email": _email,
    "country": _country,
    "int": lambda _spec, value: _whole(64, value),
    "int32": lambda _spec, value: _whole(32, value),
    "float": _number,
    "percent": _number,
    "bool": _flag,
    "date": _date,
    "uuid": _uuid,
    "ids": _ids,
    "object": _object,
}
