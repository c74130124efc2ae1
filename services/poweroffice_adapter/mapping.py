"""What the mappings of all records of Go have in common, and the versions of everything read from
it. Pure.

A payload that cannot be mapped becomes a Problem that names Go's field and what to do; nothing here
raises for odd vendor data. The mapping of each entity stands in its own package: `canonical` reads
it, `writes` makes Go's properties.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

from pydantic import ValidationError

from contracts.entities import Entity
from contracts.mappings import newest
from contracts.messages import Problem
from contracts.said import say
from contracts.values import text
from contracts.vendors import vendor_part
from services.poweroffice_adapter import models

MAPPING = newest("poweroffice")
NEVER = "0001-01-01T00:00:00.0000000Z"

_TIME = re.compile(
    r"(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?\s*(Z|[+-]\d{2}:?\d{2})?",
    re.IGNORECASE,
)
Raw = Mapping[str, Any]
Path = tuple[str, ...]  # the names of a property in a record, the outermost first
_Model = TypeVar("_Model", bound=models.Go)


@dataclass(frozen=True)
class Reading:
    """One record as read: `changed_at` is its own time, `newest_at` counts its mail address or
    balance too."""

    id: str
    changed_at: str
    newest_at: str
    content: Entity | Problem
    stamp: str | None = None
    incomplete: tuple[str, ...] = ()


@dataclass(frozen=True)
class Held:
    """A record as Go sent it and as it is understood."""

    raw: Raw
    reading: Reading


def value_at(raw: Any, path: Path) -> Any:
    """The raw value of a property, whatever the case of its name; None when absent."""
    for step in path:
        if not isinstance(raw, Mapping):
            return None
        if step not in raw:
            step = next((name for name in raw if name.lower() == step.lower()), step)
        raw = raw.get(step)
    return raw


def timestamp(value: object) -> str:
    """A Go DateTimeOffset as `YYYY-MM-DDTHH:MM:SS.fffffffZ`; NEVER when absent or unreadable.

    Go sends up to 7 fraction digits, and Z, an offset or nothing, which means UTC; further digits
    are cut, never rounded, so that no time moves forward.
    """
    found = _TIME.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        return NEVER
    day, clock, fraction, offset = found.groups()
    try:
        moment = datetime.fromisoformat(f"{day}T{clock}+00:00") - _offset(offset)
    except (ValueError, OverflowError):
        return NEVER
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{(fraction or '')[:7]:0<7}Z".rjust(len(NEVER), "0")


def _offset(words: str | None) -> timedelta:
    if not words or words.upper() == "Z":
        return timedelta(0)
    digits = words.replace(":", "")
    size = timedelta(hours=int(digits[1:3]), minutes=int(digits[3:5]))
    return -size if digits[0] == "-" else size


def earlier(stamp: str, seconds: float) -> str:
    """A `timestamp` moved back; the beginning of time stays where it is."""
    try:
        moment = datetime.fromisoformat(stamp[:19] + "+00:00") - timedelta(seconds=seconds)
    except (ValueError, OverflowError):
        return NEVER
    return f"{moment:%Y-%m-%dT%H:%M:%S}".rjust(19, "0") + stamp[19:]


def moment(stamp: str) -> datetime:
    """A `timestamp` as an aware datetime, cut to microseconds."""
    return datetime.fromisoformat(stamp[:26]).replace(tzinfo=UTC)


def version(changed_at: str, number: int, floor: str | None = None) -> str:
    """The version of a reading or reply: its time and its number.

    `floor` is an earlier version of the record: removing an address may take the newest time away
    with it, and a version must never fall.
    """
    return f"{max(changed_at, time_of(floor))}#{number:012d}"


def time_of(version: str | None) -> str:
    """The time in a version."""
    return vendor_part(version) if version else NEVER


def local_date(value: object) -> date | None:
    """A Go date, which may carry a time part that means nothing; None when blank or unreadable."""
    try:
        return date.fromisoformat(value.strip()[:10]) if isinstance(value, str) else None
    except ValueError:
        return None


def read(model: type[_Model], raw: Mapping[str, Any]) -> _Model | Problem:
    """The payload as a model, or why it cannot be read."""
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        names = {str(name).lower(): str(name) for name in raw}
        where = [str(part) for part in error.errors(include_input=False)[0]["loc"]]
        field = ".".join([names.get(where[0], where[0]), *where[1:]])
        return Problem.of("unreadable", say("unreadable_in_go", name=field), field)


def unreadable(raw: Mapping[str, Any], problem: Problem) -> Reading | None:
    """A reading that only says what is wrong; None where not even an id can be had."""
    plain = {str(key).lower(): value for key, value in raw.items()}
    given = plain.get("id")
    if not isinstance(given, str | int) or not (id := text(str(given))):
        return None
    changed_at = timestamp(plain.get("lastchangeddatetimeoffset"))
    return Reading(id, changed_at, changed_at, problem)


def upper(value: str | None) -> str | None:
    """A code in capitals, None when blank."""
    cleaned = text(value)
    return cleaned.upper() if cleaned else None
