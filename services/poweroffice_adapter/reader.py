"""Customers and products of Go as readings, from lists or one by one."""

from collections.abc import Awaitable, Callable
from typing import Any

from contracts.entities import Customer, EntityName
from runtime.dead_letters import about
from runtime.vendor import NotFound, Retriable
from services.poweroffice_adapter import mapping
from services.poweroffice_adapter.client import PowerOfficeClient, Row
from services.poweroffice_adapter.customer import canonical as customer_canonical
from services.poweroffice_adapter.feed import Numbered
from services.poweroffice_adapter.notes import note_without_id
from services.poweroffice_adapter.observations import Observations
from services.poweroffice_adapter.product import canonical as product_canonical
from services.poweroffice_adapter.product.groups import ProductGroups

PATHS: dict[EntityName, str] = {"customer": "/Customers", "product": "/Products"}


class Reader:
    """What one tenant's rows say. `currencies` are those of the customers read so far, by id; rows
    without an id are noted in `health`."""

    def __init__(
        self,
        client: PowerOfficeClient,
        observations: Observations,
        health: dict[str, Any],
        *,
        ledger_currency: str,
    ) -> None:
        self._client, self._observations, self._health = client, observations, health
        self._ledger_currency = ledger_currency
        self.groups = ProductGroups(client)
        self.currencies: dict[str, str] = {}

    async def readings(self, entity: EntityName, number: int, rows: list[Row]) -> list[Numbered]:
        """Rows of customers or products as readings; rows without an id are dropped and noted."""
        found: list[Numbered] = []
        for row in rows:
            with about(f"{entity} {row.get('Id')}"):
                reading = await self._map(entity, row)
            if reading is None:
                note_without_id(row, entity, self._health)
                continue
            if isinstance(reading.content, Customer) and reading.content.currency:
                self.currencies[reading.id] = reading.content.currency
            self._observations.keep_row(entity, reading.id, row)
            found.append((number, reading))
        return found

    async def _map(self, entity: EntityName, row: Row) -> mapping.Reading | None:
        if entity == "customer":
            return customer_canonical.customer(row)
        groups = await self.groups.codes(row)
        return product_canonical.product(row, ledger_currency=self._ledger_currency, groups=groups)

    def reread(self, entity: EntityName) -> Callable[[str], Awaitable[Numbered | None]]:
        """Reads one customer or product anew; None when Go does not have it."""

        async def read(id: str) -> Numbered | None:
            number = self._observations.start()
            try:
                row = await self._client.get(f"{PATHS[entity]}/{id}")
            except NotFound:
                return None
            found = await self.readings(entity, number, [row]) if isinstance(row, dict) else []
            if not found:
                # None would count as deleted.
                raise Retriable(f"GET {PATHS[entity]}/{id}: the answer is no record")
            return found[0]

        return read
