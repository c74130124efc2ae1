"""Which lines of an invoice an order ships, and the share of them that each of several shipments
holds. Pure."""

from collections.abc import Sequence
from typing import Final

from simulators.chargebee import money
from simulators.chargebee.settings import Remainder
from simulators.chargebee.site import Row

_AMOUNTS: Final = ("amount", "discount_amount", "item_level_discount_amount")


def shipped_lines(invoice: Row, *, includes_others: bool) -> list[Row]:
    """The shippable lines [docs: orders are made for these]; with `includes_others` all, if one of
    them is shippable.

    Ad-hoc lines are never shippable: they are of no item.
    """
    lines: list[Row] = invoice["line_items"]
    shippable = [line for line in lines if line["_is_shippable"]]
    return list(lines) if shippable and includes_others else shippable


def shares(lines: Sequence[Row], shipments: int, remainder: Remainder) -> list[list[Row]]:
    """The lines of each shipment. A line is spread evenly over all of them [docs: payments and
    credits of orders].

    Of a quantity of at least one piece for each shipment every one gets its pieces; of fewer, as of
    a plan that ships several times, every one shows the whole quantity at its share of the amount.
    What cannot be divided goes to the last shipment; with `rounding_adjustement` no line has it
    (the order as a whole then has).
    """
    columns = [_parts(line, shipments, remainder) for line in lines]
    return [list(row) for row in zip(*columns, strict=True)]


def payable_minor(line: Row, *, is_inclusive: bool) -> int:
    """What is to be paid for a line of an invoice: after discount, with tax."""
    discount = line["discount_amount"] + line["item_level_discount_amount"]
    return int(line["amount"] - discount + (0 if is_inclusive else line["tax_amount"]))


def portion_minor(amount_minor: int, part_minor: int, whole_minor: int) -> int:
    """The portion of an amount that falls on `part_minor` of `whole_minor`, rounded half to even; 0
    of nothing."""
    return money.portion(amount_minor, part_minor, whole_minor) if whole_minor else 0


def _parts(line: Row, shipments: int, remainder: Remainder) -> list[Row]:
    if shipments == 1:
        return [line]
    quantity = line["quantity"]
    pieces, left = divmod(quantity, shipments)
    quantities = [pieces + (n < left) if pieces else quantity for n in range(shipments)]
    weights = quantities if pieces else [1] * shipments
    split = money.spread if remainder == "last_line" else money.portions
    amounts = {name: split(line[name], weights) for name in _AMOUNTS}
    taxes = [(name, rate, split(amount, weights)) for name, rate, amount in line.get("_taxes", [])]
    found = []
    for n in range(shipments):
        of_order = [(name, rate, parts[n]) for name, rate, parts in taxes]
        row = {
            **line,
            "quantity": quantities[n],
            **{name: parts[n] for name, parts in amounts.items()},
        }
        row["unit_amount"] = (
            line["unit_amount"] if pieces else money.portion(row["amount"], 1, quantity or 1)
        )
        row["tax_amount"] = sum(amount for _, _, amount in of_order)
        found.append({**row, "_taxes": of_order} if taxes else row)
    return found
