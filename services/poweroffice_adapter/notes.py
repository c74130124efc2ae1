"""What the health of the source says of records that cannot be told apart."""

from typing import Any

import structlog

from services.poweroffice_adapter.client import Row
from services.poweroffice_adapter.mapping import value_at

log = structlog.get_logger()
_NAMES = ("Number", "Code", "SalesOrderNo", "InvoiceNo", "ExternalImportReference")


def has_id(row: Row, entity: str, health: dict[str, Any]) -> bool:
    """Whether a row can be told apart at all; one that cannot is noted."""
    found = value_at(row, ("Id",)) is not None
    if not found:
        note_without_id(row, entity, health)
    return found


def note_without_id(row: Row, entity: str, health: dict[str, Any]) -> None:
    """Say what is not read, by what else names it."""
    names = ((name, value_at(row, (name,))) for name in _NAMES)
    named = (
        ", ".join(f"{name} {value}" for name, value in names if value is not None)
        or "nothing else names it"
    )
    health["notes"][entity] = f"Go sent a record without an Id, which is not read ({named})"
    log.warning("poweroffice.record_without_id", entity=entity, record=named)
