"""Deletions, archives and restored lines in PowerOffice Go, as the sink carries them out on the
simulator."""

from typing import Any

import msgspec
import pytest

from contracts.messages import Outcome
from runtime.rate_limiter import LIVE
from runtime.vendor import NotFound
from tests.contract.test_poweroffice_adapter import World, address, order_fields, play
from tests.contract.weather import pytest_generate_tests, weather

__all__ = ["address", "pytest_generate_tests", "weather"]


async def draft(w: World) -> Outcome:
    """A draft of ours with one line."""
    customer, product = await w.make_customer(), await w.make_product()
    created = await w.apply(
        "order", "create", stamp="cb-900", fields=order_fields(customer, product)
    )
    assert created.result in ("applied", "adopted")
    return created


def guard(outcome: Outcome) -> dict[str, Any]:
    """What a removal expects: the state it was planned from."""
    assert outcome.data is not None
    return {
        name: outcome.data[name] for name in ("status", "order_date", "purchase_order", "lines")
    }


def test_an_untouched_draft_is_removed_once(address: str) -> None:
    """And delivered again, the removal finds it done."""

    async def scene(w: World) -> None:
        made = await draft(w)
        for _ in range(2):
            removed = await w.apply(
                "order",
                "delete",
                target_id=made.id,
                target_version=made.version,
                expected=guard(made),
            )
            assert (removed.result, removed.deleted, removed.id) == ("applied", True, made.id)
            assert removed.version is not None and made.version is not None
            assert removed.version > made.version
        with pytest.raises(NotFound):
            await w.person.get(f"/SalesOrders/{made.id}", priority=LIVE)

    play(address, scene)


def test_a_draft_that_somebody_edited_stays(address: str) -> None:
    """The edit is reported with the state found."""

    async def scene(w: World) -> None:
        made = await draft(w)
        await w.edit(f"/SalesOrders/{made.id}", PurchaseOrderReference="PO 7")
        stale = await w.apply("order", "delete", target_id=made.id, expected=guard(made))
        assert stale.result == "stale"
        assert stale.data is not None
        assert stale.data["purchase_order"] == "PO 7"
        assert await w.person.get(f"/SalesOrders/{made.id}", priority=LIVE)

    play(address, scene)


def test_confirmed_and_sent_orders_are_never_removed(address: str) -> None:
    """Also when the command expected them so."""

    async def scene(w: World) -> None:
        made = await draft(w)
        await w.edit(f"/SalesOrders/{made.id}", SalesOrderStatus="Confirmed")
        for expected in (guard(made), guard(made) | {"status": "confirmed"}):
            stale = await w.apply("order", "delete", target_id=made.id, expected=expected)
            assert stale.result == "stale"
        await w.send(made.id or "")
        sent = await w.apply("order", "delete", target_id=made.id, expected=guard(made))
        assert sent.result == "stale"
        assert sent.data is not None
        assert sent.data["status"] == "sent"

    play(address, scene)


def test_a_customer_is_archived_and_brought_back(address: str) -> None:
    """One guarded property."""

    async def scene(w: World) -> None:
        customer = await w.make_customer()
        for wanted in (True, False):
            done = await w.apply(
                "customer",
                "update",
                target_id=customer,
                fields={"archived": wanted},
                expected={"archived": not wanted},
            )
            assert done.result == "applied"
            assert done.data is not None
            assert done.data["archived"] is wanted

    play(address, scene)


def drifted_back(w: World, made: Outcome, present: dict[str, Any]) -> dict[str, Any]:
    """A command that restores the lines of the draft."""
    assert made.data is not None
    ours = [{**line, "id": "li_1"} for line in made.data["lines"]]
    return {
        "target_id": made.id,
        "fields": {"lines": ours},
        "expected": {"lines": present["lines"]},
    }


async def present(w: World, made: Outcome) -> dict[str, Any]:
    found = await w.apply("order", "verify", target_id=made.id)
    assert found.data is not None
    return found.data


@pytest.mark.calm
def test_drifted_lines_of_a_draft_are_restored(address: str) -> None:
    """A changed line is changed back, one too many removed, a lost one made again; text lines
    stay."""

    async def scene(w: World) -> None:
        made = await draft(w)
        path = f"/SalesOrders/{made.id}/Lines"
        rows = await w.person.rows(path, priority=LIVE)
        (line,) = [row for row in rows if row["LineType"] == "Normal"]
        await w.edit(f"{path}/{line['Id']}", Quantity=9)
        extra = {
            "ProductId": line["ProductId"],
            "Quantity": 1,
            "ProductUnitPrice": 5,
            "Allowance": 0,
        }
        await w.person.post(path, extra, priority=LIVE)
        command = drifted_back(w, made, await present(w, made))
        restored = await w.apply("order", "update", **command)
        assert restored.result == "applied"
        assert restored.data is not None and made.data is not None
        assert [{**each, "id": ""} for each in restored.data["lines"]] == [
            {**each, "id": ""} for each in made.data["lines"]
        ]
        texts = [
            row for row in await w.person.rows(path, priority=LIVE) if row["LineType"] == "Text"
        ]
        assert len(texts) == 1
        again = await w.apply("order", "update", **command)
        assert again.result == "applied"
        await w.person._call("DELETE", f"{path}/{line['Id']}", priority=LIVE)
        made_again = await w.apply(
            "order", "update", **drifted_back(w, made, await present(w, made))
        )
        assert made_again.result == "applied"
        assert made_again.data is not None
        assert len(made_again.data["lines"]) == 1

    play(address, scene)


@pytest.mark.calm
def test_lines_are_not_restored_over_an_edit_nobody_has_seen(address: str) -> None:
    """Stale with the lines found; the next plan starts from them."""

    async def scene(w: World) -> None:
        made = await draft(w)
        path = f"/SalesOrders/{made.id}/Lines"
        (line,) = [
            row for row in await w.person.rows(path, priority=LIVE) if row["LineType"] == "Normal"
        ]
        await w.edit(f"{path}/{line['Id']}", Quantity=9)
        command = drifted_back(w, made, await present(w, made))
        await w.edit(f"{path}/{line['Id']}", Quantity=8)
        stale = await w.apply("order", "update", **command)
        assert stale.result == "stale"
        assert stale.data is not None
        assert msgspec.json.encode(stale.data["lines"]) != msgspec.json.encode(
            command["expected"]["lines"]
        )

    play(address, scene)


@pytest.mark.calm
def test_a_header_that_changes_with_the_lines_is_written_too(address: str) -> None:
    async def scene(w: World) -> None:
        made = await draft(w)
        path = f"/SalesOrders/{made.id}/Lines"
        (line,) = [
            row for row in await w.person.rows(path, priority=LIVE) if row["LineType"] == "Normal"
        ]
        await w.edit(f"{path}/{line['Id']}", Quantity=9)
        command = drifted_back(w, made, await present(w, made))
        command["fields"]["purchase_order"] = "PO 9"
        command["expected"]["purchase_order"] = None
        done = await w.apply("order", "update", **command)
        assert (done.result, done.wrote) == ("applied", True)
        assert done.data is not None and made.data is not None
        assert (done.data["purchase_order"], done.data["net"]) == ("PO 9", made.data["net"])
        again = await w.apply("order", "update", **command)
        assert (again.result, again.wrote) == ("applied", False)

    play(address, scene)


@pytest.mark.calm
def test_lines_of_an_order_that_is_confirmed_meanwhile_are_stale(address: str) -> None:
    """Go refuses the line; what is found then is what the next plan starts from."""

    async def scene(w: World) -> None:
        made = await draft(w)
        path = f"/SalesOrders/{made.id}/Lines"
        (line,) = [
            row for row in await w.person.rows(path, priority=LIVE) if row["LineType"] == "Normal"
        ]
        await w.edit(f"{path}/{line['Id']}", Quantity=9)
        command = drifted_back(w, made, await present(w, made))
        patch = w.client.patch

        async def after_a_confirmation(where: str, operations: Any, *, priority: int) -> Any:
            await w.edit(f"/SalesOrders/{made.id}", SalesOrderStatus="Confirmed")
            return await patch(where, operations, priority=priority)

        w.client.patch = after_a_confirmation  # type: ignore[method-assign, assignment]
        stale = await w.apply("order", "update", **command)
        assert (stale.result, stale.wrote) == ("stale", False)
        assert stale.data is not None
        assert stale.data["status"] == "confirmed"

    play(address, scene)


def test_a_draft_is_confirmed_and_then_locked(address: str) -> None:
    """Guarded by the status that was seen; delivered again it finds the work done."""

    async def scene(w: World) -> None:
        made = await draft(w)
        command = {
            "target_id": made.id,
            "fields": {"status": "confirmed"},
            "expected": {"status": "draft"},
        }
        for _ in range(2):
            confirmed = await w.apply("order", "update", **command)
            assert confirmed.result == "applied"
            assert confirmed.data is not None
            assert confirmed.data["status"] == "confirmed"
        row = await w.person.get(f"/SalesOrders/{made.id}", priority=LIVE)
        assert row["SalesOrderStatus"] == "Confirmed"

    play(address, scene)
