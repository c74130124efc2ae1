"""What the sink needs to know of each kind of record: how to read, find, create and change it in Go."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from contracts.entities import Customer, Entity, EntityName, Product
from contracts.messages import Command
from contracts.settings import Tenant
from runtime.vendor import Refused, Retriable
from services.poweroffice_adapter import mapping, mapping_writes, twins
from services.poweroffice_adapter.client import MAX_PAGE_SIZE, PowerOfficeClient, Row
from services.poweroffice_adapter.groups import ProductGroups
from services.poweroffice_adapter.mapping import Reading
from services.poweroffice_adapter.mapping_writes import Path, value_at

REFERENCE: Path = ("ExternalImportReference",)
CHANGED = "lastChangedDateTimeOffsetGreaterThan"


@dataclass(frozen=True)
class Held:
    """A record as Go sent it and as it is understood."""

    raw: Row
    reading: Reading


class Records(Protocol):
    """One kind of record in Go. `optional` are the fields without which the rest may be written where Go refuses
    them; money, names and what a record refers to are none."""

    entity: EntityName
    stampable: bool
    optional: frozenset[str]

    async def get(self, id: str, priority: int) -> Held:
        """Read one. Raises NotFound."""
        ...

    async def patch(self, held: Held, operations: Sequence[Mapping[str, Any]], priority: int) -> Held:
        """Change one; the state as Go returned it."""
        ...

    async def find(self, command: Command, fields: Mapping[str, Any], priority: int) -> Held | None:
        """The record an earlier attempt of this create made, by its reference or code."""
        ...

    async def alike(self, command: Command, fields: Mapping[str, Any], since: str, priority: int) -> list[Held]:
        """Records that changed after `since` and are what this create would make, or carry its stamp."""
        ...

    async def body(self, command: Command, fields: Mapping[str, Any], priority: int) -> dict[str, Any]:
        """What a create sends, less what is unfit. Raises Unwritable."""
        ...

    async def post(self, body: Mapping[str, Any], priority: int) -> Held:
        """Create one."""
        ...

    def unfit(self, fields: Mapping[str, Any], present: Entity | None) -> dict[str, str]:
        """The fields that Go cannot hold, each with the reason in words; `present` is None on creation."""
        ...

    def wanted(self, fields: Mapping[str, Any], present: Entity) -> dict[str, Any]:
        """The fields as Go would hold them, less those that are unfit."""
        ...

    def properties(self, changes: Mapping[str, Any], held: Held) -> dict[Path, Any]:
        """The Go properties of changed fields. Raises Unwritable where Go would not take them."""
        ...


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


class CustomerRecords:
    """Customers; found by their reference."""

    entity: EntityName = "customer"
    stampable = True
    optional = frozenset({"email", "phone", "organisation_number", "address"})

    def __init__(self, client: PowerOfficeClient, tenant: Tenant) -> None:
        self._client, self._country_default = client, tenant.country_default

    def _held(self, raw: Any) -> Held:
        row = record_of(raw)
        return held_or_retry(row, mapping.customer(row))

    async def get(self, id: str, priority: int) -> Held:
        return self._held(await self._client.get(f"/Customers/{id}", priority=priority))

    async def patch(self, held: Held, operations: Sequence[Mapping[str, Any]], priority: int) -> Held:
        return self._held(await self._client.patch(f"/Customers/{held.reading.id}", operations, priority=priority))

    async def find(self, command: Command, fields: Mapping[str, Any], priority: int) -> Held | None:
        if not command.stamp:
            return None
        params = {"externalImportReference": command.stamp}
        rows = await self._client.rows("/Customers", priority=priority, params=params)
        exact = [row for row in rows if value_at(row, REFERENCE) == command.stamp]
        return self._held(exact[0]) if exact else None

    async def alike(self, command: Command, fields: Mapping[str, Any], since: str, priority: int) -> list[Held]:
        ours = Customer(**{"kind": "company", **fields})
        if not twins.has_marks(ours):
            return []
        found = []
        for row in await changed_since(self._client, "/Customers", since, priority):
            reading = mapping.customer(row)
            seen = reading.content if reading is not None else None
            stamped = command.stamp is not None and reading is not None and reading.stamp == command.stamp
            if reading is not None and (stamped or (isinstance(seen, Customer) and twins.same_customer(ours, seen))):
                found.append(Held(row, reading))
        return found

    async def body(self, command: Command, fields: Mapping[str, Any], priority: int) -> dict[str, Any]:
        return mapping_writes.new_customer(fields, command.stamp, self._country_default)

    async def post(self, body: Mapping[str, Any], priority: int) -> Held:
        return self._held(await self._client.post("/Customers", body, priority=priority))

    def unfit(self, fields: Mapping[str, Any], present: Entity | None) -> dict[str, str]:
        assert present is None or isinstance(present, Customer)
        return mapping_writes.unfit_customer(fields, present)

    def wanted(self, fields: Mapping[str, Any], present: Entity) -> dict[str, Any]:
        assert isinstance(present, Customer)
        return mapping_writes.wanted_customer(fields, present, self._country_default)

    def properties(self, changes: Mapping[str, Any], held: Held) -> dict[Path, Any]:
        assert isinstance(held.reading.content, Customer)
        if changes.get("archived") and "other_role" in held.reading.incomplete:
            message = "the contact has another role in Go (supplier or employee), which archiving would hit too"
            raise Refused("other_role", message, field="archived")
        return mapping_writes.customer_properties(changes, held.raw)


class ProductRecords:
    """Products; they hold no reference, so they are found by their code."""

    entity: EntityName = "product"
    stampable = False
    optional = frozenset({"description", "unit"})

    def __init__(self, client: PowerOfficeClient, tenant: Tenant, groups: ProductGroups) -> None:
        self._client, self._tenant, self._groups = client, tenant, groups

    async def _held(self, raw: Any) -> Held:
        row = record_of(raw)
        groups = await self._groups.codes(row)
        return held_or_retry(row, mapping.product(row, ledger_currency=self._tenant.ledger_currency, groups=groups))

    async def get(self, id: str, priority: int) -> Held:
        return await self._held(await self._client.get(f"/Products/{id}", priority=priority))

    async def patch(self, held: Held, operations: Sequence[Mapping[str, Any]], priority: int) -> Held:
        path = f"/Products/{held.reading.id}"
        return await self._held(await self._client.patch(path, operations, priority=priority))

    async def find(self, command: Command, fields: Mapping[str, Any], priority: int) -> Held | None:
        code = fields.get("code")
        exact = await products_with_code(self._client, code, priority) if code else []
        if len(exact) > 1:
            message = f"{len(exact)} Go products have the code {code}; give the others another code"
            raise Refused("ambiguous", message, field="code")
        return await self._held(exact[0]) if exact else None

    async def alike(self, command: Command, fields: Mapping[str, Any], since: str, priority: int) -> list[Held]:
        ours = Product(**fields)
        if not twins.has_marks(ours):
            return []
        found = []
        for row in await changed_since(self._client, "/Products", since, priority):
            groups = await self._groups.codes(row)
            reading = mapping.product(row, ledger_currency=self._tenant.ledger_currency, groups=groups)
            seen = reading.content if reading is not None else None
            if reading is not None and isinstance(seen, Product) and twins.same_product(ours, seen):
                found.append(Held(row, reading))
        return found

    async def body(self, command: Command, fields: Mapping[str, Any], priority: int) -> dict[str, Any]:
        return mapping_writes.new_product(fields, self._tenant.ledger_currency, self._tenant.product.groups)

    async def post(self, body: Mapping[str, Any], priority: int) -> Held:
        return await self._held(await self._client.post("/Products", body, priority=priority))

    def unfit(self, fields: Mapping[str, Any], present: Entity | None) -> dict[str, str]:
        return mapping_writes.unfit_product(fields, self._tenant.ledger_currency)

    def wanted(self, fields: Mapping[str, Any], present: Entity) -> dict[str, Any]:
        assert isinstance(present, Product)
        return mapping_writes.wanted_product(fields, self._tenant.ledger_currency)

    def properties(self, changes: Mapping[str, Any], held: Held) -> dict[Path, Any]:
        return mapping_writes.product_properties(changes)


async def changed_since(client: PowerOfficeClient, path: str, since: str, priority: int) -> list[Row]:
    """Everything of one kind that changed after a `timestamp`; all of it after NEVER."""
    params = {} if since == mapping.NEVER else {CHANGED: since}
    pages = client.pages(path, start=lambda: 0, priority=priority, params=params, size=MAX_PAGE_SIZE)
    return [row async for _, rows in pages for row in rows]


async def products_with_code(client: PowerOfficeClient, code: str, priority: int) -> list[Row]:
    """The products with exactly this code; Go's filter splits at commas and may fold case."""
    rows = await client.rows("/Products", priority=priority, params={"codes": code})
    return [row for row in rows if value_at(row, ("Code",)) == code]
