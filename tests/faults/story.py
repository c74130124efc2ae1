"""What both systems were given, in order: by the editors' log and by what went through the
proxy."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import parse_qsl

from tests.faults.books import SYSTEMS, System
from tests.faults.desk import Edit
from tests.faults.proxy import Passed

TOLD_RULES = ("late_write", "overwritten", "conflict", "restored", "suspect")
GO_BLANKS = {"/PhoneNumber": "phone", "/Description": "description"}
# Writes of the records themselves: a document quotes the name that a product had when it was made.
OF_RECORDS = ("customers", "items", "item_prices", "Customers", "Products")


@dataclass(frozen=True)
class _Step:
    """One request that entered values in a system, by a person or by the product."""

    at: float
    values: dict[tuple[str, str], str]  # (mark, field) -> value
    is_own: bool
    by: str
    is_new: bool = False  # it made a record, in which nothing stood before


def written_twice(
    log: list[Edit], passed: Iterable[Passed], journal: list[dict[str, Any]]
) -> tuple[list[str], list[str]]:
    """(writes of the product that carried only what stood, values that it wrote again after others
    had followed them), in words. A value that came back is told where an entry of the journal names
    both values."""
    needless: list[str] = []
    flip_backs: list[str] = []
    for system in SYSTEMS:
        now: dict[tuple[str, str], str] = {}
        gone: dict[tuple[str, str], set[str]] = {}
        for step in _story(system, log, passed):
            moved = {
                place: value for place, value in step.values.items() if now.get(place) != value
            }
            if step.is_own and not moved:
                needless.append(
                    f"{step.values} was written to {system} where it stood by {step.by}"
                )
            for place, value in moved.items():
                before = now.get(place)
                is_back = step.is_own and not step.is_new and value in gone.get(place, ())
                if is_back and not _told_back(value, before, journal):
                    flip_backs.append(
                        f"{place[1]} of {place[0]} in {system} went from {before!r} back to "
                        f"{value!r} by {step.by}"
                    )
                if before is not None:
                    gone.setdefault(place, set()).add(before)
                now[place] = value
    return needless, flip_backs


def _story(system: System, log: list[Edit], passed: Iterable[Passed]) -> list[_Step]:
    """By the time at which the vendor had answered; of requests without a known value nothing."""
    known = {_form(edit.field, edit.value): edit for edit in log if edit.value}
    steps = [
        _Step(edit.done, {(edit.mark, edit.field): edit.value}, is_own=False, by="a person")
        for edit in log
        if edit.system == system
    ]
    for write in passed:
        if write.system == system and write.kind.split("/")[1] in OF_RECORDS and write.status < 300:
            meant = [edit for form in _written(write) if (edit := known.get(form)) is not None]
            if meant:
                values = {(edit.mark, edit.field): edit.value for edit in meant}
                steps.append(
                    _Step(
                        write.at,
                        values,
                        is_own=True,
                        by=f"{write.kind} ({write.fault})",
                        is_new=_is_creation(write.kind),
                    )
                )
    return sorted(steps, key=lambda step: step.at)


def _is_creation(kind: str) -> bool:
    """Of a kind of request as `kind_of` names it: a POST to a list."""
    return kind.startswith("POST /") and kind.count("/") == 1


def _told_back(value: str, followed: str | None, journal: list[dict[str, Any]]) -> bool:
    for each in journal:
        if each.get("rule") in TOLD_RULES:
            sides = [each.get("value"), each.get("losing")]
            named = {*leaves(sides), *("" for side in sides if side is None)}
            if value in named and followed in named:
                return True
    return False


def _form(name: str, value: str) -> tuple[str, str]:
    return ("price", value) if name == "price" else ("text", value)


def _written(write: Passed) -> Iterator[tuple[str, str]]:
    """The values in a request, prices apart from texts."""
    if write.system == "chargebee":
        for name, value in parse_qsl(_text(write)):
            is_price = name == "price" and value.isdigit()
            yield ("price", f"{Decimal(value) / 100:.2f}") if is_price else ("text", value)
        return
    body = _document(write)
    if isinstance(body, list):
        for step in body:
            if step.get("op") in ("replace", "add"):
                for leaf in leaves(step.get("value")):
                    yield ("price" if step["path"] == "/UnitPrice" else "text", leaf)
    elif isinstance(body, dict):
        for name, value in body.items():
            for leaf in leaves(value):
                yield ("price" if name == "UnitPrice" else "text", leaf)


def _text(write: Passed) -> str:
    return write.body.decode("utf-8", "replace")


def _document(write: Passed) -> Any:
    """The JSON that was sent to Go; None where it is none."""
    try:
        return json.loads(_text(write) or "null")
    except ValueError:
        return None


def blanks(write: Passed) -> set[str]:
    """The fields that a request empties."""
    if write.system == "chargebee":
        pairs = parse_qsl(_text(write), keep_blank_values=True)
        return {name for name, value in pairs if not value}
    body = _document(write)
    steps = body if isinstance(body, list) else []
    paths = {step["path"] for step in steps if step.get("value") in (None, "")}
    return {name for path, name in GO_BLANKS.items() if path in paths}


def leaves(value: Any) -> Iterator[str]:
    """Every text or number inside; numbers with two decimals, as prices are entered."""
    if isinstance(value, Mapping):
        for each in value.values():
            yield from leaves(each)
    elif isinstance(value, list):
        for each in value:
            yield from leaves(each)
    elif value is not None:
        yield str(value)
        try:
            yield f"{Decimal(str(value)):.2f}"
        except InvalidOperation:
            pass
