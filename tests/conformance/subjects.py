"""Both adapters in one form: ours through source and sink, and a person at the vendor beside us."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Protocol

from contracts.entities import EntityName, System
from contracts.messages import Observed, Outcome
from tests.conformance.samples import COMPANY, ORDER, PRODUCT, Values
from tests.contract import test_chargebee_adapter as chargebee
from tests.contract import test_poweroffice_adapter as poweroffice


class Subject(Protocol):
    """One adapter on its simulator. `stamped` are the kinds of records that take a reference,
    `removed` those of which one can be removed."""

    system: System
    stamped: frozenset[EntityName]
    removed: frozenset[EntityName]

    async def apply(self, entity: EntityName, op: str, **facts: Any) -> Outcome:
        """What the sink makes of a command."""
        ...

    async def reading(self, entity: EntityName, id: str | None) -> Observed:
        """What the source publishes of a record when it reads everything anew."""
        ...

    async def writes(self) -> int:
        """How often we have written so far."""
        ...

    async def enter(self, entity: EntityName) -> str:
        """A person enters the sample, without a reference; its id."""
        ...

    async def edit(self, entity: EntityName, id: str) -> None:
        """A person changes the name of a record, or the date of an order."""
        ...

    def stamp(self, number: int) -> str:
        """A reference to a record of the other system."""
        ...


async def _reading(world: Any, entity: EntityName, id: str | None) -> Observed:
    publisher = chargebee.MemoryPublisher()
    await world.source.read_all(publisher, entity, "again")
    found = publisher.last(entity, id or "")
    assert found is not None, f"no reading of {entity} {id}"
    return found


class ChargebeeSubject:
    """Chargebee's adapter."""

    system: System = "chargebee"
    stamped: frozenset[EntityName] = frozenset({"customer", "product"})
    removed: frozenset[EntityName] = frozenset()

    def __init__(self, world: chargebee.World) -> None:
        self._world = world

    async def apply(self, entity: EntityName, op: str, **facts: Any) -> Outcome:
        return await self._world.apply(entity, op, **facts)

    async def reading(self, entity: EntityName, id: str | None) -> Observed:
        return await _reading(self._world, entity, id)

    async def writes(self) -> int:
        return sum((await self._world.writes()).values())

    async def enter(self, entity: EntityName) -> str:
        world, name = self._world, f"own-{entity}"
        if entity == "customer":
            fields = {"company": COMPANY["company"], "email": COMPANY["email"]}
            place = {
                f"billing_address__{part}": value for part, value in COMPANY["address"].items()
            }
            await world.act("/customers", id=name, **fields, **place)
        else:
            family = world.settings.chargebee.item_family
            await world.act("/item_families", id=family, name="Varer")
            held = {"id": name, "name": PRODUCT["name"], "item_family_id": family}
            await world.act("/items", type="charge", **held)
            price = {"id": f"{name}-NOK", "name": f"{name} NOK", "item_id": name}
            await world.act("/item_prices", currency_code="NOK", price="20000", **price)
        return name

    async def edit(self, entity: EntityName, id: str) -> None:
        match entity:
            case "customer":
                await self._world.act(f"/customers/{id}", company="Omdøpt AS")
            case "product":
                await self._world.act(f"/items/{id}", external_name="Omdøpt")
            case "order":
                await self._world.act(f"/orders/{id}", order_date="1772622000")

    def stamp(self, number: int) -> str:
        return f"go-{number}"


class PowerOfficeSubject:
    """PowerOffice Go's adapter."""

    system: System = "poweroffice"
    stamped: frozenset[EntityName] = frozenset({"customer", "order"})
    removed: frozenset[EntityName] = frozenset({"order"})

    def __init__(self, world: poweroffice.World) -> None:
        self._world = world

    async def apply(self, entity: EntityName, op: str, **facts: Any) -> Outcome:
        return await self._world.apply(entity, op, **facts)

    async def reading(self, entity: EntityName, id: str | None) -> Observed:
        return await _reading(self._world, entity, id)

    async def writes(self) -> int:
        asked = await self._world.control.get("/_sim/requests", params={"user": "tandem"})
        return int(asked.json()["writes"])

    async def enter(self, entity: EntityName) -> str:
        world = self._world
        match entity:
            case "customer":
                return await world.make_customer(
                    Name=COMPANY["company"], EmailAddress=COMPANY["email"]
                )
            case "product":
                return await world.make_product(PRODUCT["code"])
            case "order":
                return await world.make_order(
                    await world.make_customer(), await world.make_product()
                )

    async def edit(self, entity: EntityName, id: str) -> None:
        match entity:
            case "customer":
                await self._world.edit(f"/Customers/{id}", Name="Omdøpt AS")
            case "product":
                await self._world.edit(f"/Products/{id}", Name="Omdøpt")
            case "order":
                await self._world.edit(f"/SalesOrders/{id}", SalesOrderDate="2026-03-04")

    def stamp(self, number: int) -> str:
        return f"cb-{number}"


WORLDS: dict[System, tuple[Callable[[str], Any], Callable[[Any], Subject]]] = {
    "chargebee": (chargebee.world, ChargebeeSubject),
    "poweroffice": (poweroffice.world, PowerOfficeSubject),
}


@asynccontextmanager
async def subject_at(system: System, address: str) -> AsyncIterator[Subject]:
    """An adapter on an empty simulator."""
    world, make = WORLDS[system]
    async with world(address) as held:
        yield make(held)


async def made(subject: Subject, entity: EntityName, fields: Values | None = None) -> Outcome:
    """The sample, created through the sink; an order with its customer and its product."""
    number = {"customer": 1, "product": 2, "order": 3}[entity]
    return await subject.apply(
        entity, "create", stamp=subject.stamp(number), fields=await whole(subject, entity, fields)
    )


async def whole(subject: Subject, entity: EntityName, fields: Values | None = None) -> Values:
    """The sample with what it refers to."""
    sample = fields or {"customer": COMPANY, "product": PRODUCT, "order": ORDER}[entity]
    if entity != "order":
        return sample
    customer, product = await made(subject, "customer"), await made(subject, "product")
    lines = [{**line, "product_id": product.id} for line in sample["lines"]]
    return {"customer_id": customer.id, **sample, "lines": lines}
