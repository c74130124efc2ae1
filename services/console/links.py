"""Pairs of linked records as CSV, and the plans that wait for an operator, read from the links topic."""

import csv
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TextIO

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

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


async def read_held(settings: Settings, tenant: str) -> list[dict[str, Any]]:
    """The plans that wait: batch, link, what would be done where, with which fields."""
    return [
        {"batch": link.batch, "entity": link.entity, "link": link.key, "op": link.plan.op, "target": link.plan.target,
         "fields": link.plan.fields, "expected": link.plan.expected, "reason": link.reason}
        for link in await read_links(settings, tenant)
        if link.state == "held" and link.plan is not None
    ]  # fmt: skip


def show_held(console: Console, plans: list[dict[str, Any]], *, as_json: bool) -> None:
    """As a table, or as JSON."""
    if as_json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(plans)).decode() + "\n")
        return
    if not plans:
        console.print("nothing is held")
        return
    table = Table("batch", "entity", "link", "would", "fields", box=None)
    for plan in sorted(plans, key=lambda each: (each["entity"], each["batch"], each["link"])):
        fields = ", ".join(f"{name}={value}" for name, value in plan["fields"].items())
        would = f"{plan['op']} in {plan['target']}"
        table.add_row(*map(Text, (plan["batch"], plan["entity"], plan["link"], would, fields[:80])))
    console.print(table)
