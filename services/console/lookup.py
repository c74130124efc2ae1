"""One record looked up: its link, both sides field by field, and why its values are what they are."""

import sys
from collections.abc import Iterator
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from contracts.entities import SYSTEMS, EntityName, System
from contracts.messages import JournalEntry, Link, Side
from contracts.settings import Settings
from runtime.kafka import Kafka
from services.console.links import read_links

_SEARCHED = ("first_name", "last_name", "company", "email", "organisation_number", "name", "code", "number")
_decoder = msgspec.json.Decoder(JournalEntry)


class NotFound(LookupError):
    """No link has that record; the text says so to a person."""


def side_of(link: Link, system: System) -> Side | None:
    return link.chargebee if system == "chargebee" else link.poweroffice


async def find_links(settings: Settings, tenant: str, text: str, entity: EntityName | None) -> list[Link]:
    """The links whose key, ids, names, e-mail, codes or numbers contain `text`, letter case aside."""
    wanted = text.casefold()
    return [
        link
        for link in await read_links(settings, tenant)
        if entity in (None, link.entity) and any(wanted in each.casefold() for each in _words(link))
    ]


def _words(link: Link) -> Iterator[str]:
    yield link.key
    for system in SYSTEMS:
        if (side := side_of(link, system)) is not None:
            yield side.id
            yield from (str(side.seen[name]) for name in _SEARCHED if side.seen and side.seen.get(name))


async def find_link(settings: Settings, tenant: str, entity: EntityName, key: str) -> Link:
    """The link with this key, or with a record of this id on either side. Raises NotFound."""
    links = [link for link in await read_links(settings, tenant) if link.entity == entity]
    for link in links:
        if link.key == key:
            return link
    for link in links:
        if any((side := side_of(link, system)) is not None and side.id == key for system in SYSTEMS):
            return link
    raise NotFound(f"no {entity} {key!r} is known of {tenant}; try: tandem links find {tenant} TEXT")


async def explain(
    settings: Settings, tenant: str, system: System, entity: EntityName, record: str, field: str | None
) -> tuple[Link, list[JournalEntry]]:
    """The link of a record and what the journal says of it, oldest first; of one field only those that name it or
    carry it among their values. Raises NotFound."""
    links = await read_links(settings, tenant)
    found = [
        link
        for link in links
        if link.entity == entity and (side := side_of(link, system)) is not None and side.id == record
    ]
    if not found:
        raise NotFound(f"no {entity} {record!r} of {system} is known of {tenant}")
    link = found[0]
    # Before it was matched a record had a link of its own, under its own key.
    keys = {
        link.key,
        *(side.id for side in (link.chargebee,) if side),
        *(f"go-{s.id}" for s in (link.poweroffice,) if s),
    }
    entries: list[JournalEntry] = []
    async for message in Kafka(settings.kafka).read(("journal",), (settings.partition_of(tenant),)):
        if message.value is None or not (message.key or b"").startswith(f"{tenant}/{entity}/".encode()):
            continue
        entry = _decoder.decode(message.value)
        if entry.link in keys and (field is None or _is_about(entry, field)):
            entries.append(entry)
    return link, entries


def _is_about(entry: JournalEntry, field: str) -> bool:
    values = [each for each in (entry.value, entry.losing) if isinstance(each, dict)]
    return entry.field == field or (entry.field is None and any(field in each for each in values))


def show_links(console: Console, links: list[Link], *, as_json: bool) -> None:
    """One line for each link."""
    if as_json:
        _json(links)
        return
    table = Table("entity", "link", "state", "Chargebee", "Go", "name", "reason", box=None, pad_edge=False)
    for link in links:
        ids = [side.id if (side := side_of(link, system)) else "-" for system in SYSTEMS]
        cells = (link.entity, link.key, link.state, *ids, _name(link), link.reason or "")
        table.add_row(*map(Text, cells))
    console.print(table)
    console.print(f"{len(links)} found")


def _name(link: Link) -> str:
    seen = next((side.seen for system in SYSTEMS if (side := side_of(link, system)) and side.seen), {})
    person = " ".join(filter(None, (seen.get("first_name"), seen.get("last_name"))))
    return str(seen.get("company") or person or seen.get("name") or seen.get("number") or "")


def show_link(console: Console, link: Link, *, as_json: bool) -> None:
    """Both sides field by field; `*` marks fields in which they differ."""
    if as_json:
        _json(link)
        return
    _say(console, f"{link.entity} {link.key}: {link.state}{f', {link.reason}' if link.reason else ''}")
    sides = {system: side_of(link, system) for system in SYSTEMS}
    table = Table(
        "",
        "field",
        *(f"{system} {side.id if side else '-'}" for system, side in sides.items()),
        box=None,
        pad_edge=False,
    )
    seen = [side.seen if side and side.seen else {} for side in sides.values()]
    for name in dict.fromkeys(name for each in seen for name in each):
        values = [each.get(name) for each in seen]
        differ = all(side is not None for side in sides.values()) and values[0] != values[1]
        table.add_row("*" if differ else "", name, *(Text(_text(value)) for value in values))
    table.add_row("", "version", *(side.version if side else "" for side in sides.values()))
    console.print(table)
    for title, words in (("waits on", link.waiting_on), ("candidates", link.candidates)):
        if words:
            _say(console, f"{title}: {', '.join(words)}")
    if link.plan is not None:
        _say(console, f"planned: {link.plan.op} in {link.plan.target}: {_text(link.plan.fields)}")


def show_entries(console: Console, link: Link, entries: list[JournalEntry], *, field: str | None, as_json: bool
                 ) -> None:  # fmt: skip
    """What the field holds on both sides now, then the decisions that led there with their causes."""
    if as_json:
        _json(entries)
        return
    _say(console, f"{link.entity} {link.key}: {link.state}{f', {link.reason}' if link.reason else ''}")
    if field is not None:
        for system in SYSTEMS:
            side = side_of(link, system)
            held = _text(side.seen.get(field)) if side is not None and side.seen is not None else "-"
            _say(console, f"  {field} in {system}: {held}")
    for entry in entries:
        _say(console, f"{entry.at[:19]}Z  {entry.rule}: {entry.text}")
        for title, value in (("value", entry.value), ("instead of", entry.losing)):
            if value is not None:
                _say(console, f"    {title}: {_text(value)}")
        _say(console, f"    because of {entry.cause}")
    if not entries:
        console.print("the journal says nothing of it: it came with the first snapshot and nothing was decided since")


def _say(console: Console, words: str) -> None:
    """A line as it is: what a record holds is no markup, and no line is broken at the width of the screen."""
    console.print(words, highlight=False, markup=False, soft_wrap=True)


def _text(value: Any) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _json(value: Any) -> None:
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value)).decode() + "\n")
