"""Linked pairs as CSV, which a terminal and a spreadsheet may be shown, and which is read again to
the letter."""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TextIO, cast

from contracts.entities import ENTITIES, EntityName
from contracts.signals import Import, Pair
from runtime.harmless import UNSAFE
from services.console.files import inert
from services.console.model import ReadModel

COLUMNS = ("entity", "chargebee", "poweroffice")
PAIRS_AT_ONCE = 200
_NUMBER = re.compile(r"\\(u[0-9a-f]{4})")


def imports(pairs: Sequence[Mapping[str, str]]) -> Iterator[Import]:
    """The signals that link these pairs, each with at most PAIRS_AT_ONCE."""
    for begin in range(0, len(pairs), PAIRS_AT_ONCE):
        yield Import(pairs=[Pair(**pair) for pair in pairs[begin : begin + PAIRS_AT_ONCE]])


def pairs_of(model: ReadModel, tenant: str) -> list[dict[str, str]]:
    """The linked pairs of a tenant, by entity and Chargebee id."""
    pairs = [
        {"entity": link.entity, "chargebee": link.chargebee.id, "poweroffice": link.poweroffice.id}
        for link in model.links(tenant)
        if link.chargebee is not None and link.poweroffice is not None
    ]
    return sorted(
        pairs,
        key=lambda pair: (ENTITIES.index(cast(EntityName, pair["entity"])), pair["chargebee"]),
    )


def write_pairs(to: TextIO, pairs: Iterable[dict[str, str]]) -> None:
    """One header line and one line for each pair. An id that a spreadsheet would calculate begins
    with an apostrophe, a control character in it is written as `\\u001b`; `read_pairs` takes both
    back."""
    writer = csv.DictWriter(to, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _shown(value) for name, value in pair.items()} for pair in pairs)


def _shown(id: str) -> str:
    # A backslash that stands before such a number by itself is written as one, so that reading
    # takes back all of it.
    text = UNSAFE.sub(lambda found: _numbered(found[0]), _NUMBER.sub(r"\\u005c\1", id))
    return f"'{text}" if text.startswith("'") else inert(text)


def _numbered(character: str) -> str:
    halves = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{halves[at] * 256 + halves[at + 1]:04x}" for at in range(0, len(halves), 2))


def _meant(text: str) -> str:
    bare = (
        text[1:]
        if text.startswith("'") and (text[1:].startswith("'") or inert(text[1:]) != text[1:])
        else text
    )
    read = _NUMBER.sub(lambda found: _character(found[0]), bare)
    return read.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _character(number: str) -> str:
    character = chr(int(number[2:], 16))
    return character if character == "\\" or UNSAFE.match(character) else number


def read_pairs(file: Path) -> list[dict[str, str]]:
    """The pairs of a file. Raises ValueError naming line and column, and OSError."""
    with file.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.DictReader(stream)
        missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
        if missing:
            raise ValueError(f"the first line lacks the columns {', '.join(missing)}")
        return [_pair(reader.line_num, row) for row in reader]


def _pair(line: int, row: dict[str, str | None]) -> dict[str, str]:
    pair = {name: _meant((row[name] or "").strip()) for name in COLUMNS}
    empty = [name for name, value in pair.items() if not value]
    if empty:
        raise ValueError(f"line {line}: {', '.join(empty)} is empty")
    if pair["entity"] not in ENTITIES:
        raise ValueError(
            f"line {line}: entity is one of {', '.join(ENTITIES)}, not {pair['entity']!r}"
        )
    return pair
