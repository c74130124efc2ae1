"""Commands for customers; they are found by their reference."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from contracts.entities import Customer, Entity, EntityName
from contracts.messages import Command, Problem
from contracts.said import say
from runtime.problems import Fitting
from runtime.vendor import Refused
from services.poweroffice_adapter.client import Row
from services.poweroffice_adapter.customer import canonical, twins, writes
from services.poweroffice_adapter.mapping import Held, Path, value_at
from services.poweroffice_adapter.records import (
    REFERENCE,
    Means,
    changed_since,
    held_or_retry,
    record_of,
)
from services.poweroffice_adapter.writer import Writer


class Customers(Writer):
    """Customers; found by their reference."""

    entity: ClassVar[EntityName] = "customer"
    stampable: ClassVar = True
    optional: ClassVar = frozenset({"email", "phone", "organisation_number", "address"})

    def __init__(self, means: Means) -> None:
        super().__init__(means)
        self._country_default = means.tenant.country_default

    def _held(self, raw: Any) -> Held:
        held = self._understood(record_of(raw))
        self._observations.keep_row("customer", held.reading.id, held.raw)
        return held

    def _understood(self, row: Row) -> Held:
        return held_or_retry(row, canonical.customer(row))

    async def get(self, id: str, priority: int) -> Held:
        return self._held(await self._client.get(f"/Customers/{id}", priority=priority))

    async def remembered(self, id: str) -> Held | None:
        row = self._observations.row("customer", id)
        return None if row is None else self._understood(row)

    async def patch(
        self, held: Held, operations: Sequence[Mapping[str, Any]], priority: int
    ) -> Held:
        return self._held(
            await self._client.patch(f"/Customers/{held.reading.id}", operations, priority=priority)
        )

    async def find(self, command: Command, fields: Mapping[str, Any], priority: int) -> Held | None:
        if not command.stamp:
            return None
        params = {"externalImportReference": command.stamp}
        rows = await self._client.rows("/Customers", priority=priority, params=params)
        exact = [row for row in rows if value_at(row, REFERENCE) == command.stamp]
        return self._held(exact[0]) if exact else None

    async def alike(
        self, command: Command, fields: Mapping[str, Any], since: str, priority: int
    ) -> list[Held]:
        ours = Customer(**{"kind": "company", **fields})
        if not twins.has_marks(ours):
            return []
        found = []
        for row in await changed_since(self._client, "/Customers", since, priority):
            reading = canonical.customer(row)
            seen = reading.content if reading is not None else None
            stamped = (
                command.stamp is not None and reading is not None and reading.stamp == command.stamp
            )
            if reading is not None and (
                stamped or (isinstance(seen, Customer) and twins.same_customer(ours, seen))
            ):
                found.append(Held(row, reading))
        return found

    async def body(
        self, command: Command, fields: Mapping[str, Any], priority: int
    ) -> dict[str, Any]:
        return writes.creation(fields, command.stamp, self._country_default)

    async def post(self, body: Mapping[str, Any], priority: int) -> Held:
        return self._held(await self._client.post("/Customers", body, priority=priority))

    def fitting(self, fields: Mapping[str, Any], present: Entity | None) -> Fitting:
        assert present is None or isinstance(present, Customer)
        return writes.fitting(fields, present, self._country_default)

    def properties(self, changes: Mapping[str, Any], held: Held, *, ours: bool) -> dict[Path, Any]:
        assert isinstance(held.reading.content, Customer)
        if changes.get("archived") and "other_role" in held.reading.incomplete:
            raise Refused.of(Problem.of("other_role", say("role_archived_too"), "archived"))
        return writes.properties(changes, held.raw, ours=ours)
