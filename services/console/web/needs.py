"""What needs a person, as one list. Reads the read model, writes nothing.

Ordered by what is at stake and by age. Lists stop at MOST of each kind, and say so: who has more
than that has one cause to find, not a thousand records to look at.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Literal, NamedTuple

from contracts.entities import EntityName, System
from contracts.messages import LinkState
from contracts.said import Said, english, say
from services.console.base import Meant
from services.console.findings import ordered
from services.console.known import KnownByModel
from services.console.letters import said_of as letter_said
from services.console.letters import words_of as letter_words
from services.console.model import ReadModel
from services.console.model_rows import ids_of
from services.console.names import Names, amount_in, said_of
from services.console.plans import batches_of, plans_of
from services.console.shown import Shown, shown_of

Kind = Literal["finding", "ambiguous", "asked", "conflict", "rejected", "broken", "held", "letter"]
KINDS: tuple[Kind, ...] = (
    "finding",
    "ambiguous",
    "asked",
    "conflict",
    "rejected",
    "broken",
    "held",
    "letter",
)
MOST = 200
_STATES: dict[LinkState, Kind] = {
    "ambiguous": "ambiguous",
    "conflict": "conflict",
    "rejected": "rejected",
    "broken": "broken",
}


class Need(NamedTuple):
    """One thing that waits for a person. `number` leads to the record's page; `what` says more of
    the kind (a finding's, a batch's name, a letter's key), `since` is ISO 8601 UTC or blank.
    `others` are sums in further currencies, as numbers no greater. `said` and `todo_said` are
    `reason` and `todo` as sentences, where they are ours."""

    kind: Kind
    what: str
    entity: EntityName | None
    key: str
    number: int | None
    ids: dict[System, str]
    called: tuple[Said, ...]
    reason: str
    todo: str = ""
    said: tuple[Said, ...] = ()
    todo_said: tuple[Said, ...] = ()
    currency: str = ""
    amount: str = ""
    since: str = ""
    others: tuple[tuple[str, str], ...] = ()

    @property
    def stake(self) -> Decimal:
        """The money, 0 where none is known."""
        return abs(amount_in(self.amount) or Decimal(0))


def needs_of(model: ReadModel, about: Meant) -> list[Need]:
    """All of it, most at stake first, then the oldest."""
    found = [
        *_findings(model, about.tenant),
        *_links(model, about),
        *_held(model, about.tenant),
        *_letters(model, about.tenant),
    ]
    return sorted(found, key=lambda need: (-need.stake, need.since or "~", need.key))


def counted(model: ReadModel, tenant: str) -> int:
    """How many there are, without a look at each; held records count as one for each batch."""
    links = model.count_in_states(tenant, _STATES)
    findings = sum(n for (name, _), n in model.findings_left().items() if name == tenant)
    held = len(model.in_states(tenant, ("held",), most=1))
    return links + findings + held + len(model.letters(tenant)) + len(model.asked(tenant, MOST))


def _findings(model: ReadModel, tenant: str) -> Iterator[Need]:
    names = Names(KnownByModel(model, tenant))
    left = [each for each in model.findings(tenant) if each.settled is None]
    for found in ordered(left)[:MOST]:
        link = model.link(tenant, found.entity, found.key)
        finding = found.finding
        yield Need(
            "finding",
            finding.kind,
            found.entity,
            found.key,
            model.number_of(link) if link is not None else None,
            found.ids,
            tuple(said_of(names.of(link))) if link is not None else (),
            finding.text,
            finding.todo,
            finding.said,
            finding.todo_said,
            finding.currency or "",
            finding.amount or "",
            finding.since,
        )


def _links(model: ReadModel, about: Meant) -> Iterator[Need]:
    for state, kind in _STATES.items():
        for shown in shown_of(model, about, model.in_states(about.tenant, (state,), most=MOST)):
            yield _need(model, kind, shown, shown.said or [say("state_bare", state=state)])
    for shown in shown_of(model, about, model.asked(about.tenant, MOST)):
        fields = ", ".join(shown.link.asked)
        yield _need(model, "asked", shown, [say("asked_fields", fields=fields)])


def _need(model: ReadModel, kind: Kind, shown: Shown, said: list[Said]) -> Need:
    link, named = shown.link, shown.named
    return Need(
        kind,
        link.state,
        link.entity,
        link.key,
        model.number_of(link),
        ids_of(link),
        tuple(said_of(named)),
        english(*said),
        said=tuple(said),
        currency=named.currency,
        amount=named.total,
    )


def _held(model: ReadModel, tenant: str) -> Iterator[Need]:
    if not model.in_states(tenant, ("held",), most=1):
        return
    for batch in batches_of(plans_of(model, tenant, held_only=True)):
        sums = sorted(batch.sums.items(), key=lambda each: abs(each[1]), reverse=True)
        (currency, amount), *others = sums or [("", Decimal(0))]
        yield Need(
            "held",
            batch.batch,
            batch.entity,
            batch.batch,
            None,
            {},
            (say("called", name=batch.batch),),
            batch.words(),
            said=(batch.said(),),
            currency=currency,
            amount=str(amount) if amount else "",
            others=tuple((each, str(sum)) for each, sum in others),
        )


def _letters(model: ReadModel, tenant: str) -> Iterator[Need]:
    for key, letter in list(model.letters(tenant).items())[:MOST]:
        command = letter.command
        entity, link = (command.entity, command.link) if command is not None else (None, "")
        held = model.link(tenant, entity, link) if entity is not None else None
        number = model.number_of(held) if held is not None else None
        words, said = letter_words(letter), letter_said(letter)
        yield Need("letter", key, entity, link, number, {}, (), words, said=said, since=letter.at)
