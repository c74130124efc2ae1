"""Go payloads typed by hand, mapped both ways; and what is refused, in words."""

import re
from datetime import date
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from contracts.entities import Address, Customer, Invoice, Line, Order, Price, Product
from contracts.messages import Problem
from runtime.problems import Unwritable
from runtime.vendor import Refused
from services.poweroffice_adapter import mapping, refusals
from services.poweroffice_adapter.customer import canonical as customer_canonical
from services.poweroffice_adapter.customer import twins as customer_twins
from services.poweroffice_adapter.customer import writes as customer_writes
from services.poweroffice_adapter.order import canonical as order_canonical
from services.poweroffice_adapter.order import writes as order_writes
from services.poweroffice_adapter.product import canonical as product_canonical
from services.poweroffice_adapter.product import twins as product_twins
from services.poweroffice_adapter.product import writes as product_writes

OSLO = ZoneInfo("Europe/Oslo")
COMPANY: dict[str, Any] = {
    "Id": 4000007,
    "Number": 10007,
    "IsPerson": False,
    "Name": " Fjordvik Bakeri AS ",
    "FirstName": None,
    "LegalName": "Fjordvik Bakeri AS",
    "OrganizationNumber": "923 609 016",
    "EmailAddress": "post@fjordvik.no",
    "PhoneNumber": "22 33 44 55",
    "MailAddress": {
        "Id": 4500007,
        "AddressLine1": "Kaigata 3",
        "AddressLine2": "",
        "City": "Bergen",
        "ZipCode": "5003",
        "CountryCode": "NO",
        "LastChangedDateTimeOffset": "2026-03-02T09:00:00.5+01:00",
    },
    "CurrencyCode": "NOK",
    "IsVatFree": False,
    "IsArchived": False,
    "NationalIdNumber": "hidden",
    "ExternalImportReference": "cb-AzZ1",
    "ContactCreatedDateTimeOffset": "2026-01-01T10:00:00.0000000+00:00",
    "CustomerCreatedDateTimeOffset": "2026-01-01T10:00:04.0000000+00:00",
    "LastChangedDateTimeOffset": "2026-03-01T08:00:00.1234567+00:00",
}
FJORDVIK = Customer(
    kind="company",
    company="Fjordvik Bakeri AS",
    email="post@fjordvik.no",
    phone="22 33 44 55",
    organisation_number="923609016",
    currency="NOK",
    address=Address(line1="Kaigata 3", city="Bergen", zip="5003", country="NO"),
)
PRODUCT: dict[str, Any] = {
    "Id": 6000001,
    "Code": "basis",
    "Name": "Basis",
    "Description": "Abonnement per måned",
    "UnitOfMeasureCode": "MON",
    "UnitPrice": Decimal("199.00"),
    "ProductGroupId": 6500001,
    "IsArchived": False,
    "LastChangedDateTimeOffset": "2026-02-01T08:00:00Z",
}
BASIS = Product(
    code="basis",
    name="Basis",
    description="Abonnement per måned",
    unit="MON",
    price=Price(amount=Decimal("199"), currency="NOK"),
    group="abonnement",
)
ORDER: dict[str, Any] = {
    "Id": "0b4f7c1e-0000-4000-8000-000000000001",
    "SalesOrderNo": 20001,
    "CustomerId": 4000007,
    "CurrencyCode": None,
    "SalesOrderStatus": "Draft",
    "SalesOrderDate": "2026-03-01T00:00:00",
    "DeliveryDate": None,
    "PurchaseOrderReference": "PO 17",
    "ExternalImportReference": None,
    "NetAmount": Decimal("428.00"),
    "TotalAmount": Decimal("535.00"),
    "LineCount": 3,
    "LastChangedDateTimeOffset": "2026-03-01T08:00:00.0000001Z",
    "SalesOrderLines": [
        {
            "Id": "l-3",
            "LineType": "InvoiceFee",
            "ProductId": 6000099,
            "Description": "Gebyr",
            "Quantity": 1,
            "ProductUnitPrice": 69,
            "NetAmount": 69,
            "VatAmount": Decimal("17.25"),
            "SortOrder": 2,
        },
        {"Id": "l-1", "LineType": "Text", "Description": "Hei", "SortOrder": 0, "NetAmount": 0},
        {
            "Id": "l-2",
            "LineType": "Normal",
            "ProductId": 6000001,
            "Description": "Basis",
            "Quantity": 2,
            "ProductUnitPrice": None,
            "Allowance": None,
            "NetAmount": 359,
            "VatAmount": Decimal("89.75"),
            "SortOrder": 1,
        },
    ],
}
LINE = Line(
    id="l-2",
    product_id="6000001",
    description="Basis",
    quantity=Decimal(2),
    unit_price=Decimal("179.5"),
    net=Decimal(359),
    tax=Decimal("89.75"),
)
FEE = Line(
    id="l-3",
    description="Gebyr",
    unit_price=Decimal(69),
    net=Decimal(69),
    tax=Decimal("17.25"),
)


def reading(found: mapping.Reading | None) -> mapping.Reading:
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("sent", "wanted"),
    [
        ("2026-03-01T08:00:00.1234567+00:00", "2026-03-01T08:00:00.1234567Z"),
        ("2026-03-01T08:00:00.1+01:00", "2026-03-01T07:00:00.1000000Z"),
        ("2026-03-01 00:30:00-0230", "2026-03-01T03:00:00.0000000Z"),
        ("2026-03-01T08:00:00", "2026-03-01T08:00:00.0000000Z"),
        ("2026-03-01T08:00:00.123456789Z", "2026-03-01T08:00:00.1234567Z"),
        ("0001-01-01T00:00:00", mapping.NEVER),
        ("yesterday", mapping.NEVER),
        ("2026-13-01T08:00:00Z", mapping.NEVER),
        (None, mapping.NEVER),
    ],
)
def test_times_become_utc_with_seven_digits(sent: str | None, wanted: str) -> None:
    assert mapping.timestamp(sent) == wanted


def test_an_overlap_moves_a_time_back_and_stops_at_the_beginning() -> None:
    assert mapping.earlier("2026-03-01T00:01:00.1234567Z", 120) == "2026-02-28T23:59:00.1234567Z"
    assert mapping.earlier(mapping.NEVER, 120) == mapping.NEVER


def test_versions_order_by_time_then_number_and_never_fall() -> None:
    old = mapping.version("2026-03-01T08:00:00.0000000Z", 9)
    assert old == "2026-03-01T08:00:00.0000000Z#000000000009"
    assert mapping.version("2026-03-01T08:00:00.0000000Z", 10) > old
    assert (
        mapping.version("2026-02-01T08:00:00.0000000Z", 10, old)
        == "2026-03-01T08:00:00.0000000Z#000000000010"
    )


def test_a_company_is_read() -> None:
    found = reading(customer_canonical.customer(COMPANY))
    assert found.content == FJORDVIK
    assert (found.id, found.stamp, found.incomplete) == ("4000007", "cb-AzZ1", ())
    assert found.changed_at == "2026-03-01T08:00:00.1234567Z"
    assert found.newest_at == "2026-03-02T08:00:00.5000000Z"


def test_names_are_matched_without_regard_to_case() -> None:
    camel = {name[0].lower() + name[1:]: value for name, value in COMPANY.items()}
    camel["mailAddress"] = {
        name[0].lower() + name[1:]: value for name, value in COMPANY["MailAddress"].items()
    }
    assert reading(customer_canonical.customer(camel)).content == FJORDVIK


def test_a_person_has_names_and_no_organisation_number() -> None:
    person = COMPANY | {
        "IsPerson": True,
        "Name": "Kari Nes",
        "FirstName": "Kari",
        "LastName": "Nes",
    }
    content = reading(customer_canonical.customer(person)).content
    assert content == msgspec.structs.replace(
        FJORDVIK,
        kind="person",
        first_name="Kari",
        last_name="Nes",
        company=None,
        organisation_number=None,
    )


def test_a_country_alone_is_no_address() -> None:
    bare = COMPANY | {"MailAddress": {"AddressLine1": " ", "City": None, "CountryCode": "NO"}}
    content = reading(customer_canonical.customer(bare)).content
    assert isinstance(content, Customer)
    assert content.address is None


def test_an_address_without_city_is_kept_and_named_incomplete() -> None:
    found = reading(
        customer_canonical.customer(
            COMPANY | {"MailAddress": {"AddressLine1": "Kaigata 3", "ZipCode": "5003"}}
        )
    )
    assert found.incomplete == ("address",)
    assert isinstance(found.content, Customer)
    assert found.content.address == Address(line1="Kaigata 3", zip="5003")


def test_a_contact_made_earlier_has_another_role() -> None:
    found = reading(
        customer_canonical.customer(
            COMPANY | {"ContactCreatedDateTimeOffset": "2025-06-01T10:00:00Z"}
        )
    )
    assert found.incomplete == ("other_role",)


@pytest.mark.parametrize(
    ("change", "field"),
    [({"Name": " "}, "company"), ({"IsPerson": True, "Name": "Kari Nes"}, "first_name")],
)
def test_a_customer_without_name_is_a_problem(change: dict[str, Any], field: str) -> None:
    problem = reading(customer_canonical.customer(COMPANY | change)).content
    assert isinstance(problem, Problem)
    assert (problem.code, problem.field) == ("missing", field)


def test_an_unreadable_value_is_a_problem_that_names_it() -> None:
    problem = reading(customer_canonical.customer(COMPANY | {"IsVatFree": "perhaps"})).content
    assert isinstance(problem, Problem)
    assert (problem.code, problem.field) == ("unreadable", "IsVatFree")
    assert customer_canonical.customer({"Name": "No Id"}) is None


def test_a_product_is_read_with_its_group() -> None:
    found = product_canonical.product(
        PRODUCT, ledger_currency="NOK", groups={"6500001": "abonnement"}
    )
    assert reading(found).content == BASIS


def test_a_price_that_is_inherited_is_none() -> None:
    found = product_canonical.product(
        PRODUCT | {"UnitPrice": None}, ledger_currency="NOK", groups={}
    )
    assert reading(found).content == msgspec.structs.replace(BASIS, price=None, group=None)


def test_a_product_without_name_is_a_problem() -> None:
    problem = reading(
        product_canonical.product(PRODUCT | {"Name": None}, ledger_currency="NOK", groups={})
    ).content
    assert isinstance(problem, Problem)
    assert problem.field == "name"


def test_an_order_born_in_go_keeps_its_fee_and_drops_text() -> None:
    found = reading(order_canonical.sales_order(ORDER, currency="EUR"))
    assert found.content == Order(
        customer_id="4000007",
        number="20001",
        currency="EUR",
        order_date=date(2026, 3, 1),
        purchase_order="PO 17",
        status="draft",
        lines=(LINE, FEE),
        net=Decimal(428),
        tax=Decimal(107),
        total=Decimal(535),
    )
    assert found.incomplete == ("text_lines",)


def test_a_fee_is_no_part_of_an_order_of_chargebee() -> None:
    found = reading(
        order_canonical.sales_order(ORDER | {"ExternalImportReference": "cb-o1"}, currency="NOK")
    )
    assert isinstance(found.content, Order)
    assert found.content.lines == (LINE,)
    assert found.stamp == "cb-o1"
    assert found.incomplete == ()


def test_a_confirmed_order() -> None:
    found = reading(
        order_canonical.sales_order(ORDER | {"SalesOrderStatus": "Confirmed"}, currency="NOK")
    )
    assert isinstance(found.content, Order)
    assert found.content.status == "confirmed"


def test_an_invoice_is_the_sent_order() -> None:
    invoice = {
        "Id": ORDER["Id"],
        "OrderNo": 20001,
        "InvoiceNo": 50001,
        "CustomerId": 4000007,
        "CurrencyCode": "NOK",
        "OrderDate": None,
        "SentDateTimeOffset": "2026-03-31T22:30:00Z",
        "Balance": 0,
        "NetAmount": 359,
        "TotalAmount": Decimal("448.75"),
        "VoucherType": "OutgoingInvoice",
        "LastChangedDateTimeOffset": "2026-04-01T00:00:00Z",
    }
    line = dict(ORDER["SalesOrderLines"][2]) | {
        "Id": 8000001,
        "ProductUnitPrice": Decimal("179.50"),
    }
    found = reading(order_canonical.outgoing_invoice(invoice, [line], currency="NOK", zone=OSLO))
    assert found.content == Order(
        customer_id="4000007",
        number="20001",
        currency="NOK",
        order_date=date(2026, 4, 1),
        status="sent",
        invoice=Invoice(number="50001", paid=True, total=Decimal("448.75"), balance=Decimal(0)),
        lines=(msgspec.structs.replace(LINE, id="8000001"),),
        net=Decimal(359),
        tax=Decimal("89.75"),
        total=Decimal("448.75"),
    )


def sent(change: dict[str, Any], *lines: dict[str, Any]) -> mapping.Reading:
    invoice = {
        "Id": "x",
        "InvoiceNo": 50002,
        "TotalAmount": 125,
        "NetAmount": 100,
        "Balance": 125,
    } | change
    return reading(order_canonical.outgoing_invoice(invoice, lines, currency="NOK", zone=OSLO))


@pytest.mark.parametrize("sign", [1, -1])
def test_a_credit_note_is_data_that_is_never_taken_for_a_sale(sign: int) -> None:
    """Whichever sign its amounts have in Go; the number it names may be missing."""
    line = {
        "Id": 1,
        "LineType": "Normal",
        "ProductId": 7,
        "Quantity": sign,
        "ProductUnitPrice": 100,
        "NetAmount": 100 * sign,
        "VatAmount": 25 * sign,
    }
    change = {
        "VoucherType": "OutgoingCreditNote",
        "TotalAmount": 125 * sign,
        "NetAmount": 100 * sign,
        "Balance": -125,
    }
    found = sent(change | {"RelatedInvoiceNo": 50001}, line).content
    assert isinstance(found, Order)
    assert (found.status, found.credit_of, found.total, found.net, found.tax) == (
        "sent",
        "50001",
        -125,
        -100,
        -25,
    )
    assert [(one.quantity, one.unit_price, one.net, one.tax) for one in found.lines] == [
        (-1, 100, -100, -25)
    ]
    assert found.invoice == Invoice(
        number="50002", paid=False, total=Decimal(-125), balance=Decimal(-125)
    )
    nameless = sent(change, line).content
    assert isinstance(nameless, Order)
    assert nameless.credit_of is None


def test_a_draft_of_a_credit_note_is_data() -> None:
    change = {
        "TotalAmount": -125,
        "NetAmount": -100,
        "RelatedInvoiceNo": 50001,
        "SalesOrderLines": [],
    }
    found = reading(order_canonical.sales_order(ORDER | change, currency="NOK")).content
    assert isinstance(found, Order)
    assert (found.status, found.credit_of, found.total) == ("draft", "50001", -125)


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({"Balance": 0}, (True, False, 0)),
        ({"Balance": Decimal("0.01")}, (False, False, Decimal("0.01"))),
        ({"Balance": None}, (None, False, None)),
        ({"Balance": 0, "IsReversed": True}, (False, True, 0)),
        ({"IsReversed": True}, (False, True, 125)),
    ],
)
def test_what_stands_against_an_invoice(change: dict[str, Any], wanted: tuple[Any, ...]) -> None:
    found = sent(change).content
    assert isinstance(found, Order)
    assert found.invoice is not None
    assert (found.invoice.paid, found.invoice.void, found.invoice.balance) == wanted
    assert found.invoice.total == 125


@pytest.mark.parametrize("name", ["BalanceLastChangedDateTimeOffset", "SentDateTimeOffset"])
def test_a_booking_and_a_sending_move_the_version(name: str) -> None:
    found = sent(
        {"LastChangedDateTimeOffset": "2026-04-01T00:00:00Z", name: "2026-04-02T00:00:00Z"}
    )
    assert (found.changed_at[:10], found.newest_at[:10]) == ("2026-04-01", "2026-04-02")


OURS = {
    "Id": "t",
    "LineType": "Text",
    "SortOrder": 5,
    "Description": "Invoiced.",
    "ExternalImportReference": "tandem-notice",
}
FIRST = {"Id": "f", "LineType": "Text", "SortOrder": -1, "Description": " Do not send. "}


@pytest.mark.parametrize(
    ("lines", "stamp", "wanted"),
    [
        ([OURS], "cb-o1", "Invoiced."),
        (
            [FIRST | {"Description": "Invoiced in Chargebee. Do not send."}],
            "cb-o1",
            "Invoiced in Chargebee. Do not send.",
        ),
        ([FIRST], "cb-o1", None),  # a person's
        ([FIRST, OURS], "cb-o1", "Invoiced."),
        ([FIRST], None, None),
        ([FIRST | {"ExternalImportReference": "tandem-number"}], "cb-o1", None),
        ([FIRST | {"SortOrder": 9}], "cb-o1", None),
        ([], "cb-o1", None),
    ],
)
def test_the_notice_of_a_draft(
    lines: list[dict[str, Any]], stamp: str | None, wanted: str | None
) -> None:
    normal = dict(ORDER["SalesOrderLines"][2])
    raw = ORDER | {"ExternalImportReference": stamp, "SalesOrderLines": [normal, *lines]}
    found = reading(order_canonical.sales_order(raw, currency="NOK")).content
    assert isinstance(found, Order)
    assert found.notice == wanted
    assert [one.id for one in found.lines] == ["l-2"]


@pytest.mark.parametrize(
    ("kind", "wanted"), [("Product", True), ("Service", False), (None, None), ("Rental", None)]
)
def test_goods_are_shippable(kind: str | None, wanted: bool | None) -> None:
    found = product_canonical.product(
        PRODUCT | {"ProductType": kind}, ledger_currency="NOK", groups={"6500001": "abonnement"}
    )
    assert reading(found).content == msgspec.structs.replace(BASIS, shippable=wanted)


@pytest.mark.parametrize("name", ["SalesOrderDate", "DeliveryDate"])
def test_a_date_that_cannot_be_read_is_a_problem_and_no_blank(name: str) -> None:
    """A blank date is the day of sending."""
    problem = reading(
        order_canonical.sales_order(ORDER | {name: "31.12.2026"}, currency="NOK")
    ).content
    assert isinstance(problem, Problem)
    assert (problem.code, problem.field) == ("unreadable", name)
    assert isinstance(
        reading(order_canonical.sales_order(ORDER | {name: " "}, currency="NOK")).content, Order
    )


def test_too_many_lines_are_a_problem() -> None:
    many = [{"Id": str(number), "LineType": "Normal"} for number in range(501)]
    problem = reading(
        order_canonical.sales_order(ORDER | {"SalesOrderLines": many}, currency="NOK")
    ).content
    assert isinstance(problem, Problem)
    assert problem.code == "too_many_lines"
    texts = [{"Id": "t", "LineType": "Text"}, {"Id": "u", "LineType": "Text"}, *many[1:]]
    assert isinstance(
        reading(
            order_canonical.sales_order(ORDER | {"SalesOrderLines": texts}, currency="NOK")
        ).content,
        Order,
    )


def fields_of(entity: Customer | Product | Order) -> dict[str, Any]:
    return {name: getattr(entity, name) for name in entity.__struct_fields__}


def test_a_company_is_created() -> None:
    assert customer_writes.creation(fields_of(FJORDVIK), "cb-AzZ1", None) == {
        "IsPerson": False,
        "Name": "Fjordvik Bakeri AS",
        "EmailAddress": "post@fjordvik.no",
        "PhoneNumber": "22 33 44 55",
        "OrganizationNumber": "923609016",
        "CurrencyCode": "NOK",
        "IsVatFree": False,
        "MailAddress": {
            "AddressLine1": "Kaigata 3",
            "City": "Bergen",
            "ZipCode": "5003",
            "CountryCode": "NO",
        },
        "ExternalImportReference": "cb-AzZ1",
        "InvoiceDeliveryType": "PdfByEmail",
    }


def test_a_person_without_email_is_created_for_print_and_without_an_incomplete_address() -> None:
    kari = Customer(
        kind="person", first_name="Kari", last_name="Nes", address=Address(city="Bergen")
    )
    assert customer_writes.creation(fields_of(kari), "cb-k", None) == {
        "IsPerson": True,
        "FirstName": "Kari",
        "LastName": "Nes",
        "IsVatFree": False,
        "ExternalImportReference": "cb-k",
        "InvoiceDeliveryType": "Print",
    }


def test_a_person_needs_both_names() -> None:
    with pytest.raises(Unwritable) as error:
        customer_writes.creation(
            fields_of(Customer(kind="person", first_name="Kari")), "cb-k", None
        )
    assert (error.value.problem.code, error.value.problem.field) == ("missing", "last_name")


LONG = Address(line1="Kaigata 3", line2="x" * 201, city="Bergen", zip="5003", country="NO")


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        (
            {"email": "a" * 250 + "@b.no"},
            "email",
            "255 characters, and EmailAddress in PowerOffice Go takes 254",
        ),
        (
            {"organisation_number": "9" * 51},
            "organisation_number",
            "51 characters, and OrganizationNumber",
        ),
        (
            {"address": LONG},
            "address",
            "line2: it has 201 characters, and AddressLine2 in PowerOffice Go takes 200",
        ),
        ({"address": Address(line1="Kaigata 3", zip="5003")}, "address", "no address without city"),
        ({"address": None}, "address", "is not cleared"),
        ({"company": " "}, "company", "needs a company name"),
        ({"first_name": "Kari"}, "first_name", "keeps no first_name for a company"),
    ],
)
def test_what_go_cannot_hold_of_a_customer_is_held_back_alone(
    fields: dict[str, Any], field: str, words: str
) -> None:
    both = {"phone": "22", **fields}
    unfit = customer_writes.fitting(both, FJORDVIK, None).faults
    assert list(unfit) == [field]
    assert words in unfit[field].message
    assert customer_writes.fitting(both, FJORDVIK, None).held == {"phone": "22"}


def test_a_customer_is_created_without_what_go_cannot_hold() -> None:
    fields = fields_of(FJORDVIK) | {"email": "a" * 250 + "@b.no", "address": LONG}
    assert set(customer_writes.fitting(fields, None, None).faults) == {"email", "address"}
    body = customer_writes.creation(fields, "cb-AzZ1", None)
    assert (body["InvoiceDeliveryType"], body.keys() & {"EmailAddress", "MailAddress"}) == (
        "Print",
        set(),
    )
    with pytest.raises(Unwritable):
        customer_writes.creation(fields | {"company": None}, "cb-AzZ1", None)


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"unit": "kasse"}, "unit", "no unit 'kasse'"),
        (
            {"price": Price(amount=Decimal(19), currency="EUR")},
            "price",
            "in EUR, and PowerOffice Go holds prices in NOK",
        ),
        ({"name": "n" * 401}, "name", "401 characters, and Name in PowerOffice Go takes 400"),
        ({"name": None}, "name", "needs a product name"),
    ],
)
def test_what_go_cannot_hold_of_a_product_is_held_back_alone(
    fields: dict[str, Any], field: str, words: str
) -> None:
    unfit = product_writes.fitting({"description": "d", **fields}, "NOK").faults
    assert list(unfit) == [field]
    assert words in unfit[field].message
    assert product_writes.fitting({"description": "d", **fields}, "NOK").held == {
        "description": "d"
    }


@pytest.mark.parametrize(
    ("change", "field", "code"),
    [
        ({"name": "n" * 401}, "name", "too_long"),
        ({"code": "c" * 101}, "code", "too_long"),
        ({"name": " "}, "name", "missing"),
    ],
)
def test_a_product_is_not_created_without_what_it_needs(
    change: dict[str, Any], field: str, code: str
) -> None:
    fields = fields_of(BASIS) | {"group": "abo"} | change
    with pytest.raises(Unwritable) as error:
        product_writes.creation(fields, "NOK", {"abo": "abonnement"})
    assert (error.value.problem.code, error.value.problem.field) == (code, field)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (
            "CustomerPatchDto: The value 'a@b' is invalid for target location 'EmailAddress': no",
            ["email"],
        ),
        ("One or more validation errors occurred.: $.PhoneNumber: at most 50", ["phone"]),
        ("InvoiceEmailAddress and InvoiceEmailAddressCC are wrong", []),
        ("MailAddress: City is required, ZipCode is required", ["address"]),
        ("PhoneNumber or EmailAddress", ["phone", "email"]),
    ],
)
def test_a_refusal_names_our_fields(words: str, named: list[str]) -> None:
    error = Refused("refused", words, status=400)
    assert refusals.fields_named(error) == named
    held = refusals.held_back(error, {"email", "phone", "address"}, ["email", "phone", "address"])
    assert list(held) == (named if len(named) == 1 else [])


def test_what_a_record_needs_is_never_left_out_after_a_refusal() -> None:
    error = Refused("refused", "CurrencyCode 'XYZ' is not valid.", status=400)
    assert refusals.held_back(error, {"email"}, ["email", "currency"]) == {}
    gone = Refused("conflict", "EmailAddress", status=409)
    assert refusals.held_back(gone, {"email"}, ["email"]) == {}


PARTY = Customer(
    kind="company",
    company="Samtidig AS",
    email="post@samtidig.example",
    organisation_number="923609016",
)


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({}, True),
        ({"company": "Noe annet", "email": None}, True),
        (
            {
                "organisation_number": None,
                "email": " POST@samtidig.example",
                "company": "samtidig  as",
            },
            True,
        ),
        ({"organisation_number": None, "company": "Noe annet"}, False),
        ({"organisation_number": "974760673"}, False),
        ({"organisation_number": None, "email": None}, False),
        (
            {
                "organisation_number": None,
                "kind": "person",
                "company": None,
                "last_name": "Samtidig AS",
            },
            False,
        ),
    ],
)
def test_twins_of_a_customer(change: dict[str, Any], same: bool) -> None:
    assert customer_twins.same_customer(PARTY, msgspec.structs.replace(PARTY, **change)) is same
    assert customer_twins.same_customer(msgspec.structs.replace(PARTY, **change), PARTY) is same


def test_twins_of_a_product() -> None:
    assert product_twins.same_product(BASIS, Product(code="basis", name="Noe annet"))
    assert product_twins.same_product(BASIS, Product(code="annen", name=" BASIS"))
    assert not product_twins.same_product(BASIS, Product(code="annen", name="Noe annet"))
    assert not product_twins.same_product(Product(), Product())


def test_a_blank_country_keeps_what_go_holds() -> None:
    value = Address(line1="Torget 1", city="Bergen", zip="5004")
    swedish = msgspec.structs.replace(
        FJORDVIK, address=Address(city="Gävle", zip="80320", country="SE")
    )
    assert (
        customer_writes.fitting({"address": value}, swedish, None).held["address"].country == "SE"
    )
    assert (
        customer_writes.fitting({"address": value}, swedish, "DK").held["address"].country == "DK"
    )


def test_an_address_is_changed_part_by_part_or_as_a_whole() -> None:
    moved = Address(line1="Torget 1", city="Bergen", zip="5004", country="NO")
    assert customer_writes.properties({"address": moved}, COMPANY) == {
        ("MailAddress", "AddressLine1"): "Torget 1",
        ("MailAddress", "ZipCode"): "5004",
    }
    assert customer_writes.properties({"address": moved}, COMPANY | {"MailAddress": None}) == {
        ("MailAddress",): {
            "AddressLine1": "Torget 1",
            "City": "Bergen",
            "ZipCode": "5004",
            "CountryCode": "NO",
        }
    }


def test_a_product_is_created_in_the_group_of_its_family() -> None:
    plan = msgspec.structs.replace(BASIS, group="abo", kind="plan")
    assert product_writes.creation(fields_of(plan), "NOK", {"abo": "abonnement"}) == {
        "Code": "basis",
        "Name": "Basis",
        "Description": "Abonnement per måned",
        "UnitOfMeasureCode": "MON",
        "UnitPrice": Decimal(199),
        "ProductType": "Service",
        "ProductGroupCode": "abonnement",
    }
    for shippable, kind in ((True, "Product"), (False, "Service")):
        goods = fields_of(plan) | {"shippable": shippable}
        assert product_writes.creation(goods, "NOK", {"abo": "abonnement"})["ProductType"] == kind
    with pytest.raises(Unwritable) as error:
        product_writes.creation(fields_of(plan), "NOK", {})
    assert error.value.problem.field == "group"
    assert "product.groups" in error.value.problem.message
    assert "abo" in error.value.problem.message


def order_body(*lines: Line, **options: Any) -> dict[str, Any]:
    fields = {
        "customer_id": "4000007",
        "currency": "NOK",
        "order_date": date(2026, 3, 1),
        "lines": lines,
    }
    defaults: dict[str, Any] = {"invoiced_elsewhere": False, "fallback_product_id": None}
    return order_writes.creation(
        fields | options.pop("fields", {}), "cb-o1", **{**defaults, **options}
    )


def test_an_order_of_chargebee_becomes_a_draft() -> None:
    line = Line(
        id="li_1",
        product_id="6000001",
        description="Basis",
        quantity=Decimal(3),
        unit_price=Decimal(100),
        discount_percent=Decimal(10),
        net=Decimal(270),
        tax=Decimal("67.5"),
    )
    invoice = Invoice(number="1042", paid=True)
    assert order_body(
        line, invoiced_elsewhere=True, fields={"invoice": invoice, "delivery_date": None}
    ) == {
        "CustomerId": 4000007,
        "SalesOrderStatus": "Draft",
        "CurrencyCode": "NOK",
        "SalesOrderDate": "2026-03-01",
        "ExternalImportReference": "cb-o1",
        "CustomMatchingReference": "1042",
        "SalesOrderLines": [
            {
                "LineType": "Text",
                "Description": "Invoiced in Chargebee, no. 1042, paid. Do not send.",
                "ExternalImportReference": "tandem-notice",
                "SortOrder": 0,
            },
            {
                "LineType": "Normal",
                "ProductId": 6000001,
                "Description": "Basis",
                "Quantity": Decimal(3),
                "ProductUnitPrice": Decimal(100),
                "Allowance": Decimal(10),
                "ExternalImportReference": "li_1",
                "UseStandardSalesAccount": True,
                "SortOrder": 1,
            },
        ],
    }


def test_an_amount_that_does_not_follow_becomes_one_at_the_net_amount() -> None:
    line = Line(
        id="li_1",
        product_id="6000001",
        description="Basis",
        quantity=Decimal(3),
        unit_price=Decimal("33.33"),
        discount_percent=Decimal(10),
        net=Decimal(90),
    )
    assert order_body(line)["SalesOrderLines"] == [
        {
            "LineType": "Normal",
            "ProductId": 6000001,
            "Description": "Basis (3 x 33.33, 10 % discount)",
            "Quantity": Decimal(1),
            "ProductUnitPrice": Decimal(90),
            "Allowance": Decimal(0),
            "ExternalImportReference": "li_1",
            "UseStandardSalesAccount": False,
            "SortOrder": 1,
        }
    ]


def test_a_line_without_product_takes_the_fallback_or_is_refused() -> None:
    line = Line(
        id="li_1", description="Oppsett", unit_price=Decimal(50), net=Decimal(50), tax=Decimal(12)
    )
    assert (
        order_body(line, fallback_product_id="6000009")["SalesOrderLines"][0]["ProductId"]
        == 6000009
    )
    with pytest.raises(Unwritable) as error:
        order_body(line)
    assert error.value.problem.field == "lines"
    assert "order.fallback_product" in error.value.problem.message


def test_an_order_needs_a_customer() -> None:
    with pytest.raises(Unwritable) as error:
        order_body(fields={"customer_id": None})
    assert error.value.problem.field == "customer_id"


PLAIN = Line(id="li_1", product_id="7", unit_price=Decimal(100), net=Decimal(100), tax=Decimal(25))


@pytest.mark.parametrize(
    ("fields", "elsewhere", "wanted"),
    [
        (
            {"notice": "Already paid in Chargebee, invoice no. 7."},
            False,
            "Already paid in Chargebee, invoice no. 7.",
        ),
        ({"notice": "Credited."}, True, "Credited."),
        ({"notice": None}, True, "Invoiced in Chargebee. Do not send."),
        (
            {"invoice": Invoice(number="7", void=True)},
            True,
            "Invoiced in Chargebee, no. 7, void. Do not send.",
        ),
        ({"notice": None}, False, None),
    ],
)
def test_the_first_line_says_who_asks_for_the_money(
    fields: dict[str, Any], elsewhere: bool, wanted: str | None
) -> None:
    lines = order_body(PLAIN, fields=fields, invoiced_elsewhere=elsewhere)["SalesOrderLines"]
    assert lines[0].get("Description") == wanted
    assert [line["SortOrder"] for line in lines] == (
        [0, 1] if wanted else [1]
    )  # room for one that comes later


@pytest.mark.parametrize(
    ("number", "notice", "wanted"),
    [
        ("1042", None, {"ImportedOrderNo": 1042}),
        ("9223372036854775807", None, {"ImportedOrderNo": 9223372036854775807}),
        ("9223372036854775808", None, {"CustomerReference": "9223372036854775808"}),
        ("0042", None, {"CustomerReference": "0042"}),
        ("ORD-7", None, {"CustomerReference": "ORD-7"}),
        ("ORD-7", "Paid.", {"text": "Chargebee order ORD-7"}),
        (None, None, {}),
    ],
)
def test_a_person_sees_the_number_of_the_order(
    number: str | None, notice: str | None, wanted: dict[str, Any]
) -> None:
    body = order_body(PLAIN, fields={"number": number, "notice": notice})
    shown = {name: body[name] for name in ("ImportedOrderNo", "CustomerReference") if name in body}
    texts = [line for line in body["SalesOrderLines"][1:] if line["LineType"] == "Text"]
    assert shown | ({"text": texts[0]["Description"]} if texts else {}) == wanted


def test_the_round_off_takes_its_own_product_and_is_negative_by_its_quantity() -> None:
    line = Line(
        id="round-off", description="Round-off", unit_price=Decimal("-0.25"), net=Decimal("-0.25")
    )
    fields = {"net": Decimal("99.75"), "total": Decimal("124.75")}
    assert order_writes.needs_round_off({"lines": (PLAIN, line)})
    assert not order_writes.needs_fallback({"lines": (PLAIN, line)})
    with pytest.raises(Unwritable) as error:
        order_body(PLAIN, line, fields=fields, fallback_product_id="8")
    assert "order.round_off_product" in error.value.problem.message
    made = order_body(PLAIN, line, fields=fields, round_off_product_id="9")["SalesOrderLines"][1]
    assert (made["ProductId"], made["Quantity"], made["ProductUnitPrice"]) == (
        9,
        Decimal(-1),
        Decimal("0.25"),
    )
    ordinary = msgspec.structs.replace(line, product_id="7")
    assert order_body(PLAIN, ordinary, fields=fields)["SalesOrderLines"][1]["ProductId"] == 7


def money(**values: str) -> dict[str, Decimal]:
    return {name: Decimal(value) for name, value in values.items()}


@pytest.mark.parametrize(
    ("line", "fields", "code", "field", "words"),
    [
        (
            money(net="100.001"),
            {"currency": "KWD"},
            "too_precise",
            "lines",
            "li_1 .* net amount 100.001 KWD .* two",
        ),
        (money(tax="25.005"), {"currency": "KWD"}, "too_precise", "lines", "tax 25.005 KWD"),
        ({}, money(total="125.001"), "too_precise", "total", "total amount 125.001 NOK"),
        (
            money(quantity="1.234567890123456"),
            {},
            "too_large",
            "lines",
            "quantity 1.234567890123456 has 16 digits",
        ),
        (
            money(net="12345678901234.56"),
            {},
            "too_large",
            "lines",
            "net amount 12345678901234.56 NOK has 16 digits",
        ),
        (
            {},
            money(net="99.98"),
            "not_adding_up",
            "lines",
            r"add up to 100 NOK, .* 99.98 NOK \(li_1: 100\)",
        ),
        ({}, {"currency": "JPY", **money(net="98")}, "not_adding_up", "lines", "add up to 100 JPY"),
        ({}, money(total="-1"), "credit_note", "total", "total is -1 NOK"),
        (
            money(net="-100", tax="-25", unit_price="-100"),
            {},
            "credit_note",
            "total",
            "total is -125 NOK",
        ),
    ],
)
def test_a_draft_that_would_be_wrong_is_refused(
    line: dict[str, Any], fields: dict[str, Any], code: str, field: str, words: str
) -> None:
    with pytest.raises(Unwritable) as error:
        order_body(msgspec.structs.replace(PLAIN, **line), fields=fields)
    problem = error.value.problem
    assert (problem.code, problem.field) == (code, field)
    assert re.search(words, problem.message), problem.message


def test_money_without_lines_is_refused_and_nothing_at_all_is_not() -> None:
    with pytest.raises(Unwritable) as error:
        order_body(fields=money(net="100", total="125"))
    assert (error.value.problem.code, error.value.problem.field) == ("missing", "lines")
    assert order_body(fields=money(net="0", total="0"))["SalesOrderLines"] == []


@pytest.mark.parametrize(
    "fields",
    [
        money(net="100.01"),
        money(net="99.99"),
        {"currency": "JPY", **money(net="101")},
        money(net="100"),
    ],
)
def test_lines_that_add_up_to_one_minor_unit_pass(fields: dict[str, Any]) -> None:
    assert len(order_body(PLAIN, fields=fields)["SalesOrderLines"]) == 1


def test_a_unit_price_of_too_many_digits_becomes_one_at_the_net_amount() -> None:
    price = Decimal("1234567890.1234567")
    line = msgspec.structs.replace(
        PLAIN, unit_price=price, net=Decimal("1234567890.12"), description="Stor"
    )
    made = order_body(line)["SalesOrderLines"][0]
    assert (made["Quantity"], made["ProductUnitPrice"]) == (1, Decimal("1234567890.12"))
    assert made["Description"] == "Stor (1 x 1234567890.1234567)"


@pytest.mark.parametrize("price", ["1e24", "99999999999999900000000000"])
def test_a_unit_price_out_of_all_proportion_becomes_one_at_the_net_amount(price: str) -> None:
    line = msgspec.structs.replace(PLAIN, unit_price=Decimal(price), quantity=Decimal("123456"))
    made = order_body(line)["SalesOrderLines"][0]
    assert (made["Quantity"], made["ProductUnitPrice"]) == (1, 100)
