"""Query parameters of collections: typed filters, Fields, OrderBy, paging."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from datetime import date
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from simulators.poweroffice.clock import instant_text, instant_ticks
from simulators.poweroffice.enums import ENUMS
from simulators.poweroffice.errors import BindingError, GoError
from simulators.poweroffice.fields import Record, Schema
from simulators.poweroffice.http import Call, Reply
from simulators.poweroffice.settings import Settings

Test = Callable[[Record], bool]


def text(call: Call, name: str) -> str | None:
    """A text parameter; blank counts as not given."""
    value = call.query.get(name.lower(), "").strip()
    return value or None


def _bound(call: Call, name: str, parse: Callable[[str], Any]) -> Any:
    """A parameter the web framework binds: anything unreadable, blank too, is its validation
    problem."""
    value = call.query.get(name.lower())
    if value is None:
        return None
    try:
        return parse(value.strip())
    except (ValueError, OverflowError):
        raise BindingError({name: [f"The value '{value}' is not valid."]}) from None


def flag(call: Call, name: str) -> bool | None:
    found: bool | None = _bound(
        call, name, lambda value: ("false", "true").index(value.lower()) == 1
    )
    return found


def integer(call: Call, name: str, default: int) -> int:
    found: int | None = _bound(call, name, int)
    return default if found is None else found


def day(call: Call, name: str) -> str | None:
    found: str | None = _bound(
        call, name, lambda value: date.fromisoformat(value.split("T")[0]).isoformat()
    )
    return found


def enum(call: Call, name: str, of: str) -> str | None:
    members = {member.lower(): member for member in ENUMS[of]}
    found: str | None = _bound(call, name, lambda value: members.get(value.lower()))
    if name.lower() in call.query and found is None:
        raise BindingError({name: [f"The value '{call.query[name.lower()]}' is not valid."]})
    return found


def later_than(call: Call, name: str, field: str) -> Iterable[Test]:
    """`...GreaterThan` filters: strictly greater at seven digits; fixed-width texts are
    compared."""
    bound: str | None = _bound(call, name, lambda value: instant_text(instant_ticks(value)))
    if bound is not None:
        yield lambda record: record.get(field) is not None and record[field] > bound


def texts(call: Call, name: str, field: str) -> Iterable[Test]:
    """Comma-separated texts; there is no escape for a comma inside a value."""
    wanted = text(call, name)
    if wanted is not None:
        values = {part.strip() for part in wanted.split(",")}
        yield lambda record: record.get(field) in values


def numbers(call: Call, name: str, field: str) -> Iterable[Test]:
    """Numbers and ranges: `10000-11000, 12000, 13000-`."""
    wanted = text(call, name)
    if wanted is not None:
        ranges = [_range(name, part.strip()) for part in wanted.split(",")]
        yield (
            lambda record: (
                record.get(field) is not None
                and any(low <= record[field] <= high for low, high in ranges)
            )
        )


def _range(name: str, part: str) -> tuple[float, float]:
    found = re.fullmatch(r"(\d{0,18})\s*(-?)\s*(\d{0,18})", part)
    if found is None or not (found[1] or found[3]):
        raise GoError(400, "Unable to cast object(s)", f"{name}: '{part}' is no number or range.")
    low = int(found[1]) if found[1] else 0
    if not found[2]:
        return low, low
    return low, int(found[3]) if found[3] else float("inf")


def id_list(call: Call, name: str) -> list[int] | None:
    """Plain positive numbers; a range or a minus is refused with the vendor's words."""
    wanted = text(call, name)
    if wanted is None:
        return None
    parts = [part.strip() for part in wanted.split(",")]
    if not all(re.fullmatch(r"\d{1,18}", part) for part in parts):
        raise GoError(
            400,
            "Unable to cast object(s)",
            f"{name} contains negative numbers and/or range of numbers. '-' is not allowed, only "
            f"comma ',' "
            "separated single positive numbers are allowed.",
        )
    return [int(part) for part in parts]


def uuids(call: Call, name: str, field: str) -> Iterable[Test]:
    wanted = text(call, name)
    if wanted is not None:
        try:
            values = {str(UUID(part.strip())) for part in wanted.split(",")}
        except ValueError:
            raise GoError(
                400, "Unable to cast object(s)", f"{name} holds a value that is no uuid."
            ) from None
        yield lambda record: record.get(field) in values


def listing(
    call: Call,
    settings: Settings,
    schema: Schema,
    rows: Iterable[Record],
    tests: Iterable[Test] = (),
    template: str = "",
) -> Reply:
    """Filter, order, cut to the page and to the wanted fields; 204 when nothing is left.

    `rows` are readable records. Pages are counted from 1.
    """
    _refuse_odata(call)
    page, size = _paging(call, settings)
    names, order = _fields(call, schema), _order(call, schema)
    checks = list(tests)
    found = [row for row in rows if all(check(row) for check in checks)]
    for name, descending in reversed(order):
        found.sort(key=lambda row: _sort_key(row.get(name)), reverse=descending)
    found = found[: settings.list_rows_max.get(template, len(found))]
    found = found if call.fault is None else call.fault.cut(found)
    shown = [schema.dto(row) for row in found[(page - 1) * size : page * size]]
    if not shown:
        return Reply(204)
    if names is not None:
        shown = [{name: row[name] for name in names} for row in shown]
    headers = {}
    if settings.x_pagination:
        headers["X-Pagination"] = _pagination(call, page, size, len(found))
    return Reply(200, shown, headers)


def _refuse_odata(call: Call) -> None:
    for name in call.query:
        if name.startswith("$"):
            raise GoError(
                400, "Invalid resourceParameter", f"Query option '{name}' is not supported."
            )


def _paging(call: Call, settings: Settings) -> tuple[int, int]:
    page = integer(call, "PageNumber", 1)
    size = integer(call, "PageSize", settings.page_size_default)
    if page < 1 or size < 1:
        raise GoError(
            400, "Invalid resourceParameter", "PageNumber and PageSize must be at least 1."
        )
    if size > settings.page_size_max:
        raise GoError(
            400,
            "Invalid resourceParameter",
            f"PageSize cannot be larger than {settings.page_size_max}.",
        )
    return page, size


def _fields(call: Call, schema: Schema) -> list[str] | None:
    wanted = text(call, "Fields")
    return [_known(schema, part) for part in (wanted or "").split(",") if part.strip()] or None


def _order(call: Call, schema: Schema) -> list[tuple[str, bool]]:
    order = []
    for part in (text(call, "OrderBy") or "").split(","):
        words = part.split()
        if not words:
            continue
        if len(words) > 2 or (len(words) == 2 and words[1].lower() not in ("asc", "desc")):
            raise GoError(
                400, "Invalid resourceParameter", f"OrderBy '{part.strip()}' is not valid."
            )
        order.append((_known(schema, words[0]), words[-1].lower() == "desc"))
    return order


def _known(schema: Schema, name: str) -> str:
    spec = schema.find(name.strip(), "R")
    if spec is None:
        raise GoError(
            400,
            "Invalid resourceParameter",
            f"Property '{name.strip()}' was not found on {schema.entity}.",
        )
    return spec.name


def _sort_key(value: Any) -> tuple[bool, Any]:
    if isinstance(value, dict | list):
        return True, json.dumps(value, sort_keys=True)
    return value is not None, value if value is not None else 0


def _pagination(call: Call, page: int, size: int, total: int) -> str:
    if page * size >= total:
        return json.dumps({"nextPageLink": None})
    query = {
        name: value for name, value in call.query.items() if name not in ("pagenumber", "pagesize")
    }
    link = f"{call.url}?{urlencode(query | {'PageNumber': str(page + 1), 'PageSize': str(size)})}"
    return json.dumps({"nextPageLink": link})
