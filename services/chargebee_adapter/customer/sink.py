"""Commands for customers: one or two endpoints, guarded by a read just before."""

from contracts import entities
from contracts.messages import Command, Problem
from runtime.vendor import NotFound, Refused
from services.chargebee_adapter.client import ChargebeeClient, Raw, path
from services.chargebee_adapter.customer import canonical, twins, writes
from services.chargebee_adapter.guard import (
    ASLEEP_S,
    Clock,
    Plan,
    fresh,
    plan,
    present,
    required,
    restamp,
    typed,
    written_again,
)
from services.chargebee_adapter.outcomes import Written
from services.chargebee_adapter.refusals import is_duplicate


class Customers:
    """Writes customers of one site. `country_default` fills a blank country of an address; `clock`
    is monotonic."""

    def __init__(self, country_default: str | None, clock: Clock) -> None:
        self._country_default, self._clock = country_default, clock

    async def create(self, api: ChargebeeClient, command: Command) -> Written:
        """Create under the own id `go-<Go Id>`; an earlier attempt's record is adopted, beside a
        twin none is made."""
        own_id, fields = required(command, "stamp"), typed(command, command.fields)
        if (
            command.look_first
            and (raw := await api.find("customer", "customers", own_id)) is not None
        ):
            return _adopted(raw)
        fitting = writes.fitting(fields, None, self._country_default)
        params = writes.creation(own_id, fields.get("kind", "person"), fitting)
        async with api.reserved(2 if command.look_for_twins else 1):
            if command.look_for_twins:
                known = {**typed(command, command.expected), **fields}
                found, _ = await fresh(lambda: twins.of_customer(api, known), self._clock)
                if found:
                    return Written("stale", None, twins=found)
            try:
                raw = await api.post("customer", "/customers", params)
            except Refused as error:
                if not is_duplicate(error, "id"):
                    raise
                return _adopted(await _read(api, own_id))
        return Written("applied", canonical.customer(raw), skipped=fitting.faults)

    async def update(self, api: ChargebeeClient, command: Command) -> Written:
        """Write what differs; stale when a field no longer holds what was expected."""
        customer_id, fields = required(command, "target_id"), typed(command, command.fields)
        is_billing = not writes.BILLING_FIELDS.isdisjoint(fields)
        async with api.reserved(2 + (is_billing and not writes.BILLING_FIELDS.issuperset(fields))):
            raw, asked_at = await fresh(lambda: _read(api, customer_id), self._clock)
            steps, skipped = self._plan(command, raw)
            again = written_again(
                command, canonical.customer(raw), steps, writes.BILLING_FIELDS.__contains__
            )
            done = steps.done
            if steps.is_stale:
                return Written("stale", canonical.customer(raw), done, again=again)
            if params := writes.update(steps.to_write):
                asked_at = self._clock()
                raw = await api.post("customer", path("customers", customer_id), params)
                if self._clock() - asked_at > ASLEEP_S:
                    raw, asked_at = await fresh(lambda: _read(api, customer_id), self._clock)
                # The reply is newer than our read: an address edited in between must not be
                # overwritten.
                steps, skipped = self._plan(command, raw)
            billing = {
                name: value
                for name, value in steps.to_write.items()
                if name in writes.BILLING_FIELDS
            }
            if billing and steps.is_stale:
                return Written("stale", canonical.customer(raw), steps.done)
            if billing:
                params = writes.billing_update(raw, billing)
                raw = await api.post(
                    "customer", path("customers", customer_id, "update_billing_info"), params
                )
        return Written("applied", canonical.customer(raw), done, skipped, again=again)

    async def stamp(self, api: ChargebeeClient, command: Command) -> Written:
        """Write Go's id into `meta_data` where it is free; without a stamp take it away."""
        customer_id = required(command, "target_id")
        async with api.reserved(2):
            raw, _ = await fresh(lambda: _read(api, customer_id), self._clock)
            if params := restamp(raw, "meta_data", canonical.customer(raw), command.stamp):
                raw = await api.post("customer", path("customers", customer_id), params)
        return Written("applied", canonical.customer(raw))

    async def verify(self, api: ChargebeeClient, command: Command) -> Written:
        """Read the customer."""
        return Written(
            "applied", canonical.customer(await _read(api, required(command, "target_id")))
        )

    def _plan(self, command: Command, raw: Raw) -> tuple[Plan, dict[str, Problem]]:
        """What is to be written to this customer, and what Chargebee cannot take."""
        current = present(canonical.customer(raw))
        assert isinstance(current, entities.Customer)
        fitting = writes.fitting(typed(command, command.fields), current, self._country_default)
        return plan(current, fitting.held, typed(command, command.expected)), fitting.faults


def _adopted(raw: Raw) -> Written:
    reading = canonical.customer(raw)
    present(reading)
    return Written("adopted", reading)


async def _read(api: ChargebeeClient, customer_id: str) -> Raw:
    raw = await api.find("customer", "customers", customer_id)
    if raw is None:
        raise NotFound(
            "resource_not_found", f"customer {customer_id} is not in Chargebee any more", status=404
        )
    return raw
