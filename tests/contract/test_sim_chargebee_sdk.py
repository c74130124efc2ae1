"""Customers and catalogue of the Chargebee simulator, through the vendor's own Python SDK with its
typed results."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import chargebee
import pytest

from tests.contract.test_sim_chargebee import KEY, NORDMANN, Simulator, launched

ADDRESS = {
    "line1": "Storgata 1",
    "city": "Oslo",
    "zip": "0150",
    "country": "NO",
    "company": "Nordmann AS",
}
IMPORT = {
    "id": "go-inv-1",
    "customer_id": "ola-1",
    "date": 1793000000,
    "total": 25125,
    "currency_code": "NOK",
    "price_type": "tax_exclusive",
    "status": "paid",
    "payments": [{"amount": 25125, "payment_method": "other", "date": 1793000000}],
    "taxes": [{"name": "MVA", "rate": 25}],
    "line_items": [
        {
            "description": "Kortleser",
            "unit_amount": 10050,
            "quantity": 2,
            "amount": 20100,
            "entity_type": "charge_item_price",
            "entity_id": "leser-NOK",
            "tax1_name": "MVA",
            "tax1_amount": 5025,
        }
    ],
}
IMPORT_ORDER = {
    "id": "go-order-1",
    "invoice_id": "go-inv-1",
    "status": "on_hold",
    "created_at": 1793000000,
    "order_date": 1793000000,
    "shipping_date": 1793086400,
}


@pytest.fixture(scope="module")
def running() -> Iterator[Simulator]:
    with launched() as simulator:
        yield simulator


@pytest.fixture
def simulator(running: Simulator) -> Simulator:
    running.reset()
    return running


@pytest.fixture
def sdk(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> chargebee.Chargebee:
    monkeypatch.setattr(chargebee.Chargebee, "verify_ca_certs", False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    # The SDK makes a client, and loads every certificate, for each call, of which plain HTTP needs
    # none.
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    return chargebee.Chargebee(
        api_key=KEY, site="127", chargebee_domain=f"0.0.1:{simulator.port}", protocol="http"
    )


@pytest.fixture
def shop(sdk: chargebee.Chargebee, simulator: Simulator) -> chargebee.Chargebee:
    """A site with one customer and two things to sell, one of them shippable."""
    simulator.add_catalog()
    sdk.Customer.create(NORDMANN)
    return sdk


def sold(shop: chargebee.Chargebee, **more: Any) -> Any:
    """A paid invoice, from which Chargebee has made an order."""
    lines = [
        {"item_price_id": "leser-NOK", "quantity": 2},
        {"item_price_id": "kurs-NOK", "quantity": 1},
    ]
    given = {"customer_id": "ola-1", "currency_code": "NOK", "item_prices": lines, **more}
    invoice = shop.Invoice.create_for_charge_items_and_charges(given).invoice
    return shop.Invoice.record_payment(
        invoice.id, {"transaction": {"payment_method": "bank_transfer"}}
    ).invoice


def order_of(shop: chargebee.Chargebee) -> Any:
    return shop.Order.retrieve(sold(shop).linked_orders[0].id).order


# -- customers


def test_a_customer_comes_back_as_it_was_made(sdk: chargebee.Chargebee) -> None:
    given = {
        **NORDMANN,
        "phone": "+47 91",
        "vat_number": "912400018",
        "billing_address": ADDRESS,
        "net_term_days": 14,
    }
    reply = sdk.Customer.create(given)
    assert reply.http_status_code == 200
    assert reply.headers["content-type"] == "application/json;charset=utf-8"
    assert reply.is_idempotency_replayed is False
    made = reply.customer
    assert (made.id, made.first_name, made.last_name, made.email) == (
        "ola-1",
        "Ola",
        "Nordmann",
        "ola@eksempel.no",
    )
    assert (made.phone, made.net_term_days, made.vat_number) == ("+47 91", 14, "912400018")
    assert (made.billing_address.city, made.billing_address.zip, made.billing_address.country) == (
        "Oslo",
        "0150",
        "NO",
    )
    assert made.auto_collection == "on"
    assert (made.allow_direct_debit, made.deleted, made.object) == (False, False, "customer")
    balances = (
        made.promotional_credits,
        made.refundable_credits,
        made.excess_payments,
        made.unbilled_charges,
    )
    assert balances == (0, 0, 0, 0)
    assert made.updated_at == made.resource_version // 1000
    assert made.company is None
    assert sdk.Customer.retrieve("ola-1").customer.raw_data == made.raw_data


def test_a_slash_in_an_id_stays_as_it_is_and_its_encoding_is_not_found(
    sdk: chargebee.Chargebee, simulator: Simulator
) -> None:
    sdk.Customer.create({**NORDMANN, "id": "ACME/Oslo"})
    sdk.Customer.create({**NORDMANN, "id": "ACME"})
    assert sdk.Customer.retrieve("ACME/Oslo").customer.id == "ACME/Oslo"
    assert sdk.Customer.update("ACME/Oslo", {"phone": "5"}).customer.id == "ACME/Oslo"
    changed = sdk.Customer.update_billing_info("ACME/Oslo", {"billing_address": ADDRESS}).customer
    assert (changed.id, changed.billing_address.city) == ("ACME/Oslo", "Oslo")
    simulator.add_catalog()
    sdk.Item.create(
        {"id": "kurs/dag", "name": "Kurs per dag", "type": "charge", "item_family_id": "varer"}
    )
    sdk.ItemPrice.create(
        {
            "id": "kurs/dag-NOK",
            "item_id": "kurs/dag",
            "name": "D",
            "currency_code": "NOK",
            "price": 1,
        }
    )
    assert sdk.ItemPrice.update("kurs/dag-NOK", {"price": 2}).item_price.price == 2
    for refused in ("/customers/ACME%2FOslo", "/customers/ACME%2foslo", "/items/kurs%2Fdag"):
        assert simulator.api.get(refused).status_code == 404
    assert simulator.post("/customers//ACME", {"phone": "6"})["customer"]["id"] == "ACME"
    # The end of a path says what it is about.
    assert sdk.Customer.delete("ACME/Oslo").customer.id == "ACME/Oslo"
    assert simulator.post("/customers/ACME/delete")["customer"]["id"] == "ACME"


def test_a_customer_without_an_id_gets_one(sdk: chargebee.Chargebee) -> None:
    made = [sdk.Customer.create().customer.id for _ in range(2)]
    assert made[0] != made[1]
    assert sdk.Customer.retrieve(made[0]).customer.id == made[0]


def test_an_update_leaves_out_what_it_does_not_name(sdk: chargebee.Chargebee) -> None:
    first = sdk.Customer.create(
        {**NORDMANN, "billing_address": ADDRESS, "vat_number": "912400018"}
    ).customer
    second = sdk.Customer.update("ola-1", {"company": "Ola AS", "taxability": "exempt"}).customer
    assert (second.company, second.taxability, second.first_name) == ("Ola AS", "exempt", "Ola")
    assert second.billing_address.raw_data == first.billing_address.raw_data
    assert second.vat_number == "912400018"
    assert second.resource_version > first.resource_version


def test_an_update_cannot_touch_the_billing_address_or_vat(sdk: chargebee.Chargebee) -> None:
    sdk.Customer.create({**NORDMANN, "billing_address": ADDRESS})
    params: Any = {"billing_address": {"city": "Bergen"}, "vat_number": "1", "phone": "1"}
    changed = sdk.Customer.update("ola-1", params).customer
    assert (changed.billing_address.city, changed.vat_number, changed.phone) == ("Oslo", None, "1")


@pytest.mark.parametrize("name", ["first_name", "last_name", "email", "phone", "company"])
def test_none_and_an_empty_text_clear_a_field(sdk: chargebee.Chargebee, name: str) -> None:
    sdk.Customer.create({**NORDMANN, "phone": "1", "company": "Ola AS"})
    cleared: Any = {name: None}
    assert getattr(sdk.Customer.update("ola-1", cleared).customer, name) is None


def test_billing_info_is_replaced(sdk: chargebee.Chargebee) -> None:
    sdk.Customer.create(
        {
            **NORDMANN,
            "billing_address": ADDRESS,
            "vat_number": "912400018",
            "registered_for_gst": True,
        }
    )
    changed = sdk.Customer.update_billing_info(
        "ola-1", {"billing_address": {"line1": "Torget 2"}}
    ).customer
    left = {"line1": "Torget 2", "company": "Nordmann AS"}
    assert {n: v for n, v in changed.billing_address.raw_data.items() if n in ADDRESS} == left
    assert (changed.vat_number, changed.registered_for_gst, changed.vat_number_status) == (
        None,
        None,
        None,
    )
    assert sdk.Customer.update_billing_info("ola-1").customer.billing_address is None


def test_billing_info_that_is_sent_whole_is_kept(sdk: chargebee.Chargebee) -> None:
    sdk.Customer.create({**NORDMANN, "billing_address": ADDRESS})
    params = {"billing_address": {**ADDRESS, "zip": "5003"}, "vat_number": "912400018"}
    changed = sdk.Customer.update_billing_info("ola-1", params).customer
    assert (changed.billing_address.line1, changed.billing_address.zip) == ("Storgata 1", "5003")
    assert (changed.vat_number, changed.vat_number_status) == ("912400018", "not_validated")


def test_a_deletion_is_scheduled_first(sdk: chargebee.Chargebee, simulator: Simulator) -> None:
    simulator.control.post("/settings", json={"customer_delete_delay_s": 300})
    sdk.Customer.create(NORDMANN)
    assert sdk.Customer.delete("ola-1").customer.deleted is False
    assert [entry.customer.id for entry in sdk.Customer.list().list] == ["ola-1"]
    simulator.control.post("/settings", json={"clock_offset_s": 301})
    assert sdk.Customer.list().list == []
    listed = sdk.Customer.list({"include_deleted": True}).list
    assert [(entry.customer.id, entry.customer.deleted) for entry in listed] == [("ola-1", True)]
    assert sdk.Customer.retrieve("ola-1").customer.deleted is True


def test_metadata_keys_arrive_in_lower_case(sdk: chargebee.Chargebee) -> None:
    made = sdk.Customer.create(
        {"id": "m", "meta_data": {"GoId": "7", "deep": {"B": True, "n": None}}}
    ).customer
    assert made.meta_data == {"goid": "7", "deep": {"b": True, "n": None}}
    verbatim: Any = {"meta_data": '{"GoId": 7}'}
    assert sdk.Customer.update("m", verbatim).customer.meta_data == {"GoId": 7}


def test_entity_identifiers_travel_in_columns(sdk: chargebee.Chargebee) -> None:
    rows = [{"scheme": "0192", "value": "912400018"}, {"scheme": "9908", "value": "912400026"}]
    made = sdk.Customer.create({"id": "e", "entity_identifiers": rows}).customer
    assert [(each.scheme, each.value) for each in made.entity_identifiers] == [
        ("0192", "912400018"),
        ("9908", "912400026"),
    ]


def test_custom_fields_keep_their_case_and_can_be_searched(
    sdk: chargebee.Chargebee, simulator: Simulator
) -> None:
    simulator.control.post("/settings", json={"custom_fields": ["cf_GoNumber"]})
    params: Any = {"id": "c", "cf_GoNumber": "10001"}
    assert sdk.Customer.create(params).customer.raw_data["cf_GoNumber"] == "10001"
    sdk.Customer.create({"id": "d"})
    search: Any = {"cf_GoNumber": {"is": "10001"}}
    assert [entry.customer.id for entry in sdk.Customer.list(search).list] == ["c"]
    plain = sdk.Customer.retrieve("d").customer
    with pytest.raises(AttributeError):
        _ = plain.cf_GoNumber


PEOPLE: list[dict[str, Any]] = [
    {
        "id": "anne",
        "first_name": "Anne",
        "email": "anne@a.no",
        "taxability": "exempt",
        "phone": "1",
    },
    {"id": "o'neil", "first_name": "Pat", "company": "Øst AS", "auto_collection": "off"},
    {
        "id": "per,son",
        "last_name": "Berg",
        "email": "berg@b.no",
        "offline_payment_method": "bank_transfer",
    },
]


@pytest.mark.parametrize(
    ("search", "ids"),
    [
        ({"id": {"is": "anne"}}, ["anne"]),
        ({"id": {"is_not": "anne"}}, ["o'neil", "per,son"]),
        ({"id": {"starts_with": "AN"}}, ["anne"]),
        ({"id": {"in": ["anne", "o'neil"]}}, ["anne", "o'neil"]),
        ({"id": {"in": ["per,son"]}}, ["per,son"]),
        ({"id": {"not_in": ["anne", "per,son"]}}, ["o'neil"]),
        ({"email": {"is": "berg@b.no"}}, ["per,son"]),
        ({"email": {"is_present": True}}, ["anne", "per,son"]),
        ({"company": {"is_present": "false"}}, ["anne", "per,son"]),
        ({"company": {"starts_with": "øst"}}, ["o'neil"]),
        ({"first_name": {"is": "Pat"}}, ["o'neil"]),
        ({"phone": {"is": "1"}}, ["anne"]),
        ({"taxability": {"is": "exempt"}}, ["anne"]),
        ({"taxability": {"in": ["exempt"]}}, ["anne"]),
        ({"taxability": {"is_not": "taxable"}}, ["anne"]),
        ({"auto_collection": {"is": "off"}}, ["o'neil"]),
        ({"offline_payment_method": {"not_in": ["cash"]}}, ["anne", "o'neil", "per,son"]),
        ({"created_at": {"after": 1000000000}}, ["anne", "o'neil", "per,son"]),
        ({"updated_at": {"before": 1000000000}}, []),
        ({"updated_at": {"between": [1000000000, 4000000000]}}, ["anne", "o'neil", "per,son"]),
        ({"sort_by": {"desc": "created_at"}, "limit": 2}, ["per,son", "o'neil"]),
        ({"sort_by": {"asc": "updated_at"}, "email": {"is_present": "true"}}, ["anne", "per,son"]),
    ],
)
def test_customers_are_found_by(
    sdk: chargebee.Chargebee, simulator: Simulator, search: dict[str, Any], ids: list[str]
) -> None:
    for person in PEOPLE:
        sdk.Customer.create(person)
        offset_s = simulator.control.get("/settings").json()["clock_offset_s"]
        simulator.control.post("/settings", json={"clock_offset_s": offset_s + 2})
    found = [entry.customer.id for entry in sdk.Customer.list(search).list]
    assert (found if "sort_by" in search else sorted(found)) == ids


def test_a_list_is_walked_to_its_end(sdk: chargebee.Chargebee, simulator: Simulator) -> None:
    for number in range(7):
        simulator.post("/customers", {"id": f"c{number}"})
    seen: list[str] = []
    search: dict[str, Any] = {"limit": 3, "sort_by": {"asc": "created_at"}}
    while True:
        page = sdk.Customer.list(search)
        seen += [entry.customer.id for entry in page.list]
        if page.next_offset is None:
            break
        search["offset"] = page.next_offset
    assert seen == [f"c{number}" for number in range(7)]


def test_lists_can_lag_behind_writes(sdk: chargebee.Chargebee, simulator: Simulator) -> None:
    sdk.Customer.create(NORDMANN)
    simulator.control.post("/settings", json={"list_lag_s": 300, "clock_offset_s": 10_000})
    sdk.Customer.update("ola-1", {"phone": "2"})
    sdk.Customer.create({"id": "new"})
    listed = sdk.Customer.list().list
    assert [(entry.customer.id, entry.customer.phone) for entry in listed] == [("ola-1", None)]
    assert sdk.Customer.retrieve("ola-1").customer.phone == "2"


def test_an_idempotency_key_replays_within_half_an_hour(
    sdk: chargebee.Chargebee, simulator: Simulator
) -> None:
    first, again = (
        sdk.Customer.create({"first_name": "A"}, headers={"chargebee-idempotency-key": "key-1"})
        for _ in range(2)
    )
    assert (first.is_idempotency_replayed, again.is_idempotency_replayed) == (False, True)
    assert first.customer.raw_data == again.customer.raw_data
    elsewhere = sdk.Customer.update(
        first.customer.id, {"phone": "1"}, headers={"chargebee-idempotency-key": "key-1"}
    )
    assert elsewhere.is_idempotency_replayed is False
    simulator.control.post("/settings", json={"clock_offset_s": 1801})
    late = sdk.Customer.create({"first_name": "A"}, headers={"chargebee-idempotency-key": "key-1"})
    assert late.is_idempotency_replayed is False
    assert late.customer.id != first.customer.id


def test_the_asynchronous_client_speaks_the_same(
    sdk: chargebee.Chargebee, simulator: Simulator
) -> None:
    domain = f"0.0.1:{simulator.port}"
    client = chargebee.Chargebee(
        api_key=KEY, site="127", chargebee_domain=domain, protocol="http", use_async_client=True
    )

    async def made() -> Any:
        await client.Customer.create(NORDMANN)
        return await client.Customer.list({"email": {"is": NORDMANN["email"]}})

    assert [entry.customer.id for entry in asyncio.run(made()).list] == ["ola-1"]


# -- catalogue


def test_an_item_family_lives_and_dies(sdk: chargebee.Chargebee) -> None:
    made = sdk.ItemFamily.create({"id": "varer", "name": "Varer"}).item_family
    assert (made.id, made.status) == ("varer", "active")
    assert sdk.ItemFamily.update("varer", {"description": "Alt"}).item_family.description == "Alt"
    assert sdk.ItemFamily.retrieve("varer").item_family.name == "Varer"
    assert [entry.item_family.id for entry in sdk.ItemFamily.list().list] == ["varer"]
    assert sdk.ItemFamily.delete("varer").item_family.status == "deleted"


@pytest.mark.parametrize("type_", ["plan", "addon", "charge"])
def test_an_item_comes_back_as_it_was_made(sdk: chargebee.Chargebee, type_: Any) -> None:
    sdk.ItemFamily.create({"id": "varer", "name": "Varer"})
    given = {
        "id": "x",
        "name": "X",
        "type": type_,
        "item_family_id": "varer",
        "unit": "time",
        "is_shippable": True,
    }
    made = sdk.Item.create({**given, "metadata": {"go": 7}, "description": "Æ"}).item
    assert (made.id, made.name, made.type, made.status) == ("x", "X", type_, "active")
    assert (made.unit, made.is_shippable, made.metadata, made.description) == (
        "time",
        True,
        {"go": 7},
        "Æ",
    )
    assert sdk.Item.retrieve("x").item.raw_data == made.raw_data


def test_an_item_is_archived_and_woken(shop: chargebee.Chargebee) -> None:
    archived = shop.Item.update("kurs", {"status": "archived", "name": "Kurset"}).item
    assert (archived.status, archived.name) == ("archived", "Kurset")
    assert archived.archived_at is not None
    woken = shop.Item.update("kurs", {"status": "active"}).item
    assert (woken.status, woken.archived_at) == ("active", None)


def test_ids_and_names_of_deleted_items_are_free_again(shop: chargebee.Chargebee) -> None:
    shop.ItemPrice.delete("kurs-NOK")
    assert shop.Item.delete("kurs").item.status == "deleted"
    listed = shop.Item.list({"status": {"in": ["deleted"]}}).list
    assert [entry.item.id for entry in listed] == ["kurs"]
    again = shop.Item.create(
        {"id": "kurs", "name": "kurs", "type": "charge", "item_family_id": "varer"}
    ).item
    assert again.status == "active"


@pytest.mark.parametrize(
    ("search", "ids"),
    [
        ({"status": {"is": "active"}}, ["leser"]),
        ({"status": {"in": ["active", "archived"]}}, ["kurs", "leser"]),
        ({"type": {"is": "charge"}}, ["kurs", "leser"]),
        ({"item_family_id": {"is": "varer"}}, ["kurs", "leser"]),
        ({"name": {"starts_with": "les"}}, ["leser"]),
        ({"sort_by": {"desc": "name"}, "limit": 1}, ["leser"]),
        ({"updated_at": {"after": 4000000000}}, []),
    ],
)
def test_items_are_found_by(
    shop: chargebee.Chargebee, search: dict[str, Any], ids: list[str]
) -> None:
    shop.Item.update("kurs", {"status": "archived"})
    assert sorted(entry.item.id for entry in shop.Item.list(search).list) == ids


def test_an_item_price_comes_back_as_it_was_made(shop: chargebee.Chargebee) -> None:
    details = {"sku": "L-1", "accounting_code": "3000", "accounting_category1": "A"}
    given = {
        "id": "leser-EUR",
        "name": "leser EUR",
        "item_id": "leser",
        "currency_code": "EUR",
        "price": 990,
    }
    made = shop.ItemPrice.create(
        {
            **given,
            "pricing_model": "per_unit",
            "accounting_detail": details,
            "tax_detail": {"tax_profile_id": "t"},
        }
    ).item_price
    assert (made.id, made.item_id, made.item_type, made.price) == (
        "leser-EUR",
        "leser",
        "charge",
        990,
    )
    assert (made.currency_code, made.pricing_model, made.status) == ("EUR", "per_unit", "active")
    assert (made.accounting_detail.sku, made.accounting_detail.accounting_code) == ("L-1", "3000")
    assert (made.tax_detail.tax_profile_id, made.period, made.is_taxable) == ("t", None, True)
    assert shop.ItemPrice.retrieve("leser-EUR").item_price.raw_data == made.raw_data


def test_a_recurring_price_has_a_period_and_another_model_has_tiers(
    shop: chargebee.Chargebee,
) -> None:
    shop.Item.create({"id": "abo", "name": "abo", "type": "plan", "item_family_id": "varer"})
    tiers = [
        {"starting_unit": 1, "ending_unit": 10, "price": 500},
        {"starting_unit": 11, "price": 400},
    ]
    given = {"id": "abo-NOK", "name": "abo NOK", "item_id": "abo", "currency_code": "NOK"}
    terms = {"pricing_model": "tiered", "tiers": tiers, "period": 1, "period_unit": "month"}
    made = shop.ItemPrice.create({**given, **terms}).item_price
    assert (made.period, made.period_unit) == (1, "month")
    assert [tier.price for tier in made.tiers] == [500, 400]


def test_the_price_of_a_used_item_price_still_changes(shop: chargebee.Chargebee) -> None:
    sold(shop)
    changed = shop.ItemPrice.update(
        "leser-NOK", {"price": 11000, "external_name": "Leser"}
    ).item_price
    assert (changed.price, changed.external_name) == (11000, "Leser")


def test_a_used_item_price_is_archived_instead_of_deleted(shop: chargebee.Chargebee) -> None:
    sold(shop)
    archived = shop.ItemPrice.delete("leser-NOK").item_price
    assert archived.status == "archived"
    shop.ItemPrice.create(
        {"id": "kurs-EUR", "name": "k", "item_id": "kurs", "currency_code": "EUR", "price": 1}
    )
    assert shop.ItemPrice.delete("kurs-EUR").item_price.status == "deleted"


@pytest.mark.parametrize(
    ("search", "ids"),
    [
        ({"item_id": {"is": "leser"}}, ["leser-NOK"]),
        ({"item_id": {"in": ["leser", "kurs"]}}, ["kurs-NOK", "leser-NOK"]),
        ({"id": {"in": ["kurs-NOK", "none"]}}, ["kurs-NOK"]),
        ({"item_type": {"is": "charge"}}, ["kurs-NOK", "leser-NOK"]),
        ({"currency_code": {"is": "EUR"}}, []),
        ({"pricing_model": {"in": ["per_unit"]}}, ["kurs-NOK", "leser-NOK"]),
        ({"status": {"in": ["archived", "deleted"]}}, []),
        ({"sort_by": {"asc": "id"}, "limit": 1}, ["kurs-NOK"]),
    ],
)
def test_item_prices_are_found_by(
    shop: chargebee.Chargebee, search: dict[str, Any], ids: list[str]
) -> None:
    assert sorted(entry.item_price.id for entry in shop.ItemPrice.list(search).list) == ids
