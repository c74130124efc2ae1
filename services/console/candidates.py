"""An ambiguous record beside its candidates, so that a person can pick, and what to type for each.
Pure."""

import shlex
from collections.abc import Iterator, Sequence

import msgspec
from rich.table import Table

from contracts.entities import SYSTEMS, EntityName, System
from contracts.messages import Link, LinkState, Side
from contracts.vendors import changed_at
from services.console.known import Known
from services.console.model_rows import ids_of, side_of
from services.console.names import Names, seen_of, total_of
from services.console.terminal import table, text
from services.console.values import shown

_DETAILS: dict[EntityName, tuple[tuple[str, str], ...]] = {
    "customer": (
        ("organisation_number", "org. no."),
        ("email", "e-mail"),
        ("phone", "phone"),
        ("address", "address"),
    ),
    "product": (("code", "code"), ("unit", "unit"), ("price", "price")),
    "order": (("order_date", "date"), ("purchase_order", "purchase order"), ("lines", "lines")),
}
NEW = "--new"


class Candidate(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One of the records that a person picks among; the first of a list is the record that is
    ambiguous itself.

    `ids` are its records by system, `details` what is known of it in words by field, `changed` when
    each record was last changed in its system (UTC, to the minute), `choice` what to type to pick
    it, None where it cannot be picked, for which `why_not` says the reason. Of the record itself
    `choice` says that it is none of the others.
    """

    key: str
    state: LinkState
    ids: dict[System, str]
    name: str = ""
    details: dict[str, str] = {}
    changed: dict[System, str] = {}
    choice: str | None = None
    why_not: str = ""


def candidates_of(
    link: Link, known: Known, names: Names, tenant: str | None = None
) -> list[Candidate]:
    """The record and its candidates, as far as they are known, empty where none is; `tenant` is
    named in what is typed where it must be."""
    found = [each for key in link.candidates if (each := known.link(link.entity, key)) is not None]
    if not found:
        return []
    # Where its own reference names them it cannot be none of them.
    none = _typed(link, NEW, tenant) if link.candidates_count else None
    own = msgspec.structs.replace(_candidate(link, names), choice=none)
    return [own, *(_to_pick(link, each, names, tenant) for each in found)]


def _candidate(link: Link, names: Names) -> Candidate:
    seen, sides = seen_of(link), _sides(link)
    named = names.of(link)
    details = {
        field: words
        for field, _ in _DETAILS[link.entity]
        if (words := shown(field, seen.get(field)))
    }
    if link.entity == "order":
        details |= {"customer": named.customer, "total": total_of(named.currency, named.total)}
    return Candidate(
        key=link.key,
        state=link.state,
        ids=ids_of(link),
        name=named.name,
        details={field: words for field, words in details.items() if words},
        changed={system: when for system, side in sides.items() if (when := _moment(side.version))},
    )


def _sides(link: Link) -> dict[System, Side]:
    return {system: side for system in SYSTEMS if (side := side_of(link, system)) is not None}


def _to_pick(link: Link, candidate: Link, names: Names, tenant: str | None) -> Candidate:
    found = _candidate(candidate, names)
    mine, theirs = _sides(link), _sides(candidate)
    if len(theirs) == len(SYSTEMS) or len(mine) == len(SYSTEMS):
        return msgspec.structs.replace(found, why_not="it is linked already")
    if mine.keys() == theirs.keys():
        return msgspec.structs.replace(found, why_not="it is a record of the same system")
    return msgspec.structs.replace(found, choice=_typed(link, candidate.key, tenant))


def _typed(link: Link, choice: str, tenant: str | None) -> str:
    named = ["-t", tenant] if tenant is not None else []
    new, keys = (["--new"], [link.key]) if choice == NEW else ([], [link.key, choice])
    end = ["--"] if any(each.startswith("-") for each in keys) else []  # a key is no option
    return shlex.join(["tandem", "links", "pick", *named, *new, link.entity, *end, *keys])


def _moment(version: str) -> str:
    """When a record was last changed, to the minute; blank where its version does not tell."""
    when = changed_at(version)
    return f"{when:%Y-%m-%d %H:%M}" if when is not None and when.year > 1970 else ""


def choices_table(entity: EntityName, found: Sequence[Candidate]) -> Table:
    """The record first, marked with `>`, then its candidates, each in a row."""
    details = [*_DETAILS[entity]]
    if entity == "order":
        details = [("customer", "customer"), ("total", "total"), *details]
    # A column that nobody has anything for would only take room.
    held = [
        (field, title) for field, title in details if any(each.details.get(field) for each in found)
    ]
    rows = table("", "key", "name", *(title for _, title in held), "changed")
    for number, each in enumerate(found):
        days = dict.fromkeys(when.partition(" ")[0] for when in each.changed.values())
        cells = (
            "" if number else ">",
            each.key,
            each.name or "-",
            *(each.details.get(field, "-") for field, _ in held),
            ", ".join(days) or "-",
        )
        rows.add_row(*map(text, cells))
    return rows


def choice_lines(found: Sequence[Candidate]) -> Iterator[str]:
    """What to type for each candidate, or why it cannot be picked; last where it is none of
    them."""
    for each in found[1:]:
        yield (
            each.choice
            if each.choice is not None
            else f"{each.key} cannot be picked: {each.why_not}"
        )
    if found and found[0].choice is not None:
        yield found[0].choice
