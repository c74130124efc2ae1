"""Chargebee's records as canonical entities and back, on payloads typed by hand from the vendor's
reference."""

import json
from datetime import date
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from contracts.entities import Address, Customer, Invoice, Line, Order, Price, Product
from contracts.units import exponent, major, minor, rounded, unit_code, unit_word
from runtime.problems import Unwritable
from runtime.vendor import Refused
from services.chargebee_adapter import mapping
from services.chargebee_adapter.client import any_of, form, path
from services.chargebee_adapter.customer import writes as customer_writes
from services.chargebee_adapter.customer.canonical import customer
from services.chargebee_adapter.guard import plan, restamp
from services.chargebee_adapter.mapping import Reading, observed
from services.chargebee_adapter.order import canonical as order_canonical
from services.chargebee_adapter.order import writes as order_writes
from services.chargebee_adapter.order.writes import ChargePrice, Import
from services.chargebee_adapter.product import writes as product_writes
from services.chargebee_adapter.product.canonical import Pricing, product, version_of
from services.chargebee_adapter.refusals import is_duplicate

OSLO = ZoneInfo("Europe/Oslo")
NET = Pricing("NOK")
GROSS = Pricing("NOK", gross=True, vat_rate=Decimal("0.25"))

PERSON: dict[str, Any] = {
    "id": "kari-nordmann-12",
    "object": "customer",
    "first_name": " Kari ",
    "last_name": "Nordmann",
    "email": "kari@eksempel.no",
    "phone": "+47 90000000",
    "auto_collection": "on",
    "net_term_days": 0,
    "taxability": "taxable",
    "preferred_currency_code": "NOK",
    "deleted": False,
    "created_at": 1740000000,
    "updated_at": 1740000123,
    "resource_version": 1740000123456,
    "billing_address": {
        "first_name": "K",
        "line1": "Storgata 1",
        "line2": "2. etg",
        "line3": "Oppgang B",
        "city": "Oslo",
        "zip": "0150",
        "country": "NO",
        "object": "billing_address",
    },
}
COMPANY: dict[str, Any] = {
    "id": "1017",
    "first_name": "Ola",
    "last_name": "Moen",
    "company": "Fjordbygg AS",
    "vat_number": "NO 923 609 016 MVA",
    "taxability": "exempt",
    "resource_version": 1740000000001,
    "deleted": False,
    "billing_address": {"country": "NO"},
}
ITEM: dict[str, Any] = {
    "id": "fjord,basis",
    "object": "item",
    "name": "fjord-basis-intern",
    "external_name": "Fjord Basis",
    "type": "plan",
    "description": "Regnskap",
    "unit": "Måned",
    "status": "active",
    "item_family_id": "abonnement",
    "resource_version": 1700000000000,
    "is_shippable": False,
}
PRICE: dict[str, Any] = {
    "id": "fjord-basis-NOK-monthly",
    "object": "item_price",
    "name": "Fjord NOK",
    "item_id": "fjord,basis",
    "pricing_model": "flat_fee",
    "price": 29900,
    "currency_code": "NOK",
    "period": 1,
    "period_unit": "month",
    "status": "active",
    "item_type": "plan",
    "resource_version": 1700000000007,
}
ORDER: dict[str, Any] = {
    "id": "42",
    "object": "order",
    "document_number": "ORDER-42",
    "invoice_id": "INV-7",
    "customer_id": "1017",
    "status": "queued",
    "payment_status": "paid",
    "price_type": "tax_exclusive",
    "currency_code": "NOK",
    # 2026-10-05 22:30 UTC, which is the sixth in Oslo.
    "order_date": 1791239400,
    "shipping_date": 1791500000,
    "created_at": 1791239400,
    "resource_version": 1791239400555,
    "sub_total": 200000,
    "discount": 20000,
    "tax": 45000,
    "total": 225000,
    "deleted": False,
    "order_line_items": [
        {
            "id": "oli_1",
            "entity_type": "charge_item_price",
            "entity_id": "leser-NOK",
            "description": "Leser",
            "unit_price": 100000,
            "fulfillment_quantity": 2,
            "amount": 200000,
            "discount_amount": 20000,
            "tax_amount": 45000,
            "fulfillment_amount": 225000,
            "status": "queued",
        },
    ],
}


def with_(raw: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {**raw, **changes}


def order(raw: dict[str, Any], **facts: Any) -> Reading:
    base: dict[str, Any] = {
        "items_by_price": {"leser-NOK": "leser"},
        "po_number": None,
        "zone": OSLO,
    }
    return order_canonical.order(raw, **(base | facts))


# --- customers
# ----------------------------------------------------------------------------------------------


def test_a_person_is_read() -> None:
    reading = customer(PERSON)
    assert reading == Reading(
        "customer",
        "kari-nordmann-12",
        "1740000123456",
        Customer(
            kind="person",
            first_name="Kari",
            last_name="Nordmann",
            email="kari@eksempel.no",
            phone="+47 90000000",
            currency="NOK",
            address=Address(
                line1="Storgata 1", line2="2. etg, Oppgang B", city="Oslo", zip="0150", country="NO"
            ),
        ),
    )


def test_a_company_has_a_number_and_no_personal_names() -> None:
    reading = customer(COMPANY)
    assert reading.entity == Customer(
        kind="company",
        company="Fjordbygg AS",
        organisation_number="923609016",
        vat_exempt=True,
        address=Address(country="NO"),
    )
    assert reading.incomplete == ("address",)


def test_a_person_without_names_takes_those_of_the_billing_address() -> None:
    raw = with_(
        PERSON,
        first_name=None,
        last_name="",
        billing_address={"first_name": "Kari", "last_name": "N"},
    )
    entity = customer(raw).entity
    assert isinstance(entity, Customer)
    assert (entity.first_name, entity.last_name, entity.address) == ("Kari", "N", None)


def test_a_deleted_customer_keeps_its_content() -> None:
    reading = customer(with_(PERSON, deleted=True))
    assert reading.deleted
    assert isinstance(reading.entity, Customer)
    assert reading.entity.archived


def test_northern_ireland_is_gb_and_a_foreign_vat_number_is_no_organisation_number() -> None:
    reading = customer(
        with_(
            COMPANY, vat_number="XI123456789", billing_address={"country": "XI", "city": "Belfast"}
        )
    )
    assert isinstance(reading.entity, Customer)
    assert reading.entity.address == Address(city="Belfast", country="GB")
    assert reading.entity.organisation_number is None
    assert reading.incomplete == ("organisation_number", "vat_number", "address")


@pytest.mark.parametrize("country", [None, "NO", "SJ", "BV"])
@pytest.mark.parametrize(
    "vat_number",
    [
        "NO 923 609 016 MVA",
        "NO-923609016",
        "Org.nr. 923 609 016",
        "(NO) 923609016 MVA",
        "NO923609016-MVA",
    ],
)
def test_norwegian_numbers_are_found_on_svalbard_too(vat_number: str, country: str | None) -> None:
    place = {"line1": "Vei 500", "city": "Longyearbyen", "zip": "9170", "country": country}
    reading = customer(
        {
            "id": "sval-1",
            "company": "Nordlys AS",
            "vat_number": vat_number,
            "billing_address": place,
        }
    )
    assert isinstance(reading.entity, Customer)
    assert (reading.entity.organisation_number, reading.incomplete) == ("923609016", ())


@pytest.mark.parametrize(
    ("vat_number", "country"), [("SE556036079301", None), ("923609016", "SE"), ("923609017", "NO")]
)
def test_other_numbers_are_unfit(vat_number: str, country: str | None) -> None:
    reading = customer(with_(COMPANY, vat_number=vat_number, billing_address={"country": country}))
    assert isinstance(reading.entity, Customer)
    assert reading.entity.organisation_number is None
    assert "organisation_number" in reading.incomplete


@pytest.mark.parametrize(
    ("changes", "stamp"),
    [
        ({}, None),
        ({"id": "go-17"}, "go-17"),
        ({"meta_data": {"poweroffice_id": 17}}, "go-17"),
        ({"meta_data": {"other": "1"}}, None),
        ({"meta_data": {"poweroffice_id": ["x"]}}, None),
    ],
)
def test_the_stamp_is_an_own_id_or_stands_in_the_metadata(
    changes: dict[str, Any], stamp: str | None
) -> None:
    assert customer(with_(PERSON, **changes)).stamp == stamp


def test_what_cannot_be_read_names_the_vendor_field() -> None:
    reading = customer(with_(PERSON, email=["x"]))
    assert reading.entity is None
    assert reading.problem is not None
    assert (reading.problem.code, reading.problem.field) == ("unreadable", "email")
    assert "customer.email in Chargebee" in reading.problem.message
    assert reading.version == "1740000123456"
    event = observed(reading, tenant="demo", at="2026-01-01T00:00:00Z")
    assert (event.data, event.problem) == (None, reading.problem)


@pytest.mark.parametrize(
    "raw", [{}, {"id": None}, {"id": 5}, {"id": "x", "resource_version": "y", "deleted": "?"}]
)
def test_odd_records_raise_nothing(raw: dict[str, Any]) -> None:
    for reading in (customer(raw), product(raw, [raw], NET), order(raw)):
        assert reading.entity is not None or reading.problem is not None


# --- products
# -----------------------------------------------------------------------------------------------


def test_an_item_with_its_price_is_one_product() -> None:
    reading = product(ITEM, [PRICE], NET)
    assert reading.entity == Product(
        code="fjord_basis",
        name="Fjord Basis",
        description="Regnskap",
        unit="MON",
        kind="plan",
        group="abonnement",
        price=Price(amount=Decimal(299), currency="NOK"),
        shippable=False,
    )
    assert reading.version == "1700000000007.00003400000000007"


@pytest.mark.parametrize("shippable", [True, False, None])
def test_an_item_says_whether_it_is_goods(shippable: bool | None) -> None:
    raw = {name: value for name, value in ITEM.items() if name != "is_shippable"}
    raw |= {} if shippable is None else {"is_shippable": shippable}
    entity = product(raw, [PRICE], NET).entity
    assert isinstance(entity, Product)
    assert entity.shippable is shippable


def test_the_version_rises_with_every_part_also_below_the_greatest() -> None:
    before = version_of(ITEM, [PRICE])
    assert version_of(with_(ITEM, resource_version=1700000000005), [PRICE]) > before
    assert version_of(ITEM, [with_(PRICE, resource_version=1700000000008)]) > before
    assert version_of(ITEM, [PRICE, with_(PRICE, resource_version=1700000000001)]) > before


@pytest.mark.parametrize(
    ("prices", "amount"),
    [
        ([], None),
        ([PRICE, with_(PRICE, id="yearly", period_unit="year")], None),
        ([PRICE, with_(PRICE, id="eur", currency_code="EUR", price=2990)], "299"),
        ([PRICE, with_(PRICE, id="old", status="archived")], "299"),
        ([PRICE, with_(PRICE, id="steps", pricing_model="tiered", price=None)], "299"),
        ([with_(PRICE, pricing_model="volume")], None),
        ([with_(PRICE, price_in_decimal="299.12345")], "299.12345"),
        ([with_(PRICE, price_in_decimal="x")], None),
    ],
)
def test_only_a_single_flat_price_in_the_ledger_currency_counts(
    prices: list[Any], amount: str | None
) -> None:
    entity = product(ITEM, prices, NET).entity
    assert isinstance(entity, Product)
    assert entity.price == (
        None if amount is None else Price(amount=Decimal(amount), currency="NOK")
    )


def test_gross_prices_need_a_rate() -> None:
    entity = product(ITEM, [with_(PRICE, price=9999)], GROSS).entity
    assert isinstance(entity, Product)
    assert entity.price == Price(amount=Decimal("79.99"), currency="NOK")
    without = product(ITEM, [PRICE], Pricing("NOK", gross=True)).entity
    assert isinstance(without, Product)
    assert without.price is None


def test_a_go_born_item_has_its_code_as_sku() -> None:
    own = with_(ITEM, id="go-9", status="archived")
    entity = product(own, [with_(PRICE, accounting_detail={"sku": "3201"})], NET).entity
    assert isinstance(entity, Product)
    assert (entity.code, entity.archived) == ("3201", True)
    assert product(own, [], NET).stamp == "go-9"


def test_an_item_type_that_is_not_known_is_a_problem() -> None:
    reading = product(with_(ITEM, type="bundle"), [], NET)
    assert reading.problem is not None
    assert reading.problem.field == "type"


# --- orders
# -------------------------------------------------------------------------------------------------


def test_an_order_is_read() -> None:
    reading = order(ORDER, po_number=" PO-1 ")
    assert reading.entity == Order(
        customer_id="1017",
        number="ORDER-42",
        currency="NOK",
        order_date=date(2026, 10, 6),
        delivery_date=date(2026, 10, 9),
        purchase_order="PO-1",
        status="draft",
        invoice=Invoice(number="INV-7", paid=True),
        fulfilment="queued",
        lines=(
            Line(
                id="oli_1",
                product_id="leser",
                description="Leser",
                quantity=Decimal(2),
                unit_price=Decimal(1000),
                discount_percent=Decimal(10),
                net=Decimal(1800),
                tax=Decimal(450),
            ),
        ),
        net=Decimal(1800),
        tax=Decimal(450),
        total=Decimal(2250),
    )
    assert (reading.stamp, reading.version) == (None, "1791239400555")


def test_amounts_with_tax_inside_become_net() -> None:
    line = {
        **ORDER["order_line_items"][0],
        "unit_price": 125000,
        "amount": 250000,
        "discount_amount": 25000,
        "tax_amount": 45000,
    }
    entity = order(with_(ORDER, price_type="tax_inclusive", order_line_items=[line])).entity
    assert isinstance(entity, Order)
    first = entity.lines[0]
    assert (first.unit_price, first.discount_percent, first.net) == (
        Decimal(1000),
        Decimal(10),
        Decimal(1800),
    )


def test_a_discount_of_everything_leaves_nothing() -> None:
    line = {**ORDER["order_line_items"][0], "discount_amount": 200000, "tax_amount": 0}
    for price_type in ("tax_exclusive", "tax_inclusive"):
        entity = order(
            with_(ORDER, price_type=price_type, order_line_items=[line], tax=0, total=0)
        ).entity
        assert isinstance(entity, Order)
        assert (entity.lines[0].unit_price, entity.lines[0].net) == (Decimal(1000), Decimal(0))
        assert entity.lines[0].discount_percent == 100


@pytest.mark.parametrize(
    ("currency", "total"), [("JPY", "225000"), ("BHD", "225"), ("EUR", "2250")]
)
def test_minor_units_follow_the_currency(currency: str, total: str) -> None:
    entity = order(with_(ORDER, currency_code=currency)).entity
    assert isinstance(entity, Order)
    assert entity.total == Decimal(total)


@pytest.mark.parametrize(
    ("status", "canonical"),
    [
        ("queued", "draft"),
        ("shipped", "draft"),
        ("partially_delivered", "draft"),
        ("delivered", "confirmed"),
        ("complete", "confirmed"),
        ("cancelled", "cancelled"),
        ("voided", "cancelled"),
        ("returned", "cancelled"),
    ],
)
def test_statuses(status: str, canonical: str) -> None:
    entity = order(with_(ORDER, status=status)).entity
    assert isinstance(entity, Order)
    assert entity.status == canonical


def test_delivery_comes_before_the_shipping_date_and_creation_for_the_order_date() -> None:
    entity = order(with_(ORDER, order_date=None, delivered_at=1791600000)).entity
    assert isinstance(entity, Order)
    assert (entity.order_date, entity.delivery_date) == (date(2026, 10, 6), date(2026, 10, 10))


@pytest.mark.parametrize("changes", [{"id": "go-a"}, {"invoice_id": "go-a"}])
def test_go_born_orders_are_known_by_order_or_invoice_id(changes: dict[str, Any]) -> None:
    assert order(with_(ORDER, **changes)).stamp == "go-a"


def test_an_adhoc_line_has_no_product() -> None:
    line = {
        "id": "l",
        "entity_type": "adhoc",
        "description": "Frakt",
        "amount": 100,
        "fulfillment_quantity": 1,
    }
    entity = order(with_(ORDER, order_line_items=[line], tax=0, total=100)).entity
    assert isinstance(entity, Order)
    assert (entity.lines[0].product_id, entity.lines[0].unit_price) == (None, Decimal(1))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        (
            {"order_line_items": [{"id": str(n), "entity_type": "adhoc"} for n in range(501)]},
            "too_many_lines",
        ),
        (
            {
                "order_line_items": [
                    {"id": "1", "entity_type": "charge_item_price", "entity_id": "gone"}
                ]
            },
            "unknown_price",
        ),
        ({"original_order_id": "41"}, "resend"),
        ({"currency_code": None}, "missing"),
    ],
)
def test_orders_that_cannot_be_carried_say_why(changes: dict[str, Any], code: str) -> None:
    problem = order(with_(ORDER, **changes)).problem
    assert problem is not None
    assert problem.code == code


def test_noon_is_the_local_date_on_both_sides_of_summer_time() -> None:
    for day in (date(2026, 3, 29), date(2026, 10, 25), date(2026, 1, 1)):
        assert order_canonical.local_date(order_canonical.noon(day, OSLO), OSLO) == day


# --- writing
# ------------------------------------------------------------------------------------------------


def test_a_third_line_of_an_address_that_stands_alone_is_not_doubled() -> None:
    """It is read as the second one; the address moves, and the text is there once."""
    raw = with_(
        PERSON,
        billing_address={"line1": "Gate 1", "line3": "Oppgang B", "city": "Oslo", "zip": "0150"},
    )
    assert isinstance(found := customer(raw).entity, Customer)
    assert found.address == Address(line1="Gate 1", line2="Oppgang B", city="Oslo", zip="0150")
    moved = Address(line1="Gate 2", line2="Oppgang B", city="Oslo", zip="0150")
    written = customer_writes.billing_update(raw, {"address": moved})["billing_address"]
    assert written == {"line1": "Gate 2", "line3": "Oppgang B", "city": "Oslo", "zip": "0150"}


def test_a_billing_update_sends_along_what_would_be_erased() -> None:
    raw = with_(
        COMPANY,
        business_customer_without_vat_number=False,
        billing_address={
            "email": "a@b.no",
            "line1": "Gate 1",
            "line2": "A",
            "line3": "B",
            "city": "Oslo",
            "zip": "0150",
            "country": "NO",
            "state": "Viken",
            "object": "billing_address",
            "validation_status": "valid",
        },
    )
    moved = Address(line1="Gate 2", line2="A, B", city="Bergen", zip="5003", country="NO")
    assert customer_writes.billing_update(raw, {"address": moved}) == {
        "vat_number": "NO 923 609 016 MVA",
        "business_customer_without_vat_number": False,
        "billing_address": {
            "email": "a@b.no",
            "state": "Viken",
            "line1": "Gate 2",
            "line2": "A",
            "line3": "B",
            "city": "Bergen",
            "zip": "5003",
            "country": "NO",
        },
    }
    abroad = Address(line1="Gate 2", city="Lund", zip="22100", country="SE")
    assert (
        "state" not in customer_writes.billing_update(raw, {"address": abroad})["billing_address"]
    )
    assert customer_writes.billing_update(raw, {"address": None})["billing_address"] == {
        "email": "a@b.no"
    }
    number = customer_writes.billing_update(raw, {"organisation_number": "974760673"})
    assert number["vat_number"] == "974760673"
    assert number["billing_address"]["line3"] == "B"


def test_a_blank_country_keeps_the_one_that_is_there() -> None:
    current = Customer(kind="person", address=Address(city="Oslo", zip="0150", country="SE"))
    address = Address(city="Oslo", zip="0151")
    held = customer_writes.fitting({"address": address}, current, "NO").held
    assert held["address"].country == "SE"
    fresh = customer_writes.fitting({"address": address}, None, "NO").held
    assert fresh["address"].country == "NO"


def test_what_chargebee_cannot_hold_is_held_back_in_words() -> None:
    fields = {
        "kind": "company",
        "company": "A",
        "organisation_number": "1",
        "address": Address(city="Oslo"),
        "archived": True,
    }
    fitting = customer_writes.fitting(fields, None, None)
    assert fitting.held == {"company": "A"}
    assert {name: fault.message for name, fault in fitting.faults.items()} == {
        "organisation_number": "'1' is no Norwegian organisation number; correct it in "
        "PowerOffice Go",
        "address": "an address in Chargebee needs a city and a zip; fill them in PowerOffice Go",
    }
    gross_without_rate = Pricing("NOK", gross=True)
    for amount, currency, pricing, can_price, words in (
        ("1", "EUR", NET, True, "a price in EUR is not carried"),
        ("1", "NOK", gross_without_rate, True, "no VAT rate"),
        ("-1", "NOK", NET, True, "no negative prices"),
        ("1", "NOK", NET, False, "not exactly one plain price"),
    ):
        price = {"price": Price(amount=Decimal(amount), currency=currency)}
        fitting = product_writes.fitting(price, pricing, None, can_price=can_price)
        assert fitting.held == {}
        assert words in fitting.faults["price"].message


LONG_PHONE = "+47 22 33 44 55 (direkte, men bare etter klokken tolv og ikke fredag)"


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        (
            "phone",
            LONG_PHONE,
            "Chargebee's phone holds 50 characters, this has 69; shorten it in PowerOffice Go",
        ),
        ("email", "a" * 60 + "@eksempel.no", "email holds 70 characters, this has 72"),
        ("first_name", "x" * 151, "first_name holds 150 characters, this has 151"),
        ("last_name", "x" * 151, "last_name holds 150 characters"),
        ("company", "x" * 251, "company holds 250"),
        (
            "address",
            Address(line1="x" * 151, city="Oslo", zip="0150"),
            "billing_address.line1 holds 150",
        ),
        (
            "address",
            Address(line2="x" * 151, city="Oslo", zip="0150"),
            "billing_address.line2 holds 150",
        ),
        ("address", Address(city="x" * 51, zip="0150"), "billing_address.city holds 50"),
        ("address", Address(city="Oslo", zip="0" * 21), "billing_address.zip holds 20"),
    ],
)
def test_a_field_of_a_customer_that_is_too_long_is_held_back_alone(
    field: str, value: Any, words: str
) -> None:
    fields = {"currency": "NOK", field: value}
    fitting = customer_writes.fitting(fields, Customer(kind="person"), None)
    assert fitting.held == {"currency": "NOK"}
    assert list(fitting.faults) == [field]
    assert words in fitting.faults[field].message


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("name", "x" * 101, "name holds 100 characters, this has 101"),
        ("name", None, "a product needs a name"),
        ("description", "x" * 501, "description shows 500 characters, this has 501"),
        ("description", "<br>" * 500 + "x", "description holds 2000 characters, this has 2001"),
        ("unit", "x" * 31, "unit holds 30 characters"),
    ],
)
def test_a_field_of_a_product_that_is_too_long_is_held_back_alone(
    field: str, value: Any, words: str
) -> None:
    fitting = product_writes.fitting({"archived": False, field: value}, NET, None, can_price=False)
    assert fitting.held == {"archived": False}
    assert words in fitting.faults[field].message


def test_a_description_may_be_as_long_as_what_is_shown_of_it() -> None:
    description = "<b>" * 100 + "x" * 500
    assert (
        product_writes.fitting({"description": description}, NET, None, can_price=False).faults
        == {}
    )


@pytest.mark.parametrize(
    ("fields", "code"),
    [({"kind": "company", "company": "x" * 251}, "too_long"), ({"kind": "company"}, "missing")],
)
def test_without_its_name_nothing_is_created(fields: dict[str, Any], code: str) -> None:
    with pytest.raises(Unwritable) as nameless:
        customer_writes.creation("go-1", "company", customer_writes.fitting(fields, None, None))
    assert (nameless.value.problem.code, nameless.value.problem.field) == (code, "company")
    name = {"name": "x" * 101 if code == "too_long" else None}
    with pytest.raises(Unwritable) as nameless:
        product_writes.item_creation(
            "go-1", "f", product_writes.fitting(name, NET, None, can_price=True)
        )
    assert (nameless.value.problem.code, nameless.value.problem.field) == (code, "name")


def test_a_cleared_field_is_sent_empty() -> None:
    params = customer_writes.update({"phone": None, "vat_exempt": True})
    assert form(params) == [("phone", ""), ("taxability", "exempt")]


def test_prices_are_wanted_as_they_will_be_held() -> None:
    price = {"price": Price(amount=Decimal("79.995"), currency="NOK")}
    held = product_writes.fitting(price, GROSS, None, can_price=True).held
    assert held["price"] == Price(amount=Decimal("79.99"), currency="NOK")
    assert product_writes.amount_params(held["price"].amount, GROSS) == {"price": 9999}


def test_product_names_are_made_unique() -> None:
    assert product_writes.with_code("x" * 100, "3201") == "x" * 93 + " (3201)"


def import_of(lines: tuple[Line, ...], total: str, **facts: Any) -> dict[str, Any]:
    day, amount = date(2026, 10, 5), Decimal(total)
    wanted = Order(
        customer_id="c", currency="NOK", order_date=day, lines=lines, total=amount, **facts
    )
    order_writes.check(wanted)
    how = Import(
        is_paid=True, payment_method="other", order_status="on_hold", zone=OSLO, now_s=1900000000
    )
    return order_writes.invoice("go-a", wanted, {"p": ChargePrice("p-NOK", "Vare")}, how)


def line(net: str, tax: str = "0", **facts: Any) -> Line:
    base: dict[str, Any] = {"id": "1", "unit_price": Decimal(net)}
    return Line(net=Decimal(net), tax=Decimal(tax), **(base | facts))


def test_an_import_has_whole_quantities_and_its_taxes() -> None:
    goods = line(
        "9180", "2295", id="11", product_id="p", quantity=Decimal(2), unit_price=Decimal(4590)
    )
    food = line("0.33", "0.05", id="12", description="Kaffe")
    params = import_of((goods, food), "11475.38", invoice=Invoice(number="50001"))
    assert params["line_items"] == [
        {
            "id": "go-11",
            "description": "Vare",
            "unit_amount": 459000,
            "quantity": 2,
            "amount": 918000,
            "entity_type": "charge_item_price",
            "entity_id": "p-NOK",
            "tax1_name": "VAT 25 %",
            "tax1_amount": 229500,
        },
        {
            "id": "go-12",
            "description": "Kaffe",
            "unit_amount": 33,
            "quantity": 1,
            "amount": 33,
            "entity_type": "adhoc",
            "tax1_name": "VAT 15 %",
            "tax1_amount": 5,
        },
    ]
    assert params["taxes"] == [{"name": "VAT 25 %", "rate": 25}, {"name": "VAT 15 %", "rate": 15}]
    assert params["payments"] == [
        {
            "amount": 1147538,
            "payment_method": "other",
            "date": 1791194400,
            "reference_number": "50001",
        }
    ]


def test_small_lines_share_the_rate_that_explains_their_tax() -> None:
    params = import_of((line("1000", "250"), line("0.10", "0.03", id="2")), "1250.13")
    assert [each["tax1_name"] for each in params["line_items"]] == ["VAT 25 %", "VAT 25 %"]


def test_a_rate_that_gives_the_tax_exactly_comes_before_one_that_comes_near() -> None:
    params = import_of(
        (line("1000", "250"), line("900", "135", id="2"), line("0.06", "0.01", id="3")), "2285.07"
    )
    assert [each["tax1_name"] for each in params["line_items"]] == [
        "VAT 25 %",
        "VAT 15 %",
        "VAT 15 %",
    ]


def test_the_rate_in_a_currency_of_three_decimals_is_one_that_go_rounded_to_two() -> None:
    lines = (line("86.987", "21.75"),)
    wanted = Order(
        customer_id="c",
        currency="KWD",
        order_date=date(2026, 10, 5),
        lines=lines,
        total=Decimal("108.737"),
    )
    how = Import(
        is_paid=True, payment_method="other", order_status="on_hold", zone=OSLO, now_s=1900000000
    )
    (only,) = order_writes.invoice("go-a", wanted, {}, how)["line_items"]
    assert (only["tax1_name"], only["amount"], only["tax1_amount"]) == ("VAT 25 %", 86987, 21750)


def test_fractions_discounts_and_cents_are_explained() -> None:
    hours = line(
        "2238.75", quantity=Decimal("2.5"), unit_price=Decimal(995), discount_percent=Decimal(10)
    )
    params = import_of((hours,), "2238.80")
    assert params["line_items"][0]["description"] == "Line 1 (2.5 x 995, 10 % discount)"
    assert params["round_off"] == 5
    long = import_of(
        (line("1", quantity=Decimal("0.5"), unit_price=Decimal(2), description="å" * 300),), "1"
    )
    assert len(long["line_items"][0]["description"]) == 250
    assert long["line_items"][0]["description"].endswith(" (0.5 x 2)")


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"total": Decimal(-1)}, "credit_note", "total"),
        ({"order_date": None}, "missing", "order_date"),
        ({"lines": ()}, "missing", "lines"),
        ({"lines": (line("-3"), line("2"))}, "negative_line", "lines"),
        ({"total": Decimal(3)}, "totals", "total"),
        ({"currency": "XBT"}, "unknown_currency", "currency"),
        ({"total": Decimal("1.005")}, "amount_precision", "total"),
        ({"lines": (line("0.995"),)}, "amount_precision", "lines"),
        ({"currency": "JPY", "lines": (line("1.50"),)}, "amount_precision", "lines"),
        ({"lines": (line("0", "0.01"), line("1"))}, "tax", "lines"),
        ({"lines": (line("2", "-1"),)}, "tax", "lines"),
        ({"net": Decimal("1.02")}, "totals", "net"),
        ({"net": Decimal(-1), "lines": (line("1"),)}, "totals", "net"),
    ],
)
def test_orders_that_cannot_be_imported(changes: dict[str, Any], code: str, field: str) -> None:
    base: dict[str, Any] = {
        "customer_id": "c",
        "currency": "NOK",
        "order_date": date(2026, 1, 1),
        "lines": (line("1"),),
        "total": Decimal(1),
    }
    with pytest.raises(Unwritable) as error:
        order_writes.check(Order(**(base | changes)))
    problem = error.value.problem
    assert (problem.code, problem.field) == (code, field)


def test_a_negative_line_becomes_a_discount_of_a_line_at_its_rate() -> None:
    goods = line(
        "9180", "2295", id="11", product_id="p", quantity=Decimal(2), unit_price=Decimal(4590)
    )
    food = line("10000", "1500", id="12")
    back = line("-180", "-45", id="13", description="Rabatt")
    params = import_of((goods, food, back), "22750")
    assert [(each["id"], each["amount"], each["tax1_amount"]) for each in params["line_items"]] == [
        ("go-11", 918000, 225000),
        ("go-12", 1000000, 150000),
    ]
    assert params["discounts"] == [
        {
            "entity_type": "item_level_discount",
            "line_item_id": "go-11",
            "amount": 18000,
            "description": "Rabatt",
        }
    ]
    assert "round_off" not in params
    assert (params["total"], params["payments"][0]["amount"]) == (2275000, 2275000)


def test_a_discount_is_spread_over_lines_where_one_is_too_small() -> None:
    lines = (
        line("100", "25", id="1"),
        line("40", "10", id="2"),
        line("-120", "-30", id="3"),
        line("-20", "-5", id="4"),
    )
    params = import_of(lines, "0")
    assert [(each["line_item_id"], each["amount"]) for each in params["discounts"]] == [
        ("go-1", 10000),
        ("go-2", 2000),
        ("go-2", 2000),
    ]
    assert [each["tax1_amount"] for each in params["line_items"]] == [0, 0]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (
            (line("100", "25"), line("50", id="2"), line("-10", "-1.50", id="3")),
            "with 15 % VAT come to 0 NOK",
        ),
        (
            (line("100", "25"), line("50", id="2"), line("-60", id="3")),
            "with no VAT come to 50 NOK",
        ),
        (
            (line("100", "25"), line("50", id="2"), line("-60", id="3")),
            "line 3 of -60 NOK and 0 VAT",
        ),
    ],
)
def test_a_negative_line_without_room_at_its_rate_is_refused_with_the_numbers(
    lines: tuple[Line, ...], words: str
) -> None:
    total = sum((each.net + each.tax for each in lines), Decimal(0))
    order = Order(
        customer_id="c", currency="NOK", order_date=date(2026, 1, 1), lines=lines, total=total
    )
    with pytest.raises(Unwritable) as error:
        order_writes.check(order)
    problem = error.value.problem
    assert (problem.code, problem.field) == ("negative_line", "lines")
    assert words in problem.message


def test_a_date_still_to_come_is_imported_as_now() -> None:
    wanted = Order(
        customer_id="c",
        currency="NOK",
        order_date=date(2026, 10, 5),
        lines=(line("1"),),
        total=Decimal(1),
    )
    how = Import(
        is_paid=False, payment_method="other", order_status="on_hold", zone=OSLO, now_s=1791180000
    )
    assert order_writes.invoice("go-a", wanted, {}, how)["date"] == 1791180000
    assert order_writes.imported_order("go-a", wanted, how)["shipping_date"] == 1791194400


def test_the_stamp_is_added_beside_other_metadata_and_taken_away_again() -> None:
    raw = with_(ITEM, metadata={"a": 1, "poweroffice_id": "9"})
    plain = with_(ITEM, metadata={"a": 1})
    assert (
        json.loads(restamp(plain, "metadata", product(plain, [], NET), "go-9")["metadata"])
        == raw["metadata"]
    )
    assert json.loads(restamp(raw, "metadata", product(raw, [], NET), None)["metadata"]) == {"a": 1}
    assert restamp(raw, "metadata", product(raw, [], NET), "go-9") == {}
    with pytest.raises(Refused, match="already refers to go-9"):
        restamp(raw, "metadata", product(raw, [], NET), "go-8")


def test_the_guard_tells_done_stale_and_open_fields_apart() -> None:
    current = Customer(kind="person", phone="1", email="b")
    steps = plan(current, {"phone": "2", "email": "b"}, {"phone": "1", "email": "a"})
    assert (steps.to_write, steps.done, steps.is_stale) == ({"phone": "2"}, ("email",), False)
    assert plan(current, {"phone": "2"}, {"phone": "0"}).is_stale
    assert not plan(current, {"phone": "1"}, {"phone": "0"}).is_stale


# --- wire and units
# -----------------------------------------------------------------------------------------


def test_forms_are_nested_and_indexed_as_the_vendor_wants() -> None:
    params = {
        "a": {"b": True},
        "c": [{"d": 1, "e": Decimal("1.50")}, {"d": None}],
        "f": ["x"],
        "g": [],
        "h": {},
    }
    assert form(params) == [
        ("a[b]", "true"),
        ("c[d][0]", "1"),
        ("c[e][0]", "1.50"),
        ("c[d][1]", ""),
        ("f[0]", "x"),
    ]
    assert any_of(["a,b", "c'd"]) == '["a,b", "c\'d"]'
    assert path("customers", "a/b c", "delete") == "/customers/a/b%20c/delete"


@pytest.mark.parametrize(
    ("param", "field"), [("id", "id"), (None, "id"), ("item[name]", "name"), ("name", "name")]
)
def test_a_duplicate_names_its_field(param: str | None, field: str) -> None:
    error = Refused("duplicate_entry", "taken", field=param, status=400)
    assert is_duplicate(error, field)
    assert not is_duplicate(error, "name" if field == "id" else "id")
    assert not is_duplicate(Refused("param_wrong_value", "x", field=param), field)


@pytest.mark.parametrize(
    ("word", "code"),
    [
        ("hour", "HUR"),
        ("Timer", "HUR"),
        ("stk.", "EA"),
        ("måned", "MON"),
        ("sett", "SET"),
        ("kg", "KGM"),
        ("uke", "WEE"),
        ("liter", "LTR"),
        ("HUR", "HUR"),
        ("pall", "pall"),
        (" ", None),
        (None, None),
    ],
)
def test_units(word: str | None, code: str | None) -> None:
    assert unit_code(word) == code
    assert unit_code(unit_word(code)) == code


def test_currency_exponents() -> None:
    known = ("NOK", "HUF", "MGA", "JPY", "ISK", "KWD", "CLF")
    assert [exponent(currency) for currency in known] == [2, 2, 2, 0, 0, 3, 4]
    with pytest.raises(ValueError, match="'XBT' is no currency of ISO 4217"):
        exponent("XBT")
    assert (major(1250, "NOK"), minor(Decimal("12.505"), "NOK")) == (Decimal("12.5"), 1251)
    assert str(rounded(Decimal("100.004"), "NOK")) == "100"


def test_every_reading_carries_the_mapping_number() -> None:
    assert observed(customer(PERSON), tenant="demo", at="x").mapping == mapping.MAPPING
