"""One record looked up: its link, both sides field by field, and why its values are what they are."""

from typing import Any

import msgspec
from rich.console import Console
from rich.text import Text

from contracts.entities import SYSTEMS, EntityName, System
from contracts.messages import JournalEntry, Link
from services.console.base import NotFound, print_json, say, table
from services.console.model import ReadModel, side_of
from services.console.show import listed


def find_link(model: ReadModel, tenant: str, entity: EntityName, key: str) -> Link:
    """The link with this key, or with a record of this id on either side. Raises NotFound."""
    candidates = (model.link(tenant, entity, key), *(model.link_of(tenant, entity, each, key) for each in SYSTEMS))
    found = next((link for link in candidates if link is not None), None)
    if found is None:
        raise NotFound(f"no {entity} {key!r} is known of {tenant}; try: tandem links find TEXT")
    return found


def keys_of(link: Link) -> list[str]:
    """The keys under which the journal may speak of a record: before it was matched it had a link of its own."""
    own = [link.chargebee.id] if link.chargebee else []
    theirs = [f"go-{link.poweroffice.id}"] if link.poweroffice else []
    return list(dict.fromkeys([link.key, *own, *theirs]))


def explain(
    model: ReadModel, tenant: str, system: System, entity: EntityName, record: str, field: str | None
) -> tuple[Link, list[JournalEntry]]:
    """The link of a record and what the journal says of it, oldest first; of one field only those that name it or
    carry it among their values. Raises NotFound."""
    link = model.link_of(tenant, entity, system, record)
    if link is None:
        raise NotFound(f"no {entity} {record!r} of {system} is known of {tenant}")
    entries = model.journal(tenant, entity, keys_of(link))
    return link, [entry for entry in entries if field is None or _is_about(entry, field)]


def _is_about(entry: JournalEntry, field: str) -> bool:
    values = [each for each in (entry.value, entry.losing) if isinstance(each, dict)]
    return entry.field == field or (entry.field is None and any(field in each for each in values))


def show_links(console: Console, links: list[Link], *, as_json: bool) -> None:
    """One line for each link."""
    if as_json:
        print_json(links)
        return
    for link in links:
        ours, theirs = (side.id if (side := side_of(link, system)) else "-" for system in SYSTEMS)
        reason = f"  ({link.reason})" if link.reason else ""
        named = f"  {name}" if (name := _name(link)) else ""
        say(console, f"{link.entity} {link.key}: {link.state}  Chargebee {ours}  Go {theirs}{named}{reason}")
    say(console, f"{len(links)} found")


def _name(link: Link) -> str:
    seen = next((side.seen for system in SYSTEMS if (side := side_of(link, system)) and side.seen), {})
    person = " ".join(filter(None, (seen.get("first_name"), seen.get("last_name"))))
    return str(seen.get("company") or person or seen.get("name") or seen.get("number") or "")


def show_link(console: Console, link: Link, *, as_json: bool) -> None:
    """Both sides field by field; `*` marks fields in which they differ."""
    if as_json:
        print_json(link)
        return
    say(console, f"{link.entity} {link.key}: {link.state}{f', {link.reason}' if link.reason else ''}")
    sides = {system: side_of(link, system) for system in SYSTEMS}
    shown = table("", "field", *(f"{system} {side.id if side else '-'}" for system, side in sides.items()))
    seen = [side.seen if side and side.seen else {} for side in sides.values()]
    for name in dict.fromkeys(name for each in seen for name in each):
        values = [each.get(name) for each in seen]
        differ = all(side is not None for side in sides.values()) and values[0] != values[1]
        shown.add_row("*" if differ else "", name, *(Text(_text(value)) for value in values))
    shown.add_row("", "version", *(side.version if side else "" for side in sides.values()))
    console.print(shown)
    for title, keys, count in (("waits on", link.waiting_on, 0), ("candidates", link.candidates, link.candidates_count),
                               ("possible duplicates", link.duplicates, 0)):  # fmt: skip
        if keys:
            say(console, f"{title}: {listed(keys, count, most=len(keys))}")
    if link.plan is not None:
        say(console, f"planned: {link.plan.op} in {link.plan.target}: {_text(link.plan.fields)}")


def show_entries(console: Console, link: Link, entries: list[JournalEntry], *, field: str | None, as_json: bool
                 ) -> None:  # fmt: skip
    """What the field holds on both sides now, then the decisions that led there with their causes."""
    if as_json:
        print_json(entries)
        return
    say(console, f"{link.entity} {link.key}: {link.state}{f', {link.reason}' if link.reason else ''}")
    if field is not None:
        for system in SYSTEMS:
            side = side_of(link, system)
            held = _text(side.seen.get(field)) if side is not None and side.seen is not None else "-"
            say(console, f"  {field} in {system}: {held}")
    for entry in entries:
        say(console, f"{entry.at[:19]}Z  {entry.rule}: {entry.text}")
        for title, value in (("value", entry.value), ("instead of", entry.losing)):
            if value is not None:
                say(console, f"    {title}: {_text(value)}")
        say(console, f"    because of {entry.cause}")
    if not entries:
        console.print("the journal says nothing of it: it came with the first snapshot and nothing was decided since")


def _text(value: Any) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
