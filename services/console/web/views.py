"""What each page reads. They write nothing: what a person decides is in `app`."""

from collections.abc import Iterable
from typing import Any, get_args

import msgspec
from starlette.responses import RedirectResponse, Response

from contracts.entities import ENTITIES, SYSTEMS, EntityName
from contracts.messages import DeadLetter, Link, LinkState
from contracts.said import say
from runtime.harmless import shortened
from runtime.unusable import Unusable
from services.console.base import Unfit
from services.console.following import picked
from services.console.known import KnownByModel
from services.console.letters import said_of as letter_said
from services.console.letters import words_of as letter_words
from services.console.model_rows import ids_of
from services.console.names import Names, said_of
from services.console.status import mode_of, switches_of, troubles_of
from services.console.values import shown
from services.console.web.asked import Asked
from services.console.web.filters import NAME_MAX, Filter
from services.console.web.record import record_of

FOUND_MAX, ENTRIES_MAX = 100, 100
LETTERS_MAX, PAYLOAD_MAX = 20, 1000
STATES: tuple[LinkState, ...] = get_args(LinkState)


async def home(asked: Asked) -> Response:
    """The only tenant, or all to choose among."""
    tenants = sorted(asked.settings.tenants)
    if len(tenants) == 1:
        return RedirectResponse(f"/{tenants[0]}/", 303)
    return asked.page("home.html")


async def overview(asked: Asked) -> Response:
    """The two systems, what lies between them, and the services."""
    model, tenant = asked.model, asked.tenant
    held, settings = model.states(), asked.settings.tenants[tenant]
    counts = {e: {s: held.get((tenant, e, s), 0) for s in STATES} for e in ENTITIES}
    cursors, controls = model.cursors(tenant), model.controls(tenant)
    barriers = {c.id for c in controls if c.kind == "barrier" and c.value}
    health = {c.system: c.value for c in cursors if c.entity == "health"}
    await asked.watch.look()
    return asked.page(
        "overview.html",
        counts=counts,
        systems=SYSTEMS,
        read={(e, s): f"{e}/{s}" in barriers for e in ENTITIES for s in SYSTEMS},
        health=health,
        mode=mode_of(controls, settings.effective_mode),
        undecided=settings.missing_decisions(),
        switches=list(switches_of(controls)),
        troubles=troubles_of(cursors),
        services=asked.watch.health,
        trouble=asked.watch.trouble,
        may_mode=asked.person.may("mode"),
        may_act=asked.person.may("pause"),
    )


async def records(asked: Asked) -> Response:
    """Search by a text, which is posted so that no address holds it, or list by state."""
    form, query = asked.form, asked.request.query_params
    text, entity = form.get("text", "").strip(), form.get("entity") or query.get("entity", "")
    state = form.get("state") or query.get("state", "")
    named: EntityName | None = next((each for each in ENTITIES if each == entity), None)
    states = [each for each in STATES if each == state]
    found: Iterable[Link] = ()
    if text:
        found = asked.model.find(asked.tenant, text, named, states=states, most=FOUND_MAX + 1)
    elif states or named:
        most = FOUND_MAX + 1
        found = asked.model.in_states(asked.tenant, states or STATES, entity=named, most=most)
    names = Names(KnownByModel(asked.model, asked.tenant))
    rows = [
        {
            "link": link,
            "ids": ids_of(link),
            "number": asked.model.number_of(link),
            "called": said_of(names.of(link)),
        }
        for link in found
    ]
    return asked.page(
        "records.html",
        rows=rows[:FOUND_MAX],
        more=len(rows) > FOUND_MAX,
        text=text,
        still=bool(text),  # asked for anew without its words it would be empty
        entity=entity,
        state=state,
        entities=ENTITIES,
        states=STATES,
        asked_for=bool(text or states or named),
        filters=asked.filters.of(asked.person.name, asked.tenant),
        name_max=NAME_MAX,
    )


async def keep_filter(asked: Asked) -> Response:
    """Save what Records is filtered by under a name, for this person."""
    form = {name: " ".join(value.split()) for name, value in asked.form.items() if value.strip()}
    given = {name: form.get(name) for name in ("name", "entity", "state")}
    try:
        kept = msgspec.convert(given, Filter)
        asked.filters.keep(asked.person.name, asked.tenant, kept)
    except msgspec.ValidationError:
        return asked.refused("This cannot be saved", Unfit(say("filter_wrong")))
    except (Unfit, Unusable) as error:
        return asked.refused("This cannot be saved", error)
    return RedirectResponse(f"/{asked.tenant}/records?{kept.query}", 303)


async def drop_filter(asked: Asked) -> Response:
    """Delete a filter of this person."""
    try:
        asked.filters.drop(asked.person.name, asked.tenant, asked.form.get("name", ""))
    except Unusable as error:
        return asked.refused("This cannot be saved", error)
    return RedirectResponse(f"/{asked.tenant}/records", 303)


async def record(asked: Asked) -> Response:
    """One record; with `?candidate=KEY` the two that would become one, before they do."""
    link = asked.model.numbered(asked.tenant, asked.request.path_params["number"])
    if link is None:
        return asked.absent("There is no such record; search for it")
    if (other := asked.request.query_params.get("candidate")) is not None:
        found = asked.model.numbered(asked.tenant, int(other)) if other.isdigit() else None
        if found is None:
            return asked.absent("There is no such candidate")
        pair = picked(asked.model, asked.tenant, link.entity, link.key, found.key)[2]
        fields = {
            name: [shown(name, ((s and s.seen) or {}).get(name)) for s in pair.sides.values()]
            for name in _names(pair.sides.values())
        }
        return asked.page(
            "pick.html",
            link=link,
            candidate=found,
            pair=pair,
            fields=fields,
            number=asked.model.number_of(link),
        )
    return asked.page(
        "record.html",
        view=record_of(asked.model, asked.about, link, asked.words("blank")),
        systems=SYSTEMS,
        may_act=asked.person.may("settle"),
        may_forget=asked.person.may("forget"),
    )


def _names(sides: Iterable[Any]) -> list[str]:
    return list(dict.fromkeys(name for side in sides if side and side.seen for name in side.seen))


async def activity(asked: Asked) -> Response:
    """What was decided and who asked for it, the newest first."""
    found = asked.model.newest(asked.tenant, ENTRIES_MAX)
    return asked.page("activity.html", entries=found, numbers=asked.numbers(found))


async def letters(asked: Asked) -> Response:
    """Dead letters with what they hold."""
    found = asked.model.letters(asked.tenant)
    rows = [
        {
            "key": key,
            "letter": letter,
            "why": letter_words(letter),
            "said": letter_said(letter),
            "payload": _payload(letter),
        }
        for key, letter in list(found.items())[:LETTERS_MAX]
    ]
    more = len(found) - len(rows)
    may_act = asked.person.may("redrive")
    return asked.page("letters.html", rows=rows, more=more, may_act=may_act)


def _payload(letter: DeadLetter) -> str:
    if letter.command is not None:
        text = msgspec.json.format(msgspec.json.encode(letter.command), indent=2).decode()
    else:
        text = str(letter.body_base64 or "")
    return shortened(text, PAYLOAD_MAX)


async def settings(asked: Asked) -> Response:
    """The tenant's settings as they hold; secrets are never shown."""
    held = asked.settings.tenants[asked.tenant].model_dump(mode="json", exclude_unset=True)
    return asked.page("settings.html", rows=list(_rows("", held)))


def _rows(prefix: str, held: Any) -> Iterable[tuple[str, str]]:
    if isinstance(held, dict):
        for name, value in held.items():
            yield from _rows(f"{prefix}.{name}" if prefix else str(name), value)
    else:
        yield prefix, str(held)
