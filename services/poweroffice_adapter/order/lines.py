"""How the lines of a draft become those Chargebee has. Pure.

Our lines carry the id of the Chargebee line as their reference; lines without it were added by a
person. Text, fee and summary lines are left alone: they are no drift. One Text line is ours: the
notice of who has been asked to pay.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from services.poweroffice_adapter import models
from services.poweroffice_adapter.mapping import Raw, read, value_at
from services.poweroffice_adapter.order import canonical

_COMPARED = ("ProductId", "Quantity", "ProductUnitPrice", "Allowance", "Description")


@dataclass(frozen=True)
class LineChange:
    """One call: `line_id` None creates a line of `values`, empty `values` remove the line, else
    they replace."""

    line_id: str | None
    values: dict[str, Any]


def changes(rows: Iterable[Raw], wanted: Iterable[Mapping[str, Any]]) -> list[LineChange]:
    """What makes the product lines of an order those wanted (bodies with
    `ExternalImportReference`)."""
    held = {_reference(row): row for row in rows if _is_product_line(row)}
    result: list[LineChange] = []
    for body in wanted:
        row = held.pop(str(body["ExternalImportReference"]), None)
        if row is None:
            result.append(LineChange(None, dict(body)))
        elif differing := {
            name: body[name] for name in _COMPARED if name in body and not _equal(row, name, body)
        }:
            result.append(LineChange(str(value_at(row, ("Id",))), differing))
    result += [LineChange(str(value_at(row, ("Id",))), {}) for row in held.values()]
    return result


def _reference(row: Raw) -> str:
    # A line that a person added has no reference, but an id of its own.
    return str(value_at(row, ("ExternalImportReference",)) or f"#{value_at(row, ('Id',))}")


def _is_product_line(row: Raw) -> bool:
    return str(value_at(row, ("LineType",)) or "Normal").lower() == "normal"


def _equal(row: Raw, name: str, body: Mapping[str, Any]) -> bool:
    held, wanted = value_at(row, (name,)), body[name]
    if isinstance(wanted, Decimal | int):
        return held is not None and Decimal(str(held)) == wanted
    return bool(held == wanted)


def lines_of(order: Raw) -> list[Raw]:
    """The lines of a SalesOrderCompleteDto as a person sees them."""
    return sorted(value_at(order, ("SalesOrderLines",)) or (), key=_position)


def notice_id(rows: Iterable[Raw], stamp: str | None) -> str | None:
    """The id of the line that holds the notice of an order; None where there is none."""
    lines = [line for row in rows if isinstance(line := read(models.Line, row), models.Line)]
    found = canonical.notice_line(canonical.in_order(lines), stamp)
    return found.id if found is not None else None


def room_before(rows: Iterable[Raw]) -> list[tuple[str, int]]:
    """Ids and new positions of the lines that must move so that one fits before all, in the order
    of moving."""
    moves: list[tuple[str, int]] = []
    last = 0
    for row in sorted(rows, key=_position):
        last = max(_position(row), last + 1)
        if last != _position(row):
            moves.append((str(value_at(row, ("Id",))), last))
    return moves[::-1]


def first_position(rows: Iterable[Raw]) -> int:
    """The position of a new first line, after `room_before`; Go counts from 0
    (SalesOrderLineDto)."""
    return max(min(map(_position, rows), default=1) - 1, 0)


def rewritten(
    rows: Iterable[Raw], line_id: str, words: str | None, guarded: bool
) -> list[dict[str, Any]]:
    """JSON Patch that gives a line other words, guarded by those it holds."""
    held = next(row for row in rows if str(value_at(row, ("Id",))) == line_id)
    test = (
        [{"op": "test", "path": "/Description", "value": value_at(held, ("Description",))}]
        if guarded
        else []
    )
    return [*test, {"op": "replace", "path": "/Description", "value": words}]


def without_line(rows: Iterable[Raw], line_id: str) -> list[Raw]:
    """The other lines."""
    return [row for row in rows if str(value_at(row, ("Id",))) != line_id]


def _position(row: Raw) -> int:
    return int(value_at(row, ("SortOrder",)) or 0)
