"""Between a record and an HTML form: what may be edited, how it is shown as text and read back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from simulators import page
from simulators.poweroffice.enums import ENUMS
from simulators.poweroffice.fields import Field, Record, Schema

WHOLE: Final = ("int", "int32")
DECIMAL: Final = ("float", "percent")


def fields_of(schema: Schema, record: Mapping[str, Any], use: str) -> list[page.Field]:
    """Inputs for the properties with one use letter (U or P); nested ones are named
    `MailAddress/City`."""
    found: list[page.Field] = []
    for name in schema.names(use):
        spec, inner, value = schema.get(name), schema.nested.get(name), record.get(name)
        assert spec is not None
        if inner is not None:
            found += [
                _input(f"{name}/{one.name}", one, (value or {}).get(one.name))
                for one in _uses(inner, use)
            ]
        elif spec.kind != "object":
            found.append(_input(name, spec, value))
    return found


def _uses(schema: Schema, use: str) -> list[Field]:
    return [one for one in schema.fields if use in one.use]


def _input(name: str, spec: Field, value: Any) -> page.Field:
    if spec.kind == "bool" and spec.default is not None:
        return page.Field(name, "true" if value else "", kind="checkbox")
    if spec.kind == "bool":
        return page.Field(name, as_text(value), kind="select", options=("", "true", "false"))
    if spec.kind in ENUMS:
        return page.Field(name, as_text(value), kind="select", options=("", *ENUMS[spec.kind]))
    return page.Field(name, as_text(value), kind="textarea" if name == "Description" else "text")


def as_text(value: Any) -> str:
    """A value as a person types it; null is empty."""
    if value is None:
        return ""
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return (
        str(value).lower()
        if isinstance(value, bool)
        else f"{value:g}"
        if isinstance(value, float)
        else str(value)
    )


def values_of(schema: Schema, texts: Mapping[str, str], use: str) -> Record:
    """Properties, flat as in the form, from its texts: empty is null, and what is no number stays
    text."""
    found: Record = {}
    for name in schema.names(use):
        inner = schema.nested.get(name)
        if inner is not None:
            found |= {
                f"{name}/{one.name}": _value(one, texts, f"{name}/{one.name}")
                for one in _uses(inner, use)
            }
        elif (spec := schema.get(name)) is not None and spec.kind != "object":
            found[name] = _value(spec, texts, name)
    return found


def _value(spec: Field, texts: Mapping[str, str], name: str) -> Any:
    text = texts.get(name, "").strip()
    if spec.kind == "bool":
        return text == "true" if text or spec.default is not None else None
    if spec.kind == "ids":
        return [_number(part) for part in text.split(",") if part.strip()]
    if not text:
        return None
    return _number(text) if spec.kind in WHOLE + DECIMAL else text


def _number(text: str) -> Any:
    try:
        number = json.loads(text.strip().replace(",", "."))
    except ValueError:
        return text
    return number if isinstance(number, int | float) and not isinstance(number, bool) else text


def changes(schema: Schema, record: Mapping[str, Any], texts: Mapping[str, str]) -> list[Record]:
    """A JSON Patch of what the form's texts change; an object that was null is written whole."""
    operations: list[Record] = []
    values = values_of(schema, texts, "U")
    for name, inner in schema.nested.items():
        parts = {one.name: values.pop(f"{name}/{one.name}") for one in _uses(inner, "U")}
        held = record.get(name)
        if held is None and any(_is_told(one, parts[one.name]) for one in _uses(inner, "U")):
            operations.append({"op": "replace", "path": f"/{name}", "value": parts})
        elif held is not None:
            operations += _differing(held, parts, f"{name}/")
    return [*_differing(record, values, ""), *operations]


def _is_told(spec: Field, value: Any) -> bool:
    return value is not None and value != spec.default


def _differing(held: Mapping[str, Any], values: Mapping[str, Any], prefix: str) -> list[Record]:
    return [
        {"op": "replace", "path": f"/{prefix}{name}", "value": value}
        for name, value in values.items()
        if as_text(held.get(name)) != as_text(value)
    ]


def body(schema: Schema, texts: Mapping[str, str]) -> Record:
    """A POST body of the properties that the form fills in."""
    found: Record = {}
    for name, value in values_of(schema, texts, "P").items():
        outer, _, inner = name.partition("/")
        if value is None or value == [] or not texts.get(name, "").strip():
            continue
        if inner:
            found.setdefault(outer, {})[inner] = value
        else:
            found[name] = value
    return found
