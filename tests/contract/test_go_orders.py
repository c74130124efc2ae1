"""The notice of a draft, the delivery of invoices to a customer, and what follows an order once it
has been sent."""

from datetime import date
from typing import Any

import pytest

from contracts.entities import Customer, wire
from contracts.messages import Observed, Outcome
from runtime.vendor import Refused, Retriable
from services.poweroffice_adapter.observations import Observations
from services.poweroffice_adapter.source import Source
from tests.contract.test_poweroffice_adapter import (
    BAKERY,
    World,
    address,
    order_fields,
    play,
    snapshots,
)

__all__ = ["address"]

PAID = "Already paid in Chargebee, invoice no. 1042."
VOID = "The invoice in Chargebee, invoice no. 1042 is void."
WARNING = "Invoiced in Chargebee, no. 1042, paid. Do not send."


async def draft(w: World, **more: Any) -> Outcome:
    fields = order_fields(await w.make_customer(), await w.make_product(), **more)
    return await w.apply("order", "create", fields=fields, stamp="cb-o1")


async def say(w: World, order: Outcome, words: str | None, **more: Any) -> Outcome:
    known = more.pop("expected", {"notice": (order.data or {})["notice"]})
    fields = {"notice": words} | more
    return await w.apply("order", "update", target_id=order.id, fields=fields, expected=known)


async def lines(w: World, order: Outcome) -> list[tuple[str, str]]:
    """Type and text of each line, as a person sees them."""
    rows = await w.person.get(f"/SalesOrders/{order.id}/Lines", params={"OrderBy": "SortOrder"})
    return [(row["LineType"], row["Description"]) for row in rows]


def result(outcome: Outcome) -> tuple[str, bool, int, str | None]:
    return outcome.result, outcome.wrote, outcome.calls, (outcome.data or {})["notice"]


NORMAL = ("Normal", "Basis (3 x 33.33, 10 % discount)")


# -- the notice


def test_the_notice_follows_in_one_call(address: str) -> None:
    async def scene(w: World) -> None:
        made = await draft(w)
        assert await lines(w, made) == [("Text", WARNING), NORMAL]
        assert (made.data or {})["notice"] == WARNING
        changed = await say(w, made, PAID)
        assert result(changed) == ("applied", True, 2, PAID)
        assert result(await say(w, changed, PAID)) == ("applied", False, 1, PAID)
        removed = await say(w, changed, None)
        assert result(removed) == ("applied", True, 2, None)
        assert await lines(w, made) == [NORMAL]
        added = await say(w, removed, VOID)
        assert result(added) == ("applied", True, 2, VOID)
        assert await lines(w, made) == [("Text", VOID), NORMAL]
        read = await w.apply("order", "verify", target_id=made.id)
        assert read.data == added.data

    play(address, scene)


def test_the_notice_and_the_header_are_written_by_one_command(address: str) -> None:
    async def scene(w: World) -> None:
        made = await draft(w)
        both = await say(w, made, PAID, purchase_order="PO 9")
        assert result(both) == ("applied", True, 3, PAID)
        assert (both.data or {})["purchase_order"] == "PO 9"
        assert (await w.apply("order", "verify", target_id=made.id)).data == both.data

    play(address, scene)


@pytest.mark.parametrize("positions", [(0, 1), (1, 5), (0, 0)])
def test_the_notice_comes_first_also_where_a_draft_has_no_room_for_it(
    address: str, positions: tuple[int, int]
) -> None:
    async def scene(w: World) -> None:
        product = int(await w.make_product())
        rows = [
            {"ProductId": product, "Quantity": 1, "Description": text, "SortOrder": position}
            for text, position in zip("ab", positions, strict=True)
        ]
        order = await w.make_order(
            await w.make_customer(),
            str(product),
            SalesOrderLines=rows,
            ExternalImportReference="cb-o1",
        )
        made = await w.apply("order", "verify", target_id=order)
        added = await say(w, made, PAID)
        assert (added.result, (added.data or {})["notice"]) == ("applied", PAID)
        assert await lines(w, made) == [("Text", PAID), ("Normal", "a"), ("Normal", "b")]
        assert (await w.apply("order", "verify", target_id=order)).data == added.data

    play(address, scene)


def test_a_notice_that_a_person_has_changed_or_a_locked_order_is_left_alone(address: str) -> None:
    async def scene(w: World) -> None:
        made = await draft(w)
        path = f"/SalesOrders/{made.id}"
        rows = await w.person.get(f"{path}/Lines", params={"OrderBy": "SortOrder"})
        await w.edit(f"{path}/Lines/{rows[0]['Id']}", Description="Ring kunden.")
        stale = await say(w, made, PAID)
        assert result(stale) == ("stale", False, 1, "Ring kunden.")
        await w.edit(path, SalesOrderStatus="Confirmed")
        with pytest.raises(Refused) as error:
            await say(w, stale, PAID)
        assert (error.value.code, error.value.field) == ("locked", "notice")
        await w.edit(path, SalesOrderStatus="Draft")
        await w.send(str(made.id))
        late = await say(w, stale, PAID)
        assert (late.result, late.wrote, (late.data or {})["status"]) == ("stale", False, "sent")

    play(address, scene)


@pytest.mark.calm
def test_an_edit_between_read_and_write_of_the_notice_is_seen(address: str) -> None:
    async def scene(w: World) -> None:
        made = await draft(w)
        path = f"/SalesOrders/{made.id}/Lines"
        [first, _] = await w.person.get(path, params={"OrderBy": "SortOrder"})
        records = w.sink._writers["order"]
        get = records.get

        async def then_edited(id: str, priority: int) -> Any:
            held = await get(id, priority)
            records.get = get  # type: ignore[method-assign]
            await w.edit(f"{path}/{first['Id']}", Description="Ring kunden.")
            return held

        records.get = then_edited  # type: ignore[method-assign]
        stale = await say(w, made, PAID)
        assert (stale.result, stale.wrote, (stale.data or {})["notice"]) == (
            "stale",
            False,
            "Ring kunden.",
        )

    play(address, scene)


@pytest.mark.calm
@pytest.mark.parametrize("words", [PAID, None])
def test_a_lost_reply_makes_no_second_notice(address: str, words: str | None) -> None:
    async def scene(w: World) -> None:
        made = await draft(w)
        if words:
            made = await say(w, made, None)
        method = "POST" if words else "DELETE"
        await w.fault("drop_reply_after_commit", f"{method} /SalesOrders")
        with pytest.raises(Retriable):
            await say(w, made, words)
        again = await say(w, made, words)
        assert result(again) == ("applied", False, 1, words)
        assert await lines(w, made) == ([("Text", PAID), NORMAL] if words else [NORMAL])

    play(address, scene)


def test_lines_and_notice_are_restored_together(address: str) -> None:
    async def scene(w: World) -> None:
        made = await draft(w)
        path = f"/SalesOrders/{made.id}/Lines"
        [_, line] = await w.person.get(path, params={"OrderBy": "SortOrder"})
        await w.edit(f"{path}/{line['Id']}", Quantity=9)
        seen = (await w.apply("order", "verify", target_id=made.id)).data or {}
        product = seen["lines"][0]["product_id"]
        restored = await say(
            w,
            made,
            PAID,
            lines=order_fields("1", product)["lines"],
            expected={"lines": seen["lines"], "notice": seen["notice"]},
        )
        assert (restored.result, (restored.data or {})["notice"]) == ("applied", PAID)
        assert await lines(w, made) == [("Text", PAID), NORMAL]

    play(address, scene)


def test_the_round_off_has_a_product_of_its_own(address: str) -> None:
    async def scene(w: World) -> None:
        fields = order_fields(await w.make_customer(), await w.make_product())
        line = {"id": "round-off", "description": "Round-off", "unit_price": "-0.5", "net": "-0.5"}
        fields |= {"lines": [*fields["lines"], line], "net": "89.5", "total": "112"}
        with pytest.raises(Refused) as error:
            await w.apply("order", "create", fields=fields, stamp="cb-o1")
        assert "order.round_off_product needs one" in error.value.message
        product = await w.make_product("avrunding")
        made = await w.apply("order", "create", fields=fields, stamp="cb-o1")
        [_, last] = (made.data or {})["lines"]
        assert (last["product_id"], last["quantity"], last["net"], last["tax"]) == (
            product,
            "-1",
            "-0.5",
            "0",
        )
        assert (made.data or {})["total"] == "112"

    play(address, scene)


def test_the_ledger_and_a_person_find_the_numbers_of_chargebee(address: str) -> None:
    async def scene(w: World) -> None:
        made = await draft(w, number="77")
        raw = await w.person.get(f"/SalesOrders/{made.id}")
        assert (raw["ImportedOrderNo"], raw["CustomMatchingReference"]) == (77, "1042")

    play(address, scene)


# -- the delivery of invoices


@pytest.mark.parametrize(
    ("ours", "in_go", "wanted"),
    [
        (True, {}, "PdfByEmail"),
        (False, {}, "Print"),
        (True, {"OrganizationNumber": "923609016", "InvoiceDeliveryType": "EHF"}, "EHF"),
        (True, {"InvoiceEmailAddress": "faktura@fjordvik.no"}, "Print"),
        (True, {"EmailAddress": "post@fjordvik.no"}, "Print"),
    ],
)
def test_a_customer_that_gets_an_email_is_invoiced_by_it(
    address: str, ours: bool, in_go: dict[str, Any], wanted: str
) -> None:
    async def scene(w: World) -> None:
        made = await w.apply(
            "customer", "create", fields=wire(BAKERY) | {"email": None}, stamp="cb-1"
        )
        if in_go:
            await w.edit(f"/Customers/{made.id}", **in_go)
        before = in_go.get("EmailAddress")
        changed = await w.apply(
            "customer",
            "update",
            target_id=made.id,
            fields={"email": "ny@fjordvik.no"},
            expected={"email": before},
            ours=ours,
        )
        assert (changed.result, (changed.data or {})["email"]) == ("applied", "ny@fjordvik.no")
        assert (await w.person.get(f"/Customers/{made.id}"))["InvoiceDeliveryType"] == wanted

    play(address, scene)


def test_a_customer_whose_email_go_refuses_is_still_printed_for(address: str) -> None:
    async def scene(w: World) -> None:
        person = wire(Customer(kind="person", first_name="Kari", last_name="Bøe"))
        made = await w.apply("customer", "create", fields=person, stamp="cb-1")
        fields = {"email": "kari@fjordvik", "phone": "99999999"}
        changed = await w.apply(
            "customer", "update", target_id=made.id, fields=fields, expected={}, ours=True
        )
        assert (changed.result, list(changed.skipped)) == ("applied", ["email"])
        raw = await w.person.get(f"/Customers/{made.id}")
        assert (raw["InvoiceDeliveryType"], raw["PhoneNumber"]) == ("Print", "99999999")

    play(address, scene)


def test_an_order_of_an_archived_customer_is_refused_in_words(address: str) -> None:
    async def scene(w: World) -> None:
        customer = await w.make_customer()
        fields = order_fields(customer, await w.make_product())
        await w.edit(f"/Customers/{customer}", IsArchived=True)
        with pytest.raises(Refused) as error:
            await w.apply("order", "create", fields=fields, stamp="cb-o1")
        assert error.value.field == "customer_id"
        assert "archived" in error.value.message

    play(address, scene)


# -- what follows an order once it has been sent


async def book(w: World, id: str, action: str, **body: Any) -> dict[str, Any]:
    """A person pays, credits or reverses an invoice."""
    reply = await w.control.post(f"/_sim/invoices/{id}/{action}", json=body)
    reply.raise_for_status()
    made: dict[str, Any] = reply.json()
    return made


async def sent_order(w: World, **more: Any) -> str:
    """An invoice of 400 net, 500 in all, that has been published; its id."""
    order = await w.make_order(await w.make_customer(), await w.make_product(), **more)
    await w.send(order)
    await snapshots(w)
    await w.source.orders.invoice_step()
    w.publisher.taken()
    await w.counts()
    return order


def again(w: World) -> Source:
    """The service after a restart."""
    return Source(
        "demo", w.tenant, w.client, w.publisher, Observations(1000), clock=w.source._clock
    )


async def all_loops(source: Source, *, sweep_first: bool) -> None:
    if sweep_first:
        await source.sweep()
    await source.orders.step()
    await source.orders.invoice_step()
    await source.sweep()


def standing(event: Observed) -> tuple[str, bool | None, bool, str | None]:
    """Id, paid, void, balance."""
    invoice = (event.data or {})["invoice"]
    return event.id, invoice["paid"], invoice["void"], invoice["balance"]


def test_a_payment_is_seen_by_the_next_poll(address: str) -> None:
    async def scene(w: World) -> None:
        order = await sent_order(w)
        assert not await w.source.orders.invoice_step()
        assert await w.counts() == {"GET /OutgoingInvoices": 2}
        for balance, paid in ((0.01, False), (0, True)):
            await book(w, order, "balance", balance=balance)
            assert await w.source.orders.invoice_step()
            [event] = w.publisher.taken()
            assert standing(event) == (order, paid, False, str(balance))
            assert await w.counts() == {
                "GET /OutgoingInvoices": 2,
                "GET /OutgoingInvoices/{id}/Lines": 1,
            }
        await w.source.orders.invoice_step()
        await w.source.sweep()
        assert w.publisher.taken() == []

    play(address, scene)


@pytest.mark.parametrize("sweep_first", [True, False])
@pytest.mark.parametrize("moves", [True, False])
def test_a_payment_while_nobody_looked_is_found_after_the_start(
    address: str, moves: bool, sweep_first: bool
) -> None:
    async def scene(w: World) -> None:
        await w.settings(payment_moves_invoice=moves)
        order = await sent_order(w)
        await book(w, order, "balance", balance=0)
        await all_loops(again(w), sweep_first=sweep_first)
        assert [standing(event) for event in w.publisher.taken()] == [(order, True, False, "0")]

    play(address, scene)


@pytest.mark.parametrize("sweep_first", [True, False])
def test_a_draft_sent_and_paid_while_nobody_looked_is_found_after_the_start(
    address: str, sweep_first: bool
) -> None:
    async def scene(w: World) -> None:
        order = await w.make_order(await w.make_customer(), await w.make_product())
        await snapshots(w)
        await w.send(order)
        await book(w, order, "balance", balance=0)
        await all_loops(again(w), sweep_first=sweep_first)
        assert [standing(event) for event in w.publisher.taken()] == [(order, True, False, "0")]

    play(address, scene)


@pytest.mark.parametrize("restarted", [True, False])
@pytest.mark.parametrize("moves", [True, False])
def test_a_reversal_is_found(address: str, moves: bool, restarted: bool) -> None:
    async def scene(w: World) -> None:
        await w.settings(reversal_moves_balance=moves)
        order = await sent_order(w)
        await w.source.sweep()
        await book(w, order, "reverse")
        if not moves:
            # Long ago: no poll reaches back to it.
            w.publisher.cursors["invoice"] = dict.fromkeys(
                ("watermark", "booked"), "2999-01-01T00:00:00.0000000Z"
            )
        source = again(w) if restarted else w.source
        await all_loops(source, sweep_first=False)
        assert [standing(event) for event in w.publisher.taken()] == [
            (order, False, True, "0" if moves else "500")
        ]
        await w.counts()
        await all_loops(again(w), sweep_first=True)
        assert w.publisher.taken() == []

    play(address, scene)


def test_a_cursor_of_an_earlier_release_is_read_on_from(address: str) -> None:
    async def scene(w: World) -> None:
        order = await sent_order(w)
        del w.publisher.cursors["invoice"]["booked"]
        await book(w, order, "balance", balance=0)
        await again(w).orders.invoice_step()
        assert [standing(event) for event in w.publisher.taken()] == [(order, True, False, "0")]
        assert (
            w.publisher.cursors["invoice"]["booked"] > w.publisher.cursors["invoice"]["watermark"]
        )

    play(address, scene)


@pytest.mark.parametrize("named", [True, False])
def test_a_credit_note_is_followed_from_draft_to_document(address: str, named: bool) -> None:
    async def scene(w: World) -> None:
        await w.settings(credit_names_invoice=named)
        order = await sent_order(w)
        number = (
            str((await w.person.get(f"/OutgoingInvoices/{order}"))["InvoiceNo"]) if named else None
        )
        note = (await book(w, order, "credit", percent=50))["Id"]
        await w.source.orders.step()
        [event] = w.publisher.taken()
        data = event.data or {}
        assert (event.id, event.problem, data["status"], data["credit_of"]) == (
            note,
            None,
            "draft",
            number,
        )
        assert (data["total"], data["net"], data["tax"], data["lines"][0]["quantity"]) == (
            "-250",
            "-200",
            "-50",
            "-1",
        )
        await w.send(note)
        await w.source.orders.invoice_step()
        events = {event.id: event.data or {} for event in w.publisher.taken()}
        assert (events[note]["status"], events[note]["credit_of"], events[note]["total"]) == (
            "sent",
            number,
            "-250",
        )
        assert events[order]["invoice"]["balance"] == "250"
        for source in (w.source, again(w)):
            await all_loops(source, sweep_first=True)
        assert w.publisher.taken() == []

    play(address, scene)


def test_a_dropped_draft_of_a_credit_note_is_gone_and_its_invoice_stays(address: str) -> None:
    async def scene(w: World) -> None:
        order = await sent_order(w)
        note = (await book(w, order, "credit"))["Id"]
        await w.source.orders.step()
        assert [event.id for event in w.publisher.taken()] == [note]
        await w.delete(f"/SalesOrders/{note}")
        await w.source.sweep()
        assert [(event.id, event.deleted) for event in w.publisher.taken()] == [(note, True)]

    play(address, scene)


def test_a_credit_note_of_an_order_from_before_the_start_is_harmless(address: str) -> None:
    async def scene(w: World) -> None:
        old = await sent_order(w, SalesOrderDate="2025-12-31")
        note = (await book(w, old, "credit", send=True))["Id"]
        for source in (w.source, again(w)):
            await all_loops(source, sweep_first=True)
        assert {event.id for event in w.publisher.taken()} == {note}
        assert old not in w.publisher.held["order"]

    play(address, scene)


@pytest.mark.parametrize("is_sent", [True, False])
def test_a_start_that_is_moved_back_brings_what_lies_between(address: str, is_sent: bool) -> None:
    async def scene(w: World) -> None:
        order = await w.make_order(
            await w.make_customer(), await w.make_product(), SalesOrderDate="2025-12-31"
        )
        if is_sent:
            await w.send(order)
        await snapshots(w)
        await w.source.orders.invoice_step()
        assert order not in w.publisher.held.get("order", {})
        for name, marks in (("order", ("watermark",)), ("invoice", ("watermark", "booked"))):
            # Long ago: no poll reaches back to it.
            w.publisher.cursors[name] |= dict.fromkeys(marks, "2999-01-01T00:00:00.0000000Z")
        start = w.tenant.start.model_copy(update={"orders": date(2025, 12, 1)})
        w.tenant = w.tenant.model_copy(update={"start": start})
        for ids in ([order], []):
            moved = again(w)
            await moved.orders.step()
            await moved.orders.invoice_step()
            assert [each.id for each in w.publisher.taken() if each.entity == "order"] == ids
        assert w.publisher.cursors["order"]["start"] == "2025-12-01"

    play(address, scene)


def test_what_was_sent_before_a_start_that_was_moved_on_is_asked_for_once(address: str) -> None:
    """The listing of a sweep begins at the start, and an invoice cannot disappear."""

    async def scene(w: World) -> None:
        sent = await sent_order(w)
        drafted = await w.make_order(await w.make_customer(), await w.make_product(code="x"))
        await w.source.orders.step()
        assert [event.id for event in w.publisher.taken()] == [drafted]
        start = w.tenant.start.model_copy(update={"orders": date(2999, 1, 1)})
        w.tenant = w.tenant.model_copy(update={"start": start})
        moved = again(w)
        asked = []
        for _ in range(3):
            await w.counts()
            await moved.sweep()
            asked.append((await w.counts()).get("GET /OutgoingInvoices/{id}", 0))
        assert asked == [1, 0, 0]
        assert [each.id for each in w.publisher.taken() if each.entity == "order"] == []
        assert {sent, drafted} <= w.publisher.held["order"].keys()

    play(address, scene)


def test_an_invoice_that_was_imported_into_go_is_no_sale_of_an_order(address: str) -> None:
    async def scene(w: World) -> None:
        order = await w.make_order(await w.make_customer(), await w.make_product())
        await w.send(order)
        blank = {"SentDateTimeOffset": None}
        (await w.control.post(f"/_sim/records/invoice/{order}", json=blank)).raise_for_status()
        await snapshots(w)
        await book(w, order, "balance", balance=0)
        await w.source.orders.invoice_step()
        await w.source.sweep()
        assert w.publisher.taken() == []

    play(address, scene)


# -- what Go showed of an order's lines when we wrote to it


async def net_of(w: World) -> str | None:
    await w.source.orders.step()
    events = w.publisher.taken()
    return (events[-1].data or {})["net"] if events else None


async def quantity(w: World, order: str, value: int) -> None:
    """A person's edit of the line, which moves the order's amounts and not its time."""
    path = f"/SalesOrders/{order}/Lines"
    rows = await w.person.get(path, params={"OrderBy": "SortOrder"})
    await w.edit(f"{path}/{rows[-1]['Id']}", Quantity=value)


@pytest.mark.calm
def test_an_edit_of_a_line_between_our_write_and_the_next_poll_is_seen(address: str) -> None:
    async def scene(w: World) -> None:
        await w.settings(line_change_bumps_order=False)
        made = await draft(w)
        assert (made.data or {})["net"] == "90"
        await quantity(w, str(made.id), 6)
        assert await net_of(w) == "540"

    play(address, scene)


@pytest.mark.calm
def test_an_edit_of_a_line_just_before_our_write_of_the_header_is_seen(address: str) -> None:
    """The answer to the header's change holds no lines."""

    async def scene(w: World) -> None:
        await w.settings(line_change_bumps_order=False)
        made = await draft(w)
        orders = w.sink._writers["order"]
        patch = orders.patch

        async def after_an_edit(held: Any, operations: Any, priority: int) -> Any:
            await quantity(w, str(made.id), 6)
            return await patch(held, operations, priority)

        orders.patch = after_an_edit  # type: ignore[method-assign]
        fields = {"purchase_order": "PO 9"}
        known = {"purchase_order": (made.data or {})["purchase_order"]}
        done = await w.apply("order", "update", target_id=made.id, fields=fields, expected=known)
        read = await w.apply("order", "verify", target_id=made.id)
        assert done.data == read.data
        assert [each["quantity"] for each in (done.data or {})["lines"]] == ["6"]
        assert await net_of(w) == "540"

    play(address, scene)
