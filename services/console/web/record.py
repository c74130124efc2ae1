"""One record as its page shows it: both sides field by field, what waits, and its history."""

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import quote

from contracts.entities import FIELDS, SYSTEMS, EntityName, System, field_of
from contracts.messages import Finding, JournalEntry, Link, Settled
from contracts.said import Said, english, say
from contracts.settings import Tenant
from services.console.base import Meant
from services.console.candidates import Candidate
from services.console.findings import found_in
from services.console.following import Orders, orders_of
from services.console.known import KnownByModel
from services.console.lookup import keys_of
from services.console.model import ReadModel
from services.console.model_rows import ids_of, side_of
from services.console.names import Names, said_of
from services.console.plans import changes_of, plan_of
from services.console.shown import shown_of
from services.console.values import shown as words_for

ENTRIES_MAX = 100


class FieldRow(NamedTuple):
    """One field: both values in words, whether they differ, and why if that is known, also as
    sentences where they are ours. `base` is
    what both agreed on where a side was edited since; `keeps` are the systems whose value a person
    may keep."""

    name: str
    chargebee: str
    poweroffice: str
    differs: bool
    base: str
    why: str
    said: tuple[Said, ...]
    keeps: tuple[System, ...]


class RecordView(NamedTuple):
    """All that the page of a record shows; history is newest first, `pages` the addresses of its
    own pages in the systems, where the settings tell them. `called` is empty where it has no
    name."""

    link: Link
    number: int | None
    called: list[Said]
    reason: str
    said: list[Said]
    ids: dict[System, str]
    pages: dict[System, str]
    fields: list[FieldRow]
    findings: list[tuple[Finding, Settled | None]]
    planned: dict[str, str]
    plan_op: str
    plan_target: str
    candidates: list[tuple[Candidate, int | None]]
    waits_behind: Orders
    history: list[JournalEntry]
    letters: list[str]
    undo: str


def record_of(model: ReadModel, about: Meant, link: Link, blank: str) -> RecordView:
    """What the read model holds of a link and around it. `blank` is said of a planned field whose
    value is blank before or after."""
    tenant = about.tenant
    (shown,) = shown_of(model, about, (link,))
    ids, names = ids_of(link), Names(KnownByModel(model, tenant))
    plan = plan_of(link, names, about.settings.tenants[tenant])
    journal = model.journal(tenant, link.entity, keys_of(link))
    return RecordView(
        link=link,
        number=model.number_of(link),
        called=said_of(shown.named),
        reason=shown.reason or "",
        said=shown.said,
        ids=ids,
        pages=pages_of(about.settings.tenants[tenant], link.entity, ids),
        fields=_fields(link),
        findings=[(found.finding, found.settled) for found in found_in(link)],
        planned=changes_of(plan, blank) if plan is not None else {},
        plan_op=plan["op"] if plan is not None else "",
        plan_target=plan["target"] if plan is not None else "",
        candidates=[(each, _number(model, tenant, link, each)) for each in shown.choices],
        waits_behind=orders_of(model, tenant, link.entity, ids.items()),
        history=journal[::-1][:ENTRIES_MAX],
        letters=model.letter_keys(tenant, link.entity, link.key),
        undo=_last_word(model, tenant, link, ids),
    )


def pages_of(settings: Tenant, entity: EntityName, ids: Mapping[System, str]) -> dict[System, str]:
    """The addresses of a record's pages in the systems, by the settings."""
    held = {"chargebee": settings.chargebee.pages, "poweroffice": settings.poweroffice.pages}
    return {
        system: held[system][entity].replace("{id}", quote(id, safe=""))
        for system, id in ids.items()
        if entity in held[system]
    }


def _number(model: ReadModel, tenant: str, link: Link, candidate: Candidate) -> int | None:
    held = model.link(tenant, link.entity, candidate.key)
    return model.number_of(held) if held is not None else None


def _fields(link: Link) -> list[FieldRow]:
    ours, theirs = (side_of(link, system) for system in SYSTEMS)
    x, y = (ours and ours.seen) or {}, (theirs and theirs.seen) or {}
    rows = []
    for name in FIELDS[link.entity]:
        if name not in x and name not in y:
            continue
        differs = ours is not None and theirs is not None and x.get(name) != y.get(name)
        bases = [side.base[name] for side in (ours, theirs) if side and name in side.base]
        listed = name in link.differences
        keeps = tuple(s for s in SYSTEMS if listed and not field_of(link.entity, name).once)
        told = link.held_back_said.get(name)
        why, said = link.held_back.get(name, ""), (told,) if told is not None else ()
        if name in link.asked:
            said = (say("keep_one"),)
            why = english(*said)
        left, right = words_for(name, x.get(name)), words_for(name, y.get(name))
        base = words_for(name, bases[0]) if bases else ""
        rows.append(FieldRow(name, left, right, differs, base, why, said, keeps))
    return rows


def _last_word(model: ReadModel, tenant: str, link: Link, ids: dict[System, str]) -> str:
    """The id of the last link, pick or unlink of these records that can be taken back, or ""."""
    found = ("", "")
    for control in model.controls(tenant, "signal"):
        did = control.value.get("did")
        if not isinstance(did, dict) or did.get("entity") != link.entity:
            continue
        new = did.get("new")
        named = new if isinstance(new, dict) else did
        is_about = any(named.get(system) == record for system, record in ids.items())
        if is_about and control.value.get("result") == "done":
            found = max(found, (str(control.value.get("at", "")), control.id))
    return found[1]
