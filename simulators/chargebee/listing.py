"""Lists: filters, sorting and the opaque cursor (API v2 reference: pagination, filtering,
sorting)."""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from simulators.chargebee.errors import wrong_value
from simulators.chargebee.params import Nested, sub, text_list
from simulators.chargebee.site import Row

DEFAULT_LIMIT: Final = 10
MAX_LIMIT: Final = 100
MAX_OFFSET_CHARS: Final = 1000

Test = Callable[[Any, Any], bool]

_OPERATORS: Final[Mapping[str, frozenset[str]]] = {
    "text": frozenset({"is", "is_not", "starts_with"}),
    "id": frozenset({"is", "is_not", "starts_with", "in", "not_in"}),
    "present": frozenset({"is", "is_not", "starts_with", "is_present"}),
    "enum": frozenset({"is", "is_not", "in", "not_in"}),
    "bool": frozenset({"is"}),
    "number": frozenset({"is", "is_not", "lt", "lte", "gt", "gte", "between"}),
    "time": frozenset({"after", "before", "on", "between"}),
}
_DAY_S: Final = 86_400
# `between` is inclusive; whether `after` and `before` are strict is not documented, so they are
# here.
_NUMERIC_TESTS: Final[Mapping[str, Test]] = {
    "after": lambda a, b: a > b,
    "before": lambda a, b: a < b,
    "on": lambda a, b: a // _DAY_S == b // _DAY_S,
    "is": lambda a, b: a == b,
    "is_not": lambda a, b: a != b,
    "lt": lambda a, b: a < b,
    "lte": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "gte": lambda a, b: a >= b,
}


class Listing:
    """Which filters and sort attributes one list endpoint knows. `filters` maps a name to text, id,
    enum, time, ..."""

    def __init__(
        self,
        filters: Mapping[str, str],
        sort_by: tuple[str, ...] = (),
        *,
        enums: Mapping[str, tuple[str, ...]] = {},
        is_newest_first: bool = False,
    ) -> None:
        self._filters = filters
        self._sort_by = sort_by
        self._enums = enums
        self._is_newest_first = is_newest_first

    def page(
        self, rows: Iterable[Row], params: Nested, cap_rows: int | None = None
    ) -> tuple[list[Row], str | None]:
        """The rows asked for and the cursor of the next page (None on the last). Raises 400 for bad
        parameters."""
        limit, offset = _limit(params), _offset(params)
        matches = self._matcher(params)
        kept = [row for row in rows if matches(row)]
        attribute, is_descending = self._order(params)
        numbered = [(_sort_key(row, n, attribute), row) for n, row in enumerate(kept)]
        numbered.sort(key=lambda pair: pair[0], reverse=is_descending)
        numbered = numbered[:cap_rows]
        if offset is not None:
            try:
                numbered = [
                    p for p in numbered if (p[0] < offset if is_descending else p[0] > offset)
                ]
            except TypeError as error:
                raise wrong_value("offset", "invalid offset") from error
        page, rest = numbered[:limit], numbered[limit:]
        cursor = json.dumps(page[-1][0]) if rest else None
        return [row for _, row in page], cursor

    def _order(self, params: Nested) -> tuple[str | None, bool]:
        given = sub(params, "sort_by")
        if not given:
            return None, self._is_newest_first
        if len(given) > 1 or not set(given) <= {"asc", "desc"}:
            raise wrong_value("sort_by", "should be sort_by[asc] or sort_by[desc]")
        ((direction, attribute),) = given.items()
        if attribute not in self._sort_by:
            raise wrong_value(
                f"sort_by[{direction}]", f"should be one of {', '.join(self._sort_by)}"
            )
        return str(attribute), direction == "desc"

    def _matcher(self, params: Nested) -> Callable[[Row], bool]:
        tests: list[Callable[[Row], bool]] = []
        for name, given in params.items():
            if not isinstance(given, dict) or name == "sort_by":
                continue
            kind = "text" if name.startswith("cf_") else self._filters.get(name)
            if kind is None:
                raise wrong_value(name, "is not a filter of this list")
            for operator, text in given.items():
                tests.append(self._test(name, kind, operator, text))
        return lambda row: all(test(row) for test in tests)

    def _test(self, name: str, kind: str, operator: str, text: Any) -> Callable[[Row], bool]:
        param = f"{name}[{operator}]"
        if operator not in _OPERATORS[kind] or not isinstance(text, str):
            raise wrong_value(param, f"should be one of {', '.join(sorted(_OPERATORS[kind]))}")
        if operator == "is_present":
            return lambda row: (row.get(name) is not None) == _boolean(text, param)
        if kind in ("time", "number"):
            return _numeric_test(name, operator, text, param)
        if kind == "bool":
            return lambda row: bool(row.get(name)) == _boolean(text, param)
        wanted = text_list(text, param) if operator in ("in", "not_in") else [text]
        for value in wanted:
            if name in self._enums and value not in self._enums[name]:
                raise wrong_value(param, f"should be one of {', '.join(self._enums[name])}")
        if operator == "starts_with":
            return lambda row: str(row.get(name, "")).lower().startswith(text.lower())
        if operator in ("is", "in"):
            return lambda row: row.get(name) in wanted
        return lambda row: row.get(name) not in wanted


def _numeric_test(name: str, operator: str, text: str, param: str) -> Callable[[Row], bool]:
    try:
        bounds = [int(t) for t in (text_list(text, param) if operator == "between" else [text])]
    except ValueError as error:
        raise wrong_value(param, "should be a number") from error
    if operator == "between":
        if len(bounds) != 2:
            raise wrong_value(param, "should have two values")
        low, high = bounds
        return lambda row: row.get(name) is not None and low <= row[name] <= high
    compare = _NUMERIC_TESTS[operator]
    return lambda row: row.get(name) is not None and compare(row[name], bounds[0])


def _boolean(text: str, param: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise wrong_value(param, "should be true or false")
    return text.lower() == "true"


def flag(params: Nested, name: str) -> bool:
    """The boolean query parameter `name`, false when it is absent. Raises 400 for another text."""
    value = params.get(name, "false")
    return _boolean(value if isinstance(value, str) else "", name)


def _limit(params: Nested) -> int:
    text = params.get("limit", str(DEFAULT_LIMIT))
    if not (isinstance(text, str) and text.isdigit() and 1 <= int(text) <= MAX_LIMIT):
        raise wrong_value("limit", f"should be between 1 and {MAX_LIMIT}")
    return int(text)


def _offset(params: Nested) -> tuple[Any, ...] | None:
    text = params.get("offset")
    if not text:
        return None
    try:
        parts = json.loads(text) if len(text) <= MAX_OFFSET_CHARS else None
    except ValueError:
        parts = None
    if not isinstance(parts, list) or len(parts) != 2:
        raise wrong_value("offset", "invalid offset")
    return tuple(parts)


def _sort_key(row: Row, position: int, attribute: str | None) -> tuple[Any, str]:
    """Attribute, then id as tie-break. `updated_at` sorts by the finer `resource_version`, none by
    creation."""
    if attribute is None:
        return position, row["id"]
    if attribute == "updated_at":
        return row["resource_version"], row["id"]
    return row.get(attribute, 0), row["id"]
