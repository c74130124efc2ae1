"""Commands into writes to Go."""

import time
from collections.abc import Callable
from datetime import datetime

import msgspec

from contracts.entities import EntityName
from contracts.messages import Command, Outcome
from contracts.settings import Tenant
from runtime.problems import Unwritable
from runtime.rate_limiter import BULK, LIVE
from runtime.vendor import Refused
from services.poweroffice_adapter.client import PowerOfficeClient, counting
from services.poweroffice_adapter.customer.sink import Customers
from services.poweroffice_adapter.guard import typed
from services.poweroffice_adapter.mapping import NEVER
from services.poweroffice_adapter.observations import Observations
from services.poweroffice_adapter.order.sink import Orders
from services.poweroffice_adapter.product.groups import ProductGroups
from services.poweroffice_adapter.product.sink import Products
from services.poweroffice_adapter.records import Means
from services.poweroffice_adapter.refusals import with_field
from services.poweroffice_adapter.writer import Writer, target_of


class Sink:
    """Applies the commands of one tenant. Shares `observations` with the source, and may share
    its caches. `unread_since` tells from where the source's next poll of an entity asks; `clock`
    gives aware UTC, `seconds` is a monotonic clock."""

    def __init__(
        self,
        name: str,
        tenant: Tenant,
        client: PowerOfficeClient,
        observations: Observations,
        *,
        clock: Callable[[], datetime],
        groups: ProductGroups | None = None,
        currencies: dict[str, str] | None = None,
        unread_since: Callable[[EntityName], str] = lambda _: NEVER,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        tests = tenant.poweroffice.guard == "test"
        means = Means(tenant, client, observations, tests, clock, unread_since, seconds)
        self.means = means
        self._writers: dict[EntityName, Writer] = {
            "customer": Customers(means),
            "product": Products(means, groups or ProductGroups(client)),
            "order": Orders(means, {} if currencies is None else currencies),
        }

    async def apply(self, command: Command) -> Outcome:
        """Carry out one command. Raises Retriable, Refused, NotFound and Unauthorised."""
        with counting() as count:
            try:
                outcome = await self._written(command)
            except Unwritable as error:
                raise Refused.of(error.problem) from None
            except Refused as error:
                raise with_field(error) from None
        return msgspec.structs.replace(outcome, calls=count[0])

    async def _written(self, command: Command) -> Outcome:
        fields, priority = typed(command, command.fields), LIVE if command.lane == "live" else BULK
        writer = self._writers[command.entity]
        if command.op == "create":
            return await writer.create(command, fields, priority)
        target_of(command)
        match command.op:
            case "delete":
                return await writer.remove(command, priority)
            case "update":
                return await writer.update(command, fields, priority)
            case "stamp":
                return await writer.stamp(command, priority)
            case _:
                return await writer.verify(command, priority)
