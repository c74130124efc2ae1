"""Links as they stand in their topic, and linked pairs as CSV."""

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

import msgspec

from contracts.entities import ENTITIES
from contracts.messages import Link
from contracts.settings import Settings
from runtime.kafka import Kafka

COLUMNS = ("entity", "chargebee", "poweroffice")
PAIRS_AT_ONCE = 200
_decoder = msgspec.json.Decoder(Link)


async def read_links(settings: Settings, tenant: str) -> list[Link]:
    """The links of one tenant as they stand, in the order they last changed."""
    kafka, found = Kafka(settings.kafka), dict[bytes, Link]()
    async for record in kafka.read(("links",), (settings.partition_of(tenant),)):
        key = record.key or b""
        if not key.startswith(f"{tenant}/".encode()):
            continue
        found.pop(key, None)
        if record.value is not None:
            found[key] = _decoder.decode(record.value)
    return list(found.values())


async def read_pairs(settings: Settings, tenant: str) -> list[dict[str, str]]:
    """The linked pairs of a tenant."""
    return [
        {"entity": link.entity, "chargebee": link.chargebee.id, "poweroffice": link.poweroffice.id}
        for link in await read_links(settings, tenant)
        if link.chargebee is not None and link.poweroffice is not None
    ]


def write_csv(to: TextIO, pairs: Iterable[dict[str, str]]) -> None:
    """One header line and one line for each pair."""
    writer = csv.DictWriter(to, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(pairs)


def read_csv(file: Path) -> list[dict[str, str]]:
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
