"""The Chargebee sink at its edges, against the simulator: what it holds back, what it finds before
it creates, whether it wrote, and what guards a write."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec
import pytest

from contracts.entities import EntityName
from contracts.messages import Outcome
from runtime.rate_limiter import READ, RateLimiter
from runtime.transport import VendorTransport
from runtime.vendor import Refused, Retriable
from services.chargebee_adapter import mapping
from services.chargebee_adapter.client import ChargebeeClient
from services.chargebee_adapter.sink import Sink
from tests.contract.test_chargebee_adapter import (
    PERSON,
    PRODUCT,
    World,
    _order,
    address,
    run,
    world,
)
from tests.transports import Showing
from tests.unit.bench import NEXT

__all__ = ["address"]

LONG_PHONE = "+47 22 33 44 55 (direkte, men bare etter klokken tolv og ikke fredag)"
PLACE = {"line1": "Gate 2", "city": "Bergen", "zip": "5003", "country": "NO"}
COMPANY = {
    "kind": "company",
    "company": "Samtidig AS",
    "email": "post@samtidig.example",
    "organisation_number": "923609016",
}


async def someone(here: World) -> None:
    await here.act(
        "/customers", id="c1", first_name="Ola", last_name="Moen", phone="1", email="a@eksempel.no"
    )


async def update(here: World, expected: dict[str, Any] | None = None, **fields: Any) -> Outcome:
    return await here.apply(
        "customer", "update", target_id="c1", fields=fields, expected=expected or {}
    )


# --- what Chargebee cannot take
# -----------------------------------------------------------------------------


def test_a_phone_that_is_too_long_is_held_back_and_the_email_crosses(address: str) -> None:
    async def scenario() -> None:
        async with world(address) as here:
            await someone(here)
            outcome = await update(here, phone=LONG_PHONE, email="ny@example.no")
            assert (outcome.result, outcome.wrote) == ("applied", True)
            words = (
                "Chargebee's phone holds 50 characters, this has 69; shorten it in PowerOffice Go"
            )
            assert outcome.skipped == {"phone": words}
            assert outcome.data is not None
            assert (outcome.data["phone"], outcome.data["email"]) == ("1", "ny@example.no")
            alone = await update(here, phone=LONG_PHONE)
            assert (alone.result, alone.wrote, alone.skipped) == (
                "applied",
                False,
                {"phone": words},
            )
            made = await here.apply(
                "customer", "create", stamp="go-1", fields={**PERSON, "phone": LONG_PHONE}
            )
            assert (made.result, made.id, made.skipped) == ("applied", "go-1", {"phone": words})
            assert made.data is not None
            assert (made.data["phone"], made.data["email"]) == (None, PERSON["email"])

    run(scenario())


def test_of_a_product_only_what_fits_is_written(address: str) -> None:
    async def scenario() -> None:
        async with world(address) as here:
            made = await here.apply(
                "product", "create", stamp="go-9", fields={**PRODUCT, "description": "x" * 501}
            )
            assert made.data is not None
            assert (made.result, list(made.skipped), made.data["description"]) == (
                "applied",
                ["description"],
                None,
            )
            changes = {"name": "x" * 101, "unit": "HUR"}
            outcome = await here.apply("product", "update", target_id="go-9", fields=changes)
            assert outcome.data is not None
            assert (list(outcome.skipped), outcome.data["name"], outcome.data["unit"]) == (
                ["name"],
                PRODUCT["name"],
                "HUR",
            )
            with pytest.raises(Refused, match="name holds 100 characters, this has 101"):
                await here.apply(
                    "product", "create", stamp="go-10", fields={**PRODUCT, "name": "x" * 101}
                )

    run(scenario())


def test_a_reference_that_is_too_long_does_not_stop_an_order(address: str) -> None:
    async def scenario() -> None:
        async with world(address) as here:
            await here.apply("customer", "create", stamp="go-17", fields=PERSON)
            fields = {**_order("go-17", None), "purchase_order": "x" * 101}
            outcome = await here.apply("order", "create", stamp="go-8", fields=fields)
            assert (outcome.result, list(outcome.skipped)) == ("applied", ["purchase_order"])
            assert outcome.data is not None
            assert outcome.data["purchase_order"] is None

    run(scenario())


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("email", "ingen", "email validation failed"),
        ("address", {**PLACE, "country": "QQ"}, "invalid country code"),
    ],
)
def test_a_value_that_chargebee_refuses_by_name_is_held_back(
    address: str, field: str, value: Any, words: str
) -> None:
    async def scenario() -> None:
        async with world(address) as here:
            await someone(here)
            outcome = await update(here, **{"phone": "2", field: value})
            assert (outcome.result, outcome.wrote, list(outcome.skipped)) == (
                "applied",
                True,
                [field],
            )
            assert words in outcome.skipped[field]
            assert (await here.get("/customers/c1"))["phone"] == "2"
            made = await here.apply(
                "customer", "create", stamp="go-1", fields={**PERSON, field: value}
            )
            assert (made.result, made.id, list(made.skipped)) == ("applied", "go-1", [field])
            alone = await update(here, **{field: value})
            assert (alone.result, alone.wrote, list(alone.skipped), alone.id) == (
                "applied",
                False,
                [field],
                "c1",
            )

    run(scenario())


def test_two_values_that_chargebee_refuses_are_a_refusal(address: str) -> None:
    async def scenario() -> None:
        async with world(address) as here:
            fields = {**PERSON, "email": "ingen", "address": {**PLACE, "country": "QQ"}}
            with pytest.raises(Refused, match="email validation failed"):
                await here.apply("customer", "create", stamp="go-1", fields=fields)

    run(scenario())


# --- twins
# --------------------------------------------------------------------------------------------------

THEIRS = {
    "id": "sam-1",
    "company": "Samtidig AS",
    "email": "post@samtidig.example",
    "vat_number": "NO923609016MVA",
    "billing_address__country": "NO",
}
KARI = {"id": "kari", "first_name": "Åse", "last_name": "bøe", "email": PERSON["email"]}
NAMELESS = {"kind": "company", "company": "Samtidig AS", "organisation_number": "923609016"}
TWINS: list[tuple[dict[str, Any], dict[str, Any], tuple[str, ...]]] = [
    (COMPANY, THEIRS, ("sam-1",)),
    (COMPANY, {**THEIRS, "company": "Et annet navn"}, ("sam-1",)),
    ({**COMPANY, "organisation_number": None}, THEIRS, ("sam-1",)),
    ({**COMPANY, "organisation_number": "974760673"}, THEIRS, ()),
    ({**COMPANY, "company": "Annen AS", "organisation_number": None}, THEIRS, ()),
    (NAMELESS, {**THEIRS, "email": ""}, ("sam-1",)),
    ({**NAMELESS, "organisation_number": None}, {**THEIRS, "email": ""}, ()),
    (PERSON, KARI, ("kari",)),
    (PERSON, {**KARI, "last_name": "Li"}, ()),
    (PERSON, {**KARI, "company": "Åse Bøe"}, ()),
    (PERSON, {**KARI, "id": "go-99"}, ()),
    ({**PERSON, "email": None}, KARI, ()),
]


@pytest.mark.parametrize(("wanted", "theirs", "twins"), TWINS)
def test_a_customer_is_not_created_beside_its_twin(
    address: str, wanted: dict[str, Any], theirs: dict[str, Any], twins: tuple[str, ...]
) -> None:
    async def scenario() -> None:
        async with world(address) as here:
            await here.act("/customers", **theirs)
            outcome = await here.apply(
                "customer", "create", stamp="go-1", fields=wanted, look_for_twins=True
            )
            if twins:
                assert (outcome.result, outcome.twins, outcome.id, outcome.data) == (
                    "stale",
                    twins,
                    None,
                    None,
                )
                assert (outcome.wrote, outcome.calls) == (False, 1)
                assert await here.writes() == {}
            else:
                assert (outcome.result, outcome.id, outcome.twins, outcome.wrote) == (
                    "applied",
                    "go-1",
                    (),
                    True,
                )
            unasked = await here.apply("customer", "create", stamp="go-2", fields=wanted)
            assert (unasked.result, unasked.id) == ("applied", "go-2")

    run(scenario())


def test_an_own_earlier_attempt_is_adopted_and_no_twin(address: str) -> None:
    async def scenario() -> None:
        async with world(address) as here:
            await here.apply("customer", "create", stamp="go-1", fields=COMPANY)
            for look_first in (False, True):
                outcome = await here.apply(
                    "customer",
                    "create",
                    stamp="go-1",
                    fields=COMPANY,
                    look_for_twins=True,
                    look_first=look_first,
                )
                assert (outcome.result, outcome.id, outcome.twins) == ("adopted", "go-1", ())

    run(scenario())


@pytest.mark.parametrize(
    ("theirs", "is_twin"),
    [
        ({"id": "3201", "name": "Noe annet"}, True),
        ({"id": "x", "name": PRODUCT["name"]}, True),
        ({"id": "x", "name": PRODUCT["name"], "external_name": "Brett"}, False),
        ({"id": "x", "name": "Brett"}, False),
        ({"id": "go-99", "name": PRODUCT["name"]}, False),
    ],
)
def test_a_product_is_not_created_beside_its_twin(
    address: str, theirs: dict[str, Any], is_twin: bool
) -> None:
    async def scenario() -> None:
        async with world(address) as here:
            await here.act("/item_families", id="tandem", name="tandem")
            await here.act("/items", type="charge", item_family_id="tandem", **theirs)
            outcome = await here.apply(
                "product", "create", stamp="go-9", fields=PRODUCT, look_for_twins=True
            )
            if is_twin:
                assert (outcome.result, outcome.twins, outcome.wrote) == (
                    "stale",
                    (theirs["id"],),
                    False,
                )
                assert await here.writes() == {}
            else:
                assert (outcome.result, outcome.id, outcome.twins) == ("applied", "go-9", ())
            await here.act(f"/items/{theirs['id']}/delete")
            again = await here.apply(
                "product", "create", stamp="go-9", fields=PRODUCT, look_for_twins=True
            )
            assert again.twins == ()

    run(scenario())


# --- whether anything was written
# ---------------------------------------------------------------------------


def test_an_outcome_says_whether_anything_was_written(address: str) -> None:
    async def scenario() -> None:
        async with world(address) as here:
            await someone(here)
            assert (await update(here, phone="2")).wrote
            held = await update(here, phone="2")
            assert (held.result, held.wrote) == ("applied", False)
            stale = await update(here, {"phone": "1"}, phone="3")
            assert (stale.result, stale.wrote) == ("stale", False)
            # An earlier attempt may have been the one that wrote it.
            again = await here.apply(
                "customer", "update", target_id="c1", fields={"phone": "2"}, look_first=True
            )
            assert again.wrote
            assert not (await here.apply("customer", "verify", target_id="c1")).wrote
            assert (await here.apply("customer", "stamp", target_id="c1", stamp="go-5")).wrote
            assert not (await here.apply("customer", "stamp", target_id="c1", stamp="go-5")).wrote
            made = await here.apply("product", "create", stamp="go-9", fields=PRODUCT)
            assert made.wrote
            assert not (
                await here.apply("product", "update", target_id="go-9", fields={"unit": "EA"})
            ).wrote

    run(scenario())


def test_a_repeated_write_says_that_its_first_attempt_may_have_been_taken_back(
    address: str,
) -> None:
    """Nobody saw the first one answered, and the record has moved since it was planned."""

    async def scenario() -> None:
        async with world(address) as here:
            await someone(here)
            made = await here.apply("product", "create", stamp="go-9", fields=PRODUCT)
            known = await here.apply("customer", "verify", target_id="c1")
            cases: tuple[tuple[EntityName, str, str, Outcome], ...] = (
                ("customer", "c1", "phone", known),
                ("product", "go-9", "unit", made),
            )
            for entity, id, name, before in cases:
                held = (before.data or {})[name]
                facts = {
                    "target_id": id,
                    "target_version": before.version,
                    "fields": {name: "2"},
                    "expected": {name: held},
                }
                assert not (await here.apply(entity, "update", **facts, look_first=True)).again
                assert not (await here.apply(entity, "update", **facts, look_first=True)).again
                await here.apply(
                    entity, "update", target_id=id, fields={name: held}, expected={name: "2"}
                )
                taken_back = await here.apply(entity, "update", **facts, look_first=True)
                assert (taken_back.result, taken_back.again) == ("applied", True)

    run(scenario())


def test_a_part_of_a_repeated_write_that_was_taken_back_is_told_where_it_was_written_too(
    address: str,
) -> None:
    """Chargebee takes one request for a phone and a name, another for an address, and one for each
    half of a product: what stands of one request says that all of it did."""
    storgata = {"line1": "Storgata 1", "city": "Oslo", "zip": "0150", "country": "NO"}
    nygata = {**storgata, "line1": "Nygata 7"}
    price, dearer = ({"amount": each, "currency": "NOK"} for each in ("500", "700"))

    async def scenario() -> None:
        async with world(address) as here:
            await someone(here)
            await here.apply("customer", "update", target_id="c1", fields={"address": storgata})
            product = {**PRODUCT, "price": price}
            made = await here.apply("product", "create", stamp="go-9", fields=product)
            known = await here.apply("customer", "verify", target_id="c1")
            cases: tuple[tuple[EntityName, Outcome, dict[str, Any], tuple[str, ...], bool], ...] = (
                ("customer", known, {"phone": "2", "email": "b@eksempel.no"}, ("phone",), True),
                ("customer", known, {"phone": "2", "address": nygata}, ("phone",), False),
                ("product", made, {"unit": "2", "price": dearer}, ("unit",), False),
                ("product", made, {"unit": "2", "price": dearer}, ("unit", "price"), True),
            )
            for entity, before, fields, arrived, is_told in cases:
                held = {name: (before.data or {})[name] for name in fields}
                id, seen = (
                    before.id,
                    (await here.apply(entity, "verify", target_id=before.id)).version,
                )
                wanted = {name: fields[name] for name in arrived}
                await here.apply(entity, "update", target_id=id, fields=wanted)
                if is_told:
                    last = [*fields][-1]
                    await here.apply(entity, "update", target_id=id, fields={last: fields[last]})
                    await here.apply(entity, "update", target_id=id, fields={last: held[last]})
                facts = {
                    "target_id": id,
                    "target_version": seen,
                    "fields": fields,
                    "expected": held,
                }
                outcome = await here.apply(entity, "update", **facts, look_first=True)
                done = tuple(fields)[:1] if is_told else ()
                assert (outcome.result, outcome.again, outcome.done) == ("applied", is_told, done)
                await here.apply(entity, "update", target_id=id, fields=held)

    run(scenario())


@pytest.mark.parametrize("is_known", [True, False])
def test_a_price_is_guarded_by_its_id_also_beside_a_name(address: str, is_known: bool) -> None:
    """A list lags, and would let a person's price be overwritten."""
    price = {"amount": "110", "currency": "NOK"}
    wanted = {"name": "Y", "price": price} if is_known else {"price": price}
    held = {"name": "X", "price": {"amount": "100", "currency": "NOK"}}
    offset_s = 3600 if is_known else 7200  # versions of a site never go back

    async def scenario() -> None:
        async with world(address) as here:
            await here.act("/item_families", id="varer", name="Varer")
            await here.act("/items", id="x", name="X", type="charge", item_family_id="varer")
            await here.act(
                "/item_prices",
                id="x-NOK",
                name="X NOK",
                item_id="x",
                currency_code="NOK",
                price="10000",
            )
            await here.control("settings", {"clock_offset_s": offset_s, "list_lag_s": 120})
            if is_known:
                await here.apply("product", "verify", target_id="x")
            await here.act("/item_prices/x-NOK", price="12000")
            expected = {name: held[name] for name in wanted}
            outcome = await here.apply(
                "product", "update", target_id="x", fields=wanted, expected=expected
            )
            await here.control("settings", {"clock_offset_s": 0, "list_lag_s": 0})
            assert outcome.result == "stale"
            raw = await here.client.find("item_price", "item_prices", "x-NOK")
            assert raw is not None
            assert raw["price"] == 12000

    run(scenario())


def test_what_was_deleted_in_chargebee_is_made_again_where_it_is_ours(address: str) -> None:
    """Our price of a product, and the family of our products: their ids are free again."""

    async def scenario() -> None:
        async with world(address) as here:
            await here.act("/item_families", id="tandem", name="tandem")
            await here.act("/item_families/tandem/delete")
            made = await here.apply("product", "create", stamp="go-9", fields=PRODUCT)
            assert made.result == "applied"
            await here.act("/item_prices/go-9-NOK/delete")
            price = {"amount": "5000", "currency": "NOK"}
            facts = {"fields": {"price": price}, "expected": {"price": None}}
            outcome = await here.apply("product", "update", target_id="go-9", **facts)
            assert (outcome.data or {})["price"] == price

    run(scenario())


def test_a_stamp_leaves_the_numbers_of_other_metadata_as_they_are(address: str) -> None:
    async def scenario() -> None:
        async with world(address) as here:
            await here.act("/customers", id="c1", company="A", meta_data='{"score": 1.5, "n": 2}')
            await here.apply("customer", "stamp", target_id="c1", stamp="go-9")
            raw = await here.client.find("customer", "customers", "c1")
            assert raw is not None
            assert {name: str(value) for name, value in raw["meta_data"].items()} == {
                "score": "1.5",
                "n": "2",
                "poweroffice_id": "9",
            }
            assert not isinstance(raw["meta_data"]["score"], str)

    run(scenario())


def test_a_new_number_takes_the_word_away_that_there_is_none(address: str) -> None:
    """Both together are refused (corrections-2026-11, `update_billing_info`)."""

    async def scenario() -> None:
        async with world(address) as here:
            without = {"business_customer_without_vat_number": "true"}
            await here.act("/customers", id="c1", company="Fjord AS", **without)
            facts = {
                "fields": {"organisation_number": "923609016"},
                "expected": {"organisation_number": None},
            }
            outcome = await here.apply("customer", "update", target_id="c1", **facts)
            assert (outcome.result, outcome.skipped) == ("applied", {})
            raw = await here.client.find("customer", "customers", "c1")
            assert raw is not None
            assert raw["vat_number"] == "923609016"
            assert not raw.get("business_customer_without_vat_number")

    run(scenario())


class Interrupting(ChargebeeClient):
    """A person edits the address before the first write goes out."""

    here: World

    def at(self, priority: int) -> ChargebeeClient:
        return self

    async def post(
        self, kind: str, resource_path: str, params: Mapping[str, Any]
    ) -> dict[str, Any]:
        await self.here.act(
            "/customers/c1/update_billing_info",
            billing_address__city="Hamar",
            billing_address__zip="2317",
        )
        return await super().post(kind, resource_path, params)


def test_half_an_update_was_a_write(address: str) -> None:
    async def scenario() -> None:
        async with world(address) as here:
            await someone(here)
            client = Interrupting(here.settings.chargebee, here.http)
            client.here = here
            sink = Sink("demo", here.settings, client, clock=lambda: datetime.now(UTC))
            outcome = await sink.apply(
                here.command(
                    "customer",
                    "update",
                    target_id="c1",
                    expected={"address": None},
                    fields={"phone": "2", "address": PLACE},
                )
            )
            assert (outcome.result, outcome.done, outcome.wrote) == ("stale", ("phone",), True)

    run(scenario())


def test_half_an_update_that_was_stopped_may_have_written(address: str) -> None:
    async def scenario() -> None:
        async with world(address) as here:
            await someone(here)
            match = "POST /customers/{id}/update_billing_info"
            await here.control("faults", {"faults": [{"kind": "429", "match": match}]})
            command = here.command(
                "customer", "update", target_id="c1", fields={"phone": "2", "address": PLACE}
            )
            with pytest.raises(Retriable) as stopped:
                await here.sink.apply(command)
            assert stopped.value.maybe_applied
            await here.act(
                "/customers/c1/update_billing_info",
                billing_address__city="Bergen",
                billing_address__zip="5003",
                billing_address__line1="Gate 2",
                billing_address__country="NO",
            )
            outcome = await here.sink.apply(msgspec.structs.replace(command, look_first=True))
            assert (outcome.result, outcome.wrote) == ("applied", True)

    run(scenario())


# --- an older mapping
# ---------------------------------------------------------------------------------------


def test_an_update_planned_from_an_older_mapping_is_stale(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        async with world(address) as here:
            await someone(here)
            await here.apply("product", "create", stamp="go-9", fields=PRODUCT)
            monkeypatch.setattr(mapping, "MAPPING", NEXT)
            await here.control("requests/clear", {})
            outcome = await update(here, phone="2")
            assert (outcome.result, outcome.wrote, outcome.mapping, outcome.done) == (
                "stale",
                False,
                NEXT,
                (),
            )
            assert outcome.data is not None
            assert (outcome.id, outcome.data["phone"]) == ("c1", "1")
            product = await here.apply(
                "product", "update", target_id="go-9", fields={"name": "Nytt"}
            )
            assert (product.result, product.id) == ("stale", "go-9")
            assert await here.writes() == {}
            planned_now = await here.apply(
                "customer", "update", target_id="c1", fields={"phone": "2"}, mapping=NEXT
            )
            assert (planned_now.result, planned_now.wrote) == ("applied", True)
            assert (
                await here.apply("customer", "create", stamp="go-1", fields=PERSON)
            ).result == "applied"

    run(scenario())


# --- the guard
# ----------------------------------------------------------------------------------------------


class Watched(RateLimiter):
    """A limiter that writes down when it is asked, between the requests that go out."""

    def __init__(self) -> None:
        super().__init__(1000, 1.0, 10.0)
        self.seen: list[str] = []

    async def acquire(self, priority: int = READ) -> None:
        self.seen.append("wait")
        await super().acquire(priority)


UPDATES: list[tuple[Any, Any, dict[str, Any]]] = [
    ("customer", "update", {"target_id": "go-17", "fields": {"phone": "2"}}),
    ("customer", "update", {"target_id": "go-17", "fields": {"address": PLACE}}),
    (
        "customer",
        "update",
        {"target_id": "go-17", "fields": {"phone": "3", "address": {**PLACE, "city": "Hamar"}}},
    ),
    ("product", "update", {"target_id": "go-9", "fields": {"name": "Ny"}}),
    (
        "product",
        "update",
        {"target_id": "go-9", "fields": {"price": {"amount": "1", "currency": "NOK"}}},
    ),
    (
        "product",
        "update",
        {
            "target_id": "go-9",
            "fields": {"name": "Ni", "price": {"amount": "2", "currency": "NOK"}},
        },
    ),
    ("order", "update", {"target_id": "go-8", "fields": {"order_date": "2026-10-06"}}),
    (
        "customer",
        "create",
        {"stamp": "go-18", "fields": {**PERSON, "email": "x@eksempel.no"}, "look_for_twins": True},
    ),
    (
        "product",
        "create",
        {"stamp": "go-10", "fields": {"name": "B", "code": "b"}, "look_for_twins": True},
    ),
]


def test_nothing_is_waited_for_between_the_read_and_the_write_it_guards(address: str) -> None:
    async def scenario() -> None:
        async with world(address) as here:
            await here.apply("customer", "create", stamp="go-17", fields=PERSON)
            await here.apply("product", "create", stamp="go-9", fields=PRODUCT)
            await here.apply("order", "create", stamp="go-8", fields=_order("go-17", "go-9"))
            limiter = Watched()
            http = VendorTransport(
                limiter, inner=Showing(lambda request: limiter.seen.append(request.method))
            )
            client = ChargebeeClient(here.settings.chargebee, http)
            sink = Sink("demo", here.settings, client, clock=lambda: datetime.now(UTC))
            # The family and the items of prices are known from the first command on.
            await sink.apply(here.command("product", "create", stamp="go-11", fields={"name": "C"}))
            await sink.apply(here.command("order", "verify", target_id="go-8"))
            for entity, op, facts in UPDATES:
                limiter.seen.clear()
                taken, used = limiter.taken, http.calls
                outcome = await sink.apply(here.command(entity, op, **facts))
                assert outcome.result == "applied", (entity, op, facts)
                first_read = limiter.seen.index("GET")
                last_write = max(n for n, what in enumerate(limiter.seen) if what == "POST")
                between = limiter.seen[first_read:last_write]
                assert "wait" not in between, (entity, op, facts, limiter.seen)
                # What was not needed is given back.
                assert limiter.taken - taken == http.calls - used, (entity, op, facts)
            await http.aclose()

    run(scenario())


def test_no_other_request_takes_the_connection_in_between(address: str) -> None:
    async def scenario() -> None:
        async with world(address) as here:
            await someone(here)
            seen: list[str] = []

            def note(request: httpx.Request) -> None:
                seen.append(f"{request.method} {request.url.path.removeprefix('/api/v2')}")

            http = VendorTransport(RateLimiter(0, 1, 1), connections=1, inner=Showing(note))
            client = ChargebeeClient(here.settings.chargebee, http)
            sink = Sink("demo", here.settings, client, clock=lambda: datetime.now(UTC))
            command = here.command(
                "customer", "update", target_id="c1", fields={"phone": "2", "address": PLACE}
            )
            polls = [asyncio.create_task(client.get("/events")) for _ in range(5)]
            outcome = asyncio.create_task(sink.apply(command))
            polls += [asyncio.create_task(client.get("/events")) for _ in range(5)]
            await asyncio.gather(outcome, *polls)
            await http.aclose()
            start = seen.index("GET /customers/c1")
            assert seen[start : start + 3] == [
                "GET /customers/c1",
                "POST /customers/c1",
                "POST /customers/c1/update_billing_info",
            ]

    run(scenario())


class Napping(ChargebeeClient):
    """The process is stopped for an hour while the answer of a read is under way, and a person
    edits meanwhile."""

    here: World
    naps = 1
    now = 0.0

    def at(self, priority: int) -> ChargebeeClient:
        return self

    async def get(
        self, resource_path: str, params: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        found = await super().get(resource_path, params)
        if self.naps and resource_path.startswith(("/customers/", "/items/")):
            self.naps -= 1
            type(self).now += 3600.0
            await self.here.act("/customers/c1", phone="9")
            await self.here.act("/items/go-9", external_name="Brett")
        return found


@pytest.mark.parametrize(
    ("entity", "target_id", "field", "held"),
    [("customer", "c1", "phone", "9"), ("product", "go-9", "name", "Brett")],
)
def test_a_sink_that_was_asleep_reads_again(
    address: str, entity: Any, target_id: str, field: str, held: str
) -> None:
    async def scenario() -> None:
        async with world(address) as here:
            await someone(here)
            made = await here.apply("product", "create", stamp="go-9", fields=PRODUCT)
            assert made.data is not None
            client = Napping(here.settings.chargebee, here.http)
            client.here = here
            sink = Sink(
                "demo",
                here.settings,
                client,
                clock=lambda: datetime.now(UTC),
                monotonic=lambda: Napping.now,
            )
            expected = {"phone": "1", "name": made.data["name"]}
            outcome = await sink.apply(
                here.command(
                    entity,
                    "update",
                    target_id=target_id,
                    fields={field: "ours"},
                    expected={field: expected[field]},
                )
            )
            assert (outcome.result, outcome.wrote) == ("stale", False)
            assert outcome.data is not None
            assert outcome.data[field] == held

    run(scenario())


def test_a_sink_that_cannot_stay_awake_writes_nothing(address: str) -> None:
    async def scenario() -> None:
        async with world(address) as here:
            await someone(here)
            await here.apply("product", "create", stamp="go-9", fields=PRODUCT)
            client = Napping(here.settings.chargebee, here.http)
            client.here, client.naps = here, 99
            sink = Sink(
                "demo",
                here.settings,
                client,
                clock=lambda: datetime.now(UTC),
                monotonic=lambda: Napping.now,
            )
            await here.control("requests/clear", {})
            with pytest.raises(
                Retriable, match="3 readings in a row took longer than 2 s"
            ) as tired:
                await sink.apply(
                    here.command("customer", "update", target_id="c1", fields={"phone": "ours"})
                )
            assert not tired.value.maybe_applied
            assert await here.writes() == {}

    run(scenario())


def test_tokens_that_were_not_needed_are_given_back() -> None:
    async def scenario() -> None:
        limiter = RateLimiter(1, 1000.0, 3.0, clock=lambda: 0.0)
        for _ in range(3):
            await limiter.acquire()
        limiter.give_back(2)
        for _ in range(2):
            await limiter.acquire()
        assert limiter.taken == 3
        limiter.pause(5.0)
        limiter.give_back(2)
        waiting = asyncio.create_task(limiter.acquire())
        for _ in range(5):
            await asyncio.sleep(0)
        assert not waiting.done()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    run(scenario())
