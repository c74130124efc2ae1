"""What the sink does with a field that Go cannot take, with a twin that no poll has shown, and with
old commands."""

from typing import Any

import msgspec
import pytest

from contracts.entities import Address, Customer, wire
from contracts.messages import Outcome
from runtime.rate_limiter import LIVE
from runtime.vendor import Refused, Retriable
from services.poweroffice_adapter import feed, mapping, outcomes, writer
from services.poweroffice_adapter.customer import canonical
from services.poweroffice_adapter.observations import Observations
from services.poweroffice_adapter.order import sink as order_sink
from services.poweroffice_adapter.sink import Sink
from services.poweroffice_adapter.source import Source
from tests.contract.test_poweroffice_adapter import (
    BAKERY,
    BASIS,
    World,
    address,
    order_fields,
    play,
    snapshots,
)

__all__ = ["address"]

LONG_EMAIL = "a" * 250 + "@b.no"
TWIN = {
    "Name": "Samtidig AS",
    "IsPerson": False,
    "EmailAddress": "post@samtidig.example",
    "OrganizationNumber": "923609016",
}
SAM = wire(
    Customer(
        kind="company",
        company="Samtidig AS",
        email="post@samtidig.example",
        organisation_number="923609016",
        address=Address(line1="V 1", city="Moss", zip="1530", country="NO"),
    )
)


def facts(outcome: Outcome) -> tuple[str, bool, int]:
    """Result, whether anything was written, and with how many requests."""
    return outcome.result, outcome.wrote, outcome.calls


# -- a field that Go cannot take


def test_a_long_field_is_held_back_alone(address: str) -> None:
    async def scene(w: World) -> None:
        made = await w.apply("customer", "create", fields=wire(BAKERY), stamp="cb-1")
        fields = {"email": LONG_EMAIL, "phone": "99999999"}
        changed = await w.apply("customer", "update", target_id=made.id, fields=fields, expected={})
        assert facts(changed) == ("applied", True, 2)
        assert list(changed.skipped) == ["email"]
        assert "255 characters" in changed.skipped["email"]
        assert ((changed.data or {})["phone"], (changed.data or {})["email"]) == (
            "99999999",
            BAKERY.email,
        )
        again = await w.apply("customer", "update", target_id=made.id, fields=fields, expected={})
        assert facts(again) == ("applied", False, 1)
        assert again.skipped == changed.skipped

    play(address, scene)


def test_a_record_is_created_without_a_field_that_is_too_long(address: str) -> None:
    async def scene(w: World) -> None:
        fields = wire(BAKERY) | {"email": LONG_EMAIL}
        made = await w.apply("customer", "create", fields=fields, stamp="cb-1")
        assert facts(made) == ("applied", True, 1)
        assert (list(made.skipped), (made.data or {})["email"]) == (["email"], None)
        euro = wire(BASIS) | {"price": {"amount": "19", "currency": "EUR"}, "unit": "kasse"}
        product = await w.apply("product", "create", fields=euro, stamp="cb-basis")
        assert set(product.skipped) == {"price", "unit"}
        assert ((product.data or {})["price"], (product.data or {})["unit"]) == (None, None)

    play(address, scene)


@pytest.mark.parametrize("guard", ["test", "read"])
def test_the_field_that_go_refuses_is_held_back_and_the_rest_is_written(
    address: str, guard: str
) -> None:
    async def scene(w: World) -> None:
        w.sink.means.tests = guard == "test"
        made = await w.apply("customer", "create", fields=wire(BAKERY), stamp="cb-1")
        await w.settings(text_lengths={"PhoneNumber": 20})
        fields = {"email": "ny@fjordvik.no", "phone": "22 33 44 55 (kun etter klokken tolv)"}
        expected = {"email": BAKERY.email, "phone": BAKERY.phone}
        await w.counts()
        changed = await w.apply(
            "customer", "update", target_id=made.id, fields=fields, expected=expected
        )
        # With `test` the first patch goes out on what was read before.
        patches = {"test": 3, "read": 2}[guard]
        assert await w.counts() == {"GET /Customers/{id}": 4, "PATCH /Customers/{id}": patches}
        assert (changed.result, changed.wrote, list(changed.skipped)) == (
            "applied",
            True,
            ["phone"],
        )
        assert "maximum length of 20" in changed.skipped["phone"]
        assert (changed.data or {})["email"] == "ny@fjordvik.no"
        alone = {"phone": fields["phone"]}
        nothing = await w.apply("customer", "update", target_id=made.id, fields=alone, expected={})
        assert (nothing.result, nothing.wrote, list(nothing.skipped)) == (
            "applied",
            False,
            ["phone"],
        )

    play(address, scene)


def test_what_go_showed_last_saves_the_read_and_hides_no_edit(address: str) -> None:
    """The patch tests what a list or an answer showed. An edit of the same field since then is
    found by its refusal, one of another field comes back with the answer."""

    async def scene(w: World) -> None:
        id = await w.make_customer(PhoneNumber="22 33 44 55")
        await w.source.step("customer")

        async def update(phone: str, expected: str) -> Outcome:
            return await w.apply(
                "customer",
                "update",
                target_id=id,
                fields={"phone": phone},
                expected={"phone": expected},
            )

        first = await update("1", "22 33 44 55")
        assert facts(first) == ("applied", True, 1)
        assert facts(await update("2", "1")) == ("applied", True, 1)
        await w.edit(f"/Customers/{id}", EmailAddress="annen@fjordvik.no")
        beside = await update("3", "2")
        assert (facts(beside), (beside.data or {})["email"]) == (
            ("applied", True, 1),
            "annen@fjordvik.no",
        )
        await w.edit(f"/Customers/{id}", PhoneNumber="99 99 99 99")
        stale = await update("4", "3")
        assert (facts(stale), (stale.data or {})["phone"]) == (("stale", False, 2), "99 99 99 99")

    play(address, scene)


def test_a_stamp_is_one_call_and_replaces_nobodys_reference(address: str) -> None:
    """The patch tests that the reference is empty; one that somebody filled in since is read."""

    async def scene(w: World) -> None:
        ids = [await w.make_customer() for _ in range(2)]
        await w.source.step("customer")
        stamped = await w.apply("customer", "stamp", target_id=ids[0], stamp="cb-1")
        assert facts(stamped) == ("applied", True, 1)
        await w.edit(f"/Customers/{ids[1]}", ExternalImportReference="theirs")
        with pytest.raises(Refused, match="not ours to replace"):
            await w.apply("customer", "stamp", target_id=ids[1], stamp="cb-2")
        assert facts(await w.apply("customer", "stamp", target_id=ids[0])) == ("applied", True, 1)

    play(address, scene)


def test_a_record_is_created_without_the_field_that_go_refuses(address: str) -> None:
    async def scene(w: World) -> None:
        await w.settings(text_lengths={"PurchaseOrderReference": 20})
        kosovo = {
            "line1": "Rr 1",
            "line2": None,
            "city": "Prishtina",
            "zip": "10000",
            "country": "XK",
        }
        made = await w.apply(
            "customer", "create", fields=wire(BAKERY) | {"address": kosovo}, stamp="cb-1"
        )
        assert (made.result, list(made.skipped), (made.data or {})["address"]) == (
            "applied",
            ["address"],
            None,
        )
        wrong = await w.apply(
            "customer", "create", fields=SAM | {"email": "post@samtidig"}, stamp="cb-2"
        )
        assert (wrong.result, list(wrong.skipped)) == ("applied", ["email"])
        raw = await w.person.get(f"/Customers/{wrong.id}")
        assert (raw["EmailAddress"], raw["InvoiceDeliveryType"]) == (None, "Print")
        order = order_fields(made.id or "", await w.make_product(), purchase_order="x" * 21)
        placed = await w.apply("order", "create", fields=order, stamp="cb-o1")
        assert (placed.result, list(placed.skipped)) == ("applied", ["purchase_order"])

    play(address, scene)


def test_what_a_record_needs_is_refused_whole(address: str) -> None:
    """A name, and money: Go would take its own currency instead."""

    async def scene(w: World) -> None:
        for fields in (wire(BAKERY) | {"company": None}, wire(BAKERY) | {"currency": "XYZ"}):
            with pytest.raises(Refused) as error:
                await w.apply("customer", "create", fields=fields, stamp="cb-1")
            assert error.value.field in ("company", "currency")
        with pytest.raises(Refused) as error:
            await w.apply("product", "create", fields=wire(BASIS) | {"name": "n" * 401})
        assert (error.value.code, error.value.field) == ("too_long", "name")
        assert await w.person.get("/Customers") is None

    play(address, scene)


# -- twins


async def create(w: World, fields: dict[str, Any], stamp: str = "cb-sam-1", **more: Any) -> Outcome:
    return await w.apply(
        "customer", "create", fields=fields, stamp=stamp, look_for_twins=True, **more
    )


@pytest.mark.parametrize("empty", [True, False])
def test_a_company_entered_in_go_between_two_polls_is_met(address: str, empty: bool) -> None:
    async def scene(w: World) -> None:
        if not empty:
            await w.make_customer()
        await snapshots(w)
        twin = str((await w.person.post("/Customers", TWIN, priority=LIVE))["Id"])
        await w.counts()
        for _ in range(2):
            met = await create(w, SAM)
            assert facts(met) == ("stale", False, 1)
            assert (met.twins, met.id, met.data) == ((twin,), None, None)
        assert await w.counts() == {"GET /Customers": 2}
        renamed = await create(w, SAM | {"organisation_number": None, "company": "samtidig  as"})
        assert renamed.twins == (twin,)
        other = await create(
            w, SAM | {"organisation_number": None, "company": "Noe annet AS"}, "cb-other"
        )
        assert facts(other) == ("applied", True, 2)

    play(address, scene)


def test_what_polls_have_shown_long_ago_is_not_listed_again(address: str) -> None:
    async def scene(w: World) -> None:
        await w.person.post("/Customers", TWIN, priority=LIVE)
        await snapshots(w)
        w.publisher.cursors["customer"]["watermark"] = "2999-01-01T00:00:00.0000000Z"
        made = await create(w, SAM)
        assert facts(made) == ("applied", True, 2)

    play(address, scene)


def test_our_own_record_is_adopted_and_our_pairs_are_no_twins(address: str) -> None:
    async def scene(w: World) -> None:
        await snapshots(w)
        made = await create(w, SAM)
        assert facts(made) == ("applied", True, 2)
        second = await create(w, SAM, "cb-sam-2")
        assert facts(second) == ("applied", True, 2)
        fresh = Sink(
            "demo",
            w.tenant,
            w.client,
            Observations(1000),
            clock=w.sink.means.clock,
            unread_since=w.source.reached_back,
        )
        command = w.command("customer", "create", fields=SAM, stamp="cb-sam-1", look_for_twins=True)
        adopted = await fresh.apply(command)
        assert (adopted.result, adopted.id, adopted.twins) == ("adopted", made.id, ())

    play(address, scene)


def test_a_product_is_met_by_code_or_name(address: str) -> None:
    async def scene(w: World) -> None:
        await snapshots(w)
        ids = []
        for code, name in (("basis", "Noe annet"), ("x", " basis, stor")):
            body = {"Code": code, "Name": name, "ProductGroupCode": "abonnement"}
            ids.append(str((await w.person.post("/Products", body, priority=LIVE))["Id"]))
        await w.client.get("/ProductGroups")
        fields = wire(BASIS) | {"name": "Basis, stor"}
        met = await w.apply("product", "create", fields=fields, look_for_twins=True)
        assert (met.result, met.wrote, met.twins) == ("stale", False, tuple(ids))
        made = await w.apply(
            "product",
            "create",
            fields=wire(BASIS) | {"code": "ny", "name": "Ny"},
            look_for_twins=True,
        )
        again = await w.apply(
            "product",
            "create",
            fields=wire(BASIS) | {"code": "ny2", "name": "Ny"},
            look_for_twins=True,
        )
        assert (made.result, again.result) == ("applied", "applied")

    play(address, scene)


def test_without_the_wish_nobody_looks(address: str) -> None:
    async def scene(w: World) -> None:
        await w.person.post("/Customers", TWIN, priority=LIVE)
        made = await w.apply("customer", "create", fields=SAM, stamp="cb-sam-1")
        assert facts(made) == ("applied", True, 1)
        nameless = wire(Customer(kind="company", company="Samtidig AS"))
        assert facts(await create(w, nameless, "cb-sam-2")) == ("applied", True, 1)

    play(address, scene)


# -- what was written


def test_an_outcome_says_whether_anything_was_written(address: str) -> None:
    async def scene(w: World) -> None:
        made = await w.apply("customer", "create", fields=wire(BAKERY), stamp="cb-1")
        held = {
            "target_id": made.id,
            "fields": {"phone": BAKERY.phone},
            "expected": {"phone": BAKERY.phone},
        }
        assert facts(await w.apply("customer", "update", **held)) == ("applied", False, 1)
        edited = held | {"fields": {"phone": "1"}, "expected": {"phone": "2"}}
        assert facts(await w.apply("customer", "update", **edited)) == ("stale", False, 1)
        assert facts(await w.apply("customer", "verify", target_id=made.id)) == (
            "applied",
            False,
            1,
        )
        assert facts(await w.apply("customer", "stamp", target_id=made.id, stamp="cb-1")) == (
            "applied",
            False,
            1,
        )
        order = await w.apply(
            "order",
            "create",
            stamp="cb-o1",
            fields=order_fields(made.id or "", await w.make_product()),
        )
        removal = {"target_id": order.id, "expected": {"status": "draft"}}
        assert facts(await w.apply("order", "delete", **removal)) == ("applied", True, 2)
        again = await w.apply("order", "delete", **removal)
        assert (again.result, again.wrote, again.deleted) == ("applied", False, True)

    play(address, scene)


# -- a newer mapping


def new_mapping(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next release, which reads phone numbers otherwise."""
    party = canonical._party

    def read(*args: Any) -> Any:
        made = party(*args)
        return (
            msgspec.structs.replace(made, phone=f"+47 {made.phone}")
            if isinstance(made, Customer)
            else made
        )

    monkeypatch.setattr(canonical, "_party", read)
    for module in (mapping, feed, writer, order_sink, outcomes):
        monkeypatch.setattr(
            module, "MAPPING", mapping.MAPPING + 1 if module is mapping else mapping.MAPPING
        )


def test_a_command_of_an_older_mapping_is_stale_and_writes_nothing(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(w: World) -> None:
        made = await w.apply("customer", "create", fields=wire(BAKERY), stamp="cb-1")
        order = await w.apply(
            "order",
            "create",
            stamp="cb-o1",
            fields=order_fields(made.id or "", await w.make_product()),
        )
        new_mapping(monkeypatch)
        update = {
            "target_id": made.id,
            "fields": {"email": "ny@fjordvik.no"},
            "expected": {"email": BAKERY.email},
        }
        stale = await w.apply("customer", "update", **update, mapping=1)
        assert facts(stale) == ("stale", False, 1)
        assert (stale.mapping, (stale.data or {})["phone"]) == (mapping.MAPPING, "+47 22334455")
        assert facts(await w.apply("customer", "update", **update, mapping=mapping.MAPPING)) == (
            "applied",
            True,
            1,
        )
        here = (order.data or {})["lines"]
        lines: dict[str, Any] = {
            "target_id": order.id,
            "fields": {"lines": []},
            "expected": {"lines": here},
        }
        assert (await w.apply("order", "update", **lines, mapping=1)).result == "stale"
        removal = {"target_id": order.id, "expected": {"status": "draft"}}
        assert (await w.apply("order", "delete", **removal, mapping=1)).result == "stale"
        assert (await w.apply("order", "delete", **removal, mapping=mapping.MAPPING)).deleted

    play(address, scene)


def test_after_an_upgrade_each_record_is_published_once(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the next sweep: customers and products from their lists, orders and invoices one by
    one."""

    async def scene(w: World) -> None:
        customers = [
            await w.make_customer(Name=f"Firma {number} AS", PhoneNumber=f"{number}")
            for number in range(3)
        ]
        products = [await w.make_product(code) for code in ("a", "b")]
        orders = [await w.make_order(customers[0], products[0]) for _ in range(2)]
        await w.send(orders[1])
        await snapshots(w)
        new_mapping(monkeypatch)

        async def no_pause() -> None:
            raise AssertionError("a change of the mapping needs no second reading")

        again = Source(
            "demo", w.tenant, w.client, w.publisher, Observations(1000), clock=w.source._clock
        )
        monkeypatch.setattr(again.feed, "pause", no_pause)
        await w.counts()
        await again.sweep()
        events = w.publisher.taken()
        assert sorted(event.id for event in events) == sorted([*customers, *products, *orders])
        assert {event.mapping for event in events} == {mapping.MAPPING}
        counts = await w.counts()
        assert counts == {
            "GET /Customers": 1,
            "GET /Products": 1,
            "GET /ProductGroups": 1,
            "GET /SalesOrders": 1,
            "GET /OutgoingInvoices": 1,
            "GET /SalesOrders/{id}/Complete": 1,
            "GET /OutgoingInvoices/{id}/Lines": 1,
        }
        for step in (
            again.sweep,
            lambda: again.step("customer"),
            lambda: again.step("product"),
            again.orders.step,
            again.orders.invoice_step,
        ):
            await step()
        assert w.publisher.taken() == []
        assert set(await w.counts()) <= {
            "GET /Customers",
            "GET /Products",
            "GET /ProductGroups",
            "GET /SalesOrders",
            "GET /OutgoingInvoices",
        }

    play(address, scene)


# -- a pause between read and write


def test_a_sink_that_slept_between_read_and_write_reads_again(address: str) -> None:
    async def scene(w: World) -> None:
        made = await w.apply("customer", "create", fields=wire(BAKERY), stamp="cb-1")
        order = await w.apply(
            "order",
            "create",
            stamp="cb-o1",
            fields=order_fields(made.id or "", await w.make_product()),
        )
        commands: list[tuple[Any, str, dict[str, Any]]] = [
            (
                "customer",
                "update",
                {"target_id": made.id, "fields": {"phone": "1"}, "expected": {}},
            ),
            ("order", "update", {"target_id": order.id, "fields": {"lines": []}, "expected": {}}),
            ("order", "delete", {"target_id": order.id, "expected": {"status": "draft"}}),
        ]
        w.sink.means.tests = False
        for entity, op, more in commands:
            naps = iter([0.0, 2.1, 2.1, 2.2])
            w.sink.means.seconds = naps.__next__
            calls = (await w.apply(entity, op, **more)).calls
            usual = {"customer": 2, "order": 2 if op == "delete" else 3}[entity]
            assert calls == usual + 1
        always = iter(range(0, 1000, 3))
        w.sink.means.seconds = lambda: float(next(always))
        with pytest.raises(Retriable, match="between read and write"):
            await w.apply(
                "customer", "update", target_id=made.id, fields={"phone": "2"}, expected={}
            )
        w.sink.means.tests = True
        slept = await w.apply(
            "customer", "update", target_id=made.id, fields={"phone": "2"}, expected={}
        )
        assert facts(slept) == ("applied", True, 1)

    play(address, scene)


def test_a_write_takes_the_token_of_its_read(address: str) -> None:
    """Also where a renewal falls due in between: it would wait for its turn, and the read would
    guard nothing."""

    async def scene(w: World) -> None:
        now_s = [0.0]
        w.client._auth._clock = lambda: now_s[0]
        id = await w.make_customer()
        await w.client.get(f"/Customers/{id}")
        first = w.client._auth._token
        now_s[0] = w.client._auth._renew_at + 29
        change = [{"op": "replace", "path": "/PhoneNumber", "value": "1"}]
        async with w.client._auth._lock:
            await w.client.patch(f"/Customers/{id}", change, priority=LIVE)
        assert w.client._auth._token == first
        await w.client.get(f"/Customers/{id}")
        renewed = w.client._auth._token
        assert renewed != first
        now_s[0] = w.client._auth._renew_at + 31
        await w.client.patch(f"/Customers/{id}", change, priority=LIVE)
        assert w.client._auth._token != renewed

    play(address, scene)
