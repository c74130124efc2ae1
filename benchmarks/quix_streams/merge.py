"""What each peer of the linker does with one event: find its link, take it, and say what to write.
Pure but for the state it is given; `benchmarks/kafka_streams/Peer.java` is the same in Java.

Keys of the state, under which all values are bytes:

- `id/SYSTEM/ID`, `stamp/STAMP` and `org/SYSTEM/NUMBER`: the key of the link that holds the record
- `link/KEY`: the link as JSON
"""

from typing import Any, Protocol

import msgspec

PREFIXES = {"chargebee": "cb-", "poweroffice": "go-"}
OTHERS = {"chargebee": "poweroffice", "poweroffice": "chargebee"}


class State(Protocol):
    """The part of a store of bytes that is used."""

    def get_bytes(self, key: bytes) -> bytes | None: ...

    def set_bytes(self, key: bytes, value: bytes) -> None: ...


class Event(msgspec.Struct, frozen=True):
    """The part of a canonical event that is used."""

    type: str
    tenant: str
    system: str
    id: str = ""
    version: str = ""
    data: dict[str, Any] | None = None
    stamp: str | None = None


class Side(msgspec.Struct, omit_defaults=True):
    """The newest content of a record; `base` holds the fields whose agreed value is another."""

    id: str
    version: str
    seen: dict[str, Any]
    base: dict[str, Any] = {}
    stamp: str | None = None


class Link(msgspec.Struct, omit_defaults=True):
    """One record or two that are one thing. `in_flight`: a command has no answer yet."""

    key: str
    seq: int = 0
    in_flight: bool = False
    chargebee: Side | None = None
    poweroffice: Side | None = None


class Command(msgspec.Struct, frozen=True):
    """One write into the other system."""

    tenant: str
    entity: str
    link: str
    seq: int
    target: str
    op: str
    lane: str
    cause: str
    target_id: str
    target_version: str
    fields: dict[str, Any]
    expected: dict[str, Any]


_MISSING = object()
_events, _links = msgspec.json.Decoder(Event), msgspec.json.Decoder(Link)
_encode = msgspec.json.Encoder().encode


def take(state: State, value: bytes) -> Command | None:
    """Take one event as it stands on the topic; the command that follows, at most one."""
    event = _events.decode(value)
    if event.type != "observed" or event.data is None:
        return None
    system, own = event.system, f"id/{event.system}/{event.id}".encode()
    if (key := state.get_bytes(own)) is None:
        link = _newcomer(state, event, own, event.data)
    else:
        link = _link(state, key)
        side: Side = getattr(link, system)
        if event.version <= side.version:
            return None
        side.version = event.version
        _see(side, event.data)
    command = _plan(link, event)
    state.set_bytes(f"link/{link.key}".encode(), _encode(link))
    return command


def command_bytes(command: Command) -> bytes:
    """A command as it is written to its topic."""
    return _encode(command)


def _link(state: State, key: bytes) -> Link:
    value = state.get_bytes(b"link/" + key)
    if value is None:
        raise LookupError(f"the state has no link {key!r}")
    return _links.decode(value)


def _newcomer(state: State, event: Event, own: bytes, data: dict[str, Any]) -> Link:
    """The link that a record joins by a reference on either side or by its organisation number,
    else a new one."""
    system, other = event.system, OTHERS[event.system]
    number = data.get("organisation_number")
    key = None
    if event.stamp is not None and event.stamp.startswith(PREFIXES[other]):
        key = state.get_bytes(f"id/{other}/{event.stamp[3:]}".encode())
    if key is None:
        key = state.get_bytes(f"stamp/{PREFIXES[system]}{event.id}".encode())
    if key is None and number is not None:
        key = state.get_bytes(f"org/{other}/{number}".encode())
    link = None if key is None else _link(state, key)
    if link is None or getattr(link, system) is not None:
        link = Link(key=event.id if system == "chargebee" else f"go-{event.id}")
    setattr(link, system, Side(event.id, event.version, data, stamp=event.stamp))
    key = link.key.encode()
    state.set_bytes(own, key)
    if event.stamp is not None:
        state.set_bytes(f"stamp/{event.stamp}".encode(), key)
    if number is not None:
        state.set_bytes(f"org/{system}/{number}".encode(), key)
    return link


def _see(side: Side, data: dict[str, Any]) -> None:
    """Newer content, with the agreed value kept of each field that differs from it."""
    for name, new in data.items():
        old = side.seen.get(name)
        if new == old:
            continue
        agreed = side.base.get(name, _MISSING)
        if agreed is _MISSING:
            side.base[name] = old
        elif agreed == new:
            del side.base[name]
    side.seen = data


def _plan(link: Link, event: Event) -> Command | None:
    """One command with the fields that changed on one side, Chargebee's where both did."""
    ours, theirs = link.chargebee, link.poweroffice
    if ours is None or theirs is None or link.in_flight or not (ours.base or theirs.base):
        return None
    to_theirs: dict[str, Any] = {}
    to_ours: dict[str, Any] = {}
    for name, mine in ours.seen.items():
        if mine == theirs.seen.get(name):
            ours.base.pop(name, None)
            theirs.base.pop(name, None)
        elif name in ours.base:
            to_theirs[name] = mine
        elif name in theirs.base:
            to_ours[name] = theirs.seen.get(name)
    if not (to_theirs or to_ours):
        return None
    target, side, fields = (
        ("poweroffice", theirs, to_theirs) if to_theirs else ("chargebee", ours, to_ours)
    )
    link.seq, link.in_flight = link.seq + 1, True
    return Command(
        tenant=event.tenant,
        entity="customer",
        link=link.key,
        seq=link.seq,
        target=target,
        op="update",
        lane="live",
        cause=f"{event.tenant}/{event.system}/customer/{event.id}/{event.version}",
        target_id=side.id,
        target_version=side.version,
        fields=fields,
        expected={name: side.seen.get(name) for name in fields},
    )
