"""JSON Patch as the API takes it: patchable properties only, all operations or none.

Paths must be in exact PascalCase; other casings follow the setting `patch_other_case` (a public
integration saw camelCase names ignored without an error).
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from simulators.poweroffice.errors import BindingError, Invalid, Refusal
from simulators.poweroffice.fields import Record, Schema, coerce
from simulators.poweroffice.http import Call, json_body
from simulators.poweroffice.settings import Settings

OPERATIONS = ("add", "replace", "remove", "test", "copy", "move")


@dataclass(frozen=True)
class Patched:
    """`values` are the touched properties with their new values; `changed` those that really
    differ."""

    values: Record
    changed: frozenset[str]


def patched(call: Call, settings: Settings, schema: Schema, record: Record) -> Patched:
    """Apply the call's patch to the patchable part of a record.

    Raises Invalid for an unknown path, a bad value or a failing `test`, BindingError for a
    malformed body.
    """
    is_sent = bool(call.content_type or call.body.strip())
    if is_sent and call.content_type.split(";")[0].strip().lower() != "application/json-patch+json":
        raise Refusal(415, {"title": "Unsupported Media Type", "status": 415})
    before = _patchable(schema, record)
    run = _Run(schema, settings, copy.deepcopy(before))
    for operation in _operations(json_body(call)):
        run.apply(operation)
    values = {name: run.document[name] for name in sorted(run.touched)}
    return Patched(values, frozenset(name for name in values if values[name] != before[name]))


def _operations(body: Any) -> list[dict[str, Any]]:
    if not isinstance(body, list) or not all(isinstance(one, dict) for one in body):
        raise BindingError(
            {"$": ["The JSON patch document was malformed and could not be parsed."]}
        )
    return [{name.lower(): value for name, value in one.items()} for one in body]


class _Run:
    def __init__(self, schema: Schema, settings: Settings, document: Record) -> None:
        self.schema = schema
        self.settings = settings
        self.document = document
        self.touched: set[str] = set()

    def apply(self, operation: dict[str, Any]) -> None:
        name = str(operation.get("op", "")).lower()
        if name not in OPERATIONS:
            raise self._invalid(f"Invalid JsonPatch operation '{operation.get('op')}'.")
        path = self._path(operation.get("path"))
        source = self._path(operation.get("from")) if name in ("copy", "move") else None
        if path is None or (name in ("copy", "move") and source is None):
            return
        if name == "test":
            self._test(path, operation.get("value"))
        elif name == "remove":
            self._remove(path)
        elif source is not None:
            self._set(path, copy.deepcopy(self._read(source)), adding=True)
            if name == "move":
                self._remove(source)
        else:
            self._set(path, operation.get("value"), adding=name == "add")

    def _path(self, text: Any) -> list[str] | None:
        """Split a path and check it against the tables; None when it is to be ignored."""
        if not isinstance(text, str) or not text.strip("/"):
            raise self._invalid(f"The path '{text}' is not valid.")
        path = [part.replace("~1", "/").replace("~0", "~") for part in text.strip("/").split("/")]
        schema: Schema | None = self.schema
        for depth, part in enumerate(path):
            if schema is None:
                if not self._is_index(path, depth):
                    raise self._unknown(part)
                continue
            spec = schema.get(part, "U") or schema.find(part, "U")
            if spec is None:
                raise self._unknown(part)
            if spec.name != part:
                if self.settings.patch_other_case == "ignore":
                    return None
                if self.settings.patch_other_case == "refuse":
                    raise self._unknown(part)
            path[depth] = spec.name
            schema = schema.nested.get(spec.name)
        return path

    def _is_index(self, path: list[str], depth: int) -> bool:
        spec = self.schema.get(path[0])
        number = path[depth]
        return (
            depth == 1
            and spec is not None
            and spec.kind == "ids"
            and (number == "-" or (number.isascii() and number.isdigit() and len(number) < 10))
        )

    def _read(self, path: list[str]) -> Any:
        value = self.document.get(path[0])
        if len(path) == 1:
            return value
        if isinstance(value, list):
            return value[self._position(value, path[1], len(value) - 1)]
        return self._inner(path)[path[1]]

    def _inner(self, path: list[str]) -> Record:
        inner = self.document.get(path[0])
        if not isinstance(inner, dict):
            raise self._unknown(path[1])
        return inner

    def _position(self, values: list[Any], text: str, last: int) -> int:
        position = last if text == "-" else int(text)
        if not 0 <= position <= last:
            raise self._invalid(
                f"The index value provided by path segment '{text}' is out of bounds."
            )
        return position

    def _test(self, path: list[str], expected: Any) -> None:
        found = self._read(path)
        if not self.settings.ignore_test_ops and not same(found, expected):
            shown = "/".join(path)
            raise self._invalid(
                f"The current value '{found}' at path '{shown}' is not equal to the test value "
                f"'{expected}'."
            )

    def _remove(self, path: list[str]) -> None:
        values = self.document.get(path[0])
        if len(path) == 2 and isinstance(values, list):
            del values[self._position(values, path[1], len(values) - 1)]
            self.touched.add(path[0])
        else:
            self._set(path, None, adding=False)

    def _set(self, path: list[str], value: Any, *, adding: bool) -> None:
        self.touched.add(path[0])
        current = self.document.get(path[0])
        if len(path) == 1:
            self.document[path[0]] = self._value(self.schema, path[0], value)
        elif path[0] in self.schema.nested:
            self._inner(path)[path[1]] = self._value(self.schema.nested[path[0]], path[1], value)
        else:
            self._set_item(current if isinstance(current, list) else [], path, value, adding=adding)

    def _set_item(self, values: list[Any], path: list[str], value: Any, *, adding: bool) -> None:
        position = self._position(values, path[1], len(values) if adding else len(values) - 1)
        rest = values[position:] if adding else values[position + 1 :]
        self.document[path[0]] = self._value(
            self.schema, path[0], [*values[:position], value, *rest]
        )

    def _value(self, schema: Schema, name: str, value: Any) -> Any:
        spec = schema.get(name, "U")
        if spec is None:
            raise self._unknown(name)
        inner = schema.nested.get(name)
        try:
            if inner is not None and isinstance(value, dict):
                return self._whole(inner, value)
            return coerce(spec, value)
        except ValueError as error:
            detail = f"The value '{value}' is invalid for target location '{name}': {error}."
            raise self._invalid(detail) from None

    def _whole(self, inner: Schema, value: dict[str, Any]) -> Record:
        given = {}
        for name, one in value.items():
            spec = inner.find(name, "U")
            if spec is None:
                raise self._unknown(name)
            given[spec.name] = self._value(inner, spec.name, one)
        return {
            one.name: given.get(one.name, one.default) for one in inner.fields if "U" in one.use
        }

    def _unknown(self, part: str) -> Invalid:
        return self._invalid(
            f"The target location specified by path segment '{part}' was not found."
        )

    def _invalid(self, detail: str) -> Invalid:
        return Invalid(self.schema.label, f"{self.schema.entity}PatchDto: {detail}")


def _patchable(schema: Schema, record: Record) -> Record:
    """The patchable part of a record, nested objects included, as a copy of its own."""
    view: Record = {}
    for name in schema.names("U"):
        value, inner = record.get(name), schema.nested.get(name)
        view[name] = (
            _patchable(inner, value) if inner and value is not None else copy.deepcopy(value)
        )
    return view


def same(found: Any, expected: Any) -> bool:
    """Equality as `test` has it: numbers by value, and true is not 1."""
    if isinstance(found, bool) or isinstance(expected, bool):
        return found is expected
    if isinstance(found, dict) and isinstance(expected, dict):
        return set(expected) <= set(found) and all(
            same(found[name], expected.get(name)) for name in found
        )
    return bool(found == expected)
