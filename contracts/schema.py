"""JSON Schemas of the messages, committed beside this file: `make generate` writes them anew."""

import inspect
import json
from pathlib import Path
from typing import Any

import msgspec

from contracts import entities, messages

DIRECTORY = Path(__file__).parent / "schemas"
TYPES: dict[str, Any] = {
    "customer": entities.Customer,
    "product": entities.Product,
    "order": entities.Order,
    "observed": messages.Observed,
    "snapshot_completed": messages.SnapshotCompleted,
    "reading": messages.Reading,
    "reading_completed": messages.ReadingCompleted,
    "command": messages.Command,
    "outcome": messages.Outcome,
    "link": messages.Link,
    "journal_entry": messages.JournalEntry,
    "signal": messages.Signal,
    "control": messages.Control,
    "cursor": messages.Cursor,
    "dead_letter": messages.DeadLetter,
    "heartbeat": messages.Heartbeat,
}


def schema(name: str) -> dict[str, Any]:
    """The JSON Schema of one message or entity."""
    found = msgspec.json.schema(TYPES[name])
    for definition in found.get("$defs", {}).values():
        if (
            "description" in definition
        ):  # Python 3.13 takes the indentation out of docstrings, older ones do not
            definition["description"] = inspect.cleandoc(definition["description"])
    return found


def text(name: str) -> str:
    """The schema as it is committed."""
    return json.dumps(schema(name), indent=2, sort_keys=True) + "\n"


def main() -> None:
    DIRECTORY.mkdir(exist_ok=True)
    for name in TYPES:
        (DIRECTORY / f"{name}.json").write_text(text(name), encoding="utf-8")


if __name__ == "__main__":
    main()
