"""Orders there and back: dates, amounts to the last minor unit, lines, and the header that may be
written later."""

from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import asdict, replace

from contracts.entities import Order
from contracts.units import exponent
from runtime.problems import Unwritable
from services.chargebee_adapter.guard import plan
from services.chargebee_adapter.order import canonical as chargebee
from services.chargebee_adapter.order import writes as order_writes
from services.chargebee_adapter.order.canonical import noon
from services.chargebee_adapter.order.writes import ChargePrice, Import
from services.poweroffice_adapter import bodies as go_bodies
from services.poweroffice_adapter.order import canonical as go
from services.poweroffice_adapter.order import writes as go_order_writes
from services.poweroffice_adapter.order.draft_rules import CENT
from tests import strategies
from tests.examples import examples

OSLO = ZoneInfo("Europe/Oslo")
many = examples(60)
AFTER_ALL = 4_200_000_000  # 2103: no date of these orders is still to come
HOW = Import(
    is_paid=True, payment_method="other", order_status="delivered", zone=OSLO, now_s=AFTER_ALL
)
PRICES = {"10": ChargePrice("ten-NOK", "Ti"), "11": ChargePrice("eleven-NOK", None)}
ITEMS = {"ten-NOK": "10", "eleven-NOK": "11"}


# --- Chargebee
# ----------------------------------------------------------------------------------------------


def imported(entity: Order) -> dict[str, Any]:
    """The order that Chargebee makes of an imported invoice: its lines, amounts and dates as they
    were given."""
    invoice = order_writes.invoice("go-1", entity, PRICES, HOW)
    order = order_writes.imported_order("go-1", entity, HOW)
    lines = [
        {
            "id": line["id"],
            "entity_type": line["entity_type"],
            "entity_id": line.get("entity_id"),
            "description": line["description"],
            "unit_price": line["unit_amount"],
            "fulfillment_quantity": line["quantity"],
            "amount": line["amount"],
            "tax_amount": line.get("tax1_amount", 0),
        }
        for line in invoice["line_items"]
    ]
    tax = sum(line["tax_amount"] for line in lines)
    assert invoice["total"] == sum(line["amount"] for line in lines) + tax + invoice.get(
        "round_off", 0
    )
    return {
        **order,
        "currency_code": invoice["currency_code"],
        "price_type": invoice["price_type"],
        "total": invoice["total"],
        "tax": tax,
        "order_line_items": lines,
        "resource_version": 1,
        "invoice_round_off_amount": invoice.get("round_off"),
    }


def read(raw: dict[str, Any], po_number: str | None) -> Order:
    reading = chargebee.order(raw, items_by_price=ITEMS, po_number=po_number, zone=OSLO)
    assert isinstance(reading.entity, Order), reading.problem
    assert reading.stamp == "go-1"
    return reading.entity


@many
@given(strategies.orders())
def test_an_order_imported_into_chargebee_reads_back(entity: Order) -> None:
    order_writes.check(entity)
    now = read(imported(entity), entity.purchase_order or "")
    assert (now.customer_id, now.currency, now.total) == (
        entity.customer_id,
        entity.currency,
        entity.total,
    )
    assert now.order_date == entity.order_date
    assert now.delivery_date == (entity.delivery_date or entity.order_date)
    assert now.purchase_order == entity.purchase_order
    assert [line.net for line in now.lines] == [line.net for line in entity.lines]
    assert [line.product_id for line in now.lines] == [line.product_id for line in entity.lines]
    # The tax of a line of nothing cannot be named: there is no rate for it.
    assert [line.tax for line in now.lines] == [
        line.tax if line.net else Decimal(0) for line in entity.lines
    ]
    assert all(line.unit_price * line.quantity == line.net for line in now.lines)
    for before, after in zip(entity.lines, now.lines, strict=True):
        if before.description:
            assert (after.description or "").startswith(before.description)
        if after.quantity != before.quantity:
            assert str(before.quantity) in (after.description or "")


@many
@given(strategies.orders(), st.lists(strategies.days(), min_size=2, max_size=2))
def test_dates_written_to_chargebee_read_back_and_are_not_written_again(
    entity: Order, wanted: list[date]
) -> None:
    raw = imported(entity)
    fields = dict(zip(("order_date", "delivery_date"), wanted, strict=True))
    steps = plan(read(raw, None), fields, {})
    names = {"order_date": "order_date", "delivery_date": "shipping_date"}
    raw |= {names[name]: noon(day, OSLO) for name, day in steps.to_write.items()}
    assert plan(read(raw, None), fields, {}).to_write == {}


@many
@given(strategies.orders(), st.integers(0, 86_399), st.integers(0, 86_399))
def test_a_moment_of_the_same_day_is_not_rewritten(entity: Order, second: int, later: int) -> None:
    """Chargebee keeps a moment and Go a date: any moment within the local date is that date."""
    assert entity.order_date is not None
    midnight = noon(entity.order_date, OSLO) - 12 * 3600
    day = (
        midnight + 2 * 3600 + second * 20 // 24
    )  # away from the hours which a change of clocks adds or takes
    raw = imported(entity) | {
        "order_date": day,
        "shipping_date": midnight + 2 * 3600 + later * 20 // 24,
    }
    fields = {"order_date": entity.order_date, "delivery_date": entity.order_date}
    assert plan(read(raw, None), fields, {}).to_write == {}


@st.composite
def inclusive(draw: st.DrawFn) -> tuple[str, list[dict[str, Any]]]:
    """Lines of a site whose amounts include tax, in minor units."""
    lines = []
    for number in range(draw(st.integers(1, 4))):
        unit, quantity = draw(st.integers(0, 10**7)), draw(st.integers(1, 50))
        amount = unit * quantity
        discount = amount * draw(st.sampled_from((0, 0, 10, 100))) // 100
        rate = draw(st.sampled_from((0, 12, 15, 25)))
        tax = int(
            (Decimal(amount - discount) * rate / (100 + rate)).quantize(Decimal(1), ROUND_HALF_UP)
        )
        lines.append(
            {
                "id": str(number),
                "entity_type": "adhoc",
                "unit_price": unit,
                "fulfillment_quantity": quantity,
                "amount": amount,
                "discount_amount": discount,
                "tax_amount": tax,
            }
        )
    return draw(st.sampled_from(strategies.CURRENCIES)), lines


@many
@given(inclusive())
def test_prices_that_include_tax_add_up(given_lines: tuple[str, list[dict[str, Any]]]) -> None:
    currency, lines = given_lines
    tax = sum(line["tax_amount"] for line in lines)
    total = sum(line["amount"] - line["discount_amount"] for line in lines)
    raw = {
        "id": "7",
        "invoice_id": "go-1",
        "currency_code": currency,
        "price_type": "tax_inclusive",
        "order_date": 1_790_000_000,
        "tax": tax,
        "total": total,
        "order_line_items": lines,
    }
    now = read(raw, None)
    assert now.net + now.tax == now.total
    assert sum(line.net for line in now.lines) == now.net
    assert sum(line.tax for line in now.lines) == now.tax
    for line in now.lines:
        computed = line.unit_price * line.quantity * (100 - line.discount_percent) / 100
        # Six places of the unit price and of the percentage are lost at most.
        assert abs(computed - line.net) <= Decimal("0.0001") * line.quantity + abs(line.net) / 10**6


# --- PowerOffice Go
# -----------------------------------------------------------------------------------------


def drafted(body: dict[str, Any]) -> dict[str, Any]:
    """The draft that Go makes of a POST: it computes the amounts of lines to two decimals, VAT at
    25 %."""
    raw: dict[str, Any] = go_bodies.decoded(go_bodies.encoded(body))
    net = tax = Decimal(0)
    for number, line in enumerate(raw["SalesOrderLines"]):
        line["Id"] = f"line-{number}"
        if line["LineType"] == "Normal":
            exact = (
                Decimal(line["Quantity"])
                * Decimal(line["ProductUnitPrice"])
                * (100 - Decimal(line["Allowance"]))
            )
            line["NetAmount"] = (exact / 100).quantize(CENT, ROUND_HALF_UP)
            rate = Decimal(0) if line.get("UseStandardSalesAccount") is False else Decimal("0.25")
            line["VatAmount"] = (line["NetAmount"] * rate).quantize(CENT, ROUND_HALF_UP)
            net, tax = net + line["NetAmount"], tax + line["VatAmount"]
    return {"Id": "0b4f", "SalesOrderNo": 20001, **raw, "NetAmount": net, "TotalAmount": net + tax}


def read_go(raw: dict[str, Any]) -> Order:
    reading = go.sales_order(raw, currency="NOK")
    assert reading is not None
    assert isinstance(reading.content, Order), reading.content
    assert reading.stamp == "cb-7"
    return reading.content


CENTS = tuple(code for code in strategies.CURRENCIES if exponent(code) <= 2)


@many
@given(strategies.orders(CENTS), st.booleans())
def test_an_order_created_in_go_reads_back_and_is_not_written_again(
    entity: Order, warned: bool
) -> None:
    body = go_order_writes.creation(
        asdict(entity), "cb-7", invoiced_elsewhere=warned, fallback_product_id="99"
    )
    now = read_go(drafted(body))
    assert (now.customer_id, now.currency, now.status) == (
        entity.customer_id,
        entity.currency,
        "draft",
    )
    assert (now.order_date, now.delivery_date) == (entity.order_date, entity.delivery_date)
    assert now.purchase_order == entity.purchase_order
    assert [line.product_id for line in now.lines] == [
        line.product_id or "99" for line in entity.lines
    ]
    for before, after in zip(entity.lines, now.lines, strict=True):
        assert after.net == before.net
        assert (after.description or "").startswith(before.description or "")
        if (after.quantity, after.unit_price) != (before.quantity, before.unit_price):
            assert (after.quantity, after.unit_price) == (1, before.net)
    wanted = go_order_writes.wanted_header(asdict(entity))
    assert {name: getattr(now, name) for name in wanted} == wanted
    assert (now.notice or "").startswith("Invoiced in Chargebee") is warned


def amounts(most: int) -> st.SearchStrategy[Decimal]:
    return st.decimals(-most, most, places=3).map(Decimal.normalize)


@many
@given(
    strategies.orders(),
    st.lists(amounts(2), min_size=4, max_size=4),
    st.integers(-3, 3),
    st.booleans(),
)
def test_a_draft_is_made_exactly_where_go_arrives_at_the_order(
    entity: Order, nudges: list[Decimal], off: int, whole: bool
) -> None:
    """The oracle counts in fractions: two decimals, a total that is no credit, lines within one
    minor unit of it."""
    lines = tuple(
        replace(line, net=line.net if whole else line.net + nudge)
        for line, nudge in zip(entity.lines, nudges, strict=False)
    )
    unit = Fraction(1, 10 ** exponent(entity.currency or ""))
    net = sum((Fraction(line.net) for line in lines), Fraction(0)) + off * unit
    fields = {**asdict(entity), "lines": lines, "net": Decimal(net.numerator) / net.denominator}
    held = [
        *(line.net for line in lines),
        *(line.tax for line in lines),
        *(fields[each] for each in ("tax", "total")),
    ]
    exact = all((Fraction(each) * 100).denominator == 1 for each in (*held, fields["net"]))
    adds_up = abs(off) * unit <= max(unit, Fraction(1, 100))
    assume(all(len(each.as_tuple().digits) <= 15 for each in held))
    if not (exact and adds_up and entity.total >= 0):
        with pytest.raises(Unwritable) as error:
            go_order_writes.creation(
                fields, "cb-7", invoiced_elsewhere=False, fallback_product_id="99"
            )
        assert str(error.value.problem.code) in ("too_precise", "not_adding_up", "credit_note")
        return
    now = read_go(
        drafted(
            go_order_writes.creation(
                fields, "cb-7", invoiced_elsewhere=False, fallback_product_id="99"
            )
        )
    )
    assert [Fraction(line.net) for line in now.lines] == [Fraction(line.net) for line in lines]
    assert abs(Fraction(now.net) - net) <= max(unit, Fraction(1, 100))


@many
@given(strategies.orders(CENTS), strategies.orders(CENTS))
def test_a_header_written_to_go_reads_back(before: Order, after: Order) -> None:
    raw = drafted(
        go_order_writes.creation(
            asdict(before), "cb-7", invoiced_elsewhere=False, fallback_product_id="99"
        )
    )
    now, wanted = read_go(raw), go_order_writes.wanted_header(asdict(after))
    changes = {name: value for name, value in wanted.items() if getattr(now, name) != value}
    raw |= go_bodies.decoded(
        go_bodies.encoded(
            {path[0]: value for path, value in go_order_writes.properties(changes).items()}
        )
    )
    later = read_go(raw)
    assert {name: getattr(later, name) for name in wanted} == wanted
    assert later.lines == now.lines


@many
@given(strategies.orders(CENTS), strategies.words(20))
def test_a_status_that_is_not_known_is_a_draft_and_stays(entity: Order, unknown: str) -> None:
    raw = drafted(
        go_order_writes.creation(
            asdict(entity), "cb-7", invoiced_elsewhere=False, fallback_product_id="99"
        )
    )
    assert read_go({**raw, "SalesOrderStatus": f"x{unknown}"}).status == "draft"
    assert read({**imported(entity), "status": f"x{unknown}"}, None).status == "draft"
    assert ("SalesOrderStatus",) not in go_order_writes.properties(
        go_order_writes.wanted_header(asdict(entity))
    )
