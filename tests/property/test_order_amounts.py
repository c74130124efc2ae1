"""What the amounts of any Chargebee order come to, against exact fractions that share no code with
the mapping."""

from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from contracts.entities import Line, Order
from runtime.problems import Unwritable
from services.chargebee_adapter.order import canonical as order_canonical
from services.chargebee_adapter.order import writes as order_writes
from services.chargebee_adapter.order.writes import Import
from tests.examples import examples

OSLO = ZoneInfo("Europe/Oslo")
HOW = Import(
    is_paid=True, payment_method="other", order_status="on_hold", zone=OSLO, now_s=4_200_000_000
)
many = examples(150)
# Minor units in one major unit, from ISO 4217.
UNITS = {
    "NOK": 100,
    "EUR": 100,
    "HUF": 100,
    "MGA": 100,
    "JPY": 1,
    "ISK": 1,
    "KWD": 1000,
    "CLF": 10_000,
}


@st.composite
def orders(draw: st.DrawFn) -> dict[str, Any]:
    """Orders as Chargebee sends them: exclusive or inclusive, with discounts, refunds as lines, and
    amounts that are not unit price times quantity. Total and tax may be off, and a named round-off
    may be in the total or not."""
    inclusive = draw(st.booleans())
    lines: list[dict[str, Any]] = []
    for number in range(draw(st.integers(0, 5))):
        amount = draw(st.integers(-1_000, 10**9) | st.integers(0, 10))
        discount = draw(st.sampled_from((0, 0, amount // 10, amount)))
        rate = draw(st.sampled_from((0, 12, 15, 25)))
        base = Fraction(amount - discount) * rate / (100 + rate if inclusive else 100)
        lines.append(
            {
                "id": str(number),
                "entity_type": "adhoc",
                "amount": amount,
                "discount_amount": discount,
                "unit_price": draw(st.integers(0, 10**9)),
                "fulfillment_quantity": draw(st.integers(0, 9)),
                "tax_amount": round(base),
            }
        )
    off = draw(st.sampled_from((0, 0, 0, 1, -50, 49, 99)))
    gross = sum(
        line["amount"] - line["discount_amount"] + (0 if inclusive else line["tax_amount"])
        for line in lines
    )
    tax = sum(line["tax_amount"] for line in lines)
    return {
        "id": "7",
        "currency_code": draw(st.sampled_from(sorted(UNITS))),
        "created_at": 1_790_000_000,
        "price_type": "tax_inclusive" if inclusive else "tax_exclusive",
        "order_line_items": lines,
        "tax": tax + draw(st.sampled_from((0, 0, 0, 1, -1))),
        "total": gross
        + draw(st.sampled_from((0, off)))
        + draw(st.sampled_from((0, 0, 0, 1, -1, 2, 100, -100))),
        draw(st.sampled_from(("invoice_round_off_amount", "rounding_adjustement"))): off,
    }


def nets(raw: dict[str, Any]) -> list[Fraction]:
    """The net of each line in minor units."""
    less_tax = raw["price_type"] == "tax_inclusive"
    return [
        Fraction(line["amount"]) - line["discount_amount"] - (line["tax_amount"] if less_tax else 0)
        for line in raw["order_line_items"]
    ]


def misses(raw: dict[str, Any], off: int) -> Fraction:
    """By how much the lines and a round-off miss the order's net, in minor units."""
    missed: Fraction = Fraction(raw["total"]) - raw["tax"] - off - sum(nets(raw))
    return missed


@many
@given(orders(), st.booleans())
def test_amounts_are_exact_or_refused(raw: dict[str, Any], carries: bool) -> None:
    named = raw.get("invoice_round_off_amount", raw.get("rounding_adjustement", 0))
    reading = order_canonical.order(
        raw, items_by_price={}, po_number=None, zone=OSLO, carries_round_off=carries
    )
    adds_up = min(abs(misses(raw, 0)), abs(misses(raw, named))) <= 1 and (
        raw["order_line_items"] or not raw["total"]
    )
    if raw["total"] < 0 or not adds_up:
        assert reading.problem is not None
        return
    if (
        reading.problem is not None
    ):  # nothing else is refused of these but a tax that no line explains
        assert reading.problem.field == "tax"
        return
    order = reading.entity
    assert isinstance(order, Order)
    unit = UNITS[raw["currency_code"]]
    off = named if abs(misses(raw, named)) < abs(misses(raw, 0)) else 0
    carried = carries or not off
    # What is carried is the whole, or the whole less exactly the round-off that `incomplete` names.
    assert Fraction(order.total) * unit == raw["total"] - (0 if carried else off)
    assert Fraction(order.tax) * unit == raw["tax"]
    assert Fraction(order.net) + Fraction(order.tax) == Fraction(order.total)
    assert ("round_off" in reading.incomplete) == (not carried)
    exact = [*nets(raw), *([Fraction(off)] if off and carries else [])]
    assert [Fraction(line.net) * unit for line in order.lines] == exact
    assert [line.id for line in order.lines if line.id == "round-off"] == (
        ["round-off"] if off and carries else []
    )
    assert abs(sum(Fraction(line.net) for line in order.lines) - Fraction(order.net)) * unit <= 1
    for line, theirs in zip(order.lines, raw["order_line_items"], strict=False):
        assert Fraction(line.tax) * unit == theirs["tax_amount"]


@many
@given(
    orders(),
    st.integers(0, 10**12),
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 10**9), st.booleans())),
)
def test_credit_notes_are_counted_once_and_never_beyond_the_order(
    raw: dict[str, Any], total: int, notes: list[tuple[int, int, bool]]
) -> None:
    amounts = {f"CN-{number}": amount for number, amount, _ in notes}
    voided = {f"CN-{number}" for number, _, is_void in notes if is_void}
    linked = [
        {
            "id": f"CN-{number}",
            "amount": amounts[f"CN-{number}"],
            "status": "voided" if is_void else "adjusted",
        }
        for number, _, is_void in notes[::2]
    ]
    issued = [
        {
            "cn_id": f"CN-{number}",
            "cn_total": amounts[f"CN-{number}"],
            "cn_status": "voided" if is_void else "refunded",
        }
        for number, _, is_void in notes
    ]
    raw |= {"linked_credit_notes": linked, "status": "cancelled"}
    invoice = {"id": "7", "total": total, "issued_credit_notes": issued}
    reading = order_canonical.order(
        raw, items_by_price={}, po_number=None, zone=OSLO, invoice=invoice
    )
    assert isinstance(reading.entity, Order)
    found = reading.entity.invoice
    assert found is not None
    unit = UNITS[raw["currency_code"]]
    # Of a part of its invoice an order is credited with what it names itself.
    is_part = total - max(0, raw["total"]) > 99
    named = {each["id"] for each in linked} if is_part else set(amounts)
    counting = {
        name: amount for name, amount in amounts.items() if name in named - voided and amount > 0
    }
    assert set(found.credit_notes) == set(counting)
    assert Fraction(found.credited) * unit == min(
        Fraction(sum(counting.values())), max(Fraction(0), raw["total"])
    )
    assert Fraction(found.total or 0) * unit == total


# --- orders of Go with negative lines
# -----------------------------------------------------------------------


@st.composite
def with_negative_lines(draw: st.DrawFn) -> tuple[list[tuple[int, int]], Order]:
    """Net and tax in minor units of each line, some of them negative, and the order of Go."""
    amounts: list[tuple[int, int]] = []
    for _ in range(draw(st.integers(1, 6))):
        net = draw(st.integers(1, 10**7)) * draw(st.sampled_from((1, 1, 1, -1)))
        amounts.append(
            (net, round(Fraction(net * draw(st.sampled_from((0, 12, 15, 25, 25))), 100)))
        )
    lines = tuple(
        Line(
            id=str(number),
            unit_price=Decimal(net) / 100,
            net=Decimal(net) / 100,
            tax=Decimal(tax) / 100,
        )
        for number, (net, tax) in enumerate(amounts)
    )
    total = Decimal(sum(net + tax for net, tax in amounts)) / 100
    return amounts, Order(
        customer_id="c", currency="NOK", order_date=date(2026, 10, 5), lines=lines, total=total
    )


@many
@given(with_negative_lines())
def test_negative_lines_are_discounts_that_change_no_sum_or_are_refused(
    given: tuple[list[tuple[int, int]], Order],
) -> None:
    amounts, order = given
    try:
        order_writes.check(order)
    except Unwritable as unwritable:
        problem = unwritable.problem
        assert problem.code in ("credit_note", "negative_line", "tax")
        assert any(net < 0 or (net and not tax) for net, tax in amounts) or problem.code == "tax"
        return
    params = order_writes.invoice("go-1", order, {}, HOW)
    lines, discounts = params["line_items"], params.get("discounts", [])
    taken = {line["id"]: Fraction(0) for line in lines}
    for discount in discounts:
        assert discount["amount"] > 0
        taken[discount["line_item_id"]] += discount["amount"]
    nets = {line["id"]: line["amount"] - taken[line["id"]] for line in lines}
    taxes = {line["id"]: Fraction(line.get("tax1_amount", 0)) for line in lines}
    assert all(net >= 0 for net in nets.values())
    assert all(tax >= 0 for tax in taxes.values())
    assert sum(nets.values()) == sum(net for net, _ in amounts)
    assert sum(taxes.values()) == sum(tax for _, tax in amounts)
    assert sum(nets.values()) + sum(taxes.values()) + params.get("round_off", 0) == params["total"]
    # VAT at each rate stays what it was, but for the rounding of what was split.
    rates: dict[str, Fraction] = {
        each["name"]: Fraction(each["rate"]) for each in params.get("taxes", [])
    }
    for line in lines:
        if "tax1_name" in line:
            exact = nets[line["id"]] * rates[line["tax1_name"]] / 100
            assert abs(exact - taxes[line["id"]]) <= 2 + sum(
                each["line_item_id"] == line["id"] for each in discounts
            )
