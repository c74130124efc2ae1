"""Needs you: the list, its file, and who works on what."""

from starlette.responses import RedirectResponse, Response

from contracts.entities import SYSTEMS
from contracts.said import english
from runtime.clock import utc_now
from runtime.unusable import Unusable
from services.console.web.asked import Asked
from services.console.web.downloads import as_csv
from services.console.web.needs import KINDS, Need, needs_of
from services.console.web.taken import mark_of

NEEDS_MAX = 40
COLUMNS = (
    *("kind", "entity", "key", "chargebee", "poweroffice", "called", "currency", "amount"),
    *("since", "reason", "todo", "taken_by", "taken_at"),
)


async def needs(asked: Asked) -> Response:
    """One list of what waits for a person."""
    kind = asked.request.query_params.get("kind", "")
    found, taken = _needs(asked), asked.taken.of(asked.tenant, utc_now())
    counts = {each: sum(need.kind == each for need in found) for each in KINDS}
    wanted = [need for need in found if kind in ("", need.kind)]
    rows = [
        {"need": need, "mark": (mark := mark_of(need)), "taken": taken.get(mark)}
        for need in wanted[:NEEDS_MAX]
    ]
    return asked.page(
        "needs.html",
        found=rows,
        more=max(0, len(wanted) - NEEDS_MAX),
        counts=counts,
        kind=kind,
        may_act=asked.person.may("settle"),
    )


async def needs_csv(asked: Asked) -> Response:
    """The same list for a spreadsheet."""
    taken, rows = asked.taken.of(asked.tenant, utc_now()), []
    for need in _needs(asked):
        held = taken.get(mark_of(need))
        rows.append(
            [
                *(need.kind, need.entity or "", need.key),
                *(need.ids.get(system, "") for system in SYSTEMS),
                *(english(*need.called), need.currency, need.amount, need.since),
                *(need.reason, need.todo),
                *((held.by, held.at) if held is not None else ("", "")),
            ]
        )
    return as_csv(f"{asked.tenant}-needs-you", COLUMNS, rows)


async def take(asked: Asked) -> Response:
    """Say that this person works on something, in place of whoever did."""
    return _said(asked, ends=False)


async def let_go(asked: Asked) -> Response:
    """Say that nobody works on it any more."""
    return _said(asked, ends=True)


def _said(asked: Asked, *, ends: bool) -> Response:
    if not asked.person.may("settle"):
        words = "Your role may not do this"
        return asked.page("message.html", 403, title=words, words=asked.person.role)
    mark, now = asked.form.get("mark", ""), utc_now()
    try:
        if ends:
            asked.taken.let_go(asked.tenant, mark, now)
        else:
            present = map(mark_of, _needs(asked))
            asked.taken.take(asked.tenant, mark, asked.person.name, now, present)
    except (ValueError, Unusable) as error:
        return asked.refused("This cannot be saved", error)
    return RedirectResponse(f"/{asked.tenant}/needs", 303)


def _needs(asked: Asked) -> list[Need]:
    return needs_of(asked.model, asked.about)
