"""How a link stands in its topic: the content of a pair once, and the part of a link by which it is
found."""

from typing import Any, TypedDict

import msgspec

from contracts.entities import EntityName, System
from contracts.lines import take_out
from contracts.messages import Lane, Link, LinkState, Side

_encoder = msgspec.json.Encoder()


def encode(link: Link) -> bytes:
    """The JSON of a link. Of the Go side of a pair only the fields that are not as in Chargebee are
    written, as `unlike` in place of `seen`, and the lines of an order once (`contracts.lines`);
    decoding puts both together."""
    theirs = link.poweroffice
    unlike = None if theirs is None else _unlike(link.chargebee, theirs)
    if theirs is None or unlike is None:
        return _encoded(link)
    seen = theirs.seen
    theirs.seen, theirs.unlike = None, unlike
    try:
        return _encoded(link)
    finally:
        theirs.seen, theirs.unlike = seen, None


def _encoded(link: Link) -> bytes:
    if link.entity != "order":
        return _encoder.encode(link)
    form = msgspec.to_builtins(link)
    take_out(form)
    return _encoder.encode(form)


def _unlike(ours: Side | None, theirs: Side) -> dict[str, Any] | None:
    """The fields of Go's content that differ, or None when it cannot be told by them."""
    if ours is None or ours.seen is None or theirs.seen is None:
        return None
    known, seen = ours.seen, theirs.seen
    if known == seen:
        return {}
    if known.keys() != seen.keys():
        return None
    return {name: value for name, value in seen.items() if known[name] != value}


class SeenKeys(TypedDict, total=False):
    """The fields of a record that it can be found by."""

    kind: Any
    first_name: Any
    last_name: Any
    company: Any
    email: Any
    organisation_number: Any
    name: Any
    code: Any
    invoice: Any
    credit_of: Any
    status: Any
    total: Any


class SideKeys(msgspec.Struct, kw_only=True, gc=False):
    """What `LinkKeys` holds of a `Side`."""

    id: str
    stamp: str | None = None
    seen: SeenKeys | None = None
    unlike: SeenKeys | None = None
    deleted: bool = False


class CommandKeys(msgspec.Struct, kw_only=True, gc=False):
    """What `LinkKeys` holds of a `Command`."""

    target: System
    lane: Lane


class FlightKeys(msgspec.Struct, kw_only=True, gc=False):
    """What `LinkKeys` holds of a `Flight`."""

    command: CommandKeys


class LinkKeys(msgspec.Struct, kw_only=True, gc=False):
    """The part of a `Link` by which it is found: a million of them are read at a start, in half the
    time of whole links."""

    entity: EntityName
    state: LinkState = "pending"
    chargebee: SideKeys | None = None
    poweroffice: SideKeys | None = None
    flight: FlightKeys | None = None
    plan: CommandKeys | None = None
    waiting_on: list[str] = []
    candidates: list[str] = []
    candidates_count: int = 0
    twins: list[str] = []
    batch: str = ""
    verify: list[System] = []

    def __post_init__(self) -> None:
        """As in `Link`."""
        ours, theirs = self.chargebee, self.poweroffice
        if theirs is not None and theirs.unlike is not None and ours is not None:
            unlike, theirs.unlike = theirs.unlike, None
            theirs.seen = {**(ours.seen or {}), **unlike} if unlike else ours.seen
