"""One record looked up: its link, both sides field by field, and why its values are what they
are."""

from typing import Any

import msgspec
from rich.console import Console

from contracts.entities import ENTITIES, SYSTEMS, EntityName, System
from contracts.messages import JournalEntry, Link
from contracts.said import say as sentence
from services.console.base import NotFound
from services.console.candidates import choice_lines, choices_table
from services.console.findings import RULES, found_in, head_of
from services.console.findings_view import details
from services.console.model import ReadModel
from services.console.model_rows import side_of
from services.console.names import words_of
from services.console.show import listed
from services.console.shown import Shown
from services.console.terminal import print_json, say, table, text
from services.console.values import shown as shown_value


def find_link(model: ReadModel, tenant: str, entity: EntityName, key: str) -> Link:
    """The link with this key, or with a record of this id on either side. Raises NotFound."""
    candidates = (
        model.link(tenant, entity, key),
        *(model.link_of(tenant, entity, each, key) for each in SYSTEMS),
    )
    found = next((link for link in candidates if link is not None), None)
    if found is None:
        raise NotFound(sentence("unknown_record", entity=entity, key=key, tenant=tenant))
    return found


def require_known(model: ReadModel, tenant: str, entity: EntityName | None, record: str) -> None:
    """See that a record is known, by a link's key or an id on either side, of an entity or of any.
    Raises NotFound."""
    for each in (entity,) if entity else ENTITIES:
        try:
            find_link(model, tenant, each, record)
        except NotFound:
            continue
        return
    if entity is not None:
        raise NotFound(sentence("unknown_record", entity=entity, key=record, tenant=tenant))
    raise NotFound(sentence("unknown_any", key=record, tenant=tenant))


def keys_of(link: Link) -> list[str]:
    """The keys under which the journal may speak of a record: before it was matched it had a link
    of its own."""
    own = [link.chargebee.id] if link.chargebee else []
    theirs = [f"go-{link.poweroffice.id}"] if link.poweroffice else []
    return list(dict.fromkeys([link.key, *own, *theirs]))


def explain(
    model: ReadModel,
    tenant: str,
    system: System,
    entity: EntityName,
    record: str,
    field: str | None,
) -> tuple[Link, list[JournalEntry]]:
    """The link of a record and what the journal says of it, oldest first; of one field only those
    that name it or carry it among their values. Raises NotFound."""
    link = model.link_of(tenant, entity, system, record)
    if link is None:
        told = {"entity": entity, "key": record, "system": system, "tenant": tenant}
        raise NotFound(sentence("unknown_in", **told))
    entries = model.journal(tenant, entity, keys_of(link))
    return link, [entry for entry in entries if field is None or _is_about(entry, field)]


def _is_about(entry: JournalEntry, field: str) -> bool:
    if entry.rule in RULES:
        return entry.field == field  # its value is a finding, not a record
    values = [each for each in (entry.value, entry.losing) if isinstance(each, dict)]
    return entry.field == field or (entry.field is None and any(field in each for each in values))


def show_links(console: Console, found: list[Shown], *, as_json: bool) -> None:
    """One line for each link."""
    if as_json:
        print_json([each.link for each in found])
        return
    for shown in found:
        link = shown.link
        ours, theirs = (side.id if (side := side_of(link, system)) else "-" for system in SYSTEMS)
        why = shown.reason
        reason = f"  ({why})" if why else ""
        named = f"  {words}" if (words := words_of(shown.named)) else ""
        say(
            console,
            f"{link.entity} {link.key}: {link.state}  Chargebee {ours}  Go {theirs}{named}{reason}",
        )
    say(console, f"{len(found)} found")


def show_link(console: Console, shown: Shown, *, as_json: bool) -> None:
    """Findings, then both sides field by field; `*` marks fields in which they differ. Of an
    ambiguous one its candidates, and what to type for each. As JSON the link with `now`, why it is
    as it is."""
    link = shown.link
    if as_json:
        print_json({**msgspec.to_builtins(link), "now": shown.reason, "choices": shown.choices})
        return
    _show_head(console, shown)
    _show_sides(console, link)
    if link.waiting_on:
        say(console, f"waits on: {listed(link.waiting_on, most=len(link.waiting_on))}")
    if link.candidates:
        _show_choices(console, shown)
    if link.duplicates:
        say(console, f"possible duplicates: {listed(link.duplicates, most=len(link.duplicates))}")
    if link.plan is not None:
        values = ", ".join(
            f"{name}={shown_value(name, value)}" for name, value in link.plan.fields.items()
        )
        say(console, f"planned: {link.plan.op} in {link.plan.target}: {values}")


def _show_sides(console: Console, link: Link) -> None:
    sides = {system: side_of(link, system) for system in SYSTEMS}
    rows = table(
        "", "field", *(f"{system} {side.id if side else '-'}" for system, side in sides.items())
    )
    marked = False
    seen = [side.seen if side and side.seen else {} for side in sides.values()]
    for name in dict.fromkeys(name for each in seen for name in each):
        values = [each.get(name) for each in seen]
        differ = all(side is not None for side in sides.values()) and values[0] != values[1]
        marked = marked or differ
        cells = (shown_value(name, value) or "-" for value in values)
        rows.add_row("*" if differ else "", text(name), *map(text, cells))
    rows.add_row("", "version", *(text(side.version if side else "") for side in sides.values()))
    console.print(rows)
    if marked:
        say(console, "fields with * differ between the two systems")


def _show_choices(console: Console, shown: Shown) -> None:
    link = shown.link
    say(
        console,
        f"candidates: {listed(link.candidates, link.candidates_count, most=len(link.candidates))}",
    )
    if not shown.choices:
        return
    console.print(choices_table(link.entity, shown.choices))
    for line in choice_lines(shown.choices):
        say(console, f"  {line}")


def _show_head(console: Console, shown: Shown) -> None:
    """How the link stands, with its findings and what is known as rounding."""
    link = shown.link
    say(console, f"{shown.called}: {link.state}{f', {shown.reason}' if shown.reason else ''}")
    for found in found_in(link):
        say(console, f"  finding {head_of(found)}")
        for line in details(found):
            say(console, f"      {line}")
    if link.rounding:
        say(
            console,
            "  rounding: the VAT of both sides differs by 0.01 at most for each line; nothing has "
            "to be done",
        )


def show_entries(
    console: Console, shown: Shown, entries: list[JournalEntry], *, field: str | None, as_json: bool
) -> None:
    """The record's findings, what the field holds on both sides now, then the decisions that led
    there with their causes."""
    if as_json:
        print_json(entries)
        return
    link = shown.link
    _show_head(console, shown)
    if field is not None:
        for system in SYSTEMS:
            side = side_of(link, system)
            held = (
                _text(side.seen.get(field)) if side is not None and side.seen is not None else "-"
            )
            say(console, f"  {field} in {system}: {held}")
    for entry in entries:
        say(console, f"{entry.at[:19]}Z  {entry.rule}: {entry.text}")
        for title, value in (("value", entry.value), ("instead of", entry.losing)):
            if value is not None:
                say(console, f"    {title}: {_text(value)}")
        say(console, f"    because of {entry.cause}")
    if not entries:
        say(
            console,
            "the journal says nothing of it: it came with the first snapshot and nothing was "
            "decided since",
        )


def _text(value: Any) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
