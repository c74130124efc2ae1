"""A link with all that the words about it are made from, as the read model has it."""

from collections.abc import Iterable
from typing import NamedTuple

from contracts.messages import Link
from contracts.said import Said, english
from services.console.base import Meant
from services.console.candidates import Candidate, candidates_of
from services.console.known import KnownByModel
from services.console.model import ReadModel
from services.console.names import Named, Names, called
from services.console.waiting import facts_of, read_within, reasons_of


class Shown(NamedTuple):
    """A link as it is shown: what it is called, why it is as it is now, and the record and its
    candidates side by side."""

    link: Link
    named: Named
    said: list[Said]
    choices: list[Candidate]

    @property
    def reason(self) -> str | None:
        """Why it is as it is now, in English."""
        return english(*self.said) or None

    @property
    def called(self) -> str:
        """What it is called, with its key."""
        return called(self.link.entity, self.link.key, self.named)


def shown_of(model: ReadModel, about: Meant, links: Iterable[Link]) -> list[Shown]:
    """What is shown of links besides themselves."""
    known, held = KnownByModel(model, about.tenant), about.settings.tenants[about.tenant]
    names, mode = Names(known), held.effective_mode
    controls, cursors = model.controls(about.tenant), model.cursors(about.tenant)
    facts = facts_of(controls, cursors, mode, held.missing_decisions(), read_within(held))
    named = about.tenant if len(about.settings.tenants) > 1 else None
    return [
        Shown(
            link,
            names.of(link),
            reasons_of(link, facts, known, _sent_at(model, link)),
            candidates_of(link, known, names, named) if link.candidates else [],
        )
        for link in links
    ]


def _sent_at(model: ReadModel, link: Link) -> str:
    """When the command in flight was sent, as the journal has it; blank where it does not tell."""
    if link.flight is None:
        return ""
    op, entries = link.flight.command.op, model.journal(link.tenant, link.entity, [link.key])
    return next((each.at for each in reversed(entries) if each.rule == op), "")
