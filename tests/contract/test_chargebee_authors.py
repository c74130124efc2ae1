"""Who made what was observed, and versions beyond the clock: by webhook and by the events API of
the simulator."""

from typing import Any

import msgspec
import pytest

from contracts.messages import Author
from services.chargebee_adapter import events
from services.chargebee_adapter.mapping import observed
from services.chargebee_adapter.reader import customer_of
from tests.contract.test_chargebee_adapter import (
    PERSON,
    PRODUCT,
    World,
    address,
    run,
    running,
    until,
    world,
)

__all__ = ["address"]

OURS, THEIRS = "tandem", "person"  # names of the simulator's keys


async def all_of(here: World, subject: str) -> list[dict[str, Any]]:
    """The events about a kind of record, as the vendor wrote them."""
    listed = await here.client.all("event", "/events", {"sort_by[asc]": "occurred_at"})
    return [event for event in listed if subject in event["content"]]


async def newest(here: World, subject: str) -> dict[str, Any]:
    return (await all_of(here, subject))[-1]


async def told(here: World, event: dict[str, Any]) -> None:
    # Without an id, so that the same event may come again.
    await here.source.webhook(msgspec.json.encode({**event, "id": ""}))


def author(here: World, entity: str, record_id: str) -> Author | None:
    event = here.publisher.last(entity, record_id)
    assert event is not None
    return event.made_by


def test_the_name_of_our_key_is_learned_from_our_own_write(address: str) -> None:
    async def scenario() -> None:
        async with world(address) as here:
            # Nobody has written yet, so any key may be ours.
            await here.act("/customers", id="c1", company="A")
            await told(here, await newest(here, "customer"))
            assert author(here, "customer", "c1") is None
            assert here.publisher.cursor("demo", "chargebee", "key") is None
            await here.apply("customer", "update", target_id="c1", fields={"phone": "2"})
            event = await newest(here, "customer")
            assert (event["source"], event["user"]) == ("api", OURS)
            await told(here, event)
            assert author(here, "customer", "c1") == "tandem"
            assert here.publisher.cursor("demo", "chargebee", "key") == {"names": [OURS]}
            await here.act("/customers/c1", phone="3")
            event = await newest(here, "customer")
            assert (event["source"], event["user"]) == ("api", THEIRS)
            await told(here, event)
            assert author(here, "customer", "c1") == "others"

    run(scenario())


def test_an_event_that_comes_before_the_reply_teaches_too(address: str) -> None:
    async def scenario() -> None:
        async with world(address) as here:
            answer = await here.person.post(
                f"{address}/api/v2/customers", data={"id": "c1", "company": "A"}, auth=("key", "")
            )
            customer = answer.json()["customer"]
            await told(here, await newest(here, "customer"))
            assert author(here, "customer", "c1") is None
            here.source._authors.note_write("customer", customer)
            await here.apply("customer", "update", target_id="c1", fields={"phone": "2"})
            await told(here, await newest(here, "customer"))
            assert author(here, "customer", "c1") == "tandem"

    run(scenario())


def test_a_person_in_the_console_is_somebody_else_at_once(address: str) -> None:
    async def scenario() -> None:
        async with world(address) as here:
            customer = await here.act("/customers", id="c1", company="A")
            event = {
                "event_type": "customer_created",
                "occurred_at": 1,
                "content": {"customer": customer},
            }
            for source, user, expected in (
                ("admin_console", "kari@eksempel.no", "others"),
                ("js_api", OURS, "others"),
                ("portal", None, "others"),
                ("scheduled_job", None, "others"),
                ("none", None, None),
                (None, None, None),
            ):
                customer["resource_version"] += 1
                await told(here, {**event, "source": source, "user": user})
                assert author(here, "customer", "c1") == expected

    run(scenario())


def test_the_name_outlives_a_restart_and_a_new_key(address: str) -> None:
    async def scenario() -> None:
        async with world(address) as here:
            here.publisher.cursors["key"] = {"names": ["an earlier name"]}
            customer = await here.act("/customers", id="c1", company="A")
            event = {
                "event_type": "customer_created",
                "occurred_at": 1,
                "content": {"customer": customer},
            }
            await told(here, {**event, "source": "api", "user": "an earlier name"})
            assert author(here, "customer", "c1") == "tandem"
            await here.apply("customer", "update", target_id="c1", fields={"phone": "2"})
            await told(here, await newest(here, "customer"))
            assert author(here, "customer", "c1") == "tandem"
            assert here.publisher.cursors["key"] == {"names": ["an earlier name", OURS]}

    run(scenario())


def test_the_events_api_tells_it_of_every_entity(address: str) -> None:
    async def scenario() -> None:
        async with world(address) as here, running(here.source):
            await until(lambda: len(here.publisher.completed) == 3)
            await here.apply("customer", "create", stamp="go-17", fields=PERSON)
            await here.apply("product", "create", stamp="go-9", fields=PRODUCT)
            await until(lambda: _made(here, "customer", "go-17") == "tandem")
            await until(lambda: here.publisher.last("product", "go-9") is not None)
            # None where the source read it between the requests for the item and for its price.
            assert _made(here, "product", "go-9") in ("tandem", None)
            await here.act("/items/go-9", external_name="Brett")
            await until(lambda: _made(here, "product", "go-9") == "others")
            lines = {"item_prices__item_price_id__0": "go-9-NOK"}
            await here.act("/items/go-9", is_shippable="true")
            invoice = await here.act(
                "/invoices/create_for_charge_items_and_charges",
                customer_id="go-17",
                currency_code="NOK",
                **lines,
            )
            await here.act(
                f"/invoices/{invoice['id']}/record_payment", transaction__payment_method="cash"
            )
            await until(lambda: _made(here, "order", "1") == "others")

    run(scenario())


def _made(here: World, entity: str, record_id: str) -> Author | None:
    event = here.publisher.last(entity, record_id)
    return event.made_by if event is not None else None


def test_a_product_that_moved_on_is_not_by_the_author_of_the_event(address: str) -> None:
    async def scenario() -> None:
        async with world(address) as here:
            await here.apply("product", "create", stamp="go-9", fields=PRODUCT)
            item = await newest(here, "item")
            await told(here, item)
            # The price was written after the item, so what is read is not of the item's version.
            assert author(here, "product", "go-9") is None
            await here.apply("product", "update", target_id="go-9", fields={"name": "Ny"})
            await told(here, await newest(here, "item"))
            assert author(here, "product", "go-9") == "tandem"

    run(scenario())


def test_what_a_write_of_ours_covered_of_a_product_is_told_before_what_stands(address: str) -> None:
    """Between the sink's read and its write somebody edits: the event comes when ours stands
    already, and the newest is published last, whoever has read it before."""

    async def scenario() -> None:
        async with world(address) as here:
            await here.apply("product", "create", stamp="go-9", fields=PRODUCT)
            await told(here, await newest(here, "item_price"))
            held = await here.get("/item_prices/go-9-NOK")
            await here.act("/item_prices/go-9-NOK", price="123400")
            theirs = await newest(here, "item_price")
            ours = {"amount": "4500", "currency": "NOK"}
            await here.apply("product", "update", target_id="go-9", fields={"price": ours})
            echo = await newest(here, "item_price")
            first = len(here.publisher.events)
            await told(here, echo)
            await told(here, theirs)
            await told(here, theirs)
            shown = here.publisher.events[first:]
            assert [each.data and each.data["price"]["amount"] for each in shown] == [
                "4500",
                *["1234", "4500"] * 2,
            ]
            versions = [each.version for each in shown]
            assert versions[0] == versions[2] > versions[1] > f"{held['resource_version']}"
            assert [each.made_by for each in shown] == ["tandem", *["others", None] * 2]

    run(scenario())


def test_of_several_edits_only_the_last_may_have_been_covered(address: str) -> None:
    """After an outage they come together, and each would become a command of its own."""

    async def scenario() -> None:
        async with world(address) as here:
            await here.apply("product", "create", stamp="go-9", fields=PRODUCT)
            await told(here, await newest(here, "item"))
            for name in ("A", "B"):
                await here.act("/items/go-9", external_name=name)
            theirs = [e for e in await all_of(here, "item") if e["user"] == THEIRS]
            first = len(here.publisher.events)
            await here.source._publish([event for e in theirs if (event := events.of(e))])
            await here.apply("product", "update", target_id="go-9", fields={"name": "C"})
            ours = await newest(here, "item")
            await here.source._publish([event for e in (*theirs, ours) if (event := events.of(e))])
            shown = here.publisher.events[first:]
            # As it was read; what of it may have been covered; what stands.
            assert [each.data and each.data["name"] for each in shown] == ["B", "B", "C"]

    run(scenario())


def test_what_an_event_tells_late_never_seems_newer_than_the_next_edit_of_the_same(
    address: str,
) -> None:
    """Nor where the other half has moved since: the linker would take the older price for an
    edit."""

    async def scenario() -> None:
        async with world(address) as here:
            await here.apply("product", "create", stamp="go-9", fields=PRODUCT)
            await told(here, await newest(here, "item_price"))
            await here.act("/item_prices/go-9-NOK", price="100")
            late = await newest(here, "item_price")
            await here.act("/item_prices/go-9-NOK", price="200")
            await told(here, await newest(here, "item_price"))
            known = here.publisher.events[-1]
            await here.act("/items/go-9", external_name="Nytt navn")
            here.source._catalogue.forget()  # as after a start: the product is read for any event
            await told(here, late)
            before, stands = here.publisher.events[-2:]
            amounts = [e.data and e.data["price"]["amount"] for e in (known, before, stands)]
            assert amounts == ["2", "1", "2"]
            assert before.version < known.version < stands.version

    run(scenario())


def test_an_edit_that_another_follows_much_later_was_covered_by_nobody(address: str) -> None:
    async def scenario() -> None:
        async with world(address) as here:
            await here.apply("product", "create", stamp="go-9", fields=PRODUCT)
            await told(here, await newest(here, "item"))
            event = await newest(here, "item")
            version = event["content"]["item"]["resource_version"]
            first = len(here.publisher.events)
            for ago_ms in (600_000, 600_001):
                event["content"]["item"] |= {
                    "resource_version": version - ago_ms,
                    "external_name": "Gammel",
                }
                await told(here, {**event, "source": "admin_console", "user": "kari@eksempel.no"})
            shown = here.publisher.events[first:]
            assert [each.data and each.data["name"] for each in shown] == [
                "Gammel",
                PRODUCT["name"],
            ]

    run(scenario())


# --- what comes late, and what moves no version
# ------------------------------------------------------------------------------


def test_what_stands_is_published_after_an_event_that_comes_late(address: str) -> None:
    """Compaction keeps what was sent last of a key, and a replay would bring the older phone
    back."""

    async def scenario() -> None:
        async with world(address) as here:
            await here.act("/customers", id="c1", company="A", phone="1")
            late = await newest(here, "customer")
            await here.act("/customers/c1", phone="2")
            await told(here, await newest(here, "customer"))
            await told(here, late)
            phones = [event.data and event.data["phone"] for event in here.publisher.events]
            assert phones == ["2", "1", "2"]

    run(scenario())


def test_of_two_events_of_one_page_the_newer_state_is_published_last(address: str) -> None:
    """Events of one second come in any order."""

    async def scenario() -> None:
        async with world(address) as here:
            await here.act("/customers", id="c1", company="A", phone="1")
            await here.act("/customers/c1", phone="2")
            page = [event for event in await all_of(here, "customer")]
            page.sort(key=lambda event: -event["content"]["customer"]["resource_version"])
            await here.source._publish_page(page)
            last = here.publisher.last("customer", "c1")
            assert last is not None
            assert (last.data or {})["phone"] == "2"

    run(scenario())


def test_a_list_that_lags_is_not_published_over_what_an_event_told(address: str) -> None:
    async def scenario() -> None:
        async with world(address) as here:
            await here.act("/customers", id="c1", company="A", phone="1")
            raw = (await newest(here, "customer"))["content"]["customer"]
            await here.act("/customers/c1", phone="2")
            await told(here, await newest(here, "customer"))
            at, snapshot = "2026-11-28T12:00:00Z", "s1"
            event = observed(customer_of(raw), tenant="demo", at=at, snapshot=snapshot)
            assert await here.publisher.publish([event]) == 0

    run(scenario())


def test_a_deletion_at_the_version_of_our_write_names_nobody_as_us(address: str) -> None:
    """Nothing says that Chargebee counts a deletion as a change; whose key it was is not ours."""

    async def scenario() -> None:
        async with world(address) as here:
            await here.act("/customers", id="c1", company="A")
            await here.apply("customer", "update", target_id="c1", fields={"phone": "2"})
            event = await newest(here, "customer")
            event["content"]["customer"]["deleted"] = True
            await told(here, {**event, "event_type": "customer_deleted", "user": THEIRS})
            assert here.publisher.cursor("demo", "chargebee", "key") is None
            found = here.publisher.last("customer", "c1")
            assert found is not None
            assert (found.deleted, found.made_by) == (True, None)

    run(scenario())


# --- versions beyond the clock
# ------------------------------------------------------------------------------

FAR = 9_999_999_999_999


@pytest.mark.parametrize("ahead", [{"resource_version": FAR}, {"updated_at": FAR // 1000}])
def test_a_customer_beyond_the_clock_is_read_back(address: str, ahead: dict[str, int]) -> None:
    async def scenario() -> None:
        async with world(address) as here:
            customer = await here.act("/customers", id="c1", company="A")
            event = {
                "event_type": "customer_deleted",
                "occurred_at": 1,
                "content": {"customer": {**customer, "company": "Forged", **ahead}},
            }
            await told(here, event)
            found = here.publisher.last("customer", "c1")
            assert found is not None
            assert found.data is not None
            assert (found.version, found.data["company"], found.deleted) == (
                str(customer["resource_version"]),
                "A",
                False,
            )

    run(scenario())


def test_what_is_not_there_is_not_taken(address: str) -> None:
    async def scenario() -> None:
        async with world(address) as here:
            await here.act("/item_families", id="varer", name="Varer")
            item = await here.act("/items", id="x", name="X", type="charge", item_family_id="varer")
            forged: list[tuple[str, dict[str, Any]]] = [
                ("customer", {"id": "nobody", "company": "A"}),
                ("customer", {"id": "a//b", "company": "A"}),
                ("order", {"id": "7", "currency_code": "NOK", "order_date": 1795000000}),
                ("item_price", {"id": "x-NOK", "item_id": "x", "currency_code": "NOK", "price": 1}),
                ("item", {"id": "nothing", "status": "deleted"}),
            ]
            for subject, record in forged:
                content: dict[str, Any] = {subject: {**record, "resource_version": FAR}}
                await told(
                    here, {"event_type": f"{subject}_created", "occurred_at": 1, "content": content}
                )
            assert here.publisher.events == []
            content = {"item": {**item, "name": "Y"}}
            await told(here, {"event_type": "item_updated", "occurred_at": 1, "content": content})
            found = here.publisher.last("product", "x")
            assert found is not None
            assert found.data is not None
            assert (found.data["name"], found.data["price"]) == ("X", None)

    run(scenario())


def test_an_event_of_the_events_api_beyond_the_clock_is_read_back(address: str) -> None:
    async def scenario() -> None:
        async with world(address) as here:
            customer = await here.act("/customers", id="c1", company="A")
            here.publisher.cursors["key"] = {"names": [THEIRS]}
            event = await newest(here, "customer")
            event["content"]["customer"] = {
                **customer,
                "company": "Forged",
                "resource_version": FAR,
            }
            await here.source._publish_page([event])
            found = here.publisher.last("customer", "c1")
            assert found is not None
            assert (found.version, found.made_by) == (str(customer["resource_version"]), None)

    run(scenario())
