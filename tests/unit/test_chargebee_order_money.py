"""What an order of Chargebee and its invoice come to, and what is refused before a document is made
of them."""

from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from contracts.entities import Invoice, Line, Order
from services.chargebee_adapter.mapping import Reading
from services.chargebee_adapter.order import canonical as order_canonical

OSLO = ZoneInfo("Europe/Oslo")
LINE: dict[str, Any] = {
    "id": "oli_1",
    "entity_type": "adhoc",
    "description": "Leser",
    "unit_price": 10000,
    "fulfillment_quantity": 1,
    "amount": 10000,
    "discount_amount": 0,
    "tax_amount": 2500,
}
ORDER: dict[str, Any] = {
    "id": "42",
    "invoice_id": "7",
    "customer_id": "c",
    "status": "queued",
    "payment_status": "not_paid",
    "price_type": "tax_exclusive",
    "currency_code": "NOK",
    "created_at": 1791239400,
    "resource_version": 1791239400555,
    "tax": 2500,
    "total": 12500,
    "order_line_items": [LINE],
}
INVOICE: dict[str, Any] = {
    "id": "7",
    "status": "payment_due",
    "total": 25000,
    "amount_due": 25000,
    "resource_version": 1791239400111,
}


def read(
    invoice: dict[str, Any] | None = None, *, carries_round_off: bool = False, **changes: Any
) -> Reading:
    return order_canonical.order(
        ORDER | changes,
        items_by_price={},
        po_number=None,
        zone=OSLO,
        invoice=invoice,
        carries_round_off=carries_round_off,
    )


def entity(invoice: dict[str, Any] | None = None, **changes: Any) -> Order:
    found = read(invoice, **changes).entity
    assert isinstance(found, Order)
    return found


def note(name: str, total: int | None, status: str = "adjusted") -> dict[str, Any]:
    return {"cn_id": name, "cn_total": total, "cn_status": status}


# --- the invoice
# --------------------------------------------------------------------------------------------


def test_an_order_alone_knows_only_its_own_facts() -> None:
    assert entity().invoice == Invoice(number="7", paid=False)
    assert entity(payment_status=None).invoice == Invoice(number="7", paid=None)
    assert entity().fulfilment == "queued"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, Invoice(number="7", paid=False, total=Decimal(250), balance=Decimal(250))),
        (
            {"status": "paid", "amount_due": 0},
            Invoice(number="7", paid=True, total=Decimal(250), balance=Decimal(0)),
        ),
        (
            {"status": "voided", "amount_due": 0},
            Invoice(number="7", paid=False, void=True, total=Decimal(250), balance=Decimal(0)),
        ),
        (
            {"deleted": True},
            Invoice(number="7", paid=False, void=True, total=Decimal(250), balance=Decimal(250)),
        ),
        ({"total": None, "amount_due": None, "status": None}, Invoice(number="7", paid=False)),
    ],
)
def test_an_invoice_says_what_it_is_worth(changes: dict[str, Any], expected: Invoice) -> None:
    assert entity(INVOICE | changes).invoice == expected


@pytest.mark.parametrize(
    ("linked", "adjusted", "issued", "credited", "numbers"),
    [
        ([], [], [], "0", ()),
        ([{"id": "CN-1", "amount": 2500, "status": "refund_due"}], [], [], "25", ("CN-1",)),
        # One note in both places counts once.
        (
            [{"id": "CN-1", "amount": 2500, "status": "refunded"}],
            [],
            [note("CN-1", 2500, "refunded")],
            "25",
            ("CN-1",),
        ),
        ([], [note("CN-2", 1000)], [note("CN-1", 2000, "refunded")], "30", ("CN-1", "CN-2")),
        ([], [note("CN-2", 1000, "voided")], [note("CN-1", 2000)], "20", ("CN-1",)),
        # Only one of them knows yet that the note was voided.
        (
            [{"id": "CN-1", "amount": 2500, "status": "refund_due"}],
            [],
            [note("CN-1", 2500, "voided")],
            "0",
            (),
        ),
        # No more than the order can be credited, and what is no credit is none.
        ([], [note("CN-1", 25000)], [], "125", ("CN-1",)),
        ([{"id": "CN-1", "amount": -500, "status": "zzz"}], [], [note("CN-2", None)], "0", ()),
    ],
)
def test_credit_notes_count_once_unless_voided(
    linked: list[Any],
    adjusted: list[Any],
    issued: list[Any],
    credited: str,
    numbers: tuple[str, ...],
) -> None:
    invoice = INVOICE | {
        "total": 12500,
        "adjustment_credit_notes": adjusted,
        "issued_credit_notes": issued,
    }
    found = entity(invoice, linked_credit_notes=linked).invoice
    assert found is not None
    assert (found.credited, found.credit_notes) == (Decimal(credited), numbers)


def test_of_a_part_of_an_invoice_only_what_it_names_is_credited() -> None:
    """The credit note of the invoice is shared with its other orders, and one of them may have a
    note of its own."""
    invoice = INVOICE | {
        "issued_credit_notes": [note("CN-1", 5000, "refunded"), note("CN-2", 7000, "refunded")]
    }
    found = entity(
        invoice, linked_credit_notes=[{"id": "CN-1", "amount": 3000, "status": "refunded"}]
    ).invoice
    assert found is not None
    assert (found.credited, found.credit_notes) == (Decimal(30), ("CN-1",))


def test_a_sale_of_go_is_credited_with_its_whole_invoice() -> None:
    """Whatever share of it Chargebee has put into an order."""
    invoice = INVOICE | {"issued_credit_notes": [note("CN-1", 25000, "refunded")]}
    linked = [{"id": "CN-1", "amount": 12500, "status": "refunded"}]
    found = entity(invoice, invoice_id="go-7", linked_credit_notes=linked).invoice
    assert found is not None
    assert (found.credited, found.total) == (250, 250)


def test_a_round_off_of_more_than_a_unit_is_no_round_off() -> None:
    """Chargebee allows 99 minor units."""
    assert (
        getattr(read(invoice_round_off_amount=5000, total=17500).problem, "code", None) == "totals"
    )
    assert read(invoice_round_off_amount=99, total=12599).problem is None


def test_a_payment_moves_the_version_of_the_order() -> None:
    alone = read().version
    assert alone == "1791239400555"
    before = read(INVOICE).version
    assert before == "1791239400555.00003582478800666"
    assert before > alone
    # Below the order's own version too, as a list may show one part late.
    assert read(INVOICE | {"resource_version": 1791239400112}).version > before
    paid = read(INVOICE | {"resource_version": 1791239400600}).version
    assert paid.startswith("1791239400600.")
    assert paid > before


# --- what is refused
# ----------------------------------------------------------------------------------------

REFUSED: list[tuple[dict[str, Any], str, str, tuple[str, ...]]] = [
    ({"total": 3125, "tax": 625}, "totals", "lines", ("100 NOK", "25 NOK", "-75 NOK")),
    ({"total": 12502, "tax": 2500}, "totals", "lines", ("0.02 NOK",)),
    ({"order_line_items": []}, "missing", "lines", ("125 NOK",)),
    ({"order_line_items": None}, "missing", "lines", ("125 NOK",)),
    ({"total": None}, "totals", "lines", ("100 NOK",)),
    ({"total": 13000, "tax": 3000}, "totals", "tax", ("30 NOK", "25 NOK")),
    (
        {
            "total": -12500,
            "tax": -2500,
            "order_line_items": [LINE | {"amount": -10000, "tax_amount": -2500}],
        },
        "credit",
        "total",
        ("-125 NOK",),
    ),
    ({"currency_code": "XBT"}, "unknown_currency", "currency", ("XBT", "12500")),
    ({"total": Decimal("12500.5")}, "unreadable", "total", ("12500.5",)),
    ({"total": Decimal("12500.0")}, "unreadable", "total", ("12500.0",)),
    ({"total": "12500"}, "unreadable", "total", ()),
    ({"tax": True}, "unreadable", "tax", ()),
    (
        {"order_line_items": [LINE | {"amount": Decimal("0.1")}]},
        "unreadable",
        "order_line_items.0.amount",
        ("0.1",),
    ),
]


@pytest.mark.parametrize(("changes", "code", "field", "numbers"), REFUSED)
def test_no_document_is_made_of_amounts_that_say_two_things(
    changes: dict[str, Any], code: str, field: str, numbers: tuple[str, ...]
) -> None:
    problem = read(**changes).problem
    assert problem is not None
    assert (problem.code, problem.field) == (code, field)
    assert all(number in problem.message for number in numbers), problem.message
    assert "\n" not in problem.message


def test_what_an_invoice_cannot_tell_is_refused_too() -> None:
    problem = read(INVOICE | {"total": Decimal("1.5")}).problem
    assert problem is not None
    assert (problem.code, problem.field) == ("unreadable", "total")
    assert problem.message.startswith("invoice.total in Chargebee cannot be read")


@pytest.mark.parametrize(
    "changes",
    [
        {"total": 12501},
        {"total": 12499},
        {"total": 12501, "tax": 2501},
        {"amount_adjusted": 5000},
        {"order_line_items": [LINE | {"fulfillment_quantity": 0}]},
        {"order_line_items": [LINE | {"fulfillment_quantity": 7, "unit_price": 1429}]},
        {"order_line_items": [LINE | {"unit_price": 120000}]},
        {
            "total": 0,
            "tax": 0,
            "order_line_items": [LINE | {"discount_amount": 10000, "tax_amount": 0}],
        },
        {"total": 0, "tax": 0, "order_line_items": []},
        {"total": 1, "tax": 0, "order_line_items": [LINE | {"amount": 1, "tax_amount": 0}]},
        {
            "total": 9 * 10**13,
            "tax": 0,
            "order_line_items": [LINE | {"amount": 9 * 10**13, "tax_amount": 0}],
        },
        {"invoice_round_off_amount": 37},
    ],
)
def test_odd_orders_that_add_up_are_carried(changes: dict[str, Any]) -> None:
    reading = read(**changes)
    assert (reading.problem, reading.incomplete) == (None, ())
    assert isinstance(reading.entity, Order)
    assert reading.entity.total == Decimal({"total": 12500, **changes}["total"]) / 100


@pytest.mark.parametrize(
    "changes", [{"status": "cancelled"}, {"status": "returned"}, {"id": "go-1"}, {"deleted": True}]
)
def test_what_no_document_is_made_of_is_told_all_the_same(changes: dict[str, Any]) -> None:
    assert read(**changes, total=999).problem is None


# --- round-off and negative lines
# ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "where",
    [
        {"invoice_round_off_amount": -37},
        {"rounding_adjustement": -37},
        {"invoice_round_off_amount": -30, "rounding_adjustement": -7},
    ],
)
def test_a_round_off_is_left_out_and_named(where: dict[str, Any]) -> None:
    reading = read(total=12463, **where)
    assert isinstance(reading.entity, Order)
    assert reading.incomplete == ("round_off",)
    assert (reading.entity.net, reading.entity.tax, reading.entity.total) == (100, 25, 125)
    assert [line.id for line in reading.entity.lines] == ["oli_1"]


def test_a_round_off_becomes_a_line_where_a_product_is_set_for_it() -> None:
    reading = read(carries_round_off=True, total=12463, invoice_round_off_amount=-37)
    assert isinstance(reading.entity, Order)
    assert reading.incomplete == ()
    off = Decimal("-0.37")
    assert reading.entity.lines[-1] == Line(
        id="round-off", description="Round-off", unit_price=off, net=off
    )
    assert (reading.entity.net, reading.entity.tax, reading.entity.total) == (
        Decimal("99.63"),
        25,
        Decimal("124.63"),
    )


def test_the_round_off_that_only_the_invoice_names_is_found() -> None:
    assert read(INVOICE | {"round_off_amount": 40}, total=12540).incomplete == ("round_off",)
    assert read(INVOICE, total=12540).problem is not None


def test_the_round_off_of_gos_own_invoice_is_no_loss() -> None:
    reading = read(id="go-1", total=12537, invoice_round_off_amount=37)
    assert isinstance(reading.entity, Order)
    assert reading.incomplete == ()
    assert (reading.entity.net, reading.entity.tax, reading.entity.total) == (
        100,
        Decimal("25.37"),
        Decimal("125.37"),
    )
    assert len(reading.entity.lines) == 1


def test_a_negative_line_is_carried_as_it_is() -> None:
    back = LINE | {"id": "oli_2", "unit_price": -1000, "amount": -1000, "tax_amount": -250}
    reading = read(order_line_items=[LINE, back], total=11250, tax=2250)
    assert isinstance(reading.entity, Order)
    assert reading.incomplete == ()
    assert [line.net for line in reading.entity.lines] == [100, -10]
    assert (reading.entity.net, reading.entity.tax) == (90, Decimal("22.5"))


def test_a_discount_greater_than_its_line_is_a_negative_line() -> None:
    more = LINE | {"id": "oli_2", "amount": 1000, "discount_amount": 1500, "tax_amount": 0}
    reading = read(order_line_items=[LINE, more], total=12000)
    assert isinstance(reading.entity, Order)
    assert [line.net for line in reading.entity.lines] == [100, -5]
