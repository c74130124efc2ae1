"""The lines of an order stand once in a link on the topic; wherever else a link holds lines, only
how they differ.

A link may hold them on both sides, in the bases, in what was sent, in what is planned and in what
came meanwhile. Works on a `contracts.messages.Link` and on its JSON form alike.
"""

from collections.abc import Iterator
from typing import Any

Lines = list[dict[str, Any]]


def take_out(link: dict[str, Any]) -> None:
    """Take the lines of a link's JSON form out of all places but the first, and note under
    `unlike_lines` by place how they differ from those."""
    first, whole = _whole(link)
    found = {}
    for name, held in _places(link):
        if name != first and (differences := _differences(held.get("lines"), whole)) is not None:
            found[name] = differences
            del held["lines"]
    if found:
        link["unlike_lines"] = found


def put_back(link: Any, found: dict[str, Lines]) -> None:
    """Put the lines into a decoded link where `take_out` took them out."""
    _, whole = _whole(link)
    for name, held in _places(link):
        if name in found:
            held["lines"] = _together(found[name], whole)


def _places(link: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Everything in a link that may have lines, by the name that stands on the topic."""
    for system in ("chargebee", "poweroffice"):
        side = _part(link, system)
        for name in ("seen", "unlike", "base", "remapped"):
            if (held := _part(side, name)) is not None:
                yield f"{system}.{name}", held
        for index, write in enumerate(_part(side, "writes") or ()):
            yield (
                f"{system}.writes.{index}",
                write[2] if isinstance(write, list | tuple) else write.expected,
            )
    flight = _part(link, "flight")
    for name, command in (("flight", _part(flight, "command")), ("plan", _part(link, "plan"))):
        for part in ("fields", "expected"):
            if (held := _part(command, part)) is not None:
                yield f"{name}.{part}", held
    if (held := _part(flight, "planned")) is not None:
        yield "flight.planned", held
    for index, (_, held) in enumerate(_part(flight, "during") or ()):
        yield f"flight.during.{index}", held


def _part(holder: Any, name: str) -> Any:
    return holder.get(name) if isinstance(holder, dict) else getattr(holder, name, None)


def _whole(link: Any) -> tuple[str, Lines]:
    """The lines that stay, and their place: those of the first side that has any."""
    for name, held in _places(link):
        if name.endswith(".seen") and held.get("lines"):
            return name, held["lines"]
    return "", []


def _differences(lines: Any, whole: Lines) -> Lines | None:
    """Of each line the values that are not those of the line at the same place in `whole`; further
    lines whole. An empty list: all are the same. None: it cannot be told so, or there is nothing to
    be told."""
    if not isinstance(lines, list) or not lines or not whole:
        return None
    if lines == whole:
        return []
    pairs = list(zip(lines, whole, strict=False))
    if any(line.keys() != ours.keys() for line, ours in pairs):
        return None
    further: Lines = lines[len(whole) :]
    return [
        {name: value for name, value in line.items() if ours[name] != value} for line, ours in pairs
    ] + further


def _together(found: Lines, whole: Lines) -> Lines:
    if not found:
        return [dict(line) for line in whole]
    return [{**ours, **line} for line, ours in zip(found, whole, strict=False)] + found[
        len(whole) :
    ]
