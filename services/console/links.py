"""Linked pairs as CSV."""

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO, cast

from contracts.entities import ENTITIES, EntityName
from services.console.model import ReadModel

COLUMNS = ("entity", "chargebee", "poweroffice")
PAIRS_AT_ONCE = 200


def pairs_of(model: ReadModel, tenant: str) -> list[dict[str, str]]:
    """The linked pairs of a tenant, by entity and Chargebee id."""
    pairs = [
        {"entity": link.entity, "chargebee": link.chargebee.id, "poweroffice": link.poweroffice.id}
        for link in model.links(tenant)
        if link.chargebee is not None and link.poweroffice is not None
    ]
    return sorted(pairs, key=lambda pair: (ENTITIES.index(cast(EntityName, pair["entity"])), pair["chargebee"]))


def write_pairs(to: TextIO, pairs: Iterable[dict[str, str]]) -> None:
    """One header line and one line for each pair."""
    writer = csv.DictWriter(to, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(pairs)


def read_pairs(file: Path) -> list[dict[str, str]]:
    """The pairs of a file. Raises ValueError naming line and column, and OSError."""
    with file.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.DictReader(stream)
        missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
        if missing:
            raise ValueError(f"the first line lacks the columns {', '.join(missing)}")
        return [_pair(reader.line_num, row) for row in reader]


def _pair(line: int, row: dict[str, str | None]) -> dict[str, str]:
    pair = {name: (row[name] or "").strip() for name in COLUMNS}
    empty = [name for name, value in pair.items() if not value]
    if empty:
        raise ValueError(f"line {line}: {', '.join(empty)} is empty")
    if pair["entity"] not in ENTITIES:
        raise ValueError(f"line {line}: entity is one of {', '.join(ENTITIES)}, not {pair['entity']!r}")
    return pair
