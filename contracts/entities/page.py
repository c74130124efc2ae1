"""Writes `docs/fields.md` from the rows of the fields. `make generate` writes the file, a test
compares it."""

from pathlib import Path

from contracts.entities import ENTITIES, ENTITY_TYPES, FIELDS, EntityName, Field, field_of
from contracts.entities.fields import BOTH, SYSTEM_NAMES, System

PATH = Path(__file__).parents[2] / "docs" / "fields.md"
HEAD = """# The fields that are carried

This page is written from the rows beside the structs in `contracts/entities` by `make generate`.
How a conflict is decided is a setting (`owner`); `price.to_chargebee`,
`order.delivery_date_to_chargebee` and the policies of `delete` restrict further what a change is
carried to.

- **Changes go to**: where a later edit on the other side is written. One that is written once goes
  with the creation only.
- **Filled into**: where a value may be written at a first link that only the other side holds.
- **Stays while it lacks**: an incomplete value is not carried, and is listed as held back.
"""


def page() -> str:
    """The whole page."""
    return HEAD + "".join(_table(entity) for entity in ENTITIES)


def _table(entity: EntityName) -> str:
    rows = "".join(_row(field_of(entity, name)) for name in FIELDS[entity])
    head = "| Field | Changes go to | Filled into | Stays while it lacks |\n|---|---|---|---|\n"
    kept = [
        f"`{name}`" for name in ENTITY_TYPES[entity].__struct_fields__ if name not in FIELDS[entity]
    ]
    words = f"\nEach system keeps its own: {', '.join(kept)}.\n" if kept else ""
    return f"\n## {entity.capitalize()}\n\n{head}{rows}{words}"


def _row(row: Field) -> str:
    changes = "nobody: written once" if row.once else _systems(row.written)
    filled = "nobody" if row.once else _systems(row.filled)
    return f"| `{row.name}` | {changes} | {filled} | {row.lacking or ''} |\n"


def _systems(systems: frozenset[System]) -> str:
    return "both" if systems == BOTH else ", ".join(sorted(SYSTEM_NAMES[each] for each in systems))


if __name__ == "__main__":
    PATH.write_text(page(), encoding="utf-8")
