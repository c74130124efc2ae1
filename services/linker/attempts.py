"""Creations whose answer was never seen: what the record that they made holds of them, and what was
edited since. Pure."""

from contracts.entities import FIELDS, other
from contracts.messages import Attempt, Flight, Link
from services.linker.state import agree, known

MAX_ATTEMPTS = 4


def tried(link: Link, flight: Flight) -> None:
    """Keep a creation that may have got through."""
    command = flight.command
    attempt = Attempt(target=command.target, fields=command.fields, planned=flight.planned)
    if attempt not in link.attempts:
        link.attempts = [*link.attempts, attempt][-MAX_ATTEMPTS:]


def recognise(link: Link) -> list[str]:
    """Agree, at the first look at both records, on the fields that are as an attempt made them: an
    edit of the source since then is one. The names of those that are like no attempt, since
    somebody edited them or the vendor keeps them otherwise: a blank among them is no gap."""
    unlike = []
    for name in FIELDS[link.entity]:
        carried = [each for each in link.attempts if name in each.fields]
        for attempt in reversed(carried):
            target, source = known(link, attempt.target), known(link, other(attempt.target))
            if (target.seen or {}).get(name) == attempt.fields[name]:
                if name in target.unset:
                    agree(target, name, attempt.fields[name])
                if name in source.unset:
                    agree(source, name, attempt.planned.get(name, attempt.fields[name]))
                break
        else:
            if carried and len(carried) == len(link.attempts):
                unlike.append(name)
    link.attempts = []
    return unlike
