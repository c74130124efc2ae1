"""How the lines of a draft become those Chargebee has. Pure.

Our lines carry the id of the Chargebee line as their reference; lines without it were added by a person. Text, fee
and summary lines are left alone: they are no drift.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from services.poweroffice_adapter.client import Row
from services.poweroffice_adapter.mapping_writes import value_at

_COMPARED = ("ProductId", "Quantity", "ProductUnitPrice", "Allowance", "Description")


@dataclass(frozen=True)
class LineChange:
    """One call: `line_id` None creates a line of `values`, empty `values` remove the line, else they replace."""

    line_id: str | None
    values: dict[str, Any]


def changes(rows: Iterable[Row], wanted: Iterable[Mapping[str, Any]]) -> list[LineChange]:
    """What makes the product lines of an order those wanted (bodies with `ExternalImportReference`)."""
    held = {_reference(row): row for row in rows if _is_product_line(row)}
    result: list[LineChange] = []
    for body in wanted:
        row = held.pop(str(body["ExternalImportReference"]), None)
        if row is None:
            result.append(LineChange(None, dict(body)))
        elif differing := {name: body[name] for name in _COMPARED if name in body and not _equal(row, name, body)}:
            result.append(LineChange(str(value_at(row, ("Id",))), differing))
    result += [LineChange(str(value_at(row, ("Id",))), {}) for row in held.values()]
    return result


def _reference(row: Row) -> str:
    # A line that a person added has no reference, but an id of its own.
    return str(value_at(row, ("ExternalImportReference",)) or f"#{value_at(row, ('Id',))}")


def _is_product_line(row: Row) -> bool:
    return str(value_at(row, ("LineType",)) or "Normal").lower() == "normal"


def _equal(row: Row, name: str, body: Mapping[str, Any]) -> bool:
    held, wanted = value_at(row, (name,)), body[name]
    if isinstance(wanted, Decimal | int):
        return held is not None and Decimal(str(held)) == wanted
    return bool(held == wanted)
