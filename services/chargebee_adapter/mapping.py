"""What the mappings of all records of Chargebee have in common. Pure; odd vendor data becomes a
Problem, never an exception.

The mapping of each entity stands in its own package: `canonical` reads it, `writes` makes the
vendor's parameters.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from contracts import entities
from contracts.entities import Entity, EntityName
from contracts.mappings import newest
from contracts.messages import Author, Observed, Problem
from contracts.said import say
from contracts.values import text
from contracts.vendors import own_chargebee_id

MAPPING = newest("chargebee")
OWN_PREFIX = own_chargebee_id("")
STAMP_KEY = "poweroffice_id"  # in metadata; lower case, since the vendor's own SDKs lower-case keys

Raw = Mapping[str, Any]
Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class Reading:
    """One vendor record as read: an entity, or a problem that says why there is none.

    `version` is comparable text per record; `id` is empty when the vendor sent none, then it cannot
    be published.
    """

    entity_name: EntityName
    id: str
    version: str
    content: Entity | Problem
    stamp: str | None = None
    deleted: bool = False
    incomplete: tuple[str, ...] = ()
    made_by: Author | None = None

    @property
    def entity(self) -> Entity | None:
        """The record itself, where it can be understood."""
        return None if isinstance(self.content, Problem) else self.content

    @property
    def problem(self) -> Problem | None:
        """Why it cannot be understood, if so."""
        return self.content if isinstance(self.content, Problem) else None

    @property
    def data(self) -> dict[str, Any] | None:
        """The entity's JSON form."""
        return None if self.entity is None else entities.wire(self.entity)


def as_of(reading: Reading, raw: Raw) -> Reading:
    """What an event tells of a pair of records whose newest versions are not its own: with the
    version of its record alone, which is older than every state that holds a newer one of it,
    whatever became of the other meanwhile."""
    return replace(reading, version=version_of(raw))


def observed(reading: Reading, *, tenant: str, at: str, snapshot: str | None = None) -> Observed:
    """The event of a reading. `at` is ISO 8601 in UTC."""
    return Observed(
        tenant=tenant,
        system="chargebee",
        entity=reading.entity_name,
        id=reading.id,
        version=reading.version,
        mapping=MAPPING,
        observed_at=at,
        snapshot=snapshot,
        deleted=reading.deleted,
        data=reading.data,
        stamp=reading.stamp,
        incomplete=reading.incomplete,
        problem=reading.problem,
        made_by=reading.made_by,
    )


def milliseconds(raw: Raw) -> int:
    """`resource_version` (epoch milliseconds, monotonic per record), else `updated_at` or
    `created_at` in seconds."""
    for name, factor in (("resource_version", 1), ("updated_at", 1000), ("created_at", 1000)):
        value = raw.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return value * factor
    return 0


def version_of(raw: Raw) -> str:
    """The version of a single record: 13 digits of milliseconds."""
    return f"{milliseconds(raw):013d}"


def id_of(raw: Raw) -> str:
    """The record's id as text, empty when absent."""
    value = raw.get("id")
    return str(value) if isinstance(value, str | int) else ""


def unclaimed(readings: Iterable[Reading]) -> tuple[str, ...]:
    """Ids of those alive; a record under an own id refers to its own record in Go already."""
    ids = (each.id for each in readings if not each.deleted and not each.id.startswith(OWN_PREFIX))
    return tuple(dict.fromkeys(ids))


def parsed(model: type[Model], raw: Raw, kind: str) -> Model | Problem:
    """The record in its model, or what in it cannot be read."""
    try:
        return model.model_validate(dict(raw))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        # A number is shown; a text may be a person's.
        held = (
            f", it holds {first['input']}"
            if isinstance(first["input"], int | float | Decimal)
            else ""
        )
        said = say("unreadable_in_chargebee", name=f"{kind}.{field}", why=f"{first['msg']}{held}")
        return Problem.of("unreadable", said, field)


def stamp_of(record_id: str, metadata: Mapping[str, Any] | None) -> str | None:
    """The reference to Go: an own id `go-<Go Id>`, else `poweroffice_id` of the metadata as `go-<Go
    Id>`."""
    if record_id.startswith(OWN_PREFIX):
        return record_id
    named = (metadata or {}).get(STAMP_KEY)
    cleaned = text(str(named)) if isinstance(named, str | int) else None
    return own_chargebee_id(cleaned) if cleaned else None
