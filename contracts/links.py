"""How a link is read from its topic where only a part of it is wanted."""

from typing import Any, TypedDict

import msgspec

from contracts.entities import EntityName, System
from contracts.messages import Lane, LinkState


class SeenKeys(TypedDict, total=False):
    """The fields of a record that it can be found by."""

    kind: Any
    email: Any
    organisation_number: Any
    name: Any
    code: Any


class SideKeys(msgspec.Struct, kw_only=True, gc=False):
    """What `LinkKeys` holds of a `Side`."""

    id: str
    stamp: str | None = None
    seen: SeenKeys | None = None


class CommandKeys(msgspec.Struct, kw_only=True, gc=False):
    """What `LinkKeys` holds of a `Command`."""

    target: System
    lane: Lane


class FlightKeys(msgspec.Struct, kw_only=True, gc=False):
    """What `LinkKeys` holds of a `Flight`."""

    command: CommandKeys


class LinkKeys(msgspec.Struct, kw_only=True, gc=False):
    """The part of a `Link` by which it is found: a million of them are read at a start, in half the time of whole
    links."""

    entity: EntityName
    state: LinkState = "pending"
    chargebee: SideKeys | None = None
    poweroffice: SideKeys | None = None
    flight: FlightKeys | None = None
    plan: CommandKeys | None = None
    waiting_on: list[str] = []
    candidates: list[str] = []
    batch: str = ""
    verify: list[System] = []
