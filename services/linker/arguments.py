"""What a signal asks for, checked: a word that does not fit is refused, and nothing is done."""

from collections.abc import Mapping
from typing import Any

from contracts.entities import ENTITIES, SYSTEMS, EntityName, System
from contracts.messages import Link
from services.linker.state import State


class Refused(Exception):
    """A signal that cannot be carried out, in words for the operator."""


class Arguments(dict[str, Any]):
    """The arguments of a signal; one that is missing is refused by name. `signal` is the signal's id."""

    def __init__(self, args: Mapping[str, Any], signal: str = "") -> None:
        super().__init__(args)
        self.signal = signal

    def __missing__(self, name: str) -> Any:
        raise Refused(f"the argument {name!r} is missing")


def entity_of(args: Mapping[str, Any]) -> EntityName:
    """The one entity a signal is about."""
    (entity,) = entities_of({"entity": args["entity"]})
    return entity


def entities_of(args: Mapping[str, Any]) -> tuple[EntityName, ...]:
    """The entities a signal is about; all where it names none."""
    named = args.get("entity")
    if named is not None and named not in ENTITIES:
        raise Refused(f"there is no entity {named!r}; there are: {', '.join(ENTITIES)}")
    return ENTITIES if named is None else (named,)


def targets_of(args: Mapping[str, Any]) -> tuple[System, ...]:
    """The systems a signal is about; both where it names none."""
    named = args.get("target")
    if named is not None and named not in SYSTEMS:
        raise Refused(f"there is no system {named!r}; there are: {', '.join(SYSTEMS)}")
    return SYSTEMS if named is None else (named,)


def link_of(state: State, entity: EntityName, key: str) -> Link:
    """The link with this key."""
    link = state.get(entity, key)
    if link is None:
        raise Refused(f"there is no {entity} link {key!r}")
    return link
