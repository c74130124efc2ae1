"""What a signal asks for, checked against the links: what does not fit is refused, and nothing is
done."""

from contracts.entities import ENTITIES, SYSTEMS, EntityName, System
from contracts.messages import Link
from contracts.said import SaidError, say
from services.linker.state import State


class Refused(SaidError):
    """A signal that cannot be carried out, in words for the operator."""


def entities_of(named: EntityName | None) -> tuple[EntityName, ...]:
    """The entities a signal is about; all where it names none."""
    return ENTITIES if named is None else (named,)


def targets_of(named: System | None) -> tuple[System, ...]:
    """The systems a signal is about; both where it names none."""
    return SYSTEMS if named is None else (named,)


def link_of(state: State, entity: EntityName, key: str) -> Link:
    """The link with this key."""
    link = state.get(entity, key)
    if link is None:
        raise Refused(say("refused_absent", entity=entity, key=key))
    return link
