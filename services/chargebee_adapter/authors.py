"""Who made a version of a record: our own key, or somebody else.

Chargebee's events name a `source` and a `user` (Event resource of the API reference): in the
console a person's e-mail, over the API the *name* of the key, which no answer of the API tells. An
event of source `api` about a version that a reply to a write of ours returned names ours.
"""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

from contracts.messages import Author
from services.chargebee_adapter.events import Event
from services.chargebee_adapter.mapping import Raw, id_of, milliseconds

REMEMBERED = 10_000  # targets; writes and events whose other half has not been met yet
API = "api"
Version = tuple[str, str, int]  # kind, id, resource_version


class Authors:
    """The names of our keys as learned, in the order of learning; a key that was replaced keeps its
    name here."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._written: OrderedDict[Version, None] = OrderedDict()
        self._users: OrderedDict[Version, str] = OrderedDict()
        self._targets: OrderedDict[tuple[str, str], None] = OrderedDict()

    def know(self, names: Iterable[str]) -> None:
        """Take over names that were learned before."""
        self.names += [name for name in names if name not in self.names]

    def note_target(self, kind: str, record_id: str) -> None:
        """Remember that a record is about to be written by us."""
        _keep(self._targets, (kind, record_id), None)

    def may_have_covered(self, event: Event) -> bool:
        """Whether an event tells what somebody else did to a record that we have written, or are
        writing."""
        return (event.subject, id_of(event.record)) in self._targets and self.of(event) != "tandem"

    def note_write(self, kind: str, record: Raw) -> None:
        """Remember the version that a write of ours returned."""
        version = _version(kind, record)
        if (user := self._users.pop(version, None)) is not None:
            self.know((user,))
        _keep(self._written, version, None)

    def note_event(self, event: Event) -> None:
        """Learn from an event, whether it comes before the reply to its write or after it. A
        deletion teaches nothing: no write of ours is one, and it may leave the version of one."""
        if event.is_deletion:
            return
        if event.source != API or not event.user or event.user in self.names:
            return
        version = _version(event.subject, event.record)
        if version in self._written:
            self.know((event.user,))
        else:
            _keep(self._users, version, event.user)

    def of(self, event: Event) -> Author | None:
        """Who made the version that an event carries; None where it names nobody, or may name a key
        of ours that is not known yet."""
        if event.source and event.source not in (API, "none"):
            return "others"  # a person, the portal, Chargebee itself: some name no user
        if not event.user:
            return None
        if event.user in self.names:
            return "tandem"
        return "others" if self.names else None


def _version(kind: str, record: Raw) -> Version:
    return kind, id_of(record), milliseconds(record)


def _keep(held: "OrderedDict[Any, Any]", name: Any, value: Any) -> None:
    held[name] = value
    held.move_to_end(name)
    if len(held) > REMEMBERED:
        held.popitem(last=False)
