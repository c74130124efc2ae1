"""Commands for customers: one or two endpoints, guarded by a read just before."""

from typing import Any

from contracts import entities
from contracts.messages import Command, Problem
from runtime.vendor import NotFound, Refused
from services.chargebee_adapter import mapping, writes_customers
from services.chargebee_adapter.client import ChargebeeClient, Raw, path
from services.chargebee_adapter.guard import (
    Plan,
    Written,
    expected_of,
    is_duplicate,
    plan,
    present,
    refuse,
    required,
    restamp,
    wanted_of,
)  # fmt: skip


class Customers:
    """Writes customers of one site. `country_default` fills a blank country of an address."""

    def __init__(self, country_default: str | None) -> None:
        self._country_default = country_default

    async def create(self, api: ChargebeeClient, command: Command) -> Written:
        """Create under the own id `go-<Go Id>`; an earlier attempt's record is adopted."""
        own_id, fields = required(command, "stamp"), wanted_of(command)
        if command.look_first and (raw := await api.find("customer", "customers", own_id)) is not None:
            return _adopted(raw)
        held = self._holdable(fields, None)
        params = writes_customers.creation(own_id, fields.get("kind", "person"), held)
        if isinstance(params, Problem):
            raise refuse(params)
        try:
            raw = await api.post("customer", "/customers", params)
        except Refused as error:
            if not is_duplicate(error, "id"):
                raise
            return _adopted(await _read(api, own_id))
        return Written("applied", mapping.customer(raw))

    async def update(self, api: ChargebeeClient, command: Command) -> Written:
        """Write what differs; stale when a field no longer holds what was expected."""
        customer_id = required(command, "target_id")
        raw = await _read(api, customer_id)
        reading = mapping.customer(raw)
        steps = self._plan(command, reading)
        if steps.is_stale:
            return Written("stale", reading, steps.done)
        if params := writes_customers.update(steps.to_write):
            raw = await api.post("customer", path("customers", customer_id), params)
            # The reply is newer than our read: an address edited in between must not be overwritten.
            steps = self._plan(command, mapping.customer(raw))
        billing = {name: value for name, value in steps.to_write.items() if name in writes_customers.BILLING_FIELDS}
        if billing and steps.is_stale:
            return Written("stale", mapping.customer(raw), steps.done)
        if billing:
            params = writes_customers.billing_update(raw, billing)
            raw = await api.post("customer", path("customers", customer_id, "update_billing_info"), params)
        return Written("applied", mapping.customer(raw))

    async def stamp(self, api: ChargebeeClient, command: Command) -> Written:
        """Write Go's id into `meta_data` where it is free; without a stamp take it away."""
        customer_id = required(command, "target_id")
        raw = await _read(api, customer_id)
        if params := restamp(raw, "meta_data", mapping.customer(raw), command.stamp):
            raw = await api.post("customer", path("customers", customer_id), params)
        return Written("applied", mapping.customer(raw))

    async def verify(self, api: ChargebeeClient, command: Command) -> Written:
        """Read the customer."""
        return Written("applied", mapping.customer(await _read(api, required(command, "target_id"))))

    def _plan(self, command: Command, reading: mapping.Reading) -> Plan:
        current = present(reading)
        assert isinstance(current, entities.Customer)
        return plan(current, self._holdable(wanted_of(command), current), expected_of(command))

    def _holdable(self, fields: dict[str, Any], current: entities.Customer | None) -> dict[str, Any]:
        held = writes_customers.holdable(fields, current, self._country_default)
        if isinstance(held, Problem):
            raise refuse(held)
        return held


def _adopted(raw: Raw) -> Written:
    reading = mapping.customer(raw)
    present(reading)
    return Written("adopted", reading)


async def _read(api: ChargebeeClient, customer_id: str) -> Raw:
    raw = await api.find("customer", "customers", customer_id)
    if raw is None:
        raise NotFound("resource_not_found", f"customer {customer_id} is not in Chargebee any more", status=404)
    return raw
