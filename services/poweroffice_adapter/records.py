"""What the sink needs to know of each kind of record: how to read, find, create and change it in
Go."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from contracts.entities import Entity, EntityName
from contracts.messages import Command
from contracts.settings import Tenant
from runtime.problems import Fitting
from runtime.vendor import Retriable
from services.poweroffice_adapter.client import CHANGED, MAX_PAGE_SIZE, PowerOfficeClient, Row
from services.poweroffice_adapter.mapping import NEVER, Held, Path, Reading
from services.poweroffice_adapter.observations import Observations

REFERENCE: Path = ("ExternalImportReference",)


@dataclass
class Means:
    """What all writers of a tenant share. `clock` gives aware UTC, `seconds` is a monotonic clock;
    `unread_since` tells from where the source's next poll of an entity asks; `tests` says whether
    a patch tests what it replaces, since otherwise the read before it is its only guard.
    """

    tenant: Tenant
    client: PowerOfficeClient
    observations: Observations
    tests: bool
    clock: Callable[[], datetime]
    unread_since: Callable[[EntityName], str] = lambda _: NEVER
    seconds: Callable[[], float] = time.monotonic


class Records(ABC):
    """One kind of record. `optional` are the fields without which the rest may be written where Go
    refuses them; money, names and what a record refers to are none."""

    entity: ClassVar[EntityName]
    stampable: ClassVar[bool]
    optional: ClassVar[frozenset[str]]

    def __init__(self, means: Means) -> None:
        self.means = means
        self._client, self._tenant = means.client, means.tenant
        self._observations = means.observations

    @abstractmethod
    async def get(self, id: str, priority: int) -> Held:
        """Read one. Raises NotFound."""

    async def remembered(self, id: str) -> Held | None:
        """The record as Go showed it last, without a call; None where that is not kept."""
        return None

    @abstractmethod
    async def patch(
        self, held: Held, operations: Sequence[Mapping[str, Any]], priority: int
    ) -> Held:
        """Change one; the state as Go returned it."""

    @abstractmethod
    async def find(self, command: Command, fields: Mapping[str, Any], priority: int) -> Held | None:
        """The record an earlier attempt of this create made, by its reference or code."""

    @abstractmethod
    async def alike(
        self, command: Command, fields: Mapping[str, Any], since: str, priority: int
    ) -> list[Held]:
        """Records that changed after `since` and are what this create would make, or carry its
        stamp."""

    @abstractmethod
    async def body(
        self, command: Command, fields: Mapping[str, Any], priority: int
    ) -> dict[str, Any]:
        """What a create sends, less what is unfit. Raises Unwritable."""

    @abstractmethod
    async def post(self, body: Mapping[str, Any], priority: int) -> Held:
        """Create one."""

    @abstractmethod
    def fitting(self, fields: Mapping[str, Any], present: Entity | None) -> Fitting:
        """What Go can hold of these fields; `present` is None on creation."""

    @abstractmethod
    def properties(self, changes: Mapping[str, Any], held: Held, *, ours: bool) -> dict[Path, Any]:
        """The Go properties of changed fields; `ours` says that we created the record. Raises
        Unwritable where Go would not take them."""

    def is_closed(self, present: Entity) -> bool:
        """Whether nothing of a record is written any more."""
        return False

    def is_apart(self, changes: Mapping[str, Any]) -> bool:
        """Whether a change takes a call of its own before the patch."""
        return False

    async def write_apart(
        self, command: Command, held: Held, wanted: Mapping[str, Any], priority: int
    ) -> Held:
        """Make that call; the record as it is then."""
        return held


def record_of(raw: Any) -> Row:
    """Raises Retriable for an answer that is no record: the write may have got through."""
    if not isinstance(raw, Mapping):
        raise Retriable("PowerOffice Go answered without a record", maybe_applied=True)
    return raw


def held_or_retry(raw: Row, reading: Reading | None) -> Held:
    """Raises Retriable for a record without an Id: the write may have got through."""
    if reading is None:
        raise Retriable("PowerOffice Go answered with a record without an Id", maybe_applied=True)
    return Held(raw, reading)


async def changed_since(
    client: PowerOfficeClient, path: str, since: str, priority: int
) -> list[Row]:
    """Everything of one kind that changed after a `timestamp`; all of it after NEVER."""
    params = {} if since == NEVER else {CHANGED: since}
    pages = client.pages(
        path, start=lambda: 0, priority=priority, params=params, size=MAX_PAGE_SIZE
    )
    return [row async for _, rows in pages for row in rows]
