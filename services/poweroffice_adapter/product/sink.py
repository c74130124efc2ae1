"""Commands for products; they hold no reference, so they are found by their code."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from contracts.entities import Entity, EntityName, Product
from contracts.messages import Command, Problem
from contracts.said import say
from runtime.problems import Fitting
from runtime.vendor import Refused
from services.poweroffice_adapter.client import PowerOfficeClient, Row
from services.poweroffice_adapter.mapping import Held, Path, value_at
from services.poweroffice_adapter.product import canonical, twins, writes
from services.poweroffice_adapter.product.groups import ProductGroups
from services.poweroffice_adapter.records import Means, changed_since, held_or_retry, record_of
from services.poweroffice_adapter.writer import Writer


class Products(Writer):
    """Products; they hold no reference, so they are found by their code."""

    entity: ClassVar[EntityName] = "product"
    stampable: ClassVar = False
    optional: ClassVar = frozenset({"description", "unit"})

    def __init__(self, means: Means, groups: ProductGroups) -> None:
        super().__init__(means)
        self._groups = groups

    async def _held(self, raw: Any) -> Held:
        held = await self._understood(record_of(raw))
        self._observations.keep_row("product", held.reading.id, held.raw)
        return held

    async def _understood(self, row: Row) -> Held:
        groups = await self._groups.codes(row)
        return held_or_retry(
            row, canonical.product(row, ledger_currency=self._tenant.ledger_currency, groups=groups)
        )

    async def get(self, id: str, priority: int) -> Held:
        return await self._held(await self._client.get(f"/Products/{id}", priority=priority))

    async def remembered(self, id: str) -> Held | None:
        row = self._observations.row("product", id)
        return None if row is None else await self._understood(row)

    async def patch(
        self, held: Held, operations: Sequence[Mapping[str, Any]], priority: int
    ) -> Held:
        path = f"/Products/{held.reading.id}"
        return await self._held(await self._client.patch(path, operations, priority=priority))

    async def find(self, command: Command, fields: Mapping[str, Any], priority: int) -> Held | None:
        code = fields.get("code")
        exact = await products_with_code(self._client, code, priority) if code else []
        if len(exact) > 1:
            said = say("code_shared", count=len(exact), value=code)
            raise Refused.of(Problem.of("ambiguous", said, "code"))
        return await self._held(exact[0]) if exact else None

    async def alike(
        self, command: Command, fields: Mapping[str, Any], since: str, priority: int
    ) -> list[Held]:
        ours = Product(**fields)
        if not twins.has_marks(ours):
            return []
        found = []
        for row in await changed_since(self._client, "/Products", since, priority):
            groups = await self._groups.codes(row)
            reading = canonical.product(
                row, ledger_currency=self._tenant.ledger_currency, groups=groups
            )
            seen = reading.content if reading is not None else None
            if reading is not None and isinstance(seen, Product) and twins.same_product(ours, seen):
                found.append(Held(row, reading))
        return found

    async def body(
        self, command: Command, fields: Mapping[str, Any], priority: int
    ) -> dict[str, Any]:
        return writes.creation(fields, self._tenant.ledger_currency, self._tenant.product.groups)

    async def post(self, body: Mapping[str, Any], priority: int) -> Held:
        return await self._held(await self._client.post("/Products", body, priority=priority))

    def fitting(self, fields: Mapping[str, Any], present: Entity | None) -> Fitting:
        return writes.fitting(fields, self._tenant.ledger_currency)

    def properties(self, changes: Mapping[str, Any], held: Held, *, ours: bool) -> dict[Path, Any]:
        return writes.properties(changes)


async def products_with_code(client: PowerOfficeClient, code: str, priority: int) -> list[Row]:
    """The products with exactly this code; Go's filter splits at commas and may fold case."""
    rows = await client.rows("/Products", priority=priority, params={"codes": code})
    return [row for row in rows if value_at(row, ("Code",)) == code]
