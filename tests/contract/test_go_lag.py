"""Reads of Go that come from a replica which lags behind (poweroffice-go.md, T5): what our own
writes made is not there yet, or stands as it was before them."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from contracts.entities import EntityName, wire
from runtime.vendor import Retriable
from services.poweroffice_adapter.writer import Writer
from tests.contract.test_poweroffice_adapter import (
    BAKERY,
    BASIS,
    World,
    address,
    order_fields,
    play,
    pytest_generate_tests,
    snapshots,
    weather,
)

__all__ = ["address", "pytest_generate_tests", "snapshots", "weather"]

HOUR_S = 3600.0
Lag = Callable[[], Awaitable[None]]
Scene = Callable[[World, Lag], Awaitable[None]]
Lagging = Callable[[Scene], None]
pytestmark = pytest.mark.calm


@pytest.fixture
def lagging(address: str, monkeypatch: pytest.MonkeyPatch) -> Lagging:
    """Plays a scene; what it does after it has awaited its second argument is shown by no read
    until the adapter waits for the replica."""
    worlds: list[World] = []

    async def caught_up(_: Writer) -> None:
        await worlds[0].settings(read_lag_s=0)

    monkeypatch.setattr(Writer, "catch_up", caught_up)

    def played(scene: Scene) -> None:
        async def whole(w: World) -> None:
            worlds.append(w)

            async def lag() -> None:
                await w.settings(clock_offset_s=HOUR_S, read_lag_s=HOUR_S / 2)

            try:
                await scene(w, lag)
            finally:
                await w.settings(read_lag_s=0, clock_offset_s=0)

        play(address, whole)

    return played


def purchase_order(to: str, before: str | None) -> dict[str, Any]:
    """The facts of an update of one field."""
    return {"fields": {"purchase_order": to}, "expected": {"purchase_order": before}}


def test_a_second_update_is_not_compared_with_what_was_before_the_first(lagging: Lagging) -> None:
    async def scene(w: World, lag: Lag) -> None:
        order = await w.make_order(await w.make_customer(), await w.make_product())
        held = await w.apply("order", "verify", target_id=order)
        await lag()
        facts = {"target_id": order, "target_version": held.version}
        first = await w.apply("order", "update", seq=1, **facts, **purchase_order("1", None))
        await lag()
        facts["target_version"] = first.version
        second = await w.apply("order", "update", seq=2, **facts, **purchase_order("2", "1"))
        assert (second.result, (second.data or {})["purchase_order"]) == ("applied", "2")

    lagging(scene)


def test_a_failed_test_is_no_refusal_where_the_reading_lags(lagging: Lagging) -> None:
    """A person has edited the field; Go refused nothing of ours."""

    async def scene(w: World, lag: Lag) -> None:
        order = await w.make_order(await w.make_customer(), await w.make_product())
        held = await w.apply("order", "verify", target_id=order)
        await lag()
        await w.edit(f"/SalesOrders/{order}", PurchaseOrderReference="person")
        facts = {"target_id": order, "target_version": held.version}
        outcome = await w.apply("order", "update", **facts, **purchase_order("2", None))
        assert (outcome.result, outcome.skipped) == ("stale", {})

    lagging(scene)


@pytest.mark.parametrize("op", ["update", "delete", "verify"])
def test_what_was_just_made_is_not_gone(lagging: Lagging, op: str) -> None:
    async def scene(w: World, lag: Lag) -> None:
        customer, product = await w.make_customer(), await w.make_product()
        await lag()
        fields = order_fields(customer, product)
        made = await w.apply("order", "create", fields=fields, stamp="cb-1")
        facts = {"target_id": made.id, "target_version": made.version, "seq": 2}
        if op == "update":
            facts |= purchase_order("9", None)
        expected = {"expected": {"status": "draft"}} if op == "delete" else {}
        outcome = await w.apply("order", op, **facts, **expected)
        assert (outcome.result, outcome.wrote) == ("applied", op != "verify")
        assert len(await w.person.get("/SalesOrders") or ()) == (0 if op == "delete" else 1)

    lagging(scene)


def test_an_edit_back_after_a_poll_that_lagged_is_published(lagging: Lagging) -> None:
    """The poll showed what had been before our write, and must not count as the reading of it."""

    async def scene(w: World, lag: Lag) -> None:
        id = await w.make_customer(PhoneNumber="1")
        await w.source.step("customer")
        await lag()
        known = w.publisher.held["customer"][id].version
        phone = {"fields": {"phone": "2"}, "expected": {"phone": "1"}}
        ours = await w.apply("customer", "update", target_id=id, target_version=known, **phone)
        await lag()
        await w.source.step("customer")
        await w.settings(read_lag_s=0)
        await w.edit(f"/Customers/{id}", PhoneNumber="1")
        w.publisher.taken()
        await w.source.step("customer")
        await w.source.sweep()
        (event,) = w.publisher.taken()
        assert ((event.data or {})["phone"], event.version > (ours.version or "")) == ("1", True)

    lagging(scene)


@pytest.mark.parametrize("entity", ["customer", "product", "order"])
def test_a_creation_whose_reply_was_lost_is_found_though_reads_lag(
    lagging: Lagging, entity: EntityName
) -> None:
    async def scene(w: World, lag: Lag) -> None:
        fields = wire(BAKERY if entity == "customer" else BASIS)
        path = f"/{entity.title()}s"
        if entity == "order":
            fields = order_fields(await w.make_customer(), await w.make_product())
            path = "/SalesOrders"
        await lag()
        await w.fault("drop_reply_after_commit", f"POST {path}")
        with pytest.raises(Retriable):
            await w.apply(entity, "create", fields=fields, stamp="cb-1")
        outcome = await w.apply(entity, "create", fields=fields, stamp="cb-1", look_first=True)
        assert outcome.result == "adopted"

    lagging(scene)
