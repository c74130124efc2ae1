"""Decoding of Chargebee's wire parameters: brackets, indexed columns, three list and two metadata
spellings."""

import ast
import json
import re
from collections.abc import Iterable
from typing import Any

from simulators.chargebee.errors import wrong_value

Nested = dict[str, Any]
"""Parameter name -> text, or a dict of the same shape for what stood in brackets."""

_KEY = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)$")


def nest(pairs: Iterable[tuple[str, str]]) -> Nested:
    """`billing_address[line1]=x` becomes `{"billing_address": {"line1": "x"}}`. Raises 400 for
    unbalanced brackets."""
    root: Nested = {}
    for key, value in pairs:
        match = _KEY.match(key)
        if match is None:
            raise wrong_value(key, "malformed parameter name")
        parts = [match[1], *re.findall(r"\[([^\[\]]*)\]", match[2])]
        _set(root, parts, value, key)
    return root


def _set(root: Nested, parts: list[str], value: str, key: str) -> None:
    node = root
    for part in parts[:-1]:
        child = node.setdefault(part, {})
        if not isinstance(child, dict):
            raise wrong_value(key, "given both as a value and with brackets")
        node = child
    if isinstance(node.get(parts[-1]), dict):
        raise wrong_value(key, "given both as a value and with brackets")
    node[parts[-1]] = value


def sub(params: Nested, name: str) -> Nested:
    """The bracketed parameters below `name`; {} when there are none. Raises 400 when `name` came as
    plain text."""
    value = params.get(name, {})
    if value == "":
        return {}
    if not isinstance(value, dict):
        raise wrong_value(name, "should be given with brackets")
    return value


def rows(params: Nested, name: str) -> list[tuple[str, Nested]]:
    """Column style `lines[id][1]=a&lines[amount][1]=5` as rows [(index text, {"id": "a", "amount":
    "5"})]."""
    found: dict[int, Nested] = {}
    for column, cells in sub(params, name).items():
        if not isinstance(cells, dict):
            raise wrong_value(f"{name}[{column}]", "an index is missing")
        for index, value in cells.items():
            if not index.isdigit():
                raise wrong_value(f"{name}[{column}][{index}]", "index should be a number")
            found.setdefault(int(index), {})[column] = value
    return [(str(index), found[index]) for index in sorted(found)]


def text_list(text: str, param: str) -> list[str]:
    """The elements of `[a,b]`, `["a","b"]` (JSON) or `['a', 'b']` (Python). Raises 400 for anything
    else."""
    body = text.strip()
    if not (body.startswith("[") and body.endswith("]")):
        raise wrong_value(param, "should be a list such as [a,b]")
    for parse in (json.loads, ast.literal_eval):
        try:
            return [str(element) for element in parse(body)]
        except (ValueError, SyntaxError):
            continue
    return [element.strip() for element in body[1:-1].split(",") if element.strip()]


def json_object(text: str) -> dict[str, Any]:
    """Metadata as JSON or as Python dict text (what the official Python SDK sends). Raises
    ValueError."""
    for parse in (json.loads, ast.literal_eval):
        try:
            value = parse(text)
        except (ValueError, SyntaxError):
            continue
        if isinstance(value, dict):
            return value
    raise ValueError("should be a JSON object")
